//! Pricing: what each column would be worth at the prices of a relaxation, and the bound that
//! these prices prove for the whole program, columns that were never stated included.
//!
//! For any multipliers `y` of the rows with the right signs, every solution costs at least
//! `y b + sum_k n_k min_j d_j + sum_v min(d_v l_v, d_v u_v)`, where `d = c - y A` is a reduced
//! cost, `j` runs over *all* columns of class `k` (and its waiting), of which exactly `n_k` are
//! taken, and `v` over the variables of services. All of it is integer arithmetic over a common
//! power of two, so that the bound needs no trust in the solver.

use crate::program::{Goal, Program, Role, RowKey, Written};
use farthing_milp::{DualCertificate, Overflow};
use std::collections::BTreeMap;

/// Reduced costs of all columns, times the certificate's denominator.
pub(crate) struct Prices {
    /// By column.
    pub(crate) reduced: Vec<i128>,
    /// The least of each class, columns and waiting; `None` for a class without columns.
    least: Vec<Option<i128>>,
    /// The proven bound on the goal, in its unit, rounded up.
    pub(crate) bound: i128,
    /// The common denominator.
    pub(crate) denominator: i128,
}

impl Prices {
    /// Prices all columns of a program by the duals of a part of it.
    pub(crate) fn of(
        program: &Program<'_>,
        goal: Goal,
        written: &Written,
        duals: &DualCertificate,
    ) -> Result<Self, Overflow> {
        let multiplier = |key: RowKey| {
            let row = written.rows.get(&key);
            row.and_then(|row| duals.multipliers().get(row.index())).copied().unwrap_or(0)
        };
        let mut prices = Self {
            reduced: Vec::with_capacity(program.columns.len()),
            least: vec![None; program.classes.len()],
            bound: 0,
            denominator: duals.denominator(),
        };
        prices.columns(program, goal, &multiplier)?;
        prices.bound = prices.prove(program, goal, written, duals)?;
        Ok(prices)
    }

    fn columns(
        &mut self,
        program: &Program<'_>,
        goal: Goal,
        multiplier: &impl Fn(RowKey) -> i128,
    ) -> Result<(), Overflow> {
        // Running sums over the instants of a pool: a column costs two look-ups.
        let mut sums: Vec<Vec<i128>> = Vec::with_capacity(program.pools.len());
        for (index, pool) in program.pools.iter().enumerate() {
            let mut sum = vec![0_i128];
            for instant in 0..pool.instants.len() {
                let next = sum[instant].checked_add(multiplier(RowKey::Pool(index, instant)));
                sum.push(next.ok_or(Overflow)?);
            }
            sums.push(sum);
        }
        let accounts: BTreeMap<usize, i128> = (0..program.accounts.len())
            .map(|account| (account, multiplier(RowKey::Account(account))))
            .filter(|(_, multiplier)| *multiplier != 0)
            .collect();
        let classes: Vec<i128> =
            (0..program.classes.len()).map(|class| multiplier(RowKey::Class(class))).collect();
        for column in &program.columns {
            let cost = if goal == Goal::Value { 0 } else { program.floor(column) };
            let mut reduced = cost.checked_mul(self.denominator).ok_or(Overflow)?;
            reduced = reduced.checked_sub(classes[column.class]).ok_or(Overflow)?;
            if let Some(stretch) = column.stretch {
                let held = sums[stretch.pool][stretch.end] - sums[stretch.pool][stretch.first];
                let priced = held.checked_mul(program.nodes(column)).ok_or(Overflow)?;
                reduced = reduced.checked_sub(priced).ok_or(Overflow)?;
            }
            for (account, cost) in &column.costs {
                let Some(multiplier) = accounts.get(account) else { continue };
                let priced = multiplier.checked_mul(*cost).ok_or(Overflow)?;
                reduced = reduced.checked_sub(priced).ok_or(Overflow)?;
            }
            let least = &mut self.least[column.class];
            *least = Some(least.map_or(reduced, |least| least.min(reduced)));
            self.reduced.push(reduced);
        }
        Ok(())
    }

    fn prove(
        &mut self,
        program: &Program<'_>,
        goal: Goal,
        written: &Written,
        duals: &DualCertificate,
    ) -> Result<i128, Overflow> {
        let mut sum = written.problem.dual_value(duals)?;
        for item in &written.items {
            let entries: Vec<_> =
                item.entries.iter().map(|(key, a)| (written.rows[key], *a)).collect();
            match item.role {
                // Priced above, whether it is stated or not.
                Role::Column(_) => {}
                // Where everything is to be placed, waiting is only an aid of the search.
                Role::Wait(_) if goal == Goal::Everything => {}
                Role::Wait(class) => {
                    let reduced = duals.reduced_cost(item.spec.cost, &entries)?;
                    let least = &mut self.least[class];
                    *least = least.map(|least| least.min(reduced));
                }
                Role::Served(_) | Role::Replicas(..) | Role::Inner(_) => {
                    let reduced = duals.reduced_cost(item.spec.cost, &entries)?;
                    let at = |value: i64| reduced.checked_mul(i128::from(value)).ok_or(Overflow);
                    let lower = at(item.spec.lower)?;
                    let upper = at(item.spec.upper.ok_or(Overflow)?)?;
                    sum = sum.checked_add(lower.min(upper)).ok_or(Overflow)?;
                }
            }
        }
        for (class, least) in program.classes.iter().zip(&self.least) {
            let Some(least) = least else { continue };
            let all = least.checked_mul(i128::from(class.size)).ok_or(Overflow)?;
            sum = sum.checked_add(all).ok_or(Overflow)?;
        }
        // The goal is a whole number, so that its bound may be rounded up.
        let negative = sum.checked_neg().ok_or(Overflow)?;
        Ok(-negative.div_euclid(self.denominator))
    }

    /// Columns that would improve the relaxation that these prices come from, at most `each` of a
    /// class, in the order that other prices like them.
    pub(crate) fn entering(
        &self,
        program: &Program<'_>,
        active: &[bool],
        order: &Self,
        each: usize,
    ) -> Vec<usize> {
        let mut candidates: Vec<usize> = (0..self.reduced.len())
            .filter(|column| !active[*column] && self.reduced[*column] < 0)
            .collect();
        candidates.sort_by_key(|column| (order.reduced[*column], *column));
        let mut taken = vec![0_usize; program.classes.len()];
        candidates.retain(|column| {
            let count = &mut taken[program.columns[*column].class];
            *count += 1;
            *count <= each
        });
        candidates
    }

    /// The `most` columns that cost least above the best of their class, ascending by column, and
    /// how much a solution costs above the bound, at least, that uses any other: in units of the
    /// goal, rounded down; `None` if there is no other.
    pub(crate) fn best(&self, program: &Program<'_>, most: usize) -> (Vec<usize>, Option<i128>) {
        let above = |column: usize| {
            let least = self.least[program.columns[column].class].unwrap_or(0);
            self.reduced[column].saturating_sub(least)
        };
        let mut order: Vec<usize> = (0..self.reduced.len()).collect();
        order.sort_by_key(|column| (above(*column), *column));
        let left_out = order.get(most).map(|column| above(*column).div_euclid(self.denominator));
        order.truncate(most);
        order.sort_unstable();
        (order, left_out)
    }
}
