//! Which nodes to give back: one after the other in several orders, then some at a time.

use super::super::solve::Solved;
use super::super::whole::construct;
use super::exchange::exchange;
use super::fleet::{Fleet, Stand};
use super::front::Front;
use super::usual::usual;
use farthing_model::Draw;
use std::collections::BTreeMap;

/// Sweeps over all nodes in one order.
const SWEEPS: usize = 4;
/// Nodes up to which every choice of them is tried.
const FEW: usize = 8;
/// Nodes that are tried together, at most.
const TOGETHER: usize = 4;
/// Tries together without a gain after which no more are made, for each node, and at most.
const STALE: (usize, usize) = (12, 3_000);

/// How nodes are ordered: what speaks for giving one back first is low.
pub(super) type Key = fn(&Fleet<'_>, &Stand) -> u128;

/// Few moves for what is saved; little worth for what is paid; few moves; the dearest first.
pub(super) const KEYS: [Key; 4] = [
    |_, stand| u128::from(stand.moves()) * 1_000_000_000 / u128::from(stand.price.max(1)),
    |fleet, stand| worth(fleet, stand) * 1_000_000 / u128::from(stand.price.max(1)),
    |_, stand| u128::from(stand.moves()),
    |_, stand| u128::from(u64::MAX - stand.price),
];

fn worth(fleet: &Fleet<'_>, stand: &Stand) -> u128 {
    let held = stand.held();
    held.iter().map(|(shape, n)| u128::from(fleet.worths[*shape]) * u128::from(*n)).sum()
}

/// The best fleet found, with everybody placed for whom there is room: of those that cost nearly
/// the least with their moves, the one that moves the fewest, and none dearer than what is usual.
pub(super) fn search<'p>(fleet: &Fleet<'p>, solved: Option<&Solved>) -> Fleet<'p> {
    // Never dearer than what is usual, moves included.
    let (usual, evicted) = usual(fleet.clone());
    let mut front = Front::new((usual.cost_of_nodes(), evicted), fleet.move_units);
    front.keep(&usual);
    for key in KEYS {
        let mut tried = fleet.clone();
        start(&mut tried, key);
        for choice in choices(&tried, key) {
            front.keep(&choice);
        }
        front.keep(&tried);
        sweep(&mut tried, key);
        front.keep(&tried);
    }
    if let Some(anew) = solved.and_then(|solved| anew(fleet, solved)) {
        front.keep(&anew);
    }
    let Some(mut best) = front.cheapest() else { return usual };
    together(&mut best);
    front.keep(&best);
    exchange(fleet, &best, &mut front);
    front.chosen().unwrap_or(usual)
}

/// Everybody on new nodes.
fn anew<'p>(fleet: &Fleet<'p>, solved: &Solved) -> Option<Fleet<'p>> {
    let mut anew = fleet.clone();
    if anew.stands.iter().any(|stand| stand.pinned) {
        return None;
    }
    for at in 0..anew.stands.len() {
        anew.give_back(at);
    }
    let open = anew.open(&BTreeMap::new());
    if solved.contents.iter().any(|content| open.left[content.machine] == Some(0)) {
        return None;
    }
    solved.contents.iter().for_each(|content| anew.buy(content));
    anew.waiting.clear();
    Some(anew)
}

/// Nodes in the order in which they are tried.
pub(super) fn ordered(fleet: &Fleet<'_>, key: Key) -> Vec<usize> {
    let there = (0..fleet.stands.len()).filter(|at| !fleet.stands[*at].gone);
    let mut order: Vec<usize> = there.collect();
    order.sort_by_key(|at| (fleet.stands[*at].pinned, key(fleet, &fleet.stands[*at]), *at));
    order
}

/// Puts whoever runs nowhere on nodes that stand, and buys for the rest.
fn start(fleet: &mut Fleet<'_>, key: Key) {
    let mut order = ordered(fleet, key);
    order.reverse();
    let waiting = std::mem::take(&mut fleet.waiting);
    let places = fleet.places(&waiting, &order);
    fleet.put(&places);
    let mut open = fleet.open(&places.left);
    match construct(fleet.problem, &mut open, &fleet.worths, u128::MAX, &mut 0) {
        Some(contents) => contents.iter().for_each(|content| fleet.buy(content)),
        None => fleet.waiting = places.left,
    }
}

/// Every choice of nodes to give back that pays, where they are few.
fn choices<'p>(fleet: &Fleet<'p>, key: Key) -> Vec<Fleet<'p>> {
    let order = ordered(fleet, key);
    if order.len() > FEW {
        return Vec::new();
    }
    let onto: Vec<usize> = order.iter().rev().copied().collect();
    let choice = |set: u32| {
        let chosen = order.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
        let nodes: Vec<usize> = chosen.map(|(_, at)| *at).collect();
        let mut tried = fleet.clone();
        without(&mut tried, &nodes, &onto).then_some(tried)
    };
    (1..1_u32 << order.len()).filter_map(choice).collect()
}

fn sweep(fleet: &mut Fleet<'_>, key: Key) {
    for _ in 0..SWEEPS {
        let (mut some, order) = (false, ordered(fleet, key));
        let onto: Vec<usize> = order.iter().rev().copied().collect();
        for at in order {
            some |= without(fleet, &[at], &onto);
        }
        if !some {
            return;
        }
    }
}

/// Gives nodes back, if that pays; whether it did.
fn without(fleet: &mut Fleet<'_>, nodes: &[usize], onto: &[usize]) -> bool {
    let these = || nodes.iter().map(|at| &fleet.stands[*at]);
    if these().any(|stand| stand.gone || stand.pinned) {
        return false;
    }
    let saved: u128 = these().map(|stand| u128::from(stand.price)).sum();
    let moves: u128 = these().map(|stand| u128::from(stand.moves())).sum();
    let Some(below) = saved.checked_sub(moves * u128::from(fleet.move_units)).filter(|it| *it > 0)
    else {
        return false;
    };
    let mut all = BTreeMap::new();
    for (shape, count) in these().flat_map(Stand::held) {
        *all.entry(shape).or_insert(0) += count;
    }
    let others: Vec<usize> = onto.iter().copied().filter(|at| !nodes.contains(at)).collect();
    let places = fleet.places(&all, &others);
    let Some(bought) = fleet.bought(&places.left, below) else { return false };
    fleet.replace(nodes.iter().copied(), &places, &bought);
    true
}

/// Gives some nodes back together, as long as that pays. The order is drawn from a fixed seed.
fn together(fleet: &mut Fleet<'_>) {
    let mut draw = Draw::new(11);
    let mut stale = 0;
    let mut there = ordered(fleet, KEYS[1]);
    while there.len() >= 2 && stale < (STALE.0 * there.len()).min(STALE.1) {
        stale += 1;
        let many = (2 + draw.below(TOGETHER - 1)).min(there.len());
        let mut nodes: Vec<usize> = Vec::with_capacity(many);
        while nodes.len() < many {
            // Those with little worth for their price more often: they come first.
            let (one, other) = (draw.below(there.len()), draw.below(there.len()));
            let at = there[one.min(other)];
            if !nodes.contains(&at) {
                nodes.push(at);
            }
        }
        let onto: Vec<usize> = there.iter().rev().copied().collect();
        if without(fleet, &nodes, &onto) {
            stale = 0;
            there = ordered(fleet, KEYS[1]);
        }
    }
}
