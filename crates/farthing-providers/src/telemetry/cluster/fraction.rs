//! Declared parts of devices: cores and memory that `HAMi` gives, fractions and memory that pods of
//! KAI ask for.
//!
//! KAI holds the device of its fractions with a pod of its own, which is all that an exporter sees:
//! a label that they share says whose it is.

use super::World;
use super::claim::largest;
use super::container::pods_named;
use super::device::{Device, Holder};
use super::facts::{Pod, Resource};
use super::owner::fact;
use crate::exposition::number::{self, Reading};
use crate::telemetry::series::{Spans, Step};
use crate::telemetry::sources::Field;
use std::collections::BTreeSet;
use std::sync::Arc;

const WHOLE: i64 = 1_000_000_000;
const MIB: i128 = 1 << 20;

/// What of a device a holder was given, or asks for, in 10^-9 of it: the larger of cores and
/// memory, as nobody else can have either. Nothing where nobody says.
pub(super) fn declared(
    world: &World<'_>,
    device: &Device<'_>,
    holder: &Holder,
    time: &Spans,
) -> Vec<Step> {
    let given = |field| device.own(world.settled, &world.horizon, field, holder);
    let bytes = device.gigabytes(world.settled).map(|gigabytes| i128::from(gigabytes) << 30);
    let part = |of: i128| part_of_device(of, bytes);
    let (cores, memory) = (given(Field::ShareCores), given(Field::ShareMemory));
    let memory: Vec<Step> = memory
        .iter()
        .filter_map(|step| Some(Step { value: part(step.value.into())?, ..*step }))
        .collect();
    let given = largest(&[&cores, &memory]);
    if given.iter().any(|step| step.value > 0) {
        return given;
    }
    let constant = |value: i64| time.iter().map(|span| Step { span, value }).collect::<Vec<_>>();
    for (_, pod) in pods_named(&world.facts, &holder.0, &holder.1) {
        let key = (Arc::clone(&holder.2), Resource::GpuCores);
        if let Some(steps) = pod.requests.get(&key).filter(|steps| !steps.is_empty()) {
            return steps.clone();
        }
        let asks = |name| fact(&world.settled.map, &pod.annotations, name).and_then(amount);
        let fraction = asks("gpu_fraction").and_then(|nano| i64::try_from(nano).ok());
        let memory = asks("gpu_memory").and_then(|nano| part(nano * MIB / i128::from(WHOLE)));
        if let Some(value) = fraction.or(memory).filter(|value| (1..=WHOLE).contains(value)) {
            return constant(value);
        }
    }
    Vec::new()
}

/// The number of an annotation, in 10^-9.
fn amount(text: &str) -> Option<i128> {
    match number::read(text.as_bytes(), 9) {
        Some(Reading::Value(value)) => Some(value),
        _ => None,
    }
}

/// Bytes as a part of a device, in 10^-9 of it.
fn part_of_device(bytes: i128, whole: Option<i128>) -> Option<i64> {
    let whole = whole.filter(|whole| *whole > 0)?;
    let part = bytes.checked_mul(i128::from(WHOLE))? / whole;
    i64::try_from(part.min(WHOLE.into())).ok()
}

/// Whether a pod asks for a part of a device.
fn is_fraction(world: &World<'_>, pod: &Pod) -> bool {
    let map = &world.settled.map;
    ["gpu_fraction", "gpu_memory"].iter().any(|name| fact(map, &pod.annotations, name).is_some())
}

/// The pods for which a holder holds its device, and when they were there; none where it has it for
/// itself.
pub(super) fn held_for(
    world: &World<'_>,
    (namespace, name, _): &Holder,
    node: &str,
) -> Vec<(Holder, Spans)> {
    let mut found = Vec::new();
    for (_, pod) in pods_named(&world.facts, namespace, name) {
        let labels =
            pod.labels.iter().find_map(|(_, it)| fact(&world.settled.map, it, "gpu_group"));
        let Some(members) = labels.and_then(|group| world.facts.groups.get(group)) else {
            continue;
        };
        if is_fraction(world, pod) {
            continue;
        }
        for member in members.iter().filter_map(|key| world.facts.pods.get(key)) {
            let here = member.places.iter().filter(|(_, its)| &**its == node);
            let spans: Vec<_> = here
                .flat_map(|(place, _)| member.held.within(*place).iter().collect::<Vec<_>>())
                .collect();
            if !spans.is_empty() && is_fraction(world, member) {
                let own = (Arc::clone(&member.namespace), Arc::clone(&member.name));
                found.push(((own.0, own.1, only_container(member)), Spans::of(spans)));
            }
        }
    }
    found
}

/// The container of a pod, if it has but one; else the pod as a whole.
fn only_container(pod: &Pod) -> Arc<str> {
    let names: BTreeSet<&Arc<str>> = pod.requests.keys().map(|(name, _)| name).collect();
    let mut names = names.into_iter();
    match (names.next(), names.next()) {
        (Some(only), None) => Arc::clone(only),
        _ => Arc::from(""),
    }
}
