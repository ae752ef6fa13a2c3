//! Nodes: what they have, what they were bought as, whether they can be used.

use super::pod::{Condition, amount};
use super::{Meta, Names, or_default};
use farthing_model::Resources;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeObject {
    pub(crate) name: Arc<str>,
    pub(crate) provider_id: Option<Arc<str>>,
    /// All labels: which of them name a machine is not known here.
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    /// Cores, memory and disk.
    pub(crate) capacity: Resources,
    /// Devices and slices of them, by the name of the resource.
    pub(crate) devices: Vec<(Arc<str>, u64)>,
    pub(crate) taints: Vec<Arc<str>>,
    pub(crate) unschedulable: bool,
    pub(crate) created: Timestamp,
    /// Whether it is ready now.
    pub(crate) ready: bool,
    /// When that was last another.
    pub(crate) ready_since: Option<Timestamp>,
}

/// A node as the server writes it.
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
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    unschedulable: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    taints: Vec<Taint>,
}

#[derive(Deserialize)]
struct Taint {
    key: String,
    value: Option<String>,
    effect: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "or_default")]
    capacity: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

impl NodeObject {
    /// Keeps what is needed of a node that was seen at `now`.
    pub(crate) fn of(wire: Wire, names: &mut Names, now: Timestamp) -> Result<Self, String> {
        let Wire { metadata: meta, spec, status } = wire;
        let mut capacity = Resources::default();
        let mut devices = Vec::new();
        for (name, text) in &status.capacity {
            let Some(amount) = amount(name, text)? else { continue };
            match name.as_str() {
                "cpu" => capacity.cpu_milli = amount,
                "memory" => capacity.memory_bytes = amount,
                "ephemeral-storage" => capacity.storage_bytes = amount,
                name => devices.push((names.of(name), amount)),
            }
        }
        let ready = status.conditions.iter().find(|it| it.r#type == "Ready");
        let taint = |taint: &Taint| {
            let (value, effect) = (taint.value.as_deref(), taint.effect.as_deref());
            names.of(&format!("{}={}:{}", taint.key, value.unwrap_or(""), effect.unwrap_or("")))
        };
        Ok(Self {
            taints: spec.taints.iter().map(taint).collect(),
            name: Arc::from(meta.name.as_str()),
            provider_id: spec.provider_id.as_deref().map(Arc::from),
            capacity,
            devices,
            unschedulable: spec.unschedulable == Some(true),
            created: meta.creation_timestamp.unwrap_or(now),
            ready: ready.is_some_and(|it| it.status == "True"),
            ready_since: ready.and_then(|it| it.last_transition_time),
            labels: Arc::new(meta.labels),
        })
    }
}
