//! A container that a step of ours made: what it is a member of, what it may use, and what has
//! become of it.

use crate::cgroup::Group;
use crate::label::{self, OFFER, STEP, WORKLOAD};
use crate::name::{Mark, Name};
use crate::wire::Inspected;
use farthing_model::{Attribution, OfferId, Resources, StepId, TeamId, WorkloadId};
use jiff::Timestamp;
use std::sync::Arc;

/// A container of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: Name,
    /// The step that made it.
    pub(crate) step: StepId,
    pub(crate) workload: WorkloadId,
    pub(crate) offer: OfferId,
    pub(crate) who: Arc<Attribution>,
    /// Whether nothing may be done to it any more.
    pub(crate) excluded: bool,
    pub(crate) phase: Phase,
    pub(crate) exit: Exit,
    /// When it last began to run; `None` before.
    pub(crate) started: Option<Timestamp>,
    /// When it last ended; also kept while it runs again.
    pub(crate) finished: Option<Timestamp>,
    /// What is set aside for it: its limits, as the kernel has them.
    pub(crate) limits: Resources,
    /// What the kernel says of it while it runs, where that can be read.
    pub(crate) group: Option<Group>,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: i64,
    pub(crate) out_of_memory: bool,
}

/// What the engine says of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Made, and never started.
    Created,
    /// It runs.
    Running,
    /// It is frozen, and keeps its memory.
    Frozen,
    /// It has ended.
    Ended,
}

/// What has become of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet.
    Unborn,
    /// It runs.
    Runs,
    /// It stands still, and can go on.
    Stands,
    /// It is done.
    Done(Timestamp),
}

impl Phase {
    /// Reads what Docker (`created`, `running`, `paused`, `restarting`, `removing`, `exited`,
    /// `dead`) or Podman (also `configured`, `initialized`, `stopped`, `stopping`) says.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "created" | "configured" | "initialized" => Self::Created,
            "running" | "restarting" | "stopping" => Self::Running,
            "paused" => Self::Frozen,
            "exited" | "stopped" | "dead" | "removing" => Self::Ended,
            _ => return None,
        })
    }
}

/// A moment; what never was is written as a moment long ago.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at| *at > Timestamp::UNIX_EPOCH)
}

impl Container {
    /// Reads what the engine says; the reason where it is not one that we made.
    pub(crate) fn read(seen: Inspected, group: Option<Group>) -> Result<Self, String> {
        let labels = seen.config.labels.unwrap_or_default();
        let short: String = seen.id.chars().take(12).collect();
        let said = |key: &str| {
            labels.get(key).ok_or_else(|| format!("container {short}: it has no label {key}"))
        };
        let wrong = |what: String| format!("container {short}: {what}");
        let name = Name::parse(&seen.name)
            .ok_or_else(|| wrong("it has our labels and was given another name".to_owned()))?;
        let step = StepId::new(said(STEP)?).map_err(|error| wrong(error.to_string()))?;
        let workload =
            WorkloadId::new(said(WORKLOAD)?).map_err(|error| wrong(error.to_string()))?;
        let offer = OfferId::new(said(OFFER)?).map_err(|error| wrong(error.to_string()))?;
        let phase = Phase::parse(&seen.state.status)
            .ok_or_else(|| wrong(format!("its state `{}` is not known", seen.state.status)))?;
        let who = Attribution {
            team: labels.get(label::TEAM).and_then(|team| TeamId::new(team).ok()),
            container: Some(name.base.clone()),
            labels: Arc::new(label::kept(&own(&labels))),
            ..Attribution::of(workload.clone())
        };
        let limits = &seen.host_config;
        let positive = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Self {
            id: seen.id,
            name,
            step,
            workload,
            offer,
            who: Arc::new(who),
            excluded: label::is_excluded(&labels),
            phase,
            exit: Exit { code: seen.state.exit_code, out_of_memory: seen.state.oom_killed },
            started: moment(&seen.state.started_at),
            finished: moment(&seen.state.finished_at),
            limits: held_to(
                Resources {
                    cpu_milli: positive(limits.nano_cpus) / 1_000_000,
                    memory_bytes: positive(limits.memory),
                    ..Resources::default()
                },
                group,
            ),
            group,
        })
    }

    /// What has become of it.
    pub(crate) fn fate(&self) -> Fate {
        match (self.phase, &self.name.mark) {
            (Phase::Created, _) => Fate::Unborn,
            (Phase::Running, _) => Fate::Runs,
            (Phase::Frozen, _) | (Phase::Ended, Some(Mark::Suspended { frozen: false, .. })) => {
                Fate::Stands
            }
            (Phase::Ended, Some(Mark::Resumed { ended, .. })) if *ended == self.ended() => {
                Fate::Stands
            }
            (Phase::Ended, _) => {
                Fate::Done(self.finished.or(self.started).unwrap_or(Timestamp::UNIX_EPOCH))
            }
        }
    }

    /// When it last ended, in nanoseconds, as names have it.
    pub(crate) fn ended(&self) -> i128 {
        self.finished.map_or(0, Timestamp::as_nanosecond)
    }

    /// The part of its id that control groups and people know.
    pub(crate) fn short(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

/// What holds of a container that was asked for with limits: what the kernel says, which has memory
/// in whole pages.
fn held_to(asked: Resources, group: Option<Group>) -> Resources {
    const PAGE: u64 = 4 << 10;
    let Some(group) = group else { return asked };
    let same = group.memory_bytes.abs_diff(asked.memory_bytes) < PAGE;
    let memory_bytes = if same { asked.memory_bytes } else { group.memory_bytes };
    Resources { cpu_milli: group.cpu_milli, memory_bytes, ..asked }
}

/// The labels that people gave: ours are for us.
fn own(
    labels: &std::collections::BTreeMap<String, String>,
) -> std::collections::BTreeMap<String, String> {
    let ours = [STEP, WORKLOAD, OFFER, label::TEAM];
    let kept = labels.iter().filter(|(key, _)| !ours.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}
