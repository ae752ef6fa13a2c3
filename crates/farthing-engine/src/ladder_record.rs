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
    /// Of a budget in GPU-hours, what each of the steps frees of it, in thousandths of an hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpu_frees_milli: Vec<u64>,
}

impl EscalatedRecord {
    /// The record of what a rung proposes.
    pub fn of(budget: &BudgetId, rung: Escalation, steps: Vec<StepRecord>) -> Self {
        let (budget, rung) = (budget.to_string(), RungRecord::of(rung));
        Self { budget, rung, steps, gpu_frees_milli: Vec::new() }
    }

    /// The rung that proposed the step at a position.
    pub(crate) fn ladder(&self, step: usize) -> Result<Ladder, RecordError> {
        let budget = BudgetId::new(&self.budget).map_err(RecordError::Id)?;
        let rung = self.rung.to_rung()?;
        let gpu_frees_milli = self.gpu_frees_milli.get(step).copied();
        Ok(Ladder { budget, at: rung.at, mode: rung.mode, gpu_frees_milli })
    }
}
