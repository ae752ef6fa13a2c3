//! `farthing explain`: any number back to samples and prices, any step back to its reasons.

use super::{covered, keys, print};
use crate::args::{ExplainArgs, Output, PlanGiven};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::show;
use crate::table::{Align, Table};
use anyhow::{Context as _, bail};
use farthing_engine::{Body, PlanRecord, Story};
use farthing_ledger::{ReportError, StatementQuery, explain, subjects};
use farthing_model::ClusterId;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Prints where a number or a step comes from.
pub(crate) fn run(args: &ExplainArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    if !args.files.is_empty() {
        return super::plan::explain(&args.id, &args.files, &args.given, output);
    }
    if args.given != PlanGiven::default() {
        let what = "--prices, --egress, --budget, --horizon and --now are about a plan of files";
        return Err(WrongUse::new(what).hint("name its manifests with -f").into());
    }
    let cluster = home.cluster(args.cluster.as_deref())?;
    let (found, written) = in_journal(&args.id, home, &cluster)?;
    if let Some(found) = found {
        print(
            output,
            || Ok(text(&found)),
            || Ok(serde_json::to_value(farthing_server::wire::story(&found))?),
            || {
                let mut table = Table::new(&[("line", Align::Left)]);
                text(&found).lines().for_each(|line| table.row([line.to_owned()]));
                Ok(table)
            },
        )?;
        return Ok(Outcome::Done);
    }
    let books = home.books()?;
    let covered = covered(&books, std::slice::from_ref(&cluster), &args.window, None)?;
    let all = StatementQuery::of(cluster, covered.window, covered.currency);
    let query = StatementQuery { by: keys(&args.by)?, ..all };
    let explained = match explain(&books, &query, &args.id) {
        Err(error @ ReportError::NotFound { .. }) => {
            let known = subjects(&books, &query)?;
            let hint = meant(&args.id, &known, &written);
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

/// A plan or a step of the journal, in words.
fn text(story: &Story) -> String {
    let then: Vec<String> = story.then.iter().filter_map(happened).collect();
    if let Some(step) = &story.step {
        return show::statement::step(&story.plan, step, &then);
    }
    // What binds is said once for all steps.
    let plan = PlanRecord { binding: Vec::new(), ..story.plan.clone() };
    let steps = story.plan.steps.iter();
    let steps = steps.map(|step| show::statement::step(&plan, step, &[]));
    let steps = std::iter::once(show::statement::plan(&story.plan)).chain(steps);
    let waiting = story.plan.waiting.iter().map(|waiting| {
        format!("waits     {} x {}: {}", waiting.members, waiting.workload, waiting.reason)
    });
    let binding = story.plan.binding.iter().map(|binding| format!("bound by  {binding}"));
    steps.chain(waiting).chain(binding).collect::<Vec<_>>().join("\n\n")
}

/// What became of a step, as a line.
fn happened((at, body): &(Timestamp, Body)) -> Option<String> {
    let line = match body {
        Body::Approved { by, approved, .. } => {
            let word = if *approved { "approved" } else { "rejected" };
            format!("{word} by {by}")
        }
        Body::Reserved { amount, budgets, .. } => {
            format!("reserved {amount} in {}", list(budgets))
        }
        Body::Intended { .. } => "begun".to_owned(),
        Body::Receipted { outcome, detail, .. } => {
            format!("{outcome} {detail}").trim_end().to_owned()
        }
        Body::Settled { posted, .. } => format!("settled at {posted}"),
        Body::Covered { by, .. } => format!("covered by step {by}, which takes more"),
        Body::Verified(record) => show::statement::verified(record),
        Body::Undone { outcome, .. } => format!("undone: {outcome}"),
        Body::Planned(_)
        | Body::Started { .. }
        | Body::Reconfigured { .. }
        | Body::Claimed(_)
        | Body::Released { .. }
        | Body::Limited(_)
        | Body::Escalated(_)
        | Body::Reclaimed(_)
        | Body::Alerted(_)
        | Body::Delivered(_)
        | Body::Noted { .. }
        | Body::Issued(_)
        | Body::Revoked { .. }
        | Body::Accessed(_)
        | Body::Checkpoint { .. }
        | Body::Ran(_)
        | Body::Closed { .. } => return None,
    };
    Some(format!("{at} {line}"))
}

/// The names that someone may have meant, nearest first; `None` where none is near.
pub(crate) fn near<'a>(asked: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let far = |name: &str| strsim::damerau_levenshtein(name, asked);
    let near_enough = 1 + asked.chars().count() / 4;
    let is_part = |name: &str| asked.len() >= 3 && name.contains(asked);
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (if is_part(name) { 0 } else { far(name) }, name))
        .filter(|(distance, _)| *distance <= near_enough)
        .collect();
    near.sort_unstable();
    let names: Vec<&str> = near.iter().take(3).map(|(_, name)| *name).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
}

/// What someone may have meant: near names first, else what there is to name.
fn meant(asked: &str, known: &BTreeSet<String>, written: &[String]) -> String {
    if let Some(hint) = near(asked, known.iter().chain(written).map(String::as_str)) {
        return hint;
    }
    let plans = match (written.first(), written.last()) {
        (Some(first), Some(last)) => format!("its plans and steps are {first} to {last}"),
        _ => "it has no plan yet: nothing was proposed".to_owned(),
    };
    format!(
        "`farthing cost --by workload` lists names and ids; a plan or step of the journal will do \
         too ({plans})"
    )
}

/// Looks for a plan or step; the journal is read once, from its start. With what it does not find
/// come the names of all plans and steps.
fn in_journal(
    id: &str,
    home: &Home,
    cluster: &ClusterId,
) -> anyhow::Result<(Option<Story>, Vec<String>)> {
    let (mut found, mut written): (Option<Story>, Vec<String>) = (None, Vec::new());
    if !home.store().has(cluster)? {
        return Ok((found, written));
    }
    let mut unreadable = None;
    // Read as it is verified: without writing, and only what holds is explained from.
    let check = home.store().verify(cluster, &[], &mut |record| match Body::read(record) {
        Ok(body) => {
            if let Body::Planned(plan) = &body {
                written.push(plan.plan.clone());
                written.extend(plan.steps.iter().map(|step| step.step.clone()));
            }
            Story::read(&mut found, id, record.at, body);
        }
        Err(error) => unreadable = unreadable.take().or(Some(error)),
    })?;
    let file = home.store().place(cluster);
    if let Some(error) = unreadable {
        return Err(error).with_context(|| format!("{file} cannot be explained from"));
    }
    if let Some(fault) = check.first_fault {
        bail!("{file} cannot be explained from: {fault}");
    }
    Ok((found, written))
}

fn list(budgets: &[String]) -> String {
    if budgets.is_empty() { "no budget".to_owned() } else { budgets.join(", ") }
}
