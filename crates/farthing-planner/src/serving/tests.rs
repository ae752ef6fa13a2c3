//! The search against methods that share nothing with it: rays of the dual cone for counts,
//! sets of undominated loads for slices, and the solver of integer programs.

use super::problem::{Kind, Problem, Refused};
use super::program::finish;
use super::search::{Outcome, Solution, solve};
use farthing_milp::{Kind as VarKind, Limits, Sense, VarSpec};

/// What no case needs.
const PLENTY: u64 = 20_000;

/// One, in the loads of small cases: far more than what rooms are larger by.
const UNIT: i128 = 1_000_000_000;

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn from(&mut self, low: i128, high: i128) -> i128 {
        low + i128::from(self.next()).rem_euclid(high - low + 1)
    }
}

/// A small problem in small numbers: room for exact references.
fn small(seed: u64, slices: Option<u32>) -> Problem {
    let mut dice = Dice(seed.wrapping_mul(0xd6e8_feb8_6659_fd93));
    let kinds = usize::try_from(dice.from(1, 3)).unwrap();
    let buckets = dice.from(1, 5);
    let room = dice.from(4, 40) * (UNIT + UNIT / 100_000_000);
    let loads = (0..buckets).map(|_| {
        let mut row: Vec<Option<i128>> =
            (0..kinds).map(|_| (dice.from(1, 8) > 1).then(|| dice.from(0, 60) * UNIT)).collect();
        if row.iter().all(Option::is_none) {
            row[0] = Some(dice.from(1, 60) * UNIT);
        }
        row
    });
    let loads: Vec<_> = loads.collect();
    let kind = |dice: &mut Dice| {
        let cost = dice.from(1, 30);
        let limited = dice.from(1, 4) == 1;
        let most = if limited { i64::try_from(dice.from(0, 4)).unwrap() } else { 1_000 };
        Kind { cost, fewest: 0, most }
    };
    let kinds: Vec<Kind> = (0..kinds).map(|_| kind(&mut dice)).collect();
    let least = i64::try_from(dice.from(0, 3)).unwrap();
    let rivals =
        if kinds.len() > 1 && dice.from(1, 6) == 1 { vec![vec![0, 1]] } else { Vec::new() };
    Problem { kinds, loads, room, slices, least, rivals }
}

/// Whether counts satisfy what does not depend on the load.
fn allowed(problem: &Problem, counts: &[i64]) -> bool {
    let used = |group: &Vec<usize>| group.iter().filter(|kind| counts[**kind] > 0).count();
    counts.iter().sum::<i64>() >= problem.least
        && problem.kinds.iter().zip(counts).all(|(kind, count)| *count <= kind.most)
        && problem.rivals.iter().all(|group| used(group) <= 1)
}

