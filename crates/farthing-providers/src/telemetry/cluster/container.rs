//! What containers used of processors, memory and disks, and what their pods asked for.

use super::Horizon;
use super::claim::{Per, Used, counted, excess, largest, sum};
use super::facts::{Facts, Pod, PodKey, Resource, lay};
use super::pulse::{Paces, Pulse};
use crate::telemetry::intake::Settled;
use crate::telemetry::series::{Increase, Span, Spans, Step, value_at};
use crate::telemetry::sources::{Field, Label};
use farthing_model::split;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A container by namespace, pod and name.
pub(super) type ContainerKey = (Arc<str>, Arc<str>, Arc<str>);

/// What was measured of containers.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Processor time, one list for each run and processor.
    pub(super) cpu: BTreeMap<ContainerKey, Vec<Vec<Used>>>,
    /// Memory, of the newest run at each instant.
    pub(super) memory: BTreeMap<ContainerKey, Vec<Used>>,
    /// Disk, one list for each.
    pub(super) storage: BTreeMap<ContainerKey, Vec<Vec<Used>>>,
    /// When the containers of each pod, by namespace and name, were looked at.
    pub(super) pulses: BTreeMap<(Arc<str>, Arc<str>), Vec<i64>>,
    /// The distances between looks.
    paces: Paces,
}

impl Measured {
    /// Reads everything that is said of containers.
    pub(super) fn read(settled: &Settled, horizon: &Horizon) -> Self {
        let mut found = Self::default();
        let started = starts(settled);
        let whole = whole_processors(settled);
        let mut memory: BTreeMap<ContainerKey, Vec<(i64, Vec<Step>)>> = BTreeMap::new();
        for series in settled.store.series() {
            let Some(key) = container_of(series) else { continue };
            let merged = match series.field {
                Field::ContainerCpu | Field::ContainerMemory | Field::ContainerStorage => {
                    settled.store.merged(series)
                }
                _ => continue,
            };
            found.paces.add(merged.pace);
            match series.field {
                Field::ContainerCpu => {
                    // The sum over processors stands for each of them.
                    if whole.contains(&key) && !is_whole(series.text(Label::Cpu)) {
                        continue;
                    }
                    let mut increases = merged.increases(horizon);
                    let start = started.get(&(key.clone(), Arc::from(series.text(Label::Run))));
                    increases.splice(0..0, birth(&merged, start.copied(), horizon));
                    found.cpu.entry(key.clone()).or_default().push(counted(&increases));
                }
                Field::ContainerMemory => {
                    let first = merged.first().map_or(i64::MAX, |point| point.at);
                    memory.entry(key.clone()).or_default().push((first, merged.steps(horizon)));
                }
                _ => {
                    let used = Per::Byte.used(&merged.steps(horizon));
                    found.storage.entry(key.clone()).or_default().push(used);
                }
            }
            let times = merged.points.iter().map(|point| point.at);
            let pod = (Arc::clone(&key.0), Arc::clone(&key.1));
            found.pulses.entry(pod).or_default().extend(times);
        }
        for times in found.pulses.values_mut() {
            times.sort_unstable();
            times.dedup();
        }
        found.memory = memory.into_iter().map(|(key, runs)| (key, newest(runs))).collect();
        found
    }

    /// When the pods that a node held were looked at.
    pub(super) fn pulse(&self, pods: &BTreeSet<(Arc<str>, Arc<str>)>) -> Pulse {
        let times = pods.iter().filter_map(|pod| self.pulses.get(pod)).flatten().copied();
        Pulse::of(times.collect(), &self.paces)
    }

    /// When a container of a pod was seen to run: while it had memory, or used a processor.
    pub(super) fn ran(&self, pod: &Pod, name: &Arc<str>) -> Spans {
        let key = (Arc::clone(&pod.namespace), Arc::clone(&pod.name), Arc::clone(name));
        let lists = self.cpu.get(&key).into_iter().flatten().chain(self.memory.get(&key));
        let ran = lists.flatten().filter(|used| used.amount > 0).map(|used| used.span);
        Spans::of(ran.collect())
    }

