//! Instance types as Karpenter's simulated provider reads them: JSON with offerings.
//!
//! Two generations are read: `CapacityType` and `Zone` beside the price, or the same as
//! requirements with the keys of Kubernetes.

use crate::catalog::error::BookError;
use crate::catalog::intake::{Intake, Machine, Seen};
use crate::catalog::number;
use crate::catalog::row::{RowError, kind};
use crate::manifest::scalar;
use crate::yaml::{Node, Value, documents};
use farthing_model::offer_table::Row;
use farthing_model::{Currency, Purchase};
use jiff::civil::Date;
use std::path::Path;

/// The provider of simulated machines.
const PROVIDER: &str = "kwok";

/// Whether a text is JSON of instance types.
pub(crate) fn is_list(text: &str) -> bool {
    text.trim_start().starts_with('[') && text.contains("\"offerings\"")
}

/// Reads a list of instance types; `day` is that of the file.
///
/// # Errors
/// Not JSON, or not a list.
pub(crate) fn read(
    path: &Path,
    text: &str,
    day: Date,
    intake: &mut Intake,
) -> Result<(), BookError> {
    let bad = |line: usize, what: String| BookError::Source { path: path.to_owned(), line, what };
    let document = documents(text).into_iter().next();
    let node = match document {
        Some(Ok(node)) => node,
        Some(Err(error)) => return Err(bad(error.spot.line, error.what)),
        None => return Err(bad(1, "is empty".to_owned())),
    };
    let Value::List(machines) = &node.value else {
        return Err(bad(node.spot.line, format!("is {}, not a list of machines", node.kind())));
    };
    for machine in machines {
        if let Err((line, what)) = take(machine, day, intake) {
            intake.fault(path, u64::try_from(line).unwrap_or(u64::MAX), what.to_string());
        }
    }
    Ok(())
}

type Failed = (usize, RowError);

fn take(machine: &Node, day: Date, intake: &mut Intake) -> Result<(), Failed> {
    let at = |what| (machine.spot.line, what);
    let text = |name: &str| machine.get(name).and_then(Node::text).unwrap_or_default();
    let name = text("name");
    if name.is_empty() {
        return Err(at(RowError::Missing("name", "the machine's name")));
    }
    let sizes = machine.get("resources");
    let size = |name: &str| sizes.and_then(|it| it.get(name)).and_then(Node::text);
    let cores = size("cpu").map(scalar::milli).transpose();
    let memory = size("memory").map(scalar::bytes).transpose();
    let disk = size("ephemeral-storage").map(scalar::bytes).transpose();
    let cell = |column| move |what| (machine.spot.line, RowError::Cell(column, what));
    let gpus = size("nvidia.com/gpu").unwrap_or("0");
    let note = match gpus {
        "0" => String::new(),
        gpus => format!("has {gpus} accelerators without a name"),
    };
    let arch = Some(text("architecture")).filter(|arch| !arch.is_empty());
    let arch = arch.map(str::parse).transpose().map_err(cell("architecture"))?;
    let shape = intake.shape(&Machine {
        provider: PROVIDER,
        instance_type: name,
        accelerator: "",
        count: 0,
        cpu_milli: cores.map_err(cell("cpu"))?.unwrap_or(0),
        memory_bytes: memory.map_err(cell("memory"))?.unwrap_or(0),
        storage_bytes: disk.map_err(cell("ephemeral-storage"))?.unwrap_or(0),
        arch,
        note: &note,
    });
    let shape = shape.map_err(at)?;
    let Some(Node { value: Value::List(offerings), .. }) = machine.get("offerings") else {
        return Err(at(RowError::Missing("offerings", "a list of prices")));
    };
    for offering in offerings {
        offer(offering, shape, day, intake).map_err(|what| (offering.spot.line, what))?;
    }
    Ok(())
}

fn offer(offering: &Node, shape: u32, day: Date, intake: &mut Intake) -> Result<(), RowError> {
    let direct = |name: &str| offering.get(name).and_then(Node::text);
    if direct("Available") == Some("false") {
        intake.exclude("not available", 1);
        return Ok(());
    }
    let zone = direct("Zone").or_else(|| required(offering, "topology.kubernetes.io/zone"));
    let zone = zone.ok_or(RowError::Missing("Zone", "the zone of the offering"))?;
    let region = required(offering, "topology.kubernetes.io/region").unwrap_or(zone);
    let paid = direct("CapacityType").or_else(|| required(offering, "karpenter.sh/capacity-type"));
    let paid = paid.ok_or(RowError::Missing("CapacityType", "spot, on-demand or reserved"))?;
    let purchase: Purchase = paid.parse().map_err(|what| RowError::Cell("CapacityType", what))?;
    let price = direct("Price").ok_or(RowError::Missing("Price", "per hour"))?;
    // A program wrote it as a float, with more digits than a price has.
    let float = price.parse::<f64>();
    let float = float.map_err(|_| RowError::Cell("Price", format!("`{price}` is no number")))?;
    let pico = number::float_price(float).map_err(|what| RowError::Cell("Price", what))?;
    let terms = intake.terms(&Seen {
        kind: kind(purchase),
        source: "instance types in JSON",
        as_of: day,
        dated: false,
        available: None,
    });
    let site = intake.site(PROVIDER, region, zone)?;
    let currency = intake.currency(Currency::USD)?;
    intake.push(Row { site, shape, terms, currency, purchase, pico, was: None });
    Ok(())
}

/// The one value of a requirement.
fn required<'n>(offering: &'n Node, key: &str) -> Option<&'n str> {
    let Value::List(all) = &offering.get("Requirements")?.value else { return None };
    let of = |it: &&Node| it.get("key").and_then(Node::text) == Some(key);
    let Value::List(values) = &all.iter().find(of)?.get("values")?.value else { return None };
    values.first()?.text()
}
