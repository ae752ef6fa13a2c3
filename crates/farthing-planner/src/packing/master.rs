//! The relaxation over contents of machines, by column generation (Gilmore and Gomory, 1961): a
//! linear program of the contents known so far says what each pod is worth, and knapsacks say
//! which content is worth more than its machine costs.
//!
//! The first worths are a price of each resource alone, by which no machine holds more than it
//! costs whatever is on it. On large machines they are nearly the best ones, and worths in between
//! these and those of the program make the rounds few (smoothing after Wentges, 1997).

use super::bound::{Bound, proven};
use super::knapsack::{Held, Item, fill, prove};
use super::problem::{Content, DIMS, Open, Problem};
use farthing_milp::{
    Kind, Limits, Problem as Program, ProblemError, Relaxed, Sense, SolveError, VarSpec, relax,
};
use std::collections::BTreeSet;

/// Nodes of the search for a content.
const SEARCH: u32 = 400;
/// States of the lists that prove the best content.
const STATES: usize = 20_000;
/// A content has to be worth this part more than its machine: 1 / 10,000.
const WORTHWHILE: u64 = 10_000;
/// The resources' share of a machine in the program of their prices.
const SHARES: u128 = 1 << 20;
/// Contents of less worth than this of their price in hundredths are forgotten, when there are
/// many.
const KEPT_PERCENT: u128 = 97;

/// The program that grows.
pub(super) struct Master<'p> {
    pub(super) problem: &'p Problem,
    pub(super) contents: Vec<Content>,
    known: BTreeSet<Content>,
    /// Entries of linear programs that were solved, as a measure of work.
    pub(super) work: u64,
    /// Rounds so far.
    pub(super) rounds: u64,
}

