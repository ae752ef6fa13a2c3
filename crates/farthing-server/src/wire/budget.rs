//! `budgets`: limits as they stand, how they got there, and where they are going; `reservations`.

use super::ladder::{LadderStepJson, ReliefJson};
use super::plan::CutJson;
use super::scalar::{WindowJson, ratio, time};
use farthing_engine::planner::Cut;
use farthing_engine::{Allowance, Checked, Claim, Driver, Exposure, Relief, Short, Shortage, Undo};
use farthing_ledger::{Anomaly, Looked, Outlook};
use farthing_model::{
    Budget, Decimal, Escalation, Limit, Money, MoneyError, Period, Scope, midnight,
};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// A budget as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetStateJson {
    /// Which.
    pub budget: String,
    /// Whose spending: `all`, `team=NAME`, `label:NAME=VALUE`, or several of them that must all be.
    pub scope: String,
    /// The budget just above it in the tree of scopes; what counts here counts there too.
    pub parent: Option<String>,
    /// Its limit in money in this period; `null` for one in accelerator time.
    pub limit: Option<String>,
    /// Its limit in GPU-hours in this period; `null` for one in money.
    pub gpu_hours_limit: Option<f64>,
    /// The limit of later periods, in the same unit.
    pub base: String,
    /// What the period before left, in the same unit; `null` where nothing goes on.
    pub carried: Option<String>,
    /// What an operator allowed for a while, where it is in force.
    pub allowed: Option<AllowedJson>,
    /// GPU-hours posted in the period.
    pub gpu_hours: f64,
    /// GPU-hours set aside for steps that were begun, and not posted yet.
    pub gpu_hours_committed: f64,
    /// GPU-hours claimed by others than the loop.
    pub gpu_hours_reserved: f64,
    /// The limit in GPU-hours less the three: below zero where it is overdrawn; `null` for one in
    /// money.
    pub gpu_hours_left: Option<f64>,
    /// The period around now.
    pub period: PeriodJson,
    /// Whether admitted work may not exceed it.
    pub hard: bool,
    /// The currency of all money here.
    pub currency: String,
    /// Posted in the ledger, and spent under claims.
    pub spent: String,
    /// Set aside for steps that were begun, and not posted yet.
    pub committed: String,
    /// Claimed by others than the loop.
    pub reserved: String,
    /// The three together.
    pub exposure: String,
    /// The limit less that: below zero where it is overdrawn.
    pub left: Option<String>,
    /// The part of the limit that is gone.
    pub gone: Option<f64>,
    /// The rung of its escalation that is reached.
    pub rung: Option<&'static str>,
    /// How much of that is done without a person: `observe`, `recommend`, `approve`, `enforce`.
    pub rung_mode: Option<&'static str>,
    /// Its escalation.
    pub escalate: Vec<BudgetRungJson>,
    /// Spending up to the end of each day of the period so far.
    pub burn: Vec<BurnJson>,
    /// What it will come to at the end of the period; `null` where too little is known.
    pub forecast: Option<ForecastJson>,
    /// The day on which the limit is reached, at the usual pace; `null` where it is not.
    pub runs_out: Option<String>,
    /// What the newest plan takes away to hold it.
    pub cuts: Vec<CutJson>,
    /// What its ladder takes away, or would; `null` where no rung acts.
    pub relief: Option<ReliefJson>,
    /// Steps of its ladder: proposed, or done and not taken back.
    pub ladder_steps: Vec<LadderStepJson>,
    /// What holds the most of it and is not spent yet, the most first.
    pub drivers: Vec<DriverJson>,
}

/// Something that holds part of a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriverJson {
    /// What.
    pub what: String,
    /// How much.
    pub amount: String,
    /// What gives it back: `undo p1-2` or `settle c7`, as the command line has it.
    pub undo: String,
}

/// What plans and ladders take away to hold budgets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken<'a> {
    /// By the newest plan.
    pub cuts: &'a [Cut],
    /// By ladders.
    pub reliefs: &'a [Relief],
}

