//! Jobs deferred to hours in which power is cheap or clean, against running them at once.

use super::set::Set;
use crate::commands::duration;
use crate::commands::simulate::file::unreadable;
use crate::commands::simulate::power_of;
use crate::commands::simulate::format::{Asked, Format, Policies};
use crate::commands::simulate::result::{Ran, Simulated, p99, part};
use crate::outcome::WrongUse;
use crate::show;
use crate::table::{Align, Table};
use anyhow::bail;
use farthing_model::{Currency, Money};
use farthing_planner::shift::Pausing;
use farthing_sim::shift::{DeferRule, DeferRun, DeferSpec, DeferWork, bound, run_deferral};
use farthing_sim::trace::jobs::{JobFormat, TraceJob};
use farthing_sim::trace::PowerHours;
use serde_json::{Map, json};
use std::time::Instant;

const PARAMETERS: [&str; 5] = ["watts", "carbon-price", "known", "pause", "accelerators"];
/// What an accelerator draws where nobody says: one of 2023 with its part of the node.
const WATTS: u32 = 700;
const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
/// Jobs that are played at most.
const JOBS_MAX: usize = 200_000;

/// Power by the hour, and jobs that can wait.
pub(in super::super) struct Grid;

impl Format for Grid {
    fn name(&self) -> &'static str {
        "grid"
    }

    fn what(&self) -> &'static str {
        "power by the hour (time, usd_kwh or usd_mwh, g_kwh, zone), for the jobs of --jobs; CSV or \
         Parquet"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["--jobs", "--carbon", "--zone", "--deadline", "--round", "--limit", "--set"]
    }

    fn policies(&self) -> Policies {
        let all = &["farthing", "at-once", "foresight"];
        Policies { all, usual: all }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let spec = spec(asked)?;
        let hours =
            read_power((asked.trace, asked.args.carbon.as_deref()), asked.args.zone.as_deref());
        let hours = hours.map_err(|error| unreadable("--trace", &error))?;
        if spec.carbon_price > 0 && !hours.has_carbon {
            let what = "--set carbon-price: the trace has no carbon";
            return Err(WrongUse::new(what).hint("give --carbon with g_kwh by the hour").into());
        }
        let (jobs, moved_s) = jobs(asked, &hours, &spec)?;
        let wrong = |error| WrongUse::new(format!("--jobs: {error}"));
        let least = bound(&hours, &jobs, &spec).map_err(wrong)?;
        let mut runs = Vec::new();
        for name in &asked.policies {
            let started = Instant::now();
            let Some((rule, _)) = DeferRule::ALL.into_iter().find(|(_, known)| known == name)
            else {
                bail!("there is no rule of the policy {name}");
            };
            let run = run_deferral(&hours, &jobs, (&spec, rule)).map_err(wrong)?;
            if let Some(fault) = run.faults.first() {
                bail!("a plan of {name} does not hold: {fault}");
            }
            runs.push((*name, run, u64::try_from(started.elapsed().as_millis())?));
        }
        Ok(answer(asked, (&hours, moved_s), &runs, (jobs.len(), least)))
    }
}

fn spec(asked: &Asked<'_>) -> anyhow::Result<DeferSpec> {
    let args = asked.args;
    let set = Set::read(&args.set, &PARAMETERS)?;
    let slot_s = match &args.round {
        Some(text) => duration("--round", text)?.as_secs(),
        None => HOUR_S,
    };
    if slot_s < 60 || HOUR_S % slot_s != 0 {
        let what = format!("--round: {slot_s} s are no whole part of an hour from a minute on");
        return Err(WrongUse::new(what).hint("write it like 15m").into());
    }
    let pausing = match set.text("pause") {
        None | Some("never") => Pausing::Never,
        Some(_) => Pausing::Loses(set.seconds("pause", 0)?),
    };
    Ok(DeferSpec {
        slot_s,
        accelerators: set.whole("accelerators", (1, 10_000_000))?.unwrap_or(10_000_000),
        watts: set.whole("watts", (1, 100_000))?.unwrap_or(WATTS),
        pausing,
        known_h: usize::try_from(set.seconds("known", DAY_S)? / HOUR_S)?,
        // Of a tonne, as carbon is traded.
        carbon_price: set.pico("carbon-price")? / 1_000,
    })
}

