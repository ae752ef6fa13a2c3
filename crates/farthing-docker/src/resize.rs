//! Limits of containers that run, changed while they do: how well they fit, and steps that change
//! them.
//!
//! What is to hold is written into the names of all members before the first is changed, with what
//! held before. Memory is never set to less than a container has, with room to spare: engines end
//! what does not fit. What the kernel says afterwards is what was done.

use crate::Docker;
use crate::act::{Stopped, Tried};
use crate::container::{Container, Fate};
use crate::error::DockerError;
use crate::label::is_excluded;
use crate::name::Mark;
use crate::share::{bytes, cores, minus};
use crate::wear::{most, usual};
use farthing_model::{Fit, NodeId, ReceiptOutcome, Resources, Snapshot, StepId, WorkloadId};
use jiff::Timestamp;
use std::sync::Arc;

/// A container may have so much of its new memory at most when that is set, in hundredths.
const FULL: u64 = 90;

/// What members might use, and may use after a step.
pub(crate) type Sizes = (Resources, Resources);

impl<M> Docker<M> {
    /// Says of what runs how what it may use fits what it uses.
    pub(crate) fn say_fit(&self, seen: &mut Snapshot) {
        let fits = self.tasks.keys().filter_map(|id| Some((id.clone(), self.fit(id)?)));
        let fits: Vec<(WorkloadId, Fit)> = fits.collect();
        if fits.is_empty() {
            return;
        }
        let terms = Arc::make_mut(&mut seen.terms);
        for (id, fit) in fits {
            terms.workloads.entry(id).or_default().fit = Some(fit);
        }
    }

    /// `None` where not all members that there are run, have the same limits and were measured, or
    /// the kernel does not say what it holds them to; or where nothing may be done to one.
    fn fit(&self, workload: &WorkloadId) -> Option<Fit> {
        let look = self.look.as_ref()?;
        let mut members = look.of_workload(workload.as_str());
        members.retain(|it| !matches!(it.fate(), Fate::Done(_)));
        let first = members.first()?;
        let same = |it: &&Container| {
            let runs = it.fate() == Fate::Runs && it.group.is_some();
            runs && it.limits == first.limits && !it.excluded
        };
        let task = self.tasks.get(workload)?;
        if !members.iter().all(same) || is_excluded(&task.workload.labels) {
            return None;
        }
        let history = |it: &&Container| {
            let node = NodeId::new(&format!("{}/{}", self.node, it.name.base)).ok()?;
            self.wear.of(&node).filter(|history| history.limits == it.limits)
        };
        let histories: Vec<_> = members.iter().map(history).collect::<Option<_>>()?;
        let of_kernel = members.iter().filter_map(|it| it.group).map(|group| Resources {
            memory_bytes: group.memory_peak.unwrap_or(0).max(group.memory_now),
            ..Resources::default()
        });
        let peaks = histories.iter().map(|it| it.peak).chain(of_kernel);
        Some(Fit {
            members: u32::try_from(members.len()).ok()?,
            limits: first.limits,
            usual: usual(&histories),
            peak: peaks.fold(Resources::default(), most),
            last: histories.iter().map(|it| it.last).fold(Resources::default(), most),
            since: histories.iter().map(|it| it.since).max()?,
            price: self.shares.price.rate().map(|_| (self.shares.parts, self.shares.capacity)),
        })
    }

    /// Sets what the members of a workload may use that run.
    pub(crate) fn resize(
        &mut self,
        step: &StepId,
        (workload, members): (&WorkloadId, u32),
        (from, to): Sizes,
        now: Timestamp,
    ) -> Tried {
        let runs = self.running(workload);
        if runs.len() != members as usize {
            let what = format!("{} of {members} containers of {workload} run", runs.len());
            return Err(Stopped::Conflict(what));
        }
        if let Some(other) = runs.iter().find(|it| it.limits != from) {
            return Err(Stopped::Conflict(has_others(other, from)));
        }
        self.set(step, &runs, (from, to), now)
    }

    /// Completes what a crash left, by what is written in a name; `false` where it cannot be, and
    /// nothing of it was done.
    pub(crate) fn complete_resize(
        &mut self,
        step: &StepId,
        marked: &Container,
        now: Timestamp,
    ) -> Result<bool, DockerError> {
        let Some(Mark::Resized { from, to, .. }) = marked.name.mark else { return Ok(true) };
        let mut runs = self.running(&marked.workload);
        runs.retain(|it| it.limits == from || it.limits == to);
        if runs.iter().all(|it| it.limits == to) {
            return Ok(true);
        }
        match self.set(step, &runs, (from, to), now) {
            Ok(_) => Ok(true),
            Err(Stopped::Unknown(error)) => Err(error),
            Err(Stopped::Conflict(_) | Stopped::Failed(_)) => {
                self.set_back(&runs, (from, to))?;
                self.refresh(now)?;
                Ok(false)
            }
        }
    }

