//! What binds a plan, in sentences.

use super::{duration, money};
use farthing_model::Decimal;
use farthing_planner::{Sensitivity, Slack, Worth};

/// One line for each constraint that binds, and a last one for those that were not asked about.
pub(crate) fn text(found: &Sensitivity) -> String {
    let mut lines: Vec<String> = found.binding.iter().map(line).collect();
    if lines.is_empty() && found.unasked == 0 {
        return match found.loose {
            0 => "nothing: there is no budget, full offer, deadline or residency to relax",
            _ => "nothing: more budget, capacity, time or places would change nothing",
        }
        .to_owned();
    }
    if found.unasked > 0 {
        lines.push(format!(
            "{} more constraints are not asked about: the plan is too large for that",
            found.unasked
        ));
    }
    lines.join("\n")
}

fn line(worth: &Worth) -> String {
    let slack = match &worth.slack {
        Slack::Budget(id, more) => format!("budget {id} larger by {}", more.rounded(2)),
        Slack::Cap(id, more) => format!("{} more for {id}", more.rounded(2)),
        Slack::Node(id) => format!("one more {id}"),
        Slack::Later(id, by) => format!("deadline of {id} later by {}", duration(*by)),
        Slack::NoDeadline(id) => format!("no deadline of {id}"),
        Slack::Anywhere(id, places) => format!("{id} outside of {}", places.join(" and ")),
    };
    let mut effects = Vec::new();
    if worth.value != Decimal::ZERO {
        effects.push(format!("value {}", Signed(worth.value)));
    }
    if worth.members != 0 {
        effects.push(format!("{:+} placed", worth.members));
    }
    if worth.sooner.is_positive() {
        effects.push(format!("ends {} sooner", duration(worth.sooner)));
    }
    let currency = worth.cost.currency();
    if worth.cost.is_negative() {
        effects.push(format!("saves {} {currency}", money(worth.cost).trim_start_matches('-')));
    } else if !worth.cost.is_zero() {
        effects.push(format!("costs {} {currency} more", money(worth.cost)));
    }
    let doubt = if worth.exact { "" } else { " (about: one of both plans has a gap)" };
    format!("{slack}: {}{doubt}", effects.join(", "))
}

/// A number with its sign.
struct Signed(Decimal);

impl std::fmt::Display for Signed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0.is_positive() { "+" } else { "" };
        write!(out, "{sign}{}", self.0)
    }
}
