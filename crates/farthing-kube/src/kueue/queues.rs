//! Kueue's objects as they are now.

use super::object::{Check, Flavor, QueueObject, Queued};
use crate::object::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The name in `AdmissionCheck.spec.controllerName` of the checks that are ours.
pub(crate) const CONTROLLER: &str = "farthing.dev/budget";

/// Everything of Kueue that is known.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) workloads: BTreeMap<Key, Arc<Queued>>,
    pub(crate) flavors: BTreeMap<Arc<str>, Flavor>,
    pub(crate) checks: BTreeMap<Arc<str>, Check>,
    /// Queues of clusters and of namespaces, by kind.
    others: BTreeMap<&'static str, BTreeSet<Key>>,
    /// How often something changed.
    pub(crate) changes: u64,
}

impl Queues {
    /// Puts an object that is new or has changed.
    pub(crate) fn put(&mut self, kind: &'static str, object: QueueObject) {
        self.changes += 1;
        match object {
            QueueObject::Workload(it) => {
                self.workloads.insert(it.key.clone(), Arc::from(it));
            }
            QueueObject::Flavor(it) => drop(self.flavors.insert(Arc::clone(&it.name), it)),
            QueueObject::Check(it) => drop(self.checks.insert(Arc::clone(&it.name), it)),
            QueueObject::Queue(key) => {
                self.others.entry(kind).or_default().insert(key);
            }
        }
    }

    /// Takes an object that is no more.
    pub(crate) fn remove(&mut self, kind: &str, object: &QueueObject) {
        self.changes += 1;
        match object {
            QueueObject::Workload(it) => drop(self.workloads.remove(&it.key)),
            QueueObject::Flavor(it) => drop(self.flavors.remove(&it.name)),
            QueueObject::Check(it) => drop(self.checks.remove(&it.name)),
            QueueObject::Queue(key) => {
                self.others.get_mut(kind).map(|all| all.remove(key));
            }
        }
    }

    /// Forgets all of a kind.
    pub(crate) fn clear(&mut self, kind: &str) {
        self.changes += 1;
        match kind {
            "Workload" => self.workloads.clear(),
            "ResourceFlavor" => self.flavors.clear(),
            "AdmissionCheck" => self.checks.clear(),
            kind => drop(self.others.remove(kind)),
        }
    }

    /// How many there are of a kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        match kind {
            "Workload" => self.workloads.len(),
            "ResourceFlavor" => self.flavors.len(),
            "AdmissionCheck" => self.checks.len(),
            kind => self.others.get(kind).map_or(0, BTreeSet::len),
        }
    }

    /// The checks that are ours.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Check> {
        self.checks.values().filter(|check| &*check.controller == CONTROLLER)
    }
}
