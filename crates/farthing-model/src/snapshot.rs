//! Snapshots: one immutable observation of the world, with the age of each part.

use crate::decimal::Decimal;
use crate::id::{ClusterId, OfferId, WorkloadId};
use crate::node::Node;
use crate::sample::Coverage;
use crate::terms::Terms;
use crate::window::Window;
use crate::workload::Workload;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// The world as it was seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose world.
    pub cluster: ClusterId,
    /// When it was put together.
    pub at: Timestamp,
    /// Nodes, by id.
    pub nodes: Vec<Node>,
    /// Workloads, by id.
    pub workloads: Vec<Observed>,
    /// When each part was last refreshed.
    pub ages: Vec<Age>,
    /// How much of the expected telemetry of the last window was there.
    pub coverage: Coverage,
    /// What others have said about nodes and workloads.
    pub terms: Arc<Terms>,
}

/// When a part of a snapshot was last refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    /// Which part: `nodes`, `workloads`, `usage`, `prices`.
    pub part: &'static str,
    /// When it was true.
    pub as_of: Timestamp,
}

impl Age {
    /// The parts of snapshots that have an age.
    pub const PARTS: [&'static str; 4] = ["nodes", "prices", "usage", "workloads"];
}

/// A workload as observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What someone wants done.
    pub workload: Arc<Workload>,
    /// What has become of it.
    pub state: WorkloadState,
    /// Changes with every change of the object in the world; a step names the one it saw.
    pub generation: u64,
    /// Since when the object exists.
    pub since: Timestamp,
    /// Requests per second a service really gets, where that is measured; else the declared rate
    /// is planned for.
    pub demand_per_s: Option<Decimal>,
}

/// What has become of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadState {
    /// Not placed.
    Waiting,
    /// Placed: scheduled when it starts in the future, running when it has started. A service has
    /// one assignment for each offer that it has replicas on. Members of a job that have finished
    /// keep their assignment, with a window that has ended, until the whole job is finished;
    /// members of a job without an assignment wait.
    Placed(Vec<Assignment>),
    /// Stopped by someone; it can be resumed.
    Suspended,
    /// Done.
    Finished(Timestamp),
}

/// Members or replicas of a workload on an offer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assignment {
    /// Where.
    pub offer: OfferId,
    /// How many members of a job, or replicas of a service.
    pub members: u32,
    /// Nodes that each member holds.
    pub nodes_each: u32,
    /// From when to when, as far as is known; a service's end is the end of the horizon.
    pub window: Window,
}

impl Snapshot {
    /// A workload by its id: quick where they are in the order of their ids, as what observes
    /// promises; found in any order.
    pub fn workload(&self, id: &WorkloadId) -> Option<&Observed> {
        match self.workloads.binary_search_by(|observed| observed.workload.id.cmp(id)) {
            Ok(at) => self.workloads.get(at),
            Err(_) => self.workloads.iter().find(|observed| observed.workload.id == *id),
        }
    }

    /// The age of the oldest part.
    pub fn oldest(&self) -> SignedDuration {
        self.ages
            .iter()
            .map(|age| self.at.duration_since(age.as_of))
            .max()
            .unwrap_or(SignedDuration::ZERO)
    }
}
