//! Steps on containers: each entirely or not at all, never twice, and taken back exactly.
//!
//! What a step made carries its id as a label; what a step suspended carries it in its name
//! ([`crate::name`]), written before anything is done. So the world itself says, after a crash, how
//! far a step came. Members of a step are all made before the first is started: where none was,
//! what was made is removed and the step never happened; where one was, the rest follows.

use crate::client::Client;
use crate::container::{Container, Fate, Phase};
use crate::error::DockerError;
use crate::label::is_excluded;
use crate::name::{Mark, Name, is_plain};
use crate::share::{bytes, cores};
use crate::task::Task;
use crate::{Docker, observe};
use farthing_edge::{Act, Class, EdgeError};
use farthing_model::{
    Action, OfferId, Receipt, ReceiptOutcome, Resources, Step, StepId, WorkloadId,
};
use jiff::Timestamp;
use std::time::Duration;

/// Members of one step.
const MEMBERS_MAX: u32 = 1_000;
/// Containers that are ended or started at the same time.
const AT_ONCE: usize = 16;

/// Why a step was not done, or that nobody knows.
pub(crate) enum Stopped {
    /// The target is not as it was seen.
    Conflict(String),
    /// It cannot be done.
    Failed(String),
    /// It is not known whether it was done.
    Unknown(DockerError),
}

impl From<DockerError> for Stopped {
    fn from(error: DockerError) -> Self {
        match error {
            DockerError::Refused { .. } => Self::Failed(error.to_string()),
            other => Self::Unknown(other),
        }
    }
}

pub(crate) type Tried = Result<ReceiptOutcome, Stopped>;

/// What a step says of what it starts.
struct Wanted<'s> {
    step: &'s StepId,
    workload: &'s WorkloadId,
    offer: &'s OfferId,
    members: u32,
}

impl<M> Act for Docker<M> {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.refresh(now).map_err(DockerError::at_the_edge)?;
        let tried = self.attempt(step, now);
        receipt(&step.id, tried, now)
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        self.refresh(now).map_err(DockerError::at_the_edge)?;
        let found = self.find_out(step, now).map_err(DockerError::at_the_edge)?;
        Ok(found.map(|at| Receipt { step: step.clone(), at, outcome: ReceiptOutcome::Done }))
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.refresh(now).map_err(DockerError::at_the_edge)?;
        let tried = match &step.action {
            Action::Start { .. } => self.take_away(&step.id, now),
            Action::Suspend { .. } => self.take_back_suspension(&step.id, now),
            Action::Resume { workload } => self.suspend(&step.id, workload, now),
            Action::Resize { workload, from, to, .. } => {
                self.take_back_limits(&step.id, workload, (*from, *to), now)
            }
            other => Err(Stopped::Failed(no_such(other))),
        };
        match tried {
            Ok(outcome) => Ok(Receipt { step: step.id.clone(), at: now, outcome }),
            Err(Stopped::Conflict(why)) => Err(EdgeError::new(Class::Conflict, why)),
            Err(Stopped::Failed(why)) => Err(EdgeError::new(Class::Invalid, why)),
            Err(Stopped::Unknown(error)) => Err(error.at_the_edge()),
        }
    }
}

fn receipt(step: &StepId, tried: Tried, at: Timestamp) -> Result<Receipt, EdgeError> {
    let outcome = match tried {
        Ok(outcome) => outcome,
        Err(Stopped::Conflict(why)) => ReceiptOutcome::Conflict(why),
        Err(Stopped::Failed(why)) => ReceiptOutcome::Failed(why),
        Err(Stopped::Unknown(error)) => return Err(error.at_the_edge()),
    };
    Ok(Receipt { step: step.clone(), at, outcome })
}

fn no_such(action: &Action) -> String {
    format!("containers cannot be acted on by `{}`", action.name())
}

impl<M> Docker<M> {
    fn attempt(&mut self, step: &Step, now: Timestamp) -> Tried {
        if !is_plain(&step.id) {
            return Err(Stopped::Failed(format!("`{}` cannot be in a container's name", step.id)));
        }
        if self.is_done(&step.id) {
            return Ok(ReceiptOutcome::AlreadyDone);
        }
        if let Some(workload) = step.action.workload() {
            self.check_generation(workload, step.generation, now)?;
        }
        match &step.action {
            Action::Start { workload, offer, members, nodes_each, window } => {
                if *nodes_each != 1 || *members == 0 || *members > MEMBERS_MAX {
                    return Err(Stopped::Failed(format!(
                        "{members} members on {nodes_each} parts each: a member is one container, \
                         and a step starts at most {MEMBERS_MAX}"
                    )));
                }
                if window.from() > now {
                    return Err(Stopped::Conflict(format!("it is to begin at {}", window.from())));
                }
                let wanted = Wanted { step: &step.id, workload, offer, members: *members };
                self.start(&wanted, now)
            }
            Action::Suspend { workload } => self.suspend(&step.id, workload, now),
            Action::Resume { workload } => self.resume(&step.id, workload, now),
            Action::Resize { workload, members, from, to, .. } => {
                self.resize(&step.id, (workload, *members), (*from, *to), now)
            }
            other => Err(Stopped::Failed(no_such(other))),
        }
    }

