//! How fast data moves between regions, as Skyplane measured it: Parquet, or the same columns as
//! CSV.
//!
//! ```text
//! src_region,dst_region,throughput_recieved     (bit/s; regions such as aws:us-east-1)
//! ```
//!
//! Other columns are not read. What arrived in a second counts, of one machine at each end: a
//! transfer with several may be faster, and a plan by these numbers is on the safe side. A pair
//! through which nothing came has no speed.

use super::{EgressError, region, told};
use crate::catalog::columns::{Column, readable};
use bytes::Bytes;
use farthing_model::{Decimal, Place};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::path::Path;

/// How Parquet begins.
pub(super) const PARQUET: &[u8] = b"PAR1";
/// The columns. The last is spelt as Skyplane does, or right.
const FROM: &str = "src_region";
const TO: &str = "dst_region";
const SPEED: [&str; 2] = ["throughput_recieved", "throughput_received"];

/// Two places, and gigabits a second from the first to the second.
pub(super) type Pair = (Place, Place, Decimal);

/// Whether a CSV text is about speeds.
pub(super) fn is_speeds(text: &str) -> bool {
    let header = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    positions(&header.split(',')).is_some()
}

/// Where the three columns are.
fn positions<'n>(names: &(impl Iterator<Item = &'n str> + Clone)) -> Option<[usize; 3]> {
    let at = |wanted: &[&str]| names.clone().position(|name| wanted.contains(&name.trim()));
    Some([at(&[FROM])?, at(&[TO])?, at(&SPEED)?])
}

/// Reads a CSV text that `path` names in messages.
pub(super) fn csv(text: &str, path: &Path) -> Result<Vec<Pair>, EgressError> {
    let bad = |what: String| EgressError::Header { path: path.to_owned(), what };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| bad(error.to_string()))?.clone();
    let at = positions(&header.iter()).ok_or_else(|| bad(format!("there is no `{FROM}`")))?;
    let (mut pairs, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let (line, read) = match &record {
            Ok(record) => {
                let [from, to, speed] = at.map(|at| record.get(at).unwrap_or_default());
                (record.position(), pair(from, to, || bits(speed)))
            }
            Err(error) => (error.position(), Err(error.to_string())),
        };
        let line = line.map_or(0, csv::Position::line);
        match read {
            Ok(pair) => pairs.extend(pair),
            Err(what) => faults.push(format!("{}:{line}: {what}", path.display())),
        }
    }
    told(faults, path)?;
    Ok(pairs)
}

/// Reads a Parquet file that `path` names in messages.
pub(super) fn parquet(bytes: Vec<u8>, path: &Path) -> Result<Vec<Pair>, EgressError> {
    let bad = |what: String| EgressError::Packed { path: path.to_owned(), what };
    let header = |what: String| EgressError::Header { path: path.to_owned(), what };
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))
        .map_err(|error| bad(format!("{error}; the file is damaged or not complete")))?;
    let schema = builder.schema().clone();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let at = positions(&names).ok_or_else(|| {
        header(format!("as Parquet it must say how fast data moves: {FROM}, {TO}, {}", SPEED[0]))
    })?;
    for field in at.map(|at| schema.field(at)) {
        if !readable(field.data_type()) {
            let what = format!("the column `{}` has the type {}", field.name(), field.data_type());
            return Err(header(what));
        }
    }
    let (mut pairs, mut faults, mut number) = (Vec::new(), Vec::new(), 0_u64);
    for batch in builder.build().map_err(|error| bad(error.to_string()))? {
        let batch = batch.map_err(|error| bad(format!("{error}; the file is damaged")))?;
        let [from, to, speed] = at.map(|at| Column::of(batch.column(at)));
        for row in 0..batch.num_rows() {
            number += 1;
            let bits = || speed.scaled(row, SPEED[0], 1).map_err(|error| error.to_string());
            match pair(from.text(row), to.text(row), bits) {
                Ok(pair) => pairs.extend(pair),
                Err(what) => faults.push(format!("{}: row {number}: {what}", path.display())),
            }
        }
    }
    told(faults, path)?;
    Ok(pairs)
}

/// A pair of places, if anything came through.
fn pair(
    from: &str,
    to: &str,
    bits: impl FnOnce() -> Result<Option<u64>, String>,
) -> Result<Option<Pair>, String> {
    let place = |column, text| {
        let (provider, region) = region(column, text)?;
        Ok::<_, String>(Place { provider, region, zone: None })
    };
    let (from, to) = (place(FROM, from)?, place(TO, to)?);
    let bits = bits()?.filter(|bits| *bits > 0);
    // A bit in a second is 10^-9 of a gigabit.
    Ok(bits.map(|bits| (from, to, Decimal::from_nano(bits.into()))))
}

fn bits(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number: Decimal = text.parse().map_err(|error| format!("`{}`: {error}", SPEED[0]))?;
    let whole = number.nano() / Decimal::ONE.nano();
    u64::try_from(whole).map(Some).map_err(|_| format!("`{}`: `{text}` is no speed", SPEED[0]))
}
