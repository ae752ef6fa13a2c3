//! The seeds' worked examples: the rule as it is written, and our planner beside it.

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use farthing_model::{Observed, Offer, Reason, Scope, WorkloadKind};
use farthing_planner::{Baseline, Input, Planned, Status, Violation, check, plan, plan_as};
use jiff::SignedDuration;
use support::exhaustive::best;
use support::{dec, empty_job, hard_budget, input, offer, rate_of, seen, usd, work, workload};

const DAY: i64 = 24 * 60;

fn greedy(input: &Input) -> Planned {
    plan_as(Baseline::GreedyR, input).unwrap()
}

/// A machine without accelerators at a price per day.
fn machine(name: &str, per_day: &str) -> Offer {
    let mut offer = offer(name, None, 0, "0");
    // A price per day may not be a whole number of 10^-12 per hour: it must be here.
    let hour = usd(per_day).div_rem(24).unwrap();
    if let farthing_model::Price::Known(rate, _) = &mut offer.price {
        *rate = farthing_model::HourlyRate::new(hour.0).unwrap();
    }
    offer
}

/// A task that needs `amount` of performance-days, on machines with their performance.
fn task(name: &str, amount: &str, machines: &[(&str, &str)]) -> Observed {
    let mut job = empty_job(1);
    job.work = Some(work(amount));
    let day = SignedDuration::from_hours(24);
    job.throughput = machines.iter().map(|(machine, does)| rate_of(machine, does, day)).collect();
    seen(workload(name, amount, WorkloadKind::Job(job)))
}

/// Case 1: a machine of $10 a day used for 80 % of it costs $8; at 90 % U is 0.9; performance 100
/// for $20 is R = 5.
#[test]
fn case_1_used_time_times_price() {
    let day = machine("cpu", "9.6");
    let input = input(DAY, vec![day], vec![task("a", "80", &[("cpu", "100")])]);
    let planned = greedy(&input);
    let at = &planned.report.placements[0];
    assert_eq!(at.cost, usd("7.68")); // 0.8 x 9.60
    assert_eq!(at.reasons[0], Reason::Rule("R first; U = 0.8 of the horizon".into()));
    assert_eq!(check(&input, &planned), []);

    let dear = machine("gpu", "24");
    let input = support::input(DAY, vec![dear], vec![task("b", "90", &[("gpu", "100")])]);
    let planned = greedy(&input);
    let at = &planned.report.placements[0];
    assert_eq!(at.reasons[0], Reason::Rule("R first; U = 0.9 of the horizon".into()));
    assert_eq!(at.cost, usd("21.6"));

    let mut job = empty_job(1);
    job.quoted_cost = Some(usd("20"));
    let quoted = seen(workload("c", "100", WorkloadKind::Job(job)));
    let input = support::input(DAY, vec![machine("gpu", "24")], vec![quoted]);
    assert_eq!(greedy(&input).report.placements[0].r, Some(dec("5")));
}

/// $10 and $20 a day, as whole units per hour times 24: 10/24 has no end, so that a day is one
/// unit in 10^12 less per hour.
fn near(found: farthing_model::Money, text: &str) -> bool {
    (found.pico() - usd(text).pico()).abs() <= 48
}

/// Case 2: CPU $10/day with performance 200, GPU $20/day with performance 500; A needs 300, B 400.
fn case_2(b_on_cpu: bool) -> Input {
    let all: &[(&str, &str)] = &[("cpu", "200"), ("gpu", "500")];
    let b = if b_on_cpu { all } else { &all[1..] };
    let mut offers = vec![machine("cpu", "10"), machine("gpu", "20")];
    for offer in &mut offers {
        offer.available = Some(1);
    }
    input(DAY, offers, vec![task("A", "300", all), task("B", "400", b)])
}

#[test]
fn case_2_as_the_rule_does_it() {
    let input = case_2(false);
    let planned = greedy(&input);
    let [a, b] = planned.report.placements.as_slice() else { panic!("{planned:#?}") };
    assert_eq!((a.workload.as_str(), a.offer.as_ref().unwrap().as_str()), ("A", "cpu"));
    assert_eq!((b.workload.as_str(), b.offer.as_ref().unwrap().as_str()), ("B", "gpu"));
    assert!(near(a.cost, "10") && near(b.cost, "16"), "{} {}", a.cost, b.cost);
    // R_A = 30; R_B = 400 / 16 = 25 by the definition (the source divides by the price: 20).
    let thousandth = |r: Option<farthing_model::Decimal>| (r.unwrap().nano() + 500_000) / 1_000_000;
    assert_eq!((thousandth(a.r), thousandth(b.r)), (30_000, 25_000));
    assert_eq!(b.reasons, [Reason::Rule("R first; U = 0.8 of the horizon".into())]);
    // A cannot end in a day on that CPU; the rule does not notice, the report and the checker do.
    assert_eq!(
        planned.report.unknown,
        ["A needs 1.5 horizons on cpu: the rule charges one and calls it done"]
    );
    let found = check(&input, &planned);
    assert!(matches!(found.as_slice(), [Violation::RunTime { .. }]), "{found:?}");
}

/// Measured on both machines, B has its best R = 40 on the CPU, where it needs two days.
#[test]
fn case_2_saturation_hides_a_task_that_needs_two_days() {
    let planned = greedy(&case_2(true));
    let first = &planned.report.placements[0];
    assert_eq!((first.workload.as_str(), first.offer.as_ref().unwrap().as_str()), ("B", "cpu"));
    assert!(planned.report.unknown[0].starts_with("B needs 2 horizons on cpu"));
}

