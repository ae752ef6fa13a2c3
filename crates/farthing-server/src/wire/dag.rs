//! `plan` of a DAG: the same top-level keys as any plan, and what is the DAG's own beside them.

use super::binding::{BindingJson, binding};
use super::plan::{BudgetJson, CutJson, WaitingJson};
use super::prices::PricesJson;
use super::scalar::{WindowJson, millis, ratio, seconds, time};
use farthing_engine::planner::{
    Alternative, DagInput, DagPlan, Obstacle, SearchReport, Sensitivity, TaskPlan, TransferPlan,
};
use farthing_model::{Decimal, Limit, Money, Objective, Offer};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A plan of a DAG.
#[derive(Clone, Debug, Serialize)]
pub struct DagPlanJson {
    /// The DAG's name.
    pub dag: String,
    /// `cost` or `time`.
    pub objective: &'static str,
    /// When it was made, which is when the DAG starts.
    pub at: String,
    /// From the start to the last end; `null` where nothing can be done.
    pub horizon: Option<WindowJson>,
    /// Nodes and known egress.
    pub cost: String,
    /// What the nodes cost.
    pub compute_cost: String,
    /// What moving data costs, as far as it is known.
    pub egress_cost: String,
    /// The proven least cost.
    pub lower_bound: Option<String>,
    /// `(cost - lower_bound) / lower_bound`.
    pub gap: Option<f64>,
    /// `optimal`, `feasible` or `infeasible`.
    pub status: &'static str,
    /// How long planning took, without reading and indexing prices.
    pub solve_ms: Option<f64>,
    /// The currency of all money here.
    pub currency: String,
    /// The tasks, in the order of the manifest.
    pub steps: Vec<DagStepJson>,
    /// What moves: edges, then inputs, then outputs.
    pub transfers: Vec<TransferJson>,
    /// The tasks that cannot run, and why.
    pub waiting: Vec<WaitingJson>,
    /// What binds the plan, and what slack would be worth.
    pub binding: Vec<BindingJson>,
    /// What cannot be met, and the least that would have to give.
    pub obstacles: Vec<ObstacleJson>,
    /// A budget takes nothing from a DAG: it is planned whole or not at all.
    pub cuts: Vec<CutJson>,
    /// Accelerator, or instance type where there is none -> the most nodes held at once.
    pub offers_used: BTreeMap<String, u64>,
    /// Each budget under this plan.
    pub budgets: Vec<BudgetJson>,
    /// What is unknown, and what it may hide.
    pub unknown: Vec<String>,
    /// Bytes that move at a price nobody knows, in GB.
    pub unpriced_gb: String,
    /// Days and sources of the prices of its offers; `null` where it has none.
    pub prices: Option<PricesJson>,
    /// From the start to the last end.
    pub makespan_s: f64,
    /// Where time is the objective: the proven least.
    pub makespan_bound_s: Option<f64>,
    /// The tasks that decide when the last one ends, in order.
    pub critical_path: Vec<String>,
    /// Each task on its own cheapest offer, blind to egress: the cost; `null` if that is late.
    pub reference_cost: Option<String>,
    /// What the search did.
    pub search: SearchJson,
    /// Other policies on the same input.
    pub baselines: BTreeMap<&'static str, BaselineJson>,
}

/// One task on its offer.
#[derive(Clone, Debug, Serialize)]
pub struct DagStepJson {
    /// The task's name.
    pub workload: String,
    /// Where.
    pub offer: String,
    /// `aws`, `gcp`, `azure` and so on.
    pub provider: String,
    /// The provider's name of the region.
    pub region: String,
    /// The zone, where prices differ by zone.
    pub zone: Option<String>,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// The accelerator's normalised name.
    pub accelerator: Option<String>,
    /// Accelerators of one node.
    pub accelerator_count: u32,
    /// How it is paid.
    pub purchase: &'static str,
    /// What one node costs per hour.
    pub price: Option<String>,
    /// Where the price is from, and the day it was seen.
    pub source: Option<String>,
    /// The day the price was seen.
    pub as_of: Option<String>,
    /// Nodes.
    pub count: u32,
    /// From when.
    pub start: String,
    /// To when.
    pub end: String,
    /// How long.
    pub run_s: f64,
    /// How much of that is no work: boot, and on spot the expected loss.
    pub overhead_s: f64,
    /// What the nodes cost in that window.
    pub cost: String,
    /// What it saves against the reference, the data that comes to it included.
    pub saving: Option<String>,
    /// Why here.
    pub reasons: Vec<String>,
    /// The next best, with all other tasks where they are.
    pub alternatives: Vec<AlternativeJson>,
    /// How much later it could end without making anything late.
    pub slack_s: Option<f64>,
}

