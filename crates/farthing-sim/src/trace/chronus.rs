//! Training jobs with strict and soft deadlines, as Chronus derives them from the Philly trace.
//!
//! Columns: `variant` (several traces in one file), `num_gpu`, `submit_time` and `duration` in
//! minutes, `expect_time_list` (deadlines in minutes after submission, separated by `-`),
//! `expect_value_list` (what each is worth) and `best_effort` (1: no deadline counts). Parquet or
//! CSV, told apart by content. Deadlines there are made up by the authors on real arrivals.

use super::table::{ROWS_MAX, TraceError, rows};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::Path;

const COLUMNS: [&str; 7] = [
    "variant",
    "num_gpu",
    "submit_time",
    "duration",
    "expect_time_list",
    "expect_value_list",
    "best_effort",
];
/// What a file of Parquet begins with.
const MAGIC: &[u8; 4] = b"PAR1";
/// Minutes that a time may have: some thousand years.
const MINUTES_MAX: i64 = 1 << 30;

/// A job of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChronusJob {
    /// The trace that it belongs to.
    pub variant: String,
    /// Accelerators that it holds; 0 in some rows, which then have none.
    pub gang: u32,
    /// When it comes.
    pub submit_min: u32,
    /// How long it runs.
    pub duration_min: u32,
    /// Deadlines in minutes after it has come, with what each is worth; the earliest first.
    pub due: Vec<(u32, i64)>,
}

/// Reads all jobs of a file, in its order.
///
/// # Errors
/// The file cannot be read or is neither form, a column is missing, or a value is not what its
/// column holds.
pub fn read_chronus(path: &Path) -> Result<Vec<ChronusJob>, TraceError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| TraceError::File { file: name.clone(), source: error };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut begin = [0; MAGIC.len()];
    let is_parquet = file.read_exact(&mut begin).is_ok() && &begin == MAGIC;
    file.rewind().map_err(unreadable)?;
    if is_parquet {
        return parquet(&name, file);
    }
    rows((&name, BufReader::new(file)), &COLUMNS, |row| {
        let mut numbers = [0; 4];
        for (number, at) in numbers.iter_mut().zip([1, 2, 3, 6]) {
            *number = row.value(at, "a whole number")?;
        }
        job(row.text(0), numbers, [row.text(4), row.text(5)]).map_err(|what| row.error(what))
    })
}

/// A job from its cells: accelerators, submission, duration, best effort; deadlines and values.
fn job(variant: &str, numbers: [i64; 4], [times, values]: [&str; 2]) -> Result<ChronusJob, String> {
    let [gang, submit, duration, best_effort] = numbers;
    let whole = |name: &str, value: i64| {
        let fits = u32::try_from(value).ok().filter(|_| value < MINUTES_MAX);
        fits.ok_or_else(|| format!("{name} {value} is not a number from 0 to {MINUTES_MAX}"))
    };
    let list = |name: &str, text: &str| {
        let parts = text.split('-').map(|part| part.trim().parse::<i64>());
        let all: Result<Vec<i64>, _> = parts.collect();
        all.map_err(|error| format!("{name} `{text}` are no numbers between `-`: {error}"))
    };
    let mut due = Vec::new();
    if best_effort == 0 {
        let (times, values) =
            (list("expect_time_list", times)?, list("expect_value_list", values)?);
        if times.len() != values.len() || times.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("deadlines need a value each, and rise".to_owned());
        }
        for (time, value) in times.into_iter().zip(values) {
            due.push((whole("expect_time_list", time)?, value));
        }
    }
    if duration <= 0 {
        return Err(format!("duration {duration} is not above zero"));
    }
    Ok(ChronusJob {
        variant: variant.to_owned(),
        gang: whole("num_gpu", gang)?,
        submit_min: whole("submit_time", submit)?,
        duration_min: whole("duration", duration)?,
        due,
    })
}

fn parquet(name: &str, file: File) -> Result<Vec<ChronusJob>, TraceError> {
    let bad = |what: String| TraceError::Parquet { file: name.to_owned(), what };
    let damaged = |error: &dyn std::fmt::Display| bad(format!("{error}; the file is damaged"));
    // Texts are then plain, however the writer kept them.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| damaged(&error))?;
    let mut all = Vec::new();
    for batch in builder.build().map_err(|error| damaged(&error))? {
        let batch = batch.map_err(|error| damaged(&error))?;
        take(&batch, &mut all).map_err(bad)?;
    }
    if all.is_empty() { Err(TraceError::Empty { file: name.to_owned() }) } else { Ok(all) }
}

/// Takes in the rows of a batch.
fn take(batch: &RecordBatch, all: &mut Vec<ChronusJob>) -> Result<(), String> {
    let column = |name: &str| {
        let found = batch.column_by_name(name).filter(|column| column.null_count() == 0);
        found.ok_or_else(|| {
            let expected = COLUMNS.join(", ");
            format!("there is no column `{name}` without gaps; the columns are {expected}")
        })
    };
    let text = |name: &str| {
        let found = column(name)?.as_string_opt::<i32>();
        found.ok_or_else(|| format!("the column `{name}` holds no texts"))
    };
    let number = |name: &str| {
        let found = column(name)?.as_primitive_opt::<Int64Type>();
        found.ok_or_else(|| format!("the column `{name}` holds no whole numbers of 64 bits"))
    };
    let [variant, times, values] =
        [text("variant")?, text("expect_time_list")?, text("expect_value_list")?];
    let numbers =
        [number("num_gpu")?, number("submit_time")?, number("duration")?, number("best_effort")?];
    for at in 0..batch.num_rows() {
        let row = all.len() + 1;
        if u64::try_from(row).unwrap_or(u64::MAX) > ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} rows are not read"));
        }
        let numbers = numbers.map(|column| column.value(at));
        let read = job(variant.value(at), numbers, [times.value(at), values.value(at)]);
        all.push(read.map_err(|what| format!("row {row}: {what}"))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const HEAD: &str = "variant,num_gpu,submit_time,duration,expect_time_list,\
                        expect_value_list,best_effort\n";

    fn read(rows: &str) -> Result<Vec<ChronusJob>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(format!("{HEAD}{rows}").as_bytes()).unwrap();
        let name = file.path().display().to_string();
        read_chronus(file.path()).map_err(|error| error.to_string().replace(&name, "c"))
    }

    #[test]
    fn strict_soft_and_best_effort_jobs_are_read() {
        let all =
            read("SLO,4,12,211,282,10,0\nMIX2,1,5,96,159-189,10-8,0\nMIX1,1,843,59,843,10,1\n");
        let due: Vec<Vec<(u32, i64)>> = all.unwrap().into_iter().map(|job| job.due).collect();
        assert_eq!(due, [vec![(282, 10)], vec![(159, 10), (189, 8)], vec![]]);
    }

    #[test]
    fn bad_rows_are_named() {
        let message = |row: &str| read(&format!("{row}\n")).unwrap_err();
        assert_eq!(message("A,1,1,0,5,5,0"), "c, line 2: duration 0 is not above zero");
        assert_eq!(
            message("A,1,1,1,5-4,5-4,0"),
            "c, line 2: deadlines need a value each, and rise"
        );
        assert_eq!(message("A,1,1,1,5-9,5,0"), "c, line 2: deadlines need a value each, and rise");
        assert!(message("A,1,1,1,x,5,0").contains("expect_time_list `x` are no numbers"));
        assert!(message("A,-1,1,1,5,5,0").contains("num_gpu -1 is not a number from 0"));
    }
}
