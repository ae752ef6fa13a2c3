//! Devices: what they did, by the deepest rung that is exported, and who held them.

use super::Horizon;
use super::container::pods_named;
use super::facts::Facts;
use super::pulse::{Paces, Pulse};
use crate::telemetry::intake::Settled;
use crate::telemetry::series::{MISSING, Merged, Series, Span, Spans, Step};
use crate::telemetry::sources::{Field, Label};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rungs of use, the deepest first. Under partitioning the driver's own figure says nothing.
const RUNGS: [Field; 3] = [Field::GpuSm, Field::GpuEngine, Field::GpuBusy];

/// A device, or an instance of it.
pub(super) type DeviceKey = (Arc<str>, Option<Arc<str>>);
/// A container that holds it, by namespace, pod and name.
pub(super) type Holder = (Arc<str>, Arc<str>, Arc<str>);

/// What was said of a device.
#[derive(Debug, Default)]
pub(super) struct Device<'s> {
    pub(super) node: Option<Arc<str>>,
    pub(super) model: Arc<str>,
    pub(super) profile: Option<Arc<str>>,
    series: BTreeMap<Field, Vec<&'s Series>>,
    /// When each holder was seen with it.
    pub(super) holders: BTreeMap<Holder, Spans>,
}

/// All devices.
#[derive(Debug, Default)]
pub(super) struct Devices<'s> {
    pub(super) all: BTreeMap<DeviceKey, Device<'s>>,
    /// Series whose node is not one that is known.
    pub(super) homeless: BTreeSet<Arc<str>>,
    /// The devices of each node, with their instances.
    of_node: BTreeMap<Arc<str>, Vec<DeviceKey>>,
    partitioned: BTreeSet<Arc<str>>,
}

impl<'s> Devices<'s> {
    /// Reads everything that is said of devices.
    pub(super) fn read(settled: &'s Settled, facts: &Facts, horizon: &Horizon) -> Self {
        let mut found = Self::default();
        let renamed = renamed_jobs(settled);
        for series in settled.store.series() {
            let Some(device) = series.get(Label::Device).filter(|_| is_of_device(series.field))
            else {
                continue;
            };
            let key = (Arc::clone(device), series.get(Label::Instance).cloned());
            let holder = holder(settled, series, &renamed);
            let entry = found.all.entry(key).or_default();
            entry.series.entry(series.field).or_default().push(series);
            if let Some(model) = series.get(Label::Model) {
                entry.model = Arc::clone(model).max(Arc::clone(&entry.model));
            }
            entry.profile = series.get(Label::Profile).cloned().or(entry.profile.take());
            entry.node = entry.node.take().or_else(|| node_of(facts, series));
            if let Some(holder) = holder {
                let merged = settled.store.merged(series);
                let spans = Spans::of(merged.presence(horizon));
                let seen = entry.holders.entry(holder).or_default();
                *seen = seen.or(&spans);
            }
        }
        found.settle_nodes();
        found
    }

    /// An instance is where its device is.
    fn settle_nodes(&mut self) {
        let known: BTreeMap<Arc<str>, Arc<str>> = self
            .all
            .iter()
            .filter_map(|((device, _), entry)| Some((Arc::clone(device), entry.node.clone()?)))
            .collect();
        for (key, entry) in &mut self.all {
            entry.node = entry.node.take().or_else(|| known.get(&key.0).cloned());
            match &entry.node {
                Some(node) => self.of_node.entry(Arc::clone(node)).or_default().push(key.clone()),
                None => {
                    self.homeless.insert(Arc::clone(&key.0));
                }
            }
            if key.1.is_some() {
                self.partitioned.insert(Arc::clone(&key.0));
            }
        }
    }

    /// The devices of a node.
    pub(super) fn of_node(&self, node: &str) -> impl Iterator<Item = &Device<'s>> {
        let keys = self.of_node.get(node).map_or(&[][..], Vec::as_slice);
        keys.iter().filter_map(|key| self.all.get(key))
    }

    /// Whether devices of a node are held by several containers at a time.
    pub(super) fn are_shared(&self, node: &str) -> bool {
        self.of_node(node).any(|device| {
            let declared = device.has(Field::ShareCores) || device.has(Field::ShareMemory);
            declared
                || device.holders.values().enumerate().any(|(at, own)| {
                    device.holders.values().skip(at + 1).any(|other| !own.and(other).is_empty())
                })
        })
    }

    /// Whole devices of a node.
    pub(super) fn count(&self, node: &str) -> usize {
        let here = self.of_node.get(node).map_or(&[][..], Vec::as_slice);
        here.iter().map(|(device, _)| device).collect::<BTreeSet<_>>().len()
    }

    /// Whether a device is cut into instances.
    pub(super) fn is_partitioned(&self, device: &Arc<str>) -> bool {
        self.partitioned.contains(device)
    }

    /// When the use of a node's devices was scraped.
    pub(super) fn pulse(&self, settled: &Settled, node: &str) -> Pulse {
        let (mut times, mut paces) = (Vec::new(), Paces::default());
        for entry in self.of_node(node) {
            for field in RUNGS {
                let merged = entry.merged(settled, field);
                paces.add(merged.pace);
                let there = merged.points.iter().filter(|point| point.value != MISSING);
                times.extend(there.map(|point| point.at));
            }
        }
        Pulse::of(times, &paces)
    }
}

