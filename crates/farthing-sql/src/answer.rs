//! An answer, row by row.

use super::SqlError;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use futures::StreamExt as _;
use tokio::runtime::Runtime;

/// A query that was understood.
pub struct Answer<'a> {
    runtime: &'a Runtime,
    frame: DataFrame,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number that SQL computed in floating point, such as a ratio.
    Float(f64),
    /// An exact number, as its digits: money, quantities.
    Exact(String),
    /// Text, times and all else, as text.
    Text(String),
}

impl std::fmt::Display for Cell {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Flag(flag) => write!(out, "{flag}"),
            Self::Whole(number) => write!(out, "{number}"),
            Self::Float(number) => write!(out, "{number}"),
            Self::Exact(text) | Self::Text(text) => out.write_str(text),
        }
    }
}

impl<'a> Answer<'a> {
    pub(crate) const fn new(runtime: &'a Runtime, frame: DataFrame) -> Self {
        Self { runtime, frame }
    }

    /// The names of the columns.
    pub fn columns(&self) -> Vec<String> {
        self.frame.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Which columns are numbers.
    pub fn numeric(&self) -> Vec<bool> {
        let fields = self.frame.schema().fields();
        fields.iter().map(|field| field.data_type().is_numeric()).collect()
    }

    /// Hands out the rows, as they come. Memory does not grow with their number.
    ///
    /// # Errors
    /// A file cannot be read, a sum does not fit, memory is not enough, or `each` says so.
    pub fn rows<E: From<SqlError>>(
        self,
        mut each: impl FnMut(&[Cell]) -> std::result::Result<(), E>,
    ) -> std::result::Result<u64, E> {
        let batches = self.runtime.block_on(self.frame.execute_stream());
        let mut batches = batches.map_err(|source| SqlError::query(&source))?;
        let mut count = 0;
        while let Some(batch) = self.runtime.block_on(batches.next()) {
            let columns = columns(&batch.map_err(|source| SqlError::query(&source))?)
                .map_err(|source| SqlError::query(&source))?;
            let cells = columns.iter().map(Cells::new).collect::<Result<Vec<_>, _>>();
            let cells = cells.map_err(|source| SqlError::query(&source))?;
            let rows = columns.first().map_or(0, |column| column.array.len());
            let mut row = Vec::with_capacity(columns.len());
            for index in 0..rows {
                row.clear();
                for column in &cells {
                    row.push(column.get(index).map_err(|source| SqlError::query(&source))?);
                }
                each(&row)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// A column of a batch, in the few types that cells are made from.
struct Column {
    array: ArrayRef,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Flag,
    Whole,
    Float,
    Exact,
    Text,
}

fn columns(batch: &RecordBatch) -> Result<Vec<Column>> {
    batch.columns().iter().map(column).collect()
}

fn column(array: &ArrayRef) -> Result<Column> {
    let (kind, to) = match array.data_type() {
        DataType::Boolean => (Kind::Flag, None),
        DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::UInt64 => {
            (Kind::Exact, None)
        }
        other if other.is_integer() => (Kind::Whole, Some(DataType::Int64)),
        other if other.is_floating() => (Kind::Float, Some(DataType::Float64)),
        _ => (Kind::Text, None),
    };
    let array = match to {
        Some(to) => cast(array, &to)?,
        None => array.clone(),
    };
    Ok(Column { array, kind })
}

/// A column with what turns its values into text.
struct Cells<'a> {
    column: &'a Column,
    text: ArrayFormatter<'a>,
}

impl<'a> Cells<'a> {
    fn new(column: &'a Column) -> Result<Self> {
        let format = FormatOptions::default()
            .with_timestamp_format(Some(TIME))
            .with_timestamp_tz_format(Some(TIME));
        Ok(Self { column, text: ArrayFormatter::try_new(&column.array, &format)? })
    }

    fn get(&self, row: usize) -> Result<Cell> {
        let array = &self.column.array;
        if array.is_null(row) {
            return Ok(Cell::Null);
        }
        let text = || self.text.value(row).try_to_string();
        Ok(match self.column.kind {
            Kind::Flag => Cell::Flag(array.as_boolean().value(row)),
            Kind::Whole => Cell::Whole(array.as_primitive::<Int64Type>().value(row)),
            Kind::Float => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
            Kind::Exact => Cell::Exact(text()?),
            Kind::Text => Cell::Text(text()?),
        })
    }
}

/// RFC 3339 in UTC, as everywhere.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.fZ";
