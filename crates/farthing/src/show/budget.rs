//! Budgets for people.

use crate::table::{Align, Table};
use farthing_model::Money;
use farthing_server::wire::{AnomalyJson, BudgetStateJson, ClaimJson, LadderStepJson};
use serde_json::Value;
use std::fmt::Write as _;

/// Budgets as they stand, and where they are going.
pub(crate) fn text(states: &[BudgetStateJson]) -> String {
    let mut out = rows(states).to_text();
    for state in states {
        if let Some(allowed) = &state.allowed {
            let until = allowed.until.as_deref().unwrap_or("further notice");
            let (by, why) = (&allowed.by, &allowed.why);
            let _ = write!(out, "\n{}: {by} allowed this limit until {until}: {why}", state.budget);
        }
        if let Some(carried) = &state.carried {
            let _ = write!(out, "\n{}: of its limit {} came over", state.budget, short(carried));
        }
        out.push_str(&ladder(state));
        let Some(ahead) = &state.forecast else { continue };
        let by = match state.period.name {
            "rolling" => format!("over the days to come, until {}", state.period.to),
            _ => format!("by {}", state.period.to),
        };
        let _ = write!(
            out,
            "\n{}: {by} it will be {} (one in ten: below {}, above {}); of {} past weeks {} came \
             as forecast",
            state.budget,
            short(&ahead.p50),
            short(&ahead.p10),
            short(&ahead.p90),
            ahead.tried,
            ahead.held
        );
    }
    out
}

/// What a budget's ladder does, or proposes, a line each: what it saves, and what ends it.
fn ladder(state: &BudgetStateJson) -> String {
    let line = |step: &LadderStepJson| {
        let LadderStepJson { step: id, what, .. } = step;
        let (saves, currency) = (short(&step.saves), &state.currency);
        let (said, undo) = match (step.state, &step.since) {
            ("in-force", Some(since)) => {
                (format!("done {since}"), format!("farthing undo {id} takes it back"))
            }
            (said, _) => (said.to_owned(), "nothing is done yet".to_owned()),
        };
        let why = step.reasons.join("\n  ");
        format!("\n{}: {what} saves {saves} {currency} ({said}; {undo})\n  {why}", state.budget)
    };
    state.ladder_steps.iter().map(line).collect()
}

/// What costs far more than usual, a line each.
pub(crate) fn odd(anomalies: &[AnomalyJson]) -> String {
    let line = |it: &AnomalyJson| {
        let (spent, usual, currency) = (short(&it.spent), short(&it.usual), &it.currency);
        let (of, name, hour) = (it.of, &it.name, &it.hour);
        format!("\n{of} {name} cost {spent} {currency} in the hour of {hour}; usual is {usual}")
    };
    anomalies.iter().map(line).collect()
}

/// One row a budget.
pub(crate) fn rows(states: &[BudgetStateJson]) -> Table {
    let mut table = Table::new(&[
        ("budget", Align::Left),
        ("scope", Align::Left),
        ("until", Align::Left),
        ("limit", Align::Right),
        ("spent", Align::Right),
        ("committed", Align::Right),
        ("reserved", Align::Right),
        ("left", Align::Right),
        ("gone", Align::Right),
        ("now", Align::Left),
    ]);
    for (state, depth) in tree(states) {
        let limit = match (&state.limit, state.gpu_hours_limit) {
            (Some(limit), _) => format!("{} {}", short(limit), state.currency),
            (None, Some(hours)) => format!("{hours} GPU-h"),
            (None, None) => String::new(),
        };
        let left = match (&state.left, state.gpu_hours_limit) {
            (Some(left), _) => short(left),
            (None, Some(_)) => {
                state.gpu_hours_left.map_or_else(String::new, |left| format!("{left:.3} GPU-h"))
            }
            (None, None) => String::new(),
        };
        let kind = if state.hard { "" } else { " (soft)" };
        table.row([
            format!("{:depth$}{}{kind}", "", state.budget),
            state.scope.clone(),
            if state.period.name == "rolling" {
                "rolling".to_owned()
            } else {
                state.period.to.clone()
            },
            limit,
            in_unit(state, &state.spent, state.gpu_hours),
            in_unit(state, &state.committed, state.gpu_hours_committed),
            in_unit(state, &state.reserved, state.gpu_hours_reserved),
            left,
            state.gone.map_or_else(String::new, |gone| format!("{:.1} %", gone * 100.0)),
            match (state.rung, state.rung_mode) {
                (Some(rung), Some("enforce") | None) => rung.to_owned(),
                (Some(rung), Some(mode)) => format!("{rung} ({mode})"),
                (None, _) => String::new(),
            },
        ]);
    }
    table
}

/// A part of a budget in the unit of its limit.
fn in_unit(state: &BudgetStateJson, money: &str, hours: f64) -> String {
    if state.gpu_hours_limit.is_some() { format!("{hours:.3} GPU-h") } else { short(money) }
}

