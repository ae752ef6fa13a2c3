//! Law 8, from what a run leaves: each step that was begun happened exactly once or provably never,
//! no reservation is open for a step that ended, nothing that was intended is forgotten, and the
//! books are what the world cost. It reads the journal, the books and the world's own log, and
//! folds them by itself: the engine is only asked what it believes is open.

use super::{Parts, SharedWorld};
use farthing_edge::{Head, Record, chain};
use farthing_engine::{Body, Open, Stage};
use farthing_model::{
    Action, Money, OfferId, Snapshot, Step, StepId, Window, WorkloadId, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What a run left.
#[derive(Debug)]
pub(crate) struct Left<'a> {
    pub(crate) parts: &'a Parts,
    /// What an engine that is opened on it believes is open.
    pub(crate) open: &'a Open,
    /// The world as the last tick saw it.
    pub(crate) seen: &'a Snapshot,
    /// The end of what was measured.
    pub(crate) measured_to: Timestamp,
    /// Whether the world is without noise, so that what was seen is how it was.
    pub(crate) exact: bool,
}

/// All that the journal says of one step.
#[derive(Clone, Debug)]
struct Story {
    step: Step,
    proposed: Timestamp,
    reserved: Option<Money>,
    intended: u32,
    /// Outcomes and when the world says that they were.
    outcomes: Vec<(String, Timestamp)>,
    settled: Option<Money>,
}

impl Story {
    fn is_done(&self) -> bool {
        self.outcomes.iter().any(|(outcome, _)| outcome == "done" || outcome == "already-done")
    }

    fn happened(&self) -> Option<Timestamp> {
        self.outcomes.first().filter(|_| self.is_done()).map(|(_, at)| *at)
    }

    fn is_in_force(&self) -> bool {
        self.is_done() && self.settled.is_none()
    }

    fn account(&self) -> Option<(WorkloadId, OfferId)> {
        match &self.step.action {
            Action::Start { workload, offer, .. } | Action::Scale { workload, offer, .. } => {
                Some((workload.clone(), offer.clone()))
            }
            _ => None,
        }
    }
}

/// The stories of all steps, and what is wrong with the order in which they are told.
#[derive(Debug, Default)]
struct Stories {
    by_id: BTreeMap<String, Story>,
    faults: Vec<String>,
}

impl Stories {
    fn by(records: &[Record]) -> Self {
        let mut stories = Self::default();
        for record in records {
            let body = Body::read(record).expect("the journal is readable");
            stories.tell(record.at, body);
        }
        stories
    }

    fn tell(&mut self, at: Timestamp, body: Body) {
        match body {
            Body::Planned(plan) => {
                let begun = |story: &Story| story.intended > 0 && story.outcomes.is_empty();
                for (id, _) in self.by_id.iter().filter(|(_, story)| begun(story)) {
                    self.faults.push(format!("step {id} is not resolved before it is planned on"));
                }
                for record in &plan.steps {
                    let step = record.to_step().expect("a complete step");
                    let (outcomes, proposed) = (Vec::new(), at);
                    let story = Story {
                        step,
                        proposed,
                        reserved: None,
                        intended: 0,
                        outcomes,
                        settled: None,
                    };
                    if self.by_id.insert(record.step.clone(), story).is_some() {
                        self.faults.push(format!("step {} is planned twice", record.step));
                    }
                }
            }
            Body::Reserved { step, amount, .. } => self.with(&step, |story| {
                let amount: Money = amount.parse().unwrap();
                let again = story.reserved.replace(amount).is_some() || story.intended > 0;
                let other = amount != story.step.cost;
                [(again, "is reserved for twice"), (other, "reserves another amount than it costs")]
            }),
            Body::Intended { step, .. } => self.with(&step, |story| {
                story.intended += 1;
                let unreserved = story.account().is_some() && story.reserved.is_none();
                [
                    (story.intended > 1, "is begun twice"),
                    (unreserved, "is begun without a reservation"),
                ]
            }),
            Body::Receipted { step, at, outcome, .. } => self.with(&step, |story| {
                story.outcomes.push((outcome, at.parse().unwrap()));
                let twice = story.outcomes.len() > 1;
                [(twice, "has two outcomes"), (story.intended == 0, "has an outcome and no intent")]
            }),
            Body::Settled { step, posted } => self.with(&step, |story| {
                let early = !story.is_done();
                let twice = story.settled.replace(posted.parse().unwrap()).is_some();
                [(twice, "is settled twice"), (early, "is settled and did not happen")]
            }),
            // Law 4, in whatever state a crash left things too.
            Body::Noted { about, text } if about == "check" => {
                self.faults.push(format!("law 4: {text}"));
            }
            _ => {}
        }
    }

