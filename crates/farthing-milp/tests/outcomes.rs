//! Each outcome once, realistic money, limits, continuous shares, and column generation.

#![allow(clippy::panic, reason = "a test that cannot go on")]

use farthing_milp::{
    DualCertificate, Kind, Limits, Outcome, Overflow, Problem, Relaxed, Row, Sense, Stop, VarSpec,
    relax, solve, solve_from,
};

/// 1e-12 USD in a US dollar.
const USD: i128 = 1_000_000_000_000;

fn whole(cost: i128, upper: Option<i64>) -> VarSpec {
    VarSpec { cost, lower: 0, upper, kind: Kind::Integer }
}

fn optimal(problem: &Problem) -> farthing_milp::Solution {
    match solve(problem, &Limits::default()).expect("solves") {
        Outcome::Optimal(solution) => solution,
        other => panic!("expected an optimum, got {other:?}"),
    }
}

/// A market split (Cornuejols and Dawande), built to be hard for branch and bound: choose half of
/// the weight of every row, at the price of each unit missed.
fn hard(rows: usize, items: usize) -> Problem {
    let mut problem = Problem::new();
    let mut state = 12_345_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i128::from((state >> 33) % 100)
    };
    let weights: Vec<Vec<i128>> = (0..items).map(|_| (0..rows).map(|_| next()).collect()).collect();
    let halves = (0..rows).map(|row| weights.iter().map(|item| item[row]).sum::<i128>() / 2);
    let rows: Vec<Row> =
        halves.map(|half| problem.add_row(Sense::Equal, half).expect("row")).collect();
    for item in &weights {
        let entries: Vec<_> = rows.iter().copied().zip(item.iter().copied()).collect();
        problem.add_var(whole(0, Some(1)), &entries).expect("var");
    }
    for row in rows {
        problem.add_var(whole(1, None), &[(row, 1)]).expect("var");
        problem.add_var(whole(1, None), &[(row, -1)]).expect("var");
    }
    problem
}

#[test]
fn the_empty_problem_costs_nothing() {
    let solution = optimal(&Problem::new());
    assert_eq!((solution.objective, solution.bound), (0, Some(0)));
}

