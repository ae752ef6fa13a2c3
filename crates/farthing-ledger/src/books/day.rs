//! The file of a day: the hours of a UTC day that are over, each as its own file had it.
//!
//! ```text
//! <root>/cluster=<name>/charges/month=YYYY-MM/day=DD.parquet
//! ```
//!
//! Each hour has its own groups of rows, its own sums behind them, and in the footer the lines and
//! the seal that its own file had, so that whoever knows a writing of an hour finds it again here.
//! The seal of the whole file is checked once for all hours that are read from it. An hour that
//! also has a file of its own is read from that: it is the same, or newer.

use super::charge_file::{self, FORMAT, KIND as CHARGES};
use super::columns::{Sealed, Writer};
use super::{Books, BooksError, Generation, HourBook, rollup, root_of, sorted};
use bytes::Bytes;
use farthing_model::{ClusterId, Window, utc_day};
use futures::executor::block_on;
use jiff::Timestamp;
use jiff::civil::Date;
use object_store::{ObjectMeta, ObjectStoreExt as _, path::Path};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The `farthing.kind` of these files.
const KIND: &str = "day of charges";
/// The line of the footer that has all hours.
const HOURS: &str = "farthing.hours";
/// The line of an hour that has the seal of its own file.
pub(super) const SEAL: &str = "farthing.hour_seal";
/// How much of a file's end is read at first to see which hours it has.
const TAIL_BYTES: u64 = 256 << 10;

/// Where the file of a day is.
pub(super) fn path(cluster: &ClusterId, day: Date) -> Path {
    let month = format!("month={:04}-{:02}", day.year(), day.month());
    let file = format!("day={:02}.parquet", day.day());
    root_of(cluster).join("charges").join(month).join(file)
}

/// The day whose file a path is: `…/month=YYYY-MM/day=DD.parquet`.
pub(super) fn day_in(path: &Path) -> Option<Date> {
    let mut parts = path.as_ref().strip_suffix(".parquet")?.rsplit('/');
    let day: i8 = parts.next()?.strip_prefix("day=")?.parse().ok()?;
    let (year, month) = parts.next()?.strip_prefix("month=")?.split_once('-')?;
    Date::new(year.parse().ok()?, month.parse().ok()?, day).ok()
}

/// Hours of a day, by when they begin, that become one file.
pub(super) fn encode(
    file: &str,
    hours: &BTreeMap<Timestamp, HourBook>,
) -> Result<Bytes, BooksError> {
    let mut writer = Writer::new(file);
    let mut index = Vec::new();
    let mut cluster = None;
    for book in hours.values() {
        let (metered, seal) = (book.restored()?, book.generation.seal().unwrap_or_default());
        let table = charge_file::table(file, &sorted(&metered.charges))?;
        let mut lines = charge_file::lines(&metered, book.journal, &book.corrections);
        let sums = rollup::of(&table, &lines)?;
        let added = writer.add(table, sums.as_ref())?;
        lines.push((SEAL, seal.to_owned()));
        lines.extend(added.inside.map(|place| (rollup::LINE, place)));
        let lines: BTreeMap<&str, String> = lines.into_iter().collect();
        let groups = [added.groups.start, added.groups.end];
        index.push(json!({ "lines": lines, "groups": groups }));
        cluster = Some(metered.cluster);
    }
    let cluster = cluster.map(|cluster| cluster.to_string()).unwrap_or_default();
    writer.finish(vec![
        ("farthing.kind", KIND.to_owned()),
        ("farthing.format", FORMAT.to_owned()),
        ("farthing.cluster", cluster),
        (HOURS, Value::from(index).to_string()),
    ])
}

/// One hour in the footer.
struct Entry {
    lines: HashMap<String, String>,
    groups: Range<usize>,
}

/// The hours that a footer has, by when they begin.
fn entries(text: &str) -> Option<BTreeMap<Timestamp, Entry>> {
    let index: Vec<Value> = serde_json::from_str(text).ok()?;
    let mut entries = BTreeMap::new();
    for hour in index {
        let lines = hour.get("lines")?.as_object()?;
        let lines = lines.iter().map(|(key, line)| Some((key.clone(), line.as_str()?.to_owned())));
        let lines: HashMap<String, String> = lines.collect::<Option<_>>()?;
        let number = |at: usize| usize::try_from(hour.get("groups")?.get(at)?.as_u64()?).ok();
        let from: Timestamp = lines.get("farthing.from")?.parse().ok()?;
        let begin = Window::hour_of(from)?.from();
        entries.insert(begin, Entry { lines, groups: number(0)?..number(1)? });
    }
    Some(entries)
}

