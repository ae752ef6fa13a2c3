//! The problem: sparse columns of integers. It refuses to know what a variable means.
//!
//! Start at [`Problem::add_row`] and [`Problem::add_var`]. Everything here is exact integer
//! arithmetic; an overflow is an error, never a wrap.

use thiserror::Error;

/// A variable (a column), numbered in the order of [`Problem::add_var`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Var(pub(crate) u32);

/// A constraint (a row), numbered in the order of [`Problem::add_row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub(crate) u32);

impl Var {
    /// The position of the variable, from 0: an index into
    /// [`Solution::values`](crate::Solution::values).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Row {
    /// The position of the row, from 0: an index into a certificate's multipliers.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a row compares with its right-hand side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sense {
    /// `sum a x <= rhs`.
    AtMost,
    /// `sum a x >= rhs`.
    AtLeast,
    /// `sum a x = rhs`.
    Equal,
}

/// What the solver may do with a variable.
///
/// Answers are integers in both cases: choose the unit of a variable so that one unit is as fine
/// as you need (a share in millionths, a volume in bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The solver branches until the value is whole.
    Integer,
    /// The solver treats the value as real; the answer is then rounded to a whole unit and checked
    /// again exactly. Nothing to branch on, but rounding may move it by a unit or so.
    Continuous,
}

/// A variable before it has coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarSpec {
    /// Cost of one unit, in the caller's money (or any) unit; the sum is minimised.
    pub cost: i128,
    /// Least value.
    pub lower: i64,
    /// Greatest value; `None` is no limit.
    pub upper: Option<i64>,
    /// Integer, or continuous with a rounded answer.
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowData {
    pub(crate) sense: Sense,
    pub(crate) rhs: i128,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) spec: VarSpec,
    /// Non-zero coefficients by row, ascending, each row once.
    pub(crate) entries: Vec<(u32, i128)>,
}

/// Why a row or variable was refused; nothing was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProblemError {
    /// A coefficient names a row that this problem does not have.
    #[error("row {0} does not exist")]
    NoSuchRow(usize),
    /// A row is named twice in one column.
    #[error("row {0} appears twice in one variable")]
    DuplicateRow(usize),
    /// The lower bound exceeds the upper bound.
    #[error("lower bound {lower} exceeds upper bound {upper}")]
    BoundsCrossed {
        /// The lower bound given.
        lower: i64,
        /// The upper bound given.
        upper: i64,
    },
    /// More rows, variables or coefficients than the solver can index (2^31 - 1).
    #[error("the problem has more than 2147483647 rows, variables or coefficients")]
    TooLarge,
}

/// Exact arithmetic left the range of `i128`; scale the units down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("exact arithmetic leaves the range of 128-bit integers")]
pub struct Overflow;

/// Where a point breaks a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The point has another number of values than the problem has variables.
    Length,
    /// A value is outside the bounds of its variable.
    Bound(Var),
    /// A row is broken by this many units of the row (always positive).
    Row(Row, i128),
}

/// Minimise `sum cost x` subject to rows and bounds, all in integers.
///
/// Rows come first, then the variables with their coefficients; more of both may be added at any
/// time, so a column-generation caller keeps one `Problem` and appends to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    pub(crate) rows: Vec<RowData>,
    pub(crate) columns: Vec<Column>,
    entries_count: usize,
}

impl Problem {
    /// A problem without rows or variables; its optimum is 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row without coefficients.
    ///
    /// # Errors
    /// [`ProblemError::TooLarge`] past 2^31 - 1 rows.
    pub fn add_row(&mut self, sense: Sense, rhs: i128) -> Result<Row, ProblemError> {
        let row = Row(index_of(self.rows.len())?);
        self.rows.push(RowData { sense, rhs });
        Ok(row)
    }

