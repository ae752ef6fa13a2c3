//! What acting asks of the server: looks at objects, checks, makes and takes back changes.
//!
//! A patch carries the uid and the version of the object that was looked at right before. Where
//! only the version moved on, with the same wish, it is looked at and tried again; anything else is
//! a conflict, and said. Start at [`Kube::carry_out`].

use super::change::{Change, Object, Standing, step_of};
use super::intend::{self, Seen};
use super::table::{NAMESPACE, Steered, steered};
use super::{Stop, Written, conflict, edge, held, retried, words};
use crate::Kube;
use crate::call::{Body, Target, Verb};
use crate::error::ApiError;
use farthing_edge::{Class, EdgeError};
use farthing_model::{ReceiptOutcome, StepId};
use serde_json::Value;
use std::time::Duration;

/// How often a patch is tried again when only what is not wanted changed meanwhile (a status).
const TRIES: usize = 8;
/// The same where a job has to let go of its pods first.
const TRIES_BACK: usize = 40;
/// Between two of those.
const REST: Duration = Duration::from_millis(250);

/// What came of one change.
#[derive(Debug)]
pub(super) enum Made {
    Done,
    /// By an earlier try.
    Already,
    Not(ReceiptOutcome),
}

/// Whether an error leaves open if the call took effect.
fn is_unclear(error: &ApiError) -> bool {
    error.class() == Class::Transient
}

fn unlisted(kind: &Steered) -> ApiError {
    let what = "no such call is in the table of calls".to_owned();
    ApiError::Syntax { url: kind.kind.to_owned(), what }
}

