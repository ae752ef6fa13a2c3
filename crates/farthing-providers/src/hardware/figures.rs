//! Reading `hardware.yaml`: figures, each with its basis, source and date.

use crate::manifest::scalar::{self, Parsed};
use crate::manifest::suggestion;
use crate::text::{ReadError, read_text};
use crate::yaml::{Node, Value, documents};
use farthing_model::{Accelerator, Currency, Decimal, Money, MoneyError};
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const DEFAULT_YAML: &str = include_str!("../../../../data/hardware.yaml");
/// What the built-in file is called in messages and provenance.
const DEFAULT_NAME: &str = "data/hardware.yaml";
/// Largest file, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// A figure and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure<T> {
    /// The figure.
    pub value: T,
    /// `published`, `datasheet`, `list-price`, `policy` or `assumption`.
    pub basis: String,
    /// Where it comes from.
    pub source: String,
    /// The day it was true.
    pub as_of: Date,
}

/// An accelerator that can be bought: price, and watts where the file says them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Purchase price of one.
    pub price: Money,
    /// Rated watts; `None` = those of `data/accelerators.csv`.
    pub watts: Option<Decimal>,
}

/// What owned hardware costs to buy and to run.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// The file it was read from.
    pub file: String,
    /// Price of a kWh, by currency.
    pub electricity: BTreeMap<Currency, Figure<Money>>,
    /// Power of the building over power of the machine.
    pub pue: Figure<Decimal>,
    /// Years over which a purchase is spread.
    pub years: Figure<u32>,
    /// Purchase price of a core, a GiB of memory and a TiB of disk.
    pub purchase: Parts<Money>,
    /// Rated watts of a core, a GiB of memory and a TiB of disk.
    pub watts: Parts<Decimal>,
    /// Accelerators with a known price, by normalised name.
    pub accelerators: BTreeMap<Accelerator, Figure<Card>>,
}

/// A figure for each part of a machine that is not an accelerator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<T> {
    /// Of one physical core.
    pub core: Figure<T>,
    /// Of one GiB of main memory.
    pub memory_gib: Figure<T>,
    /// Of one TiB of disk.
    pub disk_tib: Figure<T>,
}

/// Why a hardware file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
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

impl Hardware {
    /// The figures that ship in the binary.
    ///
    /// # Errors
    /// Never, as the tests read them; an error here is a fault of the build.
    pub fn built_in() -> Result<Self, HardwareError> {
        Self::read(&tree(DEFAULT_YAML, Path::new(DEFAULT_NAME))?, Path::new(DEFAULT_NAME))
    }

    /// The figures of `path` where it has them, else the built-in ones. An entry of the file
    /// replaces the whole built-in entry, so that no figure keeps another one's source.
    ///
    /// # Errors
    /// The file cannot be read, or has an entry that is not known or not complete.
    pub fn load(path: &Path) -> Result<Self, HardwareError> {
        let text = read_text(path, BYTES_MAX).map_err(HardwareError::Read)?;
        let given = tree(&text, path)?;
        let mut merged = tree(DEFAULT_YAML, Path::new(DEFAULT_NAME))?;
        merge(&mut merged, given, "", path)?;
        Self::read(&merged, path)
    }

    fn read(root: &Node, path: &Path) -> Result<Self, HardwareError> {
        let entry = |names: &[&str]| {
            names.iter().try_fold(root, |node, name| node.get(name)).ok_or_else(|| {
                let what = format!("`{}` is missing", names.join("."));
                HardwareError::Line { path: path.to_owned(), line: root.spot.line, what }
            })
        };
        let priced = |names: &[&str]| figure(entry(names)?, path, money);
        let rated = |names: &[&str]| figure(entry(names)?, path, |node| decimal(node, "rated"));
        let mut electricity = BTreeMap::new();
        for (code, node) in children(entry(&["electricity"])?) {
            let currency: Currency =
                code.parse().map_err(|error: MoneyError| fault(node, path, error.to_string()))?;
            let price = |node: &Node| {
                let text = text(node, "price")?;
                Money::from_decimal(text, currency).map_err(|error| error.to_string())
            };
            electricity.insert(currency, figure(node, path, price)?);
        }
        let mut accelerators = BTreeMap::new();
        for (name, node) in children(entry(&["accelerator"])?) {
            let name: Accelerator = match crate::catalog::accelerator(name) {
                Some(known) => known.name.clone(),
                None => name.parse().map_err(|error: farthing_model::AcceleratorError| {
                    fault(node, path, error.to_string())
                })?,
            };
            let card = |node: &Node| {
                let watts = node.get("watts").map(|_| decimal(node, "watts")).transpose()?;
                Ok(Card { price: money(node)?, watts })
            };
            accelerators.insert(name, figure(node, path, card)?);
        }
        Ok(Self {
            file: path.display().to_string(),
            electricity,
            pue: figure(entry(&["pue"])?, path, |node| decimal(node, "value"))?,
            years: figure(entry(&["depreciation"])?, path, |node| {
                scalar::count(text(node, "years")?)
            })?,
            purchase: Parts {
                core: priced(&["purchase", "core"])?,
                memory_gib: priced(&["purchase", "memory_gib"])?,
                disk_tib: priced(&["purchase", "disk_tib"])?,
            },
            watts: Parts {
                core: rated(&["watts", "core"])?,
                memory_gib: rated(&["watts", "memory_gib"])?,
                disk_tib: rated(&["watts", "disk_tib"])?,
            },
            accelerators,
        })
    }
}

