//! A crash of the controller at its k-th call to the outside: the process stops there, before or
//! after the call took effect, and nothing of it runs on.

use super::{Parts, SharedStore, SharedWorld};
use farthing_edge::{
    Act, EdgeError, Head, Measure, Measured, NewRecord, Observe, Quote, Record, Store,
};
use farthing_engine::{Engine, EngineError, Tick};
use farthing_model::{Offer, Receipt, Snapshot, Step, StepId, Window};
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

/// Counts the calls that change something outside, or say what has changed.
#[derive(Debug, Default)]
pub(crate) struct Fuse {
    calls: Cell<u64>,
    at: Cell<Option<(u64, Moment)>>,
}

/// What unwinds in place of a process that stops.
struct Stopped;

impl Fuse {
    pub(crate) fn new(at: Option<(u64, Moment)>) -> Rc<Self> {
        Rc::new(Self { calls: Cell::new(0), at: Cell::new(at) })
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
}

impl Observe for Fused<SharedWorld> {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.inner.observe(now)
    }
}

impl Measure for Fused<SharedWorld> {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.fuse.run(|| self.inner.measure(window))
    }
}

impl Quote for Fused<SharedWorld> {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.inner.offers(now)
    }
}

impl Act for Fused<SharedWorld> {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.fuse.run(|| self.inner.act(step, now))
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        self.fuse.run(|| self.inner.outcome_of(step, now))
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
        self.fuse.run(|| self.inner.append(expected, records))
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
    pub(crate) crashes: u32,
}

impl Crashing {
    pub(crate) fn new(parts: &Parts, at: Option<(u64, Moment)>) -> Self {
        Self { parts: parts.clone(), fuse: Fuse::new(at), engine: None, crashes: 0 }
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
                None
            }
            Err(payload) => resume_unwind(payload),
        }
    }

    fn open(
        &self,
        now: Timestamp,
    ) -> Result<Engine<Fused<SharedWorld>, Fused<SharedStore>>, EngineError> {
        let world = Fused { inner: self.parts.world.clone(), fuse: Rc::clone(&self.fuse) };
        let store = Fused { inner: self.parts.store.clone(), fuse: Rc::clone(&self.fuse) };
        Engine::open(self.parts.config.clone(), world, (store, self.parts.books.clone()), now)
    }
}
