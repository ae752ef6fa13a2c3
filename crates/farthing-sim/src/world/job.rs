//! Jobs of the world: members that wait, run, are interrupted and finish.

use super::SimWorld;
use super::event::Event;
use super::node::Holder;
use super::time::{length, pushed, window};
use farthing_model::{
    Assignment, Attribution, Decimal, Job, Offer, Purchase, Resource, Resources, Target,
    Throughput, Work, Workload, WorkloadKind, WorkloadState,
};
use jiff::SignedDuration;
use std::sync::Arc;

/// Nanoseconds in a millisecond, to which run times are rounded up.
const MILLI: i128 = 1_000_000;

/// A job.
#[derive(Clone, Debug)]
pub(super) struct SimJob {
    /// As it is seen: `work` is what remains.
    pub(super) workload: Arc<Workload>,
    pub(super) who: Arc<Attribution>,
    pub(super) arrives: i64,
    pub(super) arrived: bool,
    pub(super) generation: u64,
    /// The generation that the last step of an instant named, and that instant: steps of one plan
    /// name the same generation and do not stand in each other's way.
    pub(super) before: (u64, i64),
    pub(super) suspended: bool,
    pub(super) finished: Option<i64>,
    pub(super) members: Vec<Member>,
    /// True run time / measured run time, in parts per million.
    pub(super) factor_ppm: u32,
    /// Used / requested of each resource, in parts per million.
    pub(super) use_ppm: [u32; 4],
    /// Multiprocessors with work of the time in which a kernel runs, in parts per million.
    pub(super) sm_ppm: u32,
}

/// A member of a job.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) phase: Phase,
    /// What is left: 10^-9 units of work, or nanoseconds where only a duration is known.
    pub(super) left: i128,
    /// Counts its runs, so that events of an earlier one are known as such.
    pub(super) epoch: u32,
}

/// Where a member stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Waiting,
    Scheduled(Run),
    Running(Run),
    Done(Run),
}

/// A run of a member.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) offer: usize,
    pub(super) nodes_each: u32,
    pub(super) nodes: Vec<usize>,
    /// From when to when as planned; the end is the true one once it has ended.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Work begins here.
    pub(super) ready: i64,
    /// Work ends here, if nothing comes between.
    pub(super) ends: i64,
}

impl SimJob {
    /// The job of the workload.
    pub(super) fn job(&self) -> Option<&Job> {
        self.workload.job()
    }

    /// Members that can be started.
    pub(super) fn waiting(&self) -> impl Iterator<Item = usize> {
        let waits = |member: &Member| matches!(member.phase, Phase::Waiting);
        let all = self.members.iter().enumerate();
        all.filter(move |(_, member)| waits(member)).map(|(index, _)| index)
    }

    /// What has become of it.
    pub(super) fn state(&self, offers: &[Offer], now: i64) -> WorkloadState {
        if let Some(finished) = self.finished {
            return WorkloadState::Finished(super::time::at(finished));
        }
        if self.suspended {
            return WorkloadState::Suspended;
        }
        let assignments = self.assignments(offers, now);
        if assignments.is_empty() {
            WorkloadState::Waiting
        } else {
            WorkloadState::Placed(assignments)
        }
    }

    /// Members that are placed or done, those alike together.
    fn assignments(&self, offers: &[Offer], now: i64) -> Vec<Assignment> {
        let mut all: Vec<Assignment> = Vec::new();
        for member in &self.members {
            let (run, to) = match &member.phase {
                Phase::Waiting => continue,
                Phase::Scheduled(run) | Phase::Running(run) => (run, pushed(run.to, now)),
                Phase::Done(run) => (run, run.to),
            };
            let Some(window) = window(run.from, to) else { continue };
            let offer = &offers[run.offer].id;
            let same = all.iter_mut().find(|other| {
                other.offer == *offer
                    && other.nodes_each == run.nodes_each
                    && other.window == window
            });
            match same {
                Some(other) => other.members += 1,
                None => all.push(Assignment {
                    offer: offer.clone(),
                    members: 1,
                    nodes_each: run.nodes_each,
                    window,
                }),
            }
        }
        all.sort();
        all
    }

