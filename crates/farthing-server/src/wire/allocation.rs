//! Allocations and assets in the shapes of OpenCost, with all the keys of its answers, so that its
//! clients read them. What it measures and the books do not have is 0 there, as it is in its own.

use super::scalar::{WindowJson, decimal, hours, time};
use farthing_ledger::{Allocation, AllocationSet, Key, Statement, Usage};
use farthing_model::{Decimal, Money, Resource, Window};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An answer: `code` and one object of allocations by name for each window.
pub fn allocations(sets: &[AllocationSet], include_idle: bool) -> Value {
    let set = |set: &AllocationSet| {
        let kept = set.allocations.iter().filter(|(_, one)| include_idle || !one.is_idle);
        let one =
            |(name, one): (&String, &Allocation)| (name.clone(), allocation(name, one, set.window));
        Value::Object(kept.map(one).collect::<Map<_, _>>())
    };
    json!({ "code": 200, "status": "success", "data": sets.iter().map(set).collect::<Vec<_>>() })
}

/// Money as a number: clients of these shapes sum and draw it.
fn money(amount: Money) -> f64 {
    decimal(Decimal::from_nano(amount.pico() / 1_000))
}

fn start_and_end(window: Window) -> Value {
    let WindowJson { from, to } = window.into();
    json!({ "start": from, "end": to })
}

fn over(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A resource of an allocation: what it costs, and its hours.
struct Amount {
    cost: f64,
    /// Hours that are charged or spare.
    hours: f64,
    used: f64,
    allocated: f64,
}

impl Amount {
    /// Of a resource in units of one GPU, core or byte.
    fn of(one: &Allocation, resource: Resource) -> Self {
        let usage: Usage = *one.usage.get(resource);
        Self {
            cost: money(*one.cost.get(resource)),
            hours: hours(usage.paid_nano(), 1),
            used: hours(usage.used_nano, 1),
            allocated: hours(usage.allocated_nano(), 1),
        }
    }

    fn efficiency(&self) -> f64 {
        over(self.used, self.allocated)
    }
}

fn allocation(name: &str, one: &Allocation, window: Window) -> Value {
    let minutes = decimal(Decimal::from_nano(window.nanos() / 60));
    let span = minutes / 60.0;
    let [gpu, cpu, ram, pv] = [Resource::Gpu, Resource::Cpu, Resource::Memory, Resource::Storage]
        .map(|resource| Amount::of(one, resource));
    let worth = gpu.cost + cpu.cost + ram.cost;
    let used = [&gpu, &cpu, &ram].map(|amount| amount.cost * amount.efficiency());
    let mut all = json!({
        "name": name,
        "properties": properties(one),
        "window": start_and_end(window),
        "start": time(window.from()),
        "end": time(window.to()),
        "minutes": minutes,
        "cpuCores": over(cpu.hours, span),
        "cpuCoreRequestAverage": over(cpu.allocated, span),
        "cpuCoreLimitAverage": 0,
        "cpuCoreUsageAverage": over(cpu.used, span),
        "cpuCoreHours": cpu.hours,
        "cpuCost": cpu.cost,
        "cpuCostAdjustment": 0,
        "cpuCostIdle": 0,
        "cpuEfficiency": cpu.efficiency(),
        "gpuCount": over(gpu.hours, span),
        "gpuHours": gpu.hours,
        "gpuCost": gpu.cost,
        "gpuCostAdjustment": 0,
        "gpuCostIdle": 0,
        "gpuEfficiency": gpu.efficiency(),
        "pvBytes": over(pv.hours, span),
        "pvByteHours": pv.hours,
        "pvCost": pv.cost,
        "pvs": null,
        "pvCostAdjustment": 0,
        "ramBytes": over(ram.hours, span),
        "ramByteRequestAverage": over(ram.allocated, span),
        "ramByteLimitAverage": 0,
        "ramByteUsageAverage": over(ram.used, span),
        "ramByteHours": ram.hours,
        "ramCost": ram.cost,
        "ramCostAdjustment": 0,
        "ramCostIdle": 0,
        "ramEfficiency": ram.efficiency(),
        "externalCost": 0,
        "sharedCost": money(one.shared),
        "totalCost": money(one.total),
        "totalEfficiency": over(used.iter().sum(), worth),
        "lbAllocations": null,
        "gpuAllocation": null,
    });
    for name in NETWORK {
        all[name] = json!(0);
    }
    all["networkCost"] = json!(money(*one.cost.get(Resource::Network)));
    all
}

/// What the books do not tell apart: load balancers are overhead, held for a workload or not.
const NETWORK: [&str; 8] = [
    "networkTransferBytes",
    "networkReceiveBytes",
    "networkCrossZoneCost",
    "networkCrossRegionCost",
    "networkInternetCost",
    "networkCostAdjustment",
    "loadBalancerCost",
    "loadBalancerCostAdjustment",
];

fn properties(one: &Allocation) -> Value {
    let mut all = Map::new();
    let (mut labels, mut annotations) = (Map::new(), Map::new());
    for (key, value) in &one.properties {
        let value = Value::from(value.as_str());
        let name = match key {
            Key::Label(name) => {
                labels.insert(name.to_string(), value);
                continue;
            }
            Key::Annotation(name) => {
                annotations.insert(name.to_string(), value);
                continue;
            }
            Key::Service => {
                all.insert("services".to_owned(), json!([value]));
                continue;
            }
            Key::ControllerKind => "controllerKind".into(),
            Key::InstanceType => "instanceType".into(),
            key => key.name(),
        };
        all.insert(name.into_owned(), value);
    }
    for (name, map) in [("labels", labels), ("annotations", annotations)] {
        if !map.is_empty() {
            all.insert(name.to_owned(), Value::Object(map));
        }
    }
    Value::Object(all)
}

/// Nodes and their disks, from a statement by node, instance type, region, purchase and resource.
pub fn assets(statement: &Statement, cluster: &str) -> Value {
    let mut nodes: BTreeMap<&str, Node<'_>> = BTreeMap::new();
    for row in &statement.rows {
        let [node, kind, region, purchase, resource] = row.keys.as_slice() else { continue };
        let entry = nodes.entry(node).or_insert_with(|| Node {
            name: node,
            kind,
            region,
            is_spot: purchase == "spot",
            amounts: BTreeMap::new(),
            lists: BTreeMap::new(),
        });
        *entry.lists.entry(resource).or_default() += money(row.list);
        let (cost, paid, used) = entry.amounts.entry(resource).or_default();
        *cost += money(row.total);
        for (_, usage) in row.usage.iter() {
            *paid += hours(usage.paid_nano(), 1);
            *used += hours(usage.used_nano, 1);
        }
    }
    let mut all = Map::new();
    for node in nodes.values() {
        let key = |kind: &str| format!("{cluster}/{kind}/{}", node.name);
        all.insert(key("Node"), node.json(cluster, statement.window));
        if node.amount("storage").0 > 0.0 {
            all.insert(key("Disk"), node.disk(cluster, statement.window));
        }
    }
    json!({ "code": 200, "status": "success", "data": [all] })
}

/// Cost, hours that were paid, and hours that were used.
type Hours = (f64, f64, f64);

struct Node<'a> {
    name: &'a str,
    kind: &'a str,
    region: &'a str,
    is_spot: bool,
    amounts: BTreeMap<&'a str, Hours>,
    /// What a resource would cost at the price of the list.
    lists: BTreeMap<&'a str, f64>,
}

