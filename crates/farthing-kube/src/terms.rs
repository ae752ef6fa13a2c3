//! What others have said about nodes and workloads, as terms of a snapshot: taints, priorities,
//! quotas, disruption budgets, queues, autoscalers, pools.

use crate::act::guard;
use crate::object::node::Tainted;
use crate::object::placement::{Placement, Tolerated};
use crate::object::rule::{Rule, Says};
use crate::object::stretch::is_stretched;
use crate::object::{Key, NodeObject, Owner, OwnerRef, PodObject};
use crate::state::State;
use crate::whose;
use farthing_model::{
    NodeId, NodeTerms, Pool, Resources, Room, Steering, Taint, Terms, Toleration, WorkloadId,
    WorkloadTerms,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kinds of autoscalers of replicas.
const SCALERS: [&str; 2] = ["HorizontalPodAutoscaler", "ScaledObject"];
/// The label that names the queue of a workload.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";
/// The label that names the pool of a node.
const POOL: &str = "karpenter.sh/nodepool";

/// Autoscalers, by namespace and by what they scale.
type Scalers<'s> = BTreeMap<(&'s str, &'s OwnerRef), Vec<Steering>>;

/// Says what is said, one workload after the other.
pub(crate) struct Saying<'s> {
    state: &'s State,
    scalers: Scalers<'s>,
    /// The priority of pods that name no class.
    usual: i32,
}

/// A workload: its namespace, the object at its top, and one of its pods.
#[derive(Clone, Copy)]
pub(crate) struct About<'s> {
    pub(crate) namespace: &'s Arc<str>,
    pub(crate) top: Option<&'s OwnerRef>,
    pub(crate) owner: Option<&'s Owner>,
    pub(crate) pod: Option<&'s PodObject>,
}

fn rules<'s>(state: &'s State, kind: &str) -> impl Iterator<Item = &'s Rule> {
    state.rules.get(kind).into_iter().flat_map(BTreeMap::values)
}

impl<'s> Saying<'s> {
    pub(crate) fn of(state: &'s State) -> Self {
        let mut scalers = Scalers::new();
        for kind in SCALERS {
            for rule in rules(state, kind) {
                let Says::Replicas(target, least, most) = &rule.says else { continue };
                let (least, most) = (*least, *most);
                let name = rule.key.name.to_string();
                scalers
                    .entry((&*rule.key.namespace, target))
                    .or_default()
                    .push(Steering::Replicas { kind: kind.to_owned(), name, least, most });
            }
        }
        let usual = rules(state, "PriorityClass").find_map(|rule| match rule.says {
            Says::Class(value, true) => Some(value),
            _ => None,
        });
        Self { state, scalers, usual: usual.unwrap_or(0) }
    }

    /// What is said of the whole cluster, without its workloads.
    pub(crate) fn cluster(&self) -> Terms {
        let mut terms = Terms { shared: true, ..Terms::default() };
        let mut held = self.held_by_sick();
        for node in self.state.nodes.values() {
            let said =
                NodeTerms { holds: held.remove(&*node.name).unwrap_or_default(), ..of_node(node) };
            if said != NodeTerms::default()
                && let Ok(id) = NodeId::new(&node.name)
            {
                terms.nodes.insert(id, said);
            }
        }
        for quota in rules(self.state, "ResourceQuota") {
            let Says::Room(left) = quota.says else { continue };
            let room = terms.room.entry(quota.key.namespace.to_string()).or_default();
            *room = room.min(left);
        }
        for pool in rules(self.state, "NodePool") {
            let Says::Pool(says) = &pool.says else { continue };
            let (limit, bought, weight) = (says.limit, resources(says.bought), says.weight);
            terms.pools.insert(pool.key.name.to_string(), Pool { limit, bought, weight });
        }
        terms
    }

