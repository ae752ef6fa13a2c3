//! Jobs that can wait, moved to slots in which power is cheap or clean, none of them late.
//!
//! Each job alone is planned exactly. Where what all of them would take fits into what is free,
//! that is the optimum together. Where it does not, an integer program over all jobs decides, from
//! the best plan that takes one job after the other; what the solver leaves open is the gap.

use super::ShiftError;
use super::program;
use super::timing::{SlotCost, cheapest};

/// What a kilowatt-hour is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Its price, in 10^-12 of a currency. Below zero where the grid pays for what is used.
    pub price: i128,
    /// Its carbon, in milligrams of CO2-equivalent.
    pub carbon_mg: i64,
}

/// The time that is planned, in slots of one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Seconds of a slot.
    pub slot_s: i64,
    /// Power in each slot, as it is known or forecast.
    pub power: Vec<Power>,
    /// Accelerators that are free in each slot.
    pub free: Vec<u32>,
    /// What a kilogram of CO2-equivalent costs, in 10^-12 of the currency.
    pub carbon_price: i128,
}

/// Whether a job can be paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pausing {
    /// Once it runs it runs to its end.
    Never,
    /// At the end of any slot; going on loses so many seconds.
    Loses(i64),
}

/// A job that can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deferrable {
    /// The first slot in which it can run.
    pub from: usize,
    /// The slot at whose begin it must be done.
    pub due: usize,
    /// Work that is left, in seconds of the running job.
    pub work_s: i64,
    /// Accelerators that it holds while it runs.
    pub accelerators: u32,
    /// What each of them draws, the part of its node and of cooling included.
    pub watts: u32,
    /// Whether it can be paused.
    pub pausing: Pausing,
    /// Whether it has run before.
    pub begun: bool,
    /// Whether it runs in the slot before its first one: going on loses nothing.
    pub running: bool,
}

impl Deferrable {
    /// Slots that it needs with so many pauses.
    pub(super) fn slots(&self, slot_s: i64, pauses: usize) -> usize {
        let lost = match self.pausing {
            Pausing::Never => 0,
            Pausing::Loses(seconds) => seconds * i64::try_from(pauses).unwrap_or(i64::MAX >> 20),
        };
        let seconds = self.work_s + lost;
        usize::try_from((seconds + slot_s - 1) / slot_s).unwrap_or(usize::MAX)
    }
}

impl Slots {
    /// What a slot of a job costs, carbon at its price included, rounded down to 10^-12.
    pub fn cost(&self, job: &Deferrable, slot: usize) -> i128 {
        let Power { price, carbon_mg } = self.power[slot];
        let watt_s = i128::from(job.watts) * i128::from(job.accelerators) * i128::from(self.slot_s);
        let million = price * 1_000_000 + self.carbon_price * i128::from(carbon_mg);
        (watt_s * million).div_euclid(3_600_000 * 1_000_000)
    }

    fn costs(&self, job: &Deferrable, free: &[u32]) -> Vec<SlotCost> {
        let slots = job.from..job.due.min(self.power.len());
        slots.map(|at| (free[at] >= job.accelerators).then(|| self.cost(job, at))).collect()
    }

    fn check(&self, jobs: &[Deferrable]) -> Result<(), ShiftError> {
        if self.slot_s <= 0 || self.power.len() != self.free.len() {
            let what = "slots are longer than nothing, and each has its power and what is free";
            return Err(ShiftError::Slots(what.to_owned()));
        }
        for (at, job) in jobs.iter().enumerate() {
            let what = if job.work_s <= 0 || job.accelerators == 0 {
                "work and accelerators must be above zero"
            } else if job.due > self.power.len() || job.from >= self.power.len() {
                "its slots end before it is due: give it more of them"
            } else if matches!(job.pausing, Pausing::Loses(seconds) if seconds < 0) {
                "a pause cannot gain time"
            } else {
                continue;
            };
            return Err(ShiftError::Job { job: at, what: what.to_owned() });
        }
        Ok(())
    }
}

/// When each job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferral {
    /// The slots of each job, in order.
    pub slots: Vec<Vec<usize>>,
    /// What all of them cost, carbon at its price included, in 10^-12.
    pub cost: i128,
    /// No plan in which all are in time costs less; `None` where some are late or nothing is
    /// proven.
    pub bound: Option<i128>,
    /// Jobs that cannot be in time: they run as soon as there is room.
    pub late: Vec<usize>,
}

