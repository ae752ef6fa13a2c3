//! Law 8: crash anywhere, restart: no step done twice, none lost, the journal verifies. The
//! controller stops at its k-th call to the journal or the world, before or after the call took
//! effect, for every k of a short day and a sample of them on others; then it is opened again on
//! what is left. And two controllers at once on one journal.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use farthing_edge::{Act, EdgeError, Measure, Measured, Observe, Quote};
use farthing_engine::{Engine, EngineError, StepRecord};
use farthing_model::{Money, Offer, Receipt, Snapshot, Step, StepId, Window};
use farthing_sim::{Random, Scenario};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use support::crash::{Crashing, Moment};
use support::{Parts, SharedStore, SharedWorld, SimEngine, Told, each_seed, instants, seeds};

const TICK: SignedDuration = SignedDuration::from_mins(15);

/// When the controller is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    /// At the same instant: no decision is delayed.
    AtOnce,
    /// At the next tick.
    NextTick,
}

/// What a run came to.
#[derive(Debug)]
struct Outcome {
    paid: Money,
    /// What took effect: the actions alone, as ids differ.
    actions: Vec<String>,
    calls: u64,
    crashes: u32,
}

/// Drives a scenario to its end through at most one crash.
fn run(scenario: &Scenario, at: Option<(u64, Moment)>, back: Back) -> Outcome {
    let mut parts = Parts::new(scenario, TICK);
    parts.config.effort = support::LIGHT;
    let mut engine = Crashing::new(&parts, at);
    let mut measured_to = scenario.start;
    for now in instants(scenario.start, scenario.end, TICK) {
        let mut tick = engine.tick(now);
        if tick.is_none() && (back == Back::AtOnce || now == scenario.end) {
            tick = engine.tick(now);
            assert!(tick.is_some(), "it stops once");
        }
        if let Some(tick) = tick {
            tick.unwrap_or_else(|error| panic!("at {now}: {error:?}"));
            measured_to = now;
        }
    }
    let (calls, crashes) = (engine.calls(), engine.crashes);
    drop(engine);
    // Whatever had no answer in the last tick is asked about.
    parts.open(scenario.end);
    let told = Told::by(&parts.store.verified());
    told.assert_exactly_once(&parts.world);
    // The books begin with the first record: what was paid before is nobody's.
    let begun = parts.store.verified()[0].at;
    let paid = parts.assert_sound(Window::new(begun, measured_to).unwrap());
    // A release costs by when it happens, which its action does not say.
    let action =
        |step: &&String| format!("{:?} at {}", told.proposed[*step].action, told.happened[*step]);
    let mut actions: Vec<String> = told.done().iter().map(action).collect();
    actions.sort();
    Outcome { paid, actions, calls, crashes }
}

/// The first hours of a day in which nothing goes wrong, with enough to do.
fn short_day(seed: u64, hours: i64) -> Scenario {
    let mut day = Scenario::noise_free(seed).unwrap();
    day.end = day.start + SignedDuration::from_hours(hours);
    day
}

/// What crashes at each of `calls` come to, against the run without one.
fn crash_at(scenario: &Scenario, calls: impl Iterator<Item = u64>) -> (u32, u32) {
    let calm = run(scenario, None, Back::AtOnce);
    assert_eq!(calm.crashes, 0);
    let (mut same, mut other) = (0, 0);
    for call in calls {
        for moment in [Moment::Before, Moment::After] {
            let at_once = run(scenario, Some((call, moment)), Back::AtOnce);
            assert_eq!(at_once.crashes, 1, "call {call} {moment:?} was not met");
            if at_once.actions == calm.actions {
                same += 1;
                assert_eq!(at_once.paid, calm.paid, "crash at call {call}, {moment:?}");
            } else {
                other += 1;
            }
            let later = run(scenario, Some((call, moment)), Back::NextTick);
            assert_eq!(later.crashes, 1, "call {call} {moment:?} was not met");
        }
    }
    (same, other)
}

#[test]
fn a_crash_at_every_call_of_a_short_day_loses_and_doubles_nothing() {
    let scenario = short_day(11, 3);
    let calls = run(&scenario, None, Back::AtOnce).calls;
    assert!(calls > 30, "the day has {calls} calls: too few to mean anything");
    let seeds: Vec<u64> = (0..8).collect();
    let parts = each_seed(
        ("laws_crash", "a_crash_at_every_call_of_a_short_day_loses_and_doubles_nothing"),
        &seeds,
        |part| crash_at(&scenario, (1..=calls).filter(move |call| call % 8 == part)),
    );
    let (same, other) = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    println!("{calls} calls; {same} crashes without, {other} with another end");
    assert!(same > other, "a crash that delays nothing mostly changes nothing");
}

