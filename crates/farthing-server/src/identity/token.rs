//! Tokens: 256 random bits, of which only a hash is kept.
//!
//! `fth_NAME_SECRET`, where the name is ten hex digits that may be shown, and the secret 43
//! characters of base64url. The secret is random and long, so one round of SHA-256 is enough: there
//! is nothing to guess that a slow hash would slow down.

use super::{Deed, Principal, Role, Way};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use farthing_engine::TokenRecord;
use farthing_model::{TeamId, hex};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeSet;
use std::fmt;

/// What every token begins with, so that people and scanners of repositories know one.
const BEGIN: &str = "fth_";
/// Bytes of a name and of a secret.
const NAME: usize = 5;
const SECRET: usize = 32;

/// The visible beginning of a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(String);

impl TokenId {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The system has no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// A token that was just made: the only time that anyone sees it.
pub struct Minted {
    /// Its visible beginning.
    pub id: TokenId,
    /// All of it.
    pub secret: String,
    /// What is kept.
    pub hash: String,
}

/// Makes a token.
///
/// # Errors
/// The system has no random bytes.
pub fn mint() -> Result<Minted, NoRandomness> {
    let id = format!("{BEGIN}{}", hex(&random::<NAME>()?));
    let secret = format!("{id}_{}", words(&random::<SECRET>()?));
    Ok(Minted { id: TokenId(id), hash: hash(&secret), secret })
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A name for a request.
pub(crate) fn request_id() -> String {
    // Without random bytes requests have no names of their own; that is no reason to refuse them.
    random::<8>().map_or_else(|_| "unnamed".to_owned(), |bytes| hex(&bytes))
}

/// A weak tag of content, as of RFC 9110.
pub(crate) fn content_tag(content: &[u8]) -> String {
    format!("W/\"{}\"", words(&digest(&SHA256, content).as_ref()[..16]))
}

/// Bytes as base64url.
pub(crate) fn words(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The text that base64url stands for.
pub(super) fn from_words(words: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(words).ok()?).ok()
}

/// SHA-256 of a text, in hex.
pub(crate) fn hash(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Whether two texts are the same, in a time that only depends on their lengths.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let differs = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differs == 0
}

/// The name in a token that someone shows, if it has the form of one.
pub(super) fn name_in(shown: &str) -> Option<TokenId> {
    let (name, secret) = shown.strip_prefix(BEGIN)?.split_once('_')?;
    let is_name = name.len() == NAME * 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_name && secret.len() == 43).then(|| TokenId(format!("{BEGIN}{name}")))
}

/// A token as the journal has it, read.
#[derive(Clone, Debug)]
pub(super) struct Known {
    hash: String,
    /// Not good after.
    pub(super) expires: Option<Timestamp>,
    /// Who has it.
    principal: Principal,
}

impl Known {
    /// Reads a record; `None` where it is not one that this version understands, as a token that is
    /// not understood must not let anyone in.
    pub(super) fn read(record: &TokenRecord) -> Option<Self> {
        let role: Role = record.role.parse().ok()?;
        let teams = record.teams.as_ref().map(|teams| {
            teams.iter().map(|team| TeamId::new(team).ok()).collect::<Option<BTreeSet<_>>>()
        });
        let teams = match teams {
            Some(teams) => Some(teams?),
            None => None,
        };
        let only: BTreeSet<Deed> =
            record.scopes.iter().map(|scope| scope.parse().ok()).collect::<Option<_>>()?;
        let expires = match &record.expires {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        let principal = Principal {
            name: record.name.clone(),
            role,
            teams,
            only: (!only.is_empty()).then_some(only),
            way: Way::Token(TokenId(record.token.clone())),
        };
        Some(Self { hash: record.hash.clone(), expires, principal })
    }

    /// Who has it, if the token that is shown is this one and still good at `now`.
    pub(super) fn opens(&self, shown: &str, now: Timestamp) -> Option<Principal> {
        let good = same(&self.hash, &hash(shown)) && self.is_good(now);
        good.then(|| self.principal.clone())
    }

    /// Whether this is whom it lets in.
    pub(super) fn is_of(&self, who: &Principal) -> bool {
        self.principal == *who
    }

    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(minted: &Minted) -> TokenRecord {
        TokenRecord {
            token: minted.id.to_string(),
            name: "ci".to_owned(),
            hash: minted.hash.clone(),
            role: "team".to_owned(),
            teams: Some(vec!["research".to_owned()]),
            scopes: vec!["reserve".to_owned()],
            expires: Some("2026-12-01T00:00:00Z".to_owned()),
            by: "someone".to_owned(),
        }
    }

    #[test]
    fn a_token_opens_until_it_expires_and_only_whole() {
        let minted = mint().unwrap();
        assert_ne!(minted.secret, mint().unwrap().secret);
        assert_eq!(name_in(&minted.secret), Some(minted.id.clone()));
        assert!(!minted.hash.contains(&minted.secret[15..]));
        let known = Known::read(&record(&minted)).unwrap();
        let before = "2026-11-30T23:59:59Z".parse().unwrap();
        let who = known.opens(&minted.secret, before).unwrap();
        assert!(who.may(Deed::Reserve) && !who.may(Deed::Read) && !who.may(Deed::Steps));
        assert!(known.opens(&minted.secret, "2026-12-01T00:00:00Z".parse().unwrap()).is_none());
        assert!(known.opens(&minted.secret[..57], before).is_none());
        assert!(known.opens(&minted.secret.to_uppercase(), before).is_none());
    }

    #[test]
    fn what_is_not_understood_opens_nothing() {
        let minted = mint().unwrap();
        let good = record(&minted);
        for bad in [
            TokenRecord { role: "root".to_owned(), ..good.clone() },
            TokenRecord { scopes: vec!["everything".to_owned()], ..good.clone() },
            TokenRecord { teams: Some(vec![String::new()]), ..good.clone() },
            TokenRecord { expires: Some("soon".to_owned()), ..good.clone() },
        ] {
            assert!(Known::read(&bad).is_none(), "{bad:?}");
        }
        for shown in ["", "fth_", "fth_0123456789", "fth_0123456789_short", "ghp_0123456789_x"] {
            assert_eq!(name_in(shown), None, "{shown}");
        }
    }
}
