//! A crash of the controller at its k-th call to the outside: the process stops there, before or
//! after the call took effect, and nothing of it runs on.

use super::{Parts, SharedStore, SharedWorld};
use farthing_edge::{
    Act, Class, EdgeError, Head, Measure, Measured, NewRecord, Observe, Quote, Record, RecordKind,
    Store,
};
use farthing_engine::{Body, Engine, EngineError, Open, Tick};
use farthing_model::{Money, Offer, Receipt, Snapshot, Step, StepId, Window};
use jiff::Timestamp;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

/// Where the process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The call never reached the outside.
    Before,
    /// The call took effect, and nobody heard.
    After,
}

/// What a controller, a journal or a world may get wrong about law 8. Each is put between a sound
/// engine and a sound world, as it would look from outside, so that a guard can be shown to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The journal answers before it has written: what was appended last is gone after a crash.
    LosesTheLastAppend,
    /// A step is begun and nobody wrote that it would be.
    WritesNoIntent,
    /// A step is done, and what came of it is never written down.
    WritesNoReceipt,
    /// A step costs something that nobody set aside.
    ReservesNothing,
    /// What was set aside is freed again and again.
    SettlesTwice,
    /// What was set aside is never freed.
    SettlesNothing,
    /// The posted amount of a settled step is another one.
    SettlesMore,
    /// The world does a step whenever it is asked, under a name of its own.
    ActsTwice,
    /// The world forgets what it did.
    Forgets,
    /// The world never says what became of a step.
    NeverAnswers,
    /// A node is left out of what is measured.
    MissesANode,
}

impl Defect {
    pub(crate) const ALL: [Self; 11] = [
        Self::LosesTheLastAppend,
        Self::WritesNoIntent,
        Self::WritesNoReceipt,
        Self::ReservesNothing,
        Self::SettlesTwice,
        Self::SettlesNothing,
        Self::SettlesMore,
        Self::ActsTwice,
        Self::Forgets,
        Self::NeverAnswers,
        Self::MissesANode,
    ];

    /// Words of the fault that a guard must find.
    pub(crate) const fn is_told_as(self) -> &'static str {
        match self {
            Self::LosesTheLastAppend | Self::Forgets => "and is said to at []",
            Self::WritesNoIntent => "has an outcome and no intent",
            Self::WritesNoReceipt | Self::NeverAnswers => "is intended and forgotten",
            Self::ReservesNothing => "is begun without a reservation",
            Self::SettlesTwice => "is settled twice",
            Self::SettlesNothing => "ended, and its reservation is open",
            Self::SettlesMore => "is settled of",
            Self::ActsTwice => "happened, and nobody planned it",
            Self::MissesANode => "are in the books, and the nodes cost",
        }
    }

    /// What is written in place of some records.
    fn writes(self, records: &[NewRecord]) -> Vec<NewRecord> {
        let changed = |record: &NewRecord| -> Vec<NewRecord> {
            let record = record.clone();
            match (self, record.kind) {
                (Self::WritesNoIntent, RecordKind::Intended)
                | (Self::WritesNoReceipt, RecordKind::Receipted)
                | (Self::ReservesNothing, RecordKind::Reserved)
                | (Self::SettlesNothing, RecordKind::Settled) => Vec::new(),
                (Self::SettlesTwice, RecordKind::Settled) => vec![record.clone(), record],
                (Self::SettlesMore, RecordKind::Settled) => vec![settles_more(record)],
                _ => vec![record],
            }
        };
        records.iter().flat_map(changed).collect()
    }
}

fn settles_more(NewRecord { at, kind, body }: NewRecord) -> NewRecord {
    let (previous, hash) = (Head::GENESIS.hash, Head::GENESIS.hash);
    let record = Record { seq: 1, at, kind, body, previous, hash };
    let Body::Settled { step, posted } = Body::read(&record).unwrap() else { panic!("it settles") };
    let posted: Money = posted.parse().unwrap();
    let more = Money::from_pico(posted.pico() + 1, posted.currency());
    Body::Settled { step, posted: more.to_string() }.seal(at).unwrap()
}

/// Counts the calls that change something outside, or say what has changed.
#[derive(Debug, Default)]
pub(crate) struct Fuse {
    calls: Cell<u64>,
    /// How many records the last append has put there.
    appended: Cell<usize>,
    at: Cell<Option<(u64, Moment)>>,
}

/// What unwinds in place of a process that stops.
struct Stopped;

impl Fuse {
    pub(crate) fn new(at: Option<(u64, Moment)>) -> Rc<Self> {
        Rc::new(Self { at: Cell::new(at), ..Self::default() })
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.get()
    }

