//! What could not be read, kept short: of each kind in each file the first few.

use crate::exposition::What;
use std::collections::BTreeMap;
use std::fmt;
use std::mem::Discriminant;

/// Faults of one kind in one file that are kept.
const KEPT_OF_A_KIND: u64 = 5;
/// Faults that are kept in all.
const KEPT_MAX: usize = 200;

/// Something that could not be read, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFault {
    /// The file or the address.
    pub file: String,
    /// The line, from 1; zero where it is not of a line.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for LineFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.file, self.what),
            line => write!(out, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// The faults of an import.
#[derive(Debug, Default)]
pub(crate) struct FaultLog {
    kept: Vec<LineFault>,
    kinds: Vec<(String, Discriminant<What>, u64)>,
}

impl FaultLog {
    pub(crate) fn add(&mut self, file: &str, line: u64, what: &What) {
        let kind = std::mem::discriminant(what);
        let known = self.kinds.iter_mut().find(|(of, known, _)| *known == kind && of == file);
        let count = if let Some((_, _, count)) = known {
            *count += 1;
            *count
        } else {
            self.kinds.push((file.to_owned(), kind, 1));
            1
        };
        if count <= KEPT_OF_A_KIND {
            self.end(file, line, &what.to_string());
        }
    }

    pub(crate) fn end(&mut self, file: &str, line: u64, what: &str) {
        if self.kept.len() < KEPT_MAX {
            let (file, what) = (file.to_owned(), what.to_owned());
            self.kept.push(LineFault { file, line, what });
        }
    }

    pub(crate) fn kept(&self) -> impl Iterator<Item = &LineFault> {
        self.kept.iter()
    }

    /// How many more there were, by file.
    pub(crate) fn more(&self) -> BTreeMap<String, u64> {
        let mut more = BTreeMap::new();
        for (file, _, count) in &self.kinds {
            if *count > KEPT_OF_A_KIND {
                *more.entry(file.clone()).or_default() += count - KEPT_OF_A_KIND;
            }
        }
        more
    }
}
