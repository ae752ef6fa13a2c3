//! The solver against exhaustive enumeration on small random problems, and the certificate against
//! any multipliers whatever.

use farthing_milp::{
    DualCertificate, Kind, Limits, Outcome, Problem, Relaxed, Sense, SolveError, VarSpec, relax,
    solve, solve_from,
};
use proptest::prelude::*;

/// A small problem as data, so that proptest can shrink it.
#[derive(Clone, Debug)]
struct Small {
    rows: Vec<(Sense, i128)>,
    /// Cost, lower, width, continuous, coefficients by row.
    vars: Vec<(i128, i64, i64, bool, Vec<i128>)>,
    money: i128,
}

impl Small {
    fn problem(&self, mixed: bool) -> Problem {
        let mut problem = Problem::new();
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|(sense, rhs)| problem.add_row(*sense, *rhs * self.money).expect("row"))
            .collect();
        for (cost, lower, width, continuous, entries) in &self.vars {
            let kind = if mixed && *continuous { Kind::Continuous } else { Kind::Integer };
            let spec = VarSpec {
                cost: cost * self.money,
                lower: *lower,
                upper: Some(lower + width),
                kind,
            };
            let entries: Vec<_> =
                rows.iter().copied().zip(entries.iter().map(|a| a * self.money)).collect();
            problem.add_var(spec, &entries).expect("var");
        }
        problem
    }

    /// The least objective over every whole point, by trying them all.
    fn optimum(&self) -> Option<i128> {
        let problem = self.problem(false);
        let mut point: Vec<i64> = self.vars.iter().map(|var| var.1).collect();
        let mut best: Option<i128> = None;
        loop {
            if problem.violation(&point) == Ok(None) {
                let objective = problem.objective(&point).expect("small");
                best = Some(best.map_or(objective, |best| best.min(objective)));
            }
            let Some(index) =
                (0..point.len()).find(|i| point[*i] < self.vars[*i].1 + self.vars[*i].2)
            else {
                return best;
            };
            point[index] += 1;
            for (value, var) in point.iter_mut().zip(&self.vars).take(index) {
                *value = var.1;
            }
        }
    }
}

fn sense() -> impl Strategy<Value = Sense> {
    prop_oneof![3 => Just(Sense::AtMost), 3 => Just(Sense::AtLeast), 1 => Just(Sense::Equal)]
}

fn small() -> impl Strategy<Value = Small> {
    let money = prop_oneof![Just(1_i128), Just(10_i128.pow(12)), Just(98_765_432_101_234_567_891)];
    (0_usize..5, 1_usize..6, money).prop_flat_map(|(rows, vars, money)| {
        let var = (
            -20_i128..21,
            -3_i64..4,
            0_i64..5,
            any::<bool>(),
            proptest::collection::vec(-6_i128..7, rows),
        );
        (
            proptest::collection::vec((sense(), -10_i128..12), rows),
            proptest::collection::vec(var, vars),
        )
            .prop_map(move |(rows, vars)| Small { rows, vars, money })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn the_optimum_is_the_enumerated_one(small in small()) {
        let problem = small.problem(false);
        let outcome = solve(&problem, &Limits::default()).expect("solves");
        match (small.optimum(), &outcome) {
            (Some(best), Outcome::Optimal(found)) => {
                prop_assert_eq!(problem.violation(&found.values), Ok(None));
                prop_assert_eq!(problem.objective(&found.values), Ok(found.objective));
                prop_assert_eq!(found.objective, best);
                prop_assert!(found.bound.is_some_and(|bound| bound <= best));
                prop_assert!(found.certified.is_some_and(|bound| bound <= best));
                let again = problem.certified_bound(&found.certificate);
                prop_assert_eq!(again, Ok(found.certified));
            }
            (None, Outcome::Infeasible(proof)) => if let Some(proof) = proof {
                prop_assert_eq!(problem.certified_infeasible(proof), Ok(true));
            },
            (best, other) => prop_assert!(false, "enumerated {best:?}, solved {other:?}"),
        }
        prop_assert_eq!(solve(&problem, &Limits::default()).expect("solves"), outcome);
    }

    #[test]
    fn any_multipliers_give_a_bound(
        small in small(),
        shift in 0_u32..40,
        garbage in proptest::collection::vec(-1_000_000_000_000_i128..1_000_000_000_000, 0..6),
    ) {
        let problem = small.problem(false);
        let certificate = DualCertificate::new(shift, garbage).expect("shift");
        let bound = problem.certified_bound(&certificate).expect("no overflow");
        let refuted = problem.certified_infeasible(&certificate).expect("no overflow");
        if let Some(best) = small.optimum() {
            prop_assert!(bound.is_none_or(|bound| bound <= best), "{bound:?} > {best}");
            prop_assert!(!refuted);
        }
    }

    #[test]
    fn a_mixed_answer_is_whole_feasible_and_bounded(small in small()) {
        let problem = small.problem(true);
        let best = small.optimum();
        match solve(&problem, &Limits::default()) {
            Ok(Outcome::Optimal(found) | Outcome::Feasible(found, _)) => {
                prop_assert_eq!(problem.violation(&found.values), Ok(None));
                let best = best.expect("a whole feasible point was found");
                prop_assert!(best <= found.objective);
                prop_assert!(found.bound.is_none_or(|bound| bound <= best));
                prop_assert!(found.certified.is_none_or(|bound| bound <= best));
            }
            Ok(Outcome::Infeasible(_)) => prop_assert_eq!(best, None),
            // A grid as coarse as these has real points without whole ones nearby.
            Err(SolveError::Inexact { .. }) => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn the_relaxation_bounds_the_problem(small in small()) {
        let problem = small.problem(false);
        match relax(&problem, &Limits::default()).expect("solves") {
            Relaxed::Optimal(relaxed) => {
                let bound = problem.certified_bound(&relaxed.certificate).expect("no overflow");
                let bound = bound.expect("all variables are bounded");
                // The proof costs at most the last digits of the floats.
                let lost = 1 + relaxed.objective.abs() / 100_000_000 + small.money / 1_000_000;
                prop_assert!(bound >= relaxed.objective - lost, "{bound} {}", relaxed.objective);
                if let Some(best) = small.optimum() {
                    prop_assert!(bound <= best);
                }
            }
            Relaxed::Infeasible(proof) => {
                prop_assert_eq!(small.optimum(), None);
                let proof = proof.expect("small problems have exact proofs");
                prop_assert_eq!(problem.certified_infeasible(&proof), Ok(true));
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn an_optimal_start_is_kept(small in small()) {
        let problem = small.problem(false);
        if let Outcome::Optimal(found) = solve(&problem, &Limits::default()).expect("solves") {
            let again = solve_from(&problem, &Limits::default(), Some(&found.values));
            let Ok(Outcome::Optimal(again)) = again else { panic!("{again:?}") };
            prop_assert_eq!(again.values, found.values);
        }
    }
}
