//! The part that all readers share: columns by name, cells with their line.

use std::fmt::Display;
use std::io::Read;
use std::str::FromStr;

/// Rows that a trace may have.
pub(super) const ROWS_MAX: u64 = 10_000_000;

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened.
    #[error("{file} cannot be read")]
    File {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not Parquet after all, or not with these columns.
    #[error("{file}: {what}")]
    Parquet {
        /// The file.
        file: String,
        /// What is wrong, and in which row.
        what: String,
    },
    /// The file cannot be read, is not UTF-8, or a line has another number of cells.
    #[error("{file}: not readable as CSV")]
    Csv {
        /// The file.
        file: String,
        /// What the reader said.
        #[source]
        source: csv::Error,
    },
    /// The header lacks a column.
    #[error("{file}, line 1: there is no column `{column}`; the columns are {expected}")]
    Column {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
        /// All columns of this kind of file.
        expected: String,
    },
    /// A cell is not what its column holds.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Nothing but a header.
    #[error("{file}: it has no rows")]
    Empty {
        /// The file.
        file: String,
    },
}

/// A row of a table.
pub(super) struct Row<'a> {
    file: &'a str,
    columns: &'a [&'static str],
    line: u64,
    cells: &'a csv::StringRecord,
    places: &'a [usize],
}

impl Row<'_> {
    /// The text of the column at `index` in the order that was asked for.
    pub(super) fn text(&self, index: usize) -> &str {
        self.cells.get(self.places[index]).unwrap_or_default()
    }

    /// The value of a column.
    pub(super) fn value<T: FromStr<Err: Display>>(
        &self,
        index: usize,
        kind: &str,
    ) -> Result<T, TraceError> {
        let text = self.text(index);
        text.parse().map_err(|error| {
            let column = self.columns[index];
            self.error(format!("{column} `{text}` is not {kind}: {error}"))
        })
    }

    /// An error on this line.
    pub(super) fn error(&self, what: String) -> TraceError {
        TraceError::Line { file: self.file.to_owned(), line: self.line, what }
    }
}

/// Reads all rows of `file` by the named columns, in any order; other columns are left alone.
pub(super) fn rows<T>(
    (file, input): (&str, impl Read),
    columns: &[&'static str],
    mut read: impl FnMut(&Row<'_>) -> Result<T, TraceError>,
) -> Result<Vec<T>, TraceError> {
    let broken = |source| TraceError::Csv { file: file.to_owned(), source };
    let mut reader = csv::Reader::from_reader(input);
    let header = reader.headers().map_err(broken)?.clone();
    let mut places = Vec::with_capacity(columns.len());
    for column in columns {
        let missing =
            || TraceError::Column { file: file.to_owned(), column, expected: columns.join(", ") };
        let place = header.iter().position(|name| name.trim() == *column);
        places.push(place.ok_or_else(missing)?);
    }
    let mut all = Vec::new();
    let mut cells = csv::StringRecord::new();
    while reader.read_record(&mut cells).map_err(broken)? {
        let line = cells.position().map_or(0, csv::Position::line);
        let row = Row { file, columns, line, cells: &cells, places: &places };
        if line > ROWS_MAX {
            return Err(row.error(format!("more than {ROWS_MAX} lines are not read")));
        }
        all.push(read(&row)?);
    }
    if all.is_empty() { Err(TraceError::Empty { file: file.to_owned() }) } else { Ok(all) }
}
