//! What people tell the loop, carried from any request to the one thread that may act.
//!
//! A request waits for its answer; the loop attends to orders between two ticks, publishes what is
//! open afterwards, and only then answers, so that whoever asked sees what came of it.

use crate::publish::Published;
use farthing_edge::Store;
use farthing_engine::{AccessRecord, Answer, Ask, Body, Checked, Engine, EngineError, Told, World};
use farthing_model::{Limit, Money, Receipt, StepId};
use jiff::{SignedDuration, Timestamp};
use std::error::Error;
use std::iter;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Orders that may wait; more are told to come again.
const WAITING_MAX: usize = 64;

/// Orders that are carried out before they are published and answered, beside the first.
const TOGETHER_MAX: usize = WAITING_MAX;

/// Something that a person wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A word on a proposal.
    Approve {
        /// Which.
        step: StepId,
        /// Yes or no.
        approved: bool,
    },
    /// Take a step back that is in force.
    Undo {
        /// Which.
        step: StepId,
    },
    /// Set budget aside for something outside of the loop. It expires so long after it is granted.
    Claim(Box<Ask>, SignedDuration),
    /// See whether something would fit; nothing is set aside.
    Check(Box<Ask>),
    /// Give a budget another limit: for so long, or for good.
    Limit {
        /// Which.
        budget: String,
        /// The limit.
        limit: Limit,
        /// For how long.
        held: Option<SignedDuration>,
        /// Why.
        why: String,
    },
    /// End a claim.
    Settle {
        /// Which.
        claim: String,
        /// What was spent under it, where the ledger does not know of that.
        spent: Option<Money>,
        /// Why.
        why: &'static str,
    },
    /// Have the journal know of someone who came in, was refused, or read what is not his own.
    Note(Box<AccessRecord>),
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The word is in the journal.
    Noted,
    /// The step was taken back, or the world says why not.
    Undone(Receipt),
    /// What came of asking, and when, by the loop's clock.
    Answered(Answer, Timestamp),
    /// Whether it would fit, and what is known of why: not all of it, where that is not his.
    Checked {
        /// Whether it would.
        fits: bool,
        /// What was asked, and what it lacks.
        checked: Checked,
    },
}

/// Why an order was not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// There is no such step.
    #[error("{0}")]
    Unknown(String),
    /// What is asked for cannot be, however things stand; the text says why.
    #[error("{0}")]
    Wrong(String),
    /// It is not possible as things stand; the text says why.
    #[error("{0}")]
    Conflict(String),
    /// Too many orders wait.
    #[error("too many orders wait for the loop")]
    Busy,
    /// The loop has ended.
    #[error("the loop has ended")]
    Ended,
    /// The journal or the world failed.
    #[error("{0}")]
    Failed(String),
}

/// Gives orders. Clones give them to the same loop.
#[derive(Clone, Debug)]
pub struct Orders(SyncSender<Ordered>);

/// Where the loop's thread finds them.
#[derive(Debug)]
pub struct Desk(Receiver<Ordered>);

#[derive(Debug)]
struct Ordered {
    order: Order,
    by: String,
    answer: oneshot::Sender<Result<Carried, NotCarried>>,
}

/// A way from requests to a loop.
pub fn orders() -> (Orders, Desk) {
    let (give, take) = sync_channel(WAITING_MAX);
    (Orders(give), Desk(take))
}

impl Orders {
    /// Has `order` carried out, in the name of `by`.
    ///
    /// # Errors
    /// It was not, and why.
    pub(crate) async fn give(&self, order: Order, by: String) -> Result<Carried, NotCarried> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Ordered { order, by, answer }).map_err(|error| match error {
            TrySendError::Full(_) => NotCarried::Busy,
            TrySendError::Disconnected(_) => NotCarried::Ended,
        })?;
        answered.await.unwrap_or(Err(NotCarried::Ended))
    }
}

impl Orders {
    /// Tells the loop something that nobody waits for. Where too many orders wait it is lost.
    pub(crate) fn tell(&self, order: Order) {
        let (answer, _) = oneshot::channel();
        let told = Ordered { order, by: String::new(), answer };
        let _ = self.0.try_send(told);
    }
}

