//! `offers`: what can be bought, best first.

use super::scalar::millis;
use farthing_model::{Money, Offer, Price};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes in a GiB.
const GIB: u64 = 1 << 30;

/// What a query for offers found.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// Offers with the nodes of each that the request needs, best first.
    pub offers: &'a [(&'a Offer, u32)],
    /// Offers that were looked at.
    pub considered: usize,
    /// Offers that were left out: reason -> how many.
    pub excluded: &'a BTreeMap<&'static str, usize>,
    /// How long the query took, without loading.
    pub took: Duration,
}

/// Offers, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OffersJson {
    /// The offers.
    pub offers: Vec<OfferJson>,
    /// Offers that were looked at.
    pub considered: usize,
    /// Reason -> how many were left out.
    pub excluded: BTreeMap<&'static str, usize>,
    /// How long the query took, without loading.
    pub query_ms: f64,
}

/// One offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// `on-demand`, `spot`, `reserved` or `owned`.
    pub purchase: &'static str,
    /// What one node costs per hour; `null` when it is not known, which `warnings` explain.
    pub price: Option<String>,
    /// The currency of `price` and `total`.
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
    pub total: Option<String>,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

/// The wire form of a listing.
pub fn offers(listing: &Listing<'_>) -> OffersJson {
    OffersJson {
        offers: listing.offers.iter().map(|(offer, nodes)| OfferJson::of(offer, *nodes)).collect(),
        considered: listing.considered,
        excluded: listing.excluded.clone(),
        query_ms: millis(listing.took),
    }
}

impl OfferJson {
    fn of(offer: &Offer, nodes: u32) -> Self {
        let rate = offer.price.rate().map(farthing_model::HourlyRate::per_hour);
        let provenance = offer.price.provenance();
        let mut warnings = offer.warnings.clone();
        if let Price::Unknown(why) = &offer.price {
            warnings.push(format!("no price: {why}"));
        }
        let total = rate.and_then(|rate| rate.checked_mul_int(nodes.into()).ok());
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
            purchase: offer.purchase.name(),
            price: rate.map(Money::to_decimal),
            currency: rate.map(|rate| rate.currency().to_string()),
            price_kind: provenance.map(|provenance| provenance.kind.name()),
            source: provenance.map(|provenance| provenance.source.clone()),
            as_of: provenance.map(|provenance| provenance.as_of.to_string()),
            nodes,
            total: total.map(Money::to_decimal),
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
