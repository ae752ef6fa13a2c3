//! Nodes: what they have, what they were bought as, whether they can be used.

use super::pod::amount;
use super::{Meta, Names, or_default};
use farthing_model::{Resources, Symptom};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The labels of a node, whose texts it shares with others.
pub(crate) type NodeLabels = BTreeMap<Arc<str>, Arc<str>>;

/// A key, a value and an effect, each empty where it is not said: keeps pods off a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tainted {
    pub(crate) key: Arc<str>,
    pub(crate) value: Arc<str>,
    pub(crate) effect: Arc<str>,
}

/// A node as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeObject {
    pub(crate) name: Arc<str>,
    pub(crate) provider_id: Option<Arc<str>>,
    /// All labels: which of them name a machine is not known here.
    pub(crate) labels: Arc<NodeLabels>,
    /// Cores, memory and disk.
    pub(crate) capacity: Resources,
    /// Devices and slices of them, by the name of the resource.
    pub(crate) devices: Vec<(Arc<str>, u64)>,
    pub(crate) taints: Vec<Tainted>,
    pub(crate) unschedulable: bool,
    pub(crate) created: Timestamp,
    /// Whether it is ready now.
    pub(crate) ready: bool,
    /// When that was last another.
    pub(crate) ready_since: Option<Timestamp>,
    /// What does not look well about it; what that means is not known here.
    pub(crate) symptoms: Vec<Symptom>,
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
    allocatable: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    r#type: String,
    #[serde(default)]
    status: String,
    #[serde(default, deserialize_with = "super::time")]
    last_transition_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
    #[serde(default, deserialize_with = "or_default")]
    message: String,
}

impl Condition {
    /// What it says, where that is not good: `False` or unknown of what names something good, as
    /// `Ready` and `GpuHealthy`; `True` of all else.
    fn symptom(&self) -> Option<Symptom> {
        let Self { r#type: kind, status, reason, message, .. } = self;
        let good = ["Ready", "Healthy", "Available"].iter().any(|end| kind.ends_with(end));
        let looks_well = if good { status == "True" } else { status != "True" };
        let both = [reason.as_str(), message.as_str()];
        let says: Vec<&str> = both.into_iter().filter(|text| !text.is_empty()).collect();
        let (name, says) = (format!("{kind}={status}"), says.join(": "));
        (!looks_well).then_some(Symptom { name, says })
    }
}

/// Devices of which fewer can be used than there are: their plugin says that some failed.
fn lame(status: &Status) -> Result<Vec<Symptom>, String> {
    let mut found = Vec::new();
    for (name, text) in &status.capacity {
        let is_device = !matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
        let Some(all) = amount(name, text)?.filter(|_| is_device) else { continue };
        let Some(usable) = status.allocatable.get(name) else { continue };
        if let Some(usable) = amount(name, usable)?.filter(|usable| *usable < all) {
            let says = format!("{usable} of {all} can be used");
            found.push(Symptom { name: name.clone(), says });
        }
    }
    Ok(found)
}

/// What does not look well about a node, as the server writes it.
pub(crate) fn symptoms(node: &serde_json::Value) -> Result<Vec<Symptom>, String> {
    let wire = Wire::deserialize(node).map_err(|error| error.to_string())?;
    let mut symptoms = lame(&wire.status)?;
    symptoms.extend(wire.status.conditions.iter().filter_map(Condition::symptom));
    Ok(symptoms)
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
        let mut symptoms = lame(&status)?;
        symptoms.extend(status.conditions.iter().filter_map(Condition::symptom));
        let ready = status.conditions.iter().find(|it| it.r#type == "Ready");
        let mut labels = NodeLabels::new();
        labels.extend(meta.labels.iter().map(|(name, value)| (names.of(name), names.of(value))));
        let taint = |taint: &Taint| Tainted {
            key: names.of(&taint.key),
            value: names.of(taint.value.as_deref().unwrap_or_default()),
            effect: names.of(taint.effect.as_deref().unwrap_or_default()),
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
            labels: Arc::new(labels),
            symptoms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_says_what_does_not_look_well() {
        let node = json!({
            "metadata": {"name": "n"},
            "status": {
                "capacity": {"cpu": "48", "nvidia.com/gpu": "4", "pods": "110"},
                "allocatable": {"cpu": "47500m", "nvidia.com/gpu": "3", "pods": "110"},
                "conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "AcceleratedHardwareReady", "status": "False", "reason": "Xid79"},
                    {"type": "KernelDeadlock", "status": "True", "message": "hung"},
                    {"type": "GpuHealthy", "status": "Unknown", "reason": null},
                ],
            },
        });
        let said = symptoms(&node).unwrap();
        let said: Vec<String> = said.iter().map(|it| format!("{} {}", it.name, it.says)).collect();
        let expected = [
            "nvidia.com/gpu 3 of 4 can be used",
            "AcceleratedHardwareReady=False Xid79",
            "KernelDeadlock=True hung",
            "GpuHealthy=Unknown ",
        ];
        assert_eq!(said, expected);
        let odd = json!({"metadata": {}, "status": {"capacity": {"nvidia.com/gpu": "some"},
            "allocatable": {"nvidia.com/gpu": "1"}}});
        assert!(symptoms(&odd).unwrap_err().contains("nvidia.com/gpu"));
    }
}
