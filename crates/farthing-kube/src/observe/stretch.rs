//! How far workloads may be stretched: how many members they have where, and for how many more the
//! nodes of that kind have room at this moment.

use super::{Whole, resources};
use crate::object::stretch::Stretch as Part;
use crate::object::{NodeObject, PodObject};
use crate::state::State;
use crate::terms::{taints, tolerations};
use farthing_model::{Node, NodeState, OfferId, Resources, Stretch};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// What is free on each node; put together when it is first asked for.
pub(super) struct Room<'s> {
    state: &'s State,
    nodes: &'s [Node],
    free: Option<HashMap<&'s str, Resources>>,
}

impl<'s> Room<'s> {
    pub(super) fn of(state: &'s State, nodes: &'s [Node]) -> Self {
        Self { state, nodes, free: None }
    }

    fn free(&mut self) -> &HashMap<&'s str, Resources> {
        let (state, nodes) = (self.state, self.nodes);
        self.free.get_or_insert_with(|| {
            let mut free: HashMap<&str, Resources> =
                nodes.iter().map(|node| (node.id.as_str(), node.capacity)).collect();
            for pod in state.pods.values().filter(|pod| pod.done.is_none()) {
                let Some(name) = pod.node.as_deref() else { continue };
                let Some(free) = free.get_mut(name) else { continue };
                *free = less(*free, resources(&pod.asks, state.nodes.get(name)));
            }
            free
        })
    }

    /// Pods of a part that would find room on nodes of an offer.
    fn pods(&mut self, part: &Part, offer: &OfferId) -> u64 {
        // Where there is more to say of its nodes than is read, nobody knows.
        if part.placement.more_affinity {
            return 0;
        }
        let tolerated = tolerations(&part.placement);
        let (state, nodes) = (self.state, self.nodes);
        let free = self.free();
        let fits = |node: &&Node| {
            let ready = node.offer == *offer && node.state == NodeState::Ready;
            ready && state.nodes.get(node.id.as_str()).is_some_and(|it| takes(it, part, &tolerated))
        };
        let pods = nodes.iter().filter(fits).filter_map(|node| {
            let asks = resources(&part.asks, state.nodes.get(node.id.as_str()));
            free.get(node.id.as_str()).map(|free| times(*free, asks))
        });
        pods.sum()
    }
}

/// Whether pods of a part may be put on a node.
fn takes(node: &NodeObject, part: &Part, tolerated: &[farthing_model::Toleration]) -> bool {
    let selected = |(key, value): &(std::sync::Arc<str>, std::sync::Arc<str>)| {
        node.labels.get(key).is_some_and(|own| own == value)
    };
    !node.unschedulable
        && part.placement.selector.iter().all(selected)
        && !taints(node).iter().any(|taint| taint.keeps_off(tolerated))
}

fn less(free: Resources, asked: Resources) -> Resources {
    Resources {
        cpu_milli: free.cpu_milli.saturating_sub(asked.cpu_milli),
        memory_bytes: free.memory_bytes.saturating_sub(asked.memory_bytes),
        gpu_milli: free.gpu_milli.saturating_sub(asked.gpu_milli),
        storage_bytes: free.storage_bytes.saturating_sub(asked.storage_bytes),
    }
}

/// How often a pod fits into what is free; what asks for nothing fits once at most.
pub(crate) fn times(free: Resources, asks: Resources) -> u64 {
    let parts = [
        (free.cpu_milli, asks.cpu_milli),
        (free.memory_bytes, asks.memory_bytes),
        (free.gpu_milli, asks.gpu_milli),
        (free.storage_bytes, asks.storage_bytes),
    ];
    let asked = parts.into_iter().filter(|(_, asks)| *asks > 0);
    asked.map(|(free, asks)| free / asks).min().unwrap_or(1)
}

impl Whole<'_> {
    /// How far it may be stretched, where it says that it may.
    pub(super) fn stretch(
        &self,
        state: &State,
        (offers, now): (&BTreeMap<&str, OfferId>, Timestamp),
        room: &mut Room<'_>,
    ) -> Option<Stretch> {
        let part = self.owner?.stretch.as_deref()?;
        let own = |pod: &&&PodObject| {
            let is_part = part.group.as_ref().is_none_or(|(label, value)| {
                pod.labels.get(*label).is_some_and(|name| **name == **value)
            });
            is_part && pod.done.is_none() && !pod.deleting
        };
        let mut there: BTreeMap<Option<&OfferId>, u64> = BTreeMap::new();
        let mut node = None;
        for pod in self.pods.iter().filter(own) {
            let on = pod.node.as_deref();
            node = node.or(on);
            *there.entry(on.and_then(|on| offers.get(on))).or_default() += 1;
        }
        let pods = u64::from(part.wanted) * u64::from(part.pods_each);
        let mut all = there.into_iter();
        let offer = match (all.next(), all.next()) {
            (Some((Some(offer), count)), None) if count == pods => Some(offer.clone()),
            _ => None,
        };
        // Only what may be late is given more.
        let may_be_late = part.pieces.is_some() && self.owner?.deadline.is_some();
        let more = offer.as_ref().filter(|_| may_be_late).map_or(0, |on| room.pods(part, on));
        let more = more.checked_div(u64::from(part.pods_each)).unwrap_or(0);
        Some(Stretch {
            wanted: part.wanted,
            least: part.least,
            most: part.most,
            pods_each: part.pods_each,
            each: resources(&part.asks, node.and_then(|node| state.nodes.get(node))),
            offer,
            room: u32::try_from(more).unwrap_or(u32::MAX),
            left: part.pieces.and_then(|pieces| left(pieces, &self.pods, now)),
        })
    }
}

/// How long one member alone would still work, by how long those pods took that are done. Of more
/// pods than pieces those that took the shortest are left out: they failed, as far as anyone knows.
fn left((done, all): (u32, u32), pods: &[&PodObject], now: Timestamp) -> Option<SignedDuration> {
    let held = pods.iter().filter_map(|pod| Some((pod.placed?, pod.done)));
    let (mut took, mut at_work) = (Vec::new(), Vec::new());
    for (from, until) in held {
        let list = if until.is_some() { &mut took } else { &mut at_work };
        list.push(until.unwrap_or(now).duration_since(from).as_nanos().max(0));
    }
    took.sort_unstable_by(|a, b| b.cmp(a));
    took.truncate(usize::try_from(done).ok()?);
    let count = i128::try_from(took.len()).ok().filter(|count| *count > 0)?;
    let each = (took.iter().sum::<i128>() + count - 1) / count;
    let begun: i128 = at_work.iter().map(|nanos| (*nanos).min(each)).sum();
    let whole = each.checked_mul(i128::from(all.saturating_sub(done)))?;
    SignedDuration::try_from_nanos_i128((whole - begun).max(0))
}
