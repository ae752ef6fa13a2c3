//! Power by the hour beside a plan.

use clap::Args;
use std::path::PathBuf;

/// Power by the hour, for jobs on owned nodes that could start later.
#[derive(Debug, Default, Args)]
pub(crate) struct PowerGiven {
    /// Also say which jobs on owned nodes save power or carbon by a later start: prices by the hour
    /// (time, usd_kwh or usd_mwh, g_kwh, zone), CSV or Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) power: Option<PathBuf>,
    /// Carbon by the hour, where it is not in the file of --power
    #[arg(long, value_name = "FILE", requires = "power")]
    pub(crate) carbon: Option<PathBuf>,
    /// Which of the zones in these files
    #[arg(long, value_name = "NAME", requires = "power")]
    pub(crate) zone: Option<String>,
    /// What a tonne of CO2-equivalent costs, in USD [default: 0]
    #[arg(long, value_name = "NUMBER", requires = "power")]
    pub(crate) carbon_price: Option<String>,
    /// What an accelerator draws, with its part of the node and of cooling [default: 700]
    #[arg(long, value_name = "WATTS", requires = "power",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) watts: Option<u32>,
}
