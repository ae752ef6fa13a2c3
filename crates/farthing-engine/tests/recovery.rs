//! What the engine does when the outside fails it: clocks, measurements, answers, crashes, undo.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use fake::{Answer, Fake, Lab, Shared, at, usd, window};
use farthing_edge::{Act, Class, EdgeError, Measure, Measured, Observe, Prepared, Quote};
use farthing_engine::{Body, Engine, EngineError, Stage};
use farthing_ledger::Segment;
use farthing_model::{
    Budget, BudgetId, Limit, Mode, Offer, Period, Receipt, ReceiptOutcome, Scope, Snapshot, Step,
    StepId, Window,
};
use jiff::Timestamp;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

#[test]
fn a_clock_that_goes_back_is_noted_and_doubles_nothing() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    engine.tick(at(300)).unwrap();
    let back = engine.tick(at(120)).unwrap();
    assert!(back.window.is_none());
    assert!(back.money.paid.is_zero());
    assert!(back.notes[0].starts_with("the clock went back from"), "{:?}", back.notes);
    assert!(engine.tick(at(300)).unwrap().window.is_none(), "the same moment again");
    engine.tick(at(600)).unwrap();
    assert_eq!(lab.world.0.borrow().measured, [window(0, 300), window(300, 600)]);
    assert_eq!(lab.statement().paid, usd("0.60"));
    assert_eq!(lab.world.done(), 1);
}

#[test]
fn a_measurement_that_fails_is_noted_and_the_next_tick_goes_on() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.0.borrow_mut().answers.push_back(Answer::Failed);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    lab.world.0.borrow_mut().blind = true;
    let tick = engine.tick(at(300)).unwrap();
    assert!(tick.notes[0].contains("could not be measured"), "{:?}", tick.notes);
    assert!(tick.notes[0].contains("the exporter does not answer"), "{:?}", tick.notes);
    assert_eq!(lab.world.done(), 0, "law 7: nothing is known of this window");
    lab.world.0.borrow_mut().blind = false;
    engine.tick(at(600)).unwrap();
    assert_eq!(lab.world.0.borrow().measured, [window(300, 600)]);
    assert_eq!(lab.world.done(), 1);
    engine.tick(at(900)).unwrap();
    assert_eq!(lab.statement().paid, usd("0.30"));
}

#[test]
fn a_step_without_an_answer_that_took_effect_is_found_out() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.0.borrow_mut().answers.push_back(Answer::LostAfter);
    let mut engine = lab.open(0);
    let tick = engine.tick(at(0)).unwrap();
    assert_eq!((tick.acted.unknown.len(), tick.acted.receipts.len()), (1, 0));
    let tick = engine.tick(at(60)).unwrap();
    assert_eq!(tick.resolved.len(), 1);
    assert_eq!(tick.resolved[0].outcome, ReceiptOutcome::Done);
    assert_eq!(lab.store.receipts(), [("p1/1".to_owned(), "done".to_owned())]);
    let open = &engine.open_state().steps[&StepId::new("p1/1").unwrap()];
    assert_eq!(open.stage, Stage::InForce(at(0)), "from when the world did it");
    assert_eq!(lab.world.0.borrow().tried.len(), 1);
}

#[test]
fn a_step_without_an_answer_that_never_happened_is_planned_again() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.0.borrow_mut().answers.push_back(Answer::LostBefore);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    assert_eq!(lab.world.done(), 0);
    engine.tick(at(60)).unwrap();
    let receipts = lab.store.receipts();
    let named = |step: &str, outcome: &str| (step.to_owned(), outcome.to_owned());
    assert_eq!(receipts, [named("p1/1", "never-happened"), named("p2/1", "done")]);
    assert_eq!(lab.world.done(), 1);
    assert_eq!(lab.store.notes()[0].0, "act");
}

#[test]
fn while_the_world_cannot_say_a_step_stays_begun_and_its_budget_reserved() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.0.borrow_mut().answers.push_back(Answer::LostAfter);
    lab.world.0.borrow_mut().mute = true;
    let mut engine = lab.open(0);
    for second in [0, 60, 120] {
        engine.tick(at(second)).unwrap();
    }
    drop(engine);
    let mut engine = lab.open(130);
    let open = &engine.open_state().steps[&StepId::new("p1/1").unwrap()];
    assert_eq!((open.stage.clone(), open.reserved), (Stage::Begun, Some(usd("3.78"))));
    lab.world.0.borrow_mut().mute = false;
    engine.tick(at(180)).unwrap();
    assert_eq!(lab.store.receipts(), [("p1/1".to_owned(), "done".to_owned())]);
}

