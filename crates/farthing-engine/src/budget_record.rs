//! Budgets as the journal has them: what a run of the loop was told, for those who ask later.

use crate::record::{RecordError, money, window};
use farthing_model::{
    Budget, BudgetId, Escalation, EscalationAction, Limit, Period, Ratio, Scope, TeamId,
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
    /// The rungs: parts per million of the limit, and what happens there.
    pub escalate: Vec<(u32, String)>,
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
}

const CALENDAR: [Period; 4] = [Period::Day, Period::Week, Period::Month, Period::Quarter];

const ACTIONS: [(&str, EscalationAction); 4] = [
    ("notify", EscalationAction::Notify),
    ("hold", EscalationAction::Hold),
    ("cut", EscalationAction::Cut),
    ("suspend", EscalationAction::Suspend),
];

impl BudgetRecord {
    /// The record of a budget.
    pub fn of(budget: &Budget) -> Self {
        let name = |action: EscalationAction| {
            let found = ACTIONS.iter().find(|(_, known)| *known == action);
            found.map_or_else(String::new, |(name, _)| (*name).to_owned())
        };
        Self {
            budget: budget.id.to_string(),
            scope: match &budget.scope {
                Scope::All => ScopeRecord::All,
                Scope::Team(team) => ScopeRecord::Team(team.to_string()),
                Scope::Label(key, value) => ScopeRecord::Label(key.clone(), value.clone()),
            },
            limit: match budget.limit {
                Limit::Money(limit) => LimitRecord::Money(limit.to_string()),
                Limit::GpuHoursMilli(milli) => LimitRecord::GpuHoursMilli(milli),
            },
            period: match budget.period {
                Period::Fixed(window) => {
                    PeriodRecord::Fixed(window.from().to_string(), window.to().to_string())
                }
                each => PeriodRecord::Each(each.name().to_owned()),
            },
            hard: budget.hard,
            escalate: budget
                .escalate
                .iter()
                .map(|rung| (rung.at.ppm(), name(rung.action)))
                .collect(),
        }
    }

    /// The budget again.
    ///
    /// # Errors
    /// A name, amount or time in it is not one.
    pub fn to_budget(&self) -> Result<Budget, RecordError> {
        let wrong = |text: &str| RecordError::Word(text.to_owned());
        let rung = |(ppm, name): &(u32, String)| {
            let found = ACTIONS.iter().find(|(known, _)| known == name);
            let (_, action) = found.ok_or_else(|| wrong(name))?;
            Ok(Escalation { at: Ratio::from_ppm(*ppm), action: *action })
        };
        Ok(Budget {
            id: BudgetId::new(&self.budget).map_err(RecordError::Id)?,
            scope: match &self.scope {
                ScopeRecord::All => Scope::All,
                ScopeRecord::Team(team) => Scope::Team(TeamId::new(team).map_err(RecordError::Id)?),
                ScopeRecord::Label(key, value) => Scope::Label(key.clone(), value.clone()),
            },
            limit: match &self.limit {
                LimitRecord::Money(limit) => Limit::Money(money(limit)?),
                LimitRecord::GpuHoursMilli(milli) => Limit::GpuHoursMilli(*milli),
            },
            period: match &self.period {
                PeriodRecord::Each(name) => {
                    let found = CALENDAR.into_iter().find(|period| period.name() == name);
                    found.ok_or_else(|| wrong(name))?
                }
                PeriodRecord::Fixed(from, to) => Period::Fixed(window(from, to)?),
            },
            hard: self.hard,
            escalate: self.escalate.iter().map(rung).collect::<Result<_, _>>()?,
        })
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
            (Scope::Team(team), Limit::GpuHoursMilli(1_500), Period::Day),
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
                escalate: ACTIONS
                    .into_iter()
                    .zip([800_000, 1_000_000, 1_100_000, 1_200_000])
                    .map(|((_, action), ppm)| Escalation { at: Ratio::from_ppm(ppm), action })
                    .collect(),
            };
            let record = BudgetRecord::of(&budget);
            let text = serde_json::to_string(&record).unwrap();
            let read: BudgetRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(read.to_budget().unwrap(), budget);
        }
    }
}
