//! What others have set: namespaces with their team, priorities, quotas, disruption budgets,
//! autoscalers, pools of nodes. Of kinds that say nothing that is needed only who they are is kept.

use super::node::Tainted;
use super::pod::amount;
use super::{Key, Meta, Names, OwnerRef, or_default, wish};
use farthing_model::Room;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object of which little is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) key: Key,
    pub(crate) team: Option<Arc<str>>,
    pub(crate) version: u64,
    pub(crate) says: Says,
}

/// What it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Says {
    #[default]
    Nothing,
    /// What a quota leaves of its namespace's resources.
    Room(Room),
    /// How many of the pods that it selects may be taken away now.
    Disruptions(Box<Selector>, u32),
    /// What a class of priorities stands for, and whether it is that of all that name none.
    Class(i32, bool),
    /// What an autoscaler keeps the replicas of something between.
    Replicas(OwnerRef, u32, u32),
    /// A pool of nodes.
    Pool(Box<PoolRule>),
}

/// What a pool of nodes may buy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolRule {
    /// At most so much in all.
    pub(crate) limit: Room,
    /// The most nodes, and how many there are.
    pub(crate) nodes: (Option<u64>, u64),
    /// What it has bought.
    pub(crate) bought: Room,
    pub(crate) weight: u32,
    /// A number for what is wanted of it.
    pub(crate) wish: u64,
    /// What its nodes have to be.
    pub(crate) requires: Vec<Requirement>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) taints: Vec<Tainted>,
}

/// What a label of a node has to be: key, operator and values.
pub(crate) type Requirement = (Arc<str>, Arc<str>, Vec<Arc<str>>);

/// Which pods are meant, by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<(Arc<str>, Arc<str>)>,
    /// Key, whether it is to have one of the values, and these; no values: any.
    others: Vec<(Arc<str>, bool, Vec<Arc<str>>)>,
}

impl Selector {
    pub(crate) fn takes(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = |key: &str| labels.get(key).map(String::as_str);
        let equal = self.labels.iter().all(|(key, wanted)| value(key) == Some(&**wanted));
        equal
            && self.others.iter().all(|(key, is_in, values)| {
                let has = value(key)
                    .is_some_and(|own| values.is_empty() || values.iter().any(|it| **it == *own));
                has == *is_in
            })
    }
}

