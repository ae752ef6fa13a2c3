//! What prices prove, in whole numbers.
//!
//! For any prices `p_g >= 0` of a unit of room on kind `g` and `q >= 0` of one replica towards
//! the fewest, every choice within the bounds of a branch costs at least
//!
//! ```text
//! q least + sum_parts min_g p_g L_bg + sum_g min over l <= n <= u of (c_g - p_g R - q) n
//! ```
//!
//! and if the same sum without costs is above zero, there is no choice at all. Prices may come
//! from anywhere; they are rounded here to multiples of a power of two, and the sum is exact.

use super::fixed::PLACES;
use super::problem::Problem;
use super::search::Cut;
use super::state::{Basic, Part, State};

/// Binary places of the dearest replica's cost in the sum.
const TOP: u32 = 86;
/// Bits of a product that is sure to fit.
const SUM_BITS: u32 = 126;

/// The exact side of one problem.
pub(super) struct Bound<'p> {
    problem: &'p Problem,
    /// Costs times `2^shift`.
    costs: Vec<i128>,
    shift: u32,
    /// The dearest cost times `2^shift`, which a price of one stands for, and that of a unit of
    /// load.
    dearest: i128,
    unit: i128,
    /// The common divisor of all costs: every choice costs a multiple of it.
    grain: i128,
    /// Room of a replica, in the units of a slice's load.
    room: i128,
    /// Bits of the load of all slices of any bucket.
    load_bits: u32,
}

impl<'p> Bound<'p> {
    pub(super) fn new(problem: &'p Problem) -> Self {
        let dearest = problem.kinds.iter().map(|kind| kind.cost).max().unwrap_or(0).max(1);
        let shift = TOP.saturating_sub(128 - dearest.leading_zeros());
        let costs = problem.kinds.iter().map(|kind| kind.cost << shift).collect();
        let grain = problem.grain();
        let room = problem.room * i128::from(problem.slices.unwrap_or(1));
        let dearest = dearest << shift;
        let heaviest = problem.loads.iter().flatten().flatten().copied().max().unwrap_or(0);
        let slices = i128::from(problem.slices.unwrap_or(1));
        let load_bits = 256 - heaviest.leading_zeros() - slices.leading_zeros();
        Self { problem, costs, shift, dearest, unit: dearest / room, grain, room, load_bits }
    }

    /// No choice within a branch costs less, in 10^-12; `None` where nothing could be proven.
    pub(super) fn cost(&self, state: &State, prices: &[i64]) -> Option<i128> {
        let sum = self.sum(state, prices, true)?;
        // What choices cost is a multiple of the grain, so that the bound may be rounded up.
        let whole = -(-sum).div_euclid(1 << self.shift);
        Some(-(-whole).div_euclid(self.grain) * self.grain)
    }

    /// Whether prices prove that a branch holds no choice.
    pub(super) fn refutes(&self, state: &State, prices: &[i64]) -> bool {
        self.sum(state, prices, false).is_some_and(|sum| sum > 0)
    }

    /// What prices say about the counts of every choice; `None` where it does not fit.
    pub(super) fn cut(&self, parts: &[Part], prices: &[i64]) -> Option<Cut> {
        let (room, fewest) = self.exact(prices);
        let worth = room.iter().map(|price| price.checked_mul(self.room)?.checked_add(fewest));
        let worth = worth.collect::<Option<Vec<i128>>>()?;
        Some(Cut { worth, least: self.carried(parts, &room, fewest)? })
    }

    /// Takes from a branch whatever no choice can have that costs less than `best`: kinds of its
    /// parts and counts whose price would bring the sum there. What the basis holds stays.
    pub(super) fn tighten(&self, state: &mut State, prices: &[i64], best: i128) -> Option<()> {
        let sum = self.sum(state, prices, true)?;
        // Nor does any choice of the branch cost more than all that there may be.
        let most = self.problem.cost(&state.upper);
        let limit = best.checked_sub(self.grain)?.min(most);
        let left = limit.checked_mul(1 << self.shift)?.checked_sub(sum)?;
        let kinds = self.costs.len();
        let (room, fewest) = self.exact(prices);
        // A part that may be divided at will can have as little as it likes of any kind.
        let whole = if self.problem.slices.is_some() { state.parts.len() } else { 0 };
        for at in 0..whole {
            let part = state.parts[at];
            let loads = &self.problem.loads[part.bucket];
            let price = |kind: usize| Some(room[kind] * loads[kind]?);
            let able = |kind: &usize| part.kinds >> kind & 1 == 1;
            let least = (0..kinds).filter(able).filter_map(price).min()?;
            for kind in (0..kinds).filter(able) {
                if price(kind)? - least > left && !state.holds(at, kind) {
                    state.parts[at].kinds &= !(1 << kind);
                }
            }
        }
        for (kind, price) in room.iter().enumerate() {
            let each = self.costs[kind] - price * self.room - fewest;
            let (lower, upper) = (state.lower[kind], state.upper[kind]);
            if each == 0 || left < 0 || state.work.contains(&Basic::Replicas(kind)) {
                continue;
            }
            let most = i64::try_from(left / each.abs()).unwrap_or(i64::MAX);
            if each > 0 && !state.at_upper[kind] {
                state.upper[kind] = upper.min(lower.saturating_add(most));
            } else if each < 0 && state.at_upper[kind] {
                state.lower[kind] = lower.max(upper.saturating_sub(most));
            }
        }
        Some(())
    }

    /// The sum, times `2^shift`; `None` where it does not fit.
    fn sum(&self, state: &State, prices: &[i64], with_costs: bool) -> Option<i128> {
        let (room, fewest) = self.exact(prices);
        let mut sum = self.carried(&state.parts, &room, fewest)?;
        for (kind, price) in room.iter().enumerate() {
            let cost = if with_costs { self.costs[kind] } else { 0 };
            let each = cost.checked_sub(price.checked_mul(self.room)?)?.checked_sub(fewest)?;
            let count = if each < 0 { state.upper[kind] } else { state.lower[kind] };
            sum = sum.checked_add(each.checked_mul(i128::from(count))?)?;
        }
        Some(sum)
    }

    /// Prices of a unit of room and of one of the fewest, times `2^shift`.
    fn exact(&self, prices: &[i64]) -> (Vec<i128>, i128) {
        let kinds = self.costs.len();
        let exact = |price: &i64| (self.unit * i128::from(*price)) >> PLACES;
        let fewest = (self.dearest >> PLACES) * i128::from(prices[kinds]);
        (prices[..kinds].iter().map(exact).collect(), fewest)
    }

    /// The least that all parts and the fewest are worth.
    fn carried(&self, parts: &[Part], room: &[i128], fewest: i128) -> Option<i128> {
        let top = room.iter().copied().max().unwrap_or(0);
        if (128 - top.leading_zeros()) + self.load_bits > SUM_BITS {
            return None;
        }
        let mut sum = fewest.checked_mul(i128::from(self.problem.least))?;
        for part in parts {
            let loads = &self.problem.loads[part.bucket];
            let mut least = i128::MAX;
            let mut rest = part.kinds;
            while rest != 0 {
                let kind = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                least = least.min(room[kind] * loads[kind]?);
            }
            sum = sum.checked_add(least * i128::from(part.slices))?;
        }
        Some(sum)
    }
}
