//! The cluster as it is at one moment: nodes, who runs on them, and what happens next.
//!
//! Policies start jobs and switch nodes; this lets time pass, ends jobs and keeps the accounts. It
//! knows nothing of why something is started.

use super::accounts::{Held, Hour, Paid, window};
use super::error::ClusterError;
use super::pool::{Part, Pool, Power};
use super::spec::ClusterSpec;
use crate::Random;
use farthing_model::{Attribution, Money, TeamId, WorkloadId};
use jiff::SignedDuration;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// A job that waits.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Its row, which names it where the trace does not.
    pub(super) row: u64,
    pub(super) name: Option<Arc<str>>,
    pub(super) team: Option<Arc<str>>,
    pub(super) submit_s: i64,
    pub(super) accelerators: u32,
    /// How long it really runs; no policy looks at this.
    pub(super) run_s: i64,
    /// How long it is thought to run.
    pub(super) estimate_s: i64,
    pub(super) due_s: Option<i64>,
}

/// A job that holds accelerators.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pool: usize,
    parts: Vec<Part>,
    who: Arc<Attribution>,
    submit_s: i64,
    held_s: i64,
    runs_s: i64,
    end_s: i64,
    /// When it is thought to end.
    pub(super) thought_s: i64,
    pub(super) accelerators: u32,
    due_s: Option<i64>,
}

/// A job that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) took_s: i64,
    pub(super) late: bool,
    /// Accelerators times the time that they ran.
    pub(super) work_nano: i128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Ends,
    Boots(usize),
}

/// The cluster.
pub(super) struct Cluster<'a> {
    pub(super) spec: &'a ClusterSpec,
    pub(super) pools: Vec<Pool>,
    pub(super) now_s: i64,
    running: Vec<Option<Running>>,
    vacant: Vec<u32>,
    events: BinaryHeap<Reverse<(i64, What, u32)>>,
    random: Random,
    hour_s: i64,
    closed: Vec<Paid>,
    ended: Vec<Held>,
    hours: SyncSender<Hour>,
    /// What nodes cost that were switched off.
    pub(super) expected: Money,
    /// Starts, ends, nodes switched on, booted and off.
    pub(super) happened: u64,
    /// How many hold accelerators.
    pub(super) active: usize,
}

impl<'a> Cluster<'a> {
    /// All nodes off at a moment; each hour that has passed goes to `hours`.
    pub(super) fn new(
        spec: &'a ClusterSpec,
        (now_s, zero): (i64, Money),
        hours: SyncSender<Hour>,
    ) -> Self {
        Self {
            spec,
            pools: spec.pools.iter().map(Pool::new).collect(),
            now_s,
            running: Vec::new(),
            vacant: Vec::new(),
            events: BinaryHeap::new(),
            random: Random::new(spec.seed).fork("boots"),
            hour_s: now_s - now_s.rem_euclid(3_600),
            closed: Vec::new(),
            ended: Vec::new(),
            hours,
            expected: zero,
            happened: 0,
            active: 0,
        }
    }

