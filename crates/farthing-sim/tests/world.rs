//! What happens in the world, event by event.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cluster;

use cluster::*;
use farthing_edge::{Act, Measure, Observe, Quote};
use farthing_model::*;
use farthing_sim::*;
use jiff::SignedDuration;
use std::sync::Arc;

const H100: &str = "H100-80GB-SXM";

fn done(world: &mut SimWorld, id: &str, generation: u64, action: Action, minute: i64) {
    let receipt = world.act(&step(id, generation, action), at(minute)).unwrap();
    assert_eq!(receipt.outcome, ReceiptOutcome::Done);
}

/// Nodes boot for three minutes in these worlds.
#[test]
fn without_noise_a_job_ends_at_the_end_of_its_window_to_the_nanosecond() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let mut world = world(vec![offer.clone()], vec![job("a", H100, 60, false)]);
    let planned = window(5, 5 + 3 + 60);
    assert_eq!(seen(&mut world, "a", at(5)).state, WorkloadState::Waiting);
    done(&mut world, "s", 1, start("a", &offer, planned), 5);
    let there = seen(&mut world, "a", at(5));
    let placed = Assignment { offer: offer.id.clone(), members: 1, nodes_each: 1, window: planned };
    assert_eq!((there.state, there.generation), (WorkloadState::Placed(vec![placed]), 2));
    let states: Vec<_> =
        [5, 7, 8, 67].map(|minute| world.observe(at(minute)).unwrap().nodes[0].state).into();
    let (booting, ready) = (NodeState::Booting, NodeState::Ready);
    assert_eq!(states, [booting, booting, ready, ready]);
    let measured = world.measure(window(0, 120)).unwrap();
    assert_eq!(measured.spans.len(), 1);
    assert_eq!((measured.spans[0].window, measured.spans[0].ready), (planned, at(8)));
    let gpu = &measured.samples[0];
    assert_eq!((gpu.resource, gpu.window), (Resource::Gpu, window(8, 68)));
    assert_eq!(gpu.requested_nano, 3_600 * 1_000_000_000);
    let used = Ratio::of(gpu.known_use(), gpu.requested_nano).unwrap().ppm();
    assert!((500_000..=970_000).contains(&used), "{used}");
    assert_eq!(seen(&mut world, "a", at(120)).state, WorkloadState::Finished(planned.to()));
    assert!(world.observe(at(120)).unwrap().nodes.is_empty());
    let score = world.score();
    assert_eq!((score.jobs_done, score.completion_mean.unwrap().as_mins()), (1, 68));
}

#[test]
fn a_scheduled_job_buys_its_node_when_it_starts() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let mut world = world(vec![offer.clone()], vec![job("a", H100, 30, false)]);
    done(&mut world, "s", 1, start("a", &offer, window(60, 93)), 0);
    assert!(world.observe(at(59)).unwrap().nodes.is_empty());
    assert_eq!(world.observe(at(60)).unwrap().nodes[0].since, at(60));
    assert_eq!(seen(&mut world, "a", at(100)).state, WorkloadState::Finished(at(93)));
}

#[test]
fn a_step_that_is_late_takes_as_long_and_an_overdue_end_is_pushed_by_minutes() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let mut late = world(vec![offer.clone()], vec![job("a", H100, 30, false)]);
    done(&mut late, "s", 1, start("a", &offer, window(0, 33)), 10);
    assert_eq!(seen(&mut late, "a", at(50)).state, WorkloadState::Finished(at(43)));
    // A window that is too short for the work.
    let mut overdue = world(vec![offer.clone()], vec![job("a", H100, 30, false)]);
    done(&mut overdue, "s", 1, start("a", &offer, window(0, 20)), 0);
    let WorkloadState::Placed(there) = seen(&mut overdue, "a", at(25)).state else { panic!() };
    assert_eq!(there[0].window, window(0, 26));
    assert_eq!(seen(&mut overdue, "a", at(50)).state, WorkloadState::Finished(at(33)));
}

#[test]
fn the_true_run_time_differs_by_the_noise() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let jobs = (0..20).map(|it| job(&format!("j{it:02}"), H100, 100, false)).collect();
    let noisy = Scenario { noise_ppm: 30_000, ..scenario(vec![offer.clone()], jobs) };
    let mut world = SimWorld::new(&noisy).unwrap();
    for it in 0..20 {
        let action = start(&format!("j{it:02}"), &offer, window(0, 103));
        done(&mut world, &format!("s{it}"), 1, action, 0);
    }
    let mut lengths = Vec::new();
    for observed in world.observe(at(120)).unwrap().workloads {
        let WorkloadState::Finished(end) = observed.state else { panic!("{observed:?}") };
        lengths.push(end.duration_since(at(3)).as_secs());
    }
    assert!(lengths.iter().all(|length| (5_820..=6_180).contains(length)), "{lengths:?}");
    assert!(lengths.iter().any(|length| *length > 6_050), "{lengths:?}");
    assert!(lengths.iter().any(|length| *length < 5_950), "{lengths:?}");
}

