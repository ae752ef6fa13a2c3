//! The door: from what a request carries to whom it is, or why it is not let in.

use super::audit::Audit;
use super::oidc::{self, Back, Done, Oidc, Refused};
use super::roster::Roster;
use super::session::{Begun, carries};
use super::throttle::Throttle;
use super::{AccessRules, Principal, Sessions, Way};
use crate::orders::Orders;
use crate::reader::{Archive, Reader, Unread};
use jiff::Timestamp;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What another process says of tokens counts here after this time.
const FRESH: Duration = Duration::from_secs(1);

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) struct Asking<'r> {
    /// From where it comes.
    pub(crate) from: IpAddr,
    /// A token.
    pub(crate) bearer: Option<&'r str>,
    /// The cookie of a session.
    pub(crate) cookie: Option<&'r str>,
    /// The word against requests that other sites make.
    pub(crate) csrf: Option<&'r str>,
    /// Whether it changes something.
    pub(crate) changes: bool,
}

/// Someone who was let in.
#[derive(Clone, Debug)]
pub(crate) struct Entered {
    /// Who.
    pub(crate) who: Arc<Principal>,
    /// The word of his session.
    pub(crate) csrf: Option<String>,
}

/// Why someone was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// He has to log in; the text says why.
    LogIn(&'static str),
    /// The word of the session is missing or wrong.
    NoWord,
    /// Too many attempts failed: come again.
    Wait(Duration),
    /// Tokens cannot be read at the moment.
    Unavailable,
    /// What the provider of identities says does not let him in.
    Identity(Refused),
}

/// Who may come in.
#[derive(Debug)]
pub(crate) struct Door {
    rules: AccessRules,
    oidc: RwLock<Option<Arc<Oidc>>>,
    journal: Option<Reader<Archive>>,
    roster: Arc<Mutex<Roster>>,
    read: tokio::sync::Mutex<Option<Instant>>,
    sessions: Sessions,
    throttle: Throttle,
    audit: Audit,
}

impl Door {
    pub(crate) fn new(
        rules: AccessRules,
        (oidc, sessions): (Option<Oidc>, Sessions),
        journal: Option<Reader<Archive>>,
        orders: Option<Orders>,
    ) -> Self {
        Self {
            rules,
            oidc: RwLock::new(oidc.map(Arc::new)),
            journal,
            roster: Arc::default(),
            read: tokio::sync::Mutex::new(None),
            sessions,
            throttle: Throttle::default(),
            audit: Audit::new(orders),
        }
    }

    /// What is asked of those who come.
    pub(crate) const fn rules(&self) -> AccessRules {
        self.rules
    }

