//! `farthing token`.

use clap::{Args, Subcommand};

/// `farthing token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) what: TokenWhat,
    /// Whose loop [default: that of the last run]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenWhat {
    /// Make a token, and print it: it is shown this once
    Create(TokenCreateArgs),
    /// List the tokens that there are, without their secrets
    List,
    /// Make a token good for nothing, from now on
    Revoke {
        /// Its visible beginning, such as `fth_0123456789`
        #[arg(value_name = "TOKEN")]
        token: String,
    },
}

/// A token to make.
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// Who or what has it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it may do: viewer, team (reserves budget, too), operator (decides on steps, too), admin
    /// (sees who came in, too)
    #[arg(long, value_name = "ROLE", default_value = "viewer")]
    pub(crate) role: String,
    /// Whose things it sees [default: everybody's]
    #[arg(long = "team", value_name = "NAME", value_delimiter = ',')]
    pub(crate) teams: Vec<String>,
    /// What it is limited to: metrics, read, reserve, steps, audit [default: all that its role may]
    #[arg(long = "scope", value_name = "NAME", value_delimiter = ',')]
    pub(crate) scopes: Vec<String>,
    /// How long it is good for, such as 12h or 90d, or never
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    pub(crate) expires: String,
}
