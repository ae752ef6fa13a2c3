//! A log-in through the browser: the code flow with PKCE, state and nonce.
//!
//! What has to be known when the browser comes back is not kept here but in a cookie of its own,
//! with one secret from which state, nonce and the verifier of PKCE are made, each by its own hash.
//! So nobody can fill our memory with log-ins that he begins, and any replica can end one.

use super::settings::OidcSettings;
use crate::identity::token::{self, NoRandomness};
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;

/// Seconds that a log-in may take.
pub(crate) const LOG_IN_S: u32 = 600;
/// Where a provider sends browsers back to.
pub(crate) const BACK: &str = "/api/v1/login/oidc/back";
/// Bytes of the address to go to afterwards.
const RETURN_MAX: usize = 2_000;

/// A log-in that a browser began.
#[derive(Debug)]
pub(super) struct Begun {
    secret: String,
    /// Where he wants to go afterwards.
    pub(super) back_to: String,
}

impl Begun {
    pub(super) fn new(back_to: &str) -> Result<Self, NoRandomness> {
        let secret = token::words(&token::random::<32>()?);
        Ok(Self { secret, back_to: own_page(back_to).to_owned() })
    }

    /// From the cookie.
    pub(super) fn of(cookie: &str) -> Option<Self> {
        let (secret, back_to) = cookie.split_once('.')?;
        let back_to = token::from_words(back_to)?;
        let secret = secret.to_owned();
        (secret.len() == 43).then(|| Self { secret, back_to: own_page(&back_to).to_owned() })
    }

    /// For the cookie.
    pub(super) fn cookie(&self) -> String {
        format!("{}.{}", self.secret, token::words(self.back_to.as_bytes()))
    }

    pub(super) fn state(&self) -> String {
        self.made("state")
    }

    pub(super) fn nonce(&self) -> String {
        self.made("nonce")
    }

    pub(super) fn verifier(&self) -> String {
        self.made("verifier")
    }

    fn made(&self, what: &str) -> String {
        token::words(digest(&SHA256, format!("{what} {}", self.secret).as_bytes()).as_ref())
    }

    /// Where the browser is sent.
    pub(super) fn address(&self, at: &str, settings: &OidcSettings) -> String {
        let challenge = token::words(digest(&SHA256, self.verifier().as_bytes()).as_ref());
        let mut scopes = vec!["openid"];
        scopes
            .extend(settings.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        let mut address = at.to_owned();
        let mut separator = if at.contains('?') { '&' } else { '?' };
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", &settings.client),
            ("redirect_uri", &redirect(settings)),
            ("scope", &scopes.join(" ")),
            ("state", &self.state()),
            ("nonce", &self.nonce()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ] {
            // Writing to a text cannot fail.
            let _ = write!(address, "{separator}{name}={}", encoded(value));
            separator = '&';
        }
        address
    }
}

/// The address that the provider knows us by.
pub(super) fn redirect(settings: &OidcSettings) -> String {
    format!("{}{BACK}", settings.url)
}

/// Encodes a value of a query, byte by byte.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A page of ours: browsers read `//host` and `/\host` as another site.
fn own_page(path: &str) -> &str {
    let is_path = path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\");
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_page = !path.starts_with("/api/");
    if is_path && is_plain && is_page && path.len() <= RETURN_MAX { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn a_log_in_is_what_its_cookie_says_and_ends_on_a_page_of_ours() {
        let begun = Begun::new("/cost?by=team").unwrap();
        let again = Begun::of(&begun.cookie()).unwrap();
        assert_eq!((again.state(), again.nonce()), (begun.state(), begun.nonce()));
        assert_eq!(again.back_to, "/cost?by=team");
        let parts = [begun.state(), begun.nonce(), begun.verifier()];
        assert!(parts.iter().all(|part| part.len() == 43 && !begun.cookie().contains(part)));
        assert!(parts[0] != parts[1] && parts[1] != parts[2]);
        let address = begun.address("https://id.example/auth?x=1", &settings());
        assert!(address.starts_with("https://id.example/auth?x=1&response_type=code&client_id="));
        assert!(address.contains("code_challenge_method=S256"));
        assert!(address.contains(&begun.state()) && address.contains(&begun.nonce()));
        assert!(!address.contains(&begun.verifier()));
        assert!(address.contains("scope=openid%20profile"));
        for bad in ["", "x.", "x.L2Nvc3Q", "no-dot"] {
            assert!(Begun::of(bad).is_none(), "{bad}");
        }
        let elsewhere =
            ["//evil.example", "/\\evil", "https://evil", "", "x", "/a\r\nb", "/api/v1"];
        for bad in elsewhere {
            assert_eq!(Begun::new(bad).unwrap().back_to, "/", "{bad}");
        }
    }
}
