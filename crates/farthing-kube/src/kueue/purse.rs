//! The contract of whoever keeps the money: what is set aside for which Workload.

use farthing_edge::EdgeError;
use farthing_model::{Money, TeamId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What a Workload asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The unique id of the Workload.
    pub uid: String,
    /// Who it is, in words.
    pub what: String,
    /// Who pays.
    pub team: Option<TeamId>,
    /// Labels that budgets may look at.
    pub labels: BTreeMap<String, String>,
    /// The upper end of what it may cost.
    pub amount: Money,
    /// Accelerator time, in thousandths of an hour.
    pub gpu_hours_milli: u64,
    /// Up to when that lasts, if it runs from now on without a pause.
    pub until: Timestamp,
    /// How long it had run before, in seconds.
    pub past_s: i64,
}

/// What is set aside for a Workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The name of the reservation.
    pub claim: String,
    /// The unique id of the Workload.
    pub uid: String,
    /// Who it is, in words.
    pub what: String,
    /// How much.
    pub amount: Money,
    /// Since when.
    pub at: Timestamp,
    /// Up to when it lasts.
    pub until: Timestamp,
    /// Whether it still counts.
    pub counts: bool,
    /// In which budgets.
    pub budgets: Vec<String>,
    /// How long the Workload had run before, in seconds.
    pub past_s: i64,
}

impl Held {
    /// What it is for from now on. What lies before is in the books, or will be.
    pub fn ahead(&self, now: Timestamp) -> Money {
        let (all, left) = (
            self.until.duration_since(self.at).as_nanos(),
            self.until.duration_since(now).as_nanos(),
        );
        let (all, left) = (all.max(1), left.clamp(0, all.max(1)));
        let whole = self.amount.pico() / all;
        let rest = self.amount.pico() % all;
        Money::from_pico(whole * left + rest * left / all, self.amount.currency())
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is set aside, durably.
    Granted(Held),
    /// There is not so much left.
    Short {
        /// Which budgets lack what, in words.
        why: String,
        /// Whether a whole period has not so much: waiting does not help.
        never: bool,
    },
}

/// What a Workload used under what was set aside for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// When it stopped.
    pub to: Timestamp,
    /// How long it ran, in seconds; the last moment of it is `to`.
    pub seconds: i64,
    /// What an hour of it costs, where that is known.
    pub per_hour: Option<Money>,
}

/// A Workload that ended, for later estimates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its unique id.
    pub uid: String,
    /// What it is compared by.
    pub kind: String,
    /// When it ended.
    pub to: Timestamp,
    /// How long it ran altogether, in seconds.
    pub seconds: i64,
    /// Whether it ran to its own end without a fault.
    pub complete: bool,
}

/// More is gone of a hard budget than there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdraft {
    /// Which budget.
    pub budget: String,
    /// How much more.
    pub by: Money,
}

/// Keeps what is set aside for Workloads. What it says is done is durable when it returns: it is
/// asked before anybody is answered.
pub trait Purse {
    /// All that is set aside for Workloads.
    fn held(&self) -> Vec<Held>;

    /// Sets aside what is asked for, if it fits. With `of`, in place of what is set aside there:
    /// less always fits.
    ///
    /// # Errors
    /// It is not known whether it was done; [`Self::held`] knows when asked again.
    fn reserve(&mut self, ask: &Ask, of: Option<&Held>, now: Timestamp) -> Result<Room, EdgeError>;

    /// Why it would not fit now; nothing is set aside.
    ///
    /// # Errors
    /// The budgets cannot be summed.
    fn lacks(&self, ask: &Ask, now: Timestamp) -> Result<Option<String>, EdgeError>;

    /// Gives back what is left of what was set aside.
    ///
    /// # Errors
    /// It is not known whether it was done.
    fn settle(&mut self, held: &Held, used: Used, now: Timestamp) -> Result<(), EdgeError>;

    /// How long those of a kind ran that ended by themselves, in seconds.
    fn learned(&self, kind: &str) -> Vec<i64>;

    /// Notes how long one ran.
    ///
    /// # Errors
    /// It could not be written.
    fn learn(&mut self, ran: &Ran, now: Timestamp) -> Result<(), EdgeError>;

    /// Up to when the books have what was spent: that is not held any longer.
    fn posted(&self, now: Timestamp) -> Timestamp;

    /// Hard budgets of which more is gone than there is.
    ///
    /// # Errors
    /// The budgets cannot be summed.
    fn overdrafts(&self, now: Timestamp) -> Result<Vec<Overdraft>, EdgeError>;
}
