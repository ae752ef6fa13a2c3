//! Alibaba PAI (2020) as GAIA samples it: 100,000 jobs over a year, 1,000 over a week.
//!
//! `arrival_h` and `length_h` in hours, or `arrival_s` and `length_s` in seconds, both from the
//! start; `units` is what a job asked for (instances times the unit of each), taken as accelerators
//! that it holds all at once. Source: <https://github.com/umassos/GAIA>.

use super::UNDATED_S;
use super::checked::{Judge, Judged, Raw};
use super::rows::Streamed;
use super::source::{Columns, Source, within};
use crate::trace::table::TraceError;
use std::path::Path;

const COLUMNS: Columns = Columns {
    needed: &["units"],
    more: &["arrival_h", "length_h", "arrival_s", "length_s"],
    separator: b',',
};

pub(super) fn open(path: &Path) -> Result<Box<dyn Judge>, TraceError> {
    let names = ["pai_100k_year.parquet", "pai_1k_week.csv.gz", "pai_1k_week.csv"];
    let source = Source::open(&within(path, &names), COLUMNS)?;
    let in_hours = source.has("arrival_h") && source.has("length_h");
    let in_seconds = source.has("arrival_s") && source.has("length_s");
    if !in_hours && !in_seconds {
        let what = "there is neither arrival_h with length_h nor arrival_s with length_s";
        return Err(source.fault(what.to_owned()));
    }
    let row = move |source: &Source| row(source, in_hours);
    Ok(Box::new(Judged::new(Streamed::new(source, row))))
}

fn row(source: &Source, in_hours: bool) -> Result<Raw, String> {
    let cells = &source.cells;
    let (arrival, length, unit_s) = if in_hours { (1, 2, 3_600) } else { (3, 4, 1) };
    Ok(Raw {
        name: None,
        team: None,
        submit_s: UNDATED_S + cells.seconds(arrival, unit_s)?,
        run_s: cells.seconds(length, unit_s)?,
        accelerators: cells.whole(0, "a number of units")?,
        due_s: None,
    })
}
