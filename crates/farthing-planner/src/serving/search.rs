//! The optimum by branch and bound over whole numbers of replicas, then over whole slices.
//!
//! Branches wait in the order of what is proven about them. Each is relaxed from the basis of the
//! branch it came from; its prices give a bound in whole numbers, and its division, rounded up, a
//! choice. The work is limited and the limit is in the answer, with the bound that was proven.

mod division;
mod lattice;

use super::bound::Bound;
use super::fixed::ONE;
use super::narrow::{Narrowed, narrow};
use super::pack::Manner;
use super::problem::{Problem, Refused, Shares};
use super::relax::Relaxation;
use super::round::Rounding;
use super::state::{End, Part, Relaxed, State};
use lattice::Cuts;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

pub(super) use lattice::Cut;

/// A fraction of a replica that counts as none.
const WHOLE: i64 = 1 << 20;

/// Simplex iterations of one search; one takes a few microseconds.
const ROUNDS_MAX: u64 = 30_000;
/// Branches after which slices are looked for around the best counts, then after four times more.
const LOOK_FIRST: u64 = 40;
/// The part of all branches that the same problem without slices may have before.
const DIVIDED_PART: u64 = 8;
/// Branches of which one is rounded to slices that does not have to be.
const ROUND_EVERY: u64 = 8;
/// How slices are fitted in a branch, and where counts were chosen for them.
const HASTY: [Manner; 1] = [Manner { patience: 8, waste: 2 }];
const PATIENT: [Manner; 3] = [
    Manner { patience: 40, waste: 2 },
    Manner { patience: 40, waste: 0 },
    Manner { patience: 40, waste: 16 },
];
/// Improvements in one look around, and counts tried for each.
const LOOKS_MAX: u32 = 8;
const NEAR_MAX: usize = 20;

/// Why a search ended before it had proven its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// At its limit of branches.
    Branches,
    /// At the limit of its digits.
    Digits,
    /// Where queues need more than the bound knows of.
    Queue,
}

/// A choice with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Solution {
    /// Replicas by kind.
    pub(crate) counts: Vec<i64>,
    /// Who takes what of each bucket, in parts of it.
    pub(crate) shares: Shares,
    /// What the counts cost, in 10^-12.
    pub(crate) cost: i128,
    /// No choice costs less.
    pub(crate) bound: i128,
    /// The part of the bound that is proven in whole numbers.
    pub(crate) certified: i128,
    /// Branches that were relaxed.
    pub(crate) branches: u64,
    /// Simplex iterations of all of them.
    pub(crate) rounds: u64,
    /// The limit that was hit; `None` where the choice is proven to be the cheapest.
    pub(crate) stopped: Option<Stopped>,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a choice.
    Solved(Solution),
    /// No choice satisfies all limits; proven.
    Infeasible,
    /// No choice was found, and that there is none was not proven.
    Open(Stopped),
    /// The problem was refused.
    Refused(Refused),
}

/// Solves a problem, relaxing at most so many branches.
pub(crate) fn solve(problem: &Problem, branches_max: u64) -> Outcome {
    if let Err(refused) = problem.validate() {
        return Outcome::Refused(refused);
    }
    let mut search = Search::new(problem, branches_max);
    if problem.slices.is_some() {
        // Slices are never cheaper than any division, whose search is short.
        let divided = Problem { slices: None, ..problem.clone() };
        match Search::new(&divided, branches_max / DIVIDED_PART).run() {
            Outcome::Solved(divided) => search.above(divided),
            Outcome::Infeasible => return Outcome::Infeasible,
            Outcome::Open(_) | Outcome::Refused(_) => {}
        }
    }
    search.run()
}

/// A branch that waits, the most promising first.
struct Branch {
    bound: i128,
    depth: u32,
    number: u64,
    state: State,
}

impl Ord for Branch {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |branch: &Self| (branch.bound, std::cmp::Reverse(branch.depth), branch.number);
        key(other).cmp(&key(self))
    }
}

