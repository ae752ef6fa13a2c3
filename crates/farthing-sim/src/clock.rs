//! The virtual clock: a handle that many can read and the driver sets.

use farthing_edge::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};

/// A clock that stands still until it is told otherwise. Clones share the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Mutex<Timestamp>>);

impl VirtualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Sets the time, also back.
    pub fn set(&self, to: Timestamp) {
        // A poisoned lock holds a whole timestamp all the same.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Moves the time by `by`, back where it is negative, and returns the new time. At the ends of
    /// representable time it stays.
    pub fn advance(&self, by: SignedDuration) -> Timestamp {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(by).unwrap_or(*now);
        *now
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_time_that_may_go_back() {
        let clock = VirtualClock::new(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        clock.advance(SignedDuration::from_mins(5));
        assert_eq!(other.now().as_second(), 300);
        other.advance(SignedDuration::from_mins(-2));
        assert_eq!(clock.now().as_second(), 180);
        clock.set(Timestamp::MAX);
        assert_eq!(clock.advance(SignedDuration::from_hours(1)), Timestamp::MAX);
    }
}
