//! Numbers of metrics as fixed point. No float is made on the way.
//!
//! Values of exporters are floats written in decimal. A counter of seconds is kept to the
//! nanosecond and rounded half to even below it, which is finer than what was measured. Infinities
//! and NaN are readings of their own, never amounts.

/// Most digits that count; those behind only decide the rounding. A float has 17.
const DIGITS_MAX: u32 = 19;
/// Largest exponent that is looked at; a float's is below 400.
const EXPONENT_MAX: i32 = 9_999;

/// A value as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// In units of 10^-places.
    Value(i128),
    /// Not a number: nothing was measured, or the series ended (a stale marker).
    NaN,
    /// Infinite, or larger than what fits.
    Infinite,
}

/// Reads a value in units of 10^-`places`; `None` where the text is not a number.
pub fn read(text: &[u8], places: u32) -> Option<Reading> {
    let (negative, digits) = sign(text);
    let first = digits.first()?;
    if !first.is_ascii_digit() && *first != b'.' {
        return word(digits);
    }
    let number = Digits::of(digits)?;
    Some(match number.scaled(places) {
        Some(value) => Reading::Value(if negative { -value } else { value }),
        None => Reading::Infinite,
    })
}

/// Whether a sign says that a number is negative, and what follows it.
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix(b"+").unwrap_or(text)),
    }
}

fn word(text: &[u8]) -> Option<Reading> {
    if text.eq_ignore_ascii_case(b"nan") {
        Some(Reading::NaN)
    } else if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
        Some(Reading::Infinite)
    } else {
        None
    }
}

/// `mantissa` x 10^`exponent`, and whether digits that are not zero were left off.
struct Digits {
    mantissa: u64,
    exponent: i32,
    inexact: bool,
}

impl Digits {
    fn of(text: &[u8]) -> Option<Self> {
        let mut digits = Self { mantissa: 0, exponent: 0, inexact: false };
        let (mut kept, mut seen, mut point, mut at) = (0_u32, false, false, 0);
        while let Some(&byte) = text.get(at) {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    let digit = u64::from(byte - b'0');
                    if kept < DIGITS_MAX {
                        digits.mantissa = digits.mantissa * 10 + digit;
                        kept += u32::from(digits.mantissa > 0);
                        digits.exponent -= i32::from(point);
                    } else {
                        digits.inexact |= digit > 0;
                        digits.exponent += i32::from(!point);
                    }
                }
                b'.' if !point => point = true,
                b'e' | b'E' if seen => {
                    digits.exponent = digits.exponent.checked_add(exponent(&text[at + 1..])?)?;
                    return Some(digits);
                }
                _ => return None,
            }
            at += 1;
        }
        seen.then_some(digits)
    }

    /// In units of 10^-`places`, half to even; `None` when it does not fit.
    fn scaled(&self, places: u32) -> Option<i128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let shift = self.exponent.checked_add(i32::try_from(places).ok()?)?;
        let mantissa = i128::from(self.mantissa);
        if shift >= 0 {
            return mantissa.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?);
        }
        // Nineteen digits shifted by more than twenty places are nothing.
        let Some(divisor) = 10_i128.checked_pow(shift.unsigned_abs().min(30)) else {
            return Some(0);
        };
        let (quotient, rest) = (mantissa / divisor, mantissa % divisor);
        let above =
            rest * 2 > divisor || (rest * 2 == divisor && (self.inexact || quotient % 2 == 1));
        Some(quotient + i128::from(above))
    }
}

/// The digits behind an `e`.
fn exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let most = |value: i32, digit: &u8| (value * 10 + i32::from(digit - b'0')).min(EXPONENT_MAX);
    let value = digits.iter().fold(0, most);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nano(text: &str) -> Option<Reading> {
        read(text.as_bytes(), 9)
    }

    #[test]
    fn what_exporters_write_is_read_exactly() {
        let check = |text: &str, value: i128| {
            assert_eq!(nano(text), Some(Reading::Value(value)), "{text}");
        };
        check("0", 0);
        check("1", 1_000_000_000);
        check("-2.5", -2_500_000_000);
        check("+.5", 500_000_000);
        check("5.", 5_000_000_000);
        check("1.7179869184e+10", 17_179_869_184_000_000_000);
        check("6765.751112", 6_765_751_112_000);
        check("0.30000000000000004", 300_000_000);
        check("9.223372036854775794e18", 9_223_372_036_854_775_794_000_000_000);
        check("1e-400", 0);
        check("0e999999999999", 0);
        check("0000000000000000000000000000012", 12_000_000_000);
    }

    #[test]
    fn half_goes_to_even_and_a_digit_behind_goes_up() {
        let at = |text: &str| read(text.as_bytes(), 0);
        assert_eq!(at("0.5"), Some(Reading::Value(0)));
        assert_eq!(at("1.5"), Some(Reading::Value(2)));
        assert_eq!(at("2.5"), Some(Reading::Value(2)));
        assert_eq!(at("2.50000000000000000000000001"), Some(Reading::Value(3)));
        assert_eq!(at("2.4999999999999999999999999"), Some(Reading::Value(2)));
    }

    #[test]
    fn words_are_readings_and_the_rest_is_no_number() {
        for text in ["NaN", "nan", "-NaN"] {
            assert_eq!(nano(text), Some(Reading::NaN), "{text}");
        }
        for text in ["Inf", "+Inf", "-inf", "+Infinity", "1e400", "1e39"] {
            assert_eq!(nano(text), Some(Reading::Infinite), "{text}");
        }
        for text in ["", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "0x1F", "1_000", "<<<NULL>>>"] {
            assert_eq!(nano(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_decimal_is_read_to_its_last_place(
            whole in 0_u64..10_000_000_000, part in 0_u32..1_000_000_000,
        ) {
            let text = format!("{whole}.{part:09}");
            let expected = i128::from(whole) * 1_000_000_000 + i128::from(part);
            prop_assert_eq!(nano(&text), Some(Reading::Value(expected)));
        }

        #[test]
        fn any_float_is_read_to_half_a_place(value in -1e12_f64..1e12) {
            let Some(Reading::Value(read)) = nano(&format!("{value:e}")) else {
                return Err(TestCaseError::fail("not read"));
            };
            #[expect(clippy::cast_precision_loss, reason = "compared within a float's precision")]
            let back = read as f64 / 1e9;
            prop_assert!((back - value).abs() <= value.abs() * 1e-15 + 6e-10, "{} {}", back, value);
        }

        #[test]
        fn no_bytes_make_it_panic(
            text in prop::collection::vec(any::<u8>(), 0..40), places in 0_u32..20,
        ) {
            let _ = read(&text, places);
        }
    }
}
