//! Corrections: hours that were posted and then metered again, and what became of the sum.

use farthing_model::{Currency, Money, MoneyError, Window};
use jiff::Timestamp;
use std::fmt;

/// A posted hour that was metered again because its input was not what it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The UTC hour that was corrected.
    pub hour: Window,
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
    /// What it changed of what was paid.
    ///
    /// # Errors
    /// The difference does not fit.
    pub fn change(&self) -> Result<Money, MoneyError> {
        self.after.checked_sub(self.before)
    }

    /// One line of the footer; tabs apart.
    pub(super) fn to_line(&self) -> String {
        let why = self.why.replace(char::is_control, " ");
        format!("{}\t{}\t{}\t{why}\n", self.at, self.before.pico(), self.after.pico())
    }

    /// Reads what [`Correction::to_line`] wrote in the file of an hour.
    pub(super) fn from_line(line: &str, hour: Window, currency: Currency) -> Option<Self> {
        let mut parts = line.splitn(4, '\t');
        let at = parts.next()?.parse().ok()?;
        let mut money = || Some(Money::from_pico(parts.next()?.parse().ok()?, currency));
        let (before, after) = (money()?, money()?);
        Some(Self { hour, at, before, after, why: parts.next()?.to_owned() })
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, why, before, after, .. } = self;
        write!(out, "corrected at {at}: {why} ({before} before, {after} after)")
    }
}
