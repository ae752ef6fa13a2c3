//! One module for each command.

pub(crate) mod books;
pub(crate) mod budget;
pub(crate) mod correct;
pub(crate) mod cost;
pub(crate) mod estimate;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod idle;
pub(crate) mod import;
pub(crate) mod journal;
pub(crate) mod kube;
pub(crate) mod offers;
pub(crate) mod plan;
pub(crate) mod reference;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod sql;
pub(crate) mod store;
pub(crate) mod token;
pub(crate) mod undo;
pub(crate) mod up;
pub(crate) mod verify;

use crate::args::Output;
use crate::outcome::WrongUse;
use crate::print::talk;
use crate::table::Table;
use farthing_ledger::{Books, Key, period};
use farthing_model::{ClusterId, Currency, Money, Window, midnight, parse_duration, utc_day};
use farthing_providers::catalog::{Catalogue, Options};
use farthing_providers::manifest::Fault;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// Reads a duration of the command line.
pub(crate) fn duration(flag: &str, text: &str) -> anyhow::Result<SignedDuration> {
    match parse_duration(text) {
        Some(length) if !length.is_zero() => Ok(length),
        _ => Err(WrongUse::new(format!("{flag} `{text}` is not a duration"))
            .hint("write it like 30s, 10m or 2h30m")
            .into()),
    }
}

/// Reads an amount of the command line: `20USD`, `20 USD`, `1e9USD`.
pub(crate) fn amount(flag: &str, text: &str) -> anyhow::Result<Money> {
    let trimmed = text.trim();
    let letters = trimmed.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let (number, code) = trimmed.split_at(trimmed.len() - letters);
    let read = code.parse::<Currency>().and_then(|currency| {
        let number = number.trim();
        match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let shifted = shift(mantissa, exponent).unwrap_or_else(|| number.to_owned());
                Money::from_decimal(&shifted, currency)
            }
            None => Money::from_decimal(number, currency),
        }
    });
    read.map_err(|error| {
        WrongUse::new(format!("{flag} `{text}`: {error}")).hint("write it like 12.34USD").into()
    })
}

/// A decimal times a power of ten, as a decimal; `None` where it is not one, or too long a one.
fn shift(mantissa: &str, exponent: &str) -> Option<String> {
    let places = exponent.parse::<usize>().ok().filter(|places| *places < 40)?;
    let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let padded = format!("{rest:0<places$}");
    let (moved, rest) = padded.split_at_checked(places)?;
    Some(if rest.is_empty() { format!("{whole}{moved}") } else { format!("{whole}{moved}.{rest}") })
}

/// Reads a time of the command line.
pub(crate) fn moment(flag: &str, text: &str) -> anyhow::Result<Timestamp> {
    text.parse().map_err(|_| {
        WrongUse::new(format!("{flag} `{text}` is not a time"))
            .hint("write it like 2026-03-01T10:00:00Z")
            .into()
    })
}

/// What a report is about, and what was meant by that.
pub(crate) struct Covered {
    pub(crate) window: Window,
    pub(crate) currency: Currency,
    /// The end of the newest charge, or what was given instead.
    pub(crate) now: Timestamp,
}

/// The span that was asked for, as of the newest charge of some clusters or a given time, and the
/// currency of their books.
pub(crate) fn covered(
    books: &Books,
    clusters: &[ClusterId],
    asked: &str,
    now: Option<&str>,
) -> anyhow::Result<Covered> {
    let (mut first, mut newest) = (Timestamp::MAX, None);
    for cluster in clusters {
        let hours = books.posted_hours(cluster)?;
        let (Some(oldest), Some(last)) = (hours.first(), hours.last()) else { continue };
        first = first.min(oldest.from());
        let book = books.hour(cluster, last.from())?;
        let end = book.map_or((last.to(), Currency::USD), |book| (book.window.to(), book.currency));
        newest = newest.filter(|(to, _)| *to >= end.0).or(Some(end));
    }
    let names: Vec<&str> = clusters.iter().map(ClusterId::as_str).collect();
    let Some((newest, currency)) = newest else {
        return Err(WrongUse::new(format!(
            "the books of {} have no charges yet",
            names.join(", ")
        ))
        .hint("run `farthing up` for at least two ticks first")
        .into());
    };
    let now = match now {
        None => newest,
        Some(text) => moment("--now", text)?,
    };
    let window = period(asked, now).map_err(|error| WrongUse::new(format!("--window {error}")))?;
    // No longer than the books are, so that a statement says what it covers.
    let kept = Window::new(first, newest).ok().and_then(|books| window.intersect(books));
    Ok(Covered { window: kept.unwrap_or(window), currency, now })
}

