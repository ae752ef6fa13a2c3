//! Accounts: what hard budgets leave for new work, in each of their periods.
//!
//! A budget has one state, that of its period around now. Work that is planned now may run past
//! its end, so the periods after it get an account each, with the whole limit less what already
//! placed work will cost there; otherwise the next period would be spent before it begins.
//!
//! A budget in GPU-hours is an account like any other: its amounts are of
//! [`Currency::GPU_HOURS`], and a node takes of it as many as it has accelerators in an hour.

use crate::candidate::Way;
use crate::standing::Standing;
use crate::{BudgetRow, BudgetState, Input, PlanError};
use farthing_model::{
    Currency, EscalationAction, HourlyRate, Limit, Money, MoneyError, Offer, Period, Window,
    Workload, gpu_hours, gpu_rate,
};
use jiff::Timestamp;

/// Periods of a budget after the horizon that are looked at: a month of days and a few more.
/// Nothing starts there, so that a period costs no more than one before it that is as long.
const PERIODS_MAX: usize = 40;

/// What a node of an offer takes of a budget in an hour, in the budget's unit; `None` where the
/// price is not known.
pub(crate) fn rate_under(state: &BudgetState, offer: &Offer) -> Option<HourlyRate> {
    match state.limit {
        Limit::Money(_) => offer.price.rate(),
        Limit::GpuHoursMilli(_) => Some(gpu_rate(offer.accelerator_count)),
    }
}

/// What one hard budget leaves in one period.
#[derive(Clone, Debug)]
pub(crate) struct Account<'a> {
    /// The budget.
    pub(crate) state: &'a BudgetState,
    /// The period.
    pub(crate) period: Window,
    /// Whether it is the one around now.
    pub(crate) current: bool,
    /// What new work may cost inside, in 10^-12; never below zero.
    pub(crate) room: i128,
}

impl Account<'_> {
    /// Whether a workload's costs count here.
    pub(crate) fn covers(&self, workload: &Workload) -> bool {
        self.state.budget.scope.covers(workload)
    }

    /// What the amounts of this account are of.
    pub(crate) fn unit(&self) -> Currency {
        self.state.limit.amount().currency()
    }

    /// What `nodes` nodes of an offer cost inside this period, in 10^-12.
    pub(crate) fn of_offer(
        &self,
        offer: &Offer,
        nodes: u32,
        window: Window,
    ) -> Result<i128, MoneyError> {
        rate_under(self.state, offer).map_or(Ok(0), |rate| self.inside(rate, nodes, window))
    }

    /// What one node that stands costs inside this period, in 10^-12.
    pub(crate) fn of_standing(
        &self,
        stand: &Standing<'_>,
        window: Window,
    ) -> Result<i128, MoneyError> {
        stand.rate_under(self.state).map_or(Ok(0), |rate| self.inside(rate, 1, window))
    }

    /// What `nodes` nodes at a rate cost inside this period, in 10^-12.
    fn inside(&self, rate: HourlyRate, nodes: u32, window: Window) -> Result<i128, MoneyError> {
        match window.intersect(self.period) {
            None => Ok(0),
            Some(inside) => {
                let cost = rate.cost(inside)?.checked_mul_int(i128::from(nodes))?;
                Ok(cost.pico())
            }
        }
    }

    /// What one member of a way costs inside this period, in 10^-12. A quoted cost is due at once.
    pub(crate) fn of_way(
        &self,
        input: &Input,
        way: &Way,
        window: Window,
    ) -> Result<i128, MoneyError> {
        match way.offer {
            None if self.unit() == Currency::GPU_HOURS => Ok(0),
            None => Ok(if self.current { way.floor } else { 0 }),
            Some(offer) => self.of_offer(&input.offers[offer], way.nodes, window),
        }
    }
}

