//! Verification: what a step promised against what the ledger says happened.
//!
//! A step promises `saving = reference - cost` for its window. When it ends, its promise counts
//! for the part of the window in which it was in force; the realised saving is the reference for
//! that part less what the ledger posted. Nothing here is estimated.

use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::target;
use crate::journal::OpenStep;
use crate::record::{Body, VerifiedRecord};
use crate::sums::Account;
use farthing_edge::Store;
use farthing_model::{
    Action, Money, MoneyError, NodeId, Observed, OfferId, Snapshot, Step, StepId, Window,
    WorkloadId, WorkloadState, proportion, split_money,
};
use jiff::Timestamp;

impl<W: World, S: Store> Engine<W, S> {
    /// Settles and verifies the steps whose work has ended.
    pub(crate) fn settle_finished(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let mut ended = Vec::new();
        let oldest = now.checked_sub(snapshot.oldest()).unwrap_or(now);
        for (open, since) in self.journal.state().in_force() {
            // What the world looked like before a step, in the same tick or in one that was shown
            // again later, does not say that it has ended: its reservation stays.
            let looked_at =
                matches!(open.step.action, Action::Start { .. } | Action::Suspend { .. });
            if (open.ladder.is_some() || open.reclaim.is_some() || looked_at) && oldest <= since {
                continue;
            }
            // Nor does an object that nobody has seen anew since, whatever its age says: the step
            // changed it, and it has the generation that the step named.
            let seen = open.workload().and_then(|id| snapshot.workload(id));
            if looked_at && seen.is_some_and(|seen| seen.generation == open.step.generation) {
                continue;
            }
            let promised = self.promised(open)?;
            if let Some((until, complete)) = end_of(open, promised, snapshot, now) {
                ended.push((open.clone(), since, until, complete));
            }
        }
        self.settle(ended, now)
    }

    /// Ends a run: settles what is in force and ends with it, and notes how far the books are.
    ///
    /// # Errors
    /// The journal or the ledger failed.
    pub fn close(&mut self, now: Timestamp) -> Result<Vec<VerifiedRecord>, EngineError> {
        let ended = self
            .journal
            .state()
            .in_force()
            // What ladders took is taken back by the next run, when there is room; and what the
            // world can take back by what was written down, when somebody asks for it.
            .filter(|(open, _)| open.ladder.is_none() && open.before.is_none())
            .map(|(open, since)| (open.clone(), since, now, false))
            .collect();
        self.settle(ended, now)?;
        let posted_until = self.accounts.posted_until().map(|until| until.to_string());
        self.journal.append(now, &[Body::Closed { posted_until }])?;
        // Books and journal know each other's end, so that neither can be cut off unnoticed.
        self.accounts.journal_is_at(self.journal.head());
        self.accounts.post_running()?;
        Ok(self.journal.take_verified())
    }

    /// The records that end the scalings which `step` replaces.
    pub(crate) fn superseded_by(
        &self,
        step: &Step,
        now: Timestamp,
    ) -> Result<Vec<Body>, EngineError> {
        // Nodes that are bought for a workload leave it as large as it is.
        let account = Account::of(&step.action);
        let account = account.filter(|_| !matches!(step.action, Action::Buy { .. }));
        let Some(account) = account else { return Ok(Vec::new()) };
        let replaced: Vec<_> = self
            .journal
            .state()
            .in_force()
            .filter(|(open, _)| matches!(open.step.action, Action::Scale { .. }))
            .filter(|(open, _)| Account::of(&open.step.action).as_ref() == Some(&account))
            .map(|(open, since)| (open.clone(), since, now, false))
            .collect();
        let steps = &self.journal.state().steps;
        let cuts = steps.get(&step.id).is_some_and(|open| open.ladder.is_some());
        let stays = |body: &Body| match body {
            Body::Settled { step, .. } => StepId::new(step)
                .ok()
                .and_then(|id| steps.get(&id))
                .is_some_and(|open| open.reclaim.is_some() || (cuts && is_bare_cut(open))),
            _ => false,
        };
        let bodies = self.settlement(replaced)?;
        // What was taken from what runs stays open below what takes more, to be taken back after
        // it; so does a cut that nothing is set aside for: no plan makes it larger again.
        let covered = bodies.into_iter().map(|body| match &body {
            Body::Settled { step: old, .. } if stays(&body) => {
                Body::Covered { step: old.clone(), by: step.id.to_string() }
            }
            _ => body,
        });
        Ok(covered.collect())
    }

