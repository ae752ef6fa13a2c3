//! Many offers in little room: what a whole catalogue of clouds is kept as.
//!
//! A catalogue of five clouds has some 200,000 offers, and a query looks at all of them. So places,
//! shapes of machines and terms stand in tables of their own, a row is five small numbers in
//! columns, and the rows are grouped by accelerator, count and purchase, cheapest first: a query
//! reads the groups it needs in the order it needs them. An [`Offer`] is made only of the rows that
//! are the answer.
//!
//! Nothing here knows where offers come from, or what a request is: `farthing-planner` ranks,
//! `farthing-providers` reads. Start with [`OfferTable::new`] and [`OfferTable::select`].

mod build;
mod filter;

pub use build::{Parts, Row, TableError, Was};
pub use filter::{Filter, Sizes};

use crate::accelerator::Accelerator;
use crate::money::{Currency, Money};
use crate::offer::{Offer, Place, Purchase};
use crate::policy::Ratio;
use crate::price::{Discounts, HourlyRate, ListPrice, Price, PriceKind, Provenance};
use crate::resource::{PerResource, Resources};
use jiff::civil::Date;
use std::ops::Range;
use std::{fmt, str::FromStr, sync::Arc};

/// The instruction set of a machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// Intel and AMD.
    X86,
    /// Arm, 64 bits: Graviton, Axion, Cobalt, Grace.
    Arm,
}

impl Arch {
    /// The name in price books, flags and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }
}

impl FromStr for Arch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "x86_64" | "amd64" | "x86-64" => Ok(Self::X86),
            "arm64" | "aarch64" => Ok(Self::Arm),
            _ => Err(format!("`{text}` is not an architecture: x86_64 or arm64")),
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// A place with its jurisdictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Provider, region and zone.
    pub place: Place,
    /// As [`Offer::residency`].
    pub residency: Vec<String>,
}

/// What one node is, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The provider's name of the machine.
    pub instance_type: Arc<str>,
    /// The accelerators' normalised name, if the machine has any.
    pub accelerator: Option<Accelerator>,
    /// How many accelerators one node has.
    pub accelerator_count: u32,
    /// What one node offers.
    pub capacity: Resources,
    /// The instruction set; `None` = not known, which satisfies no request for one.
    pub arch: Option<Arch>,
    /// What is odd about the machine; a warning of each of its offers.
    pub note: Option<Arc<str>>,
}

/// Where a price comes from, and on which conditions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    /// List, contracted, spot quote and so on.
    pub kind: PriceKind,
    /// File or service, and what was applied to its price.
    pub source: Arc<str>,
    /// The day the price was seen.
    pub as_of: Date,
    /// As [`Offer::available`].
    pub available: Option<u32>,
    /// As [`Offer::warnings`].
    pub warnings: Vec<String>,
    /// What a contract takes off each resource, where that is not the same of all.
    pub off: Option<PerResource<Ratio>>,
}

/// Rows with one accelerator, one count of it and one way to pay, cheapest first, ties by
/// provider, region, zone and instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The accelerator; `None` = machines without one.
    pub accelerator: Option<Accelerator>,
    /// Accelerators of a node.
    pub count: u32,
    /// How the rows are paid.
    pub purchase: Purchase,
    rows: Range<usize>,
}

impl Group {
    /// The rows, for the accessors of [`OfferTable`].
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }
}

/// Offers with known prices, in columns. Immutable.
#[derive(Clone, Debug, Default)]
pub struct OfferTable {
    sites: Vec<Site>,
    shapes: Vec<Shape>,
    terms: Vec<Terms>,
    currencies: Vec<Currency>,
    groups: Vec<Group>,
    site_of: Vec<u32>,
    shape_of: Vec<u32>,
    terms_of: Vec<u32>,
    currency_of: Vec<u8>,
    pico_of: Vec<i64>,
    /// Of rows whose price a contract changed; empty where none did.
    was_of: Vec<Option<Was>>,
}

impl OfferTable {
    /// How many offers there are.
    pub fn len(&self) -> usize {
        self.pico_of.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pico_of.is_empty()
    }

