//! Acting on the world: one step at a time, entirely or not at all, never twice.

use super::event::Event;
use super::job::{Phase, Run};
use super::service::Order;
use super::time::nanos;
use super::{SimWorld, Target};
use crate::faults::FaultKind;
use farthing_edge::{Act, Class, EdgeError};
use farthing_model::{
    Action, NodeId, OfferId, Purchase, Receipt, ReceiptOutcome, Step, StepId, Window, WorkloadId,
};
use jiff::Timestamp;

/// Nodes that one step may buy.
const NODES_MAX: u64 = 10_000;

/// A step that took effect.
#[derive(Clone, Debug)]
pub(super) struct DoneStep {
    pub(super) receipt: Receipt,
    pub(super) effect: Effect,
    pub(super) undone: bool,
}

/// What a step changed, so that it can be taken back.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Members were placed, each in this epoch.
    Started {
        job: usize,
        members: Vec<(usize, u32)>,
    },
    /// Replicas on an offer were set.
    Scaled {
        service: usize,
        offer: usize,
        before: u32,
        nodes_each: u32,
    },
    Suspended {
        job: usize,
    },
    Resumed {
        job: usize,
    },
    Released,
}

/// Why a step was not done.
pub(super) enum Refusal {
    /// The target is not as it was seen.
    Conflict(String),
    /// It cannot be done.
    Failed(String),
}

/// A step's outcome before it is written down.
type Tried = Result<Effect, Refusal>;

/// What a `Start` says.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    offer: &'a OfferId,
    members: u32,
    nodes_each: u32,
    window: Window,
}

impl Act for SimWorld {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.advance(now);
        if self.faults.strikes(FaultKind::ActError) {
            let text = format!("step {}: the world cannot be reached", step.id);
            return Err(EdgeError::new(Class::Transient, text));
        }
        if let Some(done) = self.steps.get(&step.id) {
            let at = done.receipt.at;
            return Ok(Receipt { step: step.id.clone(), at, outcome: ReceiptOutcome::AlreadyDone });
        }
        let outcome = match self.attempt(step) {
            Err(Refusal::Conflict(why)) => ReceiptOutcome::Conflict(why),
            Err(Refusal::Failed(why)) => ReceiptOutcome::Failed(why),
            Ok(effect) => {
                let outcome = ReceiptOutcome::Done;
                let receipt = Receipt { step: step.id.clone(), at: self.now(), outcome };
                let done = DoneStep { receipt: receipt.clone(), effect, undone: false };
                self.steps.insert(step.id.clone(), done);
                self.note(format_args!("did {} {}", step.id, step.action.name()));
                if self.faults.strikes(FaultKind::Timeout) {
                    let text = format!("step {}: no answer in time", step.id);
                    return Err(EdgeError::new(Class::Transient, text));
                }
                return Ok(receipt);
            }
        };
        self.note(format_args!("refused {} {}: {outcome:?}", step.id, step.action.name()));
        Ok(Receipt { step: step.id.clone(), at: self.now(), outcome })
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        self.advance(now);
        Ok(self.steps.get(step).map(|done| done.receipt.clone()))
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.advance(now);
        self.take_back(step)
    }
}

impl SimWorld {
    /// A line for the log, also counted in the digest.
    pub(super) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        let text = what.to_string();
        self.digest = text.bytes().fold(self.digest, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let now = self.now();
        if let Some(log) = &mut self.log {
            log.push(format!("{now} {text}"));
        }
    }

