//! One file of prices: what it is is told by its content.

use super::csv;
use super::error::BookError;
use super::gz;
use super::import::folder::SourceFile;
use super::import::instances::{self, Layout, Whole};
use super::import::{karpenter, kwok};
use super::intake::Intake;
use super::parquet;
use super::row::COLUMNS;
use crate::manifest;
use crate::text::{ReadError, into_text, read_bytes};
use farthing_model::utc_day;
use jiff::{Timestamp, civil::Date};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Largest file, in bytes, also unpacked. The full catalogue of three clouds has 12 MB as CSV.
pub const BYTES_MAX: u64 = 256 << 20;

/// Adds what a file says.
///
/// # Errors
/// It is no price book of any form. Single bad rows are faults of the intake.
pub(crate) fn read(file: &SourceFile, intake: &mut Intake) -> Result<(), BookError> {
    let path = &file.path;
    let mut bytes = read_bytes(path, BYTES_MAX).map_err(|error| match error {
        ReadError::Folder(path) => BookError::Folder(path),
        other => BookError::Read(other),
    })?;
    let mut day = file_day(path);
    let stated = path.file_name().and_then(|name| day_in(&name.to_string_lossy()));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = match &file.provider {
        Some(provider) if path.parent().is_some_and(|it| it.ends_with(provider)) => {
            format!("{provider}/{}", name.unwrap_or_default())
        }
        _ => name.unwrap_or_default(),
    };
    if bytes.starts_with(&gz::MAGIC) {
        day = gz_day(&bytes).unwrap_or(day);
        bytes = gz::unpack(path, &bytes, BYTES_MAX)?;
    }
    // Who reads a price must see when its day is only the day that the file was made.
    let undated = if stated.is_some() { "" } else { " (undated, so as old as the file)" };
    let (provider, day) = (file.provider.clone(), stated.unwrap_or(day));
    let whole = Whole { provider, day, source: format!("catalogue {name}{undated}") };
    if bytes.starts_with(b"PAR1") {
        return parquet::rows(path, &whole, intake);
    }
    let text = match into_text(path, bytes) {
        Ok(text) => text,
        Err(ReadError::NotText { path, at: 0..16, .. }) => return Err(BookError::Unknown(path)),
        Err(error) => return Err(BookError::Read(error)),
    };
    self::text(path, &text, &whole, intake)
}

fn text(path: &Path, text: &str, whole: &Whole, intake: &mut Intake) -> Result<(), BookError> {
    let trimmed = text.trim_start_matches('\u{feff}');
    let first = trimmed.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let names = || first.split(',').map(|cell| cell.trim().trim_matches('"'));
    let known = names().filter(|name| COLUMNS.contains(name)).count();
    if known >= COLUMNS.len() / 2 {
        return csv::rows(text, path, intake);
    }
    if let Some(layout) = Layout::of(names()) {
        return instances::text(path, text, &layout, whole, intake);
    }
    if karpenter::is_table(text) {
        return karpenter::read(path, text, whole.day, intake);
    }
    if kwok::is_list(text) {
        return kwok::read(path, text, whole.day, intake);
    }
    let is_manifest = |line: &str| line.starts_with("kind:") || line.starts_with("apiVersion:");
    if trimmed.lines().any(is_manifest) {
        intake.book(manifest::price_book(text, path)?, path);
        return Ok(());
    }
    if first.contains(',') {
        return csv::rows(text, path, intake);
    }
    Err(BookError::Unknown(path.to_owned()))
}

/// The day that a name states, such as `prices_2026-05-20.parquet`.
fn day_in(name: &str) -> Option<Date> {
    (0..name.len()).filter_map(|at| name.get(at..at + 10)).find_map(|text| text.parse().ok())
}

/// The day on which a file was last written; the best that is known of a table without dates.
fn file_day(path: &Path) -> Date {
    let written = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let since = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    day(since)
}

/// The day that the compressor noted of the original file.
fn gz_day(bytes: &[u8]) -> Option<Date> {
    let seconds = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    (seconds > 0).then(|| day(Duration::from_secs(seconds.into())))
}

fn day(since: Duration) -> Date {
    let at = i64::try_from(since.as_secs()).ok().and_then(|at| Timestamp::from_second(at).ok());
    utc_day(at.unwrap_or(Timestamp::UNIX_EPOCH))
}
