//! Quantities and prices with the unit in the type.
//!
//! A rate of one unit times a quantity of another does not compile:
//!
//! ```compile_fail
//! use farthing_model::{CoreSeconds, Currency, GpuSeconds, Money, Quantity, Rate};
//! let price: Rate<GpuSeconds> = Rate::per_unit(Money::zero(Currency::USD));
//! let used: Quantity<CoreSeconds> = Quantity::from_nano(1);
//! price.charge(used);
//! ```

use crate::money::{Money, MoneyError};
use crate::split::mul_div_rem;
use std::{fmt, marker::PhantomData};

/// Parts of a whole unit that a [`Quantity`] keeps.
const NANO: i128 = 1_000_000_000;

/// A unit that can be measured and priced.
pub trait Unit: Copy {
    /// How the unit is written after a number.
    const SYMBOL: &'static str;
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {}

        impl Unit for $name {
            const SYMBOL: &'static str = $symbol;
        }
    )+};
}

units! {
    /// One accelerator for one second.
    GpuSeconds = "GPU-s";
    /// One CPU core for one second.
    CoreSeconds = "core-s";
    /// One byte of memory or disk for one second.
    ByteSeconds = "B-s";
    /// One token of a language model.
    Tokens = "tokens";
    /// One joule of energy.
    Joules = "J";
}

/// An exact amount of one unit, in 10^-9 parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity<U: Unit> {
    nano: i128,
    unit: PhantomData<U>,
}

/// Why a quantity could not be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Sum or product too large.
    #[error("a quantity does not fit")]
    Overflow,
    /// A measured quantity below zero.
    #[error("a quantity of {0} is below zero")]
    Negative(i128),
}

impl<U: Unit> Quantity<U> {
    /// Nothing.
    pub const ZERO: Self = Self { nano: 0, unit: PhantomData };

    /// From 10^-9 parts of the unit.
    pub const fn from_nano(nano: i128) -> Self {
        Self { nano, unit: PhantomData }
    }

    /// From whole units.
    pub const fn from_whole(whole: i64) -> Self {
        Self::from_nano(whole as i128 * NANO)
    }

    /// In 10^-9 parts of the unit.
    pub const fn nano(self) -> i128 {
        self.nano
    }

    /// Sum.
    ///
    /// # Errors
    /// Overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        self.nano.checked_add(other.nano).map(Self::from_nano).ok_or(QuantityError::Overflow)
    }
}

impl<U: Unit> fmt::Debug for Quantity<U> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl<U: Unit> fmt::Display for Quantity<U> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = crate::decimal::scaled_to_string(self.nano, 9, 0);
        out.pad(&format!("{number} {}", U::SYMBOL))
    }
}

/// A price per one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate<U: Unit> {
    per_unit: Money,
    unit: PhantomData<U>,
}

impl<U: Unit> Rate<U> {
    /// A price for one whole unit.
    pub const fn per_unit(per_unit: Money) -> Self {
        Self { per_unit, unit: PhantomData }
    }

    /// The mean price of `quantity` units that cost `cost` together, rounded down to 10^-12, or
    /// `None` for no units. `$ / 1M tokens` is a million times this before rounding: see
    /// [`Rate::mean_per`].
    pub fn mean(cost: Money, quantity: Quantity<U>) -> Option<Self> {
        Self::mean_per(cost, quantity, 1).map(Self::per_unit)
    }

    /// What `units` whole units cost when `quantity` cost `cost`: `cost x units / quantity`,
    /// rounded down to 10^-12. `None` for no quantity, negative amounts or overflow.
    pub fn mean_per(cost: Money, quantity: Quantity<U>, units: u32) -> Option<Money> {
        let cost_pico = u128::try_from(cost.pico()).ok()?;
        let quantity = u128::try_from(quantity.nano).ok().filter(|nano| *nano > 0)?;
        let units = u128::from(units) * NANO.unsigned_abs();
        let (pico, _) = mul_div_rem(cost_pico, units, quantity)?;
        Some(Money::from_pico(i128::try_from(pico).ok()?, cost.currency()))
    }

    /// What `quantity` costs, rounded down to 10^-12, and the rest in 10^-21 parts.
    ///
    /// Ledger rows are never made this way: they split a whole. This is for quotes.
    ///
    /// # Errors
    /// Overflow.
    pub fn charge(self, quantity: Quantity<U>) -> Result<(Money, i128), MoneyError> {
        let product =
            self.per_unit.pico().checked_mul(quantity.nano).ok_or(MoneyError::Overflow)?;
        let money = Money::from_pico(product.div_euclid(NANO), self.per_unit.currency());
        Ok((money, product.rem_euclid(NANO)))
    }

    /// The price of one whole unit.
    pub const fn price(self) -> Money {
        self.per_unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    /// The seeds' arithmetic, case 4: 300 output and 3,000 input tokens/s on $670.08 a day.
    #[test]
    fn dollars_per_million_tokens() {
        let cost = Money::from_decimal("670.08", Currency::USD).unwrap();
        let tokens = Quantity::<Tokens>::from_whole(3_300 * 86_400);
        let per_million = Rate::mean_per(cost, tokens, 1_000_000).unwrap();
        assert_eq!(per_million.rounded(3), "2.350");
        let sold = Money::from_decimal("2.80", Currency::USD).unwrap();
        let margin_per_mille = sold.checked_sub(per_million).unwrap().pico() * 1_000 / sold.pico();
        assert_eq!(margin_per_mille, 160, "16.07 %, printed as 16.1 %");
    }

    #[test]
    fn a_quote_keeps_its_rest() {
        let rate = Rate::<Joules>::per_unit(Money::from_pico(3, Currency::USD));
        let (money, rest) = rate.charge(Quantity::from_nano(1_500_000_000)).unwrap();
        assert_eq!((money.pico(), rest), (4, 500_000_000));
    }
}
