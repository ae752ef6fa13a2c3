//! Measures plans of services: 150 generated cases of up to 8 accelerators and 60 buckets, at
//! rates of 1 to 1,024 requests per second, divided at will and in four slices.
//!
//! A second set is harsh: wider ratios of speed, nodes that run out, several counts, any slices.
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

/// An accelerator count that can be bought.
struct Kind {
    /// Of [`KINDS`].
    name: usize,
    /// Accelerators of a node, and of the copy whose throughput is in the table.
    count: u32,
    /// Cents an hour.
    cents: i64,
    available: Option<u32>,
}

/// What a case is made of, as a peer would be given it.
struct Case {
    rate: i64,
    slices: u32,
    kinds: Vec<Kind>,
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
    let kinds = KINDS[..kinds].iter().enumerate().map(|(name, it)| {
        let cents = it.1 * dice.from(80, 120) / 100;
        Kind { name, count: 1, cents, available: None }
    });
    Case { rate: 1 << (number % 11), slices: 4, kinds: kinds.collect(), buckets: rows, most }
}

/// A case that is harder than those of people: speeds that differ by more than their prices, by
/// bucket and without order, several counts of one accelerator, nodes that run out, buckets that
/// some cannot serve, any rate, and 1 to 8 slices.
fn harsh(seed: u64, number: u64) -> Case {
    let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(number * 104_729 + 7));
    (0..8).for_each(|_| {
        dice.from(0, 1);
    });
    let (names, buckets) = (dice.from(2, 8), usize::try_from(dice.from(4, 60)).unwrap());
    let rate = (1 << dice.from(0, 10)) * dice.from(64, 127) / 64;
    let slices = [1, 2, 4, 8][usize::try_from(dice.from(0, 3)).unwrap()];
    let weights: Vec<i64> = (0..buckets).map(|_| dice.from(1, 100).pow(2)).collect();
    let whole: i64 = weights.iter().sum();
    let mut shares: Vec<i64> = weights.iter().map(|it| 1_000_000_000 * it / whole).collect();
    shares[0] += 1_000_000_000 - shares.iter().sum::<i64>();
    let tokens = |at: usize| u32::try_from(at).unwrap() + 1;
    let rows: Vec<(u32, u32, i64)> =
        shares.iter().enumerate().map(|(at, share)| (100 * tokens(at), 50, *share)).collect();
    let (mut kinds, mut most) = (Vec::new(), Vec::new());
    while i64::try_from(kinds.len()).unwrap() < names {
        let name = kinds.len();
        let count = [1, 2, 4, 8][usize::try_from(dice.from(0, 3)).unwrap()];
        // Requests per second in 10^-3 of a usual bucket: a factor of 128 from least to most.
        let speed = (1 << dice.from(0, 6)) * dice.from(100, 200) * 4;
        let cents = (speed / 20 * dice.from(50, 150) / 100).max(1);
        let rates = (0..buckets).map(|at| {
            let size = 30 + i64::from(tokens(at));
            let able = name == 0 || dice.from(1, 7) > 1;
            if able { speed * 50_000_000 / size * dice.from(30, 300) / 100 } else { 0 }
        });
        let rates: Vec<i64> = rates.collect();
        let limited = name > 0 && dice.from(1, 3) == 1;
        let available = limited.then(|| u32::try_from(dice.from(1, 1 + rate / 8)).unwrap());
        kinds.push(Kind { name, count, cents, available });
        most.push(rates);
    }
    Case { rate, slices, kinds, buckets: rows, most }
}

