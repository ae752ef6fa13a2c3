//! Price books as CSV: the header names the columns, in any order.

use super::asset;
use super::error::BookError;
use super::intake::Intake;
use super::row::{COLUMNS, Cells, Row};
use crate::manifest::suggestion;
use ::csv::StringRecord;
use std::path::Path;

/// Columns without which no row can be an offer.
const REQUIRED: [&str; 9] = [
    "provider",
    "region",
    "instance_type",
    "purchase",
    "price",
    "currency",
    "unit",
    "source",
    "as_of",
];
/// Most rows of one file; every catalogue of the world fits.
pub(crate) const ROWS_MAX: u64 = 5_000_000;

/// Reads the rows of a book; a bad row is a fault with its line and the rest goes on.
///
/// # Errors
/// The header is not that of a price book.
pub(crate) fn rows(text: &str, path: &Path, intake: &mut Intake) -> Result<(), BookError> {
    let bad_header = |what: String| BookError::Header { path: path.to_owned(), what };
    let mut reader = reader(text);
    let header = reader.headers().map_err(|error| bad_header(error.to_string()))?;
    let index = columns(header.iter().map(str::trim)).map_err(bad_header)?;
    each(&mut reader, path, intake, |record, intake| {
        let line = Line { record, index: &index };
        if let Some(price) = asset::read(&line).map_err(|what| what.to_string())? {
            intake.assets.push(price);
            return Ok(());
        }
        let row = Row::read(&line).map_err(|what| what.to_string())?;
        intake.add(&row).map_err(|what| what.to_string())
    })
}

/// A reader of a text, which may begin with a byte order mark.
pub(crate) fn reader(text: &str) -> ::csv::Reader<&[u8]> {
    ::csv::ReaderBuilder::new().from_reader(text.trim_start_matches('\u{feff}').as_bytes())
}

/// Hands each record on; what it says against one is a fault of its line.
pub(crate) fn each(
    reader: &mut ::csv::Reader<&[u8]>,
    path: &Path,
    intake: &mut Intake,
    mut take: impl FnMut(&StringRecord, &mut Intake) -> Result<(), String>,
) -> Result<(), BookError> {
    let mut record = StringRecord::new();
    let mut rows = 0_u64;
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {
                if let Err(what) = take(&record, intake) {
                    let line = record.position().map_or(0, ::csv::Position::line);
                    intake.fault(path, line, what);
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, ::csv::Position::line);
                intake.fault(path, line, row_error(&error));
            }
        }
        rows += 1;
        if rows > ROWS_MAX {
            return Err(BookError::Rows { path: path.to_owned(), max: ROWS_MAX });
        }
    }
}

fn row_error(error: &::csv::Error) -> String {
    match error.kind() {
        ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} cells, and the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}

struct Line<'c, 'i> {
    record: &'c StringRecord,
    index: &'i Index,
}

impl<'c> Cells<'c> for Line<'c, '_> {
    fn cell(&self, column: &'static str) -> &'c str {
        let at = number(column).and_then(|column| self.index[column]);
        at.and_then(|at| self.record.get(at)).unwrap_or_default().trim()
    }
}

/// Where each known column stands.
pub(crate) type Index = [Option<usize>; COLUMNS.len()];

/// The number of a known column; a match, as it is asked seventeen times a row.
pub(crate) fn number(column: &str) -> Option<usize> {
    Some(match column {
        "provider" => 0,
        "region" => 1,
        "zone" => 2,
        "instance_type" => 3,
        "accelerator" => 4,
        "accelerator_count" => 5,
        "vcpus" => 6,
        "memory_gib" => 7,
        "storage_gib" => 8,
        "purchase" => 9,
        "price" => 10,
        "currency" => 11,
        "unit" => 12,
        "source" => 13,
        "as_of" => 14,
        "available" => 15,
        "arch" => 16,
        _ => return None,
    })
}

/// Where each known column stands.
///
/// # Errors
/// A column that is not known, stands twice, or is missing.
pub(crate) fn columns<'h>(header: impl Iterator<Item = &'h str>) -> Result<Index, String> {
    let mut index = [None; COLUMNS.len()];
    for (at, name) in header.enumerate() {
        let Some(known) = number(name) else {
            return Err(format!("unknown column `{name}`{}", suggestion(name, &COLUMNS)));
        };
        if index[known].replace(at).is_some() {
            return Err(format!("the column `{name}` stands twice"));
        }
    }
    for column in REQUIRED {
        if number(column).and_then(|known| index[known]).is_none() {
            return Err(format!(
                "the column `{column}` is missing; expected {}",
                COLUMNS.join(",")
            ));
        }
    }
    Ok(index)
}