    fn run<T>(&self, call: impl FnOnce() -> T) -> T {
        let number = self.calls.get() + 1;
        self.calls.set(number);
        let stops = |moment| self.at.get() == Some((number, moment));
        if stops(Moment::Before) {
            resume_unwind(Box::new(Stopped));
        }
        let result = call();
        if stops(Moment::After) {
            resume_unwind(Box::new(Stopped));
        }
        result
    }
}

/// A world or a journal behind a fuse.
#[derive(Debug)]
pub(crate) struct Fused<T> {
    inner: T,
    fuse: Rc<Fuse>,
    defect: Option<Defect>,
}

impl Observe for Fused<SharedWorld> {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.inner.observe(now)
    }
}

impl Measure for Fused<SharedWorld> {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let measured = self.fuse.run(|| self.inner.measure(window));
        measured.map(|mut measured| {
            if self.defect == Some(Defect::MissesANode) {
                measured.spans.pop();
            }
            measured
        })
    }
}

impl Quote for Fused<SharedWorld> {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.inner.offers(now)
    }
}

impl Act for Fused<SharedWorld> {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        if self.defect == Some(Defect::ActsTwice) {
            let id = StepId::new(&format!("{}-again", step.id)).unwrap();
            let again = Step { id, ..step.clone() };
            self.inner.act(&again, now)?;
        }
        self.fuse.run(|| self.inner.act(step, now))
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        let outcome = self.fuse.run(|| self.inner.outcome_of(step, now));
        match self.defect {
            Some(Defect::Forgets) => Ok(None),
            Some(Defect::NeverAnswers) => {
                Err(EdgeError::new(Class::Transient, format!("step {step}: no answer")))
            }
            _ => outcome,
        }
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.fuse.run(|| self.inner.undo(step, now))
    }
}

impl Store for Fused<SharedStore> {
    fn head(&self) -> Result<Head, EdgeError> {
        self.inner.head()
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        let records = self.defect.map_or(records.to_vec(), |defect| defect.writes(records));
        self.fuse.appended.set(0);
        self.fuse.run(|| {
            self.fuse.appended.set(records.len());
            self.inner.append(expected, &records)
        })
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        self.inner.read(from, limit)
    }
}

/// An engine that stops where its fuse says, once, and is then opened again on what it left.
#[derive(Debug)]
pub(crate) struct Crashing {
    parts: Parts,
    fuse: Rc<Fuse>,
    engine: Option<Engine<Fused<SharedWorld>, Fused<SharedStore>>>,
    defect: Option<Defect>,
    pub(crate) crashes: u32,
}

impl Crashing {
    pub(crate) fn new(parts: &Parts, at: Option<(u64, Moment)>, defect: Option<Defect>) -> Self {
        Self { parts: parts.clone(), fuse: Fuse::new(at), engine: None, defect, crashes: 0 }
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.fuse.calls()
    }

    /// One tick, on an engine that is opened where there is none; `None`: it stopped on the way,
    /// and all that it knew is gone.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Option<Result<Tick, EngineError>> {
        let opened = self.engine.take();
        let run = AssertUnwindSafe(|| {
            let mut engine = match opened {
                Some(engine) => engine,
                None => self.open(now)?,
            };
            let tick = engine.tick(now)?;
            Ok((engine, tick))
        });
        match catch_unwind(run) {
            Ok(Ok((engine, tick))) => {
                self.engine = Some(engine);
                Some(Ok(tick))
            }
            Ok(Err(error)) => Some(Err(error)),
            Err(payload) if payload.is::<Stopped>() => {
                self.crashes += 1;
                if self.defect == Some(Defect::LosesTheLastAppend) {
                    self.parts.store.lose(self.fuse.appended.get());
                }
                None
            }
            Err(payload) => resume_unwind(payload),
        }
    }

    /// The process ends and is started once more: whatever had no answer is asked about. What it
    /// then believes is open.
    pub(crate) fn again(&mut self, now: Timestamp) -> Result<Open, EngineError> {
        self.engine = None;
        self.fuse.at.set(None);
        Ok(self.open(now)?.open_state().clone())
    }

    fn open(
        &self,
        now: Timestamp,
    ) -> Result<Engine<Fused<SharedWorld>, Fused<SharedStore>>, EngineError> {
        let (fuse, defect) = (&self.fuse, self.defect);
        let world = Fused { inner: self.parts.world.clone(), fuse: Rc::clone(fuse), defect };
        let store = Fused { inner: self.parts.store.clone(), fuse: Rc::clone(fuse), defect };
        Engine::open(self.parts.config.clone(), world, (store, self.parts.books.clone()), now)
    }
}