    fn settle(&mut self, ended: Vec<Ended>, now: Timestamp) -> Result<(), EngineError> {
        let bodies = self.settlement(ended)?;
        self.journal.append(now, &bodies)
    }

    /// What ended steps came to, where something else settles them.
    pub(crate) fn verdicts(&self, ended: Vec<Ended>) -> Result<Vec<Body>, EngineError> {
        let mut bodies = self.settlement(ended)?;
        bodies.retain(|body| matches!(body, Body::Verified(_)));
        Ok(bodies)
    }

    /// What is posted for steps of one workload on one offer is divided between them by cost.
    fn settlement(&self, ended: Vec<Ended>) -> Result<Vec<Body>, EngineError> {
        let mut bodies = Vec::new();
        let mut rest = ended;
        while let Some(first) = rest.first() {
            if first.0.reclaim.is_some() {
                let (open, posted, record) = self.reclaimed(&rest.remove(0))?;
                bodies.push(Body::Settled { step: open, posted: posted.to_string() });
                bodies.extend(record.map(Body::Verified));
                continue;
            }
            let account = Account::of(&first.0.step.action);
            let same = |ended: &Ended| {
                let other = Account::of(&ended.0.step.action);
                account.is_some() && other == account && ended.0.reclaim.is_none()
            };
            let (group, others): (Vec<_>, Vec<_>) = if account.is_some() {
                rest.iter().cloned().partition(same)
            } else {
                (vec![first.clone()], rest[1..].to_vec())
            };
            rest = others;
            let posted = self.posted_shares(&group)?;
            for ((open, since, until, complete), posted) in group.iter().zip(posted) {
                let step = open.step.id.to_string();
                bodies.push(Body::Settled { step, posted: posted.to_string() });
                // What was covered was verified when it was, and is not in force again for a tick.
                if open.ladder.is_some() && open.posted_before.is_none() {
                    continue;
                }
                let release = self.promised(open)?;
                let record = verify(&open.step, release, (*since, *until, *complete), posted)?;
                bodies.extend(record.map(Body::Verified));
            }
        }
        Ok(bodies)
    }

    /// What was taken from what runs is promised for each span of the horizon, for as long as it
    /// holds, and settled by all that the workload or the node was charged meanwhile. Nothing is
    /// verified where it is not known what that was, or it held for no time.
    fn reclaimed(
        &self,
        (open, since, until, complete): &Ended,
    ) -> Result<(String, Money, Option<VerifiedRecord>), EngineError> {
        let step = &open.step;
        // What it saved is in what the step comes to that started its members: counted here too, it
        // would be counted twice.
        if matches!(step.action, Action::Resize { .. }) {
            return Ok((step.id.to_string(), Money::zero(self.config.currency), None));
        }
        let held = until.duration_since(*since).as_nanos().max(0);
        let part = |whole: Money| {
            let pico = proportion(whole.pico(), held, self.config.horizon.as_nanos());
            let pico = pico.ok_or(EngineError::Money(MoneyError::Overflow))?;
            Ok::<_, EngineError>(Money::from_pico(pico, whole.currency()))
        };
        let posted = match &step.action {
            // What was bought for a workload is in its account; nobody promised a saving.
            Action::Buy { .. } => {
                let nothing = Money::zero(self.config.currency);
                let account = Account::of(&step.action).zip(open.posted_before);
                let posted = account.map(|(account, before)| {
                    self.accounts.posted(&account).checked_sub(before).map_err(EngineError::Money)
                });
                return Ok((step.id.to_string(), posted.transpose()?.unwrap_or(nothing), None));
            }
            Action::Release { node } => self.posted_for_node(node, (*since, *until))?,
            action => {
                let Some(before) = open.posted_before else {
                    let nothing = Money::zero(self.config.currency);
                    return Ok((step.id.to_string(), nothing, None));
                };
                let all = self.posted_for_step(action)?;
                all.checked_sub(before).map_err(EngineError::Money)?
            }
        };
        let reference = part(step.cost.checked_add(step.saving).map_err(EngineError::Money)?)?;
        let realised = reference.checked_sub(posted).map_err(EngineError::Money)?;
        let record = VerifiedRecord {
            step: step.id.to_string(),
            target: target(&step.action),
            complete: *complete,
            reference: reference.to_string(),
            predicted: part(step.saving)?.to_string(),
            realised: realised.to_string(),
            posted: posted.to_string(),
            from: since.to_string(),
            to: until.to_string(),
        };
        Ok((step.id.to_string(), posted, Some(record).filter(|_| held > 0)))
    }

