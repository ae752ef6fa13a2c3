//! Candidates: which offer, in which configuration, each class of identical members can use.
//!
//! Jobs that differ in name and count only are one class. For each class, every offer passes the
//! filters in a fixed order (residency, resources, throughput, spot, price, deadline) and what
//! is left is a [`Way`] with its exact run time and cost. Nothing here chooses: see `fleet`.

use crate::deadline::{ends_by, settle};
use crate::{Input, PlanError};
use farthing_model::{
    Decimal, HourlyRate, Interruptible, Job, Observed, Offer, Policy, Purchase, Service, Target,
    Throughput, Window, Workload, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Nanoseconds in a millisecond, the grain of run times.
const MILLI: i128 = 1_000_000;

/// How long a quoted job is shown to take, as nobody said.
const QUOTED_RUN: SignedDuration = SignedDuration::from_hours(1);

/// The filter that stopped an offer, in the order of filters; an offer that no filter stopped for
/// some workload counts as considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    /// Not in a permitted jurisdiction.
    Residency,
    /// A node is smaller than a member.
    Resources,
    /// No throughput is measured on it.
    Throughput,
    /// Spot, and the loss is not known, or the work must not be interrupted, or could not make up
    /// for it by its deadline.
    Spot,
    /// The price is not known.
    Price,
    /// The price is in another currency.
    Currency,
    /// It would be late.
    Deadline,
    /// None: it can be used.
    Passed,
}

impl Filter {
    /// The name in the report.
    const fn name(self) -> &'static str {
        match self {
            Self::Residency => "residency",
            Self::Resources => "resources",
            Self::Throughput => "no measured throughput",
            Self::Spot => "spot not allowed",
            Self::Price => "price unknown",
            Self::Currency => "another currency",
            Self::Deadline => "deadline",
            Self::Passed => "considered",
        }
    }
}

/// How far each offer came with any workload.
pub(crate) struct Considered(Vec<Option<Filter>>);

impl Considered {
    /// No offer has been looked at.
    pub(crate) fn new(offers: usize) -> Self {
        Self(vec![None; offers])
    }

    /// Notes how far an offer came.
    pub(crate) fn note(&mut self, offer: usize, filter: Filter) {
        self.0[offer] = self.0[offer].max(Some(filter));
    }

    /// Offers that no workload could use, by the last filter that stopped them.
    pub(crate) fn excluded(&self) -> BTreeMap<&'static str, usize> {
        let mut excluded = BTreeMap::new();
        for filter in self.0.iter().flatten().filter(|filter| **filter != Filter::Passed) {
            *excluded.entry(filter.name()).or_default() += 1;
        }
        excluded
    }
}

/// A way to run one member of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Position of the offer in the input; `None` for a cost quoted from outside.
    pub(crate) offer: Option<usize>,
    /// Nodes that one member holds.
    pub(crate) nodes: u32,
    /// Accelerators that one member uses.
    pub(crate) accelerators: u32,
    /// How long.
    pub(crate) run: SignedDuration,
    /// The work alone, without boot and expected loss.
    pub(crate) busy: SignedDuration,
    /// What must be left between its end and a deadline; `None` = never with one.
    pub(crate) spare: Option<SignedDuration>,
    /// The least that one member can cost, in 10^-12, whenever it starts. The exact cost of a
    /// window differs by less than one unit a node, because of where rounding falls.
    pub(crate) floor: i128,
    /// Whether it ends by the deadline, with what must be left, when it starts as early as it can.
    pub(crate) in_time: bool,
}

/// A job with members that are not placed yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    /// The job.
    pub(crate) observed: &'a Observed,
    /// How many of its members are open.
    pub(crate) open: u32,
}

/// Members that do not differ in anything that a plan looks at.
#[derive(Clone, Debug)]
pub(crate) struct Class<'a> {
    /// The first job, which stands for all.
    pub(crate) workload: &'a Workload,
    /// Its job part.
    pub(crate) job: &'a Job,
    /// Jobs of the class, by (submitted, id).
    pub(crate) jobs: Vec<Member<'a>>,
    /// Open members of all of them.
    pub(crate) size: u32,
    /// Not to start before.
    pub(crate) earliest: Timestamp,
    /// Ways with a known price, cheapest first, ties by time and offer; late ones too.
    pub(crate) ways: Vec<Way>,
    /// The furthest that any offer came; why there is no way, if there is none.
    pub(crate) reached: Option<Filter>,
}

