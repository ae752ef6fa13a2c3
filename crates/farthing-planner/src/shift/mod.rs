//! Work over time: what can wait goes to cheaper or cleaner slots ([`defer()`]), what a service
//! does not need for a while is lent to batch work ([`lend()`]), and jobs that can use more
//! accelerators grow on idle ones ([`grow()`]).
//!
//! Each is a decision of its own, a pure function of what is known now. None is taken unless it is
//! asked for. [`check_defer`] reads a deferral and shares no code with what made it.

mod check;
mod defer;
mod grow;
mod lend;
mod program;
#[cfg(test)]
mod tests;
mod timing;

pub use check::check_defer;
pub use defer::{Deferrable, Deferral, Pausing, Power, Slots, at_once, defer};
pub use grow::{Elastic, grow};
pub use lend::{Demand, Lending, lend};

/// Why nothing can be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShiftError {
    /// A job that cannot be: no work, no accelerators, or slots that there are not.
    #[error("job {job}: {what}")]
    Job {
        /// Its place among the jobs.
        job: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Slots that cannot be planned.
    #[error("{0}")]
    Slots(String),
    /// The solver failed.
    #[error(transparent)]
    Solver(#[from] farthing_milp::SolveError),
    /// The problem is too large to be written down.
    #[error(transparent)]
    Problem(#[from] farthing_milp::ProblemError),
}