fn offer(kind: &Kind) -> Offer {
    let name = KINDS[kind.name].0;
    let rate = Money::from_pico(i128::from(kind.cents) * 10_000_000_000, Currency::USD);
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
        accelerator_count: kind.count,
        capacity: Resources { gpu_milli: u64::from(kind.count) * 1_000, ..Resources::default() },
        purchase: Purchase::OnDemand,
        price: Price::Known(HourlyRate::new(rate).unwrap(), provenance),
        available: kind.available,
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

/// The case as a peer reads it, with what we found and in how many milliseconds.
fn json(case: &Case, divided: &(Planned, f64), sliced: &(Planned, f64)) -> String {
    let prices: Vec<i64> = case.kinds.iter().map(|kind| kind.cents).collect();
    let mut text = format!("{{\"rate\": {}, \"slices\": {}", case.rate, case.slices);
    let _ = write!(text, ", \"prices_cents\": {prices:?}");
    let most = case.kinds.iter().map(|it| it.available.map_or(-1, i64::from));
    let _ = write!(text, ", \"available\": {:?}", most.collect::<Vec<_>>());
    let shares: Vec<i64> = case.buckets.iter().map(|(_, _, share)| *share).collect();
    let _ = write!(text, ", \"shares_nano\": {shares:?}, \"most_nano\": {:?}", case.most);
    for (name, (planned, ms)) in [("continuous", divided), ("slices", sliced)] {
        let report = &planned.report;
        let bound = report.lower_bound.map_or_else(String::new, Money::to_decimal);
        let _ = write!(text, ", \"{name}_cost\": {}", report.cost.to_decimal());
        let _ = write!(text, ", \"{name}_bound\": {bound}, \"{name}_ms\": {ms}");
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

/// What was measured of the cases of one generator in one way of dividing.
#[derive(Default)]
struct Measured {
    times: Vec<f64>,
    open: u32,
    gap_ppm: u32,
}

impl Measured {
    fn add(&mut self, name: &str, case: &Case, (planned, ms): (&Planned, f64)) {
        let gap = planned.report.gap.map_or(0, Ratio::ppm);
        self.times.push(ms);
        self.gap_ppm = self.gap_ppm.max(gap);
        if planned.report.lower_bound != Some(planned.report.cost) {
            self.open += 1;
            let (kinds, buckets) = (case.kinds.len(), case.buckets.len());
            println!(
                "{name}: {kinds} accelerators, {buckets} buckets, {} requests/s, {} slices: gap \
                 {gap} ppm after {ms:.1} ms",
                case.rate, case.slices,
            );
        }
    }

    /// Prints the figures; `hard` are promised to end within a work limit, with their gap.
    fn print(&mut self, name: &str, seed: u64, hard: bool) {
        self.times.sort_by(f64::total_cmp);
        let cases = self.times.len();
        let part = |of: usize| self.times[(cases * of / 100).min(cases - 1)];
        let line = |bench: &str, value: f64, limit: f64, unit: &str| {
            println!(
                "{{\"bench\": \"{name}-{bench}\", \"value\": {value}, \"limit\": {limit}, \
                 \"unit\": \"{unit}\", \"seed\": {seed}, \"cases\": {cases}}}"
            );
        };
        line("median", part(50), 5.0, "ms");
        line("p99", part(99), if hard { 1_000.0 } else { 20.0 }, "ms");
        line("worst", part(100), 1_000.0, "ms");
        line("unproven", f64::from(self.open), if hard { 15.0 } else { 0.0 }, "cases");
        line("gap-worst", f64::from(self.gap_ppm) / 1e4, if hard { 2.0 } else { 0.0 }, "%");
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seed: u64 = arguments.next().map_or(1, |text| text.parse().unwrap());
    let folder = arguments.next();
    for (set, generate) in [("", case as fn(u64, u64) -> Case), ("-harsh", harsh)] {
        let (mut divided, mut sliced) = (Measured::default(), Measured::default());
        for number in 0..CASES {
            let case = generate(seed, number);
            let one = timed(&input(&case, Split::Continuous));
            divided.add(&format!("case{set} {number} at will"), &case, (&one.0, one.1));
            let two = timed(&input(&case, Split::Slices(case.slices)));
            sliced.add(&format!("case{set} {number} in slices"), &case, (&two.0, two.1));
            if let Some(folder) = &folder {
                let path = Path::new(folder).join(format!("case{set}-{number:03}.json"));
                std::fs::write(path, json(&case, &one, &two)).unwrap();
            }
        }
        divided.print(&format!("serving-continuous{set}"), seed, false);
        sliced.print(&format!("serving-slices{set}"), seed, !set.is_empty());
    }
}