/// All nodes live for about an hour on average.
fn lossy(spot: bool) -> FaultRates {
    let none = FaultRates::default();
    if spot {
        FaultRates { spot_kill_per_hour: 1_000_000, ..none }
    } else {
        FaultRates { node_loss_per_hour: 1_000_000, ..none }
    }
}

#[test]
fn a_lost_node_sends_its_job_back_to_its_last_checkpoint() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let jobs = vec![job("kept", H100, 6_000, true), job("whole", H100, 6_000, false)];
    let faulty = Scenario { faults: lossy(false), ..scenario(vec![offer.clone()], jobs) };
    let mut world = SimWorld::new(&faulty).unwrap();
    for name in ["kept", "whole"] {
        done(&mut world, name, 1, start(name, &offer, window(0, 6_003)), 0);
    }
    for name in ["kept", "whole"] {
        let lost = (0..5_000)
            .find(|minute| seen(&mut world, name, at(*minute)).state == WorkloadState::Waiting);
        let now = world.now();
        let observed = seen(&mut world, name, now);
        assert_eq!(observed.generation, 3, "started, lost");
        let left = observed.workload.job().unwrap().work.as_ref().unwrap().amount.nano();
        let left_minutes = left / 60_000_000_000;
        let ran = i128::from(lost.unwrap()) - 3;
        if name == "whole" {
            assert_eq!(left_minutes, 6_000);
        } else {
            // Saved every minute; a minute to be productive again.
            assert!((left_minutes - (6_000 - ran)).abs() <= 2, "{left_minutes} after {ran}");
        }
    }
    let score = world.score();
    assert_eq!((score.interruptions, score.faults.of(FaultKind::NodeLoss)), (2, 2));
    let now = world.now();
    assert_eq!(world.observe(now).unwrap().nodes.len(), 1, "lost ones are shown a while");
}

#[test]
fn what_is_left_after_a_loss_takes_as_long_as_it_says() {
    let offer = offer(H100, 1, Purchase::Spot, None);
    let jobs = vec![job("a", H100, 100, true)];
    let faulty = Scenario { faults: lossy(true), ..scenario(vec![offer.clone()], jobs) };
    let mut world = SimWorld::new(&faulty).unwrap();
    let (mut minute, mut tries) = (0, 0);
    loop {
        let observed = seen(&mut world, "a", at(minute));
        match observed.state {
            WorkloadState::Finished(_) => break,
            WorkloadState::Waiting => {
                let work = observed.workload.job().unwrap().work.clone().unwrap().amount.nano();
                let millis = i64::try_from((work + 999_999) / 1_000_000).unwrap();
                let length = SignedDuration::from_mins(3) + SignedDuration::from_millis(millis);
                let window = Window::starting(at(minute), length).unwrap();
                tries += 1;
                let id = format!("s{tries}");
                let generation = observed.generation;
                done(&mut world, &id, generation, start("a", &offer, window), minute);
            }
            WorkloadState::Placed(there) => {
                // Never pushed: the run time that follows from what is left is the true one.
                let end = there[0].window.to();
                assert!(end > at(minute));
            }
            WorkloadState::Suspended => unreachable!(),
        }
        minute += 1;
        assert!(minute < 10_000);
    }
    assert!(tries > 1, "at a kill an hour, 100 minutes take several tries");
    assert_eq!(world.score().faults.of(FaultKind::SpotKill), tries - 1);
}

#[test]
fn on_demand_nodes_are_not_taken_away() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let jobs = vec![job("a", H100, 600, true)];
    let faulty = Scenario { faults: lossy(true), ..scenario(vec![offer.clone()], jobs) };
    let mut world = SimWorld::new(&faulty).unwrap();
    done(&mut world, "s", 1, start("a", &offer, window(0, 603)), 0);
    assert_eq!(seen(&mut world, "a", at(700)).state, WorkloadState::Finished(at(603)));
}

#[test]
fn a_slow_boot_is_paid_and_delays_the_job() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let faults = FaultRates { boot_delay: 1_000_000, ..FaultRates::default() };
    let slow = scenario(vec![offer.clone()], vec![job("a", H100, 10, false)]);
    let mut world = SimWorld::new(&Scenario { faults, ..slow }).unwrap();
    done(&mut world, "s", 1, start("a", &offer, window(0, 13)), 0);
    let WorkloadState::Finished(end) = seen(&mut world, "a", at(60)).state else { panic!() };
    let boot = end.duration_since(at(10)).as_mins();
    assert!((6..=15).contains(&boot), "two to five times three minutes: {boot}");
    let span = &world.measure(window(0, 60)).unwrap().spans[0];
    assert_eq!((span.window.from(), span.window.to()), (at(0), end));
    assert_eq!(span.ready, at(boot));
}

