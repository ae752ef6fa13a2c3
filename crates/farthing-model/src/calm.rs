//! Spans of the week in which work may be disturbed: `mon-fri 20:00-06:00`, in UTC.

use jiff::Timestamp;
use std::{fmt, str::FromStr};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_S: i64 = 86_400;

/// A span of some days of each week. It belongs to the day that it begins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekSpan {
    /// The first and the last day, from Monday = 0; the last may be before the first.
    days: (u8, u8),
    /// From when to when, in minutes of the day. Where the end is not after the beginning it is of
    /// the next day.
    minutes: (u16, u16),
}

/// A text that is no span of the week.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write it like `mon-fri 20:00-06:00` or `sun 00:00-24:00`, in UTC")]
pub struct WeekSpanError;

impl WeekSpan {
    /// Whether a moment is in it.
    pub fn contains(self, at: Timestamp) -> bool {
        let (today, second) = parts(at);
        [0, 1].into_iter().any(|back| {
            let (from, to) = self.seconds();
            let second = second + back * DAY_S;
            self.is_on(today - back) && from <= second && second < to
        })
    }

    /// When it begins next after a moment.
    pub fn next(self, at: Timestamp) -> Option<Timestamp> {
        let (today, second) = parts(at);
        let midnight = at.as_second() - second;
        (0..=7).find_map(|ahead| {
            let begins = midnight + ahead * DAY_S + self.seconds().0;
            let is_next = self.is_on(today + ahead) && begins > at.as_second();
            is_next.then(|| Timestamp::from_second(begins).ok())?
        })
    }

    fn is_on(self, day: i64) -> bool {
        let (first, last) = (i64::from(self.days.0), i64::from(self.days.1));
        let span = (last - first).rem_euclid(7);
        (day - first).rem_euclid(7) <= span
    }

    /// Seconds from the midnight before it.
    fn seconds(self) -> (i64, i64) {
        let (from, to) = (i64::from(self.minutes.0), i64::from(self.minutes.1));
        let to = if to <= from { to + 24 * 60 } else { to };
        (from * 60, to * 60)
    }
}

/// The day since a Monday, and the second of it.
fn parts(at: Timestamp) -> (i64, i64) {
    let seconds = at.as_second();
    // 1970-01-01 was a Thursday.
    (seconds.div_euclid(DAY_S) + 3, seconds.rem_euclid(DAY_S))
}

impl FromStr for WeekSpan {
    type Err = WeekSpanError;

    fn from_str(text: &str) -> Result<Self, WeekSpanError> {
        let (days, times) = text.trim().split_once(' ').ok_or(WeekSpanError)?;
        let day = |name: &str| {
            let found = DAYS.iter().position(|day| name.eq_ignore_ascii_case(day));
            found.and_then(|day| u8::try_from(day).ok()).ok_or(WeekSpanError)
        };
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (from, to) = times.trim().split_once('-').ok_or(WeekSpanError)?;
        let minutes = (minute(from)?, minute(to)?);
        if minutes.0 == 24 * 60 {
            return Err(WeekSpanError);
        }
        Ok(Self { days: (day(first)?, day(last)?), minutes })
    }
}

/// A minute of the day; `24:00` is its end.
fn minute(text: &str) -> Result<u16, WeekSpanError> {
    let (hour, minute) = text.trim().split_once(':').ok_or(WeekSpanError)?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).ok_or(WeekSpanError)
    };
    let (hour, minute): (u16, u16) = (number(hour)?, number(minute)?);
    let all = hour * 60 + minute;
    if minute < 60 && all <= 24 * 60 { Ok(all) } else { Err(WeekSpanError) }
}

impl fmt::Display for WeekSpan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |day: u8| DAYS[usize::from(day) % DAYS.len()];
        let (first, last) = self.days;
        write!(out, "{}", day(first))?;
        if last != first {
            write!(out, "-{}", day(last))?;
        }
        let (from, to) = self.minutes;
        write!(out, " {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check(span: &str, inside: &[&str], outside: &[(&str, &str)]) {
        let read: WeekSpan = span.parse().unwrap();
        assert_eq!(read.to_string(), span);
        for moment in inside {
            assert!(read.contains(at(moment)), "{span}: {moment}");
        }
        for (moment, next) in outside {
            assert!(!read.contains(at(moment)), "{span}: {moment}");
            assert_eq!(read.next(at(moment)), Some(at(next)), "{span}: {moment}");
        }
    }

    /// 2026-11-27 is a Friday.
    #[test]
    fn a_span_is_of_the_day_that_it_begins_on() {
        check(
            "mon-fri 20:00-06:00",
            &["2026-11-27T20:00:00Z", "2026-11-28T05:59:59Z", "2026-11-24T01:00:00Z"],
            &[
                ("2026-11-27T19:59:59Z", "2026-11-27T20:00:00Z"),
                ("2026-11-28T06:00:00Z", "2026-11-30T20:00:00Z"),
                ("2026-11-29T21:00:00Z", "2026-11-30T20:00:00Z"),
                ("2026-11-23T03:00:00Z", "2026-11-23T20:00:00Z"),
            ],
        );
        check(
            "sat-sun 00:00-24:00",
            &["2026-11-28T00:00:00Z", "2026-11-29T23:59:59Z"],
            &[("2026-11-30T00:00:00Z", "2026-12-05T00:00:00Z")],
        );
        check(
            "sun-mon 12:30-13:00",
            &["2026-11-29T12:30:00Z", "2026-11-30T12:59:00Z"],
            &[("2026-12-01T12:45:00Z", "2026-12-06T12:30:00Z")],
        );
    }

    #[test]
    fn what_is_no_span_is_told_how_to_write_it() {
        for wrong in [
            "",
            "mon",
            "mon 20-22",
            "mon 20:00",
            "day 20:00-22:00",
            "mon 20:60-22:00",
            "mon 24:01-25:00",
            "mon 24:00-06:00",
            "mon 9:00-10:00",
            "mon-xyz 09:00-10:00",
        ] {
            let error = wrong.parse::<WeekSpan>().unwrap_err().to_string();
            assert!(error.contains("mon-fri 20:00-06:00"), "{wrong}");
        }
    }
}
