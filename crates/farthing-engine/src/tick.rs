//! One tick: the loop of the product as one numbered function.

use crate::Engine;
use crate::accounts::Posted;
use crate::binding::BindingRecord;
use crate::config::Planner;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::{Acted, note, target};
use crate::journal::Stage;
use crate::ladder::Climb;
use crate::record::{Body, PlanRecord, StepRecord, VerifiedRecord, WaitingRecord};
use crate::relief::Relief;
use crate::share::TeamShare;
use farthing_edge::{Measured, Store};
use farthing_ledger::{Metered, Usage};
use farthing_model::{
    Coverage, Destination, Mode, Money, MoneyError, PerResource, PlanId, Policy, Receipt, Snapshot,
    TeamId, Window,
};
use farthing_planner::{
    BudgetState, Input, Planned, Utilisation, Violation, check, plan, plan_as, sensitivity_within,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns times plans made again, and questions, for what binds a plan that is recorded: a tick
/// has other things to do, and the next plan is near.
const BINDING_WORK_MAX: (usize, usize) = (2_000, 6);

/// What one tick came to.
#[derive(Clone, Debug)]
pub struct Tick {
    /// When.
    pub at: Timestamp,
    /// What was measured; `None` at the first tick and when the clock went back.
    pub window: Option<Window>,
    /// Where the money of the window went.
    pub money: Flow,
    /// Where the resources of the window went.
    pub usage: PerResource<Usage>,
    /// What of both is whose, by team; what has no team is in none.
    pub teams: BTreeMap<TeamId, TeamShare>,
    /// How much of the window was measured.
    pub coverage: Coverage,
    /// The world that was planned for.
    pub snapshot: Snapshot,
    /// The plan; `None` in mode observe.
    pub planned: Option<Planned>,
    /// What it was made from, to plan again what would be otherwise.
    pub input: Option<Arc<Input>>,
    /// Each budget.
    pub budgets: Vec<BudgetState>,
    /// What the ladders of budgets take away, or would.
    pub reliefs: Vec<Relief>,
    /// What was done.
    pub acted: Acted,
    /// What was found out about steps begun earlier.
    pub resolved: Vec<Receipt>,
    /// Steps that ended, predicted against realised.
    pub verified: Vec<VerifiedRecord>,
    /// What people should know.
    pub notes: Vec<String>,
    /// Requests that the world made since the last tick, where it asks somebody.
    pub requests: u64,
}

/// Where money went. `paid = used + idle + unallocated + overhead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What the nodes cost.
    pub paid: Money,
    /// Allocated and used.
    pub used: Money,
    /// Allocated and not used.
    pub idle: Money,
    /// Not allocated.
    pub unallocated: Money,
    /// The system's own.
    pub overhead: Money,
}

impl<W: World, S: Store> Engine<W, S> {
    /// Observe, measure and meter, plan, check, approve, act, record, verify.
    ///
    /// A tick takes no input but the time, re-reads the world, and is idempotent: what a crash
    /// leaves half-done the next one resolves.
    ///
    /// # Errors
    /// The world, the journal or the ledger failed; nothing is half-written, the next tick tries
    /// again.
    pub fn tick(&mut self, now: Timestamp) -> Result<Tick, EngineError> {
        let mut notes = std::mem::take(&mut self.untold);
        // 1. Read what others wrote, and find out what became of steps whose outcome is not known.
        self.journal.refresh()?;
        let resolved = self.resolve(now)?;
        // 2. Observe.
        let mut snapshot = self
            .world
            .observe(now)
            .map_err(|source| EngineError::World { what: "observed", source })?;
        self.watch_elastic(&snapshot);
        // 3. Measure and meter: telemetry and charges are in the books before anything is planned.
        let (window, requests, posted) = self.account(now, &mut notes)?;
        // The world was seen before this window was measured: the worse of the two counts (law 7).
        snapshot.coverage = worse(snapshot.coverage, posted.coverage);
        // 4. Verify what has ended, so that its reservation is free again.
        self.settle_finished(&snapshot, now)?;
        // 5. Plan, 6. check: a plan that does not hold is not proposed.
        let budgets = self.budget_states(now)?;
        let planned = match self.config.policy.mode {
            Mode::Observe => None,
            // What a person approved is done as it was approved, before anything is planned anew.
            Mode::Approve if self.has_approved(now) => None,
            _ => self.decide(&snapshot, &budgets, &posted, &mut notes)?,
        };
        // 7. Record what is new.
        if let Some((input, planned)) = &planned {
            self.record(input, planned, &mut notes)?;
        }
        let (input, planned) = planned.map(|(input, planned)| (Arc::new(input), planned)).unzip();
        // 7b. What the ladders of budgets take back, and what they propose beside the plan.
        let at = Climb {
            snapshot: &snapshot,
            input: input.as_deref(),
            budgets: &budgets,
            posted: &posted,
            now,
        };
        let reliefs = self.climb(&at, &mut notes)?;
        // 7c. What was measured of what runs, and is not needed or needed again.
        self.reclaim(&snapshot, now, &mut notes)?;
        // 8. Approve and act, each step reserved and journalled before.
        let acted = self.execute(&snapshot, now)?;
        self.tell(&acted, planned.as_ref(), now);
        // 9. Say what happened.
        let Posted { money, usage, teams, coverage, .. } = posted;
        let usage = usage.unwrap_or_default();
        Ok(Tick {
            at: now,
            window,
            money,
            usage,
            teams,
            coverage,
            snapshot,
            planned,
            input,
            budgets,
            reliefs,
            acted,
            resolved,
            verified: self.journal.take_verified(),
            notes,
            requests,
        })
    }

