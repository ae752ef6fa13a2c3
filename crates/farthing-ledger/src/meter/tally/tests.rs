//! Sums are claims: metering telemetry by sums gives the charges of metering its samples.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::meter::meter;
use crate::weights::Weights;
use farthing_model::{
    ClusterId, Currency, NodeSpan, OfferId, Place, Price, PriceKind, Provenance, Purchase,
    Resources, SourceId, Window, WorkloadId,
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::cell::Cell;
use std::convert::Infallible;

/// 2026-03-01T10:00:00Z.
const HOUR: i64 = 1_772_359_200;

fn window(from: i64, to: i64) -> Window {
    let at = |second| Timestamp::from_second(HOUR + second).unwrap();
    Window::new(at(from), at(to)).unwrap()
}

fn span(node: u32) -> NodeSpan {
    let source = "made up".to_owned();
    let as_of = jiff::civil::date(2026, 3, 1);
    let region = "us-east-1".to_owned();
    NodeSpan {
        node: NodeId::new(&format!("node-{node}")).unwrap(),
        asset: Asset::Node,
        offer: OfferId::new("aws/offer").unwrap(),
        place: Place { provider: "aws".to_owned(), region, zone: None },
        instance_type: "g5".to_owned(),
        purchase: Purchase::OnDemand,
        capacity: Resources {
            gpu_milli: 2_000,
            cpu_milli: 8_000,
            memory_bytes: 64 << 30,
            storage_bytes: 0,
        },
        price: Price::Known(
            "3.07 USD/h".parse().unwrap(),
            Provenance { kind: PriceKind::List, source, as_of, list: None },
        ),
        window: window(0, 3_600),
        ready: window(0, 1).from(),
        held_for: None,
        measured: true,
    }
}

/// A sample of a series over a tick: thousandths of the resource's unit.
fn sample(series: u32, tick: (i64, i64), (requested, used, held): (i128, i128, bool)) -> Sample {
    let (node, part) = (series / 8, series % 8);
    let (resource, unit) = match part % 4 {
        0 | 1 => (Resource::Gpu, 1),
        2 => (Resource::Cpu, 1),
        _ => (Resource::Memory, 1 << 30),
    };
    let window = window(tick.0, tick.1);
    let amount = |milli: i128| milli * unit * window.nanos() / 1_000;
    let gpu = resource == Resource::Gpu;
    let who = (part != 6).then(|| {
        Arc::new(Attribution::of(WorkloadId::new(&format!("job-{}", part / 2 + node)).unwrap()))
    });
    Sample {
        source: SourceId::new("test").unwrap(),
        node: NodeId::new(&format!("node-{node}")).unwrap(),
        device: gpu.then(|| DeviceId::new(&format!("GPU-{}", part % 2)).unwrap()),
        slice: None,
        attribution: who,
        resource,
        window,
        requested_nano: amount(requested),
        used_nano: Some(amount(used)),
        held_nano: (gpu && held).then(|| amount(requested)),
    }
}

/// Samples in memory, and how often they were asked for by node.
struct Told {
    samples: Vec<Sample>,
    again: Cell<u32>,
}

impl Telemetry for Told {
    type Error = Infallible;

    fn tell(&self, tally: &mut Tally<'_>) -> Result<(), Infallible> {
        for sample in &self.samples {
            let series = tally.series(sample);
            let (requested, used) = (sample.requested_nano, sample.used_nano);
            let amounts = Amounts { requested, used, held: sample.held_nano };
            if !tally.add(series, nanos(Nanos::of(sample.window)).unwrap(), amounts) {
                tally.not_an_amount(sample);
            }
        }
        Ok(())
    }

    fn of_nodes(&self, is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<Sample>, Infallible> {
        self.again.set(self.again.get() + 1);
        let asked = self.samples.iter().filter(|sample| is_asked(sample.node.as_str()));
        Ok(asked.cloned().collect())
    }
}

/// Both ways are the same; how often samples were read again.
fn check(samples: Vec<Sample>) -> u32 {
    let cluster = ClusterId::new("sums").unwrap();
    let spans: Vec<NodeSpan> = (0..3).map(span).collect();
    let weights = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    let weights = Weights::from_text(weights).unwrap();
    let told = Told { samples, again: Cell::new(0) };
    let (cluster, spans, weights) = (&cluster, &spans[..], &weights);
    let (window, currency, samples) = (window(0, 3_600), Currency::USD, &told.samples[..]);
    let input = MeterInput { cluster, window, currency, spans, samples, weights };
    let one_by_one = meter(&input).unwrap();
    let without = MeterInput { samples: &[], ..input };
    let summed = meter_telemetry((&without, Method::default()), &told).unwrap();
    assert_eq!(summed, one_by_one);
    told.again.get()
}

#[test]
fn what_is_surely_within_is_read_once() {
    let ticks = || (0..360).map(|tick| (tick * 10, tick * 10 + 10));
    let all = |most: i128| -> Vec<Sample> {
        let of = |tick: (i64, i64)| {
            (0..24).map(move |series| {
                let used = i128::from(tick.0 * 7 + i64::from(series) * 13) % 300;
                sample(series, tick, (most, used, series % 3 == 0))
            })
        };
        ticks().flat_map(of).collect()
    };
    assert_eq!(check(all(500)), 0, "two on each device, a half each");
    assert_eq!(check(all(501)), 1, "a thousandth too much on each device");
    // One node's samples are out of order: it alone is read again.
    let mut samples = all(400);
    samples.swap(30, 30 + 24);
    assert_eq!(check(samples), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn sums_are_claims(
        samples in prop::collection::vec(
            (0_u32..32, 0_i64..370, 0_i128..700, 0_i128..900, any::<bool>()), 0..200,
        ),
        is_sorted in any::<bool>(),
    ) {
        let mut samples = samples;
        if is_sorted {
            samples.sort_by_key(|(series, tick, ..)| (*tick, *series));
            samples.dedup_by_key(|(series, tick, ..)| (*tick, *series));
        }
        let sample = |(series, tick, requested, used, held): (u32, i64, i128, i128, bool)| {
            // The last ticks reach out of the hour; the last series are on a node nobody paid.
            let mut sample = sample(series, (tick * 10, tick * 10 + 10), (requested, used, held));
            if requested == 7 {
                sample.used_nano = Some(-1);
            }
            if requested % 5 == 3 {
                sample.used_nano = None;
            }
            sample
        };
        check(samples.into_iter().map(sample).collect());
    }
}
