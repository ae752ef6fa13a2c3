//! What is to be chosen, in full width: labels, their costs and times, and what pairs of them cost.
//! It is what the program states and the search reads.

use super::amount::Amount;
use super::energy::Groups;
use super::timing::Timing;

/// Costs by rows, of which few differ.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    /// For each cell the position of its cost.
    pub(crate) cells: Vec<u32>,
    /// In full width.
    pub(crate) costs: Vec<i128>,
}

impl Costs {
    /// The greatest of them.
    pub(crate) fn most(&self) -> i128 {
        self.costs.iter().copied().max().unwrap_or(0)
    }

    /// In the width of the search, if they fit.
    pub(crate) fn narrow<A: Amount>(&self) -> Option<Vec<A>> {
        let costs: Option<Vec<A>> = self.costs.iter().map(|cost| A::of(*cost)).collect();
        let costs = costs?;
        Some(self.cells.iter().map(|cell| costs[*cell as usize]).collect())
    }
}

/// A choice problem in full width.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// Cost of each label of each task.
    pub(crate) unary: Vec<Vec<i128>>,
    /// Which labels of each task no pair and no link tells apart.
    pub(crate) groups: Vec<Groups>,
    /// Two tasks, the earlier position first, and costs by rows of the groups of the first.
    pub(crate) pairs: Vec<(usize, usize, Costs)>,
    /// Whether a part of a sum is a part of what is paid: not where bytes without a price weigh
    /// more than all money.
    pub(crate) even: bool,
    /// Run times and order.
    pub(crate) timing: Timing,
}
