//! The fields of `alerts` of a policy.

use super::{Any, Duration, List, Map, OneOf, Shape, Text, may, must};

pub(crate) static ALERTS: Shape = Shape {
    name: "Alerts",
    doc: "When people are told, and where.",
    fields: &[
        may("repeat", Duration, "What is still so is told again after this. Default: 24h."),
        may("quiet", Map(&QUIET), "Hours in which only what matters enough is told."),
        may("channels", List(&Map(&CHANNEL)), "Where it is told."),
    ],
};

pub(crate) static QUIET: Shape = Shape {
    name: "Quiet",
    doc: "Hours in which people sleep, UTC. What comes up then is told after, if it is still so.",
    fields: &[
        must("from", Text, "A time of the day, such as \"22:00\"."),
        must("to", Text, "A time of the day; before `from` where they go over midnight."),
        may(
            "unless",
            OneOf(SEVERITIES),
            "What matters this much is told all the same. Default: critical.",
        ),
    ],
};

pub(crate) const SEVERITIES: &[&str] = &["info", "warning", "critical"];
pub(crate) const TYPES: &[&str] = &["webhook", "slack", "alertmanager", "email"];
pub(crate) const MAIL_TLS: &[&str] = &["starttls", "implicit", "none"];

pub(crate) static CHANNEL: Shape = Shape {
    name: "Channel",
    doc: "A place where people are told.",
    fields: &[
        must("type", OneOf(TYPES), "What it is."),
        may("name", Text, "Its name in the journal. Default: its type."),
        may("url", Any(&[Text, Map(&SECRET)]), "Where to; of Alertmanager its root."),
        may("secret", Map(&SECRET), "What a webhook is signed with."),
        may("server", Text, "Of e-mail: host:port."),
        may("tls", OneOf(MAIL_TLS), "Of e-mail. Default: starttls. `none` is for this machine."),
        may("user", Text, "Of e-mail: who logs in."),
        may("password", Map(&SECRET), "Of e-mail: with what."),
        may("from", Text, "Of e-mail: who sends it."),
        may("to", Any(&[Text, List(&Text)]), "Of e-mail: who gets it."),
    ],
};

pub(crate) static SECRET: Shape = Shape {
    name: "Secret",
    doc: "Where a secret is: it is written in no manifest.",
    fields: &[
        may("file", Text, "A file that has it."),
        may("env", Text, "An environment variable that has it."),
    ],
};
