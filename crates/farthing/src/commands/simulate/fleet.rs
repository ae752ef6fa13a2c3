//! What formats of fleets have in common: kinds with prices, rounds, and the run of each policy.

use super::format::{Asked, Policies};
use super::result::{Ran, Simulated, p99, ppm};
use crate::commands::duration;
use crate::outcome::WrongUse;
use farthing_model::{Currency, HourlyRate, Money};
use farthing_planner::rounds::{Arrival, Fleet, Kind, least};
use farthing_sim::rounds::{FleetError, FleetRule, FleetRun, replay};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Where nobody says how long a round is.
const ROUND: &str = "360s";
/// Bytes that a file may unpack to.
pub(super) const BYTES_MAX: u64 = 1 << 32;

/// Flags by format.
pub(super) mod takes {
    pub(in super::super) const GAVEL: [&str; 5] =
        ["--throughput", "--cluster", "--price", "--round", "--limit"];
    pub(in super::super) const CHRONUS: [&str; 5] =
        ["--variant", "--cluster", "--price", "--round", "--limit"];
}

/// Policies of fleets.
pub(super) fn policies() -> Policies {
    Policies {
        all: &["farthing", "fifo", "greedy-r", "ffd-cheapest", "edf"],
        usual: &["farthing", "fifo", "greedy-r", "edf"],
    }
}

/// What jobs run on, and in which rounds.
pub(super) struct Clock {
    pub(super) fleet: Fleet,
    /// The kinds of the fleet, as they were written.
    pub(super) names: Vec<String>,
}

impl Clock {
    /// Reads `--cluster`, `--price` and `--round`.
    pub(super) fn read(asked: &Asked<'_>) -> anyhow::Result<Self> {
        let args = asked.args;
        let like = "--cluster V100=36,P100=36,K80=36";
        let given = (!args.cluster.is_empty()).then_some(&args.cluster);
        let cluster = pairs("--cluster", Asked::needed("--cluster", given, like)?)?;
        let like = "--price V100=0.74,P100=0.43,K80=0.135";
        let given = (!args.price.is_empty()).then_some(&args.price);
        let prices = pairs("--price", Asked::needed("--price", given, like)?)?;
        if let Some((name, _)) = prices.iter().find(|(name, _)| !cluster.contains_key(*name)) {
            return Err(WrongUse::new(format!("--price {name}: --cluster has no such kind")).into());
        }
        let round = args.round.as_deref().unwrap_or(ROUND);
        let round_s = duration("--round", round)?.as_secs();
        if round_s == 0 {
            return Err(WrongUse::new(format!("--round {round} is less than a second")).into());
        }
        let (mut names, mut kinds) = (Vec::new(), Vec::new());
        for (name, count) in &cluster {
            let wrong = |error| WrongUse::new(format!("--cluster {name}={count}: {error}"));
            let count = count.parse::<u32>().map_err(wrong)?;
            let Some(price) = prices.get(name) else {
                return Err(WrongUse::new(format!("--price has no price of {name}")).into());
            };
            let wrong = |what: String| WrongUse::new(format!("--price {name}={price}: {what}"));
            let money = Money::from_decimal(price, Currency::USD);
            let money = money.map_err(|error| wrong(error.to_string()))?;
            let price =
                HourlyRate::new(money).ok_or_else(|| wrong("it is below zero".to_owned()))?;
            names.push((*name).to_owned());
            kinds.push(Kind { count, price });
        }
        Ok(Self { fleet: Fleet { round_s, kinds }, names })
    }
}

/// Pairs of `NAME=NUMBER`, none twice.
fn pairs<'a>(flag: &str, given: &'a [String]) -> anyhow::Result<BTreeMap<&'a str, &'a str>> {
    let mut all = BTreeMap::new();
    for pair in given {
        let Some((name, number)) = pair.split_once('=') else {
            let hint = format!("write it like {flag} V100=36,K80=36");
            return Err(WrongUse::new(format!("{flag} {pair}: it has no `=`")).hint(hint).into());
        };
        if all.insert(name.trim(), number.trim()).is_some() {
            return Err(WrongUse::new(format!("{flag} {name} is there twice")).into());
        }
    }
    Ok(all)
}

