//! Prices of a part of the time by another catalogue: a contract that began or ended within it.
//!
//! It refuses to know what a contract is; it cuts spans where it is told to, and looks their offers
//! up again. What the other catalogue does not have keeps its price.

use super::Cluster;
use super::bought::{asset_name, class_of};
use crate::catalog::{Catalogue, asset_price};
use farthing_model::{Asset, NodeSpan, Offer, OfferId, Price, Window};
use std::collections::HashMap;

impl Cluster {
    /// Prices what lies in a part of the window by the offers of a catalogue.
    pub fn price_by(&mut self, window: Window, catalogue: &Catalogue) {
        let offers: HashMap<OfferId, Offer> =
            catalogue.table.offers().into_iter().map(|offer| (offer.id.clone(), offer)).collect();
        let mut spans = Vec::with_capacity(self.spans.len());
        for span in std::mem::take(&mut self.spans) {
            let Some(inside) = span.window.intersect(window) else {
                spans.push(span);
                continue;
            };
            let price = price(&span, &offers, catalogue).unwrap_or_else(|| span.price.clone());
            let before = Window::new(span.window.from(), inside.from());
            let after = Window::new(inside.to(), span.window.to());
            let part =
                |window, price: &Price| NodeSpan { window, price: price.clone(), ..span.clone() };
            spans.extend(before.ok().map(|window| part(window, &span.price)));
            spans.push(part(inside, &price));
            spans.extend(after.ok().map(|window| part(window, &span.price)));
        }
        self.spans = spans;
    }
}

fn price(
    span: &NodeSpan,
    offers: &HashMap<OfferId, Offer>,
    catalogue: &Catalogue,
) -> Option<Price> {
    // What was not known without a contract is not known with one.
    span.price.rate()?;
    if span.asset == Asset::Node {
        return Some(offers.get(&span.offer)?.price.clone());
    }
    let class = class_of(span.asset, &span.instance_type);
    debug_assert_eq!(asset_name(span.asset, class), span.instance_type);
    let bytes = span.capacity.storage_bytes;
    asset_price(&catalogue.assets, (span.asset, class), &span.place, bytes)
}
