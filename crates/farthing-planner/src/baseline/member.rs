//! What one member needs on an offer: nodes, time, and why an offer is out of question.

use crate::Input;
use crate::serving::Serving;
use farthing_model::{
    Job, Observed, Offer, Policy, Purchase, Ratio, Reason, Service, Target, Throughput, Workload,
};
use jiff::SignedDuration;

/// Nanoseconds in a millisecond.
const MILLI: i128 = 1_000_000;

/// One way to run a member of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Row of the job's throughput; 0 without any.
    pub(super) row: usize,
    /// Nodes it holds.
    pub(super) nodes: u32,
    /// Accelerators it was measured on, or machines; at least one.
    pub(super) size: u32,
    /// How long it holds them.
    pub(super) length: SignedDuration,
}

/// Replicas of a service on one offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replicas {
    /// How many.
    pub(super) count: u32,
    /// Nodes that each holds.
    pub(super) nodes: u32,
    /// Accelerators that each uses.
    pub(super) size: u32,
}

/// A service so large that its load does not fit into a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooLarge;

/// Why an offer is out of question for a workload, whatever it costs.
pub(super) fn refused(workload: &Workload, offer: &Offer, input: &Input) -> Option<Reason> {
    let known = offer.price.rate().map(|rate| rate.per_hour().currency());
    if known != Some(input.currency) {
        return Some(Reason::NoOffer("no price in the plan's currency".to_owned()));
    }
    let wanted = &workload.residency;
    if !wanted.is_empty() && !wanted.iter().any(|place| offer.residency.contains(place)) {
        return Some(Reason::Residency(wanted.clone()));
    }
    if !workload.resources.fits_in(offer.capacity) {
        return Some(Reason::NoOffer("no machine is as large as a member".to_owned()));
    }
    None
}

/// Why nothing fits: the filter that the most offers passed before it.
pub(super) fn nothing_fits(workload: &Workload, input: &Input) -> Reason {
    let rank = |reason: &Reason| match reason {
        Reason::Residency(_) => 1,
        Reason::NoOffer(why) if why.starts_with("no price") => 0,
        _ => 2,
    };
    let refusals = input.offers.iter().map(|offer| {
        refused(workload, offer, input)
            .unwrap_or_else(|| Reason::NoOffer("no throughput was measured on any".to_owned()))
    });
    let none = || Reason::NoOffer("the price book is empty".to_owned());
    refusals
        .enumerate()
        .max_by_key(|(at, why)| (rank(why), usize::MAX - at))
        .map_or_else(none, |(_, why)| why)
}

fn whole_millis(nanos: i128) -> Option<SignedDuration> {
    let millis = nanos.checked_add(MILLI - 1)?.div_euclid(MILLI);
    i64::try_from(millis).ok().map(SignedDuration::from_millis)
}

fn work_time(job: &Job, row: &Throughput) -> Option<SignedDuration> {
    let Some(work) = &job.work else { return job.duration };
    let rate = row.amount.nano();
    if rate <= 0 {
        return None;
    }
    let nanos = work.amount.nano().checked_mul(row.per.as_nanos())?;
    whole_millis(nanos.checked_add(rate - 1)?.div_euclid(rate))
}

/// What an interruption is expected to add to `length` on spot; `None` = spot is no choice.
fn spot_loss(job: &Job, policy: &Policy, length: SignedDuration) -> Option<SignedDuration> {
    let (how, spot) = (job.interruptible?, policy.spot.as_ref()?);
    let each = how.checkpoint.checked_add(how.restart)?;
    let up = spot.mean_up.as_nanos();
    let product = length.as_nanos().checked_mul(each.as_nanos() / MILLI)?;
    if up <= 0 {
        return None;
    }
    let millis = product.checked_add(up - 1)?.div_euclid(up);
    i64::try_from(millis).ok().map(SignedDuration::from_millis)
}

