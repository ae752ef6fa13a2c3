//! Who looked at what, and when: the cluster's records at nodes and pods, each exporter at what it
//! tells of. An exporter that fails takes nothing but its own away.

use super::claim::HOUR_MS;
use super::device::Devices;
use super::pulse::Pulse;
use super::{Notes, World, gpu, window};
use crate::telemetry::series::{Span, Spans};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A pod by namespace and name.
type PodName = (Arc<str>, Arc<str>);

/// When a node was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// By the cluster's records: who was there is known.
    pub(super) node: Spans,
    /// By cAdvisor: what containers used of processors, memory and disks.
    pub(super) containers: Spans,
    /// By the exporter of devices: what was used of them.
    pub(super) devices: Spans,
}

impl Looked {
    /// Not at all.
    pub(super) const NEVER: Self =
        Self { node: Spans::NONE, containers: Spans::NONE, devices: Spans::NONE };
}

/// An exporter as one node sees it.
struct Look<'n> {
    node: &'n str,
    what: &'static str,
    pulse: &'n Pulse,
    /// When there was something to look at.
    needed: &'n Spans,
}

/// When each node was looked at. A source that was never seen of a node is not waited for: what it
/// tells of is unknown for all of the time, and is said to be missing.
pub(super) fn looked(
    world: &World<'_>,
    devices: &Devices<'_>,
    notes: &mut Notes,
) -> BTreeMap<Arc<str>, Looked> {
    let (all, hold) = (world.horizon.window, world.horizon.hold_ms);
    let records = &world.facts.pulse;
    let mut of_node: BTreeMap<Arc<str>, (Vec<Span>, BTreeSet<PodName>)> = BTreeMap::new();
    for pod in world.facts.pods.values() {
        for (span, node) in &pod.places {
            let (held, pods) = of_node.entry(Arc::clone(node)).or_default();
            held.extend(pod.held.within(*span).iter());
            pods.insert((Arc::clone(&pod.namespace), Arc::clone(&pod.name)));
        }
    }
    let mut found = BTreeMap::new();
    for name in world.facts.nodes.keys() {
        let (held, pods) = of_node.remove(name).unwrap_or_default();
        let up = if records.is_empty() { Spans::of(vec![all]) } else { records.up(all, hold) };
        let what = "the cluster's records (kube-state-metrics)";
        let look = Look { node: name, what, pulse: records, needed: &up };
        let node = up.without(&look.thin(world, "the hour is not measured", notes));
        let mut exporter = |pulse: &Pulse, held: &Spans, what| {
            let needed = held.and(&node);
            let look = Look { node: name, what, pulse, needed: &needed };
            look.covered(world, &node, notes)
        };
        let pulse = world.containers.pulse(&pods);
        let containers = exporter(&pulse, &Spans::of(held), "containers (cAdvisor)");
        let pulse = devices.pulse(world.settled, name);
        let devices = exporter(&pulse, &gpu::held(world, devices, name), "devices (DCGM)");
        found.insert(Arc::clone(name), Looked { node, containers, devices });
    }
    found
}

impl Look<'_> {
    /// What of a node's time an exporter covers.
    fn covered(&self, world: &World<'_>, node: &Spans, notes: &mut Notes) -> Spans {
        if self.pulse.is_empty() {
            return node.clone();
        }
        let up = self.pulse.up(world.horizon.window, world.horizon.hold_ms);
        let gap = self.needed.without(&up);
        let thin = self.thin(world, "use in it is unknown", notes);
        let missed = gap.without(&thin);
        if !missed.is_empty() {
            notes.add(format!(
                "node {}: {} were not looked at for {} of {} minutes: use in them is unknown",
                self.node,
                self.what,
                missed.len() / 60_000,
                self.needed.len() / 60_000
            ));
        }
        node.without(&gap).without(&thin)
    }

    /// Hours in which too little of what was needed was scraped.
    fn thin(&self, world: &World<'_>, so: &str, notes: &mut Notes) -> Spans {
        let (all, least) = (world.horizon.window, world.options.coverage_min);
        let mut thin = Vec::new();
        let mut from = if self.pulse.is_empty() { all.to } else { all.from };
        while from < all.to {
            let to = all.to.min((from.div_euclid(HOUR_MS) + 1) * HOUR_MS);
            let Some(hour) = Span::new(from, to) else { break };
            let wanted = self.needed.within(hour);
            let covered: i64 = wanted.iter().map(|span| self.pulse.covered(span)).sum();
            if !wanted.is_empty() && covered * 100 < wanted.len() * i64::from(least) {
                let percent = covered * 100 / wanted.len();
                let hour = window(hour).map_or_else(String::new, |hour| hour.to_string());
                let (node, what) = (self.node, self.what);
                notes.add(format!("node {node}: {what} measured {percent} % of {hour}: {so}"));
                thin.extend(Span::new(from, to));
            }
            from = to;
        }
        Spans::of(thin)
    }
}
