//! Kueue's own configuration by money: flavors in the order of what they cost, and what a unit of
//! each resource is worth in credits, so that a quota can be one of money.
//!
//! A credit is worth so much an hour. Of a machine with accelerators these are worth what is left
//! of its price once its cores are paid, so that the credits of a whole machine are its price.

use farthing_model::{HourlyRate, Money, Purchase, Resources};
use std::cmp::Ordering;
use std::fmt::Write as _;

/// Under which name Workloads take credits.
pub const CREDITS: &str = "farthing.dev/credits";

/// A flavor, and the machine that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The flavor's name.
    pub name: String,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// Its region; empty where it has none.
    pub region: String,
    /// How it is paid.
    pub purchase: Purchase,
    /// What it has.
    pub capacity: Resources,
    /// What an hour of it costs.
    pub price: HourlyRate,
}

/// What a unit of a resource is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The resource: `cpu`, `nvidia.com/gpu`.
    pub resource: String,
    /// Credits of one core, or of one device.
    pub each: u64,
}

/// Why there is no configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Prices that do not compare.
    #[error("{0} and {1} are in two currencies")]
    Currencies(String, String),
    /// A credit that is worth nothing.
    #[error("a credit has to be worth more than nothing an hour")]
    Free,
    /// A price beyond what can be counted.
    #[error("{0} is worth more credits than can be counted")]
    Big(String),
    /// The same name twice.
    #[error("{0} is named twice")]
    Twice(String),
}

/// Sorts flavors by what they cost, the cheapest first: by an hour of a device, and machines
/// without any by an hour of a core, after those with.
///
/// # Errors
/// Two currencies, or a name twice.
pub fn in_order(mut machines: Vec<Machine>) -> Result<Vec<Machine>, ConfigError> {
    for (at, machine) in machines.iter().enumerate() {
        for other in &machines[..at] {
            if other.name == machine.name {
                return Err(ConfigError::Twice(machine.name.clone()));
            }
            if other.price.per_hour().currency() != machine.price.per_hour().currency() {
                let (a, b) = (other.name.clone(), machine.name.clone());
                return Err(ConfigError::Currencies(a, b));
            }
        }
    }
    machines.sort_by(|a, b| cheaper(a, b).then_with(|| a.name.cmp(&b.name)));
    Ok(machines)
}

fn cheaper(a: &Machine, b: &Machine) -> Ordering {
    let has = |it: &Machine| it.capacity.gpu_milli > 0;
    has(b).cmp(&has(a)).then_with(|| {
        let size = |it: &Machine| {
            let milli = if has(it) { it.capacity.gpu_milli } else { it.capacity.cpu_milli };
            i128::from(milli.max(1))
        };
        // Crosswise, so that nothing is rounded. Prices are below 10^26, sizes below 2^64 in
        // theory and 10^9 in machines: what does not fit compares as the largest.
        let of = |price: &Machine, size: i128| {
            price.price.per_hour().pico().checked_mul(size).unwrap_or(i128::MAX)
        };
        of(a, size(b)).cmp(&of(b, size(a)))
    })
}

/// What a core and a device of a machine are worth, where a credit is `unit` an hour: a core as it
/// is bought alone, a device what is left. At least one each.
///
/// # Errors
/// A credit worth nothing, two currencies, or more than can be counted.
pub fn worth(
    machine: &Machine,
    (core, unit): (HourlyRate, HourlyRate),
    resource: &str,
) -> Result<Credit, ConfigError> {
    let unit = unit.per_hour();
    if unit.is_zero() {
        return Err(ConfigError::Free);
    }
    let big = || ConfigError::Big(resource.to_owned());
    let same = |money: Money, name: &str| {
        let differ = money.currency() != unit.currency();
        if differ {
            Err(ConfigError::Currencies(name.to_owned(), "a credit".to_owned()))
        } else {
            Ok(money.pico())
        }
    };
    let core = same(core.per_hour(), "a core")?;
    let price = same(machine.price.per_hour(), &machine.name)?;
    let cores = core.checked_mul(i128::from(machine.capacity.cpu_milli)).ok_or_else(big)? / 1_000;
    let (left, count) = if resource == "cpu" {
        (core, 1)
    } else {
        let devices = i128::from(machine.capacity.gpu_milli / 1_000).max(1);
        ((price - cores).max(0), devices)
    };
    let per = unit.pico().checked_mul(count).ok_or_else(big)?;
    let each = left.checked_add(per / 2).ok_or_else(big)? / per;
    let each = u64::try_from(each.max(1)).map_err(|_| big())?;
    Ok(Credit { resource: resource.to_owned(), each })
}

/// What something that takes so many units of each is worth.
pub fn total(credits: &[Credit], takes: &[(&str, u64)]) -> u64 {
    let of = |name: &str| credits.iter().find(|it| it.resource == name).map_or(0, |it| it.each);
    takes.iter().map(|(name, count)| of(name).saturating_mul(*count)).fold(0, u64::saturating_add)
}