#[test]
fn crashes_on_many_days_lose_and_double_nothing() {
    let seeds = seeds(0..12);
    let name = ("laws_crash", "crashes_on_many_days_lose_and_double_nothing");
    let crashes = each_seed(name, &seeds, |seed| {
        let mut day = Scenario::random_day(seed).unwrap();
        day.end = day.start + SignedDuration::from_hours(6);
        let calls = run(&day, None, Back::AtOnce).calls;
        let mut draw = Random::new(seed).fork("crash");
        for _ in 0..4 {
            let call = 1 + draw.below(calls);
            let moment = if draw.chance(500_000) { Moment::Before } else { Moment::After };
            let back = if draw.chance(500_000) { Back::AtOnce } else { Back::NextTick };
            // Faults are drawn as calls come, so that the day after the crash is another one.
            run(&day, Some((call, moment)), back);
        }
        calls
    });
    println!("{} days, {} calls", crashes.len(), crashes.iter().sum::<u64>());
}

#[test]
fn of_two_controllers_the_one_that_is_late_does_nothing_twice() {
    let scenario = short_day(11, 6);
    let parts = Parts::new(&scenario, TICK);
    let mut one = parts.open(scenario.start);
    let mut two = parts.open(scenario.start);
    let (mut superseded, mut acted) = (0, 0);
    for now in instants(scenario.start, scenario.end, TICK) {
        for engine in [&mut one, &mut two] {
            match engine.tick(now) {
                Ok(tick) => acted += tick.acted.receipts.len(),
                Err(EngineError::Superseded) => superseded += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert!(superseded > 0, "they never met");
    assert!(acted > 0, "nothing was done");
    drop((one, two));
    parts.open(scenario.end);
    Told::by(&parts.store.verified()).assert_exactly_once(&parts.world);
    parts.store.verified();
}

/// Where inside of the other controller's step a controller ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    BetweenIntentAndAct,
    BetweenActAndReceipt,
}

/// A world in which another controller ticks in the middle of a step.
struct Haunted {
    world: SharedWorld,
    other: Rc<RefCell<SimEngine>>,
    inside: Inside,
    met: u32,
}

impl Haunted {
    fn haunt(&mut self, now: Timestamp) {
        self.met += 1;
        match self.other.borrow_mut().tick(now) {
            Ok(_) | Err(EngineError::Superseded) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

impl Observe for Haunted {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.world.observe(now)
    }
}

impl Measure for Haunted {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.world.measure(window)
    }
}

impl Quote for Haunted {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.world.offers(now)
    }
}

impl Act for Haunted {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        if self.inside == Inside::BetweenIntentAndAct {
            self.haunt(now);
            return self.world.act(step, now);
        }
        let receipt = self.world.act(step, now);
        self.haunt(now);
        receipt
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        self.world.outcome_of(step, now)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.world.undo(step, now)
    }
}

fn haunted(inside: Inside) -> (Parts, u32) {
    let scenario = short_day(11, 6);
    let parts = Parts::new(&scenario, TICK);
    let other = Rc::new(RefCell::new(parts.open(scenario.start)));
    let world = Haunted { world: parts.world.clone(), other: Rc::clone(&other), inside, met: 0 };
    let records: (SharedStore, _) = (parts.store.clone(), parts.books.clone());
    let mut one = Engine::open(parts.config.clone(), world, records, scenario.start).unwrap();
    for now in instants(scenario.start, scenario.end, TICK) {
        match one.tick(now) {
            Ok(_) | Err(EngineError::Superseded) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    let met = one.world_mut().met;
    drop(one);
    drop(other);
    parts.open(scenario.end);
    (parts, met)
}

#[test]
fn a_controller_inside_of_anothers_step_hears_what_came_of_it() {
    let (parts, met) = haunted(Inside::BetweenActAndReceipt);
    assert!(met > 0, "they never met");
    Told::by(&parts.store.verified()).assert_exactly_once(&parts.world);
}

/// Without a lease a second controller cannot tell a step that never happened from one that is
/// about to. What holds all the same: no step is done twice, and no member is started twice.
#[test]
fn a_controller_before_anothers_step_still_doubles_nothing() {
    let (parts, met) = haunted(Inside::BetweenIntentAndAct);
    assert!(met > 0, "they never met");
    let did = parts.world.did();
    assert_eq!(did.iter().collect::<BTreeSet<_>>().len(), did.len(), "a step was done twice");
    let told = Told::by(&parts.store.verified());
    let mut started = std::collections::BTreeMap::<String, u32>::new();
    for id in &did {
        let StepRecord { action, .. } = &told.proposed[id];
        if let farthing_engine::ActionRecord::Start { workload, members, .. } = action {
            *started.entry(workload.clone()).or_default() += members;
        }
    }
    for arrival in &short_day(11, 6).jobs {
        let count = arrival.workload.job().unwrap().count;
        let started = started.get(arrival.workload.id.as_str()).copied().unwrap_or(0);
        assert!(started <= count, "{} members of {} of {count}", started, arrival.workload.id);
    }
}