/// The jobs in seconds from the begin of the power, and by how much they were moved: those of
/// another time begin with the first midnight of it, at their own time of the day.
fn jobs(
    asked: &Asked<'_>,
    hours: &PowerHours,
    spec: &DeferSpec,
) -> anyhow::Result<(Vec<DeferWork>, i64)> {
    let args = asked.args;
    let path = Asked::needed("--jobs", args.jobs.as_deref(), "--jobs data/traces/philly-jobs.csv")?;
    let format = JobFormat::guess(path).ok_or_else(|| {
        let forms: Vec<&str> = JobFormat::ALL.into_iter().map(|(_, name)| name).collect();
        WrongUse::new(format!("--jobs {} is no trace of jobs", path.display()))
            .hint(format!("it has none of the columns of {}", forms.join(", ")))
    })?;
    let slack_s = match args.deadline.as_slice() {
        [] => None,
        [one] => Some(duration("--deadline", one)?.as_secs()),
        _ => return Err(WrongUse::new("--deadline: jobs have one, and several are given").into()),
    };
    let stream = format.open(path).map_err(|error| unreadable("--jobs", &error))?;
    let most = args.limit.unwrap_or(JOBS_MAX).min(JOBS_MAX);
    let read: Result<Vec<TraceJob>, _> = stream.take(most).collect();
    let read = read.map_err(|error| unreadable("--jobs", &error))?;
    let Some(first) = read.first() else {
        return Err(WrongUse::new(format!("--jobs {} has no job", path.display())).into());
    };
    let end_s = hours.start_s + i64::try_from(hours.power.len())? * HOUR_S;
    let midnight = |at: i64| (at + DAY_S - 1).div_euclid(DAY_S) * DAY_S;
    let within = (hours.start_s..end_s).contains(&first.submit_s);
    let moved_s =
        if within { 0 } else { midnight(hours.start_s) - first.submit_s.div_euclid(DAY_S) * DAY_S };
    let mut all = Vec::with_capacity(read.len());
    for job in &read {
        if job.accelerators > spec.accelerators {
            let what = format!(
                "--set accelerators={}: a job needs {}",
                spec.accelerators, job.accelerators
            );
            return Err(WrongUse::new(what).into());
        }
        let submit_s = job.submit_s + moved_s - hours.start_s;
        let (run_s, due_s) = (i64::from(job.run_s), job.due_s);
        let due_s = due_s.map(|due_s| due_s + moved_s - hours.start_s);
        all.push(DeferWork {
            submit_s,
            run_s,
            accelerators: job.accelerators,
            due_s: due_s.or_else(|| Some(submit_s + run_s + slack_s?)),
        });
    }
    if all.iter().all(|job| job.due_s.is_none()) {
        return Err(WrongUse::new("no job has a deadline, so that none can wait")
            .hint("give --deadline 12h: due that much later than its run time")
            .into());
    }
    Ok((all, moved_s))
}

fn usd(pico: i128) -> Money {
    Money::from_pico(pico, Currency::USD)
}

#[allow(clippy::cast_precision_loss, reason = "kilograms and kilowatt-hours to print")]
fn thousandth(of: i128) -> f64 {
    (of / 1_000) as f64 / 1_000.0
}

