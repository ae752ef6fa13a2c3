//! Labels: what a container of ours carries, what people may put on theirs, and who they say pays.
//!
//! Labels are texts of others: they are bounded and made plain before anything else reads them.

use crate::error::plain;
use farthing_model::{Attribution, TeamId, WorkloadId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The step that made a container.
pub(crate) const STEP: &str = "farthing.dev/step";
/// The workload that a container is a member of.
pub(crate) const WORKLOAD: &str = "farthing.dev/workload";
/// The offer that it was placed on.
pub(crate) const OFFER: &str = "farthing.dev/offer";
/// Who pays.
pub(crate) const TEAM: &str = "farthing.dev/team";
/// What nothing is done to.
pub(crate) const EXCLUDE: &str = "farthing.dev/exclude";

/// Projects and services of compose files; Podman's own program writes the last two.
const PROJECTS: [&str; 2] = ["com.docker.compose.project", "io.podman.compose.project"];
const SERVICES: [&str; 2] = ["com.docker.compose.service", "io.podman.compose.service"];

/// Most labels of a container that are kept.
const LABELS_MAX: usize = 64;
/// Most characters of a label's key or value that are kept.
const CHARS_MAX: usize = 250;

/// What of a container's labels is kept.
pub(crate) fn kept(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let plainly = |text: &str| plain(text, CHARS_MAX);
    labels.iter().take(LABELS_MAX).map(|(key, value)| (plainly(key), plainly(value))).collect()
}

/// Whether nothing may be done to what has these labels.
pub(crate) fn is_excluded(labels: &BTreeMap<String, String>) -> bool {
    labels.get(EXCLUDE).is_some_and(|value| farthing_model::is_excluded(value))
}

/// Who is charged for a container that others started: its service in a compose file, what its
/// label says, or its name.
pub(crate) fn face(name: &str, labels: &BTreeMap<String, String>) -> Option<Arc<Attribution>> {
    let said = |keys: &[&str]| {
        let values = keys.iter().filter_map(|key| labels.get(*key));
        values.map(|value| plain(value, CHARS_MAX)).find(|value| !value.is_empty())
    };
    let (project, name) = (said(&PROJECTS), plain(name, CHARS_MAX));
    let workload = said(&[WORKLOAD]).or_else(|| match (&project, said(&SERVICES)) {
        (Some(project), Some(service)) => Some(format!("{project}/{service}")),
        (None, Some(service)) => Some(service),
        _ => None,
    });
    // Characters may have four bytes each, and a name has at most 512.
    let workload = workload.unwrap_or_else(|| name.clone());
    let end =
        workload.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 512);
    let workload = WorkloadId::new(&workload[..end.last().unwrap_or(0)]).ok()?;
    let team = said(&[TEAM, "team"]).and_then(|team| TeamId::new(&team).ok());
    Some(Arc::new(Attribution {
        team,
        namespace: project,
        container: Some(name),
        labels: Arc::new(kept(labels)),
        ..Attribution::of(workload)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_service_of_a_compose_file_is_the_workload() {
        let compose = labels(&[
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "queue"),
            ("team", "web"),
        ]);
        let who = face("shop-queue-1", &compose).unwrap();
        assert_eq!(who.workload.as_str(), "shop/queue");
        assert_eq!(who.team.as_ref().map(TeamId::as_str), Some("web"));
        assert_eq!(
            (who.namespace.as_deref(), who.container.as_deref()),
            (Some("shop"), Some("shop-queue-1"))
        );
        let own = labels(&[(TEAM, "ml"), ("team", "web"), (WORKLOAD, "train")]);
        let who = face("box", &own).unwrap();
        assert_eq!((who.workload.as_str(), who.team.as_ref().unwrap().as_str()), ("train", "ml"));
        assert_eq!(face("box", &labels(&[])).unwrap().workload.as_str(), "box");
    }

    #[test]
    fn labels_of_others_are_made_plain_and_bounded() {
        let long = "\u{1F600}".repeat(600);
        let bad =
            labels(&[(TEAM, "<b>x</b>\u{1b}[31m\n"), (WORKLOAD, long.as_str()), ("k\u{7}", "v\0")]);
        let who = face("n", &bad).unwrap();
        assert_eq!(who.team.as_ref().unwrap().as_str(), "<b>x</b>?[31m?");
        assert!(who.workload.as_str().len() <= 512);
        assert_eq!(who.labels.get("k?").map(String::as_str), Some("v?"));
        let many: BTreeMap<String, String> =
            (0..1_000).map(|n| (format!("k{n}"), "v".to_owned())).collect();
        assert_eq!(kept(&many).len(), LABELS_MAX);
        assert!(face("", &labels(&[])).is_none());
    }

    #[test]
    fn only_false_is_no_opt_out() {
        assert!(is_excluded(&labels(&[(EXCLUDE, "true")])));
        assert!(is_excluded(&labels(&[(EXCLUDE, "")])));
        assert!(!is_excluded(&labels(&[(EXCLUDE, "false")])));
        assert!(!is_excluded(&labels(&[])));
    }
}
