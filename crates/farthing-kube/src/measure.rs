//! What was paid and what was set aside in a window.
//!
//! A pod is charged for what it asks for, from when the scheduler gave it its node until it was
//! done or gone; how much of that it used is what `usage` has been told, and else not known. Times
//! are those of Kubernetes, to the second; what ended between two ticks is metered to its end.
//!
//! The window is known as far as both nodes and pods are (`known`): after that the nodes are paid
//! and their time is not measured.

use crate::gpu::Reading;
use crate::object::{NodeObject, PodObject, Slice};
use crate::price::{NodePrices, Priced};
use crate::state::State;
use crate::usage::Usage;
use crate::whose;
use farthing_edge::Measured;
use farthing_model::{
    Asset, Attribution, Coverage, NodeId, NodeSpan, Resource, Resources, Sample, Share, SourceId,
    Window,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Who is charged for each pod, by its unique id.
#[derive(Default)]
pub(crate) struct Faces {
    known: HashMap<Arc<str>, Face>,
    /// Counts the windows that were measured.
    look: u64,
}

/// Who is charged for a pod.
struct Face {
    who: Arc<Attribution>,
    /// The pod's version that says so.
    version: u64,
    /// When it was last looked for.
    look: u64,
}

/// A window that is measured.
pub(crate) struct Measuring<'m> {
    pub(crate) state: &'m State,
    pub(crate) window: Window,
    /// Up to when everything is known.
    pub(crate) known: Timestamp,
    pub(crate) source: &'m SourceId,
    pub(crate) usage: &'m Usage,
}

/// A node, when it was paid, and what it is.
struct Paid<'s> {
    id: NodeId,
    node: &'s NodeObject,
    window: Window,
    priced: Arc<Priced>,
    gpus: Reading<'s>,
    capacity: Resources,
}

/// The devices of each claim, by its namespace and name.
type Claimed<'s> = BTreeMap<(&'s str, &'s str), Vec<Device<'s>>>;

/// A device of a claim.
struct Device<'s> {
    /// The slice of a device that it is, where it is not a whole one.
    slice: Option<&'s Slice>,
    /// How many pods reserve it.
    pods: u64,
}

/// A pod that held something, and when.
struct Held<'s> {
    pod: &'s PodObject,
    window: Window,
}

/// Those of each node, by its name, with who is charged for them.
type Holders<'s> = HashMap<&'s str, Vec<(Held<'s>, Arc<Attribution>)>>;

/// A node with its price, as [`Measured`] and snapshots want it.
pub(crate) struct NodeFacts<'n> {
    pub(crate) priced: Arc<Priced>,
    pub(crate) capacity: Resources,
    /// How its devices are to be read.
    gpus: Reading<'n>,
}

/// What a node is: its price, and its capacity with whole accelerators.
pub(crate) fn facts<'n>(
    state: &State,
    node: &'n NodeObject,
    prices: &mut NodePrices,
    faults: &mut BTreeSet<String>,
) -> Option<NodeFacts<'n>> {
    let name = &node.name;
    let priced = match prices.of(node) {
        Ok(priced) => priced,
        Err(error) => {
            faults.insert(format!("node {name}: its labels make no offer: {error}"));
            return None;
        }
    };
    let gpus = Reading::of(node, priced.accelerator.as_ref());
    let count = match gpus.count() {
        Ok(0) => of_slices(state, name),
        Ok(count) => count,
        Err(why) => {
            faults.insert(format!("node {name}: its accelerators cannot be counted: {why}"));
            0
        }
    };
    let capacity = Resources { gpu_milli: count.saturating_mul(1_000), ..node.capacity };
    Some(NodeFacts { priced, capacity, gpus })
}

/// Whole devices that a node's drivers list (dynamic resource allocation).
fn of_slices(state: &State, node: &Arc<str>) -> u64 {
    let own = state.slices.values().filter(|slices| slices.node.as_ref() == Some(node));
    let whole = own.flat_map(|slices| &slices.devices).filter(|it| it.slice.is_none());
    whole.count() as u64
}