    /// Whether the world says that a step took effect.
    fn is_done(&self, step: &StepId) -> bool {
        let Some(look) = &self.look else { return false };
        let started = look.of_step(step.as_str()).into_iter().any(|it| it.fate() != Fate::Unborn);
        started || look.marked_by(step.as_str()).into_iter().any(as_marked)
    }

    fn check_generation(
        &self,
        workload: &WorkloadId,
        seen: u64,
        now: Timestamp,
    ) -> Result<(), Stopped> {
        let task = self.task(workload)?;
        let Some(look) = &self.look else {
            return Err(Stopped::Conflict("the containers were not seen yet".to_owned()));
        };
        if observe::observed(task, look, now).generation != seen {
            let what = "its containers, or what is wanted of it, changed since it was planned";
            return Err(Stopped::Conflict(format!("workload {workload}: {what}")));
        }
        if is_excluded(&task.workload.labels)
            || look.of_workload(workload.as_str()).iter().any(|it| it.excluded)
        {
            let what = "it is excluded by its label";
            return Err(Stopped::Conflict(format!("workload {workload}: {what}")));
        }
        Ok(())
    }

    fn task(&self, workload: &WorkloadId) -> Result<&Task, Stopped> {
        self.tasks.get(workload).ok_or_else(|| {
            Stopped::Conflict(format!("workload {workload} is not in the queue any more"))
        })
    }

    /// Makes all members, then starts them; where one cannot be, none is left.
    fn start(&mut self, wanted: &Wanted<'_>, now: Timestamp) -> Tried {
        let task = self.task(wanted.workload)?;
        let Some(limits) = self.shapes().get(wanted.offer).copied() else {
            let what = format!("offer {} is not quoted any more", wanted.offer);
            return Err(Stopped::Conflict(what));
        };
        let fit = self.taken().map_or(0, |taken| self.shares.fit(limits, taken));
        if fit < wanted.members {
            return Err(Stopped::Conflict(format!(
                "there is room for {fit} of {} containers of {} cores and {} of memory",
                wanted.members,
                cores(limits.cpu_milli),
                bytes(limits.memory_bytes),
            )));
        }
        self.clear(wanted)?;
        let (made, failed) = self.make(task, wanted, limits);
        let begun = match failed {
            Some(error) => Err(error),
            None => made.iter().try_for_each(|id| self.client.start(id)),
        };
        if let Err(error) = begun {
            if matches!(error, DockerError::Refused { .. }) {
                for id in &made {
                    self.remove(id, Duration::ZERO)?;
                }
            }
            return Err(error.into());
        }
        self.refresh(now)?;
        Ok(ReceiptOutcome::Done)
    }

    /// Removes what earlier steps made of a workload and never started: nothing is known of it any
    /// more, and its name may be needed.
    fn clear(&self, wanted: &Wanted<'_>) -> Result<(), Stopped> {
        let left = self.look.iter().flat_map(|look| look.of_workload(wanted.workload.as_str()));
        for container in left.filter(|container| container.fate() == Fate::Unborn) {
            if !self.client.remove(&container.id)? {
                let what = format!("container {} has begun meanwhile", container.name);
                return Err(Stopped::Conflict(what));
            }
        }
        Ok(())
    }

    fn make(
        &self,
        task: &Task,
        wanted: &Wanted<'_>,
        limits: Resources,
    ) -> (Vec<String>, Option<DockerError>) {
        let mut made = Vec::new();
        for member in 0..wanted.members {
            let name = Name::made(wanted.step, member).to_string();
            let new = task.container((wanted.step, wanted.offer), limits);
            match self.client.create(&name, &new) {
                Ok(id) => made.push(id),
                Err(error) => return (made, Some(error)),
            }
        }
        (made, None)
    }

    /// Ends a container of ours, if it runs, and removes it.
    fn remove(&self, id: &str, grace: Duration) -> Result<(), DockerError> {
        if !self.client.remove(id)? {
            if let Some(seen) = self.client.inspect(id)?
                && Phase::parse(&seen.state.status) == Some(Phase::Frozen)
            {
                self.client.unpause(id)?;
            }
            self.client.stop(id, grace)?;
            self.client.remove(id)?;
        }
        Ok(())
    }

