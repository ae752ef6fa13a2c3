//! The checker: a sound plan has no violation, and each way to spoil it is found and named.

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use farthing_model::{
    Action, BudgetId, Day, Decimal, Interruptible, Money, Node, NodeState, Offer, OfferId, Price,
    Purchase, Queue, RatePoint, Ratio, Scope, Split, SpotLoss, Step, WorkloadId, WorkloadKind,
    WorkloadState,
};
use farthing_planner::{
    Baseline, Cut, DayReport, Input, Planned, Status, Violation, Waiting, check, plan, plan_as,
};
use jiff::SignedDuration;
use std::sync::Arc;
use support::cases::{full_use, overnight};
use support::exhaustive::best;
use support::{
    at_minute, dec, empty_job, hard_budget, input, minutes, offer, rate, seen, service, span, usd,
    work, workload, world::after,
};

/// Two jobs, one of them on limited capacity and with a deadline, a quoted one, a service and a
/// hard budget of all; everything is placed.
fn scene() -> Input {
    let mut scarce = offer("scarce", Some("H100-80GB"), 1, "4");
    scarce.available = Some(2);
    scarce.residency = vec!["eu".into()];
    let mut job = empty_job(2);
    job.work = Some(work("10"));
    job.throughput = vec![rate("H100-80GB", 1, "10", minutes(60))];
    job.deadline = Some(at_minute(60));
    let mut urgent = workload("urgent", "5", WorkloadKind::Job(job));
    urgent.residency = vec!["eu".into()];
    urgent.team = Some("red".parse().unwrap());
    let mut job = empty_job(1);
    job.work = Some(work("10"));
    job.throughput = vec![rate("A100-80GB", 2, "5", minutes(60))];
    job.submitted = Some(at_minute(30));
    let later = workload("later", "5", WorkloadKind::Job(job));
    let mut job = empty_job(2);
    job.quoted_cost = Some(usd("0.75"));
    let quoted = workload("quoted", "1", WorkloadKind::Job(job));
    let rows: &[(&str, &[&str])] = &[("L4-24GB", &["2", "4"]), ("A100-80GB", &["0", "9"])];
    let chat = service("8", &["0.5", "0.5"], rows);
    let chat = workload("chat", "9", WorkloadKind::Service(chat));
    let offers = vec![
        scarce,
        offer("pair", Some("A100-80GB"), 1, "2.5"),
        offer("small", Some("L4-24GB"), 1, "0.9"),
    ];
    let workloads = vec![seen(chat), seen(later), seen(quoted), seen(urgent)];
    let mut input = input(120, offers, workloads);
    input.budgets.push(hard_budget("everything", Scope::All, "40"));
    input.effort.slots_max = 4;
    full_use(&mut input);
    input
}

fn good() -> (Input, Planned) {
    let input = scene();
    let planned = best(&input).planned;
    assert_eq!(check(&input, &planned), []);
    assert!(planned.report.waiting.is_empty());
    (input, planned)
}

/// Spoils a good plan and expects this violation, naming this object.
#[track_caller]
fn spoiled(
    object: &str,
    wanted: impl Fn(&Violation) -> bool,
    spoil: impl FnOnce(&mut Input, &mut Planned),
) {
    let (mut input, mut planned) = good();
    spoil(&mut input, &mut planned);
    expect(&input, &planned, object, wanted);
}

#[track_caller]
fn expect(input: &Input, planned: &Planned, object: &str, wanted: impl Fn(&Violation) -> bool) {
    let found = check(input, planned);
    let hit = found.iter().find(|violation| wanted(violation));
    let hit = hit.unwrap_or_else(|| panic!("not found among {found:#?}"));
    let text = hit.to_string();
    assert!(text.contains(object), "`{text}` does not name {object}");
}

fn name(id: &str) -> WorkloadId {
    id.parse().unwrap()
}

fn place(id: &str) -> OfferId {
    id.parse().unwrap()
}

/// Changes the placements of a workload, their steps alike.
fn both(planned: &mut Planned, workload: &str, change: impl Fn(&mut farthing_planner::Placement)) {
    for at in 0..planned.report.placements.len() {
        let placement = &mut planned.report.placements[at];
        if placement.workload.as_str() != workload {
            continue;
        }
        let before = placement.clone();
        change(placement);
        let after = placement.clone();
        let step = planned.plan.steps.iter_mut().find(|step| says(step, &before));
        if let Some(step) = step {
            step.cost = after.cost;
            match &mut step.action {
                Action::Start { offer, members, nodes_each, window, .. } => {
                    *offer = after.offer.unwrap();
                    (*members, *nodes_each, *window) =
                        (after.members, after.nodes_each, after.window);
                }
                Action::Scale { offer, to, nodes_each, window, .. } => {
                    *offer = after.offer.unwrap();
                    (*to, *nodes_each, *window) = (after.members, after.nodes_each, after.window);
                }
                _ => {}
            }
            step.expires = after.window.to();
        }
    }
}

fn says(step: &Step, placement: &farthing_planner::Placement) -> bool {
    match &step.action {
        Action::Start { workload, offer, window, .. }
        | Action::Scale { workload, offer, window, .. } => {
            *workload == placement.workload
                && Some(offer) == placement.offer.as_ref()
                && *window == placement.window
        }
        _ => false,
    }
}

fn step_of<'a>(planned: &'a mut Planned, workload: &str) -> &'a mut Step {
    let steps = &mut planned.plan.steps;
    steps.iter_mut().find(|step| step.action.workload() == Some(&name(workload))).unwrap()
}

