//! Choices under shared, nested limits: a linear program with a shape of its own.
//!
//! Each of many groups takes one of its options, or a mix of them whose shares add to one. Options
//! use what is limited: a *chain* is a row of limits one inside the other, and what is used at a
//! position counts against the limit there and all after it (work that is due counts against the
//! capacity until its deadline, and until each later one). The least cost is wanted.
//!
//! Only few limits bind, so that a basis has one row for each of those and not for each group: a
//! simplex with generalised upper bounds, limits added where they are broken. A few microseconds a
//! pivot for a hundred groups, where a general solver takes milliseconds to set up. It refuses to
//! know what groups and limits mean. Start at [`Choices::solve`].
//!
//! Floats propose. [`Mixture::bound`] is computed in integers from the rounded prices, and holds
//! whatever they are: `sum of min over options (cost + prices x use) - prices x limits`.

mod basis;
mod prices;
mod simplex;

use crate::problem::Overflow;
use simplex::Simplex;

/// An amount of one chain that an option uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Which chain.
    pub chain: u32,
    /// From which position on it counts.
    pub at: u32,
    /// How much; not negative.
    pub amount: i64,
}

#[derive(Clone, Copy, Debug)]
struct OptionRow {
    cost: i128,
    first: u32,
    end: u32,
}

/// Groups with their options, and chains of limits.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    limits: Vec<Vec<i64>>,
    /// The first option of each group, and the number of all at the end.
    starts: Vec<u32>,
    options: Vec<OptionRow>,
    uses: Vec<Use>,
}

/// Why a part was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoicesError {
    /// No group was begun.
    #[error("an option needs a group")]
    NoGroup,
    /// A group has no option.
    #[error("group {0} has no option")]
    NoOption(usize),
    /// A use of what there is not, or of less than nothing.
    #[error("chain {chain}, position {at} does not exist, or its amount is negative")]
    NoSuchLimit {
        /// The chain.
        chain: u32,
        /// The position.
        at: u32,
    },
    /// Exact arithmetic left its range.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// A limit that binds, and what one more unit of it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The chain.
    pub chain: u32,
    /// The position.
    pub at: u32,
    /// Cost units for a unit of the limit, in 2^-[`PRICE_SHIFT`].
    pub price: i128,
}

/// Binary places of prices.
pub const PRICE_SHIFT: u32 = 16;

/// The whole of a share.
pub const SHARE_ONE: i64 = 1_000_000_000;

/// A share of one option in one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The group.
    pub group: u32,
    /// The option, counted from the first of its group.
    pub option: u32,
    /// How much of the group, of [`SHARE_ONE`].
    pub share: i64,
}

/// A limit that cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The chain.
    pub chain: u32,
    /// The position.
    pub at: u32,
    /// How much more is needed than there is, rounded up.
    pub amount: i64,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mixture {
    /// Shares above zero, by group; those of a group add to [`SHARE_ONE`] but for rounding.
    pub shares: Vec<Share>,
    /// Limits that bind.
    pub binding: Vec<Binding>,
    /// Limits that cannot hold: all groups together need more than there is.
    pub broken: Vec<Broken>,
    /// No mixture that keeps all limits costs less, in cost units: exact, whatever the prices.
    pub bound: i128,
    /// Pivots that it took.
    pub pivots: u32,
    /// Whether the limit on pivots came first; the shares are then not the cheapest.
    pub stopped: bool,
}

impl Choices {
    /// Chains of limits, each in the order of their positions. No groups yet.
    pub fn new(limits: Vec<Vec<i64>>) -> Self {
        Self { limits, starts: vec![0], ..Self::default() }
    }

    /// Begins a group; options go to the last one begun.
    pub fn add_group(&mut self) {
        self.starts.push(self.end());
    }

    /// Adds an option to the last group.
    ///
    /// # Errors
    /// No group yet, a limit that there is not, a negative amount.
    pub fn add_option(&mut self, cost: i128, uses: &[Use]) -> Result<(), ChoicesError> {
        if self.groups() == 0 {
            return Err(ChoicesError::NoGroup);
        }
        for one in uses {
            let chain = self.limits.get(one.chain as usize);
            let there = chain.is_some_and(|chain| (one.at as usize) < chain.len());
            if !there || one.amount < 0 {
                return Err(ChoicesError::NoSuchLimit { chain: one.chain, at: one.at });
            }
        }
        let first = u32::try_from(self.uses.len()).map_err(|_| Overflow)?;
        self.uses.extend_from_slice(uses);
        let end = u32::try_from(self.uses.len()).map_err(|_| Overflow)?;
        self.options.push(OptionRow { cost, first, end });
        let end = u32::try_from(self.options.len()).map_err(|_| Overflow)?;
        if let Some(last) = self.starts.last_mut() {
            *last = end;
        }
        Ok(())
    }

    /// Groups that were begun.
    pub fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    fn end(&self) -> u32 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The options of a group.
    fn of(&self, group: usize) -> std::ops::Range<usize> {
        self.starts[group] as usize..self.starts[group + 1] as usize
    }

    fn uses_of(&self, option: usize) -> &[Use] {
        let row = &self.options[option];
        &self.uses[row.first as usize..row.end as usize]
    }

    /// The cheapest mixture. `start` names an option for each group to begin with, counted within
    /// the group (the last answer); where it is short, a group begins with its cheapest.
    ///
    /// # Errors
    /// A group without options; numbers out of range.
    pub fn solve(&self, start: &[u32]) -> Result<Mixture, ChoicesError> {
        if let Some(none) = (0..self.groups()).find(|group| self.of(*group).is_empty()) {
            return Err(ChoicesError::NoOption(none));
        }
        let mut simplex = Simplex::new(self, start);
        let stopped = !simplex.run();
        let binding = simplex.binding();
        let bound = self.bound(&binding)?;
        Ok(Mixture {
            shares: simplex.shares(),
            broken: simplex.broken(),
            bound,
            binding,
            pivots: simplex.pivots,
            stopped,
        })
    }

    /// What any prices prove, in integers.
    fn bound(&self, binding: &[Binding]) -> Result<i128, Overflow> {
        let mut sum = 0_i128;
        for group in 0..self.groups() {
            let mut least: Option<i128> = None;
            for option in self.of(group) {
                let cost = self.priced(option, binding).ok_or(Overflow)?;
                least = Some(least.map_or(cost, |least| least.min(cost)));
            }
            sum = sum.checked_add(least.unwrap_or(0)).ok_or(Overflow)?;
        }
        for one in binding {
            let limit = i128::from(self.limits[one.chain as usize][one.at as usize]);
            let worth = one.price.checked_mul(limit).ok_or(Overflow)?;
            sum = sum.checked_sub(worth).ok_or(Overflow)?;
        }
        Ok(sum >> PRICE_SHIFT)
    }

    fn priced(&self, option: usize, binding: &[Binding]) -> Option<i128> {
        let mut cost = self.options[option].cost.checked_mul(1 << PRICE_SHIFT)?;
        for one in self.uses_of(option) {
            let counts = |row: &&Binding| row.chain == one.chain && row.at >= one.at;
            for row in binding.iter().filter(counts) {
                cost = cost.checked_add(row.price.checked_mul(i128::from(one.amount))?)?;
            }
        }
        Some(cost)
    }
}

#[cfg(test)]
mod tests;
