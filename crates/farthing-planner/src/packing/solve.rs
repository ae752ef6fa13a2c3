//! The whole search: worths and a bound, then whole machines, then better ones.

use super::baseline::first_fit;
use super::bound::Bound;
use super::exact;
use super::improve::improve;
use super::master::{Master, MasterError, Until};
use super::problem::{Content, Problem};
use super::whole::{construct, dive};

/// Shapes up to which contents are generated: with more, a linear program takes too long, and
/// prices of resources are nearly as good, as so many shapes fill any machine.
const GENERATED: usize = 150;
/// A gap of one part in so many is none.
const SOLVED: u128 = 1_000_000;
/// Contents up to which the best whole choice among them is sought.
const CHOSEN: usize = 150;
/// Work of linear programs, in entries.
const PROGRAMS: u64 = 3_000_000;
/// Work of improving, in items that were looked at.
const IMPROVED: u64 = 4_000_000;
/// A gap that is not improved further, in millionths.
const ENOUGH_PPM: u128 = 2_000;

/// A packing, and what any packing costs at least, in the grain of the problem's prices.
pub(super) struct Solved {
    pub(super) contents: Vec<Content>,
    pub(super) bound: u128,
    pub(super) rounds: u64,
    pub(super) columns: usize,
}

/// Packs everything; `None` where that cannot be.
pub(super) fn solve(problem: &Problem) -> Result<Option<Solved>, MasterError> {
    let small = exact::best(problem)?;
    if let Some(best) = &small {
        let (cost, bound) = (problem.cost(&best.contents), best.bound.unwrap_or(0));
        // A solver's bound is a little below what it proves.
        if cost - bound.min(cost) <= cost / SOLVED {
            let (contents, columns) = (best.contents.clone(), best.contents.len());
            return Ok(Some(Solved { contents, bound: bound.min(cost), rounds: 0, columns }));
        }
    }
    let open = problem.open();
    let mut master = Master::new(problem);
    master.begin(&open);
    let mut bound = master.by_resources(&open)?;
    let mut spent = 0;
    let built = |bound: &Bound, spent: &mut u64| {
        construct(problem, &mut open.clone(), &bound.worths, u128::MAX, spent)
    };
    let mut best = built(&bound, &mut spent);
    keep_cheaper(problem, &mut best, small.map(|small| small.contents));
    // Never dearer than what is usual.
    keep_cheaper(problem, &mut best, first_fit(problem));
    for content in best.iter().flatten() {
        master.add(content.clone());
    }
    let is_enough = |best: &Option<Vec<Content>>, bound: &Bound| {
        best.as_ref().is_some_and(|best| problem.cost(best) <= enough(bound.cost))
    };
    if problem.shapes.len() <= GENERATED && !is_enough(&best, &bound) {
        let until = Until { rounds: 300, gap_ppm: 300, exact: true, work: PROGRAMS };
        if let Some((_, better)) = master.generate(&open, bound.clone(), until)? {
            bound = better;
        }
        let others = [dive(&mut master, PROGRAMS)?, built(&bound, &mut spent)];
        let mut others = Vec::from(others);
        if master.contents.len() <= CHOSEN {
            let chosen = exact::choose(problem, &master.contents)?;
            others.push(chosen.map(|chosen| chosen.contents));
        }
        for other in others {
            keep_cheaper(problem, &mut best, other);
        }
    }
    let Some(mut contents) = best else { return Ok(None) };
    improve(problem, &mut contents, &bound.worths, enough(bound.cost), IMPROVED);
    let (rounds, columns) = (master.rounds, master.contents.len());
    Ok(Some(Solved { contents, bound: bound.cost, rounds, columns }))
}

fn keep_cheaper(problem: &Problem, best: &mut Option<Vec<Content>>, other: Option<Vec<Content>>) {
    let Some(other) = other else { return };
    if best.as_ref().is_none_or(|best| problem.cost(&other) < problem.cost(best)) {
        *best = Some(other);
    }
}

const fn enough(bound: u128) -> u128 {
    bound + bound * ENOUGH_PPM / 1_000_000
}
