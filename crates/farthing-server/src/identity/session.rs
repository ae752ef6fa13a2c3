//! Sessions: who logged in with a browser, by a cookie that no script can read.
//!
//! They are in memory: a restart ends them all, and people log in again. What is kept is a hash of
//! the cookie, beside the word that state-changing requests must carry (CSRF).

use super::Principal;
use super::token::{self, NoRandomness, same};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Without a request for so long, a session is over.
const IDLE_MAX: Duration = Duration::from_secs(2 * 3_600);
/// So long after its start, a session is over.
const LENGTH_MAX: Duration = Duration::from_secs(12 * 3_600);
/// Sessions at once; the one that was idle for longest makes room.
const COUNT_MAX: usize = 10_000;

/// A session that was just begun.
pub(crate) struct Begun {
    /// What the cookie says.
    pub(crate) cookie: String,
    /// What state-changing requests must carry.
    pub(crate) csrf: String,
}

#[derive(Debug)]
struct Session {
    who: Arc<Principal>,
    csrf: String,
    began: Instant,
    seen: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.seen) >= IDLE_MAX || now.duration_since(self.began) >= LENGTH_MAX
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    pub(super) fn begin(&self, who: Principal, now: Instant) -> Result<Begun, NoRandomness> {
        let cookie = token::words(&token::random::<32>()?);
        let csrf = token::words(&token::random::<32>()?);
        let session = Session { who: Arc::new(who), csrf: csrf.clone(), began: now, seen: now };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_over(now));
        if sessions.len() >= COUNT_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.seen);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(token::hash(&cookie), session);
        Ok(Begun { cookie, csrf })
    }

    /// Who has a cookie, with the word of his session.
    pub(super) fn of(&self, cookie: &str, now: Instant) -> Option<(Arc<Principal>, String)> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = token::hash(cookie);
        let session = sessions.get_mut(&key)?;
        if session.is_over(now) {
            sessions.remove(&key);
            return None;
        }
        session.seen = now;
        Some((Arc::clone(&session.who), session.csrf.clone()))
    }

    pub(super) fn end(&self, cookie: &str) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&token::hash(cookie));
    }
}

/// Whether a request carries the word of its session.
pub(super) fn carries(given: Option<&str>, csrf: &str) -> bool {
    given.is_some_and(|given| same(given, csrf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let begun = sessions.begin(Principal::local(), start).unwrap();
        assert!(sessions.of("another", start).is_none());
        let mut now = start;
        // Used every hour, it lasts for twelve.
        while now + Duration::from_secs(3_600) < start + LENGTH_MAX {
            now += Duration::from_secs(3_600);
            assert!(sessions.of(&begun.cookie, now).is_some());
        }
        assert!(sessions.of(&begun.cookie, start + LENGTH_MAX).is_none());
        let begun = sessions.begin(Principal::local(), start).unwrap();
        assert!(sessions.of(&begun.cookie, start + IDLE_MAX).is_none());
        let begun = sessions.begin(Principal::local(), start).unwrap();
        let (_, csrf) = sessions.of(&begun.cookie, start).unwrap();
        assert!(carries(Some(&begun.csrf), &csrf) && !carries(Some(""), &csrf));
        assert!(!carries(None, &csrf));
        sessions.end(&begun.cookie);
        assert!(sessions.of(&begun.cookie, start).is_none());
    }
}
