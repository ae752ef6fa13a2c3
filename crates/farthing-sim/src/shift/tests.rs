//! Work over time in worlds that are small enough to know what must come out.

use super::*;
use crate::trace::PowerHours;
use farthing_model::Draw;
use farthing_planner::shift::{Pausing, Power};

fn hours(draw: &mut Draw, count: usize) -> PowerHours {
    let power = |hour: usize| {
        let day = if (9..17).contains(&(hour % 24)) { 30 } else { 110 };
        Power {
            price: (day + draw.below(30) as i128) * 1_000_000_000,
            carbon_mg: i64::try_from(200_000 + draw.below(200_000)).unwrap(),
        }
    };
    let power = (0..count).map(power).collect();
    PowerHours { start_s: 0, power, filled: 0, has_carbon: true }
}

fn below(draw: &mut Draw, most: usize) -> i64 {
    i64::try_from(draw.below(most)).unwrap()
}

fn works(draw: &mut Draw, count: usize) -> Vec<DeferWork> {
    let mut submit_s = 0;
    let work = |_| {
        submit_s += below(draw, 7_200);
        let run_s = 1 + below(draw, 20_000);
        let slack = 3_600 + below(draw, 86_400);
        let due_s = (draw.below(5) > 0).then_some(submit_s + run_s + slack);
        let accelerators = 1 + u32::try_from(draw.below(4)).unwrap();
        DeferWork { submit_s, run_s, accelerators, due_s }
    };
    (0..count).map(work).collect()
}

const SPEC: DeferSpec = DeferSpec {
    slot_s: 1_800,
    accelerators: 1_000,
    watts: 700,
    pausing: Pausing::Never,
    known_h: 24,
    carbon_price: 80_000_000_000,
};

#[test]
fn deferral_saves_and_nobody_is_late() {
    let mut draw = Draw::new(2);
    let (hours, jobs) = (hours(&mut draw, 24 * 30), works(&mut draw, 150));
    for pausing in [Pausing::Never, Pausing::Loses(0), Pausing::Loses(300)] {
        let spec = DeferSpec { pausing, ..SPEC };
        let run = |rule| run_deferral(&hours, &jobs, (&spec, rule)).unwrap();
        let (ours, at_once) = (run(DeferRule::Farthing), run(DeferRule::AtOnce));
        let foresight = run(DeferRule::Foresight);
        for run in [&ours, &at_once, &foresight] {
            assert_eq!((run.late, run.completion_s.len()), (0, 150), "{pausing:?}");
            assert_eq!(run.faults, Vec::<String>::new());
        }
        assert!(ours.cost * 100 < at_once.cost * 85, "{} {}", ours.cost, at_once.cost);
        assert!(foresight.cost <= ours.cost);
        let least = bound(&hours, &jobs, &spec).unwrap();
        // With room for all, a plan that knows all power is the best there is.
        assert_eq!(foresight.cost, least, "{pausing:?}");
        // Power and carbon are what cost is made of, but for what is rounded down.
        let carbon = ours.carbon_mg * spec.carbon_price / 1_000_000;
        let slots = 10_000;
        assert!((ours.cost - ours.power - carbon).abs() < slots * spec.carbon_price / 1_000_000);
    }
}

#[test]
fn few_accelerators_are_shared_and_never_exceeded() {
    let mut draw = Draw::new(7);
    let (hours, jobs) = (hours(&mut draw, 24 * 20), works(&mut draw, 60));
    let spec = DeferSpec { accelerators: 8, slot_s: 3_600, ..SPEC };
    let run = |rule| run_deferral(&hours, &jobs, (&spec, rule)).unwrap();
    let (ours, at_once) = (run(DeferRule::Farthing), run(DeferRule::AtOnce));
    assert_eq!((ours.completion_s.len(), at_once.completion_s.len()), (60, 60));
    assert_eq!(ours.faults, Vec::<String>::new());
    assert!(ours.late <= at_once.late, "{} {}", ours.late, at_once.late);
    assert!(ours.cost < at_once.cost);
}

