//! Retention: what is old is let go of, and the books say that it was.
//!
//! ```text
//! <root>/cluster=<name>/retention.json    {"charges_before": TIME, "telemetry_before": TIME}
//! ```
//!
//! It is written before anything is deleted, so that after a crash on the way the books already
//! say that what is missing is missing on purpose, and the rest goes the next time. Telemetry goes
//! no later than the charges that were made from it: charges without telemetry can be read and not
//! metered again; telemetry without charges would be posted again.

use super::day;
use super::{Books, BooksError, hour_in, root_of};
use bytes::Bytes;
use farthing_model::{ClusterId, Window, midnight, utc_day};
use jiff::Timestamp;
use object_store::path::Path;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is not kept: whatever is of before these moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of telemetry: spans, samples and what devices did.
    pub telemetry_before: Option<Timestamp>,
    /// Of charges.
    pub charges_before: Option<Timestamp>,
}

/// What was let go of, or in a dry run would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// What is not kept any more.
    pub retention: Retention,
    /// Hours of telemetry.
    pub telemetry_hours: u64,
    /// Hours of charges.
    pub charge_hours: u64,
    /// Files of both.
    pub files: u64,
}

/// Whether an hour's part of the books is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is.
    Yes,
    /// It was let go of on purpose.
    Released,
}

impl Retention {
    /// With moments at the beginnings of UTC days, and telemetry going no later than charges.
    #[must_use]
    fn whole_days(self) -> Self {
        let whole = |at: Timestamp| midnight(utc_day(at));
        let charges_before = self.charges_before.and_then(whole);
        let telemetry_before = self.telemetry_before.and_then(whole).max(charges_before);
        Self { telemetry_before, charges_before }
    }

    /// The later of both.
    #[must_use]
    fn or(self, other: Self) -> Self {
        Self {
            telemetry_before: self.telemetry_before.max(other.telemetry_before),
            charges_before: self.charges_before.max(other.charges_before),
        }
    }

    /// Whether the telemetry of an hour is kept.
    pub fn telemetry_of(&self, hour: Window) -> Kept {
        kept(self.telemetry_before, hour)
    }

    /// Whether the charges of an hour are kept.
    pub fn charges_of(&self, hour: Window) -> Kept {
        kept(self.charges_before, hour)
    }

    fn to_text(self) -> String {
        let text = |at: Option<Timestamp>| at.map_or(Value::Null, |at| at.to_string().into());
        let (charges, telemetry) = (text(self.charges_before), text(self.telemetry_before));
        json!({ "charges_before": charges, "telemetry_before": telemetry }).to_string()
    }

    fn from_text(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let of = |name: &str| match value.get(name)? {
            Value::Null => Some(None),
            text => text.as_str()?.parse().ok().map(Some),
        };
        Some(Self {
            charges_before: of("charges_before")?,
            telemetry_before: of("telemetry_before")?,
        })
    }
}

fn kept(before: Option<Timestamp>, hour: Window) -> Kept {
    if before.is_some_and(|before| hour.to() <= before) { Kept::Released } else { Kept::Yes }
}

impl Books {
    /// What is not kept of a cluster any more.
    ///
    /// # Errors
    /// The file that says it cannot be read.
    pub fn retention(&self, cluster: &ClusterId) -> Result<Retention, BooksError> {
        let path = file_of(cluster);
        let Some(bytes) = self.standing(&path)?.0 else { return Ok(Retention::default()) };
        let wrong = || BooksError::damaged(&self.name(&path), "it does not say what is not kept");
        Retention::from_text(&bytes).ok_or_else(wrong)
    }

    /// Lets go of what is of before some moments, to whole UTC days; the newest day that has
    /// charges always stays. A dry run only counts.
    ///
    /// # Errors
    /// A file cannot be written or deleted; doing it again does the rest.
    pub fn release(
        &self,
        cluster: &ClusterId,
        asked: Retention,
        dry_run: bool,
    ) -> Result<Released, BooksError> {
        let newest = self.posted_hours(cluster)?.last().map(|hour| hour.from());
        let no_later = |at: Option<Timestamp>| at.and_then(|at| Some(at.min(newest?)));
        let asked = Retention {
            telemetry_before: no_later(asked.telemetry_before),
            charges_before: no_later(asked.charges_before),
        };
        let retention = self.retention(cluster)?.or(asked.whole_days());
        let (mut telemetry, mut charges) = (BTreeSet::new(), BTreeSet::new());
        let (mut first, mut then) = (Vec::new(), Vec::new());
        for path in self.list(&root_of(cluster))? {
            let is_telemetry = path.as_ref().contains("/telemetry/");
            let hours = if is_telemetry { hour_of_telemetry(&path) } else { self.hours_in(&path)? };
            let is_released = |hour: &Window| {
                let kept = if is_telemetry {
                    retention.telemetry_of(*hour)
                } else {
                    retention.charges_of(*hour)
                };
                kept == Kept::Released
            };
            if hours.is_empty() || !hours.iter().all(is_released) {
                continue;
            }
            if is_telemetry { &mut telemetry } else { &mut charges }.extend(hours);
            if is_telemetry { &mut first } else { &mut then }.push(path);
        }
        let released = Released {
            retention,
            telemetry_hours: telemetry.len() as u64,
            charge_hours: charges.len() as u64,
            files: (first.len() + then.len()) as u64,
        };
        if !dry_run && retention != Retention::default() {
            let _lock = self.lock()?;
            self.write(&file_of(cluster), Bytes::from(retention.to_text()))?;
            first.iter().chain(&then).try_for_each(|path| self.delete(path))?;
        }
        Ok(released)
    }

    /// The hours of a file of charges.
    fn hours_in(&self, path: &Path) -> Result<Vec<Window>, BooksError> {
        if day::day_in(path).is_some() {
            return self.hours_of_day(path);
        }
        let hour = path.as_ref().strip_suffix(".parquet").and_then(hour_in);
        Ok(hour.into_iter().collect())
    }
}

fn hour_of_telemetry(path: &Path) -> Vec<Window> {
    let folder = path.as_ref().rsplit_once('/').map(|(folder, _)| folder);
    folder.and_then(hour_in).into_iter().collect()
}

fn file_of(cluster: &ClusterId) -> Path {
    root_of(cluster).join("retention.json")
}
