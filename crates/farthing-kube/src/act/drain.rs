//! Giving a node back: no new work on it, then its pods asked to move, within every budget of
//! disruption; the node itself is its autoscaler's to delete.
//!
//! Pods of daemons and of the node itself stay. Before anything is done, each other pod has to be
//! one that comes back by itself and that nobody holds to its place, and the server has to agree
//! to its eviction. A step is begun until the node is empty: each tick asks again, never by force.
//! What is not empty after an hour takes work again. Start at [`Kube::intend_drain`].

use super::change::{Field, at, text};
use super::intend::Seen;
use super::table::{EVICT, POD, steered};
use super::{Stop, Written, conflict, guard, held, words};
use crate::Kube;
use crate::call::{Body, Target};
use crate::error::ApiError;
use crate::object::{Key, node};
use farthing_edge::{Class, EdgeError};
use farthing_model::{NodeId, Reason, Step, Symptom};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long pods are asked to leave.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);
/// Annotations by which a pod or a node is held to its place.
const STAYS: [(&str, &str); 3] = [
    ("karpenter.sh/do-not-disrupt", "true"),
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("cluster-autoscaler.kubernetes.io/scale-down-disabled", "true"),
];
/// Controllers that put a pod elsewhere when it is evicted.
const COME_BACK: [&str; 3] = ["ReplicaSet", "StatefulSet", "ReplicationController"];

/// A node that is emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    node: String,
    /// When pods are asked no more, in seconds of Unix time.
    until_s: i64,
}

impl Drain {
    /// Whether its pods were asked for long enough.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now.as_second() > self.until_s
    }

    /// What is said then.
    pub(super) fn given_up(&self) -> String {
        let (node, hours) = (&self.node, PATIENCE.as_hours());
        format!("node {node} was not empty within {hours} h: it takes work again")
    }
}

/// A pod that would have to move.
struct Moving {
    namespace: String,
    name: String,
    uid: String,
}

impl std::fmt::Display for Moving {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.namespace, self.name)
    }
}

/// The first annotation that holds an object to its place.
fn stays(object: &Value) -> Option<&'static str> {
    let says = |(name, value): &&(&str, &str)| {
        text(object, &["metadata", "annotations", name]) == Some(*value)
    };
    STAYS.iter().find(says).map(|(name, _)| *name)
}

/// A node that is emptied because it is not well still is not.
fn still_sick(step: &Step, node: &Value) -> Result<(), Stop> {
    let reasons: Vec<String> = step.reasons.iter().map(ToString::to_string).collect();
    if !reasons.iter().any(|reason| reason.starts_with(Reason::SICK)) {
        return Ok(());
    }
    let now = node::symptoms(node).map_err(held)?;
    let is_one = |symptom: &Symptom| {
        let named = format!("{}{}", Reason::SICK, symptom.name);
        reasons.iter().any(|reason| reason.strip_prefix(&*named).is_some_and(is_end))
    };
    if now.iter().any(is_one) {
        return Ok(());
    }
    Err(conflict("the node is well again".to_owned()))
}

/// Whether a name ends here.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', ',', ';', ':'])
}

impl Kube {
    /// What giving a node back changes, if that may be.
    pub(super) fn intend_drain(
        &self,
        (step, node): (&Step, &NodeId),
        now: Timestamp,
    ) -> Result<Written, Stop> {
        let kind = steered("Node").ok_or_else(|| held("nodes cannot be steered"))?;
        let seen = self.look(kind, None, node.as_str()).map_err(Stop::Api)?;
        let seen = seen.ok_or_else(|| conflict(format!("node {node} is not there any more")))?;
        self.acting.rules.allow(&seen.value, None, &seen.object.to_string())?;
        if let Some(why) = stays(&seen.value) {
            return Err(held(format!("node {node} says {why}")));
        }
        if at(&seen.value, &["spec", "unschedulable"]).and_then(Value::as_bool) == Some(true) {
            return Err(conflict(format!("node {node} is cordoned already")));
        }
        let moving = self.moving(node.as_str());
        // Reasons come back from the journal as words.
        let idle = Reason::IdleNode.to_string();
        if let Some(pod) = moving.first()
            && step.reasons.iter().any(|reason| reason.to_string() == idle)
        {
            let others = moving.len();
            return Err(conflict(format!(
                "node {node} is not idle: {pod} is on it ({others} in all)"
            )));
        }
        still_sick(step, &seen.value)?;
        for pod in &moving {
            self.may_move(pod)?;
        }
        let cordon = Field::set(&seen.value, &["spec", "unschedulable"], json!(true));
        let changes = vec![seen.change(vec![cordon])];
        self.check(&changes, &[Seen::clone(&seen)], &step.id)?;
        let until_s = now.as_second().saturating_add(PATIENCE.as_secs());
        Ok(Written { changes, drain: Some(Drain { node: node.to_string(), until_s }) })
    }

