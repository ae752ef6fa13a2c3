//! `plan`: what to do, what it costs, how far from the least that can be, and why.

use super::binding::{BindingJson, binding};
use super::prices::PricesJson;
use super::scalar::{WindowJson, millis, ratio, time};
use super::service::ServiceJson;
use farthing_engine::planner::{
    BudgetRow, Cut, Placement, Planned, Sensitivity, SolverReport, UtilisationRow, Waiting,
};
use farthing_model::{Action, EscalationAction, Money, Offer, OfferId, Reason, Step};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A plan with its report.
#[derive(Clone, Debug, Serialize)]
pub struct PlanJson {
    /// The policy that made it.
    pub policy: &'static str,
    /// Its id.
    pub plan: String,
    /// The plan before it.
    pub parent: Option<String>,
    /// When it was made.
    pub at: String,
    /// The span that costs are stated for.
    pub horizon: WindowJson,
    /// Cost of everything placed, in the horizon.
    pub cost: String,
    /// The proven least cost of the same value; `null` for a baseline.
    pub lower_bound: Option<String>,
    /// The part of the bound that is proven in exact arithmetic.
    pub certified_bound: Option<String>,
    /// `(cost - lower_bound) / lower_bound`.
    pub gap: Option<f64>,
    /// `optimal`, `feasible` or `infeasible`.
    pub status: &'static str,
    /// How long planning took; `null` where it was not measured.
    pub solve_ms: Option<f64>,
    /// The currency of all money here.
    pub currency: String,
    /// Value of all members placed; `null` of a part of a plan, as it is told of the whole only.
    pub value: Option<String>,
    /// The most value that could be placed within budget.
    pub value_bound: Option<String>,
    /// What to do, in order.
    pub steps: Vec<StepJson>,
    /// What waits, and why.
    pub waiting: Vec<WaitingJson>,
    /// What a budget took away, and what that costs.
    pub cuts: Vec<CutJson>,
    /// Accelerator, or instance type where there is none -> the most nodes held at once.
    pub offers_used: BTreeMap<String, u64>,
    /// Days and sources of the prices of its offers; `null` where it has none.
    pub prices: Option<PricesJson>,
    /// Each budget under this plan.
    pub budgets: Vec<BudgetJson>,
    /// What is unknown, and what it may hide.
    pub unknown: Vec<String>,
    /// Each resource against its band.
    pub utilisation: Vec<UtilisationJson>,
    /// Services that were decided about.
    pub services: Vec<ServiceJson>,
    /// Everything placed after the plan: new, and what stays.
    pub placements: Vec<PlacementJson>,
    /// Offers that were not considered: reason -> how many.
    pub excluded: BTreeMap<&'static str, usize>,
    /// What the solver did.
    pub solver: SolverJson,
    /// Constraints that bind, and what slack would be worth; empty where that was not asked.
    pub binding: Vec<BindingJson>,
    /// Other policies on the same input: policy -> the same keys.
    pub baselines: BTreeMap<&'static str, Self>,
}

/// One exact action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepJson {
    /// Its id, for `approve`, `explain` and `undo`.
    pub id: String,
    /// `start`, `scale`, `suspend`, `resume`, `resize` or `release`.
    pub action: &'static str,
    /// The workload acted on; `null` for a release.
    pub workload: Option<String>,
    /// The node that is given back, for a release.
    pub node: Option<String>,
    /// Where.
    pub offer: Option<String>,
    /// Members started, or replicas after; `null` where the action has none.
    pub count: Option<u32>,
    /// Replicas before, for a scaling.
    pub count_before: Option<u32>,
    /// Nodes that each member or replica holds.
    pub nodes_each: Option<u32>,
    /// From when.
    pub start: Option<String>,
    /// To when.
    pub end: Option<String>,
    /// What it is expected to cost in that window.
    pub cost: String,
    /// What it is expected to save against the reference.
    pub saving: String,
    /// Why, in order of weight.
    pub reasons: Vec<String>,
    /// Not to be done after.
    pub expires: String,
}

