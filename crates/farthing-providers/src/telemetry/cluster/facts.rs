//! What a cluster was: its nodes and pods over time, put together from series.

use super::Horizon;
use super::owner::fact;
use super::pulse::{Paces, Pulse};
use crate::telemetry::intake::Settled;
use crate::telemetry::series::{Series, Span, Spans, Step};
use crate::telemetry::sources::{Field, Label, ResourceName, SourceMap, mig_profile};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Labels under their own names.
pub(super) type Labels = BTreeMap<String, String>;

/// What is asked for or there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    Cpu,
    Memory,
    Storage,
    /// Whole devices, or replicas of them.
    Gpu,
    /// Parts of one device.
    GpuCores,
    /// Instances of a profile, by the name of the resource.
    Mig(Arc<str>),
}

/// A pod, as the cluster's own records tell of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pod {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    /// Where it was, and when; a pod of the same name elsewhere is the same while nothing tells
    /// them apart.
    pub(super) places: Vec<(Span, Arc<str>)>,
    /// When it held what it asked for.
    pub(super) held: Spans,
    pub(super) owner: Option<(Arc<str>, Arc<str>)>,
    /// When it was started and done, to the second, where that is exported.
    pub(super) started: Option<i64>,
    pub(super) completed: Option<i64>,
    /// Its labels, and from when on.
    pub(super) labels: Vec<(i64, Labels)>,
    pub(super) annotations: Labels,
    /// What each container asks for.
    pub(super) requests: BTreeMap<(Arc<str>, Resource), Vec<Step>>,
    /// What each init container asks for.
    pub(super) inits: BTreeMap<(Arc<str>, Resource), Vec<Step>>,
    /// Init containers that go on beside the others.
    pub(super) sidecars: BTreeSet<Arc<str>>,
    pub(super) overhead: BTreeMap<Resource, Vec<Step>>,
}

/// A node, as the cluster's own records tell of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// When it was there.
    pub(super) present: Spans,
    pub(super) created: Option<i64>,
    pub(super) provider_id: Option<Arc<str>>,
    /// Its labels, and when.
    pub(super) labels: Vec<(Span, Labels)>,
    pub(super) capacity: BTreeMap<Resource, Vec<Step>>,
    pub(super) allocatable: BTreeMap<Resource, Vec<Step>>,
}

/// Something that has an owner, by namespace, kind and name.
pub(super) type OwnedKey = (Arc<str>, Arc<str>, Arc<str>);
/// Stretches in which a pod was alive, and in which it was done.
type Phases = BTreeMap<PodKey, (Vec<Span>, Vec<Span>)>;
/// A pod by namespace, name and unique id; the id is empty where it is not exported.
pub(super) type PodKey = (Arc<str>, Arc<str>, Arc<str>);

/// Everything that the cluster's records say.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) nodes: BTreeMap<Arc<str>, Node>,
    pub(super) pods: BTreeMap<PodKey, Pod>,
    pub(super) namespaces: BTreeMap<Arc<str>, Labels>,
    /// Replica sets and jobs by namespace and name, and whose they are.
    pub(super) owners: BTreeMap<OwnedKey, (Arc<str>, Arc<str>)>,
    /// Pods that share a device by a label, by its value.
    pub(super) groups: BTreeMap<String, Vec<PodKey>>,
    /// When the records were read.
    pub(super) pulse: Pulse,
}

/// The resource that a series is of.
pub(super) fn resource_of(map: &SourceMap, series: &Series) -> Option<Resource> {
    let name = series.get(Label::Resource)?;
    if mig_profile(name).is_some() {
        return Some(Resource::Mig(Arc::clone(name)));
    }
    Some(match map.resources.get(&**name)? {
        ResourceName::Cpu => Resource::Cpu,
        ResourceName::Memory => Resource::Memory,
        ResourceName::Storage => Resource::Storage,
        ResourceName::Gpu => Resource::Gpu,
        ResourceName::GpuCores => Resource::GpuCores,
    })
}

/// Steps of one value, laid over others: where both say something, the later series stands.
pub(super) fn lay(over: &mut Vec<Step>, steps: Vec<Step>) {
    if over.is_empty() {
        *over = steps;
        return;
    }
    let new = Spans::of(steps.iter().map(|step| step.span).collect());
    let mut kept: Vec<Step> = Vec::new();
    for step in over.iter() {
        let own = Spans::of(vec![step.span]).without(&new);
        kept.extend(own.iter().map(|span| Step { span, value: step.value }));
    }
    kept.extend(steps);
    kept.sort_unstable_by_key(|step| step.span);
    *over = kept;
}

