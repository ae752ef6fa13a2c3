//! The arithmetic of sharing: what nobody allocated, and what all have in common, put on those who
//! pay. Exact, by largest remainder: nothing is lost and nothing appears.
//!
//! What a contract saved goes where its cost goes, by the same weights, and is split by itself: a
//! list price is what is charged and what was saved, so no rounding puts it below its cost.
//!
//! It knows amounts by number of row and pool, and refuses to know what they are of.

use farthing_model::{SplitError, split};
use std::collections::BTreeMap;

/// What becomes of what nobody allocated, and of overhead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShareIdle {
    /// Rows of their own.
    #[default]
    Separate,
    /// The same for everyone.
    Even,
    /// In proportion to what each was charged before.
    Proportional,
}

/// By what a proportional share is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weigh {
    /// By all that is charged.
    #[default]
    Total,
    /// Each resource by itself: idle accelerators go to those who use accelerators.
    Resource,
}

/// How [`share`] shares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) idle: ShareIdle,
    pub(super) weigh: Weigh,
    /// Common costs go to all rows alike.
    pub(super) even: bool,
    /// Only what a filter keeps takes a share.
    pub(super) after_filter: bool,
    /// A common cost that is nobody's.
    pub(super) flat: i128,
}

/// What one row is charged in one pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion<const N: usize> {
    pub(super) row: usize,
    pub(super) pool: usize,
    /// Whether a filter keeps it.
    pub(super) kept: bool,
    /// Whether all others share it.
    pub(super) common: bool,
    pub(super) own: [i128; N],
    /// What a contract took off it.
    pub(super) discount: i128,
}

/// What nobody is charged for, in one pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spare<const N: usize> {
    pub(super) pool: usize,
    /// Whether a filter keeps it; not known, where that depends on who has the rest of the pool.
    pub(super) kept: Option<bool>,
    pub(super) amount: [i128; N],
    /// What a contract took off it.
    pub(super) discount: [i128; N],
}

/// What a portion takes beside its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken<const N: usize> {
    /// Of its pool, by kind.
    pub(super) spare: [i128; N],
    /// Of its pool, of all kinds.
    pub(super) lump: i128,
    /// Of common costs.
    pub(super) common: i128,
    /// What a contract took off all of this.
    pub(super) discount: i128,
}

impl<const N: usize> Taken<N> {
    const NONE: Self = Self { spare: [0; N], lump: 0, common: 0, discount: 0 };

    pub(super) fn of_pool(&self) -> i128 {
        self.spare.iter().sum::<i128>() + self.lump
    }
}

/// Where everything went. What a spare has neither kept nor dropped is taken by portions.
pub(super) struct Shares<const N: usize> {
    /// For each portion.
    pub(super) taken: Vec<Taken<N>>,
    /// For each spare, what stays a row of its own.
    pub(super) kept: Vec<[i128; N]>,
    /// What a contract took off that.
    pub(super) kept_discount: Vec<i128>,
    /// For each spare, what a filter leaves out.
    pub(super) dropped: Vec<[i128; N]>,
    /// Whether common portions stay as they are, because there is nobody else.
    pub(super) common_stays: bool,
    /// Common costs that nobody takes.
    pub(super) common_apart: i128,
    /// What a contract took off these.
    pub(super) apart_discount: i128,
}

/// Shares what is spare in each pool, then what is common.
///
/// # Errors
/// A weight below zero, or amounts that are too large.
pub(super) fn share<const N: usize>(
    portions: &[Portion<N>],
    spares: &[Spare<N>],
    rules: Rules,
) -> Result<Shares<N>, SplitError> {
    let mut sharing = Sharing { portions, spares, rules, shares: Shares::none(portions, spares) };
    let mut pools: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, portion) in portions.iter().enumerate() {
        pools.entry(portion.pool).or_default().0.push(index);
    }
    for (index, spare) in spares.iter().enumerate() {
        pools.entry(spare.pool).or_default().1.push(index);
    }
    for (members, spare) in pools.values() {
        if rules.idle == ShareIdle::Separate {
            sharing.apportion(members, spare)?;
        } else {
            sharing.distribute(members, spare)?;
        }
    }
    sharing.common()?;
    Ok(sharing.shares)
}

impl<const N: usize> Shares<N> {
    fn none(portions: &[Portion<N>], spares: &[Spare<N>]) -> Self {
        Self {
            taken: vec![Taken::NONE; portions.len()],
            kept: vec![[0; N]; spares.len()],
            kept_discount: vec![0; spares.len()],
            dropped: vec![[0; N]; spares.len()],
            common_stays: false,
            common_apart: 0,
            apart_discount: 0,
        }
    }
}

struct Sharing<'a, const N: usize> {
    portions: &'a [Portion<N>],
    spares: &'a [Spare<N>],
    rules: Rules,
    shares: Shares<N>,
}

