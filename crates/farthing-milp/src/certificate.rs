//! Dual certificates: a lower bound that the caller checks in integers, trusting no solver.
//!
//! Start at [`Problem::certified_bound`]. The mathematics is in the crate's README: any multipliers
//! whatever give a valid bound; the solver is only asked for good ones.

use crate::problem::{Column, Kind, Overflow, Problem, Row, Sense, gcd};
use crate::wide::Wide;

/// Row multipliers (duals) in fixed point: the multiplier of row `i` is
/// `multipliers[i] / 2^shift`, in cost units per unit of the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DualCertificate {
    shift: u32,
    multipliers: Vec<i128>,
}

/// Largest [`DualCertificate`] shift.
pub const SHIFT_MAX: u32 = 100;

impl DualCertificate {
    /// A certificate from any multipliers; `None` if `shift` exceeds [`SHIFT_MAX`].
    pub fn new(shift: u32, multipliers: Vec<i128>) -> Option<Self> {
        (shift <= SHIFT_MAX).then_some(Self { shift, multipliers })
    }

    /// The common denominator, a power of two.
    pub fn denominator(&self) -> i128 {
        1 << self.shift
    }

    /// One numerator per row, in row order.
    pub fn multipliers(&self) -> &[i128] {
        &self.multipliers
    }

    /// The reduced cost `cost - y A` of a column that may not exist yet, times
    /// [`denominator`](Self::denominator). Negative means that the column may improve the master.
    /// Rows beyond the certificate count as multiplier 0.
    ///
    /// # Errors
    /// [`Overflow`] when the exact value leaves `i128`.
    pub fn reduced_cost(&self, cost: i128, entries: &[(Row, i128)]) -> Result<i128, Overflow> {
        let entries = entries.iter().map(|(row, a)| (row.0, *a));
        reduced(self.shift, cost, entries, &self.multipliers)
    }
}

impl Problem {
    /// A proven lower bound on the objective of every feasible point, in cost units, rounded down;
    /// where every variable that costs is [`Kind::Integer`], rounded up again to the next multiple
    /// of the greatest common divisor of the costs (no other objective is possible).
    ///
    /// Multipliers of the wrong sign count as 0. `None`: these multipliers prove nothing, because a
    /// variable without an upper limit (given or implied by one row) has a negative reduced cost.
    /// The result holds for real values of [`Kind::Continuous`] variables too.
    ///
    /// # Errors
    /// [`Overflow`] when a reduced cost or the bound itself leaves `i128`; the sums between are
    /// 256 bits wide.
    pub fn certified_bound(&self, certificate: &DualCertificate) -> Result<Option<i128>, Overflow> {
        let multipliers = self.projected(certificate);
        let caps = self.implied_upper_bounds();
        let tight = self.tightened();
        let Some(sum) = tight.lagrangian(certificate.shift, &multipliers, &caps)? else {
            return Ok(None);
        };
        let floor = sum.shifted_floor(certificate.shift).narrow().ok_or(Overflow)?;
        let Some(step) = self.cost_step() else {
            return Ok(Some(floor));
        };
        // Rounding up must start from the exact value: floor(5.5) = 5 is a multiple of 5 below it.
        let exact = Wide::product(floor, 1 << certificate.shift) == sum;
        let least = if exact { floor } else { floor.checked_add(1).ok_or(Overflow)? };
        ceil_multiple(least, step).ok_or(Overflow).map(Some)
    }

    /// `y b`, the part of the Lagrangian bound that the rows give, times
    /// [`DualCertificate::denominator`], without any strengthening.
    ///
    /// A column-generation caller adds `limit x min(0, least reduced cost)` for each family of
    /// columns, present or not, and has a bound on the full master. ([`Problem::certified_bound`]
    /// speaks of the columns present only.)
    ///
    /// # Errors
    /// [`Overflow`] when the sum leaves `i128`.
    pub fn dual_value(&self, certificate: &DualCertificate) -> Result<i128, Overflow> {
        let mut sum = Wide::ZERO;
        for (row, m) in self.rows.iter().zip(self.projected(certificate)) {
            sum = sum.checked_add(Wide::product(m, row.rhs)).ok_or(Overflow)?;
        }
        sum.narrow().ok_or(Overflow)
    }

