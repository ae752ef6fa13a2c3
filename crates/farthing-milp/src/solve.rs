//! Branch and bound under work limits, with an exact check of everything that is returned.
//!
//! Start at [`solve`]. HiGHS proposes; this module recomputes the objective, checks every row and
//! bound in integers, and says which limit was hit.

use thiserror::Error;

use crate::backend::{End, Run, Settings, TIGHT, USUAL, run};
use crate::certificate::{DualCertificate, ceil_multiple, from_duals};
use crate::problem::{Kind, Overflow, Problem, Row, Violation};
use crate::relax::{Relaxed, proof_of_none, relax, relaxed_run};
use crate::round::{Attempt, fixed, grains, inset, rounded};

/// How much work may be done. Never seconds: the same input must give the same bytes anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Branch-and-bound nodes; values above 2^31 - 1 mean that. A node may cost a millisecond or
    /// a second, and the first one (cuts, heuristics) costs as much as hundreds of others.
    pub nodes_max: u32,
    /// Simplex iterations of a *linear* solve (the relaxation). HiGHS has no such limit within
    /// branch and bound; nodes limit that.
    pub iterations_max: u32,
    /// Stop when `(objective - bound) / |objective|` is at most this many millionths; 0 proves.
    pub gap_ppm: u32,
}

impl Default for Limits {
    /// Prove optimality within 10,000 nodes: 2,500 columns take well under that and some seconds.
    /// Problems of tens of thousands of columns spend a minute on the first node alone, whatever
    /// the limit: relax those instead ([`relax`]).
    fn default() -> Self {
        Self { nodes_max: 10_000, iterations_max: 10_000_000, gap_ppm: 0 }
    }
}

/// What the problem is. Infeasible and unbounded are answers, not errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No feasible point is cheaper, up to the solver's tolerance (about 1e-9 of the objective)
    /// and one unit of each continuous variable. `gap_ppm` says what the bound supports.
    Optimal(Solution),
    /// Feasible, and not proven optimal because of this.
    Feasible(Solution, Stop),
    /// No feasible point. With multipliers where the relaxation alone proves it
    /// ([`Problem::certified_infeasible`]); without where branching had to.
    Infeasible(Option<DualCertificate>),
    /// Feasible points exist, and their objectives fall without limit.
    Unbounded,
    /// A limit came before any feasible point.
    NoSolution {
        /// The limit.
        stop: Stop,
        /// A lower bound on the objective, in cost units, if known.
        bound: Option<i128>,
    },
}

/// What stopped a search short of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// [`Limits::nodes_max`].
    Nodes,
    /// [`Limits::iterations_max`].
    Iterations,
    /// [`Limits::gap_ppm`] was reached.
    Gap,
    /// The solver's best point broke a row in exact arithmetic, and the point returned is the best
    /// of a problem held a little away from its limits.
    Precision,
}

/// A point that satisfies every row and bound exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The value of each variable, in its own unit.
    pub values: Vec<i64>,
    /// The exact objective of `values`, in cost units.
    pub objective: i128,
    /// A lower bound on the best objective, in cost units, never above `objective`: the solver's
    /// less a margin for its tolerances, or `certified` if that is better.
    pub bound: Option<i128>,
    /// The bound that `certificate` proves without trust in the solver.
    pub certified: Option<i128>,
    /// Row duals of the relaxation; check with [`Problem::certified_bound`].
    pub certificate: DualCertificate,
    /// Simplex iterations of the relaxation and the search.
    pub iterations: u64,
}

impl Solution {
    /// `(objective - bound) / |objective|` in millionths, rounded up: 1 may be rounding alone.
    /// `None` without a bound, or when the objective is 0 and the bound is not.
    pub fn gap_ppm(&self) -> Option<u128> {
        let gap = self.objective.checked_sub(self.bound?)?.unsigned_abs();
        if gap == 0 {
            return Some(0);
        }
        let scale = self.objective.unsigned_abs();
        // Divided before multiplying where the product would not fit; still rounded up.
        match gap.checked_mul(1_000_000) {
            Some(product) => (scale > 0).then(|| product.div_ceil(scale)),
            None => Some(gap.div_ceil((scale / 1_000_000).max(1))),
        }
    }
}

