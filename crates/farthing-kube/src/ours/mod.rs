//! Objects of our own in a cluster: Budgets, Policies and price books that people write, Plans that
//! the loop writes and people approve, and the lease of whoever leads.
//!
//! What is there is watched with everything else ([`crate::watch`]); here it is read together, and
//! what we say of it is written: statuses by server-side apply, only where they changed. What the
//! objects mean is the caller's business. Start with [`crate::Kube::ours`].

mod lease;

pub(crate) use lease::{CALLS as LEASE_CALLS, Fence};
pub use lease::{Campaign, Lease, Standing};

use crate::call::{Body, Call, Flavour, Target, Verb};
use crate::client::Client;
use crate::error::ApiError;
use crate::kind::{GROUP, KINDS, Keep, VERSION};
use crate::object::OurObject;
use crate::watch::Shared;
use serde_json::{Value, json};
use std::sync::Arc;

const fn status_of(plural: &'static str) -> Call {
    let (verb, part) = (Verb::Patch, "status");
    Call { flavour: Flavour::Recommend, verb, group: GROUP, plural, part }
}

const fn on_plans(verb: Verb) -> Call {
    Call { flavour: Flavour::Recommend, verb, group: GROUP, plural: "plans", part: "" }
}

/// What is written: statuses, and plans.
pub(crate) static CALLS: [Call; 6] = [
    status_of("budgets"),
    status_of("policies"),
    status_of("pricebooks"),
    status_of("plans"),
    on_plans(Verb::Create),
    on_plans(Verb::Patch),
];

/// Owner of what is to be collected: it does not exist, so the server's garbage collector deletes
/// what it owns. We have no right to delete anything, and may not need one.
const RETIRED: &str = "farthing-retired-plans";

/// Our objects in a cluster.
#[derive(Clone)]
pub struct Ours {
    pub(crate) client: Arc<Client>,
    pub(crate) shared: Arc<Shared>,
}

/// What is known of our kinds.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What there is, the oldest first, and by name.
    pub objects: Vec<OurObject>,
    /// Kinds that the server does not have.
    pub absent: Vec<&'static str>,
    /// Kinds of which nothing is known yet, and why.
    pub unknown: Vec<(&'static str, String)>,
}

impl Ours {
    /// What is known now.
    pub fn known(&self) -> Known {
        let state = self.shared.state();
        let mut known = Known::default();
        let kinds = KINDS.iter().zip(&state.health).filter(|(it, _)| it.keep() == Keep::Ours);
        for (kind, health) in kinds {
            match (health.listed, health.served, &health.why) {
                (true, ..) => {}
                (false, Some(false), _) => known.absent.push(kind.name),
                (false, _, why) => {
                    let why = why.clone().unwrap_or_else(|| "not read yet".to_owned());
                    known.unknown.push((kind.name, why));
                }
            }
        }
        known.objects = state.ours.values().flat_map(|all| all.values().cloned()).collect();
        known.objects.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        known
    }

    /// Says `status` of an object, unless that is what it says already; whether it was written. Of
    /// conditions the moments of those that stay as they are stay too.
    ///
    /// # Errors
    /// The server does not take it.
    pub fn say(&self, object: &OurObject, status: &Value) -> Result<bool, ApiError> {
        let status = with_moments(status, &object.status, &self.client.now().to_string());
        if status == object.status {
            return Ok(false);
        }
        let plural = KINDS.iter().find(|kind| kind.name == object.kind).map(|kind| kind.plural);
        let call = CALLS.iter().find(|it| Some(it.plural) == plural && it.part == "status");
        let Some(call) = call else { return Ok(false) };
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": object.kind,
            // Another object of the same name is another one.
            "metadata": { "name": object.name, "uid": object.uid },
            "status": status,
        });
        self.ask(call, &object.name, &Body::Apply { object: &body, force: false })?;
        Ok(true)
    }

    /// Makes a Plan; `false` where there is one of this name already.
    ///
    /// # Errors
    /// The server does not take it.
    pub fn make_plan(&self, name: &str, spec: &Value) -> Result<bool, ApiError> {
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "Plan",
            "metadata": { "name": name },
            "spec": spec,
        });
        match self.ask(&CALLS[4], "", &Body::Whole(&body)) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Hands a Plan over to the server's garbage collector, where it is as it was seen.
    ///
    /// # Errors
    /// The server does not take it, or it is not as it was.
    pub fn retire_plan(&self, plan: &OurObject) -> Result<(), ApiError> {
        let body = json!({ "metadata": {
            "uid": plan.uid,
            "resourceVersion": plan.version,
            "ownerReferences": [{
                "apiVersion": "v1",
                "kind": "Namespace",
                "name": RETIRED,
                "uid": "00000000-0000-0000-0000-000000000000",
            }],
        } });
        self.ask(&CALLS[5], &plan.name, &Body::Merge(&body)).map(drop)
    }

    fn ask(&self, call: &Call, name: &str, body: &Body<'_>) -> Result<Value, ApiError> {
        let target = Target { version: VERSION, namespace: None, name };
        self.client.call_on(call, &target, body, false)
    }
}

/// A status whose conditions have the moment at which they became what they are.
fn with_moments(status: &Value, was: &Value, now: &str) -> Value {
    let mut status = status.clone();
    let before = was["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        let same =
            |it: &&Value| it["type"] == condition["type"] && it["status"] == condition["status"];
        let since = before.iter().find(same).and_then(|it| it["lastTransitionTime"].as_str());
        condition["lastTransitionTime"] = json!(since.unwrap_or(now));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: &str, message: &str) -> Value {
        let own = json!({ "type": "Accepted", "status": status, "message": message });
        json!({ "conditions": [own] })
    }

    #[test]
    fn a_condition_that_stays_keeps_its_moment() {
        let first = with_moments(&said("True", "a"), &Value::Null, "T1");
        assert_eq!(first["conditions"][0]["lastTransitionTime"], "T1");
        let same = with_moments(&said("True", "b"), &first, "T2");
        assert_eq!(same["conditions"][0]["lastTransitionTime"], "T1");
        let other = with_moments(&said("False", "b"), &same, "T3");
        assert_eq!(other["conditions"][0]["lastTransitionTime"], "T3");
    }
}
