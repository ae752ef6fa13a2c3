//! Observing the world.

use super::node::LOST_SHOWN;
use super::time::{HOUR, at};
use super::{SimWorld, Target};
use crate::faults::FaultKind;
use farthing_edge::{EdgeError, Observe};
use farthing_model::{Age, Node, NodeState, Observed, Snapshot};
use jiff::Timestamp;
use std::sync::Arc;

/// How long finished jobs are still shown, so that what they came to can be seen.
const FINISHED_SHOWN: i64 = 24 * HOUR;

impl Observe for SimWorld {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.advance(now);
        let stale = self.last_seen.is_some() && self.faults.strikes(FaultKind::StaleObservation);
        if let Some(old) = self.last_seen.as_ref().filter(|_| stale) {
            // As it was, and it says so: the ages are those of the old one.
            return Ok(Snapshot { at: now, ..old.clone() });
        }
        let snapshot = self.truth(now);
        if self.faults.rates().stale_observation > 0 {
            self.last_seen = Some(snapshot.clone());
        }
        Ok(snapshot)
    }
}

impl SimWorld {
    /// The world as it is, looked at with nothing going wrong and nothing drawn.
    pub(crate) fn truth(&self, now: Timestamp) -> Snapshot {
        Snapshot {
            cluster: self.cluster.clone(),
            at: now,
            nodes: self.seen_nodes(),
            workloads: self.seen_workloads(),
            ages: Age::PARTS.iter().map(|part| Age { part, as_of: now }).collect(),
            coverage: self.coverage,
            terms: Arc::default(),
        }
    }

    fn seen_nodes(&self) -> Vec<Node> {
        let now = self.now;
        let shown = |lost: bool, until: Option<i64>| {
            until.is_none_or(|until| lost && until + LOST_SHOWN > now)
        };
        let shown = self.nodes.values().filter(|node| shown(node.lost, node.until));
        let mut nodes: Vec<Node> = shown
            .map(|node| Node {
                id: node.id.clone(),
                offer: self.offers[node.offer].id.clone(),
                capacity: self.offers[node.offer].capacity,
                price: node.price(),
                state: match node.until {
                    Some(_) => NodeState::Lost,
                    None if now < node.ready => NodeState::Booting,
                    None => NodeState::Ready,
                },
                since: at(node.since),
                until: node.until.map(at),
            })
            .collect();
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        nodes
    }

    fn seen_workloads(&self) -> Vec<Observed> {
        self.targets.values().filter_map(|target| self.seen_workload(*target)).collect()
    }

    fn seen_workload(&self, target: Target) -> Option<Observed> {
        match target {
            Target::Job(job) => {
                let it = &self.jobs[job];
                let old = it.finished.is_some_and(|at| at + FINISHED_SHOWN < self.now);
                (it.arrived && !old).then(|| Observed {
                    workload: Arc::clone(&it.workload),
                    state: it.state(&self.offers, self.now),
                    generation: it.generation,
                    since: at(it.arrives),
                    demand_per_s: None,
                })
            }
            Target::Service(service) => {
                let it = &self.services[service];
                it.arrived.then(|| Observed {
                    workload: Arc::clone(&it.workload),
                    state: it.state(&self.offers, self.now),
                    generation: it.generation,
                    since: at(it.arrives),
                    demand_per_s: it.demand(self.now),
                })
            }
        }
    }
}
