//! Shapes of pods, and how often each came.

use super::cluster::{Node, PodAsk};
use std::collections::BTreeMap;

/// The shapes of all pods, in the order in which they first come.
pub(super) struct Shapes {
    /// One pod of each shape.
    pub(super) pods: Vec<PodAsk>,
    /// The shape of each pod.
    pub(super) order: Vec<usize>,
}

impl Shapes {
    pub(super) fn of(pods: &[PodAsk]) -> Self {
        let mut known: BTreeMap<PodAsk, usize> = BTreeMap::new();
        let mut shapes = Vec::new();
        let order = pods.iter().map(|pod| {
            *known.entry(*pod).or_insert_with(|| {
                shapes.push(*pod);
                shapes.len() - 1
            })
        });
        let order = order.collect();
        Self { pods: shapes, order }
    }

    /// How often each shape comes.
    pub(super) fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.pods.len()];
        for shape in &self.order {
            counts[*shape] += 1;
        }
        counts
    }
}

/// Pods that ask the same of accelerators.
pub(super) struct Group {
    pub(super) gpus: u32,
    pub(super) gpu_milli: u64,
    pub(super) models: u128,
    /// Pods of it.
    pub(super) count: u64,
    /// Cores, memory and how often, of each shape.
    pub(super) each: Vec<(u64, u64, u64)>,
}

/// What is left of a node for a group.
pub(super) struct Left {
    /// Thousandths of accelerators of which enough is left, where enough are; else zero.
    pub(super) usable: u64,
    /// Whether enough are.
    pub(super) fits: bool,
}

impl Group {
    pub(super) fn left(&self, node: &Node) -> Left {
        let (mut usable, mut many) = (0, 0);
        for left in node.left.iter().filter(|left| **left >= self.gpu_milli) {
            usable += left;
            many += 1;
        }
        let fits = many >= self.gpus && node.is_model_of(self.models);
        Left { usable: if fits { usable } else { 0 }, fits }
    }
}

/// Groups shapes that ask for accelerators; each shape comes with how often it counts.
pub(super) fn grouped<'p>(shapes: impl Iterator<Item = (&'p PodAsk, u64)>) -> Vec<Group> {
    let mut groups: BTreeMap<(u32, u64, u128), Group> = BTreeMap::new();
    for (pod, count) in shapes.filter(|(pod, count)| pod.gpus > 0 && *count > 0) {
        let (gpus, gpu_milli, models) = (pod.gpus, pod.gpu_milli, pod.models);
        let new = Group { gpus, gpu_milli, models, count: 0, each: Vec::new() };
        let group = groups.entry((gpus, gpu_milli, models)).or_insert(new);
        group.count += count;
        group.each.push((pod.cpu_milli, pod.memory_mib, count));
    }
    groups.into_values().collect()
}
