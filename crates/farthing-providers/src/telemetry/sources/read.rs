//! Reading a source map from YAML, strictly: an unknown key is a fault with a suggestion.

use super::field::{Field, Label};
use super::unit::Unit;
use super::{ResourceName, Rule, Slices, Source, SourceMap};
use crate::manifest::suggestion;
use crate::text::{ReadError, read_text};
use crate::yaml::{Node, Spot, Value, documents};
use farthing_model::SourceId;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

pub(super) const BUILT_IN: &str = include_str!("../../../../../data/telemetry/sources.yaml");
/// Largest file, in bytes.
const BYTES_MAX: u64 = 1 << 20;

const TOP_KEYS: [&str; 8] = [
    "as_of",
    "replica_labels",
    "labels",
    "resources",
    "facts",
    "exporter_containers",
    "slices",
    "sources",
];
const SOURCE_KEYS: [&str; 6] = ["name", "origin", "labels", "missing", "missing_text", "metrics"];
const METRIC_KEYS: [&str; 8] =
    ["metric", "field", "unit", "set", "prefix", "max", "only", "versions"];

/// Why a file is not a source map.
#[derive(Debug, thiserror::Error)]
pub enum SourceMapError {
    /// It cannot be read as a file.
    #[error(transparent)]
    Read(ReadError),
    /// A line is wrong.
    #[error("{}:{line}: {what}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what would be right.
        what: String,
    },
}

/// What is wrong at a place.
struct Fault(Spot, String);

type Parsed<T> = Result<T, Fault>;

pub(super) fn from_file(path: &Path) -> Result<SourceMap, SourceMapError> {
    let text = read_text(path, BYTES_MAX).map_err(SourceMapError::Read)?;
    read(&text, path)
}

pub(super) fn read(text: &str, path: &Path) -> Result<SourceMap, SourceMapError> {
    let fault = |Fault(spot, what): Fault| SourceMapError::Line {
        path: path.to_owned(),
        line: spot.line,
        what,
    };
    let start = Spot { line: 1, column: 1 };
    let root = documents(text).into_iter().next();
    let root = root.ok_or_else(|| fault(Fault(start, "is empty".to_owned())))?;
    let root = root.map_err(|error| fault(Fault(error.spot, error.what)))?;
    map(&root).map_err(fault)
}

fn map(root: &Node) -> Parsed<SourceMap> {
    known(root, &TOP_KEYS)?;
    let mut shared = BTreeMap::new();
    if let Some(node) = root.get("labels") {
        read_labels(node, &mut shared)?;
    }
    let mut map = SourceMap {
        sources: Vec::new(),
        rules: BTreeMap::new(),
        replica_labels: root.get("replica_labels").map_or(Ok(Vec::new()), texts)?,
        resources: BTreeMap::new(),
        facts: BTreeMap::new(),
        exporter_containers: root.get("exporter_containers").map_or(Ok(Vec::new()), texts)?,
        slices: Vec::new(),
    };
    for (name, node) in root.get("resources").map_or(Ok(Vec::new()), entries)? {
        for alias in texts(node)? {
            map.resources.insert(alias, resource(node, name)?);
        }
    }
    for (name, node) in root.get("facts").map_or(Ok(Vec::new()), entries)? {
        map.facts.insert(name.to_owned(), texts(node)?);
    }
    for node in root.get("slices").map_or(Ok(&[][..]), items)? {
        map.slices.push(Slices {
            model: needed(node, "model")?.text().unwrap_or_default().to_owned(),
            compute: number(needed(node, "compute")?)?,
            memory: number(needed(node, "memory")?)?,
        });
    }
    for node in needed(root, "sources").and_then(items)? {
        read_source(node, &shared, &mut map)?;
    }
    Ok(map)
}

fn resource(node: &Node, name: &str) -> Parsed<ResourceName> {
    Ok(match name {
        "cpu" => ResourceName::Cpu,
        "memory" => ResourceName::Memory,
        "storage" => ResourceName::Storage,
        "gpu" => ResourceName::Gpu,
        "gpu-cores" => ResourceName::GpuCores,
        other => {
            let choice = ["cpu", "memory", "storage", "gpu", "gpu-cores"];
            let hint = suggestion(other, &choice);
            return Err(Fault(node.spot, format!("`{other}` is not a resource{hint}")));
        }
    })
}

fn read_labels(node: &Node, into: &mut BTreeMap<Label, Vec<String>>) -> Parsed<()> {
    for (name, aliases) in entries(node)? {
        let label = named(aliases, name, Label::ALL, Label::name, "label")?;
        into.insert(label, texts(aliases)?);
    }
    Ok(())
}

fn read_source(
    node: &Node,
    shared: &BTreeMap<Label, Vec<String>>,
    map: &mut SourceMap,
) -> Parsed<()> {
    known(node, &SOURCE_KEYS)?;
    let mut labels = shared.clone();
    if let Some(own) = node.get("labels") {
        read_labels(own, &mut labels)?;
    }
    let missing = node.get("missing").map_or(Ok(Vec::new()), texts)?;
    let missing = missing.iter().map(|text| range(node, text)).collect::<Parsed<_>>()?;
    let name = needed(node, "name")?;
    let id = SourceId::new(text(name)?).map_err(|error| Fault(name.spot, error.to_string()))?;
    map.sources.push(Source {
        name: id,
        labels,
        missing,
        missing_text: node.get("missing_text").map_or(Ok(Vec::new()), texts)?,
    });
    for metric in needed(node, "metrics").and_then(items)? {
        let (name, rule) = read_rule(metric, map.sources.len() - 1)?;
        if map.rules.insert(name.clone(), rule).is_some() {
            return Err(Fault(metric.spot, format!("the metric `{name}` stands here twice")));
        }
    }
    Ok(())
}

