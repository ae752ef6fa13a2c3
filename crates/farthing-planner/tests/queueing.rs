//! Erlang's formulas against a queue that is simulated event by event.

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::cast_precision_loss, clippy::float_arithmetic)]

use farthing_planner::queue::{CHANCE, Waiting, erlang_c, late, servers};

/// One whole, in the unit of loads.
const SERVER: i128 = 1_000_000_000_000;

/// `SplitMix64`, as times between events that come at random.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn after(&mut self, mean: f64) -> f64 {
        -mean * (((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64).ln()
    }
}

/// The parts of requests that wait at all and that wait longer than `wait`, with a time of service
/// of 1 in the mean, over so many requests after a start that is not counted.
fn simulated(load: f64, servers: usize, wait: f64, requests: u32) -> (f64, f64) {
    let mut dice = Dice(load.to_bits() ^ servers as u64);
    let (mut free, mut now) = (vec![0.0_f64; servers], 0.0);
    let (mut waits, mut long, start) = (0_u32, 0_u32, requests / 10);
    for request in 0..requests + start {
        now += dice.after(1.0 / load);
        // First come, first served: the server that is free first takes it.
        let (at, first) =
            free.iter().copied().enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap();
        if request >= start {
            waits += u32::from(first > now);
            long += u32::from(first - now > wait);
        }
        free[at] = first.max(now) + dice.after(1.0);
    }
    (f64::from(waits) / f64::from(requests), f64::from(long) / f64::from(requests))
}

#[test]
fn a_simulated_queue_waits_as_erlang_says() {
    // Load in thousandths of a server, and the wait in thousandths of the time of service.
    for (load, servers, wait) in
        [(700, 1, 1_000), (1_500, 2, 500), (7_200, 9, 300), (18_000, 20, 250), (45_000, 48, 100)]
    {
        let milli = |count: i32| f64::from(count) / 1e3;
        let (waits, long) = simulated(milli(load), servers, milli(wait), 400_000);
        let exact = i128::from(load) * (SERVER / 1_000);
        let count = servers as u64;
        let expect = erlang_c(exact, count).unwrap() as f64 / CHANCE as f64;
        assert!((waits - expect).abs() < 0.02, "{load} {servers}: {waits}, not {expect}");
        let waiting = Waiting { load: exact, service: 1_000, wait: i128::from(wait) };
        let expect = late(waiting, count).unwrap() as f64 / CHANCE as f64;
        assert!((long - expect).abs() < 0.02, "{load} {servers}: {long}, not {expect}");
    }
}

/// What is sized for one in a hundred is late for about that many, and one server less is not
/// enough.
#[test]
fn what_is_sized_by_it_is_in_time() {
    for load in [3_i128, 12, 40] {
        let waiting = Waiting { load: load * SERVER, service: 1_000, wait: 200 };
        let count = servers(waiting, CHANCE / 100, (1, 1, 1_000)).unwrap();
        let part =
            |count: u64| simulated(load as f64, usize::try_from(count).unwrap(), 0.2, 300_000).1;
        assert!(part(count) < 0.012, "{load}: {}", part(count));
        assert!(part(count - 1) > 0.01, "{load}: {}", part(count - 1));
    }
}
