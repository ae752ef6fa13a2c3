//! The days and sources of the prices behind a plan, and the prices of the past.

use super::scalar::WindowJson;
use farthing_ledger::{PricePoint, PriceSeries};
use farthing_model::{Offer, PriceDates, utc_day};
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

/// Prices of one offer over time: those that were paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceSeriesJson {
    /// The offer.
    pub offer: String,
    /// Its provider.
    pub provider: String,
    /// The provider's name of the region.
    pub region: String,
    /// The provider's name of the zone, where prices differ by zone.
    pub zone: Option<String>,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// The accelerator's normalised name, where the price book knows the offer.
    pub accelerator: Option<String>,
    /// Accelerators of one node, likewise.
    pub accelerator_count: Option<u32>,
    /// `on-demand`, `spot`, `reserved` or `owned`.
    pub purchase: &'static str,
    /// The currency of all its prices.
    pub currency: String,
    /// What the price book says now; `null` where it does not know.
    pub now: Option<String>,
    /// The lowest price that was paid.
    pub lowest: String,
    /// The highest.
    pub highest: String,
    /// Its prices, by time: the newest where there are too many.
    pub points: Vec<PricePointJson>,
    /// How many there are.
    pub points_of: usize,
}

/// One price for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PricePointJson {
    /// When a node was paid at it. Before and after that nobody paid for one, and what it cost then
    /// is not known.
    pub window: WindowJson,
    /// An hour of one node.
    pub price: String,
    /// `list`, `spot-quote` and so on.
    pub kind: &'static str,
    /// Where it is from.
    pub source: String,
    /// The day it was seen.
    pub as_of: String,
}

/// Prices of one offer, with what the book says of it now; at most so many points.
pub fn price_series(series: &PriceSeries, now: Option<&Offer>, points: usize) -> PriceSeriesJson {
    let rates = || series.points.iter().map(|point| point.rate.per_hour());
    let of = |pico: Option<i128>| {
        let money = rates().find(|rate| Some(rate.pico()) == pico);
        money.map(farthing_model::Money::to_decimal).unwrap_or_default()
    };
    let skip = series.points.len().saturating_sub(points);
    let accelerator = now.and_then(|offer| offer.accelerator.as_ref());
    let rate = now.and_then(|offer| offer.price.rate());
    PriceSeriesJson {
        offer: series.offer.to_string(),
        provider: series.place.provider.clone(),
        region: series.place.region.clone(),
        zone: series.place.zone.clone(),
        instance_type: series.instance_type.clone(),
        accelerator: accelerator.map(ToString::to_string),
        accelerator_count: now.map(|offer| offer.accelerator_count),
        purchase: series.purchase.name(),
        currency: rates().next().map(|rate| rate.currency().to_string()).unwrap_or_default(),
        now: rate.map(|rate| rate.per_hour().to_decimal()),
        lowest: of(rates().map(farthing_model::Money::pico).min()),
        highest: of(rates().map(farthing_model::Money::pico).max()),
        points: series.points.iter().skip(skip).map(point).collect(),
        points_of: series.points.len(),
    }
}

fn point(point: &PricePoint) -> PricePointJson {
    PricePointJson {
        window: point.window.into(),
        price: point.rate.per_hour().to_decimal(),
        kind: point.provenance.kind.name(),
        source: point.provenance.source.clone(),
        as_of: point.provenance.as_of.to_string(),
    }
}
