//! `farthing verify`: the ledger conserves, the journal's chain holds, and each has what the other
//! knows of it.

mod exported;

use self::exported::Exported;
use super::print;
use crate::args::{Output, VerifyArgs};
use crate::commands::journal::Keys;
use crate::home::Home;
use crate::outcome::Outcome;
use crate::table::{Align, Table};
use farthing_edge::check::{JournalCheck, JournalFault, Known};
use farthing_edge::{Class, Head, Record};
use farthing_engine::Body;
use farthing_ledger::{Books, FirstFault, LedgerCheck, verify};
use farthing_model::{ClusterId, Window};
use farthing_providers::signing::Audit;
use farthing_server::wire::{self, CheckJson, FaultJson};
use jiff::Timestamp;

/// Checks both and prints the first fault of each.
pub(crate) fn run(args: &VerifyArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let keys = Keys::of(args, home)?;
    let exported = args.exported.as_deref().map(|file| exported::check(file, &keys)).transpose()?;
    if let Some(exported) = exported.as_ref().filter(|it| !it.is_here(home)) {
        return exported.alone(output);
    }
    let asked = exported.as_ref().and_then(Exported::cluster).or(args.cluster.as_deref());
    let cluster = home.cluster(asked)?;
    let books = home.books()?;
    let mut ledger = verify(&books, &cluster)?;
    let (mut closed, mut audit) = (None, Audit::new(cluster.as_str(), keys.trusted()));
    let known = exported.as_ref().and_then(Exported::known);
    let (mut journal, is_there) = journal((home, &cluster), &ledger, known, &mut |record| {
        audit.see(record);
        if let Ok(Body::Closed { posted_until: Some(until) }) = Body::read(record) {
            closed = until.parse().ok().map(|until| (record.seq, until));
        }
    })?;
    let signed = keys.judge(audit, &mut journal);
    if let Some(closed) = closed.filter(|_| ledger.ok) {
        ledger.first_fault = cut_off(&books, &cluster, ledger.posted_until, closed);
        ledger.ok = ledger.first_fault.is_none();
    }
    let file = home.store().place(&cluster);
    let fault = journal.first_fault.as_ref();
    let mut result = wire::verify(
        &ledger,
        wire::JournalCheck {
            checked: journal.checked,
            file: &file,
            fault: fault.map(|fault| (fault.seq, fault.what.as_str())),
            sealed: is_there.then_some(journal.sealed || home.store().is_shared(&cluster)),
        },
    );
    if result.journal.ok && is_there {
        result.journal.notes.push(signed);
    }
    let mut parts = vec![("ledger", &result.ledger), ("journal", &result.journal)];
    parts.extend(exported.as_ref().map(|exported| ("exported", &exported.check)));
    tell(&parts, output)
}

/// Prints what each part was found to be, and says whether all hold.
fn tell(parts: &[(&str, &CheckJson)], output: Output) -> anyhow::Result<Outcome> {
    let rows = || {
        let mut table = Table::new(&[
            ("what", Align::Left),
            ("holds", Align::Left),
            ("checked", Align::Left),
            ("first fault", Align::Left),
            ("to know", Align::Left),
        ]);
        for (name, check) in parts {
            let (of, place) = match *name {
                "ledger" => ("hours", "row"),
                "journal" => ("records", "record"),
                _ => ("records", "line"),
            };
            table.row(row(name, of, place, check));
        }
        Ok(table)
    };
    let json = || {
        let parts = parts
            .iter()
            .map(|(name, check)| Ok(((*name).to_owned(), serde_json::to_value(check)?)));
        parts.collect::<anyhow::Result<serde_json::Map<_, _>>>().map(serde_json::Value::Object)
    };
    print(output, || Ok(rows()?.to_text()), json, rows)?;
    let all_hold = parts.iter().all(|(_, check)| check.ok);
    Ok(if all_hold { Outcome::Done } else { Outcome::Failed })
}

/// The check of the journal, and whether there is one; that there is none is a fault of it, unless
/// the books were imported: then no hour of them was posted with one.
fn journal(
    (home, cluster): (&Home, &ClusterId),
    ledger: &LedgerCheck,
    exported: Option<Known<'_>>,
    visit: &mut dyn FnMut(&Record),
) -> anyhow::Result<(JournalCheck, bool)> {
    let known: Vec<Known<'_>> = ledger
        .marks
        .iter()
        .map(|(file, mark)| Known { head: Head { seq: mark.seq, hash: mark.hash }, by: file })
        .chain(exported)
        .collect();
    match home.store().verify(cluster, &known, visit) {
        Err(error) if error.class() == Class::NotFound => {
            let imported = ledger.checked > 0 && ledger.marks.is_empty();
            let fault = JournalFault { seq: None, what: "there is no such file".to_owned() };
            let first_fault = (!imported).then_some(fault);
            let none = JournalCheck { checked: 0, head: Head::GENESIS, sealed: false, first_fault };
            Ok((none, false))
        }
        checked => Ok((checked?, true)),
    }
}

/// The fault that the books end before the moment that the journal says they reached.
fn cut_off(
    books: &Books,
    cluster: &ClusterId,
    until: Option<Timestamp>,
    (seq, closed): (u64, Timestamp),
) -> Option<FirstFault> {
    if until >= Some(closed) {
        return None;
    }
    let last = closed.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()?;
    let file = books.charges_file(cluster, Window::hour_of(last)?);
    let what = format!("it was posted until {closed}, as record {seq} of the journal says");
    let is = until.map_or_else(|| "nothing is".to_owned(), |until| format!("{until} is the end"));
    Some(FirstFault { file, row: None, what: format!("{what}, and {is}") })
}

fn row(name: &str, of: &str, place: &str, check: &CheckJson) -> [String; 5] {
    let fault = check.first_fault.as_ref().map(|fault| located(fault, place));
    let notes = (!check.notes.is_empty()).then(|| check.notes.join("; "));
    [
        name.to_owned(),
        if check.ok { "yes" } else { "NO" }.to_owned(),
        format!("{} {of}", check.checked),
        fault.unwrap_or_else(|| "-".to_owned()),
        notes.unwrap_or_else(|| "-".to_owned()),
    ]
}

/// A fault with its file and the row or record of it.
fn located(fault: &FaultJson, place: &str) -> String {
    let file = fault.file.as_ref().map_or_else(String::new, |file| format!("{file}: "));
    let row = fault.row.map_or_else(String::new, |row| format!("{place} {row}: "));
    format!("{file}{row}{}", fault.what)
}