    /// Shows the most that any member that waits has left: what is seen from outside is one number
    /// for all of them.
    fn show_what_is_left(&mut self) {
        let waiting = self.waiting().map(|member| self.members[member].left).max();
        let Some(left) = waiting else { return };
        let mut workload = Workload::clone(&self.workload);
        let WorkloadKind::Job(job) = &mut workload.kind else { return };
        if let Some(Work { amount, .. }) = &mut job.work {
            *amount = Decimal::from_nano(left);
        } else {
            let nanos = i64::try_from(left).unwrap_or(i64::MAX);
            job.duration = Some(SignedDuration::from_nanos(nanos));
        }
        self.workload = Arc::new(workload);
    }
}

/// Nodes that one member needs on `offer` by this row; `None` if the row is about others.
fn nodes_by(row: &Throughput, offer: &Offer) -> Option<u32> {
    match &row.target {
        Target::Accelerator(query) => {
            let here = offer.accelerator.as_ref().is_some_and(|name| query.matches(name));
            (here && offer.accelerator_count > 0)
                .then(|| row.count.div_ceil(offer.accelerator_count))
        }
        Target::InstanceType(name) => (*name == offer.instance_type).then_some(row.count),
    }
}

/// `a / b` rounded up for `a >= 0`, `b > 0`.
fn div_up(a: i128, b: i128) -> i128 {
    a / b + i128::from(a % b > 0)
}

/// Each length in nanoseconds that the work left can take on `nodes_each` nodes of `offer`, by the
/// measured throughput.
fn lengths(job: &Job, left: i128, offer: &Offer, nodes_each: u32) -> Vec<i128> {
    let by_duration = job.work.is_none() && job.duration.is_some();
    if job.throughput.is_empty() {
        return if by_duration && nodes_each == 1 { vec![left] } else { Vec::new() };
    }
    let rows = job.throughput.iter().filter(|row| nodes_by(row, offer) == Some(nodes_each));
    rows.filter_map(|row| {
        if by_duration {
            return Some(left);
        }
        let work = left.checked_mul(row.per.as_nanos())?;
        let speed = row.amount.nano().checked_mul(MILLI).filter(|speed| *speed > 0)?;
        div_up(work, speed).checked_mul(MILLI)
    })
    .collect()
}

impl SimWorld {
    /// How long the work left of a member really takes on an offer, without boot. Where several
    /// configurations would use as many nodes, the one that the planned length was made for.
    pub(super) fn true_length(
        &self,
        (job, member): (usize, usize),
        offer: usize,
        nodes_each: u32,
        planned: i64,
    ) -> Option<i64> {
        let sim = &self.jobs[job];
        let offer = &self.offers[offer];
        let boot = if offer.purchase == Purchase::Owned { 0 } else { self.boot };
        let wanted = i128::from(planned) - i128::from(boot);
        let left = sim.members[member].left;
        let measured = lengths(sim.job()?, left, offer, nodes_each)
            .into_iter()
            .min_by_key(|length| (length - wanted).abs())?;
        let nanos = measured.checked_mul(i128::from(sim.factor_ppm))? / 1_000_000;
        i64::try_from(nanos).ok()
    }

    /// Starts a member that was scheduled; where there is no room any more it waits again.
    pub(super) fn start_member(&mut self, job: usize, member: usize, epoch: u32) {
        let this = &self.jobs[job].members[member];
        let Phase::Scheduled(run) = &this.phase else { return };
        if this.epoch != epoch {
            return;
        }
        let mut run = run.clone();
        let planned = run.to - run.from;
        let room = self.live_nodes(run.offer) + u64::from(run.nodes_each);
        let full = self.offers[run.offer].available.is_some_and(|most| room > u64::from(most));
        let length = self.true_length((job, member), run.offer, run.nodes_each, planned);
        let (Some(length), false) = (length, full) else {
            self.tally.starts_refused += 1;
            return self.wait_again(job, member);
        };
        for _ in 0..run.nodes_each {
            let Some(node) = self.take_node(run.offer, Holder::Member { job, member }) else {
                self.free_nodes(&run.nodes);
                self.tally.starts_refused += 1;
                return self.wait_again(job, member);
            };
            run.nodes.push(node);
        }
        let ready = run.nodes.iter().map(|node| self.nodes[node].ready).max();
        run.ready = ready.unwrap_or(self.now).max(self.now);
        run.ends = run.ready.saturating_add(length);
        self.queue.push(run.ends, Event::MemberDone { job, member, epoch });
        self.jobs[job].members[member].phase = Phase::Running(run);
    }

