//! The laws of single records: what may be in the journal after what, and when a step may be begun.

use super::story::Story;
use super::{Auditor, Law};
use crate::storm::outside::Process;
use farthing_edge::Record;
use farthing_engine::{Body, StepRecord};
use farthing_ledger::Books;
use farthing_model::{Action, Coverage, Mode, Money, Ratio, StepId, Window, WorkloadState};
use jiff::{SignedDuration, Timestamp};

impl Auditor {
    /// A record is in the journal.
    pub(super) fn record(&mut self, process: Process, record: &Record, books: &Books) {
        let body = match Body::read(record) {
            Ok(body) => body,
            Err(error) => return self.hold(Law::ChainHolds, Some(error.to_string())),
        };
        match body {
            Body::Planned(plan) => self.planned(record.at, &plan.steps, false),
            Body::Escalated(rung) => self.planned(record.at, &rung.steps, true),
            Body::Approved { step, approved, .. } => {
                if let Some(story) = self.stories.get(&step) {
                    story.approved = Some(approved);
                }
            }
            Body::Reserved { step, amount, posted_before, .. } => {
                self.reserved((record.at, &step), (&amount, &posted_before), books);
            }
            Body::Intended { step, .. } => self.intended(process, record, &step),
            Body::Receipted { step, at, outcome, .. } => self.receipted(&step, &at, outcome),
            Body::Settled { step, posted } => self.settled(&step, &posted),
            Body::Undone { step, .. } => {
                if let Some(story) = self.stories.get(&step) {
                    story.undone = true;
                }
            }
            Body::Noted { about, text } => {
                // What is put together from several moments may contradict itself: that is what
                // the checker is for.
                let whole = self.desks.get(&process).is_some_and(|desk| desk.of_one_moment);
                let broken = (about == "check" && whole).then(|| text.clone());
                self.hold(Law::CheckerPasses, broken);
                if about == "gap" {
                    self.gap(&text);
                }
            }
            _ => {}
        }
    }

    /// A note of time that was not measured: `... from T to T...`, or `T/T ...`.
    fn gap(&mut self, text: &str) {
        let words = text.split([' ', '/']).map(|word| word.trim_end_matches([',', ';', ':']));
        let times: Vec<Timestamp> = words.filter_map(|word| word.parse().ok()).collect();
        if let [from, to, ..] = times.as_slice()
            && let Ok(window) = Window::new(*from, *to)
        {
            self.told.add(window);
        }
    }

    fn planned(&mut self, at: Timestamp, steps: &[StepRecord], by_rung: bool) {
        for record in steps {
            let step = match record.to_step() {
                Ok(step) => step,
                Err(error) => {
                    let what = format!("step {} is not complete: {error}", record.step);
                    self.hold(Law::StepsAreExact, Some(what));
                    continue;
                }
            };
            let id = step.id.clone();
            let story = Story::new(step, record.clone(), at, by_rung);
            let twice = self.stories.by_id.insert(id.clone(), story).is_some();
            self.hold(Law::OnceEach, twice.then(|| format!("step {id} is planned twice")));
        }
    }

    /// Laws 6 and 8 of a reservation.
    fn reserved(
        &mut self,
        (at, id): (Timestamp, &str),
        (amount, before): (&str, &str),
        books: &Books,
    ) {
        let (Ok(amount), Ok(before)) = (amount.parse::<Money>(), before.parse::<Money>()) else {
            let what = format!("step {id} is reserved for with no amount");
            return self.hold(Law::ReservedFirst, Some(what));
        };
        let Some(story) = self.stories.get(id) else {
            return self.hold(Law::OnceEach, Some(format!("step {id} was never planned")));
        };
        let again = story.reserved.replace(amount).is_some() || story.intended > 0;
        story.posted_before = Some(before);
        let story = story.clone();
        self.hold(Law::OnceEach, again.then(|| format!("step {id} is reserved for twice")));
        let cost = story.step.cost;
        let other =
            (amount != cost).then(|| format!("step {id} costs {cost}, {amount} is set aside"));
        self.hold(Law::ReservedFirst, other);
        if let Err(error) = self.ledger.read(books) {
            return self.hold(Law::BooksVerify, Some(error.to_string()));
        }
        self.posted_before_is_posted(&story);
        self.budget_holds(at, &story);
    }

    fn intended(&mut self, process: Process, record: &Record, id: &str) {
        let Some(story) = self.stories.get(id) else {
            return self.hold(Law::OnceEach, Some(format!("step {id} was never planned")));
        };
        story.intended += 1;
        story.intended_in = record.seq;
        let story = story.clone();
        let twice = (story.intended > 1).then(|| format!("step {id} is begun twice"));
        self.hold(Law::OnceEach, twice);
        let unreserved = story.account().is_some() && story.reserved.is_none();
        let broken = unreserved.then(|| format!("step {id} is begun and nothing is set aside"));
        self.hold(Law::ReservedFirst, broken);
        self.steps_are_exact(process, record.at, &story);
        self.data_is_fresh(process, record.at, &story);
        self.approved_first(&story);
        self.limits_hold(process, record.at, &story);
        if let Ok(id) = StepId::new(id) {
            self.in_flight.insert(id, process);
        }
    }

