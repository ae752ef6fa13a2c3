//! Budgets as they stand: what is posted, and what is set aside and not yet posted.

use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::prorated;
use crate::journal::{Open, OpenStep, Stage};
use crate::limits::Allowance;
use crate::sums::{self, Account, Sums};
use crate::unfit;
use farthing_edge::Store;
use farthing_model::{
    Action, Budget, BudgetId, Carry, Currency, Escalation, Limit, Money, MoneyError, Ratio, Step,
    StepId, Window, gpu_hours,
};
use farthing_planner::BudgetState;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Drivers of a budget that are told.
const DRIVERS_MAX: usize = 10;
/// Periods that something is carried over, at most: a century of days.
const PERIODS_MAX: usize = 36_525;

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
    /// Set aside for steps that were begun and not posted yet, in thousandths of accelerator-hours.
    pub gpu_committed_milli: u64,
    /// Of `state.limit`, what the period before left; `None` where nothing goes on.
    pub carried: Option<Limit>,
    /// What an operator allowed for a while, where it is in force: it is `state.limit`.
    pub allowed: Option<Allowance>,
    /// What holds the most of it and is not spent yet, the most first.
    pub drivers: Vec<Driver>,
    /// What its ladder proposes, and what it took and has not given back.
    pub taken: Vec<Taken>,
}

/// A step of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What is done, and what it saves.
    pub step: Step,
    /// How far it is.
    pub stage: Stage,
    /// What a person said on it.
    pub approved: Option<bool>,
}

/// Something that holds part of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// What: a workload on an offer, or what a claim is for.
    pub what: String,
    /// How much.
    pub amount: Money,
    /// What gives it back.
    pub undo: Undo,
}

/// What gives back what holds a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// These steps, taken back.
    Steps(Vec<StepId>),
    /// This claim, ended.
    Claim(String),
}

impl Exposure {
    /// Tries another limit: nothing goes on from before, and no operator's word counts.
    ///
    /// # Errors
    /// It is no limit that can be counted here, and why.
    pub fn try_limit(&mut self, limit: Limit) -> Result<(), String> {
        if let Some(why) = unfit::no_limit(limit, self.state.spent.currency()) {
            return Err(why);
        }
        (self.state.budget.limit, self.state.limit) = (limit, limit);
        (self.carried, self.allowed) = (None, None);
        Ok(())
    }

    /// Accelerator time that is posted, claimed or committed, in thousandths of an hour.
    pub fn gpu_gone_milli(&self) -> i128 {
        let parts = [self.gpu_hours_milli, self.gpu_claimed_milli, self.gpu_committed_milli];
        parts.into_iter().map(i128::from).sum()
    }

    /// What is spent or committed, in the unit of the limit.
    ///
    /// # Errors
    /// The sums do not fit.
    pub fn gone_amount(&self) -> Result<Money, MoneyError> {
        match self.state.limit {
            Limit::Money(_) => self.state.spent.checked_add(self.state.committed),
            Limit::GpuHoursMilli(_) => u64::try_from(self.gpu_gone_milli())
                .map(gpu_hours)
                .map_err(|_| MoneyError::Overflow),
        }
    }

    /// The part of the limit that is spent or committed; `None` of a limit of nothing.
    ///
    /// # Errors
    /// The sums do not fit.
    pub fn gone(&self) -> Result<Option<Ratio>, MoneyError> {
        Ok(Ratio::of(self.gone_amount()?.pico(), self.state.limit.amount().pico()))
    }

    /// The rung of the ladder that is reached: the highest.
    ///
    /// # Errors
    /// The sums do not fit.
    pub fn rung(&self) -> Result<Option<Escalation>, MoneyError> {
        for rung in self.state.budget.escalate.iter().rev() {
            if self.reaches(rung.at)? {
                return Ok(Some(*rung));
            }
        }
        Ok(None)
    }

