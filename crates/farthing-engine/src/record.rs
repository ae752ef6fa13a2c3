//! The bodies of the journal's records, as canonical JSON: fields in the order written here, money
//! as `12.34 USD`, times RFC 3339. These are storage types of this crate, not wire types: the
//! server has its own.

use crate::access::{AccessRecord, TokenRecord};
use crate::action_record::ActionRecord;
use crate::alert::{AlertedRecord, DeliveredRecord};
use crate::binding::BindingRecord;
use crate::budget_record::BudgetRecord;
use crate::claim::ClaimRecord;
use crate::ladder_record::{EscalatedRecord, GpuReserved};
use crate::limits::LimitedRecord;
use crate::reclaim_record::ReclaimedRecord;
use crate::run_record::RunRecord;
use farthing_edge::{NewRecord, Record, RecordKind};
use farthing_model::{
    IdError, Money, MoneyError, PlanId, Receipt, ReceiptOutcome, Step, StepId, Window,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Body {
    /// A run of the engine began.
    Started {
        /// Version of the program.
        version: String,
        /// Whose books.
        cluster: String,
        /// The mode it began in.
        mode: String,
        /// The budgets that it was told.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        budgets: Vec<BudgetRecord>,
    },
    /// The running engine was told another policy, or other budgets.
    Reconfigured {
        /// The mode from now on.
        mode: String,
        /// The budgets from now on.
        budgets: Vec<BudgetRecord>,
        /// The files that say so.
        from: Vec<String>,
    },
    /// A plan whose steps differ from the plan before it.
    Planned(PlanRecord),
    /// What a rung of a budget's ladder proposes, beside the plan.
    Escalated(EscalatedRecord),
    /// What is taken back from what runs, beside the plan.
    Reclaimed(ReclaimedRecord),
    /// A step that takes more stands in its place, until that is taken back.
    Covered {
        /// Which step.
        step: String,
        /// By which.
        by: String,
    },
    /// A person's word on a step.
    Approved {
        /// Which step.
        step: String,
        /// Who said it.
        by: String,
        /// Yes or no.
        approved: bool,
    },
    /// Budget set aside for a step.
    Reserved {
        /// For which step.
        step: String,
        /// For which workload.
        workload: String,
        /// How much.
        amount: String,
        /// What the ledger had posted for the workload on that offer before the step.
        posted_before: String,
        /// In which budgets.
        budgets: Vec<String>,
        /// Until when it is set aside, where that is before the end of the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        /// Accelerator time, where a budget counts that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gpu: Option<GpuReserved>,
    },
    /// A step is about to be done.
    Intended {
        /// Which step.
        step: String,
        /// What taking it back needs, in the world's own words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
    },
    /// What happened to a step.
    Receipted {
        /// Which step.
        step: String,
        /// When, in the world.
        at: String,
        /// `done`, `already-done`, `conflict`, `failed` or `never-happened`.
        outcome: String,
        /// More, where there is more.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// A reservation ended.
    Settled {
        /// Of which step.
        step: String,
        /// What was really posted for it.
        posted: String,
    },
    /// Budget set aside for something outside of the loop; of a name that is known already, anew.
    Claimed(ClaimRecord),
    /// A claim ended.
    Released {
        /// Which.
        claim: String,
        /// What was spent under it, where the ledger does not know of that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<String>,
        /// Why: `confirmed`, `released`, or what its owner says.
        why: String,
    },
    /// A person's word on the limit of a budget.
    Limited(LimitedRecord),
    /// People are told something.
    Alerted(AlertedRecord),
    /// What became of that on a channel.
    Delivered(DeliveredRecord),
    /// Predicted against realised.
    Verified(VerifiedRecord),
    /// A step was taken back.
    Undone {
        /// Which step.
        step: String,
        /// How that went.
        outcome: String,
    },
    /// A command was run and metered.
    Ran(Box<RunRecord>),
    /// Something a person should know.
    Noted {
        /// What it is about: `clock`, `stale`, `coverage`, `check`, `limit`, `measure`, `act`.
        about: String,
        /// What happened.
        text: String,
    },
    /// A token was issued.
    Issued(TokenRecord),
    /// A token is no longer good.
    Revoked {
        /// Which.
        token: String,
        /// Who said so.
        by: String,
    },
    /// Someone came in, was refused, or read what is not his own.
    Accessed(AccessRecord),
    /// The record before this one, and so all before that, signed by a key. Written and checked by
    /// whoever keeps the journal; nothing is decided on it.
    Checkpoint {
        /// Whose journal.
        cluster: String,
        /// The record that is signed.
        seq: u64,
        /// Its hash, in hexadecimal digits.
        hash: String,
        /// The public key.
        key: String,
        /// The signature.
        signature: String,
    },
    /// A run of the engine ended as it should.
    Closed {
        /// The end of what the books then held; nothing where nothing was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        posted_until: Option<String>,
    },
}

/// A plan, as far as people and recovery need it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRecord {
    /// Its id.
    pub plan: String,
    /// The plan before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The policy that made it.
    pub policy: String,
    /// Cost of everything placed.
    pub cost: String,
    /// Of it, that of each team's workloads. Plans of before it was kept have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, String>,
    /// Proven least cost, where there is a proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<String>,
    /// `optimal`, `feasible` or `infeasible`.
    pub status: String,
    /// The steps.
    pub steps: Vec<StepRecord>,
    /// Who waits, and why.
    pub waiting: Vec<WaitingRecord>,
    /// What binds it, with shadow prices. Plans of before they were kept have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binding: Vec<BindingRecord>,
}

/// Someone who waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingRecord {
    /// Who.
    pub workload: String,
    /// How many members.
    pub members: u32,
    /// Why.
    pub reason: String,
}

