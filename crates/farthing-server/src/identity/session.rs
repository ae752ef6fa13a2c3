//! Sessions: who logged in with a browser, by a cookie that no script can read.
//!
//! What is kept is a hash of the cookie, and who has it. The word that state-changing requests must
//! carry (CSRF) follows from the cookie, which other sites do not know. With a file they last over
//! a restart; whether someone is still what he was then is asked of the roster and of the grants
//! with every request, by the door.

use super::Principal;
use super::session_file::{SessionFile, SessionsError};
use super::token::{self, NoRandomness, same};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Without a request for so long, a session is over.
const IDLE_MAX: SignedDuration = SignedDuration::from_hours(2);
/// So long after its start, a session is over.
const LENGTH_MAX: SignedDuration = SignedDuration::from_hours(12);
/// Sessions at once; the one that was idle for longest makes room.
const COUNT_MAX: usize = 10_000;
/// That one is used is written down as often as this.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// A session that was just begun.
pub(crate) struct Begun {
    /// What the cookie says.
    pub(crate) cookie: String,
    /// What state-changing requests must carry.
    pub(crate) csrf: String,
}

/// The hash of a cookie.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(String);

impl Key {
    fn of(cookie: &str) -> Self {
        Self(token::hash(cookie))
    }

    pub(super) const fn of_hash(hash: String) -> Self {
        Self(hash)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who has a cookie, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) who: Arc<Principal>,
    pub(super) began: Timestamp,
    pub(super) seen: Timestamp,
}

impl Session {
    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen) >= IDLE_MAX || now.duration_since(self.began) >= LENGTH_MAX
    }
}

/// All log-ins: in memory, or in a file too.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    all: HashMap<Key, Session>,
    file: Option<SessionFile>,
}

impl Sessions {
    /// The sessions of a file, which is made where it is not there. Those that are over are not in
    /// it any more.
    ///
    /// # Errors
    /// It cannot be read, is not one, or others can write it.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, SessionsError> {
        let (file, mut all) = SessionFile::open(path)?;
        all.retain(|_, session| !session.is_over(now));
        Ok(Self(Mutex::new(Kept { all, file: Some(file) })))
    }

    /// No session, and a file that is begun anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn anew(path: &Path) -> Result<Self, SessionsError> {
        let all = HashMap::new();
        let file = Some(SessionFile::anew(path, &all)?);
        Ok(Self(Mutex::new(Kept { all, file })))
    }

    pub(super) fn begin(&self, who: Principal, now: Timestamp) -> Result<Begun, NoRandomness> {
        let cookie = token::words(&token::random::<32>()?);
        let csrf = csrf(&cookie);
        let (key, session) = (Key::of(&cookie), Session { who: who.into(), began: now, seen: now });
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.all.retain(|_, session| !session.is_over(now));
        if kept.all.len() >= COUNT_MAX {
            let oldest = kept.all.iter().min_by_key(|(_, session)| session.seen);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                kept.end(&oldest);
            }
        }
        // What cannot be written is good until a restart.
        let _ = kept.file.as_mut().map(|file| file.begun(&key, &session));
        kept.all.insert(key, session);
        kept.shorten();
        Ok(Begun { cookie, csrf })
    }

    /// Who has a cookie, with the word of his session.
    pub(super) fn of(&self, cookie: &str, now: Timestamp) -> Option<(Arc<Principal>, String)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        let key = Key::of(cookie);
        let session = kept.all.get_mut(&key)?;
        if session.is_over(now) {
            kept.end(&key);
            return None;
        }
        let is_news = now.duration_since(session.seen) >= SEEN_EVERY;
        // Short of that it is as good as seen then, also after a restart.
        if is_news {
            session.seen = now;
            let _ = kept.file.as_mut().map(|file| file.seen(&key, now));
        }
        let who = Arc::clone(&session.who);
        kept.shorten();
        Some((who, csrf(cookie)))
    }

    pub(super) fn end(&self, cookie: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.end(&Key::of(cookie));
    }
}

impl Kept {
    fn end(&mut self, key: &Key) {
        if self.all.remove(key).is_none() {
            return;
        }
        if self.file.as_mut().is_some_and(|file| file.ended(key).is_err())
            && let Some(file) = self.file.take()
        {
            file.forget();
        }
    }

