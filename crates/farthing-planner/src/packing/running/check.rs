//! Replays the steps of a consolidation from nodes, workloads and offers alone. Shares no code with
//! what made them.

use super::super::shares::fit;
use super::{Consolidation, NodeAt, RunningInput, RunningStep};
use farthing_model::{HourlyRate, Money, Resources, WorkloadId};
use std::collections::BTreeMap;

/// What is wrong with steps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepViolation {
    /// A step names what is not there.
    #[error("step {0} names what is not there, or takes more than there is")]
    Unknown(usize),
    /// When the step is taken there is no room, or a member must not be there.
    #[error("step {step}: {workload} has no room there at that time")]
    Room {
        /// Which step.
        step: usize,
        /// Whose members.
        workload: WorkloadId,
    },
    /// A node is given back with someone on it.
    #[error("step {0} gives back a node with someone on it")]
    Occupied(usize),
    /// Members that run or wait do not sum to those that there are.
    #[error("{workload}: {placed} members run or wait, and there are {there}")]
    Members {
        /// Whose.
        workload: WorkloadId,
        /// How many run or wait at the end.
        placed: u64,
        /// How many there are.
        there: u64,
    },
    /// An amount that is not what its parts come to, or a bound above the cost.
    #[error("{what} is {stated}, and should be {right}")]
    Sum {
        /// Which.
        what: &'static str,
        /// What is stated.
        stated: String,
        /// What is right.
        right: String,
    },
}

/// A node as steps change it.
struct Place<'a> {
    capacity: Resources,
    rate: HourlyRate,
    residency: &'a [String],
    holds: BTreeMap<WorkloadId, u64>,
    /// Over from the start: a node that stands may be.
    there: bool,
}

/// Everything that is wrong; nothing for good steps.
pub fn check_consolidation(input: &RunningInput<'_>, made: &Consolidation) -> Vec<StepViolation> {
    let place = |node: &'_ super::StandingNode| node.holds.iter().cloned().collect();
    let mut places: BTreeMap<NodeAt, Place<'_>> = BTreeMap::new();
    for node in input.nodes {
        let (capacity, rate) = (node.capacity, node.price);
        let (residency, holds) = (node.residency.as_slice(), place(node));
        let new = Place { capacity, rate, residency, holds, there: true };
        places.insert(NodeAt::Standing(node.id.clone()), new);
    }
    let (mut found, mut moved) = (Vec::new(), 0);
    for (at, step) in made.steps.iter().enumerate() {
        found.extend(taken(input, &mut places, (at, step), &mut moved));
    }
    members(input, made, &places, &mut found);
    sums(input, made, &places, moved, &mut found);
    found
}

fn taken<'a>(
    input: &RunningInput<'a>,
    places: &mut BTreeMap<NodeAt, Place<'a>>,
    (at, step): (usize, &RunningStep),
    moved: &mut u64,
) -> Option<StepViolation> {
    match step {
        RunningStep::Buy { node, offer } => {
            let offer = input.pack.offers.iter().find(|it| it.id == *offer);
            let found = offer.and_then(|offer| Some((offer, offer.price.rate()?)));
            let Some((offer, rate)) = found else { return Some(StepViolation::Unknown(at)) };
            let (capacity, residency) = (offer.capacity, offer.residency.as_slice());
            let new = Place { capacity, rate, residency, holds: BTreeMap::new(), there: true };
            let before = places.insert(NodeAt::Bought(*node), new);
            before.map(|_| StepViolation::Unknown(at))
        }
        RunningStep::Start { workload, members, to } => {
            arrive(input, places, (at, workload, *members), to)
        }
        RunningStep::Move { workload, members, from, to } => {
            *moved += members;
            let from = places.get_mut(&NodeAt::Standing(from.clone())).filter(|it| it.there);
            let here = from.and_then(|from| from.holds.get_mut(workload));
            match here.filter(|here| **here >= *members) {
                Some(here) => *here -= members,
                None => return Some(StepViolation::Unknown(at)),
            }
            arrive(input, places, (at, workload, *members), to)
        }
        RunningStep::GiveBack { node } => {
            let place = places.get_mut(&NodeAt::Standing(node.clone())).filter(|it| it.there);
            let Some(place) = place else { return Some(StepViolation::Unknown(at)) };
            place.there = false;
            place.holds.values().any(|n| *n > 0).then_some(StepViolation::Occupied(at))
        }
    }
}