/// A task on another offer.
#[derive(Clone, Debug, Serialize)]
pub struct AlternativeJson {
    /// Which offer.
    pub offer: String,
    /// What the whole DAG would cost.
    pub total: Option<String>,
    /// Why it lost.
    pub reason: String,
}

/// Data that moves.
#[derive(Clone, Debug, Serialize)]
pub struct TransferJson {
    /// The task, or the place where the data is.
    pub from: String,
    /// The task, or the place where the data goes.
    pub to: String,
    /// `provider/region` that the data leaves.
    pub from_place: String,
    /// `provider/region` that it goes to.
    pub to_place: String,
    /// How much, in GB of 10^9 bytes.
    pub gb: String,
    /// What it costs; `null` where no price is known.
    pub cost: Option<String>,
    /// How long it takes, where that is known.
    pub takes_s: Option<f64>,
}

/// What cannot be met.
#[derive(Clone, Debug, Serialize)]
pub struct ObstacleJson {
    /// `no-offer`, `price-cap`, `deadline`, `cost-cap` or `available`.
    pub kind: &'static str,
    /// The task that it is about; `null`: the DAG.
    pub task: Option<String>,
    /// In words.
    pub reason: String,
    /// What is asked for.
    pub limit: Option<String>,
    /// The nearest that can be.
    pub nearest: Option<String>,
    /// By how much the limit would have to give: money, nodes, or seconds for a deadline.
    pub over: Option<String>,
}

/// What the search did.
#[derive(Clone, Debug, Serialize)]
pub struct SearchJson {
    /// How the plan was found.
    pub method: &'static str,
    /// Offers that passed all filters, summed over tasks.
    pub candidates: usize,
    /// What is left of them by dominance.
    pub labels: usize,
    /// Places that no route tells apart.
    pub classes: usize,
    /// Branches.
    pub nodes: u64,
    /// Entries of tables that were read.
    pub work: u64,
    /// Whether the limit on work came before the proof.
    pub limited: bool,
}

/// What another policy would cost.
#[derive(Clone, Debug, Serialize)]
pub struct BaselineJson {
    /// Its cost.
    pub cost: String,
    /// The currency of it.
    pub currency: String,
    /// `feasible`: nothing is proven of it.
    pub status: &'static str,
    /// From the start to the last end.
    pub makespan_s: f64,
}

/// The wire form of a DAG's plan. `budgets` are those it was planned within, with their limits.
pub fn dag_plan(
    input: &DagInput<'_>,
    plan: &DagPlan,
    budgets: &[(String, Limit)],
    solve: Option<Duration>,
) -> DagPlanJson {
    let objective = match input.dag.objective {
        Objective::Time => "time",
        Objective::Cost | Objective::Carbon => "cost",
    };
    let prices = plan.price_dates(input.market.offers());
    let end = plan.start.checked_add(plan.makespan).ok();
    let window = end.and_then(|end| farthing_model::Window::new(plan.start, end).ok());
    let steps: Vec<DagStepJson> =
        plan.tasks.iter().filter_map(|task| DagStepJson::of(task, input.market.offers())).collect();
    DagPlanJson {
        dag: input.dag.id.to_string(),
        objective,
        at: time(plan.start),
        horizon: window.map(WindowJson::from),
        cost: plan.cost.to_decimal(),
        compute_cost: plan.compute.to_decimal(),
        egress_cost: plan.egress.to_decimal(),
        lower_bound: plan.lower_bound.map(Money::to_decimal),
        gap: plan.gap.map(ratio),
        status: plan.status.name(),
        solve_ms: solve.map(millis),
        currency: plan.currency.to_string(),
        offers_used: offers_used(plan, input.market.offers()),
        steps,
        transfers: plan.transfers.iter().map(TransferJson::of).collect(),
        waiting: waiting(input, plan),
        binding: Vec::new(),
        obstacles: plan.obstacles.iter().map(ObstacleJson::of).collect(),
        cuts: Vec::new(),
        budgets: budgets.iter().map(|(name, limit)| budget(name, *limit, plan.cost)).collect(),
        unknown: plan.unknown.clone(),
        unpriced_gb: gb(plan.unpriced_bytes),
        prices: prices.map(|dates| PricesJson::of(dates, plan.start)),
        makespan_s: seconds(plan.makespan),
        makespan_bound_s: plan.makespan_bound.map(seconds),
        critical_path: plan.critical_path.clone(),
        reference_cost: plan.reference.map(Money::to_decimal),
        search: SearchJson::of(&plan.search),
        baselines: BTreeMap::new(),
    }
}

