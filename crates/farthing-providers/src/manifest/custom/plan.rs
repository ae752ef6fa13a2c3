//! Plans as objects: what the loop wrote down, and a person's word on it.

use super::{AGE, Column};
use serde_json::{Value, json};

pub(super) const DOC: &str = "A plan of the loop, written by it. A person approves it by \
    `spec.approved: true`; its name is that of one plan for ever, so nothing else is approved by \
    that.";

pub(super) const COLUMNS: &[Column] = &[
    ("Plan", "string", ".spec.plan"),
    ("Steps", "integer", ".spec.count"),
    ("Cost", "string", ".spec.cost"),
    ("Saving", "string", ".spec.saving"),
    ("Status", "string", ".spec.status"),
    ("Approved", "boolean", ".spec.approved"),
    ("Current", "string", ".status.conditions[?(@.type==\"Current\")].status"),
    AGE,
];

/// Most steps of a plan that are shown; `count` says how many there are.
const STEPS_MAX: usize = 100;
/// The longest text in a step.
const TEXT_MAX: usize = 512;

/// Everything but `approved` stays as it was written.
pub(super) fn spec() -> Value {
    let text = |doc: &str| json!({ "type": "string", "maxLength": TEXT_MAX, "description": doc });
    let same = |field: &str| {
        json!({
            "rule": format!(
                "has(self.{field}) == has(oldSelf.{field}) && \
                 (!has(self.{field}) || self.{field} == oldSelf.{field})"
            ),
            "message": format!(
                "a plan stays as it was made: `{field}` is not changed, only `approved` is"
            ),
        })
    };
    let stays = ["plan", "made", "count", "steps"].map(same);
    let reasons = json!({
        "type": "array",
        "maxItems": 8,
        "description": "Why.",
        "items": { "type": "string", "maxLength": TEXT_MAX },
    });
    json!({
        "type": "object",
        "required": ["plan", "made", "count"],
        "x-kubernetes-validations": stays,
        "properties": {
            "approved": {
                "type": "boolean",
                "description":
                    "A person's word on all of its steps: true, or false for a refusal.",
            },
            "plan": text("Its id in the journal."),
            "made": text("When it was written down."),
            "cost": text("What everything placed costs."),
            "lowerBound": text("What it costs at least, proven."),
            "saving": text("What its steps save, all together."),
            "status": text("optimal, feasible or infeasible."),
            "count": {
                "type": "integer",
                "format": "int32",
                "description": "How many steps it has; the first of them are shown.",
            },
            "steps": {
                "type": "array",
                "maxItems": STEPS_MAX,
                "description": "What is to be done.",
                "items": { "type": "object", "properties": {
                    "step": text("Its id."),
                    "what": text("What it does, to what."),
                    "cost": text("Expected cost."),
                    "saving": text("Expected saving."),
                    "reasons": reasons,
                    "expires": text("Not to be done after."),
                } },
            },
            "waiting": {
                "type": "array",
                "maxItems": STEPS_MAX,
                "description": "Who waits, and why.",
                "items": { "type": "object", "properties": {
                    "workload": text("Who."),
                    "members": { "type": "integer", "format": "int32" },
                    "reason": text("Why."),
                } },
            },
        },
    })
}
