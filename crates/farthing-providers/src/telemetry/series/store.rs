//! All series of an import, by what they are of.

use super::reading::Merged;
use super::runs::{Disorder, Runs};
use crate::telemetry::sources::{Canonical, Field, Label};
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::sync::Arc;

/// Most series that are kept: those of a hundred thousand pods.
const SERIES_MAX: usize = 8_000_000;
/// Most different label values that are kept.
const VALUES_MAX: usize = 4_000_000;
/// Most bytes of series and points together, as counted here: four million series of an hour, or a
/// hundred million changes of value. What an import takes in all is about half as much again.
const BYTES_MAX: usize = 4 << 30;
/// Bytes of a series beside its labels and its name: its places in the tables here and there.
const SERIES_BYTES: usize = 400;

/// A series under canonical labels.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) field: Field,
    /// Index of its source in the source map.
    pub(crate) source: usize,
    labels: Labels,
    /// Labels that are kept under a name of their own.
    pub(crate) others: Others,
    pub(crate) job: Arc<str>,
    /// Whether its pod is named by a label that the scraper renamed.
    pub(crate) exported: bool,
    streams: Vec<usize>,
}

impl Series {
    /// The value of a label.
    pub(crate) fn get(&self, label: Label) -> Option<&Arc<str>> {
        self.labels.iter().find(|(own, _)| *own == label).map(|(_, value)| value)
    }

    /// What it is sorted by among series of one field.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        (self.labels.clone(), self.others.clone(), self.source)
    }

    /// The value of a label, empty where there is none.
    pub(crate) fn text(&self, label: Label) -> &str {
        self.get(label).map_or("", |value| value)
    }
}

type Labels = Box<[(Label, Arc<str>)]>;
type Others = Box<[(Arc<str>, Arc<str>)]>;

/// Why a series is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreFull {
    /// Too many series.
    #[error("over {SERIES_MAX} series; further ones are left out")]
    Series,
    /// Too many different label values.
    #[error("over {VALUES_MAX} different label values; further series are left out")]
    Values,
    /// Too much memory.
    #[error(
        "over {} GiB of series and points; what is more is left out: import a shorter window",
        BYTES_MAX >> 30
    )]
    Bytes,
}

/// The series of an import.
#[derive(Debug, Default)]
pub(crate) struct Store {
    series: Vec<Series>,
    /// The newest series by a hash of what it is of, and for each the one before it of that hash:
    /// what they are of is not kept twice.
    newest: HashMap<u64, usize>,
    before: Vec<Option<usize>>,
    streams: Vec<(Arc<str>, Runs)>,
    values: HashSet<Arc<str>>,
    /// What all of it takes, about.
    bytes: usize,
}

impl Store {
    /// A stream for a series as it was written; the same series from another replica of the
    /// scraper is another stream.
    pub(crate) fn stream(
        &mut self,
        source: usize,
        field: Field,
        found: &Canonical,
    ) -> Result<usize, StoreFull> {
        if self.streams.len() >= SERIES_MAX {
            return Err(StoreFull::Series);
        }
        if self.values.len() >= VALUES_MAX {
            return Err(StoreFull::Values);
        }
        if self.bytes >= BYTES_MAX {
            return Err(StoreFull::Bytes);
        }
        let labels: Labels =
            found.labels.iter().map(|(label, value)| (*label, self.intern(value))).collect();
        let others: Others = found
            .others
            .iter()
            .map(|(name, value)| (self.intern(name), self.intern(value)))
            .collect();
        let (replica, job) = (self.intern(&found.replica), self.intern(&found.job));
        let index = match self.known((source, field), &labels, &others) {
            Ok(index) => index,
            Err(hash) => {
                let (exported, streams) = (found.exported, Vec::with_capacity(1));
                self.bytes += size_of_val(&*labels) + size_of_val(&*others) + SERIES_BYTES;
                self.series.push(Series { field, source, labels, others, job, exported, streams });
                let index = self.series.len() - 1;
                self.before.push(self.newest.insert(hash, index));
                index
            }
        };
        self.streams.push((replica, Runs::default()));
        self.series[index].streams.push(self.streams.len() - 1);
        Ok(self.streams.len() - 1)
    }

    /// The series of a source, a field and labels, or the hash by which it will be known.
    fn known(
        &self,
        (source, field): (usize, Field),
        labels: &Labels,
        others: &Others,
    ) -> Result<usize, u64> {
        let hash = BuildHasherDefault::<DefaultHasher>::default();
        let hash = hash.hash_one((source, field, labels, others));
        let mut next = self.newest.get(&hash).copied();
        while let Some(at) = next {
            let series = &self.series[at];
            if (series.source, series.field) == (source, field)
                && (&series.labels, &series.others) == (labels, others)
            {
                return Ok(at);
            }
            next = self.before[at];
        }
        Err(hash)
    }

    fn intern(&mut self, value: &str) -> Arc<str> {
        if let Some(known) = self.values.get(value) {
            return Arc::clone(known);
        }
        let value: Arc<str> = Arc::from(value);
        // Two counts and a place in the table.
        self.bytes += value.len() + 48;
        self.values.insert(Arc::clone(&value));
        value
    }

    /// Adds a point.
    ///
    /// # Errors
    /// There is no room for what it says.
    pub(crate) fn push(&mut self, stream: usize, at: i64, value: i64) -> Result<(), StoreFull> {
        if self.bytes >= BYTES_MAX {
            return Err(StoreFull::Bytes);
        }
        self.bytes += self.streams[stream].1.push(at, value);
        Ok(())
    }

    /// Puts all points in order.
    pub(crate) fn settle(&mut self) -> Disorder {
        let mut sum = Disorder::default();
        for (_, runs) in &mut self.streams {
            let found = runs.settle();
            sum.late += found.late;
            sum.duplicates += found.duplicates;
            sum.conflicts += found.conflicts;
        }
        sum
    }

    /// All series, in the order in which they were met.
    pub(crate) fn series(&self) -> impl Iterator<Item = &Series> {
        self.series.iter()
    }

    /// The series of a field.
    pub(crate) fn of(&self, field: Field) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(move |series| series.field == field)
    }

    /// When the first and the last point of a series are.
    pub(crate) fn ends(&self, series: &Series) -> Option<(i64, i64)> {
        let ends = series.streams.iter().filter_map(|at| self.streams[*at].1.ends());
        ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// The distance between points of a series, the shortest of its streams.
    pub(crate) fn pace(&self, series: &Series) -> Option<i64> {
        series.streams.iter().filter_map(|at| self.streams[*at].1.pace()).min()
    }

    /// One series out of what its streams say, whichever came first.
    pub(crate) fn merged(&self, series: &Series) -> Merged {
        self.merged_all(&[series])
    }

    /// One series out of several that say the same of the same thing.
    pub(crate) fn merged_all(&self, series: &[&Series]) -> Merged {
        let mut streams: Vec<(usize, &Arc<str>, &Runs)> = series
            .iter()
            .flat_map(|series| series.streams.iter().map(|at| (series.source, &self.streams[*at])))
            .map(|(source, (replica, runs))| (source, replica, runs))
            .filter(|(_, _, runs)| !runs.is_empty())
            .collect();
        // By source and replica, then by what they say, so that the order of the input does not
        // matter.
        streams.sort_by_cached_key(|(source, replica, runs)| {
            (*source, Arc::clone(replica), runs.points().next())
        });
        let pace = streams.iter().filter_map(|(_, _, runs)| runs.pace()).min();
        let points = streams.iter().map(|(_, _, runs)| runs.points().collect());
        Merged::of(points.collect(), pace)
    }
}
