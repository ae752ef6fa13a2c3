//! How a service is sized beyond its rate: the part of a replica in use, what may wait, the day.

use crate::decimal::Decimal;
use crate::money::Money;
use crate::policy::Ratio;
use jiff::SignedDuration;

/// How a service is sized. Empty: by the policy's band, for one rate, without a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizing {
    /// The part of what a replica can do that is planned with; `None` = the policy's band.
    pub target: Option<Ratio>,
    /// What may wait for a replica; `None` = nothing is asked of the queue.
    pub queue: Option<Queue>,
    /// How the rate changes over a day; `None` = it does not.
    pub day: Option<Day>,
    /// What a token of an answer costs in tokens of a prompt, where somebody says so.
    pub output_weight: Option<Decimal>,
}

/// What may wait for a replica, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// A request may wait so long before a replica begins with it.
    pub wait_max: SignedDuration,
    /// The part of all requests that must not wait longer.
    pub percentile: Ratio,
    /// Requests that one replica works on at once; at least one.
    pub concurrency: u32,
}

/// A rate over a cycle that repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The rate from a moment of the cycle on, ascending; the first is at its beginning.
    pub points: Vec<RatePoint>,
    /// How long the cycle is, more than the last moment.
    pub length: SignedDuration,
    /// How long a replica is paid before it serves.
    pub cold_start: SignedDuration,
    /// What each start from no replica at all costs beside that, where it is known.
    pub penalty: Option<Money>,
}

/// A rate from a moment of a cycle on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatePoint {
    /// Since the beginning of the cycle.
    pub from: SignedDuration,
    /// Requests per second in all.
    pub rate_per_s: Decimal,
}
