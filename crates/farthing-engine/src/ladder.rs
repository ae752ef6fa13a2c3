//! The rungs of a ladder that act: which jobs are suspended when a budget is nearly gone, and when
//! they go on.
//!
//! `cut` suspends the jobs that lose the least until the budget is below the rung again; `suspend`
//! suspends all that can be. Each is a step like any other: proposed in the journal, held by the
//! guardrails, done by the world, and taken back with `farthing undo`. It is taken back by itself
//! when the rung is not reached any more. What must not be interrupted, and services, are never
//! touched: a rung holds their growth, and tells. Start at [`Engine::climb`].

use crate::Engine;
use crate::cuts::{self, Chosen};
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::note;
use crate::exposure::Exposure;
use crate::journal::{Ladder, Stage};
use crate::record::{Body, EscalatedRecord, StepRecord};
use farthing_edge::Store;
use farthing_model::{
    Action, Assignment, BudgetId, Decimal, Escalation, EscalationAction, HourlyRate, Interruptible,
    Limit, Mode, Money, MoneyError, Observed, Ratio, Reason, Snapshot, Step, StepId, Window,
    WorkloadId, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};

/// How long a proposal waits for a person; the generation of its target guards what changed since.
const HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// What a rung that acts takes away, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relief {
    /// Which budget.
    pub budget: BudgetId,
    /// The rung that is reached.
    pub rung: Escalation,
    /// What has to be free again for the budget to be below it.
    pub need: Money,
    /// What is cut.
    pub cuts: Vec<Cut>,
    /// Whether they free that much.
    pub enough: bool,
    /// Whether nothing that frees as much loses less.
    pub proven: bool,
}

/// A job that is suspended, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which.
    pub workload: WorkloadId,
    /// What it would still have cost in the period.
    pub frees: Money,
    /// What saving its work and starting it again costs.
    pub loses: Money,
    /// The value of what is not done in time if it goes on with the next period.
    pub loses_value: Decimal,
    /// The step that does it, where one is proposed: undoing it takes it back.
    pub step: Option<StepId>,
}