/// The jobs of the input that have open members, in classes, with their ways.
pub(crate) fn classes<'a>(
    input: &'a Input,
    considered: &mut Considered,
) -> Result<Vec<Class<'a>>, PlanError> {
    let mut open: Vec<Member<'a>> = input.snapshot.workloads.iter().filter_map(member).collect();
    open.sort_by_key(|member| {
        let job = member.observed.workload.job();
        let submitted = job.and_then(|job| job.submitted).unwrap_or(member.observed.since);
        (submitted, member.observed.workload.id.clone())
    });
    let mut classes: Vec<Class<'a>> = Vec::new();
    for member in open {
        let workload = &*member.observed.workload;
        let Some(job) = workload.job() else { continue };
        let from = input.horizon.from();
        let earliest = job.submitted.map_or(from, |submitted| submitted.max(from));
        let same = classes
            .iter_mut()
            .find(|class| class.earliest == earliest && alike(class, workload, job, input));
        if let Some(class) = same {
            class.size = class.size.checked_add(member.open).ok_or_else(|| overflow(workload))?;
            class.jobs.push(member);
        } else {
            let (jobs, size) = (vec![member], member.open);
            let (ways, reached) = (Vec::new(), None);
            classes.push(Class { workload, job, jobs, size, earliest, ways, reached });
        }
    }
    for class in &mut classes {
        find_ways(class, input, considered)?;
    }
    Ok(classes)
}

fn overflow(workload: &Workload) -> PlanError {
    PlanError::Overflow(format!("workload {}", workload.id))
}

/// The open members of a job: not placed, not ended, not suspended.
fn member(observed: &Observed) -> Option<Member<'_>> {
    let job = observed.workload.job()?;
    let taken = match &observed.state {
        WorkloadState::Waiting => 0,
        WorkloadState::Placed(all) => {
            all.iter().fold(0_u32, |sum, place| sum.saturating_add(place.members))
        }
        WorkloadState::Suspended | WorkloadState::Finished(_) => return None,
    };
    let open = job.count.saturating_sub(taken);
    (open > 0).then_some(Member { observed, open })
}

fn alike(class: &Class<'_>, workload: &Workload, job: &Job, input: &Input) -> bool {
    let (a, b) = (class.workload, workload);
    a.value == b.value
        && a.resources == b.resources
        && a.residency == b.residency
        && class.job.work == job.work
        && class.job.duration == job.duration
        && class.job.deadline == job.deadline
        && class.job.quoted_cost == job.quoted_cost
        && class.job.interruptible == job.interruptible
        && class.job.throughput == job.throughput
        && input
            .budgets
            .iter()
            .all(|state| state.budget.scope.covers(a) == state.budget.scope.covers(b))
}

fn find_ways(
    class: &mut Class<'_>,
    input: &Input,
    considered: &mut Considered,
) -> Result<(), PlanError> {
    if is_quoted(class.job) {
        quoted_way(class, input);
        return Ok(());
    }
    let mut filters = Vec::with_capacity(input.offers.len());
    for (index, offer) in input.offers.iter().enumerate() {
        filters.push(match permitted(class.workload, offer) {
            Some(filter) => filter,
            None => add_ways(class, input, (index, offer))?,
        });
    }
    // Which ways are in time depends on all of them: spot needs another one to fall back on.
    settle(class, input);
    for way in &class.ways {
        let Some(offer) = way.offer else { continue };
        filters[offer] = filters[offer].max(judged(class, way, &input.offers[offer]));
    }
    for (index, filter) in filters.into_iter().enumerate() {
        considered.note(index, filter);
        class.reached = class.reached.max(Some(filter));
    }
    class.ways.sort_by_key(|way| (way.floor, way.run, way.offer, way.nodes));
    Ok(())
}

/// How far an offer came with a way whose time is settled.
fn judged(class: &Class<'_>, way: &Way, offer: &Offer) -> Filter {
    let planned = Way { spare: Some(SignedDuration::ZERO), ..*way };
    let late = class.job.deadline.is_some_and(|at| !ends_by(&planned, class.earliest, at));
    match offer.purchase {
        _ if way.in_time => Filter::Passed,
        Purchase::Spot if !late => Filter::Spot,
        _ => Filter::Deadline,
    }
}

/// Whether nothing but a quoted cost is known of a job.
fn is_quoted(job: &Job) -> bool {
    let run_known = job.duration.is_some() || (job.work.is_some() && !job.throughput.is_empty());
    job.quoted_cost.is_some() && !run_known
}

