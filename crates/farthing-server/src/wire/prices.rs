//! The days and sources of the prices behind a plan.

use farthing_model::{PriceDates, utc_day};
use jiff::Timestamp;
use serde::Serialize;

/// What the prices of a plan's offers are worth: seen when, and said by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PricesJson {
    /// The day of the oldest.
    pub oldest: String,
    /// The day of the newest.
    pub newest: String,
    /// Days from the oldest to the plan; below zero where a price is of a later day.
    pub age_days: i32,
    /// Files and services, each once.
    pub sources: Vec<String>,
}

impl PricesJson {
    /// The wire form, for a plan that is made at `at`.
    pub(super) fn of(dates: PriceDates, at: Timestamp) -> Self {
        Self {
            oldest: dates.oldest.to_string(),
            newest: dates.newest.to_string(),
            age_days: dates.age_days(utc_day(at)),
            sources: dates.sources.into_iter().collect(),
        }
    }
}
