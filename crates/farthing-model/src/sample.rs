//! Samples: one row of telemetry, in one canonical form whatever it was read from.

use crate::id::{DeviceId, NodeId, SourceId, TeamId, WorkloadId};
use crate::mig::{MigDevice, MigProfile};
use crate::policy::Ratio;
use crate::resource::Resource;
use crate::window::Window;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::{fmt, str::FromStr};

/// Who is charged for a sample, and the labels that statements group by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The workload's labels when it was measured, for budgets and statements by label; workloads
    /// that are alike share them.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Its annotations, those that were asked for.
    pub annotations: BTreeMap<String, String>,
    /// The services that send requests to it, sorted.
    pub services: Vec<String>,
}

impl Hash for Attribution {
    /// By what tells most of them apart: the rest is much, and seldom differs alone.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { workload, user, pod, container, process, .. } = self;
        (workload, user, pod, container, process).hash(state);
    }
}

impl Attribution {
    /// A workload of which nothing else is known.
    pub fn of(workload: WorkloadId) -> Self {
        Self {
            workload,
            team: None,
            user: None,
            namespace: None,
            pod: None,
            controller: None,
            container: None,
            process: None,
            labels: Arc::default(),
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

/// A hardware partition of a device: one MIG instance, and a compute instance inside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice {
    /// The GPU instance by its number on the device (`GPU_I_ID`, `gi_id`).
    pub instance: u32,
    /// The compute instance by its number inside, where there are several.
    pub compute_instance: Option<u32>,
    /// Compute and memory slices; a compute instance has its part of the former.
    pub profile: MigProfile,
    /// The memory slice that the GPU instance starts at, where that is known.
    pub start: Option<u8>,
}

impl fmt::Display for Slice {
    /// `3.0 3c 4m of 7 8, 1 inside, at 4`: instance 3, compute instance 0 of it, and so on.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.instance)?;
        self.compute_instance.map_or(Ok(()), |inside| write!(out, ".{inside}"))?;
        let (compute, memory) = self.profile.device().slices();
        write!(out, " {}c {}m of {compute}", self.profile.compute(), self.profile.memory())?;
        write!(out, " {memory}")?;
        self.profile.inside().map_or(Ok(()), |inside| write!(out, ", {inside} inside"))?;
        self.start.map_or(Ok(()), |start| write!(out, ", at {start}"))
    }
}

impl FromStr for Slice {
    type Err = String;

    /// Reads what is written.
    fn from_str(text: &str) -> Result<Self, String> {
        slice(text).ok_or_else(|| format!("`{text}` is not a slice such as `3 1c 1m of 7 8`"))
    }
}

fn slice(text: &str) -> Option<Slice> {
    let mut parts = text.split(", ");
    let mut words = parts.next()?.split(' ');
    let (instance, compute_instance) = match words.next()?.split_once('.') {
        Some((instance, inside)) => (instance.parse().ok()?, Some(inside.parse().ok()?)),
        None => (text.split(' ').next()?.parse().ok()?, None),
    };
    let compute = words.next()?.strip_suffix('c')?.parse().ok()?;
    let memory = words.next()?.strip_suffix('m')?.parse().ok()?;
    let device = match (words.next()?, words.next()?, words.next()?, words.next()) {
        ("of", "7", "8", None) => MigDevice::of_seven(None),
        ("of", "4", "4", None) => MigDevice::of_four(None),
        _ => return None,
    };
    let mut profile = MigProfile::from_slices(device, compute, memory)?;
    let mut start = None;
    for part in parts {
        match (part.strip_suffix(" inside"), part.strip_prefix("at ")) {
            (Some(inside), _) => profile = profile.compute_instance(inside.parse().ok()?)?,
            (_, Some(at)) => start = Some(at.parse().ok()?),
            _ => return None,
        }
    }
    Some(Slice { instance, compute_instance, profile, start })
}

/// One measurement: who, where, which resource, from when to when, how much.
///
/// Amounts are in 10^-9 unit-seconds of the resource (GPU-s, core-s, byte-s), integrated over the
/// window: 0.25 GPU for 10 s is 2.5 x 10^9. Of the network they are 10^-9 bytes.
///
/// # Shared accelerators
///
/// The device is the unit. A sample on a `device` requests its share of that device
/// ([`crate::Share::over`], [`MigProfile::share`]), and its use is in parts of the whole device
/// too: an instance of 1/7 that is always busy used 1/7. Shares of one device count up to the whole
/// device, those of one `slice` up to the slice. A series that an exporter copied to each of the
/// workloads on a device must be split over them before; if it is not, they are charged one device
/// together, and it is reported as overcommit.
///
/// # Volumes
///
/// On the node of an [`crate::Asset::Volume`] a sample is a mount: who has a sample over a moment
/// has the volume mounted then, and those who do share it equally, whatever they request. What the
/// volume holds is what each of them reports as used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which adapter measured it.
    pub source: SourceId,
    /// Where: a node, or another asset that is paid.
    pub node: NodeId,
    /// On which device, for accelerators.
    pub device: Option<DeviceId>,
    /// On which partition of the device, where it is partitioned.
    pub slice: Option<Slice>,
    /// Who; `None` = the system itself, which is overhead.
    pub attribution: Option<Arc<Attribution>>,
    /// Which resource.
    pub resource: Resource,
    /// From when to when.
    pub window: Window,
    /// What was set aside for it (a request, a limit, a whole device).
    pub requested_nano: i128,
    /// What it really used; `None` where nobody looked, which is not nothing: it is charged for
    /// what was set aside, and neither used nor idle is known of that.
    pub used_nano: Option<i128>,
    /// Of an accelerator, what was occupied: the share, while memory of the device was held (a
    /// context was open), working or not. `None` where nobody looked. At least what was used, and
    /// at most the larger of requested and used; beyond that it does not count.
    pub held_nano: Option<i128>,
}

impl Sample {
    /// What is known to have been used.
    pub fn known_use(&self) -> i128 {
        self.used_nano.unwrap_or(0)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_reads_back_as_it_is_written() {
        let a100 = MigDevice::of_seven(Some(40));
        let slice = |name, compute_instance, start| Slice {
            instance: 3,
            compute_instance,
            // The size of the card is not kept with a slice.
            profile: a100.profile(name).unwrap(),
            start,
        };
        for (slice, text) in [
            (slice("1g.5gb", None, None), "3 1c 1m of 7 8"),
            (slice("3g.20gb", None, Some(4)), "3 3c 4m of 7 8, at 4"),
            (slice("1c.3g.20gb", Some(2), None), "3.2 3c 4m of 7 8, 1 inside"),
        ] {
            assert_eq!(slice.to_string(), text);
            assert_eq!(text.parse(), Ok(slice));
        }
        for bad in
            ["", "3", "3 1c 1m", "3 5c 1m of 7 8", "3 1c 1m of 7 8, 2 inside", "x 1c 1m of 7 8"]
        {
            assert!(bad.parse::<Slice>().is_err(), "{bad}");
        }
    }
}
