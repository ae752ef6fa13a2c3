//! What a cluster is made of, and what may be varied about a run.

use farthing_model::HourlyRate;
use jiff::SignedDuration;

/// Most nodes of one kind, and most accelerators of a node.
pub const NODES_MAX: u32 = 1_000_000;
/// Most accelerators of a node.
pub const ACCELERATORS_MAX: u32 = 1_024;

/// Nodes of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// The kind of accelerator, such as `V100`.
    pub name: String,
    /// How many nodes there are; `None` = as many as are asked for, rented.
    pub nodes: Option<u32>,
    /// Accelerators of a node, 1 to [`ACCELERATORS_MAX`].
    pub accelerators: u32,
    /// What a node costs for each hour in which it is on.
    pub price: HourlyRate,
}

/// A cluster and how it behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Its kinds of nodes. A job runs within one of them, on any of its nodes.
    pub pools: Vec<PoolSpec>,
    /// From switching a node on to its use, which is paid; drawn anew for each boot, up to a
    /// quarter less or more.
    pub boot: SignedDuration,
    /// How long a node has nothing to do before it may be switched off.
    pub idle_release: SignedDuration,
    /// Nodes of each kind that are kept on for who comes next, in parts per million of all of the
    /// kind; rented ones are never kept.
    pub reserve_ppm: u32,
    /// How far estimates of run times are off: each is drawn between `run / (1 + error)` and
    /// `run x (1 + error)`, in parts per million.
    pub estimate_error_ppm: u32,
    /// From its submission and run time a job gets this much longer until it is due; `None` = only
    /// what the trace says.
    pub slack: Option<SignedDuration>,
    /// Of everything that is drawn.
    pub seed: u64,
}

impl PoolSpec {
    /// Accelerators of all nodes; `None` = no limit.
    pub fn capacity(&self) -> Option<u64> {
        self.nodes.map(|nodes| u64::from(nodes) * u64::from(self.accelerators))
    }
}
