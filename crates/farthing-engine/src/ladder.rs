//! The rungs of a ladder that act: what is cut when a budget is nearly gone, and when it goes on.
//!
//! `cut` suspends jobs and takes replicas of services, those that lose the least, until what is
//! committed is below the rung again and the period ends within the limit; `suspend` takes all that
//! can be taken. Each is a step like any other: proposed in the journal, held by the guardrails,
//! done by the world, and taken back with `farthing undo`. It is taken back by itself when the rung
//! is not reached any more. Jobs that must not be interrupted are never touched, and services keep
//! the fewest replicas that they may have; until what was taken from one is given back, it does not
//! grow. What is chosen is in [`crate::relief`]; start at [`Engine::climb`].

use crate::Engine;
use crate::accounts::Posted;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::{note, prorated};
use crate::exposure::{Exposure, gpu_milli_up};
use crate::journal::{Ladder, Open, OpenStep, Stage};
use crate::ladder_record::EscalatedRecord;
use crate::member::{member_rate, stretch_rate};
use crate::record::{Body, StepRecord};
use crate::relief::{Cut, How, Relief, Scene};
use farthing_edge::Store;
use farthing_model::{
    Action, BudgetId, Currency, Escalation, EscalationAction, Mode, Money, Observed, Reason,
    Snapshot, Step, StepId, Window, WorkloadId, WorkloadState, gpu_hours,
};
use farthing_planner::{BudgetState, HeldBack, Input};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How long a proposal waits for a person; the generation of its target guards what changed since.
const HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// What a tick knows when it climbs.
pub(crate) struct Climb<'a> {
    /// The world.
    pub(crate) snapshot: &'a Snapshot,
    /// What the plan was made from, where there is one.
    pub(crate) input: Option<&'a Input>,
    /// What it is made from otherwise.
    pub(crate) budgets: &'a [BudgetState],
    pub(crate) posted: &'a Posted,
    /// Now.
    pub(crate) now: Timestamp,
}

