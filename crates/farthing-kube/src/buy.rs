//! What could be bought for a workload that waits: machines that pools of Karpenter allow and may
//! not buy for their limits, and where there is no pool, machines of the price book in the places
//! where the cluster is, with what people do to get them.
//!
//! Where a pool may buy one already its autoscaler will, and there is nothing to say. Start at
//! [`to_buy`].

use crate::act::buy::{PURCHASE, TYPE};
use crate::measure::facts;
use crate::object::placement::Placement;
use crate::object::pod::Asks;
use crate::object::rule::{PoolRule, Says};
use crate::object::{NodeObject, Rule};
use crate::observe::{resources, times};
use crate::price::{NodePrices, Priced};
use crate::state::State;
use crate::subject;
use crate::terms::{taints_of, tolerations};
use farthing_edge::Buyable;
use farthing_model::{Offer, Place, Purchase, Resources, Room, WorkloadId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Labels that name the group of a node, and what enlarges it.
const GROUPS: [(&str, &str); 5] = [
    (
        "eks.amazonaws.com/nodegroup",
        "aws eks update-nodegroup-config --cluster-name CLUSTER --nodegroup-name GROUP \
         --scaling-config desiredSize=COUNT",
    ),
    ("alpha.eksctl.io/nodegroup-name", "eksctl scale nodegroup --cluster CLUSTER GROUP -N COUNT"),
    (
        "cloud.google.com/gke-nodepool",
        "gcloud container clusters resize CLUSTER --node-pool GROUP --num-nodes COUNT",
    ),
    (
        "kubernetes.azure.com/agentpool",
        "az aks nodepool scale --cluster-name CLUSTER --name GROUP --node-count COUNT",
    ),
    ("kops.k8s.io/instancegroup", "kops edit instancegroup GROUP"),
];
/// Machines that are offered at most.
const FOUND_MAX: usize = 200;

/// What one member asks for, and where it may be put.
struct Member {
    asks: Arc<Asks>,
    placement: Arc<Placement>,
    /// Whether it may be interrupted at any time.
    spot: bool,
}

/// A machine, and how many members fit on it.
struct Machine {
    priced: Priced,
    capacity: Resources,
    members: u32,
}

fn member(state: &State, id: &WorkloadId) -> Option<Member> {
    let subject = subject::subject(state, id)?;
    let spot = subject.marks.contains_key("interruptible");
    let owners = state.owners.get(subject.kind);
    let key = crate::object::Key {
        namespace: Arc::from(subject.namespace.as_str()),
        name: Arc::from(subject.name.as_str()),
    };
    if let Some(owner) = owners.and_then(|all| all.get(&key)) {
        let part = owner.stretch.as_deref();
        let asks = part.map(|part| &part.asks).or(owner.asks.as_ref());
        let placement = part.map(|part| &part.placement).or(owner.placement.as_ref());
        let (asks, placement) = (Arc::clone(asks?), Arc::clone(placement?));
        return Some(Member { asks, placement, spot });
    }
    let pod = state.pods.get(&key)?;
    Some(Member { asks: Arc::clone(&pod.asks), placement: Arc::clone(&pod.placement), spot })
}

/// What could be bought for a workload.
pub(crate) fn to_buy(state: &State, prices: &mut NodePrices, id: &WorkloadId) -> Vec<Buyable> {
    // Where more is said of its nodes than is read, nobody knows what would do.
    let member = member(state, id).filter(|member| !member.placement.more_affinity);
    let Some(member) = member else { return Vec::new() };
    let pools: Vec<(&Rule, &PoolRule)> = state
        .rules
        .get("NodePool")
        .into_iter()
        .flat_map(BTreeMap::values)
        .filter_map(|rule| match &rule.says {
            Says::Pool(says) => Some((rule, &**says)),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for (rule, pool) in &pools {
        let name = &rule.key.name;
        let tolerated = tolerations(&member.placement);
        if taints_of(&pool.taints).iter().any(|taint| taint.keeps_off(&tolerated)) {
            continue;
        }
        for machine in of_pool(state, prices, (name, pool), &member) {
            if !is_in_the_way(pool, machine.capacity) {
                return Vec::new();
            }
            let pool = Some((name.to_string(), pool.wish));
            found.push(machine.buyable(pool, String::new()));
        }
    }
    if pools.is_empty() {
        found.extend(by_people(state, prices, &member));
    }
    found.sort_by(|a, b| (&a.offer.id, &a.pool).cmp(&(&b.offer.id, &b.pool)));
    found.truncate(FOUND_MAX);
    found
}

/// Whether the limits of a pool keep it from buying one more.
fn is_in_the_way(pool: &PoolRule, one: Resources) -> bool {
    let Room { cpu_milli, memory_bytes, gpu_milli, .. } = pool.limit;
    let over = |limit: Option<u64>, bought: Option<u64>, one: u64| {
        limit.is_some_and(|limit| bought.unwrap_or(0).saturating_add(one) > limit)
    };
    over(cpu_milli, pool.bought.cpu_milli, one.cpu_milli)
        || over(memory_bytes, pool.bought.memory_bytes, one.memory_bytes)
        || over(gpu_milli, pool.bought.gpu_milli, one.gpu_milli)
        || over(pool.nodes.0, Some(pool.nodes.1), 1)
}

/// The values that a pool allows of a label; `None` where it says it in another way.
fn allowed<'p>(pool: &'p PoolRule, label: &str) -> Option<Vec<&'p str>> {
    let mut own = pool.requires.iter().filter(|(key, _, _)| &**key == label);
    match (own.next(), own.next()) {
        (Some((_, operator, values)), None) if &**operator == "In" => {
            Some(values.iter().map(|value| &**value).collect())
        }
        _ => None,
    }
}

/// Whether what a pool buys is what a member selects, as far as its labels say it.
fn selects(member: &Member, pool: &PoolRule, labels: &BTreeMap<String, String>) -> bool {
    member.placement.selector.iter().all(|(key, value)| {
        let told = pool.labels.get(&**key).or_else(|| labels.get(&**key));
        told.is_some_and(|own| own == &**value)
            || allowed(pool, key).is_some_and(|values| values.contains(&&**value))
    })
}

/// The machines that a pool names and a member fits on.
fn of_pool(
    state: &State,
    prices: &mut NodePrices,
    (name, pool): (&str, &PoolRule),
    member: &Member,
) -> Vec<Machine> {
    let types = allowed(pool, TYPE).unwrap_or_default();
    let purchases = allowed(pool, PURCHASE).unwrap_or_else(|| vec!["on-demand"]);
    let mut machines = Vec::new();
    for like in places(state) {
        for machine in &types {
            for purchase in &purchases {
                let mut labels: BTreeMap<String, String> = like
                    .labels
                    .iter()
                    .filter(|(key, _)| key.starts_with("topology.kubernetes.io/"))
                    .map(|(key, value)| (key.to_string(), value.to_string()))
                    .collect();
                labels.insert(TYPE.to_owned(), (*machine).to_owned());
                labels.insert(PURCHASE.to_owned(), (*purchase).to_owned());
                labels.insert("karpenter.sh/nodepool".to_owned(), name.to_owned());
                let zones = allowed(pool, "topology.kubernetes.io/zone");
                let zone = labels.get("topology.kubernetes.io/zone");
                if zones.is_some_and(|zones| zone.is_none_or(|own| !zones.contains(&own.as_str())))
                    || !selects(member, pool, &labels)
                {
                    continue;
                }
                let asked = prices.asked();
                let Ok(priced) = asked.price(&labels, like.provider_id.as_deref()) else {
                    continue;
                };
                let Some(capacity) = asked.capacity(&priced.offer) else { continue };
                machines.extend(Machine::of(priced, capacity, member));
            }
        }
    }
    machines
}

/// A node of each place.
fn places(state: &State) -> Vec<&NodeObject> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for node in state.nodes.values() {
        let provider = node.provider_id.as_deref().and_then(|id| id.split(':').next());
        let [region, zone] = ["region", "zone"].map(|part| {
            node.labels.get(format!("topology.kubernetes.io/{part}").as_str()).map(|it| &**it)
        });
        if seen.insert((provider, region, zone)) {
            found.push(node);
        }
    }
    found
}

