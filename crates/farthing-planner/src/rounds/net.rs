//! The safety net: whether everybody who could be in time still can, after a round.
//!
//! It knows nothing of plans and costs. First, with everybody on its fastest kind: jobs that are
//! there from now on fit on `c` accelerators by their deadlines, cut anywhere, exactly if for each
//! instant `d` the seconds that must be spent before it are no more than `c x d`; a job that is due
//! later must spend there what does not fit between `d` and its deadline (Horn 1974). Where that is
//! not so, a schedule is looked for in which jobs by deadline take the fastest kind with room, slot
//! by slot. One found proves that everybody can be in time; gangs are taken as if they could be
//! cut.

use super::{Fleet, Held, Seat};

/// A job after the round.
#[derive(Clone, Copy, Debug)]
struct After<'a> {
    left: i64,
    gang: i64,
    rates: &'a [i64],
    /// Seconds until it is due.
    due: i64,
}

impl After<'_> {
    fn fastest(&self) -> (usize, i64) {
        let best = (0..self.rates.len()).max_by_key(|kind| (self.rates[*kind], usize::MAX - kind));
        let kind = best.unwrap_or(0);
        (kind, super::ceil(self.left, self.rates[kind].max(1)))
    }
}

/// Whether all jobs that are not late yet can be in time after a round with these seats.
pub(super) fn holds(fleet: &Fleet, all: &[Held], seats: &[Seat], now: i64) -> bool {
    let mut jobs = Vec::with_capacity(all.len());
    for held in all {
        let Some(deadline) = held.deadline() else { continue };
        let seat = seats.binary_search_by_key(&held.id, |seat| seat.job).ok();
        let rate = seat.map_or(0, |at| held.job.rates[seats[at].kind]);
        let done = i128::from(rate) * i128::from(fleet.round_s.min(deadline - now));
        let left = i64::try_from(i128::from(held.left) - done).unwrap_or(0);
        if left <= 0 {
            continue;
        }
        let due = deadline - now - fleet.round_s;
        let job = After { left, gang: held.job.gang.into(), rates: &held.job.rates, due };
        if job.fastest().1 > due {
            return false;
        }
        jobs.push(job);
    }
    jobs.sort_by_key(|job| job.due);
    fits_on_fastest(fleet, &jobs) || fits_slot_by_slot(fleet, &jobs)
}

/// Everybody on its fastest kind: what must be done before each instant fits before it.
fn fits_on_fastest(fleet: &Fleet, jobs: &[After<'_>]) -> bool {
    // Before `due - seconds` nothing must be done, from there on all of the time until it is due.
    let mut turns: Vec<Vec<(i64, i64)>> = vec![Vec::new(); fleet.kinds.len()];
    for job in jobs {
        let (kind, seconds) = job.fastest();
        turns[kind].extend([(job.due - seconds, job.gang), (job.due, -job.gang)]);
    }
    turns.iter_mut().zip(&fleet.kinds).all(|(turns, kind)| {
        turns.sort_unstable();
        let (mut before, mut slope, mut needed) = (0_i64, 0_i64, 0_i64);
        turns.iter().all(|(instant, change)| {
            needed = needed.saturating_add(slope.saturating_mul(instant - before));
            (before, slope) = (*instant, slope + change);
            needed <= i64::from(kind.count).saturating_mul(*instant)
        })
    })
}

/// Jobs by deadline, each on the fastest kind that has room in a slot, then on the next.
fn fits_slot_by_slot(fleet: &Fleet, jobs: &[After<'_>]) -> bool {
    let mut ends: Vec<i64> = jobs.iter().map(|job| job.due).collect();
    ends.dedup();
    let lengths: Vec<i64> =
        ends.iter().scan(0, |from, end| Some(end - std::mem::replace(from, *end))).collect();
    let mut room: Vec<Vec<i64>> = fleet
        .kinds
        .iter()
        .map(|kind| lengths.iter().map(|length| length * i64::from(kind.count)).collect())
        .collect();
    jobs.iter().all(|job| {
        let mut kinds: Vec<usize> =
            (0..fleet.kinds.len()).filter(|kind| job.rates[*kind] > 0).collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(job.rates[*kind]));
        let slots = ends.partition_point(|end| *end <= job.due);
        let mut own = lengths[..slots].to_vec();
        let mut left = job.left;
        for kind in kinds {
            let rate = job.rates[kind];
            for (slot, own) in own.iter_mut().enumerate() {
                if left <= 0 {
                    return true;
                }
                let seconds = (*own).min(room[kind][slot] / job.gang).min(super::ceil(left, rate));
                *own -= seconds;
                room[kind][slot] -= seconds * job.gang;
                left = left.saturating_sub(seconds.saturating_mul(rate));
            }
        }
        left <= 0
    })
}
