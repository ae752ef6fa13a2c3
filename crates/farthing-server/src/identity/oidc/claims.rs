//! Whether a token is one of the provider for us, and what it says of whom.

use super::keys::Key;
use super::refused::Refused;
use super::settings::OidcSettings;
use crate::identity::token::same;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// Bytes of a token that is looked at.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Letters of a name that is shown; others are cut.
const NAME_MAX: usize = 100;
/// Clocks may differ by this many seconds.
const LEEWAY_S: u64 = 60;

/// What the head of a token says, before anything of it is believed.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) algorithm: Algorithm,
    pub(super) key: Option<String>,
}

/// Whether a text has the form of a signed token.
pub(in crate::identity) fn is_token(shown: &str) -> bool {
    shown.len() <= TOKEN_BYTES_MAX && shown.split('.').count() == 3
}

/// Reads the head of a token.
pub(super) fn head(token: &str) -> Result<Head, Refused> {
    if !is_token(token) {
        return Err(Refused::Unreadable);
    }
    let head = token.split('.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(head).map_err(|_| Refused::Unreadable)?;
    let head: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|_| Refused::Unreadable)?;
    // RFC 7515: who does not understand what is critical must refuse it; we understand none.
    if head.contains_key("crit") {
        return Err(Refused::Unreadable);
    }
    // Of the types that say what a token is for, only access tokens are for this (RFC 9068).
    let kind = head.get("typ").map(|kind| kind.as_str().unwrap_or_default().to_ascii_lowercase());
    if !matches!(kind.as_deref(), None | Some("jwt" | "at+jwt" | "application/at+jwt")) {
        return Err(Refused::Claims);
    }
    let algorithm = head.get("alg").and_then(Value::as_str).ok_or(Refused::Unreadable)?;
    if algorithm.eq_ignore_ascii_case("none") {
        return Err(Refused::Unsigned);
    }
    let algorithm = Algorithm::from_str(algorithm).map_err(|_| Refused::Algorithm)?;
    if matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
        return Err(Refused::Algorithm);
    }
    let key = match head.get("kid") {
        None => None,
        Some(Value::String(key)) => Some(key.clone()),
        Some(_) => return Err(Refused::Unreadable),
    };
    Ok(Head { algorithm, key })
}

/// What a token that was checked says.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    /// Whom it is of.
    pub(super) sub: String,
    aud: Value,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    nonce: Option<String>,
    /// All the rest.
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

/// Checks a token with the key that it names: its signature, whose it is, whom it is for, and when.
pub(super) fn check(
    token: &str,
    head: &Head,
    key: &Key,
    settings: &OidcSettings,
    audiences: &[&str],
) -> Result<Claims, Refused> {
    super::signature::install();
    let mut wanted = Validation::new(head.algorithm);
    wanted.algorithms.clone_from(&key.algorithms);
    wanted.leeway = LEEWAY_S;
    wanted.validate_nbf = true;
    wanted.set_issuer(&[&settings.issuer]);
    wanted.set_audience(audiences);
    wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let read = jsonwebtoken::decode::<Claims>(token, &key.public, &wanted);
    let claims = read.map_err(|error| refused(error.kind()))?.claims;
    // An issuer is one text: that one of several is ours is not enough.
    if claims.iss != settings.issuer {
        return Err(Refused::Issuer);
    }
    if claims.sub.is_empty() {
        return Err(Refused::Claims);
    }
    Ok(claims)
}

impl Claims {
    /// Whether this is the answer to one log-in, and for us alone (`OpenID` Connect Core, 3.1.3.7).
    pub(super) fn answers(&self, nonce: &str, client: &str) -> Result<(), Refused> {
        if !self.nonce.as_deref().is_some_and(|given| same(given, nonce)) {
            return Err(Refused::Nonce);
        }
        let is_shared = self.aud.as_array().is_some_and(|all| all.len() > 1);
        match &self.azp {
            Some(party) if party == client => Ok(()),
            None if !is_shared => Ok(()),
            _ => Err(Refused::Audience),
        }
    }
}

fn refused(kind: &ErrorKind) -> Refused {
    match kind {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::MissingAlgorithm => Refused::Algorithm,
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::NotYet,
        ErrorKind::InvalidIssuer => Refused::Issuer,
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::Json(_) => Refused::Claims,
        _ => Refused::Unreadable,
    }
}

/// The groups in a set of claims; `None` where they are not in it.
pub(super) fn groups(claims: &Map<String, Value>, path: &str) -> Option<BTreeSet<String>> {
    let whole = claims.get(path);
    let nested = || {
        let mut parts = path.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    match whole.or_else(nested)? {
        Value::String(one) => Some(BTreeSet::from([one.clone()])),
        Value::Array(all) => {
            Some(all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => None,
    }
}

/// The name that is shown; the subject where the claim is missing or is not fit to be shown.
pub(super) fn name(claims: &Map<String, Value>, claim: &str, subject: &str) -> String {
    let shown = claims.get(claim).and_then(Value::as_str).map(str::trim);
    let good = |name: &&str| !name.is_empty() && !name.chars().any(char::is_control);
    self::shown(shown.filter(good).unwrap_or(subject))
}

/// What of a text is fit for records and pages.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(NAME_MAX).collect()
}
