//! Peers beside ours in the same run: scripts in `bench/peers` that print figures as our own
//! programs do.
//!
//! They need a Python with the peer's package, named by `FARTHING_PEERS_PYTHON`. Where the
//! package or the data is absent the row is left out with one line that says so: a peer is no part
//! of the promise.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Row, rows, unmeasured};
use crate::programs::program;
use crate::tasks::root;

/// A script, the package that it needs, and what it is given.
struct Peer {
    script: &'static str,
    package: &'static str,
    /// Our program that it runs beside the peer: a package, and an example of it.
    ours: (&'static str, Option<&'static str>),
    /// The data that both read, where they are not made up.
    data: Option<&'static str>,
    arguments: &'static [&'static str],
}

const PEERS: [Peer; 4] = [
    Peer {
        script: "bench/peers/skypilot_offers.py",
        package: "sky",
        ours: ("farthing", None),
        data: Some("../shared/data/catalog-skypilot"),
        // Queries: some of the peer take seconds.
        arguments: &["15"],
    },
    // DAGs: the peer takes seconds for each.
    Peer {
        script: "bench/peers/skypilot_dag.py",
        package: "sky",
        ours: ("farthing", None),
        data: Some("../shared/data/catalog-skypilot"),
        arguments: &["10"],
    },
    // Seconds for a case, and cases.
    Peer {
        script: "bench/peers/serving_pulp.py",
        package: "pulp",
        ours: ("farthing-planner", Some("serving_scale")),
        data: None,
        arguments: &["10", "100"],
    },
    Peer {
        script: "bench/peers/meter_duckdb.py",
        package: "duckdb",
        ours: ("farthing-ledger", Some("telemetry_speed")),
        data: None,
        arguments: &[],
    },
];

/// The rows of every peer that is here, and a line for each that is not.
pub(super) fn measured() -> (Vec<Row>, Vec<String>) {
    let python = std::env::var_os("FARTHING_PEERS_PYTHON").map(PathBuf::from);
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for peer in &PEERS {
        match why_not(peer, python.as_deref()) {
            Some(why) => left_out.push(format!("{}: left out, {why}", peer.script)),
            None => found.extend(run(peer, python.as_deref().unwrap_or(Path::new("python3")))),
        }
    }
    (found, left_out)
}

fn why_not(peer: &Peer, python: Option<&Path>) -> Option<String> {
    let Some(python) = python else {
        return Some("FARTHING_PEERS_PYTHON names no Python".to_owned());
    };
    if let Some(data) = peer.data.filter(|data| !root().join(data).exists()) {
        return Some(format!("{data} is not here"));
    }
    let import = format!("import {}", peer.package);
    let mut command = Command::new(python);
    let asked = command.args(["-c", &import]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match asked {
        Ok(status) if status.success() => None,
        Ok(_) => Some(format!("{} has no package {}", python.display(), peer.package)),
        Err(error) => Some(format!("{}: {error}", python.display())),
    }
}

fn run(peer: &Peer, python: &Path) -> Vec<Row> {
    let ours = match program(peer.ours.0, peer.ours.1) {
        Ok(ours) => ours,
        Err(error) => return vec![unmeasured(peer.script, format!("{error:#}"))],
    };
    let output = Command::new(python)
        .arg(peer.script)
        .arg(ours)
        .args(peer.data)
        .args(peer.arguments)
        .current_dir(root())
        .stderr(Stdio::null())
        .output();
    match output {
        Ok(output) => rows(peer.script, &String::from_utf8_lossy(&output.stdout)),
        Err(error) => vec![unmeasured(peer.script, error.to_string())],
    }
}
