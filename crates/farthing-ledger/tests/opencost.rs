//! Allocations against cases of the field's reference implementation, through the books: each
//! allocation of a case is charged, posted, read back and aggregated.
//!
//! The cases of `opencost.json` are here; `FARTHING_OPENCOST_CASES=FILE.json` names more, or else
//! those of the folder of shared fixtures are read, and without it the test says so.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says so")]

mod world;

use farthing_ledger::{
    AllocationQuery, AllocationSet, Books, Filter, Metered, Method, Property, ShareIdle,
    allocations,
};
use farthing_model::{
    Asset, Attribution, Charge, ClusterId, Controller, Coverage, Currency, Destination, Money,
    NodeId, NodeSpan, OfferId, PerResource, Place, PriceKind, Provenance, Purchase, Resource,
    Resources, Sample, Window, WorkloadId,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use world::*;

type Object = Map<String, Value>;

/// Refuses what it does not know: an option that is ignored would prove nothing.
fn known<'a>(value: &'a Value, names: &[&str]) -> &'a Object {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    for name in object.keys() {
        assert!(names.contains(&name.as_str()), "`{name}` of {value} is not known: {names:?}");
    }
    object
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).map_or("", |value| value.as_str().unwrap_or_else(|| panic!("{name}: {value}")))
}

fn money(object: &Object, name: &str) -> Money {
    object.get(name).map_or(usd("0"), amount)
}

/// A number as it is written, without passing through arithmetic of floats.
fn amount(value: &Value) -> Money {
    match value {
        Value::Number(number) => usd(&number.to_string()),
        Value::String(text) => usd(text),
        _ => panic!("{value} is not an amount"),
    }
}

fn flag(options: &Object, name: &str) -> bool {
    options.get(name).is_some_and(|value| value.as_bool().unwrap_or_else(|| panic!("{value}")))
}

fn strings(object: &Object, name: &str) -> BTreeMap<String, String> {
    let Some(value) = object.get(name).filter(|value| !value.is_null()) else {
        return BTreeMap::new();
    };
    let entries = value.as_object().unwrap_or_else(|| panic!("{name}: {value}"));
    entries.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(all)) => all.iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
        Some(other) => panic!("{other} is not a list of names"),
    }
}

/// The charges of one line of a case. Network and load balancers are charged as storage is, as
/// neither has idle: only their sum matters here.
fn charges(value: &Value, destination: Destination) -> Vec<Charge> {
    let fields = [
        "name",
        "cluster",
        "namespace",
        "pod",
        "container",
        "node",
        "cpu",
        "gpu",
        "ram",
        "pv",
        "net",
        "lb",
        "labels",
        "annotations",
        "controllerKind",
        "controller",
        "services",
    ];
    let line = known(value, &fields);
    let owned = |name: &str| Some(text(line, name).to_owned()).filter(|text| !text.is_empty());
    let mut who = Attribution::of(WorkloadId::new(text(line, "name")).unwrap());
    (who.namespace, who.pod, who.container) =
        (owned("namespace"), owned("pod"), owned("container"));
    who.controller = owned("controller")
        .map(|name| Controller { kind: text(line, "controllerKind").to_owned(), name });
    who.labels = Arc::new(strings(line, "labels"));
    who.annotations = strings(line, "annotations");
    who.services = list(line.get("services"));
    let team = who.labels.get("team").or_else(|| who.annotations.get("team"));
    who.team = team.map(|team| farthing_model::TeamId::new(team).unwrap());
    let attribution = (destination == Destination::Used).then(|| Arc::new(who));
    let node = owned("node").unwrap_or_else(|| "any".to_owned());
    let costs = [
        (Asset::Node, Resource::Cpu, "cpu"),
        (Asset::Node, Resource::Gpu, "gpu"),
        (Asset::Node, Resource::Memory, "ram"),
        (Asset::Volume, Resource::Storage, "pv"),
        (Asset::Network, Resource::Network, "net"),
        (Asset::LoadBalancer, Resource::Storage, "lb"),
    ];
    let charge = |(asset, resource, name)| Charge {
        asset,
        detail: None,
        cluster: ClusterId::new(text(line, "cluster")).unwrap(),
        window: hour(),
        node: NodeId::new(&node).unwrap(),
        offer: OfferId::new("any/any/any/owned").unwrap(),
        place: Arc::new(Place { provider: "any".to_owned(), region: "any".to_owned(), zone: None }),
        instance_type: Arc::from("any"),
        purchase: Purchase::Owned,
        resource,
        destination,
        attribution: attribution.clone(),
        quantity_nano: 1,
        cost: money(line, name),
        list_cost: money(line, name),
        node_rate: "1 USD/h".parse().unwrap(),
        provenance: Arc::new(Provenance {
            kind: PriceKind::AmortisedOwned,
            source: "the case".to_owned(),
            as_of: jiff::civil::date(2026, 3, 1),
            list: None,
        }),
    };
    costs.into_iter().map(charge).filter(|charge| !charge.cost.is_zero()).collect()
}

