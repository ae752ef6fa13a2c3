//! An append: all records or none, once, if the journal ends where it was expected to.

use super::fault::Fault;
use super::session::{Session, Statement};
use super::wire::{Row, Value};
use super::{BACK_OFF, PostgresStore, TRIES, is_broken};
use farthing_edge::chain::{self, Head, NewRecord, Record};
use farthing_edge::{Class, EdgeError};
use std::thread::sleep;

/// The end of a journal.
pub(crate) const HEAD: &str =
    "SELECT seq, hash FROM farthing.journal WHERE cluster = $1 ORDER BY seq DESC LIMIT 1";
/// Locks the row that all who append to a journal lock, and says in which term they do.
const LOCK: &str = "SELECT term FROM farthing.cluster WHERE name = $1 FOR UPDATE";
const INSERT: &str = "INSERT INTO farthing.journal (cluster, seq, at, kind, body, previous, hash) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
/// Records that are sent before an answer is waited for: more would fill the pipe both ways.
const AT_ONCE: usize = 500;

/// The head that a row says.
pub(crate) fn head(rows: &[Row], place: &str) -> Result<Head, EdgeError> {
    let Some(row) = rows.first() else { return Ok(Head::GENESIS) };
    let seq = row.int(0).and_then(|seq| u64::try_from(seq).ok());
    let hash = row.bytes(1).and_then(|hash| hash.try_into().ok());
    let head = seq.zip(hash).map(|(seq, hash)| Head { seq, hash });
    head.ok_or_else(|| {
        let message = format!("{place}: the journal is damaged: its last record has no hash");
        EdgeError::new(Class::Invalid, message)
    })
}

/// What an attempt came to.
enum Attempt {
    Written,
    /// The journal ends elsewhere, or belongs to someone else.
    Refused(EdgeError),
}

/// Appends; where the connection breaks it looks in a new one whether it was done.
pub(super) fn append(
    store: &mut PostgresStore,
    expected: &Head,
    records: &[NewRecord],
) -> Result<Vec<Record>, EdgeError> {
    let place = store.url.to_string();
    if let Some(lead) = &store.lead {
        lead.check(&place)?;
    }
    if records.iter().any(|record| record.body.contains('\0')) {
        let message = format!("{place}: a record with a zero byte cannot be kept by PostgreSQL");
        return Err(EdgeError::new(Class::Invalid, message));
    }
    let sealed = chain::seal(expected, records);
    let (mut wait, mut tries, mut broke) = (BACK_OFF, 0, false);
    loop {
        tries += 1;
        let done = store.current().and_then(|mut session| {
            let mut done = attempt(&mut session, store, expected, &sealed);
            // The row's lock has waited for the attempt before it, whatever became of that.
            if broke
                && matches!(done, Ok(Attempt::Refused(_)))
                && is_there(&mut session, store, &sealed)?
            {
                done = Ok(Attempt::Written);
            }
            if session.is_alive() {
                store.session.replace(Some(session));
            }
            done
        });
        match done {
            Ok(Attempt::Written) => return Ok(sealed),
            Err(error) if is_broken(&error) && tries < TRIES => broke = true,
            Ok(Attempt::Refused(error)) | Err(error) => return Err(error),
        }
        sleep(wait);
        wait *= 2;
    }
}

/// Whether the last of `sealed` is in the journal: its hash holds all before it.
fn is_there(
    session: &mut Session,
    store: &PostgresStore,
    sealed: &[Record],
) -> Result<bool, EdgeError> {
    let Some(last) = sealed.last() else { return Ok(true) };
    let sql = "SELECT hash FROM farthing.journal WHERE cluster = $1 AND seq = $2";
    let rows = session.query(sql, vec![Value::Text(store.cluster.as_str()), number(last.seq)]);
    let rows = rows.map_err(|fault| fault.into_edge(&store.url.to_string(), "read"))?;
    Ok(rows.first().and_then(|row| row.bytes(0)) == Some(&last.hash[..]))
}

fn attempt(
    session: &mut Session,
    store: &PostgresStore,
    expected: &Head,
    sealed: &[Record],
) -> Result<Attempt, EdgeError> {
    let place = store.url.to_string();
    let written = |fault: Fault| fault.into_edge(&place, "written");
    let name = || vec![Value::Text(store.cluster.as_str())];
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    let opening = session.batch(&[
        Statement::new(begin, Vec::new()),
        Statement::new(LOCK, name()),
        Statement::new(HEAD, name()),
    ]);
    let result = opening.map_err(written).and_then(|rows| {
        let term = rows.get(1).and_then(|rows| rows.first()).and_then(|row| row.int(0));
        if let Some(lead) = &store.lead {
            lead.check_term(term, &place)?;
        }
        let at = head(rows.get(2).map_or(&[][..], Vec::as_slice), &place)?;
        if at != *expected {
            let message = format!(
                "{place}: the journal is at record {}, not {}: another controller wrote to it",
                at.seq, expected.seq
            );
            return Ok(Attempt::Refused(EdgeError::new(Class::Conflict, message)));
        }
        insert(session, store.cluster.as_str(), sealed).map_err(written)?;
        Ok(Attempt::Written)
    });
    if !matches!(result, Ok(Attempt::Written)) && session.is_alive() {
        // What was begun is given up; where even that fails the session is not used again.
        let _ = session.query("ROLLBACK", Vec::new());
    }
    result
}

/// Inserts, and commits.
fn insert(session: &mut Session, cluster: &str, sealed: &[Record]) -> Result<(), Fault> {
    let mut chunks = sealed.chunks(AT_ONCE).peekable();
    while let Some(chunk) = chunks.next() {
        let moments: Vec<String> = chunk.iter().map(|record| record.at.to_string()).collect();
        let runs = chunk.iter().zip(&moments).map(|(record, at)| {
            vec![
                Value::Text(cluster),
                number(record.seq),
                Value::Text(at),
                Value::Text(record.kind.name()),
                Value::Text(&record.body),
                Value::Bytes(&record.previous),
                Value::Bytes(&record.hash),
            ]
        });
        let mut statements = vec![Statement { sql: INSERT, runs: runs.collect() }];
        if chunks.peek().is_none() {
            statements.push(Statement::new("COMMIT", Vec::new()));
        }
        session.batch(&statements)?;
    }
    if sealed.is_empty() {
        session.query("COMMIT", Vec::new())?;
    }
    Ok(())
}

/// Numbers count from 1: 2^63 of them are never reached.
fn number(seq: u64) -> Value<'static> {
    Value::Int(i64::try_from(seq).unwrap_or(i64::MAX))
}
