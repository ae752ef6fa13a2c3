//! What a plan is made from: nothing else may influence it.

use farthing_model::{
    Budget, BudgetId, Currency, Limit, Money, Offer, PerResource, PlanId, Policy, Ratio, Snapshot,
    Window, WorkloadId,
};
use std::sync::Arc;

/// Everything that a plan depends on. The same input gives the same plan, byte for byte.
#[derive(Clone, Debug)]
pub struct Input {
    /// The id that the plan will have; step ids are derived from it.
    pub id: PlanId,
    /// The plan before it.
    pub parent: Option<PlanId>,
    /// The world. `snapshot.at` is now.
    pub snapshot: Snapshot,
    /// The span whose cost is reported; it starts at `snapshot.at`.
    pub horizon: Window,
    /// The currency of everything; offers in another one are excluded and counted.
    pub currency: Currency,
    /// What can be bought, sorted by id, each id once.
    pub offers: Arc<[Offer]>,
    /// Budgets with what is already gone.
    pub budgets: Vec<BudgetState>,
    /// Services that a budget's ladder took replicas from, and that do not grow meanwhile.
    pub held: Vec<HeldBack>,
    /// What may be done.
    pub policy: Policy,
    /// Measured utilisation of each resource over the last window; `None` = not measured.
    pub utilisation: PerResource<Option<Utilisation>>,
    /// How much work the solver may do.
    pub effort: Effort,
}

/// A service that has fewer replicas than it would: the ladder of a budget took them. Until they
/// are given back it may shrink, and does not grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The service.
    pub workload: WorkloadId,
    /// Whose ladder.
    pub budget: BudgetId,
}

/// A budget with what is already gone in its current period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// The budget.
    pub budget: Budget,
    /// Its period around now; only costs inside it count.
    pub period: Window,
    /// What the limit is in that period: that of the budget, with what came over from the period
    /// before and what an operator allowed. Later periods have the budget's own.
    pub limit: Limit,
    /// Posted in the ledger.
    pub spent: Money,
    /// Reserved for steps that run or are scheduled, and not yet posted.
    pub committed: Money,
    /// Accelerator time that is posted, or claimed by others than the loop, in thousandths of an
    /// hour. What stands takes more of it from now on, which is counted from the snapshot.
    pub gpu_gone_milli: u64,
}

impl Input {
    /// The ladder's hold on a service, where there is one.
    pub fn held_back(&self, workload: &WorkloadId) -> Option<&HeldBack> {
        self.held.iter().find(|held| held.workload == *workload)
    }
}

/// Use of a resource over a window, in 10^-9 unit-seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utilisation {
    /// Really used.
    pub used_nano: i128,
    /// Set aside for workloads.
    pub allocated_nano: i128,
    /// Paid.
    pub capacity_nano: i128,
}

impl Utilisation {
    /// Used / paid; what a band is compared with. `None` when nothing was paid.
    pub fn of_capacity(self) -> Option<Ratio> {
        Ratio::of(self.used_nano, self.capacity_nano)
    }

    /// `U = used / allocated`. `None` when nothing was allocated.
    pub fn of_allocated(self) -> Option<Ratio> {
        Ratio::of(self.used_nano, self.allocated_nano)
    }
}

/// Limits of the solver's work, never of its time, so that plans do not depend on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Branch-and-bound nodes.
    pub nodes_max: u32,
    /// Simplex iterations.
    pub iterations_max: u32,
    /// Stop when the gap is at most this.
    pub gap: Ratio,
    /// Start times a job is tried at over the horizon.
    pub slots_max: u32,
}

impl Effort {
    /// The effort for one of very many parts of a decision: what has to be proven by a long search
    /// stays with its gap.
    #[must_use]
    pub fn of_a_part(self) -> Self {
        Self { nodes_max: self.nodes_max.min(1_000), ..self }
    }
}

impl Default for Effort {
    /// Proves the optimum of the usual small fleet; stops large ones at a gap of 0.1 %.
    fn default() -> Self {
        Self {
            nodes_max: 20_000,
            iterations_max: 2_000_000,
            gap: Ratio::from_ppm(1_000),
            slots_max: 24,
        }
    }
}
