//! The journal in a PostgreSQL database: append only, hash chained, for several replicas of which
//! one leads.
//!
//! An append is one transaction that locks the row of its cluster, compares the end of the journal
//! and inserts, so that of two writers one gets a conflict. A leader holds an advisory lock in the
//! very session that appends, and its term stands in that row: an append that succeeds proves that
//! the leader still leads, and an old leader's append is refused by its term (ADR 0018).
//!
//! A connection that breaks is opened anew, a few times, further apart each time. An append whose
//! answer was lost is looked for by its hash: it is neither lost nor done twice.
//!
//! Start with [`PostgresStore::open`]; [`PostgresStore::campaign`] is how a replica comes to lead.

mod append;
mod fault;
mod lead;
mod schema;
mod scram;
mod session;
mod stream;
mod url;
mod wire;

pub use lead::{Campaign, Leader, Standing};
pub use url::{PgUrl, UrlError};

use farthing_edge::chain::{Head, NewRecord, Record, RecordKind};
use farthing_edge::check::{self, JournalCheck, JournalFault, Known};
use farthing_edge::{Class, EdgeError, Store};
use farthing_model::ClusterId;
use fault::Fault;
use jiff::Timestamp;
use lead::Lead;
use session::{Session, Statement};
use std::cell::RefCell;
use std::thread::sleep;
use std::time::Duration;
use wire::{Row, Value};

/// How often a broken connection is opened anew before the fault is told.
const TRIES: u32 = 7;
/// Before the second try; doubled before each further one, 3 seconds in all.
const BACK_OFF: Duration = Duration::from_millis(50);

/// What each session is told first. The server ends what waits too long, so that a writer that
/// stopped holds nobody up and a leader that is gone is found out; and where it would say `done`
/// before anything is on its disk it is told not to.
const SETTINGS: &str = "SELECT set_config('lock_timeout', '5s', false), \
    set_config('statement_timeout', '30s', false), \
    set_config('idle_in_transaction_session_timeout', '20s', false), \
    set_config('tcp_keepalives_idle', '10', false), \
    set_config('tcp_keepalives_interval', '5', false), \
    set_config('tcp_keepalives_count', '3', false), \
    set_config('synchronous_commit', \
        CASE WHEN current_setting('synchronous_commit') = 'off' THEN 'on' \
        ELSE current_setting('synchronous_commit') END, false), \
    current_setting('server_encoding')";

/// A [`Store`] in a PostgreSQL database.
pub struct PostgresStore {
    url: PgUrl,
    cluster: ClusterId,
    /// `None` after a fault of the connection.
    session: RefCell<Option<Session>>,
    lead: Option<Lead>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "PostgresStore({}, {})", self.url, self.cluster)
    }
}

impl PostgresStore {
    /// Opens the journal of `cluster`; makes the tables where they are not there yet.
    ///
    /// # Errors
    /// The server cannot be reached, refuses the log-in or the rights, or the database was written
    /// by a newer program.
    pub fn open(url: &PgUrl, cluster: &ClusterId) -> Result<Self, EdgeError> {
        let store = Self::connect(url, cluster)?;
        store.with(|session, place| {
            schema::migrate(session, place)?;
            let name = vec![Value::Text(cluster.as_str())];
            let add = "INSERT INTO farthing.cluster (name) VALUES ($1) ON CONFLICT DO NOTHING";
            session.query(add, name).map_err(|fault| fault.into_edge(place, "opened"))
        })?;
        Ok(store)
    }

    /// Opens the journal of `cluster` to be read only: nothing is made or changed.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Class::NotFound`] where there is no journal of this cluster.
    pub fn look(url: &PgUrl, cluster: &ClusterId) -> Result<Self, EdgeError> {
        let store = Self::connect(url, cluster)?;
        if !Self::clusters_of(&store)?.contains(&cluster.to_string()) {
            let message = format!("{url}: there is no journal of {cluster}");
            return Err(EdgeError::new(Class::NotFound, message));
        }
        Ok(store)
    }

