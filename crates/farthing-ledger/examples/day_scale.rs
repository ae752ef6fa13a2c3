//! Hours of a large cluster: `day_scale [PODS] [NODES] [HOURS] [TICK_MINUTES]`, 100,000 pods on
//! 10,000 nodes unless said otherwise, metered and posted hour by hour into a temporary folder,
//! then exported as CSV.
//!
//! Prints one JSON line for each figure, as `bench/README.md` says: processor time for the ledger's
//! rows of a day, the most memory, and how much more memory the export of all hours takes than that
//! of one.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use farthing_ledger::{
    Books, FocusCsv, FocusQuery, FocusVersion, MeterInput, Weights, export_focus, meter,
};
use farthing_model::{
    Asset, Attribution, ClusterId, Controller, Currency, NodeId, NodeSpan, OfferId, Place, Price,
    PriceKind, Provenance, Purchase, Resource, Resources, Sample, SourceId, TeamId, Window,
    WorkloadId,
};
use jiff::{SignedDuration, Timestamp};
use std::io::{BufWriter, sink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const START: &str = "2026-03-01T00:00:00Z";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "export") {
        return export(Path::new(&arguments[1]), arguments[2].parse().unwrap());
    }
    let number =
        |at: usize, otherwise: u32| arguments.get(at).map_or(otherwise, |n| n.parse().unwrap());
    let (pods, nodes, hours) = (number(0, 100_000), number(1, 10_000), number(2, 6));
    let tick = number(3, 15);
    let folder = tempfile::tempdir().unwrap();
    let (charges, cpu_s) = post(folder.path(), (pods, nodes), hours, tick);
    // Of a whole day.
    let cpu_s = cpu_s * 24.0 / f64::from(hours);
    let more = format!("\"pods\":{pods},\"nodes\":{nodes},\"hours\":{hours},\"charges\":{charges}");
    let figure = |name: &str, value: f64, limit: f64, unit: &str| {
        println!(
            "{{\"bench\":\"{name}\",\"value\":{value:.3},\"limit\":{limit},\
             \"unit\":\"{unit}\",{more}}}"
        );
    };
    figure("day-ledger-rows", cpu_s, 60.0, "s");
    figure("day-ledger-memory", memory_mib(), 1_024.0, "MiB");
    let exported = |hours: u32| -> f64 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.arg("export").arg(folder.path()).arg(hours.to_string()).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().parse().unwrap()
    };
    let (one, all) = (exported(1), exported(hours));
    println!("the export of one hour took {one} MiB, of {hours} hours {all} MiB");
    figure("day-csv-memory-growth", all / one, 1.1, "ratio");
    figure("day-csv-memory", all, 1_024.0, "MiB");
}

fn cluster() -> ClusterId {
    ClusterId::new("large").unwrap()
}

fn hour(number: u32) -> Window {
    let start: Timestamp = START.parse().unwrap();
    let from = start.checked_add(SignedDuration::from_hours(number.into())).unwrap();
    Window::hour_of(from).unwrap()
}

/// Meters and posts the hours; how many charges they have, and the processor time for them.
fn post(folder: &Path, (pods, nodes): (u32, u32), hours: u32, tick_minutes: u32) -> (usize, f64) {
    let books = Books::open_folder(folder).unwrap();
    let weights = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    let weights = Weights::from_text(weights).unwrap();
    let names: Vec<NodeId> =
        (0..nodes).map(|node| NodeId::new(&format!("node-{node:05}")).unwrap()).collect();
    let who: Vec<Arc<Attribution>> = (0..pods).map(pod).collect();
    let (cluster, mut charges, mut seconds) = (cluster(), 0, 0.0);
    for number in 0..hours {
        let window = hour(number);
        let spans: Vec<NodeSpan> = names.iter().map(|node| span(node, window)).collect();
        let samples = samples((&names, &who), window, tick_minutes);
        let (cluster, spans, samples) = (&cluster, &spans[..], &samples[..]);
        let (currency, weights) = (Currency::USD, &weights);
        let began = cpu_s();
        let metered = meter(&MeterInput { cluster, window, currency, spans, samples, weights });
        let metered = metered.unwrap();
        charges += metered.charges.len();
        books.put_hour(&metered).unwrap();
        seconds += cpu_s() - began;
    }
    (charges, seconds)
}

