//! The nodes of one kind: which are on, which are free, and who gets which.
//!
//! Nodes are kept by how many of their accelerators are free, so that the best fit is found in as
//! many looks as a node has accelerators. It knows nothing of money, jobs or policies.

use super::spec::PoolSpec;

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    Off,
    Booting,
    Ready,
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) power: Power,
    /// Accelerators that nobody holds.
    pub(super) free: u32,
    /// Paid from then on.
    pub(super) on_s: i64,
    /// Usable from then on.
    pub(super) ready_s: i64,
    /// Without work since then, if it has none.
    pub(super) idle_s: i64,
    /// When the last of those who hold it is thought to end.
    until_s: i64,
    /// Its place among those with as many free accelerators.
    place: usize,
}

/// Accelerators of a node that someone holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) node: u32,
    pub(super) count: u32,
}

/// Nodes by their free accelerators.
#[derive(Debug, Default)]
struct Shelf {
    by_free: Vec<Vec<u32>>,
    free: u64,
}

/// All nodes of a kind.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) nodes: Vec<Node>,
    /// Nodes that are off, the one to switch on next last.
    off: Vec<u32>,
    ready: Shelf,
    booting: Shelf,
    /// Accelerators of a node.
    size: u32,
    /// Whether there are as many nodes as are asked for.
    grows: bool,
    /// Nodes that are on.
    pub(super) on: usize,
}

impl Pool {
    /// All of them off.
    pub(super) fn new(spec: &PoolSpec) -> Self {
        let count = spec.nodes.unwrap_or(0);
        let node = Node {
            power: Power::Off,
            free: spec.accelerators,
            on_s: 0,
            ready_s: 0,
            idle_s: 0,
            until_s: 0,
            place: 0,
        };
        let shelf = || Shelf {
            by_free: vec![Vec::new(); usize::try_from(spec.accelerators).unwrap_or(0) + 1],
            free: 0,
        };
        Self {
            nodes: vec![node; usize::try_from(count).unwrap_or(0)],
            off: (0..count).rev().collect(),
            ready: shelf(),
            booting: shelf(),
            size: spec.accelerators,
            grows: spec.nodes.is_none(),
            on: 0,
        }
    }

    /// Whether so many accelerators can be had now, if nodes are switched on for them.
    pub(super) fn has(&self, accelerators: u64) -> bool {
        let off = u64::try_from(self.off.len()).unwrap_or(u64::MAX) * u64::from(self.size);
        self.grows || self.ready.free + self.booting.free + off >= accelerators
    }

    /// Nodes that are on or booting and that nobody holds.
    pub(super) fn idle(&self) -> usize {
        self.whole(&self.ready).len() + self.whole(&self.booting).len()
    }

    /// Ready nodes that nobody holds.
    pub(super) fn idle_ready(&self) -> &[u32] {
        self.whole(&self.ready)
    }

    fn whole<'a>(&self, shelf: &'a Shelf) -> &'a [u32] {
        shelf.by_free.get(at(self.size)).map_or(&[], Vec::as_slice)
    }

    /// Switches a node on; `None` if there is none left. It is ready at `ready_s`.
    pub(super) fn switch_on(&mut self, now_s: i64, ready_s: i64) -> Option<u32> {
        if self.off.is_empty() && self.grows {
            let next = u32::try_from(self.nodes.len()).ok()?;
            let (power, free) = (Power::Off, self.size);
            self.nodes.push(Node {
                power,
                free,
                on_s: 0,
                ready_s: 0,
                idle_s: 0,
                until_s: 0,
                place: 0,
            });
            self.off.push(next);
        }
        let index = self.off.pop()?;
        let node = &mut self.nodes[at(index)];
        (node.on_s, node.ready_s, node.idle_s) = (now_s, ready_s, ready_s);
        node.power = if ready_s > now_s { Power::Booting } else { Power::Ready };
        self.on += 1;
        self.shelve(index);
        Some(index)
    }

    /// A node has booted.
    pub(super) fn booted(&mut self, index: u32) {
        self.unshelve(index);
        self.nodes[at(index)].power = Power::Ready;
        self.shelve(index);
    }

    /// Switches off a node that nobody holds.
    pub(super) fn switch_off(&mut self, index: u32) {
        self.unshelve(index);
        self.nodes[at(index)].power = Power::Off;
        self.off.push(index);
        self.on -= 1;
    }

    /// Takes accelerators of nodes that are on until about `until_s`: whole nodes for what needs
    /// them, else the node with room that is busy until then anyway or else for the longest, the
    /// fullest of those alike, else what is left here and there; ready ones first. How many are
    /// missing still.
    pub(super) fn take(&mut self, mut wanted: u32, until_s: i64, parts: &mut Vec<Part>) -> u32 {
        for booting in [false, true] {
            while wanted > 0 {
                let shelf = if booting { &self.booting } else { &self.ready };
                let beside = shelf.beside((wanted, self.size), until_s, &self.nodes);
                let Some(index) = beside.or_else(|| shelf.pick(wanted, self.size)) else { break };
                let node = &mut self.nodes[at(index)];
                let kept_s = if node.free == self.size { 0 } else { node.until_s };
                node.until_s = until_s.max(kept_s);
                let count = wanted.min(node.free);
                self.hold(index, count);
                parts.push(Part { node: index, count });
                wanted -= count;
            }
        }
        wanted
    }

    fn hold(&mut self, index: u32, count: u32) {
        self.unshelve(index);
        self.nodes[at(index)].free -= count;
        self.shelve(index);
    }

    /// Gives accelerators back; whether the node has nothing to do now.
    pub(super) fn give_back(&mut self, part: Part, now_s: i64) -> bool {
        self.unshelve(part.node);
        let size = self.size;
        let node = &mut self.nodes[at(part.node)];
        node.free += part.count;
        node.idle_s = now_s;
        let idle = node.free == size;
        self.shelve(part.node);
        idle
    }

    fn shelve(&mut self, index: u32) {
        let node = &mut self.nodes[at(index)];
        let shelf = match node.power {
            Power::Booting => &mut self.booting,
            Power::Ready => &mut self.ready,
            Power::Off => return,
        };
        let list = &mut shelf.by_free[at(node.free)];
        node.place = list.len();
        list.push(index);
        shelf.free += u64::from(node.free);
    }

    fn unshelve(&mut self, index: u32) {
        let node = self.nodes[at(index)];
        let shelf = match node.power {
            Power::Booting => &mut self.booting,
            Power::Ready => &mut self.ready,
            Power::Off => return,
        };
        let list = &mut shelf.by_free[at(node.free)];
        list.swap_remove(node.place);
        if let Some(moved) = list.get(node.place) {
            self.nodes[at(*moved)].place = node.place;
        }
        shelf.free -= u64::from(node.free);
    }
}

