//! The cheapest slots of one job, exactly: dynamic programming over slots, slots that it has run,
//! pauses, and whether it runs.
//!
//! A job that cannot be paused runs without a gap, so that only its start is chosen. One that loses
//! nothing by a pause takes the cheapest slots there are. Between equals the earlier slots win.

use super::defer::{Deferrable, Pausing};

/// Pauses of a job that are thought of.
pub(super) const PAUSES_MAX: usize = 12;

/// What a slot costs the job: `None` where it cannot run.
pub(super) type SlotCost = Option<i128>;

/// The cheapest slots, counted from the job's first one, or `None` where it cannot be in time.
pub(super) fn cheapest(job: &Deferrable, costs: &[SlotCost], slot_s: i64) -> Option<Vec<usize>> {
    match job.pausing {
        Pausing::Never => gapless(job, costs, slot_s),
        Pausing::Loses(0) => freely(job.slots(slot_s, 0), costs),
        Pausing::Loses(_) => Table::new(job, costs, slot_s).best(),
    }
}

fn gapless(job: &Deferrable, costs: &[SlotCost], slot_s: i64) -> Option<Vec<usize>> {
    let needed = job.slots(slot_s, 0);
    // What runs and cannot be paused goes on.
    let starts = if job.running { 1 } else { (costs.len() + 1).checked_sub(needed)? };
    let at = |start: usize| {
        let run = costs.get(start..start + needed)?;
        Some((run.iter().copied().sum::<Option<i128>>()?, start))
    };
    let (_, start) = (0..starts).filter_map(at).min()?;
    Some((start..start + needed).collect())
}

fn freely(needed: usize, costs: &[SlotCost]) -> Option<Vec<usize>> {
    let mut open: Vec<(i128, usize)> =
        costs.iter().enumerate().filter_map(|(at, cost)| Some(((*cost)?, at))).collect();
    open.sort_unstable();
    let mut slots: Vec<usize> = open.get(..needed)?.iter().map(|(_, at)| *at).collect();
    slots.sort_unstable();
    Some(slots)
}

/// Least costs of what is left, by slots run, pauses and whether the job runs.
struct Table<'a> {
    costs: &'a [SlotCost],
    /// Slots needed with so many pauses.
    needed: Vec<usize>,
    begun: bool,
    running: bool,
    width: usize,
    /// For each slot: the least cost from its begin on.
    least: Vec<Vec<SlotCost>>,
}

impl<'a> Table<'a> {
    fn new(job: &Deferrable, costs: &'a [SlotCost], slot_s: i64) -> Self {
        let needed: Vec<usize> = (0..=PAUSES_MAX)
            .map(|pauses| job.slots(slot_s, pauses))
            .take_while(|needed| *needed <= costs.len())
            .collect();
        let width = needed.last().map_or(0, |most| most + 1);
        let mut table = Self {
            costs,
            needed,
            begun: job.begun || job.running,
            running: job.running,
            width,
            least: Vec::new(),
        };
        table.solve();
        table
    }

    fn place(&self, run: usize, pauses: usize, runs: bool) -> usize {
        (pauses * self.width + run) * 2 + usize::from(runs)
    }

    /// The pauses after running the next slot.
    fn pauses_after(&self, run: usize, pauses: usize, runs: bool) -> usize {
        let first = run == 0 && !self.begun;
        pauses + usize::from(!runs && !first)
    }

    fn solve(&mut self) {
        let states = self.needed.len() * self.width * 2;
        let mut least: Vec<Vec<SlotCost>> = vec![vec![None; states]; self.costs.len() + 1];
        for slot in (0..=self.costs.len()).rev() {
            for pauses in 0..self.needed.len() {
                for run in 0..=self.needed[pauses] {
                    for runs in [false, true] {
                        let cost = if run == self.needed[pauses] {
                            Some(0)
                        } else {
                            let next = least.get(slot + 1);
                            self.step(next, slot, (run, pauses, runs)).map(|(cost, _)| cost)
                        };
                        least[slot][self.place(run, pauses, runs)] = cost;
                    }
                }
            }
        }
        self.least = least;
    }

    /// The better of running and waiting in a slot; running where they are equal.
    fn step(
        &self,
        next: Option<&Vec<SlotCost>>,
        slot: usize,
        (run, pauses, runs): (usize, usize, bool),
    ) -> Option<(i128, bool)> {
        let next = next?;
        let wait = next[self.place(run, pauses, false)].map(|cost| (cost, true));
        let after = self.pauses_after(run, pauses, runs);
        let go = self.costs.get(slot).copied().flatten().and_then(|cost| {
            let known = self.needed.get(after).is_some_and(|needed| run < *needed);
            let rest = known.then(|| next[self.place(run + 1, after, true)]).flatten()?;
            Some((cost + rest, false))
        });
        let (cost, waits) = [go, wait].into_iter().flatten().min()?;
        Some((cost, !waits))
    }

    fn best(&self) -> Option<Vec<usize>> {
        if self.needed.is_empty() {
            return None;
        }
        let (mut run, mut pauses, mut runs) = (0, 0, self.running);
        let mut slots = Vec::new();
        for slot in 0..=self.costs.len() {
            if run == self.needed[pauses] {
                return Some(slots);
            }
            let (_, goes) = self.step(self.least.get(slot + 1), slot, (run, pauses, runs))?;
            if goes {
                slots.push(slot);
                pauses = self.pauses_after(run, pauses, runs);
                run += 1;
            }
            runs = goes;
        }
        None
    }
}
