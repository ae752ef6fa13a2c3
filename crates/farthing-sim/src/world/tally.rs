//! Sums over a run, and what they come to.

use super::SimWorld;
use super::node::{Holder, MEMORY, SimNode};
use super::service::SimService;
use super::time::nanos;
use crate::score::{Histogram, Score};
use farthing_model::{Ratio, Resource};
use jiff::SignedDuration;

/// Sums over a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) events: u64,
    pub(super) jobs_arrived: u64,
    pub(super) interruptions: u64,
    pub(super) starts_refused: u64,
    jobs_done: u64,
    met: u64,
    missed: u64,
    completion_nanos: i128,
    completions: Histogram,
    /// Of nodes that are forgotten, less what all had before it was counted.
    gpu: GpuTime,
    /// Since when it is counted: jobs that came before are not in it.
    pub(super) since: i64,
}

/// Accelerator time in GPU-nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct GpuTime {
    paid: i128,
    held: i128,
    used: i128,
}

impl Tally {
    /// A job is done, so long after it arrived; in time, if it has a deadline.
    pub(super) fn done(&mut self, took: i64, in_time: Option<bool>) {
        self.jobs_done += 1;
        self.met += u64::from(in_time == Some(true));
        self.missed += u64::from(in_time == Some(false));
        self.completion_nanos += i128::from(took);
        self.completions.record(took);
    }
}

impl SimWorld {
    /// Forgets nodes that are long gone, after adding them to the sums; not where a log is kept, as
    /// whoever reads it asks what they cost.
    pub(super) fn forget(&mut self) {
        if self.log.is_some() {
            return;
        }
        let old = |node: &SimNode| node.until.is_some_and(|until| until < self.now - MEMORY);
        let gone: Vec<usize> =
            self.nodes.iter().filter(|(_, node)| old(node)).map(|(index, _)| *index).collect();
        for index in gone {
            let Some(node) = self.nodes.remove(&index) else { continue };
            let time = self.gpu_time(&node);
            self.tally.gpu.paid += time.paid;
            self.tally.gpu.held += time.held;
            self.tally.gpu.used += time.used;
        }
    }

    fn gpu_time(&self, node: &SimNode) -> GpuTime {
        let gpus = i128::from(self.offers[node.offer].accelerator_count);
        let end = node.until.unwrap_or(self.now);
        let mut time = GpuTime { paid: gpus * i128::from(end - node.since), held: 0, used: 0 };
        for hold in &node.holds {
            let (from, to) = (hold.from.max(node.ready), hold.to.unwrap_or(end).min(end));
            let held = gpus * i128::from((to - from).max(0));
            time.held += held;
            time.used += match hold.who {
                Holder::Member { job, .. } => {
                    let ppm = self.jobs[job].use_ppm[Resource::Gpu as usize];
                    held * i128::from(ppm) / 1_000_000
                }
                Holder::Replica { service, replica } => {
                    // A replica is made with its hold, so that all it did was done in it.
                    let it = &self.services[service].replicas[replica];
                    gpus * i128::from(it.busy_at(to.max(from)))
                }
            };
        }
        time
    }

    /// Somebody else acts from now on: what is counted is his, and steps of before are nobody's to
    /// take back.
    pub(crate) fn is_handed_over(&mut self) {
        self.steps.clear();
        self.faults.forget_counts();
        for service in &mut self.services {
            service.count_anew();
        }
        let mut gpu = GpuTime::default();
        for node in self.nodes.values() {
            let time = self.gpu_time(node);
            gpu.paid -= time.paid;
            gpu.held -= time.held;
            gpu.used -= time.used;
        }
        self.tally = Tally { gpu, since: self.now, ..Tally::default() };
    }

    pub(super) fn score_now(&self) -> Score {
        let mut gpu = self.tally.gpu;
        for node in self.nodes.values() {
            let time = self.gpu_time(node);
            gpu.paid += time.paid;
            gpu.held += time.held;
            gpu.used += time.used;
        }
        let counted = self.jobs.iter().filter(|job| job.arrives >= self.tally.since);
        let late = counted.filter(|job| {
            let deadline = job.job().and_then(|job| job.deadline);
            let past = deadline.is_some_and(|deadline| nanos(deadline) < self.now);
            job.arrived && job.finished.is_none() && past
        });
        let tally = &self.tally;
        let missed = tally.missed + u64::try_from(late.count()).unwrap_or(u64::MAX);
        let mean = tally.completion_nanos.checked_div(tally.jobs_done.into());
        let mean = mean.and_then(|mean| i64::try_from(mean).ok());
        Score {
            events: tally.events,
            digest: self.digest,
            jobs_arrived: tally.jobs_arrived,
            jobs_done: tally.jobs_done,
            deadlines_due: tally.met + missed,
            deadlines_missed: missed,
            completion_mean: mean.map(SignedDuration::from_nanos),
            completion_p99: tally.completions.percentile(Ratio::from_ppm(990_000)),
            interruptions: tally.interruptions,
            starts_refused: tally.starts_refused,
            gpu_paid_nanos: gpu.paid,
            gpu_held_nanos: gpu.held,
            gpu_used_nanos: gpu.used,
            services: self.services.iter().map(SimService::score).collect(),
            faults: *self.faults.counts(),
        }
    }
}
