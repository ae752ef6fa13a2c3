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
    /// what was paid: a number for each step, `null` where it was not paid.
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
    /// Over all steps.
    pub mean: f64,
    /// In each step.
    pub values: Vec<Option<f64>>,
}

/// The wire form; `times` is by the step, `nodes` by the step and the node. `first` is the resource
/// that counts where a node has it.
pub fn utilisation_over_time(
    times: &Statement,
    nodes: &Statement,
    first: Resource,
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
    let mut by_node: BTreeMap<&str, Vec<Option<&StatementRow>>> = BTreeMap::new();
    for row in &nodes.rows {
        let [time, node] = row.keys.as_slice() else { continue };
        let Some(place) = places.get(time.as_str()) else { continue };
        let cells = by_node.entry(node).or_insert_with(|| vec![None; order.len()]);
        cells[*place] = Some(row);
    }
    UtilisationOverTimeJson {
        resources: Resource::ALL.iter().map(|resource| resource.name()).collect(),
        series,
        nodes: by_node.into_iter().map(|(node, cells)| node_use(node, &cells, first)).collect(),
        matched: 0,
        of: 0,
    }
}

fn node_use(node: &str, cells: &[Option<&StatementRow>], first: Resource) -> NodeUseJson {
    let has = |row: &&StatementRow| row.usage.get(first).paid_nano() > 0;
    let resource = if cells.iter().flatten().any(has) { first } else { Resource::Cpu };
    let usage = |row: &StatementRow| *row.usage.get(resource);
    let (mut used, mut paid) = (0_i128, 0_i128);
    for row in cells.iter().flatten() {
        used += usage(row).used_nano;
        paid += usage(row).paid_nano();
    }
    NodeUseJson {
        node: node.to_owned(),
        resource: resource.name(),
        mean: share(used, paid).unwrap_or(0.0),
        values: cells
            .iter()
            .map(|cell| cell.and_then(|row| share(usage(row).used_nano, usage(row).paid_nano())))
            .collect(),
    }
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
