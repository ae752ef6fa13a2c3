//! What one machine holds at best, when each pod is worth something: a knapsack of several
//! resources, with a bound on every content.
//!
//! The bound is that of the surrogate relaxation: one weighted sum of all resources, filled in the
//! order of worth for its size, the last in part. Weights are sought so that no resource is over
//! ([`Sorted::of`]). [`fill`] looks for a good content, [`prove`] for the best one.

mod frontier;
mod search;
mod weights;

pub(super) use frontier::prove;

use super::problem::{Amounts, DIMS, times, without};
use search::Search;
use weights::{MEAN, Weighed};

/// Fixed point of sizes: a machine is `1 << GRAIN` of each of its resources.
const GRAIN: u32 = 24;

/// A shape that may be held several times.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) shape: usize,
    pub(super) need: Amounts,
    /// What one is worth.
    pub(super) worth: u64,
    /// How many there are.
    pub(super) most: u64,
}

/// A content of a machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Shapes and how many of each, by shape.
    pub(super) counts: Vec<(usize, u64)>,
    /// What they are worth together.
    pub(super) worth: u64,
    /// No content is worth more.
    pub(super) upper: u64,
}

/// An item as parts of a machine, rounded down.
struct Sized {
    /// Its place among the items.
    at: usize,
    worth: u64,
    most: u64,
    size: [u64; DIMS],
    /// The weighted sum of its sizes.
    sum: u64,
}

/// Items that fit, in the order of worth for their size.
struct Sorted {
    sized: Vec<Sized>,
    weights: [u64; DIMS],
    upper: u64,
    /// How many of each the relaxation holds, in fixed point.
    mean: Vec<u64>,
}

impl Sorted {
    /// `None` where nothing fits that is worth anything.
    fn of(room: &Amounts, items: &[Item]) -> Option<Self> {
        let mut sized: Vec<Sized> = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let most = times(room, &item.need).min(item.most);
            if most == 0 || item.worth == 0 {
                continue;
            }
            let size = std::array::from_fn(|d| grains(item.need[d], room[d]));
            sized.push(Sized { at, worth: item.worth, most, size, sum: 0 });
        }
        if sized.is_empty() {
            return None;
        }
        let Weighed { weights, upper, mean } = weights::weigh(&sized);
        for item in &mut sized {
            item.sum = weighted(&weights, &item.size);
        }
        let mut both: Vec<(Sized, u64)> = sized.into_iter().zip(mean).collect();
        both.sort_by(|(a, _), (b, _)| {
            by_worth((a.worth, a.sum), (b.worth, b.sum))
                .then(b.worth.cmp(&a.worth))
                .then(a.at.cmp(&b.at))
        });
        let (sized, mean) = both.into_iter().unzip();
        Some(Self { sized, weights, upper, mean })
    }

    /// Counts in this order, by shape.
    fn shapes(&self, items: &[Item], counts: &[u64]) -> Vec<(usize, u64)> {
        let held = self.sized.iter().zip(counts).filter(|(_, count)| **count > 0);
        let mut held: Vec<_> = held.map(|(item, count)| (items[item.at].shape, *count)).collect();
        held.sort_unstable();
        held
    }
}

/// The size of a need in a room, rounded down; of a room of nothing, nothing.
fn grains(need: u64, room: u64) -> u64 {
    if room == 0 {
        return 0;
    }
    u64::try_from((u128::from(need) << GRAIN) / u128::from(room)).unwrap_or(u64::MAX)
}

fn weighted(weights: &[u64; DIMS], size: &[u64; DIMS]) -> u64 {
    weights.iter().zip(size).map(|(weight, size)| weight * size).sum()
}

/// The order of worth for a size, the best first.
fn by_worth(a: (u64, u64), b: (u64, u64)) -> std::cmp::Ordering {
    let (left, right) = (u128::from(a.0) * u128::from(b.1), u128::from(b.0) * u128::from(a.1));
    right.cmp(&left)
}

/// A content of much worth, by searches of at most `work` nodes each, and a bound on any.
pub(super) fn fill(room: &Amounts, items: &[Item], work: u32) -> Held {
    let Some(sorted) = Sorted::of(room, items) else { return Held::default() };
    let upper = sorted.upper;
    let mut search = Search::new(&sorted, items, room, work);
    search.run(room);
    let found = Held { counts: sorted.shapes(items, &search.kept), worth: search.best, upper };
    if !search.cut {
        return Held { upper: found.worth.min(upper), ..found };
    }
    let rounded = round(room, items, work);
    if rounded.worth > found.worth { Held { upper, ..rounded } } else { found }
}

/// The whole parts of the relaxation, then those of the relaxation of what is left of the room,
/// and at last a search.
fn round(room: &Amounts, items: &[Item], work: u32) -> Held {
    let (mut rest, mut items, mut held) = (*room, items.to_vec(), Held::default());
    while let Some(sorted) = Sorted::of(&rest, &items) {
        let mut wanted: Vec<u64> = sorted.mean.iter().map(|mean| mean >> MEAN).collect();
        if wanted.iter().all(|count| *count == 0) {
            let mut search = Search::new(&sorted, &items, &rest, work);
            search.run(&rest);
            wanted = search.kept;
        }
        let mut some = false;
        for (item, wanted) in sorted.sized.iter().zip(wanted) {
            let item = &mut items[item.at];
            let count = times(&rest, &item.need).min(wanted);
            let Some(less) = without(&rest, &item.need, count).filter(|_| count > 0) else {
                continue;
            };
            (rest, some) = (less, true);
            item.most -= count;
            held.worth += item.worth * count;
            held.counts.push((item.shape, count));
        }
        if !some {
            break;
        }
    }
    held.counts.sort_unstable();
    held.counts.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        kept.1 += if same { later.1 } else { 0 };
        same
    });
    held
}
