//! From a draft to a plan with its report.

use super::draft::{Draft, money_of, open_members, r};
use crate::account::row;
use crate::{
    BudgetRow, BudgetState, Placement, PlanError, Planned, Report, SolverReport, Status,
    UtilisationRow,
};
use farthing_model::{
    Action, Decimal, Money, Observed, Plan, Resource, Step, StepId, WorkloadId, WorkloadKind,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

impl Draft<'_> {
    /// The plan, with what fifo would have paid for the same beside each placement.
    pub(super) fn finish(
        mut self,
        policy: &'static str,
        reference: &BTreeMap<WorkloadId, Money>,
    ) -> Result<Planned, PlanError> {
        self.merge()?;
        self.compare(reference)?;
        let input = self.input;
        let costs = self.placements.iter().map(|placement| placement.cost);
        let cost = Money::sum(costs, input.currency).map_err(money_of("plan"))?;
        let late = self.waiting.iter().any(|row| row.late);
        let nothing = self.placements.is_empty() && !self.waiting.is_empty();
        let report = Report {
            policy,
            horizon: input.horizon,
            cost,
            lower_bound: None,
            certified_bound: None,
            gap: None,
            value: self.value()?,
            value_bound: None,
            status: if late || nothing { Status::Infeasible } else { Status::Feasible },
            solver: SolverReport::default(),
            waiting: self.waiting.clone(),
            utilisation: self.utilisation(),
            budgets: input
                .budgets
                .iter()
                .map(|state| self.budget(state))
                .collect::<Result<_, _>>()?,
            cuts: Vec::new(),
            excluded: self.excluded(),
            unknown: self.notes.clone(),
            placements: Vec::new(),
            services: Vec::new(),
        };
        let plan = Plan {
            id: input.id.clone(),
            parent: input.parent.clone(),
            at: input.snapshot.at,
            steps: self.steps()?,
        };
        Ok(Planned { plan, report: Report { placements: self.placements, ..report } })
    }

    fn observed(&self, id: &WorkloadId) -> Option<&Observed> {
        self.input.snapshot.workload(id)
    }

    /// Members that do the same become one placement.
    fn merge(&mut self) -> Result<(), PlanError> {
        let mut merged: Vec<Placement> = Vec::with_capacity(self.placements.len());
        for next in self.placements.drain(..) {
            let same = merged.iter_mut().rev().take_while(|last| last.workload == next.workload);
            let same = same.filter(|last| {
                !last.stays
                    && !next.stays
                    && (&last.offer, last.nodes_each, last.window, &last.reasons)
                        == (&next.offer, next.nodes_each, next.window, &next.reasons)
            });
            match same.last() {
                Some(last) => {
                    last.members += next.members;
                    last.cost = last
                        .cost
                        .checked_add(next.cost)
                        .map_err(money_of(next.workload.as_str()))?;
                }
                None => merged.push(next),
            }
        }
        self.placements = merged;
        Ok(())
    }

    /// Fills in `R` and the reference of new placements.
    fn compare(&mut self, reference: &BTreeMap<WorkloadId, Money>) -> Result<(), PlanError> {
        let snapshot = &self.input.snapshot;
        for placement in self.placements.iter_mut().filter(|placement| !placement.stays) {
            let Some(observed) = snapshot.workload(&placement.workload) else { continue };
            let wrong = || money_of(placement.workload.as_str());
            let (members, all) = match observed.workload.kind {
                WorkloadKind::Job(_) => (placement.members, open_members(observed)),
                WorkloadKind::Service(_) => (1, 1),
            };
            placement.r = r(observed.workload.value, members, placement.cost);
            placement.reference = match reference.get(&placement.workload) {
                Some(whole) => {
                    let share = whole.checked_mul_int(members.into()).map_err(wrong())?;
                    Some(share.div_rem(all.max(1).into()).map_err(wrong())?.0)
                }
                None => None,
            };
        }
        Ok(())
    }

    /// Value of the members placed; that of a service once.
    fn value(&self) -> Result<Decimal, PlanError> {
        let mut services = BTreeSet::new();
        let mut value = Decimal::ZERO;
        for placement in &self.placements {
            let Some(observed) = self.observed(&placement.workload) else { continue };
            let times = match observed.workload.kind {
                WorkloadKind::Job(_) => placement.members,
                WorkloadKind::Service(_) => u32::from(services.insert(&placement.workload)),
            };
            let more = observed.workload.value.checked_mul_int(times.into());
            value = more
                .and_then(|more| value.checked_add(more))
                .ok_or_else(|| PlanError::Overflow(format!("value of {}", placement.workload)))?;
        }
        Ok(value)
    }

    fn steps(&self) -> Result<Vec<Step>, PlanError> {
        let mut steps = Vec::new();
        for placement in self.placements.iter().filter(|placement| !placement.stays) {
            let (Some(offer), Some(observed)) =
                (&placement.offer, self.observed(&placement.workload))
            else {
                continue;
            };
            let number = steps.len() + 1;
            let id = StepId::new(&format!("{}/{number}", self.input.id))
                .map_err(|source| PlanError::StepName { number, source })?;
            let (workload, nodes_each) = (placement.workload.clone(), placement.nodes_each);
            let (offer, window) = (offer.clone(), placement.window);
            let action = match observed.workload.kind {
                WorkloadKind::Job(_) => {
                    let members = placement.members;
                    Action::Start { workload, offer, members, nodes_each, window }
                }
                WorkloadKind::Service(_) => {
                    let (from, to) = (0, placement.members);
                    Action::Scale { workload, offer, from, to, nodes_each, window }
                }
            };
            let saving = placement
                .reference
                .map_or(Ok(Money::zero(self.input.currency)), |reference| {
                    reference.checked_sub(placement.cost)
                })
                .map_err(money_of(placement.workload.as_str()))?;
            steps.push(Step {
                id,
                action,
                generation: observed.generation,
                cost: placement.cost,
                saving,
                reasons: placement.reasons.clone(),
                expires: self.expires(placement.window.to()),
            });
        }
        Ok(steps)
    }

    /// A step is as old as the data it was made from, and makes no sense after its end.
    fn expires(&self, end: Timestamp) -> Timestamp {
        let (at, age) = (self.input.snapshot.at, self.input.policy.limits.age_max);
        at.checked_add(age).ok().filter(|stale| *stale > at).map_or(end, |stale| stale.min(end))
    }

    fn utilisation(&self) -> Vec<UtilisationRow> {
        let row = |resource: Resource| {
            let band = *self.input.policy.bands.get(resource);
            let now =
                self.input.utilisation.get(resource).and_then(crate::Utilisation::of_capacity);
            let state = now.map(|now| band.state(now));
            let proposal = "none: this policy does not look at utilisation".to_owned();
            UtilisationRow { resource, now, band, state, after: None, proposal }
        };
        Resource::ALL.into_iter().map(row).collect()
    }

    fn budget(&self, state: &BudgetState) -> Result<BudgetRow, PlanError> {
        let wrong = || money_of(state.budget.id.as_str());
        let mut planned = Money::zero(self.input.currency);
        for placement in self.placements.iter().filter(|placement| !placement.stays) {
            let covers = self
                .observed(&placement.workload)
                .is_some_and(|observed| state.budget.scope.covers(&observed.workload));
            let inside = placement.window.intersect(state.period);
            let rate = placement.offer.as_ref().and_then(|id| self.offer(id)?.price.rate());
            let cost = match (&placement.offer, rate, inside) {
                (None, ..) => placement.cost,
                (Some(_), Some(rate), Some(inside)) => {
                    let nodes = i128::from(placement.members) * i128::from(placement.nodes_each);
                    rate.cost(inside).and_then(|one| one.checked_mul_int(nodes)).map_err(wrong())?
                }
                _ => continue,
            };
            if covers {
                planned = planned.checked_add(cost).map_err(wrong())?;
            }
        }
        row(state, planned)
    }

    fn excluded(&self) -> BTreeMap<&'static str, usize> {
        let mut excluded = BTreeMap::new();
        for offer in self.input.offers.iter() {
            let why = match offer.price.rate() {
                None => "price unknown",
                Some(rate) if rate.per_hour().currency() != self.input.currency => {
                    "another currency"
                }
                Some(_) => continue,
            };
            *excluded.entry(why).or_default() += 1;
        }
        excluded
    }
}
