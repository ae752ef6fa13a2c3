//! Reports over the books: statements, explanations, and whether the books are sound.
//!
//! They read the hours one after the other and keep only sums. They refuse to know how numbers
//! are shown.

mod draft;
mod explain;
mod filter;
mod group;
mod key;
mod opencost;
mod period;
mod share;
mod statement;
mod sums;
mod verify;

use crate::books::BooksError;
pub use explain::{Explanation, Line, SampleSummary, explain, subjects};
use farthing_model::{Currency, MoneyError, SplitError, Window};
pub use filter::{Filter, FilterError};
use jiff::SignedDuration;
pub use key::Key;
pub use opencost::{Allocation, AllocationQuery, AllocationSet, Property, allocations};
pub use period::{PERIODS, PeriodError, period};
pub use share::{ShareIdle, Weigh};
pub use statement::{
    Basis, Scope, Sharing, SpareRow, Statement, StatementQuery, StatementRow, statement,
    statement_with,
};
pub use verify::{FirstFault, LedgerCheck, verify};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read; the report would be wrong without it.
    #[error("the books cannot be read")]
    Books(#[source] BooksError),
    /// An hour is in another currency.
    #[error("{file} is in {found}, and the statement is in {asked}: ask for {found}")]
    Currency {
        /// The file of that hour.
        file: String,
        /// Its currency.
        found: Currency,
        /// The currency of the query.
        asked: Currency,
    },
    /// A sum does not fit.
    #[error("the sums of {0} do not fit into 38 digits")]
    Overflow(Window),
    /// Amounts that do not add.
    #[error("the amounts of {window} do not add")]
    Money {
        /// The window of the report.
        window: Window,
        /// Why.
        #[source]
        source: MoneyError,
    },
    /// Shared costs cannot be split.
    #[error("the shared costs of {window} cannot be split")]
    Split {
        /// The window of the report.
        window: Window,
        /// Why.
        #[source]
        source: SplitError,
    },
    /// More telemetry than can be looked at for one answer.
    #[error("{window} has more than {most} samples: ask for a shorter window")]
    TooMuch {
        /// What was asked for.
        window: Window,
        /// So many samples at most.
        most: usize,
    },
    /// Nothing has this name.
    #[error(
        "nothing in {window} is called `{subject}`: it must be the id of a row of `farthing cost`, \
         or the name of a workload, process, pod, container, user, namespace, team or node"
    )]
    NotFound {
        /// What was asked for.
        subject: String,
        /// Where it was looked for.
        window: Window,
    },
}

/// The whole UTC hours that a window touches: charges are kept by the hour.
pub(crate) fn whole_hours(window: Window) -> Window {
    let from = Window::hour_of(window.from()).map_or(window.from(), Window::from);
    // The last instant inside; its hour may be cut off at the end of time.
    let last = window.to().checked_sub(SignedDuration::from_nanos(1)).unwrap_or(window.to());
    let to = Window::hour_of(last).map_or(window.to(), Window::to);
    Window::new(from, to).unwrap_or(window)
}

#[cfg(test)]
mod tests;
