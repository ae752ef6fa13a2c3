//! `plan` of nodes that stand: the same top-level keys as any plan, and the steps in an order in
//! which each has room.

use super::plan::machine;
use super::scalar::{WindowJson, millis, ratio, time};
use farthing_engine::planner::{Consolidation, NodeAt, RunningInput, RunningStep};
use farthing_model::{HourlyRate, Money, OfferId, Ratio, Window};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What becomes of nodes that stand.
#[derive(Clone, Debug, Serialize)]
pub struct ConsolidationJson {
    /// The policy that made it; `karpenter` is what provisioners do.
    pub policy: &'static str,
    /// When it was made.
    pub at: String,
    /// For how long nodes are paid.
    pub horizon: WindowJson,
    /// All nodes that stood, in that span.
    pub before: String,
    /// All nodes that stay or are bought, in that span.
    pub cost: String,
    /// Members that move.
    pub moved: u64,
    /// What that costs.
    pub disturbance: String,
    /// `before - cost - disturbance`.
    pub saving: String,
    /// No nodes that hold everybody cost less, were moves free; `null` for a baseline.
    pub lower_bound: Option<String>,
    /// `(cost - lower_bound) / lower_bound`.
    pub gap: Option<f64>,
    /// `optimal`, `feasible` or `infeasible`.
    pub status: &'static str,
    /// How long planning took; `null` where it was not measured.
    pub solve_ms: Option<f64>,
    /// The currency of all money here.
    pub currency: String,
    /// What is done, in an order in which it can be.
    pub steps: Vec<ConsolidationStepJson>,
    /// What waits, and why.
    pub waiting: Vec<StillWaitingJson>,
    /// Nothing is cut that runs.
    pub cuts: Vec<String>,
    /// Accelerator, or instance type where there is none -> nodes that stay or are bought.
    pub offers_used: BTreeMap<String, u64>,
    /// No budget is held: nodes that stand are paid already.
    pub budgets: Vec<String>,
    /// What is unknown, and what it may hide.
    pub unknown: Vec<String>,
    /// Other policies on the same input.
    pub baselines: BTreeMap<&'static str, Self>,
}

/// One thing that is done.
#[derive(Clone, Debug, Serialize)]
pub struct ConsolidationStepJson {
    /// `buy`, `start`, `move` or `give-back`.
    pub action: &'static str,
    /// Whose members; `null` where nodes come or go.
    pub workload: Option<String>,
    /// What the node is that is bought, given back or gone to.
    pub offer: String,
    /// Members, or one node.
    pub count: u64,
    /// The node that is left, or given back.
    pub from: Option<String>,
    /// The node that is gone to, or bought: one that is bought is `new-1`, `new-2` and so on.
    pub to: Option<String>,
    /// From when.
    pub start: String,
    /// To when.
    pub end: String,
    /// What it costs.
    pub cost: String,
    /// What it saves.
    pub saving: String,
    /// Why.
    pub reasons: Vec<&'static str>,
}

/// Members for whom there is no room.
#[derive(Clone, Debug, Serialize)]
pub struct StillWaitingJson {
    /// Who.
    pub workload: String,
    /// How many members.
    pub members: u64,
    /// Why.
    pub reason: String,
}

/// The wire form of a consolidation.
pub fn consolidation(
    made: &Consolidation,
    input: &RunningInput<'_>,
    solve: Option<Duration>,
) -> ConsolidationJson {
    let (window, currency) = (input.pack.window, input.pack.currency);
    let names = Names { input, made };
    let saved = made.before.checked_sub(made.cost).and_then(|it| it.checked_sub(made.disturbance));
    let status = match (made.waiting.is_empty(), made.gap.map(Ratio::ppm)) {
        (false, _) => "infeasible",
        (true, Some(0)) => "optimal",
        (true, _) => "feasible",
    };
    ConsolidationJson {
        policy: policy(made),
        at: time(window.from()),
        horizon: window.into(),
        before: made.before.to_decimal(),
        cost: made.cost.to_decimal(),
        moved: made.moved,
        disturbance: made.disturbance.to_decimal(),
        saving: saved.unwrap_or(Money::zero(currency)).to_decimal(),
        lower_bound: made.lower_bound.map(Money::to_decimal),
        gap: made.gap.map(ratio),
        status,
        solve_ms: solve.map(millis),
        currency: currency.to_string(),
        steps: made.steps.iter().map(|step| names.step(step)).collect(),
        waiting: names.waiting(),
        cuts: Vec::new(),
        offers_used: names.used(),
        budgets: Vec::new(),
        unknown: Vec::new(),
        baselines: BTreeMap::new(),
    }
}

/// What the usual rule is called where people compare.
fn policy(made: &Consolidation) -> &'static str {
    if made.policy == "usual" { "karpenter" } else { made.policy }
}

