//! Claims: money that something outside the loop asks for before it spends it, such as a pipeline
//! or a launcher of someone's own.
//!
//! A claim is a record in the journal, which is appended only if the journal is still as it was
//! when the room was counted. So any number of askers, in one process or in many, cannot be granted
//! more than there is: of two that count the same room, one is refused by the store and counts
//! again. A claim stops counting when it expires, and stays visible, so that what was spent under
//! it can be told also then.

use crate::error::EngineError;
use crate::exposure::{Exposure, Ground};
use crate::journal::{Journal, Open};
use crate::record::{Body, RecordError, money, time};
use crate::unfit::{self, Unfit};
use farthing_edge::{Class, Store};
use farthing_model::{Budget, BudgetId, Currency, Limit, Money, MoneyError, Ratio, TeamId, Window};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often the room is counted again when others write to the journal meanwhile.
const TRIES: usize = 1_000;

/// A claim that expired is kept for so long, for what was spent under it to be told.
const KEPT: SignedDuration = SignedDuration::from_hours(32 * 24);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// For what, in words.
    pub what: String,
    /// Who pays.
    pub team: Option<TeamId>,
    /// Labels that budgets may look at.
    pub labels: BTreeMap<String, String>,
    /// The upper end of the estimate.
    pub amount: Money,
    /// Accelerator time, in thousandths of an hour.
    pub gpu_hours_milli: u64,
    /// Not to count after.
    pub expires: Timestamp,
    /// Who asks.
    pub by: String,
}

/// A claim that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub id: String,
    /// When it was granted.
    pub at: Timestamp,
    /// What was asked for.
    pub ask: Ask,
    /// The budgets that it counts in.
    pub budgets: Vec<String>,
}

/// Why something does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// Which budget.
    pub budget: BudgetId,
    /// Its period.
    pub period: Window,
    /// What of it there is.
    pub why: Shortage,
}

/// What there is too little of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Money: what is left (less than nothing where it is overdrawn), and what was asked for.
    Money {
        /// Left.
        left: Money,
        /// Asked for.
        asked: Money,
    },
    /// Accelerator time, in thousandths of an hour.
    GpuHours {
        /// Left.
        left_milli: i128,
        /// Asked for.
        asked_milli: u64,
    },
    /// The escalation holds new work back from here on.
    Held(Ratio),
}

impl std::fmt::Display for Short {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { budget, why, .. } = self;
        let period = during(self.period);
        match why {
            Shortage::Money { left, asked } => {
                let (left, asked) = (in_cents(*left, false), in_cents(*asked, true));
                write!(out, "budget {budget} has {left} left of {period}, and {asked} is asked for")
            }
            Shortage::GpuHours { left_milli, asked_milli } => {
                let hours = farthing_model::Decimal::from_nano;
                write!(
                    out,
                    "budget {budget} has {} GPU-hours left of {period}, and {} are asked for",
                    hours(left_milli * 1_000_000),
                    hours(i128::from(*asked_milli) * 1_000_000)
                )
            }
            Shortage::Held(at) => {
                write!(out, "budget {budget} holds new work: {at} of it is gone in {period}")
            }
        }
    }
}

/// A period in words. That of a budget over the last so many days has no end of its own.
fn during(period: Window) -> String {
    let ends = period.to().duration_until(Timestamp::MAX) > SignedDuration::from_hours(48);
    if ends { period.to_string() } else { format!("the days since {}", period.from()) }
}

/// An amount to the cent, or to the millionth where it is small: what is left rounded down, and
/// what is asked for up, so that what does not fit does not look as if it did.
fn in_cents(amount: Money, up: bool) -> Money {
    let pico = amount.pico();
    let unit = if pico.unsigned_abs() < 10_u128.pow(12) { 10_i128.pow(6) } else { 10_i128.pow(10) };
    let down = pico.div_euclid(unit);
    let units = down + i128::from(up && down * unit != pico);
    units.checked_mul(unit).map_or(amount, |pico| Money::from_pico(pico, amount.currency()))
}

