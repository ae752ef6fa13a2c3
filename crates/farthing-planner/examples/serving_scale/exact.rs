//! A plan of a service against a solver of integer programs, written from the case alone.
//!
//! The formulation shares nothing with the planner: whole requests of each bucket in parts, work
//! in 10^-12 of a replica, cents for money. Its solver checks each point in whole
//! numbers before it returns it, and the planner's bound is one of whole numbers, so that two equal
//! costs are the optimum. Start at [`agrees`].

use crate::made_up::Case;
use farthing_milp::{Kind, Limits, Outcome, Problem, ProblemError, Sense, VarSpec, solve};
use farthing_planner::Report;

/// Parts of a bucket that may be divided at will.
const FINE: i128 = 1_000_000_000;
/// Parts of what one replica does.
const REPLICA: i128 = 1_000_000_000_000;
/// A replica may be fuller by one part in so many, as the planner rounds loads up.
const ROUNDING: i128 = 100_000_000;
/// Cents in 10^-12.
const CENT: i128 = 10_000_000_000;

/// What came of a comparison.
pub(super) enum Answer {
    /// Both say the same, to the last unit.
    Same,
    /// The other solver did not end, and nothing it knows contradicts the plan.
    Open,
    /// They differ.
    Different(String),
}

/// Whether a plan costs what the cheapest choice of a case costs, in cents.
pub(super) fn agrees(case: &Case, slices: Option<u32>, report: &Report) -> Answer {
    let limits = Limits { nodes_max: 2_000, iterations_max: 200_000, gap_ppm: 0 };
    let outcome = written(case, slices).map(|program| solve(&program, &limits));
    let ours = report.cost.pico();
    let bound = report.lower_bound.map_or(0, farthing_model::Money::pico);
    let served = ours > 0;
    match outcome {
        Ok(Ok(Outcome::Optimal(theirs))) => {
            // Where its best point lost something on the way to whole numbers, its bound remains.
            let (dearest, least) = (theirs.objective * CENT, theirs.bound.map(|it| it * CENT));
            let below = ours > dearest || least.is_some_and(|least| ours < least);
            if below || bound != ours {
                Answer::Different(format!("{ours} with the bound {bound}, not {dearest}"))
            } else if dearest == ours || least == Some(ours) {
                Answer::Same
            } else {
                Answer::Open
            }
        }
        Ok(Ok(Outcome::Infeasible(_))) if !served => Answer::Same,
        Ok(Ok(Outcome::Infeasible(_))) => Answer::Different("served what cannot be".to_owned()),
        Ok(Ok(Outcome::Feasible(theirs, _))) if theirs.objective * CENT < bound => {
            Answer::Different(format!("the bound {bound} is above {}", theirs.objective * CENT))
        }
        // It hit its limit, or its point is not one in whole numbers.
        Ok(Ok(Outcome::Feasible(..) | Outcome::NoSolution { .. }) | Err(_)) => Answer::Open,
        Ok(Ok(Outcome::Unbounded)) => Answer::Different("no end".to_owned()),
        Err(error) => Answer::Different(error.to_string()),
    }
}

/// The case as an integer program.
fn written(case: &Case, slices: Option<u32>) -> Result<Problem, ProblemError> {
    let mut program = Problem::new();
    let parts = slices.map_or(FINE, i128::from);
    let kind = if slices.is_some() { Kind::Integer } else { Kind::Continuous };
    let mut served = Vec::new();
    for _ in &case.buckets {
        served.push(program.add_row(Sense::Equal, parts)?);
    }
    let any = program.add_row(Sense::AtLeast, 1)?;
    for (at, it) in case.kinds.iter().enumerate() {
        let room = program.add_row(Sense::AtMost, 0)?;
        let upper = it.available.map_or(1 << 30, i64::from);
        let spec = VarSpec {
            cost: i128::from(it.cents),
            lower: 0,
            upper: Some(upper),
            kind: Kind::Integer,
        };
        let whole = (REPLICA + REPLICA / ROUNDING) * parts;
        program.add_var(spec, &[(room, -whole), (any, 1)])?;
        for ((_, _, share), (most, row)) in
            case.buckets.iter().zip(case.most[at].iter().zip(&served))
        {
            // Requests a second in 10^-9 over those of one replica, in 10^-9 too.
            let asked = i128::from(case.rate) * i128::from(*share);
            let able = i128::from(*most);
            let load = match (asked, able) {
                (0, _) => 0,
                (_, 0) => continue,
                _ => -(-asked * REPLICA).div_euclid(able),
            };
            let upper = i64::try_from(parts).ok();
            let spec = VarSpec { cost: 0, lower: 0, upper, kind };
            program.add_var(spec, &[(*row, 1), (room, load)])?;
        }
    }
    Ok(program)
}
