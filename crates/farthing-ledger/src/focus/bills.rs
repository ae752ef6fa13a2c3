//! Imported bills beside what the meter says: the same window, the same keys, and the difference.
//!
//! What a provider bills is never added to the books; here it stands beside them. A bill's row
//! counts in the window in proportion to its time, to the last unit, so that windows add. Of bills
//! that say the same row (an export of half a month, and later of the whole), each row counts once:
//! as often as the one bill says it that says it most often.
//!
//! It refuses to know services: a bill's are the provider's, and the meter's are resources.

use super::read::{BillError, Cells, Line, read_lines};
use crate::books::{Books, BooksError};
use crate::report::{Key, ReportError, StatementQuery, statement, whole_hours};
use farthing_model::{Currency, Money, MoneyError, Window, midnight, proportion, utc_day};
use jiff::{Span, Timestamp};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Keys that a bill knows too.
pub const BILL_KEYS: [Key; 5] = [Key::Provider, Key::Region, Key::Node, Key::Day, Key::Hour];

/// What bills and the meter say of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// The whole hours that it covers.
    pub window: Window,
    /// What the keys of each row are.
    pub by: Vec<Key>,
    /// The currency of all money in it.
    pub currency: Currency,
    /// Bills that have a charge in the window.
    pub bills: u64,
    /// Their rows in it.
    pub rows_read: u64,
    /// Rows that another bill had said already.
    pub repeated: u64,
    /// Bills in other currencies, which are not in it.
    pub other_currencies: BTreeMap<Currency, u64>,
    /// What the meter says that was paid.
    pub metered: Money,
    /// What is invoiced.
    pub billed: Money,
    /// With prepaid costs spread over what they are for.
    pub effective: Money,
    /// `effective` less `metered`: the sum of the rows'.
    pub difference: Money,
    /// By the keys, in their order.
    pub rows: Vec<ReconciledRow>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconciledRow {
    /// The values of the keys; `(no region)` where a bill has none.
    pub keys: Vec<String>,
    /// What the meter says; `None` where it has nothing of the kind.
    pub metered: Option<Money>,
    /// What is invoiced; `None` where no bill has anything of the kind.
    pub billed: Option<Money>,
    /// With prepaid costs spread.
    pub effective: Option<Money>,
    /// `effective` less `metered`.
    pub difference: Money,
}

