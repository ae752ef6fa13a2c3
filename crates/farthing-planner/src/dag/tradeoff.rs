//! What time is worth if tasks were on their own: the prices of time at which each task, paid for
//! by what its labels cost, is just as fast as deadlines ask for (the time-cost tradeoff of
//! project planning, solved to the end).
//!
//! A task is an activity with a convex cost of its run time; prices of time are a flow from starts
//! to due tasks that makes each activity as fast as the flow through it pays for. The flow grows
//! along the path that is late by most until none is (successive longest paths). It is a proposal:
//! any flow gives a bound, and how good this one is the energy says.

use super::timing::{NEVER, Path, Timing};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Run times of an activity that are worth their price, slowest first, and from which price of a
/// millisecond on each is: the first from 0.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    lengths: Vec<i64>,
    from: Vec<i128>,
}

impl Activity {
    /// Of labels with a run time and a cost each.
    pub(crate) fn new(mut points: Vec<(i64, i128)>) -> Self {
        // The fastest of the cheapest is where it is slowest.
        points.sort_unstable_by_key(|(length, cost)| (*cost, *length));
        let mut hull: Vec<(i64, i128)> = Vec::new();
        for (length, cost) in points {
            if hull.last().is_some_and(|(last, _)| *last <= length) {
                continue;
            }
            while hull.len() > 1 {
                let ((l0, c0), (l1, c1)) = (hull[hull.len() - 2], hull[hull.len() - 1]);
                // The middle one is above the line from the first to the new one.
                let (first, new) = (i128::from(l0 - l1), i128::from(l1 - length));
                if (c1 - c0).saturating_mul(new) < (cost - c1).saturating_mul(first) {
                    break;
                }
                hull.pop();
            }
            hull.push((length, cost));
        }
        let price = |pair: &[(i64, i128)]| {
            (pair[1].1 - pair[0].1) / i128::from(pair[0].0 - pair[1].0).max(1)
        };
        let from = std::iter::once(0).chain(hull.windows(2).map(price)).collect();
        Self { lengths: hull.into_iter().map(|(length, _)| length).collect(), from }
    }

    /// How long it is where its price grows from here, and how far it may grow until it is shorter.
    fn up(&self, at: usize, price: i128) -> (i64, i128) {
        let room = self.from.get(at + 1).map_or(i128::MAX, |next| next - price);
        (self.lengths[at], room)
    }
}

/// A network of activities with a flow.
struct Network<'t> {
    timing: &'t Timing,
    due: &'t [i64],
    activities: &'t [Activity],
    /// How long each link takes.
    delays: &'t [i64],
    /// Which length of each task is paid for, and by which price.
    at: Vec<usize>,
    price: Vec<i128>,
    link: Vec<i128>,
    /// What ends at a task that is due.
    ends: Vec<i128>,
    /// When the start and the end of each task are at the latest.
    potential: Vec<i64>,
    work: u64,
}

/// A step of a walk: how it came to a point.
#[derive(Clone, Copy)]
enum Step {
    Begin,
    Run,
    Undo,
    Link(usize),
    Back(usize),
}

#[derive(PartialEq, Eq)]
struct Next(i64, usize);

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Activities that are in time together, at the least cost.
pub(crate) struct Balance {
    /// Paths, when their last tasks are due, and what a millisecond less on each is worth.
    pub(crate) paths: Vec<(Path, i64, i128)>,
    /// How long each task takes.
    pub(crate) spans: Vec<i64>,
    /// How far that is from anything that its labels can take, where time has a price.
    pub(crate) between: Vec<i64>,
    /// Entries read.
    pub(crate) work: u64,
}

/// The balance of activities, with prices of at most `most` in all.
pub(crate) fn balanced(
    (timing, due): (&Timing, &[i64]),
    activities: &[Activity],
    delays: &[i64],
    most: i128,
) -> Balance {
    let tasks = activities.len();
    let mut network = Network {
        timing,
        due,
        activities,
        delays,
        at: vec![0; tasks],
        price: vec![0; tasks],
        link: vec![0; timing.links.len()],
        ends: vec![0; tasks],
        potential: vec![0; 2 * tasks],
        work: 0,
    };
    network.begin();
    let mut left = most;
    while left > 0 {
        let Some(paid) = network.augment(left) else { break };
        left -= paid;
    }
    network.balance()
}

const FAR: i64 = i64::MAX / 4;

