//! Work that held accelerators and did nothing with any of them, by the verdicts of the ledger.
//!
//! A verdict is on all devices of all members; here it counts only where it speaks of as many
//! devices as the workload has: what no exporter says anything about is not idle.

use super::{Wanted, is_others, is_taken, replicas, standing, terms};
use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use farthing_edge::Store;
use farthing_ledger::{SurveyError, Verdict, Watch, survey};
use farthing_model::{
    Action, Money, MoneyError, Observed, Reason, Snapshot, Window, WorkloadKind, proportion,
};
use jiff::{SignedDuration, Timestamp};

/// Idle work is looked for so often in the time that it has to be idle: reading that time of the
/// books anew with every tick would tell nothing new.
const LOOKS: i32 = 8;

impl<W: World, S: Store> Engine<W, S> {
    /// What was idle for a span, where it can be stopped so that it can go on; `None` where nobody
    /// looked.
    pub(super) fn idle_work(
        &mut self,
        snapshot: &Snapshot,
        (span, now): (SignedDuration, Timestamp),
        notes: &mut Vec<String>,
    ) -> Result<Option<Vec<Wanted>>, EngineError> {
        let again = self.looked.is_none_or(|last| now.duration_since(last) >= span / LOOKS);
        let from = now.checked_sub(span).map_err(|_| EngineError::Horizon)?;
        let Some(window) = Window::new(from, now).ok().filter(|_| again) else {
            return Ok(None);
        };
        self.looked = Some(now);
        let currency = self.config.currency;
        let asked = Watch { window, every: None, calendar: Vec::new(), currency };
        let found = match survey(self.accounts.books(), &self.config.cluster, &asked) {
            Ok(found) => found,
            Err(SurveyError::Money(error)) => return Err(EngineError::Money(error)),
            // What cannot be read is not idle; that it cannot be is said by whoever reports on it.
            Err(error) => {
                notes.push(format!("nothing is known of idle work: {error}"));
                return Ok(None);
            }
        };
        let mut wanted = Vec::new();
        for verdict in found.verdicts.iter().filter(|verdict| verdict.idle) {
            let Some(observed) = snapshot.workload(&verdict.workload) else { continue };
            let id = &verdict.workload;
            let taken = is_taken(self.journal.state(), id, (span, now));
            if is_others(snapshot, id) || taken || !speaks_of_all(verdict, observed) {
                continue;
            }
            if let Some(action) = self.stop(snapshot, observed, now)? {
                wanted.push(
                    self.want(action, observed, (verdict, span)).map_err(EngineError::Money)?,
                );
            }
        }
        Ok(Some(wanted))
    }

    /// How something is stopped; `None` where it cannot be.
    fn stop(
        &self,
        snapshot: &Snapshot,
        observed: &Observed,
        now: Timestamp,
    ) -> Result<Option<Action>, EngineError> {
        let workload = observed.workload.id.clone();
        if let WorkloadKind::Job(job) = &observed.workload.kind {
            let may = job.interruptible.is_some() && standing(observed).is_some();
            return Ok(may.then_some(Action::Suspend { workload }));
        }
        let bounds = terms(snapshot, &workload).and_then(|terms| terms.elastic);
        let (Some(from), Some((offer, there)), None) =
            (replicas::replicas(observed), standing(observed), bounds)
        else {
            return Ok(None);
        };
        if from == 0 || from != there {
            return Ok(None);
        }
        let (offer, window) = (offer.clone(), self.each_span(now)?);
        Ok(Some(Action::Scale { workload, offer, from, to: 0, nodes_each: 1, window }))
    }

    fn want(
        &self,
        action: Action,
        observed: &Observed,
        (verdict, span): (&Verdict, SignedDuration),
    ) -> Result<Wanted, MoneyError> {
        const DAY: SignedDuration = SignedDuration::from_hours(24);
        let horizon = self.config.horizon.as_nanos();
        let saving = proportion(verdict.per_day.pico(), horizon, DAY.as_nanos());
        let saving = Money::from_pico(saving.ok_or(MoneyError::Overflow)?, self.config.currency);
        let most = verdict.devices.iter().filter_map(|it| it.evidence.active_most).max();
        let most = most.map_or_else(String::new, |most| format!(", at most {most} ‰ active"));
        let why = format!(
            "{}: all {} accelerators did nothing for {span:#}{most}, {} % of it seen, {} a day",
            verdict.activity,
            verdict.devices.len(),
            verdict.coverage_ppm / 10_000,
            verdict.per_day.rounded(2),
        );
        let cost = Money::zero(self.config.currency);
        let (generation, reasons) = (observed.generation, vec![Reason::Rule(why)]);
        Ok(Wanted { action, generation, cost, saving, reasons })
    }
}

/// Whether a verdict speaks of every accelerator that a workload has.
fn speaks_of_all(verdict: &Verdict, observed: &Observed) -> bool {
    let Some((_, members)) = standing(observed) else { return false };
    let has = observed.workload.resources.gpu_milli.saturating_mul(u64::from(members));
    let judged = verdict.devices.len() as u64;
    has > 0 && judged.saturating_mul(1_000) >= has
}