/// Nodes with as many free accelerators that are compared.
const COMPARED_MAX: usize = 32;

impl Shelf {
    /// Of the nodes that someone holds and that have room for all of it, the one that stays on the
    /// least longer for it. A node that is on for one job alone is what sharing is to avoid.
    fn beside(&self, (wanted, size): (u32, u32), until_s: i64, nodes: &[Node]) -> Option<u32> {
        let shared = (wanted..size).flat_map(|free| {
            let newest = self.by_free[at(free)].iter().rev().take(COMPARED_MAX);
            newest.map(move |index| (free, *index))
        });
        let longer = |(free, index): &(u32, u32)| {
            ((until_s - nodes[at(*index)].until_s).max(0), *free, *index)
        };
        shared.min_by_key(longer).map(|(_, index)| index)
    }

    /// The node to take from next.
    fn pick(&self, wanted: u32, size: u32) -> Option<u32> {
        let last = |free: u32| self.by_free[at(free)].last().copied();
        let fits = (wanted.min(size)..=size).find_map(last);
        // No node has room for all of it: the largest rest.
        fits.or_else(|| (1..wanted.min(size)).rev().find_map(last))
    }
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::{Currency, HourlyRate};

    fn pool(nodes: Option<u32>, accelerators: u32) -> Pool {
        let price = HourlyRate::free(Currency::USD);
        Pool::new(&PoolSpec { name: "V100".to_owned(), nodes, accelerators, price })
    }

    fn taken(pool: &mut Pool, wanted: u32) -> Vec<(u32, u32)> {
        let mut parts = Vec::new();
        pool.take(wanted, 0, &mut parts);
        parts.into_iter().map(|part| (part.node, part.count)).collect()
    }

    #[test]
    fn the_fullest_node_with_room_is_taken_and_gangs_take_whole_nodes() {
        let mut pool = pool(Some(3), 8);
        (0..3).for_each(|_| assert!(pool.switch_on(0, 0).is_some()));
        assert_eq!(pool.switch_on(0, 0), None);
        let first = taken(&mut pool, 5);
        assert_eq!(first.len(), 1);
        let node = first[0].0;
        assert_eq!(taken(&mut pool, 2), [(node, 2)]);
        let gang = taken(&mut pool, 12);
        assert_eq!(gang.iter().map(|(_, count)| count).sum::<u32>(), 12);
        assert!(gang.iter().all(|(other, _)| *other != node));
        // One and four are left, on two nodes.
        assert!(pool.has(5) && !pool.has(6));
        let rest = taken(&mut pool, 5);
        assert_eq!(rest.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [4, 1]);
        let mut parts = Vec::new();
        assert_eq!(pool.take(1, 0, &mut parts), 1);
        assert!(pool.give_back(Part { node: gang[0].0, count: gang[0].1 }, 9));
        assert_eq!(pool.idle(), 1);
    }

    #[test]
    fn who_stays_long_goes_where_someone_stays_long() {
        let mut pool = pool(Some(2), 4);
        (0..2).for_each(|_| assert!(pool.switch_on(0, 0).is_some()));
        let mut at_until = |until_s, wanted| {
            let mut parts = Vec::new();
            assert_eq!(pool.take(wanted, until_s, &mut parts), 0);
            parts[0].node
        };
        let long = at_until(9_000, 2);
        let short = at_until(100, 3);
        assert_ne!(long, short);
        // The other is fuller, and would be on for as long again.
        assert_eq!(at_until(8_000, 1), long);
        assert_eq!(at_until(50, 1), short);
    }

    #[test]
    fn nodes_that_boot_are_taken_last_and_rented_ones_are_made_as_needed() {
        let mut pool = pool(None, 2);
        assert!(pool.has(1_000));
        let booting = pool.switch_on(0, 300).unwrap();
        let ready = pool.switch_on(0, 0).unwrap();
        assert_eq!(taken(&mut pool, 3), [(ready, 2), (booting, 1)]);
        pool.booted(booting);
        assert_eq!(taken(&mut pool, 1), [(booting, 1)]);
        assert!(!pool.give_back(Part { node: booting, count: 1 }, 400));
        assert!(pool.give_back(Part { node: booting, count: 1 }, 500));
        assert_eq!((pool.idle_ready(), pool.nodes[at(booting)].idle_s), (&[booting][..], 500));
        pool.switch_off(booting);
        assert_eq!((pool.on, pool.idle()), (1, 0));
    }
}
