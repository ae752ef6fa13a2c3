//! What was paid for each offer over time: the history of prices that the books have, as every
//! charge says its node's price, where that came from and when it was seen.
//!
//! It refuses to know prices that nobody paid. Start with [`price_history`].

use crate::books::Books;
use crate::paid::{Paid, Unread, stretches};
use crate::report::{ReportError, whole_hours};
use farthing_model::{
    Asset, ClusterId, Currency, HourlyRate, OfferId, Place, Provenance, Purchase, TeamId, Window,
};
use std::collections::{BTreeMap, BTreeSet};

/// Prices of one offer that are in force at once, at most: of more, some go on as new ones.
const AT_ONCE_MAX: usize = 64;

/// One offer over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceSeries {
    /// What was bought.
    pub offer: OfferId,
    /// Where.
    pub place: Place,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// How it was paid.
    pub purchase: Purchase,
    /// Its prices, by time; those of nodes that were bought at different prices may overlap.
    pub points: Vec<PricePoint>,
}

/// One price for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricePoint {
    /// From the first node that was paid at it to the last, without a gap.
    pub window: Window,
    /// An hour of one node.
    pub rate: HourlyRate,
    /// Where that is from.
    pub provenance: Provenance,
}

/// The prices of nodes in the whole hours of a window, by offer; of `teams`, only of what they
/// held.
///
/// # Errors
/// A file of the window cannot be read or is in another currency.
pub fn price_history(
    books: &Books,
    (cluster, window, currency): (&ClusterId, Window, Currency),
    teams: Option<&BTreeSet<TeamId>>,
) -> Result<Vec<PriceSeries>, ReportError> {
    let window = whole_hours(window);
    let mut all: BTreeMap<OfferId, PriceSeries> = BTreeMap::new();
    for hour in books.hours(cluster, window).map_err(ReportError::Books)? {
        let hour = hour.map_err(ReportError::Books)?;
        if hour.currency != currency {
            let (file, found, asked) = (hour.file, hour.currency, currency);
            return Err(ReportError::Currency { file, found, asked });
        }
        let found = stretches(hour, teams).map_err(|unread| match unread {
            Unread::Books(error) => ReportError::Books(error),
            Unread::Money(source) => ReportError::Money { window, source },
        })?;
        let mut nodes: Vec<Paid> = found.into_values().collect();
        nodes.retain(|paid| paid.asset == Asset::Node);
        nodes.sort_by_key(|paid| paid.window);
        for paid in nodes {
            match all.get_mut(&paid.offer) {
                Some(series) => series.add(paid),
                None => drop(all.insert(paid.offer.clone(), PriceSeries::of(paid))),
            }
        }
    }
    let mut all: Vec<PriceSeries> = all.into_values().collect();
    for series in &mut all {
        series.points.sort_by_key(|point| (point.window, point.rate.per_hour().pico()));
    }
    Ok(all)
}

impl PriceSeries {
    fn of(paid: Paid) -> Self {
        let (window, rate, provenance) = (paid.window, paid.rate, paid.provenance);
        Self {
            offer: paid.offer,
            place: paid.place,
            instance_type: paid.instance_type,
            purchase: paid.purchase,
            points: vec![PricePoint { window, rate, provenance }],
        }
    }

    /// Stretches come by time: a price goes on where one of it has not ended before.
    fn add(&mut self, paid: Paid) {
        let same = self.points.iter_mut().rev().take(AT_ONCE_MAX).find(|point| {
            point.rate == paid.rate
                && point.provenance == paid.provenance
                && point.window.to() >= paid.window.from()
        });
        match same {
            Some(point) => {
                let to = point.window.to().max(paid.window.to());
                point.window = Window::new(point.window.from(), to).unwrap_or(point.window);
            }
            None => self.points.push(PricePoint {
                window: paid.window,
                rate: paid.rate,
                provenance: paid.provenance,
            }),
        }
    }
}
