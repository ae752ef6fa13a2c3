//! The best plan of a small case by trying everything, written from the problem statement.
//!
//! Whole numbers only, and no code of the planner, its checker or its baselines. Each member of a
//! job, and each service, is an *item* with its ways to be done (a way holds nodes for a window
//! and costs money) and the way to wait. All choices are tried; what cannot beat the best found is
//! cut short.

use super::now;
use farthing_model::{
    Action, BucketRate, Decimal, Limit, Money, Observed, Offer, Plan, Purchase, Ratio, Reason,
    Resource, Service, Step, Target, Window, WorkloadKind, WorkloadState,
};
use farthing_planner::{
    BudgetRow, Input, Placement, Planned, Report, SolverReport, Status, Waiting,
};
use std::collections::BTreeMap;

/// One way to do an item.
#[derive(Clone, Debug)]
struct Way {
    /// Offer, members, nodes each, window; empty for a quoted cost.
    holds: Vec<(usize, u32, u32, Window)>,
    cost: i128,
    /// Cost inside the period of each budget that covers it.
    budgeted: Vec<i128>,
}

struct Item<'a> {
    observed: &'a Observed,
    ways: Vec<Way>,
    value: i128,
    least: i128,
    /// Whether the item before is a member of the same job.
    twin: bool,
}

/// The best that there is.
pub(crate) struct Best {
    /// Most value, in 10^-9.
    pub(crate) value: i128,
    /// Least cost of that value, in 10^-12.
    pub(crate) cost: i128,
    /// A plan that does it.
    pub(crate) planned: Planned,
    /// Choices tried.
    pub(crate) tried: u64,
}

fn ceil_div(a: i128, b: i128) -> i128 {
    (a + b - 1).div_euclid(b)
}

fn per_hour(offer: &Offer) -> i128 {
    offer.price.rate().unwrap().per_hour().pico()
}

fn cost_of(offer: &Offer, nodes: i128, window: Window) -> i128 {
    // The running total since the epoch, rounded down at both ends, as `HourlyRate` documents.
    let total = |nanos: i128| {
        let hour = 3_600_000_000_000_i128;
        per_hour(offer) * (nanos / hour) + per_hour(offer) * (nanos % hour) / hour
    };
    let one = total(window.to().as_nanosecond()) - total(window.from().as_nanosecond());
    one * nodes
}

fn permitted(input: &Input, observed: &Observed, offer: &Offer) -> bool {
    let workload = &observed.workload;
    let (asks, has) = (workload.resources, offer.capacity);
    let place = workload.residency.is_empty()
        || workload.residency.iter().any(|wanted| offer.residency.contains(wanted));
    let priced =
        offer.price.rate().is_some_and(|rate| rate.per_hour().currency() == input.currency);
    place
        && priced
        && asks.gpu_milli <= has.gpu_milli
        && asks.cpu_milli <= has.cpu_milli
        && asks.memory_bytes <= has.memory_bytes
        && asks.storage_bytes <= has.storage_bytes
}

/// The instants at which something may start: the slots of the horizon.
fn slots(input: &Input) -> Vec<i128> {
    let (from, length) = (input.horizon.from().as_nanosecond(), input.horizon.nanos());
    let count = i128::from(input.effort.slots_max);
    (0..count).map(|slot| from + length * slot / count).collect()
}

fn window(from: i128, length: i128) -> Window {
    let at = |nanos| jiff::Timestamp::from_nanosecond(nanos).unwrap();
    Window::new(at(from), at(from + length)).unwrap()
}

fn way(input: &Input, observed: &Observed, holds: Vec<(usize, u32, u32, Window)>) -> Way {
    let cost_in = |period: Option<Window>| -> i128 {
        let part = |(offer, members, nodes, window): &(usize, u32, u32, Window)| {
            let inside = period.map_or(Some(*window), |period| window.intersect(period));
            let nodes = i128::from(*members) * i128::from(*nodes);
            inside.map_or(0, |inside| cost_of(&input.offers[*offer], nodes, inside))
        };
        holds.iter().map(part).sum()
    };
    let covers =
        |state: &farthing_planner::BudgetState| state.budget.scope.covers(&observed.workload);
    let budgeted = input
        .budgets
        .iter()
        .map(|state| if covers(state) { cost_in(Some(state.period)) } else { 0 })
        .collect();
    Way { cost: cost_in(None), budgeted, holds }
}

