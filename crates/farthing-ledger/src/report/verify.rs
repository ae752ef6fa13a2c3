//! Whether the books are sound: every file readable and unchanged, every hour conserved, and the
//! charges what the kept telemetry says.

use crate::books::{Again, Books, BooksError, Correction, HourBook, Kept, Mark, Retention, sorted};
use crate::meter::{MeterError, TelemetryError};
use farthing_model::{Charge, ClusterId, Money, Window};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What is said of sums in telemetry that are wrong.
const SUMS: &str = "its sums of samples do not say what its samples do";

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerCheck {
    /// Whether there is no fault.
    pub ok: bool,
    /// Hours that were checked, up to and with the first fault.
    pub checked: u64,
    /// The first fault in order of time.
    pub first_fault: Option<FirstFault>,
    /// Hours after the last posted one that have telemetry and no charges yet; not a fault, as a
    /// tick is measured before it is posted.
    pub unposted: Vec<Window>,
    /// The end of what is posted.
    pub posted_until: Option<Timestamp>,
    /// Where the journal stood when hours were posted: the file of each hour that says so. The
    /// journal's own check is to find them in it.
    pub marks: Vec<(String, Mark)>,
    /// Hours that were corrected after they had been posted: the file of each, and how.
    pub corrections: Vec<(String, Correction)>,
    /// What is not kept any more, on purpose.
    pub retention: Retention,
}

/// Where the books are not sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstFault {
    /// The file.
    pub file: String,
    /// The row, from 0, where that is known.
    pub row: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl FirstFault {
    fn of(error: &BooksError) -> Self {
        let (file, row) = error.place();
        Self { file: file.to_owned(), row, what: error.what() }
    }
}

/// Checks all hours of a cluster.
///
/// # Errors
/// The store cannot be listed. Everything else that is wrong is a fault in the result.
pub fn verify(books: &Books, cluster: &ClusterId) -> Result<LedgerCheck, BooksError> {
    let posted: BTreeSet<Window> = books.posted_hours(cluster)?.into_iter().collect();
    let measured: BTreeSet<Window> = books.measured_hours(cluster)?.into_iter().collect();
    let last = posted.last().copied();
    let mut check = LedgerCheck {
        ok: true,
        checked: 0,
        first_fault: None,
        unposted: vec![],
        posted_until: None,
        marks: vec![],
        corrections: vec![],
        retention: books.retention(cluster)?,
    };
    for hour in posted.union(&measured) {
        check.checked += 1;
        let fault = if posted.contains(hour) {
            posted_hour(books, cluster, *hour, measured.contains(hour), &mut check)
        } else if Some(*hour) > last {
            check.unposted.push(*hour);
            books.segments(cluster, hour.from()).err().map(|error| FirstFault::of(&error))
        } else {
            let what = "the hour has telemetry and no charges, and later hours have".to_owned();
            Some(FirstFault { file: books.charges_file(cluster, *hour), row: None, what })
        };
        if fault.is_some() {
            (check.ok, check.first_fault) = (false, fault);
            break;
        }
    }
    Ok(check)
}

/// What is wrong with an hour, if anything.
fn posted_hour(
    books: &Books,
    cluster: &ClusterId,
    hour: Window,
    measured: bool,
    check: &mut LedgerCheck,
) -> Option<FirstFault> {
    let mut read = || -> Result<Option<FirstFault>, BooksError> {
        let Some(book) = books.hour(cluster, hour.from())? else { return Ok(None) };
        check.posted_until = check.posted_until.max(Some(book.window.to()));
        check.marks.extend(book.journal.map(|mark| (book.file.clone(), mark)));
        let corrections = book.corrections.iter().cloned();
        check.corrections.extend(corrections.map(|correction| (book.file.clone(), correction)));
        let posted = Posted { cluster, hour, file: book.file.clone() };
        let (window, currency, method) = (book.window, book.currency, book.method);
        let weights = book.weights.clone();
        let metered = measured.then(|| {
            books.meter_kept(cluster, Again { window, currency, method, weights: &weights })
        });
        let metered = match metered {
            Some(Err(TelemetryError::Read(error))) => return Err(error),
            Some(Ok(metered)) => Some(Ok(metered.charges)),
            Some(Err(TelemetryError::Meter(error))) => Some(Err(error)),
            None => None,
        };
        // The engine marks what it posts, and keeps telemetry before it posts charges.
        let released = check.retention.telemetry_of(hour) == Kept::Released;
        let (whole, kept) =
            ((book.paid, book.list), measured || released || book.journal.is_none());
        let belongs = posted.belongs(&book);
        let rollup = book.kept_rollup()?;
        let sums = books.wrong_sample_sums(cluster, hour.from())?;
        let charges = book.charges()?;
        let rollup = rollup.fault(&charges)?;
        let fault = belongs
            .or_else(|| posted.rows(&charges, window))
            .or_else(|| posted.conserves(&charges, whole))
            .or_else(|| posted.metered_again(metered?, &charges))
            .or_else(|| posted.has_telemetry(&charges, kept))
            .or_else(|| rollup.map(|what| posted.fault(None, what)))
            .or_else(|| sums.map(|file| FirstFault { file, row: None, what: SUMS.to_owned() }));
        Ok(fault)
    };
    read().unwrap_or_else(|error| Some(FirstFault::of(&error)))
}

