//! Whether replicas can carry a load: a linear program in whole numbers, solved exactly.
//!
//! Buckets are divided over kinds of replicas in any proportion. A *pattern* sends each bucket
//! whole to one kind; every division is a mixture of patterns. We look for the mixture whose
//! fullest kind is least full, with one row per kind and one for the mixture, and add patterns
//! as the prices of the rows ask for them. Fractions live over one common denominator, so that
//! nothing is rounded but the loads themselves, by 10^-12 of a replica, upwards.

use super::whole::Whole;
use std::cmp::Ordering;

/// A replica in the units of loads.
pub(super) const REPLICA: i128 = 1_000_000_000_000;
/// How much fuller than full passes, as a part of this: a ten-millionth, more than what dividing
/// buckets into whole parts can need and far less than anyone can measure.
const TOLERANCE: i128 = 10_000_000;
/// Pivots before giving up; the usual number is below ten.
const PIVOTS_MAX: usize = 5_000;
/// Slice placements before giving up.
const TRIES_MAX: u64 = 300_000;

/// What could be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    /// The load can be carried.
    Enough,
    /// It cannot.
    TooLittle,
    /// The search was given up.
    Open,
}

/// Load of one bucket on each kind, in 10^-12 replicas; `None` = the kind cannot serve it.
pub(super) type Loads = [Vec<Option<i128>>];

/// Whether `room` (10^-12 replicas of each kind) carries all buckets, divided at will.
pub(super) fn carries(loads: &Loads, room: &[i128]) -> Cover {
    if loads.is_empty() {
        return Cover::Enough;
    }
    let kinds: Vec<usize> = (0..room.len()).filter(|kind| room[*kind] > 0).collect();
    let loads: Vec<Vec<Option<i128>>> =
        loads.iter().map(|bucket| kinds.iter().map(|kind| bucket[*kind]).collect()).collect();
    let room: Vec<i128> = kinds.iter().map(|kind| room[*kind]).collect();
    match pattern(&loads, &vec![Whole::from(1); room.len()]) {
        None => Cover::TooLittle,
        Some(first) => {
            Mixture::new(&room, &first).map_or(Cover::Open, |mut mixture| mixture.solve(&loads))
        }
    }
}

/// The pattern of least price, as the load on each kind; `None` if some bucket has no kind.
fn pattern(loads: &Loads, prices: &[Whole]) -> Option<Vec<i128>> {
    let mut sums = vec![0_i128; prices.len()];
    for bucket in loads {
        let mut best: Option<(Whole, usize, i128)> = None;
        for (kind, load) in bucket.iter().enumerate() {
            let Some(load) = load else { continue };
            let price = prices[kind].times(&Whole::from(*load));
            if best.as_ref().is_none_or(|(least, ..)| price.order(least) == Ordering::Less) {
                best = Some((price, kind, *load));
            }
        }
        let (_, kind, load) = best?;
        sums[kind] = sums[kind].checked_add(load)?;
    }
    Some(sums)
}

/// What a row of the basis stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basic {
    /// How full the fullest kind is.
    Fullness,
    /// Room left on a kind.
    Slack,
    /// The share of a pattern.
    Pattern,
}

/// The simplex basis: its inverse times `scale`, all whole.
struct Mixture {
    inverse: Vec<Vec<Whole>>,
    scale: Whole,
    basis: Vec<Basic>,
}

impl Mixture {
    /// Starts with one pattern; its fullest kind binds. `None` on overflow.
    fn new(room: &[i128], first: &[i128]) -> Option<Self> {
        let kinds = room.len();
        let mut full = 0;
        for kind in 1..kinds {
            // first[kind] / room[kind] > first[full] / room[full]
            let a = Whole::from(first[kind]).times(&Whole::from(room[full]));
            let b = Whole::from(first[full]).times(&Whole::from(room[kind]));
            if a.order(&b) == Ordering::Greater {
                full = kind;
            }
        }
        let unit = |place: usize| -> Vec<Whole> {
            (0..=kinds).map(|at| Whole::from(i128::from(at == place))).collect()
        };
        let mut start = Self {
            inverse: (0..=kinds).map(unit).collect(),
            scale: Whole::from(1),
            basis: vec![Basic::Slack; kinds + 1],
        };
        let mut pattern: Vec<Whole> = first.iter().map(|load| Whole::from(*load)).collect();
        pattern.push(Whole::from(1));
        start.pivot(&pattern, kinds, Basic::Pattern);
        let mut fullness: Vec<Whole> =
            room.iter().map(|room| room.checked_neg().map(Whole::from)).collect::<Option<_>>()?;
        fullness.push(Whole::ZERO);
        start.pivot(&fullness, full, Basic::Fullness);
        Some(start)
    }

    /// The column in terms of the basis, times `scale`.
    fn in_basis(&self, column: &[Whole]) -> Vec<Whole> {
        let dot = |row: &Vec<Whole>| {
            row.iter().zip(column).fold(Whole::ZERO, |sum, (a, b)| sum.plus(&a.times(b)))
        };
        self.inverse.iter().map(dot).collect()
    }

