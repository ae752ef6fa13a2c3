//! One run of HiGHS. The only module that calls it; everything that comes out is a float that
//! nobody may believe before `round` or `certificate` has checked it.

use std::ops::Bound;

use highs::{ColProblem, HighsModelStatus, HighsSolutionStatus, HighsStatus, Model, Sense as Goal};

use crate::problem::{Kind, Problem, Sense};
use crate::scale::Scaling;
use crate::solve::{Limits, SolveError};

/// What to do in one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) limits: &'a Limits,
    /// Ignore integrality.
    pub(crate) relaxed: bool,
    /// Stay inside of the feasible region: an interior point without crossover.
    pub(crate) inside: bool,
    /// HiGHS's presolve; off for a second opinion.
    pub(crate) presolve: bool,
    /// Feasibility, optimality and integrality tolerance, on scaled values.
    pub(crate) tolerance: f64,
}

/// The tightest tolerance that HiGHS keeps reliably.
pub(crate) const TIGHT: f64 = 1e-9;

/// The tolerance HiGHS is tuned for.
pub(crate) const USUAL: f64 = 1e-7;

/// Iterations of an interior point; the usual number is 15.
const INSIDE_MAX: i32 = 200;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Optimal,
    Infeasible,
    /// Unbounded, or infeasible: presolve need not say which.
    Unbounded,
    Nodes,
    Iterations,
}

/// What a run found, in the caller's units.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) end: End,
    pub(crate) point: Option<Vec<f64>>,
    /// Row duals; empty for a run with integers.
    pub(crate) duals: Vec<f64>,
    /// HiGHS's lower bound, less a margin for its tolerances, rounded down.
    pub(crate) bound: Option<i128>,
    /// That margin, rounded up: objectives nearer than this are the same to HiGHS.
    pub(crate) margin: i128,
    /// HiGHS's objective, rounded down; no proof.
    pub(crate) objective: i128,
    pub(crate) iterations: u64,
}

/// Runs HiGHS once on one thread with a fixed seed.
pub(crate) fn run(problem: &Problem, settings: &Settings<'_>) -> Result<Run, SolveError> {
    let scaling = Scaling::of(problem);
    let model = translate(problem, &scaling, settings.relaxed);
    let mut model = model.try_optimise(Goal::Minimise).map_err(refused)?;
    configure(&mut model, settings)?;
    let solved = model.try_solve().map_err(refused)?;
    let end = match solved.status() {
        HighsModelStatus::Optimal => End::Optimal,
        HighsModelStatus::Infeasible => End::Infeasible,
        HighsModelStatus::Unbounded | HighsModelStatus::UnboundedOrInfeasible => End::Unbounded,
        HighsModelStatus::ReachedSolutionLimit => End::Nodes,
        HighsModelStatus::ReachedIterationLimit => End::Iterations,
        other => return Err(SolveError::Solver(format!("{other:?}"))),
    };
    let solution = solved.get_solution();
    let has_point = matches!(end, End::Optimal | End::Nodes | End::Iterations)
        && solved.primal_solution_status() == HighsSolutionStatus::Feasible;
    let unscale = |(index, value): (usize, &f64)| scaling.unscaled_value(index, *value);
    let searched = !settings.relaxed && problem.has_integers();
    let dual_bound = match (searched, end) {
        (true, _) => solved.double_info_value(c"mip_dual_bound").ok(),
        (false, End::Optimal) => Some(solved.objective_value()),
        (false, _) => None,
    }
    .filter(|bound| bound.is_finite());
    let slack = 1e-6 + 1e-9 * dual_bound.unwrap_or(0.0).abs();
    let iterations = solved.int_info_value(c"simplex_iteration_count").map_err(refused)?;
    Ok(Run {
        end,
        point: has_point.then(|| solution.columns().iter().enumerate().map(unscale).collect()),
        duals: if searched {
            Vec::new()
        } else {
            let rows = solution.dual_rows().iter().enumerate();
            rows.map(|(row, dual)| scaling.unscaled_dual(row, *dual)).collect()
        },
        bound: dual_bound.and_then(|bound| scaling.unscaled_objective(bound - slack)),
        margin: scaling.unscaled_objective(-slack).map_or(0, |margin| -margin),
        objective: scaling.unscaled_objective(solved.objective_value()).unwrap_or(0),
        iterations: u64::try_from(iterations).unwrap_or(0),
    })
}

