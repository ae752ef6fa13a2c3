//! The baselines: each rule as published, and the laws that hold for them too.

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use farthing_model::{Action, Reason, Scope, WorkloadKind, WorkloadState};
use farthing_planner::{
    Baseline, Input, Placement, Planned, Status, Violation, check, plan_as, reference,
};
use support::cases::{medium, overnight, serving, small};
use support::exhaustive::best;
use support::{
    at_minute, dec, empty_job, hard_budget, input, minutes, offer, rate, seen, service, span, usd,
    work, workload, world::after,
};

fn plan(baseline: Baseline, input: &Input) -> Planned {
    plan_as(baseline, input).unwrap()
}

/// Where each placement is, as `workload offer x members from-to cost`.
fn places(planned: &Planned) -> Vec<String> {
    let line = |at: &Placement| {
        let offer = at.offer.as_ref().map_or("quoted", |offer| offer.as_str());
        let hours =
            |instant: jiff::Timestamp| instant.duration_since(support::now()).as_secs() / 60;
        let (from, to) = (hours(at.window.from()), hours(at.window.to()));
        format!("{} {offer} x{} {from}-{to} {}", at.workload, at.members, at.cost)
    };
    planned.report.placements.iter().map(line).collect()
}

fn waits(planned: &Planned) -> Vec<String> {
    let line = |row: &farthing_planner::Waiting| {
        format!("{} x{} {}", row.workload, row.members, row.reason)
    };
    planned.report.waiting.iter().map(line).collect()
}

/// A job of ten steps, ten an hour on an H100 and five on an A100.
fn ten(name: &str, count: u32) -> farthing_model::Observed {
    let mut job = empty_job(count);
    job.work = Some(work("10"));
    job.throughput =
        vec![rate("H100-80GB", 1, "10", minutes(60)), rate("A100-80GB", 1, "5", minutes(60))];
    seen(workload(name, "1", WorkloadKind::Job(job)))
}

fn edit(
    observed: farthing_model::Observed,
    change: impl FnOnce(&mut farthing_model::Job, &mut Vec<String>),
) -> farthing_model::Observed {
    let mut workload = (*observed.workload).clone();
    if let WorkloadKind::Job(job) = &mut workload.kind {
        change(job, &mut workload.residency);
    }
    farthing_model::Observed { workload: workload.into(), ..observed }
}

#[test]
fn names_are_read_and_written() {
    for baseline in Baseline::ALL {
        assert_eq!(baseline.name().parse(), Ok(baseline));
        assert_eq!(baseline.to_string(), baseline.name());
    }
    let message = "best".parse::<Baseline>();
    assert_eq!(message, Err("`best` is not a baseline: fifo, greedy-r or ffd-cheapest".into()));
}

#[test]
fn fifo_takes_the_habit_and_the_order_of_submission() {
    let mut h100 = offer("h100", Some("H100-80GB"), 1, "4");
    h100.available = Some(1);
    let mut spot = offer("h100-spot", Some("H100-80GB"), 1, "1");
    spot.purchase = farthing_model::Purchase::Spot;
    let offers = vec![h100, spot, offer("a100", Some("A100-80GB"), 1, "1")];
    let early = edit(ten("z-early", 1), |job, _| job.submitted = Some(at_minute(-30)));
    let late = edit(ten("a-late", 1), |job, _| {
        job.submitted = Some(at_minute(-10));
        job.deadline = Some(at_minute(90));
    });
    let input = input(240, offers, vec![late, early]);
    let planned = plan(Baseline::Fifo, &input);
    // The A100 would be cheaper and in time for nobody; the H100 is listed first, so both queue.
    assert_eq!(
        places(&planned),
        ["z-early h100 x1 0-60 4.00 USD", "a-late h100 x1 60-120 4.00 USD"]
    );
    let late = &planned.report.placements[1].reasons;
    assert!(
        late.iter().any(
            |it| matches!(it, Reason::Deadline { earliest, .. } if *earliest == at_minute(120))
        )
    );
    assert_eq!(planned.report.unknown.len(), 1);
    assert_eq!(check(&input, &planned), []);
    assert_eq!(planned.report.value, dec("2"));
    assert_eq!((planned.report.lower_bound, planned.report.status), (None, Status::Feasible));
    let saving: Vec<_> = planned.plan.steps.iter().map(|step| step.saving).collect();
    assert_eq!(saving, [usd("0"), usd("0")]);
}

