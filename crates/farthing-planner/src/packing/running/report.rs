//! From a fleet to steps with names, what it costs, and what is proven.

use super::super::input::Stated;
use super::RunningInput;
use super::fleet::Fleet;
use crate::PlanError;
use farthing_model::{Money, MoneyError, NodeId, OfferId, Ratio, WorkloadId};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// A node of a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeAt {
    /// One that stood.
    Standing(NodeId),
    /// The one that is bought by this number, from 0.
    Bought(usize),
}

/// A step; all can be taken in their order, and those of a kind in any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunningStep {
    /// A node is bought.
    Buy {
        /// By its number.
        node: usize,
        /// As what.
        offer: OfferId,
    },
    /// Members that ran nowhere start.
    Start {
        /// Whose.
        workload: WorkloadId,
        /// How many.
        members: u64,
        /// Where.
        to: NodeAt,
    },
    /// Members move.
    Move {
        /// Whose.
        workload: WorkloadId,
        /// How many.
        members: u64,
        /// From where.
        from: NodeId,
        /// To where.
        to: NodeAt,
    },
    /// A node on which nobody is any more is given back.
    GiveBack {
        /// Which.
        node: NodeId,
    },
}

/// What becomes of nodes that stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consolidation {
    /// What made it: `farthing`, `usual`.
    pub policy: &'static str,
    /// All nodes that stood, over the window.
    pub before: Money,
    /// All nodes that stay or are bought, over the window.
    pub cost: Money,
    /// Members that move.
    pub moved: u64,
    /// What that costs.
    pub disturbance: Money,
    /// No nodes that hold everybody cost less; `None` for a baseline, and where someone waits.
    pub lower_bound: Option<Money>,
    /// `(cost - lower_bound) / lower_bound`.
    pub gap: Option<Ratio>,
    /// What is done, in an order in which it can be.
    pub steps: Vec<RunningStep>,
    /// Members for whom there is no room at any price.
    pub waiting: BTreeMap<WorkloadId, u64>,
}

impl Consolidation {
    /// The same with so many moves, for a policy that moves some more than once.
    pub(super) fn with_moves(
        self,
        moved: u64,
        input: &RunningInput<'_>,
    ) -> Result<Self, PlanError> {
        let disturbance = input.move_cost.checked_mul_int(i128::from(moved)).map_err(of_moves)?;
        Ok(Self { moved, disturbance, ..self })
    }
}

fn of_moves(source: MoneyError) -> PlanError {
    PlanError::Money { object: "the moves".to_owned(), source }
}

/// Members of workloads, by workload.
type Members = BTreeMap<WorkloadId, u64>;

pub(super) fn report(
    policy: &'static str,
    input: &RunningInput<'_>,
    stated: &Stated<'_>,
    fleet: &Fleet<'_>,
    bound: Option<u128>,
) -> Result<Consolidation, PlanError> {
    let mut names = Names::of(input, stated, fleet);
    let steps = names.steps(input, stated, fleet);
    let all = |node: &super::StandingNode| node.price.cost(input.pack.window);
    let wrong = |source| PlanError::Money { object: "the nodes".to_owned(), source };
    let (mut before, mut cost) =
        (Money::zero(input.pack.currency), Money::zero(input.pack.currency));
    for (node, stand) in input.nodes.iter().zip(&fleet.stands) {
        let each = all(node).map_err(wrong)?;
        before = before.checked_add(each).map_err(wrong)?;
        if !stand.gone {
            cost = cost.checked_add(each).map_err(wrong)?;
        }
    }
    for stand in fleet.stands.iter().filter(|stand| !stand.gone) {
        let offer = stand.bought.and_then(|machine| stated.offers[machine]);
        let Some(rate) = offer.and_then(|offer| offer.price.rate()) else { continue };
        let each = rate.cost(input.pack.window).map_err(wrong)?;
        cost = cost.checked_add(each).map_err(wrong)?;
    }
    let waiting = names.waiting(input, stated, fleet);
    let bound = bound.filter(|_| waiting.is_empty()).map(|it| bound_of(input, stated, it));
    let bound =
        bound.transpose()?.map(|bound| if bound.pico() > cost.pico() { cost } else { bound });
    let gap = bound.and_then(|it| Ratio::of(cost.pico().checked_sub(it.pico())?, it.pico()));
    let moved = fleet.moved();
    let disturbance = input.move_cost.checked_mul_int(i128::from(moved)).map_err(of_moves)?;
    Ok(Consolidation {
        policy,
        before,
        cost,
        moved,
        disturbance,
        lower_bound: bound,
        gap,
        steps,
        waiting,
    })
}

