//! How things stand at the beginning of a turn, and what came of it.

use super::cost::FlavorPrices;
use super::object::Queued;
use super::queues::Queues;
use farthing_model::TeamId;
use std::cmp::Reverse;
use std::sync::Arc;

/// What came of one turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Workloads that were let in.
    pub let_in: usize,
    /// Workloads that were held, rejected or stopped.
    pub held: usize,
    /// What happened, a line each, for people.
    pub lines: Vec<String>,
}

/// How things stand at the beginning of a turn.
pub(crate) struct View<'v> {
    pub(crate) workloads: Vec<Arc<Queued>>,
    /// Our checks, whether they are said to be answered.
    pub(crate) checks: Vec<(Arc<str>, bool)>,
    /// Whether that is all: what is not among them is no more.
    pub(crate) is_whole: bool,
    pub(crate) prices: &'v FlavorPrices,
    /// Who pays for a Workload, where it does not say so itself.
    pub(crate) team: &'v dyn Fn(&Queued) -> Option<TeamId>,
}

impl<'v> View<'v> {
    pub(crate) fn of(
        queues: &Queues,
        is_whole: bool,
        prices: &'v FlavorPrices,
        team: &'v dyn Fn(&Queued) -> Option<TeamId>,
    ) -> Self {
        let mut workloads: Vec<_> = queues.workloads.values().map(Arc::clone).collect();
        workloads.sort_by_key(|it| (Reverse(it.priority), it.created));
        let checks = queues.ours().map(|it| (Arc::clone(&it.name), it.is_active)).collect();
        Self { workloads, checks, is_whole, prices, team }
    }
}