impl DagPlanJson {
    /// With what binds the plan.
    #[must_use]
    pub fn with_binding(mut self, sensitivity: &Sensitivity) -> Self {
        self.binding = binding(sensitivity);
        self
    }

    /// Only what is about one task: its step, what moves to and from it, and what stops it.
    #[must_use]
    pub fn of_task(mut self, task: &str) -> Self {
        self.steps.retain(|step| step.workload == task);
        self.transfers.retain(|transfer| transfer.from == task || transfer.to == task);
        self.waiting.retain(|waiting| waiting.workload == task);
        self.obstacles.retain(|it| it.task.as_deref().is_none_or(|name| name == task));
        self
    }

    /// With what simpler rules make of it, those that keep all limits.
    #[must_use]
    pub fn with_baselines(mut self, plan: &DagPlan) -> Self {
        for baseline in &plan.baselines {
            let Some((cost, makespan)) = baseline.outcome else { continue };
            let (cost, currency) = (cost.to_decimal(), self.currency.clone());
            let (status, makespan_s) = ("feasible", seconds(makespan));
            let json = BaselineJson { cost, currency, status, makespan_s };
            self.baselines.insert(baseline.name, json);
        }
        self
    }
}

fn offer<'o>(id: &farthing_model::OfferId, offers: &'o [Offer]) -> Option<&'o Offer> {
    offers.binary_search_by(|offer| offer.id.cmp(id)).ok().map(|at| &offers[at])
}

impl DagStepJson {
    fn of(task: &TaskPlan, offers: &[Offer]) -> Option<Self> {
        let offer = offer(&task.offer, offers)?;
        let window = task.window;
        let from = window.map(|window| time(window.from()));
        let from_price = offer.price.provenance();
        Some(Self {
            workload: task.task.clone(),
            offer: task.offer.to_string(),
            provider: offer.place.provider.clone(),
            region: offer.place.region.clone(),
            zone: offer.place.zone.clone(),
            instance_type: offer.instance_type.clone(),
            accelerator: offer.accelerator.as_ref().map(ToString::to_string),
            accelerator_count: offer.accelerator_count,
            purchase: offer.purchase.name(),
            price: offer.price.rate().map(|rate| rate.per_hour().to_decimal()),
            source: from_price.map(|from| from.source.clone()),
            as_of: from_price.map(|from| from.as_of.to_string()),
            count: task.nodes,
            start: from.clone().unwrap_or_default(),
            end: window.map(|window| time(window.to())).or(from).unwrap_or_default(),
            run_s: window.map_or(0.0, |window| seconds(window.duration())),
            overhead_s: seconds(task.overhead),
            cost: task.cost.to_decimal(),
            saving: task.saving.map(Money::to_decimal),
            reasons: task.reasons.clone(),
            alternatives: task.alternatives.iter().map(AlternativeJson::of).collect(),
            slack_s: task.slack.map(seconds),
        })
    }
}

impl AlternativeJson {
    fn of(alternative: &Alternative) -> Self {
        Self {
            offer: alternative.offer.to_string(),
            total: alternative.total.map(Money::to_decimal),
            reason: alternative.reason.clone(),
        }
    }
}

impl TransferJson {
    fn of(transfer: &TransferPlan) -> Self {
        Self {
            from: transfer.from.clone(),
            to: transfer.to.clone(),
            from_place: transfer.from_place.to_string(),
            to_place: transfer.to_place.to_string(),
            gb: gb(transfer.bytes.into()),
            cost: transfer.cost.map(Money::to_decimal),
            takes_s: transfer.takes.map(seconds),
        }
    }
}