impl<W: World, S: Store> Engine<W, S> {
    /// Takes back what rungs did that are not reached any more, and proposes what those do that
    /// are.
    pub(crate) fn climb(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Relief>, EngineError> {
        let exposures = self.ground().exposures(&self.config.budgets, now)?;
        self.climb_down(&exposures, now, notes)?;
        let mut reliefs = Vec::new();
        for exposure in &exposures {
            let rung = exposure.rung().map_err(EngineError::Money)?;
            let acts = |rung: &Escalation| rung.action >= EscalationAction::Cut;
            let Some(rung) = rung.filter(acts).filter(|rung| rung.mode != Mode::Observe) else {
                continue;
            };
            let relief = relief(exposure, rung, snapshot, now).map_err(EngineError::Money)?;
            let Some(mut relief) = relief else { continue };
            if rung.mode.min(self.config.policy.mode) >= Mode::Approve {
                self.propose(&mut relief, snapshot, now)?;
            }
            reliefs.push(relief);
        }
        Ok(reliefs)
    }

    /// Journals the steps of a relief that are not there already.
    fn propose(
        &mut self,
        relief: &mut Relief,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let number = self.journal.head().seq + 1;
        let expires = now.checked_add(HOLDS).map_err(|_| EngineError::Horizon)?;
        let mut steps = Vec::new();
        for cut in &mut relief.cuts {
            let open = self.journal.state().steps.values().find(|open| {
                let same = matches!(&open.step.action, Action::Suspend { workload }
                    if *workload == cut.workload);
                same && (open.stage != Stage::Proposed || now <= open.step.expires)
            });
            if let Some(open) = open {
                cut.step = Some(open.step.id.clone());
                continue;
            }
            let Some(observed) = snapshot.workload(&cut.workload) else { continue };
            let id = StepId::new(&format!("b{number}-{}", steps.len() + 1));
            let step = Step {
                id: id.map_err(EngineError::Id)?,
                action: Action::Suspend { workload: cut.workload.clone() },
                generation: observed.generation,
                cost: Money::zero(self.config.currency),
                saving: cut.frees.checked_sub(cut.loses).map_err(EngineError::Money)?,
                reasons: vec![Reason::Rule(format!(
                    "budget {} is at {} or more of its limit; this frees {} and loses {}",
                    relief.budget, relief.rung.at, cut.frees, cut.loses
                ))],
                expires,
            };
            cut.step = Some(step.id.clone());
            steps.push(StepRecord::of(&step));
        }
        if steps.is_empty() {
            return Ok(());
        }
        let record = EscalatedRecord::of(&relief.budget, relief.rung, steps);
        self.journal.append(now, &[Body::Escalated(record)])
    }

    /// Takes back what was suspended for budgets that have room again.
    fn climb_down(
        &mut self,
        exposures: &[Exposure],
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        let mut over: Vec<(StepId, BudgetId)> = Vec::new();
        for (open, since) in self.journal.state().in_force() {
            let Some(ladder) = &open.ladder else { continue };
            // By itself only what was done by itself.
            if ladder.mode.min(self.config.policy.mode) < Mode::Enforce {
                continue;
            }
            let exposure = exposures.iter().find(|it| it.state.budget.id == ladder.budget);
            let back = exposure.is_none_or(|it| has_room(it, ladder, open.step.saving, since));
            if back {
                over.push((open.step.id.clone(), ladder.budget.clone()));
            }
        }
        for (step, budget) in over {
            match self.undo(&step, now) {
                Ok(_) => notes.push(format!("budget {budget} has room again: step {step} undone")),
                Err(EngineError::NotUndone { step, why }) => {
                    // Someone else has it now: it is nothing of ours to take back.
                    let text = format!("step {step} was not taken back: {why}");
                    notes.push(text.clone());
                    let gone = Body::Settled { step, posted: self.nothing() };
                    self.journal.append(now, &[note("ladder", text), gone])?;
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

/// Whether what was suspended may go on: in a new period, or where the rung would not be reached
/// with it. A sum that does not fit has no room.
fn has_room(exposure: &Exposure, ladder: &Ladder, saved: Money, since: Timestamp) -> bool {
    let state = &exposure.state;
    let mut with = exposure.clone();
    let Ok(committed) = state.committed.checked_add(saved) else { return false };
    with.state.committed = committed;
    let period = state.budget.period.window_at(since);
    // A rolling period is a new one at every moment.
    let anew = state.period.to() != Timestamp::MAX && period != Some(state.period);
    let looked = if anew { exposure } else { &with };
    looked.reaches(ladder.at).is_ok_and(|reached| !reached)
}

/// What a rung takes away; `None` where the budget is not in money.
fn relief(
    exposure: &Exposure,
    rung: Escalation,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Option<Relief>, MoneyError> {
    let state = &exposure.state;
    let Limit::Money(limit) = state.limit else { return Ok(None) };
    let gone = state.spent.checked_add(state.committed)?;
    let need = gone.checked_sub(part(limit, rung.at)?)?;
    // To be below it and not on it.
    let need = need.checked_add(Money::from_pico(1, limit.currency()))?;
    let mut options = Vec::new();
    let mut cuts = Vec::new();
    for observed in &snapshot.workloads {
        let covered = state.budget.scope.covers(&observed.workload);
        let Some(cut) = (if covered { cut(observed, state.period, snapshot, now)? } else { None })
        else {
            continue;
        };
        options.push(cuts::Cut {
            frees: cut.frees.pico(),
            loses: (cut.loses_value.nano(), cut.loses.pico()),
        });
        cuts.push(cut);
    }
    // Their sums have to fit before they are searched.
    Money::sum(cuts.iter().map(|cut| cut.frees), limit.currency())?;
    Money::sum(cuts.iter().map(|cut| cut.loses), limit.currency())?;
    let chosen = match rung.action {
        EscalationAction::Suspend => {
            let free: i128 = options.iter().map(|cut| cut.frees).sum();
            let all = (0..cuts.len()).collect();
            Chosen { cuts: all, enough: free >= need.pico(), proven: true }
        }
        _ => cuts::least_loss(&options, need.pico()),
    };
    let taken = chosen.cuts.iter().map(|index| cuts[*index].clone()).collect();
    Ok(Some(Relief {
        budget: state.budget.id.clone(),
        rung,
        need,
        cuts: taken,
        enough: chosen.enough,
        proven: chosen.proven,
    }))
}

/// A part of a limit, rounded down.
fn part(limit: Money, part: Ratio) -> Result<Money, MoneyError> {
    Ok(limit.checked_mul_int(i128::from(part.ppm()))?.div_rem(1_000_000)?.0)
}

/// What suspending a job frees and loses; `None` for what cannot be suspended, has nothing to free,
/// or costs nobody knows what.
fn cut(
    observed: &Observed,
    period: Window,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Option<Cut>, MoneyError> {
    let workload = &observed.workload;
    let Some(job) = workload.job() else { return Ok(None) };
    let (Some(interruptible), WorkloadState::Placed(there)) = (job.interruptible, &observed.state)
    else {
        return Ok(None);
    };
    let (mut frees, mut loses): (Option<Money>, Option<Money>) = (None, None);
    let mut late = 0_u32;
    for assignment in there.iter().filter(|there| there.window.to() > now) {
        let Some(rate) = rate(snapshot, assignment) else { return Ok(None) };
        let nodes = i128::from(assignment.members) * i128::from(assignment.nodes_each);
        let left = assignment.window.from().max(now);
        let inside = Window::new(left, assignment.window.to().min(period.to()));
        let Ok(inside) = inside else { continue };
        let zero = Money::zero(rate.per_hour().currency());
        let saved = rate.cost(inside)?.checked_mul_int(nodes)?;
        frees = Some(frees.unwrap_or(zero).checked_add(saved)?);
        let again = match Window::starting(now, again(interruptible)) {
            Some(window) => rate.cost(window)?.checked_mul_int(nodes)?,
            None => zero,
        };
        loses = Some(loses.unwrap_or(zero).checked_add(again)?);
        let left = assignment.window.to().duration_since(left);
        if is_late(job.deadline, left, period, interruptible) {
            late += assignment.members;
        }
    }
    let (Some(frees), Some(loses)) = (frees.filter(|it| !it.is_zero()), loses) else {
        return Ok(None);
    };
    let value = workload.value.nano().checked_mul(i128::from(late)).ok_or(MoneyError::Overflow)?;
    let loses_value = Decimal::from_nano(value.max(0));
    Ok(Some(Cut { workload: workload.id.clone(), frees, loses, loses_value, step: None }))
}

/// What is paid and brings nothing: the checkpoint, and becoming productive again.
fn again(interruptible: Interruptible) -> SignedDuration {
    interruptible.checkpoint.saturating_add(interruptible.restart)
}

/// Whether work that goes on with the next period misses its deadline. Of a period without an end
/// nobody knows when there is room again: what has a deadline is then taken for late.
fn is_late(
    deadline: Option<Timestamp>,
    left: SignedDuration,
    period: Window,
    interruptible: Interruptible,
) -> bool {
    let Some(deadline) = deadline else { return false };
    let next = period.to().checked_add(left.saturating_add(again(interruptible)));
    next.map_or(true, |done| done > deadline)
}

/// What the nodes of an assignment cost, as they were bought.
fn rate(snapshot: &Snapshot, assignment: &Assignment) -> Option<HourlyRate> {
    let mut nodes = snapshot.nodes.iter().filter(|node| node.offer == assignment.offer);
    nodes.find_map(|node| node.price.rate())
}
