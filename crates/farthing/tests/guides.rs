//! The guides, followed word for word: every command in a block marked `sh` is run, one after the
//! other, in a folder that looks like a clone of the repository, and has to end as the guide says.
//! A command that is meant to end with another code than 0 says so: `# exit code 3`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the guides are, from this crate.
const GUIDES: &str = "../../docs/guides";
/// What a clone has that commands name.
const OF_A_CLONE: [&str; 4] = ["examples", "data", "docs", "tests"];
/// No command of a guide takes longer.
const LIMIT: &str = "120";

/// A command of a guide.
#[derive(Debug, PartialEq)]
struct Step {
    line: usize,
    text: String,
    code: i32,
}

/// The commands of a guide, in their order.
fn steps(guide: &str) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    let (mut runs, mut goes_on) = (false, false);
    for (number, line) in guide.lines().enumerate() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            (runs, goes_on) = (kind == "sh", false);
            continue;
        }
        if !runs || line.trim().is_empty() {
            continue;
        }
        let more = line.strip_suffix('\\');
        match found.last_mut() {
            Some(step) if goes_on => step.text.push_str(more.unwrap_or(line)),
            _ => found.push(Step {
                line: number + 1,
                text: more.unwrap_or(line).to_owned(),
                code: 0,
            }),
        }
        goes_on = more.is_some();
    }
    for step in &mut found {
        if let Some((_, code)) = step.text.split_once("# exit code ") {
            step.code = code.trim().parse().unwrap();
        }
    }
    found
}

/// A folder that looks like a clone, with the program where `make build` puts it and in the path.
fn clone() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    for name in OF_A_CLONE {
        symlink(root.join(name), place.path().join(name)).unwrap();
    }
    std::fs::create_dir(place.path().join("dist")).unwrap();
    symlink(env!("CARGO_BIN_EXE_farthing"), place.path().join("dist/farthing")).unwrap();
    place
}

/// Follows a guide; what went wrong, if anything did.
fn follow(guide: &Path) -> Result<usize, String> {
    let text = std::fs::read_to_string(guide).unwrap();
    let place = clone();
    let path =
        format!("{}:{}", place.path().join("dist").display(), std::env::var("PATH").unwrap());
    let steps = steps(&text);
    for step in &steps {
        let output = Command::new("timeout")
            .args(["-k", "5", LIMIT, "bash", "-euo", "pipefail", "-c", &step.text])
            .current_dir(place.path())
            .env("PATH", &path)
            .env("HOME", place.path().join("home"))
            .env("FARTHING_DATA", place.path().join("state"))
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_STATE_HOME")
            .output()
            .unwrap();
        if output.status.code() != Some(step.code) {
            return Err(format!(
                "{}:{}: `{}` ended with {}, not {}:\n{}{}",
                guide.display(),
                step.line,
                step.text,
                output.status,
                step.code,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            ));
        }
    }
    Ok(steps.len())
}

#[test]
fn the_commands_of_every_guide_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDES);
    let mut guides: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    guides.sort();
    let (mut wrong, mut run) = (Vec::new(), 0);
    for guide in &guides {
        match follow(guide) {
            Ok(steps) => run += steps,
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= 20, "only {run} commands in {} guides: is their mark `sh`?", guides.len());
}

#[test]
fn a_command_is_a_line_with_its_continuation_and_its_code() {
    let guide = "a\n```sh\none \\\n  more\n\ntwo   # exit code 3\n```\n```text\nthree\n```\n";
    let step = |line, text: &str, code| Step { line, text: text.to_owned(), code };
    assert_eq!(steps(guide), [step(3, "one   more", 0), step(6, "two   # exit code 3", 3)]);
}
