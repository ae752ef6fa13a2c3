//! Columns: from rows to a sealed Parquet file and back. The same rows give the same bytes.

mod distinct;
mod table;
mod writer;

use super::{BooksError, seal};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Int32Type, TimestampNanosecondType,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow_schema::Schema;
use bytes::Bytes;
use jiff::{Timestamp, civil::Date};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::KeyValue;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
pub(super) use table::Table;
pub(super) use writer::Writer;

/// Digits of a Parquet `Decimal128`.
const DIGITS: u8 = 38;
/// Rows of one Arrow batch: bounds the memory of a report.
const BATCH_ROWS: usize = 8_192;

/// A file whose seal holds, ready to be read.
pub(crate) struct Sealed {
    pub(super) file: Arc<str>,
    metadata: HashMap<String, String>,
    bytes: Bytes,
    footer: ArrowReaderMetadata,
    /// Where only a part of the file is meant: its groups of rows.
    groups: Option<Range<usize>>,
}

impl Sealed {
    /// Checks the seal, then reads the footer.
    pub(super) fn open(file: &str, bytes: Bytes) -> Result<Self, BooksError> {
        if let Some(fault) = seal::fault(&bytes) {
            return Err(BooksError::damaged(file, fault));
        }
        let error = |source| BooksError::Parquet { file: file.to_owned(), source };
        let footer = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).map_err(error)?;
        let lines = footer.metadata().file_metadata().key_value_metadata();
        let line = |line: &KeyValue| Some((line.key.clone(), line.value.clone()?));
        let metadata = lines.into_iter().flatten().filter_map(line).collect();
        Ok(Self { file: file.into(), metadata, bytes, footer, groups: None })
    }

    /// A part of the file: these groups of rows, and what the footer says of them.
    pub(super) fn part(&self, lines: HashMap<String, String>, groups: Range<usize>) -> Self {
        let (file, bytes, footer) = (self.file.clone(), self.bytes.clone(), self.footer.clone());
        Self { file, metadata: lines, bytes, footer, groups: Some(groups) }
    }

    /// Groups of rows in the file.
    pub(super) fn group_count(&self) -> usize {
        self.footer.metadata().num_row_groups()
    }

    /// A line of the footer.
    pub(super) fn line(&self, key: &str) -> Result<&str, BooksError> {
        let missing = || BooksError::damaged(&self.file, &format!("its footer has no `{key}`"));
        self.metadata.get(key).map(String::as_str).ok_or_else(missing)
    }

    /// A line of the footer that is parsed.
    pub(super) fn parsed<T: std::str::FromStr>(&self, key: &str) -> Result<T, BooksError> {
        let wrong = || BooksError::damaged(&self.file, &format!("`{key}` in its footer is wrong"));
        self.line(key)?.parse().map_err(|_| wrong())
    }

    /// A line that not every file has.
    pub(super) fn parsed_if_any<T: std::str::FromStr>(
        &self,
        key: &str,
    ) -> Result<Option<T>, BooksError> {
        self.metadata.contains_key(key).then(|| self.parsed(key)).transpose()
    }

    /// All lines of the footer.
    pub(super) const fn lines(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    pub(super) fn schema(&self) -> &Schema {
        self.footer.schema()
    }

    /// The sealed table inside of the file whose place a line says, if there is that line.
    pub(super) fn inside(&self, line: &str) -> Result<Option<Self>, BooksError> {
        let Some(line) = self.metadata.get(line) else { return Ok(None) };
        let bytes = super::rollup::place(line).and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
        });
        let what = || BooksError::damaged(&self.file, "the table inside of it is not there");
        Self::open(&self.file, bytes.ok_or_else(what)?).map(Some)
    }

    fn builder(&self) -> ParquetRecordBatchReaderBuilder<Bytes> {
        let (bytes, footer) = (self.bytes.clone(), self.footer.clone());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer)
            .with_batch_size(BATCH_ROWS);
        match &self.groups {
            Some(groups) => builder.with_row_groups(groups.clone().collect()),
            None => builder,
        }
    }

    fn read(&self, builder: ParquetRecordBatchReaderBuilder<Bytes>) -> Result<Batches, BooksError> {
        let error = |source| BooksError::Parquet { file: self.file.to_string(), source };
        Ok(Batches::new(builder.build().map_err(error)?, self.file.clone()))
    }

    /// The rows, batch by batch.
    pub(super) fn batches(&self) -> Result<Batches, BooksError> {
        self.read(self.builder())
    }

    /// As [`Sealed::batches`], with these columns alone, as far as the file has them.
    pub(super) fn only(&self, columns: &[&str]) -> Result<Batches, BooksError> {
        let builder = self.builder();
        let only = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        self.read(builder.with_projection(only))
    }

    /// How many row groups it has.
    pub(super) fn row_groups(&self) -> usize {
        self.footer.metadata().num_row_groups()
    }

    /// As [`Sealed::only`], of one row group.
    pub(super) fn only_in(&self, columns: &[&str], group: usize) -> Result<Batches, BooksError> {
        let builder = self.builder();
        let only = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        self.read(builder.with_projection(only).with_row_groups(vec![group]))
    }

    /// As [`Sealed::batches`], of some rows alone: spans in order that do not overlap. Rows are
    /// then counted from the first of these in messages.
    pub(super) fn rows(&self, spans: Vec<Range<usize>>) -> Result<Batches, BooksError> {
        let builder = self.builder();
        let all = usize::try_from(self.footer.metadata().file_metadata().num_rows()).unwrap_or(0);
        let selection = RowSelection::from_consecutive_ranges(spans.into_iter(), all);
        self.read(builder.with_row_selection(selection))
    }

    /// Whether a row may have this text in a column of text, by the least and the greatest that
    /// are there.
    pub(super) fn may_have(&self, column: &str, text: &str) -> bool {
        let footer = self.footer.metadata();
        let columns = footer.file_metadata().schema_descr().columns();
        let Some(index) = columns.iter().position(|one| one.name() == column) else { return false };
        let groups = footer.row_groups();
        let groups = self.groups.clone().map_or(groups, |part| groups.get(part).unwrap_or(&[]));
        groups.iter().any(|rows| {
            let bounds = rows.column(index).statistics();
            let bounds = bounds.and_then(|of| of.min_bytes_opt().zip(of.max_bytes_opt()));
            bounds.is_none_or(|(least, most)| least <= text.as_bytes() && text.as_bytes() <= most)
        })
    }
}

