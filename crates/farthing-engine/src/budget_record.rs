//! Budgets as the journal has them: what a run of the loop was told, for those who ask later.

use crate::record::{RecordError, money, time, window};
use farthing_model::{
    Budget, BudgetId, Carry, Escalation, EscalationAction, Limit, Mode, Period, Ratio, Scope,
    TeamId,
};
use serde::{Deserialize, Serialize};

/// A budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetRecord {
    /// Its name.
    pub budget: String,
    /// Whose spending.
    pub scope: ScopeRecord,
    /// How much.
    pub limit: LimitRecord,
    /// Over which span.
    pub period: PeriodRecord,
    /// Whether admitted work may not exceed it.
    pub hard: bool,
    /// The rungs.
    pub escalate: Vec<RungRecord>,
    /// What becomes of what a period leaves unspent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<CarryRecord>,
}

/// A rung: parts per million of the limit, and what happens there; in a mode, where it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RungRecord {
    /// Done without a person, as all were before rungs had modes.
    Enforced(u32, String),
    /// In a mode.
    In(u32, String, String),
}

/// The most that a period begins with beside its limit, and from when on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryRecord {
    /// At most.
    pub most: LimitRecord,
    /// The first period that carries on is the one around this moment.
    pub since: String,
}

/// Whose spending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeRecord {
    /// Everything.
    All,
    /// A team's.
    Team(String),
    /// What has a label.
    Label(String, String),
    /// What all of these hold.
    Within(Vec<ScopeRecord>),
}

/// How much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitRecord {
    /// Money.
    Money(String),
    /// Thousandths of accelerator-hours.
    GpuHoursMilli(u64),
}

/// Over which span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeriodRecord {
    /// Each day, week, month or quarter.
    Each(String),
    /// Once.
    Fixed(String, String),
    /// The last so many days.
    Rolling(u16),
}

const CALENDAR: [Period; 4] = [Period::Day, Period::Week, Period::Month, Period::Quarter];

impl BudgetRecord {
    /// The record of a budget.
    pub fn of(budget: &Budget) -> Self {
        Self {
            budget: budget.id.to_string(),
            scope: ScopeRecord::of(&budget.scope),
            limit: LimitRecord::of(budget.limit),
            period: match budget.period {
                Period::Fixed(window) => {
                    PeriodRecord::Fixed(window.from().to_string(), window.to().to_string())
                }
                Period::Rolling(days) => PeriodRecord::Rolling(days),
                each => PeriodRecord::Each(each.name().to_owned()),
            },
            hard: budget.hard,
            escalate: budget.escalate.iter().copied().map(RungRecord::of).collect(),
            carry: budget.carry.map(|carry| CarryRecord {
                most: LimitRecord::of(carry.most),
                since: carry.since.to_string(),
            }),
        }
    }

    /// The budget again.
    ///
    /// # Errors
    /// A name, amount or time in it is not one.
    pub fn to_budget(&self) -> Result<Budget, RecordError> {
        let carry = |carry: &CarryRecord| {
            let (most, since) = (carry.most.to_limit()?, time(&carry.since)?);
            Ok(Carry { most, since })
        };
        Ok(Budget {
            id: BudgetId::new(&self.budget).map_err(RecordError::Id)?,
            scope: self.scope.to_scope()?,
            limit: self.limit.to_limit()?,
            period: match &self.period {
                PeriodRecord::Each(name) => {
                    let found = CALENDAR.into_iter().find(|period| period.name() == name);
                    found.ok_or_else(|| RecordError::Word(name.clone()))?
                }
                PeriodRecord::Fixed(from, to) => Period::Fixed(window(from, to)?),
                PeriodRecord::Rolling(days) => Period::Rolling(*days),
            },
            hard: self.hard,
            escalate: self.escalate.iter().map(RungRecord::to_rung).collect::<Result<_, _>>()?,
            carry: self.carry.as_ref().map(carry).transpose()?,
        })
    }
}

impl ScopeRecord {
    fn of(scope: &Scope) -> Self {
        match scope {
            Scope::All => Self::All,
            Scope::Team(team) => Self::Team(team.to_string()),
            Scope::Label(key, value) => Self::Label(key.clone(), value.clone()),
            Scope::Within(scopes) => Self::Within(scopes.iter().map(Self::of).collect()),
        }
    }

