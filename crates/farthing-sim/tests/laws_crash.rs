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
use farthing_engine::{Engine, EngineError, StepRecord, Tick};
use farthing_model::{Money, Node, Observed, Offer, Receipt, Snapshot, Step, StepId, Window};
use farthing_sim::{FaultRates, Random, Scenario};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use support::crash::{Crashing, Defect, Moment};
use support::law8::{self, Left};
use support::{Parts, SharedStore, SharedWorld, SimEngine, Told, each_seed, instants, seeds};

const TICK: SignedDuration = SignedDuration::from_mins(15);

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// The call at which the controller stops.
    at: Option<(u64, Moment)>,
    /// Whether it is back at the next tick, and not at the same instant.
    late: bool,
    defect: Option<Defect>,
}

/// What a run came to.
#[derive(Debug)]
struct Outcome {
    /// What breaks law 8.
    faults: Vec<String>,
    end: End,
    calls: u64,
    crashes: u32,
}

/// The end of a run, steps' names aside.
#[derive(Debug)]
struct End {
    paid: Money,
    /// What was done, and when.
    actions: Vec<(Timestamp, String)>,
    /// What was begun and not done, and when.
    undone: Vec<(Timestamp, String)>,
    /// Everything that happened in the world, and when.
    history: Vec<String>,
    /// What is there.
    nodes: Vec<Node>,
    workloads: Vec<Observed>,
}

/// Drives a scenario to its end through at most one crash.
fn run(scenario: &Scenario, trouble: Trouble) -> Outcome {
    let mut parts = Parts::new(scenario, TICK);
    parts.config.effort = support::LIGHT;
    let mut engine = Crashing::new(&parts, trouble.at, trouble.defect);
    let mut faults = Vec::new();
    let mut last: Option<Tick> = None;
    for now in instants(scenario.start, scenario.end, TICK) {
        let mut tick = engine.tick(now);
        if tick.is_none() && (!trouble.late || now == scenario.end) {
            tick = engine.tick(now);
            assert!(tick.is_some(), "it stops once");
        }
        match tick {
            None => {}
            Some(Ok(tick)) => last = Some(tick),
            Some(Err(error)) => faults.push(format!("the tick at {now} failed: {error}")),
        }
    }
    let (calls, crashes) = (engine.calls(), engine.crashes);
    let open = engine.again(scenario.end).unwrap();
    drop(engine);
    let seen = last.expect("some tick is whole").snapshot;
    let measured_to = seen.at;
    let exact = scenario.faults == FaultRates::default();
    let left = Left { parts: &parts, open: &open, seen: &seen, measured_to, exact };
    faults.extend(law8::faults(&left));
    let there = parts.world.clone().observe(scenario.end).unwrap();
    let begun = parts.store.since(0)[0].at;
    let (actions, undone) = law8::actions(&parts.store.since(0));
    let end = End {
        actions,
        undone,
        paid: parts.statement(Window::new(begun, measured_to).unwrap()).paid,
        history: parts.world.history(),
        nodes: there.nodes,
        workloads: there.workloads,
    };
    Outcome { faults, end, calls, crashes }
}

/// The first hours of a day in which nothing goes wrong, with enough to do.
fn short_day(seed: u64, hours: i64) -> Scenario {
    let mut day = Scenario::noise_free(seed).unwrap();
    day.end = day.start + SignedDuration::from_hours(hours);
    day
}

/// A run in which law 8 holds through a crash that is met.
fn sound(scenario: &Scenario, at: (u64, Moment), late: bool) -> End {
    let outcome = run(scenario, Trouble { at: Some(at), late, defect: None });
    let what = format!("call {at:?}, late {late}");
    assert_eq!(outcome.faults, [""; 0], "{what}");
    assert_eq!(outcome.crashes, 1, "{what} was not met");
    outcome.end
}

/// What crashes at each of `calls` come to, against the run without one: how many delay nothing,
/// and how many do.
fn crash_at(scenario: &Scenario, calls: impl Iterator<Item = u64>) -> (u32, u32) {
    let calm = run(scenario, Trouble::default());
    assert_eq!((calm.faults, calm.crashes), (Vec::new(), 0));
    let (mut same, mut delayed) = (0, 0);
    for call in calls {
        for moment in [Moment::Before, Moment::After] {
            let end = sound(scenario, (call, moment), false);
            let what = format!("crash at call {call}, {moment:?}");
            // A step that provably never happened may be planned again and done at once.
            if end.undone.is_empty() || end.actions == calm.end.actions {
                end.is_the_same(&calm.end, &what);
                same += 1;
            } else {
                end.differs_by_a_delay(&calm.end, &what);
                delayed += 1;
            }
            // Each call once before and once after it, in turn.
            if (call % 2 == 0) == (moment == Moment::Before) {
                sound(scenario, (call, moment), true);
            }
        }
    }
    (same, delayed)
}

