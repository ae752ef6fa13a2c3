//! Any number back to its prices and samples.

mod sums;

use super::group::{Groups, OWNERS};
use super::key::{Key, Label, RowIds, lists_of};
use super::statement::StatementQuery;
use super::{ReportError, whole_hours};
use crate::books::{Asked, AskedText, Books, HourBook, SampleSums, Series, instant};
use arrow_array::StringArray;
use farthing_model::{
    ClusterId, Decimal, Destination, HourlyRate, Money, NANOS_PER_SECOND, NodeId, OfferId,
    Provenance, Resource, SourceId, Window, WorkloadId, proportion,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use sums::{Totals, Wanted, is_wanted, matches};

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
    fn of((source, node, resource): Series, sums: &SampleSums) -> Option<Self> {
        Some(Self {
            source,
            node,
            resource,
            count: sums.count,
            first: instant(Some(sums.from))?,
            last: instant(Some(sums.to))?,
            requested_nano: sums.requested_nano,
            used_nano: sums.used_nano,
            measured_nanos: sums.measured_nanos,
            used_min_nano: sums.used_min_nano,
            used_max_nano: sums.used_max_nano,
        })
    }

    /// The mean use while it was measured, in 10^-9 units, rounded down.
    pub fn used_mean_nano(&self) -> i128 {
        proportion(self.used_nano, NANOS_PER_SECOND, self.measured_nanos).unwrap_or(0)
    }
}

/// Explains `subject`: the id of a row of a statement, or the name of a workload, process,
/// container, user, team or node.
///
/// The query's window and resources apply. An id is looked for under the query's keys, then under
/// up to three keys that have a fixed name.
///
/// # Errors
/// Nothing has that id or name in the window, or a file of it cannot be read.
pub fn explain(
    books: &Books,
    query: &StatementQuery,
    subject: &str,
) -> Result<Explanation, ReportError> {
    let window = whole_hours(query.window);
    let explainer = Explainer { books, query, window };
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
    let asked = explainer.queries(Key::ALL.into_iter().map(|key| vec![key]));
    let mut subjects = BTreeSet::new();
    let mut groups: Vec<Groups<'_>> = asked.iter().map(|asked| explainer.groups(asked)).collect();
    for (cluster, hour) in explainer.hours()? {
        for (asked, groups) in asked.iter().zip(&mut groups) {
            explainer.read(cluster, hour, asked, groups)?;
        }
    }
    for (asked, groups) in asked.iter().zip(&groups) {
        let (is_name, ids) =
            (NAMED.contains(&asked.by[0]), RowIds::new(&query.clusters, &asked.by));
        for group in groups.iter() {
            let label = groups.label(group.cells[0]);
            subjects.insert(ids.id(std::slice::from_ref(&label)));
            if let (true, Label::Named(name)) = (is_name, label) {
                subjects.insert(name.into_owned());
            }
        }
    }
    Ok(subjects)
}

type Row = (Vec<Key>, Vec<Label<'static>>);
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

/// The first of some columns in which a row of the hour has this name.
fn has(book: HourBook, columns: &[&str], name: &str) -> Result<Option<usize>, ReportError> {
    let mut first = columns.len();
    // The distinct values of the last batch, and which of them is the name.
    let mut last: Vec<Option<(StringArray, Option<usize>)>> = vec![None; columns.len()];
    for batch in book.only(columns).map_err(ReportError::Books)? {
        let batch = batch.map_err(ReportError::Books)?;
        for (at, column) in columns.iter().enumerate().take(first) {
            let text = batch.optional_text(column).map_err(ReportError::Books)?;
            let Some(text) = text else { continue };
            let value = match &last[at] {
                Some((values, value)) if text.has_values_of(values) => *value,
                _ => text.values().position(|value| value == name),
            };
            last[at] = Some((text.kept_values(), value));
            if value.is_some_and(|value| (0..batch.len()).any(|row| text.index(row) == Some(value)))
            {
                first = at;
                break;
            }
        }
    }
    Ok((first < columns.len()).then_some(first))
}

/// The columns that say whose a sample is, and which of their texts are those of the row.
fn texts<'a>(by: &'a [Key], labels: &'a [Label<'_>]) -> Vec<AskedText<'a>> {
    let of_whom = by.iter().zip(labels).filter(|(key, _)| key.is_attribution());
    let text = |(key, label): (&'a Key, &'a Label<'_>)| -> AskedText<'a> {
        let column = key.column();
        let name = column.name();
        (name, Box::new(move |text| is_wanted(text.and_then(|text| column.read(text)), label)))
    };
    of_whom.map(text).collect()
}