fn job_ways(input: &Input, observed: &Observed) -> Vec<Way> {
    let job = observed.workload.job().unwrap();
    let mut ways = Vec::new();
    for (at, offer) in input.offers.iter().enumerate() {
        if !permitted(input, observed, offer) || offer.purchase == Purchase::Spot {
            continue;
        }
        for row in &job.throughput {
            let Target::Accelerator(query) = &row.target else { panic!("not generated") };
            if !offer.accelerator.as_ref().is_some_and(|name| query.matches(name)) {
                continue;
            }
            let nodes = row.count.div_ceil(offer.accelerator_count);
            let work = job.work.as_ref().unwrap().amount.nano();
            let millis = ceil_div(work * row.per.as_millis(), row.amount.nano());
            let boot =
                if offer.purchase == Purchase::Owned { 0 } else { input.policy.boot.as_nanos() };
            let length = millis * 1_000_000 + boot;
            let submitted = job.submitted.map_or(i128::MIN, jiff::Timestamp::as_nanosecond);
            let mut starts: Vec<i128> =
                slots(input).into_iter().map(|slot| slot.max(submitted)).collect();
            starts.dedup();
            for start in starts {
                let span = window(start, length);
                let in_time = job.deadline.is_none_or(|deadline| span.to() <= deadline);
                if in_time && start < input.horizon.to().as_nanosecond() {
                    ways.push(way(input, observed, vec![(at, 1, nodes, span)]));
                }
            }
        }
    }
    if let (None, true, Some(quoted)) = (&job.work, job.duration.is_none(), job.quoted_cost) {
        let covers =
            |state: &farthing_planner::BudgetState| state.budget.scope.covers(&observed.workload);
        let budgeted = input
            .budgets
            .iter()
            .map(|state| if covers(state) { quoted.pico() } else { 0 })
            .collect();
        ways.push(Way { holds: Vec::new(), cost: quoted.pico(), budgeted });
    }
    ways
}

/// Most requests per second (10^-9) of each of two buckets on one replica on this offer.
fn speeds(service: &Service, offer: &Offer) -> Option<(i128, i128)> {
    let name = offer.accelerator.as_ref()?;
    let of = |bucket: usize| {
        let bucket = service.requests.buckets.get(bucket)?;
        let same = |row: &&BucketRate| {
            row.accelerator.matches(name)
                && row.count == 1
                && row.input_tokens == bucket.input_tokens
                && row.output_tokens == bucket.output_tokens
        };
        let copies = i128::from(offer.accelerator_count.max(1));
        let row = service.throughput.iter().find(same);
        Some(row.map_or(0, |row| row.requests_per_s.nano() * copies))
    };
    Some((of(0)?, of(1)?))
}

/// Whether replicas (with their speeds) serve both buckets: bucket 1 goes to whoever is best at it
/// in comparison, and what is left of the others serves bucket 2. Exact: one kind at most is
/// divided.
pub(crate) fn serves(kinds: &[(i128, (i128, i128))], need: (i128, i128)) -> bool {
    let mut kinds: Vec<_> = kinds.iter().filter(|(count, _)| *count > 0).collect();
    // a.0 / a.1 descending; a kind that cannot do bucket 2 comes first.
    kinds.sort_by(|(_, a), (_, b)| (b.0 * a.1).cmp(&(a.0 * b.1)));
    let mut left = need.0;
    let mut second: i128 = 0;
    // What the divided kind still does of bucket 2, as a fraction.
    let mut part = (0_i128, 1_i128);
    for (count, (first_speed, second_speed)) in kinds {
        let most = count * first_speed;
        if left <= 0 {
            second += count * second_speed;
        } else if most > left {
            // Replicas used: left / first_speed; the others do bucket 2.
            part = ((most - left) * second_speed, *first_speed);
            left = 0;
        } else {
            left -= most;
        }
    }
    left <= 0 && (second - need.1) * part.1 + part.0 >= 0
}