/// The accounts of all hard budgets, and of those that hold new work back, for work that ends by
/// `until`.
///
/// `held` is what placed work costs in a window under a budget.
pub(crate) fn accounts(
    input: &Input,
    until: Timestamp,
    held: impl Fn(&BudgetState, Window) -> Result<Money, PlanError>,
) -> Result<Vec<Account<'_>>, PlanError> {
    let mut accounts = Vec::new();
    for state in &input.budgets {
        let (now, limit) = (state.limit.amount(), state.budget.limit.amount());
        let gone = exposure(state)?;
        let held_back = on_hold(state, now, gone);
        if !state.budget.hard {
            // A soft budget keeps new work away only while its ladder does.
            if held_back {
                let (period, current) = (state.period, true);
                accounts.push(Account { state, period, current, room: 0 });
            }
            continue;
        }
        // What stands takes more accelerator time; of money it is among what is committed.
        let gone = match state.limit {
            Limit::Money(_) => gone,
            Limit::GpuHoursMilli(_) => {
                let standing = held(state, state.period)?;
                gone.checked_add(standing).map_err(|source| of_budget(state, source))?
            }
        };
        let room = if held_back { 0 } else { left(state, now, gone)? };
        let (period, current) = (state.period, true);
        accounts.push(Account { state, period, current, room: room.max(0) });
        for period in later(input, state, until) {
            let room = left(state, limit, held(state, period)?)?.max(0);
            accounts.push(Account { state, period, current: false, room });
        }
    }
    Ok(accounts)
}

/// Spent and committed, in the unit of the limit.
pub(crate) fn exposure(state: &BudgetState) -> Result<Money, PlanError> {
    match state.limit {
        Limit::Money(_) => spending(state),
        Limit::GpuHoursMilli(_) => Ok(gpu_hours(state.gpu_gone_milli)),
    }
}

/// Spent and committed, in money.
fn spending(state: &BudgetState) -> Result<Money, PlanError> {
    state.spent.checked_add(state.committed).map_err(|source| of_budget(state, source))
}

/// The error of an amount of a budget.
pub(crate) fn of_budget(state: &BudgetState, source: MoneyError) -> PlanError {
    PlanError::Money { object: format!("budget {}", state.budget.id), source }
}

fn left(state: &BudgetState, limit: Money, gone: Money) -> Result<i128, PlanError> {
    limit.checked_sub(gone).map(Money::pico).map_err(|source| of_budget(state, source))
}

/// The periods of a budget after the one around now that begin before `until`.
pub(crate) fn later(
    input: &Input,
    state: &BudgetState,
    until: Timestamp,
) -> impl Iterator<Item = Window> {
    let period = state.budget.period;
    let all = std::iter::successors(after(period, state.period), move |last| after(period, *last));
    let mut past = 0;
    let horizon = input.horizon.to();
    all.take_while(move |period| {
        past += usize::from(period.from() >= horizon);
        period.from() < until && past <= PERIODS_MAX
    })
}

/// The period after one; `None` after a fixed one.
pub(crate) fn after(period: Period, window: Window) -> Option<Window> {
    period.after(window)
}

/// Whether so much is gone that the ladder admits no new work.
pub(crate) fn on_hold(state: &BudgetState, limit: Money, gone: Money) -> bool {
    let mut rungs = state.budget.escalate.iter();
    rungs.any(|rung| rung.holds() && reached(rung.at.ppm(), limit, gone))
}

/// The row of a budget in a report, for what a plan adds to it.
pub(crate) fn row(state: &BudgetState, planned: Money) -> Result<BudgetRow, PlanError> {
    let forecast =
        spending(state)?.checked_add(planned).map_err(|source| of_budget(state, source))?;
    let limit = match state.limit {
        Limit::Money(limit) => Some(limit),
        Limit::GpuHoursMilli(_) => None,
    };
    Ok(BudgetRow {
        budget: state.budget.id.clone(),
        limit,
        spent: state.spent,
        committed: state.committed,
        planned,
        forecast,
        rung: limit.and_then(|limit| rung(state, limit, forecast)),
    })
}

/// The highest rung that an amount reaches.
fn rung(state: &BudgetState, limit: Money, amount: Money) -> Option<EscalationAction> {
    let rungs = state.budget.escalate.iter();
    rungs
        .filter(|rung| reached(rung.at.ppm(), limit, amount))
        .max_by_key(|rung| rung.at)
        .map(|rung| rung.action)
}

/// Whether `amount >= part x limit`, with the part in millionths.
fn reached(ppm: u32, limit: Money, amount: Money) -> bool {
    let need = limit.pico().checked_mul(i128::from(ppm));
    let have = amount.pico().checked_mul(1_000_000);
    need.zip(have).is_some_and(|(need, have)| have >= need)
}
