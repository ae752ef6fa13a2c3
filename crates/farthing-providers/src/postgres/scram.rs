//! Logging in by SCRAM-SHA-256 (RFC 5802 and 7677), the client's side: the server learns nothing
//! that it does not have, and must show that it knows the password, too.
//!
//! Passwords are taken as they are, without the mapping of RFC 4013: for those in ASCII it changes
//! nothing.

use crate::base64;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// The mechanism's name.
pub(crate) const NAME: &str = "SCRAM-SHA-256";
/// Most rounds of hashing that a server may ask for: PostgreSQL's own are 4,096.
const ROUNDS_MAX: u32 = 1_000_000;
/// What says that there is no channel binding, and the same in the form that is signed.
const HEADER: &str = "n,,";
const HEADER_SIGNED: &str = "biws";

/// A log-in that goes on.
pub(crate) struct Scram {
    first: String,
    nonce: String,
}

/// A log-in whose server has still to show what it knows.
pub(crate) struct Proven {
    server: hmac::Key,
    signed: String,
}

impl Scram {
    /// Begins. `nonce` must be fresh.
    pub(crate) fn begin(nonce: &str) -> Self {
        // PostgreSQL takes the user's name from the start of the connection.
        Self { first: format!("n=,r={nonce}"), nonce: nonce.to_owned() }
    }

    /// The first message.
    pub(crate) fn first(&self) -> String {
        format!("{HEADER}{}", self.first)
    }

    /// The answer to the server's challenge; the fault in words.
    pub(crate) fn answer(
        &self,
        challenge: &str,
        password: &str,
    ) -> Result<(String, Proven), &'static str> {
        const WRONG: &str = "the server's challenge is not one of SCRAM";
        let mut fields = challenge.split(',');
        let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name));
        let nonce = field("r=").ok_or(WRONG)?;
        let salt = field("s=").and_then(base64::decode).ok_or(WRONG)?;
        let rounds = field("i=").and_then(|rounds| rounds.parse::<u32>().ok()).ok_or(WRONG)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the server's challenge answers another log-in");
        }
        let rounds = NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= ROUNDS_MAX);
        let rounds = rounds.ok_or("the server asks for more rounds of hashing than any should")?;
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let last = format!("c={HEADER_SIGNED},r={nonce}");
        let signed = format!("{},{challenge},{last}", self.first);
        let client = hmac::sign(&key(&salted), b"Client Key");
        let stored = digest::digest(&digest::SHA256, client.as_ref());
        let signature = hmac::sign(&key(stored.as_ref()), signed.as_bytes());
        let pairs = client.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, signature)| key ^ signature).collect();
        let server = hmac::sign(&key(&salted), b"Server Key");
        let proven = Proven { server: key(server.as_ref()), signed };
        Ok((format!("{last},p={}", base64::encode(&proof)), proven))
    }
}

impl Proven {
    /// Whether the server knows the password.
    pub(crate) fn is_by(&self, last: &str) -> bool {
        let signature = last.strip_prefix("v=").and_then(base64::decode).unwrap_or_default();
        // Compared in a time that says nothing of where they differ.
        hmac::verify(&self.server, self.signed.as_bytes(), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, less the user's name.
    #[test]
    fn the_example_of_the_standard_holds() {
        let mut scram = Scram::begin("rOprNGfwEbeRWgbNEkqO");
        scram.first = "n=user,r=rOprNGfwEbeRWgbNEkqO".to_owned();
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (answer, proven) = scram.answer(challenge, "pencil").unwrap();
        assert_eq!(
            answer,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proven.is_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proven.is_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8="));
        assert!(!proven.is_by(""));
    }

    #[test]
    fn a_challenge_that_makes_no_sense_is_refused() {
        let scram = Scram::begin("abc");
        for wrong in [
            "",
            "r=abcd",
            "r=abc,s=aaaa,i=1",
            "r=xyz,s=aaaa,i=1",
            "r=abcd,s=aaaa,i=0",
            "r=abcd,s=aaaa,i=99999999",
            "r=abcd,s=?,i=4096",
        ] {
            assert!(scram.answer(wrong, "x").is_err(), "{wrong}");
        }
    }
}
