//! The cheapest choice of labels, in time: dynamic programming where tables are small, else branch
//! and bound over a lower bound that is raised step by step.
//!
//! Deadlines enter the bound as prices of time (`prices.rs`). Labels that cannot be in time
//! whatever else is chosen go first, and then those with which nothing is cheaper than the best
//! choice so far. Everything is integer arithmetic, so bounds are exact. Work is counted, never
//! time. Start at [`cheapest`]; what is done where tables are too large is in `branch.rs`.

use super::amount::Amount;
use super::eliminate::exact;
use super::energy::{Energy, Pair};
use super::neighbourhood::Walk;
use super::polish::Polish;
use super::problem::Problem;
use super::timing::{NEVER, Timing};
use std::borrow::Cow;

/// Entries of tables that dynamic programming may have at once, before anything else is tried.
pub(crate) const SMALL: usize = 1 << 20;

/// The part of a cost, one of so many, that a search which is content with being near leaves
/// unproven.
const NEAR: usize = 250;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The best choice and its cost; `None` where there is none in time, or none was found.
    pub(crate) best: Option<(i128, Vec<usize>)>,
    /// No choice in time costs less; `None`: no choice is in time.
    pub(crate) bound: Option<i128>,
    /// How it was found.
    pub(crate) method: &'static str,
    /// Branches.
    pub(crate) nodes: u64,
    /// Entries of tables that were read.
    pub(crate) work: u64,
}

impl Found {
    /// Whether nothing is left to search.
    pub(crate) fn is_proven(&self) -> bool {
        match (&self.best, self.bound) {
            (Some((cost, _)), Some(bound)) => bound >= *cost,
            (None, None) => true,
            _ => false,
        }
    }
}

/// The sums of a problem do not fit 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The cheapest choice in which every task ends by its `due` time, within `work_max` entries of
/// tables read. A `seed` that is in time is where the search starts from.
pub(crate) fn cheapest(
    problem: &Problem,
    due: Option<&[i64]>,
    seed: Option<&[usize]>,
    work_max: u64,
) -> Result<Found, TooLarge> {
    cheaper(problem, due, seed, None, work_max)
}

/// As [`cheapest`], but done when a choice is found that costs no more than `enough`, or when
/// there is none.
pub(crate) fn cheaper(
    problem: &Problem,
    due: Option<&[i64]>,
    seed: Option<&[usize]>,
    enough: Option<i128>,
    work_max: u64,
) -> Result<Found, TooLarge> {
    let most = |costs: &Vec<i128>| costs.iter().copied().max().unwrap_or(0);
    let parts = problem.unary.iter().map(most).chain(problem.pairs.iter().map(|it| it.2.most()));
    let total = parts.into_iter().try_fold(0_i128, i128::checked_add).ok_or(TooLarge)?;
    let reach = total.checked_add(1).and_then(|total| total.checked_mul(2)).ok_or(TooLarge)?;
    let mut spent = 0;
    if <i64 as Amount>::of(reach).is_some() {
        let search = Search::<i64>::new(problem, due, work_max).ok_or(TooLarge)?;
        let (found, strained) = search.below(enough).run(seed);
        if !strained {
            return Ok(found);
        }
        spent = found.work;
    }
    let search = Search::<i128>::new(problem, due, work_max).ok_or(TooLarge)?;
    let (mut found, strained) = search.below(enough).run(seed);
    found.work += spent;
    if strained { Err(TooLarge) } else { Ok(found) }
}

/// A search in progress.
pub(crate) struct Search<'p, A> {
    /// The problem with the labels that are still in play, each called by its position.
    pub(crate) base: Energy<A>,
    pub(crate) timing: Cow<'p, Timing>,
    pub(crate) due: Option<Vec<i64>>,
    /// What the caller calls these labels.
    pub(crate) names: Vec<Vec<usize>>,
    /// The cheapest choice so far, as the caller calls it.
    pub(crate) best: Option<(A, Vec<usize>)>,
    /// Whatever costs less is good enough, and nothing else is.
    pub(crate) limit: Option<A>,
    /// More than any choice costs: whatever costs so much is late.
    pub(crate) most: A,
    /// What was considered last.
    pub(crate) last: Vec<usize>,
    /// The most that a millisecond may cost, so that no sum of such prices is too large.
    pub(crate) price_max: i128,
    pub(crate) work: u64,
    pub(crate) work_max: u64,
    pub(crate) nodes: u64,
    pub(crate) walk: Walk,
    /// Whether it is of the whole problem, and not of a neighbourhood.
    pub(crate) whole: bool,
    /// Whether a part of a cost can be left unproven, and whether it is: see [`Search::mark`].
    pub(crate) even: bool,
    pub(crate) near: bool,
    /// The least bound of all that was left because it is near enough.
    pub(crate) left: A,
}

