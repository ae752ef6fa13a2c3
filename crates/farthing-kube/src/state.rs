//! The cluster as it is kept: tables of objects, what ended since it was last asked, and how well
//! each kind is known.

use crate::kind::{KINDS, Keep, Kind, Object};
use crate::kueue::Queues;
use crate::object::{Claim, Key, NodeObject, OurObject, Owner, PodObject, Rule, Slices};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most faults that are kept apart.
const FAULTS_MAX: usize = 100;
/// Most pods and nodes that ended and were not asked for yet; the oldest are forgotten first.
const GONE_MAX: usize = 1_000_000;

/// Everything that is known.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) nodes: BTreeMap<Arc<str>, NodeObject>,
    pub(crate) pods: BTreeMap<Key, PodObject>,
    pub(crate) namespaces: BTreeMap<Arc<str>, Rule>,
    /// Owners by kind.
    pub(crate) owners: BTreeMap<&'static str, BTreeMap<Key, Owner>>,
    pub(crate) claims: BTreeMap<Key, Claim>,
    pub(crate) slices: BTreeMap<Key, Slices>,
    /// Rules by kind.
    pub(crate) rules: BTreeMap<&'static str, BTreeMap<Key, Rule>>,
    /// Our own, by kind.
    pub(crate) ours: BTreeMap<&'static str, BTreeMap<Key, OurObject>>,
    pub(crate) kueue: Queues,
    /// Nodes and pods that are no more, and when they ended.
    pub(crate) gone_nodes: Vec<(NodeObject, Timestamp)>,
    pub(crate) gone_pods: Vec<(PodObject, Timestamp)>,
    /// By the kind's place in [`KINDS`].
    pub(crate) health: Vec<Health>,
    faults: BTreeMap<String, u64>,
}

/// How well a kind is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Whether the server has the kind; `None` before it was asked.
    pub(crate) served: Option<bool>,
    /// The version of the API that it is read in.
    pub(crate) version: Option<&'static str>,
    /// Whether all of it was read once.
    pub(crate) listed: bool,
    /// Whether changes are told as they happen.
    pub(crate) connected: bool,
    /// When something was last heard.
    pub(crate) heard: Option<Timestamp>,
    /// How often all of it was read.
    pub(crate) lists: u64,
    /// Why it is not known better.
    pub(crate) why: Option<String>,
}

impl Health {
    /// Up to when the kind is known at `now`.
    pub(crate) fn known_to(&self, now: Timestamp) -> Option<Timestamp> {
        if self.connected { Some(now) } else { self.heard }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            owners: BTreeMap::new(),
            claims: BTreeMap::new(),
            slices: BTreeMap::new(),
            rules: BTreeMap::new(),
            ours: BTreeMap::new(),
            kueue: Queues::default(),
            gone_nodes: Vec::new(),
            gone_pods: Vec::new(),
            health: vec![Health::default(); KINDS.len()],
            faults: BTreeMap::new(),
        }
    }
}

impl State {
    /// Puts all of a kind in place of what is there.
    pub(crate) fn replace(&mut self, kind: &Kind, objects: Vec<Object>, now: Timestamp) {
        match kind.keep() {
            Keep::Node => {
                let mut old = std::mem::take(&mut self.nodes);
                let mut new = Vec::new();
                for object in objects {
                    let Object::Node(node) = object else { continue };
                    match old.remove(&node.name) {
                        None => new.push((Arc::clone(&node.name), node)),
                        Some(was) => {
                            self.nodes.insert(Arc::clone(&was.name), was);
                            self.put(kind, Object::Node(node));
                        }
                    }
                }
                self.nodes.append(&mut new.into_iter().collect());
                self.gone_nodes.extend(old.into_values().map(|node| (node, now)));
            }
            Keep::Pod => {
                let mut old = std::mem::take(&mut self.pods);
                let mut new = Vec::new();
                for object in objects {
                    let Object::Pod(pod) = object else { continue };
                    match old.remove(&pod.key) {
                        None => new.push((pod.key.clone(), pod)),
                        Some(was) => {
                            self.pods.insert(was.key.clone(), was);
                            self.put(kind, Object::Pod(pod));
                        }
                    }
                }
                // All at once they fill their tree; one after the other they would half.
                self.pods.append(&mut new.into_iter().collect());
                for pod in old.into_values() {
                    self.end(pod, now);
                }
            }
            keep => {
                self.clear(kind, keep);
                for object in objects {
                    self.put(kind, object);
                }
            }
        }
        self.forget_oldest();
    }

