//! What moving data between two places costs, and how fast it goes where that is known.
//!
//! The n-th byte of a transfer is charged by the first row that fits both places and reaches that
//! far. Inside one region nothing is charged, unless a row names that region on both sides. What
//! no row speaks of is not known, which is not zero.

use crate::decimal::Decimal;
use crate::money::{Currency, Money};
use crate::offer::Place;
use crate::split::proportion;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// Bytes in a GB, the unit of prices.
const GB: i128 = 1_000_000_000;
/// Nanoseconds in a millisecond, the grain of transfer times.
const MILLI: i128 = 1_000_000;

/// One row of an egress table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRow {
    /// From which provider; `None` = any.
    pub from_provider: Option<String>,
    /// From which region; `None` = any.
    pub from_region: Option<String>,
    /// To which provider; `None` = any.
    pub to_provider: Option<String>,
    /// To which region; `None` = any.
    pub to_region: Option<String>,
    /// Up to which byte of a transfer; `None` = all of it.
    pub up_to_bytes: Option<u64>,
    /// For one GB (10^9 bytes).
    pub price_per_gb: Money,
    /// Gigabits a second, where they were measured.
    pub gbit_per_s: Option<Decimal>,
}

/// Prices of moving data, in one currency. Rows keep their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressTable {
    currency: Currency,
    rows: Vec<EgressRow>,
    /// For each row the first row that charges the same as far, at the same speed.
    alike: Vec<u32>,
    names: BTreeMap<String, u32>,
    /// Rows by what they are for; 0 stands for any.
    index: BTreeMap<[u32; 4], Vec<u32>>,
    /// Which of the four columns are given, for each combination that occurs.
    forms: Vec<[bool; 4]>,
}

/// What a table charges between two places. Tariffs that compare equal charge equally.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tariff {
    /// Nothing, and no time that is known.
    Free,
    /// By these rows of the table, in order; without any, the price is not known.
    Rows(Vec<u32>),
}

/// A place as the table knows it; see [`EgressTable::spot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EgressSpot {
    provider: u32,
    region: u32,
}

/// The name that no row has.
const UNNAMED: u32 = u32::MAX;

impl EgressTable {
    /// A table of rows whose prices are in `currency`; `None` if one is in another, or there are
    /// more than 2^32.
    pub fn new(currency: Currency, rows: Vec<EgressRow>) -> Option<Self> {
        let mut table = Self {
            currency,
            rows: Vec::new(),
            alike: Vec::new(),
            names: BTreeMap::new(),
            index: BTreeMap::new(),
            forms: Vec::new(),
        };
        let mut kinds = BTreeMap::new();
        for row in rows {
            if row.price_per_gb.currency() != currency {
                return None;
            }
            let at = u32::try_from(table.rows.len()).ok()?;
            let kind = (row.up_to_bytes, row.price_per_gb.pico(), row.gbit_per_s);
            table.alike.push(*kinds.entry(kind).or_insert(at));
            let columns = [&row.from_provider, &row.from_region, &row.to_provider, &row.to_region];
            let form = columns.map(Option::is_some);
            let mut key = [0; 4];
            for (key, name) in key.iter_mut().zip(columns) {
                let Some(name) = name else { continue };
                let next = u32::try_from(table.names.len()).ok()?.checked_add(1)?;
                *key = *table.names.entry(name.clone()).or_insert(next);
            }
            if !table.forms.contains(&form) {
                table.forms.push(form);
            }
            table.index.entry(key).or_default().push(at);
            table.rows.push(row);
        }
        Some(table)
    }

    /// The currency of all prices.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The rows, in order.
    pub fn rows(&self) -> &[EgressRow] {
        &self.rows
    }

    /// The same table where data between these places moves at a speed of their own, in gigabits a
    /// second: of several for one pair the first counts, and before what the table says itself.
    /// What has no price between two places has none after. `None` as in [`EgressTable::new`].
    pub fn with_speeds(&self, speeds: &[(Place, Place, Decimal)]) -> Option<Self> {
        let mut rows = Vec::new();
        for (from, to, speed) in speeds {
            let pair = |up_to_bytes, price_per_gb| EgressRow {
                from_provider: Some(from.provider.clone()),
                from_region: Some(from.region.clone()),
                to_provider: Some(to.provider.clone()),
                to_region: Some(to.region.clone()),
                up_to_bytes,
                price_per_gb,
                gbit_per_s: Some(*speed),
            };
            match self.between(self.spot(from), self.spot(to)) {
                Tariff::Free => rows.push(pair(None, Money::zero(self.currency))),
                Tariff::Rows(tiers) => {
                    for tier in tiers {
                        let tier = &self.rows[tier as usize];
                        rows.push(pair(tier.up_to_bytes, tier.price_per_gb));
                        if tier.up_to_bytes.is_none() {
                            break;
                        }
                    }
                }
            }
        }
        rows.extend(self.rows.iter().cloned());
        Self::new(self.currency, rows)
    }

