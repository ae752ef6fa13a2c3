//! Any number back to its prices and samples.

use super::key::{Key, Label, row_id};
use super::statement::StatementQuery;
use super::{ReportError, whole_hours};
use crate::books::Books;
use farthing_model::{
    Charge, Decimal, Destination, HourlyRate, Money, NANOS_PER_HOUR, NANOS_PER_SECOND, NodeId,
    OfferId, Provenance, Resource, Sample, SourceId, Window, WorkloadId, proportion,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Names are looked for in this order.
const NAMED: [Key; 8] = [
    Key::Workload,
    Key::Process,
    Key::Pod,
    Key::Container,
    Key::User,
    Key::Namespace,
    Key::Team,
    Key::Node,
];

/// How a number came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The id of the row.
    pub id: String,
    /// What its keys are.
    pub by: Vec<Key>,
    /// The values of the keys.
    pub keys: Vec<String>,
    /// The whole hours that were looked at.
    pub window: Window,
    /// The sum of the lines: the row's own charges, without what it shares of others'.
    pub total: Money,
    /// The charges, summed by node, price, resource and destination.
    pub lines: Vec<Line>,
    /// The workloads whose charges these are, the dearest first; what nobody is charged for has
    /// none.
    pub workloads: Vec<(WorkloadId, Money)>,
    /// The samples behind them, summed by source, node and resource.
    pub samples: Vec<SampleSummary>,
    /// Posted hours whose telemetry is gone: their part has lines and no samples.
    pub hours_without_telemetry: u32,
}

/// Charges of one kind. To recompute: `node_rate x node_hours = node_cost`; the weights split it,
/// and the resource's part is `resource_cost`; `resource_cost x quantity / resource_quantity =
/// cost`, but for less than 10^-12 an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// On which node.
    pub node: NodeId,
    /// What was bought.
    pub offer: OfferId,
    /// For which resource.
    pub resource: Resource,
    /// Where it went.
    pub destination: Destination,
    /// The price of the node.
    pub node_rate: HourlyRate,
    /// Where that price comes from.
    pub provenance: Provenance,
    /// Hours for which the node was paid at that price.
    pub node_hours: Decimal,
    /// What the node cost in them.
    pub node_cost: Money,
    /// What of that is for the resource.
    pub resource_cost: Money,
    /// What the node has of the resource over these hours, in 10^-9 unit-seconds.
    pub resource_quantity_nano: i128,
    /// What of that is charged here.
    pub quantity_nano: i128,
    /// What it costs.
    pub cost: Money,
}

/// Samples of one source, node and resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleSummary {
    /// Which adapter measured.
    pub source: SourceId,
    /// Where.
    pub node: NodeId,
    /// Which resource.
    pub resource: Resource,
    /// How many.
    pub count: u64,
    /// The start of the first.
    pub first: Timestamp,
    /// The end of the last.
    pub last: Timestamp,
    /// All that was requested, in 10^-9 unit-seconds.
    pub requested_nano: i128,
    /// All that was used, in 10^-9 unit-seconds.
    pub used_nano: i128,
    /// The time measured, in nanoseconds, summed over samples.
    pub measured_nanos: i128,
    /// The least use of a sample, in 10^-9 units (GPUs, cores, bytes).
    pub used_min_nano: i128,
    /// The greatest use of a sample, in 10^-9 units.
    pub used_max_nano: i128,
}

impl SampleSummary {
    /// The mean use while it was measured, in 10^-9 units, rounded down.
    pub fn used_mean_nano(&self) -> i128 {
        proportion(self.used_nano, NANOS_PER_SECOND, self.measured_nanos).unwrap_or(0)
    }
}

/// Explains `subject`: the id of a row of a statement, or the name of a workload, process,
/// container, user, team or node.
///
/// The query's window and resources apply. An id is looked for under the query's keys, then under
/// each single key and each pair of keys.
///
/// # Errors
/// Nothing has that id or name in the window, or a file of it cannot be read.
pub fn explain(
    books: &Books,
    query: &StatementQuery,
    subject: &str,
) -> Result<Explanation, ReportError> {
    let window = whole_hours(query.window);
    let mut explainer = Explainer { books, query, window };
    let (by, labels) = if subject.starts_with("row-") {
        explainer.row(subject)?
    } else {
        explainer.name(subject)?
    };
    let totals = explainer.sum(&by, &labels)?;
    explainer.finish(by, &labels, totals)
}

