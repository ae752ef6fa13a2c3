//! What the search gave up, as a program for the solver of integer programs.
//!
//! The solver knows cuts for slices that fill replicas badly, and takes a hundred times as long for
//! a first answer. So it is asked last, and for a limited number of branches. Its division is
//! checked in whole numbers; its bound is that of its floats, less their tolerance and rounded up
//! to what choices can cost, and is not counted as certified. Refuses to know offers and budgets.
//! Start at [`finish`].

use super::problem::{Problem, Shares};
use super::search::Solution;
use farthing_milp::{
    Kind, Limits, Outcome, Problem as Program, ProblemError, Row, Sense, Var, VarSpec, solve,
};

/// A problem as a program, with the place of each variable.
struct Written {
    program: Program,
    counts: Vec<Var>,
    /// Slices of a bucket on a kind.
    shares: Vec<(usize, usize, Var)>,
}

/// A solution in slices that was not proven, with what the solver adds to it in so many branches.
pub(super) fn finish(problem: &Problem, mut known: Solution, nodes_max: u32) -> Solution {
    let Ok(written) = written(problem) else { return known };
    let limits = Limits { nodes_max, iterations_max: 1_000_000, gap_ppm: 0 };
    let (values, bound) = match solve(&written.program, &limits) {
        Ok(Outcome::Optimal(found) | Outcome::Feasible(found, _)) => {
            known.rounds = known.rounds.saturating_add(found.iterations);
            (Some(found.values), found.bound)
        }
        Ok(Outcome::NoSolution { bound, .. }) => (None, bound),
        // It is known that there is a choice.
        Ok(Outcome::Infeasible(_) | Outcome::Unbounded) | Err(_) => (None, None),
    };
    if let Some((counts, shares)) = values.and_then(|values| written.choice(problem, &values)) {
        let cost = problem.cost(&counts);
        if cost < known.cost && problem.carries(&counts, &shares) {
            known = Solution { counts, shares, cost, ..known };
        }
    }
    let grain = problem.grain();
    let bound = bound.map_or(known.bound, |bound| -(-bound).div_euclid(grain) * grain);
    known.bound = known.bound.max(bound).min(known.cost);
    known.stopped = known.stopped.filter(|_| known.bound < known.cost);
    known
}

impl Written {
    /// The choice that values stand for.
    fn choice(&self, problem: &Problem, values: &[i64]) -> Option<(Vec<i64>, Shares)> {
        let value = |var: &Var| values.get(var.index()).copied();
        let counts = self.counts.iter().map(value).collect::<Option<Vec<i64>>>()?;
        let mut shares = vec![vec![0; problem.kinds.len()]; problem.loads.len()];
        for (bucket, kind, var) in &self.shares {
            shares[*bucket][*kind] = value(var)?.into();
        }
        Some((counts, shares))
    }
}

fn written(problem: &Problem) -> Result<Written, ProblemError> {
    let mut program = Program::new();
    let parts = problem.parts();
    let whole = problem.loads.iter().map(|_| program.add_row(Sense::Equal, parts));
    let whole = whole.collect::<Result<Vec<Row>, _>>()?;
    let all = program.add_row(Sense::AtLeast, problem.least.into())?;
    let chosen = rivals(problem, &mut program)?;
    let (mut counts, mut shares) = (Vec::new(), Vec::new());
    for (kind, it) in problem.kinds.iter().enumerate() {
        let carried = program.add_row(Sense::AtMost, 0)?;
        let mut entries = vec![(carried, -problem.room * parts), (all, 1)];
        let mine = chosen.iter().filter(|(at, _)| *at == kind);
        entries.extend(mine.map(|(_, row)| (*row, 1)));
        let (lower, upper) = (it.fewest, Some(it.most));
        let spec = VarSpec { cost: it.cost, lower, upper, kind: Kind::Integer };
        counts.push(program.add_var(spec, &entries)?);
        for (bucket, loads) in problem.loads.iter().enumerate() {
            let Some(load) = loads[kind] else { continue };
            let upper = i64::try_from(parts).ok();
            let spec = VarSpec { cost: 0, lower: 0, upper, kind: Kind::Integer };
            let var = program.add_var(spec, &[(carried, load), (whole[bucket], 1)])?;
            shares.push((bucket, kind, var));
        }
    }
    Ok(Written { program, counts, shares })
}

/// Rows in which a kind may have replicas only if it is the one of its rivals that is used.
fn rivals(problem: &Problem, program: &mut Program) -> Result<Vec<(usize, Row)>, ProblemError> {
    let mut chosen = Vec::new();
    for group in &problem.rivals {
        let one = program.add_row(Sense::AtMost, 1)?;
        for kind in group {
            let used = program.add_row(Sense::AtMost, 0)?;
            let most = i128::from(problem.kinds[*kind].most);
            let spec = VarSpec { cost: 0, lower: 0, upper: Some(1), kind: Kind::Integer };
            program.add_var(spec, &[(one, 1), (used, -most)])?;
            chosen.push((*kind, used));
        }
    }
    Ok(chosen)
}
