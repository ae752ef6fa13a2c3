//! What a rule says of a node: what it is worth as it is, and how good it is for a pod.

use super::cluster::{Node, PodAsk};

/// A way to rank nodes for a pod.
pub(super) trait Rule {
    /// Told before each pod is placed, that pod included, by its shape; whether losses may have
    /// changed.
    fn learn(&mut self, pods: &[PodAsk], shape: usize) -> bool;

    /// What speaks against a node as it is, in units of the rule's own.
    fn loss(&self, node: &Node) -> i64;

    /// The lower, the better: for a node that has a loss of `before` and would be `after`. Of equal
    /// ranks the first node is taken.
    fn rank(&self, before: i64, after: &Node) -> i64;
}
