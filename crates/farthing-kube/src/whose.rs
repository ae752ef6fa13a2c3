//! Whose a pod is: up its owners to the top, and from there to a workload and a team.
//!
//! A workload is called `namespace/name` of the controller at the top (or of the pod itself), as
//! imports of telemetry call it too, so that both are one row of a statement.

use crate::kind::{KINDS, Keep};
use crate::object::{Key, Owner, OwnerRef, PodObject};
use crate::state::State;
use farthing_model::{Attribution, Controller, TeamId, WorkloadId};
use std::sync::Arc;

/// Owners of owners that are followed; the longest chain that is known has five links.
const LINKS_MAX: usize = 8;

/// The controller at the top of a pod's owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Top {
    pub(crate) owner: Option<OwnerRef>,
    /// Whether every owner on the way was there. An owner may come after its pod.
    pub(crate) complete: bool,
}

/// Follows the owners of a pod to the top.
pub(crate) fn top(state: &State, pod: &PodObject) -> Top {
    // Pods of a node's own manifests name the node as their owner, which is nobody.
    let Some(first) = pod.owner.as_ref().filter(|owner| &*owner.kind != "Node") else {
        return Top { owner: None, complete: true };
    };
    let mut at = first.clone();
    for _ in 0..LINKS_MAX {
        match above(state, &pod.key.namespace, &at) {
            Above::Owner(owner) => at = owner,
            Above::Nothing => return Top { owner: Some(at), complete: true },
            Above::NotYet => return Top { owner: Some(at), complete: false },
        }
    }
    Top { owner: Some(at), complete: true }
}

enum Above {
    Owner(OwnerRef),
    Nothing,
    /// It is of a kind that is watched, and not there.
    NotYet,
}

fn above(state: &State, namespace: &Arc<str>, of: &OwnerRef) -> Above {
    let key = Key { namespace: Arc::clone(namespace), name: Arc::clone(&of.name) };
    // Sets of workers (LeaderWorkerSet) are owned by the pod that leads them.
    let found = if &*of.kind == "Pod" {
        state.pods.get(&key).map(|pod| pod.owner.clone())
    } else {
        owner(state, &of.kind, &key).map(|owner| owner.of.clone())
    };
    match found {
        Some(Some(owner)) => Above::Owner(owner),
        None if is_watched(state, &of.kind) => Above::NotYet,
        None | Some(None) => Above::Nothing,
    }
}

fn owner<'s>(state: &'s State, kind: &str, key: &Key) -> Option<&'s Owner> {
    state.owners.get(kind)?.get(key)
}

fn is_watched(state: &State, kind: &str) -> bool {
    let found = KINDS.iter().zip(&state.health).find(|(it, _)| it.name == kind);
    found.is_some_and(|(it, health)| {
        let owns = matches!(it.keep(), Keep::Owner | Keep::OwnerOfPods | Keep::Pod);
        owns && health.served != Some(false)
    })
}

/// The name of a workload.
pub(crate) fn workload_id(namespace: &str, name: &str) -> Option<WorkloadId> {
    WorkloadId::new(&format!("{namespace}/{name}")).ok()
}

/// The team of something: what it says itself, what its owner says, what its namespace says.
pub(crate) fn team(
    state: &State,
    own: Option<&Arc<str>>,
    top: Option<&OwnerRef>,
    namespace: &Arc<str>,
) -> Option<TeamId> {
    let of_owner = || {
        let top = top?;
        let key = Key { namespace: Arc::clone(namespace), name: Arc::clone(&top.name) };
        owner(state, &top.kind, &key)?.team.as_ref()
    };
    let of_namespace = || state.namespaces.get(namespace)?.team.as_ref();
    let said = own.or_else(of_owner).or_else(of_namespace)?;
    TeamId::new(said).ok()
}

/// Who is charged for a pod; `None` where its names are no names.
pub(crate) fn attribution(state: &State, pod: &PodObject, top: &Top) -> Option<Attribution> {
    let (namespace, name) = (&pod.key.namespace, &pod.key.name);
    let owner = top.owner.as_ref();
    let workload = workload_id(namespace, owner.map_or(name, |owner| &owner.name))?;
    Some(Attribution {
        team: team(state, pod.team.as_ref(), owner, namespace),
        namespace: Some(namespace.to_string()),
        pod: Some(name.to_string()),
        controller: owner.map(|owner| Controller {
            kind: owner.kind.to_lowercase(),
            name: owner.name.to_string(),
        }),
        labels: Arc::clone(&pod.labels),
        ..Attribution::of(workload)
    })
}
