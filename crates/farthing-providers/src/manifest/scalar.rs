//! The small texts of manifests: quantities, money, rates, durations and times.
//!
//! Each function says in its error what would be right; none guesses a unit.

use farthing_model::{AcceleratorQuery, Decimal, DecimalError, Money, Place, Ratio, Window};
use jiff::{SignedDuration, Timestamp, civil::Date};

/// A reader of one scalar; the error is a message in lower case.
pub(crate) type Parsed<T> = Result<T, String>;

/// Places of a [`Decimal`].
const DECIMAL_PLACES: usize = 9;

/// A number above zero with at most nine places.
pub(crate) fn positive(text: &str) -> Parsed<Decimal> {
    let number = not_negative(text)?;
    if number.is_positive() { Ok(number) } else { Err(format!("`{text}` must be above zero")) }
}

/// A number of zero or more with at most nine places.
pub(crate) fn not_negative(text: &str) -> Parsed<Decimal> {
    let number: Decimal = text.parse().map_err(|error: DecimalError| error.to_string())?;
    if number < Decimal::ZERO { Err(format!("`{text}` is below zero")) } else { Ok(number) }
}

/// A measured number, rounded to nine places: measurements come as floats with sixteen digits,
/// and unlike money they are not exact to begin with.
pub(crate) fn measured(text: &str) -> Parsed<Decimal> {
    match text.parse::<Decimal>() {
        Err(DecimalError::Precision { .. }) => {}
        _ => return not_negative(text),
    }
    let Some(magnitude) = text.strip_prefix('+').or(Some(text)).filter(|t| !t.starts_with('-'))
    else {
        return Err(format!("`{text}` is below zero"));
    };
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let too_large = || format!("`{text}` is too large");
    let exponent: i64 = exponent.parse().map_err(|_| too_large())?;
    let point = mantissa.find('.').unwrap_or(mantissa.len());
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    // Digits that stand before the tenth place; the one after them decides the rounding.
    let kept = i64::try_from(point + DECIMAL_PLACES).map_err(|_| too_large())? + exponent;
    let Ok(kept) = usize::try_from(kept) else { return Ok(Decimal::ZERO) };
    let kept = kept.min(digits.len());
    let whole: i128 = match &digits[..kept] {
        "" => 0,
        digits => digits.parse().map_err(|_| too_large())?,
    };
    let up = digits.as_bytes().get(kept).is_some_and(|digit| *digit >= b'5');
    Ok(Decimal::from_nano(whole + i128::from(up)))
}

/// A whole number above zero.
pub(crate) fn count(text: &str) -> Parsed<u32> {
    match text.parse::<u32>() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("`{text}` is not a count: write a whole number from 1 on, such as 8")),
    }
}

/// A whole number of zero or more.
pub(crate) fn whole(text: &str) -> Parsed<u32> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number such as 0 or 8"))
}

/// Thousandths of cores or accelerators: `8`, `0.5`, `500m`.
pub(crate) fn milli(text: &str) -> Parsed<u64> {
    let bad = || format!("`{text}` is not a quantity such as 8, 0.5 or 500m");
    let (number, per_unit) = match text.strip_suffix('m') {
        Some(number) => (number, 1),
        None => (text, 1_000),
    };
    let nano = number.parse::<Decimal>().map_err(|_| bad())?.nano();
    if nano < 0 {
        return Err(format!("`{text}` is below zero"));
    }
    let scaled = nano.checked_mul(per_unit).ok_or_else(bad)?;
    if scaled % 1_000_000_000 != 0 {
        return Err(format!("`{text}` is finer than a thousandth"));
    }
    u64::try_from(scaled / 1_000_000_000).map_err(|_| bad())
}

/// Bytes: `80Gi`, `80GiB`, `2T`, `2TB`, `1.5Ti`, `1000`.
pub(crate) fn bytes(text: &str) -> Parsed<u64> {
    let bad = || format!("`{text}` is not a size such as 512Gi, 2T, 80GB or 80GiB");
    let split = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    let stem = unit.strip_suffix('B').unwrap_or(unit);
    let factor: i128 = match stem {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return Err(bad()),
    };
    let nano = number.trim().parse::<Decimal>().map_err(|_| bad())?.nano();
    if nano < 0 {
        return Err(format!("`{text}` is below zero"));
    }
    let scaled = nano.checked_mul(factor).ok_or_else(bad)?;
    if scaled % 1_000_000_000 != 0 {
        return Err(format!("`{text}` is not a whole number of bytes"));
    }
    u64::try_from(scaled / 1_000_000_000).map_err(|_| bad())
}

/// Money with its currency, zero or more: `12.34 USD`.
pub(crate) fn money(text: &str) -> Parsed<Money> {
    let money: Money =
        text.parse().map_err(|error: farthing_model::MoneyError| error.to_string())?;
    if money.is_negative() { Err(format!("`{text}` is below zero")) } else { Ok(money) }
}

/// A span of time with its unit: `90m`, `2h30m`.
pub(crate) fn duration(text: &str) -> Parsed<SignedDuration> {
    farthing_model::parse_duration(text)
        .ok_or_else(|| format!("`{text}` is not a duration such as 90m, 2h30m or 120s"))
}

/// A span of time longer than none.
pub(crate) fn some_duration(text: &str) -> Parsed<SignedDuration> {
    let span = duration(text)?;
    if span.is_zero() { Err(format!("`{text}` must be longer than no time")) } else { Ok(span) }
}

/// A moment: fixed, or so long after another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// RFC 3339.
    At(Timestamp),
    /// `in 36h`.
    In(SignedDuration),
}

