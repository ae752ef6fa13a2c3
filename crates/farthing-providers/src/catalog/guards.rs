//! What keeps nonsense out of a price book: each row that is left out is counted by its reason.

use super::row::Row;
use farthing_model::{Currency, OfferId, Purchase};
use std::collections::BTreeMap;

/// Why a row is left out, as `farthing offers` counts it.
const DUPLICATE: &str = "listed again with a newer date or a higher price";
const FREE: &str = "price of 0, which catalogues write for none";
const SPOT_NOT_CHEAPER: &str = "spot price not below on demand";
const TOO_CHEAP: &str = "on-demand price below a fifth of the type's median region";

/// Prices further from their type's median region than this are odd.
const FAR: i128 = 5;
/// Fewer regions have no median worth a judgement.
const REGIONS_MIN: usize = 3;

/// Leaves out what is no offer and marks what is odd; the rest is sorted by id, each id once.
pub(crate) fn judge(rows: Vec<Row>, excluded: &mut BTreeMap<String, u64>) -> Vec<Row> {
    let mut count = |reason: &str| *excluded.entry(reason.to_owned()).or_default() += 1;
    let mut kept: BTreeMap<OfferId, Row> = BTreeMap::new();
    for row in rows {
        if row.rate.per_hour().is_zero() {
            count(FREE);
            continue;
        }
        let Some(other) = kept.remove(&row.offer.id) else {
            kept.insert(row.offer.id.clone(), row);
            continue;
        };
        count(DUPLICATE);
        let winner = if wins(&row, &other) { row } else { other };
        kept.insert(winner.offer.id.clone(), winner);
    }
    let on_demand = cheapest_on_demand(kept.values());
    let medians = medians(kept.values());
    let mut rows = Vec::with_capacity(kept.len());
    for mut row in kept.into_values() {
        let pico = row.rate.per_hour().pico();
        if row.offer.purchase == Purchase::Spot
            && on_demand.get(&machine(&row)).is_some_and(|cheapest| pico >= *cheapest)
        {
            count(SPOT_NOT_CHEAPER);
            continue;
        }
        let Some(&median) = medians.get(&kind(&row)) else {
            rows.push(row);
            continue;
        };
        if pico.saturating_mul(FAR) < median {
            if row.offer.purchase == Purchase::OnDemand {
                count(TOO_CHEAP);
                continue;
            }
            row.offer
                .warnings
                .push(format!("under a fifth of the median region of {}", name(&row)));
        } else if pico > median.saturating_mul(FAR) {
            row.offer
                .warnings
                .push(format!("over {FAR} times the median region of {}", name(&row)));
        }
        rows.push(row);
    }
    rows
}

/// Of two rows of one offer the newer is right; of one day the dearer is kept, so that no plan
/// promises a price that the other row denies.
fn wins(row: &Row, other: &Row) -> bool {
    let key = |row: &Row| (row.provenance.as_of, row.rate.per_hour().pico());
    key(row) > key(other)
}

fn name(row: &Row) -> String {
    format!("{} {}", row.offer.instance_type, row.offer.purchase)
}

type Machine = (String, String, String, Currency);

fn machine(row: &Row) -> Machine {
    let place = &row.offer.place;
    let currency = row.rate.per_hour().currency();
    (place.provider.clone(), place.region.clone(), row.offer.instance_type.clone(), currency)
}

fn cheapest_on_demand<'r>(rows: impl Iterator<Item = &'r Row>) -> BTreeMap<Machine, i128> {
    let mut cheapest = BTreeMap::new();
    for row in rows.filter(|row| row.offer.purchase == Purchase::OnDemand) {
        let pico = row.rate.per_hour().pico();
        cheapest
            .entry(machine(row))
            .and_modify(|least: &mut i128| *least = pico.min(*least))
            .or_insert(pico);
    }
    cheapest
}

type Kind = (String, String, Purchase, Currency);

fn kind(row: &Row) -> Kind {
    let (provider, _, instance_type, currency) = machine(row);
    (provider, instance_type, row.offer.purchase, currency)
}

/// The lower median over regions of each machine type's cheapest price there.
fn medians<'r>(rows: impl Iterator<Item = &'r Row>) -> BTreeMap<Kind, i128> {
    let mut by_kind: BTreeMap<Kind, BTreeMap<&str, i128>> = BTreeMap::new();
    for row in rows.filter(|row| row.offer.purchase != Purchase::Owned) {
        let pico = row.rate.per_hour().pico();
        let regions = by_kind.entry(kind(row)).or_default();
        let least = regions.entry(&row.offer.place.region).or_insert(pico);
        *least = pico.min(*least);
    }
    let median = |regions: BTreeMap<&str, i128>| {
        let mut prices: Vec<i128> = regions.into_values().collect();
        prices.sort_unstable();
        (prices.len() >= REGIONS_MIN).then(|| prices[(prices.len() - 1) / 2])
    };
    by_kind.into_iter().filter_map(|(kind, regions)| Some((kind, median(regions)?))).collect()
}
