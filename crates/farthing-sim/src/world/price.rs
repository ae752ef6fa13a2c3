//! Prices of the world: quotes, and changes in the middle of an hour.

use super::SimWorld;
use super::event::Event;
use super::time::HOUR;
use crate::faults::FaultKind;
use farthing_edge::{EdgeError, Quote};
use farthing_model::{HourlyRate, Money, Offer, Price};
use jiff::Timestamp;
use std::sync::Arc;

impl SimWorld {
    /// Draws whether a price changes in the hour that begins, and when.
    pub(super) fn price_hour(&mut self) {
        let ppm = self.faults.rates().price_change_per_hour;
        let draw = self.faults.draw(FaultKind::PriceChange);
        if draw.chance(ppm) {
            let at = self.now + draw.between(1, 3_599_999) * 1_000_000;
            self.queue.push(at, Event::PriceChanges);
        }
        self.queue.push(self.now + HOUR, Event::PriceHour);
    }

    /// The price of one offer changes by -20 % to +30 %, also for nodes that are in use.
    pub(super) fn price_changes(&mut self) {
        let offers = u64::try_from(self.offers.len()).unwrap_or(0);
        let draw = self.faults.draw(FaultKind::PriceChange);
        let index = usize::try_from(draw.below(offers)).unwrap_or(0);
        let percent = i128::from(draw.between(80, 130));
        let Some(Price::Known(rate, provenance)) = self.offers.get(index).map(|it| &it.price)
        else {
            return;
        };
        let money = rate.per_hour();
        let pico = money.pico() / 100 * percent;
        let Some(rate) = HourlyRate::new(Money::from_pico(pico, money.currency())) else { return };
        let price = Price::Known(rate, provenance.clone());
        self.faults.count(FaultKind::PriceChange);
        self.offers[index].price = price.clone();
        self.quoted = Arc::from(self.offers.as_slice());
        let nodes = self.nodes.values_mut().filter(|node| node.offer == index && node.is_live());
        nodes.for_each(|node| node.prices.push((self.now, price.clone())));
    }
}

impl Quote for SimWorld {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.advance(now);
        Ok(Arc::clone(&self.quoted))
    }
}