/// The posted file of an hour.
struct Posted<'a> {
    cluster: &'a ClusterId,
    hour: Window,
    file: String,
}

impl Posted<'_> {
    fn fault(&self, row: Option<usize>, what: &str) -> FirstFault {
        let row = row.map(|row| row as u64);
        FirstFault { file: self.file.clone(), row, what: what.to_owned() }
    }

    fn belongs(&self, book: &HourBook) -> Option<FirstFault> {
        let inside = book.window.intersect(self.hour) == Some(book.window);
        if inside && book.cluster == *self.cluster {
            return None;
        }
        Some(self.fault(None, "it is the file of another hour or cluster"))
    }

    fn rows(&self, charges: &[Charge], window: Window) -> Option<FirstFault> {
        let outside = |charge: &Charge| charge.window.intersect(window) != Some(charge.window);
        if let Some(row) = charges.iter().position(outside) {
            return Some(self.fault(Some(row), "the charge is outside of the hour"));
        }
        let negative = |charge: &Charge| {
            charge.cost.is_negative() || charge.list_cost.is_negative() || charge.quantity_nano < 0
        };
        let row = charges.iter().position(negative)?;
        Some(self.fault(Some(row), "the charge is below zero"))
    }

    /// Each stretch of each node costs its rate over its time, and all of them what was paid.
    fn conserves(&self, charges: &[Charge], (paid, list): (Money, Money)) -> Option<FirstFault> {
        let stretch = |c: &Charge| (c.node.clone(), c.offer.clone(), c.window, c.node_rate);
        let mut whole = Money::zero(paid.currency());
        let mut whole_list = whole;
        let mut row = 0;
        // Rows are sorted by node, offer and time; a change of rate makes two stretches.
        for part in charges.chunk_by(|a, b| stretch(a) == stretch(b)) {
            let sum = Money::sum(part.iter().map(|charge| charge.cost), paid.currency());
            let first = &part[0];
            let sent = part.iter().map(|charge| charge.quantity_nano).sum();
            let cost = first.asset.cost(first.node_rate, first.window, sent);
            if sum.is_err() || sum != cost {
                let what = format!("the charges of node {} do not sum to its price", part[0].node);
                return Some(self.fault(Some(row), &what));
            }
            let of_list = Money::sum(part.iter().map(|charge| charge.list_cost), list.currency());
            let rate = first.provenance.list.as_ref().map_or(first.node_rate, |list| list.rate);
            if of_list.is_err() || of_list != first.asset.cost(rate, first.window, sent) {
                let what =
                    format!("the list costs of node {} do not sum to its list price", first.node);
                return Some(self.fault(Some(row), &what));
            }
            row += part.len();
            whole = sum.and_then(|sum| whole.checked_add(sum)).unwrap_or(whole);
            whole_list = of_list.and_then(|sum| whole_list.checked_add(sum)).unwrap_or(whole_list);
        }
        match (whole == paid, whole_list == list) {
            (true, true) => None,
            (false, _) => Some(self.fault(None, "its charges do not sum to what was paid")),
            (true, false) => {
                Some(self.fault(None, "its list costs do not sum to that of the hour"))
            }
        }
    }

    fn has_telemetry(&self, charges: &[Charge], kept: bool) -> Option<FirstFault> {
        let gone = "the telemetry of this hour is gone, from which its charges were metered";
        (!kept && !charges.is_empty()).then(|| self.fault(None, gone))
    }

    fn metered_again(
        &self,
        again: Result<Vec<Charge>, MeterError>,
        charges: &[Charge],
    ) -> Option<FirstFault> {
        let again = match again {
            Ok(again) => again,
            Err(error) => return Some(self.fault(None, &error.to_string())),
        };
        let (again, posted) = (sorted(&again), sorted(charges));
        if again == posted {
            return None;
        }
        let same = again.iter().zip(&posted).take_while(|(a, b)| a == b).count();
        Some(self.fault(Some(same), "metering the telemetry again gives another charge"))
    }
}
