//! From contents of machines to nodes with names, what each workload pays, and what is proven.

use super::PackInput;
use super::budgets::planned;
use super::input::{Stated, need};
use super::problem::Content;
use crate::program::gcd;
use crate::{BudgetRow, PlanError, Status, Waiting};
use farthing_model::{
    Limit, Money, MoneyError, Offer, OfferId, PriceDates, Ratio, Reason, Window, WorkloadId,
    split_money,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// Which nodes to buy, and what each holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// What made it: `farthing`, `ffd-cheapest`.
    pub policy: &'static str,
    /// For how long the nodes are paid.
    pub window: Window,
    /// All nodes over the window.
    pub cost: Money,
    /// No packing of all that is placed costs less; `None` for a baseline, and where something
    /// waits that could be placed at a price.
    pub lower_bound: Option<Money>,
    /// `(cost - lower_bound) / lower_bound`.
    pub gap: Option<Ratio>,
    /// Optimal, feasible with a gap, or infeasible: something waits.
    pub status: Status,
    /// The nodes, by offer and content.
    pub nodes: Vec<PackedNode>,
    /// What each workload has of each offer.
    pub shares: Vec<PackedShare>,
    /// What waits, and why.
    pub waiting: Vec<Waiting>,
    /// Each budget under this packing.
    pub budgets: Vec<BudgetRow>,
    /// Of cores, memory, accelerators, storage: asked for / what nodes have for pods.
    pub allocated: [Option<Ratio>; 4],
    /// Offers that were not considered: reason -> how many.
    pub excluded: BTreeMap<&'static str, usize>,
    /// Days and sources of the prices.
    pub prices: Option<PriceDates>,
    /// Rounds of column generation, and contents that were known at the end.
    pub search: (u64, usize),
}

/// Nodes that are alike and hold the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackedNode {
    /// What they are bought as.
    pub offer: OfferId,
    /// Members of workloads on each, by workload.
    pub holds: Vec<(WorkloadId, u64)>,
    /// How many nodes.
    pub count: u64,
}

/// Members of a workload on nodes of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedShare {
    /// Who.
    pub workload: WorkloadId,
    /// Where.
    pub offer: OfferId,
    /// How many members.
    pub members: u64,
    /// Their part of the nodes' price over the window. A node is divided among those on it by the
    /// resource of which each takes the largest part; all parts sum to the cost, to the last unit.
    pub cost: Money,
}

/// What a search found.
pub(super) struct Found {
    pub(super) contents: Vec<Content>,
    /// In the grain of the problem, for an hour.
    pub(super) bound: Option<u128>,
    pub(super) rounds: u64,
    pub(super) columns: usize,
}

pub(super) fn report(
    input: &PackInput<'_>,
    mut stated: Stated<'_>,
    found: Option<Found>,
) -> Result<Packing, PlanError> {
    let found = found.unwrap_or(Found { contents: Vec::new(), bound: None, rounds: 0, columns: 0 });
    let mut contents = found.contents;
    contents.sort();
    let (nodes, waits) = placed(&mut stated, &contents);
    let all_placed = waits.is_empty();
    let waiting = waiting(&mut stated, waits);
    let nodes: Vec<PackedNode> = nodes
        .into_iter()
        .map(|((offer, holds), count)| PackedNode { offer, holds, count })
        .collect();
    let totals = Totals::of(input, &nodes)?;
    let bound = found.bound.filter(|_| all_placed);
    let bound = bound.map(|bound| stated.bound(input, bound)).transpose()?;
    let gap = bound
        .and_then(|bound| Ratio::of(totals.cost.pico().checked_sub(bound.pico())?, bound.pico()));
    let status = match bound {
        _ if !waiting.is_empty() => Status::Infeasible,
        Some(bound) if bound == totals.cost => Status::Optimal,
        _ => Status::Feasible,
    };
    Ok(Packing {
        policy: "farthing",
        budgets: budget_rows(input, &totals.shares)?,
        window: input.window,
        cost: totals.cost,
        lower_bound: bound,
        gap,
        status,
        nodes,
        shares: totals.shares,
        waiting,
        allocated: totals.allocated,
        excluded: stated.excluded,
        prices: totals.prices,
        search: (found.rounds, found.columns),
    })
}

