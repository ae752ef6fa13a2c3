//! The inner loops of the ledger, for counting their instructions: `ledger_loops LOOP` does one and
//! prints `{"loop": LOOP, "units": N}`. What is counted is inside of [`counted_work`].
//!
//! Run by `xtask instructions`, under callgrind; a clock would say little about so small an input.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "an example")]

#[path = "large/mod.rs"]
mod large;

use farthing_ledger::{
    Again, Books, Key, MeterInput, Method, Segment, StatementQuery, Weights, explain, meter,
    statement,
};
use farthing_model::{
    Asset, Attribution, ClusterId, Currency, NodeId, NodeSpan, OfferId, Place, Price, PriceKind,
    Provenance, Purchase, Resource, Resources, Sample, SourceId, Window, WorkloadId,
};
use jiff::Timestamp;
use std::sync::Arc;

/// Charges of the hour that reports read.
const CHARGES: u32 = 16_000;
const NODES: usize = 20;
const PODS: usize = 10;
/// Ticks of ten seconds.
const TICKS: i64 = 60;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let units = match name.as_str() {
        "meter" | "telemetry" => metering(name == "telemetry"),
        "rows" | "sums" | "explain" => reporting(&name),
        _ => panic!("ledger_loops <meter|telemetry|rows|sums|explain>"),
    };
    println!("{{\"loop\":\"{name}\",\"units\":{units}}}");
}

#[inline(never)]
fn counted_work(work: &mut dyn FnMut()) {
    work();
}

/// A statement by a key that is not in the sums, by one that is, and an explanation of a row.
fn reporting(name: &str) -> u32 {
    let books = Books::in_memory();
    let cluster = ClusterId::new("loops").unwrap();
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    books.put_hour(&large::metered(&cluster, start, CHARGES)).unwrap();
    let all = StatementQuery::of(cluster, Window::hour_of(start).unwrap(), Currency::USD);
    let by = vec![if name == "rows" { Key::Pod } else { Key::Team }];
    let query = StatementQuery { by, ..all };
    let id = statement(&books, &query).unwrap().rows[3].id.clone();
    counted_work(&mut || match name {
        "explain" => assert!(!explain(&books, &query, &id).unwrap().lines.is_empty()),
        _ => assert!(statement(&books, &query).unwrap().difference.is_zero()),
    });
    CHARGES
}

/// Samples of a cluster's ticks, metered from memory or from the books.
fn metering(kept: bool) -> u32 {
    let at = |second: i64| Timestamp::from_second(1_772_359_200 + second).unwrap();
    let window = Window::new(at(0), at(TICKS * 10)).unwrap();
    let cluster = ClusterId::new("loops").unwrap();
    let nodes: Vec<NodeId> =
        (0..NODES).map(|node| NodeId::new(&format!("node-{node:03}")).unwrap()).collect();
    let spans: Vec<NodeSpan> = nodes.iter().map(|node| span(node, window)).collect();
    let source = SourceId::new("loops").unwrap();
    let who: Vec<Arc<Attribution>> = (0..NODES * PODS)
        .map(|pod| Arc::new(Attribution::of(WorkloadId::new(&format!("pod-{pod:04}")).unwrap())))
        .collect();
    let mut samples = Vec::new();
    for tick in 0..TICKS {
        let window = Window::new(at(tick * 10), at(tick * 10 + 10)).unwrap();
        for (pod, who) in who.iter().enumerate() {
            for (resource, unit) in [(Resource::Cpu, 1), (Resource::Memory, 1_i128 << 30)] {
                let requested_nano = 2 * unit * window.nanos();
                samples.push(Sample {
                    source: source.clone(),
                    node: nodes[pod / PODS].clone(),
                    device: None,
                    slice: None,
                    attribution: Some(who.clone()),
                    resource,
                    window,
                    requested_nano,
                    used_nano: Some(requested_nano * i128::from((tick * 37) % 100) / 100),
                    held_nano: None,
                });
            }
        }
    }
    let units = u32::try_from(samples.len()).unwrap();
    let weights = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    let weights = Weights::from_text(weights).unwrap();
    let (currency, weights) = (Currency::USD, &weights);
    if kept {
        let books = Books::in_memory();
        let segment = Segment { window, spans, samples, uses: Vec::new() };
        books.put_segment(&cluster, &segment).unwrap();
        let again = Again { window, currency, method: Method::default(), weights };
        counted_work(&mut || drop(books.meter_kept(&cluster, again).unwrap()));
    } else {
        let (cluster, spans, samples) = (&cluster, &spans[..], &samples[..]);
        let input = MeterInput { cluster, window, currency, spans, samples, weights };
        counted_work(&mut || drop(meter(&input).unwrap()));
    }
    units
}

fn span(node: &NodeId, window: Window) -> NodeSpan {
    let (source, as_of) = ("made up".to_owned(), jiff::civil::date(2026, 3, 1));
    let place = Place { provider: "aws".to_owned(), region: "us-east-1".to_owned(), zone: None };
    NodeSpan {
        node: node.clone(),
        asset: Asset::Node,
        offer: OfferId::new("aws/us-east-1/m7i.metal/on-demand").unwrap(),
        place,
        instance_type: "m7i.metal".to_owned(),
        purchase: Purchase::OnDemand,
        capacity: Resources {
            gpu_milli: 0,
            cpu_milli: 96_000,
            memory_bytes: 384 << 30,
            storage_bytes: 0,
        },
        price: Price::Known(
            "9.6768 USD/h".parse().unwrap(),
            Provenance { kind: PriceKind::List, source, as_of, list: None },
        ),
        window,
        ready: window.from(),
        held_for: None,
        measured: true,
    }
}
