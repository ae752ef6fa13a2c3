//! The command line. Names are fixed in the interface reference; scripts rely on them.

mod books;
mod budget;
mod correct;
mod docker;
mod estimate;
mod export;
mod import;
mod journal;
mod kube;
mod listen;
mod power;
mod run;
mod simulate;
mod token;
mod undo;

pub(crate) use books::{BooksArgs, BooksWhat, CompactArgs, MigrateArgs, RetainArgs};
pub(crate) use budget::{
    BudgetArgs, BudgetCheckArgs, BudgetOf, BudgetSettleArgs, BudgetShowArgs, BudgetSimulateArgs,
    BudgetWhat,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub(crate) use correct::CorrectArgs;
pub(crate) use docker::DockerArgs;
pub(crate) use estimate::EstimateArgs;
pub(crate) use export::{ExportArgs, ExportFocusArgs, ExportWhat, FocusColumns};
pub(crate) use import::{
    ImportArgs, ImportFocusArgs, ImportWhat, IntoBooks, PrometheusArgs, TelemetryArgs,
};
pub(crate) use journal::{
    BackupArgs, JournalArgs, JournalExportArgs, JournalWhat, RestoreArgs, StoreArgs, StoreWhat,
};
pub(crate) use kube::{
    FailArg, KubeArgs, KubeCommandArgs, KubeManifestsArgs, KubeWhat, KueueConfigArgs, KueuePart,
    WatchdogArgs,
};
pub(crate) use listen::ListenArgs;
pub(crate) use power::PowerGiven;
pub(crate) use run::{BecomeArgs, Live, RunArgs, RunLimits, RunMetric, RunPays, RunPrice, RunSize};
pub(crate) use simulate::SimulateArgs;
use std::path::PathBuf;
pub(crate) use token::{TokenArgs, TokenCreateArgs, TokenWhat};
pub(crate) use undo::UndoArgs;

/// Keeps the books of an AI cluster and cuts the bill.
#[derive(Debug, Parser)]
#[command(name = "farthing", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Where books and journals are kept [default: the user's state folder, farthing]
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "FARTHING_DATA",
        hide_env_values = true
    )]
    pub(crate) data: Option<PathBuf>,
    /// Where the books are kept: a folder, or s3://, gs:// or az:// BUCKET/PREFIX
    /// [default: books in --data]
    #[arg(
        long,
        global = true,
        value_name = "PLACE",
        env = "FARTHING_BOOKS",
        hide_env_values = true
    )]
    pub(crate) books: Option<String>,
    /// The database that keeps journals, of PostgreSQL [default: files in --data]
    #[arg(
        long,
        global = true,
        value_name = "postgres://USER@HOST/DATABASE",
        env = "FARTHING_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// The key that signs journals [default: signing.key in --data, made at first use]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "FARTHING_SIGNING_KEY",
        hide_env_values = true
    )]
    pub(crate) signing_key: Option<PathBuf>,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs: money as exact decimal strings.
    Json,
    /// For spreadsheets: the rows only.
    Csv,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the loop: observe, meter, plan, check, approve, act, record, verify
    Up(UpArgs),
    /// Plan the cheapest way to run the work of manifests, with a proven bound
    Plan(PlanArgs),
    /// Estimate what a job costs before it is started, from the file that it is submitted with
    Estimate(Box<EstimateArgs>),
    /// Run a command: reserved for, metered, stopped at its limits and accounted
    Run(Box<RunArgs>),
    /// What `run` starts itself as
    #[command(hide = true)]
    Become(BecomeArgs),
    /// Replay a trace under several policies, side by side
    Simulate(Box<SimulateArgs>),
    /// Rank the offers for a request
    Offers(Box<OffersArgs>),
    /// Import what comes from elsewhere: telemetry of a cluster, bills
    Import(Box<ImportArgs>),
    /// Export the books for others
    Export(Box<ExportArgs>),
    /// Print the statement: who used what, and what it cost, to the last unit
    Cost(Box<CostArgs>),
    /// Show budgets as they stand, and ask whether something fits before it is started
    Budget(Box<BudgetArgs>),
    /// Judge who holds accelerators and does nothing with them
    Idle(IdleArgs),
    /// Show where a number comes from, or why a step was chosen
    Explain(ExplainArgs),
    /// Take a step back: what it changed is as it was before
    Undo(UndoArgs),
    /// Meter posted hours again at other prices
    Correct(CorrectArgs),
    /// Keep the books: compaction, retention, migration
    Books(BooksArgs),
    /// Ask the charges in SQL: FROM charges, columns as in FOCUS
    Sql(SqlArgs),
    /// Print what a Kubernetes cluster needs so that Farthing may work in it, and configure Kueue
    Kube(KubeCommandArgs),
    /// Make, list and revoke the tokens by which others ask the server
    Token(TokenArgs),
    /// Check that the ledger conserves and that the journal's chain holds
    Verify(VerifyArgs),
    /// Hand the journal out, and show the key that signs it
    Journal(JournalArgs),
    /// Back up a journal and put it back, also from files to PostgreSQL and from there to files
    Store(StoreArgs),
    /// Print what makes a shell complete the commands and options
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a reference: of all commands in Markdown, or what else is asked for
    #[command(hide = true)]
    Reference {
        /// Of the API, in JSON
        #[arg(long)]
        openapi: bool,
        /// As manual pages, each after a form feed and a line with its name
        #[arg(long, conflicts_with = "openapi")]
        man: bool,
    },
}

