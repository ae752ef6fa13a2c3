use super::*;
use crate::{Kind, Limits, Problem, Relaxed, Sense, VarSpec, relax};
use proptest::prelude::*;

/// A cost, and what is used: a chain, a place in it and an amount.
type Way<'a> = (i128, &'a [(u32, u32, i64)]);

fn of(limits: &[&[i64]], groups: &[&[Way<'_>]]) -> Choices {
    let mut choices = Choices::new(limits.iter().map(|chain| chain.to_vec()).collect());
    for options in groups {
        choices.add_group();
        for (cost, uses) in *options {
            let uses: Vec<Use> = uses
                .iter()
                .map(|(chain, at, amount)| Use { chain: *chain, at: *at, amount: *amount })
                .collect();
            choices.add_option(*cost, &uses).unwrap();
        }
    }
    choices
}

#[test]
fn the_cheapest_is_taken_until_its_limit_is_reached() {
    // Both want chain 0, which holds one and a half of them; the second group pays less to leave.
    let choices = of(
        &[&[15], &[100]],
        &[&[(10, &[(0, 0, 10)]), (40, &[(1, 0, 10)])], &[(10, &[(0, 0, 10)]), (30, &[(1, 0, 10)])]],
    );
    let mixture = choices.solve(&[]).unwrap();
    let half = SHARE_ONE / 2;
    let share = |group, option, share| Share { group, option, share };
    assert_eq!(mixture.shares, [share(0, 0, SHARE_ONE), share(1, 0, half), share(1, 1, half)]);
    assert_eq!((mixture.bound, mixture.broken.len(), mixture.stopped), (30, 0, false));
    assert_eq!(mixture.binding.len(), 1);
}

#[test]
fn what_is_due_later_counts_from_there_on() {
    // The first limit is not touched by what is used from position 1 on.
    let choices = of(&[&[5, 20]], &[&[(1, &[(0, 1, 20)])], &[(1, &[(0, 0, 1)]), (7, &[])]]);
    let mixture = choices.solve(&[]).unwrap();
    assert_eq!(mixture.bound, 8);
}

#[test]
fn what_cannot_be_is_named() {
    let choices = of(&[&[5, 9]], &[&[(1, &[(0, 0, 7)])], &[(1, &[(0, 1, 1)])]]);
    let mixture = choices.solve(&[]).unwrap();
    assert_eq!(mixture.broken, [Broken { chain: 0, at: 0, amount: 2 }]);
}

#[test]
fn bad_parts_are_refused() {
    let mut choices = Choices::new(vec![vec![1]]);
    assert_eq!(choices.add_option(1, &[]), Err(ChoicesError::NoGroup));
    choices.add_group();
    assert_eq!(choices.solve(&[]), Err(ChoicesError::NoOption(0)));
    let wrong = choices.add_option(1, &[Use { chain: 0, at: 1, amount: 1 }]);
    assert_eq!(wrong, Err(ChoicesError::NoSuchLimit { chain: 0, at: 1 }));
    assert!(choices.add_option(1, &[Use { chain: 0, at: 0, amount: -1 }]).is_err());
}

/// The same program by HiGHS; `None` where it cannot be.
fn reference(choices: &Choices) -> Option<i128> {
    let mut problem = Problem::new();
    let mut rows = Vec::new();
    for chain in &choices.limits {
        let of = chain
            .iter()
            .map(|limit| problem.add_row(Sense::AtMost, i128::from(*limit) * 1_000_000));
        rows.push(of.map(Result::unwrap).collect::<Vec<_>>());
    }
    for group in 0..choices.groups() {
        let whole = problem.add_row(Sense::Equal, 1_000_000).unwrap();
        for option in choices.of(group) {
            let mut sums = std::collections::BTreeMap::new();
            for one in choices.uses_of(option) {
                for row in &rows[one.chain as usize][one.at as usize..] {
                    *sums.entry(*row).or_insert(0) += i128::from(one.amount);
                }
            }
            let mut entries: Vec<_> = sums.into_iter().collect();
            entries.push((whole, 1));
            let cost = choices.options[option].cost;
            let spec = VarSpec { cost, lower: 0, upper: None, kind: Kind::Continuous };
            problem.add_var(spec, &entries).unwrap();
        }
    }
    match relax(&problem, &Limits::default()).unwrap() {
        Relaxed::Optimal(best) => Some(best.objective),
        _ => None,
    }
}

prop_compose! {
    fn any_choices()(
        chains in prop::collection::vec(prop::collection::vec(0_i64..60, 4), 1..4),
        groups in prop::collection::vec(
            prop::collection::vec(
                (0_i128..1000, prop::collection::vec((0_u32..3, 0_u32..4, 0_i64..30), 0..3)),
                1..6,
            ),
            1..9,
        ),
    ) -> Choices {
        let count = u32::try_from(chains.len()).unwrap();
        let mut limits = chains;
        for chain in &mut limits {
            chain.sort_unstable();
        }
        let mut choices = Choices::new(limits);
        for options in groups {
            choices.add_group();
            for (cost, uses) in options {
                let one = |(chain, at, amount)| Use { chain: chain % count, at, amount };
                let uses: Vec<Use> = uses.into_iter().map(one).collect();
                choices.add_option(cost, &uses).unwrap();
            }
        }
        choices
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The bound is the optimum of the same program by a general solver, from any start.
    #[test]
    fn agrees_with_a_general_solver(
        choices in any_choices(),
        start in prop::collection::vec(0_u32..5, 0..9),
    ) {
        let mixture = choices.solve(&start).unwrap();
        prop_assert!(!mixture.stopped);
        match reference(&choices) {
            Some(best) => {
                prop_assert!(mixture.broken.is_empty());
                // HiGHS speaks of a million of each group.
                let off = best - mixture.bound * 1_000_000;
                prop_assert!((-1_000_000..=1_100_000).contains(&off), "{best} {}", mixture.bound);
            }
            None => prop_assert!(!mixture.broken.is_empty()),
        }
    }
}
