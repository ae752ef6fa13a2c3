//! Small worlds for the tests, and a driver without a planner: each job by its first measurement.
#![allow(dead_code)]

use farthing_edge::{Act, Observe, Quote};
use farthing_model::*;
use farthing_sim::*;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const START: &str = "2026-11-02T00:00:00Z";

pub(crate) fn at(minutes: i64) -> Timestamp {
    START.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

pub(crate) fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

/// `sim/r/TYPE/PURCHASE` with accelerators of one kind, so many of them to be had.
pub(crate) fn offer(kind: &str, count: u32, purchase: Purchase, available: Option<u32>) -> Offer {
    let place = Place { provider: "sim".into(), region: "r".into(), zone: None };
    let instance_type = format!("{kind}-x{count}");
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".into(),
        as_of: jiff::civil::date(2026, 11, 1),
        list: None,
    };
    Offer {
        id: Offer::id_of(&place, &instance_type, purchase).unwrap(),
        place,
        instance_type,
        accelerator: kind.parse().ok(),
        accelerator_count: count,
        capacity: Resources {
            gpu_milli: u64::from(count) * 1_000,
            cpu_milli: 8_000,
            memory_bytes: 1 << 36,
            storage_bytes: 0,
        },
        purchase,
        price: Price::Known("3.60 USD/h".parse().unwrap(), provenance),
        available,
        residency: vec![],
        warnings: vec![],
    }
}

/// A job of `minutes` on one accelerator of `kind`.
pub(crate) fn job(name: &str, kind: &str, minutes: i64, interruptible: bool) -> Workload {
    let seconds = SignedDuration::from_secs;
    Workload {
        id: WorkloadId::new(name).unwrap(),
        team: Some(TeamId::new("team").unwrap()),
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: vec![],
        value: Decimal::ONE,
        data: None,
        kind: WorkloadKind::Job(Job {
            count: 1,
            submitted: None,
            work: Some(Work { amount: Decimal::from_int(minutes * 60), unit: "s".into() }),
            throughput: vec![Throughput {
                target: Target::Accelerator(kind.parse().unwrap()),
                count: 1,
                amount: Decimal::ONE,
                per: seconds(1),
            }],
            duration: None,
            deadline: None,
            quoted_cost: None,
            interruptible: interruptible
                .then(|| Interruptible { checkpoint: seconds(30), restart: seconds(60) }),
        }),
    }
}

/// A world with these jobs at its start and nothing else.
pub(crate) fn scenario(offers: Vec<Offer>, jobs: Vec<Workload>) -> Scenario {
    let mut offers = offers;
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    let arrival =
        |workload| JobArrival { at: at(0), workload: Arc::new(workload), forgotten: false };
    Scenario {
        offers: Arc::from(offers),
        jobs: jobs.into_iter().map(arrival).collect(),
        services: vec![],
        idle: vec![],
        budgets: vec![],
        ..Scenario::noise_free(1).unwrap()
    }
}

pub(crate) fn world(offers: Vec<Offer>, jobs: Vec<Workload>) -> SimWorld {
    SimWorld::new(&scenario(offers, jobs)).unwrap()
}

pub(crate) fn step(id: &str, generation: u64, action: Action) -> Step {
    Step {
        id: StepId::new(id).unwrap(),
        action,
        generation,
        cost: Money::zero(Currency::USD),
        saving: Money::zero(Currency::USD),
        reasons: vec![],
        expires: at(100_000),
    }
}

pub(crate) fn start(name: &str, offer: &Offer, window: Window) -> Action {
    Action::Start {
        workload: WorkloadId::new(name).unwrap(),
        offer: offer.id.clone(),
        members: 1,
        nodes_each: 1,
        window,
    }
}

pub(crate) fn scale(name: &str, offer: &Offer, from: u32, to: u32, window: Window) -> Action {
    Action::Scale {
        workload: WorkloadId::new(name).unwrap(),
        offer: offer.id.clone(),
        from,
        to,
        nodes_each: 1,
        window,
    }
}