impl DriverJson {
    fn of(driver: &Driver) -> Self {
        let undo = match &driver.undo {
            Undo::Claim(claim) => format!("settle {claim}"),
            Undo::Steps(steps) => {
                let names: Vec<&str> = steps.iter().map(farthing_model::StepId::as_str).collect();
                format!("undo {}", names.join(", "))
            }
        };
        Self { what: driver.what.clone(), amount: driver.amount.to_decimal(), undo }
    }
}

/// A period of a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeriodJson {
    /// `day`, `week`, `month`, `quarter`, `fixed` or `rolling`.
    pub name: &'static str,
    /// Its start.
    pub from: String,
    /// Its end; of a rolling one, which is over the last days at every moment, the end of as many
    /// days to come, for which the forecast is.
    pub to: String,
}

/// A rung of an escalation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetRungJson {
    /// At which part of the limit.
    pub at: f64,
    /// What then happens.
    #[serde(rename = "do")]
    pub action: &'static str,
    /// How much of it is done without a person.
    pub mode: &'static str,
}

/// What an operator allowed for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllowedJson {
    /// Until when; `null`: for good.
    pub until: Option<String>,
    /// Why.
    pub why: String,
    /// Who said it.
    pub by: String,
}

impl AllowedJson {
    fn of(allowed: &Allowance) -> Self {
        Self { until: allowed.until.map(time), why: allowed.why.clone(), by: allowed.by.clone() }
    }
}

/// What was spent up to the end of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BurnJson {
    /// The end of a UTC day.
    pub at: String,
    /// Since the start of the period.
    pub spent: String,
}

/// What spending will come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForecastJson {
    /// One future in ten is below it.
    pub p10: String,
    /// Half of them are below it.
    pub p50: String,
    /// Nine in ten are below it.
    pub p90: String,
    /// Past weeks for which the same was forecast.
    pub tried: u32,
    /// Of them, weeks that came from `p10` to `p90`.
    pub held: u32,
}

/// What to ask the books of budgets.
pub fn looked(exposures: &[Exposure]) -> Vec<Looked<'_>> {
    let states = exposures.iter().map(|exposure| &exposure.state);
    states
        .map(|it| Looked { scope: &it.budget.scope, period: it.period, spent: it.spent })
        .collect()
}

/// The wire forms of budgets, each with its outlook: how it got here and where it is going. `taken`
/// is what is taken away to hold them.
///
/// # Errors
/// The sums do not fit.
pub fn budget_states(
    exposures: &[Exposure],
    outlooks: &[Outlook],
    taken: Taken<'_>,
) -> Result<Vec<BudgetStateJson>, MoneyError> {
    let budgets: Vec<Budget> = exposures.iter().map(|it| it.state.budget.clone()).collect();
    let of = |(exposure, outlook): (&Exposure, &Outlook)| {
        let parent = exposure.state.budget.parent(&budgets);
        let mut state = budget_state(exposure, outlook, taken)?;
        state.parent = parent.map(|parent| parent.id.to_string());
        Ok(state)
    };
    exposures.iter().zip(outlooks).map(of).collect()
}

