//! A cluster out of its telemetry: what was paid and what was used, with who and where.
//!
//! [`measure`] is the whole story, in order. It joins the cluster's own records (nodes, pods,
//! owners, requests) with what was measured of containers and devices. It refuses to guess: time
//! that was not measured is not measured in the spans, a price that is not known says why, and use
//! of what nobody is known to hold is no one's.

mod asset;
mod bought;
mod claim;
mod container;
mod cover;
mod dated;
mod device;
mod extra;
mod facts;
mod fraction;
mod gpu;
mod network;
mod owner;
mod progress;
mod pulse;
mod span;
mod tally;
mod uses;

pub use bought::{Bought, NodePrices, Priced};

use super::LineFault;
use super::intake::{Intake, Settled, Totals};
use super::series::{Span, Spans};
use super::sources::Field;
use super::table::{Measure, Row};
use claim::{Per, pieces, seen};
use container::{Measured as Containers, asked};
use cover::Looked;
use device::Devices;
use facts::{Facts, Pod, PodKey, Resource};
use farthing_model::{
    Asset, Coverage, DeviceUse, NodeId, NodeSpan, Ratio, Resource as Paid, Sample, SourceId, Window,
};
use jiff::Timestamp;
use owner::Owners;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tally::{Subject, Tally};

pub(crate) use super::series::Horizon;

/// How an import is turned into time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    /// The time to account for; `None` = that of the data.
    pub window: Option<Window>,
    /// How long a value holds while no newer one comes.
    pub hold_ms: i64,
    /// Below this many hundredths of what should have been scraped, an hour is not measured.
    pub coverage_min: u8,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        // Prometheus' own look-back, and the limit below which a window is unknown.
        Self { window: None, hold_ms: 300_000, coverage_min: 80 }
    }
}

/// What a cluster's telemetry says.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The time it accounts for.
    pub window: Window,
    /// What was paid, sorted by node and time.
    pub spans: Vec<NodeSpan>,
    /// What was used, in as few samples as say the same.
    pub samples: Vec<Sample>,
    /// What devices did, scrape by scrape.
    pub uses: Vec<DeviceUse>,
    /// The canonical table, sorted.
    pub rows: Vec<Row>,
    /// How much of the paid time was measured.
    pub coverage: Coverage,
    /// What was read.
    pub totals: Totals,
    /// Lines that could not be read; of many of one kind the first.
    pub faults: Vec<LineFault>,
    /// How many more such lines there were, by file.
    pub more_faults: BTreeMap<String, u64>,
    /// What is missing, and what would be right: each once, sorted.
    pub notes: Vec<String>,
}

/// Why telemetry makes no cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Nothing that is known was in it.
    #[error("there is no sample of a metric that is read in it; {0} others were seen")]
    Nothing(u64),
    /// All of it is of one moment.
    #[error("all samples are of one moment, {0}: time needs two scrapes, or `--window`")]
    Moment(Timestamp),
}

/// Things that are missing, each once.
#[derive(Debug, Default)]
pub(crate) struct Notes(BTreeSet<String>);

/// Notes that are kept.
const NOTES_MAX: usize = 1_000;

impl Notes {
    pub(crate) fn add(&mut self, note: String) {
        if self.0.len() < NOTES_MAX {
            self.0.insert(note);
        }
    }
}

/// What all parts of the story share.
pub(crate) struct World<'s> {
    settled: &'s Settled,
    facts: Facts,
    containers: Containers,
    horizon: Horizon,
    options: ClusterOptions,
    /// The first exporter of each field that was seen.
    sources: BTreeMap<Field, usize>,
}

