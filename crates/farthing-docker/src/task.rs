//! What is to be run: a workload, and the container that each member of it is.

use crate::label::{self, OFFER, STEP, TEAM, WORKLOAD};
use crate::share::Shares;
use crate::wire::{NewContainer, NewHost};
use farthing_model::{OfferId, Resources, StepId, Workload};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a container that has nothing to save is asked to end before it is ended.
const GRACE: Duration = Duration::from_secs(10);
/// How long a job is taken to run where nobody says.
const RUN: SignedDuration = SignedDuration::from_hours(1);

/// A job of containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What someone wants done.
    pub workload: Arc<Workload>,
    /// The image of each member. It has to be on this machine: nothing is pulled.
    pub image: String,
    /// What is run in it instead of the image's own command; empty = that one.
    pub command: Vec<String>,
    /// Variables of its environment.
    pub environment: BTreeMap<String, String>,
    /// Folders of this machine that it sees: `/here:/there`, or `/here:/there:ro`.
    pub volumes: Vec<String>,
}

impl Task {
    /// What a member asks for: whole thousandths of a core, and bytes of memory.
    pub(crate) fn shape(&self) -> Resources {
        let asks = self.workload.resources;
        Resources {
            cpu_milli: asks.cpu_milli,
            memory_bytes: asks.memory_bytes,
            ..Resources::default()
        }
    }

    /// Whether it asks for a processor and memory, and nothing that a container here cannot have.
    pub(crate) fn can_run(&self) -> bool {
        let asks = self.workload.resources;
        asks.cpu_milli > 0 && asks.memory_bytes > 0 && asks.gpu_milli == 0
    }

    /// How long a member runs, as far as anyone said.
    pub(crate) fn run(&self) -> SignedDuration {
        self.workload.job().and_then(|job| job.duration).unwrap_or(RUN)
    }

    /// How many members there are.
    pub(crate) fn count(&self) -> u32 {
        self.workload.job().map_or(0, |job| job.count)
    }

    /// How it is made to stand still: for how long it may save its work before it is ended; `None`
    /// = it has nothing to save, and is frozen as it is.
    pub(crate) fn checkpoint(&self) -> Option<Duration> {
        let how = self.workload.job()?.interruptible?;
        Duration::try_from(how.checkpoint).ok().filter(|time| !time.is_zero())
    }

    /// How long it may take to end when it is taken back.
    pub(crate) fn grace(&self) -> Duration {
        self.checkpoint().unwrap_or(GRACE)
    }

    /// The container of a member.
    pub(crate) fn container(
        &self,
        (step, offer): (&StepId, &OfferId),
        limits: Resources,
    ) -> NewContainer {
        let mut labels = label::kept(&self.workload.labels);
        labels.insert(STEP.to_owned(), step.to_string());
        labels.insert(WORKLOAD.to_owned(), self.workload.id.to_string());
        labels.insert(OFFER.to_owned(), offer.to_string());
        if let Some(team) = &self.workload.team {
            labels.insert(TEAM.to_owned(), team.to_string());
        }
        let number = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        let memory = number(limits.memory_bytes);
        NewContainer {
            image: self.image.clone(),
            cmd: self.command.clone(),
            env: self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            labels,
            host_config: NewHost {
                nano_cpus: number(limits.cpu_milli.saturating_mul(1_000_000)),
                memory,
                memory_swap: memory,
                binds: self.volumes.clone(),
            },
        }
    }
}

/// The parts of the machine that tasks are offered, by their offers' ids.
pub(crate) fn shapes<'t>(
    tasks: impl Iterator<Item = &'t Task>,
    shares: &Shares,
) -> BTreeMap<OfferId, Resources> {
    let shapes = tasks.filter(|task| task.can_run()).map(Task::shape);
    shapes.filter_map(|shape| Some((shares.offer(shape)?, shape))).collect()
}
