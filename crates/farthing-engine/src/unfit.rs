//! What can be claimed and settled at all, however much room there is.
//!
//! A record in the journal is for good, so that an amount which no budget can count is refused
//! before it is written: below zero, in another currency, or so large that sums would not fit.
//! Journals of older programs may hold such records all the same. They stay readable: what they say
//! is left out of sums, and named once in a note. This module does not know how much room there
//! is. Start at [`Unfit`].

use crate::claim::Ask;
use crate::journal::Open;
use farthing_model::{Currency, Limit, Money};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// The longest that a reservation of people and pipelines is held: a month. Who needs it for longer
/// asks again.
pub const HOLD_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);
/// The most whole units of a currency, and the most accelerator-hours, that anything is claimed,
/// spent or limited to at a time: more than all money there is, and a millionth of what fits.
pub const UNITS_MAX: u64 = 1_000_000_000_000_000;

const PICO: i128 = 1_000_000_000_000;
const AMOUNT_MAX_PICO: i128 = UNITS_MAX as i128 * PICO;
/// Where sums of claims end: parts of them in millionths still fit, beside all that is posted.
const SUM_MAX_PICO: i128 = AMOUNT_MAX_PICO * 10_000;
const GPU_MAX_MILLI: u64 = UNITS_MAX * 1_000;
/// Half of what fits, as what is posted is added to it.
const GPU_SUM_MAX_MILLI: u64 = u64::MAX / 2;
/// Records of one journal that are named.
const NAMED_MAX: usize = 100;
/// What notes on such records are about.
pub(crate) const ABOUT: &str = "claim";

/// Why something cannot be claimed or settled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Less than nothing.
    #[error("{0} is below zero: nothing or more can be reserved and spent")]
    Negative(Money),
    /// Another currency than that of the books.
    #[error("{0} is not in {1}: the budgets are in {1}")]
    Currency(Money, Currency),
    /// More than sums can hold.
    #[error(
        "{0} is more than can be counted: at most {UNITS_MAX} {currency}",
        currency = .0.currency()
    )]
    Large(Money),
    /// More accelerator time than sums can hold.
    #[error("that is more accelerator time than can be counted: at most {UNITS_MAX} GPU-hours")]
    GpuHours,
    /// A text with characters that move the cursor or end a line.
    #[error("{0} has the control character {1:?}: leave it out")]
    Control(&'static str, char),
}

impl Unfit {
    /// Looks at an amount.
    pub(crate) fn amount(amount: Money, currency: Currency) -> Result<(), Self> {
        if amount.currency() != currency {
            return Err(Self::Currency(amount, currency));
        }
        match amount.pico() {
            ..0 => Err(Self::Negative(amount)),
            0..=AMOUNT_MAX_PICO => Ok(()),
            _ => Err(Self::Large(amount)),
        }
    }

    /// Looks at all that is asked for.
    pub(crate) fn ask(ask: &Ask, currency: Currency) -> Result<(), Self> {
        Self::amount(ask.amount, currency)?;
        if ask.gpu_hours_milli > GPU_MAX_MILLI {
            return Err(Self::GpuHours);
        }
        let control = |text: &str| text.chars().find(|letter| letter.is_control());
        if let Some(letter) = control(&ask.what) {
            return Err(Self::Control("what it is for", letter));
        }
        let mut labels = ask.labels.iter().flat_map(|(key, value)| [key, value]);
        match labels.find_map(|text| control(text)) {
            Some(letter) => Err(Self::Control("a label", letter)),
            None => Ok(()),
        }
    }
}

/// Why a budget that is counted in `currency` cannot have a limit, if so.
pub(crate) fn no_limit(limit: Limit, currency: Currency) -> Option<String> {
    match limit {
        Limit::Money(money) => Unfit::amount(money, currency).err().map(|why| why.to_string()),
        Limit::GpuHoursMilli(milli) => (milli > GPU_MAX_MILLI).then(|| Unfit::GpuHours.to_string()),
    }
}

/// Whether an amount in a journal counts in books of a currency.
pub(crate) fn counts(amount: Money, currency: Currency) -> bool {
    amount.currency() == currency && !amount.is_negative()
}

/// The sum of amounts that count; where older records would not fit, it ends at the most that does.
pub(crate) fn sum(amounts: impl Iterator<Item = Money>, currency: Currency) -> Money {
    let counted = amounts.filter(|amount| counts(*amount, currency));
    let pico =
        counted.fold(0_i128, |sum, amount| sum.saturating_add(amount.pico()).min(SUM_MAX_PICO));
    Money::from_pico(pico, currency)
}

/// The same of thousandths of accelerator-hours.
pub(crate) fn sum_milli(amounts: impl Iterator<Item = u64>) -> u64 {
    amounts.fold(0_u64, |sum, milli| sum.saturating_add(milli).min(GPU_SUM_MAX_MILLI))
}

/// What an older program wrote that no budget can count.
#[derive(Clone, Debug, Default)]
pub struct Odd {
    /// Claims that were settled with an amount below zero, or in another currency than their own.
    settled: Vec<(String, Money)>,
    /// What was noted already.
    noted: BTreeSet<String>,
}

impl Odd {
    /// Takes what a claim was settled with.
    pub(crate) fn settled(&mut self, claim: &str, (spent, own): (Money, Money)) {
        let is_odd = spent.is_negative() || spent.currency() != own.currency();
        if is_odd && self.settled.len() < NAMED_MAX {
            self.settled.push((claim.to_owned(), spent));
        }
    }

    /// Takes a note.
    pub(crate) fn noted(&mut self, text: String) {
        self.noted.insert(text);
    }
}

impl Open {
    /// What the journal holds that budgets in a currency cannot count, and that was not noted yet.
    pub(crate) fn odd(&self, currency: Currency) -> Vec<String> {
        let odd = |amount: &Money| !counts(*amount, currency);
        let settled = self.odd.settled.iter().filter(|(_, spent)| odd(spent));
        let settled = settled.map(|(claim, spent)| {
            format!("reservation {claim} was settled with {spent}, which no budget counts")
        });
        let held = self.claims.values().filter(|claim| odd(&claim.ask.amount));
        let held = held.take(NAMED_MAX).map(|claim| {
            format!("reservation {} is of {}, which no budget counts", claim.id, claim.ask.amount)
        });
        settled.chain(held).filter(|text| !self.odd.noted.contains(text)).collect()
    }
}

#[cfg(test)]
mod tests;
