//! The cheapest mix of ways for all jobs together.
//!
//! One group for each job, one chain for each kind: until each deadline a kind has `count` times as
//! many seconds as there are, and the jobs that are due by then use no more. What is left out (that
//! a job is on one kind at a time, and that a gang is whole) is for the seats; it makes the program
//! a little too hopeful, and it is asked again when that shows.

use super::mixes::{Way, ways};
use super::{Held, Rounds, RoundsError};
use farthing_milp::{Choices, SHARE_ONE, Use};

impl Rounds {
    /// Plans the seconds of each job on each kind.
    pub(super) fn solve(&mut self, now: i64) -> Result<(), RoundsError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut instants: Vec<i64> = self.held.iter().filter_map(Held::deadline).collect();
        instants.sort_unstable();
        instants.dedup();
        let all: Vec<Vec<Way>> =
            self.held.iter().map(|held| ways(held, held.deadline().map(|at| at - now))).collect();
        let (choices, start) = self.program(now, &instants, &all).map_err(RoundsError::Choices)?;
        let mixture = choices.solve(&start).map_err(RoundsError::Choices)?;
        self.counts.solved += 1;
        self.counts.pivots += mixture.pivots;
        self.counts.broken += u32::from(!mixture.broken.is_empty());
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
        Ok(())
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
