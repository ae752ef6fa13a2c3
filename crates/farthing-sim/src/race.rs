//! A race: one scenario run twice through the real engine, once with our planner and once with
//! the policy that ran before. What the planner saved is the difference of two ledgers.

use crate::{Scenario, SimWorld, WorldError};
use farthing_edge::{MemoryStore, Store};
use farthing_engine::{Config, Engine, EngineError, Planner, Tick, VerifiedRecord};
use farthing_ledger::{Books, Weights};
use farthing_model::{Currency, Mode, Money, Policy};
use farthing_planner::{Baseline, Effort};
use jiff::{SignedDuration, Timestamp};

/// Where one side of a race keeps its records.
#[derive(Debug)]
pub struct Records<S> {
    /// The journal.
    pub store: S,
    /// The ledger.
    pub books: Books,
}

impl Records<MemoryStore> {
    /// Records that end with the process.
    pub fn in_memory() -> Self {
        Self { store: MemoryStore::default(), books: Books::in_memory() }
    }
}

/// Two runs of one scenario, side by side.
#[derive(Debug)]
pub struct Race<S, T> {
    /// Ours.
    pub ours: Engine<SimWorld, S>,
    /// The policy that ran before, in a world of its own.
    pub before: Engine<SimWorld, T>,
    now: Timestamp,
    end: Timestamp,
    tick: SignedDuration,
    ours_total: Total,
    before_total: Total,
    verified: Vec<VerifiedRecord>,
}

/// Sums of one side.
#[derive(Clone, Copy, Debug)]
pub struct Total {
    /// What its ledger says was paid.
    pub paid: Money,
}

/// One tick of both sides.
#[derive(Clone, Debug)]
pub struct RaceTick {
    /// Ours.
    pub ours: Tick,
    /// The policy that ran before.
    pub before: Tick,
}

/// What a race came to.
#[derive(Clone, Debug)]
pub struct RaceResult {
    /// What our ledger says was paid.
    pub paid: Money,
    /// What the other ledger says was paid.
    pub paid_before: Money,
    /// The savings that our steps promised, for the time in which they were in force.
    pub predicted: Money,
    /// The difference of the two ledgers.
    pub realised: Money,
    /// Steps behind the prediction.
    pub steps: usize,
}

/// Why a race could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RaceError {
    /// The scenario makes no world.
    #[error("the scenario cannot be run")]
    World(#[source] WorldError),
    /// A side failed.
    #[error("the simulated cluster failed")]
    Engine(#[source] EngineError),
    /// Amounts that do not add.
    #[error("the sums of the race do not fit")]
    Money(#[source] farthing_model::MoneyError),
}

impl<S: Store, T: Store> Race<S, T> {
    /// Two engines at the start of `scenario`, which ends at `end` or with the scenario.
    ///
    /// # Errors
    /// The scenario contradicts itself, or the records cannot be opened.
    pub fn new(
        scenario: &Scenario,
        weights: &Weights,
        (ours, before): (Records<S>, Records<T>),
        (tick, end): (SignedDuration, Timestamp),
    ) -> Result<Self, RaceError> {
        let world = || SimWorld::new(scenario).map_err(RaceError::World);
        let config = |planner| config(scenario, planner, tick, weights);
        let open_ours = Engine::open(
            config(Planner::Farthing),
            world()?,
            (ours.store, ours.books),
            scenario.start,
        );
        let open_before = Engine::open(
            config(Planner::Baseline(Baseline::Fifo)),
            world()?,
            (before.store, before.books),
            scenario.start,
        );
        let zero = Total { paid: Money::zero(Currency::USD) };
        Ok(Self {
            ours: open_ours.map_err(RaceError::Engine)?,
            before: open_before.map_err(RaceError::Engine)?,
            now: scenario.start,
            end: end.min(scenario.end),
            tick,
            ours_total: zero,
            before_total: zero,
            verified: Vec::new(),
        })
    }

    /// The next tick of both sides; `None` at the end.
    ///
    /// # Errors
    /// A side failed.
    pub fn step(&mut self) -> Result<Option<RaceTick>, RaceError> {
        if self.now > self.end {
            return Ok(None);
        }
        let ours = self.ours.tick(self.now).map_err(RaceError::Engine)?;
        let before = self.before.tick(self.now).map_err(RaceError::Engine)?;
        self.verified.extend(ours.verified.iter().cloned());
        add(&mut self.ours_total.paid, ours.money.paid)?;
        add(&mut self.before_total.paid, before.money.paid)?;
        self.now = match self.now.checked_add(self.tick) {
            Ok(next) if self.now < self.end => next.min(self.end),
            _ => Timestamp::MAX,
        };
        Ok(Some(RaceTick { ours, before }))
    }

    /// Settles what is in force and sums up.
    ///
    /// # Errors
    /// A side failed.
    pub fn finish(&mut self) -> Result<RaceResult, RaceError> {
        let now = self.end.min(self.now);
        self.verified.extend(self.ours.close(now).map_err(RaceError::Engine)?);
        self.before.close(now).map_err(RaceError::Engine)?;
        let mut predicted = Money::zero(Currency::USD);
        for record in &self.verified {
            let amount = record.predicted.parse().map_err(RaceError::Money)?;
            add(&mut predicted, amount)?;
        }
        let (paid, paid_before) = (self.ours_total.paid, self.before_total.paid);
        Ok(RaceResult {
            paid,
            paid_before,
            predicted,
            realised: paid_before.checked_sub(paid).map_err(RaceError::Money)?,
            steps: self.verified.len(),
        })
    }

    /// The virtual time of the next tick.
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}

/// What an engine in a simulated world is told.
pub fn config(
    scenario: &Scenario,
    planner: Planner,
    tick: SignedDuration,
    weights: &Weights,
) -> Config {
    let horizon = scenario.end.duration_since(scenario.start);
    Config {
        cluster: scenario.cluster.clone(),
        currency: Currency::USD,
        policy: match planner {
            Planner::Farthing => scenario.policy.clone(),
            // What ran before acts by itself too.
            Planner::Baseline(_) => Policy { mode: Mode::Enforce, ..scenario.policy.clone() },
        },
        budgets: scenario.budgets.clone(),
        planner,
        horizon: horizon.max(tick),
        tick,
        weights: weights.clone(),
        effort: Effort::default(),
    }
}

fn add(sum: &mut Money, amount: Money) -> Result<(), RaceError> {
    *sum = sum.checked_add(amount).map_err(RaceError::Money)?;
    Ok(())
}
