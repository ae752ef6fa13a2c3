//! What a scope spent on each day: the past that forecasts and burn-down pictures are made from.

use crate::books::Books;
use crate::forecast::{Forecast, forecast, pace};
use crate::report::{Filter, Key, ReportError, StatementQuery, statement};
use farthing_model::{ClusterId, Currency, Money, Scope, Window, utc_day};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far back the past of a forecast goes.
const PAST: SignedDuration = SignedDuration::from_hours(8 * 7 * 24);
/// Days that a forecast goes ahead, at most: nothing is said of a longer period.
const AHEAD_MAX: usize = 400;
/// Seconds in a day.
const DAY_S: i64 = 86_400;

/// How a scope got to where it is in a period, and where it is going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The days of the period so far.
    pub burnt: BTreeMap<Date, Money>,
    /// What it will come to; `None` where too little is known.
    pub ahead: Option<Forecast>,
    /// What will be spent by the end of each day to come, at the usual pace of such days.
    pub pace: Vec<(Date, Money)>,
}

impl Outlook {
    /// The day on which a limit is reached at that pace.
    pub fn reaches(&self, limit: Money) -> Option<Date> {
        let found = self.pace.iter().find(|(_, spent)| spent.pico() >= limit.pico());
        found.map(|(day, _)| *day)
    }
}

/// Looks back at the days of a scope and ahead to the end of a period, as of `now`, when `spent` of
/// it is spent.
///
/// # Errors
/// The books cannot be read, or the sums do not fit.
pub fn outlook(
    (books, cluster, currency): (&Books, &ClusterId, Currency),
    (scope, period): (&Scope, Window),
    spent: Money,
    now: Timestamp,
) -> Result<Outlook, ReportError> {
    let from = now.checked_sub(PAST).unwrap_or(Timestamp::MIN).min(period.from());
    let Ok(window) = Window::new(from, now) else {
        return Ok(Outlook { burnt: BTreeMap::new(), ahead: None, pace: Vec::new() });
    };
    let mut past = burn(books, cluster, scope, (window, currency))?;
    let (first, today, end) = (utc_day(period.from()), utc_day(now), utc_day(period.to()));
    let burnt = past.range(first..).map(|(day, money)| (*day, *money)).collect();
    past.remove(&today);
    let mut left = Vec::new();
    let mut next = today;
    while next < end {
        left.push(next);
        match next.checked_add(1.day()) {
            Ok(tomorrow) if left.len() <= AHEAD_MAX => next = tomorrow,
            _ => return Ok(Outlook { burnt, ahead: None, pace: Vec::new() }),
        }
    }
    let gone = now.as_second().rem_euclid(DAY_S);
    let first_ppm = u32::try_from((DAY_S - gone) * 1_000_000 / DAY_S).unwrap_or(0);
    let wrong = |source| ReportError::Money { window: period, source };
    let ahead = forecast(&past, spent, &left, first_ppm).map_err(wrong)?;
    let pace = pace(&past, spent, &left, first_ppm).map_err(wrong)?;
    Ok(Outlook { burnt, ahead, pace })
}

/// What counts against a scope, by the UTC day. What nobody is charged for counts only for the
/// whole.
///
/// # Errors
/// A file of the window cannot be read, or is in another currency.
pub fn burn(
    books: &Books,
    cluster: &ClusterId,
    scope: &Scope,
    (window, currency): (Window, Currency),
) -> Result<BTreeMap<Date, Money>, ReportError> {
    let all = StatementQuery::of(cluster.clone(), window, currency);
    let filter = match scope {
        Scope::All => None,
        Scope::Team(team) => Some(Filter::one_of(Key::Team, vec![team.to_string()])),
        Scope::Label(name, value) => {
            Some(Filter::one_of(Key::Label(Arc::from(name.as_str())), vec![value.clone()]))
        }
    };
    let statement = statement(books, &StatementQuery { by: vec![Key::Day], filter, ..all })?;
    let mut days = BTreeMap::new();
    for row in statement.rows {
        let Some(day) = row.keys.first().and_then(|day| day.parse::<Date>().ok()) else { continue };
        let sum = days.entry(day).or_insert_with(|| Money::zero(currency));
        *sum = Money::checked_add(*sum, row.total)
            .map_err(|source| ReportError::Money { window, source })?;
    }
    Ok(days)
}
