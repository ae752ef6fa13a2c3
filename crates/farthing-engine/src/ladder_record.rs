//! Records of ladders, and of accelerator time that is set aside. Storage types, as those of
//! [`crate::record`], where to start.

use crate::budget_record::RungRecord;
use crate::journal::Ladder;
use crate::record::{RecordError, StepRecord};
use farthing_model::{BudgetId, Escalation};
use serde::{Deserialize, Serialize};

/// Accelerator time set aside for a step, in thousandths of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuReserved {
    /// How much, for as long as the money.
    pub milli: u64,
    /// What the ledger had posted for the workload on that offer before the step.
    pub posted_before_milli: i64,
}

/// Steps that a rung of a ladder proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalatedRecord {
    /// Of which budget.
    pub budget: String,
    /// The rung: parts per million of the limit, what happens there, and in which mode.
    pub rung: RungRecord,
    /// The steps.
    pub steps: Vec<StepRecord>,
}

impl EscalatedRecord {
    /// The record of what a rung proposes.
    pub fn of(budget: &BudgetId, rung: Escalation, steps: Vec<StepRecord>) -> Self {
        Self { budget: budget.to_string(), rung: RungRecord::of(rung), steps }
    }

    pub(crate) fn ladder(&self) -> Result<Ladder, RecordError> {
        let budget = BudgetId::new(&self.budget).map_err(RecordError::Id)?;
        let rung = self.rung.to_rung()?;
        Ok(Ladder { budget, at: rung.at, mode: rung.mode })
    }
}
