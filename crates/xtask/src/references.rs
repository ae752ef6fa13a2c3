//! The pages of `docs/reference` that the program prints itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tasks::Output;

/// `docs/reference/cli.md` and `openapi.json`, from the hidden command `farthing reference`.
///
/// # Errors
/// The program does not start, fails, or prints nothing.
pub(crate) fn outputs(program: &Path) -> Result<Vec<Output>> {
    let page = |path, arguments: &[&str]| -> Result<Output> {
        Ok(Output { path, text: printed(program, arguments)? })
    };
    Ok(vec![
        page("docs/reference/cli.md", &["reference"])?,
        page("docs/reference/openapi.json", &["reference", "--openapi"])?,
    ])
}

fn printed(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() || output.stdout.is_empty() {
        bail!("`farthing reference` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("the reference is not UTF-8")
}

#[test]
fn a_program_that_fails_or_prints_nothing_makes_no_page() {
    for (program, message) in [("false", "failed"), ("true", "failed"), ("no-such", "start")] {
        let error = outputs(Path::new(program)).expect_err(program).to_string();
        assert!(error.contains(message), "{error}");
    }
}
