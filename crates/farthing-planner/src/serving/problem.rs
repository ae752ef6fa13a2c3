//! The statement: buckets of load, kinds of replicas, and the cheapest whole numbers of them.
//!
//! A [`Problem`] is small and dense and knows nothing of offers, budgets or manifests. Loads and
//! room are whole numbers of one unit, so that whether counts carry the load is a question about
//! integers; [`Problem::carries`] answers it for a given division. Start at `search` for how the
//! optimum is found, and at the README beside this file for why it is one.

use crate::program::gcd;

/// A kind of replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// What one replica costs, in 10^-12; never negative.
    pub(crate) cost: i128,
    /// Fewer replicas than this there cannot be, nor more.
    pub(crate) fewest: i64,
    pub(crate) most: i64,
}

/// Buckets of load over kinds of replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The kinds.
    pub(crate) kinds: Vec<Kind>,
    /// All of each bucket on each kind; `None` where the kind cannot serve it.
    pub(crate) loads: Vec<Vec<Option<i128>>>,
    /// What one replica carries, in the unit of loads, with a part in 10^8 more for what rounding
    /// loses.
    pub(crate) room: i128,
    /// Equal slices that each bucket is cut into, each whole on one kind; `None` = any division.
    pub(crate) slices: Option<u32>,
    /// Fewest replicas in all.
    pub(crate) least: i64,
    /// Kinds of which one at most may be used.
    pub(crate) rivals: Vec<Vec<usize>>,
}

/// Parts that a bucket is divided into where it may be divided at will.
pub(crate) const FINE: i128 = 1_000_000_000_000;

/// Largest number of replicas of one kind.
const REPLICAS_MAX: i64 = 1 << 31;

/// Largest cost of a replica and largest load, as powers of two: sums of products stay in `i128`.
const COST_BITS: u32 = 80;
const LOAD_BITS: u32 = 78;

/// Most kinds and buckets of one problem; sets of kinds are bits of a word.
pub(crate) const KINDS_MAX: usize = 64;
const BUCKETS_MAX: usize = 4_096;

/// Why a problem cannot be solved at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No kind serves this bucket.
    Bucket(usize),
    /// The numbers do not fit.
    Size,
}

/// A division of buckets over kinds, by bucket and kind, in parts of a whole.
pub(crate) type Shares = Vec<Vec<i128>>;

impl Problem {
    /// Parts of each bucket.
    pub(crate) fn parts(&self) -> i128 {
        self.slices.map_or(FINE, |slices| i128::from(slices.max(1)))
    }

    /// Whether the numbers are in the range that the search computes in, and every bucket has a
    /// kind.
    pub(crate) fn validate(&self) -> Result<(), Refused> {
        let cost = |kind: &Kind| {
            (0..1 << COST_BITS).contains(&kind.cost)
                && (0..=REPLICAS_MAX).contains(&kind.most)
                && (0..=kind.most).contains(&kind.fewest)
        };
        let sized = self.kinds.len() <= KINDS_MAX
            && self.loads.len() <= BUCKETS_MAX
            && self.kinds.iter().all(cost)
            && (1..1 << 50).contains(&self.room)
            && (0..=REPLICAS_MAX).contains(&self.least)
            && self.slices.is_none_or(|slices| (1..=1 << 16).contains(&slices));
        if !sized {
            return Err(Refused::Size);
        }
        for (bucket, loads) in self.loads.iter().enumerate() {
            if loads.iter().all(Option::is_none) {
                return Err(Refused::Bucket(bucket));
            }
            if loads.iter().flatten().any(|load| !(0..1 << LOAD_BITS).contains(load)) {
                return Err(Refused::Size);
            }
        }
        for kind in 0..self.kinds.len() {
            let sum: i128 = self.loads.iter().filter_map(|loads| loads[kind]).sum();
            if sum / self.room >= i128::from(REPLICAS_MAX) {
                return Err(Refused::Size);
            }
        }
        Ok(())
    }

    /// The load of a division on each kind, times the parts of a bucket; `None` where a bucket is
    /// on a kind that cannot serve it.
    pub(crate) fn loaded(&self, shares: &Shares) -> Option<Vec<i128>> {
        let mut sums = vec![0_i128; self.kinds.len()];
        for (loads, shares) in self.loads.iter().zip(shares) {
            for ((sum, load), share) in sums.iter_mut().zip(loads).zip(shares) {
                if *share != 0 {
                    *sum += share * (*load)?;
                }
            }
        }
        Some(sums)
    }

    /// Fewest replicas of each kind that carry a division.
    pub(crate) fn counts(&self, shares: &Shares) -> Option<Vec<i64>> {
        let room = self.room * self.parts();
        let whole = |load: i128| {
            let more = i128::from(load % room > 0);
            i64::try_from(load / room + more).ok()
        };
        self.loaded(shares)?.into_iter().map(whole).collect()
    }

    /// Whether counts carry a division, within every limit: what an answer is checked by.
    pub(crate) fn carries(&self, counts: &[i64], shares: &Shares) -> bool {
        let whole = |shares: &Vec<i128>| {
            shares.iter().all(|share| *share >= 0) && shares.iter().sum::<i128>() == self.parts()
        };
        let used = |group: &&Vec<usize>| group.iter().filter(|kind| counts[**kind] > 0).count();
        let Some(needed) = self.counts(shares) else { return false };
        shares.len() == self.loads.len()
            && shares.iter().all(whole)
            && needed.iter().zip(counts).all(|(needed, count)| needed <= count)
            && self
                .kinds
                .iter()
                .zip(counts)
                .all(|(kind, count)| (kind.fewest..=kind.most).contains(count))
            && counts.iter().sum::<i64>() >= self.least
            && self.rivals.iter().all(|group| used(&group) <= 1)
    }

    /// The common divisor of all costs: every choice costs a multiple of it.
    pub(crate) fn grain(&self) -> i128 {
        self.kinds.iter().fold(0, |grain, kind| gcd(grain, kind.cost)).max(1)
    }

    /// What counts cost.
    pub(crate) fn cost(&self, counts: &[i64]) -> i128 {
        self.kinds.iter().zip(counts).map(|(kind, count)| kind.cost * i128::from(*count)).sum()
    }
}
