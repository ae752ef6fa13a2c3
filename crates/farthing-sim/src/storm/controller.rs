//! A controller of a run: the engine of the product behind a line, which is opened, ticks, stops
//! and is opened again.

use super::laws::Law;
use super::line::Line;
use super::outside::{Hub, Peer, Process};
use super::shelf::Shelf;
use farthing_engine::{Config, Engine, EngineError, Tick};
use farthing_ledger::{Books, BooksError};
use jiff::{SignedDuration, Timestamp};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The engine, as it runs here.
pub(super) type Loop = Engine<Line, Line>;

/// What a tick came to.
pub(super) enum Ticked {
    /// It went well.
    Whole(Box<Tick>),
    /// It failed; the controller lives.
    Failed,
    /// The controller stopped, and all that it knew is gone.
    Stopped,
}

/// A controller: a process that lives, or none.
pub(super) struct Controller {
    hub: Arc<Hub>,
    config: Config,
    process: Process,
    engine: Option<Loop>,
}

impl Controller {
    pub(super) const fn new(hub: Arc<Hub>, config: Config) -> Self {
        Self { hub, config, process: 0, engine: None }
    }

    pub(super) const fn process(&self) -> Process {
        self.process
    }

    pub(super) const fn engine(&mut self) -> Option<&mut Loop> {
        self.engine.as_mut()
    }

    pub(super) const fn lives(&self) -> bool {
        self.engine.is_some()
    }

    /// Whether it may not write any more: it ends then.
    pub(super) fn is_deposed(&self) -> bool {
        self.lives() && !self.hub.outside().may_write(self.process)
    }

    /// It ends.
    pub(super) fn ends(&mut self) {
        if self.engine.take().is_some() {
            self.hub.outside().auditor.stops(self.process);
        }
    }

    /// A tick, by a process that is opened where there is none.
    pub(super) fn tick(&mut self, now: Timestamp) -> Ticked {
        if self.engine.is_none() {
            self.process = self.hub.outside().begins();
        }
        let opened = self.engine.take();
        {
            let mut outside = self.hub.outside();
            outside.tick_begins();
            outside.auditor.tick_begins(self.process);
        }
        let run = AssertUnwindSafe(|| {
            let mut engine = match opened {
                Some(engine) => engine,
                None => self.open(now)?,
            };
            let ticked = engine.tick(now);
            Ok::<_, EngineError>((engine, ticked))
        });
        let result = catch_unwind(run);
        let mut outside = self.hub.outside();
        let ticked = match result {
            Err(_) => {
                outside.auditor.panicked("an engine");
                None
            }
            Ok(Err(error)) => {
                outside.auditor.failed(Law::GoesOn, by_itself(&error));
                None
            }
            Ok(Ok((engine, ticked))) => {
                self.engine = Some(engine).filter(|_| !outside.is_stopped(self.process));
                match ticked {
                    Ok(tick) => Some(tick),
                    Err(error) => {
                        outside.auditor.failed(Law::GoesOn, by_itself(&error));
                        None
                    }
                }
            }
        };
        if let Some(tick) = ticked.filter(|_| !outside.is_stopped(self.process)) {
            outside.auditor.ticked(&tick);
            return Ticked::Whole(Box::new(tick));
        }
        let outside = &mut *outside;
        outside.auditor.fails(&outside.world);
        if self.engine.is_some() { Ticked::Failed } else { Ticked::Stopped }
    }

    fn open(&self, now: Timestamp) -> Result<Loop, EngineError> {
        let line = Line::new(&self.hub, self.process);
        let books = Books::new(Arc::new(Shelf::new(&self.hub, self.process)), "memory:");
        Engine::open(self.config.clone(), line.clone(), (line, books), now)
    }
}

impl Peer for Controller {
    fn meets(&mut self, after: SignedDuration, leads: bool) {
        if leads {
            // Who waited for the lead is opened when it has it.
            self.ends();
        }
        let now = self.hub.outside().world.now();
        self.tick(now.checked_add(after).unwrap_or(now));
    }
}

/// What is wrong with a failure that nothing outside explains.
fn by_itself(error: &EngineError) -> Option<String> {
    match error {
        EngineError::World { .. }
        | EngineError::Store(_)
        | EngineError::Superseded
        | EngineError::Books(BooksError::Store { .. } | BooksError::Conflict { .. }) => None,
        error => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            Some(format!("a tick failed by itself: {error}: {}", cause.unwrap_or_default()))
        }
    }
}
