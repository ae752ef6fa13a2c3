//! Steps: each names what is there, can be done, and says the same as one placement.

use super::placement::{current, goes_on};
use super::{Audit, Violation};
use crate::Placement;
use farthing_model::{Action, Observed, OfferId, Step, WorkloadId, WorkloadKind, WorkloadState};
use std::collections::BTreeSet;

/// Replicas of a service on an offer before the plan.
fn replicas_before(observed: &Observed, offer: &OfferId) -> u32 {
    match &observed.state {
        WorkloadState::Placed(all) => {
            all.iter().filter(|before| before.offer == *offer).map(|before| before.members).sum()
        }
        _ => 0,
    }
}

/// Whether a step and a new placement say the same.
fn same(action: &Action, placement: &Placement) -> bool {
    let (who, at, number, nodes, span) = match action {
        Action::Start { workload, offer, members, nodes_each, window } => {
            (workload, offer, members, nodes_each, window)
        }
        Action::Scale { workload, offer, to, nodes_each, window, .. } => {
            (workload, offer, to, nodes_each, window)
        }
        _ => return false,
    };
    *who == placement.workload
        && Some(at) == placement.offer.as_ref()
        && *number == placement.members
        && *nodes == placement.nodes_each
        && *span == placement.window
}

impl Audit<'_> {
    /// All steps, and what they leave out.
    pub(super) fn steps(&mut self) {
        let mut ids = BTreeSet::new();
        let mut scaled: BTreeSet<(&WorkloadId, &OfferId)> = BTreeSet::new();
        let placements = &self.planned.report.placements;
        let mut done = vec![false; placements.len()];
        for step in &self.planned.plan.steps {
            if !ids.insert(&step.id) {
                self.found.push(Violation::StepTwice(step.id.clone()));
            }
            self.target(step);
            self.expiry(step);
            if let Action::Scale { workload, offer, .. } = &step.action
                && !scaled.insert((workload, offer))
            {
                let why = "another step scales the same service on the same offer";
                self.found.push(Violation::Misapplied { step: step.id.clone(), why });
            }
            let places = match &step.action {
                Action::Start { .. } => true,
                Action::Scale { to, .. } => *to > 0,
                _ => false,
            };
            let found = placements.iter().enumerate().position(|(index, placement)| {
                !placement.stays && !done[index] && same(&step.action, placement)
            });
            match found {
                Some(index) => {
                    done[index] = true;
                    self.same_cost(step, &placements[index]);
                }
                None if places => {
                    self.found.push(Violation::StepWithoutPlacement(step.id.clone()));
                }
                None => {}
            }
        }
        for (placement, _) in placements.iter().zip(done).filter(|(_, done)| !done) {
            if let Some(offer) = placement.offer.clone().filter(|_| !placement.stays) {
                let workload = placement.workload.clone();
                self.found.push(Violation::PlacementWithoutStep { workload, offer });
            }
        }
        for observed in &self.input.snapshot.workloads {
            self.kept(observed);
        }
    }

    fn same_cost(&mut self, step: &Step, placement: &Placement) {
        if step.cost != placement.cost {
            self.found.push(Violation::Cost {
                workload: placement.workload.clone(),
                said: step.cost,
                is: placement.cost,
            });
        }
    }

    /// The target is there, as it was seen, and can have this done to it.
    fn target(&mut self, step: &Step) {
        let Some(id) = step.action.workload() else { return };
        let Some(observed) = self.workloads.get(id).copied() else {
            return self.found.push(Violation::UnknownTarget(format!("workload {id}")));
        };
        if step.generation != observed.generation {
            self.found.push(Violation::Generation {
                step: step.id.clone(),
                seen: step.generation,
                there: observed.generation,
            });
        }
        if let Some(why) = self.misapplied(step, observed) {
            self.found.push(Violation::Misapplied { step: step.id.clone(), why });
        }
    }

    fn misapplied(&self, step: &Step, observed: &Observed) -> Option<&'static str> {
        let job = matches!(observed.workload.kind, WorkloadKind::Job(_));
        let state = &observed.state;
        let resumed = || {
            self.planned.plan.steps.iter().any(|other| {
                matches!(&other.action, Action::Resume { workload }
                    if *workload == observed.workload.id)
            })
        };
        match &step.action {
            Action::Start { .. } if !job => Some("a service is scaled, not started"),
            Action::Start { members: 0, .. } => Some("it starts nothing"),
            Action::Scale { .. } if job => Some("a job is started, not scaled"),
            Action::Scale { from, to, .. } if from == to => Some("it changes nothing"),
            Action::Scale { from, offer, .. } if *from != replicas_before(observed, offer) => {
                Some("the replicas before are not those of the snapshot")
            }
            Action::Start { .. } | Action::Scale { .. } => match state {
                WorkloadState::Waiting | WorkloadState::Placed(_) => None,
                WorkloadState::Suspended if resumed() => None,
                WorkloadState::Suspended => Some("the workload is suspended"),
                WorkloadState::Finished(_) => Some("the workload is finished"),
            },
            Action::Suspend { .. } if !matches!(state, WorkloadState::Placed(_)) => {
                Some("only what is placed can be suspended")
            }
            Action::Resume { .. } if *state != WorkloadState::Suspended => {
                Some("only what is suspended can be resumed")
            }
            Action::Resize { .. } => Some("no plan says what members may use"),
            Action::Buy { .. } => Some("a plan buys nothing by itself"),
            Action::Suspend { .. } | Action::Resume { .. } | Action::Release { .. } => None,
        }
    }

    fn expiry(&mut self, step: &Step) {
        let end = match &step.action {
            Action::Start { window, .. } | Action::Scale { window, .. } => Some(window.to()),
            _ => None,
        };
        let sane = step.expires > self.planned.plan.at && end.is_none_or(|end| step.expires <= end);
        if !sane {
            let step_id = step.id.clone();
            self.found.push(Violation::Expiry { step: step_id, expires: step.expires });
        }
    }

    /// What was placed goes on, or a step changes it.
    fn kept(&mut self, observed: &Observed) {
        let id = &observed.workload.id;
        let (horizon, service) = (self.input.horizon, observed.workload.service().is_some());
        let mut kept: Vec<_> = self.placements_of(id).filter(|at| at.stays).collect();
        for before in current(observed, horizon) {
            let same = kept.iter().position(|at| goes_on(before, at, horizon, service));
            if let Some(index) = same {
                kept.remove(index);
                continue;
            }
            let changed = self.planned.plan.steps.iter().any(|step| match &step.action {
                Action::Suspend { workload } => workload == id,
                Action::Scale { workload, offer, .. } => workload == id && *offer == before.offer,
                _ => false,
            });
            if !changed {
                let (workload, offer) = (id.clone(), before.offer.clone());
                self.found.push(Violation::Dropped { workload, offer });
            }
        }
        for placement in kept {
            let (workload, offer) = (id.clone(), placement.offer.clone());
            self.found.push(Violation::WasNotThere { workload, offer });
        }
    }
}
