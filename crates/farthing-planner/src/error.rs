//! Why there is no plan at all. What cannot be placed is no error: it waits, with its reason.

use farthing_model::{IdError, MoneyError, SplitError};

/// Why no plan could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// An amount of money is too large, or of another currency than the plan's.
    #[error("{object}: its cost cannot be computed")]
    Money {
        /// Which workload, offer or budget.
        object: String,
        /// Why.
        source: MoneyError,
    },
    /// A number that is not money does not fit.
    #[error(
        "{0}: its numbers are too large: check rates, throughput and work; at most 2147483647 \
         replicas or members are planned"
    )]
    Overflow(String),
    /// The name of a step is not one.
    #[error("step {number} cannot be named after the plan")]
    StepName {
        /// Which step.
        number: usize,
        /// Why.
        source: IdError,
    },
    /// An amount cannot be divided.
    #[error("{object}: its cost cannot be divided")]
    Split {
        /// Which workload.
        object: String,
        /// Why.
        source: SplitError,
    },
    /// The solver failed, or exact arithmetic does not fit.
    #[error("{object}: the solver has no answer")]
    Solver {
        /// Which part of the plan.
        object: &'static str,
        /// Why.
        source: farthing_milp::SolveError,
    },
    /// The program is too large to be stated.
    #[error("the program of the plan cannot be stated")]
    Program {
        /// Why.
        source: farthing_milp::ProblemError,
    },
}