    fn clear(&mut self, kind: &Kind, keep: Keep) {
        match keep {
            Keep::Namespace => self.namespaces.clear(),
            Keep::Claim => self.claims.clear(),
            Keep::Slices => self.slices.clear(),
            Keep::Owner | Keep::OwnerOfPods => drop(self.owners.remove(kind.name)),
            Keep::Queue => self.kueue.clear(kind.name),
            Keep::Rule => drop(self.rules.remove(kind.name)),
            Keep::Ours => drop(self.ours.remove(kind.name)),
            // These are compared with what was there, as what is gone has to be paid to its end.
            Keep::Node | Keep::Pod => {}
        }
    }

    /// Puts an object that is new or has changed.
    pub(crate) fn put(&mut self, kind: &Kind, object: Object) {
        match object {
            Object::Node(node) => {
                let created = node.created;
                let was = self.nodes.insert(Arc::clone(&node.name), node);
                // Another node of the same name: the one before it ended, at the latest then.
                let was = was.filter(|was| was.created < created);
                self.gone_nodes.extend(was.map(|was| (was, created)));
            }
            Object::Pod(pod) => {
                let created = pod.created;
                let was = self.pods.insert(pod.key.clone(), pod);
                // Another pod of the same name: the one before it ended, at the latest then.
                let uid = |key: &Key| self.pods.get(key).map(|pod| Arc::clone(&pod.uid));
                if let Some(was) = was.filter(|was| uid(&was.key).as_ref() != Some(&was.uid)) {
                    self.end(was, created);
                }
            }
            Object::Namespace(rule) => {
                self.namespaces.insert(Arc::clone(&rule.key.name), rule);
            }
            Object::Owner(owner) => {
                self.owners.entry(kind.name).or_default().insert(owner.key.clone(), owner);
            }
            Object::Claim(claim) => drop(self.claims.insert(claim.key.clone(), claim)),
            Object::Slices(slices) => drop(self.slices.insert(slices.key.clone(), slices)),
            Object::Queue(object) => self.kueue.put(kind.name, object),
            Object::Rule(rule) => {
                self.rules.entry(kind.name).or_default().insert(rule.key.clone(), rule);
            }
            Object::Ours(key, object) => {
                self.ours.entry(kind.name).or_default().insert(key, *object);
            }
        }
    }

    /// Takes an object that is no more.
    pub(crate) fn remove(&mut self, kind: &Kind, object: Object, now: Timestamp) {
        match object {
            Object::Node(node) => {
                let last = self.nodes.remove(&node.name).unwrap_or(node);
                self.gone_nodes.push((last, now));
            }
            Object::Pod(pod) => {
                self.pods.remove(&pod.key);
                self.end(pod, now);
            }
            Object::Namespace(rule) => drop(self.namespaces.remove(&rule.key.name)),
            Object::Owner(owner) => {
                self.owners.get_mut(kind.name).and_then(|all| all.remove(&owner.key));
            }
            Object::Claim(claim) => drop(self.claims.remove(&claim.key)),
            Object::Slices(slices) => drop(self.slices.remove(&slices.key)),
            Object::Queue(object) => self.kueue.remove(kind.name, &object),
            Object::Rule(rule) => {
                self.rules.get_mut(kind.name).and_then(|all| all.remove(&rule.key));
            }
            Object::Ours(key, _) => {
                self.ours.get_mut(kind.name).and_then(|all| all.remove(&key));
            }
        }
        self.forget_oldest();
    }

    fn end(&mut self, pod: PodObject, now: Timestamp) {
        if pod.placed.is_some() {
            let end = pod.done.unwrap_or(now);
            self.gone_pods.push((pod, end));
        }
    }

    /// Holds the lists of what is gone within their limit when nobody asks for them.
    fn forget_oldest(&mut self) {
        let over = self.gone_pods.len().saturating_sub(GONE_MAX);
        if over > 0 {
            self.gone_pods.drain(..over);
            self.fault(format!("{over} pods that ended were forgotten before they were metered"));
        }
        let over = self.gone_nodes.len().saturating_sub(GONE_MAX);
        self.gone_nodes.drain(..over);
    }

    /// Forgets what ended at `before` or earlier, which is metered.
    pub(crate) fn metered(&mut self, before: Timestamp) {
        self.gone_pods.retain(|(_, end)| *end > before);
        self.gone_nodes.retain(|(_, end)| *end > before);
    }

    /// Notes what could not be read.
    pub(crate) fn fault(&mut self, what: String) {
        if self.faults.len() < FAULTS_MAX || self.faults.contains_key(&what) {
            *self.faults.entry(what).or_default() += 1;
        } else {
            *self.faults.entry("more that could not be read".to_owned()).or_default() += 1;
        }
    }

    /// What could not be read since this was last asked.
    pub(crate) fn take_faults(&mut self) -> Vec<String> {
        let times = |(what, count): (String, u64)| {
            if count > 1 { format!("{what} ({count} times)") } else { what }
        };
        std::mem::take(&mut self.faults).into_iter().map(times).collect()
    }
}
