//! An outcome in the making: rows by offer that sum to what was paid and to what would have been.

use super::Choice;
use crate::paid::Paid;
use farthing_model::{Currency, Money, MoneyError, NodeId, OfferId, Provenance, WorkloadId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Events that are listed, at most; all are counted.
const LATE_MAX: usize = 1_000;

/// Why something stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// It is owned or reserved, and paid whether it is used or not.
    Committed,
    /// It is no node: a volume, a load balancer, what was sent, a control plane.
    NotANode,
    /// The price book has nothing that could stand for it.
    NoOffer,
    /// Nobody looked, or what was seen was let go of: whether work was there is not known.
    Unseen,
    /// It costs nothing, so no part of it is anybody's.
    Free,
}

impl Kept {
    /// As people read it.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Committed => "owned or reserved: paid whether it is used or not",
            Self::NotANode => "not a node",
            Self::NoOffer => "the price book has no offer that could stand for it",
            Self::Unseen => "nobody looked, or what was seen is no longer kept",
            Self::Free => "it cost nothing",
        }
    }
}

/// What a choice would have come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub choice: Choice,
    /// What would have been paid.
    pub cost: Money,
    /// What was paid less that; below zero where it would have cost more.
    pub saving: Money,
    /// By offer, and by why it stays as it was; they sum to `cost` and to what was paid. Sorted by
    /// saving, the largest first.
    pub rows: Vec<OutcomeRow>,
    /// How often work would have come to a node that is given back, and waited for another one.
    pub late_count: u64,
    /// The first of these.
    pub late: Vec<Late>,
    /// Work that would have been stopped as idle.
    pub stopped: BTreeSet<WorkloadId>,
}

/// What a choice makes of one offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRow {
    /// What was bought.
    pub offer: OfferId,
    /// What would have been, where that is another.
    pub other: Option<OfferId>,
    /// Where its price is from.
    pub price: Option<Provenance>,
    /// Why it stays as it was, if it does.
    pub kept: Option<Kept>,
    /// What was paid.
    pub was: Money,
    /// What would have been.
    pub cost: Money,
    /// Time of nodes that was paid, in nanoseconds.
    pub node_nanos: i128,
    /// What would have been; more or less, or the same at another price.
    pub other_nanos: i128,
}

/// Work that would have waited for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Whose.
    pub workload: WorkloadId,
    /// Where it ran as it was.
    pub node: NodeId,
    /// When it came.
    pub at: Timestamp,
}

/// What sets a row apart.
type RowKey = (OfferId, Option<OfferId>, Option<Kept>);

/// What is known so far.
pub(super) struct Draft {
    choice: Choice,
    currency: Currency,
    rows: BTreeMap<RowKey, OutcomeRow>,
    late_count: u64,
    late: Vec<Late>,
    stopped: BTreeSet<WorkloadId>,
}

/// What a choice makes of a stretch: its cost, its time, and what was bought instead.
pub(super) struct Made<'a> {
    pub(super) cost: Money,
    pub(super) nanos: i128,
    pub(super) other: Option<(&'a OfferId, Option<&'a Provenance>)>,
}

impl Draft {
    pub(super) const fn new(choice: Choice, currency: Currency) -> Self {
        Self {
            choice,
            currency,
            rows: BTreeMap::new(),
            late_count: 0,
            late: Vec::new(),
            stopped: BTreeSet::new(),
        }
    }

    /// A stretch stays as it was.
    pub(super) fn keep(&mut self, paid: &Paid, why: Kept) -> Result<(), MoneyError> {
        let made = Made { cost: paid.cost, nanos: paid.window.nanos(), other: None };
        self.add(paid, Some(why), &made)
    }

    /// A stretch would have cost something else.
    pub(super) fn change(&mut self, paid: &Paid, made: &Made<'_>) -> Result<(), MoneyError> {
        self.add(paid, None, made)
    }

    fn add(&mut self, paid: &Paid, kept: Option<Kept>, made: &Made<'_>) -> Result<(), MoneyError> {
        let other = made.other.map(|(offer, _)| offer.clone());
        let key = (paid.offer.clone(), other.clone(), kept);
        let zero = Money::zero(self.currency);
        let row = self.rows.entry(key).or_insert_with(|| OutcomeRow {
            offer: paid.offer.clone(),
            other,
            price: made.other.and_then(|(_, price)| price.cloned()),
            kept,
            was: zero,
            cost: zero,
            node_nanos: 0,
            other_nanos: 0,
        });
        row.was = row.was.checked_add(paid.cost)?;
        row.cost = row.cost.checked_add(made.cost)?;
        row.node_nanos += paid.window.nanos();
        row.other_nanos += made.nanos;
        Ok(())
    }

    /// Work would have waited for a node.
    pub(super) fn late(&mut self, late: Late) {
        self.late_count += 1;
        if self.late.len() < LATE_MAX {
            self.late.push(late);
        }
    }

    /// Work would have been stopped.
    pub(super) fn stop(&mut self, who: &BTreeSet<WorkloadId>) {
        self.stopped.extend(who.iter().cloned());
    }

    pub(super) fn finish(self) -> Result<Outcome, MoneyError> {
        let mut rows: Vec<OutcomeRow> = self.rows.into_values().collect();
        let of =
            |amount: fn(&OutcomeRow) -> Money| Money::sum(rows.iter().map(amount), self.currency);
        let (was, cost) = (of(|row| row.was)?, of(|row| row.cost)?);
        rows.sort_by_key(|row| (row.cost.pico() - row.was.pico(), -row.was.pico()));
        Ok(Outcome {
            choice: self.choice,
            cost,
            saving: was.checked_sub(cost)?,
            rows,
            late_count: self.late_count,
            late: self.late,
            stopped: self.stopped,
        })
    }
}