    /// Whether a part of the limit is gone; of a limit of nothing every part is.
    ///
    /// # Errors
    /// The sums do not fit.
    pub fn reaches(&self, part: Ratio) -> Result<bool, MoneyError> {
        self.is_reached(self.gone_amount()?, part)
    }

    /// Whether `gone` is a part of the limit, or more.
    pub(crate) fn is_reached(&self, gone: Money, part: Ratio) -> Result<bool, MoneyError> {
        let left = self.state.limit.amount().checked_sub(gone)?;
        let limit = self.state.limit.amount().pico();
        // In two parts, as a limit beyond all money would not fit times a million.
        let (ppm, million) = (i128::from(part.ppm()), 1_000_000);
        let whole = limit.div_euclid(million).checked_mul(ppm);
        let rest = (limit.rem_euclid(million) * ppm + million - 1) / million;
        let need = whole.and_then(|whole| whole.checked_add(rest));
        Ok(limit - left.pico() >= need.ok_or(MoneyError::Overflow)?)
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
            exposures.push(self.exposure(budget, period, now)?);
        }
        Ok(exposures)
    }

    fn exposure(
        &self,
        budget: &Budget,
        period: Window,
        now: Timestamp,
    ) -> Result<Exposure, EngineError> {
        let (spent, gpu_hours_milli) = self.spent(&budget.id, period)?;
        let (claimed, gpu_claimed_milli) = self.open.claimed(&budget.id, now, self.currency);
        let held = self.held(budget, period)?;
        let gpu_committed_milli = held
            .values()
            .try_fold(0_u64, |sum, held| sum.checked_add(held.gpu_milli))
            .ok_or(EngineError::Money(MoneyError::Overflow))?;
        let amounts = held.values().map(|held| held.rest);
        let committed = Money::sum(amounts, self.currency).map_err(EngineError::Money)?;
        let committed = committed.checked_add(claimed).map_err(EngineError::Money)?;
        let drivers = self.drivers(&budget.id, held, now);
        let taken = self.taken(&budget.id, now);
        let mut budget = budget.clone();
        if let Some(set) = self.open.limits.set(&budget) {
            budget.limit = set.limit;
        }
        let carried = match budget.carry {
            Some(carry) => Some(self.carried(&budget, carry, period)?),
            None => None,
        };
        let mut limit = match carried {
            Some(carried) => plus(budget.limit, carried).map_err(EngineError::Money)?,
            None => budget.limit,
        };
        let allowed = self.open.limits.allowed(&budget.id, now).cloned();
        if let Some(allowed) = &allowed {
            limit = allowed.limit;
            // What is planned for later periods must not count on more than is allowed now.
            budget.limit = less(budget.limit, limit);
        }
        let gpu_gone_milli = gpu_hours_milli
            .checked_add(gpu_claimed_milli)
            .ok_or(EngineError::Money(MoneyError::Overflow))?;
        let state = BudgetState { budget, period, limit, spent, committed, gpu_gone_milli };
        Ok(Exposure {
            state,
            claimed,
            gpu_hours_milli,
            gpu_claimed_milli,
            gpu_committed_milli,
            carried,
            allowed,
            drivers,
            taken,
        })
    }

    /// What is spent in a period, in money and in thousandths of accelerator-hours.
    fn spent(&self, budget: &BudgetId, period: Window) -> Result<(Money, u64), EngineError> {
        let (posted, gpu_hours_milli) =
            sums::spent(&self.sums, budget, period, self.currency).map_err(EngineError::Money)?;
        let outside = self.open.spent_outside(budget, period, self.currency);
        Ok((posted.checked_add(outside).map_err(EngineError::Money)?, gpu_hours_milli))
    }

    /// What the periods before `period` left, from the one around `carry.since` on, each at most
    /// `carry.most`. What was overspent is not taken from the next.
    fn carried(&self, budget: &Budget, carry: Carry, period: Window) -> Result<Limit, EngineError> {
        let mut carried = nothing_of(budget.limit);
        let mut next = budget.period.window_at(carry.since);
        for _ in 0..PERIODS_MAX {
            let Some(past) = next.filter(|past| past.from() < period.from()) else { break };
            let gone = self.spent(&budget.id, past)?;
            carried = plus(budget.limit, carried)
                .and_then(|limit| left_over(limit, gone, carry.most))
                .map_err(EngineError::Money)?;
            next = budget.period.after(past);
        }
        Ok(carried)
    }

    /// Steps of a budget's ladder that are in force, begun, or may still be done.
    fn taken(&self, budget: &BudgetId, now: Timestamp) -> Vec<Taken> {
        let ours = self.open.steps.values().filter(|open| {
            let ladder = open.ladder.as_ref().is_some_and(|ladder| ladder.budget == *budget);
            ladder && (open.stage != Stage::Proposed || now <= open.step.expires)
        });
        let taken = ours.map(|open| Taken {
            step: open.step.clone(),
            stage: open.stage.clone(),
            approved: open.approved,
        });
        taken.collect()
    }

    /// What holds the most of a budget and is not spent.
    fn drivers(
        &self,
        budget: &BudgetId,
        held: BTreeMap<Account, Held>,
        now: Timestamp,
    ) -> Vec<Driver> {
        let steps = held.into_iter().filter(|(_, held)| held.rest.pico() > 0);
        let mut drivers: Vec<Driver> = steps
            .map(|(account, held)| Driver {
                what: format!("{} on {}", account.workload, account.offer),
                amount: held.rest,
                undo: Undo::Steps(held.steps),
            })
            .collect();
        let name = budget.as_str();
        let claims = self.open.claims.values().filter(|claim| {
            let counts = unfit::counts(claim.ask.amount, self.currency);
            counts && now < claim.ask.expires && claim.budgets.iter().any(|own| own == name)
        });
        drivers.extend(claims.map(|claim| Driver {
            what: claim.ask.what.clone(),
            amount: claim.ask.amount,
            undo: Undo::Claim(claim.id.clone()),
        }));
        drivers.sort_by_key(|driver| -driver.amount.pico());
        drivers.truncate(DRIVERS_MAX);
        drivers
    }

    /// Reserved for steps that were begun or are in force, less what is already posted for them, by
    /// workload and offer.
    ///
    /// Steps of one workload on one offer are posted together, so they are taken together.
    pub(crate) fn held(
        &self,
        budget: &Budget,
        period: Window,
    ) -> Result<BTreeMap<Account, Held>, EngineError> {
        let name = budget.id.as_str();
        let mut groups: BTreeMap<Account, Held> = BTreeMap::new();
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
            let fresh = Held { rest: zero, before, gpu_milli: 0, gpu_before: None, steps: vec![] };
            let group = groups.entry(account).or_insert(fresh);
            group.rest = group.rest.checked_add(rest).map_err(EngineError::Money)?;
            group.steps.push(open.step.id.clone());
            if before.pico() < group.before.pico() {
                group.before = before;
            }
            if let Some(gpu) = open.gpu_reserved {
                let whole = gpu_hours(gpu.milli);
                let rest = gpu_milli_up(outstanding(open, whole, period)?)?;
                let sum = group.gpu_milli.checked_add(rest);
                group.gpu_milli = sum.ok_or(EngineError::Money(MoneyError::Overflow))?;
                let before = i128::from(gpu.posted_before_milli);
                group.gpu_before =
                    Some(group.gpu_before.map_or(before, |least: i128| least.min(before)));
            }
        }
        for (account, held) in &mut groups {
            let posted = sums::posted(&self.sums, account, self.currency);
            let posted = posted.checked_sub(held.before).map_err(EngineError::Money)?;
            let rest = held.rest.checked_sub(posted).map_err(EngineError::Money)?;
            // What took more than was set aside for it holds nothing any more.
            held.rest = if rest.is_negative() { Money::zero(self.currency) } else { rest };
            let before = held.gpu_before.unwrap_or(0);
            let posted = sums::posted_gpu_milli(&self.sums, account) - before;
            let rest = i128::from(held.gpu_milli) - posted;
            held.gpu_milli = u64::try_from(rest.max(0)).unwrap_or(u64::MAX);
        }
        Ok(groups)
    }
}

