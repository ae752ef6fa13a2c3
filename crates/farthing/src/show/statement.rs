//! Statements and explanations for people.

use super::{duration, ratio, small_money, window};
use crate::table::{Align, Table};
use farthing_engine::{ActionRecord, PlanRecord, StepRecord, VerifiedRecord};
use farthing_ledger::{Correction, Explanation, Key, Line, Statement, StatementRow};
use farthing_model::{
    Currency, Destination, Money, MoneyError, NANOS_PER_SECOND, PriceKind, Resource, Window,
};
use jiff::SignedDuration;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How an amount is read off a row.
type AmountOf = fn(&StatementRow) -> Money;

/// The amounts of a row by the name of their column.
const AMOUNTS: [(&str, AmountOf); 6] = [
    ("used", |row| row.used),
    ("idle", |row| row.idle),
    ("unallocated", |row| row.unallocated),
    ("overhead", |row| row.overhead),
    ("shared", |row| row.shared),
    ("total", |row| row.total),
];

/// Whether a statement has something to say in a column.
type IsSaid = fn(&Statement) -> bool;

/// Amounts that are no part of the total, and where people are shown them.
const ASIDES: [((&str, AmountOf), IsSaid); 2] = [
    (("unknown", |row| row.unknown), |statement| !statement.unknown.is_zero()),
    (("list", |row| row.list), Statement::has_discounts),
];

/// A statement: what was paid, where it went, and by whom.
pub(crate) fn text(statement: &Statement, meant: &str, limit: usize) -> Result<String, MoneyError> {
    let mut out = format!("{}: {meant}; UTC, without its end\n", window(statement.window));
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
    if !statement.filtered.is_zero() {
        let filtered = small_money(statement.filtered);
        let _ = writeln!(out, "left out by the filter, not in these: {filtered}");
    }
    if !statement.unknown.is_zero() {
        let unknown = small_money(statement.unknown);
        let _ = writeln!(
            out,
            "of idle and unallocated, {unknown} is unknown: nobody measured whether it was used"
        );
    }
    if statement.has_discounts() {
        let list = statement.list;
        let _ = writeln!(
            out,
            "at list prices it would be {}: {} less was paid",
            small_money(list),
            small_money(list.checked_sub(statement.paid)?)
        );
    }
    let coverage = statement.coverage;
    let _ = writeln!(
        out,
        "{} of node time was paid in these hours, and {} of it measured{}\n",
        // To the nearest second.
        duration(nanos(coverage.expected_nanos + NANOS_PER_SECOND / 2)),
        ratio(coverage.ratio()),
        less_measured(statement),
    );
    let said = ASIDES.iter().filter(|(_, is_said)| is_said(statement)).map(|(aside, _)| *aside);
    let amounts: Vec<(&str, AmountOf)> = AMOUNTS.into_iter().chain(said).collect();
    out += &rows(statement, &amounts, (limit, small_money))?.to_text();
    out += &corrections(&statement.corrections, statement.currency)?;
    for node in &statement.unpriced {
        let _ = write!(out, "\nnot charged: node {} ({}): {}", node.node, node.offer, node.why);
    }
    Ok(out)
}

/// Resources of whose use less is known than of the nodes' time.
fn less_measured(statement: &Statement) -> String {
    let whole = statement.coverage.ratio();
    let less =
        statement.measured.iter().filter_map(|(resource, share)| Some((resource, (*share)?)));
    let less = less.filter(|(_, share)| whole.is_some_and(|whole| *share < whole));
    let less: Vec<String> =
        less.map(|(resource, share)| format!("{share} of {resource}")).collect();
    if less.is_empty() { String::new() } else { format!(", but only {}", less.join(", ")) }
}

