//! What came out of a replay of requests.

use super::Ran;
use super::asked::Wanted;
use crate::commands::simulate::result::{self, Simulated, part, ppm};
use crate::plot::lines::{Axes, Series, picture as draw};
use crate::show;
use crate::table::{Align, Table};
use farthing_model::{Currency, Money};
use farthing_sim::cluster::serving::Moment;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// Rows of replicas over time, at most.
const ROWS_MAX: usize = 512;

/// The answer.
pub(super) fn simulated(wanted: &Wanted<'_>, all: &[Ran]) -> anyhow::Result<Simulated> {
    let first = all.first();
    let mut more = Map::new();
    more.insert("kinds".to_owned(), json!(wanted.kinds.names()));
    more.insert("ttft_slo_s".to_owned(), json!(seconds(wanted.spec.ttft)));
    let policies = all.iter().map(|ran| one(wanted, ran)).collect::<anyhow::Result<_>>()?;
    let table = table(all);
    let least = first.map(|ran| ran.run.least);
    let requests = first.map_or(0, |ran| ran.run.requests);
    let bound = least.map_or_else(String::new, |least| {
        format!(", no policy can be below {} {}", show::money(least), least.currency())
    });
    let trace = wanted.trace.display();
    let heading = format!("{requests} requests of {trace}{bound}");
    Ok(Simulated {
        trace: trace.to_string(),
        jobs: usize::try_from(requests)?,
        currency: Some(Currency::USD),
        lower_bound: least,
        policies,
        more,
        text: Some(format!("{heading}\n\n{}", table.to_text())),
        table: Some(table),
    })
}

fn one(wanted: &Wanted<'_>, ran: &Ran) -> anyhow::Result<result::Ran> {
    let (run, posted) = (&ran.run, &ran.run.posted);
    let mut more = Map::new();
    more.insert("within_slo".to_owned(), json!(within(ran).map(part)));
    more.insert("ttft_p50_s".to_owned(), json!(seconds(run.ttft[0])));
    more.insert("ttft_p99_s".to_owned(), json!(seconds(run.ttft[1])));
    more.insert("replicas_max".to_owned(), json!(run.most));
    more.insert("overhead".to_owned(), json!(posted.overhead.to_decimal()));
    more.insert("planned".to_owned(), json!(run.asked[0]));
    more.insert("planned_before".to_owned(), json!(run.asked[1]));
    more.insert("replicas".to_owned(), replicas(wanted, &run.moments)?);
    Ok(result::Ran {
        name: ran.rule.name(),
        cost: Some(posted.paid),
        paid: Some(posted.paid),
        used: Some(posted.used),
        idle: Some(posted.paid.checked_sub(posted.used)?),
        utilisation_ppm: ppm(posted.used, posted.paid),
        makespan_s: Some(run.makespan_s),
        mean_jct_s: None,
        p99_jct_s: None,
        deadline_misses: Some(usize::try_from(run.requests - run.within)?),
        completed: usize::try_from(run.requests)?,
        events: run.events,
        wall_ms: u64::try_from(ran.took.as_millis())?,
        more,
    })
}

/// Millionths of all requests that had their first token in time.
fn within(ran: &Ran) -> Option<i128> {
    (i128::from(ran.run.within) * 1_000_000).checked_div(i128::from(ran.run.requests))
}

fn seconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64()
}

/// Replicas by kind and requests a second, over time.
fn replicas(wanted: &Wanted<'_>, moments: &[Moment]) -> anyhow::Result<Value> {
    let each = moments.len().div_ceil(ROWS_MAX).max(1);
    let mut rows = Vec::new();
    for some in moments.chunks(each) {
        let Some(first) = some.first() else { continue };
        let most = |kind: usize| some.iter().map(|moment| moment.ready[kind]).max().unwrap_or(0);
        let of_kind = wanted.kinds.names().iter().enumerate();
        let ready: Map<String, Value> =
            of_kind.map(|(kind, name)| (name.clone(), json!(most(kind)))).collect();
        rows.push(json!({
            "at": Timestamp::from_second(first.at_s)?.to_string(),
            "requests": some.iter().map(|moment| moment.requests).sum::<u64>(),
            "waiting": some.iter().map(|moment| moment.waiting).max(),
            "ready": ready,
        }));
    }
    Ok(rows.into())
}

fn table(all: &[Ran]) -> Table {
    let (l, r) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("policy", l),
        ("paid", r),
        ("used", r),
        ("idle", r),
        ("utilisation", r),
        ("within SLO", r),
        ("late", r),
        ("TTFT p50", r),
        ("TTFT p99", r),
        ("most replicas", r),
        ("took", r),
    ]);
    let percent = |ppm: Option<i128>, places: usize| {
        ppm.map_or_else(|| "-".to_owned(), |ppm| format!("{:.places$} %", part(ppm) * 100.0))
    };
    for ran in all {
        let (run, posted) = (&ran.run, &ran.run.posted);
        let idle = posted.paid.checked_sub(posted.used);
        table.row([
            ran.rule.name().to_owned(),
            show::money(posted.paid),
            show::money(posted.used),
            idle.map_or_else(|_| "-".to_owned(), show::money),
            percent(ppm(posted.used, posted.paid), 1),
            percent(within(ran), 3),
            (run.requests - run.within).to_string(),
            format!("{:.2} s", seconds(run.ttft[0])),
            format!("{:.2} s", seconds(run.ttft[1])),
            run.most.to_string(),
            format!("{} ms", ran.took.as_millis()),
        ]);
    }
    table
}

/// What was paid an hour for replicas that could serve, over time, a line for each policy.
pub(super) fn picture(wanted: &Wanted<'_>, all: &[Ran]) -> String {
    let line = |ran: &Ran| {
        let begin = ran.run.moments.first().map_or(0, |moment| moment.at_s);
        let points = ran.run.moments.iter().map(|moment| {
            let hours = SignedDuration::from_secs(moment.at_s - begin).as_secs_f64() / 3_600.0;
            (hours, Some(crate::plot::whole(hourly(wanted, moment))))
        });
        Series { name: ran.rule.name().to_owned(), points: points.collect(), steps: true }
    };
    let series: Vec<Series> = all.iter().map(line).collect();
    let axes = Axes { x: "hours", y: "USD an hour for replicas that can serve", mark: None };
    draw(&format!("Replicas for {}", wanted.trace.display()), &axes, &series)
}

/// What an hour of the replicas costs that are ready at a moment.
fn hourly(wanted: &Wanted<'_>, moment: &Moment) -> Money {
    let all = wanted.kinds.prices().zip(&moment.ready);
    let pico = all.map(|(price, count)| price * i128::from(*count)).sum();
    Money::from_pico(pico, Currency::USD)
}
