//! Measures plans of services: 150 generated cases of up to 8 accelerators and 60 buckets, at
//! rates of 1 to 1,024 requests per second, divided at will and in four slices.
//!
//! More sets are hard in other ways: harsh (wider ratios of speed, nodes that run out, several
//! counts, any slices), skewed (tables as people publish them), near (ties), scarce (short supply).
//!
//! `serving_scale [SEED] [FOLDER|-] [SET]` prints the lines for `make bench`, and the cases that
//! were not proven. With a folder it also writes each case there, with the cost that was found,
//! for `bench/peers/serving_pulp.py`.
//!
//! After them cases of the first three sets are compared with a solver of integer programs, by a
//! formulation of its own (`exact.rs`): 500 cases that it decides in each way of dividing,
//! equal to the last
//! unit or counted. `serving_scale [SEED] - exact` does only that.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::float_arithmetic)]
#![allow(clippy::cast_precision_loss)]

mod exact;
mod made_up;
mod stated;

use farthing_model::{Money, Ratio, Split};
use farthing_planner::{Input, Planned, check, plan};
use made_up::{Case, harsh, near, scarce, skewed, usual};
use stated::input;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

const CASES: u64 = 150;
/// Cases that are compared with another solver, in each way of dividing.
const EXACT: u64 = 500;

/// Makes a case of a seed and a number.
type Generator = fn(u64, u64) -> Case;

/// The sets: what their figures are called by, and what makes a case.
const SETS: [(&str, Generator); 5] =
    [("", usual), ("-harsh", harsh), ("-skewed", skewed), ("-near", near), ("-scarce", scarce)];

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

/// Milliseconds of processor that this thread has had, where the system tells: counted in ticks.
fn processor_ms() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}

/// What a tick of the system's account of processor time may hide.
const TICK_MS: f64 = 4.0;

/// The plan, and the least time of three, or of one where that is long. It is that of the clock, or
/// where that counts what else runs on the machine, no more than the processor's and a tick.
fn timed(input: &Input) -> (Planned, f64) {
    let mut best = f64::INFINITY;
    let mut planned = None;
    for _ in 0..3 {
        let (start, before) = (Instant::now(), processor_ms());
        planned = Some(plan(input).unwrap());
        let by_clock = start.elapsed().as_secs_f64() * 1e3;
        let busy = processor_ms().zip(before).map(|(after, before)| after - before + TICK_MS);
        best = best.min(busy.map_or(by_clock, |busy| busy.min(by_clock)));
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
        line("worst", part(100), if hard { 10_000.0 } else { 1_000.0 }, "ms");
        let over = self.times.iter().filter(|time| **time > 5.0).count();
        // On a busy machine a tick more is counted for some.
        line("over-5ms", over as f64, if hard { 40.0 } else { 3.0 }, "cases");
        line("unproven", f64::from(self.open), if hard { 3.0 } else { 0.0 }, "cases");
        line("gap-worst", f64::from(self.gap_ppm) / 1e4, if hard { 0.5 } else { 0.0 }, "%");
    }
}

/// Compares cases with the solver of integer programs until it has decided so many of them, and
/// prints what came of it. Of cases that it leaves open only its bound was looked at.
fn compare(seed: u64) {
    for sliced in [false, true] {
        let (mut decided, mut different, mut open) = (0, 0, 0);
        for number in 0..2 * EXACT {
            if number - open >= EXACT {
                break;
            }
            let generate = SETS[usize::try_from(number % 3).unwrap()].1;
            let case = generate(seed, 1_000 + number);
            let slices = sliced.then_some(case.slices);
            let split = slices.map_or(Split::Continuous, Split::Slices);
            let planned = plan(&input(&case, split)).unwrap();
            match exact::agrees(&case, slices, &planned.report) {
                exact::Answer::Same => decided += 1,
                exact::Answer::Open => open += 1,
                exact::Answer::Different(why) => {
                    println!("case {number} of {seed}: {why}");
                    different += 1;
                }
            }
        }
        let name = if sliced { "slices" } else { "continuous" };
        println!(
            "{{\"bench\": \"serving-{name}-not-the-optimum\", \"value\": {different}, \
             \"limit\": 0, \
             \"unit\": \"cases\", \"seed\": {seed}, \"compared\": {decided}, \
             \"left_open_by_the_solver\": {open}}}"
        );
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seed: u64 = arguments.next().map_or(1, |text| text.parse().unwrap());
    let folder = arguments.next().filter(|folder| folder != "-");
    let only = arguments.next();
    if only.as_deref() == Some("exact") {
        return compare(seed);
    }
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
    if only.is_none() {
        compare(seed);
    }
}
