//! One turn over all Workloads: what to do is decided (`decide`), the budgets are asked
//! ([`Purse`]), and only then is anything written ([`Writes`]).
//!
//! What is set aside is found again by the unique ids of Workloads, so nothing has to be
//! remembered: what this keeps between turns are pauses, after a write that failed or one that is
//! not seen yet.

use super::boost;
use super::brake::{Note, victims};
use super::decide::{Need, Next, Seen, next, people};
use super::object::{BOOST, BRAKE, CheckState, HELD, Queued};
use super::purse::{Ask, Held, Overdraft, Purse, Ran, Room, Used};
use super::rules::Rules;
use super::view::{Turn, View};
use super::write::{Answer, Change, Writes};
use crate::error::ApiError;
use farthing_edge::EdgeError;
use farthing_model::TeamId;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A write that is not seen yet is not made again for so long.
const UNSEEN: SignedDuration = SignedDuration::from_secs(10);
/// The first pause after a write that failed; doubled each time.
const PAUSE: SignedDuration = SignedDuration::from_millis(500);
const DOUBLED_MAX: u32 = 7;
/// One that was woken counts as if it were let in for so long.
const PROMISED: SignedDuration = SignedDuration::from_mins(10);
/// How our word begins on what waits with its quota.
pub(super) const HELD_WITH_QUOTA: &str = "held with its quota: ";
/// What is said of checks that are ours.
const ANSWERS: &str = "Farthing answers: what is let in has its money set aside";

/// Answers our checks.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    rules: Rules,
    /// Workloads and checks that were written to: in which version, and not before when again.
    wrote: BTreeMap<Arc<str>, (Arc<str>, Timestamp)>,
    /// How often a write failed in a row, and not before when again.
    failed: BTreeMap<Arc<str>, (u32, Timestamp)>,
    /// Those that were woken: how often they were held, what they will ask for, and since when.
    woken: BTreeMap<Arc<str>, (u32, Option<Ask>, Timestamp)>,
    overdrafts: Vec<Overdraft>,
    looked: Option<Timestamp>,
    /// Whether Workloads cannot be deactivated.
    may_not_change: bool,
    turn: Turn,
}

/// What one Workload is decided with.
struct About<'a> {
    it: &'a Queued,
    ours: Vec<Arc<str>>,
    held: Option<&'a Held>,
    now: Timestamp,
}

impl Answering {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Does what there is to do now.
    pub(crate) fn turn(
        &mut self,
        view: &View<'_>,
        (purse, writes): (&mut dyn Purse, &dyn Writes),
        now: Timestamp,
    ) -> Turn {
        self.say_active(view, writes, now);
        let held = self.all_held(purse, now);
        let posted = purse.posted(now);
        let running = view.workloads.iter().filter(|it| it.admitted.is_some());
        let running = running.filter_map(|it| Some((&**it, held.get(&*it.uid)?)));
        let stop = victims(&self.overdrafts, running, now);
        for it in &view.workloads {
            if self.waits(it, now) {
                continue;
            }
            let own = |name: &Arc<str>| view.checks.iter().any(|(check, _)| check == name);
            let ours: Vec<Arc<str>> =
                it.checks.iter().map(|entry| Arc::clone(&entry.check)).filter(own).collect();
            let about = About { it, ours, held: held.get(&*it.uid), now };
            let did = self.one(&about, view, (&mut *purse, writes), (posted, &stop));
            self.note_outcome(it, did, now);
        }
        self.settle_orphans(view, &held, purse, now);
        self.look_at_overdrafts(purse, now);
        self.forget(view, now);
        std::mem::take(&mut self.turn)
    }