impl ObstacleJson {
    fn of(obstacle: &Obstacle) -> Self {
        let money = |money: &Money| Some(money.to_decimal());
        let over =
            |most: &Money, least: &Money| least.checked_sub(*most).ok().map(Money::to_decimal);
        let (limit, nearest, over) = match obstacle {
            Obstacle::NoOffer { .. } => (None, None, None),
            Obstacle::Price { cap, least, .. } | Obstacle::Cost { cap, least, .. } => {
                (money(cap), money(least), over(cap, least))
            }
            Obstacle::Deadline { due, earliest, .. } => {
                let late = seconds(earliest.duration_since(*due));
                (Some(time(*due)), Some(time(*earliest)), Some(late.to_string()))
            }
            Obstacle::GpuHours { cap_milli, least_milli } => {
                let hours = |milli: u64| Decimal::from_nano(i128::from(milli) * 1_000_000);
                let over = hours(least_milli.saturating_sub(*cap_milli));
                let (most, least) = (hours(*cap_milli), hours(*least_milli));
                (Some(most.to_string()), Some(least.to_string()), Some(over.to_string()))
            }
            Obstacle::Available { available, wanted, .. } => {
                let over = wanted.saturating_sub(u64::from(*available));
                (Some(available.to_string()), Some(wanted.to_string()), Some(over.to_string()))
            }
        };
        Self {
            kind: obstacle.kind(),
            task: obstacle.task().map(str::to_owned),
            reason: obstacle.to_string(),
            limit,
            nearest,
            over,
        }
    }
}

impl SearchJson {
    fn of(search: &SearchReport) -> Self {
        Self {
            method: search.method,
            candidates: search.candidates,
            labels: search.labels,
            classes: search.classes,
            nodes: search.nodes,
            work: search.work,
            limited: search.limited,
        }
    }
}

/// Every task of a plan that is infeasible waits; one that an obstacle names has its reason.
fn waiting(input: &DagInput<'_>, plan: &DagPlan) -> Vec<WaitingJson> {
    if !plan.tasks.is_empty() {
        return Vec::new();
    }
    let waiting = |task: &farthing_model::Task| {
        let own = plan.obstacles.iter().find(|obstacle| obstacle.task() == Some(&task.name));
        let obstacle = own.or(plan.obstacles.iter().find(|obstacle| obstacle.task().is_none()));
        let obstacle = obstacle.or(plan.obstacles.first());
        WaitingJson {
            workload: task.name.clone(),
            reason: obstacle.map_or_else(|| plan.unknown.join("; "), ToString::to_string),
            kind: obstacle.map_or("limit", Obstacle::kind),
            members: 1,
            late: obstacle.is_some_and(|it| matches!(it, Obstacle::Deadline { .. })),
        }
    };
    input.dag.tasks.iter().map(waiting).collect()
}

fn budget(name: &str, limit: Limit, cost: Money) -> BudgetJson {
    let none = Money::zero(cost.currency()).to_decimal();
    BudgetJson {
        budget: name.to_owned(),
        limit: match limit {
            Limit::Money(limit) => Some(limit.to_decimal()),
            Limit::GpuHoursMilli(_) => None,
        },
        spent: none.clone(),
        committed: none,
        planned: cost.to_decimal(),
        forecast: cost.to_decimal(),
        rung: None,
    }
}

/// The most nodes held at once, by accelerator or instance type.
fn offers_used(plan: &DagPlan, offers: &[Offer]) -> BTreeMap<String, u64> {
    let mut changes: BTreeMap<String, Vec<(jiff::Timestamp, i64)>> = BTreeMap::new();
    for task in &plan.tasks {
        let (Some(offer), Some(window)) = (offer(&task.offer, offers), task.window) else {
            continue;
        };
        let name = match &offer.accelerator {
            Some(accelerator) => accelerator.to_string(),
            None => offer.instance_type.clone(),
        };
        let changes = changes.entry(name).or_default();
        changes.push((window.from(), task.nodes.into()));
        changes.push((window.to(), -i64::from(task.nodes)));
    }
    changes.into_iter().map(|(name, changes)| (name, super::plan::most_at_once(changes))).collect()
}

/// Bytes in GB, exactly.
fn gb(bytes: u128) -> String {
    let nano = i128::try_from(bytes).unwrap_or(i128::MAX);
    farthing_model::Decimal::from_nano(nano).to_string()
}
