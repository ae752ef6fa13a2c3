//! Laws 4 to 7, 9 and 10 on seeded days in which everything goes wrong now and then: the real
//! engine, planner, journal and ledger in the simulated world, checked from outside after every
//! tick. `FARTHING_SEED=N` replays one day.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use farthing_edge::{Clock as _, Head, Store as _, chain};
use farthing_model::{Currency, Window};
use farthing_sim::{FaultCounts, FaultKind, FaultRates, Race, Records, Scenario, VirtualClock};
use jiff::SignedDuration;
use support::guard::Guard;
use support::{Parts, Told, each_seed, seeds};

const DAYS: u64 = 200;
const TICK: SignedDuration = SignedDuration::from_mins(30);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a day came to.
#[derive(Debug)]
struct Day {
    faults: FaultCounts,
    guard: Guard,
    jobs_done: u64,
    ticks: u32,
}

/// A day of the seed; every third one has limits that bind, and every fourth a coverage limit that
/// one node without an answer breaks.
fn scenario(seed: u64) -> Scenario {
    let mut day = Scenario::random_day(seed).unwrap();
    let limits = &mut day.policy.limits;
    if seed.is_multiple_of(3) {
        (limits.steps_per_hour, limits.nodes_per_tick) = (6, 3);
    }
    if seed.is_multiple_of(4) {
        limits.coverage_min = "0.99".parse().unwrap();
    }
    day
}

fn run(seed: u64, interval: SignedDuration) -> Day {
    let scenario = scenario(seed);
    let mut parts = Parts::new(&scenario, interval);
    parts.config.effort = support::LIGHT;
    let clock = VirtualClock::new(scenario.start);
    let mut engine = parts.open(clock.now());
    let mut guard = Guard::new();
    let (mut ticks, mut measured_to) = (0, scenario.start);
    let mut tick = |guard: &mut Guard| {
        let tick = engine.tick(clock.now()).expect("nothing here stops a tick");
        guard.after(&parts, &tick);
        ticks += 1;
        if let Some(window) = tick.window {
            assert!(window.from() == measured_to, "windows follow each other");
            measured_to = window.to();
        }
    };
    // Every other day is only half of one, to save time: nights are like days here.
    let day = DAY / if seed.is_multiple_of(2) { 1 } else { 2 };
    for _ in 0..=day.as_secs() / interval.as_secs() {
        tick(&mut guard);
        let jump = parts.world.0.borrow_mut().clock_jump();
        if let Some(jump) = jump {
            clock.advance(jump);
            tick(&mut guard);
        }
        clock.advance(interval);
    }
    drop(engine);
    let score = parts.world.0.borrow().score();
    // A restart asks about what had no answer.
    let mut engine = parts.open(clock.now());
    engine.close(clock.now()).unwrap();
    Told::by(&parts.store.verified()).assert_exactly_once(&parts.world);
    let measured = Window::new(scenario.start, measured_to).unwrap();
    let paid = parts.assert_sound(measured);
    assert_eq!(paid.pico(), guard.paid, "the ticks sum to the statement");
    Day { faults: score.faults, guard, jobs_done: score.jobs_done, ticks }
}

/// The rates by kind, in the order of [`FaultKind::ALL`].
fn rates(rates: &FaultRates) -> [u32; FaultKind::ALL.len()] {
    [
        rates.node_loss_per_hour,
        rates.spot_kill_per_hour,
        rates.boot_delay,
        rates.no_capacity,
        rates.act_error,
        rates.conflict,
        rates.timeout,
        rates.stale_observation,
        rates.partial_telemetry,
        rates.duplicate_sample,
        rates.sample_order,
        rates.price_change_per_hour,
        rates.clock_jump,
    ]
}

