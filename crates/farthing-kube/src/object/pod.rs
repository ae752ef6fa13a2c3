//! Pods: what the scheduler has set aside for one, where, from when to when, and whose it is.

use super::placement::{self, Placement};
use super::{Key, Labels, Marks, Meta, Names, OwnerRef, or_default};
use farthing_model::Resources;
use farthing_model::amount::{bytes, cores_milli};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels that say nothing to people and differ in each version of an object.
const NOISE: [&str; 5] = [
    "pod-template-hash",
    "controller-revision-hash",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "pod-template-generation",
];

/// A pod as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodObject {
    pub(crate) key: Key,
    pub(crate) uid: Arc<str>,
    pub(crate) node: Option<Arc<str>>,
    pub(crate) owner: Option<OwnerRef>,
    pub(crate) team: Option<Arc<str>>,
    pub(crate) labels: Labels,
    pub(crate) asks: Arc<Asks>,
    pub(crate) placement: Arc<Placement>,
    /// Whether it says that it must not be taken away.
    pub(crate) undisturbed: bool,
    /// The claims of devices that it has, by name.
    pub(crate) claims: Vec<Arc<str>>,
    pub(crate) phase: Phase,
    /// When it was given its node.
    pub(crate) placed: Option<Timestamp>,
    /// When it was done, and held nothing any more.
    pub(crate) done: Option<Timestamp>,
    pub(crate) created: Timestamp,
    /// A number that is another after each change.
    pub(crate) version: u64,
    /// The server's count of changes to what is wanted of it.
    pub(crate) generation: i64,
    /// Whether it is on its way out.
    pub(crate) deleting: bool,
    pub(crate) marks: Marks,
}

/// What is set aside for a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Asks {
    /// Cores, memory and disk.
    pub(crate) resources: Resources,
    /// Devices and slices of them, by the name of the resource.
    pub(crate) devices: Vec<(Arc<str>, u64)>,
}

/// Where in its life a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    Running,
    Done,
}