/// A quoted cost names no place, so that it satisfies no residency requirement.
fn quoted_way(class: &mut Class<'_>, input: &Input) {
    let Some(cost) = class.job.quoted_cost else { return };
    if !class.workload.residency.is_empty() {
        class.reached = Some(Filter::Residency);
        return;
    }
    if cost.currency() != input.currency || cost.is_negative() {
        class.reached = Some(Filter::Currency);
        return;
    }
    class.reached = Some(Filter::Passed);
    class.ways.push(Way {
        offer: None,
        nodes: 0,
        accelerators: 0,
        run: QUOTED_RUN,
        busy: QUOTED_RUN,
        spare: Some(SignedDuration::ZERO),
        floor: cost.pico(),
        // How long it takes nobody said, so that its deadline cannot be judged.
        in_time: true,
    });
}

/// The filter before any run time that stops an offer for a workload.
pub(crate) fn permitted(workload: &Workload, offer: &Offer) -> Option<Filter> {
    let wanted = &workload.residency;
    if !wanted.is_empty() && !wanted.iter().any(|place| offer.residency.contains(place)) {
        return Some(Filter::Residency);
    }
    (!workload.resources.fits_in(offer.capacity)).then_some(Filter::Resources)
}

/// The rate of an offer in the plan's currency, or the filter that stops it.
pub(crate) fn rate_of(offer: &Offer, input: &Input) -> Result<HourlyRate, Filter> {
    let rate = offer.price.rate().ok_or(Filter::Price)?;
    if rate.per_hour().currency() == input.currency { Ok(rate) } else { Err(Filter::Currency) }
}

/// Adds each way to run a member on an offer, its time not judged yet; how far the offer came
/// where it has none.
fn add_ways(
    class: &mut Class<'_>,
    input: &Input,
    (index, offer): (usize, &Offer),
) -> Result<Filter, PlanError> {
    let mut reached = Filter::Throughput;
    for (nodes, accelerators, busy) in configurations(class.job, offer) {
        let how = class.job.interruptible;
        let Some(run) = run_time(how, offer.purchase, &input.policy, busy) else {
            reached = reached.max(Filter::Spot);
            continue;
        };
        let rate = match rate_of(offer, input) {
            Ok(rate) => rate,
            Err(filter) => {
                reached = reached.max(filter);
                continue;
            }
        };
        let floor = least_cost(rate, run, nodes).ok_or_else(|| overflow(class.workload))?;
        let (offer, spare, in_time) = (Some(index), None, false);
        class.ways.push(Way { offer, nodes, accelerators, run, busy, spare, floor, in_time });
    }
    Ok(reached)
}

/// What `nodes` nodes cost for `run`, rounded down a node: no window of that length is cheaper.
pub(crate) fn least_cost(rate: HourlyRate, run: SignedDuration, nodes: u32) -> Option<i128> {
    let window = Window::starting(Timestamp::UNIX_EPOCH, run)?;
    rate.cost(window).ok()?.pico().checked_mul(i128::from(nodes))
}

/// Nodes, accelerators and time of work alone, for each configuration that matches an offer. Of
/// rows for the same configuration the first wins.
fn configurations(job: &Job, offer: &Offer) -> Vec<(u32, u32, SignedDuration)> {
    if job.throughput.is_empty() {
        return job.duration.map(|held| (1, 0, held)).into_iter().collect();
    }
    let mut seen: Vec<(bool, u32)> = Vec::new();
    let mut found = Vec::new();
    for row in &job.throughput {
        let Some((nodes, accelerators)) = match_row(row, offer) else { continue };
        let key = (matches!(row.target, Target::Accelerator(_)), row.count);
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        found.extend(work_time(job, row).map(|busy| (nodes, accelerators, busy)));
    }
    found
}

/// Nodes and accelerators of one member by a throughput row, if it is about this offer.
fn match_row(row: &Throughput, offer: &Offer) -> Option<(u32, u32)> {
    match &row.target {
        Target::InstanceType(name) => {
            let all = row.count.checked_mul(offer.accelerator_count)?;
            (*name == offer.instance_type && row.count > 0).then_some((row.count, all))
        }
        Target::Accelerator(query) => {
            offer.accelerator.as_ref().filter(|name| query.matches(name))?;
            nodes_for(row.count, offer).map(|nodes| (nodes, row.count))
        }
    }
}

/// Nodes of an offer that hold `accelerators` of its accelerators.
pub(crate) fn nodes_for(accelerators: u32, offer: &Offer) -> Option<u32> {
    let usable = accelerators > 0 && offer.accelerator_count > 0;
    usable.then(|| accelerators.div_ceil(offer.accelerator_count))
}

/// Copies of a model on `accelerators` accelerators that a node holds, where it holds one.
fn copies_for(accelerators: u32, offer: &Offer) -> i128 {
    i128::from((offer.accelerator_count / accelerators.max(1)).max(1))
}

