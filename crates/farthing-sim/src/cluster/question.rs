//! What the planner is asked: a part of the cluster as an [`Input`] of its own.
//!
//! An accelerator of a kind is what can be bought, as often as there are some: jobs that share a
//! node are packed by the simulator. Jobs that differ in nothing that matters are members of one
//! job. All times are from [`origin`] on, so that a question that was asked before is known again.

use super::accounts::{currency, moment, purchase};
use super::error::ClusterError;
use super::spec::ClusterSpec;
use farthing_model::{
    Accelerator, AcceleratorQuery, Action, Assignment, ClusterId, Coverage, Currency, Decimal,
    HourlyRate, Job, Money, Node, NodeId, NodeState, Observed, Offer, OfferId, PerResource, Place,
    PlanId, Policy, Price, PriceKind, Provenance, Purchase, Resources, Snapshot, Target,
    Throughput, Window, Work, Workload, WorkloadId, WorkloadKind, WorkloadState,
};
use farthing_planner::{Effort, Input, Placement, plan_alone};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Start times that are tried over the horizon.
const SLOTS: u32 = 12;
/// Simplex iterations for one of very many plans.
const ITERATIONS: u32 = 2_000;

/// Jobs that the planner need not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kind {
    pub(super) accelerators: u32,
    pub(super) estimate_s: i64,
    /// Time left until they are due.
    pub(super) left_s: Option<i64>,
}

/// Some jobs of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    pub(super) kind: Kind,
    pub(super) count: u32,
    /// What each is worth.
    pub(super) value: u32,
}

/// Accelerators of a kind of nodes that are held for some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) pool: usize,
    pub(super) accelerators: u32,
    pub(super) for_s: i64,
}

/// Where and when members of a crowd start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) crowd: usize,
    pub(super) pool: usize,
    pub(super) count: u32,
    /// From now on.
    pub(super) in_s: i64,
}

/// What is the same in all questions about a cluster.
pub(super) struct Questions {
    offers: Vec<Offer>,
    /// The kind of nodes of each offer.
    pools: Vec<usize>,
    names: Vec<AcceleratorQuery>,
    cluster: ClusterId,
    plan: PlanId,
    policy: Policy,
    currency: Currency,
}

/// Now, in every question.
fn origin() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

impl Questions {
    pub(super) fn new(spec: &ClusterSpec) -> Result<Self, ClusterError> {
        let mut offers = Vec::with_capacity(spec.pools.len());
        for index in 0..spec.pools.len() {
            offers.push((offer(spec, index)?, index));
        }
        offers.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        let names: Vec<Accelerator> =
            offers.iter().filter_map(|(offer, _)| offer.accelerator.clone()).collect();
        let names = names.iter().map(|name| name.to_string().parse());
        let names = names.collect::<Result<Vec<AcceleratorQuery>, _>>();
        let mut names = names.map_err(|error| ClusterError::Name(error.to_string()))?;
        names.dedup();
        let (offers, pools) = offers.into_iter().unzip();
        Ok(Self {
            offers,
            pools,
            names,
            cluster: ClusterId::new("simulation").map_err(ClusterError::name)?,
            plan: PlanId::new("p").map_err(ClusterError::name)?,
            policy: Policy {
                boot: spec.boot,
                boot_max: spec.boot * 5 / 4,
                idle_release: spec.idle_release,
                ..Policy::default()
            },
            currency: currency(spec),
        })
    }

