//! Where the rows of all sources come together: each name once, each exclusion counted.
//!
//! A reader adds what it finds; [`super::guards`] then judges all rows together, and the parts
//! become an [`OfferTable`].

use super::asset::AssetPrice;
use super::cache::Days;
use super::error::BookError;
use super::guards;
use super::import::karpenter::NO_SIZE;
use super::intern::{Keys, Slot, Texts, next};
use super::names;
use super::overlay::{self, Exchange, Overlay};
use super::row::{Row, RowError};
use crate::Spot;
use crate::manifest::Fault;
use farthing_model::offer_table::{self, Arch, Parts, Shape, Site, Terms};
use farthing_model::{Accelerator, Currency, OfferTable, Place, PriceKind, Purchase, Resources};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::take;
use std::path::Path;
use std::sync::Arc;

/// Why a row that could not be read is left out.
pub(crate) const UNREADABLE: &str = "row that cannot be read";
/// Why a row without a price is left out: catalogues write 0 for none.
pub(crate) const FREE: &str = "price of 0, which catalogues write for none";
/// Faults that are kept with their text; the rest is only counted, so that a file of nonsense
/// does not fill the memory.
const FAULTS_MAX: usize = 1_000;

/// Longest name of a machine, and of a place with its parts: an id holds both.
const NAME_MAX: usize = 236;

/// A machine before its names are numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine<'c> {
    pub(crate) provider: &'c str,
    pub(crate) instance_type: &'c str,
    /// As the catalogue spells it, empty for none.
    pub(crate) accelerator: &'c str,
    pub(crate) count: u32,
    pub(crate) cpu_milli: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) storage_bytes: u64,
    /// `None` = by the provider's rules of naming.
    pub(crate) arch: Option<Arch>,
    /// What is odd about it; empty for nothing.
    pub(crate) note: &'c str,
}

/// Where and when prices were seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'c> {
    pub(crate) kind: PriceKind,
    pub(crate) source: &'c str,
    pub(crate) as_of: Date,
    /// Whether the source states the day; else it is the day of the file, which says nothing about
    /// what was valid when.
    pub(crate) dated: bool,
    pub(crate) available: Option<u32>,
}

type ShapeKey = (u32, u32, u32, u64, u64, (u64, Option<Arch>, u32));
type TermsKey = (PriceKind, u32, i32, bool, Option<u32>);

/// A price book while it is read.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    texts: Texts,
    sites: Keys<(u32, u32, u32)>,
    shapes: Keys<ShapeKey>,
    terms: Keys<TermsKey>,
    warned: HashMap<(u32, u32), u32>,
    accelerators: HashMap<u32, (Accelerator, u32)>,
    arches: HashMap<(u32, u32), Option<Arch>>,
    pub(crate) parts: Parts,
    /// Of each place: the numbers of provider, and of provider with region.
    pub(crate) provider_of: Vec<u32>,
    /// Of each shape: the number of its name.
    pub(crate) type_of: Vec<u32>,
    /// Of each terms: whether its day is stated.
    pub(crate) dated: Vec<bool>,
    pub(crate) excluded: BTreeMap<String, u64>,
    pub(crate) faults: Vec<Fault>,
    /// What a contract changes, in the order of the files.
    pub(crate) overlays: Vec<Overlay>,
    pub(crate) exchange: Vec<Exchange>,
    /// Prices of what is no machine.
    pub(crate) assets: Vec<AssetPrice>,
}

impl Intake {
    /// Leaves rows out for a reason.
    pub(crate) fn exclude(&mut self, reason: &str, rows: u64) {
        if rows == 0 {
            return;
        }
        match self.excluded.get_mut(reason) {
            Some(count) => *count += rows,
            None => {
                self.excluded.insert(reason.to_owned(), rows);
            }
        }
    }