impl<'m> Measuring<'m> {
    /// Measures the window.
    pub(crate) fn measure(&self, prices: &mut NodePrices, faces: &mut Faces) -> Measured {
        let mut faults = BTreeSet::new();
        let paid = self.paid(prices, &mut faults);
        let mut measured = Measured::default();
        for node in &paid {
            self.spans(node, &mut measured);
        }
        let by_name: BTreeMap<&str, Vec<&Paid<'_>>> =
            paid.iter().fold(BTreeMap::new(), |mut all: BTreeMap<&str, Vec<&Paid<'_>>>, node| {
                all.entry(&node.node.name).or_default().push(node);
                all
            });
        let holders = self.holders(faces, &mut faults);
        let claims = self.claims();
        // Cores and memory, and most have accelerators or storage too.
        let pods: usize = holders.values().map(Vec::len).sum();
        measured.samples.reserve_exact(pods.saturating_mul(3));
        // By node, resource, attribution and time: nodes come in order, and have few pods each.
        for (name, paid) in by_name {
            let first = measured.samples.len();
            for (held, who) in holders.get(name).into_iter().flatten() {
                for node in &paid {
                    self.samples(held, node, who, &claims, (&mut measured, &mut faults));
                }
            }
            measured.samples[first..].sort_by(|a, b| {
                (a.resource.cmp(&b.resource))
                    .then_with(|| a.attribution.cmp(&b.attribution))
                    .then_with(|| a.window.from().cmp(&b.window.from()))
            });
        }
        measured.spans.sort_by(|a, b| (&a.node, a.window.from()).cmp(&(&b.node, b.window.from())));
        measured.faults = faults.into_iter().collect();
        measured
    }

    /// Each node that was there in the window.
    fn paid(&self, prices: &mut NodePrices, faults: &mut BTreeSet<String>) -> Vec<Paid<'m>> {
        let gone = self.state.gone_nodes.iter().map(|(node, end)| (node, *end));
        let there = self.state.nodes.values().map(|node| (node, self.window.to()));
        let mut paid = Vec::with_capacity(self.state.nodes.len());
        for (node, end) in gone.chain(there) {
            let from = node.created.max(self.window.from());
            let Ok(window) = Window::new(from, end.min(self.window.to())) else { continue };
            let Ok(id) = NodeId::new(&node.name) else {
                faults.insert(format!("node {}: its name is no name", node.name));
                continue;
            };
            let Some(facts) = facts(self.state, node, prices, faults) else { continue };
            let NodeFacts { priced, capacity, gpus } = facts;
            paid.push(Paid { id, node, window, priced, gpus, capacity });
        }
        paid
    }

    fn spans(&self, paid: &Paid<'_>, measured: &mut Measured) {
        let Paid { node, window, priced, .. } = paid;
        let cut = self.known.clamp(window.from(), window.to());
        let parts = [(window.from(), cut, true), (cut, window.to(), false)];
        for (from, to, is_known) in parts {
            let Ok(window) = Window::new(from, to) else { continue };
            let nanos = window.nanos();
            measured.coverage = Coverage {
                expected_nanos: measured.coverage.expected_nanos + nanos,
                measured_nanos: measured.coverage.measured_nanos + i128::from(is_known) * nanos,
            };
            // Since when it can be used, where that began in this window; a node that is not ready
            // any more is paid like one that is.
            let ready = match (node.ready, node.ready_since) {
                (true, Some(since)) if since > window.from() && first_time(node) => {
                    since.min(window.to())
                }
                (false, _) if first_time(node) => window.to(),
                _ => window.from(),
            };
            measured.spans.push(NodeSpan {
                node: paid.id.clone(),
                asset: Asset::Node,
                offer: priced.offer.clone(),
                place: priced.place.clone(),
                instance_type: priced.instance_type.clone(),
                purchase: priced.purchase,
                capacity: paid.capacity,
                price: priced.price.clone(),
                window,
                ready,
                held_for: None,
                measured: is_known,
            });
        }
    }

    /// Each pod that held something in the part of the window that is known, by its node, and who
    /// is charged for it.
    fn holders(&self, faces: &mut Faces, faults: &mut BTreeSet<String>) -> Holders<'m> {
        let gone = self.state.gone_pods.iter().map(|(pod, end)| (pod, Some(*end)));
        let there = self.state.pods.values().map(|pod| (pod, None));
        let held = gone.chain(there).filter_map(|(pod, end)| {
            let (node, from, done) = pod.held()?;
            let to = end.or(done).unwrap_or(self.known).min(self.known).min(self.window.to());
            let window = Window::new(from.max(self.window.from()), to).ok()?;
            Some((&**node, Held { pod, window }))
        });
        let mut holders = Holders::new();
        faces.look += 1;
        for (node, held) in held {
            if let Some(who) = faces.of(self.state, held.pod) {
                holders.entry(node).or_default().push((held, who));
            } else {
                let why = "its names make no workload";
                faults.insert(format!("pod {}: {why}", held.pod.key));
            }
        }
        faces.forget_unseen();
        holders
    }

    /// The devices of claims, as shares for each of the pods that reserve them.
    fn claims(&self) -> Claimed<'m> {
        let mut known = BTreeMap::new();
        for slices in self.state.slices.values() {
            for device in &slices.devices {
                known.insert((&slices.pool, &device.name), device.slice.as_ref());
            }
        }
        let mut found = Claimed::new();
        for (key, claim) in &self.state.claims {
            let devices = claim.devices.iter().map(|(pool, device)| Device {
                slice: known.get(&(pool, device)).copied().flatten(),
                pods: claim.pods.len() as u64,
            });
            found.insert((&*key.namespace, &*key.name), devices.collect());
        }
        found
    }

    fn samples(
        &self,
        held: &Held<'_>,
        node: &Paid<'_>,
        who: &Arc<Attribution>,
        claims: &Claimed<'_>,
        (measured, faults): (&mut Measured, &mut BTreeSet<String>),
    ) {
        let from = held.window.from().max(node.window.from());
        let to = held.window.to().min(node.window.to());
        let Ok(window) = Window::new(from, to) else { return };
        let pod = held.pod;
        let mut put = |resource: Resource, requested_nano: i128, used_nano: Option<i128>| {
            if requested_nano > 0 || used_nano.is_some_and(|used| used > 0) {
                measured.samples.push(Sample {
                    source: self.source.clone(),
                    node: node.id.clone(),
                    device: None,
                    slice: None,
                    attribution: Some(Arc::clone(who)),
                    resource,
                    window,
                    requested_nano,
                    used_nano,
                    held_nano: None,
                });
            }
        };
        let asks = &pod.asks.resources;
        let used = self.usage.of(&pod.key, window.to());
        // A part of what a rate comes to since ever, so that parts of a window sum to the whole.
        let over = |amount: u64, unit: i128| {
            let until = |at: Timestamp| i128::from(amount) * at.as_nanosecond() / unit;
            until(window.to()) - until(window.from())
        };
        let cores = used.and_then(|used| used.cpu_nano).map(|nano| over(nano, 1_000_000_000));
        put(Resource::Cpu, over(asks.cpu_milli, 1_000), cores);
        let bytes = used.and_then(|used| used.memory_bytes).map(|bytes| over(bytes, 1));
        put(Resource::Memory, over(asks.memory_bytes, 1), bytes);
        put(Resource::Storage, over(asks.storage_bytes, 1), None);
        // What a part of a device did is not told, only what whole ones did.
        let (mut gpus, mut whole): (i128, bool) = (0, true);
        let mut share = |share: Result<Share, String>, count: u64| match share {
            Ok(share) => {
                whole &= share == Share::WHOLE;
                gpus += share.over(window) * i128::from(count);
            }
            Err(why) => {
                faults.insert(format!("pod {}: {why}: it is charged no accelerator", pod.key));
            }
        };
        for (resource, count) in &pod.asks.devices {
            share(node.gpus.share(resource), *count);
        }
        for claim in &pod.claims {
            let devices = claims.get(&(&*pod.key.namespace, &**claim));
            for Device { slice, pods } in devices.into_iter().flatten() {
                let whole = node.gpus.share_of_slice(*slice);
                let own = whole.and_then(|whole| {
                    let part = Share::of(1, (*pods).max(1)).and_then(|part| part.within(whole));
                    part.ok_or_else(|| format!("claim {claim} is reserved by too many pods"))
                });
                share(own, 1);
            }
        }
        let busy = used.and_then(|used| used.gpu_nano).filter(|_| whole && gpus > 0);
        let busy = busy.map(|nano| over(nano, 1_000_000_000));
        put(Resource::Gpu, gpus, busy);
    }
}

/// Whether a node has not been ready before what its condition says now: then its time until
/// ready is that of its start.
fn first_time(node: &NodeObject) -> bool {
    // A start takes minutes; a node that is ready anew after hours had been ready before.
    let hour = jiff::SignedDuration::from_hours(1);
    node.ready_since.is_none_or(|since| since.duration_since(node.created) < hour)
}

impl Faces {
    /// Who is charged for a pod. What was found is kept while the pod does not change, and once
    /// all of its owners were there.
    fn of(&mut self, state: &State, pod: &PodObject) -> Option<Arc<Attribution>> {
        if let Some(face) = self.known.get_mut(&pod.uid)
            && face.version == pod.version
        {
            face.look = self.look;
            return Some(Arc::clone(&face.who));
        }
        let top = whose::top(state, pod);
        let who = Arc::new(whose::attribution(state, pod, &top)?);
        if top.complete {
            let face = Face { who: Arc::clone(&who), version: pod.version, look: self.look };
            self.known.insert(Arc::clone(&pod.uid), face);
        }
        Some(who)
    }

    /// Forgets the pods that were not looked for the last time.
    fn forget_unseen(&mut self) {
        let look = self.look;
        self.known.retain(|_, face| face.look == look);
    }
}