/// Case 3: CPU 0.1 and GPU 0.2 per unit of time, and four tasks with quoted costs.
fn case_3(budget: &str) -> Input {
    let quoted = |name: &str, value: &str, cost: &str| {
        let mut job = empty_job(1);
        job.quoted_cost = Some(usd(cost));
        seen(workload(name, value, WorkloadKind::Job(job)))
    };
    let tasks = vec![
        quoted("task-1", "80", "0.5"),
        quoted("task-2", "150", "0.8"),
        quoted("task-3", "50", "0.3"),
        quoted("task-4", "100", "0.6"),
    ];
    let offers = vec![offer("cpu", None, 0, "0.1"), offer("gpu", None, 0, "0.2")];
    let mut input = input(60, offers, tasks);
    input.budgets.push(hard_budget("all", Scope::All, budget));
    input
}

#[test]
fn case_3_nothing_is_ever_allocated() {
    let input = case_3("1.5");
    let planned = greedy(&input);
    assert_eq!(planned.report.placements, []);
    assert_eq!((planned.report.cost, planned.report.value), (usd("0"), dec("0")));
    // By R: 150/0.8 = 187.5 is tried first and costs more than any resource; the rule stops.
    let first = &planned.report.waiting[0];
    assert_eq!(first.workload.as_str(), "task-2");
    let why = "no resource that is left costs as much as the task, 0.80";
    assert_eq!(first.reason, Reason::Rule(why.into()));
    assert_eq!(planned.report.waiting.len(), 4);
    assert_eq!(check(&input, &planned), []);
}

/// All sixteen sets of tasks: the best within 1.5 is value 250 at cost 1.4, tasks 2 and 4.
#[test]
fn case_3_the_best_set_by_trying_all() {
    let tasks = [(80, 5), (150, 8), (50, 3), (100, 6)];
    let mut found = Vec::new();
    for set in 0_u32..16 {
        let chosen = || tasks.iter().enumerate().filter(move |(at, _)| set & (1 << at) != 0);
        let value: i32 = chosen().map(|(_, (value, _))| value).sum();
        let tenths: i32 = chosen().map(|(_, (_, tenths))| tenths).sum();
        if tenths <= 15 {
            found.push((value, -tenths, set));
        }
    }
    assert_eq!(found.iter().max(), Some(&(250, -14, 0b1010)));
    let best = best(&case_3("1.5"));
    assert_eq!((best.value, best.cost), (dec("250").nano(), usd("1.4").pico()));
}

/// What our planner does with case 2: both on the GPU, one after the other, for $12 + $16.
#[test]
fn case_2_as_we_do_it() {
    for b_on_cpu in [false, true] {
        let input = case_2(b_on_cpu);
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), []);
        assert_eq!(planned.report.status, Status::Optimal);
        assert_eq!(planned.report.value, dec("700"));
        assert!(near(planned.report.cost, "28"), "{}", planned.report.cost);
        let on_gpu =
            |at: &farthing_planner::Placement| at.offer.as_ref().unwrap().as_str() == "gpu";
        assert!(planned.report.placements.iter().all(on_gpu));
    }
}

/// Due within the day, only one of them fits on the GPU: B is worth more, A waits and says why.
#[test]
fn case_2_with_a_deadline_says_which_waits() {
    let mut input = case_2(true);
    for observed in &mut input.snapshot.workloads {
        let workload = std::sync::Arc::make_mut(&mut observed.workload);
        if let WorkloadKind::Job(job) = &mut workload.kind {
            job.deadline = Some(input.horizon.to());
        }
    }
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    assert_eq!(planned.report.status, Status::Infeasible);
    let [b] = planned.report.placements.as_slice() else { panic!("{planned:#?}") };
    assert_eq!((b.workload.as_str(), b.offer.as_ref().unwrap().as_str()), ("B", "gpu"));
    assert!(near(b.cost, "16"), "{}", b.cost);
    let [a] = planned.report.waiting.as_slice() else { panic!("{planned:#?}") };
    assert_eq!((a.workload.as_str(), a.members, a.late), ("A", 1, true));
    // With a second GPU both are done in time, at the least cost.
    let mut offers = input.offers.to_vec();
    offers[1].available = Some(2);
    input.offers = offers.into();
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    assert_eq!(planned.report.value, dec("700"));
    assert!(near(planned.report.cost, "28"), "{}", planned.report.cost);
}

/// Ours on case 3: value 250 at cost 1.4, tasks 2 and 4, proven; the others wait for the budget.
#[test]
fn case_3_as_we_do_it() {
    let input = case_3("1.5");
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    let report = &planned.report;
    assert_eq!((report.value, report.cost), (dec("250"), usd("1.4")));
    assert_eq!(report.value_bound, Some(dec("250")));
    assert_eq!((report.status, report.lower_bound), (Status::Optimal, Some(usd("1.4"))));
    let mut placed: Vec<&str> = report.placements.iter().map(|at| at.workload.as_str()).collect();
    placed.sort_unstable();
    assert_eq!(placed, ["task-2", "task-4"]);
    let mut waiting: Vec<&str> = report.waiting.iter().map(|row| row.workload.as_str()).collect();
    waiting.sort_unstable();
    assert_eq!(waiting, ["task-1", "task-3"]);
    let mut cut: Vec<&str> = report.cuts.iter().map(|cut| cut.workload.as_str()).collect();
    cut.sort_unstable();
    assert_eq!(cut, ["task-1", "task-3"]);
    // What the greedy rule lost: all of it.
    assert_eq!(greedy(&input).report.value, dec("0"));
    // With money for everything, everything is done.
    let planned = plan(&case_3("2.2")).unwrap();
    assert_eq!((planned.report.value, planned.report.cost), (dec("380"), usd("2.2")));
    assert!(planned.report.cuts.is_empty());
}
