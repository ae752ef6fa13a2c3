//! Corrections: hours that were posted and then metered again, and what became of the sum.

use farthing_model::{Currency, Money};
use jiff::Timestamp;
use std::fmt;

/// A posted hour that was metered again because its input was not what it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// When it was corrected.
    pub at: Timestamp,
    /// Why: late samples, another price; in one line.
    pub why: String,
    /// What was paid in the hour before.
    pub before: Money,
    /// What was paid after.
    pub after: Money,
}

impl Correction {
    /// One line of the footer; tabs apart.
    pub(super) fn to_line(&self) -> String {
        let why = self.why.replace(char::is_control, " ");
        format!("{}\t{}\t{}\t{why}\n", self.at, self.before.pico(), self.after.pico())
    }

    /// Reads what [`Correction::to_line`] wrote.
    pub(super) fn from_line(line: &str, currency: Currency) -> Option<Self> {
        let mut parts = line.splitn(4, '\t');
        let at = parts.next()?.parse().ok()?;
        let mut money = || Some(Money::from_pico(parts.next()?.parse().ok()?, currency));
        let (before, after) = (money()?, money()?);
        Some(Self { at, before, after, why: parts.next()?.to_owned() })
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, why, before, after } = self;
        write!(out, "corrected at {at}: {why} ({before} before, {after} after)")
    }
}
