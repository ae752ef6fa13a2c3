//! Measures plans of services: 150 generated cases of up to 8 accelerators and 60 buckets, at
//! rates of 1 to 1,024 requests per second, divided at will and in four slices.
//!
//! More sets are hard in other ways: harsh (wider ratios of speed, nodes that run out, several
//! counts, any slices), skewed (tables as people publish them), near (ties), scarce (short supply).
//!
//! `serving_scale [SEED] [FOLDER|-] [SET]` prints the lines for `make bench`, and the cases that
//! were not proven. With a folder it also writes each case there, with the cost that was found,
//! for `bench/peers/serving_pulp.py`.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::float_arithmetic)]

mod made_up;

use farthing_model::{
    Bucket, BucketRate, ClusterId, Coverage, Currency, Decimal, HourlyRate, Money, Observed, Offer,
    PerResource, Place, PlanId, Policy, Price, PriceKind, Provenance, Purchase, Ratio, Requests,
    Resources, Service, Sizing, Snapshot, Split, Window, Workload, WorkloadId, WorkloadKind,
    WorkloadState,
};
use farthing_planner::{Effort, Input, Planned, check, plan};
use jiff::{SignedDuration, Timestamp};
use made_up::{Case, KINDS, Kind, harsh, near, scarce, skewed, usual};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

const CASES: u64 = 150;

/// Makes a case of a seed and a number.
type Generator = fn(u64, u64) -> Case;

/// The sets: what their figures are called by, and what makes a case.
const SETS: [(&str, Generator); 5] =
    [("", usual), ("-harsh", harsh), ("-skewed", skewed), ("-near", near), ("-scarce", scarce)];

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

/// The plan, and the least time of three, or of one where that is long.
fn timed(input: &Input) -> (Planned, f64) {
    let mut best = f64::INFINITY;
    let mut planned = None;
    for _ in 0..3 {
        let start = Instant::now();
        planned = Some(plan(input).unwrap());
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
        if best > 100.0 {
            break;
        }
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
        line("p99", part(99), if hard { 5_000.0 } else { 20.0 }, "ms");
        line("worst", part(100), 10_000.0, "ms");
        line("unproven", f64::from(self.open), if hard { 3.0 } else { 0.0 }, "cases");
        line("gap-worst", f64::from(self.gap_ppm) / 1e4, if hard { 0.5 } else { 0.0 }, "%");
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seed: u64 = arguments.next().map_or(1, |text| text.parse().unwrap());
    let folder = arguments.next().filter(|folder| folder != "-");
    let only = arguments.next();
    // The last two take minutes: they are measured when they are named.
    let wanted = |set: &&(&str, _)| match &only {
        Some(only) => set.0 == format!("-{only}"),
        None => !["-near", "-scarce"].contains(&set.0),
    };
    for (set, generate) in SETS.iter().filter(wanted) {
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
