//! The seeds' rule: by performance per money, to the first resource that is dear enough.

use super::draft::{Draft, money_of, open_members};
use super::fifo::quoted;
use super::member::{demand, nothing_fits, refused, replicas, runs};
use crate::{Input, PlanError};
use farthing_model::{Money, MoneyError, Observed, Offer, Purchase, Reason, Window, WorkloadKind};
use jiff::SignedDuration;
use std::cmp::Ordering;

/// A task on a resource, as the rule sees it.
#[derive(Clone, Copy)]
struct Seat<'a> {
    offer: &'a Offer,
    /// Members to place (replicas of a service) and nodes of each.
    size: (u32, u32),
    /// How long it really needs.
    needs: SignedDuration,
    /// The part of the horizon that the rule charges.
    window: Window,
    /// `P`: what the nodes cost over the horizon.
    price: Money,
    /// `C = U x P`.
    cost: Money,
}

/// One member, or one service.
struct Task<'a> {
    observed: &'a Observed,
    seats: Vec<Seat<'a>>,
    /// `C` at the best `R`; `None` if it can be nowhere.
    cost: Option<Money>,
    /// Whether its cost is quoted.
    quoted: bool,
}

/// Places all, until one fits nowhere.
pub(super) fn place(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let input = draft.input;
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for observed in &input.snapshot.workloads {
        for _ in 0..open_members(observed) {
            if draft.may_start(observed) > input.horizon.from() {
                let reason = Reason::Rule("it is not submitted yet".to_owned());
                draft.wait(&observed.workload, 1, reason);
            } else {
                tasks.push(task(observed, input)?);
            }
        }
    }
    tasks.sort_by(|a, b| {
        let order = by_r(a, b).reverse();
        order.then_with(|| a.observed.workload.id.cmp(&b.observed.workload.id))
    });
    let mut used = taken_before(draft);
    let mut stopped = false;
    for task in &tasks {
        let workload = &*task.observed.workload;
        if stopped {
            let why = "the rule stops at the first task that fits nowhere";
            draft.wait(workload, 1, Reason::Rule(why.to_owned()));
        } else if let Err(reason) = seat(draft, task, &mut used)? {
            stopped = true;
            draft.wait(workload, 1, reason);
        }
    }
    Ok(())
}

/// `C` of a task on every resource, and the least of them, which has the best `R`.
fn task<'a>(observed: &'a Observed, input: &'a Input) -> Result<Task<'a>, PlanError> {
    let workload = &*observed.workload;
    let mut seats = Vec::new();
    for offer in input.offers.iter().filter(|offer| refused(workload, offer, input).is_none()) {
        let sizes: Vec<((u32, u32), SignedDuration)> = match &workload.kind {
            WorkloadKind::Job(job) => runs(job, offer, &input.policy)
                .into_iter()
                .map(|run| ((1, run.nodes), run.length))
                .collect(),
            WorkloadKind::Service(_) if offer.purchase == Purchase::Spot => Vec::new(),
            WorkloadKind::Service(service) => {
                let rate_nano = demand(observed, service);
                replicas((service, input), offer, rate_nano)
                    .map_err(|_| PlanError::Overflow(format!("service {}", workload.id)))?
                    .into_iter()
                    .map(|(_, of)| ((of.count, of.nodes), input.horizon.duration()))
                    .collect()
            }
        };
        for (size, needs) in sizes {
            let charged = needs.min(input.horizon.duration());
            let Some(window) = Window::starting(input.horizon.from(), charged) else { continue };
            let (price, cost) = prices(offer, size, (input.horizon, window))
                .map_err(money_of(workload.id.as_str()))?;
            seats.push(Seat { offer, size, needs, window, price, cost });
        }
    }
    let quote = quoted(workload, input);
    let least = seats.iter().map(|seat| seat.cost).min_by_key(|cost| cost.pico());
    Ok(Task { observed, seats, cost: quote.or(least), quoted: quote.is_some() })
}

/// `P` and `C` of nodes of an offer.
fn prices(
    offer: &Offer,
    (members, nodes_each): (u32, u32),
    (horizon, window): (Window, Window),
) -> Result<(Money, Money), MoneyError> {
    let nodes = i128::from(members) * i128::from(nodes_each);
    let of = |window| match offer.price.rate() {
        Some(rate) => rate.cost(window)?.checked_mul_int(nodes),
        None => Err(MoneyError::Overflow),
    };
    Ok((of(horizon)?, of(window)?))
}

