//! From parts in any order to a table: checked, sorted, grouped.

use super::{Group, OfferTable, Shape, Site, Terms};
use crate::accelerator::Accelerator;
use crate::money::Currency;
use crate::offer::{Offer, Purchase};
use crate::price::{HourlyRate, ListPrice, Price};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One offer by the indices of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Index into [`Parts::sites`].
    pub site: u32,
    /// Index into [`Parts::shapes`].
    pub shape: u32,
    /// Index into [`Parts::terms`].
    pub terms: u32,
    /// Index into [`Parts::currencies`].
    pub currency: u8,
    /// How it is paid.
    pub purchase: Purchase,
    /// Price of a node per hour in 10^-12 of the currency; above zero.
    pub pico: i64,
    /// What it was before a contract changed it, in the same currency; `None` where none did.
    pub was: Option<Was>,
}

/// What a price was before a contract changed it, in 10^-12 of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Was {
    /// What the list says.
    pub list: i64,
    /// What [`Terms::off`] is taken off, if anything: the list's, or an agreed one.
    pub before: i64,
}

/// What a table is made from, in any order.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Places, each once.
    pub sites: Vec<Site>,
    /// Shapes, each once.
    pub shapes: Vec<Shape>,
    /// Conditions, each once.
    pub terms: Vec<Terms>,
    /// Currencies, each once.
    pub currencies: Vec<Currency>,
    /// The offers; each place, instance type and purchase once.
    pub rows: Vec<Row>,
}

/// Why parts make no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A row points at nothing.
    #[error("row {0} refers to a part that is not there")]
    Index(usize),
    /// A row has no price above zero.
    #[error("row {0} has no price above zero")]
    Price(usize),
    /// A name is no part of an offer's id.
    #[error("`{name}` cannot be part of an offer's id: {why}")]
    Name {
        /// The place or the machine.
        name: String,
        /// What an id may be.
        why: String,
    },
}

impl OfferTable {
    /// Sorts and groups parts.
    ///
    /// # Errors
    /// A row that points at a part that is not there or has no price, or a name that cannot be
    /// part of an id.
    pub fn new(parts: Parts) -> Result<Self, TableError> {
        check(&parts)?;
        let Parts { sites, shapes, terms, currencies, rows } = parts;
        let (kind_of, kinds) = kinds(&shapes);
        let site_rank = ranks(&sites, |a, b| a.place.cmp(&b.place));
        let shape_rank = ranks(&shapes, |a, b| a.instance_type.cmp(&b.instance_type));
        // Keys are made once and not at each comparison; the last part keeps the order of equals.
        let mut keys: Vec<(u64, i64, u64, usize)> = rows
            .iter()
            .enumerate()
            .map(|(at, row)| {
                let (site, shape) = (row.site as usize, row.shape as usize);
                let group = u64::from(kind_of[shape]) << 8 | row.purchase as u64;
                let name = u64::from(site_rank[site]) << 32 | u64::from(shape_rank[shape]);
                (group, row.pico, name, at)
            })
            .collect();
        keys.sort_unstable();
        let rows: Vec<Row> = keys.into_iter().map(|(.., at)| rows[at]).collect();
        let key = |row: &Row| (kind_of[row.shape as usize], row.purchase);
        let mut groups = Vec::new();
        let mut from = 0;
        while let Some(first) = rows.get(from) {
            let len = rows[from..].partition_point(|row| key(row) == key(first));
            let (accelerator, count) = kinds[kind_of[first.shape as usize] as usize].clone();
            let range = from..from + len;
            groups.push(Group { accelerator, count, purchase: first.purchase, rows: range });
            from += len;
        }
        Ok(Self {
            groups,
            site_of: rows.iter().map(|row| row.site).collect(),
            shape_of: rows.iter().map(|row| row.shape).collect(),
            terms_of: rows.iter().map(|row| row.terms).collect(),
            currency_of: rows.iter().map(|row| row.currency).collect(),
            pico_of: rows.iter().map(|row| row.pico).collect(),
            was_of: if rows.iter().any(|row| row.was.is_some()) {
                rows.iter().map(|row| row.was).collect()
            } else {
                Vec::new()
            },
            sites,
            shapes,
            terms,
            currencies,
        })
    }

    /// A table of offers, and how many have no price or one that does not fit: those are left out.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of(offers: &[Offer]) -> Result<(Self, usize), TableError> {
        let mut parts = Parts::default();
        let mut seen = Seen::default();
        let mut unpriced = 0;
        for offer in offers {
            match seen.row(offer, &mut parts) {
                Some(row) => parts.rows.push(row),
                None => unpriced += 1,
            }
        }
        Ok((Self::new(parts)?, unpriced))
    }

    /// The parts again, the rows in the order of the table.
    pub fn into_parts(self) -> Parts {
        let mut rows = Vec::with_capacity(self.len());
        for group in &self.groups {
            rows.extend(group.rows().map(|row| Row {
                site: self.site_of[row],
                shape: self.shape_of[row],
                terms: self.terms_of[row],
                currency: self.currency_of[row],
                purchase: group.purchase,
                pico: self.pico_of[row],
                was: self.was_of(row),
            }));
        }
        let Self { sites, shapes, terms, currencies, .. } = self;
        Parts { sites, shapes, terms, currencies, rows }
    }
}

