//! The default price book: catalogues in, judged offers out. No price is computed here but the GCP
//! sum.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::catalog::Row;
use crate::decimal::Decimal;
use crate::gcp;
use crate::machines::{self, Machine};
use crate::names::Names;
use crate::report::{Reason, Report};
use crate::table::write_csv;

pub(crate) const HEADER: [&str; 15] = [
    "provider",
    "region",
    "zone",
    "instance_type",
    "accelerator",
    "accelerator_count",
    "vcpus",
    "memory_gib",
    "storage_gib",
    "purchase",
    "price",
    "currency",
    "unit",
    "source",
    "as_of",
];

/// A machine in a zone with both its prices, before judgement.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) machine: Machine,
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) vcpus: Option<Decimal>,
    pub(crate) memory: Option<Decimal>,
    pub(crate) price: Option<Decimal>,
    pub(crate) spot: Option<Decimal>,
    pub(crate) source: &'static str,
    pub(crate) as_of: &'static str,
    /// GCP: the host row has price 0.
    pub(crate) host_free: bool,
    /// GCP: the on-demand price is a committed or flexible-start one.
    pub(crate) leaked: bool,
}

impl Candidate {
    pub(crate) fn from_row(machine: Machine, row: &Row) -> Self {
        Self {
            machine,
            region: row.region.clone(),
            zone: row.zone.clone(),
            vcpus: row.vcpus,
            memory: row.memory,
            price: row.price,
            spot: row.spot,
            source: row.source,
            as_of: row.as_of,
            host_free: false,
            leaked: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purchase {
    OnDemand,
    Spot,
}

/// One offer of the book.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) from: Candidate,
    pub(crate) purchase: Purchase,
    pub(crate) price: Decimal,
}

/// The whole way: rows of all providers to the offers of the book, in the order of the file.
pub(crate) fn book(rows: &[Row], names: &Names, report: &mut Report) -> Result<Vec<Offer>> {
    let machines = machines::all();
    let mut candidates = direct(rows, &machines, names, report);
    candidates.extend(gcp::candidates(rows, &machines, report)?);
    let offers = candidates.iter().flat_map(|candidate| judge(candidate, report)).collect();
    let offers = without_outliers(offers, report);
    Ok(cheapest_zone(offers, report))
}

/// AWS, Azure, Lambda: one row is one machine. Rows that are not in the list are counted by why.
fn direct(
    rows: &[Row],
    machines: &[Machine],
    names: &Names,
    report: &mut Report,
) -> Vec<Candidate> {
    let listed: BTreeMap<(&str, &str), Machine> =
        machines.iter().map(|machine| ((machine.provider, machine.name), *machine)).collect();
    let mut candidates = Vec::new();
    for row in rows {
        let unknown = !row.accelerator.is_empty() && !names.knows(&row.accelerator);
        let whole = row.count.is_none_or(|count| count.units() % Decimal::whole(1).units() == 0);
        let found = listed.get(&(row.provider.as_str(), row.instance_type.as_str()));
        let reason = match found {
            _ if unknown => Reason::UnknownAccelerator,
            _ if !whole => Reason::FractionalAccelerator,
            _ if machines::AZURE_RETIRED.contains(&row.instance_type.as_str()) => Reason::Retired,
            _ if row.provider == "gcp" => continue,
            None => Reason::OtherMachine,
            Some(machine) if agrees(machine, row) => {
                candidates.push(Candidate::from_row(*machine, row));
                continue;
            }
            Some(_) => Reason::Disagrees,
        };
        report.add(reason, &row.provider);
    }
    candidates
}

fn agrees(machine: &Machine, row: &Row) -> bool {
    let count = row.count.unwrap_or(Decimal::ZERO);
    row.accelerator == machine.theirs && count == Decimal::whole(machine.count)
}

/// The offers of one candidate: on demand and spot, each kept or counted with its reason.
pub(crate) fn judge(candidate: &Candidate, report: &mut Report) -> Vec<Offer> {
    let mut offers = Vec::new();
    let provider = candidate.machine.provider;
    let listed = candidate.price.filter(|price| *price > Decimal::ZERO);
    let spot = candidate.spot.filter(|price| *price > Decimal::ZERO);
    let not_on_demand = match listed {
        None if candidate.host_free => Some(Reason::HostPriceMissing),
        None => Some(Reason::NoPrice),
        Some(_) if candidate.leaked => Some(Reason::LeakedDiscount),
        Some(_) if candidate.machine.spot_only() => Some(Reason::NotSoldOnDemand),
        Some(_) => None,
    };
    match (not_on_demand, listed) {
        // A zone row of AWS repeats the regional price; where Karpenter lists it, that row stands
        // for it.
        (None, Some(price)) => {
            offers.push(Offer { from: candidate.clone(), purchase: Purchase::OnDemand, price });
        }
        (Some(reason), _) => report.add(reason, provider),
        (None, None) => {}
    }
    let regional = provider == "aws" && candidate.zone.is_empty();
    match (spot, listed) {
        (None, _) if regional || candidate.host_free => {}
        (None, _) => report.add(Reason::SpotNone, provider),
        (Some(spot), Some(listed)) if spot >= listed => report.add(Reason::SpotNotBelow, provider),
        (Some(spot), Some(listed)) if spot.units() * 100 > listed.units() * 99 => {
            report.add(Reason::SpotNoDiscount, provider);
        }
        (Some(_), None) => report.add(Reason::SpotNotBelow, provider),
        (Some(price), Some(_)) => {
            offers.push(Offer { from: candidate.clone(), purchase: Purchase::Spot, price });
        }
    }
    offers
}

/// Drops what is more than five times above or below the median over all regions of its type and
/// purchase.
pub(crate) fn without_outliers(offers: Vec<Offer>, report: &mut Report) -> Vec<Offer> {
    let mut prices: BTreeMap<(&str, &str, Purchase), Vec<Decimal>> = BTreeMap::new();
    for offer in &offers {
        let machine = offer.from.machine;
        prices
            .entry((machine.provider, machine.name, offer.purchase))
            .or_default()
            .push(offer.price);
    }
    for sorted in prices.values_mut() {
        sorted.sort();
    }
    let mut kept = Vec::new();
    for offer in offers {
        let machine = offer.from.machine;
        let sorted = &prices[&(machine.provider, machine.name, offer.purchase)];
        let (median, price) = (sorted[(sorted.len() - 1) / 2].units(), offer.price.units());
        if price > median * 5 || median > price * 5 {
            report.add(Reason::Outlier, machine.provider);
        } else {
            kept.push(offer);
        }
    }
    kept
}

/// One zone for each region, machine and purchase: the newest source, then the cheapest, ties by
/// name.
pub(crate) fn cheapest_zone(mut offers: Vec<Offer>, report: &mut Report) -> Vec<Offer> {
    offers.sort_by(|a, b| {
        let key = |offer: &Offer| (offer.from.machine.provider, offer.from.region.clone());
        let kind = |offer: &Offer| (offer.from.machine.accelerator, offer.from.machine.count);
        let name = |offer: &Offer| (offer.from.machine.name, offer.purchase);
        let newest = b.from.as_of.cmp(a.from.as_of);
        let order = key(a).cmp(&key(b)).then(kind(a).cmp(&kind(b))).then(name(a).cmp(&name(b)));
        order.then(newest).then(a.price.cmp(&b.price)).then(a.from.zone.cmp(&b.from.zone))
    });
    let mut kept: Vec<Offer> = Vec::new();
    for offer in offers {
        let provider = offer.from.machine.provider;
        if !machines::keeps_region(provider, &offer.from.region) {
            report.add(Reason::OtherRegion, provider);
            continue;
        }
        let same = |last: &&Offer| {
            last.from.machine.name == offer.from.machine.name
                && (last.from.region.as_str(), last.purchase)
                    == (offer.from.region.as_str(), offer.purchase)
        };
        match kept.last().filter(same) {
            Some(last) if last.from.as_of > offer.from.as_of => {
                report.add(Reason::Superseded, provider);
            }
            Some(_) => report.add(Reason::OtherZone, provider),
            None => kept.push(offer),
        }
    }
    kept
}

/// The file: fixed columns, `\n` line ends; storage stays empty (local disks are not known for most
/// rows).
pub(crate) fn csv(offers: &[Offer]) -> Result<String> {
    let mut rows = Vec::new();
    for offer in offers {
        let from = &offer.from;
        let machine = from.machine;
        let shape = |value: Option<Decimal>| {
            value
                .map(|value| value.to_string())
                .with_context(|| format!("{} has no shape", machine.name))
        };
        let purchase = if offer.purchase == Purchase::Spot { "spot" } else { "on-demand" };
        rows.push(
            [
                machine.provider,
                &from.region,
                &from.zone,
                machine.name,
                machine.accelerator,
                &machine.count.to_string(),
                &shape(from.vcpus)?,
                &shape(from.memory)?,
                "",
                purchase,
                &offer.price.to_string(),
                "USD",
                "hour",
                from.source,
                from.as_of,
            ]
            .map(str::to_owned),
        );
    }
    write_csv(&HEADER, &rows)
}