    fn wait_again(&mut self, job: usize, member: usize) {
        let sim = &mut self.jobs[job];
        sim.members[member].phase = Phase::Waiting;
        sim.members[member].epoch += 1;
        sim.generation += 1;
    }

    /// A member's work is done.
    pub(super) fn member_done(&mut self, job: usize, member: usize, epoch: u32) {
        let now = self.now;
        let this = &mut self.jobs[job].members[member];
        if this.epoch != epoch {
            return;
        }
        let Phase::Running(run) = &mut this.phase else { return };
        run.to = now;
        let nodes = std::mem::take(&mut run.nodes);
        let run = run.clone();
        this.phase = Phase::Done(run);
        this.left = 0;
        self.free_nodes(&nodes);
        let sim = &mut self.jobs[job];
        if sim.members.iter().all(|member| matches!(member.phase, Phase::Done(_))) {
            sim.finished = Some(now);
            sim.generation += 1;
            let deadline = sim.job().and_then(|job| job.deadline).map(super::time::nanos);
            if sim.arrives >= self.tally.since {
                self.tally.done(now - sim.arrives, deadline.map(|deadline| now <= deadline));
            }
        }
    }

    /// A node was lost under a member: it goes back to its last checkpoint and waits.
    pub(super) fn interrupt(&mut self, job: usize, member: usize) {
        self.tally.interruptions += 1;
        self.stop_member(job, member, false);
        self.jobs[job].generation += 1;
        self.jobs[job].show_what_is_left();
    }

    /// Stops all members that are placed, in order: what can be saved is saved.
    pub(super) fn stop_members(&mut self, job: usize, members: &[usize]) {
        for member in members {
            self.stop_member(job, *member, true);
        }
        self.jobs[job].show_what_is_left();
    }

    fn stop_member(&mut self, job: usize, member: usize, saved: bool) {
        let now = self.now;
        let sim = &mut self.jobs[job];
        let interruptible = sim.job().and_then(|job| job.interruptible);
        let this = &mut sim.members[member];
        let nodes = match &mut this.phase {
            Phase::Waiting | Phase::Done(_) => return,
            Phase::Scheduled(_) => Vec::new(),
            Phase::Running(run) => {
                let worked = (now - run.ready).max(0);
                let whole = (run.ends - run.ready).max(1);
                if let Some(how) = interruptible {
                    // Saved every two checkpoint lengths, so that a loss costs one on average,
                    // which is what plans expect of it.
                    let every = length(how.checkpoint).saturating_mul(2).max(1);
                    let kept = if saved { worked } else { worked - worked % every };
                    if kept > 0 {
                        let restart = length(how.restart);
                        let rest = i128::from(whole - kept + restart).min(i128::from(whole));
                        this.left = div_up(this.left * rest, i128::from(whole));
                    }
                }
                std::mem::take(&mut run.nodes)
            }
        };
        this.phase = Phase::Waiting;
        this.epoch += 1;
        self.free_nodes(&nodes);
    }
}

/// What a member of a workload works with on its node: all accelerators, and what it asked for of
/// the rest, or all where it asked for nothing.
pub(super) fn requested(asked: &Resources, capacity: &Resources, resource: Resource) -> i128 {
    let (asked, there) = (asked.nano(resource), capacity.nano(resource));
    match resource {
        Resource::Gpu => there,
        _ if asked == 0 => there,
        _ => asked.min(there),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_works_with_all_accelerators_and_what_it_asked_for_of_the_rest() {
        let capacity = Resources {
            gpu_milli: 8_000,
            cpu_milli: 96_000,
            memory_bytes: 1 << 40,
            storage_bytes: 0,
        };
        let asked = Resources { gpu_milli: 4_000, cpu_milli: 8_000, ..Resources::default() };
        let of = |resource| requested(&asked, &capacity, resource);
        assert_eq!(of(Resource::Gpu), 8_000_000_000);
        assert_eq!(of(Resource::Cpu), 8_000_000_000);
        assert_eq!(of(Resource::Memory), (1 << 40) * 1_000_000_000);
        assert_eq!(of(Resource::Storage), 0);
    }
}
