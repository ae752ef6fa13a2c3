//! Deferral against trying everything, lending against rises that were drawn, growth against all
//! sizes.

use super::*;
use farthing_model::Draw;

fn slots(draw: &mut Draw, count: usize, free: usize) -> Slots {
    let power = (0..count).map(|_| Power {
        price: draw.below(200) as i128 * 1_000_000_000 - 20_000_000_000,
        carbon_mg: i64::try_from(draw.below(500_000)).unwrap(),
    });
    Slots {
        slot_s: 600,
        power: power.collect(),
        free: vec![u32::try_from(free).unwrap(); count],
        carbon_price: 80_000_000_000,
    }
}

fn job(draw: &mut Draw, count: usize) -> Deferrable {
    let from = draw.below(3);
    let pausing = [Pausing::Never, Pausing::Loses(0), Pausing::Loses(200), Pausing::Loses(700)];
    let running = from == 0 && draw.below(4) == 0;
    Deferrable {
        from,
        due: from + 1 + draw.below(count - from),
        work_s: 1 + i64::try_from(draw.below(1_900)).unwrap(),
        accelerators: 1 + u32::try_from(draw.below(2)).unwrap(),
        watts: 700,
        pausing: pausing[draw.below(4)],
        begun: running,
        running,
    }
}

/// Whether a set of slots does the work and no more, by letting it pass second by second.
fn does(job: &Deferrable, set: u32, slot_s: i64, count: usize) -> bool {
    let (mut left, mut lost, mut on, mut begun) = (job.work_s, 0, job.running, job.begun);
    for slot in 0..count {
        if set >> slot & 1 == 0 {
            on = false;
            continue;
        }
        if slot < job.from || slot >= job.due || left <= 0 {
            return false;
        }
        if !on && begun {
            match job.pausing {
                Pausing::Never => return false,
                Pausing::Loses(seconds) => lost += seconds,
            }
        }
        (on, begun) = (true, true);
        for _ in 0..slot_s {
            if lost > 0 { lost -= 1 } else { left -= 1 }
        }
    }
    left <= 0
}

/// The least cost of all ways to be in time.
fn least(slots: &Slots, jobs: &[Deferrable]) -> Option<i128> {
    let count = slots.power.len();
    let ways: Vec<Vec<(u32, i128)>> = jobs
        .iter()
        .map(|job| {
            let sets = (1..1_u32 << count).filter(|set| does(job, *set, slots.slot_s, count));
            let cost = |set: &u32| {
                (0..count).filter(|at| set >> at & 1 == 1).map(|at| slots.cost(job, at)).sum()
            };
            sets.map(|set| (set, cost(&set))).collect()
        })
        .collect();
    let mut best = None;
    fill((slots, jobs, &ways), (0, &mut slots.free.clone(), 0), &mut best);
    best
}

fn fill(
    world: (&Slots, &[Deferrable], &[Vec<(u32, i128)>]),
    (at, free, cost): (usize, &mut Vec<u32>, i128),
    best: &mut Option<i128>,
) {
    let (_, jobs, ways) = world;
    let Some(of_job) = ways.get(at) else {
        *best = Some(best.map_or(cost, |best: i128| best.min(cost)));
        return;
    };
    for (set, more) in of_job {
        let held: Vec<usize> = (0..free.len()).filter(|slot| set >> slot & 1 == 1).collect();
        if held.iter().any(|slot| free[*slot] < jobs[at].accelerators) {
            continue;
        }
        held.iter().for_each(|slot| free[*slot] -= jobs[at].accelerators);
        fill(world, (at + 1, free, cost + more), best);
        held.iter().for_each(|slot| free[*slot] += jobs[at].accelerators);
    }
}

#[test]
fn deferrals_are_the_best_of_all() {
    let mut draw = Draw::new(8);
    let (mut tight, mut late) = (0, 0);
    for case in 0..300 {
        let slots = slots(&mut draw, 6, 1 + case % 3);
        let mut jobs: Vec<Deferrable> = (0..=draw.below(3)).map(|_| job(&mut draw, 6)).collect();
        jobs.iter_mut().for_each(|job| job.accelerators = job.accelerators.min(slots.free[0]));
        let plan = defer(&slots, &jobs).unwrap();
        let wrong = check_defer(&slots, &jobs, &plan);
        assert!(wrong.is_empty(), "{case}: {wrong:?} {jobs:?} {plan:?}");
        let Some(best) = least(&slots, &jobs) else {
            assert!(!plan.late.is_empty(), "{case}: {jobs:?} {plan:?}");
            late += 1;
            continue;
        };
        assert_eq!((plan.cost, &plan.late), (best, &vec![]), "{case}: {jobs:?} {plan:?}");
        assert!(plan.bound.is_some_and(|bound| bound <= best), "{case}: {plan:?}");
        let alone: i128 = jobs.iter().map(|job| least(&slots, &[*job]).unwrap()).sum();
        tight += usize::from(alone < best);
    }
    // What the cases are for is in them.
    assert!(tight > 20 && late > 20, "{tight} share what is too little, {late} are late");
}

