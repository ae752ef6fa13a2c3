//! A service that lends what it does not need to batch work, against keeping it.

use super::set::{Set, number, prices};
use crate::commands::duration;
use crate::commands::simulate::file::unreadable;
use crate::commands::simulate::format::{Asked, Format, Policies};
use crate::commands::simulate::result::{Ran, Simulated};
use crate::outcome::WrongUse;
use crate::show;
use crate::table::{Align, Table};
use anyhow::bail;
use farthing_model::{Currency, Money};
use farthing_sim::shift::{LendRule, LendRun, LendSpec, run_lending};
use farthing_sim::trace::{DemandSlots, read_rates};
use serde_json::{Map, json};
use std::time::Instant;

const PARAMETERS: [&str; 7] =
    ["replica-rate", "owned", "give-back", "start", "worth", "quantile", "wait"];
const MINUTE_S: i64 = 60;

/// Demand of a service over time.
pub(in super::super) struct Lending;

impl Format for Lending {
    fn name(&self) -> &'static str {
        "lending"
    }

    fn what(&self) -> &'static str {
        "requests a second of a service (t_s, rate_rps, model), CSV or Parquet"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["--variant", "--work", "--price", "--limit", "--set"]
    }

    fn policies(&self) -> Policies {
        let all = &["farthing", "apart", "all-idle", "foresight"];
        Policies { all, usual: all }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let args = asked.args;
        let mut demand = read_rates(asked.trace, args.variant.as_deref())
            .map_err(|error| unreadable("--trace", &error))?;
        demand.milli.truncate(args.limit.unwrap_or(usize::MAX));
        let spec = spec(asked, &demand)?;
        let prices = prices(&args.price, &["owned", "batch"])?;
        let price = |name: &str| {
            Asked::needed("--price", prices.get(name).copied(), "--price owned=1.20,batch=2.10")
        };
        let price = [price("owned")?, price("batch")?];
        let mut runs = Vec::new();
        for name in &asked.policies {
            let started = Instant::now();
            let Some((rule, _)) = LendRule::ALL.into_iter().find(|(_, known)| known == name) else {
                bail!("there is no rule of the policy {name}");
            };
            let run = run_lending(&demand.milli, (&spec, rule));
            runs.push((*name, run, u64::try_from(started.elapsed().as_millis())?));
        }
        let mut more = Map::new();
        more.insert("owned".to_owned(), json!(spec.owned));
        more.insert("slots_silent".to_owned(), json!(demand.silent));
        Ok(Simulated {
            trace: asked.trace.display().to_string(),
            jobs: 1,
            currency: Some(Currency::USD),
            lower_bound: None,
            policies: runs.iter().map(|one| ran(one, &spec, price)).collect(),
            more,
            text: Some(text(&runs, &spec, price)),
            table: None,
        })
    }
}

fn spec(asked: &Asked<'_>, demand: &DemandSlots) -> anyhow::Result<LendSpec> {
    let args = asked.args;
    let set = Set::read(&args.set, &PARAMETERS)?;
    let like = "--set replica-rate=12: requests a second that a replica serves in time";
    let rate = Asked::needed("--set replica-rate", set.text("replica-rate"), like)?;
    let milli = number(&format!("--set replica-rate={rate}"), rate)? / 1_000_000_000;
    let replica_milli = u64::try_from(milli).ok().filter(|milli| *milli > 0);
    let replica_milli =
        replica_milli.ok_or_else(|| WrongUse::new("--set replica-rate must be above zero"))?;
    if demand.slot_s % MINUTE_S != 0 || 86_400 % demand.slot_s != 0 {
        let what = format!("--trace: slots of {} s are no whole minutes of a day", demand.slot_s);
        return Err(WrongUse::new(what).into());
    }
    let most = demand.milli.iter().copied().max().unwrap_or(0).div_ceil(replica_milli);
    let owned = match set.whole("owned", (1, 1_000_000))? {
        Some(owned) => owned,
        // What the service has without lending: enough for its highest demand.
        None => u32::try_from(most.max(1)).map_err(|_| {
            WrongUse::new(format!("--set replica-rate={rate}: {most} replicas would be needed"))
        })?,
    };
    let minutes = |name: &str, usual: i64| -> anyhow::Result<u64> {
        let seconds = set.seconds(name, usual)?;
        Ok(u64::try_from((seconds + MINUTE_S - 1) / MINUTE_S)?)
    };
    let work = Asked::needed("--work", args.work.as_ref(), "--work 2000h")?;
    let worth_s = set.seconds("worth", 3_600)?;
    Ok(LendSpec {
        slot_min: u64::try_from(demand.slot_s / MINUTE_S)?,
        replica_milli,
        owned,
        back_min: minutes("give-back", 600)?,
        start_min: minutes("start", 300)?,
        worth_slots: usize::try_from((worth_s + demand.slot_s - 1) / demand.slot_s)?,
        quantile_ppm: set.part("quantile", 990_000)?.into(),
        wait_s: u64::try_from(set.seconds("wait", 2)?)?,
        batch_min: u64::try_from(duration("--work", work)?.as_secs() / MINUTE_S)?,
    })
}