#[test]
fn fifo_takes_the_cheapest_that_can_start_first() {
    let mut owned = offer("b-owned", Some("H100-80GB"), 1, "1");
    owned.available = Some(1);
    owned.purchase = farthing_model::Purchase::Owned;
    let offers = vec![
        offer("a-dear", Some("H100-80GB"), 1, "4"),
        owned,
        offer("c-mid", Some("H100-80GB"), 1, "3"),
        offer("d-mid", Some("H100-80GB"), 1, "3"),
    ];
    let input = input(240, offers, vec![ten("job", 3)]);
    let planned = plan(Baseline::Fifo, &input);
    assert_eq!(places(&planned), ["job b-owned x1 0-60 1.00 USD", "job c-mid x2 0-60 6.00 USD"]);
    assert_eq!(
        reference(&input).unwrap().into_iter().collect::<Vec<_>>(),
        [("job".parse().unwrap(), usd("7"),)]
    );
}

#[test]
fn fifo_sizes_a_service_for_what_is_measured_on_its_habit() {
    let rows: &[(&str, &[&str])] =
        &[("L4-24GB", &["2", "0"]), ("A100-80GB", &["4", "4"]), ("H100-80GB", &["9", "9"])];
    let chat = workload("chat", "1", WorkloadKind::Service(service("9", &["0.5", "0.5"], rows)));
    let offers = vec![
        offer("a100", Some("A100-80GB"), 2, "5"),
        offer("h100", Some("H100-80GB"), 1, "1"),
        offer("l4", Some("L4-24GB"), 1, "0.1"),
    ];
    let mut observed = seen(chat);
    observed.demand_per_s = Some(dec("1"));
    let input = input(120, offers, vec![observed]);
    let planned = plan(Baseline::Fifo, &input);
    assert_eq!(places(&planned), ["chat a100 x1 0-120 10.00 USD"]);
    assert_eq!(check(&input, &planned), []);
    // ffd takes the cheapest per hour that serves all.
    let planned = plan(Baseline::FfdCheapest, &input);
    assert_eq!(places(&planned), ["chat h100 x1 0-120 2.00 USD"]);
    assert_eq!(check(&input, &planned), []);
    assert_eq!(planned.plan.steps[0].saving, usd("8"));
}

#[test]
fn a_hard_budget_stops_admission_and_no_more() {
    let offers = vec![offer("h100", Some("H100-80GB"), 1, "4")];
    let small = edit(ten("small", 1), |job, _| job.work = Some(work("1")));
    let mut input = input(240, offers, vec![ten("big", 2), small]);
    input.budgets.push(hard_budget("all", Scope::All, "5"));
    let planned = plan(Baseline::Fifo, &input);
    assert_eq!(places(&planned), ["big h100 x1 0-60 4.00 USD", "small h100 x1 0-6 0.40 USD"]);
    assert_eq!(waits(&planned), ["big x1 budget all has 1.00 left, 4.00 needed"]);
    assert_eq!(check(&input, &planned), []);
    // The reference is what would be paid without it.
    assert_eq!(reference(&input).unwrap().len(), 2);
    input.budgets[0].budget.hard = false;
    assert_eq!(plan(Baseline::Fifo, &input).report.cost, usd("8.4"));
}

#[test]
fn what_nothing_fits_says_why() {
    let offers = vec![offer("h100", Some("H100-80GB"), 1, "4")];
    let abroad = edit(ten("abroad", 1), |_, residency| residency.push("eu".into()));
    let odd = edit(ten("odd", 1), |job, _| {
        job.throughput = vec![rate("L4-24GB", 1, "1", minutes(60))];
    });
    let urgent = edit(ten("urgent", 1), |job, _| job.deadline = Some(at_minute(30)));
    let far = edit(ten("yonder", 1), |job, _| job.submitted = Some(at_minute(999)));
    let input = input(240, offers, vec![abroad, odd, urgent, far]);
    let planned = plan(Baseline::FfdCheapest, &input);
    let mut found = waits(&planned);
    found.sort();
    assert_eq!(
        found,
        [
            "abroad x1 no offer in eu",
            "odd x1 no offer: no throughput was measured on any",
            "urgent x1 deadline: due at 2026-11-24T00:30:00Z, the earliest finish is \
             2026-11-24T01:00:00Z, 30m late",
            "yonder x1 it is submitted after the horizon",
        ]
    );
    assert_eq!(planned.report.status, Status::Infeasible);
    assert_eq!(check(&input, &planned), []);
    assert!(!reference(&input).unwrap().contains_key(&"abroad".parse().unwrap()));
}

