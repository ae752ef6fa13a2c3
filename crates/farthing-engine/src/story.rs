//! What the journal says of one plan or one step, from the records as they are read.

use crate::record::{Body, PlanRecord, StepRecord};
use jiff::Timestamp;

/// A plan, or one step of it with what became of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The plan.
    pub plan: PlanRecord,
    /// The step, where one was asked for.
    pub step: Option<StepRecord>,
    /// What was recorded of the step after its plan, in order.
    pub then: Vec<(Timestamp, Body)>,
}

impl Story {
    /// Takes the next record of a journal that is read from its start; afterwards `story` is what
    /// the records so far say of the plan or step `id`.
    pub fn read(story: &mut Option<Self>, id: &str, at: Timestamp, body: Body) {
        if let Body::Planned(plan) = body {
            let step = plan.steps.iter().find(|step| step.step == id).cloned();
            if step.is_some() || plan.plan == id {
                *story = Some(Self { plan, step, then: Vec::new() });
            }
            return;
        }
        if let Some(story) = story.as_mut().filter(|_| body.step() == Some(id)) {
            story.then.push((at, body));
        }
    }
}

impl Body {
    /// The step that it is about.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Approved { step, .. }
            | Self::Reserved { step, .. }
            | Self::Intended { step, .. }
            | Self::Receipted { step, .. }
            | Self::Settled { step, .. }
            | Self::Covered { step, .. }
            | Self::Undone { step, .. } => Some(step),
            Self::Verified(record) => Some(&record.step),
            Self::Planned(_)
            | Self::Started { .. }
            | Self::Reconfigured { .. }
            | Self::Claimed(_)
            | Self::Released { .. }
            | Self::Limited(_)
            | Self::Escalated(_)
            | Self::Reclaimed(_)
            | Self::Alerted(_)
            | Self::Delivered(_)
            | Self::Noted { .. }
            | Self::Issued(_)
            | Self::Revoked { .. }
            | Self::Accessed(_)
            | Self::Checkpoint { .. }
            | Self::Ran(_)
            | Self::Closed { .. } => None,
        }
    }
}
