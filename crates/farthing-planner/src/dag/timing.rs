//! When tasks start and end: earliest times of a choice, the path that decides them, and which
//! labels can still be in time. All times are whole milliseconds from the start of the DAG.

use super::groups::Groups;

/// No deadline.
pub(crate) const NEVER: i64 = i64::MAX;

/// One task before another.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// How long the data travels, by rows of the groups of labels of `from`; `None` where nobody
    /// knows.
    pub(crate) delay: Option<Vec<i64>>,
}

/// Run times and order of tasks.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    /// Each task after all that it waits for.
    pub(crate) order: Vec<usize>,
    /// How long a task runs, by label.
    pub(crate) run: Vec<Vec<i64>>,
    pub(crate) links: Vec<Link>,
    /// Labels between which no link tells.
    groups: Vec<Groups>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

/// A path of tasks and the links between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) tasks: Vec<usize>,
    pub(crate) links: Vec<usize>,
}

impl Timing {
    pub(crate) fn new(
        order: Vec<usize>,
        run: Vec<Vec<i64>>,
        links: Vec<Link>,
        groups: Vec<Groups>,
    ) -> Self {
        let (mut before, mut after) = (vec![Vec::new(); run.len()], vec![Vec::new(); run.len()]);
        for (at, link) in links.iter().enumerate() {
            after[link.from].push(at);
            before[link.to].push(at);
        }
        Self { order, run, links, groups, before, after }
    }

    /// The same runs with other links, and an order that they allow.
    pub(crate) fn with(&self, order: Vec<usize>, links: Vec<Link>) -> Self {
        Self::new(order, self.run.clone(), links, self.groups.clone())
    }

    /// The same with only the labels at these positions.
    pub(crate) fn restricted(&self, keep: &[Vec<usize>]) -> Self {
        let run = self.run.iter().zip(keep);
        let run = run.map(|(run, keep)| keep.iter().map(|at| run[*at]).collect()).collect();
        let (groups, kept): (Vec<Groups>, Vec<Vec<usize>>) =
            self.groups.iter().zip(keep).map(|(groups, keep)| groups.restricted(keep)).unzip();
        let links = self.links.iter().map(|link| {
            let width = self.groups[link.to].count;
            let delay = link.delay.as_ref().map(|delay| {
                let rows = kept[link.from].iter().map(|x| x * width);
                rows.flat_map(|row| kept[link.to].iter().map(move |y| delay[row + y])).collect()
            });
            Link { delay, ..*link }
        });
        Self {
            order: self.order.clone(),
            run,
            links: links.collect(),
            groups,
            before: self.before.clone(),
            after: self.after.clone(),
        }
    }

    /// How long the data of a link travels between two labels.
    pub(crate) fn delay(&self, link: usize, x: usize, y: usize) -> i64 {
        let Link { from, to, delay } = &self.links[link];
        delay.as_ref().map_or(0, |delay| {
            let columns = &self.groups[*to];
            delay[self.groups[*from].at(x) * columns.count + columns.at(y)]
        })
    }

    /// When each task starts at the earliest.
    pub(crate) fn starts(&self, choice: &[usize]) -> Vec<i64> {
        let mut starts = vec![0; self.run.len()];
        for task in &self.order {
            starts[*task] = self.start(&starts, choice, *task, choice[*task]);
        }
        starts
    }

    /// When a task with this label can start, given when those before it do.
    pub(crate) fn start(&self, starts: &[i64], choice: &[usize], task: usize, label: usize) -> i64 {
        let ready = self.before[task].iter().map(|at| self.ready(*at, starts, choice, label));
        ready.max().unwrap_or(0)
    }

    fn ready(&self, at: usize, starts: &[i64], choice: &[usize], label: usize) -> i64 {
        let link = &self.links[at];
        let x = choice[link.from];
        starts[link.from] + self.run[link.from][x] + self.delay(at, x, label)
    }

    /// When each task ends at the earliest.
    pub(crate) fn ends(&self, choice: &[usize]) -> Vec<i64> {
        let starts = self.starts(choice);
        (0..starts.len()).map(|task| starts[task] + self.run[task][choice[task]]).collect()
    }

    /// By when each task must end so that nothing after it is late.
    pub(crate) fn limits(&self, choice: &[usize], due: &[i64]) -> Vec<i64> {
        let mut limits = due.to_vec();
        for task in self.order.iter().rev() {
            limits[*task] = self.limit(&limits, choice, due, (*task, choice[*task]));
        }
        limits
    }

    /// By when a task with a label must end, given by when those after it must.
    pub(crate) fn limit(
        &self,
        limits: &[i64],
        choice: &[usize],
        due: &[i64],
        (task, label): (usize, usize),
    ) -> i64 {
        let mut least = due[task];
        for at in &self.after[task] {
            let to = self.links[*at].to;
            let y = choice[to];
            let start = limits[to].saturating_sub(self.run[to][y]);
            least = least.min(start.saturating_sub(self.delay(*at, label, y)));
        }
        least
    }