/// All policies on the same jobs, and what none of them can be below.
pub(super) fn simulated(
    asked: &Asked<'_>,
    clock: &Clock,
    arrivals: &[Arrival],
) -> anyhow::Result<Simulated> {
    let mut runs = Vec::new();
    for name in &asked.policies {
        let rule: FleetRule = name.parse().map_err(WrongUse::new)?;
        let started = Instant::now();
        let run = replay(&clock.fleet, arrivals, rule).map_err(|error| match error {
            FleetError::Rounds(_) => WrongUse::new(error.to_string()).into(),
            other => anyhow::Error::new(other),
        })?;
        let wall_us = u64::try_from(started.elapsed().as_micros())?;
        runs.push(ran((name, wall_us), clock, arrivals, &run)?);
    }
    let bound = least(&clock.fleet, arrivals)?;
    let mut more = Map::new();
    more.insert("deadlines_hold".to_owned(), json!(bound.holds));
    more.insert("round_s".to_owned(), json!(clock.fleet.round_s));
    Ok(Simulated {
        trace: asked.trace.display().to_string(),
        jobs: arrivals.len(),
        currency: Some(Currency::USD),
        lower_bound: Some(bound.cost),
        policies: runs,
        more,
        text: None,
        table: None,
    })
}

fn ran(
    (name, wall_us): (&'static str, u64),
    clock: &Clock,
    arrivals: &[Arrival],
    run: &FleetRun,
) -> anyhow::Result<Ran> {
    let arrived = |at: usize| arrivals[at].at_us.div_euclid(1_000_000);
    let ends = run.finished_s.iter().enumerate();
    let mut lengths: Vec<i64> = ends.map(|(at, end)| end - arrived(at)).collect();
    lengths.sort_unstable();
    let count = i64::try_from(lengths.len())?;
    let end = run.finished_s.iter().copied().max().unwrap_or(0);
    let mut whole = 0_i128;
    for kind in &clock.fleet.kinds {
        whole += i128::from(kind.count) * i128::from(end) * kind.price.per_hour().pico() / 3_600;
    }
    let mut used = Map::new();
    for (kind, seconds) in clock.names.iter().zip(&run.used_s) {
        used.insert(kind.clone(), json!(seconds));
    }
    let mut more = Map::new();
    more.insert("used_gpu_s".to_owned(), used.into());
    more.insert("wall_us".to_owned(), json!(wall_us));
    more.insert("moves".to_owned(), json!(run.moves));
    more.insert("value".to_owned(), json!(run.value));
    if run.counts.solved > 0 {
        more.insert("programs".to_owned(), json!(run.counts.solved));
        more.insert("overruled".to_owned(), json!(run.counts.overruled));
    }
    Ok(Ran {
        name,
        cost: Some(run.cost),
        paid: Some(run.cost),
        used: Some(run.cost),
        idle: Some(Money::zero(run.cost.currency())),
        utilisation_ppm: ppm(run.cost, Money::from_pico(whole, run.cost.currency())),
        makespan_s: Some(end),
        mean_jct_s: (count > 0).then(|| lengths.iter().sum::<i64>() / count),
        p99_jct_s: p99(&lengths),
        deadline_misses: Some(run.late.len()),
        completed: run.finished_s.len(),
        events: u64::from(run.rounds),
        wall_ms: wall_us.div_ceil(1_000),
        more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_are_those_of_the_simulator() {
        assert_eq!(policies().all, FleetRule::ALL.map(|(_, name)| name));
        assert!(policies().usual.iter().all(|name| policies().all.contains(name)));
    }
}
