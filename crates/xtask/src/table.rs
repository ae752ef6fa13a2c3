//! Columns of a Parquet or CSV file as plain vectors. Knows nothing of prices or jobs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A whole Parquet file in memory; the inputs are a few hundred kilobytes.
pub(crate) struct Table(Vec<RecordBatch>);

impl Table {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
        Ok(Self(reader.collect::<Result<_, _>>()?))
    }

    fn column<T>(
        &self,
        name: &str,
        read: impl Fn(&dyn Array, usize) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut values = Vec::new();
        for batch in &self.0 {
            let column = batch.column_by_name(name).with_context(|| format!("no column {name}"))?;
            for row in 0..column.len() {
                values.push(read(column.as_ref(), row).with_context(|| format!("column {name}"))?);
            }
        }
        Ok(values)
    }

    /// Text; null reads as empty.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.column(name, |array, row| {
            if array.is_null(row) {
                return Ok(String::new());
            }
            match array.data_type() {
                DataType::Utf8 => Ok(array.as_string::<i32>().value(row).to_owned()),
                DataType::LargeUtf8 => Ok(array.as_string::<i64>().value(row).to_owned()),
                other => anyhow::bail!("expected text, found {other}"),
            }
        })
    }

    /// Floats; null and NaN read as none.
    pub(crate) fn floats(&self, name: &str) -> Result<Vec<Option<f64>>> {
        self.column(name, |array, row| {
            let floats = array.as_primitive_opt::<Float64Type>().context("expected doubles")?;
            Ok((!array.is_null(row)).then(|| floats.value(row)).filter(|value| !value.is_nan()))
        })
    }

    /// Integers of any width, and instants in nanoseconds since 1970.
    pub(crate) fn integers(&self, name: &str) -> Result<Vec<i64>> {
        self.column(name, |array, row| {
            anyhow::ensure!(!array.is_null(row), "null in row {row}");
            match array.data_type() {
                DataType::Int8 => Ok(i64::from(array.as_primitive::<Int8Type>().value(row))),
                DataType::Int16 => Ok(i64::from(array.as_primitive::<Int16Type>().value(row))),
                DataType::Int32 => Ok(i64::from(array.as_primitive::<Int32Type>().value(row))),
                DataType::Int64 => Ok(array.as_primitive::<Int64Type>().value(row)),
                DataType::Timestamp(TimeUnit::Microsecond, _) => {
                    Ok(array.as_primitive::<TimestampMicrosecondType>().value(row) * 1000)
                }
                DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                    Ok(array.as_primitive::<TimestampNanosecondType>().value(row))
                }
                other => anyhow::bail!("expected integers, found {other}"),
            }
        })
    }
}

/// A gzipped CSV file with its header, each row as text fields.
pub(crate) struct Csv {
    header: csv::StringRecord,
    pub(crate) rows: Vec<csv::StringRecord>,
}

impl Csv {
    pub(crate) fn open_gz(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Self::read(flate2::read::GzDecoder::new(file))
    }

    pub(crate) fn read(input: impl Read) -> Result<Self> {
        let mut reader = csv::Reader::from_reader(input);
        let header = reader.headers()?.clone();
        Ok(Self { header, rows: reader.records().collect::<Result<_, _>>()? })
    }

    pub(crate) fn index(&self, name: &str) -> Result<usize> {
        self.header
            .iter()
            .position(|field| field == name)
            .with_context(|| format!("no column {name}"))
    }
}

/// Rows of text fields as CSV with `\n` line ends.
pub(crate) fn write_csv<R: AsRef<[String]>>(header: &[&str], rows: &[R]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row.as_ref())?;
    }
    let bytes = writer.into_inner().context("cannot flush")?;
    Ok(String::from_utf8(bytes)?)
}
