//! The cluster as a snapshot: its nodes as offers in use, and what owns pods as workloads.

mod stretch;

pub(crate) use stretch::times;

use crate::act::guard;
use crate::gpu::Reading;
use crate::kind::KINDS;
use crate::measure::facts;
use crate::object::pod::{Asks, Phase};
use crate::object::{Key, NodeObject, Owner, OwnerRef, PodObject};
use crate::price::NodePrices;
use crate::state::State;
use crate::terms::{About, Saying};
use crate::whose;
use farthing_model::{
    Age, Assignment, ClusterId, Coverage, Decimal, Interruptible, Job, Node, NodeId, NodeState,
    Observed, Offer, OfferId, Requests, Resources, Service, Share, Sizing, Snapshot, Split, Window,
    Workload, WorkloadId, WorkloadKind, WorkloadState, is_excluded,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How far ahead an end that nobody states is put.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// Kinds that end when their work is done; the others run as long as they are wanted.
const JOBS: [&str; 7] = ["Job", "CronJob", "JobSet", "PyTorchJob", "MPIJob", "TrainJob", "RayJob"];

/// A workload that is put together: the owner at the top, and its pods.
struct Whole<'s> {
    kind: Arc<str>,
    namespace: Arc<str>,
    top: Option<OwnerRef>,
    owner: Option<&'s Owner>,
    pods: Vec<&'s PodObject>,
}

/// Workloads as they were seen last: what did not change is shared with the snapshot before.
pub(crate) type Seen = HashMap<WorkloadId, Arc<Workload>>;

/// Puts a snapshot together.
pub(crate) fn snapshot(
    (state, last): (&State, &mut Seen),
    (cluster, now): (&ClusterId, Timestamp),
    prices: &mut NodePrices,
    coverage: Coverage,
    faults: &mut BTreeSet<String>,
) -> Snapshot {
    let (mut nodes, mut offers) = (Vec::with_capacity(state.nodes.len()), BTreeMap::new());
    for node in state.nodes.values() {
        let Ok(id) = NodeId::new(&node.name) else { continue };
        let Some(facts) = facts(state, node, prices, faults) else { continue };
        offers.insert(&*node.name, facts.priced.offer.clone());
        nodes.push(Node {
            id,
            offer: facts.priced.offer.clone(),
            capacity: facts.capacity,
            price: facts.priced.price.clone(),
            state: node_state(node),
            since: node.created.min(now),
            until: None,
        });
    }
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    let whole = wholes(state, faults);
    let seen = whole.iter().map(|(id, whole)| {
        let mut seen = whole.observed(state, id, &offers, now);
        if let Some(known) = last.get(id).filter(|known| **known == seen.workload) {
            seen.workload = Arc::clone(known);
        }
        seen
    });
    let seen: Vec<Observed> = seen.collect();
    let all = seen.iter().map(|it| (it.workload.id.clone(), Arc::clone(&it.workload)));
    *last = all.collect();
    let saying = Saying::of(state);
    let mut terms = saying.cluster();
    let said =
        whole.iter().filter_map(|(id, whole)| Some((id.clone(), saying.workload(whole.about())?)));
    terms.workloads.extend(said);
    let mut room = stretch::Room::of(state, &nodes);
    for (id, whole) in &whole {
        if let Some(stretch) = whole.stretch(state, (&offers, now), &mut room) {
            terms.workloads.entry(id.clone()).or_default().stretch = Some(stretch);
        }
    }
    Snapshot {
        cluster: cluster.clone(),
        at: now,
        nodes,
        workloads: seen,
        ages: ages(state, now),
        coverage,
        terms: Arc::new(terms),
    }
}

/// What the nodes were bought as, each offer once, sorted by id; with the capacity of its first
/// node.
pub(crate) fn offers(
    state: &State,
    prices: &mut NodePrices,
    faults: &mut BTreeSet<String>,
) -> Arc<[Offer]> {
    let mut found = BTreeMap::new();
    for node in state.nodes.values() {
        let Some(facts) = facts(state, node, prices, faults) else { continue };
        let (priced, capacity) = (facts.priced, facts.capacity);
        found.entry(priced.offer.clone()).or_insert_with(|| Offer {
            id: priced.offer.clone(),
            place: priced.place.clone(),
            instance_type: priced.instance_type.clone(),
            accelerator: priced.accelerator.clone(),
            accelerator_count: u32::try_from(capacity.gpu_milli / 1_000).unwrap_or(u32::MAX),
            capacity,
            purchase: priced.purchase,
            price: priced.price.clone(),
            available: None,
            residency: Vec::new(),
            warnings: Vec::new(),
        });
    }
    found.into_values().collect()
}

