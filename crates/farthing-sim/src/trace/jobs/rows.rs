//! Rows as a format reads them: one after the other, or all of them sorted by submission first.
//!
//! A format only says how a row becomes a [`Raw`]. Start with [`Streamed`].

use super::checked::{Raw, Rows};
use super::source::Source;
use crate::trace::table::TraceError;

/// Rows in the order of the file.
pub(super) struct Streamed<F> {
    source: Source,
    row: F,
}

impl<F: Fn(&Source) -> Result<Raw, String>> Streamed<F> {
    /// Reads each row by `row`, which says what is wrong with one that cannot be read.
    pub(super) const fn new(source: Source, row: F) -> Self {
        Self { source, row }
    }
}

impl<F: Fn(&Source) -> Result<Raw, String>> Rows for Streamed<F> {
    fn next(&mut self) -> Result<Option<Raw>, TraceError> {
        if !self.source.advance()? {
            return Ok(None);
        }
        (self.row)(&self.source).map(Some).map_err(|what| self.source.error(what))
    }

    fn error(&self, what: String) -> TraceError {
        self.source.error(what)
    }

    fn fault(&self, what: String) -> TraceError {
        self.source.fault(what)
    }
}

/// Rows that are sorted by submission before the first is used.
pub(super) struct Sorted {
    source: Source,
    rows: std::vec::IntoIter<Raw>,
}

/// Rows that are kept at most to be sorted.
const SORTED_MAX: usize = 5_000_000;

impl Sorted {
    /// Reads all rows that a format does not leave out.
    pub(super) fn read(
        mut source: Source,
        row: impl Fn(&Source) -> Result<Option<Raw>, String>,
    ) -> Result<Self, TraceError> {
        let mut rows = Vec::new();
        while source.advance()? {
            let read = row(&source).and_then(|raw| match raw {
                Some(raw) if raw.run_s < 0 => {
                    Err(format!("the job ends {} s before it starts", -raw.run_s))
                }
                raw => Ok(raw),
            });
            rows.extend(read.map_err(|what| source.error(what))?);
            if rows.len() > SORTED_MAX {
                let what = format!("more than {SORTED_MAX} jobs are not sorted");
                return Err(source.error(what));
            }
        }
        rows.sort_by_key(|raw| raw.submit_s);
        Ok(Self { source, rows: rows.into_iter() })
    }
}

impl Rows for Sorted {
    fn next(&mut self) -> Result<Option<Raw>, TraceError> {
        Ok(self.rows.next())
    }

    fn error(&self, what: String) -> TraceError {
        self.source.fault(what)
    }

    fn fault(&self, what: String) -> TraceError {
        self.source.fault(what)
    }
}
