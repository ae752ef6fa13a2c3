//! Rows of the table that no price is on: rungs of use, memory of devices, energy, errors, network,
//! claims, queues, requests and tokens.

use super::World;
use super::claim::Per;
use super::container::pods_named;
use super::device::{Device, DeviceKey, Devices, incidents};
use super::owner::Owners;
use super::tally::{Subject, Tally};
use crate::telemetry::series::{Increase, Series, Span, Spans, Step};
use crate::telemetry::sources::{Field, Kind, Label};
use crate::telemetry::table::Measure;
use farthing_model::{DeviceId, NodeId};
use std::sync::Arc;

/// Fields of devices, and what they are rows of.
const OF_DEVICES: [(Field, Measure); 8] = [
    (Field::GpuBusy, Measure::GpuBusy),
    (Field::GpuEngine, Measure::GpuEngine),
    (Field::GpuSm, Measure::GpuSm),
    (Field::GpuTensor, Measure::GpuTensor),
    (Field::GpuMemoryUsed, Measure::GpuMemory),
    (Field::GpuPower, Measure::GpuPower),
    (Field::GpuEnergy, Measure::GpuEnergy),
    (Field::GpuXid, Measure::GpuXid),
];

/// Fields of anything else, and what they are rows of.
const OF_OTHERS: [(Field, Measure, Option<Label>); 15] = [
    (Field::NetworkReceived, Measure::NetworkReceived, None),
    (Field::NetworkSent, Measure::NetworkSent, None),
    (Field::ClaimUsed, Measure::ClaimUsed, Some(Label::Claim)),
    (Field::ClaimRequest, Measure::ClaimRequested, Some(Label::Claim)),
    (Field::ClaimCapacity, Measure::ClaimCapacity, Some(Label::Claim)),
    (Field::NodeCpu, Measure::NodeCpu, Some(Label::Mode)),
    (Field::NodeMemoryTotal, Measure::NodeMemory, None),
    (Field::NodeMemoryAvailable, Measure::NodeMemoryAvailable, None),
    (Field::QueueGpus, Measure::QueueGpus, Some(Label::Queue)),
    (Field::ContainerEnergy, Measure::ContainerEnergy, None),
    (Field::NodeEnergy, Measure::NodeEnergy, None),
    (Field::Requests, Measure::Requests, None),
    (Field::TokensIn, Measure::TokensIn, None),
    (Field::TokensOut, Measure::TokensOut, None),
    (Field::Steps, Measure::Steps, None),
];

/// Adds all of them.
pub(super) fn rows(world: &World<'_>, devices: &Devices<'_>, tally: &mut Tally) {
    for (key, device) in &devices.all {
        of_device(world, key, device, tally);
    }
    let mut owners = Owners::new(&world.facts, &world.settled.map);
    for (field, measure, of) in OF_OTHERS {
        for series in world.settled.store.of(field) {
            // The loop-back interface is no network.
            if series.text(Label::Interface) == "lo" {
                continue;
            }
            let mut subject = subject_of(world, series, &mut owners);
            subject.of = of.and_then(|label| series.get(label).cloned());
            add(world, series, (&subject, measure), tally);
        }
    }
}

fn of_device(world: &World<'_>, key: &DeviceKey, device: &Device<'_>, tally: &mut Tally) {
    let node = device.node.as_ref().and_then(|node| NodeId::new(node).ok());
    let Ok(uuid) = DeviceId::new(&key.0) else { return };
    for (field, measure) in OF_DEVICES.into_iter().filter(|(field, _)| device.has(*field)) {
        let mut subject = world.subject(node.clone(), field);
        subject.source = world.source(device.source(field));
        (subject.device, subject.instance) = (Some(uuid.clone()), key.1.clone());
        let merged = device.merged(world.settled, field);
        if field == Field::GpuXid {
            for (at, code) in incidents(&merged, world.horizon.window) {
                subject.of = Some(Arc::from(code.to_string()));
                if let Some(moment) = Span::new(at, at + 1) {
                    tally.add(&subject, measure, (moment, 1), (1, 1));
                }
            }
            continue;
        }
        let expected = Spans::of(merged.presence(&world.horizon));
        match field.kind() {
            Kind::Gauge => {
                gauge(&merged.steps(&world.horizon), (&subject, measure), &expected, tally);
            }
            Kind::Counter => {
                counter(&merged.increases(&world.horizon), (&subject, measure), tally);
            }
        }
    }
}

fn add(world: &World<'_>, series: &Series, row: (&Subject, Measure), tally: &mut Tally) {
    let merged = world.settled.store.merged(series);
    let expected = Spans::of(merged.presence(&world.horizon));
    match series.field.kind() {
        Kind::Gauge => gauge(&merged.steps(&world.horizon), row, &expected, tally),
        Kind::Counter => counter(&merged.increases(&world.horizon), row, tally),
    }
}

/// Values that held; time in which the series was there and said nothing lowers the coverage.
fn gauge(steps: &[Step], row: (&Subject, Measure), expected: &Spans, tally: &mut Tally) {
    let per = match row.1 {
        Measure::GpuMemory
        | Measure::ClaimUsed
        | Measure::ClaimRequested
        | Measure::ClaimCapacity
        | Measure::NodeMemory
        | Measure::NodeMemoryAvailable => Per::Byte,
        _ => Per::Nano,
    };
    for step in steps {
        let amount = per.amount(step.value, step.span.len());
        tally.add(row.0, row.1, (step.span, amount), (step.span.len(), step.span.len()));
    }
    let said = Spans::of(steps.iter().map(|step| step.span).collect());
    for blank in expected.without(&said).iter() {
        tally.add(row.0, row.1, (blank, 0), (0, blank.len()));
    }
}

fn counter(increases: &[Increase], row: (&Subject, Measure), tally: &mut Tally) {
    for it in increases {
        tally.add(row.0, row.1, (it.span, it.amount.into()), (it.span.len(), it.span.len()));
    }
}

fn subject_of(world: &World<'_>, series: &Series, owners: &mut Owners<'_>) -> Subject {
    let mut subject = world.subject(None, series.field);
    subject.source = world.source(Some(series.source));
    if let (Some(namespace), Some(name)) = (series.get(Label::Namespace), series.get(Label::Pod)) {
        let container = match series.text(Label::Container) {
            "POD" => Arc::from(""),
            name => Arc::from(name),
        };
        if let Some((key, pod)) = pods_named(&world.facts, namespace, name).next() {
            subject.workload = owners.of(pod, &key.2, &container, world.horizon.window.from);
            let node = pod.places.first().and_then(|(_, node)| NodeId::new(node).ok());
            subject.node = node;
        }
    } else if let Some(node) = series.get(Label::Node) {
        subject.node = NodeId::new(node).ok();
    }
    subject
}