impl Moment {
    /// The moment, relative to `base`.
    pub(crate) fn after(self, base: Timestamp) -> Parsed<Timestamp> {
        match self {
            Self::At(at) => Ok(at),
            Self::In(span) => {
                base.checked_add(span).map_err(|_| format!("{span:?} after {base} is too late"))
            }
        }
    }
}

/// `2026-12-01T06:00:00Z` or `in 36h`.
pub(crate) fn moment(text: &str) -> Parsed<Moment> {
    match text.strip_prefix("in ") {
        Some(span) => duration(span.trim()).map(Moment::In),
        None => time(text)
            .map(Moment::At)
            .map_err(|error| format!("{error}, nor a span from now such as `in 36h`")),
    }
}

/// RFC 3339 with its offset.
pub(crate) fn time(text: &str) -> Parsed<Timestamp> {
    text.parse().map_err(|_| format!("`{text}` is not a time such as 2026-12-01T06:00:00Z"))
}

/// A day: `2026-11-24`.
pub(crate) fn date(text: &str) -> Parsed<Date> {
    let bad = || format!("`{text}` is not a date such as 2026-11-24");
    // Only this one form: jiff would also read a date out of a time.
    if text.len() != 10 {
        return Err(bad());
    }
    text.parse().map_err(|_| bad())
}

/// A share: `0.95` or `95%`.
pub(crate) fn ratio(text: &str) -> Parsed<Ratio> {
    text.parse().map_err(|_| format!("`{text}` is not a share such as 0.95 or 95%"))
}

/// A share of at most the whole.
pub(crate) fn share(text: &str) -> Parsed<Ratio> {
    let share = ratio(text)?;
    if share > Ratio::ONE { Err(format!("`{text}` is more than the whole")) } else { Ok(share) }
}

/// `yes` and `no` of YAML 1.2.
pub(crate) fn truth(text: &str) -> Parsed<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{text}` is not true or false")),
    }
}

/// An amount with the user's own unit: `12000 steps`.
pub(crate) fn work(text: &str) -> Parsed<(Decimal, String)> {
    let bad = || format!("`{text}` is not an amount of work such as 12000 steps");
    let (number, unit) = text.trim().split_once(char::is_whitespace).ok_or_else(bad)?;
    let unit = unit.trim();
    if unit.is_empty() || unit.contains(|c: char| c.is_whitespace() || c == '/') {
        return Err(bad());
    }
    Ok((positive(number)?, unit.to_owned()))
}

/// Work done in a time, with the user's own unit: `1.9 steps/s`, `200 units/d`.
pub(crate) struct WorkRate {
    pub(crate) amount: Decimal,
    pub(crate) unit: String,
    pub(crate) per: SignedDuration,
}

/// `1.9 steps/s`.
pub(crate) fn work_rate(text: &str) -> Parsed<WorkRate> {
    let bad = || format!("`{text}` is not a rate of work such as 1.9 steps/s or 200 units/d");
    let (amount, per) = text.rsplit_once('/').ok_or_else(bad)?;
    let per = unit_of_time(per).ok_or_else(bad)?;
    let (number, unit) = amount.trim().split_once(char::is_whitespace).ok_or_else(bad)?;
    let amount = measured(number)?;
    if !amount.is_positive() {
        return Err(format!("`{text}` must be above zero; leave out what cannot run"));
    }
    Ok(WorkRate { amount, unit: unit.trim().to_owned(), per })
}

/// Requests per second at most: ten thousand times what the largest services get.
const REQUESTS_MAX: i64 = 1_000_000_000;

/// Requests per second, to nine places: `16/s`, `960/min`, `0.5 requests/s`.
pub(crate) fn request_rate(text: &str) -> Parsed<Decimal> {
    let bad = || format!("`{text}` is not a rate of requests such as 16/s");
    let (amount, per) = text.rsplit_once('/').ok_or_else(bad)?;
    let per = unit_of_time(per).ok_or_else(bad)?;
    let number = amount.trim();
    let number = number.strip_suffix("requests").or(number.strip_suffix("req")).unwrap_or(number);
    let nano = measured(number.trim())?.nano();
    let seconds = i128::from(per.as_secs());
    let rate = Decimal::from_nano((nano + seconds / 2) / seconds);
    if rate > Decimal::from_int(REQUESTS_MAX) {
        return Err(format!("`{text}` is more than {REQUESTS_MAX} requests per second"));
    }
    Ok(rate)
}

fn unit_of_time(text: &str) -> Option<SignedDuration> {
    let seconds = match text.trim() {
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3_600,
        "d" | "day" => 86_400,
        _ => return None,
    };
    Some(SignedDuration::from_secs(seconds))
}

/// `H100-80GB`.
pub(crate) fn accelerator(text: &str) -> Parsed<AcceleratorQuery> {
    text.parse().map_err(|error: farthing_model::AcceleratorError| error.to_string())
}

/// `aws/us-east-1` or `gcp/us-central1/us-central1-a`.
pub(crate) fn place(text: &str) -> Parsed<Place> {
    let mut parts = text.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(provider), Some(region), zone)
            if !provider.is_empty() && !region.is_empty() && zone != Some("") =>
        {
            Ok(Place {
                provider: provider.to_owned(),
                region: region.to_owned(),
                zone: zone.map(str::to_owned),
            })
        }
        _ => Err(format!("`{text}` is not a place such as aws/us-east-1")),
    }
}

/// A window from two moments.
pub(crate) fn window(from: Timestamp, to: Timestamp) -> Parsed<Window> {
    Window::new(from, to).map_err(|error| error.to_string())
}
