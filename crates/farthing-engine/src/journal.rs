//! The journal as the engine reads it: an append-only [`Store`] and the state folded from it.
//!
//! The state is only what is open: proposals of the newest plan, and steps that were begun and are
//! not settled. Everything else stays in the store and is read when a person asks.

use crate::alert::Alerts;
use crate::budget_record::BudgetRecord;
use crate::claim::Claim;
use crate::error::EngineError;
use crate::ladder_record::{EscalatedRecord, GpuReserved};
use crate::limits::Limits;
use crate::reclaim_record::Cause;
use crate::record::{Body, PlanRecord, RecordError, StepRecord, VerifiedRecord, money, time};
use crate::run_record::RunRecord;
use crate::unfit::{self, Odd};
use farthing_edge::chain::{self, Hash};
use farthing_edge::{Class, Head, Record, RecordKind, Store};
use farthing_model::{
    Action, Budget, BudgetId, Currency, Mode, Money, Ratio, Step, StepId, WorkloadId,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Records read at a time.
const PAGE: usize = 1_000;

/// How often an append is tried again after others wrote what does not matter to it.
const TRIES: usize = 100;

/// What others have appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Who may come in, and who did; or nothing.
    OfPeople,
    /// Something that decisions are made from.
    ToDecideOn,
}

/// The journal: a store, and the open state that its records fold to.
#[derive(Debug)]
pub struct Journal<S> {
    store: S,
    head: Head,
    open: Open,
    /// Verified by this journal and not yet told.
    verified: Vec<VerifiedRecord>,
}

/// What is open.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Plans recorded so far; the next plan's number.
    pub plans: u64,
    /// The newest plan.
    pub plan: Option<PlanRecord>,
    /// Proposals of the newest plan and begun steps, by id.
    pub steps: BTreeMap<StepId, OpenStep>,
    /// When steps were begun, for the hourly limit; the newest day only.
    pub begun: Vec<Timestamp>,
    /// The same by namespace.
    pub begun_in: BTreeMap<String, Vec<Timestamp>>,
    /// Steps that are settled, and what came of them.
    pub scores: Scores,
    /// Claims that were granted and not ended, by name; expired ones for a while too.
    pub claims: BTreeMap<String, Claim>,
    /// When something that was taken from a workload that runs was last given back.
    pub given_back: BTreeMap<WorkloadId, Timestamp>,
    /// What was spent under claims that ended, by budget and, in each currency, when.
    pub outside: BTreeMap<String, BTreeMap<(Currency, Timestamp), Money>>,
    /// What of claims no budget can count.
    pub odd: Odd,
    /// What people were told and is not over.
    pub alerts: Alerts,
    /// Limits that people changed.
    pub limits: Limits,
    /// The budgets that the last run was told.
    pub budgets: Vec<Budget>,
    /// Commands that were run and metered, by kind, oldest first.
    pub runs: BTreeMap<String, Vec<RunRecord>>,
    /// When the first run began.
    pub started: Option<Timestamp>,
}

/// Totals of verified steps.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Steps verified.
    pub steps: u64,
    /// Sum of predicted savings, by currency.
    pub predicted: BTreeMap<Currency, Money>,
    /// Sum of realised savings, by currency.
    pub realised: BTreeMap<Currency, Money>,
}

/// A step that is proposed, begun or in force.
#[derive(Clone, Debug)]
pub struct OpenStep {
    /// The step.
    pub step: Step,
    /// When it was proposed.
    pub proposed: Timestamp,
    /// What a person said.
    pub approved: Option<bool>,
    /// Budget set aside for it.
    pub reserved: Option<Money>,
    /// Until when it is set aside, where that is before the end of the step.
    pub reserved_until: Option<Timestamp>,
    /// Accelerator time that is set aside, where a budget counts that.
    pub gpu_reserved: Option<GpuReserved>,
    /// What was posted for its workload on its offer before it.
    pub posted_before: Option<Money>,
    /// Budgets in which it was set aside.
    pub budgets: Vec<String>,
    /// How far it is.
    pub stage: Stage,
    /// What the world wrote down before it was begun, to take it back by.
    pub before: Option<String>,
    /// The rung that proposed it, where one did.
    pub ladder: Option<Ladder>,
    /// What it takes back from what runs, where it does; without either a plan proposed it.
    pub reclaim: Option<Cause>,
    /// The step that takes more of the same, while that is in force.
    pub covered_by: Option<StepId>,
}

