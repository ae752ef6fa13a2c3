//! The day of a service: whether the stated schedule of replicas serves every span, and what it
//! costs, by an argument of its own.
//!
//! Replica number `l` of a kind is paid whenever a span that has so many serves, or begins within
//! a cold start. So the cost is a sum over replicas of the length of a union of intervals around
//! the cycle. It refuses to know how a schedule was found; start at [`Audit::day`].

use super::cover::{Cover, Loads, REPLICA, carries, carries_slices};
use super::placement::nodes_for;
use super::service::load;
use super::{Audit, Violation};
use crate::{DayReport, DaySpan};
use farthing_model::{Day, Money, NANOS_PER_HOUR, Observed, Offer, Service, Split, proportion};

impl Audit<'_> {
    /// The schedule of a service with a curve holds what it says.
    pub(super) fn day(&mut self, observed: &Observed, service: &Service) {
        let id = &observed.workload.id;
        let said = self.planned.report.services.iter().find(|said| said.workload == *id);
        let Some(said) = said.and_then(|said| said.day.as_ref()) else { return };
        let wrong = match &service.sizing.day {
            None => Some("it has a schedule and no curve"),
            Some(day) => self.schedule(service, day, said).err(),
        };
        let workload = id.clone();
        self.found.extend(wrong.map(|why| Violation::Schedule { workload, why }));
    }

    fn schedule(&self, service: &Service, day: &Day, said: &DayReport) -> Result<(), &'static str> {
        let ends = day.points.iter().skip(1).map(|next| next.from).chain([day.length]);
        let same = |((point, to), span): ((&_, _), &DaySpan)| {
            let point: &farthing_model::RatePoint = point;
            (point.from, to, point.rate_per_s) == (span.from, span.to, span.rate_per_s)
        };
        let whole = said.length == day.length && said.spans.len() == day.points.len();
        if !whole || !day.points.iter().zip(ends).zip(&said.spans).all(same) {
            return Err("its spans are not those of the curve");
        }
        let mut kinds = Vec::with_capacity(said.kinds.len());
        for (offer, count) in &said.kinds {
            let offer = self.offers.get(offer).copied().ok_or("it is on an unknown offer")?;
            kinds.push((offer, *count));
        }
        let mut known: Vec<&DaySpan> = Vec::new();
        for span in &said.spans {
            let seen = |other: &&DaySpan| {
                (&other.replicas, other.rate_per_s) == (&span.replicas, span.rate_per_s)
            };
            if !known.iter().any(seen) {
                known.push(span);
                Self::span(service, &kinds, span)?;
            }
        }
        let cost = paid(day, said, &kinds).ok_or("its cost does not fit")?;
        let stated = said.spans.iter().map(|span| span.cost.pico()).sum::<i128>();
        // Each span's cost is rounded up by itself.
        let more = i128::try_from(2 * said.spans.len() + kinds.len()).unwrap_or(i128::MAX);
        if said.cost.pico() != stated || !(cost - more..=cost + more).contains(&stated) {
            return Err("its cost is not what its replicas cost");
        }
        if said.lower_bound.pico() > said.cost.pico() {
            return Err("its bound is above its cost");
        }
        gaps(day, said, &kinds)
    }

    /// Replicas of a span are there, are enough in number, and carry its rate.
    fn span(
        service: &Service,
        kinds: &[(&Offer, u32)],
        span: &DaySpan,
    ) -> Result<(), &'static str> {
        let rate = span.rate_per_s.nano();
        let all: u64 = span.replicas.iter().map(|count| u64::from(*count)).sum();
        if span.replicas.len() != kinds.len() || all < u64::from(service.replicas_min) {
            return Err("a span has fewer replicas than it must");
        }
        for ((offer, count), replicas) in kinds.iter().zip(&span.replicas) {
            let nodes = u64::from(nodes_for(*count, offer.accelerator_count));
            let most = offer.available.map(u64::from);
            if most.is_some_and(|most| nodes * u64::from(*replicas) > most) {
                return Err("a span has more replicas than there are nodes");
            }
        }
        let asked = service.requests.buckets.iter().filter(|it| it.share.is_positive() && rate > 0);
        let row = |bucket| kinds.iter().map(|kind| load(service, bucket, *kind, rate)).collect();
        let loads: Vec<Vec<Option<i128>>> = asked.map(row).collect();
        let loads: &Loads = &loads;
        let room: Vec<i128> = span.replicas.iter().map(|it| i128::from(*it) * REPLICA).collect();
        let cover = match service.split {
            Split::Continuous => carries(loads, &room),
            Split::Slices(slices) => carries_slices(loads, &room, slices),
        };
        match cover {
            Cover::TooLittle => Err("the replicas of a span do not carry its requests"),
            Cover::Enough | Cover::Open => Ok(()),
        }
    }
}

