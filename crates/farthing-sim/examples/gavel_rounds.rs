//! Fleets over rounds: cost over the proven bound, deadlines, time for a whole simulation, and how
//! that grows.
//!
//! Run with `cargo run --release -p farthing-sim --example gavel_rounds [FOLDER]`, where the folder
//! has `gavel-traces` and `gavel` (by default `../shared/data`): the published traces beside the
//! policies that were published with them. Without it, only jobs made up by the rules of Gavel's
//! generator, which run in any case.
#![allow(clippy::print_stdout)]
// Drawings and ratios to print.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use farthing_model::{Currency, Decimal, HourlyRate, Money};
use farthing_planner::rounds::{Fleet, Kind, least};
use farthing_sim::Random;
use farthing_sim::rounds::{FleetRule, FleetRun, of_chronus, of_gavel, replay};
use farthing_sim::trace::{
    ChronusJob, GavelJob, Throughputs, read_chronus, read_gavel, read_throughputs,
};
use std::error::Error;
use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Traces with the accelerators of each kind that they were published for.
const TRACES: [(&str, u32); 3] =
    [("static100_s0", 36), ("static50_8_s0", 8), ("poisson150_16_s0", 16)];
const KINDS: [(&str, &str); 3] = [("V100", "0.74"), ("P100", "0.43"), ("K80", "0.135")];
/// Runs of which the fastest counts.
const RUNS: usize = 3;

/// One replay of ours, and what proves it.
struct Measured {
    run: FleetRun,
    bound: Money,
    holds: Option<bool>,
    took: Duration,
}

fn main() -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::args().nth(1).map_or(root.join("../shared/data"), PathBuf::from);
    let own = root.join("examples/gavel-throughputs.csv");
    let rates = read_throughputs("gavel-throughputs.csv", File::open(own)?)?;
    if folder.join("gavel-traces").is_dir() {
        published(&folder)?;
    }
    let chronus = folder.join("chronus-deadlines/chronus_philly_deadline_jobs.parquet");
    if chronus.is_file() {
        strict(&read_chronus(&chronus)?)?;
    }
    made_up(&rates)?;
    growth(&rates)
}

/// Strict deadlines of the Philly trace on owned and rented accelerators, enough and too few.
fn strict(jobs: &[ChronusJob]) -> Outcome<()> {
    let jobs: Vec<ChronusJob> = jobs.iter().filter(|job| job.variant == "SLO").cloned().collect();
    let arrivals = of_chronus(&jobs, 2);
    let (mut worse, mut slowest) = (0, Duration::ZERO);
    for (owned, rented) in [(1_000, 1_000), (900, 300), (800, 100)] {
        let mut kinds = Vec::new();
        for (count, price) in [(owned, "0.50"), (rented, "2.50")] {
            let price = HourlyRate::new(Money::from_decimal(price, Currency::USD)?);
            kinds.push(Kind { count, price: price.ok_or("a price below zero")? });
        }
        let fleet = Fleet { round_s: 360, kinds };
        let mut late = Vec::new();
        for (rule, name) in FleetRule::ALL {
            let started = Instant::now();
            let run = replay(&fleet, &arrivals, rule)?;
            let took = started.elapsed();
            println!(
                "chronus SLO on {owned} + {rented}, {name}: {} late, value {}, cost {}, {} ms, \
                 {:?}",
                run.late.len(),
                run.value,
                run.cost.rounded(0),
                millis(took),
                run.counts
            );
            if rule == FleetRule::Farthing {
                slowest = slowest.max(took);
            }
            late.push(run.late.len());
        }
        let best = late[1..].iter().copied().min().unwrap_or(0);
        worse += late[0].saturating_sub(best);
    }
    let jobs = format!("\"jobs\": {}", arrivals.len());
    row("chronus-late-over-the-best-other", &worse.to_string(), ("0", "jobs"), &jobs);
    row("chronus-time", &format!("{:.2}", slowest.as_secs_f64()), ("10", "s"), &jobs);
    Ok(())
}