impl Was {
    fn of(list: &ListPrice) -> Option<Self> {
        let pico = |rate: HourlyRate| i64::try_from(rate.per_hour().pico()).ok();
        let before = list.discounts.as_ref().map_or(list.rate, |discounts| discounts.before);
        Some(Self { list: pico(list.rate)?, before: pico(before)? })
    }
}

fn check(parts: &Parts) -> Result<(), TableError> {
    let within = |index: u32, len: usize| (index as usize) < len;
    for (at, row) in parts.rows.iter().enumerate() {
        let found = within(row.site, parts.sites.len())
            && within(row.shape, parts.shapes.len())
            && within(row.terms, parts.terms.len())
            && usize::from(row.currency) < parts.currencies.len();
        if !found {
            return Err(TableError::Index(at));
        }
        if row.pico <= 0 {
            return Err(TableError::Price(at));
        }
    }
    // An id is place, type and purchase; 512 bytes are allowed, and each half gets half of them.
    let bad = |name: &str| match name {
        "" => Some("it is empty".to_owned()),
        name if name.len() > 240 => Some(format!("it has {} bytes, at most 240", name.len())),
        name if name.chars().any(char::is_control) => Some("it has control characters".to_owned()),
        _ => None,
    };
    let places = parts.sites.iter().map(|site| site.place.to_string());
    let types = parts.shapes.iter().map(|shape| shape.instance_type.to_string());
    for name in places.chain(types) {
        if let Some(why) = bad(&name) {
            return Err(TableError::Name { name, why });
        }
    }
    Ok(())
}

type Kind = (Option<Accelerator>, u32);

/// The accelerator and count of each shape as a number, and what the numbers mean, in order.
fn kinds(shapes: &[Shape]) -> (Vec<u32>, Vec<Kind>) {
    let kind = |shape: &Shape| match shape.accelerator_count {
        0 => (None, 0),
        count => (shape.accelerator.clone(), count),
    };
    let mut kinds: Vec<Kind> = shapes.iter().map(kind).collect();
    kinds.sort();
    kinds.dedup();
    let number = |shape| kinds.binary_search(&kind(shape)).unwrap_or_default();
    let of = shapes.iter().map(|shape| u32::try_from(number(shape)).unwrap_or(u32::MAX)).collect();
    (of, kinds)
}

/// Where each item would stand if all were sorted.
fn ranks<T>(items: &[T], order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Vec<u32> {
    let mut sorted: Vec<usize> = (0..items.len()).collect();
    sorted.sort_by(|a, b| order(&items[*a], &items[*b]));
    let mut ranks = vec![0; items.len()];
    for (rank, item) in sorted.into_iter().enumerate() {
        ranks[item] = u32::try_from(rank).unwrap_or(u32::MAX);
    }
    ranks
}

/// The parts that were seen, each with its index.
#[derive(Default)]
struct Seen {
    sites: BTreeMap<crate::Place, u32>,
    shapes: BTreeMap<(String, Option<Accelerator>, u32, crate::Resources), u32>,
    terms: BTreeMap<Terms, u32>,
}

impl Seen {
    fn row(&mut self, offer: &Offer, parts: &mut Parts) -> Option<Row> {
        let Price::Known(rate, from) = &offer.price else { return None };
        let money = rate.per_hour();
        let pico = i64::try_from(money.pico()).ok().filter(|pico| *pico > 0)?;
        let next = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let site = *self.sites.entry(offer.place.clone()).or_insert_with(|| {
            let (place, residency) = (offer.place.clone(), offer.residency.clone());
            parts.sites.push(Site { place, residency });
            next(parts.sites.len() - 1)
        });
        let (name, count) = (offer.instance_type.clone(), offer.accelerator_count);
        let key = (name, offer.accelerator.clone(), count, offer.capacity);
        let shape = *self.shapes.entry(key).or_insert_with(|| {
            parts.shapes.push(Shape {
                instance_type: Arc::from(offer.instance_type.as_str()),
                accelerator: offer.accelerator.clone(),
                accelerator_count: count,
                capacity: offer.capacity,
                arch: None,
                note: None,
            });
            next(parts.shapes.len() - 1)
        });
        let terms = Terms {
            kind: from.kind,
            source: Arc::from(from.source.as_str()),
            as_of: from.as_of,
            available: offer.available,
            warnings: offer.warnings.clone(),
            off: from.list.as_ref().and_then(|list| Some(list.discounts.as_ref()?.off)),
        };
        let terms = *self.terms.entry(terms).or_insert_with_key(|terms| {
            parts.terms.push(terms.clone());
            next(parts.terms.len() - 1)
        });
        let known = parts.currencies.iter().position(|currency| *currency == money.currency());
        let currency = known.unwrap_or_else(|| {
            parts.currencies.push(money.currency());
            parts.currencies.len() - 1
        });
        let currency = u8::try_from(currency).ok()?;
        let was = from.list.as_deref().and_then(Was::of);
        Some(Row { site, shape, terms, currency, purchase: offer.purchase, pico, was })
    }
}
