//! The journal in a `SQLite` file: append only, hash chained, safe for two controllers at once.
//!
//! One table. An append is one IMMEDIATE transaction that reads the head, compares it and inserts,
//! so that of two writers one gets a conflict. WAL lets readers go on while it happens, and
//! `synchronous = FULL` is what makes it durable when it returns: in WAL mode NORMAL would lose the
//! last commits with the power, and a few records a tick are worth one fsync.
//!
//! Reading is strict: a moment, kind or hash that is not exactly as it was written is a fault of
//! its record, never repaired. [`verify`] says what a flipped byte can and cannot hide.

mod check;
mod fault;
mod seal;
mod wal;

pub use check::{verify, verify_known};

use farthing_edge::chain::{self, Head, NewRecord, Record, RecordKind};
use farthing_edge::{Class, EdgeError, Store};
use fault::fault;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Marks a `SQLite` file as ours: `frth`.
const APPLICATION_ID: i32 = 0x6672_7468;
/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(5);
/// What brings a file from each version to the next one; forward only.
const MIGRATIONS: [&str; 1] = [TABLE];
/// The table of version 1. Compared byte for byte by [`verify`].
const TABLE: &str = "CREATE TABLE journal (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, \
    kind TEXT NOT NULL, body TEXT NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL) STRICT";

/// A [`Store`] in a `SQLite` file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    appended: bool,
}

impl SqliteStore {
    /// Opens the journal at `path`; makes it where nothing is there yet.
    ///
    /// # Errors
    /// The folder is not there or not writable, the file is a folder, damaged, of another program
    /// or of a newer version of this one. The message names the file; nothing is written then.
    pub fn open(path: &Path) -> Result<Self, EdgeError> {
        // Whoever makes the file keeps all others out for a moment, and for that SQLite itself does
        // not wait.
        let began = Instant::now();
        loop {
            match Self::open_now(path) {
                Err(error) if is_busy(&error) && began.elapsed() < BUSY => sleep(BUSY / 250),
                opened => return opened,
            }
        }
    }

    fn open_now(path: &Path) -> Result<Self, EdgeError> {
        place(path)?;
        as_it_was_sealed(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let is_new = !path.exists();
        let open = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY)?;
            Ok(connection)
        };
        let opened = open().map_err(|error| fault(path, "opened", error));
        let store = opened.and_then(|mut connection| {
            migrate(&mut connection, path)?;
            let store = Self { connection, path: path.to_owned(), appended: false };
            store.check_last()?;
            Ok(store)
        });
        let is_empty = || std::fs::metadata(path).is_ok_and(|meta| meta.len() == 0);
        if is_new && store.is_err() && is_empty() {
            // A full disk leaves an empty file, in which nobody has written anything.
            for ending in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
            }
        }
        store
    }

    /// Closes the journal and seals its file, so that [`verify`] finds a change of any byte of it.
    /// Dropping the store does the same where it can.
    ///
    /// # Errors
    /// The seal cannot be written; the journal itself is complete.
    pub fn close(mut self) -> Result<(), EdgeError> {
        self.seal()
    }

    fn seal(&mut self) -> Result<(), EdgeError> {
        if !std::mem::take(&mut self.appended) {
            return Ok(());
        }
        let path = self.path.clone();
        let failed = |error| fault(&path, "sealed", error);
        let busy: i64 = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(failed)?;
        if busy != 0 {
            // Someone else has the file open and will seal it.
            return Ok(());
        }
        // With the write lock held and nothing in the log, no one changes the file.
        let lock = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let written = if wal::is_empty(&path) { seal::write(&path) } else { Ok(()) };
        lock.rollback().map_err(failed)?;
        written
    }

    /// The last record must hold by itself: a damaged end is noticed before anything follows it.
    fn check_last(&self) -> Result<(), EdgeError> {
        let head = self.head()?;
        let Some(seq) = head.seq.checked_sub(1).filter(|_| head.seq > 0) else { return Ok(()) };
        let last = self.read(head.seq, 1)?;
        let before =
            last.first().map_or(Head::GENESIS, |record| Head { seq, hash: record.previous });
        chain::verify(&before, &last)
            .map(|_| ())
            .map_err(|fault| damaged(&self.path, &fault.to_string()))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // A journal without its seal is still whole: the chain holds its records.
        let _ = self.seal();
    }
}

impl Store for SqliteStore {
    fn head(&self) -> Result<Head, EdgeError> {
        head(&self.connection, &self.path)
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        let path = &self.path;
        let failed = |error| fault(path, "written", error);
        let lock = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let at = head(&lock, path)?;
        if at != *expected {
            let message = format!(
                "{}: the journal is at record {}, not {}: another controller wrote to it",
                path.display(),
                at.seq,
                expected.seq
            );
            return Err(EdgeError::new(Class::Conflict, message));
        }
        let sealed = chain::seal(&at, records);
        seal::remove(path)?;
        insert(&lock, &sealed).map_err(failed)?;
        lock.commit().map_err(failed)?;
        self.appended = true;
        Ok(sealed)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        read(&self.connection, &self.path, from, limit)
    }
}

/// Says plainly where there can be no journal, before `SQLite` says it in its own words.
fn place(path: &Path) -> Result<(), EdgeError> {
    if path.is_dir() {
        let message = format!("{}: is a folder; the journal is a file", path.display());
        return Err(EdgeError::new(Class::Invalid, message));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            let message = format!("{}: there is no folder {}", path.display(), folder.display());
            Err(EdgeError::new(Class::NotFound, message))
        }
        _ => Ok(()),
    }
}