fn node_state(node: &NodeObject) -> NodeState {
    match (node.ready, node.ready_since) {
        (true, _) => NodeState::Ready,
        (false, Some(since)) if since.duration_since(node.created) > AHEAD => NodeState::Lost,
        (false, _) => NodeState::Booting,
    }
}

/// When each part was last heard of: of workloads the least known of their kinds.
fn ages(state: &State, now: Timestamp) -> Vec<Age> {
    let heard = |name: &str| {
        let of_kind = KINDS.iter().zip(&state.health).find(|(kind, _)| kind.name == name);
        of_kind.and_then(|(_, health)| health.heard).unwrap_or(Timestamp::UNIX_EPOCH).min(now)
    };
    let kinds = ["Pod", "ReplicaSet", "Deployment", "StatefulSet", "Job"];
    let workloads = kinds.map(heard).into_iter().min().unwrap_or(now);
    vec![Age { part: "nodes", as_of: heard("Node") }, Age { part: "workloads", as_of: workloads }]
}

/// Every workload: the owners that nothing owns, and the pods that nothing owns.
fn wholes<'s>(state: &'s State, faults: &mut BTreeSet<String>) -> BTreeMap<WorkloadId, Whole<'s>> {
    let mut all: BTreeMap<WorkloadId, Whole<'s>> = BTreeMap::new();
    for (kind, owners) in &state.owners {
        for (key, owner) in owners.iter().filter(|(_, owner)| owner.of.is_none()) {
            let Some(id) = whose::workload_id(&key.namespace, &key.name) else { continue };
            let top = OwnerRef { kind: Arc::from(*kind), name: Arc::clone(&key.name) };
            if let Some(other) = all.get(&id) {
                faults.insert(format!("{id} is a {} and a {kind}: they are one row", other.kind));
                continue;
            }
            let whole = Whole {
                kind: Arc::from(*kind),
                namespace: Arc::clone(&key.namespace),
                top: Some(top),
                owner: Some(owner),
                pods: Vec::new(),
            };
            all.insert(id, whole);
        }
    }
    for pod in state.pods.values() {
        let Key { namespace, name } = &pod.key;
        let top = whose::top(state, pod).owner;
        let named = top.as_ref().map_or(name, |top| &top.name);
        let Some(id) = whose::workload_id(namespace, named) else { continue };
        let whole = all.entry(id).or_insert_with(|| Whole {
            kind: top.as_ref().map_or_else(|| Arc::from("Pod"), |top| Arc::clone(&top.kind)),
            namespace: Arc::clone(namespace),
            top,
            owner: None,
            pods: Vec::new(),
        });
        whole.pods.push(pod);
    }
    all
}

