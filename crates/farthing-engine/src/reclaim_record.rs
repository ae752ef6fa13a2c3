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
}

/// Why something is taken back from what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It did nothing.
    Idle,
    /// There were more replicas than were needed.
    Replicas,
    /// A node is sick.
    Sick,
}

impl Cause {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Replicas => "replicas",
            Self::Sick => "sick",
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
            !is_old || at <= open.step.expires || open.approved == Some(false)
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
