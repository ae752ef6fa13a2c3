//! Single placements: whether each may be there, how long it takes and what it costs.

use super::{Audit, Violation};
use crate::Placement;
use farthing_model::{
    Assignment, Job, Observed, Offer, Policy, Purchase, Reason, Service, Target, Throughput,
    Window, Workload, WorkloadKind, WorkloadState,
};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Nanoseconds in a millisecond.
const MILLI: i128 = 1_000_000;

/// `a / b` rounded up, for `a >= 0` and `b > 0`.
const fn div_up(a: i128, b: i128) -> i128 {
    a / b + if a % b > 0 { 1 } else { 0 }
}

/// Nodes that hold `accelerators` of them, on nodes that each have `per_node`.
pub(super) const fn nodes_for(accelerators: u32, per_node: u32) -> u32 {
    if per_node == 0 { 0 } else { accelerators.div_ceil(per_node) }
}

/// Nodes that one member needs on `offer` by this row; `None` if the row is about others.
fn nodes_by(row: &Throughput, offer: &Offer) -> Option<u32> {
    match &row.target {
        Target::Accelerator(query) => {
            let is = offer.accelerator.as_ref().is_some_and(|name| query.matches(name));
            (is && offer.accelerator_count > 0)
                .then(|| nodes_for(row.count, offer.accelerator_count))
        }
        Target::InstanceType(name) => (*name == offer.instance_type).then_some(row.count),
    }
}

/// Nanoseconds of the work alone by this row; `None` on overflow or no throughput.
fn work_nanos(job: &Job, row: &Throughput) -> Option<i128> {
    let Some(work) = &job.work else { return job.duration.map(|held| held.as_nanos()) };
    if !row.amount.is_positive() || work.amount.nano() < 0 {
        return None;
    }
    let product = work.amount.nano().checked_mul(row.per.as_nanos())?;
    div_up(product, row.amount.nano().checked_mul(MILLI)?).checked_mul(MILLI)
}

/// What spot adds to a run of `nanos`; `None` if it cannot be known.
fn loss_nanos(job: &Job, policy: &Policy, nanos: i128) -> Option<i128> {
    let (how, spot) = (job.interruptible?, policy.spot.as_ref()?);
    let each = how.checkpoint.as_nanos().checked_add(how.restart.as_nanos())?;
    let up = spot.mean_up.as_nanos();
    if up <= 0 {
        return None;
    }
    div_up(nanos.checked_mul(each / MILLI)?, up).checked_mul(MILLI)
}

/// A way to run one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Nodes.
    pub(super) nodes: u32,
    /// Nanoseconds of work alone.
    pub(super) work: i128,
    /// Nanoseconds in all, with boot and expected loss.
    pub(super) nanos: i128,
}

/// Each way to run one member on `offer`.
pub(super) fn runs(job: &Job, offer: &Offer, policy: &Policy) -> Vec<Run> {
    let mut ways: Vec<(u32, i128)> = Vec::new();
    if job.throughput.is_empty() {
        ways.extend(job.duration.map(|held| (1, held.as_nanos())));
    }
    // Rows of one configuration: the first match wins.
    let mut seen: BTreeSet<(bool, u32)> = BTreeSet::new();
    for row in &job.throughput {
        let Some(nodes) = nodes_by(row, offer) else { continue };
        let by_name = matches!(row.target, Target::InstanceType(_));
        if nodes > 0 && seen.insert((by_name, row.count)) {
            ways.extend(work_nanos(job, row).map(|nanos| (nodes, nanos)));
        }
    }
    let boot = if offer.purchase == Purchase::Owned { 0 } else { policy.boot.as_nanos() };
    ways.into_iter()
        .filter_map(|(nodes, work)| {
            let loss = match offer.purchase {
                Purchase::Spot => loss_nanos(job, policy, work)?,
                _ => 0,
            };
            Some(Run { nodes, work, nanos: work.checked_add(loss)?.checked_add(boot)? })
        })
        .collect()
}

/// Whether the job's cost is what somebody quoted, because nothing else is known.
pub(super) fn is_quoted(job: &Job) -> bool {
    let runs = job.duration.is_some() || (job.work.is_some() && !job.throughput.is_empty());
    job.quoted_cost.is_some() && !runs
}

