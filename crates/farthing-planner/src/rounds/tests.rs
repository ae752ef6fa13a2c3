use super::mixes::ways;
use super::*;
use farthing_model::{Currency, Money};
use proptest::prelude::*;

fn price(pico: i128) -> HourlyRate {
    HourlyRate::new(Money::from_pico(pico, Currency::USD)).unwrap()
}

pub(super) fn fleet(round_s: i64, counts: &[u32]) -> Fleet {
    let kinds = counts.iter().map(|count| Kind { count: *count, price: price(1) }).collect();
    Fleet { round_s, kinds }
}

pub(super) fn held(id: u32, gang: u32, rates: &[i64], left: i64, deadline_s: Option<i64>) -> Held {
    let due = deadline_s.map(|at| Due { at_us: at * MICROS, value: 1 }).into_iter().collect();
    let job = RoundJob { gang, rates: rates.to_vec(), work: left, due };
    Held { id, left, plan: vec![0; rates.len()], way: (0, 0), target: 0, job }
}

#[test]
fn a_job_alone_has_the_kinds_that_make_it_and_pairs_that_fill_the_time() {
    let job = held(0, 1, &[2, 10, 0, 3], 200, None);
    let kinds = |seconds| ways(&job, seconds).iter().map(mixes::Way::kinds).collect::<Vec<_>>();
    assert_eq!(kinds(None), [(0, 0), (1, 1), (3, 3)]);
    assert_eq!(kinds(Some(100)), [(0, 0), (1, 1), (3, 3)]);
    assert_eq!(kinds(Some(70)), [(1, 1), (3, 3), (0, 1), (0, 3)]);
    assert_eq!(kinds(Some(20)), [(1, 1), (0, 1), (3, 1)]);
    assert_eq!(kinds(Some(19)), []);
    let mix = ways(&job, Some(60))[1];
    assert_eq!(mix.parts().collect::<Vec<_>>(), [(0, 50), (1, 10)]);
}

proptest! {
    /// A way does all the work within the time, and a second less of its fast part does not.
    #[test]
    fn ways_do_the_work_in_time(
        rates in prop::collection::vec(0_i64..50, 1..5),
        left in 1_i64..5_000,
        seconds in 1_i64..300,
    ) {
        let job = held(0, 1, &rates, left, None);
        for way in ways(&job, Some(seconds)) {
            let parts: Vec<(usize, i64)> = way.parts().collect();
            let sum: i64 = parts.iter().map(|(_, part)| part).sum();
            let done: i64 = parts.iter().map(|(kind, part)| part * rates[*kind]).sum();
            prop_assert!(sum <= seconds && done >= left, "{way:?}");
            if let Some((fast, part)) = way.second {
                let slow = way.first.0;
                prop_assert!(sum == seconds && part > 0);
                prop_assert!(done - rates[fast] + rates[slow] < left, "{way:?}");
            }
        }
    }
}

#[test]
fn the_net_sees_what_must_be_done_before_a_deadline() {
    // After a round of 10 s: three jobs of 30 s that are due in 40 s need 90 of 80 s on two.
    let fleet = fleet(10, &[2]);
    let jobs: Vec<Held> = (0..3).map(|id| held(id, 1, &[1], 30, Some(50))).collect();
    assert!(!net::holds(&fleet, &jobs, &[], 0));
    let seat = |job| Seat { job, kind: 0 };
    assert!(net::holds(&fleet, &jobs, &[seat(0)], 0));
    // One more is due long after, and must still be begun before.
    let mut jobs = jobs;
    jobs.push(held(3, 1, &[1], 50, Some(90)));
    assert!(net::holds(&fleet, &jobs, &[seat(0), seat(3)], 0));
    assert!(!net::holds(&fleet, &jobs, &[seat(0)], 0));
    // Who is late already is not looked at.
    jobs[0].target = 1;
    assert!(net::holds(&fleet, &jobs, &[seat(3)], 0));
}

