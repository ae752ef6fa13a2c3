//! Kubernetes: which cluster `farthing up` looks at, what its nodes cost, what it needs there.

use clap::{Args, Subcommand, ValueEnum};
use farthing_kube::Flavour;
use farthing_kube::kueue::Fail;
use std::path::PathBuf;

/// A Kubernetes cluster.
#[derive(Debug, Args)]
pub(crate) struct KubeArgs {
    /// Look at a Kubernetes cluster instead of this machine: that of a context, or of the current
    /// one; in a pod, its own. Nothing is changed in it unless --mode or a policy says so
    #[arg(long = "kube", value_name = "CONTEXT", num_args = 0..=1, conflicts_with = "demo")]
    #[expect(clippy::option_option, reason = "the flag, and the context with it")]
    pub(crate) context: Option<Option<String>>,
    /// Kubeconfigs, of which the first to name something decides
    /// [default: those in KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", requires = "context")]
    pub(crate) kubeconfig: Vec<PathBuf>,
    /// Price books for its nodes instead of the one that ships in the program
    #[arg(long, value_name = "PATH", requires = "context")]
    pub(crate) prices: Vec<PathBuf>,
    /// A Prometheus that knows what pods use, by cAdvisor's metrics and DCGM's, with the path
    /// before /api/v1 if there is one; where it does not answer, the metrics server of the cluster
    /// [default: the metrics server, and without one what pods ask for]
    #[arg(long, value_name = "URL", requires = "context")]
    pub(crate) prometheus: Option<String>,
    /// A file with a bearer token for it
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(crate) prometheus_token_file: Option<PathBuf>,
    /// Be one of several replicas: wait for the lease farthing/farthing in the cluster, and lead
    /// while it is held. All of them need one journal (--store, or a volume that they share)
    #[arg(long, requires = "context")]
    pub(crate) lease: bool,
    /// The most that is done in the cluster: observe, recommend, approve or enforce
    /// [default: what a policy in --config says, else recommend]
    #[arg(long, value_name = "MODE", requires = "context")]
    pub(crate) mode: Option<String>,
    /// Change only what says farthing.dev/managed: "true", or whose namespace does
    #[arg(long, requires = "context")]
    pub(crate) only_managed: bool,
    /// Never change anything in these namespaces, beside those of the system
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',', requires = "context")]
    pub(crate) exclude: Vec<String>,
    #[command(flatten)]
    pub(crate) kueue: KueueArgs,
}

/// The admission check of Kueue.
#[derive(Debug, Args)]
pub(crate) struct KueueArgs {
    /// Answer the admission checks of Kueue whose controller is farthing.dev/budget: work is let in
    /// once its money is set aside. In mode observe or recommend all is let in; without a policy
    /// the mode is enforce
    #[arg(long, requires = "context")]
    pub(crate) kueue: bool,
    /// What becomes of work whose price is not known
    #[arg(
        long,
        value_name = "POLICY",
        requires = "kueue",
        value_enum,
        default_value_t = FailArg::Closed
    )]
    pub(crate) kueue_fail: FailArg,
    /// How long work that is over a hard limit has for a checkpoint before it is stopped
    #[arg(long, value_name = "DURATION", requires = "kueue", default_value = "5m")]
    pub(crate) kueue_grace: String,
    /// Raise the priority of work by its deadline and by what it has not saved; Kueue's gate
    /// `PriorityBoost` has to be on
    #[arg(long, requires = "kueue")]
    pub(crate) kueue_boost: bool,
    /// Answer the API server here about new jobs that say farthing.dev/max-cost: so much money
    /// becomes the time after which Kueue ends them
    #[arg(
        long,
        value_name = "ADDRESS",
        requires_all = ["kueue", "webhook_cert", "webhook_key"]
    )]
    pub(crate) webhook: Option<std::net::SocketAddr>,
    /// The certificate for that, as PEM
    #[arg(long, value_name = "FILE", requires = "webhook")]
    pub(crate) webhook_cert: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", requires = "webhook")]
    pub(crate) webhook_key: Option<PathBuf>,
}

/// What becomes of work that cannot be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailArg {
    /// It is let in
    Open,
    /// It waits
    Closed,
}

impl From<FailArg> for Fail {
    fn from(said: FailArg) -> Self {
        match said {
            FailArg::Open => Self::Open,
            FailArg::Closed => Self::Closed,
        }
    }
}