/// Contents as nodes with names, and the members that wait.
type Placed = (BTreeMap<(OfferId, Vec<(WorkloadId, u64)>), u64>, BTreeMap<WorkloadId, u64>);

fn placed(stated: &mut Stated<'_>, contents: &[Content]) -> Placed {
    let (mut nodes, mut waits) = (BTreeMap::new(), BTreeMap::new());
    for content in contents {
        let offer = stated.offers[content.machine];
        let holds = named(stated, content);
        match offer {
            Some(offer) => *nodes.entry((offer.id.clone(), holds)).or_insert(0_u64) += 1,
            None => {
                for (id, members) in holds {
                    *waits.entry(id).or_insert(0) += members;
                }
            }
        }
    }
    // What no search placed, as there are not enough nodes.
    let rest = stated.members.iter().flatten().filter(|(_, members)| *members > 0);
    for (workload, members) in rest {
        *waits.entry(workload.id.clone()).or_insert(0) += *members;
    }
    (nodes, waits)
}

/// Who waits: for what fits nowhere, and for what there is not enough of.
fn waiting(stated: &mut Stated<'_>, waits: BTreeMap<WorkloadId, u64>) -> Vec<Waiting> {
    let one = |workload: WorkloadId, members: u64, reason: Reason| Waiting {
        workload,
        members: u32::try_from(members).unwrap_or(u32::MAX),
        late: matches!(reason, Reason::Deadline { .. }),
        reason,
    };
    let nowhere = std::mem::take(&mut stated.nowhere).into_iter().map(|(workload, reason)| {
        let members = workload.job().map_or(1, |job| u64::from(job.count));
        one(workload.id.clone(), members, reason)
    });
    let short = waits.into_iter().map(|(id, members)| one(id, members, Reason::Capacity));
    let mut waiting: Vec<Waiting> = nowhere.chain(short).collect();
    waiting.sort_by(|a, b| a.workload.cmp(&b.workload));
    waiting
}

/// Names the pods of a content: members in the order of the workloads of their shape.
fn named(stated: &mut Stated<'_>, content: &Content) -> Vec<(WorkloadId, u64)> {
    let mut named = Vec::new();
    for (shape, count) in &content.counts {
        let mut open = *count;
        for (workload, members) in &mut stated.members[*shape] {
            let here = open.min(*members);
            if here > 0 {
                *members -= here;
                open -= here;
                named.push((workload.id.clone(), here));
            }
        }
    }
    named.sort();
    named
}

impl Stated<'_> {
    /// A bound for an hour as one for the window. Every packing costs a whole multiple of the
    /// greatest common divisor of all prices.
    fn bound(&self, input: &PackInput<'_>, bound: u128) -> Result<Money, PlanError> {
        let wrong = |source| PlanError::Money { object: "the bound".to_owned(), source };
        let overflow = || wrong(MoneyError::Overflow);
        let bound = i128::try_from(bound).ok().and_then(|it| it.checked_mul(self.grain));
        let bound = bound.ok_or_else(overflow)?;
        let rates = self.offers.iter().flatten().filter_map(|offer| offer.price.rate());
        let common = rates.fold(0, |common, rate| gcd(common, rate.per_hour().pico()));
        let up = |amount: i128| amount.checked_add(common - 1).map(|it| it / common * common);
        let bound = if common > 0 { up(bound).ok_or_else(overflow)? } else { bound };
        let hour = SignedDuration::from_hours(1).as_nanos();
        let length = input.window.nanos();
        let scaled = bound.checked_mul(length).ok_or_else(overflow)?;
        // A node may cost a unit less than its part of an hour that is not whole.
        let pods: u64 = self.problem.shapes.iter().map(|shape| shape.count).sum();
        let less = if length % hour == 0 { 0 } else { i128::from(pods) };
        Ok(Money::from_pico((scaled / hour - less).max(0), input.currency))
    }
}