/// The part of a replica that may be in use, in 10^-6: the lower edge of the accelerators' band.
pub(crate) fn target(input: &Input) -> i128 {
    let band = input.policy.bands.get(Resource::Gpu);
    i128::from(band.max.ppm() - band.reserve.ppm())
}

/// Most replicas on one offer that any plan can need: all that it can serve, alone.
fn most(service: &Service, speeds: (i128, i128), need: (i128, i128), target: i128) -> u32 {
    let alone = |need: i128, speed: i128| {
        if speed == 0 { 0 } else { ceil_div(need * 1_000_000, speed * target) }
    };
    let all = alone(need.0, speeds.0) + alone(need.1, speeds.1);
    u32::try_from(all).unwrap().max(service.replicas_min).max(1)
}

fn service_ways(input: &Input, observed: &Observed) -> Vec<Way> {
    let service = observed.workload.service().unwrap();
    let rate = observed.demand_per_s.unwrap_or(service.requests.rate_per_s).nano();
    let need = |bucket: usize| {
        let share = service.requests.buckets[bucket].share.nano();
        // Tests use rates and shares whose product is whole in 10^-9.
        assert_eq!(rate * share % 1_000_000_000, 0);
        rate * share / 1_000_000_000
    };
    let (need, target) = ((need(0), need(1)), target(input));
    let usable: Vec<(usize, (i128, i128))> = input
        .offers
        .iter()
        .enumerate()
        .filter(|(_, offer)| permitted(input, observed, offer) && offer.purchase != Purchase::Spot)
        .filter_map(|(at, offer)| Some((at, speeds(service, offer)?)))
        .filter(|(_, speeds)| speeds.0 + speeds.1 > 0)
        .collect();
    let enough = |counts: &[u32]| {
        let kind = |(count, (_, speeds)): (&u32, &(usize, (i128, i128)))| {
            (i128::from(*count) * target, *speeds)
        };
        let kinds: Vec<_> = counts.iter().zip(&usable).map(kind).collect();
        let total: u32 = counts.iter().sum();
        total >= service.replicas_min.max(1)
            && serves(&kinds, (need.0 * 1_000_000, need.1 * 1_000_000))
    };
    let mut ways = Vec::new();
    let mut counts = vec![0_u32; usable.len()];
    loop {
        // One replica less somewhere costs less and holds less: only the fewest are of interest.
        let least = (0..counts.len()).filter(|at| counts[*at] > 0).all(|at| {
            let mut less = counts.clone();
            less[at] -= 1;
            !enough(&less)
        });
        if enough(&counts) && least {
            let holds = counts.iter().zip(&usable).filter(|(count, _)| **count > 0);
            let holds = holds.map(|(count, (at, _))| (*at, *count, 1, input.horizon)).collect();
            ways.push(way(input, observed, holds));
        }
        let place =
            (0..counts.len()).find(|at| counts[*at] < most(service, usable[*at].1, need, target));
        let Some(place) = place else { return ways };
        counts[place] += 1;
        counts[..place].fill(0);
    }
}

struct Search<'a> {
    input: &'a Input,
    items: Vec<Item<'a>>,
    /// Value and least cost of all items from each place on.
    rest: Vec<(i128, i128)>,
    held: Vec<Vec<(Window, i128)>>,
    left: Vec<Option<i128>>,
    chosen: Vec<Option<usize>>,
    best: Option<(i128, i128, Vec<Option<usize>>)>,
    tried: u64,
}