/// The wire form of a budget, with how it got here and where it is going; `cuts` are those of the
/// newest plan.
///
/// # Errors
/// The sums do not fit.
fn budget_state(
    exposure: &Exposure,
    outlook: &Outlook,
    taken: Taken<'_>,
) -> Result<BudgetStateJson, MoneyError> {
    let state = &exposure.state;
    let budget = &state.budget;
    let (limit, gpu_limit) = in_money_or_hours(state.limit);
    let (base, gpu_base) = in_money_or_hours(budget.limit);
    let (carried, gpu_carried) = exposure.carried.map_or((None, None), in_money_or_hours);
    let gone = state.spent.checked_add(state.committed)?;
    let part = exposure.gone()?;
    let rung = exposure.rung()?;
    let mut sum = Money::zero(gone.currency());
    let mut burnt = Vec::new();
    for (day, money) in &outlook.burnt {
        sum = sum.checked_add(*money)?;
        burnt.push(BurnJson { at: end_of(*day), spent: sum.to_decimal() });
    }
    Ok(BudgetStateJson {
        budget: budget.id.to_string(),
        scope: scope(&budget.scope),
        parent: None,
        limit: limit.map(Money::to_decimal),
        gpu_hours_limit: gpu_limit.map(hours),
        base: plain(base, gpu_base),
        carried: exposure.carried.map(|_| plain(carried, gpu_carried)),
        allowed: exposure.allowed.as_ref().map(AllowedJson::of),
        gpu_hours: hours(exposure.gpu_hours_milli),
        gpu_hours_committed: hours(exposure.gpu_committed_milli),
        gpu_hours_reserved: hours(exposure.gpu_claimed_milli),
        gpu_hours_left: gpu_limit.map(|limit| gpu_hours_left(exposure, limit)),
        period: PeriodJson {
            name: budget.period.name(),
            from: time(state.period.from()),
            to: time(match budget.period {
                Period::Rolling(days) => {
                    let both = SignedDuration::from_hours(2 * 24 * i64::from(days));
                    state.period.from().checked_add(both).unwrap_or(state.period.to())
                }
                _ => state.period.to(),
            }),
        },
        hard: budget.hard,
        currency: gone.currency().to_string(),
        spent: state.spent.to_decimal(),
        committed: state.committed.checked_sub(exposure.claimed)?.to_decimal(),
        reserved: exposure.claimed.to_decimal(),
        exposure: gone.to_decimal(),
        left: limit.map(|limit| limit.checked_sub(gone)).transpose()?.map(Money::to_decimal),
        gone: part.map(ratio),
        rung: rung.map(|rung| rung.action.name()),
        rung_mode: rung.map(|rung| rung.mode.name()),
        escalate: budget.escalate.iter().copied().map(BudgetRungJson::of).collect(),
        burn: burnt,
        forecast: outlook.ahead.as_ref().map(|forecast| ForecastJson {
            p10: forecast.p10.to_decimal(),
            p50: forecast.p50.to_decimal(),
            p90: forecast.p90.to_decimal(),
            tried: forecast.tried,
            held: forecast.held,
        }),
        runs_out: limit.and_then(|limit| outlook.reaches(limit)).map(|day| day.to_string()),
        cuts: taken.cuts.iter().filter(|cut| cut.budget == budget.id).map(CutJson::of).collect(),
        relief: taken.reliefs.iter().find(|it| it.budget == budget.id).map(ReliefJson::of),
        ladder_steps: exposure.taken.iter().map(LadderStepJson::of).collect(),
        drivers: exposure.drivers.iter().map(DriverJson::of).collect(),
    })
}

/// What is left of a limit in thousandths of GPU-hours: below zero where it is overdrawn.
fn gpu_hours_left(exposure: &Exposure, limit: u64) -> f64 {
    let left = i128::from(limit) - exposure.gpu_gone_milli();
    let hours = hours(u64::try_from(left.unsigned_abs()).unwrap_or(u64::MAX));
    if left < 0 { -hours } else { hours }
}

impl BudgetRungJson {
    fn of(rung: Escalation) -> Self {
        Self { at: ratio(rung.at), action: rung.action.name(), mode: rung.mode.name() }
    }
}

const fn in_money_or_hours(limit: Limit) -> (Option<Money>, Option<u64>) {
    match limit {
        Limit::Money(limit) => (Some(limit), None),
        Limit::GpuHoursMilli(milli) => (None, Some(milli)),
    }
}

/// An amount in whichever unit it is.
fn plain(money: Option<Money>, milli: Option<u64>) -> String {
    let hours = |milli| Decimal::from_nano(i128::from(milli) * 1_000_000).to_string();
    money.map(Money::to_decimal).or_else(|| milli.map(hours)).unwrap_or_default()
}

/// The end of a UTC day.
fn end_of(day: Date) -> String {
    day.tomorrow().ok().and_then(midnight).map_or_else(|| day.to_string(), time)
}

/// Whose spending, as a word.
fn scope(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Team(team) => format!("team={team}"),
        Scope::Label(name, value) => format!("label:{name}={value}"),
        Scope::Within(scopes) => scopes.iter().map(self::scope).collect::<Vec<_>>().join(", "),
    }
}

/// Thousandths of hours as hours, for people.
#[allow(clippy::cast_precision_loss, reason = "for people to read; nothing is computed from it")]
fn hours(milli: u64) -> f64 {
    milli as f64 / 1e3
}

