//! Measures large fleet plans: 1,000 jobs in 50 classes on 300 offers, and about 10,000 and 100,000
//! in 300 classes on 2,000 offers.
//!
//! `fleet_scale [SEED] [LIMITED_PERCENT] [BUDGET] [CLASSES MEMBERS OFFERS HOURS]` prints one line:
//! how long, how large, how far from the least cost, and the lines for `make bench`; without a
//! number for all three sizes. Half of all offers are limited unless said otherwise; a third number
//! above zero is a hard budget in whole dollars; four more are another size, whose lines have it in
//! their name.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use farthing_model::{
    Budget, BudgetId, ClusterId, Coverage, Currency, Decimal, HourlyRate, Job, Limit, Money,
    Observed, Offer, OfferId, PerResource, Period, Place, PlanId, Policy, Price, PriceKind,
    Provenance, Purchase, Resources, Scope, Snapshot, Target, Throughput, Window, Work, Workload,
    WorkloadId, WorkloadKind, WorkloadState,
};
use farthing_planner::{BudgetState, Effort, Input, check, plan};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Instant;

const KINDS: [(&str, i64, i64); 6] = [
    ("H100-80GB", 300, 100),
    ("A100-80GB", 180, 48),
    ("A100-40GB", 130, 40),
    ("L40S-48GB", 110, 30),
    ("L4-24GB", 60, 11),
    ("T4-16GB", 35, 5),
];

/// A small generator, the same everywhere.
struct Dice(u64);

impl Dice {
    fn from(&mut self, low: i64, high: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let span = u64::try_from(high - low + 1).unwrap();
        low + i64::try_from((self.0 >> 33) % span).unwrap()
    }
}

/// How large the fleet is.
#[derive(Clone, Copy)]
struct Size {
    classes: i64,
    members: i64,
    offers: usize,
    hours: i64,
}

const USUAL: Size = Size { classes: 50, members: 20, offers: 300, hours: 24 };
/// What `make bench` measures beside it.
const LARGE: [Size; 2] = [
    Size { classes: 300, members: 33, offers: 2_000, hours: 48 },
    Size { classes: 300, members: 333, offers: 2_000, hours: 48 },
];

fn offers(dice: &mut Dice, limited: i64, count: usize) -> Vec<Offer> {
    let make = |index: usize| {
        let (name, cents, _) = KINDS[index % KINDS.len()];
        let count = [1, 2, 4, 8][index / KINDS.len() % 4];
        let price = cents * count * dice.from(70, 140) / 100;
        let rate = Money::from_pico(i128::from(price) * 10_000_000_000, Currency::USD);
        let place = Place {
            provider: "cloud".to_owned(),
            region: format!("region-{:02}", index / 24),
            zone: None,
        };
        let instance_type = format!("{name}x{count}");
        let purchase = Purchase::OnDemand;
        let count = u32::try_from(count).unwrap();
        let available =
            (dice.from(1, 100) <= limited).then(|| u32::try_from(dice.from(1, 6)).unwrap());
        let provenance = Provenance {
            kind: PriceKind::List,
            source: "generated".to_owned(),
            as_of: "2026-11-24".parse().unwrap(),
            list: None,
        };
        Offer {
            id: Offer::id_of(&place, &instance_type, purchase).unwrap(),
            place,
            instance_type,
            accelerator: Some(name.parse().unwrap()),
            accelerator_count: count,
            capacity: Resources { gpu_milli: u64::from(count) * 1000, ..Resources::default() },
            purchase,
            price: Price::Known(HourlyRate::new(rate).unwrap(), provenance),
            available,
            residency: Vec::new(),
            warnings: Vec::new(),
        }
    };
    let mut offers: Vec<Offer> = (0..count).map(make).collect();
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    let ids: std::collections::BTreeSet<OfferId> = offers.iter().map(|o| o.id.clone()).collect();
    assert_eq!(ids.len(), count);
    offers
}

fn workloads(dice: &mut Dice, now: Timestamp, size: Size) -> Vec<Observed> {
    let mut all = Vec::new();
    for class in 0..size.classes {
        let count = [1, 2, 4, 8][usize::try_from(dice.from(0, 3)).unwrap()];
        let work = dice.from(5, 80) * 100 * i64::from(count);
        let throughput = KINDS
            .iter()
            .filter_map(|(name, _, speed)| {
                let amount = speed * i64::from(count) * dice.from(8, 12);
                (dice.from(1, 5) > 1).then(|| Throughput {
                    target: Target::Accelerator(name.parse().unwrap()),
                    count,
                    amount: Decimal::from_int(amount),
                    per: SignedDuration::from_hours(1),
                })
            })
            .collect();
        let job = Job {
            count: 1,
            submitted: None,
            work: Some(Work { amount: Decimal::from_int(work), unit: "steps".to_owned() }),
            throughput,
            duration: None,
            deadline: now
                .checked_add(SignedDuration::from_hours(dice.from(10, 2 * size.hours)))
                .ok(),
            quoted_cost: None,
            interruptible: None,
        };
        let value = Decimal::from_int(dice.from(1, 100));
        for member in 0..size.members {
            let id = WorkloadId::new(&format!("job-{class:03}-{member:05}")).unwrap();
            let workload = Workload {
                id,
                team: None,
                labels: BTreeMap::new(),
                resources: Resources::default(),
                residency: Vec::new(),
                value,
                data: None,
                kind: WorkloadKind::Job(job.clone()),
            };
            all.push(Observed {
                workload: workload.into(),
                state: WorkloadState::Waiting,
                generation: 1,
                since: now,
                demand_per_s: None,
            });
        }
    }
    all
}