impl Search<'_> {
    fn has_room(&self, way: &Way) -> bool {
        way.holds.iter().all(|(offer, members, nodes, window)| {
            let Some(available) = self.input.offers[*offer].available else { return true };
            let more = i128::from(*members) * i128::from(*nodes);
            let held = &self.held[*offer];
            let at = |at: jiff::Timestamp| -> i128 {
                held.iter().filter(|(span, _)| span.contains(at)).map(|(_, nodes)| nodes).sum()
            };
            let starts = held.iter().map(|(span, _)| span.from()).filter(|at| window.contains(*at));
            starts.chain([window.from()]).all(|start| at(start) + more <= i128::from(available))
        })
    }

    fn affordable(&self, way: &Way) -> bool {
        self.left
            .iter()
            .zip(&way.budgeted)
            .all(|(left, cost)| *cost == 0 || left.is_none_or(|left| *cost <= left))
    }

    fn place(&mut self, at: usize, value: i128, cost: i128) {
        self.tried += 1;
        assert!(self.tried < 30_000_000, "the case is too large to try everything");
        let (more, least) = self.rest[at];
        if let Some((best_value, best_cost, _)) = &self.best {
            if value + more < *best_value {
                return;
            }
            // With nothing to spare in value, all the rest must be placed.
            if value + more == *best_value && cost + least >= *best_cost {
                return;
            }
        }
        if at == self.items.len() {
            self.best = Some((value, cost, self.chosen.clone()));
            return;
        }
        // Twins are alike: they choose in order, and once one waits all after it do.
        let first = match (self.items[at].twin, at.checked_sub(1).map(|last| self.chosen[last])) {
            (true, Some(Some(before))) => before,
            (true, Some(None)) => self.items[at].ways.len(),
            _ => 0,
        };
        for index in first..self.items[at].ways.len() {
            let way = self.items[at].ways[index].clone();
            if !self.has_room(&way) || !self.affordable(&way) {
                continue;
            }
            for (offer, members, nodes, window) in &way.holds {
                let nodes = i128::from(*members) * i128::from(*nodes);
                self.held[*offer].push((*window, nodes));
            }
            for (left, cost) in self.left.iter_mut().zip(&way.budgeted) {
                *left = left.map(|left| left - cost);
            }
            self.chosen[at] = Some(index);
            self.place(at + 1, value + self.items[at].value, cost + way.cost);
            for (left, cost) in self.left.iter_mut().zip(&way.budgeted) {
                *left = left.map(|left| left + cost);
            }
            for (offer, ..) in &way.holds {
                self.held[*offer].pop();
            }
        }
        self.chosen[at] = None;
        self.place(at + 1, value, cost);
    }
}

/// The most value, then the least cost, over all plans of a case where nothing is placed yet.
/// Services have two buckets.
pub(crate) fn best(input: &Input) -> Best {
    assert_eq!(input.snapshot.at, now());
    let mut items: Vec<Item<'_>> = Vec::new();
    for observed in &input.snapshot.workloads {
        assert_eq!(observed.state, WorkloadState::Waiting);
        let (ways, count) = match &observed.workload.kind {
            WorkloadKind::Job(job) => (job_ways(input, observed), job.count),
            WorkloadKind::Service(_) => (service_ways(input, observed), 1),
        };
        for member in 0..count {
            items.push(Item {
                observed,
                least: ways.iter().map(|way| way.cost).min().unwrap_or(0),
                value: if ways.is_empty() { 0 } else { observed.workload.value.nano() },
                ways: ways.clone(),
                twin: member > 0,
            });
        }
    }
    let mut rest = vec![(0, 0); items.len() + 1];
    for at in (0..items.len()).rev() {
        rest[at] = (rest[at + 1].0 + items[at].value, rest[at + 1].1 + items[at].least);
    }
    let left = input.budgets.iter().map(|state| match state.budget.limit {
        Limit::Money(limit) if state.budget.hard => {
            Some(limit.pico() - state.spent.pico() - state.committed.pico())
        }
        _ => None,
    });
    let mut search = Search {
        input,
        rest,
        held: vec![Vec::new(); input.offers.len()],
        left: left.collect(),
        chosen: vec![None; items.len()],
        items,
        best: None,
        tried: 0,
    };
    search.place(0, 0, 0);
    let (value, cost, chosen) = search.best.clone().unwrap();
    let planned = written_out(&search, (value, cost), &chosen);
    Best { value, cost, planned, tried: search.tried }
}

