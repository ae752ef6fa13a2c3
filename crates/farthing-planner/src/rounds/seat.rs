//! Who sits on what in a round.
//!
//! First those who would be late if they did not sit, then those whose plan leaves no second to
//! lose, then by deadline. A job whose kind is full may send another one to its other kind.

use super::{Fleet, Held, Seat};

/// How urgent a seat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Without a seat it is late.
    Must,
    /// Without a seat its plan is no longer possible.
    Tight,
    /// It may wait.
    Free,
}

/// What a job wants in this round.
#[derive(Clone, Debug)]
struct Wish {
    held: usize,
    rank: Rank,
    /// Seconds that it can be away from its first kind, or its deadline where it may wait.
    key: i64,
    /// Kinds that it may sit on, the best first.
    kinds: Vec<usize>,
}

/// Seats for a round, and whether everybody sits who has no second to lose.
pub(super) fn seats(fleet: &Fleet, all: &[Held], now: i64) -> (Vec<Seat>, bool) {
    let mut wishes: Vec<Wish> = (0..all.len()).map(|at| wish(fleet, &all[at], at, now)).collect();
    wishes.sort_by_key(|wish| (wish.rank, wish.key, wish.held));
    let mut room: Vec<u32> = fleet.kinds.iter().map(|kind| kind.count).collect();
    let mut placed: Vec<Option<usize>> = vec![None; wishes.len()];
    // Those that sit and could sit elsewhere.
    let mut movable: Vec<usize> = Vec::new();
    let mut kept = true;
    for at in 0..wishes.len() {
        let gang = all[wishes[at].held].job.gang;
        let found = wishes[at].kinds.iter().copied().find(|kind| room[*kind] >= gang);
        let found = found.or_else(|| {
            let seated = (wishes.as_slice(), movable.as_slice());
            bump(all, seated, (&mut placed, &mut room), at)
        });
        if let Some(kind) = found {
            room[kind] -= gang;
            placed[at] = Some(kind);
            if wishes[at].kinds.len() > 1 {
                movable.push(at);
            }
        } else if wishes[at].rank != Rank::Free {
            kept = false;
        }
    }
    let mut seats: Vec<Seat> = wishes
        .iter()
        .zip(&placed)
        .filter_map(|(wish, kind)| Some(Seat { job: all[wish.held].id, kind: (*kind)? }))
        .collect();
    seats.sort_unstable();
    (seats, kept)
}

/// Seats that look at deadlines alone: who has the fewest seconds to lose first, each on the
/// fastest kind with room.
pub(super) fn urgent(fleet: &Fleet, all: &[Held], now: i64) -> Vec<Seat> {
    let mut order: Vec<&Held> = all.iter().collect();
    let spare =
        |held: &&Held| held.deadline().map_or(i64::MAX, |deadline| deadline - now - held.fastest());
    order.sort_by_key(spare);
    let mut room: Vec<u32> = fleet.kinds.iter().map(|kind| kind.count).collect();
    let mut seats = Vec::new();
    for held in order {
        let fits = |kind: &usize| held.job.rates[*kind] > 0 && room[*kind] >= held.job.gang;
        let fastest = (0..room.len()).filter(fits).max_by_key(|kind| held.job.rates[*kind]);
        if let Some(kind) = fastest {
            room[kind] -= held.job.gang;
            seats.push(Seat { job: held.id, kind });
        }
    }
    seats.sort_unstable();
    seats
}

/// Sends one that sits on a wished kind to another of its kinds; the kind that is free then.
fn bump(
    all: &[Held],
    (wishes, movable): (&[Wish], &[usize]),
    (placed, room): (&mut [Option<usize>], &mut [u32]),
    at: usize,
) -> Option<usize> {
    let needed = all[wishes[at].held].job.gang;
    for kind in wishes[at].kinds.iter().copied() {
        for other in movable.iter().copied() {
            let gang = all[wishes[other].held].job.gang;
            if placed[other] != Some(kind) || room[kind] + gang < needed {
                continue;
            }
            let to =
                wishes[other].kinds.iter().copied().find(|to| *to != kind && room[*to] >= gang);
            if let Some(to) = to {
                room[kind] += gang;
                room[to] -= gang;
                placed[other] = Some(to);
                return Some(kind);
            }
        }
    }
    None
}

/// Whether the job can still be in time after a round on a kind.
fn safe(held: &Held, kind: usize, seconds: i64, round_s: i64) -> bool {
    let rate = held.job.rates[kind];
    if rate == 0 {
        return false;
    }
    if super::ceil(held.left, rate) <= round_s.min(seconds) {
        return true;
    }
    let best = held.job.rates.iter().copied().max().unwrap_or(1);
    let after = i128::from(held.left) - i128::from(rate) * i128::from(round_s);
    after <= i128::from(best) * i128::from(seconds - round_s)
}

fn wish(fleet: &Fleet, held: &Held, at: usize, now: i64) -> Wish {
    let round = fleet.round_s;
    let dearer = |kind: &usize| std::cmp::Reverse(held.job.rates[*kind]);
    let mut kinds: Vec<usize> = (0..held.plan.len()).filter(|kind| held.plan[*kind] > 0).collect();
    let Some(deadline) = held.deadline() else {
        return Wish { held: at, rank: Rank::Free, key: i64::MAX, kinds };
    };
    let seconds = deadline - now;
    let planned: i64 = held.plan.iter().sum();
    if seconds - planned >= round {
        // The cheap kind first: what is dear can wait.
        kinds.sort_by_key(|kind| std::cmp::Reverse(held.plan[*kind]));
        return Wish { held: at, rank: Rank::Free, key: deadline, kinds };
    }
    // The fast kind first while it has a whole round to do, then the others; last what is fast.
    kinds.sort_by_key(dearer);
    let mut order: Vec<usize> =
        kinds.iter().copied().filter(|kind| held.plan[*kind] >= round).collect();
    let mut rest: Vec<usize> = (0..held.plan.len()).filter(|kind| !order.contains(kind)).collect();
    rest.sort_by_key(|kind| (held.plan[*kind] == 0, held.job.rates[*kind]));
    order.extend(rest);
    order.retain(|kind| safe(held, *kind, seconds, round));
    let must = now + held.fastest() + round > deadline;
    let away = order.first().map_or(0, |kind| seconds - held.plan[*kind]);
    let rank = if must { Rank::Must } else { Rank::Tight };
    Wish { held: at, rank, key: away, kinds: order }
}