fn change_workload(input: &mut Input, id: &str, change: impl Fn(&mut farthing_model::Workload)) {
    let all = &mut input.snapshot.workloads;
    let observed = all.iter_mut().find(|seen| seen.workload.id.as_str() == id).unwrap();
    change(Arc::make_mut(&mut observed.workload));
}

fn change_offer(input: &mut Input, id: &str, change: impl Fn(&mut farthing_model::Offer)) {
    let mut offers = input.offers.to_vec();
    change(offers.iter_mut().find(|offer| offer.id.as_str() == id).unwrap());
    input.offers = Arc::from(offers);
}

#[test]
fn another_input() {
    let head =
        |what: &'static str| move |found: &Violation| *found == Violation::NotThisInput(what);
    spoiled("id", head("id"), |_, planned| planned.plan.id = "other".parse().unwrap());
    spoiled("parent", head("parent"), |input, _| input.parent = Some("p".parse().unwrap()));
    spoiled("moment", head("moment"), |_, planned| planned.plan.at = at_minute(1));
    spoiled("horizon", head("horizon"), |_, planned| planned.report.horizon = span(0, 60));
}

#[test]
fn a_step_id_twice() {
    spoiled(
        "plan-1/1",
        |found| matches!(found, Violation::StepTwice(_)),
        |_, planned| planned.plan.steps[1].id = planned.plan.steps[0].id.clone(),
    );
}

#[test]
fn an_unknown_target() {
    let is = |found: &Violation| matches!(found, Violation::UnknownTarget(_));
    spoiled("ghost", is, |_, planned| {
        let step = step_of(planned, "later");
        if let Action::Start { workload, .. } = &mut step.action {
            *workload = name("ghost");
        }
    });
    spoiled("ghost", is, |_, planned| planned.report.placements[0].workload = name("ghost"));
    spoiled("node ghost", is, |_, planned| {
        let mut step = planned.plan.steps[0].clone();
        step.id = "plan-1/99".parse().unwrap();
        step.action = Action::Release { node: "ghost".parse().unwrap() };
        planned.plan.steps.push(step);
    });
}

#[test]
fn another_generation() {
    spoiled(
        "generation 7",
        |found| matches!(found, Violation::Generation { seen: 7, there: 1, .. }),
        |_, planned| step_of(planned, "later").generation = 7,
    );
}

#[test]
fn a_step_that_cannot_be_done() {
    let is = |wanted: &'static str| {
        move |found: &Violation| match found {
            Violation::Misapplied { why, .. } => *why == wanted,
            _ => false,
        }
    };
    let state = |input: &mut Input, id: &str, state: WorkloadState| {
        let all = &mut input.snapshot.workloads;
        all.iter_mut().find(|seen| seen.workload.id.as_str() == id).unwrap().state = state;
    };
    spoiled("plan-1/", is("the workload is suspended"), |input, _| {
        state(input, "later", WorkloadState::Suspended);
    });
    spoiled("plan-1/", is("the workload is finished"), |input, _| {
        state(input, "later", WorkloadState::Finished(at_minute(0)));
    });
    spoiled("plan-1/", is("a service is scaled, not started"), |_, planned| {
        let step = step_of(planned, "chat");
        if let Action::Scale { workload, offer, to, nodes_each, window, .. } = step.action.clone() {
            step.action = Action::Start { workload, offer, members: to, nodes_each, window };
        }
    });
    spoiled("plan-1/", is("a job is started, not scaled"), |_, planned| {
        let step = step_of(planned, "later");
        if let Action::Start { workload, offer, members, nodes_each, window } = step.action.clone()
        {
            let (from, to) = (0, members);
            step.action = Action::Scale { workload, offer, from, to, nodes_each, window };
        }
    });
    let before = "the replicas before are not those of the snapshot";
    spoiled("plan-1/", is(before), |_, planned| {
        if let Action::Scale { from, .. } = &mut step_of(planned, "chat").action {
            *from = 9;
        }
    });
    spoiled("plan-1/", is("it starts nothing"), |_, planned| {
        if let Action::Start { members, .. } = &mut step_of(planned, "later").action {
            *members = 0;
        }
    });
    spoiled("plan-1/", is("it changes nothing"), |_, planned| {
        if let Action::Scale { from, to, .. } = &mut step_of(planned, "chat").action {
            *from = *to;
        }
    });
    let other = |why, action: fn() -> Action| {
        spoiled("plan-1/1", is(why), move |_, planned| planned.plan.steps[0].action = action());
    };
    other("only what is placed can be suspended", || Action::Suspend { workload: name("later") });
    other("only what is suspended can be resumed", || Action::Resume { workload: name("later") });
    let twice = "another step scales the same service on the same offer";
    spoiled("plan-1/99", is(twice), |_, planned| {
        let mut again = step_of(planned, "chat").clone();
        again.id = "plan-1/99".parse().unwrap();
        planned.plan.steps.push(again);
    });
}

#[test]
fn an_expiry_that_makes_no_sense() {
    let is = |found: &Violation| matches!(found, Violation::Expiry { .. });
    spoiled("plan-1/1", is, |_, planned| planned.plan.steps[0].expires = at_minute(0));
    spoiled("plan-1/1", is, |_, planned| planned.plan.steps[0].expires = at_minute(9_999));
}

#[test]
fn steps_and_placements_say_the_same() {
    spoiled(
        "later on pair",
        |found| matches!(found, Violation::PlacementWithoutStep { .. }),
        |_, planned| {
            planned.plan.steps.retain(|step| step.action.workload() != Some(&name("later")));
        },
    );
    spoiled(
        "plan-1/",
        |found| matches!(found, Violation::StepWithoutPlacement(_)),
        |_, planned| planned.report.placements.retain(|at| at.workload != name("later")),
    );
    spoiled(
        "plan-1/",
        |found| matches!(found, Violation::StepWithoutPlacement(_)),
        |_, planned| {
            if let Action::Start { members, .. } = &mut step_of(planned, "later").action {
                *members += 1;
            }
        },
    );
    spoiled(
        "later",
        |found| matches!(found, Violation::Cost { said, .. } if *said == usd("1")),
        |_, planned| step_of(planned, "later").cost = usd("1"),
    );
}

