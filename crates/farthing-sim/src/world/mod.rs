//! The world: nodes, jobs and services under events.
//!
//! Time passes when it is told to, by [`SimWorld::advance`] or by any call of a contract with a
//! later `now`; it never goes back, also when the caller's clock does. A call with an earlier
//! `now` sees the world as it is.

mod act;
mod event;
mod exporter;
mod holds;
mod job;
mod measure;
mod node;
mod observe;
mod price;
mod service;
mod tally;
mod time;
mod undo;

use crate::faults::{FaultCounts, Faults};
use crate::random::Random;
use crate::scenario::{JobArrival, Scenario, ServiceArrival};
use crate::score::Score;
use act::DoneStep;
use event::{Event, Queue};
use farthing_model::{
    Attribution, ClusterId, Coverage, NodeId, Offer, OfferId, Resource, Snapshot, SourceId, StepId,
    Workload, WorkloadId, WorkloadKind,
};
use jiff::{SignedDuration, Timestamp};
use job::{Member, Phase, SimJob};
use node::SimNode;
use service::SimService;
use std::collections::BTreeMap;
use std::sync::Arc;
use tally::Tally;

/// Members that a job may have.
const MEMBERS_MAX: u32 = 10_000;

/// Of what was asked for, what a workload uses that somebody forgot, by [`Resource::ALL`]: what it
/// once loaded stays in memory.
const FORGOTTEN_PPM: [u32; 4] = [0, 4_000, 310_000, 120_000];

/// A simulated world. It implements all contracts of [`farthing_edge`] but the clock and the
/// store.
#[derive(Clone, Debug)]
pub struct SimWorld {
    cluster: ClusterId,
    source: SourceId,
    now: i64,
    queue: Queue,
    offers: Vec<Offer>,
    /// The offers as quoted, made anew when a price changes.
    quoted: Arc<[Offer]>,
    offer_index: BTreeMap<OfferId, usize>,
    boot: i64,
    nodes: BTreeMap<usize, SimNode>,
    nodes_made: usize,
    jobs: Vec<SimJob>,
    services: Vec<SimService>,
    targets: BTreeMap<WorkloadId, Target>,
    steps: BTreeMap<StepId, DoneStep>,
    faults: Faults,
    fates: Random,
    tally: Tally,
    last_seen: Option<Snapshot>,
    coverage: Coverage,
    digest: u64,
    log: Option<Vec<String>>,
    pruned: i64,
    /// From when on an exporter says what each accelerator does.
    exporter: Option<i64>,
}

/// What a workload's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Job(usize),
    Service(usize),
}

/// Why a scenario makes no world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// Two workloads or nodes of one name.
    #[error("there are two of the name {0}")]
    Twice(String),
    /// A node of an offer that is not there.
    #[error("node {node} is of offer {offer}, which the scenario does not have")]
    NoOffer {
        /// The node.
        node: NodeId,
        /// Its offer.
        offer: OfferId,
    },
    /// A job among the services or a service among the jobs, or one without anything to do.
    #[error("workload {0} cannot be simulated: {1}")]
    Workload(WorkloadId, &'static str),
    /// A name that cannot be one.
    #[error("the name of the cluster is too long for its nodes")]
    Name,
}

impl SimWorld {
    /// The world of a scenario at its start.
    ///
    /// # Errors
    /// The scenario contradicts itself: two objects of one name, a node without its offer, a
    /// workload that cannot be simulated.
    pub fn new(scenario: &Scenario) -> Result<Self, WorldError> {
        let random = Random::new(scenario.seed);
        let offers = scenario.offers.to_vec();
        let index = offers.iter().enumerate().map(|(index, offer)| (offer.id.clone(), index));
        let start = time::nanos(scenario.history.unwrap_or(scenario.start));
        let mut world = Self {
            cluster: scenario.cluster.clone(),
            source: SourceId::new("sim").map_err(|_| WorldError::Name)?,
            now: start,
            queue: Queue::default(),
            offer_index: index.collect(),
            quoted: Arc::clone(&scenario.offers),
            offers,
            boot: time::length(scenario.policy.boot),
            nodes: BTreeMap::new(),
            nodes_made: 0,
            jobs: Vec::new(),
            services: Vec::new(),
            targets: BTreeMap::new(),
            steps: BTreeMap::new(),
            faults: Faults::new(scenario.faults, &random.fork("faults")),
            fates: random.fork("nodes"),
            tally: Tally::default(),
            last_seen: None,
            coverage: Coverage::default(),
            digest: scenario.seed,
            log: None,
            pruned: start,
            exporter: scenario.exporter.map(time::nanos),
        };
        for node in &scenario.idle {
            world.add_idle(&node.id, &node.offer)?;
        }
        let (noise, usage) = (random.fork("noise"), random.fork("use"));
        for (number, arrival) in (0..).zip(&scenario.jobs) {
            let draws = (noise.fork_number(number), usage.fork_number(number));
            world.add_job(arrival, scenario.noise_ppm, draws)?;
        }
        for arrival in &scenario.services {
            world.add_service(arrival)?;
        }
        if scenario.faults.price_change_per_hour > 0 {
            world.queue.push(start, Event::PriceHour);
        }
        Ok(world)
    }

