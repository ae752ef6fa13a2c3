//! A recorded run of our own: what was decided and paid, and what another choice would have saved
//! and broken.
//!
//! A choice is judged twice: by what the books measured, and by making each recorded plan again
//! from what it was made from (`again`), where that was kept. What nobody can know from them is
//! named. Start with [`Recorded`].

mod again;

use super::format::{Asked, Format, Policies};
use super::names::unknown;
use super::result::{Ran, Simulated, ppm};
use crate::commands::duration;
use crate::home::Home;
use crate::outcome::WrongUse;
use crate::show;
use crate::table::{Align, Table};
use again::Replay;
use farthing_edge::Store as _;
use farthing_engine::Body;
use farthing_ledger::{Books, Choice, Hindsight, HindsightQuery, hindsight};
use farthing_model::{ClusterId, Currency, Destination, Money, Policy, Ratio, Window, WorkloadId};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;

/// What may be set, as it was in the run and as it would have been.
const PARAMETERS: [&str; 3] = ["utilisation.gpu.reserve", "idle-release", "idle-stop"];
/// Waits that are named; the others are counted.
const NAMED_MAX: usize = 20;
/// Records that are read at once.
const PAGE: usize = 1_000;

/// The data folder of `farthing up`.
pub(super) struct Recorded;

impl Format for Recorded {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn what(&self) -> &'static str {
        "the data folder of a recorded `farthing up`: its journal and its books"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["--set"]
    }

    fn policies(&self) -> Policies {
        Policies { all: &["recorded"], usual: &["recorded"] }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let started = Instant::now();
        if !asked.trace.is_dir() {
            let what = format!("--trace {}: there is no such folder", asked.trace.display());
            return Err(WrongUse::new(what).hint("give the --data of `farthing up`").into());
        }
        let choices = choices(&asked.args.set)?;
        let home = Home::new(Some(asked.trace), None, None)?;
        let cluster = home.cluster(None)?;
        let decided = Decided::read(&home, &cluster, &choices)?;
        let books = home.books()?;
        let (window, currency) = whole(&books, &cluster)?;
        let query = HindsightQuery {
            cluster: cluster.clone(),
            window,
            currency,
            choices: choices.iter().map(|(_, choice)| *choice).collect(),
            offers: Arc::default(),
            boot: Policy::default().boot,
            teams: None,
        };
        let found = hindsight(&books, &query)?;
        let run = Replayed { books: &books, cluster: &cluster, decided, found, choices: &choices };
        run.simulated(asked, (window, currency), started)
    }
}

/// The choices that `--set` names.
fn choices(set: &[String]) -> anyhow::Result<Vec<(String, Choice)>> {
    let mut choices = Vec::new();
    for text in set {
        let wrong = |what: &str| WrongUse::new(format!("--set {text}: {what}"));
        let (name, value) = text.split_once('=').ok_or_else(|| {
            wrong("it has no `=`").hint("write it like utilisation.gpu.reserve=0.25")
        })?;
        let choice = match name.trim() {
            "utilisation.gpu.reserve" => {
                let ratio = value.trim().parse::<Ratio>().ok();
                let ratio = ratio.filter(|ratio| *ratio < Ratio::ONE);
                Choice::Reserve(ratio.ok_or_else(|| wrong("it is no part below the whole"))?)
            }
            "idle-release" => {
                Choice::Release { after: duration("--set idle-release", value)?, idle_too: false }
            }
            "idle-stop" => {
                Choice::Release { after: duration("--set idle-stop", value)?, idle_too: true }
            }
            other => return Err(unknown(("--set", "parameter"), other, &PARAMETERS).into()),
        };
        choices.push((text.clone(), choice));
    }
    Ok(choices)
}

/// The hours that the books have.
fn whole(books: &Books, cluster: &ClusterId) -> anyhow::Result<(Window, Currency)> {
    let hours = books.posted_hours(cluster)?;
    let ends = hours.first().zip(hours.last());
    let Some((first, last)) = ends else {
        return Err(WrongUse::new(format!("the books of {cluster} have no charges")).into());
    };
    let book = books.hour(cluster, last.from())?;
    let currency = book.map_or(Currency::USD, |book| book.currency);
    Ok((Window::new(first.from(), last.to())?, currency))
}

/// What the journal says was decided.
struct Decided {
    replay: Replay,
    records: u64,
    plans: u64,
    steps: u64,
    workloads: std::collections::BTreeSet<String>,
}

