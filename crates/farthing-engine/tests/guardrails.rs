//! What the engine may do and what holds it back: modes, approvals, limits, budgets, old data.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use fake::{Lab, at, usd};
use farthing_engine::{Body, Held, PlanRecord, Stage};
use farthing_model::{
    Budget, BudgetId, Coverage, Limit, Mode, Period, Reason, Scope, StepId, TeamId,
};
use jiff::SignedDuration;

fn proposals(engine: &fake::LabEngine) -> Vec<StepId> {
    let steps = engine.open_state().steps.values();
    let proposed = steps.filter(|open| open.stage == Stage::Proposed);
    proposed.map(|open| open.step.id.clone()).collect()
}

#[test]
fn observing_proposes_nothing_and_does_nothing() {
    let lab = Lab::new(Mode::Observe, &["a"]);
    let mut engine = lab.open(0);
    for second in [0, 60, 120] {
        let tick = engine.tick(at(second)).unwrap();
        assert!(tick.planned.is_none() && tick.acted.held.is_empty());
    }
    assert!(proposals(&engine).is_empty());
    assert_eq!(lab.world.0.borrow().tried.len(), 0);
}

#[test]
fn recommending_proposes_and_does_nothing() {
    let lab = Lab::new(Mode::Recommend, &["a", "b"]);
    let mut engine = lab.open(0);
    for second in [0, 60, 120] {
        let tick = engine.tick(at(second)).unwrap();
        assert_eq!(tick.planned.unwrap().plan.steps.len(), 2);
        let held = Held::OnlyProposed(Mode::Recommend);
        assert!(tick.acted.held.iter().all(|(_, why)| *why == held), "{:?}", tick.acted.held);
    }
    for step in proposals(&engine) {
        engine.approve(&step, true, "ada", at(121)).unwrap();
    }
    engine.tick(at(122)).unwrap();
    assert_eq!(lab.world.0.borrow().tried.len(), 0, "also what is approved is only recommended");
}

#[test]
fn approving_does_exactly_what_was_approved() {
    let lab = Lab::new(Mode::Approve, &["a", "b", "c"]);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let proposed = proposals(&engine);
    assert_eq!(proposed.len(), 3);
    engine.approve(&proposed[0], true, "ada", at(5)).unwrap();
    engine.approve(&proposed[1], false, "ada", at(5)).unwrap();
    // A moment later, as in life: the word of a person outlives the tick that it was said in.
    engine.tick(at(10)).unwrap();
    assert_eq!(lab.world.0.borrow().tried, [proposed[0].clone()]);
    for second in [20, 30, 40] {
        engine.tick(at(second)).unwrap();
    }
    assert_eq!(lab.world.0.borrow().tried.len(), 1, "a rejected step is never done");
    let word = |step: &str| {
        let step = StepId::new(step).unwrap();
        move |engine: &mut fake::LabEngine| {
            engine.approve(&step, true, "ada", at(50)).unwrap_err().to_string()
        }
    };
    assert_eq!(
        word(proposed[0].as_str())(&mut engine),
        "step `p1/1` cannot be approved or rejected: it is in force since 2026-11-24T00:00:10Z; it \
         can be taken back"
    );
    assert!(
        word("p9/9")(&mut engine).contains("it is no proposal of now, which are p"),
        "{}",
        word("p9/9")(&mut engine)
    );
}

/// A no is for the thing: it holds for what is proposed of the same under a new name, until its
/// target changes.
#[test]
fn a_rejected_step_is_not_asked_for_again() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.0.borrow_mut().coverage = Coverage { expected_nanos: 1_000, measured_nanos: 0 };
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let step = proposals(&engine).remove(0);
    engine.approve(&step, false, "ada", at(5)).unwrap();
    lab.world.0.borrow_mut().coverage = Coverage { expected_nanos: 1_000, measured_nanos: 1_000 };
    for second in [300, 600, 900] {
        engine.tick(at(second)).unwrap();
        assert_eq!(lab.world.done(), 0, "at {second}");
        assert_ne!(proposals(&engine), std::slice::from_ref(&step), "it has a new name");
    }
    drop(engine);
    let mut engine = lab.open(1_000);
    engine.tick(at(1_000)).unwrap();
    assert_eq!(lab.world.done(), 0, "also after a restart");
    lab.world.0.borrow_mut().jobs[0].generation += 1;
    engine.tick(at(1_200)).unwrap();
    assert_eq!(lab.world.done(), 1, "the job was changed: it is another wish");
}

