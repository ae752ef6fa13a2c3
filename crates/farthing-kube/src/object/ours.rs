//! Objects of our own kinds, which are kept whole: people write their spec, we write their status.

use super::{Key, Names, or_default, time};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A Budget, Policy, `PriceBook` or Plan as the server has it.
#[derive(Clone, Debug, PartialEq)]
pub struct OurObject {
    /// Its kind.
    pub kind: &'static str,
    /// Its name; none of these kinds has a namespace.
    pub name: String,
    /// Who it is, as long as it is there.
    pub uid: String,
    /// Changes with every change of it.
    pub version: String,
    /// Changes with every change of its spec.
    pub generation: i64,
    /// When it was made.
    pub created: Timestamp,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What people want.
    pub spec: Value,
    /// What is said of it.
    pub status: Value,
    /// The field manager that wrote `spec.approved`: all that a server says of who did.
    pub approver: Option<String>,
    /// Whether it was handed over to be collected.
    pub is_retired: bool,
}

/// An object as the server writes it.
#[derive(Deserialize)]
pub(crate) struct Wire {
    metadata: MetaWire,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaWire {
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    generation: i64,
    #[serde(default, deserialize_with = "time")]
    creation_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    managed_fields: Vec<Managed>,
    #[serde(default, deserialize_with = "or_default")]
    owner_references: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Managed {
    #[serde(default)]
    manager: String,
    #[serde(default, rename = "fieldsV1")]
    fields: Value,
}

impl OurObject {
    pub(crate) fn of(
        wire: Wire,
        kind: &'static str,
        names: &mut Names,
        now: Timestamp,
    ) -> (Key, Self) {
        let Wire { metadata: meta, spec, status } = wire;
        let key = Key { namespace: names.of(""), name: meta.name.as_str().into() };
        let wrote = |managed: &&Managed| managed.fields["f:spec"].get("f:approved").is_some();
        let approver = meta.managed_fields.iter().find(wrote).map(|it| it.manager.clone());
        let object = Self {
            kind,
            name: meta.name,
            uid: meta.uid,
            version: meta.resource_version,
            generation: meta.generation,
            created: meta.creation_timestamp.unwrap_or(now),
            labels: meta.labels,
            spec,
            status,
            approver,
            is_retired: !meta.owner_references.is_empty(),
        };
        (key, object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_approved_is_the_manager_of_the_field() {
        let wire: Wire = serde_json::from_str(
            r#"{"metadata": {"name": "p1", "generation": 2, "resourceVersion": "9",
            "managedFields": [
              {"manager": "farthing", "fieldsV1": {"f:spec": {"f:plan": {}}}},
              {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:approved": {}}}},
              {"manager": "x"}]},
            "spec": {"plan": "p1", "approved": true}}"#,
        )
        .unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let (_, object) = OurObject::of(wire, "Plan", &mut Names::default(), now);
        assert_eq!(object.approver.as_deref(), Some("kubectl-edit"));
        assert_eq!((object.generation, object.created), (2, now));
        assert!(object.status.is_null() && !object.is_retired);
    }
}
