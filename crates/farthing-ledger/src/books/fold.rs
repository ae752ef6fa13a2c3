//! Compaction: the ticks of an hour become one file, and so do the hours of a day. What is read is
//! the same before, after, and wherever a crash cuts it off.
//!
//! A day is folded in three steps: its file is written with all its hours, and read back and
//! compared; each hour's own file is then given up, and only if it is still the one that was
//! folded; then it is deleted. In a folder the lock of the books holds writers off meanwhile. An
//! object store has no delete that depends on what is deleted, so a file is first replaced, which
//! does depend on it, by a line that says that it was folded: who reads that looks into the day's
//! file, and who would replace it is refused.

use super::day;
use super::{Books, BooksError, COMPACTED, Hour, HourBook, charge_file, generation, hour_in};
use super::{segment_file, sorted};
use crate::meter::Metered;
use bytes::Bytes;
use farthing_model::{ClusterId, PerResource, Window, utc_day};
use jiff::Timestamp;
use jiff::civil::Date;
use object_store::{UpdateVersion, path::Path};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for a moment in the place of an hour that was folded.
pub(super) const GIVEN_UP: &[u8] = b"farthing: folded into the file of its day\n";

/// Rows of a group of ticks, some tens of megabytes while it is written: names that each of them
/// has are written once in each group.
const GROUP_ROWS: usize = 100_000;

/// What was folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Days whose file was written.
    pub days: u64,
    /// Files of hours that went into them.
    pub hours: u64,
    /// Files that were given up and replaced by another writer meanwhile: they stand.
    pub refused: u64,
}

/// The file of an hour that is folded.
struct Loose {
    path: Path,
    version: UpdateVersion,
}

impl Books {
    /// Folds the ticks of the hour that holds `at` into one file. A crash on the way loses nothing
    /// and doubles nothing; nor does another one that folds the same hour.
    ///
    /// # Errors
    /// A file cannot be read, written or deleted.
    pub fn compact(&self, cluster: &ClusterId, at: Timestamp) -> Result<(), BooksError> {
        let folder = Hour::of(at).telemetry(cluster);
        let _lock = self.lock()?;
        // The version before the files: what is folded in later is then noticed.
        let path = folder.clone().join(COMPACTED);
        let known = self.standing(&path)?.1;
        let files = self.list(&folder)?;
        let loose = || files.iter().filter(|path| path.filename() != Some(COMPACTED));
        if loose().next().is_none() {
            return Ok(());
        }
        let bytes = self.joined(&self.name(&path), &files)?;
        self.swap(&path, &bytes, known)?;
        loose().try_for_each(|path| self.delete(path))
    }

    /// Files of ticks as one.
    fn joined(&self, name: &str, files: &[Path]) -> Result<Bytes, BooksError> {
        if files.iter().any(|path| path.filename() == Some(COMPACTED)) {
            return segment_file::encode(name, &self.read_segments(files)?);
        }
        let segments = files.iter().flat_map(|path| self.segments_in(path));
        segment_file::encode_each(name, GROUP_ROWS, segments)
    }

