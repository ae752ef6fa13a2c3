//! Fleets of preemptive jobs, replayed round by round under several policies.
//!
//! As in Gavel's simulator: decisions are made at the start of a round alone. A job that comes
//! within one waits for the next; a job that ends within one is paid to its last second, and its
//! accelerators are given out again with the next round. With nothing to do, time goes on to the
//! next arrival. Who sits where is the policy's business; that nothing sits twice is checked here.
//! Start with [`replay`].

mod baseline;
mod jobs;
#[cfg(test)]
mod tests;

pub use jobs::{JobsError, of_chronus, of_gavel};

use crate::rule;
use baseline::Queue;
use farthing_model::Money;
use farthing_planner::rounds::{Arrival, Counts, Fleet, Rounds, RoundsError, Seat};
use std::fmt;
use std::str::FromStr;

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;
/// Seconds of an hour.
const HOUR_S: i128 = 3_600;

/// How seats are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetRule {
    /// Ours.
    Farthing,
    /// In order of arrival, on the first kind with room, and kept until done.
    Fifo,
    /// By work for money: the best pair of job and kind first, kept until done.
    GreedyR,
    /// The largest first, each on the kind that does it cheapest, kept until done.
    FfdCheapest,
    /// By deadline, each on its fastest kind with room, decided anew in each round.
    Edf,
}

impl FleetRule {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Farthing, "farthing"),
        (Self::Fifo, "fifo"),
        (Self::GreedyR, "greedy-r"),
        (Self::FfdCheapest, "ffd-cheapest"),
        (Self::Edf, "edf"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }
}

impl fmt::Display for FleetRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for FleetRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        rule::policy(&Self::ALL, text)
    }
}

/// Why a replay stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The policy was refused something.
    #[error(transparent)]
    Rounds(RoundsError),
    /// A policy gave out what there is not.
    #[error("at second {now}, `{rule}` seats job {job} where it cannot sit")]
    Seat {
        /// The policy.
        rule: FleetRule,
        /// When.
        now: i64,
        /// Whom.
        job: u32,
    },
    /// A policy lets jobs wait for nothing.
    #[error("at second {now}, `{rule}` seats nobody though nothing runs and nobody comes")]
    Stuck {
        /// The policy.
        rule: FleetRule,
        /// When.
        now: i64,
    },
    /// Costs do not fit.
    #[error("the cost of all jobs does not fit")]
    Overflow,
}

/// What came of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetRun {
    /// What was paid, rounded down to the last unit.
    pub cost: Money,
    /// Accelerator-seconds by kind.
    pub used_s: Vec<i64>,
    /// When each job was done, in the order of arrivals.
    pub finished_s: Vec<i64>,
    /// Jobs that were done after their last deadline.
    pub late: Vec<usize>,
    /// What the deadlines that were made are worth.
    pub value: i64,
    /// Rounds in which anything was decided.
    pub rounds: u32,
    /// Seats that are another kind than in the round before, or were none.
    pub moves: u32,
    /// What our policy did.
    pub counts: Counts,
}

/// Whoever gives out seats.
enum Policy {
    Ours(Box<Rounds>),
    Queue(Queue),
}

/// Replays all arrivals under one policy.
///
/// # Errors
/// A job that can run nowhere; a policy that breaks the rules.
pub fn replay(
    fleet: &Fleet,
    arrivals: &[Arrival],
    rule: FleetRule,
) -> Result<FleetRun, FleetError> {
    let policy = match rule {
        FleetRule::Farthing => {
            Policy::Ours(Box::new(Rounds::new(fleet.clone()).map_err(FleetError::Rounds)?))
        }
        _ => Policy::Queue(Queue::new(fleet.clone(), rule)),
    };
    let mut order: Vec<usize> = (0..arrivals.len()).collect();
    order.sort_by_key(|at| (arrivals[*at].at_us, *at));
    let mut world = World {
        fleet,
        arrivals,
        rule,
        policy,
        order,
        next: 0,
        left: arrivals.iter().map(|arrival| arrival.job.work).collect(),
        sat: vec![(0, 0); arrivals.len()],
        run: FleetRun {
            cost: Money::zero(fleet.kinds[0].price.per_hour().currency()),
            used_s: vec![0; fleet.kinds.len()],
            finished_s: vec![0; arrivals.len()],
            late: Vec::new(),
            value: 0,
            rounds: 0,
            moves: 0,
            counts: Counts::default(),
        },
    };
    world.all()?;
    world.close()
}

