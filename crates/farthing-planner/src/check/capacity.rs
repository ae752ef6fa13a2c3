//! Counts of members and of nodes: nothing twice, nothing lost, never more than can be had.

use super::placement::current;
use super::{Audit, Violation};
use farthing_model::{
    Action, NodeId, NodeState, Observed, OfferId, Window, WorkloadKind, WorkloadState,
};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of an offer that somebody holds for a window.
struct Hold {
    window: Window,
    nodes: u64,
    stays: bool,
}

impl Audit<'_> {
    /// Each member of a job is placed once or waits; each waiting row makes sense.
    pub(super) fn counts(&mut self, observed: &Observed) {
        let workload = &observed.workload;
        let WorkloadKind::Job(job) = &workload.kind else { return };
        let rows = self.planned.report.waiting.iter().filter(|row| row.workload == workload.id);
        let (mut waiting, mut late) = (0_u64, false);
        for row in rows {
            waiting += u64::from(row.members);
            late |= row.late;
        }
        if late && job.deadline.is_none() {
            let (workload, what) = (workload.id.clone(), "it is said to be late, with no deadline");
            self.found.push(Violation::Waiting { workload, what });
        }
        let placed: u64 = self.placements_of(&workload.id).map(|at| u64::from(at.members)).sum();
        let resumed = self.planned.plan.steps.iter().any(
            |step| matches!(&step.action, Action::Resume { workload: id } if *id == workload.id),
        );
        let members = u64::from(job.count);
        let ended: u64 = match &observed.state {
            WorkloadState::Placed(all) => {
                let sum = |total, members: u32| total + u64::from(members);
                let total = all.iter().map(|before| before.members).fold(0, sum);
                let goes_on = current(observed, self.input.horizon);
                total - goes_on.map(|before| before.members).fold(0, sum)
            }
            _ => 0,
        };
        let right = match observed.state {
            WorkloadState::Waiting | WorkloadState::Placed(_) => {
                placed + ended + waiting == members
            }
            WorkloadState::Suspended if resumed => placed + waiting == members,
            WorkloadState::Suspended => placed == 0 && waiting <= members,
            WorkloadState::Finished(_) => placed == 0 && waiting == 0,
        };
        if !right {
            let (workload, placed) = (workload.id.clone(), placed + ended);
            self.found.push(Violation::Count { workload, members, placed, waiting });
        }
    }

    /// Limited offers at each instant at which somebody starts.
    pub(super) fn capacity(&mut self) {
        let mut holds: BTreeMap<&OfferId, Vec<Hold>> = BTreeMap::new();
        for placement in &self.planned.report.placements {
            let Some(offer) = &placement.offer else { continue };
            holds.entry(offer).or_default().push(Hold {
                window: placement.window,
                nodes: u64::from(placement.members) * u64::from(placement.nodes_each),
                stays: placement.stays,
            });
        }
        for (id, holds) in holds {
            let Some(available) = self.offers.get(id).and_then(|offer| offer.available) else {
                continue;
            };
            let starts: BTreeSet<_> = holds.iter().map(|hold| hold.window.from()).collect();
            for at in starts {
                let there = || holds.iter().filter(|hold| hold.window.contains(at));
                let held: u64 = there().map(|hold| hold.nodes).sum();
                // What the world has already given is no fault of the plan.
                if held > u64::from(available) && there().any(|hold| !hold.stays) {
                    self.found.push(Violation::Capacity { offer: id.clone(), at, held, available });
                    break;
                }
            }
        }
    }

    /// Nodes given back must exist, once, and leave enough for what goes on.
    pub(super) fn released(&mut self) {
        let snapshot = &self.input.snapshot;
        let mut gone: BTreeSet<&NodeId> = BTreeSet::new();
        for step in &self.planned.plan.steps {
            let Action::Release { node: id } = &step.action else { continue };
            let Some(node) = snapshot.nodes.iter().find(|node| node.id == *id) else {
                self.found.push(Violation::UnknownTarget(format!("node {id}")));
                continue;
            };
            let twice = !gone.insert(id);
            let left = snapshot.nodes.iter().filter(|other| {
                other.offer == node.offer
                    && other.state != NodeState::Lost
                    && !gone.contains(&other.id)
            });
            let needed: u64 = snapshot
                .workloads
                .iter()
                .flat_map(|observed| current(observed, self.input.horizon))
                .filter(|before| before.offer == node.offer && before.window.contains(snapshot.at))
                .map(|before| u64::from(before.members) * u64::from(before.nodes_each))
                .sum();
            if twice || u64::try_from(left.count()).unwrap_or(u64::MAX) < needed {
                self.found.push(Violation::ReleasedInUse(id.clone()));
            }
        }
    }
}