impl Short {
    /// How much more there would have to be, in money or GPU-hours; `None` where all new work is
    /// held, or the amount does not fit.
    pub fn by(&self) -> Option<String> {
        match &self.why {
            Shortage::Money { left, asked } => {
                asked.checked_sub(*left).ok().map(|lacks| lacks.to_string())
            }
            Shortage::GpuHours { left_milli, asked_milli } => {
                let lacks = i128::from(*asked_milli) - left_milli;
                let hours = farthing_model::Decimal::from_nano(lacks.checked_mul(1_000_000)?);
                Some(format!("{hours} GPU-hours"))
            }
            Shortage::Held(_) => None,
        }
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It fits, and it is claimed.
    Granted(Claim),
    /// It does not fit in these.
    Refused(Vec<Short>),
}

/// Looks whether `ask` fits into `budgets`, and why not.
pub(crate) fn shortages(exposures: &[Exposure], ask: &Ask) -> Result<Vec<Short>, MoneyError> {
    let mut short = Vec::new();
    for exposure in exposures.iter().filter(|exposure| covers(&exposure.state.budget, ask)) {
        let (budget, period) = (&exposure.state.budget, exposure.state.period);
        let lacks = |why| Short { budget: budget.id.clone(), period, why };
        if let Some(at) = holds(exposure)? {
            short.push(lacks(Shortage::Held(at)));
            continue;
        }
        if budget.hard {
            short.extend(shortage(exposure, ask)?.map(lacks));
        }
    }
    Ok(short)
}

/// The soft budgets that `ask` would exceed, and by how much.
pub(crate) fn overruns(exposures: &[Exposure], ask: &Ask) -> Result<Vec<Short>, MoneyError> {
    let mut over = Vec::new();
    for exposure in exposures.iter().filter(|exposure| covers(&exposure.state.budget, ask)) {
        let (budget, period) = (&exposure.state.budget, exposure.state.period);
        if budget.hard {
            continue;
        }
        if let Some(why) = shortage(exposure, ask)? {
            over.push(Short { budget: budget.id.clone(), period, why });
        }
    }
    Ok(over)
}

/// What came of asking without claiming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it does not fit into; it fits where this is empty.
    pub short: Vec<Short>,
    /// Soft budgets that it would exceed, which only warn.
    pub over: Vec<Short>,
    /// The hard budgets that were asked. Where there are none nothing can say no.
    pub hard: Vec<BudgetId>,
}

impl Checked {
    /// Looks at `ask` in budgets as they stand.
    pub(crate) fn of(exposures: &[Exposure], ask: &Ask) -> Result<Self, MoneyError> {
        let (short, over) = (shortages(exposures, ask)?, overruns(exposures, ask)?);
        let hard = exposures.iter().map(|exposure| &exposure.state.budget);
        let hard = hard.filter(|budget| budget.hard && covers(budget, ask));
        Ok(Self { short, over, hard: hard.map(|budget| budget.id.clone()).collect() })
    }
}

/// What a budget has too little of for `ask`, be it hard or soft.
pub(crate) fn shortage(exposure: &Exposure, ask: &Ask) -> Result<Option<Shortage>, MoneyError> {
    match exposure.state.limit {
        Limit::Money(limit) => {
            let gone = exposure.state.spent.checked_add(exposure.state.committed)?;
            let left = limit.checked_sub(gone)?;
            let lacks = left.checked_sub(ask.amount)?.is_negative();
            Ok(lacks.then_some(Shortage::Money { left, asked: ask.amount }))
        }
        Limit::GpuHoursMilli(limit) => {
            let left_milli = i128::from(limit) - exposure.gpu_gone_milli();
            let asked_milli = ask.gpu_hours_milli;
            let lacks = left_milli < i128::from(asked_milli);
            Ok(lacks.then_some(Shortage::GpuHours { left_milli, asked_milli }))
        }
    }
}

/// Whether a budget counts what is asked for.
pub(crate) fn covers(budget: &Budget, ask: &Ask) -> bool {
    budget.scope.holds(ask.team.as_ref(), &ask.labels)
}