/// Accelerators that one replica may use on `offer`.
pub(super) fn replica_counts(service: &Service, offer: &Offer) -> BTreeSet<u32> {
    let Some(name) = &offer.accelerator else { return BTreeSet::new() };
    let rows = service.throughput.iter().filter(|row| row.accelerator.matches(name));
    rows.map(|row| row.count).filter(|count| *count > 0).collect()
}

/// Whether a placement is an assignment that goes on: as it was, or from now on. A service's
/// replicas go on to the end of the horizon.
pub(super) fn goes_on(
    before: &Assignment,
    placement: &Placement,
    horizon: Window,
    service: bool,
) -> bool {
    let clipped = Window::new(before.window.from().max(horizon.from()), before.window.to());
    Some(&before.offer) == placement.offer.as_ref()
        && before.members == placement.members
        && before.nodes_each == placement.nodes_each
        && (!service || placement.window.to() >= horizon.to())
        && (before.window == placement.window
            || clipped == Ok(placement.window)
            || (service && placement.window == horizon))
}

/// Assignments of a workload that have not ended.
pub(super) fn current(observed: &Observed, now: Window) -> impl Iterator<Item = &Assignment> {
    let all: &[Assignment] = match &observed.state {
        WorkloadState::Placed(assignments) => assignments,
        _ => &[],
    };
    all.iter().filter(move |before| before.window.to() > now.from())
}

/// Whether the offer is in a permitted jurisdiction.
pub(super) fn may_be_in(workload: &Workload, offer: &Offer) -> bool {
    let wanted = &workload.residency;
    wanted.is_empty() || offer.residency.iter().any(|place| wanted.contains(place))
}

/// Whether a node of the offer is as large as a member asks for.
pub(super) fn holds(offer: &Offer, workload: &Workload) -> bool {
    let (asks, has) = (&workload.resources, &offer.capacity);
    let amounts = [
        (asks.gpu_milli, has.gpu_milli),
        (asks.cpu_milli, has.cpu_milli),
        (asks.memory_bytes, has.memory_bytes),
        (asks.storage_bytes, has.storage_bytes),
    ];
    // A machine that states no disk has volumes attached, of the size that is asked for.
    let attached = has.storage_bytes == 0;
    let amounts = if attached { &amounts[..3] } else { &amounts[..] };
    amounts.iter().all(|(asked, had)| asked <= had)
}

