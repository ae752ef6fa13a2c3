//! What is written to Kueue's objects: our own entry of a Workload's checks, whether it is active,
//! our own annotations, and that our checks are answered.

use super::object::{CheckState, Queued, RESERVATION};
use crate::call::{Body, Call, Flavour, Target, Verb};
use crate::client::Client;
use crate::error::ApiError;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const GROUP: &str = "kueue.x-k8s.io";
const VERSION: &str = "v1beta2";
/// Longer messages are cut: the server takes 32,768 bytes.
const MESSAGE_MAX: usize = 1_024;

const ANSWER: usize = 0;
const CHECK: usize = 1;
const CHANGE: usize = 2;

/// The calls of this module.
pub(crate) const CALLS: [Call; 3] = [
    Call {
        flavour: Flavour::Enforce,
        verb: Verb::Patch,
        group: GROUP,
        plural: "workloads",
        part: "status",
    },
    Call {
        flavour: Flavour::Enforce,
        verb: Verb::Patch,
        group: GROUP,
        plural: "admissionchecks",
        part: "status",
    },
    // The brake, and the gate that frees quota. Without it what does not fit waits with its quota.
    Call {
        flavour: Flavour::Enforce,
        verb: Verb::Patch,
        group: GROUP,
        plural: "workloads",
        part: "",
    },
];

/// What a check is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) state: CheckState,
    pub(crate) message: String,
    /// The reservation that pods run on.
    pub(crate) claim: Option<String>,
}

/// What is changed of a Workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) active: Option<bool>,
    /// Annotations, of which those without a value are taken away.
    pub(crate) notes: Vec<(&'static str, Option<String>)>,
}

/// Whoever writes.
pub(crate) trait Writes {
    /// Answers our checks of a Workload, if it is still as it was seen.
    fn answer(
        &self,
        of: &Queued,
        checks: &[Arc<str>],
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(), ApiError>;

    /// Changes a Workload, if it is still as it was seen.
    fn change(&self, of: &Queued, change: &Change) -> Result<(), ApiError>;

    /// Says whether a check is answered.
    fn say_active(&self, check: &str, active: (bool, &str), now: Timestamp)
    -> Result<(), ApiError>;
}

impl Writes for Client {
    fn answer(
        &self,
        of: &Queued,
        checks: &[Arc<str>],
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let object = answer_body(of, checks, answer, now);
        let body = Body::Apply { object: &object, force: true };
        self.call_on(&CALLS[ANSWER], &target(of), &body, false).map(drop)
    }

    fn change(&self, of: &Queued, change: &Change) -> Result<(), ApiError> {
        let object = change_body(of, change);
        self.call_on(&CALLS[CHANGE], &target(of), &Body::Merge(&object), false).map(drop)
    }

    fn say_active(
        &self,
        check: &str,
        (active, message): (bool, &str),
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "AdmissionCheck",
            "metadata": { "name": check },
            "status": { "conditions": [{
                "type": "Active",
                "status": if active { "True" } else { "False" },
                "reason": if active { "Answering" } else { "NotAnswering" },
                "message": message,
                "lastTransitionTime": second(now),
            }] },
        });
        let target = Target { version: VERSION, namespace: None, name: check };
        let body = Body::Apply { object: &object, force: true };
        self.call_on(&CALLS[CHECK], &target, &body, false).map(drop)
    }
}

fn target(of: &Queued) -> Target<'_> {
    Target { version: VERSION, namespace: Some(&of.key.namespace), name: &of.key.name }
}

/// Entries of other checks are not in it: they are other managers' fields. All of ours are, as what
/// is left out of an apply is taken away.
pub(super) fn answer_body(
    of: &Queued,
    checks: &[Arc<str>],
    answer: &Answer,
    now: Timestamp,
) -> Value {
    let mut message = answer.message.clone();
    if message.len() > MESSAGE_MAX {
        let end = (0..=MESSAGE_MAX).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
    }
    let entries: Vec<Value> = checks
        .iter()
        .enumerate()
        .map(|(index, check)| {
            let mut entry = json!({
                "name": &**check,
                "state": answer.state.name(),
                "message": message,
                "lastTransitionTime": second(now),
            });
            // Once: the same key from two checks ends a Workload for ever.
            if index == 0
                && let Some(claim) = &answer.claim
                && let Some(entry) = entry.as_object_mut()
            {
                entry.insert("podSetUpdates".to_owned(), updates(of, claim));
            }
            entry
        })
        .collect();
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "Workload",
        "metadata": {
            "name": &*of.key.name,
            "namespace": &*of.key.namespace,
            "uid": &*of.uid,
            "resourceVersion": &*of.version,
        },
        "status": { "admissionChecks": entries },
    })
}

/// What pods are given: only what they do not have, as a key that is there already ends a Workload.
fn updates(of: &Queued, claim: &str) -> Value {
    let sets = of.given.iter().flatten().filter(|set| !of.says.contains(&set.name));
    let update = |name: &str| json!({ "name": name, "annotations": { RESERVATION: claim } });
    sets.map(|set| update(&set.name)).collect()
}

pub(super) fn change_body(of: &Queued, change: &Change) -> Value {
    let notes: Map<String, Value> =
        change.notes.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    let mut object = json!({ "metadata": {
        "uid": &*of.uid,
        "resourceVersion": &*of.version,
        "annotations": notes,
    } });
    if let (Some(active), Some(object)) = (change.active, object.as_object_mut()) {
        object.insert("spec".to_owned(), json!({ "active": active }));
    }
    object
}

/// Times of Kubernetes have whole seconds.
fn second(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}
