//! The two ways to solve a program must agree: the whole one is exact on what small cases have.

use super::*;
use crate::Input;
use crate::decision::decide;
use crate::sample::{after, budget, input, job, job_with, offer};
use proptest::prelude::*;

const KINDS: [&str; 3] = ["H100-80GB", "A100-80GB", "L4-24GB"];

prop_compose! {
    fn offers()(
        rows in prop::collection::vec((0_usize..3, 1_u32..3, 20_u32..900, 0_u32..4), 1..7),
    ) -> Vec<farthing_model::Offer> {
        let make = |(index, (kind, count, cents, available)): (usize, &(usize, u32, u32, u32))| {
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            let mut offer = offer(&format!("offer-{index}"), KINDS[*kind], *count, &price);
            // Most are limited; none is not.
            offer.available = (*available > 0).then_some(*available);
            offer
        };
        rows.iter().enumerate().map(make).collect()
    }
}

prop_compose! {
    fn jobs()(
        rows in prop::collection::vec(
            (1_u32..5, 1_u32..9, prop::collection::vec(1_i64..5, 3), 0_i64..8), 1..6,
        ),
    ) -> Vec<farthing_model::Observed> {
        let make = |(index, (count, value, hours, deadline)): (usize, &(u32, u32, Vec<i64>, i64))| {
            let on: Vec<(&str, i64)> = KINDS.iter().copied().zip(hours.iter().copied()).collect();
            let job = job(&format!("job-{index}"), *count, &value.to_string(), &on);
            job_with(job, |job| job.deadline = (*deadline > 2).then(|| after(60 * deadline)))
        };
        rows.iter().enumerate().map(make).collect()
    }
}

fn generated_agrees(input: &Input) -> Result<(), TestCaseError> {
    let decision = decide(input).unwrap();
    let program = &decision.program;
    let effort = Effort { gap: farthing_model::Ratio::ZERO, ..input.effort };
    let whole = choose_by(program, effort, usize::MAX).unwrap();
    let part = choose_by(program, effort, 0).unwrap();
    prop_assert!(whole.proven, "{whole:?}");
    let cost = |choice: &Choice| -> i128 {
        let one =
            |(at, count): &(usize, u32)| program.floor(&program.columns[*at]) * i128::from(*count);
        choice.placed.iter().map(one).sum()
    };
    prop_assert_eq!(whole.lost_bound, whole.lost);
    // Bounds of the part hold for the whole, and what it finds is allowed and as good.
    prop_assert!(part.lost_bound <= whole.lost);
    prop_assert_eq!(part.lost, whole.lost);
    prop_assert!(part.cost_bound.unwrap() <= cost(&whole));
    prop_assert!(part.cost_certified.unwrap() <= cost(&whole));
    prop_assert_eq!(cost(&part), cost(&whole));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn generated_columns_find_what_all_columns_find(offers in offers(), jobs in jobs()) {
        generated_agrees(&input(4, offers, jobs))?;
    }

    #[test]
    fn also_with_a_budget(offers in offers(), jobs in jobs(), limit in 1_u32..60) {
        let mut input = input(4, offers, jobs);
        input.budgets.push(budget("all", &limit.to_string()));
        generated_agrees(&input)?;
    }
}
