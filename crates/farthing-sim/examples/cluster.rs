//! How fast a trace of jobs is replayed: `cluster FORMAT TRACE TYPE=NODESxACCELERATORS PRICE POLICY`,
//! or `cluster ROWS`: so many jobs made up on the spot, under fifo.
//!
//! Prints one line of JSON.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measurement"
)]

use farthing_model::{ClusterId, Currency, HourlyRate, Money};
use farthing_sim::cluster::{ClusterSpec, PoolSpec, Replay, replay_cluster};
use farthing_sim::trace::jobs::{JobFormat, JobStream, TraceJob};
use jiff::SignedDuration;
use std::path::Path;
use std::time::Instant;

/// Jobs of one accelerator and an hour or so each, forty an hour.
fn made_up(rows: i64) -> JobStream {
    Box::new((0..rows).map(|row| {
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

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (jobs, cluster, price, rule): (JobStream, &str, &str, &str) = match args.as_slice() {
        [rows] => (made_up(rows.parse().unwrap()), "V100=12x8", "1", "fifo"),
        [format, trace, cluster, price, rule] => {
            let format = JobFormat::ALL.iter().find(|(_, name)| name == format).unwrap().0;
            (format.open(Path::new(trace)).unwrap(), cluster, price, rule)
        }
        _ => panic!("cluster FORMAT TRACE TYPE=NODESxACCELERATORS PRICE POLICY, or cluster ROWS"),
    };
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
    let replay = Replay {
        spec: &spec,
        rule: rule.parse().unwrap(),
        cluster: &ClusterId::new("trace").unwrap(),
        books: None,
    };
    let started = Instant::now();
    let run = replay_cluster(&replay, jobs, &|_| ()).unwrap();
    let took = started.elapsed();
    let mean = run.took_s.iter().map(|took| u64::from(*took)).sum::<u64>() / run.jobs.max(1);
    println!(
        "{{\"policy\":\"{}\",\"jobs\":{},\"events\":{},\"charges\":{},\"paid\":\"{}\",\"used\":\"{}\",\
         \"mean_s\":{mean},\"p99_s\":{},\"makespan_s\":{},\"asked\":{},\"known\":{},\"wall_ms\":{},\
         \"events_per_s\":{}}}",
        replay.rule,
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
        u128::from(run.events) * 1_000 / took.as_millis().max(1),
    );
}
