//! The statement: what was paid, by whom, with parts that sum to the whole.

use super::group::{Cell, Groups, Sums};
use super::key::{Key, Label, row_id};
use super::{ReportError, whole_hours};
use crate::books::{Books, Correction};
use crate::meter::{Unpriced, Usage};
use farthing_model::{
    ClusterId, Coverage, Currency, Decimal, Destination, Money, PerResource, Ratio, Resource,
    Window, split,
};
use std::collections::BTreeMap;

/// Seconds in an hour, and bytes in a GiB: units of quantities for people.
const HOUR_S: i128 = 3_600;
const GIB: i128 = 1 << 30;

/// What becomes of what nobody allocated, and of overhead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShareIdle {
    /// Rows of their own.
    #[default]
    Separate,
    /// The same for everyone.
    Even,
    /// In proportion to what each was charged before.
    Proportional,
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementQuery {
    /// Whose books.
    pub cluster: ClusterId,
    /// When; widened to whole UTC hours, as charges are kept by the hour.
    pub window: Window,
    /// The currency of the books.
    pub currency: Currency,
    /// What rows are grouped by; nothing = one row.
    pub by: Vec<Key>,
    /// What becomes of unallocated and overhead.
    pub share_idle: ShareIdle,
    /// Only these resources; `None` = all.
    pub resources: Option<Vec<Resource>>,
}

impl StatementQuery {
    /// Everything, in one row, with what nobody allocated apart.
    pub fn of(cluster: ClusterId, window: Window, currency: Currency) -> Self {
        let (by, share_idle) = (Vec::new(), ShareIdle::Separate);
        Self { cluster, window, currency, by, share_idle, resources: None }
    }
}

/// A statement. `paid = used + idle + unallocated + overhead`, and the rows' totals sum to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The whole hours that it covers.
    pub window: Window,
    /// The currency of all money in it.
    pub currency: Currency,
    /// What the keys of each row are.
    pub by: Vec<Key>,
    /// What the nodes cost: rates times time, noted before anything was split; less the charges
    /// of resources that were not asked for.
    pub paid: Money,
    /// Allocated and used.
    pub used: Money,
    /// Allocated and not used.
    pub idle: Money,
    /// Not allocated.
    pub unallocated: Money,
    /// The system's own, and not usable yet.
    pub overhead: Money,
    /// What of unallocated and overhead is in the rows of those who share it.
    pub shared: Money,
    /// Paid less all rows' totals. Anything but zero is a fault in the books.
    pub difference: Money,
    /// Paid node time that was measured.
    pub coverage: Coverage,
    /// Where each resource's unit-seconds went.
    pub usage: PerResource<Usage>,
    /// The hours of the window that have charges.
    pub hours: u32,
    /// Nodes that could not be charged, and why.
    pub unpriced: Vec<Unpriced>,
    /// Hours of it that were corrected after they had been posted.
    pub corrections: Vec<Correction>,
    /// Sorted by total, largest first, then by keys.
    pub rows: Vec<StatementRow>,
}

/// One row of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRow {
    /// `row-` and 12 hex digits; the same row in any window. [`crate::explain()`] takes it.
    pub id: String,
    /// The values of the keys, for people: `(unallocated)`, `(overhead)`, `(no team)`.
    pub keys: Vec<String>,
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
    /// The sum of the five.
    pub total: Money,
    /// Its quantities, before sharing.
    pub usage: PerResource<Usage>,
    /// `U = used / allocated`, in money, so that resources add; `None` when nothing was charged
    /// to it.
    pub utilisation: Option<Ratio>,
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
    let window = whole_hours(query.window);
    let mut groups = Groups::new(&query.by, window);
    let mut head = Head::default();
    for hour in books.hours(&query.cluster, window).map_err(ReportError::Books)? {
        let hour = hour.map_err(ReportError::Books)?;
        if hour.currency != query.currency {
            let (file, found, asked) = (hour.file, hour.currency, query.currency);
            return Err(ReportError::Currency { file, found, asked });
        }
        head.hours += 1;
        let paid = head.paid_pico.checked_add(hour.paid.pico());
        head.paid_pico = paid.ok_or(ReportError::Overflow(window))?;
        head.coverage.expected_nanos += hour.coverage.expected_nanos;
        head.coverage.measured_nanos += hour.coverage.measured_nanos;
        head.unpriced.extend(hour.unpriced);
        head.corrections.extend(hour.corrections);
        for batch in hour.batches {
            groups.add(&batch.map_err(ReportError::Books)?, query.resources.as_deref())?;
        }
    }
    head.paid_pico -= groups.left_out_pico;
    Ok(Draft::new(query, window, &groups)?.finish(head))
}

/// What the footers of the hours say.
#[derive(Default)]
struct Head {
    hours: u32,
    paid_pico: i128,
    coverage: Coverage,
    unpriced: Vec<Unpriced>,
    corrections: Vec<Correction>,
}

/// Rows in the making, sorted by key so that ties of sharing do not depend on hash order.
struct Draft<'a> {
    query: &'a StatementQuery,
    window: Window,
    rows: Vec<DraftRow<'a>>,
    totals: Sums,
}

struct DraftRow<'a> {
    labels: Vec<Label<'a>>,
    cells: Vec<Cell>,
    sums: Sums,
    shared: i128,
}

