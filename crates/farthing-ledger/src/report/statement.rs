//! The statement: what was paid, by whom, with parts that sum to the whole.

use super::draft::{Draft, Head};
use super::filter::Filter;
use super::group::{Groups, OPTIONAL, OWNERS};
use super::key::Key;
use super::share::{ShareIdle, Weigh};
use super::{ReportError, whole_hours};
use crate::books::{Books, BooksError, Correction, HourBook};
use crate::meter::{Unpriced, Usage};
use farthing_model::{
    ClusterId, Coverage, Currency, Decimal, Money, PerResource, Ratio, Resource, Window,
};

/// Seconds in an hour, and bytes in a GiB: units of quantities for people.
const HOUR_S: i128 = 3_600;
const GIB: i128 = 1 << 30;

/// Whose idle and overhead are shared among whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Among the rows of the same place: node, resource, region and so on, as far as rows are
    /// grouped by it. Grouped by none of them, the cluster is one place.
    #[default]
    Place,
    /// Among all rows of a cluster.
    Cluster,
    /// Among all rows of a node.
    Node,
}

/// What a row is charged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// What was held for it, used or not: chargeback.
    #[default]
    Reserved,
    /// What it occupied: of a device that it held and had nothing on, nothing.
    Occupied,
    /// What it used; what it held beside that is as if nobody had asked for it.
    Used,
}

/// What becomes of costs that are not one row's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// What becomes of what nobody allocated, and of overhead.
    pub idle: ShareIdle,
    /// By what a proportional share is measured.
    pub weigh: Weigh,
    /// Among whom it is shared.
    pub scope: Scope,
    /// Whether only rows that the filter keeps take a share; else all take theirs first, so that a
    /// row's amounts do not depend on the filter.
    pub after_filter: bool,
    /// Charges that all others share, such as those of a namespace of the platform.
    pub common: Option<Filter>,
    /// Whether these go to all rows alike, and not in proportion to what each is charged.
    pub common_evenly: bool,
    /// A cost of the whole window that no node has, shared as those are.
    pub flat: Option<Money>,
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementQuery {
    /// Whose books.
    pub clusters: Vec<ClusterId>,
    /// When; widened to whole UTC hours, as charges are kept by the hour.
    pub window: Window,
    /// The currency of the books.
    pub currency: Currency,
    /// What rows are grouped by; nothing = one row.
    pub by: Vec<Key>,
    /// Only these charges.
    pub filter: Option<Filter>,
    /// Only these resources; `None` = all.
    pub resources: Option<Vec<Resource>>,
    /// What rows are charged for.
    pub basis: Basis,
    /// What becomes of costs that are not one row's.
    pub sharing: Sharing,
}

impl StatementQuery {
    /// Everything of a cluster, in one row, with what nobody allocated apart.
    pub fn of(cluster: ClusterId, window: Window, currency: Currency) -> Self {
        Self {
            clusters: vec![cluster],
            window,
            currency,
            by: Vec::new(),
            filter: None,
            resources: None,
            basis: Basis::default(),
            sharing: Sharing::default(),
        }
    }
}

/// A statement. `paid = used + idle + unallocated + overhead`, and the rows' totals sum to it.
///
/// With a filter all of this is about what the filter keeps; `filtered` is the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The whole hours that it covers.
    pub window: Window,
    /// The currency of all money in it.
    pub currency: Currency,
    /// What the keys of each row are.
    pub by: Vec<Key>,
    /// What the nodes cost: rates times time, noted before anything was split; with a flat cost,
    /// less the charges of resources that were not asked for and what a filter leaves out.
    pub paid: Money,
    /// Allocated and used.
    pub used: Money,
    /// Allocated and not used.
    pub idle: Money,
    /// Not allocated.
    pub unallocated: Money,
    /// The system's own, and not usable yet.
    pub overhead: Money,
    /// Of idle and unallocated, that of which nobody measured whether it was used; before sharing.
    pub unknown: Money,
    /// What it would cost at the prices of lists; the rows' lists sum to it. A flat cost and what a
    /// filter leaves out are treated as in [`Self::paid`]. Where no list price is known, what was
    /// paid stands for it.
    pub list: Money,
    /// What is in the rows of those who share it.
    pub shared: Money,
    /// What a filter leaves out, with its part of what is shared.
    pub filtered: Money,
    /// Costs that all share and nobody is there to take: a row of its own.
    pub apart: Money,
    /// Paid less all rows' totals. Anything but zero is a fault in the books.
    pub difference: Money,
    /// Paid node time that was measured.
    pub coverage: Coverage,
    /// Of each resource that was paid, that of which it is known whether it was used: a source may
    /// be down while the node answers. `None` where none was paid.
    pub measured: PerResource<Option<Ratio>>,
    /// Where each resource's unit-seconds went.
    pub usage: PerResource<Usage>,
    /// The hours of the window that have charges.
    pub hours: u32,
    /// Nodes that could not be charged, and why.
    pub unpriced: Vec<Unpriced>,
    /// Hours of it that were corrected after they had been posted.
    pub corrections: Vec<Correction>,
    /// Sorted by total, largest first, then by keys; where the first key is one of time, by that
    /// before.
    pub rows: Vec<StatementRow>,
    /// What is nobody's and not shared, by pool: it is in the rows too.
    pub spare: Vec<SpareRow>,
}

/// What is nobody's in one cluster or node, and not shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpareRow {
    /// The cluster.
    pub cluster: String,
    /// The node, where idle is shared by node.
    pub node: Option<String>,
    /// The values of those keys that cut time.
    pub times: Vec<String>,
    /// By resource.
    pub cost: PerResource<Money>,
    /// In 10^-9 unit-seconds.
    pub quantity_nano: PerResource<i128>,
}

