//! `farthing books`: upkeep of the books.

use clap::{Args, Subcommand};

/// `farthing books`.
#[derive(Debug, Args)]
pub(crate) struct BooksArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) what: BooksWhat,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum BooksWhat {
    /// Fold the hours of days that are over into one file a day
    Compact(CompactArgs),
    /// Let go of what is old; the books say that it was
    Retain(RetainArgs),
    /// Write files of earlier formats again in the newest
    Migrate(MigrateArgs),
}

/// `farthing books compact`.
#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// Only days that are this old, such as 7d; the newest day always stays as it is
    #[arg(long, value_name = "DURATION", default_value = "1d")]
    pub(crate) older_than: String,
    /// Write nothing; print what would be folded
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// `farthing books retain`.
#[derive(Debug, Args)]
pub(crate) struct RetainArgs {
    /// Keep telemetry this long, such as 90d; without it charges cannot be metered again
    #[arg(long, value_name = "DURATION", required_unless_present = "charges")]
    pub(crate) telemetry: Option<String>,
    /// Keep charges this long, such as 400d; at least 100d, as budgets of a quarter sum them
    #[arg(long, value_name = "DURATION")]
    pub(crate) charges: Option<String>,
    /// Delete nothing; print what would be deleted
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// `farthing books migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Write nothing; count what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}