impl<const N: usize> Sharing<'_, N> {
    fn total(&self, index: usize) -> i128 {
        self.portions[index].own.iter().sum()
    }

    /// The weight of a portion for one kind.
    fn weight(&self, index: usize, kind: usize) -> i128 {
        match self.rules.weigh {
            Weigh::Total => self.total(index),
            Weigh::Resource => self.portions[index].own[kind],
        }
    }

    /// What the members of a pool weigh for each kind, and in all: those that a filter keeps, and
    /// the others. Common ones count as kept, as they are shared with what is.
    fn sides(&self, members: &[usize]) -> [(i128, i128); N] {
        let weighed = |weight: &dyn Fn(usize) -> i128| {
            let (mut kept, mut dropped) = (0, 0);
            for index in members {
                let Portion { kept: is_kept, common, .. } = self.portions[*index];
                let side = if is_kept || common { &mut kept } else { &mut dropped };
                *side += weight(*index);
            }
            (kept, dropped)
        };
        let total = weighed(&|index| self.total(index));
        std::array::from_fn(|kind| match weighed(&|index| self.weight(index, kind)) {
            // Of what nobody has any, it goes with all that they have.
            (0, 0) => total,
            sides => sides,
        })
    }

    /// A spare stays. Where a filter is open about it, it keeps what goes with what it keeps of
    /// the rest of the pool; where there is nothing to go with, nothing.
    fn stays(
        &mut self,
        spare: usize,
        kind: usize,
        (kept, dropped): (i128, i128),
    ) -> Result<(), SplitError> {
        let Spare { kept: decided, amount, discount, .. } = self.spares[spare];
        let cut = |whole| match decided {
            Some(true) => Ok([whole, 0]),
            None if kept != 0 || dropped != 0 => {
                split(whole, &[kept, dropped]).map(|parts| [parts[0], parts[1]])
            }
            _ => Ok([0, whole]),
        };
        let [stays, goes] = cut(amount[kind])?;
        self.shares.kept[spare][kind] = stays;
        self.shares.dropped[spare][kind] = goes;
        self.shares.kept_discount[spare] += cut(discount[kind])?[0];
        Ok(())
    }

    /// Nothing is shared.
    fn apportion(&mut self, members: &[usize], spares: &[usize]) -> Result<(), SplitError> {
        for (kind, sides) in self.sides(members).into_iter().enumerate() {
            for spare in spares {
                self.stays(*spare, kind, sides)?;
            }
        }
        Ok(())
    }

    /// The members of a pool take what is spare in it.
    fn distribute(&mut self, members: &[usize], spares: &[usize]) -> Result<(), SplitError> {
        let after = self.rules.after_filter;
        let takes = |portion: &Portion<N>| !after || portion.kept || portion.common;
        let takers: Vec<usize> =
            members.iter().copied().filter(|index| takes(&self.portions[*index])).collect();
        let gives = |spare: &Spare<N>| !after || spare.kept != Some(false);
        let (pooled, left): (Vec<usize>, Vec<usize>) =
            spares.iter().partition(|index| gives(&self.spares[**index]) && !takers.is_empty());
        let sides = self.sides(members);
        for spare in left {
            for (kind, sides) in sides.into_iter().enumerate() {
                self.stays(spare, kind, sides)?;
            }
        }
        let mut whole = [Whole::default(); N];
        for spare in &pooled {
            let Spare { amount, discount, .. } = self.spares[*spare];
            for (sum, more) in whole.iter_mut().zip(amount.into_iter().zip(discount)) {
                *sum = sum.plus(more)?;
            }
        }
        if self.rules.weigh == Weigh::Total || self.rules.idle == ShareIdle::Even {
            return self.lump(&takers, whole);
        }
        for (kind, whole) in whole.into_iter().enumerate() {
            let weights: Vec<i128> =
                takers.iter().map(|index| self.portions[*index].own[kind]).collect();
            if weights.iter().all(|weight| *weight == 0) {
                // Nobody has any of this kind: it stays what it is.
                for spare in &pooled {
                    self.stays(*spare, kind, sides[kind])?;
                }
                continue;
            }
            let (amounts, discounts) = whole.split(&weights)?;
            for (index, (part, off)) in takers.iter().zip(amounts.into_iter().zip(discounts)) {
                self.shares.taken[*index].spare[kind] = part;
                self.shares.taken[*index].discount += off;
            }
        }
        Ok(())
    }

    fn lump(&mut self, takers: &[usize], whole: [Whole; N]) -> Result<(), SplitError> {
        if self.rules.weigh == Weigh::Resource {
            for (kind, whole) in whole.into_iter().enumerate() {
                for (index, (part, off)) in self.evenly(whole, takers)? {
                    self.shares.taken[index].spare[kind] += part;
                    self.shares.taken[index].discount += off;
                }
            }
            return Ok(());
        }
        let plus = |sum: Whole, more: Whole| sum.plus((more.amount, more.discount));
        let whole = whole.into_iter().try_fold(Whole::default(), plus)?;
        for (index, (part, off)) in
            self.divide(whole, takers, self.rules.idle == ShareIdle::Even)?
        {
            self.shares.taken[index].lump += part;
            self.shares.taken[index].discount += off;
        }
        Ok(())
    }

    /// Divides in proportion to all that is charged, or evenly by row.
    fn divide(&self, whole: Whole, takers: &[usize], even: bool) -> Result<Vec<Part>, SplitError> {
        let weights: Vec<i128> = takers.iter().map(|index| self.total(*index)).collect();
        if even || weights.iter().all(|weight| *weight == 0) {
            return self.evenly(whole, takers);
        }
        let (amounts, discounts) = whole.split(&weights)?;
        Ok(takers.iter().copied().zip(amounts.into_iter().zip(discounts)).collect())
    }

    /// Each row the same; inside a row by what its portions are charged.
    fn evenly(&self, whole: Whole, takers: &[usize]) -> Result<Vec<Part>, SplitError> {
        if takers.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows: BTreeMap<(usize, bool), Vec<usize>> = BTreeMap::new();
        for index in takers {
            let portion = &self.portions[*index];
            rows.entry((portion.row, portion.common)).or_default().push(*index);
        }
        let mut parts = Vec::with_capacity(takers.len());
        let (amounts, discounts) = whole.split(&vec![1; rows.len()])?;
        for (members, (amount, discount)) in rows.values().zip(amounts.into_iter().zip(discounts)) {
            let mut weights: Vec<i128> = members.iter().map(|index| self.total(*index)).collect();
            if weights.iter().all(|weight| *weight == 0) {
                weights.fill(1);
            }
            let (amounts, discounts) = Whole { amount, discount }.split(&weights)?;
            parts.extend(members.iter().copied().zip(amounts.into_iter().zip(discounts)));
        }
        Ok(parts)
    }

    /// All others take what is common, with what that took of its pools.
    fn common(&mut self) -> Result<(), SplitError> {
        let after = self.rules.after_filter;
        let (common, others): (Vec<usize>, Vec<usize>) =
            (0..self.portions.len()).partition(|index| self.portions[*index].common);
        self.shares.common_stays = others.is_empty();
        let mut whole = Whole { amount: self.rules.flat, discount: 0 };
        for index in common.into_iter().filter(|_| !others.is_empty()) {
            let taken = &self.shares.taken[index];
            let discount = self.portions[index].discount + taken.discount;
            whole = whole.plus((self.total(index) + taken.of_pool(), discount))?;
        }
        let takers: Vec<usize> =
            others.into_iter().filter(|index| !after || self.portions[*index].kept).collect();
        if takers.is_empty() {
            self.shares.common_apart = whole.amount;
            self.shares.apart_discount = whole.discount;
            return Ok(());
        }
        for (index, (part, off)) in self.divide(whole, &takers, self.rules.even)? {
            self.shares.taken[index].common = part;
            self.shares.taken[index].discount += off;
        }
        Ok(())
    }
}

