//! `steps`: what is proposed and what is in force, and what a person can do about it; `explain`
//! of a step or a plan.

use super::plan::StepJson;
use super::scalar::time;
use farthing_engine::{BindingRecord, Body, Open, OpenStep, PlanRecord, Stage, StepRecord, Story};
use farthing_model::Mode;
use jiff::Timestamp;
use serde::Serialize;

/// A step that is proposed, begun or in force.
#[derive(Clone, Debug, Serialize)]
pub struct OpenStepJson {
    /// What it does, and why.
    #[serde(flatten)]
    pub step: StepJson,
    /// The currency of its money.
    pub currency: String,
    /// When it was proposed.
    pub proposed: String,
    /// `proposed`, `begun` (it is not known whether it took effect) or `in-force`.
    pub stage: &'static str,
    /// Since when it is in force.
    pub in_force_since: Option<String>,
    /// What a person said; `null` = nothing yet.
    pub approved: Option<bool>,
    /// Budget set aside for it.
    pub reserved: Option<String>,
    /// In which budgets.
    pub budgets: Vec<String>,
    /// What can be done now: `approve`, `reject`, `undo`.
    pub can: Vec<&'static str>,
}

/// The wire form of an open step, as of `now`, where `mode` says what is done.
pub fn open_step(open: &OpenStep, mode: Mode, now: Timestamp) -> OpenStepJson {
    let (stage, in_force_since) = match open.stage {
        Stage::Proposed => ("proposed", None),
        Stage::Begun => ("begun", None),
        Stage::InForce(since) => ("in-force", Some(time(since))),
    };
    OpenStepJson {
        step: StepJson::of(&open.step),
        currency: open.step.cost.currency().to_string(),
        proposed: time(open.proposed),
        stage,
        in_force_since,
        approved: open.approved,
        reserved: open.reserved.map(farthing_model::Money::to_decimal),
        budgets: open.budgets.clone(),
        can: can(open, mode, now),
    }
}

/// All open steps: proposals in the order of the plan, then what is in force, newest first.
pub fn open_steps(open: &Open, mode: Mode, now: Timestamp) -> Vec<OpenStepJson> {
    let rank = |step: &OpenStep| {
        let place = open.plan.as_ref().and_then(|plan| {
            plan.steps.iter().position(|record| record.step == step.step.id.as_str())
        });
        (step.stage != Stage::Proposed, std::cmp::Reverse(step.proposed), place)
    };
    let mut steps: Vec<&OpenStep> = open.steps.values().collect();
    steps.sort_by_key(|step| rank(step));
    steps.into_iter().map(|step| open_step(step, mode, now)).collect()
}

fn can(open: &OpenStep, mode: Mode, now: Timestamp) -> Vec<&'static str> {
    match open.stage {
        Stage::Proposed if mode == Mode::Approve && now <= open.step.expires => {
            match open.approved {
                None => vec!["approve", "reject"],
                Some(true) => vec!["reject"],
                Some(false) => vec!["approve"],
            }
        }
        Stage::InForce(_) => vec!["undo"],
        Stage::Proposed | Stage::Begun => Vec::new(),
    }
}

/// What the journal says of a step or a plan.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum StoryJson<'a> {
    /// Of a step.
    Step {
        /// The id of its plan.
        plan: &'a str,
        /// The policy that made it.
        policy: &'a str,
        /// What it does, and why.
        step: &'a StepRecord,
        /// What became of it, in order.
        then: Vec<HappenedJson<'a>>,
        /// What bound the plan.
        binding: &'a [BindingRecord],
    },
    /// Of a plan.
    Plan {
        /// All of it.
        plan: &'a PlanRecord,
    },
}

/// Something that was recorded of a step.
#[derive(Clone, Debug, Serialize)]
pub struct HappenedJson<'a> {
    /// When.
    pub at: String,
    /// What, as the journal has it: its kind is in `record`.
    #[serde(flatten)]
    pub body: &'a Body,
}

/// The wire form of a story.
pub fn story(story: &Story) -> StoryJson<'_> {
    let plan = &story.plan;
    let Some(step) = &story.step else { return StoryJson::Plan { plan } };
    let then = story.then.iter();
    let then = then.map(|(at, body)| HappenedJson { at: time(*at), body }).collect();
    let binding = &plan.binding;
    StoryJson::Step { plan: &plan.plan, policy: &plan.policy, step, then, binding }
}
