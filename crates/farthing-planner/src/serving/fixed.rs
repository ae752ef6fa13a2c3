//! Fixed-point numbers for the search: 44 binary places in 64 bits.
//!
//! They steer and prove nothing: whatever is found with them is checked in whole numbers, so that
//! a lost digit costs time and never truth. Results that do not fit are clamped.

/// One whole.
pub(super) const ONE: i64 = 1 << PLACES;
/// Binary places.
pub(super) const PLACES: u32 = 44;

/// Product.
#[inline]
pub(super) fn mul(a: i64, b: i64) -> i64 {
    clamp((i128::from(a) * i128::from(b)) >> PLACES)
}

/// Quotient; the divisor is not zero.
#[inline]
pub(super) fn div(a: i64, b: i64) -> i64 {
    clamp((i128::from(a) << PLACES) / i128::from(b))
}

/// The nearest number that fits.
#[inline]
pub(super) fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { -i64::MAX } else { i64::MAX })
}

/// `part / whole` with 44 places, for `whole > 0`.
pub(super) fn ratio(part: i128, whole: i128) -> i64 {
    // Digits that a quotient cannot show are dropped first, so that the shift fits.
    let excess = (128 - part.unsigned_abs().leading_zeros()).saturating_sub(126 - PLACES);
    let (part, whole) = (part >> excess, (whole >> excess).max(1));
    clamp((part << PLACES) / whole)
}
