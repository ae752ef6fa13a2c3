//! `farthing budget`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `farthing budget`.
#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    /// What to do [default: show].
    #[command(subcommand)]
    pub(crate) what: Option<BudgetWhat>,
    #[command(flatten)]
    pub(crate) of: BudgetOf,
}

/// Whose budgets.
#[derive(Clone, Debug, Args)]
pub(crate) struct BudgetOf {
    /// Manifests with the budgets [default: those that the last run was told]
    #[arg(long = "config", global = true, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Whose books [default: of the last run]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// The time to look at, RFC 3339 [default: now]
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) now: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum BudgetWhat {
    /// Show each budget as it stands: spent, committed, reserved, left, and where it is going
    Show(BudgetShowArgs),
    /// Ask whether something fits before it is started; exit code 3 when it does not
    Check(Box<BudgetCheckArgs>),
    /// Show where each budget would stand if limits were others; nothing is changed
    Simulate(BudgetSimulateArgs),
    /// Change a limit until its manifest says something else than now
    Set(BudgetSetArgs),
    /// Allow another limit for a while, with a reason
    Override(BudgetOverrideArgs),
    /// End a reservation, and say what was spent under it
    Settle(BudgetSettleArgs),
    /// List reservations
    Reservations,
}

/// `farthing budget show`.
#[derive(Debug, Default, Args)]
pub(crate) struct BudgetShowArgs {
    /// What if the limit of a budget were another, such as research=150000USD
    #[arg(long = "if", value_name = "NAME=MONEY")]
    pub(crate) limits: Vec<String>,
}

/// `farthing budget simulate`.
#[derive(Debug, Args)]
pub(crate) struct BudgetSimulateArgs {
    /// The limit of a budget, such as research=150000USD or gpus='500 GPU-hours'
    #[arg(long = "limit", value_name = "NAME=LIMIT", required = true)]
    pub(crate) limits: Vec<String>,
}

/// `farthing budget set`.
#[derive(Debug, Args)]
pub(crate) struct BudgetSetArgs {
    /// The budget
    pub(crate) name: String,
    /// Its limit, such as 150000USD or '500 GPU-hours'
    pub(crate) limit: String,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}

/// `farthing budget override`.
#[derive(Debug, Args)]
pub(crate) struct BudgetOverrideArgs {
    /// The budget
    pub(crate) name: String,
    /// Its limit meanwhile, such as 150000USD or '500 GPU-hours'
    pub(crate) limit: String,
    /// How long; `0s` ends one that is in force
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) length: String,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}

/// `farthing budget check`.
#[derive(Debug, Args)]
pub(crate) struct BudgetCheckArgs {
    /// The upper end of what it may cost, such as 123.45USD
    #[arg(long, value_name = "MONEY", allow_hyphen_values = true)]
    pub(crate) estimate: String,
    /// Accelerator-hours that it may take
    #[arg(long, value_name = "HOURS")]
    pub(crate) gpu_hours: Option<String>,
    /// Who pays
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// A label that budgets may look at, such as project=alpha
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Reserve it for this long, if it fits, and print the reservation
    #[arg(long, value_name = "DURATION")]
    pub(crate) reserve: Option<String>,
    /// What it is for, in words
    #[arg(long = "for", value_name = "TEXT", default_value = "farthing budget check")]
    pub(crate) what: String,
    /// Refuse a team that no hard budget names, which may be mistyped
    #[arg(long, requires = "team")]
    pub(crate) strict: bool,
    /// Ask the loop at an address [default: the journal of the last run, else the loop at
    /// http://127.0.0.1:4040]
    #[arg(long, value_name = "URL", conflicts_with = "strict")]
    pub(crate) server: Option<String>,
    /// A file with the token to log in there with
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) token: Option<PathBuf>,
}

/// `farthing budget settle`.
#[derive(Debug, Args)]
pub(crate) struct BudgetSettleArgs {
    /// The reservation
    pub(crate) id: String,
    /// What was spent under it; without it nothing was, or the ledger knows
    #[arg(long, value_name = "MONEY", allow_hyphen_values = true)]
    pub(crate) spent: Option<String>,
}
