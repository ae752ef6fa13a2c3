//! Jobs of traces as a fleet sees them.

use crate::trace::{ChronusJob, GavelJob, Throughputs};
use farthing_model::Decimal;
use farthing_planner::rounds::{Arrival, Due, RoundJob};

/// Gavel counts deadlines in durations on this accelerator.
const REFERENCE: &str = "v100";
/// 10^-9 in a microsecond.
const NANO: i128 = 1_000_000_000;
const MICRO: i128 = 1_000_000;

/// Why a job of a trace cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("job {job} ({kind}, {gang} accelerators): {what}")]
pub struct JobsError {
    /// Its place in the trace, from 1.
    pub job: usize,
    /// What it trains.
    pub kind: String,
    /// How many accelerators it holds.
    pub gang: u32,
    /// What is missing.
    pub what: String,
}

/// The jobs of a Gavel trace on the named accelerators, in the order of a fleet's kinds.
///
/// # Errors
/// A job without a rate on any of them, or with a deadline and no rate on a V100; numbers that are
/// too large.
pub fn of_gavel(
    jobs: &[GavelJob],
    rates: &Throughputs,
    kinds: &[String],
) -> Result<Vec<Arrival>, JobsError> {
    let mut all = Vec::with_capacity(jobs.len());
    for (at, job) in jobs.iter().enumerate() {
        let error = |what: &str| JobsError {
            job: at + 1,
            kind: job.kind.clone(),
            gang: job.gang,
            what: what.to_owned(),
        };
        let nano = |value: Decimal| i64::try_from(value.nano()).map_err(|_| error("too much work"));
        let rate = |name: &str| rates.rate(&name.to_ascii_lowercase(), &job.kind, job.gang);
        let on: Vec<i64> =
            kinds.iter().map(|name| rate(name).map_or(Ok(0), nano)).collect::<Result<_, _>>()?;
        if on.iter().all(|rate| *rate == 0) {
            return Err(error(
                "the throughputs have no rate for it on any accelerator of --cluster",
            ));
        }
        let at_us = job.arrival_s.nano() / (NANO / MICRO);
        let deadline_us = match job.slo {
            None => None,
            Some(factor) => {
                let reference =
                    rate(REFERENCE).ok_or_else(|| error("its deadline needs a rate on a V100"))?;
                // factor x steps / rate, in microseconds.
                let spans = factor.nano().checked_mul(job.steps.nano());
                let spans = spans.ok_or_else(|| error("too much work"))?;
                Some(at_us + spans / reference.nano() / (NANO / MICRO))
            }
        };
        let micros = |value: i128| i64::try_from(value).map_err(|_| error("it is too far off"));
        let due = deadline_us.map(|at| micros(at).map(|at_us| Due { at_us, value: 1 }));
        let due = due.transpose()?.into_iter().collect();
        let job = RoundJob { gang: job.gang, rates: on, work: nano(job.steps)?, due };
        all.push(Arrival { at_us: micros(at_us)?, job });
    }
    Ok(all)
}

/// The jobs of a Chronus trace on so many kinds, all as fast as each other: the trace has one time
/// for each job. Jobs without accelerators are left out.
pub fn of_chronus(jobs: &[ChronusJob], kinds: usize) -> Vec<Arrival> {
    /// Microseconds of a minute.
    const MINUTE: i64 = 60_000_000;
    let job = |job: &ChronusJob| {
        let due = |(after_min, value): &(u32, i64)| Due {
            at_us: (i64::from(job.submit_min) + i64::from(*after_min)) * MINUTE,
            value: *value,
        };
        Arrival {
            at_us: i64::from(job.submit_min) * MINUTE,
            job: RoundJob {
                gang: job.gang,
                rates: vec![1; kinds],
                work: i64::from(job.duration_min) * 60,
                due: job.due.iter().map(due).collect(),
            },
        }
    };
    jobs.iter().filter(|job| job.gang > 0).map(job).collect()
}
