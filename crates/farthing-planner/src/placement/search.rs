//! Ranks all nodes for a pod, and remembers ranks of nodes that have not changed.

use super::Seat;
use super::cluster::{Cluster, Node, PodAsk};
use super::learned::Shapes;
use super::rule::Rule;

/// Where a pod of a shape would be best on a node.
#[derive(Clone, Copy)]
enum Best {
    /// It does not fit.
    Nowhere,
    /// On this accelerator, where it shares one.
    Shared(i64, usize),
    /// Where the rule of whole accelerators puts it.
    Whole(i64),
}

impl Best {
    const fn rank(self) -> Option<i64> {
        match self {
            Self::Nowhere => None,
            Self::Shared(rank, _) | Self::Whole(rank) => Some(rank),
        }
    }
}

/// Ranks of one shape on all nodes, each as of a change of the node.
type Ranks = Vec<(u64, Best)>;

/// What is known between pods.
struct Search<'r, R> {
    rule: &'r mut R,
    /// Loss of each node, and the number of its last change.
    nodes: Vec<(i64, u64)>,
    changes: u64,
    ranks: Vec<Ranks>,
}

/// Places all pods, one after the other.
pub(super) fn run<R: Rule>(
    cluster: &mut Cluster,
    shapes: &Shapes,
    rule: &mut R,
) -> Vec<Option<Seat>> {
    let nodes = vec![(0, 0); cluster.nodes.len()];
    let mut search = Search { rule, nodes, changes: 0, ranks: vec![Vec::new(); shapes.pods.len()] };
    search.see_all(cluster);
    let mut seats = Vec::with_capacity(shapes.order.len());
    for shape in &shapes.order {
        if search.rule.learn(&shapes.pods, *shape) {
            search.see_all(cluster);
        }
        let seat = search.best(cluster, *shape, &shapes.pods[*shape]);
        if let Some(seat) = &seat {
            cluster.take(&shapes.pods[*shape], seat);
            search.see(cluster, seat.node);
        }
        seats.push(seat);
    }
    seats
}

impl<R: Rule> Search<'_, R> {
    fn see_all(&mut self, cluster: &Cluster) {
        (0..self.nodes.len()).for_each(|at| self.see(cluster, at));
    }

    /// A node, or how it is judged, has changed.
    fn see(&mut self, cluster: &Cluster, at: usize) {
        self.changes += 1;
        self.nodes[at] = (self.rule.loss(&cluster.nodes[at]), self.changes);
    }

    /// The first node of the lowest rank.
    fn best(&mut self, cluster: &mut Cluster, shape: usize, pod: &PodAsk) -> Option<Seat> {
        let ranks = &mut self.ranks[shape];
        ranks.resize(self.nodes.len(), (0, Best::Nowhere));
        let mut best: Option<(i64, usize)> = None;
        for (at, (known, node)) in ranks.iter_mut().zip(&mut cluster.nodes).enumerate() {
            let (loss, change) = self.nodes[at];
            if known.0 != change {
                *known = (change, judged(self.rule, loss, node, pod));
            }
            let Some(rank) = known.1.rank() else { continue };
            if best.is_none_or(|(lowest, _)| rank < lowest) {
                best = Some((rank, at));
            }
        }
        let (_, node) = best?;
        let gpus = match self.ranks[shape][node].1 {
            Best::Shared(_, gpu) => vec![gpu],
            _ => cluster.nodes[node].fullest(pod),
        };
        Some(Seat { node, gpus })
    }
}

/// How good a node is for a pod. It is as before afterwards.
fn judged<R: Rule>(rule: &R, loss: i64, node: &mut Node, pod: &PodAsk) -> Best {
    if !node.fits(pod) {
        return Best::Nowhere;
    }
    let rank = |node: &mut Node, gpus: &[usize]| {
        node.take(pod, gpus);
        let rank = rule.rank(loss, node);
        node.give_back(pod, gpus);
        rank
    };
    if !pod.is_shared() {
        let gpus = node.fullest(pod);
        return Best::Whole(rank(node, &gpus));
    }
    let mut best: Option<(i64, usize)> = None;
    for gpu in 0..node.left.len() {
        let left = node.left[gpu];
        // As much left as on one before it is the same.
        if left < pod.gpu_milli || node.left[..gpu].contains(&left) {
            continue;
        }
        let rank = rank(node, &[gpu]);
        if best.is_none_or(|(lowest, _)| rank < lowest) {
            best = Some((rank, gpu));
        }
    }
    best.map_or(Best::Nowhere, |(rank, gpu)| Best::Shared(rank, gpu))
}
