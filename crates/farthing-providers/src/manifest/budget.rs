//! `kind: Budget`.

use super::fault::{Report, suggestion};
use super::fields::{Fields, items};
use super::{scalar, scalar::Parsed, shape};
use crate::yaml::{Node, Value};
use farthing_model::{
    Budget, BudgetId, Carry, Escalation, EscalationAction, Limit, LimitError, Mode, Period, Ratio,
    Scope, TeamId,
};

/// The longest rolling period: ten years.
const DAYS_MAX: u16 = 3_660;

/// Reads the spec; `None` only where faults were reported.
pub(crate) fn budget(id: BudgetId, spec: &Node, report: &mut Report) -> Option<Budget> {
    let fields = Fields::open(spec, "spec", &shape::BUDGET, report)?;
    let scope = fields.get("scope").and_then(|node| scope(node, report));
    let limit = fields.read("limit", limit, report);
    let period = fields.get("period").and_then(|node| period(node, report));
    let hard = fields.read("hard", scalar::truth, report).unwrap_or(true);
    let escalate = escalation(fields, report);
    let carry = match fields.get("carry") {
        None => None,
        Some(node) => Some(carry(node, (limit, period), report)?),
    };
    Some(Budget { id, scope: scope?, limit: limit?, period: period?, hard, escalate, carry })
}

/// What goes on to the next period. `limit` and `period` are those of the budget, where they are
/// right.
fn carry(
    node: &Node,
    (limit, period): (Option<Limit>, Option<Period>),
    report: &mut Report,
) -> Option<Carry> {
    if matches!(period, Some(Period::Fixed(_) | Period::Rolling(_))) {
        let what = "`carry` needs a period that another one follows: day, week, month or quarter";
        report.fault(node.spot, what);
        return None;
    }
    let fields = Fields::open(node, "carry", &shape::CARRY, report)?;
    let most = |text: &str| match (text.trim_end().ends_with('%'), limit) {
        (true, Some(limit)) => part(limit, scalar::ratio(text)?),
        (true, None) => Err("it is a part of a limit that is not there".to_owned()),
        (false, _) => self::limit(text),
    };
    let most = fields.read("max", most, report);
    let since = fields.read("since", scalar::time, report);
    let (most, since) = (most?, since?);
    match (limit?, most) {
        (Limit::Money(limit), Limit::Money(most)) if limit.currency() == most.currency() => {}
        (Limit::GpuHoursMilli(_), Limit::GpuHoursMilli(_)) => {}
        _ => {
            report.fault(node.spot, "`max` is not in the unit of the limit");
            return None;
        }
    }
    Some(Carry { most, since })
}

/// A part of a limit, rounded down.
fn part(limit: Limit, part: Ratio) -> Parsed<Limit> {
    let ppm = part.ppm();
    match limit {
        Limit::Money(limit) => {
            let whole = limit.checked_mul_int(i128::from(ppm));
            let whole = whole.and_then(|money| money.div_rem(1_000_000));
            whole.map(|(money, _)| Limit::Money(money)).map_err(|error| error.to_string())
        }
        Limit::GpuHoursMilli(milli) => {
            let whole = u128::from(milli) * u128::from(ppm) / 1_000_000;
            let whole = u64::try_from(whole).map_err(|_| "it is too large".to_owned());
            whole.map(Limit::GpuHoursMilli)
        }
    }
}

/// Reads a limit: `120000 USD`, `500 GPU-hours`.
fn limit(text: &str) -> Parsed<Limit> {
    text.parse().map_err(|error: LimitError| error.to_string())
}

fn scope(node: &Node, report: &mut Report) -> Option<Scope> {
    if node.text() == Some("all") {
        return Some(Scope::All);
    }
    let fields = Fields::open(node, "spec.scope", &shape::SCOPE, report)?;
    let before = report.faults.len();
    let team = |text: &str| TeamId::new(text).map_err(|error| error.to_string());
    let all = fields.read("all", scalar::truth, report).unwrap_or(false);
    let named = |level: &str, report: &mut Report| {
        let text = |text: &str| match text.trim() {
            "" => Err("it is empty".to_owned()),
            text => Ok(text.to_owned()),
        };
        let name = fields.read(level, text, report);
        name.map(|name| Scope::Label(level.to_owned(), name))
    };
    // From the widest to the narrowest, so that the same scope is always written the same.
    let mut given: Vec<Scope> = named("organisation", report).into_iter().collect();
    given.extend(fields.read("team", team, report).map(Scope::Team));
    given.extend(named("project", report));
    given.extend(named("user", report));
    given.extend(fields.get("label").and_then(|node| label(node, report)).into_iter().flatten());
    if report.faults.len() != before {
        return None;
    }
    match (all, given.len()) {
        (true, 0) => Some(Scope::All),
        (false, 1) => given.pop(),
        (false, 2..) => Some(Scope::Within(given)),
        (true, _) => {
            report.fault(node.spot, "`scope` is all and something narrower; keep one of them");
            None
        }
        (false, 0) => {
            let what = "`scope` needs one of organisation, team, project, user, label and all";
            report.fault(node.spot, what);
            None
        }
    }
}

/// The labels of a scope: all of them must be there.
fn label(node: &Node, report: &mut Report) -> Option<Vec<Scope>> {
    let pairs: Option<Vec<(&str, &str)>> = match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            entries.iter().map(|(key, node)| Some((key.name.as_str(), node.text()?))).collect()
        }
        Value::Scalar(text) => text.split_once('=').map(|pair| vec![pair]),
        _ => None,
    };
    if pairs.is_none() {
        report.fault(node.spot, "`label` is not labels such as {project: alpha}");
    }
    let scope = |(key, value): (&str, &str)| Scope::Label(key.to_owned(), value.to_owned());
    pairs.map(|pairs| pairs.into_iter().map(scope).collect())
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
    if let Some(last) = fields.get("last") {
        if fields.get("from").or_else(|| fields.get("to")).is_some() {
            report.fault(
                node.spot,
                "`period` is rolling or one span; keep `last` or `from` and `to`",
            );
            return None;
        }
        return super::fields::read(last, "last", rolling, report);
    }
    for missing in ["from", "to"].into_iter().filter(|name| fields.get(name).is_none()) {
        let what = format!("`period` needs `{missing}`, or `last` for the last so many days");
        report.fault(node.spot, what);
    }
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

/// Whole days: the books are looked at by the hour, and people by the day.
fn rolling(text: &str) -> Parsed<Period> {
    let length = scalar::duration(text)?;
    let days = length.as_hours() / 24;
    let whole = jiff::SignedDuration::from_hours(24 * days) == length;
    let days = u16::try_from(days).ok().filter(|days| whole && (1..=DAYS_MAX).contains(days));
    let what = || format!("`{text}` is not a whole number of days, from 1d to {DAYS_MAX}d");
    days.map(Period::Rolling).ok_or_else(what)
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
    let choices = EscalationAction::ALL.map(|action| (action.name(), action));
    let action = fields.choice("do", &choices, report);
    let modes = Mode::ALL.map(|mode| (mode.name(), mode));
    let mode = fields.choice("mode", &modes, report).unwrap_or(Mode::Enforce);
    Some(Escalation { at: at?, action: action?, mode })
}