    /// Where each member of some crowds starts within a horizon, by when it does; whoever is not
    /// named waits. `room` is how many accelerators of each kind of nodes there are at all.
    pub(super) fn starts(
        &self,
        crowds: &[Crowd],
        (holds, room): (&[Hold], &[Option<u32>]),
        horizon_s: i64,
    ) -> Result<Vec<Start>, ClusterError> {
        let mut workloads = Vec::with_capacity(crowds.len() + holds.len());
        for (index, crowd) in crowds.iter().enumerate() {
            workloads.push(self.crowd(index, crowd)?);
        }
        for (index, hold) in holds.iter().enumerate() {
            workloads.push(self.held(index, hold)?);
        }
        let room_of = |pool: usize| room.get(pool).copied().flatten();
        let offers = self.offers.iter().zip(&self.pools);
        let offers: Vec<Offer> = offers
            .map(|(offer, pool)| Offer { available: room_of(*pool), ..offer.clone() })
            .collect();
        let input = self.input(offers, (workloads, Vec::new()), horizon_s)?;
        let planned = plan_alone(&input).map_err(ClusterError::Plan)?;
        let mut starts = Vec::new();
        for placement in planned.report.placements.iter().filter(|placement| !placement.stays) {
            starts.extend(self.start(placement));
        }
        starts.sort_by_key(|start| (start.in_s, start.crowd, start.pool));
        Ok(starts)
    }

    /// Which of some nodes of a kind, each without work for a time, are to be switched off.
    pub(super) fn released(
        &self,
        pool: usize,
        nodes: &[(u32, i64)],
        price: HourlyRate,
    ) -> Result<Vec<u32>, ClusterError> {
        let Some(at) = self.pools.iter().position(|other| *other == pool) else {
            return Ok(Vec::new());
        };
        let offer = &self.offers[at];
        let Some(provenance) = offer.price.provenance() else { return Ok(Vec::new()) };
        let mut seen = Vec::with_capacity(nodes.len());
        for (index, idle_s) in nodes {
            // The planner counts from the end of a boot.
            let since = -idle_s - self.policy.boot.as_secs();
            seen.push(Node {
                id: NodeId::new(&format!("n-{index:010}")).map_err(ClusterError::name)?,
                offer: offer.id.clone(),
                capacity: offer.capacity,
                price: Price::Known(price, provenance.clone()),
                state: NodeState::Ready,
                since: moment(since)?,
                until: None,
            });
        }
        let input = self.input(vec![offer.clone()], (Vec::new(), seen), 3_600)?;
        let planned = plan_alone(&input).map_err(ClusterError::Plan)?;
        let released = planned.plan.steps.iter().filter_map(|step| match &step.action {
            Action::Release { node } => node.as_str().strip_prefix("n-")?.parse().ok(),
            _ => None,
        });
        Ok(released.collect())
    }

    fn input(
        &self,
        offers: Vec<Offer>,
        (workloads, nodes): (Vec<Observed>, Vec<Node>),
        horizon_s: i64,
    ) -> Result<Input, ClusterError> {
        let due = |seen: &Observed| seen.workload.job().is_some_and(|job| job.deadline.is_some());
        // Without a deadline the search begins with what is cheapest, and nobody reads the proof.
        let iterations_max = if workloads.iter().any(due) { ITERATIONS } else { 1 };
        let horizon = Window::starting(origin(), SignedDuration::from_secs(horizon_s.max(1)));
        Ok(Input {
            id: self.plan.clone(),
            parent: None,
            snapshot: Snapshot {
                cluster: self.cluster.clone(),
                at: origin(),
                nodes,
                workloads,
                ages: Vec::new(),
                coverage: Coverage::default(),
                terms: Arc::default(),
            },
            horizon: horizon.ok_or(ClusterError::Time(horizon_s))?,
            currency: self.currency,
            offers: offers.into(),
            budgets: Vec::new(),
            held: Vec::new(),
            policy: self.policy.clone(),
            utilisation: PerResource::default(),
            effort: Effort { slots_max: SLOTS, nodes_max: 20, iterations_max, ..Effort::default() },
        })
    }

