//! Price books: what can be bought, from CSV, Parquet, a `PriceBook` manifest, or the default that
//! ships in the binary.
//!
//! Money is read from decimal text, never through a float. A row without price, currency, unit or
//! date is refused with its line; the other rows go on. Rows that cannot be offers (a price of 0,
//! a spot price that is not below on demand) are left out and counted. Accelerator names go
//! through `data/accelerators.csv`: an unknown one is kept as it is and its memory is not guessed.
//! A `storage_gib` that is empty means that no local disk is known: `Offer::capacity` then has 0.
//!
//! Start with [`load`] and [`default_book`].

mod csv;
mod guards;
mod names;
mod parquet;
mod row;

pub use names::{KnownAccelerator, accelerator, accelerators, residency};
pub use row::COLUMNS;
pub(crate) use row::Row;

use crate::manifest::{self, Fault, ManifestError};
use crate::text::{ReadError, into_text, read_bytes};
use farthing_edge::{EdgeError, Quote};
use farthing_model::Offer;
use jiff::{Timestamp, civil::Date};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DEFAULT_CSV: &str = include_str!("../../../../data/prices/default.csv");
/// What the default book is called in messages and provenance.
const DEFAULT_NAME: &str = "data/prices/default.csv";
/// Largest book, in bytes. The full catalogue of three clouds has 12 MB as CSV.
pub const BYTES_MAX: u64 = 256 << 20;
/// Why a row that could not be read is left out.
const UNREADABLE: &str = "row that cannot be read";

/// What can be bought, and what was left out of the files that say so.
#[derive(Clone, Debug)]
pub struct PriceBook {
    /// The offers, sorted by id, each id once.
    pub offers: Arc<[Offer]>,
    /// How many rows were left out, by reason.
    pub excluded: BTreeMap<String, u64>,
    /// Rows that could not be read, with file, line and reason.
    pub faults: Vec<Fault>,
    /// The oldest and the newest day that a price was seen; `None` without offers.
    pub as_of: Option<(Date, Date)>,
}

/// Why a file is not a price book.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// It could not be read as a file.
    #[error(transparent)]
    Read(ReadError),
    /// A folder in the layout of another catalogue.
    #[error(
        "{}: is a folder; folders in SkyPilot layout are not read yet, give a CSV or Parquet \
         price book",
        .0.display()
    )]
    Folder(PathBuf),
    /// Compressed.
    #[error("{}: is compressed with gzip; unpack it first (gunzip -k)", .0.display())]
    Compressed(PathBuf),
    /// Bytes of something else.
    #[error("{}: is not a price book: neither CSV, Parquet nor a PriceBook manifest", .0.display())]
    Unknown(PathBuf),
    /// The columns are not those of a price book.
    #[error("{}: is not a price book: {what}", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with its columns.
        what: String,
    },
    /// Parquet that cannot be read.
    #[error("{}: is not readable as Parquet: {what}", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A manifest with faults.
    #[error(transparent)]
    Manifest(ManifestError),
    /// A manifest of something else.
    #[error("{}: has no object of kind PriceBook", .0.display())]
    NoBook(PathBuf),
    /// Not one row is an offer.
    #[error("{}: has no usable offer: {what}", .path.display())]
    NoOffer {
        /// The file.
        path: PathBuf,
        /// The first reason.
        what: String,
    },
}

impl PriceBook {
    /// A book of rows, judged together.
    pub(crate) fn of(rows: Vec<Row>) -> Self {
        Self::with_faults(rows, Vec::new())
    }

    fn with_faults(rows: Vec<Row>, faults: Vec<Fault>) -> Self {
        let mut excluded = BTreeMap::new();
        if !faults.is_empty() {
            excluded.insert(UNREADABLE.to_owned(), u64::try_from(faults.len()).unwrap_or(u64::MAX));
        }
        let rows = guards::judge(rows, &mut excluded);
        let dates = || rows.iter().map(|row| row.provenance.as_of);
        let as_of = dates().min().zip(dates().max());
        let offers = rows.into_iter().map(|row| row.offer).collect();
        Self { offers, excluded, faults, as_of }
    }

    /// A source of these offers for the engine.
    pub fn quote(&self) -> StaticQuote {
        StaticQuote { offers: Arc::clone(&self.offers) }
    }
}

/// The book that ships in the binary: list prices of accelerator and CPU machines, each row with
/// its source and date.
pub fn default_book() -> PriceBook {
    match csv::rows(DEFAULT_CSV, Path::new(DEFAULT_NAME)) {
        Ok((rows, faults)) => PriceBook::with_faults(rows, faults),
        // The file is embedded and tested: an error would be found before a release.
        Err(_) => PriceBook::of(Vec::new()),
    }
}

/// Reads one or more price books as one; what each is is told by its content.
///
/// # Errors
/// A file that is no price book, or that has no usable row. Single bad rows are in
/// [`PriceBook::faults`].
pub fn load(paths: &[PathBuf]) -> Result<PriceBook, BookError> {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        let (more, bad) = read(path)?;
        if more.is_empty() {
            let what = bad.first().map_or_else(|| "it has no rows".to_owned(), ToString::to_string);
            return Err(BookError::NoOffer { path: path.clone(), what });
        }
        rows.extend(more);
        faults.extend(bad);
    }
    Ok(PriceBook::with_faults(rows, faults))
}

fn read(path: &Path) -> Result<(Vec<Row>, Vec<Fault>), BookError> {
    let bytes = read_bytes(path, BYTES_MAX).map_err(|error| match error {
        ReadError::Folder(path) => BookError::Folder(path),
        other => BookError::Read(other),
    })?;
    if bytes.starts_with(b"PAR1") {
        return parquet::rows(path);
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(BookError::Compressed(path.to_owned()));
    }
    let text = match into_text(path, bytes) {
        Ok(text) => text,
        Err(ReadError::NotText { path, at: 0..16, .. }) => return Err(BookError::Unknown(path)),
        Err(error) => return Err(BookError::Read(error)),
    };
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let known = first.split(',').filter(|cell| COLUMNS.contains(&cell.trim())).count();
    if known >= COLUMNS.len() / 2 {
        return csv::rows(&text, path);
    }
    let is_manifest = |line: &str| line.starts_with("kind:") || line.starts_with("apiVersion:");
    if text.lines().any(is_manifest) {
        return manifest::price_rows(&text, path).map(|rows| (rows, Vec::new()));
    }
    if first.contains(',') {
        return csv::rows(&text, path);
    }
    Err(BookError::Unknown(path.to_owned()))
}

/// Offers that do not change while the program runs.
#[derive(Clone, Debug)]
pub struct StaticQuote {
    offers: Arc<[Offer]>,
}

impl Quote for StaticQuote {
    fn offers(&mut self, _now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        Ok(Arc::clone(&self.offers))
    }
}

#[cfg(test)]
mod tests;