/// `farthing kube`.
#[derive(Debug, Args)]
pub(crate) struct KubeCommandArgs {
    /// What to print
    #[command(subcommand)]
    pub(crate) what: KubeWhat,
}

/// What to print.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KubeWhat {
    /// Custom resources, an account with the least role for what is to be done, and a deployment,
    /// for `kubectl apply -f -`
    Manifests(KubeManifestsArgs),
    /// Configuration of Kueue by money: flavors in the order of what they cost, and what each
    /// resource is worth in credits
    KueueConfig(KueueConfigArgs),
    /// Look once at work that waits for our admission check and that nobody answers, and let it in
    /// or hold it; for a `CronJob` beside the loop
    Watchdog(WatchdogArgs),
}

/// `farthing kube manifests`.
#[derive(Clone, Debug, Args)]
pub(crate) struct KubeManifestsArgs {
    /// How much the account may do
    #[arg(long, value_enum, default_value_t = Role::Recommend)]
    pub(crate) role: Role,
    /// Custom resources only
    #[arg(long, conflicts_with_all = ["role", "image"])]
    pub(crate) crds_only: bool,
    /// The image that is deployed
    #[arg(
        long,
        value_name = "IMAGE",
        default_value = concat!("farthing:", env!("CARGO_PKG_VERSION"))
    )]
    pub(crate) image: String,
    /// Also what the API server needs to ask us about new jobs that say farthing.dev/max-cost, with
    /// an authority and a certificate that are made anew each time
    #[arg(long, conflicts_with = "crds_only")]
    pub(crate) webhook: bool,
    /// What becomes of such jobs where we do not answer
    #[arg(
        long,
        value_name = "POLICY",
        requires = "webhook",
        value_enum,
        default_value_t = FailArg::Open
    )]
    pub(crate) webhook_fail: FailArg,
}

/// How much an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Look only.
    Observe,
    /// Look, and write what would be better into objects of its own.
    Recommend,
    /// Change what is there.
    Enforce,
}

impl From<Role> for Flavour {
    fn from(role: Role) -> Self {
        match role {
            Role::Observe => Self::Observe,
            Role::Recommend => Self::Recommend,
            Role::Enforce => Self::Enforce,
        }
    }
}

/// `farthing kube watchdog`.
#[derive(Clone, Debug, Args)]
pub(crate) struct WatchdogArgs {
    /// The context of the cluster [default: the current one; in a pod, its own cluster]
    #[arg(long = "kube", value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// Kubeconfigs, of which the first to name something decides
    /// [default: those in KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Vec<PathBuf>,
    /// What becomes of it
    #[arg(long, value_name = "POLICY", value_enum)]
    pub(crate) fail: FailArg,
    /// How long nobody answered
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(crate) after: String,
}

/// `farthing kube kueue-config`.
#[derive(Clone, Debug, Args)]
pub(crate) struct KueueConfigArgs {
    /// A flavor and the machine that it is, such as h100=aws/us-east-1/p5.48xlarge/on-demand
    #[arg(long = "flavor", value_name = "NAME=OFFER", required = true)]
    pub(crate) flavors: Vec<String>,
    /// A resource that is worth credits, and the flavor whose machine tells how many, such as
    /// nvidia.com/gpu=h100; cores are worth theirs always
    #[arg(long = "credit", value_name = "RESOURCE=FLAVOR")]
    pub(crate) credits: Vec<String>,
    /// What a core costs [default: that of the cheapest machine without accelerators in the books]
    #[arg(long, value_name = "RATE")]
    pub(crate) core: Option<String>,
    /// What a credit is worth [default: a core]
    #[arg(long, value_name = "RATE")]
    pub(crate) unit: Option<String>,
    /// Which part to print
    #[arg(long, value_enum, default_value_t = KueuePart::Flavors)]
    pub(crate) part: KueuePart,
    /// Price books instead of the one that ships in the program
    #[arg(long, value_name = "PATH")]
    pub(crate) prices: Vec<PathBuf>,
}

/// A part of Kueue's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum KueuePart {
    /// The flavors, for `kubectl apply -f -`
    Flavors,
    /// The order of flavors, for a `ClusterQueue`
    Queue,
    /// What resources are worth, for Kueue's `Configuration`
    Credits,
}
