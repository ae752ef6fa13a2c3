//! What slack is worth, on cases worked out by hand.

use super::*;
use crate::plan;
use crate::sample::{after, budget, dec, input, job, job_with, offer, usd, with};

const H100: &str = "H100-80GB";
const A100: &str = "A100-80GB";

fn ask(input: &Input) -> Sensitivity {
    sensitivity(input, &plan(input).unwrap()).unwrap()
}

/// 10 h at 1 USD or 4 h at 3 USD: a deadline after 9 hours costs 2 USD, and two hours more of it
/// would do.
#[test]
fn a_deadline_has_a_price_and_an_hour_that_would_lift_it() {
    let offers = vec![offer("a100", A100, 1, "1"), offer("h100", H100, 1, "3")];
    let work = job("train", 1, "5", &[(H100, 4), (A100, 10)]);
    let hurried = job_with(work, |job| job.deadline = Some(after(9 * 60)));
    let found = ask(&input(24, offers, vec![hurried.clone()]));
    let id = hurried.workload.id.clone();
    let worth = |slack| Worth {
        slack,
        cost: usd("-2"),
        value: Decimal::ZERO,
        members: 0,
        sooner: SignedDuration::ZERO,
        exact: true,
    };
    let later = SignedDuration::from_mins(9 * 60 / 4);
    let expected = vec![worth(Slack::Later(id.clone(), later)), worth(Slack::NoDeadline(id))];
    assert_eq!(found, Sensitivity { binding: expected, loose: 0, unasked: 0 });
}

/// Three jobs of an hour by an hour from now, one cheap node: each node more saves 3 USD.
#[test]
fn one_more_node_of_what_is_full_saves_the_difference() {
    let mut cheap = offer("cheap", H100, 1, "1");
    cheap.available = Some(1);
    let dear = offer("dear", H100, 1, "4");
    let work = job_with(job("train", 3, "5", &[(H100, 1)]), |job| job.deadline = Some(after(60)));
    let found = ask(&input(4, vec![cheap.clone(), dear], vec![work]));
    let node = found.binding.iter().find(|worth| worth.slack == Slack::Node(cheap.id.clone()));
    assert_eq!(node.unwrap().cost, usd("-3"));
    // Without a deadline all three wait for the cheap one in turn.
    let free = found.binding.iter().find(|worth| matches!(worth.slack, Slack::NoDeadline(_)));
    assert_eq!(free.unwrap().cost, usd("-6"));
}

/// Two jobs of 4 USD and a budget of 7 USD: a tenth more is not enough, and of 7.50 USD it is.
#[test]
fn a_budget_says_what_a_tenth_more_would_do() {
    let case = |limit: &str| {
        let jobs = vec![job("a", 1, "5", &[(H100, 4)]), job("b", 1, "3", &[(H100, 4)])];
        let mut input = input(24, vec![offer("h100", H100, 1, "1")], jobs);
        input.budgets = vec![budget("all", limit)];
        ask(&input)
    };
    assert_eq!(case("7"), Sensitivity { binding: vec![], loose: 1, unasked: 0 });
    let found = case("7.50");
    let slack = Slack::Budget(BudgetId::new("all").unwrap(), usd("0.75"));
    let worth = Worth {
        slack,
        cost: usd("4"),
        value: dec("3"),
        members: 1,
        sooner: SignedDuration::ZERO,
        exact: true,
    };
    assert_eq!(found.binding, [worth]);
}

#[test]
fn a_residency_has_a_price() {
    let mut abroad = offer("abroad", H100, 1, "1");
    abroad.residency = vec!["us".to_owned()];
    let here = offer("here", H100, 1, "3");
    let work = with(job("train", 1, "5", &[(H100, 4)]), |workload| {
        workload.residency = vec!["eu".to_owned()];
    });
    let found = ask(&input(24, vec![abroad, here], vec![work]));
    assert_eq!(found.binding.len(), 1);
    assert_eq!(found.binding[0].cost, usd("-8"));
    assert!(matches!(&found.binding[0].slack, Slack::Anywhere(_, places) if places == &["eu"]));
}

#[test]
fn a_plan_that_nothing_binds_has_no_rows() {
    let work = job("train", 1, "5", &[(H100, 4)]);
    let found = ask(&input(24, vec![offer("h100", H100, 1, "1")], vec![work]));
    assert_eq!(found, Sensitivity::default());
}
