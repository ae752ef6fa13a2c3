//! Which proposals of several decisions become the plan, where some exclude others: one exact
//! choice, with the losers and why they lost.
//!
//! Each decision proposes by itself, and two may want the same thing to become two things: a budget
//! suspends what another decision scales. [`arbitrate`] chooses, in this order: as many as possible
//! of what people approved, of what keeps a hard limit, of work that was asked for; then the most
//! dollars. A proposal that stands already yields only to what brings notably more than it
//! ([`Proposal::keeps`]), in dollars and never in counts. What is chosen is chosen again from
//! itself (idempotent). It refuses to know what a proposal does; start at [`Proposal`].

mod choose;
mod search;
#[cfg(test)]
mod tests;

use crate::PlanError;
use farthing_model::{Currency, Money, NodeId, WorkloadId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something of which at most one chosen proposal may dispose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// What becomes of a workload.
    Workload(WorkloadId),
    /// What becomes of a node.
    Node(NodeId),
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(id) => write!(out, "{id}"),
            Self::Node(id) => write!(out, "node {id}"),
        }
    }
}

/// How a proposal ranks before money is looked at, from the last to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// None: it is for its dollars.
    Saving,
    /// It does work that was asked for.
    Work,
    /// It keeps a limit that must hold.
    Limit,
    /// A person approved it.
    Approved,
}

/// What a decision wants to be done, as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What it is called in reasons, such as the id of its step.
    pub name: String,
    /// Which decision proposes it, such as `fleet` or `budget`.
    pub decision: &'static str,
    /// What comes before its dollars.
    pub duty: Duty,
    /// What it brings: its saving less what it costs.
    pub brings: Money,
    /// What another has to bring more than this one to take its place; zero, unless it stands.
    pub keeps: Money,
    /// What it disposes of.
    pub targets: BTreeSet<Target>,
    /// Proposals without which it cannot be done, by their places.
    pub needs: Vec<usize>,
    /// What it takes of limits that all share, by their places.
    pub takes: Vec<(usize, u64)>,
}

/// Something of which all chosen proposals share so much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLimit {
    /// What it is called in reasons.
    pub name: String,
    /// How much there is.
    pub left: u64,
}

/// Why a proposal is not in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Others that are in it dispose of the same.
    To {
        /// Which.
        winners: Vec<usize>,
        /// What both want.
        target: Target,
        /// Whether the winner ranks before money.
        by_duty: bool,
        /// What the winners bring more; below zero where they stand and this is not enough more.
        more: Money,
    },
    /// One that it needs is not in it.
    Needs(usize),
    /// Too little is left of a limit that all share.
    Limit(usize),
    /// It brings nothing.
    Worthless,
}

/// What is in the plan, and why the rest is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arbitrated {
    /// Proposals that are in the plan, by their places, ascending.
    pub chosen: Vec<usize>,
    /// The others, each with why.
    pub lost: Vec<(usize, Lost)>,
    /// What all chosen bring.
    pub brings: Money,
    /// Whether no other choice is better.
    pub proven: bool,
}

/// Proposals of all decisions, and what they share.
#[derive(Clone, Copy, Debug)]
pub struct Arbitration<'a> {
    /// The proposals. Of two that are alike the first is chosen.
    pub proposals: &'a [Proposal],
    /// What they share.
    pub limits: &'a [SharedLimit],
    /// The currency of all of them.
    pub currency: Currency,
}

