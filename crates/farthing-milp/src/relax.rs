//! The linear relaxation by itself, for bounds and for column generation.
//!
//! Start at [`relax`]. The answer is made to be used without floats: the duals are a
//! [`DualCertificate`], and values are integers in millionths.

use crate::backend::{End, Run, Settings, TIGHT, USUAL, run};
use crate::certificate::{DualCertificate, from_duals, row_gcds, whole};
use crate::problem::{Kind, Overflow, Problem, Row, Sense, VarSpec};
use crate::solve::{Limits, SolveError};

/// What the relaxation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relaxed {
    /// Solved to optimality.
    Optimal(Relaxation),
    /// No real point is feasible; with a proof where one could be made exact
    /// ([`Problem::certified_infeasible`]).
    Infeasible(Option<DualCertificate>),
    /// The objective falls without limit.
    Unbounded,
    /// The iteration limit came first. The duals of that moment still prove a bound, perhaps none.
    Stopped(DualCertificate),
}

/// The optimum of a relaxation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relaxation {
    /// The solver's optimum in cost units, rounded down. Not a proof; see `certificate`.
    pub objective: i128,
    /// Row duals; [`Problem::certified_bound`] turns them into a proof, and
    /// [`DualCertificate::reduced_cost`] prices columns.
    pub certificate: DualCertificate,
    /// The real value of each variable in millionths of its unit, rounded to the nearest.
    pub values_ppm: Vec<i128>,
    /// Simplex iterations.
    pub iterations: u64,
}

/// Solves the problem with every variable real. Only `limits.iterations_max` applies.
///
/// # Errors
/// [`SolveError::Solver`] when HiGHS fails twice (the second time without presolve, with its usual
/// tolerances).
pub fn relax(problem: &Problem, limits: &Limits) -> Result<Relaxed, SolveError> {
    if problem.vars() == 0 {
        return Ok(empty(problem));
    }
    Ok(answer(problem, limits, relaxed_run(problem, limits)?))
}

/// As [`relax`], by an interior point without crossover, where that works: values are no vertex,
/// and duals lie in the middle of those that are best, not in a corner. Column generation needs
/// fewer rounds with such duals, and nothing rests on them being exact.
///
/// # Errors
/// As [`relax`].
pub fn relax_inside(problem: &Problem, limits: &Limits) -> Result<Relaxed, SolveError> {
    if problem.vars() == 0 {
        return Ok(empty(problem));
    }
    let settings = Settings { inside: true, ..vertex(limits) };
    match run(problem, &settings) {
        Ok(first) if first.end == End::Optimal && first.point.is_some() => {
            Ok(answer(problem, limits, first))
        }
        _ => relax(problem, limits),
    }
}

fn answer(problem: &Problem, limits: &Limits, run: Run) -> Relaxed {
    match run.end {
        End::Infeasible => Relaxed::Infeasible(proof_of_none(problem, limits)),
        End::Unbounded => Relaxed::Unbounded,
        End::Nodes | End::Iterations => Relaxed::Stopped(from_duals(problem, &run.duals)),
        End::Optimal => {
            let point = run.point.unwrap_or_default();
            Relaxed::Optimal(Relaxation {
                objective: run.objective,
                certificate: from_duals(problem, &run.duals),
                values_ppm: point.iter().map(|x| whole(x * 1e6).unwrap_or(0)).collect(),
                iterations: run.iterations,
            })
        }
    }
}

/// A problem without variables: every row reads `0 ? rhs`.
fn empty(problem: &Problem) -> Relaxed {
    if let Some(row) = problem.rows.iter().position(|row| row.violation(0) != Some(0)) {
        let mut multipliers = vec![0; problem.rows()];
        multipliers[row] = problem.rows[row].rhs.signum();
        return Relaxed::Infeasible(DualCertificate::new(0, multipliers));
    }
    let certificate = from_duals(problem, &vec![0.0; problem.rows()]);
    Relaxed::Optimal(Relaxation {
        objective: 0,
        certificate,
        values_ppm: Vec::new(),
        iterations: 0,
    })
}

/// One relaxed run; a second one without presolve if HiGHS fails, says infeasible (presolve has
/// been wrong about that before) or cannot tell infeasible from unbounded.
pub(crate) fn relaxed_run(problem: &Problem, limits: &Limits) -> Result<Run, SolveError> {
    let settings = vertex(limits);
    let second = Settings { presolve: false, tolerance: USUAL, ..settings };
    match run(problem, &settings) {
        Ok(first) if first.end == End::Optimal && first.point.is_some() => Ok(first),
        Ok(first) if first.end == End::Iterations => Ok(first),
        _ => run(problem, &second),
    }
}

/// How a relaxation is solved to a vertex.
fn vertex(limits: &Limits) -> Settings<'_> {
    Settings { limits, relaxed: true, inside: false, presolve: true, tolerance: TIGHT }
}

/// An exact proof that the relaxation is infeasible, if the elastic problem yields one: every row
/// may be broken at the price of 1 per largest coefficient, and everything else is free. Its duals
/// are Farkas multipliers.
pub(crate) fn proof_of_none(problem: &Problem, limits: &Limits) -> Option<DualCertificate> {
    let elastic = elastic(problem).ok()?;
    let run = relaxed_run(&elastic, limits).ok()?;
    let certificate = from_duals(&problem.without_costs(), &run.duals);
    problem.certified_infeasible(&certificate).ok()?.then_some(certificate)
}

fn elastic(problem: &Problem) -> Result<Problem, SolveError> {
    let mut elastic = problem.without_costs();
    let mut largest = row_gcds(problem);
    for column in &problem.columns {
        for (row, a) in &column.entries {
            let slot = &mut largest[*row as usize];
            *slot = (*slot).max(a.checked_abs().ok_or(Overflow)?);
        }
    }
    for (index, (row, largest)) in (0_u32..).zip(problem.rows.iter().zip(largest)) {
        let spec = VarSpec { cost: 1, lower: 0, upper: None, kind: Kind::Continuous };
        let unit = largest.max(1);
        let add = |elastic: &mut Problem, a: i128| {
            elastic.add_var(spec, &[(Row(index), a)]).map_err(|_| SolveError::Overflow(Overflow))
        };
        if row.sense != Sense::AtMost {
            add(&mut elastic, unit)?;
        }
        if row.sense != Sense::AtLeast {
            add(&mut elastic, -unit)?;
        }
    }
    Ok(elastic)
}
