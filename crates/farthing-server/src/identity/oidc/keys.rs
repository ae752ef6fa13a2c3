//! The keys that a provider signs with, and which of them a token names.

use super::refused::Refused;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use std::str::FromStr as _;

/// Keys of a provider that are kept.
const KEYS_MAX: usize = 100;

/// A key to check signatures with.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// What it is for: from its own type, and not from what a token says.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) public: DecodingKey,
}

/// Reads a set of keys (RFC 7517). What is not for signatures, or of a kind that is not known, is
/// left out: a provider may have such keys too.
pub(super) fn read(set: &Value) -> Result<Vec<Key>, Refused> {
    let wrong = || Refused::Provider("its keys are not a set of keys".to_owned());
    let keys = set.get("keys").and_then(Value::as_array).ok_or_else(wrong)?;
    Ok(keys.iter().take(KEYS_MAX).filter_map(key).collect())
}

fn key(value: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let operations = common.key_operations.as_ref();
    if operations.is_some_and(|all| !all.contains(&KeyOperations::Verify)) {
        return None;
    }
    let fits = algorithms(&jwk.algorithm);
    // Where a key says what it is for, it is for that only.
    let algorithms = match common.key_algorithm {
        None => fits.to_vec(),
        Some(only) => {
            let only = Algorithm::from_str(&only.to_string()).ok()?;
            fits.iter().copied().filter(|one| *one == only).collect()
        }
    };
    let public = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then(|| Key { id: common.key_id.clone(), algorithms, public })
}

/// What a key of a type can be for. A secret that is shared is no key of a provider: whoever had
/// it could sign, too.
fn algorithms(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => &[],
    }
}

/// The key that a token names. Without a name there must be no choice.
pub(super) fn named<'k>(
    keys: &'k [Key],
    id: Option<&str>,
    algorithm: Algorithm,
) -> Result<&'k Key, Refused> {
    let Some(id) = id else {
        let mut fit = keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        return match (fit.next(), fit.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(Refused::UnknownKey),
        };
    };
    let mut of_name = keys.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
    if of_name.peek().is_none() {
        return Err(Refused::UnknownKey);
    }
    of_name.find(|key| key.algorithms.contains(&algorithm)).ok_or(Refused::Algorithm)
}
