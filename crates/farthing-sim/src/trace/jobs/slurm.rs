//! Slurm: what `sacct -P` prints, with `JobID`, `Submit`, `Start`, `End` and `AllocTRES` at least.
//!
//! Times are those that `sacct` prints (`2026-03-01T10:00:00`, of no zone, taken as UTC);
//! accelerators are those of `gres/gpu` in `AllocTRES`, or in `ReqTRES` where that is empty; the
//! team is the `Account`. Left out are steps (`123.batch`), jobs that have not ended and jobs
//! without an accelerator. Rows are kept until they are sorted by submission.
//! Source: <https://slurm.schedmd.com/sacct.html>.

use super::checked::{Judge, Judged, Raw};
use super::rows::Sorted;
use super::source::{Columns, Source, within};
use crate::trace::table::TraceError;
use std::path::Path;

const COLUMNS: Columns = Columns {
    needed: &["JobID", "Submit", "Start", "End", "AllocTRES"],
    more: &["Account", "ReqTRES"],
    separator: b'|',
};

pub(super) fn open(path: &Path) -> Result<Box<dyn Judge>, TraceError> {
    let source = Source::open(&within(path, &["sacct.txt", "sacct.psv"]), COLUMNS)?;
    Ok(Box::new(Judged::new(Sorted::read(source, row)?)))
}

fn row(source: &Source) -> Result<Option<Raw>, String> {
    let cells = &source.cells;
    let open = |at: usize| matches!(cells.text(at), "" | "Unknown" | "None");
    if cells.text(0).contains('.') || open(2) || open(3) {
        return Ok(None);
    }
    let accelerators = match accelerators(cells.text(4))? {
        0 => accelerators(cells.text(6))?,
        found => found,
    };
    if accelerators == 0 {
        return Ok(None);
    }
    Ok(Some(Raw {
        name: cells.name(0),
        team: cells.name(5),
        submit_s: cells.moment(1)?,
        run_s: cells.moment(3)? - cells.moment(2)?,
        accelerators,
        due_s: None,
    }))
}

/// The accelerators of `billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,node=1`: those of no kind count
/// all, where they are there.
fn accelerators(tres: &str) -> Result<i64, String> {
    let (mut all, mut by_kind) = (None, 0);
    for part in tres.split(',') {
        let Some((name, count)) = part.split_once('=') else { continue };
        let Some(kind) = name.trim().strip_prefix("gres/gpu") else { continue };
        let count = count.trim().parse::<i64>();
        let count = count.map_err(|_| format!("`{part}` is no number of accelerators"))?;
        if kind.is_empty() {
            all = Some(count);
        } else if kind.starts_with(':') {
            by_kind += count;
        }
    }
    Ok(all.unwrap_or(by_kind))
}
