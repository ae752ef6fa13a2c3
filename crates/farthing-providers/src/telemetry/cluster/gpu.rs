//! Shares of devices: who held how much of which, and what of it was used.

use super::claim::{Per, Piece, Used, pieces};
use super::container::{asked, pods_named};
use super::cover::Looked;
use super::device::{Device, DeviceKey, Devices, Holder};
use super::facts::{Node, Pod, PodKey, Resource};
use super::owner::{Owners, fact};
use super::span::labels_at;
use super::tally::{Subject, Tally};
use super::{NEVER, Notes, World, fraction};
use crate::telemetry::series::{Span, Spans, Step, value_at};
use crate::telemetry::sources::{Field, mig_profile, profile};
use crate::telemetry::table::Measure;
use farthing_model::{Attribution, DeviceId, MigProfile, NodeId, Resource as Paid, Slice};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const WHOLE: i64 = 1_000_000_000;

/// A fraction of a device.
type Share = (i64, i64);

/// Makes nodes and pods of what only devices tell of, where no records of a cluster were read: a
/// file of one exporter is accounted for as far as it goes.
pub(super) fn adopt(world: &mut World<'_>, devices: &Devices<'_>) {
    if !world.facts.nodes.is_empty() {
        return;
    }
    for device in devices.all.values() {
        let Some(node) = &device.node else { continue };
        let entry: &mut Node = world.facts.nodes.entry(Arc::clone(node)).or_default();
        let seen = seen(world.settled, &world.horizon, device);
        entry.present = entry.present.or(&seen);
        for ((namespace, name, _), spans) in &device.holders {
            let key: PodKey = (Arc::clone(namespace), Arc::clone(name), Arc::from(""));
            let pod = world.facts.pods.entry(key).or_insert_with(|| Pod {
                namespace: Arc::clone(namespace),
                name: Arc::clone(name),
                ..Pod::default()
            });
            pod.places.extend(spans.iter().map(|span| (span, Arc::clone(node))));
            pod.held = pod.held.or(spans);
        }
    }
}

fn seen(
    settled: &crate::telemetry::intake::Settled,
    horizon: &super::Horizon,
    device: &Device<'_>,
) -> Spans {
    let fields = [Field::GpuBusy, Field::GpuEngine, Field::GpuSm, Field::GpuMemoryUsed];
    let spans = fields.iter().flat_map(|field| device.merged(settled, *field).presence(horizon));
    Spans::of(spans.collect())
}

/// How many whole devices a node has: as its labels say, as were seen, or as it offers them. What
/// it offers is replicas where devices are shared in time.
pub(super) fn whole_devices(world: &World<'_>, devices: &Devices<'_>, name: &str) -> u64 {
    let Some(node) = world.facts.nodes.get(name) else { return 0 };
    let labels = labels_at(node, world.horizon.window.to);
    let said = labels.and_then(|labels| fact(&world.settled.map, labels, "gpu_count"));
    if let Some(count) = said.and_then(|text| text.parse().ok()) {
        return count;
    }
    let seen = u64::try_from(devices.count(name)).unwrap_or(0);
    if seen > 0 && replicas(world, name).is_none() && devices.are_shared(name) {
        // What it offers is parts of devices, and nothing says how many make one.
        return seen;
    }
    let offered = node.capacity.get(&Resource::Gpu).into_iter().flatten();
    let offered = offered.map(|step| step.value / WHOLE).max().unwrap_or(0);
    let replicas = replicas(world, name).unwrap_or(1);
    seen.max(u64::try_from(offered / replicas).unwrap_or(0))
}

/// Into how many replicas a node's devices are shared in time, if its labels say.
fn replicas(world: &World<'_>, name: &str) -> Option<i64> {
    let node = world.facts.nodes.get(name)?;
    let labels = labels_at(node, world.horizon.window.to)?;
    let said = fact(&world.settled.map, labels, "gpu_replicas")?.parse().ok()?;
    (1..=1_000).contains(&said).then_some(said)
}

/// When devices of a node were held by anyone.
pub(super) fn held(world: &World<'_>, devices: &Devices<'_>, node: &str) -> Spans {
    let mut spans = Vec::new();
    for (holder, seen) in devices.of_node(node).flat_map(|device| &device.holders) {
        spans.extend(life(world, holder, seen, node).iter());
    }
    Spans::of(spans)
}

