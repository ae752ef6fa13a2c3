//! `utilisation`: how much of each resource was used over time, and by which nodes.

use super::scalar::{WindowJson, hours};
use super::tick::counted_in;
use farthing_ledger::{Statement, StatementRow, Usage};
use farthing_model::{Resource, Window, midnight};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::Serialize;
use std::collections::BTreeMap;

/// Utilisation over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UtilisationOverTimeJson {
    /// The resources, in the order of tables.
    pub resources: Vec<&'static str>,
    /// Each step, in order; a step in which nothing was paid is not there.
    pub series: Vec<UseJson>,
    /// Nodes with what they used of their accelerators, or of their cores where they have none, of
    /// what was paid: a number for each step.
    pub nodes: Vec<NodeUseJson>,
    /// Nodes that match what was asked for.
    pub matched: usize,
    /// All nodes that were paid.
    pub of: usize,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UseJson {
    /// When.
    pub window: WindowJson,
    /// By resource.
    #[serde(flatten)]
    pub by: BTreeMap<&'static str, AmountsJson>,
}

/// Amounts of a resource in hours of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AmountsJson {
    /// Used.
    pub used: f64,
    /// Allocated, used or not.
    pub allocated: f64,
    /// Paid.
    pub paid: f64,
}

/// A node over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeUseJson {
    /// Which.
    pub node: String,
    /// Of which resource.
    pub resource: &'static str,
    /// Over all steps in which it is known; `null` where it is in none.
    pub mean: Option<f64>,
    /// In each step; `null` where it was not paid, and where less than half of it was measured.
    pub values: Vec<Option<f64>>,
    /// The part of it that was measured in each step; `null` where it was not paid.
    pub measured: Vec<Option<f64>>,
}

/// Below this part, what was measured says nothing of a step.
const MEASURED_MIN: f64 = 0.5;

/// The wire form; `times` is by the step, the others by the step and the node, each of one
/// resource: of several, the first that a node has counts.
pub fn utilisation_over_time(
    times: &Statement,
    nodes: &[(Resource, Statement)],
) -> UtilisationOverTimeJson {
    let mut order: Vec<(&str, Window)> = Vec::new();
    let mut series = Vec::new();
    for row in &times.rows {
        let Some((name, window)) = row.keys.first().and_then(|key| Some((key, step(key)?))) else {
            continue;
        };
        order.push((name, window));
        series.push(UseJson { window: window.into(), by: amounts(row) });
    }
    let places: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
    let mut by_node: BTreeMap<&str, (Resource, Vec<Option<&StatementRow>>)> = BTreeMap::new();
    for (resource, statement) in nodes {
        for row in statement.rows.iter().filter(|row| row.usage.get(*resource).paid_nano() > 0) {
            let [time, node] = row.keys.as_slice() else { continue };
            let Some(place) = places.get(time.as_str()) else { continue };
            let new = || (*resource, vec![None; order.len()]);
            let (of, cells) = by_node.entry(node).or_insert_with(new);
            if of == resource {
                cells[*place] = Some(row);
            }
        }
    }
    UtilisationOverTimeJson {
        resources: Resource::ALL.iter().map(|resource| resource.name()).collect(),
        series,
        nodes: by_node
            .into_iter()
            .map(|(node, (resource, cells))| node_use(node, &cells, resource))
            .collect(),
        matched: 0,
        of: 0,
    }
}

fn node_use(node: &str, cells: &[Option<&StatementRow>], resource: Resource) -> NodeUseJson {
    let (mut used, mut paid) = (0_i128, 0_i128);
    let mut values = Vec::with_capacity(cells.len());
    let measured: Vec<_> = cells.iter().map(|cell| cell.map(measured)).collect();
    for (cell, measured) in cells.iter().zip(&measured) {
        let is_known = measured.is_some_and(|part| part >= MEASURED_MIN);
        values.push(cell.filter(|_| is_known).and_then(|row| {
            let usage = *row.usage.get(resource);
            used += usage.used_nano;
            paid += usage.paid_nano();
            share(usage.used_nano, usage.paid_nano())
        }));
    }
    let (node, resource) = (node.to_owned(), resource.name());
    NodeUseJson { node, resource, mean: share(used, paid), values, measured }
}

/// The part of a row of one resource of which somebody measured whether it was used.
fn measured(row: &StatementRow) -> f64 {
    let parts = [row.used, row.idle, row.unallocated, row.overhead];
    let paid: i128 = parts.iter().map(|part| part.pico()).sum();
    // Of what has no price, only what was used says that it was measured.
    let nothing = if used_any(row) { 1.0 } else { 0.0 };
    share(paid - row.unknown.pico(), paid).unwrap_or(nothing)
}

fn used_any(row: &StatementRow) -> bool {
    Resource::ALL.iter().any(|resource| row.usage.get(*resource).used_nano > 0)
}

/// A share to four places: a colour of a heat map.
#[allow(clippy::cast_precision_loss, reason = "a colour of a heat map")]
fn share(used: i128, paid: i128) -> Option<f64> {
    (paid > 0).then(|| (used as f64 / paid as f64 * 1e4).round() / 1e4)
}

fn amounts(row: &StatementRow) -> BTreeMap<&'static str, AmountsJson> {
    let of = |resource: Resource| {
        let usage: Usage = *row.usage.get(resource);
        let (_, size) = counted_in(resource);
        let amounts = AmountsJson {
            used: hours(usage.used_nano, size),
            allocated: hours(usage.allocated_nano(), size),
            paid: hours(usage.paid_nano(), size),
        };
        (resource.name(), amounts)
    };
    Resource::ALL.into_iter().map(of).collect()
}

/// The hour or day that a key of a statement names.
fn step(key: &str) -> Option<Window> {
    if let Ok(from) = key.parse::<Timestamp>() {
        return Window::starting(from, SignedDuration::from_hours(1));
    }
    let day: Date = key.parse().ok()?;
    Window::starting(midnight(day)?, SignedDuration::from_hours(24))
}