    /// Leaves a row out that cannot be read.
    pub(crate) fn fault(&mut self, source: &Path, line: u64, what: String) {
        self.exclude(UNREADABLE, 1);
        if self.faults.len() < FAULTS_MAX {
            let line = usize::try_from(line).unwrap_or(usize::MAX);
            let (source, spot) = (source.display().to_string(), Some(Spot { line, column: 1 }));
            self.faults.push(Fault { source, spot, object: None, what });
        }
    }

    /// The number of a place.
    pub(crate) fn site(
        &mut self,
        provider: &str,
        region: &str,
        zone: &str,
    ) -> Result<u32, RowError> {
        if provider.len() + region.len() + zone.len() > NAME_MAX {
            let what = format!("provider, region and zone have over {NAME_MAX} bytes");
            return Err(RowError::Cell("region", what));
        }
        let key = (
            self.name(Slot::Provider, "provider", provider)?,
            self.name(Slot::Region, "region", region)?,
            self.name(Slot::Zone, "zone", zone)?,
        );
        let (number, fresh) = self.sites.number(key);
        if fresh {
            self.provider_of.push(key.0);
            self.parts.sites.push(Site {
                residency: names::residency(provider, region),
                place: Place {
                    provider: provider.to_owned(),
                    region: region.to_owned(),
                    zone: Some(zone).filter(|zone| !zone.is_empty()).map(str::to_owned),
                },
            });
        }
        Ok(number)
    }

    /// The number of a machine.
    pub(crate) fn shape(&mut self, machine: &Machine<'_>) -> Result<u32, RowError> {
        let name = self.name(Slot::Type, "instance_type", machine.instance_type)?;
        let accelerator = self.texts.number(Slot::Accelerator, machine.accelerator);
        let note = self.texts.number(Slot::Other, machine.note);
        let provider = self.texts.number(Slot::Provider, machine.provider);
        let arch = machine.arch.or_else(|| {
            *self
                .arches
                .entry((provider, name))
                .or_insert_with(|| names::architecture(machine.provider, machine.instance_type))
        });
        let rest = (machine.storage_bytes, arch, note);
        let key = (name, accelerator, machine.count, machine.cpu_milli, machine.memory_bytes, rest);
        let (accelerator, count) = match machine.count {
            0 => (None, 0),
            count => {
                let (name, of_each) = self.accelerator(accelerator)?;
                let too_many =
                    || RowError::Cell("accelerator_count", format!("{count} slices are too many"));
                (Some(name), count.checked_mul(of_each).ok_or_else(too_many)?)
            }
        };
        let (number, fresh) = self.shapes.number(key);
        if fresh {
            self.type_of.push(name);
            self.parts.shapes.push(Shape {
                instance_type: Arc::clone(self.texts.text(name)),
                accelerator,
                accelerator_count: count,
                capacity: Resources {
                    gpu_milli: u64::from(count) * 1_000,
                    cpu_milli: machine.cpu_milli,
                    memory_bytes: machine.memory_bytes,
                    storage_bytes: machine.storage_bytes,
                },
                arch,
                note: Some(Arc::clone(self.texts.text(note))).filter(|note| !note.is_empty()),
            });
        }
        Ok(number)
    }

