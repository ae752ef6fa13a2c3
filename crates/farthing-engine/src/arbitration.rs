//! Where proposals of several decisions meet: the plan's, those of ladders, and what is taken back
//! from what runs. The planner's arbiter chooses, and the losers are held with why.
//!
//! Steps of one decision on one workload are one proposal: a service that moves grows on one offer
//! and shrinks on another, or does neither. Start at [`excluded`].

use crate::error::EngineError;
use crate::journal::OpenStep;
use farthing_model::{Action, Currency, Money, StepId};
use farthing_planner::{Arbitration, Duty, Lost, Proposal, Target, arbitrate};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Another proposal has to bring more by this part of what one brings that stands already.
const KEEPS_OF: i128 = 20;

/// Steps of one decision on one thing.
type Bundle<'a> = ((&'static str, Target), Vec<&'a OpenStep>);

/// Of steps that could be done now, those that others exclude, each with why.
pub(crate) fn excluded(
    steps: &[OpenStep],
    currency: Currency,
    now: Timestamp,
) -> Result<BTreeMap<StepId, String>, EngineError> {
    let mut bundles: BTreeMap<(&'static str, Target), Vec<&OpenStep>> = BTreeMap::new();
    // An expired step is never done: it is in nobody's way.
    for open in steps.iter().filter(|open| now <= open.step.expires) {
        let Some(target) = target(&open.step.action) else { continue };
        bundles.entry((decision(open), target)).or_default().push(open);
    }
    let bundles: Vec<Bundle<'_>> = bundles.into_iter().collect();
    let proposals: Result<Vec<Proposal>, EngineError> =
        bundles.iter().map(|bundle| proposal(bundle, currency, now)).collect();
    let proposals = proposals?;
    let asked = Arbitration { proposals: &proposals, limits: &[], currency };
    let made = arbitrate(&asked).map_err(EngineError::Plan)?;
    let mut excluded = BTreeMap::new();
    // What brings nothing is the guardrails' to judge: it is in nobody's way.
    for (at, lost) in made.lost.iter().filter(|(_, lost)| matches!(lost, Lost::To { .. })) {
        let why = asked.reason(lost);
        excluded.extend(bundles[*at].1.iter().map(|open| (open.step.id.clone(), why.clone())));
    }
    Ok(excluded)
}

fn proposal(
    ((decision, target), steps): &Bundle<'_>,
    currency: Currency,
    now: Timestamp,
) -> Result<Proposal, EngineError> {
    let saving = steps.iter().map(|open| open.step.saving);
    let brings = saving.into_iter().try_fold(Money::zero(currency), Money::checked_add);
    let brings = brings.map_err(EngineError::Money)?;
    let stands = steps.iter().all(|open| open.proposed < now);
    let keeps = if stands { brings.pico().max(0) / KEEPS_OF } else { 0 };
    Ok(Proposal {
        name: name(steps),
        decision,
        duty: steps.iter().map(|open| duty(open)).max().unwrap_or(Duty::Saving),
        brings,
        keeps: Money::from_pico(keeps, currency),
        targets: [target.clone()].into(),
        needs: Vec::new(),
        takes: Vec::new(),
    })
}

/// Steps of a proposal, for people.
fn name(steps: &[&OpenStep]) -> String {
    let names: Vec<&str> = steps.iter().map(|open| open.step.id.as_str()).collect();
    let word = if names.len() == 1 { "step" } else { "steps" };
    format!("{word} {}", names.join(", "))
}

/// What one step disposes of.
fn target(action: &Action) -> Option<Target> {
    match action {
        Action::Release { node } => Some(Target::Node(node.clone())),
        Action::Buy { .. } => None,
        other => other.workload().cloned().map(Target::Workload),
    }
}

/// Whose proposal a step is.
fn decision(open: &OpenStep) -> &'static str {
    match (&open.ladder, open.reclaim, &open.step.action) {
        (Some(_), ..) => "budget",
        (_, Some(cause), _) => cause.name(),
        (_, _, Action::Release { .. }) => "idle nodes",
        (_, _, Action::Scale { .. }) => "serving",
        _ => "fleet",
    }
}