/// A step with everything that doing, undoing and explaining it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// Its id.
    pub step: String,
    /// What it does.
    pub action: ActionRecord,
    /// The generation of the target that was seen.
    pub generation: u64,
    /// Expected cost.
    pub cost: String,
    /// Expected saving.
    pub saving: String,
    /// Why.
    pub reasons: Vec<String>,
    /// Not to be done after.
    pub expires: String,
}

/// Predicted against realised saving of a step, from the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifiedRecord {
    /// Which step.
    pub step: String,
    /// The workload or node that it acted on.
    pub target: String,
    /// Whether all of its work was done; else it counts for the time in which it was in force.
    pub complete: bool,
    /// What the reference would have cost.
    pub reference: String,
    /// The saving that the plan promised, for the time in which the step was in force.
    pub predicted: String,
    /// What the reference would have cost less what the ledger posted.
    pub realised: String,
    /// What the ledger posted.
    pub posted: String,
    /// From when the step was in force.
    pub from: String,
    /// To when.
    pub to: String,
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON of a known shape.
    #[error("journal record {seq} is not readable: {message}")]
    Json {
        /// Its number.
        seq: u64,
        /// What the parser says.
        message: String,
    },
    /// A name in it is not one.
    #[error("a name in the journal is not one")]
    Id(#[source] IdError),
    /// An amount in it is not one.
    #[error("an amount in the journal is not one")]
    Money(#[source] MoneyError),
    /// A word in it is none of those that are known.
    #[error("`{0}` in the journal is not a word that is known")]
    Word(String),
    /// A time in it is not one, or a window is empty.
    #[error("`{0}` in the journal is not a time or an empty window")]
    Time(String),
}

impl Body {
    /// The kind that a record of this body has.
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Started { .. } | Self::Reconfigured { .. } => RecordKind::Started,
            Self::Planned(_) | Self::Escalated(_) | Self::Reclaimed(_) => RecordKind::Planned,
            Self::Approved { .. } | Self::Limited(_) => RecordKind::Approved,
            Self::Reserved { .. } | Self::Claimed(_) => RecordKind::Reserved,
            Self::Intended { .. } => RecordKind::Intended,
            Self::Receipted { .. } => RecordKind::Receipted,
            Self::Settled { .. } | Self::Covered { .. } | Self::Released { .. } => {
                RecordKind::Settled
            }
            Self::Verified(_) => RecordKind::Verified,
            Self::Undone { .. } => RecordKind::Undone,
            Self::Issued(_) | Self::Revoked { .. } => RecordKind::Identity,
            Self::Accessed(_) => RecordKind::Accessed,
            Self::Noted { .. }
            | Self::Checkpoint { .. }
            | Self::Ran(_)
            | Self::Alerted(_)
            | Self::Delivered(_) => RecordKind::Noted,
            Self::Closed { .. } => RecordKind::Closed,
        }
    }

    /// A record to append.
    ///
    /// # Errors
    /// None in practice: these types always have a JSON form.
    pub fn seal(&self, at: Timestamp) -> Result<NewRecord, RecordError> {
        let body = serde_json::to_string(self)
            .map_err(|error| RecordError::Json { seq: 0, message: error.to_string() })?;
        Ok(NewRecord { at, kind: self.kind(), body })
    }

    /// What a record says.
    ///
    /// # Errors
    /// Not JSON of a known shape, or of another kind than the record claims.
    pub fn read(record: &Record) -> Result<Self, RecordError> {
        let unreadable = |message| RecordError::Json { seq: record.seq, message };
        let body: Self =
            serde_json::from_str(&record.body).map_err(|error| unreadable(error.to_string()))?;
        if body.kind() != record.kind {
            return Err(unreadable(format!("it is filed as `{}`", record.kind.name())));
        }
        Ok(body)
    }

    /// What happened to a step.
    pub fn receipt(receipt: &Receipt) -> Self {
        let (outcome, detail) = match &receipt.outcome {
            ReceiptOutcome::Done => ("done", String::new()),
            ReceiptOutcome::AlreadyDone => ("already-done", String::new()),
            ReceiptOutcome::Conflict(detail) => ("conflict", detail.clone()),
            ReceiptOutcome::Failed(detail) => ("failed", detail.clone()),
        };
        Self::Receipted {
            step: receipt.step.to_string(),
            at: receipt.at.to_string(),
            outcome: outcome.to_owned(),
            detail,
        }
    }
}