    /// What is set aside, by Workload. Of two for one, which nothing here makes, the newer counts.
    fn all_held(&mut self, purse: &mut dyn Purse, now: Timestamp) -> BTreeMap<String, Held> {
        let mut all: BTreeMap<String, Held> = BTreeMap::new();
        for held in purse.held() {
            let Some(other) = all.get_mut(&held.uid) else {
                all.insert(held.uid.clone(), held);
                continue;
            };
            let older = if other.at < held.at { std::mem::replace(other, held) } else { held };
            let used = Used { to: now, seconds: 0, per_hour: None };
            if let Err(error) = purse.settle(&older, used, now) {
                self.turn.lines.push(format!("{}: {error}", older.what));
            }
        }
        all
    }

    fn say_active(&mut self, view: &View<'_>, writes: &dyn Writes, now: Timestamp) {
        for (check, active) in &view.checks {
            let recent = self.wrote.get(check).is_some_and(|(_, again)| now < *again);
            if *active || recent {
                continue;
            }
            let again = now.checked_add(UNSEEN).unwrap_or(now);
            self.wrote.insert(Arc::clone(check), (Arc::from(""), again));
            match writes.say_active(check, (true, ANSWERS), now) {
                Ok(()) => self.turn.lines.push(format!("answers admission check {check}")),
                Err(error) => self.turn.lines.push(format!("admission check {check}: {error}")),
            }
        }
    }

    /// Whether it was written to and that is not seen yet, or a write failed a moment ago.
    fn waits(&self, it: &Queued, now: Timestamp) -> bool {
        let unseen = self.wrote.get(&it.uid);
        unseen.is_some_and(|(version, until)| *version == it.version && now < *until)
            || self.failed.get(&it.uid).is_some_and(|(_, until)| now < *until)
    }

    fn note_outcome(&mut self, it: &Queued, did: Result<bool, Fault>, now: Timestamp) {
        match did {
            Ok(false) => drop(self.failed.remove(&it.uid)),
            Ok(true) => {
                self.failed.remove(&it.uid);
                let until = now.checked_add(UNSEEN).unwrap_or(now);
                self.wrote.insert(Arc::clone(&it.uid), (Arc::clone(&it.version), until));
            }
            // It changed meanwhile, or is no more: what it is now is told in a moment.
            Err(Fault::Api(error)) if matches!(error.code(), Some(404 | 409)) => {
                let until = now.checked_add(PAUSE).unwrap_or(now);
                self.failed.insert(Arc::clone(&it.uid), (0, until));
            }
            Err(fault) => {
                let times = self.failed.get(&it.uid).map_or(0, |(times, _)| *times);
                let pause = PAUSE.saturating_mul(1 << times.min(DOUBLED_MAX));
                let until = now.checked_add(pause).unwrap_or(now);
                self.failed.insert(Arc::clone(&it.uid), (times.saturating_add(1), until));
                self.turn.lines.push(format!("{}: {fault}", it.named()));
            }
        }
    }

    /// Does what one Workload needs; whether something was written to it.
    fn one(
        &mut self,
        about: &About<'_>,
        view: &View<'_>,
        (purse, writes): (&mut dyn Purse, &dyn Writes),
        (posted, stop): (Timestamp, &BTreeMap<Arc<str>, String>),
    ) -> Result<bool, Fault> {
        let About { it, held, now, .. } = *about;
        // Kueue keeps what has finished, and there is nothing to do about it.
        if it.finished.is_some() && held.is_none() {
            return Ok(false);
        }
        let cost = if it.given.is_some() { view.prices.hourly(it) } else { Err(String::new()) };
        let entries = it.checks.iter().filter(|entry| about.ours.contains(&entry.check));
        let entry = entries.map(|entry| entry.state).min_by_key(|state| match state {
            CheckState::Rejected => 0,
            CheckState::Retry => 1,
            CheckState::Pending => 2,
            CheckState::Ready => 3,
        });
        let learned = if it.given.is_some() { purse.learned(&it.kind()) } else { Vec::new() };
        let seen = Seen {
            workload: it,
            entry,
            held,
            cost: cost.as_ref().copied().map_err(String::as_str),
            learned: &learned,
            posted,
            now,
            rules: &self.rules,
        };
        match next(&seen) {
            Next::Settle(used) => settle(about, used, purse),
            Next::Reserve(need) => {
                let ask = ask(it, &need, (view.team)(it));
                self.reserve(about, (&ask, &need.basis), purse, writes)
            }
            Next::Ready(message) => {
                let claim = held.map(|held| held.claim.clone());
                self.let_in(about, message, claim, writes)
            }
            Next::Unpriced(message) => self.let_in(about, message, None, writes),
            Next::Hold(why) => self.hold(about, (why, None), writes),
            Next::Wake => {
                let team = (view.team)(it);
                self.wake(about, team, purse, writes)
            }
            Next::Cover(need) => {
                let ask = ask(it, &need, (view.team)(it));
                let short = match purse.reserve(&ask, held, now)? {
                    Room::Granted(_) => stop.get(&it.uid).cloned(),
                    Room::Short { why, .. } => Some(why),
                };
                self.brake(about, short, Some(&ask), writes)
            }
            Next::Nothing if it.admitted.is_some() && it.active && it.finished.is_none() => {
                let did = self.brake(about, stop.get(&it.uid).cloned(), None, writes)?;
                if did { Ok(true) } else { self.boost(about, writes) }
            }
            Next::Nothing => Ok(false),
        }
    }