    /// Adds a variable with its coefficients; zero coefficients are dropped.
    ///
    /// # Errors
    /// Any [`ProblemError`]; the problem is then unchanged.
    pub fn add_var(
        &mut self,
        spec: VarSpec,
        coefficients: &[(Row, i128)],
    ) -> Result<Var, ProblemError> {
        if let Some(upper) = spec.upper
            && spec.lower > upper
        {
            return Err(ProblemError::BoundsCrossed { lower: spec.lower, upper });
        }
        let mut entries: Vec<(u32, i128)> =
            coefficients.iter().filter(|(_, a)| *a != 0).map(|(row, a)| (row.0, *a)).collect();
        entries.sort_unstable_by_key(|(row, _)| *row);
        if let Some(last) = entries.last()
            && last.0 as usize >= self.rows.len()
        {
            return Err(ProblemError::NoSuchRow(last.0 as usize));
        }
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(ProblemError::DuplicateRow(pair[0].0 as usize));
        }
        let var = Var(index_of(self.columns.len())?);
        let count = self.entries_count + entries.len();
        index_of(count)?;
        self.entries_count = count;
        self.columns.push(Column { spec, entries });
        Ok(var)
    }

    /// Number of variables.
    pub fn vars(&self) -> usize {
        self.columns.len()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The exact objective of a point, in units of cost.
    ///
    /// # Errors
    /// [`Overflow`] when the sum leaves `i128`.
    pub fn objective(&self, values: &[i64]) -> Result<i128, Overflow> {
        let mut sum = 0_i128;
        for (column, value) in self.columns.iter().zip(values) {
            let term = column.spec.cost.checked_mul(i128::from(*value)).ok_or(Overflow)?;
            sum = sum.checked_add(term).ok_or(Overflow)?;
        }
        Ok(sum)
    }

    /// The first way in which a point breaks the problem, exactly; `None`: it is feasible.
    ///
    /// # Errors
    /// [`Overflow`] when the activity of a row leaves `i128`.
    pub fn violation(&self, values: &[i64]) -> Result<Option<Violation>, Overflow> {
        if values.len() != self.columns.len() {
            return Ok(Some(Violation::Length));
        }
        for (index, (column, value)) in (0_u32..).zip(self.columns.iter().zip(values)) {
            if *value < column.spec.lower || column.spec.upper.is_some_and(|upper| *value > upper) {
                return Ok(Some(Violation::Bound(Var(index))));
            }
        }
        let activity = self.activity(values)?;
        for (index, (row, sum)) in (0_u32..).zip(self.rows.iter().zip(activity)) {
            let excess = row.violation(sum).ok_or(Overflow)?;
            if excess != 0 {
                return Ok(Some(Violation::Row(Row(index), excess.checked_abs().ok_or(Overflow)?)));
            }
        }
        Ok(None)
    }

    /// `sum a x` of each row.
    pub(crate) fn activity(&self, values: &[i64]) -> Result<Vec<i128>, Overflow> {
        let mut sums = vec![0_i128; self.rows.len()];
        for (column, value) in self.columns.iter().zip(values) {
            for (row, a) in &column.entries {
                let term = a.checked_mul(i128::from(*value)).ok_or(Overflow)?;
                let sum = &mut sums[*row as usize];
                *sum = sum.checked_add(term).ok_or(Overflow)?;
            }
        }
        Ok(sums)
    }

    /// Whether any variable must be branched on.
    pub(crate) fn has_integers(&self) -> bool {
        self.columns.iter().any(|column| column.spec.kind == Kind::Integer)
    }

    /// The step between possible objectives: the gcd of the costs where every variable that costs
    /// is an integer; `None` where any is continuous, or nothing costs.
    pub(crate) fn cost_step(&self) -> Option<i128> {
        let mut step = 0;
        for column in self.columns.iter().filter(|column| column.spec.cost != 0) {
            if column.spec.kind == Kind::Continuous {
                return None;
            }
            step = gcd(step, column.spec.cost);
        }
        (step > 0).then_some(step)
    }
}

impl RowData {
    /// By how much the row is broken at this activity: positive when too high, negative when too
    /// low, 0 when it holds; `None` on overflow.
    pub(crate) fn violation(&self, activity: i128) -> Option<i128> {
        let excess = activity.checked_sub(self.rhs)?;
        Some(match self.sense {
            Sense::AtMost => excess.max(0),
            Sense::AtLeast => excess.min(0),
            Sense::Equal => excess,
        })
    }
}

/// The greatest common divisor of magnitudes; `gcd(0, b) = |b|`. 1 (always a divisor) where the
/// magnitude itself does not fit.
pub(crate) fn gcd(left: i128, right: i128) -> i128 {
    let (mut a, mut b) = (left.unsigned_abs(), right.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i128::try_from(a).unwrap_or(1)
}

fn index_of(position: usize) -> Result<u32, ProblemError> {
    // HiGHS numbers everything with a 32-bit signed integer.
    let index = i32::try_from(position).map_err(|_| ProblemError::TooLarge)?;
    Ok(index.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: VarSpec = VarSpec { cost: 3, lower: 0, upper: None, kind: Kind::Integer };

    #[test]
    fn bad_columns_are_refused_and_leave_the_problem_alone() {
        let mut problem = Problem::new();
        let row = problem.add_row(Sense::AtMost, 4).expect("row");
        let before = problem.clone();
        assert_eq!(problem.add_var(FREE, &[(Row(7), 1)]), Err(ProblemError::NoSuchRow(7)));
        let twice = problem.add_var(FREE, &[(row, 1), (row, 2)]);
        assert_eq!(twice, Err(ProblemError::DuplicateRow(0)));
        let crossed = problem.add_var(VarSpec { lower: 2, upper: Some(1), ..FREE }, &[]);
        assert_eq!(crossed, Err(ProblemError::BoundsCrossed { lower: 2, upper: 1 }));
        assert_eq!(problem, before);
    }

    #[test]
    fn violations_are_exact() {
        let mut problem = Problem::new();
        let row = problem.add_row(Sense::AtMost, 1_000_000_000_000_000_000_000_000).expect("row");
        let var = problem.add_var(FREE, &[(row, 333_333_333_333_333_333_333_333)]).expect("var");
        assert_eq!(problem.violation(&[3]), Ok(None));
        assert_eq!(problem.violation(&[-1]), Ok(Some(Violation::Bound(var))));
        let over = Violation::Row(row, 333_333_333_333_333_333_333_332);
        assert_eq!(problem.violation(&[4]), Ok(Some(over)));
        assert_eq!(problem.violation(&[i64::MAX]), Err(Overflow));
        assert_eq!(problem.violation(&[]), Ok(Some(Violation::Length)));
    }
}
