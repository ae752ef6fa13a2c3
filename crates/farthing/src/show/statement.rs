//! Statements and explanations for people.

use super::{ratio, small_money, window};
use crate::table::{Align, Table};
use farthing_engine::{PlanRecord, StepRecord, VerifiedRecord};
use farthing_ledger::{Explanation, Statement, StatementRow};
use farthing_model::{Money, MoneyError, Resource};
use std::fmt::Write as _;

/// The amounts of a row by the name of their column.
const AMOUNTS: [(&str, fn(&StatementRow) -> Money); 6] = [
    ("used", |row| row.used),
    ("idle", |row| row.idle),
    ("unallocated", |row| row.unallocated),
    ("overhead", |row| row.overhead),
    ("shared", |row| row.shared),
    ("total", |row| row.total),
];

/// A statement: what was paid, where it went, and by whom.
pub(crate) fn text(statement: &Statement, limit: usize) -> Result<String, MoneyError> {
    let mut out = format!("{}\n", window(statement.window));
    let _ = writeln!(
        out,
        "paid {} = used {} + idle {} + unallocated {} + overhead {} {} (difference {})",
        small_money(statement.paid),
        small_money(statement.used),
        small_money(statement.idle),
        small_money(statement.unallocated),
        small_money(statement.overhead),
        statement.currency,
        statement.difference.to_decimal(),
    );
    let coverage = statement.coverage.ratio();
    let _ = writeln!(out, "coverage {} of the paid node time was measured\n", ratio(coverage));
    out += &rows(statement, limit, small_money)?.to_text();
    for node in &statement.unpriced {
        let _ = write!(out, "\nnot charged: node {} ({}): {}", node.node, node.offer, node.why);
    }
    Ok(out)
}

/// The rows of a statement; the five amounts of a row sum to its total. Rows beyond `limit` are
/// summed, so that the columns still add up.
pub(crate) fn rows(
    statement: &Statement,
    limit: usize,
    amount: fn(Money) -> String,
) -> Result<Table, MoneyError> {
    let mut columns: Vec<(&'static str, Align)> =
        statement.by.iter().map(|key| (key.name(), Align::Left)).collect();
    columns.extend(AMOUNTS.map(|(name, _)| (name, Align::Right)));
    columns.extend([
        ("GPU-h", Align::Right),
        ("core-h", Align::Right),
        ("GiB-h", Align::Right),
        ("utilisation", Align::Right),
        ("id", Align::Left),
    ]);
    let mut table = Table::new(&columns);
    for row in statement.rows.iter().take(limit) {
        let mut cells = row.keys.clone();
        cells.extend(AMOUNTS.map(|(_, of)| amount(of(row))));
        cells.extend([
            hours(&row.gpu_hours().to_string()),
            hours(&row.core_hours().to_string()),
            hours(&row.gib_hours().to_string()),
            row.utilisation.map_or_else(|| "-".to_owned(), |ratio| ratio.to_string()),
            row.id.clone(),
        ]);
        table.row(cells);
    }
    let rest = statement.rows.get(limit..).unwrap_or(&[]);
    if !rest.is_empty() {
        let mut cells = vec![format!("({} more rows)", rest.len())];
        cells.resize(statement.by.len(), String::new());
        for (_, of) in AMOUNTS {
            cells.push(amount(Money::sum(rest.iter().map(of), statement.currency)?));
        }
        table.row(cells);
    }
    Ok(table)
}

/// Hours with two decimals.
fn hours(exact: &str) -> String {
    let (whole, fraction) = exact.split_once('.').unwrap_or((exact, ""));
    format!("{whole}.{:0<2}", &fraction[..fraction.len().min(2)])
}

/// Where a number comes from: rows times prices, and the samples behind them.
pub(crate) fn explanation(explained: &Explanation) -> String {
    let keys: Vec<String> = explained
        .by
        .iter()
        .zip(&explained.keys)
        .map(|(key, value)| format!("{} {value}", key.name()))
        .collect();
    let mut out = format!("{}: {}\n", explained.id, keys.join(", "));
    let _ = writeln!(out, "{}", window(explained.window));
    let _ = writeln!(out, "total {}\n\nCHARGES", explained.total);
    out += &lines(explained).to_text();
    out += "\n\nPRICES\n";
    let mut prices: Vec<String> = explained
        .lines
        .iter()
        .map(|line| {
            let from = &line.provenance;
            let kind = from.kind.name();
            format!("{}: {} ({kind}, {}, {})", line.offer, line.node_rate, from.source, from.as_of)
        })
        .collect();
    prices.sort();
    prices.dedup();
    out += &prices.join("\n");
    out += "\n\nSAMPLES\n";
    if explained.samples.is_empty() {
        out += "none: nobody was charged for it, or its telemetry is no longer kept";
    } else {
        out += &samples(explained).to_text();
    }
    if explained.hours_without_telemetry > 0 {
        let _ = write!(out, "\n{} hours have no telemetry", explained.hours_without_telemetry);
    }
    out
}

/// The charges behind a number, also for CSV.
pub(crate) fn lines(explained: &Explanation) -> Table {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("resource", Align::Left),
        ("went to", Align::Left),
        ("node hours", Align::Right),
        ("node cost", Align::Right),
        ("of it the resource", Align::Right),
        ("share", Align::Right),
        ("cost", Align::Right),
    ]);
    for line in &explained.lines {
        let share = farthing_model::Ratio::of(line.quantity_nano, line.resource_quantity_nano);
        table.row([
            line.node.to_string(),
            line.resource.to_string(),
            line.destination.name().to_owned(),
            line.node_hours.to_string(),
            small_money(line.node_cost),
            small_money(line.resource_cost),
            ratio(share),
            line.cost.to_decimal(),
        ]);
    }
    table
}

