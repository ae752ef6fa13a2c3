//! `farthing explain`: any number back to samples and prices, any step back to its reasons.

use super::{newest, print};
use crate::args::{ExplainArgs, Output};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::show;
use crate::table::{Align, Table};
use anyhow::Context as _;
use farthing_edge::Store as _;
use farthing_engine::{Body, PlanRecord, StepRecord};
use farthing_ledger::{Key, ReportError, ShareIdle, StatementQuery, explain};
use farthing_model::ClusterId;
use farthing_providers::sqlite::SqliteStore;

/// Prints where a number or a step comes from.
pub(crate) fn run(args: &ExplainArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let cluster = home.cluster(args.cluster.as_deref())?;
    if let Some(found) = in_journal(&args.id, home, &cluster)? {
        print(
            output,
            || Ok(found.text()),
            || Ok(found.json()),
            || {
                let mut table = Table::new(&[("line", Align::Left)]);
                found.text().lines().for_each(|line| table.row([line.to_owned()]));
                Ok(table)
            },
        )?;
        return Ok(Outcome::Done);
    }
    let books = home.books()?;
    let (window, currency) = newest(&books, &cluster, &args.window)?;
    let query = StatementQuery {
        cluster,
        window,
        currency,
        by: vec![Key::Team, Key::Workload],
        share_idle: ShareIdle::Separate,
        resources: None,
    };
    let explained = match explain(&books, &query, &args.id) {
        Err(error @ ReportError::NotFound { .. }) => {
            let hint = "a step or plan of the journal will do too, such as p1-1 or p1";
            return Err(WrongUse::new(error.to_string()).hint(hint).into());
        }
        explained => explained?,
    };
    print(
        output,
        || Ok(show::statement::explanation(&explained)),
        || Ok(serde_json::to_value(farthing_server::wire::explanation(&explained))?),
        || Ok(show::statement::lines(&explained)),
    )?;
    Ok(Outcome::Done)
}

/// A plan or a step of the journal, with what became of it.
struct Found {
    plan: PlanRecord,
    step: Option<StepRecord>,
    after: Vec<String>,
}

impl Found {
    fn text(&self) -> String {
        if let Some(step) = &self.step {
            return show::statement::step(&self.plan, step, &self.after);
        }
        let steps = self.plan.steps.iter();
        let steps = steps.map(|step| show::statement::step(&self.plan, step, &[]));
        let waiting = self.plan.waiting.iter().map(|waiting| {
            format!("waits     {} x {}: {}", waiting.members, waiting.workload, waiting.reason)
        });
        steps.chain(waiting).collect::<Vec<_>>().join("\n\n")
    }

    fn json(&self) -> serde_json::Value {
        match &self.step {
            Some(step) => serde_json::json!({
                "plan": self.plan.plan, "policy": self.plan.policy,
                "step": step, "then": self.after,
            }),
            None => serde_json::json!({ "plan": self.plan }),
        }
    }
}

/// Looks for a plan or step; the journal is read once, from its start.
fn in_journal(id: &str, home: &Home, cluster: &ClusterId) -> anyhow::Result<Option<Found>> {
    let path = home.journal(cluster);
    if !path.exists() {
        return Ok(None);
    }
    let store = SqliteStore::open(&path)?;
    let mut found: Option<Found> = None;
    let mut next = 1;
    loop {
        let page = store.read(next, 1_000)?;
        let Some(last) = page.last() else { return Ok(found) };
        next = last.seq + 1;
        for record in &page {
            let body = Body::read(record)
                .with_context(|| format!("{} cannot be explained from", path.display()))?;
            look_at(body, id, &record.at.to_string(), &mut found);
        }
    }
}

fn look_at(body: Body, id: &str, at: &str, found: &mut Option<Found>) {
    match body {
        Body::Planned(plan) => {
            let step = plan.steps.iter().find(|step| step.step == id).cloned();
            if step.is_some() || plan.plan == id {
                *found = Some(Found { plan, step, after: Vec::new() });
            }
        }
        body => {
            let (step, line) = match &body {
                Body::Approved { step, by, approved } => {
                    let word = if *approved { "approved" } else { "rejected" };
                    (step, format!("{word} by {by}"))
                }
                Body::Reserved { step, amount, budgets, .. } => {
                    (step, format!("reserved {amount} in {}", list(budgets)))
                }
                Body::Intended { step } => (step, "begun".to_owned()),
                Body::Receipted { step, outcome, detail, .. } => {
                    (step, format!("{outcome} {detail}").trim_end().to_owned())
                }
                Body::Settled { step, posted } => (step, format!("settled at {posted}")),
                Body::Verified(record) => (&record.step, show::statement::verified(record)),
                Body::Undone { step, outcome } => (step, format!("undone: {outcome}")),
                Body::Planned(_) | Body::Started { .. } | Body::Noted { .. } => return,
            };
            if let Some(found) = found.as_mut().filter(|_| step == id) {
                found.after.push(format!("{at} {line}"));
            }
        }
    }
}

fn list(budgets: &[String]) -> String {
    if budgets.is_empty() { "no budget".to_owned() } else { budgets.join(", ") }
}