/// What people could buy: machines like those that there are, and those of the price book there.
fn by_people(state: &State, prices: &mut NodePrices, member: &Member) -> Vec<Buyable> {
    let mut found: BTreeMap<(farthing_model::OfferId, Place), Buyable> = BTreeMap::new();
    for node in state.nodes.values() {
        let Some(facts) = facts(state, node, prices, &mut BTreeSet::new()) else { continue };
        let (priced, there) = (Arc::clone(&facts.priced), facts.capacity);
        let key = (priced.offer.clone(), priced.place.clone());
        let selected = |(label, value): &(Arc<str>, Arc<str>)| {
            node.labels.get(label).is_some_and(|own| own == value)
        };
        if found.contains_key(&key) || !member.placement.selector.iter().all(selected) {
            continue;
        }
        let asked = prices.asked().capacity(&priced.offer);
        let Some(machine) = Machine::of((*priced).clone(), asked.unwrap_or(there), member) else {
            continue;
        };
        let count = state.nodes.values().filter(|other| other.labels == node.labels).count();
        found.insert(key, machine.buyable(None, enlarged(node, count)));
    }
    // What selects nodes by labels is sure of those only whose labels are seen.
    if member.placement.selector.is_empty() {
        let places: BTreeSet<Place> = found.keys().map(|(_, place)| place.clone()).collect();
        let known: BTreeSet<_> =
            found.values().filter_map(|it| it.offer.accelerator.clone()).collect();
        let suits = |priced: &Priced| {
            // Which other accelerators would do, nobody says.
            let asks = !member.asks.devices.is_empty();
            !asks || priced.accelerator.as_ref().is_some_and(|own| known.contains(own))
        };
        for place in places {
            let machines = prices.asked().machines(&place);
            for (priced, capacity) in machines.into_iter().filter(|(priced, _)| suits(priced)) {
                let how = format!("by hand, at {}", place.provider);
                let key = (priced.offer.clone(), priced.place.clone());
                if let Some(machine) = Machine::of(priced, capacity, member) {
                    found.entry(key).or_insert_with(|| machine.buyable(None, how));
                }
            }
        }
    }
    found.into_values().collect()
}

