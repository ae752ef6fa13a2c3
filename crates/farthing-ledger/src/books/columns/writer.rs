//! Files in the making: tables, what lies behind them, and the seal over all.

use super::{Table, seal};
use crate::books::BooksError;
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::ops::Range;
use std::sync::Arc;

/// A file of fewer rows is not compressed: each column of it is a page or two of a few bytes, and
/// to begin a compressor for each costs more time than writing the file.
const COMPRESSED_ROWS_MIN: usize = 500;

/// A file in the making, of one table or several with the same columns.
pub(in crate::books) struct Writer<'a> {
    file: &'a str,
    compression: Compression,
    inner: Option<ArrowWriter<Vec<u8>>>,
}

/// Where a table is in its file.
pub(in crate::books) struct Added {
    /// Its groups of rows.
    pub(in crate::books) groups: Range<usize>,
    /// What lies behind it: the first byte and the length.
    pub(in crate::books) inside: Option<String>,
}

impl<'a> Writer<'a> {
    /// A file of any size.
    pub(in crate::books) fn new(file: &'a str) -> Self {
        Self { file, compression: Compression::ZSTD(ZstdLevel::default()), inner: None }
    }

    /// A file of one table of so many rows.
    pub(in crate::books) fn of_one(file: &'a str, rows: usize) -> Self {
        if rows < COMPRESSED_ROWS_MIN {
            Self { file, compression: Compression::UNCOMPRESSED, inner: None }
        } else {
            Self::new(file)
        }
    }

    /// Whether nothing was added yet.
    pub(in crate::books) const fn is_empty(&self) -> bool {
        self.inner.is_none()
    }

    fn error(&self, source: ParquetError) -> BooksError {
        BooksError::Parquet { file: self.file.to_owned(), source }
    }

    /// Adds the rows of a table in groups of their own, and what lies behind them, if anything.
    pub(in crate::books) fn add(
        &mut self,
        table: Table<'_>,
        inside: Option<&Bytes>,
    ) -> Result<Added, BooksError> {
        let schema = Arc::new(Schema::new(table.fields));
        let batch = RecordBatch::try_new(schema.clone(), table.columns)
            .map_err(|source| self.error(source.into()))?;
        let mut writer = match self.inner.take() {
            Some(writer) => writer,
            None => ArrowWriter::try_new(Vec::new(), schema, Some(properties(self.compression)))
                .map_err(|source| self.error(source))?,
        };
        let first = writer.flushed_row_groups().len();
        writer.write(&batch).map_err(|source| self.error(source))?;
        writer.flush().map_err(|source| self.error(source))?;
        let groups = first..writer.flushed_row_groups().len();
        let mut place = None;
        if let Some(inside) = inside {
            place = Some(format!("{} {}", writer.bytes_written(), inside.len()));
            writer.write_all(inside).map_err(|source| self.error(source.into()))?;
        }
        self.inner = Some(writer);
        Ok(Added { groups, inside: place })
    }

    /// The whole file, sealed.
    pub(in crate::books) fn finish(self, lines: Vec<(&str, String)>) -> Result<Bytes, BooksError> {
        let file = self.file;
        let unsealed = || BooksError::damaged(file, "it was written without a seal");
        let Some(mut writer) = self.inner else { return Err(unsealed()) };
        for (key, value) in lines.into_iter().chain([(seal::KEY, seal::blank())]) {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let bytes = writer
            .into_inner()
            .map_err(|source| BooksError::Parquet { file: file.to_owned(), source })?;
        Ok(seal::seal(bytes).ok_or_else(unsealed)?.into())
    }
}

fn properties(compression: Compression) -> WriterProperties {
    WriterProperties::builder()
        .set_created_by("farthing".to_owned())
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build()
}
