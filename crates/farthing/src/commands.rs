//! One module for each command.

pub(crate) mod cost;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod offers;
pub(crate) mod plan;
pub(crate) mod reference;
pub(crate) mod up;
pub(crate) mod verify;

use crate::args::Output;
use crate::outcome::WrongUse;
use crate::print::talk;
use crate::table::Table;
use farthing_ledger::Books;
use farthing_model::{ClusterId, Currency, Window, parse_duration};
use farthing_providers::catalog::{Catalogue, Options};
use farthing_providers::manifest::Fault;
use jiff::civil::Date;
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

/// The span of `length` that ends with the newest charge, and the currency of the books.
pub(crate) fn newest(
    books: &Books,
    cluster: &ClusterId,
    length: &str,
) -> anyhow::Result<(Window, Currency)> {
    let length = duration("--window", length)?;
    let hours = books.posted_hours(cluster)?;
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else {
        return Err(WrongUse::new(format!("the books of {cluster} have no charges yet"))
            .hint("run `farthing up` for at least two ticks first")
            .into());
    };
    let book = books.hour(cluster, last.from())?;
    let (to, currency) =
        book.map_or((last.to(), Currency::USD), |book| (book.window.to(), book.currency));
    // No longer than the books are, so that a statement says what it covers.
    let from = to.checked_sub(length).unwrap_or(Timestamp::MIN).max(first.from());
    Ok((Window::new(from, to)?, currency))
}

/// Reads price books as of a moment, from the cache where that holds them, and says which of their
/// rows could not be read: the others go on.
pub(crate) fn price_book(
    paths: &[PathBuf],
    now: Timestamp,
    cache: Option<PathBuf>,
) -> anyhow::Result<Catalogue> {
    let options = Options { today: Some(day(now)), cache };
    let book = Catalogue::load(paths, &options);
    let book = book.map_err(|error| WrongUse::new(plan::chain(&error)))?;
    tell_left_out(&book.faults);
    Ok(book)
}

/// The day of a moment, UTC.
pub(crate) fn day(at: Timestamp) -> Date {
    jiff::tz::Offset::UTC.to_datetime(at).date()
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
