//! What a scope spent on each day: the past that forecasts and burn-down pictures are made from.

use crate::books::Books;
use crate::forecast::{Forecast, forecast, pace};
use crate::report::{Key, ReportError, StatementQuery, statement};
use farthing_model::{ClusterId, Currency, Money, Scope, TeamId, Window, utc_day};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far back the past of a forecast goes.
const PAST: SignedDuration = SignedDuration::from_hours(8 * 7 * 24);
/// Days that a forecast goes ahead, at most: nothing is said of a longer period.
const AHEAD_MAX: usize = 400;
/// Seconds in a day.
const DAY_S: i64 = 86_400;

/// How a scope got to where it is in a period, and where it is going.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// A budget to look at: whose spending, in which period, and what is spent of it.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    /// Whose.
    pub scope: &'a Scope,
    /// The period around now. Of one without an end, as the last days of a rolling budget, as many
    /// days are looked ahead as it goes back.
    pub period: Window,
    /// Spent in it so far.
    pub spent: Money,
}

/// Looks back at the days of each scope and ahead to the end of its period, as of `now`. The books
/// are read once for all of them.
///
/// # Errors
/// The books cannot be read, or the sums do not fit.
pub fn outlooks(
    (books, cluster, currency): (&Books, &ClusterId, Currency),
    looked: &[Looked<'_>],
    now: Timestamp,
) -> Result<Vec<Outlook>, ReportError> {
    let back = now.checked_sub(PAST).unwrap_or(Timestamp::MIN);
    let from = looked.iter().map(|it| it.period.from()).fold(back, Timestamp::min);
    let Ok(window) = Window::new(from, now) else {
        return Ok(looked.iter().map(|_| Outlook::default()).collect());
    };
    let scopes: Vec<&Scope> = looked.iter().map(|it| it.scope).collect();
    let days = burns(books, cluster, &scopes, (window, currency))?;
    let with_days = looked.iter().zip(days);
    with_days.map(|(looked, days)| outlook(*looked, days, now)).collect()
}

/// Where one goes whose days are known.
fn outlook(
    looked: Looked<'_>,
    mut past: BTreeMap<Date, Money>,
    now: Timestamp,
) -> Result<Outlook, ReportError> {
    let Looked { period, .. } = looked;
    let rolls = period.to() == Timestamp::MAX;
    let zero = Money::zero(looked.spent.currency());
    let (spent, end) = if rolls {
        (zero, now.checked_add(now.duration_since(period.from())).unwrap_or(Timestamp::MAX))
    } else {
        (looked.spent, period.to())
    };
    let back = now.checked_sub(PAST).unwrap_or(Timestamp::MIN).min(period.from());
    let (first, today, end) = (utc_day(period.from()), utc_day(now), utc_day(end));
    let burnt = past.range(first..).map(|(day, money)| (*day, *money)).collect();
    past.remove(&today);
    // What is read for others with longer periods is not looked at: alone it would say the same.
    let past = past.split_off(&utc_day(back));
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
    let pace =
        if rolls { Vec::new() } else { pace(&past, spent, &left, first_ppm).map_err(wrong)? };
    Ok(Outlook { burnt, ahead, pace })
}

/// What counts against each of several scopes, by the UTC day: one statement for all. What nobody
/// is charged for counts only for the whole.
///
/// # Errors
/// A file of the window cannot be read, or is in another currency.
pub fn burns(
    books: &Books,
    cluster: &ClusterId,
    scopes: &[&Scope],
    (window, currency): (Window, Currency),
) -> Result<Vec<BTreeMap<Date, Money>>, ReportError> {
    let wanted = Wanted::of(scopes);
    let by = [Key::Day].into_iter().chain(wanted.keys()).collect();
    let query = StatementQuery { by, ..StatementQuery::of(cluster.clone(), window, currency) };
    let statement = statement(books, &query)?;
    let mut all = vec![BTreeMap::new(); scopes.len()];
    for row in statement.rows {
        let Some(day) = row.keys.first().and_then(|day| day.parse::<Date>().ok()) else { continue };
        let (team, labels) = wanted.read(&row.keys, &row.named);
        for (scope, days) in scopes.iter().zip(&mut all) {
            if !scope.holds(team.as_ref(), &labels) {
                continue;
            }
            let sum = days.entry(day).or_insert_with(|| Money::zero(currency));
            *sum = Money::checked_add(*sum, row.total)
                .map_err(|source| ReportError::Money { window, source })?;
        }
    }
    Ok(all)
}

/// The user of a process stands for the label of this name where there is none.
const USER: &str = "user";

/// What scopes look at.
struct Wanted {
    team: bool,
    labels: BTreeSet<String>,
}

impl Wanted {
    fn of(scopes: &[&Scope]) -> Self {
        let mut wanted = Self { team: false, labels: BTreeSet::new() };
        for condition in scopes.iter().flat_map(|scope| scope.conditions()) {
            match condition {
                Scope::Team(_) => wanted.team = true,
                Scope::Label(name, _) => {
                    wanted.labels.insert(name.clone());
                }
                Scope::All | Scope::Within(_) => {}
            }
        }
        wanted
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        keys.extend(self.team.then_some(Key::Team));
        keys.extend(self.labels.iter().map(|name| Key::Label(Arc::from(name.as_str()))));
        keys.extend(self.labels.contains(USER).then_some(Key::User));
        keys
    }

    /// Who a row is of, by the values of its keys after the day.
    fn read(&self, keys: &[String], named: &[bool]) -> (Option<TeamId>, BTreeMap<String, String>) {
        let mut values = keys.iter().zip(named).skip(1).map(|(key, named)| named.then_some(key));
        let team = if self.team { values.next().flatten() } else { None };
        let mut labels = BTreeMap::new();
        for name in &self.labels {
            if let Some(value) = values.next().flatten() {
                labels.insert(name.clone(), value.clone());
            }
        }
        if let Some(user) = values.next().flatten() {
            labels.entry(USER.to_owned()).or_insert_with(|| user.clone());
        }
        (team.and_then(|team| TeamId::new(team).ok()), labels)
    }
}