    /// The clusters that have a journal with records, by name.
    ///
    /// # Errors
    /// The server cannot be reached, or the database was written by a newer program.
    pub fn clusters(url: &PgUrl) -> Result<Vec<String>, EdgeError> {
        let message =
            |error: farthing_model::IdError| EdgeError::new(Class::Invalid, error.to_string());
        Self::clusters_of(&Self::connect(url, &ClusterId::new("any").map_err(message)?)?)
    }

    fn clusters_of(store: &Self) -> Result<Vec<String>, EdgeError> {
        store.with(|session, place| {
            let failed = |fault: Fault| fault.into_edge(place, "read");
            let version = schema::version(session).map_err(failed)?;
            schema::check(place, version)?;
            if version == 0 {
                return Ok(Vec::new());
            }
            let sql = "SELECT name FROM farthing.cluster WHERE EXISTS (SELECT FROM \
                       farthing.journal WHERE cluster = name) ORDER BY name";
            let rows = session.query(sql, Vec::new()).map_err(failed)?;
            Ok(rows.iter().filter_map(|row| row.text(0).map(str::to_owned)).collect())
        })
    }

    /// Removes the journal of `cluster`: for what is simulated, and for putting back a copy.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub fn forget(url: &PgUrl, cluster: &ClusterId) -> Result<(), EdgeError> {
        let store = Self::open(url, cluster)?;
        store.with(|session, place| {
            let name = || vec![Value::Text(cluster.as_str())];
            let lock = "SELECT FROM farthing.cluster WHERE name = $1 FOR UPDATE";
            let forget = [
                Statement::new(lock, name()),
                Statement::new("DELETE FROM farthing.journal WHERE cluster = $1", name()),
            ];
            let gone = session.batch(&forget);
            gone.map(|_| ()).map_err(|fault| fault.into_edge(place, "removed"))
        })
    }

    fn connect(url: &PgUrl, cluster: &ClusterId) -> Result<Self, EdgeError> {
        let store = Self {
            url: url.clone(),
            cluster: cluster.clone(),
            session: RefCell::new(None),
            lead: None,
        };
        let session = store.dial()?;
        store.session.replace(Some(session));
        Ok(store)
    }

    /// A session that was told the settings; a leader's holds its lock again.
    fn dial(&self) -> Result<Session, EdgeError> {
        let place = self.url.to_string();
        let failed = |fault: Fault| fault.into_edge(&place, "reached");
        let mut session = Session::open(&self.url).map_err(failed)?;
        let rows = session.query(SETTINGS, Vec::new()).map_err(failed)?;
        let encoding = rows.first().and_then(|row| row.text(7)).unwrap_or_default();
        if encoding != "UTF8" {
            let message = format!("{place}: the database is in {encoding}, and must be in UTF8");
            let hint = "make one with `createdb --encoding UTF8 --template template0`";
            return Err(EdgeError::new(Class::Invalid, message).with_hint(hint));
        }
        if let Some(lead) = &self.lead {
            lead.take_up(&mut session, &place, &self.cluster)?;
        }
        Ok(session)
    }

    /// Does `work` in a session, and in a new one where the connection broke. Only for what may be
    /// done twice.
    fn with<T>(
        &self,
        mut work: impl FnMut(&mut Session, &str) -> Result<T, EdgeError>,
    ) -> Result<T, EdgeError> {
        let place = self.url.to_string();
        let mut wait = BACK_OFF;
        let mut tries = 0;
        loop {
            tries += 1;
            let done = self.current().and_then(|mut session| {
                let done = work(&mut session, &place);
                if session.is_alive() {
                    self.session.replace(Some(session));
                }
                done
            });
            match done {
                Err(error) if is_broken(&error) && tries < TRIES => {}
                done => return done,
            }
            sleep(wait);
            wait *= 2;
        }
    }

    /// The session, or a new one.
    fn current(&self) -> Result<Session, EdgeError> {
        match self.session.take().filter(Session::is_alive) {
            Some(session) => Ok(session),
            None => self.dial(),
        }
    }
}

