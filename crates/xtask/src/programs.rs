//! Builds programs of the workspace and says where cargo left them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The release program of a package: its binary, or one of its examples.
///
/// # Errors
/// It does not compile (cargo says why on stderr), or there is no such program.
pub(crate) fn program(package: &str, example: Option<&str>) -> Result<PathBuf> {
    // The tests have built the binary with more features: building it alone would compile what it
    // uses once more.
    let built = std::env::var_os("FARTHING_PROGRAM").filter(|path| !path.is_empty());
    if let Some(built) = built.filter(|_| package == "farthing" && example.is_none()) {
        return Ok(built.into());
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--quiet", "--package", package]);
    cargo.arg("--message-format=json-render-diagnostics");
    if let Some(example) = example {
        cargo.args(["--example", example]);
    }
    let output = cargo
        .current_dir(crate::tasks::root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let name = example.unwrap_or(package);
    if !output.status.success() {
        bail!("{name} of {package} does not build");
    }
    executable(&String::from_utf8_lossy(&output.stdout), name)
        .with_context(|| format!("cargo names no program for {name} of {package}"))
}

/// The executable that cargo's messages name for a target.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[test]
fn the_program_of_the_target_is_taken() {
    let messages = r#"{"reason":"compiler-artifact","target":{"name":"a"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"a"},"executable":"x/release/a"}
{"reason":"compiler-artifact","target":{"name":"b"},"executable":"x/release/b"}"#;
    assert_eq!(executable(messages, "a"), Some(PathBuf::from("x/release/a")));
    assert_eq!(executable(messages, "c"), None);
}