#[test]
fn owned_nodes_are_taken_and_kept() {
    let offer = offer(H100, 1, Purchase::Owned, None);
    let mut two = scenario(vec![offer.clone()], vec![job("a", H100, 10, false)]);
    let workload = Arc::new(job("b", H100, 10, false));
    two.jobs.push(JobArrival { at: at(0), workload, forgotten: false });
    let id = NodeId::new("ours").unwrap();
    two.idle = vec![IdleNode { id: id.clone(), offer: offer.id.clone() }];
    let mut world = SimWorld::new(&two).unwrap();
    done(&mut world, "s", 1, start("a", &offer, window(0, 10)), 0);
    let receipt = world.act(&step("t", 1, start("b", &offer, window(0, 10))), at(0)).unwrap();
    assert!(matches!(receipt.outcome, ReceiptOutcome::Failed(_)), "{receipt:?}");
    // No boot on hardware that is there; the node stays paid.
    assert_eq!(seen(&mut world, "a", at(20)).state, WorkloadState::Finished(at(10)));
    let measured = world.measure(window(0, 20)).unwrap();
    assert_eq!(measured.spans[0].window, window(0, 20));
    assert_eq!(measured.samples[0].window, window(0, 10));
    done(&mut world, "u", 1, start("b", &offer, window(20, 30)), 20);
}

#[test]
fn a_price_change_splits_the_span_and_is_quoted() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let faults = FaultRates { price_change_per_hour: 1_000_000, ..FaultRates::default() };
    let mut moving = scenario(vec![offer.clone()], vec![]);
    moving.idle = vec![IdleNode { id: NodeId::new("n").unwrap(), offer: offer.id.clone() }];
    let mut world = SimWorld::new(&Scenario { faults, ..moving }).unwrap();
    let spans = world.measure(window(0, 180)).unwrap().spans;
    assert_eq!(spans.len(), 4, "one change in each hour");
    assert_eq!((spans[0].window.from(), spans[3].window.to()), (at(0), at(180)));
    for pair in spans.windows(2) {
        assert_eq!(pair[0].window.to(), pair[1].window.from());
        assert_ne!(pair[0].price, pair[1].price);
    }
    assert_eq!(spans[0].price, offer.price);
    assert_eq!(world.offers(at(180)).unwrap()[0].price, spans[3].price);
    assert_eq!(world.observe(at(180)).unwrap().nodes[0].price, spans[3].price);
}

fn served() -> Scenario {
    let mut day = Scenario::noise_free(4).unwrap();
    day.jobs.clear();
    day.idle.clear();
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    day.offers = Arc::from([offer]);
    day
}

#[test]
fn a_service_serves_as_much_as_its_table_says() {
    let mut day = served();
    // Requests of one bucket, one a second on one replica: exactly half of its capacity.
    let gaps = [RequestGap { micros: 2_000_000, bucket: 0 }];
    day.services[0].stream =
        RequestStream { gaps: Arc::from(gaps), shape_milli: None, pace_milli: 1_000 };
    let offer = day.offers[0].clone();
    let mut world = SimWorld::new(&day).unwrap();
    assert_eq!(seen(&mut world, "service", at(0)).demand_per_s, None);
    done(&mut world, "s", 1, scale("service", &offer, 0, 1, window(0, 60)), 0);
    let observed = seen(&mut world, "service", at(30));
    assert_eq!(observed.demand_per_s, Some("0.5".parse().unwrap()));
    let WorkloadState::Placed(there) = &observed.state else { panic!() };
    assert_eq!((there[0].members, there[0].window), (1, window(0, 60)));
    let measured = world.measure(window(30, 60)).unwrap();
    let gpu = &measured.samples[0];
    assert_eq!((gpu.known_use(), gpu.requested_nano), (900_000_000_000, 1_800_000_000_000));
    let score = &world.score().services[0];
    assert_eq!((score.arrived, score.served, score.open), (1_800, 1_799, 1));
    // Only those of the boot had to wait: 90 requests, worked off at two for each that comes.
    assert!((88..=180).contains(&score.over_slo), "{score:?}");
    assert_eq!(score.wait_p50, Some(SignedDuration::ZERO));
}

