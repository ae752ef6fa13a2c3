//! Text that becomes HTML: escaping, and numbers for people.

use farthing_model::{Money, Ratio};
use jiff::Timestamp;
use std::fmt::{self, Write as _};

/// A document in the making.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(text);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Text as it can stand in an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A moment, to the second.
pub(super) fn instant(at: Timestamp) -> String {
    let text = at.strftime("%Y-%m-%d %H:%M:%S");
    format!("<time datetime=\"{at}\">{text} UTC</time>")
}

/// A moment in few letters.
pub(super) fn short(at: Timestamp) -> String {
    format!("<time datetime=\"{at}\">{}</time>", at.strftime("%b %d, %H:%M"))
}

/// Units of money in one whole.
const UNIT: u128 = 1_000_000_000_000;

/// An amount as people read it, with the exact one beside it for machines and for hovering.
pub(super) fn amount(money: Money) -> String {
    amount_beside(money, money)
}

/// An amount in a column with `sum`: as many places as that has, so that the points align.
pub(super) fn amount_beside(money: Money, sum: Money) -> String {
    let exact = money.to_decimal();
    let text = grouped(&money.rounded(places(sum)));
    format!("<data value=\"{exact}\" title=\"{exact}\">{text}</data>")
}

/// The digits of an amount.
pub(super) fn digits(money: Money) -> String {
    grouped(&money.rounded(places(money)))
}

/// Places that tell something: two from one unit on, more for less, so that also a hundredth of the
/// amount is seen.
const fn places(money: Money) -> u32 {
    match money.pico().unsigned_abs() {
        0 | UNIT.. => 2,
        size if size >= UNIT / 100 => 4,
        size if size >= UNIT / 10_000 => 6,
        size if size >= UNIT / 10_000_000 => 9,
        _ => 12,
    }
}

/// `1234567.89` as `1,234,567.89`.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("−", whole));
    let mut text = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A ratio in percent with one place, or a dash.
pub(super) fn percent(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| ratio.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::Currency;

    #[test]
    fn nothing_foreign_becomes_markup() {
        let nasty = "<img src=x onerror=\"alert('1')\">&";
        let safe = "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;";
        assert_eq!(escape(nasty), safe);
    }

    #[test]
    fn small_amounts_keep_their_digits() {
        let check = |text: &str, expect: &str| {
            assert_eq!(digits(Money::from_decimal(text, Currency::USD).unwrap()), expect);
        };
        check("1234567.891", "1,234,567.89");
        check("-1234.5", "−1,234.50");
        check("999.999", "1,000.00");
        check("0", "0.00");
        check("0.0123456", "0.0123");
        check("0.0000123456", "0.000012346");
        check("0.000000000001", "0.000000000001");
    }
}