/// What steps of one workload on one offer hold of a budget.
pub(crate) struct Held {
    /// Of money.
    pub(crate) rest: Money,
    before: Money,
    /// Of accelerator time, in thousandths of an hour.
    pub(crate) gpu_milli: u64,
    gpu_before: Option<i128>,
    steps: Vec<StepId>,
}

impl Held {
    /// What they hold, in the unit of a limit.
    pub(crate) fn of(&self, limit: Limit) -> Money {
        match limit {
            Limit::Money(_) => self.rest,
            Limit::GpuHoursMilli(_) => gpu_hours(self.gpu_milli),
        }
    }
}

/// An amount of accelerator time in thousandths of an hour, rounded up.
pub(crate) fn gpu_milli_up(hours: Money) -> Result<u64, EngineError> {
    const PICO: i128 = 1_000_000_000;
    let milli = hours.pico().div_euclid(PICO) + i128::from(hours.pico().rem_euclid(PICO) > 0);
    u64::try_from(milli).map_err(|_| EngineError::Money(MoneyError::Overflow))
}

/// Nothing, in the unit of a limit.
const fn nothing_of(limit: Limit) -> Limit {
    match limit {
        Limit::Money(limit) => Limit::Money(Money::zero(limit.currency())),
        Limit::GpuHoursMilli(_) => Limit::GpuHoursMilli(0),
    }
}

