//! What an engine is told once.

use farthing_ledger::Weights;
use farthing_model::{Budget, ClusterId, Currency, Policy};
use farthing_planner::{Baseline, Effort};
use jiff::SignedDuration;

/// What an engine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose books.
    pub cluster: ClusterId,
    /// The currency of the books.
    pub currency: Currency,
    /// What may be done.
    pub policy: Policy,
    /// Limits on spending.
    pub budgets: Vec<Budget>,
    /// Who decides.
    pub planner: Planner,
    /// How far a plan looks.
    pub horizon: SignedDuration,
    /// How often a tick is expected; a gap of more than three is noted.
    pub tick: SignedDuration,
    /// How a node's price is split over its resources.
    pub weights: Weights,
    /// How much work the solver may do.
    pub effort: Effort,
}

/// Who decides: ours, or a baseline for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planner {
    /// The planner of this project.
    Farthing,
    /// A baseline policy.
    Baseline(Baseline),
}
