//! The search against trying everything.

use super::groups::Groups;
use super::problem::{Costs, Problem};
use super::search::{Found, cheapest};
use super::timing::{Link, NEVER, Timing};

/// A small generator, the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn signed(&mut self, end: u64) -> i64 {
        i64::try_from(self.below(end)).unwrap()
    }
}

fn problem(dice: &mut Dice, tasks: usize, labels: u64, dense: u64) -> Problem {
    let sizes: Vec<usize> =
        (0..tasks).map(|_| usize::try_from(1 + dice.below(labels)).unwrap()).collect();
    let unary = sizes
        .iter()
        .map(|size| (0..*size).map(|_| i128::from(dice.below(1_000_000_000))).collect())
        .collect();
    let run = sizes.iter().map(|size| (0..*size).map(|_| dice.signed(50)).collect()).collect();
    let (mut pairs, mut links) = (Vec::new(), Vec::new());
    // Some labels share a group, and every group has one.
    let groups: Vec<Groups> = sizes
        .iter()
        .map(|size| {
            let count = 1 + usize::try_from(dice.below(*size as u64)).unwrap();
            Groups { of: (0..*size).map(|at| u32::try_from(at % count).unwrap()).collect(), count }
        })
        .collect();
    let timed = dice.below(3) == 0;
    for v in 0..tasks {
        for u in 0..v {
            if dice.below(100) >= dense {
                continue;
            }
            let entries = groups[u].count * groups[v].count;
            let cost = |_| i128::from(dice.below(600_000_000));
            let costs: Vec<i128> = (0..entries).map(cost).collect();
            let cells = (0..u32::try_from(entries).unwrap()).collect();
            pairs.push((u, v, Costs { cells, costs }));
            let delay = timed.then(|| (0..entries).map(|_| dice.signed(20)).collect());
            links.push(Link { from: u, to: v, delay });
        }
    }
    let timing = Timing::new((0..tasks).collect(), run, links, groups.clone());
    Problem { unary, groups, pairs, even: true, timing }
}

/// The least cost in time, by trying every choice.
fn exhaustive(problem: &Problem, due: Option<&[i64]>) -> Option<i128> {
    let sizes: Vec<usize> = problem.unary.iter().map(Vec::len).collect();
    let mut choice = vec![0; sizes.len()];
    let mut best: Option<i128> = None;
    loop {
        let mut cost: i128 = choice.iter().enumerate().map(|(v, x)| problem.unary[v][*x]).sum();
        for (u, v, costs) in &problem.pairs {
            let (rows, columns) = (&problem.groups[*u], &problem.groups[*v]);
            let cell = rows.at(choice[*u]) * columns.count + columns.at(choice[*v]);
            cost += costs.costs[costs.cells[cell] as usize];
        }
        if due.is_none_or(|due| problem.timing.latest(&choice, due).is_none()) {
            best = Some(best.map_or(cost, |best| best.min(cost)));
        }
        let Some(at) = (0..sizes.len()).rev().find(|at| choice[*at] + 1 < sizes[*at]) else {
            return best;
        };
        choice[at] += 1;
        choice[at + 1..].fill(0);
    }
}

fn check(found: &Found, expect: Option<i128>, seed: u64) {
    assert!(found.is_proven(), "seed {seed}: {found:?}");
    assert_eq!(found.best.as_ref().map(|(cost, _)| *cost), expect, "seed {seed}: {found:?}");
}

#[test]
fn the_search_equals_trying_everything() {
    for seed in 0..600 {
        let mut dice = Dice(seed);
        let (tasks, dense) = (1 + usize::try_from(dice.below(5)).unwrap(), 30 + dice.below(71));
        let problem = problem(&mut dice, tasks, 8, dense);
        let found = cheapest(&problem, None, None, 100_000_000).unwrap();
        check(&found, exhaustive(&problem, None), seed);
        let due: Vec<i64> =
            (0..tasks).map(|_| if dice.below(2) == 0 { NEVER } else { dice.signed(140) }).collect();
        let found = cheapest(&problem, Some(&due), None, 100_000_000).unwrap();
        check(&found, exhaustive(&problem, Some(&due)), seed);
    }
}

#[test]
fn branching_alone_equals_dynamic_programming() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let problem = problem(&mut dice, 9, 7, 45);
        let exact = cheapest(&problem, None, None, 100_000_000).unwrap();
        // A deadline that binds nobody, on links that take time, keeps the search from the tables.
        let far = vec![1_000_000; 9];
        let mut timed = problem.clone();
        for link in &mut timed.timing.links {
            let (from, to) = (&problem.groups[link.from], &problem.groups[link.to]);
            link.delay = Some(vec![0; from.count * to.count]);
        }
        let found = cheapest(&timed, Some(&far), None, 1_000_000_000).unwrap();
        check(&found, exact.bound, seed);
    }
}
