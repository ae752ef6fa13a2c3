//! `farthing simulate`: a trace under several policies.
//!
//! What a format needs is checked by the format, not here: which flags those are is known only once
//! `--format` is.

use clap::Args;
use std::path::PathBuf;

/// `farthing simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The trace
    #[arg(long, value_name = "PATH")]
    pub(crate) trace: Option<PathBuf>,
    /// What the trace is; a wrong name prints those that there are [default: with --cluster what
    /// the columns say, else spot-windows]
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<String>,
    /// The policies, by commas; a wrong name prints those of the format [default: by format]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) policy: Vec<String>,
    /// Prices of an hour in USD, such as spot=0.9731,on-demand=3.06 or V100=0.74,K80=0.135
    #[arg(long, value_name = "NAME=NUMBER", value_delimiter = ',')]
    pub(crate) price: Vec<String>,
    /// gavel: steps a second by accelerator, type of job and scale factor, CSV, also gzipped.
    /// elastic: seconds of a step by app, accelerators and batch
    #[arg(long, value_name = "FILE")]
    pub(crate) throughput: Option<PathBuf>,
    /// chronus: which of the traces in the file. lending: which model. elastic: which workload
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// grid: the jobs, in any of the forms of jobs
    #[arg(long, value_name = "FILE")]
    pub(crate) jobs: Option<PathBuf>,
    /// grid: carbon by the hour, where it is not in the trace
    #[arg(long, value_name = "FILE")]
    pub(crate) carbon: Option<PathBuf>,
    /// grid: which of the zones in the files
    #[arg(long, value_name = "NAME")]
    pub(crate) zone: Option<String>,
    /// Fleets: how long a decision holds [default: 360s]. grid: a slot [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) round: Option<String>,
    /// spot-windows: work of the job, as it takes on one node without interruption. lending: batch
    /// work, on one replica. elastic: run time of a job, where the trace does not say
    #[arg(long, value_name = "DURATION")]
    pub(crate) work: Option<String>,
    /// spot-windows: from the start to the deadline; several by commas. Jobs: how much longer than
    /// its run time each may take from its submission, where the trace has no deadline
    #[arg(long, value_name = "DURATION", value_delimiter = ',')]
    pub(crate) deadline: Vec<String>,
    /// spot-windows: what each launch loses before work goes on; several by commas [default: 3m]
    #[arg(long, value_name = "DURATION", value_delimiter = ',')]
    pub(crate) overhead: Vec<String>,
    /// spot-windows: the job needs so many nodes at once, all or none on spot; `available` of the
    /// trace is then how many there are [default: 1, and available says whether]
    #[arg(long, value_name = "NODES")]
    pub(crate) gang: Option<u32>,
    /// spot-windows: so many windows of each environment, spread over their names; others: the
    /// first so many jobs [default: all]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) limit: Option<usize>,
    /// spot-windows: print each decision of `farthing` in one window, with what each action was
    /// expected to cost; one deadline and one overhead
    #[arg(long, value_name = "ENV/WINDOW")]
    pub(crate) explain: Option<String>,
    /// Also draw what came out as an SVG picture
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Jobs: the nodes, by their accelerator, such as V100=80x8,P100=40: 80 nodes of eight, 40 of
    /// one. Fleets: accelerators of each kind, such as V100=36,P100=36,K80=36
    #[arg(long, value_name = "TYPE=NODES[xSIZE]", value_delimiter = ',')]
    pub(crate) cluster: Vec<String>,
    /// Jobs: price books, for what --price does not name: the cheapest on demand
    #[arg(long, value_name = "PATH")]
    pub(crate) prices: Vec<PathBuf>,
    /// Jobs: accelerators that can be rented beside the cluster, such as V100=2.48 USD an hour, or
    /// V100 at the price of --prices
    #[arg(long, value_name = "TYPE[=NUMBER]", value_delimiter = ',')]
    pub(crate) rent: Vec<String>,
    /// openb: the nodes (`sn,cpu_milli,memory_mib,gpu,model`), CSV or gzipped CSV
    #[arg(long, value_name = "FILE")]
    pub(crate) nodes: Option<PathBuf>,
    /// Jobs: the seed of boots and estimates [default: 1]. openb: replay also the same pods in an
    /// order drawn from this seed
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Jobs: so many seeds, with the means and their 95 % intervals. openb: so many orders, each
    /// from the next seed
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seeds: Option<u32>,
    /// Change a parameter, such as reserve=0.05; a wrong name prints those that the format has
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Jobs: a run for each value of a parameter, such as reserve=0,0.05,0.1
    #[arg(long, value_name = "NAME=VALUES")]
    pub(crate) sweep: Option<String>,
}

impl SimulateArgs {
    /// The flags that were given of those that only some formats know.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let flags = [
            ("--price", !self.price.is_empty()),
            ("--throughput", self.throughput.is_some()),
            ("--variant", self.variant.is_some()),
            ("--jobs", self.jobs.is_some()),
            ("--carbon", self.carbon.is_some()),
            ("--zone", self.zone.is_some()),
            ("--round", self.round.is_some()),
            ("--work", self.work.is_some()),
            ("--deadline", !self.deadline.is_empty()),
            ("--overhead", !self.overhead.is_empty()),
            ("--gang", self.gang.is_some()),
            ("--limit", self.limit.is_some()),
            ("--explain", self.explain.is_some()),
            ("--plot", self.plot.is_some()),
            ("--cluster", !self.cluster.is_empty()),
            ("--prices", !self.prices.is_empty()),
            ("--rent", !self.rent.is_empty()),
            ("--nodes", self.nodes.is_some()),
            ("--seed", self.seed.is_some()),
            ("--seeds", self.seeds.is_some()),
            ("--set", !self.set.is_empty()),
            ("--sweep", self.sweep.is_some()),
        ];
        flags.into_iter().filter_map(|(flag, given)| given.then_some(flag)).collect()
    }
}