fn books(lines: &[Charge]) -> (Books, Vec<ClusterId>) {
    let books = Books::in_memory();
    let clusters: BTreeSet<ClusterId> = lines.iter().map(|charge| charge.cluster.clone()).collect();
    for cluster in &clusters {
        let charges: Vec<_> = lines.iter().filter(|c| c.cluster == *cluster).cloned().collect();
        let paid = Money::sum(charges.iter().map(|charge| charge.cost), Currency::USD).unwrap();
        books
            .put_hour(&Metered {
                cluster: cluster.clone(),
                window: hour(),
                method: Method::ByDevice,
                currency: Currency::USD,
                weights: weights(),
                charges,
                paid,
                list: paid,
                usage: PerResource::default(),
                coverage: Coverage::default(),
                overcommits: Vec::new(),
                unpriced: Vec::new(),
                duplicates: 0,
                faults: Vec::new(),
            })
            .unwrap();
    }
    (books, clusters.into_iter().collect())
}

/// All texts of an option that is one filter or a list of them, any of which is enough.
fn filter(options: &Object, names: &[&str]) -> Option<Filter> {
    let texts = names.iter().flat_map(|name| list(options.get(*name)));
    let parse = |text: String| text.parse().unwrap_or_else(|error| panic!("{error}"));
    Filter::any(texts.filter(|text| !text.is_empty()).map(parse))
}

fn query(options: &Object, clusters: Vec<ClusterId>, hours: i128) -> AllocationQuery {
    let property = |name: String| match name.parse::<Property>() {
        Ok(property) => property,
        Err(error) => panic!("by {name}: {error}"),
    };
    let even = |name: &str| match options.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(false),
        Some(value) => match value.as_str().unwrap().trim_matches('_') {
            "weighted" | "proportional" => Some(false),
            "even" => Some(true),
            "none" | "separate" | "" => None,
            other => panic!("{name} `{other}` is not weighted, even or none"),
        },
    };
    let mut flat = usd("0");
    for name in ["overhead_hourly", "shared_hourly_costs"] {
        let costs: Vec<Money> = match options.get(name) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(costs)) => costs.values().map(amount).collect(),
            Some(cost) => vec![amount(cost)],
        };
        for cost in costs {
            flat = flat.checked_add(cost.checked_mul_int(hours).unwrap()).unwrap();
        }
    }
    AllocationQuery {
        clusters,
        window: hour(),
        currency: Currency::USD,
        aggregate: list(options.get("by")).into_iter().map(property).collect(),
        filter: filter(options, &["filt", "filter"]),
        idle: match even("share_idle") {
            None => ShareIdle::Separate,
            Some(false) => ShareIdle::Proportional,
            Some(true) => ShareIdle::Even,
        },
        idle_by_node: flag(options, "idle_by_node"),
        split_idle: flag(options, "split_idle"),
        common: filter(options, &["share"]),
        common_evenly: even("share_split") == Some(true),
        flat: Some(flat).filter(|flat| !flat.is_zero()),
    }
}

const OPTIONS: [&str; 10] = [
    "by",
    "filt",
    "filter",
    "share_idle",
    "idle_by_node",
    "split_idle",
    "share",
    "share_split",
    "overhead_hourly",
    "shared_hourly_costs",
];

fn run_case(file: &Object, case: &Object) -> AllocationSet {
    let options = known(&case["options"], &OPTIONS);
    let lines = |name: &str| file[name].as_array().unwrap().clone();
    let by_node = flag(options, "idle_by_node");
    let idle = lines(if by_node { "idle_by_node" } else { "idle_by_cluster" });
    let mut all: Vec<Charge> = Vec::new();
    for line in lines("allocations") {
        all.extend(charges(&line, Destination::Used));
    }
    for line in idle {
        all.extend(charges(&line, Destination::Unallocated));
    }
    let (books, clusters) = books(&all);
    let hours = file.get("window_hours").map_or(24, |hours| {
        let hours = hours.as_i64().unwrap_or_else(|| panic!("{hours} is not a number of hours"));
        i128::from(hours)
    });
    allocations(&books, &query(options, clusters, hours)).unwrap()
}

