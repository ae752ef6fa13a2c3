//! What an import says of itself.

use super::super::print as print_as;
use super::books::Posted;
use crate::args::{IntoBooks, Output};
use crate::print::talk;
use crate::table::{Align, Table};
use farthing_providers::telemetry::{Cluster, text};
use serde_json::json;
use std::collections::BTreeMap;

/// Notes that are told on a terminal; JSON has all.
const TOLD: usize = 20;

/// Tells what could not be read and what is missing.
pub(super) fn tell(cluster: &Cluster) {
    for fault in &cluster.faults {
        talk(&format!("left out: {fault}"));
    }
    for (file, count) in &cluster.more_faults {
        talk(&format!("left out: {file}: {count} more lines of the same kinds"));
    }
    for note in cluster.notes.iter().take(TOLD) {
        talk(&format!("note: {note}"));
    }
    let more = cluster.notes.len().saturating_sub(TOLD);
    if more > 0 {
        talk(&format!("note: {more} more; `--output json` has all"));
    }
}

/// Prints the totals, or the table of what was measured.
pub(super) fn print(
    cluster: &Cluster,
    posted: &Posted,
    into: &IntoBooks,
    output: Output,
) -> anyhow::Result<()> {
    if into.rows && output == Output::Table {
        crate::print::data(&text(&cluster.rows));
        return Ok(());
    }
    print_as(
        output,
        || Ok(lines(cluster, posted, into)),
        || Ok(json(cluster, posted, into)),
        || Ok(rows(cluster)),
    )
}

fn percent(cluster: &Cluster) -> String {
    cluster.measured_share().map_or_else(|| "nothing".to_owned(), |share| format!("{share}"))
}

fn lines(cluster: &Cluster, posted: &Posted, into: &IntoBooks) -> String {
    let totals = &cluster.totals;
    let nodes: std::collections::BTreeSet<_> =
        cluster.spans.iter().map(|span| &span.node).collect();
    let mut lines = vec![
        format!("window     {}", cluster.window),
        format!(
            "read       {} samples of {} lines ({} of other metrics, {} blank, {} impossible)",
            totals.samples, totals.lines, totals.other, totals.blank, totals.impossible
        ),
        format!(
            "in order   {} late, {} twice, {} twice with two values",
            totals.late, totals.duplicates, totals.conflicts
        ),
        format!("measured   {} of the paid time of {} nodes", percent(cluster), nodes.len()),
        format!(
            "posted     {} hours, {} paid, into the books of {}{}",
            posted.hours,
            posted.paid,
            posted.cluster,
            if into.dry_run { " (not written: --dry-run)" } else { "" }
        ),
    ];
    if posted.overcommits > 0 {
        lines.push(format!(
            "overcommit {} times more was claimed than there was",
            posted.overcommits
        ));
    }
    lines.extend(posted.corrections.iter().map(|it| format!("corrected  {}: {it}", it.hour)));
    for (resource, (charged, unknown)) in posted.charged.iter() {
        if !unknown.is_zero() {
            lines.push(format!(
                "unknown    {resource}: {unknown} of {charged} was held and nobody measured \
                 whether it was used"
            ));
        }
    }
    lines.extend(unpriced(posted).map(|line| format!("unpriced   {line}")));
    lines.extend(posted.faults.iter().map(|fault| format!("fault      {fault}")));
    if !into.dry_run {
        lines.push("`farthing cost --by namespace,pod` prints the statement".to_owned());
    }
    lines.join("\n")
}

/// What has no price, and why; of many for one reason the first few.
fn unpriced(posted: &Posted) -> impl Iterator<Item = String> {
    const NAMED: usize = 3;
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (node, why) in &posted.unpriced {
        by_reason.entry(why).or_default().push(node);
    }
    by_reason.into_iter().map(|(why, nodes)| {
        let more = nodes.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = nodes.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        format!("{named}{more}: {why}")
    })
}