    /// In which ways one can log in.
    pub(crate) fn ways(&self) -> Vec<&'static str> {
        if self.oidc().is_some() { vec!["oidc", "token"] } else { vec!["token"] }
    }

    /// Who it is that asks.
    pub(crate) async fn admit(&self, asking: &Asking<'_>) -> Result<Entered, Refusal> {
        if let Some(shown) = asking.bearer {
            let who = match self.oidc() {
                Some(oidc) if oidc::is_token(shown) => {
                    let found = oidc.of_token(shown).await;
                    found.map_err(|why| self.not_known(why, asking.from))?
                }
                _ => self.by_token(shown, asking.from, "a token").await?,
            };
            return Ok(Entered { who: Arc::new(who), csrf: None });
        }
        let session = asking
            .cookie
            .and_then(|cookie| Some((cookie, self.sessions.of(cookie, Timestamp::now())?)));
        let mut session = session;
        if let Some((cookie, (who, _))) = &session
            && !self.is_good(who).await?
        {
            // He is not any more what he was when he logged in.
            self.sessions.end(cookie);
            self.refused(Some(&who.name), asking.from, "with a session that is not good any more");
            session = None;
        }
        if let Some((_, (who, csrf))) = session {
            if asking.changes && !carries(asking.csrf, &csrf) {
                self.refused(Some(&who.name), asking.from, "without the word of its session");
                return Err(Refusal::NoWord);
            }
            return Ok(Entered { who, csrf: Some(csrf) });
        }
        if self.rules.required {
            return Err(Refusal::LogIn("log in, or send a token as `Authorization: Bearer`"));
        }
        Ok(Entered { who: Arc::new(Principal::local()), csrf: None })
    }

    /// Begins a session for whoever has a token.
    pub(crate) async fn log_in(
        &self,
        shown: &str,
        from: IpAddr,
    ) -> Result<(Begun, Entered), Refusal> {
        if let Some(wait) = self.throttle.wait(from, Instant::now()) {
            return Err(Refusal::Wait(wait));
        }
        let who = self.by_token(shown, from, "a log-in").await?;
        self.begin(who, from, "by token")
    }

    /// Begins a session for someone whose identity is known.
    pub(crate) fn begin(
        &self,
        who: Principal,
        from: IpAddr,
        how: &str,
    ) -> Result<(Begun, Entered), Refusal> {
        self.audit.note("log-in", Some(&who.name), &from.to_string(), how);
        let begun = self.sessions.begin(who.clone(), Timestamp::now());
        let begun = begun.map_err(|_| Refusal::Unavailable)?;
        let csrf = Some(begun.csrf.clone());
        Ok((begun, Entered { who: Arc::new(who), csrf }))
    }

    /// The provider of identities, where there is one.
    pub(crate) fn oidc(&self) -> Option<Arc<Oidc>> {
        self.oidc.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another provider of identities, or other grants of it: who came by what is not granted
    /// any more has to log in again.
    pub(crate) fn identify(&self, oidc: Option<Oidc>) {
        *self.oidc.write().unwrap_or_else(PoisonError::into_inner) = oidc.map(Arc::new);
    }

    /// Begins a session for whoever comes back from the provider of identities; with it, where he
    /// wanted to go.
    pub(crate) async fn come_back(
        &self,
        oidc: &Oidc,
        back: &Back,
        cookie: Option<&str>,
        from: IpAddr,
    ) -> Result<(Begun, String), Refusal> {
        if let Some(wait) = self.throttle.wait(from, Instant::now()) {
            return Err(Refusal::Wait(wait));
        }
        let done = oidc.finish(back, cookie).await;
        let Done { who, subject, back_to } = done.map_err(|why| self.not_known(why, from))?;
        let (begun, _) = self.begin(who, from, &format!("by OIDC as {subject}"))?;
        Ok((begun, back_to))
    }

    /// Notes why someone with a token of the provider is not let in.
    pub(crate) fn not_known(&self, why: Refused, from: IpAddr) -> Refusal {
        let now = Instant::now();
        // That the provider is down is nobody's attempt.
        if !matches!(why, Refused::Provider(_)) {
            if let Some(wait) = self.throttle.wait(from, now) {
                return Refusal::Wait(wait);
            }
            self.throttle.failed(from, now);
        }
        self.refused(why.who(), from, &why.to_string());
        Refusal::Identity(why)
    }

    /// Ends a session.
    pub(crate) fn log_out(&self, who: &Principal, cookie: &str, from: IpAddr) {
        self.sessions.end(cookie);
        self.audit.note("log-out", Some(&who.name), &from.to_string(), "");
    }

    /// Whether someone who was let in would still be, with what he may do: his token may be revoked
    /// meanwhile, or his groups granted something else.
    pub(crate) async fn is_good(&self, who: &Principal) -> Result<bool, Refusal> {
        match &who.way {
            Way::Local => Ok(true),
            Way::Oidc(groups) => Ok(self.oidc().is_some_and(|oidc| oidc.still_grants(who, groups))),
            Way::Token(id) => {
                self.refresh().await?;
                let roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(roster.is_good(id, who, Timestamp::now()))
            }
        }
    }

    /// Notes that someone was refused.
    pub(crate) fn refused(&self, who: Option<&str>, from: IpAddr, why: &str) {
        self.audit.note("refused", who, &from.to_string(), why);
    }

    /// Notes that someone read what is not only his own.
    pub(crate) fn has_read(&self, who: &Principal, from: IpAddr, route: &str) {
        self.audit.note("read", Some(&who.name), &from.to_string(), route);
    }

    async fn by_token(
        &self,
        shown: &str,
        from: IpAddr,
        what: &'static str,
    ) -> Result<Principal, Refusal> {
        self.refresh().await?;
        let opened = {
            let roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
            roster.open(shown, Timestamp::now())
        };
        opened.ok_or_else(|| {
            let now = Instant::now();
            if let Some(wait) = self.throttle.wait(from, now) {
                return Refusal::Wait(wait);
            }
            self.throttle.failed(from, now);
            self.refused(None, from, &format!("{what} that is wrong, revoked or expired"));
            Refusal::LogIn("this token is wrong, revoked or expired")
        })
    }

    /// Reads what others say of tokens.
    async fn refresh(&self) -> Result<(), Refusal> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let mut read = self.read.lock().await;
        if read.is_some_and(|read| read.elapsed() < FRESH) {
            return Ok(());
        }
        let roster = Arc::clone(&self.roster);
        let caught_up = journal.read(move |store| {
            roster.lock().unwrap_or_else(PoisonError::into_inner).catch_up(&**store)
        });
        caught_up.await.map_err(|_: Unread| Refusal::Unavailable)?;
        *read = Some(Instant::now());
        Ok(())
    }
}
