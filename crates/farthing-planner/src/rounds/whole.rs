//! Gangs as wholes: a schedule in which each job that is due has its whole gang of one kind from
//! some round on until it is done.
//!
//! What [`net`](super::net) proves takes gangs as if they could be cut; where few large gangs meet
//! few accelerators, a round may be lost that way. A schedule of wholes that is in time after a
//! round is a proof without that doubt, and while there is one, following it keeps everybody in
//! time. It is sought by a few usual orders: finding none proves nothing.

use super::{Fleet, Held, Seat, ceil};

/// A job that is to be in time, from the first round of the schedule on.
#[derive(Clone, Copy, Debug)]
struct Due<'a> {
    held: usize,
    left: i64,
    gang: u32,
    rates: &'a [i64],
    /// Seconds until it is due.
    due: i64,
}

/// A job in a schedule: since when, in rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    held: usize,
    kind: usize,
    from: i64,
}

/// What a kind has free, from each instant in rounds on.
type Profile = Vec<(i64, u32)>;

/// Whether some job that is due holds several accelerators, and all of them together more than a
/// kind has: else gangs are in nobody's way.
pub(super) fn matters(fleet: &Fleet, all: &[Held]) -> bool {
    let due = || all.iter().filter(|held| held.deadline().is_some());
    let most = fleet.kinds.iter().map(|kind| kind.count).min().unwrap_or(0);
    due().any(|held| held.job.gang > 1)
        && due().map(|held| u64::from(held.job.gang)).sum::<u64>() > u64::from(most)
}

/// Whether there is a schedule of whole gangs after a round with these seats.
pub(super) fn holds(fleet: &Fleet, all: &[Held], seats: &[Seat], now: i64) -> bool {
    let mut jobs = Vec::with_capacity(all.len());
    for (at, held) in all.iter().enumerate() {
        let Some(deadline) = held.deadline() else { continue };
        let seat = seats.binary_search_by_key(&held.id, |seat| seat.job).ok();
        let rate = seat.map_or(0, |at| held.job.rates[seats[at].kind]);
        let done = i128::from(rate) * i128::from(fleet.round_s.min(deadline - now));
        let left = i64::try_from(i128::from(held.left) - done).unwrap_or(0);
        if left > 0 {
            let due = deadline - now - fleet.round_s;
            jobs.push(Due { held: at, left, gang: held.job.gang, rates: &held.job.rates, due });
        }
    }
    schedule(fleet, &jobs).is_some()
}

/// Seats of the first round of a schedule of whole gangs, and of what others wish where room is
/// left; `None` where none is found.
pub(super) fn seats(fleet: &Fleet, all: &[Held], wished: &[Seat], now: i64) -> Option<Vec<Seat>> {
    let due = |(at, held): (usize, &'_ Held)| -> Option<(usize, i64)> {
        Some((at, held.deadline()? - now))
    };
    let jobs = all.iter().enumerate().filter_map(due).map(|(at, due)| {
        let held = &all[at];
        Due { held: at, left: held.left, gang: held.job.gang, rates: &held.job.rates, due }
    });
    let jobs: Vec<Due<'_>> = jobs.collect();
    let places = schedule(fleet, &jobs)?;
    let mut room: Vec<u32> = fleet.kinds.iter().map(|kind| kind.count).collect();
    let mut seats = Vec::new();
    for place in places.iter().filter(|place| place.from == 0) {
        let held = &all[place.held];
        room[place.kind] -= held.job.gang;
        seats.push(Seat { job: held.id, kind: place.kind });
    }
    for wish in wished {
        let Ok(at) = all.binary_search_by_key(&wish.job, |held| held.id) else { continue };
        let gang = all[at].job.gang;
        if room[wish.kind] >= gang && !seats.iter().any(|seat| seat.job == wish.job) {
            room[wish.kind] -= gang;
            seats.push(*wish);
        }
    }
    seats.sort_unstable();
    Some(seats)
}

/// A schedule in which all are in time, by the first order that finds one: each on the kind that is
/// cheapest for it among those in time, then on the one that ends first.
fn schedule(fleet: &Fleet, jobs: &[Due<'_>]) -> Option<Vec<Place>> {
    let fastest = |job: &Due<'_>| {
        let rate = job.rates.iter().copied().max().unwrap_or(1).max(1);
        ceil(job.left, rate)
    };
    let mut order: Vec<&Due<'_>> = jobs.iter().collect();
    for by in 0..3 {
        match by {
            0 => order.sort_by_key(|job| (job.due, job.held)),
            1 => order.sort_by_key(|job| (job.due - fastest(job), job.held)),
            _ => order.sort_by_key(|job| (std::cmp::Reverse(job.gang), job.due, job.held)),
        }
        for cheap in [true, false] {
            if let Some(places) = in_order(fleet, &order, cheap) {
                return Some(places);
            }
        }
    }
    None
}

