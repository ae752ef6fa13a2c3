//! One pass over the groups of a table.
//!
//! Whether a place or a shape does is decided once for each, as bits; a row is then two look-ups.
//! Within a group the rows have one accelerator, one count and one way to pay, so their order by
//! price is also their order by cost, and the first few that do are the group's best.

use super::RankedOffer;
use super::error::RankError;
use super::finish::FinishCost;
use super::request::OfferRequest;
use farthing_model::offer_table::{Group, Shape, Site, Sizes};
use farthing_model::{Decimal, HourlyRate, Money, MoneyError, OfferTable, Purchase};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Why a row is left out: the number of the bit. Lower ones are said first.
const PROVIDER: usize = 0;
const REGION: usize = 1;
const CORES: usize = 2;
const MEMORY: usize = 3;
const ARCH: usize = 4;
const EXCLUDED: usize = 5;
const AVAILABLE: usize = 6;
const NODE_PRICE: usize = 7;
const PRICE: usize = 8;
const BITS: usize = 9;
/// Most patterns of `exclude`: the bits of a mask.
const PATTERNS_MAX: usize = 128;

const ACCELERATOR: &str = "another accelerator";
const PURCHASE: &str = "another way to pay";
const TOO_FEW: &str = "too few accelerators on a node";
const NO_RATE: &str = "no rate of work for its accelerator";

/// What the answer calls a reason.
pub(crate) fn reason(bit: usize, request: &OfferRequest) -> &'static str {
    let open = |sizes: Sizes| sizes.max == u64::MAX;
    match bit {
        PROVIDER => "another provider",
        REGION => "another region",
        CORES if open(request.cpu_milli) => "too few cores",
        CORES => "another number of cores",
        MEMORY if open(request.memory_bytes) => "too little memory",
        MEMORY => "another size of memory",
        ARCH => "another architecture, or one that is not known",
        EXCLUDED => "excluded by name",
        AVAILABLE => "not enough available",
        NODE_PRICE => "node price over the limit",
        _ => "price over the limit",
    }
}

/// What the order is by: the cost of finishing or of an hour, then of an hour.
pub(crate) type Key = (i128, i128);

/// A row that does what is asked, or nearly.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    row: usize,
    nodes: u32,
    price: i128,
    cost: i128,
    rate: Option<Decimal>,
    pub(crate) purchase: Purchase,
}

impl Found {
    pub(crate) fn key(&self) -> Key {
        (self.cost, self.price)
    }

    pub(crate) fn order(&self, other: &Self, table: &OfferTable) -> Ordering {
        let name = |it: &Self| (table.name_of(it.row), it.purchase);
        self.key().cmp(&other.key()).then_with(|| name(self).cmp(&name(other)))
    }

    pub(crate) fn make(
        &self,
        request: &OfferRequest,
        table: &OfferTable,
    ) -> Result<RankedOffer, RankError> {
        let offer = table.offer(self.row);
        let currency = table.currencies()[table.currency_of(self.row)];
        let too_large =
            || RankError::Price { offer: offer.id.to_string(), source: MoneyError::Overflow };
        let price =
            HourlyRate::new(Money::from_pico(self.price, currency)).ok_or_else(too_large)?;
        let finish = match (self.rate, &request.finish) {
            (Some(rate), Some(finishing)) => {
                let cost = Money::from_pico(self.cost, currency);
                let time = finishing.time(rate).ok_or_else(too_large)?;
                Some(FinishCost { cost, time })
            }
            _ => None,
        };
        let accelerators = u64::from(self.nodes) * u64::from(offer.accelerator_count);
        Ok(RankedOffer {
            arch: table.shapes()[table.shape_of(self.row)].arch,
            notes: notes(request, &offer, self.nodes, accelerators),
            nodes: self.nodes,
            accelerators,
            price,
            finish,
            offer,
        })
    }
}

fn notes(
    request: &OfferRequest,
    offer: &farthing_model::Offer,
    nodes: u32,
    accelerators: u64,
) -> Vec<String> {
    let mut notes = Vec::new();
    let (count, has) = (request.count_min(), offer.accelerator_count);
    match (&request.accelerator, &offer.accelerator) {
        (Some(_), _) => {
            if request.split && nodes > 1 {
                notes.push(format!("{nodes} nodes of {has} accelerators"));
            }
            let asked = if request.split { count } else { count.saturating_mul(nodes) };
            if accelerators > u64::from(asked) {
                notes.push(format!("{accelerators} accelerators are paid, {asked} were asked for"));
            }
        }
        (None, Some(name)) if request.finish.is_none() => {
            notes.push(format!("has {has} x {name}, which were not asked for"));
        }
        (None, _) => {}
    }
    notes
}

