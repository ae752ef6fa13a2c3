//! The reference of the command line, from the program's own help.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tasks::Output;

const HEAD: &str = "# Command line

Made from the program's own help by `make generate`; do not edit. `make test` compares.
";

/// `docs/reference/cli.md`: the help of the program and of each of its commands.
///
/// # Errors
/// The program does not start, or its help ends with an error.
pub(crate) fn outputs(program: &Path) -> Result<Vec<Output>> {
    let mut text = String::from(HEAD);
    chapter(program, &[], &mut text)?;
    Ok(vec![Output { path: "docs/reference/cli.md", text }])
}

fn chapter(program: &Path, command: &[String], text: &mut String) -> Result<()> {
    let help = help(program, command)?;
    let title = [&["farthing".to_owned()], command].concat().join(" ");
    text.push_str(&format!("\n## {title}\n\n```text\n{}\n```\n", help.trim_end()));
    for name in commands(&help) {
        chapter(program, &[command, &[name]].concat(), text)?;
    }
    Ok(())
}

/// The long help. The program sees no terminal, so that the width does not depend on one.
fn help(program: &Path, command: &[String]) -> Result<String> {
    let output = Command::new(program)
        .args(command)
        .arg("--help")
        .env("NO_COLOR", "1")
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("`farthing {} --help` fails", command.join(" "));
    }
    let text = String::from_utf8(output.stdout).context("the help is not UTF-8")?;
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

/// The names under `Commands:`; clap indents them by two spaces and their texts by more.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_the_help() {
        let help = "Usage: farthing <COMMAND>\n\nCommands:\n  up      Runs the loop\n  \
                    plan    Makes a plan,\n          in two lines\n  help    Prints this\n\n\
                    Options:\n  -h, --help\n";
        assert_eq!(commands(help), ["up", "plan"]);
        assert!(commands("Usage: farthing plan\n").is_empty());
    }
}
