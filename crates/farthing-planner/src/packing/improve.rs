//! Takes some machines apart and packs what was on them anew, as long as that pays (large
//! neighbourhood search; Shaw, 1998). The order is drawn from a fixed seed, so that the same input
//! gives the same packing.

use super::problem::{Content, Problem};
use super::whole::construct;
use farthing_model::Draw;

/// Machines that are taken apart at a time, at least and at most.
const APART: (usize, usize) = (2, 5);
/// Tries without any gain after which no more are made, for each machine, and at most.
const STALE: (usize, usize) = (6, 1_000);
/// Worths are varied by this many thousandths in both directions.
const VARIED: u64 = 50;

/// Improves a packing until it costs `enough` or less, or `work` is done.
pub(super) fn improve(
    problem: &Problem,
    contents: &mut Vec<Content>,
    worths: &[u64],
    enough: u128,
    mut work: u64,
) {
    let mut draw = Draw::new(7);
    let mut open = problem.open();
    for content in &*contents {
        open.take(content);
    }
    let mut cost = problem.cost(contents);
    let mut stale = 0;
    while cost > enough && work > 0 && contents.len() >= APART.0 {
        if stale > (STALE.0 * contents.len()).min(STALE.1) {
            break;
        }
        stale += 1;
        let mut apart = chosen(problem, contents, worths, &mut draw);
        let mut tried = open.clone();
        for at in &apart {
            tried.give_back(&contents[*at]);
        }
        let was: u128 =
            apart.iter().map(|at| u128::from(problem.machines[contents[*at].machine].price)).sum();
        let varied: Vec<u64> = worths
            .iter()
            .map(|worth| {
                let by = u64::try_from(draw.below(101)).unwrap_or(0) + 1_000 - VARIED;
                u64::try_from(u128::from(*worth) * u128::from(by) / 1_000).unwrap_or(*worth)
            })
            .collect();
        let mut spent = 1;
        let anew = construct(problem, &mut tried, &varied, was, &mut spent);
        work = work.saturating_sub(spent);
        let Some(anew) = anew else { continue };
        apart.sort_unstable_by(|a, b| b.cmp(a));
        for at in apart {
            contents.swap_remove(at);
        }
        contents.extend(anew);
        (open, stale) = (tried, 0);
        cost = problem.cost(contents);
    }
}

/// Some machines, those that cost most above what they hold more often.
fn chosen(problem: &Problem, contents: &[Content], worths: &[u64], draw: &mut Draw) -> Vec<usize> {
    let waste = |at: usize| {
        let content = &contents[at];
        let held: u128 =
            content.counts.iter().map(|(s, n)| u128::from(worths[*s]) * u128::from(*n)).sum();
        u128::from(problem.machines[content.machine].price).saturating_sub(held)
    };
    let many = (APART.0 + draw.below(APART.1 - APART.0 + 1)).min(contents.len());
    let mut chosen = Vec::with_capacity(many);
    while chosen.len() < many {
        let (one, other) = (draw.below(contents.len()), draw.below(contents.len()));
        let at = if draw.below(2) == 0 && waste(other) > waste(one) { other } else { one };
        if !chosen.contains(&at) {
            chosen.push(at);
        }
    }
    chosen
}
