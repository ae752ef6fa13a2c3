//! The source map: which metric of which exporter feeds which field, under which labels.
//!
//! It is data ([`data/telemetry/sources.yaml`](SourceMap::built_in)), so that an exporter that
//! renames a metric or a label is one line of a file and not a release. `--source-map FILE`
//! replaces it whole. This module refuses to know any name of an exporter itself.

mod field;
mod profile;
mod read;
mod unit;

pub use field::Field;
pub(crate) use field::{Kind, Label, Scale};
pub(crate) use profile::{mig_profile, profile};
pub use read::SourceMapError;
pub(crate) use unit::Unit;

use crate::exposition::Series;
use farthing_model::SourceId;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What a source map says, ready to be asked by metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMap {
    pub(crate) sources: Vec<Source>,
    rules: BTreeMap<String, Rule>,
    /// Labels by which a scraper tells its replicas apart.
    pub(crate) replica_labels: Vec<String>,
    /// How resources are called, and what a unit of them is.
    pub(crate) resources: BTreeMap<String, ResourceName>,
    /// Labels of nodes and pods that say a fact, by fact; the first that is there stands.
    pub(crate) facts: BTreeMap<String, Vec<String>>,
    /// Containers of exporters, which hold no device although their labels stand at its series.
    pub(crate) exporter_containers: Vec<String>,
    /// Whole slices of partitioned devices, by a part of the model's name.
    pub(crate) slices: Vec<Slices>,
}

/// An exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: SourceId,
    /// For each label its names, the first that is there stands.
    pub(crate) labels: BTreeMap<Label, Vec<String>>,
    /// Values that mean that there is none, as whole numbers.
    pub(crate) missing: Vec<RangeInclusive<i128>>,
    /// Texts that mean the same.
    pub(crate) missing_text: Vec<String>,
}

/// What a metric feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Index into [`SourceMap::sources`].
    pub(crate) source: usize,
    pub(crate) field: Field,
    pub(crate) unit: Unit,
    /// Labels that the metric's name stands for.
    pub(crate) set: BTreeMap<Label, String>,
    /// Labels with this start are kept under the rest of their name.
    pub(crate) prefix: Option<String>,
    /// The largest value, in the unit of the metric; what is above was not measured.
    pub(crate) max: Option<i128>,
    /// Only series whose labels have these values.
    pub(crate) only: Vec<(String, Vec<String>)>,
}

/// What a resource is called by an exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourceName {
    Cpu,
    Memory,
    Storage,
    Gpu,
    /// Hundredths of a device's cores.
    GpuCores,
}

/// How many slices a kind of device is cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slices {
    pub(crate) model: String,
    pub(crate) compute: u32,
    pub(crate) memory: u32,
}

/// A series under canonical labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Canonical {
    pub(crate) labels: Vec<(Label, String)>,
    pub(crate) others: Vec<(String, String)>,
    /// Which replica of the scraper it comes from.
    pub(crate) replica: String,
    /// The scrape job.
    pub(crate) job: String,
    /// Whether pod labels were renamed by the scraper, so that plain ones are its target's.
    pub(crate) exported: bool,
}

impl SourceMap {
    /// The map that ships in the binary.
    ///
    /// # Errors
    /// Never, as the tests read it; an error here is a fault of the build.
    pub fn built_in() -> Result<Self, SourceMapError> {
        read::read(read::BUILT_IN, std::path::Path::new("data/telemetry/sources.yaml"))
    }

    /// The map of a file.
    ///
    /// # Errors
    /// Everything that is wrong in it, each with its line.
    pub fn from_file(path: &std::path::Path) -> Result<Self, SourceMapError> {
        read::from_file(path)
    }

    /// The map in a text; faults name it as `path`.
    ///
    /// # Errors
    /// As [`SourceMap::from_file`].
    pub fn parse(text: &str, path: &std::path::Path) -> Result<Self, SourceMapError> {
        read::read(text, path)
    }

    /// What a metric feeds, if anything.
    pub(crate) fn rule(&self, metric: &str) -> Option<&Rule> {
        self.rules.get(metric)
    }

    /// The metrics that are read, by name.
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// The metrics that feed a field, by name.
    pub fn metrics_of(&self, field: Field) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().filter(move |(_, rule)| rule.field == field);
        rules.map(|(name, _)| name.as_str())
    }

    /// The labels of a series under their canonical names; `None` where the rule leaves it out.
    pub(crate) fn canonical(&self, rule: &Rule, series: &Series<'_>) -> Option<Canonical> {
        for (label, allowed) in &rule.only {
            let value = series.get(label).unwrap_or_default();
            if !allowed.iter().any(|allowed| allowed == value) {
                return None;
            }
        }
        let source = &self.sources[rule.source];
        let mut found = Canonical::default();
        for (label, aliases) in &source.labels {
            if let Some(value) = rule.set.get(label) {
                found.labels.push((*label, value.clone()));
                continue;
            }
            let first = aliases.iter().find_map(|alias| Some((alias, series.get(alias)?)));
            if let Some((alias, value)) = first {
                found.exported |= *label == Label::Pod && alias.starts_with("exported_");
                found.labels.push((*label, value.to_owned()));
            }
        }
        if let Some(prefix) = &rule.prefix {
            let kept = series.labels.iter().filter_map(|(name, value)| {
                Some((name.strip_prefix(prefix.as_str())?.to_owned(), value.clone().into_owned()))
            });
            found.others.extend(kept.filter(|(_, value)| !value.is_empty()));
            found.others.sort_unstable();
        }
        let replicas = self.replica_labels.iter().filter_map(|name| series.get(name));
        found.replica = replicas.collect::<Vec<_>>().join("/");
        series.get("job").unwrap_or_default().clone_into(&mut found.job);
        Some(found)
    }
}

#[cfg(test)]
mod tests;