/// What of a limit is left, at most `most` and at least nothing.
fn left_over(limit: Limit, gone: (Money, u64), most: Limit) -> Result<Limit, MoneyError> {
    Ok(match (limit, most) {
        (Limit::Money(limit), Limit::Money(most)) => {
            let left = limit.checked_sub(gone.0)?;
            let least = if most.checked_sub(left)?.is_negative() { most } else { left };
            Limit::Money(if least.is_negative() { Money::zero(limit.currency()) } else { least })
        }
        (Limit::GpuHoursMilli(limit), Limit::GpuHoursMilli(most)) => {
            Limit::GpuHoursMilli(limit.saturating_sub(gone.1).min(most))
        }
        // The reader of manifests refuses two units; of such nothing goes on.
        (limit, _) => nothing_of(limit),
    })
}

/// The sum of a limit and something of the same unit; of another it adds nothing.
fn plus(limit: Limit, more: Limit) -> Result<Limit, MoneyError> {
    Ok(match (limit, more) {
        (Limit::Money(limit), Limit::Money(more)) => Limit::Money(limit.checked_add(more)?),
        (Limit::GpuHoursMilli(limit), Limit::GpuHoursMilli(more)) => {
            Limit::GpuHoursMilli(limit.checked_add(more).ok_or(MoneyError::Overflow)?)
        }
        (limit, _) => limit,
    })
}

/// The smaller of two limits; where they have two units the first.
fn less(one: Limit, other: Limit) -> Limit {
    match (one, other) {
        (Limit::Money(a), Limit::Money(b)) if b.pico() < a.pico() => other,
        (Limit::GpuHoursMilli(a), Limit::GpuHoursMilli(b)) if b < a => other,
        _ => one,
    }
}

/// The part of a reservation that falls into a period.
fn outstanding(open: &OpenStep, reserved: Money, period: Window) -> Result<Money, EngineError> {
    match &open.step.action {
        Action::Start { window, .. }
        | Action::Scale { window, .. }
        | Action::Buy { window, .. } => {
            let until = open.reserved_until.unwrap_or(window.to()).min(window.to());
            let Ok(window) = Window::new(window.from(), until) else { return Ok(reserved) };
            // What falls before the period was posted before it and is subtracted as posted.
            let until_end = Window::new(window.from(), window.to().min(period.to()));
            prorated(reserved, window, until_end.ok())
        }
        _ => Ok(reserved),
    }
}
