//! From a relaxed division to one that is allowed: whole numbers of replicas and of slices.

use super::fixed::{ONE, PLACES};
use super::pack::{Manner, Pack};
use super::problem::{FINE, Problem, Shares};
use super::state::{Relaxed, State};

/// A part of a replica, as a power of two, that is no more than lost digits.
const DUST_BITS: u32 = 31;
/// The same of what the digits lose where replicas are many.
const LOST_BITS: u32 = 16;

/// A relaxation with what it was made from.
pub(super) struct Rounding<'s> {
    pub(super) problem: &'s Problem,
    pub(super) state: &'s State,
    pub(super) relaxed: &'s Relaxed,
    /// How slices are fitted, one after the other until they are.
    pub(super) manners: &'s [Manner],
}

impl Rounding<'_> {
    /// Counts and a division near the relaxation, with slices in the given counts.
    pub(super) fn choice(&self, counts: &[i64]) -> Option<(Vec<i64>, Shares)> {
        let shares = if self.problem.slices.is_some() {
            self.sliced(counts)?
        } else {
            let mut fine = self.fine();
            self.settle(counts, &mut fine);
            fine
        };
        let mut counts = self.problem.counts(&shares)?;
        self.raise(&mut counts)?;
        Some((counts, shares))
    }

    /// The relaxed division in parts of a bucket; the key takes what rounding leaves.
    fn fine(&self) -> Shares {
        let mut shares = vec![vec![0; self.problem.kinds.len()]; self.problem.loads.len()];
        let mut left: Vec<i128> = vec![FINE; self.state.parts.len()];
        for (part, kind, share) in &self.relaxed.taken {
            let taken = ((FINE * i128::from(*share)) >> PLACES).min(left[*part]);
            left[*part] -= taken;
            shares[self.state.parts[*part].bucket][*kind] += taken;
        }
        for (index, (part, key)) in self.state.parts.iter().zip(&self.state.key).enumerate() {
            let shares = &mut shares[part.bucket];
            // What only lost digits leave would cost a replica where nothing else is.
            let others = self.relaxed.taken.iter().filter(|(at, ..)| *at == index);
            let most = others.max_by_key(|(_, _, share)| *share);
            let loads = &self.problem.loads[part.bucket];
            let dust = |kind: usize| {
                let load = loads[kind].unwrap_or(0);
                left[index] * load < (self.problem.room >> DUST_BITS) * FINE
            };
            let to = most.filter(|(_, kind, _)| dust(*key) && dust(*kind));
            let to = to.map_or(*key, |(_, kind, _)| *kind);
            shares[to] += left[index];
        }
        shares
    }

    /// Moves what lost digits put over the room of counts to where there is some left, if no more
    /// than that is over. What cannot be moved stays, and asks for a replica more.
    fn settle(&self, counts: &[i64], shares: &mut Shares) {
        let whole = self.problem.room * FINE;
        for _ in 0..2 * counts.len() {
            let Some(loads) = self.problem.loaded(shares) else { return };
            let left =
                loads.iter().zip(counts).map(|(load, count)| whole * i128::from(*count) - load);
            let left: Vec<i128> = left.collect();
            let Some(from) = (0..left.len()).find(|kind| left[*kind] < 0) else { return };
            if -left[from] > whole >> LOST_BITS {
                return;
            }
            // How much goes, and what it takes there of what is left.
            let moves = self.problem.loads.iter().enumerate().flat_map(|(bucket, loads)| {
                let own = loads[from].unwrap_or(0).max(1);
                let part = -left[from].div_euclid(own);
                let enough = part <= shares[bucket][from];
                let left = &left;
                loads.iter().enumerate().filter_map(move |(to, load)| {
                    let fits = enough && to != from && part * (*load)? <= left[to];
                    fits.then_some(((*load)? << 20) / own).map(|worse| (worse, part, bucket, to))
                })
            });
            let Some((_, part, bucket, to)) = moves.min() else { return };
            shares[bucket][from] -= part;
            shares[bucket][to] += part;
        }
    }

    /// Whole slices that fit counts: the relaxed ones rounded down, the others with the key, and
    /// then repaired.
    fn sliced(&self, counts: &[i64]) -> Option<Shares> {
        let kinds = self.problem.kinds.len();
        let mut shares = vec![vec![0_i128; kinds]; self.problem.loads.len()];
        let mut left: Vec<i128> =
            self.state.parts.iter().map(|part| i128::from(part.slices)).collect();
        for (part, kind, share) in &self.relaxed.taken {
            let slices = i128::from(self.state.parts[*part].slices);
            let nearly = (slices * i128::from(*share) + i128::from(ONE >> 20)) >> PLACES;
            let taken = nearly.min(left[*part]);
            left[*part] -= taken;
            shares[self.state.parts[*part].bucket][*kind] += taken;
        }
        for ((part, key), left) in self.state.parts.iter().zip(&self.state.key).zip(left) {
            shares[part.bucket][*key] += left;
        }
        let pack = Pack::new(self.problem, counts, shares);
        self.manners.iter().find_map(|manner| pack.clone().repair(*manner))
    }

    /// More of the cheapest kind where there are fewer than there must be, and what the branch
    /// asks for at least.
    fn raise(&self, counts: &mut [i64]) -> Option<()> {
        for (count, fewest) in counts.iter_mut().zip(&self.state.lower) {
            *count = (*count).max(*fewest);
        }
        let mut missing = self.problem.least - counts.iter().sum::<i64>();
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|kind| (self.problem.kinds[*kind].cost, *kind));
        for kind in order {
            let more = missing.min(self.state.upper[kind] - counts[kind]).max(0);
            counts[kind] += more;
            missing -= more;
        }
        (missing <= 0).then_some(())
    }
}
