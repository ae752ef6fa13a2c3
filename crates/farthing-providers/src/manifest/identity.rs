//! `kind: Identity`: a provider of identities, and what its groups may do.
//!
//! Refuses to know what a role allows: that is the server's. A secret stays where it is until the
//! loop starts.

use super::fault::Report;
use super::fields::{Fields, items, read};
use super::scalar::Parsed;
use super::{alerts, shape};
use crate::alert::Secret;
use crate::web::is_private;
use crate::yaml::{Node, Value};
use farthing_model::TeamId;
use std::collections::BTreeSet;

/// Grants, at most.
const GRANTS_MAX: usize = 1_000;

/// A provider of identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its issuer, letter for letter.
    pub issuer: String,
    /// Our client id there.
    pub client: String,
    /// Our client secret there.
    pub secret: Option<Secret>,
    /// Where browsers reach the loop, without a slash at its end.
    pub url: Option<String>,
    /// Of access tokens, beside the client id.
    pub audiences: Vec<String>,
    /// Asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim with the groups.
    pub groups: String,
    /// The claim that is shown as name.
    pub name: String,
    /// What members of groups may do.
    pub grants: Vec<IdentityGrant>,
}

/// What members of a group may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityGrant {
    /// The group.
    pub group: String,
    /// `viewer`, `team`, `operator` or `admin`.
    pub role: &'static str,
    /// Whose things they see; `None` = everybody's.
    pub teams: Option<BTreeSet<TeamId>>,
}

/// Reads the spec; `None` only where faults were reported.
pub(super) fn identity(spec: &Node, report: &mut Report) -> Option<Identity> {
    let fields = Fields::open(spec, "spec", &shape::IDENTITY, report)?;
    let issuer = fields.read("issuer", address, report);
    let client = fields.read("client", word, report);
    let hidden = fields.get("secret");
    let secret = hidden.and_then(|node| alerts::hidden(node, "secret", report));
    let url = fields.read("url", address, report);
    let audience = fields.get("audience");
    let audiences = audience.map(|node| words(node, "audience", report)).unwrap_or_default();
    let usual = || ["profile", "email", "groups"].map(str::to_owned).to_vec();
    let scopes = fields.get("scopes").map(|node| words(node, "scopes", report));
    let groups = fields.read("groups", word, report).unwrap_or_else(|| "groups".to_owned());
    let name = fields.read("name", word, report);
    let name = name.unwrap_or_else(|| "preferred_username".to_owned());
    let listed = fields.get("grants")?;
    let mut grants = Vec::new();
    for item in items(listed, "grants", report) {
        grants.extend(grant(item, report));
    }
    if grants.len() > GRANTS_MAX {
        report.fault(listed.spot, format!("there are more than {GRANTS_MAX} grants"));
    }
    Some(Identity {
        issuer: issuer?,
        client: client?,
        secret,
        url: url.map(|url| url.trim_end_matches('/').to_owned()),
        audiences,
        scopes: scopes.unwrap_or_else(usual),
        groups,
        name,
        grants,
    })
}

fn grant(node: &Node, report: &mut Report) -> Option<IdentityGrant> {
    let fields = Fields::open(node, "grants", &shape::GRANT, report)?;
    let group = fields.read("group", word, report);
    let roles: Vec<(&str, &'static str)> = shape::ROLES.iter().map(|role| (*role, *role)).collect();
    let role = fields.choice("role", &roles, report);
    let teams = fields.get("teams").map(|node| {
        let parse = |text: &str| TeamId::new(text).map_err(|error| error.to_string());
        let all = items(node, "teams", report);
        all.iter().filter_map(|item| read(item, "teams", parse, report)).collect()
    });
    // Whoever reserves does it for a team.
    if role == Some("team") && teams.is_none() {
        report.fault(node.spot, "the role `team` is for someone of a team: name its `teams`");
    }
    Some(IdentityGrant { group: group?, role: role?, teams })
}

/// One word, or a list of them.
fn words(node: &Node, name: &str, report: &mut Report) -> Vec<String> {
    match &node.value {
        Value::List(all) => all.iter().filter_map(|item| read(item, name, word, report)).collect(),
        _ => read(node, name, word, report).into_iter().collect(),
    }
}

fn word(text: &str) -> Parsed<String> {
    match text {
        "" => Err("it is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// An address that secrets may be sent to.
fn address(text: &str) -> Parsed<String> {
    if is_private(text) && !text.contains(['?', '#']) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` does not begin with https:// (http:// is for this machine)"))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use jiff::Timestamp;

    fn faults(spec: &str) -> String {
        let text = format!(
            "apiVersion: farthing.dev/v1alpha1\nkind: Identity\nmetadata: {{name: x}}\nspec: {spec}"
        );
        parse(&text, "a.yaml", Timestamp::UNIX_EPOCH)
            .map_or_else(|error| error.to_string(), |read| format!("{:?}", read.identity))
    }

    #[test]
    fn a_provider_is_read_and_what_is_wrong_with_one_is_said() {
        let good = "{issuer: 'https://id.example.org/ai', client: farthing, secret: {env: S},
            url: 'https://farthing.example.org/', audience: api, grants: [
              {group: platform, role: admin}, {group: ml, role: team, teams: [research]}]}";
        let read = faults(good);
        for part in ["Secret(env S)", "\"https://farthing.example.org\"", "[\"api\"]", "TeamId"] {
            assert!(read.contains(part), "{part}: {read}");
        }
        for (spec, says) in [
            ("{client: x, grants: [{group: a, role: admin}]}", "`spec.issuer` is missing"),
            ("{issuer: 'http://id.example.org', client: x}", "does not begin with https://"),
            (
                "{issuer: 'https://id', client: x, secret: s, grants: [{group: a, role: viewer}]}",
                "is not written here",
            ),
            (
                "{issuer: 'https://id', client: x, grants: [{group: a, role: root}]}",
                "is not a choice",
            ),
            (
                "{issuer: 'https://id', client: x, grants: [{group: a, role: team}]}",
                "name its `teams`",
            ),
            ("{issuer: 'https://id', client: x, grants: []}", "empty list"),
        ] {
            let said = faults(spec);
            assert!(said.contains(says), "{spec}: {said}");
        }
    }
}
