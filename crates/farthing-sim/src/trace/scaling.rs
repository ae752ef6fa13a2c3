//! Jobs that can run on several numbers of accelerators, and how fast they are on each.
//!
//! The table has the time of a step by `app`, `cluster` (a kind of accelerator), `local_bsz` (the
//! batch of an accelerator) and `num_replicas`, in seconds; the fastest placement counts. A job
//! keeps its batch whatever its size, so that a step does the same everywhere and nothing is lost
//! in what it learns: where the share of an accelerator is larger than any that was measured, it
//! takes several passes. The jobs have `submit` (or `time`), `app` (or `application`),
//! `accelerators` (or `num_replicas`), `batch_size`, and `run_s`, the time at the size asked for.

use super::TraceError;
use super::jobs::source::{Columns, Source};
use crate::shift::ElasticJob;
use std::collections::BTreeMap;
use std::path::Path;

const TABLE: Columns = Columns {
    needed: &["app", "local_bsz", "num_replicas", "step_time"],
    more: &["cluster"],
    separator: b',',
};
const JOBS: Columns = Columns {
    needed: &[],
    more: &[
        "submit",
        "time",
        "app",
        "application",
        "accelerators",
        "num_replicas",
        "batch_size",
        "run_s",
        "workload",
    ],
    separator: b',',
};
/// Jobs that are read at most.
const JOBS_MAX: usize = 1_000_000;

/// Steps in nanoseconds by number of accelerators and batch of one of them, by app.
type Steps = BTreeMap<String, BTreeMap<u32, BTreeMap<u32, u64>>>;

/// Jobs with their sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElasticTrace {
    /// In the order of submission.
    pub jobs: Vec<ElasticJob>,
    /// Jobs whose app or size the table does not have.
    pub left_out: usize,
}

/// What is read of which jobs.
#[derive(Clone, Copy, Debug)]
pub struct ElasticAsked<'a> {
    /// The kind of accelerator, as the table names it.
    pub kind: &'a str,
    /// Which workload of a file that has several.
    pub workload: Option<&'a str>,
    /// Seconds that a job runs where the trace does not say.
    pub run_s: Option<u64>,
    /// Accelerators that there are.
    pub accelerators: u32,
}

/// Reads jobs and the table of their speed.
///
/// # Errors
/// A file cannot be read, lacks a column or the kind, or a row is not what its column holds.
pub fn read_elastic(
    (jobs, table): (&Path, &Path),
    asked: &ElasticAsked<'_>,
) -> Result<ElasticTrace, TraceError> {
    let steps = read_steps(table, asked.kind)?;
    let mut source = Source::open(jobs, JOBS)?;
    let column = |names: &[usize]| {
        let there = names.iter().find(|at| source.has(source.cells.names[**at]));
        there.copied().ok_or_else(|| {
            let names: Vec<&str> = names.iter().map(|at| source.cells.names[*at]).collect();
            source.fault(format!("it has no column {}", names.join(" or ")))
        })
    };
    let places = [column(&[0, 1])?, column(&[2, 3])?, column(&[4, 5])?, column(&[6])?];
    let has_run = source.has("run_s");
    if !has_run && asked.run_s.is_none() {
        return Err(source.fault("it has no column `run_s`: say how long jobs run".to_owned()));
    }
    let named = source.has("workload");
    let mut trace = ElasticTrace { jobs: Vec::new(), left_out: 0 };
    while source.advance()? {
        if named && asked.workload.is_some_and(|name| name != source.cells.text(8)) {
            continue;
        }
        let read = row(&source, places, if has_run { None } else { asked.run_s });
        let (submit_s, run_s, size, batch) = read.map_err(|what| source.error(what))?;
        let sizes = steps
            .get(source.cells.text(places[1]))
            .map(|of_app| sizes(of_app, size, batch, asked.accelerators))
            .unwrap_or_default();
        if sizes.is_empty() {
            trace.left_out += 1;
        } else {
            trace.jobs.push(ElasticJob { submit_s, run_s, sizes });
        }
        if trace.jobs.len() > JOBS_MAX {
            return Err(source.error(format!("more than {JOBS_MAX} jobs are not read")));
        }
    }
    if trace.jobs.is_empty() {
        let what = format!("none of its {} jobs is in the table of steps", trace.left_out);
        return Err(source.fault(what));
    }
    trace.jobs.sort_by_key(|job| job.submit_s);
    Ok(trace)
}

