//! Nodes for what waits for room: the cheapest that it fits on, bought by the pool of an autoscaler
//! that is told that it may, or by people. What was allowed for a workload is taken back when it is
//! no more.

use super::Wanted;
use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::reclaim_record::Cause;
use farthing_edge::{Buyable, Store};
use farthing_model::{
    Action, Money, Observed, Reason, Snapshot, Steering, StepId, Window, WorkloadId, WorkloadKind,
    WorkloadState,
};
use jiff::{SignedDuration, Timestamp};

impl<W: World, S: Store> Engine<W, S> {
    /// The cheapest that could be bought for each workload that waits for so long.
    pub(super) fn waiting_work(
        &mut self,
        snapshot: &Snapshot,
        (span, now): (SignedDuration, Timestamp),
        notes: &mut Vec<String>,
    ) -> Result<Vec<Wanted>, EngineError> {
        let waiting: Vec<(&Observed, u32)> = snapshot
            .workloads
            .iter()
            .filter(|observed| !is_left_alone(snapshot, &observed.workload.id))
            .map(|observed| (observed, missing(observed)))
            .filter(|(_, missing)| *missing > 0)
            .collect();
        let ids = waiting.iter().map(|(observed, _)| &observed.workload.id);
        let since = ids.map(|id| (id.clone(), self.waits_since.get(id).copied().unwrap_or(now)));
        self.waits_since = since.collect();
        let window = self.each_span(now)?;
        let mut wanted = Vec::new();
        for (observed, missing) in waiting {
            let id = &observed.workload.id;
            let since = self.waits_since.get(id).copied().unwrap_or(now);
            let rests = self.journal.state().given_back.get(id);
            let rests = rests.is_some_and(|at| now.duration_since(*at) < span);
            if now.duration_since(since) < span || rests {
                continue;
            }
            let found = match self.world.to_buy(id, now) {
                Ok(found) => found,
                Err(error) => {
                    notes.push(format!("it is not known what could be bought for {id}: {error}"));
                    continue;
                }
            };
            let best = cheapest(&found, missing, window).map_err(EngineError::Money)?;
            wanted.extend(best.map(|best| best.want((id, missing, since), found.len(), window)));
        }
        Ok(wanted)
    }

    /// Takes back what was allowed for workloads that are no more.
    pub(super) fn bought_for_nobody(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        let open = self.journal.state().in_force();
        let over: Vec<(StepId, WorkloadId)> = open
            .filter(|(open, _)| open.reclaim == Some(Cause::Bought))
            .filter_map(|(open, _)| Some((open.step.id.clone(), open.workload()?.clone())))
            .filter(|(_, id)| {
                let state = snapshot.workload(id).map(|observed| &observed.state);
                matches!(state, None | Some(WorkloadState::Finished(_)))
            })
            .collect();
        for (step, id) in over {
            if self.take_back(&step, now, notes)? {
                notes.push(format!("{id} is over: what could be bought for it is as it was"));
            }
        }
        Ok(())
    }
}

/// Whether it is nobody's to buy for: it says so, or a queue holds it.
fn is_left_alone(snapshot: &Snapshot, id: &WorkloadId) -> bool {
    let queued = |by: &Steering| matches!(by, Steering::Queue(_));
    let terms = snapshot.terms.workloads.get(id);
    terms.is_some_and(|terms| terms.excluded || terms.steered_by.iter().any(queued))
}

/// Members that are wanted and are nowhere.
pub(super) fn missing(observed: &Observed) -> u32 {
    let wanted = match &observed.workload.kind {
        WorkloadKind::Job(job) => job.count,
        WorkloadKind::Service(service) => service.replicas_min,
    };
    match &observed.state {
        WorkloadState::Waiting => wanted,
        WorkloadState::Placed(there) => {
            wanted.saturating_sub(there.iter().map(|there| there.members).sum())
        }
        WorkloadState::Suspended | WorkloadState::Finished(_) => 0,
    }
}

/// What would be bought, and what it costs over a window.
struct Best<'b> {
    found: &'b Buyable,
    nodes: u32,
    each: Money,
    cost: Money,
}

/// The least cost; what nobody knows the price of is not among it.
fn cheapest(
    found: &[Buyable],
    missing: u32,
    window: Window,
) -> Result<Option<Best<'_>>, farthing_model::MoneyError> {
    let mut best: Option<Best<'_>> = None;
    for found in found.iter().filter(|found| found.members > 0) {
        let Some(rate) = found.offer.price.rate() else { continue };
        let nodes = missing.div_ceil(found.members);
        let cost = rate.cost(window)?.checked_mul_int(i128::from(nodes))?;
        if best.as_ref().is_none_or(|best| cost.pico() < best.cost.pico()) {
            best = Some(Best { found, nodes, each: rate.per_hour(), cost });
        }
    }
    Ok(best)
}

impl Best<'_> {
    fn want(
        self,
        (id, missing, since): (&WorkloadId, u32, Timestamp),
        considered: usize,
        window: Window,
    ) -> Wanted {
        let Self { found, nodes, each, cost } = self;
        let offer = found.offer.id.clone();
        let each = each.rounded(2);
        let by = match &found.pool {
            Some(pool) => format!("the pool {pool} may not buy it as it is"),
            None => format!("no pool would buy it; people do: {}", found.how),
        };
        let why = format!(
            "{missing} members have no room since {since}: {nodes} x {offer} at {each} an hour \
             each is the cheapest of {considered}; {by}"
        );
        Wanted {
            action: Action::Buy {
                workload: id.clone(),
                offer,
                nodes,
                pool: found.pool.clone(),
                window,
            },
            generation: found.generation,
            saving: Money::zero(cost.currency()),
            cost,
            reasons: vec![Reason::Rule(why)],
        }
    }
}