/// A file that changed since it was sealed is not written to: the next seal would hide it. `SQLite`
/// itself takes an empty file for a new one.
fn as_it_was_sealed(path: &Path) -> Result<(), EdgeError> {
    // A crash after the log was begun and before the seal was taken away leaves both.
    if !wal::is_empty(path) {
        return Ok(());
    }
    // Twice: another process may have written and sealed between looking at the seal and the file.
    let seal = match seal::check(path) {
        Ok(seal::Seal::Broken(_)) => seal::check(path),
        once => once,
    };
    match seal {
        Ok(seal::Seal::Broken(what)) => {
            let message = format!("{}: the journal changed on the disk: {what}", path.display());
            let hint = format!(
                "put back a copy; or see what `farthing verify` finds, and remove {}-seal to go on \
                 with the records that are there",
                path.display()
            );
            Err(EdgeError::new(Class::Invalid, message).with_hint(hint))
        }
        Ok(_) => Ok(()),
        // It is SQLite that says why a file cannot be read.
        Err(_) if path.exists() => Ok(()),
        Err(_) => {
            let message = format!("{}: the journal is gone, its seal is there", path.display());
            let hint = format!("put back a copy, or remove {}-seal to begin anew", path.display());
            Err(EdgeError::new(Class::NotFound, message).with_hint(hint))
        }
    }
}

fn damaged(path: &Path, what: &str) -> EdgeError {
    let message = format!("{}: the journal is damaged: {what}", path.display());
    EdgeError::new(Class::Invalid, message)
        .with_hint("keep the file, and go on with a copy from before or a new one")
}

/// Brings the file to the version of this program.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), EdgeError> {
    let failed = |error| fault(path, "opened", error);
    let number = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed)
    };
    let current = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if number(connection, "user_version")? == current
        && number(connection, "application_id")? == i64::from(APPLICATION_ID)
    {
        return modes(connection).map_err(failed);
    }
    let lock =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Under the lock: another process may have made the file in the meantime.
    let version = number(&lock, "user_version")?;
    let id = number(&lock, "application_id")?;
    let objects: i64 = lock
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if id != i64::from(APPLICATION_ID) && (id != 0 || version != 0 || objects != 0) {
        let message = format!("{}: is a SQLite file of another program", path.display());
        return Err(EdgeError::new(Class::Invalid, message));
    }
    let Some(missing) = usize::try_from(version).ok().and_then(|from| MIGRATIONS.get(from..))
    else {
        let message = format!(
            "{}: has the journal version {version}, and this program knows {current}: it was \
             written by a newer one",
            path.display()
        );
        return Err(EdgeError::new(Class::Invalid, message));
    };
    for step in missing {
        lock.execute_batch(step).map_err(failed)?;
    }
    lock.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    lock.pragma_update(None, "user_version", current).map_err(failed)?;
    seal::remove(path)?;
    lock.commit().map_err(failed)?;
    modes(connection).map_err(failed)
}

fn modes(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")
}

fn insert(connection: &Connection, records: &[Record]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "INSERT INTO journal (seq, at, kind, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for record in records {
        // Numbers count from 1: 2^63 of them are never reached.
        let seq = i64::try_from(record.seq).unwrap_or(i64::MAX);
        let (at, kind) = (record.at.to_string(), record.kind.name());
        statement.execute((
            seq,
            at,
            kind,
            &record.body,
            record.previous.as_slice(),
            record.hash.as_slice(),
        ))?;
    }
    Ok(())
}

fn head(connection: &Connection, path: &Path) -> Result<Head, EdgeError> {
    let last = "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1";
    let row = |row: &Row<'_>| Ok((number(row)?, row.get::<_, [u8; 32]>(1)?));
    match connection.prepare(last).and_then(|mut found| found.query_row([], row)) {
        Ok((seq, hash)) => Ok(Head { seq, hash }),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Head::GENESIS),
        Err(error) => Err(fault(path, "read", error)),
    }
}

fn read(
    connection: &Connection,
    path: &Path,
    from: u64,
    limit: usize,
) -> Result<Vec<Record>, EdgeError> {
    let failed = |error| fault(path, "read", error);
    let mut statement = connection
        .prepare(
            "SELECT seq, at, kind, body, previous, hash FROM journal WHERE seq >= ? \
             ORDER BY seq LIMIT ?",
        )
        .map_err(failed)?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((from, limit)).map_err(failed)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let seq = number(row).map_err(failed)?;
        let what = |what: String| damaged(path, &format!("record {seq}: {what}"));
        records.push(record(seq, row).map_err(what)?);
    }
    Ok(records)
}

/// The first column as the number of a record.
fn number(row: &Row<'_>) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(0)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, stored))
}

/// One row, exactly as it was written: a text that means the same but differs in a byte is damage.
fn record(seq: u64, row: &Row<'_>) -> Result<Record, String> {
    let column = |error: rusqlite::Error| format!("cannot be read: {error}");
    let text: String = row.get(1).map_err(column)?;
    let at = text.parse::<Timestamp>().ok().filter(|at| at.to_string() == text);
    let kind: String = row.get(2).map_err(column)?;
    Ok(Record {
        seq,
        at: at.ok_or_else(|| format!("`{text}` is not a moment as it is written here"))?,
        kind: RecordKind::from_name(&kind).ok_or_else(|| format!("`{kind}` is no kind"))?,
        body: row.get(3).map_err(column)?,
        previous: row.get(4).map_err(column)?,
        hash: row.get(5).map_err(column)?,
    })
}

#[cfg(test)]
mod tests;

/// Whether another process held the file.
fn is_busy(error: &EdgeError) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<rusqlite::Error>());
    source.and_then(rusqlite::Error::sqlite_error_code) == Some(rusqlite::ErrorCode::DatabaseBusy)
}
