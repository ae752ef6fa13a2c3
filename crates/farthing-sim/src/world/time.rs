//! Time inside the world: nanoseconds since 1970 in 64 bits, which is enough until 2262.

use farthing_model::Window;
use jiff::{SignedDuration, Timestamp};

/// Nanoseconds in a minute.
pub(super) const MINUTE: i64 = 60_000_000_000;
/// Nanoseconds in an hour.
pub(super) const HOUR: i64 = 60 * MINUTE;

/// A moment in nanoseconds; one out of range is as far as can be.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// A length in nanoseconds; one out of range is as long as can be.
pub(super) fn length(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The moment of a number of nanoseconds.
pub(super) fn at(nanos: i64) -> Timestamp {
    // Every 64-bit number of nanoseconds is inside of what a timestamp can hold.
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}

/// The window between two moments; `None` where it is empty.
pub(super) fn window(from: i64, to: i64) -> Option<Window> {
    Window::new(at(from), at(to)).ok()
}

/// `planned`, or where that has passed, the next whole minute after it that is still to come.
pub(super) fn pushed(planned: i64, now: i64) -> i64 {
    if now < planned {
        return planned;
    }
    planned.saturating_add((now - planned) / MINUTE * MINUTE + MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_has_passed_is_pushed_by_minutes() {
        assert_eq!(pushed(100, 99), 100);
        assert_eq!(pushed(100, 100), 100 + MINUTE);
        assert_eq!(pushed(100, 99 + MINUTE), 100 + MINUTE);
        assert_eq!(pushed(100, 100 + MINUTE), 100 + 2 * MINUTE);
    }

    #[test]
    fn times_round_trip() {
        let moment: Timestamp = "2026-11-02T00:00:00.000000001Z".parse().unwrap();
        assert_eq!(at(nanos(moment)), moment);
        assert_eq!(nanos(Timestamp::MAX), i64::MAX);
        assert_eq!(window(5, 5), None);
    }
}
