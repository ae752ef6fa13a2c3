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
    /// Files of metrics as text, as Prometheus reads it, compressed or not
    Telemetry(TelemetryArgs),
    /// A window of a Prometheus, or of anything that speaks its API
    Prometheus(PrometheusArgs),
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

/// `farthing import telemetry`.
#[derive(Debug, Args)]
pub(crate) struct TelemetryArgs {
    /// Files of metrics: of kube-state-metrics, cAdvisor, DCGM and so on, together or apart
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The moment of lines that say none, RFC 3339: that of the scrape
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The time to account for, such as 2026-11-01T00:00:00Z/2026-11-02T00:00:00Z
    /// [default: that of the data]
    #[arg(long, value_name = "FROM/TO")]
    pub(crate) window: Option<String>,
    /// How it becomes books.
    #[command(flatten)]
    pub(crate) into: IntoBooks,
}

/// `farthing import prometheus`.
#[derive(Debug, Args)]
pub(crate) struct PrometheusArgs {
    /// Its address, with the path before /api/v1 if there is one
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// The time to account for: a duration up to now, or FROM/TO
    #[arg(long, value_name = "WINDOW")]
    pub(crate) window: String,
    /// Ask for values at this distance instead of the samples themselves
    #[arg(long, value_name = "DURATION")]
    pub(crate) step: Option<String>,
    /// Only series with these labels, such as cluster="east"
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) select: Option<String>,
    /// A file with a bearer token
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub(crate) token_file: Option<PathBuf>,
    /// A user for basic authentication; the password is in --password-file
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub(crate) user: Option<String>,
    /// A file with the password of --user
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// A certificate (PEM) to show to the server
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key (PEM) of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// How long one answer may take
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) timeout: String,
    /// How it becomes books.
    #[command(flatten)]
    pub(crate) into: IntoBooks,
}

/// How an import becomes books.
#[derive(Debug, Args)]
pub(crate) struct IntoBooks {
    /// Price books instead of the one that ships in the program
    #[arg(long, value_name = "PATH")]
    pub(crate) prices: Vec<PathBuf>,
    /// Whose books it goes into
    #[arg(long, value_name = "NAME", default_value = "imported")]
    pub(crate) cluster: String,
    /// Names of metrics and labels, instead of those that ship in the program
    #[arg(long, value_name = "FILE")]
    pub(crate) source_map: Option<PathBuf>,
    /// Below this many hundredths of what should have been scraped, an hour is not measured
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 80,
        value_parser = clap::value_parser!(u8).range(0..=100)
    )]
    pub(crate) coverage: u8,
    /// Write nothing; print what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the canonical table of what was measured instead of a summary
    #[arg(long)]
    pub(crate) rows: bool,
}
