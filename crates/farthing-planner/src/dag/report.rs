//! What a DAG's plan says: where each task runs, what moves, what it costs, and why.

use farthing_model::{Currency, Decimal, Money, Offer, OfferId, Place, PriceDates, Ratio, Window};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

use crate::Status;

/// A plan of a DAG, with its proof and its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DagPlan {
    /// `optimal`, `feasible` or `infeasible`.
    pub status: Status,
    /// The currency of all money here.
    pub currency: Currency,
    /// Nodes and known egress; zero where nothing can be done.
    pub cost: Money,
    /// What the nodes cost.
    pub compute: Money,
    /// What moving data costs, as far as that is known.
    pub egress: Money,
    /// No plan costs less: of those with the fewest bytes that have no price, and, where time is
    /// the objective, of those that end as early. `None` where it is not proven.
    pub lower_bound: Option<Money>,
    /// `(cost - lower_bound) / lower_bound`.
    pub gap: Option<Ratio>,
    /// When the DAG starts.
    pub start: Timestamp,
    /// From the start to the last end.
    pub makespan: SignedDuration,
    /// Where time is the objective: no plan ends earlier.
    pub makespan_bound: Option<SignedDuration>,
    /// The tasks, in the order of the manifest; empty where nothing can be done.
    pub tasks: Vec<TaskPlan>,
    /// What moves: edges, then inputs, then outputs, in the order of the manifest.
    pub transfers: Vec<TransferPlan>,
    /// The tasks that decide when the last one ends, in order.
    pub critical_path: Vec<String>,
    /// What cannot be met, and the least that would have to give.
    pub obstacles: Vec<Obstacle>,
    /// What is unknown, and what it may hide.
    pub unknown: Vec<String>,
    /// Bytes that move at a price nobody knows.
    pub unpriced_bytes: u128,
    /// The cost of the same tasks, each on its own cheapest offer, blind to egress; `None` where
    /// that is late.
    pub reference: Option<Money>,
    /// What simpler rules make of the same DAG; empty where nothing can be done.
    pub baselines: Vec<DagBaseline>,
    /// What the search did.
    pub search: SearchReport,
}

impl DagPlan {
    /// Days and sources of the prices of the offers that something is placed on; `offers` are
    /// those of the market, sorted by id.
    pub fn price_dates(&self, offers: &[Offer]) -> Option<PriceDates> {
        let known = |task: &TaskPlan| offers.binary_search_by(|it| it.id.cmp(&task.offer)).ok();
        PriceDates::of(self.tasks.iter().filter_map(known).map(|at| &offers[at].price))
    }
}

/// What a simpler rule makes of the same DAG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DagBaseline {
    /// `cheapest-each`, `fastest-each`: every task alone on its cheapest or fastest offer;
    /// `step-by-step`: each in its turn, blind to where its data goes; `one-region`: everything in
    /// the best one region.
    pub name: &'static str,
    /// What it costs and how long it takes; `None` where it is late, over the cap on cost, moves
    /// data at a price that nobody knows, or holds more nodes than there are.
    pub outcome: Option<(Money, SignedDuration)>,
}

/// What the search did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchReport {
    /// How the plan was proven or found.
    pub method: &'static str,
    /// Offers that passed all filters, summed over tasks.
    pub candidates: usize,
    /// What is left of them by dominance.
    pub labels: usize,
    /// Places that no route tells apart, as classes.
    pub classes: usize,
    /// Branches.
    pub nodes: u64,
    /// Entries of tables that were read.
    pub work: u64,
    /// Whether the limit on work came before the proof.
    pub limited: bool,
}

/// One task on its offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPlan {
    /// Its name.
    pub task: String,
    /// Where it runs.
    pub offer: OfferId,
    /// Nodes.
    pub nodes: u32,
    /// When it holds them; empty runs have no window.
    pub window: Option<Window>,
    /// How much of that is no work: boot, and on spot the expected loss.
    pub overhead: SignedDuration,
    /// What the nodes cost in it.
    pub cost: Money,
    /// What this choice saves against the reference, its incoming data included.
    pub saving: Option<Money>,
    /// Why here.
    pub reasons: Vec<String>,
    /// The next best, with all other tasks where they are.
    pub alternatives: Vec<Alternative>,
    /// How much later it could end without making anything late; `None` without a deadline.
    pub slack: Option<SignedDuration>,
}

