//! Integer money: 10^-12 of one currency, the scale of the ledger's `Decimal128(38,12)`.

use crate::decimal::{DecimalError, parse_scaled, scaled_to_string};
use std::{cmp::Ordering, fmt, str::FromStr};

/// Decimal places of [`Money`].
const PLACES: u32 = 12;

/// An ISO 4217 currency code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The United States dollar, the currency of nearly every public price list.
    pub const USD: Self = Self(*b"USD");

    /// Accelerator-hours, which budgets in that unit are planned in: an amount that is counted as
    /// money is and adds to no money. No text is read as this currency.
    pub const GPU_HOURS: Self = Self(*b"gph");

    /// The code, such as `USD`.
    pub fn code(&self) -> &str {
        if *self == Self::GPU_HOURS {
            return "GPU-hours";
        }
        // The bytes are ASCII letters by construction.
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(MoneyError::Currency(text.to_owned())),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

/// An exact amount of one currency in units of 10^-12.
///
/// Two currencies never add, there is no product with a float and none from one; division exists
/// only as [`Money::div_rem`], which returns what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    pico: i128,
    currency: Currency,
}

/// Why an amount could not be read or computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amounts are of two currencies.
    #[error("{0} and {1} do not add: convert one of them first")]
    Mixed(Currency, Currency),
    /// The sum is beyond 38 decimal digits.
    #[error("the amount does not fit into 38 decimal digits")]
    Overflow,
    /// The text has no currency.
    #[error("`{0}` has no currency: write it like 12.34 USD")]
    NoCurrency(String),
    /// Not an ISO 4217 code.
    #[error("`{0}` is not a currency code such as USD or EUR")]
    Currency(String),
    /// Not a number.
    #[error(transparent)]
    Number(DecimalError),
    /// The rate has no unit, or another one than expected.
    #[error("`{0}` has no unit of time: write it like 3.90 USD/h")]
    NoUnit(String),
    /// Division by zero.
    #[error("an amount cannot be divided by zero")]
    DivisionByZero,
}

impl Money {
    /// No money, in a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { pico: 0, currency }
    }

    /// From units of 10^-12.
    pub const fn from_pico(pico: i128, currency: Currency) -> Self {
        Self { pico, currency }
    }

    /// From a decimal number such as `12.34`.
    ///
    /// # Errors
    /// Not a number, more than 12 places, or too large.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let pico = parse_scaled(text, PLACES).map_err(MoneyError::Number)?;
        Ok(Self { pico, currency })
    }

    /// The amount in units of 10^-12.
    pub const fn pico(self) -> i128 {
        self.pico
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is zero.
    pub const fn is_zero(self) -> bool {
        self.pico == 0
    }

    /// Whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.pico < 0
    }

    /// Sum.
    ///
    /// # Errors
    /// Two currencies, or overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        let pico = self.pico.checked_add(other.pico).ok_or(MoneyError::Overflow)?;
        Ok(Self { pico, ..self })
    }

    /// Difference.
    ///
    /// # Errors
    /// Two currencies, or overflow.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        let pico = self.pico.checked_sub(other.pico).ok_or(MoneyError::Overflow)?;
        Ok(Self { pico, ..self })
    }

    /// Product with a whole number, such as a count of nodes.
    ///
    /// # Errors
    /// Overflow.
    pub fn checked_mul_int(self, factor: i128) -> Result<Self, MoneyError> {
        let pico = self.pico.checked_mul(factor).ok_or(MoneyError::Overflow)?;
        Ok(Self { pico, ..self })
    }

    /// Quotient towards minus infinity, and the remainder: `self = quotient x divisor + rest`
    /// with `0 <= rest < |divisor|`.
    ///
    /// # Errors
    /// The divisor is zero.
    pub fn div_rem(self, divisor: i128) -> Result<(Self, Self), MoneyError> {
        if divisor == 0 {
            return Err(MoneyError::DivisionByZero);
        }
        let quotient = Self { pico: self.pico.div_euclid(divisor), ..self };
        let rest = Self { pico: self.pico.rem_euclid(divisor), ..self };
        Ok((quotient, rest))
    }

    /// Sum of many amounts of one currency.
    ///
    /// # Errors
    /// Two currencies, or overflow.
    pub fn sum(
        amounts: impl IntoIterator<Item = Self>,
        currency: Currency,
    ) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    /// Order of two amounts of one currency; `None` for two currencies.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        (self.currency == other.currency).then(|| self.pico.cmp(&other.pico))
    }

    /// The exact number without the currency, such as `12.34`; for machines.
    pub fn to_decimal(self) -> String {
        scaled_to_string(self.pico, PLACES, 2)
    }

    /// The number rounded half away from zero to `places`, without the currency; for people.
    pub fn rounded(self, places: u32) -> String {
        let places = places.min(PLACES);
        let unit = 10_i128.pow(PLACES - places);
        let half = if self.pico < 0 { -(unit / 2) } else { unit / 2 };
        let rounded = self.pico.saturating_add(half) / unit;
        scaled_to_string(rounded, places, places as usize)
    }

    fn same(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::Mixed(self.currency, other.currency))
        }
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads `12.34 USD`.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let text = text.trim();
        let Some((number, code)) = text.rsplit_once(char::is_whitespace) else {
            return Err(MoneyError::NoCurrency(text.to_owned()));
        };
        Self::from_decimal(number.trim(), code.parse()?)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&format!("{} {}", self.to_decimal(), self.currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EUR: Currency = Currency(*b"EUR");

    fn usd(pico: i128) -> Money {
        Money::from_pico(pico, Currency::USD)
    }

    #[test]
    fn two_currencies_never_add() {
        let sum = usd(1).checked_add(Money::from_pico(1, EUR));
        assert_eq!(sum, Err(MoneyError::Mixed(Currency::USD, EUR)));
    }

    #[test]
    fn a_price_without_currency_is_refused() {
        let message = "12.34".parse::<Money>().map_err(|error| error.to_string());
        let expected = "`12.34` has no currency: write it like 12.34 USD";
        assert_eq!(message, Err(expected.to_owned()));
        assert!("NaN USD".parse::<Money>().is_err());
        assert!("1 usd".parse::<Money>().is_err());
    }

    #[test]
    fn rounds_for_people_only() {
        assert_eq!(usd(1_005_000_000_000).rounded(2), "1.01");
        assert_eq!(usd(-1_005_000_000_000).rounded(2), "-1.01");
        assert_eq!(usd(4_000_000_000).rounded(2), "0.00");
        assert_eq!(usd(1).to_decimal(), "0.000000000001");
    }

    proptest! {
        #[test]
        fn addition_is_exact_and_reversible(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (usd(a.into()), usd(b.into()));
            let sum = a.checked_add(b).unwrap();
            prop_assert_eq!(sum, b.checked_add(a).unwrap());
            prop_assert_eq!(sum.checked_sub(b).unwrap(), a);
        }

        #[test]
        fn division_returns_what_is_left(pico in any::<i64>(), divisor in 1_i128..1_000_000) {
            let whole = usd(pico.into());
            let (quotient, rest) = whole.div_rem(divisor).unwrap();
            let back = quotient.checked_mul_int(divisor).unwrap().checked_add(rest).unwrap();
            prop_assert_eq!(back, whole);
            prop_assert!(!rest.is_negative() && rest.pico() < divisor);
        }

        #[test]
        fn text_round_trips(pico in -(1_i128 << 110)..(1_i128 << 110)) {
            prop_assert_eq!(usd(pico).to_string().parse(), Ok(usd(pico)));
        }
    }
}
