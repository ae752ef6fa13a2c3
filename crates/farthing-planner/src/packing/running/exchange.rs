//! Takes back what was given back, and gives others back instead: a search over which nodes go.
//! Each choice of nodes is filled from the beginning, so that nobody moves twice.

use super::fleet::Fleet;
use super::front::Front;
use super::search::{KEYS, ordered};
use farthing_model::Draw;
use std::collections::BTreeMap;

/// Choices that are tried at each price of a move, at most.
const TRIES: usize = 2_000;
/// Nodes times shapes that all tries look at, at most.
const WORK: usize = 24_000_000;
/// Nodes that change sides in a try, at most, of each side.
const SIDES: (usize, usize) = (3, 4);
/// Each pass takes moves for so many times of what they cost, so that fewer are found, too.
const TIMES: [u128; 3] = [1, 4, 16];

/// Exchanges nodes, and keeps what is better in anything.
pub(super) fn exchange<'p>(first: &Fleet<'p>, best: &Fleet<'p>, front: &mut Front<'p>) {
    let standing = first.stands.len();
    let size = (standing * first.problem.shapes.len()).max(1);
    let tries = TRIES.min(WORK / size / TIMES.len());
    let movable: Vec<usize> = ordered(first, KEYS[1]);
    let movable: Vec<usize> = movable.into_iter().filter(|at| !first.stands[*at].pinned).collect();
    if movable.len() < 2 {
        return;
    }
    let mut draw = Draw::new(23);
    let mut here: Vec<bool> = best.stands.iter().take(standing).map(|it| it.gone).collect();
    for times in TIMES {
        let each = u128::from(first.move_units) * times;
        let cost = |fleet: &Fleet<'_>| fleet.cost_of_nodes() + u128::from(fleet.moved()) * each;
        let Some(mut least) = filled(first, &here, each, u128::MAX).map(|it| cost(&it)) else {
            return;
        };
        for _ in 0..tries {
            let mut other = here.clone();
            let (back, go) = (draw.below(SIDES.0), draw.below(SIDES.1));
            change(&mut other, &movable, (true, back), &mut draw);
            change(&mut other, &movable, (false, go), &mut draw);
            if other == here {
                continue;
            }
            let Some(fleet) = filled(first, &other, each, least) else { continue };
            front.keep(&fleet);
            if fleet.waiting.is_empty() && cost(&fleet) < least {
                least = cost(&fleet);
                here = other;
            }
        }
    }
}

/// Changes the side of some nodes: `from` is whether those are gone now.
fn change(gone: &mut [bool], movable: &[usize], (from, many): (bool, usize), draw: &mut Draw) {
    let mut there: Vec<usize> = movable.iter().copied().filter(|at| gone[*at] == from).collect();
    for _ in 0..many.min(there.len()) {
        // Those with little worth for their price go more often: they come first.
        let (one, other) = (draw.below(there.len()), draw.below(there.len()));
        let at = if from { one.max(other) } else { one.min(other) };
        let node = there.remove(at);
        gone[node] = !from;
    }
}

/// The fleet in which these nodes are given back; `None` where that costs no less than `below`, or
/// somebody would have no place.
fn filled<'p>(first: &Fleet<'p>, gone: &[bool], each: u128, below: u128) -> Option<Fleet<'p>> {
    let (mut open, mut cost) = (first.waiting.clone(), 0_u128);
    for (stand, gone) in first.stands.iter().zip(gone) {
        if !gone {
            cost += u128::from(stand.price);
            continue;
        }
        cost += u128::from(stand.moves()) * each;
        for (shape, count) in &stand.first {
            *open.entry(*shape).or_insert(0) += count;
        }
    }
    let room = below.checked_sub(cost).filter(|room| *room > 0)?;
    let mut stay: Vec<usize> = (0..gone.len()).filter(|at| !gone[*at]).collect();
    // The fullest first: what is left is left together.
    stay.sort_by_key(|at| (std::cmp::Reverse(first.stands[*at].moves()), *at));
    let places = first.places(&open, &stay);
    let bought = first.bought(&places.left, room)?;
    let mut fleet = first.clone();
    fleet.replace((0..gone.len()).filter(|at| gone[*at]), &places, &bought);
    fleet.waiting = BTreeMap::new();
    Some(fleet)
}
