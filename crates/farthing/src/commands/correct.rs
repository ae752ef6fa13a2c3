//! `farthing correct`: posted hours are metered again at other prices.

use super::{cache_folder, covered, earlier_contracts, price_book, print};
use crate::args::{CorrectArgs, Output};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::table::{Align, Table};
use crate::wiring;
use farthing_ledger::{Books, CorrectError, Correction, Occasion, Segment, Weights, correct};
use farthing_model::{ClusterId, Money, NodeSpan, Offer, OfferId, Place, Window};
use farthing_providers::catalog::Catalogue;
use jiff::Timestamp;
use serde_json::json;
use std::collections::HashMap;

/// Corrects every posted hour of the window whose nodes have another price in the price books.
pub(crate) fn run(args: &CorrectArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let why = args.why.trim();
    if why.is_empty() {
        return Err(WrongUse::new("--why is empty")
            .hint("it stays in the books, such as 'the contract of May'")
            .into());
    }
    let cluster = home.cluster(args.cluster.as_deref())?;
    let books = home.books()?;
    let clusters = std::slice::from_ref(&cluster);
    let window = covered(&books, clusters, &args.window, args.now.as_deref())?.window;
    let now = Timestamp::now();
    let catalogue = price_book(&args.prices, now, cache_folder())?;
    let earlier = earlier_contracts(&args.prices, now, (window, &catalogue))?;
    let earlier = earlier.iter().map(|(part, book)| (*part, Prices::of(book))).collect();
    let prices = Prices::of(&catalogue);
    let mut work = Work { books: &books, cluster: &cluster, prices, earlier, args, now };
    let corrections = work.hours(window, why)?;
    print(
        output,
        || Ok(text(&corrections, args.dry_run)?),
        || {
            let corrections = farthing_server::wire::corrections(&corrections);
            Ok(json!({ "written": !args.dry_run, "corrections": corrections }))
        },
        || Ok(table(&corrections)),
    )?;
    Ok(Outcome::Done)
}

/// Prices by offer.
struct Prices {
    offers: HashMap<OfferId, Offer>,
}

impl Prices {
    fn of(catalogue: &Catalogue) -> Self {
        let offers = catalogue.select(&farthing_model::offer_table::Filter::default());
        Self { offers: offers.into_iter().map(|offer| (offer.id.clone(), offer)).collect() }
    }

    /// What a node was bought as: by the name of its offer, else the same machine in its region.
    fn offer_of(&self, span: &NodeSpan) -> Option<&Offer> {
        let by_name = self.offers.get(&span.offer);
        by_name.or_else(|| {
            let place = Place { zone: None, ..span.place.clone() };
            let id = Offer::id_of(&place, &span.instance_type, span.purchase).ok()?;
            self.offers.get(&id)
        })
    }

    /// Puts the prices of the price books in the place of others.
    fn apply(&self, segments: &mut [Segment]) {
        for span in segments.iter_mut().flat_map(|segment| &mut segment.spans) {
            let Some(offer) = self.offer_of(span) else { continue };
            // The same rate from another file is no other price.
            if offer.price.rate().is_some() && offer.price.rate() != span.price.rate() {
                span.price = offer.price.clone();
            }
        }
    }
}

struct Work<'a> {
    books: &'a Books,
    cluster: &'a ClusterId,
    prices: Prices,
    /// Parts of the time in which other contracts held.
    earlier: Vec<(Window, Prices)>,
    args: &'a CorrectArgs,
    now: Timestamp,
}

impl Work<'_> {
    /// Prices by the contracts of an hour.
    fn prices(&self, hour: Window) -> &Prices {
        let then = self.earlier.iter().find(|(part, _)| part.intersect(hour).is_some());
        then.map_or(&self.prices, |(_, prices)| prices)
    }

    fn hours(&mut self, window: Window, why: &str) -> anyhow::Result<Vec<Correction>> {
        let mut corrections = Vec::new();
        for hour in self.books.posted_hours(self.cluster)? {
            if hour.intersect(window).is_none() {
                continue;
            }
            let Some(book) = self.books.hour(self.cluster, hour.from())? else { continue };
            let weights = self.weights(&book.weights, hour)?;
            let occasion = Occasion {
                cluster: self.cluster,
                hour: hour.from(),
                at: self.now,
                why,
                weights: &weights,
                dry_run: self.args.dry_run,
            };
            match correct(self.books, occasion, |segments| self.prices(hour).apply(segments)) {
                Ok(correction) => corrections.extend(correction),
                Err(CorrectError::NoTelemetry(_)) => talk(&format!(
                    "left as it is: {hour}: its telemetry is gone, so it cannot be metered again"
                )),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(corrections)
    }

    /// Those that the hour was split by, so that nothing but prices changes; a machine that had no
    /// price was split by none, and gets those of its offer.
    fn weights(&self, posted: &Weights, hour: Window) -> anyhow::Result<Weights> {
        let segments = self.books.segments(self.cluster, hour.from())?;
        let spans = segments.iter().flat_map(|segment| &segment.spans);
        let new = spans.filter(|span| span.price.rate().is_none());
        let offers: Vec<&Offer> = new.filter_map(|span| self.prices(hour).offer_of(span)).collect();
        Ok(if offers.is_empty() {
            posted.clone()
        } else {
            posted.or(&wiring::weights(offers.into_iter())?)
        })
    }
}

fn text(corrections: &[Correction], dry_run: bool) -> Result<String, farthing_model::MoneyError> {
    let Some(first) = corrections.first() else {
        return Ok("nothing to correct: the hours are posted at these prices".to_owned());
    };
    let sum = |of: fn(&Correction) -> Money| {
        Money::sum(corrections.iter().map(of), first.after.currency())
    };
    let (before, after) = (sum(|it| it.before)?, sum(|it| it.after)?);
    let done = if dry_run { "would be corrected (not written: --dry-run)" } else { "corrected" };
    let hours = corrections.len();
    let sums = format!("{hours} hours {done}: {before} before, {after} after");
    Ok(format!("{}\n{sums}", table(corrections).to_text()))
}

fn table(corrections: &[Correction]) -> Table {
    let mut table = Table::new(&[
        ("hour", Align::Left),
        ("before", Align::Right),
        ("after", Align::Right),
        ("why", Align::Left),
    ]);
    for it in corrections {
        let (before, after) = (it.before.to_decimal(), it.after.to_decimal());
        table.row([it.hour.from().to_string(), before, after, it.why.clone()]);
    }
    table
}