#[test]
fn the_laws_hold_on_rough_days() {
    let seeds = seeds(0..DAYS);
    let days =
        each_seed(("laws_days", "the_laws_hold_on_rough_days"), &seeds, |seed| run(seed, TICK));
    let sum = |of: &dyn Fn(&Day) -> u64| days.iter().map(of).sum::<u64>();
    let steps = sum(&|day| day.guard.steps);
    let budgeted = sum(&|day| day.guard.budgeted);
    let stale = sum(&|day| day.guard.stale);
    let uncovered = sum(&|day| day.guard.uncovered);
    let limited = sum(&|day| day.guard.limited);
    let done = sum(&|day| day.jobs_done);
    let ticks = sum(&|day| day.ticks.into());
    println!("{} days, {ticks} ticks, {steps} steps, {done} jobs done", days.len());
    println!("held: {stale} stale ticks, {uncovered} under coverage, {limited} steps by limits");
    println!("{budgeted} steps checked against a hard budget");
    let on = rates(&FaultRates::rough());
    let counts = FaultKind::ALL.map(|kind| sum(&|day| day.faults.of(kind)));
    for (kind, count) in FaultKind::ALL.iter().zip(counts) {
        println!("{:<18} {count}", kind.name());
    }
    if days.len() < 2 {
        return;
    }
    for ((kind, count), rate) in FaultKind::ALL.iter().zip(counts).zip(on) {
        assert!(count > 0 || rate == 0, "{} never happened", kind.name());
    }
    for (what, count) in [
        ("a step", steps),
        ("a hard budget", budgeted),
        ("a stale tick", stale),
        ("an uncovered tick", uncovered),
        ("a limit", limited),
        ("a job", done),
    ] {
        assert!(count > 0, "{what} was never met: the days test nothing");
    }
}

/// A finer tick meets the end of a budget's period in other states.
#[test]
fn the_laws_hold_at_a_finer_tick() {
    let seeds = seeds(132..136);
    let name = ("laws_days", "the_laws_hold_at_a_finer_tick");
    let days = each_seed(name, &seeds, |seed| run(seed, TICK / 2));
    assert!(days.iter().all(|day| day.guard.steps > 0), "the days test nothing");
}

/// The guards themselves see what they are there for: one flipped byte, and a doubled step.
#[test]
fn a_changed_record_is_found() {
    let scenario = scenario(1);
    let parts = Parts::new(&scenario, TICK);
    let mut engine = parts.open(scenario.start);
    engine.tick(scenario.start).unwrap();
    let mut records = parts.store.verified();
    assert_eq!(engine.head(), parts.store.head().unwrap());
    let last = records.last_mut().unwrap();
    let seq = last.seq;
    last.body.push(' ');
    assert_eq!(chain::verify(&Head::GENESIS, &records).unwrap_err().seq, seq);
}

/// A race that is over stands at its end, and what its ticks said was verified is all that was.
#[test]
fn a_race_ends_at_its_end_and_tells_each_verified_step_once() {
    let mut steps = 0;
    for seed in 0..2 {
        let scenario = Scenario::random_day(seed).unwrap();
        let records = (Records::in_memory(), Records::in_memory());
        let span = (SignedDuration::from_mins(20), scenario.end);
        let mut race = Race::new(&scenario, &support::weights(), records, span).unwrap();
        let (mut told, mut last) = (Vec::new(), scenario.start);
        while let Some(tick) = race.step().unwrap() {
            last = tick.ours.at;
            told.extend(tick.ours.verified);
        }
        assert_eq!(race.now(), last, "seed {seed}");
        let result = race.finish().unwrap();
        let scores = &race.ours.open_state().scores;
        assert_eq!(result.steps as u64, scores.steps, "seed {seed}");
        assert_eq!(Some(&result.predicted), scores.predicted.get(&Currency::USD), "seed {seed}");
        let names: std::collections::BTreeSet<_> = told.iter().map(|it| &it.step).collect();
        assert_eq!(names.len(), told.len(), "seed {seed}");
        steps += result.steps;
    }
    assert!(steps > 20, "{steps}");
}