/// What a portion takes: its number, the amount, and what a contract took off that.
type Part = (usize, (i128, i128));

/// An amount that is divided, and what a contract took off it.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    amount: i128,
    discount: i128,
}

impl Whole {
    fn plus(self, (amount, discount): (i128, i128)) -> Result<Self, SplitError> {
        let amount = self.amount.checked_add(amount);
        let discount = self.discount.checked_add(discount);
        let sums = amount.zip(discount).ok_or(SplitError::Overflow)?;
        Ok(Self { amount: sums.0, discount: sums.1 })
    }

    /// Both by the same weights.
    fn split(self, weights: &[i128]) -> Result<(Vec<i128>, Vec<i128>), SplitError> {
        Ok((split(self.amount, weights)?, split(self.discount, weights)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn portion(row: usize, own: [i128; 2]) -> Portion<2> {
        Portion { row, pool: 0, kept: true, common: false, own, discount: 0 }
    }

    fn rules(idle: ShareIdle, weigh: Weigh) -> Rules {
        Rules { idle, weigh, ..Rules::default() }
    }

    /// The reference clamps a pool that is below zero (more charged than paid) to nothing; here it
    /// comes off what is charged, or the sum would be more than was paid.
    #[test]
    fn what_is_spare_may_be_below_zero() {
        let portions = [portion(0, [30, 0]), portion(1, [10, 0])];
        let spares = [Spare { pool: 0, kept: Some(true), amount: [-8, 0], discount: [0; 2] }];
        let proportional = rules(ShareIdle::Proportional, Weigh::Resource);
        let shares = share(&portions, &spares, proportional).unwrap();
        assert_eq!([shares.taken[0].spare[0], shares.taken[1].spare[0]], [-6, -2]);
        let apart = share(&portions, &spares, Rules::default()).unwrap();
        assert_eq!(apart.kept, [[-8, 0]]);
    }

    #[test]
    fn a_kind_that_nobody_has_stays_apart() {
        let portions = [portion(0, [30, 0]), portion(1, [10, 0])];
        let spares = [Spare { pool: 0, kept: Some(true), amount: [4, 7], discount: [2, 1] }];
        let by_kind = rules(ShareIdle::Proportional, Weigh::Resource);
        let shares = share(&portions, &spares, by_kind).unwrap();
        assert_eq!((shares.taken[0].spare, shares.kept[0]), ([3, 0], [0, 7]));
        // 1.5 and 0.5 of what was saved on the first, and the tie goes to the earlier.
        assert_eq!((shares.taken[0].discount, shares.taken[1].discount), (2, 0));
        assert_eq!(shares.kept_discount, [1]);
        let total = share(&portions, &spares, rules(ShareIdle::Proportional, Weigh::Total));
        let lumps: Vec<_> = total.unwrap().taken.iter().map(|taken| taken.lump).collect();
        assert_eq!(lumps, [8, 3]);
    }

    #[test]
    fn what_all_share_stays_where_there_is_nobody_else() {
        let mut only = portion(0, [5, 5]);
        only.common = true;
        let shares = share(&[only], &[], Rules { flat: 3, ..Rules::default() }).unwrap();
        assert_eq!((shares.common_stays, shares.common_apart), (true, 3));
    }

    /// What a contract took off is not lost either, and nowhere below zero.
    fn saved(portions: &[Portion<2>], spares: &[Spare<2>], shares: &Shares<2>) {
        let own: i128 = portions.iter().map(|portion| portion.discount).sum();
        let all: i128 = own + spares.iter().flat_map(|spare| spare.discount).sum::<i128>();
        let mut out = shares.apart_discount;
        for (portion, taken) in portions.iter().zip(&shares.taken) {
            assert!(taken.discount >= 0);
            if !portion.common || shares.common_stays {
                out += portion.discount + taken.discount;
            }
        }
        for (kept, spare) in shares.kept_discount.iter().zip(spares) {
            assert!((0..=spare.discount.iter().sum()).contains(kept));
        }
        // What a filter leaves out is what is missing.
        let left: i128 = shares.kept_discount.iter().sum();
        assert!(out + left <= all);
        if spares.iter().all(|spare| spare.kept == Some(true)) {
            assert_eq!(out + left, all);
        }
    }

    proptest! {
        /// Whatever is shared, and however: the parts are the whole.
        #[test]
        fn nothing_is_lost(
            portions in prop::collection::vec(
                (0_usize..4, 0_usize..3, any::<bool>(), any::<bool>(), [0_i128..99, 0..99, 0..9]),
                0..12,
            ),
            spares in prop::collection::vec(
                (0_usize..3, 0_usize..3, [-50_i128..99, -50..99], [0_i128..9, 0..9]), 0..6,
            ),
            how in (0_usize..3, any::<bool>(), any::<bool>(), any::<bool>(), 0_i128..50),
        ) {
            let portions: Vec<_> = portions
                .into_iter()
                .map(|(row, pool, kept, common, [a, b, discount])| {
                    Portion { row, pool, kept, common, own: [a, b], discount }
                })
                .collect();
            let spares: Vec<_> = spares
                .into_iter()
                .map(|(pool, kept, amount, discount)| {
                    let kept = [Some(true), Some(false), None][kept];
                    Spare { pool, kept, amount, discount }
                })
                .collect();
            let rules = Rules {
                idle: [ShareIdle::Separate, ShareIdle::Even, ShareIdle::Proportional][how.0],
                weigh: if how.1 { Weigh::Total } else { Weigh::Resource },
                even: how.2,
                after_filter: how.3,
                flat: how.4,
            };
            let shares = share(&portions, &spares, rules).unwrap();
            let own: i128 = portions.iter().flat_map(|portion| portion.own).sum();
            let spare: i128 = spares.iter().flat_map(|spare| spare.amount).sum();
            let mut out = shares.common_apart;
            for (portion, taken) in portions.iter().zip(&shares.taken) {
                if !portion.common || shares.common_stays {
                    out += portion.own.iter().sum::<i128>() + taken.of_pool();
                }
                out += taken.common;
            }
            out += shares.kept.iter().flatten().sum::<i128>();
            out += shares.dropped.iter().flatten().sum::<i128>();
            prop_assert_eq!(out, own + spare + rules.flat);
            saved(&portions, &spares, &shares);
        }
    }
}
