//! The tables, and how they come to be as this program knows them; forward only.
//!
//! ```text
//! farthing.version    one row: the version of the schema
//! farthing.cluster    one row a cluster: who leads, and in which term; the lock of who appends
//! farthing.journal    the records
//! ```

use super::fault::Fault;
use super::session::{Session, Statement};
use super::wire::Value;
use farthing_edge::{Class, EdgeError};

/// What brings a database from each version to the next one.
pub(crate) const MIGRATIONS: [&[&str]; 1] = [&[
    "CREATE SCHEMA IF NOT EXISTS farthing",
    "CREATE TABLE farthing.version (version bigint NOT NULL)",
    "INSERT INTO farthing.version VALUES (0)",
    "CREATE TABLE farthing.cluster (name text COLLATE \"C\" PRIMARY KEY, \
     term bigint NOT NULL DEFAULT 0, leader text, since timestamptz)",
    "CREATE TABLE farthing.journal (cluster text COLLATE \"C\" NOT NULL, \
     seq bigint NOT NULL CHECK (seq > 0), at text NOT NULL, kind text NOT NULL, \
     body text NOT NULL, previous bytea NOT NULL, hash bytea NOT NULL, \
     PRIMARY KEY (cluster, seq))",
]];

/// The version that this program knows.
pub(crate) fn current() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The lock of whoever changes the schema: `frth`.
const LOCK: i64 = 0x6672_7468;

/// The version of a database; 0 where it has none of our tables.
pub(crate) fn version(session: &mut Session) -> Result<i64, Fault> {
    // Asked of the catalogue: `to_regclass` would not see what others made while we waited.
    let sql = "SELECT tablename::text FROM pg_catalog.pg_tables \
               WHERE schemaname = 'farthing' AND tablename = 'version'";
    if session.query(sql, Vec::new())?.is_empty() {
        return Ok(0);
    }
    let rows = session.query("SELECT version FROM farthing.version", Vec::new())?;
    match rows.as_slice() {
        [row] => row.int(0).ok_or(Fault::Protocol("a version that is no number")),
        _ => Err(Fault::Protocol("farthing.version has not one row")),
    }
}

/// Whether this program knows a version.
pub(crate) fn check(place: &str, version: i64) -> Result<(), EdgeError> {
    let current = current();
    if version <= current {
        return Ok(());
    }
    let message = format!(
        "{place}: has the journal version {version}, and this program knows {current}: it was \
         written by a newer one"
    );
    Err(EdgeError::new(Class::Invalid, message).with_hint("use the newer program"))
}

/// Brings a database to the version of this program.
pub(crate) fn migrate(session: &mut Session, place: &str) -> Result<(), EdgeError> {
    let failed = |fault: Fault| fault.into_edge(place, "opened");
    let found = version(session).map_err(failed)?;
    check(place, found)?;
    if found == current() {
        return Ok(());
    }
    session
        .batch(&[
            Statement::new("BEGIN", Vec::new()),
            Statement::new("SELECT pg_advisory_xact_lock($1)", vec![Value::Int(LOCK)]),
        ])
        .map_err(failed)?;
    // Under the lock: another process may have made the tables in the meantime.
    let found = version(session).map_err(failed)?;
    let missing = usize::try_from(found).ok().and_then(|from| MIGRATIONS.get(from..));
    let steps = missing.unwrap_or_default().iter().copied().flatten();
    let mut statements: Vec<_> = steps.map(|sql| Statement::new(sql, Vec::new())).collect();
    let version = vec![Value::Int(current())];
    statements.push(Statement::new("UPDATE farthing.version SET version = $1", version));
    statements.push(Statement::new("COMMIT", Vec::new()));
    session.batch(&statements).map(|_| ()).map_err(|fault| {
        let _ = session.query("ROLLBACK", Vec::new());
        failed(fault)
    })
}