impl Kube {
    /// Looks at an object; `None` where there is none.
    pub(super) fn look(
        &self,
        kind: &'static Steered,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Seen>, ApiError> {
        let call = kind.call(Verb::Get).ok_or_else(|| unlisted(kind))?;
        let target = kind.target(namespace, name);
        match self.client.call_on(call, &target, &Body::Nothing, false) {
            Ok(value) => Ok(Some(Seen::of(kind, value))),
            Err(error) if error.class() == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks at the object of a change.
    pub(super) fn look_again(&self, object: &Object) -> Result<Option<Seen>, ApiError> {
        let Some(kind) = steered(&object.kind) else { return Ok(None) };
        self.look(kind, object.namespace.as_deref(), &object.name)
    }

    /// Whether an object may be touched.
    pub(super) fn allow(&self, seen: &Seen) -> Result<(), Stop> {
        let namespace = match &seen.object.namespace {
            Some(name) => Some(self.namespace(name).map_err(Stop::Api)?),
            None => None,
        };
        self.acting.rules.allow(&seen.value, namespace.as_ref(), &seen.object.to_string())
    }

    /// What a namespace says.
    pub(super) fn namespace(&self, name: &str) -> Result<Value, ApiError> {
        let target = Target { version: "v1", namespace: None, name };
        self.client.call_on(&NAMESPACE, &target, &Body::Nothing, false)
    }

    /// The autoscaler of a service: KEDA's, or that of Kubernetes.
    pub(super) fn autoscaler(&self, service: &Object) -> Result<Option<Seen>, Stop> {
        for name in ["ScaledObject", "HorizontalPodAutoscaler"] {
            let Some(kind) = steered(name) else { continue };
            let call = kind.call(Verb::List).ok_or_else(|| Stop::Api(unlisted(kind)))?;
            let target = kind.target(service.namespace.as_deref(), "");
            let list = match self.client.call_on(call, &target, &Body::Nothing, false) {
                Ok(list) => list,
                // KEDA is not installed.
                Err(error) if error.class() == Class::NotFound => continue,
                Err(error) => return Err(Stop::Api(error)),
            };
            let mut own = intend::autoscalers(&list, name, service).into_iter();
            if let Some(found) = own.next() {
                return match own.next() {
                    Some(other) => {
                        let both = format!("{} and {}", found.object, other.object);
                        Err(held(format!("{service} has two autoscalers: {both}")))
                    }
                    None => Ok(Some(found)),
                };
            }
        }
        Ok(None)
    }

    /// Has the server check the changes, its webhooks too, without making them.
    pub(super) fn check(
        &self,
        changes: &[Change],
        seen: &[Seen],
        step: &StepId,
    ) -> Result<(), Stop> {
        for change in changes {
            let Some(seen) = seen.iter().find(|seen| seen.object == change.object) else {
                continue;
            };
            self.check_one(change, seen.clone(), step)?;
        }
        Ok(())
    }

    fn check_one(&self, change: &Change, mut seen: Seen, step: &StepId) -> Result<(), Stop> {
        for _ in 0..TRIES {
            match self.patch(&seen, &change.forth(&seen.value, step.as_str()), true) {
                Ok(()) => return Ok(()),
                // A webhook that cannot be asked without effects: it will be asked when it counts.
                Err(ApiError::Status { code: 400, message, .. })
                    if message.contains("does not support dry run") =>
                {
                    return Ok(());
                }
                Err(error) if error.class() == Class::Conflict => {}
                Err(error) => return Err(Stop::Api(error)),
            }
            let again = self.look_again(&change.object).map_err(Stop::Api)?;
            let same = again.filter(|again| again.wish() == change.wish);
            let changed = || conflict(format!("{} was changed since it was seen", change.object));
            seen = same.ok_or_else(changed)?;
        }
        Err(held(format!("{} changes all the time", change.object)))
    }

    fn patch(&self, seen: &Seen, patch: &Value, dry_run: bool) -> Result<(), ApiError> {
        let call = seen.kind.call(Verb::Patch).ok_or_else(|| unlisted(seen.kind))?;
        let target = seen.kind.target(seen.object.namespace.as_deref(), &seen.object.name);
        self.client.call_on(call, &target, &Body::Merge(patch), dry_run).map(|_| ())
    }

    /// Makes one change, if its object still is what was written down.
    fn make(&self, change: &Change, step: &StepId) -> Result<Made, EdgeError> {
        let not = |why: String| Ok(Made::Not(ReceiptOutcome::Conflict(why)));
        let object = &change.object;
        for _ in 0..TRIES {
            let seen = match self.look_again(object) {
                Ok(Some(seen)) if seen.object.uid == object.uid => seen,
                Ok(_) => return not(format!("{object} is not there any more")),
                Err(error) if is_unclear(&error) => return Err(edge(&error)),
                Err(error) => return Ok(Made::Not(ReceiptOutcome::Failed(words(&error)))),
            };
            if step_of(&seen.value) == Some(step.as_str()) {
                return Ok(Made::Already);
            }
            if seen.wish() != change.wish {
                return not(format!("{object} was changed since it was seen"));
            }
            match self.patch(&seen, &change.forth(&seen.value, step.as_str()), false) {
                Ok(()) => return Ok(Made::Done),
                // Someone wrote in between: what he wrote is looked at first.
                Err(error) if error.class() == Class::Conflict => {}
                Err(error) if is_unclear(&error) => return Err(edge(&error)),
                Err(error) if error.class() == Class::NotFound => {}
                Err(error) => return Ok(Made::Not(ReceiptOutcome::Failed(words(&error)))),
            }
        }
        not(format!("{object} changes all the time"))
    }

    /// Takes one change back, as far as it is there.
    pub(super) fn unmake(&self, change: &Change, step: &StepId) -> Result<Made, EdgeError> {
        let not = |why: String| Ok(Made::Not(ReceiptOutcome::Conflict(why)));
        let object = &change.object;
        for _ in 0..TRIES_BACK {
            let seen = match self.look_again(object).map_err(|error| retried(&error))? {
                Some(seen) if seen.object.uid == object.uid => seen,
                _ => return not(format!("{object} is not there any more")),
            };
            match change.standing(&seen.value) {
                Standing::Moved(why) => return not(why),
                Standing::Before if step_of(&seen.value) != Some(step.as_str()) => {
                    return Ok(Made::Already);
                }
                Standing::After if step_of(&seen.value).is_none() => {
                    let why = "has no mark of the step any more: someone else has it now";
                    return not(format!("{object} {why}"));
                }
                Standing::Before | Standing::After => {}
            }
            match self.allow(&seen) {
                Ok(()) => {}
                Err(Stop::Api(error)) => return Err(retried(&error)),
                Err(Stop::Held(why)) => return not(why),
                Err(Stop::Refused(outcome)) => return Ok(Made::Not(outcome)),
            }
            // A job's template may change only once it is held back and has let go of its pods.
            let halt = change.halt().filter(|halt| halt.standing(&seen.value) == Standing::After);
            let back = match &halt {
                Some(halt) => halt.back_marked(&seen.value, step.as_str()),
                None => change.back(&seen.value, step.as_str()),
            };
            match self.patch(&seen, &back, false) {
                Ok(()) if halt.is_some() => {}
                Ok(()) => return Ok(Made::Done),
                Err(error) if matches!(error.class(), Class::Conflict | Class::NotFound) => {}
                Err(error) if change.halt().is_some() && error.code() == Some(422) => {
                    self.shared.wait(REST, |_| false);
                }
                Err(error) => return Err(retried(&error)),
            }
        }
        not(format!("{object} changes all the time"))
    }

    /// Makes all changes in order, or none.
    pub(super) fn carry_out(
        &self,
        written: &Written,
        step: &StepId,
    ) -> Result<ReceiptOutcome, EdgeError> {
        let mut outcome = ReceiptOutcome::AlreadyDone;
        for (index, change) in written.changes.iter().enumerate() {
            match self.make(change, step)? {
                Made::Done => outcome = ReceiptOutcome::Done,
                Made::Already => {}
                Made::Not(why) => {
                    self.roll_back(&written.changes[..index], step)?;
                    return Ok(why);
                }
            }
        }
        Ok(outcome)
    }

    pub(super) fn roll_back(&self, changes: &[Change], step: &StepId) -> Result<(), EdgeError> {
        for change in changes.iter().rev() {
            self.unmake(change, step)?;
        }
        Ok(())
    }
}
