//! Tasks within so many GPU-hours, beside trying everything.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failure here is a failed test")]

use farthing_model::*;
use farthing_planner::{DagInput, DagPlan, Market, Obstacle, Status, check_dag, plan_dag};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Accelerators, how many are in a node, and what a node costs by the hour.
const OFFERS: [(&str, u32, &str); 5] = [
    ("T4-16GB", 1, "0.35"),
    ("L4-24GB", 1, "0.71"),
    ("A100-80GB-SXM", 1, "3.23"),
    ("A100-80GB-SXM", 8, "23.10"),
    ("H100-80GB-SXM", 1, "6.17"),
];
const KINDS: [&str; 4] = ["T4-16GB", "L4-24GB", "A100-80GB-SXM", "H100-80GB-SXM"];
const HOUR_MS: i128 = 3_600_000;

fn offers() -> Arc<[Offer]> {
    let place = Place { provider: "acme".to_owned(), region: "west".to_owned(), zone: None };
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "made up".to_owned(),
        as_of: "2026-11-26".parse().unwrap(),
        list: None,
    };
    let offer = |(at, (name, count, price)): (usize, &(&str, u32, &str))| {
        let (purchase, instance_type) = (Purchase::OnDemand, format!("m{at}"));
        let rate = HourlyRate::new(Money::from_decimal(price, Currency::USD).unwrap()).unwrap();
        Offer {
            id: Offer::id_of(&place, &instance_type, purchase).unwrap(),
            place: place.clone(),
            instance_type,
            accelerator: Some(name.parse().unwrap()),
            accelerator_count: *count,
            capacity: Resources { gpu_milli: u64::from(*count) * 1_000, ..Resources::default() },
            purchase,
            price: Price::Known(rate, provenance.clone()),
            available: None,
            residency: Vec::new(),
            warnings: Vec::new(),
        }
    };
    let mut offers: Vec<Offer> = OFFERS.iter().enumerate().map(offer).collect();
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers.into()
}

/// A task of so many steps, with so many a minute on each kind.
fn task(at: usize, steps: i64, speeds: [i64; 4]) -> Task {
    let rows = KINDS.iter().zip(speeds).map(|(kind, speed)| Throughput {
        target: Target::Accelerator(kind.parse().unwrap()),
        count: 1,
        amount: Decimal::from_int(speed),
        per: SignedDuration::from_mins(1),
    });
    let work = Work { amount: Decimal::from_int(steps), unit: "steps".to_owned() };
    Task {
        name: format!("t{at}"),
        accelerators: Vec::new(),
        resources: Resources::default(),
        nodes: 1,
        run: Run::Work { work, throughput: rows.collect() },
        interruptible: None,
        purchase: Vec::new(),
        providers: Vec::new(),
        regions: Vec::new(),
        residency: Vec::new(),
        deadline: None,
        node_price_max: None,
        price_max: None,
    }
}

fn dag(tasks: Vec<Task>, objective: Objective, hours_milli: u64) -> Dag {
    let last = tasks.len() - 1;
    Dag {
        id: WorkloadId::new("d").unwrap(),
        team: None,
        labels: BTreeMap::new(),
        // The last one waits for all others.
        edges: (0..last).map(|from| Edge { from, to: last, size_bytes: 0 }).collect(),
        tasks,
        inputs: Vec::new(),
        outputs: Vec::new(),
        objective,
        residency: Vec::new(),
        deadline: None,
        cost_max: None,
        gpu_hours_max_milli: Some(hours_milli),
    }
}

fn planned(dag: &Dag) -> DagPlan {
    let (offers, now) = (offers(), Timestamp::UNIX_EPOCH);
    let market = Market::new(&offers, Currency::USD);
    let policy = Policy { boot: SignedDuration::ZERO, ..Policy::default() };
    let input =
        DagInput { dag, market: &market, egress: None, policy: &policy, now, work_max: 1_000_000 };
    let plan = plan_dag(&input).unwrap();
    let wrong = check_dag(&input, &plan);
    assert!(wrong.is_empty(), "{wrong:?}\n{plan:#?}");
    plan
}

