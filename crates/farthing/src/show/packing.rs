//! Workloads that share nodes, for people: the nodes to buy, who pays what, the proof.

use super::{money, prices, ratio, window};
use crate::table::{Align, Table};
use farthing_planner::Packing;
use std::fmt::Write as _;

/// Most rows of nodes that are shown; all are in JSON and CSV.
const ROWS_MAX: usize = 40;
/// Most workloads of a node that are named.
const NAMES_MAX: usize = 4;

/// A packing, with others beside it.
pub(crate) fn text(packing: &Packing, baselines: &[Packing], solve_ms: u128) -> String {
    let mut out = String::new();
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            let _ = write!(out, "{title}\n{body}\n\n");
        }
    };
    section("NODES TO BUY", nodes(packing));
    section("WAITING", waiting(packing));
    section("COST", cost(packing, solve_ms));
    section("BUDGETS", budgets(packing));
    section("BASELINES ON THE SAME INPUT", compare(packing, baselines));
    let excluded = packing.excluded.iter().map(|(why, count)| format!("{count} offers: {why}"));
    section("NOT CONSIDERED", excluded.collect::<Vec<_>>().join("\n"));
    out.trim_end().to_owned()
}

/// What each workload has of each offer, also for CSV.
pub(crate) fn steps(packing: &Packing) -> Table {
    let mut table = Table::new(&[
        ("workload", Align::Left),
        ("offer", Align::Left),
        ("members", Align::Right),
        ("cost", Align::Right),
    ]);
    for share in &packing.shares {
        table.row([
            share.workload.to_string(),
            share.offer.to_string(),
            share.members.to_string(),
            money(share.cost),
        ]);
    }
    table
}

fn nodes(packing: &Packing) -> String {
    if packing.nodes.is_empty() {
        return "none".to_owned();
    }
    let mut table = Table::new(&[
        ("nodes", Align::Right),
        ("offer", Align::Left),
        ("members on each", Align::Left),
    ]);
    for node in packing.nodes.iter().take(ROWS_MAX) {
        let named = node.holds.iter().take(NAMES_MAX);
        let named: Vec<String> = named.map(|(workload, n)| format!("{n} {workload}")).collect();
        let more = node.holds.len().saturating_sub(NAMES_MAX);
        let more = if more > 0 { format!(" and of {more} more") } else { String::new() };
        table.row([node.count.to_string(), node.offer.to_string(), named.join(", ") + &more]);
    }
    let more = packing.nodes.len().saturating_sub(ROWS_MAX);
    let more = if more > 0 {
        format!("\n... and {more} more rows: --output json has them all")
    } else {
        String::new()
    };
    table.to_text() + &more
}

fn waiting(packing: &Packing) -> String {
    let line = |it: &farthing_planner::Waiting| {
        format!("{}: {} members wait: {}", it.workload, it.members, it.reason)
    };
    packing.waiting.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cost(packing: &Packing, solve_ms: u128) -> String {
    let count: u64 = packing.nodes.iter().map(|node| node.count).sum();
    let currency = packing.cost.currency();
    let mut lines = vec![format!(
        "{} {currency} for {count} nodes over {}",
        money(packing.cost),
        window(packing.window)
    )];
    let proof = match (packing.lower_bound, packing.gap) {
        (Some(bound), Some(gap)) if gap.ppm() > 0 => {
            format!("proven: nothing costs less than {} (gap {gap})", money(bound))
        }
        (Some(_), _) => "proven: nothing costs less".to_owned(),
        (None, _) => "no bound, as something waits that more nodes could hold".to_owned(),
    };
    lines.push(format!("{proof}; planned in {solve_ms} ms"));
    let names = ["cores", "memory", "accelerators", "storage"];
    let parts = names.iter().zip(packing.allocated);
    let parts: Vec<String> = parts
        .filter_map(|(name, part)| Some(format!("{} of {name}", ratio(Some(part?)))))
        .collect();
    if !parts.is_empty() {
        lines.push(format!("asked for: {}", parts.join(", ")));
    }
    let day = farthing_model::utc_day(packing.window.from());
    lines.extend(packing.prices.as_ref().map(|dates| prices::text(dates, day)));
    lines.join("\n")
}

fn budgets(packing: &Packing) -> String {
    let line = |row: &farthing_planner::BudgetRow| {
        let limit = row.limit.map_or_else(String::new, |limit| format!(" of {}", money(limit)));
        format!(
            "{}: {} planned, {}{limit} in all",
            row.budget,
            money(row.planned),
            money(row.forecast)
        )
    };
    packing.budgets.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn compare(packing: &Packing, baselines: &[Packing]) -> String {
    if baselines.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("policy", Align::Left),
        ("cost", Align::Right),
        ("nodes", Align::Right),
        ("waiting", Align::Right),
    ]);
    for one in std::iter::once(packing).chain(baselines) {
        let nodes: u64 = one.nodes.iter().map(|node| node.count).sum();
        let waiting: u32 = one.waiting.iter().map(|it| it.members).sum();
        table.row([one.policy.to_owned(), money(one.cost), nodes.to_string(), waiting.to_string()]);
    }
    table.to_text()
}
