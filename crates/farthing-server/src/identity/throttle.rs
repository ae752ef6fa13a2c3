//! Attempts that failed, by address: after ten in a minute, no more are looked at for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures of one address in the time of [`WITHIN`].
const FAILURES_MAX: u32 = 10;
/// Failures of all addresses in that time: many addresses are no way around.
const ALL_MAX: u32 = 500;
const WITHIN: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Debug)]
struct Count {
    since: Instant,
    failures: u32,
}

/// Failed attempts.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<(HashMap<IpAddr, Count>, Option<Count>)>);

impl Throttle {
    /// How long an address has to wait; `None` = not at all.
    pub(super) fn wait(&self, from: IpAddr, now: Instant) -> Option<Duration> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |count: &Count, max: u32| {
            let left = WITHIN.saturating_sub(now.duration_since(count.since));
            (count.failures >= max && !left.is_zero()).then_some(left)
        };
        let one = counts.0.get(&network(from)).and_then(|count| left(count, FAILURES_MAX));
        one.max(counts.1.as_ref().and_then(|count| left(count, ALL_MAX)))
    }

    /// Counts a failure.
    pub(super) fn failed(&self, from: IpAddr, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |count: &Count| now.duration_since(count.since) >= WITHIN;
        if counts.0.len() >= ADDRESSES_MAX {
            counts.0.retain(|_, count| !over(count));
        }
        let add = |count: &mut Count| {
            if over(count) {
                *count = Count { since: now, failures: 0 };
            }
            count.failures = count.failures.saturating_add(1);
        };
        let new = || Count { since: now, failures: 0 };
        if counts.0.len() < ADDRESSES_MAX || counts.0.contains_key(&network(from)) {
            add(counts.0.entry(network(from)).or_insert_with(new));
        }
        add(counts.1.get_or_insert_with(new));
    }
}

/// The address, or the network of one where everybody has billions.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        },
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_of_a_network_close_the_door_for_a_minute() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let (one, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "2001:db8:0:1::1".parse().unwrap());
        for _ in 0..9 {
            throttle.failed(one, start);
        }
        assert_eq!(throttle.wait(one, start), None);
        throttle.failed("2001:db8::2".parse().unwrap(), start);
        assert_eq!(throttle.wait(one, start), Some(WITHIN));
        assert_eq!(throttle.wait(other, start), None);
        assert_eq!(throttle.wait(one, start + WITHIN), None);
    }

    #[test]
    fn many_addresses_are_no_way_around() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..ALL_MAX {
            throttle.failed(IpAddr::V4((0x0a00_0000 + number).into()), start);
        }
        assert!(throttle.wait("192.0.2.1".parse().unwrap(), start).is_some());
    }
}