    /// Writes the file anew where too much has happened to it.
    fn shorten(&mut self) {
        let Some(file) = self.file.as_ref().filter(|file| file.is_long()) else { return };
        // On a full disk the old one goes on.
        if let Ok(shorter) = SessionFile::anew(file.path(), &self.all) {
            self.file = Some(shorter);
        }
    }
}

/// The word of a session.
fn csrf(cookie: &str) -> String {
    token::hash(&format!("csrf {cookie}"))
}

/// Whether a request carries the word of its session.
pub(super) fn carries(given: Option<&str>, csrf: &str) -> bool {
    given.is_some_and(|given| same(given, csrf))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Deed, Role, TokenId, Way};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn start() -> Timestamp {
        "2026-11-24T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
        let (sessions, start) = (Sessions::default(), start());
        let begun = sessions.begin(Principal::local(), start).unwrap();
        assert!(sessions.of("another", start).is_none());
        let (mut now, hour) = (start, SignedDuration::from_hours(1));
        // Used every hour, it lasts for twelve.
        while now + hour < start + LENGTH_MAX {
            now += hour;
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

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("farthing-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn people() -> [Principal; 2] {
        let anna = Principal {
            name: "anna".to_owned(),
            role: Role::Team,
            teams: Some(["research".parse().unwrap()].into()),
            only: Some([Deed::Reserve].into()),
            way: Way::Token(TokenId::of("fth_0123456789")),
        };
        let way = Way::Oidc(["ml".to_owned(), "é \"\n".to_owned()].into());
        [anna.clone(), Principal { role: Role::Admin, teams: None, only: None, way, ..anna }]
    }

    #[test]
    fn a_restart_keeps_who_logged_in_and_forgets_who_logged_out() {
        let folder = folder("restart");
        let path = folder.join("lab.sessions");
        let sessions = Sessions::open(&path, start()).unwrap();
        let begun: Vec<Begun> =
            people().into_iter().map(|who| sessions.begin(who, start()).unwrap()).collect();
        let gone = sessions.begin(people()[0].clone(), start()).unwrap();
        sessions.end(&gone.cookie);
        let later = start() + SignedDuration::from_mins(90);
        assert!(sessions.of(&begun[1].cookie, later).is_some());
        drop(sessions);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(begun.iter().all(|it| !text.contains(&it.cookie) && !text.contains(&it.csrf)));
        // A crash cut off the last line.
        fs::write(&path, text + "{\"is\":\"begun\",\"key\"").unwrap();
        let now = start() + SignedDuration::from_mins(100);
        let sessions = Sessions::open(&path, now).unwrap();
        for (begun, who) in begun.iter().zip(people()) {
            let (known, csrf) = sessions.of(&begun.cookie, now).unwrap();
            assert_eq!((&*known, csrf), (&who, begun.csrf.clone()));
        }
        assert!(sessions.of(&gone.cookie, now).is_none());
        drop(sessions);
        // The first was not used for two hours; the second was.
        let now = start() + SignedDuration::from_mins(200);
        let sessions = Sessions::open(&path, now).unwrap();
        assert!(sessions.of(&begun[0].cookie, now).is_some(), "it was seen at 100");
        let now = start() + LENGTH_MAX;
        assert!(sessions.of(&begun[1].cookie, now).is_none());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_others_can_write_or_that_is_none_lets_nobody_in() {
        let folder = folder("others");
        let path = folder.join("lab.sessions");
        drop(Sessions::open(&path, start()).unwrap());
        for mode in [0o644, 0o660, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = Sessions::open(&path, start()).unwrap_err().to_string();
            assert!(error.contains("it must be 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for (line, says) in [
            ("nonsense", "expected"),
            (r#"{"is":"seen","key":"a"}"#, "missing field"),
            (r#"{"is":"other"}"#, "unknown variant"),
        ] {
            fs::write(&path, format!("{line}\n")).unwrap();
            let error = Sessions::open(&path, start()).unwrap_err().to_string();
            assert!(error.contains("line 1") && error.contains(says), "{error}");
        }
        let sessions = Sessions::anew(&path).unwrap();
        let begun = sessions.begin(people()[0].clone(), start()).unwrap();
        drop(sessions);
        let sessions = Sessions::open(&path, start()).unwrap();
        assert!(sessions.of(&begun.cookie, start()).is_some());
        fs::remove_dir_all(folder).unwrap();
    }
}