    /// The task that is late by most, and by how much; `None` if none is.
    pub(crate) fn latest(&self, choice: &[usize], due: &[i64]) -> Option<(usize, i64)> {
        let ends = self.ends(choice);
        let late = (0..due.len()).filter(|task| ends[*task] > due[*task]);
        late.map(|task| (task, ends[task] - due[task]))
            .max_by_key(|(task, by)| (*by, usize::MAX - *task))
    }

    /// When the last task ends.
    pub(crate) fn makespan(&self, choice: &[usize]) -> i64 {
        self.ends(choice).into_iter().max().unwrap_or(0)
    }

    /// The path that decides when a task ends.
    pub(crate) fn path_to(&self, choice: &[usize], task: usize) -> Path {
        let starts = self.starts(choice);
        let mut path = Path { tasks: vec![task], links: Vec::new() };
        let mut last = task;
        loop {
            let decides =
                |at: &&usize| self.ready(**at, &starts, choice, choice[last]) == starts[last];
            let Some(at) = self.before[last].iter().find(decides) else { break };
            last = self.links[*at].from;
            path.tasks.push(last);
            path.links.push(*at);
        }
        path.tasks.reverse();
        path.links.reverse();
        path
    }

    /// Links into a task.
    pub(crate) fn before(&self, task: usize) -> &[usize] {
        &self.before[task]
    }

    /// Links out of a task.
    pub(crate) fn after(&self, task: usize) -> &[usize] {
        &self.after[task]
    }

