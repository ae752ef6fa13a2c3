//! The fields of `kind: Budget`.

use super::{
    Any, Duration, Labels, List, MODES, Map, Money, OneOf, Shape, Share, Text, Time, Truth, may,
    must,
};

pub(crate) static BUDGET: Shape = Shape {
    name: "BudgetSpec",
    doc: "A limit for a scope over a period.",
    fields: &[
        must("scope", Any(&[OneOf(&["all"]), Map(&SCOPE)]), "Whose spending."),
        must(
            "limit",
            Any(&[Money, Text]),
            "Money (120000 USD) or accelerator time (500 GPU-hours).",
        ),
        must("period", Any(&[OneOf(PERIODS), Map(&SPAN)]), "Over which span, in UTC."),
        may("hard", Truth, "Whether work is held back by it. Default: true."),
        may(
            "escalate",
            List(&Map(&ESCALATION)),
            "What happens at which part of the limit, ascending.",
        ),
        may(
            "carry",
            Map(&CARRY),
            "What is not spent goes on to the next period. Default: it is gone.",
        ),
    ],
};

pub(crate) const PERIODS: &[&str] = &["day", "week", "month", "quarter"];

pub(crate) static SCOPE: Shape = Shape {
    name: "Scope",
    doc: "What counts, level by level: what is given must all be so. Or all.",
    fields: &[
        may("organisation", Text, "The label `organisation`."),
        may("team", Text, "The label `team`."),
        may("project", Text, "The label `project`."),
        may("user", Text, "The label `user`, or the owner of a process."),
        may("label", Labels, "Other labels, such as {stage: nightly}."),
        may("all", Truth, "Everything: true."),
    ],
};

pub(crate) static SPAN: Shape = Shape {
    name: "Span",
    doc: "One fixed span, or the last so many days at every moment.",
    fields: &[
        may("from", Time, "First moment."),
        may("to", Time, "First moment after."),
        may("last", Duration, "Whole days, such as 30d."),
    ],
};

pub(crate) static CARRY: Shape = Shape {
    name: "Carry",
    doc: "What a period leaves goes on to the next one.",
    fields: &[
        must(
            "max",
            Any(&[Money, Text]),
            "The most that goes on: an amount, or a part of the limit.",
        ),
        must("since", Time, "The first period that carries on is the one around this moment."),
    ],
};

pub(crate) const ACTIONS: &[&str] = &["notify", "hold", "cut", "suspend"];

pub(crate) static ESCALATION: Shape = Shape {
    name: "Escalation",
    doc: "One rung of the ladder.",
    fields: &[
        must("at", Share, "Part of the limit that is spent or committed."),
        must("do", OneOf(ACTIONS), "What then happens."),
        may("mode", OneOf(MODES), "How much of it is done without a person. Default: enforce."),
    ],
};
