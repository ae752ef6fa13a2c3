//! Corrections of posted hours: samples that came late, and prices that were wrong.
//!
//! The hour is metered again from corrected telemetry and replaced whole, so that nothing is added
//! to what was wrong; that it was corrected, why, and what was paid before stay in its file. It
//! refuses to know where corrections come from. Start with [`correct`].

use crate::books::{Books, BooksError, Correction, Segment};
use crate::meter::{MeterError, MeterInput, meter};
use crate::weights::Weights;
use farthing_model::{ClusterId, Window};
use jiff::Timestamp;

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
    /// The books cannot be read or written.
    #[error("the hour cannot be corrected in the books")]
    Books(#[source] BooksError),
    /// The corrected telemetry cannot be metered.
    #[error("the corrected telemetry cannot be metered")]
    Meter(#[source] MeterError),
}

/// Corrects a posted hour: `change` makes its telemetry what it should have been (replaces prices
/// of spans, adds segments of late samples), and the hour is metered again. `None` when that
/// changes no charge.
///
/// Telemetry is written before charges. After a crash between the two, `verify` says that metering
/// again gives another charge, and doing the correction again completes it.
///
/// # Errors
/// See [`CorrectError`]. When another writer posts the hour meanwhile, its charges stand, and the
/// correction must be done again.
pub fn correct(
    books: &Books,
    occasion: Occasion<'_>,
    change: impl FnOnce(&mut Vec<Segment>),
) -> Result<Option<Correction>, CorrectError> {
    let Occasion { cluster, hour, at, why, weights } = occasion;
    let book = books.hour(cluster, hour).map_err(CorrectError::Books)?;
    let book = book.ok_or(CorrectError::NotPosted(hour))?;
    let before = books.segments(cluster, hour).map_err(CorrectError::Books)?;
    if before.is_empty() {
        return Err(CorrectError::NoTelemetry(hour));
    }
    let mut after = before.clone();
    change(&mut after);
    // A correction may reach further than what was posted, and never out of the hour.
    let whole = Window::hour_of(hour).unwrap_or(book.window);
    let inside = |segment: &Segment| segment.window.intersect(whole).map(Window::to);
    let last = after.iter().filter_map(inside).max();
    let until = last.map_or(book.window.to(), |last| last.max(book.window.to()));
    let window = Window::new(book.window.from(), until).unwrap_or(book.window);
    let spans: Vec<_> = after.iter().flat_map(|segment| segment.spans.clone()).collect();
    let samples: Vec<_> = after.iter().flat_map(|segment| segment.samples.clone()).collect();
    let (currency, spans, samples) = (book.currency, &spans[..], &samples[..]);
    let metered = meter(&MeterInput { cluster, window, currency, spans, samples, weights });
    let metered = metered.map_err(CorrectError::Meter)?;
    let correction = Correction { at, why: why.to_owned(), before: book.paid, after: metered.paid };
    let (generation, journal) = (book.generation.clone(), book.journal);
    let posted = book.charges().map_err(CorrectError::Books)?;
    if after != before {
        books.replace_segments(cluster, hour, &after).map_err(CorrectError::Books)?;
    }
    if crate::books::sorted(&posted) == crate::books::sorted(&metered.charges) {
        return Ok(None);
    }
    let replaced = books.replace_hour(&metered, journal, &generation, Some(correction.clone()));
    replaced.map_err(CorrectError::Books)?;
    Ok(Some(correction))
}
