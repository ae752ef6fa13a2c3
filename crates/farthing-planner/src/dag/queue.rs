//! Tasks that wait for nodes which others hold.
//!
//! A choice that holds more nodes of an offer at once than there are costs no more if some of these
//! tasks wait until others have left. So where a choice is still in time with such waits, it is as
//! good as in a world with enough nodes. Which task waits for which is decided greedily: the one
//! that would start last for the one that ends first. Start at [`queued`].

use super::DagInput;
use super::available::overbooked;
use super::program::{Label, Program};
use super::timing::{Link, Timing};

/// Waits for each task, at most, of all together.
const WAITS_MAX: usize = 8;

impl Timing {
    /// The same where some tasks also wait for others; no such waits go in a circle.
    pub(crate) fn waiting(&self, waits: &[(usize, usize)]) -> Self {
        let link = |(from, to): &(usize, usize)| Link { from: *from, to: *to, delay: None };
        let links: Vec<Link> = self.links.iter().cloned().chain(waits.iter().map(link)).collect();
        let mut open = vec![0_usize; self.run.len()];
        for link in &links {
            open[link.to] += 1;
        }
        // In the order as it is, as far as the new links allow.
        let (mut order, mut left) = (Vec::with_capacity(open.len()), self.order.clone());
        while let Some(at) = left.iter().position(|task| open[*task] == 0) {
            let task = left.remove(at);
            for link in links.iter().filter(|link| link.from == task) {
                open[link.to] -= 1;
            }
            order.push(task);
        }
        self.with(order, links)
    }
}

impl Program<'_> {
    /// The same where some tasks also wait for others.
    pub(crate) fn waiting(mut self, waits: &[(usize, usize)]) -> Self {
        if !waits.is_empty() {
            self.problem.timing = self.problem.timing.waiting(waits);
        }
        self
    }
}

/// The waits with which a choice holds no more nodes at once than there are; `None` where something
/// is late with them. The number is the entries that were read.
pub(super) fn queued(
    input: &DagInput<'_>,
    program: &Program<'_>,
    due: &[i64],
    choice: &[usize],
) -> (u64, Option<Vec<(usize, usize)>>) {
    let labels: Vec<Label> = program.chosen(choice);
    let tasks = program.tasks;
    let (mut waits, mut work) = (Vec::new(), 0);
    let mut timing = program.problem.timing.clone();
    while waits.len() <= WAITS_MAX * tasks {
        work += (tasks * tasks + 8 * timing.links.len()) as u64;
        let Some(conflict) = overbooked(input, program, (&timing, choice), &labels) else {
            return (work, timing.latest(choice, due).is_none().then_some(waits));
        };
        let starts = timing.starts(choice);
        let end = |task: &usize| starts[*task] + timing.run[*task][choice[*task]];
        let held = || conflict.tasks.iter().chain(&conflict.others).copied();
        let Some(last) = held().max_by_key(|task| (starts[*task], *task)) else { break };
        let others = held().filter(|task| *task != last);
        let Some(first) = others.min_by_key(|task| (end(task), *task)) else { break };
        waits.push((first, last));
        timing = program.problem.timing.waiting(&waits);
    }
    (work, None)
}