/// Chooses the slots of all jobs.
///
/// # Errors
/// Jobs or slots that cannot be, or a solver that failed.
pub fn defer(slots: &Slots, jobs: &[Deferrable]) -> Result<Deferral, ShiftError> {
    slots.check(jobs)?;
    let alone: Vec<Option<Vec<usize>>> = jobs
        .iter()
        .map(|job| cheapest(job, &slots.costs(job, &slots.free), slots.slot_s))
        .collect();
    let bound = total(slots, jobs, &alone);
    if fits(slots, jobs, &alone) {
        return Ok(finished(slots, jobs, alone, Some(bound)));
    }
    let start = one_by_one(slots, jobs);
    Ok(match program::solve(slots, jobs, &start)? {
        Some((found, proven)) => {
            finished(slots, jobs, found, Some(proven.map_or(bound, |proven| proven.max(bound))))
        }
        None => finished(slots, jobs, start, Some(bound)),
    })
}

/// Each job as soon as there is room, in their order, without a pause: what is done where nothing
/// is deferred.
///
/// # Errors
/// Jobs or slots that cannot be.
pub fn at_once(slots: &Slots, jobs: &[Deferrable]) -> Result<Deferral, ShiftError> {
    slots.check(jobs)?;
    Ok(finished(slots, jobs, vec![None; jobs.len()], None))
}

/// One job after the other into what the ones before it leave, those first that are due first.
fn one_by_one(slots: &Slots, jobs: &[Deferrable]) -> Vec<Option<Vec<usize>>> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|at| (!held(&jobs[*at]), jobs[*at].due, jobs[*at].from, *at));
    let mut free = slots.free.clone();
    let mut plan = vec![None; jobs.len()];
    for at in order {
        let job = &jobs[at];
        let found = cheapest(job, &slots.costs(job, &free), slots.slot_s);
        let Some(found) = found else { continue };
        let found: Vec<usize> = found.into_iter().map(|slot| job.from + slot).collect();
        found.iter().for_each(|slot| free[*slot] -= job.accelerators);
        plan[at] = Some(found.into_iter().map(|slot| slot - job.from).collect());
    }
    plan
}

/// Whether its place is not to be taken: it runs and cannot be paused.
fn held(job: &Deferrable) -> bool {
    job.running && job.pausing == Pausing::Never
}

fn total(slots: &Slots, jobs: &[Deferrable], plan: &[Option<Vec<usize>>]) -> i128 {
    let of = |(job, run): (&Deferrable, &Option<Vec<usize>>)| -> i128 {
        run.iter().flatten().map(|at| slots.cost(job, job.from + at)).sum()
    };
    jobs.iter().zip(plan).map(of).sum()
}

fn fits(slots: &Slots, jobs: &[Deferrable], plan: &[Option<Vec<usize>>]) -> bool {
    let mut used = vec![0_u64; slots.power.len()];
    for (job, run) in jobs.iter().zip(plan) {
        let at = run.iter().flatten().map(|at| job.from + at);
        at.for_each(|at| used[at] += u64::from(job.accelerators));
    }
    used.iter().zip(&slots.free).all(|(used, free)| *used <= u64::from(*free))
}

/// The plan with what is late put where there is room, first those that run and cannot be paused.
fn finished(
    slots: &Slots,
    jobs: &[Deferrable],
    plan: Vec<Option<Vec<usize>>>,
    bound: Option<i128>,
) -> Deferral {
    let mut free = slots.free.clone();
    let mut all: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
    for (at, run) in plan.iter().enumerate() {
        for slot in run.iter().flatten().map(|slot| jobs[at].from + slot) {
            free[slot] -= jobs[at].accelerators;
            all[at].push(slot);
        }
    }
    let mut left: Vec<usize> = (0..jobs.len()).filter(|at| plan[*at].is_none()).collect();
    left.sort_by_key(|at| (!held(&jobs[*at]), !jobs[*at].running, jobs[*at].from, *at));
    let mut late = Vec::new();
    for at in left {
        let job = &jobs[at];
        all[at] = soonest(job, &free, slots.slot_s);
        all[at].iter().for_each(|slot| free[*slot] -= job.accelerators);
        let ends = all[at].last().map_or(usize::MAX, |last| last + 1);
        if ends > job.due || all[at].len() < job.slots(slots.slot_s, 0) {
            late.push(at);
        }
    }
    late.sort_unstable();
    let cost = |(job, run): (&Deferrable, &Vec<usize>)| -> i128 {
        run.iter().map(|slot| slots.cost(job, *slot)).sum()
    };
    let cost = jobs.iter().zip(&all).map(cost).sum();
    // One that is late in this plan costs whatever there is room for.
    let bound = bound.filter(|_| plan.iter().all(Option::is_some));
    Deferral { slots: all, cost, bound, late }
}

/// The first run without a gap that there is room for; as far as the slots go.
fn soonest(job: &Deferrable, free: &[u32], slot_s: i64) -> Vec<usize> {
    let pauses = usize::from(job.begun && !job.running);
    let needed = job.slots(slot_s, pauses);
    let mut start = job.from;
    for at in job.from..free.len() {
        if free[at] < job.accelerators {
            start = at + 1;
        } else if at + 1 - start == needed {
            return (start..=at).collect();
        }
    }
    (start..free.len()).collect()
}