/// The part of a budget that is gone, where its escalation holds new work back at that part.
fn holds(exposure: &Exposure) -> Result<Option<Ratio>, MoneyError> {
    for rung in exposure.state.budget.escalate.iter().filter(|rung| rung.holds()) {
        if exposure.reaches(rung.at)? {
            return Ok(Some(exposure.gone()?.unwrap_or(rung.at)));
        }
    }
    Ok(None)
}

/// Claims what is asked for, if it fits. What cannot be claimed at all is refused first.
pub(crate) fn claim<S: Store>(
    journal: &mut Journal<S>,
    budgets: &[Budget],
    (sums, currency): (&[&crate::sums::Sums], Currency),
    ask: &Ask,
    now: Timestamp,
) -> Result<Answer, EngineError> {
    Unfit::ask(ask, currency).map_err(EngineError::Unfit)?;
    for _ in 0..TRIES {
        let ground = Ground { open: journal.state(), sums: sums.to_vec(), currency };
        let exposures = ground.exposures(budgets, now)?;
        let short = shortages(&exposures, ask).map_err(EngineError::Money)?;
        if !short.is_empty() {
            return Ok(Answer::Refused(short));
        }
        let counted = exposures.iter().filter(|exposure| covers(&exposure.state.budget, ask));
        let claim = Claim {
            // The number of its record, which nobody else can have.
            id: format!("c{}", journal.head().seq + 1),
            at: now,
            ask: ask.clone(),
            budgets: counted.map(|exposure| exposure.state.budget.id.to_string()).collect(),
        };
        match journal.append(now, &[Body::Claimed(ClaimRecord::of(&claim))]) {
            Ok(()) => return Ok(Answer::Granted(claim)),
            // Someone else wrote first: the room is counted again.
            Err(EngineError::Superseded) => {}
            Err(EngineError::Store(error)) if error.class() == Class::Transient => {
                journal.refresh()?;
                // It may have been written all the same, as a connection can end before it says so.
                if journal.state().claims.get(&claim.id) == Some(&claim) {
                    return Ok(Answer::Granted(claim));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(EngineError::Superseded)
}

/// Ends a claim: what was spent under it counts from now on, and the rest is free again. What
/// budgets in `currency` cannot count is refused, and the claim stays.
pub(crate) fn settle<S: Store>(
    journal: &mut Journal<S>,
    (claim, currency): (&str, Currency),
    (spent, why): (Option<Money>, &str),
    now: Timestamp,
) -> Result<(), EngineError> {
    for _ in 0..TRIES {
        if !journal.state().claims.contains_key(claim) {
            return Err(EngineError::NoClaim(claim.to_owned()));
        }
        if let Some(spent) = spent {
            Unfit::amount(spent, currency).map_err(EngineError::Unfit)?;
        }
        let body = Body::Released {
            claim: claim.to_owned(),
            spent: spent.map(|spent| spent.to_string()),
            why: why.to_owned(),
        };
        match journal.append(now, &[body]) {
            Ok(()) => return Ok(()),
            Err(EngineError::Superseded) => {}
            Err(EngineError::Store(error)) if error.class() == Class::Transient => {
                journal.refresh()?;
                if !journal.state().claims.contains_key(claim) {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(EngineError::Superseded)
}

impl Open {
    /// Takes a claim; one of the same name is renewed.
    pub(crate) fn claim(&mut self, at: Timestamp, record: &ClaimRecord) -> Result<(), RecordError> {
        let claim = record.to_claim(at)?;
        self.claims.retain(|_, old| at.duration_since(old.ask.expires) < KEPT);
        self.claims.insert(claim.id.clone(), claim);
        Ok(())
    }

    /// Ends a claim.
    pub(crate) fn release(
        &mut self,
        at: Timestamp,
        claim: &str,
        spent: Option<&str>,
    ) -> Result<(), RecordError> {
        let Some(claim) = self.claims.remove(claim) else { return Ok(()) };
        let Some(spent) = spent.map(money).transpose()?.filter(|spent| !spent.is_zero()) else {
            return Ok(());
        };
        self.odd.settled(&claim.id, (spent, claim.ask.amount));
        for budget in claim.budgets {
            let times = self.outside.entry(budget).or_default();
            let sum = times.entry((spent.currency(), at)).or_insert(Money::zero(spent.currency()));
            *sum = unfit::sum([*sum, spent].into_iter(), spent.currency());
        }
        Ok(())
    }

    /// What was spent under claims in a period, as far as the ledger does not know of it.
    pub(crate) fn spent_outside(
        &self,
        budget: &BudgetId,
        period: Window,
        currency: Currency,
    ) -> Money {
        let times = self.outside.get(budget.as_str()).into_iter();
        let inside = (currency, period.from())..(currency, period.to());
        unfit::sum(times.flat_map(|times| times.range(inside.clone())).map(|it| *it.1), currency)
    }

    /// What claims hold of a budget at a moment: money, and thousandths of accelerator-hours.
    pub(crate) fn claimed(
        &self,
        budget: &BudgetId,
        now: Timestamp,
        currency: Currency,
    ) -> (Money, u64) {
        let holds = |claim: &&Claim| {
            now < claim.ask.expires && claim.budgets.iter().any(|name| name == budget.as_str())
        };
        let holding = || self.claims.values().filter(holds).map(|claim| &claim.ask);
        let money = unfit::sum(holding().map(|ask| ask.amount), currency);
        (money, unfit::sum_milli(holding().map(|ask| ask.gpu_hours_milli)))
    }
}

/// Budget set aside for something outside of the loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRecord {
    /// Its name.
    pub claim: String,
    /// For what, in words.
    pub what: String,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Labels that budgets may look at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How much.
    pub amount: String,
    /// Accelerator time, in thousandths of an hour.
    #[serde(default)]
    pub gpu_hours_milli: u64,
    /// Not to count after.
    pub expires: String,
    /// Who asked.
    pub by: String,
    /// In which budgets.
    pub budgets: Vec<String>,
}

impl ClaimRecord {
    /// The record of a claim.
    pub fn of(claim: &Claim) -> Self {
        let ask = &claim.ask;
        Self {
            claim: claim.id.clone(),
            what: ask.what.clone(),
            team: ask.team.as_ref().map(ToString::to_string),
            labels: ask.labels.clone(),
            amount: ask.amount.to_string(),
            gpu_hours_milli: ask.gpu_hours_milli,
            expires: ask.expires.to_string(),
            by: ask.by.clone(),
            budgets: claim.budgets.clone(),
        }
    }

    fn to_claim(&self, at: Timestamp) -> Result<Claim, RecordError> {
        let team = self.team.as_deref().map(TeamId::new).transpose().map_err(RecordError::Id)?;
        Ok(Claim {
            id: self.claim.clone(),
            at,
            ask: Ask {
                what: self.what.clone(),
                team,
                labels: self.labels.clone(),
                amount: money(&self.amount)?,
                gpu_hours_milli: self.gpu_hours_milli,
                expires: time(&self.expires)?,
                by: self.by.clone(),
            },
            budgets: self.budgets.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_said_in_cents_and_days() {
        let short = |left: &str, asked: &str, period: Window| {
            let money = |text: &str| Money::from_decimal(text, Currency::USD).unwrap();
            let why = Shortage::Money { left: money(left), asked: money(asked) };
            Short { budget: "research".parse().unwrap(), period, why }.to_string()
        };
        let from = "2026-11-20T07:00:00Z".parse().unwrap();
        let rolling = Window::new(from, Timestamp::MAX).unwrap();
        // What is left is never more than there is, and what is asked for never less.
        assert_eq!(
            short("99.999999847929", "100", rolling),
            "budget research has 99.99 USD left of the days since 2026-11-20T07:00:00Z, and \
             100.00 USD is asked for"
        );
        let day = Window::new(from, "2026-11-21T07:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(
            short("-0.0000012", "0.0000031", day),
            format!(
                "budget research has -0.000002 USD left of {day}, and 0.000004 USD is asked for"
            )
        );
    }
}
