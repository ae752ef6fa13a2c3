//! Signed 256-bit sums of 128-bit products.
//!
//! A Lagrangian bound adds up to 360,000 products of a reduced cost (about 2^100) and a bound
//! (2^63). That leaves `i128` behind, so the sums run here; only the divided result returns.

/// A signed 256-bit integer in two's complement: `high * 2^128 + low`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wide {
    high: i128,
    low: u128,
}

impl Wide {
    /// Zero.
    pub(crate) const ZERO: Self = Self { high: 0, low: 0 };

    /// `left * right`, which always fits: its magnitude is at most 2^254.
    pub(crate) fn product(left: i128, right: i128) -> Self {
        let (high, low) = multiply(left.unsigned_abs(), right.unsigned_abs());
        let magnitude = Self { high: high.cast_signed(), low };
        if (left < 0) == (right < 0) { magnitude } else { magnitude.negated() }
    }

    /// `self + other`, or `None` past 2^255.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let (low, carry) = self.low.overflowing_add(other.low);
        // The carry goes to the smaller high half first, so that -1 + max + carry does not fail.
        let (left, right) =
            if self.high < other.high { (self.high, other.high) } else { (other.high, self.high) };
        let left = if left == i128::MAX && carry { return None } else { left + i128::from(carry) };
        Some(Self { high: left.checked_add(right)?, low })
    }

    /// `-self`; only called on products, which are far from the end of the range.
    pub(crate) fn negated(self) -> Self {
        let (low, carry) = (!self.low).overflowing_add(1);
        Self { high: (!self.high).wrapping_add(i128::from(carry)), low }
    }

    /// Whether the value is above zero.
    pub(crate) fn is_positive(self) -> bool {
        self.high > 0 || (self.high == 0 && self.low > 0)
    }

    /// The value as `i128`, or `None` when it does not fit.
    pub(crate) fn narrow(self) -> Option<i128> {
        let low = self.low.cast_signed();
        let extension = if low < 0 { -1 } else { 0 };
        (self.high == extension).then_some(low)
    }

    /// `floor(self / 2^shift)` for `shift` in `0..128`.
    pub(crate) fn shifted_floor(self, shift: u32) -> Self {
        if shift == 0 {
            return self;
        }
        let carried = self.high.cast_unsigned() << (128 - shift);
        Self { high: self.high >> shift, low: (self.low >> shift) | carried }
    }
}

/// The 256-bit product of two magnitudes, as (high, low), from four 64-bit products.
fn multiply(left: u128, right: u128) -> (u128, u128) {
    const HALF: u128 = u64::MAX as u128;
    let (left_high, left_low) = (left >> 64, left & HALF);
    let (right_high, right_low) = (right >> 64, right & HALF);
    let bottom = left_low * right_low;
    let cross = left_high * right_low + (bottom >> 64);
    let middle = left_low * right_high + (cross & HALF);
    let high = left_high * right_high + (cross >> 64) + (middle >> 64);
    (high, (middle << 64) | (bottom & HALF))
}

#[cfg(test)]
mod tests {
    use super::Wide;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_and_sums_agree_with_i128_where_that_fits(
            a in any::<i64>(),
            b in any::<i64>(),
            c in any::<i64>(),
            d in any::<i64>(),
            s in 0_u32..127,
        ) {
            let exact = i128::from(a) * i128::from(b) / 2 + i128::from(c) * i128::from(d) / 2;
            let sum = Wide::product(i128::from(a) * i128::from(b) / 2, 1)
                .checked_add(Wide::product(i128::from(c) * i128::from(d) / 2, 1));
            prop_assert_eq!(sum.and_then(Wide::narrow), Some(exact));
            prop_assert_eq!(sum.and_then(|w| w.shifted_floor(s).narrow()), Some(exact >> s));
        }

        #[test]
        fn a_product_divided_by_its_power_of_two_factor_is_the_other(
            a in any::<i128>(), s in 0_u32..126
        ) {
            let product = Wide::product(a, 1_i128 << s);
            prop_assert_eq!(product.shifted_floor(s).narrow(), Some(a));
            prop_assert_eq!(product.is_positive(), a > 0);
            prop_assert_eq!(product.checked_add(product.negated()), Some(Wide::ZERO));
        }

        #[test]
        fn products_distribute(a in any::<i128>(), b in any::<i64>(), c in any::<i64>()) {
            let (b, c) = (i128::from(b), i128::from(c));
            let apart = Wide::product(a, b).checked_add(Wide::product(a, c));
            prop_assert_eq!(apart, Some(Wide::product(a, b + c)));
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        let most = Wide::product(i128::MIN, i128::MIN);
        assert_eq!(most.checked_add(most), None);
        assert_eq!(most.narrow(), None);
        assert_eq!(Wide::product(i128::MIN, 1).narrow(), Some(i128::MIN));
    }
}