/// Where budgets would stand beside where they do, and what would have to go.
pub(crate) fn simulated(now: &[BudgetStateJson], then: &[BudgetStateJson]) -> String {
    let mut out = rows(then).to_text();
    for (now, then) in now.iter().zip(then) {
        let rung = |state: &BudgetStateJson| state.rung.unwrap_or("no rung");
        if rung(now) != rung(then) {
            let _ = write!(out, "\n{}: {} instead of {}", then.budget, rung(then), rung(now));
        }
        let over = then.left.as_deref().and_then(|left| left.strip_prefix('-'));
        let Some(over) = over else { continue };
        let (over, currency) = (short(over), &then.currency);
        let _ = write!(out, "\n{}: {over} {currency} too much; what holds it:", then.budget);
        for driver in &then.drivers {
            let amount = short(&driver.amount);
            let _ = write!(out, "\n  {amount:>12}  {} ({})", driver.what, driver.undo);
        }
    }
    out
}

/// Budgets in the order of their tree, each with twice its depth.
fn tree(states: &[BudgetStateJson]) -> Vec<(&BudgetStateJson, usize)> {
    let is_there = |name: &str| states.iter().any(|state| state.budget == name);
    let mut left: Vec<_> = states.iter().rev().map(|state| (state, 0)).collect();
    left.retain(|(state, _)| !state.parent.as_deref().is_some_and(is_there));
    let mut rows = Vec::with_capacity(states.len());
    while let Some((state, depth)) = left.pop() {
        rows.push((state, depth));
        let below = states.iter().rev();
        let below = below.filter(|child| child.parent.as_ref() == Some(&state.budget));
        left.extend(below.map(|child| (child, depth + 2)));
    }
    rows
}

/// Whether something fits.
pub(crate) fn answer(amount: Money, reservation: Option<&Value>, answer: &Value) -> String {
    let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let list = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let soft = list(answer, "soft").into_iter().map(|short| {
        let by = short["short_by"].as_str().map_or_else(String::new, |by| format!(" by {by}"));
        format!("\nexceeds soft budget {}{by}: {}", text(&short, "budget"), text(&short, "why"))
    });
    let soft: String = soft.collect();
    if let Some(claim) = reservation {
        let (id, expires) = (text(claim, "id"), text(claim, "expires"));
        let budgets = list(claim, "budgets");
        let budgets: Vec<&str> = budgets.iter().filter_map(Value::as_str).collect();
        return format!(
            "reserved {amount} as {id} until {expires} in {}{soft}\nafterwards: farthing budget \
             settle {id} --spent MONEY",
            budgets.join(", ")
        );
    }
    let lines: Vec<String> = list(answer, "short").iter().map(|short| text(short, "why")).collect();
    if answer["fits"] == Value::Bool(false) {
        // Of budgets of others it is only said that there are.
        let lines = if lines.is_empty() { vec!["budgets of others".to_owned()] } else { lines };
        return format!("{amount} does not fit:\n  {}{soft}", lines.join("\n  "));
    }
    let hard = list(answer, "hard");
    let hard: Vec<&str> = hard.iter().filter_map(Value::as_str).collect();
    match (hard.is_empty(), soft.is_empty()) {
        (true, _) => format!("{amount} fits, as nothing says no: no hard budget covers it{soft}"),
        (false, true) => format!("{amount} fits {}", hard.join(", ")),
        (false, false) => format!("{amount} fits the hard limits of {}{soft}", hard.join(", ")),
    }
}

/// What something does not fit into, or would exceed, one row a budget.
pub(crate) fn shortages(answer: &Value) -> Table {
    let mut table = Table::new(&[
        ("budget", Align::Left),
        ("of", Align::Left),
        ("left", Align::Right),
        ("why", Align::Left),
    ]);
    let shorts = ["short", "soft"].iter().filter_map(|name| answer[*name].as_array()).flatten();
    for short in shorts {
        let cell = |name: &str| short[name].as_str().unwrap_or_default().to_owned();
        table.row(["budget", "of", "left", "why"].map(cell));
    }
    table
}

/// Reservations, one a row.
pub(crate) fn claims(claims: &[ClaimJson]) -> Table {
    let mut table = Table::new(&[
        ("id", Align::Left),
        ("for", Align::Left),
        ("team", Align::Left),
        ("amount", Align::Right),
        ("expires", Align::Left),
        ("budgets", Align::Left),
    ]);
    for claim in claims {
        let expires = if claim.expired { "expired".to_owned() } else { claim.expires.clone() };
        table.row([
            claim.id.clone(),
            claim.what.clone(),
            claim.team.clone().unwrap_or_default(),
            format!("{} {}", claim.amount, claim.currency),
            expires,
            claim.budgets.join(", "),
        ]);
    }
    table
}

/// An amount to two places, for people: the exact one is in JSON.
fn short(decimal: &str) -> String {
    let (whole, places) = decimal.split_once('.').unwrap_or((decimal, ""));
    format!("{whole}.{:0<2}", places.chars().take(2).collect::<String>())
}