/// `farthing up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Run a simulated cluster (real prices, real job arrivals) instead of this machine
    #[arg(long)]
    pub(crate) demo: bool,
    #[command(flatten)]
    pub(crate) kube: KubeArgs,
    #[command(flatten)]
    pub(crate) docker: DockerArgs,
    /// Stop after this long, such as 30s or 10m [default: until Ctrl-C]
    #[arg(long, value_name = "DURATION")]
    pub(crate) r#for: Option<String>,
    /// Demo only: virtual seconds per second
    #[arg(long, value_name = "FACTOR", requires = "demo")]
    pub(crate) speed: Option<u32>,
    /// Demo only: what chance is made from; the same seed gives the same run
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Manifests with budgets, a policy and a provider of identities; with --docker, and workloads
    /// to run
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Time between two ticks [default: 10s, of a Kubernetes cluster 1m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) every: Option<String>,
    #[command(flatten)]
    pub(crate) listen: ListenArgs,
    /// Prices of owned hardware, instead of those that ship in the program
    #[arg(long, value_name = "FILE")]
    pub(crate) hardware: Option<PathBuf>,
}

/// `farthing plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Manifests: workloads or a DAG, budgets, a policy, a price book
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) given: PlanGiven,
    #[command(flatten)]
    pub(crate) power: PowerGiven,
    /// Compare with the baseline policies
    #[arg(long)]
    pub(crate) baselines: bool,
    /// Also draw the plan over time, with its cost against each budget, as an SVG picture
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

/// What a plan depends on besides its manifests.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct PlanGiven {
    /// Price books instead of the one that ships in the program
    #[arg(long, value_name = "PATH")]
    pub(crate) prices: Vec<PathBuf>,
    /// What moving data costs, for a DAG: a CSV table, and beside it measured speeds
    /// [default: free inside a region, else unknown]
    #[arg(long, value_name = "FILE")]
    pub(crate) egress: Vec<PathBuf>,
    /// One budget for everything, such as '1500 USD'
    #[arg(long, value_name = "MONEY", allow_hyphen_values = true)]
    pub(crate) budget: Option<String>,
    /// The span whose cost is reported [default: to the last deadline, else 1h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) horizon: Option<String>,
    /// The time to plan at, RFC 3339 [default: now, to the second]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
}

/// `farthing offers`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
pub(crate) struct OffersArgs {
    /// Accelerator with memory, such as H100-80GB; H100-80GB:8 is with --count 8
    #[arg(long, value_name = "NAME")]
    pub(crate) accelerator: Option<String>,
    /// Least accelerators on each node, or machines where no accelerator is asked for
    /// [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) count: Option<u32>,
    /// So many nodes [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) nodes: Option<u32>,
    /// The count may be spread over as many nodes as reach it
    #[arg(long, conflicts_with_all = ["nodes", "work"], requires = "accelerator")]
    pub(crate) split: bool,
    /// vCPUs of a node: 32 is exactly, 32+ is at least, 32-64 is between
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpus: Option<String>,
    /// Memory of a node, exactly 128GiB or at least 128GiB+
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Instruction set, `x86_64` or `arm64`
    #[arg(long, value_name = "NAME")]
    pub(crate) arch: Option<String>,
    /// Only these providers
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) provider: Vec<String>,
    /// Only these regions
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Vec<String>,
    /// On demand (the default); with --spot both, side by side
    #[arg(long)]
    pub(crate) on_demand: bool,
    /// Spot
    #[arg(long)]
    pub(crate) spot: bool,
    /// On demand, spot, reserved and owned side by side
    #[arg(long)]
    pub(crate) any_purchase: bool,
    /// The most that all nodes together may cost, such as '10 USD/h'
    #[arg(long, value_name = "RATE")]
    pub(crate) max_price: Option<String>,
    /// The most that one node may cost
    #[arg(long, value_name = "RATE")]
    pub(crate) max_node_price: Option<String>,
    /// Not these: provider, provider/region or provider/region/type
    #[arg(long, value_name = "PLACE")]
    pub(crate) exclude: Vec<String>,
    /// Work to finish, in the unit of --rate: the order is then the cost of finishing it
    #[arg(long, value_name = "NUMBER", requires = "rate")]
    pub(crate) work: Option<String>,
    /// Work per second of one accelerator, such as H100=3.17,A100=1; H100:8=22 is of eight together
    #[arg(long, value_name = "NAME=NUMBER", value_delimiter = ',', requires = "work")]
    pub(crate) rate: Vec<String>,
    /// How many to print
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) limit: usize,
    /// Price books instead of the one that ships in the program: files, or a folder with a
    /// `vms.csv` for each cloud
    #[arg(long, value_name = "PATH")]
    pub(crate) prices: Vec<PathBuf>,
    /// The time that is asked about, RFC 3339 or a day: later prices do not count [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Read the price books anew and keep nothing for the next time
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Also draw the ladder of prices as an SVG picture
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