/// An hour on spot beside an hour on demand, with time for one interruption and no more.
#[test]
fn spot_with_a_deadline_and_no_way_out() {
    let mut cheap = offer("cheap", Some("H100-80GB"), 1, "1");
    cheap.purchase = Purchase::Spot;
    let mut job = empty_job(1);
    job.work = Some(work("10"));
    job.throughput = vec![rate("H100-80GB", 1, "10", minutes(60))];
    job.deadline = Some(at_minute(90));
    job.interruptible = Some(Interruptible { checkpoint: minutes(2), restart: minutes(1) });
    let urgent = seen(workload("urgent", "5", WorkloadKind::Job(job)));
    let mut input = input(120, vec![cheap, offer("sure", Some("H100-80GB"), 1, "2")], vec![urgent]);
    input.policy.spot = Some(SpotLoss { mean_up: minutes(60), source: "test".into() });
    let planned = farthing_planner::plan(&input).unwrap();
    assert_eq!(planned.report.placements[0].offer, Some(place("cheap")));
    assert_eq!(check(&input, &planned), []);
    let spoiled = |spoil: &dyn Fn(&mut Input)| {
        let mut input = input.clone();
        spoil(&mut input);
        expect(&input, &planned, "urgent on cheap", |found| {
            matches!(found, Violation::NoWayOut { .. })
        });
    };
    spoiled(&|input| change_offer(input, "sure", |offer| offer.available = Some(100)));
    spoiled(&|input| change_offer(input, "sure", |offer| offer.purchase = Purchase::Spot));
    spoiled(&|input| {
        change_offer(input, "sure", |offer| offer.price = Price::Unknown("gone".into()));
    });
    spoiled(&|input| change_offer(input, "sure", |offer| offer.accelerator_count = 0));
    // 60 of work + 5 that is lost + 10 until the next plan are 75.
    spoiled(&|input| input.policy.replan = minutes(26));
    spoiled(&|input| input.policy.boot_max = minutes(8));
    let mut just = input.clone();
    just.policy.replan = minutes(25);
    assert_eq!(check(&just, &planned), []);
}

#[test]
fn offers_that_cannot_be_taken() {
    spoiled(
        "later on nowhere",
        |found| matches!(found, Violation::UnknownOffer { .. }),
        |_, planned| both(planned, "later", |at| at.offer = Some(place("nowhere"))),
    );
    spoiled(
        "later on pair",
        |found| matches!(found, Violation::UnknownPrice { .. }),
        |input, _| {
            change_offer(input, "pair", |offer| offer.price = Price::Unknown("gone".into()));
        },
    );
    spoiled(
        "later on pair",
        |found| matches!(found, Violation::Currency { .. }),
        |input, _| {
            change_offer(input, "pair", |offer| {
                let Price::Known(_, from) = offer.price.clone() else { return };
                offer.price = Price::Known("2.5 EUR/h".parse().unwrap(), from);
            });
        },
    );
    spoiled(
        "later on pair",
        |found| matches!(found, Violation::Spot { .. }),
        |input, _| change_offer(input, "pair", |offer| offer.purchase = Purchase::Spot),
    );
    spoiled(
        "urgent on scarce",
        |found| matches!(found, Violation::Residency { .. }),
        |input, _| change_offer(input, "scarce", |offer| offer.residency = vec!["us".into()]),
    );
    spoiled(
        "urgent on scarce",
        |found| matches!(found, Violation::Residency { .. }),
        |input, _| change_offer(input, "scarce", |offer| offer.residency.clear()),
    );
    spoiled(
        "quoted on a quoted cost",
        |found| matches!(found, Violation::Residency { .. }),
        |input, _| {
            change_workload(input, "quoted", |workload| workload.residency = vec!["eu".into()]);
        },
    );
    for change in [
        (|offer| offer.capacity.cpu_milli = 1) as fn(&mut farthing_model::Offer),
        |offer| offer.capacity.memory_bytes = 1,
        |offer| offer.capacity.storage_bytes = 1,
        |offer| offer.capacity.gpu_milli = 1,
    ] {
        spoiled(
            "later on pair",
            |found| matches!(found, Violation::Resources { .. }),
            |input, _| {
                change_offer(input, "pair", change);
                change_workload(input, "later", |workload| {
                    workload.resources.gpu_milli = 1_000;
                    workload.resources.cpu_milli = 1_000;
                    workload.resources.memory_bytes = 1_000;
                    workload.resources.storage_bytes = 1_000;
                });
            },
        );
    }
}

#[test]
fn nothing_was_measured_there() {
    let is = |found: &Violation| matches!(found, Violation::NotMeasured { .. });
    spoiled("later on small", is, |_, planned| {
        both(planned, "later", |at| at.offer = Some(place("small")));
    });
    spoiled("later on pair", is, |_, planned| both(planned, "later", |at| at.nodes_each = 1));
    spoiled("chat on scarce", is, |_, planned| {
        both(planned, "chat", |at| at.offer = Some(place("scarce")));
    });
    spoiled("quoted", is, |input, _| {
        change_workload(input, "quoted", |workload| {
            if let WorkloadKind::Job(job) = &mut workload.kind {
                job.quoted_cost = None;
            }
        });
    });
    // A job whose run is known does not cost what was quoted.
    spoiled("quoted", is, |input, _| {
        change_workload(input, "quoted", |workload| {
            if let WorkloadKind::Job(job) = &mut workload.kind {
                job.duration = Some(minutes(5));
            }
        });
    });
}

