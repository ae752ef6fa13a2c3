//! A journal that was handed out: checked by itself, and against the journal where that is here.

use super::tell;
use crate::args::Output;
use crate::commands::journal::Keys;
use crate::home::Home;
use crate::outcome::Outcome;
use anyhow::Context as _;
use farthing_edge::Record;
use farthing_edge::check::Known;
use farthing_model::ClusterId;
use farthing_providers::archive::{self, Archive, ReadError};
use farthing_providers::signing::Audit;
use farthing_server::wire::{CheckJson, FaultJson};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// What was found.
pub(super) struct Exported {
    file: String,
    archive: Option<Archive>,
    pub(super) check: CheckJson,
}

/// Checks a file. That it does not hold is no error.
pub(super) fn check(file: &Path, keys: &Keys) -> anyhow::Result<Exported> {
    let name = file.display().to_string();
    let opened = File::open(file).with_context(|| format!("{name} cannot be read"))?;
    let (mut records, mut checked) = (Vec::new(), 0);
    let read = archive::read(&mut BufReader::new(opened), &mut |_, record: Record| {
        checked += 1;
        // Few are checkpoints, and only they are looked at again.
        if record.body.contains("checkpoint") {
            records.push(record);
        }
        Ok::<(), ReadError>(())
    });
    let fault = |row: Option<u64>, what: String| FaultJson { file: Some(name.clone()), row, what };
    let (archive, first_fault, mut notes) = match read {
        Err(error) => (None, Some(fault(Some(error.line), error.what)), Vec::new()),
        Ok(archive) => {
            let mut audit = Audit::new(&archive.cluster, keys.trusted());
            for record in &records {
                audit.see(record);
            }
            let broken = audit.first_fault.map(|broken| fault(None, broken.to_string()));
            let broken = broken.or_else(|| keys.fault(archive.key).map(|what| fault(None, what)));
            let note = format!("signed up to record {} by {}", archive.head.seq, archive.key);
            (Some(archive), broken, vec![note])
        }
    };
    if first_fault.is_some() {
        notes.clear();
    }
    let check = CheckJson { ok: first_fault.is_none(), checked, first_fault, notes };
    Ok(Exported { file: name, archive, check })
}

impl Exported {
    /// Whose journal it is.
    pub(super) fn cluster(&self) -> Option<&str> {
        self.archive.as_ref().map(|archive| archive.cluster.as_str())
    }

    /// What the journal must have.
    pub(super) fn known(&self) -> Option<Known<'_>> {
        let archive = self.archive.as_ref()?;
        Some(Known { head: archive.head, by: &self.file })
    }

    /// Whether the journal itself can be looked at from here.
    pub(super) fn is_here(&self, home: &Home) -> bool {
        let cluster = self.cluster().and_then(|name| ClusterId::new(name).ok());
        cluster.is_some_and(|cluster| home.store().has(&cluster).unwrap_or(false))
    }

    /// Tells of the file alone.
    pub(super) fn alone(&self, output: Output) -> anyhow::Result<Outcome> {
        tell(&[("exported", &self.check)], output)
    }
}
