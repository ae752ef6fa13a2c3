//! A race: one scenario run twice through the real engine, once with our planner and once with
//! the policy that ran before. What the planner saved is the difference of two ledgers.

use crate::{Scenario, SimWorld, WorldError, history};
use farthing_edge::{MemoryStore, Observe as _, Store};
use farthing_engine::{Config, Engine, EngineError, Planner, Tick, VerifiedRecord};
use farthing_ledger::{Books, Weights};
use farthing_model::{Currency, Mode, Money, Policy, WorkloadId, WorkloadState};
use farthing_planner::{Baseline, Effort};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

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
    over: bool,
    end: Timestamp,
    tick: SignedDuration,
    ours_total: Total,
    before_total: Total,
    verified: Vec<VerifiedRecord>,
    jobs: Vec<WorkloadId>,
}

/// Sums of one side.
#[derive(Clone, Copy, Debug)]
struct Total {
    /// What its ledger says was paid.
    paid: Money,
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
///
/// The policy before runs jobs longer, on slower machines, so that at any moment it has done less.
/// Its cost is therefore stated for the *same work*: what its ledger posted for each job that both
/// have finished, for services and for nodes that it kept; and for a job that only ours has done,
/// or a part of it, its price for that work.
#[derive(Clone, Debug)]
pub struct RaceResult {
    /// What our ledger says was paid.
    pub paid: Money,
    /// What the other ledger says was paid up to the same moment.
    pub paid_before: Money,
    /// What the same work costs under the policy before.
    pub same_work_before: Money,
    /// The part of it that the other ledger has posted; the rest it has still to run.
    pub same_work_posted: Money,
    /// The savings that our steps promised, for what was done and the time in force.
    pub predicted: Money,
    /// The cost of the same work before, less what our ledger says was paid.
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
    /// The world cannot be looked at.
    #[error("the simulated cluster cannot be looked at")]
    Observe(#[source] farthing_edge::EdgeError),
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
        let world = history::live(scenario, weights, &ours.books)?;
        let mut beside = world.clone();
        // Of that one only what it costs is asked.
        beside.lose_exporter();
        let config = |planner| config(scenario, planner, tick, weights);
        let open_ours = Engine::open(
            config(Planner::Farthing),
            world,
            (ours.store, ours.books),
            scenario.start,
        );
        let open_before = Engine::open(
            config(Planner::Baseline(Baseline::Fifo)),
            beside,
            (before.store, before.books),
            scenario.start,
        );
        let zero = Total { paid: Money::zero(Currency::USD) };
        Ok(Self {
            ours: open_ours.map_err(RaceError::Engine)?,
            before: open_before.map_err(RaceError::Engine)?,
            now: scenario.start,
            over: scenario.start > end.min(scenario.end),
            end: end.min(scenario.end),
            tick,
            ours_total: zero,
            before_total: zero,
            verified: Vec::new(),
            jobs: scenario.arrivals().map(|job| job.workload.id.clone()).collect(),
        })
    }

    /// The next tick of both sides; `None` at the end.
    ///
    /// # Errors
    /// A side failed.
    pub fn step(&mut self) -> Result<Option<RaceTick>, RaceError> {
        if self.over {
            return Ok(None);
        }
        let ours = self.ours.tick(self.now).map_err(RaceError::Engine)?;
        let before = self.before.tick(self.now).map_err(RaceError::Engine)?;
        self.verified.extend(ours.verified.iter().cloned());
        add(&mut self.ours_total.paid, ours.money.paid)?;
        add(&mut self.before_total.paid, before.money.paid)?;
        match self.now.checked_add(self.tick) {
            Ok(next) if self.now < self.end => self.now = next.min(self.end),
            _ => self.over = true,
        }
        Ok(Some(RaceTick { ours, before }))
    }

    /// Settles what is in force and sums up.
    ///
    /// # Errors
    /// A side failed.
    pub fn finish(&mut self) -> Result<RaceResult, RaceError> {
        let now = self.now;
        self.verified.extend(self.ours.close(now).map_err(RaceError::Engine)?);
        self.before.close(now).map_err(RaceError::Engine)?;
        let mut predicted = Money::zero(Currency::USD);
        for record in &self.verified {
            add(&mut predicted, record.predicted.parse().map_err(RaceError::Money)?)?;
        }
        let (paid, paid_before) = (self.ours_total.paid, self.before_total.paid);
        let (same_work_before, same_work_posted) = self.same_work(now)?;
        Ok(RaceResult {
            paid,
            paid_before,
            same_work_before,
            same_work_posted,
            predicted,
            realised: same_work_before.checked_sub(paid).map_err(RaceError::Money)?,
            steps: self.verified.len(),
        })
    }

    /// What our work costs under the policy before, and how much of that its ledger has posted.
    fn same_work(&mut self, now: Timestamp) -> Result<(Money, Money), RaceError> {
        let seen = self.before.world_mut().observe(now).map_err(RaceError::Observe)?;
        let finished_before = |workload: &WorkloadId| {
            let seen = seen.workload(workload);
            seen.is_none_or(|seen| matches!(seen.state, WorkloadState::Finished(_)))
        };
        let jobs: BTreeSet<&WorkloadId> = self.jobs.iter().collect();
        // Services, kept nodes and everything else that is paid by time.
        let mut posted = self.before_total.paid;
        for job in &jobs {
            let theirs = self.before.posted_for(job).map_err(RaceError::Engine)?;
            posted = posted.checked_sub(theirs).map_err(RaceError::Money)?;
        }
        let mut whole = posted;
        let mut done: BTreeMap<&str, (Money, bool)> = BTreeMap::new();
        for record in &self.verified {
            let reference = record.reference.parse().map_err(RaceError::Money)?;
            let entry = (Money::zero(Currency::USD), false);
            let entry = done.entry(record.target.as_str()).or_insert(entry);
            add(&mut entry.0, reference)?;
            entry.1 |= record.complete;
        }
        for job in jobs {
            let Some((reference, complete)) = done.get(job.as_str()) else { continue };
            if *complete && finished_before(job) {
                let theirs = self.before.posted_for(job).map_err(RaceError::Engine)?;
                add(&mut whole, theirs)?;
                add(&mut posted, theirs)?;
            } else {
                add(&mut whole, *reference)?;
            }
        }
        Ok((whole, posted))
    }

    /// The virtual time of the next tick; when there is none, of the last.
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
