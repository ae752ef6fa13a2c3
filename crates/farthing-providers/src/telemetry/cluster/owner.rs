//! Who is charged: a container of a pod, up to the controller at the top of its owners.

use super::facts::{Facts, Labels, Pod};
use crate::telemetry::sources::SourceMap;
use farthing_model::{Attribution, Controller, TeamId, WorkloadId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Owners of owners that are followed; Kubernetes' own chains have three links.
const LINKS_MAX: usize = 8;

/// A pod by namespace, name and unique id, a version of its labels, and a container.
type Face = (Arc<str>, Arc<str>, Arc<str>, usize, Arc<str>);

/// The faces of pods: one for each container and version of the labels.
#[derive(Debug)]
pub(super) struct Owners<'f> {
    facts: &'f Facts,
    map: &'f SourceMap,
    made: BTreeMap<Face, Option<Arc<Attribution>>>,
}

impl<'f> Owners<'f> {
    pub(super) const fn new(facts: &'f Facts, map: &'f SourceMap) -> Self {
        Self { facts, map, made: BTreeMap::new() }
    }

    /// Who is charged for a container of a pod at a moment; `None` where its names are no names.
    pub(super) fn of(
        &mut self,
        pod: &Pod,
        uid: &Arc<str>,
        container: &Arc<str>,
        at: i64,
    ) -> Option<Arc<Attribution>> {
        let version = pod.labels.partition_point(|(from, _)| *from <= at).saturating_sub(1);
        let (namespace, name) = (Arc::clone(&pod.namespace), Arc::clone(&pod.name));
        let key = (namespace, name, Arc::clone(uid), version, Arc::clone(container));
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let made = self.make(pod, version, container).map(Arc::new);
        self.made.insert(key, made.clone());
        made
    }

    fn make(&self, pod: &Pod, version: usize, container: &str) -> Option<Attribution> {
        let labels = pod.labels.get(version).map_or_else(Labels::new, |(_, labels)| labels.clone());
        let controller = self.controller(pod);
        let name = controller.as_ref().map_or(&*pod.name, |controller| controller.name.as_str());
        let workload = WorkloadId::new(&format!("{}/{name}", pod.namespace)).ok()?;
        let of_namespace = self.facts.namespaces.get(&pod.namespace);
        let sets = [Some(&labels), Some(&pod.annotations), of_namespace];
        Some(Attribution {
            team: team_of(self.map, sets.into_iter().flatten()),
            namespace: Some(pod.namespace.to_string()),
            pod: Some(pod.name.to_string()),
            controller,
            container: (!container.is_empty()).then(|| container.to_owned()),
            labels: Arc::new(labels),
            annotations: pod.annotations.clone(),
            ..Attribution::of(workload)
        })
    }

    /// The owner at the top: replica sets and jobs have owners of their own.
    fn controller(&self, pod: &Pod) -> Option<Controller> {
        let (mut kind, mut name) = pod.owner.clone()?;
        for _ in 0..LINKS_MAX {
            let key = (Arc::clone(&pod.namespace), Arc::clone(&kind), Arc::clone(&name));
            let Some((above, of)) = self.facts.owners.get(&key) else { break };
            (kind, name) = (Arc::clone(above), Arc::clone(of));
        }
        Some(Controller { kind: kind.to_lowercase(), name: name.to_string() })
    }
}

/// The team that the first of some sets of labels names.
pub(super) fn team_of<'l>(
    map: &SourceMap,
    sets: impl IntoIterator<Item = &'l Labels>,
) -> Option<TeamId> {
    let team = sets.into_iter().find_map(|set| fact(map, set, "team"))?;
    TeamId::new(team).ok()
}

/// A fact that labels say, under the first of its names that is there.
pub(super) fn fact<'l>(map: &SourceMap, labels: &'l Labels, name: &str) -> Option<&'l str> {
    let names = map.facts.get(name)?;
    names.iter().find_map(|name| labels.get(name)).map(String::as_str).filter(|it| !it.is_empty())
}
