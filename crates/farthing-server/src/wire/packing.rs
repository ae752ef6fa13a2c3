//! `plan` of workloads that share nodes: the same top-level keys as any plan, and the nodes with
//! what each holds.

use super::plan::{BudgetJson, CutJson, WaitingJson, machine};
use super::prices::PricesJson;
use super::scalar::{WindowJson, millis, ratio, time};
use farthing_engine::planner::{PackedNode, PackedShare, Packing};
use farthing_model::{Money, Offer, Resource};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which nodes to buy for workloads that share them.
#[derive(Clone, Debug, Serialize)]
pub struct PackingJson {
    /// The policy that made it.
    pub policy: &'static str,
    /// When it was made, which is when the nodes are bought.
    pub at: String,
    /// For how long they are paid.
    pub horizon: WindowJson,
    /// All nodes in that span.
    pub cost: String,
    /// No packing of all that is placed costs less; `null` for a baseline.
    pub lower_bound: Option<String>,
    /// `(cost - lower_bound) / lower_bound`.
    pub gap: Option<f64>,
    /// `optimal`, `feasible` or `infeasible`.
    pub status: &'static str,
    /// How long planning took; `null` where it was not measured.
    pub solve_ms: Option<f64>,
    /// The currency of all money here.
    pub currency: String,
    /// What each workload has of each offer.
    pub steps: Vec<PackedStepJson>,
    /// The nodes to buy, those alike together.
    pub nodes: Vec<PackedNodeJson>,
    /// What waits, and why.
    pub waiting: Vec<WaitingJson>,
    /// What is held back by budgets waits; nothing is cut that runs.
    pub cuts: Vec<CutJson>,
    /// Accelerator, or instance type where there is none -> nodes.
    pub offers_used: BTreeMap<String, u64>,
    /// Days and sources of the prices; `null` where there are none.
    pub prices: Option<PricesJson>,
    /// Each budget under this plan.
    pub budgets: Vec<BudgetJson>,
    /// What is unknown, and what it may hide.
    pub unknown: Vec<String>,
    /// Resource -> what members ask for / what the nodes have.
    pub allocated: BTreeMap<&'static str, Option<f64>>,
    /// Offers that were not considered: reason -> how many.
    pub excluded: BTreeMap<&'static str, usize>,
    /// What the search did.
    pub search: PackingSearchJson,
    /// Other policies on the same input.
    pub baselines: BTreeMap<&'static str, Self>,
}

/// Members of a workload on nodes of an offer.
#[derive(Clone, Debug, Serialize)]
pub struct PackedStepJson {
    /// Who.
    pub workload: String,
    /// Where.
    pub offer: String,
    /// How many members.
    pub count: u64,
    /// From when.
    pub start: String,
    /// To when.
    pub end: String,
    /// Their part of the nodes, by the resource of which each takes the largest part.
    pub cost: String,
    /// What first-fit decreasing would cost more; `null` where that was not asked.
    pub saving: Option<String>,
    /// Why.
    pub reasons: Vec<String>,
}

/// Nodes that are alike and hold the same.
#[derive(Clone, Debug, Serialize)]
pub struct PackedNodeJson {
    /// What they are bought as.
    pub offer: String,
    /// How many.
    pub count: u64,
    /// Workload -> members on each.
    pub holds: BTreeMap<String, u64>,
}

/// What the search did.
#[derive(Clone, Debug, Serialize)]
pub struct PackingSearchJson {
    /// Rounds of column generation.
    pub rounds: u64,
    /// Contents of nodes that were known at its end.
    pub columns: usize,
}

/// The wire form of a packing. `offers` are those of the input, sorted by id.
pub fn packing(packing: &Packing, offers: &[Offer], solve: Option<Duration>) -> PackingJson {
    let at = packing.window.from();
    let mut used: BTreeMap<String, u64> = BTreeMap::new();
    for node in &packing.nodes {
        *used.entry(machine(&node.offer, offers)).or_default() += node.count;
    }
    let resources = [Resource::Cpu, Resource::Memory, Resource::Gpu, Resource::Storage];
    let allocated = resources.into_iter().zip(packing.allocated);
    PackingJson {
        policy: packing.policy,
        at: time(at),
        horizon: packing.window.into(),
        cost: packing.cost.to_decimal(),
        lower_bound: packing.lower_bound.map(Money::to_decimal),
        gap: packing.gap.map(ratio),
        status: packing.status.name(),
        solve_ms: solve.map(millis),
        currency: packing.cost.currency().to_string(),
        steps: packing.shares.iter().map(|share| PackedStepJson::of(packing, share)).collect(),
        nodes: packing.nodes.iter().map(PackedNodeJson::of).collect(),
        waiting: packing.waiting.iter().map(WaitingJson::of).collect(),
        cuts: Vec::new(),
        offers_used: used,
        prices: packing.prices.clone().map(|dates| PricesJson::of(dates, at)),
        budgets: packing.budgets.iter().map(BudgetJson::of).collect(),
        unknown: Vec::new(),
        allocated: allocated.map(|(resource, it)| (resource.name(), it.map(ratio))).collect(),
        excluded: packing.excluded.clone(),
        search: PackingSearchJson { rounds: packing.search.0, columns: packing.search.1 },
        baselines: BTreeMap::new(),
    }
}

impl PackingJson {
    /// With other policies beside it.
    #[must_use]
    pub fn with_baselines(mut self, baselines: impl IntoIterator<Item = Self>) -> Self {
        self.baselines = baselines.into_iter().map(|other| (other.policy, other)).collect();
        self
    }
}

impl PackedStepJson {
    fn of(packing: &Packing, share: &PackedShare) -> Self {
        Self {
            workload: share.workload.to_string(),
            offer: share.offer.to_string(),
            count: share.members,
            start: time(packing.window.from()),
            end: time(packing.window.to()),
            cost: share.cost.to_decimal(),
            saving: None,
            reasons: vec!["packed with others at the least cost found".to_owned()],
        }
    }
}

impl PackedNodeJson {
    fn of(node: &PackedNode) -> Self {
        let holds = node.holds.iter().map(|(workload, n)| (workload.to_string(), *n));
        Self { offer: node.offer.to_string(), count: node.count, holds: holds.collect() }
    }
}