/// Chooses.
///
/// # Errors
/// Another currency than that of the arbitration, sums that do not fit, or a solver that fails.
pub fn arbitrate(asked: &Arbitration<'_>) -> Result<Arbitrated, PlanError> {
    let zero = Money::zero(asked.currency);
    for proposal in asked.proposals {
        let one = zero.checked_add(proposal.brings).and_then(|it| it.checked_add(proposal.keeps));
        one.map_err(|source| PlanError::Money { object: proposal.name.clone(), source })?;
    }
    let (mut taken, mut proven) = (vec![false; asked.proposals.len()], true);
    for part in choose::parts(asked) {
        let (chosen, is_proven) = choose::part(asked, &part)?;
        for at in chosen {
            taken[at] = true;
        }
        proven &= is_proven;
    }
    let chosen: Vec<usize> = (0..taken.len()).filter(|at| taken[*at]).collect();
    let mut brings = zero;
    for at in &chosen {
        let wrong = |source| PlanError::Money { object: "all proposals".to_owned(), source };
        brings = brings.checked_add(asked.proposals[*at].brings).map_err(wrong)?;
    }
    let owners = owners(asked, &chosen);
    let lost = (0..taken.len()).filter(|at| !taken[*at]);
    let lost = lost.map(|at| (at, asked.why(at, &taken, &owners))).collect();
    Ok(Arbitrated { chosen, lost, brings, proven })
}

/// Which of the chosen disposes of what.
fn owners<'a>(asked: &Arbitration<'a>, chosen: &[usize]) -> BTreeMap<&'a Target, usize> {
    let mut owners = BTreeMap::new();
    for at in chosen {
        owners.extend(asked.proposals[*at].targets.iter().map(|target| (target, *at)));
    }
    owners
}

impl<'a> Arbitration<'a> {
    /// Why one is not in the plan.
    fn why(&self, at: usize, taken: &[bool], owners: &BTreeMap<&'a Target, usize>) -> Lost {
        let proposal: &'a Proposal = &self.proposals[at];
        let contested: Vec<(&Target, usize)> = proposal
            .targets
            .iter()
            .filter_map(|target| owners.get(target).map(|winner| (target, *winner)))
            .collect();
        if let Some((target, _)) = contested.first() {
            let winners: BTreeSet<usize> = contested.iter().map(|(_, winner)| *winner).collect();
            let theirs = winners.iter().map(|at| self.proposals[*at].brings.pico()).sum::<i128>();
            let more = Money::from_pico(theirs - proposal.brings.pico(), self.currency);
            let duty = winners.iter().map(|at| self.proposals[*at].duty).max();
            let by_duty = duty.is_some_and(|duty| duty > proposal.duty);
            let winners = winners.into_iter().collect();
            return Lost::To { winners, target: (*target).clone(), by_duty, more };
        }
        if let Some(need) = proposal.needs.iter().find(|need| !taken[**need]) {
            return Lost::Needs(*need);
        }
        let short = proposal
            .takes
            .iter()
            .find(|(limit, amount)| self.left(*limit, taken) < u128::from(*amount));
        match short {
            Some((limit, _)) => Lost::Limit(*limit),
            None => Lost::Worthless,
        }
    }

    /// What the chosen leave of a limit.
    fn left(&self, limit: usize, taken: &[bool]) -> u128 {
        let chosen = self.proposals.iter().zip(taken).filter(|(_, taken)| **taken);
        let takes = chosen.flat_map(|(proposal, _)| &proposal.takes);
        let used: u128 = takes.filter(|(at, _)| *at == limit).map(|(_, n)| u128::from(*n)).sum();
        u128::from(self.limits[limit].left).saturating_sub(used)
    }

    /// Why one lost, in words.
    pub fn reason(&self, lost: &Lost) -> String {
        match lost {
            Lost::To { winners, target, by_duty, more } => {
                let named = winners.iter().map(|at| {
                    let winner = &self.proposals[*at];
                    format!("{} ({})", winner.name, winner.decision)
                });
                let named = named.collect::<Vec<_>>().join(" and ");
                let why = match (by_duty, more.is_negative()) {
                    (true, _) => "which comes before money".to_owned(),
                    (false, true) => {
                        "which stands already, and this does not bring enough more".to_owned()
                    }
                    (false, false) => format!("which brings {more} more"),
                };
                format!("{target} goes to {named}, {why}")
            }
            Lost::Needs(at) => format!("it needs {}, which is not done", self.proposals[*at].name),
            Lost::Limit(at) => format!("too little is left of {}", self.limits[*at].name),
            Lost::Worthless => "it brings nothing".to_owned(),
        }
    }
}
