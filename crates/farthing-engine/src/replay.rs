//! Decisions made again: from the input of a plan that was kept, the plan of today, as the journal
//! would have it.
//!
//! It goes the way of a tick ([`crate::Engine::tick`]) from the input to the record, and does
//! nothing. It refuses to know where inputs are kept.

use crate::config::Planner;
use crate::error::EngineError;
use crate::record::PlanRecord;
use crate::tick::{binding, planned_by, record};
use farthing_planner::{Input, Planned, Violation, check};

/// A decision that was made again.
#[derive(Clone, Debug)]
pub struct Again {
    /// The plan.
    pub planned: Planned,
    /// As the journal would have it.
    pub record: PlanRecord,
    /// Why the checker refuses it, where it does: it would not be in the journal.
    pub refused: Vec<String>,
}

/// Plans and checks as a tick does.
///
/// # Errors
/// The input cannot be planned for.
pub fn decide_again(planner: Planner, input: &Input) -> Result<Again, EngineError> {
    let planned = planned_by(planner, input)?;
    let refused = check(input, &planned).iter().map(Violation::to_string).collect();
    let record = record(input, &planned, binding(input, &planned, planner)?);
    Ok(Again { planned, record, refused })
}