/// Hours that cost far more than the same hours of past weeks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnomalyJson {
    /// `team` or `workload`.
    pub of: &'static str,
    /// Which.
    pub name: String,
    /// The newest of the hours.
    pub hour: String,
    /// What it cost.
    pub spent: String,
    /// What such an hour usually costs.
    pub usual: String,
    /// From what on it is far above.
    pub bound: String,
    /// The currency of all money here.
    pub currency: String,
}

impl AnomalyJson {
    /// That of a team or a workload.
    pub fn of(of: &'static str, name: String, odd: &Anomaly) -> Self {
        Self {
            of,
            name,
            hour: time(odd.hour),
            spent: odd.spent.to_decimal(),
            usual: odd.usual.to_decimal(),
            bound: odd.bound.to_decimal(),
            currency: odd.spent.currency().to_string(),
        }
    }
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimJson {
    /// Its name.
    pub id: String,
    /// For what.
    #[serde(rename = "for")]
    pub what: String,
    /// Who asked.
    pub by: String,
    /// Who pays.
    pub team: Option<String>,
    /// Labels that budgets look at.
    pub labels: BTreeMap<String, String>,
    /// How much.
    pub amount: String,
    /// Its currency.
    pub currency: String,
    /// Accelerator time.
    pub gpu_hours: f64,
    /// When it was granted.
    pub at: String,
    /// Not to count after.
    pub expires: String,
    /// Whether it has stopped counting.
    pub expired: bool,
    /// The budgets that it counts in.
    pub budgets: Vec<String>,
}

/// The wire form of a claim as of `now`.
pub fn claim(claim: &Claim, now: Timestamp) -> ClaimJson {
    let ask = &claim.ask;
    ClaimJson {
        id: claim.id.clone(),
        what: ask.what.clone(),
        by: ask.by.clone(),
        team: ask.team.as_ref().map(ToString::to_string),
        labels: ask.labels.clone(),
        amount: ask.amount.to_decimal(),
        currency: ask.amount.currency().to_string(),
        gpu_hours: hours(ask.gpu_hours_milli),
        at: time(claim.at),
        expires: time(ask.expires),
        expired: now >= ask.expires,
        budgets: claim.budgets.clone(),
    }
}

/// A budget that something does not fit into.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShortJson {
    /// Which.
    pub budget: String,
    /// Its period.
    pub window: WindowJson,
    /// What is left, in money or GPU-hours; `null` where the budget holds all new work.
    pub left: Option<String>,
    /// How much more there would have to be, with its unit; `null` where that is not known.
    pub short_by: Option<String>,
    /// `money`, `gpu-hours` or `held`.
    pub of: &'static str,
    /// In words.
    pub why: String,
}

/// Whether something would fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedJson {
    /// Whether it would.
    pub fits: bool,
    /// What it does not fit into.
    pub short: Vec<ShortJson>,
    /// Soft budgets that it would exceed, which only warn.
    pub soft: Vec<ShortJson>,
    /// The hard budgets that were asked; where there are none nothing can say no.
    pub hard: Vec<String>,
}

/// The wire form of what asking would come to.
pub fn checked(fits: bool, checked: &Checked) -> CheckedJson {
    let shorts = |all: &[Short]| all.iter().map(short).collect();
    CheckedJson {
        fits,
        short: shorts(&checked.short),
        soft: shorts(&checked.over),
        hard: checked.hard.iter().map(ToString::to_string).collect(),
    }
}

/// The wire form of what something does not fit into.
pub fn short(short: &Short) -> ShortJson {
    let (left, of) = match &short.why {
        Shortage::Money { left, .. } => (Some(left.to_decimal()), "money"),
        Shortage::GpuHours { left_milli, .. } => {
            let hours = Decimal::from_nano(left_milli.saturating_mul(1_000_000));
            (Some(hours.to_string()), "gpu-hours")
        }
        Shortage::Held(_) => (None, "held"),
    };
    ShortJson {
        budget: short.budget.to_string(),
        window: short.period.into(),
        left,
        short_by: short.by(),
        of,
        why: short.to_string(),
    }
}
