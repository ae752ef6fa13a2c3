//! Replicas that were not needed, and those that are again: as many as were filled by what was
//! used, over the band's lower edge; more only past its upper edge, so that neither causes the
//! other.

use super::{Wanted, is_others, is_taken, standing, terms};
use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::journal::Open;
use crate::load::{Filled, needed};
use crate::reclaim_record::Cause;
use farthing_edge::Store;
use farthing_model::{Action, Decimal, Observed, Ratio, Reason, Snapshot, StepId, WorkloadId};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// 10^-6 replicas: at so much of each, what was asked for may have been more than was served.
const SATURATED_PPM: i128 = 970_000;

impl<W: World, S: Store> Engine<W, S> {
    /// Elastic services that have more replicas than they needed at any time in a span.
    pub(super) fn unneeded(
        &self,
        snapshot: &Snapshot,
        (span, now): (SignedDuration, Timestamp),
    ) -> Result<Vec<Wanted>, EngineError> {
        let mut wanted = Vec::new();
        for observed in &snapshot.workloads {
            let id = &observed.workload.id;
            let Some((least, most)) = terms(snapshot, id).and_then(|terms| terms.elastic) else {
                continue;
            };
            let (Some(count), Some((offer, there))) = (replicas(observed), standing(observed))
            else {
                continue;
            };
            let others = is_others(snapshot, id) || is_taken(self.journal.state(), id, (span, now));
            if others || there != count {
                continue;
            }
            let Some(filled) = self.most_filled(observed, (span, now)) else { continue };
            let to = self.needs(&filled).clamp(least, most);
            if to >= count {
                continue;
            }
            let was = first(self.journal.state(), id).unwrap_or(count);
            let window = self.each_span(now)?;
            let cost = self.cost_of(observed, to)?;
            let (Some(cost), Some(reference)) = (cost, self.cost_of(observed, was)?) else {
                continue;
            };
            let saving = reference.checked_sub(cost).map_err(EngineError::Money)?;
            let why = self.why(&filled, count, span);
            wanted.push(Wanted {
                action: Action::Scale {
                    workload: id.clone(),
                    offer: offer.clone(),
                    from: count,
                    to,
                    nodes_each: 1,
                    window,
                },
                generation: observed.generation,
                cost,
                saving,
                reasons: vec![Reason::Band(why)],
            });
        }
        Ok(wanted)
    }

    /// The most that was filled in any tick of a span, by each resource.
    fn most_filled(
        &self,
        observed: &Observed,
        (span, now): (SignedDuration, Timestamp),
    ) -> Option<Vec<Filled>> {
        let ticks = self.loads().over(&observed.workload.id, span, now)?;
        let mut most: Option<Vec<Filled>> = None;
        for (window, load) in ticks {
            let filled = load.filled(observed.workload.resources, window)?;
            match &mut most {
                None => most = Some(filled),
                Some(most) => {
                    for (most, filled) in most.iter_mut().zip(filled) {
                        most.micro = most.micro.max(filled.micro);
                    }
                }
            }
        }
        most
    }

    /// Replicas of which what was filled is no more than the band's lower edge.
    fn needs(&self, filled: &[Filled]) -> u32 {
        let bands = &self.config.policy.bands;
        let of = |it: &Filled| needed(*it, bands.get(it.by).threshold().ppm());
        filled.iter().map(of).max().unwrap_or(0)
    }

    /// How full the replicas were at most, in words.
    fn why(&self, filled: &[Filled], count: u32, span: SignedDuration) -> String {
        let of = |it: &Filled| {
            let band = self.config.policy.bands.get(it.by);
            let all = i128::from(count.max(1)) * 1_000_000;
            let share = Ratio::of(it.micro, all).unwrap_or(Ratio::ZERO);
            format!("{} {share} (band {} to {})", it.by, band.threshold(), band.max)
        };
        let parts: Vec<String> = filled.iter().map(of).collect();
        let most = filled.iter().map(|it| it.micro).max().unwrap_or(0);
        let (most, parts) = (tenths(most), parts.join(", "));
        format!("at no time in {span:#} were more than {most} of {count} replicas filled: {parts}")
    }

