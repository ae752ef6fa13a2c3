//! Jobs that grow on idle accelerators, against running them as they asked.

use super::set::{Set, number};
use crate::commands::duration;
use crate::commands::simulate::file::unreadable;
use crate::commands::simulate::format::{Asked, Format, Policies};
use crate::commands::simulate::result::{Ran, Simulated, p99};
use crate::outcome::WrongUse;
use crate::show;
use crate::table::{Align, Table};
use anyhow::bail;
use farthing_model::{Currency, Money};
use farthing_sim::shift::{ElasticRule, ElasticRun, ElasticSpec, run_elastic};
use farthing_sim::trace::{ElasticAsked, read_elastic};
use serde_json::{Map, json};
use std::time::Instant;

const PARAMETERS: [&str; 1] = ["restart"];

/// Jobs with the speed of each size.
pub(in super::super) struct Elastic;

impl Format for Elastic {
    fn name(&self) -> &'static str {
        "elastic"
    }

    fn what(&self) -> &'static str {
        "jobs that can use more accelerators (submit, app, accelerators, batch_size, run_s), with \
         the time of a step by --throughput; CSV or Parquet"
    }

    fn takes(&self) -> &'static [&'static str] {
        &[
            "--throughput",
            "--cluster",
            "--price",
            "--rent",
            "--variant",
            "--work",
            "--limit",
            "--set",
        ]
    }

    fn policies(&self) -> Policies {
        let all = &["farthing", "fixed"];
        Policies { all, usual: all }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let args = asked.args;
        let given = Wanted::read(asked)?;
        let like = "--throughput steps.csv";
        let table = Asked::needed("--throughput", args.throughput.as_deref(), like)?;
        let run_s = match &args.work {
            Some(text) => Some(u64::try_from(duration("--work", text)?.as_secs())?),
            None => None,
        };
        let mut trace = read_elastic(
            (asked.trace, table),
            &ElasticAsked {
                kind: &given.kind,
                workload: args.variant.as_deref(),
                run_s,
                accelerators: given.spec.accelerators,
            },
        )
        .map_err(|error| unreadable("--trace", &error))?;
        trace.jobs.truncate(args.limit.unwrap_or(usize::MAX));
        let mut runs = Vec::new();
        for name in &asked.policies {
            let started = Instant::now();
            let rule = ElasticRule::ALL.into_iter().find(|(_, known)| known == name);
            let Some((rule, _)) = rule else { bail!("there is no rule of the policy {name}") };
            let run = run_elastic(&trace.jobs, (&given.spec, rule));
            runs.push((*name, run, u64::try_from(started.elapsed().as_millis())?));
        }
        let mut more = Map::new();
        more.insert("left_out".to_owned(), json!(trace.left_out));
        Ok(Simulated {
            trace: asked.trace.display().to_string(),
            jobs: trace.jobs.len(),
            currency: Some(Currency::USD),
            lower_bound: None,
            policies: runs.iter().map(|one| ran(one, &given, &runs)).collect(),
            more,
            text: Some(text(&runs, &given, trace.left_out)),
            table: None,
        })
    }
}

struct Wanted {
    kind: String,
    spec: ElasticSpec,
    /// Of an hour of an accelerator: owned, and rented.
    owned: i128,
    rented: i128,
}

impl Wanted {
    fn read(asked: &Asked<'_>) -> anyhow::Result<Self> {
        let args = asked.args;
        let set = Set::read(&args.set, &PARAMETERS)?;
        let [cluster] = args.cluster.as_slice() else {
            let what = "--cluster is one kind of accelerator, as the table of steps names it";
            return Err(WrongUse::new(what).hint("like --cluster dgx-ext=64").into());
        };
        let wrong = |what: &str| {
            WrongUse::new(format!("--cluster {cluster}: {what}"))
                .hint("write it like dgx-ext=64: 64 accelerators")
        };
        let (kind, count) = cluster.split_once('=').ok_or_else(|| wrong("it has no `=`"))?;
        let count = count.trim().parse::<u32>().ok().filter(|count| (1..=100_000).contains(count));
        let accelerators = count.ok_or_else(|| wrong("it is no number from 1 to 100000"))?;
        let kind = kind.trim().to_owned();
        let of = |flag: &str, text: &str| {
            let (name, amount) = text.split_once('=').ok_or_else(|| {
                WrongUse::new(format!("{flag} {text}: it has no `=`"))
                    .hint(format!("write it like {flag} {kind}=2.10"))
            })?;
            if name.trim() != kind {
                let what = format!("{flag} {name}: the cluster has no such accelerator");
                return Err(WrongUse::new(what).into());
            }
            number(&format!("{flag} {text}"), amount.trim())
        };
        let like = format!("--price {kind}=1.20");
        let owned = Asked::needed("--price", args.price.first(), &like)?;
        let owned = of("--price", owned)?;
        let rented = args.rent.first().map(|text| of("--rent", text)).transpose()?;
        let restart_s = u64::try_from(set.seconds("restart", 60)?)?;
        Ok(Self {
            spec: ElasticSpec { accelerators, restart_s, rents: rented.is_some() },
            kind,
            owned,
            rented: rented.unwrap_or(0),
        })
    }