struct Explainer<'a> {
    books: &'a Books,
    query: &'a StatementQuery,
    window: Window,
}

impl Explainer<'_> {
    /// The hours of all clusters, newest first.
    fn hours(&self) -> Result<Vec<(&ClusterId, Window)>, ReportError> {
        let mut hours = Vec::new();
        for cluster in &self.query.clusters {
            let posted = self.books.posted_hours(cluster).map_err(ReportError::Books)?;
            let inside = posted.into_iter().filter(|hour| hour.intersect(self.window).is_some());
            hours.extend(inside.map(|hour| (cluster, hour)));
        }
        hours.sort_by_key(|(_, hour)| std::cmp::Reverse(*hour));
        Ok(hours)
    }

    /// An hour, if it is in the currency that is asked for.
    fn hour(&self, cluster: &ClusterId, hour: Window) -> Result<Option<HourBook>, ReportError> {
        self.in_currency(self.books.hour(cluster, hour.from()).map_err(ReportError::Books)?)
    }

    fn in_currency(&self, book: Option<HourBook>) -> Result<Option<HourBook>, ReportError> {
        let Some(book) = book else { return Ok(None) };
        if book.currency != self.query.currency {
            let (file, found, asked) = (book.file, book.currency, self.query.currency);
            return Err(ReportError::Currency { file, found, asked });
        }
        Ok(Some(book))
    }

    /// Queries of all charges by other keys.
    fn queries(&self, by: impl Iterator<Item = Vec<Key>>) -> Vec<StatementQuery> {
        let first = &self.query.clusters;
        let of = |by| {
            let all = StatementQuery::of(first[0].clone(), self.window, self.query.currency);
            StatementQuery { by, clusters: first.clone(), ..all }
        };
        if first.is_empty() { Vec::new() } else { by.map(of).collect() }
    }

    fn groups<'q>(&self, query: &'q StatementQuery) -> Groups<'q> {
        Groups::new(query, self.window)
    }

    /// Adds an hour to groups.
    fn read(
        &self,
        cluster: &ClusterId,
        hour: Window,
        asked: &StatementQuery,
        groups: &mut Groups<'_>,
    ) -> Result<(), ReportError> {
        debug_assert_eq!(asked.clusters, self.query.clusters);
        let keys = groups.columns();
        let book = self.books.hour_by(cluster, hour.from(), &keys).map_err(ReportError::Books)?;
        let Some(book) = self.in_currency(book)? else { return Ok(()) };
        let columns = [&keys[..], &OWNERS[..]].concat();
        for batch in book.only(&columns).map_err(ReportError::Books)? {
            groups.add(&batch.map_err(ReportError::Books)?, cluster)?;
        }
        Ok(())
    }

    fn not_found(&self, subject: &str) -> ReportError {
        ReportError::NotFound { subject: subject.to_owned(), window: self.window }
    }

    /// Finds the row with an id: under the keys of the query, then under those that its first
    /// digits say; in the newest hour first.
    fn row(&self, id: &str) -> Result<Row, ReportError> {
        let clusters = &self.query.clusters;
        let lists = std::iter::once(self.query.by.clone()).chain(lists_of(clusters, id));
        let asked = self.queries(lists.filter(|by| RowIds::new(clusters, by).may_be(id)));
        for asked in &asked {
            let ids = RowIds::new(clusters, &asked.by);
            for (cluster, hour) in self.hours()? {
                let mut groups = self.groups(asked);
                self.read(cluster, hour, asked, &mut groups)?;
                for group in groups.iter() {
                    let labels: Vec<_> =
                        group.cells.iter().map(|cell| groups.label(*cell)).collect();
                    if ids.id(&labels) == id {
                        return Ok((asked.by.clone(), labels.into_iter().map(owned).collect()));
                    }
                }
            }
        }
        Err(self.not_found(id))
    }

    /// Finds what has a name.
    fn name(&self, name: &str) -> Result<Row, ReportError> {
        let columns = NAMED.map(|key| key.column().name());
        let mut first = NAMED.len();
        for (cluster, hour) in self.hours()? {
            let Some(book) = self.hour(cluster, hour)? else { continue };
            // Only a column that comes before what is found already, and whose bounds allow it.
            let may: Vec<_> =
                columns[..first].iter().map(|name_of| book.may_have(name_of, name)).collect();
            let positions: Vec<usize> = (0..first).filter(|at| may[*at]).collect();
            let Some(last) = positions.last() else { continue };
            let asked: Vec<&str> = positions.iter().map(|at| columns[*at]).collect();
            first = has(book, &asked, name)?.map_or(first, |at| positions[at].min(*last));
        }
        let key = NAMED.get(first).ok_or_else(|| self.not_found(name))?;
        Ok((vec![key.clone()], vec![Label::Named(name.to_owned().into())]))
    }

    fn sum(&self, by: &[Key], labels: &[Label<'_>]) -> Result<Totals, ReportError> {
        let mut totals = Totals::new(self.query.currency);
        let mut measured = BTreeSet::new();
        for cluster in &self.query.clusters {
            measured.extend(self.books.measured_hours(cluster).map_err(ReportError::Books)?);
        }
        let mut wanted = Wanted::new(by, labels, self.query.resources.as_deref());
        let columns = wanted.columns();
        for (cluster, hour) in self.hours()?.into_iter().rev() {
            let Some(book) = self.hour(cluster, hour)? else { continue };
            totals.hours_without_telemetry += u32::from(!measured.contains(&hour));
            totals.hours.push(book.window);
            totals.begin_hour();
            for batch in book.only(&columns).map_err(ReportError::Books)? {
                let batch = batch.map_err(ReportError::Books)?;
                let added = totals.add(&batch, hour.from(), &mut wanted);
                added.map_err(ReportError::Books)?.ok_or(ReportError::Overflow(self.window))?;
            }
        }
        Ok(totals)
    }

    fn finish(
        &self,
        by: Vec<Key>,
        labels: &[Label<'_>],
        totals: Totals,
    ) -> Result<Explanation, ReportError> {
        let currency = self.query.currency;
        let hours = totals.hours.clone();
        let (lines, workloads, hours_without_telemetry) = totals.finish();
        let total = Money::sum(lines.iter().map(|line| line.cost), currency);
        let window = self.window;
        let samples = self.samples(&by, labels, &lines, &hours)?;
        Ok(Explanation {
            id: RowIds::new(&self.query.clusters, &by).id(labels),
            keys: by.iter().zip(labels).map(|(key, label)| label.text(key)).collect(),
            by,
            window,
            total: total.map_err(|source| ReportError::Money { window, source })?,
            lines,
            workloads,
            samples,
            hours_without_telemetry,
        })
    }

    fn samples(
        &self,
        by: &[Key],
        labels: &[Label<'_>],
        lines: &[Line],
        hours: &[Window],
    ) -> Result<Vec<SampleSummary>, ReportError> {
        let places: BTreeSet<(&str, Resource)> =
            lines.iter().map(|line| (line.node.as_str(), line.resource)).collect();
        let of_row = Asked {
            places: &|node, resource| places.contains(&(node, resource)),
            texts: texts(by, labels),
            whom: &|who| {
                let mut of_whom = by.iter().zip(labels).filter(|(key, _)| key.is_attribution());
                of_whom.all(|(key, label)| matches(key, label, who))
            },
        };
        let mut sums: BTreeMap<Series, SampleSums> = BTreeMap::new();
        for hour in hours {
            let asked = by.iter().zip(labels);
            let is_other_time = |(key, label): (&Key, &Label<'_>)| {
                key.is_time() && *label != Label::Named(key.time_text(hour.from()).into())
            };
            if asked.clone().any(is_other_time) {
                continue;
            }
            for cluster in &self.query.clusters {
                let add = &mut |of: Series, more: &SampleSums| {
                    let known = sums.entry(of);
                    known.and_modify(|sum| sum.add(more)).or_insert_with(|| more.clone());
                };
                let read = self.books.sample_sums((cluster, hour.from()), &of_row, add);
                read.map_err(ReportError::Books)?;
            }
        }
        let summary = |(of, sums): (Series, SampleSums)| SampleSummary::of(of, &sums);
        Ok(sums.into_iter().filter_map(summary).collect())
    }
}