    fn cost_of(
        &self,
        observed: &Observed,
        count: u32,
    ) -> Result<Option<farthing_model::Money>, EngineError> {
        let Some((window, load)) = self.loads().last(&observed.workload.id) else {
            return Ok(None);
        };
        let each = (observed.workload.resources, window);
        load.cost_of(count, each, self.config.horizon).map_err(EngineError::Money)
    }

    /// Gives replicas back that are needed again, the last taken first.
    pub(super) fn give_back(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        let taken: Vec<WorkloadId> = taken(self.journal.state());
        for id in taken {
            let Some(observed) = snapshot.workload(&id) else { continue };
            let Some(mut count) = replicas(observed) else { continue };
            let Some((window, load)) = self.loads().last(&id) else { continue };
            let Some(filled) = load.filled(observed.workload.resources, window) else { continue };
            let bands = &self.config.policy.bands;
            let over = |it: &Filled| needed(*it, bands.get(it.by).max.ppm()) > count;
            if !filled.iter().any(over) {
                continue;
            }
            let full = i128::from(count).saturating_mul(SATURATED_PPM);
            let is_full = filled.iter().any(|it| it.micro >= full);
            let needs = if is_full { u32::MAX } else { self.needs(&filled) };
            while let Some((step, was)) = top(self.journal.state(), &id).filter(|_| count < needs) {
                if !self.take_back(&step, now, notes)? {
                    break;
                }
                notes.push(format!("{id} needs its replicas again: {was} as before"));
                count = was;
            }
        }
        Ok(())
    }

    /// Takes a step back; whether that was done.
    pub(super) fn take_back(
        &mut self,
        step: &StepId,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<bool, EngineError> {
        match self.undo(step, now) {
            Ok(_) => {
                self.count_from_now(now)?;
                Ok(true)
            }
            // Someone else has it now, which the next tick sees; or it is tried again then.
            Err(EngineError::NotUndone { .. } | EngineError::World { .. }) => {
                notes.push(format!("step {step} is not taken back yet"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Replicas that are wanted of a service that nobody sizes by its requests.
pub(super) fn replicas(observed: &Observed) -> Option<u32> {
    let service = observed.workload.service()?;
    service.throughput.is_empty().then_some(service.replicas_min)
}

/// Services that replicas were taken from.
fn taken(state: &Open) -> Vec<WorkloadId> {
    let open = state.in_force().filter(|(open, _)| open.reclaim == Some(Cause::Replicas));
    let all: BTreeSet<WorkloadId> = open.filter_map(|(open, _)| open.workload().cloned()).collect();
    all.into_iter().collect()
}

/// The step on a service that nothing covers, and the replicas before it.
fn top(state: &Open, id: &WorkloadId) -> Option<(StepId, u32)> {
    let mut own = state
        .in_force()
        .filter(|(open, _)| open.reclaim == Some(Cause::Replicas) && open.workload() == Some(id));
    let (open, _) = own.next()?;
    let Action::Scale { from, .. } = &open.step.action else { return None };
    Some((open.step.id.clone(), *from))
}

/// The replicas before anything was taken.
pub(crate) fn first(state: &Open, id: &WorkloadId) -> Option<u32> {
    let own = state.steps.values().filter(|open| open.holds_reclaim(id));
    own.filter_map(|open| match &open.step.action {
        Action::Scale { from, .. } => Some(*from),
        _ => None,
    })
    .max()
}

/// Replicas with one place.
fn tenths(micro: i128) -> String {
    let nano = Decimal::from_nano((micro + 50_000).div_euclid(100_000) * 100_000_000);
    nano.to_string()
}