    /// A place as numbers, for many questions about it.
    pub fn spot(&self, place: &Place) -> EgressSpot {
        let number = |name: &str| self.names.get(name).copied().unwrap_or(UNNAMED);
        EgressSpot { provider: number(&place.provider), region: number(&place.region) }
    }

    /// What transfers between two *different* regions are charged by.
    pub fn between(&self, from: EgressSpot, to: EgressSpot) -> Tariff {
        self.tariff(self.fitting(from, to))
    }

    /// What transfers inside one region are charged by.
    pub fn inside(&self, spot: EgressSpot) -> Tariff {
        let mut rows = self.fitting(spot, spot);
        rows.retain(|row| {
            let row = &self.rows[*row as usize];
            row.from_region.is_some() && row.to_region.is_some()
        });
        if rows.is_empty() { Tariff::Free } else { self.tariff(rows) }
    }

    /// The rows that fit, in order.
    fn fitting(&self, from: EgressSpot, to: EgressSpot) -> Vec<u32> {
        let full = [from.provider, from.region, to.provider, to.region];
        let mut found: Vec<u32> = Vec::new();
        for form in &self.forms {
            let mut key = full;
            for (key, given) in key.iter_mut().zip(form) {
                if !given {
                    *key = 0;
                }
            }
            found.extend(self.index.get(&key).into_iter().flatten());
        }
        found.sort_unstable();
        found
    }

    /// Leaves out rows that are never reached, so that equal tariffs compare equal.
    fn tariff(&self, fitting: Vec<u32>) -> Tariff {
        let (mut kept, mut covered, mut timed) = (Vec::new(), false, false);
        for row in fitting {
            let at = &self.rows[row as usize];
            let says_how_fast = at.gbit_per_s.is_some() && !timed;
            if !covered || says_how_fast {
                kept.push(self.alike[row as usize]);
            }
            covered |= at.up_to_bytes.is_none();
            timed |= says_how_fast;
        }
        let first = kept.first().map(|row| &self.rows[*row as usize]);
        let free = first.is_some_and(|row| row.up_to_bytes.is_none() && row.price_per_gb.is_zero());
        if free && !timed { Tariff::Free } else { Tariff::Rows(kept) }
    }

    /// What `bytes` cost by a tariff, rounded down once; `None` where some of them have no price
    /// or the amount does not fit.
    pub fn charge(&self, tariff: &Tariff, bytes: u64) -> Option<Money> {
        let Tariff::Rows(rows) = tariff else { return Some(Money::zero(self.currency)) };
        let (mut done, mut sum) = (0_u64, 0_i128);
        for row in rows {
            let row = &self.rows[*row as usize];
            let until = row.up_to_bytes.map_or(bytes, |most| most.min(bytes));
            if until > done {
                let part = row.price_per_gb.pico().checked_mul(i128::from(until - done))?;
                sum = sum.checked_add(part)?;
                done = until;
            }
        }
        (done == bytes).then(|| Money::from_pico(sum.div_euclid(GB), self.currency))
    }

