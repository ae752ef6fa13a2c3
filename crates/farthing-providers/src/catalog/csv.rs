//! Price books as CSV: the header names the columns, in any order.

use super::BookError;
use super::row::{COLUMNS, Row};
use crate::Spot;
use crate::manifest::{Fault, suggestion};
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

/// Reads the rows of a book; a bad row is a fault with its line and the rest goes on.
///
/// # Errors
/// The header is not that of a price book.
pub(crate) fn rows(text: &str, path: &Path) -> Result<(Vec<Row>, Vec<Fault>), BookError> {
    let source = path.display().to_string();
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let bad_header = |what: String| BookError::Header { path: path.to_owned(), what };
    let header = reader.headers().map_err(|error| bad_header(error.to_string()))?.clone();
    let index = columns(header.iter()).map_err(bad_header)?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                faults.push(fault(&source, line, row_error(&error)));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |column: &'static str| {
            let at = COLUMNS.iter().position(|known| *known == column).and_then(|at| index[at]);
            at.and_then(|at| record.get(at)).unwrap_or_default()
        };
        match Row::read(cell) {
            Ok(row) => rows.push(row),
            Err(what) => faults.push(fault(&source, line, what.to_string())),
        }
    }
    Ok((rows, faults))
}

fn row_error(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} cells, and the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}

/// Where each known column stands.
///
/// # Errors
/// A column that is not known, stands twice, or is missing.
pub(crate) fn columns<'h>(
    header: impl Iterator<Item = &'h str>,
) -> Result<[Option<usize>; COLUMNS.len()], String> {
    let mut index = [None; COLUMNS.len()];
    for (at, name) in header.enumerate() {
        let Some(known) = COLUMNS.iter().position(|column| *column == name) else {
            return Err(format!("unknown column `{name}`{}", suggestion(name, &COLUMNS)));
        };
        if index[known].replace(at).is_some() {
            return Err(format!("the column `{name}` stands twice"));
        }
    }
    for column in REQUIRED {
        if !COLUMNS.iter().zip(&index).any(|(known, at)| *known == column && at.is_some()) {
            return Err(format!(
                "the column `{column}` is missing; expected {}",
                COLUMNS.join(",")
            ));
        }
    }
    Ok(index)
}

pub(crate) fn fault(source: &str, line: u64, what: String) -> Fault {
    let line = usize::try_from(line).unwrap_or_default();
    let (source, spot) = (source.to_owned(), Some(Spot { line, column: 1 }));
    Fault { source, spot, object: None, what }
}
