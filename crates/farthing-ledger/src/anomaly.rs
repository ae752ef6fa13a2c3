//! What costs more than at the same hour of past weeks.
//!
//! An hour is compared with itself and its two neighbours on the same day of each of eight past
//! weeks, by their median and the median of how far they are from it, which one wild hour of the
//! past does not move. So a Friday that is always dear is no anomaly, and a night is not compared
//! with a noon. An anomaly is two hours in a row that are far above: a doubling is found within two
//! hours, and one odd hour is nothing. All in integers; refuses to know whose hours they are.

use crate::books::Books;
use crate::report::{Key, ReportError, StatementQuery, statement};
use farthing_model::{ClusterId, Currency, Money, MoneyError, Window, hour_floor};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Weeks that are looked back, and how many must be known before anything is said.
const WEEKS: i64 = 8;
const WEEKS_MIN: usize = 3;
/// Hours in a row.
const IN_A_ROW: i64 = 2;
/// How many times the usual distance an hour is above the usual.
const FAR: i128 = 4;
/// An hour is at least this part of the usual, in per cent: small steps of a steady load are none.
const PART: i128 = 150;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Hours that cost far more than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// The newest of the hours.
    pub hour: Timestamp,
    /// What it cost.
    pub spent: Money,
    /// What such an hour usually costs.
    pub usual: Money,
    /// From what on it is far above.
    pub bound: Money,
}

/// What is usual for an hour, and from what on an hour is far above; `None` where too few weeks are
/// known. `hours` has what each hour cost, 0 also; what is not in it is not known.
///
/// # Errors
/// The sums do not fit.
pub fn usual(
    hours: &BTreeMap<Timestamp, Money>,
    hour: Timestamp,
) -> Result<Option<(i128, i128)>, MoneyError> {
    let (mut like, mut weeks) = (Vec::new(), 0);
    for back in 1..=WEEKS {
        let back = i32::try_from(back).map_err(|_| MoneyError::Overflow)?;
        let Some(then) = WEEK.checked_mul(back).and_then(|back| hour.checked_sub(back).ok()) else {
            break;
        };
        weeks += usize::from(hours.contains_key(&then));
        let around = [then.checked_sub(HOUR), Ok(then), then.checked_add(HOUR)];
        let around = around.into_iter().flatten().filter_map(|hour| hours.get(&hour));
        like.extend(around.map(|money| money.pico()));
    }
    if weeks < WEEKS_MIN {
        return Ok(None);
    }
    let median = median(&mut like);
    let mut off: Vec<i128> = like.iter().map(|pico| (pico - median).abs()).collect();
    let off = self::median(&mut off);
    let far = off.checked_mul(FAR).and_then(|far| median.checked_add(far));
    let part = median.checked_mul(PART).ok_or(MoneyError::Overflow)?.div_euclid(100);
    Ok(Some((median, far.ok_or(MoneyError::Overflow)?.max(part))))
}

/// Whether the newest hours are an anomaly; `newest` is the start of the last whole hour.
///
/// # Errors
/// The sums do not fit.
pub fn anomaly(
    hours: &BTreeMap<Timestamp, Money>,
    newest: Timestamp,
) -> Result<Option<Anomaly>, MoneyError> {
    let mut found = None;
    for back in 0..IN_A_ROW {
        let Ok(hour) = newest.checked_sub(SignedDuration::from_hours(back)) else {
            return Ok(None);
        };
        let Some(spent) = hours.get(&hour) else { return Ok(None) };
        let Some((median, bound)) = usual(hours, hour)? else { return Ok(None) };
        if spent.pico() <= bound {
            return Ok(None);
        }
        let of = |pico| Money::from_pico(pico, spent.currency());
        found.get_or_insert(Anomaly { hour, spent: *spent, usual: of(median), bound: of(bound) });
    }
    Ok(found)
}

/// The anomalies of teams and of workloads: `team` or `workload`, its name, and what is odd.
///
/// # Errors
/// The books cannot be read, or the sums do not fit.
pub fn all_anomalies(
    books: (&Books, &ClusterId, Currency),
    now: Timestamp,
) -> Result<Vec<(&'static str, String, Anomaly)>, ReportError> {
    let mut all = Vec::new();
    for (of, key) in [("team", Key::Team), ("workload", Key::Workload)] {
        let found = anomalies(books, &key, now)?;
        all.extend(found.into_iter().map(|(name, odd)| (of, name, odd)));
    }
    Ok(all)
}

