//! Who asks, and what he may do: tokens, sessions, and the door that every request passes.
//!
//! A [`Principal`] is made here and nowhere else: from a token of the journal, from what a provider
//! of identities says ([`oidc`]), from a session, or, on loopback where no log-in is asked for, of
//! whoever is at the machine. What he may *see* is not
//! decided here but in [`crate::scope`], which hands out nothing without a principal.
//!
//! It refuses to know routes and reports. Start with [`Door::admit`](door::Door::admit).

mod audit;
mod door;
mod oidc;
mod roster;
mod session;
mod session_file;
mod throttle;
mod token;

pub(crate) use door::{Asking, Door, Entered, Refusal};
pub(crate) use oidc::{BACK, Back, LOG_IN_S, Refused};
pub use oidc::{Grant, Oidc, OidcSettings};
pub(crate) use session::Begun;
pub use session::Sessions;
pub use session_file::SessionsError;
pub use token::{Minted, TokenId, mint};
pub(crate) use token::{content_tag, request_id};

use farthing_model::TeamId;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What someone may do, each more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Reserves budget, too.
    Team,
    /// Approves, rejects and undoes steps, too.
    Operator,
    /// Sees who was let in and who was refused, too.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Team, Self::Operator, Self::Admin];

    /// The name in tables, records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Team => "team",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("`{text}` is not a role: viewer, team, operator or admin"))
    }
}

/// Something that a token may be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// Read `/metrics`.
    Metrics,
    /// Read everything that is his to see.
    Read,
    /// Reserve budget, confirm and release.
    Reserve,
    /// Approve, reject and undo steps.
    Steps,
    /// See who was let in and who was refused.
    Audit,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Metrics, Self::Read, Self::Reserve, Self::Steps, Self::Audit];

    /// The name of the scope of a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Reserve => "reserve",
            Self::Steps => "steps",
            Self::Audit => "audit",
        }
    }

    /// The least role that may.
    pub const fn least(self) -> Role {
        match self {
            Self::Metrics | Self::Read => Role::Viewer,
            Self::Reserve => Role::Team,
            Self::Steps => Role::Operator,
            Self::Audit => Role::Admin,
        }
    }
}

impl FromStr for Deed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|deed| deed.name() == text)
            .ok_or_else(|| format!("`{text}` is not a scope: {}", names()))
    }
}

/// How someone came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// At this machine, where no log-in is asked for.
    Local,
    /// By a token.
    Token(TokenId),
    /// By a provider of identities, which said that he is in these groups.
    Oidc(BTreeSet<String>),
}

/// Someone who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// His name, as records have it.
    pub(crate) name: String,
    /// What he may do.
    pub(crate) role: Role,
    /// Whose things he may see; `None` = everybody's.
    pub(crate) teams: Option<BTreeSet<TeamId>>,
    /// What his token is limited to; `None` = nothing but his role.
    pub(crate) only: Option<BTreeSet<Deed>>,
    /// How he came in.
    pub(crate) way: Way,
}

impl Principal {
    /// Whoever is at this machine.
    pub(crate) fn local() -> Self {
        let (name, role) = ("local".to_owned(), Role::Admin);
        Self { name, role, teams: None, only: None, way: Way::Local }
    }

    /// Whether he may do something.
    pub(crate) fn may(&self, deed: Deed) -> bool {
        self.role >= deed.least() && self.only.as_ref().is_none_or(|only| only.contains(&deed))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.name, self.role.name())
    }
}

/// What a server asks of those who come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each thing that is asked")]
pub struct AccessRules {
    /// Nobody gets in without a token or a session; without it, whoever is at this machine may do
    /// everything.
    pub required: bool,
    /// Answers go over TLS, by this server or by a proxy before it: cookies are for TLS only.
    pub tls: bool,
    /// That nothing is encrypted is as it should be: the network is trusted, or a test.
    pub insecure: bool,
    /// A proxy is before it, which says in `X-Forwarded-For` who asks.
    pub proxied: bool,
}
