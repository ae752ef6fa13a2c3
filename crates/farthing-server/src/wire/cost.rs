//! `cost`: the statement, with parts that sum to the whole.

use super::scalar::{WindowJson, decimal, ratio};
use farthing_ledger::{Correction, ReconciledRow, Reconciliation, Statement, StatementRow};
use farthing_model::Money;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A statement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostJson {
    /// The whole UTC hours that it covers.
    pub window: WindowJson,
    /// The currency of all money here.
    pub currency: String,
    /// What the nodes cost.
    pub paid: String,
    /// Allocated and used.
    pub used: String,
    /// Allocated and not used.
    pub idle: String,
    /// Not allocated.
    pub unallocated: String,
    /// The system's own, and nodes that boot.
    pub overhead: String,
    /// Of idle and unallocated, that of which nobody measured whether it was used.
    pub unknown: String,
    /// What it would cost at the prices of lists; what was paid, where none is known.
    pub list: String,
    /// What of unallocated and overhead is in the rows of those who share it.
    pub shared: String,
    /// What a filter leaves out, with its part of what is shared.
    pub filtered: String,
    /// Paid less all rows' totals: zero, or the books are at fault.
    pub difference: String,
    /// How much of the paid node time was measured; `null` when nothing was paid.
    pub coverage: Option<f64>,
    /// The same of each resource that was paid: of how much of it is known whether it was used.
    pub coverage_by_resource: BTreeMap<&'static str, f64>,
    /// Hours of the window that have charges.
    pub hours: u32,
    /// What the rows are grouped by.
    pub by: Vec<String>,
    /// Nodes that could not be charged, and why.
    pub unpriced: Vec<UnpricedJson>,
    /// Hours of it that were posted again, as they were wrong.
    pub corrections: Vec<CorrectionJson>,
    /// The rows, largest total first.
    pub rows: Vec<CostRowJson>,
}

/// An hour that was posted again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CorrectionJson {
    /// Which.
    pub hour: WindowJson,
    /// When it was corrected.
    pub at: String,
    /// Why, in one line.
    pub why: String,
    /// What was paid in it before.
    pub before: String,
    /// What was paid after.
    pub after: String,
}

/// The wire form of corrections.
pub fn corrections(corrections: &[Correction]) -> Vec<CorrectionJson> {
    let wire = |correction: &Correction| CorrectionJson {
        hour: correction.hour.into(),
        at: correction.at.to_string(),
        why: correction.why.clone(),
        before: correction.before.to_decimal(),
        after: correction.after.to_decimal(),
    };
    corrections.iter().map(wire).collect()
}

/// A node that was paid and has no price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnpricedJson {
    /// Which.
    pub node: String,
    /// What was bought.
    pub offer: String,
    /// When.
    pub window: WindowJson,
    /// Why there is no price.
    pub why: String,
}

/// One row: its keys by name, then its amounts.
#[derive(Clone, Debug, PartialEq)]
pub struct CostRowJson {
    /// The keys and their values: `team` -> `research`.
    pub keys: Vec<(String, String)>,
    /// Allocated and used.
    pub used: String,
    /// Allocated and not used.
    pub idle: String,
    /// Its part of what is shared.
    pub shared: String,
    /// Not allocated, where that is not shared.
    pub unallocated: String,
    /// Overhead, where that is not shared.
    pub overhead: String,
    /// The sum of the five.
    pub total: String,
    /// Of its own idle and unallocated, that of which nobody measured whether it was used.
    pub unknown: String,
    /// What its total would be at the prices of lists: discounts go where their costs go.
    pub list: String,
    /// Accelerator-hours.
    pub gpu_hours: f64,
    /// Core-hours.
    pub core_hours: f64,
    /// GiB-hours of memory.
    pub gib_hours: f64,
    /// GiB-hours of storage.
    pub storage_gib_hours: f64,
    /// Used / allocated, in money.
    pub utilisation: Option<f64>,
    /// For `explain`: the same for the same row in any window.
    pub id: String,
}

