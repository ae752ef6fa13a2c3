//! Both days side by side, for people.

use super::Outcome;
use farthing_engine::Cause;
use farthing_model::{Money, Ratio};
use std::fmt::Write as _;

/// The sums of predicted and realised savings.
pub(crate) fn sums(outcome: &Outcome, cause: Option<Cause>) -> (Money, Money) {
    let own = outcome.verified.iter().filter(|(why, _)| cause.is_none_or(|cause| cause == *why));
    let zero = Money::zero(outcome.paid.currency());
    own.fold((zero, zero), |(predicted, realised), (_, record)| {
        let sum = |sum: Money, more: &str| sum.checked_add(more.parse().unwrap()).unwrap();
        (sum(predicted, &record.predicted), sum(realised, &record.realised))
    })
}

fn money(amount: Money) -> String {
    amount.rounded(2)
}

/// A table.
pub(crate) fn text(without: &Outcome, with: &Outcome) -> String {
    let mut out = String::new();
    let mut row = |what: &str, one: String, other: String| {
        let _ = writeln!(out, "{what:<34}{one:>18}{other:>18}");
    };
    row("", "without".to_owned(), "with Farthing".to_owned());
    row("paid for nodes (ledger)", money(without.paid), money(with.paid));
    let saved = without.paid.checked_sub(with.paid).unwrap();
    let part = Ratio::of(saved.pico(), without.paid.pico()).unwrap_or(Ratio::ZERO);
    row("  saved", String::new(), format!("{} ({part})", money(saved)));
    row("  of it nobody's", money(without.unallocated), money(with.unallocated));
    row("  of it idle", money(without.idle), money(with.idle));
    for team in ["research", "serving", "vision"] {
        let of =
            |outcome: &Outcome| outcome.teams.get(team).map_or_else(String::new, |it| money(*it));
        let limit = if team == "vision" { " (limit 40 USD)" } else { "" };
        row(&format!("  team {team}{limit}"), of(without), of(with));
    }
    let kept = |outcome: &Outcome| {
        let kept = outcome.deadlines.values().filter(|kept| **kept).count();
        format!("{kept} of {}", outcome.deadlines.len())
    };
    row("deadlines kept", kept(without), kept(with));
    for job in without.done.keys() {
        let of = |outcome: &Outcome| format!("{} h", outcome.done[job].as_hours());
        row(&format!("  work done by {job}"), of(without), of(with));
    }
    let served = |outcome: &Outcome| {
        let (served, all) = outcome.served;
        format!("{}.{} %", served * 100 / all, served * 1_000 / all % 10)
    };
    row("requests served", served(without), served(with));
    row("steps", without.steps.len().to_string(), with.steps.len().to_string());
    for (cause, what) in [
        (Cause::Replicas, "replicas by use"),
        (Cause::Idle, "idle work"),
        (Cause::Sick, "the sick node"),
    ] {
        let (predicted, realised) = sums(with, Some(cause));
        row(&format!("  {what}: predicted, realised"), money(predicted), money(realised));
    }
    row("undone at the end", "-".to_owned(), with.undone.to_string());
    let as_before = |outcome: &Outcome| {
        if outcome.changed.is_empty() { "yes".to_owned() } else { "no".to_owned() }
    };
    row("objects as people made them", as_before(without), as_before(with));
    row("minutes of this machine", minutes(without), minutes(with));
    out
}

fn minutes(outcome: &Outcome) -> String {
    format!("{}:{:02}", outcome.took.as_secs() / 60, outcome.took.as_secs() % 60)
}
