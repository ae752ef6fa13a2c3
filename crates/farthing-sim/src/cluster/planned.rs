//! Our policy: the planner decides, this asks it and carries out what it says.
//!
//! Where there is room for everyone a job's place does not depend on the others, so that each kind
//! of job is a question of its own, and one that was asked before has its answer from then. Where
//! there is not, the jobs that wait are planned together over time around those that run: some now,
//! others when those will have ended, so that the small ones fill the gaps in front of the large
//! ones. That is asked again on a period that grows with the time that jobs wait; in between, those
//! whose turn is next start as room becomes free.
//!
//! Nodes that have had nothing to do for long enough are switched off, but for the reserve.

use super::error::ClusterError;
use super::policy::{Policy, cheapest};
use super::question::{Crowd, Hold, Kind, Questions, Start};
use super::spec::ClusterSpec;
use super::state::{Cluster, Pending};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Kinds of jobs that are planned together at most; the others are behind them.
const KINDS_MAX: usize = 24;
/// Jobs that are looked at for them.
const JOBS_MAX: usize = 4_000;
/// Steps of what a job is worth within once its run time, and the most that it is worth.
const TIMES: i64 = 10;
const VALUE_MAX: i64 = 100_000;
/// Moments at which what runs is thought to end.
const ENDS_MAX: usize = 24;
/// A plan is made again after this part of the longest wait.
const PART_OF_WAIT: i64 = 32;
/// But not sooner, and not later.
const PERIOD_S: (i64, i64) = (300, 1_200);
/// Answers that are kept.
const ANSWERS_MAX: usize = 200_000;

/// What the planner decides.
pub(super) struct Planned {
    questions: Questions,
    /// By submission.
    queue: VecDeque<Pending>,
    /// Of those that wait, how many ask for so many accelerators.
    sizes: BTreeMap<u32, usize>,
    /// Where a kind of job goes where there is room everywhere.
    answers: HashMap<Kind, Option<usize>>,
    /// Jobs of the queue whose turn is next, by their rows, and where.
    turns: VecDeque<(u64, usize)>,
    /// When the queue is planned again, if it waits for room.
    again_s: Option<i64>,
    asked: [u64; 2],
}

impl Planned {
    pub(super) fn new(spec: &ClusterSpec) -> Result<Self, ClusterError> {
        Ok(Self {
            questions: Questions::new(spec)?,
            queue: VecDeque::new(),
            sizes: BTreeMap::new(),
            answers: HashMap::new(),
            turns: VecDeque::new(),
            again_s: None,
            asked: [0, 0],
        })
    }

    /// Starts jobs in the order of submission while each finds room where it would go anyway.
    fn alone(&mut self, cluster: &mut Cluster<'_>) -> Result<(), ClusterError> {
        while let Some(job) = self.queue.front() {
            let kind = kind(job, cluster);
            let Some(pool) = self.place(kind)? else { break };
            if !cluster.pools[pool].has(u64::from(kind.accelerators)) {
                break;
            }
            self.start(cluster, (0, pool))?;
        }
        Ok(())
    }

    /// Starts a job of the queue on a kind of nodes.
    fn start(
        &mut self,
        cluster: &mut Cluster<'_>,
        (at, pool): (usize, usize),
    ) -> Result<(), ClusterError> {
        let Some(job) = self.queue.remove(at) else { return Ok(()) };
        if let Some(alike) = self.sizes.get_mut(&job.accelerators) {
            *alike -= 1;
            if *alike == 0 {
                self.sizes.remove(&job.accelerators);
            }
        }
        cluster.start(&job, pool)
    }

    /// Whether there is room for one of those that wait: if not, there is nothing to decide until
    /// something ends.
    fn may_start(&self, cluster: &Cluster<'_>) -> bool {
        let least = self.sizes.keys().next().map(|least| u64::from(*least));
        least.is_some_and(|least| cluster.pools.iter().any(|pool| pool.has(least)))
    }

    /// Where a job of a kind goes where there is room everywhere.
    fn place(&mut self, kind: Kind) -> Result<Option<usize>, ClusterError> {
        if let Some(answer) = self.answers.get(&kind) {
            self.asked[1] += 1;
            return Ok(*answer);
        }
        self.asked[0] += 1;
        let crowd = Crowd { kind, count: 1, value: 1 };
        let starts = self.questions.starts(&[crowd], (&[], &[]), 3_600)?;
        let answer = starts.first().map(|start| start.pool);
        if self.answers.len() < ANSWERS_MAX {
            self.answers.insert(kind, answer);
        }
        Ok(answer)
    }

