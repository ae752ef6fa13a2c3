//! Plans of the journal as objects in the cluster, and what people say on them.
//!
//! A Plan has the name of one plan of one journal for ever, so whoever approves it approves that
//! plan and no other: a name is never used again. What it says is shown; what is done is what the
//! journal has. Refuses to know a server.

use super::status::condition;
use farthing_engine::{Open, OpenStep, PlanRecord};
use farthing_kube::OurObject;
use farthing_model::{Money, StepId};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Most steps, and most who wait, that are shown.
const SHOWN: usize = 100;
/// The longest text that is shown of each.
const TEXT: usize = 512;
/// Plans that are kept in the cluster; older ones are handed to its garbage collector.
const KEPT: usize = 20;
/// Most that are handed over at once.
const RETIRED_AT_ONCE: usize = 20;

/// The name of a plan's object: its id, and which journal it is in.
pub(super) fn name(plan: &PlanRecord, journal: &str) -> String {
    let journal: String = journal.chars().take(8).collect();
    format!("{}-{journal}", plan.plan).to_ascii_lowercase()
}

/// What is shown of a plan.
pub(super) fn spec(plan: &PlanRecord, open: &Open, now: Timestamp) -> Value {
    let steps = plan.steps.iter().take(SHOWN).map(|step| {
        let reasons = step.reasons.iter().take(8).map(|why| cut(why));
        json!({
            "step": step.step,
            "what": cut(&crate::show::statement::action(&step.action)),
            "cost": step.cost,
            "saving": step.saving,
            "reasons": reasons.collect::<Vec<_>>(),
            "expires": step.expires,
        })
    });
    let waiting = plan.waiting.iter().take(SHOWN).map(|waiting| {
        json!({
            "workload": cut(&waiting.workload),
            "members": waiting.members,
            "reason": cut(&waiting.reason),
        })
    });
    let mut spec = json!({
        "plan": plan.plan,
        "made": now.to_string(),
        "cost": plan.cost,
        "status": plan.status,
        "count": plan.steps.len(),
        "steps": steps.collect::<Vec<_>>(),
        "waiting": waiting.collect::<Vec<_>>(),
    });
    if let Some(bound) = &plan.lower_bound {
        spec["lowerBound"] = json!(bound);
    }
    if let Some(saving) = saving(plan, open) {
        spec["saving"] = json!(saving.to_string());
    }
    spec
}

/// What the steps of a plan save, all together; `None` where that is no sum.
fn saving(plan: &PlanRecord, open: &Open) -> Option<Money> {
    let mut sum: Option<Money> = None;
    for step in proposed(plan, open) {
        let saving = step.step.saving;
        sum = Some(match sum {
            None => saving,
            Some(sum) => sum.checked_add(saving).ok()?,
        });
    }
    sum
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

/// The steps of a plan that are proposed still.
fn proposed<'o>(plan: &'o PlanRecord, open: &'o Open) -> impl Iterator<Item = &'o OpenStep> {
    let of_plan = |it: &&OpenStep| plan.steps.iter().any(|own| own.step == it.step.id.as_str());
    open.steps.values().filter(|it| it.is_planned()).filter(of_plan)
}

/// A person's word on a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Which.
    pub(crate) step: StepId,
    /// Yes or no.
    pub(crate) approved: bool,
    /// Who, as far as it is known.
    pub(crate) by: String,
}

/// What people say on the plan of now that the journal does not have yet.
pub(super) fn words(
    objects: &[OurObject],
    open: &Open,
    journal: &str,
    now: Timestamp,
) -> Vec<Word> {
    let Some(plan) = &open.plan else { return Vec::new() };
    let current = name(plan, journal);
    let found = objects.iter().find(|it| it.kind == "Plan" && it.name == current);
    let Some((object, approved)) = found.and_then(|it| Some((it, word(it)?))) else {
        return Vec::new();
    };
    let by = format!("plan {current} in the cluster, field manager {}", who(object));
    let news =
        proposed(plan, open).filter(|it| it.approved != Some(approved) && now <= it.step.expires);
    news.map(|it| Word { step: it.step.id.clone(), approved, by: by.clone() }).collect()
}

fn word(object: &OurObject) -> Option<bool> {
    object.spec["approved"].as_bool()
}

fn who(object: &OurObject) -> &str {
    object.approver.as_deref().unwrap_or("unknown")
}

/// What is said of a plan's object: whether it is the plan of now, and what became of the word on
/// it.
///
/// `heard` is the word that this run heard on it, which may be done before it is said.
pub(super) fn status(
    object: &OurObject,
    open: &Open,
    journal: &str,
    heard: Option<&Word>,
) -> Value {
    let current = open.plan.as_ref().filter(|plan| name(plan, journal) == object.name);
    let (truth, reason, message) = match (current, &open.plan) {
        (Some(_), _) => ("True", "Newest", "it is the newest plan".to_owned()),
        (None, Some(plan)) => {
            let message = format!(
                "plan {} took its place; what was approved here and not done is not done",
                name(plan, journal)
            );
            ("False", "Outdated", message)
        }
        (None, None) => ("False", "Unknown", "the journal has no plan".to_owned()),
    };
    let mut status = json!({
        "observedGeneration": object.generation,
        "conditions": [condition("Current", truth, (reason, &message))],
    });
    for field in ["approved", "by"] {
        if let Some(said) = object.status[field].as_str() {
            status[field] = json!(said);
        }
    }
    if let Some(word) = heard {
        status["approved"] = json!(if word.approved { "yes" } else { "no" });
        status["by"] = json!(word.by);
    }
    if let Some(plan) = current {
        status["open"] = json!(proposed(plan, open).count());
    }
    status
}

/// Plans that are too many: the oldest, never that of now.
pub(super) fn too_many<'o>(objects: &'o [OurObject], current: &str) -> Vec<&'o OurObject> {
    let plans = objects.iter().filter(|it| it.kind == "Plan" && !it.is_retired);
    let plans: Vec<&OurObject> = plans.filter(|it| it.name != current).collect();
    let over = plans.len().saturating_sub(KEPT);
    plans.into_iter().take(over.min(RETIRED_AT_ONCE)).collect()
}
