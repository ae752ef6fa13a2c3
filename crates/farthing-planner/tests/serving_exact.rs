//! Plans of services against a solver of integer programs: small cases of four generators in each
//! way of dividing, at least 500 of which that solver decides, equal to the last unit.
//! `make bench` does the same with large ones.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../examples/serving_scale/exact.rs"]
mod exact;
#[allow(dead_code)] // The near ones take the other solver too long.
#[path = "../examples/serving_scale/made_up.rs"]
mod made_up;
#[path = "../examples/serving_scale/stated.rs"]
mod stated;

use exact::Answer;
use farthing_model::Split;
use farthing_planner::{check, plan};
use made_up::{Case, harsh, scarce, skewed, usual};

/// Of one in ten that is divided at will the other solver's point is none in whole numbers: those
/// are only held against its bound, and do not count.
const CASES: u64 = 600;
const DECIDED: u64 = 500;

/// A case of a generator with at most five kinds and ten buckets, the larger ones first.
fn small(number: u64) -> Case {
    let generate = [usual, skewed, harsh, scarce][usize::try_from(number % 4).unwrap()];
    let mut case = generate(77, number);
    case.kinds.truncate(5);
    case.most.truncate(case.kinds.len());
    let whole: i64 = 1_000_000_000;
    let mut kept: Vec<usize> = (0..case.buckets.len()).collect();
    kept.sort_by_key(|at| std::cmp::Reverse(case.buckets[*at].2));
    kept.truncate(10);
    let shares: i64 = kept.iter().map(|at| case.buckets[*at].2).sum();
    let scaled = |share: i64| {
        i64::try_from(i128::from(share) * i128::from(whole) / i128::from(shares)).unwrap()
    };
    let mut buckets: Vec<(u32, u32, i64)> = kept
        .iter()
        .map(|at| {
            let (input, output, share) = case.buckets[*at];
            (input, output, scaled(share))
        })
        .collect();
    buckets[0].2 += whole - buckets.iter().map(|(_, _, share)| share).sum::<i64>();
    for most in &mut case.most {
        *most = kept.iter().map(|at| most[*at]).collect();
    }
    case.buckets = buckets;
    case
}

fn compare(sliced: bool) {
    let (mut same, mut open) = (0, 0);
    for number in 0..CASES {
        let case = small(number);
        let slices = sliced.then_some(case.slices);
        let input = stated::input(&case, slices.map_or(Split::Continuous, Split::Slices));
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), [], "case {number}");
        match exact::agrees(&case, slices, &planned.report) {
            Answer::Same => same += 1,
            Answer::Open => open += 1,
            Answer::Different(why) => panic!("case {number}: {why}"),
        }
    }
    assert!(same >= DECIDED, "{same} the same, {open} left open by the other solver");
}

#[test]
fn divided_at_will_they_cost_what_a_solver_finds() {
    compare(false);
}

#[test]
fn in_slices_they_cost_what_a_solver_finds() {
    compare(true);
}
