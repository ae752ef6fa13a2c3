//! `farthing undo`.

use clap::Args;
use std::path::PathBuf;

/// `farthing undo`.
#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The step, as plans, events and `explain` name it
    #[arg(value_name = "STEP")]
    pub(crate) step: String,
    /// The loop that did it, by its address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4040")]
    pub(crate) server: String,
    /// A file with the token to log in with
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,
    /// No loop runs: take it back by the journal, in the Kubernetes cluster of a context or the
    /// current one
    #[arg(long = "kube", value_name = "CONTEXT", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the flag, and the context with it")]
    pub(crate) context: Option<Option<String>>,
    /// Kubeconfigs, of which the first to name something decides
    /// [default: those in KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", requires = "context")]
    pub(crate) kubeconfig: Vec<PathBuf>,
}