impl PartialOrd for Branch {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Branch {}

struct Search<'p> {
    problem: &'p Problem,
    relaxation: Relaxation,
    bound: Bound<'p>,
    best: Option<(i128, Vec<i64>, Shares)>,
    waiting: BinaryHeap<Branch>,
    /// Nothing costs less, as is known from the problem without slices.
    floor: i128,
    /// Counts that carry any division for that.
    hint: Option<Vec<i64>>,
    /// The least bound of branches that were given up.
    given_up: Option<i128>,
    /// Prices of the first relaxation: those of branches whose counts are fixed say little.
    root_prices: Option<Vec<i64>>,
    branches: u64,
    rounds: u64,
    branches_max: u64,
    numbered: u64,
    cuts: Cuts,
}

impl<'p> Search<'p> {
    fn new(problem: &'p Problem, branches_max: u64) -> Self {
        Self {
            problem,
            relaxation: Relaxation::new(problem),
            bound: Bound::new(problem),
            best: None,
            waiting: BinaryHeap::new(),
            floor: 0,
            hint: None,
            given_up: None,
            root_prices: None,
            branches: 0,
            rounds: 0,
            branches_max,
            numbered: 0,
            cuts: Cuts::default(),
        }
    }

    /// Starts from the answer to the same problem without slices.
    fn above(&mut self, divided: Solution) {
        self.floor = divided.bound;
        self.hint = Some(divided.counts);
    }

    fn run(mut self) -> Outcome {
        let root = self.root();
        self.one_kind_alone();
        if let Some(counts) = self.hint.take() {
            self.fit(&root, counts);
        }
        self.push(self.floor, 0, root.clone());
        let (mut stopped, mut look) = (None, LOOK_FIRST);
        while let Some(branch) = self.waiting.pop() {
            if self.closed(branch.bound) {
                break;
            }
            if self.problem.slices.is_some() && self.branches >= look {
                look *= 4;
                self.look_around(&root, branch.bound);
            }
            if self.branches >= self.branches_max || self.rounds >= ROUNDS_MAX {
                stopped = Some(Stopped::Branches);
                self.give_up(branch.bound);
                break;
            }
            self.expand(&root, branch);
        }
        self.outcome(stopped)
    }

    /// Starts from what is cheapest of one kind alone.
    fn one_kind_alone(&mut self) {
        let problem = self.problem;
        for kind in 0..problem.kinds.len() {
            let mut row = vec![0; problem.kinds.len()];
            row[kind] = problem.parts();
            let shares = vec![row; problem.loads.len()];
            let Some(mut counts) = problem.counts(&shares) else { continue };
            for (count, it) in counts.iter_mut().zip(&problem.kinds) {
                *count = (*count).max(it.fewest);
            }
            let missing = problem.least - counts.iter().sum::<i64>();
            counts[kind] += missing.max(0);
            self.keep(counts, shares);
        }
    }

    /// Keeps a choice that is allowed and cheaper than the best.
    fn keep(&mut self, counts: Vec<i64>, shares: Shares) {
        let cost = self.problem.cost(&counts);
        let better = self.best.as_ref().is_none_or(|(best, ..)| cost < *best);
        if better && self.problem.carries(&counts, &shares) {
            self.best = Some((cost, counts, shares));
        }
    }

    /// Looks for slices in counts near the best ones that cost less, cheapest first.
    fn look_around(&mut self, root: &State, bound: i128) {
        for _ in 0..LOOKS_MAX {
            let Some((cost, counts, _)) = self.best.clone() else { return };
            let mut near: Vec<(i128, Vec<i64>)> = self
                .neighbours(&counts)
                .into_iter()
                .map(|counts| (self.problem.cost(&counts), counts))
                .filter(|(near, _)| (bound..cost).contains(near))
                .collect();
            near.sort();
            near.dedup();
            near.retain(|(_, counts)| self.cuts.allow(counts));
            near.truncate(NEAR_MAX);
            for (_, counts) in near {
                self.fit(root, counts);
                if self.best.as_ref().is_some_and(|(best, ..)| *best < cost) {
                    break;
                }
            }
            if self.best.as_ref().is_none_or(|(best, ..)| *best == cost) {
                return;
            }
        }
    }