/// A pass over a table.
pub(crate) struct Scan<'t> {
    request: &'t OfferRequest,
    table: &'t OfferTable,
    site_bits: Vec<u16>,
    shape_bits: Vec<u16>,
    site_names: Vec<u128>,
    shape_names: Vec<u128>,
    currencies: Vec<usize>,
    pub(crate) found: Vec<Found>,
    pub(crate) others: Vec<Found>,
    pub(crate) near: BTreeMap<usize, Found>,
    pub(crate) counts: BTreeMap<&'static str, usize>,
    pub(crate) matched: usize,
}

/// What the rows of a group have together.
struct Terms {
    nodes: u32,
    rate: Option<Decimal>,
}

impl<'t> Scan<'t> {
    pub(crate) fn new(request: &'t OfferRequest, table: &'t OfferTable) -> Result<Self, RankError> {
        if request.exclude.len() > PATTERNS_MAX {
            return Err(RankError::Exclusions(request.exclude.len()));
        }
        let patterns: Vec<[Option<&str>; 3]> =
            request.exclude.iter().map(|text| pattern(text)).collect();
        let site_name = |site: &Site| {
            mask(&patterns, |[provider, region, _]| {
                is(provider, &site.place.provider) && is(region, &site.place.region)
            })
        };
        let shape_name = |shape: &Shape| mask(&patterns, |[.., it]| is(it, &shape.instance_type));
        Ok(Self {
            request,
            table,
            site_bits: table.sites().iter().map(|site| site_bits(request, site)).collect(),
            shape_bits: table.shapes().iter().map(|shape| shape_bits(request, shape)).collect(),
            site_names: table.sites().iter().map(site_name).collect(),
            shape_names: table.shapes().iter().map(shape_name).collect(),
            currencies: Vec::new(),
            found: Vec::new(),
            others: Vec::new(),
            near: BTreeMap::new(),
            counts: BTreeMap::new(),
            matched: 0,
        })
    }

    fn leave_out(&mut self, why: &'static str, rows: usize) {
        if rows > 0 {
            *self.counts.entry(why).or_default() += rows;
        }
    }

    /// Reads a group, or leaves it out as a whole.
    pub(crate) fn group(&mut self, group: &Group) -> Result<(), RankError> {
        let (request, rows) = (self.request, group.rows());
        let asked = |query: &farthing_model::AcceleratorQuery| {
            group.accelerator.as_ref().is_some_and(|name| query.matches(name))
        };
        if request.accelerator.as_ref().is_some_and(|query| !asked(query)) {
            self.leave_out(ACCELERATOR, rows.len());
            return Ok(());
        }
        let count = request.count_min();
        let with_accelerators = request.accelerator.is_some();
        if with_accelerators && !request.split && group.count < count {
            self.leave_out(TOO_FEW, rows.len());
            return Ok(());
        }
        let spread = request.split && with_accelerators && group.count > 0;
        let nodes = match request.nodes {
            None if spread => count.div_ceil(group.count),
            // Without an accelerator it is machines that are counted.
            None if !with_accelerators => count,
            nodes => nodes.unwrap_or(1).max(1),
        };
        let rate = match (&request.finish, &group.accelerator) {
            (Some(finishing), Some(name)) => {
                // What was not asked for may be of no use to the work.
                let used = if with_accelerators { count.min(group.count) } else { group.count };
                let node = finishing.node_rate(name, group.count, used)?;
                node.and_then(|node| node.checked_mul_int(nodes.into()))
            }
            (None, _) | (Some(_), None) => None,
        };
        if request.finish.is_some() && rate.is_none() {
            self.leave_out(NO_RATE, rows.len());
            return Ok(());
        }
        let terms = Terms { nodes, rate };
        if request.purchases.is_empty() || request.purchases.contains(&group.purchase) {
            return self.rows(group, &terms);
        }
        self.leave_out(PURCHASE, rows.len());
        for row in rows {
            if self.bits(row) == 0 && self.limits(row, nodes) == 0 {
                let found = self.priced(row, group, &terms)?;
                self.others.push(found);
                break;
            }
        }
        Ok(())
    }