impl Serialize for CostRowJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.keys {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("used", &self.used)?;
        map.serialize_entry("idle", &self.idle)?;
        map.serialize_entry("shared", &self.shared)?;
        map.serialize_entry("unallocated", &self.unallocated)?;
        map.serialize_entry("overhead", &self.overhead)?;
        map.serialize_entry("total", &self.total)?;
        map.serialize_entry("unknown", &self.unknown)?;
        map.serialize_entry("list", &self.list)?;
        map.serialize_entry("gpu_hours", &self.gpu_hours)?;
        map.serialize_entry("core_hours", &self.core_hours)?;
        map.serialize_entry("gib_hours", &self.gib_hours)?;
        map.serialize_entry("storage_gib_hours", &self.storage_gib_hours)?;
        map.serialize_entry("utilisation", &self.utilisation)?;
        map.serialize_entry("id", &self.id)?;
        map.end()
    }
}

/// The wire form of a statement.
pub fn cost(statement: &Statement) -> CostJson {
    let by: Vec<String> = statement.by.iter().map(ToString::to_string).collect();
    CostJson {
        window: statement.window.into(),
        currency: statement.currency.to_string(),
        paid: statement.paid.to_decimal(),
        used: statement.used.to_decimal(),
        idle: statement.idle.to_decimal(),
        unallocated: statement.unallocated.to_decimal(),
        overhead: statement.overhead.to_decimal(),
        unknown: statement.unknown.to_decimal(),
        list: statement.list.to_decimal(),
        shared: statement.shared.to_decimal(),
        filtered: statement.filtered.to_decimal(),
        difference: statement.difference.to_decimal(),
        coverage: statement.coverage.ratio().map(ratio),
        coverage_by_resource: statement
            .measured
            .iter()
            .filter_map(|(resource, share)| Some((resource.name(), ratio((*share)?))))
            .collect(),
        hours: statement.hours,
        unpriced: statement.unpriced.iter().map(UnpricedJson::of).collect(),
        corrections: corrections(&statement.corrections),
        rows: statement.rows.iter().map(|row| CostRowJson::of(&by, row)).collect(),
        by,
    }
}

impl UnpricedJson {
    fn of(unpriced: &farthing_ledger::Unpriced) -> Self {
        Self {
            node: unpriced.node.to_string(),
            offer: unpriced.offer.to_string(),
            window: unpriced.window.into(),
            why: unpriced.why.clone(),
        }
    }
}

impl CostRowJson {
    fn of(by: &[String], row: &StatementRow) -> Self {
        let money = Money::to_decimal;
        Self {
            keys: by.iter().cloned().zip(row.keys.iter().cloned()).collect(),
            used: money(row.used),
            idle: money(row.idle),
            shared: money(row.shared),
            unallocated: money(row.unallocated),
            overhead: money(row.overhead),
            total: money(row.total),
            unknown: money(row.unknown),
            list: money(row.list),
            gpu_hours: decimal(row.gpu_hours()),
            core_hours: decimal(row.core_hours()),
            gib_hours: decimal(row.gib_hours()),
            storage_gib_hours: decimal(row.storage_gib_hours()),
            utilisation: row.utilisation.map(ratio),
            id: row.id.clone(),
        }
    }
}

/// Imported bills beside what the meter says.
pub fn reconciliation(said: &Reconciliation) -> Value {
    let optional = |of: Option<Money>| of.map(Money::to_decimal);
    let row = |row: &ReconciledRow| {
        let keys = said.by.iter().zip(&row.keys);
        let mut map: Map<String, Value> = keys
            .map(|(key, value)| (key.name().into_owned(), Value::from(value.as_str())))
            .collect();
        map.insert("metered".to_owned(), json!(optional(row.metered)));
        map.insert("billed".to_owned(), json!(optional(row.billed)));
        map.insert("effective".to_owned(), json!(optional(row.effective)));
        map.insert("difference".to_owned(), json!(row.difference.to_decimal()));
        Value::Object(map)
    };
    let others = said.other_currencies.iter().map(|(code, bills)| (code.to_string(), json!(bills)));
    json!({
        "window": WindowJson::from(said.window),
        "currency": said.currency.to_string(),
        "metered": said.metered.to_decimal(),
        "billed": said.billed.to_decimal(),
        "effective": said.effective.to_decimal(),
        "difference": said.difference.to_decimal(),
        "bills": said.bills,
        "bill_rows": said.rows_read,
        "repeated_rows": said.repeated,
        "other_currencies": Value::Object(others.collect()),
        "rows": said.rows.iter().map(row).collect::<Vec<_>>(),
    })
}
