//! `farthing import`: what comes from elsewhere.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `farthing import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What to import.
    #[command(subcommand)]
    pub(crate) what: ImportWhat,
}

/// What to import.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportWhat {
    /// Bills in FOCUS form: CSV or Parquet, compressed by gzip or not
    Focus(ImportFocusArgs),
}

/// `farthing import focus`.
#[derive(Debug, Args)]
pub(crate) struct ImportFocusArgs {
    /// The bills
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The currency that they must be in [default: that of the first row of each]
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
    /// Print at most so many services; the rest is summed in one
    #[arg(long, value_name = "NUMBER", default_value_t = 15)]
    pub(crate) limit: usize,
}
