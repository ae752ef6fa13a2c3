//! What cargo knows of the workspace. Asked once a test, without the network: what is not
//! downloaded yet fails here with the command that downloads it.

use serde_json::Value;
use std::process::Command;

/// One dependency of one of our crates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    /// `normal`, `dev` or `build`.
    pub(crate) kind: String,
    /// Whether the other is a crate of this workspace too.
    pub(crate) ours: bool,
}

/// A package that is built on this platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    pub(crate) ours: bool,
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(crate::tree::root())
        .output()
        .unwrap_or_else(|error| panic!("cargo {}: {error}", arguments.join(" ")));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cargo {} (first `cargo fetch --locked`?):\n{message}",
        arguments.join(" ")
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `cargo metadata` with all features, resolved for this platform: other platforms' packages need
/// not be here.
pub(crate) fn metadata() -> Value {
    let version = run(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host line");
    let what = ["metadata", "--format-version=1", "--offline", "--locked", "--all-features"];
    let arguments = [&what[..], &["--filter-platform", host]].concat();
    serde_json::from_str(&run(&arguments)).expect("cargo metadata is JSON")
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The declared dependencies of our crates.
pub(crate) fn edges(metadata: &Value) -> Vec<Edge> {
    let mut edges = Vec::new();
    for package in list(&metadata["packages"]).iter().filter(|package| package["source"].is_null())
    {
        for dependency in list(&package["dependencies"]) {
            edges.push(Edge {
                from: text(package, "name"),
                to: text(dependency, "name"),
                kind: dependency["kind"].as_str().unwrap_or("normal").to_owned(),
                ours: dependency["path"].is_string(),
            });
        }
    }
    edges
}

/// The packages of the resolved graph.
pub(crate) fn packages(metadata: &Value) -> Vec<Package> {
    let nodes = list(&metadata["resolve"]["nodes"]);
    let used = |id: &Value| nodes.iter().any(|node| &node["id"] == id);
    list(&metadata["packages"])
        .iter()
        .filter(|package| used(&package["id"]))
        .map(|package| Package {
            name: text(package, "name"),
            version: text(package, "version"),
            licence: package["license"].as_str().map(str::to_owned),
            ours: package["source"].is_null(),
        })
        .collect()
}

#[test]
fn edges_have_their_kind_and_owner() {
    let metadata = serde_json::json!({"packages": [
        {"name": "a", "source": null, "dependencies": [
            {"name": "b", "kind": null, "path": "somewhere/b"},
            {"name": "serde", "kind": "dev"},
        ]},
        {"name": "serde", "source": "registry", "dependencies": [{"name": "x", "kind": null}]},
    ]});
    let edge = |to: &str, kind: &str, ours| Edge {
        from: "a".to_owned(),
        to: to.to_owned(),
        kind: kind.to_owned(),
        ours,
    };
    assert_eq!(edges(&metadata), [edge("b", "normal", true), edge("serde", "dev", false)]);
}
