//! The hash chain of the journal.
//!
//! `hash = SHA-256(seq as u64 BE ‖ previous hash ‖ at as i128 ns BE ‖ kind length as u32 BE ‖ kind
//! ‖ body)`. A flipped byte anywhere changes a hash, and [`verify`] names the first record that
//! does not hold.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What a record is about; the engine's codec knows the bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A run of the engine began: version, mode, configuration.
    Started,
    /// A plan with its report.
    Planned,
    /// A person approved or rejected a step.
    Approved,
    /// Budget was set aside for a step.
    Reserved,
    /// A step is about to be done.
    Intended,
    /// What happened to a step.
    Receipted,
    /// A reservation became what was really spent, or was released.
    Settled,
    /// A step's predicted saving against the realised one.
    Verified,
    /// A step was taken back.
    Undone,
    /// Something a person should know: stale data, a gap, a refused step.
    Noted,
    /// Who may do what: a token was issued or revoked.
    Identity,
    /// Who came in, who was refused, and who read what is not his own.
    Accessed,
    /// A run of the engine ended as it should.
    Closed,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Started,
        Self::Planned,
        Self::Approved,
        Self::Reserved,
        Self::Intended,
        Self::Receipted,
        Self::Settled,
        Self::Verified,
        Self::Undone,
        Self::Noted,
        Self::Identity,
        Self::Accessed,
        Self::Closed,
    ];

    /// The name as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Planned => "planned",
            Self::Approved => "approved",
            Self::Reserved => "reserved",
            Self::Intended => "intended",
            Self::Receipted => "receipted",
            Self::Settled => "settled",
            Self::Verified => "verified",
            Self::Undone => "undone",
            Self::Noted => "noted",
            Self::Identity => "identity",
            Self::Accessed => "accessed",
            Self::Closed => "closed",
        }
    }

    /// The kind of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A record that is not yet in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// When it was decided.
    pub at: Timestamp,
    /// What it is about.
    pub kind: RecordKind,
    /// What it says, in the engine's own codec (canonical JSON).
    pub body: String,
}

/// A record of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What it is about.
    pub kind: RecordKind,
    /// What it says.
    pub body: String,
    /// The hash of the record before it.
    pub previous: Hash,
    /// Its own hash.
    pub hash: Hash,
}

/// The end of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last record; 0 when empty.
    pub seq: u64,
    /// Its hash; zeros when empty.
    pub hash: Hash,
}

impl Head {
    /// The head of an empty journal.
    pub const GENESIS: Self = Self { seq: 0, hash: [0; 32] };
}

/// The first place where a journal does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFault {
    /// Number of the record.
    pub seq: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for ChainFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "record {}: {}", self.seq, self.what)
    }
}

/// Chains `records` to `head`. Every store appends through this.
pub fn seal(head: &Head, records: &[NewRecord]) -> Vec<Record> {
    let mut previous = *head;
    records
        .iter()
        .map(|new| {
            let seq = previous.seq + 1;
            let hash = hash_of(seq, &previous.hash, new.at, new.kind, &new.body);
            let record = Record {
                seq,
                at: new.at,
                kind: new.kind,
                body: new.body.clone(),
                previous: previous.hash,
                hash,
            };
            previous = Head { seq, hash };
            record
        })
        .collect()
}

/// Checks that `records` follow `head` without a gap and that each hash holds; returns the new
/// head.
///
/// # Errors
/// The first record that does not hold.
pub fn verify(head: &Head, records: &[Record]) -> Result<Head, ChainFault> {
    let mut previous = *head;
    for record in records {
        let fault = |what: &str| ChainFault { seq: record.seq, what: what.to_owned() };
        if record.seq != previous.seq + 1 {
            let what = format!("follows record {}: records are missing", previous.seq);
            return Err(ChainFault { seq: record.seq, what });
        }
        if record.previous != previous.hash {
            return Err(fault("does not carry the hash of the record before it"));
        }
        let hash = hash_of(record.seq, &record.previous, record.at, record.kind, &record.body);
        if record.hash != hash {
            return Err(fault("its content does not have the hash it was sealed with"));
        }
        previous = Head { seq: record.seq, hash };
    }
    Ok(previous)
}

fn hash_of(seq: u64, previous: &Hash, at: Timestamp, kind: RecordKind, body: &str) -> Hash {
    let kind = kind.name().as_bytes();
    let kind_len = u32::try_from(kind.len()).unwrap_or(u32::MAX);
    let mut hasher = Sha256::new();
    hasher.update(seq.to_be_bytes());
    hasher.update(previous);
    hasher.update(at.as_nanosecond().to_be_bytes());
    hasher.update(kind_len.to_be_bytes());
    hasher.update(kind);
    hasher.update(body.as_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn journal(bodies: &[String]) -> Vec<Record> {
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| NewRecord {
                at: Timestamp::from_second(i64::try_from(index).unwrap()).unwrap(),
                kind: RecordKind::ALL[index % RecordKind::ALL.len()],
                body: body.clone(),
            })
            .collect();
        seal(&Head::GENESIS, &records)
    }

    proptest! {
        #[test]
        fn one_flipped_byte_is_found_and_located(
            bodies in prop::collection::vec("[ -~]{1,20}", 1..12),
            which in any::<prop::sample::Index>(),
            byte in any::<prop::sample::Index>(),
            bit in 0_u8..7,
        ) {
            let mut records = journal(&bodies);
            prop_assert!(verify(&Head::GENESIS, &records).is_ok());
            let record = &mut records[which.index(bodies.len())];
            let seq = record.seq;
            let mut body = record.body.clone().into_bytes();
            let at = byte.index(body.len());
            body[at] ^= 1 << bit;
            record.body = String::from_utf8(body).unwrap();
            prop_assert_eq!(verify(&Head::GENESIS, &records).unwrap_err().seq, seq);
        }

        #[test]
        fn a_missing_record_is_found(count in 2_usize..10, gone in any::<prop::sample::Index>()) {
            let mut records = journal(&vec!["x".to_owned(); count]);
            let gone = gone.index(count - 1);
            records.remove(gone);
            let fault = verify(&Head::GENESIS, &records).unwrap_err();
            prop_assert_eq!(fault.seq, u64::try_from(gone).unwrap() + 2);
        }
    }
}