    /// The containers of a pod of which anything was measured.
    pub(super) fn of_pod(&self, pod: &Pod) -> BTreeSet<Arc<str>> {
        let (namespace, name) = (&pod.namespace, &pod.name);
        let from = (Arc::clone(namespace), Arc::clone(name), Arc::from(""));
        let is_its = move |key: &&ContainerKey| key.0 == *namespace && key.1 == *name;
        let cpu = self.cpu.range(from.clone()..).map(|(key, _)| key).take_while(is_its);
        let memory = self.memory.range(from.clone()..).map(|(key, _)| key).take_while(is_its);
        let storage = self.storage.range(from..).map(|(key, _)| key).take_while(is_its);
        cpu.chain(memory).chain(storage).map(|key| Arc::clone(&key.2)).collect()
    }
}

/// The container that a series is of. A series without one is of the pod as a whole, and `POD` is
/// the process that holds its network.
fn container_of(series: &crate::telemetry::series::Series) -> Option<ContainerKey> {
    let container = series.get(Label::Container).filter(|name| &***name != "POD")?;
    let (namespace, pod) = (series.get(Label::Namespace)?, series.get(Label::Pod)?);
    Some((Arc::clone(namespace), Arc::clone(pod), Arc::clone(container)))
}

fn is_whole(cpu: &str) -> bool {
    cpu.is_empty() || cpu == "total"
}

/// Containers with a series of all processors together.
fn whole_processors(settled: &Settled) -> BTreeSet<ContainerKey> {
    let series = settled.store.of(Field::ContainerCpu);
    series.filter(|series| is_whole(series.text(Label::Cpu))).filter_map(container_of).collect()
}

/// When each run of each container began.
fn starts(settled: &Settled) -> BTreeMap<(ContainerKey, Arc<str>), i64> {
    let series = settled.store.of(Field::ContainerStarted);
    let start = series.filter_map(|series| {
        let run = Arc::from(series.text(Label::Run));
        Some(((container_of(series)?, run), settled.store.merged(series).first()?.value))
    });
    start.collect()
}

/// What a counter had counted when it was first seen, where it is known to have begun between two
/// scrapes: Prometheus' own functions lose it.
fn birth(
    merged: &crate::telemetry::series::Merged,
    start: Option<i64>,
    horizon: &Horizon,
) -> Option<Increase> {
    let (first, start) = (merged.first()?, start?);
    let span = Span::new(start, first.at)?;
    let recent = span.from >= horizon.window.from && span.len() <= horizon.hold_ms;
    (recent && span.to <= horizon.window.to).then_some(Increase { span, amount: first.value })
}

/// Of several runs of a container the newest one at each instant.
fn newest(mut runs: Vec<(i64, Vec<Step>)>) -> Vec<Used> {
    runs.sort_by_key(|(first, _)| *first);
    let mut taken = Spans::default();
    let mut steps: Vec<Step> = Vec::new();
    for (_, run) in runs.into_iter().rev() {
        let spans = Spans::of(run.iter().map(|step| step.span).collect());
        for step in &run {
            let free = Spans::of(vec![step.span]).without(&taken);
            steps.extend(free.iter().map(|span| Step { span, value: step.value }));
        }
        taken = taken.or(&spans);
    }
    steps.sort_unstable_by_key(|step| step.span);
    Per::Byte.used(&steps)
}

