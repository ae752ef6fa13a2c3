//! A choice made better by single moves, and brought in time if it is late.

use super::amount::Amount;
use super::energy::Energy;
use super::timing::Timing;

/// Sweeps over all tasks, at most.
const SWEEPS: usize = 12;

/// What a choice is judged by.
pub(crate) struct Polish<'p, A> {
    pub(crate) energy: &'p Energy<A>,
    /// Run times, and when each task is due.
    pub(crate) timing: Option<(&'p Timing, &'p [i64])>,
}

impl<A: Amount> Polish<'_, A> {
    /// The choice after all moves that pay, with its cost; `None` where it was late and no moves
    /// were found that bring it in time. The first number is the entries of tables read.
    pub(crate) fn improved(&self, mut choice: Vec<usize>) -> (u64, Option<(A, Vec<usize>)>) {
        let mut work = 0;
        if !self.in_time(&mut choice, &mut work) {
            return (work, None);
        }
        let mut stale = vec![true; choice.len()];
        for _ in 0..SWEEPS {
            if !self.sweep(&mut choice, &mut stale, &mut work) {
                break;
            }
        }
        (work, Some((self.energy.sum(&choice), choice)))
    }

    /// Moves each task around which something moved to the best label that is in time; whether any
    /// moved.
    fn sweep(&self, choice: &mut [usize], stale: &mut [bool], work: &mut u64) -> bool {
        let mut moved = false;
        let mut frame = self.frame(choice);
        for task in 0..choice.len() {
            if self.energy.unary[task].len() == 1 || !std::mem::take(&mut stale[task]) {
                continue;
            }
            let costs = self.energy.given(choice, task);
            let timed = if self.timing.is_some() { 3 } else { 1 };
            *work += (timed * costs.len() * (1 + self.energy.around(task).count())) as u64;
            let now = choice[task];
            let mut best = now;
            for label in 0..costs.len() {
                if costs[label] < costs[best] && self.fits(&frame, choice, task, label) {
                    best = label;
                }
            }
            if best != now {
                choice[task] = best;
                moved = true;
                if self.timing.is_some() {
                    // Slack moves along paths, to any task.
                    stale.fill(true);
                } else {
                    self.energy.around(task).for_each(|(_, other)| stale[other] = true);
                }
                frame = self.frame(choice);
                *work += self.timing.map_or(0, |(timing, _)| 4 * timing.links.len()) as u64;
            }
        }
        moved
    }

    /// Starts and latest ends of a choice; empty where nothing is due.
    fn frame(&self, choice: &[usize]) -> (Vec<i64>, Vec<i64>) {
        let Some((timing, due)) = self.timing else { return (Vec::new(), Vec::new()) };
        (timing.starts(choice), timing.limits(choice, due))
    }

    fn fits(
        &self,
        (starts, limits): &(Vec<i64>, Vec<i64>),
        choice: &[usize],
        task: usize,
        label: usize,
    ) -> bool {
        let Some((timing, due)) = self.timing else { return true };
        let start = timing.start(starts, choice, task, label);
        start + timing.run[task][label] <= timing.limit(limits, choice, due, (task, label))
    }

    /// Shortens the path that is late by the moves that cost least for the time they gain.
    fn in_time(&self, choice: &mut [usize], work: &mut u64) -> bool {
        let Some((timing, due)) = self.timing else { return true };
        for _ in 0..4 * choice.len() {
            let Some((last, by)) = timing.latest(choice, due) else { return true };
            let path = timing.path_to(choice, last);
            *work += 4 * timing.links.len() as u64;
            let mut best: Option<(i128, i128, usize, usize)> = None;
            for (at, task) in path.tasks.iter().enumerate() {
                if self.energy.unary[*task].len() == 1 {
                    continue;
                }
                let costs = self.energy.given(choice, *task);
                *work += (costs.len() * 4) as u64;
                let length = |label: usize| {
                    let before = at.checked_sub(1).map_or(0, |before| {
                        timing.delay(path.links[before], choice[path.tasks[before]], label)
                    });
                    let after = path
                        .links
                        .get(at)
                        .map_or(0, |link| timing.delay(*link, label, choice[path.tasks[at + 1]]));
                    before + timing.run[*task][label] + after
                };
                let now = length(choice[*task]);
                for label in 0..costs.len() {
                    let gain = i128::from((now - length(label)).min(by));
                    if gain <= 0 {
                        continue;
                    }
                    let dearer = costs[label].minus(costs[choice[*task]]).wide();
                    let better = best.is_none_or(|(other, gains, _, _)| {
                        dearer.saturating_mul(gains) < other.saturating_mul(gain)
                    });
                    if better {
                        best = Some((dearer, gain, *task, label));
                    }
                }
            }
            let Some((_, _, task, label)) = best else { return false };
            choice[task] = label;
        }
        timing.latest(choice, due).is_none()
    }
}
