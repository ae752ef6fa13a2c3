//! Files of earlier formats, written again in the newest. They are read as they are at any time, so
//! that nobody has to; a program that knows only the newest format then reads them too.
//!
//! Each file is read back and compared before it takes the place of the one that it was made from,
//! in one step: a crash leaves each file old or new.

use super::charge_file::{self, FORMAT};
use super::columns::Sealed;
use super::fold::says_the_same;
use super::{Books, BooksError, hour_in, root_of, segment_file};
use bytes::Bytes;
use farthing_model::ClusterId;

/// What was written again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Files of charges.
    pub charges: u64,
    /// Files of telemetry.
    pub telemetry: u64,
    /// Files that were of the newest format before.
    pub current: u64,
}

impl Books {
    /// Writes all files of a cluster that are of an earlier format again; a dry run only counts
    /// them.
    ///
    /// # Errors
    /// A file cannot be read or written, or is damaged, or another writer replaced it meanwhile;
    /// the files before it are done, and doing it again does the rest.
    pub fn migrate(&self, cluster: &ClusterId, dry_run: bool) -> Result<Migrated, BooksError> {
        let mut migrated = Migrated::default();
        for path in self.list(&root_of(cluster))? {
            let is_charges =
                path.as_ref().strip_suffix(".parquet").is_some_and(|name| hour_in(name).is_some());
            let is_telemetry = path.as_ref().contains("/telemetry/");
            if !is_charges && !is_telemetry {
                // The file of a day is of the format that it was folded in.
                continue;
            }
            let _lock = self.lock()?;
            let (Some(bytes), version) = self.standing(&path)? else { continue };
            let name = self.name(&path);
            if Sealed::open(&name, bytes.clone())?.line("farthing.format")? == FORMAT {
                migrated.current += 1;
                continue;
            }
            let new = if is_charges { charges(&name, bytes)? } else { telemetry(&name, bytes)? };
            if !dry_run {
                self.swap(&path, &new, version)?;
            }
            migrated.charges += u64::from(is_charges);
            migrated.telemetry += u64::from(!is_charges);
        }
        Ok(migrated)
    }
}

fn changed(file: &str) -> BooksError {
    BooksError::damaged(file, "it would not say the same in the newest format")
}

fn charges(file: &str, bytes: Bytes) -> Result<Bytes, BooksError> {
    let old = charge_file::open(file, bytes)?;
    let new = charge_file::encode(file, &old.restored()?, old.journal, &old.corrections)?;
    let mut back = charge_file::open(file, new.clone())?;
    // Another writing, which says the same.
    back.generation = old.generation.clone();
    if says_the_same(&old, &back)? { Ok(new) } else { Err(changed(file)) }
}

fn telemetry(file: &str, bytes: Bytes) -> Result<Bytes, BooksError> {
    let old = segment_file::decode(file, bytes)?;
    let new = segment_file::encode(file, &old)?;
    if segment_file::decode(file, new.clone())? == old { Ok(new) } else { Err(changed(file)) }
}
