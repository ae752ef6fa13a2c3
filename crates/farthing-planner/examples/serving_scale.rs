//! Measures plans of services: 150 generated cases of up to 8 accelerators and 60 buckets, at
//! rates of 1 to 1,024 requests per second, divided at will and in four slices.
//!
//! `serving_scale [SEED] [FOLDER]` prints the lines for `make bench`, and the cases that were not
//! proven. With a folder it also writes each case there, with the cost that was found, for
//! `bench/peers/serving_pulp.py`.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::float_arithmetic)]

use farthing_model::{
    Bucket, BucketRate, ClusterId, Coverage, Currency, Decimal, HourlyRate, Money, Observed, Offer,
    PerResource, Place, PlanId, Policy, Price, PriceKind, Provenance, Purchase, Ratio, Requests,
    Resources, Service, Sizing, Snapshot, Split, Window, Workload, WorkloadId, WorkloadKind,
    WorkloadState,
};
use farthing_planner::{Effort, Input, Planned, check, plan};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

const CASES: u64 = 150;

/// Name, price in cents, speed in tokens/s, memory in GB.
const KINDS: [(&str, i64, i64, i64); 8] = [
    ("L4-24GB", 71, 900, 24),
    ("A10G-24GB", 101, 1_300, 24),
    ("H100-80GB", 298, 9_500, 80),
    ("A100-80GB", 179, 4_600, 80),
    ("T4-16GB", 35, 330, 16),
    ("L40S-48GB", 126, 2_600, 48),
    ("A100-40GB", 129, 3_900, 40),
    ("H200-141GB", 379, 13_000, 141),
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

/// What a case is made of, as a peer would be given it.
struct Case {
    rate: i64,
    /// Cents an hour.
    prices: Vec<i64>,
    /// Input and output tokens, and the share in 10^-9.
    buckets: Vec<(u32, u32, i64)>,
    /// Requests per second in 10^-9, by kind and bucket.
    most: Vec<Vec<i64>>,
}

fn case(seed: u64, number: u64) -> Case {
    let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(number * 7_919 + 1));
    (0..8).for_each(|_| {
        dice.from(0, 1);
    });
    let kinds = usize::try_from(dice.from(2, 8)).unwrap();
    let buckets = usize::try_from(dice.from(4, 60)).unwrap();
    let weights: Vec<i64> = (0..buckets).map(|_| dice.from(1, 30).pow(2)).collect();
    let whole: i64 = weights.iter().sum();
    let mut left = 1_000_000_000;
    let mut rows = Vec::new();
    for (at, weight) in weights.iter().enumerate() {
        let share = if at + 1 == buckets { left } else { 1_000_000_000 * weight / whole };
        left -= share;
        let (column, row) = (i64::try_from(at).unwrap() % 10, i64::try_from(at).unwrap() / 10);
        let input = u32::try_from(64 << (column / 2)).unwrap() + u32::try_from(column).unwrap();
        let output = u32::try_from(32 << row).unwrap();
        rows.push((input, output, share));
    }
    let most = KINDS[..kinds].iter().map(|(_, _, speed, memory)| {
        let of = |(input, output, _): &(u32, u32, i64)| {
            let (input, output) = (i64::from(*input), i64::from(*output));
            // Prompts are read about eight times as fast as answers are written.
            let nanos = speed * 1_000_000_000 / (input / 8 + output + 8);
            let fits = (input + output) / 60 <= *memory;
            if fits { nanos / 100 * dice.from(70, 130) } else { 0 }
        };
        rows.iter().map(of).collect()
    });
    let most: Vec<Vec<i64>> = most.collect();
    let prices = KINDS[..kinds].iter().map(|it| it.1 * dice.from(80, 120) / 100).collect();
    Case { rate: 1 << (number % 11), prices, buckets: rows, most }
}

