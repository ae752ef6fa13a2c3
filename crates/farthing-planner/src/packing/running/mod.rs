//! Pods on nodes that stand already: which nodes to keep, which to buy, who moves, in which order.
//!
//! Nodes that stand are used first. A node is given back where what it costs over the window is
//! more than moving its pods, at so much for each, and whatever is bought instead. Only pods of
//! nodes that are given back move, onto nodes that stay or are new, so that every order of the
//! moves has room; new nodes come first and empty ones go last.
//!
//! [`consolidate`] is the whole story: the state (`fleet`), the search (`search`), steps with names
//! (`report`). [`consolidate_as_usual`] is what provisioners do (`usual`), for comparison.
//! [`check_consolidation`] replays the steps, and shares no code with what made them.

mod check;
mod exchange;
mod fleet;
mod front;
mod report;
mod search;
mod usual;

#[cfg(test)]
mod tests;

pub use check::{StepViolation, check_consolidation};
pub use report::{Consolidation, NodeAt, RunningStep};

use super::input::{self, Stated};
use super::master::Master;
use super::problem::Machine;
use super::{PackInput, of_master, solve, solve_exact};
use crate::PlanError;
use farthing_model::{HourlyRate, Money, MoneyError, NodeId, OfferId, Resources, WorkloadId};
use fleet::Fleet;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// A node that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingNode {
    /// Its name.
    pub id: NodeId,
    /// What it was bought as.
    pub offer: OfferId,
    /// What it has.
    pub capacity: Resources,
    /// What it costs.
    pub price: HourlyRate,
    /// What of residency it meets.
    pub residency: Vec<String>,
    /// Members of workloads on it.
    pub holds: Vec<(WorkloadId, u64)>,
}

/// Workloads of which some members run already.
#[derive(Clone, Copy, Debug)]
pub struct RunningInput<'a> {
    /// All members that are to run, and what can be bought.
    pub pack: PackInput<'a>,
    /// Where members run now, by id; whoever is not on one of them is not running yet.
    pub nodes: &'a [StandingNode],
    /// What it costs to move one member.
    pub move_cost: Money,
}

/// The cheapest nodes found with the moves that they take, in dollars of disturbance.
///
/// # Errors
/// Numbers that do not fit, a currency that is not the plan's, or a solver that fails.
pub fn consolidate(input: &RunningInput<'_>) -> Result<Consolidation, PlanError> {
    let stated = stated(input);
    let problem = &stated.problem;
    let mut master = Master::new(problem);
    let worths = master.by_resources(&problem.open()).map_err(of_master)?.worths;
    let solved = solve::solve(problem).map_err(of_master)?;
    let fleet = Fleet::of(input, &stated, worths, move_units(input, stated.grain)?);
    let best = search::search(&fleet, solved.as_ref());
    let bound = solve_exact(&stated)?.or(solved).map(|solved| solved.bound);
    report::report("farthing", input, &stated, &best, bound)
}

/// What provisioners do: empty nodes go, then as many as possible of those with the fewest pods for
/// one cheaper node or none, then single ones; each pod that is evicted counts as a move.
///
/// # Errors
/// As [`consolidate`].
pub fn consolidate_as_usual(input: &RunningInput<'_>) -> Result<Consolidation, PlanError> {
    let stated = stated(input);
    let none = vec![0; stated.problem.shapes.len()];
    let fleet = Fleet::of(input, &stated, none, 0);
    let (fleet, evicted) = usual::usual(fleet);
    let made = report::report("usual", input, &stated, &fleet, None)?;
    made.with_moves(evicted, input)
}

/// Offers, and each kind of node that stands as an offer of so many.
fn stated<'a>(input: &RunningInput<'a>) -> Stated<'a> {
    let mut stated = input::state(&input.pack, &BTreeMap::new());
    let mut kinds: BTreeMap<(Resources, i128, &[String]), u64> = BTreeMap::new();
    for node in input.nodes {
        let price = node.price.per_hour().pico();
        *kinds.entry((node.capacity, price, &node.residency)).or_default() += 1;
    }
    for ((capacity, price, residency), count) in kinds {
        let machine = Machine {
            room: input::room_of(&input.pack, &capacity),
            price: u64::try_from(price / stated.grain).unwrap_or(u64::MAX >> 1),
            limit: Some(count),
            takes: stated.takes(residency),
        };
        // One that can be bought anew at that price is no kind of its own.
        let beats = |known: &Machine| {
            known.limit.is_none()
                && known.price <= machine.price
                && known.room.iter().zip(&machine.room).all(|(known, room)| known >= room)
                && known.takes.iter().zip(&machine.takes).all(|(known, takes)| known >= takes)
        };
        if !stated.problem.machines.iter().any(beats) {
            stated.problem.machines.push(machine);
            stated.offers.push(None);
        }
    }
    stated
}

/// A move in units of prices of an hour, rounded up; over the whole window it is paid once.
fn move_units(input: &RunningInput<'_>, grain: i128) -> Result<u64, PlanError> {
    let wrong = |source| PlanError::Money { object: "a move".to_owned(), source };
    if input.move_cost.currency() != input.pack.currency {
        input.move_cost.checked_add(Money::zero(input.pack.currency)).map_err(wrong)?;
    }
    let hour = SignedDuration::from_hours(1).as_nanos();
    let length = input.pack.window.nanos().max(1);
    let scaled = input.move_cost.pico().max(0).checked_mul(hour);
    let an_hour = scaled.ok_or_else(|| wrong(MoneyError::Overflow))? / length;
    Ok(u64::try_from(an_hour / grain + 1).unwrap_or(u64::MAX >> 16).min(u64::MAX >> 16))
}