#[test]
fn an_approval_is_not_for_ever() {
    let lab = Lab::new(Mode::Approve, &["a"]);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let step = proposals(&engine).remove(0);
    engine.approve(&step, true, "ada", at(5)).unwrap();
    // The step was made for two minutes.
    let tick = engine.tick(at(600)).unwrap();
    assert_eq!(lab.world.0.borrow().tried.len(), 0);
    let anew = proposals(&engine);
    assert_eq!(anew.len(), 1, "it is proposed anew");
    let told = "step p1/1 on a was approved and not done before it expired at";
    assert!(tick.notes.iter().any(|note| note.starts_with(told)), "{:?}", tick.notes);
    assert_eq!(lab.store.notes().last().unwrap().0, "approval");
    let word = engine.approve(&step, true, "ada", at(601)).unwrap_err().to_string();
    assert!(word.ends_with(&format!("it is no proposal of now, which are {}", anew[0])), "{word}");
    // Late by a moment: before the next tick there is nothing new to name.
    let word = engine.approve(&anew[0], true, "ada", at(1_200)).unwrap_err().to_string();
    assert!(word.contains("it expired at") && word.contains("the next tick proposes"), "{word}");
    engine.tick(at(1_200)).unwrap();
    let step = proposals(&engine).remove(0);
    engine.approve(&step, true, "ada", at(1_201)).unwrap();
    engine.tick(at(1_210)).unwrap();
    assert_eq!(lab.world.done(), 1);
}

/// A proposal that stayed the same is made anew when it expires: it would never be done otherwise.
#[test]
fn a_proposal_that_expired_can_still_be_done() {
    let mut lab = Lab::new(Mode::Approve, &[]);
    lab.config.policy.idle_release = SignedDuration::from_mins(5);
    lab.world.forget_node("lone", 0);
    let mut engine = lab.open(0);
    for second in (0..3_600).step_by(300) {
        engine.tick(at(second)).unwrap();
    }
    let step = proposals(&engine).remove(0);
    engine.approve(&step, true, "ada", at(3_301)).unwrap();
    engine.tick(at(3_310)).unwrap();
    assert_eq!(lab.world.done(), 1, "the idle node is given back");
}

#[test]
fn enforcing_does_everything_once() {
    let lab = Lab::new(Mode::Enforce, &["a", "b", "c"]);
    let mut engine = lab.open(0);
    for second in [0, 60, 120] {
        engine.tick(at(second)).unwrap();
    }
    assert_eq!(lab.world.0.borrow().tried.len(), 3);
    assert_eq!(lab.world.done(), 3);
}

#[test]
fn no_more_steps_in_an_hour_than_the_limit() {
    let mut lab = Lab::new(Mode::Enforce, &["a", "b", "c", "d"]);
    lab.config.policy.limits.steps_per_hour = 2;
    let mut engine = lab.open(0);
    let first = engine.tick(at(0)).unwrap();
    assert_eq!(first.acted.receipts.len(), 2);
    assert!(first.acted.held.iter().all(|(_, held)| *held == Held::StepsPerHour(2)));
    engine.tick(at(3_599)).unwrap();
    assert_eq!(lab.world.done(), 2, "the hour is not over");
    // The limit survives a restart.
    drop(engine);
    let mut engine = lab.open(3_599);
    engine.tick(at(3_599)).unwrap();
    assert_eq!(lab.world.done(), 2, "the hour is not over");
    engine.tick(at(3_600)).unwrap();
    assert_eq!(lab.world.done(), 4);
}

#[test]
fn no_more_steps_in_an_hour_in_a_namespace_than_its_limit() {
    let mut lab = Lab::new(Mode::Enforce, &["x/a", "x/b", "x/c", "y/a", "z"]);
    lab.config.policy.limits.steps_per_namespace = Some(1);
    let mut engine = lab.open(0);
    let first = engine.tick(at(0)).unwrap();
    assert_eq!(first.acted.receipts.len(), 3, "one in x, one in y, and what is in none");
    assert!(first.acted.held.iter().all(|(_, held)| *held == Held::StepsPerNamespace(1)));
    drop(engine);
    let mut engine = lab.open(3_599);
    engine.tick(at(3_599)).unwrap();
    assert_eq!(lab.world.done(), 3, "the hour is not over");
    engine.tick(at(3_600)).unwrap();
    assert_eq!(lab.world.done(), 4);
}