    fn rows(&mut self, group: &Group, terms: &Terms) -> Result<(), RankError> {
        let mut counts = [0_usize; BITS];
        let mut kept = 0;
        for row in group.rows() {
            let mut bits = self.bits(row);
            if bits == 0 {
                bits = self.limits(row, terms.nodes);
            }
            if bits == 0 {
                self.matched += 1;
                let currency = self.table.currency_of(row);
                if !self.currencies.contains(&currency) {
                    self.currencies.push(currency);
                }
                if kept < self.request.limit {
                    kept += 1;
                    let found = self.priced(row, group, terms)?;
                    self.found.push(found);
                }
                continue;
            }
            let bit = bits.trailing_zeros() as usize;
            // The first of a group that only one condition rules out is the cheapest of them.
            if counts[bit] == 0 && bits.is_power_of_two() {
                let it = self.priced(row, group, terms)?;
                self.nearly(bit, it);
            }
            counts[bit] += 1;
        }
        for (bit, rows) in counts.into_iter().enumerate() {
            self.leave_out(reason(bit, self.request), rows);
        }
        Ok(())
    }

    fn nearly(&mut self, bit: usize, it: Found) {
        match self.near.get(&bit) {
            Some(other) if other.order(&it, self.table) == Ordering::Less => {}
            _ => {
                self.near.insert(bit, it);
            }
        }
    }

    fn bits(&self, row: usize) -> u16 {
        let (site, shape) = (self.table.site_of(row), self.table.shape_of(row));
        let named = !self.request.exclude.is_empty()
            && self.site_names[site] & self.shape_names[shape] != 0;
        self.site_bits[site] | self.shape_bits[shape] | u16::from(named) << EXCLUDED
    }

    fn priced(&self, row: usize, group: &Group, terms: &Terms) -> Result<Found, RankError> {
        // A node's price is below 2^63 and nodes below 2^32: the product fits.
        let price = i128::from(self.table.pico_of(row)) * i128::from(terms.nodes);
        let cost = match (&self.request.finish, terms.rate) {
            (Some(finishing), Some(rate)) => {
                finishing.cost(price, rate).ok_or_else(|| RankError::Price {
                    offer: self.table.offer(row).id.to_string(),
                    source: MoneyError::Overflow,
                })?
            }
            _ => price,
        };
        let (nodes, rate, purchase) = (terms.nodes, terms.rate, group.purchase);
        Ok(Found { row, nodes, price, cost, rate, purchase })
    }

    /// What only shows once the nodes are known.
    fn limits(&self, row: usize, nodes: u32) -> u16 {
        let available = self.table.terms_of(row).available;
        let over = |price: i128, most: Option<Money>| most.is_some_and(|most| price > most.pico());
        let node = i128::from(self.table.pico_of(row));
        u16::from(available.is_some_and(|available| available < nodes)) << AVAILABLE
            | u16::from(over(node, self.request.node_price_max)) << NODE_PRICE
            | u16::from(over(node * i128::from(nodes), self.request.price_max)) << PRICE
    }

    /// Refuses to have compared what does not compare.
    pub(crate) fn currency(&self, request: &OfferRequest) -> Result<(), RankError> {
        let all = self.table.currencies();
        if let [first, second, ..] = &*self.currencies {
            return Err(RankError::Mixed(all[*first], all[*second]));
        }
        let currency = match self.currencies.first() {
            Some(first) => Some(all[*first]),
            None => all.first().copied().filter(|_| all.len() == 1),
        };
        for limit in [request.price_max, request.node_price_max].into_iter().flatten() {
            if let Some(currency) = currency.filter(|currency| limit.currency() != *currency) {
                return Err(RankError::LimitCurrency { limit, currency });
            }
        }
        Ok(())
    }
}

fn site_bits(request: &OfferRequest, site: &Site) -> u16 {
    let among = |names: &[String], name: &str| {
        names.is_empty() || names.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    u16::from(!among(&request.providers, &site.place.provider)) << PROVIDER
        | u16::from(!among(&request.regions, &site.place.region)) << REGION
}

fn shape_bits(request: &OfferRequest, shape: &Shape) -> u16 {
    let arch = request.arch.is_some_and(|arch| shape.arch != Some(arch));
    u16::from(!request.cpu_milli.contains(shape.capacity.cpu_milli)) << CORES
        | u16::from(!request.memory_bytes.contains(shape.capacity.memory_bytes)) << MEMORY
        | u16::from(arch) << ARCH
}

/// `provider/region/type`, in full or from the left; `*` and what is left out is any.
fn pattern(text: &str) -> [Option<&str>; 3] {
    let mut parts = text.splitn(3, '/').map(|part| Some(part).filter(|part| *part != "*"));
    std::array::from_fn(|_| parts.next().flatten())
}

fn is(wanted: Option<&str>, name: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
}

fn mask(patterns: &[[Option<&str>; 3]], holds: impl Fn([Option<&str>; 3]) -> bool) -> u128 {
    let bits = patterns.iter().enumerate().filter(|(_, pattern)| holds(**pattern));
    bits.fold(0, |mask, (bit, _)| mask | 1 << bit)
}