impl<'p, A: Amount> Search<'p, A> {
    fn new(problem: &'p Problem, due: Option<&[i64]>, work_max: u64) -> Option<Self> {
        let narrow = |costs: &Vec<i128>| costs.iter().map(|cost| A::of(*cost)).collect();
        let unary: Option<Vec<Vec<A>>> = problem.unary.iter().map(narrow).collect();
        let unary = unary?;
        let mut pairs = Vec::with_capacity(problem.pairs.len());
        for (u, v, costs) in &problem.pairs {
            pairs.push(Pair::new((*u, *v), costs.narrow()?, &problem.groups));
        }
        let base = Energy::new(unary, problem.groups.clone(), pairs);
        let greatest = |costs: &[A]| costs.iter().map(|cost| cost.wide()).max().unwrap_or(0);
        let total: i128 = base.unary.iter().map(|costs| greatest(costs)).sum::<i128>()
            + base.pairs.iter().map(|pair| pair.most().wide()).sum::<i128>();
        let due = due.filter(|due| due.iter().any(|due| *due != NEVER)).map(<[i64]>::to_vec);
        let names = base.unary.iter().map(|unary| (0..unary.len()).collect()).collect();
        let timing = Cow::Borrowed(&problem.timing);
        let (best, work, nodes) = (None, 0, 0);
        let (most, last) = (A::of(total + 1)?, Vec::new());
        Some(Self {
            base,
            timing,
            due,
            names,
            best,
            limit: None,
            most,
            last,
            price_max: 0,
            work,
            work_max,
            nodes,
            walk: Walk::START,
            whole: true,
            even: problem.even,
            near: false,
            left: A::HUGE,
        })
    }

    /// Only choices that cost no more than this are wanted, and one is enough.
    fn below(mut self, enough: Option<i128>) -> Self {
        self.limit = enough.and_then(|most| A::of(most.checked_add(1)?));
        self
    }

    /// What was found, and whether that counts for nothing as sums are too large for this width.
    fn run(mut self, seed: Option<&[usize]>) -> (Found, bool) {
        if let Some(due) = &self.due {
            let Some(alive) = self.timing.in_time(&self.names, due) else {
                return (self.found(None, "no choice is in time"), false);
            };
            self.focus(&alive);
            let longest = self.timing.longest(due_last(self.due.as_deref()));
            self.price_max = A::HUGE.wide() / 8 / i128::from(longest.max(1));
        }
        if self.is_loose() {
            self.due = None;
        }
        if self.due.is_none()
            && let Some(choice) = self.exact(None, SMALL)
        {
            let cost = self.base.sum(&choice);
            self.best = Some((cost, self.named(&choice)));
            return (self.found(Some(cost.wide()), "dynamic programming"), false);
        }
        if let Some(seed) = seed {
            let inside = seed.iter().zip(&self.names).map(|(label, names)| {
                // A label that is not in play is not in time.
                names.binary_search(label).ok()
            });
            let inside: Option<Vec<usize>> = inside.collect();
            if let Some(choice) = inside {
                self.consider(&choice);
            }
        }
        self.consider_fastest();
        self.searched()
    }

    /// The cheapest choice of an energy, or of all of it, where small tables are enough.
    pub(crate) fn exact(&mut self, of: Option<&Energy<A>>, most: usize) -> Option<Vec<usize>> {
        let (work, choice) = exact(of.unwrap_or(&self.base), most);
        self.work += work;
        choice
    }

