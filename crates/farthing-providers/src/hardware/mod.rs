//! What a machine that one owns costs per hour, and the small tables that ship beside it.
//!
//! An hour of an owned machine costs its purchase price over its years, and the power it draws:
//! `price x amount / (years x 8,766 h) + watts x PUE x price of a kWh / 1,000`. Watts are the rated
//! ones, so power is what it costs at full load. All in integers; each item is rounded to 10^-12
//! and the rate is the sum of the items, so that a breakdown always adds up.
//!
//! A part without a known price makes the whole price unknown, with the reason: nothing is guessed
//! and nothing counts as free.

mod figures;
mod tables;

pub use figures::{Card, Figure, Hardware, HardwareError, Parts};
pub use tables::{GpuWeight, SpotRow, WeightTable, spot_rows, weights};

use crate::catalog;
use farthing_model::{
    Accelerator, Currency, Decimal, HOURS_PER_YEAR, HourlyRate, Money, Price, PriceKind, Provenance,
};
use jiff::civil::Date;

/// The basis of a figure that nobody published.
const ASSUMPTION: &str = "assumption";
const GIB: i128 = 1 << 30;
const TIB: i128 = 1 << 40;
/// 10^-9 parts in one whole of a [`Decimal`].
const NANO: i128 = 1_000_000_000;

/// What is in a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Physical cores; the logical ones where the machine does not tell them apart.
    pub cores: u32,
    /// Main memory in bytes.
    pub memory_bytes: u64,
    /// Disks in bytes.
    pub disk_bytes: u64,
    /// The accelerators' names, each one once for every card, as the driver says them.
    pub gpus: Vec<String>,
}

/// One item of an hourly price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What is paid, such as `64 cores: purchase` or `power`.
    pub what: String,
    /// How the number comes about, for `explain`.
    pub how: String,
    /// What an hour costs, to 10^-12.
    pub per_hour: Money,
    /// Where the figures come from.
    pub source: String,
    /// The purchase price in words, where nothing better than an assumption is known.
    pub assumed: Option<String>,
    /// The oldest day of the figures.
    pub as_of: Date,
}

/// The price of a machine, and the items that it is the sum of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The rate, or why there is none.
    pub price: Price,
    /// The items; their sum is the rate exactly. Empty where the price is not known.
    pub items: Vec<Item>,
}

/// A part of a machine: how many, and what one costs and draws.
struct Part<'h> {
    name: String,
    /// How many units, as a fraction.
    amount: (i128, i128),
    price: &'h Figure<Money>,
    watts: Decimal,
    watts_source: String,
    watts_as_of: Date,
}

impl Hardware {
    /// The hourly price of a machine in a currency.
    ///
    /// Unknown where a part has no price, where figures are in another currency, or where no price
    /// of power is known in it. Figures of two currencies are never added.
    pub fn price(&self, inventory: &Inventory, currency: Currency) -> Priced {
        match self.items(inventory, currency) {
            Ok(items) => self.sum(items, currency),
            Err(why) => Priced { price: Price::Unknown(why), items: Vec::new() },
        }
    }

    fn sum(&self, items: Vec<Item>, currency: Currency) -> Priced {
        let total = Money::sum(items.iter().map(|item| item.per_hour), currency);
        let as_of = items.iter().map(|item| item.as_of).min();
        let rate = total.ok().filter(|total| !total.is_zero()).and_then(HourlyRate::new);
        let (Some(rate), Some(as_of)) = (rate, as_of) else {
            let why = "the inventory is empty, so there is nothing to price".to_owned();
            return Priced { price: Price::Unknown(why), items: Vec::new() };
        };
        let source = self.file.clone();
        let provenance = Provenance { kind: PriceKind::AmortisedOwned, source, as_of, list: None };
        Priced { price: Price::Known(rate, provenance), items }
    }

    fn items(&self, inventory: &Inventory, currency: Currency) -> Result<Vec<Item>, String> {
        let power = self.electricity.get(&currency).ok_or_else(|| {
            format!(
                "no price of a kWh in {currency}: add `electricity: {currency}:` to {}",
                self.file
            )
        })?;
        let cards = self.cards(&inventory.gpus)?;
        let mut items = Vec::new();
        for part in self.parts(inventory).into_iter().chain(cards.iter().map(Group::part)) {
            if part.amount.0 == 0 {
                continue;
            }
            if part.price.value.currency() != currency {
                return Err(format!(
                    "{} has a price in {}, and {currency} is asked for: give it in {currency}",
                    part.name,
                    part.price.value.currency()
                ));
            }
            let too_large = || format!("{} is too large to price", part.name);
            items.push(self.purchase(&part).ok_or_else(too_large)?);
            items.push(self.running(&part, power).ok_or_else(too_large)?);
        }
        Ok(items)
    }

