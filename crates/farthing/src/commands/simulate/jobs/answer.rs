//! What came out: each policy in the shape that all formats have, and beside it each value of what
//! was swept and the spread of the seeds.

use super::asked::Wanted;
use super::runs::Ran;
use super::spread::{Spread, spread};
use crate::commands::simulate::result::{self, Simulated, p99, ppm};
use crate::plot;
use crate::print::talk;
use crate::show;
use crate::table::{Align, Table};
use farthing_model::{Currency, Money};
use serde_json::{Map, Value, json};

/// The answer.
pub(super) fn simulated(wanted: &Wanted, all: &[Ran]) -> anyhow::Result<Simulated> {
    let first = all.first();
    let mut more = Map::new();
    if let Some((row, most, count)) = first.and_then(|ran| ran.run.too_large) {
        talk(&format!(
            "left out: {count} jobs ask for more accelerators than any kind of nodes has (the \
             largest for {most}, row {row})"
        ));
        more.insert("left_out".to_owned(), json!(count));
    }
    let several = wanted.seeds.len() > 1 || wanted.variants.len() > 1;
    if several {
        more.insert("seeds".to_owned(), json!(wanted.seeds));
        more.insert("sweep".to_owned(), variants(wanted, all)?);
    }
    let mut policies = Vec::new();
    for rule in &wanted.rules {
        let of: Vec<&Ran> =
            all.iter().filter(|ran| ran.rule == *rule && ran.variant == 0).collect();
        policies.extend(of.first().map(|ran| one(ran, spreads(&of))).transpose()?);
    }
    Ok(Simulated {
        trace: wanted.trace.display().to_string(),
        jobs: first.map_or(Ok(0), |ran| usize::try_from(ran.run.jobs))?,
        currency: Some(Currency::USD),
        lower_bound: first.map(|ran| ran.run.least),
        policies,
        more,
        text: several.then(|| text(wanted, all)),
        table: several.then(|| table(wanted, all)),
    })
}

/// A run, with the spread of the others that differ in their seed only.
fn one(ran: &Ran, spread: Map<String, Value>) -> anyhow::Result<result::Ran> {
    let run = &ran.run;
    let posted = &run.posted;
    let mut more = Map::new();
    more.insert("unallocated".to_owned(), json!(posted.unallocated.to_decimal()));
    more.insert("overhead".to_owned(), json!(posted.overhead.to_decimal()));
    more.insert("held".to_owned(), json!(posted.idle.to_decimal()));
    more.insert("charges".to_owned(), json!(posted.charges));
    more.insert("planned".to_owned(), json!(run.asked[0]));
    more.insert("planned_before".to_owned(), json!(run.asked[1]));
    more.extend(spread);
    Ok(result::Ran {
        name: ran.rule.name(),
        cost: Some(posted.paid),
        paid: Some(posted.paid),
        used: Some(posted.used),
        idle: Some(posted.paid.checked_sub(posted.used)?),
        utilisation_ppm: ppm(posted.used, posted.paid),
        makespan_s: Some(run.makespan_s),
        mean_jct_s: mean_s(ran),
        p99_jct_s: p99_s(ran),
        deadline_misses: Some(usize::try_from(run.late)?),
        completed: run.took_s.len(),
        events: run.events,
        wall_ms: u64::try_from(ran.took.as_millis())?,
        more,
    })
}

/// The mean time from submission to end.
fn mean_s(ran: &Ran) -> Option<i64> {
    let sum: u64 = ran.run.took_s.iter().map(|took| u64::from(*took)).sum();
    let count = u64::try_from(ran.run.took_s.len()).ok()?;
    i64::try_from(sum.checked_div(count)?).ok()
}

/// What 99 of a hundred jobs did not take longer than.
fn p99_s(ran: &Ran) -> Option<i64> {
    p99(&ran.run.took_s).map(i64::from)
}

/// Intervals over the seeds, where there are several.
fn spreads(of: &[&Ran]) -> Map<String, Value> {
    let spreads = [("cost", costs(of)), ("mean_jct_s", means(of)), ("p99_jct_s", lasts(of))];
    let spreads: Map<String, Value> = spreads
        .into_iter()
        .filter_map(|(name, spread)| Some((name.to_owned(), spread?.json())))
        .collect();
    if spreads.is_empty() {
        spreads
    } else {
        Map::from_iter([("spread".to_owned(), spreads.into())])
    }
}