impl Whole<'_> {
    fn observed(
        &self,
        state: &State,
        id: &WorkloadId,
        offers: &BTreeMap<&str, OfferId>,
        now: Timestamp,
    ) -> Observed {
        let first = self.pods.first();
        let created = self.pods.iter().map(|pod| pod.created).min();
        let since = self.owner.map(|owner| owner.created).or(created).unwrap_or(now).min(now);
        let of_owner = self.owner.and_then(|owner| owner.asks.clone());
        let asks = of_owner.or_else(|| first.map(|pod| Arc::clone(&pod.asks)));
        let node = first.and_then(|pod| state.nodes.get(pod.node.as_ref()?));
        let resources = asks.map(|asks| resources(&asks, node)).unwrap_or_default();
        let own = first.and_then(|pod| pod.team.as_ref());
        let team = whose::team(state, own, self.top.as_ref(), &self.namespace);
        let labels = self.owner.map(|owner| &owner.labels).or(first.map(|pod| &pod.labels));
        Observed {
            workload: Arc::new(Workload {
                id: id.clone(),
                team,
                labels: labels.map(|labels| (**labels).clone()).unwrap_or_default(),
                resources,
                residency: Vec::new(),
                value: Decimal::ONE,
                data: None,
                kind: self.kind(since),
            }),
            state: self.state(offers, now),
            generation: self.owner.map_or_else(|| first.map_or(0, |pod| pod.version), Owner::wish),
            since,
            demand_per_s: None,
        }
    }

    fn about(&self) -> About<'_> {
        About {
            namespace: &self.namespace,
            top: self.top.as_ref(),
            owner: self.owner,
            pod: self.pods.first().copied(),
        }
    }

    fn is_job(&self) -> bool {
        JOBS.contains(&&*self.kind) || &*self.kind == "Pod"
    }

    fn members(&self) -> u32 {
        let pods = u32::try_from(self.pods.len()).unwrap_or(u32::MAX);
        self.owner.and_then(|owner| owner.members).unwrap_or(pods)
    }

    fn kind(&self, since: Timestamp) -> WorkloadKind {
        if self.is_job() {
            return WorkloadKind::Job(Job {
                count: self.members().max(1),
                submitted: Some(since),
                work: None,
                throughput: Vec::new(),
                duration: None,
                deadline: self.owner.and_then(|owner| owner.deadline),
                quoted_cost: None,
                interruptible: self.interruptible(),
            });
        }
        WorkloadKind::Service(Service {
            requests: Requests { rate_per_s: Decimal::ZERO, buckets: Vec::new() },
            throughput: Vec::new(),
            slo: None,
            split: Split::Continuous,
            replicas_min: self.members(),
            sizing: Sizing::default(),
        })
    }

    /// How it takes an interruption, if it may be interrupted: what cannot be read may not.
    fn interruptible(&self) -> Option<Interruptible> {
        let marks = &self.owner?.marks;
        let excluded = marks.get("exclude").is_some_and(is_excluded);
        let said = marks.get("interruptible").filter(|_| !excluded)?;
        guard::interruptible(said).ok()
    }

    fn state(&self, offers: &BTreeMap<&str, OfferId>, now: Timestamp) -> WorkloadState {
        if let Some(end) = self.owner.and_then(|owner| owner.finished) {
            return WorkloadState::Finished(end.min(now));
        }
        // Held back from the start and ours to place: it waits.
        if self.owner.is_some_and(Owner::is_ours_to_start) {
            return WorkloadState::Waiting;
        }
        // What is suspended is so from then on, also while its pods end: they are metered by
        // themselves. A service at none has none when they are gone.
        let none = !self.is_job() && self.members() == 0;
        let gone = || none && self.pods.iter().all(|it| it.phase == Phase::Done);
        if self.owner.is_some_and(|owner| owner.suspend == Some(true) || gone()) {
            return WorkloadState::Suspended;
        }
        if self.owner.is_none()
            && let [pod] = self.pods[..]
            && let Some(done) = pod.done
        {
            return WorkloadState::Finished(done);
        }
        let placed = self.assignments(offers, now);
        if placed.is_empty() { WorkloadState::Waiting } else { WorkloadState::Placed(placed) }
    }

    /// Pods by the offer that they are on; those of a job that are done apart.
    fn assignments(&self, offers: &BTreeMap<&str, OfferId>, now: Timestamp) -> Vec<Assignment> {
        let mut found: BTreeMap<(OfferId, bool), (u32, Timestamp, Timestamp)> = BTreeMap::new();
        let ahead = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        for pod in &self.pods {
            let Some((node, from, done)) = pod.held() else { continue };
            let Some(offer) = offers.get(&**node) else { continue };
            if done.is_some() && !self.is_job() {
                continue;
            }
            let to = done.unwrap_or(ahead);
            let entry = found.entry((offer.clone(), done.is_some())).or_insert((0, from, to));
            *entry = (entry.0.saturating_add(1), entry.1.min(from), entry.2.max(to));
        }
        let mut placed: Vec<Assignment> = found
            .into_iter()
            .filter_map(|((offer, _), (members, from, to))| {
                let window = Window::new(from, to).ok()?;
                Some(Assignment { offer, members, nodes_each: 1, window })
            })
            .collect();
        placed.sort();
        placed
    }
}

/// What one member asks for, with its devices as thousandths: as its node reads them; without a
/// node whole ones only, as nothing says what else a name stands for.
pub(crate) fn resources(asks: &Asks, node: Option<&NodeObject>) -> Resources {
    let milli = asks.devices.iter().filter_map(|(resource, count)| {
        let share = match node {
            Some(node) => Reading::of(node, None).share(resource).ok()?,
            None if resource.starts_with("nvidia.com/mig-") => return None,
            None => Share::WHOLE,
        };
        let milli = u64::try_from(share.nano() / 1_000_000).ok()?;
        Some(milli.saturating_mul(*count))
    });
    Resources { gpu_milli: milli.sum(), ..asks.resources }
}
