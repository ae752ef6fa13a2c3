//! Who of several replicas leads: an advisory lock says so while its session lives, and a term that
//! counts up with each leader says so for ever.

use super::PostgresStore;
use super::fault::Fault;
use super::session::Session;
use super::wire::{Row, Value};
use farthing_edge::{Class, EdgeError};
use farthing_model::ClusterId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The lock of a cluster. Of two names with one hash both wait for the same lock, which is safe.
const TRY: &str = "SELECT pg_try_advisory_lock(hashtextextended('farthing/' || $1, 0))";
const FREE: &str = "SELECT pg_advisory_unlock(hashtextextended('farthing/' || $1, 0))";

/// What came of asking to lead.
#[derive(Debug)]
pub enum Campaign {
    /// This replica leads.
    Leads(Standing),
    /// Another one does.
    Follows(Leader),
}

/// Whether a leader still leads, for those who do not have its store.
#[derive(Clone, Debug)]
pub struct Standing {
    term: u64,
    lost: Arc<AtomicBool>,
}

impl Standing {
    /// The number of its term.
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// Whether it was found out that another replica leads, or may.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its name.
    pub name: String,
    /// Since when, as the server writes it.
    pub since: String,
}

/// A store's own lead.
pub(super) struct Lead {
    standing: Standing,
}

impl PostgresStore {
    /// Asks to lead, by the name of `who`; does not wait.
    ///
    /// From then on each append is refused once another replica has led, with [`Class::Denied`].
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn campaign(&mut self, who: &str) -> Result<Campaign, EdgeError> {
        self.lead = None;
        let cluster = self.cluster.clone();
        let name = || Value::Text(cluster.as_str());
        let term = self.with(|session, place| {
            let failed = |fault: Fault| fault.into_edge(place, "led");
            if !is_true(&session.query(TRY, vec![name()]).map_err(failed)?) {
                return Ok(None);
            }
            let sql = "UPDATE farthing.cluster SET term = term + 1, leader = $2, \
                       since = clock_timestamp() WHERE name = $1 RETURNING term";
            let rows = session.query(sql, vec![name(), Value::Text(who)]).map_err(failed)?;
            let term = rows.first().and_then(|row| row.int(0));
            let term = term.and_then(|term| u64::try_from(term).ok());
            term.map(Some).ok_or_else(|| failed(Fault::Protocol("a term that is no number")))
        })?;
        if let Some(term) = term {
            let standing = Standing { term, lost: Arc::new(AtomicBool::new(false)) };
            self.lead = Some(Lead { standing: standing.clone() });
            return Ok(Campaign::Leads(standing));
        }
        self.with(|session, place| {
            let sql = "SELECT leader, since::text FROM farthing.cluster WHERE name = $1";
            let rows = session.query(sql, vec![name()]);
            let rows = rows.map_err(|fault| fault.into_edge(place, "read"))?;
            let text = |column: usize| {
                let text = rows.first().and_then(|row| row.text(column));
                text.unwrap_or("unknown").to_owned()
            };
            Ok(Campaign::Follows(Leader { name: text(0), since: text(1) }))
        })
    }

    /// Gives the lead up, so that another replica need not wait for this session to end.
    pub fn resign(&mut self) {
        if self.lead.take().is_some()
            && let Some(session) = self.session.get_mut()
        {
            // Where it fails the session is lost, and the lock with it.
            let _ = session.query(FREE, vec![Value::Text(self.cluster.as_str())]);
        }
    }
}

impl Lead {
    /// Whether this still leads, as far as it knows.
    pub(super) fn check(&self, place: &str) -> Result<(), EdgeError> {
        if self.standing.is_lost() { Err(self.lost(place)) } else { Ok(()) }
    }

    /// Whether the term that stands in the database is this one's.
    pub(super) fn check_term(&self, term: Option<i64>, place: &str) -> Result<(), EdgeError> {
        let is_mine = term.and_then(|term| u64::try_from(term).ok()) == Some(self.standing.term);
        if is_mine { Ok(()) } else { Err(self.lost(place)) }
    }

    /// Takes the lock again in a new session. If another replica led in between, or holds the lock
    /// now, this one leads no more; so too where the old session still holds it.
    pub(super) fn take_up(
        &self,
        session: &mut Session,
        place: &str,
        cluster: &ClusterId,
    ) -> Result<(), EdgeError> {
        self.check(place)?;
        let failed = |fault: Fault| fault.into_edge(place, "led");
        let name = || vec![Value::Text(cluster.as_str())];
        if !is_true(&session.query(TRY, name()).map_err(failed)?) {
            return Err(self.lost(place));
        }
        let sql = "SELECT term FROM farthing.cluster WHERE name = $1";
        let rows = session.query(sql, name()).map_err(failed)?;
        self.check_term(rows.first().and_then(|row| row.int(0)), place)
    }

    fn lost(&self, place: &str) -> EdgeError {
        self.standing.lost.store(true, Ordering::SeqCst);
        let term = self.standing.term;
        let message = format!(
            "{place}: this replica leads no more: its term {term} is over; it does nothing"
        );
        EdgeError::new(Class::Denied, message)
    }
}

fn is_true(rows: &[Row]) -> bool {
    rows.first().and_then(|row| row.bytes(0)) == Some(&[1][..])
}