    fn to_scope(&self) -> Result<Scope, RecordError> {
        Ok(match self {
            Self::All => Scope::All,
            Self::Team(team) => Scope::Team(TeamId::new(team).map_err(RecordError::Id)?),
            Self::Label(key, value) => Scope::Label(key.clone(), value.clone()),
            Self::Within(scopes) => {
                Scope::Within(scopes.iter().map(Self::to_scope).collect::<Result<_, _>>()?)
            }
        })
    }
}

impl LimitRecord {
    /// The record of a limit.
    pub fn of(limit: Limit) -> Self {
        match limit {
            Limit::Money(limit) => Self::Money(limit.to_string()),
            Limit::GpuHoursMilli(milli) => Self::GpuHoursMilli(milli),
        }
    }

    /// The limit again.
    ///
    /// # Errors
    /// Its amount is not one.
    pub fn to_limit(&self) -> Result<Limit, RecordError> {
        Ok(match self {
            Self::Money(limit) => Limit::Money(money(limit)?),
            Self::GpuHoursMilli(milli) => Limit::GpuHoursMilli(*milli),
        })
    }
}

impl RungRecord {
    pub(crate) fn of(rung: Escalation) -> Self {
        let action = rung.action.name().to_owned();
        match rung.mode {
            Mode::Enforce => Self::Enforced(rung.at.ppm(), action),
            mode => Self::In(rung.at.ppm(), action, mode.name().to_owned()),
        }
    }

    pub(crate) fn to_rung(&self) -> Result<Escalation, RecordError> {
        let (ppm, action, mode) = match self {
            Self::Enforced(ppm, action) => (*ppm, action, Mode::Enforce.name()),
            Self::In(ppm, action, mode) => (*ppm, action, mode.as_str()),
        };
        let wrong = |text: &str| RecordError::Word(text.to_owned());
        let found = EscalationAction::ALL.into_iter().find(|known| known.name() == action);
        let action = found.ok_or_else(|| wrong(action))?;
        let found = Mode::ALL.into_iter().find(|known| known.name() == mode);
        let mode = found.ok_or_else(|| wrong(mode))?;
        Ok(Escalation { at: Ratio::from_ppm(ppm), action, mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::{Currency, Money, Window};

    #[test]
    fn a_budget_comes_back_as_it_was() {
        let (from, to) = ("2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z");
        let fixed = Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        let team = TeamId::new("research").unwrap();
        for (scope, limit, period) in [
            (Scope::All, Limit::Money(Money::from_pico(7, Currency::USD)), Period::Month),
            (Scope::Team(team.clone()), Limit::GpuHoursMilli(1_500), Period::Rolling(30)),
            (
                Scope::Within(vec![Scope::Team(team), Scope::Label("user".into(), "anna".into())]),
                Limit::GpuHoursMilli(1_500),
                Period::Day,
            ),
            (
                Scope::Label("project".to_owned(), "a=b".to_owned()),
                Limit::Money(Money::from_pico(-1, Currency::USD)),
                Period::Fixed(fixed),
            ),
        ] {
            let budget = Budget {
                id: BudgetId::new("b").unwrap(),
                scope,
                limit,
                period,
                hard: true,
                escalate: EscalationAction::ALL
                    .into_iter()
                    .zip([800_000, 1_000_000, 1_100_000, 1_200_000])
                    .zip(Mode::ALL)
                    .map(|((action, ppm), mode)| Escalation {
                        at: Ratio::from_ppm(ppm),
                        action,
                        mode,
                    })
                    .collect(),
                carry: (period == Period::Day).then(|| Carry { most: limit, since: fixed.from() }),
            };
            let record = BudgetRecord::of(&budget);
            let text = serde_json::to_string(&record).unwrap();
            let read: BudgetRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(read.to_budget().unwrap(), budget);
        }
    }

    /// A budget of the journal as it was written before rungs had modes and budgets a carry.
    #[test]
    fn budgets_of_before_are_still_read_and_written_the_same() {
        let text = concat!(
            r#"{"budget":"b","scope":{"team":"research"},"limit":{"money":"7 USD"},"#,
            r#""period":{"each":"month"},"hard":true,"escalate":[[800000,"notify"]]}"#
        );
        let read: BudgetRecord = serde_json::from_str(text).unwrap();
        assert_eq!(read.to_budget().unwrap().escalate[0].mode, Mode::Enforce);
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
