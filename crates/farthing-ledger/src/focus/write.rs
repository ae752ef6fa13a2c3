//! Where an export goes: CSV, or Parquet with decimals and times.

use super::ROWS_MAX;
use super::columns::{Cell, Kind};
use arrow_array::builder::{Decimal128Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::sync::Arc;

/// Takes the rows of an export.
pub trait FocusSink {
    /// Takes the columns, before any row.
    ///
    /// # Errors
    /// The output cannot be written.
    fn begin(&mut self, columns: &[(&'static str, Kind)]) -> io::Result<()>;

    /// Takes a row.
    ///
    /// # Errors
    /// The output cannot be written.
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// There are no more rows.
    ///
    /// # Errors
    /// The output cannot be written.
    fn end(&mut self) -> io::Result<()>;
}

/// CSV, with the word `NULL` for what is not there.
pub struct FocusCsv<W: Write>(csv::Writer<W>);

impl<W: Write> FocusCsv<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self(csv::Writer::from_writer(out))
    }
}

impl<W: Write> FocusSink for FocusCsv<W> {
    fn begin(&mut self, columns: &[(&'static str, Kind)]) -> io::Result<()> {
        Ok(self.0.write_record(columns.iter().map(|(name, _)| name))?)
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for cell in cells {
            self.0.write_field(&*cell.to_text())?;
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Parquet: numbers as `Decimal128(38, 12)`, times as microseconds UTC.
pub struct FocusParquet<W: Write + Send> {
    out: Option<W>,
    writer: Option<ArrowWriter<W>>,
    schema: Arc<Schema>,
    columns: Vec<Builder>,
    rows: usize,
}

enum Builder {
    Text(StringBuilder),
    Number(Decimal128Builder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Number => {
                Self::Number(Decimal128Builder::new().with_data_type(DataType::Decimal128(38, 12)))
            }
            Kind::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Number(builder), Cell::Number(pico)) => builder.append_value(*pico),
            (Self::Number(builder), _) => builder.append_null(),
            (Self::Time(builder), Cell::Time(at)) => builder.append_value(at.as_microsecond()),
            (Self::Time(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
        }
    }
}

impl<W: Write + Send> FocusParquet<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        let schema = Arc::new(Schema::empty());
        Self { out: Some(out), writer: None, schema, columns: Vec::new(), rows: 0 }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let columns = self.columns.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(io::Error::other)?;
        match &mut self.writer {
            Some(writer) => writer.write(&batch).map_err(io::Error::other),
            None => Ok(()),
        }
    }
}

impl<W: Write + Send> FocusSink for FocusParquet<W> {
    fn begin(&mut self, columns: &[(&'static str, Kind)]) -> io::Result<()> {
        let field = |(name, kind): &(&str, Kind)| {
            let kind = match kind {
                Kind::Text => DataType::Utf8,
                Kind::Number => DataType::Decimal128(38, 12),
                Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            };
            Field::new(*name, kind, true)
        };
        self.schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        self.columns = columns.iter().map(|(_, kind)| Builder::new(*kind)).collect();
        let properties = WriterProperties::builder()
            .set_created_by("farthing".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        if let Some(out) = self.out.take() {
            let writer = ArrowWriter::try_new(out, self.schema.clone(), Some(properties));
            self.writer = Some(writer.map_err(io::Error::other)?);
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (builder, cell) in self.columns.iter_mut().zip(cells) {
            builder.push(cell);
        }
        self.rows += 1;
        if self.rows == ROWS_MAX { self.flush() } else { Ok(()) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        match self.writer.take() {
            Some(writer) => writer.close().map(|_| ()).map_err(io::Error::other),
            None => Ok(()),
        }
    }
}
