//! Deadlines in the simulated world: no interruption of spot capacity makes a job late. The rule
//! and its proof are in `farthing-planner/src/deadline.rs`; here its constants meet the world's.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod cluster;
mod support;

use cluster::{at, job, offer, price_book, scenario};
use farthing_edge::Observe as _;
use farthing_engine::ActionRecord;
use farthing_model::{
    Decimal, Interruptible, Policy, Purchase, SpotLoss, Throughput, WorkloadKind, WorkloadState,
};
use farthing_planner::Effort;
use farthing_sim::{FaultRates, JobArrival, Random, Scenario};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use support::{Parts, Told, each_seed, instants, seeds};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// What became of the jobs with a deadline.
#[derive(Debug, Default)]
struct Kept {
    /// Those that were started, and their deadline has passed or was met.
    due: usize,
    /// Those of them that are late.
    late: Vec<String>,
    /// Those that were never started, and their deadline has passed.
    never: BTreeSet<String>,
    /// Starts on spot of jobs with a deadline.
    on_spot: usize,
    interruptions: u64,
}

fn run(scenario: &Scenario, tick: SignedDuration, effort: Effort) -> Kept {
    let mut parts = Parts::new(scenario, tick);
    parts.config.effort = effort;
    let mut engine = parts.open(scenario.start);
    for now in instants(scenario.start, scenario.end, tick) {
        engine.tick(now).unwrap();
    }
    let told = Told::by(&parts.store.verified());
    let mut starts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for step in told.done() {
        if let ActionRecord::Start { workload, offer, .. } = &told.proposed[step].action {
            starts.entry(workload).or_default().push(offer);
        }
    }
    let seen = parts.world.clone().observe(scenario.end).unwrap();
    let interruptions = parts.world.0.borrow().score().interruptions;
    let mut kept = Kept { interruptions, ..Kept::default() };
    for arrival in &scenario.jobs {
        let Some(deadline) = arrival.workload.job().unwrap().deadline else { continue };
        let id = arrival.workload.id.to_string();
        let state = &seen.workload(&arrival.workload.id).unwrap().state;
        let done = match state {
            WorkloadState::Finished(at) => Some(*at),
            _ => None,
        };
        let Some(offers) = starts.get(id.as_str()) else {
            kept.never.extend((deadline <= scenario.end).then_some(id));
            continue;
        };
        kept.on_spot += offers.iter().filter(|offer| offer.ends_with("/spot")).count();
        kept.due += usize::from(done.is_some() || deadline <= scenario.end);
        if done.map_or(deadline <= scenario.end, |done| done > deadline) {
            kept.late.push(format!("{id}: due {deadline}, {state:?}, on {offers:?}"));
        }
    }
    kept
}

/// The demo, whole: whoever is started is in time, with slow boots, lost nodes and run times that
/// differ from the measured ones; only the team with the tight budget may have to wait.
#[test]
fn the_demo_keeps_its_deadlines() {
    let seeds = seeds(5..6);
    let book = price_book();
    let days = each_seed(("deadlines", "the_demo_keeps_its_deadlines"), &seeds, |seed| {
        let scenario = Scenario::demo(seed, &Arc::from(book.as_slice())).unwrap();
        let kept = run(&scenario, MINUTE * 5, Effort::default());
        println!("seed {seed}: {kept:?}");
        assert_eq!(kept.late, [""; 0], "seed {seed}");
        let tight = |id: &String| id.starts_with("speech-");
        assert!(kept.never.iter().all(tight), "seed {seed}: {:?} never started", kept.never);
        kept
    });
    for day in days {
        assert!(day.due > 150 && day.on_spot > 60, "{day:?}");
        assert!(day.interruptions > 100, "{day:?}");
    }
}

