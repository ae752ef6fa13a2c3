//! A trace of requests to one model, served on a cluster under several policies.
//!
//! A replica works on so many requests at once, each for as long as its size takes; who finds no
//! free place waits, first come first served. So what a replica serves at most is what its table of
//! throughputs says, and what plans are made with. Replicas are paid from the moment a node is
//! ordered for them until they have answered what they began. The ledger meters every hour.
//!
//! Start with [`Survey::of`] and [`serve`]; `kinds` says what a replica can do, `fleet` lets time
//! pass, `scale` says how many replicas there should be, `question` asks the planner.

mod fleet;
mod kinds;
mod question;
mod rates;
mod run;
mod scale;

#[cfg(test)]
mod tests;

use super::accounts::Posted;
use super::spec::PoolSpec;
use crate::rule;
use farthing_model::{BucketRate, Money, Ratio};
use jiff::SignedDuration;
pub use kinds::Kinds;
pub use rates::Survey;
pub use run::{Service, serve};
use std::fmt;
use std::str::FromStr;

/// What serves, and how well it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingSpec {
    /// The kinds of nodes.
    pub pools: Vec<PoolSpec>,
    /// Most requests per second of each size that accelerators serve, with the times of their
    /// phases.
    pub throughput: Vec<BucketRate>,
    /// A request should have its first token within this.
    pub ttft: SignedDuration,
    /// So many of all requests should.
    pub within: Ratio,
    /// From ordering a node to its first token.
    pub boot: SignedDuration,
    /// The part of its places that the autoscaler keeps a replica busy with.
    pub target: Ratio,
}

/// How the number of replicas is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServingRule {
    /// Ours: what the planner says for what is forecast, each minute.
    Farthing,
    /// What the planner says for the busiest ten minutes of the trace, all the time: nobody can
    /// know that in advance.
    StaticPeak,
    /// What the Horizontal Pod Autoscaler of Kubernetes does by its rules, also where KEDA drives
    /// it: replicas of the cheapest kind by how many requests there are for each, four times a
    /// minute.
    Hpa,
}

impl ServingRule {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Farthing, "farthing"), (Self::StaticPeak, "static-peak"), (Self::Hpa, "hpa")];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }
}

impl fmt::Display for ServingRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for ServingRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        rule::policy(&Self::ALL, text)
    }
}

/// Replicas and requests of a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its beginning, in seconds since 1970.
    pub at_s: i64,
    /// Requests that came in it.
    pub requests: u64,
    /// Replicas that could serve at its beginning, by kind.
    pub ready: Vec<u32>,
    /// Requests that waited at its beginning.
    pub waiting: u64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingRun {
    /// What the ledger says.
    pub posted: Posted,
    /// Requests that came, all of which were answered.
    pub requests: u64,
    /// Of them, those that had their first token in time.
    pub within: u64,
    /// From a request to its first token, the median and what 99 of a hundred are not above.
    pub ttft: [SignedDuration; 2],
    /// From the first request to the last answer.
    pub makespan_s: i64,
    /// Requests, answers, replicas ready and gone, and decisions.
    pub events: u64,
    /// Questions put to the planner, and those that had an answer from before.
    pub asked: [u64; 2],
    /// Most replicas at once.
    pub most: u32,
    /// Every minute of the run; every so many where it is long.
    pub moments: Vec<Moment>,
    /// The work of all requests at the lowest price: no policy that answers them can be below.
    pub least: Money,
}
