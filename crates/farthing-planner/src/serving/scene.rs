//! What a service is decided from: kinds of replicas on offers, with loads and costs.

use super::{PARTS, PPM, REPLICA, Serving, ServingKind};
use crate::account::Account;
use crate::candidate::{Filter, ReplicaKind, rate_of, replica_kinds};
use crate::column::Pool;
use crate::standing::Standing;
use crate::{Input, PlanError};
use farthing_model::{
    HourlyRate, MoneyError, Observed, Ratio, Service, Split, Workload, WorkloadState,
};

/// Replicas beyond any multiple of the load that a queue may need.
const QUEUED_MORE: i128 = 64;

/// What services are made from.
pub(crate) struct Scene<'a, 's> {
    /// The input.
    pub(crate) input: &'a Input,
    /// Hard budgets.
    pub(crate) accounts: &'s [Account<'a>],
    /// Limited offers.
    pub(crate) pools: &'s [Pool],
    /// What stands.
    pub(crate) standing: &'s [Standing<'a>],
}

/// The service of a workload that is to be served.
pub(crate) fn wanted(observed: &Observed) -> Option<&Service> {
    let wanted = matches!(observed.state, WorkloadState::Waiting | WorkloadState::Placed(_));
    observed.workload.service().filter(|_| wanted)
}

fn overflow(workload: &Workload) -> PlanError {
    PlanError::Overflow(format!("workload {}", workload.id))
}

