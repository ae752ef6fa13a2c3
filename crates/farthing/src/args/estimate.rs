//! `farthing estimate`.

use super::RunPays;
use clap::Args;
use std::path::PathBuf;

/// `farthing estimate`.
#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// Pod, Job, `JobSet`, `PyTorchJob`, `RayJob`, Deployment, `StatefulSet`, Workload, sbatch
    /// script or Compose file
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How long it takes, as far as you know, such as 6h
    #[arg(long, value_name = "DURATION")]
    pub(crate) takes: Option<String>,
    /// Only these providers
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) provider: Vec<String>,
    /// Only these regions
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Vec<String>,
    /// Price it on spot capacity [default: on demand]
    #[arg(long)]
    pub(crate) spot: bool,
    /// Price it on this offer, and list only what is cheaper: provider/region/type
    #[arg(long, value_name = "OFFER")]
    pub(crate) offer: Option<String>,
    /// How many other offers to list
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub(crate) limit: usize,
    /// Price books instead of the one that ships in the program
    #[arg(long, value_name = "PATH")]
    pub(crate) prices: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) pays: RunPays,
}
