//! `tick`: what one turn of the loop came to.

use super::scalar::{WindowJson, hours, ratio, seconds, time};
use farthing_engine::planner::{BudgetState, Utilisation};
use farthing_engine::{Held, Tick, VerifiedRecord, target};
use farthing_model::{
    Limit, Money, NodeState, PerResource, Receipt, ReceiptOutcome, Resource, Snapshot, Step,
    WorkloadState,
};
use serde::Serialize;

/// Bytes in a GiB.
const GIB: i128 = 1 << 30;

/// One tick.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TickJson {
    /// When.
    pub at: String,
    /// What was measured; `null` at the first tick and when the clock went back.
    pub window: Option<WindowJson>,
    /// The currency of all money here.
    pub currency: String,
    /// What the nodes cost in the window.
    pub paid: String,
    /// Allocated and used.
    pub used: String,
    /// Allocated and not used.
    pub idle: String,
    /// Not allocated.
    pub unallocated: String,
    /// The system's own, and nodes that boot.
    pub overhead: String,
    /// `paid - (used + idle + unallocated + overhead)`: zero.
    pub difference: String,
    /// How much of the window was measured.
    pub coverage: Option<f64>,
    /// Where each resource went.
    pub resources: Vec<ResourceJson>,
    /// The world that was seen.
    pub world: WorldJson,
    /// The plan that was made.
    pub plan: Option<String>,
    /// Budgets in money as they stand.
    pub budgets: Vec<TickBudgetJson>,
    /// Steps that were begun, and steps of which it became known what came of them.
    pub receipts: Vec<ReceiptJson>,
    /// Proposals that were held back, and why.
    pub held: Vec<HeldJson>,
    /// Steps of which it is not known whether they took effect.
    pub unknown: Vec<String>,
    /// Steps that ended: predicted against realised saving.
    pub verified: Vec<VerifiedJson>,
    /// What people should know.
    pub notes: Vec<String>,
}

/// Where a resource went, in hours of its unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceJson {
    /// Which.
    pub resource: &'static str,
    /// The unit of its hours: `gpu`, `core` or `gib`.
    pub unit: &'static str,
    /// Used / paid: what a band is compared with.
    pub utilisation: Option<f64>,
    /// `U = used / allocated`.
    pub utilisation_of_allocated: Option<f64>,
    /// Allocated and used.
    pub used_hours: f64,
    /// Allocated and not used.
    pub idle_hours: f64,
    /// Not allocated.
    pub unallocated_hours: f64,
    /// The system's own.
    pub overhead_hours: f64,
}

/// The world as it was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorldJson {
    /// Whose.
    pub cluster: String,
    /// Nodes that are paid.
    pub nodes: usize,
    /// Of them, nodes that are usable.
    pub nodes_ready: usize,
    /// Workloads by state.
    pub workloads: WorkloadsJson,
    /// How old each part of the observation was.
    pub ages: Vec<AgeJson>,
}

/// How many workloads are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WorkloadsJson {
    /// Not placed.
    pub waiting: usize,
    /// Scheduled or running.
    pub placed: usize,
    /// Stopped by someone.
    pub suspended: usize,
    /// Done.
    pub finished: usize,
}

/// How old a part of the observation was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgeJson {
    /// `nodes`, `workloads`, `usage` or `prices`.
    pub part: &'static str,
    /// Its age.
    pub age_s: f64,
}

/// A budget in money as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TickBudgetJson {
    /// Which.
    pub budget: String,
    /// Its period.
    pub period: WindowJson,
    /// Its limit in money; `null` for one in GPU-hours.
    pub limit: Option<String>,
    /// Posted in the ledger.
    pub spent: String,
    /// Reserved and not yet posted.
    pub committed: String,
}

/// What happened to a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptJson {
    /// Which step.
    pub step: String,
    /// When, in the world.
    pub at: String,
    /// `done`, `already-done`, `conflict` or `failed`.
    pub outcome: &'static str,
    /// More, where there is more.
    pub detail: Option<String>,
}

/// A proposal that was held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldJson {
    /// Which step.
    pub step: String,
    /// What it would do.
    pub action: &'static str,
    /// To what.
    pub target: String,
    /// Why it was held back.
    pub reason: String,
}

/// Predicted against realised saving of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedJson {
    /// Which step.
    pub step: String,
    /// The workload or node that it acted on.
    pub target: String,
    /// Whether all of its work was done; else it counts for the time in which it was in force.
    pub complete: bool,
    /// What the reference would have cost.
    pub reference: String,
    /// What the plan promised for the time in which it was in force.
    pub predicted: String,
    /// What the reference would have cost less what the ledger posted.
    pub realised: String,
    /// What the ledger posted.
    pub posted: String,
    /// From when it was in force.
    pub from: String,
    /// To when.
    pub to: String,
}