fn pairs(series: &Series) -> Labels {
    series.others.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The container that a series is of; empty where it is of the whole pod.
fn container_of(series: &Series) -> Arc<str> {
    series.get(Label::Container).map_or_else(|| Arc::from(""), Arc::clone)
}

impl Pod {
    /// Moves its beginning and its end, which were seen from scrape to scrape, to the seconds that
    /// its own records say.
    fn sharpen(&mut self, pace: i64) {
        let first = self.held.iter().next();
        if let (Some(started), Some(first)) = (self.started, first)
            && first.from - started <= pace
            && let Some(before) = Span::new(started, first.from)
            && let Some((place, _)) = self.places.iter_mut().find(|(at, _)| at.from <= first.from)
        {
            place.from = place.from.min(started);
            self.held = self.held.or(&Spans::of(vec![before]));
            let same = |steps: &mut Vec<Step>| match steps.first_mut() {
                Some(step) if step.span.from == first.from => step.span.from = started,
                _ => {}
            };
            self.requests.values_mut().chain(self.inits.values_mut()).for_each(same);
            self.overhead.values_mut().for_each(same);
        }
        if let Some(after) = self.completed.and_then(|done| Span::new(done, i64::MAX)) {
            self.held = self.held.without(&Spans::of(vec![after]));
        }
    }

    /// Adds what a container, an init container or the pod's own sandbox asks for.
    fn asks(&mut self, series: &Series, resource: Resource, steps: Vec<Step>) {
        let key = (container_of(series), resource);
        match series.field {
            Field::ContainerRequest => lay(self.requests.entry(key).or_default(), steps),
            Field::InitRequest => lay(self.inits.entry(key).or_default(), steps),
            Field::PodOverhead => lay(self.overhead.entry(key.1).or_default(), steps),
            _ => {}
        }
    }
}

impl Facts {
    /// Reads everything that is said of nodes and pods.
    pub(super) fn read(settled: &Settled, horizon: &Horizon) -> Self {
        let mut facts = Self::default();
        let mut times = Vec::new();
        let mut paces = Paces::default();
        let mut series: Vec<&Series> =
            settled.store.series().filter(|it| is_of_records(it)).collect();
        // In an order that does not depend on how the input came.
        series.sort_by_cached_key(|series| {
            (series.field, settled.store.ends(series), series.order())
        });
        let mut phases: Phases = BTreeMap::new();
        for series in series {
            if matches!(series.field, Field::NodeInfo | Field::PodInfo | Field::NodeCapacity) {
                let merged = settled.store.merged(series);
                paces.add(merged.pace);
                if series.field != Field::PodInfo {
                    times.extend(merged.points.iter().map(|point| point.at));
                }
            }
            facts.node(settled, horizon, series);
            facts.pod(settled, horizon, series, &mut phases);
            facts.owner(series);
        }
        facts.pulse = Pulse::of(times, &paces);
        facts.hold(phases);
        for (key, pod) in &facts.pods {
            let group = pod.labels.iter().find_map(|(_, it)| fact(&settled.map, it, "gpu_group"));
            if let Some(group) = group {
                facts.groups.entry(group.to_owned()).or_default().push(key.clone());
            }
        }
        facts
    }

    fn node(&mut self, settled: &Settled, horizon: &Horizon, series: &Series) {
        let (map, store) = (&settled.map, &settled.store);
        let Some(name) = series.get(Label::Node).filter(|_| is_of_node(series.field)) else {
            return;
        };
        let node = self.nodes.entry(Arc::clone(name)).or_default();
        let merged = store.merged(series);
        match series.field {
            Field::NodeInfo | Field::NodeLabels | Field::NodeCapacity => {
                let spans = merged.presence(horizon);
                node.present = node.present.or(&Spans::of(spans.clone()));
                if series.field == Field::NodeLabels {
                    node.labels.extend(spans.into_iter().map(|span| (span, pairs(series))));
                    node.labels.sort();
                }
                if let Some(id) = series.get(Label::ProviderId) {
                    node.provider_id = Some(Arc::clone(id));
                }
            }
            Field::NodeCreated => node.created = merged.first().map(|point| point.value),
            _ => {}
        }
        if let Some(resource) = resource_of(map, series) {
            let steps = merged.steps(horizon);
            match series.field {
                Field::NodeCapacity => lay(node.capacity.entry(resource).or_default(), steps),
                Field::NodeAllocatable => lay(node.allocatable.entry(resource).or_default(), steps),
                _ => {}
            }
        }
    }

    fn pod(&mut self, settled: &Settled, horizon: &Horizon, series: &Series, phases: &mut Phases) {
        let (Some(namespace), Some(name)) = (series.get(Label::Namespace), series.get(Label::Pod))
        else {
            return;
        };
        if !is_of_pod(series.field) {
            return;
        }
        let uid = series.get(Label::Uid).map_or_else(|| Arc::from(""), Arc::clone);
        let key = (Arc::clone(namespace), Arc::clone(name), uid);
        let pod = self.pods.entry(key.clone()).or_insert_with(|| Pod {
            namespace: Arc::clone(namespace),
            name: Arc::clone(name),
            ..Pod::default()
        });
        let merged = settled.store.merged(series);
        match series.field {
            Field::PodInfo => {
                let node = series.get(Label::Node);
                let spans = merged.presence(horizon);
                pod.places.extend(spans.into_iter().filter_map(|span| Some((span, node?.clone()))));
                pod.places.sort();
            }
            Field::PodOwner if series.text(Label::OwnerIsController) != "false" => {
                let (kind, name) = (series.get(Label::OwnerKind), series.get(Label::OwnerName));
                let owner = kind.cloned().zip(name.cloned());
                pod.owner = owner.filter(|(_, name)| &**name != "<none>").or(pod.owner.take());
            }
            Field::PodLabels => {
                let from = merged.points.first().map_or(i64::MIN, |point| point.at);
                pod.labels.push((from, pairs(series)));
                pod.labels.sort();
            }
            Field::PodStarted => pod.started = merged.first().map(|point| point.value),
            Field::PodCompleted => pod.completed = merged.first().map(|point| point.value),
            Field::PodAnnotations => pod.annotations.extend(pairs(series)),
            Field::PodPhase => {
                let on = merged.steps(horizon).into_iter().filter(|step| step.value != 0);
                let (alive, done) = phases.entry(key).or_default();
                let is_over = matches!(series.text(Label::Phase), "Succeeded" | "Failed");
                let list = if is_over { done } else { alive };
                list.extend(on.map(|step| step.span));
            }
            Field::InitInfo if series.text(Label::RestartPolicy) == "Always" => {
                pod.sidecars.insert(container_of(series));
            }
            _ => {
                if let Some(resource) = resource_of(&settled.map, series) {
                    pod.asks(series, resource, merged.steps(horizon));
                }
            }
        }
    }

    fn owner(&mut self, series: &Series) {
        let (kind, name) = match series.field {
            Field::ReplicaSetOwner => ("ReplicaSet", series.get(Label::ReplicaSet)),
            Field::JobOwner => ("Job", series.get(Label::Job)),
            Field::NamespaceLabels => {
                if let Some(namespace) = series.get(Label::Namespace) {
                    self.namespaces.insert(Arc::clone(namespace), pairs(series));
                }
                return;
            }
            _ => return,
        };
        let of = (series.get(Label::OwnerKind), series.get(Label::OwnerName));
        if let (Some(namespace), Some(name), (Some(of_kind), Some(of_name))) =
            (series.get(Label::Namespace), name, of)
            && &**of_name != "<none>"
        {
            let key = (Arc::clone(namespace), Arc::from(kind), Arc::clone(name));
            self.owners.insert(key, (Arc::clone(of_kind), Arc::clone(of_name)));
        }
    }

    /// A pod holds what it asks for from when it has a node until it is over.
    fn hold(&mut self, mut phases: Phases) {
        for (key, pod) in &mut self.pods {
            let placed = Spans::of(pod.places.iter().map(|(span, _)| *span).collect());
            pod.held = match phases.remove(key) {
                Some((alive, done)) => {
                    let (alive, done) = (Spans::of(alive), Spans::of(done));
                    placed.and(&alive.without(&done))
                }
                None => placed,
            };
            pod.sharpen(self.pulse.pace());
        }
    }
}

/// Whether a series is of the cluster's records.
fn is_of_records(series: &Series) -> bool {
    let is_of_owners =
        matches!(series.field, Field::NamespaceLabels | Field::ReplicaSetOwner | Field::JobOwner);
    is_of_owners || is_of_node(series.field) || is_of_pod(series.field)
}

const fn is_of_node(field: Field) -> bool {
    matches!(
        field,
        Field::NodeInfo
            | Field::NodeLabels
            | Field::NodeCapacity
            | Field::NodeAllocatable
            | Field::NodeCreated
    )
}

const fn is_of_pod(field: Field) -> bool {
    matches!(
        field,
        Field::PodInfo
            | Field::PodOwner
            | Field::PodLabels
            | Field::PodAnnotations
            | Field::PodPhase
            | Field::PodStarted
            | Field::PodCompleted
            | Field::PodOverhead
            | Field::ContainerRequest
            | Field::InitRequest
            | Field::InitInfo
    )
}