    /// Whether the multipliers prove that no point at all is feasible (Farkas): with every cost
    /// replaced by 0 their bound is above 0. Real values of continuous variables are covered.
    ///
    /// # Errors
    /// [`Overflow`] as in [`Problem::certified_bound`].
    pub fn certified_infeasible(&self, certificate: &DualCertificate) -> Result<bool, Overflow> {
        let multipliers = self.projected(certificate);
        let caps = self.implied_upper_bounds();
        let free = self.tightened().without_costs();
        let sum = free.lagrangian(certificate.shift, &multipliers, &caps)?;
        Ok(sum.is_some_and(Wide::is_positive))
    }

    /// A copy in which each row of integers only has its right-hand side moved to the next multiple
    /// of the gcd of its coefficients: no whole point is lost. An equation that its gcd does not
    /// divide is left as it is (see [`Problem::indivisible_row`]).
    pub(crate) fn tightened(&self) -> Self {
        let mut tight = self.clone();
        for (row, step) in tight.rows.iter_mut().zip(integer_row_gcds(self)) {
            if step <= 1 {
                continue;
            }
            match row.sense {
                Sense::AtMost => row.rhs = floor_multiple(row.rhs, step),
                Sense::AtLeast => row.rhs = ceil_multiple(row.rhs, step).unwrap_or(row.rhs),
                Sense::Equal => {}
            }
        }
        tight
    }

    /// Whether some equation of integers cannot hold because the gcd of its coefficients does not
    /// divide its right-hand side: an exact proof of infeasibility that no multipliers show.
    pub(crate) fn indivisible_row(&self) -> bool {
        let gcds = integer_row_gcds(self);
        self.rows
            .iter()
            .zip(gcds)
            .any(|(row, step)| row.sense == Sense::Equal && step > 1 && row.rhs % step != 0)
    }

    /// A copy of the problem in which everything is free.
    pub(crate) fn without_costs(&self) -> Self {
        let mut free = self.clone();
        for column in &mut free.columns {
            column.spec.cost = 0;
        }
        free
    }

    /// Multipliers with the wrong signs set to 0, one per row.
    fn projected(&self, certificate: &DualCertificate) -> Vec<i128> {
        let given = certificate.multipliers.iter().copied().chain(std::iter::repeat(0));
        self.rows.iter().zip(given).map(|(row, m)| project(row.sense, m)).collect()
    }

    /// `2^shift` times the Lagrangian bound; `None` where it is minus infinity.
    fn lagrangian(
        &self,
        shift: u32,
        multipliers: &[i128],
        caps: &[Option<i128>],
    ) -> Result<Option<Wide>, Overflow> {
        let mut sum = Wide::ZERO;
        for (row, m) in self.rows.iter().zip(multipliers) {
            sum = sum.checked_add(Wide::product(*m, row.rhs)).ok_or(Overflow)?;
        }
        for (column, cap) in self.columns.iter().zip(caps) {
            let d = column_reduced(shift, column, multipliers)?;
            let value = match (d < 0, cap) {
                (false, _) => i128::from(column.spec.lower),
                (true, Some(cap)) => *cap,
                (true, None) => return Ok(None),
            };
            sum = sum.checked_add(Wide::product(d, value)).ok_or(Overflow)?;
        }
        Ok(Some(sum))
    }

    /// The upper bound of each variable: its own, or one that a single row implies when all other
    /// terms of the row are at their least. Exact, and never below the lower bound.
    pub(crate) fn implied_upper_bounds(&self) -> Vec<Option<i128>> {
        let most = self.least_activity(1);
        let least = self.least_activity(-1);
        self.columns
            .iter()
            .map(|column| match column.spec.upper {
                Some(upper) => Some(i128::from(upper)),
                None => self.implied_upper(column, &most, &least),
            })
            .collect()
    }