/// Whether counts carry buckets divided at will: exactly if no ray of prices says otherwise. The
/// sum of the least prices less the price of the room is concave and homogeneous, so that its
/// sign is decided on the rays where two of its creases or sides meet, for up to three kinds.
fn carried(problem: &Problem, counts: &[i64]) -> bool {
    let kinds = counts.len();
    let mut planes: Vec<[i128; 3]> = (0..3)
        .map(|axis| {
            let mut plane = [0; 3];
            plane[axis] = 1;
            plane
        })
        .collect();
    for row in &problem.loads {
        for first in 0..kinds {
            for second in first + 1..kinds {
                if let (Some(a), Some(b)) = (row[first], row[second]) {
                    let mut plane = [0; 3];
                    (plane[first], plane[second]) = (a, -b);
                    planes.push(plane);
                }
            }
        }
    }
    let refutes = |prices: &[i128; 3]| {
        let least = |row: &Vec<Option<i128>>| {
            let priced = row.iter().zip(prices).filter_map(|(load, price)| Some((*load)? * price));
            priced.min().unwrap()
        };
        let needed: i128 = problem.loads.iter().map(least).sum();
        let room = counts.iter().zip(prices).map(|(count, price)| i128::from(*count) * price);
        needed > room.sum::<i128>() * problem.room
    };
    let mut rays: Vec<[i128; 3]> = Vec::new();
    for (at, p) in planes.iter().enumerate() {
        for q in &planes[..at] {
            let ray =
                [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
            rays.extend([ray, ray.map(|price| -price)]);
        }
    }
    let positive = |ray: &&[i128; 3]| {
        ray.iter().all(|price| *price >= 0) && ray[kinds..].iter().all(|price| *price == 0)
    };
    !rays.iter().filter(positive).any(refutes)
}

/// Every vector of counts that costs less than a limit.
fn cheaper(problem: &Problem, limit: i128, mut each: impl FnMut(&[i64]) -> bool) -> bool {
    let mut counts = vec![0_i64; problem.kinds.len()];
    loop {
        if problem.cost(&counts) < limit && each(&counts) {
            return true;
        }
        let mut at = 0;
        loop {
            let Some(count) = counts.get_mut(at) else { return false };
            *count += 1;
            if problem.cost(&counts) < limit && counts[at] <= problem.kinds[at].most {
                break;
            }
            counts[at] = 0;
            at += 1;
        }
    }
}

fn solved(problem: &Problem) -> Option<Solution> {
    match solve(problem, PLENTY) {
        Outcome::Solved(solution) => {
            assert!(problem.carries(&solution.counts, &solution.shares), "{problem:?}");
            assert_eq!(solution.cost, problem.cost(&solution.counts));
            assert_eq!((solution.bound, solution.stopped), (solution.cost, None), "{problem:?}");
            Some(solution)
        }
        Outcome::Infeasible => None,
        other => panic!("{other:?} of {problem:?}"),
    }
}

#[test]
fn counts_are_the_cheapest_that_carry() {
    let (mut mixed, mut none) = (0, 0);
    for seed in 0..1_500 {
        let problem = small(seed, None);
        // Without an answer, nothing that is affordable at all may be one.
        let found = solved(&problem);
        let limit = found.as_ref().map_or(400, |found| found.cost);
        let better = cheaper(&problem, limit, |counts| {
            allowed(&problem, counts) && carried(&problem, counts)
        });
        assert!(!better, "seed {seed}: there is a cheaper one than {found:?} for {problem:?}");
        none += usize::from(found.is_none());
        let used = |found: Solution| found.counts.iter().filter(|count| **count > 0).count();
        mixed += usize::from(found.map_or(0, used) > 1);
    }
    assert!(mixed > 300 && none > 20, "{mixed} mixed, {none} without");
}

/// All loads that a bucket's slices can have, added to those of the buckets before it, as far as
/// no other is at most as large on every kind.
fn undominated(problem: &Problem, slices: i64) -> Vec<Vec<i128>> {
    fn ways(kinds: usize, slices: i64) -> Vec<Vec<i64>> {
        if kinds == 1 {
            return vec![vec![slices]];
        }
        let first = |count: i64| {
            let rest = ways(kinds - 1, slices - count).into_iter();
            rest.map(move |rest| [vec![count], rest].concat())
        };
        (0..=slices).flat_map(first).collect()
    }
    let ways = ways(problem.kinds.len(), slices);
    let mut front = vec![vec![0_i128; problem.kinds.len()]];
    for row in &problem.loads {
        let mut next: Vec<Vec<i128>> = Vec::new();
        for load in &front {
            for way in &ways {
                let added = load.iter().zip(row).zip(way).map(|((sum, load), count)| {
                    if *count == 0 { Some(*sum) } else { Some(sum + (*load)? * i128::from(*count)) }
                });
                next.extend(added.collect::<Option<Vec<i128>>>());
            }
        }
        next.sort();
        next.dedup();
        let mut kept: Vec<Vec<i128>> = Vec::new();
        for load in next {
            let worse = |kept: &Vec<i128>| kept.iter().zip(&load).all(|(a, b)| a <= b);
            if !kept.iter().any(worse) {
                kept.push(load);
            }
        }
        front = kept;
    }
    front
}

#[test]
fn slices_are_placed_as_cheaply_as_can_be() {
    let (mut dearer, mut none) = (0, 0);
    for seed in 0..1_000 {
        let slices = u32::try_from(seed % 4 + 1).unwrap();
        let problem = small(seed, Some(slices));
        let found = solved(&problem);
        let room = problem.room * i128::from(slices);
        let fits = |counts: &[i64], load: &Vec<i128>| {
            load.iter().zip(counts).all(|(load, count)| *load <= room * i128::from(*count))
        };
        let front = undominated(&problem, i64::from(slices));
        let limit = found.as_ref().map_or(400, |found| found.cost);
        let better = cheaper(&problem, limit, |counts| {
            allowed(&problem, counts) && front.iter().any(|load| fits(counts, load))
        });
        assert!(!better, "seed {seed}: there is a cheaper one than {found:?} for {problem:?}");
        none += usize::from(found.is_none());
        // The same with any division is never dearer.
        let divided = solved(&Problem { slices: None, ..problem.clone() });
        if let (Some(found), Some(divided)) = (found, divided) {
            assert!(divided.cost <= found.cost, "seed {seed}");
            dearer += usize::from(divided.cost < found.cost);
        }
    }
    assert!(dearer > 100 && none > 20, "{dearer} dearer, {none} without");
}

/// A case like those of people: rates from 1 to 1,024, prices near the worth of a kind.
fn like_people(seed: u64, kinds: usize, buckets: usize, slices: Option<u32>) -> Problem {
    let mut dice = Dice(seed.wrapping_mul(77_777));
    let rate = 1_i128 << (seed % 11);
    let power: Vec<i128> = (0..kinds).map(|_| dice.from(50, 450)).collect();
    let shares: Vec<i128> = (0..buckets).map(|_| dice.from(1, 30).pow(2)).collect();
    let all: i128 = shares.iter().sum();
    let room = 1_000_000_010_000;
    let mut loads: Vec<Vec<Option<i128>>> = Vec::new();
    for share in &shares {
        let size = dice.from(1, 60);
        let load = |(at, power): (usize, &i128)| {
            let most = power * 10 * dice.from(60, 140) / (8 + size);
            let (part, whole) = (rate * share * 1_000_000_000_000_000, all * most);
            let unable = at > 0 && dice.from(1, 20) == 1;
            (!unable).then_some((part + whole - 1) / whole)
        };
        loads.push(power.iter().enumerate().map(load).collect());
    }
    let kind = |power: &i128| {
        let cost = power * dice.from(70, 130) / 100 * 10_000_000_000;
        Kind { cost, fewest: 0, most: 1 << 20 }
    };
    let kinds = power.iter().map(kind).collect();
    Problem { kinds, loads, room, slices, least: 1, rivals: Vec::new() }
}

/// The cost that the solver of integer programs finds, and its bound.
fn by_program(problem: &Problem) -> Option<(i128, Option<i128>)> {
    let mut program = farthing_milp::Problem::new();
    let parts = i128::from(problem.slices.unwrap_or(1_000_000_000));
    let kind = if problem.slices.is_some() { VarKind::Integer } else { VarKind::Continuous };
    let taken: Vec<_> =
        problem.loads.iter().map(|_| program.add_row(Sense::Equal, parts).unwrap()).collect();
    for (at, it) in problem.kinds.iter().enumerate() {
        let row = program.add_row(Sense::AtMost, 0).unwrap();
        let spec = VarSpec { cost: it.cost, lower: 0, upper: Some(10_000), kind: VarKind::Integer };
        program.add_var(spec, &[(row, -problem.room * parts)]).unwrap();
        for (loads, taken) in problem.loads.iter().zip(&taken) {
            let Some(load) = loads[at] else { continue };
            let spec = VarSpec { cost: 0, lower: 0, upper: i64::try_from(parts).ok(), kind };
            program.add_var(spec, &[(row, load), (*taken, 1)]).unwrap();
        }
    }
    let limits = Limits { nodes_max: 20_000, iterations_max: 2_000_000, gap_ppm: 0 };
    match farthing_milp::solve(&program, &limits).unwrap() {
        farthing_milp::Outcome::Optimal(found) => Some((found.objective, found.bound)),
        farthing_milp::Outcome::Feasible(found, _) => Some((found.objective, None)),
        _ => None,
    }
}

#[test]
fn never_dearer_than_the_solver_of_integer_programs() {
    let mut compared = 0;
    for seed in 0..66 {
        let (kinds, buckets) = (2 + seed % 7, 4 + seed * 5 % 17);
        let (kinds, buckets) = (usize::try_from(kinds).unwrap(), usize::try_from(buckets).unwrap());
        for slices in [None, (seed % 11 < 6).then_some(2)] {
            let problem = like_people(seed, kinds, buckets, slices);
            let Outcome::Solved(ours) = solve(&problem, PLENTY) else { panic!("seed {seed}") };
            assert!(problem.carries(&ours.counts, &ours.shares), "seed {seed}");
            if slices.is_none() {
                assert_eq!(ours.bound, ours.cost, "seed {seed}");
            }
            let Some((theirs, bound)) = by_program(&problem) else { continue };
            compared += 1;
            assert!(ours.bound <= theirs, "seed {seed}: {} above {theirs}", ours.bound);
            if ours.stopped.is_none() {
                // Their tolerance is one part in a million.
                assert!(ours.cost <= theirs + theirs / 1_000_000, "seed {seed}");
                let below = bound.is_none_or(|bound| bound <= ours.cost + ours.cost / 1_000_000);
                assert!(below, "seed {seed}: {bound:?} above {}", ours.cost);
            }
        }
    }
    assert!(compared > 60, "{compared} compared");
}

/// The example that the authors of the slice model publish: a third of one bucket fills the
/// cheap replica exactly, which whole slices cannot.
#[test]
fn the_published_example_is_a_tie_that_is_met() {
    let replica = 1_000_000_000_000_i128;
    let rates = [(6, 2, 20), (3, 1, 20), (15, 5, 40), (6, 2, 20)];
    let load = |rate: i128, most: i128| Some((rate * replica + most - 1) / most);
    let loads =
        rates.iter().map(|(rate, small, large)| vec![load(*rate, *small), load(*rate, *large)]);
    let kind = |cents: i128| Kind { cost: cents * 10_000_000_000, fewest: 0, most: 1_000 };
    let problem = Problem {
        kinds: vec![kind(101), kind(367)],
        loads: loads.collect(),
        room: replica + replica / 100_000_000,
        slices: None,
        least: 1,
        rivals: Vec::new(),
    };
    let found = solved(&problem).unwrap();
    assert_eq!((found.cost, found.counts), (4_680_000_000_000, vec![1, 1]));
    let sliced = Problem { slices: Some(1), ..problem };
    assert_eq!(solved(&sliced).unwrap().cost, 6_700_000_000_000);
}

#[test]
fn nonsense_is_refused() {
    let problem = small(3, None);
    let with = |change: fn(&mut Problem)| {
        let mut problem = problem.clone();
        change(&mut problem);
        solve(&problem, 10)
    };
    let size = Outcome::Refused(Refused::Size);
    assert_eq!(with(|it| it.room = 0), size);
    assert_eq!(with(|it| it.kinds[0].cost = -1), size);
    assert_eq!(with(|it| it.kinds[0].cost = i128::MAX), size);
    assert_eq!(with(|it| it.loads[0][0] = Some(i128::MAX)), size);
    assert_eq!(with(|it| it.slices = Some(0)), size);
    let unserved = with(|it| it.loads[0].fill(None));
    assert_eq!(unserved, Outcome::Refused(Refused::Bucket(0)));
}

/// Without branches there may be no choice, and never a proof.
#[test]
fn a_limit_is_said_and_its_bound_holds() {
    for seed in 0..40 {
        let problem = like_people(seed, 6, 20, None);
        let best = solved(&problem).unwrap();
        for branches in [1, 5, 20] {
            let Outcome::Solved(cut) = solve(&problem, branches) else { continue };
            assert!(cut.bound <= best.cost && best.cost <= cut.cost, "seed {seed}");
            assert_eq!(cut.stopped.is_none(), cut.bound == cut.cost, "seed {seed}");
        }
    }
}

#[test]
fn the_same_problem_has_the_same_answer() {
    for seed in 0..20 {
        let problem = like_people(seed, 8, 40, None);
        assert_eq!(solve(&problem, PLENTY), solve(&problem, PLENTY));
    }
}

/// What the search is stopped at, the solver ends: the same optimum as the whole search's, also
/// with kinds that exclude each other.
#[test]
fn the_solver_ends_what_the_search_gives_up() {
    let (mut ended, mut improved) = (0, 0);
    for seed in 0..20 {
        let mut problem = like_people(seed, 5, 8, Some(2));
        if seed % 3 == 0 {
            problem.rivals = vec![vec![1, 2]];
        }
        let best = solved(&problem).unwrap();
        let Outcome::Solved(cut) = solve(&problem, 1) else { continue };
        let found = finish(&problem, cut.clone(), 5_000);
        assert!(problem.carries(&found.counts, &found.shares), "seed {seed}");
        assert_eq!((found.cost, found.bound), (best.cost, best.cost), "seed {seed}");
        assert_eq!(found.certified, cut.certified);
        ended += usize::from(cut.stopped.is_some());
        improved += usize::from(found.cost < cut.cost);
    }
    assert!(ended > 0 && improved > 0, "{ended} ended, {improved} improved");
}
