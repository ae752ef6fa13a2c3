//! What the loop's thread publishes after every tick, and every reader sees whole.
//!
//! A [`View`] is immutable. Publishing swaps one pointer, so a reader neither waits for a tick nor
//! sees half of one; whoever watches is woken.

use crate::orders::chain;
use crate::scope::flow;
use farthing_edge::Head;
use farthing_engine::{Exposure, Flow, Open, Tick};
use farthing_model::{
    ClusterId, Currency, Money, MoneyError, Offer, Policy, ReceiptOutcome, TeamId,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// Ticks that may be missing before the loop counts as stuck.
const TICKS_MISSING_MAX: u32 = 3;

/// The least time without a tick that counts as stuck: a simulation may tick many times a second,
/// and a pause of a moment is no fault.
const SILENCE_MIN: Duration = Duration::from_secs(5);

/// What is known before the first tick and does not change.
#[derive(Clone, Debug)]
pub struct About {
    /// Version of the program.
    pub version: String,
    /// Whose books.
    pub cluster: ClusterId,
    /// What the loop looks at, in words: `this machine`, `a simulated cluster`.
    pub world: String,
    /// The currency of the books.
    pub currency: Currency,
    /// What may be done, and the bands of utilisation.
    pub policy: Policy,
    /// When the loop started, by its own clock.
    pub started: Timestamp,
    /// How long a tick is, in real time also where the world's clock is a virtual one.
    pub every: Duration,
    /// Teams that have series of their own in `/metrics`, at most; the others are one series.
    pub metrics_teams: usize,
}

/// A tick that succeeded, with what belongs to it.
#[derive(Clone, Debug)]
pub struct Ticked {
    /// What it came to.
    pub tick: Tick,
    /// How long it took, in real time.
    pub took: Duration,
    /// How long planning took, where that was measured.
    pub solve: Option<Duration>,
    /// What could be bought, sorted by id; it names the accelerators of a plan's offers.
    pub offers: Arc<[Offer]>,
    /// The end of the journal after it.
    pub head: Head,
    /// What is open in the journal after it.
    pub open: Arc<Open>,
    /// The budgets after it.
    pub exposures: Arc<[Exposure]>,
}

/// A tick that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, by the loop's clock.
    pub at: Timestamp,
    /// Why: the error and its causes.
    pub text: String,
}

/// Everything that is shown, as of one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// What does not change.
    pub about: Arc<About>,
    /// Grows with everything that is published.
    pub version: u64,
    /// Whether it is only the part of some teams: sums are then theirs, or left out.
    pub partial: bool,
    /// Ticks that succeeded.
    pub ticks: u64,
    /// Ticks that failed.
    pub failures: u64,
    /// The last tick that succeeded.
    pub last: Option<Arc<Ticked>>,
    /// The last tick that made a plan; often the same.
    pub planned: Option<Arc<Ticked>>,
    /// What is open in the journal: after the last tick, or after what a person said since.
    pub open: Arc<Open>,
    /// The budgets, likewise.
    pub exposures: Arc<[Exposure]>,
    /// When `last` was published, by the machine's own steady clock.
    pub seen: Option<Instant>,
    /// The failure since the last tick that succeeded, if any.
    pub failure: Option<Failure>,
    /// Where all money since the start went.
    pub total: Flow,
    /// What of it was of which team.
    pub teams: Arc<BTreeMap<TeamId, Flow>>,
    /// The teams in the order in which they were first seen, of several at once the one that paid
    /// the most first: it never changes, so that what is told of the first of them goes on.
    pub seen_teams: Arc<[TeamId]>,
    /// Steps done since the start.
    pub steps_done: u64,
    /// Why there will be no more ticks, where that is as it should be.
    pub ended: Option<&'static str>,
}

/// Why the loop cannot be relied on at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It has not finished one tick.
    NoTick(Option<Failure>),
    /// It has stopped ticking.
    Stuck {
        /// Age of the last tick, in real time.
        age: Duration,
        /// How long a tick is.
        every: Duration,
        /// What went wrong since, if that is known.
        failure: Option<Failure>,
    },
}

impl NotReady {
    /// What is wrong, without the last error.
    pub fn what(&self) -> String {
        match self {
            Self::NoTick(_) => "the first tick is not finished".to_owned(),
            Self::Stuck { age, every, .. } => {
                let (age, every) = (age.as_secs(), every.as_secs_f64());
                format!("the last tick is {age} s old, one is due every {every} s")
            }
        }
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NoTick(failure) | Self::Stuck { failure, .. }) = self;
        match failure {
            Some(failure) => {
                let Failure { at, text } = failure;
                write!(out, "{}; last error at {at}: {text}", self.what())
            }
            None => out.write_str(&self.what()),
        }
    }
}

impl View {
    /// Age of the last tick in real time; `None` before the first.
    pub fn age(&self) -> Option<Duration> {
        self.seen.map(|seen| seen.elapsed())
    }

