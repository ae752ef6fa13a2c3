//! Why: the typed reasons of placements, and of members that wait.

use crate::account::after;
use crate::candidate::{Class, Filter, Way};
use crate::program::Program;
use crate::room::{Block, Room};
use crate::serving::Serving;
use crate::{Input, PlanError};
use farthing_model::{Accelerator, Money, Offer, OfferId, Purchase, Reason, Window};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Why members are where they are: what would have been next, and what was cheaper.
pub(crate) fn placement(
    input: &Input,
    class: &Class<'_>,
    chosen: &Way,
    (start, members): (Timestamp, u32),
) -> Result<Vec<Reason>, PlanError> {
    let Some(chosen_offer) = chosen.offer else {
        return Ok(vec![Reason::Rule("its cost is quoted from outside".to_owned())]);
    };
    let others = class.ways.iter().filter(|way| way.offer != chosen.offer);
    let in_time = others.filter(|way| way.in_time);
    let offers: BTreeSet<usize> = in_time.clone().filter_map(|way| way.offer).collect();
    let dearer = || in_time.clone().filter(|way| way.floor >= chosen.floor);
    let next = dearer().next();
    let other = dearer().find(|way| {
        let another = |at| machine(input, at) != machine(input, chosen_offer);
        way.offer != next.and_then(|next| next.offer) && way.offer.is_some_and(another)
    });
    let priced = |way: Option<&Way>| priced(input, way, (start, members));
    let mut reasons =
        vec![Reason::Cheapest { runner_up: priced(next)?, considered: offers.len() + 1 }];
    reasons.extend(priced(other)?.map(|(offer, cost)| Reason::OtherMachine { offer, cost }));
    reasons.extend(passed_over(input, class, chosen, (start, members))?);
    Ok(reasons)
}

/// Cheaper offers that were passed over: one each that is late, not safe in time, or full.
fn passed_over(
    input: &Input,
    class: &Class<'_>,
    chosen: &Way,
    (start, members): (Timestamp, u32),
) -> Result<Vec<Reason>, PlanError> {
    let offer = |way: &Way| way.offer.map(|at| &input.offers[at]);
    let unsafe_spot = |way: &&Way| {
        let spot = offer(way).is_some_and(|offer| offer.purchase == Purchase::Spot);
        let deadline = class.job.deadline;
        spot && deadline.is_none_or(|at| start.checked_add(way.run).is_ok_and(|end| end <= at))
    };
    let cheaper = class.ways.iter().filter(|way| way.offer != chosen.offer);
    let cheaper = cheaper.filter(|way| way.floor < chosen.floor);
    let not_in_time = || cheaper.clone().filter(|way| !way.in_time);
    let limited = |way: &&Way| offer(way).is_some_and(|offer| offer.available.is_some());
    let priced = |way: Option<&Way>| priced(input, way, (start, members));
    let late = priced(not_in_time().find(|way| !unsafe_spot(way)))?;
    let risky = priced(not_in_time().find(unsafe_spot))?;
    let full = priced(cheaper.clone().filter(|way| way.in_time).find(limited))?;
    let late = late.map(|(offer, cost)| Reason::CheaperWouldBeLate { offer, cost });
    let risky = risky.map(|(offer, cost)| {
        let cost = cost.rounded(2);
        Reason::Rule(format!("{offer} at {cost} leaves no time to make up for an interruption"))
    });
    let full = full.map(|(offer, cost)| Reason::CheaperIsFull { offer, cost });
    Ok([late, risky, full].into_iter().flatten().collect())
}

/// What kind of machine an offer is.
fn machine(input: &Input, at: usize) -> &str {
    let offer = &input.offers[at];
    offer.accelerator.as_ref().map_or(offer.instance_type.as_str(), Accelerator::model)
}