/// Members that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingJson {
    /// Who.
    pub workload: String,
    /// Why: the binding constraint, in words.
    pub reason: String,
    /// The kind of reason: `deadline`, `over-budget`, `capacity` and so on.
    pub kind: &'static str,
    /// How many members; 1 for a service.
    pub members: u32,
    /// Whether a deadline is missed by waiting.
    pub late: bool,
}

/// Something that a budget took away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CutJson {
    /// Which budget.
    pub budget: String,
    /// From whom.
    pub workload: String,
    /// How many members wait because of it.
    pub members: u32,
    /// Value that is not done.
    pub value: String,
    /// Money that is not spent.
    pub saved: String,
    /// When it could be done instead.
    pub retry: Option<String>,
}

/// A budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetJson {
    /// Which.
    pub budget: String,
    /// Its limit in money; `null` for one in GPU-hours.
    pub limit: Option<String>,
    /// Posted in the ledger.
    pub spent: String,
    /// Reserved, or running to its end.
    pub committed: String,
    /// Added by this plan.
    pub planned: String,
    /// The sum, at the end of the period.
    pub forecast: String,
    /// The highest rung that the forecast reaches: `notify`, `hold`, `cut` or `suspend`.
    pub rung: Option<&'static str>,
}

/// A resource against its band.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UtilisationJson {
    /// Which.
    pub resource: &'static str,
    /// Used / paid over the last window.
    pub now: Option<f64>,
    /// The lower edge of the band: `max - reserve`.
    pub threshold: f64,
    /// The upper edge of the band.
    pub max: f64,
    /// `under`, `within` or `over`.
    pub state: Option<&'static str>,
    /// Allocated / paid over the horizon under this plan; `null` where nothing is paid, or what is
    /// placed says nothing of how much it takes.
    pub after: Option<f64>,
    /// What the decision proposes.
    pub proposal: String,
}

/// Members of a workload on an offer for a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlacementJson {
    /// Who.
    pub workload: String,
    /// Where; `null` for a cost quoted from outside.
    pub offer: Option<String>,
    /// Members of a job, replicas of a service.
    pub count: u32,
    /// Nodes that each holds.
    pub nodes_each: u32,
    /// From when.
    pub start: String,
    /// To when.
    pub end: String,
    /// What it costs in that window.
    pub cost: String,
    /// What the reference would have cost for the same.
    pub reference: Option<String>,
    /// `R = value / cost`.
    pub r: Option<String>,
    /// Whether it was there before this plan.
    pub stays: bool,
}

/// What the solver did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SolverJson {
    /// Columns of the program.
    pub columns: usize,
    /// Rows of the program.
    pub rows: usize,
    /// Branch-and-bound nodes.
    pub nodes: u64,
    /// Simplex iterations.
    pub iterations: u64,
    /// The work limit that was hit.
    pub limit: Option<&'static str>,
}

/// The wire form of a plan. `offers`, sorted by id, names the accelerators of what it uses; an
/// offer that is not there is named by the instance type in its id. `solve` is how long planning
/// took.
pub fn plan(planned: &Planned, offers: &[Offer], solve: Option<Duration>) -> PlanJson {
    let (plan, report) = (&planned.plan, &planned.report);
    PlanJson {
        policy: report.policy,
        plan: plan.id.to_string(),
        parent: plan.parent.as_ref().map(ToString::to_string),
        at: time(plan.at),
        horizon: report.horizon.into(),
        cost: report.cost.to_decimal(),
        lower_bound: report.lower_bound.map(Money::to_decimal),
        certified_bound: report.certified_bound.map(Money::to_decimal),
        gap: report.gap.map(ratio),
        status: report.status.name(),
        solve_ms: solve.map(millis),
        currency: report.cost.currency().to_string(),
        value: Some(report.value.to_string()),
        value_bound: report.value_bound.map(|value| value.to_string()),
        steps: plan.steps.iter().map(StepJson::of).collect(),
        waiting: report.waiting.iter().map(WaitingJson::of).collect(),
        cuts: report.cuts.iter().map(CutJson::of).collect(),
        offers_used: offers_used(&report.placements, offers),
        prices: report.price_dates(offers).map(|dates| PricesJson::of(dates, plan.at)),
        budgets: report.budgets.iter().map(BudgetJson::of).collect(),
        unknown: report.unknown.clone(),
        utilisation: report.utilisation.iter().map(UtilisationJson::of).collect(),
        services: report.services.iter().map(ServiceJson::of).collect(),
        placements: report.placements.iter().map(PlacementJson::of).collect(),
        excluded: report.excluded.clone(),
        solver: SolverJson::of(&report.solver),
        binding: Vec::new(),
        baselines: BTreeMap::new(),
    }
}

