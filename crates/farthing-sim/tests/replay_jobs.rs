//! Traces of jobs on clusters: the books conserve whatever happens, nobody is lost, and what each
//! policy is for comes true. The replay itself fails where the ledger's sums are not those of rates
//! and times, so that each run here is a check of laws 3 and 5.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use farthing_ledger::Books;
use farthing_model::{ClusterId, Currency, HourlyRate, Money};
use farthing_sim::cluster::{
    ClusterError, ClusterRule, ClusterRun, ClusterSpec, PoolSpec, Replay, replay_cluster,
};
use farthing_sim::trace::jobs::TraceJob;
use jiff::SignedDuration;
use proptest::prelude::*;

const START_S: i64 = 1_577_836_800;

fn usd(text: &str) -> HourlyRate {
    HourlyRate::new(Money::from_decimal(text, Currency::USD).unwrap()).unwrap()
}

fn pool(name: &str, nodes: Option<u32>, accelerators: u32, price: &str) -> PoolSpec {
    let price = usd(price).times(accelerators).unwrap();
    PoolSpec { name: name.to_owned(), nodes, accelerators, price }
}

fn cluster(pools: Vec<PoolSpec>) -> ClusterSpec {
    ClusterSpec {
        pools,
        boot: SignedDuration::from_mins(3),
        idle_release: SignedDuration::from_mins(10),
        reserve_ppm: 0,
        estimate_error_ppm: 300_000,
        slack: None,
        seed: 1,
    }
}

fn job(submit_s: i64, run_s: u32, accelerators: u32) -> TraceJob {
    let (name, team, due_s) = (None, None, None);
    TraceJob { name, team, submit_s: START_S + submit_s, run_s, accelerators, due_s }
}

fn run(spec: &ClusterSpec, rule: ClusterRule, jobs: &[TraceJob]) -> ClusterRun {
    let cluster = ClusterId::new("c").unwrap();
    let replay = Replay { spec, rule, cluster: &cluster, books: None };
    let jobs: Vec<_> = jobs.iter().cloned().map(Ok).collect();
    replay_cluster(&replay, Box::new(jobs.into_iter()), &|_| ()).unwrap()
}