    /// What a node was charged in a span; a charge that reaches out of it counts in proportion.
    fn posted_for_node(
        &self,
        node: &NodeId,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Money, EngineError> {
        let zero = Money::zero(self.config.currency);
        let Ok(window) = Window::new(from, to) else { return Ok(zero) };
        let charges = self.accounts.books().charges(&self.config.cluster, window);
        let mut sum = zero;
        for charge in charges.map_err(EngineError::Books)?.iter().filter(|it| it.node == *node) {
            let Some(inside) = charge.window.intersect(window) else { continue };
            let pico = proportion(charge.cost.pico(), inside.nanos(), charge.window.nanos());
            let pico = pico.ok_or(EngineError::Money(MoneyError::Overflow))?;
            let cost = Money::from_pico(pico, charge.cost.currency());
            sum = sum.checked_add(cost).map_err(EngineError::Money)?;
        }
        Ok(sum)
    }

    /// The horizon of the plan that a step came from.
    fn promised(&self, open: &OpenStep) -> Result<Window, EngineError> {
        Window::starting(open.proposed, self.config.horizon).ok_or(EngineError::Horizon)
    }

    fn posted_shares(&self, group: &[Ended]) -> Result<Vec<Money>, EngineError> {
        let zero = Money::zero(self.config.currency);
        let Some(account) = Account::of(&group[0].0.step.action) else {
            return Ok(vec![zero; group.len()]);
        };
        let before = group.iter().filter_map(|ended| ended.0.posted_before);
        let Some(before) = before.min_by_key(|money| money.pico()) else {
            return Ok(vec![zero; group.len()]);
        };
        let posted =
            self.accounts.posted(&account).checked_sub(before).map_err(EngineError::Money)?;
        let weights: Vec<i128> = group.iter().map(|ended| ended.0.step.cost.pico()).collect();
        if weights.iter().all(|weight| *weight == 0) {
            let mut parts = vec![zero; group.len()];
            parts[0] = posted;
            return Ok(parts);
        }
        split_money(posted, &weights).map_err(|_| EngineError::Money(MoneyError::Overflow))
    }
}

/// A step, since when it was in force, until when, and whether all of its work was done.
pub(crate) type Ended = (OpenStep, Timestamp, Timestamp, bool);

/// When a step in force ended, if it did, and whether its work was done.
fn end_of(
    open: &OpenStep,
    promised: Window,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Option<(Timestamp, bool)> {
    match &open.step.action {
        Action::Start { workload, offer, .. } => match snapshot.workload(workload) {
            // Gone from the world before its end was seen.
            None => Some((now, true)),
            Some(observed) => match &observed.state {
                WorkloadState::Finished(at) => Some((*at, true)),
                WorkloadState::Waiting | WorkloadState::Suspended => Some((now, false)),
                WorkloadState::Placed(there) => {
                    let here = there.iter().any(|assignment| assignment.offer == *offer);
                    (!here).then_some((now, false))
                }
            },
        },
        // What a ladder took from a service is taken back, however long that takes; unless somebody
        // else changed it.
        Action::Scale { workload, offer, to, .. } if open.ladder.is_some() => {
            let there = snapshot.workload(workload).map_or(0, |seen| replicas(seen, offer));
            let there = stretched(snapshot, workload).unwrap_or(there);
            (there != *to).then_some((now, false))
        }
        // What was taken from what runs holds until it is given back, in the same way.
        Action::Scale { workload, to, .. } if open.reclaim.is_some() => {
            let seen = snapshot.workload(workload).and_then(|seen| seen.workload.service());
            let wanted = seen.map(|service| service.replicas_min);
            let wanted = stretched(snapshot, workload).or(wanted);
            (wanted != Some(*to)).then_some((now, false))
        }
        Action::Scale { window, .. } => (now >= window.to()).then_some((window.to(), false)),
        // Kept open until the end of what it promised, as the node could have been paid till then.
        Action::Release { .. } => (now >= promised.to()).then_some((promised.to(), false)),
        // In force as long as it holds, so that it can be taken back.
        Action::Suspend { workload } => match snapshot.workload(workload).map(|seen| &seen.state) {
            Some(WorkloadState::Suspended) => None,
            _ => Some((now, true)),
        },
        Action::Resume { .. } => Some((now, true)),
        // As long as its members may use so much; what stands still may use nothing to say.
        Action::Resize { workload, to, .. } => match snapshot.workload(workload) {
            None => Some((now, true)),
            Some(seen) => match &seen.state {
                WorkloadState::Finished(at) => Some((*at, true)),
                WorkloadState::Waiting => Some((now, false)),
                WorkloadState::Placed(_) | WorkloadState::Suspended => {
                    let terms = snapshot.terms.workloads.get(workload);
                    let fit = terms.and_then(|terms| terms.fit.as_ref());
                    fit.filter(|fit| fit.limits != *to).map(|_| (now, false))
                }
            },
        },
        // What a pool was told holds until it is taken back; a pool that is gone was told nothing.
        Action::Buy { pool, .. } => {
            let there = pool.as_ref().is_some_and(|pool| snapshot.terms.pools.contains_key(pool));
            (!there).then_some((now, false))
        }
    }
}

/// Whether a ladder took something that nothing is set aside for.
fn is_bare_cut(open: &OpenStep) -> bool {
    open.ladder.is_some() && open.reserved.is_none_or(|reserved| reserved.pico() == 0)
}

/// Members that are wanted of what may be stretched and runs; others are counted as they are.
fn stretched(snapshot: &Snapshot, workload: &WorkloadId) -> Option<u32> {
    let runs = matches!(snapshot.workload(workload)?.state, WorkloadState::Placed(_));
    let stretch = snapshot.terms.workloads.get(workload)?.stretch.as_ref();
    stretch.filter(|_| runs).map(|stretch| stretch.wanted)
}

/// Replicas of a service on an offer.
fn replicas(observed: &Observed, offer: &OfferId) -> u32 {
    let WorkloadState::Placed(there) = &observed.state else { return 0 };
    there.iter().filter(|there| there.offer == *offer).map(|there| there.members).sum()
}

/// The verification of one step; `None` where nothing was promised. `release` is the span that the
/// promise of a release was made for.
fn verify(
    step: &Step,
    release: Window,
    (since, until, complete): (Timestamp, Timestamp, bool),
    posted: Money,
) -> Result<Option<VerifiedRecord>, EngineError> {
    let window = match &step.action {
        Action::Start { window, .. } | Action::Scale { window, .. } => *window,
        Action::Release { .. } => release,
        Action::Suspend { .. }
        | Action::Resume { .. }
        | Action::Resize { .. }
        | Action::Buy { .. } => return Ok(None),
    };
    let from = since.max(window.from());
    let in_force = Window::new(from, until.max(from)).ok();
    let share = |whole: Money| -> Result<Money, EngineError> {
        if complete {
            return Ok(whole);
        }
        let held = in_force.and_then(|held| held.intersect(window));
        let held = held.map_or(0, Window::nanos);
        let parts = split_money(whole, &[held, window.nanos() - held])
            .map_err(|_| EngineError::Money(MoneyError::Overflow))?;
        Ok(parts[0])
    };
    let reference = step.cost.checked_add(step.saving).map_err(EngineError::Money)?;
    let predicted = share(step.saving)?;
    let reference = share(reference)?;
    let realised = reference.checked_sub(posted).map_err(EngineError::Money)?;
    Ok(Some(VerifiedRecord {
        step: step.id.to_string(),
        target: target(&step.action),
        complete,
        reference: reference.to_string(),
        predicted: predicted.to_string(),
        realised: realised.to_string(),
        posted: posted.to_string(),
        from: from.to_string(),
        to: until.max(from).to_string(),
    }))
}