    fn with(&mut self, id: &str, change: impl FnOnce(&mut Story) -> [(bool, &'static str); 2]) {
        let Some(story) = self.by_id.get_mut(id) else {
            return self.faults.push(format!("step {id} was never planned"));
        };
        let wrong = change(story).into_iter().filter(|(wrong, _)| *wrong);
        self.faults.extend(wrong.map(|(_, what)| format!("step {id} {what}")));
    }
}

/// Actions, and when they were.
pub(crate) type Actions = Vec<(Timestamp, String)>;

/// What was done and what was begun and not done, with no word on what steps are called.
pub(crate) fn actions(records: &[Record]) -> (Actions, Actions) {
    let (mut done, mut undone) = (Vec::new(), Vec::new());
    for story in Stories::by(records).by_id.values() {
        let kind = if story.is_done() { &mut done } else { &mut undone };
        let action = |(_, at): &(String, Timestamp)| (*at, format!("{:?}", story.step.action));
        kind.extend(story.outcomes.first().map(action));
    }
    done.sort();
    undone.sort();
    (done, undone)
}

/// What breaks law 8 in what a run left; nothing where it holds.
pub(crate) fn faults(left: &Left<'_>) -> Vec<String> {
    let records = left.parts.store.since(0);
    if let Err(error) = chain::verify(&Head::GENESIS, &records) {
        return vec![format!("the chain does not hold: {error}")];
    }
    let Stories { by_id, mut faults } = Stories::by(&records);
    once_or_never(&by_id, &left.parts.world, &mut faults);
    nothing_stays_open(&by_id, left, &mut faults);
    believed(&by_id, left.open, &mut faults);
    posted_once(&by_id, left.parts, &mut faults);
    books(&records, left, &mut faults);
    faults
}

/// Each step that was begun has one outcome, and the world did those that are said to be done, each
/// once and at the moment that is written down, and no others.
fn once_or_never(stories: &BTreeMap<String, Story>, world: &SharedWorld, faults: &mut Vec<String>) {
    let mut did: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for (at, id) in world.did_at() {
        did.entry(id).or_default().push(at);
    }
    for (id, story) in stories {
        let times = did.remove(id).unwrap_or_default();
        if story.intended > 0 && story.outcomes.is_empty() {
            faults.push(format!("step {id} is intended and forgotten"));
        }
        let said: Vec<Timestamp> = story.happened().into_iter().collect();
        if times != said {
            faults.push(format!("step {id} happened at {times:?}, and is said to at {said:?}"));
        }
        if story.reserved.is_some() && story.intended == 0 {
            faults.push(format!("step {id} is reserved for and was never begun"));
        }
    }
    faults.extend(did.keys().map(|id| format!("step {id} happened, and nobody planned it")));
}

/// A step is settled when what it began has ended, and not before.
fn nothing_stays_open(
    stories: &BTreeMap<String, Story>,
    left: &Left<'_>,
    faults: &mut Vec<String>,
) {
    for (id, story) in stories.iter().filter(|(_, story)| story.is_done()) {
        let here = |snapshot: &Snapshot| match (&story.step.action, story.account()) {
            (Action::Start { .. }, Some((workload, offer))) => {
                let state = snapshot.workload(&workload).map(|seen| &seen.state);
                matches!(state, Some(WorkloadState::Placed(there))
                    if there.iter().any(|there| there.offer == offer))
            }
            (Action::Scale { window, .. }, _) => {
                snapshot.at < window.to() && !is_superseded(story, stories, snapshot.at)
            }
            (Action::Release { .. }, _) => {
                let promised = story.proposed.checked_add(left.parts.config.horizon);
                promised.is_ok_and(|until| snapshot.at < until)
            }
            _ => false,
        };
        // What was done in the last tick was done after it had looked.
        let before = story.happened().is_some_and(|at| at < left.seen.at);
        if before && story.is_in_force() && !here(left.seen) {
            faults.push(format!("step {id} ended, and its reservation is open"));
        }
        let again = stories
            .values()
            .any(|other| other.account() == story.account() && other.happened() > story.happened());
        if left.exact && story.settled.is_some() && !again && here(left.seen) {
            faults.push(format!("step {id} is settled, and what it began goes on"));
        }
    }
}

/// Whether a later step sets the replicas of the same service on the same offer.
fn is_superseded(story: &Story, stories: &BTreeMap<String, Story>, now: Timestamp) -> bool {
    stories.values().any(|other| {
        other.account() == story.account()
            && other.happened() > story.happened()
            && other.happened() <= Some(now)
    })
}

/// The engine believes open what is open, with what is set aside for it.
fn believed(stories: &BTreeMap<String, Story>, open: &Open, faults: &mut Vec<String>) {
    let mut believed: BTreeMap<&StepId, _> =
        open.steps.iter().filter(|(_, open)| open.stage != Stage::Proposed).collect();
    for (id, story) in stories.iter().filter(|(_, story)| story.is_in_force()) {
        let open = believed.remove(&story.step.id);
        let same = open.is_some_and(|open| {
            let since = story.happened().map(Stage::InForce);
            Some(&open.stage) == since.as_ref() && open.reserved == story.reserved
        });
        if !same {
            faults.push(format!("step {id} is in force, and the engine has {open:?}"));
        }
    }
    faults.extend(believed.keys().map(|id| format!("step {id} is over, and the engine has it")));
}

/// What is posted for a workload on an offer is settled once: no step takes another's.
fn posted_once(stories: &BTreeMap<String, Story>, parts: &Parts, faults: &mut Vec<String>) {
    let mut settled: BTreeMap<(WorkloadId, OfferId), (i128, bool)> = BTreeMap::new();
    for story in stories.values().filter(|story| story.is_done()) {
        let Some(account) = story.account() else { continue };
        let sum = settled.entry(account).or_insert((0, true));
        sum.0 += story.settled.map_or(0, Money::pico);
        sum.1 &= story.settled.is_some();
    }
    let posted = parts.posted();
    for ((workload, offer), (sum, all)) in settled {
        let is = posted.get(&(workload.clone(), offer.clone())).copied().unwrap_or(0);
        if sum > is || (all && sum != is) {
            faults.push(format!("{workload} on {offer}: {sum} is settled of {is} posted"));
        }
    }
}

/// The books conserve and hold what the nodes of the world cost from the first record to the end
/// of what was measured, and nothing before and after.
fn books(records: &[Record], left: &Left<'_>, faults: &mut Vec<String>) {
    let parts = left.parts;
    let check = farthing_ledger::verify(&parts.books, &parts.config.cluster).unwrap();
    if !check.ok || !check.unposted.is_empty() {
        faults.push(format!("the ledger does not verify: {check:?}"));
    }
    let Ok(measured) = Window::new(records[0].at, left.measured_to) else { return };
    let statement = parts.statement(measured);
    if !statement.difference.is_zero() {
        faults.push(format!("the statement differs by {}", statement.difference));
    }
    let bill = parts.world.bill(measured);
    if statement.paid != bill {
        faults.push(format!("{} are in the books, and the nodes cost {bill}", statement.paid));
    }
    let day = SignedDuration::from_hours(24);
    let around = Window::new(measured.from() - day, measured.to() + day).unwrap();
    let all = parts.statement(around).paid;
    if all != statement.paid {
        faults.push(format!(
            "{all} are in the books, {} of it where it was measured",
            statement.paid
        ));
    }
}
