//! Weights and spot losses: the small tables that ship beside the hardware figures.

use super::figures::{children, text, tree};
use crate::manifest::scalar::{self, Parsed};
use farthing_model::{
    Accelerator, Currency, Decimal, HourlyRate, Money, MoneyError, PerResource, Resource, Resources,
};
use jiff::{SignedDuration, civil::Date};
use std::path::Path;

const WEIGHTS_YAML: &str = include_str!("../../../../data/weights.yaml");
const SPOT_CSV: &str = include_str!("../../../../data/spot.csv");

/// Base prices that split a node's price over its resources; only their ratios count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightTable {
    /// One core for an hour.
    pub core: HourlyRate,
    /// One GiB of memory for an hour.
    pub memory_gib: HourlyRate,
    /// One GiB of disk for an hour.
    pub storage_gib: HourlyRate,
    /// One accelerator for an hour, where its kind is not listed.
    pub gpu: HourlyRate,
    /// One accelerator of a kind for an hour.
    pub by_accelerator: Vec<GpuWeight>,
    /// Where the numbers come from.
    pub source: String,
    /// The day they were made from prices of.
    pub as_of: Date,
}

/// The base price of one kind of accelerator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuWeight {
    /// The kind.
    pub accelerator: Accelerator,
    /// One for an hour.
    pub per_hour: HourlyRate,
}

/// How long spot machines of a provider stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotRow {
    /// The provider; `any` pools all.
    pub provider: String,
    /// Mean time between losses.
    pub mean_up: SignedDuration,
    /// Mean time in which none is to be had.
    pub mean_down: SignedDuration,
    /// Losses that were observed: few of them say little.
    pub losses: u32,
    /// Where it was observed.
    pub source: String,
    /// The last day of the observation.
    pub as_of: Date,
}

impl WeightTable {
    /// The weight of an accelerator: its own, else the one for what is not listed.
    pub fn gpu_of(&self, accelerator: &Accelerator) -> HourlyRate {
        let own = self.by_accelerator.iter().find(|weight| weight.accelerator == *accelerator);
        own.map_or(self.gpu, |weight| weight.per_hour)
    }

    /// What each resource of a machine weighs. Only ratios count: in 10^-12 of money and
    /// thousandths of a GPU, of a core or of a GiB.
    pub fn parts(&self, accelerator: Option<&Accelerator>, of: Resources) -> PerResource<i128> {
        let gpu = accelerator.map_or(self.gpu, |accelerator| self.gpu_of(accelerator));
        let gib_milli = |bytes: u64| i128::from(bytes) * 1_000 / (1 << 30);
        PerResource::from_fn(|resource| {
            let (rate, milli) = match resource {
                Resource::Gpu => (gpu, i128::from(of.gpu_milli)),
                Resource::Cpu => (self.core, i128::from(of.cpu_milli)),
                Resource::Memory => (self.memory_gib, gib_milli(of.memory_bytes)),
                Resource::Storage => (self.storage_gib, gib_milli(of.storage_bytes)),
                // Bytes sent are no part of a machine.
                Resource::Network => return 0,
            };
            rate.per_hour().pico() * milli
        })
    }
}

/// The weights that ship in the binary.
///
/// # Errors
/// Never, as the tests read them; an error here is a fault of the build.
pub fn weights() -> Result<WeightTable, String> {
    let root =
        tree(WEIGHTS_YAML, Path::new("data/weights.yaml")).map_err(|error| error.to_string())?;
    let currency: Currency =
        text(&root, "currency")?.parse().map_err(|error: MoneyError| error.to_string())?;
    let entry = |name: &str| root.get(name).ok_or_else(|| format!("`{name}` is missing"));
    let priced = |name: &str| rate(text(entry(name)?, "price")?, currency);
    let gpus = entry("gpu_hour")?;
    let mut by_accelerator = Vec::new();
    for (name, node) in gpus.get("by_accelerator").into_iter().flat_map(children) {
        by_accelerator.push(GpuWeight {
            accelerator: name
                .parse()
                .map_err(|error: farthing_model::AcceleratorError| error.to_string())?,
            per_hour: rate(node.text().unwrap_or_default(), currency)?,
        });
    }
    Ok(WeightTable {
        core: priced("core_hour")?,
        memory_gib: priced("gib_hour")?,
        storage_gib: priced("storage_gib_hour")?,
        gpu: rate(text(gpus, "default")?, currency)?,
        by_accelerator,
        source: text(&root, "source")?.to_owned(),
        as_of: scalar::date(text(&root, "as_of")?)?,
    })
}

fn rate(text: &str, currency: Currency) -> Parsed<HourlyRate> {
    let money = Money::from_decimal(text, currency).map_err(|error| error.to_string())?;
    HourlyRate::new(money).ok_or_else(|| format!("`{text}` is below zero"))
}

/// The spot losses that ship in the binary, in the order of the table.
///
/// # Errors
/// Never, as the tests read them; an error here is a fault of the build.
pub fn spot_rows() -> Result<Vec<SpotRow>, String> {
    let mut reader = csv::Reader::from_reader(SPOT_CSV.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let cell = |name: &str| {
            let at = header.iter().position(|column| column == name);
            at.and_then(|at| record.get(at)).unwrap_or_default()
        };
        rows.push(SpotRow {
            provider: cell("provider").to_owned(),
            mean_up: hours(cell("mean_up_hours"))?,
            mean_down: hours(cell("mean_down_hours"))?,
            losses: scalar::count(cell("losses"))?,
            source: cell("source").to_owned(),
            as_of: scalar::date(cell("as_of"))?,
        });
    }
    Ok(rows)
}

/// Decimal hours to the millisecond.
fn hours(text: &str) -> Parsed<SignedDuration> {
    let hours: Decimal = scalar::positive(text)?;
    let millis = hours.nano().checked_mul(3_600_000).map(|nano| nano / 1_000_000_000);
    let millis = millis.and_then(|millis| i64::try_from(millis).ok());
    millis.map(SignedDuration::from_millis).ok_or_else(|| format!("`{text}` hours is too long"))
}
