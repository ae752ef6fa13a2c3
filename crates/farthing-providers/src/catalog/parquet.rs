//! Price books as Parquet, with the columns of the CSV form.
//!
//! Each cell becomes text and goes through the code that reads CSV rows. Prices in a float column
//! are read as the shortest decimal that stands for the float: `30.09784` stays `30.09784`.

use super::BookError;
use super::csv::{columns, fault};
use super::row::{COLUMNS, Row};
use crate::manifest::Fault;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use jiff::civil::Date;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;

/// Most rows of one file; every catalogue of the world fits.
const ROWS_MAX: i64 = 5_000_000;

/// Reads the rows of a book; a bad row is a fault with its number, counted from 1.
///
/// # Errors
/// Not Parquet, cut off, or not a price book.
pub(crate) fn rows(path: &Path) -> Result<(Vec<Row>, Vec<Fault>), BookError> {
    let bad = |what: String| BookError::Parquet { path: path.to_owned(), what };
    let file = File::open(path).map_err(|error| bad(error.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| bad(format!("{error}; the file is damaged or not complete")))?;
    let total = builder.metadata().file_metadata().num_rows();
    if total > ROWS_MAX {
        return Err(bad(format!("has {total} rows; at most {ROWS_MAX} are read")));
    }
    let schema = builder.schema().clone();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let header = |what| BookError::Header { path: path.to_owned(), what };
    let index = columns(names).map_err(header)?;
    for field in schema.fields() {
        if !readable(field.data_type()) {
            let what = format!("the column `{}` has the type {}", field.name(), field.data_type());
            return Err(header(what));
        }
    }
    let source = path.display().to_string();
    let (mut rows, mut faults, mut number) = (Vec::new(), Vec::new(), 0);
    for batch in builder.build().map_err(|error| bad(error.to_string()))? {
        let batch = batch.map_err(|error| bad(format!("{error}; the file is damaged")))?;
        for at in 0..batch.num_rows() {
            number += 1;
            let cells = cells(&batch, &index, at);
            let cell = |column: &'static str| {
                let known = COLUMNS.iter().position(|known| *known == column);
                known.map_or("", |known| cells[known].trim())
            };
            match Row::read(cell) {
                Ok(row) => rows.push(row),
                Err(what) => {
                    faults.push(fault(
                        &source,
                        u64::try_from(number).unwrap_or(0),
                        what.to_string(),
                    ));
                }
            }
        }
    }
    Ok((rows, faults))
}

fn cells(
    batch: &RecordBatch,
    index: &[Option<usize>; COLUMNS.len()],
    row: usize,
) -> [String; COLUMNS.len()] {
    index.map(|at| at.map(|at| cell(batch.column(at).as_ref(), row)).unwrap_or_default())
}

const fn readable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => {
            matches!(**value, DataType::Utf8 | DataType::LargeUtf8)
        }
        other => matches!(
            other,
            DataType::Null
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::UInt8
                | DataType::UInt16
                | DataType::UInt32
                | DataType::UInt64
                | DataType::Float32
                | DataType::Float64
                | DataType::Date32
                | DataType::Decimal128(..)
        ),
    }
}

/// The text of a cell; empty where there is no value, and for types that are refused before.
fn cell(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return String::new();
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).to_string(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        // Display of floats is the shortest decimal that reads back as the same float.
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let keys = dictionary.normalized_keys();
            cell(dictionary.values().as_ref(), keys[row])
        }
        _ => String::new(),
    }
}

fn date(days: i32) -> String {
    let epoch = Date::constant(1970, 1, 1);
    epoch.checked_add(jiff::Span::new().days(days)).map_or(String::new(), |day| day.to_string())
}