/// Members come to a node, if they may be there and there is room at that time.
fn arrive(
    input: &RunningInput<'_>,
    places: &mut BTreeMap<NodeAt, Place<'_>>,
    (step, id, members): (usize, &WorkloadId, u64),
    to: &NodeAt,
) -> Option<StepViolation> {
    let Some(place) = places.get_mut(to).filter(|place| place.there) else {
        return Some(StepViolation::Unknown(step));
    };
    *place.holds.entry(id.clone()).or_default() += members;
    let needs = |id: &WorkloadId| input.pack.workloads.iter().find(|it| it.id == *id);
    let (mut used, mut parts) = ([0_u128; 5], Vec::new());
    for (id, count) in &place.holds {
        let Some(workload) = needs(id) else { return Some(StepViolation::Unknown(step)) };
        let asks = &workload.resources;
        parts.push((asks.gpu_milli, *count));
        let one = [asks.cpu_milli, asks.memory_bytes, asks.gpu_milli, asks.storage_bytes, 1];
        for (used, one) in used.iter_mut().zip(one) {
            *used += u128::from(one) * u128::from(*count);
        }
    }
    let (has, kept) = (&place.capacity, &input.pack.nodes.reserve);
    let rooms = [
        has.cpu_milli.saturating_sub(kept.cpu_milli),
        has.memory_bytes.saturating_sub(kept.memory_bytes),
        has.gpu_milli.saturating_sub(kept.gpu_milli),
        has.storage_bytes.saturating_sub(kept.storage_bytes),
        input.pack.nodes.pods.map_or(u64::MAX, u64::from),
    ];
    let fits = used.iter().zip(rooms).all(|(used, room)| *used <= u128::from(room));
    let fits = fits && fit(rooms[2], &parts);
    let wanted = needs(id).map_or(&[][..], |it| &it.residency);
    let may = wanted.is_empty() || wanted.iter().any(|one| place.residency.contains(one));
    (!fits || !may).then(|| StepViolation::Room { step, workload: id.clone() })
}

/// Whether every member runs or waits, once.
fn members(
    input: &RunningInput<'_>,
    made: &Consolidation,
    places: &BTreeMap<NodeAt, Place<'_>>,
    found: &mut Vec<StepViolation>,
) {
    for workload in input.pack.workloads {
        let there = workload.job().map_or(0, |job| u64::from(job.count));
        let on = places.values().filter(|place| place.there);
        let running: u64 = on.filter_map(|place| place.holds.get(&workload.id)).sum();
        let placed = running + made.waiting.get(&workload.id).copied().unwrap_or(0);
        if placed != there {
            let workload = workload.id.clone();
            found.push(StepViolation::Members { workload, placed, there });
        }
    }
}

fn sums(
    input: &RunningInput<'_>,
    made: &Consolidation,
    places: &BTreeMap<NodeAt, Place<'_>>,
    moved: u64,
    found: &mut Vec<StepViolation>,
) {
    let mut sum = |what, stated: String, right: String| {
        if stated != right {
            found.push(StepViolation::Sum { what, stated, right });
        }
    };
    let mut cost = Money::zero(input.pack.currency);
    for place in places.values().filter(|place| place.there) {
        let one = place.rate.cost(input.pack.window).unwrap_or(cost);
        cost = cost.checked_add(one).unwrap_or(cost);
    }
    sum("the cost", made.cost.to_decimal(), cost.to_decimal());
    if made.policy == "farthing" {
        sum("the number of moves", made.moved.to_string(), moved.to_string());
    }
    let moves = input.move_cost.checked_mul_int(i128::from(made.moved));
    let moves = moves.unwrap_or_else(|_| Money::zero(input.pack.currency));
    sum("the cost of moves", made.disturbance.to_decimal(), moves.to_decimal());
    if let Some(bound) = made.lower_bound.filter(|bound| bound.pico() > made.cost.pico()) {
        sum("the bound", bound.to_decimal(), made.cost.to_decimal());
    }
}