fn offer(at: usize, cents: i64) -> Offer {
    let name = KINDS[at].0;
    let rate = Money::from_pico(i128::from(cents) * 10_000_000_000, Currency::USD);
    let place = Place { provider: "cloud".to_owned(), region: "r".to_owned(), zone: None };
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "generated".to_owned(),
        as_of: "2026-11-01".parse().unwrap(),
    };
    Offer {
        id: Offer::id_of(&place, name, Purchase::OnDemand).unwrap(),
        place,
        instance_type: name.to_owned(),
        accelerator: Some(name.parse().unwrap()),
        accelerator_count: 1,
        capacity: Resources { gpu_milli: 1_000, ..Resources::default() },
        purchase: Purchase::OnDemand,
        price: Price::Known(HourlyRate::new(rate).unwrap(), provenance),
        available: None,
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

fn input(case: &Case, split: Split) -> Input {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let buckets = case.buckets.iter().map(|(input_tokens, output_tokens, share)| Bucket {
        input_tokens: *input_tokens,
        output_tokens: *output_tokens,
        share: Decimal::from_nano(i128::from(*share)),
    });
    let rows = case.most.iter().enumerate().flat_map(|(kind, most)| {
        most.iter().zip(&case.buckets).map(move |(most, (input_tokens, output_tokens, _))| {
            BucketRate {
                accelerator: KINDS[kind].0.parse().unwrap(),
                count: 1,
                input_tokens: *input_tokens,
                output_tokens: *output_tokens,
                requests_per_s: Decimal::from_nano(i128::from(*most)),
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
    let mut offers: Vec<Offer> =
        case.prices.iter().enumerate().map(|(at, cents)| offer(at, *cents)).collect();
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
        },
        horizon: Window::starting(now, SignedDuration::from_hours(1)).unwrap(),
        currency: Currency::USD,
        offers: offers.into(),
        budgets: Vec::new(),
        policy: Policy::default(),
        utilisation: PerResource::default(),
        effort: Effort::default(),
    }
}

/// The case as a peer reads it, with what we found.
fn json(case: &Case, divided: &Planned, sliced: &Planned) -> String {
    let mut text = format!("{{\"rate\": {}, \"prices_cents\": {:?}", case.rate, case.prices);
    let shares: Vec<i64> = case.buckets.iter().map(|(_, _, share)| *share).collect();
    let _ = write!(text, ", \"shares_nano\": {shares:?}, \"most_nano\": {:?}", case.most);
    for (name, planned) in [("continuous", divided), ("slices", sliced)] {
        let report = &planned.report;
        let bound = report.lower_bound.map_or_else(String::new, Money::to_decimal);
        let _ = write!(text, ", \"{name}\": {}", report.cost.to_decimal());
        let _ = write!(text, ", \"{name}_bound\": {bound}");
    }
    text.push('}');
    text
}

/// The plan, and the least time of three.
fn timed(input: &Input) -> (Planned, f64) {
    let mut best = f64::INFINITY;
    let mut planned = None;
    for _ in 0..3 {
        let start = Instant::now();
        planned = Some(plan(input).unwrap());
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    let planned = planned.unwrap();
    assert_eq!(check(input, &planned), [], "the checker refuses a plan");
    (planned, best)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seed: u64 = arguments.next().map_or(1, |text| text.parse().unwrap());
    let folder = arguments.next();
    let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let (mut open, mut gaps) = ([0_u32; 2], [0_u32; 2]);
    for number in 0..CASES {
        let case = case(seed, number);
        let mut found = Vec::new();
        for (at, split) in [Split::Continuous, Split::Slices(4)].into_iter().enumerate() {
            let (planned, ms) = timed(&input(&case, split));
            times[at].push(ms);
            let gap = planned.report.gap.map_or(0, Ratio::ppm);
            gaps[at] = gaps[at].max(gap);
            if planned.report.lower_bound != Some(planned.report.cost) {
                open[at] += 1;
                let (kinds, buckets) = (case.prices.len(), case.buckets.len());
                println!(
                    "case {number}, {split:?}: {kinds} accelerators, {buckets} buckets, {} \
                     requests/s: gap {gap} ppm after {ms:.1} ms",
                    case.rate,
                );
            }
            found.push(planned);
        }
        if let Some(folder) = &folder {
            let path = Path::new(folder).join(format!("case-{number:03}.json"));
            std::fs::write(path, json(&case, &found[0], &found[1])).unwrap();
        }
    }
    let detail = format!("\"seed\": {seed}, \"cases\": {CASES}");
    let line = |bench: &str, value: f64, limit: f64, unit: &str| {
        println!(
            "{{\"bench\": \"{bench}\", \"value\": {value}, \"limit\": {limit}, \"unit\": \"{unit}\", \
             {detail}}}"
        );
    };
    for (at, name) in ["serving-continuous", "serving-slices"].into_iter().enumerate() {
        times[at].sort_by(f64::total_cmp);
        let (median, worst) = (times[at][times[at].len() / 2], times[at][times[at].len() - 1]);
        line(&format!("{name}-median"), median, 5.0, "ms");
        line(&format!("{name}-worst"), worst, [20.0, 1_000.0][at], "ms");
        line(&format!("{name}-unproven"), f64::from(open[at]), [0.0, 15.0][at], "cases");
        line(&format!("{name}-gap-worst"), f64::from(gaps[at]) / 1e4, [0.0, 2.0][at], "%");
    }
}
