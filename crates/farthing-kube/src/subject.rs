//! The object that stands for a workload: what is changed when the workload is to be, and which
//! writing of it was seen, so that a change can say what it rests on.

use crate::kind::{KINDS, Kind};
use crate::object::{Key, Marks, Owner, PodObject};
use crate::state::State;
use crate::whose;
use farthing_model::WorkloadId;
use std::collections::BTreeMap;

/// The object at the top of a workload's owners, or a pod that nothing owns, as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its kind, as `Deployment`.
    pub kind: &'static str,
    /// The group and version of the API that it is read in, as `apps/v1` and `v1`.
    pub api_version: String,
    /// Where it is on the server, as `/apis/apps/v1/namespaces/web/deployments/shop`.
    pub path: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its unique id: another object of the same name has another.
    pub uid: String,
    /// The writing of it that was seen, as the server names it.
    pub resource_version: String,
    /// The server's count of changes to what is wanted of it; changes of its status do not count.
    /// 0 where the server counts none.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// `spec.replicas`, where it has them.
    pub replicas: Option<u32>,
    /// `spec.suspend` or `spec.runPolicy.suspend`, where it says either.
    pub suspend: Option<bool>,
    /// What its annotations `farthing.dev/...` say, by the rest of their names, as `exclude`.
    pub marks: BTreeMap<String, String>,
}

/// Finds the object that stands for a workload; `None` where there is none, and where it is of a
/// kind that is not watched.
pub(crate) fn subject(state: &State, workload: &WorkloadId) -> Option<Subject> {
    let (namespace, name) = workload.as_str().split_once('/')?;
    let key = Key { namespace: namespace.into(), name: name.into() };
    // In the order in which a snapshot gives the name away, where objects of two kinds have it.
    let top = state.owners.iter().find_map(|(kind, owners)| {
        Some((*kind, owners.get(&key).filter(|owner| owner.of.is_none())?))
    });
    if let Some((kind, owner)) = top {
        return Some(of_owner(kind_of(kind)?, state, owner));
    }
    let pod = state.pods.get(&key)?;
    let alone = whose::top(state, pod).owner.is_none();
    Some(of_pod(kind_of("Pod")?, state, pod)).filter(|_| alone)
}

fn kind_of(name: &str) -> Option<(usize, &'static Kind)> {
    KINDS.iter().enumerate().find(|(_, kind)| kind.name == name)
}

fn of_owner(kind: (usize, &'static Kind), state: &State, owner: &Owner) -> Subject {
    Subject {
        uid: owner.uid.to_string(),
        resource_version: owner.resource_version.to_string(),
        generation: owner.generation,
        deleting: owner.deleting,
        replicas: owner.replicas,
        suspend: owner.suspend,
        marks: texts(&owner.marks),
        ..at(kind, state, &owner.key)
    }
}

fn of_pod(kind: (usize, &'static Kind), state: &State, pod: &PodObject) -> Subject {
    Subject {
        uid: pod.uid.to_string(),
        // Where versions are no numbers this is none that the server knows: it will refuse it.
        resource_version: pod.version.to_string(),
        generation: pod.generation,
        deleting: pod.deleting,
        marks: texts(&pod.marks),
        ..at(kind, state, &pod.key)
    }
}

/// Who it is, and nothing of what it says.
fn at((index, kind): (usize, &'static Kind), state: &State, key: &Key) -> Subject {
    let read_in = state.health.get(index).and_then(|health| health.version);
    let version = read_in.or_else(|| kind.versions.first().copied()).unwrap_or("v1");
    let group = if kind.group.is_empty() { String::new() } else { format!("{}/", kind.group) };
    Subject {
        kind: kind.name,
        api_version: format!("{group}{version}"),
        path: kind.path_of(version, &key.namespace, &key.name),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
        uid: String::new(),
        resource_version: String::new(),
        generation: 0,
        deleting: false,
        replicas: None,
        suspend: None,
        marks: BTreeMap::new(),
    }
}

fn texts(marks: &Marks) -> BTreeMap<String, String> {
    marks.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
