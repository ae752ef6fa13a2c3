//! Nodes that stand, from manifests and prices: what each has and costs, and who is on it.

use crate::outcome::WrongUse;
use farthing_model::{HourlyRate, Offer, OfferId, Place, Resources, Workload, WorkloadId};
use farthing_planner::StandingNode;
use farthing_providers::manifest::{BoughtAs, Fault, ManifestError, StandingNodes};
use std::collections::{BTreeMap, BTreeSet};

/// What the nodes of the files are, by name.
///
/// # Errors
/// Nodes that no offer says anything of, that hold who is not there, or more than they have: each
/// by its place in its file.
pub(super) fn nodes(
    stated: &[StandingNodes],
    offers: &[Offer],
    workloads: &[&Workload],
) -> anyhow::Result<Vec<StandingNode>> {
    let (mut nodes, mut faults) = (Vec::new(), Vec::new());
    let known: BTreeMap<&WorkloadId, &Workload> =
        workloads.iter().map(|workload| (&workload.id, *workload)).collect();
    let mut names = BTreeSet::new();
    let mut running: BTreeMap<&WorkloadId, u64> = BTreeMap::new();
    for one in stated {
        let (offer, capacity, price) = match machine(one, offers) {
            Ok(machine) => machine,
            Err(what) => {
                faults.push(one.fault(what));
                continue;
            }
        };
        faults.extend(held(one, &capacity, &known).map(|what| one.fault(what)));
        for (workload, members) in &one.holds {
            *running.entry(workload).or_default() += members * one.names.len() as u64;
        }
        let found = offers.iter().find(|it| it.id == offer);
        let residency = found.map_or_else(Vec::new, |offer| offer.residency.clone());
        for id in &one.names {
            if !names.insert(id) {
                faults.push(one.fault(format!("there are two nodes of the name {id}")));
            }
            let (id, offer, residency) = (id.clone(), offer.clone(), residency.clone());
            let (holds, keep) = (one.holds.clone(), one.keep);
            nodes.push(StandingNode { id, offer, capacity, price, residency, holds, keep });
        }
    }
    faults.extend(too_many(stated, &running, &known));
    if !faults.is_empty() {
        return Err(WrongUse::new(ManifestError { faults }.to_string()).into());
    }
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(nodes)
}

/// Workloads of which more members run than there are.
fn too_many(
    stated: &[StandingNodes],
    running: &BTreeMap<&WorkloadId, u64>,
    known: &BTreeMap<&WorkloadId, &Workload>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (id, on_nodes) in running {
        let count = known.get(id).and_then(|it| it.job()).map(|job| u64::from(job.count));
        let Some(count) = count.filter(|count| count < on_nodes) else { continue };
        let holds = |it: &&StandingNodes| it.holds.iter().any(|(held, _)| held == *id);
        if let Some(last) = stated.iter().rfind(holds) {
            let what = format!(
                "nodes hold {on_nodes} members of {id}, and its `count` is {count}: raise it, or \
                 take members off"
            );
            faults.push(last.fault(what));
        }
    }
    faults
}

/// What is wrong with who is on a node.
fn held(
    one: &StandingNodes,
    capacity: &Resources,
    known: &BTreeMap<&WorkloadId, &Workload>,
) -> Option<String> {
    let mut used = [0_u128; 4];
    for (id, members) in &one.holds {
        let Some(workload) = known.get(id) else {
            return Some(format!(
                "`holds` names {id}, and no Workload has that name: add it, or take it off"
            ));
        };
        for (used, asks) in used.iter_mut().zip(amounts(&workload.resources)) {
            *used += u128::from(asks) * u128::from(*members);
        }
    }
    let names = ["cores", "memory", "accelerators", "storage"];
    let over = used.iter().zip(amounts(capacity)).position(|(used, has)| *used > u128::from(has));
    over.map(|at| format!("its members ask for more {} than it has", names[at]))
}

fn amounts(of: &Resources) -> [u64; 4] {
    [of.cpu_milli, of.memory_bytes, of.gpu_milli, of.storage_bytes]
}

/// What a node was bought as, has and costs.
fn machine(
    one: &StandingNodes,
    offers: &[Offer],
) -> Result<(OfferId, Resources, HourlyRate), String> {
    let BoughtAs { instance_type, provider, region, zone, purchase } = &one.bought;
    let says = |said: &Option<String>, has: &str| said.as_ref().is_none_or(|said| said == has);
    let fits = |offer: &&Offer| {
        offer.instance_type == *instance_type
            && offer.purchase == *purchase
            && says(provider, &offer.place.provider)
            && says(region, &offer.place.region)
            && (zone.is_none() || *zone == offer.place.zone)
    };
    let found: Vec<&Offer> = offers.iter().filter(fits).collect();
    let Some(first) = found.first() else {
        return unsold(one);
    };
    let price = one.price.or_else(|| first.price.rate());
    let differ = |other: &&&Offer| {
        one.price.is_none() && other.price.rate() != first.price.rate()
            || one.capacity.is_none() && other.capacity != first.capacity
    };
    if let Some(other) = found.iter().find(differ) {
        let named = [*first, *other].map(|offer| offer.id.to_string()).join(" and ");
        return Err(format!(
            "{} offers of the price book are {purchase} {instance_type}, such as {named}: say \
             `provider`, `region` and `zone`, or `price` and `resources`",
            found.len()
        ));
    }
    let capacity = one.capacity.unwrap_or(first.capacity);
    match price {
        Some(price) => Ok((first.id.clone(), capacity, price)),
        None => Err(format!("nobody knows the price of {}: give `price`", first.id)),
    }
}

/// A node of which the price book says nothing.
fn unsold(one: &StandingNodes) -> Result<(OfferId, Resources, HourlyRate), String> {
    let BoughtAs { instance_type, provider, region, zone, purchase } = &one.bought;
    let (Some(price), Some(capacity)) = (one.price, one.capacity) else {
        return Err(format!(
            "no offer of the price book is {purchase} {instance_type} at this place: correct \
             `instanceType`, `purchase` or the place, or give both `price` and `resources`"
        ));
    };
    let place = Place {
        provider: provider.clone().unwrap_or_else(|| "local".to_owned()),
        region: region.clone().unwrap_or_else(|| "local".to_owned()),
        zone: zone.clone(),
    };
    let id = Offer::id_of(&place, instance_type, *purchase).map_err(|error| error.to_string())?;
    Ok((id, capacity, price))
}