/// The anomalies of each value of a key, such as the team, in the last whole hours before `now`.
/// A value that spent nothing in an hour that the books have spent 0.
///
/// # Errors
/// The books cannot be read, or the sums do not fit.
pub fn anomalies(
    (books, cluster, currency): (&Books, &ClusterId, Currency),
    key: &Key,
    now: Timestamp,
) -> Result<BTreeMap<String, Anomaly>, ReportError> {
    let end = hour_floor(now);
    let from = end.checked_sub(SignedDuration::from_hours((WEEKS * 7 * 24) + IN_A_ROW + 1));
    let Ok(window) = Window::new(from.unwrap_or(Timestamp::MIN), end) else {
        return Ok(BTreeMap::new());
    };
    let by = vec![Key::Hour, key.clone()];
    let query = StatementQuery { by, ..StatementQuery::of(cluster.clone(), window, currency) };
    let rows = statement(books, &query)?.rows;
    let wrong = |source| ReportError::Money { window, source };
    let mut known = BTreeSet::new();
    let mut all: BTreeMap<String, BTreeMap<Timestamp, Money>> = BTreeMap::new();
    for row in rows {
        let hour = row.keys.first().and_then(|hour| hour.parse::<Timestamp>().ok());
        let (Some(hour), Some(value)) = (hour, row.keys.get(1)) else { continue };
        known.insert(hour);
        if !row.named.get(1).copied().unwrap_or(false) {
            continue;
        }
        let hours = all.entry(value.clone()).or_default();
        let sum = hours.entry(hour).or_insert_with(|| Money::zero(currency));
        *sum = Money::checked_add(*sum, row.total).map_err(wrong)?;
    }
    let newest = end.checked_sub(HOUR).unwrap_or(end);
    let mut found = BTreeMap::new();
    for (value, mut hours) in all {
        for hour in &known {
            hours.entry(*hour).or_insert_with(|| Money::zero(currency));
        }
        if let Some(anomaly) = anomaly(&hours, newest).map_err(wrong)? {
            found.insert(value, anomaly);
        }
    }
    Ok(found)
}

/// The middle of some numbers, of two middles the lower; 0 of none.
fn median(numbers: &mut [i128]) -> i128 {
    if numbers.is_empty() {
        return 0;
    }
    let middle = (numbers.len() - 1) / 2;
    *numbers.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten weeks of hours from a Monday on, in dollars.
    fn weeks(spent: impl Fn(i64, i64) -> i128) -> BTreeMap<Timestamp, Money> {
        let first: Timestamp = "2026-09-07T00:00:00Z".parse().unwrap();
        let hour = |hour: i64| {
            let at = first + SignedDuration::from_hours(hour);
            (at, Money::from_pico(spent(hour / 24, hour % 24) * 1_000_000_000, Currency::USD))
        };
        (0..70 * 24).map(hour).collect()
    }

    /// A day is quiet at night, and every Friday costs three times as much.
    fn pattern(day: i64, hour: i64) -> i128 {
        let base = if (8..20).contains(&hour) { 100 } else { 30 };
        let wobble = i128::from((day * 7 + hour * 13) % 11);
        (base + wobble) * if day % 7 == 4 { 3 } else { 1 }
    }

    fn found(hours: &BTreeMap<Timestamp, Money>) -> Vec<Timestamp> {
        let is = |hour: &Timestamp| anomaly(hours, *hour).unwrap().is_some();
        hours.keys().copied().filter(is).collect()
    }

    #[test]
    fn a_friday_that_is_always_dear_is_no_anomaly() {
        assert_eq!(found(&weeks(pattern)), []);
    }

    #[test]
    fn a_doubling_is_found_within_two_hours() {
        for start in [9, 13, 22] {
            let doubled = |day: i64, hour: i64| {
                let after = day > 64 || (day == 64 && hour >= start);
                pattern(day, hour) * if after { 2 } else { 1 }
            };
            let first = found(&weeks(doubled))[0];
            let begin: Timestamp = "2026-11-10T00:00:00Z".parse().unwrap();
            // It is seen at the end of the second hour: one begins with the doubling.
            assert_eq!(first, begin + SignedDuration::from_hours(start + 1));
        }
    }

    #[test]
    fn one_odd_hour_is_nothing_and_does_not_hide_what_comes_later() {
        let odd =
            |day: i64, hour: i64| pattern(day, hour) * if (day, hour) == (57, 12) { 50 } else { 1 };
        assert_eq!(found(&weeks(odd)), []);
        let both = |day: i64, hour: i64| {
            odd(day, hour) * if day == 64 && (11..14).contains(&hour) { 2 } else { 1 }
        };
        assert_eq!(found(&weeks(both)).len(), 2);
    }

    #[test]
    fn of_two_weeks_nothing_is_said() {
        let mut hours = weeks(pattern);
        let recent = hours.split_off(&"2026-11-02T00:00:00Z".parse().unwrap());
        assert_eq!(usual(&recent, "2026-11-15T12:00:00Z".parse().unwrap()), Ok(None));
    }
}
