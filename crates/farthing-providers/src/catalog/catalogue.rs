//! A whole catalogue, compact.

use super::asset::AssetPrice;
use super::cache::{Days, Kept, Slot};
use super::error::BookError;
use super::import::folder::{self, SourceFile};
use super::intake::{Finished, Intake};
use super::{DEFAULT_CSV, DEFAULT_NAME, PriceBook, csv, source};
use crate::manifest::Fault;
use farthing_model::OfferTable;
use farthing_model::offer_table::Filter;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a catalogue is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The day that is asked about: of each offer the newest price up to it counts. `None` = the
    /// newest of all.
    pub today: Option<Date>,
    /// The day whose contracts hold, where that is another one: what was used then is priced by
    /// them. Such a reading is not kept.
    pub contracts: Option<Date>,
    /// Where what was read is kept for the next time; `None` = nowhere.
    pub cache: Option<PathBuf>,
}

/// What can be bought, in a table, and what was left out of the files that say so.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The offers. A plan takes those it can use with [`Self::select`].
    pub table: OfferTable,
    /// How many rows were left out, by reason.
    pub excluded: BTreeMap<String, u64>,
    /// Rows that could not be read, with file, line and reason; of very many the first.
    pub faults: Vec<Fault>,
    /// The oldest and the newest day that a price was seen; `None` without offers.
    pub as_of: Option<(Date, Date)>,
    /// Prices of volumes, bytes sent, load balancers and control planes.
    pub assets: Vec<AssetPrice>,
    /// The days on which a contract begins or holds no more, sorted.
    pub contract_days: Vec<Date>,
    /// Where it was read from.
    pub from: From,
}

/// Where a catalogue was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The binary.
    BuiltIn,
    /// Its files.
    Files,
    /// What an earlier run kept of the same files.
    Cache,
    /// Its files, as what was kept of them was damaged.
    Rebuilt,
}

impl From {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Files => "files",
            Self::Cache => "cache",
            Self::Rebuilt => "rebuilt",
        }
    }
}

impl Catalogue {
    pub(crate) fn of(done: Finished, from: From) -> Self {
        let Finished { table, excluded, faults, as_of, assets, contract_days, .. } = done;
        Self { table, excluded, faults, as_of, assets, contract_days, from }
    }

    /// The book that ships in the binary.
    pub fn default_book() -> Self {
        let mut intake = Intake::default();
        let read = csv::rows(DEFAULT_CSV, Path::new(DEFAULT_NAME), &mut intake);
        let done = read.and_then(|()| intake.finish(None, None));
        match done {
            Ok(done) => Self::of(done, From::BuiltIn),
            // The file is embedded and tested: an error would be found before a release.
            Err(_) => Self {
                table: OfferTable::default(),
                excluded: BTreeMap::new(),
                faults: Vec::new(),
                as_of: None,
                assets: Vec::new(),
                contract_days: Vec::new(),
                from: From::BuiltIn,
            },
        }
    }

    /// Reads one or more price books, files or folders, as one; from the cache where that holds
    /// what the files say.
    ///
    /// # Errors
    /// A file that is no price book, or that has no usable row. Single bad rows are in
    /// [`Self::faults`].
    pub fn load(paths: &[PathBuf], options: &Options) -> Result<Self, BookError> {
        let mut files = Vec::new();
        for path in paths {
            files.extend(folder::files(path)?);
        }
        let cache = options.cache.as_deref().filter(|_| options.contracts.is_none());
        let slot = cache.and_then(|cache| Slot::of(&files, cache));
        let kept = slot.as_ref().map_or(Kept::Nothing, |slot| slot.find(options.today));
        let from = match kept {
            Kept::Found(found) => return Ok(found.until(options.today)),
            Kept::Nothing => From::Files,
            Kept::Damaged => From::Rebuilt,
        };
        let (catalogue, days) = Self::read_files(&files, options)?;
        if let Some(slot) = slot {
            slot.keep(&catalogue, days);
        }
        Ok(Self { from, ..catalogue }.until(options.today))
    }

    /// Without prices of what is no machine that were seen later.
    fn until(mut self, today: Option<Date>) -> Self {
        self.assets.retain(|price| today.is_none_or(|today| price.as_of <= today));
        self
    }

    /// Reads without a cache, and says for which days that holds.
    #[cfg(test)]
    pub(crate) fn read(paths: &[PathBuf], options: &Options) -> Result<(Self, Days), BookError> {
        let files = paths.iter().map(|path| folder::files(path)).collect::<Result<Vec<_>, _>>()?;
        Self::read_files(&files.concat(), options)
    }

    fn read_files(files: &[SourceFile], options: &Options) -> Result<(Self, Days), BookError> {
        let mut intake = Intake::default();
        for file in files {
            let changes = |it: &Intake| it.overlays.len() + it.exchange.len() + it.assets.len();
            let before = (intake.parts.rows.len(), intake.faults.len(), changes(&intake));
            let excluded = intake.excluded.clone();
            source::read(file, &mut intake)?;
            if intake.parts.rows.len() == before.0 && changes(&intake) == before.2 {
                let what = intake.faults.get(before.1);
                let what = what.map_or_else(|| left_out(&excluded, &intake), Fault::to_string);
                return Err(BookError::NoOffer { path: file.path.clone(), what });
            }
        }
        if intake.parts.rows.is_empty() {
            // Contracts alone change the list prices that ship in the binary.
            csv::rows(DEFAULT_CSV, Path::new(DEFAULT_NAME), &mut intake)?;
        }
        let done = intake.finish(options.today, options.contracts)?;
        let days = done.days;
        Ok((Self::of(done, From::Files), days))
    }

    /// The offers that a filter lets through, sorted by id.
    pub fn select(&self, filter: &Filter) -> Vec<farthing_model::Offer> {
        self.table.select(filter)
    }

    /// All offers, each on its own: right for small books.
    pub fn book(&self) -> PriceBook {
        PriceBook {
            offers: self.table.offers().into(),
            excluded: self.excluded.clone(),
            faults: self.faults.clone(),
            as_of: self.as_of,
        }
    }
}

/// Why a file without a fault has no offer: how many of its rows are left out, by reason.
fn left_out(before: &BTreeMap<String, u64>, intake: &Intake) -> String {
    let more = intake.excluded.iter().filter_map(|(reason, count)| {
        let own = count - before.get(reason).copied().unwrap_or(0);
        (own > 0).then(|| format!("{own} {reason}"))
    });
    let reasons: Vec<String> = more.collect();
    match reasons.as_slice() {
        [] => "it has no rows".to_owned(),
        reasons => format!("its rows are left out: {}", reasons.join(", ")),
    }
}