    /// Measures since the last tick and posts it.
    fn account(
        &mut self,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(Option<Window>, u64, Posted), EngineError> {
        let nothing = Posted::nothing(self.config.currency);
        let from = self.measured_until;
        let Ok(window) = Window::new(from, now) else {
            if now < from {
                notes.push(format!("the clock went back from {from} to {now}: not measured"));
            }
            return Ok((None, 0, nothing));
        };
        let measured = match self.world.measure(window) {
            Ok(measured) => measured,
            Err(error) => {
                // Written down before the window is passed over: a tick that fails later, or a
                // crash, would leave nothing that says that time was paid and not measured.
                let text = format!("{window} could not be measured: {error}");
                self.journal.append(now, &[note("gap", text.clone())])?;
                notes.push(text);
                let coverage = Coverage { expected_nanos: window.nanos(), measured_nanos: 0 };
                Measured { coverage, ..Measured::default() }
            }
        };
        // The adapter knows of nodes that it has no span for; the meter knows the spans.
        let (told, requests) = (measured.coverage, measured.requests);
        notes.extend(measured.faults.iter().cloned());
        self.accounts.journal_is_at(self.journal.head());
        let posted = self.accounts.post(window, measured);
        if posted.is_err() {
            // What is kept stands: to measure it again would put it in the books by other pieces.
            self.measured_until = self.accounts.kept_until().map_or(from, |kept| kept.max(from));
        }
        let mut posted = posted?;
        posted.coverage = worse(posted.coverage, told);
        self.measured_until = now;
        notes.append(&mut posted.notes);
        Ok((Some(window), requests, posted))
    }

    /// Whether a proposal waits to be done that a person approved and that has not expired.
    fn has_approved(&self, now: Timestamp) -> bool {
        self.journal.state().steps.values().any(|open| {
            open.stage == Stage::Proposed && open.approved == Some(true) && now <= open.step.expires
        })
    }

    /// Plans and checks; a plan with a violation is noted and dropped.
    fn decide(
        &mut self,
        snapshot: &Snapshot,
        budgets: &[BudgetState],
        posted: &Posted,
        notes: &mut Vec<String>,
    ) -> Result<Option<(Input, Planned)>, EngineError> {
        let input = self.input(snapshot, budgets, posted)?;
        let planned = planned_by(self.config.planner, &input)?;
        let violations = check(&input, &planned);
        if violations.is_empty() {
            return Ok(Some((input, planned)));
        }
        let texts: Vec<String> = violations.iter().map(Violation::to_string).collect();
        let text = format!("plan {} was refused by the checker: {}", input.id, texts.join("; "));
        self.journal.append(snapshot.at, &[note("check", text.clone())])?;
        notes.push(text);
        Ok(None)
    }

    /// Everything that the plan depends on.
    pub(crate) fn input(
        &mut self,
        snapshot: &Snapshot,
        budgets: &[BudgetState],
        posted: &Posted,
    ) -> Result<Input, EngineError> {
        let offers = self
            .world
            .offers(snapshot.at)
            .map_err(|source| EngineError::World { what: "quoted", source })?;
        let open = self.journal.state();
        let id = PlanId::new(&format!("p{}", open.plans + 1)).map_err(EngineError::Id)?;
        let parent = open.plan.as_ref().map(|plan| crate::record::plan_id(&plan.plan));
        let horizon = Window::starting(snapshot.at, self.config.horizon);
        Ok(Input {
            id,
            parent: parent.transpose().map_err(EngineError::Record)?,
            snapshot: snapshot.clone(),
            horizon: horizon.ok_or(EngineError::Horizon)?,
            currency: self.config.currency,
            offers,
            budgets: budgets.to_vec(),
            held: open.held_back(),
            // How soon the next plan comes is the loop's to say.
            policy: Policy { replan: self.config.tick, ..self.config.policy.clone() },
            utilisation: utilisation(posted.usage.as_ref()),
            effort: self.config.effort,
        })
    }

    /// Journals a plan if it says something new. Proposals that expired are made anew, also where
    /// the plan says the same: an expired step is never done.
    fn record(
        &mut self,
        input: &Input,
        planned: &Planned,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        let (open, now) = (self.journal.state(), input.snapshot.at);
        let steps = &planned.plan.steps;
        let waiting = waiting(planned);
        let proposed = || open.steps.values().filter(|open| open.is_planned());
        let outdated = proposed().next().is_some();
        let acts = matches!(self.config.policy.mode, Mode::Approve | Mode::Enforce);
        let expired = acts && proposed().any(|open| now > open.step.expires);
        let nothing_new = if steps.is_empty() {
            !outdated && open.plan.as_ref().is_none_or(|plan| plan.waiting == waiting)
        } else {
            outdated && !expired && open.proposes_already(steps)
        };
        if nothing_new {
            return Ok(());
        }
        let record = record(input, planned, binding(input, planned, self.config.planner)?);
        // A yes that comes to nothing is told: the person believes that the step will be done.
        let lapsed = proposed().filter(|open| open.approved == Some(true));
        let lapsed = lapsed.map(|open| {
            let (step, target) = (&open.step.id, target(&open.step.action));
            let expires = open.step.expires;
            format!(
                "step {step} on {target} was approved and not done before it expired at {expires}; \
                 what is proposed now asks for approval again"
            )
        });
        let lapsed: Vec<String> = lapsed.collect();
        let mut bodies: Vec<Body> = lapsed.iter().map(|text| note("approval", text)).collect();
        notes.extend(lapsed);
        bodies.push(Body::Planned(record));
        self.journal.append(now, &bodies)
    }
}

/// Who waits in a plan, and why.
fn waiting(planned: &Planned) -> Vec<WaitingRecord> {
    let waiting = planned.report.waiting.iter().map(|waiting| WaitingRecord {
        workload: waiting.workload.to_string(),
        members: waiting.members,
        reason: waiting.reason.to_string(),
    });
    waiting.collect()
}

/// A plan as the journal keeps it.
pub(crate) fn record(input: &Input, planned: &Planned, binding: Vec<BindingRecord>) -> PlanRecord {
    let report = &planned.report;
    PlanRecord {
        plan: input.id.to_string(),
        parent: planned.plan.parent.as_ref().map(ToString::to_string),
        policy: report.policy.to_owned(),
        cost: report.cost.to_string(),
        lower_bound: report.lower_bound.map(|bound| bound.to_string()),
        status: report.status.name().to_owned(),
        steps: planned.plan.steps.iter().map(StepRecord::of).collect(),
        waiting: waiting(planned),
        binding,
    }
}

/// What binds a plan of ours; a baseline does not say what it would do with more.
pub(crate) fn binding(
    input: &Input,
    planned: &Planned,
    planner: Planner,
) -> Result<Vec<BindingRecord>, EngineError> {
    match planner {
        Planner::Baseline(_) => Ok(Vec::new()),
        Planner::Farthing => {
            let found = sensitivity_within(input, planned, BINDING_WORK_MAX);
            let found = found.map_err(EngineError::Plan)?;
            Ok(found.binding.iter().map(BindingRecord::of).collect())
        }
    }
}

/// What a planner decides from an input.
pub(crate) fn planned_by(planner: Planner, input: &Input) -> Result<Planned, EngineError> {
    let planned = match planner {
        Planner::Farthing => plan(input),
        Planner::Baseline(baseline) => plan_as(baseline, input),
    };
    planned.map_err(EngineError::Plan)
}

impl Flow {
    /// The sum of two flows.
    ///
    /// # Errors
    /// Two currencies, or overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            paid: self.paid.checked_add(other.paid)?,
            used: self.used.checked_add(other.used)?,
            idle: self.idle.checked_add(other.idle)?,
            unallocated: self.unallocated.checked_add(other.unallocated)?,
            overhead: self.overhead.checked_add(other.overhead)?,
        })
    }

    /// The sums of what was metered.
    ///
    /// # Errors
    /// Overflow.
    pub fn of(metered: &[Metered], zero: Money) -> Result<Self, EngineError> {
        let total = |destination| {
            metered
                .iter()
                .try_fold(zero, |sum, metered| sum.checked_add(metered.total(destination)?))
        };
        let paid = metered.iter().map(|metered| metered.paid);
        Ok(Self {
            paid: Money::sum(paid, zero.currency()).map_err(EngineError::Money)?,
            used: total(Destination::Used).map_err(EngineError::Money)?,
            idle: total(Destination::Idle).map_err(EngineError::Money)?,
            unallocated: total(Destination::Unallocated).map_err(EngineError::Money)?,
            overhead: total(Destination::Overhead).map_err(EngineError::Money)?,
        })
    }
}

/// The coverage with the smaller share; one of nothing says nothing.
fn worse(one: Coverage, other: Coverage) -> Coverage {
    match (one.ratio(), other.ratio()) {
        (Some(first), Some(second)) if second < first => other,
        (None, _) => other,
        _ => one,
    }
}

fn utilisation(usage: Option<&PerResource<Usage>>) -> PerResource<Option<Utilisation>> {
    PerResource::from_fn(|resource| {
        let usage = usage?.get(resource);
        (usage.paid_nano() > 0).then(|| Utilisation {
            used_nano: usage.used_nano,
            allocated_nano: usage.allocated_nano(),
            capacity_nano: usage.paid_nano(),
        })
    })
}