    /// The time of the world.
    pub fn now(&self) -> Timestamp {
        time::at(self.now)
    }

    /// When something happens next, requests included; `None` if nothing ever will.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.queue.next_at().map(time::at)
    }

    /// Lets time pass up to and including `to`. A moment that has passed changes nothing.
    pub fn advance(&mut self, to: Timestamp) {
        let to = time::nanos(to);
        while let Some((at, event)) = self.queue.pop_until(to) {
            self.now = at;
            self.handle(event);
        }
        self.now = self.now.max(to);
        for replica in self.services.iter_mut().flat_map(|service| &mut service.replicas) {
            if replica.gone.is_none() {
                replica.mark(self.now);
            }
        }
        if self.now - self.pruned > time::HOUR {
            self.pruned = self.now;
            self.forget();
        }
    }

    /// What the run came to up to now.
    pub fn score(&self) -> Score {
        self.score_now()
    }

    /// What went wrong up to now.
    pub(crate) const fn fault_counts(&self) -> &FaultCounts {
        self.faults.counts()
    }

    /// Nothing more goes wrong by itself; what was drawn for nodes that are there still comes.
    pub(crate) fn becomes_calm(&mut self) {
        self.faults.become_calm();
    }

    /// Draws whether the clock of the machine jumps at this tick, and by how much: the driver asks
    /// once a tick and moves its clock.
    pub fn clock_jump(&mut self) -> Option<SignedDuration> {
        self.faults.clock_jump()
    }

    /// Nobody looks at single accelerators any more.
    pub(crate) const fn lose_exporter(&mut self) {
        self.exporter = None;
    }

    /// Keeps a line for each event but requests from now on.
    pub fn keep_log(&mut self) {
        self.log.get_or_insert_default();
    }

    /// The lines of [`SimWorld::keep_log`].
    pub fn log(&self) -> &[String] {
        self.log.as_deref().unwrap_or_default()
    }

    fn handle(&mut self, event: Event) {
        self.tally.events += 1;
        let word = event.code() ^ self.now.cast_unsigned();
        self.digest = (self.digest.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        if !event.is_request() {
            let now = self.now;
            if let Some(log) = &mut self.log {
                log.push(format!("{} {event:?}", time::at(now)));
            }
        }
        match event {
            Event::Request(service) => self.request(service),
            Event::Served { service, replica, epoch } => self.answered(service, replica, epoch),
            Event::MemberDone { job, member, epoch } => self.member_done(job, member, epoch),
            Event::MemberStarts { job, member, epoch } => self.start_member(job, member, epoch),
            Event::NodeLost(node) => self.node_gone(node, crate::FaultKind::NodeLoss),
            Event::SpotKilled(node) => self.node_gone(node, crate::FaultKind::SpotKill),
            // Its state follows from the time; the event is there to be counted and logged.
            Event::NodeReady(_) => {}
            Event::ReplicaReady { service, replica } => self.replica_ready(service, replica),
            Event::ReplicasStart { service, order } => self.replicas_start(service, order),
            Event::PriceHour => self.price_hour(),
            Event::PriceChanges => self.price_changes(),
            Event::JobArrives(job) => {
                self.jobs[job].arrived = true;
                self.tally.jobs_arrived += 1;
            }
            Event::ServiceArrives(service) => {
                self.services[service].arrived = true;
                if let Some(next) = self.services[service].stream.next_after(self.now) {
                    self.queue.push(next, Event::Request(service));
                }
            }
        }
    }

    fn add_idle(&mut self, id: &NodeId, offer: &OfferId) -> Result<(), WorldError> {
        let no_offer = || WorldError::NoOffer { node: id.clone(), offer: offer.clone() };
        let index = *self.offer_index.get(offer).ok_or_else(no_offer)?;
        if self.nodes.values().any(|node| node.id == *id) {
            return Err(WorldError::Twice(id.to_string()));
        }
        let node = SimNode {
            id: id.clone(),
            offer: index,
            since: self.now,
            ready: self.now,
            until: None,
            lost: false,
            stays: true,
            prices: vec![(self.now, self.offers[index].price.clone())],
            holds: Vec::new(),
        };
        self.nodes.insert(self.nodes_made, node);
        self.nodes_made += 1;
        Ok(())
    }

    fn add_job(
        &mut self,
        arrival: &JobArrival,
        noise_ppm: u32,
        (mut noise, mut usage): (Random, Random),
    ) -> Result<(), WorldError> {
        let workload = &arrival.workload;
        let refuse = |why| Err(WorldError::Workload(workload.id.clone(), why));
        let WorkloadKind::Job(job) = &workload.kind else { return refuse("it is no job") };
        if job.count == 0 || job.count > MEMBERS_MAX {
            return refuse("it has no members, or more than 10000");
        }
        let left = match (&job.work, job.duration) {
            (Some(work), _) => work.amount.nano(),
            (None, Some(duration)) => duration.as_nanos(),
            (None, None) => return refuse("neither its work nor its duration is known"),
        };
        self.name(&workload.id, Target::Job(self.jobs.len()))?;
        let spread = i64::from(noise_ppm);
        let factor = 1_000_000 + noise.between(-spread, spread);
        let mut share =
            |_: &Resource| u32::try_from(usage.between(500_000, 970_000)).unwrap_or(500_000);
        let use_ppm = match arrival.forgotten {
            false => Resource::ALL.each_ref().map(&mut share),
            true => FORGOTTEN_PPM,
        };
        let arrives = time::nanos(arrival.at);
        let member = Member { phase: Phase::Waiting, left, epoch: 0 };
        let members = vec![member; usize::try_from(job.count).unwrap_or(0)];
        self.queue.push(arrives, Event::JobArrives(self.jobs.len()));
        self.jobs.push(SimJob {
            who: Arc::new(attribution(workload)),
            workload: Arc::clone(workload),
            arrives,
            arrived: false,
            generation: 1,
            before: (0, i64::MIN),
            suspended: false,
            finished: None,
            members,
            factor_ppm: u32::try_from(factor.max(1)).unwrap_or(1_000_000),
            use_ppm,
            sm_ppm: share(&Resource::Gpu),
        });
        Ok(())
    }

    fn add_service(&mut self, arrival: &ServiceArrival) -> Result<(), WorldError> {
        let workload = &arrival.workload;
        let refuse = |why| WorldError::Workload(workload.id.clone(), why);
        let index = self.services.len();
        let arrives = time::nanos(arrival.at);
        let who = Arc::new(attribution(workload));
        let stream = arrival.stream.clone();
        let service = SimService::new(Arc::clone(workload), who, arrives, stream)
            .ok_or_else(|| refuse("it is no service"))?;
        let buckets = workload.service().map_or(0, |it| it.requests.buckets.len());
        if arrival.stream.gaps.iter().any(|gap| usize::from(gap.bucket) >= buckets) {
            return Err(refuse("a request is of a bucket that it does not have"));
        }
        self.name(&workload.id, Target::Service(index))?;
        self.services.push(service);
        self.queue.push(arrives, Event::ServiceArrives(index));
        Ok(())
    }

    fn name(&mut self, id: &WorkloadId, target: Target) -> Result<(), WorldError> {
        match self.targets.insert(id.clone(), target) {
            None => Ok(()),
            Some(_) => Err(WorldError::Twice(id.to_string())),
        }
    }
}

/// Who pays for a workload.
fn attribution(workload: &Workload) -> Attribution {
    Attribution {
        team: workload.team.clone(),
        labels: Arc::new(workload.labels.clone()),
        ..Attribution::of(workload.id.clone())
    }
}
