//! Shares of one accelerator: what a workload holds of a device that it does not have to itself.
//!
//! Pure arithmetic that every adapter calls, so that a slice, a replica and a declared fraction of
//! the same size are the same amount wherever they were read. It refuses to know which scheduler
//! said so. Start with [`Share::over`].

use crate::decimal::Decimal;
use crate::split::mul_div_rem;
use crate::time::NANOS_PER_SECOND;
use crate::window::Window;
use std::{cmp::Ordering, fmt, str::FromStr};

/// A fraction of one device: above 0, at most 1, exact (a seventh stays a seventh), and in lowest
/// terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    parts: u64,
    of: u64,
}

/// Why something is not a share of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a share of one accelerator: it must be above 0 and at most 1, such as 0.25")]
pub struct ShareError(String);

impl Share {
    /// The whole device.
    pub const WHOLE: Self = Self { parts: 1, of: 1 };

    /// `parts` of `of` equal parts; `None` for nothing, for more than the whole, and for more than
    /// 2^62 parts, which no device has.
    pub const fn of(parts: u64, of: u64) -> Option<Self> {
        if parts == 0 || parts > of || of > 1 << 62 {
            return None;
        }
        let (mut a, mut b) = (parts, of);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self { parts: parts / a, of: of / a })
    }

    /// Time slicing and MPS without a declared fraction: one of `replicas` equal shares. No
    /// replicas, or one, is the whole device.
    pub const fn replica(replicas: u32) -> Self {
        Self { parts: 1, of: if replicas == 0 { 1 } else { replicas as u64 } }
    }

    /// A declared fraction, such as `0.25` of the annotation `gpu-fraction`.
    ///
    /// # Errors
    /// Not a decimal number with at most nine decimals, or not above 0 and at most 1.
    pub fn declared(text: &str) -> Result<Self, ShareError> {
        let bad = || ShareError(text.to_owned());
        let nano = text.trim().parse::<Decimal>().map_err(|_| bad())?.nano();
        let parts = u64::try_from(nano).map_err(|_| bad())?;
        Self::of(parts, 1_000_000_000).ok_or_else(bad)
    }

    /// Cores and memory that are limited apart, as `HAMi` does (per cent of the cores; bytes of the
    /// memory): the larger of both is what nobody else can have. A limit that is not there, or is
    /// beyond the device, does not count; without any it is the whole device.
    pub fn limits(core_percent: Option<u32>, memory: Option<(u64, u64)>) -> Self {
        let cores = core_percent.and_then(|percent| Self::of(percent.into(), 100));
        let memory = memory.and_then(|(bytes, of)| Self::of(bytes, of));
        cores.max(memory).unwrap_or(Self::WHOLE)
    }

    /// This share of another share: a claim of a third of a device (dynamic resource allocation)
    /// that two pods reserve is a sixth for each. `None` when the fraction does not fit 64 bits.
    pub fn within(self, other: Self) -> Option<Self> {
        let parts = u128::from(self.parts) * u128::from(other.parts);
        let of = u128::from(self.of) * u128::from(other.of);
        let (mut a, mut b) = (parts, of);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self::of(u64::try_from(parts / a).ok()?, u64::try_from(of / a).ok()?)
    }

    /// Numerator and denominator, in lowest terms.
    pub const fn fraction(self) -> (u64, u64) {
        (self.parts, self.of)
    }

    /// In 10^-9 of a device, rounded down.
    pub fn nano(self) -> i128 {
        i128::from(self.parts) * NANOS_PER_SECOND / i128::from(self.of)
    }

    /// What this share of a device is over a window, in 10^-9 GPU-seconds: the amount to request
    /// in a sample. Additive: the amounts of the parts of a window sum to that of the window.
    pub fn over(self, window: Window) -> i128 {
        self.between(window.from().as_nanosecond(), window.to().as_nanosecond())
    }

    /// As [`Share::over`], from one nanosecond since the epoch to another.
    pub fn between(self, from: i128, to: i128) -> i128 {
        let (parts, of) = (i128::from(self.parts), i128::from(self.of));
        let until = |nanos: i128| nanos.div_euclid(of) * parts + nanos.rem_euclid(of) * parts / of;
        until(to) - until(from)
    }

    /// The part of `amount`, rounded down; `None` for a negative amount.
    pub fn part_of(self, amount: i128) -> Option<i128> {
        let amount = u128::try_from(amount).ok()?;
        let (part, _) = mul_div_rem(amount, self.parts.into(), self.of.into())?;
        i128::try_from(part).ok()
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (u128::from(self.parts), u128::from(other.parts));
        (mine * u128::from(other.of)).cmp(&(theirs * u128::from(self.of)))
    }
}