    /// Tasks that a task waits for or that wait for it.
    pub(crate) fn beside(&self, task: usize) -> impl Iterator<Item = usize> + '_ {
        let before = self.before[task].iter().map(|at| self.links[*at].from);
        before.chain(self.after[task].iter().map(|at| self.links[*at].to))
    }

    /// The path through a task that leaves the least time, and when its last task is due.
    pub(crate) fn longest_through(
        &self,
        choice: &[usize],
        due: &[i64],
        task: usize,
    ) -> (Path, i64) {
        let limits = self.limits(choice, due);
        let mut path = self.path_to(choice, task);
        let mut last = task;
        while limits[last] != due[last] {
            let decides = |at: &&usize| {
                let to = self.links[**at].to;
                let start = limits[to].saturating_sub(self.run[to][choice[to]]);
                start.saturating_sub(self.delay(**at, choice[last], choice[to])) == limits[last]
            };
            let Some(at) = self.after[last].iter().find(decides) else { break };
            last = self.links[*at].to;
            path.tasks.push(last);
            path.links.push(*at);
        }
        (path, due[last])
    }

    /// How long the longest path can be, no link of which takes longer than so much.
    pub(crate) fn longest(&self, most: i64) -> i64 {
        let mut ends = vec![0_i64; self.run.len()];
        for task in &self.order {
            let ready = self.before[*task].iter().map(|at| {
                let link = &self.links[*at];
                let delay = link.delay.iter().flatten().copied().max().unwrap_or(0);
                ends[link.from].saturating_add(delay.min(most))
            });
            let run = self.run[*task].iter().copied().max().unwrap_or(0);
            ends[*task] = ready.max().unwrap_or(0).saturating_add(run);
        }
        ends.into_iter().max().unwrap_or(0)
    }

    /// Which of the labels that are left can be in time together with some labels of the tasks
    /// around them, and the earliest end of each task; `None` in the place of the labels where a
    /// task has none.
    pub(crate) fn in_time(&self, alive: &[Vec<usize>], due: &[i64]) -> Option<Vec<Vec<usize>>> {
        let ends = self.earliest_ends(alive);
        let limits = self.latest_ends(alive, due);
        let mut kept = Vec::with_capacity(alive.len());
        for task in 0..alive.len() {
            let both = alive[task].iter().zip(ends[task].iter().zip(&limits[task]));
            let keep: Vec<usize> =
                both.filter(|(_, (end, limit))| end <= limit).map(|(label, _)| *label).collect();
            if keep.is_empty() {
                return None;
            }
            kept.push(keep);
        }
        Some(kept)
    }

    /// How many times [`Timing::in_time`] reads.
    pub(crate) fn entries(&self, alive: &[Vec<usize>]) -> u64 {
        let labels: usize = alive.iter().map(Vec::len).sum();
        let cells = self.links.iter().map(|link| match &link.delay {
            Some(_) => self.groups[link.from].count * self.groups[link.to].count,
            None => self.groups[link.from].count + self.groups[link.to].count,
        });
        2 * (labels + cells.sum::<usize>()) as u64
    }

    /// The earliest that a task can end with each label that is left: exact where no task hands
    /// over to two, and no later than that elsewhere.
    pub(crate) fn earliest_ends(&self, alive: &[Vec<usize>]) -> Vec<Vec<i64>> {
        let mut ends: Vec<Vec<i64>> = vec![Vec::new(); alive.len()];
        for task in &self.order {
            let mut ready = vec![0; self.groups[*task].count];
            for at in &self.before[*task] {
                let from = self.links[*at].from;
                let first =
                    self.by_group(from, alive[from].iter().zip(&ends[from]), NEVER, i64::min);
                self.relax(*at, &first, &mut ready);
            }
            let end = |label: &usize| {
                ready[self.groups[*task].at(*label)].saturating_add(self.run[*task][*label])
            };
            ends[*task] = alive[*task].iter().map(end).collect();
        }
        ends
    }

    /// Raises the times at which data of a link is there, by group, to what the first ends allow.
    fn relax(&self, at: usize, first: &[i64], ready: &mut [i64]) {
        match &self.links[at].delay {
            None => {
                let first = first.iter().copied().min().unwrap_or(0);
                for ready in ready {
                    *ready = (*ready).max(first);
                }
            }
            Some(delay) => {
                let columns = ready.len();
                for (y, ready) in ready.iter_mut().enumerate() {
                    let there = first.iter().enumerate();
                    let there = there.map(|(x, end)| end.saturating_add(delay[x * columns + y]));
                    *ready = (*ready).max(there.min().unwrap_or(0));
                }
            }
        }
    }

    /// The best of the labels of each group.
    fn by_group<'v>(
        &self,
        task: usize,
        labels: impl Iterator<Item = (&'v usize, &'v i64)>,
        none: i64,
        best: impl Fn(i64, i64) -> i64,
    ) -> Vec<i64> {
        let mut found = vec![none; self.groups[task].count];
        for (label, value) in labels {
            let found = &mut found[self.groups[task].at(*label)];
            *found = best(*found, *value);
        }
        found
    }

    /// The latest that a task may end with each label that is left.
    fn latest_ends(&self, alive: &[Vec<usize>], due: &[i64]) -> Vec<Vec<i64>> {
        let mut limits: Vec<Vec<i64>> = vec![Vec::new(); alive.len()];
        for task in self.order.iter().rev() {
            let mut limit = vec![due[*task]; self.groups[*task].count];
            for at in &self.after[*task] {
                let to = self.links[*at].to;
                let starts = alive[to].iter().zip(&limits[to]);
                let starts: Vec<i64> =
                    starts.map(|(label, end)| end.saturating_sub(self.run[to][*label])).collect();
                let last = self.by_group(to, alive[to].iter().zip(&starts), i64::MIN, i64::max);
                let most = last.iter().copied().max().unwrap_or(NEVER);
                for (x, limit) in limit.iter_mut().enumerate() {
                    let last = match &self.links[*at].delay {
                        None => most,
                        Some(delay) => {
                            let row = delay[x * last.len()..].iter().zip(&last);
                            row.map(|(delay, last)| last.saturating_sub(*delay))
                                .max()
                                .unwrap_or(NEVER)
                        }
                    };
                    *limit = (*limit).min(last);
                }
            }
            let of = |label: &usize| limit[self.groups[*task].at(*label)];
            limits[*task] = alive[*task].iter().map(of).collect();
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 -> 1 -> 3, 0 -> 2 -> 3; task 2 has a slow and a fast label.
    fn diamond() -> Timing {
        let link = |from, to| Link { from, to, delay: None };
        let links = vec![link(0, 1), link(0, 2), link(1, 3), link(2, 3)];
        let groups = [1, 1, 2, 1].map(Groups::apart).to_vec();
        Timing::new(vec![0, 1, 2, 3], vec![vec![5], vec![10], vec![20, 4], vec![1]], links, groups)
    }

    #[test]
    fn the_longest_path_decides() {
        let timing = diamond();
        assert_eq!(timing.ends(&[0, 0, 0, 0]), [5, 15, 25, 26]);
        assert_eq!(timing.path_to(&[0, 0, 0, 0], 3).tasks, [0, 2, 3]);
        assert_eq!(
            timing.path_to(&[0, 0, 1, 0], 3),
            Path { tasks: vec![0, 1, 3], links: vec![0, 2] }
        );
        assert_eq!(timing.latest(&[0, 0, 0, 0], &[NEVER, 14, NEVER, 20]), Some((3, 6)));
        assert_eq!(timing.limits(&[0, 0, 1, 0], &[NEVER, NEVER, NEVER, 20]), [9, 19, 19, 20]);
    }

    #[test]
    fn labels_that_cannot_be_in_time_go() {
        let timing = diamond();
        let alive = vec![vec![0], vec![0], vec![0, 1], vec![0]];
        let due = |last| [NEVER, NEVER, NEVER, last];
        assert_eq!(timing.in_time(&alive, &due(20)).unwrap()[2], [1]);
        assert_eq!(timing.in_time(&alive, &due(26)).unwrap()[2], [0, 1]);
        assert_eq!(timing.in_time(&alive, &due(15)), None);
    }
}