#[test]
fn power_that_ends_too_early_is_said() {
    let mut draw = Draw::new(7);
    let hours = hours(&mut draw, 24);
    let jobs = [DeferWork { submit_s: 80_000, run_s: 9_000, accelerators: 1, due_s: None }];
    let error = run_deferral(&hours, &jobs, (&SPEC, DeferRule::AtOnce)).unwrap_err();
    assert!(error.to_string().contains("give more hours"), "{error}");
}

fn demand(draw: &mut Draw, days: usize) -> Vec<u64> {
    let of = |slot: usize, draw: &mut Draw| {
        let hour = slot % 144 / 6;
        let base = if (8..20).contains(&hour) { 90_000 } else { 20_000 };
        base + draw.below(6_000) as u64
    };
    (0..days * 144).map(|slot| of(slot, draw)).collect()
}

#[test]
fn lending_is_given_back_in_time() {
    let all = demand(&mut Draw::new(9), 21);
    let spec = LendSpec {
        slot_min: 10,
        replica_milli: 4_000,
        owned: 26,
        back_min: 15,
        start_min: 5,
        worth_slots: 6,
        quantile_ppm: 995_000,
        wait_s: 2,
        batch_min: 100_000_000,
    };
    let run = |rule| run_lending(&all, (&spec, rule));
    let (ours, apart, idle) =
        (run(LendRule::Farthing), run(LendRule::Apart), run(LendRule::AllIdle));
    assert_eq!((apart.waited, apart.worked_min, apart.lent_min), (0, 0, 0));
    assert_eq!((ours.waited, ours.back_most_min), (0, 15), "{ours:?}");
    assert!(idle.waited > 0, "what is idle now is needed soon: {idle:?}");
    let foresight = run(LendRule::Foresight);
    assert_eq!(foresight.waited, 0);
    assert!(ours.worked_min > 50_000 && ours.worked_min < foresight.worked_min, "{ours:?}");
    assert!(ours.lent_min + ours.needed_min <= 26 * ours.minutes);
    assert_eq!(ours.left_min + ours.worked_min, spec.batch_min);
}

#[test]
fn batch_work_ends_and_replicas_come_back() {
    let all = demand(&mut Draw::new(9), 21);
    let spec = LendSpec {
        slot_min: 10,
        replica_milli: 4_000,
        owned: 26,
        back_min: 10,
        start_min: 0,
        worth_slots: 1,
        quantile_ppm: 950_000,
        wait_s: 2,
        batch_min: 5_000,
    };
    let run = run_lending(&all, (&spec, LendRule::Farthing));
    assert_eq!((run.left_min, run.worked_min), (0, 5_000));
    assert!(run.lent_min < 9_000, "{run:?}");
}

fn elastic(draw: &mut Draw, count: usize) -> Vec<ElasticJob> {
    let mut submit_s = 0;
    let job = |_| {
        submit_s += draw.below(3_000) as u64;
        let asked = 1 + u32::try_from(draw.below(4)).unwrap();
        let sizes = (0..4).map(|more| (asked + more, 1_000_000 + 200_000 * u64::from(more)));
        ElasticJob { submit_s, run_s: 60 + draw.below(8_000) as u64, sizes: sizes.collect() }
    };
    (0..count).map(job).collect()
}

#[test]
fn jobs_grow_on_what_is_idle_and_rent_less() {
    let jobs = elastic(&mut Draw::new(6), 300);
    for rents in [false, true] {
        let spec = ElasticSpec { accelerators: 10, restart_s: 60, rents };
        let fixed = run_elastic(&jobs, (&spec, ElasticRule::Fixed));
        let ours = run_elastic(&jobs, (&spec, ElasticRule::Farthing));
        let mean = |run: &ElasticRun| run.completion_s.iter().sum::<u64>() / 300;
        assert!(mean(&ours) * 100 < mean(&fixed) * 95, "{} {}", mean(&ours), mean(&fixed));
        assert!(ours.grown > 50 && fixed.changes == 0 && fixed.grown == 0);
        assert!(if rents { ours.rented_s < fixed.rented_s } else { ours.rented_s == 0 });
        // At the size that was asked for, what is held is the work.
        let work: u64 = jobs.iter().map(|job| u64::from(job.sizes[0].0) * job.run_s).sum();
        assert_eq!(fixed.held_s + fixed.rented_s, work);
        assert!(ours.held_s <= 10 * ours.makespan_s);
    }
}
