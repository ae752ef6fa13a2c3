//! The planner's laws on random cases: the same answer twice (1), nothing to do after what was
//! planned is done (2), and nothing for the checker to find (4).

// A test that cannot go on fails: that is what a panic is here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use farthing_model::{Action, WorkloadState};
use farthing_planner::{HeldBack, Input, Planned, Violation, check, plan, reference};
use support::cases::{Dice, medium, overnight, serving, small};
use support::{dec, minutes, world::after};

fn sound(input: &Input, what: &str) -> Planned {
    let planned = plan(input).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found: Vec<String> = check(input, &planned).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{what}: {found:#?}");
    planned
}

/// Runs all cases, so that a failure names every case that fails.
fn each(cases: impl IntoIterator<Item = (String, Input)>, law: impl Fn(&Input, &str)) {
    let mut failed: Vec<String> = Vec::new();
    for (what, input) in cases {
        let run = std::panic::AssertUnwindSafe(|| law(&input, &what));
        if let Err(cause) = std::panic::catch_unwind(run) {
            let text = cause.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("{what}: {}", text.lines().take(3).collect::<Vec<_>>().join(" ")));
        }
    }
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed.join("\n"));
}

fn laws(input: &Input, what: &str) {
    let planned = sound(input, what);
    let again = plan(&input.clone()).unwrap();
    assert_eq!(format!("{planned:?}"), format!("{again:?}"), "{what}: another plan");
    let next = after(input, &planned);
    let settled = sound(&next, &format!("{what}, after it was done"));
    assert_eq!(settled.plan.steps, [], "{what}: more to do after it was done");
    assert!(settled.report.placements.iter().all(|at| at.stays || at.offer.is_none()), "{what}");
    // A step saves what the reference would pay for the same, and never more.
    let known = reference(input).unwrap();
    for step in &planned.plan.steps {
        let of = step.action.workload().and_then(|id| known.get(id));
        let most = of.map_or(i128::MAX, |money| money.pico());
        assert!(step.saving.pico() <= most, "{what}: {step:?} saves more than there was to pay");
    }
}

/// A service that a ladder took replicas from keeps what it has, or less, whatever is asked of it,
/// and the checker finds a plan that lets it grow.
fn held_back(input: &Input, what: &str) {
    let mut next = after(input, &sound(input, what));
    let mut grown = false;
    for observed in &mut next.snapshot.workloads {
        if observed.workload.service().is_none() {
            continue;
        }
        let rate = observed.workload.service().unwrap().requests.rate_per_s.nano();
        observed.demand_per_s = Some(farthing_model::Decimal::from_nano(rate * 3));
        let budget = "red".parse().unwrap();
        next.held.push(HeldBack { workload: observed.workload.id.clone(), budget });
    }
    let held = sound(&next, &format!("{what}, held back"));
    for step in &held.plan.steps {
        if let Action::Scale { workload, from, to, .. } = &step.action {
            let stands = next.snapshot.workload(workload).unwrap();
            let placed = matches!(&stands.state, WorkloadState::Placed(there) if !there.is_empty());
            assert!(to < from || !placed, "{what}: {step:?}");
        }
    }
    // The same plan without the hold, as the answer to the input with it.
    let free = plan(&Input { held: Vec::new(), ..next.clone() }).unwrap();
    for step in &free.plan.steps {
        if let Action::Scale { workload, from, to, .. } = &step.action {
            let stands = next.snapshot.workload(workload).unwrap();
            grown |= to > from && matches!(stands.state, WorkloadState::Placed(_));
        }
    }
    let found = check(&next, &free);
    let says = found.iter().any(|found| matches!(found, Violation::Grown { .. }));
    assert_eq!(says, grown, "{what}: {found:?}");
}

#[test]
fn what_a_ladder_took_does_not_grow() {
    each((0..120).map(|seed| (format!("serving {seed}"), serving(seed))), held_back);
}

#[test]
fn small_cases() {
    each((0..300).map(|seed| (format!("small {seed}"), small(seed))), laws);
}

#[test]
fn services() {
    each((0..200).map(|seed| (format!("serving {seed}"), serving(seed))), laws);
}

#[test]
fn medium_cases() {
    each((0..60).map(|seed| (format!("medium {seed}"), medium(seed))), laws);
}

/// Law 4 for the day after the one that budgets are in.
#[test]
fn overnight_cases() {
    each((0..100).map(|seed| (format!("small {seed}"), overnight(small(seed)))), laws);
    each((0..80).map(|seed| (format!("serving {seed}"), overnight(serving(seed)))), laws);
    each((0..40).map(|seed| (format!("medium {seed}"), overnight(medium(seed)))), laws);
}

/// Law 2: an end of what was just placed is no new moment to start at; the second member of
/// `job-2` waits in the first plan and must still wait in the second.
#[test]
fn small_46_places_nobody_at_the_end_of_what_it_placed() {
    laws(&small(46), "small 46");
}

/// Law 2: the service was once said to wait for capacity that the next plan found.
#[test]
fn medium_12_serves_at_once_what_it_can_serve() {
    laws(&medium(12), "medium 12");
}

/// Some steps were done, some not, and demand has changed since.
fn half_done(seed: u64) {
    let input = if seed.is_multiple_of(3) { medium(seed) } else { serving(seed) };
    let mut dice = Dice::new(seed ^ 0x4a1f);
    let mut planned = sound(&input, &format!("half done {seed}, before"));
    // A plan that is cut short is no longer what its report says, but the world is as real.
    planned.plan.steps.retain(|_| dice.chance(60));
    let mut next = after(&input, &planned);
    for observed in &mut next.snapshot.workloads {
        if observed.workload.service().is_some() && dice.chance(50) {
            observed.demand_per_s = Some(dec(&dice.from(1, 6).to_string()));
        }
        if observed.state == WorkloadState::Waiting && dice.chance(10) {
            observed.state = WorkloadState::Suspended;
        }
    }
    sound(&next, &format!("half done {seed}"));
}

#[test]
fn half_done_worlds() {
    let cases = (0..150).map(|seed| (seed.to_string(), small(0)));
    each(cases, |_, seed| half_done(seed.parse().unwrap()));
}

/// The solver once had no answer here: then the plan must do with what it has.
#[test]
fn half_done_109_has_an_answer() {
    half_done(109);
}

/// Time goes on for 45 minutes: some run, some have ended, some are still to start.
#[test]
fn later_plans_go_on_from_where_the_world_is() {
    each((0..80).map(|seed| (format!("later {seed}"), medium(seed))), |input, what| {
        let planned = sound(input, what);
        let mut next = after(input, &planned);
        let at = input.snapshot.at.checked_add(minutes(45)).unwrap();
        next.snapshot.at = at;
        next.horizon = farthing_model::Window::new(at, input.horizon.to()).unwrap();
        sound(&next, what);
    });
}
