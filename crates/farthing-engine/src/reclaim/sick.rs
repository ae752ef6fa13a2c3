//! Nodes that are sick by their own word: the policy says which of the symptoms mean that what runs
//! there gets nowhere.
//!
//! A node is emptied when what is lost while its work stays, which is all that it costs in the time
//! that is looked at, is more than moving it costs: another node that boots, and checkpoints and
//! restarts of the work, while a node is paid. Whether the work may move is the world's to say.

use super::Wanted;
use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use farthing_edge::Store;
use farthing_model::{Action, Money, Node, NodeTerms, Reason, Snapshot, Window, WorkloadId};
use jiff::SignedDuration;

impl<W: World, S: Store> Engine<W, S> {
    /// Sick nodes whose work is better off elsewhere.
    pub(super) fn sick_nodes(&self, snapshot: &Snapshot) -> Result<Vec<Wanted>, EngineError> {
        let rules = &self.config.policy.reclaim.sick;
        let mut wanted = Vec::new();
        for (id, terms) in &snapshot.terms.nodes {
            let named = |name: &String| rules.contains(name);
            let symptom = terms.symptoms.iter().find(|symptom| named(&symptom.name));
            let (Some(symptom), false) = (symptom, terms.cordoned) else { continue };
            let Some(node) = snapshot.nodes.iter().find(|node| node.id == *id) else { continue };
            let (Some(loses), Some(move_costs)) = (
                self.paid_for(node, self.config.horizon)?,
                self.paid_for(node, self.moving(snapshot, terms))?,
            ) else {
                continue;
            };
            if loses.pico() <= move_costs.pico() {
                continue;
            }
            let (says, symptom) = (symptom.says.clone(), symptom.name.clone());
            let reason = Reason::Sick { symptom, says, loses, move_costs };
            wanted.push(Wanted {
                action: Action::Release { node: id.clone() },
                generation: 0,
                cost: Money::zero(self.config.currency),
                saving: loses,
                reasons: vec![reason],
            });
        }
        Ok(wanted)
    }

    /// What a node costs in so long; `None` where nobody knows its price.
    fn paid_for(&self, node: &Node, length: SignedDuration) -> Result<Option<Money>, EngineError> {
        let rate = node.price.rate();
        let rate = rate.filter(|rate| rate.per_hour().currency() == self.config.currency);
        let (Some(rate), Some(window)) = (rate, Window::starting(node.since, length)) else {
            return Ok(None);
        };
        rate.cost(window).map(Some).map_err(EngineError::Money)
    }

    /// How long a node is paid for nothing because the work of another moves: until it has started,
    /// and until the slowest of the work goes on.
    fn moving(&self, snapshot: &Snapshot, terms: &NodeTerms) -> SignedDuration {
        let again = |id: &WorkloadId| {
            let job = snapshot.workload(id)?.workload.job()?.interruptible?;
            Some(job.checkpoint.saturating_add(job.restart))
        };
        let slowest = terms.holds.keys().filter_map(again).max().unwrap_or_default();
        self.config.policy.boot.saturating_add(slowest)
    }
}