/// When a holder held a device of a node: as long as its pod lived there, as a container keeps its
/// devices; where no records tell of the pod, while it was seen.
fn life(world: &World<'_>, (namespace, name, _): &Holder, seen: &Spans, node: &str) -> Spans {
    let mut life = Spans::default();
    for (_, pod) in pods_named(&world.facts, namespace, name) {
        for (place, _) in pod.places.iter().filter(|(_, its)| &**its == node) {
            let held = pod.held.within(*place);
            if !held.and(seen).is_empty() {
                life = life.or(&held);
            }
        }
    }
    if life.is_empty() { seen.clone() } else { life }
}

/// A holder of a device over its life.
struct Held {
    holder: Holder,
    time: Spans,
    /// What it was given, where that is declared.
    declared: Vec<Step>,
    /// What it used, where that is measured of it alone.
    own: Vec<Step>,
}

/// Claims devices for those who held them.
pub(super) fn claim(
    world: &World<'_>,
    devices: &Devices<'_>,
    measured: &BTreeMap<Arc<str>, Looked>,
    (tally, notes): (&mut Tally, &mut Notes),
) {
    let mut owners = Owners::new(&world.facts, &world.settled.map);
    let mut mapped: BTreeSet<Holder> = BTreeSet::new();
    for (key, device) in &devices.all {
        let Some(node) = &device.node else { continue };
        let (Ok(id), Ok(uuid)) = (NodeId::new(node), DeviceId::new(&key.0)) else { continue };
        let partitioned = devices.is_partitioned(&key.0);
        if partitioned && key.1.is_none() {
            continue;
        }
        mapped.extend(device.holders.keys().cloned());
        let looked = measured.get(node).unwrap_or(&NEVER);
        let time = &looked.node;
        let (activity, rung) = device.activity(world.settled, &world.horizon, partitioned);
        let activity = within(&activity, &looked.devices);
        let mut subject = world.subject(Some(id), rung.unwrap_or(Field::GpuBusy));
        subject.source = world.source(rung.and_then(|rung| device.source(rung)));
        (subject.device, subject.instance) = (Some(uuid), key.1.clone());
        subject.slice = slice(world, key, device);
        let held = holders(world, device, node, time);
        let unknown =
            share_out(world, (key, device), (&held, &activity), (&subject, &mut owners), tally);
        if unknown.1 * 100 > unknown.0 * i64::from(100 - world.options.coverage_min) {
            notes.add(format!(
                "device {}: its use is unknown for {} % of the time it was held ({})",
                name_of(key),
                unknown.1 * 100 / unknown.0.max(1),
                rung.map_or("no DCGM_FI_PROF_GR_ENGINE_ACTIVE or DCGM_FI_DEV_GPU_UTIL", |rung| {
                    rung.name()
                }),
            ));
        }
    }
    claim_unmapped(world, (measured, &mapped), &mut owners, (tally, notes));
}

/// Values of the time in which somebody looked.
fn within(steps: &[Step], looked: &Spans) -> Vec<Step> {
    let of = |step: &Step| {
        looked.within(step.span).iter().map(|span| Step { span, ..*step }).collect::<Vec<_>>()
    };
    steps.iter().flat_map(of).collect()
}

fn name_of((device, instance): &DeviceKey) -> String {
    instance.as_ref().map_or_else(|| device.to_string(), |it| format!("{device} instance {it}"))
}

/// Who held a device, and when. Where a pod only holds it for others, those.
pub(super) fn lives(world: &World<'_>, device: &Device<'_>, node: &str) -> Vec<(Holder, Spans)> {
    let all = device.holders.iter();
    // One pod may be seen twice: by an exporter that names the container and one that does not.
    let named = |pod: &Holder| {
        let same = |other: &&Holder| other.0 == pod.0 && other.1 == pod.1 && !other.2.is_empty();
        pod.2.is_empty() && device.holders.keys().any(|other| same(&other))
    };
    let all = all.filter(|(holder, _)| !named(holder));
    let mut found: BTreeMap<Holder, Spans> = BTreeMap::new();
    for (holder, seen) in all {
        let lived = life(world, holder, seen, node);
        let fractions = fraction::held_for(world, holder, node);
        if fractions.is_empty() {
            found.insert(holder.clone(), lived.clone());
        }
        for (member, own) in fractions {
            let spans = found.entry(member).or_default();
            *spans = spans.or(&own.and(&lived));
        }
    }
    found.into_iter().collect()
}

fn holders(world: &World<'_>, device: &Device<'_>, node: &str, measured: &Spans) -> Vec<Held> {
    let all = lives(world, device, node).into_iter();
    all.map(|(holder, life)| {
        let time = life.and(measured);
        let declared = fraction::declared(world, device, &holder, &time);
        let own = device.own(world.settled, &world.horizon, Field::ShareBusy, &holder);
        Held { holder, time, declared, own }
    })
    .collect()
}

