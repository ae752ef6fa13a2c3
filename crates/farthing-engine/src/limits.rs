//! Limits that people changed: for good, and for a while.
//!
//! The manifest says what a budget is. What is set here counts instead of its limit until a
//! manifest says another limit than it said then; what is allowed here counts until it expires.
//! Both are records of the journal with who and why, so that there is one place that says who was
//! granted what. Of a budget the newest record of each of the two counts.

use crate::budget_record::LimitRecord;
use crate::error::EngineError;
use crate::journal::Journal;
use crate::record::{Body, RecordError, time};
use crate::unfit;
use farthing_edge::Store;
use farthing_model::{Budget, BudgetId, Limit};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often a word is tried again when others write to the journal meanwhile.
const TRIES: usize = 1_000;
/// The longest reason.
const WHY_MAX: usize = 500;

/// A limit that a person gave a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Of which budget.
    pub budget: BudgetId,
    /// The limit.
    pub limit: Limit,
    /// Instead of which, as the manifest had it.
    pub instead_of: Limit,
    /// Until when; `None`: for good.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: String,
    /// Who said it.
    pub by: String,
}

/// What people changed, as far as it may still count.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    set: BTreeMap<String, Allowance>,
    allowed: BTreeMap<String, Allowance>,
}

impl Limits {
    /// What was set for good, while the manifest says what it said then.
    pub fn set(&self, budget: &Budget) -> Option<&Allowance> {
        let set = self.set.get(budget.id.as_str());
        set.filter(|set| set.instead_of == budget.limit && set.limit != budget.limit)
    }

    /// What is allowed for a while, at a moment.
    pub fn allowed(&self, budget: &BudgetId, now: Timestamp) -> Option<&Allowance> {
        let allowed = self.allowed.get(budget.as_str());
        allowed.filter(|allowed| allowed.until.is_some_and(|until| now < until))
    }

    pub(crate) fn take(&mut self, record: &LimitedRecord) -> Result<(), RecordError> {
        let allowance = record.to_allowance()?;
        let kept = if allowance.until.is_some() { &mut self.allowed } else { &mut self.set };
        kept.insert(record.budget.clone(), allowance);
        Ok(())
    }
}

/// Writes a person's word on a limit into the journal.
pub(crate) fn limit<S: Store>(
    journal: &mut Journal<S>,
    budgets: &[Budget],
    told: &Told<'_>,
    now: Timestamp,
) -> Result<Allowance, EngineError> {
    let budget = budgets.iter().find(|budget| budget.id.as_str() == told.budget);
    let budget = budget.ok_or_else(|| EngineError::NoBudget(told.budget.to_owned()))?;
    let wrong = |why: String| EngineError::Limit { budget: budget.id.to_string(), why };
    match (budget.limit, told.limit) {
        (Limit::Money(old), Limit::Money(new)) if old.currency() != new.currency() => {
            return Err(wrong(format!("its limit is in {}", old.currency())));
        }
        (Limit::Money(_), Limit::GpuHoursMilli(_)) => {
            return Err(wrong("its limit is in money".to_owned()));
        }
        (Limit::GpuHoursMilli(_), Limit::Money(_)) => {
            return Err(wrong("its limit is in GPU-hours".to_owned()));
        }
        _ => {}
    }
    if let Some(why) = unfit::no_limit(told.limit, told.limit.amount().currency()) {
        return Err(wrong(why));
    }
    if told.why.trim().is_empty() || told.why.len() > WHY_MAX {
        return Err(wrong(format!("say why, in up to {WHY_MAX} bytes")));
    }
    if let Some(until) = told.until.filter(|until| *until < now) {
        return Err(wrong(format!("{until} is over")));
    }
    let allowance = Allowance {
        budget: budget.id.clone(),
        limit: told.limit,
        instead_of: budget.limit,
        until: told.until,
        why: told.why.to_owned(),
        by: told.by.to_owned(),
    };
    for _ in 0..TRIES {
        match journal.append(now, &[Body::Limited(LimitedRecord::of(&allowance))]) {
            Ok(()) => return Ok(allowance),
            // Whoever wrote meanwhile said something else: the newest word counts.
            Err(EngineError::Superseded) => {}
            Err(error) => return Err(error),
        }
    }
    Err(EngineError::Superseded)
}

/// What a person says on a limit.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Of which budget.
    pub budget: &'a str,
    /// The limit.
    pub limit: Limit,
    /// Until when; `None`: for good.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: &'a str,
    /// Who says it.
    pub by: &'a str,
}

/// A person's word on a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitedRecord {
    /// Of which budget.
    pub budget: String,
    /// The limit.
    pub limit: LimitRecord,
    /// Instead of which.
    pub instead_of: LimitRecord,
    /// Until when; for good where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Why.
    pub why: String,
    /// Who said it.
    pub by: String,
}

impl LimitedRecord {
    /// The record of it.
    pub fn of(allowance: &Allowance) -> Self {
        Self {
            budget: allowance.budget.to_string(),
            limit: LimitRecord::of(allowance.limit),
            instead_of: LimitRecord::of(allowance.instead_of),
            until: allowance.until.map(|until| until.to_string()),
            why: allowance.why.clone(),
            by: allowance.by.clone(),
        }
    }

    fn to_allowance(&self) -> Result<Allowance, RecordError> {
        Ok(Allowance {
            budget: BudgetId::new(&self.budget).map_err(RecordError::Id)?,
            limit: self.limit.to_limit()?,
            instead_of: self.instead_of.to_limit()?,
            until: self.until.as_deref().map(time).transpose()?,
            why: self.why.clone(),
            by: self.by.clone(),
        })
    }
}