/// A rung that proposed a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Of which budget.
    pub budget: BudgetId,
    /// At which part of its limit.
    pub at: Ratio,
    /// How much of it is done without a person; the policy's mode is the ceiling.
    pub mode: Mode,
    /// What the step frees of a budget in GPU-hours, in thousandths of an hour.
    pub gpu_frees_milli: Option<u64>,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not begun.
    Proposed,
    /// Begun; it is not known whether it took effect.
    Begun,
    /// Done and in force since then.
    InForce(Timestamp),
}

impl OpenStep {
    /// The workload that it acts on.
    pub fn workload(&self) -> Option<&WorkloadId> {
        self.step.action.workload()
    }

    /// Whether it is a proposal of the newest plan.
    pub fn is_planned(&self) -> bool {
        self.stage == Stage::Proposed && !self.is_beside()
    }

    /// Whether it was proposed beside the plan, which does not take it back: it expires.
    const fn is_beside(&self) -> bool {
        self.ladder.is_some() || self.reclaim.is_some()
    }

    /// Whether it took something back from a workload, covered or not.
    pub(crate) fn holds_reclaim(&self, workload: &WorkloadId) -> bool {
        let done = matches!(self.stage, Stage::InForce(_));
        done && self.reclaim.is_some() && self.workload() == Some(workload)
    }

    pub(crate) fn proposed(step: Step, at: Timestamp) -> Self {
        Self {
            step,
            proposed: at,
            approved: None,
            reserved: None,
            reserved_until: None,
            gpu_reserved: None,
            posted_before: None,
            budgets: Vec::new(),
            stage: Stage::Proposed,
            before: None,
            ladder: None,
            reclaim: None,
            covered_by: None,
        }
    }
}

impl<S: Store> Journal<S> {
    /// Opens a journal: reads it whole, checks its chain and folds it.
    ///
    /// # Errors
    /// The store cannot be read, the chain does not hold, or a record is not readable.
    pub fn open(store: S) -> Result<Self, EngineError> {
        let verified = Vec::new();
        let mut journal = Self { store, head: Head::GENESIS, open: Open::default(), verified };
        journal.catch_up()?;
        Ok(journal)
    }

    /// What is open.
    pub const fn state(&self) -> &Open {
        &self.open
    }

    /// The store, without what was folded from it.
    pub fn into_store(self) -> S {
        self.store
    }

    /// The hash of a record; `None` where there is no such record.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn hash_of(&self, seq: u64) -> Result<Option<Hash>, EngineError> {
        let found = self.store.read(seq, 1).map_err(EngineError::Store)?;
        Ok(found.first().filter(|record| record.seq == seq).map(|record| record.hash))
    }

    /// What was verified here since this was last asked: steps end in many ways.
    pub(crate) fn take_verified(&mut self) -> Vec<VerifiedRecord> {
        std::mem::take(&mut self.verified)
    }

    /// The end of the journal.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Appends `bodies` in one transaction and folds them.
    ///
    /// # Errors
    /// Another controller wrote first ([`EngineError::Superseded`], after which this journal has
    /// caught up), or the store failed.
    pub fn append(&mut self, at: Timestamp, bodies: &[Body]) -> Result<(), EngineError> {
        if bodies.is_empty() {
            return Ok(());
        }
        let records = bodies
            .iter()
            .map(|body| body.seal(at))
            .collect::<Result<Vec<_>, _>>()
            .map_err(EngineError::Record)?;
        for _ in 0..TRIES {
            match self.store.append(&self.head, &records) {
                Ok(sealed) => {
                    self.fold_all(&sealed)?;
                    self.verified.extend(bodies.iter().filter_map(|body| match body {
                        Body::Verified(record) => Some(record.clone()),
                        _ => None,
                    }));
                    return Ok(());
                }
                Err(error) if error.class() == Class::Conflict => {
                    // Who may come in changes nothing that was decided here.
                    if self.catch_up()? == News::ToDecideOn {
                        break;
                    }
                }
                Err(error) => return Err(EngineError::Store(error)),
            }
        }
        Err(EngineError::Superseded)
    }

    /// Reads what others have appended, before something is decided on it.
    ///
    /// # Errors
    /// The store cannot be read, or what is new in it does not hold.
    pub(crate) fn refresh(&mut self) -> Result<(), EngineError> {
        self.catch_up().map(|_| ())
    }

    /// Reads what others have appended.
    fn catch_up(&mut self) -> Result<News, EngineError> {
        let mut news = News::OfPeople;
        loop {
            let page = self.store.read(self.head.seq + 1, PAGE).map_err(EngineError::Store)?;
            if page.is_empty() {
                return Ok(news);
            }
            let of_people = [RecordKind::Identity, RecordKind::Accessed];
            if page.iter().any(|record| !of_people.contains(&record.kind)) {
                news = News::ToDecideOn;
            }
            self.fold_all(&page)?;
        }
    }

    fn fold_all(&mut self, records: &[Record]) -> Result<(), EngineError> {
        self.head = chain::verify(&self.head, records).map_err(EngineError::Chain)?;
        for record in records {
            let body = Body::read(record).map_err(EngineError::Record)?;
            self.open.fold(record.at, body).map_err(EngineError::Record)?;
        }
        Ok(())
    }
}

