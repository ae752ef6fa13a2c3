//! `kind: Dag`: tasks, what moves between them, and data in fixed places.

use super::fault::{Report, suggestion};
use super::fields::{Fields, any_items, items, read};
use super::object::{Meta, Reader};
use super::shape::dag as shape;
use super::{scalar, workload};
use crate::yaml::{Node, Value};
use farthing_model::{
    Accelerators, Dag, Decimal, Edge, HourlyRate, Objective, Place, Port, Purchase, Run, Task,
    Work, WorkloadId,
};
use jiff::{SignedDuration, Timestamp};

/// Nanoseconds of 10^-9 hours, to which hours are read, in 10^-9.
const NANOS_PER_NANOHOUR: i128 = 3_600;

/// Reads the spec; `None` only where faults were reported.
pub(crate) fn dag(
    id: WorkloadId,
    meta: Meta,
    spec: &Node,
    reader: &Reader<'_>,
    report: &mut Report,
) -> Option<Dag> {
    let before = report.faults.len();
    let fields = Fields::open(spec, "spec", &shape::DAG, report)?;
    let tasks = tasks(fields.get("tasks")?, reader, report);
    let names: Vec<String> = tasks.iter().map(|task| task.name.clone()).collect();
    let edges = edges(fields, &names, report);
    let inputs = ports(fields, "inputs", &names, report);
    let outputs = ports(fields, "outputs", &names, report);
    let objectives = [("cost", Objective::Cost), ("time", Objective::Time)];
    let objective = fields.choice("objective", &objectives, report).unwrap_or(Objective::Cost);
    let dag = Dag {
        id,
        team: meta.team,
        labels: meta.labels,
        tasks,
        edges,
        inputs,
        outputs,
        objective,
        residency: lower(words(fields, "residency", report)),
        deadline: moment(fields, "deadline", reader.now, report),
        cost_max: fields.read("maxCost", scalar::money, report),
        // Budgets say it.
        gpu_hours_max_milli: None,
    };
    if report.faults.len() != before {
        return None;
    }
    if let Err(cycle) = dag.order() {
        let mut names: Vec<&str> = cycle.iter().map(|at| dag.tasks[*at].name.as_str()).collect();
        names.extend(names.first().copied());
        let spot = fields.get("edges").map_or(fields.spot, |node| node.spot);
        let what = format!(
            "`spec.edges` go in a circle: {}; a task cannot wait for itself",
            names.join(" -> ")
        );
        report.fault(spot, what);
        return None;
    }
    Some(dag)
}

fn tasks(node: &Node, reader: &Reader<'_>, report: &mut Report) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    for item in items(node, "tasks", report) {
        let Some(task) = task(item, reader, report) else { continue };
        if tasks.iter().any(|other| other.name == task.name) {
            report.fault(item.spot, format!("there are two tasks `{}`; rename one", task.name));
        } else {
            tasks.push(task);
        }
    }
    tasks
}

fn task(node: &Node, reader: &Reader<'_>, report: &mut Report) -> Option<Task> {
    let fields = Fields::open(node, "tasks", &shape::TASK, report)?;
    let name = |text: &str| WorkloadId::new(text).map_err(|error| error.to_string());
    let name = fields.read("name", name, report)?.to_string();
    let accelerators = match fields.get("accelerators") {
        Some(node) => {
            let items = items(node, "accelerators", report).iter();
            items.filter_map(|item| accelerator(item, report)).collect()
        }
        None => Vec::new(),
    };
    let asks = ["accelerators", "resources", "throughput"];
    if asks.iter().all(|field| fields.get(field).is_none()) {
        let what = format!(
            "task `{name}` says nothing of what it needs: give `accelerators`, `resources` or \
             `work` and `throughput`"
        );
        report.fault(fields.spot, what);
    }
    Some(Task {
        accelerators,
        resources: workload::resources(fields, report),
        nodes: fields.read("nodes", scalar::count, report).unwrap_or(1),
        run: run(fields, &name, reader, report),
        interruptible: workload::interruptible(fields, report),
        purchase: purchase(fields, report),
        providers: lower(words(fields, "providers", report)),
        regions: words(fields, "regions", report),
        residency: lower(words(fields, "residency", report)),
        deadline: moment(fields, "deadline", reader.now, report),
        node_price_max: fields.read("maxNodePrice", rate, report),
        price_max: fields.read("maxPrice", rate, report),
        name,
    })
}

fn accelerator(node: &Node, report: &mut Report) -> Option<Accelerators> {
    let fields = Fields::open(node, "accelerators", &shape::ACCELERATORS, report)?;
    let count = fields.read("count", scalar::count, report).unwrap_or(1);
    Some(Accelerators {
        accelerator: fields.read("accelerator", scalar::accelerator, report)?,
        count,
    })
}

