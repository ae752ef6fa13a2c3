//! The pure planner: [`plan`] is a function from an [`Input`] to a plan with its report.
//!
//! Synchronous, no I/O, no clock, no logger, no environment, no floats, no hash order. One module
//! per decision; [`check()`] verifies a plan from scratch and shares no code with what made it.

mod account;
mod arbiter;
mod baseline;
mod candidate;
mod check;
mod column;
mod compile;
mod dag;
mod deadline;
mod decision;
mod error;
mod fleet;
mod generation;
mod input;
mod offers;
mod packing;
pub mod placement;
mod pricing;
mod program;
pub mod queue;
mod reason;
mod report;
mod room;
pub mod rounds;
mod sensitivity;
mod service;
mod serving;
pub mod shift;
pub mod spot;
mod standing;
mod step;
mod unknown;
mod utilisation;

pub use arbiter::{Arbitrated, Arbitration, Duty, Lost, Proposal, SharedLimit, Target, arbitrate};
pub use baseline::{Baseline, plan_as, reference};
pub use check::{Violation, check};
pub use compile::{plan, plan_alone};
pub use dag::{
    Alternative, DAG_WORK_MAX, DagBaseline, DagError, DagInput, DagPlan, DagViolation, Market,
    Obstacle, SearchReport, TaskPlan, TransferPlan, check_dag, dag_sensitivity, plan_dag,
};
pub use error::PlanError;
pub use input::{BudgetState, Effort, HeldBack, Input, Utilisation};
pub use offers::{
    FinishCost, Finishing, NearMiss, OfferRequest, RankError, Ranked, RankedOffer, RateOf, rank,
};
pub use packing::{
    Consolidation, NodeAt, PackInput, PackedNode, PackedShare, Packing, PackingViolation,
    RunningInput, RunningStep, StandingNode, StepViolation, check_consolidation, check_packing,
    consolidate, consolidate_as_usual, is_packed, pack, pack_as,
};
pub use report::{
    BudgetRow, Cut, Placement, Planned, Report, SolverReport, Status, UtilisationRow, Waiting,
};
pub use sensitivity::{Sensitivity, Slack, Worth, sensitivity, sensitivity_within};
pub use service::{BucketRow, DayReport, DaySpan, MixRow, ServiceReport, TokenCosts, TokenRule};
pub use serving::fewer::{Fewer, Gone, fewer_replicas};
pub use standing::accelerators;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
