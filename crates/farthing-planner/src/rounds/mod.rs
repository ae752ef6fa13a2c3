//! Preemptive fleets over rounds: many jobs with deadlines on few kinds of accelerator.
//!
//! Time goes in rounds. At the start of each, every job is given a gang of one kind or waits; what
//! it does in a round it keeps. A job is known only when it has come. What is used is paid by the
//! second, idle accelerators cost nothing here. No deadline is to be missed that can be made, and
//! then the least is to be paid.
//!
//! 1. [`mixes`](mod@mixes): the ways in which one job alone can be done in time: one kind
//!    throughout, or a slow and a fast one so long that it ends with its deadline.
//! 2. [`solve`](mod@solve): the cheapest mix of ways for all jobs together, where each kind has no
//!    more seconds until each deadline than it has; a linear program with one group for each job
//!    ([`farthing_milp::Choices`]), asked again when the world is not as it was planned.
//! 3. [`seat`](mod@seat): who sits on what in this round, so that the plan stays possible.
//! 4. [`net`](mod@net): before a round is given out, whether everybody who could be in time still
//!    can; it shares nothing with what planned. Where gangs are large, [`whole`](mod@whole) looks
//!    for a schedule of whole gangs after the round, and follows it where the seats leave none.
//!
//! [`least`] is the proof: what any schedule costs that makes all deadlines and knows all jobs
//! from the beginning. This module knows no trace, no clock and no market. Start with [`Rounds`].

mod bound;
mod mixes;
mod net;
mod seat;
mod solve;
#[cfg(test)]
mod tests;
mod whole;

pub use bound::{Arrival, BoundError, Least, least};

use farthing_model::HourlyRate;
use thiserror::Error;

/// Work in 10^-9 of its unit.
pub type WorkNano = i64;

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;
/// Jobs, kinds, seconds and work beyond which sums might not fit.
const SECONDS_MAX: i64 = 1 << 40;
/// Rounds after which the plan is made anew though all went as planned: seconds that a kind stood
/// idle, because jobs end within rounds and gangs are whole, are gone.
const SOLVE_EVERY: u32 = 4;
/// The most kinds of a fleet.
const KINDS_MAX: usize = 64;

/// Accelerators of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// How many there are.
    pub count: u32,
    /// What an hour of one costs while it is used.
    pub price: HourlyRate,
}

/// What there is to run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Seconds of a round; above zero.
    pub round_s: i64,
    /// The kinds, in an order that jobs refer to.
    pub kinds: Vec<Kind>,
}

/// A job as it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundJob {
    /// Accelerators that it holds at once, all of one kind.
    pub gang: u32,
    /// Work that the gang does in a second on each kind of the fleet; 0 = it cannot.
    pub rates: Vec<WorkNano>,
    /// All its work.
    pub work: WorkNano,
    /// When it is to end, and what that is worth: the earliest first, each later one worth less.
    /// None: whenever there is room.
    pub due: Vec<Due>,
}

/// An instant by which a job is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When, in microseconds.
    pub at_us: i64,
    /// What it is worth to have ended by then, in any unit.
    pub value: i64,
}

impl Due {
    /// The last whole second that is not after it.
    pub fn second(self) -> i64 {
        self.at_us.div_euclid(MICROS)
    }
}

/// A job on a kind for a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// The number that the job came with.
    pub job: u32,
    /// The kind.
    pub kind: usize,
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RoundsError {
    /// A fleet that is none.
    #[error(
        "a fleet needs a round of at least a second and 1 to {KINDS_MAX} kinds in one currency"
    )]
    Fleet,
    /// A job that is none.
    #[error("job {job}: {what}")]
    Job {
        /// Its number.
        job: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// The program was refused.
    #[error("jobs cannot be planned together")]
    Choices(#[source] farthing_milp::ChoicesError),
}

/// A job that is not done.
#[derive(Clone, Debug)]
struct Held {
    id: u32,
    job: RoundJob,
    left: WorkNano,
    /// Seconds still to spend on each kind, as planned.
    plan: Vec<i64>,
    /// The way that has most of the plan: its kinds.
    way: (usize, usize),
    /// The deadline that is worked for; those before cannot be made any more.
    target: usize,
}

impl Held {
    /// Seconds on a kind until the job is done; `None` where it cannot run there.
    fn seconds(&self, kind: usize) -> Option<i64> {
        match self.job.rates[kind] {
            0 => None,
            rate => Some(ceil(self.left, rate)),
        }
    }

    /// Seconds on the kind that does it fastest.
    fn fastest(&self) -> i64 {
        let rate = self.job.rates.iter().copied().max().unwrap_or(1).max(1);
        ceil(self.left, rate)
    }

    /// The second by which it is to end, where that can be.
    fn deadline(&self) -> Option<i64> {
        self.job.due.get(self.target).map(|due| due.second())
    }

    /// What is lost if that deadline is given up for the next one.
    fn at_stake(&self) -> i64 {
        let value = |at: usize| self.job.due.get(at).map_or(0, |due| due.value);
        (value(self.target) - value(self.target + 1)).max(1)
    }
}

fn ceil(left: i64, rate: i64) -> i64 {
    left / rate + i64::from(left % rate > 0)
}

/// The policy: jobs come, are seated round by round, and go.
#[derive(Clone, Debug)]
pub struct Rounds {
    fleet: Fleet,
    held: Vec<Held>,
    /// Whether the plan no longer says what is.
    stale: bool,
    /// Rounds since it was made.
    since: u32,
    counts: Counts,
}

/// How much was done, and what proves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Programs that were solved.
    pub solved: u32,
    /// Pivots of all.
    pub pivots: u32,
    /// Programs in which not everybody could be in time.
    pub broken: u32,
    /// Deadlines that were given up because not all could be made.
    pub given_up: u32,
    /// Rounds that the net put right.
    pub overruled: u32,
}

