//! The books: telemetry and charges as Parquet in object storage.
//!
//! ```text
//! <root>/cluster=<name>/telemetry/date=YYYY-MM-DD/hour=HH/<from>-<to>.parquet   one a tick
//! <root>/cluster=<name>/telemetry/date=YYYY-MM-DD/hour=HH/hour.parquet          compacted
//! <root>/cluster=<name>/charges/date=YYYY-MM-DD/hour=HH.parquet                 one an hour
//! <root>/cluster=<name>/charges/month=YYYY-MM/day=DD.parquet                    compacted
//! <root>/cluster=<name>/retention.json                    what was let go of
//! <root>/bills/<hash>                                     imported, as they came
//! ```
//!
//! `<from>` and `<to>` are `MMSS.nnnnnnnnn` after the hour (`6000.000000000` is its end); dates
//! and hours are UTC. Every file is written whole (a folder: to a temporary name, synced, then
//! renamed) and replaced whole, so that doing it twice is doing it once, and is sealed by a hash of
//! all its bytes that is checked before it is read.
//!
//! Inside of an hour's file of charges is a sealed table of their sums, which is all that most
//! statements read (`rollup`). `telemetry` meters what is kept without making values of it.
//!
//! Charges have FOCUS 1.2 names where FOCUS has the column, and `x_` names of our own; they are
//! not yet all 57 columns. `BilledCost` and `EffectiveCost` are both what was posted; `ListCost`
//! and `ListUnitPrice` are null where the price is not a list price; `PricingQuantity` is hours of
//! the whole node, of which a row is a share. `Tags` are the workload's labels when it was
//! measured, so that a budget by label is summed from the books alone.

mod bill;
mod charge_file;
mod columns;
mod copy;
mod correction;
mod day;
mod error;
mod fold;
mod generation;
mod list_columns;
mod mark;
mod migrate;
mod replace;
mod reread;
mod retain;
mod rollup;
mod sample_sums;
mod seal;
mod segment;
mod segment_file;
mod telemetry;
mod use_columns;
mod who;

use crate::meter::{Metered, Method, Unpriced};
use crate::weights::Weights;
use arrow_schema::Schema;
pub use bill::PutBillError;
use bytes::Bytes;
pub(crate) use charge_file::sorted;
pub use copy::Copied;
pub use correction::Correction;
pub use error::BooksError;
pub use fold::Folded;
pub use generation::Generation;
pub use mark::Mark;
pub use migrate::Migrated;
pub use retain::{Kept, Released, Retention};
pub(crate) use rollup::OWNED;
pub(crate) use sample_sums::{Asked, AskedText, SampleSums, Series};
pub use segment::Segment;
pub use telemetry::{Again, SampleFile};

pub(crate) use charge_file::price_kind;
pub(crate) use columns::{Batch, Batches, Text, day, instant, value};
use farthing_model::{Charge, ClusterId, Coverage, Currency, Money, NANOS_PER_SECOND, Window};
use futures::{StreamExt as _, executor::block_on};
use jiff::{Timestamp, civil::Date, tz::Offset};
pub(crate) use list_columns::{IN_CHARGES as LIST_IN_CHARGES, ListNumbers, Lists};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt as _, local::LocalFileSystem, memory::InMemory,
};
use object_store::{PutPayload, path::Path};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// File name of an hour's compacted telemetry.
const COMPACTED: &str = "hour.parquet";

/// How often a folder is listed again whose files are replaced while they are read. An hour is
/// folded once when it is over, so twice is rare already.
const LISTED_MAX: usize = 8;

/// The books of any number of clusters, in one object store.
#[derive(Clone)]
pub struct Books {
    store: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<std::path::PathBuf>,
    /// Put before a path in messages.
    root: String,
    last_day: day::LastDay,
}

/// The charges of one hour: what its file says about itself, and its rows.
pub struct HourBook {
    /// The file, for messages.
    pub file: String,
    /// Whose books.
    pub cluster: ClusterId,
    /// What was metered: the hour, or what of it had passed.
    pub window: Window,
    /// The currency of all money in it.
    pub currency: Currency,
    /// What the nodes cost: rates times time, as metered before anything was split.
    pub paid: Money,
    /// What it would cost at the prices of lists, as far as they are known.
    pub list: Money,
    /// Paid node time that was measured.
    pub coverage: Coverage,
    /// Nodes that could not be charged.
    pub unpriced: Vec<Unpriced>,
    /// How claims were counted.
    pub method: Method,
    /// How nodes' prices were split.
    pub weights: Weights,
    /// How it was corrected after it had been posted, the last one last.
    pub corrections: Vec<Correction>,
    /// Which writing of the hour this is.
    pub generation: Generation,
    /// Where the journal stood; `None` where the hour was posted without one.
    pub journal: Option<Mark>,
    rows: columns::Sealed,
}