fn duty(open: &OpenStep) -> Duty {
    if open.approved == Some(true) {
        return Duty::Approved;
    }
    match (&open.ladder, open.reclaim, &open.step.action) {
        (Some(_), ..) => Duty::Limit,
        (_, Some(_), _) | (_, _, Action::Release { .. }) => Duty::Saving,
        _ => Duty::Work,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Ladder, Stage};
    use crate::reclaim_record::Cause;
    use farthing_model::{BudgetId, Mode, OfferId, Ratio, Step, Window, WorkloadId};
    use jiff::SignedDuration;

    fn at(minute: i64) -> Timestamp {
        let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        midnight + SignedDuration::from_mins(minute)
    }

    fn usd(cents: i128) -> Money {
        Money::from_pico(cents * 10_000_000_000, Currency::USD)
    }

    fn open(id: &str, action: Action, cents: i128) -> OpenStep {
        let step = Step {
            id: StepId::new(id).unwrap(),
            action,
            generation: 1,
            cost: usd(0),
            saving: usd(cents),
            reasons: Vec::new(),
            expires: at(60),
        };
        OpenStep::proposed(step, at(10))
    }

    fn web() -> WorkloadId {
        WorkloadId::new("web").unwrap()
    }

    fn scale(offer: &str, from: u32, to: u32) -> Action {
        let (offer, window) = (OfferId::new(offer).unwrap(), Window::new(at(0), at(60)).unwrap());
        Action::Scale { workload: web(), offer, from, to, nodes_each: 1, window }
    }

    fn of_ladder(step: OpenStep) -> OpenStep {
        let ladder = Ladder {
            budget: BudgetId::new("all").unwrap(),
            at: Ratio::ONE,
            mode: Mode::Enforce,
            gpu_frees_milli: None,
        };
        OpenStep { ladder: Some(ladder), ..step }
    }

    fn idle(step: OpenStep) -> OpenStep {
        OpenStep { reclaim: Some(Cause::Replicas), ..step }
    }

    fn lost(steps: &[OpenStep]) -> Vec<(String, String)> {
        let lost = excluded(steps, Currency::USD, at(10)).unwrap();
        lost.into_iter().map(|(id, why)| (id.to_string(), why)).collect()
    }

    /// The plan moves a service from one offer to another, what runs is taken back, and a budget
    /// is over: the budget wins, and all others are told by its step.
    #[test]
    fn a_ladder_wins_over_a_plan_and_over_what_is_taken_back() {
        let grows = open("p1-1", scale("new", 0, 3), 900);
        let shrinks = open("p1-2", scale("old", 4, 0), 0);
        let replicas = idle(open("r5-1", scale("old", 4, 2), 5_000));
        let cut = of_ladder(open("l7-1", scale("old", 4, 1), 10));
        let all = [grows.clone(), shrinks.clone(), replicas.clone(), cut];
        let why = "web goes to step l7-1 (budget), which comes before money".to_owned();
        let told = |id: &str| (id.to_owned(), why.clone());
        assert_eq!(lost(&all), [told("p1-1"), told("p1-2"), told("r5-1")]);
        // Without it the plan, whole: work that was asked for.
        let why = "web goes to steps p1-1, p1-2 (serving), which comes before money";
        assert_eq!(lost(&all[..3]), [("r5-1".to_owned(), why.to_owned())]);
        // What a person approved comes first.
        let approved = OpenStep { approved: Some(true), ..replicas };
        let ids: Vec<String> =
            lost(&[grows, shrinks, approved]).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["p1-1", "p1-2"]);
    }

    #[test]
    fn steps_on_different_things_and_expired_ones_are_in_nobodys_way() {
        let release =
            |node: &str| Action::Release { node: farthing_model::NodeId::new(node).unwrap() };
        let mut expired = of_ladder(open("l1-1", scale("old", 4, 1), 10));
        expired.step.expires = at(9);
        let all = [
            open("p1-1", release("a"), 5),
            open("p1-2", release("b"), 0),
            open("p1-3", scale("old", 1, 4), 0),
            expired,
        ];
        assert!(all.iter().all(|it| it.stage == Stage::Proposed));
        assert_eq!(lost(&all), []);
    }

    /// Two that bring nearly the same do not take turns: the one that stood first stays, until the
    /// other brings more by a twentieth.
    #[test]
    fn what_stands_stays_until_something_notably_better_comes() {
        let node = || Action::Release { node: farthing_model::NodeId::new("n").unwrap() };
        let sick = |cents| OpenStep { reclaim: Some(Cause::Sick), ..open("r9-1", node(), cents) };
        let stood = OpenStep { proposed: at(5), ..open("p1-1", node(), 1_000) };
        let loser = |cents| lost(&[stood.clone(), sick(cents)])[0].0.clone();
        assert_eq!([loser(900), loser(1_040), loser(1_060)], ["r9-1", "r9-1", "p1-1"]);
    }
}
