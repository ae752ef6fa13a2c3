//! Prices of time: what a millisecond less on each path is worth.
//!
//! For any paths `P` that end at a task due at `D`, and any prices `w >= 0`, every choice in time
//! costs at least `min (cost + sum w (length of P - D))`, and the sum of run times in it only
//! shifts the costs of labels. Any prices give a bound; [`Prices::proposed`] looks for better ones.

use super::amount::Amount;
use super::energy::Energy;
use super::timing::{NEVER, Path, Timing};
use super::tradeoff::{Activity, Balance, balanced};

/// Entries that may be read in the time that making one of a table takes.
const TABLE: usize = 6;

/// Prices of paths, and what they add up to for each task and each link.
#[derive(Clone, Debug)]
pub(crate) struct Prices<A> {
    paths: Vec<(Path, i64, A)>,
    pub(crate) task: Vec<A>,
    link: Vec<A>,
}

impl<A: Amount> Prices<A> {
    /// Time is free.
    pub(crate) fn none(timing: &Timing) -> Self {
        let zero = A::default();
        let (task, link) = (vec![zero; timing.run.len()], vec![zero; timing.links.len()]);
        Self { paths: Vec::new(), task, link }
    }

    /// Whether the price of time on some link is in a table.
    pub(crate) fn couples(&self, timing: &Timing) -> bool {
        let links = self.link.iter().zip(&timing.links);
        links.into_iter().any(|(price, link)| *price > A::default() && link.delay.is_some())
    }

    /// Prices that would be right if tasks were on their own, each with what its labels seemed to
    /// cost more than the best in the last pass, and data took as long as in a choice.
    pub(crate) fn proposed(
        &self,
        energy: &Energy<A>,
        (timing, due): (&Timing, &[i64]),
        chosen: &[usize],
        price_max: i128,
    ) -> (Self, Balance) {
        let activity = |task: usize| {
            let price = self.task[task].wide();
            let labels = energy.labels[task].iter().zip(&energy.marginal[task]);
            let point = |(label, cost): (&u32, &A)| {
                let run = timing.run[task][*label as usize];
                (run, cost.wide() - price * i128::from(run))
            };
            Activity::new(labels.map(point).collect())
        };
        let activities: Vec<Activity> = (0..energy.labels.len()).map(activity).collect();
        let delay = |at: usize| {
            let link = &timing.links[at];
            timing.delay(at, chosen[link.from], chosen[link.to])
        };
        let delays: Vec<i64> = (0..timing.links.len()).map(delay).collect();
        let mut balance = balanced((timing, due), &activities, &delays, price_max);
        let price = |(path, due, price)| (path, due, A::of(price).unwrap_or_default());
        let paths = std::mem::take(&mut balance.paths).into_iter().map(price).collect();
        (Self { paths, task: self.task.clone(), link: self.link.clone() }, balance)
    }

    /// One of so many parts of the way to other prices.
    pub(crate) fn toward(&self, other: &Self, parts: usize) -> Self {
        let mut paths: Vec<(Path, i64, A)> = Vec::new();
        let here = self
            .paths
            .iter()
            .map(|(path, due, price)| (path, due, price.minus(price.share(parts))));
        let there = other.paths.iter().map(|(path, due, price)| (path, due, price.share(parts)));
        for (path, due, price) in here.chain(there) {
            match paths.iter_mut().find(|(other, _, _)| other == path) {
                Some((_, _, known)) => *known = known.plus(price),
                None => paths.push((path.clone(), *due, price)),
            }
        }
        paths.retain(|(_, _, price)| *price > A::default());
        Self { paths, task: self.task.clone(), link: self.link.clone() }
    }

    /// Takes the prices of paths, to be applied.
    pub(crate) fn adopt(&mut self, other: Self) {
        self.paths = other.paths;
    }

    /// Moves the costs of labels from the prices as they were applied last to those of now; how
    /// many entries that read.
    pub(crate) fn apply(&mut self, energy: &mut Energy<A>, timing: &Timing, due: &[i64]) -> u64 {
        let mut work = 0;
        let zero = A::default();
        let (mut task, mut link) = (vec![zero; timing.run.len()], vec![zero; timing.links.len()]);
        for (path, _, price) in &self.paths {
            for at in &path.tasks {
                task[*at] = task[*at].plus(*price);
            }
            for at in &path.links {
                link[*at] = link[*at].plus(*price);
            }
        }
        let horizon = due.iter().copied().filter(|due| *due != NEVER).max().unwrap_or(0);
        for (at, price) in task.iter().enumerate() {
            let by = price.minus(self.task[at]);
            if by != zero {
                work += timing.run[at].len();
                energy.add(at, |label| times(by, timing.run[at][label as usize]));
            }
        }
        for (at, price) in link.iter().enumerate() {
            let by = price.minus(self.link[at]);
            if by != zero && timing.links[at].delay.is_some() {
                let it = &timing.links[at];
                // A longer journey is late whatever it is priced at.
                let delay = |x: u32, y: u32| timing.delay(at, x as usize, y as usize).min(horizon);
                work += TABLE * energy.add_pair(it.from, it.to, |x, y| times(by, delay(x, y)));
            }
        }
        let owed = self.paths.iter();
        energy.owe(owed.fold(zero, |sum, (_, due, price)| sum.plus(times(*price, *due))));
        self.task = task;
        self.link = link;
        work as u64
    }
}

/// A price of a millisecond times a number of them.
fn times<A: Amount>(price: A, millis: i64) -> A {
    A::of(price.wide().saturating_mul(i128::from(millis))).unwrap_or(A::HUGE)
}
