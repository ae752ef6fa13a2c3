//! What is taken back from what runs, by what was measured of it, where the policy says so: what
//! holds accelerators and does nothing with them is stopped, elastic services get fewer replicas
//! while those were not needed, containers get limits that fit what they use, room that is paid for
//! anyway is lent to elastic jobs that would be late, and nodes that are sick by their own word are
//! emptied.
//!
//! Each is a step like any other: proposed in the journal beside the plan, held by the guardrails,
//! done by the world, and taken back with `farthing undo`. Replicas come back by themselves when
//! they are needed, exactly as they were; what was idle does when a person says so. A step that
//! takes more covers the one before it: taking it back uncovers that one. It refuses to know how
//! the world does any of it. Start at [`Engine::reclaim`].

mod buy;
mod fit;
mod idle;
mod lend;
mod replicas;
mod sick;

#[cfg(test)]
pub(crate) use replicas::first;

use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::journal::{Open, OpenStep, Stage};
use crate::load::Loads;
use crate::reclaim_record::{Cause, ReclaimedRecord};
use crate::record::{Body, StepRecord};
use farthing_edge::Store;
use farthing_model::{
    Action, Mode, Money, Observed, OfferId, Reason, Snapshot, Steering, Step, StepId, Window,
    WorkloadId, WorkloadState, WorkloadTerms,
};
use jiff::{SignedDuration, Timestamp};

/// How long a proposal waits for a person; the generation of its target guards what changed since.
const HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// A step that is to be proposed.
struct Wanted {
    action: Action,
    generation: u64,
    cost: Money,
    saving: Money,
    reasons: Vec<Reason>,
}

impl<W: World, S: Store> Engine<W, S> {
    /// Looks from now on at what elastic services use.
    pub(crate) fn watch_elastic(&mut self, snapshot: &Snapshot) {
        let span = self.config.policy.reclaim.replicas;
        let terms = snapshot.terms.workloads.iter().filter(|_| span.is_some());
        let elastic = terms.filter(|(_, terms)| terms.elastic.is_some());
        let watched = elastic.map(|(id, _)| id.clone()).collect();
        self.accounts.loads_mut().watch(watched);
    }

    /// Gives back what is needed again, and proposes what is not needed.
    pub(crate) fn reclaim(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        self.count_from_now(now)?;
        if self.config.policy.mode == Mode::Observe {
            return Ok(());
        }
        self.give_back(snapshot, now, notes)?;
        self.loosen(snapshot, now, notes)?;
        let rules = self.config.policy.reclaim.clone();
        if let Some(span) = rules.replicas {
            self.accounts.loads_mut().keep(span, now);
            let wanted = self.unneeded(snapshot, (span, now))?;
            self.propose_reclaim(Cause::Replicas, wanted, now)?;
        }
        if let Some(span) = rules.idle
            && let Some(wanted) = self.idle_work(snapshot, (span, now), notes)?
        {
            self.propose_reclaim(Cause::Idle, wanted, now)?;
        }
        if let Some(span) = rules.limits {
            let wanted = self.loose_limits(snapshot, (span, now))?;
            self.propose_reclaim(Cause::Limits, wanted, now)?;
        }
        self.call_in(snapshot, now, notes)?;
        if let Some(span) = rules.lend {
            let wanted = self.late_work(snapshot, (span, now))?;
            self.propose_reclaim(Cause::Lent, wanted, now)?;
        }
        self.bought_for_nobody(snapshot, now, notes)?;
        if let Some(span) = self.config.policy.buy {
            let wanted = self.waiting_work(snapshot, (span, now), notes)?;
            self.propose_reclaim(Cause::Bought, wanted, now)?;
        }
        if !rules.sick.is_empty() {
            let wanted = self.sick_nodes(snapshot)?;
            self.propose_reclaim(Cause::Sick, wanted, now)?;
        }
        Ok(())
    }

    /// A step that was covered and is not any more saves from now on.
    fn count_from_now(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let open = self.journal.state().in_force();
        let anew = open.filter(|(open, _)| open.reclaim.is_some() && open.posted_before.is_none());
        let mut bodies = Vec::new();
        for (open, _) in anew {
            let Some(workload) = open.workload() else { continue };
            bodies.push(Body::Reserved {
                step: open.step.id.to_string(),
                workload: workload.to_string(),
                amount: Money::zero(self.config.currency).to_string(),
                posted_before: self.posted_for_step(&open.step.action)?.to_string(),
                budgets: Vec::new(),
                until: None,
                gpu: None,
            });
        }
        self.journal.append(now, &bodies)
    }

    /// What the ledger has posted for what a step acts on, in all.
    pub(crate) fn posted_for_step(&self, action: &Action) -> Result<Money, EngineError> {
        match action.workload() {
            Some(id) => self.accounts.posted_anywhere(id).map_err(EngineError::Money),
            None => Ok(Money::zero(self.config.currency)),
        }
    }

