//! What others have said about nodes and workloads, and a decision has to keep to: taints and
//! tolerations, priorities, quotas, disruption budgets, and who else steers what.
//!
//! A world without such things has none of them, which forbids nothing.

use crate::id::{NodeId, OfferId, WorkloadId};
use crate::money::Money;
use crate::resource::{PerResource, Resources};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Everything that is said, by whom it is said of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Of nodes; of a node that is not in it nothing is said.
    pub nodes: BTreeMap<NodeId, NodeTerms>,
    /// Of workloads; of a workload that is not in it nothing is said.
    pub workloads: BTreeMap<WorkloadId, WorkloadTerms>,
    /// What groups of workloads may still take, by namespace: the least of each resource that its
    /// quotas leave.
    pub room: BTreeMap<String, Room>,
    /// Pools that nodes are bought for by somebody else, by name.
    pub pools: BTreeMap<String, Pool>,
    /// Whether members of workloads share nodes: then each costs its part of one, and not a node.
    pub shared: bool,
}

/// What is said of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTerms {
    /// Who is kept off it.
    pub taints: Vec<Taint>,
    /// Whether nothing new is to be put on it.
    pub cordoned: bool,
    /// The pool that it was bought for, where an autoscaler did.
    pub pool: Option<String>,
    /// What does not look well about it.
    pub symptoms: Vec<Symptom>,
    /// Whose members are on it, and how many; only where there are symptoms.
    pub holds: BTreeMap<WorkloadId, u32>,
}

/// Something that does not look well about a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symptom {
    /// `TYPE=STATUS` of a condition, or the name of a device of which not all can be used.
    pub name: String,
    /// More, in the words of whoever found it.
    pub says: String,
}

/// Keeps workloads off a node that do not tolerate it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taint {
    /// Its name.
    pub key: String,
    /// Empty where it has none.
    pub value: String,
    /// What it does to others.
    pub effect: Effect,
}

/// What a taint does to who does not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing new is put there.
    NoSchedule,
    /// Something new is put there only if nothing else will do.
    PreferNoSchedule,
    /// Nothing new, and who is there has to leave.
    NoExecute,
}

/// Taints that a workload puts up with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Toleration {
    /// The name of the taint; `None`: all of them.
    pub key: Option<String>,
    /// Its value; `None`: any.
    pub value: Option<String>,
    /// Its effect; `None`: all of them.
    pub effect: Option<Effect>,
}

/// What is said of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadTerms {
    /// Taints that it puts up with.
    pub tolerations: Vec<Toleration>,
    /// Labels that its nodes must have.
    pub selector: BTreeMap<String, String>,
    /// Whether it says more about its nodes than the selector does, which is not read: it may be
    /// put on fewer nodes than it seems.
    pub more_affinity: bool,
    /// Larger comes first; 0 where nothing is said.
    pub priority: i32,
    /// How many of its members may be taken away at this moment; `None` where nobody limits that.
    pub disruptions: Option<u32>,
    /// Volumes that it has by claims, which may hold it where they are.
    pub volumes: u32,
    /// Whether a running member must not be taken away, as it says itself.
    pub undisturbed: bool,
    /// Who else decides when it runs and how large it is.
    pub steered_by: Vec<Steering>,
    /// The fewest and the most replicas that a service may have, where it says that it does with
    /// any number between them.
    pub elastic: Option<(u32, u32)>,
    /// The same of what works on something finite, with what is known of its size.
    pub stretch: Option<Stretch>,
    /// Whether it says that it is not to be touched.
    pub excluded: bool,
    /// How what its members may use fits what they use, where that can be changed while they run.
    pub fit: Option<Fit>,
}

/// How what each member of a workload may use at most fits what they use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Members that run; all may use as much.
    pub members: u32,
    /// What each may use.
    pub limits: Resources,
    /// What no member used more than in 99 of 100 measurements.
    pub usual: Resources,
    /// The most that any member used at any time; of memory at any moment.
    pub peak: Resources,
    /// The most that any used in the newest measurement.
    pub last: Resources,
    /// From when on all of that was measured, with these limits.
    pub since: Timestamp,
    /// What an hour of each resource of a machine costs, and how much of it that is; nothing where
    /// nobody knows.
    pub price: Option<(PerResource<Money>, Resources)>,
}

/// How far something that works may be stretched: the part of it that does with more or fewer
/// members while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Members that are wanted of it now.
    pub wanted: u32,
    /// The fewest that it may have.
    pub least: u32,
    /// The most.
    pub most: u32,
    /// Pods of each.
    pub pods_each: u32,
    /// What one of these asks for.
    pub each: Resources,
    /// Where they are; `None` where they are not all on one offer, or not as many as are wanted.
    pub offer: Option<OfferId>,
    /// Members that would find room beside them on nodes of that offer.
    pub room: u32,
    /// How long one member alone would still work, where that is known.
    pub left: Option<SignedDuration>,
}

