//! How a command ends: exit codes, and how faults are told.

use std::process::ExitCode;

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// Something that was asked for does not hold (`verify`).
    Failed,
    /// Nothing fits the budget or a deadline; the output says why.
    Infeasible,
    /// As the command that was run.
    Code(u8),
}

/// A fault of the user's making: wrong arguments, a bad file. Exit code 2.
#[derive(Debug)]
pub(crate) struct WrongUse {
    message: String,
    hint: Option<String>,
}

impl WrongUse {
    /// Wrong use: lower case, names what is wrong and what would be right.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// With advice.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl std::fmt::Display for WrongUse {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for WrongUse {}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Failed => Self::from(1),
            Outcome::Infeasible => Self::from(3),
            Outcome::Code(code) => Self::from(code),
        }
    }
}

/// Tells a fault once, with its chain of causes and its hint, and gives the exit code.
pub(crate) fn tell(error: &anyhow::Error) -> ExitCode {
    let mut lines = vec![format!("farthing: {error}")];
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some errors say their cause themselves.
        if lines.last().is_none_or(|line| !line.contains(&cause)) {
            lines.push(format!("  because {cause}"));
        }
    }
    let wrong = error.downcast_ref::<WrongUse>();
    let edge = error.chain().find_map(|cause| cause.downcast_ref::<farthing_edge::EdgeError>());
    let hint = wrong.and_then(|wrong| wrong.hint.as_deref()).or_else(|| edge?.hint());
    lines.extend(hint.map(|hint| format!("  hint: {hint}")));
    crate::print::talk(&lines.join("\n"));
    ExitCode::from(if wrong.is_some() { 2 } else { 1 })
}