    /// Looks for slices in these counts.
    fn fit(&mut self, root: &State, counts: Vec<i64>) {
        let mut state = root.clone();
        (state.lower, state.upper) = (counts.clone(), counts);
        let relaxed = self.relax(&mut state, true);
        self.rounds += u64::from(relaxed.rounds);
        if relaxed.end == End::Optimal {
            self.round(&state, &relaxed, 0, &PATIENT);
        }
    }

    /// Counts with one replica less and up to two more, or two less and one more.
    fn neighbours(&self, counts: &[i64]) -> Vec<Vec<i64>> {
        let kinds = counts.len();
        let mut found = Vec::new();
        let mut note = |less: [usize; 2], more: [usize; 2]| {
            let mut near = counts.to_vec();
            for kind in less.into_iter().filter(|kind| *kind < kinds) {
                near[kind] -= 1;
            }
            for kind in more.into_iter().filter(|kind| *kind < kinds) {
                near[kind] += 1;
            }
            let inside = near.iter().zip(&self.problem.kinds);
            if inside.clone().all(|(count, it)| (it.fewest..=it.most).contains(count)) {
                found.push(near);
            }
        };
        // A kind beyond the last one stands for none.
        for less in 0..kinds {
            for more in 0..=kinds {
                for other in more..=kinds {
                    note([less, kinds], [more, other]);
                }
                for second in less..kinds {
                    note([less, second], [more, kinds]);
                }
            }
        }
        found
    }

    fn outcome(self, stopped: Option<Stopped>) -> Outcome {
        let open = self.given_up;
        let stopped = stopped.or(open.map(|_| Stopped::Digits));
        let Some((cost, counts, shares)) = self.best else {
            return stopped.map_or(Outcome::Infeasible, Outcome::Open);
        };
        let bound = open.map_or(cost, |open| open.min(cost));
        let stopped = stopped.filter(|_| bound < cost);
        let (branches, rounds) = (self.branches, self.rounds);
        let certified = bound;
        Outcome::Solved(Solution {
            counts,
            shares,
            cost,
            bound,
            certified,
            branches,
            rounds,
            stopped,
        })
    }

    fn root(&self) -> State {
        let served = |loads: &[Option<i128>]| {
            let kinds = loads.iter().enumerate().filter(|(_, load)| load.is_some());
            kinds.fold(0_u64, |all, (kind, _)| all | 1 << kind)
        };
        let slices = self.problem.slices.unwrap_or(1);
        let buckets = self.problem.loads.iter().enumerate();
        let parts = buckets.map(|(bucket, loads)| Part { bucket, slices, kinds: served(loads) });
        let upper = self.problem.kinds.iter().enumerate().map(|(kind, it)| {
            let all: i128 = self.problem.loads.iter().filter_map(|loads| loads[kind]).sum();
            let needed = i64::try_from(all / self.problem.room + 1).unwrap_or(i64::MAX);
            it.most.min(needed.max(self.problem.least).max(it.fewest))
        });
        let lower = self.problem.kinds.iter().map(|kind| kind.fewest).collect();
        self.relaxation.root(parts.collect(), lower, upper.collect())
    }

    fn push(&mut self, bound: i128, depth: u32, state: State) {
        self.numbered += 1;
        self.waiting.push(Branch { bound, depth, number: self.numbered, state });
    }

    /// Whether nothing below a bound can be better than what is known.
    fn closed(&self, bound: i128) -> bool {
        self.best.as_ref().is_some_and(|(cost, ..)| bound >= *cost)
    }

    fn give_up(&mut self, bound: i128) {
        self.given_up = Some(self.given_up.map_or(bound, |open| open.min(bound)));
    }