/// What was posted again, as it was wrong: the sum, and the newest reasons.
fn corrections(corrections: &[Correction], currency: Currency) -> Result<String, MoneyError> {
    const SHOWN: usize = 3;
    if corrections.is_empty() {
        return Ok(String::new());
    }
    let changes = corrections.iter().map(Correction::change).collect::<Result<Vec<_>, _>>()?;
    let hours: BTreeSet<Window> = corrections.iter().map(|correction| correction.hour).collect();
    let change = Money::sum(changes, currency)?;
    let sign = if change.is_negative() { "" } else { "+" };
    let mut out = format!(
        "\ncorrected: {} hours, {} times; {sign}{} in all",
        hours.len(),
        corrections.len(),
        small_money(change)
    );
    let mut newest: Vec<&Correction> = corrections.iter().collect();
    newest.sort_by_key(|correction| std::cmp::Reverse(correction.at));
    for correction in newest.iter().take(SHOWN) {
        let _ = write!(out, "\n  hour of {}: {correction}", correction.hour.from());
    }
    if let Some(more) = newest.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = write!(out, "\n  and {more} more; `--output json` has all");
    }
    Ok(out)
}

/// All rows of a statement in all columns, exact, for programs.
pub(crate) fn all_rows(statement: &Statement) -> Result<Table, MoneyError> {
    let asides = ASIDES.iter().map(|(aside, _)| *aside);
    let amounts: Vec<(&str, AmountOf)> = AMOUNTS.into_iter().chain(asides).collect();
    rows(statement, &amounts, (usize::MAX, Money::to_decimal))
}

