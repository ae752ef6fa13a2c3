//! Offers in the order of questions: made once from a price book, asked for every task.
//!
//! It holds what a task may ask for in arrays, one entry an offer, and lists the offers of each
//! accelerator and of each machine. It refuses to know what a task is.

use farthing_model::{
    Accelerator, AcceleratorQuery, Currency, Offer, OfferId, Place, Purchase, Resources,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The offers of a price book, indexed.
#[derive(Clone, Debug)]
pub struct Market {
    offers: Arc<[Offer]>,
    /// Prices of an hour of one node, in 10^-12 of `currency`; `None` = not known in it.
    pub(crate) rate: Vec<Option<i128>>,
    /// The place of each offer.
    pub(crate) place: Vec<u32>,
    /// What one node of each offer has, how it is paid, and how many there are.
    pub(crate) capacity: Vec<Resources>,
    pub(crate) purchase: Vec<Purchase>,
    pub(crate) available: Vec<u32>,
    /// Whether there are only so many of any.
    pub(crate) limited: bool,
    pub(crate) count: Vec<u32>,
    pub(crate) accelerators: Vec<Accelerator>,
    by_accelerator: Vec<Vec<u32>>,
    by_machine: BTreeMap<String, Vec<u32>>,
    /// Providers and regions; zones are left out, as data moves between regions.
    pub(crate) places: Vec<Place>,
    /// Jurisdictions of each place, by the first offer there that knows them.
    pub(crate) residency: Vec<Vec<String>>,
    pub(crate) currency: Currency,
    /// What is added to the price of an accelerator-hour where choices are compared.
    toll: i128,
    /// For each task the one offer that it may be on; empty = any.
    only: Vec<u32>,
}

impl Market {
    /// Indexes offers, which are sorted by id. Prices in another currency count as not known.
    pub fn new(offers: &Arc<[Offer]>, currency: Currency) -> Self {
        let mut market = Self {
            offers: Arc::clone(offers),
            rate: Vec::with_capacity(offers.len()),
            place: Vec::with_capacity(offers.len()),
            capacity: offers.iter().map(|offer| offer.capacity).collect(),
            purchase: offers.iter().map(|offer| offer.purchase).collect(),
            available: offers.iter().map(|offer| offer.available.unwrap_or(u32::MAX)).collect(),
            limited: offers.iter().any(|offer| offer.available.is_some()),
            count: offers.iter().map(|offer| offer.accelerator_count).collect(),
            accelerators: Vec::new(),
            by_accelerator: Vec::new(),
            by_machine: BTreeMap::new(),
            places: Vec::new(),
            residency: Vec::new(),
            currency,
            toll: 0,
            only: Vec::new(),
        };
        let (mut places, mut accelerators) = (BTreeMap::new(), BTreeMap::new());
        for (at, offer) in (0_u32..).zip(offers.iter()) {
            let rate = offer.price.rate().map(farthing_model::HourlyRate::per_hour);
            let rate = rate.filter(|rate| rate.currency() == currency);
            market.rate.push(rate.map(farthing_model::Money::pico));
            let key = (offer.place.provider.as_str(), offer.place.region.as_str());
            let place = *places.entry(key).or_insert_with(|| {
                market.places.push(Place { zone: None, ..offer.place.clone() });
                market.residency.push(offer.residency.clone());
                number(market.places.len() - 1)
            });
            if market.residency[place as usize].is_empty() {
                market.residency[place as usize].clone_from(&offer.residency);
            }
            market.place.push(place);
            if let Some(name) = &offer.accelerator {
                let accelerator = *accelerators.entry(name).or_insert_with(|| {
                    market.accelerators.push(name.clone());
                    market.by_accelerator.push(Vec::new());
                    market.accelerators.len() - 1
                });
                market.by_accelerator[accelerator].push(at);
            }
            match market.by_machine.get_mut(offer.instance_type.as_str()) {
                Some(list) => list.push(at),
                None => drop(market.by_machine.insert(offer.instance_type.clone(), vec![at])),
            }
        }
        market
    }

    /// The offers, sorted by id.
    pub fn offers(&self) -> &Arc<[Offer]> {
        &self.offers
    }

    /// How many nodes of an offer there are, if they are counted.
    pub(crate) fn available_of(&self, id: &OfferId) -> Option<u32> {
        let at = self.offers.binary_search_by(|offer| offer.id.cmp(id)).ok()?;
        Some(self.available[at]).filter(|nodes| *nodes != u32::MAX)
    }

    /// The same with one more node of an offer.
    pub(crate) fn with_one_more(&self, id: &OfferId) -> Self {
        let mut more = self.clone();
        if let Ok(at) = self.offers.binary_search_by(|offer| offer.id.cmp(id)) {
            more.available[at] = more.available[at].saturating_add(1);
        }
        more
    }

    /// The same with so much more on each accelerator-hour, where choices are compared.
    pub(crate) fn with_toll(&self, toll: i128) -> Self {
        Self { toll, ..self.clone() }
    }

    /// The same where each task may be on one offer only.
    pub(crate) fn only(&self, offers: Vec<u32>) -> Self {
        Self { toll: 0, only: offers, ..self.clone() }
    }

    /// Whether a task may be on an offer.
    pub(crate) fn allows(&self, task: usize, at: u32) -> bool {
        self.only.get(task).is_none_or(|only| *only == at)
    }

    /// What an hour of one node counts as where choices are compared; `None` = its price is not
    /// known.
    pub(crate) fn weighed(&self, at: u32) -> Option<i128> {
        let at = at as usize;
        self.rate[at]?.checked_add(self.toll.checked_mul(i128::from(self.count[at]))?)
    }

    /// The position of an offer.
    pub(crate) fn position(&self, id: &OfferId) -> Option<u32> {
        self.offers.binary_search_by(|offer| offer.id.cmp(id)).ok().map(number)
    }

    /// An offer by its position.
    pub(crate) fn offer(&self, at: u32) -> &Offer {
        &self.offers[at as usize]
    }

    /// Positions of all offers with an accelerator, ascending.
    pub(crate) fn with(&self, accelerator: usize) -> &[u32] {
        &self.by_accelerator[accelerator]
    }

    /// Positions of all offers of a machine, ascending.
    pub(crate) fn machines(&self, instance_type: &str) -> &[u32] {
        self.by_machine.get(instance_type).map_or(&[], Vec::as_slice)
    }

    /// Positions of the accelerators that a query may mean.
    pub(crate) fn meant(&self, query: &AcceleratorQuery) -> Vec<usize> {
        let all = 0..self.accelerators.len();
        all.filter(|at| query.matches(&self.accelerators[*at])).collect()
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