fn json(cluster: &Cluster, posted: &Posted, into: &IntoBooks) -> serde_json::Value {
    let totals = &cluster.totals;
    let mut faults: Vec<String> = cluster.faults.iter().map(ToString::to_string).collect();
    faults.extend(posted.faults.iter().cloned());
    let unknown: BTreeMap<String, String> = posted
        .charged
        .iter()
        .filter(|(_, (_, unknown))| !unknown.is_zero())
        .map(|(resource, (_, unknown))| (resource.to_string(), unknown.to_decimal()))
        .collect();
    let window = [cluster.window.from().to_string(), cluster.window.to().to_string()];
    let mut value = json!({
        "cluster": posted.cluster.to_string(),
        "window": { "from": window[0], "to": window[1] },
        "written": !into.dry_run,
        "hours": posted.hours,
        "paid": posted.paid.to_decimal(),
        "currency": posted.currency.code(),
        "coverage": cluster.measured_share().map(|share| share.to_string()),
        "samples": {
            "read": totals.samples, "other": totals.other, "blank": totals.blank,
            "impossible": totals.impossible, "late": totals.late,
            "duplicates": totals.duplicates, "conflicts": totals.conflicts,
        },
        "lines": totals.lines,
        "bytes": totals.bytes,
        "lines_left_out": totals.faults,
        "use_unknown": unknown,
        "unpriced": posted.unpriced,
        "overcommits": posted.overcommits,
        "corrections": farthing_server::wire::corrections(&posted.corrections),
        "notes": cluster.notes,
        "faults": faults,
    });
    if into.rows {
        let rows: Vec<_> = cluster
            .rows
            .iter()
            .map(|row| {
                let who = row.workload.as_deref();
                json!({
                    "from": row.window.from().to_string(),
                    "to": row.window.to().to_string(),
                    "node": row.node.as_ref().map(ToString::to_string),
                    "device": row.device.as_ref().map(ToString::to_string),
                    "instance": row.instance.as_deref(),
                    "namespace": who.and_then(|who| who.namespace.clone()),
                    "pod": who.and_then(|who| who.pod.clone()),
                    "container": who.and_then(|who| who.container.clone()),
                    "of": row.of.as_deref(),
                    "measure": row.measure.name(),
                    "amount": row.amount.map(|amount| amount.to_string()),
                    "measured_ms": row.measured_ms,
                    "expected_ms": row.expected_ms,
                    "source": row.source.to_string(),
                })
            })
            .collect();
        value["rows"] = rows.into();
    }
    value
}

fn rows(cluster: &Cluster) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("from", Left),
        ("to", Left),
        ("node", Left),
        ("device", Left),
        ("instance", Left),
        ("namespace", Left),
        ("pod", Left),
        ("container", Left),
        ("of", Left),
        ("measure", Left),
        ("amount", Right),
        ("measured_ms", Right),
        ("expected_ms", Right),
        ("source", Left),
    ]);
    for row in &cluster.rows {
        let who = row.workload.as_deref();
        let part = |part: Option<&Option<String>>| part.cloned().flatten().unwrap_or_default();
        table.row([
            row.window.from().to_string(),
            row.window.to().to_string(),
            row.node.as_ref().map(ToString::to_string).unwrap_or_default(),
            row.device.as_ref().map(ToString::to_string).unwrap_or_default(),
            row.instance.as_deref().unwrap_or_default().to_owned(),
            part(who.map(|who| &who.namespace)),
            part(who.map(|who| &who.pod)),
            part(who.map(|who| &who.container)),
            row.of.as_deref().unwrap_or_default().to_owned(),
            row.measure.name().to_owned(),
            row.amount.map(|amount| amount.to_string()).unwrap_or_default(),
            row.measured_ms.to_string(),
            row.expected_ms.to_string(),
            row.source.to_string(),
        ]);
    }
    table
}
