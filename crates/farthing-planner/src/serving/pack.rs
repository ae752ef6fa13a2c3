//! Slices into counts: whether whole slices fit the room of given replicas, by local search.
//!
//! It starts near a relaxed division and repairs what is over: one slice moves, or two change
//! places, whatever lowers what is over the most, with a short memory of what just moved. It can
//! only find, never refute.

use super::fixed::PLACES;
use super::problem::{Problem, Shares};

/// Repairs before giving up.
const REPAIRS_MAX: u32 = 60;
/// Repairs for which what moved stays where it is.
const MEMORY: u32 = 7;

/// A set of whole slices on kinds, with what each kind carries.
pub(super) struct Pack<'p> {
    problem: &'p Problem,
    kinds: usize,
    /// Load of one slice by bucket and kind; `MAX` where not served.
    loads: Vec<i64>,
    /// Slices by bucket and kind.
    slices: Vec<i64>,
    /// Room and load by kind.
    room: Vec<i64>,
    load: Vec<i64>,
    /// What a unit of room is worth.
    prices: Vec<i64>,
    /// When a bucket's slices may leave a kind again.
    until: Vec<u32>,
}

/// A change: a slice of a bucket from one kind to another, and perhaps one of another back.
#[derive(Clone, Copy)]
struct Change {
    bucket: usize,
    from: usize,
    to: usize,
    back: Option<usize>,
}

impl<'p> Pack<'p> {
    /// Slices in the room of counts; loads are rounded up and room down to a unit so large that
    /// sums of all are far from overflow.
    pub(super) fn new(
        problem: &'p Problem,
        counts: &[i64],
        prices: &[i64],
        slices: Shares,
    ) -> Self {
        let kinds = problem.kinds.len();
        let replica = problem.room * problem.parts();
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let bits = 128 - (replica * i128::from(most)).leading_zeros();
        let shift = bits.saturating_sub(40);
        let up = |load: i128| i64::try_from(-(-load >> shift)).unwrap_or(i64::MAX);
        let loads: Vec<i64> = problem
            .loads
            .iter()
            .flat_map(|row| row.iter().map(|load| load.map_or(i64::MAX, up)))
            .collect();
        let room = counts.iter().map(|count| {
            i64::try_from((replica * i128::from(*count)) >> shift).unwrap_or(i64::MAX)
        });
        let slices: Vec<i64> = slices
            .into_iter()
            .flatten()
            .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
            .collect();
        let mut load = vec![0_i64; kinds];
        for (at, count) in slices.iter().enumerate() {
            if *count > 0 {
                load[at % kinds] += count * loads[at];
            }
        }
        let until = vec![0; slices.len()];
        let prices = prices[..kinds].iter().map(|price| (price >> (PLACES - 10)).max(1)).collect();
        Self { problem, kinds, room: room.collect(), loads, slices, load, prices, until }
    }

    /// What a kind carries over its room with some more, at its price.
    fn over(&self, kind: usize, more: i64) -> i64 {
        (self.load[kind] + more - self.room[kind]).max(0).saturating_mul(self.prices[kind])
    }

    /// Repairs until everything fits; `None` where it was given up.
    pub(super) fn repair(mut self) -> Option<Shares> {
        for now in 1..=REPAIRS_MAX {
            let worst =
                (0..self.kinds).max_by_key(|kind| (self.over(*kind, 0), usize::MAX - kind))?;
            if self.over(worst, 0) == 0 {
                return Some(self.shares());
            }
            let change = self.best(worst, now)?;
            self.apply(change, now);
        }
        None
    }

    fn shares(&self) -> Shares {
        let row = |row: &[i64]| row.iter().map(|count| i128::from(*count)).collect();
        debug_assert_eq!(self.slices.len(), self.problem.loads.len() * self.kinds);
        self.slices.chunks_exact(self.kinds).map(row).collect()
    }

    /// Buckets with slices on a kind that may leave it now, and how much room each takes there.
    fn movable(&self, on: usize, now: u32) -> Vec<(usize, i64)> {
        let row = |bucket: &usize| bucket * self.kinds + on;
        let free = |bucket: &usize| self.slices[row(bucket)] > 0 && self.until[row(bucket)] <= now;
        let buckets = (0..self.slices.len() / self.kinds).filter(free);
        buckets.map(|bucket| (bucket, self.loads[row(&bucket)])).collect()
    }

    /// The change that leaves the least over, among those that take from a kind.
    fn best(&self, from: usize, now: u32) -> Option<Change> {
        let mut best: Option<(i64, Change)> = None;
        let outgoing = self.movable(from, now);
        for to in (0..self.kinds).filter(|to| *to != from) {
            let before = self.over(from, 0) + self.over(to, 0);
            let mut note = |after: i64, change: Change| {
                let gain = after - before;
                if best.is_none_or(|(least, _)| gain < least) {
                    best = Some((gain, change));
                }
            };
            // What may come back, with the room it needs and the room it leaves.
            let back = self.movable(to, now).into_iter();
            let back =
                back.map(|(other, left)| (other, self.loads[other * self.kinds + from], left));
            let back: Vec<(usize, i64, i64)> =
                back.filter(|(_, needed, _)| *needed < i64::MAX).collect();
            for (bucket, out) in &outgoing {
                let into = self.loads[bucket * self.kinds + to];
                if into == i64::MAX {
                    continue;
                }
                let alone = self.over(from, -out) + self.over(to, into);
                note(alone, Change { bucket: *bucket, from, to, back: None });
                for (other, needed, left) in back.iter().filter(|(_, needed, _)| needed < out) {
                    let after = self.over(from, needed - out) + self.over(to, into - left);
                    note(after, Change { bucket: *bucket, from, to, back: Some(*other) });
                }
            }
        }
        best.map(|(_, change)| change)
    }

    fn apply(&mut self, change: Change, now: u32) {
        let Change { bucket, from, to, back } = change;
        self.shift(bucket, from, to, now);
        if let Some(other) = back {
            self.shift(other, to, from, now);
        }
    }

    fn shift(&mut self, bucket: usize, from: usize, to: usize, now: u32) {
        let row = bucket * self.kinds;
        self.slices[row + from] -= 1;
        self.slices[row + to] += 1;
        self.load[from] -= self.loads[row + from];
        self.load[to] += self.loads[row + to];
        self.until[row + to] = now + MEMORY;
    }
}