/// The offer of a way, and what it costs when members start at a moment.
fn priced(
    input: &Input,
    way: Option<&Way>,
    start: (Timestamp, u32),
) -> Result<Option<(OfferId, Money)>, PlanError> {
    let Some(way) = way else { return Ok(None) };
    let Some(offer) = way.offer.map(|at| &input.offers[at]) else { return Ok(None) };
    let cost = cost(input, offer, way, start)?;
    Ok(cost.map(|cost| (offer.id.clone(), cost)))
}

/// What members of a way cost when they start at a moment.
fn cost(
    input: &Input,
    offer: &Offer,
    way: &Way,
    (start, members): (Timestamp, u32),
) -> Result<Option<Money>, PlanError> {
    let (Some(rate), Some(window)) = (offer.price.rate(), Window::starting(start, way.run)) else {
        return Ok(None);
    };
    let nodes = i128::from(way.nodes) * i128::from(members);
    let cost = rate.cost(window).and_then(|one| one.checked_mul_int(nodes));
    let wrong = |source| PlanError::Money { object: format!("offer {}", offer.id), source };
    let cost = cost.map_err(wrong)?;
    Ok((cost.currency() == input.currency).then_some(cost))
}

/// Why members of a class wait, and the account that cut them, if one did.
pub(crate) fn waiting(
    program: &Program<'_>,
    room: &Room,
    input: &Input,
    index: usize,
) -> (Reason, Option<usize>) {
    let class = &program.classes[index];
    if class.workload.value.nano() < 0 {
        return (Reason::LessValue, None);
    }
    let columns = || program.columns.iter().filter(|column| column.class == index);
    let mut full = false;
    let mut short: Option<(i128, usize)> = None;
    for column in columns() {
        match room.block(program, column) {
            None => {}
            Some(Block::Pool(pool)) => {
                full = true;
                // Nodes that only this plan holds went to something worth more.
                let stretch = column.stretch.map(|at| at.first..at.end).unwrap_or_default();
                let nodes = program.nodes(column);
                if program.pools[pool].room[stretch].iter().all(|room| *room >= nodes) {
                    return (Reason::LessValue, None);
                }
            }
            Some(Block::Account(account, needed)) => {
                let (least, dearest) = short.unwrap_or((needed, account));
                short = Some(if needed < least { (needed, account) } else { (least, dearest) });
            }
        }
    }
    if let Some((needed, account)) = short {
        let money = |pico| Money::from_pico(pico, program.accounts[account].unit());
        let budget = program.accounts[account].state.budget.id.clone();
        let left = money(room.accounts[account].max(0));
        return (Reason::OverBudget { budget, left, needed: money(needed) }, Some(account));
    }
    if full {
        return (Reason::Capacity, None);
    }
    if columns().next().is_some() {
        return (Reason::LessValue, None);
    }
    (unplaceable(class, input), None)
}

/// Why a class has no column at all.
fn unplaceable(class: &Class<'_>, input: &Input) -> Reason {
    if class.earliest >= input.horizon.to() {
        return Reason::NoOffer("it may not start before the horizon ends".to_owned());
    }
    match class.reached {
        Some(Filter::Passed) => Reason::Capacity,
        Some(Filter::Deadline) => {
            let end = |way: &Way| class.earliest.checked_add(way.run).ok();
            match (class.job.deadline, class.ways.iter().filter_map(end).min()) {
                (Some(due), Some(earliest)) => Reason::Deadline { due, earliest },
                _ => Reason::NoOffer("no run ends in representable time".to_owned()),
            }
        }
        reached => refused(reached, &class.workload.residency),
    }
}

/// The words for a filter that stopped every offer.
pub(crate) fn refused(reached: Option<Filter>, residency: &[String]) -> Reason {
    let words = match reached {
        Some(Filter::Residency) => return Reason::Residency(residency.to_vec()),
        Some(Filter::Resources) => "no machine is as large as a member asks for",
        Some(Filter::Throughput) => "no throughput was measured on any that is large enough",
        Some(Filter::Spot) => {
            "only spot fits, and the work cannot take its interruptions, or make up for them by \
             its deadline"
        }
        Some(Filter::Price) => "the price of all that fit is not known",
        Some(Filter::Currency) => "all that fit are priced in another currency",
        Some(Filter::Deadline | Filter::Passed) => "none is left",
        None => "there are none",
    };
    Reason::NoOffer(words.to_owned())
}

