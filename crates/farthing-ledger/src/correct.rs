//! Hours that are posted again: samples that came late, and prices that were wrong.
//!
//! The hour is metered again from all telemetry that is kept of it and replaced whole, so that
//! nothing is added to what was wrong; that it was corrected, why, and what was paid before stay in
//! its file. It refuses to know where telemetry and prices come from. Start with [`post_segment`]
//! (what an import measured) or [`correct`] (what was posted was wrong).

use crate::books::{
    Books, BooksError, Correction, Generation, HourBook, Kept, Mark, Segment, sorted,
};
use crate::meter::{MeterError, MeterInput, Metered, meter};
use crate::weights::Weights;
use farthing_model::{Charge, ClusterId, Currency, NodeSpan, Price, Window};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What is corrected, and why.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// Whose books.
    pub cluster: &'a ClusterId,
    /// Any moment of the hour.
    pub hour: Timestamp,
    /// Now.
    pub at: Timestamp,
    /// Why, in one line, such as `price of g5.xlarge corrected`.
    pub why: &'a str,
    /// How nodes' prices are split.
    pub weights: &'a Weights,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// Why an hour could not be corrected; it is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum CorrectError {
    /// The hour has no charges that could be wrong.
    #[error("the hour of {0} is not posted, so there is nothing to correct")]
    NotPosted(Timestamp),
    /// The hour's telemetry is gone, and with it what its charges were made from.
    #[error("the telemetry of the hour of {0} is gone: it cannot be metered again")]
    NoTelemetry(Timestamp),
    /// Its charges were let go of, and what came late would stand for all of it.
    #[error("the hour of {0} is not kept any more, so nothing can be posted in it")]
    Released(Timestamp),
    /// What is posted is in another currency than what is to be.
    #[error("{file} is in {posted}, and what is measured is priced in {asked}")]
    Currency {
        /// The file of the hour.
        file: String,
        /// Its currency.
        posted: Currency,
        /// The other one.
        asked: Currency,
    },
    /// The books cannot be read or written.
    #[error("the hour cannot be corrected in the books")]
    Books(#[source] BooksError),
    /// The corrected telemetry cannot be metered.
    #[error("the corrected telemetry cannot be metered")]
    Meter(#[source] MeterError),
}

/// What became of an hour.
#[derive(Clone, Debug)]
pub struct Posting {
    /// What is posted now.
    pub metered: Metered,
    /// How it differs from what was posted before, where that was wrong.
    pub correction: Option<Correction>,
}

/// The charges of an hour as they stand.
struct Standing {
    window: Window,
    currency: Currency,
    generation: Generation,
    journal: Option<Mark>,
    paid: farthing_model::Money,
    weights: Weights,
    charges: Vec<Charge>,
}

impl Standing {
    fn of(book: HourBook) -> Result<Self, CorrectError> {
        Ok(Self {
            window: book.window,
            currency: book.currency,
            generation: book.generation.clone(),
            journal: book.journal,
            paid: book.paid,
            weights: book.weights.clone(),
            charges: book.charges().map_err(CorrectError::Books)?,
        })
    }

    /// Whether these are the same charges, in whatever order.
    fn is(&self, metered: &Metered) -> bool {
        sorted(&self.charges) == sorted(&metered.charges)
    }
}

/// Keeps what was measured in one hour and meters the hour again, from all that is kept of it. An
/// hour that was posted is corrected if that changes a charge of the time that was posted; that it
/// now reaches further is no correction. The same again changes nothing.
///
/// # Errors
/// See [`CorrectError`]. When another writer posts the hour meanwhile, its charges stand; what was
/// measured is kept, and doing it again posts what both measured.
pub fn post_segment(
    books: &Books,
    occasion: Occasion<'_>,
    currency: Currency,
    segment: &Segment,
) -> Result<Posting, CorrectError> {
    let Occasion { cluster, hour, .. } = occasion;
    let retention = books.retention(cluster).map_err(CorrectError::Books)?;
    if Window::hour_of(hour).is_some_and(|hour| retention.charges_of(hour) == Kept::Released) {
        return Err(CorrectError::Released(hour));
    }
    // Which writing stands is asked before what is measured, so that whoever posts in between is
    // noticed.
    let book = books.hour(cluster, hour).map_err(CorrectError::Books)?;
    if let Some(book) = book.as_ref().filter(|book| book.currency != currency) {
        let (file, posted) = (book.file.clone(), book.currency);
        return Err(CorrectError::Currency { file, posted, asked: currency });
    }
    let standing = book.map(Standing::of).transpose()?;
    let before = books.segments(cluster, hour).map_err(CorrectError::Books)?;
    if before.is_empty() && standing.as_ref().is_some_and(|it| !it.charges.is_empty()) {
        return Err(CorrectError::NoTelemetry(hour));
    }
    let mut after = before.clone();
    put(&mut after, segment);
    if !occasion.dry_run && after != before {
        books.put_segment(cluster, segment).map_err(CorrectError::Books)?;
    }
    let why = format!("{}: {}", occasion.why, what_changed(&before, &after));
    // Machines of an earlier import are split as they were.
    let weights = standing.as_ref().map(|standing| occasion.weights.or(&standing.weights));
    let weights = weights.as_ref().unwrap_or(occasion.weights);
    post(books, Occasion { why: &why, weights, ..occasion }, (standing, currency), &after)
}

/// Corrects a posted hour: `change` makes its telemetry what it should have been (replaces prices
/// of spans, adds segments of late samples), and the hour is metered again. `None` when that
/// changes no charge.
///
/// Telemetry is written before charges. After a crash between the two, `verify` says that metering
/// again gives another charge, and doing the correction again completes it.
///
/// # Errors
/// See [`CorrectError`]. When another writer changes the hour's telemetry or posts the hour
/// meanwhile, that stands, and the correction must be done again.
pub fn correct(
    books: &Books,
    occasion: Occasion<'_>,
    change: impl FnOnce(&mut Vec<Segment>),
) -> Result<Option<Correction>, CorrectError> {
    let Occasion { cluster, hour, .. } = occasion;
    let book = books.hour(cluster, hour).map_err(CorrectError::Books)?;
    let standing = Standing::of(book.ok_or(CorrectError::NotPosted(hour))?)?;
    let before = books.measured(cluster, hour).map_err(CorrectError::Books)?;
    if before.segments.is_empty() {
        return Err(CorrectError::NoTelemetry(hour));
    }
    let mut after = before.segments.clone();
    change(&mut after);
    if !occasion.dry_run && after != before.segments {
        let replaced = books.replace_segments((cluster, hour), &before, &after);
        replaced.map_err(CorrectError::Books)?;
    }
    let currency = standing.currency;
    Ok(post(books, occasion, (Some(standing), currency), &after)?.correction)
}

/// Meters all telemetry of an hour and posts that in the place of what stands.
fn post(
    books: &Books,
    occasion: Occasion<'_>,
    (standing, currency): (Option<Standing>, Currency),
    segments: &[Segment],
) -> Result<Posting, CorrectError> {
    let Occasion { cluster, hour, at, why, weights, dry_run } = occasion;
    let posted = standing.as_ref().map(|standing| standing.window);
    let Some(window) = reach(hour, posted, segments) else {
        return Err(CorrectError::NoTelemetry(hour));
    };
    let spans: Vec<_> = segments.iter().flat_map(|segment| segment.spans.clone()).collect();
    let samples: Vec<_> = segments.iter().flat_map(|segment| segment.samples.clone()).collect();
    let (spans, samples) = (&spans[..], &samples[..]);
    let of = |window| {
        meter(&MeterInput { cluster, window, currency, spans, samples, weights })
            .map_err(CorrectError::Meter)
    };
    let metered = of(window)?;
    let Some(standing) = standing else {
        if !dry_run {
            let none = Generation::default();
            let posted = books.replace_hour(&metered, None, &none, None);
            posted.map_err(CorrectError::Books)?;
        }
        return Ok(Posting { metered, correction: None });
    };
    if window == standing.window && standing.is(&metered) {
        return Ok(Posting { metered, correction: None });
    }
    // An hour that reaches further is posted again, and only if its old part differs corrected.
    let stays = window != standing.window && standing.is(&of(standing.window)?);
    let correction = (!stays).then(|| Correction {
        hour: Window::hour_of(hour).unwrap_or(window),
        at,
        why: why.to_owned(),
        before: standing.paid,
        after: metered.paid,
    });
    if !dry_run {
        let (known, journal) = (&standing.generation, standing.journal);
        let replaced = books.replace_hour(&metered, journal, known, correction.clone());
        replaced.map_err(CorrectError::Books)?;
    }
    Ok(Posting { metered, correction })
}

/// From the first to the last moment that was posted or measured, and never out of the hour.
fn reach(hour: Timestamp, posted: Option<Window>, segments: &[Segment]) -> Option<Window> {
    let whole = Window::hour_of(hour)?;
    let measured = segments.iter().filter_map(|segment| segment.window.intersect(whole));
    let all: Vec<Window> = measured.chain(posted).collect();
    let from = all.iter().map(|window| window.from()).min()?;
    let to = all.iter().map(|window| window.to()).max()?;
    Window::new(from, to).ok()
}

/// As [`Books::put_segment`] does: the same window again replaces.
fn put(segments: &mut Vec<Segment>, segment: &Segment) {
    if segment.is_empty() {
        return;
    }
    segments.retain(|kept| kept.window != segment.window);
    segments.push(segment.clone());
    segments.sort_by_key(|segment| segment.window);
}

/// In words for people.
fn what_changed(before: &[Segment], after: &[Segment]) -> &'static str {
    let prices = |segments: &[Segment]| -> BTreeMap<_, Price> {
        let spans = segments.iter().flat_map(|segment| &segment.spans);
        let key = |span: &NodeSpan| (span.node.clone(), span.window);
        spans.map(|span| (key(span), span.price.clone())).collect()
    };
    let (old, new) = (prices(before), prices(after));
    let of_samples = |segments: &[Segment]| -> Vec<_> {
        segments.iter().flat_map(|segment| segment.samples.clone()).collect()
    };
    if old.iter().any(|(span, price)| new.get(span).is_some_and(|other| other != price)) {
        "other prices"
    } else if of_samples(before) != of_samples(after) {
        "other samples"
    } else {
        "other spans or weights"
    }
}
