use super::*;
use crate::Random;
use farthing_model::{Currency, HourlyRate};
use farthing_planner::rounds::{Due, Kind, RoundJob, least};
use std::collections::BTreeMap;

const ROUND_S: i64 = 10;

fn fleet(kinds: &[(u32, i128)]) -> Fleet {
    let kind = |(count, price): &(u32, i128)| {
        let price = Money::from_pico(price * 3_600 * 1_000_000_000, Currency::USD);
        Kind { count: *count, price: HourlyRate::new(price).unwrap() }
    };
    Fleet { round_s: ROUND_S, kinds: kinds.iter().map(kind).collect() }
}

fn job(at_s: i64, due_s: Option<i64>, gang: u32, rates: &[i64], work: i64) -> Arrival {
    let due = due_s.map(|due| Due { at_us: due * MICROS, value: 1 }).into_iter().collect();
    Arrival { at_us: at_s * MICROS, job: RoundJob { gang, rates: rates.to_vec(), work, due } }
}

fn ours(fleet: &Fleet, jobs: &[Arrival]) -> FleetRun {
    replay(fleet, jobs, FleetRule::Farthing).unwrap()
}

#[test]
fn what_is_cheap_is_taken_while_there_is_time_and_what_is_fast_after() {
    // Slow: 2 an s at 1; fast: 10 an s at 8. 200 of work in 60 s: 400 s x slow do not fit.
    let fleet = fleet(&[(1, 1), (1, 8)]);
    let run = ours(&fleet, &[job(0, Some(60), 1, &[2, 10], 200)]);
    // 10 s on the fast kind are 100, the other 100 take 50 s on the slow one.
    assert_eq!((run.used_s.as_slice(), run.late.len()), ([50, 10].as_slice(), 0));
    assert_eq!(run.finished_s, [60]);
    let run = ours(&fleet, &[job(0, None, 1, &[2, 10], 200)]);
    assert_eq!(run.used_s, [100, 0]);
}

#[test]
fn a_job_that_ends_within_a_round_is_paid_to_its_last_second() {
    let run = ours(&fleet(&[(4, 3)]), &[job(0, None, 2, &[10], 133)]);
    assert_eq!(
        (run.used_s.as_slice(), run.finished_s.as_slice()),
        ([28].as_slice(), [14].as_slice())
    );
    assert_eq!(run.cost.pico(), 84 * 1_000_000_000);
}

#[test]
fn who_comes_within_a_round_waits_and_an_empty_fleet_does_not() {
    let jobs = [job(0, None, 1, &[1], 5), job(3, None, 1, &[1], 5), job(1_003, None, 1, &[1], 5)];
    let run = ours(&fleet(&[(2, 1)]), &jobs);
    assert_eq!(run.finished_s, [5, 15, 1_008]);
}

#[test]
fn an_urgent_job_takes_the_place_of_one_that_can_wait() {
    let jobs = [job(0, Some(200), 1, &[1], 100), job(10, Some(50), 1, &[1], 40)];
    let run = ours(&fleet(&[(1, 1)]), &jobs);
    assert_eq!((run.late.len(), run.finished_s.as_slice()), (0, [140, 50].as_slice()));
    let run = replay(&fleet(&[(1, 1)]), &jobs, FleetRule::Fifo).unwrap();
    assert_eq!(run.late, [1]);
}

#[test]
fn a_deadline_that_cannot_be_made_costs_no_more_than_it_must() {
    let jobs = [job(0, Some(10), 1, &[2, 10], 400), job(0, Some(40), 1, &[0, 10], 400)];
    let run = ours(&fleet(&[(1, 1), (1, 100)]), &jobs);
    assert_eq!(
        (run.late.as_slice(), run.used_s.as_slice()),
        ([0].as_slice(), [200, 40].as_slice())
    );
}

#[test]
fn bad_jobs_are_refused_and_bad_seats_are_found() {
    let one = fleet(&[(1, 1)]);
    let refused =
        |arrival: Arrival| replay(&one, &[arrival], FleetRule::Farthing).unwrap_err().to_string();
    assert!(refused(job(0, None, 2, &[1], 1)).contains("no kind has so many accelerators"));
    assert!(refused(job(0, None, 1, &[0], 1)).contains("that it can run on"));
    assert!(refused(job(0, None, 1, &[1], 0)).contains("it needs work"));
    assert!(refused(job(0, None, 1, &[1, 1], 5)).contains("a rate for each kind"));
    assert!(refused(job(0, None, 1, &[1], i64::MAX)).contains("longer than 2^40 seconds"));
    // A due date in the past is late, and no error.
    let run = replay(&one, &[job(100, Some(50), 1, &[1], 5)], FleetRule::Farthing).unwrap();
    assert_eq!(run.late, [0]);
}

