//! What queues need: replicas beyond those that the load fills.

use super::Serving;
use super::problem::Problem;
use super::search::Solution;
use crate::queue::{CHANCE, SERVERS_MAX, Waiting, late, servers};
use farthing_model::{Queue, Ratio};

/// Units of a rate, and of a share, in one whole.
const NANO: i128 = 1_000_000_000;
/// Millionths of a whole.
const PPM: i128 = 1_000_000;

impl Serving<'_> {
    /// What is asked of the queue, where something is.
    pub(super) fn queue(&self) -> Option<Queue> {
        self.observed.workload.service()?.sizing.queue
    }

    /// Requests that a replica of a kind works on at once.
    fn at_once(&self, queue: Queue, kind: usize) -> u64 {
        let copies = u64::try_from(self.kinds[kind].replica.copies).unwrap_or(1);
        u64::from(queue.concurrency.max(1)).saturating_mul(copies.max(1))
    }

    /// The queue in front of a kind under a division; `None` where nothing comes or numbers do
    /// not fit. All servers of all replicas of a kind work on one queue.
    fn waiting(
        &self,
        queue: Queue,
        problem: &Problem,
        found: &Solution,
        kind: usize,
    ) -> Option<Waiting> {
        let parts = problem.parts();
        let load = problem.loaded(&found.shares)?.get(kind).copied()?;
        let load = load / parts + i128::from(load % parts > 0);
        // Requests per second in 10^-9, rounded down: service is then rather too long.
        let buckets = &self.observed.workload.service()?.requests.buckets;
        let mut arriving = 0_i128;
        for (bucket, shares) in buckets.iter().zip(&found.shares) {
            let rate = self.rate.checked_mul(bucket.share.nano())? / NANO;
            arriving += rate.checked_mul(*shares.get(kind)?)? / parts;
        }
        let at_once = i128::from(self.at_once(queue, kind));
        let load = load.checked_mul(at_once)?;
        // Load is arrivals times the time of service: servers x 10^-12 over 10^-9 per second.
        let service = load.checked_mul(PPM)?.checked_div(arriving)?;
        (arriving > 0 && service > 0).then_some(Waiting {
            load,
            service,
            wait: queue.wait_max.as_nanos(),
        })
    }

    /// Fewest replicas of each kind whose queues are short enough; `None` where none are.
    pub(super) fn queued_counts(
        &self,
        queue: Queue,
        problem: &Problem,
        found: &Solution,
    ) -> Option<Vec<i64>> {
        let chance = (PPM - i128::from(queue.percentile.ppm())).max(0) * (CHANCE / PPM);
        let needed = |(kind, count): (usize, &i64)| {
            if *count == 0 {
                return Some(0);
            }
            let Some(waiting) = self.waiting(queue, problem, found, kind) else {
                return Some(*count);
            };
            let at_once = self.at_once(queue, kind);
            let least = u64::try_from(*count).ok()?.checked_mul(at_once)?;
            let enough = servers(waiting, chance, (least, at_once, SERVERS_MAX))?;
            i64::try_from(enough / at_once).ok()
        };
        found.counts.iter().enumerate().map(needed).collect()
    }

    /// The part of the requests of a kind that wait longer than they may; `None` without a queue.
    pub(super) fn late(&self, problem: &Problem, found: &Solution, kind: usize) -> Option<Ratio> {
        let queue = self.queue()?;
        let waiting = self.waiting(queue, problem, found, kind)?;
        let replicas = u64::try_from(found.counts[kind]).ok()?;
        let chance = late(waiting, replicas.checked_mul(self.at_once(queue, kind))?)?;
        Ratio::of(chance, CHANCE)
    }
}
