//! A search for the best content, depth first, the most of the best item first.

use super::super::problem::{Amounts, DIMS, times, without};
use super::{GRAIN, Item, Sized, Sorted};

/// A search of some work at most.
pub(super) struct Search<'s> {
    sorted: &'s Sorted,
    items: &'s [Item],
    whole: Amounts,
    work: u32,
    /// What the best content found is worth.
    pub(super) best: u64,
    chosen: Vec<u64>,
    /// How many of each item it holds.
    pub(super) kept: Vec<u64>,
    /// Whether the work ran out.
    pub(super) cut: bool,
}

impl<'s> Search<'s> {
    pub(super) fn new(sorted: &'s Sorted, items: &'s [Item], whole: &Amounts, work: u32) -> Self {
        let none = vec![0; sorted.sized.len()];
        let (chosen, kept) = (none.clone(), none);
        Self { sorted, items, whole: *whole, work, best: 0, chosen, kept, cut: false }
    }

    /// Searches all contents of a room.
    pub(super) fn run(&mut self, room: &Amounts) {
        self.go(0, *room, (self.sum_of(room), 0));
    }

    /// Searches with what is left of the room, of its weighted sum, and what is held already.
    fn go(&mut self, at: usize, room: Amounts, (left, worth): (u64, u64)) {
        if worth > self.best {
            self.best = worth;
            self.kept.copy_from_slice(&self.chosen);
        }
        if at == self.sorted.sized.len() || self.best >= self.sorted.upper {
            return;
        }
        if self.work == 0 {
            self.cut = true;
            return;
        }
        self.work -= 1;
        let item = &self.sorted.sized[at];
        let need = &self.items[item.at].need;
        for count in (0..=times(&room, need).min(item.most)).rev() {
            let Some(rest) = without(&room, need, count) else { continue };
            let gained = worth + item.worth * count;
            let left = left.saturating_sub(item.sum * count);
            // With fewer of what is worth most for its size, the bound is only lower: its sum is
            // taken from one that all items come out of, in the same rounding.
            if gained + self.bound_within(at + 1, left) <= self.best {
                break;
            }
            self.chosen[at] = count;
            self.go(at + 1, rest, (left, gained));
            if self.best >= self.sorted.upper || self.cut {
                break;
            }
        }
        self.chosen[at] = 0;
    }

    /// The most that items from a place on can be worth in a room.
    pub(super) fn bound(&self, from: usize, room: &Amounts) -> u64 {
        self.bound_within(from, self.sum_of(room))
    }

    /// The same in so much of the weighted sum.
    fn bound_within(&self, from: usize, mut left: u64) -> u64 {
        let mut worth = 0;
        for Sized { worth: each, most, sum, .. } in &self.sorted.sized[from..] {
            let fits = left.checked_div(*sum).map_or(*most, |fits| fits.min(*most));
            worth += each * fits;
            left -= sum * fits;
            if fits < *most {
                let part = u128::from(*each) * u128::from(left) / u128::from(*sum);
                return worth + u64::try_from(part).unwrap_or(u64::MAX) + 1;
            }
        }
        worth
    }

    /// The weighted sum of a room, rounded up.
    fn sum_of(&self, room: &Amounts) -> u64 {
        let part = |d: usize| {
            if self.whole[d] == 0 {
                return 0;
            }
            let grains = (u128::from(room[d]) << GRAIN).div_ceil(u128::from(self.whole[d]));
            self.sorted.weights[d] * u64::try_from(grains).unwrap_or(u64::MAX)
        };
        (0..DIMS).map(part).sum()
    }
}