/// Puts the entries of `given` in the place of those of `base`. Only entries under `accelerator`
/// and `electricity` may be new.
fn merge(base: &mut Node, given: Node, at: &str, path: &Path) -> Result<(), HardwareError> {
    let is_entry = |node: &Node| node.get("source").is_some();
    if is_entry(base) || base.text().is_some() {
        *base = given;
        return Ok(());
    }
    let spot = given.spot;
    let (Value::Map(base), Value::Map(given)) = (&mut base.value, given.value) else {
        let what = format!("`{at}` must be a map of entries");
        return Err(HardwareError::Line { path: path.to_owned(), line: spot.line, what });
    };
    for (key, node) in given {
        let child = if at.is_empty() { key.name.clone() } else { format!("{at}.{}", key.name) };
        match base.iter_mut().find(|(known, _)| known.name == key.name) {
            Some((_, known)) => merge(known, node, &child, path)?,
            None if matches!(at, "accelerator" | "electricity") => base.push((key, node)),
            None => {
                let known: Vec<&str> = base.iter().map(|(known, _)| known.name.as_str()).collect();
                let what = format!("unknown entry `{child}`{}", suggestion(&key.name, &known));
                return Err(HardwareError::Line {
                    path: path.to_owned(),
                    line: key.spot.line,
                    what,
                });
            }
        }
    }
    Ok(())
}

pub(crate) fn tree(text: &str, path: &Path) -> Result<Node, HardwareError> {
    let line = |line, what| HardwareError::Line { path: path.to_owned(), line, what };
    let mut documents = documents(text).into_iter();
    match (documents.next(), documents.next()) {
        (Some(Ok(node)), None) => Ok(node),
        (Some(Err(error)), _) => Err(line(error.spot.line, error.what)),
        (Some(Ok(_)), Some(_)) => Err(line(1, "has more than one document".to_owned())),
        (None, _) => Err(line(1, "has nothing in it".to_owned())),
    }
}

pub(crate) fn children(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|(key, node)| (key.name.as_str(), node))
}

fn fault(node: &Node, path: &Path, what: String) -> HardwareError {
    HardwareError::Line { path: path.to_owned(), line: node.spot.line, what }
}

fn figure<T>(
    node: &Node,
    path: &Path,
    value: impl FnOnce(&Node) -> Parsed<T>,
) -> Result<Figure<T>, HardwareError> {
    let read = || {
        Ok(Figure {
            value: value(node)?,
            basis: text(node, "basis")?.to_owned(),
            source: text(node, "source")?.to_owned(),
            as_of: scalar::date(text(node, "as_of")?)?,
        })
    };
    read().map_err(|what: String| fault(node, path, what))
}

pub(crate) fn text<'n>(node: &'n Node, name: &str) -> Parsed<&'n str> {
    let missing = || format!("`{name}` is missing in this entry");
    node.get(name).and_then(Node::text).ok_or_else(missing)
}

fn decimal(node: &Node, name: &str) -> Parsed<Decimal> {
    scalar::positive(text(node, name)?).map_err(|what| format!("`{name}`: {what}"))
}

fn money(node: &Node) -> Parsed<Money> {
    let price = format!("{} {}", text(node, "price")?, text(node, "currency")?);
    scalar::money(&price).map_err(|what| format!("`price`: {what}"))
}
