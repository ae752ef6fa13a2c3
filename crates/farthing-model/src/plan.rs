//! Plans: what to do, as exact steps, and what happened to each.

use crate::id::{NodeId, OfferId, PlanId, StepId, WorkloadId};
use crate::money::{Currency, Money};
use crate::resource::Resources;
use crate::window::Window;
use jiff::Timestamp;
use std::fmt;

/// A complete, immutable plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Unique in a journal.
    pub id: PlanId,
    /// The plan before it.
    pub parent: Option<PlanId>,
    /// When it was made.
    pub at: Timestamp,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

/// One exact action: the executor has no choice left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Unique in a journal; the world is asked by it whether the step was already done.
    pub id: StepId,
    /// What to do.
    pub action: Action,
    /// The generation of the target that was seen; another one is a conflict.
    pub generation: u64,
    /// What the step is expected to cost, over the span that it decides about.
    pub cost: Money,
    /// What it is expected to save against what would happen without it.
    pub saving: Money,
    /// Why, in order of weight.
    pub reasons: Vec<Reason>,
    /// Not to be done after this moment.
    pub expires: Timestamp,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run `members` members of a job on `nodes_each` nodes of an offer each, for a window.
    Start {
        /// The job.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
        /// How many members.
        members: u32,
        /// Nodes that each member holds.
        nodes_each: u32,
        /// From when to when.
        window: Window,
    },
    /// Set the replicas of a service on an offer, for a window.
    Scale {
        /// The service.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
        /// Replicas before.
        from: u32,
        /// Replicas after.
        to: u32,
        /// Nodes that each replica holds.
        nodes_each: u32,
        /// The span that the cost and saving are stated for.
        window: Window,
    },
    /// Stop a job so that it can be resumed.
    Suspend {
        /// The job.
        workload: WorkloadId,
    },
    /// Let a suspended job be placed again.
    Resume {
        /// The job.
        workload: WorkloadId,
    },
    /// Set what each member of something that runs may use at most, for a window.
    Resize {
        /// The workload.
        workload: WorkloadId,
        /// Members that run.
        members: u32,
        /// What each may use before.
        from: Resources,
        /// And after.
        to: Resources,
        /// The span that the cost and saving are stated for.
        window: Window,
    },
    /// Give a node back.
    Release {
        /// The node.
        node: NodeId,
    },
    /// Let nodes be bought for what waits: by the pool of an autoscaler, which is told that it may,
    /// and without one by people.
    Buy {
        /// What waits.
        workload: WorkloadId,
        /// What is bought.
        offer: OfferId,
        /// How many nodes of it.
        nodes: u32,
        /// Who buys them.
        pool: Option<String>,
        /// The span that the cost is stated for.
        window: Window,
    },
}

impl Action {
    /// The name in tables and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Scale { .. } => "scale",
            Self::Suspend { .. } => "suspend",
            Self::Resume { .. } => "resume",
            Self::Resize { .. } => "resize",
            Self::Release { .. } => "release",
            Self::Buy { .. } => "buy",
        }
    }

    /// The workload acted on, if it is one.
    pub const fn workload(&self) -> Option<&WorkloadId> {
        match self {
            Self::Start { workload, .. }
            | Self::Scale { workload, .. }
            | Self::Suspend { workload }
            | Self::Resume { workload }
            | Self::Resize { workload, .. }
            | Self::Buy { workload, .. } => Some(workload),
            Self::Release { .. } => None,
        }
    }

    /// Whether it disturbs work that runs.
    pub const fn disturbs(&self) -> bool {
        match self {
            Self::Suspend { .. } | Self::Release { .. } => true,
            Self::Scale { from, to, .. } => *to < *from,
            Self::Resize { from, to, .. } => !from.fits_in(*to),
            Self::Start { .. } | Self::Resume { .. } | Self::Buy { .. } => false,
        }
    }

    /// How many nodes the action touches.
    pub const fn nodes(&self) -> u32 {
        match self {
            Self::Start { members, nodes_each, .. } => members.saturating_mul(*nodes_each),
            Self::Scale { from, to, nodes_each, .. } => {
                from.abs_diff(*to).saturating_mul(*nodes_each)
            }
            Self::Suspend { .. } | Self::Resume { .. } | Self::Resize { .. } => 0,
            Self::Release { .. } => 1,
            Self::Buy { nodes, .. } => *nodes,
        }
    }
}