    fn expand(&mut self, root: &State, branch: Branch) {
        let Branch { mut bound, depth, mut state, .. } = branch;
        match narrow(self.problem, &mut state, depth == 0) {
            Narrowed::Empty => return,
            Narrowed::Lost => {
                let State { parts, lower, upper, .. } = state;
                state = self.relaxation.root(parts, lower, upper);
            }
            Narrowed::Kept => {}
        }
        let settled = state.lower == state.upper;
        if settled {
            bound = bound.max(self.problem.cost(&state.lower));
            if self.closed(bound) || !self.cuts.allow(&state.lower) {
                return;
            }
        }
        let relaxed = self.relax(&mut state, settled);
        self.branches += 1;
        self.rounds += u64::from(relaxed.rounds);
        if let Some(cut) = self.bound.cut(&root.parts, &relaxed.prices) {
            self.cuts.add(cut);
        }
        if relaxed.end == End::Infeasible && self.bound.refutes(&state, &relaxed.prices) {
            return;
        }
        if relaxed.end != End::Infeasible {
            bound = bound.max(self.bound.cost(&state, &relaxed.prices).unwrap_or(bound));
            if self.closed(bound) {
                return;
            }
            if depth == 0 && relaxed.end == End::Optimal {
                self.root_prices = Some(relaxed.prices.clone());
            }
            self.round(&state, &relaxed, depth, &HASTY);
            if self.closed(bound) {
                return;
            }
            if let Some((best, ..)) = &self.best {
                self.bound.tighten(&mut state, &relaxed.prices, *best);
                if let Some(prices) = &self.root_prices {
                    self.bound.tighten(&mut state, prices, *best);
                }
            }
        }
        if let Some(children) = self.one_by_one(&state, bound) {
            for (bound, child) in children {
                self.push(bound, depth + 1, child);
            }
            return;
        }
        let Some(children) = self.division(&state, &relaxed) else {
            return self.give_up(bound);
        };
        for child in children {
            self.push(bound, depth + 1, child);
        }
    }

    /// A branch of settled counts for all of a branch that may be better than the best choice, if
    /// they are few.
    fn one_by_one(&mut self, state: &State, bound: i128) -> Option<Vec<(i128, State)>> {
        let (best, ..) = self.best.as_ref()?;
        let most = best - self.problem.grain();
        if state.lower == state.upper || self.between_rivals(state).is_some() {
            return None;
        }
        let counts = self.cuts.counts(self.problem, state, (bound, most))?;
        let branch = |counts: Vec<i64>| {
            let cost = self.problem.cost(&counts);
            (cost, State { lower: counts.clone(), upper: counts, ..state.clone() })
        };
        Some(counts.into_iter().map(branch).collect())
    }

    /// Relaxes a branch. Where its counts are settled nothing is left to choose but slices: then it
    /// is asked how little of these replicas would do, as what is wasted says which slices may be
    /// where.
    fn relax(&mut self, state: &mut State, settled: bool) -> Relaxed {
        if !settled || self.problem.slices.is_none() {
            return self.relaxation.solve(state);
        }
        let fewest = self.problem.kinds.iter().map(|kind| kind.fewest).collect();
        let lower = std::mem::replace(&mut state.lower, fewest);
        let mut relaxed = self.relaxation.solve(state);
        state.lower = lower;
        relaxed.replicas = state.lower.iter().map(|count| self.relaxation.units(*count)).collect();
        relaxed
    }

    /// Makes a choice of a relaxation and keeps it if it is the best.
    fn round(&mut self, state: &State, relaxed: &Relaxed, depth: u32, manners: &[Manner]) {
        let replicas = relaxed.replicas.iter().map(|units| self.relaxation.replicas(*units));
        let near: Vec<(i64, i64)> = replicas.collect();
        let whole = near.iter().all(|(_, rest)| (*rest).min(ONE - rest) <= WHOLE);
        // Slices are fitted where that can prove the branch, and now and then for a good start.
        let worth = whole || depth < 4 || self.branches.is_multiple_of(ROUND_EVERY);
        if self.problem.slices.is_some() && !worth {
            return;
        }
        let up = |(whole, rest): &(i64, i64)| whole + i64::from(*rest > WHOLE);
        let counts: Vec<i64> = near.iter().map(up).collect();
        let known = self.best.as_ref().map(|(cost, ..)| *cost);
        if self.problem.slices.is_some()
            && known.is_some_and(|known| self.problem.cost(&counts) >= known)
        {
            return;
        }
        let rounding = Rounding { problem: self.problem, state, relaxed, manners };
        if let Some((counts, shares)) = rounding.choice(&counts) {
            self.keep(counts, shares);
        }
    }
}
