//! What the provider says of itself: where it is asked, and the keys that it signs with.
//!
//! It is asked when it is first needed, so that a loop starts while its provider is down; again
//! when what is known is old; and when a token names a key that is not known, as providers change
//! their keys. Anybody can make up names of keys, so that there is a limit on how often.

use super::keys::{self, Key};
use super::refused::Refused;
use crate::reader::Reader;
use farthing_edge::{EdgeError, Fetch, Question, Reply};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Asked again after this: a key that was withdrawn is then no longer good.
const FRESH: Duration = Duration::from_secs(600);
/// Where it cannot be asked, what it said is good for so long.
const STALE_MAX: Duration = Duration::from_secs(3_600);
/// Asked so often at once, and then once in [`AGAIN`].
const ASKED_MAX: u32 = 5;
const AGAIN: Duration = Duration::from_secs(30);

/// Where a provider is asked (`OpenID` Connect Discovery 1.0).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    /// Where browsers log in.
    pub(super) authorization_endpoint: String,
    /// Where codes become tokens.
    pub(super) token_endpoint: String,
    jwks_uri: String,
    /// Where claims are that are not in a token.
    #[serde(default)]
    pub(super) userinfo_endpoint: Option<String>,
    /// Where browsers log out.
    #[serde(default)]
    pub(super) end_session_endpoint: Option<String>,
    /// How we say who we are.
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether answers name their issuer (RFC 9207).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// What is known of the provider.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) metadata: Metadata,
    keys: Vec<Key>,
    at: Instant,
}

/// How often it may still be asked.
#[derive(Debug)]
struct Allowance {
    left: u32,
    since: Option<Instant>,
}

/// The provider.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    web: Reader<Web>,
    known: Mutex<Option<Arc<Known>>>,
    /// Held by whoever asks it.
    asking: tokio::sync::Mutex<Allowance>,
}

/// What opens connections.
pub(super) type Web = Box<dyn Fetch + Send>;

impl Provider {
    pub(super) fn new(issuer: &str, web: Reader<Web>) -> Self {
        let asking = tokio::sync::Mutex::new(Allowance { left: ASKED_MAX, since: None });
        Self { issuer: issuer.to_owned(), web, known: Mutex::default(), asking }
    }

    /// Asks by our own thread.
    pub(super) async fn ask(&self, question: Question) -> Result<Reply, Refused> {
        Ok(self.web.read(move |web| web.fetch(&question)).await?)
    }

    /// What it says of itself.
    pub(super) async fn known(&self, now: Instant) -> Result<Arc<Known>, Refused> {
        let held = self.held();
        let age = |known: &Arc<Known>| now.saturating_duration_since(known.at);
        if let Some(known) = held.as_ref().filter(|known| age(known) < FRESH) {
            return Ok(Arc::clone(known));
        }
        let old = held.filter(|known| age(known) < STALE_MAX);
        if let Some(old) = old {
            // Who comes while another asks does not wait for him.
            let Ok(mut allowance) = self.asking.try_lock() else { return Ok(old) };
            return Ok(self.renew(&mut allowance, now).await.unwrap_or(old));
        }
        let mut allowance = self.asking.lock().await;
        match self.held().filter(|known| age(known) < FRESH) {
            // Another has asked meanwhile.
            Some(known) => Ok(known),
            None => self.renew(&mut allowance, now).await,
        }
    }

    /// The key that a token names.
    pub(super) async fn key(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Instant,
    ) -> Result<Key, Refused> {
        let known = self.known(now).await?;
        match keys::named(&known.keys, id, algorithm) {
            Err(Refused::UnknownKey) => {}
            found => return found.cloned(),
        }
        let mut allowance = self.asking.lock().await;
        let held = self.held().filter(|held| !Arc::ptr_eq(held, &known));
        let newer = match held {
            Some(newer) => newer,
            None => self.renew(&mut allowance, now).await.map_err(|why| match why {
                // It was asked often enough: then it does not have the key.
                Refused::Provider(why) if why == TOO_OFTEN => Refused::UnknownKey,
                why => why,
            })?,
        };
        keys::named(&newer.keys, id, algorithm).cloned()
    }

    /// What it said last, however old that is.
    pub(super) fn held(&self) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn renew(&self, allowance: &mut Allowance, now: Instant) -> Result<Arc<Known>, Refused> {
        if !allowance.take(now) {
            return Err(Refused::Provider(TOO_OFTEN.to_owned()));
        }
        let issuer = self.issuer.clone();
        let read =
            self.web.read(move |web| Ok::<_, EdgeError>(discover(&**web, &issuer))).await??;
        let known = Arc::new(Known { metadata: read.0, keys: read.1, at: now });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        Ok(known)
    }
}

const TOO_OFTEN: &str = "it was asked often enough; come again in a minute";

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let more = now.saturating_duration_since(since).as_secs() / AGAIN.as_secs();
        if let Ok(more @ 1..) = u32::try_from(more) {
            self.left = self.left.saturating_add(more).min(ASKED_MAX);
            self.since = Some(now);
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

/// Reads what the provider says of itself, and its keys.
fn discover(web: &dyn Fetch, issuer: &str) -> Result<(Metadata, Vec<Key>), Refused> {
    let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let found = get(web, at, "what it says of itself")?;
    let metadata: Metadata = serde_json::from_value(found)
        .map_err(|error| Refused::Provider(format!("what it says of itself: {error}")))?;
    // OpenID Connect Discovery 1.0, 4.3: or one provider could speak for another.
    if metadata.issuer != issuer {
        let (said, wanted) = (metadata.issuer, issuer);
        return Err(Refused::Provider(format!("it says that it is `{said}`, not `{wanted}`")));
    }
    let keys = keys::read(&get(web, metadata.jwks_uri.clone(), "its keys")?)?;
    Ok((metadata, keys))
}

fn get(web: &dyn Fetch, url: String, what: &str) -> Result<Value, Refused> {
    let question = Question { url, ..Question::default() };
    let reply = web.fetch(&question).map_err(|why| Refused::Provider(format!("{what}: {why}")))?;
    json(&reply, what)
}

/// The content of a good answer.
pub(super) fn json(reply: &Reply, what: &str) -> Result<Value, Refused> {
    if reply.status != 200 {
        return Err(Refused::Provider(format!("{what}: it answers {}", reply.status)));
    }
    serde_json::from_slice(&reply.body)
        .map_err(|_| Refused::Provider(format!("{what}: what it answers is not JSON")))
}