    /// Takes back a start: its members are ended and removed.
    fn take_away(&mut self, step: &StepId, now: Timestamp) -> Tried {
        let all: Vec<Container> =
            self.look.iter().flat_map(|look| look.of_step(step.as_str())).cloned().collect();
        if let Some(excluded) = all.iter().find(|it| it.excluded) {
            let what = format!("container {} is excluded by its label", excluded.name);
            return Err(Stopped::Conflict(what));
        }
        let grace = all.first().and_then(|it| self.tasks.get(&it.workload)).map(Task::grace);
        let grace = grace.unwrap_or(Duration::from_secs(10));
        let client = &self.client;
        at_once(&all, &|it| end(client, it, grace))?;
        // How long they ran is read before they are gone.
        self.refresh(now)?;
        for container in &all {
            self.remove(&container.id, Duration::ZERO)?;
        }
        self.refresh(now)?;
        Ok(ReceiptOutcome::Done)
    }

    /// Makes the members that run stand still: frozen where there is nothing to save, else asked to
    /// end and given the time that saving takes.
    fn suspend(&mut self, step: &StepId, workload: &WorkloadId, now: Timestamp) -> Tried {
        let checkpoint = self.tasks.get(workload).and_then(Task::checkpoint);
        let look = self.look.iter();
        let runs: Vec<Container> = look
            .flat_map(|look| look.of_workload(workload.as_str()))
            .filter(|it| it.fate() == Fate::Runs)
            .cloned()
            .collect();
        if runs.is_empty() {
            return Err(Stopped::Conflict(format!("no container of workload {workload} runs")));
        }
        let mark = Mark::Suspended { by: step.to_string(), frozen: checkpoint.is_none() };
        for container in &runs {
            let name = container.name.marked(mark.clone());
            if name != container.name {
                self.client.rename(&container.id, &name.to_string())?;
            }
        }
        let client = &self.client;
        at_once(&runs, &|it| stand(client, it, checkpoint))?;
        self.refresh(now)?;
        Ok(ReceiptOutcome::Done)
    }

    /// Lets the members that stand still go on.
    fn resume(&mut self, step: &StepId, workload: &WorkloadId, now: Timestamp) -> Tried {
        let look = self.look.iter();
        let stand: Vec<Container> = look
            .flat_map(|look| look.of_workload(workload.as_str()))
            .filter(|it| it.fate() == Fate::Stands)
            .cloned()
            .collect();
        if stand.is_empty() {
            let what = format!("no container of workload {workload} stands still");
            return Err(Stopped::Conflict(what));
        }
        self.go_on(step, &stand, now)
    }

    /// Takes back a suspension: what it made stand still goes on.
    fn take_back_suspension(&mut self, step: &StepId, now: Timestamp) -> Tried {
        let marked: Vec<Container> =
            self.look.iter().flat_map(|look| look.marked_by(step.as_str())).cloned().collect();
        if marked.is_empty() {
            return Err(Stopped::Failed(format!(
                "no container that step {step} suspended is there any more: it cannot go on"
            )));
        }
        let stand: Vec<Container> =
            marked.into_iter().filter(|it| it.fate() == Fate::Stands).collect();
        if stand.is_empty() {
            // Someone let it go on before us.
            return Ok(ReceiptOutcome::AlreadyDone);
        }
        self.go_on(step, &stand, now)
    }

    fn go_on(&mut self, step: &StepId, stand: &[Container], now: Timestamp) -> Tried {
        if let Some(excluded) = stand.iter().find(|it| it.excluded) {
            let what = format!("container {} is excluded by its label", excluded.name);
            return Err(Stopped::Conflict(what));
        }
        let back = stand.iter().map(|it| Resources {
            // What is frozen has its memory still.
            memory_bytes: if it.phase == Phase::Frozen { 0 } else { it.limits.memory_bytes },
            ..it.limits
        });
        let back = back.fold(Resources::default(), crate::share::plus);
        let room = self.taken().map(|taken| crate::share::minus(self.shares.capacity, taken));
        if room.is_none_or(|room| {
            back.cpu_milli > room.cpu_milli || back.memory_bytes > room.memory_bytes
        }) {
            return Err(Stopped::Conflict(format!(
                "there is no room now for {} cores and {} of memory",
                cores(back.cpu_milli),
                bytes(back.memory_bytes),
            )));
        }
        for container in stand {
            let ended = if container.phase == Phase::Frozen { 0 } else { container.ended() };
            let name = container.name.marked(Mark::Resumed { by: step.to_string(), ended });
            self.client.rename(&container.id, &name.to_string())?;
        }
        let client = &self.client;
        at_once(stand, &|it| go(client, it))?;
        self.refresh(now)?;
        Ok(ReceiptOutcome::Done)
    }

