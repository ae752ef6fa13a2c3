//! Jobs of traces as a fleet sees them.

use crate::trace::{GavelJob, Throughputs};
use farthing_model::Decimal;
use farthing_planner::rounds::{Arrival, RoundJob};

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
        all.push(Arrival {
            at_us: micros(at_us)?,
            deadline_us: deadline_us.map(micros).transpose()?,
            job: RoundJob { gang: job.gang, rates: on, work: nano(job.steps)?, deadline_s: None },
        });
    }
    Ok(all)
}
