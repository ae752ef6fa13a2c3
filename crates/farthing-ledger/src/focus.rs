//! FOCUS: the books as rows of the FinOps Open Cost and Usage Specification, and bills in that
//! form from elsewhere.
//!
//! A charge is a share of one node's price, so a row is priced by hours of the whole node:
//! `PricingQuantity` is the hours that its cost would buy, and `ListCost` and `ContractedCost` are
//! the products of unit price and quantity, to 10^-12. `BilledCost` and `EffectiveCost` are what
//! was posted, to the last unit; they sum to what was paid. Where the books have no list price
//! (spot, contracts, own hardware), the price that was paid stands for it, as these columns may not
//! be null, and `x_price_kind` says so.
//!
//! Start with `columns`, which has the whole table; `check` has what the official validator misses.

mod bills;
mod check;
mod columns;
mod read;
mod write;

use crate::books::{Books, BooksError};
pub use bills::{BILL_KEYS, ReconcileError, ReconciledRow, Reconciliation, reconcile};
pub use check::{RowFault, check_row};
pub use columns::{Cell, FocusVersion, Kind as CellKind};
use farthing_model::{ClusterId, Currency, Money, Window};
pub use read::{Bill, BillBytes, BillError, BillRow, read_bill};
pub use write::{FocusCsv, FocusParquet, FocusSink};

/// Charges that are in memory at a time, and a group of rows in Parquet.
const ROWS_MAX: usize = 8_192;

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FocusQuery {
    /// Whose books.
    pub clusters: Vec<ClusterId>,
    /// When; widened to whole UTC hours.
    pub window: Window,
    /// The currency of the books.
    pub currency: Currency,
    /// Which columns.
    pub version: FocusVersion,
    /// The id of the billing account; else it is the provider's name.
    pub account: Option<String>,
}

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FocusExport {
    /// Rows.
    pub rows: u64,
    /// The sum of `BilledCost`: what was paid in the window, or the books are at fault.
    pub billed: Money,
    /// What the nodes cost, noted before anything was split.
    pub paid: Money,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum FocusError {
    /// The books cannot be read.
    #[error("the books cannot be read")]
    Books(#[source] BooksError),
    /// An hour is in another currency.
    #[error("{file} is in {found}, and the export is in {asked}")]
    Currency {
        /// The file of that hour.
        file: String,
        /// Its currency.
        found: Currency,
        /// The currency of the export.
        asked: Currency,
    },
    /// The output cannot be written.
    #[error("the export cannot be written")]
    Write(#[source] std::io::Error),
    /// A sum or a product does not fit.
    #[error("an amount of {0} does not fit into 38 digits")]
    Overflow(Window),
    /// A row that does not hold what the specification asks for.
    #[error("row {row} of the export would be wrong: {fault}")]
    Row {
        /// Which, from 1.
        row: u64,
        /// Why.
        fault: RowFault,
    },
}

/// Writes the charges of a window, in the order of time; a batch at a time is in memory.
///
/// # Errors
/// The books cannot be read, the output cannot be written, or a row would break a rule.
pub fn export_focus(
    books: &Books,
    query: &FocusQuery,
    sink: &mut dyn FocusSink,
) -> Result<FocusExport, FocusError> {
    let zero = Money::zero(query.currency);
    let mut export = FocusExport { rows: 0, billed: zero, paid: zero };
    let overflow = |_| FocusError::Overflow(query.window);
    sink.begin(&columns::names(query.version)).map_err(FocusError::Write)?;
    let mut origin = columns::Origin::default();
    for cluster in &query.clusters {
        let window = crate::report::whole_hours(query.window);
        for hour in books.hours(cluster, window).map_err(FocusError::Books)? {
            let hour = hour.map_err(FocusError::Books)?;
            if hour.currency != query.currency {
                let (file, found, asked) = (hour.file, hour.currency, query.currency);
                return Err(FocusError::Currency { file, found, asked });
            }
            export.paid = export.paid.checked_add(hour.paid).map_err(overflow)?;
            for charges in hour.charges_by_batch().map_err(FocusError::Books)? {
                for charge in charges.map_err(FocusError::Books)? {
                    let part = origin.part(&charge);
                    let row = columns::Row::of(&charge, query.account.as_deref(), part);
                    let row = row.ok_or(FocusError::Overflow(charge.window))?;
                    export.rows += 1;
                    check_row(&|name| columns::cell(name, &row))
                        .map_err(|fault| FocusError::Row { row: export.rows, fault })?;
                    sink.row(&columns::cells(query.version, &row)).map_err(FocusError::Write)?;
                    export.billed = export.billed.checked_add(charge.cost).map_err(overflow)?;
                }
            }
        }
    }
    sink.end().map_err(FocusError::Write)?;
    Ok(export)
}
