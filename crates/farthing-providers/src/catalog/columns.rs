//! Columns of Parquet as cells: texts in place, floats as the decimals that were written.

use super::number;
use super::row::RowError;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Float64Array, LargeStringArray, StringArray, cast::AsArray};
use arrow_schema::{DataType, TimeUnit};
use jiff::{Timestamp, civil::Date};
use std::collections::HashMap;

/// One column of a batch.
pub(crate) enum Column<'b> {
    Text(&'b StringArray),
    LargeText(&'b LargeStringArray),
    Float(&'b Float64Array),
    /// Each different value once as text, and which one each row has.
    Coded(Vec<u32>, Vec<String>),
}

impl<'b> Column<'b> {
    pub(crate) fn of(array: &'b ArrayRef) -> Self {
        match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string::<i32>()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string::<i64>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            _ => {
                let (mut texts, mut codes) = (Vec::new(), Vec::with_capacity(array.len()));
                let mut known: HashMap<String, u32> = HashMap::new();
                for row in 0..array.len() {
                    let text = cell(array.as_ref(), row);
                    codes.push(*known.entry(text).or_insert_with_key(|text| {
                        texts.push(text.clone());
                        super::intern::next(texts.len() - 1)
                    }));
                }
                Self::Coded(codes, texts)
            }
        }
    }

    /// The text of a row; a float has none.
    pub(crate) fn text(&self, row: usize) -> &str {
        match self {
            Self::Text(array) if array.is_valid(row) => array.value(row).trim(),
            Self::LargeText(array) if array.is_valid(row) => array.value(row).trim(),
            Self::Coded(codes, texts) => texts[codes[row] as usize].trim(),
            _ => "",
        }
    }

    /// A number of `1/per` of one.
    pub(crate) fn scaled(
        &self,
        row: usize,
        name: &'static str,
        per: u64,
    ) -> Result<Option<u64>, RowError> {
        let bad = |what| RowError::Cell(name, what);
        match self {
            Self::Float(array) if array.is_null(row) => Ok(None),
            Self::Float(array) => {
                number::float_scaled(array.value(row), per).map(Some).map_err(bad)
            }
            _ => match self.text(row) {
                "" => Ok(None),
                text => number::scaled(text, per).map(Some).map_err(bad),
            },
        }
    }

    /// A price in 10^-12.
    pub(crate) fn price(&self, row: usize, name: &'static str) -> Result<Option<i64>, RowError> {
        let bad = |what| RowError::Cell(name, what);
        match self {
            Self::Float(array) if array.is_null(row) => Ok(None),
            Self::Float(array) => number::float_price(array.value(row)).map(Some).map_err(bad),
            _ => match self.text(row) {
                "" => Ok(None),
                text => number::price(text).map(Some).map_err(bad),
            },
        }
    }
}

/// Whether cells of a type can be read.
pub(crate) const fn readable(data_type: &DataType) -> bool {
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
                | DataType::Timestamp(..)
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
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(unit, _) => day(array, row, *unit),
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

/// The day of a time, in UTC.
fn day(array: &dyn Array, row: usize, unit: TimeUnit) -> String {
    let time = match unit {
        TimeUnit::Second => {
            Timestamp::from_second(array.as_primitive::<TimestampSecondType>().value(row))
        }
        TimeUnit::Millisecond => {
            Timestamp::from_millisecond(array.as_primitive::<TimestampMillisecondType>().value(row))
        }
        TimeUnit::Microsecond => {
            Timestamp::from_microsecond(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        TimeUnit::Nanosecond => {
            let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
            Timestamp::from_nanosecond(nanos.into())
        }
    };
    time.map_or(String::new(), |time| time.strftime("%Y-%m-%d").to_string())
}