/// Order of `R = value / C`, compared as `value x C of the other`; none is the least.
fn by_r(a: &Task<'_>, b: &Task<'_>) -> Ordering {
    let value = |task: &Task<'_>| task.observed.workload.value.nano();
    match (a.cost, b.cost) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(cost_a), Some(cost_b)) => {
            let left = value(a).saturating_mul(cost_b.pico());
            left.cmp(&value(b).saturating_mul(cost_a.pico()))
        }
    }
}

/// Nodes of each offer that are used up by what stays placed.
fn taken_before(draft: &Draft<'_>) -> Vec<u64> {
    let horizon = draft.input.horizon;
    draft.input.offers.iter().map(|offer| draft.held(&offer.id, horizon)).collect()
}

/// Whether the rule may still take `nodes` of an offer.
fn is_left(offer: &Offer, used: u64, nodes: u64) -> bool {
    match offer.available {
        // Each resource once, where nobody says that there are more.
        None => used == 0,
        Some(available) => used.saturating_add(nodes) <= u64::from(available),
    }
}

/// Puts a task on the first resource that is left and costs at least as much as the task.
fn seat(
    draft: &mut Draft<'_>,
    task: &Task<'_>,
    used: &mut [u64],
) -> Result<Result<(), Reason>, PlanError> {
    let (input, workload) = (draft.input, &*task.observed.workload);
    let Some(cost) = task.cost else { return Ok(Err(nothing_fits(workload, input))) };
    for (at, offer) in input.offers.iter().enumerate() {
        if task.quoted {
            if refused(workload, offer, input).is_some() || !is_left(offer, used[at], 1) {
                continue;
            }
            let (price, _) = prices(offer, (1, 1), (input.horizon, input.horizon))
                .map_err(money_of(workload.id.as_str()))?;
            if price.pico() < cost.pico() {
                continue;
            }
            used[at] += 1;
            let why = format!("R first; quoted, and takes {}", offer.id);
            return draft.admit_quoted(workload, cost, vec![Reason::Rule(why)]);
        }
        let seat = task.seats.iter().find(|seat| {
            let nodes = u64::from(seat.size.0) * u64::from(seat.size.1);
            seat.offer.id == offer.id
                && seat.price.pico() >= cost.pico()
                && is_left(offer, used[at], nodes)
        });
        if let Some(seat) = seat {
            used[at] += u64::from(seat.size.0) * u64::from(seat.size.1);
            return take(draft, task, *seat);
        }
    }
    let price = cost.rounded(2);
    let why = format!("no resource that is left costs as much as the task, {price}");
    Ok(Err(Reason::Rule(why)))
}

/// Takes a resource, and notes what the rule does not notice.
fn take(
    draft: &mut Draft<'_>,
    task: &Task<'_>,
    seat: Seat<'_>,
) -> Result<Result<(), Reason>, PlanError> {
    let (input, workload) = (draft.input, &*task.observed.workload);
    let share = thousandths(seat.needs.as_nanos(), input.horizon.nanos());
    let mut reasons = vec![Reason::Rule(format!("R first; U = {share} of the horizon"))];
    let Some(offer) = input.offers.iter().find(|offer| offer.id == seat.offer.id) else {
        return Ok(Err(Reason::Capacity));
    };
    let mut notes = Vec::new();
    if seat.needs > input.horizon.duration() {
        notes.push(format!(
            "{} needs {share} horizons on {}: the rule charges one and calls it done",
            workload.id, offer.id
        ));
    }
    let end = input.horizon.from().checked_add(seat.needs).ok();
    let deadline = workload.job().and_then(|job| job.deadline);
    if deadline.is_some_and(|deadline| end.is_none_or(|end| end > deadline)) {
        notes.push(format!("{} misses its deadline on {}", workload.id, offer.id));
    }
    reasons.extend(notes.iter().cloned().map(Reason::Rule));
    let admitted = draft.admit(workload, offer, seat.size, seat.window, reasons)?;
    if admitted.is_ok() {
        draft.notes.extend(notes);
    }
    Ok(admitted)
}

/// `part / whole` with three places, rounded up so that a little too much never looks like one.
fn thousandths(part: i128, whole: i128) -> String {
    let scaled = part.saturating_mul(1_000).saturating_add(whole - 1).div_euclid(whole);
    let text = format!("{}.{:03}", scaled / 1_000, scaled % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