/// Turns an import into spans, samples and the canonical table.
///
/// 1. The points are put in order, replicas of scrapers made one.
/// 2. The records of the cluster become nodes and pods over time.
/// 3. Containers and devices get what was measured of them.
/// 4. Of each node, time in which the records were not read is not measured; while an exporter was
///    not scraped, or too seldom in an hour, the use of what it tells of is unknown.
/// 5. Nodes become spans with a price by their labels.
/// 6. Containers and holders of devices become samples, clipped to measured time.
/// 7. Volumes, load balancers, the control plane and bytes that were sent are paid beside nodes.
///
/// # Errors
/// Nothing to account for.
pub fn measure(
    intake: Intake,
    options: ClusterOptions,
    mut prices: NodePrices<'_>,
) -> Result<Cluster, ClusterError> {
    let settled = intake.settle();
    let all = extent(&settled, &options)?;
    let horizon = Horizon { window: all, hold_ms: options.hold_ms };
    let facts = Facts::read(&settled, &horizon);
    let containers = Containers::read(&settled, &horizon);
    let devices = Devices::read(&settled, &facts, &horizon);
    let sources = first_sources(&settled);
    let mut world = World { settled: &settled, facts, containers, horizon, options, sources };
    let mut notes = Notes::default();
    gpu::adopt(&mut world, &devices);
    let measured = cover::looked(&world, &devices, &mut notes);
    let mut spans = Vec::new();
    for (name, node) in &world.facts.nodes {
        let Ok(id) = NodeId::new(name) else { continue };
        let records = world.facts.pulse.up(all, options.hold_ms);
        let paid = span::Paid {
            time: span::paid_time(
                (&node.present, node.created),
                &records,
                world.facts.pulse.pace(),
                all,
            ),
            measured: &measured.get(name).unwrap_or(&NEVER).node,
            gpus: gpu::whole_devices(&world, &devices, name),
            id,
            node,
        };
        spans.extend(span::spans(&paid, &settled.map, &mut prices, &mut notes));
    }
    let mut tally = Tally::new(all, options.coverage_min.into());
    claim_containers(&world, &measured, &mut tally);
    gpu::claim(&world, &devices, &measured, (&mut tally, &mut notes));
    let places = asset::Places::of(&spans);
    spans.extend(asset::charge(&world, &places, &prices, (&mut tally, &mut notes)));
    spans.extend(network::charge(&world, &places, &prices, &mut tally));
    spans.sort_by(|a, b| (&a.node, a.window).cmp(&(&b.node, b.window)));
    extra::rows(&world, &devices, &mut tally);
    say_what_records_cover(&world, &mut notes);
    say_what_is_missing(&world, &devices, &mut notes);
    let rows = tally.rows();
    let mut samples = tally.samples;
    samples.sort_by(|a, b| {
        (&a.node, a.resource, &a.device, &a.attribution, a.window).cmp(&(
            &b.node,
            b.resource,
            &b.device,
            &b.attribution,
            b.window,
        ))
    });
    let Some(window) = window(all) else { return Err(ClusterError::Nothing(0)) };
    Ok(Cluster {
        window,
        coverage: coverage(&spans),
        spans,
        samples,
        uses: uses::uses(&world, &devices),
        rows,
        totals: settled.totals,
        faults: settled.faults.kept().cloned().collect(),
        more_faults: settled.faults.more(),
        notes: notes.0.into_iter().collect(),
    })
}

/// A node that nobody looked at.
static NEVER: Looked = Looked::NEVER;

