//! A case as the input of a plan: one service, one offer for each kind.

use crate::made_up::{Case, KINDS, Kind};
use farthing_model::{
    Bucket, BucketRate, ClusterId, Coverage, Currency, Decimal, HourlyRate, Money, Observed, Offer,
    PerResource, Place, PlanId, Policy, Price, PriceKind, Provenance, Purchase, Ratio, Requests,
    Resources, Service, Sizing, Snapshot, Split, Window, Workload, WorkloadId, WorkloadKind,
    WorkloadState,
};
use farthing_planner::{Effort, Input};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

fn offer(kind: &Kind) -> Offer {
    let name = KINDS[kind.name].0;
    let rate = Money::from_pico(i128::from(kind.cents) * 10_000_000_000, Currency::USD);
    let place = Place { provider: "cloud".to_owned(), region: "r".to_owned(), zone: None };
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "generated".to_owned(),
        as_of: "2026-11-01".parse().unwrap(),
        list: None,
    };
    Offer {
        id: Offer::id_of(&place, name, Purchase::OnDemand).unwrap(),
        place,
        instance_type: name.to_owned(),
        accelerator: Some(name.parse().unwrap()),
        accelerator_count: kind.count,
        capacity: Resources { gpu_milli: u64::from(kind.count) * 1_000, ..Resources::default() },
        purchase: Purchase::OnDemand,
        price: Price::Known(HourlyRate::new(rate).unwrap(), provenance),
        available: kind.available,
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The input of a plan for an hour, with buckets divided in some way.
pub(super) fn input(case: &Case, split: Split) -> Input {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let buckets = case.buckets.iter().map(|(input_tokens, output_tokens, share)| Bucket {
        input_tokens: *input_tokens,
        output_tokens: *output_tokens,
        share: Decimal::from_nano(i128::from(*share)),
    });
    let rows = case.most.iter().enumerate().flat_map(|(kind, most)| {
        most.iter().zip(&case.buckets).map(move |(most, (input_tokens, output_tokens, _))| {
            BucketRate {
                accelerator: KINDS[case.kinds[kind].name].0.parse().unwrap(),
                count: case.kinds[kind].count,
                input_tokens: *input_tokens,
                output_tokens: *output_tokens,
                requests_per_s: Decimal::from_nano(i128::from(*most)),
                phases: None,
            }
        })
    });
    let service = Service {
        requests: Requests { rate_per_s: Decimal::from_int(case.rate), buckets: buckets.collect() },
        throughput: rows.collect(),
        slo: None,
        split,
        replicas_min: 1,
        sizing: Sizing { target: Some(Ratio::ONE), ..Sizing::default() },
    };
    let workload = Workload {
        id: WorkloadId::new("chat").unwrap(),
        team: None,
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: Vec::new(),
        value: Decimal::ONE,
        data: None,
        kind: WorkloadKind::Service(service),
    };
    let mut offers: Vec<Offer> = case.kinds.iter().map(offer).collect();
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    Input {
        id: PlanId::new("p1").unwrap(),
        parent: None,
        snapshot: Snapshot {
            cluster: ClusterId::new("bench").unwrap(),
            at: now,
            nodes: Vec::new(),
            workloads: vec![Observed {
                workload: workload.into(),
                state: WorkloadState::Waiting,
                generation: 1,
                since: now,
                demand_per_s: None,
            }],
            ages: Vec::new(),
            coverage: Coverage::default(),
            terms: std::sync::Arc::default(),
        },
        horizon: Window::starting(now, SignedDuration::from_hours(1)).unwrap(),
        currency: Currency::USD,
        offers: offers.into(),
        budgets: Vec::new(),
        held: Vec::new(),
        policy: Policy::default(),
        utilisation: PerResource::default(),
        effort: Effort::default(),
    }
}
