//! The integer program of jobs that share what is free: which slots each one runs in.
//!
//! A job that cannot be paused chooses its start. One that can chooses slots, and in which of them
//! it is launched, where a launch loses time. To be late costs more than anything else.

use super::ShiftError;
use super::defer::{Deferrable, Pausing, Slots};
use farthing_milp::{Kind, Limits, Outcome, Problem, Row, Sense, VarSpec, solve_from};

/// Variables up to which the program is written down.
const VARIABLES_MAX: usize = 6_000;
/// Nodes of the search.
const NODES: u32 = 400;

/// A plan, as slots from the first of each job, `None` for who is late.
type Plan = Vec<Option<Vec<usize>>>;

/// A better plan than the one to start from, or that one, with what is proven of its cost; `None`
/// where the program is too large or nothing came of it in its limits.
pub(super) fn solve(
    slots: &Slots,
    jobs: &[Deferrable],
    start: &Plan,
) -> Result<Option<(Plan, Option<i128>)>, ShiftError> {
    let windows: usize = jobs.iter().map(|job| 2 * job.due.saturating_sub(job.from)).sum();
    if windows > VARIABLES_MAX {
        return Ok(None);
    }
    let mut written = Written::new(slots, jobs)?;
    for (job, run) in jobs.iter().zip(start) {
        written.add(job, run.as_deref())?;
    }
    let limits = Limits { nodes_max: NODES, ..Limits::default() };
    let outcome = solve_from(&written.problem, &limits, Some(&written.start))?;
    let (Outcome::Optimal(found) | Outcome::Feasible(found, _)) = outcome else {
        return Ok(None);
    };
    let plan: Plan = written.parts.iter().map(|part| part.read(&found.values)).collect();
    let late = plan.iter().filter(|one| one.is_none()).count();
    let penalty = written.late_cost * i128::try_from(late).unwrap_or(0);
    Ok(Some((plan, found.bound.map(|bound| bound - penalty))))
}

/// The variables of a job.
struct Part {
    late: usize,
    /// The first of those that say where it runs, and how many.
    first: usize,
    count: usize,
    /// Slots that one of them stands for.
    length: usize,
}

impl Part {
    fn read(&self, values: &[i64]) -> Option<Vec<usize>> {
        if values[self.late] == 1 {
            return None;
        }
        let chosen = (0..self.count).filter(|at| values[self.first + at] == 1);
        Some(chosen.flat_map(|at| at..at + self.length).collect())
    }
}

/// What makes a launch of a slot: it runs and did not before (`must`), only where it runs, and only
/// where it did not before.
struct Launch {
    must: Row,
    only: Row,
    fresh: Row,
}

struct Written<'a> {
    slots: &'a Slots,
    problem: Problem,
    start: Vec<i64>,
    parts: Vec<Part>,
    /// The row of what is free in each slot.
    free: Vec<Row>,
    late_cost: i128,
}

impl<'a> Written<'a> {
    fn new(slots: &'a Slots, jobs: &[Deferrable]) -> Result<Self, ShiftError> {
        let mut problem = Problem::new();
        let free = slots.free.iter().map(|free| problem.add_row(Sense::AtMost, (*free).into()));
        let free = free.collect::<Result<_, _>>()?;
        let most = |job: &Deferrable| -> i128 {
            (job.from..job.due).map(|slot| slots.cost(job, slot).abs()).sum()
        };
        let late_cost = 1 + 2 * jobs.iter().map(most).sum::<i128>();
        Ok(Self { slots, problem, start: Vec::new(), parts: Vec::new(), free, late_cost })
    }

    /// Adds a variable that is zero or one, with its value in the plan to start from.
    fn var(&mut self, cost: i128, rows: &[(Row, i128)], value: bool) -> Result<usize, ShiftError> {
        let spec = VarSpec { cost, lower: 0, upper: Some(1), kind: Kind::Integer };
        self.start.push(value.into());
        Ok(self.problem.add_var(spec, rows)?.index())
    }

