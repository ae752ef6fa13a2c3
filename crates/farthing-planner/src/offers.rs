//! Ranking of offers for one request: a pure query, what `farthing offers` prints.
//!
//! Start at [`rank`]. What counts is the price of the whole request, all nodes together; where
//! throughput is given, the cost of finishing the work. What a node has beyond what was asked for
//! is paid and said. The table is grouped by accelerator, count and purchase, so a query skips
//! what cannot matter and reads the rest once, whatever the size of the catalogue.

mod error;
mod finish;
mod name;
mod near;
mod request;
mod scan;

pub use error::RankError;
pub use finish::{FinishCost, Finishing, RateOf};
pub use near::NearMiss;
pub use request::OfferRequest;

use farthing_model::offer_table::Arch;
use farthing_model::{HourlyRate, Money, Offer, OfferTable};
use scan::{Found, Scan};
use std::collections::BTreeMap;

/// An offer that does what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedOffer {
    /// The offer; its `warnings` are its own.
    pub offer: Offer,
    /// The instruction set, where the catalogue or its name says it.
    pub arch: Option<Arch>,
    /// Nodes that the request takes.
    pub nodes: u32,
    /// Accelerators on all of them.
    pub accelerators: u64,
    /// What an hour of the whole request costs.
    pub price: HourlyRate,
    /// What finishing the work costs and how long it takes, where throughput was given.
    pub finish: Option<FinishCost>,
    /// What is not quite what was asked for.
    pub notes: Vec<String>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Best first, ties by provider, region, zone, instance type and purchase.
    pub offers: Vec<RankedOffer>,
    /// Offers that do what is asked, of which [`Self::offers`] are the best.
    pub matched: usize,
    /// Offers that were looked at: all. `matched` plus all of `excluded`.
    pub considered: usize,
    /// Offers that were left out: first reason -> how many.
    pub excluded: BTreeMap<&'static str, usize>,
    /// For each reason the cheapest offer that only this one rules out, where it would win.
    pub near: Vec<NearMiss>,
    /// The best in each other way to pay, for comparison.
    pub otherwise_paid: Vec<RankedOffer>,
    /// Fewer accelerators on each of more nodes, where that is cheaper and was not asked for.
    pub split: Option<RankedOffer>,
}

/// Ranks offers for a request, best first.
///
/// The order is the price per hour of all nodes or, with [`OfferRequest::finish`], the cost of
/// finishing; ties go by provider, region, zone and instance type.
///
/// # Errors
/// An accelerator that is ambiguous (`A100` with 40 and 80 GB) or that no offer has, a limit in
/// another currency, offers in two currencies that would have to be compared, or a price that does
/// not fit.
pub fn rank(request: &OfferRequest, table: &OfferTable) -> Result<Ranked, RankError> {
    if let Some(query) = &request.accelerator {
        name::resolve(query, table)?;
    }
    let mut ranked = find(request, table)?;
    let may_split = request.accelerator.is_some()
        && request.nodes.is_none()
        && !request.split
        && request.finish.is_none();
    if may_split {
        let asked = OfferRequest { split: true, limit: 1, ..request.clone() };
        let best = find(&asked, table)?.offers.pop();
        let price = |it: &RankedOffer| it.price.per_hour().pico();
        let cheaper = |it: &RankedOffer| ranked.offers.first().is_none_or(|o| price(it) < price(o));
        ranked.split = best.filter(cheaper);
    }
    Ok(ranked)
}

fn find(request: &OfferRequest, table: &OfferTable) -> Result<Ranked, RankError> {
    let mut scan = Scan::new(request, table)?;
    for group in table.groups() {
        scan.group(group)?;
    }
    scan.currency(request)?;
    let Scan { mut found, counts, near, mut others, matched, .. } = scan;
    found.sort_by(|a, b| a.order(b, table));
    found.truncate(request.limit);
    others.sort_by(|a, b| a.order(b, table));
    let made = |found: Vec<Found>| -> Result<Vec<RankedOffer>, RankError> {
        found.into_iter().map(|it| it.make(request, table)).collect()
    };
    let best = found.first().map(Found::key);
    let near = near::misses(near, best, request, table)?;
    Ok(Ranked {
        offers: made(found)?,
        matched,
        considered: table.len(),
        excluded: counts,
        near,
        otherwise_paid: made(near::first_of_each(others))?,
        split: None,
    })
}

impl Ranked {
    /// By how much the second is dearer than the first: in the money that the order is by.
    pub fn lead(&self) -> Option<Money> {
        let cost = |it: &RankedOffer| it.finish.map_or(it.price.per_hour(), |it| it.cost);
        let [first, second, ..] = &*self.offers else { return None };
        cost(second).checked_sub(cost(first)).ok()
    }
}

#[cfg(test)]
mod tests;