/// One row of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRow {
    /// `row-` and 15 hex digits; the same row in any window. [`crate::explain()`] takes it.
    pub id: String,
    /// The values of the keys, for people: `(unallocated)`, `(overhead)`, `(no team)`.
    pub keys: Vec<String>,
    /// Which of them are values, and not such words.
    pub named: Vec<bool>,
    /// Allocated and used.
    pub used: Money,
    /// Allocated and not used.
    pub idle: Money,
    /// Not allocated, where it is not shared.
    pub unallocated: Money,
    /// Overhead, where it is not shared.
    pub overhead: Money,
    /// Its part of what is shared.
    pub shared: Money,
    /// What of that is of common costs, or of idle that is not weighed by resource.
    pub common: Money,
    /// The sum of the five.
    pub total: Money,
    /// Of its idle and unallocated, that of which nobody measured whether it was used; before
    /// sharing.
    pub unknown: Money,
    /// What its total would be at the prices of lists: a contract's discount goes where the cost
    /// goes that it was given on, so with list prices above those that were paid this is never less
    /// than the total.
    pub list: Money,
    /// Used, idle and overhead of those who are charged, by resource, with their parts of what is
    /// shared where that is weighed by resource.
    pub own: PerResource<Money>,
    /// Whether somebody is charged in it.
    pub is_someones: bool,
    /// Its quantities, before sharing.
    pub usage: PerResource<Usage>,
    /// `U = used / allocated`, in money, so that resources add; `None` when nothing was charged
    /// to it.
    pub utilisation: Option<Ratio>,
}

impl Statement {
    /// Whether a contract made something cheaper, or dearer, than its list says.
    pub fn has_discounts(&self) -> bool {
        self.list != self.paid
    }
}

impl StatementRow {
    /// Accelerator-hours, to the nearest 10^-9.
    pub fn gpu_hours(&self) -> Decimal {
        self.hours(Resource::Gpu, HOUR_S)
    }

    /// Core-hours, to the nearest 10^-9.
    pub fn core_hours(&self) -> Decimal {
        self.hours(Resource::Cpu, HOUR_S)
    }

    /// GiB-hours of memory, to the nearest 10^-9.
    pub fn gib_hours(&self) -> Decimal {
        self.hours(Resource::Memory, HOUR_S * GIB)
    }

    /// GiB-hours of storage, to the nearest 10^-9.
    pub fn storage_gib_hours(&self) -> Decimal {
        self.hours(Resource::Storage, HOUR_S * GIB)
    }

    fn hours(&self, resource: Resource, unit: i128) -> Decimal {
        let nano = self.usage.get(resource).paid_nano();
        Decimal::from_nano((nano + unit / 2).div_euclid(unit))
    }
}

/// Reads the books and writes a statement. Hours without charges cost nothing in it, and are not
/// in [`Statement::hours`].
///
/// # Errors
/// A file of the window cannot be read, is damaged or is in another currency.
pub fn statement(books: &Books, query: &StatementQuery) -> Result<Statement, ReportError> {
    statement_with(books, query, &mut |_, _| {})
}

/// As [`statement`]; calls `progress` with the hours that are read and all there are.
///
/// # Errors
/// As [`statement`].
pub fn statement_with(
    books: &Books,
    query: &StatementQuery,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Statement, ReportError> {
    let open = |cluster: &ClusterId, hour: Window, asked: &[&str]| {
        books.hour_by(cluster, hour.from(), asked)
    };
    made(books, query, (&open, progress))
}

/// Opens an hour of a cluster in columns that are asked for.
pub(super) type Open<'a> =
    &'a dyn Fn(&ClusterId, Window, &[&str]) -> Result<Option<HourBook>, BooksError>;

pub(super) fn made(
    books: &Books,
    query: &StatementQuery,
    (open, progress): (Open<'_>, &mut dyn FnMut(usize, usize)),
) -> Result<Statement, ReportError> {
    let window = whole_hours(query.window);
    let mut groups = Groups::new(query, window);
    let mut head = Head::default();
    let asked = groups.columns();
    let columns = [&asked[..], &OWNERS[..], &OPTIONAL[..]].concat();
    let mut posted = Vec::new();
    for cluster in &query.clusters {
        let hours = books.posted_hours(cluster).map_err(ReportError::Books)?;
        let inside = hours.into_iter().filter(|hour| hour.intersect(window).is_some());
        posted.extend(inside.map(|hour| (cluster, hour)));
    }
    for (done, (cluster, hour)) in posted.iter().enumerate() {
        progress(done, posted.len());
        let hour = open(cluster, *hour, &asked).map_err(ReportError::Books)?;
        let Some(mut hour) = hour else { continue };
        if hour.currency != query.currency {
            let (file, found, asked) = (hour.file, hour.currency, query.currency);
            return Err(ReportError::Currency { file, found, asked });
        }
        head.hours += 1;
        let paid = head.paid_pico.checked_add(hour.paid.pico());
        head.paid_pico = paid.ok_or(ReportError::Overflow(window))?;
        head.coverage.expected_nanos += hour.coverage.expected_nanos;
        head.coverage.measured_nanos += hour.coverage.measured_nanos;
        head.unpriced.extend(std::mem::take(&mut hour.unpriced));
        head.corrections.extend(std::mem::take(&mut hour.corrections));
        for batch in hour.only(&columns).map_err(ReportError::Books)? {
            groups.add(&batch.map_err(ReportError::Books)?, cluster)?;
        }
    }
    progress(posted.len(), posted.len());
    head.paid_pico -= groups.left_out_pico;
    Draft::new(query, window, &groups)?.finish(head)
}
