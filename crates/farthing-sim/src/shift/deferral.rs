//! Jobs on hourly power: run at once, or deferred with what is known of prices and carbon.

use crate::rule;
use crate::trace::PowerHours;
use farthing_planner::shift::{Deferrable, Pausing, Power, ShiftError, Slots, check_defer, defer};

const HOUR_S: i64 = 3_600;
/// Days of which an hour that is not known yet is the mean.
const DAYS: usize = 7;

/// When jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeferRule {
    /// In the cheapest slots in which they are in time, by what is known and a forecast beyond.
    Farthing,
    /// As soon as there is room, in the order of submission.
    AtOnce,
    /// As [`DeferRule::Farthing`], with all power known; jobs that are yet to come are not.
    Foresight,
}

impl DeferRule {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Farthing, "farthing"), (Self::AtOnce, "at-once"), (Self::Foresight, "foresight")];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }
}

/// What does not depend on the job.
#[derive(Clone, Copy, Debug)]
pub struct DeferSpec {
    /// Seconds of a slot: a part of an hour. A job uses whole slots.
    pub slot_s: i64,
    /// Accelerators that there are.
    pub accelerators: u32,
    /// What an accelerator in use draws.
    pub watts: u32,
    /// Whether jobs can be paused.
    pub pausing: Pausing,
    /// Hours from now on whose power is known.
    pub known_h: usize,
    /// What a kilogram of carbon costs, in 10^-12.
    pub carbon_price: i128,
}

/// A job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferWork {
    /// Seconds since the begin of the power.
    pub submit_s: i64,
    /// How long it runs.
    pub run_s: i64,
    /// Accelerators that it holds.
    pub accelerators: u32,
    /// When it is to be done; without, it is not deferred.
    pub due_s: Option<i64>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeferRun {
    /// Power and carbon at its price, in 10^-12.
    pub cost: i128,
    /// Power alone.
    pub power: i128,
    /// Milligrams of carbon.
    pub carbon_mg: i128,
    /// Watt-seconds.
    pub watt_s: i128,
    /// From submission to end of each job, in seconds.
    pub completion_s: Vec<i64>,
    /// When the last one was done, in seconds.
    pub makespan_s: i64,
    /// Jobs that were done after they were due.
    pub late: usize,
    /// Times at which it was planned.
    pub plans: u64,
    /// Plans in which something did not hold, by the check that knows no planner.
    pub faults: Vec<String>,
}

/// A job that is not done.
struct Active {
    /// Its place among all.
    at: usize,
    left_s: i64,
    begun: bool,
    running: bool,
    /// The slots that it is to run in.
    plan: Vec<usize>,
}

/// Runs the jobs, which are in the order of submission.
///
/// # Errors
/// Jobs that no planner can plan, or that power does not reach for.
pub fn run_deferral(
    hours: &PowerHours,
    jobs: &[DeferWork],
    (spec, rule): (&DeferSpec, DeferRule),
) -> Result<DeferRun, ShiftError> {
    let mut runner =
        Runner { hours, jobs, spec, rule, active: Vec::new(), run: DeferRun::default() };
    let (mut next, mut slot) = (0, 0);
    while next < jobs.len() || !runner.active.is_empty() {
        if runner.active.is_empty() && next < jobs.len() {
            slot = slot.max(runner.slot_of(jobs[next].submit_s));
        }
        let before = next;
        while next < jobs.len() && runner.slot_of(jobs[next].submit_s) <= slot {
            runner.arrive(next);
            next += 1;
        }
        if runner.power(slot, usize::MAX).is_none() {
            let what = "the power ends before the jobs are done: give more hours or fewer jobs";
            return Err(ShiftError::Slots(what.to_owned()));
        }
        let hour = runner.begin_s(slot) % HOUR_S == 0;
        if before < next || hour || runner.is_disturbed(slot) {
            runner.plan(slot)?;
        }
        runner.pass(slot);
        slot += 1;
    }
    Ok(runner.run)
}

