//! Exact decimals for what is neither money nor a resource-time: work, rates of work, values.

use std::{fmt, str::FromStr};

/// Units of a [`Decimal`] in one whole.
const NANO: i128 = 1_000_000_000;

/// An exact decimal with nine places, such as `0.388` steps/s or a value of `300`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

/// Why a text is not a [`Decimal`], or a sum does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not a plain decimal number.
    #[error("`{0}` is not a decimal number such as 12, 0.5 or 1.25e6")]
    Syntax(String),
    /// More digits after the point than are kept.
    #[error("`{text}` has more than {places} decimal places")]
    Precision {
        /// The text as given.
        text: String,
        /// Places that are kept.
        places: u32,
    },
    /// The number does not fit.
    #[error("`{0}` is too large")]
    Range(String),
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One whole.
    pub const ONE: Self = Self(NANO);

    /// From 10^-9 parts.
    pub const fn from_nano(nano: i128) -> Self {
        Self(nano)
    }

    /// From a whole number.
    pub const fn from_int(whole: i64) -> Self {
        Self(whole as i128 * NANO)
    }

    /// The number in 10^-9 parts.
    pub const fn nano(self) -> i128 {
        self.0
    }

    /// Whether the number is greater than zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Sum, or `None` when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, or `None` when it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Product with a whole number, or `None` when it does not fit.
    pub fn checked_mul_int(self, factor: i128) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        parse_scaled(text, 9).map(Self)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&scaled_to_string(self.0, 9, 0))
    }
}

/// Parses `text` as a decimal number and returns it in units of 10^-`places`, exactly.
///
/// Accepts a sign, digits, one point and a decimal exponent (`1e6`). Refuses NaN, infinities,
/// empty texts and digits beyond `places` that are not zero.
pub(crate) fn parse_scaled(text: &str, places: u32) -> Result<i128, DecimalError> {
    let syntax = || DecimalError::Syntax(text.to_owned());
    let range = || DecimalError::Range(text.to_owned());
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| syntax())?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits_only(whole) || !digits_only(fraction) {
        return Err(syntax());
    }
    if mantissa.len() > 60 || exponent.unsigned_abs() > 60 {
        return Err(range());
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = i128::from(digit - b'0');
        value =
            value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or_else(range)?;
    }
    let fraction_places = i32::try_from(fraction.len()).map_err(|_| range())?;
    let shift = i32::try_from(places).map_err(|_| range())? + exponent - fraction_places;
    value = shift_decimal(value, shift, text, places)?;
    Ok(if negative { -value } else { value })
}

/// Multiplies by 10^`shift`; a negative shift must lose nothing but zeros.
fn shift_decimal(value: i128, shift: i32, text: &str, places: u32) -> Result<i128, DecimalError> {
    let range = || DecimalError::Range(text.to_owned());
    if value == 0 {
        return Ok(0);
    }
    let power = |exponent: u32| 10_i128.checked_pow(exponent).ok_or_else(range);
    if shift >= 0 {
        return value.checked_mul(power(shift.unsigned_abs())?).ok_or_else(range);
    }
    let divisor = power(shift.unsigned_abs())?;
    if value % divisor != 0 {
        let text = text.to_owned();
        return Err(DecimalError::Precision { text, places });
    }
    Ok(value / divisor)
}

/// Writes a scaled integer as a decimal with at least `min_places` places and no more zeros.
pub(crate) fn scaled_to_string(value: i128, places: u32, min_places: usize) -> String {
    let unit = 10_u128.pow(places);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let width = places as usize;
    let fraction = format!("{:0width$}", magnitude % unit);
    let kept = fraction.trim_end_matches('0').len().max(min_places);
    if kept == 0 {
        format!("{sign}{}", magnitude / unit)
    } else {
        format!("{sign}{}.{}", magnitude / unit, &fraction[..kept])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_what_people_write() {
        let check = |text: &str, nano: i128| assert_eq!(text.parse(), Ok(Decimal(nano)), "{text}");
        check("1", NANO);
        check("0.388", 388_000_000);
        check("1e6", 1_000_000 * NANO);
        check("1.25e-3", 1_250_000);
        check(".5", NANO / 2);
        check("-2", -2 * NANO);
    }

    #[test]
    fn refuses_what_is_not_a_number() {
        for text in ["", "NaN", "inf", "1,5", "1.2.3", "--1", "e5", "0x10", "1e", "1e999"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        let message = "0.1234567891".parse::<Decimal>().map_err(|error| error.to_string());
        assert_eq!(message, Err("`0.1234567891` has more than 9 decimal places".to_owned()));
    }

    proptest! {
        #[test]
        fn round_trips(nano in -(1_i128 << 100)..(1_i128 << 100)) {
            let value = Decimal(nano);
            prop_assert_eq!(value.to_string().parse(), Ok(value));
        }
    }
}