    fn attempt(&mut self, step: &Step) -> Tried {
        let target = match step.action.workload() {
            Some(id) => Some(self.seen(id, step.generation)?),
            None => None,
        };
        let effect = match (&step.action, target) {
            (Action::Start { offer, members, nodes_each, window, .. }, Some(Target::Job(job))) => {
                let (members, nodes_each) = (*members, *nodes_each);
                self.start(job, Wanted { offer, members, nodes_each, window: *window })
            }
            (
                Action::Scale { offer, from, to, nodes_each, window, .. },
                Some(Target::Service(service)),
            ) => {
                let (members, nodes_each) = (*to, *nodes_each);
                let order = Wanted { offer, members, nodes_each, window: *window };
                self.scale(service, *from, order)
            }
            (Action::Suspend { .. }, Some(Target::Job(job))) => self.suspend(job),
            (Action::Resume { .. }, Some(Target::Job(job))) => self.resume(job),
            (Action::Release { node }, _) => self.release(node),
            (action, _) => {
                let why = format!("{} does not go with the workload's kind", action.name());
                Err(Refusal::Failed(why))
            }
        }?;
        if let Some(target) = target {
            // From now on this is the plan whose steps are meant: after a crash there may be
            // another one in the same instant.
            let now = self.now;
            *self.versions(target).1 = (step.generation, now);
            self.bump(target);
        }
        Ok(effect)
    }

    /// The workload, if it still has the generation that the step saw.
    fn seen(&mut self, id: &WorkloadId, generation: u64) -> Result<Target, Refusal> {
        let there = |target: &Target| match target {
            Target::Job(job) => self.jobs[*job].arrived,
            Target::Service(service) => self.services[*service].arrived,
        };
        let target = self.targets.get(id).copied().filter(there);
        let Some(target) = target else {
            return Err(Refusal::Conflict(format!("workload {id} is not there")));
        };
        if self.faults.strikes(FaultKind::Conflict) {
            // Somebody else changed it a moment ago.
            match target {
                Target::Job(job) => self.jobs[job].generation += 1,
                Target::Service(service) => self.services[service].generation += 1,
            }
            return Err(Refusal::Conflict(format!("workload {id} was changed meanwhile")));
        }
        let (is, before) = match target {
            Target::Job(job) => (self.jobs[job].generation, self.jobs[job].before),
            Target::Service(it) => (self.services[it].generation, self.services[it].before),
        };
        // Steps of one plan name the same generation, and all of them are meant.
        let same_plan = before == (generation, self.now);
        if is == generation || same_plan {
            return Ok(target);
        }
        let why = format!("workload {id} has generation {is}, not {generation}");
        Err(Refusal::Conflict(why))
    }

    /// The generation of a target, and the one that steps of this instant name.
    fn versions(&mut self, target: Target) -> (&mut u64, &mut (u64, i64)) {
        match target {
            Target::Job(job) => {
                let it = &mut self.jobs[job];
                (&mut it.generation, &mut it.before)
            }
            Target::Service(service) => {
                let it = &mut self.services[service];
                (&mut it.generation, &mut it.before)
            }
        }
    }

    fn bump(&mut self, target: Target) {
        let now = self.now;
        let (generation, before) = self.versions(target);
        if before.1 != now {
            *before = (*generation, now);
        }
        *generation += 1;
    }

    fn offer(&self, id: &OfferId) -> Result<usize, Refusal> {
        let unknown = || Refusal::Failed(format!("there is no offer {id}"));
        self.offer_index.get(id).copied().ok_or_else(unknown)
    }

    /// Refuses what an offer has no room for, and now and then what it has room for.
    fn room(&mut self, offer: usize, window: (i64, i64), nodes: u64) -> Result<(), Refusal> {
        let id = &self.offers[offer].id;
        if nodes > NODES_MAX {
            return Err(Refusal::Failed(format!("{nodes} nodes at once are over {NODES_MAX}")));
        }
        if !self.has_room(offer, window, nodes) || self.faults.strikes(FaultKind::NoCapacity) {
            return Err(Refusal::Failed(format!("{id} has no capacity for {nodes} more nodes")));
        }
        Ok(())
    }