#[test]
fn a_conflict_closes_a_step_and_the_next_plan_tries_anew() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    lab.world.0.borrow_mut().answers.push_back(Answer::Conflict);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    assert!(engine.open_state().steps.is_empty(), "nothing stays reserved");
    engine.tick(at(60)).unwrap();
    let outcomes: Vec<_> = lab.store.receipts().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["conflict", "done"]);
}

#[test]
fn a_step_in_force_can_be_taken_back_once() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    let step = StepId::new("p1/1").unwrap();
    engine.undo(&step, at(60)).unwrap();
    assert_eq!(lab.world.0.borrow().undone, std::slice::from_ref(&step));
    let undone = Body::Undone { step: "p1/1".to_owned(), outcome: "done".to_owned() };
    assert!(lab.store.bodies().contains(&undone));
    assert!(matches!(engine.undo(&step, at(61)), Err(EngineError::NoStep(_))));
    engine.tick(at(300)).unwrap();
    assert_eq!(lab.statement().paid, usd("0.06"), "the node was paid for a minute");
}

#[test]
fn what_was_promised_is_what_is_settled() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    let mut verified = Vec::new();
    for second in (0..=4_200).step_by(300) {
        verified.extend(engine.tick(at(second)).unwrap().verified);
    }
    assert_eq!(verified.len(), 1);
    assert_eq!(verified[0].posted, "3.78 USD");
    assert_eq!(verified[0].predicted, verified[0].realised);
    assert!(engine.open_state().steps.is_empty());
    assert_eq!(lab.statement().paid, usd("3.78"));
}

#[test]
fn a_long_gap_between_runs_is_noted_and_a_short_one_is_measured() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    engine.tick(at(300)).unwrap();
    drop(engine);
    let mut engine = lab.open(900);
    engine.tick(at(900)).unwrap();
    assert!(lab.store.notes().is_empty(), "two ticks are no gap");
    assert_eq!(lab.statement().paid, usd("0.90"));
    drop(engine);
    let mut engine = lab.open(2_000);
    engine.tick(at(2_000)).unwrap();
    engine.tick(at(2_100)).unwrap();
    let notes = lab.store.notes();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].0, "gap");
    assert_eq!(lab.statement().paid, usd("1.00"), "what was not measured is not made up");
}

/// What a first tick bought is paid from then on, also if the controller dies before it has
/// measured anything.
#[test]
fn a_crash_after_the_first_tick_loses_no_paid_time() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    engine.tick(at(0)).unwrap();
    assert_eq!(lab.world.done(), 1);
    drop(engine);
    let mut engine = lab.open(300);
    engine.tick(at(300)).unwrap();
    engine.tick(at(600)).unwrap();
    assert_eq!(lab.statement().paid, lab.bill(600));
}

/// As above, after hours in which there was nothing to pay.
#[test]
fn a_crash_after_a_first_purchase_loses_no_paid_time() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    lab.world.0.borrow_mut().answers.extend([Answer::Failed; 25]);
    for second in (0..=7_500).step_by(300) {
        engine.tick(at(second)).unwrap();
    }
    assert_eq!(lab.world.done(), 1);
    drop(engine);
    let mut engine = lab.open(7_800);
    engine.tick(at(7_800)).unwrap();
    engine.tick(at(8_100)).unwrap();
    assert_eq!(lab.statement().paid, lab.bill(8_100));
}

/// A tick across an hour is cut in two. Telemetry is kept before charges, so that a crash in
/// between leaves an hour of telemetry without its charges; the next run posts it.
#[test]
fn telemetry_that_a_crash_kept_from_being_posted_is_posted() {
    let lab = Lab::new(Mode::Observe, &[]);
    lab.world.forget_node("lone", 0);
    let mut engine = lab.open(0);
    for second in [0, 1_800, 3_400] {
        engine.tick(at(second)).unwrap();
    }
    drop(engine);
    let measured = lab.world.look(window(3_400, 3_700));
    let (spans, samples) = (measured.spans, measured.samples);
    let segment = Segment { window: window(3_400, 3_700), spans, samples, uses: vec![] };
    lab.books.put_segment(&lab.config.cluster, &segment).unwrap();
    let mut engine = lab.open(3_700);
    engine.tick(at(3_700)).unwrap();
    assert_eq!(lab.statement().paid, lab.bill(3_700));
}

