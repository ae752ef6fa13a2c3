//! When containers ran, and what of the machine was theirs.

use super::*;
use crate::container::Exit;
use crate::name::Name;
use crate::share::tests::shape;
use farthing_model::{StepId, WorkloadId};
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

fn container(number: u32, phase: Phase, started: i64, finished: Option<i64>) -> Container {
    let workload = WorkloadId::new("w").unwrap();
    let step = StepId::new("p1-1").unwrap();
    Container {
        id: format!("{number:064x}"),
        name: Name::made(&step, number),
        step,
        offer: OfferId::new("local/box/share 1 1Gi/owned").unwrap(),
        who: Arc::new(Attribution::of(workload.clone())),
        workload,
        excluded: false,
        phase,
        exit: Exit::default(),
        started: Some(at(started)),
        finished: finished.map(at),
        limits: shape(1_000, 1 << 30),
        group: None,
    }
}

fn look(second: i64, all: Vec<Container>) -> Look {
    let ours = all.into_iter().map(|one| (one.id.clone(), one)).collect();
    Look { at: at(second), ours, ..Look::default() }
}

fn machine() -> NodeId {
    NodeId::new("box").unwrap()
}

/// Seconds of a window in which a part of a cpu, or none, was held.
fn told(lives: &Lives, window: Window) -> Vec<(i64, i64, u64)> {
    let second = |at: Timestamp| at.as_second() - 1_000_000;
    let pieces = lives.pieces(window, shape(2_000, 8 << 30));
    let piece = |it: &Piece| (second(it.window.from()), second(it.window.to()), it.shape.cpu_milli);
    pieces.iter().map(piece).collect()
}

#[test]
fn a_run_is_from_its_start_to_its_end_whenever_one_looks() {
    let mut lives = Lives::default();
    lives.update(&look(10, vec![container(1, Phase::Running, 4, None)]), &machine());
    assert_eq!(told(&lives, window(0, 10)), [(4, 10, 1_000)]);
    lives.accounted(at(10));
    lives.update(&look(20, vec![container(1, Phase::Ended, 4, Some(13))]), &machine());
    assert_eq!(told(&lives, window(10, 20)), [(10, 13, 1_000)]);
    lives.accounted(at(20));
    // It was started again, and is gone when one looks: it counts as far as it was seen.
    lives.update(&look(30, vec![container(1, Phase::Running, 25, Some(13))]), &machine());
    assert_eq!(told(&lives, window(20, 30)), [(25, 30, 1_000)]);
    lives.accounted(at(30));
    lives.update(&look(40, Vec::new()), &machine());
    assert_eq!(told(&lives, window(30, 40)), []);
    lives.accounted(at(40));
    assert!(lives.0.is_empty(), "nothing is kept of what is gone and accounted");
}

#[test]
fn two_runs_between_two_looks_are_two() {
    let mut lives = Lives::default();
    lives.update(&look(10, vec![container(1, Phase::Running, 4, None)]), &machine());
    lives.update(&look(30, vec![container(1, Phase::Running, 25, Some(13))]), &machine());
    assert_eq!(told(&lives, window(0, 30)), [(4, 13, 1_000), (25, 30, 1_000)]);
}

#[test]
fn what_is_frozen_holds_memory_only() {
    let mut lives = Lives::default();
    lives.update(&look(10, vec![container(1, Phase::Running, 0, None)]), &machine());
    lives.update(&look(20, vec![container(1, Phase::Frozen, 0, None)]), &machine());
    lives.update(&look(30, vec![container(1, Phase::Running, 0, None)]), &machine());
    assert_eq!(told(&lives, window(0, 40)), [(0, 20, 1_000), (20, 30, 0), (30, 40, 1_000)]);
    lives.update(&look(50, vec![container(1, Phase::Frozen, 0, None)]), &machine());
    let held = lives.held(shape(2_000, 8 << 30));
    assert_eq!((held.len(), held[0].shape.cpu_milli, held[0].since), (1, 0, at(0)));
}

#[test]
fn what_does_not_fit_beside_others_has_no_part() {
    let mut lives = Lives::default();
    let all = (1..=3).map(|number| container(number, Phase::Running, i64::from(number), None));
    lives.update(&look(10, all.collect()), &machine());
    assert_eq!(told(&lives, window(0, 10)), [(1, 10, 1_000), (2, 10, 1_000)]);
    assert_eq!(lives.held(shape(2_000, 8 << 30)).len(), 2);
    // A container whose limits someone took away is not a part either.
    let free = Container { limits: Resources::default(), ..container(1, Phase::Running, 1, None) };
    lives.update(&look(11, vec![free]), &machine());
    assert_eq!(told(&lives, window(10, 11)), []);
}

proptest! {
    #[test]
    fn parts_never_exceed_the_machine(
        runs in prop::collection::vec((0_i64..50, 1_i64..50), 1..12),
    ) {
        let mut lives = Lives::default();
        let all = runs.iter().zip(1..).map(|((from, length), number)| {
            container(number, Phase::Ended, *from, Some(from + length))
        });
        lives.update(&look(100, all.collect()), &machine());
        let capacity = shape(2_000, 8 << 30);
        let pieces = lives.pieces(window(0, 100), capacity);
        for second in 0..100 {
            let there = pieces.iter().filter(|piece| piece.window.contains(at(second)));
            let taken = there.map(|piece| piece.shape).fold(Resources::default(), plus);
            prop_assert!(is_within(taken, capacity));
        }
    }
}
