//! Acting: one exact step at a time, reserved and journalled before, receipted after.
//!
//! A crash at any point leaves a journal from which [`Engine::recover`](crate::Engine) knows what
//! to ask the world: a step that is intended and has no receipt either took effect or never did.

use crate::Engine;
use crate::arbitration::excluded;
use crate::engine::World;
use crate::error::EngineError;
use crate::journal::{OpenStep, Stage, namespace};
use crate::record::Body;
use farthing_edge::{Class, Prepared, Store};
use farthing_model::{
    Action, Mode, Money, NodeId, NodeState, Offer, Reason, Receipt, ReceiptOutcome, Snapshot, Step,
    StepId, WorkloadId, WorkloadState,
};
use farthing_planner::Planned;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why a step that could be done was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nobody approved it yet.
    NotApproved,
    /// The mode proposes and does nothing, whatever is approved.
    OnlyProposed(Mode),
    /// As many steps as an hour may have were done.
    StepsPerHour(u32),
    /// As many steps as an hour may have on the workloads of one namespace were done.
    StepsPerNamespace(u32),
    /// Work may not be disturbed now; from when on it may.
    Disruption(Option<Timestamp>),
    /// As many nodes as a tick may touch were touched.
    NodesPerTick(u32),
    /// The data is older than its limit, in seconds.
    Stale(i64),
    /// The data covers less than its limit.
    Coverage,
    /// The step expired.
    Expired,
    /// Others that are done dispose of the same, and why those.
    Excluded(String),
    /// What shall take over is not ready yet.
    Replacement,
    /// A hard budget has no room for it.
    Budget(Reason),
    /// It is not known yet what became of another step on the same target.
    After(StepId),
    /// The world says that now is not the time, and why.
    World(String),
    /// The world does not let us: a right is missing, or somebody who guards it says no.
    Denied(String),
}

impl std::fmt::Display for Held {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotApproved => write!(out, "waits for approval"),
            Self::OnlyProposed(mode) => write!(out, "in mode {} nothing is done", mode.name()),
            Self::StepsPerHour(limit) => write!(out, "the limit of {limit} steps an hour"),
            Self::StepsPerNamespace(limit) => {
                write!(out, "the limit of {limit} steps an hour in its namespace")
            }
            Self::Disruption(Some(next)) => write!(out, "work may not be disturbed before {next}"),
            Self::Disruption(None) => write!(out, "work may not be disturbed now"),
            Self::NodesPerTick(limit) => write!(out, "the limit of {limit} nodes a tick"),
            Self::Stale(seconds) => write!(out, "the data is {seconds} s old"),
            Self::Coverage => write!(out, "too little was measured"),
            Self::Expired => write!(out, "it expired; what still pays is proposed anew"),
            Self::Excluded(why) => write!(out, "excluded: {why}"),
            Self::Replacement => write!(out, "what takes over is not ready yet"),
            Self::Budget(reason) => write!(out, "{reason}"),
            Self::After(step) => write!(out, "it is not known yet what became of step {step}"),
            Self::World(why) | Self::Denied(why) => out.write_str(why),
        }
    }
}

/// What acting came to in one tick.
#[derive(Clone, Debug, Default)]
pub struct Acted {
    /// What happened to each step that was begun.
    pub receipts: Vec<Receipt>,
    /// Steps that were held back, and why.
    pub held: Vec<(Step, Held)>,
    /// Steps of which it is not known whether they took effect.
    pub unknown: Vec<Step>,
}

/// What steps are held against in a tick.
pub(crate) struct Acting<'a> {
    /// The world.
    pub(crate) snapshot: &'a Snapshot,
    /// What can be bought, where a budget counts accelerator time.
    pub(crate) offers: Arc<[Offer]>,
    /// Now.
    pub(crate) now: Timestamp,
}

