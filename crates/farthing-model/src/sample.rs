//! Samples: one row of telemetry, in one canonical form whatever it was read from.

use crate::id::{DeviceId, NodeId, SourceId, TeamId, WorkloadId};
use crate::policy::Ratio;
use crate::resource::Resource;
use crate::window::Window;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who is charged for a sample, and the labels that statements group by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribution {
    /// The workload, such as `finetune-70b`, `container:3f2a…` or `process:firefox`.
    pub workload: WorkloadId,
    /// The team, if known.
    pub team: Option<TeamId>,
    /// The user that owns the processes, if known.
    pub user: Option<String>,
    /// The container, if it ran in one.
    pub container: Option<String>,
    /// The program, if known.
    pub process: Option<String>,
    /// The workload's labels when it was measured, for budgets by label.
    pub labels: BTreeMap<String, String>,
}

/// One measurement: who, where, which resource, from when to when, how much.
///
/// Amounts are in 10^-9 unit-seconds of the resource (GPU-s, core-s, byte-s), integrated over the
/// window: 0.25 GPU for 10 s is 2.5 x 10^9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which adapter measured it.
    pub source: SourceId,
    /// Where.
    pub node: NodeId,
    /// On which device, for accelerators.
    pub device: Option<DeviceId>,
    /// Who; `None` = the system itself, which is overhead.
    pub attribution: Option<Arc<Attribution>>,
    /// Which resource.
    pub resource: Resource,
    /// From when to when.
    pub window: Window,
    /// What was set aside for it (a request, a limit, a whole device).
    pub requested_nano: i128,
    /// What it really used.
    pub used_nano: i128,
}

/// How much of what should have been measured was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Node-nanoseconds that were expected.
    pub expected_nanos: i128,
    /// Node-nanoseconds with a sample.
    pub measured_nanos: i128,
}

impl Coverage {
    /// The share that was measured; `None` when nothing was expected.
    pub fn ratio(self) -> Option<Ratio> {
        Ratio::of(self.measured_nanos, self.expected_nanos)
    }
}