impl StepRecord {
    /// The record of a step.
    pub fn of(step: &Step) -> Self {
        Self {
            step: step.id.to_string(),
            action: ActionRecord::of(&step.action),
            generation: step.generation,
            cost: step.cost.to_string(),
            saving: step.saving.to_string(),
            reasons: step.reasons.iter().map(ToString::to_string).collect(),
            expires: step.expires.to_string(),
        }
    }

    /// The step again; its reasons come back as words.
    ///
    /// # Errors
    /// A name, amount or time in it is not one.
    pub fn to_step(&self) -> Result<Step, RecordError> {
        let reason = |text: &String| farthing_model::Reason::Rule(text.clone());
        Ok(Step {
            id: StepId::new(&self.step).map_err(RecordError::Id)?,
            action: self.action.to_action()?,
            generation: self.generation,
            cost: money(&self.cost)?,
            saving: money(&self.saving)?,
            reasons: self.reasons.iter().map(reason).collect(),
            expires: time(&self.expires)?,
        })
    }
}

/// Reads an amount of the journal.
pub(crate) fn money(text: &str) -> Result<Money, RecordError> {
    text.parse().map_err(RecordError::Money)
}

/// Reads a time of the journal.
pub(crate) fn time(text: &str) -> Result<Timestamp, RecordError> {
    text.parse().map_err(|_| RecordError::Time(text.to_owned()))
}

/// Reads a window of the journal.
pub(crate) fn window(from: &str, to: &str) -> Result<Window, RecordError> {
    let (from, to) = (time(from)?, time(to)?);
    Window::new(from, to).map_err(|error| RecordError::Time(error.to_string()))
}

/// Reads a plan id of the journal.
pub(crate) fn plan_id(text: &str) -> Result<PlanId, RecordError> {
    PlanId::new(text).map_err(RecordError::Id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::{Action, Currency, OfferId, Reason, WorkloadId};

    #[test]
    fn a_step_comes_back_as_it_was() {
        let at: Timestamp = "2026-11-24T00:00:00.123456789Z".parse().unwrap();
        let step = Step {
            id: StepId::new("p1-1").unwrap(),
            action: Action::Scale {
                workload: WorkloadId::new("chat").unwrap(),
                offer: OfferId::new("gcp/europe-west4/g2-standard-4/on-demand").unwrap(),
                from: 3,
                to: 2,
                nodes_each: 1,
                window: Window::starting(at, jiff::SignedDuration::from_hours(1)).unwrap(),
            },
            generation: 7,
            cost: Money::from_pico(1, Currency::USD),
            saving: Money::from_pico(-1, Currency::USD),
            reasons: vec![Reason::Rule("why".to_owned())],
            expires: at,
        };
        assert_eq!(StepRecord::of(&step).to_step().unwrap(), step);
    }

    /// A plan of the journal as it was written before what binds was kept.
    #[test]
    fn plans_without_what_binds_are_still_read_and_written_the_same() {
        let text = concat!(
            r#"{"record":"planned","plan":"p1","policy":"farthing","cost":"3 USD","#,
            r#""status":"optimal","steps":[],"waiting":[]}"#
        );
        let body: Body = serde_json::from_str(text).unwrap();
        let Body::Planned(plan) = &body else { panic!("{body:?}") };
        assert_eq!(plan.binding, []);
        assert_eq!(serde_json::to_string(&body).unwrap(), text);
    }

    #[test]
    fn a_record_filed_under_another_kind_is_refused() {
        let body = Body::Intended { step: "s".to_owned(), before: None };
        let mut new = body.seal(Timestamp::UNIX_EPOCH).unwrap();
        new.kind = RecordKind::Noted;
        let record = farthing_edge::chain::seal(&farthing_edge::Head::GENESIS, &[new]).remove(0);
        let message = Body::read(&record).unwrap_err().to_string();
        assert_eq!(message, "journal record 1 is not readable: it is filed as `noted`");
    }
}