/// Shares a device out to its holders, stretch by stretch. Returns how long it was held and how
/// much of that its use is unknown, in milliseconds.
fn share_out(
    world: &World<'_>,
    (key, device): (&DeviceKey, &Device<'_>),
    (held, activity): (&[Held], &[Step]),
    (subject, owners): (&Subject, &mut Owners<'_>),
    tally: &mut Tally,
) -> (i64, i64) {
    let whole = instance_share(world, key, device);
    let replicas = device.node.as_deref().and_then(|node| replicas(world, node));
    let mut edges: Vec<i64> = Vec::new();
    for holder in held {
        edges.extend(holder.time.iter().flat_map(|span| [span.from, span.to]));
        let steps = holder.declared.iter().chain(&holder.own);
        edges.extend(steps.flat_map(|step| [step.span.from, step.span.to]));
    }
    edges.extend(activity.iter().flat_map(|step| [step.span.from, step.span.to]));
    edges.sort_unstable();
    edges.dedup();
    let mut lists: Vec<(Vec<Step>, Vec<Used>)> = held.iter().map(|_| Default::default()).collect();
    let (mut time, mut unknown) = (0, 0);
    for pair in edges.windows(2) {
        let Some(span) = Span::new(pair[0], pair[1]) else { continue };
        let here: Vec<usize> =
            (0..held.len()).filter(|at| held[*at].time.contains(span.from)).collect();
        if here.is_empty() {
            continue;
        }
        time += span.len();
        let weights: Vec<i64> = here
            .iter()
            .map(|at| match value_at(&held[*at].declared, span.from) {
                Some(declared) if declared > 0 => declared,
                _ => WHOLE / replicas.unwrap_or_else(|| i64::try_from(here.len()).unwrap_or(1)),
            })
            .collect();
        let sum: i64 = weights.iter().sum();
        let busy = value_at(activity, span.from);
        unknown += if busy.is_none() { span.len() } else { 0 };
        for (at, weight) in here.into_iter().zip(weights) {
            // Shares above one are more than the device has: they are cut to it in proportion.
            let share = times(whole, (weight, sum.max(WHOLE)));
            let value = i64::try_from(of(share, WHOLE.into())).unwrap_or(0);
            let (requests, used) = &mut lists[at];
            requests.push(Step { span, value });
            let own = value_at(&held[at].own, span.from);
            let amount = match (own, busy) {
                (Some(own), _) => Some(of(whole, Per::Nano.amount(own, span.len()))),
                (None, Some(busy)) => {
                    Some(of(times(whole, (weight, sum)), Per::Nano.amount(busy, span.len())))
                }
                (None, None) => None,
            };
            used.extend(amount.map(|amount| Used { span, amount }));
        }
    }
    for (holder, (requests, used)) in held.iter().zip(lists) {
        let found =
            exact(pieces(&holder.time, (&requests, Per::Nano), &[used], &[]), whole, &requests);
        post(world, &holder.holder, &found, (subject, owners), tally);
    }
    (time, unknown)
}

/// Pieces of shares that are no whole number of 10^-9: a seventh of an hour is not seven times a
/// rounded rate. Where the share did not change, its amount is computed anew from the fraction.
fn exact(mut found: Vec<Piece>, whole: Share, requests: &[Step]) -> Vec<Piece> {
    let single = requests.iter().all(|step| i128::from(step.value) == of(whole, WHOLE.into()));
    if single {
        for piece in &mut found {
            piece.requested = of(whole, i128::from(piece.span.len()) * 1_000_000);
        }
    }
    found
}

fn times(a: Share, b: Share) -> Share {
    // Numerators and denominators are below 2^31 or 10^9: their products fit.
    let gcd = |mut a: i64, mut b: i64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a.max(1)
    };
    let (x, y) = (gcd(a.0, b.1), gcd(b.0, a.1));
    ((a.0 / x).saturating_mul(b.0 / y), (a.1 / y).saturating_mul(b.1 / x))
}

fn of((over, under): Share, amount: i128) -> i128 {
    amount * i128::from(over) / i128::from(under.max(1))
}

/// The share of its device that an instance is.
fn instance_share(world: &World<'_>, key: &DeviceKey, device: &Device<'_>) -> Share {
    let profile = key.1.as_ref().and_then(|_| profile_of(world, device));
    profile.map_or((1, 1), share_of)
}

fn profile_of(world: &World<'_>, device: &Device<'_>) -> Option<MigProfile> {
    let of = (&*device.model, device.gigabytes(world.settled));
    profile(&world.settled.map, of, device.profile.as_deref()?)
}

/// A share as a fraction; those of profiles have small parts.
fn share_of(profile: MigProfile) -> Share {
    let (parts, of) = profile.share().fraction();
    (i64::try_from(parts).unwrap_or(1), i64::try_from(of).unwrap_or(1))
}

/// The partition that an instance is, as the books know partitions.
pub(super) fn slice(world: &World<'_>, key: &DeviceKey, device: &Device<'_>) -> Option<Slice> {
    let instance = key.1.as_deref()?.parse().ok()?;
    let profile = profile_of(world, device)?;
    Some(Slice { instance, compute_instance: None, profile, start: None })
}

/// Who a holder is at a moment; of a pod that no records tell of, what its device tells.
pub(super) fn who(
    world: &World<'_>,
    (namespace, name, container): &Holder,
    at: i64,
    owners: &mut Owners<'_>,
) -> Option<Arc<Attribution>> {
    let pod = pods_named(&world.facts, namespace, name)
        .find(|(_, pod)| pod.held.contains(at))
        .or_else(|| pods_named(&world.facts, namespace, name).next());
    let stranger = (
        (Arc::clone(namespace), Arc::clone(name), Arc::from("")),
        Pod { namespace: Arc::clone(namespace), name: Arc::clone(name), ..Pod::default() },
    );
    let (key, pod) = pod.unwrap_or((&stranger.0, &stranger.1));
    owners.of(pod, &key.2, container, at)
}

fn post(
    world: &World<'_>,
    holder: &Holder,
    found: &[Piece],
    (subject, owners): (&Subject, &mut Owners<'_>),
    tally: &mut Tally,
) {
    let Some(first) = found.first() else { return };
    let workload = who(world, holder, first.span.from, owners);
    if workload.is_none() {
        return;
    }
    let subject = Subject { workload, ..subject.clone() };
    tally.claim(&subject, (Measure::GpuAllocated, Measure::GpuUsed), Paid::Gpu, found);
}

/// Devices that a container asks for while no exporter says which one it got.
fn claim_unmapped(
    world: &World<'_>,
    (measured, mapped): (&BTreeMap<Arc<str>, Looked>, &BTreeSet<Holder>),
    owners: &mut Owners<'_>,
    (tally, notes): (&mut Tally, &mut Notes),
) {
    let map = &world.settled.map;
    for (key, pod) in &world.facts.pods {
        let kinds: BTreeSet<&Resource> =
            pod.requests.keys().map(|(_, resource)| resource).collect();
        for resource in kinds {
            let profile = match resource {
                Resource::Gpu => None,
                Resource::Mig(name) => {
                    mig_profile(name).and_then(|name| profile(map, ("", None), &name))
                }
                _ => continue,
            };
            for (container, steps) in asked(pod, resource, &|_| Spans::NONE) {
                let holder =
                    (Arc::clone(&pod.namespace), Arc::clone(&pod.name), Arc::clone(&container));
                let by_pod = (Arc::clone(&pod.namespace), Arc::clone(&pod.name), Arc::from(""));
                if mapped.contains(&holder) || mapped.contains(&by_pod) {
                    continue;
                }
                for (place, node) in &pod.places {
                    let Ok(id) = NodeId::new(node) else { continue };
                    let share = match profile {
                        Some(profile) => share_of(profile),
                        None => (1, replicas(world, node).unwrap_or(1)),
                    };
                    let scaled: Vec<Step> = steps
                        .iter()
                        .map(|step| {
                            let value = i64::try_from(of(share, step.value.into())).unwrap_or(0);
                            Step { span: step.span, value }
                        })
                        .collect();
                    let looked = measured.get(node).unwrap_or(&NEVER);
                    let time = pod.held.within(*place).and(&looked.node);
                    let found = pieces(&time, (&scaled, Per::Nano), &[], &[]);
                    let Some(first) = found.first() else { continue };
                    let mut subject = world.subject(Some(id), Field::ContainerRequest);
                    subject.workload = owners.of(pod, &key.2, &container, first.span.from);
                    if subject.workload.is_some() {
                        notes.add(format!(
                            "{}/{}: no exporter says which device it holds; what it asked for is \
                             charged and its use is unknown",
                            pod.namespace, pod.name
                        ));
                        let measures = (Measure::GpuAllocated, Measure::GpuUsed);
                        tally.claim(&subject, measures, Paid::Gpu, &found);
                    }
                }
            }
        }
    }
}