impl HourBook {
    /// Its rows, in the order of the file.
    ///
    /// # Errors
    /// A row that is not a charge of these books.
    pub fn charges(self) -> Result<Vec<Charge>, BooksError> {
        charge_file::decode(&self.cluster, self.currency, self.rows.batches()?)
    }

    /// Its rows, a batch at a time in memory.
    ///
    /// # Errors
    /// The file cannot be read; a row that is not a charge of these books.
    pub fn charges_by_batch(
        self,
    ) -> Result<impl Iterator<Item = Result<Vec<Charge>, BooksError>>, BooksError> {
        let Self { cluster, currency, rows, .. } = self;
        let batches = rows.batches()?;
        Ok(batches.map(move |batch| charge_file::decode(&cluster, currency, [batch])))
    }

    /// Whether a row may have this text in a column, as far as the file says without its rows.
    pub(crate) fn may_have(&self, column: &str, text: &str) -> bool {
        self.rows.may_have(column, text)
    }

    /// Its rows in batches of these columns, as far as the file has them.
    pub(crate) fn only(self, columns: &[&str]) -> Result<Batches, BooksError> {
        self.rows.only(columns)
    }
}

impl fmt::Debug for HourBook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HourBook({} {})", self.file, self.window)
    }
}

impl fmt::Debug for Books {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Books({})", self.root)
    }
}