impl<W: World, S: Store> Engine<W, S> {
    /// Does the proposals that may be done now, in order.
    pub(crate) fn execute(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<Acted, EngineError> {
        let mut acted = Acted::default();
        let at = Acting { snapshot, offers: self.offers_for_hours(now)?, now };
        let mut nodes_touched = 0;
        let mut proposed: Vec<OpenStep> = self
            .journal
            .state()
            .steps
            .values()
            .filter(|open| open.stage == Stage::Proposed && open.approved != Some(false))
            .cloned()
            .collect();
        // In the order of the plan, but what frees capacity goes first, and where a service moves
        // its replicas come before others go, so that it is never without.
        let plan = self.journal.state().plan.as_ref();
        let order: BTreeMap<&str, usize> = plan
            .into_iter()
            .flat_map(|plan| &plan.steps)
            .enumerate()
            .map(|(index, step)| (step.step.as_str(), index))
            .collect();
        let moving: BTreeSet<WorkloadId> = proposed
            .iter()
            .filter_map(|open| match &open.step.action {
                Action::Scale { workload, from, to, .. } if to > from => Some(workload.clone()),
                _ => None,
            })
            .collect();
        proposed.sort_by_key(|open| {
            let turn = match &open.step.action {
                Action::Release { .. } | Action::Suspend { .. } | Action::Resize { .. } => 0,
                Action::Scale { workload, from, to, .. } if to < from => {
                    if moving.contains(workload) { 2 } else { 0 }
                }
                _ => 1,
            };
            (turn, order.get(open.step.id.as_str()).copied())
        });
        let mut excluded = excluded(&proposed, self.config.currency, now)?;
        for open in proposed {
            let step = open.step.clone();
            if let Some(why) = excluded.remove(&step.id) {
                acted.held.push((step, Held::Excluded(why)));
                continue;
            }
            if let Some(held) = self.held(&open, &at, nodes_touched)? {
                acted.held.push((step, held));
                continue;
            }
            let nodes = step.action.nodes();
            match self.perform(step, &at)? {
                Performed::Received(receipt) => acted.receipts.push(receipt),
                Performed::Unknown(step) => acted.unknown.push(step),
                Performed::Held(step, held) => {
                    acted.held.push((step, held));
                    continue;
                }
            }
            nodes_touched += nodes;
        }
        Ok(acted)
    }

    /// The first guardrail that holds a step back.
    fn held(
        &self,
        open: &OpenStep,
        at: &Acting<'_>,
        nodes_touched: u32,
    ) -> Result<Option<Held>, EngineError> {
        let (snapshot, now) = (at.snapshot, at.now);
        let limits = self.config.policy.limits;
        let rung = open.ladder.as_ref().map_or(Mode::Enforce, |ladder| ladder.mode);
        match self.config.policy.mode.min(rung) {
            mode @ (Mode::Observe | Mode::Recommend) => return Ok(Some(Held::OnlyProposed(mode))),
            Mode::Approve if open.approved != Some(true) => return Ok(Some(Held::NotApproved)),
            Mode::Approve | Mode::Enforce => {}
        }
        if now > open.step.expires {
            return Ok(Some(Held::Expired));
        }
        let age = snapshot.oldest();
        if age > limits.age_max {
            return Ok(Some(Held::Stale(age.as_secs())));
        }
        if snapshot.coverage.ratio().is_some_and(|ratio| ratio < limits.coverage_min) {
            return Ok(Some(Held::Coverage));
        }
        if let Some(held) = self.is_too_often(&open.step, now) {
            return Ok(Some(held));
        }
        let calm = &self.config.policy.disruption;
        let now_is_calm = calm.is_empty() || calm.iter().any(|span| span.contains(now));
        if open.step.action.disturbs() && !now_is_calm {
            let next = calm.iter().filter_map(|span| span.next(now)).min();
            return Ok(Some(Held::Disruption(next)));
        }
        // One step may be larger than the limit by itself; it then goes alone.
        if nodes_touched > 0 && nodes_touched + open.step.action.nodes() > limits.nodes_per_tick {
            return Ok(Some(Held::NodesPerTick(limits.nodes_per_tick)));
        }
        if let Some(other) = self.unresolved(&open.step) {
            return Ok(Some(Held::After(other)));
        }
        if self.leaves_a_gap(&open.step, snapshot) {
            return Ok(Some(Held::Replacement));
        }
        self.over_budget(&open.step, at).map(|reason| reason.map(Held::Budget))
    }

    /// The limit of steps in an hour that one more would exceed.
    fn is_too_often(&self, step: &Step, now: Timestamp) -> Option<Held> {
        let (limits, open) = (self.config.policy.limits, self.journal.state());
        let count = |begun: &[Timestamp]| {
            let in_hour = |begun: &&Timestamp| now.duration_since(**begun).abs().as_hours() < 1;
            u32::try_from(begun.iter().filter(in_hour).count()).unwrap_or(u32::MAX)
        };
        if count(&open.begun) >= limits.steps_per_hour {
            return Some(Held::StepsPerHour(limits.steps_per_hour));
        }
        let limit = limits.steps_per_namespace?;
        let begun = open.begun_in.get(namespace(step.action.workload()?)?)?;
        (count(begun) >= limit).then_some(Held::StepsPerNamespace(limit))
    }

    /// A step on the same target of which it is not known whether it took effect.
    fn unresolved(&self, step: &Step) -> Option<StepId> {
        let target = target(&step.action);
        let mut begun = self.journal.state().steps.values();
        let other = begun
            .find(|open| open.stage == Stage::Begun && self::target(&open.step.action) == target);
        other.map(|open| open.step.id.clone())
    }

    /// Whether scaling a service down now would leave its requests to replicas that still boot:
    /// make before break. The next plan proposes it again.
    fn leaves_a_gap(&self, step: &Step, snapshot: &Snapshot) -> bool {
        let Action::Scale { workload, offer, from, to, .. } = &step.action else { return false };
        if to >= from {
            return false;
        }
        let comes = self.journal.state().steps.values().any(|open| {
            matches!(&open.step.action, Action::Scale { workload: other, from, to, .. }
                if other == workload && to > from && matches!(open.stage, Stage::InForce(at)
                    if at == snapshot.at))
        });
        let placed = match snapshot.workload(workload).map(|seen| &seen.state) {
            Some(WorkloadState::Placed(there)) => there.as_slice(),
            _ => &[],
        };
        let boots = placed.iter().filter(|there| there.offer != *offer).any(|there| {
            let mut nodes = snapshot.nodes.iter();
            nodes.any(|node| node.offer == there.offer && node.state == NodeState::Booting)
        });
        comes || boots
    }

    /// Asks the world, reserves, journals the intent, acts, and journals the receipt.
    fn perform(&mut self, step: Step, at: &Acting<'_>) -> Result<Performed, EngineError> {
        let now = at.now;
        let before = match self.world.prepare(&step, now) {
            Ok(Prepared::Ready(before)) => before,
            Ok(Prepared::Held(why)) => return Ok(Performed::Held(step, Held::World(why))),
            Ok(Prepared::Refused(outcome)) => {
                let receipt = Receipt { step: step.id, at: now, outcome };
                self.receive(&receipt, now)?;
                return Ok(Performed::Received(receipt));
            }
            Err(error) if error.class() == Class::Denied => {
                return Ok(Performed::Held(step, Held::Denied(error.to_string())));
            }
            Err(error) => return Ok(Performed::Held(step, Held::World(error.to_string()))),
        };
        let mut bodies = Vec::new();
        bodies.extend(self.reservation(&step, at)?);
        bodies.push(Body::Intended { step: step.id.to_string(), before });
        self.journal.append(now, &bodies)?;
        match self.world.act(&step, now) {
            Ok(receipt) => {
                self.receive(&receipt, now)?;
                Ok(Performed::Received(receipt))
            }
            Err(error) => {
                let text = format!("step {}: {error}", step.id);
                self.journal.append(now, &[note("act", text)])?;
                Ok(Performed::Unknown(step))
            }
        }
    }

    /// Journals a receipt; a scaling that took effect ends the one before it on the same offer.
    pub(crate) fn receive(&mut self, receipt: &Receipt, now: Timestamp) -> Result<(), EngineError> {
        let done = matches!(receipt.outcome, ReceiptOutcome::Done | ReceiptOutcome::AlreadyDone);
        let mut bodies = Vec::new();
        let open = self.journal.state().steps.get(&receipt.step);
        if let Some(open) = open.filter(|_| done) {
            bodies.extend(self.superseded_by(&open.step, now)?);
        }
        bodies.push(Body::receipt(receipt));
        self.journal.append(now, &bodies)
    }

    /// Tells in the world why steps are held, and why work waits for money.
    pub(crate) fn tell(&mut self, acted: &Acted, planned: Option<&Planned>, now: Timestamp) {
        for (step, held) in &acted.held {
            // What the world says itself it has told; what is only proposed holds nobody up.
            let told = matches!(held, Held::World(_) | Held::Denied(_) | Held::OnlyProposed(_));
            if let Some(workload) = step.action.workload().filter(|_| !told) {
                self.world.tell(workload, step.action.name(), &held.to_string(), now);
            }
        }
        let Some(report) = planned.map(|planned| &planned.report) else { return };
        let for_money = |reason: &Reason| matches!(reason, Reason::OverBudget { .. });
        for waiting in report.waiting.iter().filter(|it| for_money(&it.reason)) {
            let cuts = report.cuts.iter().filter(|cut| cut.workload == waiting.workload);
            let again = cuts.filter_map(|cut| cut.retry).min();
            let again = again.map_or_else(String::new, |at| format!("; next window {at}"));
            let why = format!("{}{again}", waiting.reason);
            self.world.tell(&waiting.workload, "start", &why, now);
        }
    }

    /// Asks the world about steps that were begun and have no receipt: after a crash, and after a
    /// call that did not say whether it took effect.
    pub(crate) fn resolve(&mut self, now: Timestamp) -> Result<Vec<Receipt>, EngineError> {
        let open = self.journal.state().steps.values();
        let begun: Vec<OpenStep> = open.filter(|it| it.stage == Stage::Begun).cloned().collect();
        let mut receipts = Vec::new();
        for OpenStep { step, before, .. } in begun {
            if let Some(before) = &before {
                self.world.recall(&step.id, before);
            }
            // Where it is still not known, the next tick asks again.
            let Ok(outcome) = self.world.outcome_of(&step.id, now) else { continue };
            if let Some(receipt) = outcome {
                self.receive(&receipt, now)?;
                receipts.push(receipt);
            } else {
                let body = Body::Receipted {
                    step: step.id.to_string(),
                    at: now.to_string(),
                    outcome: "never-happened".to_owned(),
                    detail: String::new(),
                };
                self.journal.append(now, &[body])?;
            }
        }
        Ok(receipts)
    }
}

/// What came of a step.
enum Performed {
    /// The world says what.
    Received(Receipt),
    /// It was not begun.
    Held(Step, Held),
    /// It is not known.
    Unknown(Step),
}

/// The part of `cost` over `window` that falls into `part`, rounded up.
pub(crate) fn prorated(
    cost: Money,
    window: farthing_model::Window,
    part: Option<farthing_model::Window>,
) -> Result<Money, EngineError> {
    let Some(part) = part else { return Ok(Money::zero(cost.currency())) };
    if part == window {
        return Ok(cost);
    }
    let weights = [part.nanos(), window.nanos() - part.nanos()];
    let parts = farthing_model::split_money(cost, &weights)
        .map_err(|_| EngineError::Money(farthing_model::MoneyError::Overflow))?;
    let unit = Money::from_pico(1, cost.currency());
    parts[0].checked_add(unit).map_err(EngineError::Money)
}

/// A note for people.
pub(crate) fn note(about: &str, text: impl Into<String>) -> Body {
    Body::Noted { about: about.to_owned(), text: text.into() }
}

/// What an action acts on, for messages.
pub fn target(action: &Action) -> String {
    let node = |id: &NodeId| id.to_string();
    let workload = |id: &WorkloadId| id.to_string();
    match action {
        Action::Release { node: id } => node(id),
        Action::Start { workload: id, .. }
        | Action::Scale { workload: id, .. }
        | Action::Suspend { workload: id }
        | Action::Resume { workload: id }
        | Action::Resize { workload: id, .. }
        | Action::Buy { workload: id, .. } => workload(id),
    }
}