    /// The groups: machines without accelerator first, then by name and count.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// All places.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// All shapes.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// All conditions.
    pub fn terms(&self) -> &[Terms] {
        &self.terms
    }

    /// All currencies.
    pub fn currencies(&self) -> &[Currency] {
        &self.currencies
    }

    /// The index of a row's place in [`Self::sites`].
    pub fn site_of(&self, row: usize) -> usize {
        self.site_of[row] as usize
    }

    /// The index of a row's shape in [`Self::shapes`].
    pub fn shape_of(&self, row: usize) -> usize {
        self.shape_of[row] as usize
    }

    /// The conditions of a row.
    pub fn terms_of(&self, row: usize) -> &Terms {
        &self.terms[self.terms_of[row] as usize]
    }

    /// A row's price of a node per hour, in 10^-12 of its currency.
    pub fn pico_of(&self, row: usize) -> i64 {
        self.pico_of[row]
    }

    /// What a row's price was before a contract changed it, if one did.
    pub fn was_of(&self, row: usize) -> Option<Was> {
        self.was_of.get(row).copied().flatten()
    }

    /// The index of a row's currency in [`Self::currencies`].
    pub fn currency_of(&self, row: usize) -> usize {
        self.currency_of[row].into()
    }

    /// What orders rows of one price: provider, region, zone, instance type.
    pub fn name_of(&self, row: usize) -> (&Place, &str) {
        let (site, shape) = (&self.sites[self.site_of(row)], &self.shapes[self.shape_of(row)]);
        (&site.place, &shape.instance_type)
    }

    /// How a row is paid. Rows are in groups; this finds the one.
    pub fn purchase_of(&self, row: usize) -> Purchase {
        let at = self.groups.partition_point(|group| group.rows.end <= row);
        self.groups[at].purchase
    }

    /// A row as an offer of its own.
    pub fn offer(&self, row: usize) -> Offer {
        let (site, shape) = (&self.sites[self.site_of(row)], &self.shapes[self.shape_of(row)]);
        let (terms, purchase) = (self.terms_of(row), self.purchase_of(row));
        let currency = self.currencies[self.currency_of(row)];
        let money = Money::from_pico(self.pico_of[row].into(), currency);
        let price = match HourlyRate::new(money) {
            Some(rate) => Price::Known(
                rate,
                Provenance {
                    kind: terms.kind,
                    source: terms.source.to_string(),
                    as_of: terms.as_of,
                    list: self.list_of(row, currency),
                },
            ),
            None => Price::Unknown("its price is below zero".to_owned()),
        };
        let mut warnings = terms.warnings.clone();
        warnings.extend(shape.note.iter().map(ToString::to_string));
        Offer {
            id: self.ids(row, purchase),
            place: site.place.clone(),
            instance_type: shape.instance_type.to_string(),
            accelerator: shape.accelerator.clone(),
            accelerator_count: shape.accelerator_count,
            capacity: shape.capacity,
            purchase,
            price,
            available: terms.available,
            residency: site.residency.clone(),
            warnings,
        }
    }

    fn list_of(&self, row: usize, currency: Currency) -> Option<Arc<ListPrice>> {
        let was = self.was_of(row)?;
        let rate = |pico: i64| HourlyRate::new(Money::from_pico(pico.into(), currency));
        let (rate, before) = (rate(was.list)?, rate(was.before)?);
        let discounts = self.terms_of(row).off.map(|off| Discounts { before, off });
        Some(Arc::new(ListPrice { rate, discounts }))
    }

    /// All offers, sorted by id.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers: Vec<Offer> = (0..self.len()).map(|row| self.offer(row)).collect();
        offers.sort_by(|a, b| a.id.cmp(&b.id));
        offers
    }

    fn ids(&self, row: usize, purchase: Purchase) -> crate::OfferId {
        let (place, instance_type) = self.name_of(row);
        match Offer::id_of(place, instance_type, purchase) {
            Ok(id) => id,
            // `Parts` with such a name are refused.
            Err(error) => unreachable!("a row's name was checked: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
