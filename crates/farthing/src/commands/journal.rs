//! `farthing journal`: the records handed out in a file, and the keys that sign and check.

use super::print;
use crate::args::{JournalArgs, JournalExportArgs, JournalWhat, Output, VerifyArgs};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::table::{Align, Table};
use anyhow::Context as _;
use farthing_edge::Head;
use farthing_edge::check::{JournalCheck, JournalFault};
use farthing_model::ClusterId;
use farthing_providers::archive;
use farthing_providers::signing::{Audit, PublicKey};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Hands out the journal, or shows its key.
pub(crate) fn run(args: &JournalArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    match &args.what {
        JournalWhat::Export(JournalExportArgs { out, cluster }) => {
            let cluster = home.cluster(cluster.as_deref())?;
            let head = write(home, &cluster, out)?;
            told(
                output,
                &[
                    ("file", json!(out.display().to_string())),
                    ("cluster", json!(cluster.as_str())),
                    ("records", json!(head.seq)),
                ],
            )
        }
        JournalWhat::Key => {
            home.make_folder()?;
            let key = home.signer()?.public();
            let text = || Ok(key.to_string());
            let table = || {
                let mut table = Table::new(&[("key", Align::Left)]);
                table.row([key.to_string()]);
                Ok(table)
            };
            let json = || Ok(json!({ "key": key.to_string(), "pem": key.to_pem() }));
            print(output, text, json, table)?;
            Ok(Outcome::Done)
        }
    }
}

/// Prints what was done, as rows of a name and a value.
pub(crate) fn told(output: Output, facts: &[(&str, Value)]) -> anyhow::Result<Outcome> {
    let rows = || {
        let mut table = Table::new(&[("what", Align::Left), ("value", Align::Left)]);
        for (name, value) in facts {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            table.row([(*name).to_owned(), text]);
        }
        Ok(table)
    };
    let object = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    print(output, || Ok(rows()?.to_text()), || Ok(Value::Object(object)), rows)?;
    Ok(Outcome::Done)
}

/// Writes a journal to a file that is not there before, whole or not at all.
pub(crate) fn write(home: &Home, cluster: &ClusterId, file: &Path) -> anyhow::Result<Head> {
    if file.exists() {
        let what = format!("{}: is there already", file.display());
        return Err(WrongUse::new(what).hint("name another file").into());
    }
    if !home.store().has(cluster)? {
        return Err(WrongUse::new(format!("{cluster} has no journal")).into());
    }
    home.make_folder()?;
    let signer = home.signer()?;
    let journal = home.store().look(cluster)?;
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let put = || {
        let opened = OpenOptions::new().write(true).create(true).truncate(true).open(&partial)?;
        let mut out = BufWriter::new(opened);
        let head = archive::write(&*journal, cluster.as_str(), &signer, &mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&partial, file)?;
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        anyhow::Ok(head)
    };
    let done = put();
    if done.is_err() {
        let _ = fs::remove_file(&partial);
    }
    done.with_context(|| format!("{} cannot be written", file.display()))
}

/// The keys that are trusted to sign.
pub(crate) struct Keys {
    trusted: Vec<PublicKey>,
    /// Whether they were named, so that a journal without their signature does not hold.
    named: bool,
}

impl Keys {
    /// Those of `farthing verify`.
    pub(crate) fn of(args: &VerifyArgs, home: &Home) -> anyhow::Result<Self> {
        Self::named(&args.keys, home)
    }

    /// Those that were named, or that of the key that signs here.
    pub(crate) fn named(names: &[String], home: &Home) -> anyhow::Result<Self> {
        let read = |name: &String| match name.parse::<PublicKey>() {
            Ok(key) => Ok(key),
            Err(_) if Path::new(name).exists() => PublicKey::load(Path::new(name)),
            Err(error) => Err(error),
        };
        let trusted: Result<Vec<PublicKey>, _> = names.iter().map(read).collect();
        let mut trusted = trusted
            .map_err(|error| WrongUse::new(format!("--key {}", super::plan::chain(&error))))?;
        let named = !trusted.is_empty();
        if !named {
            trusted.extend(home.public_key()?);
        }
        Ok(Self { trusted, named })
    }

    /// All of them; where there is none, any key will do.
    pub(crate) fn trusted(&self) -> &[PublicKey] {
        &self.trusted
    }

    /// What is wrong with a key that signed, if anything.
    pub(crate) fn fault(&self, key: PublicKey) -> Option<String> {
        let is_known = self.trusted.is_empty() || self.trusted.contains(&key);
        (!is_known).then(|| {
            format!("it is signed by the key {key}, which is not one that is trusted (--key)")
        })
    }

    /// Adds what is wrong with the checkpoints to what is wrong with the records, which come first;
    /// says in words how far the journal is signed.
    pub(crate) fn judge(&self, audit: Audit<'_>, journal: &mut JournalCheck) -> String {
        let by: Vec<String> = audit.keys.iter().map(ToString::to_string).collect();
        let mut fault = audit.first_fault;
        if audit.checkpoints == 0 && self.named && fault.is_none() {
            let what = "nothing in it is signed".to_owned();
            fault = Some(JournalFault { seq: None, what });
        }
        if journal.first_fault.is_none() {
            journal.first_fault = fault;
        }
        if audit.checkpoints == 0 {
            return "not signed".to_owned();
        }
        let unknown = if self.trusted.is_empty() { ", which nobody here knows" } else { "" };
        format!("signed up to record {} by {}{unknown}", audit.signed, by.join(", "))
    }
}