/// The flavors as objects, in their order.
pub fn flavors(machines: &[Machine]) -> String {
    let mut out = String::new();
    for (at, it) in machines.iter().enumerate() {
        let Machine { name, instance_type, region, purchase, price, .. } = it;
        let price = price.per_hour();
        // A string is always written.
        let _ = write!(
            out,
            "{}apiVersion: kueue.x-k8s.io/v1beta2\n\
             kind: ResourceFlavor\n\
             metadata:\n  name: {name}\n  annotations:\n    \
             farthing.dev/price: \"{price}/h\"\n\
             spec:\n  nodeLabels:\n    node.kubernetes.io/instance-type: {instance_type}\n",
            if at == 0 { "" } else { "---\n" },
        );
        if !region.is_empty() {
            let _ = writeln!(out, "    topology.kubernetes.io/region: {region}");
        }
        if matches!(purchase, Purchase::Spot | Purchase::OnDemand) {
            let _ = writeln!(out, "    karpenter.sh/capacity-type: {purchase}");
        }
    }
    out
}

/// The part of a `ClusterQueue` that says in which order flavors are tried; quotas are to be
/// filled in.
pub fn queue(machines: &[Machine], resources: &[String]) -> String {
    let mut out = "spec:\n  resourceGroups:\n    - coveredResources:\n".to_owned();
    for resource in resources {
        let _ = writeln!(out, "        - {resource}");
    }
    let _ = writeln!(out, "      flavors:");
    for machine in machines {
        let _ = writeln!(out, "        - name: {}\n          resources:", machine.name);
        for resource in resources {
            let _ = writeln!(out, "            - name: {resource}\n              nominalQuota: 0");
        }
    }
    out
}

/// The part of Kueue's `Configuration` that turns resources into credits. The resources themselves
/// stay, as flavors and prices need them.
pub fn transformations(credits: &[Credit]) -> String {
    let mut out = "resources:\n  transformations:\n".to_owned();
    for Credit { resource, each } in credits {
        let _ = write!(
            out,
            "    - input: {resource}\n      strategy: Retain\n      outputs:\n        \
             {CREDITS}: \"{each}\"\n"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn machine(name: &str, (cores, gpus): (u64, u64), price: &str) -> Machine {
        Machine {
            name: name.to_owned(),
            instance_type: format!("{name}.large"),
            region: "us-east-1".to_owned(),
            purchase: Purchase::OnDemand,
            capacity: Resources {
                cpu_milli: cores * 1_000,
                gpu_milli: gpus * 1_000,
                ..Resources::default()
            },
            price: price.parse().unwrap(),
        }
    }

    fn rate(text: &str) -> HourlyRate {
        text.parse().unwrap()
    }

    /// One core, two devices at ten and one at forty are 61 credits.
    #[test]
    fn credits_add_up() {
        let (core, unit) = (rate("0.05 USD/h"), rate("0.05 USD/h"));
        let small = machine("small", (8, 1), "0.90 USD/h");
        let large = machine("large", (16, 4), "8.80 USD/h");
        let credits = [
            worth(&small, (core, unit), "cpu").unwrap(),
            worth(&small, (core, unit), "vendor.com/type1").unwrap(),
            worth(&large, (core, unit), "vendor.com/type2").unwrap(),
        ];
        assert_eq!(credits.each_ref().map(|it| it.each), [1, 10, 40]);
        let takes = [("cpu", 1), ("vendor.com/type1", 2), ("vendor.com/type2", 1)];
        assert_eq!(total(&credits, &takes), 61);
        let text = transformations(&credits);
        assert!(text.contains("    - input: vendor.com/type2\n      strategy: Retain\n"), "{text}");
        assert!(text.ends_with("farthing.dev/credits: \"40\"\n"), "{text}");
    }

    #[test]
    fn the_cheapest_device_comes_first_and_machines_without_last() {
        let all = vec![
            machine("cpu", (64, 0), "2 USD/h"),
            machine("h100", (192, 8), "80 USD/h"),
            machine("a10g", (48, 4), "6 USD/h"),
            machine("a10g-one", (8, 1), "1 USD/h"),
        ];
        let sorted = in_order(all.clone()).unwrap();
        let names: Vec<_> = sorted.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a10g-one", "a10g", "h100", "cpu"]);
        let mut other = all;
        other.reverse();
        assert_eq!(flavors(&in_order(other.clone()).unwrap()), flavors(&sorted));
        other.push(machine("cpu", (1, 0), "1 USD/h"));
        assert_eq!(in_order(other.clone()).unwrap_err(), ConfigError::Twice("cpu".to_owned()));
        other.pop();
        other.push(machine("euro", (1, 0), "1 EUR/h"));
        assert!(in_order(other).unwrap_err().to_string().contains("two currencies"));
    }

    proptest! {
        /// The credits of a whole machine are its price, to half a credit for each device.
        #[test]
        fn a_whole_machine_is_worth_its_price(
            cores in 1_u64..200, gpus in 1_u64..17, cents in 1_000_u64..20_000,
        ) {
            let unit = rate("0.04 USD/h");
            let price = format!("{}.{:02} USD/h", cents / 100, cents % 100);
            let it = machine("m", (cores, gpus), &price);
            let credits = [
                worth(&it, (unit, unit), "cpu").unwrap(),
                worth(&it, (unit, unit), "nvidia.com/gpu").unwrap(),
            ];
            let all = total(&credits, &[("cpu", cores), ("nvidia.com/gpu", gpus)]);
            let exact = (cents / 4).max(cores);
            prop_assert!(all.abs_diff(exact) <= gpus + 1, "{all} {exact}");
        }
    }
}
