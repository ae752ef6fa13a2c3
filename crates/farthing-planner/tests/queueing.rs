//! Erlang's formulas against a queue that is simulated event by event.

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::cast_precision_loss, clippy::float_arithmetic)]

mod support;

use farthing_model::{Money, Queue, Ratio, WorkloadKind};
use farthing_planner::queue::{CHANCE, Waiting, erlang_c, late, servers};
use farthing_planner::{Input, check, plan};
use jiff::SignedDuration;
use support::{input, offer, seen, service, usd, workload};

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

/// Two services with queues, what they are worth, requests per second, and the most per second on
/// each of two offers (0 = none); nodes of the offers, and their prices.
#[derive(Debug)]
struct Rivals {
    services: [(i64, i64, [i64; 2]); 2],
    nodes: [u32; 2],
    prices: [i64; 2],
}

const NAMES: [&str; 2] = ["A100-80GB", "L4-24GB"];
const WAIT_MS: i64 = 150;
const LATE_PPM: i128 = 50_000;

impl Rivals {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let mut from = |low: i64, high: i64| {
            low + i64::try_from(dice.next() % u64::try_from(high - low + 1).unwrap()).unwrap()
        };
        let mut one = || {
            let (fast, slow) = (from(3, 9), from(0, 4));
            (from(1, 4), from(2, 14), [fast, slow])
        };
        let services = [one(), one()];
        let nodes = [from(1, 5), from(1, 6)].map(|nodes| u32::try_from(nodes).unwrap());
        Self { services, nodes, prices: [from(2, 6), from(1, 3)] }
    }

    fn input(&self) -> Input {
        let offers = (0..2).map(|at| {
            let price = self.prices[at].to_string();
            let mut offer = offer(["a", "b"][at], Some(NAMES[at]), 1, &price);
            offer.available = Some(self.nodes[at]);
            offer
        });
        let services = self.services.iter().enumerate().map(|(at, (value, rate, most))| {
            let most = most.map(|most| most.to_string());
            let rows: [(&str, &[&str]); 2] =
                [(NAMES[0], &[most[0].as_str()]), (NAMES[1], &[most[1].as_str()])];
            let mut service = service(&rate.to_string(), &["1"], &rows);
            service.sizing.target = Some(Ratio::ONE);
            service.sizing.queue = Some(Queue {
                wait_max: SignedDuration::from_millis(WAIT_MS),
                percentile: "0.95".parse().unwrap(),
                concurrency: 1,
            });
            let value = value.to_string();
            seen(workload(["one", "two"][at], &value, WorkloadKind::Service(service)))
        });
        input(60, offers.collect(), services.collect())
    }

    /// Every number of replicas of one offer that keeps the queue of a service short.
    fn ways(&self, at: usize) -> Vec<Option<(usize, u32)>> {
        let (_, rate, most) = self.services[at];
        let short = |offer: usize, count: u32| {
            let most = i128::from(most[offer]);
            let waiting = Waiting {
                load: i128::from(rate) * SERVER / most.max(1),
                service: 1_000_000_000 / most.max(1),
                wait: i128::from(WAIT_MS) * 1_000_000,
            };
            let late = late(waiting, count.into());
            most > 0 && late.is_some_and(|late| late <= LATE_PPM * (CHANCE / 1_000_000))
        };
        let mut ways = vec![None];
        for offer in 0..2 {
            let counts = (1..=self.nodes[offer]).filter(|count| short(offer, *count));
            ways.extend(counts.map(|count| Some((offer, count))));
        }
        ways
    }

    /// The most value, and the least cost of it, where each service is on one offer.
    fn best(&self) -> (i64, i64) {
        let all = self.choices();
        all.into_iter().min_by_key(|(value, cost)| (-value, *cost)).unwrap()
    }

    /// The least that such a choice of no less value costs.
    fn cheapest(&self, value: i64) -> Option<i64> {
        let all = self.choices().into_iter().filter(|(own, _)| *own >= value);
        all.map(|(_, cost)| cost).min()
    }

    /// Value and cost of every choice that fits, where each service is on one offer.
    fn choices(&self) -> Vec<(i64, i64)> {
        let mut choices = Vec::new();
        for one in self.ways(0) {
            for two in self.ways(1) {
                let (mut used, mut value, mut cost) = ([0; 2], 0, 0);
                for (at, way) in [one, two].into_iter().enumerate() {
                    let Some((offer, count)) = way else { continue };
                    used[offer] += count;
                    value += self.services[at].0;
                    cost += self.prices[offer] * i64::from(count);
                }
                let fits = used.iter().zip(&self.nodes).all(|(used, nodes)| used <= nodes);
                if fits {
                    choices.push((value, cost));
                }
            }
        }
        choices
    }
}

/// Services that compete are decided together: never worth less, nor as much for more, than the
/// best of all choices of one offer each.
#[test]
fn competing_queues_are_never_worse_than_every_choice_of_one_offer_each() {
    let (mut both, mut contested, mut tight) = (0, 0, 0);
    for seed in 0..80 {
        let case = Rivals::new(seed);
        let input = case.input();
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), [], "seed {seed}: {case:?}");
        let report = &planned.report;
        let (value, cost) = case.best();
        let found = (-report.value.nano(), report.cost.pico());
        let least = (-i128::from(value) * 1_000_000_000, usd(&cost.to_string()).pico());
        assert!(found <= least, "seed {seed}: {found:?}, not {least:?}: {case:?}");
        // The bound holds for every choice of as much value.
        let bound = report.lower_bound.map_or(0, Money::pico);
        let ours = i64::try_from(report.value.nano() / 1_000_000_000).unwrap();
        let cheapest = case.cheapest(ours).map(|cost| usd(&cost.to_string()).pico());
        assert!(bound <= report.cost.pico(), "seed {seed}");
        assert!(cheapest.is_none_or(|cost| bound <= cost), "seed {seed}: {bound}: {case:?}");
        tight += u32::from(bound == report.cost.pico());
        both += u32::from(report.waiting.is_empty());
        contested += u32::from(!report.waiting.is_empty() && value > 0);
    }
    assert!(both > 8 && contested > 8, "{both} both, {contested} contested, {tight} tight");
}