/// The published traces beside the policies that were published with them.
fn published(folder: &Path) -> Outcome<()> {
    let table = folder.join("gavel/simulation_isolated.csv.gz");
    let unpacked = std::process::Command::new("gzip").arg("-dc").arg(&table).output()?;
    let rates = read_throughputs(&table.display().to_string(), unpacked.stdout.as_slice())?;
    let reference = read_to_string(folder.join("gavel-traces/reference.csv"))?;
    let (mut ratios, mut late, mut slowest, mut dearer) = (Vec::new(), 0, Duration::ZERO, 0);
    for (name, count) in TRACES {
        let path = folder.join(format!("gavel-traces/{name}.trace"));
        let jobs = read_gavel(name, File::open(path)?)?;
        let done = measured(&jobs, &rates, count)?;
        tell(name, &done);
        ratios.push(ratio(&done));
        late += done.run.late.len();
        slowest = slowest.max(done.took);
        let in_time =
            |line: &&str| line.starts_with(name) && line.split(',').rev().nth(4) == Some("0");
        for line in reference.lines().filter(in_time).filter(|line| !line.contains("BOUND")) {
            let cost = line.split(',').rev().nth(5).unwrap_or_default();
            dearer += usize::from(
                Money::from_decimal(cost, Currency::USD)?.pico() < done.run.cost.pico(),
            );
        }
    }
    let jobs = "\"traces\": 3";
    row("gavel-cost-over-bound", &mean(&ratios), ("1.03", "of the bound"), jobs);
    row("gavel-late", &late.to_string(), ("0", "jobs"), jobs);
    row("gavel-policies-in-time-and-cheaper", &dearer.to_string(), ("0", "policies"), jobs);
    row("gavel-time", &millis(slowest), ("50", "ms"), jobs);
    Ok(())
}

/// Jobs made up with other seeds, on clusters of other sizes, at once and one after the other.
fn made_up(rates: &Throughputs) -> Outcome<()> {
    let (mut ratios, mut late, mut slowest) = (Vec::new(), 0, Duration::ZERO);
    for seed in 1..=4 {
        for (jobs, gap_s, count) in
            [(100, 0.0, 36), (50, 0.0, 12), (150, 3_200.0, 16), (150, 3_200.0, 10)]
        {
            let done = measured(&generate(seed, (jobs, gap_s), rates), rates, count)?;
            tell(&format!("seed {seed}, {jobs} jobs every {gap_s} s on {count} of each"), &done);
            if done.holds == Some(true) {
                ratios.push(ratio(&done));
                late += done.run.late.len();
            }
            slowest = slowest.max(done.took);
        }
    }
    let jobs = format!("\"traces\": {}", ratios.len());
    row("fleet-rounds-cost-over-bound", &mean(&ratios), ("1.03", "of the bound"), &jobs);
    row("fleet-rounds-late", &late.to_string(), ("0", "jobs"), &jobs);
    row("fleet-rounds-time", &millis(slowest), ("50", "ms"), &jobs);
    Ok(())
}

/// The time of a simulation by its number of jobs, on a cluster that grows with it.
fn growth(rates: &Throughputs) -> Outcome<()> {
    let mut times = Vec::new();
    for count in [100_u32, 200, 400, 800] {
        let jobs = generate(5, (count as usize, 320_000.0 / f64::from(count)), rates);
        let fleet = fleet(count / 10)?;
        let arrivals = of_gavel(&jobs, rates, &KINDS.map(|(name, _)| name.to_owned()))?;
        let started = Instant::now();
        let run = replay(&fleet, &arrivals, FleetRule::Farthing)?;
        let took = started.elapsed();
        println!(
            "{count} jobs: {} ms, {} late, {} rounds",
            millis(took),
            run.late.len(),
            run.rounds
        );
        times.push(took.as_secs_f64());
    }
    // Eight times the jobs: 64 where each round were quadratic.
    let grown = times[3] / times[0].max(1e-4);
    row("fleet-rounds-growth", &format!("{grown:.1}"), ("64", "times"), "\"jobs\": 8");
    Ok(())
}