impl<W: World, S: Store> Engine<W, S> {
    /// Takes back what rungs did that are not reached any more, and proposes what those do that
    /// are.
    pub(crate) fn climb(
        &mut self,
        at: &Climb<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Relief>, EngineError> {
        let exposures = self.ground().exposures(&self.config.budgets, at.now)?;
        self.climb_down(&exposures, at.now, notes)?;
        let mut acting: Vec<(&Exposure, Escalation)> = Vec::new();
        for exposure in &exposures {
            let rung = exposure.rung().map_err(EngineError::Money)?;
            let acts = |rung: &Escalation| rung.action >= EscalationAction::Cut;
            let rung = rung.filter(acts).filter(|rung| rung.mode != Mode::Observe);
            acting.extend(rung.map(|rung| (exposure, rung)));
        }
        if acting.is_empty() {
            return Ok(Vec::new());
        }
        let made;
        let input = if let Some(input) = at.input {
            input
        } else {
            made = self.input(at.snapshot, at.budgets, at.posted)?;
            &made
        };
        let (mut reliefs, weights) = (Vec::new(), self.config.weights.clone());
        for (exposure, rung) in acting {
            let scene = Scene {
                input,
                left_alone: self.left_alone(),
                held: self.ground().held(&exposure.state.budget, exposure.state.period)?,
                weights: &weights,
                now: at.now,
            };
            let mut relief = scene.relief(exposure, rung)?;
            if rung.mode.min(self.config.policy.mode) >= Mode::Approve {
                let end = scene.end(exposure.state.period);
                self.propose(&mut relief, at.snapshot, (at.now, end))?;
            }
            reliefs.push(relief);
        }
        Ok(reliefs)
    }

    /// Services that the loop changes in this very tick, or of which it is not known what became
    /// of a change: the next tick sees what has to be cut then.
    fn left_alone(&self) -> BTreeSet<WorkloadId> {
        let mode = self.config.policy.mode;
        let steps = self.journal.state().steps.values();
        let changes = steps.filter(|open| match open.stage {
            Stage::Begun => true,
            Stage::Proposed => {
                mode == Mode::Enforce && open.ladder.is_none() && open.approved != Some(false)
            }
            Stage::InForce(_) => false,
        });
        let scaled = changes.filter_map(|open| match &open.step.action {
            Action::Scale { workload, .. } => Some(workload.clone()),
            _ => None,
        });
        scaled.collect()
    }

    /// Journals the steps of a relief that are not there already.
    fn propose(
        &mut self,
        relief: &mut Relief,
        snapshot: &Snapshot,
        (now, end): (Timestamp, Timestamp),
    ) -> Result<(), EngineError> {
        let number = self.journal.head().seq + 1;
        let expires = now.checked_add(HOLDS).map_err(|_| EngineError::Horizon)?;
        let (mut steps, mut gpu_frees_milli) = (Vec::new(), Vec::new());
        for cut in &mut relief.cuts {
            let Some(observed) = snapshot.workload(&cut.workload) else { continue };
            let known = proposed(self.journal.state(), (cut, observed), &relief.budget, now);
            if let Some(open) = known {
                cut.step = Some(open.step.id.clone());
                continue;
            }
            let id = StepId::new(&format!("b{number}-{}", steps.len() + 1));
            let Some((action, cost, saving)) = self.does(cut, observed, snapshot, (now, end))?
            else {
                continue;
            };
            let step = Step {
                id: id.map_err(EngineError::Id)?,
                action,
                generation: observed.generation,
                cost,
                saving,
                reasons: vec![Reason::Rule(why(cut, observed, (&relief.budget, relief.rung)))],
                // It says what happens until `end`, and makes no sense after it.
                expires: expires.min(end),
            };
            cut.step = Some(step.id.clone());
            steps.push(StepRecord::of(&step));
            if cut.of_budget.currency() == Currency::GPU_HOURS {
                gpu_frees_milli.push(gpu_milli_up(cut.of_budget)?);
            }
        }
        if steps.is_empty() {
            return Ok(());
        }
        let mut record = EscalatedRecord::of(&relief.budget, relief.rung, steps);
        record.gpu_frees_milli = gpu_frees_milli;
        self.journal.append(now, &[Body::Escalated(record)])
    }

    /// What a cut does, what is left costs until `end`, and what is saved.
    fn does(
        &self,
        cut: &Cut,
        observed: &Observed,
        snapshot: &Snapshot,
        (now, end): (Timestamp, Timestamp),
    ) -> Result<Option<(Action, Money, Money)>, EngineError> {
        let workload = cut.workload.clone();
        let (offer, from, to, nodes_each) = match &cut.how {
            How::Suspend => {
                let saving = cut.frees.checked_sub(cut.loses).map_err(EngineError::Money)?;
                let cost = Money::zero(self.config.currency);
                return Ok(Some((Action::Suspend { workload }, cost, saving)));
            }
            How::Shrink { offer, from, to, nodes_each, .. } => (offer, *from, *to, *nodes_each),
        };
        let WorkloadState::Placed(there) = &observed.state else { return Ok(None) };
        let weights = &self.config.weights;
        let terms = snapshot.terms.workloads.get(&workload);
        let rate = if let Some(stretch) = terms.and_then(|terms| terms.stretch.as_ref()) {
            stretch_rate(snapshot, weights, stretch)
        } else {
            let here = there.iter().find(|it| it.offer == *offer && it.nodes_each == nodes_each);
            let asks = observed.workload.resources;
            here.and_then(|here| member_rate(snapshot, weights, (asks, here)))
        };
        let (Some((rate, each)), Ok(window)) = (rate, Window::new(now, end)) else {
            return Ok(None);
        };
        let cost = rate.cost(window).and_then(|one| one.checked_mul_int(each * i128::from(to)));
        let cost = cost.map_err(EngineError::Money)?;
        let offer = offer.clone();
        let action = Action::Scale { workload, offer, from, to, nodes_each, window };
        // To have them back is paid when they come back, if they do.
        Ok(Some((action, cost, cut.frees)))
    }

    /// Takes back what was cut for budgets that have room again.
    fn climb_down(
        &mut self,
        exposures: &[Exposure],
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        let mut over: Vec<(OpenStep, Timestamp, BudgetId)> = Vec::new();
        for (open, since) in self.journal.state().in_force() {
            let Some(ladder) = &open.ladder else { continue };
            // By itself only what was done by itself.
            if ladder.mode.min(self.config.policy.mode) < Mode::Enforce {
                continue;
            }
            let exposure = exposures.iter().find(|it| it.state.budget.id == ladder.budget);
            let saving = still_saved(open, ladder, now)?;
            let back = exposure.is_none_or(|it| has_room(it, ladder, saving, since));
            if back {
                over.push((open.clone(), since, ladder.budget.clone()));
            }
        }
        for (open, since, budget) in over {
            let step = open.step.id.clone();
            // What it saved until now was saved, though it ends.
            let verified = self.verdicts(vec![(open, since, now, false)])?;
            match self.undo(&step, now) {
                Ok(_) => {
                    notes.push(format!("budget {budget} has room again: step {step} undone"));
                    self.journal.append(now, &verified)?;
                }
                Err(EngineError::NotUndone { step, why }) => {
                    // Someone else has it now: it is nothing of ours to take back.
                    let text = format!("step {step} was not taken back: {why}");
                    notes.push(text.clone());
                    let gone = Body::Settled { step, posted: self.nothing() };
                    self.journal.append(now, &[note("ladder", text), gone])?;
                }
                // The next tick tries again.
                Err(EngineError::World { source, .. }) => {
                    notes.push(format!("step {step} is not taken back yet: {source}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn nothing(&self) -> String {
        Money::zero(self.config.currency).to_string()
    }
}

impl Open {
    /// Services that ladders took replicas from, or may have.
    pub(crate) fn held_back(&self) -> Vec<HeldBack> {
        let mut held: Vec<HeldBack> = Vec::new();
        for open in self.steps.values().filter(|open| open.stage != Stage::Proposed) {
            let (Some(ladder), Action::Scale { workload, .. }) = (&open.ladder, &open.step.action)
            else {
                continue;
            };
            if held.iter().all(|held| held.workload != *workload) {
                let (workload, budget) = (workload.clone(), ladder.budget.clone());
                held.push(HeldBack { workload, budget });
            }
        }
        held
    }
}

/// The step that does a cut already: proposed, begun, or of a job in force.
fn proposed<'a>(
    state: &'a Open,
    (cut, observed): (&Cut, &Observed),
    budget: &BudgetId,
    now: Timestamp,
) -> Option<&'a OpenStep> {
    state.steps.values().find(|open| {
        let fresh = open.stage != Stage::Proposed || now <= open.step.expires;
        let ours = open.ladder.as_ref().is_some_and(|ladder| ladder.budget == *budget);
        fresh
            && match (&cut.how, &open.step.action) {
                (How::Suspend, Action::Suspend { workload }) => *workload == cut.workload,
                // Of a service there may be more to take than was taken; what waits for a person
                // is not proposed anew with every dollar, while it is about what is there.
                (How::Shrink { offer, from, .. }, Action::Scale { workload, offer: at, .. }) => {
                    let same = *workload == cut.workload && at == offer && ours;
                    let there = matches!(&open.step.action, Action::Scale { from: was, .. }
                        if was == from);
                    let seen = open.step.generation == observed.generation;
                    same && there && seen && !matches!(open.stage, Stage::InForce(_))
                }
                _ => false,
            }
    })
}

/// Why a step is proposed, in words.
fn why(cut: &Cut, observed: &Observed, (budget, rung): (&BudgetId, Escalation)) -> String {
    let carried = match &cut.how {
        How::Suspend => String::new(),
        How::Shrink { from, to, .. } if observed.workload.job().is_some() => {
            format!("; {to} of its {from} members go on")
        }
        How::Shrink { carried, .. } => {
            format!("; what is left carries {carried} of its requests")
        }
    };
    format!(
        "budget {budget} is at {} or more of its limit; this frees {} and loses {}{carried}",
        rung.at, cut.of_budget, cut.loses
    )
}

/// What a cut in force saves of its budget from now on, in the budget's unit: of a service the part
/// of its span that is left.
fn still_saved(open: &OpenStep, ladder: &Ladder, now: Timestamp) -> Result<Money, EngineError> {
    let saving = ladder.gpu_frees_milli.map_or(open.step.saving, gpu_hours);
    match &open.step.action {
        Action::Scale { window, .. } => {
            let left = Window::new(window.from().max(now), window.to()).ok();
            prorated(saving, *window, left)
        }
        _ => Ok(saving),
    }
}

/// Whether what was cut may go on: in a new period, or where the rung would not be reached with it.
/// A sum that does not fit, or of another unit, has no room.
fn has_room(exposure: &Exposure, ladder: &Ladder, saved: Money, since: Timestamp) -> bool {
    let state = &exposure.state;
    let period = state.budget.period.window_at(since);
    // A rolling period is a new one at every moment.
    let anew = state.period.to() != Timestamp::MAX && period != Some(state.period);
    let more = if anew { Money::zero(saved.currency()) } else { saved };
    let with = exposure.gone_amount().and_then(|gone| gone.checked_add(more));
    with.and_then(|with| exposure.is_reached(with, ladder.at)).is_ok_and(|reached| !reached)
}
