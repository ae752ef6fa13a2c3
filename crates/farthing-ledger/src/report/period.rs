//! Spans of time as people write them, to half-open windows of UTC.
//!
//! ```text
//! 90m  24h  7d                     that long, up to now
//! today  yesterday                 the UTC day
//! week  lastweek                   Monday to Monday
//! month  lastmonth                 the calendar month
//! 2026-03-01  2026-03              that day, that month
//! A,B  or  A/B                     from A up to, not including, B: RFC 3339 times, days (their
//!                                  start), seconds since 1970, or `now` as B
//! ```

use farthing_model::{Window, midnight, parse_duration, utc_day};
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

/// Why a text is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Not one of the forms.
    #[error("`{0}` is not a span of time: {PERIODS}")]
    Syntax(String),
    /// One end of a pair cannot be read.
    #[error("`{0}` is not a time: write it like 2026-03-01T10:00:00Z or 2026-03-01")]
    Time(String),
    /// It is empty, runs backwards, or does not fit.
    #[error("`{0}` is empty: a span ends after it starts")]
    Empty(String),
}

/// The forms, for messages.
pub const PERIODS: &str = "write it like 90m, 24h, 7d, today, yesterday, week, lastweek, month, \
                           lastmonth, 2026-03-01, 2026-03, or A,B with two times or days";

/// Reads a span of time, as of `now`.
///
/// # Errors
/// It is not one, or it is empty.
pub fn period(text: &str, now: Timestamp) -> Result<Window, PeriodError> {
    let text = text.trim();
    let empty = || PeriodError::Empty(text.to_owned());
    if let Some((from, to)) = text.split_once([',', '/']) {
        let from = instant(from)?;
        let to = if to.trim() == "now" { now } else { instant(to)? };
        return Window::new(from, to).map_err(|_| empty());
    }
    if let Some(length) = parse_duration(text) {
        let from = now.checked_sub(length).map_err(|_| empty())?;
        return Window::new(from, now).map_err(|_| empty());
    }
    let (from, to) = days(text, now).ok_or_else(|| PeriodError::Syntax(text.to_owned()))?;
    let (from, to) = midnight(from).zip(midnight(to)).ok_or_else(empty)?;
    Window::new(from, to).map_err(|_| empty())
}

/// The first day of a named span, and the one after its last.
fn days(text: &str, now: Timestamp) -> Option<(Date, Date)> {
    let today = utc_day(now);
    let later = |day: Date, days: i64| day.checked_add(Span::new().days(days)).ok();
    let month_from = |first: Date, months: i64| {
        let from = first.checked_add(Span::new().months(months)).ok()?;
        Some((from, from.checked_add(Span::new().months(1)).ok()?))
    };
    let monday = later(today, -i64::from(today.weekday().to_monday_zero_offset()))?;
    Some(match text.to_ascii_lowercase().replace(['-', '_', ' '], "").as_str() {
        "today" => (today, later(today, 1)?),
        "yesterday" => (later(today, -1)?, today),
        "week" | "thisweek" => (monday, later(monday, 7)?),
        "lastweek" => (later(monday, -7)?, monday),
        "month" | "thismonth" => month_from(today.first_of_month(), 0)?,
        "lastmonth" => month_from(today.first_of_month(), -1)?,
        _ if text.len() == 7 => month_from(format!("{text}-01").parse::<Date>().ok()?, 0)?,
        _ if text.len() == 10 => {
            let day: Date = text.parse().ok()?;
            (day, later(day, 1)?)
        }
        _ => return None,
    })
}

/// A time, the start of a day, or seconds since 1970.
fn instant(text: &str) -> Result<Timestamp, PeriodError> {
    let text = text.trim();
    let wrong = || PeriodError::Time(text.to_owned());
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let second = text.parse().map_err(|_| wrong())?;
        return Timestamp::from_second(second).map_err(|_| wrong());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    // Without a zone it is UTC; a zone that cannot be read is not dropped.
    let has_zone = text.get(10..).is_some_and(|rest| rest.contains(['+', '-', '[', 'Z', 'z']));
    if has_zone {
        return Err(wrong());
    }
    let at = text.parse::<DateTime>().map_err(|_| wrong())?;
    Offset::UTC.to_timestamp(at).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        // A Thursday.
        let now = "2026-03-05T13:37:11Z".parse().unwrap();
        let found = period(text, now).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(found.to_string(), expected, "{text}");
    }

    #[test]
    fn spans_mean_what_they_say() {
        check("24h", "2026-03-04T13:37:11Z/2026-03-05T13:37:11Z");
        check("7d", "2026-02-26T13:37:11Z/2026-03-05T13:37:11Z");
        check("today", "2026-03-05T00:00:00Z/2026-03-06T00:00:00Z");
        check("yesterday", "2026-03-04T00:00:00Z/2026-03-05T00:00:00Z");
        check("week", "2026-03-02T00:00:00Z/2026-03-09T00:00:00Z");
        check("lastweek", "2026-02-23T00:00:00Z/2026-03-02T00:00:00Z");
        check("month", "2026-03-01T00:00:00Z/2026-04-01T00:00:00Z");
        check("last-month", "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z");
        check("2026-02-28", "2026-02-28T00:00:00Z/2026-03-01T00:00:00Z");
        check("2024-02", "2024-02-01T00:00:00Z/2024-03-01T00:00:00Z");
        check("2026-03-01,2026-03-03", "2026-03-01T00:00:00Z/2026-03-03T00:00:00Z");
        check("2026-03-01T10:00:00Z/now", "2026-03-01T10:00:00Z/2026-03-05T13:37:11Z");
        let east = "2026-03-01T10:00:00+02:00,2026-03-01T12:00";
        check(east, "2026-03-01T08:00:00Z/2026-03-01T12:00:00Z");
        check("1772359200,1772362800", "2026-03-01T10:00:00Z/2026-03-01T11:00:00Z");
    }

    #[test]
    fn what_is_not_a_span_is_refused_with_what_would_be() {
        let message = |text: &str| {
            let now = "2026-03-05T13:37:11Z".parse().unwrap();
            period(text, now).unwrap_err().to_string()
        };
        for text in ["", "7", "tomorow", "2026-13", "2026-02-30", "7 days"] {
            assert!(message(text).starts_with(&format!("`{text}` is not a span of time: write")));
        }
        assert!(message("2026-03-02,x").starts_with("`x` is not a time"));
        let backwards = "2026-03-02,2026-03-01";
        assert_eq!(
            message(backwards),
            format!("`{backwards}` is empty: a span ends after it starts")
        );
    }
}