#[test]
fn a_window_that_is_no_run() {
    let is = |found: &Violation| matches!(found, Violation::RunTime { .. });
    spoiled("later", is, |_, planned| both(planned, "later", |at| at.window = span(30, 149)));
    // Boot is for bought capacity.
    spoiled("later", is, |input, _| input.policy.boot = minutes(3));
    spoiled(
        "chat",
        |found| matches!(found, Violation::ServiceWindow { .. }),
        |_, planned| {
            both(planned, "chat", |at| at.window = span(0, 60));
        },
    );
}

#[test]
fn a_start_that_is_not_allowed() {
    let is = |found: &Violation| matches!(found, Violation::Start { .. });
    spoiled("later", is, |_, planned| both(planned, "later", |at| at.window = span(29, 149)));
    spoiled("later", is, |_, planned| both(planned, "later", |at| at.window = span(120, 240)));
    spoiled("urgent", is, |_, planned| both(planned, "urgent", |at| at.window = span(-1, 59)));
}

#[test]
fn a_deadline_missed() {
    let is = |found: &Violation| matches!(found, Violation::Late { .. });
    spoiled("urgent", is, |_, planned| both(planned, "urgent", |at| at.window = span(1, 61)));
    // Only a baseline may be late, and only if it says so.
    let admit = |planned: &mut Planned| {
        both(planned, "urgent", |at| {
            at.window = span(1, 61);
            let (due, earliest) = (at_minute(60), at_minute(61));
            at.reasons = vec![farthing_model::Reason::Deadline { due, earliest }];
        });
    };
    spoiled("urgent", is, |_, planned| {
        admit(planned);
        planned.report.policy = "farthing";
    });
    let (input, mut planned) = good();
    planned.report.policy = "fifo";
    admit(&mut planned);
    assert!(!check(&input, &planned).iter().any(is));
}

#[test]
fn a_cost_that_is_not() {
    let is = |found: &Violation| matches!(found, Violation::Cost { .. });
    let more = |at: &mut farthing_planner::Placement| {
        at.cost = at.cost.checked_add(Money::from_pico(1, at.cost.currency())).unwrap();
    };
    for workload in ["urgent", "later", "quoted", "chat"] {
        spoiled(workload, is, |_, planned| both(planned, workload, more));
    }
}

#[test]
fn members_twice_or_lost() {
    let is = |placed: u64, waiting: u64| {
        move |found: &Violation| {
            matches!(found, Violation::Count { placed: p, waiting: w, members: 2, .. }
                if (*p, *w) == (placed, waiting))
        }
    };
    spoiled("quoted", is(3, 0), |_, planned| {
        let again = planned.report.placements.iter().find(|at| at.offer.is_none()).unwrap().clone();
        planned.report.placements.push(again);
    });
    spoiled("urgent", is(1, 0), |_, planned| {
        let at = planned.report.placements.iter().position(|at| at.workload == name("urgent"));
        planned.report.placements.remove(at.unwrap());
    });
    let waits = |planned: &mut Planned, id: &str, late: bool| {
        let reason = farthing_model::Reason::Capacity;
        planned.report.waiting.push(Waiting { workload: name(id), members: 1, reason, late });
    };
    spoiled("urgent", is(2, 1), |_, planned| waits(planned, "urgent", true));
    let odd = |found: &Violation| matches!(found, Violation::Waiting { .. });
    spoiled("quoted", odd, |_, planned| waits(planned, "quoted", true));
    spoiled("chat", odd, |_, planned| waits(planned, "chat", false));
    spoiled("chat", odd, |input, _| {
        input.snapshot.workloads[0].state = WorkloadState::Suspended;
    });
}

#[test]
fn more_nodes_than_can_be_had() {
    spoiled(
        "scarce",
        |found| matches!(found, Violation::Capacity { held: 2, available: 1, .. }),
        |input, _| change_offer(input, "scarce", |offer| offer.available = Some(1)),
    );
    // One after the other is fine.
    let (mut input, mut planned) = good();
    change_offer(&mut input, "scarce", |offer| offer.available = Some(1));
    change_workload(&mut input, "urgent", |workload| {
        if let WorkloadKind::Job(job) = &mut workload.kind {
            job.deadline = None;
        }
    });
    let second = planned.report.placements.iter().rposition(|at| at.workload == name("urgent"));
    let second = &mut planned.report.placements[second.unwrap()];
    let before = second.window;
    second.window = span(60, 120);
    let steps = planned.plan.steps.iter_mut().rev();
    for step in steps.take(1) {
        if let Action::Start { workload, window, .. } = &mut step.action {
            assert_eq!((workload.as_str(), *window), ("urgent", before));
            *window = span(60, 120);
        }
    }
    assert_eq!(check(&input, &planned), []);
}

#[test]
fn a_service_that_is_not_served() {
    let is = |found: &Violation| matches!(found, Violation::Unserved { .. });
    spoiled("chat", is, |input, _| {
        input.snapshot.workloads[0].demand_per_s = Some(dec("8.1"));
    });
    spoiled("chat", is, |_, planned| {
        planned.report.placements.retain(|at| at.workload != name("chat"));
    });
    // In whole slices the two kinds cannot share a bucket as they do.
    let (mut input, _) = good();
    input.snapshot.workloads[0].demand_per_s = Some(dec("9"));
    let planned = best(&input).planned;
    assert_eq!(check(&input, &planned), []);
    change_workload(&mut input, "chat", |workload| {
        if let WorkloadKind::Service(service) = &mut workload.kind {
            service.replicas_min = 9;
            service.split = Split::Slices(1);
        }
    });
    let few = |found: &Violation| matches!(found, Violation::Replicas { least: 9, .. });
    expect(&input, &planned, "chat", few);
}

