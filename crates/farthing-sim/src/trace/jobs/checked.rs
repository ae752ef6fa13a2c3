//! What holds of every trace of jobs: order, and amounts that can be.

use super::{JobStream, TraceJob};
use crate::trace::table::TraceError;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// No job runs longer: five years.
const RUN_MAX_S: i64 = 5 * 366 * 86_400;
/// No job holds more accelerators.
const ACCELERATORS_MAX: i64 = 1_000_000;
/// Rows that are looked at together before the first one is used.
const LOOKED_AT: usize = 1_000;
/// Half of all jobs run longer than this nowhere: two weeks.
const HALF_MAX_S: u32 = 14 * 86_400;
/// Years in which there were accelerators: 2000 to 2100, in seconds since 1970.
const YEARS_S: (i64, i64) = (946_684_800, 4_102_444_800);

/// A row as its format reads it, before it is judged.
pub(super) struct Raw {
    pub(super) name: Option<String>,
    pub(super) team: Option<String>,
    pub(super) submit_s: i64,
    pub(super) run_s: i64,
    pub(super) accelerators: i64,
    pub(super) due_s: Option<i64>,
}

/// Reads the rows of a format and judges each.
pub(super) struct Judged<R> {
    read: R,
    teams: BTreeSet<Arc<str>>,
    before_s: i64,
    done: bool,
}

/// What reads one row after another: the row, nothing at the end, or why not.
pub(super) trait Rows {
    /// The next row.
    fn next(&mut self) -> Result<Option<Raw>, TraceError>;
    /// An error in the row that was read last.
    fn error(&self, what: String) -> TraceError;
    /// An error of the file.
    fn fault(&self, what: String) -> TraceError;
}

impl<R: Rows> Judged<R> {
    pub(super) fn new(read: R) -> Self {
        Self { read, teams: BTreeSet::new(), before_s: i64::MIN, done: false }
    }

    fn judge(&mut self, raw: Raw) -> Result<TraceJob, String> {
        let Raw { name, team, submit_s, run_s, accelerators, due_s } = raw;
        if submit_s < self.before_s {
            let before_s = self.before_s;
            return Err(format!(
                "submitted at {}, before the row above ({}): sort the rows by submission",
                time(submit_s),
                time(before_s)
            ));
        }
        if !(YEARS_S.0..YEARS_S.1).contains(&submit_s) {
            let what = "submitted in no year from 2000 to 2100: are times in seconds?";
            return Err(format!("{}: {what}", time(submit_s)));
        }
        if run_s < 0 {
            return Err(format!("the job ends {} s before it starts", -run_s));
        }
        if run_s > RUN_MAX_S {
            let days = run_s / 86_400;
            return Err(format!("a run of {run_s} s is {days} days: is it in milliseconds?"));
        }
        if !(1..=ACCELERATORS_MAX).contains(&accelerators) {
            let most = ACCELERATORS_MAX;
            return Err(format!("{accelerators} accelerators are not from 1 to {most}"));
        }
        if due_s.is_some_and(|due_s| due_s < submit_s) {
            return Err("the deadline is before the submission".to_owned());
        }
        self.before_s = submit_s;
        Ok(TraceJob {
            name: name.map(Arc::from),
            team: team.map(|team| self.team(&team)),
            submit_s,
            run_s: u32::try_from(run_s).unwrap_or(u32::MAX),
            accelerators: u32::try_from(accelerators).unwrap_or(u32::MAX),
            due_s,
        })
    }

    /// The same text for the same team, however many jobs it has.
    fn team(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.teams.get(name) {
            return Arc::clone(known);
        }
        let team: Arc<str> = Arc::from(name);
        self.teams.insert(Arc::clone(&team));
        team
    }
}

impl<R: Rows> Iterator for Judged<R> {
    type Item = Result<TraceJob, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.read.next().and_then(|raw| {
            let judged = raw.map(|raw| self.judge(raw)).transpose();
            judged.map_err(|what| self.read.error(what))
        });
        self.done = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}

/// A trace whose first rows are plausible together.
pub(super) fn checked(jobs: Box<dyn Judge>) -> Result<JobStream, TraceError> {
    let mut jobs = jobs;
    let mut first = VecDeque::with_capacity(LOOKED_AT);
    while first.len() < LOOKED_AT {
        let Some(job) = jobs.next() else { break };
        let bad = job.is_err();
        first.push_back(job);
        if bad {
            break;
        }
    }
    if first.is_empty() {
        return Err(jobs.fault("it has no rows".to_owned()));
    }
    let mut runs: Vec<u32> = first.iter().flatten().map(|job| job.run_s).collect();
    runs.sort_unstable();
    let middle = runs.get(runs.len() / 2).copied().unwrap_or(0);
    if runs.len() >= LOOKED_AT / 10 && middle > HALF_MAX_S {
        let (count, days) = (runs.len(), middle / 86_400);
        return Err(jobs.fault(format!(
            "half of the first {count} jobs run longer than {days} days: are run times in \
             milliseconds?"
        )));
    }
    Ok(Box::new(first.into_iter().chain(jobs)))
}

/// Rows that were judged, and what can be said of their file.
pub(super) trait Judge: Iterator<Item = Result<TraceJob, TraceError>> + Send {
    /// An error of the file.
    fn fault(&self, what: String) -> TraceError;
}

impl<R: Rows + Send> Judge for Judged<R> {
    fn fault(&self, what: String) -> TraceError {
        self.read.fault(what)
    }
}

fn time(second: i64) -> String {
    jiff::Timestamp::from_second(second).map_or_else(|_| format!("{second} s"), |at| at.to_string())
}
