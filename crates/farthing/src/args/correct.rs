//! `farthing correct`: hours that were posted at wrong prices.

use clap::Args;
use std::path::PathBuf;

/// `farthing correct`.
#[derive(Debug, Args)]
pub(crate) struct CorrectArgs {
    /// Price books with the right prices: nodes that were bought as one of their offers get its
    /// price, others keep theirs
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) prices: Vec<PathBuf>,
    /// Why, in one line; it stays in the books
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// The span, as that of `cost`
    #[arg(long, value_name = "SPAN")]
    pub(crate) window: String,
    /// The time that the span is as of, RFC 3339 [default: the end of the newest charge]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Write nothing; print what would be corrected
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}