/// Why there is no answer at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SolveError {
    /// Exact arithmetic did not fit; choose larger units.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// HiGHS failed, twice where a second attempt makes sense.
    #[error("the solver failed: {0}")]
    Solver(String),
    /// No rounding of the solver's point holds exactly, even away from the limits of the rows:
    /// an equation over continuous variables has no whole solution nearby, the coefficients differ
    /// by more than floats can express, or the problem is infeasible by less than that.
    #[error("row {} stays broken by {by} units in exact arithmetic", row.index())]
    Inexact {
        /// The first row that stays broken.
        row: Row,
        /// By how much, in units of the row.
        by: i128,
    },
}

/// Solves the problem.
///
/// The same problem and limits give the same outcome on the same build.
///
/// # Errors
/// Any [`SolveError`].
pub fn solve(problem: &Problem, limits: &Limits) -> Result<Outcome, SolveError> {
    solve_from(problem, limits, None)
}

/// Solves the problem, starting from a known point (the plan in force).
///
/// A start that is not feasible is ignored. A feasible one is returned unchanged unless something
/// strictly cheaper is found, so that planning twice changes nothing.
///
/// # Errors
/// Any [`SolveError`].
pub fn solve_from(
    problem: &Problem,
    limits: &Limits,
    start: Option<&[i64]>,
) -> Result<Outcome, SolveError> {
    let start = match start {
        Some(values) if problem.violation(values)?.is_none() => Some(values),
        _ => None,
    };
    if problem.indivisible_row() {
        return Ok(Outcome::Infeasible(None));
    }
    let tight = problem.tightened();
    let search = Search { problem, tight: &tight, limits, start };
    // 1. The empty problem never reaches the solver.
    if problem.vars() == 0 {
        return search.empty();
    }
    // 2. The relaxation: a certificate, and a point that may already be whole.
    let root = relaxed_run(&tight, limits)?;
    match root.end {
        End::Infeasible => return search.refused(&root),
        End::Unbounded => return search.unbounded(),
        End::Optimal | End::Nodes | End::Iterations => {}
    }
    let certificate = from_duals(&tight, &root.duals);
    let certified = problem.certified_bound(&certificate)?;
    if root.end != End::Optimal {
        return search.without_point(Stop::Iterations, &Proof::new(certificate, certified, &root));
    }
    if let Some(outcome) = search.whole_root(&root, &certificate, certified)? {
        return Ok(outcome);
    }
    // 3. Branch and bound, or the linear optimum rounded.
    let (found, iterations) = if problem.has_integers() {
        let found = search.branch(&tight)?;
        let iterations = root.iterations.saturating_add(found.iterations);
        (found, iterations)
    } else {
        let iterations = root.iterations;
        (root, iterations)
    };
    if matches!(found.end, End::Infeasible | End::Unbounded) {
        // The relaxation has an optimum, so "unbounded or infeasible" can only be the latter.
        return search.refused(&found);
    }
    let proof =
        Proof { certificate, certified, bound: found.bound, margin: found.margin, iterations };
    match &found.point {
        None => search.without_point(Stop::Nodes, &proof),
        Some(point) => search.exact(point, found.end, &proof),
    }
}

/// Everything that one call of [`solve_from`] works on.
struct Search<'a> {
    problem: &'a Problem,
    tight: &'a Problem,
    limits: &'a Limits,
    start: Option<&'a [i64]>,
}

/// What is known about the best objective.
struct Proof {
    certificate: DualCertificate,
    certified: Option<i128>,
    bound: Option<i128>,
    margin: i128,
    iterations: u64,
}

impl Proof {
    fn new(certificate: DualCertificate, certified: Option<i128>, run: &Run) -> Self {
        Self { certificate, certified, bound: None, margin: run.margin, iterations: run.iterations }
    }
}

