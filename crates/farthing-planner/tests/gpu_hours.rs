//! Budgets in GPU-hours bind a plan as budgets of money do: where an accelerator-hour costs one
//! dollar everywhere, a limit of so many hours and one of so many dollars give the same plan.

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use farthing_model::{Limit, Price, Reason, Scope, WorkloadKind};
use farthing_planner::{BudgetState, Input, Planned, Slack, Violation, check, plan, sensitivity};
use std::sync::Arc;
use support::cases::{serving, small};
use support::world::after;
use support::{empty_job, hard_budget, input, minutes, offer, rate, seen, usd, work, workload};

fn in_hours(milli: u64) -> BudgetState {
    let mut state = hard_budget("gpus", Scope::All, "0");
    (state.limit, state.budget.limit) = (Limit::GpuHoursMilli(milli), Limit::GpuHoursMilli(milli));
    state
}

/// The case with a dollar for each accelerator-hour, and without costs that somebody quoted, which
/// are money and no time.
fn one_dollar(mut input: Input) -> Input {
    let mut offers = input.offers.to_vec();
    for offer in &mut offers {
        let dollars = format!("{} USD/h", offer.accelerator_count);
        if let Price::Known(rate, _) = &mut offer.price {
            *rate = dollars.parse().unwrap();
        }
    }
    input.offers = Arc::from(offers);
    input.snapshot.workloads.retain(|observed| {
        !matches!(&observed.workload.kind, WorkloadKind::Job(job) if job.quoted_cost.is_some())
    });
    input.budgets.clear();
    input
}

/// Who is where, and who waits.
fn shape(planned: &Planned) -> String {
    let report = &planned.report;
    let placed = report.placements.iter();
    let placed: Vec<_> =
        placed.map(|at| (&at.workload, &at.offer, at.members, at.window)).collect();
    let waiting: Vec<_> =
        report.waiting.iter().map(|row| (&row.workload, row.members, row.late)).collect();
    format!("{placed:?} {waiting:?} {} {}", report.cost, report.status.name())
}

fn same_in_both_units(input: Input, what: &str) -> bool {
    let mut input = one_dollar(input);
    let cost = plan(&input).unwrap().report.cost;
    let milli = u64::try_from(cost.pico() / 2 / 1_000_000_000).unwrap();
    let mut money = hard_budget("gpus", Scope::All, "0");
    let limit = usd(&format!("{}.{:03}", milli / 1_000, milli % 1_000));
    (money.limit, money.budget.limit) = (Limit::Money(limit), Limit::Money(limit));
    input.budgets = vec![money];
    let by_money = plan(&input).unwrap();
    input.budgets = vec![in_hours(milli)];
    let by_hours = plan(&input).unwrap();
    assert_eq!(check(&input, &by_hours), [], "{what}");
    assert_eq!(shape(&by_hours), shape(&by_money), "{what}");
    // What was done stands, and takes of the budget what it took as a proposal.
    let next = after(&input, &by_hours);
    let settled = plan(&next).unwrap();
    assert_eq!(check(&next, &settled), [], "{what}, after it was done");
    assert_eq!(settled.plan.steps, [], "{what}, after it was done");
    // Without the budget more is done, and the checker says that it is too much.
    input.budgets.clear();
    let free = plan(&input).unwrap();
    let binds = shape(&free) != shape(&by_hours);
    let mut budget = in_hours(milli);
    budget.budget.escalate.clear();
    input.budgets = vec![budget];
    let over = |found: &Violation| {
        matches!(found, Violation::OverBudget { .. } | Violation::OverLaterBudget { .. })
    };
    assert!(!binds || check(&input, &free).iter().any(over), "{what}: nobody noticed");
    binds
}

#[test]
fn hours_bind_jobs_as_money_does() {
    let binding = (0..80).filter(|seed| same_in_both_units(small(*seed), &format!("small {seed}")));
    assert!(binding.count() > 40);
}

#[test]
fn hours_bind_services_as_money_does() {
    let all = (0..40).filter(|seed| same_in_both_units(serving(*seed), &format!("serving {seed}")));
    assert!(all.count() > 10);
}

/// Two jobs of 8 H100 for an hour, and `milli` thousandths of GPU-hours for both.
fn two_jobs(milli: u64) -> Input {
    let mut job = empty_job(2);
    job.work = Some(work("10"));
    job.throughput = vec![rate("H100-80GB", 8, "10", minutes(60))];
    let train = workload("train", "5", WorkloadKind::Job(job));
    let offers = vec![offer("eight", Some("H100-80GB"), 8, "20")];
    let mut input = input(60, offers, vec![seen(train)]);
    input.budgets.push(in_hours(milli));
    input
}

#[test]
fn the_last_thousandth_counts_and_the_reason_names_the_budget() {
    let members = |planned: Planned| -> u32 {
        planned.report.placements.iter().map(|placed| placed.members).sum()
    };
    let placed = |milli: u64| members(plan(&two_jobs(milli)).unwrap());
    assert_eq!((placed(16_000), placed(15_999), placed(8_000), placed(7_999)), (2, 1, 1, 0));
    let input = two_jobs(15_999);
    let planned = plan(&input).unwrap();
    let [waits] = &planned.report.waiting[..] else { panic!("{:?}", planned.report.waiting) };
    assert!(matches!(waits.reason, Reason::OverBudget { .. }));
    let reason = waits.reason.to_string();
    assert!(reason.contains("gpus") && reason.contains("7.999 GPU-hours"), "{reason}");
    let [cut] = &planned.report.cuts[..] else { panic!("{:?}", planned.report.cuts) };
    assert_eq!((cut.budget.as_str(), cut.members), ("gpus", 1));
    // What is gone already leaves less.
    let mut input = two_jobs(16_000);
    input.budgets[0].gpu_gone_milli = 1;
    assert_eq!(members(plan(&input).unwrap()), 1);
}

#[test]
fn what_binds_says_so_in_its_unit() {
    let input = two_jobs(15_000);
    let planned = plan(&input).unwrap();
    let found = sensitivity(&input, &planned).unwrap();
    let slack = &found.binding.first().unwrap().slack;
    assert!(matches!(slack, Slack::Budget(..)), "{found:?}");
    assert_eq!(slack.told().2, "+1.50 GPU-hours");
    assert_eq!(found.binding[0].members, 1);
}