struct World<'a> {
    fleet: &'a Fleet,
    arrivals: &'a [Arrival],
    rule: FleetRule,
    policy: Policy,
    /// Jobs by arrival.
    order: Vec<usize>,
    next: usize,
    left: Vec<i64>,
    /// The last round in which each job sat, from 1, and where.
    sat: Vec<(u32, usize)>,
    run: FleetRun,
}

impl World<'_> {
    fn all(&mut self) -> Result<(), FleetError> {
        let mut now = 0;
        let mut there = 0_usize;
        while there > 0 || self.next < self.order.len() {
            if there == 0 {
                now = now.max(self.second_of(self.next));
            }
            while self.next < self.order.len() && self.second_of(self.next) <= now {
                self.admit(self.order[self.next])?;
                self.next += 1;
                there += 1;
            }
            let seats = match &mut self.policy {
                Policy::Ours(rounds) => rounds.seats(now).map_err(FleetError::Rounds)?,
                Policy::Queue(queue) => queue.seats(),
            };
            if seats.is_empty() && self.next == self.order.len() {
                return Err(FleetError::Stuck { rule: self.rule, now });
            }
            there -= self.round(now, &seats)?;
            now += self.fleet.round_s;
            self.run.rounds += 1;
        }
        Ok(())
    }

    /// The first whole second at which a job is there.
    fn second_of(&self, place: usize) -> i64 {
        let at = self.arrivals[self.order[place]].at_us;
        at.div_euclid(MICROS) + i64::from(at.rem_euclid(MICROS) > 0)
    }

    fn admit(&mut self, at: usize) -> Result<(), FleetError> {
        let job = self.arrivals[at].job.clone();
        let id = u32::try_from(at).unwrap_or(u32::MAX);
        match &mut self.policy {
            Policy::Ours(rounds) => rounds.arrive(id, job).map_err(FleetError::Rounds),
            Policy::Queue(queue) => queue.arrive(id, job).map_err(FleetError::Rounds),
        }
    }

    /// Lets a round pass; how many jobs ended in it.
    fn round(&mut self, now: i64, seats: &[Seat]) -> Result<usize, FleetError> {
        let mut room: Vec<u32> = self.fleet.kinds.iter().map(|kind| kind.count).collect();
        let number = self.run.rounds + 1;
        let mut ended = 0;
        for seat in seats {
            let at = seat.job as usize;
            let wrong = FleetError::Seat { rule: self.rule, now, job: seat.job };
            let there = self.left.get(at).is_some_and(|left| *left > 0);
            let fits = there && self.sat[at].0 != number;
            let (true, Some(room)) = (fits, room.get_mut(seat.kind)) else { return Err(wrong) };
            let job = &self.arrivals[at].job;
            let rate = job.rates[seat.kind];
            if rate == 0 || *room < job.gang {
                return Err(wrong);
            }
            *room -= job.gang;
            self.run.moves += u32::from(self.sat[at] != (number - 1, seat.kind));
            self.sat[at] = (number, seat.kind);
            let left = self.left[at];
            let needed = left / rate + i64::from(left % rate > 0);
            let seconds = needed.min(self.fleet.round_s);
            self.run.used_s[seat.kind] += seconds * i64::from(job.gang);
            self.left[at] = if seconds == needed { 0 } else { left - seconds * rate };
            if self.left[at] == 0 {
                ended += 1;
                self.end(at, now + seconds);
            }
            match &mut self.policy {
                Policy::Ours(rounds) => rounds.ran(*seat, seconds, self.left[at]),
                Policy::Queue(queue) => queue.ran(*seat, self.left[at]),
            }
        }
        Ok(ended)
    }

    fn end(&mut self, at: usize, second: i64) {
        self.run.finished_s[at] = second;
        let due = &self.arrivals[at].job.due;
        match due.iter().find(|due| second <= due.second()) {
            Some(made) => self.run.value += made.value,
            None if due.is_empty() => {}
            None => self.run.late.push(at),
        }
    }

    fn close(mut self) -> Result<FleetRun, FleetError> {
        let mut sum = 0_i128;
        for (used, kind) in self.run.used_s.iter().zip(&self.fleet.kinds) {
            let part = kind.price.per_hour().pico().checked_mul(i128::from(*used));
            let part = part.ok_or(FleetError::Overflow)?;
            sum = sum.checked_add(part).ok_or(FleetError::Overflow)?;
        }
        self.run.cost = Money::from_pico(sum / HOUR_S, self.run.cost.currency());
        if let Policy::Ours(rounds) = &self.policy {
            self.run.counts = rounds.counts();
        }
        self.run.late.sort_unstable();
        Ok(self.run)
    }
}
