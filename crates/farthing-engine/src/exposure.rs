//! Budgets as they stand: what is posted, and what is set aside and not yet posted.

use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::prorated;
use crate::journal::{Open, OpenStep, Stage};
use crate::sums::{self, Account, Sums};
use farthing_edge::Store;
use farthing_model::{Action, Budget, Currency, Limit, Money, MoneyError, Ratio, Window};
use farthing_planner::BudgetState;
use jiff::Timestamp;
use std::collections::BTreeMap;

impl<W: World, S: Store> Engine<W, S> {
    /// Each budget whose period holds `now`, with what is already gone.
    pub(crate) fn budget_states(&self, now: Timestamp) -> Result<Vec<BudgetState>, EngineError> {
        let exposures = self.ground().exposures(&self.config.budgets, now)?;
        Ok(exposures.into_iter().map(|exposure| exposure.state).collect())
    }

    /// What exposures are computed from.
    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground {
            open: self.journal.state(),
            sums: self.accounts.sums().to_vec(),
            currency: self.config.currency,
        }
    }
}

/// A budget as it stands, in money and in accelerator time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// What the planner and the guardrails know of it: `committed` has claims in it.
    pub state: BudgetState,
    /// Of `state.committed`, what is claimed from outside the loop.
    pub claimed: Money,
    /// Posted, in thousandths of accelerator-hours.
    pub gpu_hours_milli: u64,
    /// Claimed from outside the loop, in thousandths of accelerator-hours.
    pub gpu_claimed_milli: u64,
}

impl Exposure {
    /// The part of the limit that is spent or committed; `None` of a limit of nothing.
    ///
    /// # Errors
    /// The sums do not fit.
    pub fn gone(&self) -> Result<Option<Ratio>, MoneyError> {
        Ok(match self.state.budget.limit {
            Limit::Money(limit) => {
                let gone = self.state.spent.checked_add(self.state.committed)?;
                Ratio::of(gone.pico(), limit.pico())
            }
            Limit::GpuHoursMilli(limit) => {
                let gone = i128::from(self.gpu_hours_milli) + i128::from(self.gpu_claimed_milli);
                Ratio::of(gone, i128::from(limit))
            }
        })
    }
}

/// What exposures are computed from: the journal's open state and the sums of the ledger.
pub(crate) struct Ground<'a> {
    pub(crate) open: &'a Open,
    pub(crate) sums: Vec<&'a Sums>,
    pub(crate) currency: Currency,
}

impl Ground<'_> {
    /// Each of the budgets whose period holds `now`.
    pub(crate) fn exposures(
        &self,
        budgets: &[Budget],
        now: Timestamp,
    ) -> Result<Vec<Exposure>, EngineError> {
        let mut exposures = Vec::new();
        for budget in budgets {
            let Some(period) = budget.period.window_at(now) else { continue };
            let posted = sums::spent(&self.sums, &budget.id, period, self.currency);
            let (posted, gpu_hours_milli) = posted.map_err(EngineError::Money)?;
            let outside = self.open.spent_outside(&budget.id, period, self.currency);
            let outside = outside.map_err(EngineError::Money)?;
            let spent = posted.checked_add(outside).map_err(EngineError::Money)?;
            let (claimed, gpu_claimed_milli) =
                self.open.claimed(&budget.id, now, self.currency).map_err(EngineError::Money)?;
            let committed = self.committed(budget, period)?;
            let committed = committed.checked_add(claimed).map_err(EngineError::Money)?;
            exposures.push(Exposure {
                state: BudgetState { budget: budget.clone(), period, spent, committed },
                claimed,
                gpu_hours_milli,
                gpu_claimed_milli,
            });
        }
        Ok(exposures)
    }

    /// Reserved for steps that were begun or are in force, less what is already posted for them.
    ///
    /// Steps of one workload on one offer are posted together, so they are taken together.
    fn committed(&self, budget: &Budget, period: Window) -> Result<Money, EngineError> {
        let name = budget.id.as_str();
        let mut groups: BTreeMap<Account, (Money, Money)> = BTreeMap::new();
        for open in self.open.steps.values() {
            let begun = open.stage != Stage::Proposed;
            if !begun || !open.budgets.iter().any(|covered| covered == name) {
                continue;
            }
            let (Some(account), Some(reserved), Some(before)) =
                (Account::of(&open.step.action), open.reserved, open.posted_before)
            else {
                continue;
            };
            let rest = outstanding(open, reserved, period)?;
            let zero = Money::zero(self.currency);
            let group = groups.entry(account).or_insert((zero, before));
            group.0 = group.0.checked_add(rest).map_err(EngineError::Money)?;
            if before.pico() < group.1.pico() {
                group.1 = before;
            }
        }
        let mut committed = Money::zero(self.currency);
        for (account, (reserved, before)) in groups {
            let posted = sums::posted(&self.sums, &account, self.currency);
            let posted = posted.checked_sub(before).map_err(EngineError::Money)?;
            let rest = reserved.checked_sub(posted).map_err(EngineError::Money)?;
            if rest.pico() > 0 {
                committed = committed.checked_add(rest).map_err(EngineError::Money)?;
            }
        }
        Ok(committed)
    }
}

/// The part of a reservation that falls into a period.
fn outstanding(open: &OpenStep, reserved: Money, period: Window) -> Result<Money, EngineError> {
    match &open.step.action {
        Action::Start { window, .. } | Action::Scale { window, .. } => {
            // What falls before the period was posted before it and is subtracted as posted.
            let until_end = Window::new(window.from(), window.to().min(period.to()));
            prorated(reserved, *window, until_end.ok())
        }
        _ => Ok(reserved),
    }
}
