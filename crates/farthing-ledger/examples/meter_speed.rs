//! How fast the meter is: makes telemetry of a cluster of GPUs, meters it, and prints samples a
//! second and the most memory that was held.
//!
//! `meter_speed [GPUS] [MINUTES]`; each node has 8 GPUs, each GPU is of one pod, every tenth is
//! shared by four, every fiftieth is sliced. A sample is one (pod, resource) over 10 s: GPU by
//! device, and CPU and memory of the node.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use farthing_ledger::{MeterInput, Weights, meter};
use farthing_model::{
    Asset, Attribution, ClusterId, Currency, DeviceId, MigDevice, NodeId, NodeSpan, OfferId, Place,
    Price, PriceKind, Provenance, Purchase, Resource, Resources, Sample, Share, Slice, SourceId,
    Window, WorkloadId,
};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// 2026-03-01T10:00:00Z.
const START: i64 = 1_772_359_200;
const TICK_S: i64 = 10;
const GPUS_OF_A_NODE: u32 = 8;

fn window(from: i64, to: i64) -> Window {
    let at = |second: i64| Timestamp::from_second(START + second).unwrap();
    Window::new(at(from), at(to)).unwrap()
}

/// What does not change: who is where, by names that are shared.
struct Cluster {
    source: SourceId,
    nodes: Vec<NodeId>,
    pods: Vec<Pod>,
}

struct Pod {
    node: usize,
    device: DeviceId,
    slice: Option<Slice>,
    share: Share,
    who: Arc<Attribution>,
}

fn who(gpu: u32, part: u32) -> Arc<Attribution> {
    let workload = WorkloadId::new(&format!("pod-{gpu}-{part}")).unwrap();
    let labels = [("app", "train"), ("tier", "batch")];
    Arc::new(Attribution {
        namespace: Some(format!("team-{}", gpu % 17)),
        pod: Some(workload.to_string()),
        labels: Arc::new(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..Attribution::of(workload)
    })
}

fn cluster(gpus: u32) -> Cluster {
    let mut pods = Vec::new();
    let profile = MigDevice::of_seven(Some(80)).profile("1g.10gb").unwrap();
    for gpu in 0..gpus {
        let (of, sliced) = match gpu {
            gpu if gpu % 50 == 7 => (7, true),
            gpu if gpu % 10 == 3 => (4, false),
            _ => (1, false),
        };
        for instance in 0..of {
            let slice = Slice { instance, compute_instance: None, profile, start: None };
            pods.push(Pod {
                node: usize::try_from(gpu / GPUS_OF_A_NODE).unwrap(),
                device: DeviceId::new(&format!("GPU-{gpu:08}")).unwrap(),
                slice: sliced.then_some(slice),
                share: if sliced { profile.share() } else { Share::replica(of) },
                who: who(gpu, instance),
            });
        }
    }
    let node = |node| NodeId::new(&format!("gpu-node-{node:05}")).unwrap();
    let nodes = (0..gpus.div_ceil(GPUS_OF_A_NODE)).map(node).collect();
    Cluster { source: SourceId::new("speed").unwrap(), nodes, pods }
}

fn span(node: &NodeId, window: Window) -> NodeSpan {
    let source = "made up".to_owned();
    let as_of = jiff::civil::date(2026, 3, 1);
    let provenance = Provenance { kind: PriceKind::List, source, as_of, list: None };
    let region = "us-east-1".to_owned();
    NodeSpan {
        node: node.clone(),
        asset: Asset::Node,
        offer: OfferId::new("aws/us-east-1/p5.48xlarge/on-demand").unwrap(),
        place: Place { provider: "aws".to_owned(), region, zone: None },
        instance_type: "p5.48xlarge".to_owned(),
        purchase: Purchase::OnDemand,
        capacity: Resources {
            gpu_milli: u64::from(GPUS_OF_A_NODE) * 1_000,
            cpu_milli: 192_000,
            memory_bytes: 2 << 40,
            storage_bytes: 28 << 40,
        },
        price: Price::Known("55.04 USD/h".parse().unwrap(), provenance),
        window,
        ready: window.from(),
        held_for: None,
        measured: true,
    }
}

/// The samples of an hour's first minutes, tick after tick as exporters are scraped.
fn samples(cluster: &Cluster, minutes: i64) -> Vec<Sample> {
    let mut seed = 20_260_301_u64;
    let mut samples = Vec::new();
    for tick in 0..minutes * 60 / TICK_S {
        let window = window(tick * TICK_S, (tick + 1) * TICK_S);
        for pod in &cluster.pods {
            for resource in [Resource::Gpu, Resource::Cpu, Resource::Memory] {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let gpu = resource == Resource::Gpu;
                let requested_nano = match resource {
                    Resource::Gpu => pod.share.over(window),
                    Resource::Cpu => 2 * window.nanos(),
                    _ => (16_i128 << 30) * window.nanos(),
                };
                samples.push(Sample {
                    source: cluster.source.clone(),
                    node: cluster.nodes[pod.node].clone(),
                    device: gpu.then(|| pod.device.clone()),
                    slice: pod.slice.filter(|_| gpu),
                    attribution: Some(pod.who.clone()),
                    resource,
                    window,
                    requested_nano,
                    used_nano: Some(requested_nano * i128::from(seed >> 54) / 1_024),
                    held_nano: gpu.then_some(requested_nano),
                });
            }
        }
    }
    samples
}

/// The most memory that this process had, in MiB, where the system says it.
fn memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1_024)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>().unwrap());
    let gpus = arguments.next().unwrap_or(1_000);
    let minutes = i64::from(arguments.next().unwrap_or(20));
    let name = ClusterId::new("speed").unwrap();
    let world = cluster(gpus);
    let samples = samples(&world, minutes);
    let window = window(0, minutes * 60);
    let spans: Vec<NodeSpan> = world.nodes.iter().map(|node| span(node, window)).collect();
    let weights = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    let weights = Weights::from_text(weights).unwrap();
    let before = memory_mib();
    let (cluster, currency, weights) = (&name, Currency::USD, &weights);
    let (spans, all) = (&spans[..], &samples[..]);
    let input = MeterInput { cluster, window, currency, spans, samples: all, weights };
    let (mut best, mut rows) = (u128::MAX, 0);
    for _ in 0..3 {
        let start = Instant::now();
        rows = meter(&input).unwrap().charges.len();
        best = best.min(start.elapsed().as_micros().max(1));
    }
    let count = samples.len();
    let rate = u128::try_from(count).unwrap() * 1_000_000 / best;
    println!("{gpus} GPUs, {minutes} minutes: {count} samples, {rows} charges");
    println!("{} ms, {rate} samples a second", best / 1_000);
    if let Some((before, after)) = before.zip(memory_mib()) {
        println!("{after} MiB at most, of which {before} MiB are the samples");
    }
}