/// Work is only disturbed when it may be; what is new may start at any time.
#[test]
fn a_node_is_given_back_when_work_may_be_disturbed() {
    let mut lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.forget_node("forgotten", -3_600);
    let now = at(0).as_second().rem_euclid(86_400) / 60;
    let text = |minute: i64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let span = format!("mon-sun {}-{}", text(now + 10), text(now + 20));
    lab.config.policy.disruption = vec![span.parse().unwrap()];
    let mut engine = lab.open(0);
    let early = engine.tick(at(0)).unwrap();
    assert_eq!(early.acted.receipts.len(), 1, "the job starts");
    let next = at(0).as_second() / 60 * 60 + 600;
    let next = jiff::Timestamp::from_second(next).unwrap();
    let held: Vec<&Held> = early.acted.held.iter().map(|(_, held)| held).collect();
    assert_eq!(held, [&Held::Disruption(Some(next))]);
    let later = engine.tick(at(660)).unwrap();
    assert_eq!(later.acted.receipts.len(), 1, "{:?}", later.acted);
}

/// A clock that jumps ahead and comes back does not open the hour anew.
#[test]
fn a_clock_that_jumps_does_not_lift_the_limit_of_steps() {
    let mut lab = Lab::new(Mode::Enforce, &["a", "b", "c", "d"]);
    let limits = &mut lab.config.policy.limits;
    (limits.steps_per_hour, limits.nodes_per_tick) = (2, 1);
    let mut engine = lab.open(1_800);
    for (second, done) in [(1_800, 1), (1_810, 2), (1_820, 2), (5_700, 3), (3_000, 3), (9_300, 4)] {
        engine.tick(at(second)).unwrap();
        assert_eq!(lab.world.done(), done, "at {second}");
    }
}

#[test]
fn no_more_nodes_in_a_tick_than_the_limit() {
    let mut lab = Lab::new(Mode::Enforce, &["a", "b", "c", "d"]);
    lab.config.policy.limits.nodes_per_tick = 3;
    let mut engine = lab.open(0);
    let first = engine.tick(at(0)).unwrap();
    assert_eq!(first.acted.receipts.len(), 3);
    assert_eq!(first.acted.held.len(), 1);
    assert_eq!(first.acted.held[0].1, Held::NodesPerTick(3));
    engine.tick(at(60)).unwrap();
    assert_eq!(lab.world.done(), 4);
}

/// What frees capacity goes before what takes it, although the plan names it last, so that a
/// tick that may touch few nodes gives back before it buys.
#[test]
fn nodes_are_given_back_before_others_are_bought() {
    let mut lab = Lab::new(Mode::Enforce, &["a"]);
    lab.config.policy.idle_release = SignedDuration::from_mins(5);
    lab.config.policy.limits.nodes_per_tick = 1;
    lab.world.forget_node("lone", 0);
    let mut engine = lab.open(600);
    let first = engine.tick(at(600)).unwrap();
    let planned: Vec<_> = first.planned.unwrap().plan.steps;
    let names: Vec<_> = planned.iter().map(|step| step.action.name()).collect();
    assert_eq!(names, ["start", "release"], "the order of the plan");
    assert_eq!(lab.world.0.borrow().tried, [planned[1].id.clone()]);
    let held: Vec<_> = first.acted.held.iter().map(|(step, why)| (&step.id, why)).collect();
    assert_eq!(held, [(&planned[0].id, &Held::NodesPerTick(1))]);
    engine.tick(at(660)).unwrap();
    assert_eq!(lab.world.done(), 2);
}

#[test]
fn a_service_shrinks_before_a_job_starts() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.serve("chat", 3);
    let mut engine = lab.open(600);
    let first = engine.tick(at(600)).unwrap();
    let planned: Vec<_> = first.planned.unwrap().plan.steps;
    let names: Vec<_> = planned.iter().map(|step| step.action.name()).collect();
    assert_eq!(names, ["start", "scale"], "the order of the plan");
    let tried = [planned[1].id.clone(), planned[0].id.clone()];
    assert_eq!(lab.world.0.borrow().tried, tried);
    assert_eq!(lab.world.done(), 2);
}

#[test]
fn old_data_holds_every_step() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    lab.world.0.borrow_mut().age = SignedDuration::from_secs(121);
    let tick = engine.tick(at(0)).unwrap();
    assert_eq!(tick.acted.held[0].1, Held::Stale(121));
    assert_eq!(lab.world.0.borrow().tried.len(), 0);
    lab.world.0.borrow_mut().age = SignedDuration::from_secs(120);
    engine.tick(at(60)).unwrap();
    assert_eq!(lab.world.done(), 1, "at the limit is not over it");
}