/// The least cost of a schedule in rounds that makes all deadlines, by trying all of them.
struct Exhaustive<'a> {
    fleet: &'a Fleet,
    jobs: &'a [Arrival],
    known: BTreeMap<(i64, Vec<i64>), Option<i128>>,
}

impl Exhaustive<'_> {
    fn least(&mut self, now: i64, left: &[i64]) -> Option<i128> {
        if left.iter().all(|left| *left == 0) {
            return Some(0);
        }
        let late = |(job, left): (&Arrival, &i64)| {
            *left > 0 && job.job.due.first().is_some_and(|due| due.second() <= now)
        };
        if self.jobs.iter().zip(left).any(late) {
            return None;
        }
        if let Some(known) = self.known.get(&(now, left.to_vec())) {
            return *known;
        }
        let mut room: Vec<u32> = self.fleet.kinds.iter().map(|kind| kind.count).collect();
        let mut after = left.to_vec();
        let best = self.choose(now, 0, &mut room, &mut after);
        self.known.insert((now, left.to_vec()), best);
        best
    }

    fn choose(&mut self, now: i64, at: usize, room: &mut [u32], after: &mut [i64]) -> Option<i128> {
        let Some(arrival) = self.jobs.get(at) else { return self.least(now + ROUND_S, after) };
        let mut best = self.choose(now, at + 1, room, after);
        let left = after[at];
        if left == 0 || arrival.at_us > now * MICROS {
            return best;
        }
        for kind in 0..room.len() {
            let rate = arrival.job.rates[kind];
            if rate == 0 || room[kind] < arrival.job.gang {
                continue;
            }
            let needed = left / rate + i64::from(left % rate > 0);
            let seconds = needed.min(ROUND_S);
            if arrival.job.due.first().is_some_and(|due| now + seconds > due.second()) {
                continue;
            }
            let price = self.fleet.kinds[kind].price.per_hour().pico() / 3_600;
            let cost = price * i128::from(seconds * i64::from(arrival.job.gang));
            room[kind] -= arrival.job.gang;
            after[at] = (left - seconds * rate).max(0);
            let rest = self.choose(now, at + 1, room, after);
            room[kind] += arrival.job.gang;
            after[at] = left;
            best = [best, rest.map(|rest| rest + cost)].into_iter().flatten().min();
        }
        best
    }
}

/// A fleet of a few accelerators with one to three jobs that are not far from too much.
fn small(random: &mut Random) -> (Fleet, Vec<Arrival>) {
    let mut kind =
        || (u32::try_from(random.between(1, 2)).unwrap(), i128::from(random.between(1, 19)));
    let fleet = fleet(&[kind(), kind()]);
    let mut one = || {
        let slow = random.between(1, 7);
        let rates = [slow, slow + random.between(1, 7)];
        let rounds = random.between(2, 6);
        job(0, Some(rounds * ROUND_S), 1, &rates, random.between(20, 150))
    };
    let jobs = vec![one(), one(), one()];
    (fleet, jobs)
}

/// Nobody is below what trying everything finds, and that is not below the bound. Of a thousand
/// fleets that could be in time few are late, and all together cost little more than the least.
#[test]
fn small_fleets_against_trying_everything() {
    let random = Random::new(31);
    let (mut possible, mut late, mut ours_cost, mut least_cost) = (0, 0, 0, 0);
    for number in 0..3_000 {
        let (fleet, jobs) = small(&mut random.fork_number(number));
        let left: Vec<i64> = jobs.iter().map(|job| job.job.work).collect();
        let mut all = Exhaustive { fleet: &fleet, jobs: &jobs, known: BTreeMap::new() };
        let Some(best) = all.least(0, &left) else { continue };
        possible += 1;
        let run = ours(&fleet, &jobs);
        assert_eq!(run, ours(&fleet, &jobs), "{number}");
        if !run.late.is_empty() {
            late += 1;
            continue;
        }
        assert!(run.cost.pico() >= best, "{number}: {} {best}", run.cost.pico());
        if number.is_multiple_of(10) {
            let bound = least(&fleet, &jobs).unwrap();
            assert!(bound.holds == Some(true) && bound.cost.pico() <= best, "{number}");
        }
        (ours_cost, least_cost) = (ours_cost + run.cost.pico(), least_cost + best);
    }
    assert!(possible > 1_000 && late * 50 < possible, "{late} of {possible}");
    assert!(ours_cost * 100 < least_cost * 108, "{ours_cost} {least_cost}");
}
