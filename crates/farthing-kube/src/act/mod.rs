//! Acting: what a step means for objects of Kubernetes, done by patches with preconditions.
//!
//! ```text
//! prepare: look at the object -> is it as the step saw it, may it be touched (guard)
//!          -> what changes in which fields (intend) -> the server's own check (dry run)
//!          -> written down by whoever asked
//! act:     look -> still the same? -> patch with uid and version, and the step's id as a mark
//! undo:    look -> each field as the step left it? -> patch what was before
//! ```
//!
//! The mark, an annotation in the same patch, is how anyone can tell later whether a step took
//! effect, so that no step is done twice (law 8). A conflict is never forced: it is said, and the
//! next plan decides anew. Refuses to know why something is to be done. Start at [`Kube::intend`].

mod before;
pub(crate) mod buy;
pub(crate) mod change;
mod drain;
mod event;
pub(crate) mod guard;
mod intend;
mod place;
mod server;
mod stretch;
mod table;

pub use guard::Rules;
pub(crate) use table::calls;

use crate::Kube;
use crate::error::ApiError;
use crate::measure::facts;
use crate::object::stretch::is_stretched;
use change::{Change, Standing, step_of, text};
use drain::Drain;
use farthing_edge::{Act, Class, EdgeError, Prepared};
use farthing_model::{Action, OfferId, Receipt, ReceiptOutcome, Step, StepId, WorkloadId};
use jiff::Timestamp;
use place::Ground;
use serde::{Deserialize, Serialize};
use server::Made;
use std::sync::Arc;
use table::steered;

/// What acting keeps between two calls.
#[derive(Debug, Default)]
pub(crate) struct Acting {
    pub(crate) rules: Rules,
    /// What the step that is being talked about changes.
    hand: Option<(StepId, Written)>,
    told: event::Told,
    before: before::Before,
}

/// What is written down before a step is begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// In the order in which they are made.
    changes: Vec<Change>,
    /// The node that is emptied after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drain: Option<Drain>,
}

/// Why a step is not begun.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Not now.
    Held(String),
    /// Not at all.
    Refused(ReceiptOutcome),
    /// The server says no, or nothing.
    Api(ApiError),
}

pub(crate) fn held(why: impl Into<String>) -> Stop {
    Stop::Held(why.into())
}

pub(crate) fn conflict(why: impl Into<String>) -> Stop {
    Stop::Refused(ReceiptOutcome::Conflict(why.into()))
}

/// A server's no, with what would be right where that is known.
fn words(error: &ApiError) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

fn edge(error: &ApiError) -> EdgeError {
    EdgeError::new(error.class(), words(error))
}

impl Kube {
    /// Says what may be touched; without it all that no annotation excludes.
    pub fn steer_by(&mut self, rules: Rules) {
        self.acting.rules = rules;
        self.acting.before = before::Before::default();
    }

