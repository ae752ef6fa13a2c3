//! Budgets: limits in money or GPU-hours over a period for a scope, with an escalation.

use crate::id::{BudgetId, TeamId};
use crate::money::Money;
use crate::policy::Ratio;
use crate::time::{midnight, utc_day};
use crate::window::Window;
use crate::workload::Workload;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

/// A limit for a scope over a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its manifest name.
    pub id: BudgetId,
    /// Whose spending it limits.
    pub scope: Scope,
    /// How much.
    pub limit: Limit,
    /// Over which span, again and again.
    pub period: Period,
    /// A hard budget is never exceeded by admitted work; a soft one only warns.
    pub hard: bool,
    /// What happens at which part of the limit, ascending.
    pub escalate: Vec<Escalation>,
}

/// Whose spending.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    All,
    /// One team.
    Team(TeamId),
    /// One label, such as `project = alpha`.
    Label(String, String),
}

/// How much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Money.
    Money(Money),
    /// Accelerator time, in thousandths of a GPU-hour.
    GpuHoursMilli(u64),
}

/// The span that a limit covers, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Each day.
    Day,
    /// Each week from Monday.
    Week,
    /// Each calendar month.
    Month,
    /// Each calendar quarter.
    Quarter,
    /// One fixed span.
    Fixed(Window),
}

/// One rung of the escalation ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Part of the limit that is spent or committed.
    pub at: Ratio,
    /// What then happens.
    pub action: EscalationAction,
}

/// What happens when a budget runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EscalationAction {
    /// Say so.
    Notify,
    /// Admit no new work.
    Hold,
    /// Cheaper placement, fewer replicas.
    Cut,
    /// Suspend what can be suspended.
    Suspend,
}

impl Scope {
    /// Whether a workload's spending counts here.
    pub fn covers(&self, workload: &Workload) -> bool {
        self.holds(workload.team.as_ref(), &workload.labels)
    }

    /// Whether the spending of a team, under labels, counts here.
    pub fn holds(&self, team: Option<&TeamId>, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::All => true,
            Self::Team(own) => team == Some(own),
            Self::Label(key, value) => labels.get(key) == Some(value),
        }
    }
}

impl Period {
    /// The period that holds `at`; `None` outside a fixed one or at the end of time.
    pub fn window_at(self, at: Timestamp) -> Option<Window> {
        let day = utc_day(at);
        let (first, next) = match self {
            Self::Fixed(window) => return window.contains(at).then_some(window),
            Self::Day => (day, day.checked_add(1.day()).ok()?),
            Self::Week => {
                let since_monday = i64::from(day.weekday().to_monday_zero_offset());
                let monday = day.checked_sub(since_monday.days()).ok()?;
                (monday, monday.checked_add(7.days()).ok()?)
            }
            Self::Month => {
                let first = day.first_of_month();
                (first, first.checked_add(1.month()).ok()?)
            }
            Self::Quarter => {
                let month = (day.month() - 1) / 3 * 3 + 1;
                let first = Date::new(day.year(), month, 1).ok()?;
                (first, first.checked_add(3.months()).ok()?)
            }
        };
        Window::new(midnight(first)?, midnight(next)?).ok()
    }

    /// The name in manifests and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Fixed(_) => "fixed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_calendar_spans() {
        let at: Timestamp = "2026-11-24T13:00:00Z".parse().unwrap();
        let check = |period: Period, expect: &str| {
            assert_eq!(period.window_at(at).unwrap().to_string(), expect);
        };
        check(Period::Day, "2026-11-24T00:00:00Z/2026-11-25T00:00:00Z");
        check(Period::Week, "2026-11-23T00:00:00Z/2026-11-30T00:00:00Z");
        check(Period::Month, "2026-11-01T00:00:00Z/2026-12-01T00:00:00Z");
        check(Period::Quarter, "2026-10-01T00:00:00Z/2027-01-01T00:00:00Z");
    }
}