    /// Brings `column` into the basis at `row`.
    fn pivot(&mut self, column: &[Whole], row: usize, name: Basic) {
        let alpha = self.in_basis(column);
        let pivot_row = self.inverse[row].clone();
        for (index, line) in self.inverse.iter_mut().enumerate() {
            if index == row {
                continue;
            }
            for (cell, pivot) in line.iter_mut().zip(&pivot_row) {
                let value = cell.times(&alpha[row]).minus(&alpha[index].times(pivot));
                *cell = value.over(&self.scale);
            }
        }
        self.scale = alpha[row].clone();
        self.basis[row] = name;
        if self.scale.is_negative() {
            self.scale = Whole::ZERO.minus(&self.scale);
            for cell in self.inverse.iter_mut().flatten() {
                *cell = Whole::ZERO.minus(cell);
            }
        }
    }

    fn solve(&mut self, loads: &Loads) -> Cover {
        let rows = self.inverse.len();
        for _ in 0..PIVOTS_MAX {
            let Some(top) = self.basis.iter().position(|name| *name == Basic::Fullness) else {
                return Cover::Enough; // Nothing is loaded at all.
            };
            let fullness = self.inverse[top][rows - 1].times(&Whole::from(TOLERANCE));
            if fullness.order(&self.scale.times(&Whole::from(TOLERANCE + 1))) != Ordering::Greater {
                return Cover::Enough;
            }
            let prices = self.inverse[top].clone();
            let Some((column, name)) = Self::entering(&prices, loads) else {
                return Cover::TooLittle;
            };
            match self.leaving(&self.in_basis(&column)) {
                Some(row) => self.pivot(&column, row, name),
                None => return Cover::Open,
            }
        }
        Cover::Open
    }

    /// A column that would lower the fullness, if there is one.
    fn entering(prices: &[Whole], loads: &Loads) -> Option<(Vec<Whole>, Basic)> {
        let kinds = prices.len() - 1;
        if let Some(slack) = prices[..kinds].iter().position(Whole::is_positive) {
            let column = (0..=kinds).map(|at| Whole::from(i128::from(at == slack))).collect();
            return Some((column, Basic::Slack));
        }
        let weights: Vec<Whole> =
            prices[..kinds].iter().map(|price| Whole::ZERO.minus(price)).collect();
        let best = pattern(loads, &weights)?;
        let mut column: Vec<Whole> = best.into_iter().map(Whole::from).collect();
        column.push(Whole::from(1));
        let gain = prices
            .iter()
            .zip(&column)
            .fold(Whole::ZERO, |sum, (price, cell)| sum.plus(&price.times(cell)));
        gain.is_positive().then_some((column, Basic::Pattern))
    }

    /// The row that reaches zero first; ties by the rows of the inverse, so that no basis is
    /// met twice.
    fn leaving(&self, alpha: &[Whole]) -> Option<usize> {
        let last = alpha.len() - 1;
        let mut best: Option<usize> = None;
        for row in (0..alpha.len()).filter(|row| alpha[*row].is_positive()) {
            let before = |other: usize| {
                std::iter::once(last).chain(0..last).find_map(|cell| {
                    let a = self.inverse[row][cell].times(&alpha[other]);
                    let b = self.inverse[other][cell].times(&alpha[row]);
                    Some(a.order(&b)).filter(|order| order.is_ne())
                })
            };
            if best.is_none_or(|other| before(other) == Some(Ordering::Less)) {
                best = Some(row);
            }
        }
        best
    }
}

/// Whether `room` carries all buckets when each is cut into `slices` equal parts, each of which
/// is whole on one kind.
pub(super) fn carries_slices(loads: &Loads, room: &[i128], slices: u32) -> Cover {
    if carries(loads, room) == Cover::TooLittle {
        return Cover::TooLittle;
    }
    let parts = i128::from(slices.max(1));
    let room: Option<Vec<i128>> =
        room.iter().map(|room| room.checked_add(room / TOLERANCE)?.checked_mul(parts)).collect();
    let Some(mut room) = room else { return Cover::Open };
    let mut search = Slices { loads, parts: slices.max(1), tries: 0 };
    match search.place(0, 0, slices.max(1), &mut room) {
        Some(true) => Cover::Enough,
        Some(false) => Cover::TooLittle,
        None => Cover::Open,
    }
}

struct Slices<'a> {
    loads: &'a Loads,
    parts: u32,
    tries: u64,
}

