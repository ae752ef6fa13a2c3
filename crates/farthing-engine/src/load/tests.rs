//! Replicas that were filled, needed and paid, on charges made by hand.

use super::*;
use farthing_ledger::{MeterInput, Weights, meter};
use farthing_model::{
    Asset, Attribution, ClusterId, Currency, HourlyRate, NodeId, NodeSpan, OfferId, PerResource,
    Place, Price, PriceKind, Provenance, Purchase, Sample, SourceId,
};
use std::sync::Arc;

fn at(minute: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_mins(minute)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

const EACH: Resources =
    Resources { cpu_milli: 4_000, memory_bytes: 0, gpu_milli: 0, storage_bytes: 0 };

/// Four replicas of four cores each on a node of 32, of which each uses so many thousandths.
fn metered(window: Window, used_milli: Option<i128>) -> Metered {
    let cluster = ClusterId::new("lab").unwrap();
    let place = Place { provider: "lab".to_owned(), region: "here".to_owned(), zone: None };
    let rate = HourlyRate::new("3.20 USD".parse().unwrap()).unwrap();
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "this test".to_owned(),
        as_of: jiff::civil::date(2026, 11, 1),
        list: None,
    };
    let span = NodeSpan {
        node: NodeId::new("n").unwrap(),
        asset: Asset::Node,
        offer: OfferId::new("lab/here/m/on-demand").unwrap(),
        place,
        instance_type: "m".to_owned(),
        purchase: Purchase::OnDemand,
        capacity: Resources { cpu_milli: 32_000, ..Resources::default() },
        price: Price::Known(rate, provenance),
        window,
        ready: window.from(),
        held_for: None,
        measured: true,
    };
    let sample = |pod: usize| Sample {
        source: SourceId::new("test").unwrap(),
        node: span.node.clone(),
        device: None,
        slice: None,
        attribution: Some(Arc::new(Attribution {
            pod: Some(format!("web-{pod}")),
            ..Attribution::of(web())
        })),
        resource: Resource::Cpu,
        window,
        requested_nano: 4 * window.nanos(),
        used_nano: used_milli.map(|milli| milli * window.nanos() / 1_000),
        held_nano: None,
    };
    let samples: Vec<Sample> = (0..4).map(sample).collect();
    let input = MeterInput {
        cluster: &cluster,
        window,
        currency: Currency::USD,
        spans: std::slice::from_ref(&span),
        samples: &samples,
        weights: &Weights::new(PerResource::from_fn(|_| rate)),
    };
    meter(&input).unwrap()
}

fn web() -> WorkloadId {
    WorkloadId::new("serving/web").unwrap()
}

fn watching() -> Loads {
    let mut loads = Loads::default();
    loads.watch(BTreeSet::from([web()]));
    loads
}

#[test]
fn replicas_are_counted_by_what_is_used_and_paid_as_they_were() {
    let mut loads = watching();
    // Half of each of four: two are filled.
    loads.add(&metered(window(0, 10), Some(2_000))).unwrap();
    let (tick, load) = loads.last(&web()).unwrap();
    let filled = load.filled(EACH, tick).unwrap();
    assert_eq!(filled, [Filled { by: Resource::Cpu, micro: 2_000_000 }]);
    let filled = filled[0];
    assert_eq!(
        [needed(filled, 1_000_000), needed(filled, 700_000), needed(filled, 500_000)],
        [2, 3, 4]
    );
    // A replica has an eighth of a node at 3.20 USD an hour.
    let hour = SignedDuration::from_hours(1);
    let cost = |count| load.cost_of(count, (EACH, tick), hour).unwrap().unwrap().rounded(6);
    assert_eq!([cost(4), cost(3), cost(0)], ["1.600000", "1.200000", "0.000000"]);
}

#[test]
fn what_was_not_measured_is_not_known() {
    let mut loads = watching();
    loads.add(&metered(window(0, 10), None)).unwrap();
    let (tick, load) = loads.last(&web()).unwrap();
    assert_eq!(load.filled(EACH, tick), None);
    // Of an accelerator that it asks for nothing was measured at all.
    loads.add(&metered(window(10, 20), Some(1_000))).unwrap();
    let (tick, load) = loads.last(&web()).unwrap();
    assert!(load.filled(EACH, tick).is_some());
    assert_eq!(load.filled(Resources { gpu_milli: 1_000, ..EACH }, tick), None);
}

#[test]
fn a_span_with_a_gap_says_nothing() {
    let mut loads = watching();
    let half = SignedDuration::from_mins(30);
    for tick in [window(0, 10), window(10, 20)] {
        loads.add(&metered(tick, Some(2_000))).unwrap();
    }
    assert!(loads.over(&web(), half, at(20)).is_none(), "not seen for long enough");
    loads.add(&metered(window(20, 30), Some(2_000))).unwrap();
    assert_eq!(loads.over(&web(), half, at(30)).unwrap().len(), 3);
    assert!(loads.over(&web(), half, at(31)).is_none(), "not seen to the end");
    loads.keep(half, at(30));
    assert_eq!(loads.over(&web(), half, at(30)).unwrap().len(), 3);
    loads.add(&metered(window(31, 41), Some(2_000))).unwrap();
    assert!(loads.over(&web(), half, at(41)).is_none(), "a gap");
    let other = WorkloadId::new("serving/other").unwrap();
    assert!(loads.over(&other, half, at(30)).is_none());
}