fn samples(explained: &Explanation) -> Table {
    let mut table = Table::new(&[
        ("source", Align::Left),
        ("node", Align::Left),
        ("resource", Align::Left),
        ("samples", Align::Right),
        ("first", Align::Left),
        ("last", Align::Left),
        ("used", Align::Right),
        ("requested", Align::Right),
    ]);
    for sample in &explained.samples {
        table.row([
            sample.source.to_string(),
            sample.node.to_string(),
            sample.resource.to_string(),
            sample.count.to_string(),
            sample.first.to_string(),
            sample.last.to_string(),
            unit_seconds(sample.used_nano, sample.resource),
            unit_seconds(sample.requested_nano, sample.resource),
        ]);
    }
    table
}

/// 10^-9 unit-seconds as people read them.
fn unit_seconds(nano: i128, resource: Resource) -> String {
    let (divisor, unit) = match resource {
        Resource::Gpu => (1_000_000, "GPU-s"),
        Resource::Cpu => (1_000_000, "core-s"),
        Resource::Memory | Resource::Storage => (1_000_000 << 30, "GiB-s"),
    };
    let milli = nano / divisor;
    format!("{}.{:03} {unit}", milli / 1_000, milli % 1_000)
}

/// A step with its plan, its reasons and what became of it.
pub(crate) fn step(plan: &PlanRecord, step: &StepRecord, after: &[String]) -> String {
    let mut out = format!("{} of {} ({})\n", step.step, plan.plan, plan.policy);
    let action = serde_json::to_string(&step.action).unwrap_or_default();
    let _ = writeln!(out, "does      {action}");
    let _ = writeln!(out, "costs     {}", step.cost);
    let _ = writeln!(out, "saves     {} against fifo on demand", step.saving);
    let _ = writeln!(out, "saw       generation {}", step.generation);
    let _ = writeln!(out, "expires   {}", step.expires);
    for reason in &step.reasons {
        let _ = writeln!(out, "because   {reason}");
    }
    for line in after {
        let _ = writeln!(out, "then      {line}");
    }
    out.trim_end().to_owned()
}

/// Predicted against realised, in one phrase.
pub(crate) fn verified(record: &VerifiedRecord) -> String {
    format!(
        "predicted saving {}, realised {} (posted {})",
        record.predicted, record.realised, record.posted
    )
}