/// Everything that [`explain`] knows by a name or by the id of a row of a statement by one key, in
/// order: what someone may have meant who wrote something else.
///
/// # Errors
/// A file of the window cannot be read.
pub fn subjects(books: &Books, query: &StatementQuery) -> Result<BTreeSet<String>, ReportError> {
    let explainer = Explainer { books, query, window: whole_hours(query.window) };
    let mut labels: BTreeSet<(Key, Label<'static>)> = BTreeSet::new();
    explainer.each_hour(|_, charges| {
        for charge in &charges {
            for key in Key::ALL {
                let label = owned(key.of(charge));
                labels.insert((key, label));
            }
        }
        true
    })?;
    let mut subjects = BTreeSet::new();
    for (key, label) in labels {
        let is_name = NAMED.contains(&key);
        subjects.insert(row_id(&query.clusters, &[key], std::slice::from_ref(&label)));
        if let (true, Label::Named(name)) = (is_name, label) {
            subjects.insert(name.into_owned());
        }
    }
    Ok(subjects)
}

type Row = (Vec<Key>, Vec<Label<'static>>);
/// A node under one price: its name, offer, rate and where that comes from.
type Bought = (NodeId, OfferId, i128, String);

fn owned(label: Label<'_>) -> Label<'static> {
    match label {
        Label::Named(name) => Label::Named(name.into_owned().into()),
        Label::Missing => Label::Missing,
        Label::Unallocated => Label::Unallocated,
        Label::Overhead => Label::Overhead,
        Label::Idle => Label::Idle,
        Label::Common => Label::Common,
    }
}

/// Sums by what was bought, and what of it is explained.
#[derive(Default)]
struct Totals {
    lines: BTreeMap<(Bought, Resource, Destination), Line>,
    /// Cost and nanoseconds by what was bought.
    nodes: BTreeMap<Bought, (i128, i128)>,
    /// Cost by who is charged.
    workloads: BTreeMap<WorkloadId, i128>,
    /// Cost and quantity of each resource of it.
    resources: BTreeMap<(Bought, Resource), (i128, i128)>,
    hours_without_telemetry: u32,
    hours: Vec<Window>,
}

struct Explainer<'a> {
    books: &'a Books,
    query: &'a StatementQuery,
    window: Window,
}

impl Explainer<'_> {
    /// Calls `visit` with each hour's charges, of the resources that are asked for.
    fn each_hour(
        &self,
        mut visit: impl FnMut(Window, Vec<Charge>) -> bool,
    ) -> Result<(), ReportError> {
        for cluster in &self.query.clusters {
            for hour in self.books.hours(cluster, self.window).map_err(ReportError::Books)? {
                let hour = hour.map_err(ReportError::Books)?;
                if hour.currency != self.query.currency {
                    let (file, found, asked) = (hour.file, hour.currency, self.query.currency);
                    return Err(ReportError::Currency { file, found, asked });
                }
                let window = hour.window;
                if !visit(window, hour.charges().map_err(ReportError::Books)?) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn asked(&self, resource: Resource) -> bool {
        self.query.resources.as_ref().is_none_or(|kept| kept.contains(&resource))
    }

    fn not_found(&self, subject: &str) -> ReportError {
        ReportError::NotFound { subject: subject.to_owned(), window: self.window }
    }

    /// Finds the row with an id.
    fn row(&mut self, id: &str) -> Result<Row, ReportError> {
        let mut candidates = vec![self.query.by.clone()];
        candidates.extend(Key::ALL.map(|key| vec![key]));
        for first in Key::ALL {
            let others = Key::ALL.into_iter().filter(|second| *second != first);
            candidates.extend(others.map(|second| vec![first.clone(), second]));
        }
        let mut seen: HashSet<(usize, Vec<Label<'static>>)> = HashSet::new();
        let mut found = None;
        self.each_hour(|_, charges| {
            for charge in charges {
                for (index, by) in candidates.iter().enumerate() {
                    let labels: Vec<_> = by.iter().map(|key| owned(key.of(&charge))).collect();
                    if !seen.insert((index, labels.clone())) {
                        continue;
                    }
                    if row_id(&self.query.clusters, by, &labels) == id {
                        found = Some((by.clone(), labels));
                        return false;
                    }
                }
            }
            true
        })?;
        found.ok_or_else(|| self.not_found(id))
    }

    /// Finds what has a name.
    fn name(&mut self, name: &str) -> Result<Row, ReportError> {
        let label = Label::Named(name.to_owned().into());
        let mut keys = BTreeSet::new();
        self.each_hour(|_, charges| {
            for charge in &charges {
                let named = NAMED.iter().enumerate().filter(|(_, key)| key.of(charge) == label);
                keys.extend(named.map(|(position, _)| position));
            }
            true
        })?;
        let first = keys.first().ok_or_else(|| self.not_found(name))?;
        Ok((vec![NAMED[*first].clone()], vec![label]))
    }

    fn sum(&self, by: &[Key], labels: &[Label<'_>]) -> Result<Totals, ReportError> {
        let mut totals = Totals::default();
        let mut measured = Vec::new();
        for cluster in &self.query.clusters {
            measured.extend(self.books.measured_hours(cluster).map_err(ReportError::Books)?);
        }
        let mut overflow = false;
        self.each_hour(|window, charges| {
            totals.hours.push(window);
            if !measured.iter().any(|hour| hour.contains(window.from())) {
                totals.hours_without_telemetry += 1;
            }
            let mut stretches = HashSet::new();
            for charge in &charges {
                overflow |= totals.whole(charge, &mut stretches).is_none();
                let is_it = by.iter().zip(labels).all(|(key, label)| key.of(charge) == *label);
                if is_it && self.asked(charge.resource) {
                    overflow |= totals.line(charge).is_none();
                }
            }
            !overflow
        })?;
        if overflow { Err(ReportError::Overflow(self.window)) } else { Ok(totals) }
    }

    fn finish(
        &self,
        by: Vec<Key>,
        labels: &[Label<'_>],
        totals: Totals,
    ) -> Result<Explanation, ReportError> {
        let currency = self.query.currency;
        let mut workloads: Vec<(WorkloadId, Money)> = totals
            .workloads
            .into_iter()
            .map(|(workload, pico)| (workload, Money::from_pico(pico, currency)))
            .collect();
        workloads.sort_by_key(|(_, cost)| std::cmp::Reverse(cost.pico()));
        let mut lines = Vec::new();
        for ((bought, resource, _), mut line) in totals.lines {
            if let Some((pico, nanos)) = totals.nodes.get(&bought) {
                line.node_cost = Money::from_pico(*pico, currency);
                let hours = proportion(*nanos, NANOS_PER_SECOND, NANOS_PER_HOUR);
                line.node_hours = Decimal::from_nano(hours.unwrap_or(0));
            }
            if let Some((pico, nano)) = totals.resources.get(&(bought, resource)) {
                line.resource_cost = Money::from_pico(*pico, currency);
                line.resource_quantity_nano = *nano;
            }
            lines.push(line);
        }
        let total = Money::sum(lines.iter().map(|line| line.cost), currency);
        let window = self.window;
        let samples = self.samples(&by, labels, &lines, &totals.hours)?;
        Ok(Explanation {
            id: row_id(&self.query.clusters, &by, labels),
            keys: by.iter().zip(labels).map(|(key, label)| label.text(key)).collect(),
            by,
            window,
            total: total.map_err(|source| ReportError::Money { window, source })?,
            lines,
            workloads,
            samples,
            hours_without_telemetry: totals.hours_without_telemetry,
        })
    }

    fn samples(
        &self,
        by: &[Key],
        labels: &[Label<'_>],
        lines: &[Line],
        hours: &[Window],
    ) -> Result<Vec<SampleSummary>, ReportError> {
        let places: BTreeSet<(&NodeId, Resource)> =
            lines.iter().map(|line| (&line.node, line.resource)).collect();
        let mut summaries: BTreeMap<(SourceId, NodeId, Resource), SampleSummary> = BTreeMap::new();
        for hour in hours {
            let asked = by.iter().zip(labels);
            let is_other_time = |(key, label): (&Key, &Label<'_>)| {
                key.is_time() && *label != Label::Named(key.time_text(hour.from()).into())
            };
            if asked.clone().any(is_other_time) {
                continue;
            }
            let mut segments = Vec::new();
            for cluster in &self.query.clusters {
                let read = self.books.segments(cluster, hour.from());
                segments.extend(read.map_err(ReportError::Books)?);
            }
            for sample in segments.iter().flat_map(|segment| &segment.samples) {
                let is_it = asked.clone().filter(|(key, _)| key.is_attribution());
                let is_it = is_it.into_iter().all(|(key, label)| matches(key, label, sample));
                if is_it && places.contains(&(&sample.node, sample.resource)) {
                    add_sample(&mut summaries, sample);
                }
            }
        }
        Ok(summaries.into_values().collect())
    }
}

/// Whether a sample is behind a row with this value.
fn matches(key: &Key, label: &Label<'_>, sample: &Sample) -> bool {
    let Some(who) = sample.attribution.as_deref() else { return *label == Label::Overhead };
    let name = key.of_whom(who);
    match label {
        Label::Named(asked) => name == Some(asked),
        Label::Missing => name.is_none(),
        _ => false,
    }
}

fn add_sample(
    summaries: &mut BTreeMap<(SourceId, NodeId, Resource), SampleSummary>,
    sample: &Sample,
) {
    // A rate: amount / time. Not an amount that the meter took either, if it does not fit.
    let Some(rate) = proportion(sample.used_nano, NANOS_PER_SECOND, sample.window.nanos()) else {
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
    summary.used_nano = summary.used_nano.saturating_add(sample.used_nano);
    summary.measured_nanos += sample.window.nanos();
    summary.used_min_nano = summary.used_min_nano.min(rate);
    summary.used_max_nano = summary.used_max_nano.max(rate);
}

impl Totals {
    /// Adds a charge to what its node and resource cost in all.
    fn whole(&mut self, charge: &Charge, stretches: &mut HashSet<(Bought, Window)>) -> Option<()> {
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
    fn line(&mut self, charge: &Charge) -> Option<()> {
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
