//! `farthing books`: compaction, retention and migration. Ages are counted back from the end of
//! what is posted, so that books of long ago are not let go of because nobody looked.

use super::{duration, print};
use crate::args::{BooksArgs, BooksWhat, CompactArgs, MigrateArgs, Output, RetainArgs};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::table::{Align, Table};
use farthing_ledger::{Books, Folded, Retention};
use farthing_model::ClusterId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Days for which charges are kept at least: a quarter, and the week that its last day is in.
const CHARGES_DAYS_MIN: i64 = 100;

/// Does it, and prints what was done.
pub(crate) fn run(args: &BooksArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let books = home.books()?;
    let (what, facts) = match &args.what {
        BooksWhat::Compact(args) => {
            let cluster = home.cluster(args.cluster.as_deref())?;
            ("compact", compact(args, &books, &cluster)?)
        }
        BooksWhat::Retain(args) => {
            let cluster = home.cluster(args.cluster.as_deref())?;
            ("retain", retain(args, &books, &cluster)?)
        }
        BooksWhat::Migrate(args) => {
            let cluster = home.cluster(args.cluster.as_deref())?;
            ("migrate", migrate(args, &books, &cluster)?)
        }
    };
    let rows = || {
        let mut table = Table::new(&[("what", Align::Left), ("value", Align::Right)]);
        for (name, value) in &facts {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            table.row([name.replace('_', " "), text]);
        }
        Ok(table)
    };
    let object = || facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    print(
        output,
        || Ok(rows()?.to_text()),
        || Ok(json!({ "did": what, "result": Value::Object(object().collect()) })),
        rows,
    )?;
    Ok(Outcome::Done)
}

type Facts = Vec<(&'static str, Value)>;

/// The end of what is posted.
fn newest(books: &Books, cluster: &ClusterId) -> anyhow::Result<Timestamp> {
    let hours = books.posted_hours(cluster)?;
    let last = hours.last().ok_or_else(|| {
        WrongUse::new(format!("the books of {cluster} have no charges yet"))
            .hint("run `farthing up` or import something first")
    })?;
    Ok(last.to())
}

fn compact(args: &CompactArgs, books: &Books, cluster: &ClusterId) -> anyhow::Result<Facts> {
    let age = age("--older-than", &args.older_than)?;
    let newest = newest(books, cluster)?;
    // The newest hour, also where it ends at midnight, is of a day that may go on.
    let last = newest.checked_sub(SignedDuration::from_nanos(1))?;
    let before = newest.checked_sub(age)?.min(last);
    let mut sum = Folded::default();
    let days = books.loose_days(cluster, before)?;
    for day in &days {
        if !args.dry_run {
            let folded = books.fold_day(cluster, *day)?;
            sum.days += folded.days;
            sum.hours += folded.hours;
            sum.refused += folded.refused;
        }
    }
    let name =
        |day: Option<&jiff::civil::Date>| day.map_or(Value::Null, |day| day.to_string().into());
    Ok(vec![
        ("written", (!args.dry_run).into()),
        ("days_to_fold", days.len().into()),
        ("first", name(days.first())),
        ("last", name(days.last())),
        ("days_folded", sum.days.into()),
        ("hours_folded", sum.hours.into()),
        ("hours_left_to_another_writer", sum.refused.into()),
    ])
}

fn retain(args: &RetainArgs, books: &Books, cluster: &ClusterId) -> anyhow::Result<Facts> {
    let newest = newest(books, cluster)?;
    let before = |flag, text: Option<&str>| -> anyhow::Result<Option<Timestamp>> {
        let Some(text) = text else { return Ok(None) };
        Ok(Some(newest.checked_sub(age(flag, text)?)?))
    };
    if let Some(text) = args.charges.as_deref() {
        let least = SignedDuration::from_hours(24 * CHARGES_DAYS_MIN);
        if age("--charges", text)? < least {
            return Err(WrongUse::new(format!("--charges {text} is too short"))
                .hint(format!(
                    "at least {CHARGES_DAYS_MIN}d: budgets of a quarter sum charges that are kept"
                ))
                .into());
        }
    }
    let asked = Retention {
        telemetry_before: before("--telemetry", args.telemetry.as_deref())?,
        charges_before: before("--charges", args.charges.as_deref())?,
    };
    let released = books.release(cluster, asked, args.dry_run)?;
    let text = |at: Option<Timestamp>| at.map_or(Value::Null, |at| at.to_string().into());
    Ok(vec![
        ("written", (!args.dry_run).into()),
        ("telemetry_before", text(released.retention.telemetry_before)),
        ("charges_before", text(released.retention.charges_before)),
        ("hours_of_telemetry", released.telemetry_hours.into()),
        ("hours_of_charges", released.charge_hours.into()),
        ("files", released.files.into()),
    ])
}

fn migrate(args: &MigrateArgs, books: &Books, cluster: &ClusterId) -> anyhow::Result<Facts> {
    let migrated = books.migrate(cluster, args.dry_run)?;
    Ok(vec![
        ("written", (!args.dry_run).into()),
        ("files_of_charges", migrated.charges.into()),
        ("files_of_telemetry", migrated.telemetry.into()),
        ("files_of_the_newest_format_before", migrated.current.into()),
    ])
}

/// A duration, in days too.
fn age(flag: &str, text: &str) -> anyhow::Result<SignedDuration> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    match days.filter(|days| (0..=100_000).contains(days)) {
        Some(days) => Ok(SignedDuration::from_hours(24 * days)),
        None => duration(flag, text),
    }
}