fn fleet(count: u32) -> Outcome<Fleet> {
    let mut kinds = Vec::new();
    for (_, price) in KINDS {
        let price = HourlyRate::new(Money::from_decimal(price, Currency::USD)?);
        kinds.push(Kind { count, price: price.ok_or("a price below zero")? });
    }
    Ok(Fleet { round_s: 360, kinds })
}

fn measured(jobs: &[GavelJob], rates: &Throughputs, count: u32) -> Outcome<Measured> {
    let fleet = fleet(count)?;
    let arrivals = of_gavel(jobs, rates, &KINDS.map(|(name, _)| name.to_owned()))?;
    let bound = least(&fleet, &arrivals)?;
    let mut best: Option<(Duration, FleetRun)> = None;
    for _ in 0..RUNS {
        let started = Instant::now();
        let run = replay(&fleet, &arrivals, FleetRule::Farthing)?;
        let took = started.elapsed();
        if best.as_ref().is_none_or(|(least, _)| took < *least) {
            best = Some((took, run));
        }
    }
    let (took, run) = best.ok_or("no run")?;
    Ok(Measured { run, bound: bound.cost, holds: bound.holds, took })
}

/// By the rules of Gavel's generator: types of job alike, durations of 10^1.5 to 10^3 minutes on a
/// V100 for four of five and 10^3 to 10^4 for the others, deadlines of 1.2, 2 or 10 durations,
/// arrivals at random.
fn generate(seed: u64, (count, gap_s): (usize, f64), rates: &Throughputs) -> Vec<GavelJob> {
    let mut random = Random::new(seed);
    let mut unit =
        || f64::from(u32::try_from(random.below(1 << 30)).unwrap_or(0)) / f64::from(1 << 30);
    let names = rates.kinds();
    let (mut at, mut all) = (0.0, Vec::new());
    while all.len() < count {
        let pick = |unit: f64, of: usize| ((unit * of as f64) as usize).min(of - 1);
        let kind = names[pick(unit(), names.len())];
        let long = unit() < 0.2;
        let minutes = 10_f64.powf(if long { 3.0 + unit() } else { 1.5 + 1.5 * unit() });
        let slo = [1_200_000_000, 2_000_000_000, 10_000_000_000][pick(unit(), 3)];
        let rate = rates.rate("v100", kind, 1).map_or(1.0, |rate| rate.nano() as f64 / 1e9);
        all.push(GavelJob {
            kind: kind.to_owned(),
            steps: Decimal::from_int((minutes * 60.0 * rate).ceil() as i64),
            gang: 1,
            slo: Some(Decimal::from_nano(slo)),
            arrival_s: Decimal::from_nano((at * 1e6) as i128 * 1_000),
        });
        at -= gap_s * (1.0 - unit()).ln();
    }
    all
}

fn ratio(done: &Measured) -> f64 {
    done.run.cost.pico() as f64 / done.bound.pico().max(1) as f64
}

fn mean(all: &[f64]) -> String {
    format!("{:.4}", all.iter().sum::<f64>() / all.len().max(1) as f64)
}

fn millis(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64() * 1e3)
}

fn tell(name: &str, done: &Measured) {
    let Measured { run, bound, holds, took } = done;
    println!(
        "{name}: {} over {} = {:.4}, {} late, in time possible: {holds:?}, {} ms, {} rounds, {:?}",
        run.cost.rounded(2),
        bound.rounded(3),
        ratio(done),
        run.late.len(),
        millis(*took),
        run.rounds,
        run.counts
    );
}

fn row(name: &str, value: &str, (limit, unit): (&str, &str), more: &str) {
    println!(
        "{{\"bench\": \"{name}\", \"value\": {value}, \"limit\": {limit}, \"unit\": \"{unit}\", {more}}}"
    );
}