    /// Law 10.
    fn steps_are_exact(&mut self, process: Process, at: Timestamp, story: &Story) {
        let (step, id) = (&story.step, &story.step.id);
        let again = StepRecord { reasons: story.record.reasons.clone(), ..StepRecord::of(step) };
        let seen = self.desks.get(&process).and_then(|desk| desk.seen.as_ref());
        let planned_now = !story.by_rung && self.config.policy.mode == Mode::Enforce;
        let broken = if again != story.record {
            Some("loses something on its way through the journal")
        } else if step.expires < at {
            Some("is begun after it expired")
        } else if step.reasons.is_empty() {
            Some("says no reason")
        } else {
            match (&step.action, seen) {
                (_, None) => Some("is begun by who has not looked"),
                (Action::Release { node }, Some(seen)) => {
                    let there = seen.nodes.iter().any(|it| it.id == *node);
                    (!there && planned_now).then_some("is on a node that was not seen")
                }
                (action, Some(seen)) => {
                    let target = action.workload().and_then(|id| seen.workload(id));
                    let same = target.is_some_and(|it| it.generation == step.generation);
                    (!same && planned_now).then_some("is on another generation than was seen")
                }
            }
        };
        self.hold(Law::StepsAreExact, broken.map(|what| format!("step {id} {what}")));
    }

    /// Law 7.
    fn data_is_fresh(&mut self, process: Process, at: Timestamp, story: &Story) {
        let limits = self.config.policy.limits;
        let Some(desk) = self.desks.get(&process) else { return };
        let Some(seen) = &desk.seen else { return };
        let oldest = seen.ages.iter().map(|age| at.duration_since(age.as_of)).max();
        let stale = oldest.filter(|age| *age > limits.age_max);
        let under = |coverage: Coverage| {
            let ratio = Ratio::of(coverage.measured_nanos, coverage.expected_nanos);
            ratio.is_some_and(|ratio| ratio < limits.coverage_min)
        };
        let id = &story.step.id;
        let broken = if let Some(age) = stale {
            Some(format!("step {id} is begun on data {} s old", age.as_secs()))
        } else if under(seen.coverage) || under(desk.measured) {
            let (seen, measured) = (seen.coverage, desk.measured);
            Some(format!("step {id} is begun with {seen:?} seen and {measured:?} measured"))
        } else {
            None
        };
        self.hold(Law::DataIsFresh, broken);
    }

    fn approved_first(&mut self, story: &Story) {
        let asks = self.config.policy.mode == Mode::Approve;
        let broken = match (self.config.policy.mode, story.approved) {
            (Mode::Observe | Mode::Recommend, _) => Some("is begun where nothing is to be done"),
            (_, Some(false)) => Some("was refused by a person, and is begun"),
            (_, said) if asks && said != Some(true) => Some("was approved by nobody"),
            _ => None,
        };
        let broken = broken.map(|what| format!("step {} {what}", story.step.id));
        self.hold(Law::ApprovedFirst, broken);
    }

    /// Law 9, for any 60 minutes up to this moment and for the tick so far.
    fn limits_hold(&mut self, process: Process, at: Timestamp, story: &Story) {
        self.begun.push(at);
        let limits = self.config.policy.limits;
        let hour = SignedDuration::from_hours(1);
        let in_hour = |other: &&Timestamp| **other <= at && at.duration_since(**other) < hour;
        let begun = self.begun.iter().rev().filter(in_hour).count();
        let most = usize::try_from(limits.steps_per_hour).unwrap_or(usize::MAX);
        let desk = self.desks.entry(process).or_default();
        desk.nodes.push(story.step.action.nodes());
        let touched: u32 = desk.nodes.iter().sum();
        let alone = desk.nodes.iter().filter(|nodes| **nodes > 0).count() <= 1;
        let broken = if begun > most {
            Some(format!("{begun} steps in the hour before {at}, the limit is {most}"))
        } else if touched > limits.nodes_per_tick && !alone {
            let most = limits.nodes_per_tick;
            Some(format!("{touched} nodes in one tick, the limit is {most}"))
        } else {
            None
        };
        self.hold(Law::LimitsHold, broken);
    }

    fn receipted(&mut self, id: &str, at: &str, outcome: String) {
        let at = at.parse().unwrap_or(self.now);
        let Some(story) = self.stories.get(id) else {
            return self.hold(Law::OnceEach, Some(format!("step {id} was never planned")));
        };
        story.outcomes.push((outcome, at));
        let broken = if story.outcomes.len() > 1 {
            Some(format!("step {id} has the outcomes {:?}", story.outcomes))
        } else if story.intended == 0 {
            let refused = !story.is_done();
            (!refused).then(|| format!("step {id} has an outcome and no intent"))
        } else {
            None
        };
        self.hold(Law::OnceEach, broken);
    }

    fn settled(&mut self, id: &str, posted: &str) {
        let Some(story) = self.stories.get(id) else {
            return self.hold(Law::OnceEach, Some(format!("step {id} was never planned")));
        };
        let early = !story.is_done();
        let twice = match posted.parse::<Money>() {
            Ok(posted) => story.settled.replace(posted).is_some(),
            Err(_) => true,
        };
        let broken = if twice {
            Some(format!("step {id} is settled twice"))
        } else {
            early.then(|| format!("step {id} is settled and did not happen"))
        };
        self.hold(Law::OnceEach, broken);
        let ended = self.stories.get(id).cloned();
        if let Some(story) = ended.filter(|_| !self.closing) {
            self.ends.push(story);
        }
    }

    /// Whether what a step started is where it was started, by what somebody saw.
    pub(super) fn goes_on(story: &Story, state: Option<&WorkloadState>) -> bool {
        let Some((_, offer)) = story.account() else { return false };
        matches!(state, Some(WorkloadState::Placed(there))
            if there.iter().any(|there| there.offer == offer))
    }
}