/// What is wrong with a result: a row that is missing, not expected, or off by more than allowed.
fn faults(case: &Object, set: &AllocationSet) -> Vec<String> {
    let id = text(case, "id");
    let tolerance = case.get("tolerance").map_or(usd("0.005"), amount).pico();
    let mut expected: BTreeMap<&str, Money> = case["expected"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(n, v)| (n.as_str(), amount(v)))
        .collect();
    let mut faults = Vec::new();
    if !set.difference.is_zero() {
        faults.push(format!("{id}: {} is lost", set.difference));
    }
    for (name, row) in &set.allocations {
        match expected.remove(name.as_str()) {
            None if row.total.is_zero() => {}
            None => faults.push(format!("{id}: `{name}` at {} is not expected", row.total)),
            Some(cost) if (cost.pico() - row.total.pico()).abs() <= tolerance => {}
            Some(cost) => {
                faults.push(format!("{id}: `{name}` is {}, expected {cost}", row.total));
            }
        }
    }
    let missing = expected.into_iter().filter(|(_, cost)| cost.pico().abs() > tolerance);
    faults.extend(missing.map(|(name, cost)| format!("{id}: `{name}` is missing ({cost})")));
    faults
}

/// The cases: named by the environment, or shared beside the repository.
fn cases() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Some(named) = std::env::var_os("FARTHING_OPENCOST_CASES") else {
        let shared = root.join("../shared/fixtures/opencost/aggregate.json");
        return shared.exists().then_some(shared);
    };
    let named = PathBuf::from(named);
    // Cargo runs a test in the folder of its crate; a path is meant from where cargo was called.
    let found = [named.clone(), root.join(&named)].into_iter().find(|path| path.exists());
    Some(
        found.unwrap_or_else(|| panic!("FARTHING_OPENCOST_CASES: {} is not here", named.display())),
    )
}

fn check(text: &str, name: &str) {
    let file: Value = serde_json::from_str(text).unwrap();
    let names =
        ["source", "window_hours", "allocations", "idle_by_cluster", "idle_by_node", "cases"];
    let file = known(&file, &names);
    let cases = file["cases"].as_array().unwrap();
    assert!(!cases.is_empty(), "{name} has no cases");
    let mut found = Vec::new();
    for case in cases {
        let case = known(case, &["id", "options", "expected", "tolerance", "note", "comment"]);
        found.extend(faults(case, &run_case(file, case)));
    }
    assert!(found.is_empty(), "of {} cases:\n{}", cases.len(), found.join("\n"));
    println!("{} cases of {name} hold", cases.len());
}

#[test]
fn opencost_cases_that_are_named_give_the_same_amounts() {
    if let Some(path) = cases() {
        let name = path.display().to_string();
        return check(&std::fs::read_to_string(&path).unwrap(), &name);
    }
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let must = std::env::var("CI").as_deref() == Ok("true") && shared.exists();
    assert!(!must, "{} has no cases of OpenCost", shared.display());
    println!("left out: no more cases of OpenCost are here (FARTHING_OPENCOST_CASES names them)");
}

#[test]
fn opencost_cases_give_the_same_amounts() {
    check(include_str!("opencost.json"), "opencost.json");
}

/// A case can fail: one cent more, a row that is not there, and an option that nobody knows.
#[test]
fn opencost_cases_can_fail() {
    let file: Value = serde_json::from_str(include_str!("opencost.json")).unwrap();
    let file = file.as_object().unwrap();
    let case = |options: Value, expected: Value| {
        let case = serde_json::json!({"id": "x", "options": options, "expected": expected});
        let case = case.as_object().unwrap().clone();
        faults(&case, &run_case(file, &case))
    };
    let by = || serde_json::json!({"by": ["cluster"]});
    let right = serde_json::json!({"cluster1": 46, "cluster2": "36.00", "__idle__": 30});
    assert_eq!(case(by(), right), [""; 0]);
    let wrong = serde_json::json!({"cluster1": 46.01, "cluster3": 36, "__idle__": 30});
    let found = case(by(), wrong);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("`cluster1` is 46.00 USD, expected 46.01 USD"), "{found:?}");
    let unknown = serde_json::json!({"by": ["cluster"], "reconcile": true});
    let result = std::panic::catch_unwind(|| case(unknown, Value::Object(Map::new())));
    assert!(result.is_err(), "an option that is ignored would prove nothing");
}

/// What each pod is charged by the meter, of what each span cost.
fn charged(spans: &[NodeSpan], samples: &[Sample], within: Window) -> BTreeMap<String, Money> {
    let mut by_pod = BTreeMap::new();
    let hours = within.by_hour().map(|hour| run(hour, spans, samples).charges);
    for charge in hours.flatten() {
        let who = charge.attribution.as_ref().map_or("nobody", |who| who.workload.as_str());
        let sum = by_pod.entry(who.to_owned()).or_insert(usd("0"));
        *sum = sum.checked_add(charge.cost).unwrap();
    }
    by_pod
}