#[test]
fn a_queue_that_is_too_long_or_said_to_be_shorter() {
    let offers = vec![offer("a", Some("A100-80GB"), 1, "1")];
    let mut chat = service("40", &["1"], &[("A100-80GB", &["1"])]);
    let queue = |percentile: &str| Queue {
        wait_max: SignedDuration::from_millis(100),
        percentile: percentile.parse().unwrap(),
        concurrency: 1,
    };
    chat.sizing.queue = Some(queue("0.9"));
    let input = input(60, offers, vec![seen(workload("chat", "1", WorkloadKind::Service(chat)))]);
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    let is = |found: &Violation| found.to_string().contains("wait");
    let mut stricter = input.clone();
    change_workload(&mut stricter, "chat", |workload| {
        if let WorkloadKind::Service(service) = &mut workload.kind {
            service.sizing.queue = Some(queue("0.99"));
        }
    });
    expect(&stricter, &planned, "chat", is);
    let mut rosy = planned;
    rosy.report.services[0].mix[0].late = Some(Ratio::ZERO);
    expect(&input, &rosy, "chat", is);
}

/// A schedule by hours with a night without requests.
#[test]
fn a_schedule_that_is_not_what_it_says() {
    let hour = SignedDuration::from_hours;
    let offers = vec![
        offer("a", Some("A100-80GB"), 1, "3"),
        Offer { available: Some(9), ..offer("b", Some("L4-24GB"), 1, "1") },
    ];
    let mut chat = service("8", &["1"], &[("A100-80GB", &["4"]), ("L4-24GB", &["1"])]);
    let point = |from: i64, rate: &str| RatePoint { from: hour(from), rate_per_s: dec(rate) };
    chat.sizing.target = Some(Ratio::ONE);
    chat.sizing.day = Some(Day {
        points: vec![point(0, "0"), point(6, "5"), point(9, "8"), point(22, "1")],
        length: hour(24),
        cold_start: SignedDuration::from_mins(30),
        penalty: None,
    });
    let input = input(60, offers, vec![seen(workload("chat", "1", WorkloadKind::Service(chat)))]);
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    let day = planned.report.services[0].day.clone().unwrap();
    // 4 A100-hours and more: the night is given back, and the morning is paid half an hour ahead.
    assert_eq!(day.spans[0].replicas.iter().sum::<u32>(), 0);
    assert!(day.cost.pico() > 0 && day.lower_bound.pico() <= day.cost.pico());
    let wrong = |change: &dyn Fn(&mut DayReport), expect: &str| {
        let mut other = planned.clone();
        change(other.report.services[0].day.as_mut().unwrap());
        expect_text(&input, &other, expect);
    };
    wrong(&|day| day.spans[1].rate_per_s = dec("6"), "not those of the curve");
    wrong(&|day| day.spans[2].replicas.iter_mut().for_each(|it| *it /= 2), "do not carry");
    wrong(&|day| day.cost = usd("1"), "not what its replicas cost");
    wrong(&|day| day.spans[3].cost = usd("0"), "not what its replicas cost");
    wrong(&|day| day.lower_bound = usd("99999"), "bound is above");
    wrong(&|day| day.kinds[0].0 = place("nowhere"), "unknown offer");
    let scarce = day.kinds.iter().position(|(id, _)| *id == place("b")).unwrap();
    wrong(&|day| day.spans[2].replicas[scarce] = 10, "more replicas than there are nodes");
    let mut close = input.clone();
    change_workload(&mut close, "chat", |workload| {
        if let WorkloadKind::Service(service) = &mut workload.kind {
            let day = service.sizing.day.as_mut().unwrap();
            day.penalty = Some(usd("50"));
        }
    });
    let mut kept = planned.clone();
    let day = kept.report.services[0].day.as_mut().unwrap();
    let first = day.spans[0].cost.checked_add(usd("50")).unwrap();
    (day.spans[0].cost, day.cost) = (first, day.cost.checked_add(usd("50")).unwrap());
    expect_text(&close, &kept, "over a gap in which that does not pay");
}

fn expect_text(input: &Input, planned: &Planned, text: &str) {
    let found: Vec<String> = check(input, planned).iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|found| found.contains(text)), "not `{text}` but {found:?}");
}

#[test]
fn a_slice_that_does_not_fit() {
    // Two replicas of 1 request/s each on two kinds: halves fit, one whole slice of 2 does not.
    let rows: &[(&str, &[&str])] = &[("L4-24GB", &["1"]), ("A100-80GB", &["1"])];
    let mut pair = service("2", &["1"], rows);
    pair.split = Split::Slices(2);
    pair.sizing.target = Some(Ratio::ONE);
    let offers = vec![offer("a", Some("A100-80GB"), 1, "1"), offer("b", Some("L4-24GB"), 1, "1")];
    let whole = workload("pair", "1", WorkloadKind::Service(pair));
    let mut input = input(60, offers, vec![seen(whole)]);
    let mut planned = plan_as(Baseline::Fifo, &input).unwrap();
    assert_eq!(check(&input, &planned), []);
    both(&mut planned, "pair", |at| {
        at.members = 1;
        at.cost = usd("1");
    });
    let mut other = planned.report.placements[0].clone();
    other.offer = Some(place("a"));
    let mut step = planned.plan.steps[0].clone();
    step.id = "plan-1/2".parse().unwrap();
    if let Action::Scale { offer, .. } = &mut step.action {
        *offer = place("a");
    }
    planned.plan.steps.push(step);
    planned.report.placements.push(other);
    assert_eq!(check(&input, &planned), []);
    change_workload(&mut input, "pair", |workload| {
        if let WorkloadKind::Service(service) = &mut workload.kind {
            service.split = Split::Slices(1);
        }
    });
    expect(&input, &planned, "pair", |found| matches!(found, Violation::Unserved { .. }));
}