/// An object as the server writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire<'a> {
    metadata: Meta,
    #[serde(default, borrow)]
    spec: Option<&'a RawValue>,
    #[serde(default, borrow)]
    status: Option<&'a RawValue>,
    /// Of a class of priorities.
    #[serde(default)]
    value: Option<i32>,
    #[serde(default)]
    global_default: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct QuotaSpec {
    #[serde(deserialize_with = "or_default")]
    scopes: Vec<String>,
    #[serde(rename = "scopeSelector")]
    scope_selector: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct QuotaStatus {
    #[serde(deserialize_with = "or_default")]
    hard: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    used: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DisruptionSpec {
    selector: Option<SelectorWire>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DisruptionStatus {
    disruptions_allowed: u32,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SelectorWire {
    #[serde(deserialize_with = "or_default")]
    match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    match_expressions: Vec<Expression>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Expression {
    key: String,
    operator: String,
    #[serde(deserialize_with = "or_default")]
    values: Vec<String>,
}

/// Autoscalers of both kinds: `minReplicas` and `minReplicaCount`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScalerSpec {
    scale_target_ref: Target,
    min_replicas: Option<u32>,
    max_replicas: Option<u32>,
    min_replica_count: Option<u32>,
    max_replica_count: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    kind: Option<String>,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolSpec {
    #[serde(deserialize_with = "or_default")]
    limits: BTreeMap<String, String>,
    weight: Option<u32>,
    #[serde(deserialize_with = "or_default")]
    template: PoolTemplate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolTemplate {
    #[serde(deserialize_with = "or_default")]
    metadata: PoolMeta,
    #[serde(deserialize_with = "or_default")]
    spec: PoolNodes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolMeta {
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolNodes {
    #[serde(deserialize_with = "or_default")]
    requirements: Vec<Expression>,
    #[serde(deserialize_with = "or_default")]
    taints: Vec<PoolTaint>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolTaint {
    key: String,
    value: Option<String>,
    effect: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolStatus {
    #[serde(deserialize_with = "or_default")]
    resources: BTreeMap<String, String>,
}

impl Rule {
    pub(crate) fn of(wire: &Wire<'_>, kind: &str, names: &mut Names) -> Result<Self, String> {
        let meta = &wire.metadata;
        Ok(Self {
            team: meta.team().map(|team| names.of(team)),
            version: meta.version(),
            says: says(wire, kind, names)?,
            key: meta.key(names),
        })
    }
}

/// A part of an object; nothing where it is not there.
fn part<'a, T: Default + Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    what: &str,
) -> Result<T, String> {
    let read = raw.map(|raw| serde_json::from_str::<Option<T>>(raw.get())).transpose();
    Ok(read.map_err(|error| format!("{what}: {error}"))?.flatten().unwrap_or_default())
}

fn says(wire: &Wire<'_>, kind: &str, names: &mut Names) -> Result<Says, String> {
    let (spec, status) = (wire.spec, wire.status);
    Ok(match kind {
        "ResourceQuota" => {
            let spec: QuotaSpec = part(spec, "spec")?;
            // One with a scope counts only some pods, and says nothing of the others.
            if !spec.scopes.is_empty() || spec.scope_selector.is_some() {
                return Ok(Says::Nothing);
            }
            let QuotaStatus { hard, used } = part(status, "status")?;
            Says::Room(left(room(&hard)?, room(&used)?))
        }
        "PodDisruptionBudget" => {
            let spec: DisruptionSpec = part(spec, "spec")?;
            let status: DisruptionStatus = part(status, "status")?;
            // One without a selector selects nothing.
            let Some(wire) = spec.selector else { return Ok(Says::Nothing) };
            Says::Disruptions(Box::new(selector(&wire, names)), status.disruptions_allowed)
        }
        "PriorityClass" => Says::Class(wire.value.unwrap_or(0), wire.global_default == Some(true)),
        // What KEDA makes of its own object says nothing beside that.
        "HorizontalPodAutoscaler"
            if wire.metadata.controller().is_some_and(|it| it.kind == "ScaledObject") =>
        {
            Says::Nothing
        }
        "HorizontalPodAutoscaler" | "ScaledObject" => {
            let spec: ScalerSpec = part(spec, "spec")?;
            let of_keda = kind == "ScaledObject";
            let (least, most) = if of_keda { (0, 100) } else { (1, 1) };
            let target = spec.scale_target_ref;
            let target = OwnerRef {
                kind: names.of(target.kind.as_deref().unwrap_or("Deployment")),
                name: names.of(&target.name),
            };
            let least = spec.min_replicas.or(spec.min_replica_count).unwrap_or(least);
            let most = spec.max_replicas.or(spec.max_replica_count).unwrap_or(most);
            Says::Replicas(target, least, most)
        }
        "NodePool" => {
            let spec: PoolSpec = part(spec, "spec")?;
            let PoolStatus { resources } = part(status, "status")?;
            Says::Pool(Box::new(pool(&wire.metadata, spec, &resources, names)?))
        }
        _ => Says::Nothing,
    })
}

fn pool(
    meta: &Meta,
    spec: PoolSpec,
    bought: &BTreeMap<String, String>,
    names: &mut Names,
) -> Result<PoolRule, String> {
    let count = |amounts: &BTreeMap<String, String>| {
        let said = amounts.get("nodes").map(|text| farthing_model::amount::devices("nodes", text));
        said.transpose()
    };
    let PoolNodes { requirements, taints } = spec.template.spec;
    let mut requires = Vec::new();
    for Expression { key, operator, values } in &requirements {
        let values = values.iter().map(|value| names.of(value)).collect();
        requires.push((names.of(key), names.of(operator), values));
    }
    let taint = |taint: &PoolTaint| Tainted {
        key: Arc::from(taint.key.as_str()),
        value: Arc::from(taint.value.as_deref().unwrap_or_default()),
        effect: Arc::from(taint.effect.as_str()),
    };
    Ok(PoolRule {
        limit: room(&spec.limits)?,
        nodes: (count(&spec.limits)?, count(bought)?.unwrap_or(0)),
        bought: room(bought)?,
        weight: spec.weight.unwrap_or(0),
        wish: wish(&meta.uid, meta.generation, &meta.resource_version),
        requires,
        labels: spec.template.metadata.labels,
        taints: taints.iter().map(taint).collect(),
    })
}

fn selector(wire: &SelectorWire, names: &mut Names) -> Selector {
    let mut found = Selector::default();
    for (name, value) in &wire.match_labels {
        found.labels.push((names.of(name), names.of(value)));
    }
    for Expression { key, operator, values } in &wire.match_expressions {
        let is_in = matches!(operator.as_str(), "In" | "Exists");
        let values = values.iter().map(|value| names.of(value)).collect();
        found.others.push((names.of(key), is_in, values));
    }
    found
}

/// Amounts by the names of resources, of which `requests.` may stand before.
fn room(amounts: &BTreeMap<String, String>) -> Result<Room, String> {
    let mut room = Room::default();
    for (name, text) in amounts {
        let name = name.strip_prefix("requests.").unwrap_or(name);
        let own = match name {
            "cpu" => &mut room.cpu_milli,
            "memory" => &mut room.memory_bytes,
            "pods" => &mut room.pods,
            name if crate::gpu::is_whole(name) => &mut room.gpu_milli,
            _ => continue,
        };
        let (unit, read) = match name {
            "pods" => (1, farthing_model::amount::devices(name, text).map(Some)),
            "cpu" | "memory" => (1, amount(name, text)),
            _ => (1_000, amount(name, text)),
        };
        let read = read?.map(|amount| amount.saturating_mul(unit));
        *own = match (*own, read) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(room)
}

/// What is left of what is allowed.
fn left(hard: Room, used: Room) -> Room {
    let left = |hard: Option<u64>, used: Option<u64>| {
        hard.map(|hard| hard.saturating_sub(used.unwrap_or(0)))
    };
    Room {
        cpu_milli: left(hard.cpu_milli, used.cpu_milli),
        memory_bytes: left(hard.memory_bytes, used.memory_bytes),
        gpu_milli: left(hard.gpu_milli, used.gpu_milli),
        pods: left(hard.pods, used.pods),
    }
}
