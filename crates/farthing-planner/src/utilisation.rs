//! Decision 1: utilisation of each resource against its band, and nodes that have nothing to do.

use crate::standing::Standing;
use crate::{Input, Placement, PlanError, UtilisationRow};
use farthing_model::{
    BandState, Money, Node, NodeId, NodeState, Observed, Offer, Purchase, Ratio, Resource, Window,
    WorkloadKind,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A node that is given back.
#[derive(Clone, Debug)]
pub(crate) struct Idle {
    /// Which.
    pub(crate) node: NodeId,
    /// What the rest of the horizon would have cost.
    pub(crate) saving: Money,
}

/// Nodes that have had nothing to do for long enough and are not needed soon.
///
/// An assignment does not name its nodes. It holds those that became paid last before it started,
/// because that is how nodes are bought. New placements buy their own. Owned and reserved nodes are
/// paid in any case and stay.
pub(crate) fn idle(input: &Input, standing: &[Standing<'_>]) -> Result<Vec<Idle>, PlanError> {
    let now = input.snapshot.at;
    let mut idle = Vec::new();
    for (index, offer) in input.offers.iter().enumerate() {
        if stays(offer) {
            continue;
        }
        for node in unclaimed(input, (index, offer), standing) {
            let usable = node.since.checked_add(input.policy.boot);
            let until = usable.and_then(|usable| usable.checked_add(input.policy.idle_release));
            if node.state != NodeState::Ready || until.is_ok_and(|until| until > now) {
                continue;
            }
            let rate = node.price.rate();
            let rate = rate.filter(|rate| rate.per_hour().currency() == input.currency);
            let cost = match (rate, node.paid_in(input.horizon)) {
                (Some(rate), Some(window)) => rate.cost(window),
                _ => Ok(Money::zero(input.currency)),
            };
            let wrong = |source| PlanError::Money { object: format!("node {}", node.id), source };
            idle.push(Idle { node: node.id.clone(), saving: cost.map_err(wrong)? });
        }
    }
    idle.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(idle)
}

/// Whether its nodes are paid in any case, and so not given back.
const fn stays(offer: &Offer) -> bool {
    matches!(offer.purchase, Purchase::Owned | Purchase::Reserved)
}

/// Nodes of an offer that nothing holds, now or within the time that idle nodes are kept.
fn unclaimed<'a>(
    input: &'a Input,
    (index, offer): (usize, &Offer),
    standing: &[Standing<'_>],
) -> Vec<&'a Node> {
    let soon = input.snapshot.at.checked_add(input.policy.idle_release).unwrap_or(Timestamp::MAX);
    let nodes = input.snapshot.nodes.iter();
    let mut free: Vec<&Node> =
        nodes.filter(|node| node.offer == offer.id && node.state != NodeState::Lost).collect();
    free.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
    let mut claims: Vec<(Timestamp, i128)> = standing
        .iter()
        .filter(|stand| stand.offer == Some(index) && stand.window.from() <= soon)
        .map(|stand| (stand.assignment.window.from(), stand.nodes()))
        .collect();
    claims.sort_unstable();
    for (from, nodes) in claims {
        for _ in 0..nodes.min(i128::try_from(free.len()).unwrap_or(0)) {
            free.remove(free.iter().rposition(|node| node.since <= from).unwrap_or(0));
        }
    }
    free
}

/// The rows of decision 1.
pub(crate) fn rows(input: &Input, placements: &[Placement], idle: &[Idle]) -> Vec<UtilisationRow> {
    let offers: BTreeMap<_, _> = input.offers.iter().map(|offer| (&offer.id, offer)).collect();
    let row = |resource: Resource| {
        let measured = input.utilisation.get(resource);
        let now = measured.and_then(crate::Utilisation::of_capacity);
        let band = *input.policy.bands.get(resource);
        let state = now.map(|now| band.state(now));
        let after = after(input, placements, (&offers, idle), resource);
        let proposal = match state {
            None => "not measured".to_owned(),
            Some(BandState::Within) => "keep".to_owned(),
            Some(BandState::Over) => {
                format!("over {}: add capacity or move work", band.max)
            }
            Some(BandState::Under) if idle.is_empty() => {
                format!("under {}: nothing idle can be given back", band.threshold())
            }
            Some(BandState::Under) => {
                let nodes = if idle.len() == 1 { "node" } else { "nodes" };
                format!("under {}: give back {} idle {nodes}", band.threshold(), idle.len())
            }
        };
        UtilisationRow { resource, now, band, state, after, proposal }
    };
    Resource::ALL.into_iter().map(row).collect()
}

/// Capacity of a node in units that stay small: thousandths, or MiB.
fn amount(resources: farthing_model::Resources, resource: Resource) -> i128 {
    match resource {
        Resource::Gpu => i128::from(resources.gpu_milli),
        Resource::Cpu => i128::from(resources.cpu_milli),
        Resource::Memory => i128::from(resources.memory_bytes >> 20),
        Resource::Storage => i128::from(resources.storage_bytes >> 20),
        Resource::Network => 0,
    }
}

fn millis(window: Window) -> i128 {
    window.nanos() / 1_000_000
}

/// What a member asks for on all of its nodes.
fn asked(observed: &Observed, place: &Placement, offer: &Offer, resource: Resource) -> i128 {
    let workload = &observed.workload;
    let named = amount(workload.resources, resource) * i128::from(place.nodes_each);
    if resource != Resource::Gpu {
        return named;
    }
    // A configuration that was measured on accelerators uses them, whatever else is said.
    let fits = |count: u32| count.div_ceil(offer.accelerator_count.max(1)) == place.nodes_each;
    let counts: Vec<u32> = match &workload.kind {
        WorkloadKind::Job(job) => job.throughput.iter().map(|row| row.count).collect(),
        WorkloadKind::Service(service) => service.throughput.iter().map(|row| row.count).collect(),
    };
    let used = counts.into_iter().find(|count| offer.accelerator_count > 0 && fits(*count));
    named.max(used.map_or(0, |count| i128::from(count) * 1_000))
}

/// Allocated / paid over the horizon under the plan; `None` where nothing is paid, and where what
/// is placed holds the resource and says nothing of how much of it: then nobody knows.
fn after(
    input: &Input,
    placements: &[Placement],
    (offers, idle): (&BTreeMap<&farthing_model::OfferId, &Offer>, &[Idle]),
    resource: Resource,
) -> Option<Ratio> {
    let (mut paid, mut allocated) = (0_i128, 0_i128);
    let idle_release = input.policy.idle_release.as_millis();
    let mut held: BTreeMap<&farthing_model::OfferId, i128> = BTreeMap::new();
    for place in placements {
        let offer = place.offer.as_ref().and_then(|id| offers.get(id));
        let (Some(offer), Some(window)) = (offer, place.window.intersect(input.horizon)) else {
            continue;
        };
        let nodes = i128::from(place.members) * i128::from(place.nodes_each);
        let time = millis(window);
        *held.entry(&offer.id).or_default() += nodes * time;
        paid = paid.checked_add(amount(offer.capacity, resource).checked_mul(nodes * time)?)?;
        if let Some(observed) = input.snapshot.workload(&place.workload) {
            let asked = asked(observed, place, offer, resource) * i128::from(place.members);
            allocated = allocated.checked_add(asked.checked_mul(time)?)?;
        }
    }
    if allocated == 0 && paid > 0 {
        return None;
    }
    // Nodes that stand and that nothing holds are paid as well: until they are given back.
    for node in &input.snapshot.nodes {
        let gone = node.state == NodeState::Lost || idle.iter().any(|idle| idle.node == node.id);
        let Some(window) = node.paid_in(input.horizon).filter(|_| !gone) else { continue };
        let mut time = millis(window);
        if let Some(held) = held.get_mut(&node.offer) {
            let used = time.min(*held);
            *held -= used;
            time -= used;
        }
        let stays = offers.get(&node.offer).is_some_and(|offer| stays(offer));
        let time = if stays { time } else { time.min(idle_release) };
        paid = paid.checked_add(amount(node.capacity, resource).checked_mul(time)?)?;
    }
    Ratio::of(allocated, paid)
}