    /// What a step changes, or why it is not begun.
    fn intend(&mut self, step: &Step, now: Timestamp) -> Result<Written, Stop> {
        let Some(workload) = step.action.workload() else {
            let Action::Release { node } = &step.action else {
                return Err(held("there is nothing that it acts on"));
            };
            return self.intend_drain((step, node), now);
        };
        if let Action::Buy { offer, nodes, pool, .. } = &step.action {
            return self.intend_buy((step, pool.as_deref()), (offer, *nodes));
        }
        let gone = || conflict(format!("workload {workload} is not there any more"));
        let subject = self.subject(workload).ok_or_else(gone)?;
        let kind = steered(subject.kind)
            .ok_or_else(|| held(format!("{workload} is a {}: nothing steers it", subject.kind)))?;
        let namespace = Some(subject.namespace.as_str());
        let seen = self.look(kind, namespace, &subject.name).map_err(Stop::Api)?;
        let seen = seen.ok_or_else(gone)?;
        if text(&seen.value, &["metadata", "deletionTimestamp"]).is_some() {
            return Err(conflict(format!("{} is being deleted", seen.object)));
        }
        if seen.wish() != step.generation {
            return Err(conflict(format!("{} was changed since it was seen", seen.object)));
        }
        self.allow(&seen)?;
        let mut others = Vec::new();
        let changes = match &step.action {
            Action::Suspend { .. } => intend::suspend(&seen)?,
            Action::Resume { .. } => intend::resume(&seen)?,
            Action::Scale { from, to, .. } if is_stretched(kind.kind) => {
                stretch::stretch(&seen, (*from, *to))?
            }
            Action::Scale { from, to, .. } => {
                others.extend(self.autoscaler(&seen.object)?);
                for scaler in &others {
                    self.allow(scaler)?;
                }
                intend::scale(&seen, (*from, *to), others.first())?
            }
            Action::Start { offer, members, .. } => {
                place::place(&seen, (offer, *members), &self.grounds(offer))?
            }
            Action::Resize { .. } => {
                return Err(held("limits of pods that run are not changed here"));
            }
            Action::Release { .. } | Action::Buy { .. } => Vec::new(),
        };
        others.push(seen);
        self.check(&changes, &others, &step.id)?;
        Ok(Written { changes, drain: None })
    }

    /// All nodes, and which of them were bought as an offer.
    fn grounds(&mut self, offer: &OfferId) -> Vec<Ground> {
        let state = self.shared.state();
        let (prices, faults) = (&mut self.prices, &mut self.faults);
        let nodes = state.nodes.values().filter(|node| !node.unschedulable);
        nodes
            .filter_map(|node| {
                let priced = facts(&state, node, prices, faults)?.priced;
                let (labels, taints) = (Arc::clone(&node.labels), node.taints.clone());
                Some(Ground { is_meant: priced.offer == *offer, labels, taints })
            })
            .collect()
    }

    /// What is watched of the object of a step, if that is one object.
    fn basis(&self, step: &Step) -> Option<before::Basis> {
        let subject = self.subject(step.action.workload()?)?;
        Some(before::Basis::of(&self.shared.state(), &subject))
    }

    /// What was written down for a step.
    fn in_hand(&self, step: &StepId) -> Option<Written> {
        let (id, written) = self.acting.hand.as_ref()?;
        (id == step).then(|| written.clone())
    }
}

/// An error of taking back: whatever it is, the step stays and is tried again.
fn retried(error: &ApiError) -> EdgeError {
    EdgeError::new(Class::Transient, words(error))
}

impl Act for Kube {
    fn prepare(&mut self, step: &Step, now: Timestamp) -> Result<Prepared, EdgeError> {
        let basis = self.basis(step);
        if let Some(basis) = &basis
            && let Some(why) = self.acting.before.held(&step.action, basis, now)
        {
            let why = why.to_owned();
            self.tell_held(step, &why, now);
            return Ok(Prepared::Held(why));
        }
        let written = match self.intend(step, now) {
            Ok(written) => written,
            Err(Stop::Held(why)) => {
                if let Some(basis) = basis {
                    self.acting.before.remember(&step.action, (basis, &why), now);
                }
                self.tell_held(step, &why, now);
                return Ok(Prepared::Held(why));
            }
            Err(Stop::Refused(outcome)) => return Ok(Prepared::Refused(outcome)),
            Err(Stop::Api(error)) => {
                return match error.class() {
                    Class::Conflict | Class::NotFound => {
                        Ok(Prepared::Refused(ReceiptOutcome::Conflict(words(&error))))
                    }
                    Class::Transient => Err(edge(&error)),
                    class => {
                        let why = words(&error);
                        self.warn_held(step, &why, now);
                        // A right that is missing is for people to give: the class says so.
                        let denied = class == Class::Denied;
                        if denied { Err(edge(&error)) } else { Ok(Prepared::Held(why)) }
                    }
                };
            }
        };
        let text = serde_json::to_string(&written).map_err(|error| {
            EdgeError::new(Class::Invalid, format!("step {}: {error}", step.id))
        })?;
        self.acting.hand = Some((step.id.clone(), written));
        Ok(Prepared::Ready(Some(text)))
    }