impl Network<'_> {
    /// Points are starts of tasks, then ends of tasks.
    fn begin(&mut self) {
        let tasks = self.at.len();
        for task in 0..tasks {
            self.change(task, 0);
        }
        for task in &self.timing.order {
            let ready =
                self.timing.before(*task).iter().map(|at| {
                    self.potential[tasks + self.timing.links[*at].from] + self.delays[*at]
                });
            let start = ready.max().unwrap_or(0);
            self.potential[*task] = start;
            self.potential[tasks + *task] = start + self.activities[*task].lengths[self.at[*task]];
        }
    }

    /// One more walk along the residual network; how much was paid for, `None` where all is in
    /// time.
    fn augment(&mut self, most: i128) -> Option<i128> {
        let tasks = self.at.len();
        // How much less than its potential each point is reached at.
        let mut slack = vec![FAR; 2 * tasks];
        let mut came: Vec<Step> = vec![Step::Begin; 2 * tasks];
        let mut done = vec![false; 2 * tasks];
        let mut heap = BinaryHeap::new();
        for (task, slack) in slack.iter_mut().enumerate().take(tasks) {
            if self.timing.before(task).is_empty() {
                *slack = self.potential[task];
                heap.push(Next(*slack, task));
            }
        }
        while let Some(Next(far, point)) = heap.pop() {
            if std::mem::replace(&mut done[point], true) {
                continue;
            }
            self.work += 8;
            let mut reach = |to: usize, length: i64, step: Step| {
                let loss = far + self.potential[to] - self.potential[point] - length;
                if !done[to] && loss < slack[to] {
                    slack[to] = loss;
                    came[to] = step;
                    heap.push(Next(loss, to));
                }
            };
            if point < tasks {
                let task = point;
                let (length, _) = self.activities[task].up(self.at[task], self.price[task]);
                reach(tasks + task, length, Step::Run);
                self.work += 2 * self.timing.before(task).len() as u64;
                for at in self.timing.before(task) {
                    if self.link[*at] > 0 {
                        let from = self.timing.links[*at].from;
                        reach(tasks + from, -self.delays[*at], Step::Back(*at));
                    }
                }
            } else {
                let task = point - tasks;
                if self.price[task] > 0 {
                    let (length, _) = self.down(task);
                    reach(task, -length, Step::Undo);
                }
                self.work += 4 * self.timing.after(task).len() as u64;
                for at in self.timing.after(task) {
                    let to = self.timing.links[*at].to;
                    reach(to, self.delays[*at], Step::Link(*at));
                }
            }
        }
        let due: Vec<usize> = (0..tasks)
            .filter(|task| self.due[*task] != NEVER && slack[tasks + task] < FAR)
            .collect();
        let late = |task: &usize| self.potential[tasks + task] - self.due[*task];
        let before = due.iter().map(late).max()?;
        let last = due.into_iter().max_by_key(|task| late(task) - slack[tasks + task])?;
        let ends = late(&last) <= slack[tasks + last];
        // What ends in time is told at the very time that is due: the last round goes that far and
        // no further.
        let most_lowered = if ends { before.max(0) } else { FAR / 2 };
        for (potential, slack) in self.potential.iter_mut().zip(&slack) {
            *potential -= (*slack).min(most_lowered);
        }
        if ends {
            return None;
        }
        Some(self.pay(&came, last, most))
    }

    /// How long a task is where its price falls from here, and how far it may fall.
    fn down(&self, task: usize) -> (i64, i128) {
        let (activity, at) = (&self.activities[task], self.at[task]);
        let room = self.price[task] - activity.from[at];
        if room == 0 && at > 0 {
            return (activity.lengths[at - 1], self.price[task] - activity.from[at - 1]);
        }
        (activity.lengths[at], room)
    }

    fn pay(&mut self, came: &[Step], last: usize, most: i128) -> i128 {
        let tasks = self.at.len();
        let (mut room, mut point) = (most, tasks + last);
        let mut walk = Vec::new();
        loop {
            let step = came[point];
            walk.push((step, point));
            self.work += 2;
            point = match step {
                Step::Begin => break,
                Step::Run => {
                    let task = point - tasks;
                    room = room.min(self.activities[task].up(self.at[task], self.price[task]).1);
                    task
                }
                Step::Undo => {
                    room = room.min(self.down(point).1);
                    point + tasks
                }
                Step::Link(at) => tasks + self.timing.links[at].from,
                Step::Back(at) => {
                    room = room.min(self.link[at]);
                    self.timing.links[at].to
                }
            };
        }
        for (step, point) in walk {
            match step {
                Step::Begin => {}
                Step::Run => self.change(point - tasks, room),
                Step::Undo => self.change(point, -room),
                Step::Link(at) => self.link[at] += room,
                Step::Back(at) => self.link[at] -= room,
            }
        }
        self.ends[last] += room;
        room
    }

    /// Moves the price of a task; it is then as long as one that grows is.
    fn change(&mut self, task: usize, by: i128) {
        self.price[task] += by;
        let from = &self.activities[task].from;
        self.at[task] = from.partition_point(|from| *from <= self.price[task]).max(1) - 1;
    }

    fn balance(mut self) -> Balance {
        let tasks = self.at.len();
        let spans: Vec<i64> =
            (0..tasks).map(|task| self.potential[tasks + task] - self.potential[task]).collect();
        let between = |task: usize| {
            let near = self.activities[task].lengths.iter().map(|it| (it - spans[task]).abs());
            near.min().filter(|_| self.price[task] > 0).unwrap_or(0)
        };
        let between = (0..tasks).map(between).collect();
        let paths = self.paths();
        Balance { paths, spans, between, work: self.work }
    }

    /// The flow as paths.
    fn paths(&mut self) -> Vec<(Path, i64, i128)> {
        let mut paths = Vec::new();
        for last in 0..self.ends.len() {
            while self.ends[last] > 0 {
                let mut path = Path { tasks: vec![last], links: Vec::new() };
                let (mut task, mut part) = (last, self.ends[last]);
                while let Some(at) =
                    self.timing.before(task).iter().copied().find(|at| self.link[*at] > 0)
                {
                    part = part.min(self.link[at]);
                    task = self.timing.links[at].from;
                    path.tasks.push(task);
                    path.links.push(at);
                }
                path.links.iter().for_each(|at| self.link[*at] -= part);
                self.ends[last] -= part;
                path.tasks.reverse();
                path.links.reverse();
                self.work += 1;
                paths.push((path, self.due[last], part));
            }
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::Groups;
    use super::super::timing::Link;
    use super::*;

    /// 0 -> 1 -> 3, 0 -> 2 -> 3; what an hour less costs differs.
    fn diamond() -> (Timing, Vec<Activity>) {
        let link = |from, to| Link { from, to, delay: None };
        let links = vec![link(0, 1), link(0, 2), link(1, 3), link(2, 3)];
        let points =
            [vec![(4, 0)], vec![(9, 0), (3, 12)], vec![(8, 0), (6, 2), (2, 22)], vec![(2, 0)]];
        let runs = points.iter().map(|all| all.iter().map(|point| point.0).collect()).collect();
        let groups = points.iter().map(|all| Groups::apart(all.len())).collect();
        let timing = Timing::new(vec![0, 1, 2, 3], runs, links, groups);
        (timing, points.into_iter().map(Activity::new).collect())
    }

    #[test]
    fn time_costs_what_the_last_hour_saved_costs_on_all_paths() {
        let (timing, activities) = diamond();
        let due = [NEVER, NEVER, NEVER, 11];
        // 5 for both in the middle: the first gives 4 hours at 2, the other one at 1 and one at 5.
        let balance = balanced((&timing, &due), &activities, &[0; 4], 1_000);
        let sum: i128 = balance.paths.iter().map(|(_, _, price)| price).sum();
        assert_eq!(sum, 2 + 5);
        assert_eq!((balance.spans[1], balance.spans[2]), (5, 5));
        assert_eq!((balance.between[1], balance.between[2]), (2, 1));
        assert!(balance.paths.iter().all(|(path, due, _)| path.tasks.len() == 3 && *due == 11));
    }

    #[test]
    fn what_is_in_time_has_no_price_and_what_cannot_be_has_all() {
        let (timing, activities) = diamond();
        let due = [NEVER, NEVER, NEVER, 15];
        assert!(balanced((&timing, &due), &activities, &[0; 4], 1_000).paths.is_empty());
        let due = [NEVER, NEVER, NEVER, 7];
        let balance = balanced((&timing, &due), &activities, &[0; 4], 1_000);
        assert_eq!(balance.paths.iter().map(|(_, _, price)| price).sum::<i128>(), 1_000);
    }
}
