//! Services: which accelerators serve them, and how many replicas of each.
//!
//! Replicas `n_g` of each kind `g` are whole; the share `f_bg` of a bucket `b` that a kind takes
//! is not (or counts whole slices, where requests cannot be divided). All of a bucket is taken,
//! and the load of a kind stays under `n_g x target`. Every choice of one kind alone is a point
//! of this program, so that its optimum is never dearer than any of them.

pub(crate) mod apart;
mod bound;
mod day;
pub(crate) mod fewer;
mod fixed;
mod joint;
mod narrow;
mod pack;
mod problem;
mod program;
mod ratio;
mod relax;
mod round;
mod rows;
mod scene;
mod search;
mod state;
mod statement;
mod tokens;
mod wait;

#[cfg(test)]
mod tests;

use crate::Input;
use crate::candidate::{Filter, ReplicaKind};
use crate::standing::Standing;
use farthing_model::{Bucket, Observed, Ratio, Resource, Service};
use problem::{Kind, Problem};

pub(crate) use scene::{Scene, wanted};
pub(crate) use search::Solution;

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
    /// Requests per second that it is decided for, in 10^-9.
    pub(crate) rate: i128,
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

    /// Drops copies of a model over several nodes where one node holds what was measured: their
    /// accelerators would talk over a network that the measurement does not know.
    fn keep_in_one_node(&mut self) {
        let whole: Vec<ReplicaKind> = self
            .kinds
            .iter()
            .map(|kind| kind.replica.clone())
            .filter(|replica| replica.nodes == 1)
            .collect();
        let present = self.present_offers.clone();
        self.kinds.retain(|kind| {
            // The same rows of the table: as fast, copy by copy.
            let held = |other: &ReplicaKind| {
                let rates = kind.replica.rates.iter().zip(&other.rates);
                other.accelerators == kind.replica.accelerators
                    && rates
                        .into_iter()
                        .all(|(one, all)| one.and_then(|one| one.checked_mul(other.copies)) == *all)
            };
            kind.replica.nodes == 1
                || present.contains(&kind.replica.offer)
                || !whole.iter().any(held)
        });
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

    /// Only what stands, or fewer of it: for a service that must not grow.
    pub(crate) fn within(mut self, standing: &[Standing<'_>]) -> Self {
        let id = &self.observed.workload.id;
        let here: Vec<_> =
            standing.iter().filter(|stand| stand.observed.workload.id == *id).collect();
        // Nothing was taken from what is not there at all.
        if here.is_empty() {
            return self;
        }
        let there = |kind: &ServingKind| -> i64 {
            let same = here.iter().filter(|stand| {
                stand.offer == Some(kind.replica.offer)
                    && stand.assignment.nodes_each == kind.replica.nodes
            });
            same.map(|stand| i64::from(stand.assignment.members)).sum()
        };
        for kind in &mut self.kinds {
            kind.most = kind.most.min(there(kind));
        }
        self.kinds.retain(|kind| kind.most > 0);
        self
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

    /// The use that replicas are sized for: the service's own target, or else the band's lower
    /// edge.
    pub(crate) fn target(input: &Input, service: &Service) -> Ratio {
        let band = input.policy.bands.get(Resource::Gpu).threshold();
        service.sizing.target.unwrap_or(band)
    }

    /// The use up to which what stands is enough.
    pub(crate) fn limit(input: &Input, service: &Service) -> Ratio {
        let max = input.policy.bands.get(Resource::Gpu).max;
        service.sizing.target.map_or(max, |target| target.max(max))
    }

    /// The first bucket that somebody asks for and no kind can serve.
    pub(crate) fn unserved(&self) -> Option<&Bucket> {
        let buckets = self.observed.workload.service()?.requests.buckets.iter().enumerate();
        let mut none =
            buckets.filter(|(at, _)| self.kinds.iter().all(|kind| kind.loads[*at].is_none()));
        none.next().map(|(_, bucket)| bucket).filter(|_| !self.kinds.is_empty())
    }
}
