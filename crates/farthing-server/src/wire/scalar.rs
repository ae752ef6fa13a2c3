//! The forms of single values.

use farthing_model::{Decimal, Ratio, Window};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::time::Duration;

/// A half-open span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WindowJson {
    /// First instant inside, RFC 3339.
    pub from: String,
    /// First instant after, RFC 3339.
    pub to: String,
}

impl From<Window> for WindowJson {
    fn from(window: Window) -> Self {
        Self { from: time(window.from()), to: time(window.to()) }
    }
}

/// RFC 3339 in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
}

/// A ratio as a number with at most six decimals: a millionth is the shortest text of its float.
pub(crate) fn ratio(ratio: Ratio) -> f64 {
    f64::from(ratio.ppm()) / 1e6
}

/// Parts per million as a ratio.
pub(crate) fn ppm(parts: u32) -> f64 {
    f64::from(parts) / 1e6
}

/// Seconds, to the nanosecond.
pub(crate) fn seconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64()
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Hours of a unit of `size` to nine decimals, from 10^-9 seconds of one (byte, core, GPU).
pub(crate) fn hours(nano: i128, size: i128) -> f64 {
    /// Seconds in an hour.
    const HOUR: i128 = 3_600;
    let whole = HOUR * size;
    decimal(Decimal::from_nano((nano + whole / 2).div_euclid(whole)))
}

/// A decimal as a number.
pub(crate) fn decimal(value: Decimal) -> f64 {
    float(value.nano()) / 1e9
}

/// For numbers that people and charts read; nothing is computed from the result.
#[allow(clippy::cast_precision_loss, reason = "15 digits are more than any reader needs")]
fn float(value: i128) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_stated_decimals() {
        let json = |value: f64| serde_json::to_string(&value).unwrap();
        assert_eq!(json(ratio(Ratio::from_ppm(856_449))), "0.856449");
        assert_eq!(json(ratio(Ratio::from_ppm(1))), "1e-6");
        assert_eq!(json(ratio(Ratio::from_ppm(1_100_000))), "1.1");
        assert_eq!(json(millis(Duration::from_nanos(1_234_567))), "1.235");
        assert_eq!(json(seconds(SignedDuration::from_millis(1_500))), "1.5");
        assert_eq!(json(hours(3_600_000_000_000, 1)), "1.0");
        assert_eq!(json(hours(1_800, 1)), "1e-9");
        assert_eq!(json(hours(123_456_789_000, 1)), "0.034293553");
        assert_eq!(json(hours((1 << 30) * 900_000_000_000, 1 << 30)), "0.25");
    }
}