/// Whether a fault is one of the connection.
fn is_broken(error: &EdgeError) -> bool {
    let source = std::error::Error::source(error);
    source.and_then(|source| source.downcast_ref::<Fault>()).is_some_and(Fault::is_disconnect)
}

impl Store for PostgresStore {
    fn head(&self) -> Result<Head, EdgeError> {
        self.with(|session, place| {
            let rows = session.query(append::HEAD, vec![Value::Text(self.cluster.as_str())]);
            append::head(&rows.map_err(|fault| fault.into_edge(place, "read"))?, place)
        })
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        append::append(self, expected, records)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.with(|session, place| {
            let sql = "SELECT seq, at, kind, body, previous, hash FROM farthing.journal \
                       WHERE cluster = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
            let with =
                vec![Value::Text(self.cluster.as_str()), Value::Int(from), Value::Int(limit)];
            let rows = session.query(sql, with).map_err(|fault| fault.into_edge(place, "read"))?;
            let read = |row: &Row| {
                record(row).map_err(|what| {
                    let seq = row.int(0).unwrap_or_default();
                    let message = format!("{place}: the journal is damaged: record {seq}: {what}");
                    EdgeError::new(Class::Invalid, message)
                })
            };
            rows.iter().map(read).collect()
        })
    }
}

/// One row, exactly as it was written: a text that means the same but differs in a byte is damage.
fn record(row: &Row) -> Result<Record, String> {
    let text = |column: usize| row.text(column).ok_or_else(|| "it has no text".to_owned());
    let hash = |column: usize| {
        let bytes = row.bytes(column).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.ok_or_else(|| "it has no hash of 32 bytes".to_owned())
    };
    let seq = row.int(0).and_then(|seq| u64::try_from(seq).ok());
    let (at, kind) = (text(1)?, text(2)?);
    let moment = at.parse::<Timestamp>().ok().filter(|moment| moment.to_string() == at);
    Ok(Record {
        seq: seq.ok_or_else(|| "it has no number".to_owned())?,
        at: moment.ok_or_else(|| format!("`{at}` is not a moment as it is written here"))?,
        kind: RecordKind::from_name(kind).ok_or_else(|| format!("`{kind}` is no kind"))?,
        body: text(3)?.to_owned(),
        previous: hash(4)?,
        hash: hash(5)?,
    })
}

/// Verifies the journal of `cluster` without changing it, as [`crate::sqlite::verify_known`] does
/// a file. What the server keeps beside the records is the server's own.
///
/// # Errors
/// The server cannot be reached, or there is no journal. Damage is not an error but a fault.
pub fn verify_known(
    url: &PgUrl,
    cluster: &ClusterId,
    known: &[Known<'_>],
    visit: &mut dyn FnMut(&Record),
) -> Result<JournalCheck, EdgeError> {
    let store = PostgresStore::look(url, cluster)?;
    let mut checked = check::follow(&store, known, visit);
    let count = store.with(|session, place| {
        let sql = "SELECT count(*), coalesce(max(seq), 0) FROM farthing.journal WHERE cluster = $1 \
                   AND seq <= $2";
        let last = i64::try_from(checked.head.seq).unwrap_or(i64::MAX);
        let rows = session.query(sql, vec![Value::Text(cluster.as_str()), Value::Int(last)]);
        let rows = rows.map_err(|fault| fault.into_edge(place, "counted"))?;
        Ok(rows.first().and_then(|row| Some((row.int(0)?, row.int(1)?))).unwrap_or_default())
    })?;
    let followed = i64::try_from(checked.checked).unwrap_or(i64::MAX);
    if checked.first_fault.is_none() && count != (followed, followed) {
        let what = format!("{} records are stored up to number {}", count.0, count.1);
        checked.first_fault = Some(JournalFault { seq: Some(checked.head.seq + 1), what });
    }
    Ok(checked)
}
