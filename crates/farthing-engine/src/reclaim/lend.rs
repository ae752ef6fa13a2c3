//! Room of nodes that are paid for anyway, lent to elastic jobs that would miss their deadlines:
//! as many more members as bring them there in time, while nothing else waits. They are called in
//! when something does.
//!
//! When a job would be done goes by what is left of its work: what nobody knows that of is lent
//! nothing.

use super::buy::missing;
use super::{Wanted, is_others, is_taken};
use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::member::stretch_rate;
use crate::reclaim_record::Cause;
use farthing_edge::Store;
use farthing_model::{
    Action, Money, Observed, Offer, Purchase, Reason, Snapshot, StepId, Stretch, WorkloadId,
    WorkloadState,
};
use jiff::{SignedDuration, Timestamp};

impl<W: World, S: Store> Engine<W, S> {
    /// Elastic jobs that would be late, and would be so no more, or less, with what has room.
    pub(super) fn late_work(
        &mut self,
        snapshot: &Snapshot,
        (span, now): (SignedDuration, Timestamp),
    ) -> Result<Vec<Wanted>, EngineError> {
        let late: Vec<_> =
            snapshot.workloads.iter().filter_map(|it| late(it, snapshot, now)).collect();
        if late.is_empty() || waits(snapshot).is_some() {
            return Ok(Vec::new());
        }
        let offers = self.world.offers(now);
        let offers = offers.map_err(|source| EngineError::World { what: "quoted", source })?;
        let mut wanted = Vec::new();
        for late in late {
            let id = &late.observed.workload.id;
            let taken = is_taken(self.journal.state(), id, (span, now)) || self.is_cut(id);
            if is_others(snapshot, id) || taken || !is_paid(&offers, late.stretch) {
                continue;
            }
            wanted.extend(self.lend(snapshot, &late, now)?);
        }
        Ok(wanted)
    }

    /// Whether a ladder took something of a workload, or wants to.
    fn is_cut(&self, id: &WorkloadId) -> bool {
        let mut steps = self.journal.state().steps.values();
        steps.any(|open| open.ladder.is_some() && open.workload() == Some(id))
    }

    fn lend(
        &self,
        snapshot: &Snapshot,
        late: &Late<'_>,
        now: Timestamp,
    ) -> Result<Option<Wanted>, EngineError> {
        let stretch = late.stretch;
        let most = stretch.most.min(stretch.wanted.saturating_add(stretch.room));
        let to = late.needs.min(most);
        let rate = stretch_rate(snapshot, &self.config.weights, stretch);
        let (Some(offer), Some((rate, each))) =
            (&stretch.offer, rate.filter(|_| to > stretch.wanted))
        else {
            return Ok(None);
        };
        let window = self.each_span(now)?;
        let cost = rate.cost(window).and_then(|one| one.checked_mul_int(each * i128::from(to)));
        let (id, due, done) = (&late.observed.workload.id, late.due, late.done);
        let by = if to < late.needs { ", which is all that has room" } else { "" };
        let why = format!(
            "due at {due} and done at {done} by its pace so far: {to} members instead of {}{by}, \
             on nodes that are paid for anyway",
            stretch.wanted
        );
        Ok(Some(Wanted {
            action: Action::Scale {
                workload: id.clone(),
                offer: offer.clone(),
                from: stretch.wanted,
                to,
                nodes_each: stretch.pods_each,
                window,
            },
            generation: late.observed.generation,
            cost: cost.map_err(EngineError::Money)?,
            // What is paid stays what it is.
            saving: Money::zero(self.config.currency),
            reasons: vec![Reason::Rule(why)],
        }))
    }

    /// Calls in what is lent when something else waits.
    pub(super) fn call_in(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        let open = self.journal.state().in_force();
        let lent = open.filter(|(open, _)| open.reclaim == Some(Cause::Lent));
        let lent: Vec<(StepId, WorkloadId)> = lent
            .filter_map(|(open, _)| Some((open.step.id.clone(), open.workload()?.clone())))
            .collect();
        let Some(waiting) = waits(snapshot).filter(|_| !lent.is_empty()) else { return Ok(()) };
        for (step, id) in lent {
            if self.take_back(&step, now, notes)? {
                notes.push(format!("{id} gives back what it was lent: {waiting} waits"));
            }
        }
        Ok(())
    }
}

/// A job that would be late.
struct Late<'s> {
    observed: &'s Observed,
    stretch: &'s Stretch,
    due: Timestamp,
    /// When it would be done.
    done: Timestamp,
    /// Members with which it would be done in time.
    needs: u32,
}

/// What says of a job that it would be late; nothing where it would not, or nobody knows, or
/// where it is past all help.
fn late<'s>(observed: &'s Observed, snapshot: &'s Snapshot, now: Timestamp) -> Option<Late<'s>> {
    let stretch = snapshot.terms.workloads.get(&observed.workload.id)?.stretch.as_ref()?;
    let due = observed.workload.job()?.deadline?;
    let WorkloadState::Placed(_) = &observed.state else { return None };
    let left = stretch.left?.as_nanos();
    let each = left.checked_div(i128::from(stretch.wanted))?;
    let done = now.checked_add(SignedDuration::try_from_nanos_i128(each)?).ok()?;
    let time = due.duration_since(now).as_nanos();
    if done <= due || time <= 0 {
        return None;
    }
    let needs = u32::try_from((left + time - 1).div_euclid(time)).unwrap_or(u32::MAX);
    Some(Late { observed, stretch, due, done, needs })
}

/// Whether the nodes that it is on are paid for, whatever is on them.
fn is_paid(offers: &[Offer], stretch: &Stretch) -> bool {
    let Some(offer) = &stretch.offer else { return false };
    let found = offers.iter().find(|it| it.id == *offer);
    found.is_some_and(|it| matches!(it.purchase, Purchase::Owned | Purchase::Reserved))
}

/// Something that waits for room: it has fewer members somewhere than it wants.
fn waits(snapshot: &Snapshot) -> Option<&WorkloadId> {
    snapshot
        .workloads
        .iter()
        .find(|observed| missing(observed) > 0)
        .map(|observed| &observed.workload.id)
}
