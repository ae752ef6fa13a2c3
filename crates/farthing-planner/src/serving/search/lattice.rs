//! Counts one by one, where a branch holds few that cost less than the best choice.
//!
//! Dividing such a branch relaxes it many times to say what a few numbers say at once. Prices that
//! a relaxation proved anything by hold for all counts: `sum_g p_g R n_g >= sum_b min_g p_g L_bg`.
//! They are kept as *cuts*, and counts that break one are no choice. The others become branches
//! whose counts are settled. Refuses to know slices. Start at [`Cuts::counts`].

use super::super::problem::Problem;
use super::super::state::State;

/// Cuts that are kept: those that were of use last.
const CUTS_MAX: usize = 48;
/// Counts that are looked at for one branch, together about as long as one relaxation.
const LOOKED_AT_MAX: u32 = 1_000;
/// Counts that may be left of them: each is a branch, and dividing needs two.
const FOUND_MAX: usize = 4;

/// What any counts must carry at some prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Cut {
    /// What a replica of each kind is worth.
    pub(in super::super) worth: Vec<i128>,
    /// What all of them must be worth at least.
    pub(in super::super) least: i128,
}

impl Cut {
    /// Whether counts are worth enough; so too where the sum does not fit.
    fn allows(&self, counts: &[i64]) -> bool {
        let worth = self.worth.iter().zip(counts).try_fold(0_i128, |sum, (worth, count)| {
            sum.checked_add(worth.checked_mul(i128::from(*count))?)
        });
        worth.is_none_or(|worth| worth >= self.least)
    }
}

/// The cuts of one search.
#[derive(Default)]
pub(super) struct Cuts(Vec<Cut>);

/// Counts of one branch in a range of costs.
struct Walk<'w> {
    cuts: &'w mut Cuts,
    problem: &'w Problem,
    state: &'w State,
    /// Kinds, the dearest first.
    order: Vec<usize>,
    /// What the kinds of the order from each place on cost at least and at most.
    rest: Vec<(i128, i128)>,
    /// Least and greatest cost.
    costs: (i128, i128),
    left: u32,
    counts: Vec<i64>,
    found: Vec<Vec<i64>>,
}

impl Cuts {
    pub(super) fn add(&mut self, cut: Cut) {
        if self.0.len() >= CUTS_MAX {
            self.0.pop();
        }
        self.0.insert(0, cut);
    }

    /// Whether no cut says that there are no such counts. The one that does so comes first.
    pub(super) fn allow(&mut self, counts: &[i64]) -> bool {
        let broken = self.0.iter().position(|cut| !cut.allows(counts));
        if let Some(at) = broken {
            self.0[..=at].rotate_right(1);
        }
        broken.is_none()
    }

    /// All counts of a branch that cost no less and no more than said and break no cut; `None`
    /// where there are too many to look at.
    pub(super) fn counts(
        &mut self,
        problem: &Problem,
        state: &State,
        costs: (i128, i128),
    ) -> Option<Vec<Vec<i64>>> {
        let mut order: Vec<usize> = (0..problem.kinds.len()).collect();
        order.sort_by_key(|kind| (std::cmp::Reverse(problem.kinds[*kind].cost), *kind));
        let cost = |kind: &usize, count: i64| problem.kinds[*kind].cost * i128::from(count);
        let mut rest = vec![(0, 0); order.len() + 1];
        for (at, kind) in order.iter().enumerate().rev() {
            let (least, most) = rest[at + 1];
            rest[at] =
                (least + cost(kind, state.lower[*kind]), most + cost(kind, state.upper[*kind]));
        }
        if problem.kinds.iter().any(|kind| kind.cost == 0) {
            return None;
        }
        let counts = state.lower.clone();
        let (left, found) = (LOOKED_AT_MAX, Vec::new());
        let mut walk = Walk { cuts: self, problem, state, order, rest, costs, left, counts, found };
        walk.from(0, 0)?;
        Some(walk.found)
    }
}

impl Walk<'_> {
    /// Takes every count of the kinds from a place on; `None` where too many were looked at.
    fn from(&mut self, at: usize, before: i128) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let Some(kind) = self.order.get(at).copied() else {
            if self.cuts.allow(&self.counts) {
                self.found.push(self.counts.clone());
            }
            return (self.found.len() <= FOUND_MAX).then_some(());
        };
        let each = self.problem.kinds[kind].cost;
        let (least, most) = self.rest[at + 1];
        let (from, to) = self.costs;
        // So many that the rest can bring the cost into the range.
        let low = (from - before - most + each - 1).div_euclid(each);
        let high = (to - before - least).div_euclid(each);
        let low = i64::try_from(low).unwrap_or(i64::MIN).max(self.state.lower[kind]);
        let high = i64::try_from(high).unwrap_or(i64::MAX).min(self.state.upper[kind]);
        for count in low..=high {
            self.counts[kind] = count;
            self.from(at + 1, before + each * i128::from(count))?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::problem::{Kind, Problem};
    use super::super::super::state::State;
    use super::{Cut, Cuts};

    /// Three kinds at 2, 3 and 5 with at most 4, 3 and 2 of them.
    fn problem() -> (Problem, State) {
        let kind = |(cost, most)| Kind { cost, fewest: 0, most };
        let kinds = [(2, 4), (3, 3), (5, 2)].map(kind).to_vec();
        let (loads, rivals) = (Vec::new(), Vec::new());
        let problem = Problem { kinds, loads, room: 1, slices: None, least: 0, rivals };
        let state = State {
            lower: vec![0; 3],
            upper: vec![4, 3, 2],
            parts: Vec::new(),
            key: Vec::new(),
            work: Vec::new(),
            at_upper: vec![false; 3],
        };
        (problem, state)
    }

    #[test]
    fn all_counts_in_a_range_of_costs_that_break_no_cut() {
        let (problem, state) = problem();
        for (from, to) in [(0, 3), (7, 8), (9, 9), (27, 40)] {
            let worth = |counts: &[i64]| counts[0] + 4 * counts[2] >= 4;
            let mut expected = Vec::new();
            for a in 0..=4 {
                for b in 0..=3 {
                    for c in 0..=2 {
                        let counts = vec![a, b, c];
                        let inside = (from..=to).contains(&problem.cost(&counts));
                        expected.extend(Some(counts).filter(|it| inside && worth(it)));
                    }
                }
            }
            let mut cuts = Cuts::default();
            cuts.add(Cut { worth: vec![1, 0, 4], least: 4 });
            let mut found = cuts.counts(&problem, &state, (from, to)).unwrap();
            found.sort();
            assert_eq!(found, expected, "{from} to {to}");
        }
    }

    #[test]
    fn more_than_a_few_are_not_said() {
        let (problem, state) = problem();
        assert_eq!(Cuts::default().counts(&problem, &state, (0, 100)), None);
    }

    #[test]
    fn a_worth_that_does_not_fit_forbids_nothing() {
        let mut cuts = Cuts::default();
        cuts.add(Cut { worth: vec![i128::MAX, 0, 0], least: i128::MAX });
        assert!(cuts.allow(&[3, 0, 0]));
        assert!(!cuts.allow(&[0, 1, 1]));
    }
}