/// What each container of a pod asks for of a resource, with what its init containers and its
/// sandbox need beside that. The scheduler sets aside, for as long as the pod lives, the larger of
/// all containers together and the largest init container, with the sidecars that are declared
/// before it. No metric says which are: those that ran before it did. While an init container runs
/// (`ran`), it has of that what it asks for itself, and the others, which do not run yet, have the
/// rest: at each instant all of them together ask for what was set aside.
pub(super) fn asked(
    pod: &Pod,
    resource: &Resource,
    ran: &dyn Fn(&Arc<str>) -> Spans,
) -> BTreeMap<Arc<str>, Vec<Step>> {
    let of = |list: &BTreeMap<(Arc<str>, Resource), Vec<Step>>| -> Vec<(Arc<str>, Vec<Step>)> {
        let mine = list.iter().filter(|((_, its), _)| its == resource);
        mine.map(|((container, _), steps)| (Arc::clone(container), steps.clone())).collect()
    };
    let mut asked: BTreeMap<Arc<str>, Vec<Step>> = of(&pod.requests).into_iter().collect();
    let (sidecars, inits): (Vec<_>, Vec<_>) =
        of(&pod.inits).into_iter().partition(|(name, _)| pod.sidecars.contains(name));
    let began = |name: &Arc<str>| ran(name).iter().map(|span| span.from).min();
    let with_sidecars = |(name, own): &(Arc<str>, Vec<Step>)| {
        let is_before =
            |its: &Arc<str>| began(its).zip(began(name)).is_some_and(|(its, own)| its < own);
        let before = sidecars.iter().filter(|(its, _)| is_before(its)).map(|(_, steps)| steps);
        (Arc::clone(name), sum(&std::iter::once(own).chain(before).collect::<Vec<_>>()))
    };
    let stages: Vec<(Arc<str>, Vec<Step>)> = inits.iter().map(with_sidecars).collect();
    asked.extend(sidecars);
    let together = sum(&asked.values().collect::<Vec<_>>());
    let largest = largest(&stages.iter().map(|(_, steps)| steps).collect::<Vec<_>>());
    let beyond = excess(&largest, &together);
    if let Some((name, _)) = stages.iter().max_by_key(|(name, steps)| {
        (steps.iter().map(|step| step.value).max(), std::cmp::Reverse(Arc::clone(name)))
    }) && !beyond.is_empty()
    {
        asked.insert(Arc::clone(name), beyond);
    }
    let mut taken = Spans::default();
    for (name, own) in &inits {
        let now = ran(name).without(&taken);
        lend(&mut asked, (name, own), &now);
        taken = taken.or(&now);
    }
    if let Some(overhead) = pod.overhead.get(resource) {
        asked.insert(Arc::from(""), overhead.clone());
    }
    asked
}

/// Gives an init container what it asks for while it runs, out of what was set aside for all.
fn lend(asked: &mut BTreeMap<Arc<str>, Vec<Step>>, (name, own): (&Arc<str>, &[Step]), ran: &Spans) {
    let steps = asked.values().flatten().chain(own).map(|step| step.span);
    let mut edges: Vec<i64> =
        steps.chain(ran.iter()).flat_map(|span| [span.from, span.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    asked.entry(Arc::clone(name)).or_default();
    let names: Vec<Arc<str>> = asked.keys().cloned().collect();
    let mut laid: Vec<Vec<Step>> = names.iter().map(|_| Vec::new()).collect();
    for pair in edges.windows(2) {
        let Some(span) = Span::new(pair[0], pair[1]).filter(|it| ran.contains(it.from)) else {
            continue;
        };
        let at = |name: &Arc<str>| value_at(&asked[name], span.from).unwrap_or(0);
        let weights: Vec<i128> = names
            .iter()
            .map(|other| if other == name { 0 } else { i128::from(at(other)) })
            .collect();
        let others: i128 = weights.iter().sum();
        let whole = others + i128::from(at(name));
        let takes = i128::from(value_at(own, span.from).unwrap_or(0)).min(whole);
        // Where nobody else asks for anything all of it is its own.
        let Ok(parts) = split(whole - takes, &weights) else { continue };
        for ((other, part), steps) in names.iter().zip(parts).zip(&mut laid) {
            let value = if other == name { takes } else { part };
            steps.push(Step { span, value: i64::try_from(value).unwrap_or(i64::MAX) });
        }
    }
    for (name, steps) in names.into_iter().zip(laid) {
        lay(asked.entry(name).or_default(), steps);
    }
}

/// The pods of a name, by unique id.
pub(super) fn pods_named<'f>(
    facts: &'f Facts,
    namespace: &Arc<str>,
    name: &Arc<str>,
) -> impl Iterator<Item = (&'f PodKey, &'f Pod)> + use<'f> {
    let (namespace, name) = (Arc::clone(namespace), Arc::clone(name));
    let from = (Arc::clone(&namespace), Arc::clone(&name), Arc::from(""));
    let pods = facts.pods.range(from..);
    pods.take_while(move |(key, _)| key.0 == namespace && key.1 == name)
}