    /// Owned nodes are there or not; there are never more to be had.
    fn free_of_ours(&self, offer: usize, nodes: u64) -> Result<(), Refusal> {
        if self.offers[offer].purchase != Purchase::Owned {
            return Ok(());
        }
        let free = self
            .nodes
            .values()
            .filter(|node| node.offer == offer && node.is_live() && node.holder().is_none());
        if u64::try_from(free.count()).unwrap_or(u64::MAX) >= nodes {
            return Ok(());
        }
        let id = &self.offers[offer].id;
        Err(Refusal::Failed(format!("{id} has fewer than {nodes} free nodes")))
    }

    fn start(&mut self, job: usize, order: Wanted<'_>) -> Tried {
        let offer = self.offer(order.offer)?;
        let sim = &self.jobs[job];
        let id = &sim.workload.id;
        if sim.suspended || sim.finished.is_some() {
            return Err(Refusal::Conflict(format!("job {id} is not to be started")));
        }
        let wanted = usize::try_from(order.members).unwrap_or(usize::MAX);
        let members: Vec<usize> = sim.waiting().take(wanted).collect();
        if members.len() < wanted || wanted == 0 {
            let there = members.len();
            return Err(Refusal::Conflict(format!("job {id} has {there} members that wait")));
        }
        let (from, planned) = (nanos(order.window.from()), order.window.duration());
        // A step that is late starts now and takes as long.
        let from = from.max(self.now);
        let planned = super::time::length(planned);
        let to = from.saturating_add(planned);
        let each = order.nodes_each;
        let length = members.iter().map(|it| self.true_length((job, *it), offer, each, planned));
        if each == 0 || length.collect::<Option<Vec<_>>>().is_none() {
            let offer = order.offer;
            let why = format!("job {id} was not measured on {each} nodes of {offer}");
            return Err(Refusal::Failed(why));
        }
        let nodes = u64::from(order.members) * u64::from(each);
        self.room(offer, (from, to), nodes)?;
        if from <= self.now {
            self.free_of_ours(offer, nodes)?;
        }
        let mut started = Vec::new();
        for member in members {
            let it = &mut self.jobs[job].members[member];
            it.epoch += 1;
            let epoch = it.epoch;
            let nodes = Vec::new();
            let run = Run { offer, nodes_each: each, nodes, from, to, ready: from, ends: to };
            it.phase = Phase::Scheduled(run);
            started.push((member, epoch));
            if from <= self.now {
                self.start_member(job, member, epoch);
            } else {
                self.queue.push(from, Event::MemberStarts { job, member, epoch });
            }
        }
        Ok(Effect::Started { job, members: started })
    }

    fn scale(&mut self, service: usize, before: u32, order: Wanted<'_>) -> Tried {
        let offer = self.offer(order.offer)?;
        let is = self.services[service].on(offer);
        if is != before {
            let id = &self.services[service].workload.id;
            let why = format!("service {id} has {is} replicas on {}, not {before}", order.offer);
            return Err(Refusal::Conflict(why));
        }
        self.set_replicas(service, offer, order)?;
        let to = &mut self.services[service].to;
        *to = (*to).max(nanos(order.window.to()));
        Ok(Effect::Scaled { service, offer, before, nodes_each: order.nodes_each })
    }

    /// Adds or takes away replicas until there are so many.
    fn set_replicas(
        &mut self,
        service: usize,
        offer: usize,
        order: Wanted<'_>,
    ) -> Result<(), Refusal> {
        let is = self.services[service].on(offer);
        let more = order.members.saturating_sub(is);
        if more == 0 {
            self.fewer_replicas(service, offer, is.saturating_sub(order.members));
            return Ok(());
        }
        let each = order.nodes_each;
        if each == 0 || self.services[service].takes(&self.offers[offer], each).is_none() {
            let id = &self.services[service].workload.id;
            let why = format!("service {id} was not measured on {each} nodes of {}", order.offer);
            return Err(Refusal::Failed(why));
        }
        let nodes = u64::from(more) * u64::from(each);
        let from = nanos(order.window.from()).max(self.now);
        self.room(offer, (from, i64::MAX), nodes)?;
        if from > self.now {
            let orders = &mut self.services[service].orders;
            let event = Event::ReplicasStart { service, order: orders.len() };
            orders.push(Some(Order { offer, nodes_each: each, replicas: more, from }));
            self.queue.push(from, event);
            return Ok(());
        }
        self.free_of_ours(offer, nodes)?;
        for _ in 0..more {
            self.add_replica(service, offer, each);
        }
        Ok(())
    }

