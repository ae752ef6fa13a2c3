//! Commands that were run and metered: what each was expected to take, and what it took, so that
//! the next estimate of the same kind of work knows better.
//!
//! It refuses to know how anything was estimated or measured. Start with [`record_run`] and
//! [`Open::runs`](crate::Open).

use crate::engine::{Engine, World};
use crate::error::EngineError;
use crate::journal::{Journal, Open};
use crate::record::Body;
use farthing_edge::{Class, Store};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How often a record is tried again when others write to the journal meanwhile.
const TRIES: usize = 1_000;

/// So many of the newest runs of a kind are remembered: enough for quantiles, and old ones are of
/// other code.
const RUNS_OF_A_KIND: usize = 50;

/// So many kinds are remembered.
const KINDS_MAX: usize = 10_000;

/// A command that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Its name, which its charges have as label `run`.
    pub run: String,
    /// What makes runs comparable: name, command or image, and accelerators.
    pub kind: String,
    /// From when.
    pub from: String,
    /// How long, in milliseconds.
    pub wall_ms: u64,
    /// How it ended: `exited 0`, `killed by signal 9`, `stopped at the limit of cost`.
    pub outcome: String,
    /// Whether it ran to its own end without a fault; others say nothing of how long that takes.
    pub complete: bool,
    /// What it cost, where the price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// What it was expected to take, in milliseconds, before anything was learned from other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_ms: Option<u64>,
    /// What it was expected to cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_cost: Option<String>,
}

/// Records a run.
///
/// # Errors
/// The journal failed.
pub fn record_run<S: Store>(
    journal: &mut Journal<S>,
    run: &RunRecord,
    now: Timestamp,
) -> Result<(), EngineError> {
    for _ in 0..TRIES {
        match journal.append(now, &[Body::Ran(Box::new(run.clone()))]) {
            // Someone else wrote first.
            Err(EngineError::Superseded) => {}
            Err(EngineError::Store(error)) if error.class() == Class::Transient => {
                journal.refresh()?;
                // It may have been written all the same.
                let known = journal.state().runs.get(&run.kind);
                if known.is_some_and(|runs| runs.contains(run)) {
                    return Ok(());
                }
            }
            done => return done,
        }
    }
    Err(EngineError::Superseded)
}

impl<W: World, S: Store> Engine<W, S> {
    /// As [`record_run`], in the loop's own journal.
    ///
    /// # Errors
    /// As there.
    pub fn record_run(&mut self, run: &RunRecord, now: Timestamp) -> Result<(), EngineError> {
        record_run(&mut self.journal, run, now)
    }
}

impl Open {
    /// Takes a run.
    pub(crate) fn ran(&mut self, run: RunRecord) {
        if self.runs.len() >= KINDS_MAX && !self.runs.contains_key(&run.kind) {
            return;
        }
        let runs = self.runs.entry(run.kind.clone()).or_default();
        if runs.len() >= RUNS_OF_A_KIND {
            runs.remove(0);
        }
        runs.push(run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_edge::MemoryStore;

    fn run(number: u64) -> RunRecord {
        RunRecord {
            run: format!("r{number}"),
            kind: "train".to_owned(),
            from: "2026-11-01T00:00:00Z".to_owned(),
            wall_ms: number,
            outcome: "exited 0".to_owned(),
            complete: true,
            cost: Some("1 USD".to_owned()),
            expected_ms: None,
            expected_cost: None,
        }
    }

    #[test]
    fn runs_come_back_newest_last_and_old_ones_are_forgotten() {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let mut journal = Journal::open(MemoryStore::default()).unwrap();
        for number in 0..60 {
            record_run(&mut journal, &run(number), now).unwrap();
        }
        let again = Journal::open(journal.into_store()).unwrap();
        let runs = &again.state().runs["train"];
        assert_eq!((runs.len(), runs.last()), (RUNS_OF_A_KIND, Some(&run(59))));
        assert_eq!(runs[0], run(10));
    }
}