fn row(
    source: &Source,
    [submit, _, size, batch]: [usize; 4],
    usual: Option<u64>,
) -> Result<(u64, u64, u32, u32), String> {
    let above = |at: usize, number: i64| {
        let name = source.cells.names[at];
        u32::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("{name} {number} is not above zero"))
    };
    let submit_s = source.cells.moment(submit)?;
    let submit_s = u64::try_from(submit_s).map_err(|_| "submitted before 1970".to_owned())?;
    let run_s = match usual {
        Some(run_s) => run_s,
        None => above(7, source.cells.seconds(7, 1)?)?.into(),
    };
    let size = above(size, source.cells.whole(size, "a number of accelerators")?)?;
    let batch = above(batch, source.cells.whole(batch, "a number of samples")?)?;
    Ok((submit_s, run_s, size, batch))
}

fn read_steps(path: &Path, kind: &str) -> Result<Steps, TraceError> {
    let mut source = Source::open(path, TABLE)?;
    let of_kinds = source.has("cluster");
    let mut steps = Steps::new();
    let mut kinds: Vec<String> = Vec::new();
    while source.advance()? {
        if of_kinds {
            let here = source.cells.text(4);
            if !kinds.iter().any(|known| known == here) {
                kinds.push(here.to_owned());
            }
            if here != kind {
                continue;
            }
        }
        let cells = &source.cells;
        let read = || {
            let whole = |at: usize| {
                let number = cells.scaled(at, (1, "a number"))?;
                let name = cells.names[at];
                u32::try_from(number).map_err(|_| format!("{name} {number} is below zero"))
            };
            let (batch, size) = (whole(1)?, whole(2)?);
            let step = cells.scaled(3, (1_000_000_000, "a number of seconds"))?;
            let step = u64::try_from(step).ok().filter(|step| *step > 0);
            let step = step.ok_or("step_time is not above zero")?;
            if batch == 0 || size == 0 {
                return Err("local_bsz and num_replicas are above zero".to_owned());
            }
            Ok::<_, String>((batch, size, step))
        };
        let (batch, size, step) = read().map_err(|what| source.error(what))?;
        let of_app = steps.entry(source.cells.text(0).to_owned()).or_default();
        let best = of_app.entry(size).or_default().entry(batch).or_insert(step);
        *best = step.min(*best);
    }
    if steps.is_empty() {
        let what = format!("it has no cluster `{kind}`; it has {}", kinds.join(", "));
        return Err(source.fault(what));
    }
    Ok(steps)
}

/// The sizes from the one that was asked for on, with their speeds; none where that was never
/// measured.
fn sizes(
    of_app: &BTreeMap<u32, BTreeMap<u32, u64>>,
    asked: u32,
    batch: u32,
    accelerators: u32,
) -> Vec<(u32, u64)> {
    let step = |size: u32| of_app.get(&size).and_then(|by_batch| step_of(by_batch, batch, size));
    let Some(base) = step(asked).filter(|_| asked <= accelerators) else { return Vec::new() };
    let mut all = vec![(asked, 1_000_000)];
    for size in of_app.range(asked + 1..=accelerators.max(asked + 1)).map(|(size, _)| *size) {
        let Some(step) = step(size).filter(|_| size <= accelerators) else { continue };
        let speed = u128::from(base) * 1_000_000 / u128::from(step);
        let speed = u64::try_from(speed).unwrap_or(u64::MAX);
        // More accelerators that make nothing faster are of no use.
        if all.last().is_some_and(|(_, before)| speed > *before) {
            all.push((size, speed));
        }
    }
    all
}

/// The time of a step over a whole batch: by the least batch measured that holds the share of an
/// accelerator, in as few passes as there can be.
fn step_of(by_batch: &BTreeMap<u32, u64>, batch: u32, size: u32) -> Option<u64> {
    let share = batch.div_ceil(size);
    let most = *by_batch.last_key_value()?.0;
    let passes = share.div_ceil(most);
    let held = by_batch.range(share.div_ceil(passes)..).next()?;
    held.1.checked_mul(passes.into())
}