fn answer(
    asked: &Asked<'_>,
    (hours, moved_s): (&PowerHours, i64),
    runs: &[(&'static str, DeferRun, u64)],
    (jobs, least): (usize, i128),
) -> Simulated {
    let base = runs.iter().find(|(name, ..)| *name == DeferRule::AtOnce.name());
    let base = base.map(|(_, run, _)| run);
    let mut more = Map::new();
    more.insert("moved_s".to_owned(), json!(moved_s));
    more.insert("hours_filled".to_owned(), json!(hours.filled));
    Simulated {
        trace: asked.trace.display().to_string(),
        jobs,
        currency: Some(Currency::USD),
        lower_bound: Some(usd(least)),
        policies: runs.iter().map(|one| ran(one, base, hours.has_carbon)).collect(),
        more,
        text: Some(text(runs, base, (jobs, least))),
        table: None,
    }
}

fn ran(
    (name, run, wall_ms): &(&'static str, DeferRun, u64),
    base: Option<&DeferRun>,
    has_carbon: bool,
) -> Ran {
    let mut lengths = run.completion_s.clone();
    lengths.sort_unstable();
    let count = i64::try_from(lengths.len()).unwrap_or(i64::MAX);
    let mut more = Map::new();
    more.insert("power_cost".to_owned(), json!(usd(run.power).to_decimal()));
    more.insert("carbon_cost".to_owned(), json!(usd(run.cost - run.power).to_decimal()));
    more.insert("kwh".to_owned(), json!(thousandth(run.watt_s / 3_600)));
    let carbon = has_carbon.then(|| thousandth(run.carbon_mg / 1_000));
    more.insert("carbon_kg".to_owned(), json!(carbon));
    if let Some(base) = base {
        more.insert("saved".to_owned(), json!(usd(base.cost - run.cost).to_decimal()));
        let saved = has_carbon.then(|| thousandth((base.carbon_mg - run.carbon_mg) / 1_000));
        more.insert("saved_kg".to_owned(), json!(saved));
    }
    Ran {
        name,
        cost: Some(usd(run.cost)),
        paid: Some(usd(run.cost)),
        used: Some(usd(run.cost)),
        idle: Some(usd(0)),
        utilisation_ppm: None,
        makespan_s: Some(run.makespan_s),
        mean_jct_s: (count > 0).then(|| lengths.iter().sum::<i64>() / count),
        p99_jct_s: p99(&lengths),
        deadline_misses: Some(run.late),
        completed: lengths.len(),
        events: run.plans,
        wall_ms: *wall_ms,
        more,
    }
}

fn text(
    runs: &[(&'static str, DeferRun, u64)],
    base: Option<&DeferRun>,
    (jobs, least): (usize, i128),
) -> String {
    let (l, r) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("policy", l),
        ("cost", r),
        ("power", r),
        ("carbon kg", r),
        ("saved", r),
        ("saved kg", r),
        ("late", r),
        ("mean completion", r),
        ("plans", r),
    ]);
    for (name, run, _) in runs {
        let count = i64::try_from(run.completion_s.len().max(1)).unwrap_or(i64::MAX);
        let mean = run.completion_s.iter().sum::<i64>() / count;
        let share = |base: &DeferRun| {
            let ppm = (base.cost - run.cost) * 1_000_000 / base.cost.max(1);
            format!("{} ({:.1} %)", show::money(usd(base.cost - run.cost)), part(ppm) * 100.0)
        };
        let kg = |mg: i128| format!("{:.1}", thousandth(mg / 1_000));
        table.row([
            (*name).to_owned(),
            show::money(usd(run.cost)),
            show::money(usd(run.power)),
            kg(run.carbon_mg),
            base.map_or("-".to_owned(), share),
            base.map_or("-".to_owned(), |base| kg(base.carbon_mg - run.carbon_mg)),
            run.late.to_string(),
            show::duration(jiff::SignedDuration::from_secs(mean)),
            run.plans.to_string(),
        ]);
    }
    let least = show::money(usd(least));
    format!(
        "{jobs} jobs; no policy in which all are in time can be below {least} USD\n\n{}",
        table.to_text()
    )
}
