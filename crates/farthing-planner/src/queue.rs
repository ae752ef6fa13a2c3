//! Queueing: how many servers keep the wait short, by Erlang's formulas, rounded to the safe side.
//!
//! Requests come at random to `c` like servers with a queue in front (M/M/c). With an offered load
//! of `a` servers the chance that a request waits at all is
//!
//! ```text
//! B(0) = 1,  B(k) = a B(k-1) / (k + a B(k-1))          Erlang B
//! C = B(c) / (1 - a/c (1 - B(c)))                      Erlang C
//! P(wait > t) = C exp(-(c - a) t / s)                  s: the mean time of service
//! ```
//!
//! Everything is a fraction over 10^15, and each step is rounded so that the result can only be
//! too large: what is enough here is enough. Source: A. K. Erlang, 1917; any text on queues.

/// The whole, in the unit of chances.
pub const CHANCE: i128 = 1_000_000_000_000_000;

/// A server, in the unit of loads.
const SERVER: i128 = 1_000_000_000_000;

/// Servers of one queue at most: the recursion takes a step for each.
pub const SERVERS_MAX: u64 = 1 << 20;

/// Load offered to a queue and how its wait is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Offered load, in 10^-12 servers.
    pub load: i128,
    /// The mean time of service in any unit; above zero.
    pub service: i128,
    /// The wait that is judged, in the same unit.
    pub wait: i128,
}

/// `a x b / c` rounded up, for numbers that are not negative.
fn up(a: i128, b: i128, c: i128) -> Option<i128> {
    let product = a.checked_mul(b)?;
    Some(product / c + i128::from(product % c > 0))
}

/// The chance, over [`CHANCE`], that a request finds all of `servers` busy; never too small.
/// `None` where they do not keep up with the load, or numbers do not fit.
pub fn erlang_c(load: i128, servers: u64) -> Option<i128> {
    let all = i128::from(servers).checked_mul(SERVER)?;
    if load < 0 || load >= all || servers > SERVERS_MAX {
        return None;
    }
    // `B` only grows with the one before it, so that rounding up stays above.
    let mut blocked = CHANCE;
    for server in 1..=servers {
        let offered = up(load, blocked, SERVER)?;
        let whole = i128::from(server).checked_mul(CHANCE)?.checked_add(offered)?;
        blocked = up(offered, CHANCE, whole)?;
    }
    // The divisor rounded down.
    let free = CHANCE - blocked;
    let used = up(load, free, all)?;
    let divisor = CHANCE - used;
    if divisor <= 0 {
        return Some(CHANCE);
    }
    Some(up(blocked, CHANCE, divisor)?.min(CHANCE))
}

/// The chance, over [`CHANCE`], that a request waits longer than is judged; never too small.
/// `None` as for [`erlang_c`].
pub fn late(waiting: Waiting, servers: u64) -> Option<i128> {
    let busy = erlang_c(waiting.load, servers)?;
    if waiting.service <= 0 || waiting.wait < 0 {
        return None;
    }
    let spare = i128::from(servers) * SERVER - waiting.load;
    // (c - a) t / s over CHANCE, rounded down.
    let spare = spare.checked_mul(CHANCE / SERVER)?;
    let exponent = spare.checked_mul(waiting.wait)? / waiting.service;
    up(busy, decay(exponent)?, CHANCE)
}

/// `exp(-x)` over [`CHANCE`], rounded up, for `x >= 0` over it.
fn decay(exponent: i128) -> Option<i128> {
    /// Beyond this many e-folds nothing is left of 10^15.
    const NOTHING: i128 = 35 * CHANCE;
    /// Halvings after which the series is short.
    const HALVINGS: u32 = 26;
    if exponent >= NOTHING {
        return Some(1);
    }
    // exp(-y) <= 1 - y + y^2 / 2 for y >= 0.
    let small = exponent >> HALVINGS;
    let mut value = CHANCE - small + up(small, small, 2 * CHANCE)?;
    for _ in 0..HALVINGS {
        value = up(value, value, CHANCE)?;
    }
    Some(value.min(CHANCE))
}

/// The fewest servers, in steps of `step` from `least` on, at which at most `chance` of all
/// requests wait longer than is judged; `None` if none up to `most` do.
pub fn servers(
    waiting: Waiting,
    chance: i128,
    (least, step, most): (u64, u64, u64),
) -> Option<u64> {
    let step = step.max(1);
    let fits = |count: u64| late(waiting, count * step).is_some_and(|late| late <= chance);
    let most = most.min(SERVERS_MAX) / step;
    let mut low = least.div_ceil(step).max(1);
    // A chance takes a step for each server, so that far more than are needed are not asked about.
    let mut high = low;
    while high > most || !fits(high) {
        if high >= most {
            return None;
        }
        low = high + 1;
        high = high.saturating_mul(2).min(most);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of printed tables: load, servers, chance of waiting.
    #[test]
    fn agrees_with_printed_tables() {
        let check = |load: i128, servers: u64, expect_millionths: i128| {
            let found = erlang_c(load * SERVER / 10, servers).unwrap();
            let off = found - expect_millionths * (CHANCE / 1_000_000);
            assert!(off.abs() <= CHANCE / 1_000_000, "{load} {servers}: {found}");
        };
        check(5, 1, 500_000);
        check(10, 2, 333_333);
        check(20, 3, 444_444);
        check(50, 6, 587_516);
        check(100, 12, 449_388);
    }

    #[test]
    fn what_does_not_keep_up_has_no_answer() {
        assert_eq!(erlang_c(2 * SERVER, 2), None);
        assert_eq!(erlang_c(-1, 2), None);
        assert_eq!(erlang_c(0, 1), Some(0));
        assert_eq!(late(Waiting { load: 1, service: 0, wait: 1 }, 1), None);
    }

    #[test]
    fn the_decay_is_above_and_near() {
        // exp(-1) and exp(-10).
        for (exponent, exact) in [(CHANCE, 367_879_441_171_442), (10 * CHANCE, 45_399_929_762)] {
            let found = decay(exponent).unwrap();
            assert!(found >= exact && found - exact < 100_000_000, "{found}");
        }
        assert_eq!(decay(0), Some(CHANCE));
        assert_eq!(decay(40 * CHANCE), Some(1));
    }

    #[test]
    fn more_servers_wait_less_and_the_fewest_are_found() {
        let waiting = Waiting { load: 17 * SERVER / 2, service: 100, wait: 50 };
        let chance = CHANCE / 100;
        let fewest = servers(waiting, chance, (1, 1, 100)).unwrap();
        assert!(late(waiting, fewest).unwrap() <= chance);
        assert!(late(waiting, fewest - 1).unwrap() > chance);
        assert_eq!(servers(waiting, chance, (1, 4, 100)), Some(fewest.div_ceil(4) * 4));
        assert_eq!(servers(waiting, chance, (1, 1, fewest - 1)), None);
        let mut before = CHANCE;
        for count in 9..40 {
            let now = late(waiting, count).unwrap();
            assert!(now <= before);
            before = now;
        }
    }
}
