//! Budgets: limits in money or GPU-hours over a period for a scope, with an escalation.

use crate::decimal::{Decimal, DecimalError};
use crate::id::{BudgetId, TeamId};
use crate::money::{Currency, Money, MoneyError};
use crate::policy::{Mode, Ratio};
use crate::price::HourlyRate;
use crate::time::{hour_floor, midnight, utc_day};
use crate::window::Window;
use crate::workload::Workload;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::BTreeMap;
use std::str::FromStr;

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
    /// What becomes of what a period leaves unspent; `None`: it is gone.
    pub carry: Option<Carry>,
}

/// What a period leaves unspent goes on to the next one, up to a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carry {
    /// The most that a period begins with beside its limit, in the limit's unit.
    pub most: Limit,
    /// The first period that carries on is the one around this moment: what was before it is
    /// nobody's saving.
    pub since: Timestamp,
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
    /// What every one of these holds: a project of a team, a user of a project.
    Within(Vec<Scope>),
}

/// How much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Money.
    Money(Money),
    /// Accelerator time, in thousandths of a GPU-hour.
    GpuHoursMilli(u64),
}

/// Why a text is no [`Limit`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// It is not money, and has no unit of accelerator time.
    #[error("{0} (a limit is money such as 120000 USD, or time such as 500 GPU-hours)")]
    Money(MoneyError),
    /// It has a unit of accelerator time, and no number of it.
    #[error("{0} (a limit is money such as 120000 USD, or time such as 500 GPU-hours)")]
    Hours(DecimalError),
    /// Finer than it is counted.
    #[error("`{0}` is finer than a thousandth of a GPU-hour")]
    Fine(String),
    /// Less than nothing.
    #[error("`{0}` is below zero")]
    Negative(String),
    /// More than can be counted.
    #[error("`{0}` is too large")]
    Large(String),
}

/// Units of accelerator time, the longest first.
const GPU_HOURS: [&str; 3] = ["GPU-hours", "GPU-hour", "GPU-h"];

impl Limit {
    /// The limit as an amount: of money, or of [`Currency::GPU_HOURS`].
    pub fn amount(self) -> Money {
        match self {
            Self::Money(limit) => limit,
            Self::GpuHoursMilli(milli) => gpu_hours(milli),
        }
    }
}

/// Thousandths of accelerator-hours as an amount of [`Currency::GPU_HOURS`].
pub fn gpu_hours(milli: u64) -> Money {
    Money::from_pico(i128::from(milli) * 1_000_000_000, Currency::GPU_HOURS)
}

/// What a node with so many accelerators takes of a budget in GPU-hours.
pub fn gpu_rate(accelerators: u32) -> HourlyRate {
    let per_hour = gpu_hours(u64::from(accelerators) * 1_000);
    // A count is not below zero.
    HourlyRate::new(per_hour).unwrap_or(HourlyRate::free(Currency::GPU_HOURS))
}

impl FromStr for Limit {
    type Err = LimitError;

    /// Reads `120000 USD`, `500 GPU-hours`, `0.5 GPU-h`.
    fn from_str(text: &str) -> Result<Self, LimitError> {
        let trimmed = text.trim();
        let Some(number) = GPU_HOURS.iter().find_map(|unit| trimmed.strip_suffix(unit)) else {
            let money: Money = trimmed.parse().map_err(LimitError::Money)?;
            let is_negative = money.is_negative();
            let negative = || LimitError::Negative(trimmed.to_owned());
            return if is_negative { Err(negative()) } else { Ok(Self::Money(money)) };
        };
        let nano = number.trim().parse::<Decimal>().map_err(LimitError::Hours)?.nano();
        match (nano < 0, nano % 1_000_000, u64::try_from(nano / 1_000_000)) {
            (true, ..) => Err(LimitError::Negative(trimmed.to_owned())),
            (_, 0, Ok(milli)) => Ok(Self::GpuHoursMilli(milli)),
            (_, 0, Err(_)) => Err(LimitError::Large(trimmed.to_owned())),
            _ => Err(LimitError::Fine(trimmed.to_owned())),
        }
    }
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
    /// The last so many days, at every moment.
    Rolling(u16),
}

/// One rung of the escalation ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Part of the limit that is spent or committed.
    pub at: Ratio,
    /// What then happens.
    pub action: EscalationAction,
    /// How much of it is done without a person. The mode of the policy is the ceiling of what acts
    /// on workloads.
    pub mode: Mode,
}

impl Escalation {
    /// Whether it holds new work back. A rung that only tells does not.
    pub fn holds(&self) -> bool {
        self.action >= EscalationAction::Hold && self.mode >= Mode::Approve
    }
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

impl EscalationAction {
    /// All, from the mildest.
    pub const ALL: [Self; 4] = [Self::Notify, Self::Hold, Self::Cut, Self::Suspend];