    fn reserve(
        &mut self,
        about: &About<'_>,
        (ask, basis): (&Ask, &str),
        purse: &mut dyn Purse,
        writes: &dyn Writes,
    ) -> Result<bool, Fault> {
        let now = about.now;
        match purse.reserve(ask, about.held, now)? {
            Room::Granted(held) => {
                let message = format!("{} is set aside ({basis})", people(held.amount));
                self.let_in(about, message, Some(held.claim), writes)
            }
            Room::Short { why, .. } if !self.rules.holds() => {
                let message = format!("let in, as nothing is held back here; {why}");
                self.let_in(about, message, None, writes)
            }
            Room::Short { why, never: true } => {
                let state = CheckState::Rejected;
                let message = format!("can never fit: {why}");
                self.turn.lines.push(format!("rejects {}: {message}", about.it.named()));
                self.turn.held += 1;
                let answer = Answer { state, message, claim: None };
                writes.answer(about.it, &about.ours, &answer, now)?;
                Ok(true)
            }
            Room::Short { why, never: false } => self.hold(about, (why, Some(ask)), writes),
        }
    }

    fn let_in(
        &mut self,
        about: &About<'_>,
        message: String,
        claim: Option<String>,
        writes: &dyn Writes,
    ) -> Result<bool, Fault> {
        let answer = Answer { state: CheckState::Ready, message, claim };
        writes.answer(about.it, &about.ours, &answer, about.now)?;
        self.woken.remove(&about.it.uid);
        self.turn.let_in += 1;
        Ok(true)
    }

    /// Gives its quota to others, and notes why it waits. Where Workloads may not be changed it
    /// waits with its quota, and that is said.
    fn hold(
        &mut self,
        about: &About<'_>,
        (why, ask): (String, Option<&Ask>),
        writes: &dyn Writes,
    ) -> Result<bool, Fault> {
        let About { it, now, .. } = *about;
        let times = self.woken.get(&it.uid).map_or(0, |(times, ..)| *times);
        let seconds = ask.map_or(0, |ask| ask.until.duration_since(now).as_secs());
        let note = Note {
            since: now.to_string(),
            why: why.clone(),
            amount: ask.map(|ask| ask.amount.to_string()),
            gpu_hours_milli: ask.map_or(0, |ask| ask.gpu_hours_milli),
            seconds,
            times,
        };
        let notes = vec![(HELD, Some(note.to_text())), (BRAKE, None)];
        if !self.may_not_change && !it.excluded {
            match writes.change(it, &Change { active: Some(false), notes }) {
                Ok(()) => {
                    self.turn.held += 1;
                    self.turn.lines.push(format!("holds {}: {why}", it.named()));
                    return Ok(true);
                }
                Err(error) if error.code() == Some(403) => self.may_not_change = true,
                Err(error) => return Err(error.into()),
            }
            self.turn.lines.push(
                "Workloads may not be changed here: what is held keeps its quota, \
                                  and nothing that runs is stopped"
                    .to_owned(),
            );
        }
        let message = format!("{HELD_WITH_QUOTA}{why}");
        let entries = || it.checks.iter().filter(|entry| about.ours.contains(&entry.check));
        let held_before = |text: &str| text.starts_with(HELD_WITH_QUOTA);
        if entries().all(|it| it.state != CheckState::Pending || held_before(&it.message)) {
            return Ok(false);
        }
        self.turn.held += 1;
        self.turn.lines.push(format!("{}: {message}", it.named()));
        let answer = Answer { state: CheckState::Pending, message, claim: None };
        writes.answer(it, &about.ours, &answer, now)?;
        Ok(true)
    }

