//! What can be wrong with a plan, typed, each naming its object.

use farthing_model::{BudgetId, Money, NodeId, OfferId, Ratio, StepId, Window, WorkloadId};
use jiff::Timestamp;
use std::fmt;

/// One thing that is wrong with a plan. Its `Display` names the object and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The plan or its report is not about this input.
    NotThisInput(&'static str),
    /// A step has the id of another one.
    StepTwice(StepId),
    /// A step or placement names a workload or node that is not in the snapshot.
    UnknownTarget(String),
    /// A step saw another generation than the snapshot has.
    Generation {
        /// The step.
        step: StepId,
        /// What it saw.
        seen: u64,
        /// What is there.
        there: u64,
    },
    /// A step does to a workload what cannot be done to it.
    Misapplied {
        /// The step.
        step: StepId,
        /// Why not.
        why: &'static str,
    },
    /// A step expires before it can be done, or after it makes sense.
    Expiry {
        /// The step.
        step: StepId,
        /// When it expires.
        expires: Timestamp,
    },
    /// A step has no placement that says the same.
    StepWithoutPlacement(StepId),
    /// A new placement has no step that does it.
    PlacementWithoutStep {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
    },
    /// A placement says that it stays, and it was not there.
    WasNotThere {
        /// Who.
        workload: WorkloadId,
        /// Where it is said to be.
        offer: Option<OfferId>,
    },
    /// Something that was placed is neither kept nor changed by a step.
    Dropped {
        /// Who.
        workload: WorkloadId,
        /// Where it was.
        offer: OfferId,
    },
    /// No such offer in the input.
    UnknownOffer {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
    },
    /// The offer has no known price.
    UnknownPrice {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
    },
    /// The offer is priced in another currency.
    Currency {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
    },
    /// Spot capacity for something that must not be interrupted, or whose loss is not known.
    Spot {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
    },
    /// The offer is in no permitted jurisdiction; a quoted cost is in none at all.
    Residency {
        /// Who.
        workload: WorkloadId,
        /// Where; `None` for a quoted cost.
        offer: Option<OfferId>,
    },
    /// A node of the offer is smaller than what a member asks for.
    Resources {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: OfferId,
    },
    /// No throughput was measured on so many nodes of the offer, or no cost was quoted.
    NotMeasured {
        /// Who.
        workload: WorkloadId,
        /// Where; `None` for a quoted cost.
        offer: Option<OfferId>,
    },
    /// The window is not as long as the run.
    RunTime {
        /// Who.
        workload: WorkloadId,
        /// Its window.
        window: Window,
        /// How long the run is, in nanoseconds.
        nanos: i128,
    },
    /// The placement starts before it may, or outside of the horizon.
    Start {
        /// Who.
        workload: WorkloadId,
        /// When it starts.
        start: Timestamp,
        /// When it may start.
        allowed: Window,
    },
    /// The placement ends after the deadline.
    Late {
        /// Who.
        workload: WorkloadId,
        /// When it ends.
        end: Timestamp,
        /// When it must.
        deadline: Timestamp,
    },
    /// A job with a deadline is on spot, and an interruption would make it late.
    NoWayOut {
        /// Who.
        workload: WorkloadId,
        /// Where.
        offer: Option<OfferId>,
        /// When it must end.
        deadline: Timestamp,
    },
    /// A window of a service is not the horizon.
    ServiceWindow {
        /// The service.
        workload: WorkloadId,
        /// Its window.
        window: Window,
    },
    /// A placement costs something else than its nodes in its window.
    Cost {
        /// Who.
        workload: WorkloadId,
        /// What the plan says.
        said: Money,
        /// What it is.
        is: Money,
    },
    /// Placed and waiting members are not all members.
    Count {
        /// Who.
        workload: WorkloadId,
        /// How many there are.
        members: u64,
        /// How many are placed.
        placed: u64,
        /// How many wait.
        waiting: u64,
    },
    /// More nodes of an offer are held at once than can be had.
    Capacity {
        /// Which offer.
        offer: OfferId,
        /// When.
        at: Timestamp,
        /// Nodes held.
        held: u64,
        /// Nodes that can be had.
        available: u32,
    },
    /// A node is given back that something still needs, or twice.
    ReleasedInUse(NodeId),
    /// The replicas do not carry the requests.
    Unserved {
        /// The service.
        workload: WorkloadId,
        /// What is missing.
        why: &'static str,
    },
    /// A service from which the ladder of a budget took replicas gets more.
    Grown {
        /// The service.
        workload: WorkloadId,
        /// Whose ladder.
        budget: BudgetId,
    },
    /// The schedule of a service over its curve does not hold.
    Schedule {
        /// The service.
        workload: WorkloadId,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Fewer replicas than the service wants at least.
    Replicas {
        /// The service.
        workload: WorkloadId,
        /// Replicas placed.
        placed: u64,
        /// Replicas wanted.
        least: u32,
    },
    /// A hard budget is exceeded.
    OverBudget {
        /// Which.
        budget: BudgetId,
        /// Spent, committed and planned.
        total: Money,
        /// Its limit.
        limit: Money,
    },
    /// A hard budget is exceeded in a period after the one around now.
    OverLaterBudget {
        /// Which.
        budget: BudgetId,
        /// The period.
        period: Window,
        /// What stands and what is planned cost inside.
        total: Money,
        /// Its limit.
        limit: Money,
    },
    /// A row about a budget is missing, double or wrong.
    BudgetRow {
        /// Which.
        budget: BudgetId,
        /// What is wrong in it.
        what: &'static str,
    },
    /// A cut names a budget that could not have made it.
    Cut {
        /// From whom.
        workload: WorkloadId,
        /// What is wrong in it.
        what: &'static str,
    },
    /// The total cost is not the sum of the placements.
    TotalCost {
        /// What the report says.
        said: Money,
        /// What it is.
        is: Money,
    },
    /// The value is not the sum of the placements, or above its bound.
    Value(&'static str),
    /// The bounds are not in order: certified <= lower <= cost.
    Bounds(&'static str),
    /// The gap is not that of the cost and the bound.
    Gap {
        /// What the report says.
        said: Option<Ratio>,
        /// What it is.
        is: Option<Ratio>,
    },
    /// The status contradicts what the report says.
    Status(&'static str),
    /// Something waits twice, or is not late as said.
    Waiting {
        /// Who.
        workload: WorkloadId,
        /// What is wrong.
        what: &'static str,
    },
    /// The numbers do not fit, so that nothing can be said.
    Overflow(String),
}

impl Violation {
    /// The placement an object of which is named, as `workload on offer`.
    fn place(
        out: &mut fmt::Formatter<'_>,
        workload: &WorkloadId,
        offer: &OfferId,
        what: &str,
    ) -> fmt::Result {
        write!(out, "workload {workload} on {offer}: {what}")
    }

    fn about_steps(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StepTwice(step) => write!(out, "step {step}: the id is used twice"),
            Self::Generation { step, seen, there } => {
                write!(out, "step {step}: it saw generation {seen}, the snapshot has {there}")
            }
            Self::Misapplied { step, why } => write!(out, "step {step}: {why}"),
            Self::Expiry { step, expires } => {
                write!(out, "step {step}: expiry {expires} is not between now and its end")
            }
            Self::StepWithoutPlacement(step) => {
                write!(out, "step {step}: no placement of the report says the same")
            }
            Self::PlacementWithoutStep { workload, offer } => {
                Self::place(out, workload, offer, "no step does this new placement")
            }
            Self::ReleasedInUse(node) => {
                write!(out, "node {node}: released while it is needed, or twice")
            }
            _ => Ok(()),
        }
    }

    fn about_offers(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOffer { workload, offer } => {
                Self::place(out, workload, offer, "the offer is not in the input")
            }
            Self::UnknownPrice { workload, offer } => {
                Self::place(out, workload, offer, "its price is not known")
            }
            Self::Currency { workload, offer } => {
                Self::place(out, workload, offer, "its price is in another currency")
            }
            Self::Spot { workload, offer } => Self::place(
                out,
                workload,
                offer,
                "spot needs a job that says how it is interrupted",
            ),
            Self::Residency { workload, offer } => {
                let offer = offer.as_ref().map_or("a quoted cost", OfferId::as_str);
                write!(out, "workload {workload} on {offer}: no permitted jurisdiction")
            }
            Self::Resources { workload, offer } => {
                Self::place(out, workload, offer, "a node is smaller than a member")
            }
            Self::Dropped { workload, offer } => {
                Self::place(out, workload, offer, "it was placed and is gone without a step")
            }
            Self::NotMeasured { workload, offer: Some(offer) } => {
                Self::place(out, workload, offer, "no run time is known on these nodes")
            }
            Self::NotMeasured { workload, offer: None } => {
                write!(out, "workload {workload}: placed at a quoted cost that it does not have")
            }
            Self::WasNotThere { workload, offer } => {
                let offer = offer.as_ref().map_or("a quoted cost", OfferId::as_str);
                write!(out, "workload {workload} on {offer}: it stays but was not there")
            }
            Self::Capacity { offer, at, held, available } => {
                write!(out, "offer {offer}: {held} nodes held at {at}, {available} can be had")
            }
            _ => self.about_steps(out),
        }
    }

    fn about_workloads(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunTime { workload, window, nanos } => {
                write!(out, "workload {workload}: {window} should last {nanos} ns")
            }
            Self::Start { workload, start, allowed } => {
                write!(out, "workload {workload}: starts at {start}, outside of {allowed}")
            }
            Self::Late { workload, end, deadline } => {
                write!(out, "workload {workload}: ends at {end}, after its deadline {deadline}")
            }
            Self::NoWayOut { workload, offer, deadline } => {
                let offer = offer.as_ref().map_or("spot", OfferId::as_str);
                write!(
                    out,
                    "workload {workload} on {offer}: no offer without limit could end it by \
                     {deadline} after an interruption"
                )
            }
            Self::ServiceWindow { workload, window } => {
                write!(out, "service {workload}: {window} is not the horizon")
            }
            Self::Cost { workload, said, is } => {
                write!(out, "workload {workload}: its cost is {is}, not {said}")
            }
            Self::Count { workload, members, placed, waiting } => write!(
                out,
                "workload {workload}: {placed} placed and {waiting} waiting of {members}"
            ),
            Self::Unserved { workload, why } => write!(out, "service {workload}: {why}"),
            Self::Grown { workload, budget } => {
                write!(out, "service {workload} grows, and budget {budget} took replicas from it")
            }
            Self::Schedule { workload, why } => {
                write!(out, "the schedule of service {workload}: {why}")
            }
            Self::Replicas { workload, placed, least } => {
                write!(out, "service {workload}: {placed} replicas, at least {least} are wanted")
            }
            Self::Cut { workload, what } | Self::Waiting { workload, what } => {
                write!(out, "workload {workload}: {what}")
            }
            _ => self.about_offers(out),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThisInput(what) => write!(out, "plan: its {what} is not that of the input"),
            Self::UnknownTarget(what) => write!(out, "{what} is not in the snapshot"),
            Self::OverBudget { budget, total, limit } => {
                write!(out, "budget {budget}: {total} exceed its hard limit of {limit}")
            }
            Self::OverLaterBudget { budget, period, total, limit } => {
                write!(out, "budget {budget}: {total} exceed its hard limit of {limit} in {period}")
            }
            Self::BudgetRow { budget, what } => write!(out, "budget {budget}: {what}"),
            Self::TotalCost { said, is } => {
                write!(out, "report: the placements cost {is}, not {said}")
            }
            Self::Value(what) | Self::Bounds(what) | Self::Status(what) => {
                write!(out, "report: {what}")
            }
            Self::Gap { said, is } => {
                let text = |gap: &Option<Ratio>| {
                    gap.map_or_else(|| "none".to_owned(), |gap| format!("{} ppm", gap.ppm()))
                };
                write!(out, "report: the gap is {}, not {}", text(is), text(said))
            }
            Self::Overflow(what) => write!(out, "{what}: the numbers do not fit"),
            _ => self.about_workloads(out),
        }
    }
}
