//! A job as it is about to be created: what it may cost, what it asks for, and how it is changed.

use super::{MAX_COST, MAX_SECONDS};
use crate::object::Names;
use crate::object::pod::{Asks, Spec, asks};
use farthing_model::{Money, is_excluded};
use serde_json::{Value, json};

/// Kueue's own: the queue that a job is in.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";
const EXCLUDE: &str = "farthing.dev/exclude";

/// A job that may cost so much.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) most: Money,
    /// Pods that run at the same time.
    pub(super) pods: u64,
    /// What each asks for.
    pub(super) asks: Asks,
    pub(super) queued: bool,
    /// How long it may run by its own words.
    pub(super) seconds: Option<u64>,
    /// Whether it has labels at all.
    labelled: bool,
}

/// One operation of a JSON patch.
#[derive(Debug, PartialEq)]
pub(super) struct Patch {
    path: String,
    value: Value,
}

impl Patch {
    pub(super) fn into_json(self) -> Value {
        json!({ "op": "add", "path": self.path, "value": self.value })
    }
}

impl Job {
    /// Reads a job; `None` where it says no limit, or that nothing of ours touches it.
    pub(super) fn read(object: &Value) -> Result<Option<Self>, String> {
        let meta = &object["metadata"];
        let said = |of: &str, name: &str| meta[of][name].as_str();
        let Some(text) = said("annotations", MAX_COST) else { return Ok(None) };
        if said("annotations", EXCLUDE).is_some_and(is_excluded) {
            return Ok(None);
        }
        let most: Option<Money> = text.parse().ok().filter(|most: &Money| most.pico() > 0);
        let most = most.ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            format!("{MAX_COST}: `{shown}` is no amount above zero, such as `12.50 USD`")
        })?;
        let count = |name: &str| object["spec"][name].as_u64();
        let parallel = count("parallelism").unwrap_or(1);
        let pods = count("completions").map_or(parallel, |all| all.min(parallel));
        let template = object["spec"]["template"]["spec"].clone();
        let spec: Spec = serde_json::from_value(template)
            .map_err(|error| format!("{MAX_COST}: its pods cannot be read: {error}"))?;
        let asks = asks(&spec, &mut Names::default())
            .map_err(|why| format!("{MAX_COST}: its pods have no price: {why}"))?;
        let seconds = match said("labels", MAX_SECONDS) {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| format!("{MAX_SECONDS}: `{text}` is no number of seconds"))?,
            ),
        };
        let queued = said("labels", QUEUE).is_some_and(|name| !name.is_empty());
        let labelled = meta["labels"].is_object();
        Ok(Some(Self { most, pods, asks, queued, seconds, labelled }))
    }

    /// What makes it end after so long.
    pub(super) fn limited_to(&self, seconds: u64) -> Vec<Patch> {
        let mut patches = Vec::new();
        if !self.labelled {
            patches.push(Patch { path: "/metadata/labels".to_owned(), value: json!({}) });
        }
        // A slash within a name is `~1` in a path.
        let path = format!("/metadata/labels/{}", MAX_SECONDS.replace('/', "~1"));
        patches.push(Patch { path, value: Value::from(seconds.to_string()) });
        patches
    }
}
