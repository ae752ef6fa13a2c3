//! Half-open windows of UTC time.

use crate::time::{NANOS_PER_HOUR, hour_floor};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// A half-open span `[from, to)` of UTC time that is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
}

/// Why two instants do not make a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a window must end after it starts: {from} to {to}")]
pub struct WindowError {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// The span from `from` up to, not including, `to`.
    ///
    /// # Errors
    /// `to` is not after `from`.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, WindowError> {
        if from < to { Ok(Self { from, to }) } else { Err(WindowError { from, to }) }
    }

    /// The span of `length` that starts at `from`; `None` when it is empty or out of range.
    pub fn starting(from: Timestamp, length: SignedDuration) -> Option<Self> {
        let to = from.checked_add(length).ok()?;
        Self::new(from, to).ok()
    }

    /// The whole UTC hour that holds `at`; `None` at the end of representable time.
    pub fn hour_of(at: Timestamp) -> Option<Self> {
        let from = hour_floor(at);
        let to = Timestamp::from_nanosecond(from.as_nanosecond() + NANOS_PER_HOUR).ok()?;
        Self::new(from, to).ok()
    }

    /// First instant inside.
    pub const fn from(self) -> Timestamp {
        self.from
    }

    /// First instant after.
    pub const fn to(self) -> Timestamp {
        self.to
    }

    /// Length in nanoseconds, always positive.
    pub fn nanos(self) -> i128 {
        self.to.as_nanosecond() - self.from.as_nanosecond()
    }

    /// Length.
    pub fn duration(self) -> SignedDuration {
        self.to.duration_since(self.from)
    }

    /// Whether `at` is inside.
    pub fn contains(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// The part that both share, if any.
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to)).ok()
    }

    /// The parts of this window in each UTC hour it touches, in order.
    pub fn by_hour(self) -> impl Iterator<Item = Self> {
        let mut next = Some(self.from);
        std::iter::from_fn(move || {
            let from = next.filter(|from| *from < self.to)?;
            let to = Self::hour_of(from).map_or(self.to, |hour| hour.to.min(self.to));
            next = Some(to);
            Self::new(from, to).ok()
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_empty_window_is_refused() {
        assert!(Window::new(at(5), at(5)).is_err());
        assert!(Window::new(at(6), at(5)).is_err());
    }

    proptest! {
        #[test]
        fn hours_partition_the_window(from in -100_000_i64..100_000, length in 1_i64..50_000) {
            let window = Window::new(at(from), at(from + length)).unwrap();
            let parts: Vec<_> = window.by_hour().collect();
            prop_assert_eq!(parts[0].from(), window.from());
            prop_assert_eq!(parts[parts.len() - 1].to(), window.to());
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].to(), pair[1].from());
                prop_assert_eq!(pair[1].from(), hour_floor(pair[1].from()));
            }
            prop_assert_eq!(parts.iter().map(|part| part.nanos()).sum::<i128>(), window.nanos());
        }

        #[test]
        fn intersection_is_inside_both(
            a in 0_i64..100, b in 1_i64..100, c in 0_i64..100, d in 1_i64..100,
        ) {
            let x = Window::new(at(a), at(a + b)).unwrap();
            let y = Window::new(at(c), at(c + d)).unwrap();
            prop_assert_eq!(x.intersect(y), y.intersect(x));
            for second in 0..200 {
                let both = x.contains(at(second)) && y.contains(at(second));
                let inside = x.intersect(y).is_some_and(|shared| shared.contains(at(second)));
                prop_assert_eq!(both, inside);
            }
        }
    }
}
