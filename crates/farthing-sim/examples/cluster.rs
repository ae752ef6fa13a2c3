//! How fast traces of jobs are replayed, the ledger included.
//!
//! Without arguments: a line of JSON for each figure of `make bench`. With `FORMAT TRACE
//! TYPE=NODESxACCELERATORS PRICE POLICY`: one run, and what came out.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measurement"
)]

use farthing_model::{ClusterId, Currency, HourlyRate, Money};
use farthing_sim::cluster::{ClusterRun, ClusterSpec, PoolSpec, Replay, replay_cluster};
use farthing_sim::trace::jobs::{JobFormat, JobStream, TraceJob};
use jiff::SignedDuration;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Jobs that are made up, each of one accelerator and about an hour, forty an hour.
const MADE_UP: i64 = 1_000_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [format, trace, cluster, price, rule] = args.as_slice() {
        let jobs = jobs(format, Path::new(trace));
        let (run, took) = run(jobs, (cluster, price), rule);
        tell(&run, took, rule);
        return;
    }
    let (made, took) = run(made_up(), ("V100=12x8", "1"), "fifo");
    let rate = u128::from(made.events) * 1_000 / took.as_millis().max(1);
    figure("simulate-events", (&rate.to_string(), "1000000", "events/s"), &made);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let rows = [
        ("simulate-philly-farthing", "philly", "philly", "P100=80x8", "20"),
        ("simulate-philly-fifo", "philly", "philly", "P100=80x8", "2"),
        ("simulate-pai-farthing", "alibaba-pai", "alibaba-pai-2020-gaia", "V100=20x8", "20"),
    ];
    for (bench, format, folder, cluster, limit) in rows {
        let trace: PathBuf = data.join(folder);
        if !trace.is_dir() {
            eprintln!("{bench}: {} is not there", trace.display());
            continue;
        }
        let rule = bench.rsplit('-').next().unwrap();
        let (run, took) = run(jobs(format, &trace), (cluster, "0.43"), rule);
        let seconds = format!("{:.3}", took.as_secs_f64());
        figure(bench, (&seconds, limit, "s"), &run);
    }
}

fn figure(bench: &str, (value, limit, unit): (&str, &str, &str), run: &ClusterRun) {
    println!(
        "{{\"bench\":\"{bench}\",\"value\":{value},\"limit\":{limit},\"unit\":\"{unit}\",\
         \"jobs\":{},\"events\":{},\"charges\":{},\"planned\":{},\"seed\":1}}",
        run.jobs, run.events, run.posted.charges, run.asked[0]
    );
}

fn jobs(format: &str, trace: &Path) -> JobStream {
    let format = JobFormat::ALL.iter().find(|(_, name)| *name == format).unwrap().0;
    format.open(trace).unwrap()
}

fn made_up() -> JobStream {
    Box::new((0..MADE_UP).map(|row| {
        Ok(TraceJob {
            name: None,
            team: None,
            submit_s: 1_577_836_800 + row * 90,
            run_s: u32::try_from(1_800 + row * 7_919 % 3_600).unwrap(),
            accelerators: 1,
            due_s: None,
        })
    }))
}

fn run(jobs: JobStream, (cluster, price): (&str, &str), rule: &str) -> (ClusterRun, Duration) {
    let (name, size) = cluster.split_once('=').unwrap();
    let (nodes, accelerators) = size.split_once('x').unwrap();
    let accelerators: u32 = accelerators.parse().unwrap();
    let each = HourlyRate::new(Money::from_decimal(price, Currency::USD).unwrap()).unwrap();
    let spec = ClusterSpec {
        pools: vec![PoolSpec {
            name: name.to_owned(),
            nodes: Some(nodes.parse().unwrap()),
            accelerators,
            price: each.times(accelerators).unwrap(),
        }],
        boot: SignedDuration::from_mins(3),
        idle_release: SignedDuration::from_mins(10),
        reserve_ppm: 0,
        estimate_error_ppm: 300_000,
        slack: None,
        seed: 1,
    };
    let cluster = ClusterId::new("trace").unwrap();
    let replay =
        Replay { spec: &spec, rule: rule.parse().unwrap(), cluster: &cluster, books: None };
    let started = Instant::now();
    let run = replay_cluster(&replay, jobs, &|_| ()).unwrap();
    (run, started.elapsed())
}

fn tell(run: &ClusterRun, took: Duration, rule: &str) {
    let mean = run.took_s.iter().map(|took| u64::from(*took)).sum::<u64>() / run.jobs.max(1);
    println!(
        "{{\"policy\":\"{rule}\",\"jobs\":{},\"events\":{},\"charges\":{},\"paid\":\"{}\",\
         \"used\":\"{}\",\"mean_s\":{mean},\"p99_s\":{},\"makespan_s\":{},\"planned\":{},\
         \"planned_before\":{},\"wall_ms\":{}}}",
        run.jobs,
        run.events,
        run.posted.charges,
        run.posted.paid.rounded(2),
        run.posted.used.rounded(2),
        run.took_s.get(run.took_s.len() * 99 / 100).copied().unwrap_or(0),
        run.makespan_s,
        run.asked[0],
        run.asked[1],
        took.as_millis(),
    );
}
