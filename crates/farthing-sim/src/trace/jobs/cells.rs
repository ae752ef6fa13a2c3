//! The cells of a row, whatever the file is written as.
//!
//! Numbers of files may be floats (hours since a start): they are rounded to whole seconds here and
//! nowhere else.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// A cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::trace) enum Cell {
    /// Nothing there.
    #[default]
    Missing,
    /// A whole number.
    Whole(i64),
    /// Another number.
    Real(f64),
    /// Microseconds since 1970.
    Micros(i64),
    /// Anything else.
    Text(String),
}

/// The cells of the columns that were asked for.
#[derive(Debug)]
pub(in crate::trace) struct Cells {
    pub(in crate::trace) names: Vec<&'static str>,
    pub(in crate::trace) values: Vec<Cell>,
}

impl Cells {
    /// Whether there is something in a column.
    pub(in crate::trace) fn has(&self, at: usize) -> bool {
        match &self.values[at] {
            Cell::Missing => false,
            Cell::Text(text) => !text.trim().is_empty(),
            _ => true,
        }
    }

    /// The text of a column, without spaces around it; empty where it has none.
    pub(in crate::trace) fn text(&self, at: usize) -> &str {
        match &self.values[at] {
            Cell::Text(text) => text.trim(),
            _ => "",
        }
    }

    /// A name of any form.
    pub(in crate::trace) fn name(&self, at: usize) -> Option<String> {
        match &self.values[at] {
            Cell::Whole(number) => Some(number.to_string()),
            Cell::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    /// A whole number in a column.
    pub(in crate::trace) fn whole(&self, at: usize, kind: &str) -> Result<i64, String> {
        self.rounded(at, (1, kind), |rest| rest.abs() < f64::EPSILON)
    }

    /// Seconds, of a column in units of so many seconds, rounded to the nearest one.
    pub(in crate::trace) fn seconds(&self, at: usize, unit_s: i64) -> Result<i64, String> {
        let kind = if unit_s == 1 { "a number of seconds" } else { "a number of hours" };
        self.rounded(at, (unit_s, kind), |_| true)
    }

    /// A number in so many parts of its unit, rounded to the nearest one.
    pub(in crate::trace) fn scaled(
        &self,
        at: usize,
        parts: (i64, &str),
    ) -> Result<i64, String> {
        self.rounded(at, parts, |_| true)
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "seconds below 10^15"
    )]
    fn rounded(
        &self,
        at: usize,
        (unit, kind): (i64, &str),
        may_lose: impl Fn(f64) -> bool,
    ) -> Result<i64, String> {
        const MOST: f64 = 1e15;
        let wrong = |text: &str| format!("{} `{text}` is not {kind}", self.names[at]);
        let real = match &self.values[at] {
            Cell::Missing => return Err(format!("{} is missing", self.names[at])),
            Cell::Whole(number) => {
                return number.checked_mul(unit).ok_or_else(|| wrong(&number.to_string()));
            }
            Cell::Micros(micros) => return Err(wrong(&micros.to_string())),
            Cell::Real(real) => *real,
            Cell::Text(text) => {
                if let Some(number) =
                    text.trim().parse::<i64>().ok().and_then(|n| n.checked_mul(unit))
                {
                    return Ok(number);
                }
                text.trim().parse::<f64>().map_err(|_| wrong(text))?
            }
        };
        let scaled = real * unit as f64;
        if !scaled.is_finite() || scaled.abs() > MOST || !may_lose(scaled.fract()) {
            return Err(wrong(&real.to_string()));
        }
        Ok(scaled.round() as i64)
    }

    /// A moment, in seconds since 1970: a time of a calendar, in UTC where it does not say
    /// otherwise, or seconds.
    pub(in crate::trace) fn moment(&self, at: usize) -> Result<i64, String> {
        match &self.values[at] {
            Cell::Micros(micros) => Ok(micros.div_euclid(1_000_000)),
            Cell::Text(text) if text.contains('-') && !text.trim().starts_with('-') => {
                read_moment(text.trim())
                    .ok_or_else(|| format!("{} `{text}` is not a time", self.names[at]))
            }
            _ => self.seconds(at, 1),
        }
    }
}

fn read_moment(text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_second());
    }
    let civil = text.parse::<DateTime>().ok()?;
    Some(jiff::tz::Offset::UTC.to_timestamp(civil).ok()?.as_second())
}