    /// Lets one that was held try again, where there is room for it and for those before it.
    fn wake(
        &mut self,
        about: &About<'_>,
        team: Option<TeamId>,
        purse: &dyn Purse,
        writes: &dyn Writes,
    ) -> Result<bool, Fault> {
        let About { it, now, .. } = *about;
        let note: Option<Note> = it.held.as_deref().and_then(|it| serde_json::from_str(it).ok());
        let Some(note) = note else { return Ok(false) };
        if now < note.rested(self.rules.rest) {
            return Ok(false);
        }
        let need = note.amount().map(|amount| Need {
            amount,
            gpu_hours_milli: note.gpu_hours_milli,
            until: now.checked_add(SignedDuration::from_secs(note.seconds)).unwrap_or(now),
            basis: String::new(),
        });
        let asked = need.map(|need| ask(it, &need, team));
        if let Some(own) = &asked {
            let with_others = self.with_promised(own, now);
            if purse.lacks(&with_others, now)?.is_some() {
                return Ok(false);
            }
        }
        writes.change(it, &Change { active: Some(true), notes: vec![(HELD, None)] })?;
        self.turn.lines.push(format!("tries {} again", it.named()));
        let times = note.times.saturating_add(1);
        self.woken.insert(Arc::clone(&it.uid), (times, asked, now));
        Ok(true)
    }

    /// What is asked for together with what was promised to others of the same team.
    fn with_promised(&self, own: &Ask, now: Timestamp) -> Ask {
        let mut all = own.clone();
        for (_, other, since) in self.woken.values() {
            let Some(other) = other.as_ref().filter(|it| it.team == own.team) else { continue };
            if now.duration_since(*since) > PROMISED {
                continue;
            }
            // Another currency is of other budgets.
            if let Ok(sum) = all.amount.checked_add(other.amount) {
                all.amount = sum;
                all.gpu_hours_milli = all.gpu_hours_milli.saturating_add(other.gpu_hours_milli);
            }
        }
        all
    }

    /// Announces that it will be stopped, and stops it when its time for a checkpoint is over; or
    /// takes that back, where there is no reason any more.
    fn brake(
        &mut self,
        about: &About<'_>,
        why: Option<String>,
        ask: Option<&Ask>,
        writes: &dyn Writes,
    ) -> Result<bool, Fault> {
        let About { it, now, .. } = *about;
        let take_back = Change { active: None, notes: vec![(BRAKE, None)] };
        match (why, it.brake) {
            (None, None) => Ok(false),
            (None, Some(_)) => {
                writes.change(it, &take_back)?;
                self.turn.lines.push(format!("lets {} run on", it.named()));
                Ok(true)
            }
            (Some(_), _) if !self.rules.brakes() || it.excluded || self.may_not_change => Ok(false),
            (Some(why), None) => {
                // What is set aside may be used up to its end.
                let ends = ask.and(about.held).map_or(now, |held| held.until);
                let at = now.checked_add(self.rules.grace).unwrap_or(now).max(ends);
                let change = Change { active: None, notes: vec![(BRAKE, Some(at.to_string()))] };
                match writes.change(it, &change) {
                    Err(error) if error.code() == Some(403) => {
                        self.may_not_change = true;
                        return Ok(false);
                    }
                    other => other?,
                }
                self.turn.lines.push(format!("will stop {} at {at}: {why}", it.named()));
                Ok(true)
            }
            (Some(_), Some(at)) if now < at => Ok(false),
            (Some(why), Some(_)) => self.hold(about, (why, ask), writes),
        }
    }