fn costs(of: &[&Ran]) -> Option<Spread> {
    spread(&of.iter().map(|ran| plot::whole(ran.run.posted.paid)).collect::<Vec<_>>())
}

fn means(of: &[&Ran]) -> Option<Spread> {
    spread(&of.iter().filter_map(|ran| mean_s(ran)).map(seconds).collect::<Vec<_>>())
}

fn lasts(of: &[&Ran]) -> Option<Spread> {
    spread(&of.iter().filter_map(|ran| p99_s(ran)).map(seconds).collect::<Vec<_>>())
}

#[allow(clippy::cast_precision_loss, reason = "a time to print")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

/// Each value of what was swept.
fn variants(wanted: &Wanted, all: &[Ran]) -> anyhow::Result<Value> {
    let mut values = Vec::new();
    for (index, (name, _)) in wanted.variants.iter().enumerate() {
        let mut policies = Map::new();
        for rule in &wanted.rules {
            let of = of(all, index, *rule);
            if let Some(first) = of.first() {
                let ran = one(first, spreads(&of))?;
                policies.insert(rule.name().to_owned(), ran.json());
            }
        }
        values.push(json!({ "set": name, "policies": policies }));
    }
    Ok(values.into())
}

fn of(all: &[Ran], variant: usize, rule: farthing_sim::cluster::ClusterRule) -> Vec<&Ran> {
    all.iter().filter(|ran| ran.variant == variant && ran.rule == rule).collect()
}

fn text(wanted: &Wanted, all: &[Ran]) -> String {
    let jobs = all.first().map_or(0, |ran| ran.run.jobs);
    let seeds = wanted.seeds.len();
    let of = if seeds > 1 { ", means and 95 % intervals" } else { "" };
    let runs = format!("{jobs} jobs, {seeds} seeds{of}");
    format!("{runs}\n\n{}", table(wanted, all).to_text())
}

/// A line for each policy and value of what was swept.
fn table(wanted: &Wanted, all: &[Ran]) -> Table {
    let mut table = Table::new(&[
        ("set", Align::Left),
        ("policy", Align::Left),
        ("cost", Align::Right),
        ("+-", Align::Right),
        ("utilisation", Align::Right),
        ("mean completion s", Align::Right),
        ("+-", Align::Right),
        ("p99 completion s", Align::Right),
        ("late", Align::Right),
    ]);
    for (index, (name, _)) in wanted.variants.iter().enumerate() {
        for rule in &wanted.rules {
            let of = of(all, index, *rule);
            let Some(first) = of.first() else { continue };
            let half = |spread: Option<Spread>| {
                spread.map_or("-".to_owned(), |spread| format!("{:.2}", spread.high - spread.mean))
            };
            let or = |spread: Option<Spread>, one: f64| {
                format!("{:.2}", spread.map_or(one, |spread| spread.mean))
            };
            let posted = &first.run.posted;
            let used = ppm(posted.used, posted.paid).map_or("-".to_owned(), percent);
            table.row([
                name.clone().unwrap_or_default(),
                rule.name().to_owned(),
                costs(&of)
                    .map_or_else(|| show::money(posted.paid), |cost| format!("{:.2}", cost.mean)),
                half(costs(&of)),
                used,
                or(means(&of), mean_s(first).map_or(0.0, seconds)),
                half(means(&of)),
                or(lasts(&of), p99_s(first).map_or(0.0, seconds)),
                first.run.late.to_string(),
            ]);
        }
    }
    table
}

fn percent(ppm: i128) -> String {
    let tenths = (ppm + 500) / 1_000;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// What has been paid by the end of each hour, in whole units of money.
pub(super) fn paid_by_hour(ran: &Ran) -> anyhow::Result<Vec<(i64, f64)>> {
    let mut sum = Money::zero(ran.run.posted.paid.currency());
    let mut points = Vec::with_capacity(ran.run.posted.hours.len());
    for hour in &ran.run.posted.hours {
        sum = sum.checked_add(hour.paid)?;
        points.push((hour.from_s + 3_600, plot::whole(sum)));
    }
    Ok(points)
}
