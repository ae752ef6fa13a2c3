//! The contracts that adapters implement, their errors, and the suite that they must pass.
//!
//! Pure: this crate states what the outside must do and knows nothing of how. A trait has at most
//! six methods; everything is synchronous, because one thread runs the loop (ADR 0003). `now` is
//! an argument below the engine; only a [`Clock`] knows the time.
//!
//! Start with [`Observe`], [`Act`] and [`Store`]; [`chain`] says how the journal is chained.

pub mod chain;
pub mod check;
pub mod conformance;
mod error;
mod fetch;
mod memory;
mod notify;

pub use chain::{ChainFault, Head, NewRecord, Record, RecordKind};
pub use error::{Class, EdgeError};
pub use fetch::{Fetch, Question, Reply};
pub use memory::MemoryStore;
pub use notify::{Alert, Change, Notice, Notify, Severity};

use farthing_model::{
    Coverage, DeviceUse, NodeSpan, Offer, Receipt, ReceiptOutcome, Sample, Snapshot, Step, StepId,
    Window, WorkloadId,
};
use jiff::Timestamp;
use std::sync::Arc;

/// Tells the time. Below the engine nothing else may.
pub trait Clock {
    /// The current time. It may go back (a machine's clock is set); callers must take it.
    fn now(&self) -> Timestamp;
}

/// Looks at the world.
pub trait Observe {
    /// One consistent snapshot.
    ///
    /// Guarantees: nodes and workloads sorted by id, each id once; every part's age is stated,
    /// also when it is stale; nothing is guessed for what could not be read.
    ///
    /// # Errors
    /// The world cannot be reached at all. A single bad object is left out and listed in
    /// [`Measured::faults`] of the next measurement instead.
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError>;
}

/// Measures what is paid and what is used.
pub trait Measure {
    /// Everything measured in `window`, which starts where the last one ended.
    ///
    /// Guarantees: every span and sample lies inside `window`; a node that was paid in it has a
    /// span, measured or not; amounts are not negative.
    ///
    /// # Errors
    /// Nothing can be measured. The engine then accounts the window as not measured.
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError>;
}

/// What was measured in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The paid nodes, sorted by node and window.
    pub spans: Vec<NodeSpan>,
    /// The use, sorted by node, resource, attribution and window.
    pub samples: Vec<Sample>,
    /// What devices did, sorted by node, device, slice, attribution and window.
    pub uses: Vec<DeviceUse>,
    /// How much of what was expected was measured.
    pub coverage: Coverage,
    /// What could not be read, and why; the rest goes on.
    pub faults: Vec<String>,
    /// Requests that were made since the last measurement, where somebody is asked.
    pub requests: u64,
}

/// Quotes what can be bought.
pub trait Quote {
    /// The offers at a moment, sorted by id, each id once.
    ///
    /// # Errors
    /// No price can be read at all.
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError>;

    /// What could be bought for a workload that waits for room; nothing where its nodes are bought
    /// without us, and where nobody knows.
    ///
    /// Guarantees: members of the workload may be put on each; sorted by offer and pool.
    ///
    /// # Errors
    /// The world cannot be reached.
    fn to_buy(&mut self, _for: &WorkloadId, _now: Timestamp) -> Result<Vec<Buyable>, EdgeError> {
        Ok(Vec::new())
    }
}

/// Something that could be bought for what waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buyable {
    /// What.
    pub offer: Offer,
    /// How many members find room on one node of it.
    pub members: u32,
    /// The pool of an autoscaler that would buy it if it were told so.
    pub pool: Option<String>,
    /// The generation of the pool.
    pub generation: u64,
    /// What people do to buy it, where no pool would.
    pub how: String,
}

/// What a world says to a step before it is begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It can be done. What taking it back needs, in the world's own words, is written down before
    /// it is done; `None`: nothing.
    Ready(Option<String>),
    /// Not now, and why: it is tried again while it holds.
    Held(String),
    /// Not at all: the target changed, or the world cannot.
    Refused(ReceiptOutcome),
}

/// Changes the world, one exact step at a time.
pub trait Act {
    /// Looks whether `step` can be done, without doing any of it, right before it is begun.
    ///
    /// Guarantees: nothing changes. What [`Prepared::Ready`] says is in the journal before
    /// [`Act::act`] is called.
    ///
    /// # Errors
    /// The world cannot be reached: nothing is begun.
    fn prepare(&mut self, _step: &Step, _now: Timestamp) -> Result<Prepared, EdgeError> {
        Ok(Prepared::Ready(None))
    }

    /// Tells what was written down before `step` was begun, before anything is asked about it: a
    /// process that has just started has nothing else to go by.
    fn recall(&mut self, _step: &StepId, _before: &str) {}

    /// Tells those who look at a workload in the world why something that is to be done with it is
    /// not done yet. It is for people only, and what is told again changes nothing.
    fn tell(&mut self, _workload: &WorkloadId, _what: &str, _why: &str, _now: Timestamp) {}

    /// Does `step` if its target still has the generation that the step names.
    ///
    /// Guarantees: done entirely or not at all; a second call with the same step id does nothing
    /// and returns [`farthing_model::ReceiptOutcome::AlreadyDone`]; a conflict is a receipt.
    ///
    /// # Errors
    /// It is not known whether the step took effect (a time-out): ask [`Act::outcome_of`].
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError>;

    /// What became of a step, after a crash or a time-out; `None` = it never took effect.
    ///
    /// # Errors
    /// The world cannot be reached.
    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError>;

    /// Takes back `step`: the world has what the step changed as it was before it.
    ///
    /// # Errors
    /// The world cannot be reached, or the step cannot be undone (it says why).
    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError>;
}

/// Keeps the journal: append only, hash chained.
pub trait Store {
    /// The last record's number and hash; [`Head::GENESIS`] when empty.
    ///
    /// # Errors
    /// The store cannot be read.
    fn head(&self) -> Result<Head, EdgeError>;

    /// Appends `records` in one transaction if the head is still `expected`.
    ///
    /// Guarantees: all records or none; durable when it returns. Compare-and-append is what makes
    /// two controllers safe: the second gets a conflict, reads on and decides again.
    ///
    /// # Errors
    /// [`Class::Conflict`] when the head moved; [`Class::Exhausted`] when the disk is full.
    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError>;

    /// At most `limit` records from number `from` on, in order.
    ///
    /// # Errors
    /// The store cannot be read, or holds what is not a record.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError>;
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn head(&self) -> Result<Head, EdgeError> {
        (**self).head()
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        (**self).append(expected, records)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        (**self).read(from, limit)
    }
}