    fn boost(&mut self, about: &About<'_>, writes: &dyn Writes) -> Result<bool, Fault> {
        let About { it, now, .. } = *about;
        if !self.rules.boosts || it.excluded || self.may_not_change {
            return Ok(false);
        }
        let Some(boost) = boost::change(it, now) else { return Ok(false) };
        let notes = vec![(BOOST, (boost != 0).then(|| boost.to_string()))];
        writes.change(it, &Change { active: None, notes })?;
        Ok(true)
    }

    /// Gives back what is set aside for Workloads that are no more.
    fn settle_orphans(
        &mut self,
        view: &View<'_>,
        held: &BTreeMap<String, Held>,
        purse: &mut dyn Purse,
        now: Timestamp,
    ) {
        if !view.is_whole {
            return;
        }
        let there: BTreeSet<&str> = view.workloads.iter().map(|it| &*it.uid).collect();
        for held in held.values().filter(|held| !there.contains(held.uid.as_str())) {
            // How long it ran is known to the books alone.
            let used = Used { to: now, seconds: 0, per_hour: None };
            if let Err(error) = purse.settle(held, used, now) {
                self.turn.lines.push(format!("{}: {error}", held.what));
            }
        }
    }

    fn look_at_overdrafts(&mut self, purse: &dyn Purse, now: Timestamp) {
        let recent = |last: &Timestamp| now.duration_since(*last) < self.rules.rest;
        if !self.rules.brakes() || self.looked.as_ref().is_some_and(recent) {
            return;
        }
        self.looked = Some(now);
        match purse.overdrafts(now) {
            Ok(found) => self.overdrafts = found,
            Err(error) => self.turn.lines.push(format!("budgets cannot be summed: {error}")),
        }
    }

    /// Forgets what is about Workloads that are no more.
    fn forget(&mut self, view: &View<'_>, now: Timestamp) {
        if self.wrote.len() + self.failed.len() + self.woken.len() <= 3 * view.workloads.len() + 64
        {
            return;
        }
        let there: BTreeSet<&Arc<str>> = view.workloads.iter().map(|it| &it.uid).collect();
        self.wrote.retain(|_, (_, until)| now < *until);
        self.failed.retain(|uid, _| there.contains(uid));
        self.woken.retain(|uid, _| there.contains(uid));
    }
}

/// Gives back what is held; of one that ended, how long it ran is noted before.
fn settle(about: &About<'_>, used: Used, purse: &mut dyn Purse) -> Result<bool, Fault> {
    let About { it, held, now, .. } = *about;
    let Some(held) = held else { return Ok(false) };
    if let (Some(finish), Some(_)) = (&it.finished, &it.given) {
        let seconds = held.past_s.saturating_add(used.seconds);
        let uid = it.uid.to_string();
        let complete = finish.succeeded;
        let ran = Ran { uid, kind: it.kind(), to: finish.at, seconds, complete };
        purse.learn(&ran, now)?;
    }
    purse.settle(held, used, now)?;
    Ok(false)
}

/// What a Workload asks for.
fn ask(it: &Queued, need: &Need, team: Option<TeamId>) -> Ask {
    let own = it.team.as_deref().and_then(|team| TeamId::new(team).ok());
    let labels = it.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Ask {
        uid: it.uid.to_string(),
        what: format!("Workload {}", it.named()),
        team: own.or(team),
        labels: labels.collect(),
        amount: need.amount,
        gpu_hours_milli: need.gpu_hours_milli,
        until: need.until,
        past_s: it.past_s,
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Purse(#[from] EdgeError),
}
