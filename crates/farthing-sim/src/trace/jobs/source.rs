//! Rows of a file, CSV (also compressed by gzip) or Parquet, told apart by content.

use super::cells::{Cell, Cells};
use crate::trace::table::TraceError;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use flate2::read::MultiGzDecoder;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use std::fs::File;
use std::io::{BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

/// Columns of a format.
#[derive(Clone, Copy, Debug)]
pub(in crate::trace) struct Columns {
    /// Without these it is not such a file.
    pub(in crate::trace) needed: &'static [&'static str],
    /// These may be there.
    pub(in crate::trace) more: &'static [&'static str],
    /// What separates cells of text.
    pub(in crate::trace) separator: u8,
}

/// A file that is read row by row.
pub(in crate::trace) struct Source {
    file: String,
    rows: Rows,
    /// The row that was read last.
    pub(in crate::trace) cells: Cells,
    /// Its line, or its number in a file without lines.
    line: u64,
}

enum Rows {
    Csv(Box<csv::Reader<Box<dyn Read + Send>>>, csv::StringRecord, Vec<Option<usize>>),
    Parquet(ParquetRecordBatchReader, Option<(RecordBatch, usize)>),
}

/// The file that is meant: itself, or the first of some names in a folder.
pub(in crate::trace) fn within(path: &Path, names: &[&str]) -> PathBuf {
    let there = names.iter().map(|name| path.join(name)).find(|file| file.is_file());
    there.unwrap_or_else(|| path.to_owned())
}

