//! First come, first served, on demand.

use super::draft::{Draft, Site, Spot, open_members};
use super::member::{Run, demand, nothing_fits, refused, replicas, runs};
use crate::{Input, PlanError};
use farthing_model::{
    Job, Money, Observed, Offer, Purchase, Reason, Service, Workload, WorkloadKind,
};
use jiff::Timestamp;

/// Places all, in the order of submission.
pub(super) fn place(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let mut queue: Vec<&Observed> = draft.input.snapshot.workloads.iter().collect();
    queue.sort_by_key(|observed| {
        let submitted = observed.workload.job().and_then(|job| job.submitted);
        (submitted.unwrap_or(observed.since), observed.workload.id.clone())
    });
    let mut known = Known::default();
    for observed in queue {
        let workload = &*observed.workload;
        for done in 0..open_members(observed) {
            let placed = match &workload.kind {
                WorkloadKind::Job(job) => member(draft, (observed, job), &mut known)?,
                WorkloadKind::Service(service) => replicas_of(draft, observed, service)?,
            };
            if let Err(reason) = placed {
                // Its brothers are alike: what stops one stops all.
                draft.wait(workload, open_members(observed) - done, reason);
                break;
            }
        }
    }
    Ok(())
}

/// Offers that a user without a planner would take.
fn usual(offer: &Offer) -> bool {
    matches!(offer.purchase, Purchase::OnDemand | Purchase::Owned)
}

/// Order of preference: earlier, cheaper per hour, earlier in the list.
type Preference = (Timestamp, i128, usize);

/// The last job that was looked at, and how it could run where: jobs of a class follow each other.
#[derive(Default)]
struct Known<'a> {
    workload: Option<(&'a Workload, &'a Job)>,
    /// Offers by position, with each way to run there.
    runs: Vec<(usize, Vec<Run>)>,
}

impl<'a> Known<'a> {
    /// Looks at a job, unless it could run as the last one.
    fn learn(&mut self, workload: &'a Workload, job: &'a Job, input: &Input) {
        let same = self.workload.is_some_and(|(last, of)| {
            last.resources == workload.resources
                && last.residency == workload.residency
                && of.work == job.work
                && of.duration == job.duration
                && of.interruptible == job.interruptible
                && of.throughput == job.throughput
        });
        if same {
            return;
        }
        self.workload = Some((workload, job));
        self.runs.clear();
        for (at, offer) in input.offers.iter().enumerate().filter(|(_, offer)| usual(offer)) {
            if refused(workload, offer, input).is_none() {
                self.runs.push((at, runs(job, offer, &input.policy)));
            }
        }
    }
}

fn member<'a>(
    draft: &mut Draft<'a>,
    (observed, job): (&'a Observed, &'a Job),
    known: &mut Known<'a>,
) -> Result<Result<(), Reason>, PlanError> {
    let workload = &*observed.workload;
    let (input, from) = (draft.input, draft.may_start(observed));
    if from >= input.horizon.to() {
        return Ok(Err(Reason::Rule("it is submitted after the horizon".to_owned())));
    }
    let mut possible = false;
    let mut wishes: Vec<(usize, Preference, Spot<'_>)> = Vec::new();
    known.learn(workload, job, input);
    for (at, runs) in &known.runs {
        let (at, offer) = (*at, &input.offers[*at]);
        let rate = offer.price.rate().map_or(0, |rate| rate.per_hour().pico());
        for run in runs.iter().copied() {
            possible = true;
            let nodes = u64::from(run.nodes);
            let Some(window) = draft.earliest(offer, nodes, from, run.length) else { continue };
            let wish = (window.from(), rate.saturating_mul(run.nodes.into()), at);
            wishes.push((run.row, wish, Spot { offer, run, window }));
        }
    }
    // The first row that any offer can run is the user's habit.
    wishes.sort_by_key(|(row, wish, _)| (*row, *wish));
    let mut over: Option<Reason> = None;
    for (.., spot) in wishes {
        let mut reasons = vec![Reason::Rule("first come, first served, on demand".to_owned())];
        let end = spot.window.to();
        let missed = job.deadline.filter(|due| end > *due);
        let late = missed.is_some();
        reasons.extend(missed.map(|due| Reason::Deadline { due, earliest: end }));
        match draft.admit(workload, spot.offer, (1, spot.run.nodes), spot.window, reasons)? {
            Ok(()) if late => {
                draft.notes.push(format!("{} ends at {end}, after its deadline", workload.id));
                return Ok(Ok(()));
            }
            Ok(()) => return Ok(Ok(())),
            Err(reason) => over = over.or(Some(reason)),
        }
    }
    if let Some(reason) = over {
        return Ok(Err(reason));
    }
    match quoted(workload, input) {
        Some(cost) => {
            let reasons = vec![Reason::Rule("first come, first served, as quoted".to_owned())];
            draft.admit_quoted(workload, cost, reasons)
        }
        None if possible => Ok(Err(Reason::Capacity)),
        None => Ok(Err(nothing_fits(workload, input))),
    }
}

/// The quoted cost, where nothing else is known. It names no place, so that it satisfies no
/// residency requirement.
pub(super) fn quoted(workload: &Workload, input: &Input) -> Option<Money> {
    let job = workload.job()?;
    let runs = job.duration.is_some() || (job.work.is_some() && !job.throughput.is_empty());
    let usable = !runs && workload.residency.is_empty();
    job.quoted_cost.filter(|cost| usable && cost.currency() == input.currency)
}

fn replicas_of(
    draft: &mut Draft<'_>,
    observed: &Observed,
    service: &Service,
) -> Result<Result<(), Reason>, PlanError> {
    let (input, workload) = (draft.input, &*observed.workload);
    let rate_nano = demand(observed, service);
    let mut wishes: Vec<(usize, i128, Site<'_>)> = Vec::new();
    let mut first_row = usize::MAX;
    for offer in input.offers.iter().filter(|offer| usual(offer)) {
        if refused(workload, offer, input).is_some() {
            continue;
        }
        let ways = replicas((service, input), offer, rate_nano)
            .map_err(|_| PlanError::Overflow(format!("service {}", workload.id)))?;
        for (row, replicas) in ways {
            first_row = first_row.min(row);
            let nodes = u64::from(replicas.count) * u64::from(replicas.nodes);
            let room = offer.available.is_none_or(|available| {
                draft.held(&offer.id, input.horizon) + nodes <= u64::from(available)
            });
            let rate = offer.price.rate().map_or(0, |rate| rate.per_hour().pico());
            let rate = rate.saturating_mul(replicas.nodes.into());
            if room {
                wishes.push((row, rate, Site { offer, replicas }));
            }
        }
    }
    // Only the first accelerator listed that serves every bucket: the user's habit.
    wishes.retain(|(row, ..)| *row == first_row);
    wishes.sort_by_key(|(_, rate, _)| *rate);
    let mut over: Option<Reason> = None;
    for (.., site) in wishes {
        let reasons = vec![Reason::Rule("sized for what is measured, else declared".to_owned())];
        let size = (site.replicas.count, site.replicas.nodes);
        match draft.admit(workload, site.offer, size, input.horizon, reasons)? {
            Ok(()) => return Ok(Ok(())),
            Err(reason) => over = over.or(Some(reason)),
        }
    }
    Ok(Err(match over {
        Some(reason) => reason,
        None if first_row < usize::MAX => Reason::Capacity,
        None if rate_nano > 0 || service.replicas_min > 0 => nothing_fits(workload, input),
        None => Reason::Rule("nothing is asked of it".to_owned()),
    }))
}