impl Open {
    fn fold(&mut self, at: Timestamp, body: Body) -> Result<(), RecordError> {
        match body {
            Body::Started { budgets, .. } | Body::Reconfigured { budgets, .. } => {
                self.started = self.started.or(Some(at));
                let budgets = budgets.iter().map(BudgetRecord::to_budget);
                self.budgets = budgets.collect::<Result<_, _>>()?;
            }
            Body::Noted { about, text } if about == unfit::ABOUT => self.odd.noted(text),
            // Who may do what is nothing that the loop acts on: the server folds it for itself.
            Body::Noted { .. }
            | Body::Checkpoint { .. }
            | Body::Issued(_)
            | Body::Revoked { .. }
            | Body::Accessed(_)
            | Body::Closed { .. } => {}
            Body::Ran(run) => self.ran(*run),
            Body::Claimed(claim) => self.claim(at, &claim)?,
            Body::Released { claim, spent, .. } => self.release(at, &claim, spent.as_deref())?,
            Body::Alerted(alerted) => alerted.fold(at, &mut self.alerts)?,
            Body::Delivered(delivered) => delivered.fold(&mut self.alerts),
            Body::Limited(limited) => self.limits.take(&limited)?,
            Body::Planned(plan) => self.planned(at, plan)?,
            Body::Escalated(record) => self.escalated(at, &record)?,
            Body::Approved { step, approved, .. } => {
                self.with(&step, |open| open.approved = Some(approved))?;
            }
            Body::Reserved { step, amount, posted_before, budgets, until, gpu, .. } => {
                let (amount, before) = (money(&amount)?, money(&posted_before)?);
                let until = until.as_deref().map(time).transpose()?;
                self.with(&step, |open| {
                    (open.reserved, open.reserved_until) = (Some(amount), until);
                    open.gpu_reserved = gpu;
                    open.posted_before = Some(before);
                    open.budgets = budgets;
                })?;
            }
            Body::Intended { step, before } => {
                self.with(&step, |open| (open.stage, open.before) = (Stage::Begun, before))?;
                self.begin(at, &step)?;
            }
            Body::Receipted { step, at, outcome, .. } => {
                let at = time(&at)?;
                match outcome.as_str() {
                    "done" | "already-done" => {
                        self.with(&step, |open| open.stage = Stage::InForce(at))?;
                    }
                    _ => self.close(&step)?,
                }
            }
            Body::Reclaimed(record) => self.reclaimed(at, &record)?,
            Body::Covered { step, by } => {
                let by = StepId::new(&by).map_err(RecordError::Id)?;
                self.with(&step, |open| open.covered_by = Some(by))?;
            }
            Body::Settled { step, .. } => self.close(&step)?,
            Body::Undone { step, .. } => self.undone(at, &step)?,
            Body::Verified(verified) => self.scores.add(&verified)?,
        }
        Ok(())
    }

    /// A new plan replaces the proposals of the old one; what was begun stays.
    fn planned(&mut self, at: Timestamp, plan: PlanRecord) -> Result<(), RecordError> {
        self.plans += 1;
        let proposed = self.steps.values().filter(|open| open.is_planned());
        let rejected = proposed.filter(|open| open.approved == Some(false));
        let rejected: Vec<Step> = rejected.map(|open| open.step.clone()).collect();
        // What a rung proposed is not the plan's to take back; it expires.
        self.steps.retain(|_, open| {
            let refused = open.reclaim.is_some() && open.approved == Some(false);
            open.stage != Stage::Proposed
                || refused
                || (open.is_beside() && at <= open.step.expires)
        });
        for record in &plan.steps {
            let step = record.to_step()?;
            // A no is for the thing, and not for the minute in which it was proposed.
            let rejected = rejected.iter().any(|old| is_the_same_wish(old, &step));
            let approved = rejected.then_some(false);
            let open = OpenStep { approved, ..OpenStep::proposed(step, at) };
            self.steps.insert(open.step.id.clone(), open);
        }
        self.plan = Some(plan);
        Ok(())
    }