impl Audit<'_> {
    /// Everything about one placement that does not depend on others.
    pub(super) fn placement(&mut self, placement: &Placement) {
        let Some(observed) = self.workloads.get(&placement.workload).copied() else {
            let what = format!("workload {}", placement.workload);
            return self.found.push(Violation::UnknownTarget(what));
        };
        let workload = &*observed.workload;
        match (&placement.offer, &workload.kind) {
            (None, WorkloadKind::Job(job)) if is_quoted(job) => {
                self.quoted(placement, job);
                if !workload.residency.is_empty() {
                    let workload = workload.id.clone();
                    self.found.push(Violation::Residency { workload, offer: None });
                }
            }
            (None, _) => self
                .found
                .push(Violation::NotMeasured { workload: placement.workload.clone(), offer: None }),
            (Some(_), _) if placement.stays => self.stays(placement),
            (Some(id), _) => {
                let Some(offer) = self.offers.get(id).copied() else {
                    return self.found.push(Violation::UnknownOffer {
                        workload: placement.workload.clone(),
                        offer: id.clone(),
                    });
                };
                self.permitted(workload, offer);
                self.run(placement, observed, offer);
                self.cost(placement, offer);
            }
        }
    }

    fn quoted(&mut self, placement: &Placement, job: &Job) {
        let members = i128::from(placement.members);
        let is = job.quoted_cost.and_then(|cost| cost.checked_mul_int(members).ok());
        match is {
            None => {
                let what = format!("workload {}", placement.workload);
                self.found.push(Violation::Overflow(what));
            }
            Some(is) if is.currency() != self.input.currency || is != placement.cost => {
                self.found.push(Violation::Cost {
                    workload: placement.workload.clone(),
                    said: placement.cost,
                    is,
                });
            }
            Some(_) => {}
        }
    }

    /// What was there before has only its cost to be looked at: it is there already.
    fn stays(&mut self, placement: &Placement) {
        // An offer may leave the price book while somebody is on it; then its cost is not known.
        let offer = placement.offer.as_ref().and_then(|id| self.offers.get(id).copied());
        if let Some(offer) = offer.filter(|offer| offer.price.rate().is_some()) {
            self.cost(placement, offer);
        }
    }

    /// Filters that come before the price.
    fn permitted(&mut self, workload: &Workload, offer: &Offer) {
        let (id, at) = (|| workload.id.clone(), || offer.id.clone());
        if !may_be_in(workload, offer) {
            self.found.push(Violation::Residency { workload: id(), offer: Some(at()) });
        }
        if !holds(offer, workload) {
            self.found.push(Violation::Resources { workload: id(), offer: at() });
        }
        let may_stop = workload.job().is_some_and(|job| job.interruptible.is_some());
        if offer.purchase == Purchase::Spot && !(may_stop && self.input.policy.spot.is_some()) {
            self.found.push(Violation::Spot { workload: id(), offer: at() });
        }
    }

    /// Start, length and end of a new placement.
    fn run(&mut self, placement: &Placement, observed: &Observed, offer: &Offer) {
        let horizon = self.input.horizon;
        let window = placement.window;
        let id = || placement.workload.clone();
        let unknown = || Violation::NotMeasured { workload: id(), offer: Some(offer.id.clone()) };
        match &observed.workload.kind {
            WorkloadKind::Service(service) => {
                let fits = replica_counts(service, offer)
                    .into_iter()
                    .any(|count| nodes_for(count, offer.accelerator_count) == placement.nodes_each);
                if !fits || placement.nodes_each == 0 {
                    self.found.push(unknown());
                }
                if window != horizon {
                    self.found.push(Violation::ServiceWindow { workload: id(), window });
                }
            }
            WorkloadKind::Job(job) => {
                let ways: Vec<Run> = runs(job, offer, &self.input.policy)
                    .into_iter()
                    .filter(|way| way.nodes == placement.nodes_each)
                    .collect();
                let spot = offer.purchase == Purchase::Spot;
                let way = ways.iter().find(|way| way.nanos == window.nanos());
                match (ways.first(), way) {
                    (None, _) if spot && job.interruptible.is_none() => {} // Already said.
                    (None, _) => self.found.push(unknown()),
                    (Some(first), None) => {
                        let (workload, nanos) = (id(), first.nanos);
                        self.found.push(Violation::RunTime { workload, window, nanos });
                    }
                    (Some(_), Some(way)) if spot => {
                        self.way_out(placement, (&observed.workload, job), way);
                    }
                    (Some(_), Some(_)) => {}
                }
                self.in_time(placement, job);
            }
        }
    }

    fn in_time(&mut self, placement: &Placement, job: &Job) {
        let (window, horizon) = (placement.window, self.input.horizon);
        let first = job.submitted.map_or(horizon.from(), |at| at.max(horizon.from()));
        if window.from() < first || window.from() >= horizon.to() {
            let allowed = Window::new(first, horizon.to()).unwrap_or(horizon);
            self.found.push(Violation::Start {
                workload: placement.workload.clone(),
                start: window.from(),
                allowed,
            });
        }
        // A baseline does not promise deadlines; one that says it is late is not wrong about it.
        let admitted = |due: Timestamp| {
            let admits = Reason::Deadline { due, earliest: window.to() };
            self.planned.report.policy != "farthing" && placement.reasons.contains(&admits)
        };
        if let Some(deadline) =
            job.deadline.filter(|deadline| window.to() > *deadline && !admitted(*deadline))
        {
            self.found.push(Violation::Late {
                workload: placement.workload.clone(),
                end: window.to(),
                deadline,
            });
        }
    }

    fn cost(&mut self, placement: &Placement, offer: &Offer) {
        let (workload, at) = (placement.workload.clone(), offer.id.clone());
        let Some(rate) = offer.price.rate() else {
            return self.found.push(Violation::UnknownPrice { workload, offer: at });
        };
        if rate.per_hour().currency() != self.input.currency {
            return self.found.push(Violation::Currency { workload, offer: at });
        }
        let nodes = i128::from(placement.members) * i128::from(placement.nodes_each);
        let cost = rate.cost(placement.window).and_then(|one| one.checked_mul_int(nodes));
        match cost {
            Err(_) => self.found.push(Violation::Overflow(format!("workload {workload}"))),
            Ok(is) if is != placement.cost => {
                self.found.push(Violation::Cost { workload, said: placement.cost, is });
            }
            Ok(_) => {}
        }
    }
}
