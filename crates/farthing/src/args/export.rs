//! `farthing export`: the books for others.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `farthing export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What to export.
    #[command(subcommand)]
    pub(crate) what: ExportWhat,
}

/// What to export.
#[derive(Debug, Subcommand)]
pub(crate) enum ExportWhat {
    /// Every charge as a row of FOCUS
    Focus(ExportFocusArgs),
}

/// `farthing export focus`.
#[derive(Debug, Args)]
pub(crate) struct ExportFocusArgs {
    /// The file: .csv or .parquet; - is CSV on stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The span, as that of `cost` [default: all that is in the books]
    #[arg(long, value_name = "SPAN")]
    pub(crate) window: Option<String>,
    /// The time that the span is as of, RFC 3339 [default: the end of the newest charge]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Which columns
    #[arg(long, value_enum, default_value_t = FocusColumns::V1_2)]
    pub(crate) focus_version: FocusColumns,
    /// The id of the billing account [default: the name of each node's provider]
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Whose books; several by commas [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Which columns of FOCUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FocusColumns {
    /// The 57 of 1.2.
    #[value(name = "1.2")]
    V1_2,
    /// Those, and the columns of split costs that 1.3 adds.
    #[value(name = "1.3")]
    V1_3,
}
