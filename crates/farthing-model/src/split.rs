//! The one place where a whole is divided: largest remainder, so that parts sum to the whole.

use crate::money::Money;

/// Why a whole cannot be split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A weight is below zero.
    #[error("a weight of {0} is below zero")]
    NegativeWeight(i128),
    /// There is something to split, and nothing to split it by.
    #[error("an amount cannot be split over no weight at all")]
    NoWeight,
    /// The weights, or a product, do not fit.
    #[error("the weights are too large to split by exactly")]
    Overflow,
}

/// Splits `total` in proportion to `weights` by largest remainder: the parts sum to `total`
/// exactly, each differs from its exact share by less than one unit, and ties go to the earlier
/// weight. A negative total is the mirror of the positive one.
///
/// # Errors
/// A negative weight, no weight for a total that is not zero, or overflow.
pub fn split(total: i128, weights: &[i128]) -> Result<Vec<i128>, SplitError> {
    if let Some(&negative) = weights.iter().find(|weight| **weight < 0) {
        return Err(SplitError::NegativeWeight(negative));
    }
    let whole: u128 = weights
        .iter()
        .try_fold(0_u128, |sum, weight| sum.checked_add(weight.unsigned_abs()))
        .ok_or(SplitError::Overflow)?;
    if total == 0 {
        return Ok(vec![0; weights.len()]);
    }
    if whole == 0 {
        return Err(SplitError::NoWeight);
    }
    let magnitude = total.unsigned_abs();
    let mut parts = Vec::with_capacity(weights.len());
    let mut rests = Vec::with_capacity(weights.len());
    let mut given: u128 = 0;
    for (index, weight) in weights.iter().enumerate() {
        let (share, rest) =
            mul_div_rem(magnitude, weight.unsigned_abs(), whole).ok_or(SplitError::Overflow)?;
        given += share;
        parts.push(share);
        rests.push((rest, index));
    }
    rests.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let missing = usize::try_from(magnitude - given).map_err(|_| SplitError::Overflow)?;
    for (_, index) in rests.iter().take(missing) {
        parts[*index] += 1;
    }
    parts
        .into_iter()
        .map(|part| {
            let part = i128::try_from(part).map_err(|_| SplitError::Overflow)?;
            Ok(if total < 0 { -part } else { part })
        })
        .collect()
}

/// [`split`] for money.
///
/// # Errors
/// As [`split`].
pub fn split_money(total: Money, weights: &[i128]) -> Result<Vec<Money>, SplitError> {
    let parts = split(total.pico(), weights)?;
    Ok(parts.into_iter().map(|pico| Money::from_pico(pico, total.currency())).collect())
}

/// `amount x part / whole` rounded down, exact through 256 bits; `None` for a negative number, no
/// whole, or a quotient that does not fit.
///
/// The differences of this running share at the edges of a cutting sum to `amount` exactly, so it
/// spreads an amount over time without losing a unit.
pub fn proportion(amount: i128, part: i128, whole: i128) -> Option<i128> {
    let amount = u128::try_from(amount).ok()?;
    let part = u128::try_from(part).ok()?;
    let whole = u128::try_from(whole).ok()?;
    let (share, _) = mul_div_rem(amount, part, whole)?;
    i128::try_from(share).ok()
}

/// `a x b / divisor` and the remainder, exact through 256 bits. `None` when the quotient does not
/// fit. `b <= divisor` holds for shares, so that it always fits there.
pub(crate) fn mul_div_rem(a: u128, b: u128, divisor: u128) -> Option<(u128, u128)> {
    if divisor == 0 {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some((product / divisor, product % divisor));
    }
    let (high, low) = wide_mul(a, b);
    if high >= divisor {
        return None;
    }
    // Schoolbook division of 256 bits by 128, one bit at a time: rare, so plain beats fast.
    let (mut rest, mut quotient) = (high, 0_u128);
    for bit in (0..128).rev() {
        let carry = rest >> 127;
        rest = (rest << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if carry == 1 || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    Some((quotient, rest))
}

/// The 256-bit product as (high, low).
fn wide_mul(a: u128, b: u128) -> (u128, u128) {
    const MASK: u128 = u64::MAX as u128;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & MASK, b >> 64, b & MASK);
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 64);
    let cross = a_low * b_high + (middle & MASK);
    let high = a_high * b_high + (middle >> 64) + (cross >> 64);
    (high, (cross << 64) | (low & MASK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_the_earlier() {
        assert_eq!(split(10, &[1, 1, 1]), Ok(vec![4, 3, 3]));
        assert_eq!(split(-10, &[1, 1, 1]), Ok(vec![-4, -3, -3]));
        assert_eq!(split(0, &[0, 0]), Ok(vec![0, 0]));
        assert_eq!(split(1, &[]), Err(SplitError::NoWeight));
        assert_eq!(split(1, &[1, -1]), Err(SplitError::NegativeWeight(-1)));
    }

    #[test]
    fn shares_beyond_128_bits_are_exact() {
        let total = i128::MAX / 3;
        let parts = split(total, &[i128::MAX / 5, i128::MAX / 7, 12_345]).unwrap();
        assert_eq!(parts.iter().sum::<i128>(), total);
    }

    #[test]
    fn a_running_share_is_exact_and_refuses_nonsense() {
        assert_eq!(proportion(10, 1, 3), Some(3));
        assert_eq!(proportion(i128::MAX, 1, 2), Some(i128::MAX / 2));
        assert_eq!(proportion(i128::MAX, i128::MAX, i128::MAX), Some(i128::MAX));
        assert_eq!(proportion(1, 1, 0), None);
        assert_eq!(proportion(-1, 1, 2), None);
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole(
            total in any::<i64>(), weights in prop::collection::vec(0_i128..1 << 90, 1..40),
        ) {
            let total = i128::from(total) << 40;
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let parts = split(total, &weights).unwrap();
            prop_assert_eq!(parts.iter().sum::<i128>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*weight > 0 || part.abs() <= 1);
            }
        }

        #[test]
        fn wide_division_agrees_with_narrow(a in any::<u64>(), b in any::<u64>(), d in 1_u64..) {
            let (a, b, d) = (u128::from(a), u128::from(b), u128::from(d));
            prop_assert_eq!(mul_div_rem(a, b, d), Some((a * b / d, a * b % d)));
            // Scaling dividend and divisor alike keeps the quotient and scales the remainder.
            let wide = mul_div_rem(a << 62, b, d << 62);
            prop_assert_eq!(wide, Some((a * b / d, (a * b % d) << 62)));
        }
    }
}
