//! What is to be chosen, in full width: labels, their costs and times, and what pairs of them cost.
//! It is what the program states and the search reads.

use super::amount::Amount;
use super::groups::Groups;
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

impl Problem {
    /// How many entries a copy has.
    pub(crate) fn cells(&self) -> usize {
        let pairs = self.pairs.iter().map(|(_, _, costs)| costs.cells.len() + costs.costs.len());
        let delays = self.timing.links.iter().flat_map(|link| &link.delay).map(Vec::len);
        let labels = self.unary.iter().map(Vec::len);
        pairs.chain(delays).chain(labels).sum()
    }

    /// The same with only the labels at these positions.
    pub(crate) fn restricted(&self, keep: &[Vec<usize>]) -> Self {
        let unary = self.unary.iter().zip(keep);
        let unary = unary.map(|(all, keep)| keep.iter().map(|at| all[*at]).collect()).collect();
        let (groups, kept): (Vec<Groups>, Vec<Vec<usize>>) =
            self.groups.iter().zip(keep).map(|(groups, keep)| groups.restricted(keep)).unzip();
        let pair = |(u, v, costs): &(usize, usize, Costs)| {
            let width = self.groups[*v].count;
            let rows = kept[*u].iter().map(|x| &costs.cells[x * width..(x + 1) * width]);
            let cells = rows.flat_map(|row| kept[*v].iter().map(|y| row[*y])).collect();
            (*u, *v, Costs { cells, costs: costs.costs.clone() })
        };
        let pairs = self.pairs.iter().map(pair).collect();
        Self { unary, groups, pairs, even: self.even, timing: self.timing.restricted(keep) }
    }
}
