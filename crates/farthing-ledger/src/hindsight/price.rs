//! The same node-hours at other prices of the book: paid in another way, or bought elsewhere.

use super::draft::{Draft, Kept, Made};
use super::{ById, Choice, Hour, committed};
use crate::paid::Paid;
use farthing_model::{Currency, Money, MoneyError, Offer, OfferId, Purchase, proportion};
use std::collections::BTreeMap;

/// The choice, and what stands for each offer that was met so far.
pub(super) struct Prices<'a> {
    choice: Choice,
    book: &'a [Offer],
    by_id: ById<'a>,
    currency: Currency,
    found: BTreeMap<OfferId, Option<&'a Offer>>,
}

impl<'a> Prices<'a> {
    pub(super) fn new(choice: Choice, book: &'a [Offer], currency: Currency) -> Self {
        let by_id = book.iter().map(|offer| (&offer.id, offer)).collect();
        Self { choice, book, by_id, currency, found: BTreeMap::new() }
    }

    pub(super) fn look(&mut self, hour: &Hour<'_>, draft: &mut Draft) -> Result<(), MoneyError> {
        for paid in hour.paid.values() {
            if let Some(why) = committed(paid) {
                draft.keep(paid, why)?;
                continue;
            }
            let known = self.found.get(&paid.offer).copied();
            let other = known.unwrap_or_else(|| self.other(paid));
            self.found.insert(paid.offer.clone(), other);
            let Some((offer, rate)) = other.and_then(|it| Some((it, it.price.rate()?))) else {
                draft.keep(paid, Kept::NoOffer)?;
                continue;
            };
            let (was, now) = (paid.rate.cost(paid.window)?, rate.cost(paid.window)?);
            if was.is_zero() {
                draft.keep(paid, Kept::Free)?;
                continue;
            }
            // Of a part of a node, that part of the other one.
            let cost = proportion(now.pico(), paid.cost.pico(), was.pico());
            let cost = Money::from_pico(cost.ok_or(MoneyError::Overflow)?, self.currency);
            let price = offer.price.provenance();
            let (nanos, other) = (paid.window.nanos(), Some((&offer.id, price)));
            draft.change(paid, &Made { cost, nanos, other })?;
        }
        Ok(())
    }

    /// The cheapest offer that stands for what was bought.
    fn other(&self, paid: &Paid) -> Option<&'a Offer> {
        let was = self.was(paid);
        let stands = |offer: &&Offer| {
            let rate = offer.price.rate();
            rate.is_some_and(|rate| rate.per_hour().currency() == self.currency)
                && match self.choice {
                    Choice::Paid(purchase) => offer.purchase == purchase && is_same(offer, paid),
                    _ => was.is_some_and(|was| is_as_good(offer, was, paid.purchase)),
                }
        };
        let cheaper =
            |a: &&Offer, b: &&Offer| a.price.cheaper_first(&b.price).then_with(|| a.id.cmp(&b.id));
        self.book.iter().filter(stands).min_by(cheaper)
    }

    /// The offer that was bought, as the book has it: under its id, or another of the same machine.
    fn was(&self, paid: &Paid) -> Option<&'a Offer> {
        let same = || {
            let mut machines = self.book.iter().filter(|offer| {
                offer.instance_type == paid.instance_type
                    && offer.place.provider == paid.place.provider
            });
            machines.next()
        };
        self.by_id.get(&paid.offer).copied().or_else(same)
    }
}

/// The same machine in the same region, and zone where it was bought in one and is offered by zone.
fn is_same(offer: &Offer, paid: &Paid) -> bool {
    let (there, here) = (&offer.place, &paid.place);
    let same_zone = there.zone.is_none() || here.zone.is_none() || there.zone == here.zone;
    offer.instance_type == paid.instance_type
        && there.provider == here.provider
        && there.region == here.region
        && same_zone
}

/// The same accelerators, and no less of anything else.
fn is_as_good(offer: &Offer, was: &Offer, purchase: Purchase) -> bool {
    let (has, had) = (&offer.capacity, &was.capacity);
    offer.purchase == purchase
        && offer.accelerator == was.accelerator
        && offer.accelerator_count == was.accelerator_count
        && has.cpu_milli >= had.cpu_milli
        && has.memory_bytes >= had.memory_bytes
}