/// First named defect: the reference prices a claim by the hours of the pod that mounts it. A claim
/// of three hours at 0.10 that a pod mounts for one costs 0.30, of which the pod is charged 0.10;
/// the reference's 0.10 in all loses the rest.
#[test]
fn opencost_defect_claims_are_charged_by_their_own_hours() {
    let whole = window(0, 3 * 3_600);
    let capacity = Resources { storage_bytes: 100 << 30, ..Resources::default() };
    let mut claim = node("claim", "0.10 USD/h", capacity, whole);
    claim.asset = Asset::Volume;
    let mount = sample("claim", Resource::Storage, Some(who("pod", None)), hour(), (0, 1 << 40));
    let charged = charged(&[claim], &[mount], whole);
    let reference = BTreeMap::from([("pod".to_owned(), usd("0.10"))]);
    assert_ne!(charged, reference);
    let expected =
        BTreeMap::from([("pod".to_owned(), usd("0.10")), ("nobody".to_owned(), usd("0.20"))]);
    assert_eq!(charged, expected);
}

/// Second: it charges each pod that sees a shared device for the whole of it, here 16 for a device
/// of 4.
#[test]
fn opencost_defect_shared_accelerators_are_the_device_once() {
    let capacity = Resources { gpu_milli: 1_000, ..Resources::default() };
    let device = |pod: &str| {
        let mut sample = sample("n", Resource::Gpu, Some(who(pod, None)), hour(), (1_000, 1_000));
        sample.device = Some(farthing_model::DeviceId::new("GPU-1").unwrap());
        sample
    };
    let pods = ["a", "b", "c", "d"];
    let charged = charged(&[node("n", "4 USD/h", capacity, hour())], &pods.map(device), hour());
    let each = |cost: &str| pods.map(|pod| (pod.to_owned(), usd(cost))).into_iter().collect();
    let reference: BTreeMap<String, Money> = each("4");
    assert_ne!(charged, reference);
    assert_eq!(charged, each("1"));
}

/// Fourth: its discounts leave accelerators at their list price. Here a machine has one price, and
/// 30 % less of it is 30 % less of each resource, to the unit.
#[test]
fn opencost_defect_discounts_reach_accelerators() {
    let capacity = Resources {
        gpu_milli: 4_000,
        cpu_milli: 48_000,
        memory_bytes: 192 << 30,
        storage_bytes: 1 << 40,
    };
    let by_resource = |rate: &str| {
        let charges = run(hour(), &[node("n", rate, capacity, hour())], &[]).charges;
        let of = |resource| {
            let its = charges.iter().filter(|charge| charge.resource == resource);
            Money::sum(its.map(|charge| charge.cost), Currency::USD).unwrap().pico()
        };
        Resource::ALL.map(of)
    };
    let (list, net) = (by_resource("10 USD/h"), by_resource("7 USD/h"));
    assert_eq!((list.iter().sum(), net.iter().sum()), (usd("10").pico(), usd("7").pico()));
    for (list, net) in list.into_iter().zip(net) {
        assert!(list > 0, "every resource weighs something");
        assert!((net * 10 - list * 7).abs() <= 10, "{net} is not 70 % of {list}");
    }
    assert_ne!(
        net[Resource::Gpu as usize],
        list[Resource::Gpu as usize],
        "as the reference has it"
    );
}

/// Third: it clamps idle below zero. The others are of the meter: the tests above.
#[test]
fn opencost_defect_negative_idle_is_not_clamped() {
    let line = |name: &str, cpu: i64, gpu: i64| {
        serde_json::json!({"name": name, "cluster": "c", "namespace": name, "node": "n",
            "cpu": cpu, "gpu": gpu})
    };
    // More is charged than was paid: the reference clamps idle below zero to nothing, and charges
    // 10 for what cost 8.
    let file = |idle: i64| {
        serde_json::json!({"window_hours": 24, "allocations": [line("a", 6, 0), line("b", 4, 0)],
            "idle_by_cluster": [{"name": "c/__idle__", "cluster": "c", "cpu": idle}]})
    };
    let totals = |file: &Value, options: Value| {
        let case = serde_json::json!({"options": options});
        let set = run_case(file.as_object().unwrap(), case.as_object().unwrap());
        let rows = set.allocations.into_iter();
        rows.map(|(name, row)| (name, row.total.rounded(2))).collect::<Vec<_>>()
    };
    let own = |name: &str, cost: &str| (name.to_owned(), cost.to_owned());
    let clamped = totals(&file(0), serde_json::json!({"by": ["namespace"]}));
    assert_eq!(clamped, [own("a", "6.00"), own("b", "4.00")], "as the reference has it: 10 of 8");
    let apart = totals(&file(-2), serde_json::json!({"by": ["namespace"]}));
    assert_eq!(apart, [own("__idle__", "-2.00"), own("a", "6.00"), own("b", "4.00")]);
    let shared = serde_json::json!({"by": ["namespace"], "share_idle": true});
    assert_eq!(totals(&file(-2), shared), [own("a", "4.80"), own("b", "3.20")]);
}