    /// Whose pods are on nodes that do not look well.
    fn held_by_sick(&self) -> BTreeMap<&'s str, BTreeMap<WorkloadId, u32>> {
        let mut held = BTreeMap::new();
        for node in self.state.nodes.values().filter(|node| !node.symptoms.is_empty()) {
            held.insert(&*node.name, BTreeMap::new());
        }
        if held.is_empty() {
            return held;
        }
        for pod in self.state.pods.values().filter(|pod| pod.done.is_none()) {
            let Some(here) = pod.node.as_deref().and_then(|node| held.get_mut(node)) else {
                continue;
            };
            let top = whose::top(self.state, pod).owner;
            let name = top.as_ref().map_or(&pod.key.name, |top| &top.name);
            if let Some(id) = whose::workload_id(&pod.key.namespace, name) {
                *here.entry(id).or_default() += 1;
            }
        }
        held
    }

    /// What is said of a workload; `None` where nothing is.
    pub(crate) fn workload(&self, about: About<'s>) -> Option<WorkloadTerms> {
        let About { namespace, top, owner, pod } = about;
        let of_owner = owner.and_then(|owner| owner.placement.as_deref());
        let placement = of_owner.or_else(|| pod.map(|pod| &*pod.placement));
        let nothing = Placement::default();
        let placement = placement.unwrap_or(&nothing);
        let labels = owner.map(|owner| &owner.labels).or(pod.map(|pod| &pod.labels));
        let queue = labels.and_then(|all| all.get(QUEUE)).cloned().map(Steering::Queue);
        let mark = |name: &str| owner.and_then(|owner| owner.marks.get(name));
        let scalers = top.and_then(|top| self.scalers.get(&(&**namespace, top)));
        let terms = WorkloadTerms {
            tolerations: tolerations(placement),
            selector: placement
                .selector
                .iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect(),
            more_affinity: placement.more_affinity,
            priority: self.priority(placement, pod),
            disruptions: pod.and_then(|pod| self.disruptions(pod)),
            volumes: placement.volumes,
            undisturbed: pod.is_some_and(|pod| pod.undisturbed),
            steered_by: queue.into_iter().chain(scalers.into_iter().flatten().cloned()).collect(),
            // What cannot be read is no number: it stays as large as it is.
            // What works on something finite is stretched, and is no service.
            elastic: mark("elastic")
                .filter(|_| top.is_none_or(|top| !is_stretched(&top.kind)))
                .and_then(|said| guard::elastic(said).ok()),
            stretch: None,
            excluded: mark("exclude").is_some_and(farthing_model::is_excluded),
            fit: None,
        };
        (terms != WorkloadTerms::default()).then_some(terms)
    }

    fn priority(&self, placement: &Placement, pod: Option<&PodObject>) -> i32 {
        let given = pod.and_then(|pod| pod.placement.priority).or(placement.priority);
        let named = || {
            let class = placement.class.as_ref()?;
            let key = Key { namespace: Arc::from(""), name: Arc::clone(class) };
            match self.state.rules.get("PriorityClass")?.get(&key)?.says {
                Says::Class(value, _) => Some(value),
                _ => None,
            }
        };
        given.or_else(named).unwrap_or(self.usual)
    }

    /// The least that the disruption budgets of a pod allow; the pods of a workload have the same
    /// labels.
    fn disruptions(&self, pod: &PodObject) -> Option<u32> {
        let namespace = &pod.key.namespace;
        let first = Key { namespace: Arc::clone(namespace), name: Arc::from("") };
        let budgets = self.state.rules.get("PodDisruptionBudget")?.range(first..);
        let budgets = budgets.take_while(|(key, _)| key.namespace == *namespace);
        let allowed = budgets.filter_map(|(_, rule)| match &rule.says {
            Says::Disruptions(selector, allowed) if selector.takes(&pod.labels) => Some(*allowed),
            _ => None,
        });
        allowed.min()
    }
}

/// Who is kept off a node.
pub(crate) fn taints(node: &NodeObject) -> Vec<Taint> {
    taints_of(&node.taints)
}

/// The same of nodes that are not there yet.
pub(crate) fn taints_of(tainted: &[Tainted]) -> Vec<Taint> {
    let taint = |taint: &Tainted| {
        let (key, value) = (taint.key.to_string(), taint.value.to_string());
        Some(Taint { key, value, effect: taint.effect.parse().ok()? })
    };
    tainted.iter().filter_map(taint).collect()
}

/// Which taints pods put up with.
pub(crate) fn tolerations(placement: &Placement) -> Vec<Toleration> {
    placement.tolerations.iter().filter_map(toleration).collect()
}

fn of_node(node: &NodeObject) -> NodeTerms {
    NodeTerms {
        taints: taints(node),
        cordoned: node.unschedulable,
        pool: node.labels.get(POOL).map(ToString::to_string),
        symptoms: node.symptoms.clone(),
        holds: BTreeMap::new(),
    }
}

fn toleration(one: &Tolerated) -> Option<Toleration> {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    // An effect that is not known tolerates nothing that is.
    let effect = one.effect.as_deref().map(str::parse).transpose().ok()?;
    Some(Toleration { key: text(&one.key), value: text(&one.value), effect })
}

fn resources(bought: Room) -> Resources {
    Resources {
        cpu_milli: bought.cpu_milli.unwrap_or(0),
        memory_bytes: bought.memory_bytes.unwrap_or(0),
        gpu_milli: bought.gpu_milli.unwrap_or(0),
        ..Resources::default()
    }
}
