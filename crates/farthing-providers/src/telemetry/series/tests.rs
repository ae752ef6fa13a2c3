//! Counters, gauges, gaps, replicas and order, each by its own small timeline.

use super::*;
use proptest::prelude::*;

const HOLD: i64 = 300_000;

fn horizon(from: i64, to: i64) -> Horizon {
    Horizon { window: Span::new(from, to).unwrap(), hold_ms: HOLD }
}

fn runs(points: &[(i64, i64)]) -> Runs {
    let mut runs = Runs::default();
    for (at, value) in points {
        runs.push(*at, *value);
    }
    runs.settle();
    runs
}

fn merged(streams: &[&[(i64, i64)]]) -> Merged {
    let streams: Vec<Runs> = streams.iter().map(|points| runs(points)).collect();
    let pace = streams.iter().filter_map(Runs::pace).min();
    Merged::of(streams.iter().map(|runs| runs.points().collect()).collect(), pace)
}

fn counted(streams: &[&[(i64, i64)]], from: i64, to: i64) -> i64 {
    merged(streams).increases(&horizon(from, to)).iter().map(|it| it.amount).sum()
}

fn held(streams: &[&[(i64, i64)]], from: i64, to: i64) -> Vec<(i64, i64, i64)> {
    let steps = merged(streams).steps(&horizon(from, to));
    steps.iter().map(|step| (step.span.from, step.span.to, step.value)).collect()
}

#[test]
fn a_counter_that_begins_again_has_counted_what_it_shows() {
    let points = [(0, 100), (30_000, 160), (60_000, 20), (90_000, 50)];
    assert_eq!(counted(&[&points], 0, 90_000), 60 + 20 + 30);
}

#[test]
fn a_missed_scrape_loses_nothing_and_a_long_gap_is_not_known() {
    let points = [(0, 0), (30_000, 30), (120_000, 120)];
    assert_eq!(counted(&[&points], 0, 120_000), 120);
    // Six minutes: what was counted in them cannot be said to be of any moment.
    let points = [(0, 0), (360_000, 360), (390_000, 390)];
    assert_eq!(counted(&[&points], 0, 390_000), 30);
    assert_eq!(
        held(&[&[(0, 7), (360_000, 8), (390_000, 8)]], 0, 390_000),
        [(0, 300_000, 7), (360_000, 390_000, 8),]
    );
}

#[test]
fn a_stale_marker_ends_a_gauge_and_does_not_break_a_counter() {
    let points = [(0, 5), (30_000, MISSING), (60_000, 9), (90_000, 9)];
    assert_eq!(held(&[&points], 0, 90_000), [(0, 30_000, 5), (60_000, 90_000, 9)]);
    assert_eq!(counted(&[&points], 0, 90_000), 4);
}

#[test]
fn a_series_that_ends_in_the_window_ends_with_its_last_scrape() {
    let points = [(0, 3), (30_000, 3), (60_000, 3)];
    assert_eq!(held(&[&points], 0, 600_000), [(0, 60_000, 3)]);
    // At the end of the window it holds for the one scrape that would have come.
    assert_eq!(held(&[&points], 0, 80_000), [(0, 80_000, 3)]);
}

#[test]
fn points_outside_of_the_window_count_as_far_as_they_reach_into_it() {
    let points = [(0, 0), (60_000, 60), (120_000, 120)];
    assert_eq!(counted(&[&points], 30_000, 90_000), 60);
    assert_eq!(
        held(&[&[(0, 1), (60_000, 2)]], 30_000, 90_000),
        [(30_000, 60_000, 1), (60_000, 90_000, 2)]
    );
}

#[test]
fn two_replicas_with_two_clocks_are_one_counter() {
    // The second replica's clock is 7 s behind: mixed by time, each of its points is a step back.
    let first: Vec<(i64, i64)> = (0..40).map(|n| (n * 30_000, n * 30)).collect();
    let second: Vec<(i64, i64)> = (0..40).map(|n| (n * 30_000 + 7_000, n * 30)).collect();
    assert_eq!(counted(&[&first, &second], 0, 1_170_000), 1_170);
    // One is down for ten minutes: the other one goes on, and nothing is counted twice.
    let broken: Vec<(i64, i64)> =
        first.iter().copied().filter(|(at, _)| !(300_000..900_000).contains(at)).collect();
    let sum = counted(&[&broken, &second], 0, 1_170_000);
    assert!((1_140..=1_170).contains(&sum), "{sum}");
}

