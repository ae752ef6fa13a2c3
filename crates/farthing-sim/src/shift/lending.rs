//! A service and batch work: apart, or with what the service does not need lent to the batch work.
//!
//! Minute by minute. Requests that cannot be served at once wait in a queue of their own; those
//! that would wait longer than the objective are counted. A replica that is asked back saves what
//! it did and loads the model: it is nobody's for as long as that takes.

use crate::rule;
use farthing_planner::shift::{Demand, lend};

const MINUTE_S: u64 = 60;

/// What is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LendRule {
    /// What is above the forecast of what the service will need.
    Farthing,
    /// Nothing.
    Apart,
    /// Whatever is idle now.
    AllIdle,
    /// What will not be needed: the demand to come is known.
    Foresight,
}

impl LendRule {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Farthing, "farthing"),
        (Self::Apart, "apart"),
        (Self::AllIdle, "all-idle"),
        (Self::Foresight, "foresight"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }
}

/// A service and what it may lend.
#[derive(Clone, Copy, Debug)]
pub struct LendSpec {
    /// Minutes of a slot of demand.
    pub slot_min: u64,
    /// Requests of a thousand seconds that a replica serves within its objective.
    pub replica_milli: u64,
    /// Replicas that are owned.
    pub owned: u32,
    /// Minutes until a replica that is asked back serves again.
    pub back_min: u64,
    /// Minutes until a replica that is lent does batch work.
    pub start_min: u64,
    /// Slots for which a replica must be free to be worth lending.
    pub worth_slots: usize,
    /// Of how many cases in a million the forecast is to hold.
    pub quantile_ppm: u64,
    /// Seconds that a request may wait.
    pub wait_s: u64,
    /// Replica-minutes of batch work.
    pub batch_min: u64,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LendRun {
    /// Replica-minutes that were lent, from the lending until they served again.
    pub lent_min: u64,
    /// Of them, in which batch work was done.
    pub worked_min: u64,
    /// Replica-minutes that the service needed.
    pub needed_min: u64,
    /// Batch work that is left, in replica-minutes.
    pub left_min: u64,
    /// Requests, and those of them that waited too long.
    pub requests: u64,
    /// See `requests`.
    pub waited: u64,
    /// The longest wait, in seconds.
    pub wait_most_s: u64,
    /// Times at which a replica was asked back.
    pub recalls: u64,
    /// The longest time from asking a replica back until it served, in minutes.
    pub back_most_min: u64,
    /// Minutes that were played.
    pub minutes: u64,
}

/// Plays demand, in thousandths of a request a second by slot.
pub fn run_lending(demand: &[u64], (spec, rule): (&LendSpec, LendRule)) -> LendRun {
    let mut floor = Floor { spec, rule, demand, lent: Vec::new(), coming: Vec::new(), backlog: 0 };
    let mut run = LendRun { left_min: spec.batch_min, ..LendRun::default() };
    for slot in 0..demand.len() {
        for minute in 0..spec.slot_min {
            let now = slot as u64 * spec.slot_min + minute;
            floor.settle(now);
            if minute == 0 {
                floor.decide(slot, now, &mut run);
            } else if minute == 1 {
                // What came in the first minute is known: what it needs and is lent is asked back.
                floor.recall(floor.needed(demand[slot]), now, &mut run);
            }
            floor.pass(demand[slot], now, &mut run);
        }
    }
    run
}

struct Floor<'a> {
    spec: &'a LendSpec,
    rule: LendRule,
    demand: &'a [u64],
    /// Minutes at which replicas that are lent do batch work.
    lent: Vec<u64>,
    /// Minutes at which replicas that were asked back serve.
    coming: Vec<u64>,
    /// Requests that wait, in thousandths.
    backlog: u64,
}

impl Floor<'_> {
    fn needed(&self, rate: u64) -> u64 {
        rate.div_ceil(self.spec.replica_milli.max(1)).min(self.spec.owned.into())
    }

    fn settle(&mut self, now: u64) {
        self.coming.retain(|at| *at > now);
    }

    /// Lends or asks back at the begin of a slot, whose demand is not known yet.
    fn decide(&mut self, slot: usize, now: u64, run: &mut LendRun) {
        let owned = u64::from(self.spec.owned);
        let back = self.spec.back_min.div_ceil(self.spec.slot_min.max(1));
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        let free = |ahead: usize| {
            let next = self.demand[slot..].iter().take(ahead);
            owned - next.map(|rate| self.needed(*rate)).max().unwrap_or(0)
        };
        let (most, worth) = match self.rule {
            LendRule::Apart => (0, 0),
            LendRule::Foresight => (free(back + 1), free(back + self.spec.worth_slots.max(1))),
            LendRule::AllIdle => {
                let last = slot.checked_sub(1).map_or(0, |last| self.needed(self.demand[last]));
                let idle = if slot == 0 { 0 } else { owned - last };
                (idle, idle)
            }
            LendRule::Farthing => {
                let made = lend(&Demand {
                    seen: &self.demand[..slot],
                    day: usize::try_from(1_440 / self.spec.slot_min.max(1)).unwrap_or(1),
                    replica: self.spec.replica_milli,
                    owned: self.spec.owned,
                    back,
                    worth: self.spec.worth_slots,
                    quantile_ppm: self.spec.quantile_ppm,
                });
                (made.most.into(), made.worth.into())
            }
        };
        self.recall(owned - most, now, run);
        // What is on its way back is as far away as what is lent.
        while run.left_min > 0 && ((self.lent.len() + self.coming.len()) as u64) < worth {
            self.lent.push(now + self.spec.start_min);
        }
    }

    /// Asks back what is lent beyond what leaves so many replicas to the service: the ones that
    /// were lent last first, which lose least.
    fn recall(&mut self, keep: u64, now: u64, run: &mut LendRun) {
        let owned = u64::from(self.spec.owned);
        while (self.lent.len() as u64) > owned.saturating_sub(keep) {
            self.lent.pop();
            let at = now + self.spec.back_min;
            self.coming.push(at);
            run.recalls += 1;
            run.back_most_min = run.back_most_min.max(at - now);
        }
    }

    fn pass(&mut self, rate: u64, now: u64, run: &mut LendRun) {
        if run.left_min == 0 && !self.lent.is_empty() {
            self.recall(self.spec.owned.into(), now, run);
        }
        let away = (self.lent.len() + self.coming.len()) as u64;
        let serving = u64::from(self.spec.owned).saturating_sub(away);
        let worked = self.lent.iter().filter(|from| **from <= now).count() as u64;
        let worked = worked.min(run.left_min);
        run.lent_min += away;
        run.worked_min += worked;
        run.left_min -= worked;
        run.needed_min += self.needed(rate);
        run.minutes += 1;
        let came = rate * MINUTE_S;
        let can = serving * self.spec.replica_milli * MINUTE_S;
        self.backlog = (self.backlog + came).saturating_sub(can);
        // Who came last in this minute waits for all that is before it.
        let speed = (serving * self.spec.replica_milli).max(1);
        let wait_s = self.backlog.div_ceil(speed);
        run.requests += came / 1_000;
        run.wait_most_s = run.wait_most_s.max(wait_s);
        if wait_s > self.spec.wait_s {
            run.waited += came / 1_000;
        }
    }
}
