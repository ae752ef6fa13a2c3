//! Policies to compare with: queues that know no future and no deadline of others.

use super::FleetRule;
use farthing_planner::rounds::{Fleet, RoundJob, RoundsError, Seat};
use std::cmp::Reverse;
use std::collections::BTreeMap;

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
    /// In the order in which they came.
    jobs: BTreeMap<u32, Waiting>,
    /// Their place in it, by number.
    places: BTreeMap<u32, u32>,
}

impl Queue {
    pub(super) fn new(fleet: Fleet, rule: FleetRule) -> Self {
        Self { fleet, rule, jobs: BTreeMap::new(), places: BTreeMap::new() }
    }

    pub(super) fn arrive(&mut self, id: u32, job: RoundJob) -> Result<(), RoundsError> {
        let fits = |kind: usize| job.rates[kind] > 0 && self.fleet.kinds[kind].count >= job.gang;
        if !(0..self.fleet.kinds.len()).any(fits) {
            let what = "no kind has so many accelerators that it can run on";
            return Err(RoundsError::Job { job: id, what });
        }
        let left = job.work;
        let place = self.jobs.last_key_value().map_or(0, |(last, _)| last + 1);
        self.places.insert(id, place);
        self.jobs.insert(place, Waiting { id, job, left, seat: None });
        Ok(())
    }

    pub(super) fn ran(&mut self, seat: Seat, left: i64) {
        let Some(place) = self.places.get(&seat.job) else { return };
        if left == 0 {
            self.jobs.remove(place);
            self.places.remove(&seat.job);
        } else if let Some(job) = self.jobs.get_mut(place) {
            job.left = left;
        }
    }

    pub(super) fn seats(&mut self) -> Vec<Seat> {
        let mut room: Vec<u32> = self.fleet.kinds.iter().map(|kind| kind.count).collect();
        if self.rule == FleetRule::Edf {
            for job in self.jobs.values_mut() {
                job.seat = None;
            }
        }
        for job in self.jobs.values() {
            if let Some(kind) = job.seat {
                room[kind] -= job.job.gang;
            }
        }
        let most = room.iter().copied().max().unwrap_or(0);
        for (at, kind) in self.order(most) {
            let Some(job) = self.jobs.get_mut(&at) else { continue };
            if job.seat.is_none() && room[kind] >= job.job.gang {
                room[kind] -= job.job.gang;
                job.seat = Some(kind);
            }
        }
        let seat = |job: &Waiting| Some(Seat { job: job.id, kind: job.seat? });
        self.jobs.values().filter_map(seat).collect()
    }

    /// Pairs of job and kind, the best first; of jobs that fit into so much room.
    fn order(&self, most: u32) -> Vec<(u32, usize)> {
        let kinds = 0..self.fleet.kinds.len();
        let waiting = self.jobs.iter().filter(|(_, job)| job.seat.is_none());
        let waiting = waiting.filter(|(_, job)| job.job.gang <= most);
        let mut pairs: Vec<(u32, usize)> = waiting
            .flat_map(|(at, job)| {
                let able = kinds.clone().filter(|kind| job.job.rates[*kind] > 0);
                able.map(|kind| (*at, kind))
            })
            .collect();
        let cost = |at: u32, kind: usize| {
            let job = &self.jobs[&at].job;
            let price = self.fleet.kinds[kind].price.per_hour().pico();
            price * i128::from(job.gang) * 1_000_000 / i128::from(job.rates[kind])
        };
        match self.rule {
            FleetRule::Farthing | FleetRule::Fifo => pairs.sort_unstable(),
            FleetRule::GreedyR => {
                // Relative to the best that any kind does for the job: steps differ between jobs.
                pairs.sort_by_cached_key(|(at, kind)| {
                    let best = kinds.clone().filter(|kind| self.jobs[at].job.rates[*kind] > 0);
                    let best = best.map(|kind| cost(*at, kind)).min().unwrap_or(1).max(1);
                    (cost(*at, *kind) * 1_000 / best, *at, *kind)
                });
            }
            FleetRule::FfdCheapest => pairs.sort_by_cached_key(|(at, kind)| {
                let job = &self.jobs[at];
                (Reverse(job.job.gang), Reverse(job.left), *at, cost(*at, *kind), *kind)
            }),
            FleetRule::Edf => pairs.sort_by_cached_key(|(at, kind)| {
                let job = &self.jobs[at];
                let due = job.job.due.first().map_or(i64::MAX, |due| due.at_us);
                (due, *at, Reverse(job.job.rates[*kind]), *kind)
            }),
        }
        pairs
    }
}
