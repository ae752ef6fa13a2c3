//! What any schedule costs that makes all deadlines, with all jobs known from the beginning.
//!
//! A linear program over the slots between arrivals and deadlines: seconds of each job on each kind
//! in each slot in which it is there. In a slot a job has no more seconds than the slot is long,
//! and a kind no more than it has accelerators for. Work may be cut anywhere, so that for jobs of
//! one accelerator it is exact (what fits in a slot can be laid out in it, McNaughton, Birkhoff);
//! gangs and rounds only make real schedules dearer. The bound is proven by the duals in integers.

use super::{Fleet, MICROS, RoundJob};
use farthing_milp::{
    Kind as VarKind, Limits, Problem, ProblemError, Relaxed, Row, Sense, VarSpec, relax,
    relax_inside,
};
use farthing_model::Money;
use std::collections::BTreeMap;
use thiserror::Error;

/// Seconds of an hour.
const HOUR_S: i128 = 3_600;

/// Variables up to which the program is solved to a vertex; a larger one from the inside, whose
/// bound is as proven and a millionth lower.
const VERTEX_MAX: usize = 40_000;

/// Variables beyond which no program is written down.
const PROGRAM_MAX: usize = 250_000;

/// A job with the time at which it comes, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it comes.
    pub at_us: i64,
    /// The job.
    pub job: RoundJob,
}

impl Arrival {
    /// After this it is late.
    fn last_us(&self) -> Option<i64> {
        self.job.due.last().map(|due| due.at_us)
    }
}

/// The least that all jobs can cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least {
    /// No schedule that makes all deadlines costs less; where none does, no schedule at all.
    pub cost: Money,
    /// Whether some schedule makes all deadlines, as far as this program can see; `None` where it
    /// is too large to be written down, or the solver gave up.
    pub holds: Option<bool>,
}

/// Why there is no bound.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BoundError {
    /// The program was refused.
    #[error("the program of the bound cannot be written down")]
    Problem(#[source] ProblemError),
    /// Numbers do not fit.
    #[error("the cost of all jobs does not fit")]
    Overflow,
}

/// The bound on all jobs.
///
/// # Errors
/// Numbers that do not fit.
pub fn least(fleet: &Fleet, arrivals: &[Arrival]) -> Result<Least, BoundError> {
    let currency = fleet.kinds.first().ok_or(BoundError::Overflow)?.price.per_hour().currency();
    let money = |pico_s: i128| Money::from_pico(pico_s.div_euclid(HOUR_S), currency);
    let slots = Slots::of(fleet, arrivals);
    let size: usize = arrivals.iter().map(|arrival| slots.inside(arrival).len()).sum();
    let mut holds = None;
    if size.saturating_mul(fleet.kinds.len()) <= PROGRAM_MAX {
        let Some(problem) = problem(fleet, arrivals, &slots).map_err(BoundError::Problem)? else {
            return Ok(Least { cost: money(apart(fleet, arrivals)?), holds: Some(false) });
        };
        let limits = Limits::default();
        let small = problem.vars() <= VERTEX_MAX;
        let relaxed =
            if small { relax(&problem, &limits) } else { relax_inside(&problem, &limits) };
        match relaxed {
            Ok(Relaxed::Optimal(best)) => {
                let bound = problem.certified_bound(&best.certificate);
                let bound = bound.map_err(|_| BoundError::Overflow)?.unwrap_or(0);
                return Ok(Least { cost: money(bound), holds: Some(true) });
            }
            Ok(Relaxed::Infeasible(_)) => holds = Some(false),
            _ => {}
        }
    }
    Ok(Least { cost: money(apart(fleet, arrivals)?), holds })
}

/// Each job on the kind that does it cheapest, whenever that is.
fn apart(fleet: &Fleet, arrivals: &[Arrival]) -> Result<i128, BoundError> {
    let mut sum = 0_i128;
    for arrival in arrivals {
        let costs = (0..fleet.kinds.len()).filter_map(|kind| alone(fleet, &arrival.job, kind));
        sum = sum.checked_add(costs.min().unwrap_or(0)).ok_or(BoundError::Overflow)?;
    }
    Ok(sum)
}

