//! Bills as Parquet: values of any type that has a text, as CSV would have them.

use super::super::ROWS_MAX;
use super::{Bill, BillError, Reading, Visit};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use farthing_model::Currency;
use jiff::Timestamp;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use std::borrow::Cow;

/// Reads a file, a batch at a time.
pub(super) fn read_parquet(
    bytes: impl ChunkReader + 'static,
    currency: Option<Currency>,
    visit: &mut Visit<'_>,
) -> Result<Bill, BillError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(BillError::Parquet)?;
    let names = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut reading = Reading::new(names, currency)?;
    let reader = builder.with_batch_size(ROWS_MAX).build().map_err(BillError::Parquet)?;
    for batch in reader {
        let batch: RecordBatch = batch.map_err(|error| BillError::Parquet(error.into()))?;
        for column in &reading.asked {
            text_of(batch.column(*column), 0, &reading.names[*column])?;
        }
        for row in 0..batch.num_rows() {
            let read = |column: usize| text_of(batch.column(column), row, "").ok().flatten();
            reading.row(&read, visit)?;
        }
    }
    reading.finish()
}

/// A value as CSV would have it.
fn text_of<'a>(
    column: &'a ArrayRef,
    row: usize,
    name: &str,
) -> Result<Option<Cow<'a, str>>, BillError> {
    if row < column.len() && column.is_null(row) {
        return Ok(None);
    }
    let at =
        |nanos: i128| Timestamp::from_nanosecond(nanos).map(|at| Cow::Owned(at.to_string())).ok();
    let kind = column.data_type();
    let is_there = row < column.len();
    let read = || match kind {
        DataType::Utf8 => Some(Cow::Borrowed(column.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => Some(Cow::Borrowed(column.as_string::<i64>().value(row))),
        DataType::Utf8View => Some(Cow::Borrowed(column.as_string_view().value(row))),
        DataType::Float64 => {
            Some(Cow::Owned(column.as_primitive::<Float64Type>().value(row).to_string()))
        }
        DataType::Int64 => {
            Some(Cow::Owned(column.as_primitive::<Int64Type>().value(row).to_string()))
        }
        DataType::Decimal128(..) => {
            Some(Cow::Owned(column.as_primitive::<Decimal128Type>().value_as_string(row)))
        }
        DataType::Timestamp(unit, _) => {
            use arrow_array::types as t;
            at(match unit {
                TimeUnit::Second => {
                    i128::from(column.as_primitive::<t::TimestampSecondType>().value(row))
                        * 1_000_000_000
                }
                TimeUnit::Millisecond => {
                    i128::from(column.as_primitive::<t::TimestampMillisecondType>().value(row))
                        * 1_000_000
                }
                TimeUnit::Microsecond => {
                    i128::from(column.as_primitive::<t::TimestampMicrosecondType>().value(row))
                        * 1_000
                }
                TimeUnit::Nanosecond => {
                    column.as_primitive::<t::TimestampNanosecondType>().value(row).into()
                }
            })
        }
        _ => None,
    };
    let known = matches!(
        kind,
        DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Float64
            | DataType::Int64
            | DataType::Null
            | DataType::Decimal128(..)
            | DataType::Timestamp(..)
    );
    if !known {
        return Err(BillError::Type { column: name.to_owned(), kind: kind.to_string() });
    }
    Ok(if is_there { read() } else { None })
}