    /// Journals what is not proposed already.
    fn propose_reclaim(
        &mut self,
        cause: Cause,
        wanted: Vec<Wanted>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let number = self.journal.head().seq + 1;
        let expires = now.checked_add(HOLDS).map_err(|_| EngineError::Horizon)?;
        let withdrawn = unwanted(self.journal.state(), cause, &wanted);
        let mut steps = Vec::new();
        for Wanted { action, generation, cost, saving, reasons } in wanted {
            if is_known(self.journal.state(), (&action, generation), now) {
                continue;
            }
            let id = StepId::new(&format!("r{number}-{}", steps.len() + 1));
            let id = id.map_err(EngineError::Id)?;
            let step = Step { id, action, generation, cost, saving, reasons, expires };
            steps.push(StepRecord::of(&step));
        }
        if steps.is_empty() && withdrawn.is_empty() {
            return Ok(());
        }
        self.journal.append(now, &[Body::Reclaimed(ReclaimedRecord { cause, steps, withdrawn })])
    }

    /// The span that cost and saving are stated for: they are so much in each, while it holds.
    fn each_span(&self, now: Timestamp) -> Result<Window, EngineError> {
        Window::starting(now, self.config.horizon).ok_or(EngineError::Horizon)
    }

    fn loads(&self) -> &Loads {
        self.accounts.loads()
    }
}

/// What is said of a workload; nothing where nobody says anything.
fn terms<'s>(snapshot: &'s Snapshot, id: &WorkloadId) -> Option<&'s WorkloadTerms> {
    snapshot.terms.workloads.get(id)
}

/// Whether it says that it is left alone, or somebody else decides how large it is.
fn is_others(snapshot: &Snapshot, id: &WorkloadId) -> bool {
    let scaled = |by: &Steering| matches!(by, Steering::Replicas { .. } | Steering::Queue(_));
    terms(snapshot, id).is_some_and(|it| it.excluded || it.steered_by.iter().any(scaled))
}

/// The one offer that all members are on, and how many there are.
fn standing(observed: &Observed) -> Option<(&OfferId, u32)> {
    let WorkloadState::Placed(there) = &observed.state else { return None };
    let [only] = there.as_slice() else { return None };
    Some((&only.offer, only.members))
}

/// Whether the same is proposed and good, or begun, or was refused by a person. What was refused is
/// asked for again when its target changed.
fn is_known(state: &Open, (action, generation): (&Action, u64), now: Timestamp) -> bool {
    state.steps.values().any(|open| {
        let same = same_target(&open.step.action, action);
        match open.stage {
            Stage::Begun => same,
            Stage::InForce(_) => {
                let once = matches!(
                    action,
                    Action::Suspend { .. }
                        | Action::Release { .. }
                        | Action::Resize { .. }
                        | Action::Buy { .. }
                );
                same && once && open.step.action.name() == action.name()
            }
            Stage::Proposed => {
                let holds = now <= open.step.expires || open.approved == Some(false);
                same && holds
                    && open.step.generation == generation
                    && open.reclaim.is_some()
                    && same_size(&open.step.action, action)
            }
        }
    })
}

/// Proposals of a cause that does not want them any more: nobody is to approve them now.
fn unwanted(state: &Open, cause: Cause, wanted: &[Wanted]) -> Vec<String> {
    let proposed = state.steps.values().filter(|open| {
        let waits = open.stage == Stage::Proposed && open.approved != Some(false);
        waits && open.reclaim == Some(cause)
    });
    let gone = proposed.filter(|open| {
        !wanted.iter().any(|it| {
            let action = &open.step.action;
            same_target(action, &it.action) && same_size(action, &it.action)
        })
    });
    gone.map(|open| open.step.id.to_string()).collect()
}

fn same_target(one: &Action, other: &Action) -> bool {
    match (one, other) {
        (Action::Release { node: one }, Action::Release { node: other }) => one == other,
        (Action::Buy { workload: one, .. }, Action::Buy { workload: other, .. }) => one == other,
        // To buy for a workload leaves the workload as it is.
        (Action::Buy { .. }, _) | (_, Action::Buy { .. }) => false,
        _ => one.workload().is_some() && one.workload() == other.workload(),
    }
}

fn same_size(one: &Action, other: &Action) -> bool {
    match (one, other) {
        (Action::Scale { from, to, .. }, Action::Scale { from: was, to: then, .. }) => {
            (from, to) == (was, then)
        }
        (Action::Resize { from, to, .. }, Action::Resize { from: was, to: then, .. }) => {
            (from, to) == (was, then)
        }
        (
            Action::Buy { offer, nodes, pool, .. },
            Action::Buy { offer: other, nodes: many, pool: by, .. },
        ) => (offer, nodes, pool) == (other, many, by),
        // What may use less can also be stopped.
        _ => one.name() == other.name(),
    }
}

/// Whether something else of ours is in force on a workload, or people took a step back a short
/// while ago.
fn is_taken(state: &Open, id: &WorkloadId, (span, now): (SignedDuration, Timestamp)) -> bool {
    let ladder = |open: &OpenStep| open.ladder.is_some() && open.stage != Stage::Proposed;
    let begun = |open: &OpenStep| open.stage == Stage::Begun;
    let mut own = state.steps.values().filter(|open| open.workload() == Some(id));
    let rests = state.given_back.get(id).is_some_and(|at| now.duration_since(*at) < span);
    rests || own.any(|open| ladder(open) || begun(open))
}
