//! Jobs on owned accelerators: each at the size it asked for, or grown on what is idle.
//!
//! Jobs start in the order of submission. Who finds no room, not even after those who grew are back
//! at what they asked for, waits, or runs on rented accelerators where there is a price for them.

use crate::rule;
use farthing_planner::shift::{Elastic, grow};
use std::collections::VecDeque;

/// What jobs run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElasticRule {
    /// What is idle goes to whom it saves most time.
    Farthing,
    /// What they asked for.
    Fixed,
}

impl ElasticRule {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::Farthing, "farthing"), (Self::Fixed, "fixed")];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }
}

/// What does not depend on the job.
#[derive(Clone, Copy, Debug)]
pub struct ElasticSpec {
    /// Accelerators that are owned.
    pub accelerators: u32,
    /// What a change of size loses, in seconds.
    pub restart_s: u64,
    /// Whether who finds no room is run on rented accelerators.
    pub rents: bool,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElasticJob {
    /// When it was submitted.
    pub submit_s: u64,
    /// How long it runs at the size that it asked for.
    pub run_s: u64,
    /// Sizes with their speed in millionths of that of the first, which it asked for.
    pub sizes: Vec<(u32, u64)>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElasticRun {
    /// From submission to end of each job.
    pub completion_s: Vec<u64>,
    /// From the first submission to the last end.
    pub makespan_s: u64,
    /// Accelerator-seconds of owned ones that were held.
    pub held_s: u64,
    /// Accelerator-seconds that were rented.
    pub rented_s: u64,
    /// Changes of size.
    pub changes: u64,
    /// Jobs that were larger at some time than they asked for.
    pub grown: usize,
    /// Decisions.
    pub decisions: u64,
}

struct Running {
    at: usize,
    /// Millionths of a second at the size that it asked for.
    left: u128,
    /// Seconds of a restart that are not over.
    pending_s: u64,
    size: u32,
    speed: u64,
    grown: bool,
}

impl Running {
    /// When it is done if nothing changes, in seconds from now.
    fn ends_s(&self) -> u64 {
        let run = self.left.div_ceil(u128::from(self.speed.max(1)));
        self.pending_s + u64::try_from(run).unwrap_or(u64::MAX / 4)
    }

    fn pass(&mut self, mut seconds: u64) {
        let pending = seconds.min(self.pending_s);
        self.pending_s -= pending;
        seconds -= pending;
        self.left = self.left.saturating_sub(u128::from(seconds) * u128::from(self.speed));
    }
}

/// Plays the jobs, which are in the order of submission; each asks for no more than there are.
pub fn run_elastic(jobs: &[ElasticJob], (spec, rule): (&ElasticSpec, ElasticRule)) -> ElasticRun {
    let mut run = ElasticRun { completion_s: vec![0; jobs.len()], ..ElasticRun::default() };
    let mut running: Vec<Running> = Vec::new();
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let begin = jobs.first().map_or(0, |job| job.submit_s);
    let (mut now, mut next) = (begin, 0);
    let mut last = begin;
    while next < jobs.len() || !running.is_empty() || !waiting.is_empty() {
        let arrives = jobs.get(next).map(|job| job.submit_s);
        let ends = running.iter().map(|one| now + one.ends_s()).min();
        let Some(then) = arrives.into_iter().chain(ends).min() else { break };
        let then = then.max(now);
        for one in &mut running {
            one.pass(then - now);
            run.held_s += u64::from(one.size) * (then - now);
        }
        now = then;
        running.retain(|one| {
            let done = one.left == 0 && one.pending_s == 0;
            if done {
                run.completion_s[one.at] = now - jobs[one.at].submit_s;
                run.grown += usize::from(one.grown);
                last = last.max(now);
            }
            !done
        });
        while jobs.get(next).is_some_and(|job| job.submit_s <= now) {
            waiting.push_back(next);
            next += 1;
        }
        admit(jobs, spec, (&mut running, &mut waiting), |at| {
            let job = &jobs[at];
            run.rented_s += u64::from(job.sizes[0].0) * job.run_s;
            run.completion_s[at] = now + job.run_s - job.submit_s;
            last = last.max(now + job.run_s);
        });
        resize(jobs, (spec, rule), &mut running, &mut run);
    }
    run.makespan_s = last - begin;
    run
}

/// Starts who is next, as long as what all of them asked for is there.
fn admit(
    jobs: &[ElasticJob],
    spec: &ElasticSpec,
    (running, waiting): (&mut Vec<Running>, &mut VecDeque<usize>),
    mut rent: impl FnMut(usize),
) {
    let asked = |at: usize| jobs[at].sizes[0].0;
    let mut taken: u32 = running.iter().map(|one| asked(one.at)).sum();
    while let Some(at) = waiting.front().copied() {
        if taken + asked(at) <= spec.accelerators {
            taken += asked(at);
            let left = u128::from(jobs[at].run_s) * 1_000_000;
            running.push(Running { at, left, pending_s: 0, size: 0, speed: 1, grown: false });
        } else if spec.rents {
            rent(at);
        } else {
            return;
        }
        waiting.pop_front();
    }
}

fn resize(
    jobs: &[ElasticJob],
    (spec, rule): (&ElasticSpec, ElasticRule),
    running: &mut [Running],
    run: &mut ElasticRun,
) {
    let asked: Vec<Elastic> = running
        .iter()
        .map(|one| {
            let job = &jobs[one.at];
            let sizes = match rule {
                ElasticRule::Farthing => job.sizes.clone(),
                ElasticRule::Fixed => job.sizes[..1].to_vec(),
            };
            Elastic {
                work_s: u64::try_from(one.left.div_ceil(1_000_000)).unwrap_or(u64::MAX / 4),
                sizes,
                now: (one.size > 0).then_some(one.size),
                restart_s: spec.restart_s,
            }
        })
        .collect();
    let Some(sizes) = grow(spec.accelerators, &asked) else { return };
    run.decisions += 1;
    for (one, size) in running.iter_mut().zip(sizes) {
        if one.size == size {
            continue;
        }
        if one.size > 0 {
            run.changes += 1;
            one.pending_s = spec.restart_s;
        }
        one.size = size;
        let job = &jobs[one.at];
        let speed = job.sizes.iter().find(|(other, _)| *other == size);
        one.speed = speed.map_or(1_000_000, |(_, speed)| *speed);
        one.grown |= size > job.sizes[0].0;
    }
}