/// All of a service is given back only where that pays: over a gap that is longer than its
/// cold start and what its penalty pays of the cheapest kind that it uses.
fn gaps(day: &Day, said: &DayReport, kinds: &[(&Offer, u32)]) -> Result<(), &'static str> {
    let none = |at: usize| said.spans[at].replicas.iter().all(|count| *count == 0);
    let count = said.spans.len();
    let used = |kind: &usize| said.spans.iter().any(|span| span.replicas[*kind] > 0);
    let each = (0..kinds.len()).filter(used).filter_map(|kind| hourly(kinds[kind])).min();
    let Some(each) = each.filter(|each| *each > 0) else { return Ok(()) };
    let penalty = day.penalty.map_or(0, Money::pico);
    let least = proportion(penalty, NANOS_PER_HOUR, each).unwrap_or(i128::MAX);
    let least = least.saturating_add(day.cold_start.as_nanos()).min(day.length.as_nanos());
    for start in (0..count).filter(|at| none(*at) && !none((at + count - 1) % count)) {
        let run = (0..count).map(|step| (start + step) % count).take_while(|at| none(*at));
        let length = |at: usize| said.spans[at].to.as_nanos() - said.spans[at].from.as_nanos();
        if run.map(length).sum::<i128>() <= least {
            return Err("it is given back over a gap in which that does not pay");
        }
    }
    Ok(())
}

/// What a replica of a kind costs an hour, in 10^-12; `None` where that is not known.
fn hourly((offer, count): (&Offer, u32)) -> Option<i128> {
    let nodes = i128::from(nodes_for(count, offer.accelerator_count));
    offer.price.rate()?.per_hour().pico().checked_mul(nodes)
}

/// What a schedule costs over its cycle, in 10^-12.
fn paid(day: &Day, said: &DayReport, kinds: &[(&Offer, u32)]) -> Option<i128> {
    let length = day.length.as_nanos();
    let lead = day.cold_start.as_nanos().min(length);
    let mut sum = 0_i128;
    for (kind, it) in kinds.iter().enumerate() {
        let counts: Vec<u32> = said.spans.iter().map(|span| span.replicas[kind]).collect();
        let mut levels = counts.clone();
        levels.sort_unstable();
        levels.dedup();
        let (mut below, mut nanos) = (0, 0_i128);
        // Replicas between two levels are held at the same times.
        for level in levels.into_iter().filter(|level| *level > 0) {
            let held = said.spans.iter().zip(&counts).filter(|(_, count)| **count >= level);
            let held = held.map(|(span, _)| (span.from.as_nanos() - lead, span.to.as_nanos()));
            nanos += union(held.collect(), length) * i128::from(level - below);
            below = level;
        }
        if nanos > 0 {
            sum = sum.checked_add(proportion(hourly(*it)?, nanos, NANOS_PER_HOUR)?)?;
        }
    }
    let none = |at: usize| said.spans[at].replicas.iter().all(|count| *count == 0);
    let count = said.spans.len();
    let starts = (0..count).filter(|at| none(*at) && !none((at + 1) % count)).count();
    let penalty = day.penalty.map_or(0, Money::pico);
    sum.checked_add(penalty.checked_mul(i128::try_from(starts).ok()?)?)
}

/// The length of a union of intervals around a cycle; those that begin before it begin at its end.
fn union(intervals: Vec<(i128, i128)>, length: i128) -> i128 {
    let mut parts = Vec::with_capacity(intervals.len() + 1);
    for (from, to) in intervals {
        if from < 0 {
            parts.extend([(0, to), ((from + length).max(0), length)]);
        } else {
            parts.push((from, to));
        }
    }
    parts.sort_unstable();
    let (mut sum, mut end) = (0, 0);
    for (from, to) in parts {
        sum += (to - from.max(end)).max(0);
        end = end.max(to);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::union;

    #[test]
    fn a_union_goes_around_the_cycle() {
        assert_eq!(union(vec![(2, 5), (4, 7)], 10), 5);
        assert_eq!(union(vec![(-2, 1), (8, 9)], 10), 3);
        assert_eq!(union(vec![(-10, 3)], 10), 10);
        assert_eq!(union(Vec::new(), 10), 0);
    }
}
