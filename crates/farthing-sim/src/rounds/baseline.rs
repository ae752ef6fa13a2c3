//! Policies to compare with: queues that know no future and no deadline of others.

use super::FleetRule;
use farthing_planner::rounds::{Fleet, RoundJob, RoundsError, Seat};
use std::cmp::Reverse;

struct Waiting {
    id: u32,
    job: RoundJob,
    left: i64,
    seat: Option<usize>,
}

/// Jobs in their order.
pub(super) struct Queue {
    fleet: Fleet,
    rule: FleetRule,
    jobs: Vec<Waiting>,
}

impl Queue {
    pub(super) fn new(fleet: Fleet, rule: FleetRule) -> Self {
        Self { fleet, rule, jobs: Vec::new() }
    }

    pub(super) fn arrive(&mut self, id: u32, job: RoundJob) -> Result<(), RoundsError> {
        let fits = |kind: usize| job.rates[kind] > 0 && self.fleet.kinds[kind].count >= job.gang;
        if !(0..self.fleet.kinds.len()).any(fits) {
            let what = "no kind has so many accelerators that it can run on";
            return Err(RoundsError::Job { job: id, what });
        }
        let left = job.work;
        self.jobs.push(Waiting { id, job, left, seat: None });
        Ok(())
    }

    pub(super) fn ran(&mut self, seat: Seat, left: i64) {
        let Some(at) = self.jobs.iter().position(|job| job.id == seat.job) else { return };
        if left == 0 {
            self.jobs.remove(at);
        } else {
            self.jobs[at].left = left;
        }
    }

    pub(super) fn seats(&mut self) -> Vec<Seat> {
        let mut room: Vec<u32> = self.fleet.kinds.iter().map(|kind| kind.count).collect();
        if self.rule == FleetRule::Edf {
            for job in &mut self.jobs {
                job.seat = None;
            }
        }
        for job in &self.jobs {
            if let Some(kind) = job.seat {
                room[kind] -= job.job.gang;
            }
        }
        for (at, kind) in self.order() {
            let job = &mut self.jobs[at];
            if job.seat.is_none() && room[kind] >= job.job.gang {
                room[kind] -= job.job.gang;
                job.seat = Some(kind);
            }
        }
        let seat = |job: &Waiting| Some(Seat { job: job.id, kind: job.seat? });
        self.jobs.iter().filter_map(seat).collect()
    }

    /// Pairs of job and kind, the best first.
    fn order(&self) -> Vec<(usize, usize)> {
        let kinds = 0..self.fleet.kinds.len();
        let waiting = (0..self.jobs.len()).filter(|at| self.jobs[*at].seat.is_none());
        let mut pairs: Vec<(usize, usize)> = waiting
            .flat_map(|at| kinds.clone().map(move |kind| (at, kind)))
            .filter(|(at, kind)| self.jobs[*at].job.rates[*kind] > 0)
            .collect();
        let cost = |at: usize, kind: usize| {
            let job = &self.jobs[at].job;
            let price = self.fleet.kinds[kind].price.per_hour().pico();
            price * i128::from(job.gang) * 1_000_000 / i128::from(job.rates[kind])
        };
        match self.rule {
            FleetRule::Farthing | FleetRule::Fifo => pairs.sort_unstable(),
            FleetRule::GreedyR => {
                // Relative to the best that any kind does for the job: steps differ between jobs.
                pairs.sort_by_cached_key(|(at, kind)| {
                    let best = kinds.clone().filter(|kind| self.jobs[*at].job.rates[*kind] > 0);
                    let best = best.map(|kind| cost(*at, kind)).min().unwrap_or(1).max(1);
                    (cost(*at, *kind) * 1_000 / best, *at, *kind)
                });
            }
            FleetRule::FfdCheapest => pairs.sort_by_cached_key(|(at, kind)| {
                let job = &self.jobs[*at];
                (Reverse(job.job.gang), Reverse(job.left), *at, cost(*at, *kind), *kind)
            }),
            FleetRule::Edf => pairs.sort_by_cached_key(|(at, kind)| {
                let job = &self.jobs[*at];
                let due = job.job.deadline_s.unwrap_or(i64::MAX);
                (due, *at, Reverse(job.job.rates[*kind]), *kind)
            }),
        }
        pairs
    }
}