    fn recall(&mut self, step: &StepId, before: &str) {
        // What cannot be read is as if nothing were written down, which is said when it is needed.
        let written = serde_json::from_str(before).ok();
        self.acting.hand = written.map(|written| (step.clone(), written));
    }

    fn tell(&mut self, workload: &WorkloadId, what: &str, why: &str, now: Timestamp) {
        self.say_held(workload, (what, why, false), now);
    }

    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        let receipt = |outcome| Ok(Receipt { step: step.id.clone(), at: now, outcome });
        if self.in_hand(&step.id).is_none() {
            match self.prepare(step, now) {
                Ok(Prepared::Ready(_)) => {}
                Ok(Prepared::Held(why)) => return receipt(ReceiptOutcome::Failed(why)),
                Ok(Prepared::Refused(outcome)) => return receipt(outcome),
                Err(error) if error.class() == Class::Denied => {
                    return receipt(ReceiptOutcome::Failed(error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        let Some(written) = self.in_hand(&step.id) else {
            return receipt(ReceiptOutcome::Failed("it is not known what it changes".to_owned()));
        };
        let outcome = self.carry_out(&written, &step.id)?;
        if matches!(outcome, ReceiptOutcome::Done | ReceiptOutcome::AlreadyDone) {
            if outcome == ReceiptOutcome::Done {
                self.tell_done(step, &written.changes, now);
            }
            if let Some(drain) = &written.drain {
                self.empty(drain, now)?;
            }
        }
        if let ReceiptOutcome::Failed(why) = &outcome {
            self.tell_failed(step, (&written.changes, why), now);
        }
        receipt(outcome)
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        let Some(written) = self.in_hand(step) else { return Ok(None) };
        let mut done = Vec::new();
        for change in &written.changes {
            let seen = self.look_again(&change.object).map_err(|error| edge(&error))?;
            let seen = seen.filter(|seen| seen.object.uid == change.object.uid);
            // A node that was to be given back and is no more was: its autoscaler is quick.
            if written.drain.is_some() && seen.is_none() {
                let outcome = ReceiptOutcome::AlreadyDone;
                return Ok(Some(Receipt { step: step.clone(), at: now, outcome }));
            }
            if seen.is_some_and(|seen| step_of(&seen.value) == Some(step.as_str())) {
                done.push(change.clone());
            }
        }
        if done.len() < written.changes.len() {
            self.roll_back(&done, step)?;
            return Ok(None);
        }
        let mut outcome = ReceiptOutcome::Done;
        if let Some(drain) = &written.drain {
            if drain.is_over(now) {
                self.roll_back(&done, step)?;
                outcome = ReceiptOutcome::Failed(drain.given_up());
            } else {
                self.empty(drain, now)?;
            }
        }
        Ok(Some(Receipt { step: step.clone(), at: now, outcome }))
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        let Some(written) = self.in_hand(&step.id) else {
            let why = "what was before it was not written down, or by another version";
            return Err(EdgeError::new(Class::NotFound, why));
        };
        let receipt = |outcome| Ok(Receipt { step: step.id.clone(), at: now, outcome });
        // All of it can be taken back, or none is.
        for change in &written.changes {
            let seen = self.look_again(&change.object).map_err(|error| retried(&error))?;
            if let Some(Standing::Moved(why)) = seen.map(|seen| change.standing(&seen.value)) {
                return receipt(ReceiptOutcome::Conflict(why));
            }
        }
        let mut outcome = ReceiptOutcome::AlreadyDone;
        for change in written.changes.iter().rev() {
            match self.unmake(change, &step.id)? {
                Made::Done => outcome = ReceiptOutcome::Done,
                Made::Already => {}
                Made::Not(why) => return receipt(why),
            }
        }
        if outcome == ReceiptOutcome::Done {
            self.tell_undone(step, &written.changes, now);
        }
        receipt(outcome)
    }
}