/// What no plan of these jobs that is in time can be below: each alone, all power known.
///
/// # Errors
/// Jobs that cannot be planned.
pub fn bound(hours: &PowerHours, jobs: &[DeferWork], spec: &DeferSpec) -> Result<i128, ShiftError> {
    let runner = Runner {
        hours,
        jobs,
        spec,
        rule: DeferRule::Foresight,
        active: Vec::new(),
        run: DeferRun::default(),
    };
    let mut sum = 0;
    for (at, job) in jobs.iter().enumerate() {
        let from = runner.slot_of(job.submit_s);
        let active = Active { at, left_s: job.run_s, begun: false, running: false, plan: vec![] };
        let one = runner.asked(&active, from);
        let slots = runner.slots(from, one.due.max(one_length(&one, spec.slot_s)));
        sum += defer(&slots, &[one])?.cost;
    }
    Ok(sum)
}

fn one_length(job: &Deferrable, slot_s: i64) -> usize {
    usize::try_from((job.work_s + slot_s - 1) / slot_s).unwrap_or(usize::MAX)
}

struct Runner<'a> {
    hours: &'a PowerHours,
    jobs: &'a [DeferWork],
    spec: &'a DeferSpec,
    rule: DeferRule,
    active: Vec<Active>,
    run: DeferRun,
}

