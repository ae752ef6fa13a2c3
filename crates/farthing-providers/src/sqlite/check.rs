//! Verifying a journal file: every record against the chain, and every byte against the seal.

use super::{
    APPLICATION_ID, BUSY, MIGRATIONS, TABLE, fault::fault, head, number, place, read, seal, wal,
};
use farthing_edge::chain::{Head, Record};
use farthing_edge::check::{JournalCheck, JournalFault, Known, Wanted, records};
use farthing_edge::{Class, EdgeError};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Verifies the journal at `path` without changing it.
///
/// Held without a seal: every byte of every record (the chain), where records are found (`SQLite`'s
/// integrity check), the table's definition, and the log's frames (their checksums). Held by the
/// seal as well: free space inside pages, and the counters of `SQLite`'s header. Not held by
/// anything in the file: that whole records were taken from its end, which only someone who knows
/// an earlier head can see ([`verify_known`]).
///
/// # Errors
/// There is no such file, or the system refuses to read it. Damage is not an error but a fault.
pub fn verify(path: &Path) -> Result<JournalCheck, EdgeError> {
    verify_known(path, &[], &mut |_| {})
}

/// As [`verify`], and whether the journal still has the records that others know of. `visit` sees
/// each record that holds.
///
/// # Errors
/// As [`verify`].
pub fn verify_known(
    path: &Path,
    known: &[Known<'_>],
    visit: &mut dyn FnMut(&Record),
) -> Result<JournalCheck, EdgeError> {
    place(path)?;
    if !path.is_file() {
        let message = format!("{}: there is no journal", path.display());
        return Err(EdgeError::new(Class::NotFound, message));
    }
    let mut check =
        JournalCheck { checked: 0, head: Head::GENESIS, sealed: false, first_fault: None };
    // Before SQLite opens the file: that could change the log.
    let log = wal::check(path).map_err(|error| {
        let message = format!("{}: its log cannot be read", path.display());
        EdgeError::new(Class::Denied, message).with_source(error)
    })?;
    let seal = seal::check(path)?;
    check.sealed = seal == seal::Seal::Holds;
    let mut faults = Vec::new();
    match open(path, check.sealed && wal::is_empty(path)) {
        Ok(connection) => {
            faults.extend(structure(&connection));
            let mut known = Wanted::new(known);
            let mut see = |record: &Record| {
                known.see(record);
                visit(record);
            };
            // A record that does not hold says most: it comes first.
            match chain(&connection, path, &mut check, &mut see) {
                Some(fault) => faults.insert(0, fault),
                None => faults.extend(known.fault(check.head.seq)),
            }
        }
        Err(error) => faults.push(file_fault(path, &error)),
    }
    let plain = |what: String| JournalFault { seq: None, what };
    faults.extend(log.map(plain));
    if let seal::Seal::Broken(what) = seal {
        faults.push(plain(what));
    }
    check.first_fault = faults.into_iter().next();
    Ok(check)
}

/// A sealed file is complete: it is read as it is, without the log and its index that `SQLite`
/// would otherwise make beside it and, as it may not write, leave there.
fn open(path: &Path, sealed: bool) -> Result<Connection, EdgeError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let as_it_is = || {
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        let name = path.to_string_lossy();
        let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
    };
    if sealed {
        return as_it_is().map_err(|error| fault(path, "read", error));
    }
    let usual = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY)?;
        // The first read is what needs the log's index, which a read-only folder refuses.
        connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
        Ok(connection)
    });
    match usual {
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == rusqlite::ErrorCode::CannotOpen && wal::is_empty(path) =>
        {
            as_it_is()
        }
        other => other,
    }
    .map_err(|error| fault(path, "read", error))
}

/// The fault of the whole file; its name is said by whoever says the fault.
fn file_fault(path: &Path, error: &EdgeError) -> JournalFault {
    let text = error.to_string();
    let what = text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text);
    let source = std::error::Error::source(error).map(|source| format!(" ({source})"));
    JournalFault { seq: None, what: format!("{what}{}", source.unwrap_or_default()) }
}

/// Follows the chain from the first record to the end that the file says it has; what does not
/// hold.
fn chain(
    connection: &Connection,
    path: &Path,
    check: &mut JournalCheck,
    see: &mut dyn FnMut(&Record),
) -> Option<JournalFault> {
    let read = |from, limit| read(connection, path, from, limit);
    let said = |error: &EdgeError| file_fault(path, error).what;
    let broken = records(&read, &said, check, see);
    if broken.is_some() {
        return broken;
    }
    // The index by number and the scan must agree on the end; a negative number is in no page.
    let whole = connection.query_row("SELECT count(*) FROM journal", [], number);
    match (head(connection, path), whole) {
        (Ok(end), Ok(count)) if end == check.head && count == check.checked => None,
        (Err(error), _) => Some(file_fault(path, &error)),
        (_, Err(error)) => Some(file_fault(path, &fault(path, "counted", error))),
        (Ok(end), Ok(count)) => {
            let what = format!(
                "{count} records with the last number {} are stored, and {} follow each other",
                end.seq, check.checked
            );
            Some(JournalFault { seq: Some(check.head.seq + 1), what })
        }
    }
}

/// The structure of the file: `SQLite`'s own check, and that it is exactly our table.
fn structure(connection: &Connection) -> Option<JournalFault> {
    let plain = |what: String| Some(JournalFault { seq: None, what });
    let pragma = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap_or(-1)
    };
    if pragma("application_id") != i64::from(APPLICATION_ID) {
        return plain("the file is not marked as a journal".to_owned());
    }
    let version = pragma("user_version");
    if usize::try_from(version) != Ok(MIGRATIONS.len()) {
        return plain(format!("the file has the version {version}"));
    }
    let schema = connection
        .prepare("SELECT type || ' ' || name || ' ' || tbl_name || ' ' || sql FROM sqlite_schema")
        .and_then(|mut found| {
            found.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()
        });
    match schema {
        Ok(found) if found == [format!("table journal journal {TABLE}")] => {}
        Ok(found) => {
            return plain(format!("the table is not as it was made: {}", found.join("; ")));
        }
        Err(error) => return plain(format!("the table's definition cannot be read: {error}")),
    }
    let result =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match result {
        Ok(text) if text == "ok" => None,
        Ok(text) => plain(format!("the file's structure is damaged: {text}")),
        Err(error) => plain(format!("the file's structure cannot be checked: {error}")),
    }
}
