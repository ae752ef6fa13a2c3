//! `journal`: its records as they are kept, newest first.

use super::scalar::time;
use farthing_edge::Record;
use farthing_model::hex;
use serde::Serialize;
use serde_json::value::RawValue;

/// A record.
#[derive(Clone, Debug, Serialize)]
pub struct RecordJson {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: String,
    /// What it is about.
    pub kind: &'static str,
    /// Its own hash, in hex; the record after it carries it. `null` where only a part is shown.
    pub hash: Option<String>,
    /// What it says, byte for byte as it was sealed; `null` where that is not JSON.
    pub body: Option<Box<RawValue>>,
}

/// A page of something.
#[derive(Clone, Debug, Serialize)]
pub struct PageJson<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next: Option<String>,
}

/// The wire form of a record, or of the part of one.
pub fn record(record: &Record, is_part: bool) -> RecordJson {
    RecordJson {
        seq: record.seq,
        at: time(record.at),
        kind: record.kind.name(),
        hash: (!is_part).then(|| hex(&record.hash)),
        body: RawValue::from_string(record.body.clone()).ok(),
    }
}
