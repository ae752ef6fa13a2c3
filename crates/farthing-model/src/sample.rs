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
    /// The namespace of its pod, in a cluster that has such.
    pub namespace: Option<String>,
    /// Its pod.
    pub pod: Option<String>,
    /// What runs the pod, at the top of its owners.
    pub controller: Option<Controller>,
    /// The container, if it ran in one.
    pub container: Option<String>,
    /// The program, if known.
    pub process: Option<String>,
    /// The workload's labels when it was measured, for budgets and statements by label.
    pub labels: BTreeMap<String, String>,
    /// Its annotations, those that were asked for.
    pub annotations: BTreeMap<String, String>,
    /// The services that send requests to it, sorted.
    pub services: Vec<String>,
}

impl Attribution {
    /// A workload of which nothing else is known.
    pub const fn of(workload: WorkloadId) -> Self {
        Self {
            workload,
            team: None,
            user: None,
            namespace: None,
            pod: None,
            controller: None,
            container: None,
            process: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            services: Vec::new(),
        }
    }
}

/// An object that owns pods, such as a deployment or a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Controller {
    /// In lower case: `deployment`, `statefulset`, `daemonset`, `job`, `cronjob`, `pytorchjob`.
    pub kind: String,
    /// Its name.
    pub name: String,
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
