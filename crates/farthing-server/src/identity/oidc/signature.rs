//! Signatures of identity tokens: `jsonwebtoken` reads and judges tokens, `ring` checks what they
//! are signed with, as it does for TLS. Nothing is signed here, and no secret is shared with
//! anyone: algorithms with a secret are not in it.

use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature as ring;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    jwk_utils: JwkUtils::new_unimplemented(),
};

/// Has `jsonwebtoken` check signatures by `ring`; to be called before the first is checked.
pub(super) fn install() {
    // It is the only one of this program: who comes second finds the same one there.
    let _ = PROVIDER.install_default();
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the type of the library")]
fn signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(Error::from(ErrorKind::InvalidAlgorithm))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the type of the library")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let algorithm = *algorithm;
    let key = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            Public::Rsa(ring::RsaPublicKeyComponents { n: n.clone(), e: e.clone() })
        }
        DecodingKeyKind::SecretOrDer(bytes) => Public::Bytes(bytes.clone()),
    };
    // An algorithm that is not in one of the lists has no way to be checked.
    let is_of = match &key {
        Public::Rsa(_) => rsa(algorithm).is_some(),
        Public::Bytes(_) => curve(algorithm).is_some(),
    };
    if !is_of {
        return Err(Error::from(ErrorKind::InvalidAlgorithm));
    }
    Ok(Box::new(Check { algorithm, key }))
}

/// How RSA is used; moduli of 2048 bits or more.
fn rsa(algorithm: Algorithm) -> Option<&'static ring::RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &ring::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &ring::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &ring::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &ring::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &ring::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &ring::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// How curves are used.
fn curve(algorithm: Algorithm) -> Option<&'static dyn ring::VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::ES256 => &ring::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &ring::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &ring::ED25519,
        _ => return None,
    })
}

enum Public {
    Rsa(ring::RsaPublicKeyComponents<Vec<u8>>),
    Bytes(Vec<u8>),
}

struct Check {
    algorithm: Algorithm,
    key: Public,
}

impl Verifier<Vec<u8>> for Check {
    fn verify(
        &self,
        message: &[u8],
        signed: &Vec<u8>,
    ) -> std::result::Result<(), signature::Error> {
        let checked = match &self.key {
            Public::Rsa(key) => {
                let how = rsa(self.algorithm).ok_or_else(signature::Error::new)?;
                key.verify(how, message, signed)
            }
            Public::Bytes(key) => {
                let how = curve(self.algorithm).ok_or_else(signature::Error::new)?;
                ring::UnparsedPublicKey::new(how, key).verify(message, signed)
            }
        };
        checked.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
