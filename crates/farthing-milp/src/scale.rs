//! Equilibration: from integers of any size to floats of sane size, and back.
//!
//! All factors are powers of two (exact) and exact divisions by greatest common divisors, chosen
//! from the integer logarithms of the coefficients, so the same problem always scales the same way.
//! Start at [`Scaling::of`].

use crate::certificate::row_gcds;
use crate::problem::{Column, Kind, Problem, gcd};

/// Largest binary exponent of a scaled row coefficient. Rows are scaled up to it where they have
/// real variables, and never beyond it: HiGHS's tolerances are absolute.
const ROW_TOP: i32 = 12;

/// Largest binary exponent of a scaled right-hand side: HiGHS takes 1e20 for infinity.
const RHS_TOP: i32 = 60;

/// Largest binary exponent of a scaled cost: with a tolerance of 1e-9 on reduced costs this proves
/// the dearest variable to 1e-15 and one a millionth as dear to 1e-9.
const COST_TOP: i32 = 20;

/// How each row, column and the objective was divided before the solver saw it.
///
/// Scaled coefficient = `a / row_gcd * 2^(row + column)`; scaled value = `x * 2^-column`;
/// scaled cost = `c / cost_gcd * 2^(cost + column)`.
#[derive(Debug)]
pub(crate) struct Scaling {
    row_gcds: Vec<i128>,
    rows: Vec<i32>,
    columns: Vec<i32>,
    cost_gcd: i128,
    cost: i32,
}

impl Scaling {
    /// Chooses the factors.
    pub(crate) fn of(problem: &Problem) -> Self {
        const PASSES: usize = 3;
        let mut scaling = Self {
            row_gcds: row_gcds(problem).into_iter().map(|step| step.max(1)).collect(),
            rows: vec![0; problem.rows.len()],
            columns: problem.columns.iter().map(initial_column).collect(),
            cost_gcd: problem.columns.iter().fold(0, |step, c| gcd(step, c.spec.cost)).max(1),
            cost: 0,
        };
        for _ in 0..PASSES {
            scaling.balance_rows(problem);
            scaling.balance_columns(problem);
        }
        scaling.balance_rows(problem);
        scaling.balance_cost(problem);
        scaling
    }

    /// The scaled cost of a column.
    pub(crate) fn cost(&self, index: usize, column: &Column) -> f64 {
        scaled(column.spec.cost, self.cost_gcd, self.cost + self.columns[index])
    }

    /// The scaled coefficient of a column in a row.
    pub(crate) fn coefficient(&self, index: usize, row: usize, a: i128) -> f64 {
        scaled(a, self.row_gcds[row], self.rows[row] + self.columns[index])
    }

    /// The scaled right-hand side of a row.
    pub(crate) fn rhs(&self, row: usize, rhs: i128) -> f64 {
        scaled(rhs, self.row_gcds[row], self.rows[row])
    }

    /// The scaled value of a bound or of a known solution.
    pub(crate) fn value(&self, index: usize, value: i64) -> f64 {
        scaled(i128::from(value), 1, -self.columns[index])
    }

    /// The caller's value of a scaled one.
    pub(crate) fn unscaled_value(&self, index: usize, value: f64) -> f64 {
        value * power(self.columns[index])
    }

    /// The caller's dual of a scaled one, in cost units per unit of the row.
    pub(crate) fn unscaled_dual(&self, row: usize, dual: f64) -> f64 {
        let units = approximate(self.cost_gcd) / approximate(self.row_gcds[row]);
        dual * power(self.rows[row] - self.cost) * units
    }

    /// The caller's objective of a scaled one, rounded down; `None` when not finite or too large.
    pub(crate) fn unscaled_objective(&self, objective: f64) -> Option<i128> {
        let value = objective * power(-self.cost) * approximate(self.cost_gcd);
        crate::certificate::whole(value.floor())
    }

    /// Centres the exponents of each row around 0, below [`ROW_TOP`]. Rows of integers only keep
    /// their whole coefficients where those are small: HiGHS finds better cuts in them.
    fn balance_rows(&mut self, problem: &Problem) {
        let mut ranges = vec![Range::default(); self.rows.len()];
        let mut real = vec![false; self.rows.len()];
        for (index, column) in problem.columns.iter().enumerate() {
            for (row, a) in &column.entries {
                let row = *row as usize;
                ranges[row].add(exponent(*a / self.row_gcds[row]) + self.columns[index]);
                real[row] |= column.spec.kind == Kind::Continuous;
            }
        }
        for (row, range) in ranges.iter().enumerate() {
            let rhs = exponent(problem.rows[row].rhs / self.row_gcds[row]);
            let (middle, top) = range.middle_and_top().unwrap_or((0, 0));
            let centred = if real[row] { -middle } else { 0 };
            self.rows[row] = centred.min(ROW_TOP - top).min(RHS_TOP - rhs);
        }
    }

