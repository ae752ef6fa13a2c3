//! Events: what was done, taken back or held, in plain words on the object that it is about, for
//! `kubectl describe`.
//!
//! They are for people only: one that cannot be written changes nothing. The same is said again of
//! an object only after an hour, as servers forget events by then. Start at [`Kube::say_held`].

use super::change::{Change, Object};
use super::table::{EVENT, steered};
use crate::Kube;
use crate::call::{Body, Target};
use farthing_model::{Action, Step, WorkloadId};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most objects of which it is known what was said last.
const TOLD_MAX: usize = 20_000;
/// How long it need not be said again.
const AGAIN_S: i64 = 3_600;
/// The longest that a server takes.
const NOTE_BYTES_MAX: usize = 1_024;
/// Who says so.
const WHO: &str = "farthing.dev/farthing";

/// Most events at one moment: the others come with the next tick.
const AT_ONCE_MAX: u32 = 100;

/// What was said last of each object, by uid, and when.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: BTreeMap<String, (String, Timestamp)>,
    /// How many were said at the last moment.
    at_once: (Option<Timestamp>, u32),
}

impl Told {
    /// Whether it is news that can be said now; it is none any more then.
    fn is_news(&mut self, uid: &str, note: &str, now: Timestamp) -> bool {
        if self.at_once.0 != Some(now) {
            self.at_once = (Some(now), 0);
        }
        let said = self.last.get(uid).is_some_and(|(last, at)| {
            last == note && now.duration_since(*at).abs().as_secs() < AGAIN_S
        });
        if said || self.at_once.1 >= AT_ONCE_MAX {
            return false;
        }
        self.at_once.1 += 1;
        if self.last.len() >= TOLD_MAX {
            self.last.clear();
        }
        self.last.insert(uid.to_owned(), (note.to_owned(), now));
        true
    }
}

/// What an event says.
struct Said<'a> {
    /// One word, such as `Suspended`.
    reason: &'a str,
    /// What was tried: `suspend`.
    action: &'a str,
    note: &'a str,
    is_warning: bool,
}

impl Kube {
    /// Tells of a workload what is not done, and why: `held: budget ... has $12.40 left`.
    pub(super) fn say_held(
        &mut self,
        workload: &WorkloadId,
        (action, why, is_warning): (&str, &str, bool),
        now: Timestamp,
    ) {
        let Some(subject) = self.subject(workload) else { return };
        // What is not held back waits for its nodes, and not for us.
        if action == "start" && subject.suspend != Some(true) {
            return;
        }
        let object = Object {
            kind: subject.kind.to_owned(),
            namespace: Some(subject.namespace),
            name: subject.name,
            uid: subject.uid,
        };
        let note = format!("held: {why}");
        let said = Said { reason: "Held", action, note: &note, is_warning };
        self.say(&object, &subject.api_version, &said, now);
    }

    pub(super) fn tell_held(&mut self, step: &Step, why: &str, now: Timestamp) {
        if let Some(workload) = step.action.workload() {
            self.say_held(workload, (step.action.name(), why, false), now);
        }
    }

    /// Warns that a step cannot be done, which somebody has to see to.
    pub(super) fn warn_held(&mut self, step: &Step, why: &str, now: Timestamp) {
        if let Some(workload) = step.action.workload() {
            self.say_held(workload, (step.action.name(), why, true), now);
        }
    }

    /// Warns that a step was begun and not done.
    pub(super) fn tell_failed(
        &mut self,
        step: &Step,
        (changes, why): (&[Change], &str),
        now: Timestamp,
    ) {
        let note = format!("step {} was not done: {why}", step.id);
        let said = ("Failed", step.action.name(), &*note, true);
        self.say_of(changes, said, now);
    }

    pub(super) fn tell_done(&mut self, step: &Step, changes: &[Change], now: Timestamp) {
        let why: Vec<String> = step.reasons.iter().map(ToString::to_string).collect();
        let (id, why) = (&step.id, why.join("; "));
        let done = done(&step.action);
        let note = format!("{done}: {why} (step {id}; `farthing undo {id}` takes it back)");
        self.say_of(changes, (reason(&step.action), step.action.name(), &note, false), now);
    }

    pub(super) fn tell_undone(&mut self, step: &Step, changes: &[Change], now: Timestamp) {
        let note = format!("step {} was taken back: it is as it was before", step.id);
        self.say_of(changes, ("Restored", "undo", &note, false), now);
    }

    fn say_of(
        &mut self,
        changes: &[Change],
        (reason, action, note, is_warning): (&str, &str, &str, bool),
        now: Timestamp,
    ) {
        for change in changes {
            let Some(kind) = steered(&change.object.kind) else { continue };
            let said = Said { reason, action, note, is_warning };
            self.say(&change.object, &kind.api_version(), &said, now);
        }
    }

    fn say(&mut self, object: &Object, api_version: &str, said: &Said<'_>, now: Timestamp) {
        if !self.acting.told.is_news(&object.uid, said.note, now) {
            return;
        }
        // What belongs to no namespace is spoken of in the default one.
        let namespace = object.namespace.as_deref().unwrap_or("default");
        let event = event(object, (namespace, api_version), said, now);
        let target = Target { version: "v1", namespace: Some(namespace), name: "" };
        if let Err(error) = self.client.call_on(&EVENT, &target, &Body::Whole(&event), false) {
            self.faults.insert(format!("{object}: no event could be written: {error}"));
        }
    }
}

fn event(
    object: &Object,
    (namespace, api_version): (&str, &str),
    said: &Said<'_>,
    now: Timestamp,
) -> Value {
    let mut note = said.note.to_owned();
    let mut end = note.len().min(NOTE_BYTES_MAX);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note.truncate(end);
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "farthing-", "namespace": namespace},
        // To the microsecond, as the server writes it.
        "eventTime": format!("{now:.6}"),
        "reportingController": WHO,
        "reportingInstance": WHO,
        "reason": said.reason,
        "action": said.action,
        "type": if said.is_warning { "Warning" } else { "Normal" },
        "note": note,
        "regarding": {
            "apiVersion": api_version,
            "kind": object.kind,
            "namespace": object.namespace,
            "name": object.name,
            "uid": object.uid,
        },
    })
}

fn reason(action: &Action) -> &'static str {
    match action {
        Action::Start { .. } => "Started",
        Action::Scale { .. } => "Scaled",
        Action::Suspend { .. } => "Suspended",
        Action::Resume { .. } => "Resumed",
        Action::Resize { .. } => "Resized",
        Action::Release { .. } => "Drained",
        Action::Buy { .. } => "Bought",
    }
}

fn done(action: &Action) -> String {
    match action {
        Action::Start { offer, .. } => format!("started on {offer}"),
        Action::Scale { from, to, .. } => format!("scaled from {from} to {to}"),
        Action::Suspend { .. } => "suspended".to_owned(),
        Action::Resume { .. } => "resumed".to_owned(),
        Action::Resize { .. } => "given other limits".to_owned(),
        Action::Release { .. } => "cordoned to be given back".to_owned(),
        Action::Buy { offer, nodes, .. } => format!("{nodes} of {offer} may be bought"),
    }
}
