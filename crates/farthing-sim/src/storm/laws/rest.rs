//! The laws at rest: what holds when a tick is over and nobody is in the middle of anything.

use super::story::Story;
use super::{Auditor, Law};
use crate::storm::outside::Process;
use crate::world::SimWorld;
use farthing_engine::{Open, Stage, Tick};
use farthing_ledger::Books;
use farthing_model::{Action, Snapshot, WorkloadState};
use jiff::Timestamp;
use std::collections::BTreeMap;

impl Auditor {
    /// A tick went well: what it says of itself.
    pub(in crate::storm) fn ticked(&mut self, tick: &Tick) {
        self.parts_are_whole(tick);
        let said = |note: &String| note.contains("could not be measured");
        if let Some(window) = tick.window.filter(|_| tick.notes.iter().any(said)) {
            self.told.add(window);
        }
    }

    /// A tick of a process went well, and nobody else is in the middle of one.
    pub(in crate::storm) fn rests(
        &mut self,
        (process, tick): (Process, &Tick),
        open: &Open,
        world: &SimWorld,
        books: &Books,
    ) {
        self.read_log(world);
        self.none_lost(process);
        self.journal_is_world();
        self.nothing_stays_open(process);
        self.nothing_ends_early(world);
        self.believed(open);
        if let Some(window) = tick.window {
            self.paid_is_bill(window, world, books);
        }
    }

    /// A tick failed: what it did up to there is as it is.
    pub(in crate::storm) fn fails(&mut self, world: &SimWorld) {
        self.read_log(world);
        self.ends.clear();
    }

    /// Law 5, of what a tick says.
    fn parts_are_whole(&mut self, tick: &Tick) {
        let money = tick.money;
        let parts = [money.used, money.idle, money.unallocated, money.overhead];
        let sum: i128 = parts.iter().map(|part| part.pico()).sum();
        let whole = money.paid.pico() == sum && parts.iter().all(|part| !part.is_negative());
        self.hold(Law::PartsAreWhole, (!whole).then(|| format!("{money:?}")));
    }

    /// Law 8: what was begun before this tick has an outcome, or the world did not say.
    fn none_lost(&mut self, process: Process) {
        let desk = self.desks.get(&process).cloned().unwrap_or_default();
        let lost = self.stories.by_id.values().find(|story| {
            let asked = desk.unanswered.contains(&story.step.id);
            story.is_begun() && story.intended_in <= desk.head && !asked
        });
        let broken = lost.map(|story| format!("step {} is begun and forgotten", story.step.id));
        self.hold(Law::NoneLost, broken);
    }

    /// Law 8: each step happened when the journal says, once, or never.
    pub(super) fn journal_is_world(&mut self) {
        let (mut twice, mut other) = (None, None);
        for (id, story) in &self.stories.by_id {
            let did = self.did.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            if did.len() > 1 {
                twice = Some(format!("step {id} happened at {did:?}"));
            }
            let said: Vec<Timestamp> = story.happened().into_iter().collect();
            let known = !story.outcomes.is_empty() || story.intended == 0;
            if known && did != said && !self.between.contains(id) {
                other = Some(format!("step {id} happened at {did:?}, and is said to at {said:?}"));
            }
        }
        let planned = |id: &&String| self.stories.by_id.keys().any(|it| it.as_str() == id.as_str());
        if let Some(id) = self.did.keys().find(|id| !planned(id)) {
            twice = twice.or_else(|| Some(format!("step {id} happened, and nobody planned it")));
        }
        self.hold(Law::OnceEach, twice);
        self.hold(Law::JournalIsWorld, other);
    }

    /// A step is settled when what it began has ended, by what its tick saw.
    fn nothing_stays_open(&mut self, process: Process) {
        let Some(seen) = self.desks.get(&process).and_then(|desk| desk.seen.clone()) else {
            return;
        };
        let oldest = seen.ages.iter().map(|age| age.as_of).min().unwrap_or(seen.at);
        let in_force = self.stories.by_id.values().filter(|story| story.is_in_force());
        let stays = in_force.filter(|story| !story.by_rung).find(|story| {
            // What was done after the world was looked at is not seen in it.
            let before = story.happened().is_some_and(|at| at < oldest);
            before && !Self::is_unseen(story, &seen) && !self.is_here(story, &seen)
        });
        let broken =
            stays.map(|story| format!("step {} ended, and its reservation is open", story.step.id));
        self.hold(Law::NothingStaysOpen, broken);
    }

    /// Whether a snapshot has the target as it was before the step, though it says otherwise.
    fn is_unseen(story: &Story, seen: &Snapshot) -> bool {
        let target = story.step.action.workload().and_then(|id| seen.workload(id));
        target.is_some_and(|target| target.generation == story.step.generation)
    }

    /// Whether what a step began goes on, by a snapshot.
    fn is_here(&self, story: &Story, seen: &Snapshot) -> bool {
        let state = |story: &Story| {
            story.step.action.workload().and_then(|id| seen.workload(id)).map(|it| &it.state)
        };
        match &story.step.action {
            Action::Start { .. } => Self::goes_on(story, state(story)),
            Action::Scale { window, .. } => {
                seen.at < window.to() && !self.stories.is_superseded(story, seen.at)
            }
            Action::Release { .. } => {
                let promised = story.proposed.checked_add(self.config.horizon);
                promised.is_ok_and(|until| seen.at < until)
            }
            Action::Suspend { .. } => matches!(state(story), Some(WorkloadState::Suspended)),
            Action::Resume { .. } | Action::Resize { .. } | Action::Buy { .. } => false,
        }
    }

    /// What was settled in this tick has ended in the world, not only in what was shown of it.
    fn nothing_ends_early(&mut self, world: &SimWorld) {
        let truth = world.truth(world.now());
        for story in std::mem::take(&mut self.ends) {
            let Action::Start { workload, .. } = &story.step.action else { continue };
            // Another step may have begun the same again, also one of which nobody knows yet.
            let again = self.stories.by_id.values().any(|other| {
                let later = other.happened() > story.happened() || other.is_begun();
                other.account() == story.account() && later
            });
            let state = truth.workload(workload).map(|seen| &seen.state);
            let Some((_, offer)) = story.account() else { continue };
            // Members that are done are shown as placed, up to when they were.
            let runs = matches!(state, Some(WorkloadState::Placed(there))
                if there.iter().any(|it| it.offer == offer && it.window.to() > truth.at));
            let early = !again && runs;
            let id = &story.step.id;
            let broken = early.then(|| format!("step {id} is settled, and what it began goes on"));
            self.hold(Law::NothingEndsEarly, broken);
        }
    }

    /// An engine believes open what is open, with what is set aside for it.
    fn believed(&mut self, open: &Open) {
        let begun = open.steps.iter().filter(|(_, open)| open.stage != Stage::Proposed);
        let mut believed: BTreeMap<_, _> = begun.collect();
        let mut broken = None;
        for (id, story) in &self.stories.by_id {
            let stage = match story.happened() {
                _ if story.is_begun() => Stage::Begun,
                Some(at) if story.is_in_force() => Stage::InForce(at),
                _ => continue,
            };
            let same = believed
                .remove(id)
                .is_some_and(|open| open.stage == stage && open.reserved == story.reserved);
            if !same {
                broken =
                    Some(format!("step {id} is {stage:?}, and the engine does not believe it"));
            }
        }
        if let Some(id) = believed.keys().next() {
            broken = Some(format!("step {id} is over, and the engine has it"));
        }
        self.hold(Law::Believed, broken);
    }
}
