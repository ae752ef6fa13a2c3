//! What is paid beside nodes: volumes while their claims are there, load balancers while their
//! services are, and the control plane; each with a price of the book, and volumes with who has
//! them mounted.
//!
//! It refuses to know what a price book does not say: an asset without a price is unpriced, and
//! named. A claim that is pending has no volume yet; a volume without a claim is paid by nobody.

use super::bought::{NodePrices, asset_name};
use super::claim::{Per, Piece, pieces};
use super::facts::{Labels, Pod, PodKey};
use super::owner::{Owners, team_of};
use super::span::paid_time;
use super::tally::Tally;
use super::{Notes, World, instant, window};
use crate::telemetry::intake::Settled;
use crate::telemetry::series::{Span, Spans, Step, value_at};
use crate::telemetry::sources::{Field, Label};
use farthing_model::{
    Asset, Attribution, NodeId, NodeSpan, Offer, Place, Purchase, Resource, Resources, WorkloadId,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A name in a namespace.
type Name = (Arc<str>, Arc<str>);

/// A claim or a volume over time.
#[derive(Debug, Default)]
struct Volume {
    present: Spans,
    created: Option<i64>,
    pending: Spans,
    class: Arc<str>,
    /// The volume that a claim is bound to, and when.
    bound: Vec<(Span, Arc<str>)>,
    /// Bytes that are asked for, or that a volume has.
    bytes: Vec<Step>,
    /// Bytes that the file system has, for where nothing else says.
    formatted: Vec<Step>,
    used: Vec<Step>,
}

/// A service that is reached through a load balancer.
#[derive(Debug, Default)]
struct Balancer {
    present: Spans,
    created: Option<i64>,
}

/// Everything that the cluster's records say of what is paid beside nodes.
#[derive(Debug, Default)]
struct Assets {
    claims: BTreeMap<Name, Volume>,
    volumes: BTreeMap<Arc<str>, Volume>,
    balancers: BTreeMap<Name, Balancer>,
    /// Who mounts what.
    mounts: BTreeMap<Name, Vec<(Name, Arc<str>)>>,
    /// Whether claims say which volume they have.
    says_bound: bool,
}

impl Assets {
    fn read(world: &World<'_>) -> Self {
        let says_bound = world.sources.contains_key(&Field::ClaimInfo);
        let mut found = Self { says_bound, ..Self::default() };
        found.claims(world.settled, world);
        found.volumes(world);
        let store = &world.settled.store;
        for series in store.of(Field::PodClaim) {
            let (Some(namespace), Some(pod)) =
                (series.get(Label::Namespace), series.get(Label::Pod))
            else {
                continue;
            };
            let Some(claim) = series.get(Label::Claim) else { continue };
            let uid = series.get(Label::Uid).map_or_else(|| Arc::from(""), Arc::clone);
            let key = (Arc::clone(namespace), Arc::clone(claim));
            let pod = (Arc::clone(namespace), Arc::clone(pod));
            found.mounts.entry(key).or_default().push((pod, uid));
        }
        for mounts in found.mounts.values_mut() {
            mounts.sort();
            mounts.dedup();
        }
        for field in [Field::ServiceType, Field::ServiceCreated] {
            for series in store.of(field) {
                let name = (series.get(Label::Namespace), series.get(Label::Service));
                let (Some(namespace), Some(service)) = name else { continue };
                let key = (Arc::clone(namespace), Arc::clone(service));
                let merged = store.merged(series);
                if field == Field::ServiceType && series.text(Label::ServiceType) == "LoadBalancer"
                {
                    let on = merged.steps(&world.horizon).into_iter();
                    let on = on.filter(|step| step.value != 0).map(|step| step.span).collect();
                    let entry = found.balancers.entry(key).or_default();
                    entry.present = entry.present.or(&Spans::of(on));
                } else if let Some(entry) = found.balancers.get_mut(&key) {
                    entry.created = merged.first().map(|point| point.value);
                }
            }
        }
        found
    }

    fn claims(&mut self, settled: &Settled, world: &World<'_>) {
        let horizon = &world.horizon;
        // The kubelet of each node that mounts a claim tells of it: one claim, several series.
        let mut used: BTreeMap<(Name, Field), Vec<_>> = BTreeMap::new();
        for field in CLAIM_FIELDS {
            for series in settled.store.of(field) {
                let name = (series.get(Label::Namespace), series.get(Label::Claim));
                let (Some(namespace), Some(claim)) = name else { continue };
                let key = (Arc::clone(namespace), Arc::clone(claim));
                if matches!(field, Field::ClaimUsed | Field::ClaimCapacity) {
                    used.entry((key, field)).or_default().push(series);
                    continue;
                }
                let merged = settled.store.merged(series);
                let entry = self.claims.entry(key).or_default();
                if matches!(field, Field::ClaimRequest | Field::ClaimInfo) {
                    let present = merged.presence(horizon);
                    entry.present = entry.present.or(&Spans::of(present.clone()));
                    if let Some(volume) = series.get(Label::Volume) {
                        entry.bound.extend(present.into_iter().map(|at| (at, Arc::clone(volume))));
                        entry.bound.sort();
                    }
                }
                if let Some(class) = series.get(Label::StorageClass) {
                    entry.class = Arc::clone(class).max(Arc::clone(&entry.class));
                }
                match field {
                    Field::ClaimRequest => entry.bytes = merged.steps(horizon),
                    Field::ClaimCreated => entry.created = merged.first().map(|it| it.value),
                    Field::ClaimPhase if series.text(Label::Phase) == "Pending" => {
                        let on = merged.steps(horizon).into_iter().filter(|it| it.value != 0);
                        entry.pending = Spans::of(on.map(|step| step.span).collect());
                    }
                    _ => {}
                }
            }
        }
        for ((name, field), series) in used {
            let merged = settled.store.merged_all(&series);
            let entry = self.claims.entry(name).or_default();
            if field == Field::ClaimUsed {
                entry.used = merged.steps(horizon);
            } else {
                entry.present = entry.present.or(&Spans::of(merged.presence(horizon)));
                entry.formatted = merged.steps(horizon);
            }
        }
    }

    fn volumes(&mut self, world: &World<'_>) {
        for field in [Field::VolumeCapacity, Field::VolumeInfo] {
            for series in world.settled.store.of(field) {
                let Some(name) = series.get(Label::Volume) else { continue };
                let merged = world.settled.store.merged(series);
                let entry = self.volumes.entry(Arc::clone(name)).or_default();
                if let Some(class) = series.get(Label::StorageClass) {
                    entry.class = Arc::clone(class);
                }
                if field == Field::VolumeCapacity {
                    let present = Spans::of(merged.presence(&world.horizon));
                    entry.present = entry.present.or(&present);
                    entry.bytes = merged.steps(&world.horizon);
                }
            }
        }
    }

    /// What a claim has at a moment: what its volume has, else what it asks for, else what its file
    /// system has; while nothing is said, what was said last.
    fn bytes_at(&self, claim: &Volume, at: i64) -> u64 {
        let bound = claim.bound.iter().rev().find(|(span, _)| span.from <= at);
        let of_volume = bound.or(claim.bound.first()).and_then(|(_, name)| self.volumes.get(name));
        let lists = [of_volume.map(|it| &it.bytes), Some(&claim.bytes), Some(&claim.formatted)];
        let said = lists.into_iter().flatten().find_map(|steps| held_at(steps, at));
        said.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
    }

    /// When something was said of a claim's size, which may change then.
    fn edges(&self, claim: &Volume) -> Vec<i64> {
        let volumes = claim.bound.iter().filter_map(|(_, name)| self.volumes.get(name));
        let steps = volumes.flat_map(|volume| &volume.bytes).chain(&claim.bytes);
        steps.chain(&claim.formatted).flat_map(|step| [step.span.from, step.span.to]).collect()
    }
}

const CLAIM_FIELDS: [Field; 6] = [
    Field::ClaimRequest,
    Field::ClaimInfo,
    Field::ClaimPhase,
    Field::ClaimCreated,
    Field::ClaimUsed,
    Field::ClaimCapacity,
];

/// The value of steps at a moment; while nothing is said, what was said last, or first.
fn held_at(steps: &[Step], at: i64) -> Option<i64> {
    let last = || steps.iter().rev().find(|step| step.span.from <= at).or(steps.first());
    value_at(steps, at).or_else(|| last().map(|step| step.value))
}

/// Where assets are: with the nodes.
pub(super) struct Places {
    of_node: BTreeMap<NodeId, Place>,
    most: Option<Place>,
}

impl Places {
    pub(super) fn of(nodes: &[NodeSpan]) -> Self {
        let mut of_node = BTreeMap::new();
        for span in nodes {
            of_node.entry(span.node.clone()).or_insert_with(|| span.place.clone());
        }
        let mut counts: BTreeMap<&Place, usize> = BTreeMap::new();
        for place in of_node.values() {
            *counts.entry(place).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        let most = most.map(|(place, _)| place.clone());
        Self { of_node, most }
    }

    /// The place of a node; of an unknown one where most are.
    pub(super) fn at(&self, node: Option<&str>) -> Option<&Place> {
        let known = node.and_then(|node| NodeId::new(node).ok());
        known.and_then(|node| self.of_node.get(&node)).or(self.most.as_ref())
    }
}

/// An asset over a stretch of time.
pub(super) struct Paid<'a> {
    pub(super) name: String,
    pub(super) kind: (Asset, &'a str),
    pub(super) place: &'a Place,
    pub(super) bytes: u64,
    pub(super) held_for: Option<Arc<Attribution>>,
}

impl Paid<'_> {
    pub(super) fn span(
        &self,
        span: Span,
        measured: bool,
        prices: &NodePrices<'_>,
    ) -> Option<NodeSpan> {
        let (asset, class) = self.kind;
        let instance_type = asset_name(asset, class);
        Some(NodeSpan {
            node: NodeId::new(&self.name).ok()?,
            asset,
            offer: Offer::id_of(self.place, &instance_type, Purchase::OnDemand).ok()?,
            place: self.place.clone(),
            instance_type,
            purchase: Purchase::OnDemand,
            capacity: Resources { storage_bytes: self.bytes, ..Resources::default() },
            price: prices.of_asset(self.kind, self.place, self.bytes),
            window: window(span)?,
            ready: instant(span.from)?,
            held_for: self.held_for.clone(),
            measured,
        })
    }
}

/// Adds the spans of all assets but nodes, and samples of mounts.
pub(super) fn charge(
    world: &World<'_>,
    places: &Places,
    prices: &NodePrices<'_>,
    (tally, notes): (&mut Tally, &mut Notes),
) -> Vec<NodeSpan> {
    let assets = Assets::read(world);
    let mut spans = volumes(world, (&assets, places, prices), (tally, notes));
    let all = world.horizon.window;
    let records = records(world);
    let pace = world.facts.pulse.pace();
    let Some(most) = places.at(None) else { return spans };
    for ((namespace, service), balancer) in &assets.balancers {
        let paid = Paid {
            name: format!("load-balancer/{namespace}/{service}"),
            kind: (Asset::LoadBalancer, ""),
            place: most,
            bytes: 0,
            held_for: of_service(world, namespace, service),
        };
        let time = paid_time((&balancer.present, balancer.created), &records, pace, all);
        spans.extend(time.iter().filter_map(|span| paid.span(span, true, prices)));
    }
    // A control plane that the price book does not name costs nothing beside its nodes.
    let plane = (Asset::ControlPlane, "");
    if prices.of_asset(plane, most, 0).rate().is_some() {
        let name = format!("control-plane/{}", most.region);
        let paid = Paid { name, kind: plane, place: most, bytes: 0, held_for: None };
        let there = world.facts.nodes.values().fold(Spans::default(), |sum, node| {
            sum.or(&paid_time((&node.present, node.created), &records, pace, all))
        });
        spans.extend(there.iter().filter_map(|span| paid.span(span, true, prices)));
    }
    spans
}

/// When the cluster's records were read; always, where there are none at all.
fn records(world: &World<'_>) -> Spans {
    let (pulse, all) = (&world.facts.pulse, world.horizon.window);
    if pulse.is_empty() { Spans::of(vec![all]) } else { pulse.up(all, world.horizon.hold_ms) }
}

/// Whose load balancer it is: a service of a namespace, and the team of that.
fn of_service(world: &World<'_>, namespace: &str, service: &str) -> Option<Arc<Attribution>> {
    let workload = WorkloadId::new(&format!("{namespace}/{service}")).ok()?;
    let labels: Option<&Labels> = world.facts.namespaces.get(namespace);
    Some(Arc::new(Attribution {
        team: team_of(&world.settled.map, labels),
        namespace: Some(namespace.to_owned()),
        services: vec![service.to_owned()],
        ..Attribution::of(workload)
    }))
}

/// Volumes of claims, with who has them mounted, and volumes that a claim has left behind.
struct Volumes<'w> {
    world: &'w World<'w>,
    assets: &'w Assets,
    places: &'w Places,
    prices: &'w NodePrices<'w>,
    records: Spans,
    owners: Owners<'w>,
    spans: Vec<NodeSpan>,
}

