use super::problem::{Kind, Problem};
use super::search::{Outcome, solve};
use std::time::Instant;

struct Dice(u64);
impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn upto(&mut self, n: u64) -> i128 { i128::from(self.next() % n) }
}

fn generated(seed: u64, kinds: usize, buckets: usize, slices: Option<u32>) -> Problem {
    let mut dice = Dice(seed.wrapping_mul(77777));
    let rate = 1 << (seed % 11);
    let power: Vec<i128> = (0..kinds).map(|_| 50 + dice.upto(400)).collect();
    let all: Vec<i128> = (0..buckets).map(|_| { let x = 1 + dice.upto(30); x * x }).collect();
    let sum: i128 = all.iter().sum();
    let room = 1_000_000_000_000 + 10_000;
    let loads = all.iter().map(|share| {
        let size = 1 + dice.upto(60);
        power.iter().map(|power| {
            // throughput in milli requests per second
            let most = power * 1000 * (60 + dice.upto(80)) / 100 / (8 + size);
            let num = i128::from(rate) * share * 1_000_000_000_000 * 1000;
            let den = sum * most;
            if dice.upto(20) == 0 && *power < 200 { None } else { Some((num + den - 1) / den) }
        }).collect::<Vec<_>>()
    }).collect::<Vec<Vec<Option<i128>>>>();
    let loads = loads.into_iter().map(|mut row| { if row.iter().all(Option::is_none) { row[0] = Some(room); } row }).collect();
    let kinds = power.iter().map(|p| Kind { cost: (p * (70 + dice.upto(60)) / 100) * 10_000_000_000, most: 1 << 20 }).collect();
    Problem { kinds, loads, room, slices, least: 1, rivals: Vec::new() }
}

#[test]
fn trial() {
    for slices in [None, Some(4)] {
        let mut times = Vec::new();
        let mut open = 0;
        for seed in std::env::var("SEED").map_or(0..150, |s| { let s: u64 = s.parse().unwrap(); s..s + 1 }) {
            let kinds = 2 + (seed as usize % 7);
            let buckets = 4 + (seed as usize * 13 % 57);
            let p = generated(seed, kinds, buckets, slices);
            let t = Instant::now();
            let o = solve(&p, 20_000);
            let us = t.elapsed().as_micros();
            match o {
                Outcome::Solved(s) => {
                    if s.stopped.is_some() { open += 1; }
                    times.push((us, seed, kinds, buckets, s.branches, s.rounds, s.cost, (s.cost - s.bound) as f64 / s.cost as f64));
                }
                other => println!("{seed} {other:?}"),
            }
        }
        times.sort_by_key(|t| t.0);
        println!("{slices:?} open {open} median {:?}", times[times.len() / 2]);
        for t in times.iter().rev().take(12) { println!("{t:?}"); }
    }
}