/// The rows of a statement; the five amounts of a row sum to its total. Rows beyond `limit` are
/// summed, so that the columns still add up.
fn rows(
    statement: &Statement,
    amounts: &[(&'static str, AmountOf)],
    (limit, amount): (usize, fn(Money) -> String),
) -> Result<Table, MoneyError> {
    let mut columns: Vec<(Cow<'static, str>, Align)> =
        statement.by.iter().map(|key| (key.name(), Align::Left)).collect();
    let more = amounts.iter().map(|(name, _)| (*name, Align::Right)).chain([
        ("GPU-h", Align::Right),
        ("core-h", Align::Right),
        ("GiB-h", Align::Right),
        ("utilisation", Align::Right),
        ("id", Align::Left),
    ]);
    columns.extend(more.map(|(name, align)| (Cow::Borrowed(name), align)));
    let mut table = Table::new(&columns);
    for row in statement.rows.iter().take(limit) {
        let mut cells = row.keys.clone();
        cells.extend(amounts.iter().map(|(_, of)| amount(of(row))));
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
        for (_, of) in amounts {
            cells.push(amount(Money::sum(rest.iter().map(of), statement.currency)?));
        }
        table.row(cells);
    }
    Ok(table)
}

/// Hours with two decimals, or with as many as a small amount needs.
fn hours(exact: &str) -> String {
    let (whole, fraction) = exact.split_once('.').unwrap_or((exact, ""));
    let zeros = fraction.bytes().take_while(|digit| *digit == b'0').count();
    let places = match (whole, zeros) {
        ("0", 2..) if zeros < fraction.len() => (zeros + 2).min(6),
        _ => 2,
    };
    format!("{whole}.{:0<places$}", &fraction[..fraction.len().min(places)])
}

fn nanos(nanos: i128) -> SignedDuration {
    SignedDuration::from_nanos_i128(nanos)
}

/// What a value in brackets stands for, for those who meet it first.
fn gloss(value: &str) -> Option<&'static str> {
    Some(match value {
        "(unallocated)" => "paid capacity that nobody asked for and nobody used",
        "(idle)" => "held by somebody and not used",
        "(shared)" => "costs that all share and nobody is there to take",
        "(overhead)" => "the system's own: its kernel, what no process was seen for, boot time",
        "(short-lived)" => "processes that began and ended between two looks",
        "(hidden)" => "processes that may not be looked at; run as root to see them",
        "(others)" => "programs beyond the most that are told apart",
        value if value.starts_with("(no ") => "charged to workloads of which it is not known",
        _ => return None,
    })
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
    for value in &explained.keys {
        if let Some(gloss) = gloss(value) {
            let _ = writeln!(out, "{value} is {gloss}");
        }
    }
    let _ = writeln!(out, "{}", window(explained.window));
    let _ = writeln!(out, "total {}", explained.total);
    let _ = writeln!(out, "\nCHARGES\n{}", lines(explained).to_text());
    let _ = writeln!(out, "amount / of all x cost of all = cost");
    let _ = writeln!(out, "\nPRICES\n{}", prices(explained));
    if explained.by.iter().all(|key| *key != Key::Workload) && !explained.workloads.is_empty() {
        let _ = writeln!(out, "\nWORKLOADS\n{}", workloads(explained));
    }
    out += "\nSAMPLES\n";
    if explained.samples.is_empty() {
        let is_left = |line: &Line| line.destination == Destination::Unallocated;
        out += if explained.lines.iter().all(is_left) {
            "none: it is what the samples of all others leave"
        } else {
            "none: it was charged for being held, or its telemetry is gone"
        };
    } else {
        out += &samples(explained).to_text();
    }
    if explained.hours_without_telemetry > 0 {
        let _ = write!(out, "\n{} hours have no telemetry", explained.hours_without_telemetry);
    }
    out
}

/// Each node's price, from the hour to what it cost, and to what of that is each resource's.
fn prices(explained: &Explanation) -> String {
    let mut prices: Vec<String> = Vec::new();
    for line in &explained.lines {
        let (rate, hours) = (line.node_rate, &line.node_hours);
        let list = line.provenance.list.as_ref();
        let list = list.map(|list| format!("; list price {}", list.rate)).unwrap_or_default();
        let text = format!(
            "{}: {rate} x {hours} h = {} ({}, {} {}{list})",
            line.node,
            line.node_cost,
            line.provenance.kind.name(),
            line.provenance.source,
            line.provenance.as_of,
        );
        if !prices.contains(&text) {
            prices.push(text);
        }
    }
    if explained.lines.iter().any(|line| line.provenance.kind == PriceKind::AmortisedOwned) {
        let owned = "an owned machine costs, for each part, its price over its years and its power";
        prices.push(format!("{owned} (docs/guides/price-book.md)"));
    }
    let split = "a node's cost is split over its resources by the weights in its hour's file";
    prices.push(format!("{split} (docs/concepts/ledger.md)"));
    prices.join("\n")
}

/// The dearest workloads that the charges are of.
fn workloads(explained: &Explanation) -> String {
    const SHOWN: usize = 5;
    let mut table = Table::new(&[("workload", Align::Left), ("cost", Align::Right)]);
    for (workload, cost) in explained.workloads.iter().take(SHOWN) {
        table.row([workload.to_string(), cost.to_decimal()]);
    }
    let more = explained.workloads.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    table.to_text() + &more
}

/// The charges behind a number, also for CSV.
pub(crate) fn lines(explained: &Explanation) -> Table {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("resource", Align::Left),
        ("went to", Align::Left),
        ("amount", Align::Right),
        ("of all", Align::Right),
        ("share", Align::Right),
        ("cost of all", Align::Right),
        ("cost", Align::Right),
    ]);
    for line in &explained.lines {
        let share = farthing_model::Ratio::of(line.quantity_nano, line.resource_quantity_nano);
        table.row([
            line.node.to_string(),
            line.resource.to_string(),
            line.destination.name().to_owned(),
            unit_seconds(line.quantity_nano, line.resource),
            unit_seconds(line.resource_quantity_nano, line.resource),
            ratio(share),
            line.resource_cost.to_decimal(),
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
        ("first from", Align::Left),
        ("last to", Align::Left),
        ("used", Align::Right),
        ("requested", Align::Right),
    ]);
    let amount = |nano: i128, resource| match nano {
        0 => "-".to_owned(),
        nano => unit_seconds(nano, resource),
    };
    for sample in &explained.samples {
        table.row([
            sample.source.to_string(),
            sample.node.to_string(),
            sample.resource.to_string(),
            sample.count.to_string(),
            sample.first.strftime("%m-%d %H:%M:%S").to_string(),
            sample.last.strftime("%m-%d %H:%M:%S").to_string(),
            amount(sample.used_nano, sample.resource),
            amount(sample.requested_nano, sample.resource),
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
        Resource::Network => (1_000_000_000_000_000, "GB"),
    };
    let milli = nano / divisor;
    format!("{}.{:03} {unit}", milli / 1_000, milli % 1_000)
}

/// A plan in one line.
pub(crate) fn plan(plan: &PlanRecord) -> String {
    let bound = plan.lower_bound.as_ref().map(|bound| format!(", at least {bound} is needed"));
    format!(
        "{} ({}): costs {}{} ({}); {} steps, {} wait{}",
        plan.plan,
        plan.policy,
        plan.cost,
        bound.unwrap_or_default(),
        plan.status,
        plan.steps.len(),
        plan.waiting.len(),
        plan.parent.as_ref().map(|parent| format!("; follows {parent}")).unwrap_or_default(),
    )
}

/// A step with its plan, its reasons and what became of it.
pub(crate) fn step(plan: &PlanRecord, step: &StepRecord, after: &[String]) -> String {
    let mut out = format!("{} of {} ({})\n", step.step, plan.plan, plan.policy);
    let _ = writeln!(out, "does      {}", action(&step.action));
    let _ = writeln!(out, "costs     {}", step.cost);
    let _ = writeln!(out, "saves     {} against fifo on demand", step.saving);
    let _ =
        writeln!(out, "only if   its target is as it was seen (generation {})", step.generation);
    let _ = writeln!(out, "expires   {}", step.expires);
    for reason in &step.reasons {
        let _ = writeln!(out, "because   {reason}");
    }
    // Constraints of the whole plan: those of the budget, offer or workload may be its own.
    for binding in &plan.binding {
        let _ = writeln!(out, "bound by  {binding}");
    }
    for line in after {
        let _ = writeln!(out, "then      {line}");
    }
    out.trim_end().to_owned()
}

/// What a step does, in words.
pub(crate) fn action(action: &ActionRecord) -> String {
    let nodes = |each: u32| if each == 1 { String::new() } else { format!(" of {each} nodes") };
    match action {
        ActionRecord::Start { workload, offer, members, nodes_each, from, to } => {
            let each = nodes(*nodes_each);
            format!("starts {members} of {workload}{each} on {offer}, {from} to {to}")
        }
        ActionRecord::Scale {
            workload,
            offer,
            replicas_from,
            replicas_to,
            nodes_each,
            from,
            to,
        } => {
            let each = nodes(*nodes_each);
            format!(
                "scales {workload} from {replicas_from} to {replicas_to} replicas{each} on \
                 {offer}, {from} to {to}"
            )
        }
        ActionRecord::Suspend { workload } => format!("suspends {workload}"),
        ActionRecord::Resume { workload } => format!("lets {workload} be placed again"),
        ActionRecord::Resize { workload, members, cpu_milli, memory_bytes, .. } => format!(
            "limits each of {members} of {workload} to {}m of a core, {} MiB, from {}m, {} MiB",
            cpu_milli[1],
            memory_bytes[1] >> 20,
            cpu_milli[0],
            memory_bytes[0] >> 20
        ),
        ActionRecord::Release { node } => format!("gives node {node} back"),
        ActionRecord::Buy { workload, offer, nodes, pool, .. } => {
            let by = pool.as_ref().map_or_else(|| "people".to_owned(), |it| format!("pool {it}"));
            format!("lets {by} buy {nodes} x {offer} for {workload}")
        }
    }
}

/// Predicted against realised, in one phrase.
pub(crate) fn verified(record: &VerifiedRecord) -> String {
    format!(
        "predicted saving {}, realised {} (posted {})",
        record.predicted, record.realised, record.posted
    )
}
