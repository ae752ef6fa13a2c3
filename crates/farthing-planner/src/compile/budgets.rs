//! Decision 4 in the report: each budget under the plan.

use super::Draft;
use crate::account::{of_budget, row};
use crate::report::{BudgetRow, Placement};
use crate::{BudgetState, PlanError};
use farthing_model::{Money, MoneyError, Window};

impl Draft<'_, '_> {
    /// What a budget comes to with what this plan adds and gives back.
    pub(super) fn budget(&self, state: &BudgetState) -> Result<BudgetRow, PlanError> {
        let wrong = |source| of_budget(state, source);
        let mut planned = Money::zero(self.input.currency);
        for placement in self.placements.iter().filter(|placement| !placement.stays) {
            let observed = self.input.snapshot.workload(&placement.workload);
            if !observed.is_some_and(|seen| state.budget.scope.covers(&seen.workload)) {
                continue;
            }
            let cost = self.cost_inside(placement, state.period).map_err(wrong)?;
            planned = planned.checked_add(cost).map_err(wrong)?;
        }
        // What services give back was committed before.
        for stand in self.decision.standing.iter().filter(|stand| stand.open) {
            let workload = &stand.observed.workload;
            let stays = self.placements.iter().any(|place| {
                place.stays
                    && place.workload == workload.id
                    && place.offer.as_ref() == Some(&stand.assignment.offer)
            });
            let window = stand.assignment.window.intersect(self.input.horizon);
            let window = window.and_then(|window| window.intersect(state.period));
            if let Some(window) = window.filter(|_| !stays && state.budget.scope.covers(workload)) {
                let zero = Money::zero(self.input.currency);
                let given = stand.cost_in(window, zero).map_err(wrong)?;
                planned = planned.checked_sub(given).map_err(wrong)?;
            }
        }
        row(state, planned)
    }

    fn cost_inside(&self, placement: &Placement, period: Window) -> Result<Money, MoneyError> {
        let Some(id) = &placement.offer else { return Ok(placement.cost) };
        let offer = self.input.offers.iter().find(|offer| offer.id == *id);
        match (offer, placement.window.intersect(period)) {
            (Some(offer), Some(inside)) => {
                let nodes = i128::from(placement.members) * i128::from(placement.nodes_each);
                self.cost(offer, nodes, inside)
            }
            _ => Ok(Money::zero(self.input.currency)),
        }
    }
}
