//! Results as people read them. Programs get the wire types of `farthing-server` instead.

pub(crate) mod bills;
pub(crate) mod binding;
pub(crate) mod budget;
pub(crate) mod consolidation;
pub(crate) mod dag;
pub(crate) mod estimate;
pub(crate) mod idle;
pub(crate) mod packing;
pub(crate) mod plan;
pub(crate) mod prices;
mod service;
pub(crate) mod statement;
pub(crate) mod tick;

use farthing_model::{Money, Ratio, Window};
use jiff::{SignedDuration, Timestamp};

/// Money with two decimals and thousands in groups: `12,345.67`.
pub(crate) fn money(amount: Money) -> String {
    grouped(&amount.rounded(2))
}

/// Money with enough decimals to see a small amount.
pub(crate) fn small_money(amount: Money) -> String {
    let places = match amount.pico().unsigned_abs() {
        0 => 2,
        pico if pico >= 1_000_000_000_000 => 2,
        pico if pico >= 10_000_000_000 => 4,
        pico if pico >= 10_000_000 => 6,
        _ => 9,
    };
    grouped(&amount.rounded(places))
}

fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if fraction.is_empty() { format!("{sign}{text}") } else { format!("{sign}{text}.{fraction}") }
}

/// A ratio, or what is not known.
pub(crate) fn ratio(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(|| "unknown".to_owned(), |ratio| ratio.to_string())
}

/// A time without its date where the day is known from elsewhere: `11-24 13:05`.
pub(crate) fn short_time(at: Timestamp) -> String {
    at.strftime("%m-%d %H:%M").to_string()
}

/// A duration in its two largest units: `3d 4h`, `12m 5s`.
pub(crate) fn duration(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    let (minutes, rest) = (seconds % 3_600 / 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// A window as people read it.
pub(crate) fn window(window: Window) -> String {
    format!("{} to {} ({})", window.from(), window.to(), duration(window.duration()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::Currency;

    #[test]
    fn numbers_for_people() {
        let usd = |text| Money::from_decimal(text, Currency::USD).unwrap();
        assert_eq!(money(usd("1234567.891")), "1,234,567.89");
        assert_eq!(money(usd("-999.999")), "-1,000.00");
        assert_eq!(small_money(usd("0.000123")), "0.000123");
        assert_eq!(small_money(usd("0.000000012")), "0.000000012");
        assert_eq!(duration(SignedDuration::from_secs(93_784)), "1d 2h");
    }
}
