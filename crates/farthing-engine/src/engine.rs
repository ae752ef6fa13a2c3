//! The engine: what it is made of, how it starts, and what people can tell it.

use crate::accounts::Accounts;
use crate::budget_record::BudgetRecord;
use crate::config::Config;
use crate::error::EngineError;
use crate::execute::note;
use crate::journal::{Journal, Open, Stage};
use crate::record::Body;
use crate::unfit;
use farthing_edge::{Act, Class, Head, Measure, Observe, Quote, Store};
use farthing_ledger::{Anomaly, Books};
use farthing_model::{Budget, Money, Policy, Receipt, ReceiptOutcome, StepId, WorkloadId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// How often a word is tried again when others write to the journal meanwhile.
const TRIES: usize = 1_000;

/// What the engine observes and acts on. Everything that observes, measures, quotes and acts is
/// one: the simulator, this machine, a cluster.
pub trait World: Observe + Measure + Quote + Act {}

impl<T: Observe + Measure + Quote + Act> World for T {}

/// The one loop, over any world and any journal.
#[derive(Debug)]
pub struct Engine<W, S> {
    pub(crate) config: Config,
    pub(crate) world: W,
    pub(crate) journal: Journal<S>,
    pub(crate) accounts: Accounts,
    /// The end of the last measured window.
    pub(crate) measured_until: Timestamp,
    /// What opening found and the first tick is to say.
    pub(crate) untold: Vec<String>,
    /// Alerts that this run has handed over to be carried.
    pub(crate) carrying: BTreeSet<(String, String)>,
    /// When idle work was last looked for.
    pub(crate) looked: Option<Timestamp>,
    /// Since when workloads wait for room, as far as this process saw it.
    pub(crate) waits_since: BTreeMap<WorkloadId, Timestamp>,
    /// The hour in which anomalies were last looked for, and those that were found.
    pub(crate) odd: Option<(Timestamp, BTreeMap<String, Anomaly>)>,
}

impl<W: World, S: Store> Engine<W, S> {
    /// Opens the journal and the books, and goes on where the last run stopped.
    ///
    /// Steps that were begun and have no receipt are resolved by asking the world, so that after a
    /// crash anywhere no step is done twice and none is lost (law 8).
    ///
    /// # Errors
    /// The journal's chain does not hold, or a store cannot be read.
    pub fn open(
        config: Config,
        world: W,
        (store, books): (S, Books),
        now: Timestamp,
    ) -> Result<Self, EngineError> {
        let journal = Journal::open(store)?;
        let accounts = Accounts::open(books, &config, journal.head())?;
        // As long as nothing is in the books, the first run is where they begin, also after several
        // that ended before their first tick, or of which it failed.
        let begun = journal.state().started;
        let measured_until = accounts.measured_until().or(begun).unwrap_or(now);
        let untold = Vec::new();
        let (carrying, odd, looked) = (BTreeSet::new(), None, None);
        let mut engine = Self {
            config,
            world,
            journal,
            accounts,
            measured_until,
            untold,
            carrying,
            looked,
            waits_since: BTreeMap::new(),
            odd,
        };
        engine.begin(now)?;
        engine.resolve(now)?;
        Ok(engine)
    }

    /// A run begins: the gap since the last one is noted, as nothing was measured in it.
    fn begin(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let mut bodies = vec![Body::Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: self.config.cluster.to_string(),
            mode: self.config.policy.mode.name().to_owned(),
            budgets: self.config.budgets.iter().map(BudgetRecord::of).collect(),
        }];
        let until = self.measured_until;
        if now.duration_since(until) > self.config.tick.saturating_mul(3) {
            let text = format!("nothing was measured from {until} to {now}");
            self.untold.push(text.clone());
            bodies.push(note("gap", text));
            self.measured_until = now;
        }
        if let Some(text) = self.missing_records()? {
            self.untold.push(text.clone());
            bodies.push(note("journal", text));
        }
        for text in self.journal.state().odd(self.config.currency) {
            self.untold.push(text.clone());
            bodies.push(note(unfit::ABOUT, text));
        }
        self.journal.append(now, &bodies)
    }

    /// Whether the books know of records that the journal does not have: it was cut off at its
    /// end, or replaced. The loop goes on all the same, as the world is asked again anyway.
    fn missing_records(&self) -> Result<Option<String>, EngineError> {
        let Some(known) = self.accounts.known().filter(|known| known.seq > 0) else {
            return Ok(None);
        };
        if self.journal.hash_of(known.seq)? == Some(known.hash) {
            return Ok(None);
        }
        Ok(Some(format!(
            "the books were posted when the journal had record {}, which this journal does \
             not have: its end was cut off, or it is another one",
            known.seq
        )))
    }

    /// Takes another policy and other budgets from now on: both, or neither; whether they are
    /// others. What is set aside stays set aside, and what the books have posted is summed anew
    /// where the budgets are others. `from` is where they are written.
    ///
    /// # Errors
    /// The books cannot be read or the journal cannot be written; what was told before holds.
    pub fn reconfigure(
        &mut self,
        (policy, budgets): (Policy, Vec<Budget>),
        from: &[String],
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let same_budgets = budgets == self.config.budgets;
        if same_budgets && policy == self.config.policy {
            return Ok(false);
        }
        let config = Config { policy, budgets, ..self.config.clone() };
        let accounts = if same_budgets {
            None
        } else {
            let books = self.accounts.books().clone();
            Some(Accounts::open(books, &config, self.journal.head())?)
        };
        let body = Body::Reconfigured {
            mode: config.policy.mode.name().to_owned(),
            budgets: config.budgets.iter().map(BudgetRecord::of).collect(),
            from: from.to_vec(),
        };
        for _ in 0..TRIES {
            match self.journal.append(now, std::slice::from_ref(&body)) {
                Ok(()) => {
                    self.config = config;
                    if let Some(accounts) = accounts {
                        self.accounts = accounts;
                    }
                    return Ok(true);
                }
                // Whoever wrote meanwhile said something else.
                Err(EngineError::Superseded) => {}
                Err(error) => return Err(error),
            }
        }
        Err(EngineError::Superseded)
    }

    /// Notes something for people, such as that what it was to be told is not in order.
    ///
    /// # Errors
    /// The journal failed.
    pub fn remark(&mut self, about: &str, text: &str, now: Timestamp) -> Result<(), EngineError> {
        self.journal.append(now, &[note(about, text)])
    }

    /// What the engine was told.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What is open in the journal.
    pub const fn open_state(&self) -> &Open {
        self.journal.state()
    }

    /// The end of the journal.
    pub const fn head(&self) -> Head {
        self.journal.head()
    }

    /// The books, for reports.
    pub const fn books(&self) -> &Books {
        self.accounts.books()
    }

    /// Has the books remember no journal from now on: for a run whose journal ends with it, and
    /// whose hours are as those that were brought from elsewhere.
    pub const fn keeps_no_journal(&mut self) {
        self.accounts.forget_journal();
    }

    /// The world, for whoever runs the loop in it next.
    pub fn into_world(self) -> W {
        self.world
    }

    /// What the ledger has posted for a workload, wherever it ran.
    ///
    /// # Errors
    /// The sum does not fit.
    pub fn posted_for(&self, workload: &WorkloadId) -> Result<Money, EngineError> {
        self.accounts.posted_anywhere(workload).map_err(EngineError::Money)
    }

    /// The world, for drivers that own it through the engine (the simulator).
    pub const fn world_mut(&mut self) -> &mut W {
        &mut self.world
    }

    /// The world, the journal's store and the books, as a crash would leave them.
    pub fn into_parts(self) -> (W, S, Books) {
        let books = self.accounts.books().clone();
        (self.world, self.journal.into_store(), books)
    }

    /// Records a person's word on a proposed step. A yes holds until the step expires: what is
    /// proposed after that is another step, at another price, and asks again. A no holds also for
    /// what is proposed anew of the same, until its target changes.
    ///
    /// # Errors
    /// There is no such proposal, or it expired (the message says what to do); the journal failed.
    pub fn approve(
        &mut self,
        step: &StepId,
        approved: bool,
        by: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        if let Some(why) = self.no_proposal(step, now) {
            return Err(EngineError::NotProposed { step: step.to_string(), why });
        }
        let body = Body::Approved { step: step.to_string(), by: by.to_owned(), approved };
        self.journal.append(now, &[body])
    }

    /// Why nothing can be said on a step, if so.
    fn no_proposal(&self, step: &StepId, now: Timestamp) -> Option<String> {
        let steps = &self.journal.state().steps;
        match steps.get(step).map(|open| (&open.stage, open.step.expires)) {
            Some((Stage::Proposed, expires)) if now <= expires => None,
            Some((Stage::Proposed, expires)) => Some(format!(
                "it expired at {expires}; the next tick proposes what still pays, under a new name"
            )),
            Some((Stage::Begun, _)) => Some("it was begun already".to_owned()),
            Some((Stage::InForce(since), _)) => {
                Some(format!("it is in force since {since}; it can be taken back"))
            }
            None => {
                const TOLD: usize = 5;
                let proposed = steps.iter().filter(|(_, open)| open.stage == Stage::Proposed);
                let names: Vec<_> = proposed.map(|(id, _)| id.as_str()).take(TOLD).collect();
                Some(match names.as_slice() {
                    [] => "nothing is proposed now".to_owned(),
                    names => format!("it is no proposal of now, which are {}", names.join(", ")),
                })
            }
        }
    }

    /// Takes back a step that is in force, or of which it is not known whether it is. What it saved
    /// of what runs, as far as that is in the books, was saved.
    ///
    /// # Errors
    /// As [`undo`].
    pub fn undo(&mut self, step: &StepId, now: Timestamp) -> Result<Receipt, EngineError> {
        let until = self.measured_until.min(now);
        let open = self.journal.state().in_force().find(|(open, _)| open.step.id == *step);
        let saves = open.filter(|(open, since)| open.reclaim.is_some() && *since < until);
        let ended = saves.map(|(open, since)| (open.clone(), since, until, false));
        let verified = self.verdicts(ended.into_iter().collect())?;
        let receipt = undo(&mut self.journal, &mut self.world, step, now)?;
        self.journal.append(now, &verified)?;
        Ok(receipt)
    }
}

