//! Kubernetes: which cluster `farthing up` looks at, what its nodes cost, what it needs there.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// A Kubernetes cluster.
#[derive(Debug, Args)]
pub(crate) struct KubeArgs {
    /// Look at a Kubernetes cluster instead of this machine: that of a context, or of the current
    /// one; in a pod, its own. Nothing is changed in it
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
}

/// `farthing kube`.
#[derive(Debug, Args)]
pub(crate) struct KubeCommandArgs {
    /// What to print
    #[command(subcommand)]
    pub(crate) what: KubeWhat,
}

/// What to print.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum KubeWhat {
    /// An account and the least role for looking, for `kubectl apply -f -`
    Manifests,
}
