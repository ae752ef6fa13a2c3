//! What a plan of files may buy: of a large catalogue only what its workloads can use.
//!
//! A catalogue of five clouds has ninety thousand offers, and a plan of one model looks at some
//! thousands. An offer is made of its rows only where somebody has measured something on its
//! accelerator; the rest could only be counted as unusable. Refuses to know what is cheap. Start at
//! [`of_workloads`] and [`of_dag`].

use crate::args::PlanGiven;
use crate::commands::{cache_folder, price_book};
use crate::outcome::WrongUse;
use farthing_model::offer_table::{Filter, Sizes};
use farthing_model::{
    AcceleratorQuery, Currency, Dag, Offer, Run, Target, Task, Throughput, Workload, WorkloadKind,
};
use farthing_providers::catalog::{self, Catalogue};
use farthing_providers::manifest::Manifests;
use jiff::Timestamp;
use std::sync::Arc;

/// The offers that the tasks of a Dag may use.
pub(super) fn of_dag(
    given: &PlanGiven,
    now: Timestamp,
    manifests: &Manifests,
    dag: &Dag,
) -> anyhow::Result<Arc<[Offer]>> {
    let Some(book) = given_book(given, now)? else { return Ok(without_prices(manifests)) };
    if let [first, other, ..] = book.table.currencies() {
        return Err(two(*first, *other));
    }
    Ok(for_tasks(&book, &dag.tasks).unwrap_or_else(|| book.book().offers))
}

/// What the tasks of a Dag may use of a catalogue; `None` where a task names a machine, or has
/// nowhere to run, as why it has not is told from all offers.
fn for_tasks(book: &Catalogue, tasks: &[Task]) -> Option<Arc<[Offer]>> {
    let mut found = Vec::new();
    let mut seen: Vec<Filter> = Vec::new();
    for task in tasks {
        let accelerators = asked(task)?;
        let any = accelerators.is_empty();
        let least = |size: u64| if any { Sizes::at_least(size) } else { Sizes::ANY };
        let filter = Filter {
            accelerators,
            cpu_milli: least(task.resources.cpu_milli),
            memory_bytes: least(task.resources.memory_bytes),
            ..Filter::default()
        };
        if seen.contains(&filter) {
            continue;
        }
        let offers = book.select(&filter);
        // A name without any offer is told from all names that there are.
        let known = |query: &AcceleratorQuery| {
            let mut names = offers.iter().filter_map(|offer| offer.accelerator.as_ref());
            names.any(|name| query.matches(name))
        };
        if offers.is_empty() || !filter.accelerators.iter().all(known) {
            return None;
        }
        found.extend(offers);
        seen.push(filter);
    }
    found.sort_by(|a: &Offer, b: &Offer| a.id.cmp(&b.id));
    found.dedup_by(|a, b| a.id == b.id);
    Some(found.into())
}

/// The accelerators that a task may run on, none where any machine does; `None` where it names one
/// machine.
fn asked(task: &Task) -> Option<Vec<AcceleratorQuery>> {
    if !task.accelerators.is_empty() {
        return Some(task.accelerators.iter().map(|one| one.accelerator.clone()).collect());
    }
    let Run::Work { throughput, .. } = &task.run else { return Some(Vec::new()) };
    let query = |row: &Throughput| match &row.target {
        Target::Accelerator(query) => Some(query.clone()),
        Target::InstanceType(_) => None,
    };
    throughput.iter().map(query).collect()
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
    use farthing_model::Policy;
    use farthing_planner::{DAG_WORK_MAX, DagInput, Input, Market, plan, plan_dag};
    use jiff::SignedDuration;
    use std::path::{Path, PathBuf};

    /// The root of the project, and the prices of five clouds; `None` where they are not here.
    #[allow(clippy::print_stdout, reason = "what is left out is said")]
    fn five_clouds() -> Option<(PathBuf, PlanGiven)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let prices = root.join("../shared/data/catalog-skypilot");
        if !prices.is_dir() {
            println!("left out: no ../shared/data/catalog-skypilot");
            return None;
        }
        let now = Some("2026-12-01T00:00:00Z".to_owned());
        Some((root, PlanGiven { prices: vec![prices], now, ..PlanGiven::default() }))
    }

    /// A plan of what can be used is the plan of everything, on five clouds.
    #[test]
    #[allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
    fn what_is_left_out_changes_nothing() {
        let Some((root, given)) = five_clouds() else { return };
        for (file, is_less) in [("examples/serving.yaml", true), ("examples/seed-5-2.yaml", false)]
        {
            let (now, manifests) = read(&[root.join(file)], &given).unwrap();
            let whole = given_book(&given, now).unwrap().unwrap().book().offers;
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

    /// A Dag on what its tasks can use is the Dag on everything; the reason why a task has nowhere
    /// to run is told from everything.
    #[test]
    #[allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
    fn a_dag_loses_nothing_that_it_can_use() {
        let Some((root, given)) = five_clouds() else { return };
        let (now, mut manifests) = read(&[root.join("examples/dag-diamond.yaml")], &given).unwrap();
        let mut dag = manifests.dags.pop().unwrap();
        let book = given_book(&given, now).unwrap().unwrap();
        let (whole, some) = (book.book().offers, for_tasks(&book, &dag.tasks).unwrap());
        assert!(some.len() * 2 < whole.len(), "{} of {}", some.len(), whole.len());
        let policy = Policy { boot: SignedDuration::ZERO, ..Policy::default() };
        let planned = |offers: &Arc<[Offer]>| {
            let market = Market::new(offers, currency(offers).unwrap());
            let (dag, market, policy) = (&dag, &market, &policy);
            let work_max = DAG_WORK_MAX;
            plan_dag(&DagInput { dag, market, egress: None, policy, now, work_max }).unwrap()
        };
        let (few, many) = (planned(&some), planned(&whole));
        assert_eq!((few.cost, few.lower_bound), (many.cost, many.lower_bound));
        assert_eq!(few.tasks, many.tasks);
        let nowhere: AcceleratorQuery = "H100-640GB".parse().unwrap();
        dag.tasks[1].accelerators[0].accelerator = nowhere;
        assert!(for_tasks(&book, &dag.tasks).is_none());
    }
}