impl Node<'_> {
    fn amount(&self, resource: &str) -> Hours {
        self.amounts.get(resource).copied().unwrap_or_default()
    }

    fn list(&self, resource: &str) -> f64 {
        self.lists.get(resource).copied().unwrap_or_default()
    }

    fn head(&self, cluster: &str, window: Window, (kind, category): (&str, &str)) -> Value {
        json!({
            "type": kind,
            "properties": {
                "category": category,
                "service": "Kubernetes",
                "cluster": cluster,
                "name": self.name,
                "providerID": self.name,
            },
            "labels": { "topology.kubernetes.io/region": self.region },
            "window": start_and_end(window),
            "start": time(window.from()),
            "end": time(window.to()),
            "minutes": decimal(Decimal::from_nano(window.nanos() / 60)),
            "adjustment": 0,
        })
    }

    fn json(&self, cluster: &str, window: Window) -> Value {
        let mut all = self.head(cluster, window, ("Node", "Compute"));
        let span = decimal(Decimal::from_nano(window.nanos() / 3_600));
        let (gpu, cpu, ram) = (self.amount("gpu"), self.amount("cpu"), self.amount("memory"));
        let list = self.list("cpu") + self.list("memory");
        let breakdown = |(_, paid, used): Hours| {
            let user = over(used, paid);
            json!({ "idle": 1.0 - user, "other": 0, "system": 0, "user": user })
        };
        let more = json!({
            "nodeType": self.kind,
            "cpuCores": over(cpu.1, span),
            "ramBytes": over(ram.1, span),
            "cpuCoreHours": cpu.1,
            "ramByteHours": ram.1,
            "GPUHours": gpu.1,
            "cpuBreakdown": breakdown(cpu),
            "ramBreakdown": breakdown(ram),
            "preemptible": u8::from(self.is_spot),
            // As there: (cpuCost + ramCost) x (1 - discount) + gpuCost = totalCost.
            "discount": if list > 0.0 { 1.0 - (cpu.0 + ram.0) / list } else { 0.0 },
            "cpuCost": self.list("cpu"),
            "gpuCost": gpu.0,
            "gpuCount": over(gpu.1, span),
            "ramCost": self.list("memory"),
            "totalCost": gpu.0 + cpu.0 + ram.0,
        });
        merge(&mut all, more);
        all
    }

    fn disk(&self, cluster: &str, window: Window) -> Value {
        let mut all = self.head(cluster, window, ("Disk", "Storage"));
        let span = decimal(Decimal::from_nano(window.nanos() / 3_600));
        let (cost, paid, used) = self.amount("storage");
        let more = json!({
            "byteHours": paid,
            "bytes": over(paid, span),
            "byteHoursUsed": used,
            "byteUsageMax": null,
            "breakdown": { "idle": 0, "other": 0, "system": 0, "user": 0 },
            "totalCost": cost,
            "storageClass": "",
            "volumeName": "",
            "claimName": "",
            "claimNamespace": "",
        });
        merge(&mut all, more);
        all
    }
}

fn merge(all: &mut Value, more: Value) {
    if let (Value::Object(all), Value::Object(more)) = (all, more) {
        all.extend(more);
    }
}