impl PlanJson {
    /// With what binds the plan.
    #[must_use]
    pub fn with_binding(mut self, sensitivity: &Sensitivity) -> Self {
        self.binding = binding(sensitivity);
        self
    }

    /// Of a part of a plan, as a team gets it.
    #[must_use]
    pub fn of_a_part(self) -> Self {
        Self { value: None, ..self }
    }

    /// With the plans of other policies on the same input.
    #[must_use]
    pub fn with_baselines(mut self, baselines: impl IntoIterator<Item = Self>) -> Self {
        self.baselines.extend(baselines.into_iter().map(|plan| (plan.policy, plan)));
        self
    }
}

impl StepJson {
    /// The wire form of a step.
    pub fn of(step: &Step) -> Self {
        let (offer, count, count_before, nodes_each, window) = match &step.action {
            Action::Start { offer, members, nodes_each, window, .. } => {
                (Some(offer), Some(*members), None, Some(*nodes_each), Some(*window))
            }
            Action::Scale { offer, from, to, nodes_each, window, .. } => {
                (Some(offer), Some(*to), Some(*from), Some(*nodes_each), Some(*window))
            }
            Action::Resize { members, window, .. } => {
                (None, Some(*members), None, None, Some(*window))
            }
            Action::Buy { offer, nodes, window, .. } => {
                (Some(offer), Some(*nodes), None, Some(1), Some(*window))
            }
            Action::Suspend { .. } | Action::Resume { .. } | Action::Release { .. } => {
                (None, None, None, None, None)
            }
        };
        let node = match &step.action {
            Action::Release { node } => Some(node.to_string()),
            _ => None,
        };
        Self {
            id: step.id.to_string(),
            action: step.action.name(),
            workload: step.action.workload().map(ToString::to_string),
            node,
            offer: offer.map(ToString::to_string),
            count,
            count_before,
            nodes_each,
            start: window.map(|window| time(window.from())),
            end: window.map(|window| time(window.to())),
            cost: step.cost.to_decimal(),
            saving: step.saving.to_decimal(),
            reasons: step.reasons.iter().map(ToString::to_string).collect(),
            expires: time(step.expires),
        }
    }
}

impl WaitingJson {
    pub(super) fn of(waiting: &Waiting) -> Self {
        Self {
            workload: waiting.workload.to_string(),
            reason: waiting.reason.to_string(),
            kind: reason_kind(&waiting.reason),
            members: waiting.members,
            late: waiting.late,
        }
    }
}

/// The name of a reason's kind, for programs; the words are for people and may change.
const fn reason_kind(reason: &Reason) -> &'static str {
    match reason {
        Reason::Cheapest { .. } => "cheapest",
        Reason::CheaperWouldBeLate { .. } => "cheaper-would-be-late",
        Reason::OtherMachine { .. } => "other-machine",
        Reason::CheaperIsFull { .. } => "cheaper-is-full",
        Reason::OverBudget { .. } => "over-budget",
        Reason::NoOffer(_) => "no-offer",
        Reason::Residency(_) => "residency",
        Reason::Deadline { .. } => "deadline",
        Reason::Capacity => "capacity",
        Reason::LessValue => "less-value",
        Reason::IdleNode => "idle-node",
        Reason::Sick { .. } => "sick",
        Reason::Band(_) => "band",
        Reason::Rule(_) => "rule",
    }
}