/// The wire form of a tick.
pub fn tick(tick: &Tick) -> TickJson {
    let flow = &tick.money;
    let parts = [flow.used, flow.idle, flow.unallocated, flow.overhead].map(Money::pico);
    let difference = flow.paid.pico() - parts.iter().sum::<i128>();
    TickJson {
        at: time(tick.at),
        window: tick.window.map(WindowJson::from),
        currency: flow.paid.currency().to_string(),
        paid: flow.paid.to_decimal(),
        used: flow.used.to_decimal(),
        idle: flow.idle.to_decimal(),
        unallocated: flow.unallocated.to_decimal(),
        overhead: flow.overhead.to_decimal(),
        difference: Money::from_pico(difference, flow.paid.currency()).to_decimal(),
        coverage: tick.coverage.ratio().map(ratio),
        resources: resources(tick),
        world: WorldJson::of(&tick.snapshot),
        plan: tick.planned.as_ref().map(|planned| planned.plan.id.to_string()),
        budgets: tick.budgets.iter().map(TickBudgetJson::of).collect(),
        receipts: tick.resolved.iter().chain(&tick.acted.receipts).map(ReceiptJson::of).collect(),
        held: tick.acted.held.iter().map(HeldJson::of).collect(),
        unknown: tick.acted.unknown.iter().map(|step| step.id.to_string()).collect(),
        verified: tick.verified.iter().map(VerifiedJson::of).collect(),
        notes: tick.notes.clone(),
    }
}

/// Measured utilisation of each resource; `None` where nothing was paid.
pub(crate) fn utilisation(tick: &Tick) -> PerResource<Option<Utilisation>> {
    PerResource::from_fn(|resource| {
        let usage = tick.usage.get(resource);
        (usage.paid_nano() > 0).then(|| Utilisation {
            used_nano: usage.used_nano,
            allocated_nano: usage.allocated_nano(),
            capacity_nano: usage.paid_nano(),
        })
    })
}

fn resources(tick: &Tick) -> Vec<ResourceJson> {
    let measured = utilisation(tick);
    let row = |resource: Resource| {
        let (usage, measured) = (tick.usage.get(resource), measured.get(resource));
        let (unit, size) = counted_in(resource);
        let hours = |nano: i128| hours(nano, size);
        ResourceJson {
            resource: resource.name(),
            unit,
            utilisation: measured.and_then(Utilisation::of_capacity).map(ratio),
            utilisation_of_allocated: measured.and_then(Utilisation::of_allocated).map(ratio),
            used_hours: hours(usage.used_nano),
            idle_hours: hours(usage.idle_nano),
            unallocated_hours: hours(usage.unallocated_nano),
            overhead_hours: hours(usage.overhead_nano),
        }
    };
    Resource::ALL.into_iter().map(row).collect()
}

/// How old each part of a snapshot was.
pub(super) fn ages(snapshot: &Snapshot) -> Vec<AgeJson> {
    let age = |age: &farthing_model::Age| AgeJson {
        part: age.part,
        age_s: seconds(snapshot.at.duration_since(age.as_of)),
    };
    snapshot.ages.iter().map(age).collect()
}

/// The unit that people count a resource in, and how many of its natural units that is.
pub(super) const fn counted_in(resource: Resource) -> (&'static str, i128) {
    match resource {
        Resource::Gpu => ("gpu", 1),
        Resource::Cpu => ("core", 1),
        Resource::Memory | Resource::Storage | Resource::Network => ("gib", GIB),
    }
}

impl WorldJson {
    fn of(snapshot: &Snapshot) -> Self {
        let in_state = |state| snapshot.nodes.iter().filter(move |node| node.state == state);
        let ready = in_state(NodeState::Ready).count();
        Self {
            cluster: snapshot.cluster.to_string(),
            nodes: ready + in_state(NodeState::Booting).count(),
            nodes_ready: ready,
            workloads: WorkloadsJson::of(snapshot),
            ages: ages(snapshot),
        }
    }
}

impl WorkloadsJson {
    /// Counts the workloads of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut counts = Self::default();
        for observed in &snapshot.workloads {
            let count = match &observed.state {
                WorkloadState::Waiting => &mut counts.waiting,
                WorkloadState::Placed(_) => &mut counts.placed,
                WorkloadState::Suspended => &mut counts.suspended,
                WorkloadState::Finished(_) => &mut counts.finished,
            };
            *count += 1;
        }
        counts
    }
}

impl TickBudgetJson {
    fn of(state: &BudgetState) -> Self {
        let limit = match state.limit {
            Limit::Money(limit) => Some(limit.to_decimal()),
            Limit::GpuHoursMilli(_) => None,
        };
        Self {
            budget: state.budget.id.to_string(),
            period: state.period.into(),
            limit,
            spent: state.spent.to_decimal(),
            committed: state.committed.to_decimal(),
        }
    }
}

impl ReceiptJson {
    /// The wire form of a receipt.
    pub fn of(receipt: &Receipt) -> Self {
        let (outcome, detail) = match &receipt.outcome {
            ReceiptOutcome::Done => ("done", None),
            ReceiptOutcome::AlreadyDone => ("already-done", None),
            ReceiptOutcome::Conflict(detail) => ("conflict", Some(detail.clone())),
            ReceiptOutcome::Failed(detail) => ("failed", Some(detail.clone())),
        };
        Self { step: receipt.step.to_string(), at: time(receipt.at), outcome, detail }
    }
}

impl HeldJson {
    fn of((step, held): &(Step, Held)) -> Self {
        Self {
            step: step.id.to_string(),
            action: step.action.name(),
            target: target(&step.action),
            reason: held.to_string(),
        }
    }
}

impl VerifiedJson {
    fn of(record: &VerifiedRecord) -> Self {
        Self {
            step: record.step.clone(),
            target: record.target.clone(),
            complete: record.complete,
            reference: number(&record.reference),
            predicted: number(&record.predicted),
            realised: number(&record.realised),
            posted: number(&record.posted),
            from: record.from.clone(),
            to: record.to.clone(),
        }
    }
}

/// `12.34` of the journal's `12.34 USD`.
fn number(text: &str) -> String {
    text.split_once(' ').map_or(text, |(number, _)| number).to_owned()
}
