//! One row of a price book: text cells in, checked values out.

use super::number;
use crate::manifest::scalar;
use farthing_model::{Currency, MoneyError, PriceKind, Purchase, offer_table::Arch};
use jiff::civil::Date;
use std::borrow::Cow;

/// The columns of a price book, in the order of its files. The last two may be left out.
pub const COLUMNS: [&str; 17] = [
    "provider",
    "region",
    "zone",
    "instance_type",
    "accelerator",
    "accelerator_count",
    "vcpus",
    "memory_gib",
    "storage_gib",
    "purchase",
    "price",
    "currency",
    "unit",
    "source",
    "as_of",
    "available",
    "arch",
];

/// A row that was read. `accelerator` is as the file spells it, empty for none.
#[derive(Clone, Debug)]
pub(crate) struct Row<'c> {
    pub(crate) provider: Cow<'c, str>,
    pub(crate) region: Cow<'c, str>,
    pub(crate) zone: Cow<'c, str>,
    pub(crate) instance_type: Cow<'c, str>,
    pub(crate) accelerator: Cow<'c, str>,
    pub(crate) accelerator_count: u32,
    pub(crate) cpu_milli: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) storage_bytes: u64,
    pub(crate) purchase: Purchase,
    pub(crate) pico: i64,
    pub(crate) currency: Currency,
    pub(crate) kind: PriceKind,
    pub(crate) source: Cow<'c, str>,
    pub(crate) as_of: Date,
    pub(crate) available: Option<u32>,
    pub(crate) arch: Option<Arch>,
}

/// Why a row is not an offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowError {
    #[error("`{0}` is missing: {1}")]
    Missing(&'static str, &'static str),
    #[error("`{0}`: {1}")]
    Cell(&'static str, String),
}

/// The cells of one row.
pub(crate) trait Cells<'c> {
    /// The text of a column, trimmed; empty where there is none.
    fn cell(&self, column: &'static str) -> &'c str;

    /// A number of `1/per` of one, rounded down.
    fn scaled(&self, column: &'static str, per: u64) -> Result<Option<u64>, RowError> {
        self.optional(column, |text| number::scaled(text, per))
    }

    /// A price in 10^-12.
    fn price(&self, column: &'static str) -> Result<Option<i64>, RowError> {
        self.optional(column, number::price)
    }

    /// A text that cannot be empty.
    fn must(&self, column: &'static str, hint: &'static str) -> Result<&'c str, RowError> {
        match self.cell(column) {
            "" => Err(RowError::Missing(column, hint)),
            text => Ok(text),
        }
    }

    /// A value where there is one.
    fn optional<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, RowError> {
        match self.cell(column) {
            "" => Ok(None),
            text => parse(text).map(Some).map_err(|what| RowError::Cell(column, what)),
        }
    }
}

impl<'c, F: Fn(&'static str) -> &'c str> Cells<'c> for F {
    fn cell(&self, column: &'static str) -> &'c str {
        self(column)
    }
}

impl<'c> Row<'c> {
    /// Reads a row.
    pub(crate) fn read(cells: &impl Cells<'c>) -> Result<Self, RowError> {
        let provider = cells.must("provider", "aws, gcp, azure, local and so on")?;
        let region = cells.must("region", "the provider's name of it")?;
        let instance_type = cells.must("instance_type", "the provider's name of the machine")?;
        let purchase = cells.must("purchase", "on-demand, spot, reserved or owned")?;
        let purchase: Purchase =
            purchase.parse().map_err(|what| RowError::Cell("purchase", what))?;
        let (pico, currency) = price(cells)?;
        let source = cells.must("source", "where the price comes from")?;
        let hint = "a price without a date says nothing; write 2026-11-24";
        let as_of = cells.must("as_of", hint)?;
        let as_of = scalar::date(as_of).map_err(|what| RowError::Cell("as_of", what))?;
        let accelerator = cells.cell("accelerator");
        let accelerator_count = accelerators(cells, accelerator)?;
        // 0 says that none is known.
        let size = |column, per| Ok(cells.scaled(column, per)?.unwrap_or(0));
        Ok(Self {
            provider: lower(provider),
            region: region.into(),
            zone: cells.cell("zone").into(),
            instance_type: instance_type.into(),
            accelerator: accelerator.into(),
            accelerator_count,
            cpu_milli: size("vcpus", 1_000)?,
            memory_bytes: size("memory_gib", 1 << 30)?,
            storage_bytes: size("storage_gib", 1 << 30)?,
            purchase,
            pico,
            currency,
            kind: kind(purchase),
            source: source.into(),
            as_of,
            available: cells.optional("available", scalar::whole)?,
            arch: cells.optional("arch", str::parse)?,
        })
    }

    /// The row on its own.
    pub(crate) fn into_owned(self) -> Row<'static> {
        let own = |text: Cow<'c, str>| Cow::Owned(text.into_owned());
        Row {
            provider: own(self.provider),
            region: own(self.region),
            zone: own(self.zone),
            instance_type: own(self.instance_type),
            accelerator: own(self.accelerator),
            accelerator_count: self.accelerator_count,
            cpu_milli: self.cpu_milli,
            memory_bytes: self.memory_bytes,
            storage_bytes: self.storage_bytes,
            purchase: self.purchase,
            pico: self.pico,
            currency: self.currency,
            kind: self.kind,
            source: own(self.source),
            as_of: self.as_of,
            available: self.available,
            arch: self.arch,
        }
    }
}

/// What a public list means by a price of this kind of purchase.
pub(crate) const fn kind(purchase: Purchase) -> PriceKind {
    match purchase {
        Purchase::OnDemand => PriceKind::List,
        Purchase::Spot => PriceKind::SpotQuote,
        Purchase::Reserved => PriceKind::Contracted,
        Purchase::Owned => PriceKind::AmortisedOwned,
    }
}

/// Providers are written in lower case.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { text.to_lowercase().into() } else { text.into() }
}

fn price<'c>(cells: &impl Cells<'c>) -> Result<(i64, Currency), RowError> {
    let pico = cells.price("price")?.ok_or(RowError::Missing(
        "price",
        "a number per hour; a row without a price is no offer",
    ))?;
    let hint = "a price without a currency says nothing; write USD";
    let currency = cells.must("currency", hint)?;
    let unit = cells.must("unit", "a price without a unit says nothing; write hour")?;
    let currency: Currency = currency
        .parse()
        .map_err(|error: MoneyError| RowError::Cell("currency", error.to_string()))?;
    if !matches!(unit, "hour" | "h") {
        let what = format!("`{unit}` is not read; convert the price and write hour");
        return Err(RowError::Cell("unit", what));
    }
    Ok((pico, currency))
}

fn accelerators<'c>(cells: &impl Cells<'c>, name: &str) -> Result<u32, RowError> {
    let milli = cells.scaled("accelerator_count", 1_000)?.unwrap_or(0);
    let count = u32::try_from(milli / 1_000).ok().filter(|_| milli % 1_000 == 0);
    let count = count.ok_or_else(|| {
        RowError::Cell("accelerator_count", "is not a whole number such as 0 or 8".to_owned())
    })?;
    match (name, count) {
        ("", 1..) => {
            Err(RowError::Cell("accelerator", format!("is empty beside a count of {count}")))
        }
        ("", 0) | (_, 1..) => Ok(count),
        (name, 0) => {
            let what = format!("is 0 or empty beside the accelerator {name}");
            Err(RowError::Cell("accelerator_count", what))
        }
    }
}
