//! What provisioners of nodes do (Karpenter's consolidation): the nodes with the fewest pods go
//! first, as many as can be replaced by what is free and one cheaper node, or none.

use super::super::problem::{Content, without};
use super::fleet::{Fleet, Places, Stand};
use std::collections::BTreeMap;

/// Nodes of which a group is made, at most.
const GROUP_MAX: usize = 100;
/// Actions after which it ends, at most.
const ACTIONS_MAX: usize = 10_000;

/// The fleet when nothing more is found, and how many pods were evicted on the way.
pub(super) fn usual(mut fleet: Fleet<'_>) -> (Fleet<'_>, u64) {
    arrive(&mut fleet);
    let mut evicted = 0;
    for _ in 0..ACTIONS_MAX {
        let order = candidates(&fleet);
        let action =
            group(&fleet, &order).or_else(|| order.iter().find_map(|at| replaced(&fleet, &[*at])));
        let Some((nodes, places, bought)) = action else { break };
        for at in &nodes {
            evicted += fleet.stands[*at].held().values().sum::<u64>();
            fleet.give_back(*at);
        }
        fleet.put(&places);
        if let Some(content) = &bought {
            fleet.buy(content);
        }
    }
    (fleet, evicted)
}

/// Nodes, places of their pods on others, and a node that is bought for the rest.
type Action = (Vec<usize>, Places, Option<Content>);

/// Pods that run nowhere go where there is room, then one after the other onto new nodes.
fn arrive(fleet: &mut Fleet<'_>) {
    let waiting = std::mem::take(&mut fleet.waiting);
    let all: Vec<usize> = (0..fleet.stands.len()).collect();
    let places = fleet.places(&waiting, &all);
    fleet.put(&places);
    let mut left = places.left;
    while let Some(content) = one_node(fleet, &mut left) {
        fleet.buy(&content);
    }
    fleet.waiting = left;
}

/// As many of what is left as go on one node together; `None` where no machine takes any.
fn one_node(fleet: &Fleet<'_>, left: &mut BTreeMap<usize, u64>) -> Option<Content> {
    let free = fleet.open(left).left;
    let mut counts: Vec<(usize, u64)> = Vec::new();
    for (shape, open) in left.iter() {
        // As many of it as some machine holds beside the others.
        let (mut low, mut high) = (0, *open);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let with: Vec<_> = counts.iter().copied().chain([(*shape, middle)]).collect();
            if fleet.problem.cheapest(&with, &free).is_some() {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if low > 0 {
            counts.push((*shape, low));
        }
    }
    let machine = fleet.problem.cheapest(&counts, &free).filter(|_| !counts.is_empty())?;
    for (shape, count) in &counts {
        if let Some(open) = left.get_mut(shape) {
            *open -= count;
        }
    }
    left.retain(|_, open| *open > 0);
    Some(Content { machine, counts })
}

/// Nodes, those with the fewest pods first.
fn candidates(fleet: &Fleet<'_>) -> Vec<usize> {
    let there = fleet.stands.iter().enumerate().filter(|(_, it)| !it.gone && !it.pinned);
    let mut order: Vec<(u64, usize)> =
        there.map(|(at, stand)| (stand.held().values().sum(), at)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).collect()
}

/// The largest group of candidates, from the first on, that can be replaced; found by halving.
fn group(fleet: &Fleet<'_>, order: &[usize]) -> Option<Action> {
    let (mut low, mut high) = (1, order.len().min(GROUP_MAX));
    let mut best = None;
    while low <= high {
        let middle = usize::midpoint(low, high);
        match replaced(fleet, &order[..middle]).filter(|_| middle > 1) {
            Some(action) => (best, low) = (Some(action), middle + 1),
            None if middle > 1 => high = middle - 1,
            None => low = middle + 1,
        }
    }
    best
}

/// What takes the place of some nodes, if that is cheaper.
fn replaced(fleet: &Fleet<'_>, nodes: &[usize]) -> Option<Action> {
    let these = || nodes.iter().map(|at| &fleet.stands[*at]);
    let saved: u128 = these().map(|stand| u128::from(stand.price)).sum();
    let mut all = BTreeMap::new();
    for (shape, count) in these().flat_map(Stand::held) {
        *all.entry(shape).or_insert(0) += count;
    }
    let others: Vec<usize> = (0..fleet.stands.len()).filter(|at| !nodes.contains(at)).collect();
    let places = fleet.places(&all, &others);
    let bought = if places.left.is_empty() {
        None
    } else {
        let counts: Vec<(usize, u64)> = places.left.iter().map(|(s, n)| (*s, *n)).collect();
        let free = fleet.open(&places.left).left;
        let machine = fleet.problem.cheapest(&counts, &free)?;
        // What is bought has to hold all of it, and cost less.
        let room = fleet.problem.machines[machine].room;
        counts.iter().try_fold(room, |room, (shape, n)| {
            without(&room, &fleet.problem.shapes[*shape].need, *n)
        })?;
        Some(Content { machine, counts })
    };
    let cost = bought.as_ref().map_or(0, |it| u128::from(fleet.problem.machines[it.machine].price));
    (cost < saved).then(|| (nodes.to_vec(), places, bought))
}
