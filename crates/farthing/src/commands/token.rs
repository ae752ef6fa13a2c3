//! `farthing token`: who may ask the server, by tokens that are kept as hashes in the journal.

use super::{duration, print};
use crate::args::{Output, TokenArgs, TokenCreateArgs, TokenWhat};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::table::{Align, Table};
use anyhow::Context as _;
use farthing_edge::Store;
use farthing_engine::{Body, Journal, TokenRecord, record_access};
use farthing_model::{ClusterId, TeamId};
use farthing_server::{Deed, Minted, Role, mint};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

/// Records read at a time.
const PAGE: usize = 1_000;

/// Longest name of a token.
const NAME_MAX: usize = 100;

/// Who says so, where someone is at the command line.
const BY: &str = "command line";

/// Makes, lists or revokes tokens.
pub(crate) fn run(args: &TokenArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let cluster = home.cluster(args.cluster.as_deref())?;
    match &args.what {
        TokenWhat::Create(create) => make(create, &store(home, &cluster)?, output),
        TokenWhat::List => list(&store(home, &cluster)?, output),
        TokenWhat::Revoke { token } => revoke(token, &store(home, &cluster)?),
    }
}

/// Where the journal is: each use of it opens it anew.
struct Kept<'h> {
    home: &'h Home,
    cluster: ClusterId,
}

fn store<'h>(home: &'h Home, cluster: &ClusterId) -> anyhow::Result<Kept<'h>> {
    if !home.store().has(cluster)? {
        return Err(WrongUse::new(format!("{cluster} has no journal yet"))
            .hint("start its loop once with `farthing up`")
            .into());
    }
    Ok(Kept { home, cluster: cluster.clone() })
}

impl Kept<'_> {
    fn open(&self) -> anyhow::Result<Box<dyn Store + Send>> {
        Ok(self.home.store().open(&self.cluster)?)
    }

    /// The tokens that were issued and not revoked, by their visible beginning.
    fn tokens(&self) -> anyhow::Result<BTreeMap<String, TokenRecord>> {
        tokens(&self.open()?)
    }

    fn append(&self, body: Body) -> anyhow::Result<()> {
        let mut journal = Journal::open(self.open()?)?;
        Ok(record_access(&mut journal, &[body], Timestamp::now())?)
    }
}

/// Whether a cluster has tokens.
pub(crate) fn are_there(home: &Home, cluster: &ClusterId) -> anyhow::Result<bool> {
    let store = home.store();
    Ok(store.has(cluster)? && !tokens(&store.look(cluster)?)?.is_empty())
}

/// The tokens that were issued and not revoked, by their visible beginning.
fn tokens(store: &dyn Store) -> anyhow::Result<BTreeMap<String, TokenRecord>> {
    let (mut tokens, mut from) = (BTreeMap::new(), 1);
    loop {
        let page = store.read(from, PAGE)?;
        let Some(last) = page.last() else { return Ok(tokens) };
        from = last.seq + 1;
        for record in &page {
            if record.kind != farthing_edge::RecordKind::Identity {
                continue;
            }
            match Body::read(record)? {
                Body::Issued(token) => {
                    tokens.insert(token.token.clone(), token);
                }
                Body::Revoked { token, .. } => {
                    tokens.remove(&token);
                }
                _ => {}
            }
        }
    }
}