#[test]
fn a_budget_exceeded() {
    let over = |found: &Violation| matches!(found, Violation::OverBudget { .. });
    spoiled("everything", over, |input, planned| {
        input.budgets[0].spent = usd("39");
        planned.report.budgets[0].spent = usd("39");
    });
    // The last unit counts.
    let (mut input, planned) = good();
    let cost = planned.report.cost;
    input.budgets[0].budget.limit = farthing_model::Limit::Money(cost);
    input.budgets[0].limit = farthing_model::Limit::Money(cost);
    assert!(!check(&input, &planned).iter().any(over));
    let less = cost.checked_sub(Money::from_pico(1, cost.currency())).unwrap();
    input.budgets[0].budget.limit = farthing_model::Limit::Money(less);
    input.budgets[0].limit = farthing_model::Limit::Money(less);
    expect(&input, &planned, "everything", over);
    input.budgets[0].budget.hard = false;
    assert!(!check(&input, &planned).iter().any(over));
}

/// A job from 23:00 to 02:00 at 2 USD an hour, under a budget of 4 USD a day: it takes two of
/// them today, and all of them tomorrow. Others of its team may be there already.
fn night(standing: &[(OfferId, farthing_model::Window)]) -> (Input, Planned) {
    let hours = |count: &str| {
        let mut job = empty_job(1);
        job.work = Some(work(count));
        job.throughput = vec![rate("H100-80GB", 1, "1", minutes(60))];
        job.submitted = Some(at_minute(-60));
        job
    };
    let mut all = vec![seen(workload("train", "5", WorkloadKind::Job(hours("3"))))];
    for (index, (offer, window)) in standing.iter().enumerate() {
        let mut there =
            seen(workload(&format!("there-{index}"), "5", WorkloadKind::Job(hours("3"))));
        there.state = WorkloadState::Placed(vec![farthing_model::Assignment {
            offer: offer.clone(),
            members: 1,
            nodes_each: 1,
            window: *window,
        }]);
        all.push(there);
    }
    let mut input = input(120, vec![offer("node", Some("H100-80GB"), 1, "2")], all);
    input.budgets.push(hard_budget("daily", Scope::All, "100"));
    let input = overnight(input);
    let mut planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    let new = planned.report.placements.iter().position(|at| !at.stays).unwrap();
    // The earliest start, whatever the planner took among equals.
    let window = span(-60, 120);
    planned.report.placements[new].window = window;
    if let Action::Start { window: there, .. } = &mut planned.plan.steps[0].action {
        *there = window;
    }
    planned.plan.steps[0].expires = planned.plan.steps[0].expires.min(window.to());
    let row = &mut planned.report.budgets[0];
    (row.planned, row.forecast) = (usd("2"), usd("2"));
    assert_eq!(check(&input, &planned), []);
    (input, planned)
}

fn limit_to(input: &mut Input, planned: &mut Planned, limit: Money) {
    input.budgets[0].budget.limit = farthing_model::Limit::Money(limit);
    input.budgets[0].limit = farthing_model::Limit::Money(limit);
    planned.report.budgets[0].limit = Some(limit);
}

/// The only violation is that of the day after, to the last unit.
#[track_caller]
fn fills_tomorrow(mut input: Input, mut planned: Planned, total: &str) {
    let total = usd(total);
    limit_to(&mut input, &mut planned, total);
    assert_eq!(check(&input, &planned), []);
    let limit = Money::from_pico(total.pico() - 1, total.currency());
    limit_to(&mut input, &mut planned, limit);
    let (budget, period) = ("daily".parse().unwrap(), span(0, 24 * 60));
    let over = Violation::OverLaterBudget { budget, period, total, limit };
    assert_eq!(check(&input, &planned), [over]);
    input.budgets[0].budget.hard = false;
    assert_eq!(check(&input, &planned), [], "a soft budget only warns");
}

#[test]
fn a_budget_exceeded_in_a_later_period() {
    let (input, planned) = night(&[]);
    fills_tomorrow(input, planned, "4");
    // What goes on from today takes its part of tomorrow, committed or not.
    let (input, planned) = night(&[(place("node"), span(-600, 60)), (place("node"), span(-1, 0))]);
    fills_tomorrow(input, planned, "6");
}

/// An offer that left the price book costs what its nodes were bought at.
#[test]
fn a_later_period_counts_what_left_the_price_book() {
    let (mut input, mut planned) = night(&[(place("gone"), span(-600, 60))]);
    let price = offer("gone", None, 0, "1.5").price;
    input.snapshot.nodes.push(Node {
        id: "bought".parse().unwrap(),
        offer: place("gone"),
        capacity: farthing_model::Resources::default(),
        price,
        state: NodeState::Ready,
        since: at_minute(-600),
        until: None,
    });
    limit_to(&mut input, &mut planned, usd("5.5"));
    let over = |found: &Violation| matches!(found, Violation::OverLaterBudget { .. });
    assert!(!check(&input, &planned).iter().any(over));
    limit_to(&mut input, &mut planned, usd("5.49"));
    expect(&input, &planned, "budget daily: 5.50 USD exceed its hard limit of 5.49 USD", over);
}

