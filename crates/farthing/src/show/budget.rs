//! Budgets for people.

use crate::table::{Align, Table};
use farthing_engine::{Ask, Short};
use farthing_server::wire::{AnomalyJson, BudgetStateJson, ClaimJson, LadderStepJson, ShortJson};
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
pub(crate) fn answer(
    ask: &Ask,
    granted: Option<&ClaimJson>,
    (shorts, over): (&[Short], &[Short]),
) -> String {
    let by = |short: &Short| short.by().map_or_else(String::new, |by| format!(" by {by}"));
    let soft = over
        .iter()
        .map(|short| format!("\nexceeds soft budget {}{}: {short}", short.budget, by(short)));
    let soft: String = soft.collect();
    if let Some(claim) = granted {
        let budgets = claim.budgets.join(", ");
        return format!(
            "reserved {} as {} until {} in {budgets}{soft}\nafterwards: farthing budget settle {} \
             --spent MONEY",
            ask.amount, claim.id, claim.expires, claim.id
        );
    }
    match (shorts.is_empty(), over.is_empty()) {
        (true, true) => format!("{} fits", ask.amount),
        (true, false) => format!("{} fits the hard limits{soft}", ask.amount),
        (false, _) => {
            let lines: Vec<_> = shorts.iter().map(ToString::to_string).collect();
            format!("{} does not fit:\n  {}{soft}", ask.amount, lines.join("\n  "))
        }
    }
}

/// What something does not fit into, one row a budget.
pub(crate) fn shortages(shorts: &[ShortJson]) -> Table {
    let mut table = Table::new(&[
        ("budget", Align::Left),
        ("of", Align::Left),
        ("left", Align::Right),
        ("why", Align::Left),
    ]);
    for short in shorts {
        let left = short.left.clone().unwrap_or_default();
        table.row([short.budget.clone(), short.of.to_owned(), left, short.why.clone()]);
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