impl ConsolidationJson {
    /// With other policies beside it.
    #[must_use]
    pub fn with_baselines(mut self, baselines: impl IntoIterator<Item = Self>) -> Self {
        self.baselines = baselines.into_iter().map(|other| (other.policy, other)).collect();
        self
    }
}

struct Names<'a> {
    input: &'a RunningInput<'a>,
    made: &'a Consolidation,
}

impl Names<'_> {
    fn step(&self, step: &RunningStep) -> ConsolidationStepJson {
        let window = self.input.pack.window;
        let zero = Money::zero(self.input.pack.currency);
        let base = |action, offer: String| ConsolidationStepJson {
            action,
            workload: None,
            offer,
            count: 1,
            from: None,
            to: None,
            start: time(window.from()),
            end: time(window.to()),
            cost: zero.to_decimal(),
            saving: zero.to_decimal(),
            reasons: Vec::new(),
        };
        match step {
            RunningStep::Buy { node, offer } => ConsolidationStepJson {
                to: Some(new(*node)),
                cost: over(self.rate(offer), window, zero).to_decimal(),
                reasons: vec!["for whoever does not fit on nodes that stay"],
                ..base("buy", offer.to_string())
            },
            RunningStep::Start { workload, members, to } => ConsolidationStepJson {
                workload: Some(workload.to_string()),
                count: *members,
                to: Some(named(to)),
                reasons: vec!["it ran nowhere yet"],
                ..base("start", self.offer(to))
            },
            RunningStep::Move { workload, members, from, to } => {
                let cost = self.input.move_cost.checked_mul_int(i128::from(*members));
                ConsolidationStepJson {
                    workload: Some(workload.to_string()),
                    count: *members,
                    from: Some(from.to_string()),
                    to: Some(named(to)),
                    cost: cost.unwrap_or(zero).to_decimal(),
                    reasons: vec!["its node is given back"],
                    ..base("move", self.offer(to))
                }
            }
            RunningStep::GiveBack { node } => {
                let found = self.input.nodes.iter().find(|it| it.id == *node);
                let saving = found.map_or(zero, |it| over(Some(it.price), window, zero));
                ConsolidationStepJson {
                    from: Some(node.to_string()),
                    saving: saving.to_decimal(),
                    reasons: vec!["what it costs is more than the moves off it"],
                    ..base("give-back", found.map_or_else(String::new, |it| it.offer.to_string()))
                }
            }
        }
    }

    fn rate(&self, offer: &OfferId) -> Option<HourlyRate> {
        self.input.pack.offers.iter().find(|it| it.id == *offer)?.price.rate()
    }

    /// What the node is that members go to.
    fn offer(&self, to: &NodeAt) -> String {
        let found = match to {
            NodeAt::Standing(id) => {
                self.input.nodes.iter().find(|it| it.id == *id).map(|it| &it.offer)
            }
            NodeAt::Bought(number) => self.bought().find(|(node, _)| node == number).map(|it| it.1),
        };
        found.map_or_else(String::new, ToString::to_string)
    }

    fn bought(&self) -> impl Iterator<Item = (usize, &OfferId)> {
        self.made.steps.iter().filter_map(|step| match step {
            RunningStep::Buy { node, offer } => Some((*node, offer)),
            _ => None,
        })
    }

    fn used(&self) -> BTreeMap<String, u64> {
        let gone = |id| {
            let gives =
                |step: &RunningStep| matches!(step, RunningStep::GiveBack { node } if node == id);
            self.made.steps.iter().any(gives)
        };
        let stay = self.input.nodes.iter().filter(|node| !gone(&node.id)).map(|node| &node.offer);
        let mut used = BTreeMap::new();
        for offer in stay.chain(self.bought().map(|(_, offer)| offer)) {
            *used.entry(machine(offer, self.input.pack.offers)).or_default() += 1;
        }
        used
    }

    fn waiting(&self) -> Vec<StillWaitingJson> {
        let one = |(workload, members): (&farthing_model::WorkloadId, &u64)| {
            let why = self.made.reasons.get(workload).map(ToString::to_string);
            StillWaitingJson {
                workload: workload.to_string(),
                members: *members,
                reason: why
                    .unwrap_or_else(|| "no node has room, and no more can be bought".to_owned()),
            }
        };
        self.made.waiting.iter().map(one).collect()
    }
}

fn over(rate: Option<HourlyRate>, window: Window, zero: Money) -> Money {
    rate.and_then(|rate| rate.cost(window).ok()).unwrap_or(zero)
}

fn named(node: &NodeAt) -> String {
    match node {
        NodeAt::Standing(id) => id.to_string(),
        NodeAt::Bought(number) => new(*number),
    }
}

fn new(number: usize) -> String {
    format!("new-{}", number + 1)
}
