//! Hours of a large cluster, made up: pods on nodes of fifty, in forty teams.
#![allow(clippy::unwrap_used, reason = "an example")]

use farthing_ledger::{Metered, Method, Segment, Weights};
use farthing_model::{
    Asset, Attribution, Charge, ClusterId, Controller, Coverage, Currency, Destination, Money,
    NodeId, OfferId, PerResource, Place, PriceKind, Provenance, Purchase, Resource, Sample,
    SourceId, TeamId, Window, WorkloadId,
};
use jiff::Timestamp;
use std::sync::Arc;

const PODS_OF_A_NODE: u32 = 50;

/// An hour of pods on nodes of fifty, each with cores and memory, used and idle.
pub(crate) fn metered(cluster: &ClusterId, from: Timestamp, rows: u32) -> Metered {
    let mut charges = Vec::new();
    // In the order of the meter: by node, then resource and destination.
    let pods = rows / 4;
    let all: Vec<Arc<Attribution>> = (0..pods).map(who).collect();
    for node in 0..pods.div_ceil(PODS_OF_A_NODE) {
        let here = node * PODS_OF_A_NODE..pods.min((node + 1) * PODS_OF_A_NODE);
        for resource in [Resource::Cpu, Resource::Memory] {
            for destination in [Destination::Used, Destination::Idle] {
                charges.extend(here.clone().map(|pod| {
                    let who = &all[usize::try_from(pod).unwrap()];
                    charge(cluster, from, (pod, who), (resource, destination))
                }));
            }
        }
    }
    let paid = Money::sum(charges.iter().map(|charge| charge.cost), Currency::USD).unwrap();
    let weights = "gpu 1 USD/h\ncpu 1 USD/h\nmemory 1 USD/h\nstorage 1 USD/h\n";
    Metered {
        cluster: cluster.clone(),
        window: Window::hour_of(from).unwrap(),
        currency: Currency::USD,
        weights: Weights::from_text(weights).unwrap(),
        method: Method::ByDevice,
        charges,
        paid,
        list: paid,
        usage: PerResource::default(),
        coverage: Coverage::default(),
        overcommits: Vec::new(),
        unpriced: Vec::new(),
        duplicates: 0,
        faults: Vec::new(),
    }
}

/// An hour of telemetry of its first pods, in so many ticks.
#[allow(dead_code, reason = "not every example measures")]
pub(crate) fn telemetry(from: Timestamp, (rows, ticks): (u32, u32)) -> Segment {
    let hour = Window::hour_of(from).unwrap();
    let sources = ["cadvisor", "kube-state-metrics"].map(|name| SourceId::new(name).unwrap());
    let pods: Vec<(NodeId, Arc<Attribution>)> = (0..(rows / 4).min(2_000))
        .map(|pod| (NodeId::new(&format!("node-{:06}", pod / PODS_OF_A_NODE)).unwrap(), who(pod)))
        .collect();
    let mut samples = Vec::new();
    let step = jiff::SignedDuration::from_secs(3_600 / i64::from(ticks));
    let mut at = from;
    for tick in 0..ticks {
        let window = Window::starting(at, step).unwrap();
        at = window.to();
        for (pod, (node, who)) in pods.iter().enumerate() {
            for source in &sources {
                for resource in [Resource::Cpu, Resource::Memory] {
                    let requested_nano = 2 * window.nanos();
                    let share = (i128::from(tick) * 37 + pod as i128) % 100;
                    samples.push(Sample {
                        source: source.clone(),
                        node: node.clone(),
                        device: None,
                        slice: None,
                        attribution: Some(who.clone()),
                        resource,
                        window,
                        requested_nano,
                        used_nano: Some(requested_nano * share / 100),
                        held_nano: None,
                    });
                }
            }
        }
    }
    Segment { window: hour, spans: Vec::new(), samples, uses: Vec::new() }
}

fn who(pod: u32) -> Arc<Attribution> {
    let mut who = Attribution::of(WorkloadId::new(&format!("job-{}", pod / 7)).unwrap());
    who.team = Some(TeamId::new(&format!("team-{}", pod % 40)).unwrap());
    who.namespace = Some(format!("space-{}", pod % 200));
    who.pod = Some(format!("pod-{pod}"));
    let name = format!("job-{}", pod / 7);
    who.controller = Some(Controller { kind: "job".to_owned(), name });
    Arc::make_mut(&mut who.labels).insert("app".to_owned(), format!("app-{}", pod % 90));
    Arc::new(who)
}

fn charge(
    cluster: &ClusterId,
    from: Timestamp,
    (pod, who): (u32, &Arc<Attribution>),
    (resource, destination): (Resource, Destination),
) -> Charge {
    let (provider, region) = ("aws".to_owned(), "us-east-1".to_owned());
    let pico = 12_345_678_901 + i128::from(pod % 1_013) * 7_919;
    Charge {
        cluster: cluster.clone(),
        window: Window::hour_of(from).unwrap(),
        node: NodeId::new(&format!("node-{:06}", pod / PODS_OF_A_NODE)).unwrap(),
        offer: OfferId::new("aws/us-east-1/m7i.metal/on-demand").unwrap(),
        place: Arc::new(Place { provider, region, zone: None }),
        asset: Asset::Node,
        instance_type: Arc::from("m7i.metal"),
        purchase: Purchase::OnDemand,
        resource,
        destination,
        detail: None,
        attribution: Some(who.clone()),
        quantity_nano: 3_600_000_000_000 + i128::from(pod % 977) * 1_000_003,
        cost: Money::from_pico(pico, Currency::USD),
        list_cost: Money::from_pico(pico, Currency::USD),
        node_rate: "9.6768 USD/h".parse().unwrap(),
        provenance: Arc::new(Provenance {
            kind: PriceKind::List,
            source: "made up".to_owned(),
            as_of: jiff::civil::date(2026, 2, 1),
            list: None,
        }),
    }
}