fn mean_s(run: &ClusterRun) -> u64 {
    run.took_s.iter().map(|took| u64::from(*took)).sum::<u64>()
        / u64::try_from(run.took_s.len()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_lost_and_the_books_conserve(
        mut jobs in prop::collection::vec((0_i64..200_000, 0_u32..40_000, 1_u32..20), 1..60),
        (nodes, size, rented) in (1_u32..6, 1_u32..9, any::<bool>()),
        (reserve, slack, seed) in (0_u32..400_000, prop::option::of(0_i64..90_000), any::<u64>()),
    ) {
        jobs.sort_unstable();
        let jobs: Vec<TraceJob> =
            jobs.into_iter().map(|(at, run_s, count)| job(at, run_s, count)).collect();
        let first = pool("V100", Some(nodes), size, "0.74");
        let mut pools = vec![first, pool("K80", Some(2), 1, "0.135")];
        if rented {
            pools.push(pool("V100", None, size, "2.48"));
        }
        let spec = ClusterSpec {
            reserve_ppm: reserve,
            slack: slack.map(SignedDuration::from_secs),
            seed,
            ..cluster(pools)
        };
        for (rule, name) in ClusterRule::ALL {
            let ran = run(&spec, rule, &jobs);
            let left_out = ran.too_large.map_or(0, |(.., count)| count);
            let ended = u64::try_from(ran.took_s.len()).unwrap();
            prop_assert_eq!(ended + left_out, ran.jobs, "{}", name);
            // Rounding alone: a unit for each hour of each node.
            prop_assert!(ran.least.pico() <= ran.posted.used.pico() + 1_000_000);
            prop_assert_eq!(&ran, &run(&spec, rule, &jobs), "{} twice", name);
        }
    }
}

#[test]
fn nodes_are_off_while_nobody_needs_them() {
    // An hour of work on one accelerator, then nothing for a day, then an hour again.
    let jobs = [job(0, 3_600, 1), job(86_400, 3_600, 1)];
    let spec = cluster(vec![pool("V100", Some(10), 8, "1")]);
    let ours = run(&spec, ClusterRule::Farthing, &jobs);
    let fifo = run(&spec, ClusterRule::Fifo, &jobs);
    assert_eq!(fifo.posted.paid.to_decimal(), "2000.00", "25 hours of 80 accelerators");
    assert_eq!(
        (fifo.posted.used, fifo.posted.overhead.to_decimal()),
        (ours.posted.used, "0.00".to_owned())
    );
    // Two boots, two hours and one wait for more work, of eight accelerators.
    let paid: i128 = ours.posted.paid.pico() / 1_000_000_000_000;
    assert!((17..20).contains(&paid), "{paid}");
    assert!(ours.posted.overhead.pico() > 0);
}

#[test]
fn small_jobs_fill_the_gap_in_front_of_a_large_one_without_holding_it_up() {
    // One accelerator is held for two hours, a gang of all waits for it, and small ones follow.
    let mut jobs = vec![job(0, 7_200, 1), job(10, 3_600, 8)];
    jobs.extend((0..7).map(|at| job(20 + at, 1_800, 1)));
    let spec = ClusterSpec {
        estimate_error_ppm: 0,
        boot: SignedDuration::ZERO,
        ..cluster(vec![pool("V100", Some(1), 8, "1")])
    };
    let (ours, fifo) =
        (run(&spec, ClusterRule::Farthing, &jobs), run(&spec, ClusterRule::Fifo, &jobs));
    assert_eq!(fifo.took_s.iter().filter(|took| **took < 3_000).count(), 0, "{:?}", fifo.took_s);
    assert_eq!(ours.took_s.iter().filter(|took| **took < 3_000).count(), 7, "{:?}", ours.took_s);
    // The gang runs as soon as the first job has ended, as under fifo.
    assert_eq!(ours.makespan_s, 7_200 + 3_600);
    assert!(mean_s(&ours) < mean_s(&fifo) / 2);
}

#[test]
fn what_is_due_is_rented_and_what_is_not_waits() {
    let spec = |slack: Option<i64>| ClusterSpec {
        slack: slack.map(SignedDuration::from_secs),
        estimate_error_ppm: 0,
        ..cluster(vec![pool("V100", Some(1), 1, "1"), pool("V100", None, 1, "3")])
    };
    let jobs = [job(0, 36_000, 1), job(60, 36_000, 1)];
    let waits = run(&spec(None), ClusterRule::Farthing, &jobs);
    let due = run(&spec(Some(7_200)), ClusterRule::Farthing, &jobs);
    assert_eq!((due.late, waits.late), (0, 0));
    assert!(due.posted.paid.pico() > waits.posted.paid.pico() + 15_000_000_000_000, "{due:?}");
    assert!(waits.makespan_s > 72_000 && due.makespan_s < 40_000);
}

#[test]
fn what_asks_for_more_than_there_is_is_left_out_and_the_rest_goes_on() {
    let spec = cluster(vec![pool("V100", Some(2), 4, "1")]);
    let jobs = [job(0, 60, 1), job(1, 60, 9), job(2, 60, 64), job(3, 60, 8)];
    for (rule, _) in ClusterRule::ALL {
        let ran = run(&spec, rule, &jobs);
        assert_eq!((ran.too_large, ran.took_s.len()), (Some((3, 64, 2)), 2));
    }
}

#[test]
fn ties_by_the_thousand_and_jobs_of_no_time_end_too() {
    let jobs: Vec<TraceJob> =
        (0..3_000).map(|at| job(7, u32::from(at % 3 == 0), 1 + at % 4)).collect();
    let spec = cluster(vec![pool("V100", Some(2), 4, "1")]);
    for (rule, name) in ClusterRule::ALL {
        assert_eq!(run(&spec, rule, &jobs).took_s.len(), 3_000, "{name}");
    }
}

#[test]
fn a_reserve_costs_money_and_saves_waiting() {
    let jobs: Vec<TraceJob> = (0..40).map(|at| job(at * 7_200, 600, 1)).collect();
    let with = |reserve_ppm| {
        let spec = ClusterSpec { reserve_ppm, ..cluster(vec![pool("V100", Some(10), 1, "1")]) };
        run(&spec, ClusterRule::Farthing, &jobs)
    };
    let (without, some) = (with(0), with(100_000));
    assert!(some.posted.paid.pico() > without.posted.paid.pico());
    assert!(mean_s(&some) + 100 < mean_s(&without), "{} {}", mean_s(&some), mean_s(&without));
}

#[test]
fn the_books_of_a_run_are_those_that_statements_read() {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::open_folder(folder.path()).unwrap();
    let cluster_id = ClusterId::new("simulated").unwrap();
    let spec = cluster(vec![pool("V100", Some(2), 4, "1")]);
    let jobs = [job(0, 5_000, 3), job(100, 9_000, 6)].map(Ok);
    let replay = Replay {
        spec: &spec,
        rule: ClusterRule::Farthing,
        cluster: &cluster_id,
        books: Some(&books),
    };
    let ran = replay_cluster(&replay, Box::new(jobs.into_iter()), &|_| ()).unwrap();
    let hours = books.posted_hours(&cluster_id).unwrap();
    let all = farthing_model::Window::new(hours[0].from(), hours[hours.len() - 1].to()).unwrap();
    let charges = books.charges(&cluster_id, all).unwrap();
    let sum = Money::sum(charges.iter().map(|charge| charge.cost), Currency::USD).unwrap();
    assert_eq!(sum, ran.posted.paid);
    assert_eq!(u64::try_from(charges.len()).unwrap(), ran.posted.charges);
}

#[test]
fn a_bad_row_ends_the_run_with_its_message() {
    let spec = cluster(vec![pool("V100", Some(2), 4, "1")]);
    let cluster_id = ClusterId::new("c").unwrap();
    let replay = Replay { spec: &spec, rule: ClusterRule::Fifo, cluster: &cluster_id, books: None };
    let bad = farthing_sim::trace::TraceError::Empty { file: "t".to_owned() };
    let jobs = vec![Ok(job(0, 5, 1)), Err(bad)];
    let error = replay_cluster(&replay, Box::new(jobs.into_iter()), &|_| ()).unwrap_err();
    assert!(matches!(error, ClusterError::Trace(_)), "{error}");
}
