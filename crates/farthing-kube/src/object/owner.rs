//! What owns pods: deployments, jobs and their kin of whatever is installed, up to the top.

use super::meta::Reference;
use super::placement::Placement;
use super::pod::{self, Asks};
use super::stretch::{self, Stretch};
use super::{Key, Labels, Marks, Meta, Names};
use farthing_model::yes_or_no;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Whose something is: a kind and a name in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OwnerRef {
    pub(crate) kind: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl OwnerRef {
    pub(super) fn of(reference: &Reference, names: &mut Names) -> Self {
        Self { kind: names.of(&reference.kind), name: names.of(&reference.name) }
    }
}

/// An owner as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) key: Key,
    pub(crate) uid: Arc<str>,
    /// The writing of it that was seen last, as the server names it.
    pub(crate) resource_version: Arc<str>,
    /// The server's count of changes to what is wanted of it.
    pub(crate) generation: i64,
    /// Whether it is on its way out.
    pub(crate) deleting: bool,
    pub(crate) marks: Marks,
    /// Whose it is itself.
    pub(crate) of: Option<OwnerRef>,
    pub(crate) team: Option<Arc<str>>,
    pub(crate) labels: Labels,
    /// Pods that are wanted at the same time, where the kind says it.
    pub(crate) members: Option<u32>,
    /// What one of them asks for, where there is one kind of them.
    pub(crate) asks: Option<Arc<Asks>>,
    /// Where one of them may be put, likewise.
    pub(crate) placement: Option<Arc<Placement>>,
    /// The part of it that may be stretched, where it says that it may.
    pub(crate) stretch: Option<Box<Stretch>>,
    /// Its own number of replicas, where it has one.
    pub(crate) replicas: Option<u32>,
    /// Whether it says that it is held, where it says anything.
    pub(crate) suspend: Option<bool>,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) created: Timestamp,
    /// A number that is another after each change.
    pub(crate) version: u64,
}

/// An owner as the server writes it, whatever its kind.
#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    metadata: Meta,
    #[serde(default, borrow)]
    spec: Option<Spec<'a>>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(default)]
    replicas: Option<u32>,
    #[serde(default)]
    parallelism: Option<u32>,
    #[serde(default)]
    completions: Option<u32>,
    #[serde(default)]
    suspend: Option<bool>,
    #[serde(default)]
    run_policy: Option<RunPolicy>,
    /// Read only where its kind says that it is the template of pods.
    #[serde(default, borrow)]
    template: Option<&'a RawValue>,
    /// Read only where something of it may be stretched, as the two below.
    #[serde(default, borrow)]
    replicated_jobs: Option<&'a RawValue>,
    #[serde(default, borrow)]
    worker_group_specs: Option<&'a RawValue>,
    #[serde(default)]
    enable_in_tree_autoscaling: Option<bool>,
}

#[derive(Deserialize)]
struct RunPolicy {
    #[serde(default)]
    suspend: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    succeeded: Option<u32>,
    #[serde(default, deserialize_with = "super::time")]
    completion_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "super::or_default")]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    status: String,
    #[serde(default, deserialize_with = "super::time")]
    last_transition_time: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Template {
    #[serde(default)]
    spec: pod::Spec,
}

/// Conditions that say that something is over, of the kinds that have them.
const OVER: [&str; 5] = ["Complete", "Completed", "Succeeded", "Failed", "FailureTarget"];

impl Owner {
    /// Whether it is held back for us to place: it says `farthing.dev/managed: "true"`, and it was
    /// none of our steps that suspended it.
    pub(crate) fn is_ours_to_start(&self) -> bool {
        self.suspend == Some(true)
            && self.marks.get("managed").map(yes_or_no) == Some(Ok(true))
            && self.marks.get("step").is_none()
    }

    /// A number for what is wanted of it.
    pub(crate) fn wish(&self) -> u64 {
        super::wish(&self.uid, self.generation, &self.resource_version)
    }

    /// Keeps what is needed of an owner; `of_pods` says whether its template is one of pods.
    pub(crate) fn of(
        wire: &Wire<'_>,
        of_pods: bool,
        names: &mut Names,
        now: Timestamp,
    ) -> Result<Self, String> {
        let (meta, spec, status) = (&wire.metadata, &wire.spec, &wire.status);
        let template = spec.as_ref().and_then(|spec| spec.template).filter(|_| of_pods);
        let (mut asks, mut placement) = (None, None);
        if let Some(raw) = template {
            let template: Template = serde_json::from_str(raw.get())
                .map_err(|error| format!("spec.template: {error}"))?;
            let asked = pod::asks(&template.spec, names)?;
            asks = Some(names.asks(asked));
            placement = Some(Placement::of(&template.spec, names));
        }
        let members = spec.as_ref().and_then(|spec| match (spec.parallelism, spec.completions) {
            (Some(at_once), Some(in_all)) => Some(at_once.min(in_all)),
            (at_once, in_all) => spec.replicas.or(at_once).or(in_all),
        });
        let suspend = spec.as_ref().and_then(|spec| {
            let policy = spec.run_policy.as_ref().and_then(|policy| policy.suspend);
            spec.suspend.or(policy)
        });
        let over = status.as_ref().and_then(|status| {
            let condition = status
                .conditions
                .iter()
                .find(|it| it.status == "True" && OVER.contains(&it.r#type.as_str()));
            status.completion_time.or(condition.map(|it| it.last_transition_time.unwrap_or(now)))
        });
        let marks = meta.marks(names);
        let mut owner = Self {
            uid: Arc::from(meta.uid.as_str()),
            resource_version: Arc::from(meta.resource_version.as_str()),
            generation: meta.generation,
            deleting: meta.deletion_timestamp.is_some(),
            of: meta.controller().map(|owner| OwnerRef::of(owner, names)),
            team: meta.team().map(|team| names.of(team)),
            labels: names.labels(meta.labels.clone()),
            members,
            asks,
            placement,
            stretch: None,
            replicas: spec.as_ref().and_then(|spec| spec.replicas),
            suspend,
            finished: over,
            deadline: marks.get("deadline").and_then(|text| text.parse().ok()),
            marks,
            created: meta.creation_timestamp.unwrap_or(now),
            version: meta.version(),
            key: meta.key(names),
        };
        if owner.marks.get("elastic").is_some()
            && let Some(spec) = spec
        {
            let part = stretch::of(&owner, &spec.stretched(), names);
            let done = status.as_ref().and_then(|status| status.succeeded).unwrap_or(0);
            let pieces = spec.completions.map(|all| (done, all));
            owner.stretch = part.map(|part| Box::new(Stretch { pieces, ..part }));
        }
        Ok(owner)
    }
}

impl Spec<'_> {
    /// What says how far it may be stretched.
    fn stretched(&self) -> Value {
        let list = |raw: Option<&RawValue>| -> Option<Value> {
            raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        };
        let parts = [
            ("parallelism", self.parallelism.map(Value::from)),
            ("completions", self.completions.map(Value::from)),
            ("replicatedJobs", list(self.replicated_jobs)),
            ("workerGroupSpecs", list(self.worker_group_specs)),
            ("enableInTreeAutoscaling", self.enable_in_tree_autoscaling.map(Value::from)),
        ];
        let said = parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?)));
        Value::Object(said.collect())
    }
}