    /// The days that have files of single hours which end before `before`, and are over then.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn loose_days(
        &self,
        cluster: &ClusterId,
        before: Timestamp,
    ) -> Result<Vec<Date>, BooksError> {
        let files = self.list(&super::root_of(cluster).join("charges"))?;
        let hour = |path: &Path| hour_in(path.as_ref().strip_suffix(".parquet")?);
        let days = files.iter().filter_map(hour).map(|hour| utc_day(hour.from()));
        Ok(days.filter(|day| *day < utc_day(before)).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Folds the hours of a day into one file.
    ///
    /// # Errors
    /// A file cannot be read, written or deleted, or is damaged; what was read before is read as
    /// before, and doing it again completes it.
    pub fn fold_day(&self, cluster: &ClusterId, date: Date) -> Result<Folded, BooksError> {
        let _lock = self.lock()?;
        let path = day::path(cluster, date);
        let (standing, known) = self.standing(&path)?;
        let name = self.name(&path);
        let mut hours = match standing {
            Some(bytes) => day::Day::open(&name, bytes)?.hours()?,
            None => BTreeMap::new(),
        };
        let (mut loose, mut given_up) = (Vec::new(), Vec::new());
        for hour in hours_of(date) {
            let path = Hour::of(hour.from()).charges(cluster);
            let (bytes, version, is_given_up) = self.standing_or_given_up(&path)?;
            if let Some(bytes) = bytes {
                let book = charge_file::open(&self.name(&path), bytes)?;
                hours.insert(hour.from(), book);
                loose.push(Loose { path, version });
            } else if is_given_up {
                given_up.push(path);
            }
        }
        // Left by a crash after they had been given up, which is after the day was written.
        given_up.iter().try_for_each(|path| self.delete(path))?;
        if loose.is_empty() {
            return Ok(Folded::default());
        }
        let bytes = day::encode(&name, &hours)?;
        compare(&name, &hours, &bytes)?;
        self.swap(&path, &bytes, known)?;
        let mut folded = Folded { days: 1, hours: 0, refused: 0 };
        for Loose { path, version } in loose {
            match self.give_up(&path, version) {
                Ok(()) => folded.hours += 1,
                Err(BooksError::Conflict { .. }) => folded.refused += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(folded)
    }

    /// Deletes a file that was folded, if it still is what was folded.
    fn give_up(&self, path: &Path, version: UpdateVersion) -> Result<(), BooksError> {
        if self.folder.is_none() {
            self.swap(path, &Bytes::from_static(GIVEN_UP), version)?;
        }
        self.delete(path)
    }

    /// An hour that is in a day's file and has a file of its own, if there is one: compaction was
    /// cut off, and whoever reads all files would count it twice.
    ///
    /// # Errors
    /// The store cannot be listed or read.
    pub fn folded_twice(&self, cluster: &ClusterId) -> Result<Option<Window>, BooksError> {
        let files = self.list(&super::root_of(cluster).join("charges"))?;
        let hour = |path: &Path| hour_in(path.as_ref().strip_suffix(".parquet")?);
        let loose: BTreeSet<Window> = files.iter().filter_map(hour).collect();
        let dates: BTreeSet<Date> = loose.iter().map(|hour| utc_day(hour.from())).collect();
        for file in &files {
            if day::day_in(file).is_some_and(|date| dates.contains(&date)) {
                let hours = self.hours_of_day(file)?;
                if let Some(twice) = hours.into_iter().find(|hour| loose.contains(hour)) {
                    return Ok(Some(twice));
                }
            }
        }
        Ok(None)
    }

    /// Waits until no other process changes these books, where they are a folder.
    pub(super) fn lock(&self) -> Result<Option<std::fs::File>, BooksError> {
        self.folder.as_deref().map(generation::lock).transpose()
    }
}

impl HourBook {
    /// As it was metered, as far as books keep that: its rows are all in memory.
    ///
    /// # Errors
    /// As [`HourBook::charges`].
    pub(super) fn restored(&self) -> Result<Metered, BooksError> {
        let charges = charge_file::decode(&self.cluster, self.currency, self.rows.batches()?)?;
        Ok(Metered {
            cluster: self.cluster.clone(),
            window: self.window,
            currency: self.currency,
            method: self.method,
            weights: self.weights.clone(),
            charges,
            paid: self.paid,
            list: self.list,
            usage: PerResource::default(),
            coverage: self.coverage,
            overcommits: Vec::new(),
            unpriced: self.unpriced.clone(),
            duplicates: 0,
            faults: Vec::new(),
        })
    }
}

/// The hours of a day.
fn hours_of(date: Date) -> impl Iterator<Item = Window> {
    (0..24).filter_map(move |hour| {
        let at = jiff::tz::Offset::UTC.to_timestamp(date.at(hour, 0, 0, 0)).ok()?;
        Window::hour_of(at)
    })
}

/// Reads back what is about to be written: every hour must say what it said.
fn compare(
    file: &str,
    hours: &BTreeMap<Timestamp, HourBook>,
    bytes: &Bytes,
) -> Result<(), BooksError> {
    let back = day::Day::open(file, bytes.clone())?.hours()?;
    for (begin, before) in hours {
        let same = back.get(begin).map(|after| says_the_same(before, after)).transpose()?;
        if same != Some(true) {
            let what = format!("the hour of {begin} would not be in it as it was");
            return Err(BooksError::damaged(file, &what));
        }
    }
    Ok(())
}

/// Whether two books of an hour say the same, row by row.
pub(super) fn says_the_same(a: &HourBook, b: &HourBook) -> Result<bool, BooksError> {
    let (mut one, mut other) = (a.restored()?, b.restored()?);
    let same_charges = sorted(&one.charges) == sorted(&other.charges);
    one.charges.clear();
    other.charges.clear();
    Ok(same_charges
        && one == other
        && a.journal == b.journal
        && a.corrections == b.corrections
        && a.generation.seal() == b.generation.seal())
}
