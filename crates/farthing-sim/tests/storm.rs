//! Storms over fixed seeds: the engine of the product in a simulated world in which everything goes
//! wrong, held to every law at the door, at rest and at the end (`farthing_sim::storm`). And that
//! the laws bite: each of a list of defects is seen, by the law that it breaks.
//!
//! `FARTHING_SEED=N` or `N..M` runs other seeds; `make soak` runs until it is stopped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use farthing_sim::storm::{
    Breach, Case, Checked, Coverage, Defect, Law, Op, Outcome, Sim, Trouble, shrink,
};
use jiff::SignedDuration;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds of every test run, as they are drawn: ticks of minutes to hours.
const SEEDS: u64 = 60;
/// Seeds of long runs, of which each tick is a part of a day: a run is weeks.
const LONG_SEEDS: std::ops::Range<u64> = 1_000..1_072;
const LONG_TICKS_MIN: [u32; 3] = [240, 360, 480];
/// What all of them simulate at least.
const DAYS_MIN: i64 = 1_000;
/// Pairs of trouble and operation that they meet at least.
const PAIRS_MIN: usize = 90;
/// Seeds within which a defect is seen.
const DEFECT_SEEDS: u64 = 80;

/// Runs something for each of `all` on as many threads as the machine has, and gives it in order.
fn each<T: Sync, R: Send>(all: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut results = Vec::new();
        while let Some((at, it)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            all.get(at).map(|it| (at, it))
        } {
            results.push((at, run(it)));
        }
        results
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The cases of seeds from the environment, or the fixed ones and the long ones, which come first:
/// they take longest.
fn cases() -> Vec<Case> {
    let Ok(text) = std::env::var("FARTHING_SEED") else {
        let every = |seed: u64| LONG_TICKS_MIN[usize::try_from(seed % 3).unwrap()];
        let long = LONG_SEEDS.map(|seed| Case { every: every(seed), ..Case::of(seed) });
        return long.chain((0..SEEDS).map(Case::of)).collect();
    };
    let number = |text: &str| text.parse::<u64>().expect("FARTHING_SEED is N or N..M");
    match text.split_once("..") {
        Some((from, to)) => (number(from)..number(to)).map(Case::of).collect(),
        None => vec![Case::of(number(&text))],
    }
}

fn told(outcome: &Outcome) -> Option<String> {
    let breach = outcome.breach.as_ref()?;
    Some(format!("{breach}\n  replay: make soak CASE='{}'", outcome.case))
}

#[test]
fn every_law_holds_in_days_of_storms() {
    let cases = cases();
    let outcomes = each(&cases, Sim::of);
    let (mut coverage, mut checked) = (Coverage::default(), Checked::default());
    let mut simulated = SignedDuration::ZERO;
    for outcome in &outcomes {
        coverage.add(&outcome.coverage);
        checked.add(&outcome.checked);
        simulated = simulated.saturating_add(outcome.simulated);
    }
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    let (ticks, steps) = (sum(|it| it.ticks), sum(|it| it.steps));
    let days = simulated.as_hours() / 24;
    let never = coverage.never_met();
    let met = Coverage::pairs().count() - never.len();
    println!("{} runs, {days} days, {ticks} ticks, {steps} steps", outcomes.len());
    println!("{coverage}{met} pairs of trouble and operation met, {} never:", never.len());
    for (trouble, op) in &never {
        println!("  {} during {}", trouble.name(), op.name());
    }
    let broken: Vec<String> = outcomes.iter().filter_map(told).collect();
    assert!(broken.is_empty(), "{} runs broke a law\n{}", broken.len(), broken.join("\n"));
    if cases.len() < usize::try_from(SEEDS).unwrap() {
        return;
    }
    assert!(days >= DAYS_MIN, "only {days} days");
    assert!(met >= PAIRS_MIN, "only {met} pairs of trouble and operation were met");
    for trouble in Trouble::ALL {
        assert!(coverage.strikes(trouble) > 0, "{} never struck", trouble.name());
    }
    for op in Op::ALL.into_iter().filter(|op| *op != Op::Resume) {
        assert!(coverage.of(op) > 0, "{} was never done", op.name());
    }
    for law in Law::ALL.into_iter().filter(|law| *law != Law::SameCaseSameRun) {
        assert!(checked.of(law) > 0, "{} was never checked", law.name());
    }
}

/// Law 1, for all that was drawn too.
#[test]
fn the_same_case_is_the_same_run() {
    let seeds: Vec<u64> = (0..12).collect();
    let outcomes = each(&seeds, |seed| Sim::run(*seed).against(&Sim::run(*seed)));
    let broken: Vec<String> = outcomes.iter().filter_map(told).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(outcomes.iter().all(|outcome| outcome.head.seq > 0));
}

/// The first seed in which a defect is seen by a law that it breaks.
fn seen(defect: Defect) -> Option<(u64, Breach)> {
    (0..DEFECT_SEEDS).find_map(|seed| {
        let breach = Sim::of(&Case::with(defect, seed)).breach?;
        defect.breaches().contains(&breach.law).then_some((seed, breach))
    })
}

#[test]
fn each_defect_is_seen_by_the_law_that_it_breaks() {
    let all = each(&Defect::ALL, |defect| seen(*defect));
    let mut unseen = Vec::new();
    for (defect, seen) in Defect::ALL.iter().zip(all) {
        match seen {
            Some((seed, breach)) => println!("{:<28}seed {seed:>2}: {breach}", defect.name()),
            None => unseen.push(defect.name()),
        }
    }
    assert!(unseen.is_empty(), "not seen in {DEFECT_SEEDS} seeds: {}", unseen.join(", "));
}

/// A breach comes with a case that is smaller and breaks the same law.
#[test]
fn a_breach_is_shrunk_to_a_small_case() {
    let case = Case::with(Defect::SettlesMore, 1);
    let broken = (0..DEFECT_SEEDS)
        .map(|seed| Sim::of(&Case::with(Defect::SettlesMore, seed)))
        .find(|outcome| outcome.breach.is_some() && outcome.case.ticks == case.ticks)
        .unwrap();
    let small = shrink(&broken, 60);
    assert_eq!(small.breach.unwrap().law, broken.breach.unwrap().law);
    let size = |case: &Case| (case.ticks, case.jobs, case.troubles.len());
    assert!(size(&small.case) < size(&broken.case), "{} is not smaller", small.case);
    let again: Case = small.case.to_string().parse().unwrap();
    assert_eq!(again, small.case, "its text is all that is needed to replay it");
}