/// A hard budget of whole dollars for a month.
fn budget(limit: i64, now: Timestamp) -> BudgetState {
    let usd = |whole| Money::from_pico(i128::from(whole) * 1_000_000_000_000, Currency::USD);
    let limit = Limit::Money(usd(limit));
    BudgetState {
        budget: Budget {
            id: BudgetId::new("all").unwrap(),
            scope: Scope::All,
            limit,
            period: Period::Month,
            hard: true,
            escalate: Vec::new(),
            carry: None,
        },
        period: Period::Month.window_at(now).unwrap(),
        limit,
        spent: usd(0),
        committed: usd(0),
        gpu_gone_milli: 0,
    }
}

fn main() {
    let numbers: Vec<i64> =
        std::env::args().skip(1).map(|text| text.parse::<i64>().unwrap()).collect();
    let number = |at: usize| numbers.get(at).copied();
    let (seed, limited) = (number(0).unwrap_or(1), number(1).unwrap_or(50));
    let limit = number(2).filter(|limit| *limit > 0);
    let size = match numbers.get(3..) {
        Some([classes, members, offers, hours]) => {
            let offers = usize::try_from(*offers).unwrap();
            Size { classes: *classes, members: *members, offers, hours: *hours }
        }
        _ => USUAL,
    };
    measure(&input(size, (seed, limited), limit), size, (seed, limited));
    if numbers.is_empty() {
        for size in LARGE {
            measure(&input(size, (seed, limited), None), size, (seed, limited));
        }
    }
}

fn input(size: Size, (seed, limited): (i64, i64), limit: Option<i64>) -> Input {
    let mut dice = Dice(u64::try_from(seed).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    Input {
        id: PlanId::new("scale").unwrap(),
        parent: None,
        snapshot: Snapshot {
            cluster: ClusterId::new("scale").unwrap(),
            at: now,
            nodes: Vec::new(),
            workloads: workloads(&mut dice, now, size),
            ages: Vec::new(),
            coverage: Coverage { expected_nanos: 0, measured_nanos: 0 },
            terms: std::sync::Arc::default(),
        },
        horizon: Window::starting(now, SignedDuration::from_hours(size.hours)).unwrap(),
        currency: Currency::USD,
        offers: offers(&mut dice, limited, size.offers).into(),
        budgets: limit.map(|limit| budget(limit, now)).into_iter().collect(),
        held: Vec::new(),
        policy: Policy::default(),
        utilisation: PerResource::default(),
        effort: Effort { slots_max: u32::try_from(size.hours).unwrap(), ..Effort::default() },
    }
}

/// Plans, prints what it came to, and checks it.
fn measure(input: &Input, size: Size, (seed, limited): (i64, i64)) {
    let jobs = size.classes * size.members;
    let start = Instant::now();
    let planned = plan(input).unwrap();
    let (took, report) = (start.elapsed(), &planned.report);
    let gap = report.gap.map_or("none".to_owned(), |gap| format!("{} ppm", gap.ppm()));
    println!(
        "seed {seed}, {limited} % limited: {} ms, gap {gap}, {}, {} columns, cost {}, \
         value {} of {:?}, waiting {}, limit {:?}",
        took.as_millis(),
        report.status.name(),
        report.solver.columns,
        report.cost.rounded(2),
        report.value,
        report.value_bound.map(|bound| bound.to_string()),
        report.waiting.iter().map(|row| row.members).sum::<u32>(),
        report.solver.limit,
    );
    let ppm = report.gap.map_or(u32::MAX, farthing_model::Ratio::ppm);
    let (name, most) = match jobs {
        1_000 => (String::new(), 2_000),
        _ => (format!("{jobs}-"), 10_000),
    };
    println!(
        "{{\"bench\": \"fleet-{name}gap-{limited}-limited\", \"value\": {ppm}, \"limit\": 10000, \
         \"unit\": \"ppm\", \"jobs\": {jobs}, \"classes\": {}, \"offers\": {}, \"slots\": {}, \
         \"seed\": {seed}}}",
        size.classes, size.offers, size.hours,
    );
    println!(
        "{{\"bench\": \"fleet-{name}time-{limited}-limited\", \"value\": {}, \"limit\": {most}, \
         \"unit\": \"ms\", \"columns\": {}, \"seed\": {seed}, \
         \"curve\": \"fleet\", \"size\": {jobs}}}",
        took.as_millis(),
        report.solver.columns,
    );
    let found = check(input, &planned);
    assert!(found.is_empty(), "{found:?}");
}
