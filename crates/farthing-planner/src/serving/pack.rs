//! Slices into counts: whether whole slices fit the room of given replicas, by local search.
//!
//! It starts near a relaxed division and repairs what is over: one slice moves, or two change
//! places, whatever lowers what is over the most and wastes the least, with a short memory of what
//! just moved. It can only find, never refute.

use super::problem::{Problem, Shares};

/// Repairs before giving up.
const REPAIRS_MAX: u32 = 200;
/// Repairs for which what moved stays where it is.
const MEMORY: u32 = 7;

/// How repairs are chosen and when they are given up.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Repairs that may bring nothing.
    pub(super) patience: u32,
    /// What a unit of load more in all costs, in units that are over: slices that are where they
    /// take more room than elsewhere leave none for others.
    pub(super) waste: i64,
}

/// A set of whole slices on kinds, with what each kind carries.
#[derive(Clone)]
pub(super) struct Pack {
    kinds: usize,
    /// Load of one slice by bucket and kind; `MAX` where not served.
    loads: Vec<i64>,
    /// Slices by bucket and kind.
    slices: Vec<i64>,
    /// Load less room by kind.
    over: Vec<i64>,
    /// What a unit of room is worth.
    prices: Vec<i64>,
    /// When a bucket's slices may leave a kind again.
    until: Vec<u32>,
    /// Buckets with slices on each kind.
    held: Vec<Vec<usize>>,
}

/// A change: a slice of a bucket from one kind to another, and perhaps one of another back.
#[derive(Clone, Copy)]
struct Change {
    bucket: usize,
    from: usize,
    to: usize,
    back: Option<usize>,
}

/// The best change so far, and what is over with the least before it.
struct Best {
    change: Option<Change>,
    /// What it is worth, lower is better.
    score: i64,
}

impl Pack {
    /// Slices in the room of counts; loads are rounded up and room down to a unit so large that
    /// sums of all are far from overflow.
    pub(super) fn new(problem: &Problem, counts: &[i64], slices: Shares) -> Self {
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
        let room = |count: &i64| {
            i64::try_from((replica * i128::from(*count)) >> shift).unwrap_or(i64::MAX)
        };
        let mut over: Vec<i64> = counts.iter().map(|count| -room(count)).collect();
        let whole = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let slices: Vec<i64> = slices.into_iter().flatten().map(whole).collect();
        for (at, count) in slices.iter().enumerate() {
            if *count > 0 {
                over[at % kinds] += count * loads[at];
            }
        }
        let until = vec![0; slices.len()];
        let dearest = problem.kinds.iter().map(|kind| kind.cost).max().unwrap_or(0).max(1);
        let price = |cost: i128| i64::try_from((cost << 10) / dearest).unwrap_or(1).max(1);
        let prices = problem.kinds.iter().map(|kind| price(kind.cost)).collect();
        Self { kinds, loads, slices, over, prices, until, held: vec![Vec::new(); kinds] }
    }

    /// What all kinds carry over their room, at its price.
    fn all_over(&self) -> i64 {
        self.over.iter().zip(&self.prices).map(|(over, price)| (*over).max(0) * price).sum()
    }

    /// Repairs until everything fits; `None` where it was given up.
    pub(super) fn repair(mut self, manner: Manner) -> Option<Shares> {
        let (mut least, mut since) = (i64::MAX, 0);
        for now in 1..=REPAIRS_MAX {
            let all = self.all_over();
            if all == 0 {
                return Some(self.shares());
            }
            if all < least {
                (least, since) = (all, now);
            } else if now - since > manner.patience {
                return None;
            }
            let change = self.best(manner, now)?;
            self.apply(change, now);
        }
        None
    }

    fn shares(&self) -> Shares {
        let row = |row: &[i64]| row.iter().map(|count| i128::from(*count)).collect();
        self.slices.chunks_exact(self.kinds).map(row).collect()
    }

    /// The change that brings a kind that is over nearest to its room.
    fn best(&mut self, manner: Manner, now: u32) -> Option<Change> {
        for (kind, held) in self.held.iter_mut().enumerate() {
            held.clear();
            let buckets = 0..self.slices.len() / self.kinds;
            held.extend(buckets.filter(|bucket| {
                let at = bucket * self.kinds + kind;
                self.slices[at] > 0 && self.until[at] <= now
            }));
        }
        let mut best = Best { change: None, score: i64::MAX };
        for from in (0..self.kinds).filter(|kind| self.over[*kind] > 0) {
            for to in (0..self.kinds).filter(|to| *to != from) {
                self.between((from, to), manner, &mut best);
            }
        }
        best.change
    }

    /// The best change between two kinds.
    fn between(&self, (from, to): (usize, usize), manner: Manner, best: &mut Best) {
        let (price, other) = (self.prices[from], self.prices[to]);
        let (over, there) = (self.over[from], self.over[to]);
        let before = over * price + there.max(0) * other;
        // What is over afterwards, and how much more room all takes.
        let score = |left: i64, come: i64| {
            let after = (over - left).max(0) * price + (there + come).max(0) * other;
            after - before + (come * other - left * price) * manner.waste
        };
        for bucket in &self.held[from] {
            let row = bucket * self.kinds;
            let (out, into) = (self.loads[row + from], self.loads[row + to]);
            if into == i64::MAX {
                continue;
            }
            let change = Change { bucket: *bucket, from, to, back: None };
            let alone = score(out, into);
            if alone < best.score {
                *best = Best { change: Some(change), score: alone };
            }
            for back in &self.held[to] {
                let row = back * self.kinds;
                let (needed, left) = (self.loads[row + from], self.loads[row + to]);
                // What cannot be there needs more than anything.
                if needed >= out {
                    continue;
                }
                let both = score(out - needed, into - left);
                if both < best.score {
                    let change = Change { back: Some(*back), ..change };
                    *best = Best { change: Some(change), score: both };
                }
            }
        }
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
        self.over[from] -= self.loads[row + from];
        self.over[to] += self.loads[row + to];
        self.until[row + to] = now + MEMORY;
    }
}