#[test]
fn rows_without_variables_decide_alone() {
    let mut problem = Problem::new();
    problem.add_row(Sense::AtMost, 3).expect("row");
    assert_eq!(optimal(&problem).objective, 0);
    problem.add_row(Sense::AtLeast, 1).expect("row");
    let outcome = solve(&problem, &Limits::default()).expect("solves");
    let Outcome::Infeasible(Some(proof)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(problem.certified_infeasible(&proof), Ok(true));
}

#[test]
fn variables_without_rows_go_to_their_cheap_end() {
    let mut problem = Problem::new();
    problem.add_var(whole(-3, Some(7)), &[]).expect("var");
    problem.add_var(whole(5, None), &[]).expect("var");
    assert_eq!(optimal(&problem).values, [7, 0]);
}

#[test]
fn an_infeasible_budget_is_proven_in_integers() {
    let mut problem = Problem::new();
    let gpus = problem.add_row(Sense::AtLeast, 16).expect("row");
    let budget = problem.add_row(Sense::AtMost, 196 * USD).expect("row");
    let price = 98 * USD + 32 * USD / 100;
    problem.add_var(whole(price, None), &[(gpus, 8), (budget, price)]).expect("var");
    let outcome = solve(&problem, &Limits::default()).expect("solves");
    let Outcome::Infeasible(Some(proof)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(problem.certified_infeasible(&proof), Ok(true));
    // Both rows are needed for the conflict, and the multipliers say so.
    assert!(proof.multipliers().iter().all(|m| *m != 0));
}

#[test]
fn infeasible_only_because_of_integrality() {
    // 2x + 2y = 3 is caught by its gcd; 3x + 5y = 7 with x, y <= 2 only by branching.
    for (a, b, rhs) in [(2, 2, 3), (3, 5, 7)] {
        let mut problem = Problem::new();
        let row = problem.add_row(Sense::Equal, rhs).expect("row");
        problem.add_var(whole(1, Some(2)), &[(row, a)]).expect("var");
        problem.add_var(whole(1, Some(2)), &[(row, b)]).expect("var");
        assert_eq!(solve(&problem, &Limits::default()), Ok(Outcome::Infeasible(None)));
    }
}

#[test]
fn unbounded_is_a_value_and_needs_a_feasible_point() {
    let mut problem = Problem::new();
    let row = problem.add_row(Sense::AtLeast, 1).expect("row");
    problem.add_var(whole(-1, None), &[(row, 1)]).expect("var");
    assert_eq!(solve(&problem, &Limits::default()), Ok(Outcome::Unbounded));
    assert_eq!(relax(&problem, &Limits::default()), Ok(Relaxed::Unbounded));
    let odd = problem.add_row(Sense::Equal, 3).expect("row");
    problem.add_var(whole(0, Some(9)), &[(odd, 2)]).expect("var");
    assert_eq!(solve(&problem, &Limits::default()), Ok(Outcome::Infeasible(None)));
}

#[test]
fn picodollars_are_exact() {
    // 98.32 USD/h for 8 GPUs, 12.291 for 1: ten GPUs are cheapest as 1 x 8 + 2 x 1.
    let mut problem = Problem::new();
    let gpus = problem.add_row(Sense::AtLeast, 10).expect("row");
    let budget = problem.add_row(Sense::AtMost, 122_902_000_000_000).expect("row");
    for (price, count) in [(98_320_000_000_000, 8), (12_291_000_000_000, 1)] {
        problem.add_var(whole(price, None), &[(gpus, count), (budget, price)]).expect("var");
    }
    let solution = optimal(&problem);
    assert_eq!((solution.values, solution.objective), (vec![1, 2], 122_902_000_000_000));
    assert_eq!(solution.bound, Some(122_902_000_000_000));
    // One picodollar less, and no plan fits: floats cannot see that, the exact check must.
    let mut tight = Problem::new();
    let gpus = tight.add_row(Sense::AtLeast, 10).expect("row");
    let budget = tight.add_row(Sense::AtMost, 122_901_999_999_999).expect("row");
    for (price, count) in [(98_320_000_000_000, 8), (12_291_000_000_000, 1)] {
        tight.add_var(whole(price, None), &[(gpus, count), (budget, price)]).expect("var");
    }
    let outcome = solve(&tight, &Limits::default()).expect("solves");
    assert!(matches!(outcome, Outcome::Infeasible(_)), "{outcome:?}");
}

#[test]
fn coprime_picodollars_past_the_precision_of_floats() {
    // Prices without a common divisor and a budget one unit short of the float optimum: the exact
    // check rejects what floats accept, and the answer is the next plan that truly fits.
    let prices = [98_320_000_000_000_000_000_001_i128, 12_291_000_000_000_000_000_003];
    let mut problem = Problem::new();
    let gpus = problem.add_row(Sense::AtLeast, 10).expect("row");
    let budget = problem.add_row(Sense::AtMost, prices[0] + 2 * prices[1] - 1).expect("row");
    problem.add_var(whole(prices[0], None), &[(gpus, 8), (budget, prices[0])]).expect("var");
    problem.add_var(whole(prices[1], None), &[(gpus, 1), (budget, prices[1])]).expect("var");
    let spare = 13 * USD * 1_000_000_000;
    problem.add_var(whole(spare, None), &[(gpus, 1)]).expect("var");
    match solve(&problem, &Limits::default()).expect("solves") {
        Outcome::Optimal(found) | Outcome::Feasible(found, _) => {
            assert_eq!(problem.violation(&found.values), Ok(None));
            assert_eq!(found.values, [1, 1, 1]);
            assert!(found.bound.is_some_and(|bound| bound <= found.objective));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_give_a_bound_and_say_which() {
    let problem = hard(3, 18);
    let none = Limits { iterations_max: 0, ..Limits::default() };
    let outcome = solve(&problem, &none).expect("solves");
    assert!(matches!(outcome, Outcome::NoSolution { stop: Stop::Iterations, .. }), "{outcome:?}");
    let one = Limits { nodes_max: 1, ..Limits::default() };
    let full = optimal(&problem).objective;
    match solve(&problem, &one).expect("solves") {
        Outcome::NoSolution { stop: Stop::Nodes, bound } => {
            assert!(bound.is_some_and(|bound| bound <= full));
        }
        Outcome::Feasible(found, Stop::Nodes) => {
            assert_eq!(problem.violation(&found.values), Ok(None));
            assert!(found.bound.is_some_and(|bound| bound <= full && full <= found.objective));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(solve(&problem, &one), solve(&problem, &one));
}

#[test]
fn a_start_survives_a_limit() {
    let problem = hard(3, 18);
    let best = optimal(&problem);
    let one = Limits { nodes_max: 1, ..Limits::default() };
    let outcome = solve_from(&problem, &one, Some(&best.values)).expect("solves");
    match outcome {
        Outcome::Feasible(found, Stop::Nodes) => assert_eq!(found.values, best.values),
        other => panic!("{other:?}"),
    }
    // A start that is not feasible is ignored.
    let zeros = vec![0; problem.vars()];
    let outcome = solve_from(&problem, &Limits::default(), Some(&zeros)).expect("solves");
    assert!(matches!(outcome, Outcome::Optimal(found) if found.objective == best.objective));
}

#[test]
fn shares_in_millionths_add_up() {
    // Serving: three request buckets split over two kinds of GPU; shares in ppm.
    let mut problem = Problem::new();
    let shares: Vec<Row> =
        (0..3).map(|_| problem.add_row(Sense::Equal, 1_000_000).expect("row")).collect();
    let loads: Vec<Row> = (0..2).map(|_| problem.add_row(Sense::AtMost, 0).expect("row")).collect();
    let prices = [4 * USD + 17 * USD / 100, USD + 29 * USD / 100];
    for (kind, price) in prices.iter().enumerate() {
        // One GPU offers a million units of load, 85 % of which is the target.
        problem.add_var(whole(*price, Some(50)), &[(loads[kind], -850_000_000)]).expect("var");
    }
    for (bucket, needs) in [[2_341_i128, 9_103], [11_417, 31_337], [777, 1_459]].iter().enumerate()
    {
        for (kind, need) in needs.iter().enumerate() {
            let spec =
                VarSpec { cost: 0, lower: 0, upper: Some(1_000_000), kind: Kind::Continuous };
            problem.add_var(spec, &[(shares[bucket], 1), (loads[kind], *need)]).expect("var");
        }
    }
    let solution = optimal(&problem);
    assert_eq!(problem.violation(&solution.values), Ok(None));
    // By hand: 14,535 load units on the first kind alone are 17.1 GPUs; splitting beats 18 x 4.17.
    assert!(solution.objective < 18 * prices[0]);
    assert_eq!(solution.bound, Some(solution.objective));
}

/// Cutting stock by column generation, in integers throughout.
#[test]
fn column_generation_prices_with_the_certificate() {
    let width = 100_i64;
    let demand = [(45_i64, 97_i128), (36, 610), (31, 395), (14, 211)];
    let mut master = Problem::new();
    let rows: Vec<Row> =
        demand.iter().map(|(_, n)| master.add_row(Sense::AtLeast, *n).expect("row")).collect();
    for (row, (size, _)) in rows.iter().zip(demand) {
        let fits = i128::from(width / size);
        master.add_var(whole(USD, None), &[(*row, fits)]).expect("var");
    }
    let mut rounds = 0;
    let bound = loop {
        rounds += 1;
        assert!(rounds < 50, "column generation does not converge");
        let relaxed = relax(&master, &Limits::default()).expect("solves");
        let Relaxed::Optimal(relaxed) = relaxed else { panic!("{relaxed:?}") };
        let certificate = &relaxed.certificate;
        let best = patterns(width, &demand)
            .map(|pattern| {
                let entries: Vec<_> = rows.iter().copied().zip(pattern).collect();
                (certificate.reduced_cost(USD, &entries).expect("fits"), entries)
            })
            .min_by_key(|(reduced, _)| *reduced)
            .expect("there are patterns");
        // A millionth of a cost, so that rounding in the duals starts no new round.
        if best.0 >= -certificate.denominator() * (USD / 1_000_000) {
            // At most 1313 rolls are ever cut: one per piece.
            let value = master.dual_value(certificate).expect("fits") + 1_313 * best.0.min(0);
            break value / certificate.denominator();
        }
        master.add_var(whole(USD, None), &best.1).expect("var");
    };
    // The known optimum of this instance: an LP bound of 452.25 rolls, 453 whole ones.
    assert!((452 * USD + 249 * USD / 1000..=452 * USD + USD / 4).contains(&bound), "{bound}");
    assert_eq!(optimal(&master).objective, 453 * USD);
}

/// Every way to cut one roll.
fn patterns(width: i64, demand: &[(i64, i128); 4]) -> impl Iterator<Item = [i128; 4]> + use<> {
    let sizes = demand.map(|(size, _)| size);
    let mut all = Vec::new();
    let most = sizes.map(|size| width / size);
    for a in 0..=most[0] {
        for b in 0..=most[1] {
            for c in 0..=most[2] {
                for d in 0..=most[3] {
                    let cut = [a, b, c, d];
                    if cut.iter().zip(sizes).map(|(n, size)| n * size).sum::<i64>() <= width {
                        all.push(cut.map(i128::from));
                    }
                }
            }
        }
    }
    all.into_iter()
}

#[test]
fn duals_are_mended_where_nothing_bounds_a_variable() {
    // Covering with prices that floats cannot hold and no upper bounds, given or implied.
    let mut problem = Problem::new();
    let rows: Vec<Row> = (0..6)
        .map(|row| problem.add_row(Sense::AtLeast, 1_000 + 317 * row).expect("row"))
        .collect();
    let mut state = 99_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        i128::from(state >> 33)
    };
    for _ in 0..40 {
        let entries: Vec<_> = rows.iter().map(|row| (*row, next() % 10)).collect();
        problem.add_var(whole(3 * USD + next() * next() % USD, None), &entries).expect("var");
    }
    let relaxed = relax(&problem, &Limits::default()).expect("solves");
    assert_eq!(relax(&problem, &Limits::default()).as_ref(), Ok(&relaxed));
    let Relaxed::Optimal(relaxed) = relaxed else { panic!("{relaxed:?}") };
    let bound = problem.certified_bound(&relaxed.certificate).expect("no overflow");
    let bound = bound.expect("the duals were mended");
    assert!((relaxed.objective - bound).abs() <= relaxed.objective / 1_000_000_000);
    let Outcome::Optimal(best) = solve(&problem, &Limits::default()).expect("solves") else {
        panic!("not optimal")
    };
    assert!(bound <= best.objective && best.gap_ppm().is_some_and(|gap| gap <= 1));
}

#[test]
fn overflow_is_an_error_and_not_a_bound() {
    let mut problem = Problem::new();
    let row = problem.add_row(Sense::AtLeast, i128::MAX).expect("row");
    problem.add_var(whole(i128::MAX, None), &[(row, i128::MAX - 1)]).expect("var");
    assert_eq!(problem.objective(&[2]), Err(Overflow));
    assert_eq!(problem.violation(&[2]), Err(Overflow));
    let wild = DualCertificate::new(0, vec![i128::MAX]).expect("shift");
    assert_eq!(problem.certified_bound(&wild), Err(Overflow));
    assert_eq!(DualCertificate::new(200, Vec::new()), None);
}
