//! Budgets as they stand: what is posted, and what is set aside and not yet posted.

use crate::Engine;
use crate::accounts::Account;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::prorated;
use crate::journal::{OpenStep, Stage};
use farthing_edge::Store;
use farthing_model::{Action, Budget, Money, Window};
use farthing_planner::BudgetState;
use jiff::Timestamp;
use std::collections::BTreeMap;

impl<W: World, S: Store> Engine<W, S> {
    /// Each budget whose period holds `now`, with what is already gone.
    pub(crate) fn budget_states(&self, now: Timestamp) -> Result<Vec<BudgetState>, EngineError> {
        let mut states = Vec::new();
        for budget in &self.config.budgets {
            let Some(period) = budget.period.window_at(now) else { continue };
            let spent = self.accounts.spent(&budget.id, period).map_err(EngineError::Money)?;
            let committed = self.committed(budget, period)?;
            states.push(BudgetState { budget: budget.clone(), period, spent, committed });
        }
        Ok(states)
    }

    /// Reserved for steps that were begun or are in force, less what is already posted for them.
    ///
    /// Steps of one workload on one offer are posted together, so they are taken together.
    fn committed(&self, budget: &Budget, period: Window) -> Result<Money, EngineError> {
        let name = budget.id.as_str();
        let mut groups: BTreeMap<Account, (Money, Money)> = BTreeMap::new();
        for open in self.journal.state().steps.values() {
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
            let zero = Money::zero(self.config.currency);
            let group = groups.entry(account).or_insert((zero, before));
            group.0 = group.0.checked_add(rest).map_err(EngineError::Money)?;
            if before.pico() < group.1.pico() {
                group.1 = before;
            }
        }
        let mut committed = Money::zero(self.config.currency);
        for (account, (reserved, before)) in groups {
            let posted = self.accounts.posted(&account);
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
