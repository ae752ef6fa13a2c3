//! The plan: what is proposed, what waits and why, and the budgets.

use super::bars::{Part, stacked, swatch};
use super::html::{Html, amount, digits, escape, percent, short};
use crate::publish::{Ticked, View};
use farthing_engine::planner::{BudgetRow, BudgetState, Planned, Report};
use farthing_engine::target;
use farthing_model::{Action, EscalationAction, Limit, Money, Step};

/// Rows of a table on the page; the rest is in the API.
const ROWS_MAX: usize = 40;

/// Proposals and what waits.
pub(super) fn section(html: &mut Html, view: &View, last: &Ticked) {
    html.put(format_args!("<section id=\"plan\"><h2>Plan</h2>\n"));
    let Some(planned) = &last.tick.planned else {
        html.put(format_args!(
            "<p>This tick made no plan (mode {}).</p></section>\n",
            view.about.policy.mode.name()
        ));
        return;
    };
    summary(html, &planned.report);
    proposals(html, planned, last);
    waiting(html, &planned.report);
    html.put(format_args!("</section>\n"));
}

fn summary(html: &mut Html, report: &Report) {
    let currency = report.cost.currency();
    let money = |money: Option<Money>| money.map_or_else(|| "–".to_owned(), amount);
    html.put(format_args!(
        "<dl class=\"facts\"><div><dt>cost, {currency}</dt><dd>{}</dd></div>\
         <div><dt>proven least cost</dt><dd>{}</dd></div><div><dt>gap</dt><dd>{}</dd></div>\
         <div><dt>status</dt><dd>{}</dd></div><div><dt>policy</dt><dd>{}</dd></div>\
         <div><dt>horizon</dt><dd>{} to {}</dd></div></dl>\n",
        amount(report.cost),
        money(report.lower_bound),
        percent(report.gap),
        report.status.name(),
        escape(report.policy),
        short(report.horizon.from()),
        short(report.horizon.to())
    ));
}

fn proposals(html: &mut Html, planned: &Planned, last: &Ticked) {
    let steps = &planned.plan.steps;
    html.put(format_args!("<h3>Proposals ({})</h3>\n", steps.len()));
    if steps.is_empty() {
        html.put(format_args!("<p class=\"hint\">Nothing to change.</p>\n"));
        return;
    }
    html.put(format_args!(
        "<div class=\"scroll\"><table class=\"steps\"><thead><tr><th scope=\"col\">What</th>\
         <th scope=\"col\">Where</th><th scope=\"col\">When</th>\
         <th scope=\"col\" class=\"num\">Cost</th><th scope=\"col\" class=\"num\">Saves</th>\
         <th scope=\"col\">Why, and what became of it</th></tr></thead><tbody>\n"
    ));
    for step in steps.iter().take(ROWS_MAX) {
        proposal(html, step, last);
    }
    html.put(format_args!("</tbody></table></div>\n"));
    more(html, steps.len(), "/api/v1/plan");
}

fn proposal(html: &mut Html, step: &Step, last: &Ticked) {
    let name = escape(&target(&step.action));
    let (what, offer, window) = match &step.action {
        Action::Start { offer, members, nodes_each, window, .. } => {
            (start(*members, *nodes_each), Some(offer), Some(*window))
        }
        Action::Scale { offer, from, to, window, .. } => {
            (format!("scale from {from} to {to}"), Some(offer), Some(*window))
        }
        Action::Buy { offer, nodes, window, .. } => {
            (format!("buy {nodes}"), Some(offer), Some(*window))
        }
        other => (other.name().to_owned(), None, None),
    };
    let reasons: Vec<String> =
        step.reasons.iter().map(|reason| escape(&reason.to_string())).collect();
    let offer = offer.map_or_else(|| "–".to_owned(), |offer| breakable(offer.as_str()));
    let when = window.map_or_else(
        || "–".to_owned(),
        |window| format!("{} to<br>{}", short(window.from()), short(window.to())),
    );
    html.put(format_args!(
        "<tr><th scope=\"row\">{name}<br><small>{what}</small></th><td>{offer}</td>\
         <td class=\"when\">{when}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
         <td>{}<br><small>{}</small></td></tr>\n",
        amount(step.cost),
        amount(step.saving),
        reasons.join("; "),
        escape(&fate(step, last))
    ));
}

/// Members and nodes in words.
fn start(members: u32, nodes_each: u32) -> String {
    let plural = |count: u32, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    match (members, nodes_each) {
        (1, nodes) => format!("start on {}", plural(nodes, "node")),
        (members, nodes) => {
            format!("start {} on {} each", plural(members, "member"), plural(nodes, "node"))
        }
    }
}