#[test]
fn ffd_goes_by_size_and_compares_hours() {
    let mut cheap = offer("cheap", Some("A100-80GB"), 1, "2.5");
    cheap.available = Some(1);
    let offers = vec![cheap, offer("fast", Some("H100-80GB"), 1, "4")];
    let big = edit(ten("z-big", 1), |job, _| job.work = Some(work("20")));
    let input = input(240, offers, vec![ten("a", 1), big]);
    let planned = plan(Baseline::FfdCheapest, &input);
    // 2.50 an hour looks cheaper than 4, but takes twice as long: 10 instead of 8.
    assert_eq!(places(&planned), ["z-big cheap x1 0-240 10.00 USD", "a fast x1 0-60 4.00 USD"]);
    let urgent = edit(ten("z-big", 1), |job, _| {
        job.work = Some(work("20"));
        job.deadline = Some(at_minute(120));
    });
    let input = support::input(240, input.offers.to_vec(), vec![ten("a", 1), urgent]);
    let planned = plan(Baseline::FfdCheapest, &input);
    assert_eq!(places(&planned), ["z-big fast x1 0-120 8.00 USD", "a cheap x1 0-120 5.00 USD"]);
}

#[test]
fn greedy_goes_by_r_and_stops_at_the_first_that_fits_nowhere() {
    // P = 4 and 2; `dear` costs 4 at R = 2, `cheap` costs 0.4 at R = 5, then no resource is left
    // for `third`, and `fourth` is not even tried.
    let offers = vec![offer("a", Some("H100-80GB"), 1, "4"), offer("b", Some("A100-80GB"), 1, "2")];
    let job = |name: &str, steps: &str, value: &str| {
        let observed = edit(ten(name, 1), |job, _| {
            job.work = Some(work(steps));
            job.throughput = vec![rate("H100-80GB", 1, "10", minutes(60))];
        });
        let mut workload = (*observed.workload).clone();
        workload.value = dec(value);
        farthing_model::Observed { workload: workload.into(), ..observed }
    };
    let jobs = vec![
        job("cheap", "1", "2"),
        job("dear", "10", "8"),
        job("fourth", "1", "0.001"),
        job("third", "1", "0.002"),
    ];
    let mut input = input(60, offers, jobs);
    let planned = plan(Baseline::GreedyR, &input);
    assert_eq!(places(&planned), ["cheap a x1 0-6 0.40 USD"]);
    assert_eq!(
        waits(&planned),
        [
            "dear x1 no resource that is left costs as much as the task, 4.00",
            "third x1 the rule stops at the first task that fits nowhere",
            "fourth x1 the rule stops at the first task that fits nowhere",
        ]
    );
    assert_eq!(planned.report.placements[0].r, Some(dec("5")));
    assert_eq!(check(&input, &planned), []);
    // Where the offer says that there are more, it may be taken again.
    let mut offers = input.offers.to_vec();
    offers[0].available = Some(3);
    input.offers = offers.into();
    let planned = plan(Baseline::GreedyR, &input);
    assert_eq!(planned.report.placements.len(), 3);
    assert_eq!(waits(&planned).len(), 1);
    // A budget ends it.
    input.budgets.push(hard_budget("all", Scope::All, "4.3"));
    let planned = plan(Baseline::GreedyR, &input);
    assert_eq!(places(&planned), ["cheap a x1 0-6 0.40 USD"]);
    assert_eq!(waits(&planned)[0], "dear x1 budget all has 3.90 left, 4.00 needed");
}

/// Laws 1 and 6, and law 4 where the rule promises it.
fn sound(baseline: Baseline, input: &Input) -> Planned {
    let planned = plan(baseline, input);
    let again = plan(baseline, &input.clone());
    assert_eq!(format!("{planned:?}"), format!("{again:?}"));
    let found: Vec<Violation> = check(input, &planned)
        .into_iter()
        .filter(|violation| !known_defect(baseline, violation))
        .collect();
    assert_eq!(found, [], "{baseline}: {planned:#?}");
    planned
}

/// Laws 1, 2, 4 and 6 for every baseline.
fn laws(input: &Input) {
    for baseline in Baseline::ALL {
        let next = after(input, &sound(baseline, input));
        let steps = plan(baseline, &next).plan.steps;
        assert_eq!(steps, [], "{baseline} plans again");
    }
}

/// What the rule is known to get wrong; the checker must find it, and nothing else.
fn known_defect(baseline: Baseline, violation: &Violation) -> bool {
    match violation {
        // greedy-r charges no more than the horizon and looks at no deadline.
        Violation::RunTime { .. } | Violation::Late { .. } => baseline == Baseline::GreedyR,
        _ => false,
    }
}