#[test]
fn too_little_coverage_in_the_snapshot_holds_every_step() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    let coverage = |measured_nanos| Coverage { expected_nanos: 1_000, measured_nanos };
    lab.world.0.borrow_mut().coverage = coverage(799);
    assert_eq!(engine.tick(at(0)).unwrap().acted.held[0].1, Held::Coverage);
    lab.world.0.borrow_mut().coverage = coverage(800);
    engine.tick(at(60)).unwrap();
    assert_eq!(lab.world.done(), 1);
}

/// The snapshot is taken before the window is measured: what counts is the newer of the two.
#[test]
fn too_little_coverage_in_this_very_tick_holds_every_step() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.forget_node("lone", 0);
    let mut engine = lab.open(0);
    lab.world.0.borrow_mut().answers.push_back(fake::Answer::Failed);
    engine.tick(at(0)).unwrap();
    lab.world.0.borrow_mut().silent = true;
    let tick = engine.tick(at(60)).unwrap();
    assert_eq!(tick.coverage.measured_nanos, 0);
    assert_eq!(tick.acted.held[0].1, Held::Coverage);
    lab.world.0.borrow_mut().silent = false;
    engine.tick(at(120)).unwrap();
    assert_eq!(lab.world.done(), 1);
}

fn budget(dollars: &str) -> Budget {
    Budget {
        id: BudgetId::new("red").unwrap(),
        scope: Scope::Team(TeamId::new("red").unwrap()),
        limit: Limit::Money(usd(dollars)),
        period: Period::Day,
        hard: true,
        escalate: Vec::new(),
        carry: None,
    }
}

/// Law 6: a step that was planned under a larger budget, and approved, is not admitted any more.
#[test]
fn a_hard_budget_refuses_a_step_although_it_was_planned() {
    let mut lab = Lab::new(Mode::Approve, &["a"]);
    lab.config.budgets = vec![budget("10")];
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let step = proposals(&engine).remove(0);
    engine.approve(&step, true, "ada", at(5)).unwrap();
    drop(engine);
    lab.config.budgets = vec![budget("3.77")];
    let mut engine = lab.open(10);
    let tick = engine.tick(at(10)).unwrap();
    // One hour and three minutes of boot at 3.60 an hour.
    let reason = Reason::OverBudget {
        budget: BudgetId::new("red").unwrap(),
        left: usd("3.77"),
        needed: usd("3.78"),
    };
    assert_eq!(tick.acted.held, [(tick.acted.held[0].0.clone(), Held::Budget(reason))]);
    assert_eq!(lab.world.0.borrow().tried.len(), 0);
}

/// Law 6: what is set aside counts before it is posted, so that two steps cannot share the room
/// of one.
#[test]
fn reservations_fill_a_hard_budget() {
    let mut lab = Lab::new(Mode::Enforce, &["a", "b", "c"]);
    lab.config.budgets = vec![budget("7.60")];
    let mut engine = lab.open(0);
    for second in [0, 60, 1_800, 3_000] {
        let tick = engine.tick(at(second)).unwrap();
        let state = &tick.budgets[0];
        let gone = state.spent.checked_add(state.committed).unwrap();
        assert!(gone.pico() <= usd("7.60").pico(), "{gone} at {second}");
        assert_eq!(lab.world.done(), 2);
    }
    assert_eq!(engine.tick(at(3_100)).unwrap().budgets[0].committed, usd("1.36"));
}

/// Three jobs of 3.78 in a budget of 11: a tenth more of it holds the third, and the journal says
/// so for as long as it is kept.
#[test]
fn what_binds_a_plan_is_journalled_with_its_price() {
    let mut lab = Lab::new(Mode::Recommend, &["a", "b", "c"]);
    lab.config.budgets = vec![budget("11")];
    lab.open(0).tick(at(0)).unwrap();
    let plans = lab.store.bodies().into_iter().filter_map(|body| match body {
        Body::Planned(plan) => Some(plan),
        _ => None,
    });
    let plans: Vec<PlanRecord> = plans.collect();
    let [plan] = plans.as_slice() else { panic!("{plans:?}") };
    assert_eq!((plan.steps.len(), plan.waiting.len()), (2, 1));
    let [binding] = plan.binding.as_slice() else { panic!("{:?}", plan.binding) };
    assert_eq!((binding.constraint.as_str(), binding.of.as_str()), ("budget", "red"));
    assert_eq!((binding.members, binding.exact), (1, true));
    assert_eq!((binding.value.as_str(), binding.cost.as_str()), ("100", "3.78 USD"));
    assert!(binding.to_string().starts_with("budget of red (+1.1"), "{binding}");
}
