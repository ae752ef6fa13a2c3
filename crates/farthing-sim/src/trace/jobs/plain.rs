//! A plain table of jobs, for whatever has no format of its own.
//!
//! `submit` is a time (`2026-03-01T10:00:00Z`, UTC where it does not say otherwise) or seconds from
//! some start; `run_s` seconds that it ran; `accelerators` that it held all at once. There may be
//! `job` (its name), `team`, and `deadline`, written like `submit`.

use super::UNDATED_S;
use super::checked::{Judge, Judged, Raw};
use super::rows::Streamed;
use super::source::{Columns, Source};
use crate::trace::table::TraceError;
use std::path::Path;

const COLUMNS: Columns = Columns {
    needed: &["submit", "run_s", "accelerators"],
    more: &["job", "team", "deadline"],
    separator: b',',
};
/// What is less is no time since 1970 but since the start of a trace.
const DATED_S: i64 = 946_684_800;

pub(super) fn open(path: &Path) -> Result<Box<dyn Judge>, TraceError> {
    Ok(Box::new(Judged::new(Streamed::new(Source::open(path, COLUMNS)?, row))))
}

fn row(source: &Source) -> Result<Raw, String> {
    let cells = &source.cells;
    let moment = |at: usize| {
        let moment = cells.moment(at)?;
        Ok::<i64, String>(if moment < DATED_S { UNDATED_S + moment } else { moment })
    };
    Ok(Raw {
        name: cells.name(3),
        team: cells.name(4),
        submit_s: moment(0)?,
        run_s: cells.seconds(1, 1)?,
        accelerators: cells.whole(2, "a number of accelerators")?,
        due_s: cells.has(5).then(|| moment(5)).transpose()?,
    })
}
