//! Later periods of a hard budget: what the plan adds to one may not exceed what it allows.
//!
//! What the input says is spent and committed is for the period around now alone. A later period
//! begins with its whole limit, and takes whatever goes on into it, committed or not, as it will
//! be paid then: what stands, and what the plan adds. Of accelerator time nothing is committed, so
//! that the period around now is counted in the same way. Start with [`Audit::later`].

use super::placement::current;
use super::{Audit, Violation};
use crate::BudgetState;
use farthing_model::{Currency, HourlyRate, Limit, Money, MoneyError, Observed, OfferId, Window};

/// Once nothing starts any more, costs only fall from period to period, but for their lengths; the
/// longest quarter is one of any four, and so are the longest month, week and day.
const SETTLED: usize = 4;

/// More periods than any plan is made for.
const PERIODS_MAX: usize = 4_000;

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It was there and goes on.
    Stays,
    /// The plan adds it.
    Comes,
    /// It would have gone on, and the plan ends it.
    Goes,
}

/// Nodes that are paid for a while.
#[derive(Clone, Copy, Debug)]
struct Flow {
    turn: Turn,
    window: Window,
    rate: HourlyRate,
    nodes: i128,
}

impl Flow {
    /// What it costs inside a period.
    fn inside(&self, period: Window, zero: Money) -> Result<Money, MoneyError> {
        match self.window.intersect(period) {
            None => Ok(zero),
            Some(inside) => self.rate.cost(inside)?.checked_mul_int(self.nodes),
        }
    }
}

/// A limit in the unit of its budget, which is money or accelerator-hours of 10^12 parts.
fn in_unit(limit: Limit) -> Money {
    match limit {
        Limit::Money(limit) => limit,
        Limit::GpuHoursMilli(milli) => {
            Money::from_pico(i128::from(milli) * 1_000_000_000, Currency::GPU_HOURS)
        }
    }
}

/// What so many accelerators take of a budget in GPU-hours in an hour.
fn by_accelerators(count: u32) -> Option<HourlyRate> {
    let each = i128::from(count) * 1_000_000_000_000;
    HourlyRate::new(Money::from_pico(each, Currency::GPU_HOURS))
}

