//! `farthing store`: a journal to a file and back, from any store to any other.

use super::journal::{Keys, told, write};
use crate::args::{BackupArgs, Output, RestoreArgs, StoreArgs, StoreWhat};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::store::{Journal, Turn};
use anyhow::{Context as _, anyhow, bail};
use farthing_edge::check::Known;
use farthing_edge::{Head, NewRecord, Record, Store as _};
use farthing_ledger::Copied;
use farthing_model::ClusterId;
use farthing_providers::archive::{self, Archive};
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Records that are appended at once.
const AT_ONCE: usize = 1_000;

/// Backs up, or puts back.
pub(crate) fn run(args: &StoreArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    match &args.what {
        StoreWhat::Backup(args) => backup(args, home, output),
        StoreWhat::Restore(args) => restore(args, home, output),
    }
}

fn backup(args: &BackupArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let BackupArgs { file, cluster, with_books } = args;
    let home = &home.clone().as_last_run()?;
    let cluster = home.cluster(cluster.as_deref())?;
    // The books first: what they know of the journal is then in what is written of it.
    let books = match with_books {
        Some(to) => {
            let (from, to_books) = (home.books()?, Home::books_at(to)?);
            // Where nobody else runs the loop nobody does meanwhile, and the newest hour is done.
            let turn = home.turn(&cluster)?;
            let running = !matches!(turn, Some(Turn::Leads(_)));
            Some((to, from.copy_to(&to_books, &cluster, running)?))
        }
        None => None,
    };
    let head = write(home, &cluster, file)?;
    let mut facts = vec![
        ("file", json!(file.display().to_string())),
        ("cluster", json!(cluster.as_str())),
        ("records", json!(head.seq)),
    ];
    match books {
        None => facts.push(("books", json!("not in it: --with-books FOLDER copies them, too"))),
        Some((to, Copied { files, bytes, until })) => {
            facts.push(("books", json!(to)));
            facts.push(("books_files", json!(files)));
            facts.push(("books_bytes", json!(bytes)));
            let until = until.map_or_else(|| "the end".to_owned(), |until| until.to_string());
            facts.push(("books_until", json!(until)));
        }
    }
    told(output, &facts)
}

fn restore(args: &RestoreArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let file = args.file.display().to_string();
    let keys = Keys::named(&args.keys, home)?;
    // Read twice: nothing is written before all of it is known to hold.
    let archive = records(&args.file, &mut |_| Ok(()))?;
    if let Some(what) = keys.fault(archive.key) {
        bail!("{file}: {what}");
    }
    let cluster = ClusterId::new(&archive.cluster).with_context(|| file.clone())?;
    home.make_folder()?;
    let place = home.store().place(&cluster);
    let (mut target, mut turn) = home.store().open_alone(&cluster)?;
    if args.replace && target.head()? != Head::GENESIS {
        drop((target, turn));
        home.store().forget(&cluster)?;
        (target, turn) = home.store().open_alone(&cluster)?;
    }
    let from = target.head()?;
    if !has(&args.file, &from)? {
        let what = format!("{place}: there is another journal, of {} records", from.seq);
        return Err(WrongUse::new(what)
            .hint("--replace puts the file in its place; `farthing store backup` keeps it first")
            .into());
    }
    append_from(&args.file, &mut target, from)?;
    drop((target, turn));
    let known = [Known { head: archive.head, by: &file }];
    let check = home.store().verify(&cluster, &known, &mut |_| {})?;
    if let Some(fault) = check.first_fault {
        bail!("{place}: what was put back does not hold: {fault}");
    }
    home.begin_if_new(&cluster)?;
    told(
        output,
        &[
            ("file", json!(file)),
            ("store", json!(place)),
            ("cluster", json!(cluster.as_str())),
            ("records", json!(check.checked)),
            ("were_there", json!(from.seq)),
        ],
    )
}

/// Whether the file has a record, so that what comes after it can be appended to it.
fn has(file: &Path, head: &Head) -> anyhow::Result<bool> {
    let mut found = *head == Head::GENESIS;
    records(file, &mut |record| {
        found |= record.seq == head.seq && record.hash == head.hash;
        Ok(())
    })?;
    Ok(found)
}

/// Appends what comes after `head`.
fn append_from(file: &Path, target: &mut Journal, mut head: Head) -> anyhow::Result<()> {
    let mut waiting: Vec<NewRecord> = Vec::with_capacity(AT_ONCE);
    let from = head.seq;
    let mut put = |waiting: &mut Vec<NewRecord>| {
        let written = target.append(&head, waiting)?;
        if let Some(last) = written.last() {
            head = Head { seq: last.seq, hash: last.hash };
        }
        waiting.clear();
        anyhow::Ok(())
    };
    records(file, &mut |record| {
        if record.seq > from {
            let Record { at, kind, body, .. } = record;
            waiting.push(NewRecord { at, kind, body });
        }
        if waiting.len() == AT_ONCE { put(&mut waiting) } else { Ok(()) }
    })?;
    if waiting.is_empty() { Ok(()) } else { put(&mut waiting) }
}

/// Reads a file; each record holds.
fn records(
    file: &Path,
    visit: &mut dyn FnMut(Record) -> anyhow::Result<()>,
) -> anyhow::Result<Archive> {
    let name = file.display();
    let opened = File::open(file).with_context(|| format!("{name} cannot be read"))?;
    archive::read(&mut BufReader::new(opened), &mut |_, record| visit(record))
        .map_err(|error| anyhow!("{name}: {error:#}"))
}
