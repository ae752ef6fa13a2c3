//! Times of samples: milliseconds since 1970, from either unit.

use super::{What, shown};

/// The unit that a file's times are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Whatever its first time says: a number with a point, or below 10^11, is of seconds (the year
    /// 5138), a larger one of milliseconds (from 1973 on). No measurement lies on the other side.
    #[default]
    Either,
    /// Seconds with decimals: `OpenMetrics`.
    Seconds,
    /// Whole milliseconds: the Prometheus text format.
    Millis,
}

/// Below this a whole number is of seconds.
const SECONDS_BELOW: i64 = 100_000_000_000;
/// 2000-01-01: nothing that writes metrics is older.
const EARLIEST_MS: i64 = 946_684_800_000;
/// 2100-01-01.
const LATEST_MS: i64 = 4_102_444_800_000;

impl TimeUnit {
    /// Reads a time in milliseconds.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_as(mut self, text: &[u8]) -> Result<i64, What> {
        self.read(text)
    }

    /// Reads a time in milliseconds and settles the unit where it was open.
    ///
    /// # Errors
    /// Not a time, or one before 2000 or after 2100.
    pub fn read(&mut self, text: &[u8]) -> Result<i64, What> {
        let not_a_time = || What::Time(shown(text));
        let (whole, point) = match whole_number(text) {
            Some(whole) => (whole, false),
            None => (0, true),
        };
        let unit = match *self {
            Self::Either if point || whole < SECONDS_BELOW => Self::Seconds,
            Self::Either => Self::Millis,
            settled => settled,
        };
        let millis = match unit {
            _ if point => match super::number::read(text, 3) {
                Some(super::number::Reading::Value(millis)) if unit == Self::Seconds => {
                    i64::try_from(millis).map_err(|_| not_a_time())?
                }
                _ => return Err(not_a_time()),
            },
            Self::Seconds => whole.checked_mul(1_000).ok_or_else(not_a_time)?,
            _ => whole,
        };
        let why = if millis < EARLIEST_MS {
            "before 2000: is it in another unit than the first of this file?"
        } else if millis >= LATEST_MS {
            "after 2100: is it in another unit than the first of this file?"
        } else {
            *self = unit;
            return Ok(millis);
        };
        Err(What::Implausible { text: shown(text), why })
    }
}

/// A whole number of at most 18 digits.
fn whole_number(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0_i64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}
