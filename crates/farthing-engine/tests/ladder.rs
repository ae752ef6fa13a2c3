//! The ladder of a budget that acts: what it suspends, who must agree, and when it goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod fake;

use fake::{Lab, LabEngine, at, usd};
use farthing_engine::{Answer, Ask, Stage, Tick, Told};
use farthing_model::{
    Action, Budget, BudgetId, Escalation, EscalationAction, Limit, Mode, Period, Ratio, Scope,
    StepId, TeamId, WorkloadState,
};

/// Three jobs of 3.60 USD each under 10 USD, and a rung at all of it.
fn lab(policy: Mode, action: EscalationAction, mode: Mode) -> Lab {
    let mut lab = Lab::new(policy, &["a", "b", "c"]);
    for (name, restart_s) in [("a", 600), ("b", 60), ("c", 300)] {
        lab.world.interruptible(name, restart_s);
    }
    lab.config.budgets = vec![Budget {
        id: BudgetId::new("red").unwrap(),
        scope: Scope::Team(TeamId::new("red").unwrap()),
        limit: Limit::Money(usd("10")),
        period: Period::Day,
        hard: false,
        escalate: vec![Escalation { at: Ratio::ONE, action, mode }],
        carry: None,
    }];
    lab
}

fn suspended(lab: &Lab) -> Vec<&'static str> {
    let is = |name: &&str| lab.world.state_of(name) == WorkloadState::Suspended;
    ["a", "b", "c"].into_iter().filter(is).collect()
}

fn cuts(tick: &Tick) -> Vec<&str> {
    tick.reliefs.iter().flat_map(|it| &it.cuts).map(|cut| cut.workload.as_str()).collect()
}

fn proposed(engine: &LabEngine) -> Vec<StepId> {
    let steps = engine.open_state().steps.values();
    let ours = steps.filter(|open| open.stage == Stage::Proposed && open.ladder.is_some());
    ours.map(|open| open.step.id.clone()).collect()
}

#[test]
fn a_cut_suspends_what_loses_the_least_and_goes_on_when_there_is_room() {
    let lab = lab(Mode::Enforce, EscalationAction::Cut, Mode::Enforce);
    let mut engine = lab.open(0);
    let first = engine.tick(at(0)).unwrap();
    assert_eq!((lab.world.done(), cuts(&first)), (3, vec![]));
    // With three minutes to boot all three are 11.34 USD: one has to go, and `b` is productive
    // again the soonest.
    let second = engine.tick(at(300)).unwrap();
    assert_eq!((cuts(&second), suspended(&lab)), (vec!["b"], vec!["b"]));
    let relief = &second.reliefs[0];
    assert!(relief.enough && relief.proven);
    assert_eq!(relief.need, usd("1.340000000001"));
    // All of it less the five minutes that are paid, and a minute to start again.
    assert_eq!((relief.cuts[0].frees, relief.cuts[0].loses), (usd("3.48"), usd("0.06")));
    // It stays so: nothing flaps, and nothing is started in its place.
    for second in [600, 900, 1_200] {
        let tick = engine.tick(at(second)).unwrap();
        assert_eq!((cuts(&tick), suspended(&lab)), (vec![], vec!["b"]), "{second}");
    }
    assert_eq!(lab.world.done(), 4);
    // With a larger limit it is taken back by itself, and runs again.
    let limit = Limit::Money(usd("20"));
    let told = Told { budget: "red", limit, until: Some(at(86_400)), why: "a demo", by: "eva" };
    engine.limit(&told, at(1_300)).unwrap();
    let tick = engine.tick(at(1_500)).unwrap();
    assert!(tick.notes.iter().any(|note| note.contains("has room again")), "{:?}", tick.notes);
    engine.tick(at(1_800)).unwrap();
    assert!(matches!(lab.world.state_of("b"), WorkloadState::Placed(_)));
    assert_eq!(engine.open_state().steps.values().filter(|it| it.ladder.is_some()).count(), 0);
}

#[test]
fn a_suspension_waits_for_a_person_where_its_rung_or_the_policy_says_so() {
    for (policy, rung) in [(Mode::Enforce, Mode::Approve), (Mode::Approve, Mode::Enforce)] {
        let lab = lab(policy, EscalationAction::Suspend, rung);
        let mut engine = lab.open(0);
        engine.tick(at(0)).unwrap();
        if policy == Mode::Approve {
            let plan = engine.open_state().steps.keys().cloned().collect::<Vec<_>>();
            for step in plan {
                engine.approve(&step, true, "eva", at(10)).unwrap();
            }
            engine.tick(at(20)).unwrap();
        }
        engine.tick(at(300)).unwrap();
        assert_eq!((suspended(&lab), proposed(&engine).len()), (vec![], 3));
        // Proposed once, also when the plan is made anew.
        engine.tick(at(600)).unwrap();
        let steps = proposed(&engine);
        assert_eq!(steps.len(), 3);
        engine.approve(&steps[0], true, "eva", at(700)).unwrap();
        engine.tick(at(900)).unwrap();
        assert_eq!(suspended(&lab), ["a"]);
        let open = &engine.open_state().steps[&steps[0]];
        assert!(matches!(open.stage, Stage::InForce(_)), "it can be taken back");
        assert!(matches!(open.step.action, Action::Suspend { .. }));
        engine.undo(&steps[0], at(950)).unwrap();
        assert_eq!(suspended(&lab), Vec::<&str>::new());
    }
}

#[test]
fn a_rung_that_recommends_says_what_it_would_do_and_holds_nobody() {
    let lab = lab(Mode::Enforce, EscalationAction::Suspend, Mode::Recommend);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let tick = engine.tick(at(300)).unwrap();
    assert_eq!((cuts(&tick), suspended(&lab)), (vec!["a", "b", "c"], vec![]));
    assert_eq!(proposed(&engine), []);
    let ask = Ask {
        what: "more".to_owned(),
        team: TeamId::new("red").ok(),
        labels: std::collections::BTreeMap::new(),
        amount: usd("1"),
        gpu_hours_milli: 0,
        expires: at(3_600),
        by: "test".to_owned(),
    };
    assert!(matches!(engine.claim(&ask, at(310)).unwrap(), Answer::Granted(_)));
}

/// Cut off after every record: whatever was proposed, begun or done is known again.
#[test]
fn what_was_suspended_is_known_after_a_restart() {
    let lab = lab(Mode::Enforce, EscalationAction::Cut, Mode::Enforce);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    engine.tick(at(300)).unwrap();
    drop(engine);
    let mut engine = lab.open(400);
    let open = engine.open_state().steps.values().find(|open| open.ladder.is_some()).unwrap();
    assert!(matches!(open.stage, Stage::InForce(_)));
    assert_eq!(open.ladder.as_ref().unwrap().budget.as_str(), "red");
    engine.tick(at(600)).unwrap();
    assert_eq!(suspended(&lab), ["b"]);
    // With the next day there is room again.
    engine.tick(at(86_400)).unwrap();
    assert_eq!(suspended(&lab), Vec::<&str>::new());
}
