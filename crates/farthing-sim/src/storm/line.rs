//! A line: how one process reaches the world and the journal. Each call goes through the door of
//! the outside, and a defect, where a case has one, sits behind it.

use super::defect::Defect;
use super::outside::{Hub, Outside, Process};
use super::trouble::{Op, Trouble};
use farthing_edge::{
    Act, Class, EdgeError, Head, Measure, Measured, NewRecord, Observe, Quote, Record, RecordKind,
    Store,
};
use farthing_model::{
    Action, Coverage, Observed, Offer, Receipt, ReceiptOutcome, Snapshot, Step, StepId, Window,
};
use jiff::Timestamp;
use std::sync::Arc;

/// Amounts that stand for "no number" in what machines report, in 10^-9 unit-seconds: below zero,
/// the largest number of 64 bits as a rate, and one that no machine has.
const SENTINELS: [i128; 3] =
    [-1, 18_446_744_073_709_551_615_000_000_000, 1_000_000_000_000_000_000_000_000_000_000_000];

/// How one process reaches the world and the journal.
#[derive(Clone)]
pub(super) struct Line {
    hub: Arc<Hub>,
    process: Process,
}

impl Line {
    pub(super) fn new(hub: &Arc<Hub>, process: Process) -> Self {
        Self { hub: Arc::clone(hub), process }
    }

    fn call<T>(
        &self,
        op: Op,
        about: &str,
        effect: impl FnOnce(&mut Outside) -> Result<T, EdgeError>,
    ) -> Result<T, EdgeError> {
        let called = self.hub.call((self.process, op), about, effect);
        called.unwrap_or_else(|broken| Err(broken.edge()))
    }
}

impl Observe for Line {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let process = self.process;
        self.call(Op::Observe, "", |outside| {
            let fresh = outside.world.observe(now)?;
            let mut shown = fresh.clone();
            let old = outside.seen.replace(fresh);
            let missed = old.is_some_and(|old| show_again(outside, &old, &mut shown));
            outside.auditor.observed(process, &shown, missed);
            if let Some(defect) = outside.defect {
                defect.shows(&mut shown);
            }
            Ok(shown)
        })
    }
}

/// Shows workloads as they were: all of them, which their age says, or one, which nothing says and
/// is then true.
fn show_again(outside: &mut Outside, old: &Snapshot, shown: &mut Snapshot) -> bool {
    if outside.strikes(Trouble::WatchGap, Op::Observe) {
        shown.workloads.clone_from(&old.workloads);
        let as_of = |snapshot: &Snapshot| {
            let ages = snapshot.ages.iter().filter(|age| age.part == "workloads");
            ages.map(|age| age.as_of).min()
        };
        let then = as_of(old);
        for age in shown.ages.iter_mut().filter(|age| age.part == "workloads") {
            age.as_of = then.map_or(age.as_of, |then| then.min(age.as_of));
        }
    }
    if outside.strikes(Trouble::MissedEvent, Op::Observe) {
        let draw = outside.draw(Trouble::MissedEvent);
        let old = draw.pick(&old.workloads);
        let mut workloads = shown.workloads.iter_mut();
        let mut shows = |old: &Observed| workloads.find(|it| it.workload.id == old.workload.id);
        if let Some((old, it)) = old.and_then(|old| Some((old, shows(old)?))) {
            *it = old.clone();
            return true;
        }
    }
    false
}

impl Measure for Line {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let process = self.process;
        let measured = self.call(Op::Measure, &window.to_string(), |outside| {
            let mut measured = outside.world.measure(window)?;
            disturb(outside, &mut measured);
            outside.auditor.measured(process, measured.coverage);
            if let Some(defect) = outside.defect {
                defect.measures(&mut measured);
            }
            Ok(measured)
        });
        if measured.is_err() {
            let mut outside = self.hub.outside();
            let nothing = Coverage { expected_nanos: window.nanos(), measured_nanos: 0 };
            outside.auditor.measured(process, nothing);
            let defect = outside.defect == Some(Defect::TakesAFailureForNothing);
            if defect && !outside.is_stopped(process) {
                return Ok(Measured::default());
            }
        }
        measured
    }
}

/// Numbers that are none, and counters that began anew.
fn disturb(outside: &mut Outside, measured: &mut Measured) {
    for sample in &mut measured.samples {
        if outside.strikes(Trouble::Sentinel, Op::Measure) {
            let draw = outside.draw(Trouble::Sentinel);
            sample.used_nano = draw.pick(&SENTINELS).copied();
        }
        if outside.strikes(Trouble::CounterReset, Op::Measure) {
            sample.used_nano = None;
        }
    }
}