    /// Takes replicas away: first what is ordered, then the newest.
    fn fewer_replicas(&mut self, service: usize, offer: usize, mut less: u32) {
        let orders = self.services[service].orders.iter_mut().rev();
        for order in orders.filter(|order| order.is_some_and(|it| it.offer == offer)) {
            let Some(it) = order else { continue };
            let cut = less.min(it.replicas);
            it.replicas -= cut;
            less -= cut;
            if it.replicas == 0 {
                *order = None;
            }
        }
        let live = self.services[service].replicas.iter().enumerate().rev();
        let live = live.filter(|(_, it)| it.gone.is_none() && it.offer == offer);
        let newest: Vec<usize> =
            live.map(|(index, _)| index).take(usize::try_from(less).unwrap_or(0)).collect();
        for replica in newest {
            self.remove_replica(service, replica);
        }
    }

    /// Sets the replicas back to what they were.
    pub(super) fn scale_back(
        &mut self,
        service: usize,
        offer: usize,
        (before, nodes_each): (u32, u32),
    ) -> Result<(), Refusal> {
        let id = self.offers[offer].id.clone();
        let window = super::time::window(self.now, i64::MAX);
        let Some(window) = window else {
            return Err(Refusal::Failed("time has ended".to_owned()));
        };
        let order = Wanted { offer: &id, members: before, nodes_each, window };
        self.set_replicas(service, offer, order)?;
        self.bump(Target::Service(service));
        Ok(())
    }

    fn suspend(&mut self, job: usize) -> Tried {
        let sim = &self.jobs[job];
        let placed = |phase: &Phase| matches!(phase, Phase::Scheduled(_) | Phase::Running(_));
        let all = sim.members.iter().enumerate();
        let members: Vec<usize> =
            all.filter(|(_, member)| placed(&member.phase)).map(|(index, _)| index).collect();
        if sim.suspended || sim.finished.is_some() || members.is_empty() {
            let why = format!("job {} has nothing placed to suspend", sim.workload.id);
            return Err(Refusal::Conflict(why));
        }
        self.stop_members(job, &members);
        self.jobs[job].suspended = true;
        Ok(Effect::Suspended { job })
    }

    fn resume(&mut self, job: usize) -> Tried {
        let sim = &mut self.jobs[job];
        if !sim.suspended {
            return Err(Refusal::Conflict(format!("job {} is not suspended", sim.workload.id)));
        }
        sim.suspended = false;
        Ok(Effect::Resumed { job })
    }

    fn release(&mut self, id: &NodeId) -> Tried {
        let now = self.now;
        let found = self.nodes.values_mut().find(|node| node.id == *id);
        let Some(node) = found.filter(|node| node.is_live()) else {
            return Err(Refusal::Conflict(format!("node {id} is not there any more")));
        };
        if node.holder().is_some() {
            return Err(Refusal::Conflict(format!("node {id} is in use")));
        }
        if self.offers[node.offer].purchase == Purchase::Owned {
            let why = format!("node {id} is our own and cannot be given back");
            return Err(Refusal::Failed(why));
        }
        node.until = Some(now);
        Ok(Effect::Released)
    }

    /// Changes the generation of a job that was changed by an undo.
    pub(super) fn bump_job(&mut self, job: usize) {
        self.bump(Target::Job(job));
    }
}