impl Desk {
    /// Waits for `length`, and carries out what is ordered meanwhile; what waits already is carried
    /// out also where there is no time. `now` is asked for each.
    ///
    /// Orders that came together are published together, and then answered: what is open is copied
    /// once for all of them, and whoever asked sees what came of it.
    pub fn attend<W: World, S: Store>(
        &self,
        length: Duration,
        engine: &mut Engine<W, S>,
        published: &Published,
        now: impl Fn() -> Timestamp,
    ) {
        let until = Instant::now() + length;
        loop {
            match self.0.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(first) => {
                    let others = std::iter::from_fn(|| self.0.try_recv().ok());
                    let all: Vec<Ordered> =
                        iter::once(first).chain(others.take(TOGETHER_MAX)).collect();
                    attend_to(all, engine, published, &now);
                    // Who orders without an end does not keep the loop from its next tick.
                    if Instant::now() >= until {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return,
                // Nobody can order any more; the pause is kept all the same.
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(until.saturating_duration_since(Instant::now()));
                    return;
                }
            }
        }
    }
}

/// Carries out orders, publishes what is open afterwards, and answers.
fn attend_to<W: World, S: Store>(
    all: Vec<Ordered>,
    engine: &mut Engine<W, S>,
    published: &Published,
    now: &impl Fn() -> Timestamp,
) {
    let mut answers = Vec::new();
    for Ordered { order, by, answer } in all {
        // Whoever asked may have given up: then nothing is done in its name. For what is only
        // noted, nobody waits.
        if !answer.is_closed() || matches!(order, Order::Note(_)) {
            answers.push((carry_out(&order, &by, engine, now()), answer));
        }
    }
    if answers.is_empty() {
        return;
    }
    if let Ok(exposures) = engine.exposures(now()) {
        published.opened(engine.open_state().clone(), exposures);
    }
    for (carried, answer) in answers {
        let _ = answer.send(carried);
    }
}

fn carry_out<W: World, S: Store>(
    order: &Order,
    by: &str,
    engine: &mut Engine<W, S>,
    now: Timestamp,
) -> Result<Carried, NotCarried> {
    let carried = match order {
        Order::Approve { step, approved } => {
            engine.approve(step, *approved, by, now).map(|()| Carried::Noted)
        }
        Order::Undo { step } => engine.undo(step, now).map(Carried::Undone),
        Order::Claim(ask, held) => {
            let expires = now.checked_add(*held).unwrap_or(Timestamp::MAX);
            let ask = Ask { expires, by: by.to_owned(), ..(**ask).clone() };
            engine.claim(&ask, now).map(|answer| Carried::Answered(answer, now))
        }
        Order::Check(ask) => engine
            .look(ask, now)
            .map(|checked| Carried::Checked { fits: checked.short.is_empty(), checked }),
        Order::Note(record) => engine
            .record_access(&[Body::Accessed((**record).clone())], now)
            .map(|()| Carried::Noted),
        Order::Limit { budget, limit, held, why } => {
            let until = held.map(|held| now.checked_add(held).unwrap_or(Timestamp::MAX));
            let told = Told { budget, limit: *limit, until, why, by };
            engine.limit(&told, now).map(|_| Carried::Noted)
        }
        Order::Settle { claim, spent, why } => {
            engine.settle_claim(claim, *spent, why, now).map(|()| Carried::Noted)
        }
    };
    carried.map_err(|error| {
        let text = chain(&error);
        match error {
            EngineError::NoStep(_) | EngineError::NoClaim(_) | EngineError::NoBudget(_) => {
                NotCarried::Unknown(text)
            }
            EngineError::Unfit(_) => NotCarried::Wrong(text),
            EngineError::NotProposed { .. }
            | EngineError::Limit { .. }
            | EngineError::NotUndone { .. }
            | EngineError::Superseded => NotCarried::Conflict(text),
            _ => NotCarried::Failed(text),
        }
    })
}

/// An error and its causes, as one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
