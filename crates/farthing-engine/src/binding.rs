//! What binds a plan, as the journal keeps it: constraints with their shadow prices.
//!
//! A shadow price is asked for when a plan is recorded and never again, so that it says what was
//! true when the plan was made. Refuses to know how it is computed; start at [`BindingRecord::of`].

use farthing_planner::Worth;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A constraint, a step of slack, and what the plan would gain by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingRecord {
    /// `budget`, `capacity`, `deadline` or `residency`.
    pub constraint: String,
    /// The budget, offer or workload.
    pub of: String,
    /// The slack: `+85 USD`, `+1 node`, `+6h`, `none` (no deadline), `anywhere`.
    pub slack: String,
    /// How much more the plan would cost; below zero it saves.
    pub cost: String,
    /// How much more value would be done.
    pub value: String,
    /// How many more members would be placed.
    pub members: i64,
    /// Whether both plans are proven optimal.
    pub exact: bool,
}

impl BindingRecord {
    /// The record of what some slack is worth.
    pub fn of(worth: &Worth) -> Self {
        let (constraint, of, slack) = worth.slack.told();
        Self {
            constraint: constraint.to_owned(),
            of,
            slack,
            cost: worth.cost.to_string(),
            value: worth.value.to_string(),
            members: worth.members,
            exact: worth.exact,
        }
    }
}

impl fmt::Display for BindingRecord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {} ({})", self.constraint, self.of, self.slack)?;
        write!(out, ": cost {}, value {}", self.cost, self.value)?;
        if self.members != 0 {
            write!(out, ", {:+} placed", self.members)?;
        }
        let doubt = if self.exact { "" } else { " (about: one of both plans has a gap)" };
        out.write_str(doubt)
    }
}