/// A task on another offer, with all other tasks where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// Which offer.
    pub offer: OfferId,
    /// What the whole DAG would cost; `None` where data would move at an unknown price.
    pub total: Option<Money>,
    /// Why it lost.
    pub reason: String,
}

/// Data that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferPlan {
    /// The task, or the place where the data is.
    pub from: String,
    /// The task, or the place where the data goes.
    pub to: String,
    /// The region that the data leaves.
    pub from_place: Place,
    /// The region that it goes to.
    pub to_place: Place,
    /// How much.
    pub bytes: u64,
    /// What it costs; `None` where no price is known.
    pub cost: Option<Money>,
    /// How long it takes, where that is known.
    pub takes: Option<SignedDuration>,
}

/// What cannot be met, and the least that would have to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No offer can run a task.
    NoOffer {
        /// Which task.
        task: String,
        /// The filter that the last offers came to.
        why: String,
    },
    /// Every offer is over a cap on an hour.
    Price {
        /// Which task.
        task: String,
        /// `one node` or `all nodes`.
        per: &'static str,
        /// The most that an hour may cost.
        cap: Money,
        /// The least that it does cost.
        least: Money,
    },
    /// Nothing ends early enough.
    Deadline {
        /// Which task; `None`: the DAG.
        task: Option<String>,
        /// When it is due.
        due: Timestamp,
        /// The earliest that it can end.
        earliest: Timestamp,
        /// Whether it is proven that nothing is earlier.
        proven: bool,
    },
    /// Everything costs more than it may.
    Cost {
        /// The most that everything may cost.
        cap: Money,
        /// The cheapest plan that was found.
        least: Money,
        /// No plan costs less.
        bound: Money,
    },
    /// Everything takes more accelerator time than it may, in thousandths of an hour.
    GpuHours {
        /// The most that everything may take.
        cap_milli: u64,
        /// The least that was found.
        least_milli: u64,
    },
    /// Several tasks would hold more nodes of an offer at once than there are.
    Available {
        /// Which offer.
        offer: OfferId,
        /// How many there are.
        available: u32,
        /// How many would be held.
        wanted: u64,
    },
}

impl Obstacle {
    /// The name of its kind, for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoOffer { .. } => "no-offer",
            Self::Price { .. } => "price-cap",
            Self::Deadline { .. } => "deadline",
            Self::Cost { .. } => "cost-cap",
            Self::GpuHours { .. } => "gpu-hours-cap",
            Self::Available { .. } => "available",
        }
    }

    /// The task that it is about.
    pub fn task(&self) -> Option<&str> {
        match self {
            Self::NoOffer { task, .. } | Self::Price { task, .. } => Some(task),
            Self::Deadline { task, .. } => task.as_deref(),
            Self::Cost { .. } | Self::GpuHours { .. } | Self::Available { .. } => None,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = |least: &Money, cap: &Money| {
            least.checked_sub(*cap).map_or_else(|_| "more".to_owned(), |by| by.to_string())
        };
        match self {
            Self::NoOffer { task, why } => write!(out, "task {task}: {why}"),
            Self::Price { task, per, cap, least } => write!(
                out,
                "task {task}: an hour of {per} costs at least {least}, which is {} over the cap \
                 of {cap}",
                over(least, cap)
            ),
            Self::Deadline { task, due, earliest, proven } => {
                let who =
                    task.as_ref().map_or_else(|| "the DAG".to_owned(), |t| format!("task {t}"));
                let late = earliest.duration_since(*due);
                let found = if *proven { "can end at" } else { "was found to end at" };
                write!(
                    out,
                    "{who} is due at {due} and {found} {earliest} at the earliest, {late:#} late"
                )
            }
            Self::Cost { cap, least, bound } => {
                write!(
                    out,
                    "everything costs {least}, which is {} over the cap of {cap}",
                    over(least, cap)
                )?;
                if bound == least {
                    Ok(())
                } else {
                    write!(out, "; nothing costs less than {bound}")
                }
            }
            Self::GpuHours { cap_milli, least_milli } => {
                let hours = |milli: u64| Decimal::from_nano(i128::from(milli) * 1_000_000);
                let over = hours(least_milli.saturating_sub(*cap_milli));
                write!(
                    out,
                    "everything takes {} GPU-hours at least, as far as was found, which is {over} \
                     over the {} that it may",
                    hours(*least_milli),
                    hours(*cap_milli)
                )
            }
            Self::Available { offer, available, wanted } => write!(
                out,
                "{wanted} nodes of {offer} would be held at once, and there are {available}"
            ),
        }
    }
}
