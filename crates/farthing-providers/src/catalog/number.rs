//! Numbers of catalogues, exactly and fast: digits with a point, as integers of a small unit.

use crate::manifest::scalar;
use farthing_model::{Currency, Decimal, Money};

/// Decimal places of a price.
const PICO_PLACES: usize = 12;
/// The dearest machine of any list costs some tens of thousands an hour; what is over this is no
/// price, and no sum of a fleet of them leaves 128 bits.
const PRICE_MAX: i64 = 9_000_000;

/// A price per hour in 10^-12. Zero is left to the caller, as it means "none" in catalogues.
///
/// # Errors
/// No number, below zero, too many decimals, or larger than any price.
pub(crate) fn price(text: &str) -> Result<i64, String> {
    let pico = match plain(text, PICO_PLACES) {
        Some(pico) => i128::from(pico),
        None => Money::from_decimal(text, Currency::USD).map_err(|e| e.to_string())?.pico(),
    };
    if pico < 0 {
        return Err(format!("`{text}` is below zero"));
    }
    let most = i128::from(PRICE_MAX) * 1_000_000_000_000;
    match i64::try_from(pico) {
        Ok(pico) if i128::from(pico) <= most => Ok(pico),
        _ => Err(format!("`{text}` is over {PRICE_MAX} an hour, which no machine costs")),
    }
}

/// A price that a program wrote as a float. Floats carry some sixteen digits, of which twelve
/// decimals are kept.
pub(crate) fn float_price(value: f64) -> Result<i64, String> {
    if let Some(pico) = micro(value).and_then(|micro| micro.checked_mul(1_000_000)) {
        return price_limit(pico, value);
    }
    // Display of floats is the shortest decimal that reads back as the same float.
    let text = value.to_string();
    price(&text).or_else(|error| {
        let digits = text.split_once('.').filter(|(_, places)| places.len() > PICO_PLACES);
        match digits {
            Some((whole, places)) if !text.contains('e') => {
                price(&format!("{whole}.{}", &places[..PICO_PLACES]))
            }
            _ => Err(error),
        }
    })
}

fn price_limit(pico: i64, value: f64) -> Result<i64, String> {
    match pico {
        0.. => Ok(pico),
        _ => Err(format!("`{value}` is below zero")),
    }
}

/// A float of at most six decimals and fifteen digits in 10^-6: then the quotient is the float
/// again, and that decimal is the only one so short.
fn micro(value: f64) -> Option<i64> {
    let scaled = (value * 1e6).round();
    // Whether it is the very same float is the question.
    if !(0.0..9e12).contains(&scaled) || (scaled / 1e6).to_bits() != value.to_bits() {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
    Some(scaled as i64)
}

/// A size that a program wrote as a float, in `1/per` of one, rounded down.
pub(crate) fn float_scaled(value: f64, per: u64) -> Result<u64, String> {
    match micro(value) {
        Some(micro) => {
            let units = i128::from(micro) * i128::from(per) / 1_000_000;
            u64::try_from(units).map_err(|_| format!("`{value}` is too large"))
        }
        None => scaled(&value.to_string(), per),
    }
}

/// A number of units in `1/per` of one, rounded down; such as cores in thousandths.
pub(crate) fn scaled(text: &str, per: u64) -> Result<u64, String> {
    let too_large = || format!("`{text}` is too large");
    let nano = match plain(text, 9) {
        Some(nano) => i128::from(nano),
        None => scalar::measured(text)?.nano(),
    };
    if nano < 0 {
        return Err(format!("`{text}` is below zero"));
    }
    let units = nano.checked_mul(per.into()).ok_or_else(too_large)? / Decimal::ONE.nano();
    u64::try_from(units).map_err(|_| too_large())
}

/// Digits with at most one point and at most `places` after it, in 10^-`places`; `None` for
/// anything else, and for what does not fit.
fn plain(text: &str, places: usize) -> Option<i64> {
    let (mut value, mut after, mut digits): (i64, Option<usize>, usize) = (0, None, 0);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                after = after.map(|after| after + 1);
                value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
            }
            b'.' if after.is_none() => after = Some(0),
            _ => return None,
        }
    }
    let after = after.unwrap_or(0);
    if digits == 0 || after > places {
        return None;
    }
    let power = u32::try_from(places - after).ok()?;
    value.checked_mul(10_i64.checked_pow(power)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prices_are_exact_and_nonsense_is_refused() {
        assert_eq!(price("30.09784"), Ok(30_097_840_000_000));
        assert_eq!(price("0.000000000001"), Ok(1));
        assert_eq!(price("1e-3"), Ok(1_000_000_000));
        assert_eq!(price("0.0"), Ok(0));
        for bad in
            ["", "NaN", "inf", "-1", "1e18", "1000000000000000000", "9000001", "1.2.3", "0x1"]
        {
            assert!(price(bad).is_err(), "{bad}");
        }
        assert!(price("1e18").unwrap_err().contains("which no machine costs"));
        for bad in [f64::NAN, f64::INFINITY, -0.5, 1e18] {
            assert!(float_price(bad).is_err(), "{bad}");
        }
        assert_eq!(float_price(0.1 + 0.2), Ok(300_000_000_000));
        assert_eq!(float_price(98.324_567_890_123), price("98.324567890123"));
    }

    #[test]
    fn sizes() {
        assert_eq!(scaled("96.0", 1_000), Ok(96_000));
        assert_eq!(scaled("0.6", 1 << 30), Ok(644_245_094));
        assert_eq!(scaled("3.75", 1 << 30), Ok(15 << 28));
        assert!(scaled("-1", 1).is_err() && scaled("1e40", 1).is_err());
    }

    proptest! {
        /// The fast way says what the exact one says, for every decimal that prices are written in.
        #[test]
        fn fast_is_exact(pico in 0_i64..9_000_000_000_000_000_000, places in 0_u32..=12) {
            let unit = 10_i64.pow(12 - places);
            let money = Money::from_pico((pico / unit * unit).into(), Currency::USD);
            prop_assert_eq!(price(&money.to_decimal()).map(i128::from), Ok(money.pico()));
        }

        #[test]
        fn floats_are_the_decimal_that_was_written(micro in 0_i64..900_000_000_000) {
            let text = Money::from_pico(i128::from(micro) * 1_000_000, Currency::USD).to_decimal();
            prop_assert_eq!(float_price(text.parse().unwrap()), price(&text));
        }
    }
}