/// An iterator over the batches of a file.
pub(crate) struct Batches {
    reader: ParquetRecordBatchReader,
    file: Arc<str>,
    row: u64,
}

impl Batches {
    pub(super) const fn new(reader: ParquetRecordBatchReader, file: Arc<str>) -> Self {
        Self { reader, file, row: 0 }
    }

    pub(super) fn schema(&self) -> arrow_schema::SchemaRef {
        arrow_array::RecordBatchReader::schema(&self.reader)
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BooksError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = match self.reader.next()? {
            Ok(rows) => rows,
            Err(source) => {
                let (file, source) = (self.file.to_string(), source.into());
                return Some(Err(BooksError::Parquet { file, source }));
            }
        };
        let first_row = self.row;
        self.row += rows.num_rows() as u64;
        Some(Ok(Batch { file: self.file.clone(), first_row, rows }))
    }
}

/// Some rows of a file; columns are found by name.
pub(crate) struct Batch {
    file: Arc<str>,
    first_row: u64,
    rows: RecordBatch,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    fn column<'b, T>(
        &'b self,
        name: &str,
        cast: impl Fn(&'b ArrayRef) -> Option<T>,
    ) -> Result<T, BooksError> {
        let found = self.rows.column_by_name(name).and_then(cast);
        let what = || format!("its column `{name}` is missing or of another type");
        found.ok_or_else(|| BooksError::damaged(&self.file, &what()))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Text<'_>, BooksError> {
        self.column(name, Text::of)
    }

