//! Log-in by a provider of identities: `OpenID` Connect.
//!
//! Two ways in, judged by the same code: a browser that comes back with a code, which becomes an ID
//! token ([`Oidc::finish`]), and a program that shows an ID or access token of the provider
//! ([`Oidc::of_token`]). Groups of the provider become a role and teams by what the operator wrote
//! down, and by nothing that a token says of roles itself.
//!
//! It refuses to know sessions, cookies and routes, and it opens no connections: that does whoever
//! made the program, by [`Fetch`].

mod claims;
mod flow;
mod keys;
mod provider;
mod refused;
mod settings;
mod signature;
#[cfg(test)]
mod tests;

pub(super) use claims::is_token;
pub(crate) use flow::{BACK, LOG_IN_S};
pub(crate) use refused::Refused;
pub use settings::{Grant, OidcSettings};

use super::{Principal, Way};
use crate::reader::Reader;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claims::Claims;
use farthing_edge::{Fetch, Question};
use flow::Begun;
use provider::{Known, Provider, json};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

/// A provider of identities, and what asks it.
pub struct Oidc {
    pub(super) settings: OidcSettings,
    provider: Provider,
}

/// What a browser comes back with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Back {
    /// What becomes tokens.
    pub(crate) code: Option<String>,
    /// The log-in that this is the answer to.
    pub(crate) state: Option<String>,
    /// Who answers.
    pub(crate) issuer: Option<String>,
    /// Why not.
    pub(crate) error: Option<String>,
}

/// A log-in that ended well.
#[derive(Debug)]
pub(crate) struct Done {
    /// Who.
    pub(crate) who: Principal,
    /// By which subject of the provider.
    pub(crate) subject: String,
    /// Where he wanted to go.
    pub(crate) back_to: String,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?}", self.settings)
    }
}

