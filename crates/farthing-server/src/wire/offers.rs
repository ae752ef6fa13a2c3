//! `offers`: what can be bought, best first.

use super::scalar::{millis, seconds};
use farthing_model::{Money, Offer, Price};
use jiff::SignedDuration;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes in a GiB.
const GIB: u64 = 1 << 30;

/// What a query for offers found.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// The offers, best first.
    pub offers: Vec<Listed<'a>>,
    /// Offers that were looked at, and rows that are none.
    pub considered: usize,
    /// Offers that do what is asked.
    pub matched: usize,
    /// What was left out: reason -> how many.
    pub excluded: BTreeMap<String, u64>,
    /// How long the query took, without loading.
    pub took: Duration,
    /// What the order is by: `price per hour` or `cost of finishing`.
    pub compared: &'static str,
    /// For each condition that rules out a better offer: the offer.
    pub near: Vec<(&'a str, Listed<'a>)>,
    /// The best in each other way to pay.
    pub otherwise_paid: Vec<Listed<'a>>,
    /// Fewer accelerators on each of more nodes, where that is cheaper.
    pub split: Option<Listed<'a>>,
    /// The book that was asked.
    pub book: Book,
}

/// The price book behind an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Book {
    /// Offers in it.
    pub offers: usize,
    /// The day of its oldest price.
    pub oldest: Option<String>,
    /// The day of its newest price.
    pub newest: Option<String>,
    /// Days since the newest price.
    pub age_days: Option<i32>,
    /// How long loading took.
    pub load_ms: u64,
    /// `files`, `cache`, `rebuilt` (from files, as the cache was damaged) or `built-in`.
    pub from: &'static str,
    /// Rows that could not be read: the first few, with file and line.
    pub faults: Vec<String>,
}

/// One offer with what the request makes of it.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    /// The offer.
    pub offer: &'a Offer,
    /// The instruction set, where it is known.
    pub arch: Option<&'static str>,
    /// Nodes that the request takes.
    pub nodes: u32,
    /// What an hour of all nodes costs.
    pub total: Money,
    /// What finishing the work costs, and how long it takes.
    pub finish: Option<(Money, SignedDuration)>,
    /// What is not quite what was asked for.
    pub notes: &'a [String],
}

/// Offers, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OffersJson {
    /// The offers.
    pub offers: Vec<OfferJson>,
    /// Offers that were looked at, and rows of the book that are none: `matched` plus all of
    /// `excluded`.
    pub considered: usize,
    /// Reason -> how many were left out.
    pub excluded: BTreeMap<String, u64>,
    /// How long the query took, without loading.
    pub query_ms: f64,
    /// Offers that do what is asked, of which `offers` are the best.
    pub matched: usize,
    /// What the order is by: `price per hour` or `cost of finishing`.
    pub compared: &'static str,
    /// Offers that would win but for one condition.
    pub near: Vec<NearJson>,
    /// The best in each way to pay that was not asked for.
    pub otherwise_paid: Vec<OfferJson>,
    /// A cheaper way over more and smaller nodes, which was not asked for.
    pub split: Option<OfferJson>,
    /// The price book.
    pub book: Book,
}

/// An offer that would win but for one condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NearJson {
    /// The condition, in the words of `excluded`.
    pub reason: String,
    /// The offer.
    pub offer: OfferJson,
}

