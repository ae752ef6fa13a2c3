//! Services: which accelerators serve them, and how many replicas of each.
//!
//! Replicas `n_g` of each kind `g` are whole; the share `f_bg` of a bucket `b` that a kind takes
//! is not (or counts whole slices, where requests cannot be divided). All of a bucket is taken,
//! and the load of a kind stays under `n_g x target`. Every choice of one kind alone is a point
//! of this program, so that its optimum is never dearer than any of them.

pub(crate) mod apart;
mod bound;
mod fixed;
mod pack;
mod problem;
mod relax;
mod round;
mod search;


use crate::account::Account;
use crate::candidate::{Filter, ReplicaKind, rate_of, replica_kinds};
use crate::column::Pool;
use crate::program::{Goal, Item, Role, RowKey};
use crate::standing::Standing;
use crate::{Input, PlanError};
use farthing_milp::{Kind as VarKind, Sense, VarSpec};
use problem::{Kind, Problem};
use farthing_model::{
    HourlyRate, MoneyError, Observed, Ratio, Resource, Service, Split, Workload, WorkloadState,
};

/// A replica in the units of loads.
const REPLICA: i128 = 1_000_000_000_000;

/// Parts of a bucket where it may be divided at will. Far finer than any rate is known.
const PARTS: i128 = 1_000_000_000;

/// How much a load may exceed its target, as a part of it: what dividing a bucket into whole
/// parts can need, and far less than anyone can measure.
const ROUNDING: i128 = 100_000_000;

/// Millionths of a whole.
const PPM: i128 = 1_000_000;

/// A kind of replica with its loads and costs.
#[derive(Clone, Debug)]
pub(crate) struct ServingKind {
    /// Offer, nodes and rates.
    pub(crate) replica: ReplicaKind,
    /// What one replica costs over the horizon, in 10^-12.
    pub(crate) cost: i128,
    /// What it costs in each account that it touches, in 10^-12.
    pub(crate) costs: Vec<(usize, i128)>,
    /// All of each bucket, in 10^-12 replicas; `None` = cannot serve it.
    loads: Vec<Option<i128>>,
    /// More replicas than this are never needed.
    most: i64,
    /// The pool and its number of instants, where the offer is limited.
    pool: Option<(usize, usize)>,
}