    /// Who holds accelerators.
    pub(super) fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.iter().flatten()
    }

    /// When something happens next by itself.
    pub(super) fn next_s(&self) -> Option<i64> {
        self.events.peek().map(|Reverse((at_s, ..))| *at_s)
    }

    /// Switches all nodes of the owner's own on, ready at once: they have been there before.
    pub(super) fn open(&mut self) {
        for pool in &mut self.pools {
            while pool.on < pool.nodes.len() && pool.switch_on(self.now_s, self.now_s).is_some() {
                self.happened += 1;
            }
        }
    }

    /// Switches a node on for who comes; whether there was one.
    pub(super) fn switch_on(&mut self, pool: usize) -> bool {
        let boot_s = self.spec.boot.as_secs();
        let ready_s = self.now_s + self.random.between(boot_s * 3 / 4, boot_s + boot_s / 4);
        let Some(node) = self.pools[pool].switch_on(self.now_s, ready_s) else { return false };
        if ready_s > self.now_s {
            self.events.push(Reverse((ready_s, What::Boots(pool), node)));
        }
        self.happened += 1;
        true
    }

    /// Switches a node off that nobody holds.
    pub(super) fn switch_off(&mut self, pool: usize, node: u32) -> Result<(), ClusterError> {
        let at = self.pools[pool].nodes[usize::try_from(node).unwrap_or(0)];
        self.pools[pool].switch_off(node);
        self.happened += 1;
        if at.on_s == self.now_s {
            return Ok(());
        }
        let whole = window(at.on_s, self.now_s)?;
        let cost = self.spec.pools[pool].price.cost(whole).map_err(ClusterError::Money)?;
        self.expected = self.expected.checked_add(cost).map_err(ClusterError::Money)?;
        let (from_s, to_s) = (at.on_s.max(self.hour_s), self.now_s);
        if from_s < to_s {
            let ready_s = at.ready_s.clamp(from_s, to_s);
            self.closed.push(Paid { pool, node, from_s, to_s, ready_s });
        }
        Ok(())
    }

    /// Starts a job on nodes of a kind, which has room for it; it runs when all of them are ready.
    pub(super) fn start(&mut self, job: &Pending, pool: usize) -> Result<(), ClusterError> {
        let mut parts = Vec::with_capacity(1);
        let until_s = self.now_s + job.estimate_s;
        let mut left = self.pools[pool].take(job.accelerators, until_s, &mut parts);
        while left > 0 && self.switch_on(pool) {
            left = self.pools[pool].take(left, until_s, &mut parts);
        }
        debug_assert_eq!(left, 0, "a policy started a job without room");
        let nodes = &self.pools[pool].nodes;
        let ready = parts.iter().map(|part| nodes[usize::try_from(part.node).unwrap_or(0)].ready_s);
        let runs_s = ready.max().unwrap_or(self.now_s).max(self.now_s);
        let end_s = runs_s + job.run_s;
        let running = Running {
            pool,
            parts,
            who: who(job)?,
            submit_s: job.submit_s,
            held_s: self.now_s,
            runs_s,
            end_s,
            thought_s: runs_s + job.estimate_s,
            accelerators: job.accelerators,
            due_s: job.due_s,
        };
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.running.push(None);
            u32::try_from(self.running.len() - 1).unwrap_or(u32::MAX)
        });
        self.running[usize::try_from(slot).unwrap_or(0)] = Some(running);
        self.events.push(Reverse((end_s, What::Ends, slot)));
        self.active += 1;
        self.happened += 1;
        Ok(())
    }

    /// Lets time pass up to a moment, and what ends or is ready by then.
    pub(super) fn advance(
        &mut self,
        to_s: i64,
        releases_rented: bool,
        ended: &mut impl FnMut(Ended),
    ) -> Result<(), ClusterError> {
        while self.hour_s + 3_600 <= to_s {
            self.hand_over()?;
        }
        self.now_s = to_s;
        while let Some(Reverse((at_s, what, index))) = self.events.peek().copied() {
            if at_s > to_s {
                break;
            }
            self.events.pop();
            self.happened += 1;
            match what {
                What::Boots(pool) => self.pools[pool].booted(index),
                What::Ends => {
                    let slot = usize::try_from(index).unwrap_or(0);
                    let Some(running) = self.running[slot].take() else { continue };
                    self.vacant.push(index);
                    ended(self.end(&running, releases_rented)?);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, running: &Running, releases_rented: bool) -> Result<Ended, ClusterError> {
        self.active -= 1;
        let pool = running.pool;
        for part in &running.parts {
            self.hold((running, *part), running.end_s);
            let idle = self.pools[pool].give_back(*part, self.now_s);
            if idle && releases_rented && self.spec.pools[pool].nodes.is_none() {
                self.switch_off(pool, part.node)?;
            }
        }
        let ran_s = running.end_s - running.runs_s;
        Ok(Ended {
            took_s: running.end_s - running.submit_s,
            late: running.due_s.is_some_and(|due_s| running.end_s > due_s),
            work_nano: i128::from(ran_s) * i128::from(running.accelerators) * 1_000_000_000,
        })
    }

    /// Notes what a job held of a node in the hour that goes on.
    fn hold(&mut self, (running, part): (&Running, Part), to_s: i64) {
        let ready_s = self.ready_s(running.pool, part.node);
        // Before it is ready a node is nobody's.
        let from_s = running.held_s.max(self.hour_s).max(ready_s);
        let to_s = to_s.min(self.hour_s + 3_600);
        if from_s < to_s {
            self.ended.push(Held {
                pool: running.pool,
                node: part.node,
                count: part.count,
                from_s,
                to_s,
                runs_s: running.runs_s,
                used_nano: None,
                who: Arc::clone(&running.who),
            });
        }
    }

    fn ready_s(&self, pool: usize, node: u32) -> i64 {
        self.pools[pool].nodes[usize::try_from(node).unwrap_or(0)].ready_s
    }

    /// Hands the hour over that has passed.
    fn hand_over(&mut self) -> Result<(), ClusterError> {
        let end_s = self.hour_s + 3_600;
        let running = std::mem::take(&mut self.running);
        for job in running.iter().flatten() {
            for part in &job.parts {
                self.hold((job, *part), job.end_s);
            }
        }
        self.running = running;
        let mut paid = std::mem::take(&mut self.closed);
        for (pool, of) in self.pools.iter().enumerate().filter(|(_, of)| of.on > 0) {
            for (index, node) in of.nodes.iter().enumerate() {
                if node.power != Power::Off && node.on_s < end_s {
                    let from_s = node.on_s.max(self.hour_s);
                    let ready_s = node.ready_s.clamp(from_s, end_s);
                    let node = u32::try_from(index).unwrap_or(u32::MAX);
                    paid.push(Paid { pool, node, from_s, to_s: end_s, ready_s });
                }
            }
        }
        let held = std::mem::take(&mut self.ended);
        if !paid.is_empty() {
            let hour = Hour { from_s: self.hour_s, paid, held };
            let closed = || ClusterError::Books("the ledger has stopped".to_owned());
            self.hours.send(hour).map_err(|_| closed())?;
        }
        self.hour_s = end_s;
        Ok(())
    }

    /// Switches everything off, and hands over what is left.
    pub(super) fn close(&mut self) -> Result<(), ClusterError> {
        for pool in 0..self.pools.len() {
            for node in 0..self.pools[pool].nodes.len() {
                if self.pools[pool].nodes[node].power != Power::Off {
                    self.switch_off(pool, u32::try_from(node).unwrap_or(u32::MAX))?;
                }
            }
        }
        self.hand_over()
    }
}

impl Running {
    /// How long it will still hold its accelerators, as far as anybody knows: what runs longer than
    /// was thought runs as long again as a quarter of what it has run.
    pub(super) fn left(&self, now_s: i64) -> SignedDuration {
        let left_s = self.thought_s - now_s;
        let more_s = (now_s - self.runs_s) / 4;
        SignedDuration::from_secs(if left_s > 0 { left_s } else { more_s.max(60) })
    }
}

fn who(job: &Pending) -> Result<Arc<Attribution>, ClusterError> {
    let name = job.name.as_ref().map_or_else(|| format!("job-{}", job.row), ToString::to_string);
    let workload = WorkloadId::new(&name).map_err(ClusterError::name)?;
    let team = job.team.as_ref().map(|team| TeamId::new(team)).transpose();
    let team = team.map_err(ClusterError::name)?;
    Ok(Arc::new(Attribution { team, ..Attribution::of(workload) }))
}