/// What a job costs on one kind, rounded down, in pico an hour times seconds.
fn alone(fleet: &Fleet, job: &RoundJob, kind: usize) -> Option<i128> {
    let rate = able(fleet, job, kind)?;
    let pico = fleet.kinds[kind].price.per_hour().pico() * i128::from(job.gang);
    pico.checked_mul(i128::from(job.work)).map(|cost| cost / i128::from(rate))
}

/// The rate of a job on a kind on which it can run at all.
fn able(fleet: &Fleet, job: &RoundJob, kind: usize) -> Option<i64> {
    let rate = job.rates.get(kind).copied().filter(|rate| *rate > 0)?;
    (fleet.kinds[kind].count >= job.gang).then_some(rate)
}

/// The program; `None` where a job has no time at all.
fn problem(
    fleet: &Fleet,
    arrivals: &[Arrival],
    slots: &Slots,
) -> Result<Option<Problem>, ProblemError> {
    let mut problem = Problem::new();
    let mut capacity: BTreeMap<(usize, usize), Row> = BTreeMap::new();
    for arrival in arrivals {
        let job = &arrival.job;
        let work = problem.add_row(Sense::AtLeast, i128::from(job.work))?;
        let mut any = false;
        for slot in slots.inside(arrival) {
            let length = i128::from(slots.length(slot));
            let own = problem.add_row(Sense::AtMost, length)?;
            for kind in 0..fleet.kinds.len() {
                let Some(rate) = able(fleet, job, kind) else { continue };
                let count = i128::from(fleet.kinds[kind].count);
                let row = match capacity.get(&(kind, slot)) {
                    Some(row) => *row,
                    None => problem.add_row(Sense::AtMost, count * length)?,
                };
                capacity.insert((kind, slot), row);
                let gang = i128::from(job.gang);
                let cost = fleet.kinds[kind].price.per_hour().pico() * gang;
                let spec = VarSpec { cost, lower: 0, upper: None, kind: VarKind::Continuous };
                let micros = i128::from(MICROS);
                let uses = [(work, i128::from(rate)), (own, micros), (row, gang * micros)];
                problem.add_var(spec, &uses)?;
                any = true;
            }
        }
        if !any {
            return Ok(None);
        }
    }
    Ok(Some(problem))
}

/// Instants at which something comes or is due.
struct Slots {
    instants: Vec<i64>,
}

impl Slots {
    fn of(fleet: &Fleet, arrivals: &[Arrival]) -> Self {
        let mut instants: Vec<i64> = arrivals
            .iter()
            .flat_map(|arrival| [Some(arrival.at_us), arrival.last_us()])
            .flatten()
            .collect();
        // All jobs one after the other end before this: who has no deadline has time until then.
        let mut end = instants.iter().copied().max().unwrap_or(0);
        for arrival in arrivals.iter().filter(|arrival| arrival.job.due.is_empty()) {
            let able = (0..fleet.kinds.len()).filter_map(|kind| able(fleet, &arrival.job, kind));
            let slowest = able.min().unwrap_or(1);
            let needed = (arrival.job.work / slowest).saturating_add(1).saturating_mul(MICROS);
            end = end.saturating_add(needed);
        }
        instants.push(end);
        instants.sort_unstable();
        instants.dedup();
        Self { instants }
    }

    fn length(&self, slot: usize) -> i64 {
        self.instants[slot + 1] - self.instants[slot]
    }

    /// Slots in which a job is there.
    fn inside(&self, arrival: &Arrival) -> std::ops::Range<usize> {
        let at = |instant: i64| self.instants.partition_point(|other| *other < instant);
        let end = arrival.last_us().map_or(self.instants.len() - 1, at);
        at(arrival.at_us)..end
    }
}
