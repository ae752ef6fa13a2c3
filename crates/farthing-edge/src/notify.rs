//! Telling people: what an alert is, and the contract of what carries it.

use crate::EdgeError;
use jiff::Timestamp;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The name in manifests, records and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// Something that is so, and that people want to be told. Kind and object are its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Which cluster.
    pub cluster: String,
    /// What it is about: `budget`, `coverage`, `anomaly`.
    pub kind: String,
    /// The budget, team or cluster.
    pub object: String,
    /// How much it matters.
    pub severity: Severity,
    /// In one line.
    pub summary: String,
    /// Since when it is so.
    pub since: Timestamp,
}

/// Why something is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not so before.
    Raised,
    /// It matters more or less than before, or says something else.
    Changed,
    /// It is still so.
    Repeated,
    /// It is not so any more.
    Resolved,
}

impl Change {
    /// All.
    pub const ALL: [Self; 4] = [Self::Raised, Self::Changed, Self::Repeated, Self::Resolved];

    /// The name in records and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Changed => "changed",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert that is to be told, and why now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The alert.
    pub alert: Alert,
    /// Why now.
    pub change: Change,
    /// When it was decided to tell it.
    pub at: Timestamp,
}

/// Carries notices to people.
pub trait Notify {
    /// The name in records and messages: of the channel, and never of a secret in its address.
    fn name(&self) -> &str;

    /// Tells one notice. A notice may come twice, after a crash or an answer that was lost:
    /// whoever receives it knows it by kind, object and time.
    ///
    /// # Errors
    /// It was not taken. [`crate::Class::Transient`] where it may be when it is tried again; the
    /// text has no secret in it.
    fn notify(&mut self, notice: &Notice) -> Result<(), EdgeError>;
}
