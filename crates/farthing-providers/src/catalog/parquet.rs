//! Price books as Parquet, with the columns of the CSV form, and catalogues of other shapes.
//!
//! Prices in a float column are read as the shortest decimal that stands for the float: `30.09784`
//! stays `30.09784`.

use super::columns::{Column, readable};
use super::csv::{Index, ROWS_MAX, columns, number};
use super::error::BookError;
use super::import::instances;
use super::intake::Intake;
use super::row::{Cells, Row, RowError};
use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;

/// Rows that are decoded at a time.
const BATCH: usize = 16_384;

/// Reads the rows of a book; a bad row is a fault with its number, counted from 1.
///
/// # Errors
/// Not Parquet, cut off, or not a price book.
pub(crate) fn rows(
    path: &Path,
    whole: &instances::Whole,
    intake: &mut Intake,
) -> Result<(), BookError> {
    let bad = |what: String| BookError::Parquet { path: path.to_owned(), what };
    let file = File::open(path).map_err(|error| bad(error.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| bad(format!("{error}; the file is damaged or not complete")))?;
    let total = builder.metadata().file_metadata().num_rows();
    if u64::try_from(total).is_ok_and(|total| total > ROWS_MAX) {
        return Err(BookError::Rows { path: path.to_owned(), max: ROWS_MAX });
    }
    let schema = builder.schema().clone();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let header = |what| BookError::Header { path: path.to_owned(), what };
    for field in schema.fields() {
        if !readable(field.data_type()) {
            let what = format!("the column `{}` has the type {}", field.name(), field.data_type());
            return Err(header(what));
        }
    }
    let batches = builder.with_batch_size(BATCH).build().map_err(|error| bad(error.to_string()))?;
    let batches =
        batches.map(|batch| batch.map_err(|error| bad(format!("{error}; the file is damaged"))));
    if let Some(layout) = instances::Layout::of(names.iter().copied()) {
        return instances::batches(path, &layout, whole, batches, intake);
    }
    let index = columns(names.iter().copied()).map_err(header)?;
    let mut number = 0_u64;
    for batch in batches {
        book(&batch?, &index, intake, |intake, what| {
            number += 1;
            if let Err(what) = what {
                intake.fault(path, number, what.to_string());
            }
        });
    }
    Ok(())
}

fn book(
    batch: &RecordBatch,
    index: &Index,
    intake: &mut Intake,
    mut done: impl FnMut(&mut Intake, Result<(), RowError>),
) {
    let columns = index.map(|at| at.map(|at| Column::of(batch.column(at))));
    for row in 0..batch.num_rows() {
        let cells = Line { columns: &columns, row };
        let added = Row::read(&cells).and_then(|row| intake.add(&row));
        done(intake, added);
    }
}

struct Line<'c> {
    columns: &'c [Option<Column<'c>>],
    row: usize,
}

impl<'c> Line<'c> {
    fn column(&self, column: &str) -> Option<&'c Column<'c>> {
        number(column).and_then(|column| self.columns[column].as_ref())
    }
}

impl<'c> Cells<'c> for Line<'c> {
    fn cell(&self, column: &'static str) -> &'c str {
        self.column(column).map_or("", |column| column.text(self.row))
    }

    fn scaled(&self, column: &'static str, per: u64) -> Result<Option<u64>, RowError> {
        self.column(column).map_or(Ok(None), |it| it.scaled(self.row, column, per))
    }

    fn price(&self, column: &'static str) -> Result<Option<i64>, RowError> {
        self.column(column).map_or(Ok(None), |it| it.price(self.row, column))
    }
}
