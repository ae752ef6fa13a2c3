//! What was paid: each node's time, cut where anything about it changed.

use super::bought::{Bought, NodePrices};
use super::facts::{Labels, Node, Resource};
use super::{Notes, instant, window};
use crate::telemetry::series::{Span, Spans, Step, value_at};
use crate::telemetry::sources::SourceMap;
use farthing_model::{NodeId, NodeSpan, Price, Resources};
use std::collections::BTreeMap;

/// A node whose time is to be paid.
pub(super) struct Paid<'n> {
    pub(super) id: NodeId,
    pub(super) node: &'n Node,
    /// When it was paid.
    pub(super) time: Spans,
    /// When it was measured.
    pub(super) measured: &'n Spans,
    /// Whole devices.
    pub(super) gpus: u64,
}

/// When a node or another asset was paid: from when it was made until it was last seen, but for the
/// time in which the records were read and did not know it. Records that were not read say nothing
/// of it.
pub(super) fn paid_time(
    (present, created): (&Spans, Option<i64>),
    records: &Spans,
    pace: i64,
    all: Span,
) -> Spans {
    let (Some(first), Some(last)) = (present.iter().next(), present.iter().last()) else {
        return Spans::default();
    };
    let begun = match created {
        Some(created) if created <= first.from && first.from - created <= pace => created,
        _ => first.from,
    };
    // What was there at the first scrape was there before it.
    let from = if begun - all.from <= pace { all.from } else { begun };
    let to = if all.to - last.to <= pace { all.to } else { last.to };
    let Some(life) = Span::new(from, to) else { return Spans::default() };
    let absent = records.without(present);
    let gone = absent.iter().filter(|span| span.from > first.from && span.to < last.to);
    Spans::of(vec![life]).without(&Spans::of(gone.collect()))
}

/// The labels of a node at a moment: those that came last.
pub(super) fn labels_at(node: &Node, at: i64) -> Option<&Labels> {
    let there = node.labels.iter().filter(|(span, _)| span.from <= at && at < span.to);
    let before = node.labels.iter().filter(|(span, _)| span.from <= at);
    let latest = there.max_by_key(|(span, _)| span.from);
    let latest = latest.or_else(|| before.max_by_key(|(span, _)| span.to));
    latest.or_else(|| node.labels.first()).map(|(_, labels)| labels)
}

/// The value of a resource at a moment; while nothing is said, what was said last.
fn held_at(steps: Option<&Vec<Step>>, at: i64) -> i64 {
    let steps = steps.map_or(&[][..], Vec::as_slice);
    let last = || steps.iter().rev().find(|step| step.span.from <= at).or(steps.first());
    value_at(steps, at).or_else(|| last().map(|step| step.value)).unwrap_or(0)
}

pub(super) fn capacity_at(paid: &Paid<'_>, at: i64) -> Resources {
    let of = |resource: &Resource| held_at(paid.node.capacity.get(resource), at);
    let whole = |value: i64| u64::try_from(value).unwrap_or(0);
    Resources {
        gpu_milli: paid.gpus * 1_000,
        cpu_milli: whole(of(&Resource::Cpu) / 1_000_000),
        memory_bytes: whole(of(&Resource::Memory)),
        storage_bytes: whole(of(&Resource::Storage)),
    }
}

/// The spans of a node.
pub(super) fn spans(
    paid: &Paid<'_>,
    map: &SourceMap,
    prices: &mut NodePrices<'_>,
    notes: &mut Notes,
) -> Vec<NodeSpan> {
    let mut edges: Vec<i64> = Vec::new();
    let mut both = |span: Span| edges.extend([span.from, span.to]);
    paid.time.iter().for_each(&mut both);
    paid.measured.iter().for_each(&mut both);
    paid.node.labels.iter().for_each(|(span, _)| both(*span));
    paid.node.capacity.values().flatten().for_each(|step| both(step.span));
    edges.sort_unstable();
    edges.dedup();
    let mut found: Vec<NodeSpan> = Vec::new();
    for pair in edges.windows(2) {
        let Some(span) = Span::new(pair[0], pair[1]).filter(|it| paid.time.contains(it.from))
        else {
            continue;
        };
        let Some(next) = span_of(paid, map, prices, span, notes) else { continue };
        match found.last_mut() {
            Some(last) if continues(last, &next) => {
                if let Some(joined) = super::join(last.window, next.window) {
                    last.window = joined;
                }
            }
            _ => found.push(next),
        }
    }
    found
}

fn continues(last: &NodeSpan, next: &NodeSpan) -> bool {
    let same = NodeSpan { window: last.window, ready: last.ready, ..next.clone() };
    last.window.to() == next.window.from() && same == *last
}

fn span_of(
    paid: &Paid<'_>,
    map: &SourceMap,
    prices: &mut NodePrices<'_>,
    span: Span,
    notes: &mut Notes,
) -> Option<NodeSpan> {
    let none = BTreeMap::new();
    let labels = labels_at(paid.node, span.from).unwrap_or(&none);
    let bought = Bought::of(map, paid.node, labels);
    let priced = match prices.price(&bought) {
        Ok(priced) => priced,
        Err(error) => {
            notes.add(format!("node {}: its labels make no offer: {error}", paid.id));
            return None;
        }
    };
    let capacity = capacity_at(paid, span.from);
    let mut price = priced.price;
    if capacity == Resources::default() {
        let why = "its capacity is not exported (kube_node_status_capacity)";
        price = Price::Unknown(why.to_owned());
    }
    if let Price::Unknown(why) = &price {
        notes.add(format!("node {}: no price, as {why}", paid.id));
    }
    Some(NodeSpan {
        asset: farthing_model::Asset::Node,
        node: paid.id.clone(),
        offer: priced.offer,
        place: priced.place,
        instance_type: priced.instance_type,
        purchase: priced.purchase,
        capacity,
        price,
        window: window(span)?,
        ready: instant(span.from)?,
        held_for: None,
        measured: paid.measured.contains(span.from),
    })
}
