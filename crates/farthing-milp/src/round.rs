//! From a solver's floats to whole values that hold exactly.
//!
//! Start at [`rounded`]. It never returns a point that breaks a row or a bound: what cannot be
//! repaired is an [`Attempt::Broken`] that names the first row that stayed broken.

use crate::certificate::whole;
use crate::problem::{Column, Kind, Overflow, Problem, Violation};

/// What rounding came to.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Feasible, exactly.
    Exact(Vec<i64>),
    /// The nearest whole point, and what it breaks.
    Broken(Vec<i64>, Violation),
}

/// Rounds every value to the nearest whole one within its bounds, then repairs rows by moving
/// continuous variables. Integers are never moved: the solver chose them.
pub(crate) fn rounded(problem: &Problem, point: &[f64]) -> Result<Attempt, Overflow> {
    let mut values: Vec<i64> =
        problem.columns.iter().zip(point).map(|(column, value)| nearest(column, *value)).collect();
    if problem.violation(&values)?.is_some() {
        repair(problem, &mut values)?;
    }
    Ok(match problem.violation(&values)? {
        None => Attempt::Exact(values),
        Some(violation) => Attempt::Broken(values, violation),
    })
}

/// The nearest whole value within the bounds.
fn nearest(column: &Column, value: f64) -> i64 {
    let spec = &column.spec;
    let near = whole(value).unwrap_or_else(|| i128::from(spec.lower));
    let near = near.max(i128::from(spec.lower)).min(spec.upper.map_or(i128::MAX, i128::from));
    i64::try_from(near).unwrap_or(if near < 0 { i64::MIN } else { i64::MAX })
}

/// Moves continuous variables by whole units, best move first, while that makes broken rows better.
///
/// A move is scored by (rows broken, sum of violations in units of each row's largest
/// coefficient), which must fall each time, so this ends.
fn repair(problem: &Problem, values: &mut [i64]) -> Result<(), Overflow> {
    let members = continuous_members(problem);
    let weights = row_weights(problem);
    let mut activity = problem.activity(values)?;
    let steps_max = 4 * problem.vars() + 64;
    for _ in 0..steps_max {
        let broken = broken_row(problem, &activity, &members)?;
        let Some((row, excess)) = broken else { return Ok(()) };
        let mut best: Option<(Score, usize, i64)> = None;
        for (index, a) in &members[row] {
            for step in steps(excess, *a) {
                let column = &problem.columns[*index];
                let Some(step) = within(column, values[*index], step) else { continue };
                let Some(score) = score(problem, column, &activity, &weights, step) else {
                    continue;
                };
                let candidate = (score, *index, step);
                if score < Score::default() && best.is_none_or(|best| candidate < best) {
                    best = Some(candidate);
                }
            }
        }
        let Some((_, index, step)) = best else { return Ok(()) };
        values[index] += step;
        for (row, a) in &problem.columns[index].entries {
            activity[*row as usize] += a * i128::from(step);
        }
    }
    Ok(())
}

/// The change that a move makes: rows broken, then weighted violation. Below zero is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    rows: i64,
    violation: i128,
}

fn score(
    problem: &Problem,
    column: &Column,
    activity: &[i128],
    weights: &[i128],
    step: i64,
) -> Option<Score> {
    let mut score = Score::default();
    for (row, a) in &column.entries {
        let row = *row as usize;
        let data = &problem.rows[row];
        let before = data.violation(activity[row])?;
        let moved = activity[row].checked_add(a.checked_mul(i128::from(step))?)?;
        let after = data.violation(moved)?;
        score.rows += i64::from(after != 0) - i64::from(before != 0);
        // In thousandths of the largest coefficient, so that small changes count.
        let weighted = |violation: i128| Some(violation.checked_abs()? / weights[row]);
        score.violation =
            score.violation.checked_add(weighted(after)?.checked_sub(weighted(before)?)?)?;
    }
    Some(score)
}

/// The moves worth trying against an excess: down to it, just past it, and a single unit.
fn steps(excess: i128, a: i128) -> [i128; 3] {
    let exact = -excess / a;
    let direction = -excess.signum() * a.signum();
    [direction, exact, exact.saturating_add(direction)]
}

/// The step as far as the bounds allow; `None` when that is no step at all.
fn within(column: &Column, value: i64, step: i128) -> Option<i64> {
    let target = i128::from(value).checked_add(step)?;
    let upper = column.spec.upper.unwrap_or(i64::MAX);
    let target = target.clamp(i128::from(column.spec.lower), i128::from(upper));
    let step = i64::try_from(target - i128::from(value)).ok()?;
    (step != 0).then_some(step)
}

