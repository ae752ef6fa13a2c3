//! First fit decreasing, then the cheapest per hour.

use super::draft::{Draft, Site, Spot, open_members};
use super::fifo::quoted;
use super::member::{demand, nothing_fits, refused, replicas, runs};
use crate::{Input, PlanError};
use farthing_model::{Job, Observed, Reason, Service, Workload, WorkloadKind};
use jiff::Timestamp;
use std::cmp::Reverse;

/// Places all, largest first.
pub(super) fn place(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let input = draft.input;
    let mut sized: Vec<(Reverse<i128>, &Observed)> = Vec::new();
    for observed in &input.snapshot.workloads {
        sized.push((Reverse(size(observed, input)?), observed));
    }
    sized.sort_by(|a, b| (a.0, &a.1.workload.id).cmp(&(b.0, &b.1.workload.id)));
    for (_, observed) in sized {
        let workload = &*observed.workload;
        for done in 0..open_members(observed) {
            let placed = match &workload.kind {
                WorkloadKind::Job(job) => member(draft, observed, job)?,
                WorkloadKind::Service(service) => replicas_of(draft, observed, service)?,
            };
            if let Err(reason) = placed {
                draft.wait(workload, open_members(observed) - done, reason);
                break;
            }
        }
    }
    Ok(())
}

fn overflow(workload: &Workload) -> PlanError {
    PlanError::Overflow(format!("workload {}", workload.id))
}

/// Accelerators (or machines) x run time in the first configuration listed that any offer has.
fn size(observed: &Observed, input: &Input) -> Result<i128, PlanError> {
    let workload = &*observed.workload;
    let mut first: Option<(usize, i128)> = None;
    for offer in input.offers.iter().filter(|offer| refused(workload, offer, input).is_none()) {
        let sizes: Vec<(usize, i128)> = match &workload.kind {
            WorkloadKind::Job(job) => runs(job, offer, &input.policy)
                .into_iter()
                .map(|run| (run.row, run.length.as_nanos().saturating_mul(run.size.into())))
                .collect(),
            WorkloadKind::Service(service) => {
                replicas((service, input), offer, demand(observed, service))
                    .map_err(|_| overflow(workload))?
                    .into_iter()
                    .map(|(row, of)| {
                        let accelerators = i128::from(of.count) * i128::from(of.size);
                        (row, input.horizon.nanos().saturating_mul(accelerators))
                    })
                    .collect()
            }
        };
        for (row, size) in sizes {
            if first.is_none_or(|(least, _)| row < least) {
                first = Some((row, size));
            }
        }
    }
    Ok(first.map_or(0, |(_, size)| size))
}

fn member(
    draft: &mut Draft<'_>,
    observed: &Observed,
    job: &Job,
) -> Result<Result<(), Reason>, PlanError> {
    let workload = &*observed.workload;
    let (input, from) = (draft.input, draft.may_start(observed));
    if from >= input.horizon.to() {
        return Ok(Err(Reason::Rule("it is submitted after the horizon".to_owned())));
    }
    let mut possible = false;
    let mut soonest: Option<(Timestamp, Timestamp)> = None;
    let mut wishes: Vec<(i128, Spot<'_>)> = Vec::new();
    for offer in input.offers.iter().filter(|offer| refused(workload, offer, input).is_none()) {
        let rate = offer.price.rate().map_or(0, |rate| rate.per_hour().pico());
        for run in runs(job, offer, &input.policy) {
            possible = true;
            let nodes = u64::from(run.nodes);
            let Some(window) = draft.earliest(offer, nodes, from, run.length) else { continue };
            if let Some(due) = job.deadline.filter(|due| window.to() > *due) {
                let end = soonest.map_or(window.to(), |(_, end)| window.to().min(end));
                soonest = Some((due, end));
                continue;
            }
            wishes.push((rate.saturating_mul(run.nodes.into()), Spot { offer, run, window }));
        }
    }
    wishes.sort_by_key(|(rate, _)| *rate);
    let mut over: Option<Reason> = None;
    for (_, spot) in wishes {
        let reasons = vec![Reason::Rule("largest first; cheapest per hour in time".to_owned())];
        match draft.admit(workload, spot.offer, (1, spot.run.nodes), spot.window, reasons)? {
            Ok(()) => return Ok(Ok(())),
            Err(reason) => over = over.or(Some(reason)),
        }
    }
    if let Some(reason) = over {
        return Ok(Err(reason));
    }
    match (quoted(workload, input), soonest) {
        (Some(cost), _) => {
            let reasons = vec![Reason::Rule("largest first, as quoted".to_owned())];
            draft.admit_quoted(workload, cost, reasons)
        }
        (None, Some((due, earliest))) => Ok(Err(Reason::Deadline { due, earliest })),
        (None, None) if possible => Ok(Err(Reason::Capacity)),
        (None, None) => Ok(Err(nothing_fits(workload, input))),
    }
}

fn replicas_of(
    draft: &mut Draft<'_>,
    observed: &Observed,
    service: &Service,
) -> Result<Result<(), Reason>, PlanError> {
    let (input, workload) = (draft.input, &*observed.workload);
    let mut possible = false;
    let mut wishes: Vec<(i128, Site<'_>)> = Vec::new();
    for offer in input.offers.iter().filter(|offer| refused(workload, offer, input).is_none()) {
        if offer.purchase == farthing_model::Purchase::Spot {
            continue;
        }
        let ways = replicas((service, input), offer, demand(observed, service))
            .map_err(|_| overflow(workload))?;
        let rate = offer.price.rate().map_or(0, |rate| rate.per_hour().pico());
        for (_, replicas) in ways {
            possible = true;
            let nodes = u64::from(replicas.count) * u64::from(replicas.nodes);
            let room = offer.available.is_none_or(|available| {
                draft.held(&offer.id, input.horizon) + nodes <= u64::from(available)
            });
            if room {
                let rate = rate.saturating_mul(replicas.nodes.into());
                wishes.push((rate, Site { offer, replicas }));
            }
        }
    }
    wishes.sort_by_key(|(rate, _)| *rate);
    let mut over: Option<Reason> = None;
    for (_, site) in wishes {
        let reasons = vec![Reason::Rule("cheapest per hour that serves all".to_owned())];
        let size = (site.replicas.count, site.replicas.nodes);
        match draft.admit(workload, site.offer, size, input.horizon, reasons)? {
            Ok(()) => return Ok(Ok(())),
            Err(reason) => over = over.or(Some(reason)),
        }
    }
    Ok(Err(match over {
        Some(reason) => reason,
        None if possible => Reason::Capacity,
        None => nothing_fits(workload, input),
    }))
}
