//! `farthing simulate`: a trace under several policies.

use clap::Args;
use std::path::PathBuf;

/// `farthing simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The trace
    #[arg(long, value_name = "PATH")]
    pub(crate) trace: PathBuf,
    /// What the trace is: spot-windows, that is ten-minute ticks with or without spot
    /// (env,window,tick,available), Parquet or CSV
    #[arg(long, value_name = "NAME", default_value = "spot-windows")]
    pub(crate) format: String,
    /// Work of the job, as it takes on one node without interruption
    #[arg(long, value_name = "DURATION")]
    pub(crate) work: String,
    /// From the start to the deadline; several by commas
    #[arg(long, value_name = "DURATION", value_delimiter = ',', required = true)]
    pub(crate) deadline: Vec<String>,
    /// What each launch loses before work goes on; several by commas
    #[arg(long, value_name = "DURATION", value_delimiter = ',', default_value = "3m")]
    pub(crate) overhead: Vec<String>,
    /// Prices of an hour in USD, such as spot=0.9731,on-demand=3.06
    #[arg(long, value_name = "NAME=NUMBER", value_delimiter = ',', required = true)]
    pub(crate) price: Vec<String>,
    /// So many windows of each environment, spread over their names [default: all]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) limit: Option<usize>,
    /// The policies: farthing, uniform-progress, uniform-progress-eager, spot-greedy,
    /// spot-else-on-demand, on-demand, optimal (which knows the future)
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "farthing,uniform-progress,spot-greedy,on-demand,optimal"
    )]
    pub(crate) policy: Vec<String>,
    /// Print each decision of `farthing` in one window, with what each action was expected to cost;
    /// one deadline and one overhead
    #[arg(long, value_name = "ENV/WINDOW")]
    pub(crate) explain: Option<String>,
    /// Also draw the mean cost of each policy over the deadlines as an SVG picture
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}