/// Takes back a step of a journal in a world, also where no loop runs.
///
/// # Errors
/// There is no such step in force; it changed in the world since, or the world refuses (the step
/// stays in force); the world cannot be reached; the journal failed.
pub fn undo<W: Act + ?Sized, S: Store>(
    journal: &mut Journal<S>,
    world: &mut W,
    step: &StepId,
    now: Timestamp,
) -> Result<Receipt, EngineError> {
    let open = journal.state().steps.get(step).cloned();
    let Some(open) = open.filter(|open| open.stage != Stage::Proposed) else {
        return Err(EngineError::NoStep(step.to_string()));
    };
    if let Some(before) = &open.before {
        world.recall(step, before);
    }
    let refused = |why: String| EngineError::NotUndone { step: step.to_string(), why };
    let receipt = world.undo(&open.step, now).map_err(|source| match source.class() {
        Class::Transient => EngineError::World { what: "changed back", source },
        _ => refused(source.to_string()),
    })?;
    let outcome = match &receipt.outcome {
        ReceiptOutcome::Done => "done",
        ReceiptOutcome::AlreadyDone => "already-done",
        ReceiptOutcome::Conflict(why) | ReceiptOutcome::Failed(why) => {
            return Err(refused(why.clone()));
        }
    };
    let undone = Body::Undone { step: step.to_string(), outcome: outcome.to_owned() };
    journal.append(now, &[undone])?;
    Ok(receipt)
}