impl Quote for Line {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.call(Op::Quote, "", |outside| outside.world.offers(now))
    }
}

/// What doing an action is.
const fn acting(action: &Action) -> Op {
    match action {
        Action::Start { .. } => Op::Start,
        Action::Scale { .. } | Action::Resize { .. } => Op::Scale,
        Action::Suspend { .. } => Op::Suspend,
        Action::Resume { .. } => Op::Resume,
        Action::Release { .. } | Action::Buy { .. } => Op::Release,
    }
}

/// Does a step under a name of its own, as whoever cannot tell one try from another.
fn again(outside: &mut Outside, step: &Step, now: Timestamp) -> Option<Receipt> {
    let id = StepId::new(&format!("{}-again", step.id)).ok()?;
    let receipt = outside.world.act(&Step { id, ..step.clone() }, now).ok()?;
    Some(Receipt { step: step.id.clone(), ..receipt })
}

impl Act for Line {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        let receipt = self.call(acting(&step.action), step.id.as_str(), |outside| {
            let before = step
                .action
                .workload()
                .and_then(|id| outside.world.truth(now).workload(id).cloned());
            if outside.defect == Some(Defect::ActsTwice) {
                let _twice = again(outside, step, now);
            }
            let mut acted = outside.world.act(step, now);
            if acted.is_err() && outside.defect == Some(Defect::TriesAgain) {
                acted = again(outside, step, now).map_or(acted, Ok);
            }
            outside.auditor.acted(step, before, &outside.world);
            acted.map(|receipt| match (&receipt.outcome, outside.defect) {
                (ReceiptOutcome::Conflict(_), Some(Defect::TakesARefusalForDone)) => {
                    Receipt { outcome: ReceiptOutcome::Done, ..receipt }
                }
                _ => receipt,
            })
        });
        // Whatever came of it, this process is not about to do it any more.
        self.hub.outside().auditor.has_acted(&step.id);
        receipt
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        let process = self.process;
        let outcome = self.call(Op::Ask, step.as_str(), |outside| {
            let outcome = outside.world.outcome_of(step, now);
            match outside.defect {
                Some(Defect::Forgets) => Ok(None),
                Some(Defect::NeverAnswers) => {
                    Err(EdgeError::new(Class::Transient, format!("step {step}: no answer")))
                }
                _ => {
                    outside.auditor.answered(step, matches!(outcome, Ok(None)));
                    outcome
                }
            }
        });
        let mut outside = self.hub.outside();
        let never = outside.defect == Some(Defect::NeverAnswers);
        if outcome.is_err() && !never {
            outside.auditor.unanswered(process, step);
        }
        outcome
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.call(Op::Undo, step.id.as_str(), |outside| {
            let undone = if outside.defect == Some(Defect::UndoesNothing) {
                let outcome = ReceiptOutcome::Done;
                Ok(Receipt { step: step.id.clone(), at: outside.world.now(), outcome })
            } else {
                outside.world.undo(step, now)
            };
            if let Ok(Receipt { outcome: ReceiptOutcome::Done, .. }) = &undone {
                outside.auditor.undone(step, &outside.world);
            }
            undone
        })
    }
}

/// What an append is about: the most that one of its records does.
fn writing(records: &[NewRecord]) -> Op {
    let has = |kind: RecordKind| records.iter().any(|record| record.kind == kind);
    if has(RecordKind::Intended) {
        Op::WriteIntent
    } else if has(RecordKind::Receipted) {
        Op::WriteReceipt
    } else if has(RecordKind::Settled) {
        Op::WriteSettlement
    } else if has(RecordKind::Planned) {
        Op::WritePlan
    } else {
        Op::WriteNote
    }
}

impl Store for Line {
    fn head(&self) -> Result<Head, EdgeError> {
        self.call(Op::ReadJournal, "", |outside| outside.journal.head())
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        let process = self.process;
        let kinds: Vec<&str> = records.iter().map(|record| record.kind.name()).collect();
        self.call(writing(records), &kinds.join("+"), |outside| {
            outside.append(process, expected, records)
        })
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        self.call(Op::ReadJournal, "", |outside| outside.journal.read(from, limit))
    }
}