/// What enlarges the group of a node, which has so many that look like it or more.
fn enlarged(node: &NodeObject, count: usize) -> String {
    let group = GROUPS.iter().find_map(|(label, how)| Some((node.labels.get(*label)?, how)));
    match group {
        Some((group, how)) => format!("`{}` (it has {count})", how.replace("GROUP", group)),
        None => format!("one more like node {}", node.name),
    }
}

impl Machine {
    /// A machine that a member fits on, bought in a way that it bears.
    fn of(priced: Priced, capacity: Resources, member: &Member) -> Option<Self> {
        let spot = priced.purchase == Purchase::Spot;
        let members = times(capacity, resources(&member.asks, None));
        let fits = members > 0 && (member.spot || !spot);
        let members = u32::try_from(members).unwrap_or(u32::MAX);
        fits.then_some(Self { priced, capacity, members })
    }

    fn buyable(self, pool: Option<(String, u64)>, how: String) -> Buyable {
        let Self { priced, capacity, members } = self;
        let offer = Offer {
            id: priced.offer,
            place: priced.place,
            instance_type: priced.instance_type,
            accelerator: priced.accelerator,
            accelerator_count: u32::try_from(capacity.gpu_milli / 1_000).unwrap_or(u32::MAX),
            capacity,
            purchase: priced.purchase,
            price: priced.price,
            available: None,
            residency: Vec::new(),
            warnings: Vec::new(),
        };
        let (pool, generation) = pool.unzip();
        Buyable { offer, members, pool, generation: generation.unwrap_or(0), how }
    }
}