    /// What is owned for so long, and what is rented.
    fn costs(&self, run: &ElasticRun, span_s: u64) -> [i128; 2] {
        let owned = i128::from(self.spec.accelerators) * i128::from(span_s) * self.owned / 3_600;
        [owned, i128::from(run.rented_s) * self.rented / 3_600]
    }
}

/// How long the owned accelerators are paid: until the last job of any policy is done.
fn span_s(runs: &[(&'static str, ElasticRun, u64)]) -> u64 {
    runs.iter().map(|(_, run, _)| run.makespan_s).max().unwrap_or(0)
}

fn usd(pico: i128) -> Money {
    Money::from_pico(pico, Currency::USD)
}

fn base(runs: &[(&'static str, ElasticRun, u64)]) -> Option<&ElasticRun> {
    let found = runs.iter().find(|(name, ..)| *name == ElasticRule::Fixed.name());
    found.map(|(_, run, _)| run)
}

#[allow(clippy::cast_precision_loss, reason = "hours to print")]
fn hours(seconds: u64) -> f64 {
    seconds as f64 / 3_600.0
}

fn mean(run: &ElasticRun) -> Option<i64> {
    let count = u64::try_from(run.completion_s.len()).ok()?;
    i64::try_from(run.completion_s.iter().sum::<u64>().checked_div(count)?).ok()
}

fn ran(
    (name, run, wall_ms): &(&'static str, ElasticRun, u64),
    wanted: &Wanted,
    runs: &[(&'static str, ElasticRun, u64)],
) -> Ran {
    let span_s = span_s(runs);
    let [owned, rented] = wanted.costs(run, span_s);
    let held = i128::from(run.held_s) * wanted.owned / 3_600;
    let there = u128::from(wanted.spec.accelerators) * u128::from(span_s);
    let mut lengths: Vec<i64> =
        run.completion_s.iter().map(|length| i64::try_from(*length).unwrap_or(i64::MAX)).collect();
    lengths.sort_unstable();
    let mut more = Map::new();
    more.insert("rented_hours".to_owned(), json!(hours(run.rented_s)));
    more.insert("rented".to_owned(), json!(usd(rented).to_decimal()));
    more.insert("changes".to_owned(), json!(run.changes));
    more.insert("grown".to_owned(), json!(run.grown));
    if let Some(base) = base(runs) {
        let saved = wanted.costs(base, span_s).iter().sum::<i128>() - owned - rented;
        more.insert("saved".to_owned(), json!(usd(saved).to_decimal()));
    }
    Ran {
        name,
        cost: Some(usd(owned + rented)),
        paid: Some(usd(owned + rented)),
        used: Some(usd(held + rented)),
        idle: Some(usd(owned - held)),
        utilisation_ppm: i128::try_from(u128::from(run.held_s) * 1_000_000 / there.max(1)).ok(),
        makespan_s: i64::try_from(run.makespan_s).ok(),
        mean_jct_s: mean(run),
        p99_jct_s: p99(&lengths),
        deadline_misses: None,
        completed: lengths.len(),
        events: run.decisions,
        wall_ms: *wall_ms,
        more,
    }
}

fn text(runs: &[(&'static str, ElasticRun, u64)], wanted: &Wanted, left_out: usize) -> String {
    let (l, r) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("policy", l),
        ("cost", r),
        ("rented", r),
        ("rented h", r),
        ("saved", r),
        ("held h", r),
        ("mean completion", r),
        ("makespan", r),
        ("grown", r),
        ("changes", r),
    ]);
    let span_s = span_s(runs);
    let base = base(runs).map(|base| wanted.costs(base, span_s).iter().sum::<i128>());
    let time = |seconds: i64| show::duration(jiff::SignedDuration::from_secs(seconds));
    for (name, run, _) in runs {
        let [owned, rented] = wanted.costs(run, span_s);
        table.row([
            (*name).to_owned(),
            show::money(usd(owned + rented)),
            show::money(usd(rented)),
            format!("{:.1}", hours(run.rented_s)),
            base.map_or("-".to_owned(), |base| show::money(usd(base - owned - rented))),
            format!("{:.1}", hours(run.held_s)),
            mean(run).map_or("-".to_owned(), time),
            time(i64::try_from(run.makespan_s).unwrap_or(i64::MAX)),
            run.grown.to_string(),
            run.changes.to_string(),
        ]);
    }
    let jobs = runs.first().map_or(0, |(_, run, _)| run.completion_s.len());
    let out = if left_out > 0 {
        format!(", {left_out} left out, whose app or size was not measured")
    } else {
        String::new()
    };
    format!("{jobs} jobs on {} accelerators{out}\n\n{}", wanted.spec.accelerators, table.to_text())
}