impl End {
    fn is_the_same(&self, calm: &Self, what: &str) {
        assert_eq!(self.actions, calm.actions, "{what}");
        assert_eq!(self.paid, calm.paid, "{what}");
        assert_eq!(self.history, calm.history, "{what}");
        assert_eq!((&self.nodes, &self.workloads), (&calm.nodes, &calm.workloads), "{what}");
    }

    /// The one difference that a crash may make where the controller is back at once: a step that
    /// it was about to do is not done at this tick, as it provably never happened or as its target
    /// has changed since it was planned. Before that tick nothing differs; in it everything else is
    /// done, and nothing more; later ticks plan for what they find.
    fn differs_by_a_delay(&self, calm: &Self, what: &str) {
        let [(at, action)] = self.undone.as_slice() else {
            panic!("{what}: it differs, and not by one step: {:?}", self.undone);
        };
        let before = |end: &Self| -> Vec<(Timestamp, String)> {
            end.actions.iter().filter(|(done, _)| done < at).cloned().collect()
        };
        assert_eq!(before(self), before(calm), "{what}: before it");
        let in_it = |end: &Self| -> Vec<String> {
            let done = end.actions.iter().filter(|(done, _)| done == at);
            done.map(|(_, action)| action.clone()).collect()
        };
        let mut with_it = in_it(self);
        with_it.push(action.clone());
        with_it.sort();
        assert_eq!(with_it, in_it(calm), "{what}: in its tick");
    }
}

#[test]
fn a_crash_at_every_call_of_a_short_day_loses_and_doubles_nothing() {
    let scenario = short_day(11, 3);
    let calls = run(&scenario, Trouble::default()).calls;
    assert!(calls > 30, "the day has {calls} calls: too few to mean anything");
    let seeds: Vec<u64> = (0..8).collect();
    let parts = each_seed(
        ("laws_crash", "a_crash_at_every_call_of_a_short_day_loses_and_doubles_nothing"),
        &seeds,
        |part| crash_at(&scenario, (1..=calls).filter(move |call| call % 8 == part)),
    );
    let sum = |sum: (u32, u32), part: &(u32, u32)| (sum.0 + part.0, sum.1 + part.1);
    let (same, delayed) = parts.iter().fold((0, 0), sum);
    println!("{calls} calls; {same} crashes change nothing, {delayed} delay a step");
    assert!(same > 0 && delayed > 0, "both kinds are met");
}

/// Each defect breaks the law after some crash, and is seen to.
#[test]
fn a_controller_a_journal_or_a_world_that_breaks_the_law_is_caught() {
    let scenario = short_day(11, 2);
    let calls = run(&scenario, Trouble::default()).calls;
    let seeds: Vec<u64> = (0..Defect::ALL.len()).map(|at| at as u64).collect();
    let name = ("laws_crash", "a_controller_a_journal_or_a_world_that_breaks_the_law_is_caught");
    each_seed(name, &seeds, |at| {
        let defect = Defect::ALL[usize::try_from(at).unwrap()];
        let caught = (1..=calls).find_map(|call| {
            let at = Some((call, Moment::After));
            let outcome = run(&scenario, Trouble { at, late: false, defect: Some(defect) });
            let mut faults = outcome.faults.into_iter();
            faults.find(|fault| fault.contains(defect.is_told_as())).map(|fault| (call, fault))
        });
        let (call, fault) = caught.unwrap_or_else(|| panic!("{defect:?} is not caught"));
        println!("{defect:?} is seen after a crash at call {call}: {fault}");
    });
}

#[test]
fn crashes_on_many_days_lose_and_double_nothing() {
    let seeds = seeds(0..12);
    let name = ("laws_crash", "crashes_on_many_days_lose_and_double_nothing");
    let crashes = each_seed(name, &seeds, |seed| {
        let mut day = Scenario::random_day(seed).unwrap();
        day.end = day.start + SignedDuration::from_hours(6);
        let Outcome { calls, faults, .. } = run(&day, Trouble::default());
        assert_eq!(faults, [""; 0], "without a crash");
        let mut draw = Random::new(seed).fork("crash");
        for _ in 0..4 {
            let call = 1 + draw.below(calls);
            let moment = if draw.chance(500_000) { Moment::Before } else { Moment::After };
            // Faults are drawn as calls come, so that the day after the crash is another one.
            let at = Some((call, moment));
            let late = draw.chance(500_000);
            let outcome = run(&day, Trouble { at, late, defect: None });
            assert_eq!(outcome.faults, [""; 0], "call {call} {moment:?}, late {late}");
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
    // A tick begins with what others wrote; they meet inside of each other's ticks, below.
    assert_eq!(superseded, 0, "in turn they never meet");
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