    fn crowd(&self, index: usize, crowd: &Crowd) -> Result<Observed, ClusterError> {
        let Kind { accelerators, estimate_s, left_s } = crowd.kind;
        let deadline = left_s.map(moment).transpose()?;
        let throughput = self.names.iter().map(|name| Throughput {
            target: Target::Accelerator(name.clone()),
            count: accelerators,
            amount: Decimal::ONE,
            per: SignedDuration::from_secs(estimate_s.max(1)),
        });
        let job = Job {
            count: crowd.count,
            submitted: None,
            work: Some(Work { amount: Decimal::ONE, unit: "runs".to_owned() }),
            throughput: throughput.collect(),
            duration: None,
            deadline,
            quoted_cost: None,
            interruptible: None,
        };
        let value = Decimal::from_int(i64::from(crowd.value));
        observed(&format!("c-{index:04}"), (job, value), WorkloadState::Waiting)
    }

    fn held(&self, index: usize, hold: &Hold) -> Result<Observed, ClusterError> {
        let length = SignedDuration::from_secs(hold.for_s.max(1));
        let window = Window::starting(origin(), length).ok_or(ClusterError::Time(hold.for_s))?;
        let at = self.pools.iter().position(|pool| *pool == hold.pool).unwrap_or(0);
        let offer = self.offers[at].id.clone();
        let members = hold.accelerators;
        let job = Job {
            count: members,
            submitted: None,
            work: None,
            throughput: Vec::new(),
            duration: Some(length),
            deadline: None,
            quoted_cost: None,
            interruptible: None,
        };
        let placed =
            WorkloadState::Placed(vec![Assignment { offer, members, nodes_each: 1, window }]);
        observed(&format!("h-{index:04}"), (job, Decimal::ONE), placed)
    }

    fn start(&self, placement: &Placement) -> Option<Start> {
        let crowd = placement.workload.as_str().strip_prefix("c-")?.parse().ok()?;
        let offer = placement.offer.as_ref()?;
        let at = self.offers.iter().position(|other| other.id == *offer)?;
        let in_s = placement.window.from().as_second();
        Some(Start { crowd, pool: self.pools[at], count: placement.members, in_s })
    }
}

fn observed(
    name: &str,
    (job, value): (Job, Decimal),
    state: WorkloadState,
) -> Result<Observed, ClusterError> {
    let workload = Workload {
        id: WorkloadId::new(name).map_err(ClusterError::name)?,
        team: None,
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: Vec::new(),
        value,
        data: None,
        kind: WorkloadKind::Job(job),
    };
    Ok(Observed {
        workload: workload.into(),
        state,
        generation: 1,
        since: origin(),
        demand_per_s: None,
    })
}

/// One accelerator of a kind of nodes. The owner's own cost what they cost while they are on, like
/// those that are rented: that is what is saved when they are off.
fn offer(spec: &ClusterSpec, index: usize) -> Result<Offer, ClusterError> {
    let pool = &spec.pools[index];
    let accelerator: Accelerator =
        pool.name.parse().map_err(|_| ClusterError::Name(format!("`{}`", pool.name)))?;
    let kind = purchase(pool).name();
    let price = super::policy::price_pico(spec, index);
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "farthing simulate".to_owned(),
        as_of: jiff::civil::date(1970, 1, 1),
        list: None,
    };
    let rate = HourlyRate::new(Money::from_pico(price, currency(spec)));
    Ok(Offer {
        id: OfferId::new(&format!("{kind}/{index:04}/{}", pool.name))
            .map_err(ClusterError::name)?,
        place: Place { provider: "trace".to_owned(), region: "trace".to_owned(), zone: None },
        instance_type: pool.name.clone(),
        accelerator: Some(accelerator),
        accelerator_count: 1,
        capacity: Resources { gpu_milli: 1_000, ..Resources::default() },
        purchase: Purchase::OnDemand,
        price: rate.map_or_else(
            || Price::Unknown("a price below zero".to_owned()),
            |rate| Price::Known(rate, provenance),
        ),
        available: None,
        residency: Vec::new(),
        warnings: Vec::new(),
    })
}
