//! The provider of identities of a running loop: what a manifest says, made ready for the server.

use crate::outcome::WrongUse;
use anyhow::Context as _;
use farthing_providers::manifest::{Identity, IdentityGrant};
use farthing_providers::web::Web;
use farthing_server::{Grant, Oidc, OidcSettings};
use std::net::SocketAddr;

/// Makes it ready for where the loop listens, and whether it speaks TLS there; it is asked when
/// someone first logs in.
pub(crate) fn open(identity: &Identity, at: (SocketAddr, bool)) -> anyhow::Result<Oidc> {
    let secret = identity.secret.as_ref();
    let secret = secret.map(|secret| secret.read(&|name| std::env::var(name).ok())).transpose();
    let secret = secret.map_err(|why| WrongUse::new(format!("Identity: `secret`: {why}")))?;
    let settings = OidcSettings {
        issuer: identity.issuer.clone(),
        client: identity.client.clone(),
        secret,
        url: url(identity, at)?,
        audiences: identity.audiences.clone(),
        scopes: identity.scopes.clone(),
        groups: identity.groups.clone(),
        name: identity.name.clone(),
        grants: identity.grants.iter().map(grant).collect::<anyhow::Result<_>>()?,
    };
    let web = Web::open(identity.issuer.starts_with("https://"))?;
    Oidc::start(settings, Box::new(web)).context("the thread that asks it cannot be started")
}

/// Where browsers reach the loop.
fn url(identity: &Identity, (address, encrypted): (SocketAddr, bool)) -> anyhow::Result<String> {
    if let Some(url) = &identity.url {
        return Ok(url.clone());
    }
    if !address.ip().is_loopback() {
        let what = "Identity: `url` is missing: where browsers reach this loop";
        return Err(WrongUse::new(what).hint("such as url: https://farthing.example.org").into());
    }
    let scheme = if encrypted { "https" } else { "http" };
    Ok(format!("{scheme}://{address}"))
}

fn grant(grant: &IdentityGrant) -> anyhow::Result<Grant> {
    let role = grant.role.parse().map_err(WrongUse::new)?;
    Ok(Grant { group: grant.group.clone(), role, teams: grant.teams.clone() })
}
