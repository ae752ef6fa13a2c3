//! Where a pod may be put, as it says itself: tolerations, selectors, priority, volumes.

use super::Names;
use super::pod::Spec;
use serde::Deserialize;
use std::sync::Arc;

/// Tolerations that every pod is given: it may stay for some minutes on a node that fails.
const EVERYBODYS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// What pods say of their places. Most say the same as others, so that few of these are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Placement {
    pub(crate) tolerations: Vec<Tolerated>,
    pub(crate) selector: Vec<(Arc<str>, Arc<str>)>,
    /// Whether there is a rule about nodes beside the selector.
    pub(crate) more_affinity: bool,
    /// What the server made of the class, where it did.
    pub(crate) priority: Option<i32>,
    pub(crate) class: Option<Arc<str>>,
    /// Volumes by claims.
    pub(crate) volumes: u32,
}

/// A toleration: key, value and effect, each where it says one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tolerated {
    pub(crate) key: Option<Arc<str>>,
    pub(crate) value: Option<Arc<str>>,
    pub(crate) effect: Option<Arc<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Toleration {
    key: Option<String>,
    operator: Option<String>,
    value: Option<String>,
    effect: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Affinity {
    node_affinity: Option<NodeAffinity>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Volume {
    persistent_volume_claim: Option<serde::de::IgnoredAny>,
    ephemeral: Option<serde::de::IgnoredAny>,
}

impl Placement {
    pub(crate) fn of(spec: &Spec, names: &mut Names) -> Arc<Self> {
        let text = |text: &Option<String>, names: &mut Names| {
            text.as_deref().filter(|text| !text.is_empty()).map(|text| names.of(text))
        };
        let tolerations = spec
            .tolerations
            .iter()
            .filter(|one| one.key.as_deref().is_none_or(|key| !EVERYBODYS.contains(&key)));
        let tolerations = tolerations
            .map(|one| {
                let any_value = one.operator.as_deref() == Some("Exists");
                let value =
                    if any_value { None } else { Some(one.value.clone().unwrap_or_default()) };
                Tolerated {
                    key: text(&one.key, names),
                    value: value.map(|value| names.of(value.as_str())),
                    effect: text(&one.effect, names),
                }
            })
            .collect();
        let selector = spec.node_selector.iter();
        let claims = |volume: &&Volume| {
            volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some()
        };
        let affinity = spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
        let placement = Self {
            tolerations,
            selector: selector.map(|(name, value)| (names.of(name), names.of(value))).collect(),
            more_affinity: affinity.is_some_and(|it| it.required.is_some()),
            priority: spec.priority,
            class: text(&spec.priority_class_name, names),
            volumes: u32::try_from(spec.volumes.iter().filter(claims).count()).unwrap_or(u32::MAX),
        };
        names.placement(placement)
    }
}
