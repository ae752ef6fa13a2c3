//! What a Workload costs in an hour on the flavors that it was given.
//!
//! A flavor is the nodes that have its labels; where none is there, a machine of the price book.
//! A Workload is priced by the resource of which it takes the largest part of such a machine, and
//! where a flavor is several machines, by the dearest on which it fits. So it is an upper end: the
//! ledger charges a pod the weighted parts of its resources, which is never more than the largest.

use super::object::{Amounts, Flavor, Given, Queued};
use super::queues::Queues;
use crate::gpu;
use crate::measure::facts;
use crate::object::NodeObject;
use crate::object::pod::Asks;
use crate::price::{NodePrices, Prices};
use crate::state::State;
use farthing_model::{Money, Price, Resources};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What something costs in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hourly {
    pub(crate) money: Money,
    /// Accelerators, in thousandths.
    pub(crate) gpu_milli: u64,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) has: Amounts,
    pub(crate) per_hour: Money,
}

/// The machines of each flavor; or why they have no price.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlavorPrices(BTreeMap<Arc<str>, Result<Vec<Machine>, String>>);

impl Machine {
    /// How much it has; what it does not state of disks it has attached.
    fn of(&self, name: &str) -> u64 {
        let found = self.has.iter().find(|(own, _)| &**own == name).map(|(_, has)| *has);
        found.unwrap_or(if name == "ephemeral-storage" { u64::MAX } else { 0 })
    }
}

impl FlavorPrices {
    /// Of all flavors that there are.
    pub(crate) fn of(state: &State, prices: &mut NodePrices) -> Self {
        let Queues { flavors, .. } = &state.kueue;
        let mut faults = BTreeSet::new();
        let mut priced: Vec<(&NodeObject, Result<Machine, String>)> = Vec::new();
        for node in state.nodes.values() {
            let Some(facts) = facts(state, node, prices, &mut faults) else { continue };
            let machine = match &facts.priced.price {
                Price::Unknown(why) => Err(format!("node {}: {why}", node.name)),
                Price::Known(rate, _) => Ok(Machine {
                    has: has(facts.capacity, &node.devices),
                    per_hour: rate.per_hour(),
                }),
            };
            priced.push((node, machine));
        }
        let of = |flavor: &Flavor| (Arc::clone(&flavor.name), machines(flavor, &priced));
        let mut all: BTreeMap<_, _> = flavors.values().map(of).collect();
        for (name, found) in &mut all {
            if found.as_ref().is_ok_and(Vec::is_empty) {
                *found = from_book(&flavors[name], prices.asked());
            }
        }
        Self(all)
    }

    /// Whether all flavors that there are now are among them.
    pub(crate) fn knows(&self, queues: &Queues) -> bool {
        queues.flavors.keys().eq(self.0.keys())
    }