/// What became of a step in this tick.
fn fate(step: &Step, last: &Ticked) -> String {
    let acted = &last.tick.acted;
    if let Some((_, held)) = acted.held.iter().find(|(other, _)| other.id == step.id) {
        return format!("{}: {held}", step.id);
    }
    if let Some(receipt) = acted.receipts.iter().find(|receipt| receipt.step == step.id) {
        return format!("{}: {}", step.id, crate::wire::ReceiptJson::of(receipt).outcome);
    }
    if acted.unknown.iter().any(|other| other.id == step.id) {
        return format!("{}: begun, not known whether it took effect", step.id);
    }
    step.id.to_string()
}

/// An offer's id, which may break after its slashes.
fn breakable(id: &str) -> String {
    escape(id).replace('/', "/<wbr>")
}

fn waiting(html: &mut Html, report: &Report) {
    let waiting = &report.waiting;
    html.put(format_args!("<h3>Waiting ({})</h3>\n", waiting.len()));
    if waiting.is_empty() {
        html.put(format_args!("<p class=\"hint\">Nothing waits.</p>\n"));
        return;
    }
    html.put(format_args!(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Workload</th>\
         <th scope=\"col\" class=\"num\">Members</th><th scope=\"col\">Why</th></tr></thead>\
         <tbody>\n"
    ));
    for row in waiting.iter().take(ROWS_MAX) {
        let late =
            if row.late { " <span class=\"chip warn\">misses its deadline</span>" } else { "" };
        html.put(format_args!(
            "<tr><th scope=\"row\">{}{late}</th><td class=\"num\">{}</td><td>{}</td></tr>\n",
            escape(row.workload.as_str()),
            row.members,
            escape(&row.reason.to_string())
        ));
    }
    html.put(format_args!("</tbody></table></div>\n"));
    more(html, waiting.len(), "/api/v1/plan");
}

/// Says that rows are left out.
fn more(html: &mut Html, rows: usize, route: &str) {
    if rows > ROWS_MAX {
        let left = rows - ROWS_MAX;
        html.put(format_args!(
            "<p class=\"hint\">and {left} more in <a href=\"{route}\">{route}</a></p>\n"
        ));
    }
}

/// Each budget: posted, reserved, planned, against its limit.
pub(super) fn budgets(html: &mut Html, last: &Ticked) {
    let tick = &last.tick;
    html.put(format_args!("<section id=\"budgets\"><h2>Budgets</h2>\n"));
    if tick.budgets.is_empty() {
        html.put(format_args!("<p class=\"hint\">No budget is set.</p></section>\n"));
        return;
    }
    html.put(format_args!(
        "<p class=\"hint\">{} spent {} reserved {} planned; the line is the limit</p>\n",
        swatch("used", ""),
        swatch("idle", "hatch"),
        swatch("unallocated", "dots")
    ));
    let report = tick.planned.as_ref().map(|planned| planned.report.budgets.as_slice());
    for state in &tick.budgets {
        let row = report.unwrap_or_default().iter().find(|row| row.budget == state.budget.id);
        budget(html, state, row);
    }
    html.put(format_args!("</section>\n"));
}

fn budget(html: &mut Html, state: &BudgetState, row: Option<&BudgetRow>) {
    let currency = state.spent.currency();
    let limit = match state.limit {
        Limit::Money(limit) => Some(limit),
        Limit::GpuHoursMilli(_) => None,
    };
    let zero = Money::zero(currency);
    let planned = row.map_or(zero, |row| row.planned);
    let sizes = [state.spent, state.committed, planned].map(Money::pico);
    let sum: i128 = sizes.iter().sum();
    let whole = sum.max(limit.map_or(0, Money::pico));
    let part = |class, pattern, size| Part { class, pattern, size };
    let parts = [
        part("used", "", sizes[0]),
        part("idle", "hatch", sizes[1]),
        part("unallocated", "dots", sizes[2]),
    ];
    let of = limit.map_or_else(|| "a limit in GPU-hours".to_owned(), digits);
    let words = format!(
        "{}: spent {}, reserved {}, planned {}, of {of} {currency}",
        state.budget.id,
        digits(state.spent),
        digits(state.committed),
        digits(planned)
    );
    let rung = row.and_then(|row| row.rung).map(EscalationAction::name);
    let rung = rung.map_or_else(String::new, |rung| {
        format!(" <span class=\"chip warn\">forecast reaches: {rung}</span>")
    });
    let hard = if state.budget.hard { "hard" } else { "soft" };
    html.put(format_args!(
        "<div class=\"row\"><span>{}<br><small>{}, {hard}</small></span><div>{}\
         <p class=\"hint\">spent {} · reserved {} · planned {} · limit {of} {currency}{rung}</p>\
         </div></div>\n",
        escape(state.budget.id.as_str()),
        state.budget.period.name(),
        stacked(&parts, whole, limit.map(Money::pico), &words),
        amount(state.spent),
        amount(state.committed),
        amount(planned)
    ));
}