    /// Centres the exponents of the real columns without an upper limit; the others were set to
    /// run over a range of about 1 and integers cannot be scaled at all.
    fn balance_columns(&mut self, problem: &Problem) {
        for (index, column) in problem.columns.iter().enumerate() {
            if column.spec.kind == Kind::Integer || column.spec.upper.is_some() {
                continue;
            }
            let mut range = Range::default();
            for (row, a) in &column.entries {
                let row = *row as usize;
                range.add(exponent(*a / self.row_gcds[row]) + self.rows[row]);
            }
            if let Some((middle, _)) = range.middle_and_top() {
                self.columns[index] = -middle;
            }
        }
    }

    /// Brings the largest cost to [`COST_TOP`], but leaves small whole costs as they are, because
    /// HiGHS proves optimality sooner when it sees that the objective is integral.
    fn balance_cost(&mut self, problem: &Problem) {
        let mut range = Range::default();
        let mut real = false;
        for (index, column) in problem.columns.iter().enumerate() {
            if column.spec.cost != 0 {
                range.add(exponent(column.spec.cost / self.cost_gcd) + self.columns[index]);
                real |= column.spec.kind == Kind::Continuous;
            }
        }
        if let Some((_, top)) = range.middle_and_top() {
            let wanted = COST_TOP - top;
            self.cost = if real { wanted } else { wanted.min(0) };
        }
    }
}

/// The least and greatest exponent seen.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    seen: Option<(i32, i32)>,
}

impl Range {
    fn add(&mut self, exponent: i32) {
        let (least, most) = self.seen.unwrap_or((exponent, exponent));
        self.seen = Some((least.min(exponent), most.max(exponent)));
    }

    fn middle_and_top(&self) -> Option<(i32, i32)> {
        self.seen.map(|(least, most)| ((least + most).div_euclid(2), most))
    }
}

/// A bounded real column runs over a range of about 1 from the start.
fn initial_column(column: &Column) -> i32 {
    match (column.spec.kind, column.spec.upper) {
        (Kind::Continuous, Some(upper)) => {
            exponent((i128::from(upper) - i128::from(column.spec.lower)).max(1))
        }
        _ => 0,
    }
}

/// `floor(log2 |value|)`, 0 for 0.
fn exponent(value: i128) -> i32 {
    value.unsigned_abs().checked_ilog2().unwrap_or(0).cast_signed()
}

/// `value / divisor * 2^exponent`, rounded once where the division is exact.
fn scaled(value: i128, divisor: i128, exponent: i32) -> f64 {
    let quotient = if value % divisor == 0 {
        approximate(value / divisor)
    } else {
        approximate(value) / approximate(divisor)
    };
    quotient * power(exponent)
}

/// `2^exponent`, exact within the range of floats.
fn power(exponent: i32) -> f64 {
    2_f64.powi(exponent)
}

/// The nearest float.
#[expect(clippy::cast_precision_loss, reason = "this is where integers become floats, on purpose")]
pub(crate) fn approximate(value: i128) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Sense, VarSpec};

    #[test]
    #[expect(clippy::float_cmp, reason = "powers of two and small integers are exact")]
    fn money_in_picodollars_becomes_small_numbers() {
        let mut problem = Problem::new();
        let budget = problem.add_row(Sense::AtMost, 5_000_000_000_000_000).expect("row");
        for cents in [9_832_i128, 2_410, 317] {
            let spec = VarSpec {
                cost: cents * 10_000_000_000,
                lower: 0,
                upper: Some(100),
                kind: Kind::Integer,
            };
            problem.add_var(spec, &[(budget, cents * 10_000_000_000)]).expect("var");
        }
        let scaling = Scaling::of(&problem);
        let costs: Vec<f64> =
            problem.columns.iter().enumerate().map(|(i, c)| scaling.cost(i, c)).collect();
        assert_eq!(costs, [9832.0, 2410.0, 317.0]);
        // 9832 has 14 bits, one more than a scaled row may have.
        let row =
            [scaling.coefficient(0, 0, 98_320_000_000_000), scaling.rhs(0, 5_000_000_000_000_000)];
        assert_eq!(row, [9832.0 / 2.0, 500_000.0 / 2.0]);
        assert_eq!(scaling.unscaled_objective(12.0), Some(120_000_000_000));
    }
}