/// The labels are in the books: what was spent is known also when the workload is long gone.
#[test]
fn a_budget_by_label_knows_after_a_restart_what_closed_hours_spent() {
    let mut lab = Lab::new(Mode::Enforce, &["a"]);
    let by_label = |value: &str| Budget {
        id: BudgetId::new(value).unwrap(),
        scope: Scope::Label("project".to_owned(), value.to_owned()),
        limit: Limit::Money(usd("100")),
        period: Period::Day,
        hard: true,
        escalate: Vec::new(),
        carry: None,
    };
    lab.config.budgets = vec![by_label("alpha"), by_label("beta")];
    let mut engine = lab.open(0);
    for second in (0..=7_500).step_by(300) {
        engine.tick(at(second)).unwrap();
    }
    let spent = |engine: &mut fake::LabEngine, second| {
        let budgets = engine.tick(at(second)).unwrap().budgets;
        budgets.into_iter().map(|state| state.spent).collect::<Vec<_>>()
    };
    let before = spent(&mut engine, 7_500);
    assert_eq!(before, [usd("3.78"), usd("0")]);
    drop(engine);
    // Finished long ago: the world has forgotten the job.
    lab.world.0.borrow_mut().jobs.clear();
    let mut engine = lab.open(7_500);
    assert_eq!(spent(&mut engine, 7_500), before);
}

/// The books know the journal's end: a journal that lost its end is told, and the loop goes on.
#[test]
fn a_journal_that_lost_its_end_is_told() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let mut engine = lab.open(0);
    for second in [0, 300, 600] {
        engine.tick(at(second)).unwrap();
    }
    engine.close(at(600)).unwrap();
    let last = lab.store.bodies().pop().unwrap();
    let until = Some("2026-11-24T00:10:00Z".to_owned());
    assert_eq!(last, Body::Closed { posted_until: until });
    let marked = lab.books.hour(&lab.config.cluster, at(0)).unwrap().unwrap().journal.unwrap();
    assert_eq!(marked.seq, engine.head().seq, "the end of the run, and of its journal");
    drop(engine);
    let mut engine = lab.open(700);
    assert!(engine.tick(at(700)).unwrap().notes.is_empty(), "all is there");
    drop(engine);
    let other = Lab { store: fake::Shared::default(), ..lab };
    let mut engine = other.open(800);
    let notes = engine.tick(at(800)).unwrap().notes;
    assert!(notes[0].starts_with("the books were posted when the journal had record"), "{notes:?}");
    assert_eq!(other.store.notes()[0].0, "journal");
    assert!(engine.tick(at(900)).unwrap().notes.is_empty(), "once is enough");
}

/// Charges of closed hours that were deleted, because they were damaged, are metered again.
#[test]
fn charges_that_are_gone_are_metered_again() {
    let lab = Lab::new(Mode::Observe, &[]);
    lab.world.forget_node("lone", 0);
    let folder = tempfile::tempdir().unwrap();
    let books = farthing_ledger::Books::open_folder(folder.path()).unwrap();
    let lab = Lab { books, ..lab };
    let mut engine = lab.open(0);
    for second in (0..=14_400).step_by(300) {
        engine.tick(at(second)).unwrap();
    }
    drop(engine);
    let charges = folder.path().join("cluster=lab/charges/date=2026-11-24");
    for hour in ["hour=00.parquet", "hour=02.parquet"] {
        std::fs::remove_file(charges.join(hour)).unwrap();
    }
    let mut engine = lab.open(14_500);
    engine.tick(at(14_500)).unwrap();
    assert_eq!(lab.statement().paid, lab.bill(14_500));
}

/// A world that looks before a step is begun, and needs to be told what it wrote down.
#[derive(Clone, Debug)]
struct Careful {
    inner: Fake,
    says: Rc<RefCell<Prepared>>,
    recalled: Rc<RefCell<Vec<(StepId, String)>>>,
}