fn usd(pico: i128) -> Money {
    Money::from_pico(pico, Currency::USD)
}

/// What is owned and what is rented for batch work that lending leaves.
fn costs(run: &LendRun, spec: &LendSpec, [owned, batch]: [i128; 2]) -> [i128; 2] {
    let owned = owned * i128::from(spec.owned) * i128::from(run.minutes) / 60;
    [owned, batch * i128::from(run.left_min) / 60]
}

/// What was saved: batch work that needs nothing rented.
fn saved(run: &LendRun, [_, batch]: [i128; 2]) -> i128 {
    batch * i128::from(run.worked_min) / 60
}

#[allow(clippy::cast_precision_loss, reason = "hours to print")]
fn hours(minutes: u64) -> f64 {
    minutes as f64 / 60.0
}

fn ran(
    (name, run, wall_ms): &(&'static str, LendRun, u64),
    spec: &LendSpec,
    price: [i128; 2],
) -> Ran {
    let [owned, rented] = costs(run, spec, price);
    let there = u64::from(spec.owned) * run.minutes;
    let used = run.needed_min + run.worked_min;
    let used_cost = price[0] * i128::from(used) / 60 + rented;
    let mut more = Map::new();
    for (key, value) in [
        ("lent_hours", json!(hours(run.lent_min))),
        ("worked_hours", json!(hours(run.worked_min))),
        ("rented_hours", json!(hours(run.left_min))),
        ("rented", json!(usd(rented).to_decimal())),
        ("saved", json!(usd(saved(run, price)).to_decimal())),
        ("requests", json!(run.requests)),
        ("waited", json!(run.waited)),
        ("wait_most_s", json!(run.wait_most_s)),
        ("recalls", json!(run.recalls)),
        ("back_most_s", json!(run.back_most_min * 60)),
    ] {
        more.insert(key.to_owned(), value);
    }
    Ran {
        name,
        cost: Some(usd(owned + rented)),
        paid: Some(usd(owned + rented)),
        used: Some(usd(used_cost)),
        idle: Some(usd(owned + rented - used_cost)),
        utilisation_ppm: (there > 0).then(|| i128::from(used) * 1_000_000 / i128::from(there)),
        makespan_s: i64::try_from(run.minutes * 60).ok(),
        mean_jct_s: None,
        p99_jct_s: None,
        deadline_misses: None,
        completed: 1,
        events: run.minutes,
        wall_ms: *wall_ms,
        more,
    }
}

fn text(runs: &[(&'static str, LendRun, u64)], spec: &LendSpec, price: [i128; 2]) -> String {
    let (l, r) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("policy", l),
        ("cost", r),
        ("saved", r),
        ("lent h", r),
        ("worked h", r),
        ("asked back", r),
        ("back within", r),
        ("requests", r),
        ("waited", r),
        ("longest wait", r),
    ]);
    for (name, run, _) in runs {
        let time = |seconds: u64| {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            show::duration(jiff::SignedDuration::from_secs(seconds))
        };
        table.row([
            (*name).to_owned(),
            show::money(usd(costs(run, spec, price).iter().sum())),
            show::money(usd(saved(run, price))),
            format!("{:.1}", hours(run.lent_min)),
            format!("{:.1}", hours(run.worked_min)),
            run.recalls.to_string(),
            time(run.back_most_min * 60),
            run.requests.to_string(),
            run.waited.to_string(),
            time(run.wait_most_s),
        ]);
    }
    let batch = hours(spec.batch_min);
    format!(
        "{} replicas, {batch:.1} replica-hours of batch work\n\n{}",
        spec.owned,
        table.to_text()
    )
}
