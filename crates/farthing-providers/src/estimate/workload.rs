//! Our own workloads: how long they take follows from measured throughput, or is stated.

use super::{AskedJob, Group, Limit, PlaceAsked};
use crate::yaml::Spot;
use farthing_model::{Resources, Target, Workload, WorkloadKind};
use jiff::SignedDuration;

/// What a workload asks for.
pub(super) fn asked(workload: &Workload) -> AskedJob {
    let mut labels = workload.labels.clone();
    if let Some(team) = &workload.team {
        labels.insert("team".to_owned(), team.to_string());
    }
    let mut asked = AskedJob {
        spot: Spot::default(),
        kind: "Workload",
        name: workload.id.to_string(),
        labels,
        groups: Vec::new(),
        options: Vec::new(),
        limit: None,
        exact: false,
        endless: false,
        assumptions: Vec::new(),
    };
    let group = |count: u32, each: Resources| Group {
        role: "member".to_owned(),
        count,
        rounds: 1,
        each,
        accelerator: None,
        place: PlaceAsked::default(),
        runs: workload.id.to_string(),
    };
    let job = match &workload.kind {
        WorkloadKind::Service(_) => {
            asked.endless = true;
            asked.assumptions.push(
                "how many replicas a service needs follows from its requests: `farthing plan` says"
                    .to_owned(),
            );
            asked.groups.push(group(1, workload.resources));
            return asked;
        }
        WorkloadKind::Job(job) => job,
    };
    if let Some(length) = job.duration {
        asked.limit = Some(Limit { length, from: "duration".to_owned() });
        asked.exact = true;
    }
    for throughput in &job.throughput {
        let Some(work) = &job.work else { break };
        // amount in `per`: all of it takes work / amount x per, rounded up.
        let nanos = work.amount.nano().checked_mul(throughput.per.as_nanos());
        let nanos = nanos.zip(Some(throughput.amount.nano()).filter(|amount| *amount > 0));
        let Some((above, below)) = nanos else { continue };
        let nanos = above / below + i128::from(above % below != 0);
        let Ok(nanos) = i64::try_from(nanos) else { continue };
        let (gpus, accelerator, types) = match &throughput.target {
            Target::Accelerator(query) => (throughput.count, Some(query.clone()), Vec::new()),
            Target::InstanceType(name) => (0, None, vec![name.clone()]),
        };
        let each = Resources { gpu_milli: u64::from(gpus) * 1_000, ..workload.resources };
        let place = PlaceAsked { instance_types: types, ..PlaceAsked::default() };
        let members =
            if gpus == 0 { job.count.saturating_mul(throughput.count) } else { job.count };
        let group = Group { accelerator, place, ..group(members, each) };
        asked.options.push((group, SignedDuration::from_nanos(nanos)));
    }
    if asked.options.is_empty() {
        asked.groups.push(group(job.count, workload.resources));
    }
    asked
}
