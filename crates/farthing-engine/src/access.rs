//! Who may do what, and who did: records of tokens, log-ins and refusals.
//!
//! A token is in the journal so that every replica, and a command on another machine, knows the
//! same ones. What is kept of it is a hash, from which nobody makes the token again. The loop acts
//! on none of this; the server folds it for itself.

use crate::engine::{Engine, World};
use crate::error::EngineError;
use crate::journal::Journal;
use crate::record::Body;
use farthing_edge::Store;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How often an append is tried again when others write to the journal meanwhile.
const TRIES: usize = 1_000;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Its name, which is the visible beginning of the token.
    pub token: String,
    /// Who or what has it.
    pub name: String,
    /// SHA-256 of the whole token, in hex.
    pub hash: String,
    /// `viewer`, `team`, `operator` or `admin`.
    pub role: String,
    /// The teams that it is for; nothing = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<String>>,
    /// What it may be used for; nothing = all that its role may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Not good after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Who made it.
    pub by: String,
}

/// Someone came in, was refused, or read what is not his own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRecord {
    /// `log-in`, `log-out`, `refused` or `read`.
    pub what: String,
    /// Who, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// From which address.
    pub from: String,
    /// More: the way in, the reason of a refusal, the route that was read.
    pub detail: String,
    /// How many of the same there were since the last such record.
    pub times: u64,
}

/// Appends records of identity; others may write meanwhile.
///
/// # Errors
/// The journal failed, or others wrote first a thousand times.
pub fn record_access<S: Store>(
    journal: &mut Journal<S>,
    bodies: &[Body],
    now: Timestamp,
) -> Result<(), EngineError> {
    for _ in 0..TRIES {
        match journal.append(now, bodies) {
            Err(EngineError::Superseded) => {}
            other => return other,
        }
    }
    Err(EngineError::Superseded)
}

impl<W: World, S: Store> Engine<W, S> {
    /// As [`record_access`], in the loop's own journal.
    ///
    /// # Errors
    /// As there.
    pub fn record_access(&mut self, bodies: &[Body], now: Timestamp) -> Result<(), EngineError> {
        record_access(&mut self.journal, bodies, now)
    }
}