/// Why the relaxation has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum MasterError {
    #[error(transparent)]
    Program(#[from] ProblemError),
    #[error(transparent)]
    Solver(#[from] SolveError),
}

/// The optimum of the program over the contents that are known.
pub(super) struct Relaxation {
    pub(super) cost: u128,
    pub(super) worths: Vec<u64>,
    /// How often each content is taken, in millionths.
    pub(super) taken_ppm: Vec<i128>,
}

/// How far to go.
#[derive(Clone, Copy)]
pub(super) struct Until {
    pub(super) rounds: u32,
    pub(super) gap_ppm: u128,
    /// Whether contents are proven where the search finds none.
    pub(super) exact: bool,
    pub(super) work: u64,
}

impl<'p> Master<'p> {
    pub(super) const fn new(problem: &'p Problem) -> Self {
        Self { problem, contents: Vec::new(), known: BTreeSet::new(), work: 0, rounds: 0 }
    }

    /// Adds a content; whether it is new.
    pub(super) fn add(&mut self, content: Content) -> bool {
        let new = !content.counts.is_empty() && self.known.insert(content.clone());
        if new {
            self.contents.push(content);
        }
        new
    }

    /// Adds each open shape alone, on the machine on which it is cheapest.
    pub(super) fn begin(&mut self, open: &Open) {
        let problem = self.problem;
        for (shape, wanted) in open.demand.iter().enumerate().filter(|(_, count)| **count > 0) {
            let machines = (0..problem.machines.len()).filter(|at| open.left[*at].is_none());
            let alone = machines.filter_map(|machine| {
                let most = problem.most(machine, shape).min(*wanted);
                (most > 0).then_some((machine, most))
            });
            let price = |at: usize| u128::from(problem.machines[at].price);
            let best = alone.min_by(|(a, most), (b, other)| {
                let (left, right) = (price(*a) * u128::from(*other), price(*b) * u128::from(*most));
                left.cmp(&right).then(a.cmp(b))
            });
            if let Some((machine, most)) = best {
                self.add(Content { machine, counts: vec![(shape, most)] });
            }
        }
    }

    /// Solves the program; `None` where not everything can be held.
    pub(super) fn relax(&mut self, open: &Open) -> Result<Option<Relaxation>, MasterError> {
        let program = program(self.problem, &self.contents, open, false)?;
        let entries = self.contents.iter().map(|content| content.counts.len());
        self.work += u64::try_from(entries.sum::<usize>()).unwrap_or(u64::MAX);
        let Relaxed::Optimal(found) = relax(&program, &Limits::default())? else {
            return Ok(None);
        };
        let whole = found.certificate.denominator();
        let duals = found.certificate.multipliers().iter().take(open.demand.len());
        Ok(Some(Relaxation {
            cost: u128::try_from(found.objective).unwrap_or(0),
            worths: duals.map(|dual| u64::try_from(dual / whole).unwrap_or(0)).collect(),
            taken_ppm: found.values_ppm,
        }))
    }

    /// Looks for contents that are worth more than their machines: how many are new, and what
    /// these worths prove.
    fn price(&mut self, open: &Open, worths: &[u64], exact: bool) -> (usize, u128) {
        let (mut uppers, mut added) = (Vec::new(), 0);
        for machine in 0..self.problem.machines.len() {
            if open.left[machine] == Some(0) {
                continue;
            }
            let kind = &self.problem.machines[machine];
            let items = items(self.problem, machine, open, worths);
            let enough = kind.price + kind.price / WORTHWHILE;
            let mut held = fill(&kind.room, &items, SEARCH);
            if exact && held.worth <= enough && held.upper > enough {
                let upper = held.upper;
                if let Some(best) = prove(&kind.room, &items, enough, STATES) {
                    held = Held { upper: best.upper.min(upper), ..best };
                }
            }
            if held.worth > enough && self.add(Content { machine, counts: held.counts }) {
                added += 1;
            }
            uppers.push((machine, held.upper));
        }
        (added, proven(self.problem, open, worths, &uppers))
    }

    /// Adds contents until worths prove what the program says, or the work is done. `bound` is what
    /// is proven already, if anything.
    pub(super) fn generate(
        &mut self,
        open: &Open,
        mut bound: Bound,
        until: Until,
    ) -> Result<Option<(Relaxation, Bound)>, MasterError> {
        let Some(mut relaxed) = self.relax(open)? else { return Ok(None) };
        // Tenths of the best worths so far in those that are tried.
        let mut weight = if bound.worths.is_empty() { 0 } else { 7 };
        let mut exact = false;
        let work_max = self.work.saturating_add(until.work);
        for _ in 0..until.rounds {
            self.rounds += 1;
            let worths = between(&bound.worths, &relaxed.worths, weight);
            let (added, cost) = self.price(open, &worths, exact);
            if cost > bound.cost {
                bound = Bound { cost, worths };
            }
            let gap = relaxed.cost.saturating_sub(bound.cost);
            if gap * 1_000_000 <= relaxed.cost * until.gap_ppm || self.work > work_max {
                break;
            }
            match (added, weight) {
                (0, 0) if exact || !until.exact => break,
                (0, 0) => exact = true,
                (0, _) => weight = 0,
                _ => {
                    weight = if exact { 3 } else { 5 };
                    self.forget(&relaxed.worths);
                    let Some(next) = self.relax(open)? else { return Ok(None) };
                    relaxed = next;
                }
            }
        }
        // As many values as contents, after the last ones were added.
        if relaxed.taken_ppm.len() < self.contents.len() {
            let Some(last) = self.relax(open)? else { return Ok(None) };
            relaxed = last;
        }
        Ok(Some((relaxed, bound)))
    }

    /// Forgets contents that the program has no use for, when there are many.
    fn forget(&mut self, worths: &[u64]) {
        if self.contents.len() <= 3 * worths.len() + 200 {
            return;
        }
        let problem = self.problem;
        self.contents.retain(|content| {
            let each = content.counts.iter();
            let worth: u128 =
                each.map(|(shape, n)| u128::from(worths[*shape]) * u128::from(*n)).sum();
            let price = u128::from(problem.machines[content.machine].price);
            content.counts.len() == 1 || worth * 100 >= price * KEPT_PERCENT
        });
        self.known = self.contents.iter().cloned().collect();
    }

    /// What a price of each resource alone proves.
    pub(super) fn by_resources(&mut self, open: &Open) -> Result<Bound, MasterError> {
        let worths = by_resources(self.problem, open)?;
        let (_, cost) = self.price(open, &worths, false);
        Ok(Bound { cost, worths })
    }
}

/// The cheapest choice of contents that hold all that is open.
pub(super) fn program(
    problem: &Problem,
    contents: &[Content],
    open: &Open,
    whole: bool,
) -> Result<Program, MasterError> {
    let mut program = Program::new();
    let mut rows = Vec::with_capacity(open.demand.len());
    for count in &open.demand {
        rows.push(program.add_row(Sense::AtLeast, i128::from(*count))?);
    }
    let mut limits = Vec::with_capacity(open.left.len());
    for left in &open.left {
        let row = left.map(|left| program.add_row(Sense::AtMost, i128::from(left)));
        limits.push(row.transpose()?);
    }
    for content in contents {
        let cost = i128::from(problem.machines[content.machine].price);
        let counts = content.counts.iter();
        let mut entries: Vec<_> =
            counts.map(|(shape, count)| (rows[*shape], i128::from(*count))).collect();
        entries.extend(limits[content.machine].map(|row| (row, 1)));
        let often = content.counts.iter().map(|(shape, n)| open.demand[*shape].div_ceil(*n)).max();
        let (kind, upper) = if whole {
            (Kind::Integer, often.and_then(|often| i64::try_from(often).ok()))
        } else {
            (Kind::Continuous, None)
        };
        program.add_var(VarSpec { cost, lower: 0, upper, kind }, &entries)?;
    }
    Ok(program)
}

/// What may be put on a machine.
pub(super) fn items(problem: &Problem, machine: usize, open: &Open, worths: &[u64]) -> Vec<Item> {
    let takes = &problem.machines[machine].takes;
    let shapes = problem.shapes.iter().enumerate();
    let open = shapes.filter(|(at, _)| takes[*at] && open.demand[*at] > 0).map(|(shape, it)| {
        Item { shape, need: it.need, worth: worths[shape], most: open.demand[shape] }
    });
    open.collect()
}

/// Worths in between, in tenths of the first.
fn between(first: &[u64], second: &[u64], tenths: u128) -> Vec<u64> {
    if first.is_empty() {
        return second.to_vec();
    }
    let mix = |(a, b): (&u64, &u64)| {
        let sum = u128::from(*a) * tenths + u128::from(*b) * (10 - tenths);
        u64::try_from(sum / 10).unwrap_or(u64::MAX)
    };
    first.iter().zip(second).map(mix).collect()
}

/// The dearest prices of resources by which no machine's room is worth more than it costs.
fn by_resources(problem: &Problem, open: &Open) -> Result<Vec<u64>, MasterError> {
    let mut largest = [1; DIMS];
    for machine in &problem.machines {
        for (largest, room) in largest.iter_mut().zip(&machine.room) {
            *largest = (*largest).max(*room);
        }
    }
    let share = |d: usize, amount: u64| {
        i128::try_from(u128::from(amount) * SHARES / u128::from(largest[d])).unwrap_or(i128::MAX)
    };
    let mut program = Program::new();
    let mut rows = Vec::new();
    for machine in &problem.machines {
        rows.push(program.add_row(Sense::AtMost, i128::from(machine.price))?);
    }
    for d in 0..DIMS {
        let each = problem.shapes.iter().zip(&open.demand);
        let all: i128 = each.map(|(it, n)| share(d, it.need[d]) * i128::from(*n)).sum();
        let rooms = problem.machines.iter().zip(&rows);
        let entries: Vec<_> =
            rooms.map(|(machine, row)| (*row, share(d, machine.room[d]) + 1)).collect();
        let spec = VarSpec { cost: -all, lower: 0, upper: None, kind: Kind::Continuous };
        program.add_var(spec, &entries)?;
    }
    let Relaxed::Optimal(found) = relax(&program, &Limits::default())? else {
        return Ok(vec![0; problem.shapes.len()]);
    };
    let worth = |need: &[u64; DIMS]| {
        let parts = found.values_ppm.iter().zip(need).enumerate();
        let sum: i128 = parts.map(|(d, (price, need))| (*price).max(0) * share(d, *need)).sum();
        u64::try_from(sum / 1_000_000).unwrap_or(0)
    };
    Ok(problem.shapes.iter().map(|shape| worth(&shape.need)).collect())
}