impl Decided {
    /// Reads the journal, and makes its plans again.
    fn read(
        home: &Home,
        cluster: &ClusterId,
        choices: &[(String, Choice)],
    ) -> anyhow::Result<Self> {
        let mut decided = Self {
            replay: Replay::new(choices.len()),
            records: 0,
            plans: 0,
            steps: 0,
            workloads: std::collections::BTreeSet::new(),
        };
        let inputs = home.inputs(cluster);
        if !home.store().has(cluster)? {
            return Ok(decided);
        }
        let journal = home.store().look(cluster)?;
        loop {
            let page = journal.read(decided.records + 1, PAGE)?;
            let Some(last) = page.last() else { return Ok(decided) };
            decided.records = last.seq;
            for record in &page {
                if let Body::Planned(plan) = Body::read(record)? {
                    decided.plans += 1;
                    decided.replay.plan(&inputs, &plan, choices)?;
                    decided.steps += u64::try_from(plan.steps.len())?;
                    let waiting = plan.waiting.into_iter().map(|waiting| waiting.workload);
                    decided.workloads.extend(waiting);
                }
            }
        }
    }
}

/// A recorded run beside what it could have been.
struct Replayed<'a> {
    books: &'a Books,
    cluster: &'a ClusterId,
    decided: Decided,
    found: Hindsight,
    choices: &'a [(String, Choice)],
}

impl Replayed<'_> {
    fn simulated(
        self,
        asked: &Asked<'_>,
        (window, currency): (Window, Currency),
        started: Instant,
    ) -> anyhow::Result<Simulated> {
        let mut used = Money::zero(currency);
        let mut workloads = self.decided.workloads.clone();
        for charge in self.books.charges(self.cluster, window)? {
            if charge.destination == Destination::Used {
                used = used.checked_add(charge.cost)?;
            }
            workloads.extend(charge.attribution.iter().map(|who| who.workload.to_string()));
        }
        let paid = self.found.paid;
        let ran = Ran {
            name: "recorded",
            cost: Some(paid),
            paid: Some(paid),
            used: Some(used),
            idle: Some(paid.checked_sub(used)?),
            utilisation_ppm: ppm(used, paid),
            makespan_s: Some(window.duration().as_secs()),
            mean_jct_s: None,
            p99_jct_s: None,
            deadline_misses: None,
            completed: workloads.len(),
            events: self.decided.records,
            wall_ms: u64::try_from(started.elapsed().as_millis())?,
            more: Map::from_iter([
                ("plans".to_owned(), json!(self.decided.plans)),
                ("steps".to_owned(), json!(self.decided.steps)),
                ("replay".to_owned(), self.decided.replay.json()),
            ]),
        };
        Ok(Simulated {
            trace: asked.trace.display().to_string(),
            jobs: workloads.len(),
            currency: Some(currency),
            lower_bound: None,
            policies: vec![ran],
            more: Map::from_iter([("set".to_owned(), self.outcomes())]),
            text: Some(self.text(window)),
            table: Some(self.table()),
        })
    }

    fn outcomes(&self) -> Value {
        let currency = self.found.paid.currency();
        let decided = self.decided.replay.choices.iter();
        let outcomes = self.choices.iter().zip(&self.found.outcomes).zip(decided);
        let outcomes = outcomes.map(|(((name, _), outcome), decided)| {
            let late = outcome.late.iter().take(NAMED_MAX).map(|late| {
                json!({
                    "workload": late.workload.as_str(),
                    "node": late.node.as_str(),
                    "at": late.at.to_string(),
                })
            });
            json!({
                "set": name,
                "cost": outcome.cost.to_decimal(),
                "saving": outcome.saving.to_decimal(),
                "waits": outcome.late_count,
                "late": late.collect::<Vec<_>>(),
                "stopped": outcome.stopped.iter().map(WorkloadId::as_str).collect::<Vec<_>>(),
                "decided": decided.json(currency),
            })
        });
        outcomes.collect::<Vec<_>>().into()
    }

    fn text(&self, window: Window) -> String {
        let Decided { records, plans, steps, .. } = &self.decided;
        let (paid, hours) = (show::money(self.found.paid), self.found.hours);
        let was = format!(
            "{} in {window}: {hours} hours, {paid} paid, {records} records with {plans} plans of \
             {steps} steps",
            self.cluster
        );
        let was = format!("{was}\n{}", self.decided.replay.text());
        if self.choices.is_empty() {
            return was;
        }
        format!("{was}\n\n{}", self.table().to_text())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("set", Align::Left),
            ("paid", Align::Right),
            ("would have cost", Align::Right),
            ("saved", Align::Right),
            ("waits for a node", Align::Right),
            ("stopped", Align::Right),
            ("plans changed", Align::Right),
            ("planned saving", Align::Right),
            ("more waiting", Align::Right),
            ("refused", Align::Right),
        ]);
        let decided = self.decided.replay.choices.iter();
        let outcomes = self.choices.iter().zip(&self.found.outcomes).zip(decided);
        for (((name, _), outcome), decided) in outcomes {
            table.row([
                name.clone(),
                show::money(self.found.paid),
                show::money(outcome.cost),
                show::money(outcome.saving),
                outcome.late_count.to_string(),
                outcome.stopped.len().to_string(),
                decided.changed.to_string(),
                show::money(decided.saved(self.found.paid.currency())),
                decided.waits.to_string(),
                decided.refused.to_string(),
            ]);
        }
        table
    }
}
