//! The integers that the search computes in: 64 bits where all sums of a problem fit, else 128.

/// Money, or money and unknown transfers in one number. Sums wrap: [`fits`](Amount::of) is asked
/// once, for the largest sum that a problem can make, and what is passed on between tasks is held
/// to [`SAFE`](Amount::SAFE) at every step, so that they never do.
pub(crate) trait Amount: Copy + Ord + Default {
    /// More than any sum.
    const HUGE: Self;
    /// Parts of a sum up to this are far from wrapping, two or three of them together too.
    const SAFE: Self;

    /// The amount in this width, if it is below a sixteenth of what the width holds.
    fn of(amount: i128) -> Option<Self>;
    /// The amount in full width.
    fn wide(self) -> i128;
    /// Sum.
    fn plus(self, other: Self) -> Self;
    /// Difference.
    fn minus(self, other: Self) -> Self;
    /// A part of so many equal ones, rounded down; the amount is not negative.
    fn share(self, parts: usize) -> Self;
}

impl Amount for i64 {
    const HUGE: Self = Self::MAX / 2;
    const SAFE: Self = 1 << 60;

    fn of(amount: i128) -> Option<Self> {
        Self::try_from(amount).ok().filter(|amount| amount.unsigned_abs() < 1 << 59)
    }

    fn wide(self) -> i128 {
        self.into()
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn share(self, parts: usize) -> Self {
        self / Self::try_from(parts.max(1)).unwrap_or(Self::MAX)
    }
}

impl Amount for i128 {
    const HUGE: Self = Self::MAX / 2;
    const SAFE: Self = 1 << 124;

    fn of(amount: i128) -> Option<Self> {
        Some(amount).filter(|amount| amount.unsigned_abs() < 1 << 123)
    }

    fn wide(self) -> i128 {
        self
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn share(self, parts: usize) -> Self {
        self / Self::try_from(parts.max(1)).unwrap_or(Self::MAX)
    }
}
