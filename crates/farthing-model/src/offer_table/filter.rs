//! Pulling the offers that can matter out of a table.

use super::{Arch, OfferTable, Shape, Site};
use crate::accelerator::AcceleratorQuery;
use crate::offer::{Offer, Purchase};

/// Which sizes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl Sizes {
    /// Any size.
    pub const ANY: Self = Self { min: 0, max: u64::MAX };

    /// Exactly one.
    pub const fn exactly(size: u64) -> Self {
        Self { min: size, max: size }
    }

    /// One or more.
    pub const fn at_least(size: u64) -> Self {
        Self { min: size, max: u64::MAX }
    }

    /// Whether `size` does.
    pub const fn contains(self, size: u64) -> bool {
        self.min <= size && size <= self.max
    }
}

impl Default for Sizes {
    fn default() -> Self {
        Self::ANY
    }
}

/// What an offer must be to be selected. The default selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these accelerators; empty = any machine, with or without.
    pub accelerators: Vec<AcceleratorQuery>,
    /// Accelerators of a node; matters only where accelerators are asked for.
    pub count: Sizes,
    /// Cores of a node, in thousandths.
    pub cpu_milli: Sizes,
    /// Memory of a node, in bytes.
    pub memory_bytes: Sizes,
    /// The instruction set; an offer that does not say its own does not match.
    pub arch: Option<Arch>,
    /// Only these ways to pay; empty = all.
    pub purchases: Vec<Purchase>,
    /// Only these providers; empty = all.
    pub providers: Vec<String>,
    /// Only these regions; empty = all.
    pub regions: Vec<String>,
    /// All of these jurisdictions; empty = anywhere.
    pub residency: Vec<String>,
    /// Keep only so many offers of each provider, region, accelerator, count and purchase: the
    /// cheapest, ties by name. `None` = all. What a plan can choose is rarely more than one.
    pub per_region: Option<usize>,
}

impl Filter {
    fn place(&self, site: &Site) -> bool {
        let among = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|other| other.eq_ignore_ascii_case(name))
        };
        among(&self.providers, &site.place.provider)
            && among(&self.regions, &site.place.region)
            && self.residency.iter().all(|tag| site.residency.contains(tag))
    }

    fn shape(&self, shape: &Shape) -> bool {
        self.cpu_milli.contains(shape.capacity.cpu_milli)
            && self.memory_bytes.contains(shape.capacity.memory_bytes)
            && self.arch.is_none_or(|arch| shape.arch == Some(arch))
    }
}

impl OfferTable {
    /// The rows that `filter` lets through: group by group, cheapest first.
    pub fn rows(&self, filter: &Filter) -> Vec<usize> {
        let places: Vec<bool> = self.sites().iter().map(|site| filter.place(site)).collect();
        let shapes: Vec<bool> = self.shapes().iter().map(|shape| filter.shape(shape)).collect();
        let region = self.regions();
        let mut kept = vec![0_usize; self.sites().len()];
        let mut found = Vec::new();
        for group in self.groups() {
            let paid = filter.purchases.is_empty() || filter.purchases.contains(&group.purchase);
            let named = |name| filter.accelerators.iter().any(|query| query.matches(name));
            let fits = filter.accelerators.is_empty()
                || group.accelerator.as_ref().is_some_and(named)
                    && filter.count.contains(group.count.into());
            if !paid || !fits {
                continue;
            }
            kept.fill(0);
            for row in group.rows() {
                let site = self.site_of(row);
                if !places[site] || !shapes[self.shape_of(row)] {
                    continue;
                }
                let of_region = &mut kept[region[site]];
                if filter.per_region.is_none_or(|most| *of_region < most) {
                    *of_region += 1;
                    found.push(row);
                }
            }
        }
        found
    }

    /// The offers that `filter` lets through, sorted by id: a small part of a large catalogue for
    /// a plan that reads `&[Offer]`.
    pub fn select(&self, filter: &Filter) -> Vec<Offer> {
        let rows = self.rows(filter);
        let mut offers: Vec<Offer> = rows.into_iter().map(|row| self.offer(row)).collect();
        offers.sort_by(|a, b| a.id.cmp(&b.id));
        offers
    }

    /// For each place the first place of its region.
    fn regions(&self) -> Vec<usize> {
        let mut first = std::collections::BTreeMap::new();
        let places = self.sites().iter().enumerate();
        places
            .map(|(at, site)| {
                *first.entry((&site.place.provider, &site.place.region)).or_insert(at)
            })
            .collect()
    }
}
