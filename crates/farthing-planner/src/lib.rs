//! The pure planner: [`plan`] is a function from an [`Input`] to a plan with its report.
//!
//! Synchronous, no I/O, no clock, no logger, no environment, no floats, no hash order. One module
//! per decision; [`check()`] verifies a plan from scratch and shares no code with what made it.

mod baseline;
mod check;
mod error;
mod input;
mod report;

pub use baseline::{Baseline, plan_as, reference};
pub use check::{Violation, check};
pub use error::PlanError;
pub use input::{BudgetState, Effort, Input, Utilisation};
pub use report::{
    BudgetRow, Cut, Placement, Planned, Report, SolverReport, Status, UtilisationRow, Waiting,
};