impl DraftRow<'_> {
    fn charged(&self) -> i128 {
        self.sums.pico[Destination::Used as usize] + self.sums.pico[Destination::Idle as usize]
    }

    /// What others may share: unallocated and overhead.
    fn pool(&self) -> i128 {
        let pico = &self.sums.pico;
        pico[Destination::Unallocated as usize] + pico[Destination::Overhead as usize]
    }

    /// Whether somebody was charged in it, be it for something free.
    fn is_someones(&self) -> bool {
        self.sums.usage.iter().any(|(_, usage)| usage.allocated_nano() > 0)
    }
}

impl<'a> Draft<'a> {
    fn new(
        query: &'a StatementQuery,
        window: Window,
        groups: &'a Groups<'_>,
    ) -> Result<Self, ReportError> {
        let mut rows: Vec<DraftRow<'a>> = Vec::with_capacity(groups.sums.len());
        let mut totals = Sums::default();
        for (cells, sums) in &groups.sums {
            let labels = cells.iter().map(|cell| groups.label(*cell)).collect();
            for (total, pico) in totals.pico.iter_mut().zip(sums.pico) {
                *total = total.checked_add(pico).ok_or(ReportError::Overflow(window))?;
            }
            for (resource, usage) in sums.usage.iter() {
                let total = totals.usage.get_mut(resource);
                total.add(Destination::Used, usage.used_nano);
                total.add(Destination::Idle, usage.idle_nano);
                total.add(Destination::Unallocated, usage.unallocated_nano);
                total.add(Destination::Overhead, usage.overhead_nano);
            }
            rows.push(DraftRow { labels, cells: cells.clone(), sums: *sums, shared: 0 });
        }
        rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut draft = Self { query, window, rows, totals };
        draft.share()?;
        Ok(draft)
    }

    /// Gives each pool of unallocated and overhead to the rows that share it: those with the same
    /// place (node, resource, hour and so on, as far as rows are grouped by it) and an owner. A
    /// pool that nobody can share stays where it is.
    fn share(&mut self) -> Result<(), ReportError> {
        if self.query.share_idle == ShareIdle::Separate {
            return Ok(());
        }
        let by = &self.query.by;
        let mut pools: BTreeMap<Vec<Cell>, Vec<usize>> = BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            let place = by.iter().zip(&row.cells).filter(|(key, _)| !key.is_attribution());
            pools.entry(place.map(|(_, cell)| *cell).collect()).or_default().push(index);
        }
        for members in pools.into_values() {
            let mut takers = members.clone();
            takers.retain(|index| self.rows[*index].is_someones());
            if takers.is_empty() {
                continue;
            }
            let whole: i128 = members.iter().map(|index| self.rows[*index].pool()).sum();
            let mut weights: Vec<i128> =
                takers.iter().map(|index| self.rows[*index].charged()).collect();
            if self.query.share_idle == ShareIdle::Even || weights.iter().all(|w| *w == 0) {
                weights = vec![1; takers.len()];
            }
            let window = self.window;
            let shares =
                split(whole, &weights).map_err(|source| ReportError::Split { window, source })?;
            for index in members {
                let pico = &mut self.rows[index].sums.pico;
                pico[Destination::Unallocated as usize] = 0;
                pico[Destination::Overhead as usize] = 0;
            }
            for (index, share) in takers.into_iter().zip(shares) {
                self.rows[index].shared = share;
            }
        }
        let by_who = by.iter().any(|key| key.is_attribution());
        self.rows.retain(|row| !by_who || row.is_someones() || row.pool() != 0);
        Ok(())
    }

    fn finish(self, head: Head) -> Statement {
        let currency = self.query.currency;
        let money = |pico| Money::from_pico(pico, currency);
        let total = |row: &DraftRow<'_>| row.charged() + row.pool() + row.shared;
        let parts: i128 = self.rows.iter().map(total).sum();
        let shared: i128 = self.rows.iter().map(|row| row.shared).sum();
        let pico = |destination: Destination| money(self.totals.pico[destination as usize]);
        let mut rows: Vec<StatementRow> = self.rows.iter().map(|row| self.row(row)).collect();
        // Rows are sorted by key already, and sorting is stable.
        rows.sort_by_key(|row| std::cmp::Reverse(row.total.pico()));
        Statement {
            window: self.window,
            currency,
            by: self.query.by.clone(),
            paid: money(head.paid_pico),
            used: pico(Destination::Used),
            idle: pico(Destination::Idle),
            unallocated: pico(Destination::Unallocated),
            overhead: pico(Destination::Overhead),
            shared: money(shared),
            difference: money(head.paid_pico - parts),
            coverage: head.coverage,
            usage: self.totals.usage,
            hours: head.hours,
            unpriced: head.unpriced,
            corrections: head.corrections,
            rows,
        }
    }

    fn row(&self, row: &DraftRow<'_>) -> StatementRow {
        let by = &self.query.by;
        let money = |pico| Money::from_pico(pico, self.query.currency);
        let pico = |destination: Destination| row.sums.pico[destination as usize];
        let label = |(key, label): (&Key, &Label<'_>)| label.text(*key);
        StatementRow {
            id: row_id(&self.query.cluster, by, &row.labels),
            keys: by.iter().zip(&row.labels).map(label).collect(),
            used: money(pico(Destination::Used)),
            idle: money(pico(Destination::Idle)),
            unallocated: money(pico(Destination::Unallocated)),
            overhead: money(pico(Destination::Overhead)),
            shared: money(row.shared),
            total: money(row.charged() + row.pool() + row.shared),
            usage: row.sums.usage,
            utilisation: Ratio::of(pico(Destination::Used), row.charged()),
        }
    }
}