impl Books {
    /// Books in a folder, which is made if it is not there. Writes are durable when they return.
    ///
    /// # Errors
    /// The folder cannot be made or is a file.
    pub fn open_folder(folder: &std::path::Path) -> Result<Self, BooksError> {
        let root = folder.display().to_string();
        let made = std::fs::create_dir_all(folder);
        made.map_err(|source| BooksError::Folder { folder: root.clone(), source })?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|source| {
            BooksError::Store { file: root.clone(), doing: "opened", source: Box::new(source) }
        })?;
        let store = store.with_fsync(true).with_automatic_cleanup(false);
        let root = format!("{}/", root.trim_end_matches('/'));
        let (store, folder) = (Arc::new(store), Some(folder.to_owned()));
        Ok(Self { store, folder, root, last_day: day::LastDay::default() })
    }

    /// The folder of a cluster's charges in books that are in `folder`: every file below it whose
    /// name ends in `.parquet` holds one hour, in the columns of [`Self::charge_schema`] or fewer.
    pub fn charges_folder(folder: &std::path::Path, cluster: &ClusterId) -> std::path::PathBuf {
        folder.join(root_of(cluster).join("charges").as_ref())
    }

    /// The columns of charges, as this version writes them.
    ///
    /// # Errors
    /// None: no row is encoded.
    pub fn charge_schema() -> Result<Schema, BooksError> {
        charge_file::schema()
    }

    /// Books in memory, for the simulator and tests.
    pub fn in_memory() -> Self {
        Self::new(Arc::new(InMemory::new()), "memory:")
    }

    /// Books in any object store; `root` is put before paths in messages.
    pub fn new(store: Arc<dyn ObjectStore>, root: &str) -> Self {
        let root = format!("{}/", root.trim_end_matches('/'));
        Self { store, folder: None, root, last_day: day::LastDay::default() }
    }

    /// Keeps what was measured in one tick; the same window again replaces it. A tick across hours
    /// is cut at their edges. An empty segment is not kept.
    ///
    /// # Errors
    /// The store cannot be written; then nothing is half-written, and doing it again is safe.
    pub fn put_segment(&self, cluster: &ClusterId, segment: &Segment) -> Result<(), BooksError> {
        if segment.is_of_one_hour() {
            return self.put_part(cluster, segment);
        }
        segment.by_hour().try_for_each(|part| self.put_part(cluster, &part))
    }

    fn put_part(&self, cluster: &ClusterId, part: &Segment) -> Result<(), BooksError> {
        if part.is_empty() {
            return Ok(());
        }
        let hour = Hour::of(part.window.from());
        let path = hour.telemetry(cluster).join(segment_name(part.window).as_str());
        let bytes = segment_file::encode(&self.name(&path), std::slice::from_ref(part))?;
        self.write(&path, bytes)
    }

    /// The telemetry of the UTC hour that holds `at`, by window.
    ///
    /// A reader waits for no writer: a file that was folded into another one, or let go of, since
    /// the folder was listed is looked for again.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub fn segments(&self, cluster: &ClusterId, at: Timestamp) -> Result<Vec<Segment>, BooksError> {
        let folder = Hour::of(at).telemetry(cluster);
        for _ in 1..LISTED_MAX {
            match self.read_segments(&self.list(&folder)?) {
                Err(error) if error.is_gone() => {}
                read => return read,
            }
        }
        self.read_segments(&self.list(&folder)?)
    }

    /// The compacted file first, so that a tick written after it stands: either it was being
    /// folded in when the power failed, and is the same, or it is newer.
    fn read_segments(&self, files: &[Path]) -> Result<Vec<Segment>, BooksError> {
        let is_compacted = |path: &&Path| path.filename() == Some(COMPACTED);
        let loose = files.iter().filter(|path| !is_compacted(path));
        let mut segments = BTreeMap::new();
        for path in files.iter().filter(is_compacted).chain(loose) {
            let decoded = segment_file::decode(&self.name(path), self.read(path)?)?;
            segments.extend(decoded.into_iter().map(|segment| (segment.window, segment)));
        }
        Ok(segments.into_values().collect())
    }

    /// Posts what was metered: the file of its cluster and hour, whole. The same hour again
    /// replaces it.
    ///
    /// # Errors
    /// The store cannot be written; then the hour is as it was before.
    pub fn put_hour(&self, metered: &Metered) -> Result<(), BooksError> {
        self.post(metered, None)
    }

    /// As [`Books::put_hour`], with where the journal stands.
    ///
    /// # Errors
    /// As [`Books::put_hour`].
    pub fn put_hour_at(&self, metered: &Metered, journal: Mark) -> Result<(), BooksError> {
        self.post(metered, Some(journal))
    }

    fn post(&self, metered: &Metered, journal: Option<Mark>) -> Result<(), BooksError> {
        let path = Hour::of(metered.window.from()).charges(&metered.cluster);
        let bytes = charge_file::encode(&self.name(&path), metered, journal, &[])?;
        self.write(&path, bytes)
    }

    /// The charges of the UTC hour that holds `at`, if any were posted.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn hour(&self, cluster: &ClusterId, at: Timestamp) -> Result<Option<HourBook>, BooksError> {
        let path = Hour::of(at).charges(cluster);
        match self.standing(&path)?.0 {
            Some(bytes) => charge_file::open(&self.name(&path), bytes).map(Some),
            None => self.hour_of_day(cluster, at),
        }
    }

    /// The charges of each posted hour that `window` touches, in order, each read when it is
    /// reached.
    ///
    /// # Errors
    /// The store cannot be listed; an hour cannot be read or is damaged.
    pub fn hours<'a>(
        &'a self,
        cluster: &'a ClusterId,
        window: Window,
    ) -> Result<impl Iterator<Item = Result<HourBook, BooksError>> + 'a, BooksError> {
        let hours = self.posted_hours(cluster)?;
        let inside = move |hour: &Window| hour.intersect(window).is_some();
        let open = |hour: Window| self.hour(cluster, hour.from()).transpose();
        Ok(hours.into_iter().filter(inside).filter_map(open))
    }

    /// All charges of the posted hours that `window` touches. For small windows: reports stream.
    ///
    /// # Errors
    /// As [`Books::hours`].
    pub fn charges(&self, cluster: &ClusterId, window: Window) -> Result<Vec<Charge>, BooksError> {
        let mut charges = Vec::new();
        for hour in self.hours(cluster, window)? {
            charges.extend(hour?.charges()?);
        }
        Ok(charges)
    }

    /// The clusters that have something in these books, by name.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn clusters(&self) -> Result<Vec<String>, BooksError> {
        let root = Path::default();
        let listed = block_on(self.store.list_with_delimiter(None));
        let listed = listed.map_err(|source| self.error(&root, "listed", source))?;
        let parts = listed
            .common_prefixes
            .iter()
            .filter_map(|path| Some(path.filename()?.strip_prefix("cluster=")?.to_owned()));
        let mut names: Vec<String> = parts.collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Removes all that is kept of a cluster.
    ///
    /// # Errors
    /// A file cannot be listed or deleted.
    pub fn forget(&self, cluster: &ClusterId) -> Result<(), BooksError> {
        for path in self.all(&root_of(cluster))? {
            self.delete(&path)?;
        }
        Ok(())
    }

    /// The hours that have charges, in order.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn posted_hours(&self, cluster: &ClusterId) -> Result<Vec<Window>, BooksError> {
        let files = self.list(&root_of(cluster).join("charges"))?;
        let hour = |path: &Path| hour_in(path.as_ref().strip_suffix(".parquet")?);
        let mut hours: Vec<_> = files.iter().filter_map(hour).collect();
        for file in files.iter().filter(|file| day::day_in(file).is_some()) {
            hours.extend(self.hours_of_day(file)?);
        }
        hours.sort_unstable();
        hours.dedup();
        Ok(hours)
    }

    /// The hours that have telemetry, in order.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn measured_hours(&self, cluster: &ClusterId) -> Result<Vec<Window>, BooksError> {
        let folder = root_of(cluster).join("telemetry");
        let hour = |path: &Path| hour_in(path.as_ref().rsplit_once('/')?.0);
        let mut hours: Vec<_> = self.list(&folder)?.iter().filter_map(hour).collect();
        hours.sort_unstable();
        hours.dedup();
        Ok(hours)
    }

    /// The file of an hour's charges, for messages.
    pub fn charges_file(&self, cluster: &ClusterId, hour: Window) -> String {
        self.name(&Hour::of(hour.from()).charges(cluster))
    }

    fn name(&self, path: &Path) -> String {
        format!("{}{path}", self.root)
    }

    fn error(&self, path: &Path, doing: &'static str, source: object_store::Error) -> BooksError {
        BooksError::Store { file: self.name(path), doing, source: Box::new(source) }
    }

    fn read(&self, path: &Path) -> Result<Bytes, BooksError> {
        let read = block_on(async { self.store.get(path).await?.bytes().await });
        read.map_err(|source| self.error(path, "read", source))
    }

    fn write(&self, path: &Path, bytes: Bytes) -> Result<(), BooksError> {
        let written = block_on(self.store.put(path, PutPayload::from_bytes(bytes)));
        written.map(|_| ()).map_err(|source| self.error(path, "written", source))
    }

    fn delete(&self, path: &Path) -> Result<(), BooksError> {
        match block_on(self.store.delete(path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.error(path, "deleted", source)),
        }
    }

    /// The Parquet files under a folder, by name.
    fn list(&self, folder: &Path) -> Result<Vec<Path>, BooksError> {
        let mut files = self.all(folder)?;
        files.retain(|path| path.extension() == Some("parquet"));
        Ok(files)
    }

    /// All files under a folder, by name.
    fn all(&self, folder: &Path) -> Result<Vec<Path>, BooksError> {
        let files = self.listed(folder)?.into_iter().map(|file| file.location);
        let mut files: Vec<Path> = files.collect();
        files.sort_unstable();
        Ok(files)
    }

    fn listed(&self, folder: &Path) -> Result<Vec<ObjectMeta>, BooksError> {
        let mut files = Vec::new();
        block_on(async {
            let mut listed = self.store.list(Some(folder));
            while let Some(file) = listed.next().await {
                files.push(file?);
            }
            Ok(())
        })
        .map_err(|source| self.error(folder, "listed", source))?;
        Ok(files)
    }
}