impl Slices<'_> {
    /// Places what is left of `bucket` on kinds from `kind` on; `None` = given up.
    fn place(&mut self, bucket: usize, kind: usize, left: u32, room: &mut [i128]) -> Option<bool> {
        self.tries += 1;
        if self.tries > TRIES_MAX {
            return None;
        }
        let Some(loads) = self.loads.get(bucket) else { return Some(true) };
        if left == 0 {
            return self.place(bucket + 1, 0, self.parts, room);
        }
        let Some(load) = loads.get(kind) else { return Some(false) };
        // A load is that of all slices and the room is times slices: one slice weighs `load`.
        let most = match load {
            None => 0,
            Some(0) => left,
            Some(load) => u32::try_from(room[kind] / load).unwrap_or(left).min(left),
        };
        for count in (0..=most).rev() {
            let taken = i128::from(count) * load.unwrap_or(0);
            room[kind] -= taken;
            let fits = self.place(bucket, kind + 1, left - count, room);
            room[kind] += taken;
            if fits != Some(false) {
                return fits;
            }
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replicas(counts: &[i128]) -> Vec<i128> {
        counts.iter().map(|count| count * REPLICA).collect()
    }

    /// Load of `rate` on a kind that does `most` per second.
    fn load(rate: i128, most: i128) -> Option<i128> {
        (most > 0).then(|| (rate * REPLICA + most - 1) / most)
    }

    #[test]
    fn one_kind_is_a_sum() {
        let loads = [vec![load(3, 2)], vec![load(1, 2)]];
        assert_eq!(carries(&loads, &replicas(&[2])), Cover::Enough);
        assert_eq!(carries(&loads, &[2 * REPLICA - 1_000_000]), Cover::TooLittle);
        assert_eq!(carries(&loads, &replicas(&[0])), Cover::TooLittle);
        assert_eq!(carries(&[vec![None]], &replicas(&[9])), Cover::TooLittle);
        assert_eq!(carries(&[], &replicas(&[1])), Cover::Enough);
    }

    /// Two kinds, each good at one bucket: 1/3 of the second bucket must move, exactly.
    #[test]
    fn a_tight_mixture_is_found() {
        let loads = [vec![load(1, 1), load(1, 3)], vec![load(3, 2), load(3, 1)]];
        // Bucket 1 whole on kind 2 (1/3), bucket 2: x on kind 1 at 3/2, 1 - x on kind 2 at 3.
        // x = 2/3 fills kind 1; kind 2 then needs 1/3 + 1 = 4/3.
        let tight = [REPLICA, REPLICA * 4 / 3 + 1];
        assert_eq!(carries(&loads, &tight), Cover::Enough);
        let short = [REPLICA, REPLICA * 4 / 3 - 10_000_000];
        assert_eq!(carries(&loads, &short), Cover::TooLittle);
    }

    #[test]
    fn slices_stay_whole() {
        // One bucket of 1 over two kinds of half a replica: halves fit, thirds do not.
        let loads = [vec![Some(REPLICA), Some(REPLICA)]];
        let half = [REPLICA / 2, REPLICA / 2];
        assert_eq!(carries(&loads, &half), Cover::Enough);
        assert_eq!(carries_slices(&loads, &half, 2), Cover::Enough);
        assert_eq!(carries_slices(&loads, &half, 3), Cover::TooLittle);
        assert_eq!(carries_slices(&loads, &half, 1), Cover::TooLittle);
    }

    /// With two kinds the best division is by comparative advantage: an argument of its own.
    fn two_kinds(buckets: &[(i128, i128)], room: [i128; 2]) -> bool {
        let mut order = buckets.to_vec();
        order.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)));
        let (mut first, mut second, mut part) = (room[0], 0_i128, (0_i128, 1_i128));
        for (a, b) in order {
            if first >= a {
                first -= a;
            } else if first > 0 {
                part = (b * (a - first), a);
                first = 0;
            } else {
                second += b;
            }
        }
        second * part.1 + part.0 <= room[1] * part.1
    }

    proptest! {
        #[test]
        fn agrees_with_comparative_advantage(
            buckets in prop::collection::vec((1_i128..40, 1_i128..40), 1..7),
            room in (1_i128..80, 1_i128..80),
        ) {
            let loads: Vec<_> = buckets
                .iter()
                .map(|(a, b)| vec![Some(a * REPLICA), Some(b * REPLICA)])
                .collect();
            let want = two_kinds(&buckets, [room.0, room.1]);
            let found = carries(&loads, &replicas(&[room.0, room.1]));
            prop_assert_eq!(found == Cover::Enough, want, "{:?}", found);
        }

        /// Room for a random mixture is enough, and the order of kinds does not matter.
        #[test]
        fn a_known_division_is_carried(
            cells in prop::collection::vec(
                prop::collection::vec((1_i128..50, 0_i128..10), 4), 1..8),
        ) {
            let loads: Vec<Vec<_>> = cells
                .iter()
                .map(|row| row.iter().map(|(load, _)| Some(load * REPLICA)).collect())
                .collect();
            let mut room = vec![0_i128; 4];
            for row in &cells {
                let whole: i128 = row.iter().map(|(_, share)| share).sum::<i128>().max(1);
                let none = row.iter().all(|(_, share)| *share == 0);
                for (kind, (load, share)) in row.iter().enumerate() {
                    let share = if none && kind == 0 { 1 } else { *share };
                    room[kind] += (load * REPLICA * share + whole - 1) / whole;
                }
            }
            prop_assert_eq!(carries(&loads, &room), Cover::Enough);
            let back: Vec<Vec<_>> = loads
                .iter().map(|row| row.iter().rev().copied().collect()).collect();
            room.reverse();
            prop_assert_eq!(carries(&back, &room), Cover::Enough);
        }
    }
}
