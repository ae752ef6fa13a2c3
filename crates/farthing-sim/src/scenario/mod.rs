//! Scenarios: who wants what when, what can be bought, and what goes wrong. Built once, then read
//! only; everything in one is drawn from its seed.
//!
//! [`Scenario::demo`] is the cluster of `farthing up --demo`, [`Scenario::random_day`] and
//! [`Scenario::noise_free`] are the small worlds of the law tests.

mod day;
mod demo;
mod language;

use crate::faults::FaultRates;
use crate::trace::TraceError;
use farthing_model::{Budget, ClusterId, IdError, NodeId, Offer, OfferId, Policy, Workload};
use jiff::Timestamp;
use std::sync::Arc;

/// A whole simulated world before it starts.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What everything in it is drawn from.
    pub seed: u64,
    /// Whose world.
    pub cluster: ClusterId,
    /// From when on it was run by the policy of before, whose time is in the books; `None` = it is
    /// new at its start.
    pub history: Option<Timestamp>,
    /// From when on an exporter says what each accelerator does; `None` = there is none.
    pub exporter: Option<Timestamp>,
    /// When it starts.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// What can be bought, sorted by id.
    pub offers: Arc<[Offer]>,
    /// What the engine may do; the world itself boots nodes for `policy.boot`.
    pub policy: Policy,
    /// Limits on spending.
    pub budgets: Vec<Budget>,
    /// Jobs with the time they arrive at.
    pub jobs: Vec<JobArrival>,
    /// Services with their requests.
    pub services: Vec<ServiceArrival>,
    /// Nodes that are there from the start and do nothing.
    pub idle: Vec<IdleNode>,
    /// The true run time of a job differs from the measured one by up to this, in parts per
    /// million.
    pub noise_ppm: u32,
    /// What goes wrong.
    pub faults: FaultRates,
}

impl Scenario {
    /// The same with less of a past: what it then does not have is not there, and what it still has
    /// is there from its beginning on.
    #[must_use]
    pub fn since(mut self, begins: Timestamp) -> Self {
        let begins = begins.min(self.start).max(self.history.unwrap_or(self.start));
        self.history = Some(begins).filter(|begins| *begins < self.start);
        self.jobs.retain(|job| job.at >= begins || job.forgotten);
        for job in &mut self.jobs {
            job.at = job.at.max(begins);
        }
        for service in &mut self.services {
            service.at = service.at.max(begins);
        }
        self
    }

    /// The jobs that arrive from its start on.
    pub fn arrivals(&self) -> impl Iterator<Item = &JobArrival> {
        self.jobs.iter().filter(|job| job.at >= self.start)
    }
}

/// A job that arrives.
#[derive(Clone, Debug)]
pub struct JobArrival {
    /// When it is first seen.
    pub at: Timestamp,
    /// What is wanted.
    pub workload: Arc<Workload>,
    /// Whether it holds its accelerators, and computes nothing on them.
    pub forgotten: bool,
}

/// A service that is wanted from a moment on.
#[derive(Clone, Debug)]
pub struct ServiceArrival {
    /// When it is first seen, and its requests begin.
    pub at: Timestamp,
    /// What is wanted.
    pub workload: Arc<Workload>,
    /// Its requests.
    pub stream: RequestStream,
}

/// The requests of a service: a recording that is played in a loop.
#[derive(Clone, Debug)]
pub struct RequestStream {
    /// The recording.
    pub gaps: Arc<[RequestGap]>,
    /// The rate in each hour of the UTC day, in thousandths of the recorded one; it changes
    /// linearly between the middles of hours. `None` = even.
    pub shape_milli: Option<[u32; 24]>,
    /// How fast the recording is played, in thousandths.
    pub pace_milli: u32,
}

/// A request after the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestGap {
    /// Microseconds after the one before it; of the first, after the last of the loop.
    pub micros: u32,
    /// Its bucket, as an index into the service's.
    pub bucket: u16,
}

/// A node that is there from the start and does nothing.
#[derive(Clone, Debug)]
pub struct IdleNode {
    /// Its name.
    pub id: NodeId,
    /// What it is.
    pub offer: OfferId,
}

/// Why a scenario cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The trace that it replays cannot be read.
    #[error(transparent)]
    Trace(TraceError),
    /// The price book lacks something.
    #[error("the price book has no {0}: the demo needs one")]
    NoOffer(String),
    /// A name that is none.
    #[error("the scenario has a bad name")]
    Id(#[source] IdError),
    /// A time out of range.
    #[error("the scenario has a time out of range")]
    Time,
}

/// Monday, 2 November 2026, 00:00 UTC, in seconds.
const START_S: i64 = 1_793_577_600;
/// Jobs of the Philly trace; see `data/traces/SOURCE.md`.
pub(crate) const PHILLY: &str = include_str!("../../../../data/traces/philly-jobs.csv");
/// Requests of the Azure trace.
pub(crate) const AZURE: &str = include_str!("../../../../data/traces/azure-llm-conv.csv");
/// The shape of a day of requests.
pub(crate) const DAY: &str = include_str!("../../../../data/traces/day-shape.csv");
/// Relative speeds of accelerators in training.
pub(crate) const RELATIVE_SPEED: &str = include_str!("../../../../data/traces/relative-speed.csv");
/// Speeds of accelerators in serving one language model.
pub(crate) const LANGUAGE_SPEED: &str = include_str!("../../../../data/traces/llm-speed.csv");