    /// Whether the loop ticks as it should: one tick is done, and the last one is not older than
    /// three (and five seconds, where ticks are short).
    ///
    /// # Errors
    /// Why it does not.
    pub fn ready(&self) -> Result<(), NotReady> {
        if self.ended.is_some() {
            return Ok(());
        }
        let Some(age) = self.age() else {
            return Err(NotReady::NoTick(self.failure.clone()));
        };
        let every = self.about.every;
        if age > every.saturating_mul(TICKS_MISSING_MAX).max(SILENCE_MIN) {
            return Err(NotReady::Stuck { age, every, failure: self.failure.clone() });
        }
        Ok(())
    }
}

/// The cell between the loop's thread and all readers. Clones share it.
#[derive(Clone, Debug)]
pub struct Published(Arc<watch::Sender<Arc<View>>>, u128);

impl Published {
    /// Nothing has happened yet.
    pub fn new(about: About) -> Self {
        let zero = Money::zero(about.currency);
        let total = Flow { paid: zero, used: zero, idle: zero, unallocated: zero, overhead: zero };
        let born = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let born = born.map_or(0, |since| since.as_nanos());
        let first = View {
            about: Arc::new(about),
            version: 0,
            partial: false,
            ticks: 0,
            failures: 0,
            last: None,
            planned: None,
            open: Arc::default(),
            exposures: Arc::from([]),
            seen: None,
            failure: None,
            total,
            teams: Arc::default(),
            seen_teams: Arc::from([]),
            steps_done: 0,
            ended: None,
        };
        Self(Arc::new(watch::Sender::new(Arc::new(first))), born)
    }

    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.borrow())
    }

    /// When this process began to publish, as a number that another run does not have.
    pub(crate) fn born(&self) -> u128 {
        self.1
    }

    /// A view each time there is a newer one.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.0.subscribe()
    }

    /// Publishes what is open in the journal after a person's word, between two ticks.
    pub fn opened(&self, open: Open, exposures: Vec<Exposure>) {
        let old = self.view();
        let (open, exposures) = (Arc::new(open), exposures.into());
        self.replace(View { open, exposures, ..(*old).clone() });
    }

    /// Publishes a tick that succeeded.
    ///
    /// # Errors
    /// The total since the start does not fit, or the tick is in another currency; then nothing
    /// is published.
    pub fn ticked(&self, ticked: Ticked) -> Result<(), MoneyError> {
        let old = self.view();
        let done = |outcome: &ReceiptOutcome| {
            matches!(outcome, ReceiptOutcome::Done | ReceiptOutcome::AlreadyDone)
        };
        let receipts = ticked.tick.acted.receipts.iter().chain(&ticked.tick.resolved);
        let steps_done = receipts.filter(|receipt| done(&receipt.outcome)).count();
        let total = old.total.checked_add(ticked.tick.money)?;
        let seen_teams = seen(&old, &ticked.tick);
        let mut teams = (*old.teams).clone();
        for (team, share) in &ticked.tick.teams {
            let flow = flow(share);
            let sum = teams.get(team).map_or(Ok(flow), |sum| sum.checked_add(flow))?;
            teams.insert(team.clone(), sum);
        }
        let ticked = Arc::new(ticked);
        let has_plan = ticked.tick.planned.is_some();
        self.replace(View {
            about: Arc::clone(&old.about),
            version: old.version,
            partial: false,
            ticks: old.ticks + 1,
            failures: old.failures,
            last: Some(Arc::clone(&ticked)),
            open: Arc::clone(&ticked.open),
            exposures: Arc::clone(&ticked.exposures),
            planned: if has_plan { Some(ticked) } else { old.planned.clone() },
            seen: Some(Instant::now()),
            failure: None,
            total,
            teams: Arc::new(teams),
            seen_teams,
            // A count of steps fits in 64 bits wherever it fits in memory.
            steps_done: old.steps_done + steps_done as u64,
            ended: None,
        });
        Ok(())
    }

    /// Publishes what may be done from now on.
    pub fn told(&self, policy: Policy) {
        let old = self.view();
        let about = Arc::new(About { policy, ..(*old.about).clone() });
        self.replace(View { about, ..(*old).clone() });
    }

    /// Publishes that there will be no more ticks, and why that is as it should be.
    pub fn ended(&self, why: &'static str) {
        self.replace(View { ended: Some(why), ..(*self.view()).clone() });
    }

    /// Publishes that a tick failed; what was last known stays, and grows old.
    pub fn failed(&self, at: Timestamp, error: &dyn Error) {
        let text = chain(error);
        let old = self.view();
        let failures = old.failures + 1;
        self.replace(View { failures, failure: Some(Failure { at, text }), ..(*old).clone() });
    }

    fn replace(&self, view: View) {
        self.0.send_modify(|newest| {
            *newest = Arc::new(View { version: newest.version + 1, ..view });
        });
    }
}

/// The teams that were seen, those of a tick included.
fn seen(old: &View, tick: &Tick) -> Arc<[TeamId]> {
    let new = tick.teams.iter().filter(|(team, _)| !old.teams.contains_key(*team));
    let mut new: Vec<_> = new.map(|(team, share)| (flow(share).paid, team)).collect();
    if new.is_empty() {
        return Arc::clone(&old.seen_teams);
    }
    new.sort_by_key(|(paid, team)| (-paid.pico(), *team));
    old.seen_teams.iter().chain(new.into_iter().map(|(_, team)| team)).cloned().collect()
}