/// What a task takes on each offer: cost in 10^-12, accelerator-milliseconds, and milliseconds.
fn ways(steps: i64, speeds: [i64; 4]) -> Vec<(i128, i128, i128)> {
    let way = |(name, count, price): &(&str, u32, &str)| {
        let kind = KINDS.iter().position(|kind| kind == name).unwrap();
        let (steps, speed) = (i128::from(steps), i128::from(speeds[kind]));
        let run = (steps * 60_000 + speed - 1) / speed;
        let rate = Money::from_decimal(price, Currency::USD).unwrap().pico();
        (rate * run / HOUR_MS, i128::from(*count) * run, run)
    };
    OFFERS.iter().map(way).collect()
}

/// The least cost within a cap, and the fewest accelerator-milliseconds, of all combinations.
fn best(ways: &[Vec<(i128, i128, i128)>], cap: i128) -> (Option<i128>, i128) {
    let mut all = vec![(0_i128, 0_i128)];
    for of in ways {
        let with = |(cost, hours): &(i128, i128)| {
            let (cost, hours) = (*cost, *hours);
            of.iter().map(move |way| (cost + way.0, hours + way.1)).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    let least = all.iter().map(|(_, hours)| *hours).min().unwrap();
    (all.iter().filter(|(_, hours)| *hours <= cap).map(|(cost, _)| *cost).min(), least)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_bound_is_below_the_best_and_the_plan_near_it(
        tasks in prop::collection::vec(
            (1_i64..40_000, [5_i64..15, 8..30, 40..90, 70..200]), 1..5),
        part in 0_u32..130,
    ) {
        let ways: Vec<_> = tasks.iter().map(|(steps, speeds)| ways(*steps, *speeds)).collect();
        let (free, least) = (best(&ways, i128::MAX).0.unwrap(), best(&ways, 0).1);
        let most: i128 = ways.iter().map(|of| of.iter().min().unwrap().1).sum();
        // From too little for any to more than the cheapest takes.
        let cap = least * 9 / 10 + (most - least * 9 / 10).max(0) * i128::from(part) / 100;
        let milli = u64::try_from(cap / 3_600).unwrap();
        let cap = i128::from(milli) * 3_600;
        let of = tasks.iter().enumerate();
        let dag = dag(of.map(|(at, (steps, speeds))| task(at, *steps, *speeds)).collect(),
            Objective::Cost, milli);
        let plan = planned(&dag);
        let Some(best) = best(&ways, cap).0 else {
            prop_assert_eq!(plan.status, Status::Infeasible);
            let Some(Obstacle::GpuHours { cap_milli, least_milli }) = plan.obstacles.first() else {
                panic!("{:?}", plan.obstacles)
            };
            prop_assert_eq!(*cap_milli, milli);
            prop_assert_eq!(i128::from(*least_milli), (least + 3_599) / 3_600);
            return Ok(());
        };
        prop_assert!(plan.status != Status::Infeasible, "{:?}", plan.obstacles);
        let (cost, bound) = (plan.cost.pico(), plan.lower_bound.unwrap().pico());
        prop_assert!(bound <= best && best <= cost, "{bound} {best} {cost}");
        prop_assert!(cost * 100 <= best * 115, "{cost} is far from {best}");
        prop_assert!(plan.status != Status::Optimal || cost == best);
        if cap >= most {
            prop_assert_eq!((cost, plan.status), (free, Status::Optimal));
        }
    }
}

/// A task that eight accelerators in one node end sooner, and one alone with less time of each.
fn wide(at: usize, steps: i64) -> Task {
    let mut task = task(at, steps, [1, 1, 1, 150]);
    if let Run::Work { throughput, .. } = &mut task.run {
        throughput.drain(..2);
        throughput[0].count = 8;
        throughput[0].amount = Decimal::from_int(400);
    }
    task
}

#[test]
fn what_ends_soonest_takes_no_more_hours_than_it_may() {
    let tasks = |milli| dag(vec![wide(0, 9_000), wide(1, 18_000)], Objective::Time, milli);
    let ends = |milli| planned(&tasks(milli)).makespan.as_secs();
    // 22.5 and 45 minutes of eight: nine accelerator-hours.
    assert_eq!(ends(9_000), 4_050);
    // The shorter one alone takes an hour of one instead: seven.
    assert_eq!(ends(8_999), 6_300);
    assert_eq!(ends(7_000), 6_300);
    // The longer one instead: two and three.
    assert_eq!(ends(6_999), 8_550);
    // Both.
    assert_eq!(ends(4_999), 10_800);
    let none = planned(&tasks(2_999));
    let why = "everything takes 3 GPU-hours at least, as far as was found, which is 0.001 over \
               the 2.999 that it may";
    assert_eq!(none.obstacles[0].to_string(), why);
}
