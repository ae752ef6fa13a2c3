//! The cheapest mix of ways for all jobs together.
//!
//! One group for each job, one chain for each kind: until each deadline a kind has `count` times as
//! many seconds as there are, and the jobs that are due by then use no more. What is left out (that
//! a job is on one kind at a time, and that a gang is whole) is for the seats; it makes the program
//! a little too hopeful, and it is asked again when that shows.

use super::mixes::{Way, ways};
use super::{Held, Rounds, RoundsError};
use farthing_milp::{Broken, Choices, Mixture, SHARE_ONE, Use};

impl Rounds {
    /// Plans the seconds of each job on each kind. Where not all deadlines can be made, those are
    /// given up that take most seconds for what they are worth, until the others can.
    pub(super) fn solve(&mut self, now: i64) -> Result<(), RoundsError> {
        if self.held.is_empty() {
            return Ok(());
        }
        loop {
            let mut instants: Vec<i64> = self.held.iter().filter_map(Held::deadline).collect();
            instants.sort_unstable();
            instants.dedup();
            let seconds = |held: &Held| held.deadline().map(|at| at - now);
            let all: Vec<Vec<Way>> =
                self.held.iter().map(|held| ways(held, seconds(held))).collect();
            let program = self.program(now, &instants, &all);
            let (choices, start) = program.map_err(RoundsError::Choices)?;
            let mixture = choices.solve(&start).map_err(RoundsError::Choices)?;
            self.counts.solved += 1;
            self.counts.pivots += mixture.pivots;
            self.keep(&mixture, &all);
            if mixture.broken.is_empty() {
                return Ok(());
            }
            self.counts.broken += 1;
            let given_up = self.counts.given_up;
            for broken in &mixture.broken {
                self.give_up(broken, &instants);
            }
            if self.counts.given_up == given_up {
                return Ok(());
            }
            // Their later deadlines may be out of reach, too.
            self.aim(now);
        }
    }

    /// Takes over what was chosen.
    fn keep(&mut self, mixture: &Mixture, all: &[Vec<Way>]) {
        for held in &mut self.held {
            held.plan.fill(0);
        }
        let mut most = vec![0; self.held.len()];
        for share in &mixture.shares {
            let held = &mut self.held[share.group as usize];
            let way = &all[share.group as usize][share.option as usize];
            for (kind, seconds) in way.parts() {
                let part = i128::from(seconds) * i128::from(share.share);
                let part = part.div_euclid(i128::from(SHARE_ONE));
                held.plan[kind] += i64::try_from(part).unwrap_or(seconds);
            }
            if share.share > most[share.group as usize] {
                most[share.group as usize] = share.share;
                held.way = way.kinds();
            }
        }
    }

    /// Gives deadlines up until so much is free as is missing: those first that take most for what
    /// is at stake (Moore and Hodgson's rule where all are worth the same).
    fn give_up(&mut self, broken: &Broken, instants: &[i64]) {
        let kind = broken.chain as usize;
        let Some(until) = instants.get(broken.at as usize).copied() else { return };
        let mut missing = broken.amount;
        let mut order: Vec<(i64, usize)> = Vec::new();
        for (at, held) in self.held.iter().enumerate() {
            let used = held.plan[kind].saturating_mul(i64::from(held.job.gang));
            if used > 0 && held.deadline().is_some_and(|due| due <= until) {
                order.push((-(used / held.at_stake()), at));
            }
        }
        order.sort_unstable();
        for (_, at) in order {
            if missing <= 0 {
                break;
            }
            let held = &mut self.held[at];
            missing -= held.plan[kind].saturating_mul(i64::from(held.job.gang));
            held.target += 1;
            self.counts.given_up += 1;
        }
    }

    fn program(
        &self,
        now: i64,
        instants: &[i64],
        all: &[Vec<Way>],
    ) -> Result<(Choices, Vec<u32>), farthing_milp::ChoicesError> {
        let limits = self.fleet.kinds.iter().map(|kind| {
            let until = instants.iter().map(|at| (at - now) * i64::from(kind.count));
            // Who has no deadline finds room some day.
            until.chain([i64::MAX]).collect()
        });
        let mut choices = Choices::new(limits.collect());
        let mut start = Vec::with_capacity(all.len());
        for (held, ways) in self.held.iter().zip(all) {
            choices.add_group();
            let at = match held.deadline() {
                Some(at) => instants.partition_point(|instant| *instant < at),
                None => instants.len(),
            };
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            for way in ways {
                let mut cost = 0;
                let mut uses = [Use { chain: 0, at, amount: 0 }; 2];
                for (place, (kind, seconds)) in uses.iter_mut().zip(way.parts()) {
                    let amount = seconds.saturating_mul(i64::from(held.job.gang));
                    cost += self.fleet.kinds[kind].price.per_hour().pico() * i128::from(amount);
                    let chain = u32::try_from(kind).unwrap_or(u32::MAX);
                    *place = Use { chain, at, amount };
                }
                choices.add_option(cost, &uses)?;
            }
            let before = ways.iter().position(|way| way.kinds() == held.way);
            start.push(u32::try_from(before.unwrap_or(usize::MAX)).unwrap_or(u32::MAX));
        }
        Ok((choices, start))
    }
}
