//! Records of what is taken back from what runs. Storage types, as those of [`crate::record`],
//! where to start.

use crate::execute::target;
use crate::journal::{Open, OpenStep, Stage};
use crate::record::{RecordError, StepRecord};
use farthing_model::StepId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Steps that take something back from what runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReclaimedRecord {
    /// Why.
    pub cause: Cause,
    /// The steps.
    pub steps: Vec<StepRecord>,
    /// Proposals of before that are none any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
}

/// Why something is taken back from what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It did nothing.
    Idle,
    /// There were more replicas than were needed.
    Replicas,
    /// What members may use was far from needed.
    Limits,
    /// Nodes that are paid for anyway have room, and a job would be late.
    Lent,
    /// A node is sick.
    Sick,
    /// Something waits for room.
    Bought,
}

impl Cause {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Replicas => "replicas",
            Self::Limits => "limits",
            Self::Lent => "lent",
            Self::Sick => "sick",
            Self::Bought => "bought",
        }
    }
}

impl Open {
    /// What is taken back from what runs stands beside the plan.
    pub(crate) fn reclaimed(
        &mut self,
        at: Timestamp,
        record: &ReclaimedRecord,
    ) -> Result<(), RecordError> {
        // What a person refused is remembered for as long as its target stays as it is.
        self.steps.retain(|_, open| {
            let is_old = open.stage == Stage::Proposed && open.reclaim == Some(record.cause);
            let is_none = record.withdrawn.iter().any(|step| step == open.step.id.as_str());
            !is_old || (!is_none && at <= open.step.expires) || open.approved == Some(false)
        });
        for step in &record.steps {
            let (step, reclaim) = (step.to_step()?, Some(record.cause));
            // The same target has one proposal of a cause: the newest.
            self.steps.retain(|_, open| {
                open.stage != Stage::Proposed
                    || open.reclaim != reclaim
                    || target(&open.step.action) != target(&step.action)
            });
            let open = OpenStep { reclaim, ..OpenStep::proposed(step, at) };
            self.steps.insert(open.step.id.clone(), open);
        }
        Ok(())
    }

