//! What the planner is asked: one service with a rate and a mix of sizes, on the nodes of the
//! cluster, with how long a request may wait.

use super::ServingSpec;
use super::kinds::Kinds;
use crate::cluster::error::ClusterError;
use farthing_model::{
    Accelerator, Bucket, ClusterId, Coverage, Currency, Decimal, Observed, Offer, OfferId,
    PerResource, Place, PlanId, Policy, Price, PriceKind, Provenance, Purchase, Queue, Ratio,
    Requests, Resources, Service, Sizing, Slo, Snapshot, Split, Window, Workload, WorkloadId,
    WorkloadKind, WorkloadState,
};
use farthing_planner::{Effort, Input, plan_alone};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The span that a plan is made for.
const HORIZON: SignedDuration = SignedDuration::from_hours(1);
/// A queue that may wait for no time needs a place for everyone: this at least.
const WAIT_MIN: SignedDuration = SignedDuration::from_millis(50);
/// A whole share in 10^-9.
const NANO: i128 = 1_000_000_000;

/// How the planner is asked.
pub(super) struct Question<'a> {
    spec: &'a ServingSpec,
    kinds: &'a Kinds,
    offers: Arc<[Offer]>,
    currency: Currency,
}

impl<'a> Question<'a> {
    pub(super) fn new(spec: &'a ServingSpec, kinds: &'a Kinds) -> Result<Self, ClusterError> {
        let mut offers = Vec::with_capacity(spec.pools.len());
        for index in 0..spec.pools.len() {
            offers.push(offer(spec, index)?);
        }
        let currency =
            spec.pools.first().map_or(Currency::USD, |pool| pool.price.per_hour().currency());
        Ok(Self { spec, kinds, offers: offers.into(), currency })
    }

    /// Replicas of each kind for so many thousandths of a request per second of a mix.
    pub(super) fn units(&self, milli: u64, mix: &[u64]) -> Result<Vec<u32>, ClusterError> {
        let input = self.input(milli, mix)?;
        let planned = plan_alone(&input).map_err(ClusterError::Plan)?;
        let mut units = vec![0; self.kinds.all.len()];
        for row in planned.report.services.iter().flat_map(|service| &service.mix) {
            let pool = self.offers.iter().position(|offer| offer.id == row.offer);
            let is = |kind: &super::kinds::Kind| {
                Some(kind.pool) == pool && kind.accelerators == row.accelerators.max(1)
            };
            if let Some(kind) = self.kinds.all.iter().position(is) {
                units[kind] += row.replicas;
            }
        }
        if units.iter().all(|count| *count == 0) {
            units = self.everything(mix);
        }
        Ok(units)
    }

    /// All that there is, the cheapest first: what is left to do where the cluster is too small.
    fn everything(&self, mix: &[u64]) -> Vec<u32> {
        let mut units = vec![0; self.kinds.all.len()];
        let cost = |kind: &usize| {
            let work = self.kinds.work_us(*kind, mix).unwrap_or(i128::MAX >> 80);
            work.saturating_mul(self.kinds.all[*kind].price)
        };
        let mut order: Vec<usize> = (0..units.len()).collect();
        order.sort_by_key(cost);
        let mut taken = vec![false; self.spec.pools.len()];
        for at in order {
            let kind = &self.kinds.all[at];
            let nodes = self.spec.pools[kind.pool].nodes.filter(|_| !taken[kind.pool]);
            if let Some(nodes) = nodes {
                units[at] = nodes / kind.nodes_each;
                taken[kind.pool] = units[at] > 0;
            }
        }
        units
    }

    fn input(&self, milli: u64, mix: &[u64]) -> Result<Input, ClusterError> {
        let at = Timestamp::UNIX_EPOCH;
        let observed = Observed {
            workload: self.workload(milli, mix)?.into(),
            state: WorkloadState::Waiting,
            generation: 1,
            since: at,
            demand_per_s: None,
        };
        Ok(Input {
            id: PlanId::new("p").map_err(ClusterError::name)?,
            parent: None,
            snapshot: Snapshot {
                cluster: ClusterId::new("simulation").map_err(ClusterError::name)?,
                at,
                nodes: Vec::new(),
                workloads: vec![observed],
                ages: Vec::new(),
                coverage: Coverage::default(),
                terms: Arc::default(),
            },
            horizon: Window::starting(at, HORIZON).ok_or(ClusterError::Time(0))?,
            currency: self.currency,
            offers: Arc::clone(&self.offers),
            budgets: Vec::new(),
            held: Vec::new(),
            policy: Policy { boot: self.spec.boot, ..Policy::default() },
            utilisation: PerResource::default(),
            effort: Effort::default(),
        })
    }

