//! Price books: what can be bought, from CSV, Parquet, a `PriceBook` manifest, the catalogues of
//! others, or the default that ships in the binary.
//!
//! Money is read from decimal text, never through a float. A row without price, currency, unit or
//! date is refused with its line; the other rows go on. Rows that cannot be offers (a price of 0,
//! a spot price that is not below on demand) are left out and counted. Accelerator names go
//! through `data/accelerators.csv`: an unknown one is kept as it is and its memory is not guessed.
//! A `storage_gib` that is empty means that no local disk is known: `Offer::capacity` then has 0.
//!
//! A whole catalogue is a [`Catalogue`]: 200,000 offers in a few megabytes, to be asked with
//! [`Catalogue::select`] or `farthing_planner::rank`. [`Catalogue::book`] makes an [`Offer`] of
//! each, which is right for small books only. Start with [`Catalogue::load`].

mod asset;
mod cache;
mod catalogue;
pub(crate) mod columns;
mod csv;
mod error;
mod glob;
mod guards;
mod gz;
mod import;
mod intake;
mod intern;
mod names;
mod number;
mod overlay;
mod parquet;
mod row;
mod source;

pub use asset::AssetPrice;
pub(crate) use asset::price as asset_price;
pub use catalogue::{Catalogue, From, Options};
pub use error::BookError;
pub use names::{
    KnownAccelerator, accelerator, accelerator_of_label, accelerator_or_slice, accelerators,
    architecture, residency,
};
pub(crate) use number::price as decimal_cell;
pub use row::COLUMNS;
pub(crate) use row::Row;
pub use source::BYTES_MAX;

use crate::manifest::Fault;
use farthing_edge::{EdgeError, Quote};
use farthing_model::offer_table::TableError;
use farthing_model::{Offer, OfferTable};
pub(crate) use intake::BookParts;
use intake::Intake;
use jiff::{Timestamp, civil::Date};
pub(crate) use overlay::{Change, Exchange, Overlay};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const DEFAULT_CSV: &str = include_str!("../../../../data/prices/default.csv");
/// What the default book is called in messages and provenance.
const DEFAULT_NAME: &str = "data/prices/default.csv";

/// What can be bought, and what was left out of the files that say so.
#[derive(Clone, Debug)]
pub struct PriceBook {
    /// The offers, sorted by id, each id once.
    pub offers: Arc<[Offer]>,
    /// How many rows were left out, by reason.
    pub excluded: BTreeMap<String, u64>,
    /// Rows that could not be read, with file, line and reason; of very many the first.
    pub faults: Vec<Fault>,
    /// The oldest and the newest day that a price was seen; `None` without offers.
    pub as_of: Option<(Date, Date)>,
}

impl PriceBook {
    /// The book that manifests state. Where they only change prices, those of the default book.
    pub(crate) fn of(book: BookParts, today: Option<Date>) -> Result<Self, BookError> {
        let mut intake = Intake::default();
        if book.rows.is_empty() {
            csv::rows(DEFAULT_CSV, Path::new(DEFAULT_NAME), &mut intake)?;
        }
        intake.book(book, Path::new("offers"));
        Ok(Catalogue::of(intake.finish(today, None)?, From::Files).book())
    }

    /// The same as a catalogue, for what asks for single machines. Offers without a price are left
    /// out.
    ///
    /// # Errors
    /// More offers than a table takes.
    pub fn catalogue(&self) -> Result<Catalogue, TableError> {
        let (table, _) = OfferTable::of(&self.offers)?;
        let (excluded, faults) = (self.excluded.clone(), self.faults.clone());
        let (assets, contract_days) = (Vec::new(), Vec::new());
        let (as_of, from) = (self.as_of, From::Files);
        Ok(Catalogue { table, excluded, faults, as_of, assets, contract_days, from })
    }

    /// A source of these offers for the engine.
    pub fn quote(&self) -> StaticQuote {
        StaticQuote { offers: Arc::clone(&self.offers) }
    }
}

/// The book that ships in the binary: list prices of accelerator and CPU machines, each row with
/// its source and date.
pub fn default_book() -> PriceBook {
    Catalogue::default_book().book()
}

/// Offers that do not change while the program runs.
#[derive(Clone, Debug)]
pub struct StaticQuote {
    offers: Arc<[Offer]>,
}

impl Quote for StaticQuote {
    fn offers(&mut self, _now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        Ok(Arc::clone(&self.offers))
    }
}

#[cfg(test)]
mod tests;