/// The first broken row that has a continuous variable, with its signed excess.
fn broken_row(
    problem: &Problem,
    activity: &[i128],
    members: &[Vec<(usize, i128)>],
) -> Result<Option<(usize, i128)>, Overflow> {
    for (row, data) in problem.rows.iter().enumerate() {
        if members[row].is_empty() {
            continue;
        }
        let excess = data.violation(activity[row]).ok_or(Overflow)?;
        if excess != 0 {
            return Ok(Some((row, excess)));
        }
    }
    Ok(None)
}

/// The continuous variables of each row.
fn continuous_members(problem: &Problem) -> Vec<Vec<(usize, i128)>> {
    let mut members = vec![Vec::new(); problem.rows.len()];
    for (index, column) in problem.columns.iter().enumerate() {
        if column.spec.kind == Kind::Continuous {
            for (row, a) in &column.entries {
                members[*row as usize].push((index, *a));
            }
        }
    }
    members
}

/// A thousandth of each row's largest coefficient, at least 1.
fn row_weights(problem: &Problem) -> Vec<i128> {
    let mut weights = vec![1_i128; problem.rows.len()];
    for column in &problem.columns {
        for (row, a) in &column.entries {
            let weight = &mut weights[*row as usize];
            *weight = (*weight).max(a.checked_abs().unwrap_or(i128::MAX) / 1024);
        }
    }
    weights
}

/// A copy whose inequalities keep a distance from their limits: one unit of each continuous
/// variable (what rounding may move), and `extra` per row.
pub(crate) fn inset(problem: &Problem, extra: &[i128]) -> Problem {
    let mut copy = problem.clone();
    let mut room = extra.to_vec();
    for column in problem.columns.iter().filter(|c| c.spec.kind == Kind::Continuous) {
        for (row, a) in &column.entries {
            let slot = &mut room[*row as usize];
            *slot = slot.saturating_add(a.checked_abs().unwrap_or(i128::MAX));
        }
    }
    for (row, room) in copy.rows.iter_mut().zip(room) {
        row.rhs = match row.sense {
            crate::Sense::AtMost => row.rhs.saturating_sub(room),
            crate::Sense::AtLeast => row.rhs.saturating_add(room),
            crate::Sense::Equal => row.rhs,
        };
    }
    copy
}

/// The least distance from a row's limit that floats can keep, in units of the row: 2^-26 of its
/// largest number, which is fifteen times the solver's tolerance.
pub(crate) fn grains(problem: &Problem) -> Vec<i128> {
    let size = |value: i128| value.checked_abs().unwrap_or(i128::MAX);
    let mut grains: Vec<i128> = problem.rows.iter().map(|row| size(row.rhs)).collect();
    for column in &problem.columns {
        for (row, a) in &column.entries {
            let grain = &mut grains[*row as usize];
            *grain = (*grain).max(size(*a));
        }
    }
    grains.iter().map(|grain| grain >> 26).collect()
}

/// A copy in which every integer has the given value.
pub(crate) fn fixed(problem: &Problem, values: &[i64]) -> Problem {
    let mut copy = problem.clone();
    for (column, value) in copy.columns.iter_mut().zip(values) {
        if column.spec.kind == Kind::Integer {
            column.spec.lower = *value;
            column.spec.upper = Some(*value);
        }
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Sense, VarSpec};

    #[test]
    fn thirds_of_a_million_sum_to_a_million() {
        let mut problem = Problem::new();
        let whole = problem.add_row(Sense::Equal, 1_000_000).expect("row");
        let cap = problem.add_row(Sense::AtMost, 333_333).expect("row");
        for index in 0..3 {
            let spec =
                VarSpec { cost: 0, lower: 0, upper: Some(1_000_000), kind: Kind::Continuous };
            let mut entries = vec![(whole, 1)];
            if index == 0 {
                entries.push((cap, 1));
            }
            problem.add_var(spec, &entries).expect("var");
        }
        let third = 1_000_000.0 / 3.0;
        let attempt = rounded(&problem, &[third; 3]).expect("no overflow");
        assert!(matches!(attempt, Attempt::Exact(v) if v == [333_333, 333_334, 333_333]));
    }

    #[test]
    fn integers_are_not_moved_to_repair_a_row() {
        let mut problem = Problem::new();
        let row = problem.add_row(Sense::AtMost, 5).expect("row");
        let spec = VarSpec { cost: 0, lower: 0, upper: None, kind: Kind::Integer };
        problem.add_var(spec, &[(row, 2)]).expect("var");
        let attempt = rounded(&problem, &[2.9]).expect("no overflow");
        let Attempt::Broken(values, violation) = attempt else { panic!("must stay broken") };
        assert_eq!((values, violation), (vec![3], Violation::Row(row, 1)));
    }
}