fn run(fields: Fields<'_>, name: &str, reader: &Reader<'_>, report: &mut Report) -> Run {
    let given = |field: &str| fields.get(field).is_some();
    let what = match (given("hours"), given("work"), given("throughput")) {
        (true, true, _) | (true, _, true) => {
            "gives `hours` beside `work` or `throughput`; leave one out, as both say how long"
        }
        (false, true, false) => {
            "gives `work` without `throughput`: say how fast it is done where, such as \
             {accelerator: H100-80GB, count: 8, rate: 1.9 steps/s}"
        }
        (false, false, true) => {
            "gives `throughput` without `work`: say how much is to be done, such as 12000 steps"
        }
        (true, false, false) => {
            return fields.read("hours", hours, report).map_or(Run::Unknown, Run::Fixed);
        }
        (false, false, false) => return Run::Unknown,
        (false, true, true) => {
            let work = fields.read("work", scalar::work, report);
            let rows =
                fields.get("throughput").map(|node| workload::throughput(node, reader, report));
            let throughput = workload::units_agree(work.as_ref(), rows.unwrap_or_default(), report);
            let Some((amount, unit)) = work else { return Run::Unknown };
            return Run::Work { work: Work { amount, unit }, throughput };
        }
    };
    report.fault(fields.spot, format!("task `{name}` {what}"));
    Run::Unknown
}

/// Hours above zero, as a span of time.
fn hours(text: &str) -> scalar::Parsed<SignedDuration> {
    let hours: Decimal = scalar::positive(text)?;
    let too_long = || format!("`{text}` hours are too long");
    let nanos = hours.nano().checked_mul(NANOS_PER_NANOHOUR).ok_or_else(too_long)?;
    let seconds = i64::try_from(nanos / 1_000_000_000).map_err(|_| too_long())?;
    let rest = i32::try_from(nanos % 1_000_000_000).map_err(|_| too_long())?;
    Ok(SignedDuration::new(seconds, rest))
}

fn rate(text: &str) -> scalar::Parsed<HourlyRate> {
    text.parse().map_err(|error: farthing_model::MoneyError| error.to_string())
}

fn purchase(fields: Fields<'_>, report: &mut Report) -> Vec<Purchase> {
    let mut purchases = Vec::new();
    for word in words(fields, "purchase", report) {
        match (word.as_str(), word.parse::<Purchase>()) {
            ("any", _) => purchases.extend(Purchase::ALL),
            (_, Ok(purchase)) => purchases.push(purchase),
            (_, Err(_)) => {
                let hint = suggestion(&word, shape::PURCHASES);
                let spot = fields.get("purchase").map_or(fields.spot, |node| node.spot);
                report.fault(spot, format!("`purchase`: `{word}` is not a way to pay{hint}"));
            }
        }
    }
    purchases.sort_unstable();
    purchases.dedup();
    purchases
}

/// A list of words, or one word alone.
fn words(fields: Fields<'_>, name: &str, report: &mut Report) -> Vec<String> {
    let Some(node) = fields.get(name) else { return Vec::new() };
    let word = |text: &str| match text {
        "" => Err("an empty word says nothing".to_owned()),
        text => Ok(text.to_owned()),
    };
    if let Value::Scalar(_) = node.value {
        return read(node, name, word, report).into_iter().collect();
    }
    let items = any_items(node, name, report).iter();
    items.filter_map(|item| read(item, name, word, report)).collect()
}

fn lower(words: Vec<String>) -> Vec<String> {
    words.into_iter().map(|word| word.to_lowercase()).collect()
}

fn moment(
    fields: Fields<'_>,
    name: &str,
    now: Timestamp,
    report: &mut Report,
) -> Option<Timestamp> {
    fields.read(name, |text| scalar::moment(text)?.after(now), report)
}

fn edges(fields: Fields<'_>, names: &[String], report: &mut Report) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let Some(node) = fields.get("edges") else { return edges };
    for item in any_items(node, "edges", report) {
        let Some(fields) = Fields::open(item, "edges", &shape::EDGE, report) else { continue };
        let from = fields.read("from", |text| position(text, names), report);
        let to = fields.read("to", |text| position(text, names), report);
        let size_bytes = fields.read("size", scalar::bytes, report).unwrap_or(0);
        let (Some(from), Some(to)) = (from, to) else { continue };
        if edges.iter().any(|edge| (edge.from, edge.to) == (from, to)) {
            let what = format!(
                "there are two edges from `{}` to `{}`; give one with both sizes together",
                names[from], names[to]
            );
            report.fault(item.spot, what);
            continue;
        }
        edges.push(Edge { from, to, size_bytes });
    }
    edges
}

/// The position of a task by its name.
fn position(text: &str, names: &[String]) -> scalar::Parsed<usize> {
    names.iter().position(|name| name == text).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("there is no task `{text}`{}", suggestion(text, &known))
    })
}

fn ports(fields: Fields<'_>, name: &str, names: &[String], report: &mut Report) -> Vec<Port> {
    let Some(node) = fields.get(name) else { return Vec::new() };
    let read = |item: &Node, report: &mut Report| {
        let fields = Fields::open(item, name, &shape::PORT, report)?;
        let task = fields.read("task", |text| position(text, names), report);
        let place = fields.read("location", scalar::place, report);
        let size_bytes = fields.read("size", scalar::bytes, report);
        let (task, place, size_bytes) = (task?, place?, size_bytes?);
        let place = Place { provider: place.provider.to_lowercase(), zone: None, ..place };
        Some(Port { task, place, size_bytes })
    };
    let items = any_items(node, name, report).iter();
    items.filter_map(|item| read(item, report)).collect()
}

#[cfg(test)]
mod tests;