/// Path parts of an hour.
struct Hour {
    date: String,
    hour: String,
}

impl Hour {
    fn of(at: Timestamp) -> Self {
        let at = Offset::UTC.to_datetime(at);
        Self { date: format!("date={}", at.date()), hour: format!("hour={:02}", at.hour()) }
    }

    fn telemetry(&self, cluster: &ClusterId) -> Path {
        root_of(cluster).join("telemetry").join(self.date.as_str()).join(self.hour.as_str())
    }

    fn charges(&self, cluster: &ClusterId) -> Path {
        let file = format!("{}.parquet", self.hour);
        root_of(cluster).join("charges").join(self.date.as_str()).join(file)
    }
}

fn root_of(cluster: &ClusterId) -> Path {
    Path::default().join(format!("cluster={cluster}"))
}

/// The hour that a path ends in: `…/date=YYYY-MM-DD/hour=HH`.
fn hour_in(path: &str) -> Option<Window> {
    let mut parts = path.rsplit('/');
    let hour: i8 = parts.next()?.strip_prefix("hour=")?.parse().ok()?;
    let date: Date = parts.next()?.strip_prefix("date=")?.parse().ok()?;
    if !(0..24).contains(&hour) {
        return None;
    }
    Window::hour_of(Offset::UTC.to_timestamp(date.at(hour, 0, 0, 0)).ok()?)
}

/// `MMSS.nnnnnnnnn-MMSS.nnnnnnnnn.parquet`, sorted by time.
fn segment_name(window: Window) -> String {
    let hour = farthing_model::hour_floor(window.from()).as_nanosecond();
    let text = |at: Timestamp| {
        let nanos = at.as_nanosecond() - hour;
        let seconds = nanos / NANOS_PER_SECOND;
        format!("{:02}{:02}.{:09}", seconds / 60, seconds % 60, nanos % NANOS_PER_SECOND)
    };
    format!("{}-{}.parquet", text(window.from()), text(window.to()))
}
