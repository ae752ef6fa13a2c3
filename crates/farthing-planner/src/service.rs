//! The report about a service: who serves which requests, what a token costs, and its day.

use farthing_model::{Decimal, Money, OfferId, Ratio, WorkloadId, proportion};
use jiff::SignedDuration;

/// How a service is served by a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceReport {
    /// Which service.
    pub workload: WorkloadId,
    /// Requests per second that it is sized for.
    pub rate_per_s: Decimal,
    /// The part of a replica that is planned with.
    pub target: Ratio,
    /// What its replicas cost an hour.
    pub per_hour: Money,
    /// What a million tokens cost, in and out together; `None` where nothing is asked for.
    pub per_million_tokens: Option<Money>,
    /// The same apart; `None` where nothing tells what is for prompts and what for answers.
    pub tokens: Option<TokenCosts>,
    /// The kinds of replicas.
    pub mix: Vec<MixRow>,
    /// Parts that each class of requests is divided into: slices, or very many.
    pub parts: i128,
    /// The classes of requests, in the order of the service.
    pub buckets: Vec<BucketRow>,
    /// The cycle of its rate, where one was given.
    pub day: Option<DayReport>,
}

impl ServiceReport {
    /// Parts of a bucket as a share of it.
    pub fn share(&self, parts: i128) -> Ratio {
        Ratio::of(parts, self.parts).unwrap_or(Ratio::ZERO)
    }
}

/// What a million tokens cost, prompts and answers apart. Each at its number of tokens, they sum to
/// what the replicas cost, to the rounding of a unit price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCosts {
    /// A million tokens of prompts; `None` where there are none.
    pub input: Option<Money>,
    /// A million tokens of answers; `None` where there are none.
    pub output: Option<Money>,
    /// How the two were told apart.
    pub rule: TokenRule,
}

/// How the cost of prompts is told from that of answers. The first that can be applied is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRule {
    /// By the times of prefill and decode in the throughput table, for all that is served.
    Measured,
    /// By the `outputWeight` of the manifest.
    Declared,
    /// By the two prices, not below zero, that explain best what a request of each size costs:
    /// least squares over the requests.
    Fitted,
}

impl TokenRule {
    /// Its name in machine-readable output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Declared => "declared",
            Self::Fitted => "fitted",
        }
    }
}

/// Replicas of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixRow {
    /// Where.
    pub offer: OfferId,
    /// Accelerators of one copy of the model.
    pub accelerators: u32,
    /// Copies that run as one replica: as many as its node holds.
    pub copies: u32,
    /// Nodes of one replica.
    pub nodes_each: u32,
    /// How many.
    pub replicas: u32,
    /// The part of them that the requests fill.
    pub load: Ratio,
    /// The part of requests that wait longer than they may, at most; `None` without a queue.
    pub late: Option<Ratio>,
}

/// Requests of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRow {
    /// Prompt length.
    pub input_tokens: u32,
    /// Answer length.
    pub output_tokens: u32,
    /// Requests per second of this size.
    pub rate_per_s: Decimal,
    /// Who takes which part of them: position in the mix, and how many of [`ServiceReport::parts`].
    pub taken: Vec<(usize, i128)>,
    /// What a million of their tokens cost, by the part of replicas that they fill.
    pub per_million_tokens: Option<Money>,
}

/// A service over the cycle of its rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayReport {
    /// How long the cycle is.
    pub length: SignedDuration,
    /// What it costs, starts included.
    pub cost: Money,
    /// No schedule of replicas costs less.
    pub lower_bound: Money,
    /// What the replicas of the highest rate cost if they are kept all the time.
    pub flat_cost: Money,
    /// The kinds of replicas, in the order of the counts below.
    pub kinds: Vec<(OfferId, u32)>,
    /// Replicas by span of time.
    pub spans: Vec<DaySpan>,
    /// A gap without requests must be longer than this for the last replica to be given back.
    pub idle_gap_min: SignedDuration,
}

impl DayReport {
    /// What so much time of it costs, cycle after cycle; `None` where the numbers do not fit.
    pub fn cost_of(&self, time: SignedDuration) -> Option<Money> {
        let pico = proportion(self.cost.pico(), time.as_nanos(), self.length.as_nanos())?;
        Some(Money::from_pico(pico, self.cost.currency()))
    }
}

/// Replicas in a span of the cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySpan {
    /// From, since the beginning of the cycle.
    pub from: SignedDuration,
    /// To.
    pub to: SignedDuration,
    /// Requests per second.
    pub rate_per_s: Decimal,
    /// Replicas by kind that serve.
    pub replicas: Vec<u32>,
    /// What is paid in the span, with the starts for the next one.
    pub cost: Money,
}
