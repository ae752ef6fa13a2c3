//! Room in budgets at the time of a step: whether it fits (law 6), and what is set aside for it.
//!
//! A plan may be older than what was spent since, so that each step is held against the budgets
//! once more before it is done: those in money, and those in accelerator time. What is set aside is
//! a record in the same append that says that the step is intended. Start at
//! [`Engine::over_budget`].

use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::{Acting, prorated};
use crate::exposure::{Exposure, gpu_milli_up};
use crate::journal::OpenStep;
use crate::ladder_record::GpuReserved;
use crate::record::Body;
use crate::sums::{self, Account};
use farthing_edge::Store;
use farthing_model::{
    Action, BudgetId, Limit, Money, Offer, OfferId, Reason, Snapshot, Step, Window, gpu_hours,
    gpu_rate,
};
use jiff::Timestamp;
use std::sync::Arc;

/// Thousandths of an accelerator in one.
const MILLI: u64 = 1_000;

impl<W: World, S: Store> Engine<W, S> {
    /// What can be bought, where a budget counts accelerator time: an offer says how many
    /// accelerators its nodes have.
    pub(crate) fn offers_for_hours(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EngineError> {
        if !self.counts_hours() {
            return Ok(Arc::from([]));
        }
        let offers = self.world.offers(now);
        offers.map_err(|source| EngineError::World { what: "quoted", source })
    }

    fn counts_hours(&self) -> bool {
        let mut budgets = self.config.budgets.iter();
        budgets.any(|budget| matches!(budget.limit, Limit::GpuHoursMilli(_)))
    }

    /// The first hard budget that has no room for a step (law 6).
    pub(crate) fn over_budget(
        &self,
        step: &Step,
        at: &Acting<'_>,
    ) -> Result<Option<Reason>, EngineError> {
        // What is taken away needs no room.
        if self.is_taken(step) {
            return Ok(None);
        }
        let ground = self.ground();
        for exposure in ground.exposures(&self.config.budgets, at.now)? {
            let state = &exposure.state;
            let covers = step
                .action
                .workload()
                .and_then(|id| at.snapshot.workload(id))
                .is_some_and(|observed| state.budget.scope.covers(&observed.workload));
            if !covers || !state.budget.hard {
                continue;
            }
            let (left, needed) = match state.limit {
                Limit::Money(_) if step.cost.is_zero() => continue,
                Limit::Money(limit) => {
                    let gone = state.spent.checked_add(state.committed);
                    let left = gone.and_then(|gone| limit.checked_sub(gone));
                    (left.map_err(EngineError::Money)?, inside(step.cost, step, state.period)?)
                }
                Limit::GpuHoursMilli(limit) => {
                    let Some(needed) = gpu_needed(step, at).map_err(EngineError::Money)? else {
                        continue;
                    };
                    (self.hours_left(limit, &exposure, step)?, inside(needed, step, state.period)?)
                }
            };
            if left.checked_sub(needed).map_err(EngineError::Money)?.is_negative() {
                let budget = state.budget.id.clone();
                return Ok(Some(Reason::OverBudget { budget, left, needed }));
            }
        }
        Ok(None)
    }

    /// Accelerator time that a budget has left for a step: what it takes over from an earlier step
    /// of the same service is given back.
    fn hours_left(
        &self,
        limit: u64,
        exposure: &Exposure,
        step: &Step,
    ) -> Result<Money, EngineError> {
        let state = &exposure.state;
        let given = match &step.action {
            Action::Scale { .. } => {
                let held = self.ground().held(&state.budget, state.period)?;
                let account = Account::of(&step.action);
                account.and_then(|account| held.get(&account).map(|held| held.gpu_milli))
            }
            _ => None,
        };
        let gone = exposure.gpu_gone_milli() - i128::from(given.unwrap_or(0));
        let gone = u64::try_from(gone.max(0)).unwrap_or(u64::MAX);
        gpu_hours(limit).checked_sub(gpu_hours(gone)).map_err(EngineError::Money)
    }

    /// The reservation of a step that acts on a workload.
    pub(crate) fn reservation(
        &self,
        step: &Step,
        at: &Acting<'_>,
    ) -> Result<Option<Body>, EngineError> {
        let Some(account) = Account::of(&step.action) else { return Ok(None) };
        let observed = at.snapshot.workload(&account.workload);
        let mut budgets: Vec<BudgetId> = Vec::new();
        for budget in &self.config.budgets {
            let covers = observed.is_some_and(|seen| budget.scope.covers(&seen.workload));
            if covers && budget.period.window_at(at.now).is_some() {
                budgets.push(budget.id.clone());
            }
        }
        let until =
            if self.is_taken(step) { Some(self.set_aside_until(step, &account)) } else { None };
        let part = |whole: Money| match (&step.action, until) {
            (Action::Scale { window, .. }, Some(until)) => {
                prorated(whole, *window, Window::new(window.from(), until).ok())
            }
            _ => Ok(whole),
        };
        let counted = self.counts_hours();
        let gpu = if counted { gpu_needed(step, at).map_err(EngineError::Money)? } else { None };
        let gpu = match gpu {
            Some(hours) => {
                let before = sums::posted_gpu_milli(&self.accounts.sums(), &account);
                Some(GpuReserved {
                    milli: gpu_milli_up(part(hours)?)?,
                    posted_before_milli: i64::try_from(before).unwrap_or(i64::MAX),
                })
            }
            None => None,
        };
        Ok(Some(Body::Reserved {
            step: step.id.to_string(),
            workload: account.workload.to_string(),
            amount: part(step.cost)?.to_string(),
            posted_before: self.posted_before(step, &account)?.to_string(),
            budgets: budgets.iter().map(ToString::to_string).collect(),
            until: until.map(|until| until.to_string()),
            gpu,
        }))
    }

    /// What is posted for what a step is settled by: what is taken back from a workload wherever it
    /// runs, all else where it runs.
    fn posted_before(&self, step: &Step, account: &Account) -> Result<Money, EngineError> {
        let open = self.journal.state().steps.get(&step.id);
        // What is bought is paid where it runs, and saves nothing anywhere.
        let buys = matches!(step.action, Action::Buy { .. });
        match open.filter(|open| open.reclaim.is_some() && !buys) {
            Some(_) => self.posted_for_step(&step.action),
            None => Ok(self.accounts.posted(account)),
        }
    }

    /// Whether a step takes away what runs has, and adds nothing.
    fn is_taken(&self, step: &Step) -> bool {
        let open = self.journal.state().steps.get(&step.id);
        let shrinks = match &step.action {
            Action::Scale { from, to, .. } => to < from,
            Action::Resize { from, to, .. } => to.fits_in(*from),
            _ => false,
        };
        shrinks && open.is_some_and(|open| open.ladder.is_some() || open.reclaim.is_some())
    }

    /// Until when something is set aside for what a ladder leaves of a service: for as long as
    /// something was set aside for it before. A cut commits nothing that was not committed.
    fn set_aside_until(&self, step: &Step, account: &Account) -> Timestamp {
        let Action::Scale { window, .. } = &step.action else { return Timestamp::MAX };
        let same = |open: &&OpenStep| Account::of(&open.step.action).as_ref() == Some(account);
        let before = self.journal.state().in_force().map(|(open, _)| open).filter(same);
        let ends = before.filter(|open| open.reserved.is_some()).filter_map(|open| {
            let Action::Scale { window, .. } = &open.step.action else { return None };
            Some(open.reserved_until.unwrap_or(window.to()))
        });
        ends.max().unwrap_or(window.from()).clamp(window.from(), window.to())
    }
}

/// The accelerator time of what a step runs, over its window; `None` of what runs nothing, and
/// where nobody knows how many accelerators a node has.
fn gpu_needed(step: &Step, at: &Acting<'_>) -> Result<Option<Money>, farthing_model::MoneyError> {
    let (offer, nodes, window) = match &step.action {
        Action::Start { offer, members, nodes_each, window, .. } => {
            (offer, i128::from(*members) * i128::from(*nodes_each), window)
        }
        Action::Scale { offer, to, nodes_each, window, .. } => {
            (offer, i128::from(*to) * i128::from(*nodes_each), window)
        }
        Action::Buy { offer, nodes, window, .. } => (offer, i128::from(*nodes), window),
        Action::Suspend { .. }
        | Action::Resume { .. }
        | Action::Resize { .. }
        | Action::Release { .. } => return Ok(None),
    };
    let Some(accelerators) = accelerators(offer, &at.offers, at.snapshot) else { return Ok(None) };
    gpu_rate(accelerators).cost(*window)?.checked_mul_int(nodes).map(Some)
}

/// Accelerators of a node of an offer: by the price book, or by a node that is there.
fn accelerators(offer: &OfferId, offers: &[Offer], snapshot: &Snapshot) -> Option<u32> {
    let listed = offers.iter().find(|it| it.id == *offer).map(|it| it.accelerator_count);
    let seen = || {
        let node = snapshot.nodes.iter().find(|node| node.offer == *offer)?;
        u32::try_from(node.capacity.gpu_milli.div_ceil(MILLI)).ok()
    };
    listed.or_else(seen)
}

/// What of a step falls into a period: a step across its end counts in proportion, rounded up, so
/// that a reservation is never too small.
fn inside(whole: Money, step: &Step, period: Window) -> Result<Money, EngineError> {
    let window = match &step.action {
        Action::Start { window, .. }
        | Action::Scale { window, .. }
        | Action::Buy { window, .. } => *window,
        _ => return Ok(whole),
    };
    prorated(whole, window, window.intersect(period))
}
