//! The weights of resources by which their sum binds hardest.

use super::super::problem::DIMS;
use super::{GRAIN, Sized, by_worth, weighted};

/// Fixed point of mean counts.
pub(super) const MEAN: u32 = 16;
/// The weight of the first resource that binds.
const BASE: u64 = 1 << 16;
/// Steps of a weight in one power of two.
const STEPS: u32 = 512;
/// How many powers.
const POWERS: u32 = 32;

/// Weights with what they prove.
pub(super) struct Weighed {
    pub(super) weights: [u64; DIMS],
    /// No content is worth more.
    pub(super) upper: u64,
    /// How many of each item the relaxation holds.
    pub(super) mean: Vec<u64>,
}

/// Seeks weights by which the relaxation uses no more than there is of any resource. With two that
/// bind it is found exactly; with more, one after the other in turns, and any weights prove a
/// bound.
pub(super) fn weigh(sized: &[Sized]) -> Weighed {
    // What cannot run out has no weight.
    let runs_out = |d: &usize| {
        let all = sized.iter().map(|item| u128::from(item.size[*d]) * u128::from(item.most));
        all.sum::<u128>() > 1 << GRAIN
    };
    let binding: Vec<usize> = (0..DIMS).filter(runs_out).collect();
    let Some((first, others)) = binding.split_first() else {
        let all = sized.iter().map(|item| item.worth.saturating_mul(item.most));
        let upper = all.fold(0, u64::saturating_add);
        let mean = sized.iter().map(|item| item.most << MEAN).collect();
        return Weighed { weights: [1; DIMS], upper, mean };
    };
    let mut weights = [0; DIMS];
    weights[*first] = BASE;
    let order = sized.iter().enumerate().map(|(at, item)| Ranked { worth: item.worth, sum: 0, at });
    let mut tries = Tries { sized, order: order.collect(), best: u64::MAX, kept: weights };
    tries.used(&weights);
    let mut filled = Filled { over: (weights, 0), under: None };
    let turns = if others.len() > 1 { 2 } else { 1 };
    for _ in 0..turns {
        for d in others {
            let found = tries.balance(*d);
            if found.under.is_some() || filled.under.is_none() {
                filled = found;
            }
        }
    }
    let mean = tries.mean(&filled);
    Weighed { weights: tries.kept, upper: tries.best, mean }
}

/// Weights, and what the filling by them uses of the resource that is sought for.
type Filling = ([u64; DIMS], u64);

/// The fillings between which all of a resource is used.
struct Filled {
    over: Filling,
    /// With no more than there is; `None` where there is enough without a weight.
    under: Option<Filling>,
}

/// An item in the order of worth for its size.
#[derive(Clone, Copy)]
struct Ranked {
    worth: u64,
    sum: u64,
    at: usize,
}

struct Tries<'s> {
    sized: &'s [Sized],
    /// The order of the weights that were tried last: that of the next ones differs little.
    order: Vec<Ranked>,
    best: u64,
    kept: [u64; DIMS],
}

impl Tries<'_> {
    fn sort(&mut self, weights: &[u64; DIMS]) {
        for ranked in &mut self.order {
            ranked.sum = weighted(weights, &self.sized[ranked.at].size);
        }
        self.order
            .sort_by(|a, b| by_worth((a.worth, a.sum), (b.worth, b.sum)).then(a.at.cmp(&b.at)));
    }

    /// Fills by some weights, and keeps them where they prove more than those before: what is used
    /// of each resource.
    fn used(&mut self, weights: &[u64; DIMS]) -> [u64; DIMS] {
        self.sort(weights);
        let (mut left, mut worth, mut used) = (room(weights), 0, [0; DIMS]);
        for Ranked { sum, at, .. } in &self.order {
            let item = &self.sized[*at];
            let count = left.checked_div(*sum).map_or(item.most, |fits| fits.min(item.most));
            worth += item.worth * count;
            left -= sum * count;
            for (used, size) in used.iter_mut().zip(&item.size) {
                *used += size * count;
            }
            if count < item.most {
                worth += part(item.worth, left, *sum) + 1;
                for (used, size) in used.iter_mut().zip(&item.size) {
                    *used += part(*size, left, *sum);
                }
                break;
            }
        }
        if worth < self.best {
            (self.best, self.kept) = (worth, *weights);
        }
        used
    }

    /// How many of each item the filling by some weights holds.
    fn counts(&mut self, weights: &[u64; DIMS]) -> Vec<u64> {
        self.sort(weights);
        let (mut left, mut counts) = (room(weights), vec![0; self.sized.len()]);
        for Ranked { sum, at, .. } in &self.order {
            let most = self.sized[*at].most;
            let count = left.checked_div(*sum).map_or(most, |fits| fits.min(most));
            left -= sum * count;
            counts[*at] = count << MEAN;
            if count < most {
                counts[*at] += part(1 << MEAN, left, *sum);
                break;
            }
        }
        counts
    }

    /// Seeks the weight of one resource, with those of the others as they are.
    fn balance(&mut self, d: usize) -> Filled {
        let whole = 1 << GRAIN;
        let mut weights = self.kept;
        weights[d] = 0;
        let used = self.used(&weights)[d];
        let mut filled = Filled { over: (weights, used), under: None };
        if used <= whole {
            return filled;
        }
        let (mut low, mut high) = (0, POWERS * STEPS - 1);
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            weights[d] = power(middle);
            let used = self.used(&weights)[d];
            if used > whole {
                (low, filled.over) = (middle, (weights, used));
            } else {
                (high, filled.under) = (middle, Some((weights, used)));
            }
        }
        filled
    }

    /// The mean of both fillings that uses exactly all of the resource.
    fn mean(&mut self, filled: &Filled) -> Vec<u64> {
        let (weights, over) = filled.over;
        let more = self.counts(&weights);
        let Some((weights, under)) = filled.under else { return more };
        let fewer = self.counts(&weights);
        let whole = 1_u64 << GRAIN;
        let (above, below) = (over.saturating_sub(whole), whole.saturating_sub(under));
        let all = u128::from(above + below).max(1);
        let mix = |(more, fewer): (&u64, &u64)| {
            let sum =
                u128::from(*more) * u128::from(below) + u128::from(*fewer) * u128::from(above);
            u64::try_from(sum / all).unwrap_or(0)
        };
        more.iter().zip(&fewer).map(mix).collect()
    }
}

/// The weighted sum of a whole machine.
fn room(weights: &[u64; DIMS]) -> u64 {
    weights.iter().sum::<u64>() << GRAIN
}

/// A part of an amount: as much as is left of a size.
fn part(amount: u64, left: u64, sum: u64) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(left) / u128::from(sum)).unwrap_or(u64::MAX)
}

/// `2 ^ (step / STEPS)`, in a straight line between whole powers.
fn power(step: u32) -> u64 {
    let (whole, part) = (step / STEPS, step % STEPS);
    (1 << whole) + ((1_u64 << whole) * u64::from(part)) / u64::from(STEPS)
}
