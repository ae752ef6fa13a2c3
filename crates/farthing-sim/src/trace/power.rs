//! Power by the hour: what a kilowatt-hour costs and how much carbon comes with it.
//!
//! Columns are `time` (or `ts`), a price in `usd_kwh` or `usd_mwh`, carbon in `g_kwh` (or
//! `ci_lca_g_kwh`, or `ci_direct_g_kwh`, grams of CO2-equivalent), and `zone` where there are
//! several. CSV, also gzipped, or Parquet. Price and carbon may be in one file or in two.

use super::TraceError;
use super::jobs::source::{Columns, Source};
use farthing_planner::shift::Power;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const HOUR_S: i64 = 3_600;
/// Hours in a row that may be missing: they are as the hour before.
const GAP_MAX: usize = 3;
/// Hours that are read at most.
const HOURS_MAX: usize = 1_000_000;
/// Zones that are named in a message.
const NAMED: usize = 30;

const COLUMNS: Columns = Columns {
    needed: &[],
    more: &["time", "ts", "zone", "usd_kwh", "usd_mwh", "g_kwh", "ci_lca_g_kwh", "ci_direct_g_kwh"],
    separator: b',',
};
const ZONE: usize = 2;
/// Columns of a price, with 10^-12 of a dollar in one of their unit, for a kilowatt-hour.
const PRICES: [(usize, i64); 2] = [(3, 1_000_000_000_000), (4, 1_000_000_000)];
/// Columns of carbon, with milligrams in one of their unit.
const CARBON: [(usize, i64); 3] = [(5, 1_000), (6, 1_000), (7, 1_000)];

/// Hours in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerHours {
    /// When the first one begins, in seconds since 1970.
    pub start_s: i64,
    /// Power of each.
    pub power: Vec<Power>,
    /// Hours that are missing in the files and taken to be as the one before.
    pub filled: usize,
    /// Whether carbon is known; where it is not it is zero and no carbon is counted.
    pub has_carbon: bool,
}

/// Reads prices from one file and carbon from another, or both from the first, for one zone.
///
/// # Errors
/// A file cannot be read, has no such columns or zone, hours that are twice or missing, or the two
/// have no hours in common.
pub fn read_power(
    (prices, carbon): (&Path, Option<&Path>),
    zone: Option<&str>,
) -> Result<PowerHours, TraceError> {
    let mut source = Source::open(prices, COLUMNS)?;
    let own_carbon = carbon.is_none() && first(&source, &CARBON).is_some();
    let price = series(&mut source, &PRICES, zone)?;
    let carbon = match carbon {
        Some(path) => Some(series(&mut Source::open(path, COLUMNS)?, &CARBON, zone)?),
        None if own_carbon => Some(series(&mut Source::open(prices, COLUMNS)?, &CARBON, zone)?),
        None => None,
    };
    let common: Vec<i64> = match &carbon {
        Some(carbon) => price.keys().filter(|hour| carbon.contains_key(hour)).copied().collect(),
        None => price.keys().copied().collect(),
    };
    let fault = |what: String| source.fault(what);
    let (Some(from), Some(to)) = (common.first(), common.last()) else {
        return Err(fault("prices and carbon have no hours in common".to_owned()));
    };
    let mut hours = PowerHours {
        start_s: from * HOUR_S,
        power: Vec::new(),
        filled: 0,
        has_carbon: carbon.is_some(),
    };
    let mut gap = 0;
    for hour in *from..=*to {
        let there = price.get(&hour).and_then(|price| {
            let carbon_mg = carbon.as_ref().map_or(Some(0), |all| all.get(&hour).copied())?;
            Some(Power { price: (*price).into(), carbon_mg })
        });
        gap = if there.is_some() { 0 } else { gap + 1 };
        if gap > GAP_MAX {
            let at = jiff::Timestamp::from_second(hour * HOUR_S)
                .map_or_else(|_| hour.to_string(), |at| at.to_string());
            return Err(fault(format!("more than {GAP_MAX} hours are missing before {at}")));
        }
        hours.filled += usize::from(there.is_none());
        let before = hours.power.last().copied();
        hours.power.extend(there.or(before));
    }
    Ok(hours)
}

/// The first of some columns that a file has.
fn first(source: &Source, columns: &[(usize, i64)]) -> Option<(usize, i64)> {
    columns.iter().copied().find(|(at, _)| source.has(source.cells.names[*at]))
}

/// A column of one zone by the hour since 1970.
fn series(
    source: &mut Source,
    columns: &[(usize, i64)],
    zone: Option<&str>,
) -> Result<BTreeMap<i64, i64>, TraceError> {
    let names: Vec<&str> = columns.iter().map(|(at, _)| source.cells.names[*at]).collect();
    let Some((at, unit)) = first(source, columns) else {
        return Err(source.fault(format!("it has none of the columns {}", names.join(", "))));
    };
    let Some(time) = [0, 1].into_iter().find(|at| source.has(source.cells.names[*at])) else {
        return Err(source.fault("it has no column `time` or `ts`".to_owned()));
    };
    let zoned = source.has("zone");
    if zone.is_some() && !zoned {
        return Err(source.fault("it has no column `zone` to choose one by".to_owned()));
    }
    let mut all = BTreeMap::new();
    let mut zones = BTreeSet::new();
    while source.advance()? {
        if zoned {
            let here = source.cells.text(ZONE);
            if !zones.contains(here) && zones.len() <= NAMED {
                zones.insert(here.to_owned());
            }
            if zone.is_some_and(|zone| zone != here) {
                continue;
            }
        }
        // A value that nobody measured is a gap, and no zero.
        if !source.cells.has(at) {
            continue;
        }
        let read = source.cells.moment(time).and_then(|moment| {
            if moment % HOUR_S != 0 {
                return Err("the time is not at a full hour: power is by the hour".to_owned());
            }
            Ok((moment / HOUR_S, source.cells.scaled(at, (unit, "a number"))?))
        });
        let (hour, value) = read.map_err(|what| source.error(what))?;
        if all.insert(hour, value).is_some() && (!zoned || zone.is_some()) {
            return Err(source.error("this hour is there twice".to_owned()));
        }
        if all.len() > HOURS_MAX {
            return Err(source.error(format!("more than {HOURS_MAX} hours are not read")));
        }
    }
    let listed = || zones.iter().cloned().collect::<Vec<_>>().join(", ");
    match zone {
        None if zones.len() > 1 => {
            Err(source.fault(format!("it has several zones, so that one is needed: {}", listed())))
        }
        Some(zone) if zoned && !zones.contains(zone) && all.is_empty() => {
            Err(source.fault(format!("it has no zone `{zone}`; it has {}", listed())))
        }
        _ if all.is_empty() => Err(source.fault("it has no rows".to_owned())),
        _ => Ok(all),
    }
}