/// The time that is accounted for. Where none is given: from the first to the last scrape; of
/// targets that are scraped in turn, from when all have begun to when the first has ended.
fn extent(settled: &Settled, options: &ClusterOptions) -> Result<Span, ClusterError> {
    let mut ends: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    let mut pace = 0;
    for series in settled.store.series() {
        let Some((first, last)) = settled.store.ends(series) else { continue };
        pace = pace.max(settled.store.pace(series).unwrap_or(0).min(options.hold_ms));
        let of = ends.entry(series.source).or_insert((i64::MAX, i64::MIN));
        *of = (of.0.min(first), of.1.max(last));
    }
    if let Some(given) = options.window {
        let ms = |at: Timestamp| at.as_millisecond();
        if let Some(span) = Span::new(ms(given.from()), ms(given.to())) {
            return Ok(span);
        }
    }
    let first = ends.values().map(|(first, _)| *first).min();
    let last = ends.values().map(|(_, last)| *last).max();
    let (Some(first), Some(last)) = (first, last) else {
        return Err(ClusterError::Nothing(settled.totals.other));
    };
    let from = ends.values().map(|(own, _)| *own).filter(|own| own - first <= pace).max();
    let to = ends.values().map(|(_, own)| *own).filter(|own| last - own <= pace).min();
    Span::new(from.unwrap_or(first), to.unwrap_or(last))
        .ok_or_else(|| ClusterError::Moment(instant(first).unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// Processors, memory and disks: each container of each pod, and what nodes keep for themselves.
fn claim_containers(world: &World<'_>, measured: &BTreeMap<Arc<str>, Looked>, tally: &mut Tally) {
    let map = &world.settled.map;
    let mut owners = Owners::new(&world.facts, map);
    for (key, pod) in &world.facts.pods {
        let mut names: BTreeSet<Arc<str>> = world.containers.of_pod(pod);
        for resource in [Resource::Cpu, Resource::Memory, Resource::Storage] {
            names.extend(asked(pod, &resource, &|_| Spans::NONE).into_keys());
        }
        for name in names {
            claim_container(world, (key, pod), &name, (measured, &mut owners), tally);
        }
    }
    for (name, node) in &world.facts.nodes {
        let Ok(id) = NodeId::new(name) else { continue };
        let time = &measured.get(name).unwrap_or(&NEVER).node;
        for (resource, paid, per, measures) in RESOURCES {
            let (Some(capacity), Some(left)) =
                (node.capacity.get(&resource), node.allocatable.get(&resource))
            else {
                continue;
            };
            let kept = claim::excess(capacity, left);
            let subject = world.subject(Some(id.clone()), Field::NodeAllocatable);
            tally.claim(&subject, measures, paid, &pieces(time, (&kept, per), &[], &[]));
        }
    }
}

/// What is claimed of containers: as Kubernetes calls it, as it is paid, and how it adds up.
const RESOURCES: [(Resource, Paid, Per, (Measure, Measure)); 3] = [
    (Resource::Cpu, Paid::Cpu, Per::Nano, (Measure::CpuRequested, Measure::CpuUsed)),
    (Resource::Memory, Paid::Memory, Per::Byte, (Measure::MemoryRequested, Measure::MemoryUsed)),
    (
        Resource::Storage,
        Paid::Storage,
        Per::Byte,
        (Measure::StorageRequested, Measure::StorageUsed),
    ),
];

fn claim_container(
    world: &World<'_>,
    (key, pod): (&PodKey, &Pod),
    name: &Arc<str>,
    (measured, owners): (&BTreeMap<Arc<str>, Looked>, &mut Owners<'_>),
    tally: &mut Tally,
) {
    let own = (Arc::clone(&pod.namespace), Arc::clone(&pod.name), Arc::clone(name));
    let cuts: Vec<i64> = pod.labels.iter().skip(1).map(|(from, _)| *from).collect();
    for (place, node) in &pod.places {
        let Ok(id) = NodeId::new(node) else { continue };
        let looked = measured.get(node).unwrap_or(&NEVER);
        let time = pod.held.within(*place).and(&looked.node);
        for (resource, paid, per, measures) in RESOURCES {
            let ran = |name: &Arc<str>| world.containers.ran(pod, name);
            let requests = asked(pod, &resource, &ran).remove(name).unwrap_or_default();
            let used = match resource {
                Resource::Cpu => world.containers.cpu.get(&own).cloned().unwrap_or_default(),
                Resource::Memory => {
                    world.containers.memory.get(&own).cloned().into_iter().collect()
                }
                _ => world.containers.storage.get(&own).cloned().unwrap_or_default(),
            };
            let used: Vec<_> = used.iter().map(|list| seen(list, &looked.containers)).collect();
            let all = pieces(&time, (&requests, per), &used, &cuts);
            for run in all.chunk_by(|_, next| cuts.binary_search(&next.span.from).is_err()) {
                let Some(first) = run.first() else { continue };
                let mut subject = world.subject(Some(id.clone()), Field::ContainerRequest);
                subject.workload = owners.of(pod, &key.2, name, first.span.from);
                if subject.workload.is_some() {
                    tally.claim(&subject, measures, paid, run);
                }
            }
        }
    }
}

impl World<'_> {
    /// A row's subject, from the exporter that a field is read from first.
    fn subject(&self, node: Option<NodeId>, field: Field) -> Subject {
        Subject {
            source: self.source(self.sources.get(&field).copied()),
            node,
            device: None,
            instance: None,
            slice: None,
            workload: None,
            of: None,
        }
    }

    /// The name of an exporter; of the first, where none was seen.
    fn source(&self, source: Option<usize>) -> SourceId {
        self.settled.map.sources[source.unwrap_or(0)].name.clone()
    }
}

fn first_sources(settled: &Settled) -> BTreeMap<Field, usize> {
    let mut first = BTreeMap::new();
    for series in settled.store.series() {
        let source = first.entry(series.field).or_insert(series.source);
        *source = series.source.min(*source);
    }
    first
}

/// Time of which no records were read: who was there is known only inside of it.
fn say_what_records_cover(world: &World<'_>, notes: &mut Notes) {
    let (records, all) = (&world.facts.pulse, world.horizon.window);
    let up = records.up(all, world.horizon.hold_ms).len();
    if !records.is_empty() && all.len() - up > 2 * records.pace() {
        notes.add(format!(
            "the cluster's records (kube-state-metrics) were read for {} of {} minutes: nodes are \
             paid for only while they were known, and before and after a gap",
            up / 60_000,
            all.len() / 60_000
        ));
    }
}

fn say_what_is_missing(world: &World<'_>, devices: &Devices<'_>, notes: &mut Notes) {
    let facts = &world.facts;
    let has = |field: Field| world.sources.contains_key(&field);
    if facts.pulse.is_empty() {
        notes.add("no node is known: kube_node_info (kube-state-metrics) is missing".to_owned());
    }
    if !facts.pods.is_empty() && !has(Field::ContainerCpu) && !has(Field::ContainerMemory) {
        notes.add(
            "use of containers is not measured: container_cpu_usage_seconds_total and \
             container_memory_working_set_bytes (cAdvisor) are missing; what was asked for is \
             charged"
                .to_owned(),
        );
    }
    if !facts.pods.is_empty() && !has(Field::PodPhase) {
        notes.add(
            "kube_pod_status_phase is missing: a pod that is done is charged until it is deleted"
                .to_owned(),
        );
    }
    for device in &devices.homeless {
        notes.add(format!("device {device}: its node is not known; it is left out"));
    }
    let strangers =
        world.containers.pulses.keys().filter(|(namespace, name)| {
            container::pods_named(facts, namespace, name).next().is_none()
        });
    match strangers.count() {
        0 => {}
        count => notes.add(format!(
            "{count} pods were measured that kube_pod_info does not know: their use is left out"
        )),
    }
}

fn coverage(spans: &[NodeSpan]) -> Coverage {
    let nanos = |measured: bool| {
        let nodes = spans.iter().filter(|span| span.asset == Asset::Node);
        let of = nodes.filter(|span| span.measured || !measured);
        of.map(|span| span.window.nanos()).sum()
    };
    Coverage { expected_nanos: nanos(false), measured_nanos: nanos(true) }
}

impl Cluster {
    /// The share of paid time that was measured; `None` where nothing was paid.
    pub fn measured_share(&self) -> Option<Ratio> {
        self.coverage.ratio()
    }
}

pub(crate) fn instant(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

pub(crate) fn window(span: Span) -> Option<Window> {
    Window::new(instant(span.from)?, instant(span.to)?).ok()
}

fn join(first: Window, second: Window) -> Option<Window> {
    Window::new(first.from(), second.to()).ok()
}

#[cfg(test)]
mod tests;
