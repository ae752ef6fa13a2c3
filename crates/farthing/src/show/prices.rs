//! The days and sources of prices, for people.

use farthing_model::PriceDates;
use jiff::civil::Date;

/// Sources that are named.
const NAMED: usize = 3;

/// `prices of 2026-11-20 to 2026-11-24, the oldest 6 days old, from data/prices/default.csv`.
pub(crate) fn text(dates: &PriceDates, today: Date) -> String {
    let PriceDates { oldest, newest, sources } = dates;
    let mut from: Vec<&str> = sources.iter().map(String::as_str).take(NAMED).collect();
    let more = sources.len().saturating_sub(NAMED);
    let more_text = format!("{more} more");
    if more > 0 {
        from.push(&more_text);
    }
    format!("prices of {}, from {}", days(*oldest, *newest, dates.age_days(today)), from.join(", "))
}

/// The days with their age.
pub(crate) fn days(oldest: Date, newest: Date, age: i32) -> String {
    let age = match age {
        0 => "today's".to_owned(),
        1 => "1 day old".to_owned(),
        ..0 => format!("{} days later than the time asked about", age.unsigned_abs()),
        _ => format!("{age} days old"),
    };
    if oldest == newest {
        format!("{oldest}, {age}")
    } else {
        format!("{oldest} to {newest}, the oldest {age}")
    }
}
