//! `SenseTime` Helios (2020): `cluster_log.csv`.
//!
//! `submit_time` (a time of no zone, taken as UTC), `duration` (seconds that it ran), `gpu_num`
//! (all at once), `vc` (its virtual cluster: the team), `job_id`. Jobs without an accelerator are
//! left out, as are those that never ran. Rows may come in any order, so that all of them are kept
//! until they are sorted. Source: <https://github.com/S-Lab-System-Group/HeliosData>.

use super::checked::{Judge, Judged, Raw, Rows};
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

/// Rows that are sorted by submission before the first is used.
pub(super) struct Sorted {
    source: Source,
    rows: std::vec::IntoIter<Raw>,
}

/// Rows that are kept at most to be sorted.
const SORTED_MAX: usize = 5_000_000;

impl Sorted {
    /// Reads all rows that a format does not leave out.
    pub(super) fn read(
        mut source: Source,
        row: impl Fn(&Source) -> Result<Option<Raw>, String>,
    ) -> Result<Self, TraceError> {
        let mut rows = Vec::new();
        while source.advance()? {
            let read = row(&source).and_then(|raw| match raw {
                Some(raw) if raw.run_s < 0 => {
                    Err(format!("the job ends {} s before it starts", -raw.run_s))
                }
                raw => Ok(raw),
            });
            rows.extend(read.map_err(|what| source.error(what))?);
            if rows.len() > SORTED_MAX {
                let what = format!("more than {SORTED_MAX} jobs are not sorted");
                return Err(source.error(what));
            }
        }
        rows.sort_by_key(|raw| raw.submit_s);
        Ok(Self { source, rows: rows.into_iter() })
    }
}

impl Rows for Sorted {
    fn next(&mut self) -> Result<Option<Raw>, TraceError> {
        Ok(self.rows.next())
    }

    fn error(&self, what: String) -> TraceError {
        self.source.fault(what)
    }

    fn fault(&self, what: String) -> TraceError {
        self.source.fault(what)
    }
}