impl Source {
    /// Opens a file.
    pub(in crate::trace) fn open(path: &Path, columns: Columns) -> Result<Self, TraceError> {
        let name = path.display().to_string();
        let unreadable = |source| TraceError::File { file: name.clone(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut begin = [0; 4];
        let read = file.read(&mut begin).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        let names: Vec<&'static str> = columns.needed.iter().chain(columns.more).copied().collect();
        let cells = Cells { values: vec![Cell::Missing; names.len()], names };
        let rows = match &begin[..read] {
            b"PAR1" => parquet(&name, file, columns)?,
            [0x1f, 0x8b, ..] => {
                let plain = MultiGzDecoder::new(BufReader::new(file));
                csv((&name, Box::new(plain)), columns, &cells)?
            }
            _ => csv((&name, Box::new(file)), columns, &cells)?,
        };
        Ok(Self { file: name, rows, cells, line: 1 })
    }

    /// Whether the file has a column.
    pub(in crate::trace) fn has(&self, name: &str) -> bool {
        let at = self.cells.names.iter().position(|other| *other == name);
        match &self.rows {
            Rows::Csv(.., places) => at.is_some_and(|at| places[at].is_some()),
            Rows::Parquet(reader, _) => {
                use arrow_array::RecordBatchReader as _;
                reader.schema().column_with_name(name).is_some()
            }
        }
    }

    /// Reads the next row; whether there was one.
    pub(in crate::trace) fn advance(&mut self) -> Result<bool, TraceError> {
        match &mut self.rows {
            Rows::Csv(reader, record, places) => {
                let broken = |source| TraceError::Csv { file: self.file.clone(), source };
                if !reader.read_record(record).map_err(broken)? {
                    return Ok(false);
                }
                self.line = record.position().map_or(0, csv::Position::line);
                for (value, place) in self.cells.values.iter_mut().zip(places) {
                    let text = place.and_then(|place| record.get(place));
                    fill(value, text);
                }
                Ok(true)
            }
            Rows::Parquet(reader, batch) => loop {
                if let Some((rows, at)) = batch.as_mut().filter(|(rows, at)| *at < rows.num_rows())
                {
                    for (value, name) in self.cells.values.iter_mut().zip(&self.cells.names) {
                        match rows.column_by_name(name) {
                            Some(array) => cell(array, *at, value),
                            None => *value = Cell::Missing,
                        }
                    }
                    *at += 1;
                    self.line += 1;
                    return Ok(true);
                }
                match reader.next() {
                    None => return Ok(false),
                    Some(Ok(next)) => *batch = Some((next, 0)),
                    Some(Err(error)) => return Err(damaged(&self.file, &error)),
                }
            },
        }
    }

    /// An error in the row that was read last.
    pub(in crate::trace) fn error(&self, what: String) -> TraceError {
        let file = self.file.clone();
        match self.rows {
            Rows::Csv(..) => TraceError::Line { file, line: self.line, what },
            Rows::Parquet(..) => {
                TraceError::Parquet { file, what: format!("row {}: {what}", self.line - 1) }
            }
        }
    }

    /// An error of the file.
    pub(in crate::trace) fn fault(&self, what: String) -> TraceError {
        TraceError::Parquet { file: self.file.clone(), what }
    }
}

/// Writes a text over the one before it.
fn fill(value: &mut Cell, text: Option<&str>) {
    match (value, text) {
        (Cell::Text(kept), Some(text)) => {
            kept.clear();
            kept.push_str(text);
        }
        (value, Some(text)) => *value = Cell::Text(text.to_owned()),
        (value, None) => *value = Cell::Missing,
    }
}

fn csv(
    (name, input): (&str, Box<dyn Read + Send>),
    columns: Columns,
    cells: &Cells,
) -> Result<Rows, TraceError> {
    let broken = |source| TraceError::Csv { file: name.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new().delimiter(columns.separator).from_reader(input);
    let header = reader.headers().map_err(broken)?.clone();
    let place = |wanted: &&str| header.iter().position(|name| name.trim() == *wanted);
    let places: Vec<Option<usize>> = cells.names.iter().map(place).collect();
    for (column, place) in columns.needed.iter().zip(&places) {
        if place.is_none() {
            return Err(missing(name, column, columns));
        }
    }
    Ok(Rows::Csv(Box::new(reader), csv::StringRecord::new(), places))
}

fn missing(file: &str, column: &'static str, columns: Columns) -> TraceError {
    TraceError::Column { file: file.to_owned(), column, expected: columns.needed.join(", ") }
}

fn damaged(file: &str, error: &dyn std::fmt::Display) -> TraceError {
    TraceError::Parquet { file: file.to_owned(), what: format!("{error}; the file is damaged") }
}

fn parquet(name: &str, file: File, columns: Columns) -> Result<Rows, TraceError> {
    // Texts are then plain, however the writer kept them.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| damaged(name, &error))?;
    for column in columns.needed {
        if builder.schema().column_with_name(column).is_none() {
            return Err(missing(name, column, columns));
        }
    }
    let reader = builder.build().map_err(|error| damaged(name, &error))?;
    Ok(Rows::Parquet(reader, None))
}

/// The cell of a column of Parquet.
fn cell(array: &ArrayRef, at: usize, value: &mut Cell) {
    if array.is_null(at) {
        *value = Cell::Missing;
        return;
    }
    *value = if let Some(texts) = array.as_string_opt::<i32>() {
        return fill(value, Some(texts.value(at)));
    } else if let Some(array) = array.as_primitive_opt::<Int64Type>() {
        Cell::Whole(array.value(at))
    } else if let Some(array) = array.as_primitive_opt::<Int32Type>() {
        Cell::Whole(array.value(at).into())
    } else if let Some(array) = array.as_primitive_opt::<Int16Type>() {
        Cell::Whole(array.value(at).into())
    } else if let Some(array) = array.as_primitive_opt::<Int8Type>() {
        Cell::Whole(array.value(at).into())
    } else if let Some(array) = array.as_primitive_opt::<Float64Type>() {
        Cell::Real(array.value(at))
    } else if let Some(array) = array.as_primitive_opt::<Float32Type>() {
        Cell::Real(array.value(at).into())
    } else if let Some(array) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        Cell::Micros(array.value(at))
    } else if let Some(array) = array.as_primitive_opt::<TimestampNanosecondType>() {
        Cell::Micros(array.value(at).div_euclid(1_000))
    } else {
        Cell::Missing
    };
}