/// One offer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfferJson {
    /// Its id, as in plans.
    pub id: String,
    /// `aws`, `gcp`, `azure` and so on.
    pub provider: String,
    /// The provider's name of the region.
    pub region: String,
    /// The provider's name of the zone, where prices differ by zone.
    pub zone: Option<String>,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// The accelerator's normalised name.
    pub accelerator: Option<String>,
    /// Accelerators of one node.
    pub accelerator_count: u32,
    /// Virtual processors of one node, a decimal string.
    pub vcpus: String,
    /// Memory of one node in GiB, a decimal string.
    pub memory_gib: String,
    /// `x86_64` or `arm64`, where it is known.
    pub arch: Option<&'static str>,
    /// `on-demand`, `spot`, `reserved` or `owned`.
    pub purchase: &'static str,
    /// What one node costs per hour; `null` when it is not known, which `warnings` explain.
    pub price: Option<String>,
    /// The currency of all its amounts.
    pub currency: Option<String>,
    /// The kind of price: `list`, `spot-quote` and so on.
    pub price_kind: Option<&'static str>,
    /// Where the price is from.
    pub source: Option<String>,
    /// The day it was seen.
    pub as_of: Option<String>,
    /// Nodes that the request needs.
    pub nodes: u32,
    /// What the request costs per hour, all nodes.
    pub total: String,
    /// What finishing the work costs; `null` where no throughput was given.
    pub finish_cost: Option<String>,
    /// How long finishing takes, in seconds.
    pub finish_s: Option<f64>,
    /// What is odd about it or not quite what was asked for.
    pub warnings: Vec<String>,
}

/// The wire form of a listing.
pub fn offers(listing: &Listing<'_>) -> OffersJson {
    let all = |listed: &[Listed<'_>]| listed.iter().map(OfferJson::of).collect();
    let near = |(reason, listed): &(&str, Listed<'_>)| NearJson {
        reason: (*reason).to_owned(),
        offer: OfferJson::of(listed),
    };
    OffersJson {
        offers: all(&listing.offers),
        considered: listing.considered,
        excluded: listing.excluded.clone(),
        query_ms: millis(listing.took),
        matched: listing.matched,
        compared: listing.compared,
        near: listing.near.iter().map(near).collect(),
        otherwise_paid: all(&listing.otherwise_paid),
        split: listing.split.as_ref().map(OfferJson::of),
        book: listing.book.clone(),
    }
}

impl OfferJson {
    fn of(listed: &Listed<'_>) -> Self {
        let offer = listed.offer;
        let rate = offer.price.rate().map(farthing_model::HourlyRate::per_hour);
        let provenance = offer.price.provenance();
        let mut warnings = offer.warnings.clone();
        if let Price::Unknown(why) = &offer.price {
            warnings.push(format!("no price: {why}"));
        }
        warnings.extend(listed.notes.iter().cloned());
        let capacity = offer.capacity;
        Self {
            id: offer.id.to_string(),
            provider: offer.place.provider.clone(),
            region: offer.place.region.clone(),
            zone: offer.place.zone.clone(),
            instance_type: offer.instance_type.clone(),
            accelerator: offer.accelerator.as_ref().map(ToString::to_string),
            accelerator_count: offer.accelerator_count,
            vcpus: milli(capacity.cpu_milli),
            memory_gib: milli(milli_gib(capacity.memory_bytes)),
            arch: listed.arch,
            purchase: offer.purchase.name(),
            price: rate.map(Money::to_decimal),
            currency: rate.map(|rate| rate.currency().to_string()),
            price_kind: provenance.map(|provenance| provenance.kind.name()),
            source: provenance.map(|provenance| provenance.source.clone()),
            as_of: provenance.map(|provenance| provenance.as_of.to_string()),
            nodes: listed.nodes,
            total: listed.total.to_decimal(),
            finish_cost: listed.finish.map(|(cost, _)| cost.to_decimal()),
            finish_s: listed.finish.map(|(_, time)| seconds(time)),
            warnings,
        }
    }
}

/// Thousandths of a GiB, to the nearest; price books state GiB with fewer digits than that.
fn milli_gib(bytes: u64) -> u64 {
    bytes / GIB * 1_000 + (bytes % GIB * 1_000 + GIB / 2) / GIB
}

/// A number of thousandths as a decimal without needless zeros.
fn milli(thousandths: u64) -> String {
    farthing_model::Decimal::from_nano(i128::from(thousandths) * 1_000_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_plain_decimals() {
        assert_eq!(milli(192_000), "192");
        assert_eq!(milli(500), "0.5");
        assert_eq!(milli(milli_gib(2 << 40)), "2048");
        assert_eq!(milli(milli_gib((3 * GIB) / 4)), "0.75");
        assert_eq!(milli(milli_gib(64_424_509_440 + 1)), "60");
    }
}