impl Device<'_> {
    /// One series out of the copies that were exported for each holder: the same measurement.
    pub(super) fn merged(&self, settled: &Settled, field: Field) -> Merged {
        let copies = self.series.get(&field).map_or(&[][..], Vec::as_slice);
        settled.store.merged_all(copies)
    }

    /// Whether a field was exported at all.
    pub(super) fn has(&self, field: Field) -> bool {
        self.series.contains_key(&field)
    }

    /// The exporter of a field.
    pub(super) fn source(&self, field: Field) -> Option<usize> {
        self.series.get(&field)?.iter().map(|series| series.source).min()
    }

    /// Its use over time on the deepest rung that says something, and which that is.
    pub(super) fn activity(
        &self,
        settled: &Settled,
        horizon: &Horizon,
        partitioned: bool,
    ) -> (Vec<Step>, Option<Field>) {
        let (mut steps, mut deepest): (Vec<Step>, _) = (Vec::new(), None);
        let mut taken = Spans::default();
        for field in RUNGS.into_iter().filter(|field| !partitioned || *field != Field::GpuBusy) {
            let rung = self.merged(settled, field).steps(horizon);
            if !rung.is_empty() {
                deepest = deepest.or(Some(field));
            }
            for step in &rung {
                let free = Spans::of(vec![step.span]).without(&taken);
                steps.extend(free.iter().map(|span| Step { span, value: step.value }));
            }
            taken = taken.or(&Spans::of(rung.iter().map(|step| step.span).collect()));
        }
        steps.sort_unstable_by_key(|step| step.span);
        (steps, deepest)
    }

    /// A field of a holder of its own, such as the share that it was given.
    pub(super) fn own(
        &self,
        settled: &Settled,
        horizon: &Horizon,
        field: Field,
        holder: &Holder,
    ) -> Vec<Step> {
        let is_its = |series: &&&Series| {
            series.text(Label::Namespace) == &*holder.0
                && series.text(Label::Pod) == &*holder.1
                && series.get(Label::Container).is_none_or(|name| *name == holder.2)
        };
        let all = self.series.get(&field).map_or(&[][..], Vec::as_slice);
        let its: Vec<&Series> = all.iter().filter(is_its).copied().collect();
        settled.store.merged_all(&its).steps(horizon)
    }

    /// Gigabytes of the whole device, from its model's name or from what is used and free.
    pub(super) fn gigabytes(&self, settled: &Settled) -> Option<u32> {
        let of_name = self.model.split(|c: char| !c.is_ascii_alphanumeric()).find_map(|word| {
            word.strip_suffix("GB").or_else(|| word.strip_suffix("gb"))?.parse().ok()
        });
        of_name.or_else(|| {
            let used = self.merged(settled, Field::GpuMemoryUsed).first()?.value;
            let free = self.merged(settled, Field::GpuMemoryFree).first()?.value;
            u32::try_from((used + free + (1 << 29)) >> 30).ok()
        })
    }
}

const fn is_of_device(field: Field) -> bool {
    matches!(
        field,
        Field::GpuBusy
            | Field::GpuEngine
            | Field::GpuSm
            | Field::GpuTensor
            | Field::GpuMemoryUsed
            | Field::GpuMemoryFree
            | Field::GpuPower
            | Field::GpuEnergy
            | Field::GpuXid
            | Field::ShareCores
            | Field::ShareMemory
            | Field::ShareMemoryUsed
            | Field::ShareBusy
    )
}

/// Scrape jobs that rename the labels of their target: there plain ones are of the exporter itself.
fn renamed_jobs(settled: &Settled) -> BTreeSet<(usize, Arc<str>)> {
    let renamed = settled.store.series().filter(|series| series.exported);
    renamed.map(|series| (series.source, Arc::clone(&series.job))).collect()
}

/// Who holds the device that a series is of, as its labels say.
fn holder(
    settled: &Settled,
    series: &Series,
    renamed: &BTreeSet<(usize, Arc<str>)>,
) -> Option<Holder> {
    if !series.exported && renamed.contains(&(series.source, Arc::clone(&series.job))) {
        return None;
    }
    let (namespace, pod) = (series.get(Label::Namespace)?, series.get(Label::Pod)?);
    let container = series.get(Label::Container).map_or_else(|| Arc::from(""), Arc::clone);
    let exporters = &settled.map.exporter_containers;
    if exporters.iter().any(|exporter| **exporter == *container) {
        return None;
    }
    Some((Arc::clone(namespace), Arc::clone(pod), container))
}

/// Where the device of a series is: as its label says, else where the pod is that its labels name,
/// be it the holder's or the exporter's.
fn node_of(facts: &Facts, series: &Series) -> Option<Arc<str>> {
    let label = series.get(Label::Node);
    if let Some(known) = label.and_then(|node| known_node(facts, node)) {
        return Some(known);
    }
    let (namespace, pod) = (series.get(Label::Namespace)?, series.get(Label::Pod)?);
    let (_, node) = pods_named(facts, namespace, pod).find_map(|(_, pod)| pod.places.first())?;
    Some(Arc::clone(node))
}

/// The node that a label means: by its name, or by its host's name with or without a domain. Where
/// no nodes are known at all, whatever the label says.
fn known_node(facts: &Facts, label: &Arc<str>) -> Option<Arc<str>> {
    if facts.nodes.is_empty() {
        return Some(Arc::clone(label));
    }
    if let Some((name, _)) = facts.nodes.get_key_value(label) {
        return Some(Arc::clone(name));
    }
    let host = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let mut same = facts.nodes.keys().filter(|name| host(name) == host(label));
    match (same.next(), same.next()) {
        (Some(only), None) => Some(Arc::clone(only)),
        _ => None,
    }
}

/// Errors that a device told, each once: the value stays until another error comes.
pub(super) fn incidents(merged: &Merged, window: Span) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut last: Option<i64> = None;
    for point in merged.points.iter().filter(|point| point.value != MISSING) {
        let is_new = last.is_some_and(|last| last != point.value) && point.value != 0;
        if is_new && window.from <= point.at && point.at < window.to {
            found.push((point.at, point.value));
        }
        last = Some(point.value);
    }
    found
}
