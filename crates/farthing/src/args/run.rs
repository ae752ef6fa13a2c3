//! `farthing run` and what it starts.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `farthing run`.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit codes: that of the command, 128 + N when it was killed by signal \
                             N, 124 when it was stopped at a limit, 3 when it did not fit the \
                             budget and was not started, 126 or 127 when it cannot be started."
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) size: RunSize,
    #[command(flatten)]
    pub(crate) limits: RunLimits,
    #[command(flatten)]
    pub(crate) pays: RunPays,
    #[command(flatten)]
    pub(crate) price: RunPrice,
    #[command(flatten)]
    pub(crate) metric: RunMetric,
    /// The manifest that it is a run of: what it took is kept with the estimate of that
    #[arg(long, value_name = "FILE")]
    pub(crate) of: Option<PathBuf>,
    /// What it is called in statements [default: the program, or its script]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Run the command in a container of this image, by Docker or Podman
    #[arg(long, value_name = "IMAGE")]
    pub(crate) container: Option<String>,
    /// The program that runs containers [default: podman, or docker where that is not there]
    #[arg(long, value_name = "PROGRAM", requires = "container")]
    pub(crate) engine: Option<PathBuf>,
    /// Also write the statement into a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) statement: Option<PathBuf>,
    /// The line that tells how it goes, on a terminal
    #[arg(long, value_enum, default_value_t = Live::Line)]
    pub(crate) live: Live,
    /// The command and its arguments
    #[arg(last = true, required_unless_present = "container", value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

/// The line that tells how it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Live {
    /// The last line of the terminal.
    Line,
    /// The title of the terminal, for programs that draw on it.
    Title,
    /// None.
    Off,
}

/// What is set aside.
#[derive(Debug, Args)]
pub(crate) struct RunSize {
    /// GPUs that it has for itself [default: all]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) gpus: Option<u32>,
    /// Processors that it has [default: all, or the part that goes with --gpus]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpus: Option<String>,
    /// Memory that it has, such as 16GiB [default: all, or the part that goes with --gpus]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
}

/// When it is stopped.
#[derive(Debug, Args)]
pub(crate) struct RunLimits {
    /// The most that it may cost, such as 20USD
    #[arg(long, value_name = "MONEY", allow_hyphen_values = true)]
    pub(crate) max_cost: Option<String>,
    /// When it must have ended: a time, RFC 3339, or so long after it began, such as 2h
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<String>,
    /// Time between SIGTERM and SIGKILL, for a checkpoint; inside of the limit, and at most a
    /// quarter of it
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) grace: String,
}

/// Who pays, and out of which budget.
#[derive(Debug, Args)]
pub(crate) struct RunPays {
    /// The budget that it must fit, by name
    #[arg(long, value_name = "NAME")]
    pub(crate) budget: Option<String>,
    /// Who pays; all budgets of that team must have room
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// A label for statements and budgets, such as project=alpha
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Manifests with the budgets [default: those that the last run of the loop was told]
    #[arg(long = "config", value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Whose budgets [default: those of the loop that ran last]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// The books that it is posted in
    #[arg(long, value_name = "NAME", default_value = "runs")]
    pub(crate) post_to: String,
}

/// What an hour costs.
#[derive(Debug, Args)]
pub(crate) struct RunPrice {
    /// What this machine costs, such as '3.90 USD/h' [default: as owned hardware]
    #[arg(long, value_name = "RATE", conflicts_with = "offer")]
    pub(crate) price: Option<String>,
    /// The offer that this machine is, as `farthing offers` names it:
    /// provider/region/type, or with its purchase at the end
    #[arg(long, value_name = "OFFER")]
    pub(crate) offer: Option<String>,
    /// Price books that --offer is looked up in
    #[arg(long, value_name = "PATH", requires = "offer")]
    pub(crate) prices: Vec<PathBuf>,
    /// Prices of owned hardware, instead of those that ship in the program
    #[arg(long, value_name = "FILE", conflicts_with_all = ["price", "offer"])]
    pub(crate) hardware: Option<PathBuf>,
}

/// What it achieved.
#[derive(Debug, Args)]
pub(crate) struct RunMetric {
    /// A file that the command writes; the last number in it is what was achieved
    #[arg(
        id = "metric_file",
        long = "metric-file",
        value_name = "FILE",
        conflicts_with = "metric_regex"
    )]
    pub(crate) file: Option<PathBuf>,
    /// A regular expression on the command's output; the last match, or its first group, is what
    /// was achieved. The command then writes into a pipe
    #[arg(id = "metric_regex", long = "metric-regex", value_name = "REGEX")]
    pub(crate) regex: Option<String>,
    /// What the metric counts, in words
    #[arg(id = "metric_unit", long = "metric-unit", value_name = "TEXT", default_value = "unit")]
    pub(crate) unit: String,
}

/// What `farthing run` starts itself as, to become the command.
#[derive(Debug, Args)]
pub(crate) struct BecomeArgs {
    /// Who must still be there.
    #[arg(long)]
    pub(crate) parent: u32,
    /// A group to join.
    #[arg(long)]
    pub(crate) join: Option<PathBuf>,
    /// What to become.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}