    /// Plans the queue together, starts what starts now, and notes whose turn is next.
    fn together(&mut self, cluster: &mut Cluster<'_>) -> Result<(), ClusterError> {
        let now_s = cluster.now_s;
        let (crowds, mut members) = self.crowds(cluster);
        let holds = holds(cluster);
        let room: Vec<Option<u32>> = cluster
            .spec
            .pools
            .iter()
            .map(|pool| pool.capacity().map(|all| u32::try_from(all).unwrap_or(u32::MAX)))
            .collect();
        let horizon_s = horizon_s(&crowds, &holds, &room);
        self.asked[0] += 1;
        let starts = self.questions.starts(&crowds, (&holds, &room), horizon_s)?;
        self.turns.clear();
        // What is to be rented later is asked about again then.
        let now = |start: &Start| start.in_s == 0 || room[start.pool].is_some();
        for Start { crowd, pool, count, .. } in starts.into_iter().filter(now) {
            let crowd = &mut members[crowd];
            let taken = usize::try_from(count).unwrap_or(usize::MAX).min(crowd.len());
            self.turns.extend(crowd.drain(..taken).map(|row| (row, pool)));
        }
        if self.turns.is_empty() && cluster.active == 0 {
            // Whatever was said: nobody waits for a cluster on which nobody runs.
            let first = self
                .queue
                .front()
                .and_then(|job| Some((job.row, cheapest(cluster, job.accelerators)?)));
            self.turns.extend(first);
        }
        let waits_s = self.queue.front().map_or(0, |job| now_s - job.submit_s);
        let period_s = (waits_s / PART_OF_WAIT).clamp(PERIOD_S.0, PERIOD_S.1);
        self.again_s = Some(now_s + period_s);
        Ok(())
    }

    /// Starts those whose turn is next, until one finds no room.
    fn take_turns(&mut self, cluster: &mut Cluster<'_>) -> Result<(), ClusterError> {
        while let Some((row, pool)) = self.turns.front().copied() {
            let Some(at) = self.queue.iter().position(|job| job.row == row) else {
                self.turns.pop_front();
                continue;
            };
            if !cluster.pools[pool].has(u64::from(self.queue[at].accelerators)) {
                break;
            }
            self.turns.pop_front();
            self.start(cluster, (at, pool))?;
        }
        Ok(())
    }

    /// The kinds of jobs that wait, those whose turn it is most, and the rows of their jobs. What a
    /// job is worth is how many times its run time it will have taken if it starts now.
    fn crowds(&self, cluster: &Cluster<'_>) -> (Vec<Crowd>, Vec<Vec<u64>>) {
        let mut places: HashMap<Kind, usize> = HashMap::new();
        let mut all: Vec<(Crowd, Vec<u64>)> = Vec::new();
        for job in self.queue.iter().take(JOBS_MAX) {
            let kind = kind(job, cluster);
            let at = *places.entry(kind).or_insert_with(|| {
                let took_s = cluster.now_s - job.submit_s + kind.estimate_s;
                let times = took_s * TIMES / kind.estimate_s.max(1);
                let value = u32::try_from(times.clamp(1, VALUE_MAX)).unwrap_or(1);
                all.push((Crowd { kind, count: 0, value }, Vec::new()));
                all.len() - 1
            });
            all[at].0.count += 1;
            all[at].1.push(job.row);
        }
        all.sort_by_key(|(crowd, _)| std::cmp::Reverse(crowd.value));
        all.truncate(KINDS_MAX);
        all.into_iter().unzip()
    }

    /// Switches off what had nothing to do for long enough, and on what the reserve lacks; when the
    /// next node may go.
    fn switch(&mut self, cluster: &mut Cluster<'_>) -> Result<Option<i64>, ClusterError> {
        let (now_s, keep_s) = (cluster.now_s, cluster.spec.idle_release.as_secs().max(1));
        let mut next_s: Option<i64> = None;
        for pool in 0..cluster.pools.len() {
            let spec = &cluster.spec.pools[pool];
            let reserve = reserve(spec.nodes, cluster.spec.reserve_ppm);
            let of = &cluster.pools[pool];
            let spare = of.idle().saturating_sub(reserve);
            if spare > 0 {
                let idle = of.idle_ready().iter();
                let idle =
                    idle.map(|node| (of.nodes[usize::try_from(*node).unwrap_or(0)].idle_s, *node));
                let mut idle: Vec<(i64, u32)> = idle.collect();
                idle.sort_unstable();
                idle.truncate(spare);
                let due = idle.iter().filter(|(idle_s, _)| idle_s + keep_s <= now_s);
                let due: Vec<(u32, i64)> =
                    due.map(|(idle_s, node)| (*node, now_s - idle_s)).collect();
                if !due.is_empty() {
                    self.asked[0] += 1;
                    for node in self.questions.released(pool, &due, spec.price)? {
                        cluster.switch_off(pool, node)?;
                    }
                }
                let later = idle.iter().map(|(idle_s, _)| idle_s + keep_s);
                let later = later.filter(|at_s| *at_s > now_s).min();
                next_s = [next_s, later].into_iter().flatten().min();
            }
            while cluster.pools[pool].idle() < reserve && cluster.switch_on(pool) {}
        }
        Ok(next_s)
    }
}