/// `farthing cost`.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// Keys of the rows: team, workload, user, namespace, pod, controller-kind, controller,
    /// service, container, process, label:NAME, annotation:NAME, cluster, node, offer, resource,
    /// provider, region, instance-type, purchase, hour, day
    #[arg(long, value_name = "KEYS", value_delimiter = ',', default_value = "team,workload")]
    pub(crate) by: Vec<String>,
    /// The span, UTC: 24h or 7d before the newest charge; today, yesterday, week, lastweek, month,
    /// lastmonth as of it; a day, a month, or FROM,TO
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    pub(crate) window: String,
    /// The time that the span is as of, RFC 3339 [default: the end of the newest charge]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Only these charges, such as 'namespace:"web"+label[app]!:"cache"'
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Rows for each hour or day
    #[arg(long, value_name = "1h|1d")]
    pub(crate) step: Option<String>,
    /// What rows are charged for
    #[arg(long, value_enum, default_value_t = OfWhat::Reserved)]
    pub(crate) basis: OfWhat,
    /// What to do with idle, unallocated and overhead
    #[arg(long, value_enum, default_value_t = Share::Separate)]
    pub(crate) share_idle: Share,
    /// Among whom it is shared: rows of the same place (as far as they are grouped by one), of the
    /// cluster, or of the node
    #[arg(long, value_enum, default_value_t = Among::Place)]
    pub(crate) idle_by: Among,
    /// Share idle accelerators among those who use accelerators, and so on
    #[arg(long)]
    pub(crate) by_resource: bool,
    /// Share among what --filter keeps only [default: among all, before the filter]
    #[arg(long, requires = "filter")]
    pub(crate) after_filter: bool,
    /// Charges that all others share, such as 'namespace:"kube-system"'
    #[arg(long, value_name = "FILTER")]
    pub(crate) share: Option<String>,
    /// A flat cost that no node has, shared too, such as '0.10 USD/h' for a control plane
    #[arg(long, value_name = "RATE")]
    pub(crate) overhead: Option<String>,
    /// Common and flat costs go to all rows alike [default: in proportion to their own]
    #[arg(long)]
    pub(crate) share_evenly: bool,
    /// Put what imported bills say beside it, and the difference; by provider, region, node, day
    /// and hour only
    #[arg(long, conflicts_with_all = ["filter", "share", "overhead", "share_idle"])]
    pub(crate) bills: bool,
    /// Print at most so many rows; the rest is summed in one
    #[arg(long, value_name = "NUMBER", default_value_t = 25)]
    pub(crate) limit: usize,
    /// Whose books; several by commas [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// What rows are charged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OfWhat {
    /// What was held, used or not: chargeback.
    Reserved,
    /// What was occupied: of accelerators with nothing on them, nothing.
    Occupied,
    /// What was used; the rest is a row of its own.
    Used,
}

/// Among whom idle is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Among {
    /// Rows of the same place.
    Place,
    /// Rows of the cluster.
    Cluster,
    /// Rows of the node.
    Node,
}

/// How shared costs are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Share {
    /// In rows of their own.
    Separate,
    /// In equal parts on all rows.
    Even,
    /// In proportion to the rows' own cost.
    Proportional,
}

/// `farthing idle`.
#[derive(Debug, Args)]
pub(crate) struct IdleArgs {
    /// The span, as that of `cost`; all of it must be idle
    #[arg(long, value_name = "SPAN", default_value = "30m")]
    pub(crate) window: String,
    /// The end of the span, RFC 3339 [default: the newest charge]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// How often each device is to be read [default: as often as most were]
    #[arg(long, value_name = "DURATION")]
    pub(crate) every: Option<String>,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// `farthing explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A row of a statement, a workload, process or node, a step or a plan
    pub(crate) id: String,
    /// Explain a step or workload of the plan of these manifests, as `farthing plan` makes it
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) given: PlanGiven,
    /// Keys of the statement that a row's id is from, where they are more than two or have labels
    #[arg(long, value_name = "KEYS", value_delimiter = ',', default_value = "team,workload")]
    pub(crate) by: Vec<String>,
    /// The span, as that of `cost`
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    pub(crate) window: String,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// `farthing sql`.
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// A query, such as `SELECT x_team, sum(BilledCost) FROM charges GROUP BY x_team`
    pub(crate) query: String,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// `farthing verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A public key that is trusted to sign, as digits or a PEM file; several times for several
    /// [default: that of the key that signs here]
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Also check this file of `farthing journal export`, and that the journal has what it has
    #[arg(long, value_name = "FILE")]
    pub(crate) exported: Option<PathBuf>,
    /// Whose books [default: those of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}
