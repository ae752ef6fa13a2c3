//! Whole days: the same seed gives the same day, and nothing that is paid is lost between windows.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cluster;

use cluster::*;
use farthing_edge::Measure;
use farthing_model::*;
use farthing_sim::*;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

const TICK: SignedDuration = SignedDuration::from_mins(10);

/// Runs a day with a driver that has no planner; `between` is called before each tick.
fn run(scenario: &Scenario, mut between: impl FnMut(&mut SimWorld, Window)) -> SimWorld {
    let mut world = SimWorld::new(scenario).unwrap();
    world.keep_log();
    let (mut now, mut number) = (scenario.start, 0);
    while now < scenario.end {
        tick(&mut world, now, &mut number, scenario.policy.boot);
        let next = now + TICK;
        between(&mut world, Window::new(now, next).unwrap());
        now = next;
    }
    world
}

fn measured_whole(world: &mut SimWorld, window: Window) {
    world.measure(window).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_day() {
    for seed in 0..10 {
        let day = || run(&Scenario::random_day(seed).unwrap(), measured_whole);
        let (one, two) = (day(), day());
        assert_eq!(one.log(), two.log());
        assert_eq!(one.score(), two.score());
        assert_eq!(one.score().to_string(), two.score().to_string());
        let other = run(&Scenario::random_day(seed + 100).unwrap(), measured_whole);
        assert_ne!(one.score().digest, other.score().digest);
    }
}

#[test]
fn a_day_of_the_laws_has_jobs_requests_and_faults() {
    let mut faults = [0; FaultKind::ALL.len()];
    let (mut done, mut interruptions) = (0, 0);
    for seed in 0..40 {
        let mut world = run(&Scenario::random_day(seed).unwrap(), |world, window| {
            world.clock_jump();
            measured_whole(world, window);
        });
        world.advance(world.now());
        let score = world.score();
        let service = &score.services[0];
        assert!(service.arrived > 10_000, "{score}");
        assert_eq!(service.arrived, service.served + service.open + service.dropped);
        assert!(score.gpu_used_nanos <= score.gpu_held_nanos);
        assert!(score.gpu_held_nanos <= score.gpu_paid_nanos);
        done += score.jobs_done;
        interruptions += score.interruptions;
        for (index, kind) in FaultKind::ALL.into_iter().enumerate() {
            faults[index] += score.faults.of(kind);
        }
    }
    assert!(done > 200 && interruptions > 20, "{done} done, {interruptions} interruptions");
    for (kind, count) in FaultKind::ALL.into_iter().zip(faults) {
        assert!(count > 0, "{} never happened", kind.name());
    }
}

/// Everything that a node was measured to be over a day.
#[derive(Debug, Default, PartialEq, Eq)]
struct Life {
    /// Paid from when to when, with the price: adjacent spans joined.
    paid: Vec<(Timestamp, Timestamp, Price)>,
    requested: BTreeMap<Resource, i128>,
}

fn add(lives: &mut BTreeMap<NodeId, Life>, world: &mut SimWorld, window: Window) {
    let measured = world.measure(window).unwrap();
    for span in measured.spans {
        assert_eq!(window.intersect(span.window), Some(span.window), "inside of the window");
        let life = lives.entry(span.node).or_default();
        match life.paid.last_mut() {
            Some(last) if last.1 == span.window.from() && last.2 == span.price => {
                last.1 = span.window.to();
            }
            _ => life.paid.push((span.window.from(), span.window.to(), span.price)),
        }
    }
    for sample in measured.samples {
        assert_eq!(window.intersect(sample.window), Some(sample.window));
        assert!(sample.known_use() <= sample.requested_nano);
        let life = lives.get_mut(&sample.node).unwrap();
        *life.requested.entry(sample.resource).or_default() += sample.requested_nano;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Spans of adjacent windows tile each node's paid time exactly, whatever the cuts are.
    #[test]
    fn any_cutting_measures_the_same(
        seed in 0_u64..1_000,
        cuts in prop::collection::vec(1_i64..600_000_000_000, 0..6),
    ) {
        let mut day = Scenario::random_day(seed).unwrap();
        // Each measurement draws anew whether a node answers, so that would differ by the cuts.
        day.faults.partial_telemetry = 0;
        day.faults.duplicate_sample = 0;
        let mut whole = BTreeMap::new();
        run(&day, |world, window| add(&mut whole, world, window));
        let mut cut = BTreeMap::new();
        run(&day, |world, window| {
            let mut edges: Vec<Timestamp> = cuts
                .iter()
                .map(|cut| window.from() + SignedDuration::from_nanos(*cut))
                .filter(|at| window.contains(*at) && *at > window.from())
                .collect();
            edges.extend([window.from(), window.to()]);
            edges.sort_unstable();
            edges.dedup();
            for pair in edges.windows(2) {
                add(&mut cut, world, Window::new(pair[0], pair[1]).unwrap());
            }
        });
        prop_assert!(whole.len() > 5);
        for (node, life) in &whole {
            for pair in life.paid.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0, "{} is paid without a gap", node);
            }
        }
        prop_assert_eq!(whole, cut);
    }
}

#[test]
fn the_demo_is_a_day_on_real_prices() {
    let book = price_book().into();
    let demo = Scenario::demo(1, &book).unwrap();
    assert_eq!(demo.start.to_string(), "2026-11-02T00:00:00Z");
    assert!(demo.jobs.len() > 500);
    assert!((40..150).contains(&demo.offers.len()), "{}", demo.offers.len());
    let in_book =
        |offer: &Offer| book.iter().any(|row| row.id == offer.id && row.price == offer.price);
    assert!(demo.offers.iter().all(in_book), "prices are those of the book");
    let eu = demo.offers.iter().filter(|offer| offer.residency.contains(&"eu".to_owned()));
    assert!(eu.count() > 10);
    let bound = demo.jobs.iter().filter(|job| job.workload.residency == ["eu"]);
    assert!(bound.count() > 20);
    let again = Scenario::demo(1, &book).unwrap();
    assert_eq!(format!("{demo:?}"), format!("{again:?}"));
    assert_ne!(format!("{demo:?}"), format!("{:?}", Scenario::demo(2, &book).unwrap()));
    for job in &demo.jobs {
        let wanted = job.workload.job().unwrap();
        let fits = demo.offers.iter().any(|offer| {
            offer.purchase == Purchase::OnDemand
                && job.workload.resources.gpu_milli <= offer.capacity.gpu_milli
                && (job.workload.residency.is_empty() || offer.residency.contains(&"eu".to_owned()))
                && wanted.throughput.iter().any(|row| match &row.target {
                    Target::Accelerator(query) => {
                        query.matches(offer.accelerator.as_ref().unwrap())
                    }
                    Target::InstanceType(_) => false,
                })
        });
        assert!(fits, "{} can be placed on demand", job.workload.id);
    }
}

#[test]
fn a_demo_day_passes() {
    let mut demo = Scenario::demo(1, &price_book().into()).unwrap();
    demo.end = demo.start + SignedDuration::from_hours(6);
    let score = run(&demo, measured_whole).score();
    assert!(score.jobs_arrived > 50 && score.jobs_done > 20, "{score}");
    let service = &score.services[0];
    assert!(service.served > 100_000, "{score}");
    assert!(score.events > 2 * service.served, "every request and every answer is an event");
}
