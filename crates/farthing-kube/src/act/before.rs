//! What was held lately, and why: as long as the object and its namespace are watched to be as they
//! were, the answer is the same and nobody has to be asked for it, tick after tick.
//!
//! Only what annotations and fields of the object hold is remembered, and that for minutes: who
//! scales it is not part of it. Refuses to know what may be touched.

use crate::state::State;
use crate::subject::Subject;
use farthing_model::{Action, WorkloadId};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long an answer holds.
const HOLDS: SignedDuration = SignedDuration::from_mins(5);
/// Most answers that are remembered.
const KNOWN_MAX: usize = 10_000;

/// Which writings of an object and of its namespace an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    uid: String,
    version: String,
    namespace: Option<u64>,
}

impl Basis {
    pub(super) fn of(state: &State, subject: &Subject) -> Self {
        let namespace = state.namespaces.get(&*subject.namespace).map(|rule| rule.version);
        let (uid, version) = (subject.uid.clone(), subject.resource_version.clone());
        Self { uid, version, namespace }
    }
}

/// What was asked: an action on a workload, without its times.
type Asked = (WorkloadId, &'static str, (u32, u32));

/// Answers by what was asked.
#[derive(Debug, Default)]
pub(super) struct Before(BTreeMap<Asked, (Basis, Timestamp, String)>);

/// `None` for what depends on more than its object: nodes, and the pods on them.
fn asked(action: &Action) -> Option<Asked> {
    let sizes = match action {
        Action::Suspend { .. } | Action::Resume { .. } => (0, 0),
        Action::Scale { from, to, .. } => (*from, *to),
        Action::Start { .. }
        | Action::Resize { .. }
        | Action::Release { .. }
        | Action::Buy { .. } => return None,
    };
    Some((action.workload()?.clone(), action.name(), sizes))
}

impl Before {
    /// Why an action was held, if it still is for the same reason.
    pub(super) fn held(&self, action: &Action, basis: &Basis, now: Timestamp) -> Option<&str> {
        let (rests_on, at, why) = self.0.get(&asked(action)?)?;
        let is_new = now.duration_since(*at).abs() < HOLDS;
        (is_new && rests_on == basis).then_some(why)
    }

    pub(super) fn remember(&mut self, action: &Action, (basis, why): (Basis, &str), at: Timestamp) {
        let Some(asked) = asked(action) else { return };
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        self.0.insert(asked, (basis, at, why.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_while_its_object_is_as_it_was_and_for_minutes() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let workload = WorkloadId::new("n/j").unwrap();
        let suspend = Action::Suspend { workload: workload.clone() };
        let basis = |version: &str| Basis {
            uid: "u".to_owned(),
            version: version.to_owned(),
            namespace: Some(7),
        };
        let mut before = Before::default();
        before.remember(&suspend, (basis("1"), "it says no"), at(0));
        assert_eq!(before.held(&suspend, &basis("1"), at(4)), Some("it says no"));
        assert_eq!(before.held(&suspend, &basis("2"), at(4)), None, "it was changed");
        assert_eq!(before.held(&suspend, &basis("1"), at(5)), None, "asked again");
        assert_eq!(before.held(&Action::Resume { workload }, &basis("1"), at(1)), None);
    }
}