/// The scaled problem in HiGHS's terms.
fn translate(problem: &Problem, scaling: &Scaling, relaxed: bool) -> ColProblem {
    let mut model = ColProblem::new();
    let rows: Vec<highs::Row> = problem
        .rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let at = Bound::Included(scaling.rhs(index, row.rhs));
            model.add_row::<f64, _>(match row.sense {
                Sense::AtMost => (Bound::Unbounded, at),
                Sense::AtLeast => (at, Bound::Unbounded),
                Sense::Equal => (at, at),
            })
        })
        .collect();
    for (index, column) in problem.columns.iter().enumerate() {
        let lower = Bound::Included(scaling.value(index, column.spec.lower));
        let upper = match column.spec.upper {
            Some(upper) => Bound::Included(scaling.value(index, upper)),
            None => Bound::Unbounded,
        };
        let entries: Vec<(highs::Row, f64)> = column
            .entries
            .iter()
            .map(|(row, a)| {
                let row = *row as usize;
                (rows[row], scaling.coefficient(index, row, *a))
            })
            .collect();
        model.add_column_with_integrality::<f64, _, _, _>(
            scaling.cost(index, column),
            (lower, upper),
            entries,
            !relaxed && column.spec.kind == Kind::Integer,
        );
    }
    model
}

/// Every option that could make two runs differ, and the work limits.
fn configure(model: &mut Model, settings: &Settings<'_>) -> Result<(), SolveError> {
    let limits = settings.limits;
    let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let failed = |_| SolveError::Solver("an option was refused".to_owned());
    model.try_set_option("threads", 1).map_err(failed)?;
    model.try_set_option("parallel", "off").map_err(failed)?;
    model.try_set_option("random_seed", 0).map_err(failed)?;
    // Simplex, because its duals are exact at a vertex and its work is counted in iterations;
    // inside, a part in 10^6 is near enough, as nothing rests on it.
    let solver = if settings.inside { "ipm" } else { "simplex" };
    model.try_set_option("solver", solver).map_err(failed)?;
    if settings.inside {
        model.try_set_option("run_crossover", "off").map_err(failed)?;
        model.try_set_option("ipm_optimality_tolerance", 1e-6).map_err(failed)?;
        model.try_set_option("ipm_iteration_limit", INSIDE_MAX).map_err(failed)?;
    }
    let presolve = if settings.presolve { "choose" } else { "off" };
    model.try_set_option("presolve", presolve).map_err(failed)?;
    for name in
        ["primal_feasibility_tolerance", "dual_feasibility_tolerance", "mip_feasibility_tolerance"]
    {
        model.try_set_option(name, settings.tolerance).map_err(failed)?;
    }
    // Below HiGHS's default of 1e-9, so that wide rows keep their small coefficients.
    model.try_set_option("small_matrix_value", 1e-12).map_err(failed)?;
    model.try_set_option("mip_abs_gap", 0.0).map_err(failed)?;
    let gap = f64::from(limits.gap_ppm) / 1e6;
    model.try_set_option("mip_rel_gap", gap).map_err(failed)?;
    model.try_set_option("mip_max_nodes", whole(limits.nodes_max)).map_err(failed)?;
    model.try_set_option("simplex_iteration_limit", whole(limits.iterations_max)).map_err(failed)
}

fn refused(status: HighsStatus) -> SolveError {
    SolveError::Solver(format!("call refused with status {status:?}"))
}