impl Runner<'_> {
    /// The first slot that begins at or after a time.
    fn slot_of(&self, seconds: i64) -> usize {
        let slot = (seconds + self.spec.slot_s - 1).div_euclid(self.spec.slot_s);
        usize::try_from(slot).unwrap_or(0)
    }

    /// When a slot begins, in seconds from the begin of the power.
    fn begin_s(&self, slot: usize) -> i64 {
        i64::try_from(slot).unwrap_or(0) * self.spec.slot_s
    }

    /// The hour that a slot is in.
    fn hour(&self, slot: usize) -> usize {
        usize::try_from(self.begin_s(slot) / HOUR_S).unwrap_or(0)
    }

    fn arrive(&mut self, at: usize) {
        let job = &self.jobs[at];
        if job.run_s <= 0 {
            self.run.completion_s.push(0);
            return;
        }
        let left_s = job.run_s;
        self.active.push(Active { at, left_s, begun: false, running: false, plan: Vec::new() });
    }

    /// Power of a slot, if so many hours are known.
    fn power(&self, slot: usize, known: usize) -> Option<Power> {
        let hour = self.hour(slot);
        self.hours.power.get(hour).filter(|_| hour < known).copied()
    }

    /// Power of a slot as it is believed at another one.
    fn believed(&self, slot: usize, now: usize) -> Power {
        let known = match self.rule {
            DeferRule::Foresight => usize::MAX,
            DeferRule::Farthing | DeferRule::AtOnce => self.hour(now) + self.spec.known_h.max(1),
        };
        if let Some(power) = self.power(slot, known) {
            return power;
        }
        let last = known.min(self.hours.power.len());
        // The same hour of the last days that are known.
        let back = (self.hour(slot) + 1).saturating_sub(last).div_ceil(24);
        let same = (back..back + DAYS).filter_map(|days| self.hour(slot).checked_sub(days * 24));
        let same: Vec<Power> =
            same.filter_map(|hour| self.hours.power.get(hour).copied()).collect();
        let Some(count) = i128::try_from(same.len()).ok().filter(|count| *count > 0) else {
            return self.hours.power[last - 1];
        };
        let price = same.iter().map(|power| power.price).sum::<i128>() / count;
        let carbon = same.iter().map(|power| i128::from(power.carbon_mg)).sum::<i128>() / count;
        Power { price, carbon_mg: i64::try_from(carbon).unwrap_or(i64::MAX) }
    }

    /// So many slots from one on.
    fn slots(&self, now: usize, count: usize) -> Slots {
        Slots {
            slot_s: self.spec.slot_s,
            power: (now..now + count).map(|slot| self.believed(slot, now)).collect(),
            free: vec![self.spec.accelerators; count],
            carbon_price: self.spec.carbon_price,
        }
    }

    /// A job as the planner is asked about it; what has no deadline is due as soon as it can be.
    fn asked(&self, active: &Active, now: usize) -> Deferrable {
        let job = &self.jobs[active.at];
        let mut asked = Deferrable {
            from: 0,
            due: 0,
            work_s: active.left_s,
            accelerators: job.accelerators,
            watts: self.spec.watts,
            pausing: self.spec.pausing,
            begun: active.begun,
            running: active.running,
        };
        let soonest = one_length(&asked, self.spec.slot_s);
        asked.due = match job.due_s {
            Some(due_s) => {
                let due = usize::try_from(due_s.div_euclid(self.spec.slot_s)).unwrap_or(0);
                due.saturating_sub(now)
            }
            None => soonest,
        };
        asked
    }

    /// Whether a job that was planned to run now has no room, or one has no plan.
    fn is_disturbed(&self, slot: usize) -> bool {
        self.active.iter().any(|active| active.plan.last().is_none_or(|last| *last < slot))
    }

    fn plan(&mut self, slot: usize) -> Result<(), ShiftError> {
        if self.rule == DeferRule::AtOnce {
            self.at_once(slot);
            return Ok(());
        }
        if self.active.is_empty() {
            return Ok(());
        }
        let asked: Vec<Deferrable> =
            self.active.iter().map(|active| self.asked(active, slot)).collect();
        let longest = asked.iter().map(|job| one_length(job, self.spec.slot_s)).sum::<usize>();
        let due = asked.iter().map(|job| job.due).max().unwrap_or(0);
        let slots = self.slots(slot, due.max(longest.min(due + 500)) + 1);
        let plan = defer(&slots, &asked)?;
        self.run.plans += 1;
        self.run.faults.extend(check_defer(&slots, &asked, &plan));
        for (active, run) in self.active.iter_mut().zip(plan.slots) {
            active.plan = run.into_iter().map(|at| slot + at).collect();
        }
        Ok(())
    }

    /// In the order of submission, whoever runs first.
    fn at_once(&mut self, slot: usize) {
        let needs = |active: &Active| self.jobs[active.at].accelerators;
        let running = self.active.iter().filter(|active| active.running);
        let taken: u32 = running.map(needs).sum();
        let mut free = self.spec.accelerators.saturating_sub(taken);
        for active in &mut self.active {
            let needed = self.jobs[active.at].accelerators;
            if !active.running && needed > free {
                break;
            }
            if !active.running {
                free -= needed;
            }
            active.plan = vec![slot];
        }
        for active in self.active.iter_mut().filter(|active| active.running) {
            active.plan = vec![slot];
        }
    }

    /// Lets a slot pass and pays it.
    fn pass(&mut self, slot: usize) {
        let Some(power) = self.power(slot, usize::MAX) else { return };
        let (slot_s, now_s) = (self.spec.slot_s, self.begin_s(slot));
        let paid = Slots {
            slot_s,
            power: vec![power],
            free: Vec::new(),
            carbon_price: self.spec.carbon_price,
        };
        let mut still = Vec::with_capacity(self.active.len());
        for mut active in std::mem::take(&mut self.active) {
            let job = self.jobs[active.at];
            if active.plan.binary_search(&slot).is_err() {
                active.running = false;
                still.push(active);
                continue;
            }
            let lost_s = match self.spec.pausing {
                Pausing::Loses(lost_s) if active.begun && !active.running => lost_s,
                _ => 0,
            };
            self.run.cost += paid.cost(&self.asked(&active, slot), 0);
            let watt_s =
                i128::from(self.spec.watts) * i128::from(job.accelerators) * i128::from(slot_s);
            self.run.watt_s += watt_s;
            self.run.power += (watt_s * power.price).div_euclid(3_600_000);
            self.run.carbon_mg += watt_s * i128::from(power.carbon_mg) / 3_600_000;
            active.left_s += lost_s;
            let end_s = now_s + active.left_s.min(slot_s);
            active.left_s -= slot_s;
            (active.begun, active.running) = (true, true);
            if active.left_s > 0 {
                still.push(active);
                continue;
            }
            self.run.completion_s.push(end_s - job.submit_s);
            self.run.makespan_s = self.run.makespan_s.max(end_s);
            self.run.late += usize::from(job.due_s.is_some_and(|due_s| end_s > due_s));
        }
        self.active = still;
    }
}
