//! A day of work on a real API server, without and with Farthing: what it saves is what it said,
//! deadlines are kept, and all of it can be taken back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod day;

use day::table::{sums, text};
use farthing_engine::Cause;
use farthing_model::Ratio;

/// Half an hour is left at most of what may be over a budget.
const LIMIT: &str = "40 USD";

#[test]
fn a_day_costs_less_keeps_its_deadlines_and_can_be_taken_back() {
    let mut tell = |line: &str| println!("{line}");
    let Some(without) = day::live(false, &mut tell) else { return };
    let with = day::live(true, &mut tell).unwrap();
    println!("{}", text(&without, &with));
    // Plain Kubernetes: nothing is done, and a deadline is missed for a node that is sick.
    assert!(without.steps.is_empty() && without.verified.is_empty());
    assert!(!without.deadlines["train"], "the sick node holds it until somebody comes");
    assert!(
        without.teams["vision"].pico() > LIMIT.parse::<farthing_model::Money>().unwrap().pico()
    );
    // With Farthing: less is paid, by the ledger, and all deadlines are kept.
    let saved = without.paid.checked_sub(with.paid).unwrap();
    let part = Ratio::of(saved.pico(), without.paid.pico()).unwrap();
    assert!(part >= Ratio::from_ppm(200_000), "{part} saved");
    assert!(with.deadlines.values().all(|kept| *kept), "{:?}", with.deadlines);
    assert!(with.teams["vision"].pico() <= LIMIT.parse::<farthing_model::Money>().unwrap().pico());
    // Each kind of step was done, and brought what it said, within a twentieth.
    for cause in [Cause::Replicas, Cause::Idle, Cause::Sick] {
        let (predicted, realised) = sums(&with, Some(cause));
        let off = predicted.checked_sub(realised).unwrap().pico().abs();
        let of = |it: &farthing_model::Money| it.rounded(4);
        assert!(predicted.pico() > 0, "{cause:?} saved nothing");
        assert!(off * 20 <= predicted.pico(), "{cause:?}: {} {}", of(&predicted), of(&realised));
    }
    // One device of two that does nothing is no reason.
    assert!(!with.steps.iter().any(|step| step.contains("research/half")), "{:?}", with.steps);
    // Nothing of it stays.
    assert!(with.undone >= 3, "{} steps were in force at the end", with.undone);
    assert_eq!(with.changed, Vec::<String>::new(), "byte for byte");
}
