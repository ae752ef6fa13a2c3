//! Better choices by large neighbourhoods: all tasks keep their labels but a few that hang
//! together, and these are searched to the end.
//!
//! The few are tasks around one task, by turns over edges and along the longest path through it,
//! as time is short along paths. Their number grows while parts are searched to the end and
//! shrinks where one is not.

use super::amount::Amount;
use super::search::Search;
use std::borrow::Cow;

/// Tasks that are free at first, and at most.
const FREE_MIN: usize = 4;
const FREE_MAX: usize = 40;

/// Where the walk over neighbourhoods stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    seed: usize,
    free: usize,
    /// Neighbourhoods in a row without anything better.
    idle: usize,
}

impl Walk {
    pub(crate) const START: Self = Self { seed: 0, free: 8, idle: 0 };
}

impl<A: Amount> Search<'_, A> {
    /// Looks for something cheaper than the best choice so far within so much work, or until no
    /// neighbourhood of any task has anything.
    pub(crate) fn improve(&mut self, work: u64) {
        let until = (self.work + work).min(self.work_max);
        let tasks = self.base.unary.len();
        self.walk.idle = 0;
        while self.work < until && !self.is_over() && self.walk.idle < 2 * tasks {
            let Some(choice) = self.best_here() else { return };
            let seed = self.walk.seed;
            self.walk.seed = (seed + 1) % (2 * tasks);
            let free = if seed.is_multiple_of(2) {
                self.ball(seed / 2, self.walk.free)
            } else {
                self.along(seed / 2, self.walk.free, &choice)
            };
            self.walk.idle += 1;
            if free.len() < 2 {
                continue;
            }
            let keep: Vec<Vec<usize>> = (0..tasks)
                .map(|task| {
                    if free.contains(&task) {
                        (0..self.base.unary[task].len()).collect()
                    } else {
                        vec![choice[task]]
                    }
                })
                .collect();
            let part = self.part(&keep, work / 16);
            let found = part.branch_and_bound();
            self.work += found.work + 4 * (self.base.size() + 10 * tasks) as u64;
            self.walk.free = if found.is_proven() {
                (self.walk.free + 1).min(FREE_MAX)
            } else {
                (self.walk.free / 2).max(FREE_MIN)
            };
            if let Some((_, better)) = found.best {
                self.take(&better);
            }
        }
    }

    /// The search with only these labels.
    pub(crate) fn part(&self, keep: &[Vec<usize>], work_max: u64) -> Search<'_, A> {
        let mut base = self.base.restricted(keep);
        base.rename();
        Search {
            work: base.cells() as u64,
            base,
            timing: Cow::Owned(self.timing.restricted(keep)),
            due: self.due.clone(),
            names: keep.to_vec(),
            best: self.best_here().map(|choice| (self.cost(), choice)),
            limit: self.limit,
            most: self.most,
            last: Vec::new(),
            price_max: self.price_max,
            work_max,
            nodes: 0,
            walk: Walk::START,
            whole: false,
            even: false,
            near: false,
            left: A::HUGE,
        }
    }

    /// A choice as it is, if it is the cheapest so far.
    pub(crate) fn take(&mut self, choice: &[usize]) {
        let cost = self.base.sum(choice);
        if cost < self.cost() {
            self.best = Some((cost, self.named(choice)));
            self.walk.idle = 0;
        }
    }

    /// So many tasks around one that have a choice, the nearest first.
    fn ball(&self, seed: usize, most: usize) -> Vec<usize> {
        let mut reached = vec![seed];
        let mut at = 0;
        let has_choice = |task: &&usize| self.base.unary[**task].len() > 1;
        while at < reached.len() && reached.iter().filter(has_choice).count() < most {
            let task = reached[at];
            let near = self.base.around(task).map(|(_, other)| other);
            for other in near.chain(self.timing.beside(task)) {
                if !reached.contains(&other) {
                    reached.push(other);
                }
            }
            at += 1;
        }
        reached.iter().filter(has_choice).take(most).copied().collect()
    }

    /// So many tasks with a choice on the longest path through one, the nearest first.
    fn along(&self, seed: usize, most: usize, choice: &[usize]) -> Vec<usize> {
        let Some(due) = &self.due else { return self.ball(seed, most + most / 2) };
        let path = self.timing.longest_through(choice, due, seed).0.tasks;
        let middle = path.iter().position(|task| *task == seed).unwrap_or_default();
        let mut near: Vec<usize> = (0..path.len()).collect();
        near.sort_by_key(|at| at.abs_diff(middle));
        let tasks = near.into_iter().map(|at| path[at]);
        tasks.filter(|task| self.base.unary[*task].len() > 1).take(most).collect()
    }
}
