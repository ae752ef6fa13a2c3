//! Who runs next, and where: one policy is one way to answer that.
//!
//! A policy sees jobs as they are submitted, with what they are thought to take, and the cluster as
//! it is. Start with [`Policy`]; the published ones are here, `planned` is ours.

use super::error::ClusterError;
use super::planned::Planned;
use super::spec::ClusterSpec;
use super::state::{Cluster, Pending};
use crate::rule;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;

/// How a cluster is run.
pub(super) trait Policy {
    /// A job is submitted. It fits into one kind of nodes at least.
    fn arrive(&mut self, job: Pending);

    /// Starts what should start now. It is asked whenever something was submitted or has ended, and
    /// at the moment that it asks for here, which is later than now.
    fn dispatch(&mut self, cluster: &mut Cluster<'_>) -> Result<Option<i64>, ClusterError>;

    /// Jobs that wait.
    fn waiting(&self) -> usize;

    /// Questions that it put to the planner, and those that had an answer from before.
    fn asked(&self) -> [u64; 2] {
        [0, 0]
    }
}

/// The policies by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClusterRule {
    /// Ours: what the planner decides.
    Farthing,
    /// First come, first served, and nobody overtakes.
    Fifo,
    /// The seeds' rule: the most value for its cost first, until one does not fit.
    GreedyR,
    /// The largest first, each where it fits at the lowest price of an hour.
    FfdCheapest,
}

impl ClusterRule {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Farthing, "farthing"),
        (Self::Fifo, "fifo"),
        (Self::GreedyR, "greedy-r"),
        (Self::FfdCheapest, "ffd-cheapest"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }

    /// Whether it decides when nodes are on; under the others the owner's own always are, and
    /// rented ones are given back when nobody holds them.
    pub(super) const fn switches(self) -> bool {
        matches!(self, Self::Farthing)
    }

    pub(super) fn policy(self, spec: &ClusterSpec) -> Result<Box<dyn Policy>, ClusterError> {
        Ok(match self {
            Self::Farthing => Box::new(Planned::new(spec)?),
            Self::Fifo => Box::new(Fifo::default()),
            Self::GreedyR => Box::new(GreedyR::default()),
            Self::FfdCheapest => Box::new(Ffd::default()),
        })
    }
}

impl fmt::Display for ClusterRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for ClusterRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        rule::policy(&Self::ALL, text)
    }
}

/// The kind of nodes with room whose accelerators cost least an hour, the first of those alike.
pub(super) fn cheapest(cluster: &Cluster<'_>, accelerators: u32) -> Option<usize> {
    let pools = cluster.pools.iter().enumerate();
    let room = pools.filter(|(_, pool)| pool.has(u64::from(accelerators)));
    room.map(|(index, _)| index).min_by_key(|index| price_pico(cluster.spec, *index))
}

/// What an hour of an accelerator costs, in 10^-12.
pub(super) fn price_pico(spec: &ClusterSpec, pool: usize) -> i128 {
    let pool = &spec.pools[pool];
    pool.price.per_hour().pico() / i128::from(pool.accelerators.max(1))
}

/// First come, first served.
#[derive(Default)]
struct Fifo {
    queue: VecDeque<Pending>,
}

impl Policy for Fifo {
    fn arrive(&mut self, job: Pending) {
        self.queue.push_back(job);
    }

    fn dispatch(&mut self, cluster: &mut Cluster<'_>) -> Result<Option<i64>, ClusterError> {
        while let Some(pool) =
            self.queue.front().and_then(|job| cheapest(cluster, job.accelerators))
        {
            let Some(job) = self.queue.pop_front() else { break };
            cluster.start(&job, pool)?;
        }
        Ok(None)
    }

    fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// By value for cost. All jobs are worth the same, so that the one that costs least is first.
#[derive(Default)]
struct GreedyR {
    queue: BTreeMap<(i64, u64), Pending>,
}

/// Accelerators times the time that they are thought to be held.
fn size(job: &Pending) -> i64 {
    i64::from(job.accelerators).saturating_mul(job.estimate_s)
}

impl Policy for GreedyR {
    fn arrive(&mut self, job: Pending) {
        self.queue.insert((size(&job), job.row), job);
    }

    fn dispatch(&mut self, cluster: &mut Cluster<'_>) -> Result<Option<i64>, ClusterError> {
        while let Some(first) = self.queue.first_entry() {
            let wanted = u64::from(first.get().accelerators);
            // The first resource of the list, whatever it costs.
            let Some(pool) = cluster.pools.iter().position(|pool| pool.has(wanted)) else { break };
            cluster.start(&first.remove(), pool)?;
        }
        Ok(None)
    }

    fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// The largest first. Jobs are kept by the accelerators that they ask for, so that those that do
/// not fit are passed over together.
#[derive(Default)]
struct Ffd {
    queue: BTreeMap<u32, BTreeMap<(Reverse<i64>, u64), Pending>>,
    waiting: usize,
}

impl Policy for Ffd {
    fn arrive(&mut self, job: Pending) {
        let alike = self.queue.entry(job.accelerators).or_default();
        alike.insert((Reverse(job.estimate_s), job.row), job);
        self.waiting += 1;
    }

    fn dispatch(&mut self, cluster: &mut Cluster<'_>) -> Result<Option<i64>, ClusterError> {
        loop {
            let heads = self.queue.iter().filter_map(|(accelerators, alike)| {
                let ((Reverse(estimate_s), row), _) = alike.first_key_value()?;
                let fits = cluster.pools.iter().any(|pool| pool.has(u64::from(*accelerators)));
                let size = i64::from(*accelerators).saturating_mul(*estimate_s);
                fits.then_some((size, Reverse(*row), *accelerators))
            });
            let Some((.., accelerators)) = heads.max() else { break };
            let job = self.queue.get_mut(&accelerators).and_then(BTreeMap::pop_first);
            let pool = cheapest(cluster, accelerators);
            let (Some((_, job)), Some(pool)) = (job, pool) else { break };
            self.waiting -= 1;
            cluster.start(&job, pool)?;
        }
        Ok(None)
    }

    fn waiting(&self) -> usize {
        self.waiting
    }
}
