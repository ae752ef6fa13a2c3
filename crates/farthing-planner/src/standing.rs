//! What stands: assignments that go on, with what they hold and cost from now.

use crate::{BudgetState, Input, PlanError};
use farthing_model::{
    Assignment, HourlyRate, Limit, Money, MoneyError, Observed, Offer, OfferId, Snapshot, Window,
    WorkloadState, gpu_rate,
};

/// An assignment that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Standing<'a> {
    /// Whose.
    pub(crate) observed: &'a Observed,
    /// What.
    pub(crate) assignment: &'a Assignment,
    /// Position of the offer in the input; `None` where it left the price book.
    pub(crate) offer: Option<usize>,
    /// What one node costs, in the plan's currency; `None` where that is not known any more.
    pub(crate) rate: Option<HourlyRate>,
    /// Accelerators of one node.
    pub(crate) accelerators: u32,
    /// From now (or its start) to its end; a service's is the horizon.
    pub(crate) window: Window,
    /// Whether it is decided about anew, so that it holds nothing by itself.
    pub(crate) open: bool,
}

impl Standing<'_> {
    /// Nodes that it holds.
    pub(crate) fn nodes(&self) -> i128 {
        i128::from(self.assignment.members) * i128::from(self.assignment.nodes_each)
    }

    /// What one node takes of a budget in an hour, in the budget's unit.
    pub(crate) fn rate_under(&self, state: &BudgetState) -> Option<HourlyRate> {
        match state.limit {
            Limit::Money(_) => self.rate,
            Limit::GpuHoursMilli(_) => Some(gpu_rate(self.accelerators)),
        }
    }

    /// What it takes of a budget inside a window.
    fn held_in(&self, state: &BudgetState, window: Window) -> Result<Money, MoneyError> {
        match (self.rate_under(state), self.window.intersect(window)) {
            (Some(rate), Some(inside)) => rate.cost(inside)?.checked_mul_int(self.nodes()),
            _ => Ok(Money::zero(state.limit.amount().currency())),
        }
    }

    /// What it costs inside a window.
    pub(crate) fn cost_in(&self, window: Window, zero: Money) -> Result<Money, MoneyError> {
        match (self.rate, self.window.intersect(window)) {
            (Some(rate), Some(inside)) => rate.cost(inside)?.checked_mul_int(self.nodes()),
            _ => Ok(zero),
        }
    }

    /// The error of one of its amounts.
    pub(crate) fn wrong(&self, source: MoneyError) -> PlanError {
        PlanError::Money { object: format!("workload {}", self.observed.workload.id), source }
    }
}

/// All assignments that have not ended, in the order of the snapshot.
pub(crate) fn standing(input: &Input) -> Vec<Standing<'_>> {
    let mut all = Vec::new();
    for observed in &input.snapshot.workloads {
        let WorkloadState::Placed(assignments) = &observed.state else { continue };
        let service = observed.workload.service().is_some();
        for assignment in assignments {
            let from = assignment.window.from().max(input.horizon.from());
            let Ok(rest) = Window::new(from, assignment.window.to()) else { continue };
            if assignment.members == 0 {
                continue;
            }
            let offer = input.offers.iter().position(|offer| offer.id == assignment.offer);
            let window = if service { input.horizon } else { rest };
            let rate = rate(input, assignment, offer);
            let listed = offer.map(|offer| &input.offers[offer]);
            let of = (&assignment.offer, listed);
            let accelerators = accelerators(&input.snapshot, of).unwrap_or(0);
            let open = false;
            all.push(Standing { observed, assignment, offer, rate, accelerators, window, open });
        }
    }
    all
}

/// The rate of the price book, or the one that was captured with a node.
fn rate(input: &Input, assignment: &Assignment, offer: Option<usize>) -> Option<HourlyRate> {
    let listed = offer.and_then(|offer| input.offers[offer].price.rate());
    let captured = || {
        let nodes = input.snapshot.nodes.iter();
        nodes.filter(|node| node.offer == assignment.offer).find_map(|node| node.price.rate())
    };
    listed.or_else(captured).filter(|rate| rate.per_hour().currency() == input.currency)
}

/// Accelerators of one node of an offer, by the price book where it lists it, or by a node that is
/// there; `None` where neither says so.
pub fn accelerators(
    snapshot: &Snapshot,
    (offer, listed): (&OfferId, Option<&Offer>),
) -> Option<u32> {
    let seen = || {
        let node = snapshot.nodes.iter().find(|node| node.offer == *offer)?;
        u32::try_from(node.capacity.gpu_milli / 1_000).ok()
    };
    listed.map(|offer| offer.accelerator_count).or_else(seen)
}

/// What stands costs inside a window, under a budget and in its unit.
pub(crate) fn held(
    standing: &[Standing<'_>],
    state: &BudgetState,
    window: Window,
) -> Result<Money, PlanError> {
    let mut total = Money::zero(state.limit.amount().currency());
    for stand in standing {
        if state.budget.scope.covers(&stand.observed.workload) {
            let cost = stand.held_in(state, window).map_err(|source| stand.wrong(source))?;
            total = total.checked_add(cost).map_err(|source| stand.wrong(source))?;
        }
    }
    Ok(total)
}
