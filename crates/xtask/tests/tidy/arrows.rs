//! Which crate may know which. The tables below are the law; ARCHITECTURE.md draws them.

use crate::cargo::Edge;

/// Our crates, and which of ours each may use. The binary may use all.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("farthing-model", &[]),
    ("farthing-milp", &[]),
    ("farthing-planner", &["farthing-model", "farthing-milp"]),
    ("farthing-ledger", &["farthing-model"]),
    ("farthing-edge", &["farthing-model"]),
    (
        "farthing-engine",
        &["farthing-model", "farthing-planner", "farthing-ledger", "farthing-edge"],
    ),
    (
        "farthing-sim",
        &[
            "farthing-model",
            "farthing-edge",
            "farthing-engine",
            "farthing-planner",
            "farthing-ledger",
        ],
    ),
    ("farthing-providers", &["farthing-model", "farthing-edge"]),
    ("farthing-kube", &["farthing-model", "farthing-edge"]),
    ("farthing-docker", &["farthing-model", "farthing-edge"]),
    ("farthing-server", &["farthing-model", "farthing-edge", "farthing-engine", "farthing-ledger"]),
    ("farthing-sql", &["farthing-model", "farthing-ledger"]),
    ("xtask", &[]),
];

/// Edges that only tests have: upward or sideways, each because the test needs the other side.
const ALLOWED_IN_TESTS: [(&str, &str); 0] = [];

/// Crates that may use no library but these, tests aside: what is not here cannot be reached.
const LIBRARIES: [(&str, &[&str]); 5] = [
    ("farthing-model", &["jiff", "thiserror"]),
    ("farthing-milp", &["highs", "thiserror"]),
    ("farthing-planner", &["jiff", "thiserror"]),
    ("farthing-edge", &["jiff", "sha2", "thiserror"]),
    ("farthing-engine", &["jiff", "serde", "serde_json", "thiserror"]),
];

/// Edges between our crates that are not allowed, and crates that are in no table.
pub(crate) fn faults(edges: &[Edge]) -> Vec<String> {
    let mut faults = Vec::new();
    for edge in edges.iter().filter(|edge| edge.ours && edge.from != "farthing") {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == edge.from) else {
            faults.push(format!("{} is not in ALLOWED of the tidy test: add it", edge.from));
            continue;
        };
        let (from, to) = (edge.from.as_str(), edge.to.as_str());
        let in_tests = edge.kind == "dev" && ALLOWED_IN_TESTS.contains(&(from, to));
        if !allowed.contains(&to) && !in_tests {
            faults.push(format!("{from} must not depend on {to} ({})", edge.kind));
        }
    }
    faults
}

/// Libraries in crates that are kept without them.
pub(crate) fn library_faults(edges: &[Edge]) -> Vec<String> {
    let mut faults = Vec::new();
    for edge in edges.iter().filter(|edge| !edge.ours && edge.kind != "dev") {
        let limited = LIBRARIES.iter().find(|(name, _)| *name == edge.from);
        if limited.is_some_and(|(_, allowed)| !allowed.contains(&edge.to.as_str())) {
            faults.push(format!("{} must not use the library {}", edge.from, edge.to));
        }
    }
    faults
}

/// A crate whose lints are not those of the workspace.
pub(crate) fn lint_faults(path: &str, manifest: &str) -> Option<String> {
    let is_crate = manifest.lines().any(|line| line == "[package]");
    let inherits = manifest.contains("[lints]\nworkspace = true");
    (is_crate && !inherits).then(|| format!("{path}: add `[lints]` with `workspace = true`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, kind: &str, ours: bool) -> Edge {
        Edge { from: from.to_owned(), to: to.to_owned(), kind: kind.to_owned(), ours }
    }

    #[test]
    fn an_arrow_upward_is_found_in_code_and_in_tests() {
        let edges = [
            edge("farthing-planner", "farthing-model", "normal", true),
            edge("farthing-planner", "farthing-edge", "normal", true),
            edge("farthing-model", "farthing-sim", "dev", true),
            edge("farthing", "farthing-sim", "normal", true),
        ];
        assert_eq!(
            faults(&edges),
            [
                "farthing-planner must not depend on farthing-edge (normal)",
                "farthing-model must not depend on farthing-sim (dev)",
            ]
        );
    }

    #[test]
    fn an_unknown_crate_is_found() {
        let found = faults(&[edge("farthing-extra", "farthing-model", "normal", true)]);
        assert_eq!(found, ["farthing-extra is not in ALLOWED of the tidy test: add it"]);
    }

    #[test]
    fn a_library_that_reaches_out_is_found() {
        let edges = [
            edge("farthing-planner", "tokio", "normal", false),
            edge("farthing-planner", "proptest", "dev", false),
            edge("farthing-server", "tokio", "normal", false),
        ];
        assert_eq!(library_faults(&edges), ["farthing-planner must not use the library tokio"]);
    }

    #[test]
    fn a_crate_without_lints_is_found() {
        let manifest = "[package]\nname = \"a\"\n";
        assert!(lint_faults("crates/a/Cargo.toml", manifest).is_some());
        let whole = format!("{manifest}\n[lints]\nworkspace = true\n");
        assert_eq!(lint_faults("crates/a/Cargo.toml", &whole), None);
    }
}