    #[cfg(test)]
    pub(crate) fn with(all: impl IntoIterator<Item = (&'static str, Machine)>) -> Self {
        Self(all.into_iter().map(|(name, it)| (Arc::from(name), Ok(vec![it]))).collect())
    }

    /// What a Workload costs in an hour where it was put; or why that is not known.
    pub(crate) fn hourly(&self, workload: &Queued) -> Result<Hourly, String> {
        let mut sum: Option<Hourly> = None;
        for set in workload.given.iter().flatten() {
            let done = workload.done.iter().find(|(name, _)| *name == set.name);
            let left = set.count.saturating_sub(done.map_or(0, |(_, count)| *count));
            for (flavor, usage) in by_flavor(set) {
                let own = self.of_flavor(flavor, &usage, (left, set.count))?;
                sum = Some(match sum {
                    None => own,
                    Some(sum) => Hourly {
                        money: sum.money.checked_add(own.money).map_err(|it| it.to_string())?,
                        gpu_milli: sum.gpu_milli.saturating_add(own.gpu_milli),
                    },
                });
            }
        }
        sum.ok_or_else(|| "it was given nothing that has a price".to_owned())
    }

    /// What so many pods cost in an hour on the dearest flavor that they fit on; or why that is not
    /// known, which it is not where one of the flavors has no price.
    pub(crate) fn dearest(&self, asks: &Asks, pods: u64) -> Result<Money, String> {
        let own = &asks.resources;
        let mut each: Vec<(&str, u64)> = vec![
            ("cpu", own.cpu_milli),
            ("memory", own.memory_bytes),
            ("ephemeral-storage", own.storage_bytes),
        ];
        each.extend(asks.devices.iter().map(|(name, count)| (&**name, *count)));
        each.retain(|(_, amount)| *amount > 0);
        if each.is_empty() || pods == 0 {
            return Err("its pods ask for nothing that has a price".to_owned());
        }
        let mut dearest: Option<Money> = None;
        for (flavor, machines) in &self.0 {
            let machines = machines.as_ref().map_err(|why| format!("flavor {flavor}: {why}"))?;
            for machine in machines {
                let fits = each.iter().all(|(name, amount)| machine.of(name) >= *amount);
                let cost = if fits { on(machine, &each, (pods, 1))? } else { None };
                let Some(cost) = cost else { continue };
                match dearest {
                    Some(most) if most.currency() != cost.currency() => {
                        return Err("flavors have prices in two currencies".to_owned());
                    }
                    Some(most) if most.pico() >= cost.pico() => {}
                    _ => dearest = Some(cost),
                }
            }
        }
        let names = || each.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        dearest.ok_or_else(|| format!("no machine has so much {}", names()))
    }

    /// What a part of an amount on a flavor costs.
    fn of_flavor(
        &self,
        flavor: &str,
        usage: &[(&str, u64)],
        (left, of): (u64, u64),
    ) -> Result<Hourly, String> {
        let machines = match self.0.get(flavor) {
            None => return Err(format!("there is no flavor {flavor}")),
            Some(Err(why)) => return Err(format!("flavor {flavor}: {why}")),
            Some(Ok(machines)) => machines,
        };
        let mut dearest: Option<Money> = None;
        for machine in machines {
            let Some(cost) = on(machine, usage, (left, of))? else { continue };
            match dearest {
                Some(most) if most.currency() != cost.currency() => {
                    return Err(format!("flavor {flavor} has prices in two currencies"));
                }
                Some(most) if most.pico() >= cost.pico() => {}
                _ => dearest = Some(cost),
            }
        }
        let named = || usage.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let money =
            dearest.ok_or_else(|| format!("flavor {flavor}: no machine of it has {}", named()))?;
        let gpus = usage.iter().filter(|(name, _)| gpu::is_device(name)).map(|(_, count)| count);
        let gpus = gpus.sum::<u64>().saturating_mul(1_000).saturating_mul(left);
        Ok(Hourly { money, gpu_milli: gpus.div_ceil(of.max(1)) })
    }
}

/// A machine of a test.
#[cfg(test)]
pub(crate) fn priced(has: &[(&str, u64)], per_hour: Money) -> Machine {
    let has = has.iter().map(|(name, amount)| (Arc::from(*name), *amount)).collect();
    Machine { has, per_hour }
}

/// What a set takes of each of its flavors.
fn by_flavor(set: &Given) -> BTreeMap<&str, Vec<(&str, u64)>> {
    let mut all: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
    for (resource, flavor) in &set.flavors {
        if let Some((_, amount)) = set.usage.iter().find(|(name, _)| name == resource) {
            all.entry(flavor).or_default().push((resource, *amount));
        }
    }
    all
}

/// What so much costs on machines of one kind, rounded up; `None` where they lack a resource.
fn on(
    machine: &Machine,
    usage: &[(&str, u64)],
    (left, of): (u64, u64),
) -> Result<Option<Money>, String> {
    let mut most: Option<i128> = None;
    for (name, amount) in usage {
        let has = machine.has.iter().find(|(own, _)| &**own == *name).map_or(0, |(_, has)| *has);
        match (*name, has) {
            // A machine that states no disk has volumes attached.
            ("ephemeral-storage", 0) => continue,
            (_, 0) => return Ok(None),
            _ => {}
        }
        let big = || format!("so much {name} costs more than fits");
        let top = machine.per_hour.pico().checked_mul(i128::from(*amount)).ok_or_else(big)?;
        let top = top.checked_mul(i128::from(left)).ok_or_else(big)?;
        let under = i128::from(has) * i128::from(of.max(1));
        let cost = top / under + i128::from(top % under != 0);
        most = Some(most.map_or(cost, |most| most.max(cost)));
    }
    Ok(most.map(|pico| Money::from_pico(pico, machine.per_hour.currency())))
}

/// The nodes of a flavor, each kind of machine once. Where one has no price, all have none: it
/// could be put there.
fn machines(
    flavor: &Flavor,
    nodes: &[(&NodeObject, Result<Machine, String>)],
) -> Result<Vec<Machine>, String> {
    let mut found: Vec<Machine> = Vec::new();
    for (node, machine) in nodes {
        let has = |(name, value): (&String, &String)| {
            node.labels.get(name.as_str()).is_some_and(|own| **own == **value)
        };
        if !flavor.labels.iter().all(has) {
            continue;
        }
        let machine = machine.clone()?;
        if !found.contains(&machine) {
            found.push(machine);
        }
    }
    Ok(found)
}

/// The machine that a flavor's own labels name.
fn from_book(flavor: &Flavor, prices: &mut dyn Prices) -> Result<Vec<Machine>, String> {
    if flavor.labels.is_empty() {
        return Err("it has no labels, and there are no nodes".to_owned());
    }
    let priced = prices.price(&flavor.labels, None).map_err(|error| error.to_string())?;
    let rate = match &priced.price {
        Price::Unknown(why) => return Err(format!("no node has its labels, and {why}")),
        Price::Known(rate, _) => *rate,
    };
    let capacity = prices.capacity(&priced.offer).ok_or_else(|| {
        format!("no node has its labels, and the size of {} is not known", priced.offer)
    })?;
    Ok(vec![Machine { has: has(capacity, &[]), per_hour: rate.per_hour() }])
}

/// What a machine has, under the names that Workloads ask for.
fn has(capacity: Resources, devices: &[(Arc<str>, u64)]) -> Amounts {
    let mut has: Amounts = vec![
        (Arc::from("cpu"), capacity.cpu_milli),
        (Arc::from("memory"), capacity.memory_bytes),
        (Arc::from("ephemeral-storage"), capacity.storage_bytes),
    ];
    if devices.is_empty() {
        let whole = capacity.gpu_milli / 1_000;
        has.extend(gpu::WHOLE.iter().map(|name| (Arc::from(*name), whole)));
    }
    has.extend(devices.iter().cloned());
    has.retain(|(_, amount)| *amount > 0);
    has
}
