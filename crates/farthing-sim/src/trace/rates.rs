//! Demand of a service over time: requests a second in slots of one length.
//!
//! Columns are `t_s` (seconds since the start at which a slot begins) and `rate_rps`; `model` where
//! there are several, and rows of one slot are added (clients of a model). CSV, also gzipped, or
//! Parquet.

use super::TraceError;
use super::jobs::source::{Columns, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Slots that are read at most.
const SLOTS_MAX: usize = 1_000_000;
const COLUMNS: Columns =
    Columns { needed: &["t_s", "rate_rps"], more: &["model"], separator: b',' };

/// Slots in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemandSlots {
    /// Seconds of a slot.
    pub slot_s: i64,
    /// Thousandths of a request a second in each.
    pub milli: Vec<u64>,
    /// Slots in which nothing is said: nothing came.
    pub silent: usize,
}

/// Reads the demand of one model.
///
/// # Errors
/// The file cannot be read or lacks a column, a number is none, the model is not there or none is
/// named of several, or slots are not of one length.
pub fn read_rates(path: &Path, model: Option<&str>) -> Result<DemandSlots, TraceError> {
    let mut source = Source::open(path, COLUMNS)?;
    let named = source.has("model");
    if model.is_some() && !named {
        return Err(source.fault("it has no column `model` to choose one by".to_owned()));
    }
    let mut rates: BTreeMap<i64, i64> = BTreeMap::new();
    let mut models = BTreeSet::new();
    while source.advance()? {
        if named {
            let here = source.cells.text(2);
            if !models.contains(here) {
                models.insert(here.to_owned());
            }
            if model.is_some_and(|model| model != here) {
                continue;
            }
        }
        let read = source.cells.seconds(0, 1).and_then(|at| {
            let rate = source.cells.scaled(1, (1_000, "a number of requests a second"))?;
            if rate < 0 || at < 0 {
                return Err("a time or a rate is below zero".to_owned());
            }
            let sum = rates.get(&at).copied().unwrap_or(0).checked_add(rate);
            Ok((at, sum.ok_or("the rates do not add up")?))
        });
        let (at, sum) = read.map_err(|what| source.error(what))?;
        rates.insert(at, sum);
        if rates.len() > SLOTS_MAX {
            return Err(source.error(format!("more than {SLOTS_MAX} slots are not read")));
        }
    }
    let listed = || models.iter().cloned().collect::<Vec<_>>().join(", ");
    match model {
        None if models.len() > 1 => {
            return Err(source.fault(format!("it has several models: {}", listed())));
        }
        Some(model) if rates.is_empty() => {
            let what = format!("it has no model `{model}`; it has {}", listed());
            return Err(source.fault(what));
        }
        _ => {}
    }
    slots(&rates).map_err(|what| source.fault(what))
}

/// What is said of each slot, which is as long as the shortest step between two.
fn slots(rates: &BTreeMap<i64, i64>) -> Result<DemandSlots, String> {
    let times: Vec<i64> = rates.keys().copied().collect();
    let step = times.windows(2).map(|pair| pair[1] - pair[0]).min();
    let (Some(slot_s), Some(first), Some(last)) = (step, times.first(), times.last()) else {
        return Err("it has fewer than two slots".to_owned());
    };
    if let Some(odd) = times.iter().find(|at| (**at - first) % slot_s != 0) {
        return Err(format!("t_s {odd} is no whole number of slots of {slot_s} s after {first}"));
    }
    let count = usize::try_from((last - first) / slot_s + 1).unwrap_or(usize::MAX);
    if count > SLOTS_MAX {
        return Err(format!("{count} slots of {slot_s} s are more than {SLOTS_MAX}"));
    }
    let mut milli = vec![0; count];
    for (at, rate) in rates {
        let place = usize::try_from((at - first) / slot_s).unwrap_or(0);
        milli[place] = u64::try_from(*rate).unwrap_or(0);
    }
    Ok(DemandSlots { slot_s, silent: count - rates.len(), milli })
}