impl FromStr for Share {
    type Err = ShareError;

    /// Reads `1/7`, as it is written.
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let fraction = text.split_once('/');
        let number = |text: &str| text.parse::<u64>().ok();
        fraction
            .and_then(|(parts, of)| Self::of(number(parts)?, number(of)?))
            .ok_or_else(|| ShareError(text.to_owned()))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&format!("{}/{}", self.parts, self.of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn hour() -> Window {
        Window::hour_of(Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn each_way_of_sharing_is_a_fraction_of_one_device() {
        let share = |parts, of| Share::of(parts, of).unwrap();
        assert_eq!(Share::replica(4), share(1, 4));
        assert_eq!((Share::replica(0), Share::replica(1)), (Share::WHOLE, Share::WHOLE));
        assert_eq!(Share::declared("0.25"), Ok(share(1, 4)));
        assert_eq!(Share::declared(" 1 "), Ok(Share::WHOLE));
        for bad in ["0", "1.5", "-0.5", "half", ""] {
            assert!(Share::declared(bad).is_err(), "{bad}");
        }
        // 30 % of the cores and half of the memory: nobody else can have that half.
        assert_eq!(Share::limits(Some(30), Some((40, 80))), share(1, 2));
        assert_eq!(Share::limits(Some(30), None), share(3, 10));
        assert_eq!(Share::limits(Some(0), Some((0, 80))), Share::WHOLE);
        // A claim of a third that two pods reserve.
        assert_eq!(share(1, 2).within(share(1, 3)), Some(share(1, 6)));
        assert_eq!(share(2, 8).fraction(), (1, 4));
        assert_eq!((Share::of(0, 7), Share::of(8, 7)), (None, None));
    }

    #[test]
    fn four_quarters_of_an_hour_are_a_gpu_hour() {
        assert_eq!(Share::replica(4).over(hour()) * 4, 3_600 * NANOS_PER_SECOND);
        assert_eq!(Share::of(1, 7).unwrap().over(hour()), 514_285_714_285);
        assert_eq!(Share::of(1, 7).unwrap().nano(), 142_857_142);
    }

    proptest! {
        #[test]
        fn amounts_are_additive(
            parts in 1_u64..1 << 40, more in 0_u64..1 << 40, from in -1_i64 << 60..1_i64 << 60,
            a in 1_i64..1 << 50, b in 1_i64..1 << 50,
        ) {
            let share = Share::of(parts, parts + more).unwrap();
            let at = |nanos: i64| Timestamp::from_nanosecond(nanos.into()).unwrap();
            let window = |from, to| Window::new(at(from), at(to)).unwrap();
            let middle = from + a;
            let cut = share.over(window(from, middle)) + share.over(window(middle, middle + b));
            prop_assert_eq!(cut, share.over(window(from, from + a + b)));
        }

        #[test]
        fn the_order_is_that_of_the_fractions(a in 1_u64..200, b in 1_u64..200, c in 1_u64..200) {
            let (x, y) = (Share::of(a.min(b), b).unwrap(), Share::of(a.min(c), c).unwrap());
            let exact = (a.min(b) * c).cmp(&(a.min(c) * b));
            prop_assert_eq!(x.cmp(&y), exact);
        }
    }
}
