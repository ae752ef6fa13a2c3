//! What is wrong in a manifest: where, in which object, what, and what would be right.

use crate::yaml::Spot;
use std::fmt;

/// One thing that is wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or what else the text came from.
    pub source: String,
    /// The line and column; `None` where the file as a whole is wrong.
    pub spot: Option<Spot>,
    /// Kind and name of the object, such as `Workload finetune-70b`.
    pub object: Option<String>,
    /// What is wrong and what would be right, in lower case.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.source)?;
        if let Some(spot) = self.spot {
            write!(out, ":{}:{}", spot.line, spot.column)?;
        }
        if let Some(object) = &self.object {
            write!(out, ": {object}")?;
        }
        write!(out, ": {}", self.what)
    }
}

/// Everything that is wrong in a set of manifests, in the order of the files. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ManifestError {
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Collects the faults of one object.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) source: String,
    pub(crate) object: Option<String>,
    pub(crate) faults: Vec<Fault>,
}

impl Report {
    pub(crate) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), object: None, faults: Vec::new() }
    }

    /// Runs `read` with faults placed in another file than the manifest's own.
    pub(crate) fn within<T>(&mut self, source: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.source, source.to_owned());
        let value = read(self);
        self.source = outer;
        value
    }

    pub(crate) fn fault(&mut self, spot: Spot, what: impl Into<String>) {
        self.faults.push(Fault {
            source: self.source.clone(),
            spot: Some(spot),
            object: self.object.clone(),
            what: what.into(),
        });
    }
}

/// `; did you mean X?` for the candidate most like `given`, or the whole choice.
pub(crate) fn suggestion(given: &str, candidates: &[&str]) -> String {
    let near = candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(given, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min();
    match near {
        Some((_, candidate)) => format!("; did you mean `{candidate}`?"),
        None => format!("; known here: {}", candidates.join(", ")),
    }
}
