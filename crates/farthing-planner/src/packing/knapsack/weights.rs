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
    let mut tries =
        Tries { sized, order: (0..sized.len()).collect(), best: u64::MAX, kept: weights };
    let mut mean = tries.of(&weights).counts;
    let turns = if others.len() > 1 { 2 } else { 1 };
    for _ in 0..turns {
        let mut mixture = false;
        for d in others {
            match tries.balance(*d) {
                Balance::Mixture(counts) => (mean, mixture) = (counts, true),
                Balance::NotNeeded(counts) if !mixture => mean = counts,
                Balance::NotNeeded(_) => {}
            }
        }
    }
    Weighed { weights: tries.kept, upper: tries.best, mean }
}

/// A filling by some weights.
struct Filling {
    used: [u64; DIMS],
    counts: Vec<u64>,
}

enum Balance {
    /// There is enough of the resource without a weight.
    NotNeeded(Vec<u64>),
    /// Two fillings together use exactly all of it.
    Mixture(Vec<u64>),
}

struct Tries<'s> {
    sized: &'s [Sized],
    order: Vec<usize>,
    best: u64,
    kept: [u64; DIMS],
}

impl Tries<'_> {
    /// Fills by some weights, and keeps them where they prove more than those before.
    fn of(&mut self, weights: &[u64; DIMS]) -> Filling {
        let sized = self.sized;
        let sums: Vec<u64> = sized.iter().map(|item| weighted(weights, &item.size)).collect();
        self.order.sort_by(|a, b| {
            by_worth((sized[*a].worth, sums[*a]), (sized[*b].worth, sums[*b])).then(a.cmp(b))
        });
        let room = weights.iter().sum::<u64>() << GRAIN;
        let (upper, filling) = fractional(sized, &self.order, &sums, room);
        if upper < self.best {
            (self.best, self.kept) = (upper, *weights);
        }
        filling
    }

    /// Seeks the weight of one resource, with those of the others as they are.
    fn balance(&mut self, d: usize) -> Balance {
        let whole = 1 << GRAIN;
        let mut weights = self.kept;
        weights[d] = 0;
        let none = self.of(&weights);
        if none.used[d] <= whole {
            return Balance::NotNeeded(none.counts);
        }
        let (mut low, mut high) = (0, POWERS * STEPS - 1);
        let (mut over, mut under) = (none, None);
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            weights[d] = power(middle);
            let filling = self.of(&weights);
            if filling.used[d] > whole {
                (low, over) = (middle, filling);
            } else {
                (high, under) = (middle, Some(filling));
            }
        }
        Balance::Mixture(match under {
            Some(under) => mixed(d, &over, &under),
            None => over.counts,
        })
    }
}

/// `2 ^ (step / STEPS)`, in a straight line between whole powers.
fn power(step: u32) -> u64 {
    let (whole, part) = (step / STEPS, step % STEPS);
    (1 << whole) + ((1_u64 << whole) * u64::from(part)) / u64::from(STEPS)
}

/// The mean of two fillings that uses exactly all of a resource.
fn mixed(d: usize, over: &Filling, under: &Filling) -> Vec<u64> {
    let whole = 1_u64 << GRAIN;
    let (above, below) = (over.used[d].saturating_sub(whole), whole.saturating_sub(under.used[d]));
    let all = u128::from(above + below).max(1);
    let mix = |(over, under): (&u64, &u64)| {
        let sum = u128::from(*over) * u128::from(below) + u128::from(*under) * u128::from(above);
        u64::try_from(sum / all).unwrap_or(0)
    };
    over.counts.iter().zip(&under.counts).map(mix).collect()
}

/// Fills a room of one sum in an order, the last in part: what that is worth at most, and what it
/// uses.
fn fractional(sized: &[Sized], order: &[usize], sums: &[u64], room: u64) -> (u64, Filling) {
    let mut filling = Filling { used: [0; DIMS], counts: vec![0; sized.len()] };
    let (mut left, mut worth) = (room, 0);
    for at in order {
        let (item, sum) = (&sized[*at], sums[*at]);
        let count = left.checked_div(sum).map_or(item.most, |fits| fits.min(item.most));
        worth += item.worth * count;
        left -= sum * count;
        filling.counts[*at] = count << MEAN;
        for (used, size) in filling.used.iter_mut().zip(&item.size) {
            *used += size * count;
        }
        if count < item.most {
            // A part of one more, rounded up.
            let part = |amount: u64| {
                let part = u128::from(amount) * u128::from(left) / u128::from(sum);
                u64::try_from(part).unwrap_or(u64::MAX)
            };
            filling.counts[*at] += part(1 << MEAN);
            for (used, size) in filling.used.iter_mut().zip(&item.size) {
                *used += part(*size);
            }
            return (worth + part(item.worth) + 1, filling);
        }
    }
    (worth, filling)
}