/// A service that is decided about.
#[derive(Clone, Debug)]
pub(crate) struct Serving<'a> {
    /// The service as observed.
    pub(crate) observed: &'a Observed,
    /// Kinds of replicas that may serve it.
    pub(crate) kinds: Vec<ServingKind>,
    /// Why no kind can, if none can.
    pub(crate) reached: Option<Filter>,
    /// Fewest replicas.
    pub(crate) least: u32,
    /// Whether there is anything to serve.
    pub(crate) needed: bool,
    /// Parts of each bucket.
    parts: i128,
    /// The part of a replica that may be in use, in 10^-6.
    target: Ratio,
    /// What stands costs over the horizon, in 10^-12.
    pub(crate) present_cost: i128,
    /// What stands costs in each account.
    present_costs: Vec<(usize, i128)>,
    /// Nodes that stand in each pool, with its number of instants.
    present_pools: Vec<(usize, usize, i128)>,
    /// Offers that something stands on.
    present_offers: Vec<usize>,
    /// Replicas that it must have, by kind, where only that is asked.
    fixed: Option<Vec<(usize, i64)>>,
}

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
        let workload = &*observed.workload;
        let rate = observed.demand_per_s.unwrap_or(service.requests.rate_per_s).nano();
        let declared = service.requests.rate_per_s.is_positive();
        let least = service.replicas_min.max(u32::from(declared || rate > 0));
        let mut serving = Serving {
            observed,
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
        serving.keep_undominated(self.input);
        Ok(serving)
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
                    let one = account.inside(rate, 1, window)?;
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
        let needed = needed.ok_or_else(|| overflow(workload))?.max(i128::from(least));
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
        let (cost, costs) = self.costs(workload, hourly, replica.nodes).map_err(wrong)?;
        let pool = pool.map(|pool| (pool, self.pools[pool].instants.len()));
        Ok(Some(ServingKind { replica, cost, costs, loads, most, pool }))
    }

    fn costs(
        &self,
        workload: &Workload,
        rate: HourlyRate,
        nodes: u32,
    ) -> Result<(i128, Vec<(usize, i128)>), MoneyError> {
        let horizon = self.input.horizon;
        let cost = rate.cost(horizon)?.checked_mul_int(i128::from(nodes))?.pico();
        let mut costs = Vec::new();
        for (position, account) in self.accounts.iter().enumerate() {
            if account.covers(workload) {
                let inside = account.inside(rate, nodes, horizon)?;
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

impl ServingKind {
    /// More replicas than this are never needed.
    pub(crate) fn most(&self) -> i64 {
        self.most
    }

    /// The pool of its offer, where that is limited.
    pub(crate) fn pool(&self) -> Option<usize> {
        self.pool.map(|(pool, _)| pool)
    }
}

impl Serving<'_> {
    /// What stands costs in each account that it touches.
    pub(crate) fn present_costs(&self) -> &[(usize, i128)] {
        &self.present_costs
    }

    /// Nodes that stand in a pool.
    pub(crate) fn present_nodes(&self, pool: usize) -> i128 {
        self.present_pools.iter().filter(|(at, ..)| *at == pool).map(|(_, _, nodes)| nodes).sum()
    }

    /// Drops a kind where another, without a limit, costs no more and serves no bucket slower.
    fn keep_undominated(&mut self, input: &Input) {
        let unlimited = |kind: &ServingKind| input.offers[kind.replica.offer].available.is_none();
        let better = |a: &ServingKind, b: &ServingKind| {
            let dearer = a.costs.iter().any(|(account, cost)| {
                b.costs.iter().all(|(same, theirs)| same != account || theirs < cost)
            });
            let slower = a.replica.rates.iter().zip(&b.replica.rates).any(|(a, b)| a < b);
            unlimited(a) && a.cost <= b.cost && !dearer && !slower
        };
        // What stands is compared with, even where something else is better.
        let stands = |kind: &ServingKind| self.present_offers.contains(&kind.replica.offer);
        let better = |a: &ServingKind, b: &ServingKind| !stands(b) && better(a, b);
        let mut kept: Vec<ServingKind> = Vec::new();
        let mut kinds = self.kinds.clone();
        kinds.sort_by_key(|kind| (kind.cost, kind.replica.offer, kind.replica.accelerators));
        for kind in kinds {
            if !kept.iter().any(|other| better(other, &kind)) {
                kept.retain(|other| !better(&kind, other));
                kept.push(kind);
            }
        }
        self.kinds = kept;
    }

    /// Kinds that share their offer with another one, of which one at most may be used.
    fn rivals(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, kind) in self.kinds.iter().enumerate() {
            let group = groups
                .iter_mut()
                .find(|group| self.kinds[group[0]].replica.offer == kind.replica.offer);
            match group {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        groups.retain(|group| group.len() > 1);
        groups
    }

    // Rows: one per bucket, one per kind, the fewest replicas, then one per choice between kinds
    // and one per kind in a choice.

    fn bucket_row(&self, service: usize, bucket: usize) -> RowKey {
        debug_assert!(bucket < self.buckets());
        RowKey::Service(service, bucket)
    }

    fn kind_row(&self, service: usize, kind: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + kind)
    }

    fn least_row(&self, service: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + self.kinds.len())
    }

    fn choice_row(&self, service: usize, rival: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + 2 * self.kinds.len() + 1 + rival)
    }

    fn chosen_row(&self, service: usize, kind: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + self.kinds.len() + 1 + kind)
    }

    fn buckets(&self) -> usize {
        self.observed.workload.service().map_or(0, |service| service.requests.buckets.len())
    }

    /// Sense and right-hand side of a row of the service.
    pub(crate) fn row(&self, row: usize) -> (Sense, i128) {
        let (buckets, kinds) = (self.buckets(), self.kinds.len());
        if row < buckets {
            (Sense::Equal, 0)
        } else if row == buckets + kinds {
            (Sense::AtLeast, 0)
        } else if row > buckets + 2 * kinds {
            (Sense::AtMost, 1)
        } else {
            (Sense::AtMost, 0)
        }
    }

    /// Room of one replica in the units of its row.
    fn room(&self) -> i128 {
        let exact = REPLICA / PPM * i128::from(self.target.ppm()) * self.parts;
        exact + exact / ROUNDING
    }

    /// The variables of the service.
    pub(crate) fn items(&self, index: usize, goal: Goal, weight: i128) -> Vec<Item> {
        let mut items = vec![self.served_item(index, goal, weight)];
        let rivals = self.rivals();
        for (position, kind) in self.kinds.iter().enumerate() {
            items.push(self.replicas_item(index, position, goal, &rivals));
            for (bucket, load) in kind.loads.iter().enumerate() {
                let Some(load) = load else { continue };
                let entries = vec![
                    (self.bucket_row(index, bucket), 1),
                    (self.kind_row(index, position), *load),
                ];
                let sliced = self.parts != PARTS;
                let spec = VarSpec {
                    cost: 0,
                    lower: 0,
                    upper: i64::try_from(self.parts).ok(),
                    kind: if sliced { VarKind::Integer } else { VarKind::Continuous },
                };
                items.push(Item { role: Role::Inner(index), spec, entries });
            }
        }
        for (rival, group) in rivals.iter().enumerate() {
            for kind in group {
                let most = i128::from(self.kinds[*kind].most);
                let entries = vec![
                    (self.chosen_row(index, *kind), -most),
                    (self.choice_row(index, rival), 1),
                ];
                let spec = VarSpec { cost: 0, lower: 0, upper: Some(1), kind: VarKind::Integer };
                items.push(Item { role: Role::Inner(index), spec, entries });
            }
        }
        items
    }

    fn served_item(&self, index: usize, goal: Goal, weight: i128) -> Item {
        let buckets = (0..self.buckets()).map(|at| (self.bucket_row(index, at), -self.parts));
        let mut entries: Vec<(RowKey, i128)> = buckets.collect();
        entries.push((self.least_row(index), -i128::from(self.least)));
        for (pool, instants, nodes) in &self.present_pools {
            add_all(&mut entries, *pool, *instants, -nodes);
        }
        entries.extend(self.present_costs.iter().map(|(at, cost)| (RowKey::Account(*at), -cost)));
        let (cost, lower) = match goal {
            Goal::Everything => (-self.present_cost, 1),
            Goal::Value => (-weight, 0),
            Goal::Cost(_) => {
                entries.push((RowKey::Lost, -weight));
                (-self.present_cost, 0)
            }
        };
        let spec = VarSpec { cost, lower, upper: Some(1), kind: VarKind::Integer };
        Item { role: Role::Served(index), spec, entries }
    }

    fn replicas_item(
        &self,
        index: usize,
        position: usize,
        goal: Goal,
        rivals: &[Vec<usize>],
    ) -> Item {
        let kind = &self.kinds[position];
        let mut entries =
            vec![(self.kind_row(index, position), -self.room()), (self.least_row(index), 1)];
        if rivals.iter().any(|group| group.contains(&position)) {
            entries.push((self.chosen_row(index, position), 1));
        }
        if let Some((pool, instants)) = kind.pool {
            add_all(&mut entries, pool, instants, i128::from(kind.replica.nodes));
        }
        entries.extend(kind.costs.iter().map(|(at, cost)| (RowKey::Account(*at), *cost)));
        let cost = if goal == Goal::Value { 0 } else { kind.cost };
        let fixed = self.fixed.as_ref().map(|fixed| {
            fixed.iter().filter(|(at, _)| *at == position).map(|(_, count)| *count).sum::<i64>()
        });
        let (lower, upper) = fixed.map_or((0, kind.most), |count| (count, count));
        let spec = VarSpec { cost, lower, upper: Some(upper), kind: VarKind::Integer };
        Item { role: Role::Replicas(index, position), spec, entries }
    }

    /// Asks only whether what stands is enough; `None` where something stands that cannot serve.
    pub(crate) fn fixed_to(mut self, standing: &[Standing<'_>]) -> Option<Self> {
        let id = &self.observed.workload.id;
        let mut fixed = Vec::new();
        for stand in standing.iter().filter(|stand| stand.observed.workload.id == *id) {
            let kind = self.kinds.iter().rposition(|kind| {
                Some(kind.replica.offer) == stand.offer
                    && kind.replica.nodes == stand.assignment.nodes_each
            });
            fixed.push((kind?, i64::from(stand.assignment.members)));
        }
        self.fixed = Some(fixed);
        Some(self)
    }

    /// The decision about this service alone, as a small dense problem: no budget, nobody else.
    fn problem(&self) -> Problem {
        let fixed = |position: usize| {
            let fixed = self.fixed.as_ref()?.iter().filter(|(at, _)| *at == position);
            Some(fixed.map(|(_, count)| *count).sum::<i64>())
        };
        let kinds = self.kinds.iter().enumerate().map(|(position, kind)| {
            let (fewest, most) = fixed(position).map_or((0, kind.most), |count| (count, count));
            Kind { cost: kind.cost, fewest, most }
        });
        let loads = (0..self.buckets())
            .map(|bucket| self.kinds.iter().map(|kind| kind.loads[bucket]).collect())
            .collect();
        let slices = u32::try_from(self.parts).ok().filter(|_| self.sliced());
        let room = self.room() / self.parts;
        let (least, rivals) = (i64::from(self.least), self.rivals());
        Problem { kinds: kinds.collect(), loads, room, slices, least, rivals }
    }

    /// Whether buckets are divided in whole slices.
    fn sliced(&self) -> bool {
        self.parts != PARTS
    }

    /// What each kind alone would cost over the horizon, in 10^-12, where it can serve everything.
    pub(crate) fn pure_costs(&self) -> Vec<(usize, i128)> {
        let pure = |(position, kind): (usize, &ServingKind)| {
            let load = kind.loads.iter().try_fold(0_i128, |sum, load| sum.checked_add((*load)?))?;
            let scaled = load.checked_mul(PPM)?;
            let room = REPLICA.checked_mul(i128::from(self.target.ppm().max(1)))?;
            let room = room + room / ROUNDING;
            let count = scaled.div_euclid(room) + i128::from(scaled.rem_euclid(room) > 0);
            let count = count.max(i128::from(self.least));
            (count <= i128::from(kind.most)).then_some((position, kind.cost.checked_mul(count)?))
        };
        self.kinds.iter().enumerate().filter_map(pure).collect()
    }

    /// The band's lower edge, the use that replicas are sized for.
    pub(crate) fn target(input: &Input) -> Ratio {
        input.policy.bands.get(Resource::Gpu).threshold()
    }
}

/// Adds a coefficient at each instant of a pool, on top of one that is there.
fn add_all(entries: &mut Vec<(RowKey, i128)>, pool: usize, instants: usize, more: i128) {
    for instant in 0..instants {
        let key = RowKey::Pool(pool, instant);
        match entries.iter_mut().find(|(other, _)| *other == key) {
            Some((_, a)) => *a += more,
            None => entries.push((key, more)),
        }
    }
}
