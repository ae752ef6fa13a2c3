//! `explain` on the wire: a number back to its charges, prices and samples.

use super::scalar::{WindowJson, time};
use farthing_ledger::{Explanation, Line, SampleSummary};
use serde::Serialize;

/// Where a number of a statement comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplanationJson {
    /// The row.
    pub id: String,
    /// Its keys: name and value.
    pub keys: Vec<(String, String)>,
    /// What was looked at.
    pub window: WindowJson,
    /// The number.
    pub total: String,
    /// Its currency.
    pub currency: String,
    /// The charges that it is the sum of.
    pub lines: Vec<LineJson>,
    /// The workloads whose charges these are, the dearest first, and what each costs.
    pub workloads: Vec<(String, String)>,
    /// The samples behind them.
    pub samples: Vec<SampleJson>,
    /// Hours whose telemetry is not kept.
    pub hours_without_telemetry: u32,
}

/// Charges of one node, resource and destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineJson {
    /// On which node.
    pub node: String,
    /// What was bought.
    pub offer: String,
    /// For which resource.
    pub resource: &'static str,
    /// Where it went: used, idle, unallocated, overhead.
    pub destination: &'static str,
    /// The price of the whole node for an hour.
    pub node_rate: String,
    /// What kind of price that is.
    pub price_kind: &'static str,
    /// Where it comes from.
    pub price_source: String,
    /// The day it was seen.
    pub price_as_of: String,
    /// How long the node was paid, in hours.
    pub node_hours: String,
    /// What the node cost in that time.
    pub node_cost: String,
    /// The part of it for this resource.
    pub resource_cost: String,
    /// Capacity of the resource in that time, in 10^-9 unit-seconds.
    pub resource_quantity_nano: String,
    /// How much of it is charged here, in 10^-9 unit-seconds.
    pub quantity_nano: String,
    /// What that costs.
    pub cost: String,
}

/// Samples of one source, node and resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SampleJson {
    /// Who measured.
    pub source: String,
    /// Where.
    pub node: String,
    /// Which resource.
    pub resource: &'static str,
    /// How many samples.
    pub count: u64,
    /// When the first one begins.
    pub first: String,
    /// When the last one ends.
    pub last: String,
    /// Set aside, in 10^-9 unit-seconds.
    pub requested_nano: String,
    /// Used, in 10^-9 unit-seconds.
    pub used_nano: String,
}

/// The wire form of an explanation.
pub fn explanation(explained: &Explanation) -> ExplanationJson {
    let keys = explained.by.iter().zip(&explained.keys);
    ExplanationJson {
        id: explained.id.clone(),
        keys: keys.map(|(key, value)| (key.to_string(), value.clone())).collect(),
        window: explained.window.into(),
        total: explained.total.to_decimal(),
        currency: explained.total.currency().to_string(),
        lines: explained.lines.iter().map(LineJson::of).collect(),
        workloads: explained
            .workloads
            .iter()
            .map(|(workload, cost)| (workload.to_string(), cost.to_decimal()))
            .collect(),
        samples: explained.samples.iter().map(SampleJson::of).collect(),
        hours_without_telemetry: explained.hours_without_telemetry,
    }
}

impl LineJson {
    fn of(line: &Line) -> Self {
        Self {
            node: line.node.to_string(),
            offer: line.offer.to_string(),
            resource: line.resource.name(),
            destination: line.destination.name(),
            node_rate: line.node_rate.per_hour().to_decimal(),
            price_kind: line.provenance.kind.name(),
            price_source: line.provenance.source.clone(),
            price_as_of: line.provenance.as_of.to_string(),
            node_hours: line.node_hours.to_string(),
            node_cost: line.node_cost.to_decimal(),
            resource_cost: line.resource_cost.to_decimal(),
            resource_quantity_nano: line.resource_quantity_nano.to_string(),
            quantity_nano: line.quantity_nano.to_string(),
            cost: line.cost.to_decimal(),
        }
    }
}

impl SampleJson {
    fn of(sample: &SampleSummary) -> Self {
        Self {
            source: sample.source.to_string(),
            node: sample.node.to_string(),
            resource: sample.resource.name(),
            count: sample.count,
            first: time(sample.first),
            last: time(sample.last),
            requested_nano: sample.requested_nano.to_string(),
            used_nano: sample.used_nano.to_string(),
        }
    }
}
