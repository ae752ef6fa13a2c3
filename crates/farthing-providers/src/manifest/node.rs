//! `kind: Node`: nodes that stand already, with who is on them.

use super::fault::{Fault, Report};
use super::fields::{Fields, items};
use super::workload::amounts;
use super::{scalar, shape};
use crate::yaml::{Node, Spot};
use farthing_model::{HourlyRate, NodeId, Purchase, Resources, WorkloadId};

/// Nodes of one object at most: a million lines of a cluster are not written as one.
const COUNT_MAX: u32 = 100_000;

/// Nodes that stand, alike in what they are and in who is on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingNodes {
    /// Their names.
    pub names: Vec<NodeId>,
    /// What they were bought as.
    pub bought: BoughtAs,
    /// What an hour of one costs; `None` = as the price book has it.
    pub price: Option<HourlyRate>,
    /// What one has; `None` = as the price book has it.
    pub capacity: Option<Resources>,
    /// Members of workloads on each.
    pub holds: Vec<(WorkloadId, u64)>,
    /// Whether they stay, whatever they cost.
    pub keep: bool,
    written: (String, Spot),
}

/// What tells an offer from the others of a price book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoughtAs {
    /// The provider's name of the machine.
    pub instance_type: String,
    /// The provider, where it is said.
    pub provider: Option<String>,
    /// The region, where it is said.
    pub region: Option<String>,
    /// The zone, where it is said.
    pub zone: Option<String>,
    /// How it is paid.
    pub purchase: Purchase,
}

impl StandingNodes {
    /// Something that is wrong with them, by their place in the file.
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        let (source, spot) = self.written.clone();
        let first = self.names.first().map(|name| format!("Node {name}"));
        let spot = (spot.line > 0).then_some(spot);
        Fault { source, spot, object: first, what: what.into() }
    }
}

/// Reads the spec; `None` only where faults were reported.
pub(crate) fn node(name: &str, spec: &Node, report: &mut Report) -> Option<StandingNodes> {
    let fields = Fields::open(spec, "spec", &shape::NODE, report)?;
    let text = |text: &str| Ok(text.to_owned());
    let purchases = Purchase::ALL.map(|purchase| (purchase.name(), purchase));
    let instance_type = fields.read("instanceType", text, report);
    let bought = BoughtAs {
        instance_type: instance_type.unwrap_or_default(),
        provider: fields.read("provider", text, report),
        region: fields.read("region", text, report),
        zone: fields.read("zone", text, report),
        purchase: fields.choice("purchase", &purchases, report).unwrap_or(Purchase::OnDemand),
    };
    let price = fields.read("price", rate, report);
    let resources = fields.get("resources");
    let capacity = resources.and_then(|node| amounts(node, "spec.resources", report));
    let count = fields.read("count", count, report);
    let names = names(name, count, fields.spot, report)?;
    let keep = fields.read("keep", scalar::truth, report).unwrap_or(false);
    let holds = holds(fields, report);
    let written = (report.source.clone(), spec.spot);
    Some(StandingNodes { names, bought, price, capacity, holds, keep, written })
}

fn rate(text: &str) -> scalar::Parsed<HourlyRate> {
    let read: Result<HourlyRate, _> = text.parse();
    let rate = read.map_err(|error| format!("{error}; write it like 0.192 USD/h"))?;
    match rate.per_hour().is_negative() {
        true => Err(format!("`{text}` is below zero")),
        false => Ok(rate),
    }
}

fn count(text: &str) -> scalar::Parsed<u32> {
    match scalar::count(text)? {
        count if count > COUNT_MAX => Err(format!("{count} is too many: at most {COUNT_MAX}")),
        count => Ok(count),
    }
}

/// The name of the object, or with a number for each where a count is given.
fn names(name: &str, count: Option<u32>, spot: Spot, report: &mut Report) -> Option<Vec<NodeId>> {
    let named = |text: String| NodeId::new(&text).map_err(|error| error.to_string());
    let names: Result<Vec<NodeId>, String> = match count {
        None => named(name.to_owned()).map(|name| vec![name]),
        Some(count) => (1..=count).map(|at| named(format!("{name}-{at}"))).collect(),
    };
    names.map_err(|what| report.fault(spot, what)).ok()
}

fn holds(fields: Fields<'_>, report: &mut Report) -> Vec<(WorkloadId, u64)> {
    let Some(list) = fields.get("holds") else { return Vec::new() };
    let mut holds: Vec<(WorkloadId, u64)> = Vec::new();
    for item in items(list, "spec.holds", report) {
        let Some(held) = Fields::open(item, "holds", &shape::HELD, report) else { continue };
        let name = |text: &str| WorkloadId::new(text).map_err(|error| error.to_string());
        let members = held.read("members", scalar::count, report).unwrap_or(1);
        let Some(workload) = held.read("workload", name, report) else { continue };
        if holds.iter().any(|(known, _)| *known == workload) {
            let what = format!("`holds` has {workload} twice: add its members up");
            report.fault(item.spot, what);
        }
        holds.push((workload, u64::from(members)));
    }
    holds.sort();
    holds
}