fn make(args: &TokenCreateArgs, kept: &Kept<'_>, output: Output) -> anyhow::Result<Outcome> {
    let name = args.name.trim();
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        let what = format!("a token needs a name of up to {NAME_MAX} bytes, in one line");
        return Err(WrongUse::new(what).into());
    }
    let role: Role = args.role.parse().map_err(|why| WrongUse::new(format!("--role {why}")))?;
    if role == Role::Team && args.teams.is_empty() {
        return Err(WrongUse::new("the role team is for someone of a team")
            .hint("name it with --team NAME")
            .into());
    }
    for team in &args.teams {
        TeamId::new(team).map_err(|why| WrongUse::new(format!("--team {why}")))?;
    }
    for scope in &args.scopes {
        let deed: Deed = scope.parse().map_err(|why| WrongUse::new(format!("--scope {why}")))?;
        if deed.least() > role {
            let what = format!("--scope {scope} takes the role {} or more", deed.least().name());
            return Err(WrongUse::new(what).into());
        }
    }
    let expires = expires(&args.expires)?;
    let Minted { id, secret, hash } = mint()?;
    let record = TokenRecord {
        token: id.to_string(),
        name: name.to_owned(),
        hash,
        role: role.name().to_owned(),
        teams: (!args.teams.is_empty()).then(|| args.teams.clone()),
        scopes: args.scopes.clone(),
        expires: expires.map(|expires| expires.to_string()),
        by: BY.to_owned(),
    };
    kept.append(Body::Issued(record.clone()))?;
    print(
        output,
        || Ok(secret.clone()),
        || {
            Ok(json!({ "token": secret, "id": record.token, "name": record.name,
                "role": record.role, "teams": record.teams, "scopes": record.scopes,
                "expires": record.expires }))
        },
        || Ok(table(&BTreeMap::from([(record.token.clone(), record.clone())]))),
    )?;
    talk("keep it where secrets are kept: only its hash is stored, so nobody can show it again");
    Ok(Outcome::Done)
}

/// When a token that is made now stops being good.
fn expires(text: &str) -> anyhow::Result<Option<Timestamp>> {
    if text == "never" {
        return Ok(None);
    }
    let length = match text.strip_suffix('d').map(str::parse::<i64>) {
        Some(Ok(days)) if (1..=3_660).contains(&days) => SignedDuration::from_hours(days * 24),
        _ => duration("--expires", text)?,
    };
    let expires = Timestamp::now().checked_add(length).context("--expires is too far away")?;
    Ok(Some(expires))
}

fn list(kept: &Kept<'_>, output: Output) -> anyhow::Result<Outcome> {
    let tokens = kept.tokens()?;
    let item = |token: &TokenRecord| {
        json!({ "id": token.token, "name": token.name, "role": token.role, "teams": token.teams,
            "scopes": token.scopes, "expires": token.expires, "by": token.by })
    };
    print(
        output,
        || {
            let none = "there are no tokens: make one with `farthing token create NAME`";
            Ok(if tokens.is_empty() { none.to_owned() } else { table(&tokens).to_text() })
        },
        || Ok(json!({ "items": tokens.values().map(item).collect::<Vec<_>>() })),
        || Ok(table(&tokens)),
    )?;
    Ok(Outcome::Done)
}

fn table(tokens: &BTreeMap<String, TokenRecord>) -> Table {
    let mut table = Table::new(&[
        ("id", Align::Left),
        ("name", Align::Left),
        ("role", Align::Left),
        ("teams", Align::Left),
        ("scopes", Align::Left),
        ("expires", Align::Left),
    ]);
    for token in tokens.values() {
        table.row([
            token.token.clone(),
            token.name.clone(),
            token.role.clone(),
            token.teams.as_ref().map_or_else(|| "all".to_owned(), |teams| teams.join(", ")),
            if token.scopes.is_empty() { "all".to_owned() } else { token.scopes.join(", ") },
            token.expires.clone().unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    table
}

fn revoke(token: &str, kept: &Kept<'_>) -> anyhow::Result<Outcome> {
    let tokens = kept.tokens()?;
    // Whoever pastes the whole token means it, too.
    let id = token.get(..14).filter(|id| tokens.contains_key(*id));
    let Some(id) = id else {
        return Err(WrongUse::new(format!(
            "there is no token `{}`",
            token.get(..14).unwrap_or(token)
        ))
        .hint("`farthing token list` shows those that there are")
        .into());
    };
    kept.append(Body::Revoked { token: id.to_owned(), by: BY.to_owned() })?;
    talk(&format!("{id} ({}) is good for nothing from now on", tokens[id].name));
    Ok(Outcome::Done)
}