pub(crate) fn seen(world: &mut SimWorld, name: &str, now: Timestamp) -> Observed {
    let snapshot = world.observe(now).unwrap();
    snapshot.workload(&WorkloadId::new(name).unwrap()).unwrap().clone()
}

/// One tick of the driver without a planner: whatever waits starts on the first offer that takes
/// it; a service gets three replicas. Errors are left for the next tick.
pub(crate) fn tick(world: &mut SimWorld, now: Timestamp, number: &mut u32, boot: SignedDuration) {
    let snapshot = world.observe(now).unwrap();
    let offers = world.offers(now).unwrap();
    for observed in &snapshot.workloads {
        for offer in offers.iter() {
            let Some(action) = wish(observed, offer, now, boot) else { continue };
            *number += 1;
            let step = step(&format!("s{number}"), observed.generation, action);
            match world.act(&step, now) {
                Ok(Receipt { outcome: ReceiptOutcome::Done, .. }) => break,
                Err(_) if world.outcome_of(&step.id, now).unwrap().is_some() => break,
                _ => {}
            }
        }
    }
}

fn wish(seen: &Observed, offer: &Offer, now: Timestamp, boot: SignedDuration) -> Option<Action> {
    if seen.state != WorkloadState::Waiting {
        return None;
    }
    let (workload, offer_id) = (seen.workload.id.clone(), offer.id.clone());
    if seen.workload.service().is_some() {
        let window = Window::starting(now, SignedDuration::from_hours(1)).unwrap();
        let (from, to, nodes_each) = (0, 3, 1);
        return Some(Action::Scale { workload, offer: offer_id, from, to, nodes_each, window });
    }
    let job = seen.workload.job()?;
    let row = job.throughput.iter().find(|row| match &row.target {
        Target::Accelerator(query) => {
            offer.accelerator.as_ref().is_some_and(|name| query.matches(name))
        }
        Target::InstanceType(_) => false,
    })?;
    let length = job.work.as_ref()?.amount.nano() * 1_000 / row.amount.nano();
    let length = boot + SignedDuration::from_millis(i64::try_from(length).unwrap() + 1);
    Some(Action::Start {
        workload,
        offer: offer_id,
        members: job.count,
        nodes_each: row.count.div_ceil(offer.accelerator_count),
        window: Window::starting(now, length)?,
    })
}

/// The default price book, as far as the demo needs it.
pub(crate) fn price_book() -> Vec<Offer> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data");
    let mut regions = BTreeMap::new();
    let mut reader = csv::Reader::from_path(format!("{folder}/regions.csv")).unwrap();
    for row in reader.records().map(Result::unwrap) {
        let tags: Vec<String> = row[3].split(';').map(str::to_owned).collect();
        regions.insert((row[0].to_owned(), row[1].to_owned()), tags);
    }
    let mut offers = Vec::new();
    let mut reader = csv::Reader::from_path(format!("{folder}/prices/default.csv")).unwrap();
    for row in reader.records().map(Result::unwrap) {
        let purchase: Purchase = row[9].parse().unwrap();
        let mut made = offer("X", 1, purchase, None);
        made.place = Place {
            provider: row[0].to_owned(),
            region: row[1].to_owned(),
            zone: Some(row[2].to_owned()).filter(|zone| !zone.is_empty()),
        };
        row[3].clone_into(&mut made.instance_type);
        made.id = Offer::id_of(&made.place, &made.instance_type, purchase).unwrap();
        made.accelerator = row[4].parse().ok();
        made.accelerator_count = row[5].parse().unwrap();
        made.capacity.gpu_milli = u64::from(made.accelerator_count) * 1_000;
        let provenance = made.price.provenance().unwrap().clone();
        let rate = format!("{} {}/h", &row[10], &row[11]).parse().unwrap();
        made.price = Price::Known(rate, provenance);
        let region = (made.place.provider.clone(), made.place.region.clone());
        made.residency = regions.get(&region).cloned().unwrap_or_default();
        offers.push(made);
    }
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers
}
