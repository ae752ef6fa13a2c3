//! A journal in a file: one line of JSON for each record, its end signed. It is what a backup is,
//! what an auditor gets, and the way from one store to another.
//!
//! ```text
//! {"farthing":"journal","version":1,"cluster":"lab"}
//! {"seq":1,"at":"2026-11-26T12:00:00Z","kind":"noted","previous":"0..","hash":"5..","body":".."}
//! {"end":1,"hash":"5e..","key":"3f..","signature":"9c.."}
//! ```
//!
//! Reading is strict: each line must be, byte for byte, what would be written for what it says.

use crate::signing::{self, PublicKey, Signer};
use farthing_edge::chain::{self, Head, Record, RecordKind};
use farthing_edge::{EdgeError, Store};
use farthing_model::{hex, unhex};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read as _, Write};

/// Records read from a store at once.
const PAGE: usize = 1_000;
/// Most bytes of one line.
const LINE_BYTES_MAX: u64 = 1 << 28;
/// The form that this program writes and reads.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    farthing: String,
    version: u32,
    cluster: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at: String,
    kind: String,
    previous: String,
    hash: String,
    body: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    end: u64,
    hash: String,
    key: String,
    signature: String,
}

/// Why a journal could not be written to a file.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The journal.
    #[error("the journal cannot be read")]
    Store(#[source] EdgeError),
    /// The file.
    #[error("the file cannot be written")]
    File(#[source] io::Error),
    /// The journal does not hold: a copy of it would not either.
    #[error("the journal does not hold: {0}")]
    Chain(chain::ChainFault),
}

/// What is wrong with a file, and in which line (from 1).
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ReadError {
    /// The line.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// What a file was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Whose journal.
    pub cluster: String,
    /// Its last record.
    pub head: Head,
    /// Who signed its end.
    pub key: PublicKey,
}

/// Writes the journal of `cluster` as it is now; what is appended meanwhile is not in it.
///
/// # Errors
/// The journal cannot be read or does not hold, or the file cannot be written.
pub fn write(
    store: &dyn Store,
    cluster: &str,
    signer: &Signer,
    out: &mut dyn Write,
) -> Result<Head, WriteError> {
    let end = store.head().map_err(WriteError::Store)?;
    let first = First { farthing: "journal".to_owned(), version: VERSION, cluster: cluster.into() };
    put(out, &first)?;
    let mut at = Head::GENESIS;
    while at.seq < end.seq {
        let page = store.read(at.seq + 1, PAGE).map_err(WriteError::Store)?;
        let page: Vec<Record> = page.into_iter().take_while(|it| it.seq <= end.seq).collect();
        let missing = chain::ChainFault { seq: at.seq + 1, what: "is missing".to_owned() };
        if page.is_empty() {
            return Err(WriteError::Chain(missing));
        }
        at = chain::verify(&at, &page).map_err(WriteError::Chain)?;
        for record in &page {
            put(out, &line(record))?;
        }
    }
    let key = signer.public().to_string();
    let signature = hex(&signing::sign(signer, cluster, &at));
    put(out, &Last { end: at.seq, hash: hex(&at.hash), key, signature })?;
    out.flush().map_err(WriteError::File)?;
    Ok(at)
}

fn line(record: &Record) -> Line {
    Line {
        seq: record.seq,
        at: record.at.to_string(),
        kind: record.kind.name().to_owned(),
        previous: hex(&record.previous),
        hash: hex(&record.hash),
        body: record.body.clone(),
    }
}

fn put(out: &mut dyn Write, line: &impl Serialize) -> Result<(), WriteError> {
    let text = written(line);
    out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(WriteError::File)
}

/// These lines always have a JSON form.
fn written(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

/// Reads a file to its end; `visit` sees each record that holds. Whether the key that signed the
/// end is to be trusted is the caller's business.
///
/// # Errors
/// The first line that is not as it was written, or what `visit` says.
pub fn read<E: From<ReadError>>(
    input: &mut dyn BufRead,
    visit: &mut dyn FnMut(&str, Record) -> Result<(), E>,
) -> Result<Archive, E> {
    let mut lines = Lines { input, number: 0 };
    let first: First = lines.next()?;
    if (first.farthing.as_str(), first.version) != ("journal", VERSION) {
        let what = format!(
            "a {} of version {}; this program reads a journal of version {VERSION}",
            first.farthing, first.version
        );
        return Err(lines.fault(&what).into());
    }
    let mut head = Head::GENESIS;
    loop {
        let text = lines.text()?;
        if !text.starts_with("{\"seq\":") {
            let last: Last = lines.parse(&text)?;
            let key = end(&first.cluster, &head, &last).map_err(|what| lines.fault(&what))?;
            if !lines.is_over() {
                lines.number += 1;
                return Err(lines.fault("something follows the end").into());
            }
            return Ok(Archive { cluster: first.cluster, head, key });
        }
        let record = lines.parse(&text)?;
        let record = record_of(&record).map_err(|what| lines.fault(&what))?;
        head = chain::verify(&head, std::slice::from_ref(&record))
            .map_err(|fault| lines.fault(&fault.to_string()))?;
        visit(&first.cluster, record)?;
    }
}

/// Whether the end is that of these records, and signed.
fn end(cluster: &str, head: &Head, last: &Last) -> Result<PublicKey, String> {
    if (last.end, last.hash.as_str()) != (head.seq, hex(&head.hash).as_str()) {
        return Err(format!(
            "the end is at record {}, and the last one before it is {}",
            last.end, head.seq
        ));
    }
    let key: PublicKey = last.key.parse().map_err(|error: signing::KeyError| error.to_string())?;
    let signature = unhex::<64>(&last.signature);
    if signature.is_some_and(|it| signing::verifies(key, cluster, head, &it)) {
        Ok(key)
    } else {
        Err("the signature of the end does not hold".to_owned())
    }
}

fn record_of(line: &Line) -> Result<Record, String> {
    let hash = |text: &str| unhex::<32>(text).ok_or_else(|| format!("`{text}` is no hash"));
    let at = line.at.parse::<Timestamp>().ok().filter(|at| at.to_string() == line.at);
    Ok(Record {
        seq: line.seq,
        at: at.ok_or_else(|| format!("`{}` is not a moment as it is written here", line.at))?,
        kind: RecordKind::from_name(&line.kind)
            .ok_or_else(|| format!("`{}` is no kind", line.kind))?,
        body: line.body.clone(),
        previous: hash(&line.previous)?,
        hash: hash(&line.hash)?,
    })
}

/// The lines of a file.
struct Lines<'i> {
    input: &'i mut dyn BufRead,
    number: u64,
}

impl Lines<'_> {
    fn fault(&self, what: &str) -> ReadError {
        // What is quoted of a foreign file stays in its line.
        let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
        ReadError { line: self.number, what: what.chars().map(plain).collect() }
    }

    fn text(&mut self) -> Result<String, ReadError> {
        self.number += 1;
        let mut bytes = Vec::new();
        let read = (&mut *self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        read.map_err(|error| self.fault(&format!("cannot be read: {error}")))?;
        if bytes.pop() != Some(b'\n') {
            return Err(self.fault("the file is cut off here"));
        }
        String::from_utf8(bytes).map_err(|_| self.fault("not UTF-8"))
    }

    fn parse<T: Serialize + for<'de> Deserialize<'de>>(&self, text: &str) -> Result<T, ReadError> {
        let line: T = serde_json::from_str(text)
            .map_err(|error| self.fault(&format!("not a line of a journal: {error}")))?;
        if written(&line) != text {
            return Err(self.fault("not written as this program writes it"));
        }
        Ok(line)
    }

    fn next<T: Serialize + for<'de> Deserialize<'de>>(&mut self) -> Result<T, ReadError> {
        let text = self.text()?;
        self.parse(&text)
    }

    fn is_over(&mut self) -> bool {
        self.input.fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_edge::{MemoryStore, NewRecord};

    fn written(count: i64) -> (tempfile::TempDir, Vec<u8>, Head) {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(&folder.path().join("key")).unwrap();
        let mut store = MemoryStore::default();
        for index in 0..count {
            let head = store.head().unwrap();
            let at = Timestamp::from_second(1_800_000_000 + index).unwrap();
            let body = format!("{{\"text\":\"{index} \\\"quoted\\\" \u{1F4B0}\\n\"}}");
            store.append(&head, &[NewRecord { at, kind: RecordKind::Noted, body }]).unwrap();
        }
        let mut out = Vec::new();
        let head = write(&store, "lab", &signer, &mut out).unwrap();
        assert_eq!(head, store.head().unwrap());
        (folder, out, head)
    }

    fn all(mut bytes: &[u8]) -> Result<(Archive, Vec<Record>), ReadError> {
        let mut records = Vec::new();
        let archive = read(&mut bytes, &mut |cluster, record| {
            assert_eq!(cluster, "lab");
            records.push(record);
            Ok::<(), ReadError>(())
        })?;
        Ok((archive, records))
    }

    #[test]
    fn what_is_written_is_read_back() {
        for count in [0, 1, 1_000, 2_345] {
            let (_folder, bytes, head) = written(count);
            let (archive, records) = all(&bytes).unwrap();
            assert_eq!((archive.cluster.as_str(), archive.head), ("lab", head));
            assert_eq!(chain::verify(&Head::GENESIS, &records), Ok(head));
        }
    }

    #[test]
    fn any_byte_is_held() {
        let (_folder, bytes, _) = written(3);
        let key = all(&bytes).unwrap().0.key;
        for at in 0..bytes.len() {
            for bit in [0, 5] {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                // Reading asserts that the cluster is the one that it was.
                let read = std::panic::catch_unwind(|| all(&bad).map(|(found, _)| found.key));
                assert!(!matches!(read, Ok(Ok(found)) if found == key), "byte {at}, bit {bit}");
            }
        }
        for len in 0..bytes.len() {
            assert!(all(&bytes[..len]).is_err(), "{len} bytes");
        }
        let more = [&bytes[..], b"\n"].concat();
        assert_eq!(all(&more).unwrap_err().to_string(), "line 6: something follows the end");
    }

    #[test]
    fn a_newer_form_is_refused() {
        let newer = b"{\"farthing\":\"journal\",\"version\":2,\"cluster\":\"lab\"}\n";
        let said = all(newer).unwrap_err().to_string();
        assert_eq!(
            said,
            "line 1: a journal of version 2; this program reads a journal of version 1"
        );
    }
}
