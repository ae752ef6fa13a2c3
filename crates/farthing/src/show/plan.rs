//! A plan for people: steps, what waits, the four decisions, the proof.

use super::{binding, money, prices, ratio, short_time, window};
use crate::table::{Align, Table};
use farthing_model::{Offer, OfferId, Reason, Resource};
use farthing_planner::{Placement, Planned, Report, Sensitivity, Waiting};
use std::fmt::Write as _;

/// A plan, what binds it, and the baselines on the same input.
pub(crate) fn text(
    planned: &Planned,
    sensitivity: &Sensitivity,
    baselines: &[Planned],
    offers: &[Offer],
    solve_ms: u128,
) -> String {
    let prices = planned.report.price_dates(offers);
    let prices = prices.map(|dates| prices::text(&dates, farthing_model::utc_day(planned.plan.at)));
    let report = &planned.report;
    let mut out = String::new();
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            let _ = write!(out, "{title}\n{body}\n\n");
        }
    };
    section("PLAN", steps(report).to_text());
    section("WAITING", waiting(report));
    section("1 UTILISATION", utilisation(report));
    section("2 SCHEDULING", scheduling(report));
    let cost = [Some(cost(report, solve_ms)), prices];
    section("3 COST", cost.into_iter().flatten().collect::<Vec<_>>().join("\n"));
    section("SERVICES", super::service::text(&report.services));
    section("4 BUDGET", budget(report));
    section("WHAT BINDS", binding::text(sensitivity));
    section("BASELINES ON THE SAME INPUT", compare(report, baselines));
    section("NOT CONSIDERED", excluded(report));
    section("UNKNOWN", report.unknown.join("\n"));
    out.trim_end().to_owned()
}

/// The placements as a table, also for CSV.
pub(crate) fn steps(report: &Report) -> Table {
    let mut table = Table::new(&[
        ("workload", Align::Left),
        ("offer", Align::Left),
        ("count", Align::Right),
        ("start", Align::Left),
        ("end", Align::Left),
        ("cost", Align::Right),
        ("saves", Align::Right),
        ("why", Align::Left),
    ]);
    for placement in &report.placements {
        let nodes = placement.members * placement.nodes_each;
        let offer = placement.offer.as_ref().map_or("(quoted)", OfferId::as_str);
        let saving = placement.reference.and_then(|there| there.checked_sub(placement.cost).ok());
        table.row([
            placement.workload.to_string(),
            offer.to_owned(),
            nodes.to_string(),
            short_time(placement.window.from()),
            short_time(placement.window.to()),
            money(placement.cost),
            saving.map_or_else(|| "-".to_owned(), money),
            why(&placement.reasons, placement.stays),
        ]);
    }
    table
}

/// A placement whole: where, when, its cost as a sum, and each reason in a line.
pub(crate) fn placement(placed: &Placement, offer: Option<&Offer>) -> String {
    let nodes = placed.members * placed.nodes_each;
    let at = placed.offer.as_ref().map_or("a quoted price", OfferId::as_str);
    let mut lines = vec![
        format!("{}: {nodes} x {at}", placed.workload),
        format!("when      {}", window(placed.window)),
        format!("costs     {} {}", money(placed.cost), placed.cost.currency()),
    ];
    if let Some((rate, from)) =
        offer.and_then(|it| Some((it.price.rate()?, it.price.provenance()?)))
    {
        let hours = placed.window.duration().as_secs_f64() / 3_600.0;
        lines.push(format!(
            "          {nodes} x {hours:.3} h x {rate} ({} price of {}, {})",
            from.kind.name(),
            from.as_of,
            from.source,
        ));
    }
    if let Some(reference) = placed.reference {
        lines.push(format!("beside    {} by fifo on demand", money(reference)));
    }
    if placed.stays {
        lines.push("because   it is there already, and moving would not pay".to_owned());
    }
    lines.extend(placed.reasons.iter().map(|reason| format!("because   {reason}")));
    lines.join("\n")
}

/// Someone who waits, and why.
pub(crate) fn waits(waiting: &Waiting) -> String {
    let late = if waiting.late { "\n          its deadline will be missed" } else { "" };
    format!("{}: {} wait\nbecause   {}{late}", waiting.workload, waiting.members, waiting.reason)
}