/// A pod as the server writes it.
#[derive(Deserialize)]
pub(crate) struct Wire {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    node_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    init_containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    overhead: BTreeMap<String, String>,
    /// What the pod as a whole asks for, which then stands for all of its containers.
    resources: Option<Needs>,
    #[serde(deserialize_with = "or_default")]
    pub(super) tolerations: Vec<placement::Toleration>,
    #[serde(deserialize_with = "or_default")]
    pub(super) node_selector: BTreeMap<String, String>,
    pub(super) affinity: Option<placement::Affinity>,
    pub(super) priority: Option<i32>,
    pub(super) priority_class_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) volumes: Vec<placement::Volume>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    restart_policy: Option<String>,
    resources: Option<Needs>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Needs {
    #[serde(deserialize_with = "or_default")]
    requests: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    limits: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    #[serde(default, deserialize_with = "super::time")]
    start_time: Option<Timestamp>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    resource_claim_statuses: Vec<ClaimStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    pub(super) r#type: String,
    pub(super) status: String,
    #[serde(default, deserialize_with = "super::time")]
    pub(super) last_transition_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    state: Option<State>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    terminated: Option<Terminated>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Terminated {
    #[serde(default, deserialize_with = "super::time")]
    finished_at: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClaimStatus {
    resource_claim_name: Option<String>,
}

impl PodObject {
    /// Keeps what is needed of a pod that was seen at `now`.
    pub(crate) fn of(wire: Wire, names: &mut Names, now: Timestamp) -> Result<Self, String> {
        let Wire { metadata: mut meta, spec, status } = wire;
        let phase = match status.phase.as_deref() {
            Some("Succeeded" | "Failed") => Phase::Done,
            Some("Running") => Phase::Running,
            _ => Phase::Pending,
        };
        let ended = status
            .container_statuses
            .iter()
            .filter_map(|it| it.state.as_ref()?.terminated.as_ref()?.finished_at);
        let condition = |name: &str| status.conditions.iter().find(|it| it.r#type == name);
        let done = match phase {
            Phase::Done => {
                let not_ready = condition("Ready").and_then(|it| it.last_transition_time);
                Some(ended.max().or(not_ready).unwrap_or(now).min(now))
            }
            _ => None,
        };
        let scheduled = condition("PodScheduled").filter(|it| it.status == "True");
        let created = meta.creation_timestamp.unwrap_or(now);
        let node = spec.node_name.as_deref().filter(|node| !node.is_empty());
        let placed = node.map(|_| {
            let told = scheduled.and_then(|it| it.last_transition_time);
            told.or(status.start_time).unwrap_or(created)
        });
        let team = meta.team().map(|team| names.of(team));
        let mut labels = std::mem::take(&mut meta.labels);
        labels.retain(|name, _| !NOISE.contains(&name.as_str()));
        Ok(Self {
            uid: Arc::from(meta.uid.as_str()),
            node: node.map(|node| names.of(node)),
            owner: meta.controller().map(|owner| OwnerRef::of(owner, names)),
            team,
            labels: names.labels(labels),
            asks: {
                let asks = asks(&spec, names)?;
                names.asks(asks)
            },
            placement: Placement::of(&spec, names),
            undisturbed: meta.undisturbed(),
            claims: status
                .resource_claim_statuses
                .iter()
                .filter_map(|claim| claim.resource_claim_name.as_deref().map(Arc::from))
                .collect(),
            phase,
            placed,
            done,
            created,
            version: meta.version(),
            generation: meta.generation,
            deleting: meta.deletion_timestamp.is_some(),
            marks: meta.marks(names),
            key: meta.key(names),
        })
    }

    /// From when on it holds what it asks for, and to when as far as is known.
    pub(crate) fn held(&self) -> Option<(&Arc<str>, Timestamp, Option<Timestamp>)> {
        Some((self.node.as_ref()?, self.placed?, self.done))
    }
}

/// As the scheduler counts: containers together with those that start before them and stay, or
/// the largest of those that run before them, whichever is more; and the overhead. What the pod as
/// a whole asks for stands in place of all that.
pub(crate) fn asks(spec: &Spec, names: &mut Names) -> Result<Asks, String> {
    let mut sum = Amounts::default();
    for container in &spec.containers {
        sum.add(&needs(container)?);
    }
    let (mut stays, mut most) = (Amounts::default(), Amounts::default());
    for container in &spec.init_containers {
        let own = needs(container)?;
        let mut with = stays.clone();
        with.add(&own);
        if container.restart_policy.as_deref() == Some("Always") {
            stays = with.clone();
        }
        most.raise(&with);
    }
    sum.add(&stays);
    sum.raise(&most);
    if let Some(whole) = &spec.resources {
        let all = whole.limits.iter().chain(&whole.requests);
        sum.0.extend(Amounts::of(all)?.0);
    }
    sum.add(&Amounts::of(spec.overhead.iter())?);
    Ok(sum.asks(names))
}

fn needs(container: &Container) -> Result<Amounts, String> {
    let Some(needs) = &container.resources else { return Ok(Amounts::default()) };
    // A limit without a request is one.
    let all = needs.limits.iter().chain(&needs.requests);
    Amounts::of(all).map_err(|why| format!("container {}: {why}", container.name))
}

/// Amounts by the name of the resource, in its unit: thousandths of cores, bytes, devices.
#[derive(Clone, Debug, Default)]
struct Amounts(BTreeMap<String, u64>);

impl Amounts {
    fn of<'a>(all: impl Iterator<Item = (&'a String, &'a String)>) -> Result<Self, String> {
        let mut found = BTreeMap::new();
        for (name, text) in all {
            if let Some(amount) = amount(name, text)? {
                found.insert(name.clone(), amount);
            }
        }
        Ok(Self(found))
    }

    fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    fn raise(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let most = self.0.entry(name.clone()).or_default();
            *most = (*most).max(*amount);
        }
    }

    fn asks(self, names: &mut Names) -> Asks {
        let mut asks = Asks::default();
        for (name, amount) in self.0 {
            match name.as_str() {
                "cpu" => asks.resources.cpu_milli = amount,
                "memory" => asks.resources.memory_bytes = amount,
                "ephemeral-storage" => asks.resources.storage_bytes = amount,
                name if amount > 0 => asks.devices.push((names.of(name), amount)),
                _ => {}
            }
        }
        asks
    }
}

/// An amount in the unit of its resource; `None` for what is in no price (huge pages, pods, IPs).
pub(crate) fn amount(name: &str, text: &str) -> Result<Option<u64>, String> {
    let read = match name {
        "cpu" => cores_milli(text),
        "memory" | "ephemeral-storage" => bytes(text),
        name if crate::gpu::is_device(name) => farthing_model::amount::devices(name, text),
        _ => return Ok(None),
    };
    read.map(Some).map_err(|why| format!("{name}: {why}"))
}