impl Careful {
    fn new(inner: &Fake) -> Self {
        let says = Prepared::Ready(Some("as it was".to_owned()));
        Self { inner: inner.clone(), says: Rc::new(RefCell::new(says)), recalled: Rc::default() }
    }

    fn open(&self, lab: &Lab, second: i64) -> Engine<Self, Shared> {
        let records = (lab.store.clone(), lab.books.clone());
        Engine::open(lab.config.clone(), self.clone(), records, at(second)).unwrap()
    }
}

impl Observe for Careful {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.inner.observe(now)
    }
}

impl Measure for Careful {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.inner.measure(window)
    }
}

impl Quote for Careful {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.inner.offers(now)
    }
}

impl Act for Careful {
    fn prepare(&mut self, _: &Step, _: Timestamp) -> Result<Prepared, EdgeError> {
        Ok(self.says.borrow().clone())
    }

    fn recall(&mut self, step: &StepId, before: &str) {
        self.recalled.borrow_mut().push((step.clone(), before.to_owned()));
    }

    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.inner.act(step, now)
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        self.inner.outcome_of(step, now)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        let outcome = match &*self.says.borrow() {
            Prepared::Refused(outcome) => outcome.clone(),
            Prepared::Held(why) => {
                return Err(EdgeError::new(Class::Transient, why.clone()));
            }
            Prepared::Ready(_) => return self.inner.undo(step, now),
        };
        Ok(Receipt { step: step.id.clone(), at: now, outcome })
    }
}

#[test]
fn what_the_world_holds_is_not_begun_and_what_it_refuses_is_planned_again() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let world = Careful::new(&lab.world);
    let mut engine = world.open(&lab, 0);
    *world.says.borrow_mut() = Prepared::Held("not on Fridays".to_owned());
    let tick = engine.tick(at(0)).unwrap();
    assert_eq!(tick.acted.held[0].1.to_string(), "not on Fridays");
    assert!(!lab.store.bodies().iter().any(|body| matches!(body, Body::Intended { .. })));
    *world.says.borrow_mut() = Prepared::Refused(ReceiptOutcome::Conflict("moved".to_owned()));
    engine.tick(at(60)).unwrap();
    assert_eq!(lab.world.done(), 0);
    *world.says.borrow_mut() = Prepared::Ready(None);
    engine.tick(at(120)).unwrap();
    let outcomes: Vec<_> = lab.store.receipts().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["conflict", "done"]);
}

#[test]
fn what_the_world_wrote_down_is_told_to_it_again() {
    let lab = Lab::new(Mode::Enforce, &["a"]);
    let world = Careful::new(&lab.world);
    lab.world.0.borrow_mut().answers.push_back(Answer::LostAfter);
    world.open(&lab, 0).tick(at(0)).unwrap();
    let step = StepId::new("p1/1").unwrap();
    let told = (step.clone(), "as it was".to_owned());
    // After a crash it is asked what became of the step.
    let mut engine = world.open(&lab, 10);
    assert_eq!(*world.recalled.borrow(), std::slice::from_ref(&told));
    // What moved on, or cannot be reached, stays in force.
    *world.says.borrow_mut() = Prepared::Refused(ReceiptOutcome::Conflict("moved".to_owned()));
    let error = engine.undo(&step, at(20)).unwrap_err();
    assert!(matches!(error, EngineError::NotUndone { why, .. } if why == "moved"));
    *world.says.borrow_mut() = Prepared::Held("no answer".to_owned());
    let error = engine.undo(&step, at(20)).unwrap_err();
    assert!(matches!(error, EngineError::World { .. }), "{error}");
    assert!(engine.open_state().steps.contains_key(&step));
    *world.says.borrow_mut() = Prepared::Ready(None);
    engine.undo(&step, at(30)).unwrap();
    assert_eq!(*world.recalled.borrow(), [told.clone(), told.clone(), told.clone(), told]);
}

/// Runs that ended before their first tick lose nothing that was paid since the first one began.
#[test]
fn measuring_begins_where_the_first_run_did() {
    let lab = Lab::new(Mode::Observe, &["a"]);
    for second in [0, 60] {
        drop(lab.open(second));
    }
    let mut engine = lab.open(120);
    let tick = engine.tick(at(300)).unwrap();
    assert_eq!(tick.window, Window::new(at(0), at(300)).ok());
}
