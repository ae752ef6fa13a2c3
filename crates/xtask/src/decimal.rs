//! Exact decimals: an integer in units of 10^-12, the unit of the ledger. No sum is ever made in
//! floating point.

use std::fmt;

use anyhow::{Context, Result, ensure};

const SCALE: i128 = 1_000_000_000_000;
const DIGITS: usize = 12;

/// An exact decimal number with twelve digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal(i128);

impl Decimal {
    pub(crate) const ZERO: Self = Self(0);

    /// Reads plain decimal digits; an exponent, a sign or more than twelve digits after the point
    /// are refused.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        ensure!(
            !whole.is_empty() && digits(whole) && digits(fraction),
            "not a plain decimal: {text}"
        );
        ensure!(fraction.len() <= DIGITS, "more than {DIGITS} digits after the point: {text}");
        let whole: i128 = whole.parse().with_context(|| format!("too large: {text}"))?;
        let padded = format!("{fraction:0<DIGITS$}");
        let fraction: i128 = padded.parse().with_context(|| format!("not digits: {text}"))?;
        let units = whole.checked_mul(SCALE).and_then(|units| units.checked_add(fraction));
        Ok(Self(units.with_context(|| format!("too large: {text}"))?))
    }

    /// The shortest decimal that reads back as the same float, then exact: what the catalogue's
    /// author wrote.
    pub(crate) fn from_shortest(float: f64) -> Result<Self> {
        ensure!(float.is_finite(), "not a number: {float}");
        Self::parse(&float.to_string())
    }

    pub(crate) fn whole(number: u32) -> Self {
        Self(i128::from(number) * SCALE)
    }

    pub(crate) fn units(self) -> i128 {
        self.0
    }

    pub(crate) fn from_units(units: i128) -> Self {
        Self(units)
    }

    pub(crate) fn plus(self, other: Self) -> Result<Self> {
        Ok(Self(self.0.checked_add(other.0).context("sum overflows")?))
    }

    /// Cut (not rounded) to `places` digits after the point.
    pub(crate) fn cut(self, places: u32) -> Self {
        let step = 10_i128.pow(12 - places.min(12));
        Self(self.0 / step * step)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / SCALE, self.0 % SCALE);
        let text = format!("{whole}.{fraction:0DIGITS$}");
        formatter.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_the_shortest_form() {
        for (text, shown) in
            [("0.10", "0.1"), ("12.0", "12"), ("3.673385", "3.673385"), ("0", "0"), ("100", "100")]
        {
            assert_eq!(Decimal::parse(text).expect("plain").to_string(), shown);
        }
        for text in ["", "-1", "1e3", ".5", "1.0000000000001", "1,5", "NaN"] {
            assert!(Decimal::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_float_is_read_by_its_shortest_digits_and_sums_are_exact() {
        let a = Decimal::from_shortest(0.1).expect("finite");
        let b = Decimal::from_shortest(0.2).expect("finite");
        assert_eq!(a.plus(b).expect("small").to_string(), "0.3");
        assert!(Decimal::from_shortest(f64::NAN).is_err());
    }
}