    fn parts(&self, inventory: &Inventory) -> Vec<Part<'_>> {
        let part = |name: String, amount, price, watts: &Figure<Decimal>| Part {
            name,
            amount,
            price,
            watts: watts.value,
            watts_source: watts.source.clone(),
            watts_as_of: watts.as_of,
        };
        let (purchase, watts) = (&self.purchase, &self.watts);
        let (memory, disk) = (i128::from(inventory.memory_bytes), i128::from(inventory.disk_bytes));
        vec![
            part(
                format!("{} cores", inventory.cores),
                (i128::from(inventory.cores), 1),
                &purchase.core,
                &watts.core,
            ),
            part(
                format!("{} GiB memory", tenths(memory, GIB)),
                (memory, GIB),
                &purchase.memory_gib,
                &watts.memory_gib,
            ),
            part(
                format!("{} TiB disk", tenths(disk, TIB)),
                (disk, TIB),
                &purchase.disk_tib,
                &watts.disk_tib,
            ),
        ]
    }

    /// The accelerators by kind; an unknown one is the error.
    fn cards(&self, gpus: &[String]) -> Result<Vec<Group<'_>>, String> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for spelling in gpus {
            let known = catalog::accelerator(spelling);
            let name: Accelerator = match known {
                Some(known) => known.name.clone(),
                None => spelling
                    .parse()
                    .map_err(|error: farthing_model::AcceleratorError| error.to_string())?,
            };
            if let Some(group) = groups.iter_mut().find(|group| group.name == name) {
                group.count += 1;
                continue;
            }
            let Some(card) = self.accelerators.get(&name) else {
                return Err(format!(
                    "no purchase price of {name} is known: give a hardware file with `accelerator: \
                     {{{name}: {{price: 25000.00, currency: USD, basis: list-price, source: our \
                     invoice, as_of: 2026-01-31}}}}`"
                ));
            };
            let watts = match (card.value.watts, known.and_then(|known| known.watts)) {
                (Some(watts), _) => (watts, card.source.clone()),
                (None, Some(watts)) => {
                    (Decimal::from_int(watts.into()), "data/accelerators.csv".to_owned())
                }
                (None, None) => {
                    return Err(format!(
                        "no rated watts of {name} are known: add `watts: 350` to its entry"
                    ));
                }
            };
            let price = Figure {
                value: card.value.price,
                basis: card.basis.clone(),
                source: card.source.clone(),
                as_of: card.as_of,
            };
            groups.push(Group { name, count: 1, card, price, watts });
        }
        Ok(groups)
    }

    /// Purchase price over the years.
    fn purchase(&self, part: &Part<'_>) -> Option<Item> {
        let (amount, of) = part.amount;
        let hours = i128::from(self.years.value).checked_mul(HOURS_PER_YEAR)?;
        let whole = part.price.value.pico().checked_mul(amount)?;
        let pico = rounded(whole, hours.checked_mul(of)?)?;
        Some(Item {
            what: format!("{}: purchase", part.name),
            how: format!(
                "{} each over {} years of {HOURS_PER_YEAR} h",
                part.price.value, self.years.value
            ),
            per_hour: Money::from_pico(pico, part.price.value.currency()),
            source: format!("{} ({})", part.price.source, part.price.basis),
            assumed: (part.price.basis == ASSUMPTION)
                .then(|| format!("{} at {} each", part.name, part.price.value)),
            as_of: part.price.as_of.min(self.years.as_of),
        })
    }

    /// Watts through the building's losses at the price of power.
    fn running(&self, part: &Part<'_>, power: &Figure<Money>) -> Option<Item> {
        let (amount, of) = part.amount;
        // Milliwatts x PUE in millionths keeps the product of four figures inside 128 bits.
        let milliwatts = part.watts.nano() / 1_000_000;
        let pue_ppm = self.pue.value.nano() / 1_000;
        let drawn = milliwatts.checked_mul(pue_ppm)?;
        // 10^3 mW in a W, 10^3 W in a kW, 10^6 ppm: exact until the one rounding at the end.
        let divisor = 1_000_000_000_000_i128.checked_mul(of)?;
        let (price, scale) = reduced(power.value.pico(), divisor);
        let pico = rounded(price.checked_mul(drawn)?.checked_mul(amount)?, scale)?;
        Some(Item {
            what: format!("{}: power", part.name),
            how: format!("{} W each x PUE {} x {} a kWh", part.watts, self.pue.value, power.value),
            per_hour: Money::from_pico(pico, power.value.currency()),
            source: format!("{}; {}; {}", part.watts_source, self.pue.source, power.source),
            assumed: None,
            as_of: part.watts_as_of.min(self.pue.as_of).min(power.as_of),
        })
    }
}

/// Cards of one kind.
struct Group<'h> {
    name: Accelerator,
    count: i128,
    card: &'h Figure<Card>,
    price: Figure<Money>,
    watts: (Decimal, String),
}

impl Group<'_> {
    fn part(&self) -> Part<'_> {
        Part {
            name: format!("{} x {}", self.count, self.name),
            amount: (self.count, 1),
            price: &self.price,
            watts: self.watts.0,
            watts_source: self.watts.1.clone(),
            watts_as_of: self.card.as_of,
        }
    }
}

/// Takes common powers of two and ten out of a fraction.
fn reduced(mut over: i128, mut under: i128) -> (i128, i128) {
    for factor in [10, 2] {
        while over != 0 && over % factor == 0 && under % factor == 0 {
            over /= factor;
            under /= factor;
        }
    }
    (over, under)
}

/// `over / under` to the nearest whole.
fn rounded(over: i128, under: i128) -> Option<i128> {
    over.checked_add(under / 2)?.checked_div(under)
}

/// `bytes / unit` with one place, for people.
fn tenths(bytes: i128, unit: i128) -> Decimal {
    Decimal::from_nano((bytes * 10 + unit / 2) / unit * (NANO / 10))
}

#[cfg(test)]
mod tests;