/// A plan is at fault for what it adds, in every period that it reaches, and for no other.
#[test]
fn later_periods_are_those_that_the_plan_adds_to() {
    let periods = |input: &Input, planned: &Planned| -> Vec<farthing_model::Window> {
        let found = check(input, planned).into_iter();
        let later = found.filter_map(|found| match found {
            Violation::OverLaterBudget { period, .. } => Some(period),
            _ => None,
        });
        later.collect()
    };
    let day = |from: i64| span(24 * 60 * from, 24 * 60 * (from + 1));
    let (mut input, mut planned) = night(&[]);
    let lasts = |planned: &mut Planned, end: i64| {
        planned.report.placements[0].window = span(-60, end);
    };
    // Two days and a half: the first of them costs 48 USD, the last half of it.
    lasts(&mut planned, 60 * 60);
    limit_to(&mut input, &mut planned, usd("48"));
    assert_eq!(periods(&input, &planned), []);
    limit_to(&mut input, &mut planned, usd("47.99"));
    assert_eq!(periods(&input, &planned), [day(0), day(1)]);
    limit_to(&mut input, &mut planned, usd("23.99"));
    assert_eq!(periods(&input, &planned), [day(0), day(1), day(2)]);
    // What it costs to look at a run of a thousand years is bounded, and it is not missed.
    lasts(&mut planned, 60 * 24 * 365 * 1_000);
    assert_eq!(periods(&input, &planned)[0], day(0));
    // A period that lasts once has none after it.
    input.budgets[0].budget.period = farthing_model::Period::Fixed(input.budgets[0].period);
    assert_eq!(periods(&input, &planned), []);
    // What stands is too much for tomorrow already, and the plan does not touch tomorrow.
    let (mut input, mut planned) = night(&[(place("node"), span(-600, 600))]);
    limit_to(&mut input, &mut planned, usd("19"));
    assert_eq!(periods(&input, &planned), [day(0)]);
    let new = planned.report.placements.iter().position(|at| !at.stays).unwrap();
    planned.report.placements[new].window = span(-60, 0);
    assert_eq!(periods(&input, &planned), []);
    // Another team's money is not the budget's.
    planned.report.placements[new].window = span(-60, 120);
    input.budgets[0].budget.scope = Scope::Team("red".parse().unwrap());
    assert_eq!(periods(&input, &planned), []);
}

/// A service that moves gives back what it had: only what it costs more than that is added.
#[test]
fn a_later_period_is_given_back_what_a_service_leaves() {
    let rows: &[(&str, &[&str])] = &[("L4-24GB", &["4"]), ("A100-80GB", &["4"])];
    let chat = workload("chat", "9", WorkloadKind::Service(service("3", &["1"], rows)));
    let mut chat = seen(chat);
    chat.state = WorkloadState::Placed(vec![farthing_model::Assignment {
        offer: place("dear"),
        members: 1,
        nodes_each: 1,
        window: span(-600, 120),
    }]);
    let offers = |cheap: &str| {
        vec![offer("cheap", Some("L4-24GB"), 1, cheap), offer("dear", Some("A100-80GB"), 1, "5")]
    };
    let mut input = input(120, offers("1"), vec![chat]);
    full_use(&mut input);
    input.budgets.push(hard_budget("daily", Scope::All, "100"));
    let mut input = overnight(input);
    let mut planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    assert!(planned.plan.steps.len() > 1, "it moves: {planned:#?}");
    // Two hours of tomorrow at 1 USD do not fit into 1 USD, but five a USD were there before.
    let over = |found: &Violation| matches!(found, Violation::OverLaterBudget { .. });
    limit_to(&mut input, &mut planned, usd("1"));
    assert!(!check(&input, &planned).iter().any(over));
    input.snapshot.workloads[0].state = WorkloadState::Waiting;
    expect(&input, &planned, "daily: 2.00 USD exceed its hard limit of 1.00 USD", over);
}

#[test]
fn a_budget_row_that_is_wrong() {
    let is = |found: &Violation| matches!(found, Violation::BudgetRow { .. });
    let spoils = [
        (|row| row.limit = None) as fn(&mut farthing_planner::BudgetRow),
        |row| row.spent = usd("1"),
        |row| row.committed = usd("1"),
        |row| row.planned = usd("1"),
        |row| row.forecast = usd("1"),
        |row| row.rung = Some(farthing_model::EscalationAction::Hold),
    ];
    for spoil in spoils {
        spoiled("everything", is, |_, planned| spoil(&mut planned.report.budgets[0]));
    }
    spoiled("everything", is, |_, planned| planned.report.budgets.clear());
    spoiled("everything", is, |_, planned| {
        planned.report.budgets.push(planned.report.budgets[0].clone());
    });
    spoiled("other", is, |_, planned| {
        let mut row = planned.report.budgets[0].clone();
        row.budget = "other".parse().unwrap();
        planned.report.budgets.push(row);
    });
}

#[test]
fn a_cut_that_could_not_be() {
    let is = |found: &Violation| matches!(found, Violation::Cut { .. });
    let cut = |budget: &str| Cut {
        budget: budget.parse::<BudgetId>().unwrap(),
        workload: name("urgent"),
        members: 1,
        value: dec("5"),
        saved: usd("4"),
        retry: None,
    };
    spoiled("urgent", is, |_, planned| planned.report.cuts.push(cut("nobody")));
    spoiled("urgent", is, |_, planned| planned.report.cuts.push(cut("everything")));
    spoiled("urgent", is, |input, planned| {
        input.budgets[0].budget.scope = Scope::Team("blue".parse().unwrap());
        planned.report.cuts.push(cut("everything"));
    });
}