    /// Gives members back what they might use before a step.
    pub(crate) fn take_back_limits(
        &mut self,
        step: &StepId,
        workload: &WorkloadId,
        (from, to): Sizes,
        now: Timestamp,
    ) -> Tried {
        let look = self.look.iter();
        let members = look.flat_map(|look| look.of_workload(workload.as_str()));
        let mut left: Vec<Container> = Vec::new();
        for member in members {
            match member.fate() {
                Fate::Done(_) | Fate::Unborn => {}
                Fate::Runs if member.limits == from => {}
                Fate::Runs if member.limits == to => left.push(member.clone()),
                Fate::Runs => return Err(Stopped::Conflict(has_others(member, to))),
                Fate::Stands => {
                    let name = &member.name.base;
                    let what = format!("container {name} stands still: it is done when it runs");
                    return Err(Stopped::Conflict(what));
                }
            }
        }
        if left.is_empty() {
            return Ok(ReceiptOutcome::AlreadyDone);
        }
        if let Some(excluded) = left.iter().find(|it| it.excluded) {
            let what = format!("container {} is excluded by its label", excluded.name);
            return Err(Stopped::Conflict(what));
        }
        self.has_room(left.len(), minus(from, to))?;
        for container in &left {
            self.client.update(&container.id, from)?;
            if container.name.by() == Some(step.as_str()) {
                self.client.rename(&container.id, &container.name.base)?;
            }
        }
        self.refresh(now)?;
        self.check(&left, from)?;
        Ok(ReceiptOutcome::Done)
    }

    /// Whether the machine has so much more for each of so many.
    fn has_room(&self, members: usize, each: Resources) -> Result<(), Stopped> {
        let more = each.times(u32::try_from(members).unwrap_or(u32::MAX));
        let room = self.taken().map(|taken| minus(self.shares.capacity, taken));
        let fits = |room: Resources| {
            more.cpu_milli <= room.cpu_milli && more.memory_bytes <= room.memory_bytes
        };
        if room.is_some_and(fits) {
            return Ok(());
        }
        Err(Stopped::Conflict(format!(
            "there is no room now for {} cores and {} of memory more",
            cores(more.cpu_milli),
            bytes(more.memory_bytes),
        )))
    }

    fn running(&self, workload: &WorkloadId) -> Vec<Container> {
        let look = self.look.iter();
        let all = look.flat_map(|look| look.of_workload(workload.as_str()));
        all.filter(|it| it.fate() == Fate::Runs).cloned().collect()
    }

    /// Writes down what is to hold, on all, and then sets it, on all; where the engine refuses one,
    /// what was set is set back.
    fn set(
        &mut self,
        step: &StepId,
        runs: &[Container],
        (from, to): Sizes,
        now: Timestamp,
    ) -> Tried {
        for container in runs {
            fits(container, to)?;
        }
        let mark = Mark::Resized { by: step.to_string(), from, to };
        for container in runs {
            let name = container.name.marked(mark.clone());
            if name != container.name {
                self.client.rename(&container.id, &name.to_string())?;
            }
        }
        for container in runs {
            if let Err(error) = self.client.update(&container.id, to) {
                if matches!(error, DockerError::Refused { .. }) {
                    self.refresh(now)?;
                    let runs: Vec<Container> = self.same(runs);
                    self.set_back(&runs, (from, to))?;
                }
                return Err(error.into());
            }
        }
        self.refresh(now)?;
        self.check(runs, to)?;
        Ok(ReceiptOutcome::Done)
    }

    /// Gives those that have what was to hold what they had, and takes the mark off all.
    fn set_back(&self, runs: &[Container], (from, to): Sizes) -> Result<(), DockerError> {
        for container in runs {
            if container.limits == to {
                self.client.update(&container.id, from)?;
            }
            if container.name.mark.is_some() {
                self.client.rename(&container.id, &container.name.base)?;
            }
        }
        Ok(())
    }

    /// These as they are by the last look.
    fn same(&self, these: &[Container]) -> Vec<Container> {
        let look = self.look.iter();
        let same = look.flat_map(|look| these.iter().filter_map(|it| look.ours.get(&it.id)));
        same.cloned().collect()
    }

    /// Whether the kernel holds those that still run to what was asked for.
    fn check(&self, changed: &[Container], limits: Resources) -> Result<(), Stopped> {
        let now = self.same(changed);
        let other = now.iter().find(|it| it.fate() == Fate::Runs && it.limits != limits);
        other.map_or(Ok(()), |other| Err(Stopped::Failed(has_others(other, limits))))
    }
}

fn has_others(container: &Container, limits: Resources) -> String {
    let words = |it: Resources| {
        format!("{} cores and {} of memory", cores(it.cpu_milli), bytes(it.memory_bytes))
    };
    let (name, is, not) = (&container.name.base, words(container.limits), words(limits));
    format!("container {name} may use {is}, and not {not}")
}

/// Whether a container can be held to limits now.
fn fits(container: &Container, limits: Resources) -> Result<(), Stopped> {
    let name = &container.name.base;
    let Some(group) = container.group else {
        let what = format!("container {name}: its control group cannot be read");
        return Err(Stopped::Failed(what));
    };
    // What is given more has room in any case.
    let less = limits.memory_bytes < container.limits.memory_bytes;
    if less && group.memory_now > limits.memory_bytes / 100 * FULL {
        let (now, to) = (bytes(group.memory_now), bytes(limits.memory_bytes));
        return Err(Stopped::Conflict(format!(
            "container {name} has {now} of memory now, more than {FULL} % of {to}"
        )));
    }
    Ok(())
}
