//! What the loop says of an object of ours in its `status`.

use serde_json::{Value, json};

/// What all of them have.
fn with(own: Value) -> Value {
    let mut properties = json!({
        "observedGeneration": {
            "type": "integer",
            "format": "int64",
            "description": "The generation of the object that this is said of.",
        },
        "conditions": {
            "type": "array",
            "description": "Accepted: whether the object is in force as it stands, and why not.",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["type", "status", "lastTransitionTime", "reason", "message"],
                "properties": {
                    "type": { "type": "string", "maxLength": 316 },
                    "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                    "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
                    "lastTransitionTime": { "type": "string", "format": "date-time" },
                    "reason": { "type": "string", "minLength": 1, "maxLength": 1024 },
                    "message": { "type": "string", "maxLength": 32768 },
                },
            },
        },
    });
    if let (Some(all), Value::Object(own)) = (properties.as_object_mut(), own) {
        all.extend(own);
    }
    json!({
        "type": "object",
        "description": "What the loop says of it. Written by the loop.",
        "properties": properties,
    })
}

fn text(doc: &str) -> Value {
    json!({ "type": "string", "description": doc })
}

pub(super) fn budget() -> Value {
    with(json!({
        "period": {
            "type": "object",
            "description": "The period around now.",
            "properties": {
                "from": text("Its first moment."),
                "to": text("The first moment after it; none of a rolling one."),
            },
        },
        "limit": text("The limit of this period: with what came over, and what was allowed."),
        "spent": text("Posted in the ledger."),
        "committed": text("Set aside and not posted yet."),
        "reserved": text("Of what is committed, what was claimed from outside the loop."),
        "forecast": text("What it comes to by the end of the period, at the usual pace."),
        "gone": text("The part of the limit that is spent or committed."),
        "rung": text("The rung of the ladder that is reached."),
    }))
}

pub(super) fn policy() -> Value {
    with(json!({
        "mode": text("The mode in force: that of the spec, or less where less can be done here."),
    }))
}

pub(super) fn price_book() -> Value {
    with(json!({
        "offers": {
            "type": "integer",
            "format": "int32",
            "description": "Offers in force of all price books together.",
        },
    }))
}

pub(super) fn plan() -> Value {
    with(json!({
        "approved": text("Whether the word of `spec.approved` is in the journal: yes or no."),
        "by": text("Who said it, as far as the server tells: the field manager."),
        "open": {
            "type": "integer",
            "format": "int32",
            "description": "Steps that are neither done nor expired.",
        },
    }))
}
