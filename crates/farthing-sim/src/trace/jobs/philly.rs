//! Microsoft Philly (2017), as the Pollux authors filtered it.
//!
//! `submit_time` (a time of no zone, taken as UTC) or `submit_s` (seconds from some start),
//! `duration_s` (seconds that it ran), `num_gpus` (all at once), `vc` (its virtual cluster: the
//! team). Source: <https://github.com/msr-fiddle/philly-traces>.

use super::UNDATED_S;
use super::checked::{Judge, Judged, Raw};
use super::rows::Streamed;
use super::source::{Columns, Source, within};
use crate::trace::table::TraceError;
use std::path::Path;

const COLUMNS: Columns = Columns {
    needed: &["duration_s", "num_gpus", "vc"],
    more: &["submit_time", "submit_s"],
    separator: b',',
};

pub(super) fn open(path: &Path) -> Result<Box<dyn Judge>, TraceError> {
    let source = Source::open(&within(path, &["philly_jobs.parquet", "philly-jobs.csv"]), COLUMNS)?;
    let dated = source.has("submit_time");
    if !dated && !source.has("submit_s") {
        return Err(source.fault("there is neither submit_time nor submit_s".to_owned()));
    }
    let row = move |source: &Source| row(source, dated);
    Ok(Box::new(Judged::new(Streamed::new(source, row))))
}

fn row(source: &Source, dated: bool) -> Result<Raw, String> {
    let cells = &source.cells;
    Ok(Raw {
        name: None,
        team: cells.name(2),
        submit_s: if dated { cells.moment(3)? } else { UNDATED_S + cells.seconds(4, 1)? },
        run_s: cells.seconds(0, 1)?,
        accelerators: cells.whole(1, "a number of accelerators")?,
        due_s: None,
    })
}
