//! Amounts over time that are additive: however a stretch of time is cut, the parts sum to the
//! whole exactly, because each part is the difference of a running total.

use farthing_model::{NANOS_PER_SECOND, Window, proportion};

/// A span of nanoseconds since the epoch, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos {
    pub(crate) from: i128,
    pub(crate) to: i128,
}

impl Nanos {
    pub(crate) fn of(window: Window) -> Self {
        Self { from: window.from().as_nanosecond(), to: window.to().as_nanosecond() }
    }

    pub(crate) const fn len(self) -> i128 {
        self.to - self.from
    }

    /// The part that both share, if any.
    pub(crate) fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }

    /// The same span as a window; `None` when it is empty or out of range.
    pub(crate) fn window(self) -> Option<Window> {
        let at = |nanos| jiff::Timestamp::from_nanosecond(nanos).ok();
        Window::new(at(self.from)?, at(self.to)?).ok()
    }
}

/// What `capacity_nano` (10^-9 units) offers over a span, in 10^-9 unit-seconds; `None` when it
/// does not fit.
pub(crate) fn capacity_over(capacity_nano: i128, span: Nanos) -> Option<i128> {
    Some(offered_until(capacity_nano, span.to)? - offered_until(capacity_nano, span.from)?)
}

/// Whole units first, so that a petabyte since 1970 still fits.
fn offered_until(capacity_nano: i128, nanos: i128) -> Option<i128> {
    let (whole, rest) = (capacity_nano / NANOS_PER_SECOND, capacity_nano % NANOS_PER_SECOND);
    let whole = whole.checked_mul(nanos)?;
    if rest == 0 {
        return Some(whole);
    }
    let rest = rest.checked_mul(nanos)?;
    whole.checked_add(rest.div_euclid(NANOS_PER_SECOND))
}

/// The part of `total`, spread evenly over `whole`, that lies in `part` (inside `whole`); `None`
/// for a negative total.
pub(crate) fn amount_in(total: i128, whole: Nanos, part: Nanos) -> Option<i128> {
    if part == whole {
        return Some(total);
    }
    let until = proportion(total, part.to - whole.from, whole.len())?;
    let before = proportion(total, part.from - whole.from, whole.len())?;
    Some(until - before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_are_additive(
            total in 0_i128..1 << 100, capacity in 0_i128..1 << 80,
            start in 0_i128..2_000_000_000_000_000_000,
            cuts in prop::collection::vec(1_i128..1_000_000_000_000, 1..20),
        ) {
            let whole = Nanos { from: start, to: start + cuts.iter().sum::<i128>() };
            let (mut from, mut amounts, mut offered) = (start, 0, 0);
            for cut in cuts {
                let part = Nanos { from, to: from + cut };
                amounts += amount_in(total, whole, part).unwrap();
                offered += capacity_over(capacity, part).unwrap();
                from += cut;
            }
            prop_assert_eq!(amounts, total);
            prop_assert_eq!(offered, capacity_over(capacity, whole).unwrap());
        }
    }
}
