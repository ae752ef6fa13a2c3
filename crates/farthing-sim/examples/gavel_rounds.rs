//! Measures fleets over rounds on Gavel's workload.
//!
//! `gavel_rounds FOLDER`: the published traces of a folder (`gavel-traces`, beside `gavel`).

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::cast_precision_loss)]

use farthing_model::{Currency, HourlyRate, Money};
use farthing_planner::rounds::{Fleet, Kind, least};
use farthing_sim::rounds::{FleetRule, of_gavel, replay};
use farthing_sim::trace::{GavelJob, Throughputs, read_gavel, read_throughputs};
use std::process::Command;
use std::time::Instant;

fn throughputs(folder: &str) -> Throughputs {
    let path = format!("{folder}/gavel/simulation_isolated.csv.gz");
    let text = Command::new("zcat").arg(&path).output().unwrap().stdout;
    read_throughputs(&path, text.as_slice()).unwrap()
}

struct Dice(u64);
impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn made_up(
    seed: u64,
    count: usize,
    lambda: f64,
    gangs: bool,
    rates: &Throughputs,
) -> Vec<GavelJob> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..5 {
        dice.unit();
    }
    let names = rates.kinds();
    let mut at = 0.0;
    let mut all = Vec::new();
    while all.len() < count {
        let kind = names[(dice.unit() * names.len() as f64) as usize].to_owned();
        let draw = dice.unit();
        let gang = if !gangs || draw < 0.7 {
            1
        } else if draw < 0.8 {
            2
        } else if draw < 0.95 {
            4
        } else {
            8
        };
        let Some(rate) = rates.rate("v100", &kind, gang) else { continue };
        let minutes = if dice.unit() < 0.8 {
            10_f64.powf(1.5 + 1.5 * dice.unit())
        } else {
            10_f64.powf(3.0 + dice.unit())
        };
        let rate = rate.nano() as f64 / 1e9;
        let steps = (minutes * 60.0 * rate) as i64;
        let slo = ["1.2", "2", "10"][(dice.unit() * 3.0) as usize];
        all.push(GavelJob {
            kind,
            steps: farthing_model::Decimal::from_int(steps.max(1)),
            gang,
            slo: Some(slo.parse().unwrap()),
            arrival_s: format!("{at:.6}").parse().unwrap(),
        });
        if lambda > 0.0 {
            at += -lambda * (1.0 - dice.unit()).ln();
        }
    }
    all
}

fn show(name: &str, jobs: &[GavelJob], rates: &Throughputs, counts: [u32; 3], prices: [&str; 3]) {
    let names = ["V100", "P100", "K80"].map(str::to_owned);
    let price =
        |text: &str| HourlyRate::new(Money::from_decimal(text, Currency::USD).unwrap()).unwrap();
    let kinds = (0..3).map(|at| Kind { count: counts[at], price: price(prices[at]) }).collect();
    let fleet = Fleet { round_s: 360, kinds };
    let arrivals = of_gavel(jobs, rates, &names).unwrap();
    let start = Instant::now();
    let bound = least(&fleet, &arrivals).unwrap_or(farthing_planner::rounds::Least {
        cost: Money::from_pico(1, Currency::USD),
        holds: false,
    });
    let proof = start.elapsed();
    let start = Instant::now();
    let run = replay(&fleet, &arrivals, FleetRule::Farthing).unwrap();
    let took = start.elapsed();
    let edf = replay(&fleet, &arrivals, FleetRule::Edf).unwrap();
    println!(
        "{name} {counts:?} bound {} {} ({} ms) cost {} ratio {:.4} late {} (edf {}) {:.1} ms rounds {} moves {} {:?}",
        bound.cost.rounded(3),
        bound.holds,
        proof.as_millis(),
        run.cost.rounded(2),
        run.cost.pico() as f64 / bound.cost.pico() as f64,
        run.late.len(),
        edf.late.len(),
        took.as_secs_f64() * 1e3,
        run.rounds,
        run.moves,
        run.counts
    );
    if std::env::var("LATE").is_ok() {
        println!(
            "{:?}",
            run.late
                .iter()
                .map(|at| (
                    *at,
                    arrivals[*at].at_us / 1_000_000,
                    arrivals[*at].deadline_us.unwrap() / 1_000_000,
                    run.finished_s[*at],
                    &jobs[*at].kind,
                    jobs[*at].slo,
                    jobs[*at].gang
                ))
                .collect::<Vec<_>>()
        );
    }
}

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let rates = throughputs(&folder);
    let usual = ["0.74", "0.43", "0.135"];
    for (name, count) in [("static100_s0", 36), ("static50_8_s0", 8), ("poisson150_16_s0", 16)] {
        let path = format!("{folder}/gavel-traces/{name}.trace");
        let jobs = read_gavel(&path, std::fs::File::open(&path).unwrap()).unwrap();
        show(name, &jobs, &rates, [count; 3], usual);
    }
    if std::env::args().nth(2).is_none() {
        return;
    }
    for seed in 1..=4 {
        for (count, lambda, size) in
            [(100, 0.0, 36), (50, 0.0, 12), (150, 3200.0, 16), (150, 3200.0, 10), (300, 1500.0, 24)]
        {
            for gangs in [false, true] {
                show(
                    &format!("s{seed} n{count} l{lambda} g{gangs}"),
                    &made_up(seed, count, lambda, gangs, &rates),
                    &rates,
                    [size; 3],
                    usual,
                );
            }
        }
    }
}
