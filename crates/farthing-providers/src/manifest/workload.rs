//! `kind: Workload`: jobs, and what jobs and services share.

use super::container::{Container, container};
use super::fault::Report;
use super::fields::{Fields, items, read};
use super::object::{Meta, Reader};
use super::service;
use super::shape;
use super::{scalar, scalar::WorkRate};
use crate::yaml::{Node, Spot};
use farthing_model::{
    DataLocation, Decimal, Interruptible, Job, Resources, Target, Throughput, Work, Workload,
    WorkloadId, WorkloadKind,
};
use jiff::Timestamp;

const OF_JOBS: [&str; 7] =
    ["count", "work", "deadline", "submitted", "duration", "cost", "interruptible"];
const OF_SERVICES: [&str; 6] = ["requests", "slo", "split", "replicas", "utilisation", "start"];

/// Reads the spec; `None` only where faults were reported.
pub(crate) fn workload(
    id: WorkloadId,
    meta: Meta,
    spec: &Node,
    reader: &Reader<'_>,
    report: &mut Report,
) -> Option<(Workload, Option<Container>)> {
    let fields = Fields::open(spec, "spec", &shape::WORKLOAD, report)?;
    let is_service =
        fields.choice("type", &[("job", false), ("service", true)], report).unwrap_or(false);
    foreign_fields(fields, is_service, report);
    let kind = if is_service {
        service::service(fields, reader, report).map(WorkloadKind::Service)
    } else {
        job(fields, reader, report).map(WorkloadKind::Job)
    };
    // Read also where the kind has faults: all of an object's faults come at once.
    let resources = resources(fields, report);
    let residency = residency(fields, report);
    let value = fields.read("value", scalar::not_negative, report).unwrap_or(Decimal::ZERO);
    let data = data(fields, report);
    let container = container(fields, is_service, report);
    let (team, labels, kind) = (meta.team, meta.labels, kind?);
    let workload = Workload { id, team, labels, resources, residency, value, data, kind };
    Some((workload, container))
}

fn foreign_fields(fields: Fields<'_>, is_service: bool, report: &mut Report) {
    let (kind, other, foreign): (_, _, &[&str]) =
        if is_service { ("service", "job", &OF_JOBS) } else { ("job", "service", &OF_SERVICES) };
    for name in foreign {
        if let Some(node) = fields.get(name) {
            let what = format!("`spec.{name}` belongs to `type: {other}`, and this is a {kind}");
            report.fault(node.spot, what);
        }
    }
}

pub(super) fn resources(fields: Fields<'_>, report: &mut Report) -> Resources {
    let Some(node) = fields.get("resources") else { return Resources::default() };
    let amounts = amounts(node, "spec.resources", report).unwrap_or_default();
    if amounts.gpu_milli > 1_000 && amounts.gpu_milli % 1_000 > 0 {
        let spot = node.get("gpu").map_or(node.spot, |gpu| gpu.spot);
        let what = "`gpu` above one is not whole: a member has a part of one accelerator, or whole \
                    ones";
        report.fault(spot, what);
    }
    amounts
}

/// Amounts of resources; `None` where they are not even a map.
pub(super) fn amounts(node: &Node, name: &str, report: &mut Report) -> Option<Resources> {
    let fields = Fields::open(node, name, &shape::RESOURCES, report)?;
    Some(Resources {
        gpu_milli: fields.read("gpu", scalar::milli, report).unwrap_or_default(),
        cpu_milli: fields.read("cpu", scalar::milli, report).unwrap_or_default(),
        memory_bytes: fields.read("memory", scalar::bytes, report).unwrap_or_default(),
        storage_bytes: fields.read("storage", scalar::bytes, report).unwrap_or_default(),
    })
}

fn residency(fields: Fields<'_>, report: &mut Report) -> Vec<String> {
    let Some(node) = fields.get("residency") else { return Vec::new() };
    let parse = |text: &str| match text {
        "" => Err("a jurisdiction such as eu is missing".to_owned()),
        text => Ok(text.to_lowercase()),
    };
    let items = items(node, "residency", report).iter();
    items.filter_map(|item| read(item, "residency", parse, report)).collect()
}

fn data(fields: Fields<'_>, report: &mut Report) -> Option<DataLocation> {
    let node = fields.get("data")?;
    let fields = Fields::open(node, "spec.data", &shape::DATA, report)?;
    let place = fields.read("location", scalar::place, report);
    let size_bytes = fields.read("size", scalar::bytes, report);
    Some(DataLocation { place: place?, size_bytes: size_bytes? })
}

