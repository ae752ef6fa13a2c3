//! What each node cost in each stretch of unchanged price, read back from the charges that it was
//! split into: the ground of everything that asks about prices of the past.
//!
//! It refuses to know what else might have been paid. Start with [`stretches`].

use crate::books::{BooksError, HourBook};
use farthing_model::{
    Asset, Charge, Destination, Detail, HourlyRate, Money, MoneyError, NodeId, OfferId,
    PerResource, Place, Provenance, Purchase, TeamId, Window,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A node, or another asset, at one price.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    pub(crate) asset: Asset,
    pub(crate) offer: OfferId,
    pub(crate) place: Place,
    pub(crate) instance_type: String,
    pub(crate) purchase: Purchase,
    pub(crate) window: Window,
    pub(crate) rate: HourlyRate,
    pub(crate) provenance: Provenance,
    /// What it cost those who are asked about.
    pub(crate) cost: Money,
    /// Where its resource-time went, of all resources that it has.
    pub(crate) went: PerResource<Went>,
    /// Whether somebody's work had something of it.
    pub(crate) has_work: bool,
    /// Whether nobody looked at it for a part of the time.
    pub(crate) is_unmeasured: bool,
}

/// Where the time of one resource went, in 10^-9 unit-seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Went {
    pub(crate) paid_nano: i128,
    /// Of that, what nobody had, as far as somebody looked.
    pub(crate) free_nano: i128,
}

/// A stretch by its node, its begin and its offer.
pub(crate) type PaidKey = (NodeId, Timestamp, OfferId);

/// Why stretches cannot be read.
pub(crate) enum Unread {
    /// The file.
    Books(BooksError),
    /// Its amounts.
    Money(MoneyError),
}

/// The stretches of an hour's charges, by node and time. Of `teams`, only what they held.
pub(crate) fn stretches(
    book: HourBook,
    teams: Option<&BTreeSet<TeamId>>,
) -> Result<BTreeMap<PaidKey, Paid>, Unread> {
    let mut found: BTreeMap<PaidKey, Paid> = BTreeMap::new();
    for batch in book.charges_by_batch().map_err(Unread::Books)? {
        for charge in batch.map_err(Unread::Books)? {
            if teams.is_some_and(|teams| !is_held_by(&charge, teams)) {
                continue;
            }
            let key = (charge.node.clone(), charge.window.from(), charge.offer.clone());
            let paid = found.entry(key).or_insert_with(|| Paid::of(&charge));
            paid.add(&charge).map_err(Unread::Money)?;
        }
    }
    Ok(found)
}

/// Whether it is of what a team held, as a team's statement has it.
fn is_held_by(charge: &Charge, teams: &BTreeSet<TeamId>) -> bool {
    let is_held = matches!(charge.destination, Destination::Used | Destination::Idle);
    let team = charge.attribution.as_ref().and_then(|who| who.team.as_ref());
    is_held && team.is_some_and(|team| teams.contains(team))
}

impl Paid {
    fn of(charge: &Charge) -> Self {
        Self {
            asset: charge.asset,
            offer: charge.offer.clone(),
            place: (*charge.place).clone(),
            instance_type: charge.instance_type.to_string(),
            purchase: charge.purchase,
            window: charge.window,
            rate: charge.node_rate,
            provenance: (*charge.provenance).clone(),
            cost: Money::zero(charge.cost.currency()),
            went: PerResource::default(),
            has_work: false,
            is_unmeasured: false,
        }
    }

    fn add(&mut self, charge: &Charge) -> Result<(), MoneyError> {
        self.cost = self.cost.checked_add(charge.cost)?;
        let went = self.went.get_mut(charge.resource);
        let add = |sum: i128| sum.checked_add(charge.quantity_nano).ok_or(MoneyError::Overflow);
        went.paid_nano = add(went.paid_nano)?;
        let is_unmeasured = charge.detail == Some(Detail::Unmeasured);
        if charge.destination == Destination::Unallocated && !is_unmeasured {
            went.free_nano = add(went.free_nano)?;
        }
        self.is_unmeasured |= is_unmeasured;
        self.has_work |= charge.attribution.is_some();
        Ok(())
    }
}
