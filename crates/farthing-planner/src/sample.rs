//! Small inputs for the tests of this crate.

use crate::{BudgetState, Effort, Input};
use farthing_model::{
    Bucket, BucketRate, Budget, BudgetId, ClusterId, Coverage, Currency, Decimal, HourlyRate, Job,
    Limit, Money, Observed, Offer, OfferId, PerResource, Period, Place, PlanId, Policy, Price,
    PriceKind, Provenance, Purchase, Requests, Resources, Scope, Service, Sizing, Snapshot, Split,
    Target, Throughput, Window, Work, Workload, WorkloadId, WorkloadKind, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

pub(crate) fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

pub(crate) fn after(minutes: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

pub(crate) fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn offer(id: &str, accelerator: &str, count: u32, price: &str) -> Offer {
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".to_owned(),
        as_of: "2026-11-01".parse().unwrap(),
        list: None,
    };
    Offer {
        id: OfferId::new(id).unwrap(),
        place: Place { provider: "cloud".into(), region: "eu-1".into(), zone: None },
        instance_type: id.to_owned(),
        accelerator: Some(accelerator.parse().unwrap()),
        accelerator_count: count,
        capacity: Resources {
            gpu_milli: u64::from(count) * 1000,
            cpu_milli: 16_000,
            memory_bytes: 64 << 30,
            storage_bytes: 0,
        },
        purchase: Purchase::OnDemand,
        price: Price::Known(HourlyRate::new(usd(price)).unwrap(), provenance),
        available: None,
        residency: vec!["eu".to_owned()],
        warnings: Vec::new(),
    }
}

/// A job of `hours` hours on each accelerator.
pub(crate) fn job(id: &str, count: u32, value: &str, hours: &[(&str, i64)]) -> Observed {
    let throughput = hours
        .iter()
        .map(|(accelerator, hours)| Throughput {
            target: Target::Accelerator(accelerator.parse().unwrap()),
            count: 1,
            amount: Decimal::ONE,
            per: SignedDuration::from_hours(*hours),
        })
        .collect();
    let job = Job {
        count,
        submitted: None,
        work: Some(Work { amount: Decimal::ONE, unit: "runs".to_owned() }),
        throughput,
        duration: None,
        deadline: None,
        quoted_cost: None,
        interruptible: None,
    };
    observed(id, value, WorkloadKind::Job(job))
}

/// A service of two buckets; each accelerator with its requests per second of both.
pub(crate) fn service(id: &str, rate: &str, speeds: &[(&str, &str, &str)]) -> Observed {
    let bucket = |input_tokens| Bucket { input_tokens, output_tokens: 10, share: dec("0.5") };
    let row = |name: &str, input_tokens, most: &str| BucketRate {
        accelerator: name.parse().unwrap(),
        count: 1,
        input_tokens,
        output_tokens: 10,
        requests_per_s: dec(most),
        phases: None,
    };
    let both =
        |(name, short, long): &(&str, &str, &str)| [row(name, 100, short), row(name, 1000, long)];
    let service = Service {
        requests: Requests { rate_per_s: dec(rate), buckets: vec![bucket(100), bucket(1000)] },
        throughput: speeds.iter().flat_map(both).collect(),
        slo: None,
        split: Split::Continuous,
        replicas_min: 1,
        sizing: Sizing::default(),
    };
    observed(id, "1", WorkloadKind::Service(service))
}

fn observed(id: &str, value: &str, kind: WorkloadKind) -> Observed {
    let workload = Workload {
        id: WorkloadId::new(id).unwrap(),
        team: None,
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: Vec::new(),
        value: dec(value),
        data: None,
        kind,
    };
    Observed {
        workload: workload.into(),
        state: WorkloadState::Waiting,
        generation: 7,
        since: now(),
        demand_per_s: None,
    }
}

/// The same workload with something changed.
pub(crate) fn with(mut observed: Observed, change: impl FnOnce(&mut Workload)) -> Observed {
    let mut workload = (*observed.workload).clone();
    change(&mut workload);
    observed.workload = workload.into();
    observed
}

/// The same job with something changed.
pub(crate) fn job_with(observed: Observed, change: impl FnOnce(&mut Job)) -> Observed {
    with(observed, |workload| match &mut workload.kind {
        WorkloadKind::Job(job) => change(job),
        WorkloadKind::Service(_) => panic!("a service is no job"),
    })
}

pub(crate) fn budget(id: &str, limit: &str) -> BudgetState {
    BudgetState {
        budget: Budget {
            id: BudgetId::new(id).unwrap(),
            scope: Scope::All,
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

/// A horizon of some hours with a slot each, and no boot time.
pub(crate) fn input(hours: i64, offers: Vec<Offer>, workloads: Vec<Observed>) -> Input {
    Input {
        id: PlanId::new("p1").unwrap(),
        parent: None,
        snapshot: Snapshot {
            cluster: ClusterId::new("c").unwrap(),
            at: now(),
            nodes: Vec::new(),
            workloads,
            ages: Vec::new(),
            coverage: Coverage { expected_nanos: 0, measured_nanos: 0 },
            terms: std::sync::Arc::default(),
        },
        horizon: Window::new(now(), after(60 * hours)).unwrap(),
        currency: Currency::USD,
        offers: offers.into(),
        budgets: Vec::new(),
        held: Vec::new(),
        policy: Policy { boot: SignedDuration::ZERO, ..Policy::default() },
        utilisation: PerResource::default(),
        effort: Effort { slots_max: u32::try_from(hours).unwrap(), ..Effort::default() },
    }
}