impl Policy for Planned {
    fn arrive(&mut self, job: Pending) {
        *self.sizes.entry(job.accelerators).or_default() += 1;
        self.queue.push_back(job);
    }

    fn dispatch(&mut self, cluster: &mut Cluster<'_>) -> Result<Option<i64>, ClusterError> {
        if self.again_s.is_some_and(|again_s| again_s > cluster.now_s) {
            self.take_turns(cluster)?;
        } else if self.may_start(cluster) {
            self.again_s = None;
            self.alone(cluster)?;
            if self.may_start(cluster) {
                self.together(cluster)?;
                self.take_turns(cluster)?;
            }
        } else {
            self.again_s = None;
        }
        if self.queue.is_empty() {
            self.turns.clear();
            self.again_s = None;
        }
        let switches_s = self.switch(cluster)?;
        Ok([self.again_s, switches_s].into_iter().flatten().min())
    }

    fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn asked(&self) -> [u64; 2] {
        self.asked
    }
}

/// What the planner need know of a job: times to an eighth, run times up and what is left down. A
/// job that cannot be in time any more is one without a deadline.
fn kind(job: &Pending, cluster: &Cluster<'_>) -> Kind {
    let coarse = |seconds: i64| {
        let step = 1_i64 << (seconds.max(1).ilog2().saturating_sub(3));
        (seconds / step * step, step)
    };
    let (down, step) = coarse(job.estimate_s.max(1));
    let estimate_s = if down < job.estimate_s { down + step } else { down };
    let boot_s = cluster.spec.boot.as_secs();
    let left = job.due_s.map(|due_s| due_s - cluster.now_s);
    let left = left.map(|left_s| coarse(left_s.max(1)).0);
    let left_s = left.filter(|left_s| *left_s > estimate_s + boot_s + boot_s / 4);
    Kind { accelerators: job.accelerators, estimate_s, left_s }
}

/// What runs, by when it is thought to end.
fn holds(cluster: &Cluster<'_>) -> Vec<Hold> {
    let mut ends: Vec<(usize, i64, u32)> = cluster
        .running()
        .map(|job| (job.pool, job.left(cluster.now_s).as_secs(), job.accelerators))
        .collect();
    ends.sort_unstable();
    let each = ends.len().div_ceil(ENDS_MAX).max(1);
    let mut holds: Vec<Hold> = Vec::new();
    let mut in_last = 0;
    for (pool, for_s, accelerators) in ends {
        if let Some(last) = holds.last_mut().filter(|last| last.pool == pool && in_last < each) {
            last.accelerators += accelerators;
            last.for_s = for_s;
            in_last += 1;
        } else {
            holds.push(Hold { pool, accelerators, for_s });
            in_last = 1;
        }
    }
    holds
}

/// Long enough that everything that waits and runs could be done in it, if it filled the nodes.
fn horizon_s(crowds: &[Crowd], holds: &[Hold], room: &[Option<u32>]) -> i64 {
    let all: i64 = room.iter().flatten().map(|all| i64::from(*all)).sum();
    let work = |accelerators: u32, seconds: i64| i64::from(accelerators).saturating_mul(seconds);
    let crowds_s = crowds.iter().map(|crowd| {
        work(crowd.kind.accelerators, crowd.kind.estimate_s).saturating_mul(i64::from(crowd.count))
    });
    let held_s = holds.iter().map(|hold| work(hold.accelerators, hold.for_s));
    let work = crowds_s.chain(held_s).fold(0_i64, i64::saturating_add);
    let longest = holds.iter().map(|hold| hold.for_s).max().unwrap_or(0);
    (work / all.max(1)).saturating_mul(2).clamp(3_600, 30 * 86_400).max(longest.min(7 * 86_400))
}

/// Nodes that are kept on for who comes.
fn reserve(nodes: Option<u32>, ppm: u32) -> usize {
    let kept = u64::from(nodes.unwrap_or(0)) * u64::from(ppm);
    usize::try_from(kept.div_ceil(1_000_000)).unwrap_or(usize::MAX)
}