impl<'a> Scene<'a, '_> {
    /// States the decision about a service, for a target use of its replicas.
    pub(crate) fn serving(
        &self,
        observed: &'a Observed,
        service: &'a Service,
        target: Ratio,
    ) -> Result<Serving<'a>, PlanError> {
        let rate = observed.demand_per_s.unwrap_or(service.requests.rate_per_s).nano();
        let declared = service.requests.rate_per_s.is_positive();
        let least = service.replicas_min.max(u32::from(declared || rate > 0));
        self.serving_at(observed, service, (rate, least, target))
    }

    /// The decision for a rate in 10^-9 per second and a number of replicas at least.
    pub(crate) fn serving_at(
        &self,
        observed: &'a Observed,
        service: &'a Service,
        (rate, least, target): (i128, u32, Ratio),
    ) -> Result<Serving<'a>, PlanError> {
        let workload = &*observed.workload;
        let mut serving = Serving {
            observed,
            rate,
            kinds: Vec::new(),
            reached: None,
            least,
            needed: least > 0,
            parts: match service.split {
                Split::Continuous => PARTS,
                Split::Slices(slices) => i128::from(slices.max(1)),
            },
            target,
            present_cost: 0,
            present_costs: Vec::new(),
            present_pools: Vec::new(),
            present_offers: Vec::new(),
            fixed: None,
        };
        self.add_present(&mut serving).map_err(|source| PlanError::Money {
            object: format!("workload {}", workload.id),
            source,
        })?;
        for (index, offer) in self.input.offers.iter().enumerate() {
            match replica_kinds((workload, service), (index, offer), self.input) {
                Err(filter) => serving.reached = serving.reached.max(Some(filter)),
                Ok(kinds) => {
                    serving.reached = Some(Filter::Passed);
                    for replica in kinds {
                        let kind =
                            self.kind((workload, service), replica, rate, (least, target))?;
                        serving.kinds.extend(kind);
                    }
                }
            }
        }
        serving.keep_in_one_node();
        serving.keep_undominated(self.input);
        Ok(serving)
    }

    /// The same kinds for another rate.
    pub(super) fn again(
        &self,
        serving: &Serving<'a>,
        rate: i128,
        least: u32,
    ) -> Result<Serving<'a>, PlanError> {
        let mut other = serving.clone();
        (other.rate, other.least, other.needed) = (rate, least, least > 0);
        let workload = &*serving.observed.workload;
        let Some(service) = workload.service() else { return Ok(other) };
        other.kinds.clear();
        for kind in &serving.kinds {
            let replica = kind.replica.clone();
            let target = (least, serving.target);
            other.kinds.extend(self.kind((workload, service), replica, rate, target)?);
        }
        Ok(other)
    }

    /// What stands now and would be given back if the service is served anew.
    fn add_present(&self, serving: &mut Serving<'a>) -> Result<(), MoneyError> {
        let input = self.input;
        let id = &serving.observed.workload.id;
        let here = self.standing.iter().filter(|stand| stand.observed.workload.id == *id);
        let mut costs = vec![0_i128; self.accounts.len()];
        for stand in here {
            serving.present_offers.extend(stand.offer);
            let Some(rate) = stand.rate else { continue };
            let cost = rate.cost(input.horizon)?.checked_mul_int(stand.nodes())?;
            serving.present_cost += cost.pico();
            // Only what is committed already is given back.
            let committed = stand.assignment.window.intersect(input.horizon);
            for (position, account) in self.accounts.iter().enumerate() {
                if let Some(window) =
                    committed.filter(|_| account.covers(&serving.observed.workload))
                {
                    let one = account.of_standing(stand, window)?;
                    costs[position] += one * stand.nodes();
                }
            }
            let pool = self.pools.iter().position(|pool| Some(pool.offer) == stand.offer);
            if let Some(pool) = pool {
                let instants = self.pools[pool].instants.len();
                serving.present_pools.push((pool, instants, stand.nodes()));
            }
        }
        serving.present_costs =
            costs.into_iter().enumerate().filter(|(_, cost)| *cost > 0).collect();
        Ok(())
    }

    fn kind(
        &self,
        (workload, service): (&Workload, &Service),
        replica: ReplicaKind,
        rate: i128,
        (least, target): (u32, Ratio),
    ) -> Result<Option<ServingKind>, PlanError> {
        let Ok(hourly) = rate_of(&self.input.offers[replica.offer], self.input) else {
            return Ok(None);
        };
        let mut loads = Vec::with_capacity(replica.rates.len());
        for (bucket, most) in service.requests.buckets.iter().zip(&replica.rates) {
            let share = bucket.share.nano().max(0);
            // A bucket that nobody asks for fits anywhere.
            let most = if share == 0 || rate <= 0 { Some(i128::MAX) } else { *most };
            loads.push(match most.map(|most| load(rate, share, most)) {
                Some(None) => return Err(overflow(workload)),
                Some(load) => load,
                None => None,
            });
        }
        let served: i128 = loads.iter().flatten().sum();
        let needed = served
            .checked_mul(PPM)
            .map(|scaled| scaled / (REPLICA * i128::from(target.ppm().max(1))) + 1);
        let mut needed = needed.ok_or_else(|| overflow(workload))?.max(i128::from(least));
        if service.sizing.queue.is_some() {
            // Queues need more than the load fills: at any percentile that can be written, far
            // less than this.
            needed = 3 * needed + QUEUED_MORE;
        }
        let pool = self.pools.iter().position(|pool| pool.offer == replica.offer);
        let room = pool.map(|pool| {
            let given = self.standing.iter().filter(|stand| stand.open);
            let given = given.filter(|stand| stand.offer == Some(replica.offer));
            let free = self.pools[pool].room.iter().min().copied().unwrap_or(0);
            (free + given.map(Standing::nodes).sum::<i128>()) / i128::from(replica.nodes.max(1))
        });
        let most = room.map_or(needed, |room| needed.min(room)).max(0);
        let most = i64::try_from(most).map_err(|_| overflow(workload))?;
        let wrong =
            |source| PlanError::Money { object: format!("workload {}", workload.id), source };
        let (cost, costs) = self.costs(workload, hourly, &replica).map_err(wrong)?;
        let pool = pool.map(|pool| (pool, self.pools[pool].instants.len()));
        Ok(Some(ServingKind { replica, cost, costs, loads, most, pool }))
    }

    fn costs(
        &self,
        workload: &Workload,
        rate: HourlyRate,
        replica: &ReplicaKind,
    ) -> Result<(i128, Vec<(usize, i128)>), MoneyError> {
        let (horizon, nodes) = (self.input.horizon, replica.nodes);
        let cost = rate.cost(horizon)?.checked_mul_int(i128::from(nodes))?.pico();
        let mut costs = Vec::new();
        for (position, account) in self.accounts.iter().enumerate() {
            if account.covers(workload) {
                let inside = account.of_offer(&self.input.offers[replica.offer], nodes, horizon)?;
                if inside > 0 {
                    costs.push((position, inside));
                }
            }
        }
        Ok((cost, costs))
    }
}

/// `rate x share / most` in 10^-12 replicas, rounded up; all in 10^-9. `None` on overflow.
fn load(rate: i128, share: i128, most: i128) -> Option<i128> {
    if rate <= 0 || share == 0 {
        return Some(0);
    }
    let requests = rate.checked_mul(share)?.checked_mul(REPLICA / PARTS)?;
    Some(requests.div_euclid(most) + i128::from(requests.rem_euclid(most) > 0))
}
