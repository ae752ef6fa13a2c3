//! `SenseTime` Helios (2020): `cluster_log.csv`.
//!
//! `submit_time` (a time of no zone, taken as UTC), `duration` (seconds that it ran), `gpu_num`
//! (all at once), `vc` (its virtual cluster: the team), `job_id`. Jobs without an accelerator are
//! left out, as are those that never ran. Rows may come in any order, so that all of them are kept
//! until they are sorted. Source: <https://github.com/S-Lab-System-Group/HeliosData>.

use super::checked::{Judge, Judged, Raw};
use super::rows::Sorted;
use super::source::{Columns, Source, within};
use crate::trace::table::TraceError;
use std::path::Path;

const COLUMNS: Columns = Columns {
    needed: &["job_id", "vc", "gpu_num", "submit_time", "duration"],
    more: &[],
    separator: b',',
};

pub(super) fn open(path: &Path) -> Result<Box<dyn Judge>, TraceError> {
    let source = Source::open(&within(path, &["cluster_log.csv"]), COLUMNS)?;
    let sorted = Sorted::read(source, |source| {
        let cells = &source.cells;
        let accelerators = cells.whole(2, "a number of accelerators")?;
        if accelerators == 0 || !cells.has(4) {
            return Ok(None);
        }
        Ok(Some(Raw {
            name: cells.name(0),
            team: cells.name(1),
            submit_s: cells.moment(3)?,
            run_s: cells.seconds(4, 1)?,
            accelerators,
            due_s: None,
        }))
    })?;
    Ok(Box::new(Judged::new(sorted)))
}
