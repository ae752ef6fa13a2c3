//! When a command must end: at a cost, at a time, at the end of a budget. The time for a checkpoint
//! is inside of the limit, so that nothing is exceeded by it.

use crate::args::RunLimits;
use crate::commands::{amount, duration, moment};
use crate::outcome::WrongUse;
use farthing_model::{Currency, Money};
use jiff::Timestamp;
use std::time::Duration;

/// The end is aimed at this much early, so that looking, signals and the kernel's own work do not
/// take it over the limit.
const EARLY: Duration = Duration::from_millis(150);

/// What a command was stopped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Cost,
    Deadline,
    Budget,
}

impl Why {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Deadline => "deadline",
            Self::Budget => "budget",
        }
    }

    /// The limit, as people call it.
    pub(crate) const fn limit(self) -> &'static str {
        match self {
            Self::Cost => "limit of cost",
            Self::Deadline => "deadline",
            Self::Budget => "limit of a budget",
        }
    }
}

/// The limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_cost: Option<Money>,
    /// After the beginning.
    pub(crate) deadline: Option<Duration>,
    pub(crate) grace: Duration,
}

/// When the end must begin, and when it must be over, after the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) term: Duration,
    pub(crate) kill: Duration,
    pub(crate) why: Why,
}

impl Limits {
    /// As the flags say.
    pub(crate) fn of(
        args: &RunLimits,
        currency: Currency,
        priced: bool,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let max_cost =
            args.max_cost.as_deref().map(|text| amount("--max-cost", text)).transpose()?;
        if let Some(most) = max_cost {
            if !priced {
                return Err(WrongUse::new("--max-cost: this machine's price is not known")
                    .hint("say what it costs with --price '3.90 USD/h', --offer or --hardware FILE")
                    .into());
            }
            if most.currency() != currency {
                let of = most.currency();
                return Err(WrongUse::new(format!(
                    "--max-cost is in {of}, and this machine is priced in {currency}"
                ))
                .into());
            }
            if most.is_negative() || most.is_zero() {
                return Err(WrongUse::new("--max-cost is not above zero").into());
            }
        }
        let deadline = args.deadline.as_deref().map(|text| until(text, now)).transpose()?;
        let grace = farthing_model::parse_duration(args.grace.trim());
        let grace = grace.filter(|grace| !grace.is_negative());
        let grace = grace.and_then(|grace| Duration::try_from(grace).ok()).ok_or_else(|| {
            WrongUse::new(format!("--grace `{}` is not a duration", args.grace))
                .hint("write it like 30s")
        })?;
        Ok(Self { max_cost, deadline, grace })
    }

    /// When the next limit is, for something that has cost `paid` after `elapsed` and costs
    /// `hourly` from now on. `budget` is what is set aside, where that is a limit.
    pub(crate) fn due(
        &self,
        elapsed: Duration,
        costs: Option<(Money, Money)>,
        budget: Option<Money>,
    ) -> Option<Due> {
        let at_cost = |most: Money, why| {
            let (paid, hourly) = costs?;
            let left = u128::try_from(most.pico() - paid.pico()).unwrap_or(0);
            let hourly = u128::try_from(hourly.pico()).ok().filter(|hourly| *hourly > 0)?;
            // An hour has 3.6 x 10^12 nanoseconds; what is centuries away is no limit.
            let nanos = left.checked_mul(3_600_000_000_000)? / hourly;
            let end = elapsed + Duration::from_nanos(u64::try_from(nanos).ok()?);
            Some((end, why))
        };
        let ends = [
            self.max_cost.and_then(|most| at_cost(most, Why::Cost)),
            budget.and_then(|most| at_cost(most, Why::Budget)),
            self.deadline.map(|end| (end, Why::Deadline)),
        ];
        let (end, why) = ends.into_iter().flatten().min_by_key(|(end, _)| *end)?;
        let kill = end.saturating_sub(EARLY.min(end / 20));
        // Of what there is altogether at least three quarters are for the work.
        let grace = self.grace.min(kill / 4);
        Some(Due { term: kill.saturating_sub(grace), kill, why })
    }
}

/// A time, or so long from now.
fn until(text: &str, now: Timestamp) -> anyhow::Result<Duration> {
    let length = if farthing_model::parse_duration(text).is_some() {
        duration("--deadline", text)?
    } else {
        let at = moment("--deadline", text).map_err(|_| {
            WrongUse::new(format!("--deadline `{text}` is neither a time nor a duration"))
                .hint("write it like 2026-12-01T06:00:00Z or 2h30m")
        })?;
        at.duration_since(now)
    };
    Duration::try_from(length).ok().filter(|length| !length.is_zero()).ok_or_else(|| {
        WrongUse::new(format!("--deadline `{text}` is over")).hint("name a later one").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Money {
        Money::from_decimal(text, Currency::USD).unwrap()
    }

    fn limits(max_cost: Option<&str>, deadline_s: Option<u64>, grace_s: u64) -> Limits {
        Limits {
            max_cost: max_cost.map(usd),
            deadline: deadline_s.map(Duration::from_secs),
            grace: Duration::from_secs(grace_s),
        }
    }

    #[test]
    fn the_end_is_inside_of_the_limit() {
        // 3.60 USD an hour are 0.001 USD a second.
        let due = |limits: Limits, elapsed, paid| {
            limits.due(Duration::from_secs(elapsed), Some((usd(paid), usd("3.6"))), None)
        };
        let ends = due(limits(Some("1"), None, 30), 0, "0").unwrap();
        assert_eq!((ends.why, ends.kill.as_millis()), (Why::Cost, 999_850));
        assert_eq!(ends.kill.saturating_sub(ends.term), Duration::from_secs(30));
        // A short limit leaves three quarters of it for the work.
        let ends = due(limits(Some("0.004"), None, 30), 0, "0").unwrap();
        assert_eq!((ends.kill.as_millis(), ends.term.as_millis()), (3_850, 2_887));
        // What is over is now.
        let ends = due(limits(Some("1"), None, 0), 100, "2").unwrap();
        assert!(ends.kill <= Duration::from_secs(100), "{ends:?}");
        // The nearer limit counts.
        let ends = due(limits(Some("1"), Some(60), 10), 0, "0").unwrap();
        assert_eq!((ends.why, ends.kill.as_millis()), (Why::Deadline, 59_850));
        assert_eq!(due(limits(None, None, 10), 0, "0"), None);
    }

    #[test]
    fn a_deadline_is_a_time_or_a_duration() {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        assert_eq!(until("90m", now).unwrap(), Duration::from_secs(5_400));
        assert_eq!(until("2026-11-01T01:00:00Z", now).unwrap(), Duration::from_secs(3_600));
        for bad in ["2026-10-01T01:00:00Z", "soon", "0s"] {
            assert!(until(bad, now).is_err(), "{bad}");
        }
    }
}
