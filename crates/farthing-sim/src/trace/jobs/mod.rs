//! Traces of jobs, one after another: a row is read when it is needed and forgotten.
//!
//! One module for each format says which columns it needs, in which units. What all have in common
//! is in `checked`: jobs come in the order of submission, and amounts that no cluster has are
//! refused with what was probably meant. Start with [`JobFormat::open`].

pub(super) mod cells;
mod checked;
mod helios;
mod pai;
mod philly;
mod plain;
mod rows;
mod slurm;
pub(super) mod source;

use super::table::TraceError;
use crate::rule;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A job of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceJob {
    /// What the trace calls it, if it does.
    pub name: Option<Arc<str>>,
    /// Who it belongs to, if the trace says so.
    pub team: Option<Arc<str>>,
    /// When it was submitted, in seconds since 1970; traces without a date begin at 2020-01-01.
    pub submit_s: i64,
    /// How long it ran, in seconds.
    pub run_s: u32,
    /// Accelerators that it held, all at once.
    pub accelerators: u32,
    /// When it was to be done, in seconds since 1970.
    pub due_s: Option<i64>,
}

/// Jobs in the order of submission.
pub type JobStream = Box<dyn Iterator<Item = Result<TraceJob, TraceError>> + Send>;

/// 2020-01-01T00:00:00Z: where traces begin that have no date.
const UNDATED_S: i64 = 1_577_836_800;

/// What a trace of jobs is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFormat {
    /// Microsoft Philly, 2017.
    Philly,
    /// Alibaba PAI 2020, as GAIA samples it.
    Pai,
    /// `sacct -P` of Slurm.
    Slurm,
    /// `SenseTime` Helios, 2020.
    Helios,
    /// A plain table.
    Csv,
}

impl JobFormat {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Philly, "philly"),
        (Self::Pai, "alibaba-pai"),
        (Self::Slurm, "slurm"),
        (Self::Helios, "helios"),
        (Self::Csv, "csv"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }

    /// What such a trace is, with its columns.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Philly => {
                "jobs with submit_time (or submit_s), duration_s, num_gpus, vc; Parquet or CSV"
            }
            Self::Pai => {
                "jobs with arrival_h, length_h (or arrival_s, length_s), units; Parquet or CSV"
            }
            Self::Slurm => "what `sacct -P -o JobID,Account,Submit,Start,End,AllocTRES` prints",
            Self::Helios => {
                "cluster_log.csv with job_id, vc, gpu_num, submit_time, duration in seconds"
            }
            Self::Csv => {
                "jobs with submit (a time or seconds), run_s, accelerators, and job, team, \
                 deadline where there are some; CSV or Parquet"
            }
        }
    }

    /// What a trace seems to be by its columns, if it is one of jobs.
    pub fn guess(path: &Path) -> Option<Self> {
        // A row that is wrong is one of the right columns.
        let is = |format: &Self| matches!(format.open(path), Ok(_) | Err(TraceError::Line { .. }));
        Self::ALL.into_iter().map(|(format, _)| format).find(is)
    }

    /// Opens a trace: a file, or a folder that has one under its usual name.
    ///
    /// # Errors
    /// The file cannot be read, or lacks a column. What is wrong in a row comes when it is read.
    pub fn open(self, path: &Path) -> Result<JobStream, TraceError> {
        let jobs = match self {
            Self::Philly => philly::open(path)?,
            Self::Pai => pai::open(path)?,
            Self::Slurm => slurm::open(path)?,
            Self::Helios => helios::open(path)?,
            Self::Csv => plain::open(path)?,
        };
        checked::checked(jobs)
    }
}

impl fmt::Display for JobFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