/// Why bills cannot be put beside the books.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A key that no bill has.
    #[error("a bill does not say its {0}: provider, region, node, day, hour")]
    Key(Key),
    /// The books cannot be read.
    #[error("the statement beside the bills cannot be made")]
    Report(#[source] ReportError),
    /// The bills cannot be listed or read.
    #[error("the imported bills cannot be read")]
    Books(#[source] BooksError),
    /// A kept bill is no bill.
    #[error("the imported bill {name} cannot be read")]
    Bill {
        /// Its file.
        name: String,
        /// Why.
        #[source]
        source: BillError,
    },
    /// Sums that do not fit.
    #[error("the bills cannot be summed")]
    Money(#[source] MoneyError),
}

/// Billed, and effective.
type Pico = (i128, i128);

/// Puts all imported bills beside the statement of a query, of which clusters, window, currency and
/// keys count.
///
/// # Errors
/// See [`ReconcileError`].
pub fn reconcile(books: &Books, query: &StatementQuery) -> Result<Reconciliation, ReconcileError> {
    if let Some(key) = query.by.iter().find(|key| !BILL_KEYS.contains(key)) {
        return Err(ReconcileError::Key(key.clone()));
    }
    let ours = StatementQuery {
        clusters: query.clusters.clone(),
        by: query.by.clone(),
        ..StatementQuery::of(query.clusters[0].clone(), query.window, query.currency)
    };
    let ours = statement(books, &ours).map_err(ReconcileError::Report)?;
    let mut sums = Sums::new(query);
    let names = books.bills().map_err(ReconcileError::Books)?;
    let several = names.len() > 1;
    for name in names {
        let bytes = books.bill(&name).map_err(ReconcileError::Books)?;
        sums.begin_bill();
        let read = read_lines(bytes, None, &mut |line, cells| sums.add(line, cells, several));
        let bill = read.map_err(|source| ReconcileError::Bill { name, source })?;
        if bill.currency != query.currency {
            *sums.other_currencies.entry(bill.currency).or_default() += 1;
        }
    }
    sums.beside(query.currency, &ours).map_err(ReconcileError::Money)
}

/// Sums of bills in the making.
struct Sums<'a> {
    query: &'a StatementQuery,
    window: Window,
    by_keys: BTreeMap<Vec<String>, Pico>,
    /// How often each row counts, and how often this bill has said it.
    said: HashMap<[u8; 16], (u64, u64)>,
    bill: u64,
    with_rows: BTreeSet<u64>,
    rows: u64,
    repeated: u64,
    other_currencies: BTreeMap<Currency, u64>,
}

impl<'a> Sums<'a> {
    fn new(query: &'a StatementQuery) -> Self {
        Self {
            query,
            window: whole_hours(query.window),
            by_keys: BTreeMap::new(),
            said: HashMap::new(),
            bill: 0,
            with_rows: BTreeSet::new(),
            rows: 0,
            repeated: 0,
            other_currencies: BTreeMap::new(),
        }
    }

    fn begin_bill(&mut self) {
        self.bill += 1;
        self.said.values_mut().for_each(|(_, here)| *here = 0);
    }

    fn add(&mut self, line: Line, cells: &Cells<'_, '_>, several: bool) -> Option<()> {
        let Some(inside) = line.window.intersect(self.window) else { return Some(()) };
        if line.currency != self.query.currency {
            return Some(());
        }
        self.with_rows.insert(self.bill);
        if several {
            let (counted, here) = self.said.entry(digest(cells)).or_default();
            *here += 1;
            if *here <= *counted {
                self.repeated += 1;
                return Some(());
            }
            *counted = *here;
        }
        self.rows += 1;
        let mut from = inside.from();
        while from < inside.to() {
            let to = self.edge(from).filter(|edge| *edge > from).unwrap_or(inside.to());
            let part = Window::new(from, to.min(inside.to())).ok()?;
            let key = self.query.by.iter().map(|key| value(key, part, cells)).collect();
            let sums: &mut Pico = self.by_keys.entry(key).or_default();
            sums.0 = sums.0.checked_add(part_of(line.billed, line.window, part)?)?;
            sums.1 = sums.1.checked_add(part_of(line.effective, line.window, part)?)?;
            from = part.to();
        }
        Some(())
    }

    /// Where the next hour or day begins, if rows are cut there.
    fn edge(&self, at: Timestamp) -> Option<Timestamp> {
        if self.query.by.contains(&Key::Hour) {
            return Window::hour_of(at).map(Window::to);
        }
        let next = utc_day(at).checked_add(Span::new().days(1)).ok()?;
        self.query.by.contains(&Key::Day).then(|| midnight(next)).flatten()
    }

    fn beside(
        self,
        currency: Currency,
        ours: &crate::report::Statement,
    ) -> Result<Reconciliation, MoneyError> {
        let money = |pico| Money::from_pico(pico, currency);
        let mut rows: BTreeMap<Vec<String>, (Option<Money>, Option<Pico>)> = BTreeMap::new();
        for row in &ours.rows {
            rows.entry(row.keys.clone()).or_default().0 = Some(row.total);
        }
        let (mut billed, mut effective) = (money(0), money(0));
        for (keys, pico) in self.by_keys {
            billed = billed.checked_add(money(pico.0))?;
            effective = effective.checked_add(money(pico.1))?;
            rows.entry(keys).or_default().1 = Some(pico);
        }
        let row = |(keys, (metered, pico)): (Vec<String>, (Option<Money>, Option<Pico>))| {
            let of = |of: Option<Money>| of.unwrap_or(money(0));
            let (billed, effective) = (pico.map(|it| money(it.0)), pico.map(|it| money(it.1)));
            let difference = of(effective).checked_sub(of(metered))?;
            Ok(ReconciledRow { keys, metered, billed, effective, difference })
        };
        Ok(Reconciliation {
            window: self.window,
            by: self.query.by.clone(),
            currency,
            bills: self.with_rows.len() as u64,
            rows_read: self.rows,
            repeated: self.repeated,
            other_currencies: self.other_currencies,
            metered: ours.paid,
            billed,
            effective,
            difference: effective.checked_sub(ours.paid)?,
            rows: rows.into_iter().map(row).collect::<Result<_, MoneyError>>()?,
        })
    }
}

/// What a bill's row says of a key, as the statement writes it.
fn value(key: &Key, part: Window, cells: &Cells<'_, '_>) -> String {
    let first = |names: &[&str]| names.iter().find_map(|name| cells.get(name));
    let text = match key {
        Key::Provider => first(&["ServiceProviderName", "ProviderName", "PublisherName"]),
        Key::Region => first(&["RegionId", "RegionName"]),
        Key::Node => first(&["ResourceId"]),
        key => Some(Cow::Owned(key.time_text(part.from()))),
    };
    text.map_or_else(|| format!("(no {key})"), Cow::into_owned)
}

/// What of an amount over a window lies in a part of it: the difference of running totals, so that
/// parts sum to the whole. `None` when it does not fit.
fn part_of(pico: i128, whole: Window, part: Window) -> Option<i128> {
    let until = |at: Timestamp| {
        let passed = at.as_nanosecond() - whole.from().as_nanosecond();
        proportion(pico.checked_abs()?, passed, whole.nanos())
    };
    let size = until(part.to())? - until(part.from())?;
    Some(if pico < 0 { -size } else { size })
}

/// A row by all that it says.
fn digest(cells: &Cells<'_, '_>) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for (name, text) in cells.said() {
        for part in [name, &*text] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize()[..16]);
    short
}

#[cfg(test)]
mod tests;
