//! What a plan of files may buy: of a large catalogue only what its workloads can use.
//!
//! A catalogue of five clouds has ninety thousand offers, and a plan of one model looks at some
//! thousands. An offer is made of its rows only where somebody has measured something on its
//! accelerator; the rest could only be counted as unusable. Refuses to know what is cheap. Start at
//! [`of_workloads`].

use crate::args::PlanGiven;
use crate::commands::{cache_folder, price_book};
use crate::outcome::WrongUse;
use farthing_model::offer_table::Filter;
use farthing_model::{AcceleratorQuery, Currency, Offer, Target, Workload, WorkloadKind};
use farthing_providers::catalog::{self, Catalogue};
use farthing_providers::manifest::Manifests;
use jiff::Timestamp;
use std::sync::Arc;

/// All offers of the given prices, of the files, or of the book that ships.
pub(super) fn all(
    given: &PlanGiven,
    now: Timestamp,
    manifests: &Manifests,
) -> anyhow::Result<Arc<[Offer]>> {
    match given_book(given, now)? {
        Some(book) => Ok(book.book().offers),
        None => Ok(without_prices(manifests)),
    }
}

/// The offers that the workloads of the files may use, and how many are left out as nothing is
/// measured on their accelerators.
pub(super) fn of_workloads(
    given: &PlanGiven,
    now: Timestamp,
    manifests: &Manifests,
) -> anyhow::Result<(Arc<[Offer]>, usize)> {
    let Some(book) = given_book(given, now)? else { return Ok((without_prices(manifests), 0)) };
    if let [first, other, ..] = book.table.currencies() {
        return Err(two(*first, *other));
    }
    match measured(&manifests.workloads) {
        Some(accelerators) => {
            let filter = Filter { accelerators, ..Filter::default() };
            let offers = book.select(&filter);
            let left_out = book.table.len() - offers.len();
            Ok((offers.into(), left_out))
        }
        None => Ok((book.book().offers, 0)),
    }
}

fn given_book(given: &PlanGiven, now: Timestamp) -> anyhow::Result<Option<Catalogue>> {
    let named = !given.prices.is_empty();
    named.then(|| price_book(&given.prices, now, cache_folder())).transpose()
}

fn without_prices(manifests: &Manifests) -> Arc<[Offer]> {
    match &manifests.price_book {
        Some(book) => Arc::clone(&book.offers),
        None => catalog::default_book().offers,
    }
}

/// The accelerators that anything is measured on; `None` where a workload may use other machines
/// too, or names a machine.
fn measured(workloads: &[Workload]) -> Option<Vec<AcceleratorQuery>> {
    let mut found: Vec<AcceleratorQuery> = Vec::new();
    let mut note = |query: &AcceleratorQuery| {
        if !found.contains(query) {
            found.push(query.clone());
        }
    };
    for workload in workloads {
        match &workload.kind {
            WorkloadKind::Service(service) => {
                service.throughput.iter().for_each(|row| note(&row.accelerator));
            }
            WorkloadKind::Job(job) if job.throughput.is_empty() => return None,
            WorkloadKind::Job(job) => {
                for row in &job.throughput {
                    let Target::Accelerator(query) = &row.target else { return None };
                    note(query);
                }
            }
        }
    }
    // Without any name a filter would let everything through.
    (!found.is_empty()).then_some(found)
}

/// The one currency of the offers.
pub(crate) fn currency(offers: &[Offer]) -> anyhow::Result<Currency> {
    let mut rates = offers.iter().filter_map(|offer| offer.price.rate());
    let first = rates.next().map_or(Currency::USD, |rate| rate.per_hour().currency());
    if let Some(other) = rates.find(|rate| rate.per_hour().currency() != first) {
        return Err(two(first, other.per_hour().currency()));
    }
    Ok(first)
}

fn two(first: Currency, other: Currency) -> anyhow::Error {
    WrongUse::new(format!("the prices are in {first} and {other}"))
        .hint("plan with the prices of one currency at a time")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::plan::{input, read};
    use farthing_planner::{Input, plan};
    use std::path::Path;

    /// A plan of what can be used is the plan of everything, on five clouds.
    #[test]
    #[allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that may be left out")]
    fn what_is_left_out_changes_nothing() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let prices = root.join("../shared/data/catalog-skypilot");
        if !prices.is_dir() {
            println!("left out: no ../shared/data/catalog-skypilot");
            return;
        }
        let given = PlanGiven {
            prices: vec![prices],
            now: Some("2026-12-01T00:00:00Z".to_owned()),
            ..PlanGiven::default()
        };
        for (file, is_less) in [("examples/serving.yaml", true), ("examples/seed-5-2.yaml", false)]
        {
            let (now, manifests) = read(&[root.join(file)], &given).unwrap();
            let whole = all(&given, now, &manifests).unwrap();
            let (some, left_out) = input(&given, now, manifests).unwrap();
            assert_eq!(left_out > 0, is_less, "{file}");
            assert_eq!(some.offers.len() + left_out, whole.len(), "{file}");
            let everything = Input { offers: whole, ..some.clone() };
            let (mut few, mut many) = (plan(&some).unwrap(), plan(&everything).unwrap());
            few.report.excluded.clear();
            many.report.excluded.clear();
            assert_eq!(few, many, "{file}");
        }
    }
}