impl Rounds {
    /// A fleet without jobs.
    ///
    /// # Errors
    /// [`RoundsError::Fleet`].
    pub fn new(fleet: Fleet) -> Result<Self, RoundsError> {
        let currency = fleet.kinds.first().map(|kind| kind.price.per_hour().currency());
        let one = fleet.kinds.iter().all(|kind| Some(kind.price.per_hour().currency()) == currency);
        let kinds = (1..=KINDS_MAX).contains(&fleet.kinds.len());
        if !(1..SECONDS_MAX).contains(&fleet.round_s) || !kinds || !one {
            return Err(RoundsError::Fleet);
        }
        Ok(Self { fleet, held: Vec::new(), stale: false, since: 0, counts: Counts::default() })
    }

    /// A job has come. `id` is any number that no other job has.
    ///
    /// # Errors
    /// [`RoundsError::Job`]: it can run nowhere, or has no work.
    pub fn arrive(&mut self, id: u32, job: RoundJob) -> Result<(), RoundsError> {
        let refused = |what| Err(RoundsError::Job { job: id, what });
        if job.rates.len() != self.fleet.kinds.len() || job.rates.iter().any(|rate| *rate < 0) {
            return refused("it needs a rate for each kind, none below zero");
        }
        if job.work <= 0 || job.gang == 0 {
            return refused("it needs work and a gang");
        }
        let mut job = job;
        for (rate, kind) in job.rates.iter_mut().zip(&self.fleet.kinds) {
            if kind.count < job.gang {
                *rate = 0;
            }
        }
        let best = job.rates.iter().copied().max().unwrap_or(0);
        if best == 0 {
            return refused("no kind has so many accelerators that it can run on");
        }
        if job.work / best > SECONDS_MAX || job.due.iter().any(|due| due.second() > SECONDS_MAX) {
            return refused("it takes longer than 2^40 seconds");
        }
        // A kind that takes forever is none.
        for rate in &mut job.rates {
            if *rate > 0 && job.work / *rate > SECONDS_MAX {
                *rate = 0;
            }
        }
        if job.due.windows(2).any(|pair| pair[0].at_us >= pair[1].at_us) {
            return refused("its deadlines are not in their order");
        }
        let Err(place) = self.place(id) else { return refused("its number is taken") };
        let plan = vec![0; job.rates.len()];
        let left = job.work;
        self.held.insert(place, Held { id, job, left, plan, way: (0, 0), target: 0 });
        self.stale = true;
        Ok(())
    }

    /// A job was on a kind for some seconds, and has so much work left; without any it goes.
    pub fn ran(&mut self, seat: Seat, seconds: i64, left: WorkNano) {
        let Ok(at) = self.place(seat.job) else { return };
        if left <= 0 {
            self.held.remove(at);
            return;
        }
        let held = &mut self.held[at];
        held.left = left;
        held.plan[seat.kind] = (held.plan[seat.kind] - seconds).max(0);
    }

    /// Who sits where from `now` on for a round.
    ///
    /// # Errors
    /// [`RoundsError::Choices`] where numbers do not fit.
    pub fn seats(&mut self, now: i64) -> Result<Vec<Seat>, RoundsError> {
        self.stale |= self.aim(now);
        if self.stale {
            self.solve(now)?;
            (self.stale, self.since) = (false, 0);
        }
        let (mut seats, kept) = seat::seats(&self.fleet, &self.held, now);
        self.since += 1;
        self.stale = !kept || self.since >= SOLVE_EVERY;
        if whole::matters(&self.fleet, &self.held) {
            if whole::holds(&self.fleet, &self.held, &seats, now) {
                return Ok(seats);
            }
            if let Some(whole) = whole::seats(&self.fleet, &self.held, &seats, now) {
                self.counts.overruled += 1;
                self.stale = true;
                return Ok(whole);
            }
        }
        if !net::holds(&self.fleet, &self.held, &seats, now) {
            let urgent = seat::urgent(&self.fleet, &self.held, now);
            if net::holds(&self.fleet, &self.held, &urgent, now) {
                seats = urgent;
                self.counts.overruled += 1;
                self.stale = true;
            }
        }
        Ok(seats)
    }

    /// Lets go of deadlines that cannot be made any more; whether there were any.
    fn aim(&mut self, now: i64) -> bool {
        let mut any = false;
        for held in &mut self.held {
            let fastest = held.fastest();
            while held.deadline().is_some_and(|at| now + fastest > at) {
                held.target += 1;
                any = true;
            }
        }
        any
    }

    /// Where a job is among those held, which are in the order of their numbers.
    fn place(&self, id: u32) -> Result<usize, usize> {
        self.held.binary_search_by_key(&id, |held| held.id)
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Jobs that are not done.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether all jobs are done.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