    /// The name in manifests and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Hold => "hold",
            Self::Cut => "cut",
            Self::Suspend => "suspend",
        }
    }
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
            Self::Within(scopes) => scopes.iter().all(|scope| scope.holds(team, labels)),
        }
    }

    /// What has to be so for something to count here: nothing for everything.
    pub fn conditions(&self) -> Vec<&Self> {
        match self {
            Self::All => Vec::new(),
            Self::Within(scopes) => scopes.iter().flat_map(Self::conditions).collect(),
            one => vec![one],
        }
    }

    /// Whether all that counts in `other` counts here too, as one knows from their words alone.
    pub fn contains(&self, other: &Self) -> bool {
        let narrower = other.conditions();
        self.conditions().iter().all(|condition| narrower.contains(condition))
    }
}

impl Budget {
    /// The budget just above this one in the tree of scopes: of those whose scope is wider, the one
    /// with the narrowest.
    pub fn parent<'b>(&self, budgets: &'b [Self]) -> Option<&'b Self> {
        let depth = |budget: &Self| budget.scope.conditions().len();
        let wider = budgets.iter().filter(|other| {
            other.scope.contains(&self.scope) && !self.scope.contains(&other.scope)
        });
        // Of two that are as narrow the first by name, so that the tree is always the same.
        wider.max_by(|a, b| depth(a).cmp(&depth(b)).then_with(|| b.id.cmp(&a.id)))
    }
}

impl Period {
    /// The period that holds `at`; `None` outside a fixed one or at the end of time.
    pub fn window_at(self, at: Timestamp) -> Option<Window> {
        let day = utc_day(at);
        let (first, next) = match self {
            Self::Fixed(window) => return window.contains(at).then_some(window),
            // To the end of time, as work that begins now counts whole: no later span of so many
            // days can then hold more than this one.
            Self::Rolling(days) => {
                let from = at.checked_sub(SignedDuration::from_hours(24 * i64::from(days)));
                // Whole hours, as the books have them: rather a part too many than one too few.
                return Window::new(hour_floor(from.ok()?), Timestamp::MAX).ok();
            }
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

    /// The period after `window`, which is one of these; `None` where none follows.
    pub fn after(self, window: Window) -> Option<Window> {
        match self {
            Self::Fixed(_) | Self::Rolling(_) => None,
            _ => self.window_at(window.to()),
        }
    }

    /// The name in manifests and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Fixed(_) => "fixed",
            Self::Rolling(_) => "rolling",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_in_every_unit_that_it_is_written_in() {
        let read = |text: &str| text.parse::<Limit>().map_err(|error| error.to_string());
        for text in ["500.5 GPU-hours", " 500.5 GPU-h ", "500.5GPU-hour", "500.500 GPU-hours"] {
            assert_eq!(read(text), Ok(Limit::GpuHoursMilli(500_500)), "{text}");
        }
        let usd = Money::from_pico(12_500_000_000_000, Currency::USD);
        assert_eq!(read(" 12.5 USD"), Ok(Limit::Money(usd)));
        assert_eq!(Limit::GpuHoursMilli(500_500).amount().to_string(), "500.50 GPU-hours");
        let end = "(a limit is money such as 120000 USD, or time such as 500 GPU-hours)";
        for (text, wrong) in [
            ("100", format!("`100` has no currency: write it like 12.34 USD {end}")),
            ("x GPU-h", format!("`x` is not a decimal number such as 12, 0.5 or 1.25e6 {end}")),
            ("-1 USD", "`-1 USD` is below zero".to_owned()),
            ("-1 GPU-h", "`-1 GPU-h` is below zero".to_owned()),
            ("0.0001 GPU-h", "`0.0001 GPU-h` is finer than a thousandth of a GPU-hour".to_owned()),
            ("1e20 GPU-h", "`1e20 GPU-h` is too large".to_owned()),
        ] {
            assert_eq!(read(text), Err(wrong), "{text}");
        }
    }

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
        let rolling = Period::Rolling(7).window_at(at).unwrap();
        assert_eq!(rolling.from(), "2026-11-17T13:00:00Z".parse::<Timestamp>().unwrap());
        assert_eq!(Period::Rolling(7).after(rolling), None);
    }

    #[test]
    fn scopes_are_a_tree() {
        let team = |name: &str| Scope::Team(TeamId::new(name).unwrap());
        let label = |key: &str, value: &str| Scope::Label(key.to_owned(), value.to_owned());
        let project = Scope::Within(vec![team("research"), label("project", "vision")]);
        let user = Scope::Within(vec![project.clone(), label("user", "anna")]);
        let of = |name: &str, scope: &Scope| Budget {
            id: BudgetId::new(name).unwrap(),
            scope: scope.clone(),
            limit: Limit::GpuHoursMilli(1),
            period: Period::Month,
            hard: true,
            escalate: Vec::new(),
            carry: None,
        };
        let all = [
            of("user", &user),
            of("project", &project),
            of("research", &team("research")),
            of("other", &team("other")),
            of("company", &Scope::All),
        ];
        let parents: Vec<_> =
            all.iter().map(|it| it.parent(&all).map_or("", |parent| parent.id.as_str())).collect();
        assert_eq!(parents, ["project", "research", "company", "company", ""]);
        let (anna, labels) = (TeamId::new("research").unwrap(), [("project", "vision")]);
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let holds: Vec<_> = all.iter().map(|it| it.scope.holds(Some(&anna), &labels)).collect();
        assert_eq!(holds, [false, true, true, false, true]);
    }
}