    /// A step is taken back: what it covered is in force again from then on.
    pub(crate) fn undone(&mut self, at: Timestamp, step: &str) -> Result<(), RecordError> {
        let id = StepId::new(step).map_err(RecordError::Id)?;
        let gone = self.steps.remove(&id);
        if let Some(open) = gone.filter(|open| open.reclaim.is_some())
            && let Some(workload) = open.workload()
        {
            self.given_back.retain(|_, back| at.duration_since(*back).as_hours() < 24 * 7);
            self.given_back.insert(workload.clone(), at);
        }
        for open in self.steps.values_mut().filter(|it| it.covered_by.as_ref() == Some(&id)) {
            (open.covered_by, open.posted_before) = (None, None);
            open.stage = Stage::InForce(at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::record::Body;
    use farthing_edge::MemoryStore;
    use farthing_model::{Action, Currency, Money, OfferId, Reason, Step, Window, WorkloadId};
    use jiff::SignedDuration;

    fn at(minute: i64) -> Timestamp {
        let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        midnight + SignedDuration::from_mins(minute)
    }

    fn web() -> WorkloadId {
        WorkloadId::new("serving/web").unwrap()
    }

    fn fewer(id: &str, (from, to): (u32, u32)) -> Body {
        let step = Step {
            id: StepId::new(id).unwrap(),
            action: Action::Scale {
                workload: web(),
                offer: OfferId::new("lab/here/m/on-demand").unwrap(),
                from,
                to,
                nodes_each: 1,
                window: Window::starting(at(0), SignedDuration::from_hours(1)).unwrap(),
            },
            generation: 1,
            cost: Money::zero(Currency::USD),
            saving: Money::zero(Currency::USD),
            reasons: vec![Reason::Band("not needed".to_owned())],
            expires: at(60),
        };
        let steps = vec![StepRecord::of(&step)];
        let withdrawn = Vec::new();
        Body::Reclaimed(ReclaimedRecord { cause: Cause::Replicas, steps, withdrawn })
    }

    fn done(id: &str, minute: i64) -> [Body; 2] {
        let step = id.to_owned();
        let outcome = "done".to_owned();
        let (at, detail) = (at(minute).to_string(), String::new());
        [
            Body::Intended { step: step.clone(), before: Some("{}".to_owned()) },
            Body::Receipted { step, at, outcome, detail },
        ]
    }

    fn in_force(journal: &Journal<MemoryStore>) -> Vec<(String, Timestamp)> {
        let open = journal.state().in_force();
        open.map(|(open, since)| (open.step.id.to_string(), since)).collect()
    }

    #[test]
    fn a_step_that_is_covered_is_in_force_again_when_what_covers_it_is_taken_back() {
        let mut journal = Journal::open(MemoryStore::default()).unwrap();
        journal.append(at(0), &[fewer("r1-1", (8, 5))]).unwrap();
        journal.append(at(0), &done("r1-1", 0)).unwrap();
        journal.append(at(30), &[fewer("r2-1", (5, 2))]).unwrap();
        let by = Body::Covered { step: "r1-1".to_owned(), by: "r2-1".to_owned() };
        journal.append(at(30), &[by]).unwrap();
        journal.append(at(30), &done("r2-1", 30)).unwrap();
        assert_eq!(in_force(&journal), [("r2-1".to_owned(), at(30))]);
        assert_eq!(crate::reclaim::first(journal.state(), &web()), Some(8), "before all of it");
        // As a process that has just started reads it.
        let mut journal = Journal::open(journal.into_store()).unwrap();
        let undone = Body::Undone { step: "r2-1".to_owned(), outcome: "done".to_owned() };
        journal.append(at(90), &[undone]).unwrap();
        assert_eq!(in_force(&journal), [("r1-1".to_owned(), at(90))], "it counts from then on");
        assert_eq!(journal.state().given_back.get(&web()), Some(&at(90)));
        let undone = Body::Undone { step: "r1-1".to_owned(), outcome: "done".to_owned() };
        journal.append(at(91), &[undone]).unwrap();
        assert!(in_force(&journal).is_empty() && journal.state().steps.is_empty());
    }

    #[test]
    fn a_proposal_stands_beside_plans_until_it_expires_and_a_no_is_remembered() {
        let mut journal = Journal::open(MemoryStore::default()).unwrap();
        journal.append(at(0), &[fewer("r1-1", (8, 5))]).unwrap();
        // The newest is the one that counts.
        journal.append(at(10), &[fewer("r2-1", (8, 4))]).unwrap();
        let names = |journal: &Journal<MemoryStore>| -> Vec<String> {
            journal.state().steps.keys().map(ToString::to_string).collect()
        };
        assert_eq!(names(&journal), ["r2-1"]);
        let (cause, steps) = (Cause::Replicas, Vec::new());
        let withdrawn = vec!["r2-1".to_owned()];
        journal
            .append(at(10), &[Body::Reclaimed(ReclaimedRecord { cause, steps, withdrawn })])
            .unwrap();
        assert!(names(&journal).is_empty(), "nobody is to approve it any more");
        journal.append(at(10), &[fewer("r2-1", (8, 4))]).unwrap();
        let (step, by, approved) = ("r2-1".to_owned(), "ada".to_owned(), false);
        journal.append(at(11), &[Body::Approved { step, by, approved }]).unwrap();
        let plan = concat!(
            r#"{"record":"planned","plan":"p1","policy":"farthing","cost":"3 USD","#,
            r#""status":"optimal","steps":[],"waiting":[]}"#
        );
        let plan: Body = serde_json::from_str(plan).unwrap();
        journal.append(at(120), &[plan]).unwrap();
        assert_eq!(names(&journal), ["r2-1"], "who said no is not asked for the same again");
    }
}