/// A world in which a spot node lives for a quarter of an hour on average, and every third boot is
/// slow. Jobs have from no time to spare to more than enough.
fn killing(seed: u64, tick: SignedDuration) -> Scenario {
    let mut draw = Random::new(seed).fork("killing");
    let mut offers = Vec::new();
    for (kind, cents) in [("H100-80GB", [350, 110]), ("L4-24GB", [80, 30])] {
        for (purchase, cents) in [Purchase::OnDemand, Purchase::Spot].into_iter().zip(cents) {
            let mut made = offer(kind, 1, purchase, None);
            let provenance = made.price.provenance().unwrap().clone();
            let rate = format!("{}.{:02} USD/h", cents / 100, cents % 100).parse().unwrap();
            made.price = farthing_model::Price::Known(rate, provenance);
            offers.push(made);
        }
    }
    let policy = Policy { boot_max: Policy::default().boot * 5, ..Policy::default() };
    let mut day = scenario(offers, Vec::new());
    for number in 0..40 {
        let minutes = draw.between(5, 240);
        let mut workload = job(&format!("job-{number:02}"), "H100-80GB", minutes, true);
        let WorkloadKind::Job(job) = &mut workload.kind else { panic!("a job") };
        let slow = Throughput {
            target: farthing_model::Target::Accelerator("L4-24GB".parse().unwrap()),
            amount: Decimal::from_nano(1_000_000_000 * i128::from(draw.between(20, 130)) / 100),
            ..job.throughput[0].clone()
        };
        job.throughput.push(slow);
        job.interruptible = Some(Interruptible {
            checkpoint: SignedDuration::from_secs(draw.between(10, 300)),
            restart: SignedDuration::from_secs(draw.between(0, 400)),
        });
        let arrives = at(draw.between(0, 600));
        // It is seen at the next tick, and can then just be done on demand with a slow boot.
        let least = tick + policy.boot_max + MINUTE * i32::try_from(minutes).unwrap();
        let spare = MINUTE * i32::try_from(draw.between(0, 150)).unwrap();
        job.deadline = Some(arrives + least + spare);
        job.submitted = Some(arrives);
        let workload = Arc::new(workload);
        day.jobs.push(JobArrival { at: arrives, workload, forgotten: false });
    }
    day.policy = Policy {
        spot: Some(SpotLoss { mean_up: MINUTE * 15, source: "test".to_owned() }),
        boot_max: policy.boot_max,
        ..day.policy
    };
    day.seed = seed;
    day.faults =
        FaultRates { spot_kill_per_hour: 4_000_000, boot_delay: 333_333, ..FaultRates::default() };
    day
}

fn sums(days: &[Kept]) -> (usize, usize, u64) {
    days.iter().fold((0, 0, 0), |sum, day| {
        (sum.0 + day.late.len(), sum.1 + day.on_spot, sum.2 + day.interruptions)
    })
}

#[test]
fn spot_that_is_killed_again_and_again_makes_nobody_late() {
    let seeds = seeds(0..9);
    let name = ("deadlines", "spot_that_is_killed_again_and_again_makes_nobody_late");
    let days = each_seed(name, &seeds, |seed| {
        let tick = MINUTE * [3, 10, 25][usize::try_from(seed % 3).unwrap()];
        let kept = run(&killing(seed, tick), tick, support::LIGHT);
        assert_eq!(kept.late, [""; 0], "seed {seed}");
        assert!(kept.never.is_empty(), "seed {seed}: {:?} were never started", kept.never);
        kept
    });
    let (_, on_spot, interruptions) = sums(&days);
    println!("{on_spot} starts on spot with a deadline, {interruptions} interruptions");
    assert!(on_spot > 20 * days.len() && interruptions > 10 * days.len() as u64, "{on_spot}");
}

/// The same days with a boot that is said to be faster than it is: the rule is not idle.
#[test]
fn a_constant_that_is_not_the_worlds_makes_jobs_late() {
    let seeds = seeds(0..3);
    let name = ("deadlines", "a_constant_that_is_not_the_worlds_makes_jobs_late");
    let days = each_seed(name, &seeds, |seed| {
        let mut day = killing(seed, MINUTE * 10);
        day.policy.boot_max = day.policy.boot;
        run(&day, MINUTE * 10, support::LIGHT)
    });
    assert!(sums(&days).0 > 0, "the days are too easy to show anything");
}
