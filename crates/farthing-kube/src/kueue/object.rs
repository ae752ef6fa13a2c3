//! Kueue's objects, of which only what a decision needs is kept.

use crate::object::pod::amount;
use crate::object::{Key, Meta, Names, OwnerRef, or_default, time};
use farthing_model::is_excluded;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// On a Workload that we deactivated: since when, for how much, and why, as JSON.
pub(crate) const HELD: &str = "farthing.dev/held";
/// On a Workload that is about to be stopped: when.
pub(crate) const BRAKE: &str = "farthing.dev/brake-at";
/// On a Workload or in its pods' template: nothing of ours touches it.
const EXCLUDE: &str = "farthing.dev/exclude";
/// In the template of pods, or on the Workload: when it has to be done.
const DEADLINE: &str = "farthing.dev/deadline";
/// On the Workload: when it last wrote a checkpoint.
const CHECKPOINTED: &str = "farthing.dev/checkpointed-at";
/// On pods: the reservation that they run on.
pub(crate) const RESERVATION: &str = "farthing.dev/reservation";
/// Kueue's own, for its effective priority.
pub(crate) const BOOST: &str = "kueue.x-k8s.io/priority-boost";

/// Amounts by the name of the resource: thousandths of cores, bytes, devices.
pub(crate) type Amounts = Vec<(Arc<str>, u64)>;

/// An object of Kueue as it is kept.
#[derive(Debug)]
pub(crate) enum QueueObject {
    Workload(Box<Queued>),
    Flavor(Flavor),
    Check(Check),
    /// A cluster's queue or a namespace's: only that it is there.
    Queue(Key),
}

/// A Workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) key: Key,
    pub(crate) uid: Arc<str>,
    /// What a change has to be based on.
    pub(crate) version: Arc<str>,
    pub(crate) queue: Arc<str>,
    pub(crate) owner: Option<OwnerRef>,
    pub(crate) team: Option<Arc<str>>,
    /// Of its pods, whose template they are in.
    pub(crate) labels: Arc<[(Arc<str>, Arc<str>)]>,
    pub(crate) created: Timestamp,
    pub(crate) active: bool,
    pub(crate) excluded: bool,
    pub(crate) priority: i64,
    /// How long it may be admitted altogether, in seconds.
    pub(crate) limit_s: Option<i64>,
    /// How long it was, in admissions that ended, in seconds.
    pub(crate) past_s: i64,
    /// How many pods of each set are done with what they hold.
    pub(crate) done: Vec<(Arc<str>, u64)>,
    /// What it was given, by set of pods; `None` before quota is reserved.
    pub(crate) given: Option<Vec<Given>>,
    pub(crate) checks: Vec<Entry>,
    /// Since when quota is reserved.
    pub(crate) reserved: Option<Timestamp>,
    /// Since when it may run.
    pub(crate) admitted: Option<Timestamp>,
    pub(crate) evicted: Option<Timestamp>,
    pub(crate) finished: Option<Finish>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) checkpointed: Option<Timestamp>,
    /// Sets of pods that say themselves which reservation they run on.
    pub(crate) says: Vec<Arc<str>>,
    /// Our own notes.
    pub(crate) held: Option<Arc<str>>,
    pub(crate) brake: Option<Timestamp>,
    pub(crate) boost: Option<Arc<str>>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finish {
    pub(crate) at: Timestamp,
    pub(crate) succeeded: bool,
}

/// What one set of pods was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: Arc<str>,
    /// Pods, which may be fewer than were asked for.
    pub(crate) count: u64,
    /// The flavor of each resource.
    pub(crate) flavors: Vec<(Arc<str>, Arc<str>)>,
    /// What all pods of the set take together.
    pub(crate) usage: Amounts,
}

/// What a check says of a Workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) check: Arc<str>,
    pub(crate) state: CheckState,
    pub(crate) message: Arc<str>,
}

/// The state of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum CheckState {
    Pending,
    Ready,
    Retry,
    Rejected,
}

impl CheckState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Ready => "Ready",
            Self::Retry => "Retry",
            Self::Rejected => "Rejected",
        }
    }
}

/// What machines a flavor is, by the labels of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flavor {
    pub(crate) name: Arc<str>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) name: Arc<str>,
    pub(crate) controller: Arc<str>,
    /// Whether it is said to be answered.
    pub(crate) is_active: bool,
}

/// Any of them as the server writes it.
#[derive(Deserialize)]
struct Wire {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "or_default")]
    queue_name: String,
    active: Option<bool>,
    priority: Option<i64>,
    maximum_execution_time_seconds: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pod_sets: Vec<PodSet>,
    #[serde(deserialize_with = "or_default")]
    node_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    controller_name: String,
}

