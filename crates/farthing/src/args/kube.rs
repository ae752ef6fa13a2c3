//! Kubernetes: which cluster `farthing up` looks at, what its nodes cost, what it needs there.

use clap::{Args, Subcommand, ValueEnum};
use farthing_kube::Flavour;
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