#[test]
fn scaling_moves_requests_and_pays_for_what_is_there() {
    let day = served();
    let offer = day.offers[0].clone();
    let mut world = SimWorld::new(&day).unwrap();
    done(&mut world, "up", 1, scale("service", &offer, 0, 3, window(0, 600)), 0);
    done(&mut world, "down", 2, scale("service", &offer, 3, 1, window(60, 600)), 60);
    done(&mut world, "out", 3, scale("service", &offer, 1, 0, window(90, 600)), 90);
    assert_eq!(seen(&mut world, "service", at(95)).state, WorkloadState::Waiting);
    let open = world.score().services[0].open;
    assert!(open > 50, "they wait: {open}");
    done(&mut world, "again", 4, scale("service", &offer, 0, 2, window(100, 600)), 100);
    world.advance(at(600));
    let score = world.score().services[0].clone();
    assert_eq!(score.arrived, score.served + score.open + score.dropped);
    assert!(score.retried > 0 && score.open < 20, "{score:?}");
    let paid: i128 = world
        .measure(window(0, 600))
        .unwrap()
        .spans
        .iter()
        .map(|span| span.window.nanos() / 60_000_000_000)
        .sum();
    assert_eq!(paid, 2 * 60 + 90 + 2 * 500);
}

#[test]
fn telemetry_faults_are_said_and_counted() {
    let base = || {
        let offer = offer(H100, 1, Purchase::OnDemand, None);
        let jobs = (0..5).map(|it| job(&format!("j{it}"), H100, 100, false)).collect();
        (offer.clone(), scenario(vec![offer], jobs))
    };
    let run = |faults| {
        let (offer, base) = base();
        let mut world = SimWorld::new(&Scenario { faults, ..base }).unwrap();
        for it in 0..5 {
            let action = start(&format!("j{it}"), &offer, window(0, 103));
            done(&mut world, &format!("s{it}"), 1, action, 0);
        }
        (world.measure(window(0, 60)).unwrap(), world)
    };
    let none = FaultRates::default();
    let (clean, _) = run(none);
    assert!(clean.samples.is_sorted_by_key(|it| (it.node.clone(), it.resource)));
    let (partial, mut world) = run(FaultRates { partial_telemetry: 1_000_000, ..none });
    assert!(partial.samples.is_empty() && partial.spans.iter().all(|span| !span.measured));
    assert_eq!((partial.faults.len(), partial.coverage.measured_nanos), (5, 0));
    assert_eq!(world.observe(at(60)).unwrap().coverage, partial.coverage);
    let (twice, world) = run(FaultRates { duplicate_sample: 1_000_000, ..none });
    assert_eq!(twice.samples.len(), 2 * clean.samples.len());
    assert_eq!(world.score().faults.of(FaultKind::DuplicateSample), 15);
    let (shuffled, _) = run(FaultRates { sample_order: 1_000_000, ..none });
    assert_ne!(shuffled.samples, clean.samples);
    assert_eq!(shuffled.spans, clean.spans);
}

#[test]
fn a_stale_observation_says_how_old_it_is() {
    let faults = FaultRates { stale_observation: 1_000_000, ..FaultRates::default() };
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let jobs = vec![job("a", H100, 100, false)];
    let stale = Scenario { faults, ..scenario(vec![offer.clone()], jobs) };
    let mut world = SimWorld::new(&stale).unwrap();
    assert_eq!(world.observe(at(0)).unwrap().oldest(), SignedDuration::ZERO);
    done(&mut world, "s", 1, start("a", &offer, window(0, 103)), 0);
    let snapshot = world.observe(at(7)).unwrap();
    assert_eq!((snapshot.at, snapshot.oldest().as_mins()), (at(7), 7));
    assert_eq!(snapshot.workloads[0].state, WorkloadState::Waiting);
}

#[test]
fn time_never_goes_back() {
    let mut world = world(vec![offer(H100, 1, Purchase::OnDemand, None)], vec![]);
    world.advance(at(10));
    let snapshot = world.observe(at(5)).unwrap();
    assert_eq!((world.now(), snapshot.at), (at(10), at(5)));
}

#[test]
fn a_scenario_that_contradicts_itself_is_refused() {
    let twice = scenario(vec![], vec![job("a", H100, 1, false), job("a", H100, 1, false)]);
    assert_eq!(SimWorld::new(&twice).unwrap_err(), WorldError::Twice("a".to_owned()));
    let mut homeless = scenario(vec![], vec![]);
    let offer = OfferId::new("x/y/z/spot").unwrap();
    homeless.idle = vec![IdleNode { id: NodeId::new("n").unwrap(), offer }];
    let message = SimWorld::new(&homeless).unwrap_err().to_string();
    assert_eq!(message, "node n is of offer x/y/z/spot, which the scenario does not have");
}