/// Why a service cannot be served by anything.
pub(crate) fn hopeless(serving: &Serving<'_>, input: &Input) -> Reason {
    let workload = &serving.observed.workload;
    let Some(bucket) = serving.unserved() else {
        return refused(serving.reached, &workload.residency);
    };
    let (inside, outside) = (bucket.input_tokens, bucket.output_tokens);
    let able = workload.service().into_iter().flat_map(|service| &service.throughput);
    let able = able.filter(|row| {
        row.requests_per_s.is_positive()
            && (row.input_tokens, row.output_tokens) == (inside, outside)
    });
    let mut names: Vec<String> = able.map(|row| row.accelerator.to_string()).collect();
    names.sort();
    names.dedup();
    let why = if names.is_empty() {
        "no accelerator of its throughput table serves it".to_owned()
    } else {
        let offers = input.offers.len();
        format!("none of {offers} offers that may be used has one of {}", names.join(", "))
    };
    let tokens = format!("requests of {inside} tokens in and {outside} out");
    Reason::NoOffer(format!("{tokens} cannot be served: {why}"))
}

/// Why a service is served by this mix.
pub(crate) fn serving(
    input: &Input,
    serving: &Serving<'_>,
    chosen: &[(usize, u32)],
) -> Vec<Reason> {
    let alone = |position: usize| chosen.iter().all(|(kind, _)| *kind == position);
    let mut pure = serving.pure_costs();
    pure.retain(|(position, _)| !alone(*position));
    pure.sort_by_key(|(position, cost)| (*cost, *position));
    let offer = |position: usize| serving.kinds[position].replica.offer;
    let next = pure.first().copied();
    let other = pure.iter().copied().find(|(position, _)| {
        next.is_some_and(|(next, _)| {
            machine(input, offer(next)) != machine(input, offer(*position))
        })
    });
    let named = |(position, cost): (usize, i128)| {
        (input.offers[offer(position)].id.clone(), Money::from_pico(cost, input.currency))
    };
    let runner_up = next.map(named);
    let mut reasons = vec![Reason::Cheapest { runner_up, considered: serving.kinds.len() }];
    let other = other.map(named);
    reasons.extend(other.map(|(offer, cost)| Reason::OtherMachine { offer, cost }));
    if serving.observed.demand_per_s.is_some() {
        let text = "sized for the requests that it really gets".to_owned();
        reasons.push(Reason::Rule(text));
    }
    reasons
}

/// Why a service cannot be served, and the account that cut it, if one did.
pub(crate) fn unserved(
    program: &Program<'_>,
    room: &Room,
    index: usize,
) -> (Reason, Option<usize>, Option<i128>) {
    let service = &program.services[index];
    let pure = service.pure_costs().into_iter().min_by_key(|(position, cost)| (*cost, *position));
    let Some((position, cost)) = pure else { return (Reason::Capacity, None, None) };
    let count = cost / service.kinds[position].cost.max(1);
    for (account, inside) in &service.kinds[position].costs {
        let given = service.present_costs().iter().find(|(same, _)| same == account);
        let needed = inside * count - given.map_or(0, |(_, cost)| *cost);
        let left = room.accounts[*account].max(0);
        if needed > left {
            let money = |pico| Money::from_pico(pico, program.accounts[*account].unit());
            let budget = program.accounts[*account].state.budget.id.clone();
            let reason = Reason::OverBudget { budget, left: money(left), needed: money(needed) };
            return (reason, Some(*account), Some(cost - service.present_cost));
        }
    }
    (Reason::Capacity, None, None)
}

/// When the budget of an account is whole again.
pub(crate) fn retry(program: &Program<'_>, account: usize) -> Option<Timestamp> {
    let account = &program.accounts[account];
    after(account.state.budget.period, account.period).map(Window::from)
}