#[derive(Deserialize)]
struct PodSet {
    #[serde(default)]
    name: String,
    #[serde(default)]
    count: u64,
    #[serde(default)]
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    admission: Option<Admission>,
    #[serde(deserialize_with = "or_default")]
    admission_checks: Vec<Told>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    reclaimable_pods: Vec<Reclaimable>,
    #[serde(deserialize_with = "or_default")]
    accumulated_past_execution_time_seconds: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Admission {
    #[serde(default, deserialize_with = "or_default")]
    pod_set_assignments: Vec<Assignment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    flavors: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    resource_usage: BTreeMap<String, String>,
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Told {
    name: String,
    state: CheckState,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Reclaimable {
    name: String,
    count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    r#type: String,
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default, deserialize_with = "time")]
    last_transition_time: Option<Timestamp>,
}

/// Keeps what is needed of an object of one of Kueue's kinds that was seen at `now`.
pub(crate) fn read(
    kind: &str,
    raw: &str,
    names: &mut Names,
    now: Timestamp,
) -> Result<QueueObject, String> {
    let wire: Wire = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    Ok(match kind {
        "Workload" => QueueObject::Workload(Box::new(workload(wire, names, now)?)),
        "ResourceFlavor" => QueueObject::Flavor(Flavor {
            name: names.of(&wire.metadata.name),
            labels: wire.spec.node_labels,
        }),
        "AdmissionCheck" => {
            let active = wire.status.conditions.iter().find(|it| it.r#type == "Active");
            QueueObject::Check(Check {
                name: names.of(&wire.metadata.name),
                controller: names.of(&wire.spec.controller_name),
                is_active: active.is_some_and(|it| it.status == "True"),
            })
        }
        _ => QueueObject::Queue(wire.metadata.key(names)),
    })
}

fn workload(wire: Wire, names: &mut Names, now: Timestamp) -> Result<Queued, String> {
    let Wire { metadata: meta, spec, status } = wire;
    let true_since = |name: &str| {
        let found = status.conditions.iter().find(|it| it.r#type == name && it.status == "True");
        found.map(|it| (it.last_transition_time.unwrap_or(now), it))
    };
    let given = match &status.admission {
        Some(admission) => {
            let of = |it: &Assignment| given(it, &spec.pod_sets, names);
            let all: Result<Vec<_>, String> =
                admission.pod_set_assignments.iter().map(of).collect();
            Some(all?)
        }
        None => None,
    };
    let since = |name: &str| true_since(name).map(|(at, _)| at);
    let templates = || spec.pod_sets.iter().map(|set| &set.template.metadata);
    let note = |name: &str| {
        let all = std::iter::once(&meta).chain(templates());
        all.into_iter().find_map(|meta| meta.annotations.get(name))
    };
    let moment = |name: &str| note(name).and_then(|text| text.parse().ok());
    let text = |name: &str| meta.annotations.get(name).map(|text| Arc::from(text.as_str()));
    let team = meta.team().or_else(|| templates().find_map(Meta::team));
    let labels: BTreeMap<_, _> = templates().flat_map(|meta| &meta.labels).collect();
    Ok(Queued {
        uid: Arc::from(meta.uid.as_str()),
        version: Arc::from(meta.resource_version.as_str()),
        queue: names.of(&spec.queue_name),
        owner: meta
            .controller()
            .map(|owner| OwnerRef { kind: names.of(&owner.kind), name: names.of(&owner.name) }),
        team: team.map(|team| names.of(team)),
        labels: labels.into_iter().map(|(a, b)| (names.of(a), names.of(b))).collect(),
        created: meta.creation_timestamp.unwrap_or(now),
        active: spec.active != Some(false),
        excluded: note(EXCLUDE).is_some_and(|text| is_excluded(text)),
        priority: spec.priority.unwrap_or(0),
        limit_s: spec.maximum_execution_time_seconds,
        past_s: status.accumulated_past_execution_time_seconds,
        done: status.reclaimable_pods.iter().map(|it| (names.of(&it.name), it.count)).collect(),
        given,
        checks: status.admission_checks.iter().map(|it| entry(it, names)).collect(),
        reserved: since("QuotaReserved"),
        admitted: since("Admitted"),
        evicted: since("Evicted"),
        finished: true_since("Finished")
            .map(|(at, it)| Finish { at, succeeded: it.reason == "Succeeded" }),
        deadline: moment(DEADLINE),
        checkpointed: moment(CHECKPOINTED),
        says: spec
            .pod_sets
            .iter()
            .filter(|set| set.template.metadata.annotations.contains_key(RESERVATION))
            .map(|set| names.of(&set.name))
            .collect(),
        held: text(HELD),
        brake: meta.annotations.get(BRAKE).and_then(|text| text.parse().ok()),
        boost: text(BOOST),
        key: meta.key(names),
    })
}

fn entry(told: &Told, names: &mut Names) -> Entry {
    Entry {
        check: names.of(&told.name),
        state: told.state,
        message: Arc::from(told.message.as_str()),
    }
}

fn given(it: &Assignment, sets: &[PodSet], names: &mut Names) -> Result<Given, String> {
    let asked = || sets.iter().find(|set| set.name == it.name).map(|set| set.count);
    let mut usage = Vec::new();
    for (name, text) in &it.resource_usage {
        let amount = amount(name, text).map_err(|why| format!("podset {}: {why}", it.name))?;
        usage.extend(amount.filter(|amount| *amount > 0).map(|amount| (names.of(name), amount)));
    }
    Ok(Given {
        name: names.of(&it.name),
        count: it.count.or_else(asked).unwrap_or(0),
        flavors: it.flavors.iter().map(|(of, flavor)| (names.of(of), names.of(flavor))).collect(),
        usage,
    })
}

impl Queued {
    /// Who it is, for people: what owns it, else its own name.
    pub(crate) fn named(&self) -> String {
        let Key { namespace, name } = &self.key;
        match &self.owner {
            Some(owner) => format!("{namespace}/{}", owner.name),
            None => format!("{namespace}/{name}"),
        }
    }

    /// What makes it comparable with others: its name without what counts them, and how many pods
    /// on what.
    pub(crate) fn kind(&self) -> String {
        let name = self.owner.as_ref().map_or(&self.key.name, |owner| &owner.name);
        let short = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_');
        let short = if short.is_empty() { name } else { short };
        let sets = self.given.iter().flatten().map(|set| {
            let flavors: Vec<&str> = set.flavors.iter().map(|(_, flavor)| &**flavor).collect();
            let mut flavors = flavors;
            flavors.sort_unstable();
            flavors.dedup();
            format!("{} x{} on {}", set.name, set.count, flavors.join("+"))
        });
        let sets: Vec<String> = sets.collect();
        format!("kueue {}/{short}: {}", self.key.namespace, sets.join(", "))
    }
}
