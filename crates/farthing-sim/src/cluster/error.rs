//! Why a run failed.

use crate::trace::TraceError;
use farthing_ledger::MeterError;
use farthing_model::{IdError, Money, MoneyError};
use farthing_planner::PlanError;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The trace.
    #[error(transparent)]
    Trace(TraceError),
    /// The planner, which is asked only what it can answer.
    #[error("the planner cannot plan this")]
    Plan(#[source] PlanError),
    /// The meter.
    #[error("an hour of the simulation cannot be metered")]
    Meter(#[source] MeterError),
    /// The books.
    #[error("the books of the simulation: {0}")]
    Books(String),
    /// An amount that does not fit.
    #[error("the cost of the simulation cannot be computed")]
    Money(#[source] MoneyError),
    /// A name that cannot be one.
    #[error("a name of the cluster or the trace cannot be used: {0}")]
    Name(String),
    /// A moment out of the range of calendars.
    #[error("{0} seconds since 1970 is no moment that can be booked")]
    Time(i64),
    /// A fault of the simulator, never of the input.
    #[error(
        "the books do not conserve: {} paid, {} in parts, {} expected",
        paid.to_decimal(), parts.to_decimal(), expected.to_decimal()
    )]
    NotConserved {
        /// By the ledger.
        paid: Money,
        /// The sum of used, idle, unallocated and overhead.
        parts: Money,
        /// By rates and times alone.
        expected: Money,
    },
    /// A fault of the simulator, never of the input.
    #[error("the books have {found} ns of work, and {expected} ns were done")]
    NotAllRan {
        /// In the books.
        found: i128,
        /// By the jobs that ended.
        expected: i128,
    },
    /// A policy lets jobs wait for ever.
    #[error("policy {policy} leaves {jobs} jobs waiting though the cluster is free")]
    Stuck {
        /// Which.
        policy: &'static str,
        /// How many.
        jobs: usize,
    },
}

impl ClusterError {
    #[allow(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
    pub(super) fn name(error: IdError) -> Self {
        Self::Name(error.to_string())
    }
}