/// Budgets in money; accelerator time is held to, and has no row of money.
fn budget_rows(input: &PackInput<'_>, shares: &[PackedShare]) -> Result<Vec<BudgetRow>, PlanError> {
    let mut rows = Vec::new();
    for state in input.budgets {
        let Limit::Money(limit) = state.limit else { continue };
        let wrong =
            |source| PlanError::Money { object: format!("budget {}", state.budget.id), source };
        let planned = planned(input, state, shares)?;
        let gone = state.spent.checked_add(state.committed).map_err(wrong)?;
        rows.push(BudgetRow {
            budget: state.budget.id.clone(),
            limit: Some(limit),
            spent: state.spent,
            committed: state.committed,
            planned,
            forecast: gone.checked_add(planned).map_err(wrong)?,
            rung: None,
        });
    }
    Ok(rows)
}

/// Sums over all nodes.
struct Totals {
    cost: Money,
    shares: Vec<PackedShare>,
    allocated: [Option<Ratio>; 4],
    prices: Option<PriceDates>,
}

impl Totals {
    fn of(input: &PackInput<'_>, nodes: &[PackedNode]) -> Result<Self, PlanError> {
        let mut cost = Money::zero(input.currency);
        let mut shares: BTreeMap<(WorkloadId, OfferId), (u64, Money)> = BTreeMap::new();
        let (mut asked, mut there) = ([0_u128; 4], [0_u128; 4]);
        let mut used = Vec::new();
        let needs: BTreeMap<&WorkloadId, _> =
            input.workloads.iter().map(|it| (&it.id, need(&it.resources))).collect();
        for node in nodes {
            let wrong =
                |source| PlanError::Money { object: format!("offer {}", node.offer), source };
            let Some(offer) = offer(input, &node.offer) else { continue };
            used.push(&offer.price);
            let each = match offer.price.rate() {
                Some(rate) => rate.cost(input.window).map_err(wrong)?,
                None => Money::zero(input.currency),
            };
            let all = each.checked_mul_int(i128::from(node.count)).map_err(wrong)?;
            cost = cost.checked_add(all).map_err(wrong)?;
            let room = need(&offer.capacity);
            let mut weights = Vec::with_capacity(node.holds.len());
            for (id, members) in &node.holds {
                let need = needs.get(id).copied().unwrap_or_default();
                weights.push(dominant(&need, &room) * i128::from(*members));
                for (asked, need) in asked.iter_mut().zip(need) {
                    *asked += u128::from(need) * u128::from(*members) * u128::from(node.count);
                }
            }
            for (there, room) in there.iter_mut().zip(room) {
                *there += u128::from(room) * u128::from(node.count);
            }
            let parts = split_money(all, &weights).map_err(|source| PlanError::Split {
                object: format!("offer {}", node.offer),
                source,
            })?;
            for ((id, members), part) in node.holds.iter().zip(parts) {
                let none = (0, Money::zero(input.currency));
                let share = shares.entry((id.clone(), node.offer.clone())).or_insert(none);
                share.0 += members * node.count;
                share.1 = share.1.checked_add(part).map_err(wrong)?;
            }
        }
        let ratio = |(asked, there): (u128, u128)| {
            Ratio::of(i128::try_from(asked).ok()?, i128::try_from(there).ok()?)
        };
        let mut allocated = asked.into_iter().zip(there).map(ratio);
        Ok(Self {
            cost,
            allocated: std::array::from_fn(|_| allocated.next().flatten()),
            prices: PriceDates::of(used),
            shares: shares
                .into_iter()
                .map(|((workload, offer), (members, cost))| PackedShare {
                    workload,
                    offer,
                    members,
                    cost,
                })
                .collect(),
        })
    }
}

fn offer<'a>(input: &PackInput<'a>, id: &OfferId) -> Option<&'a Offer> {
    let at = input.offers.binary_search_by(|offer| offer.id.cmp(id)).ok()?;
    input.offers.get(at)
}

/// The largest part of a node that one member takes, in 10^-9; at least one.
fn dominant(need: &[u64], room: &[u64]) -> i128 {
    let part =
        |(need, room): (&u64, &u64)| i128::from(*need) * 1_000_000_000 / i128::from(*room).max(1);
    need.iter().zip(room).take(4).map(part).max().unwrap_or(0).max(1)
}
