//! Budgets in GPU-hours at the time of a step: what is coming counts, and what came counts once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod fake;

use fake::{Lab, at, usd};
use farthing_engine::{Answer, Ask, Held, Stage};
use farthing_model::{
    Budget, BudgetId, Limit, Mode, Period, Reason, Scope, TeamId, WorkloadState, gpu_hours,
};
use std::collections::BTreeMap;

/// Two jobs of 1.05 GPU-hours each, with their boots, under a limit.
fn lab(milli: u64) -> Lab {
    let mut lab = Lab::new(Mode::Approve, &["a", "b"]);
    lab.config.budgets = vec![Budget {
        id: BudgetId::new("red").unwrap(),
        scope: Scope::Team(TeamId::new("red").unwrap()),
        limit: Limit::GpuHoursMilli(milli),
        period: Period::Day,
        hard: true,
        escalate: Vec::new(),
        carry: None,
    }];
    lab
}

fn ask(milli: u64) -> Ask {
    Ask {
        what: "a notebook".to_owned(),
        team: TeamId::new("red").ok(),
        labels: BTreeMap::new(),
        amount: usd("0"),
        gpu_hours_milli: milli,
        expires: at(86_400),
        by: "test".to_owned(),
    }
}

#[test]
fn a_step_is_held_where_its_hours_went_to_others_since_it_was_planned() {
    let lab = lab(2_200);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let steps: Vec<_> = engine.open_state().steps.keys().cloned().collect();
    assert_eq!(steps.len(), 2, "both fit when they are planned");
    for step in &steps {
        engine.approve(step, true, "eva", at(10)).unwrap();
    }
    // Somebody else takes an hour before they are done.
    assert!(matches!(engine.claim(&ask(1_000), at(20)).unwrap(), Answer::Granted(_)));
    let tick = engine.tick(at(30)).unwrap();
    assert_eq!((lab.world.done(), tick.acted.held.len()), (1, 1));
    let Held::Budget(Reason::OverBudget { left, needed, .. }) = &tick.acted.held[0].1 else {
        panic!("{:?}", tick.acted.held)
    };
    // Of 2.2 hours 1 is claimed, and 1.05 are set aside for the step that was done.
    assert_eq!((*left, *needed), (gpu_hours(150), gpu_hours(1_050)));
    // Nor does anybody else get what is set aside.
    let Answer::Refused(short) = engine.claim(&ask(151), at(40)).unwrap() else {
        panic!("granted")
    };
    assert_eq!(short[0].by().unwrap(), "0.001 GPU-hours");
    assert!(matches!(engine.claim(&ask(150), at(40)).unwrap(), Answer::Granted(_)));
}

#[test]
fn what_is_posted_is_not_set_aside_any_more() {
    let lab = lab(5_000);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    for step in engine.open_state().steps.keys().cloned().collect::<Vec<_>>() {
        engine.approve(&step, true, "eva", at(10)).unwrap();
    }
    engine.tick(at(20)).unwrap();
    assert_eq!(lab.world.done(), 2);
    for second in (300..3_600).step_by(300) {
        engine.tick(at(second)).unwrap();
        let exposure = &engine.exposures(at(second)).unwrap()[0];
        let posted = i128::from(exposure.gpu_hours_milli);
        let running = i128::from(second - 20) * 2 * 1_000 / 3_600;
        assert!((posted - running).abs() <= 15, "{second}: {posted} and not {running}");
        // Together they stay what the steps said, to the rounding of each.
        assert!((exposure.gpu_gone_milli() - 2_100).abs() <= 4, "{second}: {exposure:?}");
    }
    // A restart knows it from the journal.
    drop(engine);
    let mut engine = lab.open(3_650);
    let exposure = &engine.exposures(at(3_650)).unwrap()[0];
    assert!((exposure.gpu_gone_milli() - 2_100).abs() <= 4, "{exposure:?}");
    // When they are finished nothing is set aside.
    engine.tick(at(4_200)).unwrap();
    engine.tick(at(4_500)).unwrap();
    assert!(engine.open_state().steps.values().all(|it| it.stage == Stage::Proposed));
    assert!(matches!(lab.world.state_of("a"), WorkloadState::Finished(_)));
    let exposure = &engine.exposures(at(4_500)).unwrap()[0];
    assert_eq!(exposure.gpu_committed_milli, 0);
    assert!(exposure.gpu_hours_milli.abs_diff(2_100) <= 15, "{exposure:?}");
}
