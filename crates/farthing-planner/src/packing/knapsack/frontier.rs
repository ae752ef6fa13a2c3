//! The best content of a machine and the proof that it is, by lists of states of which none is
//! better than another. For machines that hold few pods, where the relaxation says too much.

use super::super::problem::{Amounts, DIMS, without};
use super::search::Search;
use super::{Held, Item, Sorted};
use std::collections::BTreeMap;

/// The first state: nothing is held.
const NOTHING: u32 = u32::MAX;

/// What a content uses of two resources.
#[derive(Clone, Copy)]
struct State {
    used: (u64, u64),
    worth: u64,
    /// The last of its steps.
    path: u32,
}

/// The content of most worth where that is more than `floor`, else an empty one; `upper` is proven
/// either way. `None` where more than `states_max` states would have to be kept.
///
/// Two resources are counted, those that bind hardest: without the others more fits, never less,
/// so that the bound holds; a content that only fits without them comes back empty.
pub(crate) fn prove(room: &Amounts, items: &[Item], floor: u64, states_max: usize) -> Option<Held> {
    let none = |upper| Some(Held { counts: Vec::new(), worth: 0, upper });
    let Some(sorted) = Sorted::of(room, items) else { return none(floor) };
    if sorted.upper <= floor {
        return none(sorted.upper);
    }
    let mut heavy: Vec<usize> = (0..DIMS).collect();
    heavy.sort_by_key(|d| (std::cmp::Reverse(sorted.weights[*d]), *d));
    let mut lists = Lists {
        search: Search::new(&sorted, items, room, 0),
        room: *room,
        counted: (heavy[0], heavy[1]),
        steps: Vec::new(),
        best: floor,
        end: NOTHING,
    };
    let mut states = vec![State { used: (0, 0), worth: 0, path: NOTHING }];
    for (at, item) in sorted.sized.iter().enumerate() {
        states = lists.with(at, &items[item.at], item.most, &states, 4 * states_max)?;
        if states.len() > states_max {
            return None;
        }
    }
    let mut counts = vec![0; sorted.sized.len()];
    let mut end = lists.end;
    while let Some((before, at, count)) = lists.steps.get(usize::try_from(end).unwrap_or(0)) {
        if end == NOTHING {
            break;
        }
        counts[*at] = *count;
        end = *before;
    }
    let all = sorted
        .sized
        .iter()
        .zip(&counts)
        .try_fold(*room, |room, (item, count)| without(&room, &items[item.at].need, *count));
    if lists.end == NOTHING || all.is_none() {
        return none(lists.best);
    }
    Some(Held { counts: sorted.shapes(items, &counts), worth: lists.best, upper: lists.best })
}

struct Lists<'s> {
    search: Search<'s>,
    room: Amounts,
    counted: (usize, usize),
    /// The state before, the item, and how many of it.
    steps: Vec<(u32, usize, u64)>,
    best: u64,
    end: u32,
}

impl Lists<'_> {
    /// All states with some of one more item; `None` for more than `states_max`.
    fn with(
        &mut self,
        at: usize,
        item: &Item,
        most: u64,
        states: &[State],
        states_max: usize,
    ) -> Option<Vec<State>> {
        let need = (item.need[self.counted.0], item.need[self.counted.1]);
        let whole = (self.room[self.counted.0], self.room[self.counted.1]);
        let mut next = states.to_vec();
        for state in states {
            let mut one = *state;
            for count in 1..=most {
                one.used = (one.used.0 + need.0, one.used.1 + need.1);
                one.worth += item.worth;
                if one.used.0 > whole.0 || one.used.1 > whole.1 {
                    break;
                }
                if one.worth <= self.best && !self.can_win(at, &one) {
                    continue;
                }
                one.path = u32::try_from(self.steps.len()).ok().filter(|at| *at != NOTHING)?;
                self.steps.push((state.path, at, count));
                if one.worth > self.best {
                    (self.best, self.end) = (one.worth, one.path);
                }
                next.push(one);
            }
            if next.len() > states_max {
                return None;
            }
        }
        next.retain(|state| self.can_win(at, state));
        Some(undominated(next))
    }

    /// Whether a state can become better than the best with the items after `at`.
    fn can_win(&self, at: usize, state: &State) -> bool {
        let mut rest = self.room;
        rest[self.counted.0] -= state.used.0;
        rest[self.counted.1] -= state.used.1;
        state.worth + self.search.bound(at + 1, &rest) > self.best
    }
}

/// Those that no other state beats: with no more of either resource, worth as much.
fn undominated(mut states: Vec<State>) -> Vec<State> {
    states.sort_unstable_by(|a, b| a.used.cmp(&b.used).then(b.worth.cmp(&a.worth)));
    // What is worth most with so much of the second resource or less; it only rises.
    let mut stairs: BTreeMap<u64, u64> = BTreeMap::new();
    states.retain(|state| {
        let (second, worth) = (state.used.1, state.worth);
        if stairs.range(..=second).next_back().is_some_and(|(_, best)| *best >= worth) {
            return false;
        }
        let beaten = stairs.range(second..).take_while(|(_, best)| **best <= worth);
        let beaten: Vec<u64> = beaten.map(|(second, _)| *second).collect();
        for second in beaten {
            stairs.remove(&second);
        }
        stairs.insert(second, worth);
        true
    });
    states
}
