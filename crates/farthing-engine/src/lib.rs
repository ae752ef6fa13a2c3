//! The one loop: observe, meter, plan, check, approve, act, record, verify.
//!
//! [`Engine::tick`] is the whole story as one numbered function. It runs the same against the
//! simulator, this machine and a cluster: there is no `if dry_run` here. The engine knows the time
//! only as an argument, reaches the world only through the contracts of `farthing-edge`, and keeps
//! nothing that a restart does not find again in the journal and the books.

mod access;
mod accounts;
mod alert;
mod arbitration;
mod binding;
mod budget_record;
mod claim;
mod config;
mod cuts;
mod engine;
mod error;
mod execute;
mod exposure;
mod gate;
mod hindsight;
mod hour;
mod journal;
mod ladder;
mod ladder_record;
mod limits;
mod load;
mod member;
mod reclaim;
mod reclaim_record;
mod record;
mod relief;
mod renew;
mod replay;
mod room;
mod run_record;
mod share;
mod story;
mod sums;
mod tick;
mod unfit;
mod verify;
mod what_if;

pub use access::{AccessRecord, TokenRecord, record_access};
pub use alert::{AlertRules, AlertedRecord, Alerts, DeliveredRecord, Delivery, Quiet, Raised};
pub use binding::BindingRecord;
pub use budget_record::{
    BudgetRecord, CarryRecord, LimitRecord, PeriodRecord, RungRecord, ScopeRecord,
};
pub use claim::{Answer, Ask, Claim, ClaimRecord, Short, Shortage};
pub use config::{Config, Planner};
pub use engine::{Engine, World, undo};
pub use error::EngineError;
pub use execute::{Acted, Held, target};
pub use exposure::{Driver, Exposure, Taken, Undo};
pub use gate::Gate;
pub use hindsight::{Deadlines, deadlines};
pub use journal::{Journal, Ladder, Open, OpenStep, Scores, Stage};
pub use ladder_record::{EscalatedRecord, GpuReserved};
pub use limits::{Allowance, LimitedRecord, Limits, Told};
pub use reclaim_record::{Cause, ReclaimedRecord};
pub use record::{
    ActionRecord, Body, PlanRecord, RecordError, StepRecord, VerifiedRecord, WaitingRecord,
};
pub use relief::{Cut, How, Relief};
pub use replay::{Again, decide_again};
pub use run_record::{RunRecord, record_run};
pub use share::TeamShare;
pub use story::Story;
pub use tick::{Flow, Tick};
pub use unfit::{HOLD_MAX, Odd, UNITS_MAX, Unfit};
pub use what_if::{Changes, WhatIf, what_if};

/// The planner's types, for crates that show plans and may not plan.
pub use farthing_planner as planner;
