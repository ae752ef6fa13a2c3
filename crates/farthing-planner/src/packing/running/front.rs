//! The fleets that are worth a look: fewer moves, or cheaper nodes.

use super::fleet::Fleet;

/// A fleet that costs so much more than the least, moves included, in millionths, is taken for its
/// fewer moves: what a move costs is an estimate, and each is somebody's.
const NEARLY_PPM: u128 = 5_000;
/// Fleets that are kept, at most.
const KEPT_MAX: usize = 40;

/// Fleets of which none has fewer moves and cheaper nodes than another.
pub(super) struct Front<'p> {
    /// What the usual rule comes to: nodes, and moves.
    usual: (u128, u64),
    move_units: u128,
    kept: Vec<Kept<'p>>,
}

struct Kept<'p> {
    waiting: u64,
    nodes: u128,
    moved: u64,
    fleet: Fleet<'p>,
}

impl<'p> Front<'p> {
    pub(super) fn new(usual: (u128, u64), move_units: u64) -> Self {
        Self { usual, move_units: u128::from(move_units), kept: Vec::new() }
    }

    /// Nodes and moves together.
    fn total(&self, nodes: u128, moved: u64) -> u128 {
        nodes + u128::from(moved) * self.move_units
    }

    fn all(&self, one: &Kept<'p>) -> u128 {
        self.total(one.nodes, one.moved)
    }

    /// Keeps a fleet, unless another is as good in everything.
    pub(super) fn keep(&mut self, fleet: &Fleet<'p>) {
        let waiting = fleet.waiting.values().sum::<u64>();
        let (nodes, moved) = (fleet.cost_of_nodes(), fleet.moved());
        let beats = |one: &Kept<'p>| {
            one.waiting < waiting
                || one.waiting == waiting && one.nodes <= nodes && one.moved <= moved
        };
        if self.kept.iter().any(beats) {
            return;
        }
        self.kept.retain(|one| {
            let worse = one.nodes >= nodes && one.moved >= moved;
            one.waiting <= waiting && !(one.waiting == waiting && worse)
        });
        self.kept.push(Kept { waiting, nodes, moved, fleet: fleet.clone() });
        if self.kept.len() > KEPT_MAX {
            let dearest = (0..self.kept.len()).max_by_key(|at| self.all(&self.kept[*at]));
            dearest.map(|at| self.kept.swap_remove(at));
        }
    }

    /// The fleet that costs the least with its moves.
    pub(super) fn cheapest(&self) -> Option<Fleet<'p>> {
        let least = self.kept.iter().min_by_key(|one| (self.all(one), one.moved));
        least.map(|one| one.fleet.clone())
    }

    /// Of the fleets that cost nearly the least the one with the fewest moves; one whose nodes are
    /// dearer than those of the usual rule only where that is the least there is.
    pub(super) fn chosen(&self) -> Option<Fleet<'p>> {
        let least = self.kept.iter().min_by_key(|one| (self.all(one), one.moved))?;
        let near = self.all(least) * (1_000_000 + NEARLY_PPM) / 1_000_000;
        let near = near.min(self.total(self.usual.0, self.usual.1).max(self.all(least)));
        let nodes = self.usual.0.max(least.nodes);
        let there = self.kept.iter().filter(|one| self.all(one) <= near && one.nodes <= nodes);
        there.min_by_key(|one| (one.moved, one.nodes)).map(|one| one.fleet.clone())
    }
}
