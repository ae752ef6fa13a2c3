//! The pages of `docs/reference` that the program prints itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tasks::Output;

/// `docs/reference/cli.md`, `openapi.json` and a manual page of each command, from the hidden
/// command `farthing reference`.
///
/// # Errors
/// The program does not start, fails, or prints nothing.
pub(crate) fn outputs(program: &Path) -> Result<Vec<Output>> {
    let page = |path: &str, arguments: &[&str]| -> Result<Output> {
        Ok(Output { path: path.to_owned(), text: printed(program, arguments)? })
    };
    let mut outputs = vec![
        page("docs/reference/cli.md", &[])?,
        page("docs/reference/openapi.json", &["--openapi"])?,
    ];
    // Each page begins with a form feed and a line with its name.
    for page in printed(program, &["--man"])?.split('\x0c').skip(1) {
        let (name, text) = page.split_once('\n').context("a page has no name")?;
        let path = format!("docs/reference/man/{name}");
        outputs.push(Output { path, text: text.to_owned() });
    }
    Ok(outputs)
}

fn printed(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .arg("reference")
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