#[test]
fn the_net_finds_room_on_slower_kinds() {
    let fleet = fleet(10, &[1, 1]);
    let jobs: Vec<Held> = (0..2).map(|id| held(id, 1, &[2, 1], 60, Some(70))).collect();
    // In the 60 s after the round both fit on the fast kind, one after the other.
    assert!(net::holds(&fleet, &jobs, &[], 0));
    let jobs: Vec<Held> = (0..3).map(|id| held(id, 1, &[2, 1], 60, Some(70))).collect();
    assert!(net::holds(&fleet, &jobs, &[], 0));
    let jobs: Vec<Held> = (0..4).map(|id| held(id, 1, &[2, 1], 60, Some(70))).collect();
    assert!(!net::holds(&fleet, &jobs, &[], 0));
}

#[test]
fn a_full_kind_sends_one_to_its_other_kind() {
    let fleet = fleet(10, &[1, 1]);
    // The first may be on both, the second on the first kind alone.
    let mut jobs = vec![held(0, 1, &[1, 1], 50, Some(50)), held(1, 1, &[1, 0], 55, Some(60))];
    jobs[0].plan = vec![48, 2];
    jobs[1].plan = vec![55, 0];
    let (seats, kept) = seat::seats(&fleet, &jobs, 0);
    assert_eq!(seats, [Seat { job: 0, kind: 1 }, Seat { job: 1, kind: 0 }]);
    assert!(kept);
}

#[test]
fn what_is_no_fleet_is_refused() {
    let mut none = fleet(10, &[]);
    assert!(Rounds::new(none.clone()).is_err());
    none.kinds = vec![Kind { count: 1, price: price(1) }];
    none.round_s = 0;
    assert!(Rounds::new(none).is_err());
    let mut rounds = Rounds::new(fleet(10, &[1])).unwrap();
    let job = RoundJob { gang: 1, rates: vec![1], work: 5, due: Vec::new() };
    rounds.arrive(7, job.clone()).unwrap();
    let twice = rounds.arrive(7, job).unwrap_err().to_string();
    assert_eq!(twice, "job 7: its number is taken");
    assert_eq!(rounds.seats(0).unwrap(), [Seat { job: 7, kind: 0 }]);
    rounds.ran(Seat { job: 7, kind: 0 }, 5, 0);
    assert!(rounds.is_empty() && rounds.seats(10).unwrap().is_empty());
}

#[test]
fn the_bound_knows_kinds_time_and_who_cannot_be_in_time() {
    let mut fleet = fleet(10, &[1, 1]);
    (fleet.kinds[0].price, fleet.kinds[1].price) = (price(1_000_000), price(8_000_000));
    let arrival = |at: i64, due: Option<i64>, work: i64| Arrival {
        at_us: at * 1_000_000,
        job: RoundJob {
            gang: 1,
            rates: vec![2, 10],
            work: work * 3_600,
            due: due.map(|due| Due { at_us: due * MICROS, value: 1 }).into_iter().collect(),
        },
    };
    let least = |jobs: &[Arrival]| {
        let found = least(&fleet, jobs).unwrap();
        // The bound is rounded down in each of its parts.
        ((found.cost.pico() + 1_000) / 1_000_000, found.holds)
    };
    // 50 h slow and 10 h fast; an accelerator-hour is 1 and 8.
    let hour = 3_600;
    assert_eq!(least(&[arrival(0, Some(60 * hour), 200)]), (130, Some(true)));
    // Without a deadline 100 h slow; two of them share nothing but time.
    assert_eq!(least(&[arrival(0, None, 200), arrival(5, None, 200)]), (200, Some(true)));
    assert_eq!(least(&[arrival(0, Some(19 * hour), 200)]), (100, Some(false)));
    assert_eq!(least(&[arrival(0, Some(0), 200)]), (100, Some(false)));
}
