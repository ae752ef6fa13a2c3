//! Prices of time: what a millisecond less on each path is worth.
//!
//! For any paths `P` that end at a task due at `D`, and any prices `w >= 0`, every choice in time
//! costs at least `min (cost + sum w (length of P - D))`, and the sum of run times in it only
//! shifts the costs of labels. Any prices give a bound; [`Prices::moved`] looks for better ones.

use super::amount::Amount;
use super::energy::Energy;
use super::timing::{NEVER, Path, Timing};

/// Entries that may be read in the time that making one of a table takes.
const TABLE: usize = 6;

/// Late paths of one choice that are priced, at most.
const PATHS: usize = 4;

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

    /// Whether time is free.
    pub(crate) fn is_none(&self) -> bool {
        self.paths.is_empty()
    }

    /// Moves the prices of paths by how late or early each is in a choice, so that all moves
    /// together are worth `gap`: time becomes dearer on paths that are late, and cheaper on those
    /// that are not. They never add up to more than `reach` for the longest path.
    pub(crate) fn moved(
        &mut self,
        (timing, due): (&Timing, &[i64]),
        chosen: &[usize],
        (gap, reach): (i128, i128),
    ) {
        for (path, due) in timing.late_paths(chosen, due, PATHS) {
            if self.paths.iter().all(|(other, _, _)| *other != path) {
                self.paths.push((path, due, A::default()));
            }
        }
        let over: Vec<i128> = self
            .paths
            .iter()
            .map(|(path, due, _)| i128::from(timing.length(path, chosen) - due))
            .collect();
        let norm = over.iter().fold(0_i128, |sum, over| sum.saturating_add(over * over)).max(1);
        let longest =
            over.iter().zip(&self.paths).map(|(over, (_, due, _))| over + i128::from(*due));
        let most = reach / longest.max().unwrap_or(1).max(1);
        let mut sum = 0_i128;
        for ((_, _, price), over) in self.paths.iter_mut().zip(&over) {
            let moved = price.wide() + gap.saturating_mul(*over) / norm;
            let moved = moved.clamp(0, most);
            sum += moved;
            *price = A::of(moved).unwrap_or_default();
        }
        if sum > most {
            let parts = usize::try_from(sum / most.max(1)).unwrap_or(1) + 1;
            for (_, _, price) in &mut self.paths {
                *price = price.share(parts);
            }
        }
        self.paths.retain(|(_, _, price)| *price > A::default());
    }

    /// Takes the prices of paths that another search of the same tasks has found.
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