#[test]
fn order_and_repetition_change_nothing() {
    let points = [(0, 5), (30_000, 5), (60_000, 6), (90_000, 5)];
    let sorted = runs(&points);
    let mut mixed = Runs::default();
    for at in [3, 1, 0, 2, 1, 3, 3] {
        mixed.push(points[at].0, points[at].1);
    }
    let disorder = mixed.settle();
    assert_eq!(mixed, sorted);
    assert_eq!((disorder.duplicates, disorder.conflicts), (3, 0));
    let mut twice = runs(&points);
    twice.push(30_000, 4);
    assert_eq!(twice.settle().conflicts, 1);
    assert_eq!(twice, sorted, "the larger value stands");
}

#[test]
fn points_that_do_not_change_take_no_space() {
    let mut runs = Runs::default();
    for n in 0..100_000 {
        runs.push(n * 30_000, 1);
    }
    assert_eq!(runs.pace(), Some(30_000));
    assert_eq!(runs.points().count(), 100_000);
    assert_eq!(format!("{runs:?}").matches("first").count(), 1);
}

#[test]
fn stretches_of_time_add_up() {
    let span = |from, to| Span::new(from, to).unwrap();
    let a = Spans::of(vec![span(0, 10), span(20, 30), span(5, 12)]);
    let b = Spans::of(vec![span(8, 25)]);
    assert_eq!(a.len(), 22);
    assert_eq!(a.and(&b).len() + a.without(&b).len(), a.len());
    assert_eq!(a.or(&b).len(), 30);
    assert!(a.contains(11) && !a.contains(12) && !a.contains(19));
}

proptest! {
    #[test]
    fn any_points_in_any_order_are_kept_without_loss(
        points in prop::collection::btree_map(0_i64..1_000, 0_i64..3, 0..60),
        seed in 0_usize..1_000_000,
    ) {
        let sorted: Vec<(i64, i64)> =
            points.iter().map(|(at, value)| (at * 1_000, *value)).collect();
        let mut mixed = sorted.clone();
        let len = mixed.len().max(1);
        for at in 0..mixed.len() {
            mixed.swap(at, seed * (at + 1) % len);
        }
        let kept: Vec<(i64, i64)> =
            runs(&mixed).points().map(|point| (point.at, point.value)).collect();
        prop_assert_eq!(kept, sorted);
    }

    #[test]
    fn increases_of_parts_sum_to_the_whole(
        steps in prop::collection::vec((1_i64..200, 0_i64..1_000), 2..40), cut in 1_i64..99,
    ) {
        let mut points = Vec::new();
        let (mut at, mut value) = (0, 0);
        for (gap, more) in steps {
            points.push((at, value));
            at += gap * 1_000;
            value += more;
        }
        let end = points[points.len() - 1].0;
        prop_assume!(end > 0);
        let middle = end * cut / 100;
        prop_assume!(0 < middle && middle < end);
        let whole = counted(&[&points], 0, end);
        prop_assert_eq!(
            counted(&[&points], 0, middle) + counted(&[&points], middle, end), whole
        );
    }

    #[test]
    fn replicas_of_one_target_never_count_more_than_it_did(
        gaps in prop::collection::vec(any::<(bool, bool)>(), 4..60), skew in -14_000_i64..14_000,
    ) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (nth, (a, b)) in (0_i64..).zip(&gaps) {
            let at = 1_000_000 + nth * 30_000;
            if *a { first.push((at, nth * 30)); }
            if *b { second.push((at + 15_000 + skew, nth * 30 + 15)); }
        }
        let scrapes = i64::try_from(gaps.len()).unwrap();
        let end = 1_000_000 + scrapes * 30_000 + 60_000;
        let sum = counted(&[&first, &second], 0, end);
        prop_assert!(sum <= scrapes * 30 + 15, "{}", sum);
        prop_assert!(sum >= 0);
    }
}
