//! Builders of small inputs, a seeded generator, and a tiny world that does what steps say.
#![allow(dead_code)] // Each test file uses its part.

pub(crate) mod cases;
pub(crate) mod exhaustive;
pub(crate) mod world;

use farthing_model::{
    AcceleratorQuery, Bucket, BucketRate, Budget, Coverage, Currency, Decimal, HourlyRate, Job,
    Limit, Money, Observed, Offer, OfferId, PerResource, Period, Place, Policy, Price, PriceKind,
    Provenance, Purchase, Requests, Resources, Scope, Service, Sizing, Snapshot, Split, Target,
    Throughput, Window, Work, Workload, WorkloadKind, WorkloadState,
};
use farthing_planner::{BudgetState, Effort, Input};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

pub(crate) fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

pub(crate) fn at_minute(count: i64) -> Timestamp {
    now().checked_add(minutes(count)).unwrap()
}

pub(crate) fn span(from_minute: i64, to_minute: i64) -> Window {
    Window::new(at_minute(from_minute), at_minute(to_minute)).unwrap()
}

pub(crate) fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// An on-demand offer without limit and with room for anything.
pub(crate) fn offer(name: &str, accelerator: Option<&str>, count: u32, per_hour: &str) -> Offer {
    let place = Place { provider: "test".into(), region: "here".into(), zone: None };
    let rate = HourlyRate::new(usd(per_hour)).unwrap();
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".into(),
        as_of: "2026-11-01".parse().unwrap(),
        list: None,
    };
    Offer {
        id: OfferId::new(name).unwrap(),
        place,
        instance_type: name.into(),
        accelerator: accelerator.map(|name| name.parse().unwrap()),
        accelerator_count: count,
        capacity: Resources {
            gpu_milli: u64::from(count) * 1_000,
            cpu_milli: 64_000,
            memory_bytes: 1 << 40,
            storage_bytes: 1 << 42,
        },
        purchase: Purchase::OnDemand,
        price: Price::Known(rate, provenance),
        available: None,
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(crate) fn empty_job(count: u32) -> Job {
    Job {
        count,
        submitted: None,
        work: None,
        throughput: Vec::new(),
        duration: None,
        deadline: None,
        quoted_cost: None,
        interruptible: None,
    }
}

pub(crate) fn workload(name: &str, value: &str, kind: WorkloadKind) -> Workload {
    Workload {
        id: name.parse().unwrap(),
        team: None,
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: Vec::new(),
        value: dec(value),
        data: None,
        kind,
    }
}

pub(crate) fn work(amount: &str) -> Work {
    Work { amount: dec(amount), unit: "steps".into() }
}

/// `amount` of work per `per` on `count` of an accelerator.
pub(crate) fn rate(accelerator: &str, count: u32, amount: &str, per: SignedDuration) -> Throughput {
    let target = Target::Accelerator(accelerator.parse().unwrap());
    Throughput { target, count, amount: dec(amount), per }
}

/// `amount` of work per `per` on one machine by name.
pub(crate) fn rate_of(machine: &str, amount: &str, per: SignedDuration) -> Throughput {
    Throughput { target: Target::InstanceType(machine.into()), count: 1, amount: dec(amount), per }
}

pub(crate) fn seen(workload: Workload) -> Observed {
    Observed {
        workload: Arc::new(workload),
        state: WorkloadState::Waiting,
        generation: 1,
        since: now(),
        demand_per_s: None,
    }
}

/// A service with buckets (share) and rows (accelerator, most requests per second of each).
pub(crate) fn service(rate_per_s: &str, shares: &[&str], rows: &[(&str, &[&str])]) -> Service {
    let tokens = |bucket: usize| 100 * (u32::try_from(bucket).unwrap() + 1);
    let buckets = shares.iter().enumerate().map(|(bucket, share)| Bucket {
        input_tokens: tokens(bucket),
        output_tokens: 10,
        share: dec(share),
    });
    let throughput = rows.iter().flat_map(|(accelerator, most)| {
        let accelerator: AcceleratorQuery = accelerator.parse().unwrap();
        most.iter().enumerate().map(move |(bucket, most)| BucketRate {
            accelerator: accelerator.clone(),
            count: 1,
            input_tokens: tokens(bucket),
            output_tokens: 10,
            requests_per_s: dec(most),
            phases: None,
        })
    });
    Service {
        requests: Requests { rate_per_s: dec(rate_per_s), buckets: buckets.collect() },
        throughput: throughput.collect(),
        slo: None,
        split: Split::Continuous,
        replicas_min: 0,
        sizing: Sizing::default(),
    }
}

/// A hard budget over the day of [`now`].
pub(crate) fn hard_budget(name: &str, scope: Scope, limit: &str) -> BudgetState {
    BudgetState {
        budget: Budget {
            id: name.parse().unwrap(),
            scope,
            limit: Limit::Money(usd(limit)),
            period: Period::Month,
            hard: true,
            escalate: Vec::new(),
            carry: None,
        },
        period: Period::Month.window_at(now()).unwrap(),
        limit: Limit::Money(usd(limit)),
        spent: usd("0"),
        committed: usd("0"),
        gpu_gone_milli: 0,
    }
}

/// An input of a horizon in minutes, with no boot time, and one start an hour at most.
pub(crate) fn input(horizon: i64, offers: Vec<Offer>, workloads: Vec<Observed>) -> Input {
    let mut offers = offers;
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    Input {
        id: "plan-1".parse().unwrap(),
        parent: None,
        snapshot: Snapshot {
            cluster: "test".parse().unwrap(),
            at: now(),
            nodes: Vec::new(),
            workloads,
            ages: Vec::new(),
            coverage: Coverage::default(),
            terms: std::sync::Arc::default(),
        },
        horizon: span(0, horizon),
        currency: Currency::USD,
        offers: Arc::from(offers),
        budgets: Vec::new(),
        held: Vec::new(),
        policy: Policy { boot: SignedDuration::ZERO, ..Policy::default() },
        utilisation: PerResource::from_fn(|_| None),
        effort: Effort { slots_max: 4, gap: farthing_model::Ratio::ZERO, ..Effort::default() },
    }
}