/// The choice as a plan with a report, so that it can be checked like any other.
fn written_out(search: &Search<'_>, total: (i128, i128), chosen: &[Option<usize>]) -> Planned {
    let input = search.input;
    let money = |pico| Money::from_pico(pico, input.currency);
    let mut placements: Vec<Placement> = Vec::new();
    let mut waiting: BTreeMap<&str, Waiting> = BTreeMap::new();
    let mut planned = vec![0_i128; input.budgets.len()];
    for (item, choice) in search.items.iter().zip(chosen) {
        let workload = &item.observed.workload;
        let Some(choice) = choice else {
            let late = workload.job().is_some_and(|job| job.deadline.is_some());
            let reason = Reason::LessValue;
            let id = workload.id.clone();
            let row = waiting.entry(workload.id.as_str()).or_insert(Waiting {
                workload: id,
                members: 0,
                reason,
                late,
            });
            row.members += 1;
            continue;
        };
        let way = &item.ways[*choice];
        for (sum, cost) in planned.iter_mut().zip(&way.budgeted) {
            *sum += cost;
        }
        let blank = Placement {
            workload: workload.id.clone(),
            offer: None,
            members: 1,
            nodes_each: 0,
            window: input.horizon,
            cost: money(way.cost),
            reference: None,
            r: None,
            stays: false,
            reasons: Vec::new(),
        };
        if way.holds.is_empty() {
            placements.push(blank.clone());
        }
        for (offer, members, nodes_each, window) in &way.holds {
            let offer = &input.offers[*offer];
            let nodes = i128::from(*members) * i128::from(*nodes_each);
            placements.push(Placement {
                offer: Some(offer.id.clone()),
                members: *members,
                nodes_each: *nodes_each,
                window: *window,
                cost: money(cost_of(offer, nodes, *window)),
                ..blank.clone()
            });
        }
    }
    let late = waiting.values().any(|row| row.late);
    let report = Report {
        policy: "exhaustive",
        horizon: input.horizon,
        cost: money(total.1),
        lower_bound: Some(money(total.1)),
        certified_bound: None,
        gap: (total.1 > 0).then_some(Ratio::ZERO),
        value: Decimal::from_nano(total.0),
        value_bound: Some(Decimal::from_nano(total.0)),
        status: if late { Status::Infeasible } else { Status::Optimal },
        solver: SolverReport::default(),
        placements,
        services: Vec::new(),
        waiting: waiting.into_values().collect(),
        utilisation: Vec::new(),
        budgets: budget_rows(input, &planned),
        cuts: Vec::new(),
        excluded: BTreeMap::new(),
        unknown: Vec::new(),
    };
    let plan = Plan {
        id: input.id.clone(),
        parent: input.parent.clone(),
        at: input.snapshot.at,
        steps: steps(input, &report.placements),
    };
    Planned { plan, report }
}

fn budget_rows(input: &Input, planned: &[i128]) -> Vec<BudgetRow> {
    let row = |(state, planned): (&farthing_planner::BudgetState, &i128)| BudgetRow {
        budget: state.budget.id.clone(),
        limit: match state.budget.limit {
            Limit::Money(limit) => Some(limit),
            Limit::GpuHoursMilli(_) => None,
        },
        spent: state.spent,
        committed: state.committed,
        planned: Money::from_pico(*planned, input.currency),
        forecast: Money::from_pico(
            state.spent.pico() + state.committed.pico() + planned,
            input.currency,
        ),
        rung: None,
    };
    input.budgets.iter().zip(planned).map(row).collect()
}

fn steps(input: &Input, placements: &[Placement]) -> Vec<Step> {
    let mut steps = Vec::new();
    for placement in placements {
        let Some(offer) = placement.offer.clone() else { continue };
        let observed = input.snapshot.workload(&placement.workload).unwrap();
        let (workload, nodes_each) = (placement.workload.clone(), placement.nodes_each);
        let (members, window) = (placement.members, placement.window);
        let action = if observed.workload.job().is_some() {
            Action::Start { workload, offer, members, nodes_each, window }
        } else {
            Action::Scale { workload, offer, from: 0, to: members, nodes_each, window }
        };
        steps.push(Step {
            id: format!("{}/{}", input.id, steps.len() + 1).parse().unwrap(),
            action,
            generation: observed.generation,
            cost: placement.cost,
            saving: Money::zero(input.currency),
            reasons: Vec::new(),
            expires: placement.window.to(),
        });
    }
    steps
}
