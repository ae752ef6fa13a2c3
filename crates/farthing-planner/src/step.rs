//! Steps: each new placement, each change of replicas and each idle node as one exact action.

use crate::decision::Decision;
use crate::utilisation::Idle;
use crate::{Input, Placement, PlanError};
use farthing_model::{
    Action, Money, Observed, OfferId, Reason, Step, StepId, WorkloadId, WorkloadKind,
};
use jiff::Timestamp;

/// The steps in the order in which they are to be done: more replicas, starts by time, fewer
/// replicas, nodes given back.
pub(crate) fn steps(
    input: &Input,
    decision: &Decision<'_>,
    placements: &[Placement],
    idle: &[Idle],
) -> Result<Vec<Step>, PlanError> {
    let mut maker = Maker { input, decision, steps: Vec::new() };
    let mut new: Vec<&Placement> = placements.iter().filter(|place| !place.stays).collect();
    new.sort_by(|a, b| {
        let key = |place: &Placement| {
            (place.window.from(), place.workload.clone(), place.offer.clone(), place.window.to())
        };
        key(a).cmp(&key(b))
    });
    let (services, jobs): (Vec<&Placement>, Vec<&Placement>) =
        new.into_iter().partition(|place| maker.is_service(&place.workload));
    let (grown, shrunk): (Vec<&Placement>, Vec<&Placement>) =
        services.into_iter().partition(|place| maker.replicas(place) < place.members);
    for placement in grown.into_iter().chain(jobs).chain(shrunk) {
        maker.place(placement)?;
    }
    maker.leave(placements)?;
    for node in idle {
        maker.release(node)?;
    }
    Ok(maker.steps)
}

struct Maker<'a, 'd> {
    input: &'a Input,
    decision: &'d Decision<'a>,
    steps: Vec<Step>,
}

impl Maker<'_, '_> {
    fn observed(&self, id: &WorkloadId) -> Option<&Observed> {
        self.input.snapshot.workload(id)
    }

    fn is_service(&self, id: &WorkloadId) -> bool {
        let observed = self.observed(id);
        observed.is_some_and(|seen| matches!(seen.workload.kind, WorkloadKind::Service(_)))
    }

    /// Replicas that stand on the offer of a placement.
    fn replicas(&self, placement: &Placement) -> u32 {
        let standing = self.decision.standing.iter().filter(|stand| {
            stand.observed.workload.id == placement.workload
                && Some(&stand.assignment.offer) == placement.offer.as_ref()
        });
        standing.map(|stand| stand.assignment.members).sum()
    }

    fn push(&mut self, step: impl FnOnce(StepId) -> Step) -> Result<(), PlanError> {
        let number = self.steps.len() + 1;
        let id = StepId::new(&format!("{}/{number}", self.input.id))
            .map_err(|source| PlanError::StepName { number, source })?;
        self.steps.push(step(id));
        Ok(())
    }

    /// A step is as old as the data it was made from, and makes no sense after its end.
    fn expires(&self, end: Option<Timestamp>) -> Timestamp {
        let (at, age) = (self.input.snapshot.at, self.input.policy.limits.age_max);
        let end = end.unwrap_or(self.input.horizon.to());
        at.checked_add(age).ok().filter(|stale| *stale > at).map_or(end, |stale| stale.min(end))
    }

    fn place(&mut self, placement: &Placement) -> Result<(), PlanError> {
        let (Some(offer), Some(observed)) =
            (placement.offer.clone(), self.observed(&placement.workload))
        else {
            return Ok(());
        };
        let generation = observed.generation;
        let (workload, nodes_each) = (placement.workload.clone(), placement.nodes_each);
        let (window, members) = (placement.window, placement.members);
        let action = if self.is_service(&workload) {
            let (from, to) = (self.replicas(placement), members);
            Action::Scale { workload, offer, from, to, nodes_each, window }
        } else {
            Action::Start { workload, offer, members, nodes_each, window }
        };
        let saving = match placement.reference {
            Some(reference) => reference.checked_sub(placement.cost),
            None => Ok(Money::zero(self.input.currency)),
        };
        let saving = saving.map_err(crate::compile::of_workload(&placement.workload))?;
        let expires = self.expires(Some(window.to()));
        let (cost, reasons) = (placement.cost, placement.reasons.clone());
        self.push(|id| Step { id, action, generation, cost, saving, reasons, expires })
    }

    /// Offers that a service leaves altogether.
    fn leave(&mut self, placements: &[Placement]) -> Result<(), PlanError> {
        let mut left: Vec<(WorkloadId, OfferId, u32, u32, u64)> = Vec::new();
        for stand in self.decision.standing.iter().filter(|stand| stand.open) {
            let workload = &stand.observed.workload.id;
            let offer = &stand.assignment.offer;
            let there = placements
                .iter()
                .any(|place| place.workload == *workload && place.offer.as_ref() == Some(offer));
            let same = left.iter_mut().find(|(id, at, ..)| id == workload && at == offer);
            match same {
                _ if there => {}
                Some((_, _, from, ..)) => *from += stand.assignment.members,
                None => left.push((
                    workload.clone(),
                    offer.clone(),
                    stand.assignment.members,
                    stand.assignment.nodes_each,
                    stand.observed.generation,
                )),
            }
        }
        for (workload, offer, from, nodes_each, generation) in left {
            let window = self.input.horizon;
            let action = Action::Scale { workload, offer, from, to: 0, nodes_each, window };
            let zero = Money::zero(self.input.currency);
            let expires = self.expires(Some(window.to()));
            let reasons = vec![Reason::Rule("its load is served elsewhere for less".to_owned())];
            self.push(|id| Step {
                id,
                action,
                generation,
                cost: zero,
                saving: zero,
                reasons,
                expires,
            })?;
        }
        Ok(())
    }

    fn release(&mut self, idle: &Idle) -> Result<(), PlanError> {
        let action = Action::Release { node: idle.node.clone() };
        let (cost, saving) = (Money::zero(self.input.currency), idle.saving);
        let expires = self.expires(None);
        let reasons = vec![Reason::IdleNode];
        self.push(|id| Step { id, action, generation: 0, cost, saving, reasons, expires })
    }
}