    /// How long `bytes` take by a tariff, rounded up to a millisecond; `None` where no row says
    /// how fast.
    pub fn duration(&self, tariff: &Tariff, bytes: u64) -> Option<SignedDuration> {
        let Tariff::Rows(rows) = tariff else { return None };
        let speed = rows.iter().find_map(|row| self.rows[*row as usize].gbit_per_s)?;
        // bits / (10^9 bit/s x speed) seconds = bytes x 8 / speed nanoseconds.
        let nanos = proportion(i128::from(bytes) * 8, Decimal::ONE.nano(), speed.nano())?;
        let up = nanos.checked_add(MILLI - 1)? / MILLI;
        i64::try_from(up).ok().map(SignedDuration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> EgressRow {
        let cells: Vec<&str> = text.split(',').collect();
        let name = |at: usize| Some(cells[at].to_owned()).filter(|cell| !cell.is_empty());
        EgressRow {
            from_provider: name(0),
            from_region: name(1),
            to_provider: name(2),
            to_region: name(3),
            up_to_bytes: cells[4].parse::<u64>().ok().map(|gb| gb * 1_000_000_000),
            price_per_gb: Money::from_decimal(cells[5], Currency::USD).unwrap(),
            gbit_per_s: cells.get(6).map(|speed| speed.parse().unwrap()),
        }
    }

    fn table(rows: &[&str]) -> EgressTable {
        EgressTable::new(Currency::USD, rows.iter().map(|text| row(text)).collect()).unwrap()
    }

    fn place(text: &str) -> Place {
        let (provider, region) = text.split_once('/').unwrap();
        Place { provider: provider.to_owned(), region: region.to_owned(), zone: None }
    }

    fn cost(table: &EgressTable, from: &str, to: &str, gb: u64) -> Option<String> {
        let tariff = table.between(table.spot(&place(from)), table.spot(&place(to)));
        table.charge(&tariff, gb * 1_000_000_000).map(Money::to_decimal)
    }

    #[test]
    fn measured_speeds_change_how_long_and_not_how_much() {
        let plain = table(&["aws,,gcp,,100,0.12", "aws,,gcp,,,0.09", "gcp,,gcp,,,0"]);
        let speed = |from, to, speed| (place(from), place(to), Decimal::from_int(speed));
        let pairs = [speed("aws/a", "gcp/b", 4), speed("aws/a", "gcp/b", 9)];
        let more = [speed("gcp/b", "gcp/c", 8), speed("azure/x", "gcp/b", 1)];
        let timed = plain.with_speeds(&[pairs.as_slice(), &more].concat()).unwrap();
        let takes = |from, to| {
            let tariff = timed.between(timed.spot(&place(from)), timed.spot(&place(to)));
            timed.duration(&tariff, 200_000_000_000)
        };
        // 200 GB are 1,600 Gbit.
        assert_eq!(takes("aws/a", "gcp/b"), Some(SignedDuration::from_secs(400)));
        assert_eq!(takes("gcp/b", "gcp/c"), Some(SignedDuration::from_secs(200)));
        assert_eq!(takes("aws/other", "gcp/b"), None);
        for (from, to) in [("aws/a", "gcp/b"), ("aws/other", "gcp/b"), ("gcp/b", "gcp/c")] {
            assert_eq!(cost(&timed, from, to, 200), cost(&plain, from, to, 200));
        }
        // A speed is no price.
        assert_eq!(cost(&timed, "azure/x", "gcp/b", 1), None);
    }

    #[test]
    fn the_first_row_that_fits_and_reaches_far_enough_wins() {
        let table = table(&[
            "aws,us-east-1,aws,us-east-2,,0.01",
            "aws,,aws,,,0.02",
            "aws,,,,10240,0.09",
            "aws,,,,51200,0.085",
            "gcp,,,,100,0.12",
        ]);
        let check = |from, to, gb, expect: Option<&str>| {
            assert_eq!(cost(&table, from, to, gb).as_deref(), expect, "{from} {to} {gb}");
        };
        check("aws/us-east-1", "aws/us-east-2", 100, Some("1.00"));
        check("aws/us-east-2", "aws/us-east-1", 100, Some("2.00"));
        check("aws/us-east-1", "gcp/us-central1", 100, Some("9.00"));
        // 10,240 x 0.09 + 1,000 x 0.085
        check("aws/us-east-1", "gcp/us-central1", 11_240, Some("1006.60"));
        check("gcp/us-central1", "aws/us-east-1", 100, Some("12.00"));
        // Beyond the last tier nothing is known; so is what no row speaks of.
        check("gcp/us-central1", "aws/us-east-1", 101, None);
        check("azure/eastus", "aws/us-east-1", 1, None);
        check("azure/eastus", "aws/us-east-1", 0, Some("0.00"));
    }

    #[test]
    fn a_region_is_charged_inside_only_by_name() {
        let table = table(&["aws,,,,,0.09", "aws,us-east-1,aws,us-east-1,,0.01"]);
        let inside = |region: &str| {
            let tariff = table.inside(table.spot(&place(region)));
            table.charge(&tariff, 1_000_000_000).map(Money::to_decimal)
        };
        assert_eq!(inside("aws/us-east-1").as_deref(), Some("0.01"));
        assert_eq!(inside("aws/us-east-2").as_deref(), Some("0.00"));
    }

    #[test]
    fn tariffs_that_charge_equally_are_equal() {
        let rows = ["aws,a,aws,b,,0.02", "aws,a,aws,c,,0.02", "gcp,,gcp,,,0", "aws,,,,,0.09"];
        let table = table(&rows);
        let spot = |text| table.spot(&place(text));
        let between = |from, to| table.between(spot(from), spot(to));
        assert_eq!(between("aws/a", "aws/b"), between("aws/a", "aws/c"));
        assert_ne!(between("aws/a", "aws/b"), between("aws/b", "aws/a"));
        assert_eq!(between("gcp/x", "gcp/y"), table.inside(spot("aws/a")));
    }

    #[test]
    fn a_transfer_takes_time_where_the_speed_is_known() {
        let table = table(&["aws,,,,,0.09", "aws,,gcp,,,0,5"]);
        let tariff = |to| table.between(table.spot(&place("aws/x")), table.spot(&place(to)));
        let time = |to| table.duration(&tariff(to), 1_000_000_000_000);
        assert_eq!(time("gcp/y"), Some(SignedDuration::from_millis(1_600_000)));
        assert_eq!(time("azure/y"), None);
    }

    #[test]
    fn a_second_currency_is_refused() {
        let mut other = row("aws,,,,,0.09");
        other.price_per_gb = Money::from_pico(1, "EUR".parse().unwrap());
        assert_eq!(EgressTable::new(Currency::USD, vec![row("aws,,,,,0.09"), other]), None);
    }
}
