//! Nodes that boot later than they usually do.
//!
//! What is due is planned so that it is also in time where every bought node boots as late as it
//! does at worst ([`boot_max`](farthing_model::Policy::boot_max)), if there is such a plan. That is
//! care, and no law: else what is in time with usual boots is planned. Start at [`careful`].

use super::available::overbooked;
use super::program::{Label, Program};
use super::solve::{Solved, solve};
use super::timing::NEVER;
use super::{DagError, DagInput};
use farthing_model::Objective;

impl Program<'_> {
    /// The same with each run as long as it is where its nodes boot late; `None` where none does.
    pub(super) fn with_late_boots(&self) -> Option<Self> {
        if self.vertices.iter().flat_map(|it| &it.labels).all(|label| label.late() == 0) {
            return None;
        }
        let mut late = self.clone();
        for (runs, vertex) in late.problem.timing.run.iter_mut().zip(&self.vertices) {
            *runs = vertex.labels.iter().map(|label| label.run() + label.late()).collect();
        }
        Some(late)
    }
}

/// The best choice of those that are in time with late boots: nothing is said of others, its bound
/// neither. `None` where nothing can be late, there is none, or the end is the objective anyway.
pub(super) fn careful(
    input: &DagInput<'_>,
    program: &Program<'_>,
) -> Result<Option<Solved>, DagError> {
    let due = super::deadline::due(input.dag, input.now, program.vertices.len());
    if input.dag.objective == Objective::Time || due.iter().all(|due| *due == NEVER) {
        return Ok(None);
    }
    let Some(late) = program.with_late_boots() else { return Ok(None) };
    let half = DagInput { work_max: input.work_max / 2, ..*input };
    let Solved::Plan(mut plan) = solve(&half, &late)? else { return Ok(None) };
    // With usual boots other tasks run at once.
    let labels: Vec<Label> = program.chosen(&plan.choice);
    let usual = program.problem.timing.waiting(&plan.waits);
    if overbooked(input, program, (&usual, plan.choice.as_slice()), &labels).is_some() {
        return Ok(None);
    }
    plan.makespan = usual.makespan(&plan.choice);
    plan.careful = true;
    Ok(Some(Solved::Plan(plan)))
}