impl Volumes<'_> {
    /// The time in which something is paid.
    fn paid(&self, present: &Spans, created: Option<i64>) -> Spans {
        let pace = self.world.facts.pulse.pace();
        paid_time((present, created), &self.records, pace, self.world.horizon.window)
    }

    fn claim(&mut self, name: &Name, claim: &Volume, (tally, notes): (&mut Tally, &mut Notes)) {
        let time = self.paid(&claim.present, claim.created).without(&claim.pending);
        let mounts = mounts_of(self.world, self.assets, name);
        let node = mounts.iter().find_map(|(_, pod)| Some(&*pod.places.first()?.1));
        let Some(place) = self.places.at(node) else { return };
        let named = format!("volume/{}/{}", name.0, name.1);
        let Ok(id) = NodeId::new(&named) else {
            notes.add(format!("{named}: its name is too long to be kept; it is left out"));
            return;
        };
        let mut edges = self.assets.edges(claim);
        edges.extend(self.records.iter().flat_map(|span| [span.from, span.to]));
        for span in stretches(&time, edges) {
            let bytes = self.assets.bytes_at(claim, span.from);
            let kind = (Asset::Volume, &*claim.class);
            let paid = Paid { name: named.clone(), kind, place, bytes, held_for: None };
            let measured = self.records.contains(span.from);
            self.spans.extend(paid.span(span, measured, self.prices));
        }
        let mut subject = self.world.subject(Some(id), Field::ClaimRequest);
        for (key, pod) in mounts {
            let time = pod.held.and(&time).and(&self.records);
            let cuts: Vec<i64> = pod.labels.iter().skip(1).map(|(from, _)| *from).collect();
            let found = self.mount(claim, &time, &cuts);
            for run in found.chunk_by(|_, next| cuts.binary_search(&next.span.from).is_err()) {
                let Some(first) = run.first() else { continue };
                subject.workload = self.owners.of(pod, &key.2, &Arc::from(""), first.span.from);
                if subject.workload.is_some() {
                    tally.sample(&subject, Resource::Storage, run);
                }
            }
        }
    }

    /// What a pod has of a claim while it has it mounted: all of it, and what it holds. The meter
    /// divides it among those who share it.
    fn mount(&self, claim: &Volume, time: &Spans, cuts: &[i64]) -> Vec<Piece> {
        let held = stretches(time, self.assets.edges(claim)).into_iter().filter_map(|span| {
            let value = i64::try_from(self.assets.bytes_at(claim, span.from)).ok()?;
            Some(Step { span, value })
        });
        let used = Per::Byte.used(&claim.used);
        pieces(time, (&held.collect::<Vec<_>>(), Per::Byte), &[used], cuts)
    }

    /// A volume in the time in which no claim has it: it is paid, by nobody.
    fn left_behind(&mut self, name: &str, volume: &Volume, claimed: &Spans) {
        let time = self.paid(&volume.present, None).without(claimed);
        let Some(place) = self.places.at(None) else { return };
        let edges = volume.bytes.iter().flat_map(|step| [step.span.from, step.span.to]).collect();
        for span in stretches(&time, edges) {
            let bytes = held_at(&volume.bytes, span.from).and_then(|it| u64::try_from(it).ok());
            let kind = (Asset::Volume, &*volume.class);
            let (name, bytes) = (format!("volume/{name}"), bytes.unwrap_or(0));
            let paid = Paid { name, kind, place, bytes, held_for: None };
            self.spans.extend(paid.span(span, true, self.prices));
        }
    }
}

