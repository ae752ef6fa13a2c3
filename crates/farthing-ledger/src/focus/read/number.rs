//! Numbers and times as bills write them, exactly.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A time of RFC 3339, or without a zone, which is then UTC.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let at: DateTime = text.trim_end_matches(" UTC").parse().ok()?;
        Offset::UTC.to_timestamp(at).ok()
    })
}

/// A decimal number in 10^-12, rounded half away from zero, and whether it was exact.
pub(super) fn pico(text: &str) -> Option<(i128, bool)> {
    const PLACES: i64 = 12;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (is_negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || all.len() > 60 || !all.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction = i64::try_from(fraction.len()).ok()?;
    // How many of the digits are kept.
    let kept = i64::try_from(all.len()).ok()?.checked_add(PLACES + exponent - fraction)?;
    let length = i64::try_from(all.len()).ok()?;
    let digits = match usize::try_from(kept.min(length)) {
        Ok(kept) => &all[..kept],
        Err(_) => "",
    };
    let mut value: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    if kept > length {
        let zeros = u32::try_from(kept - length).ok()?;
        value = if value == 0 { 0 } else { value.checked_mul(10_i128.checked_pow(zeros)?)? };
    }
    let rest = if kept < 0 { "0" } else { all.get(digits.len()..).unwrap_or("") };
    let is_exact = if kept < 0 {
        all.bytes().all(|digit| digit == b'0')
    } else {
        rest.bytes().all(|digit| digit == b'0')
    };
    if rest.bytes().next().is_some_and(|digit| digit >= b'5') {
        value = value.checked_add(1)?;
    }
    Some((if is_negative { -value } else { value }, is_exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let check = |text: &str, value: i128, exact: bool| {
            assert_eq!(pico(text), Some((value, exact)), "{text}");
        };
        check("1", 1_000_000_000_000, true);
        check("-2.5", -2_500_000_000_000, true);
        check("8e-07", 800_000, true);
        check("1.25E3", 1_250_000_000_000_000, true);
        check("0.0000000000005", 1, false);
        check("0.00000000000049", 0, false);
        check("1e-30", 0, false);
        check("0.1234567890125", 123_456_789_013, false);
        check("0e99", 0, true);
        for bad in ["", "-", "1,5", "NaN", "inf", "1e", "--1", "0x1", "1e99"] {
            assert_eq!(pico(bad), None, "{bad}");
        }
    }
}