/// Who else decides about a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Steering {
    /// A queue that admits it (Kueue), by its name.
    Queue(String),
    /// An autoscaler of replicas, and its bounds.
    Replicas {
        /// Its kind, as `HorizontalPodAutoscaler`.
        kind: String,
        /// Its name.
        name: String,
        /// It keeps at least so many; 0 where it may take all away.
        least: u32,
        /// And at most so many.
        most: u32,
    },
}

/// What may still be taken; `None` for what nobody limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Thousandths of cores.
    pub cpu_milli: Option<u64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Thousandths of accelerators.
    pub gpu_milli: Option<u64>,
    /// Pods.
    pub pods: Option<u64>,
}

/// A pool of nodes that an autoscaler fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// It buys no more than this in all; `None` for what is not limited.
    pub limit: Room,
    /// What it has bought.
    pub bought: Resources,
    /// Of several that would do, the one with the largest is taken.
    pub weight: u32,
}

impl Taint {
    /// Whether it keeps a workload with these tolerations from being put there.
    pub fn keeps_off(&self, tolerations: &[Toleration]) -> bool {
        self.effect != Effect::PreferNoSchedule && !tolerations.iter().any(|it| it.covers(self))
    }
}

impl Toleration {
    /// Whether it is meant for a taint.
    pub fn covers(&self, taint: &Taint) -> bool {
        self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.is_none_or(|effect| effect == taint.effect)
    }
}

impl std::str::FromStr for Effect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "NoSchedule" => Ok(Self::NoSchedule),
            "PreferNoSchedule" => Ok(Self::PreferNoSchedule),
            "NoExecute" => Ok(Self::NoExecute),
            other => Err(format!("`{other}` is no effect of a taint")),
        }
    }
}

impl Room {
    /// The least that both leave.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            cpu_milli: least(self.cpu_milli, other.cpu_milli),
            memory_bytes: least(self.memory_bytes, other.memory_bytes),
            gpu_milli: least(self.gpu_milli, other.gpu_milli),
            pods: least(self.pods, other.pods),
        }
    }

    /// Whether so many pods of one size fit.
    pub fn holds(&self, each: Resources, pods: u64) -> bool {
        let within = |room: Option<u64>, each: u64| {
            room.is_none_or(|room| each.checked_mul(pods).is_some_and(|all| all <= room))
        };
        within(self.cpu_milli, each.cpu_milli)
            && within(self.memory_bytes, each.memory_bytes)
            && within(self.gpu_milli, each.gpu_milli)
            && within(self.pods, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: Option<&str>, value: Option<&str>, effect: Option<Effect>) -> Toleration {
        Toleration { key: key.map(str::to_owned), value: value.map(str::to_owned), effect }
    }

    #[test]
    fn a_taint_keeps_off_who_does_not_tolerate_it() {
        let (key, value) = ("gpu".to_owned(), "h100".to_owned());
        let taint = Taint { key, value, effect: Effect::NoSchedule };
        assert!(taint.keeps_off(&[]));
        assert!(!taint.keeps_off(&[toleration(Some("gpu"), None, None)]));
        assert!(!taint.keeps_off(&[toleration(None, None, None)]), "one for all");
        assert!(taint.keeps_off(&[toleration(Some("gpu"), Some("a10g"), None)]));
        assert!(taint.keeps_off(&[toleration(Some("gpu"), None, Some(Effect::NoExecute))]));
        let soft = Taint { effect: Effect::PreferNoSchedule, ..taint };
        assert!(!soft.keeps_off(&[]), "it only prefers");
        assert_eq!("NoExecute".parse(), Ok(Effect::NoExecute));
        assert!("noexecute".parse::<Effect>().is_err());
    }

    #[test]
    fn room_is_the_least_of_all_quotas() {
        let one = Room { cpu_milli: Some(4_000), pods: Some(3), ..Room::default() };
        let other = Room { cpu_milli: Some(6_000), gpu_milli: Some(1_000), ..Room::default() };
        let both = one.min(other);
        assert_eq!(
            (both.cpu_milli, both.gpu_milli, both.pods),
            (Some(4_000), Some(1_000), Some(3))
        );
        let pod = Resources { cpu_milli: 2_000, gpu_milli: 500, ..Resources::default() };
        assert!(both.holds(pod, 2));
        assert!(!both.holds(pod, 3), "cores");
        assert!(!both.holds(Resources::default(), 4), "pods");
        assert!(Room::default().holds(pod, u64::MAX), "nobody limits it");
    }
}