    /// The number of a text that becomes part of an offer's id.
    fn name(&mut self, slot: Slot, column: &'static str, text: &str) -> Result<u32, RowError> {
        if self.texts.was_last(slot, text) {
            return Ok(self.texts.number(slot, text));
        }
        if text.len() > NAME_MAX {
            return Err(RowError::Cell(column, format!("is longer than {NAME_MAX} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(RowError::Cell(column, "has control characters".to_owned()));
        }
        Ok(self.texts.number(slot, text))
    }

    fn accelerator(&mut self, spelling: u32) -> Result<(Accelerator, u32), RowError> {
        if let Some(known) = self.accelerators.get(&spelling) {
            return Ok(known.clone());
        }
        let named = names::accelerator_or_slice(self.texts.text(spelling))
            .map_err(|error| RowError::Cell("accelerator", error.to_string()))?;
        self.accelerators.insert(spelling, named.clone());
        Ok(named)
    }

    /// The number of a price's origin.
    pub(crate) fn terms(&mut self, seen: &Seen<'_>) -> u32 {
        let source = self.texts.number(Slot::Source, seen.source);
        let day = days(seen.as_of);
        let key = (seen.kind, source, day, seen.dated, seen.available);
        let (number, fresh) = self.terms.number(key);
        if fresh {
            // `warned` takes numbers from the same row of terms, so the two are kept apart.
            let at = next(self.parts.terms.len());
            self.parts.terms.push(Terms {
                kind: seen.kind,
                source: Arc::clone(self.texts.text(source)),
                as_of: seen.as_of,
                available: seen.available,
                warnings: Vec::new(),
                off: None,
            });
            self.dated.push(seen.dated);
            self.warned.insert((u32::MAX, number), at);
        }
        self.warned.get(&(u32::MAX, number)).copied().unwrap_or(number)
    }

    /// The number of the same origin with one more warning.
    pub(crate) fn warn(&mut self, terms: u32, warning: &str) -> u32 {
        self.derive(terms, warning, |mut terms| {
            terms.warnings.push(warning.to_owned());
            terms
        })
    }

    /// The number of an origin made from another; `why` tells it from others made from it.
    pub(crate) fn derive(
        &mut self,
        terms: u32,
        why: &str,
        make: impl FnOnce(Terms) -> Terms,
    ) -> u32 {
        let key = (terms, self.texts.number(Slot::Other, why));
        if let Some(number) = self.warned.get(&key) {
            return *number;
        }
        let number = next(self.parts.terms.len());
        self.parts.terms.push(make(self.parts.terms[terms as usize].clone()));
        self.dated.push(self.dated[terms as usize]);
        self.warned.insert(key, number);
        number
    }

    /// The number of a currency.
    pub(crate) fn currency(&mut self, currency: Currency) -> Result<u8, RowError> {
        let known = self.parts.currencies.iter().position(|other| *other == currency);
        let number = known.unwrap_or_else(|| {
            self.parts.currencies.push(currency);
            self.parts.currencies.len() - 1
        });
        u8::try_from(number)
            .map_err(|_| RowError::Cell("currency", "is the 257th of one book".to_owned()))
    }

    /// Takes a price; 0 is counted and left out.
    pub(crate) fn push(&mut self, row: offer_table::Row) {
        if row.pico == 0 {
            self.exclude(FREE, 1);
        } else {
            self.parts.rows.push(row);
        }
    }

    /// Takes what a `PriceBook` object says.
    pub(crate) fn book(&mut self, book: BookParts, source: &Path) {
        for row in &book.rows {
            if let Err(what) = self.add(row) {
                self.fault(source, 0, what.to_string());
            }
        }
        self.overlays.extend(book.overlays);
        self.exchange.extend(book.exchange);
    }

    /// Takes a row of a price book.
    pub(crate) fn add(&mut self, row: &Row<'_>) -> Result<(), RowError> {
        let shape = self.shape(&Machine {
            provider: &row.provider,
            instance_type: &row.instance_type,
            accelerator: &row.accelerator,
            count: row.accelerator_count,
            cpu_milli: row.cpu_milli,
            memory_bytes: row.memory_bytes,
            storage_bytes: row.storage_bytes,
            arch: row.arch,
            note: "",
        })?;
        let seen = Seen {
            kind: row.kind,
            source: &row.source,
            as_of: row.as_of,
            dated: true,
            available: row.available,
        };
        let (currency, purchase, pico) = (self.currency(row.currency)?, row.purchase, row.pico);
        let site = self.site(&row.provider, &row.region, &row.zone)?;
        let terms = self.terms(&seen);
        self.push(offer_table::Row { site, shape, terms, currency, purchase, pico, was: None });
        Ok(())
    }

    /// Gives machines whose size a source does not state the shape that another one states of the
    /// same machine: a price table and a list of machines make a book.
    fn lend_sizes(&mut self) {
        let bare = |shape: &Shape| shape.note.as_deref() == Some(NO_SIZE);
        if !self.parts.shapes.iter().any(bare) {
            return;
        }
        let whole = self.parts.rows.iter().filter(|row| {
            let shape = &self.parts.shapes[row.shape as usize];
            !bare(shape) && shape.capacity.cpu_milli > 0
        });
        let key = |row: &offer_table::Row| {
            (self.provider_of[row.site as usize], self.type_of[row.shape as usize])
        };
        let stated: HashMap<(u32, u32), u32> = whole.map(|row| (key(row), row.shape)).collect();
        let of: Vec<Option<u32>> = self
            .parts
            .rows
            .iter()
            .map(|row| {
                let needs = bare(&self.parts.shapes[row.shape as usize]);
                needs.then(|| stated.get(&key(row)).copied()).flatten()
            })
            .collect();
        for (row, shape) in self.parts.rows.iter_mut().zip(of) {
            row.shape = shape.unwrap_or(row.shape);
        }
    }

    /// Judges all rows together and makes the table. `today`: prices seen later are left out, and
    /// unless they are asked for of another day the contracts of this one hold.
    ///
    /// # Errors
    /// A name that cannot be part of an offer's id.
    pub(crate) fn finish(
        mut self,
        today: Option<Date>,
        contracts: Option<Date>,
    ) -> Result<Finished, BookError> {
        self.lend_sizes();
        let (rates, overlays) = (take(&mut self.exchange), take(&mut self.overlays));
        let bad = |what: RowError| BookError::Overlay(what.to_string());
        overlay::exchange(&mut self, &rates).map_err(bad)?;
        let mut days = guards::judge(&mut self, today);
        overlay::apply(&mut self, &overlays, contracts.or(today), &mut days).map_err(bad)?;
        let edges = overlays.iter().flat_map(|overlay| [overlay.from, overlay.to]);
        let contract_days: BTreeSet<Date> = edges.flatten().collect();
        let contract_days = contract_days.into_iter().collect();
        let used = self.parts.rows.iter().map(|row| &self.parts.terms[row.terms as usize]);
        let as_of = used.map(|terms| terms.as_of).fold(None, |range, day| match range {
            None => Some((day, day)),
            Some((oldest, newest)) => Some((day.min(oldest), day.max(newest))),
        });
        let table = OfferTable::new(self.parts).map_err(BookError::Table)?;
        let Self { excluded, faults, mut assets, .. } = self;
        assets.sort();
        assets.dedup();
        Ok(Finished { table, excluded, faults, as_of, contract_days, days, assets })
    }
}

/// What `PriceBook` objects say.
#[derive(Clone, Debug, Default)]
pub(crate) struct BookParts {
    pub(crate) rows: Vec<Row<'static>>,
    pub(crate) overlays: Vec<Overlay>,
    pub(crate) exchange: Vec<Exchange>,
}

impl BookParts {
    /// Adds what another object says.
    pub(crate) fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.overlays.extend(other.overlays);
        self.exchange.extend(other.exchange);
    }
}

/// What came of an intake.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) table: OfferTable,
    pub(crate) excluded: BTreeMap<String, u64>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) as_of: Option<(Date, Date)>,
    /// The days on which a contract begins or ends.
    pub(crate) contract_days: Vec<Date>,
    /// The days for which the same files say this.
    pub(crate) days: Days,
    /// Prices of what is no machine, of all days, sorted.
    pub(crate) assets: Vec<AssetPrice>,
}

fn days(date: Date) -> i32 {
    i32::from(date.year()) * 400 + i32::from(date.day_of_year())
}

/// Purchases of public lists.
pub(crate) const LISTED: [Purchase; 2] = [Purchase::OnDemand, Purchase::Spot];