/// A file of a day that was opened.
pub(super) struct Day {
    sealed: Sealed,
    hours: BTreeMap<Timestamp, Entry>,
}

impl Day {
    /// Checks the seal and reads the footer.
    pub(super) fn open(file: &str, bytes: Bytes) -> Result<Self, BooksError> {
        let sealed = Sealed::open(file, bytes)?;
        let wrong = |what: &str| BooksError::damaged(file, what);
        let format = sealed.line("farthing.format")?;
        if sealed.line("farthing.kind")? != KIND || !charge_file::is_readable(format) {
            return Err(wrong("it is not a day of charges in a format that this version reads"));
        }
        let hours = entries(sealed.line(HOURS)?).ok_or_else(|| wrong("its hours are wrong"))?;
        let groups = sealed.group_count();
        if hours
            .values()
            .any(|hour| hour.groups.start > hour.groups.end || hour.groups.end > groups)
        {
            return Err(wrong("it has fewer rows than its footer says"));
        }
        Ok(Self { sealed, hours })
    }

    /// The hour that begins at a moment, if it is in it.
    pub(super) fn hour(&self, begin: Timestamp) -> Result<Option<HourBook>, BooksError> {
        let Some(entry) = self.hours.get(&begin) else { return Ok(None) };
        let seal = entry.lines.get(SEAL).cloned().unwrap_or_default();
        let part = self.sealed.part(entry.lines.clone(), entry.groups.clone());
        charge_file::read(part, CHARGES, Generation::of_seal(seal)).map(Some)
    }

    /// All its hours.
    pub(super) fn hours(&self) -> Result<BTreeMap<Timestamp, HourBook>, BooksError> {
        let mut books = BTreeMap::new();
        for begin in self.hours.keys() {
            books.extend(self.hour(*begin)?.map(|book| (*begin, book)));
        }
        Ok(books)
    }
}

/// The day that was read last: hours are read one after the other.
#[derive(Clone, Default)]
pub(super) struct LastDay(Arc<Mutex<Option<Known>>>);

/// A day, and which version of its file it was read from.
type Known = (ObjectMeta, Arc<Day>);

impl LastDay {
    fn get(&self, meta: &ObjectMeta) -> Option<Arc<Day>> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(known, _)| known == meta).map(|(_, day)| day.clone())
    }

    fn put(&self, meta: ObjectMeta, day: &Arc<Day>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((meta, day.clone()));
    }
}

impl Books {
    /// The hour that holds `at`, out of the file of its day.
    pub(super) fn hour_of_day(
        &self,
        cluster: &ClusterId,
        at: Timestamp,
    ) -> Result<Option<HourBook>, BooksError> {
        let Some(hour) = Window::hour_of(at) else { return Ok(None) };
        let Some(day) = self.day(&path(cluster, utc_day(at)))? else { return Ok(None) };
        day.hour(hour.from())
    }

    /// The file of a day, if there is one.
    pub(super) fn day(&self, path: &Path) -> Result<Option<Arc<Day>>, BooksError> {
        let meta = match block_on(self.store.head(path)) {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            meta => meta.map_err(|source| self.error(path, "read", source))?,
        };
        if let Some(day) = self.last_day.get(&meta) {
            return Ok(Some(day));
        }
        let day = Arc::new(Day::open(&self.name(path), self.read(path)?)?);
        self.last_day.put(meta, &day);
        Ok(Some(day))
    }

    /// The hours that a day's file has, by its footer alone.
    pub(super) fn hours_of_day(&self, path: &Path) -> Result<Vec<Window>, BooksError> {
        let wrong = || BooksError::damaged(&self.name(path), "its hours cannot be read");
        let mut tail = self.tail(path, TAIL_BYTES, None).ok_or_else(wrong)?;
        let footer = loop {
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&tail.bytes, tail.size) {
                Ok(()) => break reader.finish().map_err(|_| wrong())?,
                Err(ParquetError::NeedMoreData(needed)) if needed > tail.bytes.len() => {
                    let needed = needed as u64;
                    tail = self.tail(path, needed, tail.e_tag.take()).ok_or_else(wrong)?;
                }
                Err(_) => return Err(wrong()),
            }
        };
        let lines = footer.file_metadata().key_value_metadata();
        let line = lines.into_iter().flatten().find(|line| line.key == HOURS);
        let hours = line.and_then(|line| entries(line.value.as_deref()?)).ok_or_else(wrong)?;
        Ok(hours.into_keys().filter_map(Window::hour_of).collect())
    }
}