fn read_rule(node: &Node, source: usize) -> Parsed<(String, Rule)> {
    known(node, &METRIC_KEYS)?;
    let name = text(needed(node, "metric")?)?.to_owned();
    let field = needed(node, "field")?;
    let field = named(field, text(field)?, Field::ALL, Field::name, "field")?;
    let unit_node = needed(node, "unit")?;
    let unit = Unit::named(text(unit_node)?).ok_or_else(|| {
        let hint = suggestion(unit_node.text().unwrap_or_default(), &Unit::names());
        Fault(unit_node.spot, format!("`{}` is not a unit{hint}", text(unit_node).unwrap_or("")))
    })?;
    if !unit.fits(field.scale()) {
        let what =
            format!("the field `{}` is in another unit than `{}`", field.name(), text(unit_node)?);
        return Err(Fault(unit_node.spot, what));
    }
    versions(needed(node, "versions")?)?;
    let mut set = BTreeMap::new();
    for (label, value) in node.get("set").map_or(Ok(Vec::new()), entries)? {
        set.insert(named(value, label, Label::ALL, Label::name, "label")?, text(value)?.to_owned());
    }
    let only = node.get("only").map_or(Ok(Vec::new()), entries)?;
    let only = only.into_iter().map(|(label, values)| Ok((label.to_owned(), texts(values)?)));
    Ok((
        name,
        Rule {
            source,
            field,
            unit,
            set,
            prefix: node.get("prefix").map(text).transpose()?.map(str::to_owned),
            max: node.get("max").map(number::<i128>).transpose()?,
            only: only.collect::<Parsed<_>>()?,
        },
    ))
}

/// A version range: `>=1.4`, `<2.0`, or both with a comma between. It is for readers; a series says
/// by its name which one it is.
fn versions(node: &Node) -> Parsed<()> {
    let is_version = |text: &str| {
        let rest = text.trim().strip_prefix(">=").or_else(|| text.trim().strip_prefix('<'));
        rest.is_some_and(|rest| {
            !rest.is_empty() && rest.split('.').all(|part| part.parse::<u32>().is_ok())
        })
    };
    let range = text(node)?;
    if range.split(',').all(is_version) {
        return Ok(());
    }
    Err(Fault(node.spot, format!("`{range}` is not a range of versions such as `>=1.4,<2.0`")))
}

/// `from..to`, both inside.
fn range(node: &Node, text: &str) -> Parsed<RangeInclusive<i128>> {
    let ends = text
        .split_once("..")
        .and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)));
    let (from, to) = ends.ok_or_else(|| {
        Fault(node.spot, format!("`{text}` is not a range of whole numbers such as 10..20"))
    })?;
    Ok(from..=to)
}

fn named<T: Copy>(
    node: &Node,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
    what: &str,
) -> Parsed<T> {
    all.iter().copied().find(|known| name_of(*known) == name).ok_or_else(|| {
        let names: Vec<&str> = all.iter().copied().map(name_of).collect();
        Fault(node.spot, format!("`{name}` is not a {what}{}", suggestion(name, &names)))
    })
}

fn known(node: &Node, keys: &[&str]) -> Parsed<()> {
    let Value::Map(entries) = &node.value else {
        return Err(Fault(node.spot, format!("expected a map, found {}", node.kind())));
    };
    let strange = entries.iter().find(|(key, _)| !keys.contains(&key.name.as_str()));
    strange.map_or(Ok(()), |(key, _)| {
        let hint = suggestion(&key.name, keys);
        Err(Fault(key.spot, format!("`{}` is not known here{hint}", key.name)))
    })
}

fn needed<'n>(node: &'n Node, name: &str) -> Parsed<&'n Node> {
    node.get(name).ok_or_else(|| Fault(node.spot, format!("`{name}` is missing")))
}

fn text(node: &Node) -> Parsed<&str> {
    node.text().ok_or_else(|| Fault(node.spot, format!("expected a text, found {}", node.kind())))
}

fn texts(node: &Node) -> Parsed<Vec<String>> {
    items(node)?.iter().map(|item| text(item).map(str::to_owned)).collect()
}

fn items(node: &Node) -> Parsed<&[Node]> {
    match &node.value {
        Value::List(items) => Ok(items),
        _ => Err(Fault(node.spot, format!("expected a list, found {}", node.kind()))),
    }
}

fn entries(node: &Node) -> Parsed<Vec<(&str, &Node)>> {
    match &node.value {
        Value::Map(entries) => {
            Ok(entries.iter().map(|(key, node)| (key.name.as_str(), node)).collect())
        }
        _ => Err(Fault(node.spot, format!("expected a map, found {}", node.kind()))),
    }
}

fn number<T: std::str::FromStr>(node: &Node) -> Parsed<T> {
    let text = text(node)?;
    text.parse().map_err(|_| Fault(node.spot, format!("`{text}` is not a whole number")))
}
