//! A tiny world: it does exactly what steps say, at once and without noise.

use farthing_model::{Action, Assignment, Observed, WorkloadKind, WorkloadState};
use farthing_planner::{Input, Planned};

/// The input as it is right after all steps of `planned` were done.
pub(crate) fn after(input: &Input, planned: &Planned) -> Input {
    let mut next = input.clone();
    for step in &planned.plan.steps {
        match &step.action {
            Action::Start { workload, offer, members, nodes_each, window } => {
                let assignment = Assignment {
                    offer: offer.clone(),
                    members: *members,
                    nodes_each: *nodes_each,
                    window: *window,
                };
                let observed = find(&mut next, workload.as_str(), step.generation);
                let mut all = assignments(observed);
                all.push(assignment);
                observed.state = WorkloadState::Placed(all);
            }
            Action::Scale { workload, offer, from, to, nodes_each, window } => {
                let observed = find(&mut next, workload.as_str(), step.generation);
                let mut all = assignments(observed);
                let before: u32 =
                    all.iter().filter(|at| at.offer == *offer).map(|at| at.members).sum();
                assert_eq!(before, *from, "{:?}", step.action);
                all.retain(|at| at.offer != *offer);
                if *to > 0 {
                    all.push(Assignment {
                        offer: offer.clone(),
                        members: *to,
                        nodes_each: *nodes_each,
                        window: *window,
                    });
                }
                observed.state = if all.is_empty() {
                    WorkloadState::Waiting
                } else {
                    WorkloadState::Placed(all)
                };
            }
            Action::Suspend { workload } => {
                find(&mut next, workload.as_str(), step.generation).state =
                    WorkloadState::Suspended;
            }
            Action::Resume { workload } => {
                find(&mut next, workload.as_str(), step.generation).state = WorkloadState::Waiting;
            }
            Action::Release { node } => next.snapshot.nodes.retain(|other| other.id != *node),
            other @ (Action::Resize { .. } | Action::Buy { .. }) => {
                panic!("no plan does that: {other:?}")
            }
        }
    }
    for observed in &mut next.snapshot.workloads {
        if planned
            .plan
            .steps
            .iter()
            .any(|step| step.action.workload() == Some(&observed.workload.id))
        {
            observed.generation += 1;
        }
    }
    reserve(&mut next, planned);
    next
}

fn find<'a>(input: &'a mut Input, name: &str, generation: u64) -> &'a mut Observed {
    let all = &mut input.snapshot.workloads;
    let observed = all.iter_mut().find(|seen| seen.workload.id.as_str() == name).unwrap();
    assert_eq!(observed.generation, generation, "{name} changed since it was seen");
    observed
}

fn assignments(observed: &Observed) -> Vec<Assignment> {
    match &observed.state {
        WorkloadState::Waiting => Vec::new(),
        WorkloadState::Placed(all) => all.clone(),
        state => panic!("{state:?} cannot be placed"),
    }
}

/// What steps cost is committed; a quoted cost has no step, so nothing is.
fn reserve(next: &mut Input, planned: &Planned) {
    for state in &mut next.budgets {
        let row = planned.report.budgets.iter().find(|row| row.budget == state.budget.id).unwrap();
        state.committed = state.committed.checked_add(row.planned).unwrap();
        for placement in planned.report.placements.iter().filter(|at| at.offer.is_none()) {
            let observed = next.snapshot.workload(&placement.workload).unwrap();
            assert!(matches!(observed.workload.kind, WorkloadKind::Job(_)));
            if state.budget.scope.covers(&observed.workload) {
                state.committed = state.committed.checked_sub(placement.cost).unwrap();
            }
        }
    }
}