    /// For each row, the least value of `direction * sum a x` within the variables' bounds;
    /// `None` where it has no limit or does not fit.
    fn least_activity(&self, direction: i128) -> Vec<Option<i128>> {
        let mut sums = vec![Some(0_i128); self.rows.len()];
        for column in &self.columns {
            for (row, a) in &column.entries {
                let least = directed(*a, direction).and_then(|a| {
                    let value = if a > 0 { Some(column.spec.lower) } else { column.spec.upper };
                    a.checked_mul(i128::from(value?))
                });
                let sum = &mut sums[*row as usize];
                *sum = sum.zip(least).and_then(|(sum, term)| sum.checked_add(term));
            }
        }
        sums
    }

    /// The tightest upper bound that one row implies for a column that has none.
    fn implied_upper(
        &self,
        column: &Column,
        most: &[Option<i128>],
        least: &[Option<i128>],
    ) -> Option<i128> {
        let lower = i128::from(column.spec.lower);
        let mut cap: Option<i128> = None;
        for (row, a) in &column.entries {
            let data = &self.rows[*row as usize];
            for (direction, sums) in [(1, most), (-1, least)] {
                let applies = match data.sense {
                    Sense::AtMost => direction == 1,
                    Sense::AtLeast => direction == -1,
                    Sense::Equal => true,
                };
                let implied = directed(*a, direction).filter(|a| applies && *a > 0).and_then(|a| {
                    let others = sums[*row as usize]?.checked_sub(a.checked_mul(lower)?)?;
                    let room = directed(data.rhs, direction)?.checked_sub(others)?;
                    let whole = room.div_euclid(a);
                    let up = column.spec.kind == Kind::Continuous && room.rem_euclid(a) != 0;
                    Some(whole + i128::from(up))
                });
                cap = cap.into_iter().chain(implied).min();
            }
        }
        // Below the lower bound the problem is infeasible, and any bound holds.
        cap.map(|cap| cap.max(lower))
    }
}

/// Makes a certificate of a solver's duals, and mends what their last digits broke.
///
/// `duals` are in cost units per unit of row. Where the rounding of a dual leaves a negative
/// reduced cost on a variable without an upper limit, the bound would be minus infinity: the
/// multiplier is then moved by as little as makes it 0, or all multipliers are shrunk a little.
pub(crate) fn from_duals(problem: &Problem, duals: &[f64]) -> DualCertificate {
    let shift = shift_for(problem, duals);
    let scaled = |y: f64| whole(y * 2_f64.powi(shift.cast_signed())).unwrap_or(0);
    let rounded: Vec<i128> =
        problem.rows.iter().zip(duals).map(|(row, y)| project(row.sense, scaled(*y))).collect();
    let caps = problem.implied_upper_bounds();
    let finite =
        |multipliers: &[i128]| matches!(problem.lagrangian(shift, multipliers, &caps), Ok(Some(_)));
    if !finite(&rounded) {
        let mended = mended(problem, shift, rounded.clone(), &caps);
        if finite(&mended) {
            return DualCertificate { shift, multipliers: mended };
        }
        for cut in [40, 30, 20, 10] {
            let shrunk: Vec<i128> = rounded.iter().map(|m| m - m / (1_i128 << cut)).collect();
            if finite(&shrunk) {
                return DualCertificate { shift, multipliers: shrunk };
            }
        }
    }
    DualCertificate { shift, multipliers: rounded }
}

