//! Small worlds for the tests: names, nodes, samples.
#![allow(dead_code, reason = "each test file uses its own part")]

use farthing_ledger::{MeterInput, Metered, Method, Weights, meter_by};
use farthing_model::{
    Asset, Attribution, ClusterId, Currency, HourlyRate, Money, NodeId, NodeSpan, OfferId, Place,
    Price, PriceKind, Provenance, Purchase, Resource, Resources, Sample, SourceId, Window,
};
use jiff::Timestamp;
use std::sync::Arc;

/// 2026-03-01T10:00:00Z, the start of an hour.
pub(crate) const HOUR: i64 = 1_772_359_200;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(HOUR + second).unwrap()
}

pub(crate) fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

pub(crate) fn hour() -> Window {
    window(0, 3_600)
}

pub(crate) fn cluster() -> ClusterId {
    ClusterId::new("test").unwrap()
}

pub(crate) fn weights() -> Weights {
    Weights::from_text("gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n")
        .unwrap()
}

pub(crate) fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

pub(crate) fn known(rate: &str) -> Price {
    let source = "data/prices/default.csv:7".to_owned();
    let as_of = jiff::civil::date(2026, 2, 1);
    let provenance = Provenance { kind: PriceKind::List, source, as_of, list: None };
    Price::Known(rate.parse::<HourlyRate>().unwrap(), provenance)
}

pub(crate) fn node(name: &str, rate: &str, capacity: Resources, window: Window) -> NodeSpan {
    let region = "us-east-1".to_owned();
    let place = Place { provider: "aws".to_owned(), region, zone: None };
    NodeSpan {
        node: NodeId::new(name).unwrap(),
        asset: Asset::Node,
        offer: OfferId::new("aws/us-east-1/g5.xlarge/on-demand").unwrap(),
        place,
        instance_type: "g5.xlarge".to_owned(),
        purchase: Purchase::OnDemand,
        capacity,
        price: known(rate),
        window,
        ready: window.from(),
        held_for: None,
        measured: true,
    }
}

pub(crate) fn cores(count: u64) -> Resources {
    Resources { cpu_milli: count * 1_000, ..Resources::default() }
}

pub(crate) fn who(workload: &str, team: Option<&str>) -> Arc<Attribution> {
    Arc::new(Attribution {
        team: team.map(|team| farthing_model::TeamId::new(team).unwrap()),
        ..Attribution::of(farthing_model::WorkloadId::new(workload).unwrap())
    })
}

/// A sample in thousandths of the resource's unit, held over the window.
pub(crate) fn sample(
    node: &str,
    resource: Resource,
    attribution: Option<Arc<Attribution>>,
    window: Window,
    milli: (i128, i128),
) -> Sample {
    let amount = |milli: i128| milli * window.nanos() / 1_000;
    Sample {
        source: SourceId::new("test").unwrap(),
        node: NodeId::new(node).unwrap(),
        device: None,
        slice: None,
        attribution,
        resource,
        window,
        requested_nano: amount(milli.0),
        used_nano: Some(amount(milli.1)),
        held_nano: None,
    }
}

pub(crate) fn run(window: Window, spans: &[NodeSpan], samples: &[Sample]) -> Metered {
    run_by(Method::default(), window, spans, samples)
}

pub(crate) fn run_by(
    method: Method,
    window: Window,
    spans: &[NodeSpan],
    samples: &[Sample],
) -> Metered {
    let (cluster, weights) = (cluster(), weights());
    let (currency, cluster) = (Currency::USD, &cluster);
    let input = MeterInput { cluster, window, currency, spans, samples, weights: &weights };
    meter_by(&input, method).unwrap()
}
