//! Constants and texts of time. The only file that knows how long an hour, a month or a year is.

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp, tz::Offset};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// Nanoseconds in an hour.
pub const NANOS_PER_HOUR: i128 = 3_600 * NANOS_PER_SECOND;
/// Hours in a mean year (365.25 days); for spreading a purchase price.
pub const HOURS_PER_YEAR: i128 = 8_766;
/// Hours in a billing month as the clouds quote it (365 x 24 / 12).
pub const HOURS_PER_MONTH: i128 = 730;

/// The start of the UTC hour that holds `at`.
pub fn hour_floor(at: Timestamp) -> Timestamp {
    let nanos = at.as_nanosecond();
    // An earlier instant inside the same representable hour is always representable.
    Timestamp::from_nanosecond(nanos - nanos.rem_euclid(NANOS_PER_HOUR)).unwrap_or(Timestamp::MIN)
}

/// The UTC day that holds `at`.
pub fn utc_day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

/// The start of a UTC day; `None` at the ends of time.
pub fn midnight(day: Date) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok()
}

/// Reads a duration such as `90m`, `2h30m`, `120s`, `3d` or `500ms`; `None` when it is not one.
///
/// A unit is required: a bare number is refused, because it says nothing.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let nanos = match unit {
            "ms" => 1_000_000,
            "s" => NANOS_PER_SECOND,
            "m" | "min" => 60 * NANOS_PER_SECOND,
            "h" => NANOS_PER_HOUR,
            "d" => 24 * NANOS_PER_HOUR,
            "w" => 7 * 24 * NANOS_PER_HOUR,
            _ => return None,
        };
        let number: i128 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(nanos)?)?;
        rest = tail;
    }
    let seconds = i64::try_from(total / NANOS_PER_SECOND).ok()?;
    let nanos = i32::try_from(total % NANOS_PER_SECOND).ok()?;
    Some(SignedDuration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        let seconds = |text| parse_duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("90m"), Some(5_400));
        assert_eq!(seconds("2h30m"), Some(9_000));
        assert_eq!(seconds("120s"), Some(120));
        assert_eq!(seconds("3d"), Some(259_200));
        for bad in ["", "90", "m", "1.5h", "-5m", "5 m", "1y"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