fn why(reasons: &[Reason], stays: bool) -> String {
    if stays {
        return "stays".to_owned();
    }
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn waiting(report: &Report) -> String {
    let mut table =
        Table::new(&[("workload", Align::Left), ("count", Align::Right), ("why", Align::Left)]);
    for waiting in &report.waiting {
        let late = if waiting.late { " (its deadline will be missed)" } else { "" };
        table.row([
            waiting.workload.to_string(),
            waiting.members.to_string(),
            format!("{}{late}", waiting.reason),
        ]);
    }
    if table.is_empty() { "nothing waits".to_owned() } else { table.to_text() }
}

fn utilisation(report: &Report) -> String {
    let mut table = Table::new(&[
        ("resource", Align::Left),
        ("now", Align::Right),
        ("band", Align::Left),
        ("state", Align::Left),
        ("planned", Align::Right),
        ("decision", Align::Left),
    ]);
    for row in &report.utilisation {
        table.row([
            row.resource.to_string(),
            row.now.map_or_else(|| "-".to_owned(), |now| now.to_string()),
            format!("{} to {}", row.band.threshold(), row.band.max),
            row.state.map_or("not measured", farthing_model::BandState::name).to_owned(),
            row.after.map_or_else(|| "-".to_owned(), |after| after.to_string()),
            row.proposal.clone(),
        ]);
    }
    table.to_text()
}

fn scheduling(report: &Report) -> String {
    let placed: u32 = report.placements.iter().map(|placement| placement.members).sum();
    let waits: u32 = report.waiting.iter().map(|waiting| waiting.members).sum();
    let bound =
        report.value_bound.map_or_else(String::new, |bound| format!(" of {bound} possible"));
    format!("{placed} placed, {waits} wait; value {}{bound}", report.value)
}

fn cost(report: &Report, solve_ms: u128) -> String {
    let cost = format!("{} {}", money(report.cost), report.cost.currency());
    let Some(bound) = report.lower_bound else { return cost };
    let certified = report.certified_bound.map_or_else(String::new, |certified| {
        format!("; {} proven without trust in the solver", money(certified))
    });
    let limit = report.solver.limit.map_or_else(String::new, |limit| format!(", stopped: {limit}"));
    format!(
        "{cost}; proven lower bound {}, gap {} ({}{limit}, {solve_ms} ms){certified}",
        money(bound),
        ratio(report.gap),
        report.status.name(),
    )
}

fn budget(report: &Report) -> String {
    let mut table = Table::new(&[
        ("budget", Align::Left),
        ("limit", Align::Right),
        ("spent", Align::Right),
        ("committed", Align::Right),
        ("planned", Align::Right),
        ("forecast", Align::Right),
        ("ladder", Align::Left),
    ]);
    for row in &report.budgets {
        table.row([
            row.budget.to_string(),
            row.limit.map_or_else(|| "GPU-hours".to_owned(), money),
            money(row.spent),
            money(row.committed),
            money(row.planned),
            money(row.forecast),
            row.rung.map_or_else(|| "-".to_owned(), |rung| format!("{rung:?}").to_lowercase()),
        ]);
    }
    if table.is_empty() {
        return "no budget was given".to_owned();
    }
    let mut text = table.to_text();
    for cut in &report.cuts {
        let retry = cut.retry.map_or_else(String::new, |at| format!(", can be retried from {at}"));
        let _ = write!(
            text,
            "\ncut by {}: {} x {} (value {}, saves {}){retry}",
            cut.budget,
            cut.members,
            cut.workload,
            cut.value,
            money(cut.saved),
        );
    }
    text
}

fn compare(ours: &Report, baselines: &[Planned]) -> String {
    if baselines.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("policy", Align::Left),
        ("cost", Align::Right),
        ("value", Align::Right),
        ("placed", Align::Right),
        ("waiting", Align::Right),
        ("late", Align::Right),
        ("notes", Align::Left),
    ]);
    for report in std::iter::once(ours).chain(baselines.iter().map(|planned| &planned.report)) {
        let placed: u32 = report.placements.iter().map(|placement| placement.members).sum();
        let waits: u32 = report.waiting.iter().map(|waiting| waiting.members).sum();
        let late = report.waiting.iter().filter(|waiting| waiting.late);
        let late: u32 = late.map(|waiting| waiting.members).sum();
        let mut notes: Vec<String> = Vec::new();
        if report.policy != ours.policy {
            let lost = ours.value.checked_sub(report.value).filter(|lost| lost.is_positive());
            notes.extend(lost.map(|lost| format!("loses {lost} of the value")));
            notes.extend(report.unknown.iter().cloned());
        }
        table.row([
            report.policy.to_owned(),
            money(report.cost),
            report.value.to_string(),
            placed.to_string(),
            waits.to_string(),
            late.to_string(),
            notes.join("; "),
        ]);
    }
    table.to_text()
}

fn excluded(report: &Report) -> String {
    let parts = report.excluded.iter().map(|(reason, count)| format!("{count} offers: {reason}"));
    parts.collect::<Vec<_>>().join("\n")
}

/// The resources in the order of tables, for headers elsewhere.
pub(crate) const RESOURCES: [Resource; 4] = Resource::ALL;