    fn add(&mut self, job: &Deferrable, run: Option<&[usize]>) -> Result<(), ShiftError> {
        let part = match job.pausing {
            Pausing::Never => self.gapless(job, run)?,
            Pausing::Loses(lost) => self.pausable(job, run, lost)?,
        };
        self.parts.push(part);
        Ok(())
    }

    fn gapless(&mut self, job: &Deferrable, run: Option<&[usize]>) -> Result<Part, ShiftError> {
        let length = job.slots(self.slots.slot_s, 0);
        let window = job.due.saturating_sub(job.from);
        let starts = if job.running { window.min(1) } else { window };
        let count = (window + 1).saturating_sub(length).min(starts);
        let one = self.problem.add_row(Sense::Equal, 1)?;
        let late = self.var(self.late_cost, &[(one, 1)], run.is_none())?;
        let first = self.start.len();
        for start in 0..count {
            let at = job.from + start;
            let cost = (at..at + length).map(|slot| self.slots.cost(job, slot)).sum();
            let mut rows = vec![(one, 1)];
            let held = self.free[at..at + length].iter();
            rows.extend(held.map(|row| (*row, i128::from(job.accelerators))));
            let chosen = run.is_some_and(|run| run.first() == Some(&start));
            self.var(cost, &rows, chosen)?;
        }
        Ok(Part { late, first, count, length })
    }

    /// Work is done, and not a slot more is run than that takes: power below zero is no reason to
    /// burn it.
    fn pausable(
        &mut self,
        job: &Deferrable,
        run: Option<&[usize]>,
        lost: i64,
    ) -> Result<Part, ShiftError> {
        let (slot_s, lost) = (i128::from(self.slots.slot_s), i128::from(lost));
        let begun = job.begun || job.running;
        let needed = i128::from(job.work_s) - if begun { 0 } else { lost };
        let count = job.due.saturating_sub(job.from);
        let least = self.problem.add_row(Sense::AtLeast, needed)?;
        let most = self.problem.add_row(Sense::AtMost, needed + slot_s - 1)?;
        // Work that is shorter than a pause is still a slot.
        let fewest = i128::try_from(job.slots(self.slots.slot_s, 0)).unwrap_or(i128::MAX);
        let runs_at_all = self.problem.add_row(Sense::AtLeast, fewest)?;
        let in_time = [(least, needed), (most, needed), (runs_at_all, fewest)];
        let late = self.var(self.late_cost, &in_time, run.is_none())?;
        let launches = self.launches(job, if lost > 0 { count } else { 0 })?;
        let first = self.start.len();
        let runs = |slot: usize| run.is_some_and(|run| run.binary_search(&slot).is_ok());
        for slot in 0..count {
            let held = (self.free[job.from + slot], i128::from(job.accelerators));
            let mut rows = vec![held, (least, slot_s), (most, slot_s), (runs_at_all, 1)];
            if let Some(here) = launches.get(slot) {
                rows.extend([(here.must, 1), (here.only, -1)]);
            }
            if let Some(next) = launches.get(slot + 1) {
                rows.extend([(next.must, -1), (next.fresh, 1)]);
            }
            self.var(self.slots.cost(job, job.from + slot), &rows, runs(slot))?;
        }
        for (slot, here) in launches.iter().enumerate() {
            let goes_on = if slot == 0 { job.running } else { runs(slot - 1) };
            let rows =
                [(here.must, -1), (here.only, 1), (here.fresh, 1), (least, -lost), (most, -lost)];
            self.var(0, &rows, runs(slot) && !goes_on)?;
        }
        Ok(Part { late, first, count, length: 1 })
    }

    fn launches(&mut self, job: &Deferrable, count: usize) -> Result<Vec<Launch>, ShiftError> {
        let row = |slot: usize| {
            let before = i128::from(slot == 0 && job.running);
            Ok(Launch {
                must: self.problem.add_row(Sense::AtMost, before)?,
                only: self.problem.add_row(Sense::AtMost, 0)?,
                fresh: self.problem.add_row(Sense::AtMost, 1 - before)?,
            })
        };
        (0..count).map(row).collect()
    }
}
