//! The typed report of a plan: what it costs, how far from the least that can be, and why.

use crate::service::ServiceReport;
use farthing_model::{
    Band, BandState, BudgetId, Decimal, EscalationAction, Money, Offer, OfferId, Plan, PriceDates,
    Ratio, Reason, Resource, Window, WorkloadId,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A plan with its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What to do.
    pub plan: Plan,
    /// Why, and what it means.
    pub report: Report,
}

/// Everything that a person or a checker wants to know about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The policy that made it: `farthing`, `fifo`, `greedy-r`, `ffd-cheapest`.
    pub policy: &'static str,
    /// The span that costs are stated for; a job's whole cost counts, also past its end.
    pub horizon: Window,
    /// Cost of everything placed by this plan and of what stays placed, in the horizon.
    pub cost: Money,
    /// The proven least cost at which the same value can be done; `None` for a baseline.
    pub lower_bound: Option<Money>,
    /// The part of the bound that is proven by a dual certificate in exact arithmetic, with no
    /// trust in the solver; at most `lower_bound`.
    pub certified_bound: Option<Money>,
    /// `(cost - lower_bound) / lower_bound`; `None` without a bound or with a bound of zero.
    pub gap: Option<Ratio>,
    /// Value of all members placed.
    pub value: Decimal,
    /// The most value that could be placed within budget; equals `value` when proven.
    pub value_bound: Option<Decimal>,
    /// Optimal, feasible with a gap, or infeasible (something waits that has a deadline, or
    /// nothing could be placed).
    pub status: Status,
    /// What the solver did.
    pub solver: SolverReport,
    /// Every placement after the plan: new ones with their step, and those that stay.
    pub placements: Vec<Placement>,
    /// Services that were decided about: who serves what, and what a token costs.
    pub services: Vec<ServiceReport>,
    /// What waits, and why.
    pub waiting: Vec<Waiting>,
    /// Decision 1: utilisation of each resource against its band.
    pub utilisation: Vec<UtilisationRow>,
    /// Decision 4: each budget.
    pub budgets: Vec<BudgetRow>,
    /// What a budget cut, and what each cut costs.
    pub cuts: Vec<Cut>,
    /// Offers that were not considered: reason -> how many.
    pub excluded: BTreeMap<&'static str, usize>,
    /// What is unknown, and what it may hide.
    pub unknown: Vec<String>,
}

impl Report {
    /// Days and sources of the prices of the offers that something is placed on; `offers` are
    /// those of the input, sorted by id.
    pub fn price_dates(&self, offers: &[Offer]) -> Option<PriceDates> {
        let used = self.placements.iter().filter_map(|placement| placement.offer.as_ref());
        let known = |id: &OfferId| offers.binary_search_by(|offer| offer.id.cmp(id)).ok();
        PriceDates::of(used.filter_map(known).map(|at| &offers[at].price))
    }
}

/// How good a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Proven: no plan does more value, or the same value for less.
    Optimal,
    /// Good, with a gap.
    Feasible,
    /// Something that has a deadline, or everything, cannot be placed: the report says why.
    Infeasible,
}

impl Status {
    /// The name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Optimal => "optimal",
            Self::Feasible => "feasible",
            Self::Infeasible => "infeasible",
        }
    }
}

/// What the solver did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SolverReport {
    /// Columns of the program.
    pub columns: usize,
    /// Rows of the program.
    pub rows: usize,
    /// Branch-and-bound nodes.
    pub nodes: u64,
    /// Simplex iterations.
    pub iterations: u64,
    /// The work limit that was hit, if any.
    pub limit: Option<&'static str>,
}

/// Members of a workload on an offer for a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Who.
    pub workload: WorkloadId,
    /// Where; `None` for a cost quoted from outside.
    pub offer: Option<OfferId>,
    /// Members of a job, replicas of a service.
    pub members: u32,
    /// Nodes that each holds.
    pub nodes_each: u32,
    /// From when to when.
    pub window: Window,
    /// What it costs in that window.
    pub cost: Money,
    /// What the reference (fifo on demand) would have cost for the same, if it places it.
    pub reference: Option<Money>,
    /// `R = value / cost`, in 10^-9 per currency unit; `None` at no cost.
    pub r: Option<Decimal>,
    /// Whether it was there before this plan.
    pub stays: bool,
    /// Why here.
    pub reasons: Vec<Reason>,
}

/// Members that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Who.
    pub workload: WorkloadId,
    /// How many members; 1 for a service.
    pub members: u32,
    /// Why, the binding constraint first.
    pub reason: Reason,
    /// Whether it has a deadline that it now misses.
    pub late: bool,
}

/// Decision 1: a resource against its band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UtilisationRow {
    /// Which resource.
    pub resource: Resource,
    /// Used / paid over the last window; `None` = not measured.
    pub now: Option<Ratio>,
    /// The target band.
    pub band: Band,
    /// Where it stands now.
    pub state: Option<BandState>,
    /// Allocated / paid over the horizon under this plan; `None` when nothing is paid, or what is
    /// placed says nothing of how much it takes.
    pub after: Option<Ratio>,
    /// What the decision proposes, in words.
    pub proposal: String,
}

/// Decision 4: a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRow {
    /// Which.
    pub budget: BudgetId,
    /// Its limit in money; `None` for GPU-hours.
    pub limit: Option<Money>,
    /// Posted.
    pub spent: Money,
    /// Reserved or running to their end.
    pub committed: Money,
    /// Added by this plan.
    pub planned: Money,
    /// `spent + committed + planned`, at the end of the period.
    pub forecast: Money,
    /// The highest rung of the ladder that the forecast reaches.
    pub rung: Option<EscalationAction>,
}

/// Something that a budget took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which budget.
    pub budget: BudgetId,
    /// From whom.
    pub workload: WorkloadId,
    /// How many members wait because of it.
    pub members: u32,
    /// Value that is not done.
    pub value: Decimal,
    /// Money that is not spent.
    pub saved: Money,
    /// When it could be done instead: the start of the budget's next period.
    pub retry: Option<Timestamp>,
}
