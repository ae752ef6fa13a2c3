//! Workloads: jobs with finite work, and services with a request rate.

use crate::accelerator::AcceleratorQuery;
use crate::decimal::Decimal;
use crate::id::{TeamId, WorkloadId};
use crate::money::Money;
use crate::offer::Place;
use crate::resource::Resources;
use crate::sizing::Sizing;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What someone wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name, unique in the world.
    pub id: WorkloadId,
    /// Who pays; the scope that budgets look at first.
    pub team: Option<TeamId>,
    /// All labels, for statements.
    pub labels: BTreeMap<String, String>,
    /// What one member asks for on its node. Zero = no requirement.
    pub resources: Resources,
    /// Jurisdictions of which one must hold for the place; empty = anywhere. A hard filter.
    pub residency: Vec<String>,
    /// Performance metric times priority of one member; `R = value / cost`.
    pub value: Decimal,
    /// Where its data is, and how much of it moves.
    pub data: Option<DataLocation>,
    /// Job or service.
    pub kind: WorkloadKind,
}

/// Job or service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// Ends when its work is done.
    Job(Job),
    /// Runs as long as it is wanted.
    Service(Service),
}

/// Finite work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// How many identical members, each with all of `work`.
    pub count: u32,
    /// Not to start before.
    pub submitted: Option<Timestamp>,
    /// What must be done; with `throughput` it gives the run time.
    pub work: Option<Work>,
    /// Measured throughput, per configuration; the first match wins.
    pub throughput: Vec<Throughput>,
    /// How long it holds its resources, where that is known instead of work.
    pub duration: Option<SignedDuration>,
    /// To be done by.
    pub deadline: Option<Timestamp>,
    /// What finishing one member costs, quoted from outside, where nothing else is known.
    pub quoted_cost: Option<Money>,
    /// How it takes an interruption; `None` = must not be interrupted.
    pub interruptible: Option<Interruptible>,
}

/// An amount of work in a unit of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// How much.
    pub amount: Decimal,
    /// Of what (`steps`, `samples`, `tokens`).
    pub unit: String,
}

/// Measured work per second on a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// On which machines it was measured.
    pub target: Target,
    /// How many accelerators, or machines for an instance type, one member uses.
    pub count: u32,
    /// Work done in `per` of time, by one member on the whole configuration.
    pub amount: Decimal,
    /// The time in which `amount` is done (a second for `1.9 steps/s`, a day for `200/d`).
    pub per: SignedDuration,
}

/// What a throughput was measured on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any machine with this accelerator.
    Accelerator(AcceleratorQuery),
    /// A machine by the provider's name.
    InstanceType(String),
}

/// How a job takes an interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruptible {
    /// How long saving a checkpoint takes.
    pub checkpoint: SignedDuration,
    /// How long it takes to be productive again.
    pub restart: SignedDuration,
}

/// Where data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataLocation {
    /// Its place.
    pub place: Place,
    /// Bytes that must be read from there.
    pub size_bytes: u64,
}

/// A request rate to serve within an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What comes in.
    pub requests: Requests,
    /// Most requests per second of each bucket on each accelerator within the objective.
    pub throughput: Vec<BucketRate>,
    /// The latency objective the throughput was measured for.
    pub slo: Option<Slo>,
    /// Whether a bucket may be divided over accelerators.
    pub split: Split,
    /// Never fewer replicas in all.
    pub replicas_min: u32,
    /// How it is sized beyond its rate.
    pub sizing: Sizing,
}

/// Request traffic, in buckets of request size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// Requests per second in all.
    pub rate_per_s: Decimal,
    /// Request sizes and their shares, which sum to one.
    pub buckets: Vec<Bucket>,
}

/// Requests of about one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// Prompt length.
    pub input_tokens: u32,
    /// Answer length.
    pub output_tokens: u32,
    /// Share of all requests.
    pub share: Decimal,
}

/// Throughput of one bucket on one accelerator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRate {
    /// The accelerator one replica uses.
    pub accelerator: AcceleratorQuery,
    /// How many of them one replica uses.
    pub count: u32,
    /// Prompt length of the bucket.
    pub input_tokens: u32,
    /// Answer length of the bucket.
    pub output_tokens: u32,
    /// Most requests per second of one replica; zero = cannot serve this bucket.
    pub requests_per_s: Decimal,
    /// The time of one request by phase, where it was measured.
    pub phases: Option<Phases>,
}

/// How long a request of a bucket takes, as a replica works on as many as it can at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Seconds with its prompt, until the first token.
    pub prefill_s: Decimal,
    /// Seconds with its answer, from then on.
    pub decode_s: Decimal,
}

/// A latency objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slo {
    /// Time to first token.
    pub ttft: SignedDuration,
    /// Time per output token.
    pub tpot: SignedDuration,
}

/// How a bucket's requests may be divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// In any proportion.
    #[default]
    Continuous,
    /// In this many equal slices, each whole on one accelerator.
    Slices(u32),
}

impl Workload {
    /// The job, if it is one.
    pub const fn job(&self) -> Option<&Job> {
        match &self.kind {
            WorkloadKind::Job(job) => Some(job),
            WorkloadKind::Service(_) => None,
        }
    }

    /// The service, if it is one.
    pub const fn service(&self) -> Option<&Service> {
        match &self.kind {
            WorkloadKind::Service(service) => Some(service),
            WorkloadKind::Job(_) => None,
        }
    }
}