/// Passes over the variables without limit, each lifting a negative reduced cost to 0 by moving the
/// multiplier of its largest coefficient that may move that way.
fn mended(
    problem: &Problem,
    shift: u32,
    mut multipliers: Vec<i128>,
    caps: &[Option<i128>],
) -> Vec<i128> {
    const PASSES: usize = 8;
    for _ in 0..PASSES {
        let mut moved = false;
        for (column, _) in problem.columns.iter().zip(caps).filter(|(_, cap)| cap.is_none()) {
            let Ok(d) = column_reduced(shift, column, &multipliers) else { continue };
            if d >= 0 {
                continue;
            }
            let best = column
                .entries
                .iter()
                .filter_map(|(row, a)| {
                    let step = d.checked_add(1)?.checked_div(*a)?;
                    // Rounded away from zero, so that the reduced cost really reaches 0.
                    let step = step.checked_sub(a.signum())?;
                    let next = multipliers[*row as usize].checked_add(step)?;
                    let allowed = project(problem.rows[*row as usize].sense, next) == next;
                    allowed.then_some((a.unsigned_abs(), *row as usize, next))
                })
                .max();
            if let Some((_, row, next)) = best {
                multipliers[row] = next;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    multipliers
}

/// The finest denominator that keeps every term `2^shift cost` and `multiplier a` within 2^100.
fn shift_for(problem: &Problem, duals: &[f64]) -> u32 {
    const ROOM: i32 = 100;
    let mut top = 0;
    for column in &problem.columns {
        top = top.max(magnitude(column.spec.cost));
        for (row, a) in &column.entries {
            let dual = duals.get(*row as usize).copied().unwrap_or(0.0).abs();
            if dual > 0.0 && dual.is_finite() {
                top = top.max(exponent(dual) + magnitude(*a));
            }
        }
    }
    let largest = duals.iter().filter(|y| y.is_finite()).fold(0.0_f64, |m, y| m.max(y.abs()));
    if largest > 0.0 {
        top = top.max(exponent(largest));
    }
    u32::try_from((ROOM - top).max(0)).unwrap_or(0).min(SHIFT_MAX)
}

/// The bits of `|value|`.
fn magnitude(value: i128) -> i32 {
    (i128::BITS - value.unsigned_abs().leading_zeros()).cast_signed()
}

/// An upper bound on the binary exponent of a positive finite float.
#[expect(clippy::cast_possible_truncation, reason = "the logarithm of an f64 is within 1100")]
fn exponent(value: f64) -> i32 {
    value.log2().ceil() as i32
}

/// The nearest integer, or `None` outside 2^120.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub(crate) fn whole(value: f64) -> Option<i128> {
    (value.abs() < 2_f64.powi(120)).then(|| value.round() as i128)
}

fn project(sense: Sense, multiplier: i128) -> i128 {
    match sense {
        Sense::AtLeast => multiplier.max(0),
        Sense::AtMost => multiplier.min(0),
        Sense::Equal => multiplier,
    }
}

/// `direction * value` for a direction of 1 or -1.
fn directed(value: i128, direction: i128) -> Option<i128> {
    value.checked_mul(direction)
}

fn column_reduced(shift: u32, column: &Column, multipliers: &[i128]) -> Result<i128, Overflow> {
    reduced(shift, column.spec.cost, column.entries.iter().copied(), multipliers)
}

fn reduced(
    shift: u32,
    cost: i128,
    entries: impl Iterator<Item = (u32, i128)>,
    multipliers: &[i128],
) -> Result<i128, Overflow> {
    let mut sum = Wide::product(cost, 1 << shift);
    for (row, a) in entries {
        let m = multipliers.get(row as usize).copied().unwrap_or(0);
        sum = sum.checked_add(Wide::product(m, a).negated()).ok_or(Overflow)?;
    }
    sum.narrow().ok_or(Overflow)
}

/// The least multiple of `step` (at least 1) that is not below `value`.
pub(crate) fn ceil_multiple(value: i128, step: i128) -> Option<i128> {
    let rest = value.rem_euclid(step);
    if rest == 0 { Some(value) } else { value.checked_add(step - rest) }
}

/// The greatest multiple of `step` not above `value`, or `value` at the end of the range.
fn floor_multiple(value: i128, step: i128) -> i128 {
    value.checked_sub(value.rem_euclid(step)).unwrap_or(value)
}

/// The gcd of each row's coefficients; 0 for a row with none or with a continuous variable.
fn integer_row_gcds(problem: &Problem) -> Vec<i128> {
    let mut gcds = row_gcds(problem);
    for column in problem.columns.iter().filter(|column| column.spec.kind == Kind::Continuous) {
        for (row, _) in &column.entries {
            gcds[*row as usize] = 0;
        }
    }
    gcds
}

/// The gcd of a row's coefficients, by row; 0 for a row without any.
pub(crate) fn row_gcds(problem: &Problem) -> Vec<i128> {
    let mut gcds = vec![0; problem.rows.len()];
    for column in &problem.columns {
        for (row, a) in &column.entries {
            let slot = &mut gcds[*row as usize];
            *slot = gcd(*slot, *a);
        }
    }
    gcds
}
