//! The ladder of a budget that acts: what it suspends, who must agree, and when it goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod fake;

use fake::{Lab, LabEngine, at, usd};
use farthing_engine::{Answer, Ask, How, Stage, Tick, Told};
use farthing_model::{
    Action, Budget, BudgetId, Currency, Escalation, EscalationAction, Limit, Mode, Money, Period,
    Ratio, Scope, StepId, TeamId, WorkloadState, gpu_hours,
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

/// The same under a limit in accelerator time; a node has one accelerator.
fn in_gpu_hours(mut lab: Lab, milli: u64) -> Lab {
    lab.config.budgets[0].limit = Limit::GpuHoursMilli(milli);
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

/// Three jobs of an hour and three minutes to boot are 3.15 GPU-hours.
#[test]
fn a_limit_in_gpu_hours_cuts_as_one_in_money_does() {
    let lab = in_gpu_hours(lab(Mode::Enforce, EscalationAction::Cut, Mode::Enforce), 2_800);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let tick = engine.tick(at(300)).unwrap();
    assert_eq!((cuts(&tick), suspended(&lab)), (vec!["b"], vec!["b"]));
    let relief = &tick.reliefs[0];
    assert!(relief.enough && relief.proven);
    // Each of the three is set aside in thousandths of an hour, rounded up.
    assert_eq!(relief.need.to_string(), "0.351000000001 GPU-hours");
    let cut = &relief.cuts[0];
    assert_eq!((cut.frees, cut.loses), (usd("3.48"), usd("0.06")));
    assert_eq!(cut.of_budget, gpu_hours(967).checked_sub(third()).unwrap());
    // Without it 2.18 hours are gone or committed: with its 0.967 the rung would be reached.
    drop(engine);
    let mut engine = lab.open(600);
    for second in [600, 900, 1_200] {
        let tick = engine.tick(at(second)).unwrap();
        assert_eq!((cuts(&tick), suspended(&lab)), (vec![], vec!["b"]), "{second}");
    }
    let limit = Limit::GpuHoursMilli(3_300);
    let told = Told { budget: "red", limit, until: Some(at(86_400)), why: "a demo", by: "eva" };
    engine.limit(&told, at(1_300)).unwrap();
    let tick = engine.tick(at(1_500)).unwrap();
    assert!(tick.notes.iter().any(|note| note.contains("has room again")), "{:?}", tick.notes);
    assert_eq!(suspended(&lab), Vec::<&str>::new());
}

/// A third of a thousandth of an hour: 58 minutes are 966 and two thirds.
fn third() -> Money {
    Money::from_pico(333_333_333, Currency::GPU_HOURS)
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

/// A service of ten replicas at 3.60 USD each, which it needs, under 600 USD a day.
fn service_lab(policy: Mode, action: EscalationAction) -> Lab {
    let lab = Lab::new(policy, &[]);
    lab.world.serve_at("chat", 90, 10);
    let budget = Budget {
        id: BudgetId::new("red").unwrap(),
        scope: Scope::Team(TeamId::new("red").unwrap()),
        limit: Limit::Money(usd("600")),
        period: Period::Day,
        hard: false,
        escalate: vec![Escalation { at: "50%".parse().unwrap(), action, mode: Mode::Enforce }],
        carry: None,
    };
    Lab { config: farthing_engine::Config { budgets: vec![budget], ..lab.config.clone() }, ..lab }
}

fn replicas(lab: &Lab) -> u32 {
    let WorkloadState::Placed(there) = lab.world.state_of("chat") else { panic!("it is placed") };
    there.iter().map(|it| it.members).sum()
}

/// A whole day, in turns of ten minutes: the replicas after each.
fn day(lab: &Lab, engine: &mut LabEngine, from: i64, to: i64) -> Vec<u32> {
    let mut seen = Vec::new();
    for second in (from..to).step_by(600) {
        let tick = engine.tick(at(second)).unwrap();
        let refused = tick.notes.iter().find(|note| note.contains("refused by the checker"));
        assert_eq!(refused, None, "{second}");
        seen.push(replicas(lab));
    }
    seen
}

#[test]
fn a_service_loses_as_many_replicas_as_the_limit_needs_and_gets_them_back() {
    let lab = service_lab(Mode::Enforce, EscalationAction::Cut);
    let mut engine = lab.open(0);
    let seen = day(&lab, &mut engine, 0, 30_000);
    assert_eq!(seen.iter().min(), Some(&10), "half is not gone yet");
    // At 8:20 h, 300 USD are spent and ten replicas would cost 564 USD more: 264 too many, and
    // each saves 56.40 USD until midnight.
    let tick = engine.tick(at(30_000)).unwrap();
    assert_eq!(replicas(&lab), 5, "{:?}", tick.reliefs);
    let relief = &tick.reliefs[0];
    assert_eq!((relief.need, relief.enough, relief.proven), (usd("264"), true, true));
    let cut = &relief.cuts[0];
    assert_eq!((cut.frees, cut.loses), (usd("282"), usd("0.90")));
    // 47.5 of 90 requests are still carried: of a value of 100 the rest is lost.
    let How::Shrink { from: 10, to: 5, carried, .. } = &cut.how else { panic!("{cut:?}") };
    assert!(carried.ppm().abs_diff(527_777) <= 1, "{carried:?}");
    assert_eq!(cut.loses_value.to_string(), "47.2223");
    let exposure = &engine.exposures(at(30_000)).unwrap()[0];
    assert_eq!(exposure.state.committed, usd("0"), "a cut commits nothing");
    assert_eq!(exposure.taken[0].step.saving, usd("282"));
    assert_eq!(exposure.taken[0].step.id, *cut.step.as_ref().unwrap());
    // It stays so until midnight: nothing flaps, nothing more is taken, and the day stays inside.
    let seen = day(&lab, &mut engine, 30_600, 86_400);
    assert!(seen.iter().all(|replicas| *replicas == 5), "{seen:?}");
    // With the next day it has them back, and what was saved is in the books.
    let tick = engine.tick(at(86_400)).unwrap();
    assert!(tick.notes.iter().any(|note| note.contains("has room again")), "{:?}", tick.notes);
    assert_eq!(replicas(&lab), 10);
    assert_eq!(lab.bill(86_400), usd("582"));
    let scores = &engine.open_state().scores;
    let usd_of = |sums: &std::collections::BTreeMap<_, _>| sums[&farthing_model::Currency::USD];
    assert_eq!((usd_of(&scores.predicted), usd_of(&scores.realised)), (usd("282"), usd("282")));
    assert_eq!(engine.open_state().steps.values().filter(|it| it.ladder.is_some()).count(), 0);
}

#[test]
fn a_service_is_suspended_to_its_fewest_replicas_and_knows_that_after_a_restart() {
    let lab = service_lab(Mode::Enforce, EscalationAction::Suspend);
    let mut engine = lab.open(0);
    day(&lab, &mut engine, 0, 30_600);
    assert_eq!(replicas(&lab), 1);
    engine.close(at(30_300)).unwrap();
    drop(engine);
    // A run that ends leaves it so, and the next one knows what to give back.
    let mut engine = lab.open(30_600);
    assert!(day(&lab, &mut engine, 30_600, 40_000).iter().all(|replicas| *replicas == 1));
    let step = engine.open_state().steps.keys().next().unwrap().clone();
    engine.undo(&step, at(40_000)).unwrap();
    assert_eq!(replicas(&lab), 10);
}

#[test]
fn a_cut_of_a_service_waits_for_a_person_and_is_proposed_once() {
    let lab = service_lab(Mode::Approve, EscalationAction::Cut);
    let mut engine = lab.open(0);
    day(&lab, &mut engine, 0, 30_600);
    assert_eq!((replicas(&lab), proposed(&engine).len()), (10, 1));
    // More is needed by and by, and what is proposed stays until it expires.
    day(&lab, &mut engine, 30_600, 32_000);
    assert_eq!(proposed(&engine).len(), 1);
    let step = proposed(&engine)[0].clone();
    engine.approve(&step, true, "eva", at(32_000)).unwrap();
    engine.tick(at(32_100)).unwrap();
    assert_eq!(replicas(&lab), 5);
    // A person takes it back.
    engine.undo(&step, at(32_200)).unwrap();
    assert_eq!(replicas(&lab), 10);
}

#[test]
fn of_jobs_and_services_those_lose_that_lose_the_least() {
    // The job is worth nothing beyond its restart; the service loses value with every replica.
    let mut lab = lab(Mode::Enforce, EscalationAction::Cut, Mode::Enforce);
    lab.world.serve_at("chat", 19, 2);
    lab.config.budgets[0].limit = Limit::Money(usd("180"));
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let tick = engine.tick(at(300)).unwrap();
    // 172.80 USD of the service, and 11.34 of the jobs: the rung is not reached by what is
    // committed and spent, so that nothing is taken.
    assert_eq!(cuts(&tick), Vec::<&str>::new());
    let limit = Limit::Money(usd("11"));
    let told = Told { budget: "red", limit, until: Some(at(86_400)), why: "a demo", by: "eva" };
    engine.limit(&told, at(400)).unwrap();
    let tick = engine.tick(at(600)).unwrap();
    let mut all = cuts(&tick);
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "chat"], "nothing is enough: {:?}", tick.reliefs);
    assert!(!tick.reliefs[0].enough);
    assert_eq!(replicas(&lab), 1, "never the last");
}

#[test]
fn a_service_under_a_limit_in_gpu_hours_loses_as_many_replicas_as_it_needs() {
    // 600 USD at 3.60 USD an hour, as above.
    let lab = in_gpu_hours(service_lab(Mode::Enforce, EscalationAction::Cut), 166_667);
    let mut engine = lab.open(0);
    let seen = day(&lab, &mut engine, 0, 30_000);
    assert_eq!(seen.iter().min(), Some(&10), "half is not gone yet");
    // At 8:20 h ten replicas had 83 hours and would have 157 more, each 15.67 of them.
    let tick = engine.tick(at(30_000)).unwrap();
    assert_eq!(replicas(&lab), 5, "{:?}", tick.reliefs);
    let relief = &tick.reliefs[0];
    assert!(relief.enough && relief.proven);
    assert!(relief.need.to_string().starts_with("73.333"), "{}", relief.need);
    assert!(relief.cuts[0].of_budget.to_string().starts_with("78.333"), "{:?}", relief.cuts[0]);
}
