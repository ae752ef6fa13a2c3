//! What an explanation adds up: charges by what was bought, and samples.

use super::{Key, Label, Line, SampleSummary};
use farthing_model::{
    Charge, Decimal, Destination, Money, NANOS_PER_SECOND, NodeId, OfferId, Resource, Sample,
    SourceId, Window, WorkloadId, proportion,
};
use std::collections::{BTreeMap, HashSet};

/// A node under one price: its name, offer, rate and where that comes from.
pub(super) type Bought = (NodeId, OfferId, i128, String);

/// Sums by what was bought, and what of it is explained.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) lines: BTreeMap<(Bought, Resource, Destination), Line>,
    /// Cost and nanoseconds by what was bought.
    pub(super) nodes: BTreeMap<Bought, (i128, i128)>,
    /// Cost by who is charged.
    pub(super) workloads: BTreeMap<WorkloadId, i128>,
    /// Cost and quantity of each resource of it.
    pub(super) resources: BTreeMap<(Bought, Resource), (i128, i128)>,
    pub(super) hours_without_telemetry: u32,
    pub(super) hours: Vec<Window>,
}

/// Whether a sample is behind a row with this value.
pub(super) fn matches(key: &Key, label: &Label<'_>, sample: &Sample) -> bool {
    let Some(who) = sample.attribution.as_deref() else { return *label == Label::Overhead };
    let name = key.of_whom(who);
    match label {
        Label::Named(asked) => name == Some(asked),
        Label::Missing => name.is_none(),
        _ => false,
    }
}

pub(super) fn add_sample(
    summaries: &mut BTreeMap<(SourceId, NodeId, Resource), SampleSummary>,
    sample: &Sample,
) {
    // A rate: amount / time. Not an amount that the meter took either, if it does not fit.
    let Some(rate) = proportion(sample.known_use(), NANOS_PER_SECOND, sample.window.nanos()) else {
        return;
    };
    let key = (sample.source.clone(), sample.node.clone(), sample.resource);
    let summary = summaries.entry(key).or_insert_with(|| SampleSummary {
        source: sample.source.clone(),
        node: sample.node.clone(),
        resource: sample.resource,
        count: 0,
        first: sample.window.from(),
        last: sample.window.to(),
        requested_nano: 0,
        used_nano: 0,
        measured_nanos: 0,
        used_min_nano: rate,
        used_max_nano: rate,
    });
    summary.count += 1;
    summary.first = summary.first.min(sample.window.from());
    summary.last = summary.last.max(sample.window.to());
    summary.requested_nano = summary.requested_nano.saturating_add(sample.requested_nano);
    if sample.used_nano.is_none() {
        // Nobody looked: that is no use, and not the least of all.
        return;
    }
    if summary.measured_nanos == 0 {
        (summary.used_min_nano, summary.used_max_nano) = (rate, rate);
    }
    summary.used_nano = summary.used_nano.saturating_add(sample.known_use());
    summary.measured_nanos += sample.window.nanos();
    summary.used_min_nano = summary.used_min_nano.min(rate);
    summary.used_max_nano = summary.used_max_nano.max(rate);
}

impl Totals {
    /// Adds a charge to what its node and resource cost in all.
    pub(super) fn whole(
        &mut self,
        charge: &Charge,
        stretches: &mut HashSet<(Bought, Window)>,
    ) -> Option<()> {
        let bought = bought(charge);
        let (pico, nanos) = self.nodes.entry(bought.clone()).or_default();
        *pico = pico.checked_add(charge.cost.pico())?;
        if stretches.insert((bought.clone(), charge.window)) {
            *nanos += charge.window.nanos();
        }
        let (pico, nano) = self.resources.entry((bought, charge.resource)).or_default();
        *pico = pico.checked_add(charge.cost.pico())?;
        *nano = nano.checked_add(charge.quantity_nano)?;
        Some(())
    }

    /// Adds a charge of the row.
    pub(super) fn line(&mut self, charge: &Charge) -> Option<()> {
        let key = (bought(charge), charge.resource, charge.destination);
        let zero = Money::zero(charge.cost.currency());
        let line = self.lines.entry(key).or_insert_with(|| Line {
            node: charge.node.clone(),
            offer: charge.offer.clone(),
            resource: charge.resource,
            destination: charge.destination,
            node_rate: charge.node_rate,
            provenance: charge.provenance.clone(),
            node_hours: Decimal::ZERO,
            node_cost: zero,
            resource_cost: zero,
            resource_quantity_nano: 0,
            quantity_nano: 0,
            cost: zero,
        });
        if let Some(who) = &charge.attribution {
            let pico = self.workloads.entry(who.workload.clone()).or_default();
            *pico = pico.checked_add(charge.cost.pico())?;
        }
        line.quantity_nano = line.quantity_nano.checked_add(charge.quantity_nano)?;
        line.cost = line.cost.checked_add(charge.cost).ok()?;
        Some(())
    }
}

fn bought(charge: &Charge) -> Bought {
    let from = &charge.provenance;
    let price = format!("{} {} {}", from.kind.name(), from.as_of, from.source);
    (charge.node.clone(), charge.offer.clone(), charge.node_rate.per_hour().pico(), price)
}