    fn workload(&self, milli: u64, mix: &[u64]) -> Result<Workload, ClusterError> {
        let slowest = |size: usize| {
            let first = self.kinds.all.iter().filter_map(|kind| kind.takes[size]);
            first.map(|takes| takes.first_us).max().unwrap_or(0)
        };
        let used = mix.iter().enumerate().filter(|(_, count)| **count > 0);
        let first_us = used.map(|(size, _)| slowest(size)).max().unwrap_or(0);
        let wait_max = (self.spec.ttft - SignedDuration::from_micros(first_us)).max(WAIT_MIN);
        let at_once = |kind: &super::kinds::Kind| {
            let copies = (self.spec.pools[kind.pool].accelerators / kind.accelerators).max(1);
            kind.slots / copies
        };
        let concurrency = self.kinds.all.iter().map(at_once).min().unwrap_or(1).max(1);
        let queue = Queue { wait_max, percentile: self.spec.within, concurrency };
        let service = Service {
            requests: Requests {
                rate_per_s: Decimal::from_nano(i128::from(milli) * 1_000_000),
                buckets: self.buckets(mix),
            },
            throughput: self.spec.throughput.clone(),
            slo: Some(Slo { ttft: self.spec.ttft, tpot: SignedDuration::from_secs(1) }),
            split: Split::Continuous,
            replicas_min: 1,
            sizing: Sizing { target: Some(Ratio::ONE), queue: Some(queue), ..Sizing::default() },
        };
        Ok(Workload {
            id: WorkloadId::new("service").map_err(ClusterError::name)?,
            team: None,
            labels: BTreeMap::new(),
            resources: Resources::default(),
            residency: Vec::new(),
            value: Decimal::ONE,
            data: None,
            kind: WorkloadKind::Service(service),
        })
    }

    /// The sizes that come, with shares that sum to one.
    fn buckets(&self, mix: &[u64]) -> Vec<Bucket> {
        let all: u64 = mix.iter().sum();
        let used = |size: usize| all == 0 || mix[size] > 0;
        let sizes: Vec<usize> = (0..mix.len()).filter(|size| used(*size)).collect();
        let share = |size: usize| match all {
            0 => NANO / i128::try_from(sizes.len().max(1)).unwrap_or(1),
            all => NANO * i128::from(mix[size]) / i128::from(all),
        };
        let mut shares: Vec<i128> = sizes.iter().map(|size| share(*size).max(1)).collect();
        let rest = NANO - shares.iter().sum::<i128>();
        if let Some(largest) = shares.iter_mut().max() {
            *largest += rest;
        }
        let bucket = |(size, share): (&usize, i128)| {
            let (input_tokens, output_tokens) = self.kinds.sizes[*size];
            Bucket { input_tokens, output_tokens, share: Decimal::from_nano(share) }
        };
        sizes.iter().zip(shares).map(bucket).collect()
    }
}

fn offer(spec: &ServingSpec, index: usize) -> Result<Offer, ClusterError> {
    let pool = &spec.pools[index];
    let accelerator: Accelerator =
        pool.name.parse().map_err(|_| ClusterError::Name(format!("`{}`", pool.name)))?;
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "farthing simulate".to_owned(),
        as_of: jiff::civil::date(1970, 1, 1),
        list: None,
    };
    Ok(Offer {
        id: OfferId::new(&format!("trace/{index:04}/{}", pool.name)).map_err(ClusterError::name)?,
        place: Place { provider: "trace".to_owned(), region: "trace".to_owned(), zone: None },
        instance_type: pool.name.clone(),
        accelerator: Some(accelerator),
        accelerator_count: pool.accelerators,
        capacity: Resources {
            gpu_milli: u64::from(pool.accelerators) * 1_000,
            ..Resources::default()
        },
        purchase: Purchase::OnDemand,
        price: Price::Known(pool.price, provenance),
        available: pool.nodes,
        residency: Vec::new(),
        warnings: Vec::new(),
    })
}