#[test]
fn a_check_finds_what_is_wrong() {
    let mut draw = Draw::new(3);
    let slots = slots(&mut draw, 8, 2);
    let job = Deferrable {
        from: 1,
        due: 7,
        work_s: 1_500,
        accelerators: 2,
        watts: 500,
        pausing: Pausing::Loses(400),
        begun: false,
        running: false,
    };
    let plan = defer(&slots, &[job]).unwrap();
    assert_eq!(check_defer(&slots, &[job], &plan), Vec::<String>::new());
    let cost_of = |run: &[usize]| run.iter().map(|slot| slots.cost(&job, *slot)).sum::<i128>();
    for (run, what) in [
        (vec![0, 1, 2], "in which it cannot"),
        (vec![5, 6, 7], "it is late"),
        (vec![3, 4], "are not done"),
        (vec![1, 2, 3, 4], "longer than its work takes"),
        (vec![1, 3, 5], "are not done"),
        (vec![3, 3, 4], "not in order"),
    ] {
        let wrong = Deferral { cost: cost_of(&run), slots: vec![run], bound: None, late: vec![] };
        let told = check_defer(&slots, &[job], &wrong).join("; ");
        assert!(told.contains(what), "{told}");
    }
    let dear = Deferral { cost: plan.cost + 1, ..plan.clone() };
    assert!(check_defer(&slots, &[job], &dear)[0].contains("the cost is"));
    let two = Deferral { slots: vec![plan.slots[0].clone(); 2], ..plan };
    assert!(check_defer(&slots, &[job; 2], &two).join("").contains("accelerators of 2"));
}

#[test]
fn jobs_that_cannot_be_are_named() {
    let mut draw = Draw::new(1);
    let slots = slots(&mut draw, 4, 1);
    let good = Deferrable { from: 0, due: 4, work_s: 600, accelerators: 1, ..job(&mut draw, 4) };
    let told = |bad| defer(&slots, &[good, bad]).unwrap_err().to_string();
    assert!(told(Deferrable { work_s: 0, ..good }).starts_with("job 1: work"));
    assert!(told(Deferrable { due: 5, ..good }).contains("give it more of them"));
    assert!(told(Deferrable { pausing: Pausing::Loses(-1), ..good }).contains("cannot gain"));
}

/// Days that are alike but for noise: a rise of the morning.
fn days(draw: &mut Draw, count: usize) -> Vec<u64> {
    let of = |slot: usize, draw: &mut Draw| {
        let hour = slot % 48 / 2;
        let base = if (8..20).contains(&hour) { 9_000 } else { 2_000 };
        base + draw.below(800) as u64
    };
    (0..count * 48).map(|slot| of(slot, draw)).collect()
}

#[test]
fn what_is_lent_is_not_needed_as_often_as_is_said() {
    let mut draw = Draw::new(5);
    let all = days(&mut draw, 60);
    let (mut cases, mut wrong, mut lent) = (0, 0, 0_u64);
    for now in 20 * 48..all.len() - 3 {
        let demand = Demand {
            seen: &all[..now],
            day: 48,
            replica: 100,
            owned: 100,
            back: 1,
            worth: 4,
            quantile_ppm: 950_000,
        };
        let made = lend(&demand);
        let needed = all[now..now + 2].iter().max().unwrap().div_ceil(100);
        cases += 1;
        wrong += u64::from(u64::from(100 - made.most) < needed);
        lent += u64::from(made.most);
        assert!(made.worth <= made.most);
    }
    assert!(wrong * 100 <= cases * 5, "{wrong} of {cases}");
    // At night there is much to lend.
    assert!(lent / cases > 20, "{}", lent / cases);
}

#[test]
fn nothing_is_lent_before_enough_days_are_known() {
    let all = days(&mut Draw::new(5), 4);
    let at = |now: usize, quantile_ppm: u64| {
        let seen = &all[..now];
        let (day, replica, owned, back, worth) = (48, 100, 100, 1, 1);
        lend(&Demand { seen, day, replica, owned, back, worth, quantile_ppm })
    };
    assert_eq!(at(0, 900_000), Lending::default());
    assert_eq!(at(48, 900_000), Lending::default());
    assert!(at(3 * 48 + 10, 500_000).most > 0);
    assert_eq!(at(3 * 48 + 10, 999_000), Lending::default());
}

#[test]
fn growth_is_the_best_of_all_sizes() {
    let mut draw = Draw::new(4);
    for _ in 0..300 {
        let jobs: Vec<Elastic> = (0..1 + draw.below(4))
            .map(|_| {
                let asked = 1 + u32::try_from(draw.below(3)).unwrap();
                let mut sizes = vec![(asked, 1_000_000)];
                for more in 1..4 {
                    let speed = sizes.last().unwrap().1 + draw.below(700_000) as u64;
                    sizes.push((asked + more, speed));
                }
                let now = [None, Some(sizes[draw.below(4)].0)][draw.below(2)];
                let work_s = draw.below(5_000) as u64;
                Elastic { work_s, sizes, now, restart_s: 120 }
            })
            .collect();
        let accelerators = u32::try_from(draw.below(16)).unwrap();
        let left = |job: &Elastic, (size, speed): (u32, u64)| {
            let restart = if job.now.is_some_and(|now| now != size) { job.restart_s } else { 0 };
            (u128::from(job.work_s) * 1_000_000).div_ceil(speed.into()) + u128::from(restart)
        };
        let mut best: Option<u128> = None;
        for choice in 0..4_usize.pow(u32::try_from(jobs.len()).unwrap()) {
            let picked = jobs.iter().enumerate().map(|(at, job)| {
                let option = job.sizes[choice / 4_usize.pow(u32::try_from(at).unwrap()) % 4];
                (option.0, left(job, option))
            });
            let (held, sum) = picked.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
            if held <= accelerators {
                best = Some(best.map_or(sum, |best| best.min(sum)));
            }
        }
        let grown = grow(accelerators, &jobs);
        let sum = grown.map(|sizes| {
            assert!(sizes.iter().sum::<u32>() <= accelerators);
            let of = jobs.iter().zip(sizes).map(|(job, size)| {
                left(job, *job.sizes.iter().find(|(other, _)| *other == size).unwrap())
            });
            of.sum::<u128>()
        });
        assert_eq!(sum, best, "{accelerators}: {jobs:?}");
    }
}
