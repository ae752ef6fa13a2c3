//! What was read of price books, kept for the next time.
//!
//! One file for each set of paths. It names the files that it was made from by path, size, times
//! and inode, the tables of names, and the days for which it holds; whatever differs makes it
//! worthless. Damage is found by a checksum and costs a reading of the files, nothing else. Nothing
//! here decides what an offer is.

mod bytes;
mod parts;

use super::catalogue::Catalogue;
use super::import::folder::SourceFile;
use super::{import, names};
use bytes::{Reader, Writer};
use flate2::Crc;
use jiff::civil::Date;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// First bytes of a file; the number grows when the form changes.
const MAGIC: &[u8; 8] = b"FARTHP03";
/// Files that are kept; the oldest go.
const FILES_MAX: usize = 8;
/// Largest file that is read.
const BYTES_MAX: u64 = 1 << 30;
/// A file that changed so shortly ago may change again within one tick of its times.
const SETTLED: Duration = Duration::from_secs(2);

/// What a cache may be found under.
pub(crate) struct Slot {
    file: PathBuf,
    folder: PathBuf,
    identity: Vec<u8>,
    settled: bool,
}

/// What a look into a cache gave.
pub(crate) enum Kept {
    /// What the files say.
    Found(Box<Catalogue>),
    /// Nothing for these files.
    Nothing,
    /// Bytes that are not what was written.
    Damaged,
}

/// The days for which a reading holds: from the first, and before the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) since: Option<Date>,
    pub(crate) until: Option<Date>,
}

impl Days {
    fn hold(self, today: Option<Date>) -> bool {
        match today {
            Some(today) => {
                self.since.is_none_or(|since| since <= today)
                    && self.until.is_none_or(|until| today < until)
            }
            None => self.until.is_none(),
        }
    }
}

impl Slot {
    /// Where the reading of `files` is kept under `folder`; `None` where a file cannot be looked
    /// at.
    pub(crate) fn of(files: &[SourceFile], folder: &Path) -> Option<Self> {
        let (mut identity, mut place) = (Writer::default(), Crc::new());
        let mut settled = true;
        identity.u32(fingerprint());
        let now = SystemTime::now();
        for file in files {
            let path = fs::canonicalize(&file.path).ok()?;
            let meta = fs::metadata(&path).ok()?;
            let text = path.to_string_lossy();
            place.update(text.as_bytes());
            place.update(&[0]);
            identity.text(&text);
            identity.text(file.provider.as_deref().unwrap_or_default());
            for number in [meta.dev(), meta.ino(), meta.len()] {
                identity.u64(number);
            }
            for number in [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()] {
                identity.i64(number);
            }
            let changed = u64::try_from(meta.ctime().max(meta.mtime())).unwrap_or(0);
            let age = now.duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(changed));
            settled &= age.is_ok_and(|age| age >= SETTLED);
        }
        let name = format!("prices-{:08x}-{:04x}.bin", place.sum(), place.amount());
        let (file, folder) = (folder.join(name), folder.to_owned());
        Some(Self { file, folder, identity: identity.done(), settled })
    }

    /// What is kept for the files as they are now, and for the day.
    pub(crate) fn find(&self, today: Option<Date>) -> Kept {
        let Ok(meta) = fs::metadata(&self.file) else { return Kept::Nothing };
        if !meta.is_file() || meta.len() > BYTES_MAX {
            return Kept::Damaged;
        }
        let Ok(bytes) = fs::read(&self.file) else { return Kept::Damaged };
        let Some((magic, rest)) = bytes.split_at_checked(MAGIC.len()) else {
            return Kept::Damaged;
        };
        let mut reader = Reader::new(rest);
        let (Some(sum), true) = (reader.u32(), magic == MAGIC) else { return Kept::Damaged };
        let mut crc = Crc::new();
        crc.update(reader.rest());
        if crc.sum() != sum {
            return Kept::Damaged;
        }
        match reader.bytes() {
            Some(identity) if identity == self.identity => {}
            Some(_) => return Kept::Nothing,
            None => return Kept::Damaged,
        }
        let (Some(since), Some(until)) = (reader.date(), reader.date()) else {
            return Kept::Damaged;
        };
        if !(Days { since, until }).hold(today) {
            return Kept::Nothing;
        }
        match parts::read(&mut reader) {
            Some(catalogue) => Kept::Found(Box::new(catalogue)),
            None => Kept::Damaged,
        }
    }

    /// Keeps a reading. What cannot be written is no loss.
    pub(crate) fn keep(&self, catalogue: &Catalogue, days: Days) {
        if self.settled && self.write(catalogue, days).is_ok() {
            self.tidy();
        }
    }

    fn write(&self, catalogue: &Catalogue, days: Days) -> std::io::Result<()> {
        let mut body = Writer::default();
        body.bytes(&self.identity);
        body.date(days.since);
        body.date(days.until);
        parts::write(catalogue, &mut body);
        let body = body.done();
        let mut crc = Crc::new();
        crc.update(&body);
        fs::create_dir_all(&self.folder)?;
        // Another process may do the same: each writes its own file, and the rename is whole.
        let half = self.file.with_extension(format!("{}.half", std::process::id()));
        let written = File::create(&half).and_then(|mut file| {
            file.write_all(MAGIC)?;
            file.write_all(&crc.sum().to_le_bytes())?;
            file.write_all(&body)
        });
        let done = written.and_then(|()| fs::rename(&half, &self.file));
        if done.is_err() {
            let _ = fs::remove_file(&half);
        }
        done
    }

    /// Removes the oldest files beyond the limit.
    fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let ours = |path: &Path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            name.is_some_and(|name| name.starts_with("prices-"))
        };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| ours(path))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        files.sort();
        let beyond = files.len().saturating_sub(FILES_MAX);
        for (_, path) in files.into_iter().take(beyond) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Of the program and of the tables that say what names mean.
fn fingerprint() -> u32 {
    let mut crc = Crc::new();
    crc.update(env!("CARGO_PKG_VERSION").as_bytes());
    for table in names::tables() {
        crc.update(table.as_bytes());
    }
    crc.update(import::gcp::table().as_bytes());
    crc.sum()
}

#[cfg(test)]
mod tests;