fn pod(number: u32) -> Arc<Attribution> {
    let controller = format!("service-{:05}", number / 7);
    let mut who = Attribution::of(WorkloadId::new(&controller).unwrap());
    who.team = Some(TeamId::new(&format!("team-{}", number / 7 % 60)).unwrap());
    who.namespace = Some(format!("space-{}", number / 7 % 300));
    who.pod = Some(format!("{controller}-6f9c7d{number:06}"));
    who.controller = Some(Controller { kind: "deployment".to_owned(), name: controller });
    Arc::make_mut(&mut who.labels).insert("app".to_owned(), format!("app-{}", number / 7 % 900));
    Arc::make_mut(&mut who.labels).insert(
        "pod-template-hash".to_owned(),
        format!("{:08x}", (number / 7).wrapping_mul(2_654_435_769)),
    );
    Arc::new(who)
}

fn samples(
    (nodes, who): (&[NodeId], &[Arc<Attribution>]),
    hour: Window,
    tick_minutes: u32,
) -> Vec<Sample> {
    let source = SourceId::new("made-up").unwrap();
    let tick = SignedDuration::from_mins(tick_minutes.into());
    let ticks = 60 / tick_minutes;
    let mut samples = Vec::with_capacity(who.len() * 2 * usize::try_from(ticks).unwrap());
    let mut from = hour.from();
    let mut seed = u64::try_from(from.as_second()).unwrap();
    for _ in 0..ticks {
        let window = Window::starting(from, tick).unwrap();
        from = window.to();
        for (pod, who) in who.iter().enumerate() {
            for (resource, unit) in [(Resource::Cpu, 1), (Resource::Memory, 2_i128 << 30)] {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let requested_nano = unit * window.nanos();
                samples.push(Sample {
                    source: source.clone(),
                    node: nodes[pod % nodes.len()].clone(),
                    device: None,
                    slice: None,
                    attribution: Some(who.clone()),
                    resource,
                    window,
                    requested_nano,
                    used_nano: Some(requested_nano * i128::from(seed >> 54) / 1_024),
                    held_nano: None,
                });
            }
        }
    }
    samples
}

fn span(node: &NodeId, window: Window) -> NodeSpan {
    let (source, as_of) = ("made up".to_owned(), jiff::civil::date(2026, 3, 1));
    let region = "us-east-1".to_owned();
    NodeSpan {
        node: node.clone(),
        asset: Asset::Node,
        offer: OfferId::new("aws/us-east-1/m7i.4xlarge/on-demand").unwrap(),
        place: Place { provider: "aws".to_owned(), region, zone: None },
        instance_type: "m7i.4xlarge".to_owned(),
        purchase: Purchase::OnDemand,
        capacity: Resources {
            gpu_milli: 0,
            cpu_milli: 16_000,
            memory_bytes: 64 << 30,
            storage_bytes: 0,
        },
        price: Price::Known(
            "0.8064 USD/h".parse().unwrap(),
            Provenance { kind: PriceKind::List, source, as_of, list: None },
        ),
        window,
        ready: window.from(),
        held_for: None,
        measured: true,
    }
}

/// Exports the first hours to nowhere and prints the most memory that it took, in MiB.
fn export(folder: &Path, hours: u32) {
    let books = Books::open_folder(folder).unwrap();
    let window = Window::new(hour(0).from(), hour(hours - 1).to()).unwrap();
    let query = FocusQuery {
        clusters: vec![cluster()],
        window,
        currency: Currency::USD,
        version: FocusVersion::V1_2,
        account: None,
    };
    let export = export_focus(&books, &query, &mut FocusCsv::new(BufWriter::new(sink()))).unwrap();
    assert_eq!(export.billed, export.paid);
    println!("{}", memory_mib());
}

/// The processor time of this process, in seconds.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold anything: utime and stime are the 14th and 15th.
    let after = stat.rsplit_once(')').unwrap().1;
    let ticks = after.split_ascii_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// The most memory that this process had, in MiB.
fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u32 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    f64::from(kib / 1_024)
}