    /// What a rung proposes stands beside the plan.
    fn escalated(&mut self, at: Timestamp, record: &EscalatedRecord) -> Result<(), RecordError> {
        self.steps.retain(|_, open| {
            open.stage != Stage::Proposed || open.ladder.is_none() || at <= open.step.expires
        });
        for (position, step) in record.steps.iter().enumerate() {
            let (step, ladder) = (step.to_step()?, Some(record.ladder(position)?));
            let open = OpenStep { ladder, ..OpenStep::proposed(step, at) };
            self.steps.insert(open.step.id.clone(), open);
        }
        Ok(())
    }

    fn with(&mut self, step: &str, change: impl FnOnce(&mut OpenStep)) -> Result<(), RecordError> {
        let id = StepId::new(step).map_err(RecordError::Id)?;
        if let Some(open) = self.steps.get_mut(&id) {
            change(open);
        }
        Ok(())
    }

    /// Counts a step that is begun, for the limits of an hour.
    fn begin(&mut self, at: Timestamp, step: &str) -> Result<(), RecordError> {
        // A day rather than an hour, as a clock that jumped ahead may come back.
        let is_new = |begun: &Timestamp| at.duration_since(*begun).abs().as_hours() < 24;
        self.begun.retain(is_new);
        self.begun.push(at);
        let id = StepId::new(step).map_err(RecordError::Id)?;
        let workload = self.steps.get(&id).and_then(OpenStep::workload);
        if let Some(namespace) = workload.and_then(namespace).map(ToOwned::to_owned) {
            self.begun_in.retain(|_, begun| {
                begun.retain(is_new);
                !begun.is_empty()
            });
            self.begun_in.entry(namespace).or_default().push(at);
        }
        Ok(())
    }

    fn close(&mut self, step: &str) -> Result<(), RecordError> {
        let id = StepId::new(step).map_err(RecordError::Id)?;
        self.steps.remove(&id);
        Ok(())
    }

    /// Whether `steps` say the same as the newest plan's, ids aside: then there is no news.
    pub fn proposes_already(&self, steps: &[Step]) -> bool {
        let Some(plan) = &self.plan else { return false };
        plan.steps.len() == steps.len()
            && plan.steps.iter().zip(steps).all(|(old, new)| {
                let new = StepRecord::of(new);
                old.action == new.action
                    && old.generation == new.generation
                    && old.cost == new.cost
                    && old.saving == new.saving
            })
    }

    /// Steps that are in force and that no other covers, by id.
    pub fn in_force(&self) -> impl Iterator<Item = (&OpenStep, Timestamp)> {
        self.steps.values().filter_map(|open| match open.stage {
            Stage::InForce(since) if open.covered_by.is_none() => Some((open, since)),
            _ => None,
        })
    }
}

/// The namespace of a workload: what is before the last `/` of its name, if it has one.
pub(crate) fn namespace(workload: &WorkloadId) -> Option<&str> {
    workload.as_str().rsplit_once('/').map(|(namespace, _)| namespace)
}

/// Whether two steps want the same of the same target, as it was seen; only when may differ.
fn is_the_same_wish(one: &Step, other: &Step) -> bool {
    let mut now = other.action.clone();
    if let (
        Action::Start { window: then, .. }
        | Action::Scale { window: then, .. }
        | Action::Buy { window: then, .. },
        Action::Start { window, .. } | Action::Scale { window, .. } | Action::Buy { window, .. },
    ) = (&one.action, &mut now)
    {
        *window = *then;
    }
    one.generation == other.generation && one.action == now
}

impl Scores {
    fn add(&mut self, verified: &VerifiedRecord) -> Result<(), RecordError> {
        self.steps += 1;
        for (sums, amount) in [
            (&mut self.predicted, money(&verified.predicted)?),
            (&mut self.realised, money(&verified.realised)?),
        ] {
            let sum =
                sums.entry(amount.currency()).or_insert_with(|| Money::zero(amount.currency()));
            *sum = sum.checked_add(amount).map_err(RecordError::Money)?;
        }
        Ok(())
    }
}