/// Keys of the command line.
pub(crate) fn keys(names: &[String]) -> anyhow::Result<Vec<Key>> {
    let mut keys: Vec<Key> = Vec::with_capacity(names.len());
    for name in names {
        let key = name.parse::<Key>().map_err(|error| {
            let (what, hint) = error.split_once(": ").unwrap_or((&error, ""));
            WrongUse::new(format!("--by {what}")).hint(hint)
        })?;
        if keys.contains(&key) {
            return Err(WrongUse::new(format!("--by {key} is there twice")).into());
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Reads price books as of a moment, from the cache where that holds them, and says which of their
/// rows could not be read: the others go on.
pub(crate) fn price_book(
    paths: &[PathBuf],
    now: Timestamp,
    cache: Option<PathBuf>,
) -> anyhow::Result<Catalogue> {
    let options = Options { today: Some(utc_day(now)), contracts: None, cache };
    let book = Catalogue::load(paths, &options);
    let book = book.map_err(|error| WrongUse::new(plan::chain(&error)))?;
    tell_left_out(&book.faults);
    Ok(book)
}

/// The parts of a window in which other contracts of price books hold than now, each with what the
/// books are by those.
pub(crate) fn earlier_contracts(
    paths: &[PathBuf],
    now: Timestamp,
    (window, catalogue): (Window, &Catalogue),
) -> anyhow::Result<Vec<(Window, Catalogue)>> {
    let today = utc_day(now);
    let mut edges: Vec<Timestamp> =
        catalogue.contract_days.iter().filter_map(|day| midnight(*day)).collect();
    edges.retain(|edge| window.from() < *edge && *edge < window.to());
    edges.insert(0, window.from());
    edges.push(window.to());
    let mut found = Vec::new();
    for pair in edges.windows(2) {
        let Ok(part) = Window::new(pair[0], pair[1]) else { continue };
        let day = utc_day(part.from());
        let (first, last) = (day.min(today), day.max(today));
        if catalogue.contract_days.iter().any(|edge| first < *edge && *edge <= last) {
            let options = Options { today: Some(today), contracts: Some(day), cache: None };
            let book = Catalogue::load(paths, &options);
            found.push((part, book.map_err(|error| WrongUse::new(plan::chain(&error)))?));
        }
    }
    Ok(found)
}

/// Where what was read of price books is kept: the user's folder for what can be made again.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let under = |variable: &str, below: &str| {
        let value = std::env::var_os(variable).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value).join(below))
    };
    under("XDG_CACHE_HOME", "farthing").or_else(|| under("HOME", ".cache/farthing"))
}

/// Says which rows of price books cannot be read; the others go on.
fn tell_left_out(faults: &[Fault]) {
    const TOLD: usize = 10;
    for fault in faults.iter().take(TOLD) {
        talk(&format!("left out: {fault}"));
    }
    let more = faults.len().saturating_sub(TOLD);
    if more > 0 {
        talk(&format!("left out: {more} more rows that cannot be read"));
    }
}

/// Prints a result in the form that was asked for.
pub(crate) fn print(
    output: Output,
    text: impl FnOnce() -> anyhow::Result<String>,
    json: impl FnOnce() -> anyhow::Result<serde_json::Value>,
    table: impl FnOnce() -> anyhow::Result<Table>,
) -> anyhow::Result<()> {
    let data = match output {
        Output::Table => text()?,
        Output::Json => serde_json::to_string_pretty(&json()?)?,
        Output::Csv => table()?.to_csv(),
    };
    crate::print::data(&data);
    Ok(())
}