fn volumes(
    world: &World<'_>,
    (assets, places, prices): (&Assets, &Places, &NodePrices<'_>),
    (tally, notes): (&mut Tally, &mut Notes),
) -> Vec<NodeSpan> {
    if !assets.claims.is_empty() && !world.sources.contains_key(&Field::PodClaim) {
        notes.add(
            "kube_pod_spec_volumes_persistentvolumeclaims_info (kube-state-metrics) is missing: \
             who mounts a claim is not known, and claims are charged to nobody"
                .to_owned(),
        );
    }
    let owners = Owners::new(&world.facts, &world.settled.map);
    let records = records(world);
    let mut all = Volumes { world, assets, places, prices, records, owners, spans: Vec::new() };
    let mut taken: BTreeMap<&str, Spans> = BTreeMap::new();
    for (name, claim) in &assets.claims {
        for (span, volume) in &claim.bound {
            let own = taken.entry(volume).or_default();
            *own = own.or(&Spans::of(vec![*span]));
        }
        all.claim(name, claim, (tally, notes));
    }
    // Where claims do not say which volume they have, all volumes would seem to be left behind.
    for (name, volume) in assets.volumes.iter().filter(|_| assets.says_bound) {
        all.left_behind(name, volume, taken.get(&**name).unwrap_or(&Spans::NONE));
    }
    all.spans
}

/// The pods that mount a claim.
fn mounts_of<'w>(
    world: &'w World<'_>,
    assets: &Assets,
    claim: &Name,
) -> Vec<(&'w PodKey, &'w Pod)> {
    let named = assets.mounts.get(claim).into_iter().flatten();
    let mut found: Vec<(&PodKey, &Pod)> = Vec::new();
    for ((namespace, name), uid) in named {
        let pods = super::container::pods_named(&world.facts, namespace, name);
        found.extend(pods.filter(|(key, _)| uid.is_empty() || key.2 == *uid || key.2.is_empty()));
    }
    found.sort_by_key(|(key, _)| *key);
    found.dedup_by_key(|(key, _)| *key);
    found
}

/// Stretches of time, cut where something changed.
fn stretches(time: &Spans, mut edges: Vec<i64>) -> Vec<Span> {
    edges.extend(time.iter().flat_map(|span| [span.from, span.to]));
    edges.sort_unstable();
    edges.dedup();
    let pairs = edges.windows(2).filter_map(|pair| Span::new(pair[0], pair[1]));
    pairs.filter(|span| time.contains(span.from)).collect()
}
