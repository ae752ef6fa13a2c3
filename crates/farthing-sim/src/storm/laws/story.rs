//! What the journal says of each step, folded by the auditor himself.

use farthing_engine::StepRecord;
use farthing_model::{Action, Money, OfferId, Step, StepId, WorkloadId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// For which work on which offer something is set aside and posted.
pub(super) type Account = (WorkloadId, OfferId);

/// All that the journal says of one step.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) step: Step,
    /// As it was written.
    pub(super) record: StepRecord,
    /// Proposed by a rung of a ladder, and not by a plan.
    pub(super) by_rung: bool,
    pub(super) proposed: Timestamp,
    pub(super) approved: Option<bool>,
    pub(super) reserved: Option<Money>,
    pub(super) posted_before: Option<Money>,
    /// How often it was begun, and in which record last.
    pub(super) intended: u32,
    pub(super) intended_in: u64,
    /// Outcomes, and when the world says that they were.
    pub(super) outcomes: Vec<(String, Timestamp)>,
    pub(super) settled: Option<Money>,
    pub(super) undone: bool,
}

impl Story {
    pub(super) const fn new(step: Step, record: StepRecord, at: Timestamp, by_rung: bool) -> Self {
        Self {
            step,
            record,
            by_rung,
            proposed: at,
            approved: None,
            reserved: None,
            posted_before: None,
            intended: 0,
            intended_in: 0,
            outcomes: Vec::new(),
            settled: None,
            undone: false,
        }
    }

    /// Whether the journal says that it was done.
    pub(super) fn is_done(&self) -> bool {
        self.outcomes.iter().any(|(outcome, _)| outcome == "done" || outcome == "already-done")
    }

    /// When the journal says that it was done.
    pub(super) fn happened(&self) -> Option<Timestamp> {
        self.outcomes.first().filter(|_| self.is_done()).map(|(_, at)| *at)
    }

    /// Whether it is done, and neither settled nor taken back.
    pub(super) fn is_in_force(&self) -> bool {
        self.is_done() && self.settled.is_none() && !self.undone
    }

    /// Whether it was begun, and nothing is known of it.
    pub(super) fn is_begun(&self) -> bool {
        self.intended > 0 && self.outcomes.is_empty() && !self.undone
    }

    /// What is set aside and posted under.
    pub(super) fn account(&self) -> Option<Account> {
        match &self.step.action {
            Action::Start { workload, offer, .. } | Action::Scale { workload, offer, .. } => {
                Some((workload.clone(), offer.clone()))
            }
            _ => None,
        }
    }
}

/// All stories.
#[derive(Clone, Debug, Default)]
pub(super) struct Stories {
    pub(super) by_id: BTreeMap<StepId, Story>,
}

impl Stories {
    pub(super) fn get(&mut self, id: &str) -> Option<&mut Story> {
        self.by_id.get_mut(&StepId::new(id).ok()?)
    }

    /// Whether a later step sets the replicas of the same service on the same offer.
    pub(super) fn is_superseded(&self, story: &Story, now: Timestamp) -> bool {
        self.by_id.values().any(|other| {
            other.account() == story.account()
                && other.happened() > story.happened()
                && other.happened() <= Some(now)
        })
    }
}
