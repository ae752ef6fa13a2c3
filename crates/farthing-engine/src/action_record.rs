//! What a step does, as the journal writes it. A storage type, as those of [`crate::record`], where
//! to start.

use crate::record::{RecordError, window};
use farthing_model::{Action, OfferId, Resources, WorkloadId};
use serde::{Deserialize, Serialize};

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are those of farthing_model::Action")]
pub enum ActionRecord {
    /// Run members of a job.
    Start {
        workload: String,
        offer: String,
        members: u32,
        nodes_each: u32,
        from: String,
        to: String,
    },
    /// Set the replicas of a service.
    Scale {
        workload: String,
        offer: String,
        replicas_from: u32,
        replicas_to: u32,
        nodes_each: u32,
        from: String,
        to: String,
    },
    /// Stop a job.
    Suspend { workload: String },
    /// Let it be placed again.
    Resume { workload: String },
    /// Set what members may use, each before and after.
    Resize {
        workload: String,
        members: u32,
        cpu_milli: [u64; 2],
        memory_bytes: [u64; 2],
        from: String,
        to: String,
    },
    /// Give a node back.
    Release { node: String },
    /// Let nodes be bought.
    Buy {
        workload: String,
        offer: String,
        nodes: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pool: Option<String>,
        from: String,
        to: String,
    },
}

impl ActionRecord {
    pub(crate) fn of(action: &Action) -> Self {
        match action {
            Action::Start { workload, offer, members, nodes_each, window } => Self::Start {
                workload: workload.to_string(),
                offer: offer.to_string(),
                members: *members,
                nodes_each: *nodes_each,
                from: window.from().to_string(),
                to: window.to().to_string(),
            },
            Action::Scale { workload, offer, from, to, nodes_each, window } => Self::Scale {
                workload: workload.to_string(),
                offer: offer.to_string(),
                replicas_from: *from,
                replicas_to: *to,
                nodes_each: *nodes_each,
                from: window.from().to_string(),
                to: window.to().to_string(),
            },
            Action::Suspend { workload } => Self::Suspend { workload: workload.to_string() },
            Action::Resume { workload } => Self::Resume { workload: workload.to_string() },
            Action::Resize { workload, members, from, to, window } => Self::Resize {
                workload: workload.to_string(),
                members: *members,
                cpu_milli: [from.cpu_milli, to.cpu_milli],
                memory_bytes: [from.memory_bytes, to.memory_bytes],
                from: window.from().to_string(),
                to: window.to().to_string(),
            },
            Action::Release { node } => Self::Release { node: node.to_string() },
            Action::Buy { workload, offer, nodes, pool, window } => Self::Buy {
                workload: workload.to_string(),
                offer: offer.to_string(),
                nodes: *nodes,
                pool: pool.clone(),
                from: window.from().to_string(),
                to: window.to().to_string(),
            },
        }
    }

    pub(crate) fn to_action(&self) -> Result<Action, RecordError> {
        let workload_id = |text: &str| WorkloadId::new(text).map_err(RecordError::Id);
        let offer_id = |text: &str| OfferId::new(text).map_err(RecordError::Id);
        Ok(match self {
            Self::Start { workload, offer, members, nodes_each, from, to } => Action::Start {
                workload: workload_id(workload)?,
                offer: offer_id(offer)?,
                members: *members,
                nodes_each: *nodes_each,
                window: window(from, to)?,
            },
            Self::Scale { workload, offer, replicas_from, replicas_to, nodes_each, from, to } => {
                Action::Scale {
                    workload: workload_id(workload)?,
                    offer: offer_id(offer)?,
                    from: *replicas_from,
                    to: *replicas_to,
                    nodes_each: *nodes_each,
                    window: window(from, to)?,
                }
            }
            Self::Suspend { workload } => Action::Suspend { workload: workload_id(workload)? },
            Self::Resume { workload } => Action::Resume { workload: workload_id(workload)? },
            Self::Resize { workload, members, cpu_milli, memory_bytes, from, to } => {
                let size = |at: usize| Resources {
                    cpu_milli: cpu_milli[at],
                    memory_bytes: memory_bytes[at],
                    ..Resources::default()
                };
                let (members, window) = (*members, window(from, to)?);
                let workload = workload_id(workload)?;
                Action::Resize { workload, members, from: size(0), to: size(1), window }
            }
            Self::Buy { workload, offer, nodes, pool, from, to } => Action::Buy {
                workload: workload_id(workload)?,
                offer: offer_id(offer)?,
                nodes: *nodes,
                pool: pool.clone(),
                window: window(from, to)?,
            },
            Self::Release { node } => {
                let node = farthing_model::NodeId::new(node).map_err(RecordError::Id)?;
                Action::Release { node }
            }
        })
    }
}
