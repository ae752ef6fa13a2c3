//! Imported telemetry into the books: kept, then metered hour by hour, whole.

use crate::args::IntoBooks;
use crate::home::Home;
use crate::outcome::WrongUse;
use crate::wiring;
use farthing_ledger::{Books, MeterInput, Metered, Segment, Unpriced, meter};
use farthing_model::offer_table::Filter;
use farthing_model::{ClusterId, Currency, Destination, Detail, Money, PerResource, Window};
use farthing_providers::catalog::Catalogue;
use farthing_providers::telemetry::Cluster;
use std::collections::{BTreeMap, BTreeSet};

/// What was posted.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) cluster: ClusterId,
    pub(super) currency: Currency,
    pub(super) hours: usize,
    pub(super) paid: Money,
    /// Nodes without a price, and why.
    pub(super) unpriced: BTreeMap<String, String>,
    /// What the meter left out, each kind once.
    pub(super) faults: BTreeSet<String>,
    /// Times at which more was claimed than there was.
    pub(super) overcommits: usize,
    /// What was charged of each resource, and what of that nobody knows whether it was used.
    pub(super) charged: PerResource<(Money, Money)>,
}

/// Keeps the telemetry and meters every hour that it touches, from all that is kept of that hour.
/// The same import again writes the same files.
pub(super) fn post(
    cluster: &Cluster,
    catalogue: &Catalogue,
    into: &IntoBooks,
    home: &Home,
) -> anyhow::Result<Posted> {
    let name = ClusterId::new(&into.cluster).map_err(|error| WrongUse::new(error.to_string()))?;
    let currency = currency(cluster);
    let books = if into.dry_run { Books::in_memory() } else { home.books()? };
    let weights = weights(cluster, catalogue)?;
    let whole = Segment {
        window: cluster.window,
        spans: cluster.spans.clone(),
        samples: cluster.samples.clone(),
        uses: cluster.uses.clone(),
    };
    let mut posted = Posted {
        cluster: name.clone(),
        currency,
        hours: 0,
        paid: Money::zero(currency),
        unpriced: BTreeMap::new(),
        faults: BTreeSet::new(),
        overcommits: 0,
        charged: PerResource::from_fn(|_| (Money::zero(currency), Money::zero(currency))),
    };
    for segment in whole.by_hour() {
        books.put_segment(&name, &segment)?;
        let kept = books.segments(&name, segment.window.from())?;
        let Some(hour) = joined(kept) else { continue };
        let metered = meter(&MeterInput {
            cluster: &name,
            window: hour.window,
            currency,
            spans: &hour.spans,
            samples: &hour.samples,
            weights: &weights,
        })?;
        books.put_hour(&metered)?;
        books.compact(&name, segment.window.from())?;
        posted.add(&metered)?;
    }
    if !into.dry_run {
        home.begin(&name)?;
    }
    Ok(posted)
}

impl Posted {
    fn add(&mut self, metered: &Metered) -> anyhow::Result<()> {
        self.hours += 1;
        self.paid = self.paid.checked_add(metered.paid)?;
        for Unpriced { node, why, .. } in &metered.unpriced {
            self.unpriced.insert(node.to_string(), why.clone());
        }
        self.faults.extend(metered.faults.iter().map(ToString::to_string));
        self.overcommits += metered.overcommits.len();
        let allocated = [Destination::Used, Destination::Idle];
        for charge in metered.charges.iter().filter(|it| allocated.contains(&it.destination)) {
            let (all, unknown) = self.charged.get_mut(charge.resource);
            *all = all.checked_add(charge.cost)?;
            if charge.detail == Some(Detail::Unknown) {
                *unknown = unknown.checked_add(charge.cost)?;
            }
        }
        Ok(())
    }
}

/// All telemetry of an hour as one.
fn joined(segments: Vec<Segment>) -> Option<Segment> {
    segments.into_iter().reduce(|mut all, next| {
        let from = all.window.from().min(next.window.from());
        let to = all.window.to().max(next.window.to());
        all.window = Window::new(from, to).unwrap_or(all.window);
        all.spans.extend(next.spans);
        all.samples.extend(next.samples);
        all.uses.extend(next.uses);
        all
    })
}

/// The currency of the first price; nodes in another one are unpriced, and said to be.
fn currency(cluster: &Cluster) -> Currency {
    let rates = cluster.spans.iter().filter_map(|span| span.price.rate());
    rates.map(|rate| rate.per_hour().currency()).next().unwrap_or(Currency::USD)
}

/// Weights of the machines that were used.
fn weights(cluster: &Cluster, catalogue: &Catalogue) -> anyhow::Result<farthing_ledger::Weights> {
    let types: BTreeSet<&str> =
        cluster.spans.iter().map(|span| span.instance_type.as_str()).collect();
    let providers: BTreeSet<&str> =
        cluster.spans.iter().map(|span| span.place.provider.as_str()).collect();
    let filter = Filter {
        providers: providers.into_iter().map(str::to_owned).collect(),
        ..Filter::default()
    };
    let mut offers = catalogue.select(&filter);
    offers.retain(|offer| types.contains(offer.instance_type.as_str()));
    wiring::weights(offers.iter())
}