/// `ceil(work / throughput)` in whole milliseconds.
fn work_time(job: &Job, row: &Throughput) -> Option<SignedDuration> {
    let Some(work) = &job.work else { return job.duration };
    let rate: Decimal = row.amount;
    if !rate.is_positive() || work.amount.nano() < 0 || !row.per.is_positive() {
        return None;
    }
    let needed = work.amount.nano().checked_mul(row.per.as_nanos())?;
    millis_up(needed, rate.nano().checked_mul(MILLI)?)
}

/// `numerator / denominator` milliseconds, rounded up.
fn millis_up(numerator: i128, denominator: i128) -> Option<SignedDuration> {
    let rest = i128::from(numerator.rem_euclid(denominator) > 0);
    let millis = numerator.div_euclid(denominator).checked_add(rest)?;
    i64::try_from(millis).ok().map(SignedDuration::from_millis)
}

/// Boot, work and expected loss; `None` where what interruptions cost is not known.
pub(crate) fn run_time(
    interruptible: Option<Interruptible>,
    purchase: Purchase,
    policy: &Policy,
    busy: SignedDuration,
) -> Option<SignedDuration> {
    let boot = match purchase {
        Purchase::Owned => SignedDuration::ZERO,
        Purchase::OnDemand | Purchase::Spot | Purchase::Reserved => policy.boot,
    };
    let loss = match purchase {
        Purchase::Spot => expected_loss(interruptible, policy, busy)?,
        Purchase::Owned | Purchase::OnDemand | Purchase::Reserved => SignedDuration::ZERO,
    };
    let run = busy.checked_add(loss)?.checked_add(boot)?;
    run.is_positive().then_some(run)
}

/// `busy / mean time between interruptions` interruptions, each of a checkpoint and a restart.
fn expected_loss(
    interruptible: Option<Interruptible>,
    policy: &Policy,
    busy: SignedDuration,
) -> Option<SignedDuration> {
    let how = interruptible?;
    let up = policy.spot.as_ref()?.mean_up;
    if !up.is_positive() {
        return None;
    }
    let each = how.checkpoint.checked_add(how.restart)?;
    let lost = busy.as_nanos().checked_mul(each.as_nanos() / MILLI)?;
    millis_up(lost, up.as_nanos())
}

/// A kind of replica of a service on an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplicaKind {
    /// Position of the offer in the input.
    pub(crate) offer: usize,
    /// Nodes that one replica holds.
    pub(crate) nodes: u32,
    /// Copies of the model that run on them.
    pub(crate) copies: i128,
    /// Accelerators that one copy uses.
    pub(crate) accelerators: u32,
    /// Most requests per second of each bucket, of all copies, in 10^-9; `None` = cannot serve it.
    pub(crate) rates: Vec<Option<i128>>,
}

/// Each kind of replica that a service may have on an offer, or the filter that stops it.
pub(crate) fn replica_kinds(
    (workload, service): (&Workload, &Service),
    (index, offer): (usize, &Offer),
    input: &Input,
) -> Result<Vec<ReplicaKind>, Filter> {
    if let Some(filter) = permitted(workload, offer) {
        return Err(filter);
    }
    let Some(name) = &offer.accelerator else { return Err(Filter::Throughput) };
    let mut counts: Vec<u32> = service
        .throughput
        .iter()
        .filter(|row| row.count > 0 && row.accelerator.matches(name))
        .map(|row| row.count)
        .collect();
    counts.sort_unstable();
    counts.dedup();
    let mut kinds = Vec::new();
    for count in counts {
        let Some(nodes) = nodes_for(count, offer) else { continue };
        let copies = copies_for(count, offer);
        let rates: Vec<Option<i128>> = service
            .requests
            .buckets
            .iter()
            .map(|bucket| {
                let row = service.throughput.iter().find(|row| {
                    row.count == count
                        && row.accelerator.matches(name)
                        && row.input_tokens == bucket.input_tokens
                        && row.output_tokens == bucket.output_tokens
                })?;
                row.requests_per_s.nano().checked_mul(copies).filter(|most| *most > 0)
            })
            .collect();
        if rates.iter().any(Option::is_some) {
            kinds.push(ReplicaKind { offer: index, nodes, copies, accelerators: count, rates });
        }
    }
    if kinds.is_empty() {
        return Err(Filter::Throughput);
    }
    if offer.purchase == Purchase::Spot {
        return Err(Filter::Spot);
    }
    rate_of(offer, input)?;
    Ok(kinds)
}