#[test]
fn a_report_that_does_not_add_up() {
    let pico = |money: Money, more: i128| Money::from_pico(money.pico() + more, money.currency());
    spoiled(
        "report",
        |found| matches!(found, Violation::TotalCost { .. }),
        |_, planned| {
            planned.report.cost = pico(planned.report.cost, 1);
        },
    );
    let value = |found: &Violation| matches!(found, Violation::Value(_));
    spoiled("value", value, |_, planned| planned.report.value = dec("1"));
    spoiled("bound", value, |_, planned| planned.report.value_bound = Some(Decimal::ONE));
    let bounds = |found: &Violation| matches!(found, Violation::Bounds(_));
    spoiled("lower bound is above", bounds, |_, planned| {
        planned.report.lower_bound = Some(pico(planned.report.cost, 1));
    });
    spoiled("certified bound is above", bounds, |_, planned| {
        planned.report.certified_bound = Some(pico(planned.report.cost, 1));
    });
    spoiled("without", bounds, |_, planned| {
        planned.report.certified_bound = planned.report.lower_bound.take();
    });
    let gap = |found: &Violation| matches!(found, Violation::Gap { .. });
    spoiled("gap", gap, |_, planned| planned.report.gap = None);
    spoiled("gap", gap, |_, planned| planned.report.gap = Some(Ratio::ONE));
    spoiled("gap", gap, |_, planned| {
        planned.report.lower_bound = Some(pico(planned.report.cost, -1_000_000_000_000));
    });
    let status = |found: &Violation| matches!(found, Violation::Status(_));
    spoiled("infeasible", status, |_, planned| planned.report.status = Status::Infeasible);
    spoiled("optimal", status, |_, planned| planned.report.value_bound = None);
    spoiled("deadline", status, |_, planned| {
        planned.report.status = Status::Feasible;
        let reason = farthing_model::Reason::Capacity;
        let workload = name("urgent");
        planned.report.waiting.push(Waiting { workload, members: 1, reason, late: true });
    });
}

#[test]
fn numbers_that_do_not_fit() {
    spoiled(
        "later",
        |found| matches!(found, Violation::Overflow(_)),
        |input, _| {
            change_offer(input, "pair", |offer| {
                let Price::Known(_, from) = offer.price.clone() else { return };
                let huge = Money::from_pico(i128::MAX / 2, input_currency());
                let rate = farthing_model::HourlyRate::new(huge).unwrap();
                offer.price = Price::Known(rate, from);
            });
        },
    );
}

fn input_currency() -> farthing_model::Currency {
    farthing_model::Currency::USD
}

/// The good plan was done; planning once more keeps it all.
fn done() -> (Input, Planned) {
    let (input, planned) = good();
    let mut next = after(&input, &planned);
    next.budgets.clear();
    let again = plan_as(Baseline::Fifo, &next).unwrap();
    assert_eq!(check(&next, &again), []);
    assert_eq!(again.plan.steps, []);
    (next, again)
}

#[test]
fn what_was_placed_stays() {
    let (input, mut planned) = done();
    let gone = planned.report.placements.iter().position(|at| at.workload == name("later"));
    planned.report.placements.remove(gone.unwrap());
    expect(&input, &planned, "later on pair", |f| matches!(f, Violation::Dropped { .. }));

    let (input, mut planned) = done();
    let other = planned.report.placements.iter_mut().find(|at| at.workload == name("later"));
    other.unwrap().offer = Some(place("small"));
    expect(&input, &planned, "later on small", |f| matches!(f, Violation::WasNotThere { .. }));

    let (input, mut planned) = done();
    let twice = planned.report.placements.iter().find(|at| at.workload == name("chat")).unwrap();
    let twice = twice.clone();
    planned.report.placements.push(twice);
    expect(&input, &planned, "chat", |f| matches!(f, Violation::WasNotThere { .. }));

    // Capacity that is taken already counts.
    let (mut input, mut planned) = done();
    let mut job = empty_job(1);
    job.duration = Some(minutes(10));
    let more = workload("zmore", "1", WorkloadKind::Job(job));
    input.snapshot.workloads.push(seen(more));
    planned = plan_as(Baseline::Fifo, &Input { id: planned.plan.id, ..input.clone() }).unwrap();
    assert_eq!(check(&input, &planned), []);
    both(&mut planned, "zmore", |at| {
        at.offer = Some(place("scarce"));
        at.window = span(0, 10);
    });
    let full = |found: &Violation| matches!(found, Violation::Capacity { held: 3, .. });
    expect(&input, &planned, "scarce", full);
}

#[test]
fn a_node_released_in_use() {
    let is = |found: &Violation| matches!(found, Violation::ReleasedInUse(_));
    let (mut input, planned) = done();
    let offer = input.offers.iter().find(|offer| offer.id == place("scarce")).unwrap().clone();
    for number in 0..3 {
        input.snapshot.nodes.push(Node {
            id: format!("node-{number}").parse().unwrap(),
            offer: offer.id.clone(),
            capacity: offer.capacity,
            price: offer.price.clone(),
            state: NodeState::Ready,
            since: at_minute(-10),
            until: None,
        });
    }
    let release = |planned: &mut Planned, node: &str| {
        planned.plan.steps.push(Step {
            id: format!("plan-1/{}", planned.plan.steps.len()).parse().unwrap(),
            action: Action::Release { node: node.parse().unwrap() },
            generation: 0,
            cost: usd("0"),
            saving: usd("0"),
            reasons: Vec::new(),
            expires: at_minute(2),
        });
    };
    let mut one = planned.clone();
    release(&mut one, "node-0");
    assert_eq!(check(&input, &one), []);
    let mut two = one.clone();
    release(&mut two, "node-1");
    expect(&input, &two, "node-1", is);
    release(&mut one, "node-0");
    expect(&input, &one, "node-0", is);
}
