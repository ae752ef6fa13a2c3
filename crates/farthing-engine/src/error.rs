//! What stops a tick. A tick that is stopped has written nothing half.

use crate::record::RecordError;
use crate::unfit::Unfit;
use farthing_edge::{ChainFault, EdgeError};
use farthing_ledger::{BooksError, MeterError, ReportError};
use farthing_model::MoneyError;
use farthing_planner::PlanError;

/// Why the engine could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The world could not be looked at, measured or quoted.
    #[error("the world could not be {what}")]
    World {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: EdgeError,
    },
    /// The journal could not be read or written.
    #[error("the journal failed")]
    Store(#[source] EdgeError),
    /// Another controller wrote first; the journal has caught up, decide again.
    #[error("another controller wrote to the journal first")]
    Superseded,
    /// The journal does not hold.
    #[error("the journal does not hold: {0}")]
    Chain(ChainFault),
    /// A record is not readable.
    #[error("a journal record is not usable")]
    Record(#[source] RecordError),
    /// The ledger could not be read or written.
    #[error("the ledger failed")]
    Books(#[source] BooksError),
    /// The ledger could not be summed.
    #[error("the ledger could not be summed")]
    Report(#[source] ReportError),
    /// The measurements could not be turned into charges that conserve.
    #[error("metering failed")]
    Meter(#[source] MeterError),
    /// The planner refused its input.
    #[error("planning failed")]
    Plan(#[source] PlanError),
    /// Two currencies met, or an amount does not fit.
    #[error("an amount could not be computed")]
    Money(#[source] MoneyError),
    /// A step that was asked for is not there.
    #[error("there is no open step `{0}`")]
    NoStep(String),
    /// A budget that was named is not there.
    #[error("there is no budget `{0}`")]
    NoBudget(String),
    /// A limit that a budget cannot have.
    #[error("the limit of budget `{budget}` cannot be changed: {why}")]
    Limit {
        /// Which.
        budget: String,
        /// Why.
        why: String,
    },
    /// A plan for the asking that the checker refuses.
    #[error("the plan does not hold: {0}")]
    Refused(String),
    /// Something that cannot be claimed or settled, however much room there is.
    #[error(transparent)]
    Unfit(Unfit),
    /// A claim that was named is not there.
    #[error("there is no open claim `{0}`")]
    NoClaim(String),
    /// A person's word on what is no proposal, or is not one any more.
    #[error("step `{step}` cannot be approved or rejected: {why}")]
    NotProposed {
        /// Which.
        step: String,
        /// Why, and what can be done instead.
        why: String,
    },
    /// A step cannot be taken back.
    #[error("step `{step}` cannot be undone: {why}")]
    NotUndone {
        /// Which.
        step: String,
        /// Why.
        why: String,
    },
    /// A name that the engine makes is not one.
    #[error("a name could not be made")]
    Id(#[source] farthing_model::IdError),
    /// A span of time beyond what can be represented.
    #[error("the horizon is beyond representable time")]
    Horizon,
}