fn job(fields: Fields<'_>, reader: &Reader<'_>, report: &mut Report) -> Option<Job> {
    let before = report.faults.len();
    let work = fields.read("work", scalar::work, report);
    let throughput = fields.get("throughput").map(|node| throughput(node, reader, report));
    let submitted = moment(fields, "submitted", reader.now, report);
    let deadline = moment(fields, "deadline", submitted.unwrap_or(reader.now), report);
    if let (Some(submitted), Some(deadline)) = (submitted, deadline)
        && deadline <= submitted
    {
        let spot = fields.get("deadline").map_or(fields.spot, |node| node.spot);
        let what = format!("`deadline` {deadline} is not after `submitted` {submitted}");
        report.fault(spot, what);
    }
    let job = Job {
        count: fields.read("count", scalar::count, report).unwrap_or(1),
        submitted,
        deadline,
        duration: fields.read("duration", scalar::some_duration, report),
        quoted_cost: fields.read("cost", scalar::money, report),
        interruptible: interruptible(fields, report),
        throughput: units_agree(work.as_ref(), throughput.unwrap_or_default(), report),
        work: work.map(|(amount, unit)| Work { amount, unit }),
    };
    says_enough(fields, &job, report);
    (report.faults.len() == before).then_some(job)
}

/// A job must say how long it takes, what it costs, or what it needs.
fn says_enough(fields: Fields<'_>, job: &Job, report: &mut Report) {
    let given = |name: &str| fields.get(name).is_some();
    let what = if given("work") && !given("throughput") {
        "`spec.work` is given without `spec.throughput`: say how fast it is done where, such as \
         {accelerator: H100-80GB, count: 8, rate: 1.9 steps/s}"
    } else if given("throughput") && !given("work") {
        "`spec.throughput` is given without `spec.work`: say how much is to be done, such as \
         12000 steps"
    } else if given("work") && given("duration") {
        "`spec.duration` is given beside `spec.work`: leave one out, as work and throughput \
         already say how long it takes"
    } else if !given("work") && !given("resources") && !given("cost") && job.duration.is_none() {
        "says nothing of what it needs: give `work` and `throughput`, or `resources`, or `cost`"
    } else {
        return;
    };
    report.fault(fields.spot, what);
}

fn moment(
    fields: Fields<'_>,
    name: &str,
    base: Timestamp,
    report: &mut Report,
) -> Option<Timestamp> {
    fields.read(name, |text| scalar::moment(text)?.after(base), report)
}

pub(super) fn interruptible(fields: Fields<'_>, report: &mut Report) -> Option<Interruptible> {
    let node = fields.get("interruptible")?;
    let fields = Fields::open(node, "interruptible", &shape::INTERRUPTIBLE, report)?;
    let checkpoint = fields.read("checkpoint", scalar::duration, report);
    let restart = fields.read("restart", scalar::duration, report);
    Some(Interruptible { checkpoint: checkpoint?, restart: restart? })
}

/// A measured throughput with its unit, and where it stands.
pub(super) struct Measured {
    source: String,
    spot: Spot,
    unit: String,
    throughput: Throughput,
}

pub(super) fn throughput(node: &Node, reader: &Reader<'_>, report: &mut Report) -> Vec<Measured> {
    if node.text().is_none() {
        return rows(node, report);
    }
    let Some(table) = reader.folder.rows(node, "throughput", report) else { return Vec::new() };
    report.within(&table.path.display().to_string(), |report| rows(&table.node, report))
}

fn rows(node: &Node, report: &mut Report) -> Vec<Measured> {
    let items = items(node, "throughput", report).iter();
    items.filter_map(|item| measured(item, report)).collect()
}

fn measured(node: &Node, report: &mut Report) -> Option<Measured> {
    let fields = Fields::open(node, "throughput", &shape::THROUGHPUT, report)?;
    let accelerator = fields.read("accelerator", scalar::accelerator, report);
    let instance = fields.read("instanceType", |text| Ok(text.to_owned()), report);
    let count = fields.read("count", scalar::count, report).unwrap_or(1);
    let rate = fields.read("rate", scalar::work_rate, report);
    let target = match (fields.get("accelerator"), fields.get("instanceType")) {
        (Some(_), None) => Target::Accelerator(accelerator?),
        (None, Some(_)) => Target::InstanceType(instance?),
        (Some(_), Some(node)) => {
            report.fault(node.spot, "give `accelerator` or `instanceType`, not both");
            return None;
        }
        (None, None) => {
            report.fault(fields.spot, "`throughput` needs `accelerator` or `instanceType`");
            return None;
        }
    };
    let WorkRate { amount, unit, per } = rate?;
    let spot = fields.get("rate").map_or(fields.spot, |node| node.spot);
    let throughput = Throughput { target, count, amount, per };
    Some(Measured { source: report.source.clone(), spot, unit, throughput })
}

pub(super) fn units_agree(
    work: Option<&(Decimal, String)>,
    measured: Vec<Measured>,
    report: &mut Report,
) -> Vec<Throughput> {
    let agree = |entry: Measured| {
        if let Some((_, unit)) = work.filter(|(_, unit)| *unit != entry.unit) {
            let what = format!(
                "`rate` is in `{}`, and the work is in `{unit}`; both must use one unit",
                entry.unit
            );
            report.within(&entry.source, |report| report.fault(entry.spot, what));
        }
        entry.throughput
    };
    measured.into_iter().map(agree).collect()
}