    /// Forgets all labels but those at these positions.
    pub(crate) fn focus(&mut self, keep: &[Vec<usize>]) {
        self.base = self.base.restricted(keep);
        self.base.rename();
        self.timing = Cow::Owned(self.timing.restricted(keep));
        for (names, keep) in self.names.iter_mut().zip(keep) {
            *names = keep.iter().map(|at| names[*at]).collect();
        }
        self.last = Vec::new();
        self.work += self.base.cells() as u64;
    }

    /// The best choice so far by positions, where all of its labels are in play.
    pub(crate) fn best_here(&self) -> Option<Vec<usize>> {
        let (_, choice) = self.best.as_ref()?;
        self.names
            .iter()
            .zip(choice)
            .map(|(names, label)| names.binary_search(label).ok())
            .collect()
    }

    /// A choice as the caller calls it.
    pub(crate) fn named(&self, choice: &[usize]) -> Vec<usize> {
        self.names.iter().zip(choice).map(|(names, at)| names[*at]).collect()
    }

    /// Whether even the slowest labels are in time.
    fn is_loose(&self) -> bool {
        let Some(due) = &self.due else { return true };
        let timed = self.timing.links.iter().any(|link| link.delay.is_some());
        let slowest =
            |run: &Vec<i64>| (0..run.len()).max_by_key(|label| run[*label]).unwrap_or_default();
        let choice: Vec<usize> = self.timing.run.iter().map(slowest).collect();
        !timed && self.timing.latest(&choice, due).is_none()
    }

    /// The fastest labels, which are in time if any are where no transfer takes time.
    fn consider_fastest(&mut self) {
        if self.due.is_none() {
            return;
        }
        let fastest = |(run, costs): (&Vec<i64>, &Vec<A>)| {
            (0..run.len()).min_by_key(|label| (run[*label], costs[*label])).unwrap_or_default()
        };
        let choice: Vec<usize> =
            self.timing.run.iter().zip(&self.base.unary).map(fastest).collect();
        self.consider(&choice);
    }

    /// Takes a choice, made better by single moves and brought in time if it is not, if it is the
    /// best so far.
    pub(crate) fn consider(&mut self, choice: &[usize]) {
        if self.last == choice {
            return;
        }
        self.last = choice.to_vec();
        let polish = Polish {
            energy: &self.base,
            timing: self.due.as_ref().map(|due| (&*self.timing, due.as_slice())),
        };
        let (work, better) = polish.improved(choice.to_vec());
        self.work += work;
        if let Some((cost, choice)) = better
            && self.best.as_ref().is_none_or(|(best, _)| cost < *best)
        {
            self.best = Some((cost, self.named(&choice)));
        }
    }

    /// The least cost that is not worth looking for.
    pub(crate) fn ceiling(&self) -> A {
        self.limit.unwrap_or(self.most).min(self.cost())
    }

    /// What costs at least this much is not looked at: the ceiling, or, in a search that is content
    /// with being near, a little less. What is left for that is remembered in `left`.
    pub(crate) fn mark(&self) -> A {
        let ceiling = self.ceiling();
        if self.near { ceiling.minus(ceiling.share(NEAR)) } else { ceiling }
    }

    /// Remembers the bound of something that is not looked at.
    pub(crate) fn leave(&mut self, bound: A) {
        self.left = self.left.min(bound);
    }

    /// What the best choice so far costs.
    pub(crate) fn cost(&self) -> A {
        self.best.as_ref().map_or(A::HUGE, |(cost, _)| *cost)
    }

    /// Whether the work is spent, or what was found is good enough.
    pub(crate) fn is_over(&self) -> bool {
        self.base.strained
            || self.work > self.work_max
            || self.limit.is_some_and(|limit| self.cost() < limit)
    }

    /// What was found, with what is proven of it.
    pub(crate) fn found(self, bound: Option<i128>, method: &'static str) -> Found {
        let best = self.best.map(|(cost, choice)| (cost.wide(), choice));
        Found { best, bound, method, nodes: self.nodes, work: self.work }
    }
}

/// When the last task is due.
fn due_last(due: Option<&[i64]>) -> i64 {
    let due = due.unwrap_or_default().iter().copied().filter(|due| *due != NEVER);
    due.max().unwrap_or(0)
}
