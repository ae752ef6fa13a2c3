//! What of an object may have more or fewer members while it runs, where it says so by
//! `farthing.dev/elastic`: pods of a Job, jobs of a `JobSet`, workers of a `RayCluster`.
//!
//! The same rules read what is watched and what a step is about to change. They refuse to guess:
//! of several groups the annotation has to name the one that is meant.

use super::placement::Placement;
use super::pod::{self, Asks};
use super::{Names, Owner};
use crate::act::guard;
use serde_json::Value;
use std::sync::Arc;

/// A kind that counts its members in the items of a list.
#[derive(Debug)]
pub(crate) struct Listed {
    kind: &'static str,
    /// The list, below `spec`.
    pub(crate) list: &'static str,
    /// What names an item.
    pub(crate) name: &'static str,
    /// The label that names the item on pods.
    label: &'static str,
    /// Members where none are said.
    usual: u32,
}

static LISTED: [Listed; 2] = [
    Listed {
        kind: "JobSet",
        list: "replicatedJobs",
        name: "name",
        label: "jobset.sigs.k8s.io/replicatedjob-name",
        usual: 1,
    },
    Listed {
        kind: "RayCluster",
        list: "workerGroupSpecs",
        name: "groupName",
        label: "ray.io/group",
        usual: 0,
    },
];

/// How a kind counts its members, if it is one of these.
pub(crate) fn listed(kind: &str) -> Option<&'static Listed> {
    LISTED.iter().find(|it| it.kind == kind)
}

/// Whether objects of a kind are stretched rather than scaled.
pub(crate) fn is_stretched(kind: &str) -> bool {
    kind == "Job" || listed(kind).is_some()
}

/// The part of an object that may be stretched, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) wanted: u32,
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) pods_each: u32,
    pub(crate) asks: Arc<Asks>,
    pub(crate) placement: Arc<Placement>,
    /// The label and its value that its pods have, where they are not all of the object's.
    pub(crate) group: Option<(&'static str, Arc<str>)>,
    /// Pieces of its work that are done, and all of them, where it counts them.
    pub(crate) pieces: Option<(u32, u32)>,
}

/// A group of members: an item of a list.
#[derive(Debug)]
pub(crate) struct Group<'v> {
    pub(crate) name: &'v str,
    pub(crate) wanted: u32,
    /// What the object itself says of the fewest and the most.
    pub(crate) bounds: (u32, u32),
    pods_each: u32,
    pod: Option<&'v Value>,
}

/// A number at a place below an object.
fn number(value: &Value, path: &[&str]) -> Option<u32> {
    let at = path.iter().try_fold(value, |value, name| value.get(name))?;
    at.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// Pods that a job has at once.
pub(crate) fn at_once(spec: &Value) -> u32 {
    let parallel = number(spec, &["parallelism"]).unwrap_or(1);
    number(spec, &["completions"]).map_or(parallel, |all| parallel.min(all))
}

/// The group that is meant: the named one, or the only one.
///
/// # Errors
/// There is none, or it is not clear which; in words.
pub(crate) fn group<'v>(
    spec: &'v Value,
    listed: &'static Listed,
    named: Option<&str>,
) -> Result<Group<'v>, String> {
    let items = spec.get(listed.list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let name = |item: &'v Value| item.get(listed.name).and_then(Value::as_str);
    let item = match (named, items) {
        (Some(named), items) => items.iter().find(|item| name(item) == Some(named)),
        (None, [only]) => Some(only),
        (None, []) => None,
        (None, several) => {
            let names: Vec<&str> = several.iter().filter_map(name).collect();
            let names = names.join(", ");
            return Err(format!("which of {names}? write it like `min=2,max=8,of={names}`"));
        }
    };
    let none = || match named {
        Some(named) => format!("spec.{} has no `{named}`", listed.list),
        None => format!("spec.{} has nothing with a name", listed.list),
    };
    let (Some(item), Some(name)) = (item, item.and_then(name)) else { return Err(none()) };
    let wanted = number(item, &["replicas"]).unwrap_or(listed.usual);
    Ok(if listed.kind == "JobSet" {
        let job = item.get("template").and_then(|it| it.get("spec"));
        let pod = job.and_then(|it| it.get("template")).and_then(|it| it.get("spec"));
        Group { name, wanted, bounds: (1, u32::MAX), pods_each: job.map_or(1, at_once), pod }
    } else {
        let pod = item.get("template").and_then(|it| it.get("spec"));
        let least = number(item, &["minReplicas"]).unwrap_or(0);
        let most = number(item, &["maxReplicas"]).unwrap_or(u32::MAX);
        let pods_each = number(item, &["numOfHosts"]).unwrap_or(1).max(1);
        Group { name, wanted, bounds: (least, most), pods_each, pod }
    })
}

/// Whether somebody else decides how many workers it has.
pub(crate) fn scales_itself(spec: &Value) -> bool {
    spec.get("enableInTreeAutoscaling").and_then(Value::as_bool) == Some(true)
}

/// What may be stretched of an owner, by its kind; nothing where that cannot be read, or where
/// others decide it.
pub(super) fn of(owner: &Owner, spec: &Value, names: &mut Names) -> Option<Stretch> {
    let (least, most, named) = guard::elastic_of(owner.marks.get("elastic")?).ok()?;
    let kinds = LISTED.iter().filter(|listed| spec.get(listed.list).is_some());
    if let Some(listed) = { kinds }.next() {
        if scales_itself(spec) {
            return None;
        }
        let group = group(spec, listed, named).ok()?;
        let pod: pod::Spec = serde_json::from_value(group.pod?.clone()).ok()?;
        let asked = pod::asks(&pod, names).ok()?;
        let bounds = (least.max(group.bounds.0), most.min(group.bounds.1));
        return Some(Stretch {
            wanted: group.wanted,
            least: bounds.0,
            most: bounds.1,
            pods_each: group.pods_each,
            asks: names.asks(asked),
            placement: Placement::of(&pod, names),
            group: Some((listed.label, names.of(group.name))),
            pieces: None,
        })
        .filter(|it| it.least <= it.most);
    }
    // A job as Kubernetes has it; what else has a template of pods is a service.
    let parallel = spec.get("parallelism")?;
    (!parallel.is_null()).then_some(())?;
    Some(Stretch {
        wanted: at_once(spec),
        least,
        most,
        pods_each: 1,
        asks: Arc::clone(owner.asks.as_ref()?),
        placement: Arc::clone(owner.placement.as_ref()?),
        group: None,
        pieces: None,
    })
}
