//! Everything about accelerators that a window of the books says: verdicts, devices that nobody
//! has, and how far up the ladder each got.

use super::energy::{DeviceEnergy, energy};
use super::{Verdict, Watch, unallocated, watch};
use crate::books::{Books, BooksError, Segment};
use crate::ladder::{Ladder, ladders};
use farthing_model::{ClusterId, DeviceId, MoneyError, NodeId, Window, hour_floor};
use jiff::SignedDuration;
use std::cmp::Reverse;

/// Before the window that much is read too: who was there before it is not new in it.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// What was found in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The window.
    pub window: Window,
    /// A verdict on each workload that has accelerators; what costs most for nothing comes first.
    pub verdicts: Vec<Verdict>,
    /// Devices that nobody has.
    pub unallocated: Vec<(NodeId, DeviceId)>,
    /// What is known of each device's use.
    pub ladders: Vec<Ladder>,
    /// What each device took, and each package of processors, as far as somebody read it.
    pub energy: Vec<DeviceEnergy>,
}

/// Why there is no survey.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The books cannot be read.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The sums do not fit, or are in two currencies.
    #[error("what idle accelerators cost cannot be summed")]
    Money(#[from] MoneyError),
}

/// Looks through a window of the books.
///
/// # Errors
/// The books cannot be read, or their money does not add.
pub fn survey(books: &Books, cluster: &ClusterId, asked: &Watch) -> Result<Survey, SurveyError> {
    let window = asked.window;
    let mut segments = segments(books, cluster, window)?;
    // Of processors there is power and no verdict.
    let processors: Vec<_> = segments
        .iter_mut()
        .flat_map(|segment| segment.uses.extract_if(.., |one| !one.is_accelerator()))
        .collect();
    let charges = books.charges(cluster, window)?;
    let mut verdicts = watch(&segments, &charges, asked)?;
    verdicts.sort_by_key(|it| (!it.idle, Reverse(it.per_day.pico())));
    let uses = segments.into_iter().flat_map(|segment| segment.uses);
    let inside: Vec<_> = uses.filter(|one| one.window.intersect(window).is_some()).collect();
    let energy = [energy(&inside, window), energy(&processors, window)].concat();
    Ok(Survey {
        window,
        energy,
        verdicts,
        unallocated: unallocated(&inside, window),
        ladders: ladders(&inside),
    })
}

/// The telemetry of the window and of an hour before it.
fn segments(
    books: &Books,
    cluster: &ClusterId,
    window: Window,
) -> Result<Vec<Segment>, BooksError> {
    let from = hour_floor(window.from().checked_sub(BEFORE).unwrap_or(window.from()));
    let mut segments = Vec::new();
    for hour in books.measured_hours(cluster)? {
        if hour.to() > from && hour.from() < window.to() {
            segments.extend(books.segments(cluster, hour.from())?);
        }
    }
    Ok(segments)
}
