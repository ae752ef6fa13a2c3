//! What a choice of the past would have broken, as far as the world of now tells: deadlines of work
//! that would have waited for a node.
//!
//! It refuses to guess: work that is gone from the world has no deadline that anybody knows.

use farthing_ledger::Late;
use farthing_model::{Snapshot, WorkloadId, WorkloadKind, WorkloadState};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What becomes of the deadlines of work that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// Met all the same.
    pub kept: Vec<WorkloadId>,
    /// Met, or about to be, as it was; and missed by the wait.
    pub missed: Vec<WorkloadId>,
    /// Of work that is gone, or whose end is not known.
    pub unknown: Vec<WorkloadId>,
}

/// What becomes of the deadlines of `late`, of which each wait takes `wait`. Work without a
/// deadline, and what was late as it was, is in none of the lists.
pub fn deadlines(late: &[Late], wait: SignedDuration, snapshot: &Snapshot) -> Deadlines {
    let mut waits: BTreeMap<&WorkloadId, SignedDuration> = BTreeMap::new();
    for one in late {
        let sum = waits.entry(&one.workload).or_default();
        *sum = sum.saturating_add(wait);
    }
    let mut found = Deadlines::default();
    for (workload, wait) in waits {
        let Some(observed) = snapshot.workload(workload) else {
            found.unknown.push(workload.clone());
            continue;
        };
        let WorkloadKind::Job(job) = &observed.workload.kind else { continue };
        let Some(deadline) = job.deadline else { continue };
        let list = match end(&observed.state) {
            None => &mut found.unknown,
            Some(end) if end > deadline => continue,
            Some(end) if end.checked_add(wait).is_ok_and(|end| end <= deadline) => &mut found.kept,
            Some(_) => &mut found.missed,
        };
        list.push(workload.clone());
    }
    found
}

/// When work ended, or is to end as it is placed.
fn end(state: &WorkloadState) -> Option<Timestamp> {
    match state {
        WorkloadState::Finished(at) => Some(*at),
        WorkloadState::Placed(assignments) => {
            assignments.iter().map(|assignment| assignment.window.to()).max()
        }
        WorkloadState::Waiting | WorkloadState::Suspended => None,
    }
}