impl Search<'_> {
    fn empty(&self) -> Result<Outcome, SolveError> {
        Ok(match relax(self.problem, self.limits)? {
            Relaxed::Optimal(relaxed) => Outcome::Optimal(Solution {
                values: Vec::new(),
                objective: 0,
                bound: Some(0),
                certified: Some(0),
                certificate: relaxed.certificate,
                iterations: 0,
            }),
            Relaxed::Infeasible(proof) => Outcome::Infeasible(proof),
            Relaxed::Unbounded => Outcome::Unbounded,
            Relaxed::Stopped(_) => Outcome::NoSolution { stop: Stop::Iterations, bound: None },
        })
    }

    /// The relaxation's point, if it is whole, feasible and as cheap as the certificate allows:
    /// then there is nothing to branch on.
    fn whole_root(
        &self,
        root: &Run,
        certificate: &DualCertificate,
        certified: Option<i128>,
    ) -> Result<Option<Outcome>, SolveError> {
        let (Some(point), Some(certified)) = (&root.point, certified) else { return Ok(None) };
        let Attempt::Exact(values) = rounded(self.problem, point)? else { return Ok(None) };
        if self.problem.objective(&values)? > certified {
            return Ok(None);
        }
        let proof = Proof::new(certificate.clone(), Some(certified), root);
        self.conclude(values, End::Optimal, false, &proof).map(Some)
    }

    /// Branch and bound on this problem, tightened or inset. HiGHS is not told of the start: with
    /// one it has called problems infeasible, and has called the start optimal, at an objective
    /// that was not its own, where a hundredth less could be had. The start is kept here instead.
    fn branch(&self, problem: &Problem) -> Result<Run, SolveError> {
        let settings = Settings {
            limits: self.limits,
            relaxed: false,
            inside: false,
            presolve: true,
            tolerance: TIGHT,
        };
        let second = Settings { presolve: false, tolerance: USUAL, ..settings };
        match run(problem, &settings) {
            Ok(first) if matches!(first.end, End::Infeasible | End::Unbounded) => {
                // HiGHS's presolve has called feasible problems infeasible; ask without it.
                run(problem, &second)
            }
            Ok(first) if first.end == End::Optimal && first.point.is_none() => {
                run(problem, &second)
            }
            Ok(first) => Ok(first),
            Err(_) => run(problem, &second),
        }
    }

    /// HiGHS found nothing feasible. A feasible start says otherwise, and is exact.
    fn refused(&self, run: &Run) -> Result<Outcome, SolveError> {
        let Some(start) = self.start else {
            return Ok(Outcome::Infeasible(proof_of_none(self.tight, self.limits)));
        };
        let certificate = from_duals(self.tight, &[]);
        let certified = self.problem.certified_bound(&certificate)?;
        let proof = Proof::new(certificate, certified, run);
        self.conclude(start.to_vec(), End::Optimal, true, &proof)
    }

    /// The relaxation falls without limit: so do whole points, if there is one at all.
    fn unbounded(&self) -> Result<Outcome, SolveError> {
        if self.start.is_some() {
            return Ok(Outcome::Unbounded);
        }
        let free = self.problem.without_costs();
        Ok(match solve_from(&free, self.limits, None)? {
            Outcome::Optimal(_) | Outcome::Feasible(..) | Outcome::Unbounded => Outcome::Unbounded,
            Outcome::Infeasible(proof) => Outcome::Infeasible(proof),
            Outcome::NoSolution { stop, .. } => Outcome::NoSolution { stop, bound: None },
        })
    }

    /// A limit was hit with no point from HiGHS; the start is one, if given.
    fn without_point(&self, stop: Stop, proof: &Proof) -> Result<Outcome, SolveError> {
        let end = if stop == Stop::Nodes { End::Nodes } else { End::Iterations };
        match self.start {
            Some(start) => self.conclude(start.to_vec(), end, false, proof),
            None => Ok(Outcome::NoSolution { stop, bound: self.best_bound(proof, None) }),
        }
    }

    /// Makes HiGHS's point exact: rounded; else with the integers kept and the rest solved again
    /// away from the limits; else the whole problem away from the limits, a little more each time.
    fn exact(&self, point: &[f64], end: End, proof: &Proof) -> Result<Outcome, SolveError> {
        const ROUNDS: usize = 4;
        let (values, mut violation) = match rounded(self.problem, point)? {
            Attempt::Exact(values) => return self.conclude(values, end, false, proof),
            Attempt::Broken(values, violation) => (values, violation),
        };
        let mut extra = vec![0_i128; self.problem.rows()];
        let real = self.problem.columns.iter().any(|c| c.spec.kind == Kind::Continuous);
        if real {
            let kept = inset(&fixed(self.tight, &values), &extra);
            if let Some(point) = relaxed_run(&kept, self.limits)?.point
                && let Attempt::Exact(values) = rounded(self.problem, &point)?
            {
                return self.conclude(values, end, true, proof);
            }
        }
        let grains = grains(self.problem);
        for _ in 0..ROUNDS {
            if let Violation::Row(row, by) = violation {
                let slot = &mut extra[row.index()];
                let step = by.saturating_mul(2).max(grains[row.index()]);
                *slot = slot.saturating_mul(2).saturating_add(step);
            }
            let Some(point) = self.branch(&inset(self.tight, &extra))?.point else { break };
            match rounded(self.problem, &point)? {
                Attempt::Exact(values) => return self.conclude(values, end, true, proof),
                Attempt::Broken(_, next) => violation = next,
            }
        }
        if let Some(start) = self.start {
            return self.conclude(start.to_vec(), end, true, proof);
        }
        if let Some(proof) = proof_of_none(self.tight, self.limits) {
            return Ok(Outcome::Infeasible(Some(proof)));
        }
        Err(match violation {
            Violation::Row(row, by) => SolveError::Inexact { row, by },
            // Rounding clamps to bounds and keeps the length.
            Violation::Bound(_) | Violation::Length => {
                SolveError::Solver("a point outside its bounds".to_owned())
            }
        })
    }

    /// The answer for an exact point: the start if it is as cheap, with bound and reason.
    fn conclude(
        &self,
        values: Vec<i64>,
        end: End,
        altered: bool,
        proof: &Proof,
    ) -> Result<Outcome, SolveError> {
        let mut values = values;
        let mut objective = self.problem.objective(&values)?;
        if let Some(start) = self.start {
            let kept = self.problem.objective(start)?;
            if kept <= objective {
                objective = kept;
                values = start.to_vec();
            }
        }
        let bound = self.best_bound(proof, Some(objective));
        let solution = Solution {
            values,
            objective,
            bound,
            certified: proof.certified,
            certificate: proof.certificate.clone(),
            iterations: proof.iterations,
        };
        let tolerance = proof.margin.saturating_mul(2).saturating_add(self.unit_costs());
        if bound.is_some_and(|bound| objective.saturating_sub(bound) <= tolerance) {
            return Ok(Outcome::Optimal(solution));
        }
        let stop = match end {
            End::Nodes => Stop::Nodes,
            End::Iterations => Stop::Iterations,
            _ if altered || self.limits.gap_ppm == 0 => Stop::Precision,
            _ => Stop::Gap,
        };
        Ok(Outcome::Feasible(solution, stop))
    }

    /// The better of the solver's bound and the certified one. The solver's is dropped where an
    /// exact objective refutes it, and raised to the next possible objective.
    fn best_bound(&self, proof: &Proof, objective: Option<i128>) -> Option<i128> {
        let possible = |bound: i128| match self.problem.cost_step() {
            Some(step) => ceil_multiple(bound, step).unwrap_or(bound),
            None => bound,
        };
        let claimed = proof.bound.map(possible);
        let claimed = claimed.filter(|bound| objective.is_none_or(|objective| *bound <= objective));
        claimed.max(proof.certified)
    }

    /// What one unit of every continuous variable costs: the price of rounding.
    fn unit_costs(&self) -> i128 {
        let columns = self.problem.columns.iter();
        columns
            .filter(|column| column.spec.kind == Kind::Continuous)
            .fold(0_i128, |sum, column| sum.saturating_add(column.spec.cost.saturating_abs()))
    }
}
