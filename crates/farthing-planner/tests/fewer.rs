//! What a service carries with fewer replicas: known numbers, and every way to take replicas away.

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use farthing_model::{Assignment, Observed, Offer, Ratio, Sizing, WorkloadKind, WorkloadState};
use farthing_planner::{Fewer, Input, fewer_replicas};
use support::{input, offer, seen, service, span, workload};

/// A service of 90 requests a second on so many replicas of each of these kinds.
fn scene(shares: &[&str], rows: &[(&str, &[&str])], stands: &[(usize, u32)], least: u32) -> Input {
    let offers: Vec<Offer> = ["A100-80GB", "L4-24GB"]
        .iter()
        .zip(["4", "1"])
        .map(|(kind, price)| offer(kind, Some(kind), 1, price))
        .collect();
    let mut it = service("90", shares, rows);
    it.replicas_min = least;
    // All of a replica may be used.
    it.sizing = Sizing { target: Some(Ratio::ONE), ..Sizing::default() };
    let mut observed: Observed = seen(workload("chat", "100", WorkloadKind::Service(it)));
    let there = stands.iter().map(|(kind, members)| Assignment {
        offer: offers[*kind].id.clone(),
        members: *members,
        nodes_each: 1,
        window: span(0, 60),
    });
    observed.state = WorkloadState::Placed(there.collect());
    input(60, offers, vec![observed])
}

fn fewer(input: &Input) -> (Ratio, Vec<Fewer>) {
    fewer_replicas(input, &"chat".parse().unwrap()).unwrap().unwrap()
}

fn ppm(parts: i128, whole: i128) -> u32 {
    u32::try_from(parts * 1_000_000 / whole).unwrap()
}

#[test]
fn one_kind_carries_in_proportion_down_to_the_fewest() {
    let input = scene(&["1"], &[("A100-80GB", &["10"])], &[(0, 10)], 3);
    let (now, steps) = fewer(&input);
    assert_eq!(now, Ratio::ONE);
    let rows: Vec<_> = steps.iter().map(|it| (it.gone[0].to, it.carried.ppm())).collect();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [9, 8, 7, 6, 5, 4, 3]);
    for (to, carried) in rows {
        let exact = ppm(i128::from(to) * 10, 90).min(1_000_000);
        assert!(exact.abs_diff(carried) <= 1, "{to}: {carried} and not {exact}");
    }
    // The first had room to spare: nothing is lost with it.
    assert_eq!(steps[0].gone[0].unserved, Ratio::ZERO);
    let lost = steps.last().unwrap().gone[0].unserved.ppm();
    assert!(lost.abs_diff(ppm(60, 90)) <= 2, "{lost}");
    // Never to nothing, also where the manifest would allow it.
    let input = scene(&["1"], &[("A100-80GB", &["10"])], &[(0, 2)], 0);
    assert_eq!(fewer(&input).1.last().unwrap().gone[0].to, 1);
}

#[test]
fn of_two_kinds_the_one_goes_that_carries_the_least_for_its_price() {
    // An A100 carries 10 of the small and 5 of the large for 4 USD, an L4 4 of the small for 1.
    let rows: &[(&str, &[&str])] = &[("A100-80GB", &["10", "5"]), ("L4-24GB", &["4", "0"])];
    let input = scene(&["0.5", "0.5"], rows, &[(0, 10), (1, 10)], 1);
    let (now, steps) = fewer(&input);
    // 45 small want 11.25 L4 and 45 large 9 A100: one A100 takes the 5 small that are left.
    assert_eq!(now, Ratio::ONE);
    for step in &steps {
        let left = |name: &str| {
            let gone = step.gone.iter().find(|it| it.offer.as_str() == name);
            i128::from(gone.map_or(10, |gone| gone.to))
        };
        let (a, l) = (left("A100-80GB"), left("L4-24GB"));
        // A part x of all: x 45 / 5 A100 for the large, the rest of them and the L4 for the small.
        let both = ppm(10 * a + 4 * l, 45 + 2 * 45);
        let large = ppm(5 * a, 45);
        let exact = both.min(large).min(1_000_000);
        assert!(exact.abs_diff(step.carried.ppm()) <= 2, "{step:?}: {exact}");
        let lost: u32 = step.gone.iter().map(|gone| gone.unserved.ppm()).sum();
        assert_eq!(lost, 1_000_000 - step.carried.ppm());
    }
    assert_eq!(steps.len(), 19);
}

#[test]
fn what_cannot_be_known_is_not_said() {
    let name = "chat".parse().unwrap();
    // It has no more than it must have.
    let input = scene(&["1"], &[("A100-80GB", &["10"])], &[(0, 3)], 3);
    assert_eq!(fewer_replicas(&input, &name).unwrap(), None);
    // Nobody measured what it carries there.
    let input = scene(&["1"], &[("A100-80GB", &["10"])], &[(1, 3)], 1);
    assert_eq!(fewer_replicas(&input, &name).unwrap(), None);
    // Very many go several at once.
    let input = scene(&["1"], &[("A100-80GB", &["0.05"])], &[(0, 1_000)], 1);
    let (now, steps) = fewer(&input);
    assert!(steps.len() <= 65 && steps.last().unwrap().gone[0].to == 1, "{}", steps.len());
    assert!(now.ppm().abs_diff(ppm(50, 90)) <= 1);
}