/// Why a step was chosen, or a workload waits: typed, with the binding constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The least cost to finish among the offers that are in time.
    Cheapest {
        /// The next best offer and what it would cost.
        runner_up: Option<(OfferId, Money)>,
        /// Offers that were possible in time.
        considered: usize,
    },
    /// The cheapest in time on another kind of machine, besides the runner-up.
    OtherMachine {
        /// Which offer.
        offer: OfferId,
        /// What it would cost.
        cost: Money,
    },
    /// A cheaper offer was passed over, because it would be late.
    CheaperWouldBeLate {
        /// The cheaper offer.
        offer: OfferId,
        /// What it would have cost.
        cost: Money,
    },
    /// A cheaper offer was passed over, because all of it is in use.
    CheaperIsFull {
        /// The cheaper offer.
        offer: OfferId,
        /// What it would have cost.
        cost: Money,
    },
    /// A budget did not allow it.
    OverBudget {
        /// Which budget.
        budget: crate::BudgetId,
        /// What is left in it.
        left: Money,
        /// What would be needed.
        needed: Money,
    },
    /// No offer fits the resources, the accelerator or the measured throughput.
    NoOffer(String),
    /// No offer is in a permitted jurisdiction.
    Residency(Vec<String>),
    /// No offer finishes in time.
    Deadline {
        /// When it is due.
        due: Timestamp,
        /// The earliest possible finish: the nearest deadline that could be met.
        earliest: Timestamp,
    },
    /// All suitable capacity is in use within the horizon.
    Capacity,
    /// Something else was worth more for the same money or capacity.
    LessValue,
    /// The node had nothing to do.
    IdleNode,
    /// The node does no work that counts, by what it says itself.
    Sick {
        /// By which of its symptoms.
        symptom: String,
        /// What that is, in the words of whoever found it.
        says: String,
        /// What is lost while its work stays, in the time that is looked at.
        loses: Money,
        /// What it costs to move it.
        move_costs: Money,
    },
    /// A resource is outside of its band.
    Band(String),
    /// The baseline policy's rule, in words.
    Rule(String),
}

impl Reason {
    /// How it reads that a node is not well: reasons come back from a journal as words.
    pub const SICK: &'static str = "the node is sick by ";
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cheapest { runner_up: None, considered } => {
                write!(out, "the only one of {considered} in time")
            }
            Self::Cheapest { runner_up: Some((offer, cost)), considered } => {
                let cost = cost.rounded(2);
                write!(out, "cheapest of {considered} in time; next {offer} at {cost}")
            }
            Self::CheaperWouldBeLate { offer, cost } => {
                write!(out, "{offer} at {} would be late", cost.rounded(2))
            }
            Self::OtherMachine { offer, cost } => {
                write!(out, "on another machine {} with {offer}", cost.rounded(2))
            }
            Self::CheaperIsFull { offer, cost } => {
                write!(out, "{offer} at {} is full", cost.rounded(2))
            }
            Self::OverBudget { budget, left, needed } => {
                // Accelerator time counts in thousandths, and money is read with the plan's.
                let (places, unit) = match needed.currency() {
                    Currency::GPU_HOURS => (3, " GPU-hours"),
                    _ => (2, ""),
                };
                let (left, needed) = (left.rounded(places), needed.rounded(places));
                write!(out, "budget {budget} has {left}{unit} left, {needed}{unit} needed")
            }
            Self::NoOffer(why) => write!(out, "no offer: {why}"),
            Self::Residency(places) => write!(out, "no offer in {}", places.join(" or ")),
            Self::Deadline { due, earliest } => {
                let late = earliest.duration_since(*due);
                write!(
                    out,
                    "deadline: due at {due}, the earliest finish is {earliest}, {late:#} late"
                )
            }
            Self::Capacity => write!(out, "all suitable capacity is in use"),
            Self::LessValue => {
                write!(out, "something else is worth more for the same money or capacity")
            }
            Self::IdleNode => write!(out, "the node has nothing to do"),
            Self::Sick { symptom, says, loses, move_costs } => {
                let (loses, costs) = (loses.rounded(2), move_costs.rounded(2));
                let says = if says.is_empty() { String::new() } else { format!(" ({says})") };
                let sick = Self::SICK;
                write!(out, "{sick}{symptom}{says}: its work loses {loses}, moving costs {costs}")
            }
            Self::Band(text) | Self::Rule(text) => out.write_str(text),
        }
    }
}

/// What happened to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The step.
    pub step: StepId,
    /// When it happened in the world.
    pub at: Timestamp,
    /// How it went.
    pub outcome: ReceiptOutcome,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptOutcome {
    /// Done.
    Done,
    /// It was already done by an earlier try.
    AlreadyDone,
    /// Not done: the target had changed since it was seen.
    Conflict(String),
    /// Not done: the world refused or could not.
    Failed(String),
}