#[test]
fn laws_hold_on_random_cases() {
    for seed in 0..400 {
        laws(&small(seed));
        laws(&serving(seed));
    }
    for seed in 0..150 {
        laws(&medium(seed));
    }
}

/// Budgets of a day that ends while work runs. Not law 2: the end of what was placed is a new
/// moment to start at, from which less of a run may fall into the day that is spent.
#[test]
fn hard_budgets_hold_in_later_periods_too() {
    for seed in 0..150 {
        for input in [small(seed), serving(seed), medium(seed)].map(overnight) {
            for baseline in Baseline::ALL {
                sound(baseline, &input);
            }
        }
    }
}

/// The exhaustive reference is sound by the checker, and no baseline beats it.
#[test]
fn no_baseline_beats_the_best() {
    let mut worse = 0;
    for seed in 0..500 {
        for input in [small(seed), serving(seed)] {
            let best = best(&input);
            assert_eq!(check(&input, &best.planned), [], "seed {seed}: {:#?}", best.planned);
            for baseline in Baseline::ALL {
                let planned = plan(baseline, &input);
                let off_slots = planned.report.placements.iter().any(|at| {
                    let length = input.horizon.nanos() / i128::from(input.effort.slots_max);
                    let since = at.window.from().as_nanosecond();
                    (since - input.horizon.from().as_nanosecond()) % length != 0
                });
                if off_slots || !check(&input, &planned).is_empty() {
                    continue;
                }
                let admits_late = planned.report.placements.iter().any(|at| {
                    at.reasons.iter().any(|reason| matches!(reason, Reason::Deadline { .. }))
                });
                if admits_late {
                    continue;
                }
                let found = (planned.report.value.nano(), planned.report.cost.pico());
                assert!(found.0 <= best.value, "seed {seed}: {baseline} has more value");
                let cheaper = found.0 == best.value && found.1 < best.cost;
                assert!(!cheaper, "seed {seed}: {baseline} is cheaper than the best");
                worse += u32::from(found != (best.value, best.cost));
            }
        }
    }
    assert!(worse > 200, "the cases are too easy to tell policies apart: {worse}");
}

#[test]
fn what_is_placed_stays_and_what_is_done_is_left_alone() {
    let offers = vec![offer("h100", Some("H100-80GB"), 1, "4")];
    let mut half = ten("half", 3);
    half.state = WorkloadState::Placed(vec![
        farthing_model::Assignment {
            offer: "h100".parse().unwrap(),
            members: 1,
            nodes_each: 1,
            window: span(-90, -30),
        },
        farthing_model::Assignment {
            offer: "h100".parse().unwrap(),
            members: 1,
            nodes_each: 1,
            window: span(-30, 30),
        },
    ]);
    let mut stopped = ten("stopped", 1);
    stopped.state = WorkloadState::Suspended;
    let mut done = ten("wrapped", 1);
    done.state = WorkloadState::Finished(at_minute(-1));
    let input = input(240, offers, vec![half, stopped, done]);
    for baseline in Baseline::ALL {
        let planned = plan(baseline, &input);
        assert_eq!(check(&input, &planned), [], "{baseline}");
        let stays = planned.report.placements.iter().filter(|at| at.stays).count();
        assert_eq!(stays, 1, "{baseline}");
        if baseline == Baseline::GreedyR {
            // The only resource is used up.
            assert_eq!(planned.plan.steps, []);
        } else {
            assert_eq!(planned.plan.steps.len(), 1);
            let action = &planned.plan.steps[0].action;
            assert!(matches!(action, Action::Start { members: 1, .. }));
        }
    }
}

/// Nobody stops a service when the plan that placed it ends: its cost goes on, as in our own plan.
#[test]
fn a_service_that_stays_is_paid_to_the_end_of_the_horizon() {
    let rows: &[(&str, &[&str])] = &[("H100-80GB", &["4"])];
    let mut chat = seen(workload("chat", "9", WorkloadKind::Service(service("3", &["1"], rows))));
    chat.state = WorkloadState::Placed(vec![farthing_model::Assignment {
        offer: "h100".parse().unwrap(),
        members: 1,
        nodes_each: 1,
        window: span(-60, 120),
    }]);
    let input = input(240, vec![offer("h100", Some("H100-80GB"), 1, "4")], vec![chat]);
    let ours = farthing_planner::plan(&input).unwrap();
    for baseline in Baseline::ALL {
        let planned = plan(baseline, &input);
        assert_eq!(check(&input, &planned), [], "{baseline}");
        assert_eq!(planned.report.cost, ours.report.cost, "{baseline}");
        assert_eq!(planned.report.placements[0].window, span(0, 240), "{baseline}");
    }
}
