//! GCP lists the host and its accelerator in two rows: the price of a machine is their sum in the
//! same zone.
//!
//! Joined by machine type: the list says which accelerator and how many a type holds (a2, a3, g2
//! bundle them; an N1 host takes T4 or V100 attached), the row of exactly that accelerator and
//! count is the other half.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::catalog::Row;
use crate::decimal::Decimal;
use crate::machines::Machine;
use crate::prices::Candidate;
use crate::report::{Reason, Report};

/// Rows by (machine type or accelerator, count, zone).
struct Parts<'a> {
    hosts: BTreeMap<(&'a str, &'a str), &'a Row>,
    accelerators: BTreeMap<(&'a str, Decimal, &'a str), &'a Row>,
}

fn parts(rows: &[Row]) -> Parts<'_> {
    let mut parts = Parts { hosts: BTreeMap::new(), accelerators: BTreeMap::new() };
    for row in rows.iter().filter(|row| row.provider == "gcp") {
        if row.instance_type.is_empty() {
            let key =
                (row.accelerator.as_str(), row.count.unwrap_or(Decimal::ZERO), row.zone.as_str());
            parts.accelerators.entry(key).or_insert(row);
        } else {
            parts.hosts.entry((row.instance_type.as_str(), row.zone.as_str())).or_insert(row);
        }
    }
    parts
}

/// The candidates of GCP, one for each machine and zone in which both halves are listed.
pub(crate) fn candidates(
    rows: &[Row],
    machines: &[Machine],
    report: &mut Report,
) -> Result<Vec<Candidate>> {
    let parts = parts(rows);
    let mut found = Vec::new();
    for &machine in machines.iter().filter(|machine| machine.provider == "gcp") {
        let Some(host) = machine.host() else {
            whole(&parts, machine, &mut found);
            continue;
        };
        if machine.count == 0 {
            let hosts = parts.hosts.iter().filter(|((name, _), _)| *name == host);
            found.extend(hosts.map(|(_, row)| Candidate::from_row(machine, row)));
            continue;
        }
        let count = Decimal::whole(machine.count);
        let leaked = leaked(&parts, host, machine.theirs, count);
        for ((theirs, of, zone), accelerator) in &parts.accelerators {
            if *theirs != machine.theirs || *of != count {
                continue;
            }
            let Some(row) = parts.hosts.get(&(host, *zone)) else {
                report.add(Reason::NoHost, "gcp");
                continue;
            };
            let mut candidate = Candidate::from_row(machine, row);
            candidate.price = sum(row.price, accelerator.price)?;
            candidate.spot = sum(row.spot, accelerator.spot)?;
            candidate.host_free = row.price == Some(Decimal::ZERO);
            candidate.leaked = leaked.contains(zone);
            found.push(candidate);
        }
    }
    Ok(found)
}

/// A TPU machine: one row holds the whole price, and the shape comes from the machine list.
fn whole(parts: &Parts<'_>, machine: Machine, found: &mut Vec<Candidate>) {
    for ((theirs, _, _), row) in &parts.accelerators {
        if *theirs == machine.theirs {
            let mut candidate = Candidate::from_row(machine, row);
            let shape = machine.tpu_shape();
            candidate.vcpus = shape.map(|(vcpus, _)| Decimal::whole(vcpus));
            candidate.memory = shape.map(|(_, memory)| Decimal::whole(memory));
            found.push(candidate);
        }
    }
}

/// Both halves must have a price above zero: half a price is no price.
pub(crate) fn sum(host: Option<Decimal>, accelerator: Option<Decimal>) -> Result<Option<Decimal>> {
    match (host, accelerator) {
        (Some(host), Some(accelerator)) if host > Decimal::ZERO && accelerator > Decimal::ZERO => {
            Ok(Some(host.plus(accelerator)?))
        }
        _ => Ok(None),
    }
}

/// Zones whose on-demand accelerator price is not one.
///
/// GCP scales hosts and accelerators of a region alike, so the ratio accelerator : host of one
/// machine type hardly varies (L4: 3.4 to 3.8). In some regions of the catalogue it is less than
/// half of that of the others, with one and the same accelerator price on several continents, and
/// sometimes a spot price above it: a committed or flexible-start price stands where on demand
/// should. 0.7 of the highest ratio lies between the two groups.
fn leaked<'a>(parts: &Parts<'a>, host: &str, theirs: &str, count: Decimal) -> BTreeSet<&'a str> {
    let mut ratios: Vec<(&str, i128, i128)> = Vec::new();
    for ((name, of, zone), accelerator) in &parts.accelerators {
        let row = parts.hosts.get(&(host, *zone));
        let prices = (accelerator.price, row.and_then(|row| row.price));
        if let (true, (Some(part), Some(base))) = (*name == theirs && *of == count, prices)
            && base > Decimal::ZERO
        {
            ratios.push((zone, part.units(), base.units()));
        }
    }
    let highest = ratios.iter().max_by(|a, b| (a.1 * b.2).cmp(&(b.1 * a.2))).copied();
    let Some((_, part, base)) = highest else { return BTreeSet::new() };
    let low = |ratio: &&(&str, i128, i128)| ratio.1 * base * 10 < part * ratio.2 * 7;
    ratios.iter().filter(low).map(|ratio| ratio.0).collect()
}
