//! One row of a price book: text cells in, an offer out.

use super::names;
use crate::manifest::scalar;
use farthing_model::{
    Accelerator, Currency, Decimal, HourlyRate, Money, MoneyError, Offer, Place, Price, PriceKind,
    Provenance, Purchase, Resources,
};

/// The columns of a price book, in the order of its files. `available` may be left out.
pub const COLUMNS: [&str; 16] = [
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
];

/// A row that was read.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) offer: Offer,
    pub(crate) rate: HourlyRate,
    pub(crate) provenance: Provenance,
}

/// Why a row is not an offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowError {
    #[error("`{0}` is missing: {1}")]
    Missing(&'static str, &'static str),
    #[error("`{0}`: {1}")]
    Cell(&'static str, String),
}

impl Row {
    /// Reads a row; `cell` gives the trimmed text of a column, empty where there is none.
    pub(crate) fn read<'c>(cell: impl Fn(&'static str) -> &'c str) -> Result<Self, RowError> {
        let place = Place {
            provider: must(&cell, "provider", "aws, gcp, azure, local and so on")?.to_lowercase(),
            region: must(&cell, "region", "the provider's name of it")?.to_owned(),
            zone: Some(cell("zone")).filter(|zone| !zone.is_empty()).map(str::to_owned),
        };
        let instance_type = must(&cell, "instance_type", "the provider's name of the machine")?;
        let purchase = must(&cell, "purchase", "on-demand, spot, reserved or owned")?;
        let purchase: Purchase =
            purchase.parse().map_err(|what| RowError::Cell("purchase", what))?;
        let (rate, provenance) = price(&cell, purchase)?;
        let (accelerator, accelerator_count) = accelerators(&cell)?;
        let id = Offer::id_of(&place, instance_type, purchase)
            .map_err(|error| RowError::Cell("instance_type", error.to_string()))?;
        let offer = Offer {
            id,
            residency: names::residency(&place.provider, &place.region),
            place,
            instance_type: instance_type.to_owned(),
            accelerator,
            accelerator_count,
            capacity: Resources {
                gpu_milli: u64::from(accelerator_count) * 1_000,
                cpu_milli: scaled(&cell, "vcpus", 1_000)?,
                memory_bytes: scaled(&cell, "memory_gib", 1 << 30)?,
                storage_bytes: scaled(&cell, "storage_gib", 1 << 30)?,
            },
            purchase,
            price: Price::Known(rate, provenance.clone()),
            available: optional(&cell, "available")?,
            warnings: Vec::new(),
        };
        Ok(Self { offer, rate, provenance })
    }
}

fn must<'c>(
    cell: impl Fn(&'static str) -> &'c str,
    column: &'static str,
    hint: &'static str,
) -> Result<&'c str, RowError> {
    match cell(column) {
        "" => Err(RowError::Missing(column, hint)),
        text => Ok(text),
    }
}

fn price<'c>(
    cell: impl Fn(&'static str) -> &'c str,
    purchase: Purchase,
) -> Result<(HourlyRate, Provenance), RowError> {
    let number = must(&cell, "price", "a number per hour; a row without a price is no offer")?;
    let currency = must(&cell, "currency", "a price without a currency says nothing; write USD")?;
    let unit = must(&cell, "unit", "a price without a unit says nothing; write hour")?;
    let source = must(&cell, "source", "where the price comes from")?;
    let as_of = must(&cell, "as_of", "a price without a date says nothing; write 2026-11-24")?;
    let currency: Currency = currency
        .parse()
        .map_err(|error: MoneyError| RowError::Cell("currency", error.to_string()))?;
    if !matches!(unit, "hour" | "h") {
        let what = format!("`{unit}` is not read; convert the price and write hour");
        return Err(RowError::Cell("unit", what));
    }
    let money = Money::from_decimal(number, currency)
        .map_err(|error| RowError::Cell("price", error.to_string()))?;
    let negative = || RowError::Cell("price", format!("`{number}` is below zero"));
    let rate = HourlyRate::new(money).ok_or_else(negative)?;
    let as_of = scalar::date(as_of).map_err(|what| RowError::Cell("as_of", what))?;
    let kind = match purchase {
        Purchase::OnDemand => PriceKind::List,
        Purchase::Spot => PriceKind::SpotQuote,
        Purchase::Reserved => PriceKind::Contracted,
        Purchase::Owned => PriceKind::AmortisedOwned,
    };
    Ok((rate, Provenance { kind, source: source.to_owned(), as_of }))
}

/// The accelerator by its normalised name; a name that is not known is kept as it is.
fn accelerators<'c>(
    cell: impl Fn(&'static str) -> &'c str,
) -> Result<(Option<Accelerator>, u32), RowError> {
    let count = optional(&cell, "accelerator_count")?.unwrap_or(0);
    let name = match cell("accelerator") {
        "" => None,
        text => Some(match names::accelerator(text) {
            Some(known) => known.name.clone(),
            None => text.parse().map_err(|error: farthing_model::AcceleratorError| {
                RowError::Cell("accelerator", error.to_string())
            })?,
        }),
    };
    match (&name, count) {
        (Some(name), 0) => {
            let what = format!("is 0 or empty beside the accelerator {name}");
            Err(RowError::Cell("accelerator_count", what))
        }
        (None, 1..) => {
            Err(RowError::Cell("accelerator", format!("is empty beside a count of {count}")))
        }
        _ => Ok((name, count)),
    }
}

fn optional<'c>(
    cell: impl Fn(&'static str) -> &'c str,
    column: &'static str,
) -> Result<Option<u32>, RowError> {
    match cell(column) {
        "" => Ok(None),
        text => scalar::whole(text).map(Some).map_err(|what| RowError::Cell(column, what)),
    }
}

/// A number of units times `factor`, rounded down; empty = 0, which says that none is known.
fn scaled<'c>(
    cell: impl Fn(&'static str) -> &'c str,
    column: &'static str,
    factor: i128,
) -> Result<u64, RowError> {
    if cell(column).is_empty() {
        return Ok(0);
    }
    let number = scalar::measured(cell(column)).map_err(|what| RowError::Cell(column, what))?;
    let units = number.nano().checked_mul(factor).map(|nano| nano / Decimal::ONE.nano());
    units
        .and_then(|units| u64::try_from(units).ok())
        .ok_or_else(|| RowError::Cell(column, format!("`{}` is too large", cell(column))))
}
