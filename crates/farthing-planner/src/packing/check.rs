//! Verifies a packing from workloads and offers alone. Shares no code with what made it.

use super::shares::fit;
use super::{PackInput, PackedNode, Packing};
use farthing_model::{Money, Offer, OfferId, WorkloadId};
use std::collections::BTreeMap;

/// What is wrong with a packing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackingViolation {
    /// A node of an offer that is not there, or may not be used.
    #[error("{0} is not an offer that may be used")]
    Offer(OfferId),
    /// More nodes than there are.
    #[error("{offer}: {used} nodes, and there are {there}")]
    Available {
        /// Which offer.
        offer: OfferId,
        /// How many nodes are bought.
        used: u64,
        /// How many there are.
        there: u32,
    },
    /// A node holds more than fits.
    #[error("a node of {offer} holds more {resource} than it has")]
    Room {
        /// Which offer.
        offer: OfferId,
        /// What runs out.
        resource: &'static str,
    },
    /// Someone is where they must not be.
    #[error("{workload} must not be on {offer}")]
    Residency {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
    },
    /// Members that are placed and wait do not sum to those that there are.
    #[error("{workload}: {placed} members are placed or wait, and there are {there}")]
    Members {
        /// Who.
        workload: WorkloadId,
        /// How many are placed or wait.
        placed: u64,
        /// How many there are.
        there: u64,
    },
    /// Someone is placed who would be late.
    #[error("{0} would be late")]
    Late(WorkloadId),
    /// An amount of money is not what its parts sum to.
    #[error("{what} is {stated}, and its parts sum to {summed}")]
    Sum {
        /// Which amount.
        what: &'static str,
        /// What is stated.
        stated: Money,
        /// What is computed.
        summed: Money,
    },
    /// A bound above the cost.
    #[error("the bound {bound} is above the cost {cost}")]
    Bound {
        /// The bound.
        bound: Money,
        /// The cost.
        cost: Money,
    },
}

/// Everything that is wrong with a packing; nothing for a good one.
pub fn check_packing(input: &PackInput<'_>, packing: &Packing) -> Vec<PackingViolation> {
    let mut found = Vec::new();
    let mut members: BTreeMap<&WorkloadId, u64> = BTreeMap::new();
    let mut bought: BTreeMap<&OfferId, u64> = BTreeMap::new();
    let mut cost = Money::zero(input.currency);
    for node in &packing.nodes {
        let offer = input.offers.iter().find(|offer| {
            let spot = offer.purchase == farthing_model::Purchase::Spot;
            let price =
                offer.price.rate().filter(|rate| rate.per_hour().currency() == input.currency);
            offer.id == node.offer && !spot && price.is_some()
        });
        let Some(offer) = offer else {
            found.push(PackingViolation::Offer(node.offer.clone()));
            continue;
        };
        *bought.entry(&node.offer).or_default() += node.count;
        let hours = offer.price.rate().and_then(|rate| rate.cost(input.window).ok());
        let all = hours.and_then(|one| one.checked_mul_int(i128::from(node.count)).ok());
        cost = all.and_then(|all| cost.checked_add(all).ok()).unwrap_or(cost);
        for (id, count) in &node.holds {
            *members.entry(id).or_default() += count * node.count;
        }
        content(input, node, offer, &mut found);
    }
    for (id, used) in bought {
        let there = input.offers.iter().find(|it| it.id == *id).and_then(|it| it.available);
        if let Some(there) = there.filter(|there| used > u64::from(*there)) {
            found.push(PackingViolation::Available { offer: id.clone(), used, there });
        }
    }
    count(input, packing, &members, &mut found);
    sums(input, packing, cost, &mut found);
    found
}

/// Whether what a node holds fits, and may be there.
fn content(
    input: &PackInput<'_>,
    node: &PackedNode,
    offer: &Offer,
    found: &mut Vec<PackingViolation>,
) {
    let (kept, has) = (&input.nodes.reserve, &offer.capacity);
    let (mut asked, mut parts) = ([0_u128; 5], Vec::new());
    for (id, count) in &node.holds {
        let Some(workload) = input.workloads.iter().find(|it| it.id == *id) else {
            found.push(PackingViolation::Members {
                workload: id.clone(),
                placed: *count,
                there: 0,
            });
            continue;
        };
        let asks = &workload.resources;
        parts.push((asks.gpu_milli, *count));
        let one = [asks.cpu_milli, asks.memory_bytes, asks.gpu_milli, asks.storage_bytes, 1];
        for (sum, one) in asked.iter_mut().zip(one) {
            *sum += u128::from(one) * u128::from(*count);
        }
        let wanted = &workload.residency;
        if !wanted.is_empty() && !wanted.iter().any(|one| offer.residency.contains(one)) {
            found.push(PackingViolation::Residency {
                workload: id.clone(),
                offer: offer.id.clone(),
            });
        }
        let due = workload.job().and_then(|job| job.deadline);
        if due.is_some_and(|due| due < input.window.to()) {
            found.push(PackingViolation::Late(id.clone()));
        }
    }
    let rooms = [
        ("cores", has.cpu_milli, kept.cpu_milli),
        ("memory", has.memory_bytes, kept.memory_bytes),
        ("accelerators", has.gpu_milli, kept.gpu_milli),
        ("storage", has.storage_bytes, kept.storage_bytes),
        ("pods", input.nodes.pods.map_or(u64::MAX, u64::from), 0),
    ];
    for (asked, (resource, has, kept)) in asked.into_iter().zip(rooms) {
        let devices = resource != "accelerators" || fit(has.saturating_sub(kept), &parts);
        if asked > u128::from(has.saturating_sub(kept)) || !devices {
            found.push(PackingViolation::Room { offer: offer.id.clone(), resource });
        }
    }
}

/// Whether every member is placed or waits, once.
fn count(
    input: &PackInput<'_>,
    packing: &Packing,
    members: &BTreeMap<&WorkloadId, u64>,
    found: &mut Vec<PackingViolation>,
) {
    for workload in input.workloads {
        let there = workload.job().map_or(0, |job| u64::from(job.count));
        let waiting = packing.waiting.iter().filter(|it| it.workload == workload.id);
        let waiting: u64 = waiting.map(|it| u64::from(it.members)).sum();
        let placed = members.get(&workload.id).copied().unwrap_or(0) + waiting;
        if placed != there {
            let workload = workload.id.clone();
            found.push(PackingViolation::Members { workload, placed, there });
        }
    }
}

/// Whether money sums up, and the bound is one.
fn sums(input: &PackInput<'_>, packing: &Packing, cost: Money, found: &mut Vec<PackingViolation>) {
    if packing.cost != cost {
        let (what, stated) = ("the cost", packing.cost);
        found.push(PackingViolation::Sum { what, stated, summed: cost });
    }
    let mut shares = Money::zero(input.currency);
    for share in &packing.shares {
        shares = shares.checked_add(share.cost).unwrap_or(shares);
    }
    if shares != cost {
        let (what, stated) = ("what the workloads pay", shares);
        found.push(PackingViolation::Sum { what, stated, summed: cost });
    }
    if let Some(bound) = packing.lower_bound.filter(|bound| bound.pico() > packing.cost.pico()) {
        found.push(PackingViolation::Bound { bound, cost: packing.cost });
    }
}