    /// A column that files of an earlier format do not have.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<Text<'_>>, BooksError> {
        self.rows.column_by_name(name).is_some().then(|| self.text(name)).transpose()
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        name: &str,
    ) -> Result<&PrimitiveArray<T>, BooksError> {
        self.column(name, AsArray::as_primitive_opt::<T>)
    }

    pub(crate) fn decimal(
        &self,
        name: &str,
    ) -> Result<&PrimitiveArray<Decimal128Type>, BooksError> {
        self.primitive(name)
    }

    /// A column of numbers that files of an earlier format do not have.
    pub(crate) fn optional_decimal(
        &self,
        name: &str,
    ) -> Result<Option<&PrimitiveArray<Decimal128Type>>, BooksError> {
        self.rows.column_by_name(name).is_some().then(|| self.decimal(name)).transpose()
    }

    pub(crate) fn instant(
        &self,
        name: &str,
    ) -> Result<&PrimitiveArray<TimestampNanosecondType>, BooksError> {
        self.primitive(name)
    }

    pub(crate) fn day(&self, name: &str) -> Result<&PrimitiveArray<Date32Type>, BooksError> {
        self.primitive(name)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<&BooleanArray, BooksError> {
        self.column(name, AsArray::as_boolean_opt)
    }

    /// The error that a row's value is missing or wrong.
    pub(crate) fn wrong(&self, row: usize, column: &str) -> BooksError {
        BooksError::Row {
            file: self.file.to_string(),
            row: self.first_row + row as u64,
            what: format!("{column} is missing or wrong"),
        }
    }

    /// Parses a text of a row.
    pub(crate) fn parse<T: std::str::FromStr>(
        &self,
        text: Option<&str>,
        row: usize,
        column: &str,
    ) -> Result<T, BooksError> {
        text.and_then(|text| text.parse().ok()).ok_or_else(|| self.wrong(row, column))
    }
}

/// A text column: an index into distinct values for each row.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    keys: &'a DictionaryArray<Int32Type>,
    values: &'a StringArray,
}

impl<'a> Text<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        let keys = column.as_dictionary_opt::<Int32Type>()?;
        Some(Self { keys, values: keys.values().as_string_opt::<i32>()? })
    }

    /// The index of each row.
    pub(crate) fn keys(self) -> &'a PrimitiveArray<Int32Type> {
        self.keys.keys()
    }

    pub(crate) fn get(self, row: usize) -> Option<&'a str> {
        self.index(row).map(|index| self.values.value(index))
    }

    /// Which of [`Text::values`] a row has.
    pub(crate) fn index(self, row: usize) -> Option<usize> {
        self.keys.key(row)
    }

    /// Whether its distinct values are those of a batch before, in the same place in memory.
    pub(crate) fn has_values_of(self, other: &StringArray) -> bool {
        self.values.len() == other.len()
            && std::ptr::eq(self.values.value_data().as_ptr(), other.value_data().as_ptr())
            && std::ptr::eq(self.values.value_offsets().as_ptr(), other.value_offsets().as_ptr())
    }

    /// Its distinct values, to compare with those of a batch after.
    pub(crate) fn kept_values(self) -> StringArray {
        self.values.clone()
    }

    pub(crate) fn values(self) -> impl Iterator<Item = &'a str> {
        // A value that no row has may be null.
        (0..self.values.len()).map(move |index| {
            if self.values.is_valid(index) { self.values.value(index) } else { "" }
        })
    }
}

/// The value of a row, if there is one.
pub(crate) fn value<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}

/// An instant that was written by [`Table::instant`].
pub(crate) fn instant(nanos: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanos?.into()).ok()
}

/// A day that was written by [`Table::day`].
pub(crate) fn day(since_1970: Option<i32>) -> Option<Date> {
    let days = jiff::Span::new().try_days(since_1970?).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(days).ok()
}