impl CutJson {
    pub(super) fn of(cut: &Cut) -> Self {
        Self {
            budget: cut.budget.to_string(),
            workload: cut.workload.to_string(),
            members: cut.members,
            value: cut.value.to_string(),
            saved: cut.saved.to_decimal(),
            retry: cut.retry.map(time),
        }
    }
}

impl BudgetJson {
    pub(super) fn of(row: &BudgetRow) -> Self {
        Self {
            budget: row.budget.to_string(),
            limit: row.limit.map(Money::to_decimal),
            spent: row.spent.to_decimal(),
            committed: row.committed.to_decimal(),
            planned: row.planned.to_decimal(),
            forecast: row.forecast.to_decimal(),
            rung: row.rung.map(EscalationAction::name),
        }
    }
}

impl UtilisationJson {
    fn of(row: &UtilisationRow) -> Self {
        Self {
            resource: row.resource.name(),
            now: row.now.map(ratio),
            threshold: ratio(row.band.threshold()),
            max: ratio(row.band.max),
            state: row.state.map(farthing_model::BandState::name),
            after: row.after.map(ratio),
            proposal: row.proposal.clone(),
        }
    }
}

impl PlacementJson {
    fn of(placement: &Placement) -> Self {
        Self {
            workload: placement.workload.to_string(),
            offer: placement.offer.as_ref().map(ToString::to_string),
            count: placement.members,
            nodes_each: placement.nodes_each,
            start: time(placement.window.from()),
            end: time(placement.window.to()),
            cost: placement.cost.to_decimal(),
            reference: placement.reference.map(Money::to_decimal),
            r: placement.r.map(|r| r.to_string()),
            stays: placement.stays,
        }
    }
}

impl SolverJson {
    fn of(solver: &SolverReport) -> Self {
        Self {
            columns: solver.columns,
            rows: solver.rows,
            nodes: solver.nodes,
            iterations: solver.iterations,
            limit: solver.limit,
        }
    }
}

/// The most nodes held at once, by accelerator or instance type.
fn offers_used(placements: &[Placement], offers: &[Offer]) -> BTreeMap<String, u64> {
    let mut changes: BTreeMap<String, Vec<(Timestamp, i64)>> = BTreeMap::new();
    for placement in placements {
        let Some(offer) = &placement.offer else { continue };
        let nodes = i64::from(placement.members) * i64::from(placement.nodes_each);
        let changes = changes.entry(machine(offer, offers)).or_default();
        changes.push((placement.window.from(), nodes));
        changes.push((placement.window.to(), -nodes));
    }
    changes.into_iter().map(|(name, changes)| (name, most_at_once(changes))).collect()
}

/// Windows are half-open, so what ends at a moment makes room for what starts at it.
pub(super) fn most_at_once(mut changes: Vec<(Timestamp, i64)>) -> u64 {
    changes.sort_unstable();
    let (mut held, mut most) = (0, 0);
    for (_, change) in changes {
        held += change;
        most = most.max(held);
    }
    u64::try_from(most).unwrap_or_default()
}

/// The accelerator of an offer, or its instance type: the last but one part of its id.
pub(super) fn machine(id: &OfferId, offers: &[Offer]) -> String {
    let known = offers.binary_search_by(|offer| offer.id.cmp(id)).ok().map(|at| &offers[at]);
    if let Some(offer) = known {
        return match &offer.accelerator {
            Some(accelerator) => accelerator.to_string(),
            None => offer.instance_type.clone(),
        };
    }
    id.as_str().rsplit('/').nth(1).unwrap_or(id.as_str()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_is_one_node() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(most_at_once(vec![(at(0), 2), (at(9), -2), (at(9), 2), (at(20), -2)]), 2);
        assert_eq!(most_at_once(vec![(at(0), 2), (at(10), -2), (at(9), 2), (at(20), -2)]), 4);
        let id = OfferId::new("aws/eu-west-1/eu-west-1a/p4d.24xlarge/spot").unwrap();
        assert_eq!(machine(&id, &[]), "p4d.24xlarge");
    }
}
