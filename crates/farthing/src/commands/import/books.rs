//! Imported telemetry into the books: kept, then metered hour by hour, whole. An hour that was
//! posted before and now says something else is corrected, and says so.

use crate::args::IntoBooks;
use crate::home::Home;
use crate::outcome::WrongUse;
use crate::wiring;
use farthing_ledger::{
    Books, BooksError, CorrectError, Correction, Metered, Occasion, Posting, Segment, Unpriced,
    post_segment,
};
use farthing_model::offer_table::Filter;
use farthing_model::{ClusterId, Currency, Destination, Detail, Money, PerResource};
use farthing_providers::catalog::Catalogue;
use farthing_providers::telemetry::Cluster;
use jiff::Timestamp;
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
    /// Hours that were posted before and were wrong.
    pub(super) corrections: Vec<Correction>,
    /// What was charged of each resource, and what of that nobody knows whether it was used.
    pub(super) charged: PerResource<(Money, Money)>,
}

/// Keeps the telemetry and meters every hour that it touches, from all that is kept of that hour.
/// The same import again writes the same files.
pub(super) fn post(
    cluster: &Cluster,
    catalogue: &Catalogue,
    into: &IntoBooks,
    (home, now): (&Home, Timestamp),
) -> anyhow::Result<Posted> {
    let name = ClusterId::new(&into.cluster).map_err(|error| WrongUse::new(error.to_string()))?;
    let currency = currency(cluster);
    let books = books(into, home)?;
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
        corrections: Vec::new(),
        charged: PerResource::from_fn(|_| (Money::zero(currency), Money::zero(currency))),
    };
    for segment in whole.by_hour() {
        let hour = segment.window.from();
        let occasion = Occasion {
            cluster: &name,
            hour,
            at: now,
            why: "imported again",
            weights: &weights,
            dry_run: into.dry_run,
        };
        let Some(posting) = post_hour(&books, occasion, currency, &segment)? else { continue };
        if !into.dry_run {
            books.compact(&name, hour)?;
        }
        posted.add(posting)?;
    }
    if !into.dry_run {
        home.begin(&name)?;
    }
    Ok(posted)
}

/// Those that are there; a dry run makes none.
fn books(into: &IntoBooks, home: &Home) -> anyhow::Result<Books> {
    if into.dry_run && !home.has_books() { Ok(Books::in_memory()) } else { home.books() }
}

/// Posts an hour; `None` where nothing was measured or paid in it.
fn post_hour(
    books: &Books,
    occasion: Occasion<'_>,
    currency: Currency,
    segment: &Segment,
) -> anyhow::Result<Option<Posting>> {
    match post_segment(books, occasion, currency, segment) {
        Ok(posting) => Ok(Some(posting)),
        Err(CorrectError::NoTelemetry(_)) if segment.is_empty() => Ok(None),
        Err(error @ (CorrectError::NoTelemetry(_) | CorrectError::Released(_))) => {
            Err(WrongUse::new(error.to_string())
                .hint("import into other books with --cluster NAME")
                .into())
        }
        Err(error @ CorrectError::Currency { .. }) => Err(WrongUse::new(error.to_string())
            .hint("give prices in that currency, or other books with --cluster NAME")
            .into()),
        Err(CorrectError::Books(error @ BooksError::Conflict { .. })) => Err(anyhow::anyhow!(
            "{error}; what was measured is kept: import it again to post what both measured"
        )),
        Err(error) => Err(error.into()),
    }
}

impl Posted {
    fn add(&mut self, posting: Posting) -> anyhow::Result<()> {
        let metered: &Metered = &posting.metered;
        self.hours += 1;
        self.paid = self.paid.checked_add(metered.paid)?;
        for Unpriced { node, why, .. } in &metered.unpriced {
            self.unpriced.insert(node.to_string(), why.clone());
        }
        self.faults.extend(metered.faults.iter().map(ToString::to_string));
        self.overcommits += metered.overcommits.len();
        self.corrections.extend(posting.correction);
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