/// A bound for an hour as one for the window, rounded down.
fn bound_of(
    input: &RunningInput<'_>,
    stated: &Stated<'_>,
    bound: u128,
) -> Result<Money, PlanError> {
    let overflow =
        || PlanError::Money { object: "the bound".to_owned(), source: MoneyError::Overflow };
    let an_hour = i128::try_from(bound).ok().and_then(|it| it.checked_mul(stated.grain));
    let length = an_hour.and_then(|it| it.checked_mul(input.pack.window.nanos()));
    let hour = SignedDuration::from_hours(1).as_nanos();
    let amount = length.ok_or_else(overflow)? / hour;
    // A node may cost a unit less than its part of an hour that is not whole.
    let pods: u64 = stated.problem.shapes.iter().map(|shape| shape.count).sum();
    let less = if input.pack.window.nanos() % hour == 0 { 0 } else { i128::from(pods) };
    Ok(Money::from_pico((amount - less).max(0), input.pack.currency))
}

/// Who of a shape comes from where: members that have to move, then those that ran nowhere.
struct Names {
    /// For each shape: from a node or from nowhere, whose, how many.
    from: Vec<Vec<(Option<NodeId>, WorkloadId, u64)>>,
}

impl Names {
    fn of(input: &RunningInput<'_>, stated: &Stated<'_>, fleet: &Fleet<'_>) -> Self {
        let mut from = vec![Vec::new(); stated.members.len()];
        let mut shapes: BTreeMap<&WorkloadId, usize> = BTreeMap::new();
        let mut open = Members::new();
        for (shape, members) in stated.members.iter().enumerate() {
            for (workload, count) in members {
                shapes.insert(&workload.id, shape);
                open.insert(workload.id.clone(), *count);
            }
        }
        for (node, stand) in input.nodes.iter().zip(&fleet.stands) {
            for (id, count) in &node.holds {
                let Some(shape) = shapes.get(id) else { continue };
                if let Some(open) = open.get_mut(id) {
                    *open = open.saturating_sub(*count);
                }
                if stand.gone {
                    from[*shape].push((Some(node.id.clone()), id.clone(), *count));
                }
            }
        }
        for (id, count) in open.into_iter().filter(|(_, count)| *count > 0) {
            if let Some(shape) = shapes.get(&id) {
                from[*shape].push((None, id, count));
            }
        }
        // What is taken first stands last.
        for all in &mut from {
            all.reverse();
        }
        Self { from }
    }

    /// Takes so many of a shape.
    fn take(&mut self, shape: usize, mut count: u64) -> Vec<(Option<NodeId>, WorkloadId, u64)> {
        let mut taken = Vec::new();
        while count > 0
            && let Some((node, id, there)) = self.from[shape].pop()
        {
            let here = there.min(count);
            count -= here;
            if there > here {
                self.from[shape].push((node.clone(), id.clone(), there - here));
            }
            taken.push((node, id, here));
        }
        taken
    }

    fn steps(
        &mut self,
        input: &RunningInput<'_>,
        stated: &Stated<'_>,
        fleet: &Fleet<'_>,
    ) -> Vec<RunningStep> {
        let (mut bought, mut goes, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (at, stand) in fleet.stands.iter().enumerate() {
            let standing = input.nodes.get(at).map(|node| node.id.clone());
            if stand.gone {
                ends.extend(standing.map(|node| RunningStep::GiveBack { node }));
                continue;
            }
            let offer = stand.bought.and_then(|machine| stated.offers[machine]);
            let to = standing.map_or(NodeAt::Bought(bought.len()), NodeAt::Standing);
            if let Some(offer) = offer {
                bought.push(RunningStep::Buy { node: bought.len(), offer: offer.id.clone() });
            }
            for (shape, count) in &stand.guests {
                for (from, workload, members) in self.take(*shape, *count) {
                    let to = to.clone();
                    goes.push(match from {
                        Some(from) => RunningStep::Move { workload, members, from, to },
                        None => RunningStep::Start { workload, members, to },
                    });
                }
            }
        }
        bought.into_iter().chain(goes).chain(ends).collect()
    }

    /// Those for whom there is no place, and those that fit nowhere and are on no node.
    fn waiting(
        &mut self,
        input: &RunningInput<'_>,
        stated: &Stated<'_>,
        fleet: &Fleet<'_>,
    ) -> Members {
        let mut waiting = Members::new();
        for (shape, count) in &fleet.waiting {
            for (_, id, members) in self.take(*shape, *count) {
                *waiting.entry(id).or_default() += members;
            }
        }
        for (workload, _) in &stated.nowhere {
            let all = workload.job().map_or(0, |job| u64::from(job.count));
            let here = input.nodes.iter().flat_map(|node| &node.holds);
            let here = here.filter(|(id, _)| *id == workload.id).map(|(_, count)| count);
            let left = all.saturating_sub(here.sum());
            if left > 0 {
                waiting.insert(workload.id.clone(), left);
            }
        }
        waiting
    }
}