    /// The pods on a node that are not part of it.
    fn moving(&self, node: &str) -> Vec<Moving> {
        let state = self.shared.state();
        let here = state.pods.values().filter(|pod| {
            let own = pod.owner.as_ref().map(|owner| &*owner.kind);
            pod.node.as_deref() == Some(node)
                && pod.done.is_none()
                && !matches!(own, Some("DaemonSet" | "Node"))
        });
        here.map(|pod| {
            let Key { namespace, name } = &pod.key;
            let (namespace, name) = (namespace.to_string(), name.to_string());
            Moving { namespace, name, uid: pod.uid.to_string() }
        })
        .collect()
    }

    /// Whether a pod may be asked to move, and whether the server would let it.
    fn may_move(&self, pod: &Moving) -> Result<(), Stop> {
        let target = Target { version: "v1", namespace: Some(&pod.namespace), name: &pod.name };
        let seen = match self.client.call_on(&POD, &target, &Body::Nothing, false) {
            Ok(seen) => seen,
            Err(error) if error.class() == Class::NotFound => return Ok(()),
            Err(error) => return Err(Stop::Api(error)),
        };
        let named = format!("pod {pod}");
        if let Some(why) = stays(&seen) {
            return Err(held(format!("{named} says {why}")));
        }
        let workload = self.top_of(pod)?;
        let object = workload.as_ref().unwrap_or(&seen);
        let namespace = self.namespace(&pod.namespace).map_err(Stop::Api)?;
        for one in [&seen, object] {
            self.acting.rules.allow(one, Some(&namespace), &named)?;
        }
        let owners = at(&seen, &["metadata", "ownerReferences"]).and_then(Value::as_array);
        let mut owners = owners.into_iter().flatten();
        let owner = owners.find_map(|it| text(it, &["kind"])).unwrap_or_default();
        if !COME_BACK.contains(&owner) {
            guard::may_be_interrupted(object, &named).map_err(|stop| match (owner, stop) {
                ("", _) => held(format!("{named} is nobody's: it would not come back")),
                (_, stop) => stop,
            })?;
        }
        match self.evict(pod, true) {
            Ok(()) => Ok(()),
            Err(error) if error.code() == Some(429) => {
                Err(held(format!("{named} must not move now: {}", words(&error))))
            }
            Err(error) => Err(Stop::Api(error)),
        }
    }

    /// What controls a pod at the top, as far as it can be steered. Where the server does not say,
    /// nobody knows whether it may be touched.
    fn top_of(&self, pod: &Moving) -> Result<Option<Value>, Stop> {
        let top = {
            let state = self.shared.state();
            let key =
                Key { namespace: pod.namespace.as_str().into(), name: pod.name.as_str().into() };
            state.pods.get(&key).and_then(|pod| crate::whose::top(&state, pod).owner)
        };
        let Some(top) = top else { return Ok(None) };
        let Some(kind) = steered(&top.kind) else { return Ok(None) };
        let seen = self.look(kind, Some(&pod.namespace), &top.name).map_err(Stop::Api)?;
        Ok(seen.map(|seen| seen.value))
    }

    fn evict(&self, pod: &Moving, dry_run: bool) -> Result<(), ApiError> {
        let target = Target { version: "v1", namespace: Some(&pod.namespace), name: &pod.name };
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        });
        match self.client.call_on(&EVICT, &target, &Body::Whole(&eviction), dry_run) {
            Ok(_) => Ok(()),
            // It went by itself, or is another one by now, which is asked next time.
            Err(error) if matches!(error.class(), Class::NotFound | Class::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks what is left on a node to move.
    ///
    /// # Errors
    /// Something is left: whoever asks asks again later.
    pub(super) fn empty(&self, drain: &Drain, now: Timestamp) -> Result<(), EdgeError> {
        let moving = self.moving(&drain.node);
        let Some(first) = moving.first() else { return Ok(()) };
        let mut refused = None;
        for pod in &moving {
            match self.evict(pod, false) {
                Ok(()) => {}
                Err(error) if error.code() == Some(429) => {
                    refused = refused.or(Some(format!("{pod}: {}", words(&error))));
                }
                Err(error) => return Err(EdgeError::new(Class::Transient, words(&error))),
            }
        }
        let (node, left) = (&drain.node, (drain.until_s - now.as_second()).max(0) / 60);
        let why = refused.unwrap_or_else(|| format!("{first} ends"));
        let message = format!(
            "node {node} is being emptied: {} pods are on it ({why}); asked again for {left} m",
            moving.len()
        );
        Err(EdgeError::new(Class::Transient, message))
    }
}