/// Each way to run a member of `job` on `offer`, in the order of its throughput.
pub(super) fn runs(job: &Job, offer: &Offer, policy: &Policy) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    let mut add = |row: usize, nodes: u32, size: u32, length: Option<SignedDuration>| {
        let Some(length) = length else { return };
        let loss = match offer.purchase {
            Purchase::Spot => spot_loss(job, policy, length),
            _ => Some(SignedDuration::ZERO),
        };
        let boot = match offer.purchase {
            Purchase::Owned => SignedDuration::ZERO,
            _ => policy.boot,
        };
        let length = loss.and_then(|loss| length.checked_add(loss)?.checked_add(boot));
        found.extend(length.map(|length| Run { row, nodes, size: size.max(1), length }));
    };
    if job.throughput.is_empty() {
        add(0, 1, offer.accelerator_count, job.duration);
    }
    let mut taken: Vec<(bool, u32)> = Vec::new();
    for (index, row) in job.throughput.iter().enumerate() {
        let (named, nodes) = match &row.target {
            Target::InstanceType(name) if *name == offer.instance_type => (true, row.count),
            Target::Accelerator(query)
                if offer.accelerator_count > 0
                    && offer.accelerator.as_ref().is_some_and(|name| query.matches(name)) =>
            {
                (false, row.count.div_ceil(offer.accelerator_count))
            }
            _ => continue,
        };
        // The first match wins: a later row of the same configuration is not looked at.
        if nodes == 0 || taken.contains(&(named, row.count)) {
            continue;
        }
        taken.push((named, row.count));
        add(index, nodes, row.count, work_time(job, row));
    }
    found
}

/// Requests in 10^-9 per second: measured, else declared.
pub(super) fn demand(observed: &Observed, service: &Service) -> i128 {
    observed.demand_per_s.unwrap_or(service.requests.rate_per_s).nano()
}

/// Replicas that serve `rate_nano` requests (10^-9 per second) on `offer` alone, each used to its
/// target at most, for each configuration that serves every bucket, in the order listed, with its
/// place in that order. A copy spans nodes only where no offer at hand holds it in one.
pub(super) fn replicas(
    (service, input): (&Service, &Input),
    offer: &Offer,
    rate_nano: i128,
) -> Result<Vec<(usize, Replicas)>, TooLarge> {
    let mut found: Vec<(usize, Replicas)> = Vec::new();
    let Some(name) = &offer.accelerator else { return Ok(found) };
    let mut taken: Vec<u32> = Vec::new();
    for (at, row) in service.throughput.iter().enumerate() {
        if !row.accelerator.matches(name) || row.count == 0 || taken.contains(&row.count) {
            continue;
        }
        taken.push(row.count);
        let nodes = row.count.div_ceil(offer.accelerator_count.max(1));
        if nodes > 1 && input.offers.iter().any(|other| holds(other, offer, row.count)) {
            continue;
        }
        let target = Serving::target(input, service);
        let Some(load) = load_of((service, target), offer, row.count, rate_nano)? else {
            continue;
        };
        let least = service.replicas_min.max(u32::from(rate_nano > 0));
        let count = u32::try_from(load).map_err(|_| TooLarge)?.max(least);
        if count > 0 {
            found.push((at, Replicas { count, nodes, size: row.count }));
        }
    }
    Ok(found)
}

/// Whether a node of another offer holds so many of the same accelerators.
fn holds(other: &Offer, offer: &Offer, count: u32) -> bool {
    other.accelerator == offer.accelerator && other.accelerator_count >= count
}

/// `rate x share / most` in 10^-12, rounded up.
fn part(rate_nano: i128, share_nano: i128, most_nano: i128) -> Option<i128> {
    let requests = rate_nano.checked_mul(share_nano)?.checked_mul(1_000)?;
    Some(requests.checked_add(most_nano - 1)?.div_euclid(most_nano))
}

/// Replicas of one configuration that all buckets together fill, rounded up; `None` if some
/// bucket cannot be served.
fn load_of(
    (service, target): (&Service, Ratio),
    offer: &Offer,
    count: u32,
    rate_nano: i128,
) -> Result<Option<i128>, TooLarge> {
    // Sums r x s / t in 10^-12 replicas, each part rounded up: never too few.
    let mut total: i128 = 0;
    for bucket in service.requests.buckets.iter().filter(|bucket| bucket.share.is_positive()) {
        let row = service.throughput.iter().find(|row| {
            row.count == count
                && offer.accelerator.as_ref().is_some_and(|name| row.accelerator.matches(name))
                && row.input_tokens == bucket.input_tokens
                && row.output_tokens == bucket.output_tokens
        });
        let copies = i128::from((offer.accelerator_count / count.max(1)).max(1));
        let most = row.map_or(0, |row| row.requests_per_s.nano());
        let most = most.checked_mul(copies).ok_or(TooLarge)?;
        if most <= 0 {
            return Ok(None);
        }
        let more = part(rate_nano, bucket.share.nano(), most);
        total = more.and_then(|more| total.checked_add(more)).ok_or(TooLarge)?;
    }
    // One part in 10^9 of a replica is rounding, not load.
    let whole = 1_000_000 * i128::from(target.ppm().max(1));
    let load = (total - whole / 1_000_000_000).max(0);
    Ok(Some(load.div_euclid(whole) + i128::from(load.rem_euclid(whole) > 0)))
}
