//! Spot with a deadline on published windows: the cost of ours over the optimum, the policies
//! beside it, and the time for the whole table.
//!
//! Run with `cargo run --release -p farthing-sim --example spot_windows [TRACE]`. Without the trace
//! of the study, on the made-up windows that ship.
#![allow(clippy::print_stdout)]

use farthing_model::{Currency, Money};
use farthing_planner::spot::Terms;
use farthing_sim::spot::{SpotRule, replay};
use farthing_sim::trace::{SpotWindow, read_windows, spread};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Windows of each environment.
const LIMIT: usize = 30;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let study = root.join("../shared/data/spot-windows/windows.parquet");
    let given = std::env::args().nth(1).map(PathBuf::from);
    let study = given.unwrap_or(study);
    let is_study = study.is_file();
    let path = if is_study { study } else { root.join("examples/spot-windows.csv") };
    let (work_h, deadlines_h): (i64, &[i64]) =
        if is_study { (48, &[52, 56, 60, 70, 80, 92]) } else { (10, &[12, 14]) };
    let mut terms = Vec::new();
    for deadline_h in deadlines_h {
        for overhead_s in [180, 720, 1_440] {
            terms.push(Terms {
                tick_s: SpotWindow::TICK_S,
                work_s: work_h * 3_600,
                deadline_s: deadline_h * 3_600,
                overhead_s,
                spot_hour: Money::from_decimal("0.9731", Currency::USD)?,
                on_demand_hour: Money::from_decimal("3.06", Currency::USD)?,
            });
        }
    }
    let all = read_windows(&path)?;
    let windows = spread(&all, LIMIT);
    let mut costs = Vec::new();
    let begin = Instant::now();
    let mut ours = (0, 0);
    for (rule, name) in SpotRule::ALL {
        let started = Instant::now();
        let runs = replay((&windows, &terms), rule, 1, &|_, _| {})?;
        let sum: i128 = runs.iter().map(|run| run.cost.pico()).sum();
        let late = runs.iter().filter(|run| run.late).count();
        println!("{name}: {} jobs, {late} late, {:?}", runs.len(), started.elapsed());
        if rule == SpotRule::Farthing {
            ours = (started.elapsed().as_millis(), runs.len());
        }
        costs.push((name, sum));
    }
    let least = costs.last().map_or(1, |(_, sum)| *sum).max(1);
    for (name, sum) in &costs {
        println!("{name} over the optimum: {}", places(*sum, least));
    }
    let jobs = ours.1;
    let ratio = places(costs[0].1, least);
    println!(
        "{{\"bench\": \"spot-windows-cost-over-optimal\", \"value\": {ratio}, \"limit\": 1.08, \
         \"unit\": \"of the optimum\", \"jobs\": {jobs}, \"study\": {is_study}}}"
    );
    let seconds = places(i128::try_from(begin.elapsed().as_millis())?, 1_000);
    println!(
        "{{\"bench\": \"spot-windows-seconds\", \"value\": {seconds}, \"limit\": 60, \
         \"unit\": \"s\", \"jobs\": {jobs}, \"ours_ms\": {}}}",
        ours.0
    );
    Ok(())
}

/// A quotient to four places.
fn places(part: i128, of: i128) -> String {
    let scaled = (part * 10_000 + of / 2) / of;
    format!("{}.{:04}", scaled / 10_000, scaled % 10_000)
}
