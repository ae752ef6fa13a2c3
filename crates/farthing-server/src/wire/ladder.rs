//! What the ladder of a budget takes away, or would: a part of a budget as it stands.

use super::scalar::{ratio, time};
use farthing_engine::{How, Relief, Stage, Taken, target};
use farthing_model::{Action, Currency};
use serde::Serialize;

/// A step of a ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LadderStepJson {
    /// Its id; `farthing undo` takes it back once it is done.
    pub step: String,
    /// The workload that is cut.
    pub workload: String,
    /// `suspend` a job, or `scale` a service.
    #[serde(rename = "do")]
    pub action: &'static str,
    /// The same in words.
    pub what: String,
    /// What it saves in the period, in the budget's currency.
    pub saves: String,
    /// `proposed`, `rejected`, `begun` (it is not known whether it took effect) or `in-force`.
    pub state: &'static str,
    /// Since when it is in force.
    pub since: Option<String>,
    /// Why it is done, and what it loses.
    pub reasons: Vec<String>,
}

/// What a rung takes away.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReliefJson {
    /// What has to be free again, in the unit of the limit: for what is committed to be below the
    /// rung, and for the period to end within the limit.
    pub need: String,
    /// Whether the cuts free that much.
    pub enough: bool,
    /// Whether nothing that frees as much loses less.
    pub proven: bool,
    /// The cuts.
    pub cuts: Vec<ReliefCutJson>,
}

/// A workload that is cut for a budget, or would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReliefCutJson {
    /// Which.
    pub workload: String,
    /// `suspend` a job, or `scale` a service.
    #[serde(rename = "do")]
    pub action: &'static str,
    /// Where a service loses replicas.
    pub offer: Option<String>,
    /// How many it has there.
    pub replicas_from: Option<u32>,
    /// How many are left.
    pub replicas_to: Option<u32>,
    /// The part of its requests that is carried with all of its cuts.
    pub carried: Option<f64>,
    /// What it would still have cost in the period.
    pub frees: String,
    /// What it would still have taken of a limit in GPU-hours; `null` of one in money.
    pub frees_gpu_hours: Option<String>,
    /// What it costs to have it back: of a job saving its work and starting it again, of replicas
    /// their boots.
    pub loses: String,
    /// The value that is lost: of a job that is then late, of requests that are not carried.
    pub loses_value: String,
    /// The step that does it; undoing it takes it back.
    pub step: Option<String>,
}

impl ReliefJson {
    pub(super) fn of(relief: &Relief) -> Self {
        Self {
            need: relief.need.to_decimal(),
            enough: relief.enough,
            proven: relief.proven,
            cuts: relief.cuts.iter().map(ReliefCutJson::of).collect(),
        }
    }
}

impl ReliefCutJson {
    fn of(cut: &farthing_engine::Cut) -> Self {
        let (action, offer, counts, carried) = match &cut.how {
            How::Suspend => ("suspend", None, None, None),
            How::Shrink { offer, from, to, carried, .. } => {
                ("scale", Some(offer.to_string()), Some((*from, *to)), Some(ratio(*carried)))
            }
        };
        Self {
            workload: cut.workload.to_string(),
            action,
            offer,
            replicas_from: counts.map(|(from, _)| from),
            replicas_to: counts.map(|(_, to)| to),
            carried,
            frees: cut.frees.to_decimal(),
            frees_gpu_hours: (cut.of_budget.currency() == Currency::GPU_HOURS)
                .then(|| cut.of_budget.to_decimal()),
            loses: cut.loses.to_decimal(),
            loses_value: cut.loses_value.to_string(),
            step: cut.step.as_ref().map(ToString::to_string),
        }
    }
}

impl LadderStepJson {
    pub(super) fn of(taken: &Taken) -> Self {
        let step = &taken.step;
        let workload = target(&step.action);
        let what = match &step.action {
            Action::Scale { offer, from, to, .. } => {
                format!("scale {workload} on {offer} from {from} to {to}")
            }
            action => format!("{} {workload}", action.name()),
        };
        let (state, since) = match &taken.stage {
            Stage::Proposed if taken.approved == Some(false) => ("rejected", None),
            Stage::Proposed => ("proposed", None),
            Stage::Begun => ("begun", None),
            Stage::InForce(since) => ("in-force", Some(time(*since))),
        };
        Self {
            step: step.id.to_string(),
            workload,
            action: step.action.name(),
            what,
            saves: step.saving.to_decimal(),
            state,
            since,
            reasons: step.reasons.iter().map(ToString::to_string).collect(),
        }
    }
}