    /// What became of a step: when it took effect, after what it left half done was completed, or
    /// `None` after what it left was removed.
    fn find_out(
        &mut self,
        step: &StepId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, DockerError> {
        let Some(look) = &self.look else { return Ok(None) };
        let made: Vec<Container> = look.of_step(step.as_str()).into_iter().cloned().collect();
        if let Some(at) = made.iter().filter_map(|it| it.started).min() {
            for container in made.iter().filter(|it| it.fate() == Fate::Unborn) {
                self.client.start(&container.id)?;
            }
            self.refresh(now)?;
            return Ok(Some(at));
        }
        let marked: Vec<Container> = look.marked_by(step.as_str()).into_iter().cloned().collect();
        if let Some(first) = marked.first() {
            if matches!(first.name.mark, Some(Mark::Resized { .. })) {
                let first = first.clone();
                return Ok(self.complete_resize(step, &first, now)?.then_some(now));
            }
            let workload = first.workload.clone();
            let tried = match &first.name.mark {
                Some(Mark::Resumed { .. }) => self.complete_resume(step, &marked, now),
                _ => self.suspend(step, &workload, now),
            };
            return match tried {
                Err(Stopped::Unknown(error)) => Err(error),
                // Nothing of it goes on, and there is no room that it could: it did not happen.
                Err(Stopped::Conflict(_))
                    if matches!(first.name.mark, Some(Mark::Resumed { .. }))
                        && marked.iter().all(|it| it.fate() == Fate::Stands) =>
                {
                    Ok(None)
                }
                _ => Ok(Some(now)),
            };
        }
        let mut began = false;
        for container in &made {
            began |= !self.client.remove(&container.id)?;
        }
        if began {
            // One was started while we looked: the step took effect.
            for container in &made {
                self.client.start(&container.id)?;
            }
        }
        self.refresh(now)?;
        Ok(began.then_some(now))
    }

    fn complete_resume(&mut self, step: &StepId, marked: &[Container], now: Timestamp) -> Tried {
        let stand: Vec<Container> =
            marked.iter().filter(|it| it.fate() == Fate::Stands).cloned().collect();
        if stand.is_empty() {
            return Ok(ReceiptOutcome::AlreadyDone);
        }
        self.go_on(step, &stand, now)
    }
}

/// Does the same to several containers at once, as each may take its time; the first error.
fn at_once(
    all: &[Container],
    order: &(dyn Fn(&Container) -> Result<(), DockerError> + Sync),
) -> Result<(), DockerError> {
    let mut first = Ok(());
    for some in all.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|it| scope.spawn(|| order(it))).collect();
            for ended in running.into_iter().filter_map(|one| one.join().ok()) {
                first = first.clone().and(ended);
            }
        });
    }
    first
}

/// Ends a container that runs, also one that is frozen.
fn end(client: &Client, container: &Container, grace: Duration) -> Result<(), DockerError> {
    if container.phase == Phase::Frozen {
        client.unpause(&container.id)?;
    }
    if matches!(container.phase, Phase::Running | Phase::Frozen) {
        client.stop(&container.id, grace)?;
    }
    Ok(())
}

/// Makes a container stand still. One that has ended by itself meanwhile is done, and not
/// suspended: its mark is taken off again.
fn stand(
    client: &Client,
    container: &Container,
    checkpoint: Option<Duration>,
) -> Result<(), DockerError> {
    let Some(grace) = checkpoint else { return client.pause(&container.id) };
    if !client.stop(&container.id, grace)? {
        client.rename(&container.id, &container.name.base)?;
    }
    Ok(())
}

/// Lets a container go on that stands still.
fn go(client: &Client, container: &Container) -> Result<(), DockerError> {
    match container.phase {
        Phase::Frozen => client.unpause(&container.id),
        _ => client.start(&container.id),
    }
}

/// Whether what was written down on a container is so.
fn as_marked(container: &Container) -> bool {
    match (&container.name.mark, container.fate()) {
        (Some(Mark::Suspended { .. }), fate) => fate == Fate::Stands,
        (Some(Mark::Resumed { .. }), fate) => fate != Fate::Stands,
        (Some(Mark::Resized { to, .. }), fate) => fate != Fate::Runs || container.limits == *to,
        (None, _) => false,
    }
}