impl Oidc {
    /// A provider that is asked by `web`, on a thread of its own.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(settings: OidcSettings, web: Box<dyn Fetch + Send>) -> io::Result<Self> {
        let provider = Provider::new(&settings.issuer, Reader::start("identity", [web])?);
        Ok(Self { settings, provider })
    }

    /// Where a browser is sent to log in, and the cookie that it has to bring back.
    pub(crate) async fn begin(&self, back_to: &str) -> Result<(String, String), Refused> {
        let known = self.provider.known(Instant::now()).await?;
        let begun = Begun::new(back_to);
        let begun = begun.map_err(|error| Refused::Provider(error.to_string()))?;
        let address = begun.address(&known.metadata.authorization_endpoint, &self.settings);
        Ok((address, begun.cookie()))
    }

    /// Where a browser logs out of the provider, where that can be.
    pub(crate) fn leave(&self) -> Option<String> {
        // Who asks for his session does not wait for the provider.
        let known = self.provider.held()?;
        let at = known.metadata.end_session_endpoint.as_ref()?;
        let is_page = ["https://", "http://"].iter().any(|scheme| at.starts_with(scheme));
        if !is_page {
            return None;
        }
        let separator = if at.contains('?') { '&' } else { '?' };
        let client = flow::encoded(&self.settings.client);
        let back = flow::encoded(&format!("{}/login", self.settings.url));
        Some(format!("{at}{separator}client_id={client}&post_logout_redirect_uri={back}"))
    }

    /// Who comes back from the provider.
    pub(crate) async fn finish(&self, back: &Back, cookie: Option<&str>) -> Result<Done, Refused> {
        let begun = cookie.and_then(Begun::of).ok_or(Refused::State)?;
        let is_ours = |given: &String| super::token::same(given, &begun.state());
        if !back.state.as_ref().is_some_and(is_ours) {
            return Err(Refused::State);
        }
        let known = self.provider.known(Instant::now()).await?;
        // RFC 9207: another provider must not answer for this one.
        let must_say = known.metadata.authorization_response_iss_parameter_supported;
        match &back.issuer {
            Some(issuer) if *issuer != self.settings.issuer => return Err(Refused::Issuer),
            None if must_say => return Err(Refused::Issuer),
            _ => {}
        }
        if back.error.is_some() {
            return Err(Refused::Denied);
        }
        let code = back.code.clone().ok_or(Refused::Denied)?;
        let tokens = self.tokens(&known, code, &begun).await?;
        let text = |name: &str| tokens.get(name).and_then(Value::as_str);
        let id_token = text("id_token").ok_or(Refused::Claims)?;
        let claims = self.checked(id_token, &[&self.settings.client]).await?;
        claims.answers(&begun.nonce(), &self.settings.client)?;
        let subject = claims::shown(&claims.sub);
        let claims = self.with_more(&known, claims, text("access_token")).await?;
        let who = self.principal(&subject, &claims)?;
        Ok(Done { who, subject, back_to: begun.back_to })
    }

    /// Who shows a token of the provider.
    pub(crate) async fn of_token(&self, shown: &str) -> Result<Principal, Refused> {
        let mut audiences = vec![self.settings.client.as_str()];
        audiences.extend(self.settings.audiences.iter().map(String::as_str));
        let claims = self.checked(shown, &audiences).await?;
        self.principal(&claims.sub, &claims.more)
    }

    async fn checked(&self, token: &str, audiences: &[&str]) -> Result<Claims, Refused> {
        let head = claims::head(token)?;
        let (id, now) = (head.key.as_deref(), Instant::now());
        let key = self.provider.key(id, head.algorithm, now).await?;
        claims::check(token, &head, &key, &self.settings, audiences)
    }

    /// The tokens for a code.
    async fn tokens(&self, known: &Known, code: String, begun: &Begun) -> Result<Value, Refused> {
        let settings = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", flow::redirect(settings)),
            ("code_verifier", begun.verifier()),
        ];
        let mut authorization = None;
        let methods = known.metadata.token_endpoint_auth_methods_supported.as_ref();
        let by_form = methods.is_some_and(|methods| {
            let has = |name: &str| methods.iter().any(|method| method == name);
            has("client_secret_post") && !has("client_secret_basic")
        });
        match &settings.secret {
            Some(secret) if !by_form => {
                // RFC 6749, 2.3.1: both are encoded as in a form before they are put together.
                let (client, secret) = (flow::encoded(&settings.client), flow::encoded(secret));
                let both = STANDARD.encode(format!("{client}:{secret}"));
                authorization = Some(format!("Basic {both}"));
            }
            secret => {
                form.push(("client_id", settings.client.clone()));
                form.extend(secret.iter().map(|secret| ("client_secret", secret.clone())));
            }
        }
        let url = known.metadata.token_endpoint.clone();
        let asked = self
            .provider
            .ask(Question { url, form: Some(form), json: None, authorization })
            .await?;
        // A code that is wrong, old or was used is his fault, and not the provider's.
        if asked.status == 400 {
            return Err(Refused::Denied);
        }
        json(&asked, "a token for a code")
    }

    /// The claims, with those that the provider only tells whoever has an access token.
    async fn with_more(
        &self,
        known: &Known,
        claims: Claims,
        access: Option<&str>,
    ) -> Result<Map<String, Value>, Refused> {
        let mut more = claims.more;
        let is_there = claims::groups(&more, &self.settings.groups).is_some();
        let (Some(url), Some(access), false) =
            (&known.metadata.userinfo_endpoint, access, is_there)
        else {
            return Ok(more);
        };
        let question = Question {
            url: url.clone(),
            form: None,
            json: None,
            authorization: Some(format!("Bearer {access}")),
        };
        let said = json(&self.provider.ask(question).await?, "who someone is")?;
        let Value::Object(said) = said else { return Err(Refused::Claims) };
        // OpenID Connect Core, 5.3.2: or someone's token could fetch another's groups.
        if said.get("sub").and_then(Value::as_str) != Some(&claims.sub) {
            return Err(Refused::Claims);
        }
        for (name, value) in said {
            more.entry(name).or_insert(value);
        }
        Ok(more)
    }

    fn principal(&self, subject: &str, claims: &Map<String, Value>) -> Result<Principal, Refused> {
        let groups = claims::groups(claims, &self.settings.groups).unwrap_or_default();
        let name = claims::name(claims, &self.settings.name, subject);
        let granted = self.settings.granted(&groups);
        let (role, teams) = granted.ok_or_else(|| Refused::NoGrant { who: name.clone() })?;
        Ok(Principal { name, role, teams, only: None, way: Way::Oidc(groups) })
    }

    /// Whether someone who came by these groups would still get what he has.
    pub(crate) fn still_grants(&self, who: &Principal, groups: &BTreeSet<String>) -> bool {
        let granted = self.settings.granted(groups);
        granted.is_some_and(|granted| granted == (who.role, who.teams.clone()))
    }
}
