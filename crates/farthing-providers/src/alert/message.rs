//! What a notice says on each kind of channel.

use farthing_edge::{Change, Notice, Severity};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// One line for people, with what happened first.
pub(super) fn subject(notice: &Notice) -> String {
    let alert = &notice.alert;
    let what = match notice.change {
        Change::Resolved => "resolved",
        Change::Repeated => "still",
        Change::Raised | Change::Changed => alert.severity.name(),
    };
    format!("[{}] {what}: {}", alert.cluster, alert.summary)
}

/// A few lines for people.
pub(super) fn text(notice: &Notice) -> String {
    let alert = &notice.alert;
    format!(
        "{}\n\nSeverity: {}\nCluster: {}\nAbout: {} {}\nSince: {}\nTold: {} ({})\n",
        alert.summary,
        alert.severity.name(),
        alert.cluster,
        alert.kind,
        alert.object,
        alert.since,
        notice.at,
        notice.change.name(),
    )
}

/// For programs. `id` is the same whenever the same notice comes again.
pub(super) fn webhook(notice: &Notice) -> Value {
    let alert = &notice.alert;
    json!({
        "id": format!("{}/{}/{}/{}", alert.cluster, alert.kind, alert.object, notice.at),
        "change": notice.change.name(),
        "severity": alert.severity.name(),
        "cluster": alert.cluster,
        "kind": alert.kind,
        "object": alert.object,
        "summary": alert.summary,
        "since": alert.since.to_string(),
        "at": notice.at.to_string(),
    })
}

/// Blocks of Slack; `text` is what a notification shows.
pub(super) fn slack(notice: &Notice) -> Value {
    let alert = &notice.alert;
    let mark = match (notice.change, alert.severity) {
        (Change::Resolved, _) => ":white_check_mark:",
        (_, Severity::Critical) => ":rotating_light:",
        (_, Severity::Warning) => ":warning:",
        (_, Severity::Info) => ":information_source:",
    };
    let about = format!(
        "{} | {} {} | since {} | {}",
        alert.cluster,
        alert.kind,
        alert.object,
        alert.since,
        notice.change.name()
    );
    json!({
        "text": escaped(&subject(notice)),
        "blocks": [
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": format!("{mark} *{}*", escaped(&subject(notice))),
                },
            },
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": escaped(&about)}],
            },
        ],
    })
}

/// The three characters that Slack gives a meaning, and names that would call everybody.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Alerts of Alertmanager, which knows one by its labels. One that is so lasts for `lasts`, as
/// nobody says it again before.
pub(super) fn alertmanager(notice: &Notice, lasts: SignedDuration) -> Value {
    let alert = &notice.alert;
    let one = |severity: Severity, over: bool| {
        let ends = if over { Ok(notice.at) } else { notice.at.checked_add(lasts) };
        json!({
            "labels": {
                "alertname": format!("farthing_{}", alert.kind),
                "cluster": alert.cluster,
                "kind": alert.kind,
                "object": alert.object,
                "severity": severity.name(),
            },
            "annotations": {"summary": alert.summary},
            "startsAt": alert.since.to_string(),
            "endsAt": ends.unwrap_or(notice.at).to_string(),
        })
    };
    let over = notice.change == Change::Resolved;
    let mut all = vec![one(alert.severity, over)];
    if notice.change == Change::Changed {
        // The severity is a label: with another one the alert before it would stay.
        let others = Severity::ALL.into_iter().filter(|severity| *severity != alert.severity);
        all.extend(others.map(|severity| one(severity, true)));
    }
    Value::Array(all)
}