impl Audit<'_> {
    /// Each period of a hard budget after the one around now, as far as the plan reaches.
    pub(super) fn later(&mut self, state: &BudgetState) {
        if !state.budget.hard {
            return;
        }
        let limit = in_unit(state.budget.limit);
        let flows = self.flows(state);
        let comes = flows.iter().filter(|flow| flow.turn == Turn::Comes);
        let Some(end) = comes.map(|flow| flow.window.to()).max() else { return };
        let change = |flow: &Flow| match flow.turn {
            Turn::Stays | Turn::Comes => flow.window.from(),
            Turn::Goes => flow.window.to(),
        };
        let last_change = flows.iter().map(change).max();
        if let Limit::GpuHoursMilli(_) = state.limit {
            let gone = in_unit(Limit::GpuHoursMilli(state.gpu_gone_milli));
            self.period(state, (state.period, in_unit(state.limit), gone), &flows);
        }
        let (mut from, mut settled) = (state.period.to(), 0);
        for _ in 0..PERIODS_MAX {
            let period = state.budget.period.window_at(from);
            let Some(period) = period.filter(|_| from < end && settled < SETTLED) else { break };
            settled += usize::from(last_change <= Some(period.from()));
            let none = Money::zero(limit.currency());
            self.period(state, (period, limit, none), &flows);
            from = period.to();
        }
    }

    /// One period, in which something is gone already.
    fn period(
        &mut self,
        state: &BudgetState,
        (period, limit, gone): (Window, Money, Money),
        all: &[Flow],
    ) {
        let zero = Money::zero(limit.currency());
        let sum = |turn: Turn| {
            let flows = all.iter().filter(|flow| flow.turn == turn);
            flows
                .map(|flow| flow.inside(period, zero))
                .try_fold(zero, |sum, cost| sum.checked_add(cost?))
        };
        let sums = || {
            let (comes, goes) = (sum(Turn::Comes)?, sum(Turn::Goes)?);
            let total = gone.checked_add(sum(Turn::Stays)?)?.checked_add(comes)?;
            Ok((total, total.checked_sub(limit)?, comes.checked_sub(goes)?))
        };
        let budget = state.budget.id.clone();
        match sums() {
            Err::<_, MoneyError>(_) => {
                self.found.push(Violation::Overflow(format!("budget {budget}")));
            }
            // A period that what stands fills already is no fault of a plan that adds nothing.
            Ok((total, over, added)) if over.pico() > 0 && added.pico() > 0 => {
                self.found.push(if period == state.period {
                    Violation::OverBudget { budget, total, limit }
                } else {
                    Violation::OverLaterBudget { budget, period, total, limit }
                });
            }
            Ok(_) => {}
        }
    }

    /// All that is paid under a budget from now on. A quoted cost is due at once, so that later
    /// periods have none of it.
    fn flows(&self, state: &BudgetState) -> Vec<Flow> {
        let mut flows = Vec::new();
        for placement in self.planned.report.placements.iter().filter(|at| !at.stays) {
            let offer = placement.offer.as_ref().and_then(|id| self.offers.get(id));
            let rate = offer.and_then(|offer| match state.limit {
                Limit::Money(_) => offer.price.rate(),
                Limit::GpuHoursMilli(_) => by_accelerators(offer.accelerator_count),
            });
            if let Some(rate) = rate.filter(|_| self.under(state, &placement.workload).is_some()) {
                let nodes = i128::from(placement.members) * i128::from(placement.nodes_each);
                flows.push(Flow { turn: Turn::Comes, window: placement.window, rate, nodes });
            }
        }
        for observed in &self.input.snapshot.workloads {
            if state.budget.scope.covers(&observed.workload) {
                self.standing(state, observed, &mut flows);
            }
        }
        flows
    }

    /// What a workload has already, and whether the plan leaves it there.
    fn standing(&self, state: &BudgetState, observed: &Observed, flows: &mut Vec<Flow>) {
        let horizon = self.input.horizon;
        for before in current(observed, horizon) {
            let from = before.window.from().max(horizon.from());
            let rest = Window::new(from, before.window.to()).ok();
            // Replicas go on to the end of the horizon.
            let window = if observed.workload.service().is_some() { Some(horizon) } else { rest };
            let rate = match state.limit {
                Limit::Money(_) => self.rate_there(&before.offer),
                Limit::GpuHoursMilli(_) => by_accelerators(self.accelerators_there(&before.offer)),
            };
            let (Some(window), Some(rate)) = (window, rate) else {
                continue;
            };
            let stays = self.placements_of(&observed.workload.id).any(|placement| {
                placement.stays && placement.offer.as_ref() == Some(&before.offer)
            });
            let nodes = i128::from(before.members) * i128::from(before.nodes_each);
            let turn = if stays { Turn::Stays } else { Turn::Goes };
            flows.push(Flow { turn, window, rate, nodes });
        }
    }

    /// Accelerators of a node that is there, by the price book or by the node.
    fn accelerators_there(&self, offer: &OfferId) -> u32 {
        let listed = self.offers.get(offer).map(|offer| offer.accelerator_count);
        let seen = || {
            let node = self.input.snapshot.nodes.iter().find(|node| node.offer == *offer)?;
            u32::try_from(node.capacity.gpu_milli / 1_000).ok()
        };
        listed.or_else(seen).unwrap_or(0)
    }

    /// What a node that is there costs: its listed price, or the one that it was bought at where
    /// its offer left the price book.
    fn rate_there(&self, offer: &OfferId) -> Option<HourlyRate> {
        let listed = self.offers.get(offer).and_then(|offer| offer.price.rate());
        let bought = || {
            let mut nodes = self.input.snapshot.nodes.iter().filter(|node| node.offer == *offer);
            nodes.find_map(|node| node.price.rate())
        };
        let rate = listed.or_else(bought);
        rate.filter(|rate| rate.per_hour().currency() == self.input.currency)
    }
}
