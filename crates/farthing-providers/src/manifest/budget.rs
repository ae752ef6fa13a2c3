//! `kind: Budget`.

use super::fault::{Report, suggestion};
use super::fields::{Fields, items};
use super::{scalar, scalar::Parsed, shape};
use crate::yaml::{Node, Value};
use farthing_model::{
    Budget, BudgetId, Escalation, EscalationAction, Limit, Period, Scope, TeamId,
};

/// Reads the spec; `None` only where faults were reported.
pub(crate) fn budget(id: BudgetId, spec: &Node, report: &mut Report) -> Option<Budget> {
    let fields = Fields::open(spec, "spec", &shape::BUDGET, report)?;
    let scope = fields.get("scope").and_then(|node| scope(node, report));
    let limit = fields.read("limit", limit, report);
    let period = fields.get("period").and_then(|node| period(node, report));
    let hard = fields.read("hard", scalar::truth, report).unwrap_or(true);
    let escalate = escalation(fields, report);
    Some(Budget { id, scope: scope?, limit: limit?, period: period?, hard, escalate })
}

fn limit(text: &str) -> Parsed<Limit> {
    let hours = ["GPU-hours", "GPU-hour", "GPU-h"];
    let Some(number) = hours.iter().find_map(|unit| text.strip_suffix(unit)) else {
        return scalar::money(text).map(Limit::Money).map_err(|error| {
            format!("{error} (a limit is money such as 120000 USD, or time such as 500 GPU-hours)")
        });
    };
    scalar::milli(number.trim()).map(Limit::GpuHoursMilli)
}

fn scope(node: &Node, report: &mut Report) -> Option<Scope> {
    if node.text() == Some("all") {
        return Some(Scope::All);
    }
    let fields = Fields::open(node, "spec.scope", &shape::SCOPE, report)?;
    let before = report.faults.len();
    let team = |text: &str| TeamId::new(text).map_err(|error| error.to_string());
    let team = fields.read("team", team, report).map(Scope::Team);
    let all = fields.read("all", scalar::truth, report).filter(|all| *all).map(|_| Scope::All);
    let label = fields.get("label").and_then(|node| label(node, report));
    if report.faults.len() != before {
        return None;
    }
    let mut given: Vec<Scope> = [team, all, label].into_iter().flatten().collect();
    if given.len() != 1 {
        report.fault(node.spot, "`scope` needs exactly one of team, label and all");
    }
    given.pop()
}

fn label(node: &Node, report: &mut Report) -> Option<Scope> {
    let pair = match &node.value {
        Value::Map(entries) if entries.len() == 1 => {
            entries.iter().find_map(|(key, node)| Some((key.name.as_str(), node.text()?)))
        }
        Value::Scalar(text) => text.split_once('='),
        _ => None,
    };
    if pair.is_none() {
        report.fault(node.spot, "`label` is not one label such as {project: alpha}");
    }
    pair.map(|(key, value)| Scope::Label(key.to_owned(), value.to_owned()))
}

fn period(node: &Node, report: &mut Report) -> Option<Period> {
    if let Some(text) = node.text() {
        let known = [Period::Day, Period::Week, Period::Month, Period::Quarter];
        let found = known.into_iter().find(|period| period.name() == text);
        if found.is_none() {
            let hint = suggestion(text, shape::PERIODS);
            report.fault(node.spot, format!("`period`: `{text}` is not a period{hint}"));
        }
        return found;
    }
    let fields = Fields::open(node, "spec.period", &shape::SPAN, report)?;
    let from = fields.read("from", scalar::time, report);
    let to = fields.read("to", scalar::time, report);
    match scalar::window(from?, to?) {
        Ok(window) => Some(Period::Fixed(window)),
        Err(what) => {
            report.fault(node.spot, format!("`period`: {what}"));
            None
        }
    }
}

fn escalation(fields: Fields<'_>, report: &mut Report) -> Vec<Escalation> {
    let Some(node) = fields.get("escalate") else { return Vec::new() };
    let mut rungs: Vec<Escalation> = Vec::new();
    for item in items(node, "escalate", report) {
        let Some(rung) = rung(item, report) else { continue };
        if rungs.last().is_some_and(|last| last.at >= rung.at) {
            report.fault(item.spot, "`escalate` must ascend: each `at` above the one before it");
        }
        rungs.push(rung);
    }
    rungs
}

fn rung(node: &Node, report: &mut Report) -> Option<Escalation> {
    let fields = Fields::open(node, "escalate", &shape::ESCALATION, report)?;
    let at = fields.read("at", scalar::ratio, report);
    let choices = [
        ("notify", EscalationAction::Notify),
        ("hold", EscalationAction::Hold),
        ("cut", EscalationAction::Cut),
        ("suspend", EscalationAction::Suspend),
    ];
    let action = fields.choice("do", &choices, report);
    Some(Escalation { at: at?, action: action? })
}
