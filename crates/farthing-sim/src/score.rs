//! Scores: what a run of the world came to.

use crate::faults::FaultCounts;
use farthing_model::{Ratio, WorkloadId};
use jiff::SignedDuration;
use std::fmt;

/// Sub-buckets of each power of two: values are kept to within a sixteenth.
const SUB: u64 = 16;

/// A histogram of durations with buckets a sixteenth wide: exact below 16 us, within 6.25 % above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Adds a duration; a negative one counts as none.
    pub fn record(&mut self, nanos: i64) {
        let index = bucket_of(u64::try_from(nanos / 1_000).unwrap_or(0));
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.total += 1;
    }

    /// How many there are.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The duration that at least `share` of all do not exceed: the upper edge of its bucket.
    /// `None` where there is nothing.
    pub fn percentile(&self, share: Ratio) -> Option<SignedDuration> {
        let wanted = u128::from(self.total) * u128::from(share.ppm());
        let rank = u64::try_from(wanted.div_ceil(1_000_000)).ok()?.max(1);
        let mut seen = 0;
        let index = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let micros = i64::try_from(upper_edge(index)).ok()?;
        Some(SignedDuration::from_micros(micros))
    }
}

fn bucket_of(micros: u64) -> usize {
    let index = if micros < SUB {
        micros
    } else {
        // The power of two at or below, and the sixteenth inside it.
        let shift = u64::from(micros.ilog2()) - 4;
        (shift + 1) * SUB + (micros >> shift) - SUB
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value of a bucket, in microseconds.
fn upper_edge(index: usize) -> u64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    if index < SUB {
        return index;
    }
    let shift = index / SUB - 1;
    ((index % SUB + SUB + 1) << shift) - 1
}

/// What became of the requests of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceScore {
    /// Which.
    pub workload: WorkloadId,
    /// Requests that came in.
    pub arrived: u64,
    /// Requests that were answered.
    pub served: u64,
    /// Requests that waited longer than the objective for the first token.
    pub over_slo: u64,
    /// Requests that had to start again, because their replica went away.
    pub retried: u64,
    /// Requests that were turned away, because too many waited.
    pub dropped: u64,
    /// Requests that wait or run.
    pub open: u64,
    /// Median wait for a replica.
    pub wait_p50: Option<SignedDuration>,
    /// 99th percentile of the wait for a replica.
    pub wait_p99: Option<SignedDuration>,
}

/// What a run of the world came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// Events that happened.
    pub events: u64,
    /// A digest of all events in order: equal for equal runs.
    pub digest: u64,
    /// Jobs that arrived.
    pub jobs_arrived: u64,
    /// Jobs that are done.
    pub jobs_done: u64,
    /// Jobs with a deadline that has passed or was met.
    pub deadlines_due: u64,
    /// Jobs that were done after their deadline, or are not done and it has passed.
    pub deadlines_missed: u64,
    /// Mean time from arrival to done.
    pub completion_mean: Option<SignedDuration>,
    /// 99th percentile of the time from arrival to done.
    pub completion_p99: Option<SignedDuration>,
    /// Times that a member was interrupted.
    pub interruptions: u64,
    /// Scheduled starts that found their offer still in use.
    pub starts_refused: u64,
    /// GPU-nanoseconds that were paid.
    pub gpu_paid_nanos: i128,
    /// GPU-nanoseconds that were ready and held by a workload.
    pub gpu_held_nanos: i128,
    /// GPU-nanoseconds that were busy.
    pub gpu_used_nanos: i128,
    /// Each service.
    pub services: Vec<ServiceScore>,
    /// What went wrong.
    pub faults: FaultCounts,
}

impl Score {
    /// Busy / paid; `None` where nothing was paid.
    pub fn utilisation(&self) -> Option<Ratio> {
        Ratio::of(self.gpu_used_nanos, self.gpu_paid_nanos)
    }
}

fn or_dash<T: fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A duration cut to milliseconds, as people read it.
fn short(duration: Option<SignedDuration>) -> String {
    or_dash(duration.map(|it| format!("{}.{:03} s", it.as_secs(), it.subsec_millis().abs())))
}

impl fmt::Display for Score {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "events       {} (digest {:016x})", self.events, self.digest)?;
        writeln!(
            out,
            "jobs         {} arrived, {} done, {} of {} deadlines missed, {} interruptions",
            self.jobs_arrived,
            self.jobs_done,
            self.deadlines_missed,
            self.deadlines_due,
            self.interruptions,
        )?;
        let (mean, p99) = (short(self.completion_mean), short(self.completion_p99));
        writeln!(out, "completion   mean {mean}, p99 {p99}")?;
        writeln!(out, "utilisation  {} of paid accelerators", or_dash(self.utilisation()))?;
        for service in &self.services {
            writeln!(
                out,
                "{}  {} requests, {} served, {} open, {} dropped, {} retried, {} over SLO; \
                 wait p50 {}, p99 {}",
                service.workload,
                service.arrived,
                service.served,
                service.open,
                service.dropped,
                service.retried,
                service.over_slo,
                short(service.wait_p50),
                short(service.wait_p99),
            )?;
        }
        write!(out, "faults       {}", self.faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_bucket() {
        for micros in (0..5_000).chain([65_535, 65_536, 1_000_000, 3_600_000_000, u64::MAX >> 1]) {
            let index = bucket_of(micros);
            assert!(micros <= upper_edge(index), "{micros}");
            assert!(index == 0 || micros > upper_edge(index - 1), "{micros}");
            assert!(upper_edge(index) - micros <= micros / 16 + 1, "{micros}");
        }
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(Ratio::ONE), None);
        for micros in 1..=10 {
            histogram.record(micros * 1_000);
        }
        let micros = |ppm| histogram.percentile(Ratio::from_ppm(ppm)).unwrap().as_micros();
        assert_eq!((micros(500_000), micros(990_000), micros(0)), (5, 10, 1));
        assert_eq!(histogram.total(), 10);
    }
}
