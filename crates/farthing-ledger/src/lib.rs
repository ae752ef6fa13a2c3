//! Metering, the ledger and its reports: what was used, times what it costs, kept so that it adds
//! up to the last unit.
//!
//! - [`meter()`] turns node spans and samples into charges that conserve: paid = used + idle +
//!   unallocated + overhead, in money and in quantity.
//! - [`Books`] keeps telemetry and charges as Parquet in object storage, one file of charges per
//!   cluster and hour, written whole and sealed by a hash.
//! - [`statement()`], [`allocations()`], [`explain()`] and [`verify()`] read them back, and
//!   [`export_focus()`] writes them for others.
//!
//! This crate refuses to know the clock, the network and floats. Everything is synchronous; the
//! object store's futures are driven to their end in place.
#![deny(clippy::float_arithmetic)]

mod amount;
mod anomaly;
mod books;
mod burn;
mod correct;
mod focus;
mod forecast;
mod hindsight;
mod ladder;
mod meter;
mod paid;
mod prices;
mod report;
mod verdict;
mod weights;

pub use anomaly::{Anomaly, all_anomalies, anomalies, anomaly, usual};
pub use books::{
    Again, Books, BooksError, Copied, Correction, Folded, Generation, HourBook, Kept, Mark,
    Migrated, PutBillError, Released, Retention, SampleFile, Segment,
};
pub use burn::{Looked, Outlook, burns, outlooks};
pub use correct::{CorrectError, Occasion, Posting, correct, post_segment};
pub use focus::{
    BILL_KEYS, Bill, BillBytes, BillError, BillRow, Cell, CellKind, FocusCsv, FocusError,
    FocusExport, FocusParquet, FocusQuery, FocusSink, FocusVersion, ReconcileError, ReconciledRow,
    Reconciliation, RowFault, check_row, export_focus, read_bill, reconcile,
};
pub use forecast::{Forecast, forecast};
pub use hindsight::{
    Choice, Hindsight, HindsightQuery, Kept as KeptAsItWas, Late, Outcome, OutcomeRow, hindsight,
};
pub use ladder::{Ladder, Step, ladders};
pub use meter::{
    Fault, MeterError, MeterInput, Metered, Method, Overcommit, Running, TelemetryError, Unpriced,
    Usage, meter, meter_by,
};
pub use prices::{PricePoint, PriceSeries, price_history};
pub use report::{
    Allocation, AllocationQuery, AllocationSet, Basis, Explanation, Filter, FilterError,
    FirstFault, Key, LedgerCheck, Line, PERIODS, PeriodError, Property, ReportError, SampleSummary,
    Scope, ShareIdle, Sharing, SpareRow, Statement, StatementQuery, StatementRow, Weigh,
    allocations, explain, period, statement, statement_with, subjects, verify,
};
pub use verdict::{
    Activity, DeviceEnergy, DeviceVerdict, Evidence, Question, Seat, Survey, SurveyError, Verdict,
    Veto, Watch, energy, judge, survey, unallocated, watch,
};
pub use weights::{Weights, WeightsError};
