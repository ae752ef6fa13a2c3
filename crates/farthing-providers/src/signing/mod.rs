//! Signed checkpoints: what makes a journal hold also against who can write all of it.
//!
//! A hash chain shows what was changed in the middle; who rewrites everything after a change makes
//! it hold again. A checkpoint is a record that signs the one before it, and so all before that,
//! with a key (Ed25519) that need not be where the journal is. [`Signed`] writes them, in the same
//! transaction as what they follow; [`Audit`] checks them.
//!
//! Nothing here knows what records say, checkpoints apart.

mod key;

pub use key::{KeyError, PublicKey, Signer};

use farthing_edge::chain::{self, Head, NewRecord, Record, RecordKind};
use farthing_edge::check::JournalFault;
use farthing_edge::{EdgeError, Store};
use farthing_model::{ClusterId, hex, unhex};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A checkpoint is due after so many records.
const EVERY_RECORDS: u64 = 1_000;
/// And after this long.
const EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What a checkpoint says, in the engine's own form: it is a record as others are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case", deny_unknown_fields)]
enum Body {
    Checkpoint { cluster: String, seq: u64, hash: String, key: String, signature: String },
}

/// How the body of a checkpoint begins.
const BEGINS: &str = "{\"record\":\"checkpoint\",";

/// What is signed: a version, whose journal, and its end.
fn message(cluster: &str, head: &Head) -> Vec<u8> {
    let hash = hex(&head.hash);
    format!("farthing checkpoint 1\n{cluster}\n{}\n{hash}\n", head.seq).into_bytes()
}

/// Signs the end of a journal.
pub fn sign(signer: &Signer, cluster: &str, head: &Head) -> [u8; 64] {
    signer.sign(&message(cluster, head))
}

/// Whether a signature is of `key`, over the end of a journal.
pub fn verifies(key: PublicKey, cluster: &str, head: &Head, signature: &[u8]) -> bool {
    key.verifies(&message(cluster, head), signature)
}

/// A [`Store`] that writes checkpoints: with the first append, with the last, and when one is due.
///
/// An append returns one record more than it was given where it wrote a checkpoint.
#[derive(Debug)]
pub struct Signed<S> {
    store: S,
    cluster: ClusterId,
    signer: Arc<Signer>,
    /// Records since the last checkpoint of this one, and when that was.
    since: Option<(u64, Timestamp)>,
}

impl<S: Store> Signed<S> {
    /// Signs what is appended to the journal of `cluster`.
    pub const fn new(store: S, cluster: ClusterId, signer: Arc<Signer>) -> Self {
        Self { store, cluster, signer, since: None }
    }

    fn is_due(&self, records: &[NewRecord]) -> bool {
        let Some((count, at)) = self.since else { return true };
        let more = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let is_last = |record: &NewRecord| record.kind == RecordKind::Closed;
        count.saturating_add(more) >= EVERY_RECORDS
            || records.iter().any(is_last)
            || records.last().is_some_and(|last| last.at.duration_since(at).abs() >= EVERY)
    }

    /// The checkpoint of a journal that ends so.
    fn checkpoint(&self, last: &Record) -> NewRecord {
        let head = Head { seq: last.seq, hash: last.hash };
        let body = Body::Checkpoint {
            cluster: self.cluster.to_string(),
            seq: head.seq,
            hash: hex(&head.hash),
            key: self.signer.public().to_string(),
            signature: hex(&sign(&self.signer, self.cluster.as_str(), &head)),
        };
        // These fields always have a JSON form.
        let body = serde_json::to_string(&body).unwrap_or_default();
        NewRecord { at: last.at, kind: RecordKind::Noted, body }
    }
}

impl<S: Store> Store for Signed<S> {
    fn head(&self) -> Result<Head, EdgeError> {
        self.store.head()
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        let more = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let sealed = if self.is_due(records) { chain::seal(expected, records) } else { Vec::new() };
        let Some(last) = sealed.last() else {
            let written = self.store.append(expected, records)?;
            self.since = self.since.map(|(count, at)| (count.saturating_add(more), at));
            return Ok(written);
        };
        let mut records = records.to_vec();
        records.push(self.checkpoint(last));
        let written = self.store.append(expected, &records)?;
        self.since = Some((0, last.at));
        Ok(written)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        self.store.read(from, limit)
    }
}

/// The checkpoints of a journal, checked as its records go by.
#[derive(Debug)]
pub struct Audit<'a> {
    cluster: &'a str,
    trusted: &'a [PublicKey],
    /// Checkpoints that hold.
    pub checkpoints: u64,
    /// The last record that is signed.
    pub signed: u64,
    /// Whose signatures they are.
    pub keys: BTreeSet<PublicKey>,
    /// The first that does not hold.
    pub first_fault: Option<JournalFault>,
}

impl<'a> Audit<'a> {
    /// Of the journal of `cluster`. Where `trusted` names keys a checkpoint of another is a fault.
    pub const fn new(cluster: &'a str, trusted: &'a [PublicKey]) -> Self {
        Self {
            cluster,
            trusted,
            checkpoints: 0,
            signed: 0,
            keys: BTreeSet::new(),
            first_fault: None,
        }
    }

    /// Takes the next record, which the chain holds.
    pub fn see(&mut self, record: &Record) {
        if record.kind != RecordKind::Noted || !record.body.starts_with(BEGINS) {
            return;
        }
        match self.check(record) {
            Ok((key, seq)) => {
                self.checkpoints += 1;
                self.signed = seq;
                self.keys.insert(key);
            }
            Err(what) => {
                self.first_fault.get_or_insert(JournalFault { seq: Some(record.seq), what });
            }
        }
    }

    fn check(&self, record: &Record) -> Result<(PublicKey, u64), String> {
        let Body::Checkpoint { cluster, seq, hash, key, signature } =
            serde_json::from_str(&record.body)
                .map_err(|error| format!("a checkpoint that cannot be read: {error}"))?;
        let before = Head { seq: record.seq - 1, hash: record.previous };
        if cluster != self.cluster {
            return Err(format!("a checkpoint of the journal of {cluster}"));
        }
        if (seq, hash.as_str()) != (before.seq, hex(&before.hash).as_str()) {
            return Err("a checkpoint of another record than the one before it".to_owned());
        }
        let key: PublicKey = key.parse().map_err(|error: KeyError| error.to_string())?;
        let signature = unhex::<64>(&signature);
        if !signature.is_some_and(|signature| verifies(key, self.cluster, &before, &signature)) {
            return Err("a checkpoint whose signature does not hold".to_owned());
        }
        if !self.trusted.is_empty() && !self.trusted.contains(&key) {
            return Err(format!("a checkpoint by the key {key}, which is not one that is trusted"));
        }
        Ok((key, before.seq))
    }
}

#[cfg(test)]
mod tests;
