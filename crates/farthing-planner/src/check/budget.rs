//! Budgets: what the plan adds inside each period, and what the report says about it.

use super::placement::current;
use super::{Audit, Violation};
use crate::{BudgetRow, BudgetState};
use farthing_model::{Limit, Money, MoneyError, Window, Workload, WorkloadId};

impl Audit<'_> {
    /// Each budget: its limit, its row, its cuts.
    pub(super) fn budgets(&mut self) {
        for state in &self.input.budgets {
            let Ok(planned) = self.planned_in(state) else {
                let what = format!("budget {}", state.budget.id);
                self.found.push(Violation::Overflow(what));
                continue;
            };
            self.limit(state, planned);
            self.later(state);
            self.row(state, planned);
        }
        for row in &self.planned.report.budgets {
            if !self.input.budgets.iter().any(|state| state.budget.id == row.budget) {
                let (budget, what) = (row.budget.clone(), "no budget of the input has this name");
                self.found.push(Violation::BudgetRow { budget, what });
            }
        }
        self.cuts();
    }

    /// The workload, where the budget covers it.
    pub(super) fn under(&self, state: &BudgetState, workload: &WorkloadId) -> Option<&Workload> {
        let observed = self.workloads.get(workload)?;
        Some(&*observed.workload).filter(|workload| state.budget.scope.covers(workload))
    }

    /// What the plan adds inside the period: new placements, less what they replace.
    fn planned_in(&self, state: &BudgetState) -> Result<Money, MoneyError> {
        let mut total = Money::zero(self.input.currency);
        for placement in self.planned.report.placements.iter().filter(|at| !at.stays) {
            if self.under(state, &placement.workload).is_none() {
                continue;
            }
            let nodes = i128::from(placement.members) * i128::from(placement.nodes_each);
            let cost = match &placement.offer {
                None => placement.cost,
                Some(offer) => {
                    let rate = self.offers.get(offer).and_then(|offer| offer.price.rate());
                    let inside = placement.window.intersect(state.period);
                    let (Some(rate), Some(inside)) = (rate, inside) else { continue };
                    rate.cost(inside)?.checked_mul_int(nodes)?
                }
            };
            total = total.checked_add(cost)?;
        }
        self.replaced_in(state)?.map_or(Ok(total), |gone| total.checked_sub(gone))
    }

    /// What replicas that a step changes would have cost inside the period from now on.
    fn replaced_in(&self, state: &BudgetState) -> Result<Option<Money>, MoneyError> {
        let mut gone: Option<Money> = None;
        for observed in &self.input.snapshot.workloads {
            let id = &observed.workload.id;
            if observed.workload.service().is_none() || self.under(state, id).is_none() {
                continue;
            }
            for before in current(observed, self.input.horizon) {
                let stays = self.placements_of(id).any(|placement| {
                    placement.stays && placement.offer.as_ref() == Some(&before.offer)
                });
                let rate = self.offers.get(&before.offer).and_then(|offer| offer.price.rate());
                let inside: Option<Window> = self
                    .input
                    .horizon
                    .intersect(before.window)
                    .and_then(|from_now| from_now.intersect(state.period));
                if let (false, Some(rate), Some(inside)) = (stays, rate, inside) {
                    let nodes = i128::from(before.members) * i128::from(before.nodes_each);
                    let cost = rate.cost(inside)?.checked_mul_int(nodes)?;
                    let sum = gone.unwrap_or(Money::zero(self.input.currency));
                    gone = Some(sum.checked_add(cost)?);
                }
            }
        }
        Ok(gone)
    }

    /// A budget of money around now; one of accelerator time is held in each of its periods alike.
    fn limit(&mut self, state: &BudgetState, planned: Money) {
        let Limit::Money(limit) = state.limit else { return };
        let total = state
            .spent
            .checked_add(state.committed)
            .and_then(|gone| gone.checked_add(planned))
            .and_then(|total| total.checked_sub(limit).map(|over| (total, over)));
        let budget = state.budget.id.clone();
        match total {
            Err(_) => self.found.push(Violation::Overflow(format!("budget {budget}"))),
            // A budget that is over already is no fault of a plan that adds nothing.
            Ok((total, over)) if state.budget.hard && over.pico() > 0 && planned.pico() > 0 => {
                self.found.push(Violation::OverBudget { budget, total, limit });
            }
            Ok(_) => {}
        }
    }

    fn row(&mut self, state: &BudgetState, planned: Money) {
        let rows: Vec<&BudgetRow> = self
            .planned
            .report
            .budgets
            .iter()
            .filter(|row| row.budget == state.budget.id)
            .collect();
        let what = match rows.as_slice() {
            [row] => Self::row_fault(row, state, planned),
            [] => Some("it has no row in the report"),
            _ => Some("it has more than one row in the report"),
        };
        let budget = || state.budget.id.clone();
        self.found.extend(what.map(|what| Violation::BudgetRow { budget: budget(), what }));
    }

    fn row_fault(row: &BudgetRow, state: &BudgetState, planned: Money) -> Option<&'static str> {
        let limit = match state.limit {
            Limit::Money(limit) => Some(limit),
            Limit::GpuHoursMilli(_) => None,
        };
        if (row.limit, row.spent, row.committed) != (limit, state.spent, state.committed) {
            return Some("its row does not repeat the limit, spent and committed of the input");
        }
        if row.planned != planned {
            return Some("planned is not what the placements cost inside its period");
        }
        let sum = row.spent.pico() + row.committed.pico() + row.planned.pico();
        if row.forecast.pico() != sum {
            return Some("the forecast is not spent + committed + planned");
        }
        let limit = limit?;
        let reached = |ppm: u32| {
            let (a, b) = (sum.checked_mul(1_000_000), limit.pico().checked_mul(ppm.into()));
            a.zip(b).is_some_and(|(forecast, rung)| forecast >= rung)
        };
        let rungs = state.budget.escalate.iter().filter(|rung| reached(rung.at.ppm()));
        let rung = rungs.max_by_key(|rung| rung.at).map(|rung| rung.action);
        (row.rung != rung).then_some("the rung is not the highest that the forecast reaches")
    }

    /// A cut is made by a budget of the input that covers the workload, and its members wait.
    fn cuts(&mut self) {
        for cut in &self.planned.report.cuts {
            let waiting: u64 = self
                .planned
                .report
                .waiting
                .iter()
                .filter(|row| row.workload == cut.workload)
                .map(|row| u64::from(row.members))
                .sum();
            let budget = self.input.budgets.iter().find(|state| state.budget.id == cut.budget);
            let what = match budget {
                None => Some("it is cut by a budget that is not in the input"),
                Some(state) if self.under(state, &cut.workload).is_none() => {
                    Some("it is cut by a budget that does not cover it")
                }
                Some(_) if u64::from(cut.members) > waiting => {
                    Some("more members are cut than wait")
                }
                Some(_) => None,
            };
            let workload = || cut.workload.clone();
            self.found.extend(what.map(|what| Violation::Cut { workload: workload(), what }));
        }
    }
}