fn in_order(fleet: &Fleet, order: &[&Due<'_>], cheap: bool) -> Option<Vec<Place>> {
    let mut free: Vec<Profile> = fleet.kinds.iter().map(|kind| vec![(0, kind.count)]).collect();
    let mut places = Vec::with_capacity(order.len());
    for job in order {
        let mut best: Option<(i128, i64, usize, i64, i64)> = None;
        for (kind, rate) in job.rates.iter().enumerate().filter(|(_, rate)| **rate > 0) {
            let seconds = ceil(job.left, *rate);
            let rounds = ceil(seconds, fleet.round_s);
            let Some(from) = earliest(&free[kind], job.gang, rounds) else { continue };
            let end = from.saturating_mul(fleet.round_s).saturating_add(seconds);
            if end > job.due {
                continue;
            }
            let price = fleet.kinds[kind].price.per_hour().pico();
            let cost = if cheap { price * i128::from(seconds) } else { 0 };
            if best.is_none_or(|(least, ends, ..)| (cost, end) < (least, ends)) {
                best = Some((cost, end, kind, from, rounds));
            }
        }
        let (_, _, kind, from, rounds) = best?;
        take(&mut free[kind], job.gang, (from, from + rounds));
        places.push(Place { held: job.held, kind, from });
    }
    Some(places)
}

/// The first round from which on so many are free for so long.
fn earliest(free: &Profile, gang: u32, rounds: i64) -> Option<i64> {
    let mut from = None;
    for (at, (start, there)) in free.iter().enumerate() {
        if *there < gang {
            from = None;
            continue;
        }
        let begun = *from.get_or_insert(*start);
        if free.get(at + 1).is_none_or(|(next, _)| *next >= begun + rounds) {
            return from;
        }
    }
    None
}

/// Takes so many from one instant to another.
fn take(free: &mut Profile, gang: u32, (from, to): (i64, i64)) {
    for instant in [from, to] {
        let at = free.partition_point(|(start, _)| *start <= instant);
        if at > 0 && free[at - 1].0 < instant {
            free.insert(at, (instant, free[at - 1].1));
        }
    }
    for (_, there) in free.iter_mut().filter(|(start, _)| (from..to).contains(start)) {
        *there -= gang;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fleet, held};
    use super::*;

    #[test]
    fn room_is_found_between_what_is_taken() {
        let mut free: Profile = vec![(0, 8)];
        take(&mut free, 5, (2, 6));
        assert_eq!(free, [(0, 8), (2, 3), (6, 8)]);
        assert_eq!(earliest(&free, 8, 2), Some(0));
        assert_eq!(earliest(&free, 8, 3), Some(6));
        assert_eq!(earliest(&free, 3, 30), Some(0));
        assert_eq!(earliest(&free, 9, 1), None);
        take(&mut free, 3, (4, 5));
        assert_eq!(earliest(&free, 1, 3), Some(0));
        assert_eq!(earliest(&free, 1, 5), Some(5));
    }

    /// Eight accelerators: one that needs all of them and has two rounds to lose, and singles that
    /// have three. Cut anywhere it all fits in any order; whole, the gang has to go first or last.
    #[test]
    fn a_gang_that_needs_all_gets_them_before_it_is_too_late() {
        let fleet = fleet(10, &[8]);
        let mut jobs = vec![held(0, 8, &[1], 20, Some(30))];
        jobs.extend((1..9).map(|id| held(id, 1, &[1], 10, Some(40))));
        assert!(matters(&fleet, &jobs));
        let singles: Vec<Seat> = (1..9).map(|job| Seat { job, kind: 0 }).collect();
        // After a round of singles the gang still has two rounds of all.
        assert!(holds(&fleet, &jobs, &singles, 0));
        // After a round of one single alone the others fit no more beside the gang in time, ...
        jobs.extend((9..17).map(|id| held(id, 1, &[1], 10, Some(40))));
        assert!(holds(&fleet, &jobs, &singles, 0));
        assert!(!holds(&fleet, &jobs, &singles[..1], 0));
        // ... and the schedule says who sits now, with others where room is left.
        let now = seats(&fleet, &jobs, &singles[..1], 0).unwrap();
        assert_eq!(now, [Seat { job: 0, kind: 0 }]);
        jobs.truncate(4);
        jobs.push(held(90, 5, &[1], 5, None));
        let wished = [Seat { job: 1, kind: 0 }, Seat { job: 90, kind: 0 }];
        let later = held(0, 8, &[1], 20, Some(60));
        jobs[0] = later;
        let now = seats(&fleet, &jobs, &wished, 0).unwrap();
        let right = [1, 2, 3, 90].map(|job| Seat { job, kind: 0 });
        assert_eq!(now, right);
    }
}
